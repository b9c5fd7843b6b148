#include "core/redact.h"

#include <string.h>

#include "core/env.h"

#define SECRET_LEAST_BYTES 16 /* a shorter one, of a test, is found in innocent texts */
#define KEY_ID_BYTES 20
#define MASK "***"

/* ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_part(char c) { return is_upper(c) || is_lower(c) || is_digit(c) || (unsigned char)c >= 0x80; }

/* A word begins at a capital behind a small letter, and at the last capital of several before a small one: "myAPIKey" is my, api, key. */
static bool begins_word(latch_str name, size_t i) {
    if (i == 0 || !is_part(name.ptr[i - 1])) return true;
    if (!is_upper(name.ptr[i])) return false;
    return !is_upper(name.ptr[i - 1]) || (i + 1 < name.len && is_lower(name.ptr[i + 1]));
}

/* " api key ": each word with a space on both sides. `room` is at least 3; what doesn't fit is cut. */
static size_t to_words(latch_str name, char *out, size_t room) {
    size_t len = 0;
    for (size_t i = 0; i < name.len && len + 3 < room; i++) {
        if (!is_part(name.ptr[i])) continue;
        if (begins_word(name, i)) out[len++] = ' ';
        out[len++] = is_upper(name.ptr[i]) ? (char)(name.ptr[i] - 'A' + 'a') : name.ptr[i];
    }
    if (len > 0) out[len++] = ' ';
    out[len] = '\0';
    return len;
}

static const char *const words[] = {
    "password", "passwd",        "pwd",        "passphrase",  "passcode",    "secret",      "secrets",
    "token",    "authorization", "cookie",     "cookies",     "credential",  "credentials", "jwt",
    "apikey",   "api key",       "access key", "private key", "signing key", "client key",  "connection string"};

/* Whether the words of `want` are those at `at`, the beginning of a word. */
static bool begins_with(const char *at, const char *want) {
    size_t len = strlen(want);
    return strncmp(at, want, len) == 0 && at[len] == ' ';
}

/* `at` is the beginning of a word. */
static bool is_listed(const latch_redact *redact, const char *at) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (*at == *words[i] && begins_with(at, words[i])) return true;
    }
    const char *extra = redact != NULL ? redact->extra : "";
    for (; *extra != '\0'; extra += strlen(extra) + 1) {
        if (*at == *extra && begins_with(at, extra)) return true;
    }
    return false;
}

bool latch_redact_is_secret(const latch_redact *redact, latch_str name) {
    char text[2 * LATCH_REDACT_NAME_BYTES];
    if (name.len >= LATCH_REDACT_NAME_BYTES) name.len = LATCH_REDACT_NAME_BYTES - 1;
    to_words(name, text, sizeof text);
    for (const char *at = text; *at == ' ' && at[1] != '\0'; at += 1 + strcspn(at + 1, " ")) {
        if (is_listed(redact, at + 1)) return true;
    }
    return false;
}

static void add_extra(latch_redact *r, const char *list) {
    size_t used = 0;
    while (*list != '\0') {
        char text[LATCH_REDACT_NAME_BYTES];
        size_t len = strcspn(list, ",");
        size_t bytes = to_words((latch_str){list, len}, text, sizeof text);
        if (bytes > 2 && bytes <= sizeof r->extra - used) { /* without its outer spaces, with a NUL; and one more at the end of all */
            memcpy(r->extra + used, text + 1, bytes - 2);
            used += bytes - 1;
        }
        list += len + (list[len] == ',');
    }
}

latch_redact latch_redact_from_environment(void) {
    static const char *const names[LATCH_REDACT_SECRETS] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                                            "AWS_CONTAINER_AUTHORIZATION_TOKEN"};
    latch_redact r = {0};
    const char *extra = latch_env_get("LATCH_LOG_REDACT");
    if (extra != NULL) add_extra(&r, extra);
    for (size_t i = 0; i < LATCH_REDACT_SECRETS; i++) {
        const char *value = latch_env_get(names[i]);
        size_t len = value != NULL ? strnlen(value, sizeof r.secret[i] - 1) : 0;
        if (len >= SECRET_LEAST_BYTES) memcpy(r.secret[i], value, len);
    }
    return r;
}

/* ── a text that gets shorter ────────────────────────────────────────────────────────────────────────────────────── */

typedef struct body {
    const latch_redact *redact;
    char *at;
    size_t len;
} body;

/* `from` to `to` becomes `with`, or as much of it as fits; where it ends then. */
static size_t replace(body *b, size_t from, size_t to, const char *with) {
    size_t len = strlen(with);
    if (len > to - from) len = to - from;
    memcpy(b->at + from, with, len);
    memmove(b->at + from + len, b->at + to, b->len - to);
    b->len -= to - from - len;
    return from + len;
}

/* ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Behind the quote that ends the string whose first quote is at `from`. */
static size_t past_string(const body *b, size_t from) {
    for (size_t i = from + 1; i < b->len; i++) {
        if (b->at[i] == '"') return i + 1;
        i += b->at[i] == '\\';
    }
    return b->len;
}

static size_t past_number(const body *b, size_t from) {
    size_t i = from;
    while (i < b->len && b->at[i] != '\0' && strchr("+-.0123456789eE", b->at[i]) != NULL)
        i++;
    return i;
}

static bool is_name(const body *b, size_t past) { return past < b->len && b->at[past] == ':'; }

static size_t mask_string(body *b, size_t from) {
    size_t past = past_string(b, from);
    if (is_name(b, past)) return past;
    bool closed = past - from >= 2 && b->at[past - 1] == '"';
    return closed ? replace(b, from + 1, past - 1, MASK) + 1 : replace(b, from + 1, past, MASK); /* not closed: the text was cut */
}

/* The value at `from` and whatever is in it. Where it ends. */
static size_t mask_value(body *b, size_t from) {
    size_t i = from, depth = 0;
    while (i < b->len) {
        char c = b->at[i];
        if (c == '"') {
            i = mask_string(b, i);
        } else if (c == '-' || is_digit(c)) {
            i = replace(b, i, past_number(b, i), "0");
        } else if (c == '{' || c == '[') {
            depth++, i++;
        } else if (c == '}' || c == ']' || c == ',') {
            if (depth == 0) return i; /* what it lies in goes on */
            depth -= c != ',';
            i++;
        } else {
            i++;
        }
        if (depth == 0 && c != '{' && c != '[' && !is_lower(c)) return i;
    }
    return i;
}

size_t latch_redact_json(const latch_redact *redact, char *json, size_t len) {
    body b = {redact, json, len};
    for (size_t i = 0; i < b.len;) {
        if (b.at[i] != '"') {
            i++;
            continue;
        }
        size_t past = past_string(&b, i);
        bool secret = is_name(&b, past) && latch_redact_is_secret(redact, (latch_str){b.at + i + 1, past - i - 2});
        i = secret ? mask_value(&b, past + 1) : past;
    }
    return b.len;
}

/* ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_of_key(char c) { return is_upper(c) || is_digit(c); }
static bool is_of_secret(char c) { return is_upper(c) || is_lower(c) || is_digit(c) || (c != '\0' && strchr("/+=_-", c) != NULL); }
static bool is_alnum(char c) { return is_upper(c) || is_lower(c) || is_digit(c); }

/* Where `what` begins at or behind `from`; NULL: nowhere. Its first byte is rare in a record, and memchr is fast. */
static char *find(const body *b, size_t from, const char *what, size_t len) {
    for (char *at = b->at + from; b->len - (size_t)(at - b->at) >= len; at++) {
        at = memchr(at, *what, b->len - (size_t)(at - b->at) - len + 1);
        if (at == NULL || memcmp(at, what, len) == 0) return at;
    }
    return NULL;
}

static bool is_key_id(const body *b, size_t from) {
    const char *at = b->at + from;
    if (b->len - from < KEY_ID_BYTES || (memcmp(at, "AKIA", 4) != 0 && memcmp(at, "ASIA", 4) != 0)) return false;
    if (from > 0 && is_alnum(at[-1])) return false;
    for (size_t i = 4; i < KEY_ID_BYTES; i++) {
        if (!is_of_key(at[i])) return false;
    }
    return from + KEY_ID_BYTES == b->len || !is_alnum(at[KEY_ID_BYTES]);
}

static void mask_key_ids(body *b) {
    size_t from = 0;
    for (const char *found; (found = find(b, from, "A", 1)) != NULL;) {
        size_t at = (size_t)(found - b->at);
        from = is_key_id(b, at) ? replace(b, at + 4, at + KEY_ID_BYTES, MASK) : at + 1;
    }
}

static void mask_secret(body *b, const char *begin) {
    size_t len = strlen(begin), from = 0;
    if (len == 0) return;
    for (const char *found; (found = find(b, from, begin, len)) != NULL;) {
        size_t at = (size_t)(found - b->at), to = at + len;
        while (to < b->len && is_of_secret(b->at[to]))
            to++;
        from = replace(b, at, to, MASK);
    }
}

size_t latch_redact_text(const latch_redact *redact, char *text, size_t len) {
    body b = {redact, text, len};
    mask_key_ids(&b);
    for (size_t i = 0; redact != NULL && i < LATCH_REDACT_SECRETS; i++)
        mask_secret(&b, redact->secret[i]);
    return b.len;
}

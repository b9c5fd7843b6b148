#include "store/dynamodb/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env.h"
#include "core/err.h"

#define SHOWN_BYTES 100 /* of a path, in a message */
#define FIRST_BYTES 4096

/* ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static latch_str trimmed(const char *from, const char *to) {
    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    return (latch_str){from, (size_t)(to - from)};
}

typedef struct text_line {
    latch_str body; /* without the space around it */
    size_t indent;  /* of what stands in front of it */
    bool says;      /* it isn't empty, and no comment */
} text_line;

/* The line at `*at`, which moves behind it; false: there is none. */
static bool take_line(latch_str text, size_t *at, text_line *out) {
    if (*at >= text.len) return false;
    const char *from = text.ptr + *at, *end = memchr(from, '\n', text.len - *at), *to = end != NULL ? end : text.ptr + text.len;
    *at = (size_t)(to - text.ptr) + (end != NULL);
    out->body = trimmed(from, to);
    out->indent = (size_t)(out->body.ptr - from);
    out->says = out->body.len > 0 && out->body.ptr[0] != '#' && out->body.ptr[0] != ';';
    return true;
}

/* `key = value # comment`. False: no `=`, or nothing before it. */
static bool split(latch_str body, latch_str *key, latch_str *value) {
    const char *equals = memchr(body.ptr, '=', body.len), *end = body.ptr + body.len;
    if (equals == NULL) return false;
    *key = trimmed(body.ptr, equals);
    for (const char *at = equals + 1; at < end; at++) {
        if ((*at == '#' || *at == ';') && is_space(at[-1])) end = at;
    }
    *value = trimmed(equals + 1, end);
    return key->len > 0;
}

static bool begin_section(latch_profile_reader *r, latch_str body, latch_profile_entry *out) {
    const char *close = memchr(body.ptr, ']', body.len);
    if (close != NULL) r->section = trimmed(body.ptr + 1, close);
    r->key = (latch_str){NULL, 0};
    r->broken = close == NULL || r->section.len == 0;
    *out = (latch_profile_entry){.section = r->section};
    return !r->broken;
}

/* The deeper lines below a value belong to it. */
static void go_on(latch_profile_reader *r, latch_str *value) {
    text_line line;
    for (size_t at = r->at, lines = 1; take_line(r->text, &at, &line); lines++) {
        if (line.says && line.indent <= r->indent) return;
        if (!line.says) continue;
        value->len = (size_t)(line.body.ptr + line.body.len - value->ptr);
        r->at = at;
        r->line += lines;
        lines = 0;
    }
}

static bool begin_key(latch_profile_reader *r, const text_line *line, latch_profile_entry *out) {
    *out = (latch_profile_entry){.section = r->section};
    r->broken = r->section.len == 0 || !split(line->body, &out->key, &out->value);
    if (r->broken) return false;
    r->key = out->key;
    r->indent = line->indent;
    r->nests = out->value.len == 0;
    if (!r->nests) go_on(r, &out->value);
    return true;
}

latch_profile_reader latch_profile_read(latch_str text) {
    static const char mark[] = "\xEF\xBB\xBF"; /* some editors on Windows put it in front */
    bool marked = text.len >= 3 && memcmp(text.ptr, mark, 3) == 0;
    return (latch_profile_reader){.text = text, .at = marked ? 3 : 0};
}

bool latch_profile_next(latch_profile_reader *r, latch_profile_entry *out) {
    text_line line;
    *out = (latch_profile_entry){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    while (!r->broken && take_line(r->text, &r->at, &line)) {
        r->line++;
        if (!line.says) continue;
        if (r->key.len > 0 && r->nests && line.indent > r->indent) {
            *out = (latch_profile_entry){.section = r->section, .key = r->key};
            r->broken = !split(line.body, &out->sub, &out->value);
            return !r->broken;
        }
        return line.body.ptr[0] == '[' ? begin_section(r, line.body, out) : begin_key(r, &line, out);
    }
    return false;
}

/* ── whose section it is ─────────────────────────────────────────────────────────────────────────────────────────── */

static bool is(latch_str s, const char *text) { return latch_str_eq(s, latch_str_of(text)); }

static bool is_key(latch_str s, const char *key) { return s.len == strlen(key) && strncasecmp(s.ptr, key, s.len) == 0; }

/* What follows the word and space in `section`, without quotes around it; empty: it isn't one of those. */
static latch_str named(latch_str section, const char *word) {
    size_t len = strlen(word);
    if (section.len <= len || memcmp(section.ptr, word, len) != 0 || !is_space(section.ptr[len])) return (latch_str){"", 0};
    latch_str name = trimmed(section.ptr + len, section.ptr + section.len);
    bool quoted = name.len >= 2 && (name.ptr[0] == '"' || name.ptr[0] == '\'') && name.ptr[name.len - 1] == name.ptr[0];
    return quoted ? (latch_str){name.ptr + 1, name.len - 2} : name;
}

/* 0: another's; in the config file, [profile default] (2) counts before [default] (1). */
static int rank(latch_profile_file file, latch_str section, const char *name) {
    latch_str whose = file == LATCH_PROFILE_CREDENTIALS ? section : named(section, "profile");
    if (whose.len > 0 && is(whose, name)) return 2;
    if (file == LATCH_PROFILE_CREDENTIALS) return 0;
    return is(section, "default") && strcmp(name, "default") == 0 ? 1 : 0;
}

latch_str latch_profile_get(const latch_profile *profile, latch_profile_file file, const char *key) {
    latch_profile_reader reader = latch_profile_read(profile->texts[file]);
    latch_profile_entry entry;
    latch_str found = {"", 0};
    int best = 1;
    while (latch_profile_next(&reader, &entry)) {
        int now = rank(file, entry.section, profile->name);
        if (now < best || entry.sub.len > 0 || !is_key(entry.key, key)) continue;
        best = now;
        found = entry.value;
    }
    return found;
}

latch_str latch_profile_find(const latch_profile *profile, const char *key) {
    latch_str found = latch_profile_get(profile, LATCH_PROFILE_CREDENTIALS, key);
    return found.len > 0 ? found : latch_profile_get(profile, LATCH_PROFILE_CONFIG, key);
}

latch_str latch_profile_service(const latch_profile *profile, latch_str name, const char *key, const char *sub) {
    latch_profile_reader reader = latch_profile_read(profile->texts[LATCH_PROFILE_CONFIG]);
    latch_profile_entry entry;
    latch_str found = {"", 0};
    while (name.len > 0 && latch_profile_next(&reader, &entry)) {
        if (is_key(entry.key, key) && is_key(entry.sub, sub) && latch_str_eq(named(entry.section, "services"), name)) found = entry.value;
    }
    return found;
}

/* ── the files ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What the variable names, else `usual` of the home folder; *out is NULL where there is neither. */
static latch_status find_path(const char *variable, const char *usual, char **out, latch_err *err) {
    const char *given = latch_env_get(variable), *home = latch_env_get("HOME"), *path = given != NULL ? given : usual;
    bool expand = path[0] == '~' && path[1] == '/';
    *out = NULL;
    if (expand && home == NULL && given != NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "%s is \"%.*s\", and HOME isn't set", variable, SHOWN_BYTES, given);
    if (expand && home == NULL) return LATCH_OK;
    size_t size = strlen(path) + (expand ? strlen(home) : 0) + 1;
    *out = malloc(size);
    if (*out == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: no memory for the path of the profile");
    (void)snprintf(*out, size, "%s%s", expand ? home : "", expand ? path + 1 : path);
    return LATCH_OK;
}

static void wipe(latch_str text, size_t cap) {
    if (text.ptr == NULL) return;
    explicit_bzero((char *)(uintptr_t)text.ptr, cap);
    free((char *)(uintptr_t)text.ptr);
}

/* Twice the room, without a trace in the old one. NULL: no memory; the old one is gone as well. */
static char *grown(char *at, size_t len, size_t cap) {
    char *larger = malloc(cap * 2);
    if (larger != NULL) memcpy(larger, at, len);
    wipe((latch_str){at, len}, cap);
    return larger;
}

/* All of it, up to a byte more than is allowed, so that it can be told. */
static latch_status read_all(int fd, latch_str *out, int *why) {
    size_t cap = FIRST_BYTES, len = 0;
    char *at = malloc(cap);
    ssize_t n = 0;
    while (at != NULL && (n = read(fd, at + len, cap - len)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || (len += (size_t)n) > LATCH_PROFILE_MAX_BYTES) break;
        if (len == cap) {
            at = grown(at, len, cap);
            cap *= 2;
        }
    }
    *why = at == NULL ? ENOMEM : n < 0 ? errno : len > LATCH_PROFILE_MAX_BYTES ? EFBIG : 0;
    char *exact = *why == 0 && len > 0 ? malloc(len) : NULL;
    if (*why == 0 && len > 0 && exact == NULL) *why = ENOMEM;
    if (exact != NULL) memcpy(exact, at, len);
    if (at != NULL) wipe((latch_str){at, len}, cap);
    *out = (latch_str){exact, exact != NULL ? len : 0};
    return *why == 0 ? LATCH_OK : *why == ENOMEM ? LATCH_E_NOMEM : LATCH_E_MISUSE;
}

/*
 * No such file is no error, and neither is one in a home folder that this process may not even look into (the root's, of a process that
 * is another's).
 */
static bool is_absent(const char *path, int why) {
    struct stat about;
    return why == ENOENT || why == ENOTDIR || (why == EACCES && stat(path, &about) != 0);
}

static latch_status load(const char *path, latch_str *out, latch_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC), why = fd < 0 ? errno : 0;
    if (fd < 0 && is_absent(path, why)) return LATCH_OK;
    latch_status status = fd < 0 ? LATCH_E_MISUSE : read_all(fd, out, &why);
    if (fd >= 0) close(fd);
    if (status == LATCH_OK) return LATCH_OK;
    if (why == EFBIG)
        return latch_err_set(err, status, "\"%.*s\" has over %zu bytes: that is no file of AWS profiles", SHOWN_BYTES, path,
                             LATCH_PROFILE_MAX_BYTES);
    return latch_err_set(err, status,
                         "\"%.*s\" can't be read: %s; mend that, or name others by AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
                         SHOWN_BYTES, path, strerror(why));
}

/* Once through: every line makes sense, and whether the profile is there. */
static latch_status look_through(latch_profile *p, latch_profile_file file, latch_err *err) {
    latch_profile_reader reader = latch_profile_read(p->texts[file]);
    latch_profile_entry entry;
    while (latch_profile_next(&reader, &entry))
        p->exists = p->exists || rank(file, entry.section, p->name) > 0;
    if (!reader.broken) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "\"%.*s\", line %zu: that is neither [section] nor key = value below one", SHOWN_BYTES,
                         p->paths[file], reader.line);
}

latch_status latch_profile_open(latch_profile *out, const char *name, latch_err *err) {
    *out = (latch_profile){.name = name};
    latch_status status = find_path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", &out->paths[LATCH_PROFILE_CREDENTIALS], err);
    if (status == LATCH_OK) status = find_path("AWS_CONFIG_FILE", "~/.aws/config", &out->paths[LATCH_PROFILE_CONFIG], err);
    for (int file = LATCH_PROFILE_CREDENTIALS; file <= (int)LATCH_PROFILE_CONFIG && status == LATCH_OK; file++) {
        if (out->paths[file] != NULL) status = load(out->paths[file], &out->texts[file], err);
        if (status == LATCH_OK) status = look_through(out, (latch_profile_file)file, err);
    }
    if (status != LATCH_OK) latch_profile_close(out);
    return status;
}

void latch_profile_close(latch_profile *profile) {
    for (size_t file = 0; file < 2; file++) {
        wipe(profile->texts[file], profile->texts[file].len);
        free(profile->paths[file]);
    }
    *profile = (latch_profile){0};
}

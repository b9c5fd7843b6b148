#include <string.h>

#include "core/ctx_private.h"
#include "store/dynamodb/sources.h"

#define ID_MAX 128
#define SECRET_MAX 512
#define TOKEN_MAX 16384
#define ACCOUNT_MAX 64

/* ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_text(const char *what, const char *part, latch_str s, size_t max, latch_err *err) {
    if (s.len > max) return latch_err_set(err, LATCH_E_MISUSE, "%s: the %s has %zu bytes, want at most %zu", what, part, s.len, max);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] > ' ' && s.ptr[i] < 0x7F) continue;
        return latch_err_set(
            err, LATCH_E_MISUSE,
            "%s: the %s has a space, a line's end or another byte that no key has: was it copied with something behind it?", what, part);
    }
    return LATCH_OK;
}

latch_status latch_keys_check(const char *what, const latch_given_keys *keys, latch_err *err) {
    if (keys->access_key_id.len == 0) return latch_err_set(err, LATCH_E_MISUSE, "%s: there is no access key id", what);
    if (keys->secret_access_key.len == 0) return latch_err_set(err, LATCH_E_MISUSE, "%s: there is no secret access key", what);
    LATCH_TRY(check_text(what, "access key id", keys->access_key_id, ID_MAX, err));
    LATCH_TRY(check_text(what, "secret access key", keys->secret_access_key, SECRET_MAX, err));
    LATCH_TRY(check_text(what, "session token", keys->session_token, TOKEN_MAX, err));
    return check_text(what, "account id", keys->account_id, ACCOUNT_MAX, err);
}

/* ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* `n` digits at *at, which moves behind them, within the bounds. */
static bool take_number(latch_str s, size_t *at, size_t n, int min, int max, int *out) {
    if (n > s.len - *at) return false;
    *out = 0;
    for (size_t end = *at + n; *at < end; ++*at) {
        if (s.ptr[*at] < '0' || s.ptr[*at] > '9') return false;
        *out = *out * 10 + (s.ptr[*at] - '0');
    }
    return *out >= min && *out <= max;
}

static bool take_char(latch_str s, size_t *at, const char *one_of) {
    if (*at >= s.len || s.ptr[*at] == '\0' || strchr(one_of, s.ptr[*at]) == NULL) return false;
    ++*at;
    return true;
}

/* Minutes east of UTC. */
static bool take_zone(latch_str s, size_t *at, int *minutes) {
    int hour = 0, minute = 0;
    *minutes = 0;
    if (take_char(s, at, "Zz")) return true;
    bool west = *at < s.len && s.ptr[*at] == '-';
    if (!take_char(s, at, "+-") || !take_number(s, at, 2, 0, 23, &hour)) return false;
    (void)take_char(s, at, ":");
    if (!take_number(s, at, 2, 0, 59, &minute)) return false;
    *minutes = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

bool latch_keys_time(latch_str s, int64_t *at_ms) {
    int year, month, day, hour, minute, second, zone;
    size_t at = 0;
    *at_ms = 0;
    if (!take_number(s, &at, 4, 1970, 9999, &year) || !take_char(s, &at, "-") || !take_number(s, &at, 2, 1, 12, &month) ||
        !take_char(s, &at, "-") || !take_number(s, &at, 2, 1, 31, &day) || !take_char(s, &at, "Tt ") ||
        !take_number(s, &at, 2, 0, 23, &hour) || !take_char(s, &at, ":") || !take_number(s, &at, 2, 0, 59, &minute) ||
        !take_char(s, &at, ":") || !take_number(s, &at, 2, 0, 60, &second))
        return false;
    if (take_char(s, &at, ".") && !take_char(s, &at, "0123456789")) return false;
    while (take_char(s, &at, "0123456789")) {
    } /* a fraction of a second: keys don't live by it */
    if (!take_zone(s, &at, &zone) || at != s.len) return false;
    *at_ms = (((latch_clock_days(year, month, day) * 24 + hour) * 60 + minute - zone) * 60 + second) * LATCH_SECOND_MS;
    return true;
}

/* ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct answer {
    latch_given_keys keys;
    int64_t version;
    latch_str expiration;
} answer;

/* core/json's own messages show values: none of them leaves here. */
static latch_status read_answer(latch_arena *arena, latch_keys_form form, latch_str text, answer *out) {
    latch_ctx cx = {.arena = arena, .deadline_at_ms = INT64_MAX};
    latch_json json = LATCH_NULL;
    const char *token = form == LATCH_KEYS_OF_PROCESS ? "SessionToken" : "Token";
    const latch_field fields[] = {{"AccessKeyId", latch_optional(&out->keys.access_key_id)},
                                  {"SecretAccessKey", latch_optional(&out->keys.secret_access_key)},
                                  {token, latch_optional(&out->keys.session_token)},
                                  {"AccountId", latch_optional(&out->keys.account_id)},
                                  {"Expiration", latch_optional(&out->expiration)},
                                  {"Version", latch_optional(&out->version)},
                                  {NULL, latch_i_str_(NULL)}};
    latch_status status = latch_parse_data(&cx, "keys", text, &json);
    if (status == LATCH_OK) status = latch_read_(json, fields);
    explicit_bzero(&cx, sizeof cx);
    return status;
}

static latch_status check_answer(const char *what, latch_keys_form form, int64_t now_ms, answer *a, latch_err *err) {
    bool process = form == LATCH_KEYS_OF_PROCESS;
    if (process && a->version != 1)
        return latch_err_set(err, LATCH_E_MISUSE, "%s: its answer has \"Version\" %lld, want 1", what, (long long)a->version);
    if (!process && (a->keys.session_token.len == 0 || a->expiration.len == 0))
        return latch_err_set(err, LATCH_E_MISUSE, "%s: its answer has no \"%s\"", what, a->expiration.len == 0 ? "Expiration" : "Token");
    LATCH_TRY(latch_keys_check(what, &a->keys, err));
    a->keys.expire = a->expiration.len > 0;
    if (!a->keys.expire) return LATCH_OK;
    if (!latch_keys_time(a->expiration, &a->keys.expire_at_ms))
        return latch_err_set(err, LATCH_E_MISUSE, "%s: its \"Expiration\" is no time as 2026-11-21T09:30:00Z", what);
    if (a->keys.expire_at_ms > now_ms) return LATCH_OK;
    return latch_err_set(err, LATCH_E_DENIED, "%s: the keys that it gives expired %lld s ago; is this machine's clock right?", what,
                         (long long)((now_ms - a->keys.expire_at_ms) / LATCH_SECOND_MS));
}

latch_status latch_keys_parse(latch_arena *arena, const char *what, latch_keys_form form, latch_str text, int64_t now_ms,
                              latch_given_keys *out, latch_err *err) {
    answer a = {0};
    *out = (latch_given_keys){0};
    latch_status status = read_answer(arena, form, text, &a);
    if (status == LATCH_E_NOMEM) return latch_err_set(err, status, "%s: no memory for its answer of %zu bytes", what, text.len);
    if (status != LATCH_OK) return latch_err_set(err, LATCH_E_MISUSE, "%s: its answer is no JSON object of keys", what);
    LATCH_TRY(check_answer(what, form, now_ms, &a, err));
    *out = a.keys;
    return LATCH_OK;
}

#include "store/dynamodb/dynamodb.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/text.h"
#include "store/dynamodb/connection.h"
#include "store/dynamodb/crc32.h"
#include "store/dynamodb/credentials.h"
#include "store/dynamodb/sigv4.h"
#include "store/dynamodb/skew.h"

#define TARGET "DynamoDB_20120810."
#define CONTENT_TYPE "application/x-amz-json-1.0"
#define HEAD_BYTES ((size_t)1024) /* of a request's head, beside what is counted in room_for */
#define OPERATION_MAX_BYTES ((size_t)64)
#define ANSWER_HEAD_BYTES ((size_t)16384)
#define ANSWER_BODY_BYTES ((size_t)1 << 26) /* DynamoDB's largest answers have 16 MB of items; as JSON they are longer */
#define WARM_BYTES ((size_t)24576)
#define RETRY_AFTER_MAX_MS LATCH_DAY_MS

struct latch_dynamodb {
    latch_dynamodb_options options;
    latch_clock signing; /* the corrected clock, where there is one */
    latch_connection *connection;
    latch_sigv4 signer;
    char *head; /* of a request; wiped when it is freed: the session token is in it */
    size_t head_cap;
    uint64_t generation; /* of the keys that it was signed with */
};

/* ── open, close ─────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_dynamodb_open(latch_dynamodb **out, const latch_dynamodb_options *options, latch_err *err) {
    latch_dynamodb *d = malloc(sizeof *d);
    *out = NULL;
    if (d == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: no memory for a client");
    *d = (latch_dynamodb){.options = *options, .signing = options->clock};
    if (options->skew != NULL) d->signing = latch_skew_clock(options->skew);
    latch_status status = latch_sigv4_init(&d->signer, options->settings->region, "dynamodb", err);
    if (status == LATCH_OK) status = latch_connection_open(&d->connection, options->settings, options->clock, err);
    if (status != LATCH_OK) {
        latch_dynamodb_close(d);
        return status;
    }
    if (options->skew != NULL) latch_connection_count_by(d->connection, options->skew->local);
    *out = d;
    return LATCH_OK;
}

static void drop_head(latch_dynamodb *d) {
    if (d->head != NULL) OPENSSL_cleanse(d->head, d->head_cap);
    free(d->head);
    d->head = NULL;
    d->head_cap = 0;
}

void latch_dynamodb_close(latch_dynamodb *d) {
    if (d == NULL) return;
    latch_connection_close(d->connection);
    latch_sigv4_clean_up(&d->signer);
    drop_head(d);
    free(d);
}

latch_dynamodb_stats latch_dynamodb_measure(const latch_dynamodb *d) {
    latch_connection_stats stats = latch_connection_measure(d->connection);
    return (latch_dynamodb_stats){.connections = stats.connections, .requests = stats.requests};
}

latch_contact latch_dynamodb_contact(const latch_dynamodb *d) { return latch_connection_contact(d->connection); }

/* ── a request's head ────────────────────────────────────────────────────────────────────────────────────────────── */

/* All that has no fixed length stands in it once, but for the region, which is short. */
static latch_status room_for(latch_dynamodb *d, const latch_keys *keys, latch_err *err) {
    size_t want = HEAD_BYTES + strlen(d->options.settings->host) + keys->access_key_id.len + keys->session_token.len;
    if (want <= d->head_cap) return LATCH_OK;
    drop_head(d);
    d->head = malloc(want);
    if (d->head == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: no memory for a request's headers");
    d->head_cap = want;
    return LATCH_OK;
}

static void put_header(latch_text_writer *t, const char *name, latch_str value) {
    latch_text_put(t, latch_str_of(name));
    latch_text_put(t, LATCH_STR(": "));
    latch_text_put(t, value);
    latch_text_put(t, LATCH_STR("\r\n"));
}

static latch_status put_head(latch_dynamodb *d, const latch_keys *keys, latch_str body, latch_str target, latch_str *out, latch_err *err) {
    char stamp[LATCH_SIGV4_STAMP_BYTES];
    latch_text_writer t = {.at = d->head, .cap = d->head_cap};
    latch_sigv4_stamp(latch_clock_wall_ms(&d->signing), stamp);
    const latch_sigv4_header headers[] = {{"Content-Type", LATCH_STR(CONTENT_TYPE)},
                                          {"Host", latch_str_of(d->options.settings->host)},
                                          {"X-Amz-Date", latch_str_of(stamp)},
                                          {"X-Amz-Security-Token", keys->session_token},
                                          {"X-Amz-Target", target}};
    latch_sigv4_header sent[sizeof headers / sizeof headers[0]];
    size_t count = 0;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (headers[i].value.len > 0) sent[count++] = headers[i];
    }
    const latch_sigv4_request request = {.method = "POST", .path = "/", .query = "", .headers = sent, .header_count = count, .body = body};
    latch_text_put(&t, LATCH_STR("POST / HTTP/1.1\r\n"));
    for (size_t i = 0; i < count; i++)
        put_header(&t, sent[i].name, sent[i].value);
    latch_text_put(&t, LATCH_STR("User-Agent: latch/" LATCH_VERSION "\r\nAuthorization: "));
    LATCH_TRY(latch_sigv4_put(&d->signer, keys, stamp, &request, &t, err));
    latch_text_put(&t, LATCH_STR("\r\nContent-Length: "));
    latch_text_uint(&t, body.len);
    latch_text_put(&t, LATCH_STR("\r\n\r\n"));
    *out = latch_text_end(&t);
    return out->ptr != NULL ? LATCH_OK : latch_err_set(err, LATCH_E_MISUSE, "a request's headers have over %zu bytes", d->head_cap);
}

static latch_status sign(latch_dynamodb *d, const latch_send *send, latch_str *head, latch_err *err) {
    char target[sizeof TARGET + OPERATION_MAX_BYTES] = TARGET;
    size_t len = strlen(send->operation);
    latch_keys keys;
    if (!latch_is_token(send->operation) || len > OPERATION_MAX_BYTES)
        return latch_err_set(err, LATCH_E_MISUSE, "\"%.64s\" is no operation's name", send->operation);
    memcpy(target + sizeof TARGET - 1, send->operation, len + 1);
    LATCH_TRY(latch_credentials_get(d->options.credentials, send->deadline_at_ms, &keys, err));
    d->generation = keys.generation;
    latch_status status = room_for(d, &keys, err);
    if (status == LATCH_OK) status = put_head(d, &keys, send->request, latch_str_of(target), head, err);
    latch_credentials_release(d->options.credentials, &keys);
    return status;
}

/* ── what an answer says beside its body ─────────────────────────────────────────────────────────────────────────── */

/* Digits only; false where it is none, or is over `max`. */
static bool read_number(latch_str s, uint64_t max, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';
        if (digit > 9) return false;
        *out = *out * 10 + digit;
        if (*out > max) return false;
    }
    return s.len > 0;
}

/* x-amz-retry-after has milliseconds, Retry-After seconds (or a date, which says nothing here). */
static int64_t retry_after_ms(const latch_wire *answer) {
    uint64_t n;
    if (read_number(latch_wire_header(answer, "x-amz-retry-after"), (uint64_t)RETRY_AFTER_MAX_MS, &n)) return (int64_t)n;
    if (read_number(latch_wire_header(answer, "Retry-After"), (uint64_t)(RETRY_AFTER_MAX_MS / 1000), &n)) return (int64_t)n * 1000;
    return 0;
}

static bool read_digits(latch_str s, size_t at, size_t len, int64_t *out) {
    uint64_t n = 0;
    bool ok = read_number((latch_str){s.ptr + at, len}, 9999, &n);
    *out = (int64_t)n;
    return ok;
}

/* "Sat, 21 Nov 2026 09:30:00 GMT": RFC 9110, 5.6.7, in the one form that may be sent. -1: it is another. */
static int64_t read_date(latch_str s) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day, year, hour, minute, second, month = 0;
    if (s.len != 29 || memcmp(s.ptr + 25, " GMT", 4) != 0 || s.ptr[19] != ':' || s.ptr[22] != ':') return -1;
    while (month < 12 && memcmp(months + 3 * month, s.ptr + 8, 3) != 0)
        month++;
    if (month == 12 || !read_digits(s, 5, 2, &day) || !read_digits(s, 12, 4, &year) || !read_digits(s, 17, 2, &hour) ||
        !read_digits(s, 20, 2, &minute) || !read_digits(s, 23, 2, &second))
        return -1;
    if (year < 1970 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return -1;
    return latch_clock_days(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* By how much the transport's own clock has moved. */
static int64_t learn(latch_dynamodb *d, const latch_wire *answer, int64_t took_ms) {
    latch_skew *skew = d->options.skew;
    int64_t date_s = skew != NULL ? read_date(latch_wire_header(answer, "Date")) : -1;
    if (date_s < 0) return 0;
    int64_t received_us = skew->local.wall_us(skew->local.self);
    int64_t moved_ms = latch_skew_observe(skew, received_us - took_ms * 1000, received_us, date_s);
    return d->options.clock.self == skew ? moved_ms : 0;
}

static latch_status check_crc(const latch_wire *answer, latch_str body, latch_err *err) {
    uint64_t want;
    latch_str text = latch_wire_header(answer, "x-amz-crc32");
    if (text.len == 0) return LATCH_OK;
    uint32_t have = latch_crc32(body);
    if (read_number(text, UINT32_MAX, &want) && want == have) return LATCH_OK;
    return latch_err_set(err, LATCH_E_NETWORK, "the answer was damaged on its way: its checksum is %u, x-amz-crc32 says %.*s", have,
                         LATCH_ARG(latch_str_cut(text, 20)));
}

static latch_status lost(latch_err *err, latch_status status) {
    if (err != NULL) err->maybe_applied = true;
    return status;
}

static latch_status understand(latch_dynamodb *d, const latch_wire *answer, int64_t took_ms, latch_reply *out, latch_err *err) {
    latch_str body = latch_wire_body(answer);
    if (answer->too_large)
        return lost(err, latch_err_set(err, LATCH_E_NOMEM, "the answer has %llu bytes, which don't fit into the arena",
                                       (unsigned long long)answer->body_bytes));
    if (check_crc(answer, body, err) != LATCH_OK) {
        latch_connection_hang_up(d->connection);
        return lost(err, LATCH_E_NETWORK);
    }
    *out = (latch_reply){.http_status = answer->status,
                         .body = body,
                         .request_id = latch_wire_header(answer, "x-amzn-RequestId"),
                         .retry_after_ms = retry_after_ms(answer),
                         .moved_ms = learn(d, answer, took_ms)}; /* only here: whoever isn't told can't move its deadline with the clock */
    return LATCH_OK;
}

/* ── the transport ───────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status send_once(latch_dynamodb *d, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    latch_exchange x = {.body = send->request,
                        .deadline_at_ms = send->deadline_at_ms,
                        .idle_deadline_at_ms = send->idle_deadline_at_ms,
                        .idle_ms = LATCH_DYNAMODB_IDLE_MS,
                        .limits = {ANSWER_HEAD_BYTES, ANSWER_BODY_BYTES}};
    latch_wire answer;
    int64_t took_ms;
    LATCH_TRY(sign(d, send, &x.head, err));
    LATCH_TRY(latch_connection_exchange(d->connection, &x, arena, &answer, &took_ms, err));
    return understand(d, &answer, took_ms, out, err);
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    size_t mark = latch_arena_mark(arena);
    *out = (latch_reply){0};
    latch_status status = send_once(self, send, arena, out, err);
    if (status == LATCH_OK) return status;
    latch_arena_rewind(arena, mark);
    if (err == NULL) return status;
    bool maybe_applied = err->maybe_applied;
    (void)latch_err_set(err, status, "%.64s: %s", send->operation, err->message);
    err->maybe_applied = maybe_applied;
    return status;
}

static latch_status more(void *self, latch_transport *out, latch_err *err) {
    const latch_dynamodb *d = self;
    latch_dynamodb *another;
    *out = (latch_transport){0};
    LATCH_TRY(latch_dynamodb_open(&another, &d->options, err));
    *out = latch_dynamodb_transport(another);
    return LATCH_OK;
}

static void close_one(void *self) { latch_dynamodb_close(self); }

static void keys_refused(void *self) {
    const latch_dynamodb *d = self;
    latch_credentials_refused(d->options.credentials, d->generation);
}

latch_transport latch_dynamodb_transport(latch_dynamodb *d) {
    return (latch_transport){.call = call, .self = d, .more = more, .close = close_one, .keys_refused = keys_refused};
}

latch_status latch_dynamodb_warm(latch_dynamodb *d, int64_t deadline_at_ms, latch_err *err) {
    _Alignas(16) char memory[WARM_BYTES];
    char head[512];
    latch_arena arena;
    latch_wire answer;
    int64_t took_ms;
    latch_text_writer t = {.at = head, .cap = sizeof head};
    latch_text_put(&t, LATCH_STR("GET / HTTP/1.1\r\n"));
    put_header(&t, "Host", latch_str_of(d->options.settings->host));
    latch_text_put(&t, LATCH_STR("User-Agent: latch/" LATCH_VERSION "\r\n\r\n"));
    latch_exchange x = {.head = latch_text_end(&t),
                        .deadline_at_ms = deadline_at_ms,
                        .idle_ms = LATCH_DYNAMODB_IDLE_MS,
                        .limits = {ANSWER_HEAD_BYTES, ANSWER_BODY_BYTES}};
    if (x.head.ptr == NULL) return latch_err_set(err, LATCH_E_MISUSE, "the endpoint's host has over %zu bytes", sizeof head);
    latch_arena_init(&arena, memory, sizeof memory);
    latch_status status = latch_connection_exchange(d->connection, &x, &arena, &answer, &took_ms, err);
    if (status == LATCH_OK) (void)learn(d, &answer, took_ms);
    latch_arena_clean_up(&arena);
    if (err != NULL) err->maybe_applied = false; /* there was nothing to apply */
    return status;
}

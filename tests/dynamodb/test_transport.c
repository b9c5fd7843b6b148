#include <pthread.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/text.h"
#include "store/client.h"
#include "store/dynamodb/crc32.h"
#include "store/dynamodb/credentials.h"
#include "store/dynamodb/dynamodb.h"
#include "store/dynamodb/sigv4.h"
#include "store/dynamodb/skew.h"
#include "store/table.h"
#include "tests/dynamodb/desk.h"

#define ROW(name) cmocka_unit_test_teardown(name, tear_down)

/* ── keys: this file's own source stands in for credentials.c ────────────────────────────────────────────────────── */

static struct source {
    latch_keys keys;
    latch_status status;
    int given, released, refused;
    uint64_t refused_generation;
} source;

latch_status latch_credentials_get(latch_credentials *c, int64_t deadline_at_ms, latch_keys *out, latch_err *err) {
    (void)c, (void)deadline_at_ms;
    *out = (latch_keys){0};
    if (source.status != LATCH_OK) return latch_err_set(err, source.status, "no keys today");
    *out = source.keys;
    __atomic_add_fetch(&source.given, 1, __ATOMIC_RELAXED);
    return LATCH_OK;
}

void latch_credentials_release(latch_credentials *c, latch_keys *keys) {
    (void)c;
    *keys = (latch_keys){0};
    __atomic_add_fetch(&source.released, 1, __ATOMIC_RELAXED);
}

void latch_credentials_refused(latch_credentials *c, uint64_t generation) {
    (void)c;
    source.refused++;
    source.refused_generation = generation;
}

/* ── the desk ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static desk d;
static latch_dynamodb *db;
static latch_skew skew;
static latch_reply reply;

static int tear_down(void **state) {
    (void)state;
    latch_dynamodb_close(db);
    db = NULL;
    desk_clear(&d);
    return 0;
}

static void open_with(latch_clock clock, latch_skew *corrected) {
    const latch_dynamodb_options options = {.settings = &d.settings, .clock = clock, .skew = corrected};
    if (latch_dynamodb_open(&db, &options, &d.err) != LATCH_OK) fail_msg("%s", d.err.message);
}

static void begin_with(const scripted_answer *answers, size_t count) {
    tear_down(NULL);
    source =
        (struct source){.keys = {.access_key_id = LATCH_STR("AKIDEXAMPLE"), .secret_access_key = LATCH_STR("secret"), .generation = 1}};
    desk_lay(&d, &(scripted_options){.answers = answers, .count = count});
    open_with(desk_clock(&d), NULL);
}

#define begin(...)                                                                                                                         \
    do {                                                                                                                                   \
        static const scripted_answer answers_[] = {__VA_ARGS__};                                                                           \
        begin_with(answers_, COUNT_OF(answers_));                                                                                          \
    } while (0)

static latch_status send_this(latch_send send) {
    latch_transport transport = latch_dynamodb_transport(db);
    d.err = (latch_err){0};
    latch_arena_rewind(&d.arena, 0);
    if (send.operation == NULL) send.operation = "PutItem";
    if (send.request.ptr == NULL) send.request = LATCH_STR("{\"TableName\":\"t\"}");
    if (send.deadline_at_ms == 0) send.deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS);
    memset(&reply, 0xAA, sizeof reply);
    return transport.call(transport.self, &send, &d.arena, &reply, &d.err);
}

static latch_status call(void) { return send_this((latch_send){0}); }

static void assert_ok(latch_status status) {
    if (status != LATCH_OK) fail_msg("%s", d.err.message);
}

static bool is_text(latch_str s, const char *want) { return latch_str_eq(s, latch_str_of(want)); }

/* An answer with these header lines, CR LF each, and this body. */
static const char *compose(char *to, size_t cap, int status, const char *headers, const char *body) {
    int len = snprintf(to, cap, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
    assert_true(len > 0 && (size_t)len < cap);
    return to;
}

/* ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_str header_of(const char *request, const char *name) {
    for (const char *at = strstr(request, "\r\n"); at != NULL && strncmp(at, "\r\n\r\n", 4) != 0; at = strstr(at + 2, "\r\n")) {
        size_t len = strlen(name);
        if (strncasecmp(at + 2, name, len) != 0 || at[2 + len] != ':') continue;
        const char *value = at + 2 + len + 2;
        return (latch_str){value, strcspn(value, "\r")};
    }
    return (latch_str){NULL, 0};
}

/* Signed over again from what the server saw, by a signer of its own. */
static void assert_signed(const char *request) {
    static const char *const names[] = {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"};
    latch_sigv4_header headers[COUNT_OF(names)];
    latch_sigv4 signer;
    char stamp[LATCH_SIGV4_STAMP_BYTES] = "", want[4096];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        latch_str value = header_of(request, names[i]);
        if (value.ptr != NULL) headers[count++] = (latch_sigv4_header){names[i], value};
    }
    latch_str date = header_of(request, "x-amz-date");
    assert_int_equal(date.len, 16);
    memcpy(stamp, date.ptr, 16);
    const latch_sigv4_request r = {.method = "POST",
                                   .path = "/",
                                   .query = "",
                                   .headers = headers,
                                   .header_count = count,
                                   .body = latch_str_of(strstr(request, "\r\n\r\n") + 4)};
    latch_text_writer t = {.at = want, .cap = sizeof want};
    assert_int_equal(latch_sigv4_init(&signer, "eu-west-1", "dynamodb", NULL), LATCH_OK);
    assert_int_equal(latch_sigv4_put(&signer, &source.keys, stamp, &r, &t, NULL), LATCH_OK);
    latch_sigv4_clean_up(&signer);
    assert_true(latch_str_eq(header_of(request, "authorization"), latch_text_end(&t)));
}

static void a_request_is_what_dynamodb_wants(void **state) {
    char seen[4096];
    (void)state;
    for (int token = 0; token < 2; token++) {
        begin({.bytes = OK_EMPTY});
        if (token == 1) source.keys.session_token = LATCH_STR("IQoJb3JpZ2luX2VjEXAMPLE//==");
        assert_ok(send_this((latch_send){.operation = "UpdateItem", .request = LATCH_STR("{\"TableName\":\"tëst 漢\"}")}));
        scripted_last(d.server, seen, sizeof seen);
        assert_memory_equal(seen, "POST / HTTP/1.1\r\n", 17);
        assert_true(is_text(header_of(seen, "Host"), d.host));
        assert_true(is_text(header_of(seen, "Content-Type"), "application/x-amz-json-1.0"));
        assert_true(is_text(header_of(seen, "X-Amz-Target"), "DynamoDB_20120810.UpdateItem"));
        assert_true(is_text(header_of(seen, "Content-Length"), "25"));
        assert_string_equal(strstr(seen, "\r\n\r\n") + 4, "{\"TableName\":\"tëst 漢\"}");
        assert_true(latch_str_eq(header_of(seen, "X-Amz-Security-Token"), source.keys.session_token));
        assert_int_equal(strstr(seen, "x-amz-security-token;") != NULL, token == 1);
        assert_signed(seen);
        assert_int_equal(source.given, 1);
        assert_int_equal(source.released, 1);
    }
}

/* Each a longer head than the one before: the buffer that they are put into grows. */
static void new_keys_sign_the_next_request(void **state) {
    static char token[3000], seen[8192];
    (void)state;
    begin({.bytes = OK_EMPTY});
    memset(token, 't', sizeof token);
    for (uint64_t i = 1; i <= 6; i++) {
        source.keys.generation = i;
        source.keys.session_token = (latch_str){token, (size_t)i * 500};
        source.keys.secret_access_key = i % 2 == 0 ? LATCH_STR("even") : LATCH_STR("odd");
        assert_ok(call());
        scripted_last(d.server, seen, sizeof seen);
        assert_true(latch_str_eq(header_of(seen, "X-Amz-Security-Token"), source.keys.session_token));
        assert_signed(seen);
    }
    assert_int_equal(scripted_accepts(d.server), 1);
}

static void nothing_is_sent_without_keys_or_a_name(void **state) {
    static const latch_status statuses[] = {LATCH_E_DENIED, LATCH_E_TIMEOUT, LATCH_E_NETWORK};
    static const char *const names[] = {"", "Put Item", "PutItem\r\nX-Evil: 1",
                                        "AnOperationWhoseNameIsLongerThanAnyThatDynamoDBHasOrWillEverHaveOne"};
    (void)state;
    begin({.bytes = OK_EMPTY});
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        source.status = statuses[i];
        assert_int_equal(call(), statuses[i]);
        assert_error(&d, statuses[i], "PutItem: no keys today", false);
        assert_int_equal(reply.http_status, 0);
    }
    source.status = LATCH_OK;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(send_this((latch_send){.operation = names[i]}), LATCH_E_MISUSE);
        assert_error(&d, LATCH_E_MISUSE, "no operation's name", false);
    }
    source.keys.session_token = LATCH_STR("a\r\nb");
    assert_int_equal(call(), LATCH_E_DENIED);
    assert_error(&d, LATCH_E_DENIED, "control byte", false);
    assert_int_equal(source.given, source.released);
    assert_int_equal(scripted_accepts(d.server), 0);
}

/* ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void an_answer_is_told_as_it_came(void **state) {
    static const struct {
        int status;
        const char *headers, *body, *request_id;
        int64_t retry_after_ms;
    } rows[] = {
        {200, "x-amzn-RequestId: ABC123\r\nX-Amz-Crc32: 2745614147\r\n", "{}", "ABC123", 0},
        {400, "X-AMZN-REQUESTID: r\r\nx-amz-retry-after: 250\r\n", "{\"__type\":\"a#ThrottlingException\"}", "r", 250},
        {503, "Retry-After: 3\r\n", "<html>busy</html>", "", 3000},
        {503, "Retry-After: Sat, 21 Nov 2026 09:30:00 GMT\r\n", "", "", 0},
        {400, "x-amz-retry-after: 40\r\nRetry-After: 3\r\n", "{}", "", 40},
        {400, "x-amz-retry-after: -1\r\n", "{}", "", 0},
        {400, "x-amz-retry-after: 1.5\r\n", "{}", "", 0},
        {400, "x-amz-retry-after: 99999999999999999999\r\n", "{}", "", 0},
    };
    char bytes[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const scripted_answer answer = {.bytes = compose(bytes, sizeof bytes, rows[i].status, rows[i].headers, rows[i].body)};
        begin_with(&answer, 1);
        assert_ok(call());
        assert_int_equal(reply.http_status, rows[i].status);
        assert_true(is_text(reply.body, rows[i].body));
        assert_true(is_text(reply.request_id, rows[i].request_id));
        assert_int_equal(reply.retry_after_ms, rows[i].retry_after_ms);
        assert_int_equal(reply.moved_ms, 0);
    }
}

static void a_damaged_answer_is_none(void **state) {
    static const char *const sums[] = {"2745614146", "0", "", "x", "99999999999", "2745614147 "};
    char headers[128], bytes[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        bool good = sums[i][0] == '\0' || sums[i][strlen(sums[i]) - 1] == ' '; /* spaces around a value don't count */
        snprintf(headers, sizeof headers, "x-amz-crc32: %s\r\n", sums[i]);
        const scripted_answer answers[] = {{.bytes = compose(bytes, sizeof bytes, 200, headers, "{}")}, {.bytes = OK_EMPTY}};
        begin_with(answers, 2);
        assert_int_equal(call(), good ? LATCH_OK : LATCH_E_NETWORK);
        if (!good) assert_error(&d, LATCH_E_NETWORK, "PutItem: the answer was damaged", true);
        assert_ok(call());
        assert_int_equal(scripted_accepts(d.server), good ? 1 : 2); /* who damages one may damage the next */
    }
}

/* Whatever bit of the body is turned, it is seen. */
static void each_turned_bit_is_seen(void **state) {
    static const char body[] = "{\"Attributes\":{\"n\":{\"N\":\"17\"}}}";
    static char bytes[sizeof body * 3][512];
    static scripted_answer answers[COUNT_OF(bytes)];
    char headers[64];
    (void)state;
    snprintf(headers, sizeof headers, "x-amz-crc32: %u\r\n", latch_crc32(latch_str_of(body)));
    for (size_t i = 0; i < COUNT_OF(bytes); i++) {
        compose(bytes[i], sizeof bytes[i], 200, headers, body);
        size_t at = strlen(bytes[i]) - strlen(body) + i / 3;
        bytes[i][at] = (char)(bytes[i][at] ^ 1 << i % 3);
        answers[i].bytes = bytes[i];
    }
    begin_with(answers, COUNT_OF(answers) - 3);
    for (size_t i = 0; i < COUNT_OF(answers) - 3; i++) {
        assert_int_equal(call(), LATCH_E_NETWORK);
        assert_true(d.err.maybe_applied);
    }
}

/* As everything above the seam calls it, which understands what an answer says. */
static latch_status call_through_client(void) {
    latch_client client;
    latch_client_init(&client, latch_dynamodb_transport(db), NULL);
    const latch_table table = {.name = "t", .client = &client};
    latch_ctx cx = {.arena = &d.arena, .clock = desk_clock(&d), .deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS), .table = &table};
    const latch_call call = {.operation = "PutItem", .request = LATCH_STR("{\"TableName\":\"t\"}")};
    latch_answer answer;
    latch_status status = latch_client_call(&cx, &call, &answer);
    latch_client_clean_up(&client);
    return status;
}

static void keys_that_are_refused_are_reported(void **state) {
    static const struct {
        int status;
        const char *body;
        bool refused;
    } rows[] = {
        {400, "{\"__type\":\"com.amazon.coral.service#ExpiredTokenException\",\"message\":\"x\"}", true},
        {400, "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\"}", true},
        {403, "{ \"__type\" : \"InvalidClientTokenId\"}", true},
        {400,
         "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\",\"Item\":{\"a\":{\"S\":\"#"
         "ExpiredTokenException\"}}}",
         false},
        {400, "{\"__type\":\"com.amazon.coral.service#InvalidSignatureException\"}", false},
        {200, "{\"__type\":\"x#ExpiredTokenException\"}", false},
        {400, "{\"__type\":\"x#ExpiredTokenException", false},
        {400, "{\"__type\"", false},
        {400, "", false},
        {403, "<html>#ExpiredTokenException\"</html>", false},
    };
    char bytes[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const scripted_answer answers[] = {{.bytes = compose(bytes, sizeof bytes, rows[i].status, "", rows[i].body)}, {.bytes = OK_EMPTY}};
        begin_with(answers, COUNT_OF(answers));
        source.keys.generation = 41;
        latch_status status = call_through_client();
        assert_int_equal(status == LATCH_OK, rows[i].refused || rows[i].status == 200); /* with whatever keys the source has then */
        assert_int_equal(source.refused, rows[i].refused);
        assert_int_equal(source.refused_generation, rows[i].refused ? 41 : 0);
    }
}

/* ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *dated(char *to, size_t cap, int64_t at_s) {
    char date[64], headers[128];
    time_t at = (time_t)at_s;
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    return compose(to, cap, 200, headers, "{}");
}

static int64_t stamp_s(const char *request) {
    struct tm utc = {0};
    char stamp[17] = "";
    memcpy(stamp, header_of(request, "X-Amz-Date").ptr, 16);
    assert_non_null(strptime(stamp, "%Y%m%dT%H%M%SZ", &utc));
    return (int64_t)timegm(&utc);
}

static void the_next_request_is_signed_by_dynamodb_s_clock(void **state) {
    static const int64_t offsets_s[] = {3600, -3600, INT64_C(86400) * 400, 60, -1000000};
    char bytes[512], seen[4096];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(offsets_s); i++) {
        int64_t service_s = desk_wall_us(&d) / 1000000 + offsets_s[i];
        const scripted_answer answer = {.bytes = dated(bytes, sizeof bytes, service_s)};
        begin_with(&answer, 1);
        latch_dynamodb_close(db);
        latch_skew_init(&skew, desk_clock(&d));
        open_with(latch_skew_clock(&skew), &skew);
        assert_ok(send_this((latch_send){.deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS)}));
        assert_in_range(reply.moved_ms - (offsets_s[i] - 20) * 1000, 0, 22000);
        scripted_last(d.server, seen, sizeof seen);
        assert_in_range(stamp_s(seen) - (service_s - offsets_s[i]) + 20, 0, 40); /* the first one by the local clock */
        assert_ok(send_this((latch_send){.deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS) + offsets_s[i] * 1000}));
        scripted_last(d.server, seen, sizeof seen);
        assert_in_range(stamp_s(seen) - service_s + 20, 0, 40);
        assert_signed(seen);
        assert_int_equal(scripted_accepts(d.server), 1); /* the clock was set, but nothing was idle */
    }
}

/* A test's clock, and every other that isn't the process's own. */
static void a_date_moves_no_clock_but_skew_s(void **state) {
    char bytes[512], seen[4096];
    (void)state;
    int64_t now_s = desk_wall_us(&d) / 1000000;
    const scripted_answer answer = {.bytes = dated(bytes, sizeof bytes, now_s + 5000)};
    begin_with(&answer, 1);
    for (int i = 0; i < 2; i++) {
        assert_ok(call());
        assert_int_equal(reply.moved_ms, 0);
    }
    scripted_last(d.server, seen, sizeof seen);
    assert_in_range(stamp_s(seen) - now_s + 1, 0, 60);
}

/* An error can't tell that the clock moved: the caller's deadline would be another moment from then on. */
static void an_answer_that_is_none_moves_no_clock(void **state) {
    static char bytes[DESK_ARENA_BYTES + 512];
    static const char *const kinds[] = {"x-amz-crc32: 1\r\nContent-Length: 2\r\n\r\n{}", "Content-Length: 1048577\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int len = snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2099 09:30:00 GMT\r\n%s", kinds[i]);
        if (i == 1) memset(bytes + len, 'x', DESK_ARENA_BYTES + 1);
        bytes[(size_t)len + (i == 1 ? DESK_ARENA_BYTES + 1 : 0)] = '\0';
        const scripted_answer answers[] = {{.bytes = bytes}, {.bytes = OK_EMPTY}};
        begin_with(answers, 2);
        latch_dynamodb_close(db);
        latch_skew_init(&skew, desk_clock(&d));
        open_with(latch_skew_clock(&skew), &skew);
        const latch_send same = {.deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS)};
        assert_int_equal(send_this(same), i == 0 ? LATCH_E_NETWORK : LATCH_E_NOMEM);
        assert_true(d.err.maybe_applied);
        assert_ok(send_this(same));
        assert_int_equal(skew.offset_us, 0);
    }
}

static void dates_in_other_forms_say_nothing(void **state) {
    static const char *const dates[] = {"Saturday, 21-Nov-26 09:30:00 GMT", "Sat Nov 21 09:30:00 2026",
                                        "Sat, 21 Nov 1926 09:30:00 GMT",    "Sat, 21 Nix 2026 09:30:00 GMT",
                                        "Sat, 21 Nov 2026 25:30:00 GMT",    "Sat, 21 Nov 2026 09:30:00 CET",
                                        "Sat, xx Nov 2026 09:30:00 GMT",    "",
                                        "Sat, 00 Nov 2026 09:30:00 GMT"};
    char bytes[512], headers[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        snprintf(headers, sizeof headers, "Date: %s\r\n", dates[i]);
        const scripted_answer answer = {.bytes = compose(bytes, sizeof bytes, 200, headers, "{}")};
        begin_with(&answer, 1);
        latch_dynamodb_close(db);
        d.wall_shift_us = INT64_C(-86400000000) * 365 * 10;
        latch_skew_init(&skew, desk_clock(&d));
        open_with(latch_skew_clock(&skew), &skew);
        assert_ok(call());
        assert_int_equal(reply.moved_ms, 0);
        assert_int_equal(skew.offset_us, 0);
    }
}

/* ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_thousand_failed_conditions_are_one_connection(void **state) {
    (void)state;
    begin({.bytes = FAILED_CONDITION});
    for (int i = 0; i < 1000; i++) {
        assert_ok(call());
        assert_int_equal(reply.http_status, 400);
    }
    assert_int_equal(scripted_accepts(d.server), 1);
    assert_int_equal(latch_dynamodb_measure(db).connections, 1);
    assert_int_equal(latch_dynamodb_measure(db).requests, 1000);
}

static void an_idle_connection_is_used_as_the_caller_says(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_ok(call());
    d.boot_shift_us += (LATCH_DYNAMODB_IDLE_MS + 1) * 1000;
    assert_ok(send_this((latch_send){.idle_deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS)}));
    assert_int_equal(scripted_accepts(d.server), 1);
    d.boot_shift_us += (LATCH_DYNAMODB_IDLE_MS + 1) * 1000;
    assert_ok(call());
    assert_int_equal(scripted_accepts(d.server), 2);
}

static void warming_opens_what_the_first_call_uses(void **state) {
    char seen[512], bytes[512];
    (void)state;
    begin({.bytes = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nwhat?"}, {.bytes = OK_EMPTY});
    assert_int_equal(latch_dynamodb_warm(db, desk_in_ms(&d, DESK_PATIENCE_MS), &d.err), LATCH_OK);
    scripted_last(d.server, seen, sizeof seen);
    assert_memory_equal(seen, "GET / HTTP/1.1\r\nHost: 127.0.0.1:", 32);
    assert_null(strstr(seen, "Authorization"));
    assert_int_equal(source.given, 0);
    assert_ok(call());
    assert_int_equal(scripted_accepts(d.server), 1);
    const scripted_answer answer = {.bytes = dated(bytes, sizeof bytes, desk_wall_us(&d) / 1000000 + 7200)};
    begin_with(&answer, 1);
    latch_dynamodb_close(db);
    latch_skew_init(&skew, desk_clock(&d));
    open_with(latch_skew_clock(&skew), &skew);
    assert_int_equal(latch_dynamodb_warm(db, desk_in_ms(&d, DESK_PATIENCE_MS), &d.err), LATCH_OK);
    assert_in_range(skew.offset_us / 1000000, 7150, 7201);
}

static void warming_that_fails_costs_nothing(void **state) {
    (void)state;
    begin({.end = SCRIPTED_CLOSE}, {.bytes = OK_EMPTY});
    assert_int_equal(latch_dynamodb_warm(db, desk_in_ms(&d, DESK_PATIENCE_MS), &d.err), LATCH_E_NETWORK);
    assert_error(&d, LATCH_E_NETWORK, "closed without an answer", false);
    assert_int_equal(latch_dynamodb_warm(db, desk_in_ms(&d, -5), NULL), LATCH_E_TIMEOUT);
    assert_ok(call());
}

static void more_has_a_connection_of_its_own(void **state) {
    latch_transport first, second;
    latch_reply other;
    const latch_send send = {.operation = "GetItem", .request = LATCH_STR("{}"), .deadline_at_ms = INT64_MAX};
    (void)state;
    begin({.bytes = OK_EMPTY});
    first = latch_dynamodb_transport(db);
    assert_ok(call());
    assert_ok(first.more(first.self, &second, &d.err));
    assert_true(second.self != first.self);
    latch_status status = second.call(second.self, &send, &d.arena, &other, &d.err);
    second.close(second.self);
    assert_ok(status);
    assert_ok(call());
    assert_int_equal(scripted_accepts(d.server), 2);
    assert_int_equal(scripted_requests(d.server), 3);
    assert_int_equal(latch_dynamodb_measure(db).connections, 1);
}

typedef struct worker {
    latch_transport transport;
    int answers;
} worker;

static void *work(void *self) {
    worker *w = self;
    _Alignas(16) char memory[16384];
    latch_arena arena;
    latch_reply out;
    latch_send send = {.operation = "GetItem", .request = LATCH_STR("{}"), .deadline_at_ms = INT64_MAX};
    latch_arena_init(&arena, memory, sizeof memory);
    for (int i = 0; i < 100; i++) {
        latch_arena_rewind(&arena, 0);
        if (w->transport.call(w->transport.self, &send, &arena, &out, NULL) == LATCH_OK) w->answers += is_text(out.body, "{}");
    }
    latch_arena_clean_up(&arena);
    return NULL;
}

/* Keys and clock are one for all; the rest is each thread's own. */
static void threads_have_connections_of_their_own(void **state) {
    worker workers[4];
    pthread_t threads[COUNT_OF(workers)];
    char bytes[512];
    size_t opened = 0, answers = 0;
    (void)state;
    const scripted_answer answer = {.bytes = dated(bytes, sizeof bytes, desk_wall_us(&d) / 1000000 + 900)};
    begin_with(&answer, 1);
    latch_dynamodb_close(db);
    latch_skew_init(&skew, desk_clock(&d));
    open_with(latch_skew_clock(&skew), &skew);
    latch_transport first = latch_dynamodb_transport(db);
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        workers[i] = (worker){0};
        opened += first.more(first.self, &workers[i].transport, &d.err) == LATCH_OK;
    }
    assert_int_equal(opened, COUNT_OF(workers));
    for (size_t i = 0; i < COUNT_OF(workers); i++)
        opened -= pthread_create(&threads[i], NULL, work, &workers[i]) == 0;
    for (size_t i = 0; i < COUNT_OF(workers) - opened; i++) {
        pthread_join(threads[i], NULL);
        answers += (size_t)workers[i].answers;
        workers[i].transport.close(workers[i].transport.self);
    }
    assert_int_equal(answers, COUNT_OF(workers) * 100);
    assert_int_equal(scripted_accepts(d.server), COUNT_OF(workers));
    assert_int_equal(source.given, source.released);
    assert_in_range(skew.offset_us / 1000000, 840, 901);
}

/* ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void errors_name_the_operation_and_tell_the_truth(void **state) {
    static const struct {
        scripted_answer answer;
        latch_status status;
        const char *says;
    } rows[] = {{{.end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "PutItem: waiting for the answer of 127.0.0.1"},
                {{.bytes = OK_EMPTY, .cut = 30, .end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "PutItem: waiting"},
                {{.end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "PutItem: waiting for the answer"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_with(&rows[i].answer, 1);
        assert_int_equal(
            send_this((latch_send){.deadline_at_ms = desk_in_ms(&d, rows[i].status == LATCH_E_TIMEOUT ? 300 : DESK_PATIENCE_MS)}),
            rows[i].status);
        assert_error(&d, rows[i].status, rows[i].says, true);
        assert_int_equal(reply.http_status, 0);
        assert_int_equal(reply.body.len, 0);
        assert_int_equal(latch_arena_mark(&d.arena), 0);
    }
}

/* Whatever room there is: an answer, or a full arena that is told with the truth about the request. */
static void every_size_of_an_arena_is_told(void **state) {
    static char body[3000], bytes[4096];
    (void)state;
    memset(body, 'x', sizeof body - 1);
    const scripted_answer answer = {.bytes = compose(bytes, sizeof bytes, 200, "", body)};
    begin_with(&answer, 1);
    size_t answered = 0, untold = 0;
    for (size_t cap = 0; cap < 12000; cap += 509) {
        latch_transport transport = latch_dynamodb_transport(db);
        latch_send send = {.operation = "GetItem", .request = LATCH_STR("{}"), .deadline_at_ms = INT64_MAX};
        latch_arena small;
        void *memory = malloc(cap > 0 ? cap : 1);
        size_t before = scripted_requests(d.server);
        latch_arena_init(&small, memory, cap);
        d.err = (latch_err){0};
        latch_status status = transport.call(transport.self, &send, &small, &reply, &d.err);
        bool whole = status == LATCH_OK && reply.body.len == sizeof body - 1;
        size_t used = small.used;
        latch_arena_clean_up(&small);
        free(memory);
        assert_true(whole || status == LATCH_E_NOMEM);
        if (status != LATCH_OK) assert_int_equal(d.err.maybe_applied, scripted_requests(d.server) > before);
        if (status != LATCH_OK) assert_int_equal(used, 0);
        answered += whole;
        untold += status == LATCH_E_NOMEM;
    }
    assert_true(answered > 5 && untold > 5);
    assert_int_equal(scripted_accepts(d.server), 1); /* an answer that doesn't fit is read to its end */
}

static void opening_needs_an_endpoint_that_is_one(void **state) {
    latch_dynamodb *none;
    (void)state;
    desk_lay(&d, NULL);
    snprintf(d.url, sizeof d.url, "http://[");
    const latch_dynamodb_options options = {.settings = &d.settings, .clock = desk_clock(&d)};
    assert_int_equal(latch_dynamodb_open(&none, &options, &d.err), LATCH_E_MISUSE);
    assert_null(none);
    latch_dynamodb_close(NULL);
}

static const struct CMUnitTest tests[] = {
    ROW(a_request_is_what_dynamodb_wants),
    ROW(new_keys_sign_the_next_request),
    ROW(nothing_is_sent_without_keys_or_a_name),
    ROW(an_answer_is_told_as_it_came),
    ROW(a_damaged_answer_is_none),
    ROW(each_turned_bit_is_seen),
    ROW(keys_that_are_refused_are_reported),
    ROW(the_next_request_is_signed_by_dynamodb_s_clock),
    ROW(a_date_moves_no_clock_but_skew_s),
    ROW(an_answer_that_is_none_moves_no_clock),
    ROW(dates_in_other_forms_say_nothing),
    ROW(a_thousand_failed_conditions_are_one_connection),
    ROW(an_idle_connection_is_used_as_the_caller_says),
    ROW(warming_opens_what_the_first_call_uses),
    ROW(warming_that_fails_costs_nothing),
    ROW(more_has_a_connection_of_its_own),
    ROW(threads_have_connections_of_their_own),
    ROW(errors_name_the_operation_and_tell_the_truth),
    ROW(every_size_of_an_arena_is_told),
    ROW(opening_needs_an_endpoint_that_is_one),
};

CHECK_MAIN(tests)

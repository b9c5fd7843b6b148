#include "store/client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/log.h"
#include "core/span.h"
#include "core/usage.h"
#include "store/crew.h"
#include "store/errors.h"
#include "store/table.h"
#include "tests/check.h"
#include "tests/rig.h"

/* ── a client with a scripted transport, and a clock to move ────────────────────────────────────────────────────────────── */

#define SENDS_MAX 16

typedef struct step {
    latch_status status; /* not LATCH_OK: no answer */
    bool maybe_applied;
    int http_status; /* 0: 200 */
    const char *body;
    int64_t takes_ms; /* INT64_MAX: all that it was given */
    int64_t retry_after_ms, moved_ms;
} step;

typedef struct scene {
    latch_ctx cx;
    latch_table table;
    latch_client client;
    latch_arena arena;
    latch_usage usage;
    char memory[65536];
    int64_t wall_us, boot_us;
    int64_t slept_ms[SENDS_MAX], sleeps; /* before the next send */
    double dice;
    const step *steps; /* the last one goes on */
    size_t step_count, sends;
    struct {
        int64_t at_ms, try_ms, idle_ms; /* idle_ms -1: a new connection is wanted */
        char request[64];
    } sent[SENDS_MAX];
} scene;

static scene s;

static int64_t read_wall(void *self) { return ((scene *)self)->wall_us; }
static int64_t read_boot(void *self) { return ((scene *)self)->boot_us; }
static void pass(int64_t ms) {
    s.wall_us += ms * 1000;
    s.boot_us += ms * 1000;
}
static void sleep_ms(void *self, int64_t ms) {
    (void)self;
    s.sleeps++;
    s.slept_ms[s.sends < SENDS_MAX ? s.sends : SENDS_MAX - 1] += ms;
    pass(ms);
}
static double roll(void *self) {
    (void)self;
    return s.dice;
}

static latch_status play(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    const step *st = &s.steps[s.sends < s.step_count ? s.sends : s.step_count - 1];
    int64_t now_ms = s.wall_us / 1000;
    (void)self;
    *out = (latch_reply){0};
    if (s.sends < SENDS_MAX) {
        s.sent[s.sends].at_ms = now_ms;
        s.sent[s.sends].try_ms = send->deadline_at_ms - now_ms;
        s.sent[s.sends].idle_ms = send->idle_deadline_at_ms == 0 ? -1 : send->idle_deadline_at_ms - now_ms;
        snprintf(s.sent[s.sends].request, sizeof s.sent[s.sends].request, "%.*s", LATCH_ARG(send->request));
    }
    s.sends++;
    pass(st->takes_ms == INT64_MAX ? send->deadline_at_ms - now_ms : st->takes_ms);
    s.wall_us += st->moved_ms * 1000;
    if (st->status != LATCH_OK) {
        (void)latch_err_set(err, st->status, "the wire broke");
        err->maybe_applied = st->maybe_applied;
        return st->status;
    }
    out->request_id = latch_arena_copy(arena, LATCH_STR("ID-7"));
    out->body = latch_arena_copy(arena, latch_str_of(st->body != NULL ? st->body : "{}"));
    out->http_status = st->http_status != 0 ? st->http_status : 200;
    out->retry_after_ms = st->retry_after_ms;
    out->moved_ms = st->moved_ms;
    return LATCH_OK;
}

static void begin_with(const latch_client_options *options) {
    latch_client_clean_up(&s.client);
    latch_client_init(&s.client, (latch_transport){.call = play, .self = &s}, options);
    s.client.pace->random = roll;
}

static void forget(void) {
    s.sends = 0, s.sleeps = 0;
    memset(s.slept_ms, 0, sizeof s.slept_ms);
    memset(s.sent, 0, sizeof s.sent);
    s.usage = (latch_usage){0};
    s.cx.moved_ms = 0;
    s.cx.err = (latch_err){0};
    latch_arena_rewind(&s.arena, 0);
}

static int set_up(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.wall_us = T0 * 1000;
    latch_arena_init(&s.arena, s.memory, sizeof s.memory);
    s.table = (latch_table){.name = "latch", .client = &s.client};
    s.cx = (latch_ctx){.arena = &s.arena,
                       .clock = {.wall_us = read_wall, .boot_us = read_boot, .sleep_ms = sleep_ms, .self = &s},
                       .deadline_at_ms = INT64_MAX,
                       .table = &s.table,
                       .usage = &s.usage};
    begin_with(NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_client_clean_up(&s.client);
    latch_arena_clean_up(&s.arena);
    return 0;
}

static const latch_call an_update = {.operation = "UpdateItem", .request = {"{\"TableName\":\"latch\"}", 21}, .item = true};

static latch_status call_with(const latch_call *call, const step *steps, size_t count, latch_answer *answer) {
    s.steps = steps, s.step_count = count;
    return latch_client_call(&s.cx, call, answer);
}
#define CALL(call, answer, ...) call_with((call), (const step[]){__VA_ARGS__}, COUNT_OF(((const step[]){__VA_ARGS__})), (answer))

#define TYPE(name) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" name "\",\"message\":\"said so\"}"
#define LOST                                                                                                                               \
    { .status = LATCH_E_TIMEOUT, .maybe_applied = true }
#define UNSENT                                                                                                                             \
    { .status = LATCH_E_NETWORK }
#define THROTTLED                                                                                                                          \
    { .http_status = 400, .body = TYPE("ThrottlingException") }
#define FINE                                                                                                                               \
    { .status = LATCH_OK }

/* ── repeats ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void repeats_what_may_be_repeated(void **state) {
    enum { WRITES, REPEATABLE, READS };
    static const struct {
        step fails;
        latch_status status;
        size_t tries[3]; /* of a write, of one that may be repeated, of a read */
        bool lost;
    } rows[] = {
        {LOST, LATCH_E_TIMEOUT, {1, 4, 4}, true},
        {{.status = LATCH_E_NETWORK, .maybe_applied = true}, LATCH_E_NETWORK, {1, 4, 4}, true},
        {{.status = LATCH_E_TIMEOUT}, LATCH_E_TIMEOUT, {4, 4, 4}, false},
        {UNSENT, LATCH_E_NETWORK, {4, 4, 4}, false},
        {{.status = LATCH_E_DENIED}, LATCH_E_DENIED, {1, 1, 1}, false},
        {{.status = LATCH_E_MISUSE}, LATCH_E_MISUSE, {1, 1, 1}, false},
        {{.status = LATCH_E_NOMEM, .maybe_applied = true}, LATCH_E_NOMEM, {1, 1, 1}, true},
        {{.http_status = 500, .body = TYPE("InternalServerError")}, LATCH_E_NETWORK, {1, 4, 4}, true},
        {{.http_status = 502, .body = "{}"}, LATCH_E_NETWORK, {1, 4, 4}, true},
        {{.http_status = 503, .body = TYPE("ServiceUnavailable")}, LATCH_E_NETWORK, {1, 4, 4}, true},
        {{.http_status = 504, .body = "{}"}, LATCH_E_NETWORK, {1, 4, 4}, true},
        {{.http_status = 501, .body = "{}"}, LATCH_E_NETWORK, {1, 1, 1}, true},
        {{.http_status = 503, .body = TYPE("ThrottlingException")}, LATCH_E_THROTTLED, {1, 4, 4}, true},
        {{.http_status = 200, .body = "<html>"}, LATCH_E_DATA, {1, 4, 4}, true},
        {{.http_status = 404, .body = "<html>"}, LATCH_E_DATA, {1, 1, 1}, true},
        {{.http_status = 202, .body = "{}"}, LATCH_E_NETWORK, {1, 1, 1}, true},
        {{.http_status = 302, .body = "{}"}, LATCH_E_NETWORK, {1, 1, 1}, true},
        {{.http_status = 400, .body = "[]"}, LATCH_E_DATA, {1, 1, 1}, true},
        {{.body = "[]"}, LATCH_E_DATA, {1, 4, 4}, true}, /* JSON, and none of DynamoDB's */
        {{.body = " \"ok\""}, LATCH_E_DATA, {1, 4, 4}, true},
        {{.body = "null"}, LATCH_E_DATA, {1, 4, 4}, true},
        {{.http_status = 502, .body = "<html>"}, LATCH_E_DATA, {1, 4, 4}, true},
        {THROTTLED, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 429, .body = "{}"}, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 400, .body = TYPE("TransactionInProgressException")}, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 400, .body = TYPE("TransactionConflictException")}, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 400, .body = TYPE("ReplicatedWriteConflictException")}, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 400, .body = TYPE("ValidationException")}, LATCH_E_MISUSE, {1, 1, 1}, false},
        {{.http_status = 400, .body = TYPE("ConditionalCheckFailedException")}, LATCH_CONFLICT, {1, 1, 1}, false},
        {{.http_status = 400, .body = TYPE("IdempotentParameterMismatchException")}, LATCH_E_MISUSE, {1, 1, 1}, false},
        {{.http_status = 400, .body = "{\"__type\":\"SlowDown:http://x\",\"Message\":\"m\"}"}, LATCH_E_THROTTLED, {4, 4, 4}, false},
        {{.http_status = 400, .body = TYPE("AccessDeniedException")}, LATCH_E_DENIED, {1, 1, 1}, false},
        {{.http_status = 413, .body = "{}"}, LATCH_E_NETWORK, {1, 1, 1}, false},
        {{.http_status = 403, .body = "{}"}, LATCH_E_DENIED, {1, 1, 1}, false},
        {{.http_status = 400, .body = "{\"__type\":7}"}, LATCH_E_DATA, {1, 1, 1}, true},
    };
    latch_client_options options = latch_client_defaults();
    (void)state;
    options.breaker = options.waits = false;
    for (size_t i = 0; i < COUNT_OF(rows) * 3; i++) {
        size_t row = i / 3, kind = i % 3;
        latch_call call = an_update;
        latch_answer answer;
        call.repeatable = kind == REPEATABLE;
        call.reads = kind == READS;
        begin_with(&options);
        forget();
        assert_int_equal(CALL(&call, &answer, rows[row].fails), rows[row].status);
        assert_int_equal(s.sends, rows[row].tries[kind]);
        assert_int_equal(answer.tries, s.sends);
        assert_int_equal(s.cx.err.status, rows[row].status);
        assert_int_equal(s.cx.err.maybe_applied, rows[row].lost && kind != READS);
        assert_true(s.arena.used < 1024);
        for (size_t k = 0; k < s.sends; k++)
            assert_string_equal(s.sent[k].request, "{\"TableName\":\"latch\"}");
    }
}

/* What one try leaves open stays open, whatever the next ones say. */
static void a_lost_try_stays_open(void **state) {
    static const struct {
        step then;
        latch_status status;
    } rows[] = {{{.http_status = 400, .body = TYPE("ConditionalCheckFailedException")}, LATCH_CONFLICT},
                {{.http_status = 400, .body = TYPE("ValidationException")}, LATCH_E_MISUSE},
                {UNSENT, LATCH_E_NETWORK},
                {THROTTLED, LATCH_E_THROTTLED}};
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    call.repeatable = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        forget();
        assert_int_equal(CALL(&call, &answer, LOST, rows[i].then), rows[i].status);
        assert_true(s.cx.err.maybe_applied);
    }
    forget();
    assert_int_equal(CALL(&call, &answer, LOST, UNSENT, THROTTLED, FINE), LATCH_OK);
    assert_int_equal(answer.tries, 4);
    assert_int_equal(answer.http_status, 200);
    assert_true(latch_str_eq(answer.request_id, LATCH_STR("ID-7")));
    assert_int_equal(answer.error.len + answer.message.len, 0);
}

static void max_retries_is_what_it_says(void **state) {
    latch_client_options options = latch_client_defaults();
    latch_answer answer;
    (void)state;
    for (int retries = 0; retries <= 6; retries += 3) {
        options.max_retries = retries;
        begin_with(&options);
        forget();
        assert_int_equal(CALL(&an_update, &answer, UNSENT), LATCH_E_NETWORK);
        assert_int_equal(s.sends, retries + 1);
    }
}

static void a_bucket_without_tokens_repeats_nothing(void **state) {
    latch_answer answer;
    (void)state;
    s.client.pace->tokens = 14 + 5;
    assert_int_equal(CALL(&an_update, &answer, UNSENT, THROTTLED, UNSENT), LATCH_E_NETWORK);
    assert_int_equal(s.sends, 3);
    assert_string_equal(s.cx.err.message, "UpdateItem after 3 tries, too many calls need another: the wire broke");
}

/* ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void waits_between_tries(void **state) {
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    s.dice = 0.5;
    call.repeatable = true;
    assert_int_equal(CALL(&call, &answer, LOST, LOST, LOST, LOST), LATCH_E_TIMEOUT);
    assert_int_equal(s.slept_ms[0], 0);
    assert_int_equal(s.slept_ms[1], 12);
    assert_int_equal(s.slept_ms[2], 25);
    assert_int_equal(s.slept_ms[3], 50);
    forget();
    assert_int_equal(CALL(&call, &answer, THROTTLED, {.http_status = 400, .body = TYPE("Throttling"), .retry_after_ms = 3000}, LOST, FINE),
                     LATCH_OK);
    assert_int_equal(s.slept_ms[1], 500);
    assert_int_equal(s.slept_ms[2], 3000);
    assert_int_equal(s.slept_ms[3], 50);
    assert_int_equal(s.usage.waited_us, 3550 * 1000);
}

static void gives_each_try_its_share(void **state) {
    static const struct {
        bool item, repeatable;
        int64_t left_ms;
        int64_t try_ms[4], idle_ms;
    } rows[] = {
        {true, true, 30000, {1000, 1000, 1000, 1000}, 250},
        {true, true, 2000, {500, 500, 500, 500}, 250},
        {true, true, 400, {100, 100, 100, 100}, 100},
        {true, false, 2000, {1000}, -1},
        {true, false, 400, {400}, -1},
        {false, true, 30000, {7500, 7500, 7500, 7500}, 250},
        {false, false, 30000, {30000}, -1},
        {false, true, INT64_MAX, {7500, 7500, 7500, 7500}, 250}, /* the request timeout */
        {false, true, 3, {1, 1, 1}, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_call call = {.operation = "Query", .request = LATCH_STR("{}"), .item = rows[i].item, .repeatable = rows[i].repeatable};
        latch_answer answer;
        begin_with(NULL);
        forget();
        call.deadline_at_ms = rows[i].left_ms == INT64_MAX ? INT64_MAX : s.wall_us / 1000 + rows[i].left_ms;
        int64_t from_ms = s.wall_us / 1000;
        assert_int_equal(CALL(&call, &answer, {.status = LATCH_E_TIMEOUT, .maybe_applied = true, .takes_ms = INT64_MAX}), LATCH_E_TIMEOUT);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(s.sent[k].try_ms, rows[i].try_ms[k]);
        assert_int_equal(s.sent[0].idle_ms, rows[i].idle_ms);
        if (s.sends == 4) assert_int_equal(s.sent[3].idle_ms, -1); /* the last: nothing would make up for a dead connection */
        if (rows[i].left_ms != INT64_MAX) assert_true(s.wall_us / 1000 - from_ms <= rows[i].left_ms);
    }
}

/* A call without a repeat has no try to spend on finding out whether a connection is alive. */
static void a_last_try_spends_nothing_on_an_idle_connection(void **state) {
    latch_client_options options = latch_client_defaults();
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    call.reads = true;
    options.max_retries = 0;
    begin_with(&options);
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
    assert_int_equal(s.sent[0].idle_ms, -1);
    assert_int_equal(s.sent[0].try_ms, 1000);
    begin_with(NULL);
    for (int tokens = LATCH_PACE_COST - 1; tokens <= LATCH_PACE_COST; tokens++) {
        forget();
        s.client.pace->tokens = tokens;
        atomic_store(&s.client.pace->calm, false);
        assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
        assert_int_equal(s.sent[0].idle_ms, tokens < LATCH_PACE_COST ? -1 : 250); /* none that could be paid for */
    }
}

static void the_earliest_deadline_holds(void **state) {
    static const struct {
        int64_t call_ms, invocation_ms, timeout_ms, want_ms;
    } rows[] = {{0, 5000, 30000, 5000}, {7000, 5000, 30000, 5000},  {3000, 5000, 30000, 3000},           {0, INT64_MAX, 30000, 30000},
                {9000, 8000, 700, 700}, {9000, INT64_MAX, 0, 9000}, {0, INT64_MAX, INT64_MAX, INT64_MAX}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_client_options options = latch_client_defaults();
        int64_t now_ms = s.wall_us / 1000;
        latch_call call = {.operation = "PutItem", .request = LATCH_STR("{}")};
        latch_answer answer;
        options.request_timeout_ms = rows[i].timeout_ms;
        begin_with(&options);
        forget();
        call.deadline_at_ms = rows[i].call_ms == 0 ? 0 : now_ms + rows[i].call_ms;
        s.cx.deadline_at_ms = rows[i].invocation_ms == INT64_MAX ? INT64_MAX : now_ms + rows[i].invocation_ms;
        assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
        assert_int_equal(s.sent[0].try_ms, rows[i].want_ms == INT64_MAX ? INT64_MAX - now_ms : rows[i].want_ms);
    }
}

/* The delay before the next try would end past the deadline: it isn't slept, and what happened is told at once. */
static void sleeps_for_nothing_past_the_deadline(void **state) {
    static const struct {
        step fails;
        int64_t left_ms;
        latch_status status;
        size_t tries;
        const char *says;
        bool lost;
    } rows[] = {
        {THROTTLED, 400, LATCH_E_THROTTLED, 1, "UpdateItem after 1 try, no time for another: HTTP 400 ThrottlingException: said so", false},
        {THROTTLED, 1500, LATCH_E_THROTTLED, 2, "UpdateItem after 2 tries, no time for another: HTTP 400 ThrottlingException: said so",
         false},
        {{.http_status = 500, .body = TYPE("InternalServerError"), .takes_ms = 100},
         100,
         LATCH_E_NETWORK,
         1,
         "UpdateItem after 1 try, no time for another: HTTP 500 InternalServerError: said so",
         true},
        {{.status = LATCH_E_TIMEOUT, .maybe_applied = true, .takes_ms = 190},
         200,
         LATCH_E_TIMEOUT,
         1,
         "UpdateItem after 1 try, no time for another: the wire broke",
         true},
        {UNSENT, 0, LATCH_E_TIMEOUT, 0, "UpdateItem: no time left to send it", false},
        {UNSENT, -5, LATCH_E_TIMEOUT, 0, "UpdateItem: no time left to send it", false},
    };
    (void)state;
    s.dice = 0.5;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_call call = an_update;
        latch_answer answer;
        begin_with(NULL);
        forget();
        call.repeatable = true;
        call.deadline_at_ms = s.wall_us / 1000 + rows[i].left_ms;
        assert_int_equal(CALL(&call, &answer, rows[i].fails), rows[i].status);
        assert_int_equal(s.sends, rows[i].tries);
        assert_string_equal(s.cx.err.message, rows[i].says);
        assert_int_equal(s.cx.err.maybe_applied, rows[i].lost);
        assert_true(s.wall_us / 1000 <= call.deadline_at_ms || rows[i].left_ms < 0);
        assert_int_equal(s.usage.failure.tries, rows[i].tries);
        if (rows[i].status == LATCH_E_TIMEOUT) assert_string_equal(s.usage.failure.name, "OperationTimeout");
    }
}

static void waits_before_calls_once_one_was_throttled(void **state) {
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    assert_int_equal(CALL(&call, &answer, THROTTLED), LATCH_E_THROTTLED);
    forget();
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
    assert_int_equal(s.slept_ms[0], 100);
    forget();
    assert_int_equal(CALL(&call, &answer, THROTTLED, FINE), LATCH_OK);
    assert_int_equal(s.slept_ms[0], 90);
    forget();
    call.deadline_at_ms = s.wall_us / 1000 + 60;
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK); /* half of what is left, no more: it must be sent */
    assert_int_equal(s.slept_ms[0], 30);
}

/* ── what is mended at once ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_wrong_clock_is_put_right_once(void **state) {
    static const struct {
        const char *name;
        int64_t moved_ms;
        size_t sends;
    } rows[] = {
        {TYPE("InvalidSignatureException"), 5 * LATCH_MINUTE_MS, 2},
        {TYPE("RequestTimeTooSkewed"), -5 * LATCH_MINUTE_MS, 2},
        {TYPE("RequestExpired"), 4 * LATCH_MINUTE_MS, 2},
        {TYPE("SignatureDoesNotMatch"), 4 * LATCH_MINUTE_MS - 1, 1},
        {TYPE("InvalidSignatureException"), 0, 1},
        {TYPE("ValidationException"), 5 * LATCH_MINUTE_MS, 1},
        {TYPE("AccessDeniedException"), 5 * LATCH_MINUTE_MS, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_call call = an_update;
        latch_answer answer;
        forget();
        s.cx.deadline_at_ms = s.wall_us / 1000 + 3000;
        call.deadline_at_ms = s.wall_us / 1000 + 2000;
        s.client.pace->tokens = 0;
        int64_t invocation_ms = s.cx.deadline_at_ms;
        latch_status status =
            CALL(&call, &answer, {.http_status = 400, .body = rows[i].name, .moved_ms = rows[i].moved_ms, .takes_ms = 10}, FINE);
        assert_int_equal(status == LATCH_OK, rows[i].sends == 2);
        assert_int_equal(s.sends, rows[i].sends);
        assert_int_equal(s.cx.deadline_at_ms, invocation_ms + rows[i].moved_ms);
        assert_int_equal(s.sleeps, 0);
        if (rows[i].sends == 2) assert_int_equal(s.sent[1].try_ms, 1000);
    }
    forget();
    latch_ctx record = s.cx; /* of a batch: it hears of the move by the usage that they share */
    record.deadline_at_ms = s.wall_us / 1000 + 500;
    s.usage.moved_ms = LATCH_MINUTE_MS;
    for (int i = 0; i < 2; i++) {
        latch_answer heard;
        s.steps = &(const step)FINE, s.step_count = 1;
        assert_int_equal(latch_client_call(&record, &an_update, &heard), LATCH_OK);
        assert_int_equal(record.deadline_at_ms, s.wall_us / 1000 + 500 + LATCH_MINUTE_MS);
    }
    latch_answer answer; /* and not twice */
    forget();
    assert_int_equal(CALL(&an_update, &answer, {.http_status = 400, .body = TYPE("RequestExpired"), .moved_ms = 5 * LATCH_MINUTE_MS}),
                     LATCH_E_DENIED);
    assert_int_equal(s.sends, 2);
}

/* Its points in time are wrong by as much: the same bytes would, of a clock that went ahead, take what another still holds. */
static void a_document_with_times_is_not_sent_again_by_another_clock(void **state) {
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    call.timed = call.repeatable = true;
    assert_int_equal(CALL(&call, &answer, {.http_status = 400, .body = TYPE("RequestExpired"), .moved_ms = -5 * LATCH_MINUTE_MS}, FINE),
                     LATCH_E_DENIED);
    assert_int_equal(s.sends, 1);
    assert_int_equal(s.cx.err.retry_at_ms, s.wall_us / 1000);
    assert_false(s.cx.err.maybe_applied);
    assert_true(s.usage.failure.retryable);
    forget();
    assert_int_equal(CALL(&call, &answer, {.http_status = 400, .body = TYPE("RequestExpired"), .moved_ms = 1}, FINE), LATCH_E_DENIED);
    assert_int_equal(s.cx.err.retry_at_ms, 0); /* the clock wasn't it */
    assert_int_equal(s.sends, 1);
}

/* Bulk work's contexts hear of a move once, before, between and after. */
static latch_status update_in_crew(latch_crew_slot *slot) {
    latch_answer answer;
    return latch_client_call(&slot->cx, &an_update, &answer);
}
static void a_crew_follows_the_clock_once(void **state) {
    const step jump = {.moved_ms = 5 * LATCH_MINUTE_MS}, fine = FINE;
    latch_answer answer;
    latch_crew *crew;
    (void)state;
    s.cx.deadline_at_ms = s.wall_us / 1000 + 60000;
    assert_int_equal(call_with(&an_update, &jump, 1, &answer), LATCH_OK);
    assert_int_equal(s.cx.deadline_at_ms - s.wall_us / 1000, 60000);
    assert_int_equal(
        latch_crew_open(&s.cx, &(latch_crew_options){.work = update_in_crew, .slots = 2, .slot_bytes = 65536, .job_bytes = 8}, &crew),
        LATCH_OK);
    for (size_t i = 0; i < 4; i++) {
        s.steps = i == 1 ? &jump : &fine, s.step_count = 1;
        latch_crew_submit(crew, &crew->slots[i % 2], 0);
        latch_crew_wait(crew, &crew->slots[i % 2]);
        assert_int_equal(crew->slots[i % 2].status, LATCH_OK);
        assert_int_equal(s.cx.deadline_at_ms - s.wall_us / 1000, 60000);
    }
    latch_crew_close(crew);
    assert_int_equal(call_with(&an_update, &fine, 1, &answer), LATCH_OK);
    assert_int_equal(s.cx.deadline_at_ms - s.wall_us / 1000, 60000);
    assert_int_equal(s.usage.moved_ms, 10 * LATCH_MINUTE_MS);
}

static void count(void *self) { ++*(int *)self; }

static latch_status play_for(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    (void)self;
    return play(&s, send, arena, out, err);
}

static void refused_keys_are_tried_once_more(void **state) {
    static const char *const names[] = {TYPE("ExpiredTokenException"), TYPE("UnrecognizedClientException")};
    int told;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const step refused = {.http_status = 400, .body = names[i]};
        latch_answer answer;
        forget();
        s.client.pace->tokens = 0;                                        /* it costs none */
        s.client.transport = (latch_transport){.call = play, .self = &s}; /* which has one pair of keys */
        assert_int_equal(CALL(&an_update, &answer, refused, FINE), LATCH_OK);
        told = 0;
        forget();
        s.client.transport = (latch_transport){.call = play_for, .self = &told, .keys_refused = count};
        assert_int_equal(CALL(&an_update, &answer, refused, FINE), LATCH_OK);
        assert_int_equal(told, 1);
        forget();
        assert_int_equal(CALL(&an_update, &answer, refused), LATCH_E_DENIED);
        assert_int_equal(s.sends, 2);
        assert_int_equal(told, 3);
        assert_false(s.cx.err.maybe_applied);
    }
    const step denied = {.http_status = 400, .body = TYPE("AccessDeniedException")}; /* of the same keys: no matter of others */
    latch_answer answer;
    assert_int_equal(CALL(&an_update, &answer, denied), LATCH_E_DENIED);
    assert_int_equal(told, 3);
}

/* ── the breaker ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void sends_nothing_while_the_breaker_is_open(void **state) {
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(CALL(&call, &answer, UNSENT), LATCH_E_NETWORK);
    forget();
    pass(1000);
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_E_NETWORK);
    assert_int_equal(s.sends, 0);
    assert_string_equal(s.cx.err.message, "UpdateItem: not sent: DynamoDB didn't answer the last 5 calls, the next one may try in 59000 "
                                          "ms; the last: UpdateItem after 4 tries: the wire broke");
    assert_string_equal(s.cx.err.type, "CircuitOpen");
    assert_int_equal(s.cx.err.retry_at_ms, s.wall_us / 1000 + 59000);
    assert_false(s.cx.err.maybe_applied);
    assert_string_equal(latch_dynamodb_failure(&s.cx)->name, "CircuitOpen");
    assert_true(latch_dynamodb_failure(&s.cx)->retryable);
    assert_int_equal(latch_dynamodb_failure(&s.cx)->tries, 0);
    assert_int_equal(latch_dynamodb_breaker(&s.cx).state, LATCH_BREAKER_OPEN);
    pass(59000);
    assert_int_equal(latch_dynamodb_breaker(&s.cx).state, LATCH_BREAKER_HALF_OPEN);
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
    assert_int_equal(latch_dynamodb_breaker(&s.cx).state, LATCH_BREAKER_CLOSED);
    for (int i = 0; i < 5; i++)
        assert_int_equal(CALL(&call, &answer, UNSENT), LATCH_E_NETWORK);
    latch_dynamodb_breaker_reset(&s.cx);
    forget();
    assert_int_equal(CALL(&call, &answer, FINE), LATCH_OK);
}

static void counts_what_is_the_other_sides_fault(void **state) {
    static const struct {
        step fails;
        int64_t left_ms;
        bool counts;
    } rows[] = {
        {UNSENT, 2000, true},
        {{.status = LATCH_E_TIMEOUT, .maybe_applied = true, .takes_ms = INT64_MAX}, 2000, true},
        {{.status = LATCH_E_TIMEOUT, .maybe_applied = true, .takes_ms = INT64_MAX}, 99, false}, /* it had hardly any time */
        {UNSENT, 0, false},
        {{.http_status = 500, .body = TYPE("InternalServerError")}, 2000, true},
        {{.http_status = 503, .body = "<html>"}, 2000, true},
        {{.http_status = 200, .body = "<html>"}, 2000, true},
        {{.http_status = 404, .body = "<html>"}, 2000, false},
        {THROTTLED, 2000, false},
        {{.http_status = 400, .body = TYPE("ValidationException")}, 2000, false},
        {{.http_status = 400, .body = TYPE("ConditionalCheckFailedException")}, 2000, false},
        {{.status = LATCH_E_DENIED}, 2000, false},
        {{.status = LATCH_E_NOMEM, .maybe_applied = true}, 2000, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_with(NULL);
        for (int k = 0; k < 7; k++) {
            latch_call call = an_update;
            latch_answer answer;
            forget();
            call.deadline_at_ms = s.wall_us / 1000 + rows[i].left_ms;
            assert_int_not_equal(CALL(&call, &answer, rows[i].fails), LATCH_OK);
        }
        assert_int_equal(latch_dynamodb_breaker(&s.cx).state, rows[i].counts ? LATCH_BREAKER_OPEN : LATCH_BREAKER_CLOSED);
    }
}

/* ── transactions ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_cancelled_transaction_is_judged_by_its_reasons(void **state) {
    static const struct {
        const char *codes;
        latch_status status;
        size_t sends;
    } rows[] = {
        {"{\"Code\":\"None\"},{\"Code\":\"ConditionalCheckFailed\"}", LATCH_CONFLICT, 1},
        {"{\"Code\":\"TransactionConflict\"},{\"Code\":\"ConditionalCheckFailed\"}", LATCH_CONFLICT, 1},
        {"{\"Code\":\"DuplicateItem\"}", LATCH_CONFLICT, 1},
        {"{\"Code\":\"TransactionConflict\"},{\"Code\":\"None\"}", LATCH_E_THROTTLED, 4},
        {"{\"Code\":\"ThrottlingError\"},{\"Code\":\"TransactionConflict\"}", LATCH_E_THROTTLED, 4},
        {"{\"Code\":\"ProvisionedThroughputExceeded\"}", LATCH_E_THROTTLED, 4},
        {"{\"Code\":\"TransactionConflict\"},{\"Code\":\"ValidationError\"}", LATCH_E_MISUSE, 1},
        {"{\"Code\":\"ItemCollectionSizeLimitExceeded\"}", LATCH_E_MISUSE, 1},
        {"{\"Code\":\"AccessDenied\"}", LATCH_E_DENIED, 1},
        {"{\"Code\":\"SomethingNew\"}", LATCH_E_MISUSE, 1},
        {"{},7", LATCH_E_MISUSE, 1},
        {"", LATCH_E_MISUSE, 1},
    };
    (void)state;
    s.dice = 0.5;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char body[400];
        const latch_call call = {.operation = "TransactWriteItems", .request = LATCH_STR("{}"), .repeatable = true};
        latch_answer answer;
        snprintf(body, sizeof body,
                 "{\"__type\":\"x#TransactionCanceledException\",\"Message\":\"cancelled\",\"CancellationReasons\":[%s]}", rows[i].codes);
        begin_with(NULL);
        forget();
        assert_int_equal(CALL(&call, &answer, {.http_status = 400, .body = body}), rows[i].status);
        assert_int_equal(s.sends, rows[i].sends);
        assert_false(s.cx.err.maybe_applied);
        assert_true(latch_has(answer.body, "CancellationReasons"));
        assert_true(latch_str_eq(answer.error, LATCH_STR("TransactionCanceledException")));
        assert_string_equal(s.cx.err.type, "TransactionCanceledException");
    }
}

static void limits_of_tables_pass_and_the_stores_do_not(void **state) {
    static const struct {
        const char *operation;
        latch_status status;
    } rows[] = {{"CreateTable", LATCH_E_THROTTLED},
                {"UpdateTimeToLive", LATCH_E_THROTTLED},
                {"CreateBackup", LATCH_E_THROTTLED},
                {"PutItem", LATCH_E_MISUSE},
                {"BatchWriteItem", LATCH_E_MISUSE}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_verdict v =
            latch_error_judge(rows[i].operation, 400, LATCH_STR("LimitExceededException"), latch_object(&s.cx, "a", LATCH_STR("b")));
        assert_int_equal(v.status, rows[i].status);
        assert_int_equal(v.again, rows[i].status == LATCH_E_THROTTLED);
    }
}

static void a_missing_table_is_named(void **state) {
    static const struct {
        const char *operation, *request, *says;
    } rows[] = {
        {"GetItem", "{\"TableName\":\"latch\",\"Key\":{}}", "GetItem: there is no table latch: latch table create latch makes it ("},
        {"Query", "{\"TableName\":\"orders\"}", "Query: there is no table orders: create it, or look at region and endpoint"},
        {"TransactWriteItems", "{\"TransactItems\":[{\"Put\":{\"TableName\":\"latch\"}}]}",
         "TransactWriteItems: HTTP 400 ResourceNotFoundException: said so"},
        {"DescribeTable", "{}", "DescribeTable: HTTP 400 ResourceNotFoundException: said so"},
        {"PutItem", "{\"TableName\":\"unended", "PutItem: HTTP 400 ResourceNotFoundException: said so"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_call call = {.operation = rows[i].operation, .request = latch_str_of(rows[i].request)};
        latch_answer answer;
        forget();
        assert_int_equal(CALL(&call, &answer, {.http_status = 400, .body = TYPE("ResourceNotFoundException")}), LATCH_E_MISUSE);
        assert_memory_equal(s.cx.err.message, rows[i].says, strlen(rows[i].says));
        assert_string_equal(s.cx.err.type, "ResourceNotFoundException");
    }
}

/* ── what it cost, and why it failed ────────────────────────────────────────────────────────────────────────────────────── */

static void counts_what_calls_cost(void **state) {
    latch_call get = {.operation = "GetItem", .request = LATCH_STR("{}"), .item = true, .reads = true}, put = an_update;
    latch_answer answer;
    (void)state;
    put.repeatable = true;
    assert_int_equal(CALL(&get, &answer, {.body = "{\"ConsumedCapacity\":{\"TableName\":\"t\",\"CapacityUnits\":0.5}}", .takes_ms = 3}),
                     LATCH_OK);
    assert_int_equal(answer.read_milli_units, 500);
    s.sends = 0;
    assert_int_equal(CALL(&put, &answer, {.status = LATCH_E_TIMEOUT, .maybe_applied = true, .takes_ms = 7}, THROTTLED,
                          {.body = "{\"ConsumedCapacity\":{\"TableName\":\"t\",\"CapacityUnits\":2}}", .takes_ms = 2}),
                     LATCH_OK);
    assert_int_equal(answer.write_milli_units, 2000);
    s.sends = 0;
    assert_int_equal(CALL(&put, &answer,
                          {.body = "{\"ConsumedCapacity\":[{\"CapacityUnits\":6,\"WriteCapacityUnits\":4,\"ReadCapacityUnits\":2},{"
                                   "\"CapacityUnits\":1}]}"}),
                     LATCH_OK);
    s.sends = 0;
    assert_int_equal(CALL(&put, &answer, {.body = "{\"ConsumedCapacity\":{\"CapacityUnits\":\"many\"}}"}), LATCH_OK); /* the call stands */
    const latch_usage *u = latch_dynamodb_usage(&s.cx);
    assert_int_equal(u->calls, 4);
    assert_int_equal(u->requests, 6);
    assert_int_equal(u->retries, 2);
    assert_int_equal(u->throttled, 1);
    assert_int_equal(u->read_milli_units, 2500);
    assert_int_equal(u->write_milli_units, 7000);
    assert_int_equal(u->request_us, 12000);
    assert_int_equal(u->failure.status, LATCH_OK);
    latch_usage sum = {.calls = 1};
    latch_usage_add(&sum, u);
    latch_usage_add(&sum, NULL);
    latch_usage_add(NULL, u);
    assert_int_equal(sum.calls, 5);
    assert_int_equal(sum.write_milli_units, 7000);
    s.cx.usage = NULL;
    assert_int_equal(latch_dynamodb_usage(&s.cx)->calls, 0);
}

/* Figures that are none don't wrap, nor count. */
static void impossible_capacity_counts_for_nothing(void **state) {
    static const char *const units[] = {"-1", "1e300", "-1e300", "1e17", "18446744073709551615"};
    latch_answer answer;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        char body[160];
        snprintf(body, sizeof body, "{\"ConsumedCapacity\":{\"CapacityUnits\":%s,\"ReadCapacityUnits\":%s,\"WriteCapacityUnits\":2}}",
                 units[i], units[i]);
        forget();
        assert_int_equal(CALL(&an_update, &answer, {.body = body}), LATCH_OK);
        assert_int_equal(answer.read_milli_units, 0);
        assert_int_equal(answer.write_milli_units, 2000);
    }
}

static void tells_the_last_failure(void **state) {
    latch_answer answer;
    (void)state;
    assert_int_equal(CALL(&an_update, &answer, {.http_status = 400, .body = TYPE("ValidationException")}), LATCH_E_MISUSE);
    const latch_usage_failure *f = latch_dynamodb_failure(&s.cx);
    assert_string_equal(f->name, "ValidationException");
    assert_string_equal(f->message, "said so");
    assert_string_equal(f->request_id, "ID-7");
    assert_int_equal(f->http_status, 400);
    assert_int_equal(f->tries, 1);
    assert_false(f->retryable);
    assert_string_equal(s.cx.err.type, "ValidationException");
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer, FINE), LATCH_OK);
    assert_string_equal(f->name, "ValidationException"); /* a call that succeeds leaves it */
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer, THROTTLED), LATCH_E_THROTTLED);
    assert_true(f->retryable);
    assert_int_equal(f->tries, 4);
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer, UNSENT), LATCH_E_NETWORK);
    assert_string_equal(f->name, "");
    assert_string_equal(f->request_id, "");
    assert_non_null(strstr(f->message, "the wire broke"));
    assert_string_equal(s.cx.err.type, "Network");
    latch_usage into = {0};
    latch_usage_add(&into, &s.usage);
    assert_int_equal(into.failure.tries, 4);
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer,
                          {.http_status = 400,
                           .body = "{\"__type\":\"x#AnErrorWhoseNameIsLongerThanAnybodyWouldEverMakeTheNameOfAnErrorIThink"
                                   "Exception\",\"message\":\"m\"}"}),
                     LATCH_E_MISUSE);
    assert_string_equal(s.cx.err.type, "Misuse");
}

static void says_an_operation_once(void **state) {
    latch_call call = an_update;
    latch_answer answer;
    (void)state;
    call.operation = "the wire broke"; /* as a transport's message that begins with the operation would */
    assert_int_equal(CALL(&call, &answer, {.status = LATCH_E_DENIED}), LATCH_E_DENIED);
    assert_string_equal(s.cx.err.message, "the wire broke: the wire broke");
}

/* One line a call, with figures, and neither keys nor values nor messages, which may have some. */
static void logs_where_it_is_asked_to(void **state) {
    latch_client_options options = latch_client_defaults();
    latch_answer answer;
    char line[1024];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    const latch_log log = {.fd = ends[1], .format = LATCH_LOG_JSON};
    s.cx.log = &log;
    assert_int_equal(CALL(&an_update, &answer, FINE), LATCH_OK); /* not asked */
    options.logs = true;
    begin_with(&options);
    s.sends = 0;
    s.cx.usage = NULL;
    s.dice = 0.5;
    assert_int_equal(
        CALL(&an_update, &answer, UNSENT,
             {.body = "{\"Attributes\":{\"secret\":{\"S\":\"value\"}},\"ConsumedCapacity\":{\"CapacityUnits\":1.5}}", .takes_ms = 2}),
        LATCH_OK);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_non_null(strstr(line, "\"level\":\"INFO\""));
    assert_non_null(strstr(line, "\"message\":\"dynamodb\",\"operation\":\"UpdateItem\",\"outcome\":\"OK\",\"ms\":2.0,\"waited_ms\":12.0,"
                                 "\"tries\":2,\"read_units\":0.0,\"write_units\":1.5,\"dynamodb_request_id\":\"ID-7\""));
    assert_null(strstr(line, "secret"));
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer, {.http_status = 400, .body = TYPE("ValidationException")}), LATCH_E_MISUSE);
    assert_string_equal(s.cx.err.message, "UpdateItem: HTTP 400 ValidationException: said so");
    n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_non_null(strstr(line, "\"outcome\":\"ValidationException\""));
    assert_null(strstr(line, "said so"));
    char body[900], name[801];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(body, sizeof body, "{\"__type\":\"%s\"}", name);
    s.sends = 0;
    assert_int_equal(CALL(&an_update, &answer, {.http_status = 400, .body = body}), LATCH_E_MISUSE); /* whoever answers writes no pages */
    n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    name[64] = '\0';
    assert_non_null(strstr(line, name));
    name[64] = 'n', name[65] = '\0';
    assert_null(strstr(line, name));
    close(ends[0]);
    close(ends[1]);
}

/* ── any operation ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void any_operation_goes_by_its_name(void **state) {
    static const struct {
        const char *operation;
        size_t sends; /* after silence */
    } rows[] = {{"GetItem", 4},
                {"Query", 4},
                {"Scan", 4},
                {"BatchGetItem", 4},
                {"TransactGetItems", 4},
                {"DescribeTable", 4},
                {"ListTables", 4},
                {"PutItem", 1},
                {"UpdateItem", 1},
                {"DeleteItem", 1},
                {"CreateTable", 1},
                {"BatchWriteItem", 1},
                {"ExecuteStatement", 1},
                {"TransactWriteItems", 1}};
    latch_answer answer;
    latch_client_options options = latch_client_defaults();
    (void)state;
    options.breaker = false;
    begin_with(&options);
    s.steps = &(const step)LOST, s.step_count = 1;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        forget();
        assert_int_equal(latch_dynamodb_call(&s.cx, rows[i].operation, latch_object(&s.cx, "TableName", "latch"), &answer),
                         LATCH_E_TIMEOUT);
        assert_int_equal(s.sends, rows[i].sends);
        assert_string_equal(s.sent[0].request, "{\"TableName\":\"latch\"}");
    }
    forget();
    assert_int_equal(latch_dynamodb_call(&s.cx, "TransactWriteItems", latch_object(&s.cx, "ClientRequestToken", "t"), &answer),
                     LATCH_E_TIMEOUT);
    assert_int_equal(s.sends, 4);
    static const char *const bad[] = {"", "Get Item", "GetItem\r\nX: y", "Get.Item",
                                      "AnOperationWhoseNameIsLongerThanAnythingThatAmazonWouldEverCallOne"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        forget();
        assert_int_equal(latch_dynamodb_call(&s.cx, bad[i], latch_object(&s.cx, "a", "b"), &answer), LATCH_E_MISUSE);
        assert_int_equal(s.sends, 0);
    }
    s.cx.table = NULL;
    assert_int_equal(latch_dynamodb_call(&s.cx, "ListTables", latch_object(&s.cx, "Limit", latch_int(1)), &answer), LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_breaker(&s.cx).state, LATCH_BREAKER_CLOSED);
    latch_dynamodb_breaker_reset(&s.cx);
}

static void the_store_underneath_answers(void **state) {
    rig_world world;
    rig ann;
    latch_answer answer;
    latch_str text;
    (void)state;
    rig_open(&world);
    rig_init(&ann, &world, RIG_ARENA_BYTES);
    latch_usage usage = {0};
    ann.cx.usage = &usage;
    latch_json item = latch_object(&ann.cx, "pk", latch_object(&ann.cx, "S", "p"), "sk", latch_object(&ann.cx, "S", "s"));
    assert_int_equal(latch_dynamodb_call(&ann.cx, "PutItem",
                                         latch_object(&ann.cx, "TableName", "latch", "Item", item, "ReturnConsumedCapacity", "TOTAL"),
                                         &answer),
                     LATCH_OK);
    assert_int_equal(usage.write_milli_units, 1000);
    assert_int_equal(
        latch_dynamodb_call(&ann.cx, "Query",
                            latch_object(&ann.cx, "TableName", "latch", "KeyConditionExpression", "pk = :p", "ExpressionAttributeValues",
                                         latch_object(&ann.cx, ":p", latch_object(&ann.cx, "S", "p"))),
                            &answer),
        LATCH_OK);
    assert_int_equal(latch_read(answer.body, "Items[0].sk.S", &text), LATCH_OK);
    assert_true(latch_str_eq(text, LATCH_STR("s")));
    assert_int_equal(
        latch_dynamodb_call(&ann.cx, "PutItem",
                            latch_object(&ann.cx, "TableName", "latch", "Item", item, "ConditionExpression", "attribute_not_exists(pk)"),
                            &answer),
        LATCH_CONFLICT);
    assert_string_equal(usage.failure.name, "ConditionalCheckFailedException");
    assert_int_equal(usage.requests, 3);
    rig_clean_up(&ann);
    rig_close(&world);
}

static void asks_for_capacity_where_it_is_wanted(void **state) {
    const latch_request get = {.operation = LATCH_GET_ITEM, .pk = LATCH_STR("p"), .sk = LATCH_STR("s"), .deadline_at_ms = INT64_MAX};
    rig_world world;
    rig ann;
    latch_json item;
    latch_usage usage = {0};
    (void)state;
    assert_true(latch_client_defaults().capacity);
    rig_open(&world);
    rig_init(&ann, &world, RIG_ARENA_BYTES);
    ann.cx.usage = &usage;
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_OK);
    assert_null(strstr(ann.last_request, "ReturnConsumedCapacity"));
    ann.client.options.capacity = true;
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_OK);
    assert_non_null(strstr(ann.last_request, ",\"ReturnConsumedCapacity\":\"TOTAL\"}"));
    assert_int_equal(usage.read_milli_units, 1000);
    assert_int_equal(usage.write_milli_units, 0);
    rig_clean_up(&ann);
    rig_close(&world);
}

/* ── whatever happens ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A server that counts, behind a network that loses: what the client says of each call is compared with what was applied. */
typedef struct server {
    uint64_t seed;
    int applied; /* of this call */
} server;

static unsigned dice_of(server *v) {
    v->seed ^= v->seed << 13;
    v->seed ^= v->seed >> 7;
    v->seed ^= v->seed << 17;
    return (unsigned)(v->seed >> 32);
}

static latch_status serve(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    static const char *const refusals[] = {TYPE("ThrottlingException"), TYPE("TransactionConflictException"), TYPE("ValidationException"),
                                           TYPE("ConditionalCheckFailedException"), TYPE("ExpiredTokenException")};
    server *v = self;
    unsigned what = dice_of(v) % 16;
    *out = (latch_reply){.http_status = 200};
    pass((int64_t)(dice_of(v) % 40));
    if (s.wall_us / 1000 > send->deadline_at_ms) s.wall_us = send->deadline_at_ms * 1000;
    if (what < 2) return latch_err_set(err, LATCH_E_NETWORK, "no connection");
    const char *body = what < 6 ? refusals[dice_of(v) % COUNT_OF(refusals)] : "{}";
    if (what < 6) out->http_status = 400;
    if (what >= 6 && what < 8) out->http_status = 500; /* and nobody knows */
    v->applied += what >= 7;
    if (what >= 8 && what < 10) body = "<html>";
    if (what == 10 || what == 11 || what == 6) {
        (void)latch_err_set(err, LATCH_E_TIMEOUT, "silence");
        err->maybe_applied = true;
        return LATCH_E_TIMEOUT;
    }
    out->body = latch_arena_copy(arena, latch_str_of(body));
    return LATCH_OK;
}

typedef struct tally {
    int calls, ok, open, wrong, late;
} tally;

/* `lies`: the caller says that a repeat does no harm, of a write where it does. */
static tally run_calls(int calls, bool lies) {
    server v = {.seed = 88172645463325252u};
    tally t = {.calls = calls};
    latch_client_options options = latch_client_defaults();
    options.breaker = options.waits = false;
    begin_with(&options);
    s.client.transport = (latch_transport){.call = serve, .self = &v};
    for (int i = 0; i < calls; i++) {
        latch_call call = an_update;
        latch_answer answer;
        forget();
        s.client.pace->tokens = LATCH_PACE_TOKENS;
        s.dice = (double)(dice_of(&v) % 1000) / 1000;
        call.repeatable = lies;
        call.deadline_at_ms = s.wall_us / 1000 + 20 + dice_of(&v) % 3000;
        v.applied = 0;
        latch_status status = latch_client_call(&s.cx, &call, &answer);
        bool open = status != LATCH_OK && s.cx.err.maybe_applied;
        t.ok += status == LATCH_OK;
        t.open += open;
        t.late += s.wall_us / 1000 > call.deadline_at_ms;
        t.wrong += v.applied > 1 || (status == LATCH_OK && v.applied != 1) || (status != LATCH_OK && !open && v.applied != 0);
    }
    return t;
}

static void never_applies_twice_nor_says_what_is_not(void **state) {
    (void)state;
    tally t = run_calls(20000, false);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.late, 0);
    assert_true(t.ok > 5000 && t.open > 2000);
}

static void the_harness_finds_a_twin_that_repeats_too_much(void **state) {
    (void)state;
    assert_true(run_calls(20000, true).wrong > 100);
}

/* An arena of any size: a status, and never more than its bytes. */
static void any_arena_is_enough_to_say_so(void **state) {
    size_t full = 0, fine = 0;
    (void)state;
    for (size_t bytes = 0; bytes < 3000; bytes += 16) {
        latch_arena small;
        latch_call call = an_update;
        latch_answer answer;
        call.repeatable = true;
        forget();
        begin_with(NULL);
        latch_arena_init(&small, s.memory, bytes);
        s.cx.arena = &small;
        latch_status status = CALL(&call, &answer, {.http_status = 500, .body = TYPE("InternalServerError")},
                                   {.body = "{\"Attributes\":{\"n\":{\"N\":\"1\"}},\"ConsumedCapacity\":{\"CapacityUnits\":1}}"});
        assert_true(status == LATCH_OK || (status == LATCH_E_NOMEM && s.cx.err.maybe_applied) || status == LATCH_E_DATA);
        full += status == LATCH_E_NOMEM;
        fine += status == LATCH_OK;
        latch_arena_clean_up(&small);
        s.cx.arena = &s.arena;
    }
    latch_arena_init(&s.arena, s.memory, sizeof s.memory);
    assert_true(full > 5 && fine > 5);
}

/* ── spans ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What is open while the request is on its way, as the watchdog sees it. */
static char seen_on_the_way[128];
static latch_status look_and_play(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    latch_status status = play(self, send, arena, out, err);
    latch_span_describe(s.cx.spans, s.boot_us, seen_on_the_way, sizeof seen_on_the_way);
    return status;
}

static void each_call_is_a_span(void **state) {
    static latch_spans spans;
    latch_answer answer;
    (void)state;
    memset(&spans, 0, sizeof spans);
    s.cx.spans = &spans;
    s.client.transport.call = look_and_play;
    assert_int_equal(CALL(&an_update, &answer, THROTTLED, {.takes_ms = 70, .body = "{\"ConsumedCapacity\":{\"CapacityUnits\":2.5}}"}),
                     LATCH_OK);
    assert_memory_equal(seen_on_the_way, "DynamoDB UpdateItem on latch, for ", 34);
    const latch_span_kept *k = &spans.at[0];
    assert_string_equal(k->name, "UpdateItem");
    assert_string_equal(k->detail, "latch");
    assert_string_equal(k->request_id, "ID-7");
    assert_true(k->kind == LATCH_SPAN_DYNAMODB && !k->open && k->status == LATCH_OK && k->http_status == 200);
    assert_true(k->requests == 2 && k->throttled == 1 && k->milli_units == 2500 && k->to_us - k->from_us >= 70000);
    assert_string_equal(k->error, "");
    forget();
    assert_int_equal(CALL(&an_update, &answer, {.http_status = 400, .body = TYPE("ConditionalCheckFailedException")}), LATCH_CONFLICT);
    assert_string_equal(spans.at[1].error, "ConditionalCheckFailedException");
    assert_true(spans.at[1].status == LATCH_CONFLICT && spans.at[1].http_status == 400);
    forget();
    assert_int_equal(CALL(&an_update, &answer, LOST), LATCH_E_TIMEOUT);
    assert_string_equal(spans.at[2].error, "Timeout");
    assert_true(spans.at[2].status == LATCH_E_TIMEOUT && spans.at[2].http_status == 0 && spans.at[2].requests == 1);
    assert_true(spans.count == 3 && spans.innermost == NULL);
    const latch_call several = {.operation = "TransactWriteItems", .request = {"{\"TableName\":\"latch\"}", 21}};
    forget();
    assert_int_equal(CALL(&several, &answer, FINE), LATCH_OK);
    assert_string_equal(spans.at[3].detail, ""); /* it names several tables, or none */
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(repeats_what_may_be_repeated),
    ROW(a_lost_try_stays_open),
    ROW(max_retries_is_what_it_says),
    ROW(a_bucket_without_tokens_repeats_nothing),
    ROW(waits_between_tries),
    ROW(gives_each_try_its_share),
    ROW(a_last_try_spends_nothing_on_an_idle_connection),
    ROW(the_earliest_deadline_holds),
    ROW(sleeps_for_nothing_past_the_deadline),
    ROW(waits_before_calls_once_one_was_throttled),
    ROW(a_wrong_clock_is_put_right_once),
    ROW(a_document_with_times_is_not_sent_again_by_another_clock),
    ROW(a_crew_follows_the_clock_once),
    ROW(refused_keys_are_tried_once_more),
    ROW(sends_nothing_while_the_breaker_is_open),
    ROW(counts_what_is_the_other_sides_fault),
    ROW(a_cancelled_transaction_is_judged_by_its_reasons),
    ROW(limits_of_tables_pass_and_the_stores_do_not),
    ROW(a_missing_table_is_named),
    ROW(counts_what_calls_cost),
    ROW(impossible_capacity_counts_for_nothing),
    ROW(tells_the_last_failure),
    ROW(says_an_operation_once),
    ROW(logs_where_it_is_asked_to),
    ROW(any_operation_goes_by_its_name),
    ROW(the_store_underneath_answers),
    ROW(asks_for_capacity_where_it_is_wanted),
    ROW(never_applies_twice_nor_says_what_is_not),
    ROW(the_harness_finds_a_twin_that_repeats_too_much),
    ROW(any_arena_is_enough_to_say_so),
    ROW(each_call_is_a_span),
};
CHECK_MAIN(tests)

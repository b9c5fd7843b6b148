/* test_stepped.c - what a test sees of a handler's steps, and what an event brings along. */
#include <string.h>

#include "tests/kit/opened.h"

/* ── the handlers that it is tried on ───────────────────────────────────────────────────────────────────────────────────── */

static const latch_attempts tries = {.name = "stepped", .max = 1, .window_ms = LATCH_MINUTE_MS};

/* {"sku": "tea", "then": "fail"} */
static latch_status price(latch_ctx *cx, latch_event *event) {
    latch_json body;
    latch_str sku, then;
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "sku", latch_optional(&sku), "then", latch_optional(&then)));
    latch_span whole = latch_span_begin(cx, "whole", LATCH_STR("")), step = latch_span_begin(cx, "price", sku);
    latch_test_pass(t, 40);
    latch_span_end(cx, step, LATCH_OK);
    step = latch_span_begin(cx, "price", LATCH_STR("again"));
    latch_test_pass(t, 2);
    latch_span_end(cx, step, latch_str_eq(then, LATCH_STR("fail")) ? LATCH_E_DATA : LATCH_MISSING);
    (void)latch_span_begin(cx, "forgotten", LATCH_STR(""));
    if (!latch_str_eq(then, LATCH_STR("leave"))) latch_span_end(cx, whole, LATCH_OK);
    latch_test_pass(t, 5);
    return latch_str_eq(then, LATCH_STR("fail")) ? latch_fail(cx, "NoPrice", "there is none") : LATCH_OK;
}

static latch_status attempt(latch_ctx *cx, latch_event *event) {
    latch_attempt one;
    (void)event;
    return latch_attempts_take(cx, &tries, LATCH_STR("k"), LATCH_NULL, &one);
}

/* 3 early steps and 70 later ones. */
static latch_status walk(latch_ctx *cx, latch_event *event) {
    (void)event;
    for (int i = 0; i < 73; i++)
        latch_span_end(cx, latch_span_begin(cx, i < 3 ? "early" : "late", i == 9 ? LATCH_STR("oldest kept") : LATCH_STR("")), LATCH_OK);
    return LATCH_OK;
}

static latch_status tell(latch_ctx *cx, latch_event *event) {
    latch_json client, user;
    LATCH_TRY(latch_client_context(cx, &client));
    LATCH_TRY(latch_cognito_identity(cx, &user));
    latch_info(cx, "told");
    return latch_event_reply(event, latch_object(cx, "tenant", latch_tenant_id(cx), "arn", latch_function_arn(cx), "trace",
                                                 latch_trace_id(cx), "client", client, "user", user));
}

static latch_status fails_init(latch_ctx *cx) { return latch_fail(cx, "NoSecret", "the secret isn't there"); }

static const latch_handler handlers[] = {{.name = "price", .event = price},
                                         {.name = "attempt", .event = attempt, .stores = true},
                                         {.name = "walk", .event = walk},
                                         {.name = "tell", .event = tell},
                                         {.name = "broken", .event = walk, .init = fails_init}};

static int open_kit(void **state) {
    (void)state;
    return open_with(handlers, COUNT_OF(handlers));
}

/* ── steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define assert_step(o, name, ...) assert_step_((o), (name), (latch_test_step){__VA_ARGS__})
static void assert_step_(const latch_test_outcome *o, const char *name, latch_test_step want) {
    latch_test_step is = latch_test_stepped(o, name);
    if (is.count != want.count || is.failed != want.failed || is.left_open != want.left_open || is.took_ms != want.took_ms)
        fail_msg("%s: %zu, %zu failed, %zu left open, %lld ms", name, is.count, is.failed, is.left_open, (long long)is.took_ms);
    assert_string_equal(is.detail, want.detail != NULL ? want.detail : "");
}

static void steps_are_seen(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "price", "{\"sku\":\"tea\"}");
    assert_step(o, "price", .count = 2, .took_ms = 42, .detail = "tea");
    assert_step(o, "whole", .count = 1, .took_ms = 42);
    assert_step(o, "forgotten", .count = 1);
    assert_step(o, "no such step", .count = 0);
}

static void a_step_that_fails_or_is_left_open_is_told(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "price", "{\"sku\":\"tea\",\"then\":\"fail\"}");
    assert_int_equal(o->status, LATCH_E_HANDLER);
    assert_step(o, "price", .count = 2, .failed = 1, .took_ms = 42, .detail = "tea");
    o = latch_test_event(t, "price", "{\"then\":\"leave\"}");
    assert_step(o, "whole", .count = 1, .left_open = 1, .took_ms = 47);
    assert_step(o, "forgotten", .count = 1, .left_open = 1, .took_ms = 5);
}

/* A refusal is no failure; what the store doesn't answer is one, as long as it was waited for. */
static void calls_of_the_store_are_steps(void **state) {
    (void)state;
    const latch_test_outcome *first = latch_test_event(t, "attempt", "{}"), *second = latch_test_event(t, "attempt", "{}");
    assert_int_equal(second->status, LATCH_LIMITED);
    assert_step(first, "UpdateItem", .count = 1, .detail = LATCH_DYNAMODB_TABLE);
    assert_step(second, "UpdateItem", .count = 1, .detail = LATCH_DYNAMODB_TABLE);
    latch_test_fail(t, LATCH_TEST_NOT_SENT, 1, 0);
    const latch_test_outcome *down = latch_test_event(t, "attempt", "{}");
    latch_test_step step = latch_test_stepped(down, "UpdateItem");
    assert_int_equal(down->status, LATCH_E_NETWORK);
    assert_true(step.count == 1 && step.failed == 1 && step.took_ms == down->took_ms && step.took_ms > 0);
}

static void the_last_64_are_known_and_no_other_events(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "walk", "{}");
    assert_step(o, "early", .count = 0);
    assert_step(o, "late", .count = 64, .detail = "oldest kept");
    const latch_test_outcome *next = latch_test_event(t, "tell", "{}"), *broken = latch_test_event(t, "broken", "{}");
    assert_step(next, "late", .count = 0);
    assert_step(o, "late", .count = 64, .detail = "oldest kept");
    latch_test_event(t, "walk", "{}");
    assert_true(broken->init_failed);
    assert_step(broken, "late", .count = 0);
}

/* ── what comes along ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void an_event_brings_what_the_options_say(void **state) {
    static const struct {
        latch_test_options options;
        const char *reply, *tenant_in_log;
    } rows[] = {
        {{0}, "{\"tenant\":\"\",\"arn\":\"\",\"trace\":\"\",\"client\":null,\"user\":null}", ""},
        {{.tenant_id = "blue", .function_arn = "arn:x", .trace_id = "Root=1"},
         "{\"tenant\":\"blue\",\"arn\":\"arn:x\",\"trace\":\"Root=1\",\"client\":null,\"user\":null}",
         "blue"},
        {{.client_context = "{\"custom\":{\"k\":1}}", .cognito_identity = "{\"cognitoIdentityId\":\"i\"}"},
         "{\"tenant\":\"\",\"arn\":\"\",\"trace\":\"\",\"client\":{\"custom\":{\"k\":1}},\"user\":{\"cognitoIdentityId\":\"i\"}}",
         ""},
        {{.client_context = "no JSON"}, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_test_options options = rows[i].options;
        options.handlers = handlers;
        options.handler_count = COUNT_OF(handlers);
        options.beside = t;
        latch_test *one = latch_test_open(&options);
        const latch_test_outcome *o = latch_test_event(one, "tell", "{}");
        assert_string_equal(o->reply, rows[i].reply);
        assert_int_equal(o->status, rows[i].reply[0] != '\0' ? LATCH_OK : LATCH_E_INPUT);
        assert_string_equal(latch_test_logged_text(o, "told", "tenantId"), rows[i].tenant_in_log);
        latch_test_close(one);
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, open_kit, close_kit)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(steps_are_seen),
    ROW(a_step_that_fails_or_is_left_open_is_told),
    ROW(calls_of_the_store_are_steps),
    ROW(the_last_64_are_known_and_no_other_events),
    ROW(an_event_brings_what_the_options_say),
};
// clang-format on

CHECK_MAIN(tests)

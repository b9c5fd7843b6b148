/* test_counted.c - what a test sees of the metrics that a handler counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/opened.h"

/* ── the handlers that it is tried on ───────────────────────────────────────────────────────────────────────────────────── */

static latch_status init(latch_ctx *cx) {
    const char *fails = getenv("KIT_INIT_FAILS");
    LATCH_TRY(latch_metrics_use(cx, &(latch_metrics_settings){.name_space = "Shop", .cold_start = true}));
    latch_metric_dimension(cx, "Stage", LATCH_STR("test"));
    latch_metric(cx, "Loaded", LATCH_COUNT, 1);
    return fails == NULL ? LATCH_OK : latch_fail(cx, "NoSecret", "the secret isn't there");
}

/* {"took_ms": [2, 3.5], "shop": "berlin", "then": "fail"} */
static latch_status orders(latch_ctx *cx, latch_event *event) {
    latch_json body, took;
    latch_str shop, then;
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "took_ms", latch_optional(&took), "shop", latch_optional(&shop), "then", latch_optional(&then)));
    if (shop.len > 0) latch_metric_dimensions(cx, "Shop", shop);
    latch_metric(cx, "Orders", LATCH_COUNT, 1);
    for (latch_each each = latch_each_in(took); latch_each_next(&each);)
        latch_metric_high(cx, "price.lookup[0]", LATCH_MILLISECONDS, strtod(latch_text(latch_each_value(&each)).ptr, NULL));
    if (latch_str_eq(then, LATCH_STR("fail"))) return latch_fail(cx, "CardDeclined", "no");
    if (latch_str_eq(then, LATCH_STR("take too long"))) latch_test_pass(t, LATCH_MINUTE_MS);
    return latch_event_reply(event, latch_object(cx, "cold", latch_bool(latch_is_cold_start(cx))));
}

/* 250 values of one metric, and a metric that nobody may name so. */
static latch_status laps(latch_ctx *cx, latch_event *event) {
    (void)event;
    for (int i = 1; i <= 250; i++)
        latch_metric(cx, "Lap", LATCH_SECONDS, i);
    latch_metric(cx, "Lap", LATCH_COUNT, 1);
    latch_metric(cx, "requestId", LATCH_COUNT, 1);
    return LATCH_OK;
}

static latch_status silent(latch_ctx *cx, latch_event *event) {
    (void)event;
    latch_info(cx, "Orders", "Unit", "Count");
    return LATCH_OK;
}

static const latch_handler handlers[] = {
    {.name = "orders", .event = orders, .init = init},
    {.name = "plain", .event = orders},
    {.name = "laps", .event = laps},
    {.name = "silent", .event = silent},
};

static int open_kit(void **state) {
    (void)state;
    unsetenv("LATCH_METRICS_NAMESPACE");
    unsetenv("LATCH_METRICS_COLD_START");
    return open_with(handlers, COUNT_OF(handlers));
}

/* ── what is seen ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void assert_counted(const latch_test_outcome *o, const char *name, size_t count, double sum, const char *unit) {
    latch_test_metric m = latch_test_counted(o, name);
    if (m.count != count || m.sum < sum - 1e-9 || m.sum > sum + 1e-9 || strcmp(m.unit, unit) != 0)
        fail_msg("%s: %zu values, sum %g, unit \"%s\" in %s", name, m.count, m.sum, m.unit, o->log);
}

static void values_are_counted(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "plain", "{\"took_ms\": [2, 3.5]}");
    assert_counted(o, "Orders", 1, 1, "Count");
    assert_counted(o, "price.lookup[0]", 2, 5.5, "Milliseconds");
    assert_true(latch_test_counted(o, "price.lookup[0]").high && !latch_test_counted(o, "Orders").high);
    assert_true(latch_test_counted(o, "price.lookup[0]").last > 3.4);
    assert_counted(o, "Refunds", 0, 0, "");
    assert_counted(o, "price", 0, 0, "");
    assert_counted(latch_test_event(t, "plain", "{}"), "price.lookup[0]", 0, 0, ""); /* the next event begins anew */
    assert_counted(o, "Orders", 1, 1, "Count");
}

static void a_handler_that_counts_nothing_is_noticed(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "silent", "{}");
    assert_counted(o, "Orders", 0, 0, "");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Stage"), "");
    assert_int_equal(latch_test_logged(o, "Orders"), 1);
}

static void dimensions_are_seen(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "orders", "{\"shop\": \"berlin\"}");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Stage"), "test");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Shop"), "berlin");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Till"), "");
    assert_string_equal(latch_test_counted_by(o, "Orders", "requestId"), ""); /* a member of the line, and no dimension */
    assert_string_equal(latch_test_counted_by(o, "Refunds", "Stage"), "");
    o = latch_test_event(t, "orders", "{}");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Stage"), "test");
    assert_string_equal(latch_test_counted_by(o, "Orders", "Shop"), "");
}

static void several_lines_are_one(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "laps", "{}");
    assert_counted(o, "Lap", 250, 250 * 251 / 2.0, "Seconds");
    assert_int_equal(latch_test_logged(o, "a metric is dropped"), 2);
    assert_string_equal(latch_test_logged_text(o, "a metric is dropped", "why"), "it has another unit already");
    assert_counted(o, "requestId", 0, 0, "");
}

static void a_handler_that_fails_has_counted(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "plain", "{\"then\": \"fail\"}");
    assert_string_equal(o->error_type, "CardDeclined");
    assert_counted(o, "Orders", 1, 1, "Count");
}

/* Lambda has ended the process, and what it had counted with it. */
static void one_that_runs_out_of_time_has_not(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "plain", "{\"then\": \"take too long\"}");
    assert_string_equal(o->error_type, "Sandbox.Timedout");
    assert_counted(o, "Orders", 0, 0, "");
    assert_counted(latch_test_event(t, "plain", "{}"), "Orders", 1, 1, "Count");
}

static void a_cold_start_is_counted_once(void **state) {
    (void)state;
    const latch_test_outcome *first = latch_test_event(t, "orders", "{}"), *again = latch_test_event(t, "orders", "{}");
    assert_counted(first, "ColdStart", 1, 1, "Count");
    assert_counted(first, "Loaded", 1, 1, "Count"); /* by init, which runs once */
    assert_string_equal(latch_test_text(first, "cold"), "true");
    assert_counted(again, "ColdStart", 0, 0, "");
    assert_counted(again, "Loaded", 0, 0, "");
    assert_string_equal(latch_test_text(again, "cold"), "false");
    const latch_test_outcome *other = latch_test_event(t, "plain", "{}"); /* another process, which didn't ask for it */
    assert_string_equal(latch_test_text(other, "cold"), "true");
    assert_counted(other, "ColdStart", 0, 0, "");
}

static void a_failed_init_leaves_nothing(void **state) {
    (void)state;
    setenv("KIT_INIT_FAILS", "1", 1);
    const latch_test_outcome *o = latch_test_event(t, "orders", "{}");
    assert_true(o->init_failed);
    assert_counted(o, "Loaded", 0, 0, "");
    unsetenv("KIT_INIT_FAILS");
    o = latch_test_event(t, "orders", "{}");
    assert_counted(o, "Loaded", 1, 1, "Count");
    assert_counted(o, "ColdStart", 1, 1, "Count");
}

static void the_namespace_is_whose_it_says(void **state) {
    static const struct {
        const char *variable, *handler, *says;
    } rows[] = {
        {"", "plain", "\"Namespace\":\"latch_test\""},
        {"Env", "plain", "\"Namespace\":\"Env\""},
        {"Env", "orders", "\"Namespace\":\"Shop\""},
        {"AWS/Mine", "plain", "the namespace \\\"AWS/Mine\\\" is none"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        close_kit(state);
        open_kit(state);
        if (rows[i].variable[0] != '\0') setenv("LATCH_METRICS_NAMESPACE", rows[i].variable, 1);
        const latch_test_outcome *o = latch_test_event(t, rows[i].handler, "{}");
        if (strstr(o->log, rows[i].says) == NULL) fail_msg("row %zu: %s", i, o->log);
        assert_int_equal(o->init_failed, i == COUNT_OF(rows) - 1);
    }
    unsetenv("LATCH_METRICS_NAMESPACE");
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, open_kit, close_kit)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(values_are_counted),
    ROW(a_handler_that_counts_nothing_is_noticed),
    ROW(dimensions_are_seen),
    ROW(several_lines_are_one),
    ROW(a_handler_that_fails_has_counted),
    ROW(one_that_runs_out_of_time_has_not),
    ROW(a_cold_start_is_counted_once),
    ROW(a_failed_init_leaves_nothing),
    ROW(the_namespace_is_whose_it_says),
};
// clang-format on

CHECK_MAIN(tests)

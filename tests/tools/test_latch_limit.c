/* latch limit, as a person runs it, on limits that this process takes of as a function does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "latch_items.h"
#include "store/rate.h"
#include "tests/check.h"

static const latch_rate api = {.name = "api", .limit = 3, .window_ms = LATCH_HOUR_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_rate mail = {
    .name = "mail", .limit = 60, .window_ms = LATCH_HOUR_MS, .burst = 2, .algorithm = LATCH_RATE_GCRA, .known_ms = LATCH_RATE_KNOWN_NEVER};

static void take(const latch_rate *policy, const char *key, latch_status status) {
    latch_rate_state left;
    assert_int_equal(latch_rate_acquire(latch_items_cx(), policy, latch_str_of(key), &left), status);
}

static yyjson_val *member(const local_run *run, const char *name) { return yyjson_obj_get(local_line(run, 0), name); }

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_sliding_limit_is_shown(void **state) {
    (void)state;
    int64_t from_ms = latch_now_ms(latch_items_cx());
    for (int i = 0; i < 3; i++)
        take(&api, "203.0.113.7", LATCH_OK);
    int64_t to_ms = latch_now_ms(latch_items_cx());
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "203.0.113.7")), 0, "RATE#api#203.0.113.7 is in use, in table ",
                     NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "203.0.113.7")), 0, "  grants         3 listed, the policy's", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "203.0.113.7", "--limit", "3", "--window", "3600")), 0,
                     " is used up, in table ", NULL);
    local_run run = latch_run(LATCH_RUN_WORDS("limit", "show", "RATE#api#203.0.113.7", "--json"));
    assert_string_equal(local_text(&run, 0, "algorithm"), "sliding");
    assert_int_equal(yyjson_get_int(member(&run, "grants")), 3);
    assert_in_range(yyjson_get_sint(member(&run, "oldest_at_ms")), from_ms, to_ms);
    assert_in_range(yyjson_get_sint(member(&run, "newest_at_ms")), yyjson_get_sint(member(&run, "oldest_at_ms")), to_ms);
    assert_true(yyjson_is_null(member(&run, "remaining")) && yyjson_is_null(member(&run, "free_at")));
    local_forget(&run);
    run = latch_run(LATCH_RUN_WORDS("limit", "show", "api", "203.0.113.7", "--limit", "3", "--window", "3600", "--json"));
    assert_int_equal(yyjson_get_int(member(&run, "remaining")), 0);
    assert_in_range(yyjson_get_sint(member(&run, "retry_at_ms")), from_ms + api.window_ms, to_ms + api.window_ms + 1);
    local_forget(&run);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "203.0.113.7", "--limit", "5", "--window", "3600")), 0,
                     "  remaining      2\n  next           now\n", NULL);
}

static void a_gcra_limit_is_shown(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++)
        take(&mail, "ada", LATCH_OK);
    take(&mail, "ada", LATCH_LIMITED);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "mail", "ada")), 0, "  algorithm      GCRA\n  all free       2", NULL);
    local_run run =
        latch_run(LATCH_RUN_WORDS("limit", "show", "mail", "ada", "--limit", "60", "--window", "3600", "--burst", "2", "--json"));
    int64_t now_ms = latch_now_ms(latch_items_cx());
    assert_string_equal(local_text(&run, 0, "algorithm"), "GCRA");
    assert_true(yyjson_is_null(member(&run, "grants")));
    assert_int_equal(yyjson_get_int(member(&run, "remaining")), 0);
    assert_in_range(yyjson_get_sint(member(&run, "free_at_ms")), now_ms, now_ms + 2 * LATCH_MINUTE_MS);
    local_forget(&run);
}

static void what_is_not_there_is_told(void **state) {
    (void)state;
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "nobody")), 1, NULL, "there is no RATE#api#nobody in table ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "reset", "api", "nobody", "--yes")), 1, NULL, "there is no RATE#api#nobody in ");
    latch_items_put("{\"pk\":\"RATE#api#odd\",\"sk\":\"RATE\",\"ts\":[\"now\"]}");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "show", "api", "odd")), 1, NULL, "stamp");
}

/* ── reset ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_is_reset_is_free(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        take(&api, "203.0.113.7", LATCH_OK);
    take(&api, "203.0.113.7", LATCH_LIMITED);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "reset", "api", "203.0.113.7")), 1, NULL,
                     "add --yes where that is meant; nothing was reset");
    take(&api, "203.0.113.7", LATCH_LIMITED);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "reset", "api", "203.0.113.7", "--yes")), 0,
                     "reset RATE#api#203.0.113.7, in table ", NULL);
    for (int i = 0; i < 3; i++)
        take(&api, "203.0.113.7", LATCH_OK);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "reset", "api", "203.0.113.7", "--yes", "--json")), 0, "\"grants\":3,", NULL);
    take(&mail, "ada", LATCH_OK);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("limit", "reset", "mail", "ada", "--yes")), 0, "GCRA", NULL);
    assert_string_equal(latch_items_get("RATE#mail#ada", "RATE"), "");
}

/* Who is refused most is who is to be helped: what was granted meanwhile is no reason not to. */
static void a_yes_resets_what_is_in_use(void **state) {
    static const struct {
        const char *answer;
        int exit_status;
    } rows[] = {{"no\n", 1}, {"yes\n", 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        take(&api, "busy", LATCH_OK);
        latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("limit", "reset", "api", "busy"));
        if (i == 1) take(&api, "busy", LATCH_OK);
        local_run run = latch_run_answered(asked, rows[i].answer);
        assert_int_equal(run.exit_status, rows[i].exit_status);
        local_forget(&run);
        assert_int_equal(*latch_items_get("RATE#api#busy", "RATE") == '\0', rows[i].exit_status == 0);
    }
}

/* ── what can't be ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_run_row arguments[] = {
    {{"limit"}, 2, NULL, "latch limit: which command?"},
    {{"limit", "show", "--help"}, 0, "latch limit show: what", NULL},
    {{"limit", "reset", "--help"}, 0, "latch limit reset: forget", NULL},
    {{"limit", "show", "api"}, 2, NULL, "RATE#NAME#KEY; found api"},
    {{"limit", "show", "api", "x", "--limit", "3"}, 2, NULL, "--limit and --window are given both, or none"},
    {{"limit", "show", "api", "x", "--window", "3"}, 2, NULL, "--limit and --window are given both, or none"},
    {{"limit", "show", "api", "x", "--burst", "3"}, 2, NULL, "and --burst with them"},
    {{"limit", "show", "api", "x", "--window", "0"}, 2, NULL, "--window 0: want seconds"},
    {{"limit", "reset", "api", "x", "--limit", "3"}, 2, NULL, "unknown option --limit"},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    latch_run_expect_each(arguments, COUNT_OF(arguments));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(a_sliding_limit_is_shown), ROW(a_gcra_limit_is_shown),       ROW(what_is_not_there_is_told),
    ROW(what_is_reset_is_free),    ROW(a_yes_resets_what_is_in_use), ROW(arguments_are_checked_before_anything_is_asked),
};

CHECK_MAIN(tests)

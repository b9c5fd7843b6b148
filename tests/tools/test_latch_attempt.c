/* latch attempt, as a person runs it, on attempts that this process counts as a function does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "latch_items.h"
#include "store/attempts.h"
#include "tests/check.h"

static const latch_attempts login = {.name = "login", .max = 3, .window_ms = 15 * LATCH_MINUTE_MS};

static latch_attempt attempt_by(const char *key, latch_status status) {
    latch_ctx *cx = latch_items_cx();
    latch_attempt attempt;
    assert_int_equal(latch_attempts_take(cx, &login, latch_str_of(key), latch_object(cx, "from", "203.0.113.7"), &attempt), status);
    return attempt;
}

static local_run show(const char *key, const char *more) { return latch_run(LATCH_RUN_WORDS("attempt", "show", "login", key, more)); }
static local_run clear(const char *key, const char *more) { return latch_run(LATCH_RUN_WORDS("attempt", "clear", "login", key, more)); }

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void attempts_are_shown(void **state) {
    (void)state;
    latch_attempt first = attempt_by("ada", LATCH_OK);
    (void)attempt_by("ada", LATCH_OK);
    latch_run_expect(show("ada", NULL), 0, "ATTEMPT#login#ada is open, in table ", NULL);
    latch_run_expect(show("ada", NULL), 0, "  attempts       2 counted; how many are allowed is the policy's .max\n", NULL);
    latch_run_expect(show("ada", NULL), 0, "  context        {\"from\":\"203.0.113.7\"}\n", NULL);
    local_run run = show("ada", "--json");
    yyjson_val *doc = local_line(&run, 0);
    assert_string_equal(local_text(&run, 0, "state"), "open");
    assert_string_equal(local_text(&run, 0, "key"), "ada");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(doc, "attempts")), 2);
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(doc, "began_at_ms")), first.created_at_ms);
    int64_t late_ms = yyjson_get_sint(yyjson_obj_get(doc, "ends_at_latest_ms")) - first.ends_at_ms;
    assert_true(late_ms >= 0 && late_ms < LATCH_SECOND_MS);
    assert_non_null(yyjson_ptr_get(doc, "/context/from"));
    local_forget(&run);
}

static void a_window_that_is_over_is_told(void **state) {
    char item[512];
    int64_t past_ms = latch_now_ms(latch_items_cx()) - LATCH_HOUR_MS;
    (void)state;
    snprintf(item, sizeof item,
             "{\"pk\":\"ATTEMPT#login#past\",\"sk\":\"ATTEMPT\",\"attempts\":3,\"created\":%" PRId64
             ",\"win\":\"w\",\"last\":\"l\",\"context\":\"null\",\"ttl\":%" PRId64 "}",
             past_ms, (past_ms + LATCH_MINUTE_MS + LATCH_DAY_MS) / 1000);
    latch_items_put(item);
    latch_run_expect(show("past", NULL), 0, "ATTEMPT#login#past is over, in table ", NULL);
    latch_run_expect(show("past", NULL), 0, "59 min ", NULL);
    latch_run_expect(show("never", NULL), 1, NULL, "there is no ATTEMPT#login#never in table ");
    latch_run_expect(clear("never", "--yes"), 1, NULL, "there is no ATTEMPT#login#never in table ");
    latch_items_put("{\"pk\":\"ATTEMPT#login#odd\",\"sk\":\"ATTEMPT\",\"attempts\":\"many\"}");
    latch_run_expect(show("odd", NULL), 1, NULL, "attempts");
    latch_run_expect(clear("odd", "--yes"), 1, NULL, "attempts");
}

/* ── clear ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void who_is_locked_out_may_try_again(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        (void)attempt_by("ada@example.com", LATCH_OK);
    (void)attempt_by("ada@example.com", LATCH_LIMITED);
    latch_run_expect(clear("ada@example.com", NULL), 1, NULL, "add --yes where that is meant; nothing was cleared");
    (void)attempt_by("ada@example.com", LATCH_LIMITED);
    latch_run_expect(clear("ada@example.com", "--yes"), 0, "cleared ATTEMPT#login#ada@example.com, in table ", NULL);
    assert_int_equal(attempt_by("ada@example.com", LATCH_OK).used, 1);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("attempt", "clear", "login", "ada@example.com", "--yes", "--json")), 0, "\"attempts\":1,",
                     NULL);
    latch_run_expect(clear("ada@example.com", "--yes"), 1, NULL, "there is no ATTEMPT#login#ada@example.com in table ");
}

/* Whether the window that began after the other was shown is still there, with what was counted in it. */
static bool spares_another(const char *program) {
    local_program = program;
    latch_attempt shown = attempt_by("ada", LATCH_OK);
    latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("attempt", "clear", "login", "ada"));
    assert_int_equal(latch_attempts_clear(latch_items_cx(), &login, LATCH_STR("ada"), &shown), LATCH_OK);
    (void)attempt_by("ada", LATCH_OK);
    (void)attempt_by("ada", LATCH_OK);
    local_run run = latch_run_answered(asked, "yes\n");
    bool refused = run.exit_status == 1 && *run.out == '\0' && strstr(run.err, "is in another window than the one to clear") != NULL;
    local_forget(&run);
    return attempt_by("ada", LATCH_OK).used == 3 && refused;
}

static void another_window_is_spared(void **state) {
    (void)state;
    assert_true(spares_another(LATCH_TOOL));
    latch_run_expect(clear("ada", "--yes"), 0, "It had 3 attempts", NULL);
    assert_false(spares_another(LATCH_TWIN));
}

static void what_is_counted_meanwhile_goes_too(void **state) {
    (void)state;
    (void)attempt_by("ada", LATCH_OK);
    latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("attempt", "clear", "login", "ada"));
    (void)attempt_by("ada", LATCH_OK);
    local_run run = latch_run_answered(asked, "yes\n");
    assert_int_equal(run.exit_status, 0);
    local_forget(&run);
    assert_int_equal(attempt_by("ada", LATCH_OK).used, 1);
    run = latch_run_answered(latch_run_until_asked(LATCH_RUN_WORDS("attempt", "clear", "login", "ada")), "no\n");
    assert_int_equal(run.exit_status, 1);
    local_forget(&run);
    assert_int_equal(attempt_by("ada", LATCH_OK).used, 2);
}

/* ── what can't be ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tables_of_others_are_refused(void **state) {
    char theirs[80];
    (void)state;
    snprintf(theirs, sizeof theirs, "%s-theirs", latch_run_table);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "create", theirs, "--layout=paradoxical-partitioned-keys")), 0, "created", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("attempt", "show", "login", "x", "--table", theirs)), 1, NULL, "isn't the stores' own");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("attempt", "clear", "login", "x", "--yes", "--table", theirs)), 1, NULL,
                     "isn't the stores' own");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "delete", theirs, "--yes")), 0, "deleted", NULL);
}

static const latch_run_row arguments[] = {
    {{"attempt"}, 2, NULL, "latch attempt: which command?"},
    {{"attempt", "show", "--help"}, 0, "latch attempt show: how often", NULL},
    {{"attempt", "clear", "--help"}, 0, "latch attempt clear: forget", NULL},
    {{"attempts", "show"}, 2, NULL, "unknown command attempts: did you mean attempt?"},
    {{"attempt", "show", "ada"}, 2, NULL, "ATTEMPT#NAME#KEY; found ada"},
    {{"attempt", "show", "login", "x", "--yes"}, 2, NULL, "unknown option --yes"},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    latch_run_expect_each(arguments, COUNT_OF(arguments));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(attempts_are_shown),
    ROW(a_window_that_is_over_is_told),
    ROW(who_is_locked_out_may_try_again),
    ROW(another_window_is_spared),
    ROW(what_is_counted_meanwhile_goes_too),
    ROW(tables_of_others_are_refused),
    ROW(arguments_are_checked_before_anything_is_asked),
};

CHECK_MAIN(tests)

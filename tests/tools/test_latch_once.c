/* latch once, as a person runs it, on what this process does once as a function does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "latch_items.h"
#include "store/once.h"
#include "tests/check.h"

static latch_status pay(latch_ctx *cx, latch_work *work) {
    work->result = latch_object(cx, "charge", "ch_1", "sum", latch_int(1999));
    return LATCH_OK;
}

static latch_status refuse(latch_ctx *cx, latch_work *work) {
    (void)work;
    return latch_refuse(cx, LATCH_MISSING, "no such order");
}

static latch_status fail_half_way(latch_ctx *cx, latch_work *work) {
    (void)work;
    return latch_err_set(&cx->err, LATCH_E_NETWORK, "the provider doesn't answer");
}

/* While it is being done. */
static latch_status look_on(latch_ctx *cx, latch_work *work) {
    (void)work;
    latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "show", "payments", "order-17")), 0, "ONCE#payments#order-17 is in progress, ",
                     NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "clear", "payments", "order-17", "--yes")), 1, NULL,
                     "ONCE#payments#order-17 is in progress until ");
    work->result = latch_object(cx, "looked", latch_bool(true));
    return LATCH_OK;
}

static latch_status do_it(latch_work_fn *work, const char *key) {
    latch_ctx *cx = latch_items_cx();
    const latch_once once = {.name = "payments", .work = work, .keep_ms = LATCH_DAY_MS};
    latch_once_result result;
    return latch_once_do(cx, &once, latch_str_of(key), latch_object(cx, "order", key), &result);
}

static bool is_done(const char *key) {
    const latch_once once = {.name = "payments"};
    latch_once_result result;
    return latch_once_already_done(latch_items_cx(), &once, latch_str_of(key), &result) == LATCH_OK;
}

static local_run show(const char *key, const char *more) { return latch_run(LATCH_RUN_WORDS("once", "show", "payments", key, more)); }
static local_run clear(const char *key, const char *more) { return latch_run(LATCH_RUN_WORDS("once", "clear", "payments", key, more)); }

/* ── show ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_was_done_is_shown(void **state) {
    (void)state;
    assert_int_equal(do_it(pay, "order-17"), LATCH_OK);
    latch_run_expect(show("order-17", NULL), 0, "ONCE#payments#order-17 is done, in table ", NULL);
    latch_run_expect(show("order-17", NULL), 0, "  response       {\"charge\":\"ch_1\",\"sum\":1999}\n", NULL);
    latch_run_expect(show("order-17", NULL), 0, "  next           the next call is answered as this one was\n", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "show", "ONCE#payments#order-17")), 0, "  record ends    ", NULL);
    local_run run = show("order-17", "--json");
    yyjson_val *doc = local_line(&run, 0);
    assert_string_equal(local_text(&run, 0, "state"), "done");
    assert_string_equal(local_text(&run, 0, "key"), "order-17");
    assert_int_equal(strlen(local_text(&run, 0, "done_at")), 24);
    assert_int_equal(strlen(local_text(&run, 0, "payload_sha256")), 64);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(doc, "/response/sum")), 1999);
    assert_true(yyjson_is_null(yyjson_obj_get(doc, "until_ms")));
    int64_t kept_ms = yyjson_get_sint(yyjson_obj_get(doc, "ends_at_ms")) - yyjson_get_sint(yyjson_obj_get(doc, "done_at_ms"));
    assert_true(kept_ms >= LATCH_DAY_MS && kept_ms < LATCH_DAY_MS + LATCH_SECOND_MS);
    local_forget(&run);
}

static void what_is_being_done_is_shown_and_stays(void **state) {
    (void)state;
    assert_int_equal(do_it(look_on, "order-17"), LATCH_OK);
    assert_true(is_done("order-17"));
}

static void what_was_not_done_is_told_apart(void **state) {
    static const struct {
        const char *status, *is, *next;
    } rows[] = {
        {"INPROGRESS", " is overdue, ", "the next call does the work, and is told"},
        {"COMPLETED", " is ended, ", "the next call does the work again"},
    };
    char item[512];
    int64_t past_ms = latch_now_ms(latch_items_cx()) - LATCH_HOUR_MS;
    (void)state;
    assert_int_equal(do_it(refuse, "refused"), LATCH_MISSING);
    latch_run_expect(show("refused", NULL), 0, " is given back, ", NULL);
    assert_int_equal(do_it(fail_half_way, "failed"), LATCH_E_NETWORK);
    latch_run_expect(show("failed", NULL), 0, " is abandoned, ", NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(item, sizeof item,
                 "{\"pk\":\"ONCE#payments#past\",\"sk\":\"ONCE\",\"owner\":\"o\",\"status\":\"%s\",\"in_progress_expiration\":%" PRId64
                 ",\"expiration\":%" PRId64 "}",
                 rows[i].status, past_ms, past_ms / 1000);
        latch_items_put(item);
        latch_run_expect(show("past", NULL), 0, rows[i].is, NULL);
        latch_run_expect(show("past", NULL), 0, rows[i].next, NULL);
    }
    latch_run_expect(show("never", NULL), 1, NULL, "there is no ONCE#payments#never in table ");
    latch_items_put("{\"pk\":\"ONCE#payments#odd\",\"sk\":\"ONCE\",\"status\":\"DONE\"}");
    latch_run_expect(show("odd", NULL), 1, NULL, "item.status: is DONE");
    latch_run_expect(clear("odd", "--yes"), 1, NULL, "item.status: is DONE");
}

static void a_long_response_is_cut_for_people_alone(void **state) {
    char item[2048], response[1001];
    (void)state;
    memset(response, 'r', sizeof response - 1);
    response[sizeof response - 1] = '\0';
    snprintf(item, sizeof item,
             "{\"pk\":\"ONCE#payments#long\",\"sk\":\"ONCE\",\"owner\":\"o\",\"status\":\"COMPLETED\",\"expiration\":4000000000,"
             "\"data\":\"\\\"%s\\\"\",\"doneAt\":1}",
             response);
    latch_items_put(item);
    latch_run_expect(show("long", NULL), 0, "… (1002 bytes: --json has them all)\n", NULL);
    local_run run = show("long", "--json");
    assert_string_equal(local_text(&run, 0, "response"), response);
    local_forget(&run);
}

/* ── clear ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_is_cleared_is_done_again(void **state) {
    (void)state;
    assert_int_equal(do_it(pay, "order-17"), LATCH_OK);
    latch_run_expect(clear("order-17", NULL), 1, NULL, "add --yes where that is meant; nothing was cleared");
    assert_true(is_done("order-17"));
    latch_run_expect(clear("order-17", "--yes"), 0, "cleared ONCE#payments#order-17, in table ", NULL);
    assert_false(is_done("order-17"));
    latch_run_expect(clear("order-17", "--yes"), 1, NULL, "there is no ONCE#payments#order-17 in table ");
    assert_int_equal(do_it(fail_half_way, "order-17"), LATCH_E_NETWORK);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "clear", "payments", "order-17", "--yes", "--json")), 0, "\"state\":\"abandoned\"",
                     NULL);
    assert_string_equal(latch_items_get("ONCE#payments#order-17", "ONCE"), "");
}

/* Whether what was done anew after it was shown is still done. */
static bool spares_another(const char *program) {
    const latch_once once = {.name = "payments"};
    local_program = program;
    assert_int_equal(do_it(pay, "order-17"), LATCH_OK);
    latch_run_asked asked = latch_run_until_asked(LATCH_RUN_WORDS("once", "clear", "payments", "order-17"));
    assert_int_equal(latch_once_clear(latch_items_cx(), &once, LATCH_STR("order-17")), LATCH_OK);
    assert_int_equal(do_it(pay, "order-17"), LATCH_OK);
    local_run run = latch_run_answered(asked, "yes\n");
    bool refused = run.exit_status == 1 && *run.out == '\0' && strstr(run.err, "changed while it was to be cleared") != NULL;
    local_forget(&run);
    return is_done("order-17") && refused;
}

static void what_changes_meanwhile_is_spared(void **state) {
    (void)state;
    assert_true(spares_another(LATCH_TOOL));
    assert_false(spares_another(LATCH_TWIN));
}

static void a_no_clears_nothing(void **state) {
    (void)state;
    assert_int_equal(do_it(pay, "order-17"), LATCH_OK);
    local_run run = latch_run_answered(latch_run_until_asked(LATCH_RUN_WORDS("once", "clear", "payments", "order-17")), "no\n");
    assert_int_equal(run.exit_status, 1);
    assert_non_null(strstr(run.err, "\"charge\":\"ch_1\""));
    assert_non_null(strstr(run.err, "nothing was cleared"));
    local_forget(&run);
    assert_true(is_done("order-17"));
}

/* ── what can't be ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tables_of_others_are_refused(void **state) {
    static const char *const layouts[] = {"--layout=powertools", "--layout=paradoxical-partitioned-keys"};
    char theirs[80];
    (void)state;
    snprintf(theirs, sizeof theirs, "%s-theirs", latch_run_table);
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "create", theirs, layouts[i])), 0, "created", NULL);
        latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "show", "payments", "x", "--table", theirs)), 1, NULL, "isn't the stores' own");
        latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "clear", "payments", "x", "--yes", "--table", theirs)), 1, NULL,
                         "isn't the stores' own");
        latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "delete", theirs, "--yes")), 0, "deleted", NULL);
    }
    latch_run_expect(latch_run(LATCH_RUN_WORDS("once", "show", "payments", "x", "--table", "nobodys")), 1, NULL,
                     "there is no table nobodys");
}

static const latch_run_row arguments[] = {
    {{"once"}, 2, NULL, "latch once: which command?"},
    {{"once", "show", "--help"}, 0, "latch once show: whether", NULL},
    {{"once", "clear", "--help"}, 0, "latch once clear: forget", NULL},
    {{"once", "show"}, 2, NULL, "want NAME KEY"},
    {{"once", "clear", "LOCK#a#b"}, 2, NULL, "ONCE#NAME#KEY; found LOCK#a#b"},
    {{"once", "show", "payments", "x", "--yes"}, 2, NULL, "unknown option --yes"},
    {{"once", "clear", "payments", ""}, 2, NULL, "the key is empty"},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    latch_run_expect_each(arguments, COUNT_OF(arguments));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(what_was_done_is_shown),
    ROW(what_is_being_done_is_shown_and_stays),
    ROW(what_was_not_done_is_told_apart),
    ROW(a_long_response_is_cut_for_people_alone),
    ROW(what_is_cleared_is_done_again),
    ROW(what_changes_meanwhile_is_spared),
    ROW(a_no_clears_nothing),
    ROW(tables_of_others_are_refused),
    ROW(arguments_are_checked_before_anything_is_asked),
};

CHECK_MAIN(tests)

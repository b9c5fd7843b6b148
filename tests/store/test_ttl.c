/* What the stores promise where items are removed as soon as their ttl is past: nothing live goes, and what went is forgotten harmlessly. */
#include <string.h>

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/cache.h"
#include "store/dedupe.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define SKEW_MS INT64_C(2000)

static bool is_there(const char *pk, const char *sk) { return rig_has(&world, pk, sk, "pk"); }

/* The harness sees removals at all. */
static void removes_what_is_past_its_ttl(void **state) {
    static const latch_once order = {.name = "order"};
    latch_once_result out;
    (void)state;
    if (!rig_expire(&world)) skip();
    rig_put(&world, "{\"pk\":{\"S\":\"ONCE#order#o\"},\"sk\":{\"S\":\"ONCE\"},\"status\":{\"S\":\"COMPLETED\"},\"owner\":{\"S\":\"x\"},"
                    "\"expiration\":{\"N\":\"9999999999\"},\"ttl\":{\"N\":\"1767225601\"}}");
    assert_int_equal(latch_once_already_done(&ann.cx, &order, LATCH_STR("o"), &out), LATCH_OK);
    rig_pass(&world, 2000);
    assert_int_equal(latch_once_already_done(&ann.cx, &order, LATCH_STR("o"), &out), LATCH_MISSING);
    assert_false(is_there("ONCE#order#o", "ONCE"));
}

static latch_status at_the_end;
static int64_t end_at_ms;

static latch_status look_late(latch_ctx *cx, latch_work *work) {
    static const latch_once order = {.name = "order", .work = look_late, .keep_ms = 1, .in_progress_ms = 90500};
    latch_once_result out;
    (void)cx, (void)work;
    if (end_at_ms == 0) return LATCH_OK; /* bob's, where ann's claim was stolen */
    rig_at(&world, end_at_ms);
    end_at_ms = 0;
    at_the_end = latch_once_do(&bob.cx, &order, LATCH_STR("o"), LATCH_NULL, &out);
    return LATCH_OK;
}

static void lets_nobody_steal_running_work(void **state) {
    static const latch_once order = {.name = "order", .work = look_late, .keep_ms = 1, .in_progress_ms = 90500};
    static const struct {
        int64_t after_ms;
        latch_status anns, bobs;
    } rows[] = {{90500, LATCH_OK, LATCH_BUSY}, {90500 + SKEW_MS, LATCH_OK, LATCH_BUSY}, {90500 + SKEW_MS + 1, LATCH_CONFLICT, LATCH_OK}};
    (void)state;
    if (!rig_expire(&world)) skip();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        rig_at(&world, T0);
        rig_delete(&world, "ONCE#order#o", "ONCE");
        rig_again(&ann, 0);
        rig_again(&bob, 0);
        end_at_ms = T0 + rows[i].after_ms;
        assert_int_equal(latch_once_do(&ann.cx, &order, LATCH_STR("o"), LATCH_NULL, &out), rows[i].anns);
        assert_int_equal(at_the_end, rows[i].bobs);
    }
}

static void keeps_a_pending_job_to_its_takeover(void **state) {
    static const latch_dedupe mail = {.name = "mail", .job_timeout_ms = 1500};
    latch_job anns, bobs;
    (void)state;
    if (!rig_expire(&world)) skip();
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &mail, LATCH_STR("m"), &anns), LATCH_OK);
    rig_pass(&world, 1500 + SKEW_MS);
    assert_int_equal(latch_dedupe_register_or_join(&bob.cx, &mail, LATCH_STR("m"), &bobs), LATCH_BUSY);
    rig_pass(&world, 60000);
    assert_true(is_there("DEDUPE#mail#m", "DEDUPE#mail#m")); /* a late completion may still meet it */
    assert_int_equal(latch_dedupe_complete(&ann.cx, &mail, LATCH_STR("m"), anns.id, LATCH_NULL), LATCH_OK);
    rig_pass(&world, LATCH_DAY_MS + 2000);
    assert_false(is_there("DEDUPE#mail#m", "DEDUPE#mail#m"));
    assert_int_equal(latch_dedupe_complete(&ann.cx, &mail, LATCH_STR("m"), anns.id, LATCH_NULL), LATCH_CONFLICT);
    assert_int_equal(latch_dedupe_register_or_join(&bob.cx, &mail, LATCH_STR("m"), &bobs), LATCH_OK);
}

static void grows_a_locks_token_though_its_item_went(void **state) {
    static const latch_lock door = {.name = "door", .lease_ms = 1000};
    latch_hold first, second;
    (void)state;
    if (!rig_expire(&world)) skip();
    assert_int_equal(latch_lock_take(&ann.cx, &door, LATCH_STR("front"), &first), LATCH_OK);
    rig_pass(&world, 1000 + 7 * LATCH_DAY_MS);
    assert_true(is_there("LOCK#door#front", "LOCK"));
    rig_pass(&world, 2000);
    assert_false(is_there("LOCK#door#front", "LOCK"));
    assert_int_equal(latch_lock_extend(&ann.cx, &first, 1000), LATCH_CONFLICT);
    assert_int_equal(latch_lock_take(&bob.cx, &door, LATCH_STR("front"), &second), LATCH_OK);
    assert_true(second.fence > first.fence);
}

static void keeps_a_window_and_a_day(void **state) {
    static const latch_attempts login = {.name = "login", .max = 1, .window_ms = 60000};
    latch_attempt attempt;
    (void)state;
    if (!rig_expire(&world)) skip();
    assert_int_equal(latch_attempts_take(&ann.cx, &login, LATCH_STR("ann"), LATCH_NULL, &attempt), LATCH_OK);
    rig_pass(&world, 59999);
    assert_int_equal(latch_attempts_take(&ann.cx, &login, LATCH_STR("ann"), LATCH_NULL, &attempt), LATCH_LIMITED);
    rig_pass(&world, 1 + LATCH_DAY_MS);
    assert_true(is_there("ATTEMPT#login#ann", "ATTEMPT"));
    rig_pass(&world, 2000);
    assert_false(is_there("ATTEMPT#login#ann", "ATTEMPT"));
    rig_again(&ann, 0);
    assert_int_equal(latch_attempts_take(&ann.cx, &login, LATCH_STR("ann"), LATCH_NULL, &attempt), LATCH_OK);
    assert_int_equal(ann.requests, 1);
}

static void keeps_what_never_expires(void **state) {
    static const latch_cache for_ever = {.name = "price", .ttl_ms = LATCH_CACHE_NEVER_EXPIRES}, brief = {.name = "brief", .ttl_ms = 1000};
    latch_json v;
    (void)state;
    if (!rig_expire(&world)) skip();
    assert_int_equal(latch_cache_set(&ann.cx, &for_ever, LATCH_STR("tea"), LATCH_NULL), LATCH_OK);
    assert_int_equal(latch_cache_set(&ann.cx, &brief, LATCH_STR("tea"), LATCH_NULL), LATCH_OK);
    rig_pass(&world, 1000 * LATCH_SPAN_MS_MAX);
    assert_int_equal(latch_cache_get(&ann.cx, &for_ever, LATCH_STR("tea"), &v), LATCH_OK);
    assert_int_equal(latch_cache_get(&ann.cx, &brief, LATCH_STR("tea"), &v), LATCH_MISSING);
    assert_false(is_there("CACHE#brief#tea", "CACHE#brief#tea"));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(removes_what_is_past_its_ttl),
    ROW(lets_nobody_steal_running_work),
    ROW(keeps_a_pending_job_to_its_takeover),
    ROW(grows_a_locks_token_though_its_item_went),
    ROW(keeps_a_window_and_a_day),
    ROW(keeps_what_never_expires),
};

CHECK_MAIN(tests)

#include <string.h>

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/dedupe.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/check.h"
#include "tests/store/pair.h"

/*
 * A caller whose clock runs ahead by minutes, until DynamoDB refuses its signature and the answer's Date puts it right: the request that
 * was refused has times of the wrong clock in it. By those, what another holds has ended long ago.
 */

#define AHEAD_MS (10 * LATCH_MINUTE_MS)
#define KEY LATCH_STR("k")

static latch_transport bobs_own;
static int refused; /* of bob's requests, for their time */

static latch_status refuse_the_time(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    (void)self;
    if (bob.ahead_us == 0) return bobs_own.call(bobs_own.self, send, arena, out, err);
    *out = (latch_reply){.http_status = 400, .moved_ms = -bob.ahead_us / 1000};
    out->body =
        latch_arena_copy(arena, LATCH_STR("{\"__type\":\"x#InvalidSignatureException\",\"message\":\"Signature not yet current\"}"));
    bob.ahead_us = 0;
    refused++;
    return LATCH_OK;
}

static int set_up(void **state) {
    (void)state;
    pair_open(RIG_ARENA_BYTES);
    bobs_own = bob.client.transport;
    bob.client.transport = (latch_transport){.call = refuse_the_time};
    bob.cx.deadline_at_ms = T0 + AHEAD_MS + LATCH_MINUTE_MS;
    bob.ahead_us = AHEAD_MS * 1000;
    refused = 0;
    return 0;
}

static void bob_was_put_right(size_t requests) {
    assert_int_equal(refused, 1);
    assert_int_equal(bob.ahead_us, 0);
    assert_int_equal(bob.requests, requests);
    assert_int_equal(bob.cx.deadline_at_ms, T0 + LATCH_MINUTE_MS);
}

static const latch_lock door = {.name = "door", .lease_ms = 30000};

static void a_lock_is_not_taken_from_its_holder(void **state) {
    latch_hold anns, bobs;
    (void)state;
    assert_int_equal(latch_lock_take(&ann.cx, &door, KEY, &anns), LATCH_OK);
    assert_int_equal(latch_lock_take(&bob.cx, &door, KEY, &bobs), LATCH_HELD);
    assert_true(latch_lock_held(&ann.cx, &anns));
    assert_false(bob.cx.err.maybe_applied);
    bob_was_put_right(1);
}

static void a_free_lock_is_taken_at_the_right_time(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(latch_lock_take(&bob.cx, &door, KEY, &hold), LATCH_OK);
    assert_int_equal(hold.until_ms, T0 + 30000);
    assert_true(latch_lock_held(&bob.cx, &hold));
    rig_pass(&world, 30000);
    assert_false(latch_lock_held(&bob.cx, &hold));
    bob_was_put_right(1);
}

static void a_lease_is_not_extended_beyond_what_was_asked_for(void **state) {
    latch_hold hold;
    (void)state;
    bob.ahead_us = 0;
    bob.cx.deadline_at_ms = T0 + LATCH_MINUTE_MS;
    assert_int_equal(latch_lock_take(&bob.cx, &door, KEY, &hold), LATCH_OK);
    bob.ahead_us = AHEAD_MS * 1000; /* the machine's clock was set */
    bob.cx.deadline_at_ms += AHEAD_MS;
    assert_int_equal(latch_lock_extend(&bob.cx, &hold, 40000), LATCH_OK);
    assert_int_equal(hold.until_ms, T0 + 40000);
    assert_int_equal(rig_number(&world, "LOCK#door#k", "LOCK", "expiresAt"), T0 + 40000);
    rig_pass(&world, 39999);
    assert_true(latch_lock_held(&bob.cx, &hold));
    rig_pass(&world, 1);
    assert_false(latch_lock_held(&bob.cx, &hold));
    bob_was_put_right(2);
}

static int works;
static latch_status bobs_answer;
static latch_status (*meanwhile)(latch_ctx *cx);

static latch_status work_once(latch_ctx *cx, latch_work *work) {
    (void)cx;
    (void)work;
    works++;
    if (works == 1 && meanwhile != NULL) bobs_answer = meanwhile(&bob.cx);
    return LATCH_OK;
}
static const latch_once order = {.name = "order", .work = work_once};

static latch_status do_it(latch_ctx *cx) {
    latch_once_result result;
    return latch_once_do(cx, &order, KEY, LATCH_NULL, &result);
}
static latch_status mark_it(latch_ctx *cx) { return latch_once_mark_done(cx, &order, KEY, LATCH_NULL, LATCH_NULL); }

static void work_is_not_begun_beside_its_owner(void **state) {
    (void)state;
    works = 0;
    meanwhile = do_it;
    assert_int_equal(do_it(&ann.cx), LATCH_OK);
    assert_int_equal(bobs_answer, LATCH_BUSY);
    assert_int_equal(works, 1);
    bob_was_put_right(1);
}

static void work_is_not_marked_done_under_its_owner(void **state) {
    (void)state;
    works = 0;
    meanwhile = mark_it;
    assert_int_equal(do_it(&ann.cx), LATCH_OK);
    assert_int_equal(bobs_answer, LATCH_BUSY);
    bob_was_put_right(1);
}

static void work_that_is_free_is_done(void **state) {
    (void)state;
    works = 1;
    assert_int_equal(do_it(&bob.cx), LATCH_OK);
    assert_int_equal(works, 2);
    assert_int_equal(rig_number(&world, "ONCE#order#k", "ONCE", "doneAt"), T0);
    bob_was_put_right(2); /* claim, complete */
}

static void a_job_is_not_registered_over_another(void **state) {
    static const latch_dedupe mail = {.name = "mail", .job_timeout_ms = 60000};
    latch_job anns, bobs;
    (void)state;
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &mail, KEY, &anns), LATCH_OK);
    assert_int_equal(latch_dedupe_register_or_join(&bob.cx, &mail, KEY, &bobs), LATCH_BUSY);
    assert_true(latch_str_eq(anns.id, bobs.id));
    bob_was_put_right(1);
    assert_int_equal(latch_dedupe_register_or_join(&bob.cx, &mail, LATCH_STR("another"), &bobs), LATCH_OK);
    assert_int_equal(bobs.deadline_at_ms, T0 + 60000);
}

static void a_window_is_not_closed_early(void **state) {
    static const latch_attempts login = {.name = "login", .max = 1, .window_ms = 60000};
    latch_attempt attempt;
    (void)state;
    assert_int_equal(latch_attempts_take(&ann.cx, &login, KEY, LATCH_NULL, &attempt), LATCH_OK);
    assert_int_equal(latch_attempts_take(&bob.cx, &login, KEY, LATCH_NULL, &attempt), LATCH_LIMITED);
    assert_int_equal(attempt.ends_at_ms, T0 + 60000);
    bob_was_put_right(1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(a_lock_is_not_taken_from_its_holder),
    ROW(a_free_lock_is_taken_at_the_right_time),
    ROW(a_lease_is_not_extended_beyond_what_was_asked_for),
    ROW(work_is_not_begun_beside_its_owner),
    ROW(work_is_not_marked_done_under_its_owner),
    ROW(work_that_is_free_is_done),
    ROW(a_job_is_not_registered_over_another),
    ROW(a_window_is_not_closed_early),
};

CHECK_MAIN(tests)

#include <stdlib.h>

#include "core/ctx.h"
#include "store/lock.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define LEASE_MS INT64_C(30000)
#define SKEW_MS INT64_C(2000)
#define DOC "doc"

static const latch_lock door = {.name = "door", .lease_ms = LEASE_MS, .keep = true}; /* what is frozen releases nothing */

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_token = {"#fence <= :fence", "(#fence <= :fence OR #fence >= :fence)"};
static const rig_twin forgets_guard = {"#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f",
                                       "(#ownerName = :o OR #recordVersionNumber = :v OR #fence = :f OR attribute_exists(#fence))"};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)1 << 20);
    return 0;
}

static void begin_again(rig_twin twin) {
    rig_delete(&world, "LOCK#door#front", "LOCK");
    rig_delete(&world, DOC, "1");
    pair_again(twin);
    ann.cx.request_id = LATCH_STR("ann-1");
    bob.cx.request_id = LATCH_STR("bob-1");
}

static latch_json key_for(rig *r) { return latch_object(&r->cx, "pk", DOC, "sk", "1"); }
static latch_status take(rig *r, latch_hold *out) { return latch_lock_take(&r->cx, &door, LATCH_STR("front"), out); }
static latch_status mark(rig *r, const latch_hold *hold, latch_json *item) { return latch_lock_mark(&r->cx, hold, NULL, key_for(r), item); }

static latch_status write_sum(rig *r, const latch_hold *hold, int64_t sum) {
    latch_json item;
    return latch_lock_update(&r->cx, hold,
                             &(latch_dynamodb_update_request){.key = key_for(r),
                                                              .update = "SET #sum = :sum REMOVE #old",
                                                              .condition = "attribute_not_exists(#sum) OR #sum < :most",
                                                              .values = LATCH_VALUES(":sum", sum, ":most", latch_int(1000)),
                                                              .repeatable = true},
                             &item);
}

static latch_status transact(rig *r, const latch_hold *hold, latch_dynamodb_cancelled *why) {
    latch_dynamodb_action guard;
    LATCH_TRY(latch_lock_guard(&r->cx, hold, &guard));
    return latch_dynamodb_transact_write(
        &r->cx,
        &(latch_dynamodb_transact_write_request){
            LATCH_ACTIONS(guard, {.kind = LATCH_ACTION_PUT, .item = latch_object(&r->cx, "pk", DOC, "sk", "1", "by", r->cx.request_id)})},
        why);
}

static int64_t stored(const char *attribute) { return rig_number(&world, DOC, "1", attribute); }

/* Ann takes it, freezes past her lease, and thaws when bob has taken it; he has marked, or not yet. */
static void thaw(rig_twin twin, bool marked, latch_hold *anns, latch_hold *bobs) {
    latch_json item;
    begin_again(twin);
    assert_int_equal(take(&ann, anns), LATCH_OK);
    assert_int_equal(mark(&ann, anns, &item), LATCH_OK);
    assert_int_equal(write_sum(&ann, anns, 1), LATCH_OK);
    rig_pass(&world, LEASE_MS + SKEW_MS + 1);
    assert_int_equal(take(&bob, bobs), LATCH_OK);
    assert_true(bobs->fence > anns->fence);
    if (!marked) return;
    int64_t sum;
    assert_int_equal(mark(&bob, bobs, &item), LATCH_OK);
    assert_int_equal(latch_read(item, "sum", &sum), LATCH_OK); /* what it reads is what stood when it marked */
    assert_int_equal(sum, 1);
}

static void a_thawed_holders_write_is_refused(void **state) {
    latch_hold anns, bobs;
    latch_json item;
    (void)state;
    thaw(sound, true, &anns, &bobs);
    assert_int_equal(write_sum(&ann, &anns, 7), LATCH_CONFLICT);
    assert_non_null(strstr(ann.cx.err.message, "is guarded by a later one"));
    assert_int_equal(mark(&ann, &anns, &item), LATCH_CONFLICT);
    assert_int_equal(stored("sum"), 1);
    assert_int_equal(write_sum(&bob, &bobs, 2), LATCH_OK);
    assert_int_equal(stored("sum"), 2);
    assert_int_equal(stored("fence"), bobs.fence);
    thaw(sound, false, &anns, &bobs); /* before the mark it isn't, as the header says */
    assert_int_equal(write_sum(&ann, &anns, 7), LATCH_OK);
    thaw(forgets_token, true, &anns, &bobs); /* the test sees it */
    assert_int_equal(write_sum(&ann, &anns, 7), LATCH_OK);
}

static void a_late_write_is_refused_too(void **state) {
    latch_hold anns, bobs;
    latch_json item;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again(i == 0 ? sound : forgets_token);
        assert_int_equal(take(&ann, &anns), LATCH_OK);
        assert_int_equal(mark(&ann, &anns, &item), LATCH_OK);
        ann.faults[ann.requests] = LATE;
        ann.faults[ann.requests + 1] = LOST_BEFORE;
        assert_int_equal(write_sum(&ann, &anns, 1), LATCH_OK); /* its third try */
        rig_pass(&world, LEASE_MS + SKEW_MS + 1);
        assert_int_equal(take(&bob, &bobs), LATCH_OK);
        assert_int_equal(mark(&bob, &bobs, &item), LATCH_OK);
        assert_int_equal(write_sum(&bob, &bobs, 2), LATCH_OK);
        rig_deliver(&ann);
        assert_int_equal(stored("sum"), i == 0 ? 2 : 1);
    }
}

static void a_transaction_is_guarded(void **state) {
    latch_dynamodb_cancelled why;
    latch_hold anns, bobs;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again(i == 0 ? sound : forgets_guard);
        assert_int_equal(take(&ann, &anns), LATCH_OK);
        size_t before = ann.requests;
        assert_int_equal(transact(&ann, &anns, &why), LATCH_OK);
        assert_int_equal(ann.requests, before + 1);
        rig_pass(&world, LEASE_MS + 1); /* its lease has ended, nobody took it: it is its own yet */
        assert_int_equal(transact(&ann, &anns, &why), LATCH_OK);
        rig_pass(&world, SKEW_MS);
        assert_int_equal(take(&bob, &bobs), LATCH_OK);
        assert_int_equal(transact(&bob, &bobs, &why), LATCH_OK);
        latch_status status = transact(&ann, &anns, &why);
        assert_int_equal(status, i == 0 ? LATCH_CONFLICT : LATCH_OK);
        if (i == 0) assert_int_equal(why.first, 0);
        assert_true(rig_has_text(&world, DOC, "1", "by", i == 0 ? "bob-1" : "ann-1"));
    }
    begin_again(sound);
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    assert_int_equal(latch_lock_release(&ann.cx, &anns), LATCH_OK);
    assert_int_equal(transact(&ann, &anns, NULL), LATCH_CONFLICT);
}

/* In a table whose keys have other names, the guard has them too. */
static void the_guard_has_the_tables_own_names(void **state) {
    latch_dynamodb_action guard;
    latch_hold hold;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    ann.table.pk = "p\"k", ann.table.sk = "s";
    assert_int_equal(latch_lock_guard(&ann.cx, &hold, &guard), LATCH_OK);
    assert_true(latch_str_eq(latch_text(guard.key), LATCH_STR("{\"p\\\"k\":\"LOCK#door#front\",\"s\":\"LOCK\"}")));
}

static void its_update_is_the_authors_own(void **state) {
    static const struct {
        const char *update, *condition;
        latch_status wants;
        const char *sent;
    } rows[] = {
        {"SET #sum = :sum", NULL, LATCH_OK, "\"UpdateExpression\":\"SET #fence = :fence, #sum = :sum\""},
        {"ADD #sum :sum", NULL, LATCH_OK, "\"UpdateExpression\":\"SET #fence = :fence ADD #sum :sum\""},
        {"REMOVE #settled set #sum = :sum", NULL, LATCH_OK, "\"UpdateExpression\":\"REMOVE #settled set #fence = :fence, #sum = :sum\""},
        {"SET #set = :sum", "#sum = :sum OR attribute_not_exists(#sum)", LATCH_OK,
         "(#sum = :sum OR attribute_not_exists(#sum)) AND (attribute_not_exists(#fence) OR #fence <= :fence)"},
        {"SET #sum = :sum", "#sum = :sum", LATCH_CONFLICT, "(#sum = :sum) AND ("},
    };
    latch_hold hold;
    latch_json item;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        latch_status status = latch_lock_update(&ann.cx, &hold,
                                                &(latch_dynamodb_update_request){.key = key_for(&ann),
                                                                                 .update = rows[i].update,
                                                                                 .condition = rows[i].condition,
                                                                                 .values = LATCH_VALUES(":sum", latch_int(5))},
                                                &item);
        if (status != rows[i].wants) fail_msg("row %zu: %d, %s", i, status, ann.cx.err.message);
        if (strstr(ann.last_request, rows[i].sent) == NULL) fail_msg("row %zu: %s", i, ann.last_request);
        if (status == LATCH_OK) assert_int_equal(stored("fence"), hold.fence);
    }
}

static void refuses_what_take_did_not_give(void **state) {
    latch_dynamodb_action guard;
    latch_hold none = {0};
    latch_json item;
    (void)state;
    begin_again(sound);
    assert_int_equal(latch_lock_guard(&ann.cx, &none, &guard), LATCH_E_MISUSE);
    assert_int_equal(mark(&ann, &none, &item), LATCH_E_MISUSE);
    assert_int_equal(write_sum(&ann, &none, 1), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
    latch_hold hold;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    rig_put(&world, "{\"pk\":{\"S\":\"doc\"},\"sk\":{\"S\":\"1\"},\"fence\":{\"S\":\"x\"}}");
    assert_int_equal(mark(&ann, &hold, &item), LATCH_E_DATA);
}

/* An operator breaks what a dead process left: the next one takes it at once, with a greater token; the broken one finds out. */
static void is_broken_as_it_was_seen(void **state) {
    latch_lock_holder holder;
    latch_hold anns, bobs;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(latch_lock_break(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(bob.requests, 2);
    assert_int_equal(take(&bob, &bobs), LATCH_OK);
    assert_true(bobs.fence > anns.fence);
    assert_int_equal(latch_lock_break(&ann.cx, &door, LATCH_STR("front"), &holder), LATCH_CONFLICT); /* late: not bob's */
    assert_true(latch_lock_held(&bob.cx, &bobs));
    assert_int_equal(latch_lock_extend(&bob.cx, &bobs, LEASE_MS + 1), LATCH_OK);
    assert_int_equal(latch_lock_extend(&ann.cx, &anns, LEASE_MS), LATCH_CONFLICT);
    assert_int_equal(latch_lock_break(&ann.cx, &door, LATCH_STR("front"), &(latch_lock_holder){0}), LATCH_E_MISUSE);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(a_thawed_holders_write_is_refused),
    ROW(a_late_write_is_refused_too),
    ROW(a_transaction_is_guarded),
    ROW(the_guard_has_the_tables_own_names),
    ROW(its_update_is_the_authors_own),
    ROW(refuses_what_take_did_not_give),
    ROW(is_broken_as_it_was_seen),
    // clang-format on
};

CHECK_MAIN(tests)

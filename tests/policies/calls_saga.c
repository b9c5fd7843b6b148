#include "core/ctx.h"
#include "store/saga_run.h"
#include "tests/policies/calls.h"

/* ── the store ── */

static const latch_saga orders = {.name = "s"};

static latch_saga_instance ours;

static latch_status insert(rig *r, latch_str id, bool completed, int64_t timeout_ms) {
    ours = (latch_saga_instance){.id = id, .correlation_id = id, .state = some(r, "paid"), .completed = completed};
    if (timeout_ms > 0) latch_saga_set_timeout(&r->cx, &ours, timeout_ms);
    return latch_saga_insert(&r->cx, &orders, &ours, NULL);
}

static latch_status saga_insert(rig *r) { return insert(r, key, false, 0); }
static latch_status saga_insert_with_timeout(rig *r) { return insert(r, key, false, LATCH_MINUTE_MS); }
static latch_status bob_inserts(void) { return saga_insert(bob); }
static latch_status bob_inserts_with_timeout(void) { return saga_insert_with_timeout(bob); }

static latch_status saga_get_by_id(rig *r) {
    latch_saga_instance found;
    return latch_saga_get_by_id(&r->cx, &orders, key, &found);
}

static latch_status saga_get_by_correlation_id(rig *r) {
    latch_saga_instance found;
    return latch_saga_get_by_correlation_id(&r->cx, &orders, key, &found);
}

static latch_status saga_update(rig *r) {
    ours.state = some(r, "packed");
    return latch_saga_update(&r->cx, &orders, &ours, NULL);
}

static latch_status saga_complete(rig *r) {
    ours.completed = true;
    return saga_update(r);
}

static latch_status bob_updates_it(void) {
    LATCH_TRY(bob_inserts());
    LATCH_TRY(saga_update(bob));
    ours.version--;
    return LATCH_OK;
}

static latch_status saga_delete(rig *r) { return latch_saga_delete(&r->cx, &orders, &ours, NULL); }

/* In a table that a saga bus owns. */
static const latch_saga bus = {.name = "s", .saga_bus_table = "sagas"};

static latch_status saga_insert_of_bus(rig *r) {
    ours = (latch_saga_instance){.id = key, .correlation_id = key, .state = some(r, "paid")};
    return latch_saga_insert(&r->cx, &bus, &ours, NULL);
}

static latch_status bob_inserts_of_bus(void) { return saga_insert_of_bus(bob); }
static latch_status saga_delete_of_bus(rig *r) { return latch_saga_delete(&r->cx, &bus, &ours, NULL); }

/* ── finding ── */

static latch_status bob_inserts_three(bool completed, int64_t timeout_ms) {
    for (int i = 0; i < 3; i++)
        LATCH_TRY(insert(bob, numbered(bob, i), completed, timeout_ms));
    rig_pass(bob->world, LATCH_HOUR_MS);
    return LATCH_OK;
}

static latch_status there_are_three(void) { return bob_inserts_three(false, 0); }
static latch_status three_are_completed(void) { return bob_inserts_three(true, 0); }
static latch_status three_timed_out(void) { return bob_inserts_three(false, LATCH_MINUTE_MS); }

static latch_status saga_find_by_name(rig *r) {
    latch_saga_page page;
    LATCH_TRY(latch_saga_find_by_name(&r->cx, &orders, &(latch_saga_query){0}, &page));
    return page.count == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status saga_find_timed_out(rig *r) {
    latch_saga_page page;
    LATCH_TRY(latch_saga_find_timed_out(&r->cx, &orders, &(latch_saga_query){0}, &page));
    return page.count == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status saga_delete_completed_before(rig *r) {
    int64_t deleted;
    LATCH_TRY(latch_saga_delete_completed_before(&r->cx, &orders, rig_now_ms(r->world), &deleted));
    return deleted == 3 ? LATCH_OK : LATCH_E_DATA;
}

#define OF_THREE "3 sagas of this name"
#define TRANSACTS .local_counts_otherwise = true

const play saga_plays[] = {
    {CALL(saga_get_by_id, "always"), .prepare = bob_inserts, .go = saga_get_by_id},
    {CALL(saga_get_by_correlation_id, "always"), .prepare = bob_inserts, .go = saga_get_by_correlation_id},
    {CALL(saga_get_by_correlation_id, "there is none"), .go = saga_get_by_correlation_id, .wants = LATCH_MISSING},
    {CALL(saga_insert, "always"), .go = saga_insert, TRANSACTS},
    {CALL(saga_insert, "with a timeout"), .go = saga_insert_with_timeout, TRANSACTS},
    {CALL(saga_insert, "`.saga_bus_table`"), .go = saga_insert_of_bus, TRANSACTS},
    {CALL(saga_update, "always"), .prepare = bob_inserts, .go = saga_update},
    {CALL(saga_update, "with a timeout"), .prepare = bob_inserts_with_timeout, .go = saga_update},
    {CALL(saga_update, "it is completed"), .prepare = bob_inserts, .go = saga_complete},
    {CALL(saga_update, "another has changed it"), .prepare = bob_updates_it, .go = saga_update, .wants = LATCH_CONFLICT},
    {CALL(saga_delete, "always"), .prepare = bob_inserts, .go = saga_delete, TRANSACTS},
    {CALL(saga_delete, "`.saga_bus_table`"), .prepare = bob_inserts_of_bus, .go = saga_delete_of_bus, TRANSACTS},
    {CALL(saga_find_by_name, OF_THREE), .own_table = true, .prepare = there_are_three, .go = saga_find_by_name},
    {CALL(saga_find_timed_out, OF_THREE), .own_table = true, .prepare = three_timed_out, .go = saga_find_timed_out},
    {CALL(saga_delete_completed_before, OF_THREE), .own_table = true, .prepare = three_are_completed, .go = saga_delete_completed_before,
     TRANSACTS},
    {0},
};

/* ── steps ── */

static bool later;

static latch_status go_on(latch_ctx *cx, latch_work *w) {
    w->result = latch_object(cx, "id", "r");
    return LATCH_OK;
}

static latch_status wait(latch_ctx *cx, latch_work *w) {
    if (later) return latch_refuse(cx, LATCH_LIMITED, "not now", "key", w->key);
    return go_on(cx, w);
}

static latch_status refuse(latch_ctx *cx, latch_work *w) { return latch_refuse(cx, LATCH_MISSING, "sold out", "key", w->key); }

static const latch_saga_plan plan = {.saga = &orders,
                                     LATCH_SAGA_STEPS({"pay", go_on, go_on}, {"pack", go_on, go_on}, {"ship", wait, NULL})},
                             undoes = {.saga = &orders,
                                       LATCH_SAGA_STEPS({"pay", go_on, go_on}, {"pack", go_on, go_on}, {"ship", refuse, NULL})};

static latch_status run(rig *r, const latch_saga_plan *steps) {
    latch_saga_outcome out;
    return latch_saga_run(&r->cx, steps, key, some(r, "order"), &out);
}

static latch_status saga_run(rig *r) { return run(r, &plan); }
static latch_status saga_run_undone(rig *r) { return run(r, &undoes); }
static latch_status bob_ran(void) { return run(bob, &plan); }

static latch_status bob_left_it(void) {
    later = true;
    latch_status status = run(bob, &plan);
    later = false;
    return status == LATCH_LIMITED ? LATCH_OK : LATCH_E_DATA;
}

static latch_status saga_resume(rig *r) {
    latch_saga_outcome out;
    return latch_saga_resume(&r->cx, &plan, key, &out);
}

const play saga_run_plays[] = {
    {CALL(saga_run, "3 steps"), .go = saga_run, TRANSACTS},
    {CALL(saga_run, "all was done before"), .prepare = bob_ran, .go = saga_run, TRANSACTS},
    {CALL(saga_run, "the third of 3 steps says no, and 2 are undone"), .go = saga_run_undone, .wants = LATCH_UNDONE, TRANSACTS},
    {CALL(saga_run, "the last of 3 steps was left by another"), .prepare = bob_left_it, .go = saga_run, TRANSACTS},
    {CALL(saga_resume, "the last of 3 steps was left by another"), .prepare = bob_left_it, .go = saga_resume},
    {0},
};

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/dedupe.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/policies/calls.h"

#define LEASE_MS INT64_C(30000)

static latch_job bobs_job;
static latch_hold bobs_hold, anns_hold;
static latch_lock_holder seen;
static latch_attempt anns_attempt;

/* ── dedupe ── */

static const latch_dedupe messages = {.name = "m"}, waiting_messages = {.name = "m", .wait_ms = LATCH_MINUTE_MS};

static latch_status bob_registers(void) { return latch_dedupe_register_or_join(&bob->cx, &messages, key, &bobs_job); }

static latch_status bob_completes(void) {
    LATCH_TRY(bob_registers());
    return latch_dedupe_complete(&bob->cx, &messages, key, bobs_job.id, some(bob, "done"));
}

static void bob_ends_the_job(void) { need(bob, latch_dedupe_complete(&bob->cx, &messages, key, bobs_job.id, LATCH_NULL)); }

static latch_status enter(rig *r, const latch_dedupe *policy) {
    latch_status status = latch_dedupe_enter(&r->cx, policy, key);
    rig_end(r, status);
    return status;
}

static latch_status dedupe_enter(rig *r) { return enter(r, &messages); }
static latch_status dedupe_enter_waiting(rig *r) { return enter(r, &waiting_messages); }

static latch_status dedupe_register(rig *r) {
    latch_job job;
    return latch_dedupe_register_or_join(&r->cx, &messages, key, &job);
}

static latch_status dedupe_wait_for(rig *r) {
    latch_job job;
    return latch_dedupe_wait_for(&r->cx, &messages, key, &job);
}

static latch_status dedupe_complete(rig *r) { return latch_dedupe_complete(&r->cx, &messages, key, bobs_job.id, LATCH_NULL); }
static latch_status dedupe_fail(rig *r) { return latch_dedupe_fail(&r->cx, &messages, key, bobs_job.id, LATCH_STR("why")); }

static latch_status dedupe_is_in_progress(rig *r) {
    bool is;
    return latch_dedupe_is_in_progress(&r->cx, &messages, key, &is);
}

static latch_status dedupe_register_alone(rig *r) {
    latch_str id;
    return latch_dedupe_register(&r->cx, &messages, key, &id);
}

static latch_status bob_did_three(void) {
    for (int i = 0; i < 3; i++) {
        latch_str k = numbered(bob, i);
        LATCH_TRY(latch_dedupe_register_or_join(&bob->cx, &messages, k, &bobs_job));
        LATCH_TRY(latch_dedupe_complete(&bob->cx, &messages, k, bobs_job.id, LATCH_NULL));
    }
    rig_pass(bob->world, 2 * LATCH_DAY_MS); /* these have expired */
    return LATCH_OK;
}

static latch_status dedupe_clear(rig *r) {
    latch_swept swept;
    return latch_dedupe_clear(&r->cx, &messages, &all_of_it, &swept);
}

static latch_status dedupe_cleanup(rig *r) {
    latch_swept swept;
    LATCH_TRY(latch_dedupe_cleanup(&r->cx, &messages, &all_of_it, &swept));
    return swept.removed == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status dedupe_stats(rig *r) {
    latch_swept swept;
    return latch_dedupe_stats(&r->cx, &messages, &all_of_it, &swept);
}

const play dedupe_plays[] = {
    {CALL(dedupe_enter, "the first, settled at the end"), .go = dedupe_enter},
    {CALL(dedupe_enter, "done before"), .prepare = bob_completes, .go = dedupe_enter, .wants = LATCH_SEEN},
    {CALL(dedupe_enter, "another is at it"), .prepare = bob_registers, .go = dedupe_enter, .wants = LATCH_BUSY},
    {CALL(dedupe_enter, "`.wait_ms`, and the other is done within a pause"), .grant = "latch_dedupe_enter with `.wait_ms`",
     .prepare = bob_registers, .go = dedupe_enter_waiting, .meanwhile = bob_ends_the_job, .at = 2, .wants = LATCH_SEEN},
    {CALL(dedupe_register_or_join, "the first"), .go = dedupe_register},
    {CALL(dedupe_register_or_join, "joined"), .prepare = bob_registers, .go = dedupe_register, .wants = LATCH_BUSY},
    {CALL(dedupe_register, "always"), .go = dedupe_register_alone},
    {CALL(dedupe_wait_for, "completed by then"), .prepare = bob_completes, .go = dedupe_wait_for},
    {CALL(dedupe_complete, "always"), .prepare = bob_registers, .go = dedupe_complete},
    {CALL(dedupe_complete, "repeated"), .prepare = bob_completes, .go = dedupe_complete},
    {CALL(dedupe_fail, "always"), .prepare = bob_registers, .go = dedupe_fail},
    {CALL(dedupe_is_in_progress, "always"), .prepare = bob_registers, .go = dedupe_is_in_progress},
    {CALL(dedupe_clear, SMALL_TABLE), .own_table = true, .prepare = bob_did_three, .go = dedupe_clear},
    {CALL(dedupe_cleanup, SMALL_TABLE), .own_table = true, .prepare = bob_did_three, .go = dedupe_cleanup},
    {CALL(dedupe_stats, SMALL_TABLE), .own_table = true, .prepare = bob_did_three, .go = dedupe_stats},
    {0},
};

/* ── lock ── */

static const latch_lock lock = {.name = "l", .lease_ms = LEASE_MS}, kept = {.name = "l", .lease_ms = LEASE_MS, .keep = true},
                        waited_for = {.name = "l", .lease_ms = LEASE_MS, .wait_ms = LATCH_MINUTE_MS};

static latch_status bob_takes(void) { return latch_lock_take(&bob->cx, &lock, key, &bobs_hold); }

static void bob_releases(void) { need(bob, latch_lock_release(&bob->cx, &bobs_hold)); }

static latch_status take(rig *r, const latch_lock *policy) {
    latch_hold hold;
    latch_status status = latch_lock_take(&r->cx, policy, key, &hold);
    rig_end(r, status);
    return status;
}

static latch_status lock_take(rig *r) { return take(r, &lock); }
static latch_status lock_take_kept(rig *r) { return take(r, &kept); }
static latch_status lock_take_waiting(rig *r) { return take(r, &waited_for); }

static latch_status lock_look(rig *r) {
    latch_lock_holder holder;
    return latch_lock_look(&r->cx, &lock, key, &holder);
}

static latch_status lock_break(rig *r) { return latch_lock_break(&r->cx, &lock, key, &seen); }

static latch_status bob_takes_and_is_seen(void) {
    LATCH_TRY(bob_takes());
    return latch_lock_look(&alice->cx, &lock, key, &seen);
}

/* Of what ann holds. */
static latch_status ann_takes(void) { return latch_lock_take(&alice->cx, &lock, key, &anns_hold); }
static latch_status lock_extend(rig *r) { return latch_lock_extend(&r->cx, &anns_hold, 2 * LEASE_MS); }

static latch_status lock_release(rig *r) {
    LATCH_TRY(latch_lock_release(&r->cx, &anns_hold));
    rig_end(r, LATCH_OK); /* nothing is left to release */
    return LATCH_OK;
}

static latch_json guarded(rig *r) { return latch_object(&r->cx, "pk", key, "sk", "guarded"); }

static latch_status lock_mark(rig *r) {
    latch_json found;
    return latch_lock_mark(&r->cx, &anns_hold, NULL, guarded(r), &found);
}

static latch_status ann_takes_and_marks(void) {
    LATCH_TRY(ann_takes());
    return lock_mark(alice);
}

static latch_status lock_update(rig *r) {
    latch_json found;
    const latch_dynamodb_update_request request = {.key = guarded(r), .update = "SET #n = :n", .values = LATCH_VALUES(":n", latch_int(1))};
    return latch_lock_update(&r->cx, &anns_hold, &request, &found);
}

/* A transaction of an update and the lock's check. */
static latch_status lock_guarded(rig *r) {
    latch_dynamodb_action guard;
    latch_dynamodb_cancelled why;
    const latch_dynamodb_action update = {LATCH_ACTION_UPDATE, .key = guarded(r), .update = "SET #n = :n",
                                          .values = LATCH_VALUES(":n", latch_int(1))};
    LATCH_TRY(latch_lock_guard(&r->cx, &anns_hold, &guard));
    return latch_dynamodb_transact_write(&r->cx, &(latch_dynamodb_transact_write_request){LATCH_ACTIONS(guard, update)}, &why);
}

const play lock_plays[] = {
    {CALL(lock_take, "free, released at the end"), .go = lock_take},
    {CALL(lock_take, "free, `.keep`"), .go = lock_take_kept},
    {CALL(lock_take, "held by another"), .prepare = bob_takes, .go = lock_take, .wants = LATCH_HELD},
    {CALL(lock_take, "`.wait_ms`, and the other ends within a pause; released at the end"), .prepare = bob_takes, .go = lock_take_waiting,
     .meanwhile = bob_releases, .at = 2},
    {CALL(lock_extend, "always"), .prepare = ann_takes, .go = lock_extend},
    {CALL(lock_release, "before the end"), .prepare = ann_takes, .go = lock_release},
    {CALL(lock_look, "always"), .prepare = bob_takes, .go = lock_look},
    {CALL(lock_guard, "in a transaction with 1 update"), .grant = "latch_lock_guard in a transaction with an update", .prepare = ann_takes,
     .go = lock_guarded, .local_counts_otherwise = true},
    {CALL(lock_mark, "always"), .prepare = ann_takes, .go = lock_mark},
    {CALL(lock_update, "always"), .prepare = ann_takes_and_marks, .go = lock_update},
    {CALL(lock_break, "always"), .prepare = bob_takes_and_is_seen, .go = lock_break},
    {0},
};

/* ── once ── */

static latch_status work(latch_ctx *cx, latch_work *w) {
    w->result = latch_object(cx, "receipt", "r");
    return LATCH_OK;
}

static latch_status refuse(latch_ctx *cx, latch_work *w) { return latch_refuse(cx, LATCH_MISSING, "no such thing", "key", w->key); }

static const latch_once does = {.name = "o", .work = work}, refuses = {.name = "o", .work = refuse},
                        waits = {.name = "o", .work = work, .wait_ms = LATCH_MINUTE_MS};

static latch_status do_once(rig *r, const latch_once *policy, const char *payload) {
    latch_once_result result;
    return latch_once_do(&r->cx, policy, key, some(r, payload), &result);
}

static latch_status bob_has_done(void) { return do_once(bob, &does, "same"); }

/* His completion gets no answer, three times: his claim stays, until that comes. */
static latch_status bob_is_at_it(void) {
    bob->faults[1] = bob->faults[2] = bob->faults[3] = LATE;
    return do_once(bob, &does, "same") == LATCH_OK ? LATCH_E_MISUSE : LATCH_OK;
}

static void bob_ends_it(void) { rig_deliver(bob); }

static latch_status once_do(rig *r) { return do_once(r, &does, "same"); }
static latch_status once_do_other(rig *r) { return do_once(r, &does, "another"); }
static latch_status once_do_refusing(rig *r) { return do_once(r, &refuses, "same"); }
static latch_status once_do_waiting(rig *r) { return do_once(r, &waits, "same"); }

static latch_status once_already_done(rig *r) {
    latch_once_result result;
    return latch_once_already_done(&r->cx, &does, key, &result);
}

static latch_status once_mark_done(rig *r) { return latch_once_mark_done(&r->cx, &does, key, some(r, "same"), some(r, "done")); }
static latch_status once_clear(rig *r) { return latch_once_clear(&r->cx, &does, key); }

const play once_plays[] = {
    {CALL(once_do, "the first"), .go = once_do},
    {CALL(once_do, "done before"), .prepare = bob_has_done, .go = once_do},
    {CALL(once_do, "another is at it"), .prepare = bob_is_at_it, .go = once_do, .wants = LATCH_BUSY},
    {CALL(once_do, "done before, with another payload"), .prepare = bob_has_done, .go = once_do_other, .wants = LATCH_MISMATCH},
    {CALL(once_do, "the work refuses"), .go = once_do_refusing, .wants = LATCH_MISSING},
    {CALL(once_do, "`.wait_ms`, and the other is done within a pause"), .prepare = bob_is_at_it, .go = once_do_waiting,
     .meanwhile = bob_ends_it, .at = 2},
    {CALL(once_already_done, "always"), .prepare = bob_has_done, .go = once_already_done},
    {CALL(once_mark_done, "the first"), .go = once_mark_done},
    {CALL(once_mark_done, "done before"), .prepare = bob_has_done, .go = once_mark_done},
    {CALL(once_clear, "there is a record"), .prepare = bob_has_done, .go = once_clear},
    {CALL(once_clear, "there is none"), .go = once_clear},
    {0},
};

/* ── attempts ── */

static const latch_attempts logins = {.name = "a", .max = 1, .window_ms = LATCH_MINUTE_MS};

static latch_status attempt_by(rig *r) { return latch_attempts_take(&r->cx, &logins, key, LATCH_NULL, &anns_attempt); }
static latch_status bob_attempts(void) { return attempt_by(bob); }

static latch_status bob_attempted_long_ago(void) {
    LATCH_TRY(attempt_by(bob));
    rig_pass(bob->world, 2 * LATCH_MINUTE_MS);
    return LATCH_OK;
}

static latch_status attempts_clear(rig *r) { return latch_attempts_clear(&r->cx, &logins, key, &anns_attempt); }

const play attempts_plays[] = {
    {CALL(attempts_take, "counted"), .go = attempt_by},
    {CALL(attempts_take, "used up"), .prepare = bob_attempts, .go = attempt_by, .wants = LATCH_LIMITED},
    {CALL(attempts_take, "the first after a window that ran out"), .prepare = bob_attempted_long_ago, .go = attempt_by},
    {CALL(attempts_clear, "always"), .prepare = bob_attempts, .go = attempts_clear},
    {0},
};

/*
 * What latch must not be: the store's functions that change something only as it was shown, without that condition. The executable
 * latch_without_condition is built with their names; who tests them runs it too, and must notice.
 */
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/attempts.h"
#include "store/lock.h"
#include "store/once_private.h"
#include "store/table.h"

latch_status latch_lock_break(latch_ctx *cx, const latch_lock *lock, latch_str key, const latch_lock_holder *holder) {
    latch_json item;
    latch_request request = {.operation = LATCH_UPDATE_ITEM,
                             .pk = latch_key(cx, LATCH_STR("LOCK"), latch_str_of(lock->name), key),
                             .sk = LATCH_STR("LOCK"),
                             .update = "SET #isReleased = :released",
                             .values = LATCH_VALUES(":released", LATCH_STR("1"))};
    (void)holder;
    LATCH_TRY(latch_ctx_deadline(cx, 0, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, &item);
}

static latch_status delete_whatever_is_there(latch_ctx *cx, latch_str pk, latch_str sk) {
    latch_json item;
    latch_request request = {.operation = LATCH_DELETE_ITEM, .pk = pk, .sk = sk};
    LATCH_TRY(latch_ctx_deadline(cx, 0, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, &item);
}

latch_status latch_once_delete(latch_ctx *cx, const latch_once_call *c, const latch_once_seen *found) {
    (void)found;
    return delete_whatever_is_there(cx, c->pk, c->sk);
}

latch_status latch_attempts_clear(latch_ctx *cx, const latch_attempts *policy, latch_str key, const latch_attempt *attempt) {
    (void)attempt;
    return delete_whatever_is_there(cx, latch_key(cx, LATCH_STR("ATTEMPT"), latch_str_of(policy->name), key), LATCH_STR("ATTEMPT"));
}

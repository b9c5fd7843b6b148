/*
 * What latch must not be: the store's functions that change something only as it was shown, without that condition. The executable
 * latch_without_condition is built with their names; who tests them runs it too, and must notice.
 */
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/lock.h"
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

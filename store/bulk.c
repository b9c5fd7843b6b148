#include <stdio.h>
#include <unistd.h>

#include "core/ctx.h"
#include "store/bulk_private.h"

#define PAUSE_MS 50
#define PAUSE_MAX_MS 5000

latch_status latch_bulk_open(latch_ctx *cx, latch_bulk *bulk, const latch_bulk_setup *setup) {
    *bulk = (latch_bulk){.cx = cx};
    LATCH_TRY(latch_bulk_tables_init(cx, &bulk->tables, setup->table, setup->keys, setup->keys_count));
    if (setup->connections < 0)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: .connections is %d, want 0 or more", setup->connections);
    LATCH_TRY(latch_ctx_deadline(cx, setup->timeout_ms, INT64_MAX, &bulk->until_at_ms));
    if (setup->timeout_ms == 0) bulk->until_at_ms = INT64_MAX; /* the deadline itself, which moves with the clock */
    size_t connections = setup->connections > 1 ? latch_crew_more(cx, setup->connections) : 0;
    const latch_crew_options options = {.work = setup->work,
                                        .connections = connections,
                                        .slots = 2 * (connections > 0 ? connections : 1) + 1,
                                        .slot_bytes = setup->slot_bytes,
                                        .job_bytes = setup->job_bytes};
    LATCH_TRY(latch_crew_open(cx, &options, &bulk->crew));
    bulk->desk = &bulk->crew->slots[options.slots - 1];
    latch_crew_lend(bulk->crew, bulk->desk);
    return LATCH_OK;
}

latch_status latch_bulk_close(latch_bulk *bulk) {
    latch_crew_close(bulk->crew);
    if (bulk->failed != LATCH_OK) bulk->cx->err = bulk->err;
    return bulk->failed;
}

void latch_bulk_fail(latch_bulk *bulk, latch_status status, const latch_ctx *from) {
    latch_crew_stop(bulk->crew);
    if (bulk->failed != LATCH_OK) return;
    bulk->failed = status;
    bulk->err = from->err;
    if (from->err.status != status) (void)latch_err_set(&bulk->err, status, "batch: ended by a callback: %s", latch_status_name(status));
}

bool latch_bulk_has_time(latch_bulk *bulk) {
    if (latch_left_ms(bulk->cx) > 0 && latch_now_ms(bulk->cx) < bulk->until_at_ms) return true;
    latch_status status = latch_err_set(&bulk->cx->err, LATCH_E_TIMEOUT, "batch: the time is up, and there is more to do");
    latch_bulk_fail(bulk, status, bulk->cx);
    return false;
}

latch_status latch_bulk_from_callback(latch_bulk *bulk, latch_status status) {
    latch_err *desk = &bulk->desk->cx.err;
    if (status != LATCH_OK && desk->status != status && bulk->cx->err.status == status) *desk = bulk->cx->err;
    return status;
}

latch_status latch_bulk_blame(latch_ctx *cx, const char *what, uint64_t index, latch_status status) {
    const latch_err before = cx->err;
    (void)latch_err_set(&cx->err, status, "%s %llu: %s", what, (unsigned long long)index, before.message);
    cx->err.maybe_applied = before.maybe_applied;
    return status;
}

/* Half of the step to all of it: those that were turned away together don't come back together. */
static int64_t pause_ms(int idle) {
    int64_t step_ms = PAUSE_MS;
    uint32_t random = UINT32_MAX / 2;
    while (idle-- > 0 && step_ms < PAUSE_MAX_MS)
        step_ms *= 2;
    if (step_ms > PAUSE_MAX_MS) step_ms = PAUSE_MAX_MS;
    (void)(getentropy(&random, sizeof random) == 0);
    return step_ms / 2 + (int64_t)(random % (uint64_t)(step_ms / 2 + 1));
}

latch_status latch_bulk_rest(latch_crew_slot *slot, int *idle, bool some_were_taken, size_t left, int64_t until_at_ms) {
    *idle = some_were_taken ? 0 : *idle + 1;
    if (*idle > LATCH_DYNAMODB_RESENDS_MAX) {
        return latch_err_set(&slot->cx.err, LATCH_E_THROTTLED,
                             "batch: DynamoDB takes nothing more: %zu of a batch are left after %d times: write slower, or give the table "
                             "more capacity",
                             left, *idle);
    }
    if (latch_crew_pause(slot, pause_ms(*idle), until_at_ms)) return LATCH_OK;
    return latch_err_set(&slot->cx.err, LATCH_E_TIMEOUT, "batch: the time is up while DynamoDB takes only a part: %zu of a batch are left",
                         left);
}

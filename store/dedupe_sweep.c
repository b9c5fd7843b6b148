#include "store/dedupe.h"
#include "store/sweep_private.h"

static latch_status sweep_jobs(latch_ctx *cx, latch_sweep_kind kind, const latch_dedupe *dedupe, const latch_sweep *sweep,
                               latch_swept *out) {
    const latch_place toolkits = {.table = dedupe->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    const latch_sweep_target target = {
        .store = "dedupe", .name = dedupe->name, .at = dedupe->toolkit_table != NULL ? &toolkits : NULL, .prefixes = {"DEDUPE"}};
    return latch_sweep_run(cx, kind, &target, sweep, out);
}

latch_status latch_dedupe_clear(latch_ctx *cx, const latch_dedupe *dedupe, const latch_sweep *sweep, latch_swept *out) {
    return sweep_jobs(cx, LATCH_SWEEP_CLEAR, dedupe, sweep, out);
}

latch_status latch_dedupe_cleanup(latch_ctx *cx, const latch_dedupe *dedupe, const latch_sweep *sweep, latch_swept *out) {
    return sweep_jobs(cx, LATCH_SWEEP_CLEANUP, dedupe, sweep, out);
}

latch_status latch_dedupe_stats(latch_ctx *cx, const latch_dedupe *dedupe, const latch_sweep *sweep, latch_swept *out) {
    return sweep_jobs(cx, LATCH_SWEEP_STATS, dedupe, sweep, out);
}

#include "store/cache_private.h"
#include "store/sweep_private.h"

static latch_status sweep_cache(latch_ctx *cx, latch_sweep_kind kind, const latch_cache *cache, const latch_sweep *sweep,
                                latch_swept *out) {
    latch_cache_call c;
    *out = (latch_swept){0};
    LATCH_TRY(latch_cache_begin(cx, cache, LATCH_STR("-"), &c));
    const latch_sweep_target target = {.store = "cache",
                                       .name = cache->name,
                                       .at = latch_cache_place(&c),
                                       .prefixes = {"CACHE", sweep->all && kind != LATCH_SWEEP_STATS ? "TAG" : NULL}};
    return latch_sweep_run(cx, kind, &target, sweep, out);
}

/* Emptied before and after: what was read meanwhile may be what went. */
latch_status latch_cache_clear(latch_ctx *cx, const latch_cache *cache, const latch_sweep *sweep, latch_swept *out) {
    if (cache->l1 != NULL) cache->l1->calls->clear(cache->l1);
    latch_status status = sweep_cache(cx, LATCH_SWEEP_CLEAR, cache, sweep, out);
    if (cache->l1 != NULL) cache->l1->calls->clear(cache->l1);
    return status;
}

latch_status latch_cache_cleanup(latch_ctx *cx, const latch_cache *cache, const latch_sweep *sweep, latch_swept *out) {
    return sweep_cache(cx, LATCH_SWEEP_CLEANUP, cache, sweep, out);
}

latch_status latch_cache_stats_of(latch_ctx *cx, const latch_cache *cache, const latch_sweep *sweep, latch_cache_stats *out) {
    *out = (latch_cache_stats){0};
    if (cache->l1 != NULL) out->l1 = cache->l1->calls->look(cache->l1);
    return sweep_cache(cx, LATCH_SWEEP_STATS, cache, sweep, &out->table);
}

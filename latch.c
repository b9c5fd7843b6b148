#include "latch.h"

#include "core/ctx_private.h"
#include "core/log.h"
#include "runtime/loop.h"
#include "store/open.h"

static latch_status open_stores(latch_ctx *cx, const latch_handler *handler, void *stores) {
    return latch_stores_open(cx, handler->stores, stores);
}

static void close_stores(void *stores) { latch_stores_close(stores); }

static latch_status restore_stores(latch_ctx *cx, void *stores) { return latch_stores_restore(cx, stores); }

/* A worker's own client of the stores, over a connection of its own. */
static latch_status open_more(latch_ctx *cx, void *stores, void **mine) {
    *mine = latch_arena_alloc(cx->arena, sizeof(latch_stores_more));
    if (*mine == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "no memory for a worker's connection");
    return latch_stores_open_more(cx, stores, *mine);
}

static void close_more(void *mine) { latch_stores_close_more(mine); }

int latch_run(const latch_handler *handlers, size_t n) {
    const latch_log log = latch_log_from_environment();
    latch_stores stores = {0};
    const latch_loop_options options = {
        .handlers = handlers,
        .count = n,
        .clock = latch_clock_system(),
        .log = &log,
        .open = open_stores,
        .close = close_stores,
        .restore = restore_stores,
        .open_more = open_more,
        .close_more = close_more,
        .self = &stores,
    };
    return latch_loop_run(&options);
}

#include "runtime/lifecycle.h"

#include "runtime/lifecycle_private.h"
#include "runtime/outcome.h"
#include "runtime/worker.h"

/* A new hook that no list has yet. */
static latch_status make(latch_ctx *cx, const char *what, latch_lifecycle_fn *fn, void *arg, latch_lifecycle_hook **out) {
    if (cx->starting == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: hooks are registered in a handler's init", what);
    if (fn == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: the function is NULL", what);
    *out = latch_arena_alloc(cx->arena, sizeof **out);
    if (*out == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the process's arena is full", what);
    **out = (latch_lifecycle_hook){.fn = fn, .arg = arg};
    return LATCH_OK;
}

static void prepend(latch_lifecycle_hook **list, latch_lifecycle_hook *hook) {
    hook->next = *list;
    *list = hook;
}

latch_status latch_before_snapshot(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) {
    latch_lifecycle_hook *hook;
    LATCH_TRY(make(cx, "latch_before_snapshot", fn, arg, &hook));
    prepend(&cx->starting->life.before_snapshot, hook);
    return LATCH_OK;
}

latch_status latch_after_restore(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) {
    latch_lifecycle_hook *hook, **end;
    LATCH_TRY(make(cx, "latch_after_restore", fn, arg, &hook));
    for (end = &cx->starting->life.after_restore; *end != NULL; end = &(*end)->next)
        continue;
    *end = hook;
    return LATCH_OK;
}

latch_status latch_on_shutdown(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) {
    latch_lifecycle_hook *hook;
    LATCH_TRY(make(cx, "latch_on_shutdown", fn, arg, &hook));
    prepend(&cx->starting->life.on_shutdown, hook);
    latch_shutdown_catch(cx->starting);
    return LATCH_OK;
}

latch_status latch_lifecycle_call(latch_ctx *cx, const latch_lifecycle_hook *hook) {
    cx->err = (latch_err){0};
    return latch_outcome_check(cx, hook->fn(cx, hook->arg));
}

/* SIGTERM may come at any time: the connection may be shut for reading then, no event is asked for, and nobody has to be told. */
static bool is_stopping(const latch_process *p) { return atomic_load(&p->stopping); }

int latch_lifecycle_begin(latch_process *p) {
    if (is_stopping(p)) return LATCH_GO_ON;
    bool snapshot = latch_snapshot_is_wanted(p);
    int end = snapshot ? latch_snapshot_prepare(p) : LATCH_GO_ON;
    if (end != LATCH_GO_ON || is_stopping(p)) return end;
    if (p->life.on_shutdown != NULL && latch_extension_register(&p->workers[0]->api, &p->life.extension) == LATCH_API_EXIT)
        return is_stopping(p) ? LATCH_GO_ON : 1;
    return snapshot ? latch_snapshot_pass(p) : LATCH_GO_ON;
}

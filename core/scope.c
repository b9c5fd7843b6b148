#include "core/scope.h"

#include "core/ctx_private.h"

struct latch_scope_entry {
    struct latch_scope_entry *before;
    latch_scope_fn *end; /* NULL: forgotten */
    void *arg;
};

latch_status latch_scope_add(latch_ctx *cx, latch_scope_fn *end, void *arg) {
    if (cx->scope == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "this call needs a handler or a record that it can end with");
    struct latch_scope_entry *entry = latch_arena_alloc(cx->arena, sizeof *entry);
    if (entry == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "scope: the arena is full");
    *entry = (struct latch_scope_entry){cx->scope->last, end, arg};
    cx->scope->last = entry;
    return LATCH_OK;
}

void latch_scope_forget(latch_ctx *cx, const void *arg) {
    if (cx->scope == NULL) return;
    for (struct latch_scope_entry *entry = cx->scope->last; entry != NULL; entry = entry->before) {
        if (entry->arg == arg) entry->end = NULL;
    }
}

void latch_scope_end(latch_ctx *cx, latch_status ended) {
    latch_err before = cx->err;
    while (cx->scope != NULL && cx->scope->last != NULL) {
        struct latch_scope_entry *entry = cx->scope->last;
        cx->scope->last = entry->before;
        if (entry->end != NULL) entry->end(cx, entry->arg, ended);
    }
    cx->err = before;
}

/*
 * core/scope.h - what ends with a handler or with one record of a batch: locks are released, dedupe jobs settled.
 *
 * A store registers what it took; the runtime ends the scope with the handler's status, before the reply is posted, the last one first.
 */
#ifndef LATCH_CORE_SCOPE_H
#define LATCH_CORE_SCOPE_H

#include "core/status.h"

/* Called once with what the handler or record returned. What goes wrong in it is its own to log: the outcome stands. */
typedef void latch_scope_fn(latch_ctx *cx, void *arg, latch_status ended);

typedef struct latch_scope {
    struct latch_scope_entry *last;
} latch_scope;

/* LATCH_E_NOMEM: the arena is full. LATCH_E_MISUSE: cx has no scope, so nothing would end it. `arg` lives as long as cx. */
LATCH_NODISCARD latch_status latch_scope_add(latch_ctx *cx, latch_scope_fn *end, void *arg) LATCH_NONNULL;

/* What was taken is given back already: its end is not called any more. */
void latch_scope_forget(latch_ctx *cx, const void *arg) LATCH_NONNULL;

/* Ends all that is registered, and what is registered meanwhile. cx's error stays as it is. */
void latch_scope_end(latch_ctx *cx, latch_status ended) LATCH_NONNULL;

#endif

/* runtime/around_private.h - a call of a handler with its hooks. For the runtime. */
#ifndef LATCH_RUNTIME_AROUND_PRIVATE_H
#define LATCH_RUNTIME_AROUND_PRIVATE_H

#include "core/ctx_private.h"
#include "runtime/around.h"

struct latch_call {
    const latch_handler *handler;
    const latch_route *route; /* NULL: none */
    latch_http *http;         /* one of these three */
    latch_record *record;
    latch_event *event;
    /* After the handler, and after each hook: what the status becomes. NULL: nothing. */
    latch_status (*collect)(latch_call *call, latch_status status);
    struct latch_around_frame *frame; /* of the hook that runs; NULL: none does */
};

/* LATCH_E_MISUSE names the first hook that can't be. */
LATCH_NODISCARD latch_status latch_around_check(latch_ctx *cx, const latch_handler *handler);

/* The hooks, and `last` within them. The status is one that a call gave (latch_outcome_check). */
typedef latch_status latch_around_last(latch_ctx *cx, latch_call *call);
LATCH_NODISCARD latch_status latch_around_run(latch_ctx *cx, latch_call *call, latch_around_last *last);

#endif

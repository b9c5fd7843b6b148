/* runtime/route.h - LATCH_ROUTES: which function a method and a path mean, and what {name} stands for. For the runtime. */
#ifndef LATCH_RUNTIME_ROUTE_H
#define LATCH_RUNTIME_ROUTE_H

#include "core/ctx_private.h"
#include "runtime/handler.h"

/* LATCH_E_MISUSE names the first route that can't be read, or two that claim the same. */
LATCH_NODISCARD latch_status latch_route_check(latch_ctx *cx, const latch_handler *handler);

typedef struct latch_route_found {
    const latch_route *route; /* NULL: none */
    bool without_body;        /* HEAD, answered by GET's function */
    latch_str allow;          /* where a path matches and no method does: "GET, HEAD"; else empty */
} latch_route_found;

/* LATCH_E_NOMEM: the arena is full. */
LATCH_NODISCARD latch_status latch_route_find(latch_ctx *cx, const latch_handler *handler, latch_str method, latch_str path,
                                              latch_route_found *out);

/* What stands for {name} of a route that matches; decoded; empty where the route has none, or the arena is full. */
latch_str latch_route_param(latch_arena *arena, const latch_route *route, latch_str path, const char *name);

#endif

/* runtime/route.h - LATCH_ROUTES: which function a method and a path mean, and what {name} stands for. For the runtime. */
#ifndef LATCH_RUNTIME_ROUTE_H
#define LATCH_RUNTIME_ROUTE_H

#include "core/ctx_private.h"
#include "runtime/handler.h"

/* LATCH_E_MISUSE names the first route that can't be read, or two that claim the same. */
LATCH_NODISCARD latch_status latch_route_check(latch_ctx *cx, const latch_handler *handler);

#define LATCH_ROUTE_SEGMENTS_MAX 32

typedef struct latch_route_path {
    latch_str text;
    bool encoded; /* %41 is 'A' in it */
} latch_route_path;

typedef struct latch_route_value {
    latch_str name, value; /* what stands for {name}, decoded */
} latch_route_value;

typedef struct latch_route_found {
    const latch_route *route; /* NULL: none */
    bool without_body;        /* HEAD, answered by GET's function */
    latch_str allow;          /* where a path matches and no method does: "GET, HEAD"; else empty */
    latch_route_value params[LATCH_ROUTE_SEGMENTS_MAX];
    size_t param_count;
} latch_route_found;

/* LATCH_E_NOMEM: the arena is full. */
LATCH_NODISCARD latch_status latch_route_find(latch_ctx *cx, const latch_handler *handler, latch_str method, latch_route_path path,
                                              latch_route_found *out);

/* Empty where the route has no such {name}. */
latch_str latch_route_param(const latch_route_found *found, const char *name);

/*
 * API Gateway sends a REST API's `path` with the base path of a custom domain's mapping in front, and `resource` without: what is left when
 * whatever precedes the segments that `resource` names is dropped. `values` is pathParameters: how long a {name+} is. `path` itself where
 * its end is no such resource.
 */
latch_str latch_route_without_base(latch_str resource, latch_json values, latch_str path);

#endif

/* core/ctx_private.h - what is inside a latch_ctx. For core, stores and runtime; a handler never sees it. */
#ifndef LATCH_CORE_CTX_PRIVATE_H
#define LATCH_CORE_CTX_PRIVATE_H

#include "core/arena.h"
#include "core/clock.h"
#include "core/ctx.h"
#include "core/err.h"
#include "core/json.h"

struct latch_ctx {
    latch_level least;  /* first: latch_log_wants in core/ctx.h reads it here. Records below it aren't built; 0: core/log.c looks */
    latch_arena *arena; /* the invocation's; borrowed */
    latch_clock clock;
    int64_t deadline_at_ms; /* by the wall clock; the stores stop here, the invocation a little later; INT64_MAX: none */
    latch_err err;          /* of the call that last returned not OK */
    latch_str request_id;
    latch_str tenant_id;                       /* for the log; empty: none */
    const struct latch_log *log;               /* where records go; NULL: nowhere */
    const struct latch_table *table;           /* where the stores keep their state (store/table.h); NULL: nowhere */
    struct latch_scope *scope;                 /* what ends with the handler or the record (core/scope.h) */
    struct latch_http_session *http;           /* connections of the handler's own requests (core/http.h) */
    int64_t moved_ms;                          /* of usage->moved_ms, what deadline_at_ms has followed */
    struct latch_usage *usage;                 /* what its requests cost is counted here (core/usage.h); NULL: nowhere */
    const struct latch_invocation *invocation; /* what came with the event (runtime/invocation.h); NULL: none is running */
    struct latch_stream *stream;               /* what its answer may stream through (runtime/stream_private.h); NULL: it is collected */
    struct latch_process *starting;            /* whose init this is: its hooks are registered there (runtime/lifecycle.h); NULL: none */
    struct latch_metrics *metrics;             /* what its metrics are counted in (runtime/metrics.h); NULL: they are off */
    latch_str trace_id;                        /* the service's header: "Root=1-…;Parent=…;Sampled=1"; empty: none */
    uint64_t trace_seed;                       /* what its spans' ids in a trace are made of (core/trace_context.h); 0: none is sent */
    struct latch_spans *spans;                 /* what it is doing and has done (core/span.h); NULL: not written down */
    uint32_t takeovers;                        /* of what a hook does once around the handler (compose/once_event.h); 0: none */
};

/* The earlier of the deadline and now + timeout_ms; 0 means default_ms. LATCH_E_MISUSE when timeout_ms is negative. */
LATCH_NODISCARD latch_status latch_ctx_deadline(latch_ctx *cx, int64_t timeout_ms, int64_t default_ms, int64_t *at_ms);

/* The text of `v`, or the reason why it could not be built: LATCH_E_NOMEM, LATCH_E_MISUSE. */
LATCH_NODISCARD latch_status latch_json_text(latch_ctx *cx, latch_json v, latch_str *out);

/* As latch_parse; a field that is missing or wrong is `kind`: LATCH_E_INPUT for what came in, LATCH_E_DATA for what was stored. */
LATCH_NODISCARD latch_status latch_json_parse(latch_ctx *cx, latch_status kind, const char *name, latch_str text, latch_json *out);

/* The same document, its errors' paths beginning with `name`: a record of a batch, a body inside an event. */
latch_json latch_json_named(latch_ctx *cx, const char *name, latch_json v);

/* printf into the arena. ptr is NULL when it doesn't fit. */
LATCH_NODISCARD latch_str latch_ctx_text(latch_ctx *cx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

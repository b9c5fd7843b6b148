/*
 * runtime/context.h - the facts of the running invocation and of its function.
 *
 * Text lives as long as cx; what the service didn't send is empty. Nothing here costs a request.
 */
#ifndef LATCH_RUNTIME_CONTEXT_H
#define LATCH_RUNTIME_CONTEXT_H

#include "core/json.h"

LATCH_BEGIN_C

/* ── of the invocation; latch_request_id and latch_left_ms are in core/ctx.h ──────────────────────────────────────────────── */

latch_str latch_trace_id(const latch_ctx *cx) LATCH_NONNULL;     /* X-Ray: "Root=1-…;Parent=…;Sampled=1" */
latch_str latch_function_arn(const latch_ctx *cx) LATCH_NONNULL; /* as it was invoked: with its alias or version */
latch_str latch_tenant_id(const latch_ctx *cx) LATCH_NONNULL;    /* of a function with tenant isolation */
latch_str latch_content_type(const latch_ctx *cx) LATCH_NONNULL; /* of the event's bytes, "application/json" */

/*
 * Unix time at which Lambda ends the invocation; INT64_MAX where there is no such time. Stores and latch_left_ms stop 400 ms before it (at
 * half of what is left where that is under 800 ms), so that there is time to answer.
 */
int64_t latch_deadline_ms(const latch_ctx *cx) LATCH_NONNULL;

/*
 * What a mobile SDK sends along. *out is null where it sent nothing.
 * LATCH_E_INPUT: it is no JSON, named "client context" or "cognito identity"; LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_client_context(latch_ctx *cx, latch_json *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_cognito_identity(latch_ctx *cx, latch_json *out) LATCH_NONNULL; /* cognitoIdentityId, …PoolId */

/* ── of the function: from its environment ────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_function_name(void);
latch_str latch_function_version(void);
int64_t latch_function_memory_mb(void); /* 0: not said */

LATCH_END_C

#endif

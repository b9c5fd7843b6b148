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

latch_str latch_trace_id(const latch_ctx *cx) LATCH_NONNULL;      /* X-Ray: "Root=1-…;Parent=…;Sampled=1" */
latch_str latch_function_arn(const latch_ctx *cx) LATCH_NONNULL;  /* as it was invoked: with its alias or version */
latch_str latch_tenant_id(const latch_ctx *cx) LATCH_NONNULL;     /* of a function with tenant isolation */
latch_str latch_invocation_id(const latch_ctx *cx) LATCH_NONNULL; /* of this try of the request; the outcome carries it back by itself */
latch_str latch_content_type(const latch_ctx *cx) LATCH_NONNULL;  /* of the event's bytes, "application/json" */

/*
 * Whether it is the first event of this process: what it waits for is what a new sandbox costs, if that was started for it (see
 * latch_initialization_type). Of several workers, one event of one of them.
 */
bool latch_is_cold_start(const latch_ctx *cx) LATCH_NONNULL;

/*
 * Unix time at which Lambda ends the invocation; INT64_MAX where there is no such time. Stores and latch_left_ms stop 400 ms before it (at
 * half of what is left where that is under 800 ms), so that there is time to answer.
 */
int64_t latch_deadline_ms(const latch_ctx *cx) LATCH_NONNULL;

/*
 * What whoever invoked the function sent along, and the user that Amazon Cognito knows it as. *out is null where nothing came. Read it as
 *
 *     LATCH_TRY(latch_read(client, "custom.campaign", latch_optional(&campaign), "env.locale", latch_optional(&locale),
 *                          "client.installation_id", latch_optional(&installation), "client.app_title", latch_optional(&title),
 *                          "client.app_version_name", …, "client.app_version_code", …, "client.app_package_name", …));
 *     LATCH_TRY(latch_read(user, "cognitoIdentityId", &id, "cognitoIdentityPoolId", &pool));
 *
 * names as the mobile SDKs write them, "custom" also as "Custom" by some.
 * LATCH_E_INPUT: it is no JSON, named "client context" or "cognito identity"; LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_client_context(latch_ctx *cx, latch_json *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_cognito_identity(latch_ctx *cx, latch_json *out) LATCH_NONNULL; /* cognitoIdentityId, …PoolId */

/* ── of the function: from its environment ────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_function_name(void);
latch_str latch_function_version(void);
int64_t latch_function_memory_mb(void); /* 0: not said, or no number */
latch_str latch_log_group(void);        /* "/aws/lambda/orders" */
latch_str latch_log_stream(void);       /* of this sandbox; as its log group, empty where the function's role may not write logs */

/* "on-demand", "provisioned-concurrency", "snap-start", "lambda-managed-instances"; empty: not Lambda, or an emulator that doesn't say. */
latch_str latch_initialization_type(void);

LATCH_END_C

#endif

#include "runtime/context.h"

#include <errno.h>
#include <stdlib.h>

#include "core/ctx_private.h"
#include "core/usage.h"
#include "runtime/invocation.h"

#define ANSWER_MS INT64_C(400)

int64_t latch_invocation_stores_deadline_ms(const latch_invocation *invocation, int64_t now_ms) {
    int64_t at_ms = invocation->deadline_at_ms;
    if (at_ms == INT64_MAX || at_ms <= now_ms) return at_ms;
    int64_t left_ms = at_ms - now_ms;
    return left_ms < 2 * ANSWER_MS ? now_ms + left_ms / 2 : at_ms - ANSWER_MS;
}

static const latch_invocation *of(const latch_ctx *cx) {
    static const latch_invocation none = {.deadline_at_ms = INT64_MAX};
    return cx->invocation != NULL ? cx->invocation : &none;
}

latch_str latch_trace_id(const latch_ctx *cx) { return of(cx)->trace_id; }
latch_str latch_function_arn(const latch_ctx *cx) { return of(cx)->function_arn; }
latch_str latch_tenant_id(const latch_ctx *cx) { return of(cx)->tenant_id; }
latch_str latch_invocation_id(const latch_ctx *cx) { return of(cx)->invocation_id; }
bool latch_is_cold_start(const latch_ctx *cx) { return of(cx)->cold; }
latch_str latch_content_type(const latch_ctx *cx) { return of(cx)->content_type; }

/* An answer of the store may have moved the clock since the event came. */
int64_t latch_deadline_ms(const latch_ctx *cx) {
    int64_t at_ms = of(cx)->deadline_at_ms;
    return at_ms != INT64_MAX && cx->usage != NULL ? at_ms + cx->usage->moved_ms : at_ms;
}

static latch_status parse(latch_ctx *cx, const char *name, latch_str text, latch_json *out) {
    *out = LATCH_NULL;
    return text.len > 0 ? latch_parse(cx, name, text, out) : LATCH_OK;
}

latch_status latch_client_context(latch_ctx *cx, latch_json *out) { return parse(cx, "client context", of(cx)->client_context, out); }
latch_status latch_cognito_identity(latch_ctx *cx, latch_json *out) { return parse(cx, "cognito identity", of(cx)->cognito_identity, out); }

latch_str latch_function_name(void) { return latch_str_of(getenv("AWS_LAMBDA_FUNCTION_NAME")); }
latch_str latch_function_version(void) { return latch_str_of(getenv("AWS_LAMBDA_FUNCTION_VERSION")); }

latch_str latch_log_group(void) { return latch_str_of(getenv("AWS_LAMBDA_LOG_GROUP_NAME")); }
latch_str latch_log_stream(void) { return latch_str_of(getenv("AWS_LAMBDA_LOG_STREAM_NAME")); }
latch_str latch_initialization_type(void) { return latch_str_of(getenv("AWS_LAMBDA_INITIALIZATION_TYPE")); }

int64_t latch_function_memory_mb(void) {
    const char *text = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    char *end;
    if (text == NULL) return 0;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && n > 0 ? n : 0;
}

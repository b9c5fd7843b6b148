#include "runtime/invocation.h"

#include "core/ctx_private.h"
#include "core/log.h"

#define DEADLINE_MAX_MS INT64_C(253402300799999) /* the end of year 9999 */

static bool read_ms(latch_str text, int64_t *out) {
    int64_t ms = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        ms = ms * 10 + (text.ptr[i] - '0');
        if (ms > DEADLINE_MAX_MS) return false;
    }
    *out = ms;
    return true;
}

static int64_t read_deadline(latch_ctx *cx, latch_str text) {
    int64_t ms = INT64_MAX;
    if (text.len > 0 && !read_ms(text, &ms))
        latch_log(cx, LATCH_WARN, "the deadline is no time: the invocation runs without one", "deadline", latch_str_cut(text, 100));
    return ms;
}

void latch_invocation_read(latch_ctx *cx, const latch_wire *wire, latch_invocation *out) {
    *out = (latch_invocation){
        .event = latch_wire_body(wire),
        .request_id = latch_wire_header(wire, "Lambda-Runtime-Aws-Request-Id"),
        .function_arn = latch_wire_header(wire, "Lambda-Runtime-Invoked-Function-Arn"),
        .trace_id = latch_wire_header(wire, "Lambda-Runtime-Trace-Id"),
        .client_context = latch_wire_header(wire, "Lambda-Runtime-Client-Context"),
        .cognito_identity = latch_wire_header(wire, "Lambda-Runtime-Cognito-Identity"),
        .tenant_id = latch_wire_header(wire, "Lambda-Runtime-Aws-Tenant-Id"),
        .invocation_id = latch_wire_header(wire, LATCH_INVOCATION_ID),
        .content_type = latch_wire_header(wire, "Content-Type"),
        .event_bytes = wire->body_bytes,
        .too_large = wire->too_large,
    };
    out->deadline_at_ms = read_deadline(cx, latch_wire_header(wire, "Lambda-Runtime-Deadline-Ms"));
}

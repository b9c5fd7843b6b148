/* runtime/invocation.h - what came with an event. For the runtime; handlers read it by runtime/context.h. */
#ifndef LATCH_RUNTIME_INVOCATION_H
#define LATCH_RUNTIME_INVOCATION_H

#include "core/wire.h"

/*
 * Headers, and what is made of those that are not as they should be. Names compare without case; of one that comes twice the first counts.
 *
 *   request id      missing or empty: there is no invocation, the service shuts down. Percent-encoded where it goes into a path; one of over
 *                   1024 bytes is cut there, and the service refuses the outcome
 *   deadline        missing, empty, not digits alone, or beyond the year 9999: there is none; all but the first two are logged. One that has passed
 *                   is a deadline: the handler runs, whatever waits in it ends at once with LATCH_E_TIMEOUT
 *   trace id        any text; it is what it is for the handler and for _X_AMZN_TRACE_ID, which is unset where it has over 1000 bytes
 *   client context, cognito identity
 *                   not looked at until a handler asks; no JSON is LATCH_E_INPUT then, and nobody else's matter
 *   invocation id   goes back as it came. One so long that the outcome's head has over 16 KiB: the outcome can't be posted, which is logged
 *   more than 64 of them, over 64 KiB, a control byte, two lengths that differ
 *                   no answer that makes sense: it is asked again, as runtime/api.h says
 */
#define LATCH_REQUEST_ID_MAX_BYTES 1024

#define LATCH_INVOCATION_ID "Lambda-Runtime-Invocation-Id" /* the header that goes back */

typedef struct latch_invocation { /* text lives in the invocation's arena; empty: the service didn't send it */
    latch_str event;
    latch_str request_id;       /* Lambda-Runtime-Aws-Request-Id */
    int64_t deadline_at_ms;     /* -Deadline-Ms; INT64_MAX: there is none */
    latch_str function_arn;     /* -Invoked-Function-Arn */
    latch_str trace_id;         /* -Trace-Id */
    latch_str client_context;   /* -Client-Context, JSON */
    latch_str cognito_identity; /* -Cognito-Identity, JSON */
    latch_str tenant_id;        /* -Aws-Tenant-Id */
    latch_str invocation_id;    /* LATCH_INVOCATION_ID: goes back with the outcome */
    latch_str content_type;     /* of the event */
    uint64_t event_bytes;       /* as it was sent */
    bool cold;                  /* the first of its process */
    bool too_large;             /* the event was over the limits and dropped: `event` is empty */
} latch_invocation;

/* From an answer of /next that is done; `cx` is the process's, whose log is told of a deadline that is none. */
void latch_invocation_read(latch_ctx *cx, const latch_wire *wire, latch_invocation *out);

/* When the stores stop: 400 ms before the deadline, or halfway where less than 800 ms are left, so that there is time to answer. */
int64_t latch_invocation_stores_deadline_ms(const latch_invocation *invocation, int64_t now_ms);

#endif

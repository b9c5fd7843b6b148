/* runtime/invocation.h - what came with an event. For the runtime; handlers read it by runtime/context.h. */
#ifndef LATCH_RUNTIME_INVOCATION_H
#define LATCH_RUNTIME_INVOCATION_H

#include "core/words.h"

typedef struct latch_invocation { /* text lives in the invocation's arena; empty: the service didn't send it */
    latch_str event;
    latch_str request_id;       /* Lambda-Runtime-Aws-Request-Id */
    int64_t deadline_at_ms;     /* -Deadline-Ms; INT64_MAX: there is none */
    latch_str function_arn;     /* -Invoked-Function-Arn */
    latch_str trace_id;         /* -Trace-Id */
    latch_str client_context;   /* -Client-Context, JSON */
    latch_str cognito_identity; /* -Cognito-Identity, JSON */
    latch_str tenant_id;        /* -Aws-Tenant-Id */
    latch_str invocation_id;    /* Lambda-Runtime-Invocation-Id: goes back with the outcome */
    latch_str content_type;     /* of the event */
    uint64_t event_bytes;       /* as it was sent */
    bool too_large;             /* the event was over the limits and dropped: `event` is empty */
} latch_invocation;

/* When the stores stop: 400 ms before the deadline, or halfway where less than 800 ms are left, so that there is time to answer. */
int64_t latch_invocation_stores_deadline_ms(const latch_invocation *invocation, int64_t now_ms);

#endif

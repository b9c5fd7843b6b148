/*
 * core/usage.h - what one invocation's calls of the store cost, and how the last of them failed. The store counts (store/client.c), whoever
 * has the context reads; handlers do by store/dynamodb.h. The runtime begins each invocation with a new one.
 */
#ifndef LATCH_CORE_USAGE_H
#define LATCH_CORE_USAGE_H

#include "core/status.h"

LATCH_BEGIN_C

typedef struct
    latch_usage_failure { /* of the last call that was not LATCH_OK; texts are cut where they are too long, never inside a character */
    latch_status status;  /* LATCH_OK: none failed */
    char name[64];        /* AWS's: "ValidationException"; "CircuitOpen"; "OperationTimeout"; else empty */
    char message[256];    /* AWS's own, or what the connection met */
    char request_id[64];  /* for AWS's support; empty: no answer, or none with an id */
    int http_status;      /* 0: no answer */
    int tries;            /* requests that were sent, or tried; 0: nothing was sent */
    bool retryable;       /* the same call may do better later */
} latch_usage_failure;

typedef struct latch_usage {
    uint64_t calls;             /* of any operation */
    uint64_t requests;          /* sent, or tried, repeats among them */
    uint64_t retries;           /* of these, repeats */
    uint64_t throttled;         /* answers that said slow down */
    uint64_t read_milli_units;  /* capacity consumed, as DynamoDB told it, in thousandths of a unit: 500 is half a read unit */
    uint64_t write_milli_units; /* nothing is told of a call that failed, a failed condition among them, though it may cost */
    int64_t request_us;         /* from sending to the whole answer, of all requests */
    int64_t waited_us;          /* slept before requests: delays of repeats, and after throttling */
    int64_t moved_ms;           /* by so much DynamoDB's Date has moved the stores' clock; nearly always 0 */
    latch_usage_failure failure;
} latch_usage;

/* What a thread of an invocation counted, added to the invocation's own; the failure of `from` counts where it has one. NULL: nothing. */
void latch_usage_add(latch_usage *into, const latch_usage *from);

LATCH_END_C

#endif

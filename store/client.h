/*
 * store/client.h - one DynamoDB request of any operation: sent, repeated where that is safe, understood. Everything above the seam is
 * written on this: store/table.h for the stores' items, the typed requests, bulk work, tables.
 *
 *     latch_answer answer;
 *     LATCH_TRY(latch_client_call(cx, &(latch_call){.operation = "DescribeTable", .request = text, .reads = true}, &answer));
 */
#ifndef LATCH_STORE_CLIENT_H
#define LATCH_STORE_CLIENT_H

#include "core/json.h"
#include "core/text.h"
#include "store/dynamodb.h"
#include "store/pace.h"
#include "store/transport.h"

/* What an option says is what counts, 0 and false too: begin from latch_client_defaults(). */
typedef struct latch_client_options {
    int max_retries;            /* 3: a call has one try more. DYNAMODB_MAX_RETRIES */
    int64_t request_timeout_ms; /* 30 000: of a call with all its tries; 0: its deadline alone. DYNAMODB_REQUEST_TIMEOUT */
    int64_t item_try_ms;        /* 1 000: of one try of an item call; 0: as other calls' tries, which share what is left of the call */
    int64_t retry_base_ms;      /* 25: the delay before a repeat is random, up to this × 2^repeats; after throttling 1 s × 2^repeats */
    int max_connections;        /* 50: of bulk work; all else goes over one. DYNAMODB_MAX_SOCKETS */
    bool logs;                  /* false. A line per call, with its time and capacity. DYNAMODB_ENABLE_LOGGING */
    bool capacity;              /* true: requests ask for the capacity that they consume, 35 bytes each */
    bool waits;              /* true: once a call was throttled the next ones wait 100 ms first, ×2 up to 5 s, ×0.9 after each success */
    bool breaker;            /* true */
    int breaker_failures;    /* 5 calls in a row that failed after all their tries open it */
    int64_t breaker_open_ms; /* 60 000: until one call may probe */
} latch_client_options;
latch_client_options latch_client_defaults(void);

/* One per worker: not thread-safe. Not moved after init. */
typedef struct latch_client {
    latch_transport transport; /* borrowed */
    latch_client_options options;
    latch_pace *pace; /* retry bucket, breaker, wait after throttling: its own, unless a worker's is let point to the first client's */
    latch_pace own;   /* private */
    struct latch_rate_memory *rate; /* what it remembers of rate limits (store/rate_private.h); its own; NULL: nothing */
    struct latch_lock_watch *watch; /* whose locks were seen, and since when (store/lock_client.h); its own; NULL: none was */
} latch_client;
void latch_client_init(latch_client *client, latch_transport transport, const latch_client_options *options); /* NULL: the defaults */
void latch_client_clean_up(latch_client *client);                                                             /* zero: nothing */

typedef struct latch_call {
    const char *operation;  /* "Query": a literal */
    latch_str request;      /* the document; borrowed until the call returns */
    int64_t deadline_at_ms; /* by the stores' clock; 0: the invocation's, which holds too, as the request timeout does */
    bool item;              /* of one item: a try gets at most item_try_ms */
    bool reads;             /* applies nothing: it may always be repeated, and maybe_applied is never said */
    bool repeatable;        /* a write whose repeat does no harm, or is recognised by its condition or its token */
    bool timed;             /* by points in time of the stores' clock that are in it, it may take what is another's */
} latch_call;

/*
 * A try that was certainly not applied (throttled, contended with a transaction, not sent) may always go again; one that may have been
 * applied only with `reads` or `repeatable`. The same bytes go each time. Nothing is sent or slept past the deadline: where the next try
 * would not come before it, the failure of the last one is told at once, and its message says so.
 *
 * A try has what is left, divided among the tries that are left; a call that is not repeated after silence, all of it. Over a connection
 * that has been idle for long, a call that may be repeated waits 250 ms for its answer; one that may not, or whose repeats or tokens are
 * used up, goes over a new one.
 *
 * A signature that is refused for its time goes once more at once where the answer's Date moved the clock by 4 minutes or more; keys
 * that have expired or aren't known too, for the transport may have others. Whatever moves the clock moves cx's deadline with it. What is
 * `timed` doesn't go again by another clock: LATCH_E_DENIED with err.retry_at_ms, and whoever made it makes it anew.
 *
 * LATCH_OK           a 200
 * LATCH_CONFLICT     ConditionalCheckFailedException, TransactionCanceledException with such a reason
 * LATCH_E_MISUSE     DynamoDB calls the request invalid, the table is missing, no table is open
 * LATCH_E_THROTTLED  until the retries were used up; also a conflict of transactions
 * LATCH_E_DENIED     credentials or policy
 * LATCH_E_NETWORK    no answer or a 5xx; CircuitOpen: nothing was sent, after so many failures, until err.retry_at_ms
 * LATCH_E_TIMEOUT, LATCH_E_DATA (no JSON), LATCH_E_NOMEM
 * With each but LATCH_OK, err.maybe_applied: a try of a write got no answer, or none that can be read; it may have been applied, or may
 * still be. err.type is AWS's name, or CircuitOpen, or the status's own. The arena keeps the last answer alone. *answer is filled as far
 * as there is one. What it cost is added to cx's usage, and its failure kept there (core/usage.h).
 */
LATCH_NODISCARD latch_status latch_client_call(latch_ctx *cx, const latch_call *call, latch_answer *answer) LATCH_NONNULL;

/* LATCH_E_MISUSE where no table is open; `shown`, "put", begins the message. A call looks by itself: for what comes before its first. */
LATCH_NODISCARD latch_status latch_client_check_open(latch_ctx *cx, const char *shown) LATCH_NONNULL;

/* For whoever writes a request, within its object and behind a member: ,"ReturnConsumedCapacity":"TOTAL" where cx's client wants it. */
void latch_client_put_capacity(const latch_ctx *cx, latch_text_writer *t) LATCH_NONNULL;

#endif

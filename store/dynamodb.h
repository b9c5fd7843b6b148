/*
 * store/dynamodb.h - DynamoDB itself, for handlers: any operation, what it cost, why it failed, and the circuit breaker. The typed requests
 * (store/items.h and its like) say the same with less; what they don't cover goes through here.
 *
 *     latch_answer answer;
 *     LATCH_TRY(latch_dynamodb_call(cx, "DescribeTable", latch_object(cx, "TableName", "orders"), &answer));
 *     LATCH_TRY(latch_read(answer.body, "Table.ItemCount", &count));
 *
 * The same on the embedded store, as far as it has the operation.
 */
#ifndef LATCH_STORE_DYNAMODB_H
#define LATCH_STORE_DYNAMODB_H

#include "core/json.h"
#include "core/usage.h"

LATCH_BEGIN_C

typedef struct latch_answer { /* lives as long as cx */
    latch_json body;          /* an error's too, with "CancellationReasons" or "Item" where DynamoDB gives them; null where there is none */
    latch_str error;      /* "ConditionalCheckFailedException": AWS's name without its prefix; empty where there is no answer, or a 200 */
    latch_str message;    /* the error's */
    latch_str request_id; /* x-amzn-RequestId; empty on the embedded store */
    int http_status;      /* 0: no answer */
    int tries;            /* requests sent or tried; 0: nothing was sent */
    bool lost;            /* of a write: a try got no answer, and may have been applied beside what a later one's answer says */
    uint64_t read_milli_units, write_milli_units; /* capacity consumed, in thousandths of a unit, where the request asks for it */
} latch_answer;

/*
 * `operation` by AWS's name, its request as DynamoDB's own JSON: attributes are {"S": "text"}, {"N": "12"}, … "TableName" is yours to
 * give. "ReturnConsumedCapacity": "TOTAL" in it lets the capacity be counted.
 *
 * Requests: 1, and 1 per repeat, at most 4 in all (DYNAMODB_MAX_RETRIES). A try that was certainly not applied (throttled, contended, not
 * sent) goes again; one without an answer only where that does no harm: operations that read (Get…, BatchGet…, TransactGet…, Query, Scan,
 * Describe…, List…), and a TransactWriteItems that carries a ClientRequestToken. Ends before the deadline.
 *
 * LATCH_OK           a 200
 * LATCH_CONFLICT     a condition was false; of a transaction, one of its conditions: answer->body has "CancellationReasons"
 * LATCH_E_MISUSE     DynamoDB calls it invalid, or the table is missing; no table is open; no such operation could be sent
 * LATCH_E_THROTTLED  until the retries were used up; also a conflict of transactions, or too many changes of tables at once
 * LATCH_E_DENIED     credentials or policy
 * LATCH_E_NETWORK    no answer, or a 5xx; CircuitOpen: nothing was sent, until err.retry_at_ms
 * LATCH_E_TIMEOUT    no answer in time
 * LATCH_E_DATA       an answer that is no JSON
 * LATCH_E_NOMEM      the arena is full
 * With each but LATCH_OK, err.maybe_applied: a try of a write got no answer; it may have been applied, or may still be. err.type is AWS's
 * name of the error, where DynamoDB gave one. *answer is filled as far as there is one.
 */
LATCH_NODISCARD latch_status latch_dynamodb_call(latch_ctx *cx, const char *operation, latch_json request,
                                                 latch_answer *answer) LATCH_NONNULL;

/* What this invocation's calls cost until now, those of the stores among them. Never NULL. */
const latch_usage *latch_dynamodb_usage(const latch_ctx *cx) LATCH_NONNULL;

/*
 * Of the last call in this invocation that DynamoDB didn't answer with a 200: AWS's name, message and request id, the number of tries,
 * whether it can be retried. Never NULL; .status is LATCH_OK where there was none.
 */
const latch_usage_failure *latch_dynamodb_failure(const latch_ctx *cx) LATCH_NONNULL;

/*
 * The circuit breaker of this process: after 5 calls in a row that got no answer in all their tries (5xx, no connection, no answer in
 * time; never a 4xx, never throttling, nor a last try that had less than 100 ms) nothing is sent for 60 s; then one call may probe, and
 * closes it, or opens it again.
 */
typedef enum latch_breaker_state { LATCH_BREAKER_CLOSED, LATCH_BREAKER_OPEN, LATCH_BREAKER_HALF_OPEN } latch_breaker_state;

typedef struct latch_breaker {
    latch_breaker_state state;
    int failures;               /* calls in a row that got no answer */
    int64_t last_failure_at_ms; /* 0: none yet */
    int64_t next_try_at_ms;     /* open: when one call may probe; half-open: now; closed: 0 */
    char last_failure[128];     /* in words; cut where it is longer */
} latch_breaker;

latch_breaker latch_dynamodb_breaker(const latch_ctx *cx) LATCH_NONNULL; /* closed where no table is open */
void latch_dynamodb_breaker_reset(latch_ctx *cx) LATCH_NONNULL;          /* closes it, and forgets failures and the wait after throttling */

LATCH_END_C

#endif

/*
 * store/transact.h - several items, in one or several tables, read or written all at once or not at all.
 *
 *     latch_dynamodb_cancelled why;
 *     bool refused;
 *     LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_dynamodb_transact_write(cx, &(latch_dynamodb_transact_write_request){LATCH_ACTIONS(
 *         {LATCH_ACTION_UPDATE, .table = "accounts", .key = from, .update = "SET #sum = #sum - :sum", .condition = "#sum >= :sum",
 *          .values = LATCH_VALUES(":sum", sum)},
 *         {LATCH_ACTION_UPDATE, .table = "accounts", .key = to, .update = "SET #sum = #sum + :sum", .values = LATCH_VALUES(":sum", sum)},
 *         {LATCH_ACTION_PUT, .table = "transfers", .item = transfer, .condition = "attribute_not_exists(#id)"})}, &why));
 *     if (refused && why.first == 0) return latch_refuse(cx, LATCH_CONFLICT, "too little money", "from", id);
 *
 * Items, keys, expressions, names and values as in store/items.h.
 *
 * Sources: TransactWriteItems and TransactGetItems of the DynamoDB API reference; "Amazon DynamoDB Transactions" of the developer guide.
 */
#ifndef LATCH_STORE_TRANSACT_H
#define LATCH_STORE_TRANSACT_H

#include "store/items.h"

LATCH_BEGIN_C

#define LATCH_TRANSACTION_MAX_ACTIONS 100
#define LATCH_TRANSACTION_MAX_BYTES ((size_t)4 << 20) /* of all items together, as DynamoDB counts them */
#define LATCH_TOKEN_MAX_BYTES 36

typedef enum latch_action_kind {
    LATCH_ACTION_NONE, /* refused: say which */
    LATCH_ACTION_PUT,
    LATCH_ACTION_UPDATE,
    LATCH_ACTION_DELETE,
    LATCH_ACTION_CHECK /* nothing is written: the condition must hold */
} latch_action_kind;

typedef struct latch_dynamodb_action {
    latch_action_kind kind;
    const char *table; /* NULL: LATCH_TABLE's */
    latch_json item;   /* of a put: the whole item */
    latch_json key;    /* of all others */
    const char *update;
    const char *condition; /* a check must have one */
    const latch_pair *names, *values;
    bool wants_item; /* where its condition is false, the reason has the item that made it so */
} latch_dynamodb_action;

/* .actions and .count of a list that is written out. */
#define LATCH_ACTIONS(...)                                                                                                                 \
    .actions = (const latch_dynamodb_action[]){__VA_ARGS__},                                                                               \
    .count = sizeof((const latch_dynamodb_action[]){__VA_ARGS__}) / sizeof(latch_dynamodb_action)

typedef struct latch_dynamodb_transact_write_request {
    const latch_dynamodb_action *actions; /* `count` of them, 1 to 100, each on another item */
    size_t count;
    latch_str token; /* 1 to 36 bytes: two calls with one token are one, for 10 minutes; empty: a new one for each call */
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_transact_write_request;

typedef struct latch_dynamodb_reason { /* of one action */
    latch_str code;    /* "None": it would have been applied; "ConditionalCheckFailed", "TransactionConflict", "ValidationError", … */
    latch_str message; /* AWS's; empty where code is "None" */
    latch_json item;   /* where wants_item; else null */
} latch_dynamodb_reason;

typedef struct latch_dynamodb_cancelled {
    const latch_dynamodb_reason *reasons; /* one for each action, in their order; NULL: it was not cancelled, or the reasons aren't told */
    size_t count;
    size_t first; /* the first whose code isn't "None"; `count`: there is none */
} latch_dynamodb_cancelled;

/*
 * All of them, or none. *why (`why` may be NULL) says what became of each where the transaction was cancelled.
 *
 * LATCH_OK           applied
 * LATCH_CONFLICT     a condition was false
 * LATCH_E_THROTTLED  another transaction or write was at one of the items each time, or throttling
 * LATCH_E_MISUSE     nothing was sent: no or over 100 actions, an action without what its kind needs, two on one item, items of over 4 MB
 *                    together, a token of over 36 bytes; or DynamoDB refused it, also for having come with another request under this token
 * and as store/items.h says. The message names the action: "transact_write: action 2: item.n has over 38 digits".
 *
 * Requests: 1. Write units: twice those of each action; a check and a false condition cost as much.
 * Repeating: it always carries a token, the same in all tries, so what got no answer is sent again and applied once. err.maybe_applied says
 * that a try got no answer, and may be applied yet: where a condition was false for the next one too. To repeat the call itself, give the token (latch_uuid) and call again with the same actions within 10 minutes.
 */
LATCH_NODISCARD latch_status latch_dynamodb_transact_write(latch_ctx *cx, const latch_dynamodb_transact_write_request *request,
                                                           latch_dynamodb_cancelled *why) __attribute__((nonnull(1, 2)));

typedef struct latch_dynamodb_transact_get_request {
    const latch_dynamodb_get_request *gets; /* `count` of them, 1 to 100, each of another item; of each: table, key, projection, names */
    size_t count;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_transact_get_request;

/*
 * items[0] to items[count - 1]: what all of them were at one moment, null where there is none (which is no refusal here). All are null but
 * for LATCH_OK. LATCH_E_THROTTLED: a transaction was writing one of them each time.
 *
 * Requests: 1. Read units: 2 per 4 KB begun of each item. Repeating: harmless.
 */
LATCH_NODISCARD latch_status latch_dynamodb_transact_get(latch_ctx *cx, const latch_dynamodb_transact_get_request *request,
                                                         latch_json *items) LATCH_NONNULL;

LATCH_END_C

#endif

/*
 * store/saga.h - the saga store: the state of something that takes several steps, kept between them, found by its id or by what it is about,
 * changed by one at a time. What drives steps by it is store/saga_run.h.
 *
 *     static const latch_saga orders = {.name = "order"};
 *
 *     latch_saga_instance saga = {.id = order_id, .correlation_id = order_id, .state = latch_object(cx, "paid", latch_bool(false))};
 *     LATCH_TRY(latch_saga_insert(cx, &orders, &saga, NULL));
 *     …
 *     saga.state = latch_object(cx, "paid", latch_bool(true));
 *     LATCH_TRY(latch_saga_update(cx, &orders, &saga, NULL));
 *
 * Promises: one saga per id and per correlation id; of those who read one version, one changes it: an update expects the version it was read
 * with, and whoever comes second is told what is there. Whatever is lost or late, an update is reported applied only if it was.
 *
 * Item: pk SAGA#<name>#<id>, joined and escaped by latch_key; sk STATE
 *   sagaName, sagaId, correlationId   S
 *   version                  N  0 when inserted; each update adds 1
 *   isCompleted              BOOL
 *   state                    M  as store/marshal.h makes it
 *   createdAt, updatedAt     S  "2026-01-01T00:00:00.000Z"
 *   updateId                 S  a UUID per write
 *   timeoutMs                N  absent where there is no timeout
 *   timeoutExpiresAt         S  as updatedAt; absent where there is none
 *   gsi1pk, gsi1sk           S  SAGA#<name>, the id
 *   gsi2pk, gsi2sk           S  once completed COMPLETED#<name>, updatedAt; until then TIMEOUT#<name>, timeoutExpiresAt, or absent
 * and beside it, for the correlation id, pk CORR#<name>#<correlation id>, sk CORR: sagaId S. There is no ttl: a saga lives until it is deleted.
 *
 * .saga_bus_table: the items of npm's @saga-bus/store-dynamodb 0.2.2 in a table of theirs: PK the name, SK the id, GSI1PK and GSI1SK name and
 * correlation id, GSI2PK and GSI2SK name and updatedAt once completed; names and ids go unchanged, and `state` has their `metadata` in it (id,
 * version, dates, timeout), which is written anew here and whose other members stay. There two sagas may have one correlation id, for the
 * package doesn't look; its delete has no condition; updateId is ours, and stays when it updates.
 *
 * Cost, of a saga of up to 1 KB: a get 1 read unit (by correlation id 2); an insert 5 write units, with a timeout 6; an update 2, with a
 * timeout or once completed 3, and 1 more where that changes; a delete what an insert costs: transactions cost a table twice, and each index
 * that it is in 1. In a saga bus's table insert and delete are 3. One id bears some 300 updates a second, one name about 1 000 write units a second: its index is one
 * partition, and there its table too.
 *
 * Source: TransactWriteItems and UpdateItem of the DynamoDB API reference; item, names and timeout fields of npm's @saga-bus/store-dynamodb.
 */
#ifndef LATCH_STORE_SAGA_H
#define LATCH_STORE_SAGA_H

#include "core/json.h"

LATCH_BEGIN_C

#define LATCH_SAGA_ID_MAX_BYTES 1024 /* of an id and a correlation id: a sort key's; escaped, with the name before it, 2 048 */
#define LATCH_SAGA_PAGE_MAX 1000

typedef struct latch_saga {
    const char *name;           /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; required */
    const char *saga_bus_table; /* a table that npm's @saga-bus/store-dynamodb writes too; NULL: ours, in the stores' table */
    int64_t timeout_ms;         /* of one request with its repeats; 0: 2 s; never past the deadline */
} latch_saga;

/* What is read lives as long as cx; what is given is borrowed. */
typedef struct latch_saga_instance {
    latch_str id;                         /* 1 to 1 024 bytes of UTF-8 without control bytes, as the next */
    latch_str correlation_id;             /* what it is about: an order's number; never changes */
    latch_json state;                     /* an object; the item at most 400 KB */
    bool completed;                       /* an update may also set it back */
    int64_t timeout_ms;                   /* 0: there is none; latch_saga_set_timeout sets both */
    int64_t timeout_at_ms;                /* latch_saga_find_timed_out finds it from then on, until it is completed; 0: never */
    int64_t version;                      /* from here on written by the store */
    int64_t created_at_ms, updated_at_ms; /* Unix ms, the stores' clock */
} latch_saga_instance;

/* From now; 0: none. Nothing is sent: insert or update stores it, and refuses less than 0 or more than 366 days. */
void latch_saga_set_timeout(latch_ctx *cx, latch_saga_instance *instance, int64_t timeout_ms) LATCH_NONNULL;

/*
 * What every call may answer beside what it lists:
 *
 * LATCH_E_INPUT    a bad id or correlation id: nothing was sent
 * LATCH_E_MISUSE   a bad policy, state or timeout (nothing was sent); the item is over 400 KB; no such table, or one without the index that
 *                  the call needs: the message says which, and the command that adds it
 * LATCH_E_DATA     the item is not as above
 * LATCH_E_*        no answer, or one that says no; err.maybe_applied: a try of a write got no answer, and may be applied yet
 * `out` is always written: zero but for LATCH_OK, and where it says so.
 */

/* LATCH_MISSING: there is none. Requests: 1 consistent read. */
LATCH_NODISCARD latch_status latch_saga_get_by_id(latch_ctx *cx, const latch_saga *saga, latch_str id,
                                                  latch_saga_instance *out) LATCH_NONNULL;

/*
 * LATCH_MISSING: there is none. Requests: 2 consistent reads, 1 where there is none. In a saga bus's table the first is its index, which lags
 * behind: what was inserted just now may be missing; of several with this correlation id it gives any.
 */
LATCH_NODISCARD latch_status latch_saga_get_by_correlation_id(latch_ctx *cx, const latch_saga *saga, latch_str correlation_id,
                                                              latch_saga_instance *out) LATCH_NONNULL;

/*
 * A new saga of instance->id and ->correlation_id, with its state, timeout and whether it is completed. On LATCH_OK version (0), created_at_ms
 * and updated_at_ms are written to it.
 *
 * LATCH_CONFLICT: there is one of this id, or of this correlation id, and nothing was inserted; *existing (NULL: not wanted) is the one of this
 * id, or has the id alone of the one with this correlation id.
 *
 * Requests: 1 transaction. Repeating: inside the call by its token, applied once; calling again is LATCH_CONFLICT, by your own.
 */
LATCH_NODISCARD latch_status latch_saga_insert(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance,
                                               latch_saga_instance *existing) __attribute__((nonnull(1, 2, 3)));

/*
 * Its state, timeout and whether it is completed, where it is still at instance->version. On LATCH_OK version and updated_at_ms are written
 * to it: the next update goes on from there.
 *
 * LATCH_CONFLICT: it is at another version, which the message has, and *actual (NULL: not wanted) is what is there; nothing was changed,
 * unless err.maybe_applied: a try got no answer, and what was seen doesn't tell.
 * LATCH_MISSING: there is none, with err.maybe_applied as above.
 *
 * Requests: 1. Repeating: a lost reply is repeated inside the call and recognised by its updateId.
 */
LATCH_NODISCARD latch_status latch_saga_update(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance,
                                               latch_saga_instance *actual) __attribute__((nonnull(1, 2, 3)));

/*
 * Gone, with its correlation id, which is free again; LATCH_OK too where there is none. LATCH_CONFLICT: it is at another version than
 * instance->version, or of another correlation id, and stays; *actual as above. Requests: 1 transaction. Repeating: harmless.
 */
LATCH_NODISCARD latch_status latch_saga_delete(latch_ctx *cx, const latch_saga *saga, const latch_saga_instance *instance,
                                               latch_saga_instance *actual) __attribute__((nonnull(1, 2, 3)));

/* ── finding ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_saga_which { LATCH_SAGA_ALL, LATCH_SAGA_RUNNING, LATCH_SAGA_COMPLETED } latch_saga_which;

typedef struct latch_saga_query {
    latch_saga_which which;
    int64_t limit;  /* of a page, at most LATCH_SAGA_PAGE_MAX; 0: 100 */
    latch_str from; /* a page's `next`: go on behind it; empty: from the beginning */
} latch_saga_query;

typedef struct latch_saga_page {
    latch_saga_instance *items; /* `count` of them */
    size_t count;
    latch_str next; /* empty: there are no more; may be given to a client, as latch_dynamodb_token's */
} latch_saga_page;

/*
 * The sagas of this name, by their ids; a page is full while there are more. From an index, which lags: update what you found by its version,
 * or read it first. (A saga bus's table itself is read, consistently.)
 *
 * Requests: 1 a page, and more where `which` leaves many out: 1 per 4 pages' worth that is looked at. Read units: half of 1 per 4 KB that is
 * looked at, of a saga bus's table 1. LATCH_E_INPUT also: `from` is no page's. LATCH_E_MISUSE also: a bad limit.
 */
LATCH_NODISCARD latch_status latch_saga_find_by_name(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query,
                                                     latch_saga_page *page) LATCH_NONNULL;

/*
 * Those that aren't completed and whose timeout_at_ms has come, the longest due first; query->which is not looked at. From an index, which
 * lags. Requests: 1 a page. A saga bus's table has no index of timeouts: all sagas of this name are read for it, and come by their ids.
 */
LATCH_NODISCARD latch_status latch_saga_find_timed_out(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query,
                                                       latch_saga_page *page) LATCH_NONNULL;

/*
 * Deletes what was completed and last updated before that time, one by one, each only if that is still so: what is reopened meanwhile stays.
 * *deleted is how many went, also where it ends early. Requests: 1 a page of the index (1 MB), and 1 transaction for each. Repeating: harmless.
 */
LATCH_NODISCARD latch_status latch_saga_delete_completed_before(latch_ctx *cx, const latch_saga *saga, int64_t before_ms,
                                                                int64_t *deleted) LATCH_NONNULL;

LATCH_END_C

#endif

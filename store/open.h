/* store/open.h - where the stores keep their state, as the environment says; for what starts the process (latch.c) and for tests. */
#ifndef LATCH_STORE_OPEN_H
#define LATCH_STORE_OPEN_H

#include "store/client.h"
#include "store/dynamodb/settings.h"
#include "store/dynamodb/skew.h"
#include "store/table.h"

/*
 * LATCH_STORE   embedded | dynamodb; unset or empty: dynamodb where LATCH_TABLE is set, embedded else
 * LATCH_TABLE   the table's name; unset or empty: "latch"
 * LATCH_EMBEDDED_MAX_MB   the embedded store's bound, 1 to 65536; unset: 256
 *
 * LATCH_ENSURE_TABLE      true, 1, false, 0: on DynamoDB, where there is no such table, it is created when the process starts, as
 *                         latch_dynamodb_schema_default has it, and waited for, 60 s at most; time to live is turned on. Default false. For a
 *                         desk: on real Lambda it is an error. 3 requests where the table is there.
 *
 * Where DynamoDB is and who signs: store/dynamodb/settings.h, credentials.h. How it is called, each unset or empty by default:
 *
 * DYNAMODB_MAX_RETRIES      repeats of a call, 0 to 20; default 3
 * DYNAMODB_REQUEST_TIMEOUT  ms of a call with all its tries, 0 (its deadline alone) to 900000; default 30000
 * DYNAMODB_MAX_SOCKETS      connections of bulk work, 1 to 1000; default 50
 * DYNAMODB_ENABLE_LOGGING   true, 1, false, 0: a line in the log per call; default false
 *
 * On real Lambda (AWS_LAMBDA_INITIALIZATION_TYPE is set, AWS_SAM_LOCAL isn't) the embedded store must be asked for by name: each sandbox
 * has its own, so a lock there excludes nobody elsewhere.
 */
typedef struct latch_stores {
    latch_table table;
    latch_client client;
    struct latch_embedded *embedded; /* NULL: not the embedded store */
    struct latch_dynamodb *dynamodb; /* NULL: not DynamoDB; then none of these is set: */
    struct latch_credentials *credentials;
    latch_settings settings;
    latch_skew skew;
} latch_stores;

typedef enum latch_stores_where { LATCH_STORES_NOWHERE, LATCH_STORES_EMBEDDED, LATCH_STORES_DYNAMODB } latch_stores_where;

/* Where LATCH_STORE and LATCH_TABLE put the stores, and how the other variables let DynamoDB be called. Nothing is opened. LATCH_E_MISUSE. */
LATCH_NODISCARD latch_status latch_stores_choose(latch_ctx *cx, latch_stores_where *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_stores_options(latch_ctx *cx, latch_client_options *out) LATCH_NONNULL;

/*
 * Opens what the environment names and lets cx->table point to it. *out outlives cx and isn't moved; close it once.
 *
 * For DynamoDB, keys are fetched and the connection is made, so that the first call finds both: at most 10 s in all, and where it fails
 * that is logged, and the first call tries again. cx->clock becomes one that DynamoDB's answers correct, and works after the close too.
 *
 * needed   the handler says that it uses stores: where none can be had, that is an error; else DynamoDB is left alone: no TLS, no
 *          connection (a store call then says so)
 * LATCH_E_MISUSE   the environment asks for what can't be: the message says what to set; LATCH_ENSURE_TABLE finds a table of other keys
 * LATCH_E_*        the table that LATCH_ENSURE_TABLE asks for can't be had: why not
 * LATCH_E_DENIED   DynamoDB is wanted, and there are no credentials: the message says where they were looked for
 * LATCH_E_NOMEM    no memory
 */
LATCH_NODISCARD latch_status latch_stores_open(latch_ctx *cx, bool needed, latch_stores *out) LATCH_NONNULL;
void latch_stores_close(latch_stores *stores) LATCH_NONNULL;

/*
 * After a snapshot, in each process that goes on from it: connections, keys and what was learnt of others (their locks, rate limits, a breaker,
 * the clock) are dropped; settings and keys are read and fetched anew, and the connection is made; OpenSSL's random generators are seeded
 * anew, also where no store is open. The embedded store keeps what it has: each process goes on with a copy. With the cx of the open, while
 * nobody else uses the stores; what they don't come back from is an error as of the open, and they are to be closed.
 */
LATCH_NODISCARD latch_status latch_stores_restore(latch_ctx *cx, latch_stores *stores) LATCH_NONNULL;

/*
 * One more client of the same stores, with a connection of its own, for another thread of the process: a worker beside the first. Each
 * client remembers for itself what it saw of rate limits and locks. All share what is to be one for the process: the embedded engine, keys,
 * the clock that answers correct, and the pace (store/pace.h), so that what throttles one worker slows all, and a breaker opens once;
 * while all goes well that costs one atomic read a call.
 */
typedef struct latch_stores_more {
    latch_table table;
    latch_client client;
    latch_transport own; /* zero: the first one's, which any number of threads may use */
} latch_stores_more;

/*
 * Lets cx->table point to it; the connection is made, as far as that goes. *out outlives cx and isn't moved; close it before `stores`.
 * Nothing is open in `stores`: LATCH_OK, and cx->table is NULL. LATCH_E_NOMEM, LATCH_E_MISUSE: there is no other connection.
 */
LATCH_NODISCARD latch_status latch_stores_open_more(latch_ctx *cx, latch_stores *stores, latch_stores_more *out) LATCH_NONNULL;
void latch_stores_close_more(latch_stores_more *more) LATCH_NONNULL; /* zero: nothing */

#endif

/* store/open.h - where the stores keep their state, as the environment says; for what starts the process (latch.c) and for tests. */
#ifndef LATCH_STORE_OPEN_H
#define LATCH_STORE_OPEN_H

#include "store/client.h"
#include "store/table.h"

/*
 * LATCH_STORE   embedded | dynamodb; unset or empty: dynamodb where LATCH_TABLE is set, embedded else
 * LATCH_TABLE   the table's name; unset or empty: "latch"
 * LATCH_EMBEDDED_MAX_MB   the embedded store's bound, 1 to 65536; unset: 256
 *
 * On real Lambda (AWS_LAMBDA_INITIALIZATION_TYPE is set, AWS_SAM_LOCAL isn't) the embedded store must be asked for by name: each sandbox
 * has its own, so a lock there excludes nobody elsewhere.
 */
typedef struct latch_stores {
    latch_table table;
    latch_client client;
    struct latch_embedded *embedded; /* NULL: not the embedded store */
} latch_stores;

/*
 * Opens what the environment names and lets cx->table point to it. *out outlives cx and isn't moved; close it once.
 *
 * needed   the handler says that it uses stores: where none can be had, that is an error; else it is left closed (a store call then
 *          says so)
 * LATCH_E_MISUSE   the environment asks for what can't be: the message says what to set
 * LATCH_E_NOMEM    no memory for the embedded store
 */
LATCH_NODISCARD latch_status latch_stores_open(latch_ctx *cx, bool needed, latch_stores *out) LATCH_NONNULL;
void latch_stores_close(latch_stores *stores) LATCH_NONNULL;

#endif

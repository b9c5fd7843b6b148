/* store/saga_private.h - what the saga store's files share: where its items are, and how they are read. For store/saga*.c. */
#ifndef LATCH_STORE_SAGA_PRIVATE_H
#define LATCH_STORE_SAGA_PRIVATE_H

#include "core/clock.h"
#include "store/saga.h"
#include "store/table.h"
#include "store/transact.h"

typedef struct latch_saga_place {
    const latch_saga *saga;
    latch_place at; /* every name is set, but for ttl */
    bool bus;       /* the table is a saga bus's */
} latch_saga_place;

/* The policy is checked, and that a table is open. */
LATCH_NODISCARD latch_status latch_saga_begin(latch_ctx *cx, const latch_saga *saga, latch_saga_place *out) LATCH_NONNULL;

/* The first part of an index's keys, "COMPLETED" before the name; in a saga bus's table the name. ptr is NULL where the arena is full. */
latch_str latch_saga_index_key(latch_ctx *cx, const latch_saga_place *place, latch_str prefix) LATCH_NONNULL;

/* A plain item (store/marshal.h). LATCH_E_DATA names the field; *out is written but for an error. */
LATCH_NODISCARD latch_status latch_saga_read(latch_json item, const latch_saga_place *place, latch_saga_instance *out) LATCH_NONNULL;

latch_str latch_saga_update_id(latch_json item); /* whose write it was; empty where a saga bus's own is all there was */

/* ── what is written ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_saga_key {
    latch_str pk, sk;
} latch_saga_key;

typedef struct latch_saga_dates { /* as text; gsi2's key is one of them */
    char created[LATCH_TIMESTAMP_BYTES], updated[LATCH_TIMESTAMP_BYTES], expires[LATCH_TIMESTAMP_BYTES];
} latch_saga_dates;

typedef struct latch_saga_written { /* what an insert and an update have in common */
    latch_saga_instance as;         /* what it will be */
    latch_saga_dates dates;
    latch_json state;
    latch_str update_id;
    bool indexed; /* in the second index, by: */
    latch_str gsi2pk, gsi2sk;
} latch_saga_written;

/* `w` stays where it is: it has texts of its own. LATCH_E_NOMEM, LATCH_E_MISUSE, LATCH_E_DATA: a saga bus's metadata is no object. */
LATCH_NODISCARD latch_status latch_saga_write_as(latch_ctx *cx, const latch_saga_place *place, const latch_saga_instance *as,
                                                 latch_saga_written *w) LATCH_NONNULL;
latch_json latch_saga_item(latch_ctx *cx, const latch_saga_place *place, const latch_saga_key *k,
                           const latch_saga_written *w) LATCH_NONNULL;

/*
 * Deletes a saga whose item fulfils `condition`, of these values, and its correlation id in one transaction. As latch_dynamodb_transact_write;
 * *why has the item that made the condition false.
 */
LATCH_NODISCARD latch_status latch_saga_remove(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_str correlation_id,
                                               const char *condition, const latch_pair *values,
                                               latch_dynamodb_cancelled *why) LATCH_NONNULL;

#endif

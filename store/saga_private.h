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

/*
 * Deletes a saga whose item fulfils `condition`, of these values, and its correlation id in one transaction. As latch_dynamodb_transact_write;
 * *why has the item that made the condition false.
 */
LATCH_NODISCARD latch_status latch_saga_remove(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_str correlation_id,
                                               const char *condition, const latch_pair *values,
                                               latch_dynamodb_cancelled *why) LATCH_NONNULL;

#endif

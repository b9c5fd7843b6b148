/* indexes.h - what a table that is there lacks of a schema's indexes is added. */
#ifndef LATCH_TOOL_INDEXES_H
#define LATCH_TOOL_INDEXES_H

#include "store/tables.h"

/*
 * Each global index of the schema that the table doesn't have by its name, one after the other, and waits until it can be asked: DynamoDB
 * builds it from what is stored, which of a large table takes hours. Where there is no such table: LATCH_OK, for it is to be created.
 *
 * LATCH_E_MISUSE   the table is of another key, so that the schema isn't its own; or DynamoDB refused
 * LATCH_E_TIMEOUT  not within wait->timeout_ms: it goes on there; call again
 */
LATCH_NODISCARD latch_status latch_indexes_add(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema,
                                               const latch_dynamodb_wait *wait) LATCH_NONNULL;

#endif

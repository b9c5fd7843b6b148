/*
 * store/layouts.h - the tables that stores can use, ours and those that other libraries own: their keys, indexes and time to live.
 *
 *     const latch_layout *theirs = latch_layout_find("saga-bus");
 *     LATCH_TRY(latch_dynamodb_table_ensure(cx, "sagas", theirs->schema, NULL, &table));
 *
 * `latch table create NAME --layout saga-bus` does the same, `latch table schema --layout saga-bus` prints it for a template.
 * latch_dynamodb_table_create, _ensure, _fits and _delete (store/tables.h) take each schema. All are on demand.
 *
 * Source: TABLE_SCHEMA and getTableSchema of npm's @http-client-toolkit/store-dynamodb 4.2.0 and @saga-bus/store-dynamodb 0.2.2; the
 * documentation of AWS Lambda Powertools' idempotency and of amazon-dynamodb-lock-client; @paradoxical-io/common-aws.
 */
#ifndef LATCH_STORE_LAYOUTS_H
#define LATCH_STORE_LAYOUTS_H

#include "store/schema.h"

LATCH_BEGIN_C

typedef struct latch_layout {
    const char *name;  /* "saga-bus" */
    const char *table; /* what its owner calls the table where nobody says; NULL: it must be said */
    const char *about; /* whose it is, and which stores open it by which option: half a sentence */
    const latch_dynamodb_schema *schema;
} latch_layout;

/*
 * latch                         the stores' own
 * toolkit                       npm @http-client-toolkit/store-dynamodb: cache, dedupe, rate limits
 * saga-bus                      npm @saga-bus/store-dynamodb: saga
 * powertools                    AWS Lambda Powertools' idempotency, key `id`: do-once
 * lock-client                   amazon-dynamodb-lock-client, dynamolock, key `key`: lock
 * paradoxical-locks             @paradoxical-io/common-aws: lock
 * paradoxical-keys              key-value, counters
 * paradoxical-partitioned-keys  partitioned key-value, sets, counters, limited attempt, do-once
 */
#define LATCH_LAYOUT_COUNT 8
extern const latch_layout latch_layouts[LATCH_LAYOUT_COUNT];

const latch_layout *latch_layout_find(const char *name); /* NULL: there is none of this name */

/*
 * `status`, of a query of `index` that has just ended; where it failed for the table having no such index, the error names what is missing
 * and the command that adds it. `layout` is what the table should be: one of the names above. For stores. Nothing is sent.
 */
LATCH_NODISCARD latch_status latch_layout_explain(latch_ctx *cx, latch_status status, const char *table, const char *layout,
                                                  const char *index) LATCH_NONNULL;

LATCH_END_C

#endif

/*
 * store/schema.h - what a table looks like: its keys, indexes, time to live, capacity; and the request that creates it.
 *
 * latch_dynamodb_schema_default is the table that all stores share. A schema of one's own is a constant, as a policy is:
 *
 *     static const latch_dynamodb_schema orders = {.pk = {"customer", "S"}, .sk = {"at", "N"}, .ttl = "expires"};
 */
#ifndef LATCH_STORE_SCHEMA_H
#define LATCH_STORE_SCHEMA_H

#include "core/status.h"

LATCH_BEGIN_C

#define LATCH_DYNAMODB_TABLE "latch" /* the table's name, where nobody names one */
#define LATCH_DYNAMODB_INDEX_MAX 25  /* DynamoDB's: 20 global and 5 local ones */

typedef struct latch_dynamodb_key {
    const char *name; /* NULL: there is no such key */
    const char *type; /* "S", "N" or "B"; NULL: "S" */
} latch_dynamodb_key;

typedef struct latch_dynamodb_index {
    const char *name;
    latch_dynamodb_key pk, sk;
    bool local;                 /* a local secondary index: its pk is the table's; false: a global one */
    const char *projection;     /* "ALL", "KEYS_ONLY", "INCLUDE"; NULL: "ALL" */
    const char *const *include; /* with "INCLUDE": the attributes, the last is NULL */
} latch_dynamodb_index;

typedef struct latch_dynamodb_schema {
    latch_dynamodb_key pk; /* required */
    latch_dynamodb_key sk;
    const char *ttl;                     /* the attribute with the epoch second after which DynamoDB deletes an item; NULL: none */
    const latch_dynamodb_index *indexes; /* at most LATCH_DYNAMODB_INDEX_MAX */
    size_t index_count;
    int64_t read_units, write_units; /* provisioned, of the table and of each global index; both 0: on demand */
} latch_dynamodb_schema;

/* pk and sk, text; ttl; gsi1 on gsi1pk and gsi1sk, gsi2 on gsi2pk and gsi2sk, with all attributes; on demand. */
extern const latch_dynamodb_schema latch_dynamodb_schema_default;

/*
 * The documents that CreateTable and UpdateTimeToLive take, in the arena of cx.
 *
 * LATCH_E_MISUSE  a name of less than 3 or more than 255 of a-z, A-Z, 0-9, '_', '-' and '.'; no pk; an attribute that is a key of two
 *                 types, or of one that is none; too many indexes, one without name or pk; units for one of reading and writing alone
 * LATCH_E_NOMEM   the arena is full
 */
LATCH_NODISCARD latch_status latch_dynamodb_schema_request(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema,
                                                           latch_str *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_dynamodb_ttl_request(latch_ctx *cx, const char *table, const char *attribute,
                                                        latch_str *out) LATCH_NONNULL;

/* Whether `table` may be a table's name; the other says LATCH_E_MISUSE where it may not. No request. */
bool latch_dynamodb_is_table(const char *table) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_dynamodb_check_table(latch_ctx *cx, const char *table) LATCH_NONNULL;

/* All of what are keys, each once, in the order of their first use; they are in `out`. LATCH_E_MISUSE as above. */
#define LATCH_DYNAMODB_KEY_MAX (2 + 2 * LATCH_DYNAMODB_INDEX_MAX)
LATCH_NODISCARD latch_status latch_dynamodb_schema_keys(latch_ctx *cx, const latch_dynamodb_schema *schema,
                                                        latch_dynamodb_key out[LATCH_DYNAMODB_KEY_MAX], size_t *count) LATCH_NONNULL;

LATCH_END_C

#endif

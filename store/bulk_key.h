/*
 * store/bulk_key.h - which attributes are a table's key, and what tells two keys apart: for store/bulk_*.c, which fold repeats and find
 * again what DynamoDB gives back.
 */
#ifndef LATCH_STORE_BULK_KEY_H
#define LATCH_STORE_BULK_KEY_H

#include "core/arena.h"
#include "store/bulk.h"

#define LATCH_BULK_NAME_BYTES 256 /* of an attribute, its NUL included */

typedef struct latch_bulk_table {
    const char *name;               /* borrowed */
    char pk[LATCH_BULK_NAME_BYTES]; /* attribute names */
    char sk[LATCH_BULK_NAME_BYTES]; /* empty: it has none */
} latch_bulk_table;

/* Entries are only ever added: what a job refers to may be read while another one is. */
typedef struct latch_bulk_tables {
    latch_bulk_table of[LATCH_DYNAMODB_TABLES_MAX];
    size_t count;
    const char *usual; /* of what names none */
} latch_bulk_tables;

/* LATCH_E_MISUSE: no table is open, or the keys given are none. `table` NULL: LATCH_TABLE's. */
LATCH_NODISCARD latch_status latch_bulk_tables_init(latch_ctx *cx, latch_bulk_tables *tables, const char *table,
                                                    const latch_dynamodb_keys *keys, size_t keys_count);

/*
 * The place of the table called `name` (NULL: the usual one). One that isn't known yet is described: 1 request, until deadline_at_ms, in
 * memory that is given back. *requests is added to.
 */
LATCH_NODISCARD latch_status latch_bulk_table_find(latch_ctx *cx, latch_bulk_tables *tables, const char *name, int64_t deadline_at_ms,
                                                   size_t *place, uint64_t *requests);

typedef struct latch_bulk_key {
    latch_str text; /* equal where DynamoDB calls the keys equal: numbers by their value, binary by its bytes */
    uint64_t hash;
    size_t table;
} latch_bulk_key;

bool latch_bulk_key_same(const latch_bulk_key *a, const latch_bulk_key *b);

/*
 * Of a plain item, or of a key (`alone`: nothing else may be in it); of an item as DynamoDB gives it, {"pk":{"S":"p"},…}. In `cx`'s arena.
 * LATCH_E_MISUSE, for the second LATCH_E_DATA: an attribute is missing, or of no type that a key has. LATCH_E_INPUT: empty or too long.
 */
LATCH_NODISCARD latch_status latch_bulk_key_of(latch_ctx *cx, const latch_bulk_tables *tables, size_t table, latch_json item, bool alone,
                                               latch_bulk_key *out);
LATCH_NODISCARD latch_status latch_bulk_key_of_attributes(latch_ctx *cx, const latch_bulk_tables *tables, size_t table, latch_json item,
                                                          latch_bulk_key *out);

#endif

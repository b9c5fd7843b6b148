/* store/embedded/schema.h - what a table is: its keys and indexes, as CreateTable gives them and DescribeTable shows them. */
#ifndef LATCH_STORE_EMBEDDED_SCHEMA_H
#define LATCH_STORE_EMBEDDED_SCHEMA_H

#include "store/embedded/value.h"

#define LATCH_PARTITION_KEY_MAX 2048 /* bytes */
#define LATCH_SORT_KEY_MAX 1024

typedef struct latch_keys {
    latch_str partition, sort; /* attribute names; sort empty: there is none */
    latch_type partition_type, sort_type;
} latch_keys;

typedef enum latch_projected { LATCH_PROJECTED_ALL, LATCH_PROJECTED_KEYS, LATCH_PROJECTED_INCLUDE } latch_projected;

typedef struct latch_index_schema {
    latch_str name;
    latch_keys keys;
    bool global;
    latch_projected projected;
    latch_str *included; /* of INCLUDE */
    size_t included_count;
    int64_t read_units, write_units;
} latch_index_schema;

typedef struct latch_definition { /* of AttributeDefinitions */
    latch_str name;
    latch_type type;
} latch_definition;

typedef struct latch_schema { /* text and lists in one arena */
    latch_str name;
    latch_keys keys;
    latch_definition *definitions;
    size_t definition_count;
    latch_index_schema *indexes; /* local ones first, then global ones, as they came */
    size_t index_count;
    bool on_demand; /* PAY_PER_REQUEST */
    int64_t read_units, write_units;
    bool is_protected; /* DeletionProtectionEnabled */
} latch_schema;

/* CreateTable's request, checked as DynamoDB checks it; nothing is borrowed from it. */
bool latch_schema_read(yyjson_val *request, latch_schema *out, latch_arena *arena, latch_fault *fault);

/* 3 to 255 of a-z, A-Z, 0-9, '_', '-', '.' */
bool latch_schema_check_name(latch_str name, latch_arena *arena, latch_fault *fault);

/* NULL: the table has no such index. */
const latch_index_schema *latch_schema_index(const latch_schema *schema, latch_str name);

bool latch_keys_name(const latch_keys *keys, latch_str attribute);                                            /* is it one of them? */
bool latch_schema_projects(const latch_schema *schema, const latch_index_schema *index, latch_str attribute); /* index NULL: the table */

/* ── an item's keys ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* `key` has the table's key attributes and nothing else, of the right types and sizes. */
bool latch_schema_check_key(const latch_schema *schema, const latch_item *key, latch_arena *arena, latch_fault *fault);
/* `item` has them and more, and what it has of the indexes' keys is of their types; `update`: an update made it, for the texts. */
bool latch_schema_check_item(const latch_schema *schema, const latch_item *item, bool update, latch_arena *arena, latch_fault *fault);

#endif

/*
 * store/embedded/inside.h - what the engine's operations share: the engine, one request on its way, and the parts that they are made of.
 *
 * Functions that return bool and take an op say false with op->fault set. Locks: none of them is called under the engine's lock, except
 * where it says so.
 */
#ifndef LATCH_STORE_EMBEDDED_INSIDE_H
#define LATCH_STORE_EMBEDDED_INSIDE_H

#include <pthread.h>

#include "store/embedded/engine.h"
#include "store/embedded/expression.h"
#include "store/embedded/memtable.h"

typedef struct latch_tokens latch_tokens; /* of TransactWriteItems: transact.c */

struct latch_embedded {
    pthread_mutex_t lock; /* tables and all that is in them; tokens. For reading as well: of items it is held for microseconds */
    latch_clock clock;
    uint64_t seed;
    int64_t lag_ms;
    latch_budget budget;
    latch_memtable **tables; /* by name; the engine holds each once */
    size_t table_count, table_room;
    latch_tokens *tokens;
    _Atomic int64_t due_at_ms; /* nothing expires or shows before; not later than any table's own */
    _Atomic uint64_t requests;
};

typedef struct latch_held latch_held;

typedef struct latch_op {
    latch_embedded *engine;
    const char *operation;
    yyjson_val *request;
    latch_arena *arena;
    yyjson_mut_doc *doc;
    yyjson_mut_val *answer; /* an object */
    latch_fault fault;
    const char *extra_name; /* what an error has beside its name and text; extra NULL: nothing */
    yyjson_mut_val *extra;
    int64_t now_ms;
    bool applied;     /* something was changed, and stays so whatever comes */
    latch_held *held; /* what is released when the answer is written */
} latch_op;

typedef bool latch_op_fn(latch_op *op);
latch_op_fn latch_op_create_table, latch_op_describe_table, latch_op_delete_table, latch_op_list_tables, latch_op_update_ttl,
    latch_op_describe_ttl, latch_op_update_table, latch_op_describe_limits;
latch_op_fn latch_op_get_item, latch_op_put_item, latch_op_update_item, latch_op_delete_item, latch_op_query, latch_op_scan;
latch_op_fn latch_op_batch_get, latch_op_batch_write, latch_op_transact_get, latch_op_transact_write;

/* ── engine.c ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_op_full(latch_op *op);                                                            /* the arena is; returns false */
bool latch_op_over_bound(latch_op *op);                                                      /* the engine is; returns false */
bool latch_op_missing_table(latch_op *op);                                                   /* ResourceNotFoundException; returns false */
bool latch_op_hold(latch_op *op, latch_stored *stored);                                      /* under the lock; NULL: nothing */
bool latch_op_hold_table(latch_op *op, latch_memtable *table);                               /* likewise */
int latch_name_order(latch_str a, latch_str b);                                              /* of bytes: <0, 0, >0 */
latch_memtable *latch_engine_find(const latch_embedded *engine, latch_str name, size_t *at); /* locked; `at`: where it is or would be */
void latch_engine_schedule(latch_embedded *engine, const latch_memtable *table);             /* locked; after a change */
bool latch_op_lock(latch_op *op, const latch_memtable *table);                               /* false, unlocked: the table is gone */
void latch_op_unlock(latch_op *op);

/* The answer: false where `value` is NULL or the arena full. Names are literals. */
bool latch_op_add(latch_op *op, yyjson_mut_val *object, const char *name, yyjson_mut_val *value);

/* The answer as text, in the arena. Text of a request that isn't UTF-8 is refused when it is read, so what is written here is. False: it is full. */
bool latch_op_write_answer(latch_op *op, latch_str *out);
bool latch_op_add_text(latch_op *op, yyjson_mut_val *object, const char *name, latch_str text); /* borrowed */
bool latch_op_add_int(latch_op *op, yyjson_mut_val *object, const char *name, int64_t n);
bool latch_op_add_real(latch_op *op, yyjson_mut_val *object, const char *name, double n);
bool latch_op_add_bool(latch_op *op, yyjson_mut_val *object, const char *name, bool is);
bool latch_op_add_item(latch_op *op, yyjson_mut_val *object, const char *name, const latch_item *item);
yyjson_mut_val *latch_op_object(latch_op *op, yyjson_mut_val *in, const char *name); /* a new one, put there; NULL with a fault */
yyjson_mut_val *latch_op_list(latch_op *op, yyjson_mut_val *in, const char *name);

/* ── request.c ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

yyjson_val *latch_member(yyjson_val *object, const char *name); /* NULL: absent or null */
latch_str latch_member_text(yyjson_val *object, const char *name);
bool latch_member_true(yyjson_val *object, const char *name);

/* Every member that DynamoDB knows has the JSON type that it should have: else a SerializationException. */
bool latch_op_check_types(latch_op *op, yyjson_val *object);
/* A list of objects, or an object, with members of the right types; null is. */
bool latch_op_check_shape(latch_op *op, yyjson_val *value, bool is_list);
/* Expected, AttributesToGet and the like are refused: expressions do the same. */
bool latch_op_refuse_legacy(latch_op *op, yyjson_val *object);
/* The value is one of `values` (NULL at their end) or absent: *out is its place, 0 where absent. */
bool latch_op_choice(latch_op *op, yyjson_val *object, const char *name, const char *shown, const char *const *values, size_t *out);

bool latch_op_table(latch_op *op, yyjson_val *object, latch_memtable **out); /* of its TableName; held */
bool latch_op_table_named(latch_op *op, latch_str name, latch_memtable **out);
bool latch_op_read_key(latch_op *op, const latch_memtable *table, yyjson_val *json, latch_item *out);

typedef struct latch_expressions {
    latch_placeholders placeholders;
    const latch_condition *condition, *filter;
    const latch_projection *projection;
    const latch_update *update;
    bool keyed; /* key_condition was given */
    latch_key_condition key_condition;
} latch_expressions;

typedef enum latch_expression_kind { /* which of them an operation has */
                                     LATCH_HAS_CONDITION = 1,
                                     LATCH_HAS_UPDATE = 2,
                                     LATCH_HAS_PROJECTION = 4,
                                     LATCH_HAS_FILTER = 8,
                                     LATCH_HAS_KEY_CONDITION = 16
} latch_expression_kind;

/* Placeholders without an expression are refused before the key is looked at, wrong expressions after it. */
bool latch_op_check_placeholders(latch_op *op, yyjson_val *object, unsigned kinds);
bool latch_op_read_expressions(latch_op *op, yyjson_val *object, unsigned kinds, const latch_keys *keys, latch_expressions *out);

/* ── tables.c ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_op_describe(latch_op *op, const char *name, const latch_memtable *table, const char *status); /* under `name` in the answer */

/* ── capacity.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_capacity_mode { LATCH_CAPACITY_NONE, LATCH_CAPACITY_TOTAL, LATCH_CAPACITY_INDEXES } latch_capacity_mode;

typedef struct latch_usage {
    const latch_memtable *table;
    double own;      /* of the table itself */
    double *indexes; /* of each index */
} latch_usage;

bool latch_op_capacity_mode(latch_op *op, latch_capacity_mode *out);
bool latch_usage_init(latch_op *op, latch_usage *out, const latch_memtable *table);
double latch_read_units(size_t bytes, bool consistent);
void latch_usage_add_change(latch_usage *usage, const latch_stored *before, const latch_stored *after,
                            double factor); /* `after` too where a condition was checked only */
size_t latch_projected_bytes(const latch_memtable *table, const latch_index_schema *index, const latch_stored *stored);
/* {"TableName": …}; `kind`: NULL, or "ReadCapacityUnits" or "WriteCapacityUnits", which a transaction's answer has too */
yyjson_mut_val *latch_usage_write(latch_op *op, const latch_usage *usage, latch_capacity_mode mode, const char *kind);

/* ── read.c ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_read { /* one item's */
    latch_memtable *table;
    latch_item key;
    latch_position at;
    const latch_projection *projection; /* NULL: all of it */
    bool consistent;
    latch_stored *found; /* held; NULL: there is none */
} latch_read;

bool latch_read_one(latch_op *op, yyjson_val *object, latch_read *out); /* `object` has TableName, Key, ProjectionExpression … */
bool latch_read_find(latch_op *op, latch_read *read);                   /* under the lock */
yyjson_mut_val *latch_read_write(latch_op *op, const latch_read *read); /* of what was found; NULL: the arena is full */

/* ── write.c ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_verb { LATCH_PUT, LATCH_UPDATE, LATCH_DELETE, LATCH_CHECK } latch_verb;

typedef struct latch_write { /* one item's */
    latch_verb verb;
    latch_memtable *table;
    latch_item item; /* LATCH_PUT: it; else its key */
    latch_position at;
    latch_expressions x;
    bool old_on_failure;  /* ReturnValuesOnConditionCheckFailure: ALL_OLD */
    latch_stored *before; /* held */
    latch_change change;
} latch_write;

typedef enum latch_write_outcome {
    LATCH_WRITE_READY,
    LATCH_WRITE_REFUSED, /* its condition is false */
    LATCH_WRITE_FAULTY   /* the item and the update don't fit, or there is no room: op->fault */
} latch_write_outcome;

bool latch_write_read(latch_op *op, yyjson_val *object, latch_verb verb, latch_write *out);
latch_write_outcome latch_write_prepare(latch_op *op, latch_write *write); /* under the lock; then make or not, and drop */

/* ── batch.c ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_position_same(const latch_position *a, const latch_position *b); /* of one table */

typedef struct latch_usages { /* of a request's tables */
    latch_usage *of;
    size_t count;
} latch_usages;
bool latch_usages_init(latch_op *op, latch_usages *out, size_t room);
latch_usage *latch_usages_find(latch_op *op, latch_usages *usages, const latch_memtable *table); /* or a new one; NULL with a fault */
bool latch_usages_answer(latch_op *op, const latch_usages *usages, latch_capacity_mode mode, const char *kind);

/* ── transact.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_writes { /* of one request */
    latch_write *of;
    size_t count;
} latch_writes;
bool latch_writes_init(latch_op *op, latch_writes *out, size_t room);
bool latch_writes_repeat(const latch_writes *all, const latch_write *w); /* one of them is on the same item */
bool latch_writes_lock(latch_op *op, const latch_writes *all);           /* false, unlocked: a table is gone */
void latch_writes_make(latch_op *op, latch_writes *all);                 /* under the lock; all are prepared */
void latch_writes_drop(latch_writes *all);

void latch_tokens_clean_up(latch_embedded *engine);

#endif

/*
 * generator.h - random requests: mostly good ones, about a few items, so that conditions are true as often as false; the rest each wrong
 * in one way.
 *
 * What is there is asked of the engine, so that a request can be about it. The same seed and the same answers make the same requests.
 */
#ifndef TESTS_DIFFERENTIAL_GENERATOR_H
#define TESTS_DIFFERENTIAL_GENERATOR_H

#include "tests/differential/sides.h"
#include "tests/differential/text.h"

/* ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct key_def {
    const char *name; /* NULL: there is none */
    char type;        /* S, N or B */
} key_def;

typedef struct order {
    const char *index; /* NULL: the table's own */
    key_def hash, range;
    bool global;
    const char *projection; /* what stands in "Projection" */
} order;

#define ORDERS_MAX 5
typedef struct layout {
    const char *name;
    order orders[ORDERS_MAX]; /* the table's own first */
    size_t count;
} layout;

enum { PLAIN, RICH, BINARY, NUMBER, LARGE, LAYOUT_COUNT };
extern const layout layouts[LAYOUT_COUNT];

/* ── what a request may be wrong in ────────────────────────────────────────────────────────────────────────────────────── */

typedef enum spoil {
    NO_SPOIL,
    UNDEFINED_NAME,
    UNUSED_NAME,
    UNDEFINED_VALUE,
    UNUSED_VALUE,
    WRONG_PLACEHOLDER,
    BROKEN_SYNTAX,
    RESERVED_WORD,
    WRONG_FUNCTION,
    WRONG_OPERAND,
    REDUNDANT_PARENTHESES,
    OVERLAPPING_PATHS,
    LONG_EXPRESSION,
    EMPTY_EXPRESSION,
    CHANGED_KEY,
    MISSING_KEY,
    EXTRA_KEY,
    WRONG_KEY_TYPE,
    EMPTY_KEY,
    LONG_KEY,
    NO_TABLE,
    BAD_TABLE_NAME,
    BAD_VALUE,
    LARGE_ITEM,
    DEEP_ITEM,
    WRONG_INDEX_KEY,
    BAD_LIMIT,
    BAD_WORD,
    BAD_INDEX,
    BAD_START,
    BAD_SEGMENT,
    BAD_SELECT,
    EVENTUAL_ONLY,
    TOO_MANY,
    TWICE,
    NOTHING,
    LEGACY,
    MUTATED,
    SPOIL_COUNT
} spoil;

/* ── functions of the language, as coverage counts them ────────────────────────────────────────────────────────────────── */

typedef enum function {
    F_EQ,
    F_NE,
    F_LT,
    F_LE,
    F_GT,
    F_GE,
    F_BETWEEN,
    F_IN,
    F_EXISTS,
    F_NOT_EXISTS,
    F_TYPE,
    F_BEGINS,
    F_CONTAINS,
    F_SIZE,
    F_IF_NOT_EXISTS,
    FUNCTION_COUNT,
    F_NONE = FUNCTION_COUNT
} function;
extern const char *const function_names[FUNCTION_COUNT];

/* ── the generator ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct gen {
    dice dice;
    sides *sides;       /* the engine is asked what is there */
    const char *prefix; /* of table names */

    /* the request */
    const char *operation;
    text out;
    spoil spoil;  /* what is to be wrong; NO_SPOIL once it is */
    bool spoiled; /* something is wrong, or is to be */
    const layout *layout;
    const order *order;
    text expression, names, values;
    unsigned name_count, value_count;
    yyjson_doc *there; /* the answer of GetItem; owned */
    yyjson_val *item;  /* in it; NULL: no item */
    text key;          /* of the item it is about; "": of none or of several */

    /* what is known of its truth */
    function only; /* the condition or the filter is this alone; F_NONE: it isn't, or there is none */
    bool negated;
    unsigned actions; /* of the update */
    int absent;       /* of if_not_exists: 1 the path isn't there, 0 it is; -1: unused */

    text last_transaction, last_token; /* of the transaction to send again */
    unsigned tokens, made;             /* so far */
} gen;

void gen_init(gen *g, uint64_t seed, sides *both, const char *prefix);
void gen_clean_up(gen *g);

/* The next request: g->operation and g->out. */
void gen_next(gen *g);

bool gen_chance(gen *g, uint32_t n, uint32_t of);
uint32_t gen_roll(gen *g, uint32_t below);
bool gen_wrong(gen *g, spoil in); /* true once where the request is to be wrong in this */

/* ── values.c: attribute values as JSON ────────────────────────────────────────────────────────────────────────────────── */

void value_any(gen *g, text *out, int depth);
void value_of(gen *g, text *out, char type);                  /* S, N, B, or T(rue), L, M, 0 (NULL), s, n, b (sets) */
void value_between(gen *g, text *low, text *high, char type); /* low <= high, unless BETWEEN's operands are to be wrong */
void value_bad(gen *g, text *out);
void value_key(gen *g, text *out, key_def key); /* {"S":"k1"}: of few */
void value_copy(text *out, yyjson_val *value);
const char *value_name(gen *g); /* of a top-level attribute */
const char *value_child(gen *g);
char value_type(yyjson_val *value);             /* as value_of takes it */
void item_write(gen *g, text *out);             /* {"pk":…}: a whole item of the layout, with its keys */
void key_write(gen *g, text *out, bool spoils); /* {"pk":…,"sk":…} */

/* ── expressions.c: their text, names and values gathered in g ─────────────────────────────────────────────────────────── */

void expression_begin(gen *g);
void expression_condition(gen *g, text *out);
void expression_filter(gen *g, text *out);
void expression_update(gen *g, text *out);
void expression_projection(gen *g, text *out);
void expression_key(gen *g, text *out, const char *hash_value); /* of g->order */
void expression_placeholders(gen *g, text *out);                /* ,"ExpressionAttributeNames":… as far as there are any */
void expression_member(gen *g, text *out, const char *name, void (*write)(gen *g, text *out)); /* ,"name":"…" */

/* ── requests.c, several.c, tables.c ───────────────────────────────────────────────────────────────────────────────────── */

void request_begin(gen *g, const char *operation);
void request_table(gen *g, text *out); /* "TableName":"…" */
void request_peek(gen *g, const char *key);
void request_item(gen *g, const char *operation);
void request_query(gen *g);
void request_scan(gen *g);
void request_batch_get(gen *g);
void request_batch_write(gen *g);
void request_transact_get(gen *g);
void request_transact_write(gen *g);
void request_tables(gen *g);
void table_create(gen *g, text *out, const layout *of);
void request_mutate(gen *g);

#endif

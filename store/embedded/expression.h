/*
 * store/embedded/expression.h - DynamoDB's expression language: condition, filter, key condition, projection, update.
 *
 * Parsing takes text and placeholders, never an item: an expression is wrong or right by itself. Depth and length are bounded as
 * DynamoDB bounds them (4 096 bytes; 300 operators; 32 levels of a path), so hostile text neither recurses far nor takes long.
 * Everything lives in the arena given. Errors carry DynamoDB's own texts, e.g.
 *   Invalid ConditionExpression: Syntax error; token: "=", near: "a = ="
 *   Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :x
 *
 * Source: the DynamoDB developer guide's "Expressions" and "Reserved words"; texts as DynamoDB Local 2.6.1 gives them.
 */
#ifndef LATCH_STORE_EMBEDDED_EXPRESSION_H
#define LATCH_STORE_EMBEDDED_EXPRESSION_H

#include "store/embedded/value.h"

/* ── placeholders of one request: ExpressionAttributeNames, ExpressionAttributeValues ──────────────────────────────── */

typedef struct latch_placeholders {
    latch_arena *arena;
    struct latch_placeholder_name *names;
    struct latch_placeholder_value *values;
    size_t name_count, value_count;
    bool given_names, given_values; /* the members were there, even if empty */
} latch_placeholders;

/* `names` and `values` may be NULL: not given. False: *fault (no object, a bad name such as "#", a value that is none, an empty map). */
bool latch_placeholders_read(yyjson_val *names, yyjson_val *values, latch_placeholders *out, latch_arena *arena, latch_fault *fault);

/* After all of a request's expressions are parsed. False: one was not used, as DynamoDB says it. */
bool latch_placeholders_all_used(const latch_placeholders *p, latch_fault *fault);

/* ── conditions and filters ────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_condition latch_condition;

/* `kind`: "ConditionExpression" or "FilterExpression", for the texts. */
bool latch_condition_parse(latch_str text, const char *kind, latch_placeholders *p, const latch_condition **out, latch_fault *fault);

/* `item` NULL: there is none. Never fails: what doesn't compare is false. */
bool latch_condition_holds(const latch_condition *c, const latch_item *item);

/* True where the condition names this top-level attribute: a filter may not name the key. */
bool latch_condition_names(const latch_condition *c, latch_str attribute);

/* The i-th top-level attribute that it names, one perhaps several times; false: there are no more. An index may not have it. */
bool latch_condition_attribute(const latch_condition *c, size_t i, latch_str *out);

/* ── key conditions ────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_key_operator {
    LATCH_KEY_ANY,
    LATCH_KEY_EQ,
    LATCH_KEY_LT,
    LATCH_KEY_LE,
    LATCH_KEY_GT,
    LATCH_KEY_GE,
    LATCH_KEY_BETWEEN,
    LATCH_KEY_BEGINS_WITH
} latch_key_operator;

typedef struct latch_key_condition {
    latch_av hash;
    latch_key_operator op; /* of the sort key; ANY: none was given */
    latch_av low, high;    /* BETWEEN uses both, the others low */
} latch_key_condition;

/* `sort` is empty for a table or index without a sort key. Types are checked against the key's by the operation. */
bool latch_key_condition_parse(latch_str text, latch_str hash, latch_str sort, latch_placeholders *p, latch_key_condition *out,
                               latch_fault *fault);

/* The second half of it: what a condition says of the keys. What is wrong there is told after all that is wrong with any text. */
bool latch_key_condition_of(const latch_condition *c, latch_str hash, latch_str sort, latch_arena *arena, latch_key_condition *out,
                            latch_fault *fault);
bool latch_key_condition_holds(const latch_key_condition *c, const latch_av *sort); /* of the sort key's value alone */

/* ── projections ───────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_projection latch_projection;
bool latch_projection_parse(latch_str text, latch_placeholders *p, const latch_projection **out, latch_fault *fault);
/* What the item has of it; list elements close up. False: the arena is full. */
bool latch_project(const latch_projection *projection, const latch_item *item, latch_item *out, latch_arena *arena);
/* The i-th top-level attribute that it names; false: there are no more. */
bool latch_projection_attribute(const latch_projection *projection, size_t i, latch_str *out);

/* ── updates ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_update latch_update;
bool latch_update_parse(latch_str text, latch_placeholders *p, const latch_update **out, latch_fault *fault);

/* True where it writes this top-level attribute: "Cannot update attribute pk. This attribute is part of the key". */
bool latch_update_writes(const latch_update *u, latch_str attribute);

/*
 * The item after the update; every value is read from the item before it. `old` NULL: there is none, *out begins with `key`.
 * False: *fault (a path that isn't there, a wrong operand type, a number out of range).
 */
bool latch_update_apply(const latch_update *u, const latch_item *old, const latch_item *key, latch_item *out, latch_arena *arena,
                        latch_fault *fault);

/*
 * For UPDATED_OLD and UPDATED_NEW: the top-level attributes of `item` (before or after) in which a path of the update leads to something.
 * Whole attributes, as Local answers; the API's reference says "updated attributes". False: the arena is full.
 */
bool latch_update_touched(const latch_update *u, const latch_item *item, latch_item *out, latch_arena *arena);

#endif

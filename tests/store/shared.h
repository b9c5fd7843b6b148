/*
 * shared.h - a pair's world with the tables that other libraries lay out, and one who writes in them as those libraries do: what the tests of
 * stores that share a table stand on. All of it is static: one world a test file.
 */
#ifndef TESTS_STORE_SHARED_H
#define TESTS_STORE_SHARED_H

#include <stdio.h>

#include "core/ctx.h"
#include "store/items.h"
#include "store/layouts.h"
#include "store/tables.h"
#include "tests/check.h"
#include "tests/store/pair.h"

static rig eve; /* another library's process */

/* Without its time to live: what has expired stands until a test is through with it. */
static inline void shared_open(const char *table, const char *layout) {
    latch_dynamodb_ensured ensured;
    latch_dynamodb_schema schema = *latch_layout_find(layout)->schema;
    schema.ttl = NULL;
    pair_open((size_t)2 << 20);
    rig_init(&eve, &world, (size_t)2 << 20);
    assert_int_equal(latch_dynamodb_table_ensure(&eve.cx, table, &schema, NULL, &ensured), LATCH_OK);
}

static inline int shared_tear_down(void **state) {
    rig_clean_up(&eve);
    return pair_tear_down(state);
}

static inline latch_json parsed_by(rig *r, const char *text) {
    latch_json v;
    if (latch_parse(&r->cx, "v", latch_str_of(text), &v) != LATCH_OK) fail_msg("%s: %s", r->cx.err.message, text);
    return v;
}

/* The item of a key, as plain JSON; null where there is none. What eve asked for before is gone. */
static inline latch_json there(const char *table, const char *key) {
    latch_json item;
    rig_again(&eve, 0);
    latch_status status = latch_dynamodb_get(&eve.cx, &(latch_dynamodb_get_request){.table = table, .key = parsed_by(&eve, key)}, &item);
    assert_true(status == LATCH_OK || status == LATCH_MISSING);
    return item;
}

static inline void put_there(const char *table, const char *item) {
    rig_again(&eve, 0);
    assert_int_equal(latch_dynamodb_put(&eve.cx, &(latch_dynamodb_put_request){.table = table, .item = parsed_by(&eve, item)}, NULL),
                     LATCH_OK);
}

static inline void delete_there(const char *table, const char *key) {
    rig_again(&eve, 0);
    assert_int_equal(latch_dynamodb_delete(&eve.cx, &(latch_dynamodb_delete_request){.table = table, .key = parsed_by(&eve, key)}, NULL),
                     LATCH_OK);
}

/* An attribute, as text, or "" where there is none. */
static inline const char *text_there(const char *table, const char *key, const char *attribute) {
    static char out[4][128];
    static size_t turn;
    latch_str s;
    char *at = out[turn++ % 4];
    latch_json item = there(table, key);
    assert_int_equal(latch_read_(item, (const latch_field[]){{attribute, latch_optional(&s)}, {NULL, latch_i_str_(NULL)}}), LATCH_OK);
    snprintf(at, sizeof out[0], "%.*s", LATCH_ARG(s));
    return at;
}

/* INT64_MIN: there is no such number. */
static inline int64_t number_there(const char *table, const char *key, const char *attribute) {
    int64_t n = INT64_MIN;
    latch_json item = there(table, key);
    if (item.node == NULL || !latch_has(item, attribute)) return n;
    assert_int_equal(latch_read_(item, (const latch_field[]){{attribute, latch_i_int_(&n)}, {NULL, latch_i_str_(NULL)}}), LATCH_OK);
    return n;
}

static inline bool has_there(const char *table, const char *key, const char *attribute) {
    latch_json item = there(table, key);
    return item.node != NULL && latch_has(item, attribute);
}

static inline void is_text(latch_json v, const char *text) {
    if (!latch_str_eq(latch_text(v), latch_str_of(text))) fail_msg("is %.*s, want %s", LATCH_ARG(latch_text(v)), text);
}

static inline bool says(const rig *r, const char *words) { return strstr(r->cx.err.message, words) != NULL; }

#endif

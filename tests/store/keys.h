/* keys.h - pair.h's world with the tables that paradoxical-io's library makes: what the tests of key-value stores, sets and counters share. */
#ifndef TESTS_STORE_KEYS_H
#define TESTS_STORE_KEYS_H

#include <stdio.h>

#include "core/ctx.h"
#include "store/canon.h"
#include "store/dynamodb.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define KEYS "paradox.dev.keys"
#define PARTITIONED "paradox.dev.partitioned_keys"
#define TIMES "paradox.dev.times" /* as the second, its sort key a number */

static inline void is_fine(const rig *r, latch_status status) {
    if (status != LATCH_OK) fail_msg("%d: %s", status, r->cx.err.message);
}

static inline latch_json parsed(rig *r, const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&r->cx, "body", latch_str_of(text), &v), LATCH_OK);
    return v;
}

static inline void is_json(latch_json v, const char *want) {
    latch_str text = latch_text(v);
    if (!latch_str_eq(text, latch_str_of(want))) fail_msg("is %.*s\nwant %s", LATCH_ARG(text), want);
}

static inline void ask_as(rig *r, const char *operation, const char *request) {
    latch_answer answer;
    is_fine(r, latch_dynamodb_call(&r->cx, operation, parsed(r, request), &answer));
}

static inline void make_table(const char *name, const char *pk, const char *sk, const char *type) {
    char text[700];
    int n = snprintf(text, sizeof text,
                     "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":"
                     "\"%s\",\"AttributeType\":\"S\"}%s%s%s%s%s],\"KeySchema\":[{\"AttributeName\":\"%s\",\"KeyType\":\"HASH\"}%s%s%s]}",
                     name, pk, sk ? ",{\"AttributeName\":\"" : "", sk ? sk : "", sk ? "\",\"AttributeType\":\"" : "", sk ? type : "",
                     sk ? "\"}" : "", pk, sk ? ",{\"AttributeName\":\"" : "", sk ? sk : "", sk ? "\",\"KeyType\":\"RANGE\"}" : "");
    assert_in_range(n, 1, (int)sizeof text - 1);
    ask_as(&ann, "CreateTable", text);
}

static inline int keys_set_up(void **state) {
    (void)state;
    pair_open((size_t)4 << 20);
    make_table(KEYS, "key", NULL, NULL);
    make_table(PARTITIONED, "partitionKey", "sortKey", "S");
    make_table(TIMES, "partitionKey", "sortKey", "N");
    pair_again((rig_twin){NULL, NULL});
    return 0;
}

/* An item of another table as it is, as DynamoDB's JSON, whatever the order; "null" where there is none. */
static inline void stands(const char *table, const char *key, const char *want) {
    char text[600];
    latch_answer answer;
    latch_json item;
    latch_str is, as;
    assert_in_range(snprintf(text, sizeof text, "{\"TableName\":\"%s\",\"Key\":%s,\"ConsistentRead\":true}", table, key), 1, 599);
    is_fine(&bob, latch_dynamodb_call(&bob.cx, "GetItem", parsed(&bob, text), &answer));
    is_fine(&bob, latch_read(answer.body, "Item", latch_optional(&item)));
    is_fine(&bob, latch_canon_text(&bob.cx, item, &is));
    is_fine(&bob, latch_canon_text(&bob.cx, parsed(&bob, want), &as));
    if (!latch_str_eq(is, as)) fail_msg("is %.*s\nwant %.*s", LATCH_ARG(is), LATCH_ARG(as));
}

static inline void plant(const char *table, const char *item) {
    char text[900];
    assert_in_range(snprintf(text, sizeof text, "{\"TableName\":\"%s\",\"Item\":%s}", table, item), 1, 899);
    ask_as(&bob, "PutItem", text);
}

#endif

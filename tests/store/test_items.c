#include "store/items.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/dynamodb.h"
#include "store/transact.h"
#include "tests/check.h"
#include "tests/store/pair.h"

static latch_usage usage;

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)8 << 20);
    usage = (latch_usage){0};
    ann.cx.usage = &usage;
    return 0;
}

static latch_json key_of(rig *r, const char *pk, const char *sk) { return latch_object(&r->cx, "pk", pk, "sk", sk); }

static latch_json parsed(rig *r, const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&r->cx, "body", latch_str_of(text), &v), LATCH_OK);
    return v;
}

static void is_text(latch_json v, const char *want) {
    latch_str text = latch_text(v);
    if (!latch_str_eq(text, latch_str_of(want))) fail_msg("is %.*s\nwant %s", LATCH_ARG(text), want);
}

static void is_fine(const rig *r, latch_status status) {
    if (status != LATCH_OK) fail_msg("%d: %s", status, r->cx.err.message);
}

static void put(rig *r, const char *item) {
    is_fine(r, latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = parsed(r, item)}, NULL));
}

static int64_t number_of(const char *pk, const char *sk, const char *attribute) { return rig_number(&world, pk, sk, attribute); }

/* ── as a handler writes it ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* What an author writes: an order is made once, paid once, listed. */
static latch_status place_order(latch_ctx *cx, const char *id, int64_t total) {
    latch_json item = latch_object(cx, "pk", "CUSTOMER#ann", "sk", latch_key(cx, LATCH_STR("ORDER"), latch_str_of(id)), "state", "open",
                                   "total", total, "price", 9.75);
    return latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = item, .condition = "attribute_not_exists(#pk)"}, NULL);
}

static latch_status pay_order(latch_ctx *cx, const char *id, latch_json *order) {
    return latch_dynamodb_update(
        cx,
        &(latch_dynamodb_update_request){
            .key = latch_object(cx, "pk", "CUSTOMER#ann", "sk", latch_key(cx, LATCH_STR("ORDER"), latch_str_of(id))),
            .update = "SET #state = :paid, #history = list_append(if_not_exists(#history, :none), :paid_event)",
            .condition = "#state = :open",
            .values = LATCH_VALUES(":paid", "paid", ":open", "open", ":none", latch_array(cx), ":paid_event",
                                   latch_append(latch_array(cx), "paid")),
            .exactly_once = false},
        order);
}

static latch_status sum_of_orders(latch_ctx *cx, int64_t *sum, int64_t *orders) {
    latch_dynamodb_pages pages;
    *sum = 0;
    LATCH_TRY(latch_dynamodb_query(cx,
                                   &(latch_dynamodb_query_request){.key_condition = "#pk = :pk AND begins_with(#sk, :order)",
                                                                   .values = LATCH_VALUES(":pk", "CUSTOMER#ann", ":order", "ORDER#")},
                                   &pages));
    for (;;) {
        latch_json order;
        bool more;
        int64_t total;
        LATCH_TRY(latch_dynamodb_next(&pages, &order, &more));
        if (!more) break;
        LATCH_TRY(latch_read(order, "total", &total));
        *sum += total;
    }
    *orders = pages.count;
    return LATCH_OK;
}

static void reads_well_in_a_handler(void **state) {
    latch_json order;
    int64_t sum, orders;
    latch_str first;
    (void)state;
    is_fine(&ann, place_order(&ann.cx, "1", 20));
    is_fine(&ann, place_order(&ann.cx, "2", 22));
    assert_int_equal(place_order(&ann.cx, "2", 99), LATCH_CONFLICT);
    assert_false(ann.cx.err.maybe_applied);
    is_fine(&ann, pay_order(&ann.cx, "1", &order));
    is_fine(&ann, latch_read(order, "state", &first));
    assert_true(latch_str_eq(first, LATCH_STR("paid")));
    is_fine(&ann, latch_read(order, "history[0]", &first));
    assert_int_equal(pay_order(&ann.cx, "1", &order), LATCH_CONFLICT);
    is_fine(&ann, latch_read(order, "state", &first)); /* the one that made the condition false */
    assert_true(latch_str_eq(first, LATCH_STR("paid")));
    is_fine(&ann, sum_of_orders(&ann.cx, &sum, &orders));
    assert_int_equal(sum, 42);
    assert_int_equal(orders, 2);
}

/* ── what goes out ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void sent(const char *operation, const char *text) {
    assert_string_equal(ann.operation, operation);
    assert_string_equal(ann.last_request, text);
}

#define KEY "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"}}"

static void sends_exactly_this(void **state) {
    latch_ctx *cx = &ann.cx;
    latch_json item, key = key_of(&ann, "p", "s");
    latch_dynamodb_cost cost = {0};
    (void)state;
    (void)!latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = key}, &item);
    sent("GetItem", KEY ",\"ConsistentRead\":true}");
    (void)!latch_dynamodb_get(
        cx,
        &(latch_dynamodb_get_request){
            .key = key, .projection = "#a, #b.#c[0], #a", .names = LATCH_NAMES("#c", "c-d"), .eventual = true, .cost = &cost},
        &item);
    sent("GetItem", KEY ",\"ProjectionExpression\":\"#a, #b.#c[0], #a\",\"ExpressionAttributeNames\":{\"#a\":\"a\",\"#b\":\"b\",\"#c\":"
                        "\"c-d\"},\"ReturnConsumedCapacity\":\"TOTAL\"}");
    (void)!latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = key}, NULL);
    sent("PutItem", "{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"}}}");
    (void)!latch_dynamodb_put(
        cx, &(latch_dynamodb_put_request){.item = key, .condition = "#n < :max", .values = LATCH_VALUES(":max", latch_int(3))}, &item);
    sent("PutItem", "{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"}},\"ConditionExpression\":\"#n < :max\","
                    "\"ExpressionAttributeNames\":{\"#n\":\"n\"},\"ExpressionAttributeValues\":{\":max\":{\"N\":\"3\"}},"
                    "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ReturnValues\":\"ALL_OLD\"}");
    (void)!latch_dynamodb_update(
        cx,
        &(latch_dynamodb_update_request){
            .key = key, .update = "SET #n = :n", .values = LATCH_VALUES(":n", 1.5), .returns = LATCH_DYNAMODB_UPDATED_OLD},
        &item);
    sent("UpdateItem", KEY ",\"UpdateExpression\":\"SET #n = :n\",\"ExpressionAttributeNames\":{\"#n\":\"n\"},"
                           "\"ExpressionAttributeValues\":{\":n\":{\"N\":\"1.5\"}},\"ReturnValues\":\"UPDATED_OLD\"}");
    (void)!latch_dynamodb_delete(cx, &(latch_dynamodb_delete_request){.table = "latch", .key = key}, NULL);
    sent("DeleteItem", KEY "}");
}

static void sends_exactly_this_search(void **state) {
    latch_ctx *cx = &ann.cx;
    latch_dynamodb_pages pages;
    bool more;
    (void)state;
    is_fine(&ann, latch_dynamodb_query(cx,
                                       &(latch_dynamodb_query_request){.key_condition = "#pk = :pk",
                                                                       .filter = "#n > :n",
                                                                       .projection = "#sk",
                                                                       .values = LATCH_VALUES(":pk", "p", ":n", latch_int(1)),
                                                                       .backward = true,
                                                                       .limit = 7,
                                                                       .page_items = 9},
                                       &pages));
    assert_int_equal(ann.requests, 0);
    is_fine(&ann, latch_dynamodb_next_page(&pages, &more));
    sent("Query", "{\"TableName\":\"latch\",\"KeyConditionExpression\":\"#pk = :pk\",\"FilterExpression\":\"#n > :n\","
                  "\"ProjectionExpression\":\"#sk\",\"ExpressionAttributeNames\":{\"#pk\":\"pk\",\"#n\":\"n\",\"#sk\":\"sk\"},"
                  "\"ExpressionAttributeValues\":{\":pk\":{\"S\":\"p\"},\":n\":{\"N\":\"1\"}},\"ConsistentRead\":true,"
                  "\"ScanIndexForward\":false,\"Limit\":7}");
    is_fine(&ann, latch_dynamodb_scan(cx,
                                      &(latch_dynamodb_scan_request){
                                          .consistency = LATCH_DYNAMODB_EVENTUAL, .segment = 1, .total_segments = 4, .count_only = true},
                                      &pages));
    is_fine(&ann, latch_dynamodb_next_page(&pages, &more));
    sent("Scan", "{\"TableName\":\"latch\",\"Select\":\"COUNT\",\"Segment\":1,\"TotalSegments\":4}");
    is_fine(&ann, latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.index = "by-day"}, &pages));
    (void)!latch_dynamodb_next_page(&pages, &more);
    sent("Scan", "{\"TableName\":\"latch\",\"IndexName\":\"by-day\"}");
}

/* ── one item ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_is_not_there_is_missing(void **state) {
    latch_json item;
    (void)state;
    assert_int_equal(latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "s")}, &item), LATCH_MISSING);
    assert_null(item.node);
    assert_string_equal(ann.cx.err.message, "get: there is no such item in latch: {\"pk\":\"p\",\"sk\":\"s\"}");
}

static void gives_all_kinds_back(void **state) {
    static const char text[] = "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1.5,\"big\":12345678901234567890123456789012345678,\"b\":{\"$binary\":"
                               "\"AQID\"},\"l\":[1,\"a\",null,true,{\"m\":{}}],\"e\":\"\",\"odd\":{\"$map\":{\"$number\":\"x\"}}}";
    latch_json item, part;
    (void)state;
    put(&ann, text);
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "s")}, &item));
    for (latch_each each = latch_each_in(parsed(&ann, text)); latch_each_next(&each);) { /* attributes have no order */
        char name[16];
        latch_str want = latch_text(latch_each_value(&each));
        bool found = false;
        snprintf(name, sizeof name, "%.*s", LATCH_ARG(each.name));
        for (latch_each have = latch_each_in(item); latch_each_next(&have);) {
            if (!latch_str_eq(have.name, each.name)) continue;
            latch_str is = latch_text(latch_each_value(&have));
            found = latch_str_eq(is, want);
        }
        if (!found) fail_msg("%s: want %.*s", name, LATCH_ARG(want));
    }
    is_fine(&ann, latch_dynamodb_get(
                      &ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "s"), .projection = "#l[4].#m, #absent"}, &part));
    is_text(part, "{\"l\":[{\"m\":{}}]}");
    is_fine(&ann,
            latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "s"), .projection = "#absent"}, &part));
    is_text(part, "{}");
}

static void sets_come_back_as_sets(void **state) {
    latch_json item;
    int64_t count;
    (void)state;
    put(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"s\":{\"$strings\":[\"a\"]},\"n\":{\"$numbers\":[2.5]},\"b\":{\"$binaries\":[\"AQ==\"]}}");
    is_fine(&ann, latch_dynamodb_update(
                      &ann.cx,
                      &(latch_dynamodb_update_request){.key = key_of(&ann, "p", "s"),
                                                       .update = "ADD #s :s, #n :n",
                                                       .values = LATCH_VALUES(":s", parsed(&ann, "{\"$strings\":[\"a\",\"b\"]}"), ":n",
                                                                              parsed(&ann, "{\"$numbers\":[2.50]}"))},
                      &item));
    latch_json strings, numbers, binaries;
    is_fine(&ann, latch_read(item, "s.$strings", &strings, "n.$numbers", &numbers, "b.$binaries", &binaries));
    count = (int64_t)latch_count(strings);
    assert_int_equal(count, 2);
    is_text(numbers, "[2.5]");
    is_text(binaries, "[\"AQ==\"]");
}

static void gives_what_was_there(void **state) {
    latch_json old;
    latch_ctx *cx = &ann.cx;
    latch_dynamodb_put_request once = {.item = parsed(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1}"),
                                       .condition = "attribute_not_exists(#pk)"};
    (void)state;
    is_fine(&ann, latch_dynamodb_put(cx, &once, &old));
    assert_null(old.node);
    assert_int_equal(latch_dynamodb_put(cx, &once, &old), LATCH_CONFLICT);
    int64_t n;
    is_fine(&ann, latch_read(old, "n", &n));
    assert_int_equal(n, 1);
    is_fine(&ann, latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = parsed(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":2}")}, &old));
    is_fine(&ann, latch_read(old, "n", &n));
    assert_int_equal(n, 1);
    latch_dynamodb_delete_request gone = {
        .key = key_of(&ann, "p", "s"), .condition = "#n = :n", .values = LATCH_VALUES(":n", latch_int(7))};
    assert_int_equal(latch_dynamodb_delete(cx, &gone, &old), LATCH_CONFLICT);
    is_fine(&ann, latch_read(old, "n", &n));
    assert_int_equal(n, 2);
    gone.condition = NULL;
    gone.values = NULL;
    is_fine(&ann, latch_dynamodb_delete(cx, &gone, &old));
    is_fine(&ann, latch_read(old, "n", &n));
    assert_int_equal(n, 2);
    is_fine(&ann, latch_dynamodb_delete(cx, &gone, &old));
    assert_null(old.node);
    gone.condition = "attribute_exists(#pk)";
    assert_int_equal(latch_dynamodb_delete(cx, &gone, &old), LATCH_CONFLICT);
    assert_null(old.node);
}

static void update_returns_what_is_asked_for(void **state) {
    static const struct {
        latch_dynamodb_returns returns;
        const char *n, *m; /* "" : not given */
    } rows[] = {{LATCH_DYNAMODB_ALL_NEW, "2", "5"},
                {LATCH_DYNAMODB_ALL_OLD, "1", "5"},
                {LATCH_DYNAMODB_UPDATED_NEW, "2", ""},
                {LATCH_DYNAMODB_UPDATED_OLD, "1", ""}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json item;
        int64_t n, m;
        put(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1,\"m\":5}");
        is_fine(&ann, latch_dynamodb_update(&ann.cx,
                                            &(latch_dynamodb_update_request){.key = key_of(&ann, "p", "s"),
                                                                             .update = "SET #n = #n + :one",
                                                                             .values = LATCH_VALUES(":one", latch_int(1)),
                                                                             .returns = rows[i].returns},
                                            &item));
        is_fine(&ann, latch_read(item, "n", &n, "m", latch_range_or(&m, 0, 9, -1)));
        assert_int_equal(n, atoi(rows[i].n));
        assert_int_equal(m, rows[i].m[0] != '\0' ? atoi(rows[i].m) : -1);
    }
    latch_json item;
    assert_int_equal(latch_dynamodb_update(&ann.cx,
                                           &(latch_dynamodb_update_request){
                                               .key = key_of(&ann, "p", "s"), .update = "REMOVE #m", .returns = (latch_dynamodb_returns)9},
                                           &item),
                     LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_update(&ann.cx, &(latch_dynamodb_update_request){.key = key_of(&ann, "p", "s")}, &item),
                     LATCH_E_MISUSE);
}

/* A name that can't stand behind # as it is; a reserved word; any kind of value. */
static void names_stand_for_others(void **state) {
    latch_json item;
    bool flag;
    (void)state;
    put(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"order-state\":\"open\",\"a.b\":1,\"size\":2}");
    is_fine(&ann, latch_dynamodb_update(&ann.cx,
                                        &(latch_dynamodb_update_request){
                                            .key = key_of(&ann, "p", "s"),
                                            .update = "SET #st = :st, #ab = :ab, #size = :size, #flag = :flag",
                                            .condition = "#st = :open AND #ab = :one",
                                            .names = LATCH_NAMES("#st", "order-state", "#ab", "a.b"),
                                            .values = LATCH_VALUES(":st", LATCH_NULL, ":ab", parsed(&ann, "[1]"), ":size", 0.5, ":flag",
                                                                   latch_bool(true), ":open", "open", ":one", latch_int(1))},
                                        &item));
    is_fine(&ann, latch_read(item, "flag", &flag));
    assert_true(flag);
    assert_false(latch_has(item, "order-state"));
    double size;
    is_fine(&ann, latch_read(item, "size", &size));
    assert_true(size == 0.5);
}

/* ── what isn't sent ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refused(latch_status is, latch_status want, const char *message) {
    if (is != want || strcmp(ann.cx.err.message, message) != 0) fail_msg("%d: %s\nwant %s", is, ann.cx.err.message, message);
    assert_int_equal(ann.requests, 0);
    assert_false(ann.cx.err.maybe_applied);
}

static void refuses_expressions_without_sending(void **state) {
    latch_ctx *cx = &ann.cx;
    latch_json out, key = key_of(&ann, "p", "s");
    latch_dynamodb_update_request r = {.key = key, .update = "SET #n = :n"};
    (void)state;
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "update: :n stands in an expression, and has no value");
    r.values = LATCH_VALUES(":n", latch_int(1), ":m", latch_int(2));
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "update: :m is given, and no expression has it");
    r.values = LATCH_VALUES(":n", latch_int(1));
    r.names = LATCH_NAMES("#m", "n");
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "update: #m is given, and no expression has it");
    r.names = LATCH_NAMES("#n", latch_int(1));
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "update: #n must be given the name of an attribute, a text");
    r.names = NULL;
    r.update = "SET # = :n";
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "update: # has no name behind it in an expression");
    r.update = "SET #n = :n";
    r.values = LATCH_VALUES(":n", parsed(&ann, "{\"$strings\":[]}"));
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE,
            "update: :n is an empty set, which DynamoDB doesn't store: leave it out, or use a list");
    r.values = LATCH_VALUES(":n", latch_int(1));
    r.timeout_ms = -1;
    refused(latch_dynamodb_update(cx, &r, &out), LATCH_E_MISUSE, "timeout_ms is -1, want 0 or more");
    char many[700] = "#n0", name[8];
    for (int i = 1; i < 65; i++) {
        snprintf(name, sizeof name, ",#n%d", i);
        strcat(many, name);
    }
    refused(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = key, .projection = many}, &out), LATCH_E_MISUSE,
            "get: an expression has too many names");
    *strrchr(many, ',') = '\0';
    assert_int_equal(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = key, .projection = many}, &out), LATCH_MISSING);
}

static void refuses_keys_and_items_without_sending(void **state) {
    static char text[400 * 1024];
    latch_ctx *cx = &ann.cx;
    latch_json out;
    latch_str large = {text, sizeof text}, pk = {text, 2049}, sk = {text, 1025};
    (void)state;
    memset(text, 'a', sizeof text);
    refused(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "", "s")}, &out), LATCH_E_INPUT,
            "get: key.pk is empty, which no key may be");
    refused(latch_dynamodb_delete(cx, &(latch_dynamodb_delete_request){.key = latch_object(cx, "pk", pk, "sk", "s")}, NULL), LATCH_E_INPUT,
            "delete: key.pk has 2049 bytes, want at most 2048");
    refused(latch_dynamodb_delete(cx, &(latch_dynamodb_delete_request){.key = latch_object(cx, "pk", "p", "sk", sk)}, NULL), LATCH_E_INPUT,
            "delete: key.sk has 1025 bytes, want at most 1024");
    refused(latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = latch_object(cx, "pk", "p", "sk", sk)}, NULL), LATCH_E_INPUT,
            "put: item.sk has 1025 bytes, want at most 1024");
    refused(latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = latch_object(cx, "pk", "", "sk", "s")}, NULL), LATCH_E_INPUT,
            "put: item.pk is empty, which no key may be");
    refused(latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = latch_object(cx, "pk", "p", "sk", "s", "v", large)}, NULL),
            LATCH_E_MISUSE,
            "put: item has 409607 bytes as DynamoDB counts them, want at most 409600: split it, or keep what is large elsewhere");
    refused(latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = LATCH_NULL}, NULL), LATCH_E_MISUSE, "put: item is no object");
    refused(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.key = LATCH_NULL}, &out), LATCH_E_MISUSE,
            "get: key is no object of 1 or 2 attributes, the table's key");
    refused(
        latch_dynamodb_put(
            cx, &(latch_dynamodb_put_request){.item = parsed(&ann, "{\"pk\":\"p\",\"a\":[{\"n\":1e200}]}"), .exactly_once = true}, &out),
        LATCH_E_MISUSE, "put: item.a[0].n is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text");
    /* the largest goes: 400 KB, and a sort key of 1 024 bytes */
    latch_str most = {text, 400 * 1024 - 2 - 1 - 2 - 1024 - 1}, longest = {text, 1024};
    is_fine(&ann,
            latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.item = latch_object(cx, "pk", "p", "sk", longest, "v", most)}, NULL));
}

static void refuses_searches_without_sending(void **state) {
    latch_ctx *cx = &ann.cx;
    latch_dynamodb_pages pages;
    latch_json item;
    bool more;
    (void)state;
    refused(latch_dynamodb_query(cx, &(latch_dynamodb_query_request){.filter = "#a = :a"}, &pages), LATCH_E_MISUSE,
            "query: .key_condition is missing: \"#pk = :pk\"; a scan needs none");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.limit = -1}, &pages), LATCH_E_MISUSE,
            "scan: .limit is -1, want 0 or more");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.page_items = INT64_MAX}, &pages), LATCH_E_MISUSE,
            "scan: .page_items is 9223372036854775807, want 0 to 2147483647");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.timeout_ms = -1}, &pages), LATCH_E_MISUSE,
            "scan: .timeout_ms is -1, want 0 or more");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.segment = 4, .total_segments = 4}, &pages), LATCH_E_MISUSE,
            "scan: .segment 4 of .total_segments 4, want 0 of 1 to 1000000");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.segment = 1}, &pages), LATCH_E_MISUSE,
            "scan: .segment 1 of .total_segments 0, want 0 of 1 to 1000000");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.total_segments = 1000001}, &pages), LATCH_E_MISUSE,
            "scan: .segment 0 of .total_segments 1000001, want 0 of 1 to 1000000");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.count_only = true, .projection = "#a"}, &pages), LATCH_E_MISUSE,
            "scan: .count_only gives no items: leave out .projection");
    refused(latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.filter = "#a = :a"}, &pages), LATCH_E_MISUSE,
            "scan: :a stands in an expression, and has no value");
    is_fine(&ann, latch_dynamodb_next_page(&pages, &more)); /* what didn't begin has nothing */
    assert_false(more);
    is_fine(&ann, latch_dynamodb_scan(cx, &(latch_dynamodb_scan_request){.count_only = true}, &pages));
    refused(latch_dynamodb_next(&pages, &item, &more), LATCH_E_MISUSE, "scan: .count_only gives no items: latch_dynamodb_count does");
}

static void needs_a_table(void **state) {
    latch_json item;
    latch_dynamodb_pages pages;
    latch_json key = key_of(&ann, "p", "s");
    (void)state;
    ann.cx.table = NULL;
    refused(latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key}, &item), LATCH_E_MISUSE,
            "get: no table is open: the handler's entry doesn't say .stores = true, or this call is not made from a handler");
    refused(latch_dynamodb_put(&ann.cx, &(latch_dynamodb_put_request){.item = key}, &item), LATCH_E_MISUSE,
            "put: no table is open: the handler's entry doesn't say .stores = true, or this call is not made from a handler");
    refused(latch_dynamodb_scan(&ann.cx, &(latch_dynamodb_scan_request){.limit = 1}, &pages), LATCH_E_MISUSE,
            "scan: no table is open: the handler's entry doesn't say .stores = true, or this call is not made from a handler");
    ann.cx.table = &ann.table;
    assert_int_equal(latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.table = "nowhere", .key = key}, &item), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "nowhere"));
}

/* ── repeating ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reads_are_repeated(void **state) {
    latch_json item;
    (void)state;
    put(&ann, "{\"pk\":\"p\",\"sk\":\"s\"}");
    rig_again(&ann, 0);
    ann.faults[0] = LOST_AFTER;
    ann.faults[1] = FAILS_500;
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "s")}, &item));
    assert_int_equal(ann.requests, 3);
}

typedef struct repeat_row {
    fault fails;
    bool repeatable, exactly_once;
    latch_status status;
    bool maybe;
    size_t requests;
    int64_t n; /* what the counter is then */
} repeat_row;

/* #n + 1, from 1: what became of it, after the first request failed so. */
static void plays(const repeat_row *row) {
    latch_json item;
    put(&bob, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1}");
    rig_again(&bob, 0);
    rig_again(&ann, 0);
    latch_dynamodb_breaker_reset(&ann.cx);
    ann.faults[0] = row->fails;
    latch_status status = latch_dynamodb_update(&ann.cx,
                                                &(latch_dynamodb_update_request){.key = key_of(&ann, "p", "s"),
                                                                                 .update = "SET #n = #n + :one",
                                                                                 .values = LATCH_VALUES(":one", latch_int(1)),
                                                                                 .repeatable = row->repeatable,
                                                                                 .exactly_once = row->exactly_once},
                                                &item);
    int64_t n = number_of("p", "s", "n");
    bool maybe = status != LATCH_OK && ann.cx.err.maybe_applied;
    if (status != row->status || maybe != row->maybe || ann.requests != row->requests || n != row->n)
        fail_msg("fault %d, repeatable %d, exactly_once %d: %d, maybe %d, %zu requests, n %" PRId64, row->fails, row->repeatable,
                 row->exactly_once, status, maybe, ann.requests, n);
}

static void writes_are_repeated_as_asked(void **state) {
    static const repeat_row rows[] = {
        {NO_FAULT, false, false, LATCH_OK, false, 1, 2},
        {LOST_BEFORE, false, false, LATCH_E_TIMEOUT, true, 1, 1},
        {LOST_AFTER, false, false, LATCH_E_TIMEOUT, true, 1, 2},
        {FAILS_500, false, false, LATCH_E_NETWORK, true, 1, 1},
        {ANSWERS_NO_JSON, false, false, LATCH_E_DATA, true, 1, 2},
        {NOT_SENT, false, false, LATCH_E_NETWORK, false, 1, 1}, /* the rig holds it up for all tries, and counts one */
        {FAILS_THROTTLED, false, false, LATCH_E_THROTTLED, false, 1, 1},
        {LOST_BEFORE, true, false, LATCH_OK, false, 2, 2},
        {LOST_AFTER, true, false, LATCH_OK, false, 2, 3}, /* the author said that this does no harm: here it is two */
        {LOST_BEFORE, false, true, LATCH_OK, false, 2, 2},
        {LOST_AFTER, false, true, LATCH_OK, false, 2, 2}, /* DynamoDB knows the token */
        {FAILS_500, false, true, LATCH_OK, false, 2, 2},
        {ANSWERS_NO_JSON, false, true, LATCH_OK, false, 2, 2},
        {NOT_SENT, false, true, LATCH_E_NETWORK, false, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        plays(&rows[i]);
}

/* A repeat that its own first try made impossible can't be told from another's doing, and says so. */
static void a_repeated_condition_says_maybe(void **state) {
    latch_json old;
    latch_str pk, sk;
    int64_t n;
    latch_dynamodb_put_request r = {
        .item = parsed(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1}"), .condition = "attribute_not_exists(#pk)", .repeatable = true};
    (void)state;
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_dynamodb_put(&ann.cx, &r, &old), LATCH_CONFLICT);
    assert_true(ann.cx.err.maybe_applied);
    is_fine(&ann, latch_read(old, "pk", &pk, "sk", &sk, "n", &n));
    assert_true(latch_str_eq(pk, LATCH_STR("p")) && latch_str_eq(sk, LATCH_STR("s")) && n == 1);
    rig_delete(&world, "p", "s");
    rig_again(&ann, 0);
    r.item = parsed(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":1}");
    r.repeatable = false;
    r.exactly_once = true;
    ann.faults[0] = LOST_AFTER;
    is_fine(&ann, latch_dynamodb_put(&ann.cx, &r, &old));
    assert_null(old.node);
}

static void exactly_once_gives_the_one_that_refused(void **state) {
    latch_json old;
    int64_t n;
    latch_dynamodb_cost cost = {0};
    (void)state;
    put(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"n\":7}");
    assert_int_equal(latch_dynamodb_delete(&ann.cx,
                                           &(latch_dynamodb_delete_request){.key = key_of(&ann, "p", "s"),
                                                                            .condition = "#n = :n",
                                                                            .values = LATCH_VALUES(":n", latch_int(1)),
                                                                            .exactly_once = true},
                                           &old),
                     LATCH_CONFLICT);
    is_fine(&ann, latch_read(old, "n", &n));
    assert_int_equal(n, 7);
    assert_false(ann.cx.err.maybe_applied);
    is_fine(&ann, latch_dynamodb_delete(
                      &ann.cx, &(latch_dynamodb_delete_request){.key = key_of(&ann, "p", "s"), .exactly_once = true, .cost = &cost}, NULL));
    assert_false(rig_has(&world, "p", "s", "pk"));
    assert_int_equal(cost.write_milli_units, rig_is_engine() ? 2000 : 4000); /* DynamoDB Local counts a transaction's delete twice */
}

static void tells_it_where_nobody_else_counts(void **state) {
    latch_json key = key_of(&ann, "p", "s");
    latch_dynamodb_cost cost = {0};
    (void)state;
    ann.cx.usage = NULL;
    assert_false(ann.client.options.logs);
    is_fine(&ann, latch_dynamodb_put(&ann.cx, &(latch_dynamodb_put_request){.item = key, .cost = &cost}, NULL));
    assert_int_equal(cost.write_milli_units, 1000);
}

static void tells_what_it_cost(void **state) {
    latch_json item;
    latch_dynamodb_cost cost = {0};
    latch_json key = key_of(&ann, "p", "s");
    (void)state;
    is_fine(&ann, latch_dynamodb_put(&ann.cx, &(latch_dynamodb_put_request){.item = key, .cost = &cost}, NULL));
    assert_int_equal(cost.write_milli_units, 1000);
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key, .cost = &cost}, &item));
    assert_int_equal(cost.read_milli_units, 1000);
    ann.faults[ann.requests] = LOST_BEFORE;
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key, .eventual = true, .cost = &cost}, &item));
    assert_int_equal(cost.read_milli_units, 1500);
    assert_int_equal(cost.requests, 4);
}

/* ── pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ROWS 23

/* 23 items p/r00 … p/r22, n from 0; and one elsewhere. */
static void fill(void) {
    char item[160];
    for (int i = 0; i < ROWS; i++) {
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"r%02d\"},\"n\":{\"N\":\"%d\"},\"even\":{\"BOOL\":%s}}", i, i,
                 i % 2 == 0 ? "true" : "false");
        rig_put(&world, item);
    }
    rig_put(&world, "{\"pk\":{\"S\":\"q\"},\"sk\":{\"S\":\"r99\"},\"n\":{\"N\":\"99\"}}");
}

/* What comes, as "0,1,2"; by items or, where `by_page`, by pages. */
static void walk(latch_dynamodb_pages *pages, bool by_page, char *out, size_t room) {
    bool more = true;
    size_t len = 0;
    out[0] = '\0';
    while (more) {
        latch_json item;
        int64_t n;
        if (!by_page) {
            is_fine(&ann, latch_dynamodb_next(pages, &item, &more));
            if (!more) return;
            is_fine(&ann, latch_read(item, "n", &n));
            len += (size_t)snprintf(out + len, room - len, "%s%" PRId64, len > 0 ? "," : "", n);
            continue;
        }
        is_fine(&ann, latch_dynamodb_next_page(pages, &more));
        assert_int_equal(pages->page_count, latch_count(pages->items));
        for (latch_each each = latch_each_in(pages->items); latch_each_next(&each);) {
            is_fine(&ann, latch_read(latch_each_value(&each), "n", &n));
            len += (size_t)snprintf(out + len, room - len, "%s%" PRId64, len > 0 ? "," : "", n);
        }
    }
}

static void queries_page_by_page(void **state) {
    static const struct {
        int64_t page_items, limit;
        bool backward, even;
        const char *want;
        size_t requests;
    } rows[] = {
        {0, 0, false, false, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22", 1},
        {10, 0, false, false, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22", 3},
        {10, 0, true, false, "22,21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0", 3},
        {0, 5, false, false, "0,1,2,3,4", 1},
        {2, 5, true, false, "22,21,20,19,18", 3},
        {0, 0, false, true, "0,2,4,6,8,10,12,14,16,18,20,22", 1},
        {1, 0, false, true, "0,2,4,6,8,10,12,14,16,18,20,22", 24},
        {0, 3, false, true, "0,2,4", 3}, /* 3, 1 and 1 are looked at */
        {0, 100, false, false, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22", 1},
    };
    (void)state;
    fill();
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        char got[200];
        latch_dynamodb_pages pages;
        size_t row = i / 2;
        rig_again(&ann, 0);
        is_fine(&ann, latch_dynamodb_query(
                          &ann.cx,
                          &(latch_dynamodb_query_request){.key_condition = "#pk = :pk",
                                                          .filter = rows[row].even ? "#even = :yes" : NULL,
                                                          .values = rows[row].even ? LATCH_VALUES(":pk", "p", ":yes", latch_bool(true))
                                                                                   : LATCH_VALUES(":pk", "p"),
                                                          .page_items = rows[row].page_items,
                                                          .limit = rows[row].limit,
                                                          .backward = rows[row].backward},
                          &pages));
        walk(&pages, i % 2 == 1, got, sizeof got);
        if (strcmp(got, rows[row].want) != 0 || ann.requests != rows[row].requests)
            fail_msg("row %zu: %s in %zu requests", row, got, ann.requests);
    }
}

static void counts_without_items(void **state) {
    latch_dynamodb_pages pages;
    latch_dynamodb_cost cost = {0};
    int64_t count;
    (void)state;
    fill();
    is_fine(&ann, latch_dynamodb_query(&ann.cx,
                                       &(latch_dynamodb_query_request){.key_condition = "#pk = :pk",
                                                                       .filter = "#even = :yes",
                                                                       .values = LATCH_VALUES(":pk", "p", ":yes", latch_bool(true)),
                                                                       .page_items = 10,
                                                                       .count_only = true,
                                                                       .cost = &cost},
                                       &pages));
    is_fine(&ann, latch_dynamodb_count(&pages, &count));
    assert_int_equal(count, 12);
    assert_int_equal(pages.scanned, ROWS);
    assert_int_equal(cost.requests, 3);
    assert_int_equal(cost.read_milli_units, 3000);
    is_fine(&ann, latch_dynamodb_count(&pages, &count)); /* again: nothing more is asked */
    assert_int_equal(count, 12);
    assert_int_equal(ann.requests, 3);
}

/* Continued by token as a client does, call by call: everything once, in order. */
static void goes_on_from_a_token(void **state) {
    (void)state;
    fill();
    for (int filtered = 0; filtered < 2; filtered++) {
        for (int64_t limit = 1; limit < 9; limit++) {
            char all[200] = "", token[2000] = "";
            size_t calls = 0;
            do {
                char got[200];
                latch_dynamodb_pages pages;
                latch_str next;
                rig_again(&ann, 0);
                is_fine(&ann, latch_dynamodb_query(
                                  &ann.cx,
                                  &(latch_dynamodb_query_request){.key_condition = "#pk = :pk",
                                                                  .filter = filtered ? "#even = :yes" : NULL,
                                                                  .values = filtered ? LATCH_VALUES(":pk", "p", ":yes", latch_bool(true))
                                                                                     : LATCH_VALUES(":pk", "p"),
                                                                  .limit = limit,
                                                                  .from = latch_str_of(token)},
                                  &pages));
                walk(&pages, false, got, sizeof got);
                assert_true(pages.count <= limit);
                if (all[0] != '\0' && got[0] != '\0') strcat(all, ",");
                strcat(all, got);
                is_fine(&ann, latch_dynamodb_token(&pages, &next));
                assert_int_equal(strspn(next.ptr, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), next.len);
                snprintf(token, sizeof token, "%.*s", LATCH_ARG(next));
            } while (token[0] != '\0' && ++calls < 50);
            assert_string_equal(all,
                                filtered ? "0,2,4,6,8,10,12,14,16,18,20,22" : "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22");
        }
    }
}

/* base64 of what a client may make up */
static void a_token_that_is_none_is_the_clients_fault(void **state) {
    static const char *const unsent[] = {
        "x",
        "!!!!",
        "e30",
        /* {} */ "W10", /* [] */
        "bnVsbA",
        /* null */ "eyJwayI6InAifQ",                                                                       /* {"pk":"p"} */
        "eyJwayI6eyJTIjoicCIsIk4iOiIxIn19",                                                                /* two types */
        "eyJwayI6eyJYIjoicCJ9fQ",                                                                          /* {"pk":{"X":"p"}} */
        "eyJwayI6eyJTIjoiIn19",                                                                            /* an empty one */
        "eyJwayI6eyJTIjoicCJ9fR",                                                                          /* bits behind the end */
        "eyJhIjp7IlMiOiJwIn0sImIiOnsiUyI6InAifSwiYyI6eyJTIjoicCJ9LCJkIjp7IlMiOiJwIn0sImUiOnsiUyI6InAifX0", /* five of them */
        "eyJwayI6eyJTIjoicCJ9LCJzayI6eyJOIjoiYWJjIn19",                                                    /* no number */
        "eyJwayI6eyJTIjoicCJ9LCJzayI6eyJOIjoiMWU5OTkifX0",                                                 /* none that DynamoDB has */
        "eyJwayI6eyJTIjoicCJ9LCJzayI6eyJCIjoiISEifX0", /* no base64: DynamoDB Local fails with 500, which would be repeated */
        "_w",                                          /* no UTF-8 */
    };
    static const char *const sent_ones[] = {
        "eyJwayI6eyJTIjoicSJ9LCJzayI6eyJTIjoicjk5In19", /* another partition's */
        "eyJwayI6eyJTIjoicCJ9fQ",                       /* a part of the key */
        "eyJwayI6eyJOIjoiMSJ9LCJzayI6eyJTIjoicjk5In19", /* of another type */
    };
    latch_dynamodb_pages pages;
    latch_json item;
    bool more;
    (void)state;
    fill();
    size_t before = ann.requests;
    for (size_t i = 0; i < COUNT_OF(unsent); i++) {
        latch_dynamodb_query_request r = {
            .key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", "p"), .from = latch_str_of(unsent[i])};
        refused(latch_dynamodb_query(&ann.cx, &r, &pages), LATCH_E_INPUT,
                "query: the token is none that this query gave: begin without one");
        assert_true(ann.cx.err.for_client);
    }
    assert_int_equal(ann.requests, before);
    for (size_t i = 0; i < COUNT_OF(sent_ones); i++) {
        latch_dynamodb_query_request r = {
            .key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", "p"), .from = latch_str_of(sent_ones[i])};
        is_fine(&ann, latch_dynamodb_query(&ann.cx, &r, &pages));
        latch_status status = latch_dynamodb_next(&pages, &item, &more);
        if (status != LATCH_E_INPUT || !ann.cx.err.for_client) fail_msg("%zu: %d %s", i, status, ann.cx.err.message);
    }
}

/* Each segment another part: together they are all, each once. */
static void scans_in_segments(void **state) {
    int seen[100] = {0};
    (void)state;
    fill();
    for (int64_t segment = 0; segment < 3; segment++) {
        latch_dynamodb_pages pages;
        is_fine(&ann, latch_dynamodb_scan(&ann.cx, &(latch_dynamodb_scan_request){.segment = segment, .total_segments = 3, .page_items = 2},
                                          &pages));
        for (;;) {
            latch_json item;
            bool more;
            int64_t n;
            is_fine(&ann, latch_dynamodb_next(&pages, &item, &more));
            if (!more) break;
            is_fine(&ann, latch_read(item, "n", latch_range(&n, 0, 99)));
            seen[n]++;
        }
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], i < ROWS || i == 99);
}

/* A page that failed is asked for again: nothing is lost, nothing comes twice. */
static void a_page_that_failed_comes_again(void **state) {
    latch_dynamodb_pages pages;
    char got[200] = "";
    int failures = 0;
    (void)state;
    fill();
    for (int passing = 0; passing < 2; passing++) {
        rig_again(&ann, 0);
        got[0] = '\0';
        failures = 0;
        for (size_t i = 0; i < 3; i++)
            ann.faults[i] = ann.faults[4 + i] = LOST_AFTER; /* with all their tries: the first and the second page */
        is_fine(&ann, latch_dynamodb_query(
                          &ann.cx,
                          &(latch_dynamodb_query_request){
                              .key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", "p"), .page_items = 8, .passing = passing != 0},
                          &pages));
        for (;;) {
            latch_json item;
            bool more;
            int64_t n;
            latch_status status = latch_dynamodb_next(&pages, &item, &more);
            failures += status != LATCH_OK;
            if (status != LATCH_OK) assert_false(ann.cx.err.maybe_applied);
            if (status != LATCH_OK) latch_dynamodb_breaker_reset(&ann.cx);
            if (status != LATCH_OK) continue;
            if (!more) break;
            is_fine(&ann, latch_read(item, "n", &n));
            snprintf(got + strlen(got), sizeof got - strlen(got), "%" PRId64 ",", n);
        }
        assert_int_equal(failures, 2);
        assert_string_equal(got, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,");
    }
}

/* 40 items of 3 KB through 64 KB; kept, they don't fit. The same from a token, whose place lies before the pages. */
static void passing_pages_need_no_more_memory(void **state) {
    static char text[3000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 40; i++) {
        char item[3200];
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"r%02d\"},\"n\":{\"N\":\"%d\"},\"x\":{\"S\":\"%s\"}}", i, i,
                 text);
        rig_put(&world, item);
    }
    for (int i = 0; i < 4; i++) {
        latch_dynamodb_pages pages;
        bool passing = i % 2 == 0, from_token = i >= 2;
        int64_t sum = 0, n;
        latch_status status;
        rig_again(&ann, (size_t)64 << 10);
        is_fine(&ann, latch_dynamodb_query(&ann.cx,
                                           &(latch_dynamodb_query_request){
                                               .key_condition = "#pk = :pk",
                                               .values = LATCH_VALUES(":pk", "p"),
                                               .page_items = 3,
                                               .passing = passing,
                                               /* {"pk":{"S":"p"},"sk":{"S":"r00"}} */
                                               .from = latch_str_of(from_token ? "eyJwayI6eyJTIjoicCJ9LCJzayI6eyJTIjoicjAwIn19" : "")},
                                           &pages));
        for (;;) {
            latch_json item;
            bool more;
            status = latch_dynamodb_next(&pages, &item, &more);
            if (status != LATCH_OK || !more) break;
            is_fine(&ann, latch_read(item, "n", &n));
            (void)latch_copy(&ann.cx, LATCH_STR("what the loop makes"));
            sum += n;
        }
        assert_int_equal(status, passing ? LATCH_OK : LATCH_E_NOMEM);
        if (passing) assert_int_equal(sum, 780);
        rig_again(&ann, 0);
    }
}

/* A query inside of another's loop, both passing. */
static void queries_in_each_other(void **state) {
    latch_dynamodb_pages outer, inner;
    int64_t sum = 0;
    latch_json item, other;
    bool more, again;
    (void)state;
    fill();
    latch_dynamodb_query_request r = {.key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", "p"), .page_items = 4, .passing = true};
    is_fine(&ann, latch_dynamodb_query(&ann.cx, &r, &outer));
    for (;;) {
        int64_t n, m;
        is_fine(&ann, latch_dynamodb_next(&outer, &item, &more));
        if (!more) break;
        is_fine(&ann, latch_dynamodb_query(&ann.cx, &r, &inner));
        for (;;) {
            is_fine(&ann, latch_dynamodb_next(&inner, &other, &again));
            if (!again) break;
            is_fine(&ann, latch_read(other, "n", &m));
            sum += m;
        }
        is_fine(&ann, latch_read(item, "n", &n));
        sum += 1000 * n;
    }
    assert_int_equal(sum, (int64_t)253 * ROWS + 253000);
}

/* ── another table, with an index ───────────────────────────────────────────────────────────────────────────────────────── */

static void make_orders(void) {
    latch_answer answer;
    is_fine(&ann,
            latch_dynamodb_call(
                &ann.cx, "CreateTable",
                parsed(&ann,
                       "{\"TableName\":\"orders\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
                       "\"AttributeType\":\"N\"},{\"AttributeName\":\"day\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":"
                       "\"id\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[{\"IndexName\":\"by-day\",\"KeySchema\":[{"
                       "\"AttributeName\":\"day\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"id\",\"KeyType\":\"RANGE\"}],\"Projection\":{"
                       "\"ProjectionType\":\"ALL\"}}]}"),
                &answer));
}

static void searches_an_index(void **state) {
    char all[100] = "", token[500] = "";
    latch_dynamodb_pages pages;
    latch_json item;
    bool more;
    (void)state;
    make_orders();
    for (int i = 0; i < 7; i++)
        is_fine(&ann, latch_dynamodb_put(&ann.cx,
                                         &(latch_dynamodb_put_request){.table = "orders",
                                                                       .item = latch_object(&ann.cx, "id", latch_int(i), "n", latch_int(i),
                                                                                            "day", i % 2 == 0 ? "mon" : "tue")},
                                         NULL));
    do {
        char got[100];
        latch_str next;
        is_fine(&ann, latch_dynamodb_query(&ann.cx,
                                           &(latch_dynamodb_query_request){.table = "orders",
                                                                           .index = "by-day",
                                                                           .key_condition = "#day = :day",
                                                                           .values = LATCH_VALUES(":day", "mon"),
                                                                           .limit = 2,
                                                                           .from = latch_str_of(token)},
                                           &pages));
        walk(&pages, false, got, sizeof got);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s;", got);
        is_fine(&ann, latch_dynamodb_token(&pages, &next));
        snprintf(token, sizeof token, "%.*s", LATCH_ARG(next));
    } while (token[0] != '\0');
    assert_true(strcmp(all, "0,2;4,6;") == 0 || strcmp(all, "0,2;4,6;;") == 0);
    is_fine(&ann, latch_dynamodb_query(&ann.cx,
                                       &(latch_dynamodb_query_request){.table = "orders",
                                                                       .index = "by-day",
                                                                       .key_condition = "#day = :day",
                                                                       .values = LATCH_VALUES(":day", "mon"),
                                                                       .consistency = LATCH_DYNAMODB_STRONG},
                                       &pages));
    assert_int_equal(latch_dynamodb_next(&pages, &item, &more), LATCH_E_MISUSE);
    assert_int_equal(
        latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.table = "orders", .key = latch_object(&ann.cx, "id", 3.0)}, &item),
        LATCH_OK);
    int64_t n;
    is_fine(&ann, latch_read(item, "n", &n));
    assert_int_equal(n, 3);
}

/* ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* With each size of arena a call works or says that there was no room; a write without room for its answer may have been applied. */
static void fits_or_refuses_at_every_arena_size(void **state) {
    int worked = 0;
    (void)state;
    fill();
    for (size_t bytes = 64; bytes < (size_t)48 << 10 && worked < 3; bytes += bytes < 8192 ? 64 : 1024) {
        latch_json item;
        latch_dynamodb_pages pages;
        bool more;
        worked = 0;
        rig_again(&ann, bytes);
        latch_status status = latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = key_of(&ann, "p", "r01")}, &item);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        worked += status == LATCH_OK;
        rig_again(&ann, bytes);
        status = latch_dynamodb_update(
            &ann.cx,
            &(latch_dynamodb_update_request){.key = key_of(&ann, "p", "r01"),
                                             .update = "SET #x = :x, #y = :y",
                                             .values = LATCH_VALUES(":x", latch_int(bytes), ":y", parsed(&bob, "{\"a\":[1,2]}"))},
            &item);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        bool applied = number_of("p", "r01", "x") == (int64_t)bytes;
        if (status == LATCH_OK) assert_true(applied);
        if (applied && status != LATCH_OK) assert_true(ann.cx.err.maybe_applied);
        worked += status == LATCH_OK;
        rig_again(&ann, bytes);
        status = latch_dynamodb_query(
            &ann.cx, &(latch_dynamodb_query_request){.key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", "p"), .page_items = 5},
            &pages);
        if (status == LATCH_OK) status = latch_dynamodb_next_page(&pages, &more);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        worked += status == LATCH_OK;
        rig_again(&bob, 0);
    }
    assert_int_equal(worked, 3);
}

/* ── a model ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t seed;
static uint64_t roll(uint64_t n) { /* xorshift: the same each time */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static fault sometimes(void *arg) {
    static const fault faults[] = {NOT_SENT, LOST_BEFORE, LOST_AFTER, FAILS_500, FAILS_THROTTLED};
    (void)arg;
    return roll(6) == 0 ? faults[roll(COUNT_OF(faults))] : NO_FAULT;
}

/* Random searches over what is known, by pages and tokens of any size, through failures: how many didn't give what they must. */
static int wrong_searches(rig_twin twin) {
    int wrong = 0;
    seed = 88172645463325252u;
    world.twin = twin;
    for (int run = 0; run < 60; run++) {
        char want[200] = "", got[200] = "", token[500] = "";
        int64_t least = (int64_t)roll(ROWS), limit = (int64_t)roll(6), page = (int64_t)roll(5);
        bool backward = roll(2) == 0, even = roll(2) == 0, passing = roll(2) == 0;
        for (int64_t i = 0; i < ROWS; i++) {
            int64_t n = backward ? ROWS - 1 - i : i;
            if (n >= least && (!even || n % 2 == 0)) snprintf(want + strlen(want), sizeof want - strlen(want), "%" PRId64 ",", n);
        }
        int calls = 0;
        bool broken = false;
        do {
            char from[8];
            latch_dynamodb_pages pages;
            latch_json item;
            bool more = true;
            int64_t n;
            latch_str next;
            rig_again(&ann, 0);
            ann.roll = sometimes;
            snprintf(from, sizeof from, "r%02d", (int)least);
            latch_dynamodb_query_request r = {.key_condition = "#pk = :pk AND #sk >= :from",
                                              .filter = even ? "#even = :yes" : NULL,
                                              .values = even ? LATCH_VALUES(":pk", "p", ":from", from, ":yes", latch_bool(true))
                                                             : LATCH_VALUES(":pk", "p", ":from", from),
                                              .limit = limit,
                                              .page_items = page,
                                              .backward = backward,
                                              .passing = passing,
                                              .from = latch_str_of(token)};
            is_fine(&ann, latch_dynamodb_query(&ann.cx, &r, &pages));
            while (more && strlen(got) < sizeof got - 8) {
                latch_status status = latch_dynamodb_next(&pages, &item, &more);
                if (status == LATCH_E_MISUSE || status == LATCH_E_INPUT) broken = true;
                if (broken) break;
                if (status != LATCH_OK) more = true; /* the page comes again */
                if (status != LATCH_OK) latch_dynamodb_breaker_reset(&ann.cx);
                if (status != LATCH_OK || !more) continue;
                is_fine(&ann, latch_read(item, "n", &n));
                snprintf(got + strlen(got), sizeof got - strlen(got), "%" PRId64 ",", n);
            }
            is_fine(&ann, latch_dynamodb_token(&pages, &next));
            snprintf(token, sizeof token, "%.*s", LATCH_ARG(next));
        } while (!broken && token[0] != '\0' && ++calls < 60);
        wrong += broken || strcmp(got, want) != 0;
    }
    ann.roll = NULL;
    world.twin = (rig_twin){NULL, NULL};
    return wrong;
}

static void searches_give_what_is_there(void **state) {
    (void)state;
    fill();
    assert_int_equal(wrong_searches((rig_twin){NULL, NULL}), 0);
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    fill();
    assert_true(wrong_searches((rig_twin){"\"ScanIndexForward\":false", "\"ScanIndexForward\":true"}) > 0);
    assert_true(wrong_searches((rig_twin){"#even = :yes", "(#even = :yes OR attribute_exists(#even))"}) > 0);
    assert_true(wrong_searches((rig_twin){"\"sk\":{\"S\":\"r1", "\"sk\":{\"S\":\"r2"}) > 0); /* in ExclusiveStartKey */
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)
static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(reads_well_in_a_handler),
    ROW(sends_exactly_this),
    ROW(sends_exactly_this_search),
    ROW(what_is_not_there_is_missing),
    ROW(gives_all_kinds_back),
    ROW(sets_come_back_as_sets),
    ROW(gives_what_was_there),
    ROW(update_returns_what_is_asked_for),
    ROW(names_stand_for_others),
    ROW(refuses_expressions_without_sending),
    ROW(refuses_keys_and_items_without_sending),
    ROW(refuses_searches_without_sending),
    ROW(needs_a_table),
    ROW(reads_are_repeated),
    ROW(writes_are_repeated_as_asked),
    ROW(a_repeated_condition_says_maybe),
    ROW(exactly_once_gives_the_one_that_refused),
    ROW(tells_it_where_nobody_else_counts),
    ROW(tells_what_it_cost),
    ROW(queries_page_by_page),
    ROW(counts_without_items),
    ROW(goes_on_from_a_token),
    ROW(a_token_that_is_none_is_the_clients_fault),
    ROW(scans_in_segments),
    ROW(a_page_that_failed_comes_again),
    ROW(passing_pages_need_no_more_memory),
    ROW(queries_in_each_other),
    ROW(searches_an_index),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(searches_give_what_is_there),
    ROW(finds_the_broken_twins),
    // clang-format on
};

CHECK_MAIN(tests)

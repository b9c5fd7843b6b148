#include "store/pkv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/keys.h"

static const latch_pkv carts = {.name = "carts"};
static const latch_pkv others = {.name = "cartsX"};
static const latch_pkv eager = {.name = "carts", .repeat = true};
static const latch_pkv theirs = {.name = "carts", .paradoxical_table = PARTITIONED};
static const latch_pkv bare = {.paradoxical_table = PARTITIONED};
static const latch_pkv times = {.paradoxical_table = TIMES, .sort_is_number = true};

static latch_pkv_key at(const char *partition, const char *sort) { return latch_pkv_at(latch_str_of(partition), latch_str_of(sort)); }

static latch_json value_of(const latch_pkv *pkv, latch_pkv_key key) {
    latch_json v;
    is_fine(&bob, latch_pkv_get(&bob.cx, pkv, key, &v));
    return v;
}

static void put(const latch_pkv *pkv, const char *partition, const char *sort, const char *json) {
    rig_again(&bob, 0);
    is_fine(&bob, latch_pkv_set(&bob.cx, pkv, at(partition, sort), parsed(&bob, json)));
}

/* The request with the one id that is in it as {id}: a UUID in `ver`'s place. */
static const char *hidden(void) {
    char *ver = strstr(ann.last_request, "\":ver\":{\"S\":\"");
    if (ver != NULL) pair_hide(ann.last_request, (latch_str){ver + strlen("\":ver\":{\"S\":\""), 36});
    return ann.last_request;
}

static void sends_exactly_this(void **state) {
    latch_json v;
    (void)state;
    is_fine(&ann, latch_pkv_set(&ann.cx, &carts, at("a#b", "c%d"), latch_object(&ann.cx, "qty", latch_int(2))));
    assert_string_equal(
        hidden(), "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"PKV#carts#a%23b\"},\"sk\":{\"S\":\"KEY#c%25d\"}},"
                  "\"UpdateExpression\":\"SET #data = :data, #md5 = :md5, #ver = :ver\",\"ExpressionAttributeNames\":{\"#data\":\"data\","
                  "\"#md5\":\"md5\",\"#ver\":\"ver\"},\"ExpressionAttributeValues\":{\":data\":{\"S\":\"{\\\"qty\\\":2}\"},\":md5\":{\"S\":"
                  "\"acdeb1b234bc8f944f252a0c9fccce15\"},\":ver\":{\"S\":\"{id}\"}}}");
    assert_int_equal(latch_pkv_get(&ann.cx, &theirs, at("a#b", "c%d"), &v), LATCH_MISSING);
    assert_string_equal(ann.last_request,
                        "{\"TableName\":\"" PARTITIONED
                        "\",\"Key\":{\"partitionKey\":{\"S\":\"a#b\"},\"sortKey\":{\"S\":\"carts.c%d\"}},\"ConsistentRead\":true}");
    is_fine(&ann, latch_pkv_delete(&ann.cx, &times, at("a", "-1.5")));
    assert_string_equal(ann.last_request,
                        "{\"TableName\":\"" TIMES "\",\"Key\":{\"partitionKey\":{\"S\":\"a\"},\"sortKey\":{\"N\":\"-1.5\"}}}");
    assert_int_equal(ann.requests, 3);
}

static void keeps_values_of_any_kind(void **state) {
    static const char *const rows[] = {"{\"a\":[1,{\"b\":null}]}", "[]", "\"\"", "12", "1.5", "true", "null", "12345678901234567890123"};
    const latch_pkv *const tables[] = {&carts, &theirs, &bare, &times};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(tables); i++) {
        const latch_pkv *pkv = tables[i % COUNT_OF(tables)];
        bool there;
        latch_json v;
        put(pkv, "ann", "7", rows[i / COUNT_OF(tables)]);
        is_json(value_of(pkv, at("ann", "7")), rows[i / COUNT_OF(tables)]);
        rig_again(&ann, 0);
        is_fine(&ann, latch_pkv_exists(&ann.cx, pkv, at("ann", "7"), &there));
        assert_true(there);
        is_fine(&ann, latch_pkv_delete(&ann.cx, pkv, at("ann", "7")));
        is_fine(&ann, latch_pkv_delete(&ann.cx, pkv, at("ann", "7")));
        is_fine(&ann, latch_pkv_exists(&ann.cx, pkv, at("ann", "7"), &there));
        assert_false(there);
        assert_int_equal(latch_pkv_get(&ann.cx, pkv, at("ann", "7"), &v), LATCH_MISSING);
        assert_int_equal(ann.requests, 5);
    }
}

static void shares_the_models_table(void **state) {
    latch_json v;
    bool there;
    (void)state;
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.a\"},\"data\":{\"S\":\"{\\\"n\\\":1}\"}}");
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.c\"},\"count\":{\"N\":\"7\"}}");
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.x\"},\"data\":{\"S\":\"{half\"}}");
    is_json(value_of(&theirs, at("ann", "a")), "{\"n\":1}");
    is_json(value_of(&bare, at("ann", "carts.a")), "{\"n\":1}");
    assert_int_equal(latch_pkv_get(&ann.cx, &theirs, at("ann", "c"), &v), LATCH_MISSING);
    assert_int_equal(latch_pkv_get(&ann.cx, &theirs, at("ann", "x"), &v), LATCH_E_DATA);
    is_fine(&ann, latch_pkv_exists(&ann.cx, &theirs, at("ann", "c"), &there));
    assert_true(there);
    assert_int_equal(latch_pkv_set_if_not_exists(&ann.cx, &theirs, at("ann", "c"), "x"), LATCH_CONFLICT);
    put(&theirs, "ann", "c", "[1]"); /* beside the count */
    is_fine(&bob, latch_pkv_get(&bob.cx, &theirs, at("ann", "c"), &v));
    is_json(v, "[1]");
}

/* ── if it isn't there ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void bob_is_first(void *arg) {
    size_t *before_request = arg;
    rig_again(&bob, 0);
    if (ann.requests == *before_request) (void)(latch_pkv_set_if_not_exists(&bob.cx, &carts, at("ann", "k"), "bob") == LATCH_OK);
}

static void bob_removes_and_sets(void *arg) {
    (void)arg;
    rig_again(&bob, 0);
    if (ann.requests != 2) return;
    is_fine(&bob, latch_pkv_delete(&bob.cx, &carts, at("ann", "k")));
    is_fine(&bob, latch_pkv_set_if_not_exists(&bob.cx, &carts, at("ann", "k"), "bob"));
}

static void sets_once(void **state) {
    static const struct {
        fault fails;
        size_t bob_before; /* which request of ann's; 0: none */
        latch_status status;
        bool maybe;
        size_t requests;
        const char *is;
    } rows[] = {
        {NO_FAULT, 0, LATCH_OK, false, 1, "\"ann\""},       {LOST_BEFORE, 0, LATCH_OK, false, 2, "\"ann\""},
        {LOST_AFTER, 0, LATCH_OK, false, 2, "\"ann\""},     {LATE, 0, LATCH_OK, false, 2, "\"ann\""},
        {NO_FAULT, 1, LATCH_CONFLICT, false, 1, "\"bob\""}, {LOST_BEFORE, 2, LATCH_CONFLICT, true, 2, "\"bob\""},
        {LOST_AFTER, 2, LATCH_OK, false, 2, "\"ann\""},     {NOT_SENT, 0, LATCH_E_NETWORK, false, 1, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t bob_before = rows[i].bob_before;
        latch_json v;
        pair_again((rig_twin){NULL, NULL});
        rig_delete(&world, "PKV#carts#ann", "KEY#k");
        ann.faults[0] = rows[i].fails;
        ann.before = bob_is_first, ann.arg = &bob_before;
        assert_int_equal(latch_pkv_set_if_not_exists(&ann.cx, &carts, at("ann", "k"), "ann"), rows[i].status);
        ann.before = NULL;
        assert_int_equal(ann.requests, rows[i].requests);
        if (rows[i].status != LATCH_OK) assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe);
        if (rows[i].fails == LATE) rig_deliver(&ann);
        rig_again(&bob, 0);
        latch_status found = latch_pkv_get(&bob.cx, &carts, at("ann", "k"), &v);
        assert_int_equal(found, rows[i].is != NULL ? LATCH_OK : LATCH_MISSING);
        if (rows[i].is != NULL) is_json(v, rows[i].is);
    }
    pair_again((rig_twin){NULL, NULL});
    rig_delete(&world, "PKV#carts#ann", "KEY#k");
    ann.faults[0] = LOST_AFTER;
    ann.before = bob_removes_and_sets;
    assert_int_equal(latch_pkv_set_if_not_exists(&ann.cx, &carts, at("ann", "k"), "ann"), LATCH_CONFLICT);
    ann.before = NULL;
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_string_equal(latch_error(&ann.cx)->message,
                        "PKV#carts#ann, KEY#k: is there already; a try of this one got no answer and may have been first");
}

/* Without the id, a repeat that meets its own write takes it for another's. */
static void finds_the_broken_twin(void **state) {
    (void)state;
    pair_again((rig_twin){"\"#ver\":\"ver\"", "\"#ver\":\"own\""});
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_pkv_set_if_not_exists(&ann.cx, &carts, at("ann", "k"), "ann"), LATCH_CONFLICT);
    assert_true(world.twisted > 0);
    pair_again((rig_twin){NULL, NULL});
}

static void says_what_a_lost_reply_leaves_open(void **state) {
    static const struct {
        const latch_pkv *pkv;
        fault fails;
        latch_status status;
        size_t requests;
        const char *then;
    } rows[] = {
        {&carts, LOST_BEFORE, LATCH_E_TIMEOUT, 1, "1"},
        {&carts, LOST_AFTER, LATCH_E_TIMEOUT, 1, "2"},
        {&eager, LOST_BEFORE, LATCH_OK, 2, "2"},
        {&eager, LOST_AFTER, LATCH_OK, 2, "2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put(&carts, "ann", "k", "1");
        rig_again(&ann, 0);
        ann.faults[0] = rows[i].fails;
        assert_int_equal(latch_pkv_set(&ann.cx, rows[i].pkv, at("ann", "k"), latch_int(2)), rows[i].status);
        if (rows[i].status != LATCH_OK) assert_true(latch_error(&ann.cx)->maybe_applied);
        assert_int_equal(ann.requests, rows[i].requests);
        is_json(value_of(&carts, at("ann", "k")), rows[i].then);
    }
    rig_again(&ann, 0);
    ann.faults[0] = LOST_BEFORE;
    assert_int_equal(latch_pkv_delete(&ann.cx, &carts, at("ann", "k")), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
}

/* ── bad input ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_without_sending(void **state) {
    static char long_part[2049], long_sort[1025];
    static const struct {
        latch_pkv policy;
        const char *partition, *sort;
        latch_status status;
        const char *says;
    } rows[] = {
        {{.name = NULL}, "p", "s", LATCH_E_MISUSE, "pkv: .name is empty"},
        {{.name = "n"}, "", "s", LATCH_E_INPUT, "pkv n: the key is empty"},
        {{.name = "n"}, "p", "", LATCH_E_INPUT, "pkv's sort key n: the key is empty"},
        {{.name = "n"}, "p\n", "s", LATCH_E_INPUT, "pkv n: the key has the control byte 0x0a at 1"},
        {{.name = "n"}, "p", "s\n", LATCH_E_INPUT, "pkv's sort key n: the key has the control byte 0x0a at 1"},
        {{.name = "n"},
         long_part,
         "s",
         LATCH_E_INPUT,
         "pkv n: the key has 2048 bytes, escaped and with the store's name 2054, want at most 2048"},
        {{.name = "n"}, "p", long_sort, LATCH_E_INPUT, "pkv's sort key n: the key has 1024 bytes, as it is stored 1028, want at most 1024"},
        {{.name = "n", .paradoxical_table = PARTITIONED},
         "p",
         long_sort,
         LATCH_E_INPUT,
         "pkv's sort key n: the key has 1024 bytes, as it is stored 1026, want at most 1024"},
        {{.paradoxical_table = PARTITIONED}, "", "s", LATCH_E_INPUT, "pkv -: the key is empty"},
        {{.paradoxical_table = "x"}, "p", "s", LATCH_E_MISUSE, NULL},
        {{.paradoxical_table = ""}, "p", "s", LATCH_E_MISUSE, NULL},
        {{.name = "n", .sort_is_number = true}, "p", "1", LATCH_E_MISUSE, "pkv: .sort_is_number wants a .paradoxical_table and no .name"},
        {{.name = "n", .paradoxical_table = TIMES, .sort_is_number = true},
         "p",
         "1",
         LATCH_E_MISUSE,
         "pkv: .sort_is_number wants a .paradoxical_table and no .name"},
        {{.paradoxical_table = TIMES, .sort_is_number = true},
         "p",
         "1a",
         LATCH_E_INPUT,
         "pkv's sort key -: the key 1a is no number of at most 38 digits"},
        {{.paradoxical_table = TIMES, .sort_is_number = true}, "p", "123456789012345678901234567890123456789", LATCH_E_INPUT, NULL},
    };
    latch_json v;
    (void)state;
    memset(long_part, 'k', sizeof long_part - 1);
    memset(long_sort, 'k', sizeof long_sort - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_pkv_key key = at(rows[i].partition, rows[i].sort);
        latch_dynamodb_written written;
        bool there;
        assert_int_equal(latch_pkv_get(&ann.cx, &rows[i].policy, key, &v), rows[i].status);
        if (rows[i].says != NULL) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_pkv_set(&ann.cx, &rows[i].policy, key, 1.5), rows[i].status);
        assert_int_equal(latch_pkv_set_if_not_exists(&ann.cx, &rows[i].policy, key, 1.5), rows[i].status);
        assert_int_equal(latch_pkv_exists(&ann.cx, &rows[i].policy, key, &there), rows[i].status);
        assert_int_equal(latch_pkv_delete(&ann.cx, &rows[i].policy, key), rows[i].status);
        assert_int_equal(latch_pkv_set_batch(&ann.cx, &rows[i].policy, &(latch_pkv_pair){key, LATCH_NULL}, 1, &written), rows[i].status);
        assert_int_equal(ann.requests, 0);
    }
    is_fine(&ann, latch_pkv_set(&ann.cx, &bare, latch_pkv_at((latch_str){long_part, 2048}, (latch_str){long_sort, 1024}), 1.5));
}

/* ── lists ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ENTRIES 53

static void fill(const latch_pkv *pkv, const latch_pkv *foreign, const char *partition) {
    static latch_pkv_pair pairs[ENTRIES];
    latch_dynamodb_written written;
    rig_again(&bob, 0);
    for (size_t i = 0; i < ENTRIES; i++) {
        char sort[24];
        snprintf(sort, sizeof sort, pkv->sort_is_number ? "%zu.5" : "k#%02zu%%", i);
        pairs[i] =
            (latch_pkv_pair){latch_pkv_at(latch_str_of(partition), latch_copy(&bob.cx, latch_str_of(sort))), latch_object(&bob.cx, "n", i)};
    }
    is_fine(&bob, latch_pkv_set_batch(&bob.cx, pkv, pairs, ENTRIES, &written));
    assert_int_equal(written.written, ENTRIES);
    assert_int_equal(bob.requests, 3);
    if (foreign != NULL) is_fine(&bob, latch_pkv_set_batch(&bob.cx, foreign, pairs, 5, &written));
}

static void check_entry(const latch_pkv *pkv, const latch_kv_entry *e, size_t n) {
    char sort[24], json[24];
    snprintf(sort, sizeof sort, pkv->sort_is_number ? "%zu.5" : "k#%02zu%%", n);
    snprintf(json, sizeof json, "{\"n\":%zu}", n);
    if (!latch_str_eq(e->key, latch_str_of(sort))) fail_msg("is %.*s, want %s", LATCH_ARG(e->key), sort);
    assert_true(e->found && !e->broken);
    is_json(e->value, json);
}

static void lists_and_clears_a_partition(void **state) {
    static const latch_pkv foreign = {.name = "cartsX", .paradoxical_table = PARTITIONED};
    const latch_pkv *const tables[] = {&carts, &theirs, &times}, *const foreigners[] = {&others, &foreign, NULL};
    (void)state;
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        static const int64_t limits[] = {10, 52, 53, 54, 0};
        latch_kv_page page;
        uint64_t deleted;
        fill(tables[table], foreigners[table], "ann");
        fill(tables[table], foreigners[table], "bob");
        for (size_t i = 0; i < 2 * COUNT_OF(limits); i++) {
            char token[300] = "";
            int64_t limit = limits[i / 2];
            size_t got = 0, pages = 0, most = limit > 0 ? (size_t)limit : 1000;
            do {
                rig_again(&ann, 0);
                is_fine(&ann, latch_pkv_list(&ann.cx, tables[table], LATCH_STR("ann"),
                                             &(latch_pkv_list_request){.limit = limit, .from = latch_str_of(token), .backward = i % 2 == 1},
                                             &page));
                assert_int_equal(ann.requests, 1);
                assert_true(page.count == most || page.token.len == 0);
                for (size_t e = 0; e < page.count; e++, got++)
                    check_entry(tables[table], &page.entries[e], i % 2 == 1 ? ENTRIES - 1 - got : got);
                snprintf(token, sizeof token, "%.*s", LATCH_ARG(page.token));
                pages++;
            } while (token[0] != '\0' && pages < 20);
            assert_int_equal(got, ENTRIES);
        }
        rig_again(&ann, 0);
        is_fine(&ann, latch_pkv_clear(&ann.cx, tables[table], LATCH_STR("ann"), &deleted));
        assert_int_equal(deleted, ENTRIES);
        assert_int_equal(ann.requests, 4); /* a query, 53 deletions in 3 batches */
        is_fine(&ann, latch_pkv_clear(&ann.cx, tables[table], LATCH_STR("ann"), &deleted));
        assert_int_equal(deleted, 0);
        is_fine(&ann, latch_pkv_list(&ann.cx, tables[table], LATCH_STR("bob"), &(latch_pkv_list_request){.limit = 0}, &page));
        assert_int_equal(page.count, ENTRIES); /* another partition, */
        if (foreigners[table] == NULL) continue;
        is_fine(&ann, latch_pkv_list(&ann.cx, foreigners[table], LATCH_STR("ann"), &(latch_pkv_list_request){.limit = 0}, &page));
        assert_int_equal(page.count, 5); /* and another name */
    }
}

static void clears_page_by_page_in_flat_memory(void **state) {
    enum { MANY = 620 };
    uint64_t deleted;
    (void)state;
    for (size_t from = 0; from < MANY; from += 155) {
        static latch_pkv_pair pairs[155];
        latch_dynamodb_written written;
        rig_again(&bob, 0);
        for (size_t i = 0; i < 155; i++) {
            char sort[24];
            snprintf(sort, sizeof sort, "k%zu", from + i);
            pairs[i] = (latch_pkv_pair){latch_pkv_at(LATCH_STR("ann"), latch_copy(&bob.cx, latch_str_of(sort))), LATCH_NULL};
        }
        is_fine(&bob, latch_pkv_set_batch(&bob.cx, &carts, pairs, 155, &written));
    }
    size_t mark = latch_arena_mark(ann.cx.arena);
    is_fine(&ann, latch_pkv_clear(&ann.cx, &carts, LATCH_STR("ann"), &deleted));
    assert_int_equal(deleted, MANY);
    assert_int_equal(ann.requests, 2 + 20 + 5); /* 500 and 120 keys */
    assert_int_equal(latch_arena_mark(ann.cx.arena), mark);
}

static void gives_what_is_broken(void **state) {
    latch_kv_page page;
    (void)state;
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.a\"},\"data\":{\"S\":\"{half\"}}");
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.b\"},\"count\":{\"N\":\"7\"}}");
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.c\"}}");
    plant(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"carts.d\"},\"data\":{\"S\":\"true\"}}");
    is_fine(&ann, latch_pkv_list(&ann.cx, &theirs, LATCH_STR("ann"), &(latch_pkv_list_request){.limit = 0}, &page));
    assert_int_equal(page.count, 4);
    assert_true(page.entries[0].broken && page.entries[0].value.node == NULL);
    is_json(page.entries[1].value, "7");
    assert_true(!page.entries[2].broken && page.entries[2].value.node == NULL);
    is_json(page.entries[3].value, "true");
    ann.requests = 0;
    assert_int_equal(latch_pkv_list(&ann.cx, &theirs, LATCH_STR("ann"), &(latch_pkv_list_request){.limit = -1}, &page), LATCH_E_MISUSE);
    assert_int_equal(latch_pkv_list(&ann.cx, &theirs, LATCH_STR("ann"), &(latch_pkv_list_request){.from = LATCH_STR("?")}, &page),
                     LATCH_E_INPUT);
    assert_int_equal(latch_pkv_list(&ann.cx, &theirs, LATCH_STR(""), &(latch_pkv_list_request){.limit = 1}, &page), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, keys_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(keeps_values_of_any_kind),
    ROW(shares_the_models_table),
    ROW(sets_once),
    ROW(finds_the_broken_twin),
    ROW(says_what_a_lost_reply_leaves_open),
    ROW(refuses_without_sending),
    ROW(lists_and_clears_a_partition),
    ROW(clears_page_by_page_in_flat_memory),
    ROW(gives_what_is_broken),
};

CHECK_MAIN(tests)

#include "store/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/keys.h"

static const latch_kv profiles = {.name = "profiles"};
static const latch_kv others = {.name = "profilesX"};
static const latch_kv eager = {.name = "profiles", .repeat = true};
static const latch_kv theirs = {.name = "users", .paradoxical_table = KEYS};
static const latch_kv bare = {.paradoxical_table = KEYS};

static latch_json value_of(const latch_kv *kv, const char *key) {
    latch_json v;
    is_fine(&bob, latch_kv_get(&bob.cx, kv, latch_str_of(key), &v));
    return v;
}

static void put(const latch_kv *kv, const char *key, const char *json) {
    is_fine(&bob, latch_kv_set(&bob.cx, kv, latch_str_of(key), parsed(&bob, json)));
}

static void sends_exactly_this(void **state) {
    latch_json v;
    (void)state;
    is_fine(&ann, latch_kv_set(&ann.cx, &profiles, LATCH_STR("a#b"), latch_object(&ann.cx, "theme", "dark")));
    assert_string_equal(
        ann.last_request,
        "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"KV#profiles#a%23b\"},\"sk\":{\"S\":\"KV\"}},\"UpdateExpression\":"
        "\"SET #data = :data\",\"ExpressionAttributeNames\":{\"#data\":\"data\"},\"ExpressionAttributeValues\":{\":data\":"
        "{\"S\":\"{\\\"theme\\\":\\\"dark\\\"}\"}}}");
    is_fine(&ann, latch_kv_get(&ann.cx, &theirs, LATCH_STR("a#b"), &v) == LATCH_MISSING ? LATCH_OK : LATCH_E_DATA);
    assert_string_equal(ann.last_request, "{\"TableName\":\"" KEYS "\",\"Key\":{\"key\":{\"S\":\"users.a#b\"}},\"ConsistentRead\":true}");
    is_fine(&ann, latch_kv_delete(&ann.cx, &bare, LATCH_STR("a")));
    assert_string_equal(ann.last_request, "{\"TableName\":\"" KEYS "\",\"Key\":{\"key\":{\"S\":\"a\"}}}");
    assert_int_equal(ann.requests, 3);
}

static void keeps_values_of_any_kind(void **state) {
    static const char *const rows[] = {
        "{\"a\":[1,{\"b\":null}]}", "[]", "\"\"", "\"x\\u0001\"", "12", "1.5", "true", "null", "12345678901234567890123",
        "0.1234567890123456789"};
    const latch_kv *const tables[] = {&profiles, &theirs, &bare};
    latch_json v;
    int64_t n;
    bool missing;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(tables); i++) {
        const latch_kv *kv = tables[i % COUNT_OF(tables)];
        put(kv, "k", rows[i / COUNT_OF(tables)]);
        is_json(value_of(kv, "k"), rows[i / COUNT_OF(tables)]);
    }
    is_fine(&ann, latch_kv_set(&ann.cx, &profiles, LATCH_STR("n"), latch_int(42)));
    is_fine(&ann, latch_read(value_of(&profiles, "n"), "", &n));
    assert_int_equal(n, 42);
    is_fine(&ann, latch_kv_set(&ann.cx, &profiles, LATCH_STR("s"), "tea"));
    is_json(value_of(&profiles, "s"), "\"tea\"");
    is_fine(&ann, latch_kv_delete(&ann.cx, &profiles, LATCH_STR("s")));
    is_fine(&ann, latch_kv_delete(&ann.cx, &profiles, LATCH_STR("s")));
    missing = latch_kv_get(&ann.cx, &profiles, LATCH_STR("s"), &v) == LATCH_MISSING;
    assert_true(missing && v.node == NULL);
    assert_string_equal(latch_error(&ann.cx)->message, "KV#profiles#s: there is no such value");
}

static void shares_the_models_table(void **state) {
    latch_json v;
    (void)state;
    plant(KEYS, "{\"key\":{\"S\":\"users.a\"},\"data\":{\"S\":\"{\\\"n\\\":1}\"}}");
    plant(KEYS, "{\"key\":{\"S\":\"users.c\"},\"count\":{\"N\":\"7\"}}");
    plant(KEYS, "{\"key\":{\"S\":\"users.x\"},\"data\":{\"S\":\"{half\"}}");
    plant(KEYS, "{\"key\":{\"S\":\"users.y\"},\"data\":{\"N\":\"1\"}}");
    is_json(value_of(&theirs, "a"), "{\"n\":1}");
    is_json(value_of(&bare, "users.a"), "{\"n\":1}");
    assert_int_equal(latch_kv_get(&ann.cx, &theirs, LATCH_STR("c"), &v), LATCH_MISSING);
    assert_int_equal(latch_kv_get(&ann.cx, &theirs, LATCH_STR("x"), &v), LATCH_E_DATA);
    assert_string_equal(latch_error(&ann.cx)->message,
                        "users.x: data: is not JSON, byte 1: unexpected character, expected a string for object key");
    assert_int_equal(latch_kv_get(&ann.cx, &theirs, LATCH_STR("y"), &v), LATCH_E_DATA);
    put(&theirs, "c", "[true]"); /* a set leaves the count alone, where the model's drops it */
    stands(KEYS, "{\"key\":{\"S\":\"users.c\"}}", "{\"data\":{\"S\":\"[true]\"},\"count\":{\"N\":\"7\"},\"key\":{\"S\":\"users.c\"}}");
}

/* ── bad input ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_without_sending(void **state) {
    static char long_key[2049], long_name[66], big[LATCH_VALUE_MAX_BYTES + 1];
    static const struct {
        latch_kv policy;
        const char *key, *says;
    } rows[] = {
        {{.name = NULL}, "k", "kv: .name is empty"},
        {{.name = ""}, "k", "kv: .name is empty"},
        {{.name = long_name}, "k", "kv: .name has 65 bytes, want at most 64"},
        {{.name = "a\nb"}, "k", "kv: .name has the control byte 0x0a at 1"},
        {{.name = "a\nb", .paradoxical_table = KEYS}, "k", "kv: .name has the control byte 0x0a at 1"},
        {{.name = "n"}, "", "kv n: the key is empty"},
        {{.name = "n"}, "a\x7f", "kv n: the key has the control byte 0x7f at 1"},
        {{.name = "n"}, "\xff", "kv n: the key is not UTF-8"},
        {{.name = "n"}, long_key, "kv n: the key has 2048 bytes, escaped and with the store's name 2053, want at most 2048"},
        {{.name = "n", .paradoxical_table = KEYS}, "", "kv n: the key is empty"},
        {{.paradoxical_table = KEYS}, "", "kv -: the key is empty"},
        {{.name = "n", .paradoxical_table = KEYS}, long_key, "kv n: the key has 2048 bytes, as it is stored 2050, want at most 2048"},
        {{.name = "n", .timeout_ms = -1}, "k", NULL},
        {{.name = "n", .paradoxical_table = ""}, "k", NULL},
        {{.name = "n", .paradoxical_table = "a b"}, "k", NULL},
    };
    latch_json v;
    (void)state;
    memset(long_key, 'k', sizeof long_key - 1);
    memset(long_name, 'n', sizeof long_name - 1);
    memset(big, 'b', sizeof big);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status want = rows[i].says != NULL ? rig_blames(rows[i].says) : LATCH_E_MISUSE;
        latch_str key = latch_str_of(rows[i].key);
        latch_kv_entry entry;
        latch_dynamodb_written written;
        assert_int_equal(latch_kv_get(&ann.cx, &rows[i].policy, key, &v), want);
        if (rows[i].says != NULL) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_kv_set(&ann.cx, &rows[i].policy, key, 1.5), want);
        assert_int_equal(latch_kv_delete(&ann.cx, &rows[i].policy, key), want);
        assert_int_equal(latch_kv_get_batch(&ann.cx, &rows[i].policy, &key, 1, &entry), want);
        assert_int_equal(latch_kv_set_batch(&ann.cx, &rows[i].policy, &(latch_kv_pair){key, LATCH_NULL}, 1, &written), want);
        assert_int_equal(ann.requests, 0);
    }
    assert_int_equal(latch_kv_set(&ann.cx, &profiles, LATCH_STR("k"), ((latch_str){big, sizeof big})), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "kv: the value has 399363 bytes as JSON, want at most 399360");
    assert_int_equal(latch_kv_set(&ann.cx, &profiles, LATCH_STR("k"), "\xff"), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
    is_fine(&ann, latch_kv_set(&ann.cx, &bare, ((latch_str){long_key, 2048}), ((latch_str){big, sizeof big - 3})));
}

/* ── lost and late ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void says_what_a_lost_reply_leaves_open(void **state) {
    static const struct {
        const latch_kv *kv;
        fault fails;
        latch_status status;
        bool maybe;
        size_t requests;
        const char *then;
    } rows[] = {
        {&profiles, LOST_BEFORE, LATCH_E_TIMEOUT, true, 1, "1"}, {&profiles, LOST_AFTER, LATCH_E_TIMEOUT, true, 1, "2"},
        {&profiles, FAILS_500, LATCH_E_NETWORK, true, 1, "1"},   {&profiles, NOT_SENT, LATCH_E_NETWORK, false, 1, "1"},
        {&eager, LOST_BEFORE, LATCH_OK, false, 2, "2"},          {&eager, LOST_AFTER, LATCH_OK, false, 2, "2"},
        {&profiles, NO_FAULT, LATCH_OK, false, 1, "2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put(&profiles, "k", "1");
        rig_again(&ann, 0);
        ann.faults[0] = rows[i].fails;
        assert_int_equal(latch_kv_set(&ann.cx, rows[i].kv, LATCH_STR("k"), latch_int(2)), rows[i].status);
        if (rows[i].status != LATCH_OK) assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe);
        assert_int_equal(ann.requests, rows[i].requests);
        is_json(value_of(&profiles, "k"), rows[i].then);
    }
    rig_again(&ann, 0);
    ann.faults[0] = LOST_BEFORE;
    assert_int_equal(latch_kv_delete(&ann.cx, &profiles, LATCH_STR("k")), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
}

/* ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void gets_many_in_their_order(void **state) {
    const latch_kv *const tables[] = {&profiles, &theirs};
    enum { MANY = 205 };
    static latch_kv_entry got[MANY + 1];
    static latch_kv_pair pairs[MANY];
    static latch_str keys[MANY + 1];
    (void)state;
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        latch_dynamodb_written written;
        rig_again(&ann, 0);
        for (size_t i = 0; i < MANY; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%zu", i);
            keys[MANY - 1 - i] = latch_copy(&ann.cx, latch_str_of(key));
            pairs[i] = (latch_kv_pair){keys[MANY - 1 - i], latch_object(&ann.cx, "n", i)};
        }
        keys[MANY] = keys[0];
        is_fine(&ann, latch_kv_set_batch(&ann.cx, tables[table], pairs, MANY - 1, &written));
        assert_int_equal(written.written, MANY - 1);
        assert_int_equal(written.requests, (MANY - 1 + 24) / 25);
        ann.requests = 0;
        is_fine(&ann, latch_kv_get_batch(&ann.cx, tables[table], keys, MANY + 1, got));
        assert_int_equal(ann.requests, 3);
        for (size_t i = 0; i <= MANY; i++) {
            size_t n = i == MANY ? MANY - 1 : MANY - 1 - i;
            char want[24];
            snprintf(want, sizeof want, "{\"n\":%zu}", n);
            assert_true(latch_str_eq(got[i].key, keys[i]));
            assert_int_equal(got[i].found, n != MANY - 1);
            if (got[i].found) is_json(got[i].value, want);
            assert_true(got[i].found || got[i].value.node == NULL);
        }
    }
    plant(KEYS, "{\"key\":{\"S\":\"users.k1\"},\"data\":{\"S\":\"{half\"}}");
    plant(KEYS, "{\"key\":{\"S\":\"users.k2\"},\"count\":{\"N\":\"7\"}}");
    keys[0] = LATCH_STR("k1"), keys[1] = LATCH_STR("k2"), keys[2] = LATCH_STR("k3");
    is_fine(&ann, latch_kv_get_batch(&ann.cx, &theirs, keys, 3, got));
    assert_true(got[0].found && got[0].broken && got[0].value.node == NULL && !got[1].broken && got[2].found && !got[2].broken);
    is_fine(&ann, latch_kv_get_batch(&ann.cx, &theirs, keys, 0, got));
    ann.requests = 0;
    ann.faults[0] = ann.faults[1] = ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(latch_kv_get_batch(&ann.cx, &theirs, keys, 3, got), LATCH_E_TIMEOUT);
    assert_false(got[0].found || got[0].broken || got[2].found);
}

/* ── lists ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ENTRIES 67

static bool seen[ENTRIES];

static void see(const latch_kv_entry *e) {
    char text[24];
    int n = -1, end = 0;
    assert_true(e->found && !e->broken && e->key.len < sizeof text);
    memcpy(text, e->key.ptr, e->key.len);
    text[e->key.len] = '\0';
    assert_int_equal(sscanf(text, "k#%d%%%n", &n, &end), 1);
    assert_int_equal(end, (int)e->key.len);
    assert_in_range(n, 0, ENTRIES - 1);
    assert_false(seen[n]);
    seen[n] = true;
}

static size_t count_seen(void) {
    size_t n = 0;
    for (size_t i = 0; i < ENTRIES; i++)
        n += seen[i];
    return n;
}

static void fill(const latch_kv *kv, const latch_kv *foreign) {
    for (size_t i = 0; i < ENTRIES; i++) {
        char key[24];
        snprintf(key, sizeof key, "k#%zu%%", i);
        rig_again(&bob, 0);
        is_fine(&bob, latch_kv_set(&bob.cx, kv, latch_str_of(key), i));
        if (i % 3 == 0) is_fine(&bob, latch_kv_set(&bob.cx, foreign, latch_str_of(key), "another's"));
    }
}

static void lists_its_own_page_by_page(void **state) {
    static const latch_kv foreign = {.name = "usersX", .paradoxical_table = KEYS};
    const latch_kv *const tables[] = {&profiles, &theirs}, *const foreigners[] = {&others, &foreign};
    (void)state;
    plant(KEYS, "{\"key\":{\"S\":\"users.counter\"},\"count\":{\"N\":\"7\"}}");
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        static const int64_t limits[] = {30, 66, 67, 68, 0};
        fill(tables[table], foreigners[table]);
        for (size_t i = 0; i < COUNT_OF(limits); i++) {
            char token[300] = "";
            size_t pages = 0, most = limits[i] > 0 ? (size_t)limits[i] : 1000;
            memset(seen, 0, sizeof seen);
            do {
                latch_kv_page page;
                rig_again(&ann, 0);
                is_fine(&ann, latch_kv_list(&ann.cx, tables[table],
                                            &(latch_kv_list_request){.limit = limits[i], .from = latch_str_of(token)}, &page));
                assert_true(page.count <= most);
                assert_true(page.count == most || page.token.len == 0); /* full, but for the last */
                for (size_t e = 0; e < page.count; e++)
                    see(&page.entries[e]);
                snprintf(token, sizeof token, "%.*s", LATCH_ARG(page.token));
                assert_in_range(ann.requests, 1, 4);
                pages++;
            } while (token[0] != '\0' && pages < 200);
            assert_int_equal(count_seen(), ENTRIES);
            assert_in_range(pages, 1, ENTRIES / most + 1);
        }
    }
}

static void lists_what_contains(void **state) {
    latch_kv_page page;
    (void)state;
    fill(&profiles, &others);
    memset(seen, 0, sizeof seen);
    is_fine(&ann, latch_kv_list(&ann.cx, &profiles, &(latch_kv_list_request){.contains = LATCH_STR("#6")}, &page));
    for (size_t e = 0; e < page.count; e++)
        see(&page.entries[e]);
    assert_int_equal(page.count, 8); /* 6, 60 to 66 */
    is_fine(&ann, latch_kv_list(&ann.cx, &profiles, &(latch_kv_list_request){.contains = LATCH_STR("23")}, &page));
    assert_int_equal(page.count, 1); /* 23: not each #, which is stored as %23 */
    is_fine(&ann, latch_kv_list(&ann.cx, &profiles, &(latch_kv_list_request){.contains = LATCH_STR("profiles")}, &page));
    assert_int_equal(page.count, 0);
    plant(KEYS, "{\"key\":{\"S\":\"loose\"},\"data\":{\"S\":\"1\"}}");
    plant(KEYS, "{\"key\":{\"S\":\"half\"},\"data\":{\"S\":\"{half\"}}");
    is_fine(&ann, latch_kv_list(&ann.cx, &bare, &(latch_kv_list_request){.contains = LATCH_STR("oo")}, &page));
    assert_int_equal(page.count, 1);
    assert_true(latch_str_eq(page.entries[0].key, LATCH_STR("loose")));
    is_fine(&ann, latch_kv_list(&ann.cx, &bare, &(latch_kv_list_request){.limit = 0}, &page));
    assert_int_equal(page.count, 2);
    assert_true(page.entries[0].broken != page.entries[1].broken); /* told of the one, and the other is given */
    ann.requests = 0;
    assert_int_equal(latch_kv_list(&ann.cx, &bare, &(latch_kv_list_request){.limit = -1}, &page), LATCH_E_MISUSE);
    assert_int_equal(latch_kv_list(&ann.cx, &bare, &(latch_kv_list_request){.limit = 10001}, &page), LATCH_E_MISUSE);
    assert_int_equal(latch_kv_list(&ann.cx, &bare, &(latch_kv_list_request){.from = LATCH_STR("no token")}, &page), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
}

static latch_status see_page(latch_ctx *cx, void *arg, const latch_kv_entry *entries, size_t count) {
    size_t *pages = arg;
    ++*pages;
    for (size_t e = 0; e < count; e++)
        see(&entries[e]);
    return latch_copy(cx, LATCH_STR("kept until the next page")).ptr != NULL ? LATCH_OK : LATCH_E_NOMEM;
}

static latch_status stop_page(latch_ctx *cx, void *arg, const latch_kv_entry *entries, size_t count) {
    (void)cx, (void)arg, (void)entries, (void)count;
    return LATCH_UNDONE;
}

static void streams_in_flat_memory(void **state) {
    size_t pages = 0;
    uint64_t given;
    (void)state;
    fill(&profiles, &others);
    memset(seen, 0, sizeof seen);
    rig_again(&ann, (size_t)48 * 1024);
    is_fine(&ann,
            latch_kv_stream(&ann.cx, &profiles, &(latch_kv_stream_request){.page_items = 20, .delay_ms = 250}, see_page, &pages, &given));
    assert_int_equal(count_seen(), ENTRIES);
    assert_int_equal(given, ENTRIES);
    assert_in_range(pages, (ENTRIES + ENTRIES / 3) / 20, (ENTRIES + ENTRIES / 3) / 20 + 2);
    assert_int_equal(ann.requests, pages);
    assert_int_equal(ann.slept_ms, 250 * (int64_t)(pages - 1));
    assert_int_equal(latch_kv_stream(&ann.cx, &profiles, &(latch_kv_stream_request){.page_items = 20}, stop_page, NULL, &given),
                     LATCH_UNDONE);
    assert_int_equal(given, 0);
    rig_again(&ann, (size_t)48 * 1024);
    ann.cx.deadline_at_ms = latch_now_ms(&ann.cx) + 400;
    pages = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(
        latch_kv_stream(&ann.cx, &profiles, &(latch_kv_stream_request){.page_items = 20, .delay_ms = 250}, see_page, &pages, &given),
        LATCH_E_TIMEOUT);
    assert_int_equal(pages, 2);
    assert_int_equal(given, count_seen());
    assert_int_equal(latch_kv_stream(&ann.cx, &profiles, &(latch_kv_stream_request){.delay_ms = -1}, see_page, &pages, &given),
                     LATCH_E_MISUSE);
}

/* ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0;
    latch_status status = LATCH_E_NOMEM;
    (void)state;
    put(&profiles, "k", "{\"a\":1}");
    for (size_t bytes = 16; status != LATCH_OK; bytes += rig_is_engine() ? 16 : 64) {
        latch_kv_page page = {.count = 0};
        latch_json v;
        rig_again(&ann, bytes);
        status = latch_kv_set(&ann.cx, &profiles, LATCH_STR("k"), latch_int(1));
        if (status == LATCH_OK) status = latch_kv_get(&ann.cx, &profiles, LATCH_STR("k"), &v);
        if (status == LATCH_OK) status = latch_kv_list(&ann.cx, &profiles, &(latch_kv_list_request){.limit = 5}, &page);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        if (status == LATCH_OK) assert_int_equal(page.count, 1);
        refused += status != LATCH_OK;
    }
    assert_in_range(refused, 20, 2000);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, keys_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(keeps_values_of_any_kind),
    ROW(shares_the_models_table),
    ROW(refuses_without_sending),
    ROW(says_what_a_lost_reply_leaves_open),
    ROW(gets_many_in_their_order),
    ROW(lists_its_own_page_by_page),
    ROW(lists_what_contains),
    ROW(streams_in_flat_memory),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)

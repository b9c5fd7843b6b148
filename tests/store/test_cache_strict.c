/* What was computed before a delete or an invalidation is not stored after it. */
#include <string.h>

#include "core/ctx.h"
#include "store/cache.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define PK "CACHE#price#tea"
#define GEN "CACHEGEN#price#tea"
#define JOB "DEDUPE#CACHE#price#tea"

static struct load {
    latch_status ends;
    int64_t runs;
    void (*meanwhile)(void);
} load;

static latch_status load_price(latch_ctx *cx, latch_work *work) {
    void (*meanwhile)(void) = load.meanwhile;
    int64_t run = ++load.runs;
    load.meanwhile = NULL;
    if (meanwhile != NULL) meanwhile();
    work->result = latch_object(cx, "n", run);
    if (load.ends == LATCH_MISSING) return latch_refuse(cx, LATCH_MISSING, "no such price");
    return load.ends;
}

static const latch_cache strict = {.name = "price", .load = load_price, .strict = LATCH_CACHE_STRICT, .missing_ttl_ms = 60000};
static const latch_cache lax = {.name = "price", .load = load_price};

static const rig_twin sound = {NULL, NULL};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)8 << 20);
    load = (struct load){0};
    return 0;
}

static void begin_again(rig_twin twin) {
    static const char *const keys[] = {PK, GEN, JOB};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        rig_delete(&world, keys[i], keys[i]);
    load = (struct load){0};
    pair_again(twin);
}

static latch_status get(rig *r, const latch_cache *cache, latch_json *out) { return latch_cache_get(&r->cx, cache, LATCH_STR("tea"), out); }
static latch_status forget(rig *r, const latch_cache *cache) { return latch_cache_delete(&r->cx, cache, LATCH_STR("tea")); }
static bool says(latch_json v, const char *text) { return latch_str_eq(latch_text(v), latch_str_of(text)); }
static bool stored(const char *text) { return rig_has_text(&world, PK, PK, "value", text); }

/* The transaction's token becomes {id}. */
static void sent(const char *operation, const char *text) {
    static const char token[] = "{\"ClientRequestToken\":\"";
    char id[64];
    assert_string_equal(ann.operation, operation);
    if (strncmp(ann.last_request, token, sizeof token - 1) == 0) {
        memcpy(id, ann.last_request + sizeof token - 1, 36);
        pair_hide(ann.last_request, (latch_str){id, 36});
    }
    assert_string_equal(ann.last_request, text);
}

#define KEY "\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK "\"}"
#define GEN_KEY "\"pk\":{\"S\":\"" GEN "\"},\"sk\":{\"S\":\"" GEN "\"}"
#define CHECKED "{\"ConditionCheck\":{\"TableName\":\"latch\",\"Key\":{" GEN_KEY "},\"ConditionExpression\":"

static const char stores[] =
    "{\"ClientRequestToken\":\"{id}\",\"TransactItems\":[{\"Put\":{\"TableName\":\"latch\",\"Item\":{" KEY
    ",\"value\":{\"S\":\"{\\\"n\\\":1}\"},\"ttl\":{\"N\":\"1767225900\"},\"createdAt\":{\"N\":\"1767225600000\"}},"
    "\"ConditionExpression\":\"attribute_not_exists(#pk)\",\"ExpressionAttributeNames\":{\"#pk\":\"pk\"}}}," CHECKED
    "\"attribute_not_exists(#gen)\",\"ExpressionAttributeNames\":{\"#gen\":\"gen\"}}}]}";
static const char stores_at_7[] =
    "\"#gen = :gen\",\"ExpressionAttributeNames\":{\"#gen\":\"gen\"},\"ExpressionAttributeValues\":{\":gen\":{\"N\":"
    "\"7\"}}}}]}";

/* Of a load, the set is the fifth request. */
static void look_at_fifth(void *arg) {
    (void)arg;
    if (ann.requests != 5) return;
    if (rig_number(&world, GEN, GEN, "gen") == 7) {
        assert_non_null(strstr(ann.last_request, CHECKED));
        assert_non_null(strstr(ann.last_request, stores_at_7));
    } else {
        sent("TransactWriteItems", stores);
    }
}

static void sends_exactly_this(void **state) {
    static const char removes[] =
        "{\"ClientRequestToken\":\"{id}\",\"TransactItems\":[{\"Delete\":{\"TableName\":\"latch\",\"Key\":{" KEY "}}},"
        "{\"Update\":{\"TableName\":\"latch\",\"Key\":{" GEN_KEY "},\"UpdateExpression\":\"SET #gen = if_not_exists(#gen, :now) + :one, "
        "#ttl = :ttl\",\"ExpressionAttributeNames\":{\"#gen\":\"gen\",\"#ttl\":\"ttl\"},\"ExpressionAttributeValues\":{\":now\":{\"N\":"
        "\"1767225600000\"},\":one\":{\"N\":\"1\"},\":ttl\":{\"N\":\"1767830400\"}}}}]}";
    latch_json v;
    (void)state;
    ann.before = look_at_fifth;
    assert_int_equal(get(&ann, &strict, &v), LATCH_OK);
    assert_int_equal(ann.requests, 6);
    assert_int_equal(get(&ann, &strict, &v), LATCH_OK);
    sent("GetItem", "{\"TableName\":\"latch\",\"Key\":{" KEY "},\"ConsistentRead\":true}");
    assert_int_equal(forget(&ann, &strict), LATCH_OK);
    sent("TransactWriteItems", removes);
    assert_int_equal(ann.requests, 8);
    assert_int_equal(rig_number(&world, GEN, GEN, "gen"), T0 + 1);
    begin_again(sound);
    ann.before = look_at_fifth;
    rig_put(&world, "{" GEN_KEY ",\"gen\":{\"N\":\"7\"}}");
    assert_int_equal(get(&ann, &strict, &v), LATCH_OK);
    assert_true(stored("{\"n\":1}"));
}

static void bob_deletes(void) { assert_int_equal(forget(&bob, &strict), LATCH_OK); }
static void bob_invalidates(void) {
    uint64_t removed;
    assert_int_equal(latch_cache_invalidate_by_tag(&bob.cx, &strict, LATCH_STR("hot"), &removed), LATCH_OK);
}

/* An entry was set with the tag, and has expired: its tag item finds the key. */
static void plant_tagged(void) {
    static const latch_cache brief = {.name = "price", .ttl_ms = 1000};
    assert_int_equal(latch_cache_set_tagged(&bob.cx, &brief, LATCH_STR("tea"), LATCH_NULL, &LATCH_STR("hot"), 1), LATCH_OK);
    rig_pass(&world, 1000);
}

/* False: what ann computed before bob's delete is there after it. `gone`: the entry's value was removed, its tag item alone is left. */
static bool stores_nothing_older(const latch_cache *cache, void (*meanwhile)(void), bool gone, int64_t generation, rig_twin twin) {
    latch_json v;
    begin_again(twin);
    if (generation > 0) bob_deletes();
    if (meanwhile == bob_invalidates) plant_tagged();
    if (gone) rig_delete(&world, PK, PK);
    rig_again(&bob, 0);
    load.meanwhile = meanwhile;
    assert_int_equal(get(&ann, cache, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}")); /* her call began before the delete, so that is right */
    bool clean = !rig_has(&world, PK, PK, "value");
    assert_int_equal(get(&bob, cache, &v), LATCH_OK);
    assert_int_equal(load.runs, clean ? 2 : 1);
    return clean;
}

static void stores_nothing_computed_before_a_delete(void **state) {
    static const rig_twin unchecked[] = {{"\"attribute_not_exists(#gen)\"", "\"(attribute_not_exists(#gen) OR attribute_exists(#gen))\""},
                                         {"\"#gen = :gen\"", "\"(#gen = :gen OR attribute_exists(#gen))\""}};
    (void)state;
    for (int64_t generation = 0; generation < 2; generation++) {
        assert_true(stores_nothing_older(&strict, bob_deletes, false, generation, sound));
        assert_true(stores_nothing_older(&strict, bob_invalidates, false, generation, sound));
        assert_true(stores_nothing_older(&strict, bob_invalidates, true, generation, sound));
        assert_false(stores_nothing_older(&strict, bob_deletes, false, generation, unchecked[generation]));
        assert_true(world.twisted > 0);
    }
    assert_false(stores_nothing_older(&lax, bob_deletes, false, 0, sound)); /* which is why there is the option */
}

/* What is missing is remembered by the same rule. */
static void remembers_no_older_miss(void **state) {
    latch_json v;
    (void)state;
    load.ends = LATCH_MISSING;
    load.meanwhile = bob_deletes;
    assert_int_equal(get(&ann, &strict, &v), LATCH_MISSING);
    assert_false(rig_has(&world, PK, PK, "value"));
    assert_int_equal(get(&ann, &strict, &v), LATCH_MISSING);
    assert_true(stored("__UNDEFINED__"));
    assert_int_equal(load.runs, 2);
}

/* The item that a load saw is replaced, whatever it is: its condition goes into the transaction. */
static void replaces_what_it_saw_and_nothing_newer(void **state) {
    static const char *const stale[] = {
        ",\"value\":{\"S\":\"0\"},\"ttl\":{\"N\":\"1767225600\"},\"createdAt\":{\"N\":\"1767225500000\"}",
        ",\"value\":{\"S\":\"0\"},\"ttl\":{\"N\":\"1767225600\"}",
        ",\"value\":{\"S\":\"0\"},\"ttl\":{\"N\":\"1767225599.5\"}",
        ",\"value\":{\"S\":\"{\"},\"ttl\":{\"N\":\"0\"}",
        ",\"value\":{\"N\":\"0\"}",
        "",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stale); i++) {
        char item[256] = "{" KEY;
        latch_json v;
        begin_again(sound);
        rig_put(&world, strcat(strcat(item, stale[i]), "}"));
        assert_int_equal(get(&ann, &strict, &v), LATCH_OK);
        assert_true(stored("{\"n\":1}"));
        assert_int_equal(ann.requests, 6);
    }
}

static void deletes_once_whatever_the_answers_say(void **state) {
    static const struct {
        fault fails;
        latch_status status;
        size_t requests;
    } rows[] = {
        {NO_FAULT, LATCH_OK, 1},  {LOST_BEFORE, LATCH_OK, 2},     {LOST_AFTER, LATCH_OK, 2},      {LATE, LATCH_OK, 2},
        {FAILS_500, LATCH_OK, 2}, {ANSWERS_NO_JSON, LATCH_OK, 2}, {NOT_SENT, LATCH_E_NETWORK, 1}, {FAILS_THROTTLED, LATCH_E_THROTTLED, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(latch_cache_set(&bob.cx, &strict, LATCH_STR("tea"), LATCH_NULL), LATCH_OK);
        ann.faults[0] = rows[i].fails;
        assert_int_equal(forget(&ann, &strict), rows[i].status);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_int_equal(rig_number(&world, GEN, GEN, "gen"), rows[i].status == LATCH_OK ? T0 + 1 : INT64_MIN);
        rig_deliver(&ann);
        if (rows[i].status == LATCH_OK) assert_int_equal(rig_number(&world, GEN, GEN, "gen"), T0 + 1);
    }
}

static void survives_a_failure_at_every_request(void **state) {
    static const fault rows[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, ANSWERS_NO_JSON, NOT_SENT, FAILS_THROTTLED};
    (void)state;
    for (size_t i = 0; i < 6 * COUNT_OF(rows); i++) {
        size_t at = i % 6; /* read, register, generation, read again, set, complete */
        fault fails = rows[i / 6];
        bool ends = (fails == NOT_SENT || fails == FAILS_THROTTLED) && at < 4;
        latch_json v;
        begin_again(sound);
        ann.faults[at] = fails;
        latch_status status = get(&ann, &strict, &v);
        assert_int_equal(status == LATCH_OK, !ends);
        assert_int_equal(load.runs, !ends);
        if (!ends && at < 4) assert_true(stored("{\"n\":1}"));
        if (at == 4 && fails != NOT_SENT && fails != FAILS_THROTTLED) assert_true(stored("{\"n\":1}"));
    }
}

static void keeps_a_generation_as_long_as_a_load_may_take(void **state) {
    static const latch_cache slow = {.name = "price", .strict = LATCH_CACHE_STRICT, .load_ms = 3600000};
    (void)state;
    assert_int_equal(forget(&ann, &slow), LATCH_OK);
    assert_int_equal(rig_number(&world, GEN, GEN, "ttl"), T0 / 1000 + 7 * 86400 + 3600);
    rig_pass(&world, 5);
    assert_int_equal(forget(&ann, &strict), LATCH_OK);
    assert_int_equal(rig_number(&world, GEN, GEN, "gen"), T0 + 2);
    rig_delete(&world, GEN, GEN); /* as DynamoDB does: the next is no older one */
    assert_int_equal(forget(&ann, &strict), LATCH_OK);
    assert_int_equal(rig_number(&world, GEN, GEN, "gen"), T0 + 6);
}

static void is_strict_in_npms_table_too(void **state) {
    static const latch_cache shared = {.name = "price", .load = load_price, .strict = LATCH_CACHE_STRICT, .toolkit_table = "latch"};
    latch_json v;
    (void)state;
    ann.table.name = "elsewhere";
    ann.table.pk = "id";
    assert_int_equal(get(&ann, &shared, &v), LATCH_OK);
    assert_true(rig_has_text(&world, "CACHE#tea", "CACHE#tea", "value", "{\"n\":1}"));
    assert_int_equal(forget(&ann, &shared), LATCH_OK);
    assert_false(rig_has(&world, "CACHE#tea", "CACHE#tea", "value"));
    assert_int_equal(rig_number(&world, "CACHEGEN#tea", "CACHEGEN#tea", "gen"), T0 + 1);
    assert_int_equal(get(&ann, &shared, &v), LATCH_OK);
    assert_true(rig_has_text(&world, "CACHE#tea", "CACHE#tea", "value", "{\"n\":2}"));
}

static void refuses_a_key_whose_generation_would_not_fit(void **state) {
    static const latch_cache plain = {.name = "price", .strict = LATCH_CACHE_STRICT};
    static char key[1024];
    (void)state;
    memset(key, 'k', sizeof key);
    assert_int_equal(latch_cache_delete(&ann.cx, &plain, (latch_str){key, 1021 - 12 + 1}), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_cache_delete(&ann.cx, &plain, (latch_str){key, 1021 - 12}), LATCH_OK);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(stores_nothing_computed_before_a_delete),
    ROW(remembers_no_older_miss),
    ROW(replaces_what_it_saw_and_nothing_newer),
    ROW(deletes_once_whatever_the_answers_say),
    ROW(survives_a_failure_at_every_request),
    ROW(keeps_a_generation_as_long_as_a_load_may_take),
    ROW(is_strict_in_npms_table_too),
    ROW(refuses_a_key_whose_generation_would_not_fit),
};

CHECK_MAIN(tests)

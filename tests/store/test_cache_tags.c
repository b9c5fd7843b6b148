#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/cache.h"
#include "tests/check.h"
#include "tests/store/pair.h"

static const latch_cache prices = {.name = "price"};
static const latch_cache strict = {.name = "price", .strict = LATCH_CACHE_STRICT};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_gen = {"#gen = :gen", "(#gen = :gen OR attribute_exists(#gen))"};
static const rig_twin forgets_tags = {"contains(#tags, :tag)", "(contains(#tags, :tag) OR attribute_exists(#tags))"};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)8 << 20);
    return 0;
}

#define TAGGED(...) (const latch_str[]){__VA_ARGS__}, sizeof((const latch_str[]){__VA_ARGS__}) / sizeof(latch_str)

static latch_status set(rig *r, const char *key, const latch_str *tags, size_t count) {
    return latch_cache_set_tagged(&r->cx, &prices, latch_str_of(key), latch_object(&r->cx, "n", latch_int(1)), tags, count);
}

static latch_status invalidate(rig *r, const char *tag, uint64_t *removed) {
    return latch_cache_invalidate_by_tag(&r->cx, &prices, latch_str_of(tag), removed);
}

static bool has(const char *key) {
    char pk[128];
    snprintf(pk, sizeof pk, "CACHE#price#%s", key);
    return rig_has(&world, pk, pk, "value");
}

static bool has_tag(const char *tag, const char *key) {
    char pk[128], sk[128];
    snprintf(pk, sizeof pk, "TAG#price#%s", tag);
    snprintf(sk, sizeof sk, "CACHE#price#%s", key);
    return rig_has(&world, pk, sk, "pk");
}

/* The tag alone is left of the key: its value is gone. */
static void orphan(const char *key) {
    char pk[128];
    snprintf(pk, sizeof pk, "CACHE#price#%s", key);
    rig_delete(&world, pk, pk);
}

/* ── what is sent and stored ────────────────────────────────────────────────────────────────────────────────────────────── */

/* The text between `from` and the next quote becomes {id}. */
static void hide_after(char *request, const char *from) {
    char *at = strstr(request, from);
    if (at == NULL) fail_msg("%s is not in %s", from, request);
    at += strlen(from);
    char id[64];
    size_t len = strcspn(at, "\"");
    assert_in_range(len, 1, sizeof id - 1);
    memcpy(id, at, len);
    pair_hide(request, (latch_str){id, len});
}

#define VALUE "\"pk\":{\"S\":\"CACHE#price#tea\"},\"sk\":{\"S\":\"CACHE#price#tea\"}"

static void sends_exactly_this(void **state) {
    static const char sets[] =
        "{\"ClientRequestToken\":\"{id}\",\"TransactItems\":[{\"Put\":{\"TableName\":\"latch\",\"Item\":{" VALUE
        ",\"value\":{\"S\":\"{\\\"n\\\":1}\"},\"ttl\":{\"N\":\"1767225900\"},\"createdAt\":{\"N\":\"1767225600000\"},\"tags\":{\"SS\":["
        "\"hot\",\"a#b\"]}}}},{\"Put\":{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"TAG#price#hot\"},\"sk\":{\"S\":\"CACHE#price#"
        "tea\"},"
        "\"ttl\":{\"N\":\"1767225900\"},\"gen\":{\"S\":\"{id}\"}}}},{\"Put\":{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":"
        "\"TAG#price#a%23b\"},\"sk\":{\"S\":\"CACHE#price#tea\"},\"ttl\":{\"N\":\"1767225900\"},\"gen\":{\"S\":\"{id}\"}}}}]}";
    static const char removes[] =
        "{\"ClientRequestToken\":\"{id}\",\"TransactItems\":[{\"Delete\":{\"TableName\":\"latch\",\"Key\":{" VALUE
        "},\"ConditionExpression\":\"attribute_exists(#pk) AND (attribute_not_exists(#tags) OR contains(#tags, :tag))\","
        "\"ExpressionAttributeNames\":{\"#pk\":\"pk\",\"#tags\":\"tags\"},\"ExpressionAttributeValues\":{\":tag\":{\"S\":\"hot\"}}}},"
        "{\"Delete\":{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"TAG#price#hot\"},\"sk\":{\"S\":\"CACHE#price#tea\"}},"
        "\"ConditionExpression\":\"#gen = :gen\",\"ExpressionAttributeNames\":{\"#gen\":\"gen\"},\"ExpressionAttributeValues\":{\":gen\":{"
        "\"S\":\"{id}\"}}}}]}";
    uint64_t removed;
    (void)state;
    assert_int_equal(set(&ann, "tea", TAGGED(LATCH_STR("hot"), LATCH_STR("a#b"), LATCH_STR("hot"))), LATCH_OK);
    hide_after(ann.last_request, "Token\":\"");
    hide_after(ann.last_request, "\"gen\":{\"S\":\"");
    assert_string_equal(ann.last_request, sets);
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    hide_after(ann.last_request, "Token\":\"");
    hide_after(ann.last_request, ":gen\":{\"S\":\"");
    assert_string_equal(ann.last_request, removes);
    assert_int_equal(removed, 1);
    assert_int_equal(ann.requests, 3);
    assert_false(has("tea"));
    assert_true(has_tag("a%23b", "tea"));
}

static void removes_what_has_the_tag(void **state) {
    uint64_t removed;
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, "tea", TAGGED(LATCH_STR("hot"), LATCH_STR("leaf"))), LATCH_OK);
    assert_int_equal(set(&ann, "coffee", TAGGED(LATCH_STR("hot"))), LATCH_OK);
    assert_int_equal(set(&ann, "mate", TAGGED(LATCH_STR("leaf"))), LATCH_OK);
    assert_int_equal(set(&ann, "water", NULL, 0), LATCH_OK);
    assert_int_equal(latch_cache_get(&bob.cx, &prices, LATCH_STR("tea"), &v), LATCH_OK);
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    assert_int_equal(removed, 2);
    assert_false(has("tea"));
    assert_false(has("coffee"));
    assert_true(has("mate"));
    assert_true(has("water"));
    assert_int_equal(invalidate(&ann, "leaf", &removed), LATCH_OK); /* tea has that tag too, and is gone */
    assert_int_equal(removed, 1);
    assert_false(has_tag("leaf", "tea"));
    assert_int_equal(invalidate(&ann, "leaf", &removed), LATCH_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(invalidate(&ann, "nobody's", &removed), LATCH_OK);
    assert_int_equal(removed, 0);
}

static void counts_each_entry_once(void **state) {
    uint64_t removed;
    (void)state;
    assert_int_equal(set(&ann, "tea", TAGGED(LATCH_STR("hot"), LATCH_STR("leaf"))), LATCH_OK);
    assert_int_equal(set(&ann, "mate", TAGGED(LATCH_STR("leaf"))), LATCH_OK);
    assert_int_equal(
        latch_cache_invalidate_by_tags(&ann.cx, &prices, TAGGED(LATCH_STR("leaf"), LATCH_STR("hot"), LATCH_STR("leaf")), &removed),
        LATCH_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(latch_cache_invalidate_by_tags(&ann.cx, &prices, NULL, 0, &removed), LATCH_OK);
    assert_int_equal(removed, 0);
}

/* What is remembered of it is its tag item: the value is there, or is gone by its time to live. */
static void does_not_count_what_had_expired(void **state) {
    static const latch_cache brief = {.name = "price", .ttl_ms = 1000};
    uint64_t removed;
    (void)state;
    assert_int_equal(latch_cache_set_tagged(&ann.cx, &brief, LATCH_STR("tea"), LATCH_NULL, TAGGED(LATCH_STR("hot"))), LATCH_OK);
    rig_pass(&world, 1000);
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    assert_int_equal(removed, 0);
    assert_false(has("tea"));
    assert_false(has_tag("hot", "tea"));
}

static void fill(const latch_cache *cache, int n) {
    char key[32];
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(latch_cache_set_tagged(&bob.cx, cache, latch_str_of(key), LATCH_NULL, TAGGED(LATCH_STR("hot"))), LATCH_OK);
        rig_again(&bob, 0);
    }
}

static void takes_so_many_requests(void **state) {
    static const struct {
        bool strict;
        int entries, orphans;
        size_t requests;
    } rows[] = {
        {false, 0, 0, 1},  {false, 50, 0, 2}, {false, 51, 0, 3}, {false, 120, 0, 4},
        {true, 33, 0, 2},  {true, 34, 0, 3},  {false, 50, 1, 5}, /* the query, the transaction that is cancelled, 2 for the orphan, and one for the others */
        {false, 50, 3, 9}, {false, 2, 1, 6},  {true, 33, 1, 6},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_cache *cache = rows[i].strict ? &strict : &prices;
        uint64_t removed;
        char key[32];
        pair_again(sound);
        fill(cache, rows[i].entries);
        for (int k = 0; k < rows[i].orphans; k++) {
            snprintf(key, sizeof key, "k%d", k);
            orphan(key);
        }
        assert_int_equal(latch_cache_invalidate_by_tag(&ann.cx, cache, LATCH_STR("hot"), &removed), LATCH_OK);
        assert_int_equal(removed, rows[i].entries - rows[i].orphans);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_false(has_tag("hot", "k0"));
    }
}

/* ── what comes in between ──────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t sets_before; /* the request of ann's */

static void bob_sets_anew(void *arg) {
    (void)arg;
    if (ann.requests != sets_before) return;
    rig_again(&bob, 0);
    assert_int_equal(set(&bob, "tea", TAGGED(LATCH_STR("hot"))), LATCH_OK);
}

/* False: there is a value with a tag that an invalidation doesn't find. */
static bool finds_all(void) {
    uint64_t removed;
    ann.before = NULL;
    rig_again(&ann, 0);
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    return !has("tea");
}

/* Set anew before each of the requests of an invalidation: with its value there, which goes in one transaction, and without. */
static bool stays_findable(bool gone, size_t before, rig_twin twin) {
    uint64_t removed;
    orphan("tea");
    rig_delete(&world, "TAG#price#hot", "CACHE#price#tea");
    pair_again(twin);
    assert_int_equal(set(&bob, "tea", TAGGED(LATCH_STR("hot"))), LATCH_OK);
    if (gone) orphan("tea");
    sets_before = before;
    ann.before = bob_sets_anew;
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    return finds_all();
}

static void leaves_no_value_that_is_not_found(void **state) {
    size_t found = 0, twisted = 0;
    (void)state;
    for (size_t before = 1; before <= 5; before++) {
        assert_true(stays_findable(false, before, sound));
        assert_true(stays_findable(true, before, sound));
        found += !stays_findable(false, before, forgets_gen);
        found += !stays_findable(true, before, forgets_gen);
        twisted += world.twisted;
    }
    assert_true(found > 0 && twisted > 0);
}

/* A value set anew with other tags stays, though the old tag's item is still there. */
static bool keeps_what_is_tagged_otherwise(rig_twin twin) {
    uint64_t removed;
    pair_again(twin);
    assert_int_equal(set(&bob, "tea", TAGGED(LATCH_STR("hot"))), LATCH_OK);
    assert_int_equal(set(&bob, "tea", TAGGED(LATCH_STR("cold"))), LATCH_OK);
    assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
    assert_false(has_tag("hot", "tea"));
    return removed == 0 && has("tea");
}

static void removes_by_the_tags_a_value_has(void **state) {
    (void)state;
    assert_true(keeps_what_is_tagged_otherwise(sound));
    assert_false(keeps_what_is_tagged_otherwise(forgets_tags));
    assert_true(world.twisted > 0);
}

/* In two steps, as npm's package does it: the twin of a tagged set. */
static void set_in_two_steps(bool crashes) {
    rig_put(&world, "{" VALUE ",\"value\":{\"S\":\"1\"},\"tags\":{\"SS\":[\"hot\"]}}");
    if (!crashes) rig_put(&world, "{\"pk\":{\"S\":\"TAG#price#hot\"},\"sk\":{\"S\":\"CACHE#price#tea\"}}");
}

static void sets_value_and_tags_at_once_or_not_at_all(void **state) {
    static const struct {
        fault fails;
        latch_status status;
        size_t requests;
    } rows[] = {
        {NO_FAULT, LATCH_OK, 1},
        {NOT_SENT, LATCH_E_NETWORK, 1},
        {LOST_BEFORE, LATCH_OK, 2},
        {LOST_AFTER, LATCH_OK, 2},
        {LATE, LATCH_OK, 2},
        {FAILS_500, LATCH_OK, 2},
        {FAILS_THROTTLED, LATCH_E_THROTTLED, 1},
        {ANSWERS_NO_JSON, LATCH_OK, 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        pair_again(sound);
        ann.faults[0] = rows[i].fails;
        assert_int_equal(set(&ann, "tea", TAGGED(LATCH_STR("hot"))), rows[i].status);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_int_equal(has("tea"), rows[i].status == LATCH_OK);
        rig_deliver(&ann); /* a late first try is the same call, and changes nothing */
        assert_true(finds_all());
        rig_deliver(&ann);
        assert_false(has("tea"));
    }
    pair_again(sound);
    set_in_two_steps(false);
    assert_true(finds_all());
    set_in_two_steps(true);
    assert_false(finds_all());
}

static void survives_a_failure_at_every_request(void **state) {
    static const fault rows[] = {NOT_SENT, LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, FAILS_THROTTLED, ANSWERS_NO_JSON};
    (void)state;
    for (size_t i = 0; i < 5 * COUNT_OF(rows); i++) {
        fault fails = rows[i / 5];
        uint64_t removed;
        pair_again(sound);
        fill(&prices, 3);
        orphan("k0"); /* the query, a transaction that is cancelled, 2 alone, and one more */
        ann.faults[i % 5] = fails;
        latch_status status = invalidate(&ann, "hot", &removed);
        bool ends = fails == NOT_SENT || fails == FAILS_THROTTLED;
        if (!ends) assert_int_equal(status, LATCH_OK);
        if (!ends) assert_int_equal(removed, 2);
        if (ends) assert_int_equal(status, fails == NOT_SENT ? LATCH_E_NETWORK : LATCH_E_THROTTLED);
        if (ends) assert_int_equal(removed, 0);
        assert_int_equal(has("k1"), ends);
        rig_again(&ann, 0);
        assert_int_equal(invalidate(&ann, "hot", &removed), LATCH_OK);
        assert_false(has("k1") || has("k2") || has_tag("hot", "k0"));
    }
}

/* ── callers by chance ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t seed;

static uint32_t roll(uint32_t sides) {
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % sides;
}

static fault roll_fault(void *arg) {
    static const fault kinds[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, ANSWERS_NO_JSON, NOT_SENT, FAILS_THROTTLED};
    (void)arg;
    return roll(12) == 0 ? kinds[roll(COUNT_OF(kinds))] : NO_FAULT;
}

static const char *const chance_keys[] = {"tea", "mate"}, *const chance_tags[] = {"hot", "leaf"};

/* Whatever comes of it: what may be said of an answer that was lost is another test's. */
static void do_something(rig *r) {
    const latch_cache *cache = roll(3) == 0 ? &strict : &prices;
    const latch_str tags[] = {LATCH_STR("hot"), LATCH_STR("leaf")}, key = latch_str_of(chance_keys[roll(2)]);
    uint64_t removed;
    rig_again(r, 0);
    switch (roll(6)) {
    case 0:
        (void)!latch_cache_delete(&r->cx, cache, key);
        break;
    case 1:
        (void)!latch_cache_set(&r->cx, cache, key, LATCH_NULL);
        break;
    case 2:
    case 3:
        (void)!latch_cache_invalidate_by_tag(&r->cx, cache, tags[roll(2)], &removed);
        break;
    case 4:
        (void)!latch_cache_set_tagged(&r->cx, cache, key, LATCH_NULL, tags, 2);
        break;
    default:
        (void)!latch_cache_set_tagged(&r->cx, cache, key, LATCH_NULL, &tags[roll(2)], 1);
    }
}

static void bob_does_something(void *arg) {
    (void)arg;
    if (roll(3) == 0) do_something(&bob);
    if (roll(6) == 0) rig_deliver(&bob);
}

/* Each value's tags find it, as far as somebody has set it with them. */
static bool all_are_findable(void) {
    for (size_t k = 0; k < COUNT_OF(chance_keys); k++) {
        for (size_t t = 0; t < COUNT_OF(chance_tags); t++) {
            char pk[64];
            latch_json tags;
            bool tagged = false;
            snprintf(pk, sizeof pk, "CACHE#price#%s", chance_keys[k]);
            latch_json item = rig_item(&world, pk, pk);
            if (item.node == NULL || latch_read(item, "tags.SS", latch_optional(&tags)) != LATCH_OK) continue;
            for (latch_each each = latch_each_in(tags); latch_each_next(&each);)
                tagged = tagged || latch_str_eq(latch_each_text(&each), latch_str_of(chance_tags[t]));
            if (tagged && !has_tag(chance_tags[t], chance_keys[k])) return false;
        }
    }
    return true;
}

/* After how many calls of ann's a value isn't found; `calls`: it always was. */
static int first_unfindable(rig_twin twin, int calls) {
    pair_again(twin);
    seed = 2463534242u;
    ann.roll = bob.roll = roll_fault;
    ann.before = bob_does_something;
    int i = 0;
    for (; i < calls && all_are_findable(); i++) {
        do_something(&ann);
        if (roll(6) == 0) rig_deliver(&ann);
    }
    ann.roll = bob.roll = NULL;
    ann.before = NULL;
    return i;
}

static void stays_findable_whatever_happens(void **state) {
    const int calls = rig_is_engine() ? 1500 : 40;
    (void)state;
    assert_int_equal(first_unfindable(sound, calls), calls);
    if (!rig_is_engine()) return;
    assert_in_range(first_unfindable(forgets_gen, 4 * calls), 1, 4 * calls - 1);
    assert_true(world.twisted > 0);
}

/* ── what was loaded ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct {
    int64_t runs;
    size_t count;
    const char *tag;
    void (*meanwhile)(void);
} load;

static latch_status load_price(latch_ctx *cx, latch_work *work) {
    void (*meanwhile)(void) = load.meanwhile;
    load.meanwhile = NULL;
    load.runs++;
    if (meanwhile != NULL) meanwhile();
    work->result = latch_object(cx, "n", load.runs, "tag", load.tag);
    return LATCH_OK;
}

static size_t tags_of(latch_ctx *cx, latch_str key, latch_json value, latch_str *tags, size_t most) {
    assert_true(latch_str_eq(key, LATCH_STR("tea")));
    assert_true(most >= LATCH_CACHE_TAGS_MAX - 1);
    for (size_t i = 0; i < load.count && i < most; i++) {
        tags[i] = latch_ctx_text(cx, "%s%s", load.tag, i > 0 ? "x" : "");
        if (i == 0) assert_int_equal(latch_read(value, "tag", latch_optional(latch_bytes(&tags[i], 0, 64))), LATCH_OK);
    }
    return load.count;
}

static const latch_cache_tagging tagging = LATCH_CACHE_TAGGING(tags_of);
static const latch_cache loading = {.name = "price", .load = load_price, .tagging = &tagging};
static const latch_cache loading_strictly = {.name = "price", .load = load_price, .tagging = &tagging, .strict = LATCH_CACHE_STRICT};

static void tags_what_was_loaded(void **state) {
    static const latch_cache *const rows[] = {&loading, &loading_strictly};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        uint64_t removed;
        pair_again(sound);
        load.tag = "hot";
        load.count = 2;
        load.runs = 0;
        assert_int_equal(latch_cache_get(&ann.cx, rows[i], LATCH_STR("tea"), &v), LATCH_OK);
        assert_int_equal(ann.requests, 5 + i);
        assert_true(has_tag("hot", "tea") && has_tag("hotx", "tea") && has("tea"));
        assert_int_equal(latch_cache_get(&bob.cx, rows[i], LATCH_STR("tea"), &v), LATCH_OK);
        assert_int_equal(latch_cache_invalidate_by_tag(&bob.cx, rows[i], LATCH_STR("hotx"), &removed), LATCH_OK);
        assert_int_equal(removed, 1);
        load.count = 0;
        assert_int_equal(latch_cache_get(&bob.cx, rows[i], LATCH_STR("tea"), &v), LATCH_OK);
        assert_int_equal(load.runs, 2);
        assert_true(has("tea"));
        assert_false(has_tag("hotx", "tea"));
        orphan("tea");
    }
}

static void bob_invalidates(void) {
    uint64_t removed;
    assert_int_equal(latch_cache_invalidate_by_tag(&bob.cx, &loading_strictly, LATCH_STR("hot"), &removed), LATCH_OK);
}

/* The value's second life: it had expired, and is loaded when its tag is invalidated. */
static void stores_nothing_tagged_that_is_older(void **state) {
    latch_json v;
    (void)state;
    load.tag = "hot";
    load.count = 1;
    assert_int_equal(latch_cache_get(&ann.cx, &loading_strictly, LATCH_STR("tea"), &v), LATCH_OK);
    rig_pass(&world, 300000);
    load.meanwhile = bob_invalidates;
    assert_int_equal(latch_cache_get(&ann.cx, &loading_strictly, LATCH_STR("tea"), &v), LATCH_OK);
    assert_false(has("tea"));
    assert_false(has_tag("hot", "tea"));
}

/* It is right, but it is not stored: neither whole nor in part. */
static void gives_what_has_bad_tags(void **state) {
    static const struct {
        const char *tag;
        size_t count;
    } rows[] = {{"", 1}, {"a\n", 1}, {"hot", LATCH_CACHE_TAGS_MAX + 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        pair_again(sound);
        load.tag = rows[i].tag;
        load.count = rows[i].count;
        assert_int_equal(latch_cache_get(&ann.cx, &loading, LATCH_STR("tea"), &v), LATCH_OK);
        assert_non_null(v.node);
        assert_false(has("tea"));
        assert_false(has_tag("hot", "tea"));
        assert_int_equal(ann.requests, 4);
    }
}

/* ── npm's package ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void finds_what_npms_package_tagged(void **state) {
    static const latch_cache shared = {.name = "price", .toolkit_table = "latch"};
    static const struct {
        const char *tag_ttl;
        uint64_t removed;
    } rows[] = {{"\"ttl\":{\"N\":\"1767225900\"}", 1},
                {"\"ttl\":{\"N\":\"1767225900.5\"}", 1},
                {"\"ttl\":{\"N\":\"0\"}", 1},
                {"\"x\":{\"N\":\"0\"}", 1}};
    (void)state;
    ann.table.name = "elsewhere";
    ann.table.pk = "id";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char item[256];
        uint64_t removed;
        rig_put(&world, "{\"pk\":{\"S\":\"CACHE#tea#1\"},\"sk\":{\"S\":\"CACHE#tea#1\"},\"value\":{\"S\":\"1\"},\"ttl\":{\"N\":\"0\"}}");
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"TAG#a#b\"},\"sk\":{\"S\":\"CACHE#tea#1\"},%s}", rows[i].tag_ttl);
        rig_put(&world, item);
        rig_put(&world, "{\"pk\":{\"S\":\"TAG#a#b\"},\"sk\":{\"S\":\"LOCK#mine\"}}"); /* nobody's tag item */
        assert_int_equal(latch_cache_invalidate_by_tag(&ann.cx, &shared, LATCH_STR("a#b"), &removed), LATCH_OK);
        assert_int_equal(removed, rows[i].removed);
        assert_false(rig_has(&world, "CACHE#tea#1", "CACHE#tea#1", "pk"));
        assert_false(rig_has(&world, "TAG#a#b", "CACHE#tea#1", "pk"));
        assert_true(rig_has(&world, "TAG#a#b", "LOCK#mine", "pk"));
    }
    assert_int_equal(latch_cache_set_tagged(&ann.cx, &shared, LATCH_STR("tea#1"), LATCH_NULL, TAGGED(LATCH_STR("a#b"))), LATCH_OK);
    assert_true(rig_has_text(&world, "CACHE#tea#1", "CACHE#tea#1", "value", "null"));
    assert_int_equal(rig_number(&world, "TAG#a#b", "CACHE#tea#1", "ttl"), T0 / 1000 + 300);
}

/* ── bad arguments ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_tags_without_sending(void **state) {
    static char long_tag[2049], texts[LATCH_CACHE_TAGS_MAX + 1][8];
    static const struct {
        latch_str tag;
        const char *says;
    } rows[] = {
        {{"", 0}, "cache price: the key is empty"},
        {{"a\x7F", 2}, "cache price: the key has the control byte 0x7f at 1"},
        {{"\xFF", 1}, "cache price: the key is not UTF-8"},
        {{long_tag, 2048}, "cache price: the key has 2048 bytes, escaped and with the store's name 2058, want at most 2048"},
    };
    latch_str many[LATCH_CACHE_TAGS_MAX + 1];
    uint64_t removed;
    (void)state;
    memset(long_tag, 't', sizeof long_tag - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(set(&ann, "tea", &rows[i].tag, 1), LATCH_E_INPUT);
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_cache_invalidate_by_tag(&ann.cx, &prices, rows[i].tag, &removed), LATCH_E_INPUT);
    }
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        snprintf(texts[i], sizeof texts[i], "t%zu", i);
        many[i] = latch_str_of(texts[i]);
    }
    assert_int_equal(set(&ann, "tea", many, COUNT_OF(many)), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "cache price: over 99 tags");
    assert_int_equal(ann.requests, 0);
    assert_int_equal(set(&ann, "tea", many, LATCH_CACHE_TAGS_MAX), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_cache_invalidate_by_tag(&ann.cx, &prices, many[98], &removed), LATCH_OK);
    assert_int_equal(removed, 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(removes_what_has_the_tag),
    ROW(counts_each_entry_once),
    ROW(does_not_count_what_had_expired),
    ROW(takes_so_many_requests),
    ROW(leaves_no_value_that_is_not_found),
    ROW(removes_by_the_tags_a_value_has),
    ROW(sets_value_and_tags_at_once_or_not_at_all),
    ROW(survives_a_failure_at_every_request),
    ROW(stays_findable_whatever_happens),
    ROW(tags_what_was_loaded),
    ROW(stores_nothing_tagged_that_is_older),
    ROW(gives_what_has_bad_tags),
    ROW(finds_what_npms_package_tagged),
    ROW(refuses_bad_tags_without_sending),
};

CHECK_MAIN(tests)

/* The front in the process, values that are stale, and many keys at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/l1.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define PK "CACHE#price#tea"
#define KEY "\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK "\"}"

static latch_cache_l1 near = LATCH_CACHE_L1(.max_bytes = 65536, .max_age_ms = 2000);
static const latch_cache prices = {.name = "price", .l1 = &near};
static const latch_cache far = {.name = "price"}; /* of another process */

/* Broken: what a read brings is kept, whatever was written since. */
static void fill_anyway(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value) {
    (void)stamp;
    latch_cache_l1_calls.fill(l1, cx, pk, latch_cache_l1_calls.reading(l1, pk), value);
}

static latch_l1_calls broken;

static struct load {
    latch_status ends;
    int64_t runs;
    void (*meanwhile)(void);
} load;

static latch_status load_price(latch_ctx *cx, latch_work *work) {
    void (*meanwhile)(void) = load.meanwhile;
    load.runs++;
    load.meanwhile = NULL;
    if (meanwhile != NULL) meanwhile();
    work->result = latch_object(cx, "n", 100 + load.runs);
    if (load.ends == LATCH_E_HANDLER) return latch_fail(cx, "Down", "the price list is down");
    if (load.ends == LATCH_MISSING) return latch_refuse(cx, LATCH_MISSING, "no such price");
    return load.ends;
}

static const rig_twin sound = {NULL, NULL};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)8 << 20);
    load = (struct load){0};
    broken = latch_cache_l1_calls;
    broken.fill = fill_anyway;
    near.calls = &latch_cache_l1_calls;
    latch_cache_l1_clear(&near);
    return 0;
}

static void begin_again(void) {
    rig_delete(&world, PK, PK);
    rig_delete(&world, "DEDUPE#" PK, "DEDUPE#" PK);
    latch_cache_l1_clear(&near);
    load = (struct load){0};
    pair_again(sound);
}

static latch_status get(rig *r, const latch_cache *cache, latch_json *out) { return latch_cache_get(&r->cx, cache, LATCH_STR("tea"), out); }
static latch_status set(rig *r, const latch_cache *cache, int64_t n) {
    return latch_cache_set(&r->cx, cache, LATCH_STR("tea"), latch_object(&r->cx, "n", n));
}
static bool says(latch_json v, const char *text) { return latch_str_eq(latch_text(v), latch_str_of(text)); }

/* ── the front ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void gives_again_without_a_request(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(set(&bob, &far, 1), LATCH_OK);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(set(&bob, &far, 2), LATCH_OK);
    rig_pass(&world, 1999);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    assert_int_equal(ann.requests, 1);
    rig_pass(&world, 1);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":2}"));
    assert_int_equal(ann.requests, 2);
    const latch_cache_l1_stats stats = latch_cache_l1_look(&near);
    assert_int_equal(stats.entries, 1);
    assert_in_range(stats.hits, 1, UINT32_MAX);
    assert_in_range(stats.misses, 2, UINT32_MAX);
}

/* An age is what either clock says: wall time that was set back keeps nothing. */
static void counts_its_age_by_the_clock_that_says_more(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &prices, 1), LATCH_OK);
    assert_int_equal(set(&bob, &far, 2), LATCH_OK);
    rig_pass(&world, 2000);
    ann.ahead_us = -3000000;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":2}"));
}

static void shows_its_own_writes_at_once(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &prices, 1), LATCH_OK);
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    assert_int_equal(bob.requests, 0);
    assert_int_equal(
        latch_cache_set_tagged(&ann.cx, &prices, LATCH_STR("tea"), latch_object(&ann.cx, "n", latch_int(2)), &LATCH_STR("hot"), 1),
        LATCH_OK);
    assert_int_equal(get(&bob, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":2}"));
    assert_int_equal(bob.requests, 0);
    uint64_t removed;
    assert_int_equal(latch_cache_invalidate_by_tag(&ann.cx, &prices, LATCH_STR("hot"), &removed), LATCH_OK);
    assert_int_equal(get(&bob, &prices, &v), LATCH_MISSING);
    assert_int_equal(set(&ann, &prices, 3), LATCH_OK);
    assert_int_equal(latch_cache_delete(&ann.cx, &prices, LATCH_STR("tea")), LATCH_OK);
    assert_int_equal(get(&bob, &prices, &v), LATCH_MISSING);
    assert_int_equal(set(&ann, &prices, 4), LATCH_OK);
    latch_swept swept;
    assert_int_equal(latch_cache_clear(&ann.cx, &prices, &(latch_sweep){.all = true}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(get(&bob, &prices, &v), LATCH_MISSING);
}

static void keeps_nothing_past_its_time_to_live(void **state) {
    static const latch_cache brief = {.name = "price", .ttl_ms = 1000, .l1 = &near};
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &brief, 1), LATCH_OK);
    rig_pass(&world, 999);
    assert_int_equal(get(&ann, &brief, &v), LATCH_OK);
    rig_pass(&world, 1);
    assert_int_equal(get(&ann, &brief, &v), LATCH_MISSING);
}

static void keeps_what_is_known_to_be_missing(void **state) {
    static const latch_cache remembering = {.name = "price", .l1 = &near, .load = load_price, .missing_ttl_ms = 60000};
    latch_json v;
    (void)state;
    load.ends = LATCH_MISSING;
    assert_int_equal(get(&ann, &remembering, &v), LATCH_MISSING);
    assert_int_equal(get(&bob, &remembering, &v), LATCH_MISSING);
    assert_int_equal(bob.requests, 0);
    assert_int_equal(load.runs, 1);
}

static void keeps_what_was_not_written_alone(void **state) {
    static const fault rows[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, NOT_SENT, FAILS_THROTTLED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        begin_again();
        assert_int_equal(set(&ann, &prices, 1), LATCH_OK);
        rig_again(&ann, 0);
        ann.faults[0] = rows[i];
        assert_int_not_equal(set(&ann, &prices, 2), LATCH_OK);
        assert_int_equal(get(&ann, &prices, &v), LATCH_OK); /* what the table has, which is not known here */
        assert_int_equal(ann.requests, 2);
        assert_true(says(v, rows[i] == LOST_AFTER ? "{\"n\":2}" : "{\"n\":1}"));
    }
}

/* What bob does while ann's read is under way: his request arrives behind hers, so that she brings what was there before. */
static latch_status (*bob_does)(void);

static void bob_writes(void *arg) {
    (void)arg;
    ann.before = NULL;
    bob.faults[0] = LATE;
    assert_int_not_equal(bob_does(), LATCH_OK);
}

static latch_status bob_deletes(void) { return latch_cache_delete(&bob.cx, &prices, LATCH_STR("tea")); }
static latch_status bob_sets(void) { return set(&bob, &prices, 7); }
static latch_status bob_clears(void) {
    latch_cache_l1_clear(&near);
    return LATCH_BUSY;
}

/* False: it gives what was there before bob's write, though that was made by this process. */
static bool keeps_only_what_is_unwritten(latch_status (*does)(void), const latch_l1_calls *calls) {
    latch_json v;
    begin_again();
    near.calls = calls;
    assert_int_equal(set(&bob, &far, 1), LATCH_OK);
    rig_again(&bob, 0);
    bob_does = does;
    ann.before = bob_writes;
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    rig_deliver(&bob);
    size_t before = ann.requests;
    latch_status status = get(&ann, &prices, &v);
    if (does == bob_sets) assert_int_equal(status, LATCH_OK);
    near.calls = &latch_cache_l1_calls;
    return ann.requests > before;
}

static void is_filled_only_by_what_was_not_written_since(void **state) {
    static latch_status (*const rows[])(void) = {bob_deletes, bob_sets, bob_clears};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(keeps_only_what_is_unwritten(rows[i], &latch_cache_l1_calls));
        assert_false(keeps_only_what_is_unwritten(rows[i], &broken));
    }
}

/* Two writes of one key at once, whichever ends first: which was the last isn't known here. Nor is what a read brings meanwhile. */
static void keeps_neither_of_two_overlapping_writes(void **state) {
    const latch_str pk = LATCH_STR(PK);
    const latch_l1_value values[] = {{LATCH_STR("1"), 0}, {LATCH_STR("2"), 0}, {LATCH_STR("3"), 0}};
    latch_str text;
    (void)state;
    for (size_t last = 0; last < 2; last++) {
        const uint64_t stamps[] = {near.calls->writing(&near, pk), near.calls->writing(&near, pk)};
        uint64_t read = near.calls->reading(&near, pk);
        near.calls->wrote(&near, &ann.cx, pk, stamps[1 - last], &values[1 - last]);
        near.calls->fill(&near, &ann.cx, pk, read, &values[2]);
        assert_false(near.calls->get(&near, &ann.cx, pk, &text));
        near.calls->wrote(&near, &ann.cx, pk, stamps[last], &values[last]);
        assert_false(near.calls->get(&near, &ann.cx, pk, &text));
        near.calls->wrote(&near, &ann.cx, pk, near.calls->writing(&near, pk), &values[2]);
        assert_true(near.calls->get(&near, &ann.cx, pk, &text));
        assert_true(latch_str_eq(text, LATCH_STR("3")));
    }
}

static bool is_kept(int i) {
    char key[16];
    latch_str text;
    snprintf(key, sizeof key, "k%d", i);
    return near.calls->get(&near, &ann.cx, latch_str_of(key), &text);
}

static void keep_one(int i, size_t bytes) {
    static char value[70000];
    char key[16];
    memset(value, 'x', sizeof value);
    snprintf(key, sizeof key, "k%d", i);
    const latch_str pk = latch_str_of(key);
    near.calls->fill(&near, &ann.cx, pk, near.calls->reading(&near, pk), &(latch_l1_value){{value, bytes}, 0});
}

static void stays_within_its_bytes(void **state) {
    (void)state;
    uint64_t evicted = latch_cache_l1_look(&near).evicted;
    for (int i = 0; i < 1000; i++) {
        keep_one(i, 1000);
        if (i > 0) assert_true(is_kept(0)); /* what is used stays */
        const latch_cache_l1_stats stats = latch_cache_l1_look(&near);
        assert_true(stats.bytes <= 65536);
        assert_int_equal(i + 1, stats.entries + (stats.evicted - evicted));
    }
    latch_cache_l1_stats stats = latch_cache_l1_look(&near);
    assert_true(stats.bytes > 65536 - 2000);
    assert_in_range(stats.entries, 50, 64);
    for (int i = 999; i > 950; i--)
        assert_true(is_kept(i));
    assert_false(is_kept(900)); /* used longest ago */
    keep_one(2000, 66000);      /* more than it may have: all else stays */
    assert_false(is_kept(2000));
    assert_int_equal(latch_cache_l1_look(&near).entries, stats.entries);
    rig_again(&ann, 64);
    assert_false(is_kept(999)); /* no room in the arena: a miss */
    latch_cache_l1_clear(&near);
    assert_int_equal(latch_cache_l1_look(&near).entries, 0);
    assert_true(latch_cache_l1_look(&near).bytes < 8192);
}

/* ── stale values ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_cache lasting = {.name = "price", .load = load_price, .ttl_ms = 10000, .stale_ms = 30000};
static latch_status bobs_status;
static latch_json bobs_value;

static void bob_gets(void) { bobs_status = get(&bob, &lasting, &bobs_value); }

static void gives_what_is_stale_while_one_loads(void **state) {
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &lasting, 1), LATCH_OK);
    assert_int_equal(rig_number(&world, PK, PK, "staleAt"), T0 / 1000 + 10);
    assert_int_equal(rig_number(&world, PK, PK, "ttl"), T0 / 1000 + 40);
    rig_pass(&world, 9999);
    assert_int_equal(get(&ann, &lasting, &v), LATCH_OK);
    assert_int_equal(load.runs, 0);
    rig_pass(&world, 1);
    rig_again(&ann, 0);
    load.meanwhile = bob_gets;
    assert_int_equal(get(&ann, &lasting, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":101}"));
    assert_int_equal(ann.requests, 5);
    assert_int_equal(bobs_status, LATCH_OK);
    assert_true(says(bobs_value, "{\"n\":1}"));
    assert_int_equal(bob.requests, 2);
    assert_int_equal(bob.slept_ms, 0);
    assert_int_equal(load.runs, 1);
    assert_int_equal(get(&bob, &lasting, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":101}"));
}

static void gives_what_is_stale_where_the_load_fails(void **state) {
    static const struct {
        latch_status ends;
        int64_t after_ms;
        latch_status status;
        bool stale;
    } rows[] = {
        {LATCH_E_HANDLER, 10000, LATCH_OK, true},         {LATCH_LIMITED, 39999, LATCH_OK, true},
        {LATCH_E_HANDLER, 40000, LATCH_E_HANDLER, false}, {LATCH_MISSING, 10000, LATCH_MISSING, false},
        {LATCH_E_NETWORK, 10000, LATCH_OK, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json v;
        begin_again();
        assert_int_equal(set(&ann, &lasting, 1), LATCH_OK);
        rig_pass(&world, rows[i].after_ms);
        load.ends = rows[i].ends;
        assert_int_equal(get(&ann, &lasting, &v), rows[i].status);
        assert_int_equal(v.node != NULL, rows[i].stale);
        if (rows[i].stale) assert_true(says(v, "{\"n\":1}"));
        assert_int_equal(load.runs, 1);
        load.ends = LATCH_OK;
        assert_int_equal(get(&ann, &lasting, &v), LATCH_OK); /* the next one loads again */
        assert_true(says(v, "{\"n\":102}"));
    }
}

static void is_a_miss_to_who_wants_nothing_stale(void **state) {
    static const latch_cache loads = {.name = "price", .load = load_price};
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &lasting, 1), LATCH_OK);
    rig_pass(&world, 10000);
    assert_int_equal(get(&ann, &far, &v), LATCH_MISSING);
    latch_cache_entry entry;
    assert_int_equal(latch_cache_get_many(&ann.cx, &lasting, &LATCH_STR("tea"), 1, &entry), LATCH_OK);
    assert_int_equal(entry.status, LATCH_MISSING);
    assert_int_equal(get(&ann, &loads, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":101}"));
}

/* While it loads, another stores something newer, which stays. */
static void bob_sets_newer(void) { assert_int_equal(set(&bob, &lasting, 7), LATCH_OK); }

static void replaces_only_the_stale_value_it_saw(void **state) {
    static const rig_twin overwrites = {"#createdAt = :created)", "#createdAt = :created) OR attribute_exists(#pk)"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        latch_json v;
        begin_again();
        world.twin = i == 0 ? sound : overwrites;
        assert_int_equal(set(&ann, &lasting, 1), LATCH_OK);
        rig_pass(&world, 10000);
        load.meanwhile = bob_sets_newer;
        assert_int_equal(get(&ann, &lasting, &v), LATCH_OK);
        assert_int_equal(rig_has_text(&world, PK, PK, "value", "{\"n\":7}"), i == 0);
        assert_int_equal(world.twisted > 0, i == 1);
    }
}

/* In npm's table it has expired by its ttl, and is stale while it is still there. */
static void is_stale_in_npms_table_while_it_is_there(void **state) {
    static const latch_cache shared = {.name = "price", .load = load_price, .ttl_ms = 10000, .stale_ms = 30000, .toolkit_table = "latch"};
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &shared, 1), LATCH_OK);
    assert_int_equal(rig_number(&world, "CACHE#tea", "CACHE#tea", "ttl"), T0 / 1000 + 10);
    assert_false(rig_has(&world, "CACHE#tea", "CACHE#tea", "staleAt"));
    rig_pass(&world, 39999);
    load.ends = LATCH_E_HANDLER;
    assert_int_equal(get(&ann, &shared, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":1}"));
    rig_pass(&world, 1);
    assert_int_equal(get(&ann, &shared, &v), LATCH_E_HANDLER);
}

/* ── many keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void gets_many_in_their_order(void **state) {
    const latch_str keys[] = {LATCH_STR("tea"),  LATCH_STR("none"), LATCH_STR("old"),     LATCH_STR("tea"),   LATCH_STR("broken"),
                              LATCH_STR("text"), LATCH_STR("half"), LATCH_STR("missing"), LATCH_STR("passed")};
    static const char *const wants[] = {"{\"n\":1}", NULL, NULL, "{\"n\":1}", NULL, NULL, "2", NULL, NULL};
    static const char *const items[][2] = {
        {"old", ",\"value\":{\"S\":\"2\"},\"ttl\":{\"N\":\"1767225600\"}"},
        {"broken", ",\"value\":{\"S\":\"{\"},\"ttl\":{\"N\":\"0\"}"},
        {"text", ",\"value\":{\"N\":\"2\"},\"ttl\":{\"N\":\"0\"}"},
        {"half", ",\"value\":{\"S\":\"2\"},\"ttl\":{\"N\":\"1767225600.5\"}"},
        {"missing", ",\"value\":{\"S\":\"__UNDEFINED__\"},\"ttl\":{\"N\":\"0\"}"},
        {"passed", ",\"value\":{\"S\":\"2\"},\"ttl\":{\"N\":\"1767225599.5\"}"},
    };
    latch_cache_entry entries[COUNT_OF(keys)];
    (void)state;
    assert_int_equal(set(&bob, &far, 1), LATCH_OK);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        char item[256];
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"CACHE#price#%s\"},\"sk\":{\"S\":\"CACHE#price#%s\"}%s}", items[i][0], items[i][0],
                 items[i][1]);
        rig_put(&world, item);
    }
    assert_int_equal(latch_cache_get_many(&ann.cx, &prices, keys, COUNT_OF(keys), entries), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        latch_json one;
        assert_int_equal(entries[i].status, wants[i] != NULL ? LATCH_OK : LATCH_MISSING);
        assert_int_equal(entries[i].value.node != NULL, wants[i] != NULL);
        if (wants[i] != NULL) assert_true(says(entries[i].value, wants[i]));
        assert_int_equal(latch_cache_get(&bob.cx, &far, keys[i], &one), entries[i].status); /* as one by one */
    }
    rig_again(&ann, 0);
    assert_int_equal(latch_cache_get_many(&ann.cx, &prices, keys, 1, entries), LATCH_OK);
    assert_true(says(entries[0].value, "{\"n\":1}"));
    assert_int_equal(ann.requests, 0); /* the front was filled */
}

static void gets_a_hundred_by_a_request(void **state) {
    static const struct { size_t keys, requests; } rows[] = {{0, 0}, {1, 1}, {100, 1}, {101, 2}, {250, 3}};
    static char texts[250][8];
    latch_str keys[250];
    latch_cache_entry entries[250];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        snprintf(texts[i], sizeof texts[i], "k%zu", i);
        keys[i] = latch_str_of(texts[i]);
        if (i % 50 == 0) assert_int_equal(latch_cache_set(&bob.cx, &far, keys[i], latch_object(&bob.cx, "i", i)), LATCH_OK);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_again(&ann, 0);
        assert_int_equal(latch_cache_get_many(&ann.cx, &far, keys, rows[i].keys, entries), LATCH_OK);
        assert_int_equal(ann.requests, rows[i].requests);
        for (size_t k = 0; k < rows[i].keys; k++)
            assert_int_equal(entries[k].status, k % 50 == 0 ? LATCH_OK : LATCH_MISSING);
    }
    rig_again(&ann, 0);
    ann.faults[0] = NOT_SENT;
    assert_int_equal(latch_cache_get_many(&ann.cx, &far, keys, 2, entries), LATCH_E_NETWORK);
    assert_int_equal(entries[0].status, LATCH_MISSING);
    keys[1] = LATCH_STR("");
    rig_again(&ann, 0);
    assert_int_equal(latch_cache_get_many(&ann.cx, &far, keys, 2, entries), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
}

/* ── the whole table ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void counts_clears_and_cleans_up(void **state) {
    static const latch_cache brief = {.name = "price", .ttl_ms = 1000}, others = {.name = "prices"};
    latch_cache_stats stats;
    latch_swept swept;
    latch_json v;
    (void)state;
    assert_int_equal(latch_cache_set_tagged(&ann.cx, &prices, LATCH_STR("tea#a"), LATCH_NULL, &LATCH_STR("hot"), 1), LATCH_OK);
    assert_int_equal(set(&ann, &prices, 1), LATCH_OK);
    assert_int_equal(set(&ann, &others, 1), LATCH_OK);
    assert_int_equal(latch_cache_set(&ann.cx, &brief, LATCH_STR("mate"), LATCH_NULL), LATCH_OK);
    rig_pass(&world, 1000);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_int_equal(latch_cache_stats_of(&ann.cx, &prices, &(latch_sweep){.all = true}, &stats), LATCH_OK);
    assert_int_equal(stats.table.items, 3); /* tags aren't entries */
    assert_int_equal(stats.table.expired, 1);
    assert_true(stats.table.bytes > 150 && stats.table.bytes < 600);
    assert_int_equal(stats.l1.entries, 2);
    assert_true(stats.l1.hits > 0);
    rig_pass(&world, 5000);
    assert_int_equal(latch_cache_cleanup(&ann.cx, &prices, &(latch_sweep){.all = true}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(latch_cache_clear(&ann.cx, &prices, &(latch_sweep){.scope = LATCH_STR("tea#")}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(latch_cache_l1_look(&near).entries, 0);
    assert_int_equal(get(&ann, &prices, &v), LATCH_OK);
    assert_int_equal(latch_cache_clear(&ann.cx, &prices, &(latch_sweep){.all = true}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 2); /* tea, and the tag that was left */
    assert_int_equal(get(&ann, &prices, &v), LATCH_MISSING);
    assert_int_equal(get(&ann, &others, &v), LATCH_OK);
    rig_again(&ann, 0);
    assert_int_equal(latch_cache_clear(&ann.cx, &prices, &(latch_sweep){0}, &swept), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

static void holds_to_its_own_bound_of_bytes(void **state) {
    static const latch_cache small = {.name = "price", .max_entry_bytes = 8}, large = {.name = "price", .max_entry_bytes = 399361};
    latch_json v;
    (void)state;
    assert_int_equal(set(&ann, &small, 11), LATCH_OK); /* {"n":11} */
    assert_int_equal(set(&ann, &small, 111), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "CACHE#price#tea: the value has 9 bytes, want at most 8: it is not cached");
    assert_int_equal(get(&ann, &small, &v), LATCH_OK);
    assert_true(says(v, "{\"n\":11}"));
    assert_int_equal(set(&ann, &large, 1), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "cache price: .max_entry_bytes is 399361, want at most 399360");
    assert_int_equal(ann.requests, 2);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(gives_again_without_a_request),
    ROW(counts_its_age_by_the_clock_that_says_more),
    ROW(shows_its_own_writes_at_once),
    ROW(keeps_nothing_past_its_time_to_live),
    ROW(keeps_what_is_known_to_be_missing),
    ROW(keeps_what_was_not_written_alone),
    ROW(is_filled_only_by_what_was_not_written_since),
    ROW(keeps_neither_of_two_overlapping_writes),
    ROW(stays_within_its_bytes),
    ROW(gives_what_is_stale_while_one_loads),
    ROW(gives_what_is_stale_where_the_load_fails),
    ROW(is_a_miss_to_who_wants_nothing_stale),
    ROW(replaces_only_the_stale_value_it_saw),
    ROW(is_stale_in_npms_table_while_it_is_there),
    ROW(gets_many_in_their_order),
    ROW(gets_a_hundred_by_a_request),
    ROW(counts_clears_and_cleans_up),
    ROW(holds_to_its_own_bound_of_bytes),
};

CHECK_MAIN(tests)

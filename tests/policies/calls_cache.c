#include <stdio.h>
#include <stdlib.h>

#include "core/ctx.h"
#include "store/cache.h"
#include "tests/policies/calls.h"

#define LEASE_MS INT64_C(30000)
#define TTL_MS LATCH_MINUTE_MS
#define MANY 30

static latch_status load(latch_ctx *cx, latch_work *work) {
    work->result = latch_object(cx, "name", "tea");
    return LATCH_OK;
}

static latch_cache_l1 near = LATCH_CACHE_L1(.max_age_ms = LATCH_HOUR_MS);
static const latch_cache plain = {.name = "p", .ttl_ms = TTL_MS}, strong = {.name = "p", .strong = true},
                         loading = {.name = "p", .load = load}, fronted = {.name = "p", .l1 = &near},
                         stale = {.name = "p", .load = load, .ttl_ms = TTL_MS, .stale_ms = LATCH_HOUR_MS},
                         strict = {.name = "p", .load = load, .strict = LATCH_CACHE_STRICT};

static latch_status get(rig *r, const latch_cache *policy) {
    latch_json v;
    return latch_cache_get(&r->cx, policy, key, &v);
}

static latch_status cache_get(rig *r) { return get(r, &plain); }
static latch_status cache_get_strong(rig *r) { return get(r, &strong); }
static latch_status cache_get_near(rig *r) { return get(r, &fronted); }
static latch_status cache_get_loading(rig *r) { return get(r, &loading); }
static latch_status cache_get_stale(rig *r) { return get(r, &stale); }
static latch_status cache_get_strict(rig *r) { return get(r, &strict); }
static latch_status cache_set(rig *r) { return latch_cache_set(&r->cx, &plain, key, some(r, "tea")); }
static latch_status cache_delete(rig *r) { return latch_cache_delete(&r->cx, &plain, key); }
static latch_status cache_delete_strict(rig *r) { return latch_cache_delete(&r->cx, &strict, key); }

static latch_status bob_caches(void) { return cache_set(bob); }
static latch_status bob_caches_near(void) { return latch_cache_set(&bob->cx, &fronted, key, some(bob, "tea")); }

/* The job of whoever loads, as it is in the table: no call of the public ones makes it without the load. */
static void plant_job(const char *status) {
    char item[512];
    long long deadline_ms = (long long)rig_now_ms(bob->world) + LEASE_MS;
    snprintf(item, sizeof item,
             "{\"pk\":{\"S\":\"DEDUPE#CACHE#p#%.*s\"},\"sk\":{\"S\":\"DEDUPE#CACHE#p#%.*s\"},\"jobId\":{\"S\":\"bob\"},\"status\":{\"S\":"
             "\"%s\"},"
             "\"result\":{\"S\":\"__NULL__\"},\"error\":{\"NULL\":true},\"createdAt\":{\"N\":\"1\"},\"updatedAt\":{\"N\":\"1\"},"
             "\"deadlineAt\":{\"N\":\"%lld\"},\"ttl\":{\"N\":\"%lld\"}}",
             LATCH_ARG(key), LATCH_ARG(key), status, deadline_ms, deadline_ms / 1000 + 60);
    rig_put(bob->world, item);
}

static latch_status bob_loads(void) {
    plant_job("pending");
    return LATCH_OK;
}

static void bob_has_loaded(void) {
    need(bob, bob_caches());
    plant_job("completed");
}

static latch_status it_expired(void) {
    LATCH_TRY(latch_cache_set(&bob->cx, &stale, key, some(bob, "tea")));
    rig_pass(bob->world, TTL_MS + LATCH_MINUTE_MS);
    return LATCH_OK;
}

static latch_status it_expired_and_bob_loads(void) {
    LATCH_TRY(it_expired());
    return bob_loads();
}

/* ── many ── */

static latch_status bob_caches_many(void) {
    for (int i = 0; i < MANY; i++)
        LATCH_TRY(latch_cache_set(&bob->cx, &plain, numbered(bob, i), some(bob, "tea")));
    return LATCH_OK;
}

static latch_status cache_get_many(rig *r) {
    latch_str keys[MANY];
    latch_cache_entry entries[MANY];
    for (int i = 0; i < MANY; i++)
        keys[i] = numbered(r, i);
    return latch_cache_get_many(&r->cx, &plain, keys, MANY, entries);
}

/* ── tags ── */

static latch_status set_tagged(rig *r, const latch_cache *policy, int number) {
    const latch_str tags[] = {numbered(r, -1), numbered(r, -2)};
    return latch_cache_set_tagged(&r->cx, policy, numbered(r, number), some(r, "tea"), tags, 2);
}

static latch_status cache_set_tagged(rig *r) { return set_tagged(r, &plain, 0); }

static latch_status bob_tags_two(void) {
    LATCH_TRY(set_tagged(bob, &plain, 0));
    return set_tagged(bob, &plain, 1);
}

static latch_status cache_invalidate_by_tag(rig *r) {
    uint64_t removed;
    LATCH_TRY(latch_cache_invalidate_by_tag(&r->cx, &plain, numbered(r, -1), &removed));
    return removed == 2 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status cache_invalidate_by_tag_strict(rig *r) {
    uint64_t removed;
    return latch_cache_invalidate_by_tag(&r->cx, &strict, numbered(r, -1), &removed);
}

static latch_status cache_invalidate_by_tag_unused(rig *r) {
    uint64_t removed;
    return latch_cache_invalidate_by_tag(&r->cx, &plain, numbered(r, -1), &removed);
}

static latch_status bob_tags_one_and_deletes(void) {
    LATCH_TRY(set_tagged(bob, &plain, 0));
    LATCH_TRY(set_tagged(bob, &plain, 1));
    return latch_cache_delete(&bob->cx, &plain, numbered(bob, 0));
}

static latch_status cache_invalidate_by_tag_moved(rig *r) {
    uint64_t removed;
    LATCH_TRY(latch_cache_invalidate_by_tag(&r->cx, &plain, numbered(r, -1), &removed));
    return removed == 1 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status cache_invalidate_by_tags(rig *r) {
    uint64_t removed;
    const latch_str tags[] = {numbered(r, -1), numbered(r, -2)};
    LATCH_TRY(latch_cache_invalidate_by_tags(&r->cx, &plain, tags, 2, &removed));
    return removed == 2 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status bob_tags_one_each(void) {
    for (int i = 0; i < 2; i++) {
        const latch_str tag = numbered(bob, i - 2);
        LATCH_TRY(latch_cache_set_tagged(&bob->cx, &plain, numbered(bob, i), some(bob, "tea"), &tag, 1));
    }
    return LATCH_OK;
}

/* ── the whole table ── */

static latch_status bob_caches_three(void) {
    for (int i = 0; i < 3; i++)
        LATCH_TRY(latch_cache_set(&bob->cx, &plain, numbered(bob, i), some(bob, "tea")));
    rig_pass(bob->world, TTL_MS + LATCH_MINUTE_MS); /* these have expired */
    return LATCH_OK;
}

static latch_status cache_clear(rig *r) {
    latch_swept swept;
    return latch_cache_clear(&r->cx, &plain, &all_of_it, &swept);
}

static latch_status cache_cleanup(rig *r) {
    latch_swept swept;
    LATCH_TRY(latch_cache_cleanup(&r->cx, &plain, &all_of_it, &swept));
    return swept.removed == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status cache_stats_of(rig *r) {
    latch_cache_stats stats;
    return latch_cache_stats_of(&r->cx, &plain, &all_of_it, &stats);
}

#define LOADS .grant = "latch_cache_get with `.load`"
#define IS_STRICT .local_counts_otherwise = true

const play cache_plays[] = {
    {CALL(cache_get, "a hit"), .prepare = bob_caches, .go = cache_get},
    {CALL(cache_get, "a hit, `.strong`"), .prepare = bob_caches, .go = cache_get_strong},
    {CALL(cache_get, "a hit in `.l1`"), .prepare = bob_caches_near, .go = cache_get_near},
    {CALL(cache_get, "a miss"), .go = cache_get, .wants = LATCH_MISSING},
    {CALL(cache_get, "a miss, and you load"), LOADS, .go = cache_get_loading},
    {CALL(cache_get, "a miss, and another loads, and is done within a pause"), LOADS, .prepare = bob_loads, .go = cache_get_loading,
     .meanwhile = bob_has_loaded, .at = 3},
    {CALL(cache_get, "stale, and you load"), LOADS, .prepare = it_expired, .go = cache_get_stale},
    {CALL(cache_get, "stale, and another loads: you get what is stale"), LOADS, .prepare = it_expired_and_bob_loads, .go = cache_get_stale},
    {CALL(cache_get, "a miss, and you load, `.strict`"), .grant = "latch_cache_get with `.load` and `.strict`", .go = cache_get_strict,
     IS_STRICT},
    {CALL(cache_set, "always"), .go = cache_set},
    {CALL(cache_delete, "always"), .go = cache_delete},
    {CALL(cache_delete, "`.strict`"), .grant = "latch_cache_delete with `.strict`", .go = cache_delete_strict, IS_STRICT},
    {CALL(cache_get_many, "30 keys"), .prepare = bob_caches_many, .go = cache_get_many},
    {CALL(cache_set_tagged, "2 tags"), .go = cache_set_tagged, .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tag, "there is nothing"), .go = cache_invalidate_by_tag_unused, .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tag, "2 entries"), .prepare = bob_tags_two, .go = cache_invalidate_by_tag, .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tag, "2 entries, one of them deleted before"), .prepare = bob_tags_one_and_deletes,
     .go = cache_invalidate_by_tag_moved, .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tag, "2 entries, `.strict`"), .grant = "latch_cache_invalidate_by_tag with `.strict`",
     .prepare = bob_tags_two, .go = cache_invalidate_by_tag_strict, .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tags, "2 tags with 1 entry each"), .prepare = bob_tags_one_each, .go = cache_invalidate_by_tags,
     .local_counts_otherwise = true},
    {CALL(cache_invalidate_by_tags, "2 entries with both of 2 tags"), .prepare = bob_tags_two, .go = cache_invalidate_by_tags,
     .local_counts_otherwise = true},
    {CALL(cache_clear, SMALL_TABLE), .own_table = true, .prepare = bob_caches_three, .go = cache_clear},
    {CALL(cache_cleanup, SMALL_TABLE), .own_table = true, .prepare = bob_caches_three, .go = cache_cleanup},
    {CALL(cache_stats_of, SMALL_TABLE), .own_table = true, .prepare = bob_caches_three, .go = cache_stats_of},
    {0},
};

#include "core/ctx.h"
#include "store/counter.h"
#include "store/kv.h"
#include "store/pkv.h"
#include "store/sets.h"
#include "tests/policies/calls.h"

#define MANY 30

/* ── kv ── */

static const latch_kv profiles = {.name = "k"}, eventual = {.name = "k", .eventual = true};

static latch_status kv_set(rig *r) { return latch_kv_set(&r->cx, &profiles, key, some(r, "tea")); }
static latch_status bob_sets(void) { return kv_set(bob); }
static latch_status kv_delete(rig *r) { return latch_kv_delete(&r->cx, &profiles, key); }

static latch_status kv_get(rig *r) {
    latch_json v;
    return latch_kv_get(&r->cx, &profiles, key, &v);
}

static latch_status kv_get_eventual(rig *r) {
    latch_json v;
    return latch_kv_get(&r->cx, &eventual, key, &v);
}

static latch_status set_some(rig *r, int count) {
    latch_kv_pair pairs[MANY];
    latch_dynamodb_written written;
    for (int i = 0; i < count; i++)
        pairs[i] = (latch_kv_pair){numbered(r, i), some(r, "tea")};
    return latch_kv_set_batch(&r->cx, &profiles, pairs, (size_t)count, &written);
}

static latch_status kv_set_batch(rig *r) { return set_some(r, MANY); }
static latch_status bob_sets_many(void) { return set_some(bob, MANY); }
static latch_status bob_sets_three(void) { return set_some(bob, 3); }

static latch_status kv_get_batch(rig *r) {
    latch_str keys[MANY];
    latch_kv_entry entries[MANY];
    for (int i = 0; i < MANY; i++)
        keys[i] = numbered(r, i);
    return latch_kv_get_batch(&r->cx, &profiles, keys, MANY, entries);
}

static latch_status kv_list(rig *r) {
    latch_kv_page page;
    LATCH_TRY(latch_kv_list(&r->cx, &profiles, &(latch_kv_list_request){0}, &page));
    return page.count == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status ignore_page(latch_ctx *cx, void *arg, const latch_kv_entry *entries, size_t count) {
    (void)cx, (void)arg, (void)entries, (void)count;
    return LATCH_OK;
}

static latch_status kv_stream(rig *r) {
    uint64_t seen;
    LATCH_TRY(latch_kv_stream(&r->cx, &profiles, &(latch_kv_stream_request){0}, ignore_page, NULL, &seen));
    return seen == 3 ? LATCH_OK : LATCH_E_DATA;
}

const play kv_plays[] = {
    {CALL(kv_get, "always"), .prepare = bob_sets, .go = kv_get},
    {CALL(kv_get, "`.eventual`"), .prepare = bob_sets, .go = kv_get_eventual},
    {CALL(kv_get_batch, "30 keys"), .prepare = bob_sets_many, .go = kv_get_batch},
    {CALL(kv_set, "always"), .go = kv_set},
    {CALL(kv_set_batch, "30 values"), .go = kv_set_batch},
    {CALL(kv_delete, "always"), .prepare = bob_sets, .go = kv_delete},
    {CALL(kv_list, SMALL_TABLE), .own_table = true, .prepare = bob_sets_three, .go = kv_list},
    {CALL(kv_stream, SMALL_TABLE), .own_table = true, .prepare = bob_sets_three, .go = kv_stream},
    {0},
};

/* ── pkv ── */

static const latch_pkv carts = {.name = "c"};

static latch_pkv_key at(const char *sort) { return latch_pkv_at(key, latch_str_of(sort)); }

static latch_status pkv_set(rig *r) { return latch_pkv_set(&r->cx, &carts, at("tea"), some(r, "tea")); }
static latch_status pkv_set_if_not_exists(rig *r) { return latch_pkv_set_if_not_exists(&r->cx, &carts, at("tea"), some(r, "tea")); }
static latch_status pkv_delete(rig *r) { return latch_pkv_delete(&r->cx, &carts, at("tea")); }
static latch_status bob_fills(void) { return pkv_set(bob); }

static latch_status pkv_get(rig *r) {
    latch_json v;
    return latch_pkv_get(&r->cx, &carts, at("tea"), &v);
}

static latch_status pkv_exists(rig *r) {
    bool is;
    return latch_pkv_exists(&r->cx, &carts, at("tea"), &is);
}

static latch_status fill(rig *r, int count) {
    latch_pkv_pair pairs[MANY];
    latch_dynamodb_written written;
    for (int i = 0; i < count; i++)
        pairs[i] = (latch_pkv_pair){latch_pkv_at(key, numbered(r, i)), some(r, "tea")};
    return latch_pkv_set_batch(&r->cx, &carts, pairs, (size_t)count, &written);
}

static latch_status pkv_set_batch(rig *r) { return fill(r, MANY); }
static latch_status bob_fills_three(void) { return fill(bob, 3); }

static latch_status pkv_list(rig *r) {
    latch_kv_page page;
    LATCH_TRY(latch_pkv_list(&r->cx, &carts, key, &(latch_pkv_list_request){0}, &page));
    return page.count == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status pkv_clear(rig *r) {
    uint64_t deleted;
    LATCH_TRY(latch_pkv_clear(&r->cx, &carts, key, &deleted));
    return deleted == 3 ? LATCH_OK : LATCH_E_DATA;
}

#define OF_THREE "3 entries, under 4 KB together"

const play pkv_plays[] = {
    {CALL(pkv_get, "always"), .prepare = bob_fills, .go = pkv_get},
    {CALL(pkv_set, "always"), .go = pkv_set},
    {CALL(pkv_set_if_not_exists, "it wasn't there"), .go = pkv_set_if_not_exists},
    {CALL(pkv_set_if_not_exists, "it was"), .prepare = bob_fills, .go = pkv_set_if_not_exists, .wants = LATCH_CONFLICT},
    {CALL(pkv_exists, "always"), .prepare = bob_fills, .go = pkv_exists},
    {CALL(pkv_delete, "always"), .prepare = bob_fills, .go = pkv_delete},
    {CALL(pkv_set_batch, "30 values"), .go = pkv_set_batch},
    {CALL(pkv_list, OF_THREE), .prepare = bob_fills_three, .go = pkv_list},
    {CALL(pkv_clear, OF_THREE), .prepare = bob_fills_three, .go = pkv_clear},
    {0},
};

/* ── sets ── */

static latch_status set_add(rig *r) {
    latch_set_change change;
    return latch_pkv_add_to_set(&r->cx, &carts, at("set"), "tea", NULL, &change);
}

static latch_status bob_adds(void) { return set_add(bob); }

static latch_status set_remove(rig *r) {
    latch_set_change change;
    return latch_pkv_remove_from_set(&r->cx, &carts, at("set"), "tea", NULL, &change);
}

static bool any(void *arg, latch_json element) {
    (void)arg, (void)element;
    return true;
}

static latch_status set_remove_if(rig *r) {
    latch_set_change change;
    return latch_pkv_remove_from_set_if(&r->cx, &carts, at("set"), any, NULL, &change);
}

static latch_status set_update(rig *r) {
    latch_set_change change;
    return latch_pkv_update_in_set(&r->cx, &carts, at("set"), "coffee", any, NULL, &change);
}

static latch_status set_exists(rig *r) {
    bool is;
    return latch_pkv_exists_in_set(&r->cx, &carts, at("set"), "tea", NULL, &is);
}

static bool came_between;

static latch_status bob_adds_and_will_again(void) {
    came_between = false;
    return bob_adds();
}

static void bob_adds_another(void) {
    latch_set_change change;
    if (came_between) return;
    came_between = true;
    need(bob, latch_pkv_add_to_set(&bob->cx, &carts, at("set"), "milk", NULL, &change));
}

const play sets_plays[] = {
    {CALL(pkv_add_to_set, "it wasn't there"), .go = set_add},
    {CALL(pkv_add_to_set, "it was"), .prepare = bob_adds, .go = set_add},
    {CALL(pkv_remove_from_set, "it was there"), .prepare = bob_adds, .go = set_remove},
    {CALL(pkv_remove_from_set, "it was there, and another comes between once"), .prepare = bob_adds_and_will_again, .go = set_remove,
     .meanwhile = bob_adds_another, .at = 2},
    {CALL(pkv_remove_from_set, "it wasn't there"), .go = set_remove},
    {CALL(pkv_remove_from_set_if, "something matches"), .prepare = bob_adds, .go = set_remove_if},
    {CALL(pkv_update_in_set, "always"), .prepare = bob_adds, .go = set_update},
    {CALL(pkv_exists_in_set, "always"), .prepare = bob_adds, .go = set_exists},
    {0},
};

/* ── counters ── */

static const latch_counter visits = {.name = "v"}, stock = {.name = "v", .has_least = true}, exact = {.name = "v", .exact = true};

static latch_str same_key(latch_ctx *cx, latch_str k) { return latch_copy(cx, k); }
static const latch_scoped_counter scoped = {.counter = &visits, .key = same_key};

static latch_status counter_add(rig *r) {
    int64_t count;
    return latch_counter_add(&r->cx, &visits, key, 2, &count);
}

static latch_status counter_add_exact(rig *r) { return latch_counter_add(&r->cx, &exact, key, 2, NULL); }

static latch_status counter_add_exact_and_tell(rig *r) {
    int64_t count;
    return latch_counter_add(&r->cx, &exact, key, 2, &count);
}

static latch_status counter_incr(rig *r) { return latch_counter_incr(&r->cx, &visits, key, 1, NULL); }
static latch_status counter_decr(rig *r) { return latch_counter_decr(&r->cx, &visits, key, 1, NULL); }
static latch_status counter_decr_bounded(rig *r) { return latch_counter_decr(&r->cx, &stock, key, 1, NULL); }
static latch_status counter_delete(rig *r) { return latch_counter_delete(&r->cx, &visits, key); }

static latch_status counter_get(rig *r) {
    latch_counted counted;
    return latch_counter_get(&r->cx, &visits, &key, 1, &counted);
}

static latch_status counter_get_many(rig *r) {
    latch_str keys[MANY];
    latch_counted counted[MANY];
    for (int i = 0; i < MANY; i++)
        keys[i] = numbered(r, i);
    return latch_counter_get(&r->cx, &visits, keys, MANY, counted);
}

/* DynamoDB Local takes no units of a batch that finds nothing. */
static latch_status bob_counts(void) { return counter_incr(bob); }

static latch_status bob_counts_many(void) {
    for (int i = 0; i < MANY; i++)
        LATCH_TRY(latch_counter_incr(&bob->cx, &visits, numbered(bob, i), 1, NULL));
    return LATCH_OK;
}

static latch_status pcounter_add(rig *r) { return latch_pcounter_add(&r->cx, &visits, at("n"), 2, NULL); }
static latch_status pcounter_incr(rig *r) { return latch_pcounter_incr(&r->cx, &visits, at("n"), 1, NULL); }
static latch_status pcounter_decr(rig *r) { return latch_pcounter_decr(&r->cx, &visits, at("n"), 1, NULL); }
static latch_status pcounter_delete(rig *r) { return latch_pcounter_delete(&r->cx, &visits, at("n")); }

static latch_status pcounter_get(rig *r) {
    latch_counted counted;
    return latch_pcounter_get(&r->cx, &visits, at("n"), &counted);
}

static latch_status scoped_inc(rig *r) { return latch_scoped_counter_inc(&r->cx, &scoped, key, 1, NULL); }
static latch_status scoped_decr(rig *r) { return latch_scoped_counter_decr(&r->cx, &scoped, key, 1, NULL); }
static latch_status scoped_reset(rig *r) { return latch_scoped_counter_reset(&r->cx, &scoped, key); }

static latch_status scoped_current(rig *r) {
    int64_t count;
    return latch_scoped_counter_current(&r->cx, &scoped, key, &count);
}

static latch_status scoped_get(rig *r) {
    latch_counted counted;
    return latch_scoped_counter_get(&r->cx, &scoped, &key, 1, &counted);
}

#define EXACT .grant = "latch_counter_add with `.exact`", .local_counts_otherwise = true

const play counter_plays[] = {
    {CALL(counter_add, "always"), .go = counter_add},
    {CALL(counter_add, "`.exact`"), EXACT, .go = counter_add_exact},
    {CALL(counter_add, "`.exact`, and you want to know what it is then"), EXACT, .go = counter_add_exact_and_tell},
    {CALL(counter_incr, "always"), .go = counter_incr},
    {CALL(counter_decr, "always"), .go = counter_decr},
    {CALL(counter_decr, "a bound is in the way"), .go = counter_decr_bounded, .wants = LATCH_LIMITED},
    {CALL(counter_get, "1 key"), .prepare = bob_counts, .go = counter_get},
    {CALL(counter_get, "30 keys"), .prepare = bob_counts_many, .go = counter_get_many},
    {CALL(counter_delete, "always"), .go = counter_delete},
    {CALL(pcounter_add, "always"), .go = pcounter_add},
    {CALL(pcounter_incr, "always"), .go = pcounter_incr},
    {CALL(pcounter_decr, "always"), .go = pcounter_decr},
    {CALL(pcounter_get, "always"), .go = pcounter_get},
    {CALL(pcounter_delete, "always"), .go = pcounter_delete},
    {CALL(scoped_counter_inc, "always"), .go = scoped_inc},
    {CALL(scoped_counter_decr, "always"), .go = scoped_decr},
    {CALL(scoped_counter_current, "always"), .prepare = bob_counts, .go = scoped_current},
    {CALL(scoped_counter_get, "1 key"), .prepare = bob_counts, .go = scoped_get},
    {CALL(scoped_counter_reset, "always"), .go = scoped_reset},
    {0},
};

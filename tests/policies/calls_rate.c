#include <stdio.h>

#include "core/ctx.h"
#include "store/adaptive.h"
#include "store/cooldown.h"
#include "store/rate.h"
#include "tests/policies/calls.h"

#define WINDOW_MS LATCH_MINUTE_MS

static latch_rate_state state;

static const latch_rate sliding = {.name = "r", .limit = 2, .window_ms = WINDOW_MS},
                        gcra = {.name = "r", .limit = 2, .window_ms = WINDOW_MS, .algorithm = LATCH_RATE_GCRA},
                        wide = {.name = "r", .limit = 60, .window_ms = WINDOW_MS},
                        large = {.name = "r", .limit = 1000, .window_ms = WINDOW_MS, .large = true};

static latch_status acquire(rig *r, const latch_rate *policy) { return latch_rate_acquire(&r->cx, policy, key, &state); }

static latch_status rate_acquire(rig *r) { return acquire(r, &sliding); }
static latch_status rate_acquire_gcra(rig *r) { return acquire(r, &gcra); }
static latch_status rate_acquire_large(rig *r) { return acquire(r, &large); }
static latch_status rate_acquire_n(rig *r) { return latch_rate_acquire_n(&r->cx, &wide, key, 5, &state); }
static latch_status rate_status(rig *r) { return latch_rate_status(&r->cx, &sliding, key, &state); }
static latch_status rate_record(rig *r) { return latch_rate_record(&r->cx, &sliding, key); }
static latch_status rate_reset(rig *r) { return latch_rate_reset(&r->cx, &sliding, key); }

static latch_status rate_can_proceed(rig *r) {
    bool can;
    return latch_rate_can_proceed(&r->cx, &sliding, key, &can);
}

static latch_status rate_wait_time(rig *r) {
    int64_t wait_ms;
    return latch_rate_wait_time(&r->cx, &sliding, key, &wait_ms);
}

/* ── what came before ── */

static latch_status acquire_all_of(rig *r, const latch_rate *policy) {
    for (int64_t i = 0; i < policy->limit; i++)
        LATCH_TRY(acquire(r, policy));
    return LATCH_OK;
}

static latch_status bob_takes_all(void) { return acquire_all_of(bob, &sliding); }
static latch_status bob_takes_all_by_gcra(void) { return acquire_all_of(bob, &gcra); }

static latch_status ann_is_refused(void) {
    LATCH_TRY(acquire_all_of(alice, &sliding));
    return rate_acquire(alice) == LATCH_LIMITED ? LATCH_OK : LATCH_E_DATA;
}

static latch_status bob_took_all_long_ago(void) {
    LATCH_TRY(bob_takes_all());
    rig_pass(bob->world, 2 * WINDOW_MS);
    return LATCH_OK;
}

static latch_status ann_took_all_long_ago(void) {
    LATCH_TRY(acquire_all_of(alice, &sliding));
    rig_pass(alice->world, 2 * WINDOW_MS);
    return LATCH_OK;
}

static latch_status ann_took_long_ago_by_gcra(void) {
    LATCH_TRY(acquire_all_of(alice, &gcra));
    rig_pass(alice->world, 2 * WINDOW_MS);
    return LATCH_OK;
}

/* 999 stamps, as they are in the table: as many calls would take a second. */
static latch_status plant_a_thousand(void) {
    static char item[32 * 1024];
    long long now_us = (long long)rig_now_ms(bob->world) * 1000;
    int at = snprintf(item, sizeof item, "{\"pk\":{\"S\":\"RATE#r#%.*s\"},\"sk\":{\"S\":\"RATE\"},\"ts\":{\"L\":[", LATCH_ARG(key));
    for (int i = 999; i > 0; i--)
        at += snprintf(item + at, sizeof item - (size_t)at, "%s{\"N\":\"%lld\"}", i < 999 ? "," : "", now_us - i * 1000 - 1);
    snprintf(item + at, sizeof item - (size_t)at, "]}}");
    rig_put(bob->world, item);
    return LATCH_OK;
}

/* ── the whole table ── */

static latch_status bob_takes_of_three(void) {
    for (int i = 0; i < 3; i++)
        LATCH_TRY(latch_rate_acquire(&bob->cx, &sliding, numbered(bob, i), &state));
    rig_pass(bob->world, 2 * LATCH_DAY_MS); /* these are past their time to live */
    return LATCH_OK;
}

static latch_status rate_clear(rig *r) {
    latch_swept swept;
    return latch_rate_clear(&r->cx, &sliding, &all_of_it, &swept);
}

static latch_status rate_cleanup(rig *r) {
    latch_swept swept;
    LATCH_TRY(latch_rate_cleanup(&r->cx, &sliding, &all_of_it, &swept));
    return swept.removed == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status rate_stats(rig *r) {
    latch_swept swept;
    return latch_rate_stats(&r->cx, &sliding, &all_of_it, &swept);
}

const play rate_plays[] = {
    {CALL(rate_acquire, "granted"), .go = rate_acquire},
    {CALL(rate_acquire, "refused"), .prepare = bob_takes_all, .go = rate_acquire, .wants = LATCH_LIMITED},
    {CALL(rate_acquire, "refused, and the process knows since the call before"), .prepare = ann_is_refused, .go = rate_acquire,
     .wants = LATCH_LIMITED},
    {CALL(rate_acquire, "granted, the list is full, and this process saw it last"), .prepare = ann_took_all_long_ago, .go = rate_acquire},
    {CALL(rate_acquire, "granted, the list is full, and this process didn't know"), .prepare = bob_took_all_long_ago, .go = rate_acquire},
    {CALL(rate_acquire, "granted, the 1000th of a `.large` limit"), .prepare = plant_a_thousand, .go = rate_acquire_large},
    {CALL(rate_acquire, "GCRA, granted"), .go = rate_acquire_gcra},
    {CALL(rate_acquire, "GCRA, granted after a rest"), .prepare = ann_took_long_ago_by_gcra, .go = rate_acquire_gcra},
    {CALL(rate_acquire, "GCRA, refused"), .prepare = bob_takes_all_by_gcra, .go = rate_acquire_gcra, .wants = LATCH_LIMITED},
    {CALL(rate_acquire_n, "5 of 60"), .go = rate_acquire_n},
    {CALL(rate_status, "always"), .prepare = bob_takes_all, .go = rate_status},
    {CALL(rate_can_proceed, "always"), .prepare = bob_takes_all, .go = rate_can_proceed},
    {CALL(rate_can_proceed, "a refusal is known"), .prepare = ann_is_refused, .go = rate_can_proceed},
    {CALL(rate_wait_time, "always"), .prepare = bob_takes_all, .go = rate_wait_time},
    {CALL(rate_record, "always"), .go = rate_record},
    {CALL(rate_reset, "always"), .prepare = bob_takes_all, .go = rate_reset},
    {CALL(rate_clear, SMALL_TABLE), .own_table = true, .prepare = bob_takes_of_three, .go = rate_clear},
    {CALL(rate_cleanup, SMALL_TABLE), .own_table = true, .prepare = bob_takes_of_three, .go = rate_cleanup},
    {CALL(rate_stats, SMALL_TABLE), .own_table = true, .prepare = bob_takes_of_three, .go = rate_stats},
    {0},
};

/* ── adaptive ── */

static latch_adaptive_state split;

static const latch_adaptive adaptive = {.name = "d", .limit = 10, .window_ms = LATCH_HOUR_MS},
                            narrow = {.name = "d", .limit = 1, .window_ms = LATCH_HOUR_MS, .min_user_reserved = LATCH_ADAPTIVE_NONE};

static latch_status share(rig *r, const latch_adaptive *policy, latch_priority priority) {
    return latch_adaptive_acquire(&r->cx, policy, key, priority, &split);
}

static latch_status user_acquires(rig *r) { return share(r, &adaptive, LATCH_USER); }
static latch_status background_acquires(rig *r) { return share(r, &adaptive, LATCH_BACKGROUND); }
static latch_status narrow_acquires(rig *r) { return share(r, &narrow, LATCH_USER); }
static latch_status bob_acquires(void) { return user_acquires(bob); }
static latch_status ann_acquires(void) { return user_acquires(alice); }
static latch_status bob_acquires_the_last(void) { return narrow_acquires(bob); }

static latch_status ann_acquires_twice(void) {
    LATCH_TRY(narrow_acquires(alice));
    return narrow_acquires(alice) == LATCH_LIMITED ? LATCH_OK : LATCH_E_DATA;
}

static latch_status adaptive_status(rig *r) { return latch_adaptive_status(&r->cx, &adaptive, key, LATCH_USER, &split); }
static latch_status adaptive_record(rig *r) { return latch_adaptive_record(&r->cx, &adaptive, key, LATCH_USER); }
static latch_status adaptive_reset(rig *r) { return latch_adaptive_reset(&r->cx, &adaptive, key); }

static latch_status adaptive_can_proceed(rig *r) {
    bool can;
    return latch_adaptive_can_proceed(&r->cx, &adaptive, key, LATCH_USER, &can);
}

static latch_status adaptive_wait_time(rig *r) {
    int64_t wait_ms;
    return latch_adaptive_wait_time(&r->cx, &adaptive, key, LATCH_USER, &wait_ms);
}

static latch_status bob_acquires_of_three(void) {
    for (int i = 0; i < 3; i++)
        LATCH_TRY(latch_adaptive_acquire(&bob->cx, &adaptive, numbered(bob, i), LATCH_USER, &split));
    rig_pass(bob->world, 3 * LATCH_DAY_MS); /* these are past their time to live */
    return LATCH_OK;
}

static latch_status adaptive_clear(rig *r) {
    latch_swept swept;
    return latch_adaptive_clear(&r->cx, &adaptive, &all_of_it, &swept);
}

static latch_status adaptive_cleanup(rig *r) {
    latch_swept swept;
    LATCH_TRY(latch_adaptive_cleanup(&r->cx, &adaptive, &all_of_it, &swept));
    return swept.removed == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status adaptive_stats(rig *r) {
    latch_swept swept;
    return latch_adaptive_stats(&r->cx, &adaptive, &all_of_it, &swept);
}

const play adaptive_plays[] = {
    {CALL(adaptive_acquire, "a user, granted, the first of its key"), .go = user_acquires},
    {CALL(adaptive_acquire, "a user, granted, on a key that this process knows"), .prepare = ann_acquires, .go = user_acquires},
    {CALL(adaptive_acquire, "a user, granted, on a key that this process doesn't know"), .prepare = bob_acquires, .go = user_acquires},
    {CALL(adaptive_acquire, "background, granted, on a key that this process knows"), .prepare = ann_acquires, .go = background_acquires},
    {CALL(adaptive_acquire, "background, granted, on a key that this process doesn't know"), .prepare = bob_acquires,
     .go = background_acquires},
    {CALL(adaptive_acquire, "refused"), .prepare = bob_acquires_the_last, .go = narrow_acquires, .wants = LATCH_LIMITED},
    {CALL(adaptive_acquire, "refused, and the process knows since the call before"), .prepare = ann_acquires_twice, .go = narrow_acquires,
     .wants = LATCH_LIMITED},
    {CALL(adaptive_status, "always"), .prepare = bob_acquires, .go = adaptive_status},
    {CALL(adaptive_can_proceed, "always"), .prepare = bob_acquires, .go = adaptive_can_proceed},
    {CALL(adaptive_wait_time, "always"), .prepare = bob_acquires, .go = adaptive_wait_time},
    {CALL(adaptive_record, "always"), .go = adaptive_record},
    {CALL(adaptive_reset, "always"), .prepare = bob_acquires, .go = adaptive_reset},
    {CALL(adaptive_clear, SMALL_TABLE), .own_table = true, .prepare = bob_acquires_of_three, .go = adaptive_clear},
    {CALL(adaptive_cleanup, SMALL_TABLE), .own_table = true, .prepare = bob_acquires_of_three, .go = adaptive_cleanup},
    {CALL(adaptive_stats, SMALL_TABLE), .own_table = true, .prepare = bob_acquires_of_three, .go = adaptive_stats},
    {0},
};

/* ── cooldown ── */

static const latch_cooldown upstreams = {.name = "u"};

static latch_status cooldown_set(rig *r) { return latch_cooldown_set(&r->cx, &upstreams, key, rig_now_ms(r->world) + LATCH_MINUTE_MS); }
static latch_status bob_cools_down(void) { return cooldown_set(bob); }
static latch_status cooldown_clear(rig *r) { return latch_cooldown_clear(&r->cx, &upstreams, key); }

static latch_status cooldown_get(rig *r) {
    int64_t until_ms;
    return latch_cooldown_get(&r->cx, &upstreams, key, &until_ms);
}

const play cooldown_plays[] = {
    {CALL(cooldown_set, "always"), .go = cooldown_set},
    {CALL(cooldown_get, "always"), .prepare = bob_cools_down, .go = cooldown_get},
    {CALL(cooldown_clear, "always"), .prepare = bob_cools_down, .go = cooldown_clear},
    {0},
};

/*
 * Four threads at one front: two write, two read. The table is a number that each write raises, so that its order is the writes' own; no
 * write that has ended may be undone by what the front gives.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx_private.h"
#include "store/l1.h"
#include "tests/check.h"

#define ROUNDS 20000       /* of each thread */
#define TWIN_ROUNDS 400000 /* at most: it ends with the first violation */
#define KEYS 3

static latch_cache_l1 near = LATCH_CACHE_L1(.max_bytes = 65536, .max_age_ms = LATCH_HOUR_MS);

static struct {
    atomic_llong table[KEYS], ended[KEYS];
    atomic_size_t violations, hits;
    size_t rounds;
    bool ends_early;
} race;

typedef struct runner {
    pthread_t thread;
    const latch_l1_calls *calls;
    uint32_t seed;
    bool writes;
    latch_arena arena;
    latch_ctx cx;
    char memory[4096];
} runner;

static uint32_t roll(runner *me, uint32_t sides) {
    me->seed ^= me->seed << 13, me->seed ^= me->seed >> 17, me->seed ^= me->seed << 5;
    return me->seed % sides;
}

static void pause_now_and_then(runner *me) {
    if (roll(me, 3) == 0) sched_yield();
}

static latch_str key_of(uint32_t key) { return (latch_str){&"abc"[key], 1}; }

static latch_l1_value value_of(char text[24], long long version) {
    int len = snprintf(text, 24, "%lld", version);
    return (latch_l1_value){{text, (size_t)len}, 0};
}

/* The table's order is the versions'; what has ended is told before the next round, never before the front knows. */
static void write_one(runner *me, uint32_t key) {
    char text[24];
    uint64_t stamp = me->calls->writing(&near, key_of(key));
    pause_now_and_then(me);
    long long version = atomic_fetch_add(&race.table[key], 1) + 1;
    pause_now_and_then(me);
    const latch_l1_value value = value_of(text, version);
    me->calls->wrote(&near, &me->cx, key_of(key), stamp, &value);
    long long ended = atomic_load(&race.ended[key]);
    while (ended < version && !atomic_compare_exchange_weak(&race.ended[key], &ended, version))
        continue;
}

static void read_one(runner *me, uint32_t key) {
    char text[24];
    latch_str got;
    long long ended = atomic_load(&race.ended[key]);
    latch_arena_rewind(&me->arena, 0);
    if (me->calls->get(&near, &me->cx, key_of(key), &got)) {
        atomic_fetch_add(&race.hits, 1);
        if (strtoll(got.ptr, NULL, 10) < ended) atomic_fetch_add(&race.violations, 1);
        if (roll(me, 8) == 0) me->calls->clear(&near);
        return;
    }
    uint64_t stamp = me->calls->reading(&near, key_of(key));
    pause_now_and_then(me);
    const latch_l1_value value = value_of(text, atomic_load(&race.table[key]));
    pause_now_and_then(me);
    me->calls->fill(&near, &me->cx, key_of(key), stamp, &value);
}

static void *run(void *arg) {
    runner *me = arg;
    for (size_t i = 0; i < race.rounds && !(race.ends_early && atomic_load(&race.violations) > 0); i++)
        (me->writes ? write_one : read_one)(me, roll(me, KEYS));
    return NULL;
}

static size_t violations(const latch_l1_calls *calls, size_t rounds, bool ends_early) {
    static runner runners[4];
    memset(&race, 0, sizeof race);
    race.rounds = rounds;
    race.ends_early = ends_early;
    near.calls->clear(&near);
    for (size_t i = 0; i < COUNT_OF(runners); i++) {
        runner *r = &runners[i];
        *r = (runner){.calls = calls, .seed = (uint32_t)(i + 1) * 2654435761u, .writes = i < 2};
        latch_arena_init(&r->arena, r->memory, sizeof r->memory);
        r->cx = (latch_ctx){.arena = &r->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
        assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
    }
    for (size_t i = 0; i < COUNT_OF(runners); i++) {
        pthread_join(runners[i].thread, NULL);
        latch_arena_clean_up(&runners[i].arena);
    }
    return atomic_load(&race.violations);
}

static void undoes_no_write_that_has_ended(void **state) {
    (void)state;
    assert_int_equal(violations(&latch_cache_l1_calls, ROUNDS, false), 0);
    assert_true(atomic_load(&race.hits) > ROUNDS / 20);
    assert_int_equal(atomic_load(&race.table[0]) + atomic_load(&race.table[1]) + atomic_load(&race.table[2]), 2 * ROUNDS);
}

/* Broken: what a read brings is kept, whatever was written since. */
static void fill_anyway(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value) {
    (void)stamp;
    latch_cache_l1_calls.fill(l1, cx, pk, latch_cache_l1_calls.reading(l1, pk), value);
}

/* Broken: what was written is kept, whoever else wrote meanwhile. */
static void wrote_anyway(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value) {
    latch_cache_l1_calls.wrote(l1, cx, pk, stamp, value);
    latch_cache_l1_calls.fill(l1, cx, pk, latch_cache_l1_calls.reading(l1, pk), value);
}

static void finds_the_broken_twins(void **state) {
    latch_l1_calls fills = latch_cache_l1_calls, keeps = latch_cache_l1_calls;
    (void)state;
    fills.fill = fill_anyway;
    keeps.wrote = wrote_anyway;
    assert_true(violations(&fills, TWIN_ROUNDS, true) > 0);
    assert_true(violations(&keeps, TWIN_ROUNDS, true) > 0);
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(undoes_no_write_that_has_ended),
    ROW(finds_the_broken_twins),
};

CHECK_MAIN(tests)

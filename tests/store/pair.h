/* pair.h - a world and two callers in it, as two sandboxes are: what a store's tests stand on. All of it is static: one world a test file. */
#ifndef TESTS_STORE_PAIR_H
#define TESTS_STORE_PAIR_H

#include <string.h>

#include "tests/rig.h"

static rig_world world;
static rig ann, bob;

static inline void pair_open(size_t arena_bytes) {
    rig_open(&world);
    rig_init(&ann, &world, arena_bytes);
    rig_init(&bob, &world, arena_bytes);
}

static inline void pair_close(void) {
    rig_clean_up(&ann);
    rig_clean_up(&bob);
    rig_close(&world);
}

/* A set-up and a tear-down for cmocka, where a test needs nothing else. */
static inline int pair_set_up(void **state) {
    (void)state;
    pair_open(RIG_ARENA_BYTES);
    return 0;
}

static inline int pair_tear_down(void **state) {
    (void)state;
    pair_close();
    return 0;
}

/* Time and both callers as they were in the beginning, with a rule broken, or none. What is stored stays. */
static inline void pair_again(rig_twin twin) {
    rig_at(&world, T0);
    world.twin = twin;
    world.twisted = 0;
    rig_again(&ann, 0);
    rig_again(&bob, 0);
    ann.cx.deadline_at_ms = bob.cx.deadline_at_ms = INT64_MAX;
    ann.before = NULL;
    ann.slept_ms = 0;
}

/* Every place where the request has `id`, if it is any, becomes {id}. */
static inline void pair_hide(char *request, latch_str id) {
    for (char *at = request; id.len > 0 && (at = memmem(at, strlen(at), id.ptr, id.len)) != NULL;) {
        memmove(at + 4, at + id.len, strlen(at + id.len) + 1);
        memcpy(at, "{id}", 4);
    }
}

#endif

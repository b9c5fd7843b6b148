/* lone.h - a world, its network and one caller: what the tests of bulk work stand on. All of it is static: one world a test file. */
#ifndef TESTS_STORE_LONE_H
#define TESTS_STORE_LONE_H

#include "tests/store/network.h"

static rig_world world;
static network net;
static caller ann;

static inline void lone_open(uint32_t seed, size_t arena_bytes) {
    rig_open(&world);
    network_open(&net, &world, seed);
    caller_init(&ann, &net, arena_bytes);
}

static inline void lone_close(void) {
    caller_clean_up(&ann);
    network_close(&net);
    rig_close(&world);
}

static inline int lone_tear_down(void **state) {
    (void)state;
    lone_close();
    return 0;
}

#endif

/*
 * call.h - the one caller of a test file, for all of its rows. Each file says in a set_up of its own how much memory that has:
 *
 *     static int set_up(void **state) { return call_set_up(state, (size_t)4 << 20); }
 *     …
 *     #define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)
 */
#ifndef TESTS_RUNTIME_CALL_H
#define TESTS_RUNTIME_CALL_H

#include "tests/check.h"
#include "tests/runtime/caller.h"

static caller call;

static inline int call_set_up(void **state, size_t memory_bytes) {
    (void)state;
    caller_init(&call, memory_bytes);
    return 0;
}

static inline int call_tear_down(void **state) {
    (void)state;
    caller_clean_up(&call);
    return 0;
}

#endif

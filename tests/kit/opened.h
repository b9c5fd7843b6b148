/* opened.h - the one kit of a test file, for its rows; their handlers' init fails where KIT_INIT_FAILS is set. */
#ifndef TESTS_KIT_OPENED_H
#define TESTS_KIT_OPENED_H

#include <stdlib.h>
#include <string.h>

#include "latch_test.h"
#include "tests/check.h"

static latch_test *t;

static inline int open_with(const latch_handler *handlers, size_t count) {
    unsetenv("KIT_INIT_FAILS");
    t = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = count});
    return 0;
}

static inline int close_kit(void **state) {
    (void)state;
    latch_test_close(t);
    return 0;
}

#endif

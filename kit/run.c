#include <stdio.h>

#include "kit/inside.h"

/* One call of main at a time: where it puts what LATCH_RUN was given. */
static struct {
    bool wanted, given;
    const latch_handler *handlers;
    size_t count;
} captured;

int latch_run(const latch_handler *handlers, size_t n) {
    if (!captured.wanted) {
        fputs("latch_test: this program is linked with the test kit, where LATCH_RUN runs nothing: link it with latch::latch alone\n",
              stderr);
        return 1;
    }
    captured.given = true;
    captured.handlers = handlers;
    captured.count = n;
    return 0;
}

void latch_kit_capture(int (*run)(void), const latch_handler **handlers, size_t *count) {
    captured.wanted = true;
    captured.given = false;
    (void)run();
    captured.wanted = false;
    kit_need(captured.given, "options.main returned without LATCH_RUN");
    *handlers = captured.handlers;
    *count = captured.count;
}

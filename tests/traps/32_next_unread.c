/* What the handler answered is dropped by its hook.
 * gcc: unused-result
 * clang: unused-result */
#include "tests/traps/trap.h"

static latch_status log_it(latch_ctx *cx, latch_call *call, const void *arg) {
    (void)arg;
    latch_around_next(cx, call);
    latch_info(cx, "served", "handler", latch_call_handler(call));
    return LATCH_OK;
}

static const latch_around around[] = {{.run = log_it}};
static const latch_handler handlers[] = {{.name = "api", .http = handler, LATCH_AROUND(around)}};

int main(void) { return LATCH_RUN(handlers); }

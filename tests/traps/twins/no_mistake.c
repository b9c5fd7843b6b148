/* Nothing wrong, though a diagnostic is promised: the runner must say that it compiles.
 * gcc: warn_unused_result
 * clang: ignoring return value */
#include "tests/traps/trap.h"

latch_status handler(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply(http, 200, LATCH_NULL);
}

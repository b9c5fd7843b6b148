/* Stopped, but not by what is promised.
 * gcc: sizeof-pointer-div
 * clang: sizeof-pointer-div */
#include "tests/traps/trap.h"

latch_status handler(latch_ctx *cx, latch_http *http) {
    latch_str key = latch_http_client(http);
    latch_attempt attempt;
    latch_attempts_take(cx, &limit, key, LATCH_NULL, &attempt);
    return latch_http_reply(http, 200, LATCH_NULL);
}

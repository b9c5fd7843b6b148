/* A trap that promises nothing. */
#include "tests/traps/trap.h"

latch_status handler(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply(http, 200, LATCH_NULL);
}

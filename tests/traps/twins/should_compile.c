/* A mistake that is said to pass, and doesn't.
 * compiles: so it says */
#include "tests/traps/trap.h"

latch_status handler(latch_ctx *cx, latch_http *http) { return latch_http_reply(http, 200, latch_object(cx, "ok", true)); }

#include "store/wait.h"

#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/span.h"

latch_wait latch_wait_begin(const latch_ctx *cx, int64_t wait_ms, int64_t step_ms, int64_t most_ms) {
    return (latch_wait){.from = latch_clock_instant(&cx->clock), .wait_ms = wait_ms, .step_ms = step_ms, .most_ms = most_ms};
}

/* Half of `step_ms` to all of it: callers that were refused together don't come back together. */
static int64_t jittered(int64_t step_ms) {
    uint32_t random = UINT32_MAX / 2;
    (void)(getentropy(&random, sizeof random) == 0);
    int64_t half = step_ms / 2;
    return half + (int64_t)(random % (uint64_t)(step_ms - half + 1));
}

bool latch_wait_more(latch_ctx *cx, latch_wait *wait, int64_t free_at_ms) {
    int64_t now_ms = latch_now_ms(cx), left_ms = wait->wait_ms - latch_clock_since_ms(&cx->clock, wait->from),
            pause_ms = jittered(wait->step_ms);
    if (left_ms <= 0) return false;
    if (free_at_ms > now_ms && free_at_ms - now_ms < pause_ms) pause_ms = free_at_ms - now_ms;
    if (left_ms < pause_ms) pause_ms = left_ms;
    if (pause_ms >= latch_left_ms(cx)) return false;
    wait->step_ms = wait->step_ms * 2 < wait->most_ms ? wait->step_ms * 2 : wait->most_ms;
    latch_span span = latch_span_begin_kind(cx, LATCH_SPAN_WAIT, "wait", LATCH_STR("for another's end"));
    latch_clock_sleep_ms(&cx->clock, pause_ms);
    latch_span_end(cx, span, LATCH_OK);
    return true;
}

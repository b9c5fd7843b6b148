/* store/wait.h - waiting for another's end, without a thread: pauses that grow, with jitter, and end before the deadline. */
#ifndef LATCH_STORE_WAIT_H
#define LATCH_STORE_WAIT_H

#include "core/clock.h"

typedef struct latch_wait {
    latch_instant from; /* a span, not a point in time: an answer's Date may put the clock right meanwhile */
    int64_t wait_ms;    /* since then; no pause goes beyond it */
    int64_t step_ms;    /* the next pause is half of it to all of it; doubles each time, up to most_ms */
    int64_t most_ms;
} latch_wait;

/* For wait_ms from now; 0: latch_wait_more is false at once. */
latch_wait latch_wait_begin(const latch_ctx *cx, int64_t wait_ms, int64_t step_ms, int64_t most_ms) LATCH_NONNULL;

/*
 * Pauses, and says whether to look again. `free_at_ms`: when looking is worth it for certain (the end of another's lease), so that no pause
 * is longer; 0: not known. False, without a pause: the time is up, or after the pause there would be none left before the deadline.
 */
LATCH_NODISCARD bool latch_wait_more(latch_ctx *cx, latch_wait *wait, int64_t free_at_ms) LATCH_NONNULL;

#endif

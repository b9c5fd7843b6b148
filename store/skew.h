/*
 * store/skew.h - how far this machine's clock is from DynamoDB's, learnt from the Date of its answers; and a clock corrected by that.
 *
 * An answer sent for at `sent` and read at `received` with Date d (cut to whole seconds) bounds the offset service − local: between
 * d − received and d + 1 s − sent. The bounds of recent answers are intersected, and start anew where they contradict each other. The
 * offset is 0 while 0 lies inside, else the nearest bound: a clock that may be right is not touched.
 */
#ifndef LATCH_STORE_SKEW_H
#define LATCH_STORE_SKEW_H

#include "core/clock.h"

typedef struct latch_skew {
    latch_clock local;
    int64_t low_us, high_us; /* bounds of the offset; low > high: none yet */
    int64_t offset_us;
    latch_instant since; /* when the bounds began: older ones than an hour start anew, for clocks drift */
} latch_skew;

void latch_skew_init(latch_skew *skew, latch_clock local);
latch_clock latch_skew_clock(latch_skew *skew); /* local, its wall time moved by the offset; borrows `skew` */

/* By the local wall clock. The change of the offset, in milliseconds: nearly always 0. Impossible input (received before sent) is ignored. */
int64_t latch_skew_observe(latch_skew *skew, int64_t sent_us, int64_t received_us, int64_t date_s);

#endif

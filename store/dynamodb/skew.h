/*
 * store/dynamodb/skew.h - how far this machine's clock is from DynamoDB's, learnt from the Date of its answers; and a clock corrected by
 * that.
 *
 * An answer sent for at `sent` and read at `received` with Date d (cut to whole seconds) bounds the offset service − local: between
 * d − received and d + 1 s − sent. The bounds of recent answers are intersected, and start anew where they contradict each other: a clock
 * was set. The offset is 0 while 0 lies inside, else the nearest bound: a clock that may be right is not touched.
 *
 * Any number of threads may learn and read at once: the connections of one client share it.
 */
#ifndef LATCH_STORE_DYNAMODB_SKEW_H
#define LATCH_STORE_DYNAMODB_SKEW_H

#include "core/clock.h"

#define LATCH_SKEW_KEPT_MS LATCH_HOUR_MS /* older bounds start anew, for clocks drift */

typedef struct latch_skew {
    latch_clock local;
    int64_t low_us, high_us; /* bounds of the offset; low > high: none yet */
    latch_instant since;     /* when the bounds began */
    int64_t offset_us;       /* read and written atomically, as `learning` is */
    bool learning;           /* a thread is in observe */
} latch_skew;

void latch_skew_init(latch_skew *skew, latch_clock local);
latch_clock latch_skew_clock(latch_skew *skew); /* local, its wall time moved by the offset; borrows `skew` */

/*
 * By the local wall clock. The change of the offset, in milliseconds: nearly always 0. Impossible input (received before sent, a year
 * before 1970 or after 9999) is ignored, and so is an answer that comes while another thread is learning from one.
 */
int64_t latch_skew_observe(latch_skew *skew, int64_t sent_us, int64_t received_us, int64_t date_s);

#endif

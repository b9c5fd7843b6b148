/* core/clock.h - time is an input: the process's clocks, or ones that a test moves. */
#ifndef LATCH_CORE_CLOCK_H
#define LATCH_CORE_CLOCK_H

#include "core/words.h"

/*
 * Two clocks: wall time may be set and says when; boot time only grows and says how long. A frozen sandbox may stop either, so a span is
 * the larger of what both say.
 */
typedef struct latch_clock {
    int64_t (*wall_us)(void *self);           /* Unix time in microseconds */
    int64_t (*boot_us)(void *self);           /* since some start; goes on while the machine sleeps */
    void (*sleep_ms)(void *self, int64_t ms); /* returns when both have gone on by `ms`, at least; NULL: the thread really sleeps */
    void *self;
} latch_clock;

latch_clock latch_clock_system(void); /* CLOCK_REALTIME, CLOCK_BOOTTIME, nanosleep */

/* Waits for `ms`; not at all for 0 or less. Whoever calls it has looked at the deadline. */
void latch_clock_sleep_ms(const latch_clock *clock, int64_t ms);

int64_t latch_clock_wall_ms(const latch_clock *clock);

/* A reading of both clocks, and the time since it: never less than 0. */
typedef struct latch_instant {
    int64_t wall_us, boot_us;
} latch_instant;
latch_instant latch_clock_instant(const latch_clock *clock);
int64_t latch_clock_since_us(const latch_clock *clock, latch_instant from);
int64_t latch_clock_since_ms(const latch_clock *clock, latch_instant from); /* rounded down */

#define LATCH_TIMESTAMP_BYTES 25                                         /* "2026-11-21T09:30:00.123Z" and its NUL */
void latch_clock_format(int64_t at_ms, char out[LATCH_TIMESTAMP_BYTES]); /* ISO 8601, UTC; years 0 to 9999, another is 0000 */

/* The other way: days from 1970-01-01 to a date of the same calendar. Months are 1 to 12; a day past a month's end is one of the next. */
int64_t latch_clock_days(int64_t year, int64_t month, int64_t day);

#endif

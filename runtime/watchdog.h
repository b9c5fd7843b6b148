/*
 * runtime/watchdog.h - a handler that outlives its deadline is told of 200 ms before it, while there is somebody to tell: what it was waiting
 * for, and where it is. Function.DeadlineExceeded; then the process ends with 1, for nothing stops a handler that doesn't stop itself.
 *
 * A POSIX timer a worker, by wall time as the deadline is (a sandbox that was frozen finds it gone off at the thaw), whose signal comes to the
 * worker's own thread. It isn't set for each invocation: left at an older one's deadline, it goes off, looks at what runs now, and is set anew.
 * So it costs an invocation nothing but a compare. No watchdog: an invocation without a deadline, or with under 400 ms left when it comes.
 *
 * The signal is SIGRTMAX - 2: emulators of processors keep the last two to themselves. A call of the handler's own that a signal interrupts may
 * end with EINTR, at most once a deadline.
 */
#ifndef LATCH_RUNTIME_WATCHDOG_H
#define LATCH_RUNTIME_WATCHDOG_H

#include <signal.h>

#include "runtime/ending.h"

#define LATCH_WATCHDOG_SIGNAL (SIGRTMAX - 2)

#define LATCH_WATCHDOG_MS INT64_C(200)       /* before the deadline */
#define LATCH_WATCHDOG_LEAST_MS INT64_C(400) /* that an invocation must have to be watched */

/* Once per process, around everything. */
void latch_watchdog_init(void);
void latch_watchdog_clean_up(void);

void latch_watchdog_set_timer(latch_watch *watch) LATCH_NONNULL;
void latch_watchdog_drop(latch_watch *watch) LATCH_NONNULL; /* its timer, on its thread */

/* From now on it watches for watch->deadline_at_ms, on the worker's thread. Off again: fire_at_ms is INT64_MAX. */
static inline void latch_watchdog_set(latch_watch *watch) {
    int64_t at_ms = atomic_load_explicit(&watch->deadline_at_ms, memory_order_relaxed) - LATCH_WATCHDOG_MS;
    watch->fire_at_ms = at_ms;
    if (at_ms < watch->timer_at_ms) latch_watchdog_set_timer(watch);
}

#endif

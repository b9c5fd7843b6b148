/*
 * loop.h - the one thread everything runs on: descriptors, timers, and tasks that are due.
 *
 * A callback may add and remove anything, itself included. Nothing is owned here: what is registered outlives its registration.
 *
 * Timers have the loop's own time, which stands still where the loop does: in a callback that waits for somebody to read standard output,
 * or while the process is stopped. What came meanwhile could not be read, and is, before a timer finds that it didn't come; of what stood still
 * for less than 200 ms one thing is read first.
 */
#ifndef LATCH_LOCAL_LOOP_H
#define LATCH_LOCAL_LOOP_H

#include "core/words.h"

typedef void latch_loop_fn(void *arg);

typedef struct latch_watch { /* called while fd can be read */
    int fd;
    latch_loop_fn *fn;
    void *arg;
} latch_watch;

#ifndef LATCH_LOOP_STILL_MS    /* the tests' broken twin counts all of it */
#define LATCH_LOOP_STILL_MS 20 /* of a callback no more counts as time */
#define LATCH_LOOP_LATE_MS 200 /* a wait that ends so much later than it was to was no wait: half of what was asked for counts */
#endif

typedef struct latch_timer { /* called once, at at_ns of the loop's time */
    int64_t at_ns;
    latch_loop_fn *fn;
    void *arg;
    bool armed;
    struct latch_timer *next;
} latch_timer;

typedef struct latch_task { /* called soon after latch_loop_post, once however often it was posted */
    latch_loop_fn *fn;
    void *arg;
    bool due;
    struct latch_task *next;
} latch_task;

typedef struct latch_loop {
    int epoll_fd;
    latch_timer *timers;
    latch_task *tasks;
    int64_t (*clock)(void); /* latch_now_ns; a test's own */
    int64_t now_ns;         /* the loop's time when the clock was seen_ns */
    int64_t seen_ns;
} latch_loop;

bool latch_loop_init(latch_loop *loop); /* false: errno says why */
void latch_loop_clean_up(latch_loop *loop);

bool latch_loop_watch(latch_loop *loop, latch_watch *watch);
void latch_loop_unwatch(latch_loop *loop, const latch_watch *watch);

void latch_loop_arm(latch_loop *loop, latch_timer *timer, int64_t in_ms); /* again: moves it */
void latch_loop_disarm(latch_loop *loop, latch_timer *timer);

void latch_loop_add(latch_loop *loop, latch_task *task);
void latch_loop_remove(latch_loop *loop, latch_task *task);
void latch_loop_post(latch_task *task);

void latch_loop_step(latch_loop *loop);                  /* waits for one thing, and does it */
void latch_loop_run(latch_loop *loop, const bool *done); /* until *done */

int64_t latch_loop_now_ns(const latch_loop *loop); /* its own time: how long a function has taken */

int64_t latch_now_ns(void); /* monotonic, of the machine: how long somebody has waited */
int64_t latch_now_ms(void); /* since the epoch */

#endif

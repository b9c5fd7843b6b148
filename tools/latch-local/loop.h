/*
 * loop.h - the one thread everything runs on: descriptors, timers, and tasks that are due.
 *
 * A callback may add and remove anything, itself included. Nothing is owned here: what is registered outlives its registration.
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

typedef struct latch_timer { /* called once, at at_ns */
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

int64_t latch_now_ns(void); /* monotonic */
int64_t latch_now_ms(void); /* since the epoch */

#endif

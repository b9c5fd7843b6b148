#include "loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

bool latch_loop_init(latch_loop *loop) {
    *loop = (latch_loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll_fd >= 0;
}

void latch_loop_clean_up(latch_loop *loop) {
    close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

bool latch_loop_watch(latch_loop *loop, latch_watch *watch) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void latch_loop_unwatch(latch_loop *loop, const latch_watch *watch) { epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); }

void latch_loop_disarm(latch_loop *loop, latch_timer *timer) {
    if (!timer->armed) return;
    timer->armed = false;
    latch_timer **at = &loop->timers;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
}

void latch_loop_arm(latch_loop *loop, latch_timer *timer, int64_t in_ms) {
    latch_loop_disarm(loop, timer);
    timer->at_ns = latch_now_ns() + in_ms * 1000000;
    timer->armed = true;
    latch_timer **at = &loop->timers;
    while (*at != NULL && (*at)->at_ns <= timer->at_ns)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

void latch_loop_add(latch_loop *loop, latch_task *task) {
    task->next = loop->tasks;
    loop->tasks = task;
}

void latch_loop_remove(latch_loop *loop, latch_task *task) {
    latch_task **at = &loop->tasks;
    while (*at != NULL && *at != task)
        at = &(*at)->next;
    if (*at != NULL) *at = task->next;
}

void latch_loop_post(latch_task *task) { task->due = true; }

static latch_task *first_due(const latch_loop *loop) {
    for (latch_task *task = loop->tasks; task != NULL; task = task->next)
        if (task->due) return task;
    return NULL;
}

/* One task a step, and the list is looked through afresh: a task may have removed its neighbours. */
static void run_tasks(latch_loop *loop) {
    latch_task *task = first_due(loop);
    if (task == NULL) return;
    task->due = false;
    task->fn(task->arg);
}

static void run_timers(latch_loop *loop) {
    while (loop->timers != NULL && loop->timers->at_ns <= latch_now_ns()) {
        latch_timer *timer = loop->timers;
        latch_loop_disarm(loop, timer);
        timer->fn(timer->arg);
    }
}

/* Rounded up: a timer that isn't due yet is not woken for. */
static int wait_ms(const latch_loop *loop) {
    if (first_due(loop) != NULL) return 0;
    if (loop->timers == NULL) return -1;
    int64_t left_ns = loop->timers->at_ns - latch_now_ns();
    if (left_ns <= 0) return 0;
    return left_ns > INT64_C(3600000000000) ? 3600000 : (int)((left_ns + 999999) / 1000000);
}

void latch_loop_step(latch_loop *loop) {
    struct epoll_event event; /* one at a time: its callback may free what a second one is about */
    int got = epoll_wait(loop->epoll_fd, &event, 1, wait_ms(loop));
    if (got > 0) {
        const latch_watch *watch = event.data.ptr;
        watch->fn(watch->arg);
    }
    run_timers(loop);
    run_tasks(loop);
}

void latch_loop_run(latch_loop *loop, const bool *done) {
    while (!*done)
        latch_loop_step(loop);
}

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t latch_now_ns(void) { return now_ns(CLOCK_MONOTONIC); }

int64_t latch_now_ms(void) { return now_ns(CLOCK_REALTIME) / 1000000; }

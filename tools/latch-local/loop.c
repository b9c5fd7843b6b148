#include "loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)
#define STILL_NS (LATCH_LOOP_STILL_MS * NS_PER_MS)
#define LATE_NS (LATCH_LOOP_LATE_MS * NS_PER_MS)

bool latch_loop_init(latch_loop *loop) {
    int64_t now_ns = latch_now_ns();
    *loop = (latch_loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .clock = latch_now_ns, .now_ns = now_ns, .seen_ns = now_ns};
    return loop->epoll_fd >= 0;
}

/* ── its time ── */

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t latch_loop_now_ns(const latch_loop *loop) { return loop->now_ns + lesser(loop->clock() - loop->seen_ns, STILL_NS); }

static void pass(latch_loop *loop, int64_t clock_ns, int64_t passed_ns) {
    loop->now_ns += passed_ns;
    loop->seen_ns = clock_ns;
}

static void pass_callback(latch_loop *loop) {
    int64_t clock_ns = loop->clock();
    pass(loop, clock_ns, lesser(clock_ns - loop->seen_ns, STILL_NS));
}

/* Half: the first timer has time left for what came, and fires in the end on a machine that wakes us late each time. */
static void pass_wait(latch_loop *loop, int asked_ms) {
    int64_t clock_ns = loop->clock(), passed_ns = clock_ns - loop->seen_ns, asked_ns = asked_ms * NS_PER_MS;
    bool was_still = asked_ms >= 0 && passed_ns > asked_ns + LATE_NS;
    pass(loop, clock_ns, was_still ? asked_ns / 2 : passed_ns);
}

static void call(latch_loop *loop, latch_loop_fn *fn, void *arg) {
    fn(arg);
    pass_callback(loop);
}

/* ── what is registered ── */

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
    timer->at_ns = latch_loop_now_ns(loop) + in_ms * NS_PER_MS;
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

/* ── a step ── */

/* One task a step, and the list is looked through afresh: a task may have removed its neighbours. */
static void run_tasks(latch_loop *loop) {
    latch_task *task = first_due(loop);
    if (task == NULL) return;
    task->due = false;
    call(loop, task->fn, task->arg);
}

static void run_timers(latch_loop *loop) {
    while (loop->timers != NULL && loop->timers->at_ns <= loop->now_ns) {
        latch_timer *timer = loop->timers;
        latch_loop_disarm(loop, timer);
        call(loop, timer->fn, timer->arg);
    }
}

/* Rounded up: a timer that isn't due yet is not woken for. */
static int wait_ms(const latch_loop *loop) {
    if (first_due(loop) != NULL) return 0;
    if (loop->timers == NULL) return -1;
    int64_t left_ns = loop->timers->at_ns - loop->now_ns;
    if (left_ns <= 0) return 0;
    return left_ns > 3600000 * NS_PER_MS ? 3600000 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void latch_loop_step(latch_loop *loop) {
    struct epoll_event event; /* one at a time: its callback may free what a second one is about */
    pass_callback(loop);      /* of whoever turns the loop */
    int asked_ms = wait_ms(loop), got = epoll_wait(loop->epoll_fd, &event, 1, asked_ms);
    if (got < 0) got = epoll_wait(loop->epoll_fd, &event, 1, 0); /* a signal ended it, say that of a stop's end: nothing was looked at */
    pass_wait(loop, asked_ms);
    if (got > 0) {
        const latch_watch *watch = event.data.ptr;
        call(loop, watch->fn, watch->arg);
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

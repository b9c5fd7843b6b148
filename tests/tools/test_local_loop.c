/* The loop's own time: it stands still where the loop does. The clock is the test's, and goes on where a row says. */
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "loop.h"
#include "tests/check.h"

#define MS INT64_C(1000000)

static latch_loop loop;
static int64_t clock_now_ns, oversleeps_ns; /* the latter: of the next wait */
static unsigned looks;                      /* at the clock, in this step: the second one is after the wait */

static int64_t test_clock(void) {
    if (++looks == 2) clock_now_ns += oversleeps_ns;
    return clock_now_ns;
}

typedef struct happening {
    latch_watch watch;
    latch_timer timer, arms;
    int64_t takes_ms;
    unsigned comes, fires;
} happening;

static void come(void *arg) {
    happening *h = arg;
    eventfd_t value;
    assert_int_equal(eventfd_read(h->watch.fd, &value), 0);
    h->comes++;
    clock_now_ns += h->takes_ms * MS;
    if (h->arms.fn != NULL) latch_loop_arm(&loop, &h->arms, 50);
}

static void fire(void *arg) { (*(unsigned *)arg)++; }

static int set_up(void **state) {
    (void)state;
    assert_true(latch_loop_init(&loop));
    clock_now_ns = loop.now_ns = loop.seen_ns = 1000 * MS;
    oversleeps_ns = 0;
    loop.clock = test_clock;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_loop_clean_up(&loop);
    return 0;
}

static happening begin(int64_t takes_ms) {
    happening h = {.takes_ms = takes_ms, .watch = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = come}};
    assert_true(h.watch.fd >= 0);
    return h;
}

static void happen(happening *h) {
    h->watch.arg = h;
    h->timer = (latch_timer){.fn = fire, .arg = &h->fires};
    assert_true(latch_loop_watch(&loop, &h->watch));
    assert_int_equal(eventfd_write(h->watch.fd, 1), 0);
}

static void end(happening *h) {
    latch_loop_unwatch(&loop, &h->watch);
    latch_loop_disarm(&loop, &h->timer);
    latch_loop_disarm(&loop, &h->arms);
    close(h->watch.fd);
}

static void step(void) {
    looks = 0;
    latch_loop_step(&loop);
}

static void what_came_is_read_before_a_timer_fires(void **state) {
    (void)state;
    happening slow = begin(3000), quick = begin(0);
    happen(&slow);
    happen(&quick);
    latch_loop_arm(&loop, &slow.timer, 1000);
    for (int i = 0; i < 10 && quick.comes == 0; i++)
        step();
    assert_int_equal(slow.comes, 1);
    assert_int_equal(quick.comes, 1);
    assert_int_equal(slow.fires, 0);
    oversleeps_ns = 979 * MS; /* a wait as it should be: what was left, and no more */
    assert_int_equal(eventfd_write(quick.watch.fd, 1), 0);
    step();
    assert_int_equal(slow.fires, 0);
    oversleeps_ns = 1 * MS;
    step();
    assert_int_equal(slow.fires, 1);
    end(&slow);
    end(&quick);
}

static int wakes_fd;
static void on_alarm(int number) {
    (void)number;
    (void)!write(wakes_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* As after a stop that was over before the wait had lasted too long: epoll_wait gives EINTR, and has looked at nothing. */
static void what_came_while_a_signal_ended_the_wait_is_read_first(void **state) {
    struct sigaction action = {.sa_handler = on_alarm}, before;
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    (void)state;
    happening h = begin(0);
    happen(&h);
    step();
    wakes_fd = h.watch.fd;
    latch_loop_arm(&loop, &h.timer, 1000);
    oversleeps_ns = 1100 * MS;
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &soon, NULL);
    step();
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(h.comes, 2);
    assert_int_equal(h.fires, 1);
    end(&h);
}

static void a_callback_counts_up_to_its_bound(void **state) {
    static const int64_t rows[][2] = {{0, 0},
                                      {1, 1},
                                      {LATCH_LOOP_STILL_MS, LATCH_LOOP_STILL_MS},
                                      {LATCH_LOOP_STILL_MS + 1, LATCH_LOOP_STILL_MS},
                                      {86400000, LATCH_LOOP_STILL_MS}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        happening h = begin(rows[i][0]);
        happen(&h);
        int64_t before = latch_loop_now_ns(&loop);
        step();
        assert_int_equal(h.comes, 1);
        assert_int_equal(latch_loop_now_ns(&loop) - before, rows[i][1] * MS);
        end(&h);
    }
}

static void who_turns_the_loop_may_have_been_away(void **state) {
    (void)state;
    happening h = begin(0);
    happen(&h);
    latch_loop_arm(&loop, &h.timer, 1000);
    clock_now_ns += 5000 * MS;
    step();
    assert_int_equal(h.comes, 1);
    assert_int_equal(h.fires, 0);
    end(&h);
}

/* At a callback's beginning or at its end: never early, and late by the bound at most. */
static void a_timer_of_a_long_callback_has_its_time(void **state) {
    (void)state;
    happening h = begin(3000);
    unsigned fires = 0;
    h.arms = (latch_timer){.fn = fire, .arg = &fires};
    happen(&h);
    step();
    int64_t left = h.arms.at_ns - latch_loop_now_ns(&loop);
    assert_true(left >= 50 * MS && left <= (50 + LATCH_LOOP_STILL_MS) * MS);
    end(&h);
}

static void a_wait_that_was_none_counts_half(void **state) {
    static const struct {
        int64_t asked_ms, slept_ms, left_ms;
    } rows[] = {
        {1000, 999, 1}, {1000, 1000, 0}, {1000, 1000 + LATCH_LOOP_LATE_MS, 0}, {1000, 1001 + LATCH_LOOP_LATE_MS, 500}, {3, 86400000, 2}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        happening h = begin(0);
        happen(&h); /* so that it doesn't wait */
        latch_loop_arm(&loop, &h.timer, rows[i].asked_ms);
        oversleeps_ns = rows[i].slept_ms * MS;
        step();
        int64_t left_ns = h.timer.at_ns - loop.now_ns;
        assert_int_equal(h.fires, rows[i].left_ms == 0);
        if (rows[i].left_ms > 0) assert_int_equal((left_ns + MS - 1) / MS, rows[i].left_ms);
        oversleeps_ns = 0;
        end(&h);
    }
}

static void a_timer_fires_where_each_wait_is_late(void **state) {
    (void)state;
    happening h = begin(0);
    happen(&h);
    latch_loop_arm(&loop, &h.timer, 900000);
    oversleeps_ns = 86400000 * MS;
    for (int i = 0; i < 64 && h.fires == 0; i++) {
        assert_int_equal(eventfd_write(h.watch.fd, 1), 0);
        step();
    }
    assert_int_equal(h.fires, 1);
    end(&h);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(what_came_is_read_before_a_timer_fires),  ROW(what_came_while_a_signal_ended_the_wait_is_read_first),
    ROW(a_callback_counts_up_to_its_bound),       ROW(who_turns_the_loop_may_have_been_away),
    ROW(a_timer_of_a_long_callback_has_its_time), ROW(a_wait_that_was_none_counts_half),
    ROW(a_timer_fires_where_each_wait_is_late),
};

CHECK_MAIN(tests)

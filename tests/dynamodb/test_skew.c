#include <pthread.h>
#include <string.h>

#include "store/dynamodb/skew.h"
#include "tests/check.h"

#define ROW(name) cmocka_unit_test(name)
#define SECOND INT64_C(1000000)
#define T0 (INT64_C(1795253400) * SECOND)

typedef struct two { /* this machine's clocks, and how far DynamoDB's is from its wall clock */
    int64_t wall_us, boot_us, service_us;
    latch_skew skew;
} two;

static int64_t wall_us(void *self) { return ((two *)self)->wall_us; }
static int64_t boot_us(void *self) { return ((two *)self)->boot_us; }

static void begin(two *t, int64_t service_us) {
    *t = (two){.wall_us = T0, .boot_us = 5 * SECOND, .service_us = service_us};
    latch_skew_init(&t->skew, (latch_clock){.wall_us = wall_us, .boot_us = boot_us, .self = t});
}

static void pass(two *t, int64_t us) {
    t->wall_us += us;
    t->boot_us += us;
}

/* One answer: the service's Date is taken somewhere on the way. */
static int64_t exchange(two *t, int64_t there_us, int64_t back_us) {
    int64_t sent = t->wall_us;
    pass(t, there_us);
    int64_t date_s = (t->wall_us + t->service_us) / SECOND;
    pass(t, back_us);
    return latch_skew_observe(&t->skew, sent, t->wall_us, date_s);
}

static int64_t error_us(two *t) {
    latch_clock clock = latch_skew_clock(&t->skew);
    int64_t off = clock.wall_us(clock.self) - (t->wall_us + t->service_us);
    return off < 0 ? -off : off;
}

static void a_clock_that_may_be_right_is_not_touched(void **state) {
    static const int64_t offsets_us[] = {0, 400000, -400000, 900000};
    two t;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(offsets_us); i++) {
        begin(&t, offsets_us[i]);
        assert_int_equal(exchange(&t, 500000, 500000), 0);
        assert_int_equal(t.skew.offset_us, 0);
    }
    latch_skew_init(&t.skew, t.skew.local);
    assert_int_equal(t.skew.offset_us, 0);
}

/* After a few answers the error is less than what one of them took, and never over a second more. */
static void a_wrong_clock_is_corrected(void **state) {
    static const int64_t offsets_us[] = {3 * SECOND, -3 * SECOND, 400 * SECOND, -86400 * SECOND, 2500000, -1700000};
    two t;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(offsets_us); i++) {
        begin(&t, offsets_us[i]);
        int64_t moved = exchange(&t, 10000, 10000);
        assert_true(offsets_us[i] > 0 ? moved > 0 : moved < 0);
        assert_true(error_us(&t) <= SECOND + 20000);
        for (int k = 0; k < 60; k++) {
            pass(&t, 137000);
            exchange(&t, 10000, 10000);
        }
        assert_true(error_us(&t) <= 150000);
    }
}

static void what_moved_is_said_once(void **state) {
    two t;
    (void)state;
    begin(&t, 10 * SECOND);
    assert_in_range(exchange(&t, 1000, 1000), 8000, 10100);
    int64_t rest = 0;
    for (int k = 0; k < 20; k++)
        rest += exchange(&t, 1000, 1000);
    assert_in_range(rest, 0, 1100); /* the bounds narrow, the offset follows them by less than a second */
}

/* NTP, or an administrator, sets the clock right while the process lives. */
static void a_clock_that_is_set_meanwhile_is_learnt_anew(void **state) {
    two t;
    (void)state;
    begin(&t, 100 * SECOND);
    exchange(&t, 10000, 10000);
    assert_true(t.skew.offset_us > 98 * SECOND);
    t.wall_us += 100 * SECOND; /* now it is right */
    t.service_us = 0;
    int64_t moved = exchange(&t, 10000, 10000);
    assert_int_equal(t.skew.offset_us, 0);
    assert_in_range(-moved, 98000, 101000);
    t.wall_us -= 50 * SECOND; /* and wrong again */
    t.service_us = 50 * SECOND;
    assert_in_range(exchange(&t, 10000, 10000), 48000, 51000);
    assert_true(error_us(&t) <= SECOND + 20000);
}

/* A wall clock that jumps while a request is under way only widens what the answer tells, or makes it impossible. */
static void a_jump_during_a_request_does_no_harm(void **state) {
    two t;
    (void)state;
    begin(&t, 0);
    int64_t sent = t.wall_us;
    t.wall_us -= 500 * SECOND;
    assert_int_equal(latch_skew_observe(&t.skew, sent, t.wall_us, (t.wall_us + 500 * SECOND) / SECOND), 0);
    assert_true(t.skew.low_us > t.skew.high_us);
    begin(&t, 0);
    sent = t.wall_us;
    t.wall_us += 500 * SECOND;
    t.service_us = -500 * SECOND;
    assert_int_equal(latch_skew_observe(&t.skew, sent, t.wall_us, (t.wall_us + t.service_us) / SECOND), 0);
    assert_int_equal(t.skew.offset_us, 0);
}

static void old_bounds_start_anew(void **state) {
    two t;
    (void)state;
    begin(&t, 0);
    t.wall_us += 990000; /* just before the second: the offset is at most 10 ms */
    exchange(&t, 0, 0);
    assert_true(t.skew.high_us <= 10000);
    pass(&t, LATCH_SKEW_KEPT_MS * 1000 - SECOND);
    exchange(&t, 0, 0);
    assert_true(t.skew.high_us <= 10000);
    pass(&t, SECOND + 500000);
    exchange(&t, 0, 0);
    assert_true(t.skew.high_us > 10000);
}

static void impossible_input_is_ignored(void **state) {
    two t;
    (void)state;
    begin(&t, 0);
    assert_int_equal(latch_skew_observe(&t.skew, T0 + 1, T0, T0 / SECOND + 500), 0);
    assert_int_equal(latch_skew_observe(&t.skew, T0, T0, -1), 0);
    assert_int_equal(latch_skew_observe(&t.skew, T0, T0, INT64_MAX), 0);
    t.skew.learning = true;
    assert_int_equal(latch_skew_observe(&t.skew, T0, T0, T0 / SECOND + 500), 0);
    assert_int_equal(t.skew.offset_us, 0);
    assert_true(t.skew.low_us > t.skew.high_us);
}

/* ── the corrected clock ── */

static void count_sleep(void *self, int64_t ms) { pass(self, ms * 1000); }

static void only_the_wall_moves(void **state) {
    two t;
    (void)state;
    begin(&t, 30 * SECOND);
    t.skew.local.sleep_ms = count_sleep;
    exchange(&t, 0, 0);
    latch_clock clock = latch_skew_clock(&t.skew);
    assert_int_equal(clock.wall_us(clock.self) - t.wall_us, t.skew.offset_us);
    assert_int_equal(clock.boot_us(clock.self), t.boot_us);
    int64_t before = t.boot_us;
    latch_clock_sleep_ms(&clock, 40);
    assert_int_equal(t.boot_us - before, 40000);
    t.skew.local.sleep_ms = NULL;
    assert_null((void *)(uintptr_t)latch_skew_clock(&t.skew).sleep_ms);
}

typedef struct learner {
    two *t;
    int64_t least, most;
} learner;

static void *learn(void *self) {
    learner *l = self;
    latch_clock clock = latch_skew_clock(&l->t->skew);
    for (int i = 0; i < 2000; i++) {
        latch_skew_observe(&l->t->skew, T0, T0 + 1000, T0 / SECOND + 20);
        int64_t now = clock.wall_us(clock.self) - T0;
        l->least = now < l->least ? now : l->least;
        l->most = now > l->most ? now : l->most;
    }
    return NULL;
}

static void threads_may_learn_and_read_at_once(void **state) {
    two t;
    pthread_t threads[3];
    learner learners[3];
    (void)state;
    begin(&t, 20 * SECOND);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        learners[i] = (learner){&t, INT64_MAX, INT64_MIN};
        assert_int_equal(pthread_create(&threads[i], NULL, learn, &learners[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_true(learners[i].least >= 0);
        assert_int_equal(learners[i].most, 20 * SECOND - 1000);
    }
    assert_false(t.skew.learning);
}

static const struct CMUnitTest tests[] = {
    ROW(a_clock_that_may_be_right_is_not_touched),
    ROW(a_wrong_clock_is_corrected),
    ROW(what_moved_is_said_once),
    ROW(a_clock_that_is_set_meanwhile_is_learnt_anew),
    ROW(a_jump_during_a_request_does_no_harm),
    ROW(old_bounds_start_anew),
    ROW(impossible_input_is_ignored),
    ROW(only_the_wall_moves),
    ROW(threads_may_learn_and_read_at_once),
};

CHECK_MAIN(tests)

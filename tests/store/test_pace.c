#include "store/pace.h"

#include <pthread.h>
#include <string.h>

#include "tests/check.h"

#define T0_MS INT64_C(1767225600000)

static int64_t wall_us, boot_us;
static double dice;
static latch_pace pace;

static int64_t read_clock(void *self) { return *(const int64_t *)self; }
static int64_t read_wall(void *self) {
    (void)self;
    return read_clock(&wall_us);
}
static int64_t read_boot(void *self) {
    (void)self;
    return read_clock(&boot_us);
}
static const latch_clock clock_to_move = {.wall_us = read_wall, .boot_us = read_boot};

static double loaded(void *self) {
    (void)self;
    return dice;
}

static void pass(int64_t ms) {
    wall_us += ms * 1000;
    boot_us += ms * 1000;
}

static const latch_pace_options usual = {.base_ms = 25, .breaker = true, .failures = 5, .open_ms = 60000, .waits = true};

static void begin_with(const latch_pace_options *options) {
    latch_pace_init(&pace, options);
    pace.random = loaded;
    wall_us = T0_MS * 1000, boot_us = 0, dice = 0;
}

static int set_up(void **state) {
    (void)state;
    begin_with(&usual);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_pace_clean_up(&pace);
    return 0;
}

/* A call from its begin to its end; false: it was not let out. */
static bool goes(latch_pace_outcome outcome) {
    latch_pace_ticket t;
    if (!latch_pace_begin(&pace, &clock_to_move, &t)) return false;
    t.why = "the network is down";
    latch_pace_end(&pace, &clock_to_move, &t, outcome);
    return true;
}

static latch_breaker_state breaker(void) { return latch_pace_look(&pace, &clock_to_move).state; }

static void fails(int times) {
    for (int i = 0; i < times; i++)
        assert_true(goes(LATCH_PACE_FAILED));
}

/* ── delays ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void delays_grow_and_are_random(void **state) {
    static const struct {
        bool throttled;
        int repeats;
        double dice;
        int64_t retry_after_ms, delay_ms;
    } rows[] = {
        {false, 0, 0, 0, 0},          {false, 0, 0.5, 0, 12},     {false, 0, 0.999, 0, 24},     {false, 1, 0.5, 0, 25},
        {false, 2, 0.5, 0, 50},       {false, 9, 0.5, 0, 6400},   {false, 10, 0.5, 0, 10000},   {false, 1000, 0.5, 0, 10000},
        {true, 0, 0.5, 0, 500},       {true, 1, 0.5, 0, 1000},    {true, 4, 0.5, 0, 8000},      {true, 5, 0.5, 0, 10000},
        {true, 0, 0.5, 400, 500},     {true, 0, 0.5, 500, 500},   {true, 0, 0.5, 501, 501},     {true, 0, 0.5, 5499, 5499},
        {true, 0, 0.5, 5500, 5500},   {true, 0, 0.5, 5501, 5500}, {true, 0, 0, 86400000, 5000}, {false, 0, 0.5, 86400000, 5012},
        {false, 1000, 0.5, 1, 10000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        dice = rows[i].dice;
        assert_int_equal(latch_pace_delay_ms(&pace, rows[i].throttled, rows[i].repeats, rows[i].retry_after_ms), rows[i].delay_ms);
    }
}

static void the_systems_dice_are_fair(void **state) {
    enum { ROLLS = 4000, BINS = 8 };
    int bins[BINS] = {0};
    latch_pace own;
    (void)state;
    latch_pace_init(&own, &usual);
    for (int i = 0; i < ROLLS; i++) {
        double d = own.random(own.random_self);
        assert_true(d >= 0 && d < 1);
        bins[(int)(d * BINS)]++;
    }
    for (int k = 0; k < BINS; k++)
        assert_in_range(bins[k], ROLLS / BINS / 2, ROLLS / BINS * 2);
    latch_pace_clean_up(&own);
}

/* ── the bucket ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* How many repeats of calls that never succeed are paid for. */
static int repeats_until_empty(bool throttled) {
    latch_pace_ticket t = {0};
    int n = 0;
    while (latch_pace_spend(&pace, throttled, &t))
        n++;
    return n;
}

static void a_bucket_pays_for_so_many_repeats(void **state) {
    (void)state;
    assert_int_equal(repeats_until_empty(false), 500 / 14);
    assert_int_equal(repeats_until_empty(true), 500 % 14 / 5);
    latch_pace_reset(&pace); /* is about the breaker */
    assert_int_equal(repeats_until_empty(true), 0);
    latch_pace_clean_up(&pace);
    begin_with(&usual);
    assert_int_equal(repeats_until_empty(true), 100);
}

static void successes_fill_it_again(void **state) {
    latch_pace_ticket t;
    (void)state;
    (void)(repeats_until_empty(false) > 0);
    assert_int_equal(pace.tokens, 10);
    assert_true(goes(LATCH_PACE_SERVED) && goes(LATCH_PACE_ANSWERED)); /* a refusal gives nothing back */
    assert_int_equal(pace.tokens, 11);
    for (int i = 0; i < 3; i++)
        assert_true(goes(LATCH_PACE_SERVED));
    assert_int_equal(pace.tokens, 14);

    /* two repeats, the last one throttled: the last one's cost comes back */
    pace.tokens = 100;
    assert_true(latch_pace_begin(&pace, &clock_to_move, &t));
    assert_true(latch_pace_spend(&pace, false, &t) && latch_pace_spend(&pace, true, &t));
    assert_int_equal(pace.tokens, 81);
    latch_pace_end(&pace, &clock_to_move, &t, LATCH_PACE_SERVED);
    assert_int_equal(pace.tokens, 86);

    assert_true(latch_pace_begin(&pace, &clock_to_move, &t));
    assert_true(latch_pace_spend(&pace, false, &t));
    latch_pace_end(&pace, &clock_to_move, &t, LATCH_PACE_FAILED);
    assert_int_equal(pace.tokens, 72);
    for (int i = 0; i < 1000; i++)
        assert_true(goes(LATCH_PACE_SERVED));
    assert_int_equal(pace.tokens, LATCH_PACE_TOKENS); /* and no more */
}

/* ── the wait after throttling ──────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t wait_of(bool throttled, latch_pace_outcome outcome) {
    latch_pace_ticket t;
    assert_true(latch_pace_begin(&pace, &clock_to_move, &t));
    t.throttled = throttled;
    latch_pace_end(&pace, &clock_to_move, &t, outcome);
    return t.wait_ms;
}

static void throttling_makes_the_next_calls_wait(void **state) {
    static const int64_t up[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000}, down[] = {5000, 4500, 4050, 3645, 3280};
    (void)state;
    assert_int_equal(wait_of(false, LATCH_PACE_SERVED), 0);
    for (size_t i = 0; i < COUNT_OF(up); i++)
        assert_int_equal(wait_of(true, LATCH_PACE_ANSWERED), up[i]);
    for (size_t i = 0; i < COUNT_OF(down); i++)
        assert_int_equal(wait_of(false, LATCH_PACE_SERVED), down[i]);
    int64_t before_ms = wait_of(false, LATCH_PACE_ANSWERED); /* a refusal says nothing about speed */
    assert_int_equal(wait_of(false, LATCH_PACE_UNDECIDED), before_ms);
    int calls = 0;
    for (; wait_of(false, LATCH_PACE_SERVED) > 0; calls++)
        assert_true(calls < 100);
    assert_true(calls > 70); /* 0.9^81 of 5 s is 1 ms */
    assert_true(atomic_load(&pace.calm));
}

static void where_calls_do_not_wait_they_never_do(void **state) {
    latch_pace_options options = usual;
    (void)state;
    latch_pace_clean_up(&pace);
    options.waits = false;
    begin_with(&options);
    for (int i = 0; i < 5; i++)
        assert_int_equal(wait_of(true, LATCH_PACE_ANSWERED), 0);
}

/* ── the breaker ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void it_opens_after_so_many_failures_in_a_row(void **state) {
    latch_pace_ticket t;
    (void)state;
    fails(4);
    assert_true(goes(LATCH_PACE_ANSWERED)); /* DynamoDB is there */
    fails(4);
    assert_true(goes(LATCH_PACE_UNDECIDED)); /* says nothing */
    pass(10);
    fails(1);
    assert_int_equal(breaker(), LATCH_BREAKER_OPEN);
    assert_false(latch_pace_begin(&pace, &clock_to_move, &t));
    assert_int_equal(t.retry_at_ms, T0_MS + 10 + 60000);
    latch_breaker b = latch_pace_look(&pace, &clock_to_move);
    assert_int_equal(b.failures, 5);
    assert_string_equal(b.last_failure, "the network is down");
    assert_int_equal(b.last_failure_at_ms, T0_MS + 10);
    assert_int_equal(b.next_try_at_ms, T0_MS + 10 + 60000);
}

static void one_call_may_probe(void **state) {
    static const struct {
        latch_pace_outcome outcome;
        latch_breaker_state after;
    } rows[] = {{LATCH_PACE_SERVED, LATCH_BREAKER_CLOSED},
                {LATCH_PACE_ANSWERED, LATCH_BREAKER_CLOSED},
                {LATCH_PACE_FAILED, LATCH_BREAKER_OPEN},
                {LATCH_PACE_UNDECIDED, LATCH_BREAKER_HALF_OPEN}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_pace_ticket probe, other;
        latch_pace_clean_up(&pace);
        begin_with(&usual);
        fails(5);
        pass(59999);
        assert_false(goes(LATCH_PACE_SERVED));
        pass(1);
        assert_int_equal(breaker(), LATCH_BREAKER_HALF_OPEN);
        assert_true(latch_pace_begin(&pace, &clock_to_move, &probe));
        assert_true(probe.probe);
        assert_false(latch_pace_begin(&pace, &clock_to_move, &other)); /* one */
        assert_true(other.retry_at_ms > T0_MS + 60000);
        latch_pace_end(&pace, &clock_to_move, &probe, rows[i].outcome);
        assert_int_equal(breaker(), rows[i].after);
        assert_int_equal(goes(LATCH_PACE_SERVED), rows[i].after != LATCH_BREAKER_OPEN);
        pass(60000);
        assert_true(goes(LATCH_PACE_SERVED));
        assert_int_equal(breaker(), LATCH_BREAKER_CLOSED);
    }
}

/* A frozen sandbox's clocks: either may have stood still. */
static void its_time_passes_by_either_clock(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        latch_pace_clean_up(&pace);
        begin_with(&usual);
        fails(5);
        *(which == 0 ? &wall_us : &boot_us) += INT64_C(60000000);
        assert_true(goes(LATCH_PACE_SERVED));
        assert_int_equal(breaker(), LATCH_BREAKER_CLOSED);
    }
}

/* Calls that went out before it opened come back afterwards: they neither close it nor keep it open for longer. */
static void late_outcomes_decide_nothing(void **state) {
    latch_pace_ticket late[3], probe;
    (void)state;
    fails(4);
    for (size_t i = 0; i < COUNT_OF(late); i++)
        assert_true(latch_pace_begin(&pace, &clock_to_move, &late[i]));
    fails(1);
    pass(30000);
    latch_pace_end(&pace, &clock_to_move, &late[0], LATCH_PACE_SERVED);
    latch_pace_end(&pace, &clock_to_move, &late[1], LATCH_PACE_FAILED);
    assert_int_equal(breaker(), LATCH_BREAKER_OPEN);
    assert_int_equal(latch_pace_look(&pace, &clock_to_move).next_try_at_ms, T0_MS + 60000);
    pass(30000);
    assert_true(latch_pace_begin(&pace, &clock_to_move, &probe));
    latch_pace_end(&pace, &clock_to_move, &late[2], LATCH_PACE_FAILED);
    assert_int_equal(breaker(), LATCH_BREAKER_HALF_OPEN);
    assert_false(goes(LATCH_PACE_SERVED)); /* the probe is still out */
    latch_pace_end(&pace, &clock_to_move, &probe, LATCH_PACE_SERVED);
    assert_int_equal(breaker(), LATCH_BREAKER_CLOSED);
}

static void it_can_be_reset_and_left_out(void **state) {
    latch_pace_options options = usual;
    (void)state;
    fails(5);
    latch_pace_reset(&pace);
    assert_int_equal(breaker(), LATCH_BREAKER_CLOSED);
    fails(4);
    assert_int_equal(breaker(), LATCH_BREAKER_CLOSED);
    latch_pace_clean_up(&pace);
    options.breaker = false;
    begin_with(&options);
    fails(100);
    assert_int_equal(latch_pace_look(&pace, &clock_to_move).failures, 100);
    latch_pace_clean_up(&pace);
    options = usual;
    options.failures = 1;
    begin_with(&options);
    fails(1);
    assert_int_equal(breaker(), LATCH_BREAKER_OPEN);
}

/* ── threads ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum { THREADS = 4, ROUNDS = 5000 };
static atomic_int probes_out, probes_most, unpaid;

static void *hammer(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        latch_pace_ticket t;
        seed = seed * 1103515245u + 12345u;
        if (!latch_pace_begin(&pace, &clock_to_move, &t)) continue;
        int out = t.probe ? atomic_fetch_add(&probes_out, 1) + 1 : 0;
        if (out > atomic_load(&probes_most)) atomic_store(&probes_most, out);
        unsigned roll = seed >> 16 & 7;
        t.throttled = roll == 1;
        if (roll < 4 && !latch_pace_spend(&pace, t.throttled, &t)) atomic_fetch_add(&unpaid, 1);
        if (t.probe) atomic_fetch_sub(&probes_out, 1);
        latch_pace_end(&pace, &clock_to_move, &t, roll < 3 ? LATCH_PACE_FAILED : LATCH_PACE_SERVED);
    }
    return NULL;
}

/* Never two probes, never tokens out of nothing; and it is calm again in the end. */
static void threads_share_it(void **state) {
    pthread_t threads[THREADS];
    latch_pace_options options = usual;
    (void)state;
    latch_pace_clean_up(&pace);
    options.open_ms = 0; /* half-open at once, so that probes are many */
    options.failures = 2;
    begin_with(&options);
    atomic_store(&probes_most, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)(uintptr_t)(i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&probes_most), 1);
    assert_in_range(pace.tokens, 0, LATCH_PACE_TOKENS);
    for (int i = 0; i < 700; i++)
        (void)goes(LATCH_PACE_SERVED);
    assert_true(atomic_load(&pace.calm));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(delays_grow_and_are_random),
    ROW(the_systems_dice_are_fair),
    ROW(a_bucket_pays_for_so_many_repeats),
    ROW(successes_fill_it_again),
    ROW(throttling_makes_the_next_calls_wait),
    ROW(where_calls_do_not_wait_they_never_do),
    ROW(it_opens_after_so_many_failures_in_a_row),
    ROW(one_call_may_probe),
    ROW(its_time_passes_by_either_clock),
    ROW(late_outcomes_decide_nothing),
    ROW(it_can_be_reset_and_left_out),
    ROW(threads_share_it),
};
CHECK_MAIN(tests)

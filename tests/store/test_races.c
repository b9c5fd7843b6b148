/*
 * Eight threads on one table: each a caller with its own arena and random losses, over keys that all of them want. The clock moves only
 * while nobody is inside a call that must not outlast its time, so what is seen can't be excused by a lease that ended.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/check.h"
#include "tests/rig.h"

#define THREADS 8
#define CALLS 20000 /* of all threads */
#define TWIN_CALLS 3000
#define TWIN_RACES 8
#define SKEW_MS INT64_C(2000)

static rig_world world;
static const rig_twin sound = {NULL, NULL};

/* Time passes under the write lock; who holds a lock or does work holds the read lock. */
static pthread_rwlock_t time_goes_on;

typedef struct racer {
    rig r;
    uint32_t seed;
    uint32_t losses_in; /* one request in so many meets a fault */
    int id;
    size_t calls;
} racer;

static struct tally { /* what the threads saw; a thread asserts nothing itself */
    atomic_size_t did, refused, open, late, violations;
} tally;

static void violated(const char *what) {
    if (atomic_fetch_add(&tally.violations, 1) == 0 && world.twin.from == NULL) fprintf(stderr, "violated: %s\n", what);
}

static uint32_t roll(racer *me, uint32_t sides) {
    me->seed ^= me->seed << 13, me->seed ^= me->seed >> 17, me->seed ^= me->seed << 5;
    return me->seed % sides;
}

static fault next_fault(void *arg) {
    static const fault kinds[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, ANSWERS_NO_JSON, NOT_SENT, FAILS_THROTTLED};
    racer *me = arg;
    return roll(me, me->losses_in) == 0 ? kinds[roll(me, COUNT_OF(kinds))] : NO_FAULT;
}

/* Now and then: a late request arrives, time passes. */
static void between_calls(racer *me, int64_t most_ms) {
    if (roll(me, 4) == 0 && me->r.late_request != NULL) {
        rig_deliver(&me->r);
        atomic_fetch_add(&tally.late, 1);
    }
    if (roll(me, 8) != 0) return;
    pthread_rwlock_wrlock(&time_goes_on);
    rig_pass(&world, roll(me, (uint32_t)most_ms));
    pthread_rwlock_unlock(&time_goes_on);
}

/* Frozen in the middle of a call, and thawed when others may have taken over. */
static void freeze(int64_t ms) {
    pthread_rwlock_unlock(&time_goes_on);
    pthread_rwlock_wrlock(&time_goes_on);
    rig_pass(&world, ms);
    pthread_rwlock_unlock(&time_goes_on);
    for (int i = 0; i < 4; i++)
        sched_yield();
    pthread_rwlock_rdlock(&time_goes_on);
}

static void count(latch_ctx *cx, latch_status status) {
    if (status == LATCH_OK) atomic_fetch_add(&tally.did, 1);
    if (status != LATCH_OK) atomic_fetch_add(&tally.refused, 1);
    if (status != LATCH_OK && latch_error(cx)->maybe_applied) atomic_fetch_add(&tally.open, 1);
}

/* Runs `body` in all threads; the number of violations. */
static size_t race(rig_twin twin, size_t calls, void *(*body)(void *)) {
    static racer racers[THREADS];
    pthread_t threads[THREADS];
    pthread_rwlockattr_t writers_first;
    rig_open(&world);
    world.twin = twin;
    tally = (struct tally){0};
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&time_goes_on, &writers_first);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (racer){.seed = 2463534242u + 977u * (uint32_t)i, .losses_in = 12, .id = i + 1, .calls = calls / THREADS};
        rig_init(&racers[i].r, &world, RIG_ARENA_BYTES);
        racers[i].r.roll = next_fault;
        racers[i].r.arg = &racers[i];
        assert_int_equal(pthread_create(&threads[i], NULL, body, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        rig_clean_up(&racers[i].r);
    }
    pthread_rwlock_destroy(&time_goes_on);
    pthread_rwlockattr_destroy(&writers_first);
    if (twin.from != NULL) assert_true(world.twisted > 0);
    rig_close(&world);
    print_message("%zu calls: %zu did, %zu refused or failed, %zu of them left open, %zu requests came late, %zu violations\n", calls,
                  (size_t)tally.did, (size_t)tally.refused, (size_t)tally.open, (size_t)tally.late, (size_t)tally.violations);
    return tally.violations;
}

/* Enough happened for the outcome to mean something: at least so many per cent of the calls did and were refused. */
static void happened(size_t calls, size_t did_percent, size_t refused_percent) {
    assert_true(tally.did * 100 >= calls * did_percent);
    assert_true(tally.refused * 100 >= calls * refused_percent);
    assert_true(tally.open > 20 && tally.late > 20);
}

/* ── lock: never two holders at once ────────────────────────────────────────────────────────────────────────────────────── */

#define KEYS 2
#define LEASE_MS INT64_C(5000)

static struct door {
    atomic_int holder;
    _Atomic int64_t fence; /* of the last holder that went in */
} doors[KEYS];

static const char *const names[KEYS] = {"front", "back"};

/* The holder goes in, alone, with a token greater than any before, or once more with the last one. */
static void go_in(racer *me, struct door *door, int64_t fence, bool once_more) {
    if (atomic_exchange(&door->holder, me->id) != 0) violated("two holders at once");
    if (atomic_load(&door->fence) > fence - !once_more) violated("a token did not grow");
    atomic_store(&door->fence, fence);
    for (uint32_t i = roll(me, 3); i > 0; i--)
        sched_yield();
    if (atomic_exchange(&door->holder, 0) != me->id) violated("another went in");
}

static void take_and_release(racer *me) {
    static const latch_lock policy = {.name = "door", .lease_ms = LEASE_MS};
    size_t at = roll(me, KEYS);
    latch_hold hold;
    rig_again(&me->r, 0);
    pthread_rwlock_rdlock(&time_goes_on);
    latch_status status = latch_lock_take(&me->r.cx, &policy, latch_str_of(names[at]), &hold);
    count(&me->r.cx, status);
    if (status == LATCH_OK && latch_lock_held(&me->r.cx, &hold)) go_in(me, &doors[at], hold.fence, false);
    bool froze = status == LATCH_OK && roll(me, 10) == 0;
    if (froze) freeze(LEASE_MS + SKEW_MS + 1);
    if (froze && latch_lock_held(&me->r.cx, &hold)) violated("held after its lease");
    bool extended = status == LATCH_OK && roll(me, 4) == 0 && latch_lock_extend(&me->r.cx, &hold, LEASE_MS) == LATCH_OK;
    if (extended && latch_lock_held(&me->r.cx, &hold)) go_in(me, &doors[at], hold.fence, true);
    if (status == LATCH_OK && roll(me, 20) != 0) rig_end(&me->r, LATCH_OK); /* else it crashed with it */
    pthread_rwlock_unlock(&time_goes_on);
}

static void *lock_body(void *arg) {
    racer *me = arg;
    for (size_t i = 0; i < me->calls; i++) {
        take_and_release(me);
        between_calls(me, LEASE_MS);
    }
    return NULL;
}

/* A broken rule shows by chance, less often where requests take long: one of so many races must show it. */
static bool is_found(size_t (*race_with)(rig_twin, size_t), rig_twin twin) {
    for (int tries = 0; tries < TWIN_RACES; tries++) {
        if (race_with(twin, TWIN_CALLS) > 0) return true;
    }
    return false;
}

static size_t race_for_locks(rig_twin twin, size_t calls) {
    for (size_t i = 0; i < KEYS; i++) {
        doors[i].holder = 0;
        doors[i].fence = 0;
    }
    return race(twin, calls, lock_body);
}

static void a_lock_has_one_holder(void **state) {
    (void)state;
    assert_int_equal(race_for_locks(sound, CALLS), 0);
    happened(CALLS, 10, 10);
}

static void finds_broken_locks(void **state) {
    static const rig_twin twins[] = {
        {"#expiresAt < :now_minus_skew", "(#expiresAt < :now_minus_skew OR attribute_exists(#expiresAt))"},
        {"#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f",
         "(#ownerName = :o OR #recordVersionNumber = :v OR #fence = :f OR attribute_exists(#fence))"},
        {"if_not_exists(#fence, :now) + :one", ":now + :one"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(twins); i++)
        assert_true(is_found(race_for_locks, twins[i]));
}

/* ── do-once: never two doers at once, one answer for ever ──────────────────────────────────────────────────────────────── */

#define ORDERS 4
#define ORDER_TIME_MS INT64_C(5000)

static struct order_seen {
    atomic_int doer;
    atomic_bool half_done;      /* somebody began, and neither finished nor said that nothing is half done */
    _Atomic int64_t answer;     /* what was answered first; 0: nothing yet */
    _Atomic int64_t generation; /* of the key: a new one when the old order is done with */
} orders[ORDERS];

static _Thread_local racer *doing;
static _Thread_local size_t doing_at;
static _Thread_local latch_status work_says;
static _Atomic int64_t answers;

static latch_status fulfil(latch_ctx *cx, latch_work *work) {
    struct order_seen *order = &orders[doing_at];
    work_says = LATCH_OK;
    if (atomic_exchange(&order->doer, doing->id) != 0) violated("two doers at once");
    if (atomic_exchange(&order->half_done, true) && work->takeovers == 0) violated("begun again, and not told");
    for (uint32_t i = roll(doing, 3); i > 0; i--)
        sched_yield();
    if (roll(doing, 6) == 0) work_says = roll(doing, 2) == 0 ? LATCH_LIMITED : LATCH_E_NETWORK;
    if (work_says == LATCH_LIMITED && work->takeovers == 0) atomic_store(&order->half_done, false);
    work->result = latch_object(cx, "n", atomic_fetch_add(&answers, 1) + 1);
    if (atomic_exchange(&order->doer, 0) != doing->id) violated("another began");
    if (roll(doing, 10) == 0) freeze(ORDER_TIME_MS + SKEW_MS + 1); /* from here on it may be another's: its completion is refused then */
    return work_says;
}

/* Once an order has been answered, it is answered so for ever. */
static void check_answer(struct order_seen *order, latch_once_result *result) {
    int64_t n, none = 0;
    if (latch_read(result->response, "n", &n) != LATCH_OK) violated("no answer");
    if (!atomic_compare_exchange_strong(&order->answer, &none, n) && none != n) violated("two answers");
}

static void do_an_order(racer *me) {
    static const latch_once policy = {.name = "order", .work = fulfil, .keep_ms = 300 * LATCH_DAY_MS, .in_progress_ms = ORDER_TIME_MS};
    latch_once_result result;
    char key[48];
    doing = me;
    doing_at = roll(me, 4) == 0 ? roll(me, ORDERS) : 0;
    struct order_seen *order = &orders[doing_at];
    rig_again(&me->r, 0);
    pthread_rwlock_rdlock(&time_goes_on);
    snprintf(key, sizeof key, "%zu-%lld", doing_at, (long long)atomic_load(&order->generation));
    latch_status status = latch_once_do(&me->r.cx, &policy, latch_str_of(key), LATCH_NULL, &result);
    count(&me->r.cx, status);
    if (status == LATCH_OK) check_answer(order, &result);
    pthread_rwlock_unlock(&time_goes_on);
}

/* An order that was answered makes room for the next, while nobody is at it. */
static void next_generation(racer *me) {
    struct order_seen *order = &orders[roll(me, 4) == 0 ? roll(me, ORDERS) : 0];
    pthread_rwlock_wrlock(&time_goes_on);
    if (atomic_load(&order->answer) != 0) {
        atomic_fetch_add(&order->generation, 1);
        atomic_store(&order->answer, 0);
        atomic_store(&order->half_done, false);
    }
    pthread_rwlock_unlock(&time_goes_on);
}

static void *once_body(void *arg) {
    racer *me = arg;
    for (size_t i = 0; i < me->calls; i++) {
        do_an_order(me);
        between_calls(me, ORDER_TIME_MS);
        if (roll(me, 2) == 0) next_generation(me);
    }
    return NULL;
}

static size_t race_for_orders(rig_twin twin, size_t calls) {
    for (size_t i = 0; i < ORDERS; i++) {
        orders[i].doer = 0;
        orders[i].half_done = false;
        orders[i].answer = 0;
        orders[i].generation = 0;
    }
    return race(twin, calls, once_body);
}

static void an_order_has_one_doer(void **state) {
    (void)state;
    assert_int_equal(race_for_orders(sound, CALLS), 0);
    happened(CALLS, 10, 10);
}

static void finds_broken_orders(void **state) {
    static const rig_twin twins[] = {
        {"#in_progress_expiration < :now_ms_minus_skew",
         "(#in_progress_expiration < :now_ms_minus_skew OR attribute_exists(#in_progress_expiration))"},
        {"#owner = :o AND #status = :inprogress AND #in_progress_expiration > :zero",
         "(#owner = :o OR #status = :inprogress OR #in_progress_expiration > :zero OR attribute_exists(#owner))"},
        {"if_not_exists(#takeovers, :minus_one) + :one", ":minus_one + :one"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(twins); i++)
        assert_true(is_found(race_for_orders, twins[i]));
}

/* ── limited attempt: never more than the limit in a window ─────────────────────────────────────────────────────────────── */

#define MAX 5
#define WINDOW_MS INT64_C(10000)
#define WINDOWS 16384 /* more than there are */

static struct window {
    char id[40];
    int allowed;
} windows[WINDOWS];
static size_t window_count;
static pthread_mutex_t windows_lock = PTHREAD_MUTEX_INITIALIZER;

static void allow(latch_str id) {
    pthread_mutex_lock(&windows_lock);
    size_t i = window_count; /* the newest first: that is where it is */
    while (i > 0 && !latch_str_eq(latch_str_of(windows[i - 1].id), id))
        i--;
    if (i == 0 && window_count < WINDOWS) {
        i = ++window_count;
        snprintf(windows[i - 1].id, sizeof windows[i - 1].id, "%.*s", (int)id.len, id.ptr);
        windows[i - 1].allowed = 0;
    }
    if (i == 0 || ++windows[i - 1].allowed > MAX) violated("more than the limit in a window");
    pthread_mutex_unlock(&windows_lock);
}

static void *attempts_body(void *arg) {
    static const latch_attempts policy = {.name = "login", .max = MAX, .window_ms = WINDOW_MS};
    racer *me = arg;
    for (size_t i = 0; i < me->calls; i++) {
        latch_attempt attempt;
        rig_again(&me->r, 0);
        latch_status status = latch_attempts_take(&me->r.cx, &policy, latch_str_of(names[roll(me, KEYS)]), LATCH_NULL, &attempt);
        count(&me->r.cx, status);
        if (status == LATCH_OK) allow(attempt.window);
        between_calls(me, WINDOW_MS / 2);
    }
    return NULL;
}

static size_t race_for_attempts(rig_twin twin, size_t calls) {
    window_count = 0;
    return race(twin, calls, attempts_body);
}

static void attempts_stay_below_their_limit(void **state) {
    (void)state;
    assert_int_equal(race_for_attempts(sound, CALLS), 0);
    print_message("%zu windows\n", window_count);
    happened(CALLS, 10, 10);
    assert_true(window_count > 100);
}

static void finds_broken_attempts(void **state) {
    static const rig_twin twins[] = {
        {"#attempts < :max", "(#attempts < :max OR attribute_exists(#attempts))"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(twins); i++)
        assert_true(is_found(race_for_attempts, twins[i]));
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(a_lock_has_one_holder),           ROW(finds_broken_locks),    ROW(an_order_has_one_doer), ROW(finds_broken_orders),
    ROW(attempts_stay_below_their_limit), ROW(finds_broken_attempts),
};

CHECK_MAIN(tests)

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/ctx.h"
#include "core/http.h"
#include "store/lock.h"
#include "store/parallel.h"
#include "tests/check.h"
#include "tests/store/lone.h"

#define ITEMS 200

static int set_up(void **state) {
    (void)state;
    lone_open(4711, (size_t)4 << 20);
    return 0;
}

/* What the functions do, and saw: they assert nothing themselves, being on other threads. */
static struct plan {
    atomic_size_t ran[ITEMS];
    atomic_size_t wrong;
    size_t fails[4]; /* items that fail; ITEMS: none */
    int64_t holds_us;
    size_t bytes; /* of each result */
    bool forgets; /* broken: the result of another item */
    atomic_size_t progresses;
    size_t last_done;
    pthread_t callers;
} plan;

static void begin(void) {
    memset(&plan, 0, sizeof plan);
    for (size_t i = 0; i < COUNT_OF(plan.fails); i++)
        plan.fails[i] = ITEMS;
    plan.callers = pthread_self();
    network_well(&net);
    caller_again(&ann);
}

static void wrong_if(bool wrong) {
    if (wrong) atomic_fetch_add(&plan.wrong, 1);
}

/* Writes an item of its own, reads it back, and answers its number. */
static latch_status write_and_read(latch_ctx *cx, void *arg, size_t index, latch_json *result) {
    latch_str pk = latch_ctx_text(cx, "i%zu", index);
    latch_answer answer;
    const struct timespec hold = {0, plan.holds_us * 1000};
    wrong_if(arg != &plan || result->node != NULL || !latch_str_eq(latch_request_id(cx), LATCH_STR("r-1")));
    atomic_fetch_add(&plan.ran[index], 1);
    if (plan.holds_us > 0) nanosleep(&hold, NULL);
    for (size_t i = 0; i < COUNT_OF(plan.fails); i++)
        if (plan.fails[i] == index) return latch_refuse(cx, LATCH_CONFLICT, "no", "item", (uint64_t)index);
    latch_json key = latch_object(cx, "pk", latch_object(cx, "S", pk), "sk", latch_object(cx, "S", "s"));
    latch_json item = latch_object(cx, "pk", latch_object(cx, "S", pk), "sk", latch_object(cx, "S", "s"), "n", latch_object(cx, "S", pk));
    LATCH_TRY(latch_dynamodb_call(cx, "PutItem", latch_object(cx, "TableName", "latch", "Item", item), &answer));
    LATCH_TRY(latch_dynamodb_call(cx, "GetItem", latch_object(cx, "TableName", "latch", "ConsistentRead", latch_bool(true), "Key", key),
                                  &answer));
    latch_str n;
    LATCH_TRY(latch_read(answer.body, "Item.n.S", &n));
    char *text = latch_arena_alloc(cx->arena, plan.bytes + 1);
    if (text == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "no room");
    memset(text, 'x', plan.bytes);
    *result = latch_object(cx, "n", n, "index", (uint64_t)(plan.forgets ? index / 2 * 2 : index), "text", ((latch_str){text, plan.bytes}));
    return LATCH_OK;
}

static void on_progress(void *arg, size_t done, size_t total, size_t running) {
    (void)arg;
    wrong_if(!pthread_equal(plan.callers, pthread_self()) || done < plan.last_done || done > total || running > 8);
    plan.last_done = done;
    plan.progresses++;
}

static latch_parallel work(int connections) {
    return (latch_parallel){
        .run = write_and_read, .arg = &plan, .count = ITEMS, .connections = connections, .progress = on_progress, .arena_bytes = 1 << 20};
}

/* What it takes of the caller's arena is its own, while other threads' results come in. */
static void on_progress_with_the_arena(void *arg, size_t done, size_t total, size_t running) {
    const struct timespec hold = {0, 1000 * 1000};
    (void)arg, (void)total, (void)running;
    latch_str text = latch_ctx_text(&ann.cx, "%zu are done", done);
    size_t used = latch_arena_mark(&ann.arena);
    nanosleep(&hold, NULL);
    wrong_if(text.ptr == NULL || latch_arena_mark(&ann.arena) != used);
    plan.progresses++;
}

static void progress_may_use_the_callers_context(void **state) {
    latch_parallel_result out;
    (void)state;
    begin();
    latch_parallel p = work(4);
    p.progress = on_progress_with_the_arena;
    assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_OK);
    assert_true(plan.progresses > 0);
    assert_int_equal(plan.wrong, 0);
}

/* Results that aren't the item's own. */
static size_t misplaced(const latch_parallel_result *out) {
    size_t wrong = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        int64_t index = -1;
        if (!out->items[i].ran || out->items[i].status != LATCH_OK) continue;
        wrong += latch_read(out->items[i].result, "index", &index) != LATCH_OK || index != (int64_t)i;
    }
    return wrong;
}

static void results_stand_in_item_order(void **state) {
    static const int rows[] = {0, 1, 2, 8};
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        latch_parallel_result out;
        begin();
        net.holds_us = 200;
        net.throttles_in = 20;
        latch_parallel p = work(rows[row]);
        size_t connections = rows[row] > 1 ? (size_t)rows[row] : 1;
        assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_OK);
        assert_int_equal(out.ran, ITEMS);
        assert_int_equal(out.failed, 0);
        assert_int_equal(out.first_failed, ITEMS);
        assert_int_equal(out.connections, connections);
        assert_int_equal(net.opened, connections - 1); /* the caller's own is one of them */
        assert_int_equal(net.closed, net.opened);
        assert_true(net.most_running <= connections && (connections == 1 || net.most_running > 1));
        assert_int_equal(misplaced(&out), 0);
        assert_int_equal(plan.wrong, 0);
        assert_true(plan.progresses > 0);
        assert_int_equal(ann.usage.calls, 2 * ITEMS); /* the threads' are the invocation's */
        assert_int_equal(ann.usage.requests, net.requests);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(plan.ran[i], 1);
    }
}

static void misplaced_results_are_found(void **state) {
    latch_parallel_result out;
    (void)state;
    begin();
    plan.forgets = true;
    latch_parallel p = work(4);
    assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_OK);
    assert_int_equal(misplaced(&out), ITEMS / 2);
}

static void stops_at_the_first_failure_or_collects_all(void **state) {
    (void)state;
    for (int connections = 1; connections <= 4; connections += 3) {
        for (int collect = 0; collect < 2; collect++) {
            latch_parallel_result out;
            begin();
            plan.fails[0] = 120, plan.fails[1] = 50, plan.fails[2] = 51;
            latch_parallel p = work(connections);
            p.collect = collect == 1;
            assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_CONFLICT);
            assert_true(out.first_failed == 50 || (!p.collect && out.first_failed == 51 && connections > 1));
            const latch_parallel_item *failed = &out.items[out.first_failed];
            assert_int_equal(failed->status, LATCH_CONFLICT);
            assert_string_equal(ann.cx.err.message, out.first_failed == 50 ? "no {\"item\":50}" : "no {\"item\":51}");
            assert_true(latch_str_eq(failed->why, latch_str_of(ann.cx.err.message)));
            assert_true(p.collect ? out.ran == ITEMS && out.failed == 3 : out.ran < 60 && out.failed >= 1);
            assert_int_equal(misplaced(&out), 0);
            for (size_t i = 0; i < ITEMS; i++)
                assert_int_equal(plan.ran[i], out.items[i].ran);
            if (connections == 1 && !p.collect) assert_int_equal(out.ran, 51);
        }
    }
}

static void nothing_begins_after_the_deadline(void **state) {
    (void)state;
    for (int connections = 1; connections <= 4; connections += 3) {
        latch_parallel_result out;
        begin();
        net.takes_ms = 10;
        ann.cx.deadline_at_ms = rig_now_ms(&world) + 505;
        latch_parallel p = work(connections);
        latch_status status = latch_parallel_run(&ann.cx, &p, &out);
        assert_int_equal(status, LATCH_E_TIMEOUT);
        assert_true(out.ran > 10 && out.ran < 40);
        assert_int_equal(misplaced(&out), 0);
    }
}

static void full_arenas_are_told(void **state) {
    latch_parallel_result out;
    (void)state;
    begin();
    plan.bytes = 64 * 1024; /* × 200 is more than the caller has */
    latch_parallel p = work(4);
    assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_E_NOMEM);
    assert_true(out.ran < ITEMS);
    begin();
    plan.bytes = 4 << 20; /* more than an item has */
    assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_E_NOMEM);
    for (size_t bytes = 64; bytes < 16384; bytes *= 2) {
        caller small;
        begin();
        caller_init(&small, &net, bytes);
        assert_int_equal(latch_parallel_run(&small.cx, &p, &out), LATCH_E_NOMEM);
        caller_clean_up(&small);
    }
}

static latch_status takes_what_it_cannot(latch_ctx *cx, void *arg, size_t index, latch_json *result) {
    static const latch_lock door = {.name = "door"};
    latch_hold hold;
    latch_fetch_reply reply;
    (void)arg, (void)index, (void)result;
    wrong_if(latch_lock_take(cx, &door, LATCH_STR("k"), &hold) != LATCH_E_MISUSE);
    return latch_fetch(cx, &(latch_fetch_request){.url = LATCH_STR("http://127.0.0.1:9/")}, &reply);
}

static void a_lock_or_a_fetch_is_refused(void **state) {
    latch_parallel_result out;
    (void)state;
    begin();
    latch_parallel p = {.run = takes_what_it_cannot, .count = 1};
    assert_int_equal(latch_parallel_run(&ann.cx, &p, &out), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "HTTP session"));
    assert_int_equal(plan.wrong, 0);
    assert_int_equal(net.requests, 0);
}

static latch_status stray(latch_ctx *cx, void *arg, size_t index, latch_json *result) {
    (void)cx, (void)arg, (void)index, (void)result;
    return LATCH_MISSING; /* and says nothing */
}

static void bad_arguments_are_refused(void **state) {
    latch_parallel_result out;
    (void)state;
    begin();
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.count = 1}, &out), LATCH_E_MISUSE);
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.run = stray, .count = 1, .connections = -1}, &out), LATCH_E_MISUSE);
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.run = stray, .count = SIZE_MAX}, &out), LATCH_E_MISUSE);
    assert_null(out.items);
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.run = stray}, &out), LATCH_OK);
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.run = stray, .count = 2, .connections = 2}, &out), LATCH_MISSING);
    assert_string_equal(ann.cx.err.message, "item 0: Missing");
    ann.cx.table = NULL;
    assert_int_equal(latch_parallel_run(&ann.cx, &(latch_parallel){.run = stray, .count = 1}, &out), LATCH_E_MISUSE);
    ann.cx.table = &ann.table;
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, lone_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(results_stand_in_item_order),
    ROW(misplaced_results_are_found),
    ROW(stops_at_the_first_failure_or_collects_all),
    ROW(nothing_begins_after_the_deadline),
    ROW(full_arenas_are_told),
    ROW(a_lock_or_a_fetch_is_refused),
    ROW(bad_arguments_are_refused),
    ROW(progress_may_use_the_callers_context),
};

CHECK_MAIN(tests)

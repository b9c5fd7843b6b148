/* test_worker.c - several workers in one process, against a service that hands out events to whoever asks (crowd.h). */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/log.h"
#include "runtime/event.h"
#include "runtime/loop.h"
#include "store/counter.h"
#include "store/kv.h"
#include "store/open.h"
#include "tests/check.h"
#include "tests/runtime/crowd.h"

static crowd service;
static latch_log log_file;
static char *written;

static int set_up(void **state) {
    static const char *const unset[] = {"LATCH_ARENA_MB", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LATCH_TABLE",
                                        "AWS_LAMBDA_MAX_CONCURRENCY"};
    (void)state;
    memset(&service, 0, sizeof service);
    log_file = (latch_log){.fd = memfd_create("log", MFD_CLOEXEC)};
    (void)fcntl(log_file.fd, F_SETFL, O_APPEND); /* two threads that write at once would write to one place of it */
    for (size_t i = 0; i < COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    setenv("_HANDLER", "h", 1);
    setenv("LATCH_STORE", "embedded", 1);
    return log_file.fd < 0;
}

static int tear_down(void **state) {
    (void)state;
    crowd_forget(&service);
    free(written);
    written = NULL;
    close(log_file.fd);
    return 0;
}

/* Runs the process against `service`; its exit status. What it logged is in `written`. */
static int run(const char *workers, latch_loop_options options) {
    options.clock = latch_clock_system();
    options.log = &log_file;
    crowd_start(&service);
    setenv("AWS_LAMBDA_RUNTIME_API", service.address, 1);
    if (workers != NULL) setenv("AWS_LAMBDA_MAX_CONCURRENCY", workers, 1);
    int status = latch_loop_run(&options);
    crowd_stop(&service);
    off_t len = lseek(log_file.fd, 0, SEEK_END);
    free(written);
    written = calloc(1, (size_t)len + 1);
    if (written == NULL || pread(log_file.fd, written, (size_t)len, 0) != len) abort();
    return status;
}

static int run_handler(const char *workers, latch_event_fn *event) {
    const latch_handler handler = {.name = "h", .event = event};
    return run(workers, (latch_loop_options){.handlers = &handler, .count = 1});
}

/* Each event has one response, its own, and no error. */
static size_t count_bad(void) {
    size_t bad = atomic_load(&service.wrong);
    for (size_t i = 0; i < service.count; i++) {
        const crowd_outcome *o = &service.outcomes[i];
        bad += atomic_load(&o->responses) != 1 || atomic_load(&o->errors) != 0 || o->mismatched;
    }
    return bad;
}

static bool is_its_number(size_t i, const char *body) {
    char number[32];
    snprintf(number, sizeof number, "%zu", i);
    return strcmp(body, number) == 0;
}

static int64_t now_ms(void) {
    const latch_clock clock = latch_clock_system();
    return clock.boot_us(clock.self) / 1000;
}

static void nap_ms(long ms) { nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL); }

/* ── how many ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status echo(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}

static void refuses_what_is_no_number_of_workers(void **state) {
    static const char *const rows[] = {"0", "-1", "1601", "many", "4 ", "99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char says[128];
        assert_int_equal(run_handler(rows[i], echo), 1);
        assert_int_equal(service.init_errors, 1);
        snprintf(says, sizeof says, "AWS_LAMBDA_MAX_CONCURRENCY is \\\"%.40s\\\", want a whole number from 1 to 1600", rows[i]);
        if (strstr(service.init_error, says) == NULL) fail_msg("%s: %s", rows[i], service.init_error);
        crowd_forget(&service);
        memset(&service, 0, sizeof service);
    }
}

static int64_t threads_now(void) {
    char line[128];
    long threads = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Threads: %ld", &threads) == 1) break;
    if (f != NULL) fclose(f);
    return threads;
}

static latch_status count_threads(latch_ctx *cx, latch_event *event) {
    return latch_event_reply(event, latch_object(cx, "threads", threads_now(), "trace", latch_str_of(getenv("_X_AMZN_TRACE_ID"))));
}

/* The service's threads: one that listens, one for a connection. */
static void one_worker_has_no_thread(void **state) {
    static const char *const rows[] = {NULL, "", "1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char says[64];
        snprintf(says, sizeof says, "{\"threads\":%" PRId64 ",\"trace\":\"Root=1-0\"}", threads_now() + 2);
        service.count = 1;
        assert_int_equal(run_handler(rows[i], count_threads), 0);
        assert_string_equal(service.outcomes[0].body, says);
        assert_int_equal(service.connections, 1);
        crowd_forget(&service);
        memset(&service, 0, sizeof service);
        unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    }
}

static atomic_int inside;

/* Until all of them are in. */
static latch_status meet_the_others(latch_ctx *cx, latch_event *event) {
    atomic_fetch_add(&inside, 1);
    for (int i = 0; atomic_load(&inside) < 8 && i < 5000; i++)
        nap_ms(1);
    latch_info(cx, "met", "inside", (int64_t)atomic_load(&inside));
    return latch_event_reply(event,
                             latch_object(cx, "met", (int64_t)atomic_load(&inside), "trace", latch_str_of(getenv("_X_AMZN_TRACE_ID"))));
}

static void several_run_at_once_and_log_whose_record_it_is(void **state) {
    (void)state;
    atomic_store(&inside, 0);
    service.count = 8;
    setenv("_X_AMZN_TRACE_ID", "left over", 1);
    assert_int_equal(run_handler("8", meet_the_others), 0);
    assert_int_equal(service.running_max, 8);
    assert_int_equal(service.connections, 8);
    for (size_t i = 0; i < 8; i++) {
        char id[64];
        assert_string_equal(service.outcomes[i].body, "{\"met\":8,\"trace\":\"\"}");
        snprintf(id, sizeof id, "\"requestId\":\"r-%zu\"", i);
        if (strstr(written, id) == NULL) fail_msg("no %s in %s", id, written);
    }
    assert_int_equal(*written, '{'); /* JSON, though the process's log was TEXT */
}

/* ── what each has ───────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_counter done = {.name = "done"};
static const latch_kv notes = {.name = "notes"};

static latch_stores stores;
static latch_ctx *process_cx;
static int64_t done_at_end;
static atomic_int opened, closed, inits;

static latch_status open_stores(latch_ctx *cx, const latch_handler *handler, void *self) {
    process_cx = cx;
    return latch_stores_open(cx, handler->stores, self);
}
static void close_stores(void *self) {
    latch_counted counted = {0};
    const latch_str key = LATCH_STR("all");
    done_at_end = latch_counter_get(process_cx, &done, &key, 1, &counted) == LATCH_OK ? counted.count : -1;
    latch_stores_close(self);
}
static latch_status open_more(latch_ctx *cx, void *self, void **mine) {
    atomic_fetch_add(&opened, 1);
    *mine = latch_arena_alloc(cx->arena, sizeof(latch_stores_more));
    return *mine != NULL ? latch_stores_open_more(cx, self, *mine) : latch_err_set(&cx->err, LATCH_E_NOMEM, "no memory");
}
static void close_more(void *mine) {
    atomic_fetch_add(&closed, 1);
    latch_stores_close_more(mine);
}
static latch_status init_once(latch_ctx *cx) {
    (void)cx;
    atomic_fetch_add(&inits, 1);
    return LATCH_OK;
}

static int run_with_stores(const char *workers, latch_event_fn *event) {
    const latch_handler handler = {.name = "h", .event = event, .init = init_once, .stores = true};
    done_at_end = 0;
    atomic_store(&opened, 0);
    atomic_store(&closed, 0);
    atomic_store(&inits, 0);
    return run(workers, (latch_loop_options){.handlers = &handler,
                                             .count = 1,
                                             .open = open_stores,
                                             .close = close_stores,
                                             .open_more = open_more,
                                             .close_more = close_more,
                                             .self = &stores});
}

/* A note of its own is written and read back, and all count in one place. */
static latch_status take_a_note(latch_ctx *cx, latch_event *event) {
    latch_str key = latch_copy(cx, latch_event_bytes(event));
    int64_t n, back;
    latch_json sent, note;
    LATCH_TRY(latch_event_json(event, &sent));
    LATCH_TRY(latch_read(sent, "", &n));
    LATCH_TRY(latch_kv_set(cx, &notes, key, latch_object(cx, "n", n)));
    LATCH_TRY(latch_counter_incr(cx, &done, LATCH_STR("all"), 1, NULL));
    LATCH_TRY(latch_kv_get(cx, &notes, key, &note));
    LATCH_TRY(latch_read(note, "n", &back));
    LATCH_TRY(latch_kv_delete(cx, &notes, key));
    return latch_event_reply_bytes(event, latch_ctx_text(cx, "%" PRId64, back));
}

/* As many as ./dev prove workers asks for; by default what a test run has time for. */
static size_t how_many(size_t by_default) {
    const char *text = getenv("LATCH_WORKERS_INVOCATIONS");
    return text != NULL ? strtoul(text, NULL, 10) : by_default;
}

static void sixty_four_workers_answer_each_invocation_once(void **state) {
    (void)state;
    service.count = how_many(2000);
    service.checks = is_its_number;
    service.timeout_ms = 60000;
    int64_t from_ms = now_ms();
    assert_int_equal(run_with_stores("64", take_a_note), 0);
    int64_t took_ms = now_ms() - from_ms;
    print_message("64 workers, %zu invocations, 4 store calls each, %d at once at most: %lld ms\n", service.count, service.running_max,
                  (long long)took_ms);
    assert_int_equal(count_bad(), 0);
    assert_int_equal(done_at_end, service.count);
    assert_int_equal(service.connections, 64);
    assert_int_equal(inits, 1);
    assert_int_equal(opened, 63);
    assert_int_equal(closed, 63);
    assert_true(service.running_max > 1);
}

/* A count that is read, then written: others count in between. */
static latch_status count_carelessly(latch_ctx *cx, latch_event *event) {
    latch_json was = LATCH_NULL;
    int64_t n = 0;
    bool none;
    LATCH_TRY_BUT(LATCH_MISSING, none, latch_kv_get(cx, &notes, LATCH_STR("count"), &was));
    if (!none) LATCH_TRY(latch_read(was, "n", &n));
    sched_yield();
    LATCH_TRY(latch_kv_set(cx, &notes, LATCH_STR("count"), latch_object(cx, "n", n + 1)));
    LATCH_TRY(latch_counter_add(cx, &done, LATCH_STR("all"), 0, NULL));
    if (n + 1 > atomic_load(&inside)) atomic_store(&inside, (int)n + 1);
    return echo(cx, event);
}

/* What is the invocation's is kept where all see it: another's event is answered. */
static atomic_uintptr_t shared_ptr;
static atomic_size_t shared_len;
static char shared_text[16][32];

static latch_status answer_from_what_is_shared(latch_ctx *cx, latch_event *event) {
    static atomic_uint slots;
    latch_str bytes = latch_event_bytes(event);
    unsigned slot = atomic_fetch_add(&slots, 1) % 16;
    (void)cx;
    memcpy(shared_text[slot], bytes.ptr, bytes.len < 32 ? bytes.len : 32);
    atomic_store(&shared_ptr, (uintptr_t)shared_text[slot]);
    atomic_store(&shared_len, bytes.len);
    nap_ms(1);
    return latch_event_reply_bytes(event, (latch_str){(const char *)atomic_load(&shared_ptr), atomic_load(&shared_len)});
}

static void twins_that_share_too_much_are_noticed(void **state) {
    (void)state;
    service.count = 200;
    service.checks = is_its_number;
    assert_int_equal(run_handler("8", answer_from_what_is_shared), 0);
    assert_true(count_bad() > 0);
    crowd_forget(&service);
    memset(&service, 0, sizeof service);
    atomic_store(&inside, 0);
    service.count = 500;
    assert_int_equal(run_with_stores("8", count_carelessly), 0);
    assert_int_equal(count_bad(), 0);
    assert_true(atomic_load(&inside) < 500); /* counts were lost */
}

/* Nobody leaves before eight are in. */
static atomic_int met;

static latch_status meet_seven_others(latch_ctx *cx, latch_event *event) {
    atomic_fetch_add(&met, 1);
    for (int waited_ms = 0; atomic_load(&met) < 8 && waited_ms < 20000; waited_ms++)
        nap_ms(1);
    return atomic_load(&met) < 8 ? latch_fail(cx, "Alone", "the others didn't come") : echo(cx, event);
}

static void eight_workers_are_at_work_at_once(void **state) {
    (void)state;
    atomic_store(&met, 0);
    service.count = 8;
    service.timeout_ms = 60000;
    assert_int_equal(run_handler("8", meet_seven_others), 0);
    assert_int_equal(count_bad(), 0);
    assert_int_equal(service.running_max, 8);
}

static latch_status wait_two_ms(latch_ctx *cx, latch_event *event) {
    nap_ms(2);
    return echo(cx, event);
}

/* Invocations a second. */
static double measure(const char *workers, bool waiting, size_t count) {
    service.count = count;
    service.timeout_ms = 60000;
    int64_t from_ms = now_ms();
    assert_int_equal(waiting ? run_handler(workers, wait_two_ms) : run_with_stores(workers, take_a_note), 0);
    int64_t took_ms = now_ms() - from_ms;
    assert_int_equal(count_bad(), 0);
    crowd_forget(&service);
    memset(&service, 0, sizeof service);
    return (double)count * 1000 / (double)(took_ms > 0 ? took_ms : 1);
}

/* For whoever looks, and ./dev prove workers: how much is done in a second is no matter of right and wrong. */
static void what_more_workers_do_in_a_second(void **state) {
    static const char *const workers[] = {"1", "4", "16", "64"};
    size_t count = how_many(2000) / 10;
    (void)state;
    print_message("invocations a second, of %zu: workers, each waits 2 ms, each has 4 store calls\n", count);
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        double waiting = measure(workers[i], true, count), working = measure(workers[i], false, count);
        print_message("%9s %10.0f %10.0f\n", workers[i], waiting, working);
    }
}

/* ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void arenas_that_do_not_fit_are_an_init_error(void **state) {
    struct rlimit before, less;
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    less = before;
    less.rlim_cur = (rlim_t)8 << 30;
    assert_int_equal(setrlimit(RLIMIT_AS, &less), 0);
    setenv("LATCH_ARENA_MB", "1024", 1);
    int status = run_handler("16", echo);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(status, 1);
    assert_int_equal(service.init_errors, 1);
    if (strstr(service.init_error, "1073741824 bytes of address space for each of 16 workers are not to be had: lower LATCH_ARENA_MB or "
                                   "AWS_LAMBDA_MAX_CONCURRENCY") == NULL)
        fail_msg("%s", service.init_error);
#else
    (void)before, (void)less; /* a sanitizer's own addresses are over any limit: the release build has it */
#endif
}

static latch_status open_none(latch_ctx *cx, void *self, void **mine) {
    (void)self, (void)mine;
    return latch_err_set(&cx->err, LATCH_E_NETWORK, "there is no other connection");
}

static void a_worker_that_does_not_start_leaves_the_others(void **state) {
    const latch_handler handler = {.name = "h", .event = echo};
    (void)state;
    service.count = 20;
    service.checks = is_its_number;
    assert_int_equal(run("4", (latch_loop_options){.handlers = &handler, .count = 1, .open_more = open_none}), 0);
    assert_int_equal(count_bad(), 0);
    assert_int_equal(service.connections, 1);
    assert_non_null(strstr(written, "a worker could not start, the others go on"));
    assert_non_null(strstr(written, "there is no other connection"));
}

/* One is refused for ever, after another was answered; connections of the others are cut. Each goes on by itself. */
static void a_worker_that_gets_no_event_leaves_the_others(void **state) {
    (void)state;
    service.count = 200;
    service.checks = is_its_number;
    service.refuses = 2;
    service.cut_every = 9;
    assert_int_equal(run_handler("4", wait_two_ms), 0);
    assert_int_equal(count_bad(), 0);
    assert_in_range(service.refused, 1, 20); /* 50 ms, 100 ms, …: it doesn't hammer */
    assert_true(service.connections > 4);
    assert_non_null(strstr(written, "no event, asking again"));
}

static int five_hundred_for_the_third(size_t i) { return i == 2 ? 500 : 202; }

static latch_status take_longer_than_allowed(latch_ctx *cx, latch_event *event) {
    latch_str bytes = latch_event_bytes(event);
    if (latch_str_eq(bytes, LATCH_STR("0"))) nap_ms(150);
    return echo(cx, event);
}

/* 500 is for the process: the others finish what they have, and ask for no more. */
static void a_500_ends_the_process_within_a_second(void **state) {
    (void)state;
    service.count = 100000;
    service.status = five_hundred_for_the_third;
    int64_t from_ms = now_ms();
    assert_int_equal(run_handler("4", take_longer_than_allowed), 1);
    assert_true(now_ms() - from_ms < 1000);
    assert_in_range(service.outcomes[0].responses, 1, 2);  /* it was in flight; an answer that is not heard soon is asked for again */
    assert_in_range(atomic_load(&service.handed), 3, 100); /* and then no more were asked for */
}

static struct { atomic_bool armed, both_ask, shuts, posted, shut; } slow;

static void await_flag(const atomic_bool *flag, int most_ms) {
    for (int ms = 0; ms < most_ms && !atomic_load(flag); ms++)
        nap_ms(1);
}

/* In place of the library's: who stops the others is held up between their descriptor and its shutdown, as a busy machine may do. */
int shutdown(int fd, int how) {
    if (atomic_exchange(&slow.armed, false)) {
        atomic_store(&slow.shuts, true);
        await_flag(&slow.posted, 300);
        nap_ms(10);
        int status = (int)syscall(SYS_shutdown, fd, how);
        atomic_store(&slow.shut, true);
        return status;
    }
    return (int)syscall(SYS_shutdown, fd, how);
}

/* The second event comes when its worker's descriptor has been looked at, and isn't shut down yet. */
static const char *when_it_is_stopped(size_t i) {
    if (i == 0) await_flag(&slow.both_ask, 2000);
    if (i == 1) atomic_store(&slow.both_ask, true);
    if (i == 1) await_flag(&slow.shuts, 2000);
    return i == 0 ? "0" : "1";
}

static int five_hundred_for_the_first(size_t i) {
    if (i == 0) return 500;
    atomic_store(&slow.posted, true);
    await_flag(&slow.shut, 100);
    return 202;
}

/* The connection that a worker opens next has the number of the one that it closed. */
static void what_is_stopped_is_not_another_connection(void **state) {
    (void)state;
    service.count = 2;
    service.event = when_it_is_stopped;
    service.status = five_hundred_for_the_first;
    atomic_store(&slow.armed, true);
    assert_int_equal(run_handler("2", echo), 1);
    assert_true(atomic_load(&slow.shut));
    assert_int_equal(service.outcomes[1].responses, 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(refuses_what_is_no_number_of_workers),
    ROW(one_worker_has_no_thread),
    ROW(several_run_at_once_and_log_whose_record_it_is),
    ROW(sixty_four_workers_answer_each_invocation_once),
    ROW(twins_that_share_too_much_are_noticed),
    ROW(eight_workers_are_at_work_at_once),
    ROW(what_more_workers_do_in_a_second),
    ROW(arenas_that_do_not_fit_are_an_init_error),
    ROW(a_worker_that_does_not_start_leaves_the_others),
    ROW(a_worker_that_gets_no_event_leaves_the_others),
    ROW(a_500_ends_the_process_within_a_second),
    ROW(what_is_stopped_is_not_another_connection),
};

CHECK_MAIN(tests)

/* test_ending.c - a handler that crashes, hangs or calls exit(), alone and among others: who hears of it, when, and how the process ends. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/ctx_private.h"
#include "runtime/ending.h"
#include "tests/check.h"
#include "tests/runtime/crowd.h"

static crowd service;
static char said[65536]; /* by the child, on both */

static int set_up(void **state) {
    (void)state;
    memset(&service, 0, sizeof service);
    service.only_one_outcome = true;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    crowd_forget(&service);
    return 0;
}

static void again(void) {
    tear_down(NULL);
    set_up(NULL);
}

static const char *arena_mb; /* NULL: as ever */

static void be_child(const char *handler, const char *workers, int out) {
    static const char options[] =
        "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:allow_user_segv_handler=1:detect_leaks=0";
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    setenv("AWS_LAMBDA_RUNTIME_API", service.address, 1);
    setenv("_HANDLER", handler, 1);
    unsetenv("LATCH_ARENA_MB");
    if (arena_mb != NULL) setenv("LATCH_ARENA_MB", arena_mb, 1);
    unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    if (workers != NULL) setenv("AWS_LAMBDA_MAX_CONCURRENCY", workers, 1);
    setenv("ASAN_OPTIONS", options, 1);
    execl(CRASH_CHILD, CRASH_CHILD, (char *)NULL);
    _exit(127);
}

/* The child's wait status. One that is still there after 10 s is killed: SIGKILL is what the test sees. */
static int run(const char *handler, const char *workers) {
    int status = 0, ends[2];
    size_t len = 0;
    crowd_start(&service);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) be_child(handler, workers, ends[1]);
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (int waited_ms = 0; waitpid(child, &status, WNOHANG) == 0; waited_ms += 5) {
        ssize_t n = read(ends[0], said + len, sizeof said - 1 - len);
        if (n > 0) len += (size_t)n;
        if (waited_ms > 10000) kill(child, SIGKILL);
        usleep(5000);
    }
    for (ssize_t n = 1; n > 0 && len<sizeof said - 1; len += n> 0 ? (size_t)n : 0)
        n = read(ends[0], said + len, sizeof said - 1 - len);
    said[len] = '\0';
    close(ends[0]);
    crowd_stop(&service);
    return status;
}

#define assert_says(text, part)                                                                                                            \
    do {                                                                                                                                   \
        if ((text) == NULL || strstr((text), (part)) == NULL) fail_msg("no \"%s\" in %s", (part), (text) != NULL ? (text) : "nothing");    \
    } while (0)

static bool exited(int status, int with) { return WIFEXITED(status) && WEXITSTATUS(status) == with; }
static bool died(int status, int of) { return WIFSIGNALED(status) && WTERMSIG(status) == of; }

static const char *the_event = "hang";
static const char *that_event(size_t i) {
    (void)i;
    return the_event;
}

static int run_events(size_t count, int64_t timeout_ms, const char *(*event)(size_t i), const char *workers) {
    service.count = count;
    service.timeout_ms = timeout_ms;
    service.event = event;
    return run("crash", workers);
}

static int run_one(const char *way, int64_t timeout_ms, const char *workers) {
    the_event = way;
    return run_events(1, timeout_ms, that_event, workers);
}

static void assert_answered(const crowd_outcome *o) {
    assert_int_equal(o->responses, 1);
    assert_int_equal(o->errors, 0);
    assert_false(o->mismatched);
}

static void assert_reported(const crowd_outcome *o, const char *type) {
    assert_int_equal(o->errors, 1);
    assert_int_equal(o->responses, 0);
    assert_false(o->mismatched);
    assert_string_equal(o->type, type);
}

/* ── hangs ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_hang_is_reported_before_the_deadline_with_what_it_waits_for(void **state) {
    static const struct {
        const char *way, *says, *frame;
    } rows[] = {
        {"wait", "the handler crash has not returned 200 ms before its deadline: it waits for price sku-7, for ", "wait_for_ever+0x"},
        {"hang", "it is in code of its own, the stack trace says where", "wait_for_ever+0x"},
        {"spin", "it is in code of its own, the stack trace says where", "spin_for_ever+0x"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_one(rows[i].way, 1000, NULL);
        const crowd_outcome *o = &service.outcomes[0];
        if (!exited(status, 1)) fail_msg("%s: wait status %x: %s", rows[i].way, (unsigned)status, said);
        assert_reported(o, "Function.DeadlineExceeded");
        assert_says(o->body, "\"errorType\":\"DeadlineExceeded\"");
        assert_says(o->body, rows[i].says);
        assert_says(o->body, rows[i].frame);
        assert_says(o->cause, "\"exceptions\":[{\"type\":\"DeadlineExceeded\",\"message\":\"the handler crash has not returned");
        assert_says(said, "\"level\":\"FATAL\",\"requestId\":\"r-0\",\"message\":\"the handler has ended the process\",\"errorMessage\":");
        if (o->after_ms < 795 || o->after_ms >= 1000) fail_msg("%s: after %lld ms", rows[i].way, (long long)o->after_ms);
    }
}

static const char *naps_then_hang(size_t i) { return i == 0 ? "nap200" : i == 1 ? "nap500" : i == 2 ? "nap200" : "hang"; }

/* The timer was left at the first one's deadline, and goes off in others, which have more time. */
static void each_has_its_own_deadline(void **state) {
    (void)state;
    int status = run_events(4, 900, naps_then_hang, NULL);
    assert_true(exited(status, 1));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(service.outcomes[i].responses, 1);
    assert_int_equal(service.outcomes[3].errors, 1);
    if (service.outcomes[3].after_ms < 695 || service.outcomes[3].after_ms >= 900)
        fail_msg("after %lld ms", (long long)service.outcomes[3].after_ms);
}

static void what_has_no_deadline_or_little_time_is_not_watched(void **state) {
    static const struct {
        int64_t timeout_ms;
        const char *way;
    } rows[] = {{0, "nap900"}, {350, "nap200"}, {399, "nap500"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_one(rows[i].way, rows[i].timeout_ms, NULL);
        assert_true(exited(status, 0));
        assert_answered(&service.outcomes[0]);
    }
}

/* ── exit() ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void exit_is_reported_with_its_status(void **state) {
    static const struct {
        const char *way;
        int status;
        const char *says, *prints;
    } rows[] = {
        {"exit3", 3, "exit(3) was called in the handler crash", ""},
        {"exit0", 0, "exit(0) was called in the handler crash", ""},
        {"exit_thread", 4, "exit(4) was called in the handler crash", ""},
        {"exit_handler", 6, "exit(6) was called in the handler crash", "bye"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_one(rows[i].way, 5000, NULL);
        const crowd_outcome *o = &service.outcomes[0];
        if (!exited(status, rows[i].status)) fail_msg("%s: wait status %x", rows[i].way, (unsigned)status);
        assert_reported(o, "Function.Exit");
        assert_says(o->body, rows[i].says);
        assert_says(o->body, "exit+0x");
        assert_says(said, rows[i].prints);
    }
}

/* It ends nothing but the thread: with others in the process, nobody would run the invocation, nor hear of it. */
static void the_end_of_the_thread_is_reported(void **state) {
    static const struct {
        const char *way, *workers;
    } rows[] = {{"thread_exit", NULL}, {"thrd_exit", NULL}, {"thread_exit", "2"}, {"thrd_exit", "2"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_one(rows[i].way, 5000, rows[i].workers);
        if (!exited(status, 1)) fail_msg("row %zu: wait status %x: %s", i, (unsigned)status, said);
        assert_reported(&service.outcomes[0], "Function.Exit");
        assert_says(service.outcomes[0].body, "pthread_exit() or its like was called in the handler crash");
        assert_says(said, "\"level\":\"FATAL\",\"requestId\":\"r-0\"");
    }
    assert_true(exited(run("leave", NULL), 1));
    assert_int_equal(service.init_errors, 1);
    assert_string_equal(service.init_type, "Function.Exit");
    assert_says(service.init_error, "pthread_exit() or its like was called in the init of the handler leave");
}

static void exit_in_init_is_an_init_error(void **state) {
    (void)state;
    int status = run("exit", NULL);
    assert_true(exited(status, 3));
    assert_int_equal(service.init_errors, 1);
    assert_string_equal(service.init_type, "Function.Exit");
    assert_says(service.init_error, "exit(3) was called in the init of the handler exit");
}

static int64_t boot_ms(void) {
    const latch_clock clock = latch_clock_system();
    return clock.boot_us(clock.self) / 1000;
}

/* Workers that haven't begun are not waited for. */
static void an_init_that_ends_does_so_at_once(void **state) {
    static const char *const handlers[] = {"init", "exit"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(handlers); i++, again()) {
        int64_t from_ms = boot_ms();
        int status = run(handlers[i], "4");
        int64_t took_ms = boot_ms() - from_ms;
        assert_true(i == 0 ? died(status, SIGSEGV) : exited(status, 3));
        assert_int_equal(service.init_errors, 1);
        if (took_ms >= 900) fail_msg("%s: %lld ms", handlers[i], (long long)took_ms);
    }
}

/* A fault on the way along the frames changes neither what is told nor how the process ends. */
static void frames_that_lead_nowhere_change_nothing(void **state) {
    static const struct {
        const char *way, *type, *says;
        int status;
    } rows[] = {
        {"hang_lost", "Function.DeadlineExceeded", "hang_lost+0x", 1},
        {"exit_lost", "Function.Exit", "exit(3) was called in the handler crash", 3},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++, again()) {
        size_t row = i % COUNT_OF(rows);
        int status = run_one(rows[row].way, 1000, i < COUNT_OF(rows) ? NULL : "2");
        assert_reported(&service.outcomes[0], rows[row].type);
        assert_says(service.outcomes[0].body, rows[row].says);
        if (!exited(status, rows[row].status)) fail_msg("%s: wait status %x: %s", rows[row].way, (unsigned)status, said);
    }
}

static void the_exit_of_a_child_is_the_childs(void **state) {
    (void)state;
    the_event = "exit_child";
    int status = run_events(2, 0, that_event, NULL);
    assert_true(exited(status, 0));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(service.outcomes[i].responses, 1);
}

/* ── among others ────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *first_does(size_t i) { return i == 0 ? the_event : "nap500"; }

/* What one does is told of its own invocation; those that run are answered; nobody asks for more. */
static void others_finish_what_they_have(void **state) {
    static const struct {
        const char *way, *type, *says;
        int signal, status;
    } rows[] = {
        {"+segv", "Function.Crash", "SIGSEGV at address 0x0 in the handler crash", SIGSEGV, 0},
        {"+abort", "Function.Crash", "SIGABRT in the handler crash", SIGABRT, 0},
        {"+stack", "Function.Crash", "recurse_for_ever+0x", SIGSEGV, 0},
        {"+exit3", "Function.Exit", "exit(3) was called in the handler crash", 0, 3},
        {"+thread_exit", "Function.Exit", "pthread_exit() or its like was called in the handler crash", 0, 1},
        {"+wait", "Function.DeadlineExceeded", "it waits for price sku-7, for ", 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        the_event = rows[i].way;
        int status = run_events(100, 1500, first_does, "4");
        bool as_it_would = rows[i].signal != 0 ? died(status, rows[i].signal) : exited(status, rows[i].status);
        if (!as_it_would) fail_msg("%s: wait status %x: %s", rows[i].way, (unsigned)status, said);
        assert_reported(&service.outcomes[0], rows[i].type);
        assert_says(service.outcomes[0].body, rows[i].says);
        size_t answered = service.answered; /* until one hangs for too long, the others go on: one may be handed an event in that moment */
        bool hangs = strcmp(rows[i].way, "+wait") == 0;
        assert_in_range(service.running, 0, hangs ? 3 : 0);
        assert_in_range(answered, 4, hangs ? 16 : 4);
        for (size_t k = 1; k < answered; k++)
            assert_answered(&service.outcomes[k]);
    }
}

static const char *crash_then_nap(size_t i) { return i == 0 ? "+segv" : "nap200"; }

/* How it ended for the event that one gets who waits, when another's crash has been told of. */
static int count_handed_over(crowd_more more, const char *workers) {
    service.more = more;
    int status = run_events(1, 3000, crash_then_nap, workers);
    if (!died(status, SIGSEGV)) fail_msg("wait status %x: %s", (unsigned)status, said);
    assert_reported(&service.outcomes[0], "Function.Crash");
    assert_int_equal(service.outcomes[1].errors, 0);
    return service.outcomes[1].responses;
}

/* What has begun to come is run and answered. Only what is sent when nobody reads any more is lost, and the twin, which sends then, is noticed. */
static void an_event_that_is_on_its_way_is_run(void **state) {
    static const char *const workers[] = {"2", "4"};
    (void)state;
    for (size_t i = 0; i < 4; i++, again()) {
        if (count_handed_over(i < 2 ? CROWD_MORE_BEFORE : CROWD_MORE_HALF, workers[i % 2]) != 1) fail_msg("row %zu: it is lost", i);
    }
    assert_int_equal(count_handed_over(CROWD_MORE_AFTER, "4"), 0);
}

static const char *two_crash(size_t i) { return i < 2 ? "+segv" : i == 2 ? "+exit3" : "nap500"; }

static void each_of_several_crashes_is_reported(void **state) {
    (void)state;
    for (int round = 0; round < 5; round++, again()) {
        int status = run_events(5, 3000, two_crash, "5");
        if (!died(status, SIGSEGV) && !exited(status, 3)) fail_msg("wait status %x: %s", (unsigned)status, said);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(service.outcomes[i].errors, i < 3);
            assert_int_equal(service.outcomes[i].responses, i >= 3);
        }
    }
}

static const char *two_exit(size_t i) { return i < 2 ? "+exit3" : "nap500"; }

static void each_of_several_exits_is_reported(void **state) {
    (void)state;
    for (int round = 0; round < 5; round++, again()) {
        int status = run_events(4, 3000, two_exit, "4");
        for (size_t i = 0; i < 4; i++) {
            if (service.outcomes[i].errors != (i < 2) || service.outcomes[i].responses != (i >= 2))
                fail_msg("round %d: %zu has %d errors, %d responses; status %x: %s", round, i, service.outcomes[i].errors,
                         service.outcomes[i].responses, (unsigned)status, said);
        }
        assert_true(exited(status, 3));
    }
}

static const char *a_thread_crashes(size_t i) { return i == 0 ? "+thread" : "nap500"; }

/* It is nobody's: its invocation waits for it, until its own watchdog tells. */
static void a_thread_of_nobodys_leaves_all_to_their_own_end(void **state) {
    (void)state;
    int status = run_events(3, 1000, a_thread_crashes, "3");
    assert_true(died(status, SIGSEGV) || exited(status, 1));
    assert_says(said, "SIGSEGV at address 0x0 in a thread that runs no invocation");
    assert_string_equal(service.outcomes[0].type, "Function.DeadlineExceeded");
    assert_int_equal(service.outcomes[0].errors, 1);
    assert_int_equal(service.running, 0);
}

/* All others have ended, the main thread among them, when it is the thread's turn to end the process: it still does, as it began to. */
static void a_thread_that_outlives_its_invocation_ends_the_process(void **state) {
    static const struct {
        const char *way, *says;
        int signal, status;
    } rows[] = {
        {"crash_apart", "SIGSEGV at address 0x0 in a thread that runs no invocation", SIGSEGV, 0},
        {"exit_apart", "exit(4) was called in the handler crash", 0, 4},
    };
    (void)state;
    arena_mb = "1"; /* less to give back: the main thread is soon at its end */
    for (size_t i = 0; i < 10 * COUNT_OF(rows); i++, again()) {
        the_event = rows[i % 2].way;
        int status = run_events(3, 3000, first_does, "3");
        bool as_it_would = rows[i % 2].signal != 0 ? died(status, rows[i % 2].signal) : exited(status, rows[i % 2].status);
        if (!as_it_would) fail_msg("%s: wait status %x: %s", the_event, (unsigned)status, said);
        assert_says(said, rows[i % 2].says);
        for (size_t k = 0; k < 3; k++)
            assert_answered(&service.outcomes[k]);
    }
    arena_mb = NULL;
}

/* ── one outcome ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *all_are_late(size_t i) {
    (void)i;
    return "late";
}

/* Handlers that return in the moment in which the watchdog barks: whoever is first, each invocation has one outcome. */
static void a_race_with_the_watchdog_has_one_winner(void **state) {
    size_t responses = 0, errors = 0;
    (void)state;
    for (int round = 0; round < 4; round++, again()) {
        int status = run_events(16, 600, all_are_late, "16");
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        for (size_t i = 0; i < 16; i++) {
            const crowd_outcome *o = &service.outcomes[i];
            if (o->responses + o->errors > 1) fail_msg("%zu has %d responses and %d errors", i, o->responses, o->errors);
            responses += (size_t)o->responses;
            errors += (size_t)o->errors;
        }
    }
    assert_true(responses + errors >= 4); /* on a machine that is busy, some reports are too late for their deadlines */
    print_message("of 64 that return as the watchdog barks, %zu were answered, %zu reported\n", responses, errors);
}

typedef bool take_fn(atomic_int *claim, latch_claim as);

/* As it would be without the exchange: looked at, then taken. */
static bool take_carelessly(atomic_int *claim, latch_claim as) {
    if (atomic_load(claim) != LATCH_CLAIM_OPEN) return false;
    atomic_store(claim, (int)as);
    return true;
}

#define CLAIMS 40000
static struct {
    atomic_int claims[CLAIMS];
    atomic_int winners[CLAIMS];
    atomic_int at[2]; /* how far each is: they take the same one at the same time */
    take_fn *take;
} race;

static void *take_all(void *arg) {
    int me = *(const int *)arg;
    for (int i = 0; i < CLAIMS; i++) {
        atomic_store(&race.at[me], i);
        while (atomic_load(&race.at[!me]) < i)
            continue;
        if (race.take(&race.claims[i], me == 0 ? LATCH_CLAIM_TAKEN : LATCH_CLAIM_ENDING)) atomic_fetch_add(&race.winners[i], 1);
    }
    atomic_store(&race.at[me], CLAIMS);
    return NULL;
}

/* How many claims both got, or nobody did. */
static int count_disputed(take_fn *take) {
    static int numbers[] = {0, 1};
    pthread_t threads[2];
    int disputed = 0;
    memset(&race, 0, sizeof race);
    race.take = take;
    for (int i = 0; i < CLAIMS; i++)
        atomic_store(&race.claims[i], LATCH_CLAIM_OPEN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &numbers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CLAIMS; i++)
        disputed += atomic_load(&race.winners[i]) != 1;
    return disputed;
}

static void an_outcome_is_claimed_once_and_the_twin_is_noticed(void **state) {
    int by_twin = 0;
    (void)state;
    assert_int_equal(count_disputed(latch_claim_take), 0);
    for (int tries = 0; by_twin == 0 && tries < 50; tries++)
        by_twin = count_disputed(take_carelessly);
    assert_true(by_twin > 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(a_hang_is_reported_before_the_deadline_with_what_it_waits_for),
    ROW(each_has_its_own_deadline),
    ROW(what_has_no_deadline_or_little_time_is_not_watched),
    ROW(exit_is_reported_with_its_status),
    ROW(the_end_of_the_thread_is_reported),
    ROW(exit_in_init_is_an_init_error),
    ROW(an_init_that_ends_does_so_at_once),
    ROW(frames_that_lead_nowhere_change_nothing),
    ROW(the_exit_of_a_child_is_the_childs),
    ROW(others_finish_what_they_have),
    ROW(an_event_that_is_on_its_way_is_run),
    ROW(each_of_several_crashes_is_reported),
    ROW(each_of_several_exits_is_reported),
    ROW(a_thread_of_nobodys_leaves_all_to_their_own_end),
    ROW(a_thread_that_outlives_its_invocation_ends_the_process),
    ROW(a_race_with_the_watchdog_has_one_winner),
    ROW(an_outcome_is_claimed_once_and_the_twin_is_noticed),
};

CHECK_MAIN(tests)

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/scope.h"
#include "core/usage.h"
#include "runtime/event.h"
#include "runtime/stream_private.h"
#include "runtime/worker.h"
#include "tests/runtime/story.h"

#define REGISTERED "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-7\r\nContent-Length: 0\r\n\r\n"
#define REGISTER                                                                                                                           \
    { .answer = REGISTERED }

/* ── registering ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status register_two(latch_ctx *cx) {
    LATCH_TRY(latch_on_shutdown(cx, say, WORD("first ")));
    return latch_on_shutdown(cx, say, WORD("second "));
}

static void runs_shutdown_hooks_last_registered_first(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, ((latch_handler){.event = answer, .init = register_two}), script);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event second first ");
}

static latch_status register_nothing(latch_ctx *cx) { return latch_on_shutdown(cx, NULL, NULL); }
static latch_status register_until_full(latch_ctx *cx) {
    latch_status status = LATCH_OK;
    while (status == LATCH_OK)
        status = latch_after_restore(cx, say, WORD(""));
    return status;
}
static latch_status register_late(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_on_shutdown(cx, say, WORD("late "));
}

static latch_status fill_arena(latch_ctx *cx) {
    for (size_t size = (size_t)1 << 20; size >= 16; size /= 2) {
        while (latch_arena_alloc(cx->arena, size) != NULL)
            continue;
    }
    return register_until_full(cx);
}

static void refuses_what_cannot_be_registered(void **state) {
    static const struct {
        latch_handler handler;
        int exit_status;
        const char *says;
    } rows[] = {
        {{.event = answer, .init = register_nothing}, 1, "latch_on_shutdown: the function is NULL"},
        {{.event = answer, .init = fill_arena}, 1, "latch_after_restore: the process's arena is full"},
        {{.event = register_late}, 0, "latch_on_shutdown: hooks are registered in a handler's init"},
    };
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        stage_play(&play, rows[i].handler, script, rows[i].exit_status == 0 ? 2 : 0);
        assert_int_equal(play.exit_status, rows[i].exit_status);
        assert_logged(rows[i].says);
        assert_string_equal(play.story, "");
    }
}

/* ── what a hook has ─────────────────────────────────────────────────────────────────────────────────────────────── */

static const int stand_in;
static int64_t left_ms;
static void *first_block;

static latch_status open_table(latch_ctx *cx, const latch_handler *handler, void *self) {
    (void)handler, (void)self;
    cx->table = (const struct latch_table *)(const void *)&stand_in;
    return LATCH_OK;
}

static void note_end(latch_ctx *cx, void *arg, latch_status ended) {
    (void)cx, (void)arg;
    tell(ended == LATCH_OK ? "ended " : "ended-badly ");
}

static latch_status look_around(latch_ctx *cx, void *arg) {
    (void)arg;
    left_ms = latch_left_ms(cx);
    assert_ptr_equal(cx->table, &stand_in);
    assert_non_null(cx->usage);
    assert_int_equal(latch_request_id(cx).len, 0);
    void *block = latch_arena_alloc(cx->arena, 100);
    assert_non_null(block);
    if (first_block == NULL) first_block = block;
    assert_ptr_equal(block, first_block); /* each hook begins with an empty arena */
    return latch_scope_add(cx, note_end, cx);
}

static latch_status look_and_fail(latch_ctx *cx, void *arg) {
    LATCH_TRY(look_around(cx, arg));
    return latch_fail(cx, "NoDisk", "the disk is gone");
}

static latch_status stray(latch_ctx *cx, void *arg) {
    (void)cx, (void)arg;
    return (latch_status)1;
}

static latch_status register_lookers(latch_ctx *cx) {
    LATCH_TRY(latch_on_shutdown(cx, look_around, NULL));
    LATCH_TRY(latch_on_shutdown(cx, stray, NULL));
    return latch_on_shutdown(cx, look_and_fail, NULL);
}

static void gives_hooks_a_context_and_goes_on_after_one_that_fails(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}};
    const latch_handler handler = {.name = "h", .event = answer, .init = register_lookers};
    (void)state;
    first_block = NULL;
    stage_play_options(&play, (latch_loop_options){.handlers = &handler, .count = 1, .open = open_table}, script, COUNT_OF(script));
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event ended-badly ended ");
    assert_int_equal(left_ms, LATCH_SHUTDOWN_WINDOW_MS);
    assert_logged("\"message\":\"a shutdown hook failed\"");
    assert_logged("the disk is gone");
    assert_logged("returned 1, which is not the status of the last call");
}

/* ── when they run ───────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status register_one(latch_ctx *cx) { return latch_on_shutdown(cx, say, WORD("hook ")); }
static latch_status register_and_fail(latch_ctx *cx) {
    LATCH_TRY(register_one(cx));
    return latch_fail(cx, "NoMenu", "the menu can't be read");
}

static void runs_them_where_the_service_ends_the_process(void **state) {
    static const struct {
        latch_status (*init)(latch_ctx *cx);
        server_step steps[4];
        size_t count;
        int exit_status;
        const char *story;
    } rows[] = {
        {register_one, {REGISTER}, 1, 0, "hook "},
        {register_one, {REGISTER, {.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"}}, 2, 1, "hook "},
        {register_one, {REGISTER, {.event = "1"}, {.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"}}, 3, 1, "event hook "},
        {register_and_fail, {{.answer = ACCEPTED}}, 1, 1, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        stage_play(&play, (latch_handler){.event = answer, .init = rows[i].init}, rows[i].steps, rows[i].count);
        if (play.exit_status != rows[i].exit_status || strcmp(play.story, rows[i].story) != 0)
            fail_msg("row %zu: exit %d, \"%s\": %s", i, play.exit_status, play.story, play.written);
    }
}

/* ── SIGTERM ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status register_in_storm(latch_ctx *cx) {
    LATCH_TRY(register_one(cx));
    raise(SIGTERM);
    tell("init ");
    return LATCH_OK;
}

static latch_status answer_in_storm(latch_ctx *cx, latch_event *event) {
    for (int i = 0; i < 5; i++)
        raise(SIGTERM);
    return answer(cx, event);
}

static latch_status say_in_storm(latch_ctx *cx, void *word) {
    raise(SIGTERM);
    raise(SIGTERM);
    return say(cx, word);
}
static latch_status register_stormy(latch_ctx *cx) {
    LATCH_TRY(register_one(cx));
    return latch_on_shutdown(cx, say_in_storm, WORD("stormy "));
}

/* The invocation that runs ends and is answered, no other is asked for, the hooks run once, the process ends with 0. */
static void stops_at_sigterm(void **state) {
    static const struct {
        const char *when;
        latch_handler handler;
        server_step steps[6];
        size_t count, nexts, responses;
        const char *story;
    } rows[] = {
        {"the first event is waited for",
         {.event = answer, .init = register_one},
         {REGISTER, {.stall = HOLDS, .signal = SIGTERM}},
         2,
         1,
         0,
         "hook "},
        {"a later one is",
         {.event = answer, .init = register_one},
         {REGISTER, {.event = "1"}, {.answer = ACCEPTED}, {.stall = HOLDS, .signal = SIGTERM}},
         4,
         2,
         1,
         "event hook "},
        {"a handler runs",
         {.event = answer_in_storm, .init = register_one},
         {REGISTER, {.event = "1"}, {.answer = ACCEPTED}},
         3,
         1,
         1,
         "event hook "},
        {"the answer is posted",
         {.event = answer, .init = register_one},
         {REGISTER, {.event = "1"}, {.answer = ACCEPTED, .signal = SIGTERM, .pause_ms = 30}},
         3,
         1,
         1,
         "event hook "},
        {"an event has begun to come",
         {.event = answer, .init = register_one},
         {REGISTER, {.event = "{\"large\":\"0123456789\"}", .stall = HALFWAY, .signal = SIGTERM, .pause_ms = 30}, {.answer = ACCEPTED}},
         3,
         1,
         1,
         "event hook "},
        {"a hook runs",
         {.event = answer, .init = register_stormy},
         {REGISTER, {.stall = HOLDS, .signal = SIGTERM}},
         2,
         1,
         0,
         "stormy hook "},
        {"init runs", {.event = answer, .init = register_in_storm}, {{.event = "1"}}, 0, 0, 0, "init hook "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        stage_play(&play, rows[i].handler, rows[i].steps, rows[i].count);
        size_t nexts = count_asked(NEXT_LINE), responses = count_asked(RESPONSE_LINE("r-1"));
        if (play.exit_status != 0 || nexts != rows[i].nexts || responses != rows[i].responses || strcmp(play.story, rows[i].story) != 0)
            fail_msg("while %s: exit %d, %zu asked for, %zu answered, \"%s\"\n%s", rows[i].when, play.exit_status, nexts, responses,
                     play.story, play.written);
    }
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A service that says nothing to a POST: within the window the hooks run all the same. */
static void does_not_wait_long_for_an_answer(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.stall = HOLDS, .signal = SIGTERM}, {.stall = HOLDS}, {.stall = HOLDS}};
    (void)state;
    int64_t from = now_ms();
    PLAY(&play, ((latch_handler){.event = answer, .init = register_one}), script);
    int64_t took = now_ms() - from;
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event hook ");
    if (took >= LATCH_SHUTDOWN_WINDOW_MS + 100) fail_msg("%lld ms", (long long)took);
    assert_logged("a post could not be delivered");
    assert_logged("waiting for the answer: nothing for 0.2 s");
}

/* What says how long a read or a write of the runtime's blocks: where the n-th of them is called, the signal comes first. */
static int limits_left; /* 0: it doesn't */
int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
    bool limits = level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
    if (limits && limits_left > 0 && --limits_left == 0) raise(SIGTERM);
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
static int limits_from_here;
static latch_status answer_then_count(latch_ctx *cx, latch_event *event) {
    limits_left = limits_from_here;
    return answer(cx, event);
}

/* The answer goes over a new connection, as the old one was cut, and the signal comes while that is made ready. */
static void does_not_wait_long_over_a_new_connection(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.way = CUTS}, {.stall = HOLDS}, {.stall = HOLDS}};
    (void)state;
    for (limits_from_here = 1; limits_from_here <= 2; limits_from_here++, again()) {
        int64_t from = now_ms();
        PLAY(&play, ((latch_handler){.event = answer_then_count, .init = register_one}), script);
        int64_t took = now_ms() - from;
        assert_int_equal(limits_left, 0);
        assert_int_equal(play.exit_status, 0);
        assert_string_equal(play.story, "event hook ");
        if (took >= LATCH_SHUTDOWN_WINDOW_MS + 100) fail_msg("at %d: %lld ms", limits_from_here, (long long)took);
    }
}

static latch_status stream_answer(latch_ctx *cx, latch_event *event) {
    latch_stream *stream;
    (void)cx;
    tell("event ");
    LATCH_TRY(latch_event_stream(event, "text/plain", &stream));
    LATCH_TRY(latch_stream_write(stream, LATCH_STR("abc")));
    LATCH_TRY(latch_stream_flush(stream));
    return LATCH_OK;
}

/* The same at the end of a stream. */
static void does_not_wait_long_for_a_streams_answer(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.stall = HOLDS, .signal = SIGTERM}};
    (void)state;
    int64_t from = now_ms();
    PLAY(&play, ((latch_handler){.event = stream_answer, .init = register_one}), script);
    int64_t took = now_ms() - from;
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event hook ");
    if (took >= LATCH_SHUTDOWN_WINDOW_MS + 100) fail_msg("%lld ms", (long long)took);
    assert_logged("the end of a stream has no answer");
}

static latch_stream *kept_stream;
static const latch_ctx *gone;
static latch_status keep_stream(latch_ctx *cx, latch_event *event) {
    gone = cx;
    LATCH_TRY(latch_event_stream(event, "text/plain", &kept_stream));
    return latch_stream_write(kept_stream, LATCH_STR("abc"));
}
static latch_status write_too_late(latch_ctx *cx, void *word) {
    (void)cx;
    assert_ptr_not_equal(kept_stream->cx, gone); /* where the reason would be written */
    assert_int_equal(latch_stream_write(kept_stream, LATCH_STR("d")), LATCH_E_MISUSE);
    assert_int_equal(latch_stream_flush(kept_stream), LATCH_E_MISUSE);
    tell(word);
    return LATCH_OK;
}
static latch_status register_late_writer(latch_ctx *cx) { return latch_on_shutdown(cx, write_too_late, WORD("refused ")); }

/* Its invocation's context is gone by then. */
static void a_stream_that_was_kept_is_refused_in_a_hook(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, ((latch_handler){.event = keep_stream, .init = register_late_writer}), script);
    assert_string_equal(play.story, "refused ");
    assert_int_equal(count_asked(RESPONSE_LINE("r-1")), 1);
    assert_int_equal(play.exit_status, 0);
}

/* The n-th sleep of the runtime is where the signal comes. */
static int sleeps_left;
static void sleep_in_storm(void *self, int64_t ms) {
    stage *s = self;
    s->now_ms += ms;
    s->pauses[s->pause_count++ % 64] = ms;
    if (--sleeps_left == 0) raise(SIGTERM);
}
static latch_status register_with_clock(latch_ctx *cx) {
    cx->clock.sleep_ms = sleep_in_storm;
    return register_one(cx);
}

static void stops_in_the_middle_of_a_backoff(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}, {.way = CUTS, .times = 60}};
    (void)state;
    sleeps_left = 30; /* in slices: 50, 100, 200, 400, 800 … ms */
    PLAY(&play, ((latch_handler){.event = answer, .init = register_with_clock}), script);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event hook ");
    assert_int_equal(play.pause_count, 30);
    assert_true(count_asked(NEXT_LINE) < 10);
}

static void leaves_hooks_what_is_left_of_the_window(void **state) {
    static const struct { int64_t takes_ms, left_ms; } rows[] = {{0, 450}, {200, 250}, {349, 101}, {351, 100}, {60000, 100}, {-1000, 450}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        static latch_process p;
        static latch_worker w;
        static latch_worker *workers[] = {&w};
        static _Alignas(16) char memory[4096];
        static latch_lifecycle_hook hook = {.fn = look_around};
        p = (latch_process){.options = &(latch_loop_options){.clock = latch_clock_system()}, .workers = workers, .worker_count = 1};
        p.cx = (latch_ctx){.clock = latch_clock_system(), .request_id = LATCH_STR(""), .table = (const void *)&stand_in};
        latch_arena_init(&w.invocation, memory, sizeof memory);
        p.life.on_shutdown = &hook;
        atomic_store(&p.life.asked_at_ms, latch_now_ms(&p.cx) - rows[i].takes_ms);
        first_block = NULL;
        latch_shutdown_run(&p);
        latch_arena_clean_up(&w.invocation);
        if (left_ms > rows[i].left_ms || left_ms < rows[i].left_ms - 50) fail_msg("row %zu: %lld", i, (long long)left_ms);
        assert_string_equal(play.story, "ended ");
    }
}

/* ── a wake-up is never lost ─────────────────────────────────────────────────────────────────────────────────────── */

static int shoot_after_us;
static pthread_t target, gun;

static void *shoot(void *arg) {
    struct timespec nap = {.tv_nsec = 1000L * shoot_after_us};
    nanosleep(&nap, NULL);
    pthread_kill(target, SIGTERM); // NOLINT(bugprone-bad-signal-to-kill-thread): it doesn't end it, that is the point
    return arg;
}

static latch_status shoot_soon(latch_ctx *cx, latch_event *event) {
    target = pthread_self();
    if (pthread_create(&gun, NULL, shoot, NULL) != 0) abort();
    return answer(cx, event);
}

static latch_process *observed;
static void only_say_so(int number) {
    (void)number;
    atomic_store(&observed->stopping, true);
}
static latch_status register_one_and_wake_nobody(latch_ctx *cx) {
    struct sigaction action = {.sa_handler = only_say_so, .sa_flags = SA_RESTART};
    observed = cx->starting;
    LATCH_TRY(register_one(cx));
    return sigaction(SIGTERM, &action, NULL) == 0 ? LATCH_OK : latch_fail(cx, "NoSignal", "no signal");
}

#define HELD_MS 300

/* The signal comes at a moment that moves in steps of 7 µs through answer, post, and the wait for the next event: how often it came to nothing. */
static size_t count_lost(latch_status (*init)(latch_ctx *cx), int runs) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}, {.stall = HOLDS, .pause_ms = HELD_MS}};
    size_t lost = 0;
    for (int i = 0; i < runs; i++, again()) {
        shoot_after_us = i * 7;
        int64_t from = now_ms();
        PLAY(&play, ((latch_handler){.event = shoot_soon, .init = init}), script);
        pthread_join(gun, NULL);
        lost += now_ms() - from >= HELD_MS - 20;
        if (play.exit_status != 0 || strcmp(play.story, "event hook ") != 0 || count_asked(RESPONSE_LINE("r-1")) != 1)
            fail_msg("at %d: exit %d, \"%s\"\n%s", i, play.exit_status, play.story, play.written);
    }
    return lost;
}

static void never_loses_the_signal(void **state) {
    (void)state;
    assert_int_equal(count_lost(register_one, 100), 0);
}

static void twin_that_wakes_nobody_is_found(void **state) {
    (void)state;
    assert_true(count_lost(register_one_and_wake_nobody, 10) > 0);
}

/* ── several workers ─────────────────────────────────────────────────────────────────────────────────────────────── */

static atomic_int busy;

/* The third stops the process while two others are busy and two wait; before that, all seven requests are there. */
static latch_status meet_then_stop(latch_ctx *cx, latch_event *event) {
    bool last = atomic_fetch_add(&busy, 1) == 2;
    (void)cx;
    for (int i = 0; i < 5000 && (atomic_load(&busy) < 3 || atomic_load(&play.server.count) < 7); i++)
        usleep(1000);
    if (last) kill(getpid(), SIGTERM);
    usleep(last ? 20000 : 5000);
    return latch_event_reply_bytes(event, LATCH_STR("\"ok\""));
}

/* When both have asked: register, event/next and two /next. */
static latch_status answer_when_another_waits(latch_ctx *cx, latch_event *event) {
    for (int i = 0; i < 5000 && atomic_load(&play.server.count) < 4; i++)
        usleep(1000);
    return answer(cx, event);
}

/* The same for several: the one that posts is on another thread than the signal. */
static void one_of_several_does_not_wait_long_for_an_answer(void **state) {
    static const server_step script[] = {REGISTER,         {.event = "1"},  {.stall = HOLDS}, {.stall = HOLDS, .signal = SIGTERM},
                                         {.stall = HOLDS}, {.stall = HOLDS}};
    (void)state;
    setenv("AWS_LAMBDA_MAX_CONCURRENCY", "2", 1);
    int64_t from = now_ms();
    PLAY(&play, ((latch_handler){.event = answer_when_another_waits, .init = register_one}), script);
    int64_t took = now_ms() - from;
    unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "event hook ");
    assert_int_equal(count_asked(RESPONSE_LINE("r-1")), 2);
    assert_logged("a post could not be delivered");
    if (took >= 5000) /* else it is 10 s */
        fail_msg("%lld ms", (long long)took);
}

static latch_status count_busy(latch_ctx *cx, void *arg) {
    (void)cx, (void)arg;
    tell(count_asked(RESPONSE_LINE("r-1")) == 3 ? "all-idle " : "too-early ");
    return LATCH_OK;
}
static latch_status register_counter(latch_ctx *cx) { return latch_on_shutdown(cx, count_busy, NULL); }

static void waits_until_all_workers_are_idle_and_runs_hooks_once(void **state) {
    static const server_step script[] = {
        REGISTER, {.event = "1", .times = 3}, {.stall = HOLDS, .times = 2}, {.answer = ACCEPTED, .times = 3}};
    (void)state;
    setenv("AWS_LAMBDA_MAX_CONCURRENCY", "5", 1);
    atomic_store(&busy, 0);
    PLAY(&play, ((latch_handler){.event = meet_then_stop, .init = register_counter}), script);
    unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "all-idle ");
    assert_int_equal(count_asked("POST /2020-01-01/extension/register"), 1);
    assert_int_equal(count_asked(NEXT_LINE), 5);
}

/* ── children ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int child_status;
static latch_status lose_a_child(latch_ctx *cx, latch_event *event) {
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 5000; i++)
            usleep(1000);
        _exit(9);
    }
    usleep(1000);
    kill(child, SIGTERM);
    waitpid(child, &child_status, 0);
    return answer(cx, event);
}

/* A process that a handler made is stopped by its own signal, and the function goes on. */
static void leaves_the_signal_of_a_child_to_the_child(void **state) {
    static const server_step script[] = {REGISTER, {.event = "1"}, {.answer = ACCEPTED}, {.event = "2"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, ((latch_handler){.event = lose_a_child, .init = register_one}), script);
    assert_true(WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGTERM);
    assert_string_equal(play.story, "event event hook ");
    assert_int_equal(play.exit_status, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(runs_shutdown_hooks_last_registered_first),
    ROW(refuses_what_cannot_be_registered),
    ROW(gives_hooks_a_context_and_goes_on_after_one_that_fails),
    ROW(runs_them_where_the_service_ends_the_process),
    ROW(stops_at_sigterm),
    ROW(does_not_wait_long_for_an_answer),
    ROW(does_not_wait_long_over_a_new_connection),
    ROW(does_not_wait_long_for_a_streams_answer),
    ROW(a_stream_that_was_kept_is_refused_in_a_hook),
    ROW(stops_in_the_middle_of_a_backoff),
    ROW(leaves_hooks_what_is_left_of_the_window),
    ROW(never_loses_the_signal),
    ROW(twin_that_wakes_nobody_is_found),
    ROW(one_of_several_does_not_wait_long_for_an_answer),
    ROW(waits_until_all_workers_are_idle_and_runs_hooks_once),
    ROW(leaves_the_signal_of_a_child_to_the_child),
};

CHECK_MAIN(tests)

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/http.h"
#include "runtime/event.h"
#include "runtime/lifecycle.h"
#include "tests/runtime/story.h"

#define RESTORE_LINE "GET /2018-06-01/runtime/restore/next"
#define RESTORE_ERROR_LINE "POST /2018-06-01/runtime/restore/error"
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static int set_up(void **state) {
    setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", 1);
    return play_set_up(state);
}

static latch_status fail_in_hook(latch_ctx *cx, void *word) {
    tell(word);
    return latch_fail(cx, "NoMenu", "the menu can't be read");
}
static latch_status stray_in_hook(latch_ctx *cx, void *word) {
    (void)cx;
    tell(word);
    return (latch_status)1;
}
static latch_status stop_in_hook(latch_ctx *cx, void *word) {
    (void)cx;
    tell(word);
    raise(SIGTERM);
    return LATCH_OK;
}

static latch_status open_it(latch_ctx *cx, const latch_handler *handler, void *self) {
    (void)cx, (void)handler, (void)self;
    tell("open ");
    return LATCH_OK;
}
static bool restore_fails;
static int64_t restore_left_ms;
static latch_status restore_it(latch_ctx *cx, void *self) {
    (void)self;
    tell("restore ");
    restore_left_ms = latch_left_ms(cx);
    return restore_fails ? latch_err_set(&cx->err, LATCH_E_DENIED, "no keys behind the snapshot") : LATCH_OK;
}

static void play_it(latch_status (*init)(latch_ctx *cx), const server_step *steps, size_t count) {
    const latch_handler handler = {.name = "h", .event = answer, .init = init};
    stage_play_options(&play, (latch_loop_options){.handlers = &handler, .count = 1, .open = open_it, .restore = restore_it}, steps, count);
}

static latch_status register_all(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, say, WORD("before1 ")));
    LATCH_TRY(latch_after_restore(cx, say, WORD("after1 ")));
    LATCH_TRY(latch_before_snapshot(cx, say, WORD("before2 ")));
    LATCH_TRY(latch_after_restore(cx, say, WORD("after2 ")));
    tell("init ");
    return LATCH_OK;
}

static void goes_through_the_snapshot_in_its_order(void **state) {
    static const server_step script[] = {{.answer = EMPTY}, {.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    play_it(register_all, script, COUNT_OF(script));
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.story, "open init before2 before1 restore after1 after2 event ");
    assert_int_equal(restore_left_ms, 9600);
    assert_int_equal(play.server.count, 4);
    assert_string_equal(asked(0), RESTORE_LINE);
    assert_string_equal(body(0), "");
    assert_string_equal(asked(1), NEXT_LINE);
    assert_int_equal(play.server.requests[0].connection, 1);
    assert_int_equal(play.server.requests[1].connection, 2); /* not the snapshot's */
    assert_int_equal(play.server.connections, 2);
}

static void does_nothing_of_it_where_it_is_not_asked_for(void **state) {
    static const struct {
        const char *type, *concurrency;
    } rows[] = {{NULL, NULL},         {"", NULL},         {"on-demand", NULL}, {"provisioned-concurrency", NULL},
                {"SNAP-START", NULL}, {"snap-start", "2"}};
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        unsetenv("AWS_LAMBDA_INITIALIZATION_TYPE");
        if (rows[i].type != NULL) setenv("AWS_LAMBDA_INITIALIZATION_TYPE", rows[i].type, 1);
        if (rows[i].concurrency != NULL) setenv("AWS_LAMBDA_MAX_CONCURRENCY", rows[i].concurrency, 1);
        play_it(register_all, script, rows[i].concurrency == NULL ? 2 : 0);
        assert_int_equal(play.exit_status, 0);
        if (strstr(play.story, "before") != NULL || strstr(play.story, "restore") != NULL) fail_msg("row %zu: %s", i, play.story);
        assert_string_equal(asked(0), NEXT_LINE);
    }
}

static latch_status fails_before(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, say, WORD("not-this ")));
    LATCH_TRY(latch_before_snapshot(cx, fail_in_hook, WORD("fails ")));
    return latch_before_snapshot(cx, say, WORD("before "));
}
static latch_status strays_before(latch_ctx *cx) { return latch_before_snapshot(cx, stray_in_hook, WORD("strays ")); }
static latch_status fails_after(latch_ctx *cx) {
    LATCH_TRY(latch_after_restore(cx, say, WORD("after ")));
    LATCH_TRY(latch_after_restore(cx, fail_in_hook, WORD("fails ")));
    return latch_after_restore(cx, say, WORD("not-this "));
}
static latch_status strays_after(latch_ctx *cx) { return latch_after_restore(cx, stray_in_hook, WORD("strays ")); }
/* The service is told by the right call, whatever it answers; the process ends with the status that says when. */
static void reports_what_fails(void **state) {
    static const struct {
        latch_status (*init)(latch_ctx *cx);
        bool restore_fails;
        server_step steps[3];
        size_t count;
        int exit_status;
        const char *story, *line, *type, *says;
        int64_t connection;
    } rows[] = {
        {fails_before,
         false,
         {{.answer = ACCEPTED}},
         1,
         64,
         "open before fails ",
         INIT_ERROR_LINE,
         "Function.NoMenu",
         "the menu can't be read",
         1},
        {fails_before,
         false,
         {{.answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"}},
         1,
         64,
         "open before fails ",
         INIT_ERROR_LINE,
         "Function.NoMenu",
         "NoMenu",
         1},
        {strays_before, false, {{.answer = ACCEPTED}}, 1, 64, "open strays ", INIT_ERROR_LINE, "Function.Misuse", "returned 1", 1},
        {fails_after,
         false,
         {{.answer = EMPTY}, {.answer = ACCEPTED}},
         2,
         65,
         "open restore after fails ",
         RESTORE_ERROR_LINE,
         "Function.NoMenu",
         "the menu can't be read",
         2},
        {fails_after,
         false,
         {{.answer = EMPTY}, {.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"}},
         2,
         65,
         "open restore after fails ",
         RESTORE_ERROR_LINE,
         "Function.NoMenu",
         "NoMenu",
         2},
        {strays_after, false, {{.answer = EMPTY}}, 1, 65, "open restore strays ", RESTORE_ERROR_LINE, "Function.Misuse", "returned 1", 2},
        {register_all,
         true,
         {{.answer = EMPTY}},
         1,
         65,
         "open init before2 before1 restore ",
         RESTORE_ERROR_LINE,
         "Function.Denied",
         "no keys behind the snapshot",
         2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        restore_fails = rows[i].restore_fails;
        play_it(rows[i].init, rows[i].steps, rows[i].count);
        restore_fails = false;
        const server_request *last = &play.server.requests[play.server.count - 1];
        if (play.exit_status != rows[i].exit_status || strcmp(play.story, rows[i].story) != 0)
            fail_msg("row %zu: exit %d, \"%s\"\n%s", i, play.exit_status, play.story, play.written);
        assert_string_equal(server_line(last), rows[i].line);
        assert_string_equal(server_header(last, "Lambda-Runtime-Function-Error-Type"), rows[i].type);
        assert_string_equal(server_header(last, "Content-Type"), "application/json");
        assert_int_equal(strncmp(server_header(last, "User-Agent"), "latch/", 6), 0);
        assert_non_null(strstr(server_header(last, "Lambda-Runtime-Function-XRay-Error-Cause"), rows[i].says));
        assert_int_equal(last->connection, rows[i].connection);
        if (strstr(last->body, rows[i].says) == NULL) fail_msg("row %zu: %s", i, last->body);
        assert_logged(rows[i].says);
    }
}

/* A POST without an answer is sent again for a second, then the process ends as it would have. */
static void ends_all_the_same_where_nobody_listens(void **state) {
    static const server_step before[] = {{.way = CUTS, .times = 99}}, after[] = {{.answer = EMPTY}, {.way = CUTS, .times = 99}};
    (void)state;
    play_it(fails_before, before, COUNT_OF(before));
    assert_int_equal(play.exit_status, 64);
    assert_true(play.now_ms - STAGE_T0 <= 1000);
    again();
    play_it(fails_after, after, COUNT_OF(after));
    assert_int_equal(play.exit_status, 65);
    assert_true(play.now_ms - STAGE_T0 <= 1000);
}

static void reacts_to_each_answer_of_restore_next(void **state) {
    static const struct {
        server_step steps[4];
        size_t count, pauses;
        int exit_status;
        const char *says; /* NULL: it is restored */
    } rows[] = {
        {{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}}, 1, 0, 0, NULL},
        {{{.answer = EMPTY, .way = DRIBBLES}}, 1, 0, 0, NULL},
        {{{.answer = EMPTY, .way = CUTS_AFTER}}, 1, 0, 0, NULL},
        {{{.answer = EMPTY, .pause_ms = 60}}, 1, 0, 0, NULL},
        {{{.answer = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"}, {.answer = EMPTY}}, 2, 1, 0, NULL},
        {{{.answer = "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", .times = 5}}, 1, 4, 1, "answered 404 no"},
        {{{.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\ngone"}}, 1, 0, 1, "answered 500 gone"},
        {{{.way = CUTS, .times = 2}, {.answer = EMPTY}}, 2, 1, 0, NULL}, /* a kept connection is tried again at once */
        {{{.way = CUTS, .times = 99}}, 1, 4, 1, "the process can't be restored"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        play_it(register_all, rows[i].steps, rows[i].count);
        bool restored = strstr(play.story, "after2") != NULL;
        if (play.exit_status != rows[i].exit_status || play.pause_count != rows[i].pauses || restored != (rows[i].says == NULL))
            fail_msg("row %zu: exit %d, %zu pauses, \"%s\"\n%s", i, play.exit_status, play.pause_count, play.story, play.written);
        if (rows[i].says != NULL) assert_logged(rows[i].says);
        if (rows[i].says != NULL) assert_logged("/2018-06-01/runtime/restore/next");
    }
}

/* ── with a shutdown hook ────────────────────────────────────────────────────────────────────────────────────────── */

#define REGISTERED "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-7\r\nContent-Length: 0\r\n\r\n"

static latch_status register_all_three(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, say, WORD("before ")));
    LATCH_TRY(latch_after_restore(cx, say, WORD("after ")));
    return latch_on_shutdown(cx, say, WORD("shutdown "));
}
static latch_status register_stopping(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, stop_in_hook, WORD("before ")));
    LATCH_TRY(latch_after_restore(cx, say, WORD("after ")));
    return latch_on_shutdown(cx, say, WORD("shutdown "));
}

/* It registers before the snapshot, and once; where SIGTERM comes before the restore, there is none. */
static void gets_along_with_a_shutdown_hook(void **state) {
    static const struct {
        latch_status (*init)(latch_ctx *cx);
        server_step steps[4];
        size_t count;
        const char *story;
    } rows[] = {
        {register_all_three,
         {{.answer = REGISTERED}, {.answer = EMPTY}, {.event = "1"}, {.answer = ACCEPTED}},
         4,
         "open before restore after event shutdown "},
        {register_all_three, {{.answer = REGISTERED}, {.stall = HOLDS, .signal = SIGTERM}}, 2, "open before shutdown "},
        {register_stopping, {{.answer = REGISTERED}, {.answer = EMPTY}}, 2, "open before shutdown "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        play_it(rows[i].init, rows[i].steps, rows[i].count);
        if (play.exit_status != 0 || strcmp(play.story, rows[i].story) != 0)
            fail_msg("row %zu: exit %d, \"%s\"\n%s", i, play.exit_status, play.story, play.written);
        if (i < 2) assert_string_equal(asked(0), "POST /2020-01-01/extension/register");
    }
}

/* ── what a handler's own requests went over ─────────────────────────────────────────────────────────────────────── */

static server other;
static latch_status fetch(latch_ctx *cx, void *unused) {
    latch_fetch_reply reply;
    char url[64];
    (void)unused;
    snprintf(url, sizeof url, "http://%s/", other.address);
    latch_ctx mine = *cx;
    mine.clock = latch_clock_system(); /* the stage's stands still */
    mine.deadline_at_ms = INT64_MAX;
    return latch_fetch(&mine, &(latch_fetch_request){.url = latch_str_of(url)}, &reply);
}
static latch_status register_fetches(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, fetch, NULL));
    LATCH_TRY(latch_before_snapshot(cx, fetch, NULL));
    LATCH_TRY(latch_after_restore(cx, fetch, NULL));
    return latch_after_restore(cx, fetch, NULL);
}

static void drops_the_connections_of_the_handlers_own_requests(void **state) {
    static const server_step script[] = {{.answer = EMPTY}}, pages[] = {{.answer = EMPTY, .times = 4}};
    (void)state;
    memset(&other, 0, sizeof other);
    server_start(&other, pages, COUNT_OF(pages));
    play_it(register_fetches, script, COUNT_OF(script));
    server_stop(&other);
    size_t count = other.count;
    int connections[] = {other.requests[0].connection, other.requests[1].connection, other.requests[2].connection,
                         other.requests[3].connection};
    server_forget(&other);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(count, 4);
    assert_int_equal(connections[0], connections[1]);
    assert_int_equal(connections[2], connections[3]);
    assert_int_not_equal(connections[1], connections[2]);
}

/* ── hooks that don't come back ──────────────────────────────────────────────────────────────────────────────────────── */

static latch_status misbehave(latch_ctx *cx, void *way) {
    (void)cx;
    if (strcmp(way, "crash") == 0) abort();
    if (strcmp(way, "exit") == 0) exit(7);
    for (;;)
        pause();
}

/* A process that is cut short leaves memory behind: LeakSanitizer is not to make its exit status of that. */
static bool is_child;
int __lsan_is_turned_off(void);                     // NOLINT(bugprone-reserved-identifier): its name for that
int __lsan_is_turned_off(void) { return is_child; } // NOLINT(bugprone-reserved-identifier)

static const char *misbehaviour;
static bool misbehaves_after;
static latch_status register_misbehaviour(latch_ctx *cx) {
    return misbehaves_after ? latch_after_restore(cx, misbehave, WORD(misbehaviour))
                            : latch_before_snapshot(cx, misbehave, WORD(misbehaviour));
}

/* A process of its own, made before there are threads. */
static int run_misbehaving(server *service, const server_step *steps, size_t count) {
    const latch_handler handler = {.name = "h", .event = answer, .init = register_misbehaviour};
    const latch_log log = {.fd = -1};
    char address[sizeof service->address];
    int to_child[2], status = 0;
    assert_int_equal(pipe(to_child), 0);
    pid_t child = fork();
    if (child == 0) {
        is_child = true;
        if (read(to_child[0], address, sizeof address) != sizeof address) _exit(99);
        setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
        (void)!freopen("/dev/null", "w", stderr);
        _exit(latch_loop_run(&(latch_loop_options){.handlers = &handler, .count = 1, .clock = latch_clock_system(), .log = &log}));
    }
    memset(service, 0, sizeof *service);
    server_start(service, steps, count);
    assert_int_equal(write(to_child[1], service->address, sizeof service->address), sizeof service->address);
    waitpid(child, &status, 0);
    close(to_child[0]);
    close(to_child[1]);
    server_stop(service);
    return status;
}

static void tells_of_hooks_that_do_not_come_back(void **state) {
    static const struct {
        const char *way;
        bool after;
        int signal, exit_status;
        const char *line, *type, *says;
    } rows[] = {
        {"crash", false, SIGABRT, 0, INIT_ERROR_LINE, "Function.Crash", "SIGABRT in the init of the handler h"},
        {"crash", true, SIGABRT, 0, RESTORE_ERROR_LINE, "Function.Crash", "SIGABRT in the init of the handler h"},
        {"exit", false, 0, 7, INIT_ERROR_LINE, "Function.Exit", "exit(7) was called in the init of the handler h"},
        {"exit", true, 0, 7, RESTORE_ERROR_LINE, "Function.Exit", "exit(7) was called in the init of the handler h"},
        {"hang", true, 0, 1, RESTORE_ERROR_LINE, "Function.DeadlineExceeded", "the handler h has not returned 200 ms before its deadline"},
    };
    static const server_step script[] = {{.answer = EMPTY}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        server service;
        misbehaviour = rows[i].way;
        misbehaves_after = rows[i].after;
        int status = run_misbehaving(&service, script, rows[i].after ? 1 : 0);
        bool as_said = rows[i].signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == rows[i].signal
                                           : WIFEXITED(status) && WEXITSTATUS(status) == rows[i].exit_status;
        const server_request *last = &service.requests[service.count - 1];
        if (!as_said || strcmp(server_line(last), rows[i].line) != 0 || strstr(last->body, rows[i].says) == NULL)
            fail_msg("row %zu: %x, %s, %s", i, (unsigned)status, server_line(last), last->body);
        assert_string_equal(server_header(last, "Lambda-Runtime-Function-Error-Type"), rows[i].type);
        assert_int_equal(service.count, rows[i].after ? 2 : 1);
        server_forget(&service);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(goes_through_the_snapshot_in_its_order),
    ROW(does_nothing_of_it_where_it_is_not_asked_for),
    ROW(reports_what_fails),
    ROW(ends_all_the_same_where_nobody_listens),
    ROW(reacts_to_each_answer_of_restore_next),
    ROW(gets_along_with_a_shutdown_hook),
    ROW(drops_the_connections_of_the_handlers_own_requests),
    ROW(tells_of_hooks_that_do_not_come_back),
};

CHECK_MAIN(tests)

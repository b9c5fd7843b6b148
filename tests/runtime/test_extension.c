#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "runtime/event.h"
#include "runtime/lifecycle.h"
#include "tests/runtime/play.h"

#define REGISTER_LINE "POST /2020-01-01/extension/register"
#define PARK_LINE "GET /2020-01-01/extension/event/next"
#define REGISTERED "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-7\r\nContent-Length: 2\r\n\r\n{}"

static int hooks_run;

static int set_up(void **state) {
    hooks_run = 0;
    return play_set_up(state);
}

static latch_status note_hook(latch_ctx *cx, void *arg) {
    (void)cx, (void)arg;
    hooks_run++;
    return LATCH_OK;
}
static latch_status with_hook(latch_ctx *cx) { return latch_on_shutdown(cx, note_hook, NULL); }
static latch_status with_other_hooks(latch_ctx *cx) {
    LATCH_TRY(latch_before_snapshot(cx, note_hook, NULL));
    return latch_after_restore(cx, note_hook, NULL);
}

static struct sigaction in_handler;
static latch_status look_at_sigterm(latch_ctx *cx, latch_event *event) {
    (void)cx;
    sigaction(SIGTERM, NULL, &in_handler);
    return latch_event_reply_bytes(event, LATCH_STR("\"ok\""));
}

/* Requests come over two connections: in which order the service reads them is not said. */
static const server_request *find(const char *line) {
    for (size_t i = 0; i < play.server.count && i < SERVER_REQUESTS_MAX; i++) {
        if (strcmp(asked(i), line) == 0) return &play.server.requests[i];
    }
    return NULL;
}

static void registers_where_there_is_a_shutdown_hook(void **state) {
    static const server_step script[] = {{.answer = REGISTERED}, {.event = "1"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, ((latch_handler){.event = look_at_sigterm, .init = with_hook}), script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.server.count, 5);
    assert_string_equal(asked(0), REGISTER_LINE);
    assert_string_equal(header(0, "Lambda-Extension-Name"), "latch");
    assert_string_equal(header(0, "Content-Type"), "application/json");
    assert_string_equal(body(0), "{\"events\":[]}");
    const server_request *parked = find(PARK_LINE), *next = find(NEXT_LINE);
    assert_non_null(parked);
    assert_non_null(next);
    assert_string_equal(server_header(parked, "Lambda-Extension-Identifier"), "id-7");
    assert_int_equal(strncmp(server_header(parked, "User-Agent"), "latch/", 6), 0);
    assert_int_equal(play.server.requests[0].connection, next->connection);
    assert_int_not_equal(parked->connection, next->connection);
    assert_int_equal(play.server.connections, 2);
    assert_int_equal(hooks_run, 1);
    assert_true(in_handler.sa_handler != SIG_DFL);
    struct sigaction after;
    sigaction(SIGTERM, NULL, &after);
    assert_true(after.sa_handler == SIG_DFL); /* the process gets back what it had */
}

/* Not a request, not a connection, not a signal of its own. */
static void costs_nothing_where_there_is_none(void **state) {
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}};
    latch_status (*const inits[])(latch_ctx *) = {NULL, with_other_hooks};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(inits); i++, again()) {
        PLAY(&play, ((latch_handler){.event = look_at_sigterm, .init = inits[i]}), script);
        assert_int_equal(play.exit_status, 0);
        assert_int_equal(play.server.count, 3);
        assert_int_equal(count_asked(NEXT_LINE), 2);
        assert_int_equal(play.server.connections, 1);
        assert_true(in_handler.sa_handler == SIG_DFL);
        assert_int_equal(hooks_run, 0);
    }
}

static const char long_identifier[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLambda-Extension-Identifier: "
                                      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                                      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                                      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                                      "\r\n\r\n";

static void reacts_to_each_answer(void **state) {
    static const struct {
        server_step steps[6];
        size_t count, registers;
        bool parks;
        int exit_status;
        size_t pauses;
        const char *says;
    } rows[] = {
        {{{.answer = REGISTERED, .way = DRIBBLES}}, 1, 1, true, 0, 0, NULL},
        {{{.answer = REGISTERED, .way = CUTS_AFTER}}, 1, 1, true, 0, 0, NULL},
        {{{.answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad"}}, 1, 1, false, 0, 0, "answered 400 bad"},
        {{{.answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}}, 1, 1, false, 0, 0, "answered 403 no"},
        {{{.answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}}, 1, 1, false, 0, 0, "without a SIGTERM"},
        {{{.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}}, 1, 1, false, 0, 0, "answered 503"},
        {{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}, 1, 1, false, 0, 0, "answered 200"},
        {{{.answer = long_identifier}}, 1, 1, false, 0, 0, "answered 200"},
        {{{.answer = "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\ngone"}}, 1, 1, false, 1, 0, "answered 500 gone"},
        {{{.way = CUTS, .times = 3}, {.answer = REGISTERED}}, 2, 4, true, 0, 3, NULL},
        {{{.answer = REGISTERED, .way = CUTS_ANSWER}, {.answer = REGISTERED}}, 2, 2, true, 0, 1, NULL},
        {{{.way = CUTS, .times = 5}}, 1, 5, false, 0, 4, "the connection was closed"},
        {{{.way = CUTS}, {.answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"}},
         2,
         2,
         false,
         1,
         1,
         "doesn't know its identifier"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        stage_play(&play, (latch_handler){.event = look_at_sigterm, .init = with_hook}, rows[i].steps, rows[i].count);
        if (play.exit_status != rows[i].exit_status || count_asked(REGISTER_LINE) != rows[i].registers ||
            play.pause_count != rows[i].pauses)
            fail_msg("row %zu: exit %d, %zu registers, %zu pauses: %s", i, play.exit_status, count_asked(REGISTER_LINE), play.pause_count,
                     play.written);
        assert_int_equal(count_asked(PARK_LINE), rows[i].parks ? 1 : 0);
        assert_int_equal(count_asked(NEXT_LINE) > 0, rows[i].exit_status == 0);
        assert_int_equal(hooks_run, rows[i].exit_status == 0);
        if (rows[i].says != NULL && strstr(play.written, rows[i].says) == NULL) fail_msg("row %zu: %s", i, play.written);
        if (rows[i].says == NULL) assert_null(strstr(play.written, "WARN"));
        hooks_run = 0;
    }
}

static void waits_longer_each_time(void **state) {
    static const server_step script[] = {{.way = CUTS, .times = 5}};
    (void)state;
    PLAY(&play, ((latch_handler){.event = look_at_sigterm, .init = with_hook}), script);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(play.pauses[i], 100 << i);
    assert_true(play.now_ms - STAGE_T0 < 2000);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(registers_where_there_is_a_shutdown_hook),
    ROW(costs_nothing_where_there_is_none),
    ROW(reacts_to_each_answer),
    ROW(waits_longer_each_time),
};

CHECK_MAIN(tests)

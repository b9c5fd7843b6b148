#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/scope.h"
#include "core/usage.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/record.h"
#include "tests/runtime/play.h"

static latch_status echo(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}

/* ── before the first event ──────────────────────────────────────────────────────────────────────────────────────── */

static latch_status init_fails(latch_ctx *cx) { return latch_fail(cx, "NoMenu", "the menu can't be read", "path", "menu.json"); }
static latch_status init_strays(latch_ctx *cx) {
    (void)cx;
    return (latch_status)1;
}
static latch_status init_exhausts(latch_ctx *cx) {
    while (latch_arena_alloc(cx->arena, (size_t)1 << 20) != NULL)
        continue;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "init: the arena is full");
}

static void reports_what_fails_before_the_first_event(void **state) {
    static const struct {
        latch_handler handler;
        const char *name, *arena_mb, *type, *says;
    } rows[] = {
        {{.name = "h", .event = echo}, "other", NULL, "Runtime.HandlerNotFound", "_HANDLER is \\\"other\\\"; the handlers are: h"},
        {{.name = "h", .event = echo}, "", NULL, "Runtime.HandlerNotFound", "_HANDLER is not set; the handlers are: h"},
        {{.name = "h", .event = echo}, NULL, NULL, "Runtime.HandlerNotFound", "_HANDLER is not set; the handlers are: h"},
        {{.name = "h"}, "h", NULL, "Runtime.BadHandlerTable", "the handler h has no function"},
        {{.name = "h", .event = echo, .init = init_fails}, "h", NULL, "Function.NoMenu", "the menu can't be read"},
        {{.name = "h", .event = echo, .init = init_strays}, "h", NULL, "Function.Misuse", "the handler returned 1"},
        {{.name = "h", .event = echo, .init = init_exhausts}, "h", NULL, "Function.ArenaFull", "init: the arena is full"},
        {{.name = "h", .event = echo}, "h", "0", "Function.Misuse", "LATCH_ARENA_MB is \\\"0\\\", want a whole number from 1 to 4096"},
        {{.name = "h", .event = echo}, "h", "4097", "Function.Misuse", "LATCH_ARENA_MB is"},
        {{.name = "h", .event = echo}, "h", "1 GB", "Function.Misuse", "LATCH_ARENA_MB is"},
        {{.name = "h", .event = echo}, "h", "99999999999999999999", "Function.Misuse", "LATCH_ARENA_MB is"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        unsetenv("_HANDLER");
        if (rows[i].name != NULL) setenv("_HANDLER", rows[i].name, 1);
        if (rows[i].arena_mb != NULL) setenv("LATCH_ARENA_MB", rows[i].arena_mb, 1);
        stage_play(&play, rows[i].handler, NULL, 0);
        assert_int_equal(play.exit_status, 1);
        assert_int_equal(play.server.count, 1);
        assert_string_equal(asked(0), INIT_ERROR_LINE);
        assert_string_equal(header(0, "Lambda-Runtime-Function-Error-Type"), rows[i].type);
        assert_string_equal(header(0, "Content-Type"), "application/json");
        assert_string_equal(header(0, "Host"), play.server.address);
        assert_string_equal(header(0, "Expect"), "");
        assert_string_equal(header(0, "Lambda-Runtime-Invocation-Id"), "");
        assert_int_equal(strncmp(header(0, "User-Agent"), "latch/", 6), 0);
        if (strstr(header(0, "Lambda-Runtime-Function-XRay-Error-Cause"), rows[i].says) == NULL) fail_msg("row %zu has no cause", i);
        if (strstr(body(0), rows[i].says) == NULL) fail_msg("row %zu: %s", i, body(0));
        assert_logged("init failed");
        assert_logged(rows[i].says);
    }
}

static struct {
    int opened, closed, inited;
    bool stores_asked, fails;
    const struct latch_table *table;
    latch_ctx *process;
    char *kept;
} hooks;

static latch_status open_hook(latch_ctx *cx, const latch_handler *handler, void *self) {
    assert_ptr_equal(self, &hooks);
    hooks.opened++;
    hooks.stores_asked = handler->stores;
    if (hooks.fails) return latch_err_set(&cx->err, LATCH_E_DENIED, "no store without LATCH_TABLE");
    cx->table = hooks.table;
    hooks.process = cx;
    hooks.kept = (char *)(uintptr_t)latch_copy(cx, LATCH_STR("kept")).ptr;
    return LATCH_OK;
}
static void close_hook(void *self) {
    (void)self;
    hooks.closed++;
}
static latch_status init_hook(latch_ctx *cx) {
    assert_int_equal(hooks.opened, 1);
    assert_ptr_equal(cx->table, hooks.table);
    hooks.inited++;
    return LATCH_OK;
}
static latch_status look_at_stores(latch_ctx *cx, latch_event *event) {
    (void)event;
    assert_ptr_equal(cx->table, hooks.table);
    assert_ptr_not_equal(cx, hooks.process);
    assert_string_equal(hooks.kept, "kept");
    assert_int_equal(hooks.closed, 0);
    return LATCH_OK;
}

static void opens_stores_once_and_closes_them(void **state) {
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}, {.event = "2"}, {.answer = ACCEPTED}};
    static const int mark;
    const latch_handler handler = {.name = "h", .event = look_at_stores, .init = init_hook, .stores = true};
    latch_loop_options options = {.handlers = &handler, .count = 1, .open = open_hook, .close = close_hook, .self = &hooks};
    (void)state;
    memset(&hooks, 0, sizeof hooks);
    hooks.table = (const struct latch_table *)(const void *)&mark;
    stage_play_options(&play, options, script, COUNT_OF(script));
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.server.count, 5);
    assert_int_equal(hooks.opened, 1);
    assert_int_equal(hooks.inited, 1);
    assert_int_equal(hooks.closed, 1);
    assert_true(hooks.stores_asked);
}

/* ── the stores' clock ───────────────────────────────────────────────────────────────────────────────────────────── */

static latch_clock behind; /* the machine's own, which is an hour late */
static int64_t found_later_ms;

static int64_t an_hour_later(void *self) {
    (void)self;
    return behind.wall_us(behind.self) + (LATCH_HOUR_MS + found_later_ms) * 1000;
}

static latch_status correct_the_clock(latch_ctx *cx, const latch_handler *handler, void *self) {
    (void)handler, (void)self;
    behind = cx->clock;
    cx->clock = (latch_clock){.wall_us = an_hour_later, .boot_us = behind.boot_us, .sleep_ms = behind.sleep_ms, .self = behind.self};
    return LATCH_OK;
}

static latch_status tell_times(latch_ctx *cx, latch_event *event) {
    assert_int_equal(cx->usage->requests, 0); /* each invocation counts its own */
    cx->usage->requests = 7;
    return latch_event_reply(event, latch_object(cx, "left", latch_left_ms(cx), "until", latch_deadline_ms(cx) - latch_now_ms(cx)));
}

/* Lambda's deadline is by the machine's clock, and what is left of the time is the same by a corrected one. */
static void deadlines_are_by_the_clock_that_stores_correct(void **state) {
    static const server_step script[] = {{.event = "1", .headers = REQUEST_1 STAGE_DEADLINE},
                                         {.answer = ACCEPTED},
                                         {.event = "2", .headers = REQUEST_1 STAGE_DEADLINE},
                                         {.answer = ACCEPTED},
                                         {.event = "3"},
                                         {.answer = ACCEPTED}};
    const latch_handler handler = {.name = "h", .event = tell_times};
    latch_loop_options options = {.handlers = &handler, .count = 1, .open = correct_the_clock};
    (void)state;
    stage_play_options(&play, options, script, COUNT_OF(script));
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(body(1), "{\"left\":9600,\"until\":10000}");
    assert_string_equal(body(3), "{\"left\":9600,\"until\":10000}");
    assert_non_null(strstr(body(5), "{\"left\":9223372036854775807,"));
}

/* As a call of the store does, where an answer's Date says that it is later still. */
static latch_status find_it_later(latch_ctx *cx, latch_event *event) {
    found_later_ms += LATCH_HOUR_MS;
    cx->usage->moved_ms += LATCH_HOUR_MS;
    return latch_event_reply(event, latch_object(cx, "until", latch_deadline_ms(cx) - latch_now_ms(cx)));
}

/* The time that is left is what it was: for the handler, and for an answer that must be sent twice. */
static void deadlines_follow_the_clock_that_an_answer_moves(void **state) {
    static const server_step script[] = {{.event = "1", .headers = REQUEST_1 STAGE_DEADLINE}, {.way = CUTS}, {.answer = ACCEPTED}};
    const latch_handler handler = {.name = "h", .event = find_it_later};
    latch_loop_options options = {.handlers = &handler, .count = 1, .open = correct_the_clock};
    (void)state;
    found_later_ms = 0;
    stage_play_options(&play, options, script, COUNT_OF(script));
    found_later_ms = 0;
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(body(1), "{\"until\":10000}");
    assert_string_equal(asked(2), RESPONSE_LINE("r-1"));
    assert_string_equal(body(2), "{\"until\":10000}");
}

static void reports_stores_that_do_not_open(void **state) {
    const latch_handler handler = {.name = "h", .event = look_at_stores, .init = init_hook};
    latch_loop_options options = {.handlers = &handler, .count = 1, .open = open_hook, .close = close_hook, .self = &hooks};
    (void)state;
    memset(&hooks, 0, sizeof hooks);
    hooks.fails = true;
    stage_play_options(&play, options, NULL, 0);
    assert_int_equal(play.exit_status, 1);
    assert_string_equal(asked(0), INIT_ERROR_LINE);
    assert_non_null(strstr(body(0), "no store without LATCH_TABLE"));
    assert_int_equal(hooks.inited, 0);
    assert_int_equal(hooks.closed, 0);
    assert_false(hooks.stores_asked);
}

/* ── one after another ───────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status on_http(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200, latch_object(cx, "path", latch_http_path(http)));
}
static latch_status on_record(latch_ctx *cx, latch_record *record) {
    (void)cx, (void)record;
    return LATCH_OK;
}
static const latch_route routes[] = {{"GET", "/a", on_http}};

static void dispatches_to_every_kind(void **state) {
    static const struct {
        latch_handler handler;
        const char *event, *line, *body;
    } rows[] = {
        {{.event = echo}, "anything", RESPONSE_LINE("r-1"), "anything"},
        {{.http = on_http},
         "{\"rawPath\":\"/x\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
         RESPONSE_LINE("r-1"),
         "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},\"body\":\"{\\\"path\\\":\\\"/"
         "x\\\"}\",\"isBase64Encoded\":false}"},
        {{LATCH_ROUTES(routes)},
         "{\"rawPath\":\"/a\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
         RESPONSE_LINE("r-1"),
         "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},\"body\":\"{\\\"path\\\":\\\"/"
         "a\\\"}\",\"isBase64Encoded\":false}"},
        {{.record = on_record}, "{\"Records\":[]}", RESPONSE_LINE("r-1"), "{\"batchItemFailures\":[]}"},
        {{.record = on_record},
         "{\"Records\":7}",
         ERROR_LINE("r-1"),
         "{\"errorMessage\":\"event.Records: is 7, want an object or a list\",\"errorType\":\"BadInput\",\"stackTrace\":[]}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        PLAY(&play, rows[i].handler, script);
        assert_int_equal(play.exit_status, 0);
        assert_string_equal(asked(1), rows[i].line);
        assert_string_equal(body(1), rows[i].body);
    }
}

/* It is told what helps: more memory, where there may be enough of it. */
static void fails_an_event_that_does_not_fit_and_goes_on(void **state) {
    static const struct {
        size_t bytes;
        const char *arena_mb, *says;
    } rows[] = {
        {3 << 20, "1", "the event has 3145728 bytes, which don't fit: raise LATCH_ARENA_MB"},
        {(64 << 20) + 1, "128", "the event has 67108865 bytes, Latch takes at most 67108864"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        char *text = malloc(rows[i].bytes), said[256];
        assert_non_null(text);
        memset(text, '1', rows[i].bytes);
        const server_step script[] = {{.event = text, .event_len = rows[i].bytes}, {.answer = ACCEPTED}, {.event = "2"}};
        setenv("LATCH_ARENA_MB", rows[i].arena_mb, 1);
        PLAY(&play, (latch_handler){.event = echo}, script);
        free(text);
        assert_int_equal(play.exit_status, 0);
        assert_string_equal(asked(1), ERROR_LINE("r-1"));
        snprintf(said, sizeof said, "{\"errorMessage\":\"%s\",\"errorType\":\"ArenaFull\",\"stackTrace\":[]}", rows[i].says);
        assert_string_equal(body(1), said);
        assert_string_equal(asked(3), RESPONSE_LINE("r-1"));
        assert_string_equal(body(3), "2");
    }
}

static latch_status exhaust(latch_ctx *cx, latch_event *event) {
    (void)event;
    while (latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "the arena is full");
}

static void reports_an_error_of_a_full_arena(void **state) {
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}, {.event = "2"}};
    (void)state;
    setenv("LATCH_ARENA_MB", "1", 1);
    PLAY(&play, (latch_handler){.event = exhaust}, script);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(asked(1), ERROR_LINE("r-1"));
    assert_string_equal(asked(3), ERROR_LINE("r-1"));
    assert_string_equal(header(3, "Lambda-Runtime-Function-Error-Type"), "Function.ArenaFull");
    assert_logged("\"message\":\"invocation failed\"");
}

static size_t posts_at_end;

static void note_end(latch_ctx *cx, void *arg, latch_status ended) {
    (void)cx, (void)ended;
    posts_at_end = atomic_load((atomic_size_t *)arg);
}
static latch_status scoped(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_scope_add(cx, note_end, &play.server.count);
}

static void ends_the_scope_before_it_answers(void **state) {
    static const server_step script[] = {{.event = "1"}};
    (void)state;
    posts_at_end = 99;
    PLAY(&play, (latch_handler){.event = scoped}, script);
    assert_int_equal(posts_at_end, 1); /* what was asked for is the event, nothing else yet */
    assert_int_equal(play.server.count, 3);
}

static latch_status break_a_pipe(latch_ctx *cx, latch_event *event) {
    int pair[2];
    (void)cx, (void)event;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return LATCH_OK;
    close(pair[1]);
    ssize_t n = write(pair[0], "x", 1);
    close(pair[0]);
    return n < 0 ? latch_event_reply_bytes(event, LATCH_STR("\"broken\"")) : LATCH_OK;
}

static void survives_a_broken_pipe(void **state) {
    static const server_step script[] = {{.event = "1"}};
    struct sigaction before;
    (void)state;
    PLAY(&play, (latch_handler){.event = break_a_pipe}, script);
    assert_string_equal(body(1), "\"broken\"");
    sigaction(SIGPIPE, NULL, &before);
    assert_true(before.sa_handler == SIG_DFL); /* the process gets back what it had */
}

/* ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static long rss_anon_kb(void) {
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL) return -1;
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "RssAnon: %ld kB", &kb) == 1) break;
    }
    fclose(status);
    return kb;
}

#define ROUNDS 20000
static long early_kb, late_kb;
static int rounds;

static latch_status echo_and_weigh(latch_ctx *cx, latch_event *event) {
    rounds++;
    if (rounds == 1000) early_kb = rss_anon_kb();
    if (rounds == ROUNDS) late_kb = rss_anon_kb();
    latch_json parsed;
    LATCH_TRY(latch_event_json(event, &parsed));
    return echo(cx, event);
}

static void stays_flat_over_twenty_thousand_invocations(void **state) {
    static server_step script[2 * ROUNDS];
    static char ids[64][256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) /* trace ids of changing length: setenv would keep each */
        snprintf(ids[i], sizeof ids[i], REQUEST_1 "Lambda-Runtime-Trace-Id: Root=1-%0*zu\r\n", (int)i + 1, i);
    for (size_t i = 0; i < ROUNDS; i++) {
        script[2 * i] = (server_step){.event = "{\"hello\":[\"world\",1,2,3]}", .headers = ids[i % COUNT_OF(ids)]};
        script[2 * i + 1] = (server_step){.answer = ACCEPTED};
    }
    play.server.forgets = true;
    rounds = 0;
    PLAY(&play, (latch_handler){.event = echo_and_weigh}, script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(rounds, ROUNDS);
    assert_int_equal(play.server.connections, 1);
    print_message("RssAnon after 1,000 invocations %ld kB, after %d %ld kB\n", early_kb, ROUNDS, late_kb);
    assert_true(early_kb > 0);
    assert_in_range(late_kb, 1, early_kb + early_kb / 20);
}

static long before_kb, during_kb, after_kb;

static latch_status weigh_in_turn(latch_ctx *cx, latch_event *event) {
    rounds++;
    if (rounds == 1) before_kb = rss_anon_kb();
    if (rounds == 3) after_kb = rss_anon_kb();
    if (rounds != 2) return LATCH_OK;
    char *large = latch_arena_alloc(cx->arena, (size_t)64 << 20);
    if (large == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "full");
    memset(large, 1, (size_t)64 << 20);
    during_kb = rss_anon_kb();
    return latch_event_reply_bytes(event, LATCH_STR("1"));
}

static void gives_back_what_a_large_invocation_used(void **state) {
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}, {.event = "2"}, {.answer = ACCEPTED}, {.event = "3"}};
    (void)state;
    rounds = 0;
    PLAY(&play, (latch_handler){.event = weigh_in_turn}, script);
    assert_int_equal(rounds, 3);
    assert_true(during_kb > before_kb + 60000);
    assert_true(after_kb < before_kb + 12000); /* under ASan the arena's shadow, an eighth, stays */
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(reports_what_fails_before_the_first_event),
    ROW(opens_stores_once_and_closes_them),
    ROW(deadlines_are_by_the_clock_that_stores_correct),
    ROW(deadlines_follow_the_clock_that_an_answer_moves),
    ROW(reports_stores_that_do_not_open),
    ROW(dispatches_to_every_kind),
    ROW(fails_an_event_that_does_not_fit_and_goes_on),
    ROW(reports_an_error_of_a_full_arena),
    ROW(ends_the_scope_before_it_answers),
    ROW(survives_a_broken_pipe),
    ROW(stays_flat_over_twenty_thousand_invocations),
    ROW(gives_back_what_a_large_invocation_used),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/err.h"
#include "core/scope.h"
#include "runtime/around.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/record.h"
#include "runtime/stream.h"
#include "tests/runtime/call.h"

static char trail[1024]; /* what ran, in order */

static void went(const char *what) {
    size_t n = strlen(trail);
    snprintf(trail + n, sizeof trail - n, "%s ", what);
}

static int set_up(void **state) {
    trail[0] = '\0';
    return call_set_up(state, (size_t)4 << 20);
}

#define GET(path) "{\"rawPath\":\"" path "\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}"
#define QUEUED(id) "{\"messageId\":\"" id "\",\"body\":\"1\",\"eventSource\":\"aws:sqs\"}"
#define assert_has(text, part)                                                                                                             \
    do {                                                                                                                                   \
        if (strstr((text), (part)) == NULL) fail_msg("\"%s\" is not in: %s", (part), (text));                                              \
    } while (0)

/* ── handlers ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status on_event(latch_ctx *cx, latch_event *event) {
    went("handler");
    return latch_event_reply(event, latch_object(cx, "by", "handler"));
}
static latch_status on_http(latch_ctx *cx, latch_http *http) {
    went("handler");
    latch_http_set_header(http, "x-by", LATCH_STR("handler"));
    return latch_http_reply(http, 201, latch_object(cx, "id", latch_http_param(http, "id")));
}
static latch_status on_record(latch_ctx *cx, latch_record *record) {
    (void)cx, (void)record;
    went("handler");
    return LATCH_OK;
}
static latch_status misses(latch_ctx *cx, latch_event *event) {
    (void)event;
    went("handler");
    return latch_refuse(cx, LATCH_MISSING, "no such thing");
}
static latch_status misses_over_http(latch_ctx *cx, latch_http *http) {
    (void)http;
    went("handler");
    return latch_refuse(cx, LATCH_MISSING, "no such thing");
}
static const latch_route routes[] = {{"GET", "/a/{id}", on_http}, {"GET", "/b", on_http}, {"POST", "/b", on_http}};

/* ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status passes(latch_ctx *cx, latch_call *at, const void *arg) {
    went((const char *)arg);
    latch_status status = latch_around_next(cx, at);
    went((const char *)arg);
    return status;
}
static latch_status does_nothing(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)cx, (void)at, (void)arg;
    return LATCH_OK;
}
static latch_status refuses(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)at;
    return latch_refuse(cx, arg != NULL ? *(const latch_status *)arg : LATCH_LIMITED, "not you");
}
static latch_status breaks(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)at, (void)arg;
    return latch_fail(cx, "HookBroke", "the hook broke");
}
static latch_status strays(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)cx, (void)at, (void)arg;
    return (latch_status)1;
}
static latch_status calls_twice(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)arg;
    LATCH_TRY(latch_around_next(cx, at));
    return latch_around_next(cx, at);
}
static latch_status breaks_afterwards(latch_ctx *cx, latch_call *at, const void *arg) {
    LATCH_TRY(latch_around_next(cx, at));
    return breaks(cx, at, arg);
}
static latch_status forgives(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)arg;
    bool missing;
    LATCH_TRY_BUT(LATCH_MISSING, missing, latch_around_next(cx, at));
    went(missing ? "forgiven" : "well");
    return LATCH_OK;
}
static latch_status loses_the_error(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)arg;
    latch_status status = latch_around_next(cx, at);
    if (latch_fail(cx, "Count", "could not be counted") != LATCH_E_HANDLER) return LATCH_OK;
    return status;
}
static latch_status replies_instead(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)arg;
    if (latch_call_http(at) != NULL) return latch_http_refuse(latch_call_http(at), 401, "who are you?");
    return latch_event_reply(latch_call_event(at), latch_object(cx, "by", "hook"));
}
static latch_status replies_after(latch_ctx *cx, latch_call *at, const void *arg) {
    LATCH_TRY(latch_around_next(cx, at));
    return replies_instead(cx, at, arg);
}
static latch_status turns_into_reply(latch_ctx *cx, latch_call *at, const void *arg) {
    bool missing;
    (void)arg;
    LATCH_TRY_BUT(LATCH_MISSING, missing, latch_around_next(cx, at));
    return missing ? latch_event_reply(latch_call_event(at), latch_object(cx, "instead", latch_error(cx)->message)) : LATCH_OK;
}

static const latch_status seen = LATCH_SEEN, held = LATCH_HELD;

/* ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void the_first_is_outermost(void **state) {
    static const latch_around around[] = {{.run = passes, .arg = "a"}, {.run = passes, .arg = "b"}, {.run = passes, .arg = "c"}};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.event = on_event, LATCH_AROUND(around)}, "1"), LATCH_OK);
    assert_string_equal(trail, "a b c handler c b a ");
    assert_string_equal(call.reply, "{\"by\":\"handler\"}");
}

static void runs_around_its_route(void **state) {
    static const latch_around around[] = {{.run = passes, .arg = "all"}, {.run = passes, .arg = "b", .route = "GET /b"}};
    static const struct {
        const char *event, *trail, *reply;
    } rows[] = {
        {GET("/a/7"), "all handler all ", "\\\"id\\\":\\\"7\\\""},
        {GET("/b"), "all b handler b all ", "\"statusCode\":201"},
        {"{\"rawPath\":\"/b\",\"requestContext\":{\"http\":{\"method\":\"POST\"}}}", "all handler all ", "\"statusCode\":201"},
        {"{\"rawPath\":\"/b\",\"requestContext\":{\"http\":{\"method\":\"HEAD\"}}}", "all b handler b all ", "\"body\":\"\""},
        {GET("/c"), "all all ", "\"statusCode\":404"},
        {"{\"rawPath\":\"/a/1\",\"requestContext\":{\"http\":{\"method\":\"PUT\"}}}", "all all ", "\"allow\":\"GET, HEAD\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trail[0] = '\0';
        assert_int_equal(caller_say(&call, (latch_handler){LATCH_ROUTES(routes), LATCH_AROUND(around)}, rows[i].event), LATCH_OK);
        assert_string_equal(trail, rows[i].trail);
        assert_has(call.reply, rows[i].reply);
    }
}

static latch_status looks(latch_ctx *cx, latch_call *at, const void *arg) {
    char text[256];
    latch_http *http = latch_call_http(at);
    const latch_route *route = latch_call_route(at);
    (void)arg;
    snprintf(text, sizeof text, "%s:%s:%.*s:%d", latch_call_handler(at), route != NULL ? route->path : "-",
             LATCH_ARG(latch_http_param(http, "id")), latch_http_replied(http));
    went(text);
    LATCH_TRY(latch_around_next(cx, at));
    snprintf(text, sizeof text, "%d:%.*s:%.*s:%.*s:%.*s", latch_http_replied(http), LATCH_ARG(latch_http_replied_body(http)),
             LATCH_ARG(latch_http_replied_header(http, "Content-Type")), LATCH_ARG(latch_http_replied_header(http, "X-By")),
             LATCH_ARG(latch_http_replied_header(http, "x-none")));
    went(text);
    latch_http_set_header(http, "x-by", LATCH_STR("hook"));
    return LATCH_OK;
}

static void looks_at_request_and_reply(void **state) {
    static const latch_around around[] = {{.run = looks}};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){LATCH_ROUTES(routes), LATCH_AROUND(around)}, GET("/a/7")), LATCH_OK);
    assert_string_equal(trail, "h:/a/{id}:7:0 handler 201:{\"id\":\"7\"}:application/json:handler: ");
    assert_has(call.reply, "\"x-by\":\"hook\"");
    trail[0] = '\0';
    assert_int_equal(caller_say(&call, (latch_handler){LATCH_ROUTES(routes), LATCH_AROUND(around)}, GET("/none")), LATCH_OK);
    assert_string_equal(trail, "h:-::0 404:{\"error\":\"no such route\"}:application/json:: ");
}

static latch_status streams(latch_ctx *cx, latch_http *http) {
    latch_stream *stream;
    (void)cx;
    LATCH_TRY(latch_http_stream(http, 200, "text/csv", &stream));
    return latch_stream_write(stream, LATCH_STR("1,2"));
}
static latch_status fails_while_it_streams(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(streams(cx, http));
    return latch_refuse(cx, LATCH_MISSING, "no such thing");
}

/* Where it can't be sent as it is made, it is a reply for a hook, or no reply where the handler failed. */
static void sees_a_stream_that_was_collected(void **state) {
    static const latch_around around[] = {{.run = looks}}, passing[] = {{.run = passes, .arg = "hook"}},
                              replying[] = {{.run = replies_after}};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.http = streams, LATCH_AROUND(around)}, GET("/")), LATCH_OK);
    assert_string_equal(trail, "h:-::0 200:1,2:text/csv:: ");
    assert_has(call.reply, "\"body\":\"1,2\"");
    assert_int_equal(caller_say(&call, (latch_handler){.http = fails_while_it_streams, LATCH_AROUND(passing)}, GET("/")), LATCH_OK);
    assert_has(call.reply, "\"statusCode\":404");
    assert_int_equal(caller_say(&call, (latch_handler){.http = streams, LATCH_AROUND(replying)}, GET("/")), LATCH_OK);
    assert_has(call.reply, "\"statusCode\":401");
}

static latch_status looks_at_its_kind(latch_ctx *cx, latch_call *at, const void *arg) {
    latch_str reply;
    (void)arg;
    went(latch_call_http(at) != NULL ? "http" : "");
    went(latch_call_record(at) != NULL ? "record" : "");
    went(latch_call_event(at) != NULL ? "event" : "");
    if (latch_call_event(at) != NULL) went(latch_event_replied(latch_call_event(at), &reply) ? "replied" : "silent");
    LATCH_TRY(latch_around_next(cx, at));
    if (latch_call_event(at) != NULL && latch_event_replied(latch_call_event(at), &reply)) went(reply.ptr);
    return LATCH_OK;
}

static void runs_around_every_kind(void **state) {
    static const latch_around around[] = {{.run = looks_at_its_kind}};
    static const struct {
        latch_handler handler;
        const char *event, *trail;
    } rows[] = {
        {{.event = on_event, LATCH_AROUND(around)}, "1", "  event silent handler {\"by\":\"handler\"} "},
        {{.http = on_http, LATCH_AROUND(around)}, GET("/"), "http   handler "},
        {{LATCH_ROUTES(routes), LATCH_AROUND(around)}, GET("/b"), "http   handler "},
        {{.record = on_record, LATCH_AROUND(around)},
         "{\"Records\":[" QUEUED("m-1") "," QUEUED("m-2") "]}",
         " record  handler  record  handler "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trail[0] = '\0';
        assert_int_equal(caller_say(&call, rows[i].handler, rows[i].event), LATCH_OK);
        assert_string_equal(trail, rows[i].trail);
    }
}

/* ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_leaves_the_hook_counts(void **state) {
    static const struct {
        latch_around hook;
        latch_event_fn *event; /* NULL: on_event */
        latch_status skip_if, status;
        const char *says; /* in the error, or the reply */
    } rows[] = {
        {{.run = does_nothing}, NULL, 0, LATCH_E_MISUSE, "around[0] of the handler h returned LATCH_OK, and neither called on nor replied"},
        {{.run = refuses}, NULL, 0, LATCH_LIMITED, "not you"},
        {{.run = refuses, .arg = &held}, NULL, LATCH_HELD, LATCH_OK, "{\"skipped\":\"not you\"}"},
        {{.run = breaks}, NULL, 0, LATCH_E_HANDLER, "the hook broke"},
        {{.run = strays}, NULL, 0, LATCH_E_MISUSE, "the handler returned 1"},
        {{.run = calls_twice}, NULL, 0, LATCH_E_MISUSE, "a hook around the handler h called on twice"},
        {{.run = breaks_afterwards}, NULL, 0, LATCH_E_HANDLER, "the hook broke"},
        {{.run = breaks_afterwards}, misses, 0, LATCH_MISSING, "no such thing"},
        {{.run = forgives}, misses, 0, LATCH_OK, "null"},
        {{.run = loses_the_error}, misses, 0, LATCH_MISSING, "no such thing"},
        {{.run = loses_the_error}, misses, LATCH_MISSING, LATCH_OK, "{\"skipped\":\"no such thing\"}"},
        {{.run = loses_the_error}, NULL, 0, LATCH_OK, "{\"by\":\"handler\"}"},
        {{.run = replies_instead}, NULL, 0, LATCH_OK, "{\"by\":\"hook\"}"},
        {{.run = replies_after}, NULL, 0, LATCH_OK, "{\"by\":\"hook\"}"},
        {{.run = turns_into_reply}, misses, 0, LATCH_OK, "{\"instead\":\"no such thing\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_around around[] = {{.run = passes, .arg = "outer"}, rows[i].hook}, alone[] = {rows[i].hook};
        latch_handler handler = {
            .event = rows[i].event != NULL ? rows[i].event : on_event, LATCH_AROUND(alone), .skip_if = rows[i].skip_if};
        assert_int_equal(caller_say(&call, handler, "1"), rows[i].status);
        assert_has(rows[i].status == LATCH_OK ? call.reply : call.cx.err.message, rows[i].says);
        handler.around = around;
        handler.around_count = 2;
        assert_int_equal(caller_say(&call, handler, "1"), rows[i].status); /* the same through another */
    }
}

static void a_hook_answers_over_http(void **state) {
    static const struct {
        latch_around hook;
        latch_http_fn *http;
        latch_status status;
        const char *says;
    } rows[] = {
        {{.run = does_nothing}, on_http, LATCH_E_MISUSE, "neither called on nor replied"},
        {{.run = refuses}, on_http, LATCH_OK, "\"statusCode\":429"},
        {{.run = refuses, .arg = &held}, on_http, LATCH_OK, "\"statusCode\":409"},
        {{.run = breaks}, on_http, LATCH_E_HANDLER, "the hook broke"},
        {{.run = replies_instead}, on_http, LATCH_OK, "\"statusCode\":401"},
        {{.run = replies_after}, on_http, LATCH_OK, "\"statusCode\":401"},
        {{.run = breaks_afterwards}, on_http, LATCH_E_HANDLER, "the hook broke"},
        {{.run = passes, .arg = ""}, misses_over_http, LATCH_OK, "\"statusCode\":404"},
        {{.run = forgives}, misses_over_http, LATCH_E_MISUSE, "the handler returned LATCH_OK without a reply"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_around around[] = {rows[i].hook};
        assert_int_equal(caller_say(&call, (latch_handler){.http = rows[i].http, LATCH_AROUND(around)}, GET("/")), rows[i].status);
        assert_has(rows[i].status == LATCH_OK ? call.reply : call.cx.err.message, rows[i].says);
    }
}

/* A record that nobody ran isn't lost: it fails, and comes again. */
static void a_hook_decides_over_its_record_alone(void **state) {
    static const struct {
        latch_around hook;
        bool done;
        const char *logged;
    } rows[] = {
        {{.run = passes, .arg = ""}, true, ""},
        {{.run = does_nothing}, false, "neither called on nor replied"},
        {{.run = refuses}, false, "not you"},
        {{.run = refuses, .arg = &seen}, true, ""},
        {{.run = breaks}, false, "the hook broke"},
        {{.run = breaks_afterwards}, false, "the hook broke"},
        {{.run = calls_twice}, false, "called on twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_around around[] = {rows[i].hook};
        const latch_handler handler = {.record = on_record, LATCH_AROUND(around)};
        assert_int_equal(caller_say(&call, handler, "{\"Records\":[" QUEUED("m-1") "]}"), LATCH_OK);
        assert_string_equal(call.reply,
                            rows[i].done ? "{\"batchItemFailures\":[]}" : "{\"batchItemFailures\":[{\"itemIdentifier\":\"m-1\"}]}");
        assert_has(call.written, rows[i].logged);
    }
}

static void note_end(latch_ctx *cx, void *arg, latch_status ended) {
    (void)cx, (void)arg;
    went(ended == LATCH_OK ? "ended" : "ended badly");
}
static latch_status takes(latch_ctx *cx, latch_call *at, const void *arg) {
    LATCH_TRY(latch_scope_add(cx, note_end, trail));
    latch_status status = passes(cx, at, arg);
    went("left");
    return status;
}

static void what_a_hook_takes_ends_with_the_handler(void **state) {
    static const latch_around around[] = {{.run = passes, .arg = "outer"}, {.run = takes, .arg = "inner"}};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.event = on_event, LATCH_AROUND(around)}, "1"), LATCH_OK);
    assert_string_equal(trail, "outer inner handler inner left outer ended ");
    trail[0] = '\0';
    assert_int_equal(caller_say(&call, (latch_handler){.event = misses, LATCH_AROUND(around)}, "1"), LATCH_MISSING);
    assert_string_equal(trail, "outer inner handler inner left outer ended badly ");
}

/* ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_what_can_not_be_a_hook(void **state) {
    static const latch_around none[] = {{.run = passes, .arg = ""}, {.arg = "x"}}, other[] = {{.run = passes, .route = "POST /order"}},
                              no_method[] = {{.run = passes, .route = "/b"}}, good[] = {{.run = passes, .route = "GET /a/{id}"}};
    latch_around many[LATCH_AROUND_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (latch_around){.run = passes, .arg = ""};
    const struct {
        latch_handler handler;
        const char *says; /* NULL: it is right */
    } rows[] = {
        {{.name = "h", .event = on_event, LATCH_AROUND(none)}, "the handler h: around[1] has no function in .run"},
        {{.name = "h", .event = on_event, LATCH_AROUND(many)}, "the handler h has 17 hooks around it, want at most 16"},
        {{.name = "h", .event = on_event, .around = many, .around_count = LATCH_AROUND_MAX}, NULL},
        {{.name = "h", LATCH_ROUTES(routes), LATCH_AROUND(other)},
         "the handler h: around[0].route is \"POST /order\", which is none of its routes"},
        {{.name = "h", LATCH_ROUTES(routes), LATCH_AROUND(no_method)}, "which is none of its routes"},
        {{.name = "h", .http = on_http, LATCH_AROUND(good)}, "which is none of its routes"},
        {{.name = "h", LATCH_ROUTES(routes), LATCH_AROUND(good)}, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_handler *found;
        caller_say(&call, (latch_handler){.event = on_event}, "1");
        latch_status status = latch_outcome_choose(&call.cx, &rows[i].handler, 1, "h", &found);
        assert_int_equal(status, rows[i].says == NULL ? LATCH_OK : LATCH_E_MISUSE);
        if (rows[i].says != NULL) assert_has(call.cx.err.message, rows[i].says);
    }
    trail[0] = '\0';
    assert_int_equal(caller_say(&call, rows[2].handler, "1"), LATCH_OK); /* as deep as it goes */
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(the_first_is_outermost),
    ROW(runs_around_its_route),
    ROW(looks_at_request_and_reply),
    ROW(sees_a_stream_that_was_collected),
    ROW(runs_around_every_kind),
    ROW(what_leaves_the_hook_counts),
    ROW(a_hook_answers_over_http),
    ROW(a_hook_decides_over_its_record_alone),
    ROW(what_a_hook_takes_ends_with_the_handler),
    ROW(refuses_what_can_not_be_a_hook),
};

CHECK_MAIN(tests)

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kit/opened.h"

/* ── the handlers that it is tried on ───────────────────────────────────────────────────────────────────────────────────── */

static int inits;

static latch_status count_init(latch_ctx *cx) {
    inits++;
    if (getenv("KIT_INIT_FAILS") == NULL) return LATCH_OK;
    return latch_fail(cx, "NoSecret", "the secret isn't there");
}

/* Everything that a request can carry, said back. */
static latch_status mirror(latch_ctx *cx, latch_http *http) {
    char count[8];
    snprintf(count, sizeof count, "%zu", latch_http_query_count(http, "q"));
    latch_http_set_header(http, "X-Mirror", latch_http_header(http, "x-mirror"));
    latch_http_set_cookie(http, LATCH_STR("a=1"));
    return latch_http_reply(http, 202,
                            latch_object(cx, "method", latch_http_method(http), "path", latch_http_path(http), "q",
                                         latch_http_query(http, "q"), "count", count, "client", latch_http_client(http), "body_bytes",
                                         latch_http_body(http).len, "type", latch_http_header(http, "content-type"), "item",
                                         latch_http_param(http, "item"), "list", latch_append(latch_array(cx), latch_int(7))));
}

static latch_status headers_back(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200,
                            latch_object(cx, "host", latch_http_header(http, "host"), "type", latch_http_header(http, "content-type"),
                                         "forwarded", latch_http_header(http, "x-forwarded-for")));
}

static latch_status bytes_back(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply_bytes(http, 200, "application/octet-stream", latch_http_body(http));
}

static const latch_lock lock = {.name = "kit", .lease_ms = LATCH_MINUTE_MS};

static latch_status take(latch_ctx *cx, latch_event *event) {
    latch_hold hold;
    LATCH_TRY(latch_lock_take(cx, &lock, LATCH_STR("it"), &hold));
    return latch_event_reply(event, latch_object(cx, "left_ms", latch_left_ms(cx), "request_id", latch_request_id(cx)));
}

static latch_status slow(latch_ctx *cx, latch_event *event) {
    latch_test_pass(t, 60 * LATCH_SECOND_MS);
    return latch_event_reply(event, latch_object(cx, "done", latch_bool(true), "half", 0.5));
}

static latch_status record(latch_ctx *cx, latch_record *r) {
    latch_info(cx, "record", "id", latch_record_id(r), "group", latch_record_group(r), "receives", latch_record_receives(r));
    return latch_str_eq(latch_record_bytes(r), LATCH_STR("bad")) ? latch_fail(cx, "Bad", "bad") : LATCH_OK;
}

/* GET /stream?lines=3&fail=late: as many lines, and then what is said. */
static latch_status streaming(latch_ctx *cx, latch_http *http) {
    latch_stream *stream;
    latch_str fail = latch_http_query(http, "fail");
    latch_http_set_header(http, "x-kind", LATCH_STR("lines"));
    latch_http_set_cookie(http, LATCH_STR("a=1"));
    LATCH_TRY(latch_http_stream(http, 201, "text/plain", &stream));
    for (size_t i = 0; i < latch_http_query_count(http, "line"); i++) {
        LATCH_TRY(latch_stream_write(stream, latch_http_query_at(http, "line", i)));
        if (fail.len > 0 && !latch_str_eq(fail, LATCH_STR("early"))) LATCH_TRY(latch_stream_flush(stream));
    }
    if (latch_str_eq(fail, LATCH_STR("limit"))) return latch_refuse(cx, LATCH_LIMITED, "too many");
    return fail.len > 0 ? latch_fail(cx, "Broken", "it broke") : LATCH_OK;
}

static latch_status streaming_event(latch_ctx *cx, latch_event *event) {
    latch_stream *stream;
    (void)cx;
    LATCH_TRY(latch_event_stream(event, "application/json", &stream));
    return latch_stream_write(stream, latch_event_bytes(event));
}

/* The broken twin: it reads, adds and writes, and nothing says that nobody may come between. */
static const latch_cache counts = {.name = "count", .ttl_ms = LATCH_HOUR_MS};

static latch_status count_badly(latch_ctx *cx, latch_event *event) {
    latch_json found = LATCH_NULL;
    int64_t n = 0;
    bool missing;
    LATCH_TRY_BUT(LATCH_MISSING, missing, latch_cache_get(cx, &counts, LATCH_STR("n"), &found));
    if (!missing) LATCH_TRY(latch_read(found, "n", &n));
    LATCH_TRY(latch_cache_set(cx, &counts, LATCH_STR("n"), latch_object(cx, "n", n + 1)));
    return latch_event_reply(event, latch_object(cx, "n", n + 1));
}

static const latch_route routes[] = {{"ANY", "/mirror/{item}", mirror}};
static const latch_handler handlers[] = {
    {.name = "stream", .http = streaming},
    {.name = "stream_event", .event = streaming_event},
    {.name = "mirror", LATCH_ROUTES(routes), .init = count_init},
    {.name = "bytes", .http = bytes_back},
    {.name = "headers", .http = headers_back},
    {.name = "take", .event = take, .stores = true},
    {.name = "storeless", .event = take},
    {.name = "slow", .event = slow},
    {.name = "record", .record = record},
    {.name = "count", .event = count_badly, .stores = true},
};

static int open_kit(void **state) {
    (void)state;
    inits = 0;
    return open_with(handlers, COUNT_OF(handlers));
}

/* ── requests and replies ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_request_arrives_whole_in_each_form(void **state) {
    (void)state;
    for (int form = LATCH_TEST_HTTP_API; form <= LATCH_TEST_BALANCER; form++) {
        const latch_test_request request = {.path = "/mirror/a%20b?q=1%262&q=%C3%A9+&r",
                                            .method = "PATCH",
                                            .body = "{\"x\":1}",
                                            .headers = {"X-Mirror", "you \"and\" me"},
                                            .client = "203.0.113.9",
                                            .form = (latch_test_form)form};
        const latch_test_outcome *o = latch_test_http(t, "mirror", &request);
        assert_int_equal(o->status, LATCH_OK);
        assert_int_equal(o->http_status, 202);
        assert_string_equal(latch_test_text(o, "method"), "PATCH");
        assert_string_equal(latch_test_text(o, "item"), "a b");
        assert_string_equal(latch_test_text(o, "client"), "203.0.113.9");
        assert_string_equal(latch_test_text(o, "type"), "application/json");
        assert_string_equal(latch_test_text(o, "body_bytes"), "7");
        assert_string_equal(latch_test_text(o, "list[0]"), "7");
        assert_string_equal(latch_test_text(o, "list"), "[7]");
        assert_string_equal(latch_test_text(o, "absent"), "");
        if (form != LATCH_TEST_BALANCER) { /* which sends the last of a name that comes twice */
            assert_string_equal(latch_test_text(o, "q"), "1&2");
            assert_string_equal(latch_test_text(o, "count"), "2");
        }
        assert_string_equal(latch_test_header(o, "x-mirror"), "you \"and\" me");
        assert_string_equal(latch_test_header(o, "Set-Cookie"), "a=1");
        assert_string_equal(latch_test_header_at(o, "set-cookie", 1), "");
        assert_string_equal(latch_test_header(o, "content-type"), "application/json");
    }
    assert_int_equal(inits, 1);
}

static void a_header_that_the_test_gives_is_the_one(void **state) {
    (void)state;
    for (latch_test_form form = LATCH_TEST_HTTP_API; form <= LATCH_TEST_BALANCER; form++) {
        const latch_test_outcome *o = latch_test_http(
            t, "headers", &(latch_test_request){.form = form, .body = "x", .headers = {"HOST", "shop.example.org", "content-type", "x/y"}});
        assert_string_equal(latch_test_text(o, "host"), "shop.example.org");
        assert_string_equal(latch_test_text(o, "type"), "x/y");
        assert_string_equal(latch_test_text(o, "forwarded"), "192.0.2.1");
        o = latch_test_http(t, "headers", &(latch_test_request){.form = form, .headers = {"X-Forwarded-For", "198.51.100.7", "Host", "h"}});
        assert_string_equal(latch_test_text(o, "forwarded"), "198.51.100.7");
        assert_string_equal(latch_test_text(o, "host"), "h");
    }
}

static void a_body_may_be_bytes(void **state) {
    (void)state;
    const latch_test_outcome *o =
        latch_test_http(t, "bytes", &(latch_test_request){.body = "\xff\0\xfe", .body_bytes = 3, .headers = {"content-type", "x/y"}});
    assert_int_equal(o->body_bytes, 3);
    assert_memory_equal(o->body, "\xff\0\xfe", 3);
    assert_string_equal(latch_test_text(o, "x"), "");
    assert_null(latch_test_body(o).node);
}

static void outcomes_stay_until_they_are_forgotten(void **state) {
    (void)state;
    const latch_test_outcome *first = latch_test_http(t, "mirror", &(latch_test_request){.path = "/mirror/1"});
    for (int i = 0; i < 50; i++)
        (void)latch_test_http(t, "mirror", &(latch_test_request){.path = "/mirror/2"});
    assert_string_equal(latch_test_text(first, "item"), "1");
    latch_str item;
    assert_int_equal(latch_read(latch_test_body(first), "item", &item), LATCH_OK);
    assert_true(latch_str_eq(item, LATCH_STR("1")));
    latch_test_forget(t);
    assert_int_equal(latch_test_http(t, "mirror", &(latch_test_request){.path = "/nowhere"})->http_status, 404);
}

static void records_carry_what_a_queue_says(void **state) {
    (void)state;
    const latch_test_message batch[] = {{.body = "good", .group = "g"},
                                        {.body = "bad", .id = "second", .group = "g", .receives = 4},
                                        {.body = "good", .group = "g"},
                                        {.body = "good", .group = "h"}};
    const latch_test_outcome *o = latch_test_queue(t, "record", batch, COUNT_OF(batch));
    assert_int_equal(o->failed_count, 2); /* what comes after in a group of a FIFO queue stays behind */
    assert_true(latch_test_record_failed(o, "second") && latch_test_record_failed(o, "message-3"));
    assert_false(latch_test_record_failed(o, "message-1"));
    assert_int_equal(latch_test_logged(o, "record"), 3);
    assert_string_equal(latch_test_logged_text(o, "record", "receives"), "1");
    assert_string_equal(latch_test_logged_text(o, "record", "group"), "g");
    assert_int_equal(latch_test_queue(t, "record", batch, 0)->failed_count, 0);
}

/* ── what goes wrong with a handler ─────────────────────────────────────────────────────────────────────────────────────── */

static void a_name_that_no_entry_has_is_an_init_error(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "nobody", "{}");
    assert_int_equal(o->status, LATCH_E_MISUSE);
    assert_true(o->init_failed);
    assert_string_equal(o->error_type, "Runtime.HandlerNotFound");
    assert_non_null(strstr(o->error_message, "mirror, bytes"));
}

static void an_init_that_fails_is_tried_again(void **state) {
    (void)state;
    setenv("KIT_INIT_FAILS", "1", 1);
    const latch_test_outcome *o = latch_test_http(t, "mirror", &(latch_test_request){.path = "/mirror/1"});
    assert_true(o->init_failed && o->http_status == 0);
    assert_string_equal(o->error_type, "NoSecret");
    assert_int_equal(latch_test_logged(o, "init failed"), 1);
    unsetenv("KIT_INIT_FAILS");
    o = latch_test_http(t, "mirror", &(latch_test_request){.path = "/mirror/1"});
    assert_false(o->init_failed);
    assert_int_equal(inits, 2);
}

static void a_handler_that_does_not_say_stores_has_none(void **state) {
    (void)state;
    assert_int_equal(latch_test_event(t, "storeless", "{}")->status, LATCH_E_MISUSE);
    assert_int_equal(latch_test_event(t, "take", "{}")->status, LATCH_OK);
}

static void time_that_runs_out_is_lambdas_error(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_event(t, "slow", "{}");
    assert_int_equal(o->status, LATCH_E_TIMEOUT);
    assert_string_equal(o->error_type, "Sandbox.Timedout");
    assert_string_equal(o->error_message, "Task timed out after 10.00 seconds");
    assert_string_equal(o->reply, "");
    assert_int_equal(o->took_ms, 60000);
    latch_test *patient =
        latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .timeout_ms = 61000, .beside = t});
    o = latch_test_event(patient, "slow", "{}");
    assert_string_equal(latch_test_text(o, "done"), "true");
    assert_string_equal(latch_test_text(o, "half"), "0.5");
    latch_test_close(patient);
}

static void an_event_that_does_not_fit_is_said(void **state) {
    (void)state;
    static char big[200000];
    memset(big, ' ', sizeof big - 1);
    latch_test *small = latch_test_open(
        &(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .arena_bytes = 65536, .beside = t});
    const latch_test_outcome *o = latch_test_event(small, "slow", big);
    assert_int_equal(o->status, LATCH_E_NOMEM);
    assert_non_null(strstr(o->error_message, "arena_bytes"));
    latch_test_close(small);
}

static void files_are_events(void **state) {
    (void)state;
    const latch_test_outcome *o = latch_test_file(t, "record", LATCH_SOURCE_DIR "/events/orders-sqs.json");
    assert_int_equal(latch_test_logged(o, "record"), 6);
    o = latch_test_file(t, "record", "no/such.json");
    assert_int_equal(o->status, LATCH_E_INPUT);
    assert_non_null(strstr(o->error_message, "no/such.json"));
    assert_int_equal(latch_test_file(t, "record", "/")->status, LATCH_E_INPUT); /* a folder opens, and can't be read */
}

/* ── time and the store ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void time_stands_still_but_for_the_test(void **state) {
    (void)state;
    assert_int_equal(latch_test_now_ms(t), INT64_C(1767225600000));
    const latch_test_outcome *o = latch_test_event(t, "take", "{}");
    assert_string_equal(latch_test_text(o, "left_ms"), "9600");
    assert_int_equal(o->took_ms, 0);
    assert_true(o->requests >= 1);
    latch_test_pass(t, 5);
    assert_int_equal(latch_test_now_ms(t), INT64_C(1767225600005));
}

typedef struct fault_row {
    latch_test_fault fault;
    latch_status status;
    bool repeats, waits;
} fault_row;

static void each_fault_is_what_it_says(void **state) {
    (void)state;
    static const fault_row rows[] = {
        {LATCH_TEST_NOT_SENT, LATCH_E_NETWORK, true, false},   {LATCH_TEST_LOST, LATCH_E_TIMEOUT, true, true},
        {LATCH_TEST_ANSWER_LOST, LATCH_E_TIMEOUT, true, true}, {LATCH_TEST_DOWN, LATCH_E_NETWORK, true, false},
        {LATCH_TEST_THROTTLED, LATCH_E_THROTTLED, true, true}, {LATCH_TEST_DENIED, LATCH_E_DENIED, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const fault_row *row = &rows[i];
        latch_test_fail(t, row->fault, 1, 0);
        const latch_test_outcome *o = latch_test_event(t, "take", "{}");
        assert_int_equal(o->status, row->status);
        assert_int_equal(o->requests > 1, row->repeats);
        if (row->waits) assert_true(o->took_ms >= 1000);
        o = latch_test_event(t, "take", "{}"); /* faults are of one event */
        bool stays = row->fault == LATCH_TEST_ANSWER_LOST;
        if (!stays) assert_int_equal(o->status, LATCH_OK);
        latch_test_pass(t, 5 * LATCH_MINUTE_MS);
    }
}

static void a_fault_is_of_the_request_that_it_names(void **state) {
    (void)state;
    size_t usual = (size_t)latch_test_event(t, "take", "{}")->requests;
    latch_test_fail(t, LATCH_TEST_DOWN, usual + 1, 0);
    assert_int_equal(latch_test_event(t, "take", "{}")->requests, usual);
    latch_test_fail(t, LATCH_TEST_NOT_SENT, 1, 1);
    latch_test_fail(t, LATCH_TEST_NOT_SENT, 2, 1);
    const latch_test_outcome *o = latch_test_event(t, "take", "{}");
    assert_int_equal(o->status, LATCH_OK);
    assert_int_equal(o->requests, usual + 2);
}

static void a_context_by_hand_sees_and_holds(void **state) {
    (void)state;
    latch_hold hold;
    latch_ctx *cx = latch_test_context(t);
    assert_int_equal(latch_lock_take(cx, &lock, LATCH_STR("it"), &hold), LATCH_OK);
    assert_int_equal(latch_test_event(t, "take", "{}")->status, LATCH_HELD);
    latch_test_context_end(t);
    assert_int_equal(latch_test_event(t, "take", "{}")->status, LATCH_OK);
}

static int meanwhiles;
static void take_beside(void *arg) {
    meanwhiles++;
    assert_int_equal(latch_test_event(arg, "take", "{}")->status, LATCH_HELD);
}

static void another_sandbox_comes_between(void **state) {
    (void)state;
    meanwhiles = 0;
    latch_test *other = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .beside = t});
    latch_test_meanwhile(t, 2, take_beside, other); /* before the release */
    assert_int_equal(latch_test_event(t, "take", "{}")->status, LATCH_OK);
    assert_int_equal(latch_test_event(t, "take", "{}")->status, LATCH_OK);
    assert_int_equal(meanwhiles, 1);
    assert_int_equal(latch_test_event(other, "take", "{}")->status, LATCH_OK);
    latch_test_close(other);
}

static void count_beside(void *arg) { (void)latch_test_event(arg, "count", "{}"); }

static void a_lost_update_is_seen(void **state) {
    (void)state;
    latch_test *other = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .beside = t});
    assert_string_equal(latch_test_text(latch_test_event(t, "count", "{}"), "n"), "1");
    assert_string_equal(latch_test_text(latch_test_event(other, "count", "{}"), "n"), "2");
    latch_test_meanwhile(t, 2, count_beside, other); /* between reading and writing */
    assert_string_equal(latch_test_text(latch_test_event(t, "count", "{}"), "n"), "3");
    assert_string_equal(latch_test_text(latch_test_event(t, "count", "{}"), "n"), "4"); /* 5 were counted */
    latch_test_close(other);
}

/* ── used against its words: the program ends, and says why ─────────────────────────────────────────────────────────────── */

static void pass_back(void) { latch_test_pass(t, -1); }
static void two_contexts(void) { (void)latch_test_context(t), (void)latch_test_context(t); }
static void nine_faults(void) {
    for (int i = 0; i < 9; i++)
        latch_test_fail(t, LATCH_TEST_DOWN, 1, 0);
}
static void no_table(void) { (void)latch_test_open(&(latch_test_options){0}); }
static int runs_nothing(void) { return 0; }
static void no_run(void) { (void)latch_test_open(&(latch_test_options){.main = runs_nothing}); }
static void header_without_value(void) { (void)latch_test_http(t, "bytes", &(latch_test_request){.headers = {"X"}}); }

static void header_twice(void) { (void)latch_test_http(t, "bytes", &(latch_test_request){.headers = {"Accept", "a/b", "accept", "c/d"}}); }
static void again(void *arg) { (void)latch_test_event(arg, "take", "{}"); }
static void itself_meanwhile(void) {
    latch_test_meanwhile(t, 1, again, t);
    (void)latch_test_event(t, "take", "{}");
}

/* What the child says on standard error before it aborts. */
#define LINES "&line=one%0A&line=two%0A"

static void a_stream_is_read_back(void **state) {
    static const struct {
        const char *path;
        latch_test_form form;
        const char *mode;
        bool streamed;
    } rows[] = {
        {"/stream?" LINES, LATCH_TEST_FUNCTION_URL, "", true},
        {"/stream?" LINES, LATCH_TEST_HTTP_API, "", false},
        {"/stream?" LINES, LATCH_TEST_REST_API, "", false},
        {"/stream?" LINES, LATCH_TEST_REST_API, "RESPONSE_STREAM", true},
        {"/stream?" LINES, LATCH_TEST_BALANCER, "RESPONSE_STREAM", false},
        {"/stream?" LINES, LATCH_TEST_FUNCTION_URL, "BUFFERED", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        setenv("LATCH_INVOKE_MODE", rows[i].mode, 1);
        const latch_test_outcome *o = latch_test_http(t, "stream", &(latch_test_request){.path = rows[i].path, .form = rows[i].form});
        unsetenv("LATCH_INVOKE_MODE");
        assert_int_equal(o->status, LATCH_OK);
        assert_int_equal(o->streamed, rows[i].streamed);
        assert_int_equal(o->http_status, 201);
        assert_string_equal(o->body, "one\ntwo\n");
        assert_int_equal(o->body_bytes, 8);
        assert_string_equal(latch_test_header(o, "content-type"), "text/plain");
        assert_string_equal(latch_test_header(o, "X-Kind"), "lines");
        assert_string_equal(latch_test_header(o, "set-cookie"), "a=1");
        assert_string_equal(o->trailer_type, "");
    }
    const latch_test_outcome *o = latch_test_event(t, "stream_event", "{\"a\":1}");
    assert_true(o->streamed);
    assert_string_equal(o->reply, "{\"a\":1}");
    assert_string_equal(latch_test_text(o, "a"), "1");
}

static void a_stream_that_breaks_off_has_trailers(void **state) {
    static const struct {
        const char *path;
        latch_status status;
        bool streamed;
        int http_status;
        const char *body, *type, *error;
    } rows[] = {
        {"/stream?fail=late" LINES, LATCH_E_HANDLER, true, 201, "one\ntwo\n", "Function.Broken",
         "{\"errorMessage\":\"it broke\",\"errorType\":\"Broken\",\"stackTrace\":[]}"},
        {"/stream?fail=limit" LINES, LATCH_LIMITED, true, 201, "one\ntwo\n", "Function.Limited",
         "{\"errorMessage\":\"too many\",\"errorType\":\"Limited\",\"stackTrace\":[]}"},
        {"/stream?fail=early" LINES, LATCH_E_HANDLER, false, 0, "", "", ""},
        {"/stream?fail=limit", LATCH_OK, false, 429, "{\"error\":\"too many\"}", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_test_outcome *o =
            latch_test_http(t, "stream", &(latch_test_request){.path = rows[i].path, .form = LATCH_TEST_FUNCTION_URL});
        assert_int_equal(o->status, rows[i].status);
        assert_int_equal(o->streamed, rows[i].streamed);
        assert_int_equal(o->http_status, rows[i].http_status);
        assert_string_equal(o->body, rows[i].body);
        assert_string_equal(o->trailer_type, rows[i].type);
        assert_string_equal(o->trailer_error, rows[i].error);
    }
}

static void a_client_may_hang_up(void **state) {
    const latch_test_request request = {.path = "/stream?fail=late" LINES, .form = LATCH_TEST_FUNCTION_URL};
    (void)state;
    const latch_test_outcome *whole = latch_test_http(t, "stream", &request);
    size_t bytes = strlen(whole->reply) + 8 + strlen("one\ntwo\n"); /* the prelude is up to the first NUL */
    for (size_t most = 0; most < bytes; most++) {
        latch_test_hang_up(t, most);
        const latch_test_outcome *o = latch_test_http(t, "stream", &request);
        assert_int_equal(o->status, LATCH_E_NETWORK);
        assert_true(o->streamed);
        assert_int_equal(o->http_status, most >= bytes - 8 ? 201 : 0);
        assert_int_equal(o->body_bytes, most >= bytes - 8 ? most - (bytes - 8) : 0);
        latch_test_forget(t);
    }
    assert_int_equal(latch_test_http(t, "stream", &request)->status, LATCH_E_HANDLER);
}

static void ends_with(void (*misuse)(void), const char *words) {
    char said[512] = "";
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        misuse();
        _exit(0);
    }
    close(ends[1]);
    for (size_t n = 0; n < sizeof said - 1;) {
        ssize_t got = read(ends[0], said + n, sizeof said - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (strstr(said, words) == NULL) fail_msg("\"%s\" doesn't say \"%s\"", said, words);
}

static void misuse_ends_the_program(void **state) {
    (void)state;
    ends_with(pass_back, "time doesn't go back");
    ends_with(two_contexts, "latch_test_context_end");
    ends_with(nine_faults, "8 faults");
    ends_with(no_table, "options.main");
    ends_with(no_run, "without LATCH_RUN");
    ends_with(header_without_value, "name and value");
    ends_with(header_twice, "each header once");
    ends_with(itself_meanwhile, "options.beside");
    assert_int_equal(latch_run(handlers, COUNT_OF(handlers)), 1); /* nobody asked for the table: the kit isn't for a bootstrap */
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, open_kit, close_kit)
static const struct CMUnitTest tests[] = {
    ROW(a_request_arrives_whole_in_each_form),
    ROW(a_header_that_the_test_gives_is_the_one),
    ROW(a_body_may_be_bytes),
    ROW(outcomes_stay_until_they_are_forgotten),
    ROW(records_carry_what_a_queue_says),
    ROW(a_name_that_no_entry_has_is_an_init_error),
    ROW(an_init_that_fails_is_tried_again),
    ROW(a_handler_that_does_not_say_stores_has_none),
    ROW(time_that_runs_out_is_lambdas_error),
    ROW(an_event_that_does_not_fit_is_said),
    ROW(files_are_events),
    ROW(time_stands_still_but_for_the_test),
    ROW(each_fault_is_what_it_says),
    ROW(a_fault_is_of_the_request_that_it_names),
    ROW(a_context_by_hand_sees_and_holds),
    ROW(another_sandbox_comes_between),
    ROW(a_lost_update_is_seen),
    ROW(a_stream_is_read_back),
    ROW(a_stream_that_breaks_off_has_trailers),
    ROW(a_client_may_hang_up),
    ROW(misuse_ends_the_program),
};

CHECK_MAIN(tests)

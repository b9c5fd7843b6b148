#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch_test.h"
#include "runtime/stream.h"
#include "tests/check.h"

/* ── the handlers that it is tried on ───────────────────────────────────────────────────────────────────────────────────── */

static latch_test *t, *other; /* two sandboxes on one store */
static int runs;              /* of a handler */
static uint32_t takeovers;    /* what the last of them was told */
static struct {
    int status;           /* of its reply; 0: 201 */
    latch_status refusal; /* instead of a reply; LATCH_OK: none */
    int64_t passes_ms;    /* before it */
    size_t body_bytes;    /* of a reply of so many; 0: JSON */
    bool streams;
    bool binary, meanwhile; /* `meanwhile`: the same event comes to the other sandbox */
} does;

static const latch_test_outcome *while_it_ran;
static void send_order_elsewhere(void);

static latch_status place(latch_ctx *cx, latch_http *http) {
    runs++;
    takeovers = latch_takeovers(cx);
    if (does.passes_ms > 0) latch_test_pass(t, does.passes_ms);
    if (does.meanwhile) {
        does.meanwhile = false;
        send_order_elsewhere();
    }
    latch_http_set_header(http, "x-run", latch_str_of(runs == 1 ? "one" : "more"));
    latch_http_set_header(http, "x-outer", LATCH_STR("inner"));
    latch_http_set_cookie(http, LATCH_STR("session=1"));
    if (does.refusal != LATCH_OK) return latch_refuse(cx, does.refusal, "not so");
    if (does.streams) {
        latch_stream *stream;
        LATCH_TRY(latch_http_stream(http, 202, "text/csv", &stream));
        LATCH_TRY(latch_stream_write(stream, LATCH_STR("a,b\n")));
        return latch_stream_write(stream, LATCH_STR("1,2\n"));
    }
    if (does.binary && does.body_bytes == 0)
        return latch_http_reply_bytes(http, 200, "application/octet-stream", LATCH_STR("\xFF\x00\xFE"));
    if (does.body_bytes > 0) {
        static char big[LATCH_ONCE_RESPONSE_MAX_BYTES];
        memset(big, does.binary ? '\xFF' : 'x', sizeof big);
        return latch_http_reply_bytes(http, 200, "text/plain", (latch_str){big, does.body_bytes});
    }
    return latch_http_reply(http, does.status != 0 ? does.status : 201, latch_object(cx, "run", latch_int(runs)));
}

static latch_status on_event(latch_ctx *cx, latch_event *event) {
    runs++;
    if (does.refusal != LATCH_OK) return latch_refuse(cx, does.refusal, "not so");
    return does.status == 204 ? LATCH_OK : latch_event_reply(event, latch_object(cx, "run", latch_int(runs), "größe", 0.5));
}

static latch_status on_event_bytes(latch_ctx *cx, latch_event *event) {
    (void)cx;
    runs++;
    return latch_event_reply_bytes(event, LATCH_STR("\xFF"));
}

static latch_status on_event_stream(latch_ctx *cx, latch_event *event) {
    latch_stream *stream;
    (void)cx;
    runs++;
    LATCH_TRY(latch_event_stream(event, "application/json", &stream));
    return latch_stream_write(stream, LATCH_STR("[1]"));
}

static latch_status on_record(latch_ctx *cx, latch_record *record) {
    (void)record;
    runs++;
    return does.refusal != LATCH_OK ? latch_refuse(cx, does.refusal, "not so") : LATCH_OK;
}

static latch_status outer(latch_ctx *cx, latch_call *call, const void *arg) {
    static int n;
    char count[16];
    (void)arg;
    snprintf(count, sizeof count, "%d", ++n);
    latch_http_set_header(latch_call_http(call), "x-outer", latch_str_of(count));
    latch_http_set_cookie(latch_call_http(call), LATCH_STR("outer=1"));
    return latch_around_next(cx, call);
}

static latch_status answer_in_hook(latch_ctx *cx, latch_call *call, const void *arg) {
    (void)arg;
    return place(cx, latch_call_http(call));
}

/* ── policies ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_once_event by_header = {.name = "header", .key = {"headers.Idempotency-Key"}, .keep_ms = LATCH_DAY_MS},
                              by_body = {.name = "body", .key = {"body.customer", "body.order_id"}, .validate = {"body.qty"}},
                              by_claim = {.name = "claim", .key = {"requestContext.http.sourceIp"}, .validate = {"headers.x-v", "body"}},
                              optional = {.name = "optional", .key = {"headers.k", "body.id"}, .key_is_optional = true},
                              by_detail = {.name = "detail", .key = {"detail.id"}}, by_message = {.name = "message", .key = {"messageId"}},
                              by_content = {.name = "content", .key = {"body.id"}}, no_key = {.name = "none"}, no_name = {.key = {"id"}};

#define AROUND(name, ...) static const latch_around name[] = {__VA_ARGS__};
AROUND(header_hooks, {LATCH_ONCE_EVENT(&by_header)})
AROUND(nested_hooks, {.run = outer}, {LATCH_ONCE_EVENT(&by_header)})
AROUND(inner_hooks, {LATCH_ONCE_EVENT(&by_header)}, {.run = answer_in_hook})
AROUND(body_hooks, {LATCH_ONCE_EVENT(&by_body)})
AROUND(claim_hooks, {LATCH_ONCE_EVENT(&by_claim)})
AROUND(optional_hooks, {LATCH_ONCE_EVENT(&optional)})
AROUND(detail_hooks, {LATCH_ONCE_EVENT(&by_detail)})
AROUND(message_hooks, {LATCH_ONCE_EVENT(&by_message)})
AROUND(content_hooks, {LATCH_ONCE_EVENT(&by_content)})
AROUND(no_key_hooks, {LATCH_ONCE_EVENT(&no_key)})
AROUND(no_name_hooks, {LATCH_ONCE_EVENT(&no_name)})
AROUND(two_hooks, {LATCH_ONCE_EVENT(&by_header)}, {LATCH_ONCE_EVENT(&by_body)})

static const latch_handler handlers[] = {
    {.name = "header", .http = place, LATCH_AROUND(header_hooks), .stores = true},
    {.name = "nested", .http = place, LATCH_AROUND(nested_hooks), .stores = true},
    {.name = "inner", .http = place, LATCH_AROUND(inner_hooks), .stores = true},
    {.name = "body", .http = place, LATCH_AROUND(body_hooks), .stores = true},
    {.name = "claim", .http = place, LATCH_AROUND(claim_hooks), .stores = true},
    {.name = "optional", .http = place, LATCH_AROUND(optional_hooks), .stores = true},
    {.name = "two", .http = place, LATCH_AROUND(two_hooks), .stores = true},
    {.name = "event", .event = on_event, LATCH_AROUND(detail_hooks), .stores = true},
    {.name = "event-bytes", .event = on_event_bytes, LATCH_AROUND(detail_hooks), .stores = true},
    {.name = "event-stream", .event = on_event_stream, LATCH_AROUND(detail_hooks), .stores = true},
    {.name = "message", .record = on_record, LATCH_AROUND(message_hooks), .stores = true},
    {.name = "content", .record = on_record, LATCH_AROUND(content_hooks), .stores = true},
    {.name = "no-key", .event = on_event, LATCH_AROUND(no_key_hooks), .stores = true},
    {.name = "no-name", .event = on_event, LATCH_AROUND(no_name_hooks), .stores = true},
    {.name = "storeless", .event = on_event, LATCH_AROUND(detail_hooks)},
    {.name = "skips", .event = on_event, LATCH_AROUND(detail_hooks), .stores = true, .skip_if = LATCH_MISSING},
    {.name = "twin", .http = place, .stores = true}, /* without the hook */
};

static int set_up(void **state) {
    (void)state;
    runs = 0;
    takeovers = 99;
    memset(&does, 0, sizeof does);
    t = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers)});
    other = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .beside = t});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_test_close(other);
    latch_test_close(t);
    return 0;
}

static const latch_test_outcome *post(latch_test *to, const char *handler, const char *key, const char *body) {
    latch_test_request request = {.path = "/orders", .method = "POST", .body = body};
    if (key != NULL) request.headers[0] = "IDEMPOTENCY-key", request.headers[1] = key;
    return latch_test_http(to, handler, &request);
}

static void send_order_elsewhere(void) { while_it_ran = post(other, "header", "k", "{\"qty\":1}"); }

#define ORDER "{\"qty\":1}"

/* ── what the caller sees ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whether the second is answered as the first was, and ran nothing. */
static bool is_replayed(const char *handler) {
    runs = 0;
    const latch_test_outcome *first = post(t, handler, "k", ORDER), *again = post(other, handler, "k", "{ \"qty\" : 1 }");
    return runs == 1 && again->http_status == first->http_status && strcmp(again->body, first->body) == 0 &&
           strcmp(latch_test_header(again, "x-run"), "one") == 0 && strcmp(latch_test_header(again, "set-cookie"), "session=1") == 0 &&
           strcmp(latch_test_header(again, "content-type"), "application/json") == 0 &&
           strcmp(latch_test_header(again, "idempotent-replayed"), "true") == 0 &&
           latch_test_header(first, "idempotent-replayed")[0] == '\0' && first->requests == 2 && again->requests == 1;
}

static void answers_the_same_again(void **state) {
    (void)state;
    assert_true(is_replayed("header"));
    latch_test_pass(t, LATCH_DAY_MS + 2 * LATCH_SECOND_MS);
    assert_int_equal(post(t, "header", "k", ORDER)->http_status, 201); /* its record has ended */
    assert_int_equal(runs, 2);
}

static void a_handler_without_the_hook_is_found_by_its_twin(void **state) {
    (void)state;
    assert_false(is_replayed("twin"));
}

static void tells_events_apart(void **state) {
    static const struct {
        const char *handler, *key, *first, *then;
        int status, runs;
    } rows[] = {
        {"header", "k", ORDER, "{\"qty\":2}", 422, 1},
        {"header", "k", ORDER, NULL, 422, 1},
        {"header", "k", "no JSON", "no JSON", 201, 1},
        {"header", "k", "no JSON", "[\"no JSON\"]", 422, 1},
        {"header", "k", "\xFF", "\xFF", 201, 1},
        {"header", "k", "\xFF", "\xFE", 422, 1},
        {"header", NULL, ORDER, ORDER, 400, 0},
        {"header", "a#b", ORDER, ORDER, 201, 1},
        {"body", NULL, "{\"customer\":\"a\",\"order_id\":7,\"qty\":1}", "{\"customer\":\"a\",\"order_id\":\"7\",\"qty\":1,\"x\":1}", 201,
         1},
        {"body", NULL, "{\"customer\":\"a\",\"order_id\":7,\"qty\":1}", "{\"customer\":\"a\",\"order_id\":7,\"qty\":2}", 422, 1},
        {"body", NULL, "{\"customer\":\"a\",\"order_id\":7}", "{\"customer\":\"b\",\"order_id\":7}", 201, 2},
        {"body", NULL, "{\"customer\":\"a#b\",\"order_id\":\"c\"}", "{\"customer\":\"a\",\"order_id\":\"b#c\"}", 201, 2},
        {"body", NULL, "{\"customer\":\"a\"}", "{\"customer\":\"a\"}", 400, 0},
        {"body", NULL, "{\"customer\":\"a\",\"order_id\":[]}", "{\"customer\":\"a\",\"order_id\":1.5}", 400, 0},
        {"body", NULL, "no JSON", "", 400, 0},
        {"claim", NULL, "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", 201, 1},
        {"claim", NULL, "{\"a\":1}", "{\"a\":2}", 422, 1},
        {"optional", NULL, "{\"id\":1}", "{\"id\":1}", 201, 2},
        {"optional", NULL, NULL, "{}", 201, 2},
        {"twin", NULL, ORDER, ORDER, 201, 2},
    };
    void *unused = NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (i > 0) tear_down(&unused), set_up(&unused);
        (void)post(t, rows[i].handler, rows[i].key, rows[i].first);
        const latch_test_outcome *then = post(t, rows[i].handler, rows[i].key, rows[i].then);
        if (then->http_status != rows[i].status || runs != rows[i].runs)
            fail_msg("row %zu: %d, %d runs: %s", i, then->http_status, runs, then->log);
    }
    (void)state;
}

static void the_path_and_the_method_are_of_the_request(void **state) {
    (void)state;
    assert_int_equal(post(t, "header", "k", ORDER)->http_status, 201);
    const latch_test_request elsewhere = {.path = "/other", .method = "POST", .body = ORDER, .headers = {"idempotency-key", "k"}};
    const latch_test_request query = {.path = "/orders?dry=1", .method = "POST", .body = ORDER, .headers = {"idempotency-key", "k"}};
    const latch_test_request method = {.path = "/orders", .method = "PUT", .body = ORDER, .headers = {"idempotency-key", "k"}};
    assert_int_equal(latch_test_http(t, "header", &elsewhere)->http_status, 422);
    assert_int_equal(latch_test_http(t, "header", &query)->http_status, 422);
    assert_int_equal(latch_test_http(t, "header", &method)->http_status, 422);
    assert_int_equal(runs, 1);
}

static void names_the_key_that_is_missing(void **state) {
    (void)state;
    assert_string_equal(latch_test_text(post(t, "header", NULL, ORDER), "error"), "the header Idempotency-Key is missing");
    assert_string_equal(latch_test_text(post(t, "body", NULL, "{\"customer\":\"a\"}"), "error"), "body.order_id: is missing, want text");
    assert_string_equal(latch_test_event(t, "event", "{\"detail\":{}}")->error_message, "event.detail.id: is missing, want text");
    assert_string_equal(latch_test_event(t, "event", "{\"detail\":{\"id\":\"\"}}")->error_type, "BadInput");
}

static void whoever_comes_meanwhile_waits(void **state) {
    (void)state;
    does.meanwhile = true;
    assert_int_equal(post(t, "header", "k", ORDER)->http_status, 201);
    assert_int_equal(while_it_ran->http_status, 409);
    assert_string_equal(latch_test_header(while_it_ran, "retry-after"), "12"); /* until the deadline of the first, and the clocks' skew */
    assert_int_equal(runs, 1);
    assert_int_equal(post(other, "header", "k", ORDER)->http_status, 201);
    assert_int_equal(runs, 1);
}

/* ── what isn't kept ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void an_error_is_not_kept(void **state) {
    static const struct {
        int status;
        latch_status refusal;
        int64_t passes_ms;
        int answered; /* 0: the invocation fails */
        uint32_t takeovers;
        const char *then; /* another payload, or the same */
        int then_answered;
    } rows[] = {
        {400, 0, 0, 400, 0, "{\"qty\":2}", 201},
        {409, 0, 0, 409, 0, ORDER, 201},
        {500, 0, 0, 500, 1, ORDER, 201},
        {503, 0, 0, 503, 99, "{\"qty\":2}", 422},
        {0, LATCH_MISSING, 0, 404, 0, "{\"qty\":2}", 201},
        {0, LATCH_LIMITED, 0, 429, 0, ORDER, 201},
        {0, LATCH_E_INPUT, 0, 400, 0, "{\"qty\":2}", 201},
        {0, LATCH_CONFLICT, 0, 409, 1, ORDER, 201},
        {0, 0, 20 * LATCH_SECOND_MS, 0, 1, ORDER, 201}, /* out of time: nothing was kept, and its in-progress time is over */
    };
    void *unused = NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (i > 0) tear_down(&unused), set_up(&unused);
        does.status = rows[i].status;
        does.refusal = rows[i].refusal;
        does.passes_ms = rows[i].passes_ms;
        const latch_test_outcome *first = post(t, "header", "k", ORDER);
        memset(&does, 0, sizeof does);
        takeovers = 99;
        const latch_test_outcome *then = post(other, "header", "k", rows[i].then);
        if (first->http_status != rows[i].answered || then->http_status != rows[i].then_answered || takeovers != rows[i].takeovers)
            fail_msg("row %zu: %d, then %d with %u takeovers: %s%s", i, first->http_status, then->http_status, takeovers, first->log,
                     then->log);
        if (rows[i].takeovers == 1) assert_int_equal(latch_test_logged(then, "begun before and not finished"), 1);
    }
    (void)state;
}

static void a_long_reply_goes_out_and_is_not_kept(void **state) {
    (void)state;
    does.body_bytes = LATCH_ONCE_RESPONSE_MAX_BYTES;
    const latch_test_outcome *first = post(t, "header", "k", ORDER), *again = post(t, "header", "k", ORDER);
    assert_int_equal(first->http_status, 200);
    assert_int_equal(latch_test_logged(first, "the reply is too long to be kept, it can't be replayed"), 1);
    assert_int_equal(again->http_status, 409);
    assert_int_equal(runs, 1);
}

/* ── how it is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void bytes_come_back_as_they_were(void **state) {
    static const latch_test_form forms[] = {LATCH_TEST_HTTP_API, LATCH_TEST_FUNCTION_URL, LATCH_TEST_REST_API, LATCH_TEST_BALANCER};
    (void)state;
    does.binary = true;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const latch_test_request request = {
            .path = "/orders", .method = "POST", .body = ORDER, .headers = {"idempotency-key", "k"}, .form = forms[i]};
        const latch_test_outcome *o = latch_test_http(t, "header", &request);
        assert_int_equal(o->http_status, 200);
        assert_int_equal(o->body_bytes, 3);
        assert_memory_equal(o->body, "\xFF\x00\xFE", 3);
        assert_string_equal(latch_test_header(o, "content-type"), "application/octet-stream");
        assert_string_equal(latch_test_header(o, "set-cookie"), "session=1");
    }
    assert_int_equal(runs, 1);
}

/* The handler's; and that of a hook which answers instead of it. */
static void a_stream_is_collected_and_kept(void **state) {
    (void)state;
    does.streams = true;
    for (int i = 0; i < 4; i++) {
        const latch_test_outcome *o = i < 2 ? post(t, "header", "k", ORDER) : post(t, "inner", "k-2", ORDER);
        assert_int_equal(o->http_status, 202);
        assert_string_equal(o->body, "a,b\n1,2\n");
        assert_string_equal(latch_test_header(o, "content-type"), "text/csv");
        assert_string_equal(latch_test_header(o, "set-cookie"), "session=1");
    }
    assert_int_equal(runs, 2);
    for (int i = 0; i < 2; i++)
        assert_string_equal(latch_test_event(t, "event-stream", "{\"detail\":{\"id\":9}}")->reply, "[1]");
    assert_int_equal(runs, 3);
}

static void what_outer_hooks_set_is_theirs(void **state) {
    (void)state;
    (void)post(t, "nested", "k", ORDER);
    const latch_test_outcome *again = post(t, "nested", "k", ORDER);
    assert_int_equal(runs, 1);
    assert_string_not_equal(latch_test_header(again, "x-outer"), "inner");
    assert_string_equal(latch_test_header_at(again, "set-cookie", 0), "outer=1");
    assert_string_equal(latch_test_header_at(again, "set-cookie", 1), "session=1");
    assert_string_equal(latch_test_header_at(again, "set-cookie", 2), "");
}

static void one_within_another(void **state) {
    (void)state;
    assert_int_equal(post(t, "two", "k", "{\"customer\":\"a\",\"order_id\":1}")->http_status, 201);
    assert_int_equal(post(t, "two", "k", "{\"customer\":\"a\",\"order_id\":1}")->requests, 1);
    const latch_test_outcome *inner = post(t, "two", "k-2", "{\"customer\":\"a\",\"order_id\":1}");
    assert_int_equal(inner->http_status, 201);
    assert_int_equal(inner->requests, 3);
    assert_int_equal(runs, 1);
}

/* ── events and records ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void events_are_answered_again(void **state) {
    (void)state;
    assert_string_equal(latch_test_event(t, "event", "{\"detail\":{\"id\":1}}")->reply, "{\"run\":1,\"größe\":0.5}");
    assert_string_equal(latch_test_event(other, "event", "{\"detail\":{\"id\":1}}")->reply, "{\"run\":1,\"größe\":0.5}");
    assert_int_equal(latch_test_event(t, "event", "{\"detail\":{\"id\":1},\"a\":2}")->status, LATCH_MISMATCH);
    does.status = 204;
    assert_string_equal(latch_test_event(t, "event", "{\"detail\":{\"id\":2}}")->reply, "null");
    assert_string_equal(latch_test_event(t, "event", "{\"detail\":{\"id\":2}}")->reply, "null");
    assert_int_equal(runs, 2);
    does.refusal = LATCH_MISSING;
    assert_string_equal(latch_test_event(t, "skips", "{\"detail\":{\"id\":3}}")->reply, "{\"skipped\":\"not so\"}");
    assert_string_equal(latch_test_event(t, "skips", "{\"detail\":{\"id\":3}}")->reply, "{\"skipped\":\"not so\"}");
    assert_int_equal(runs, 4);
}

static void records_are_handled_once(void **state) {
    static const latch_test_message twice[] = {{.id = "a", .body = "1"}, {.id = "a", .body = "1"}, {.id = "b", .body = "1"}},
                                    orders[] = {
                                        {.body = "{\"id\":1}"}, {.body = "{\"id\":1}"}, {.body = "{\"id\":1,\"x\":1}"}, {.body = "{}"}};
    (void)state;
    assert_int_equal(latch_test_queue(t, "message", twice, COUNT_OF(twice))->failed_count, 0);
    assert_int_equal(runs, 2);
    const latch_test_outcome *o = latch_test_queue(t, "content", orders, COUNT_OF(orders));
    assert_int_equal(o->failed_count, 2);
    assert_true(latch_test_record_failed(o, "message-3"));
    assert_true(latch_test_record_failed(o, "message-4"));
    assert_int_equal(runs, 3);
    assert_non_null(strstr(o->log, "event.Records[3].body.id: is missing, want text"));
    does.refusal = LATCH_LIMITED;
    assert_int_equal(latch_test_queue(t, "message", &(latch_test_message){.id = "c", .body = "1"}, 1)->failed_count, 1);
    does.refusal = LATCH_OK;
    assert_int_equal(latch_test_queue(t, "message", &(latch_test_message){.id = "c", .body = "1"}, 1)->failed_count, 0);
    assert_int_equal(runs, 5);
}

/* ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_a_bad_policy(void **state) {
    (void)state;
    assert_string_equal(latch_test_event(t, "no-key", "{}")->error_message, "once_event none: .key has no path");
    assert_string_equal(latch_test_event(t, "no-name", "{}")->error_message, "once_event: .name is not set");
    assert_string_equal(latch_test_event(t, "storeless", "{\"detail\":{\"id\":1}}")->error_type, "Misuse");
    assert_int_equal(runs, 0);
}

/* Whatever is lost on the way: it is never done twice without being told, and the second answer is the first's. */
static void does_it_once_whatever_is_lost(void **state) {
    static const latch_test_fault faults[] = {LATCH_TEST_NOT_SENT, LATCH_TEST_LOST,      LATCH_TEST_ANSWER_LOST,
                                              LATCH_TEST_DOWN,     LATCH_TEST_THROTTLED, LATCH_TEST_DENIED};
    void *unused = NULL;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        for (size_t first = 1; first <= 3; first++) {
            for (size_t count = 0; count < 2; count++) {
                if (i + first + count > 1) tear_down(&unused), set_up(&unused);
                latch_test_fail(t, faults[i], first, count);
                const latch_test_outcome *o = post(t, "header", "k", ORDER), *then = NULL;
                int before = runs;
                for (int tries = 0; tries < 5; tries++) {
                    latch_test_pass(t, 15 * LATCH_SECOND_MS);
                    then = post(other, "header", "k", ORDER);
                    if (then->http_status == 201) break;
                }
                assert_int_equal(then->http_status, 201);
                bool told = runs == before || before == 0 || takeovers > 0;
                bool same = o->http_status != 201 || (runs == before && strcmp(o->body, then->body) == 0);
                if (!told || !same) fail_msg("fault %zu at %zu, %zu: %d then %d runs", i, first, count, before, runs);
            }
        }
    }
    (void)state;
}

/* Whatever doesn't fit any more: it is an error that says so, and what was done is answered alike by whoever has the memory. */
static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0, done = 0;
    (void)state;
    for (size_t bytes = 2048; bytes <= 163840; bytes += 1040) {
        latch_test *tight = latch_test_open(
            &(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .arena_bytes = bytes, .beside = t});
        char key[32];
        snprintf(key, sizeof key, "k-%zu", bytes);
        int before = runs;
        const latch_test_outcome *first = post(tight, "header", key, ORDER);
        int ran = runs - before;
        latch_test_pass(t, 15 * LATCH_SECOND_MS);
        const latch_test_outcome *then = post(t, "header", key, ORDER);
        if (first->http_status == 201) {
            done++;
            if (runs - before != 1 || strcmp(first->body, then->body) != 0)
                fail_msg("%zu bytes: %d runs, %s", bytes, runs - before, then->log);
        } else {
            refused++;
            assert_string_equal(first->error_type, "ArenaFull");
            assert_true(then->http_status == 201 || then->http_status == 409); /* 409: it is done, and its reply found no room */
            if (ran == 1 && runs - before == 2) assert_true(takeovers > 0);
        }
        latch_test_close(tight);
    }
    if (refused <= 5 || done <= 5) fail_msg("%zu refused, %zu done", refused, done);
}

/* Of bytes that are no text there is no room for base64: a reply of which that is said comes back whole, or not at all. */
static void no_reply_comes_back_without_its_body(void **state) {
    (void)state;
    does.binary = true;
    does.body_bytes = 60000;
    for (size_t bytes = 16384; bytes <= 200000; bytes += 4096) {
        latch_test *tight = latch_test_open(
            &(latch_test_options){.handlers = handlers, .handler_count = COUNT_OF(handlers), .arena_bytes = bytes, .beside = t});
        char key[32];
        snprintf(key, sizeof key, "k-%zu", bytes);
        (void)post(tight, "header", key, ORDER);
        latch_test_pass(t, 15 * LATCH_SECOND_MS);
        const latch_test_outcome *then = post(t, "header", key, ORDER);
        if (then->http_status != 409 && then->body_bytes != does.body_bytes)
            fail_msg("%zu bytes: %d with %zu bytes", bytes, then->http_status, then->body_bytes);
        latch_test_close(tight);
    }
}

static void a_reply_that_can_not_be_kept_is_an_error(void **state) {
    (void)state;
    assert_string_equal(latch_test_event(t, "event-bytes", "{\"detail\":{\"id\":1}}")->error_type, "Misuse");
    assert_int_equal(latch_test_event(t, "event-bytes", "{\"detail\":{\"id\":1}}")->status, LATCH_SEEN); /* and it is done */
    assert_int_equal(runs, 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(answers_the_same_again),
    ROW(a_handler_without_the_hook_is_found_by_its_twin),
    ROW(tells_events_apart),
    ROW(the_path_and_the_method_are_of_the_request),
    ROW(names_the_key_that_is_missing),
    ROW(whoever_comes_meanwhile_waits),
    ROW(an_error_is_not_kept),
    ROW(a_long_reply_goes_out_and_is_not_kept),
    ROW(bytes_come_back_as_they_were),
    ROW(a_stream_is_collected_and_kept),
    ROW(what_outer_hooks_set_is_theirs),
    ROW(one_within_another),
    ROW(events_are_answered_again),
    ROW(records_are_handled_once),
    ROW(refuses_a_bad_policy),
    ROW(does_it_once_whatever_is_lost),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(no_reply_comes_back_without_its_body),
    ROW(a_reply_that_can_not_be_kept_is_an_error),
};

CHECK_MAIN(tests)

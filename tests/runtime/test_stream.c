#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/coding.h"
#include "core/ctx_private.h"
#include "core/scope.h"
#include "core/span.h"
#include "runtime/api.h"
#include "runtime/around.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/stream.h"
#include "tests/runtime/play.h"

#define S(text) LATCH_STR(text)
#define EMPTY(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"
#define TYPE_HEADER "Lambda-Runtime-Function-Error-Type"
#define BODY_HEADER "Lambda-Runtime-Function-Error-Body"
#define NULS "\0\0\0\0\0\0\0\0"

static int set_up(void **state) {
    unsetenv("LATCH_INVOKE_MODE");
    return play_set_up(state);
}

/* ── the wire, byte by byte ──────────────────────────────────────────────────────────────────────────────────────── */

typedef struct reading { /* of one body */
    char payload[1 << 17];
    size_t len;
    size_t chunks[64]; /* their sizes */
    size_t chunk_count;
    char type[256], json[4096]; /* of the trailers; empty: there is none */
} reading;
static reading wire;

static const char *read_trailer(const char **at, const char *end, const char *name, char *out, size_t cap) {
    size_t name_len = strlen(name);
    const char *line_end = memmem(*at, (size_t)(end - *at), "\r\n", 2);
    if (line_end == NULL || (size_t)(line_end - *at) < name_len + 2 || memcmp(*at, name, name_len) != 0) return "a trailer is missing";
    if (memcmp(*at + name_len, ": ", 2) != 0) return "a trailer has no colon";
    snprintf(out, cap, "%.*s", (int)(line_end - *at - (ptrdiff_t)name_len - 2), *at + name_len + 2);
    *at = line_end + 2;
    return NULL;
}

/* NULL: it is a chunked body as RFC 9112 has it, and its trailers are the two of the contract, or none. Else what is wrong with it. */
static const char *read_wire(const char *raw, size_t len, reading *r) {
    const char *at = raw, *end = raw + len, *wrong;
    char text[8192];
    size_t bytes;
    memset(r, 0, sizeof *r);
    for (;;) {
        char *after;
        size_t size = strtoul(at, &after, 16);
        if (after == at || (*at == '0' && after != at + 1)) return "a chunk's size is no number";
        if (end - after < 2 || memcmp(after, "\r\n", 2) != 0) return "a chunk's size doesn't end its line";
        at = after + 2;
        if (size == 0) break;
        if ((size_t)(end - at) < size + 2 || memcmp(at + size, "\r\n", 2) != 0) return "a chunk isn't as long as it says";
        if (r->len + size <= sizeof r->payload) memcpy(r->payload + r->len, at, size);
        r->len += size;
        if (r->chunk_count < COUNT_OF(r->chunks)) r->chunks[r->chunk_count++] = size;
        at += size + 2;
    }
    if (end - at == 2 && memcmp(at, "\r\n", 2) == 0) return NULL;
    wrong = read_trailer(&at, end, TYPE_HEADER, r->type, sizeof r->type);
    if (wrong == NULL) wrong = read_trailer(&at, end, BODY_HEADER, text, sizeof text);
    if (wrong != NULL) return wrong;
    if (!latch_base64_read(latch_str_of(text), r->json, &bytes)) return "the error's body is no base64";
    r->json[bytes] = '\0';
    return end - at == 2 && memcmp(at, "\r\n", 2) == 0 ? NULL : "something is behind the trailers";
}

/* A failed stream: what was written, then the error in trailers, and in no other place. */
static const char *wrong_with_failed(const server_request *request, latch_str payload, const char *type, const char *json) {
    const char *wrong = read_wire(request->body, request->body_len, &wire);
    if (wrong != NULL) return wrong;
    if (strcmp(wire.type, type) != 0) return "the trailer's type is another";
    if (strcmp(wire.json, json) != 0) return "the trailer's body is another";
    if (wire.len != payload.len || memcmp(wire.payload, payload.ptr, payload.len) != 0) return "the payload is another";
    return NULL;
}

static void assert_streamed(size_t i, const char *content_type, latch_str payload) {
    const server_request *r = &play.server.requests[i];
    const char *wrong = read_wire(r->body, r->body_len, &wire);
    assert_string_equal(asked(i), RESPONSE_LINE("r-1"));
    if (wrong != NULL) fail_msg("request %zu: %s:\n%s", i, wrong, r->body);
    assert_string_equal(header(i, "Lambda-Runtime-Function-Response-Mode"), "streaming");
    assert_string_equal(header(i, "Transfer-Encoding"), "chunked");
    assert_string_equal(header(i, "Trailer"), TYPE_HEADER ", " BODY_HEADER);
    assert_string_equal(header(i, "Content-Type"), content_type);
    assert_string_equal(header(i, "Content-Length"), "");
    assert_string_equal(header(i, "Expect"), "");
    assert_string_equal(header(i, "TE"), "");
    assert_int_equal(wire.len, payload.len);
    assert_memory_equal(wire.payload, payload.ptr, payload.len);
}

/* ── handlers ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct doing { /* one step of a handler */
    enum { DO_STOP, DO_WRITE, DO_FLUSH, DO_REPLY, DO_BEGIN, DO_HEADER, DO_DECLINE, DO_REFUSE, DO_WAIT_CLOSED, DO_CRAM } what;
    const char *text;
    size_t bytes; /* of WRITE: text repeated up to so many; 0: as it is */
} doing;

#define STOP                                                                                                                               \
    { .what = DO_STOP }
#define BEGIN                                                                                                                              \
    { .what = DO_BEGIN }
#define WRITE(t)                                                                                                                           \
    { .what = DO_WRITE, .text = (t) }
#define FILL(t, n)                                                                                                                         \
    { .what = DO_WRITE, .text = (t), .bytes = (n) }
#define FLUSH                                                                                                                              \
    { .what = DO_FLUSH }
#define REPLY                                                                                                                              \
    { .what = DO_REPLY }
#define HEADER(t)                                                                                                                          \
    { .what = DO_HEADER, .text = (t) }
#define DECLINE(t)                                                                                                                         \
    { .what = DO_DECLINE, .text = (t) }
#define REFUSE                                                                                                                             \
    { .what = DO_REFUSE }
#define WAIT_CLOSED                                                                                                                        \
    { .what = DO_WAIT_CLOSED }
#define CRAM(n)                                                                                                                            \
    { .what = DO_CRAM, .bytes = (n) } /* that many bytes of the arena stay */

static const doing *todo;
static const char *content_type;
static int http_status;
static latch_status seen[64]; /* of each step */
static char said[64][256];
static size_t seen_count;
static bool swallows; /* goes on whatever a step returns, and returns LATCH_OK */
static char *large;
#define LARGE_BYTES ((size_t)8 << 20)

static latch_str text_of(const doing *d) {
    if (d->bytes == 0) return latch_str_of(d->text);
    memset(large, *d->text, d->bytes);
    return (latch_str){large, d->bytes};
}

static latch_status begin(latch_http *http, latch_event *event, latch_stream **stream) {
    latch_stream *begun = (void *)&play; /* is written in any case */
    latch_status status =
        http != NULL ? latch_http_stream(http, http_status, content_type, &begun) : latch_event_stream(event, content_type, &begun);
    if (status == LATCH_OK) *stream = begun;
    assert_true((status == LATCH_OK) == (begun != NULL));
    return status;
}

static latch_status step(latch_ctx *cx, latch_http *http, latch_event *event, const doing *d, latch_stream **stream) {
    switch (d->what) {
    case DO_BEGIN:
        return begin(http, event, stream);
    case DO_WRITE:
        return latch_stream_write(*stream, text_of(d));
    case DO_FLUSH:
        return latch_stream_flush(*stream);
    case DO_REPLY:
        return http != NULL ? latch_http_reply_bytes(http, 200, "text/plain", S("reply")) : latch_event_reply_bytes(event, S("\"reply\""));
    case DO_HEADER:
        latch_http_set_header(http, "x-more", latch_str_of(d->text));
        latch_http_set_cookie(http, S("c=1"));
        return LATCH_OK;
    case DO_DECLINE:
        return latch_fail(cx, "CardDeclined", "the card was declined", "line", d->text);
    case DO_REFUSE:
        return latch_refuse(cx, LATCH_LIMITED, "too many");
    case DO_WAIT_CLOSED:
        while (atomic_load(&play.server.closed) == 0)
            usleep(100);
        return LATCH_OK;
    case DO_CRAM:
        return latch_arena_alloc(cx->arena, cx->arena->cap - cx->arena->used - d->bytes) != NULL ? LATCH_OK : LATCH_E_NOMEM;
    case DO_STOP:
        break;
    }
    return LATCH_OK;
}

static latch_status follow(latch_ctx *cx, latch_http *http, latch_event *event) {
    latch_stream *stream = NULL;
    for (const doing *d = todo; d->what != DO_STOP; d++) {
        latch_status status = step(cx, http, event, d, &stream);
        seen[seen_count] = status;
        snprintf(said[seen_count++], sizeof said[0], "%s", status != LATCH_OK ? cx->err.message : "");
        if (status != LATCH_OK && !swallows) return status;
    }
    return LATCH_OK;
}

static int64_t real_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t called_at_ms; /* the last time */
static char waited_for[128]; /* the last span, once the handler has ended */

static latch_status on_event(latch_ctx *cx, latch_event *event) {
    called_at_ms = real_ms();
    latch_status status = follow(cx, NULL, event);
    waited_for[0] = '\0';
    if (cx->spans != NULL && cx->spans->count > 0)
        snprintf(waited_for, sizeof waited_for, "%s %s", cx->spans->at[cx->spans->count - 1].name,
                 cx->spans->at[cx->spans->count - 1].detail);
    return status;
}
static latch_status on_http(latch_ctx *cx, latch_http *http) { return follow(cx, http, NULL); }

static const latch_handler events = {.event = on_event}, https = {.http = on_http};
static const latch_handler skipping = {.event = on_event, .skip_if = LATCH_LIMITED},
                           skipping_http = {.http = on_http, .skip_if = LATCH_LIMITED};
static const latch_route routes[] = {{"GET", "/export/{what}", on_http}};
static const latch_handler routed = {LATCH_ROUTES(routes)};

static void follows(const doing *steps, const char *type) {
    todo = steps;
    content_type = type;
    http_status = 200;
    seen_count = 0;
    swallows = false;
}

#define URL_EVENT(method)                                                                                                                  \
    "{\"version\":\"2.0\",\"rawPath\":\"/export/all\",\"requestContext\":{\"domainName\":\"id.lambda-url.eu-west-1.on.aws\","              \
    "\"http\":{\"method\":\"" method "\"}}}"
#define API_EVENT                                                                                                                          \
    "{\"version\":\"2.0\",\"rawPath\":\"/export/all\",\"requestContext\":{\"domainName\":\"id.execute-api.eu-west-1.amazonaws.com\","      \
    "\"http\":{\"method\":\"GET\"}}}"
#define REST_EVENT "{\"httpMethod\":\"GET\",\"path\":\"/export/all\",\"requestContext\":{\"stage\":\"Prod\"}}"
#define BALANCER_EVENT "{\"httpMethod\":\"GET\",\"path\":\"/export/all\",\"requestContext\":{\"elb\":{}},\"headers\":{}}"

/* ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void sends_a_chunk_a_flush(void **state) {
    static const doing steps[] = {BEGIN, WRITE("a"), FLUSH, WRITE("bc"), WRITE(""), FLUSH, FLUSH, WRITE("0123456789abcdef"), STOP};
    static const server_step script[] = {{.event = "{}", .headers = REQUEST_1 "Lambda-Runtime-Invocation-Id: i-7\r\n"},
                                         {.answer = ACCEPTED}};
    (void)state;
    follows(steps, "text/plain");
    PLAY(&play, events, script);
    assert_streamed(1, "text/plain", S("abc0123456789abcdef"));
    assert_string_equal(body(1), "1\r\na\r\n2\r\nbc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    assert_string_equal(header(1, "Lambda-Runtime-Invocation-Id"), "i-7");
    assert_string_equal(asked(2), NEXT_LINE);
    assert_int_equal(play.server.connections, 1);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(play.written, "");
}

static void sends_what_the_buffer_holds_at_once(void **state) {
    static const struct {
        doing steps[4];
        const char *raw;
    } rows[] = {
        {{BEGIN, WRITE("hello"), STOP}, "5\r\nhello\r\n0\r\n\r\n"},
        {{BEGIN, STOP}, "0\r\n\r\n"},
        {{BEGIN, WRITE(""), STOP}, "0\r\n\r\n"},
        {{BEGIN, FLUSH, STOP}, "0\r\n\r\n"},
        {{BEGIN, FLUSH, WRITE("x"), STOP}, "1\r\nx\r\n0\r\n\r\n"},
    };
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        follows(rows[i].steps, "");
        PLAY(&play, events, script);
        assert_string_equal(body(1), rows[i].raw);
        assert_string_equal(header(1, "Content-Type"), "application/octet-stream");
        assert_int_equal(play.server.count, 3);
        assert_string_equal(play.written, "");
    }
}

/* What doesn't fit goes out with what is in the buffer. */
static void fills_its_buffer_to_the_last_byte(void **state) {
    static const struct {
        size_t writes[4], chunks[4];
    } rows[] = {
        {{32767}, {32767}},
        {{32768}, {32768}},
        {{32767, 1}, {32768}},
        {{32767, 2}, {32769}},
        {{32768, 1}, {32769}},
        {{32769}, {32769}},
        {{1, 32768}, {32769}},
        {{1, 32768, 5}, {32769, 5}},
        {{65536, 5}, {65536, 5}},
        {{65537}, {65536, 1}},
        {{100000, 5}, {65536, 34464, 5}},
        {{5, 100000, 1}, {65536, 34469, 1}},
    };
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    large = malloc(LARGE_BYTES);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        doing steps[6] = {BEGIN};
        for (size_t k = 0; k < 4 && rows[i].writes[k] > 0; k++)
            steps[k + 1] = (doing)FILL(&"abcd"[k], rows[i].writes[k]);
        follows(steps, "text/plain");
        PLAY(&play, events, script);
        assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(wire.chunks[k], rows[i].chunks[k]);
        for (size_t k = 0, at = 0; k < 4; at += rows[i].writes[k++]) {
            if (rows[i].writes[k] == 0) break;
            assert_int_equal(wire.payload[at], "abcd"[k]);
            assert_int_equal(wire.payload[at + rows[i].writes[k] - 1], "abcd"[k]);
        }
    }
    free(large);
}

/* ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status with_headers(latch_ctx *cx, latch_http *http) {
    latch_http_set_header(http, "x-rows", S("\"3\" \xE2\x82\xAC"));
    latch_http_set_cookie(http, S("a=1; HttpOnly"));
    latch_http_set_cookie(http, S("b=2"));
    return follow(cx, http, NULL);
}

static void puts_status_headers_and_cookies_in_front(void **state) {
    static const doing steps[] = {BEGIN, WRITE("a,b\n"), FLUSH, WRITE("1,2\n"), STOP};
    static const server_step script[] = {{.event = URL_EVENT("GET")}};
    static const char payload[] = "{\"statusCode\":201,\"headers\":{\"content-type\":\"text/csv\",\"x-rows\":\"\\\"3\\\" \xE2\x82\xAC\"},"
                                  "\"cookies\":[\"a=1; HttpOnly\",\"b=2\"]}" NULS "a,b\n1,2\n";
    const latch_handler handler = {.http = with_headers};
    (void)state;
    follows(steps, "text/csv");
    http_status = 201;
    PLAY(&play, handler, script);
    assert_streamed(1, "application/vnd.awslambda.http-integration-response", (latch_str){payload, sizeof payload - 1});
    assert_int_equal(wire.chunk_count, 2);
    assert_int_equal(wire.chunks[1], 4);
}

static void streams_for_a_route(void **state) {
    static const doing steps[] = {BEGIN, WRITE("row"), STOP};
    static const server_step script[] = {{.event = URL_EVENT("GET")}};
    static const char payload[] = "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/csv\"}}" NULS "row";
    (void)state;
    follows(steps, "text/csv");
    PLAY(&play, routed, script);
    assert_streamed(1, "application/vnd.awslambda.http-integration-response", (latch_str){payload, sizeof payload - 1});
}

static void leaves_out_bodies_where_there_are_none(void **state) {
    static const struct {
        const char *event;
        int status;
        const char *payload;
        latch_status write;
    } rows[] = {
        {URL_EVENT("HEAD"), 200, "{\"statusCode\":200,\"headers\":{}}", LATCH_OK},
        {URL_EVENT("GET"), 204, "{\"statusCode\":204,\"headers\":{}}", LATCH_E_MISUSE},
        {URL_EVENT("GET"), 304, "{\"statusCode\":304,\"headers\":{}}", LATCH_E_MISUSE},
    };
    static const doing steps[] = {BEGIN, WRITE("row"), WRITE(""), FLUSH, STOP};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        follows(steps, "");
        http_status = rows[i].status;
        swallows = true;
        PLAY(&play, https, script);
        assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
        assert_int_equal(wire.len, strlen(rows[i].payload) + 8);
        assert_memory_equal(wire.payload, rows[i].payload, strlen(rows[i].payload));
        assert_int_equal(seen[1], rows[i].write);
        assert_int_equal(seen[2], LATCH_OK);
        if (rows[i].write != LATCH_OK) assert_non_null(strstr(said[1], "has no body"));
    }
}

static void says_what_doesnt_fit_a_stream(void **state) {
    static const struct {
        doing steps[4];
        size_t at; /* the step that is refused */
        const char *says;
        const char *type;
        int status;
        const char *payload; /* of the answer; NULL: a reply */
    } rows[] = {
        {{BEGIN, BEGIN, WRITE("x")}, 1, "being streamed", "", 200, "x"},
        {{BEGIN, REPLY, WRITE("x")}, 1, "no reply fits it", "", 200, "x"},
        {{REPLY, BEGIN}, 1, "there is a reply already", "", 200, NULL},
        {{BEGIN, REPLY}, 0, "want 200 to 599", "", 199, NULL},
        {{BEGIN, REPLY}, 0, "want 200 to 599", "", 600, NULL},
        {{BEGIN, REPLY}, 0, "control byte", "text/plain\r\nx: y", 200, NULL},
        {{HEADER("x\ny"), BEGIN}, 1, "the header \"x-more\" has a control byte", "", 200, ""},
        {{CRAM(4096), BEGIN, REPLY}, 1, "doesn't fit: raise LATCH_ARENA_MB", "", 200, NULL},
    };
    static const server_step script[] = {{.event = URL_EVENT("GET")}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        follows(rows[i].steps, rows[i].type);
        http_status = rows[i].status;
        swallows = true;
        PLAY(&play, https, script);
        assert_int_not_equal(seen[rows[i].at], LATCH_OK);
        if (strstr(said[rows[i].at], rows[i].says) == NULL) fail_msg("row %zu: %s", i, said[rows[i].at]);
        if (rows[i].payload == NULL) {
            assert_string_equal(header(1, "Content-Type"), "application/json");
            assert_non_null(strstr(body(1), "\"body\":\"reply\""));
        } else if (*rows[i].payload != '\0') {
            assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
            assert_int_equal(wire.payload[wire.len - 1], 'x');
        } else {
            assert_string_equal(asked(1), ERROR_LINE("r-1"));
        }
    }
}

static void the_same_for_events(void **state) {
    static const struct {
        doing steps[4];
        size_t at;
        const char *says, *type, *body;
    } rows[] = {
        {{BEGIN, BEGIN, WRITE("x")}, 1, "being streamed already", "", "1\r\nx\r\n0\r\n\r\n"},
        {{BEGIN, REPLY, WRITE("x")}, 1, "no reply fits it", "", "1\r\nx\r\n0\r\n\r\n"},
        {{REPLY, BEGIN}, 1, "there is a reply already", "", "\"reply\""},
        {{BEGIN, REPLY}, 0, "control byte", "a\nb", "\"reply\""},
    };
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        follows(rows[i].steps, rows[i].type);
        swallows = true;
        PLAY(&play, events, script);
        assert_int_equal(seen[rows[i].at], LATCH_E_MISUSE);
        assert_non_null(strstr(said[rows[i].at], rows[i].says));
        assert_string_equal(body(1), rows[i].body);
    }
}

static void tells_of_headers_that_come_too_late(void **state) {
    static const doing steps[] = {BEGIN, HEADER("late"), STOP};
    static const server_step script[] = {{.event = URL_EVENT("GET")}};
    (void)state;
    follows(steps, "");
    PLAY(&play, https, script);
    assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
    assert_null(memmem(wire.payload, wire.len, "late", 4));
    assert_logged("a header set after the stream began isn't sent\",\"header\":\"x-more\"");
    assert_logged("a header set after the stream began isn't sent\",\"header\":\"set-cookie\"");
}

static latch_stream *kept;

static latch_status keeps_its_handle(latch_ctx *cx, latch_event *event) {
    (void)cx;
    if (kept == NULL) return latch_event_stream(event, "", &kept);
    seen[0] = latch_stream_write(kept, S("late"));
    return latch_stream_flush(kept);
}

static void refuses_a_stream_of_an_invocation_that_is_over(void **state) {
    static const server_step script[] = {{.event = "{}"}, {.answer = ACCEPTED}, {.event = "{}"}};
    const latch_handler handler = {.event = keeps_its_handle};
    (void)state;
    kept = NULL;
    PLAY(&play, handler, script);
    assert_string_equal(asked(3), ERROR_LINE("r-1"));
    assert_non_null(strstr(body(3), "the stream has ended"));
    assert_int_equal(seen[0], LATCH_E_MISUSE);
}

/* ── how it ends ─────────────────────────────────────────────────────────────────────────────────────────────────── */

#define DECLINED "{\"errorMessage\":\"the card was declined {\\\"line\\\":\\\"7\\\"}\",\"errorType\":\"CardDeclined\",\"stackTrace\":[]}"

static void tells_a_failure_in_trailers(void **state) {
    static const struct {
        doing steps[6];
        latch_str payload;
        size_t chunks;
    } rows[] = {
        {{BEGIN, WRITE("abc"), FLUSH, DECLINE("7")}, {"abc", 3}, 1},
        {{BEGIN, WRITE("abc"), FLUSH, WRITE("de"), DECLINE("7")}, {"abcde", 5}, 2},
        {{BEGIN, FLUSH, DECLINE("7")}, {"", 0}, 0},
    };
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        follows(rows[i].steps, "text/plain");
        PLAY(&play, events, script);
        const char *wrong = wrong_with_failed(&play.server.requests[1], rows[i].payload, "Function.CardDeclined", DECLINED);
        if (wrong != NULL) fail_msg("row %zu: %s: %s", i, wrong, body(1));
        assert_int_equal(wire.chunk_count, rows[i].chunks);
        assert_int_equal(play.server.count, 3);
        assert_string_equal(asked(2), NEXT_LINE);
        assert_int_equal(play.server.connections, 1);
        assert_logged("\"invocation failed\",\"errorType\":\"CardDeclined\"");
    }
}

/* As the Rust runtime 1.5.0 sends it: the text of the trailers as one more chunk. The test above must see it. */
static void a_trailer_sent_as_data_is_found_by_its_twin(void **state) {
    static const doing steps[] = {BEGIN, WRITE("abc"), FLUSH, DECLINE("7"), STOP};
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    follows(steps, "text/plain");
    PLAY(&play, events, script);
    server_request twin = play.server.requests[1];
    assert_null(wrong_with_failed(&twin, S("abc"), "Function.CardDeclined", DECLINED));
    char *raw = twin.body, *end = strstr(raw, "0\r\n" TYPE_HEADER) + 3, bad[8192];
    twin.body_len = (size_t)snprintf(bad, sizeof bad, "3\r\nabc\r\n%zx\r\n%s\r\n0\r\n\r\n", strlen(end), end);
    twin.body = bad;
    assert_non_null(wrong_with_failed(&twin, S("abc"), "Function.CardDeclined", DECLINED));
    twin.body_len = (size_t)snprintf(bad, sizeof bad, "3\r\nabc\r\n0\r\n\r\n%s", end); /* behind the end */
    assert_non_null(wrong_with_failed(&twin, S("abc"), "Function.CardDeclined", DECLINED));
    twin.body_len = (size_t)snprintf(bad, sizeof bad, "3\r\nabc\r\n0\r\n%.*s", (int)(strlen(end) - 2), end); /* no last line */
    assert_non_null(wrong_with_failed(&twin, S("abc"), "Function.CardDeclined", DECLINED));
    twin.body_len = (size_t)snprintf(bad, sizeof bad, "3\r\nabc\r\n0\r\n\r\n"); /* without */
    assert_non_null(wrong_with_failed(&twin, S("abc"), "Function.CardDeclined", DECLINED));
}

static void a_refusal_in_the_middle_is_an_error(void **state) {
    static const doing steps[] = {BEGIN, WRITE("abc"), FLUSH, REFUSE, STOP};
    static const server_step script[] = {{.event = URL_EVENT("GET")}};
    (void)state;
    follows(steps, "");
    PLAY(&play, https, script);
    assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
    assert_string_equal(wire.type, "Function.Limited");
    assert_string_equal(wire.json, "{\"errorMessage\":\"too many\",\"errorType\":\"Limited\",\"stackTrace\":[]}");
    assert_logged("\"level\":\"ERROR\"");
    assert_int_equal(play.server.count, 3);
}

/* Nothing was sent: it is as if there had been no stream. */
static void before_its_first_byte_it_is_given_up(void **state) {
    static const doing declined[] = {BEGIN, WRITE("abc"), DECLINE("7"), STOP}, refused[] = {BEGIN, WRITE("abc"), REFUSE, STOP};
    const struct {
        const doing *steps;
        const latch_handler *handler;
        const char *event, *line, *says;
    } rows[] = {
        {declined, &events, "{}", ERROR_LINE("r-1"), DECLINED},
        {declined, &https, URL_EVENT("GET"), ERROR_LINE("r-1"), DECLINED},
        {refused, &events, "{}", ERROR_LINE("r-1"), "\"errorType\":\"Limited\""},
        {refused, &https, URL_EVENT("GET"), RESPONSE_LINE("r-1"),
         "{\"statusCode\":429,\"headers\":{\"content-type\":\"application/json\"},\"body\":\"{\\\"error\\\":\\\"too "
         "many\\\"}\",\"isBase64Encoded\":false}"},
        {refused, &skipping, "{}", RESPONSE_LINE("r-1"), "{\"skipped\":\"too many\"}"},
        {refused, &skipping_http, URL_EVENT("GET"), RESPONSE_LINE("r-1"), "{\\\"skipped\\\":\\\"too many\\\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        follows(rows[i].steps, "");
        PLAY(&play, *rows[i].handler, script);
        assert_string_equal(asked(1), rows[i].line);
        if (strstr(body(1), rows[i].says) == NULL) fail_msg("row %zu: %s", i, body(1));
        assert_string_equal(header(1, "Transfer-Encoding"), "");
        assert_string_equal(asked(2), NEXT_LINE);
    }
}

static void a_skipped_one_ends_well_in_the_middle(void **state) {
    static const doing steps[] = {BEGIN, WRITE("abc"), FLUSH, REFUSE, STOP};
    const struct {
        const latch_handler *handler;
        const char *event;
    } rows[] = {{&skipping, "{}"}, {&skipping_http, URL_EVENT("GET")}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        follows(steps, "");
        PLAY(&play, *rows[i].handler, script);
        assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
        assert_string_equal(wire.type, "");
        assert_null(strstr(play.written, "ERROR"));
    }
}

/* ── what can't stream ───────────────────────────────────────────────────────────────────────────────────────────── */

static void collects_where_nobody_streams(void **state) {
    static const doing steps[] = {BEGIN, WRITE("a,b\n"), FLUSH, WRITE("1,2\n"), STOP};
#define V2 "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/csv\"},\"body\":\"a,b\\n1,2\\n\",\"isBase64Encoded\":false}"
    static const struct {
        const char *mode, *event, *reply; /* NULL: it streams */
    } rows[] = {
        {"", API_EVENT, V2},
        {"RESPONSE_STREAM", API_EVENT, V2},
        {"BUFFERED", URL_EVENT("GET"), V2},
        {"", REST_EVENT,
         "{\"statusCode\":200,\"multiValueHeaders\":{\"content-type\":[\"text/"
         "csv\"]},\"body\":\"a,b\\n1,2\\n\",\"isBase64Encoded\":false}"},
        {"BUFFERED", REST_EVENT, "\"body\":\"a,b\\n1,2\\n\""},
        {"RESPONSE_STREAM", REST_EVENT, NULL},
        {"RESPONSE_STREAM", URL_EVENT("GET"), NULL},
        {"", URL_EVENT("GET"), NULL},
        {"", BALANCER_EVENT, "\"statusDescription\":\"200 OK\""},
        {"RESPONSE_STREAM", BALANCER_EVENT, "\"body\":\"a,b\\n1,2\\n\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        setenv("LATCH_INVOKE_MODE", rows[i].mode, 1);
        follows(steps, "text/csv");
        PLAY(&play, https, script);
        assert_string_equal(header(1, "Transfer-Encoding"), rows[i].reply == NULL ? "chunked" : "");
        if (rows[i].reply != NULL && strstr(body(1), rows[i].reply) == NULL) fail_msg("row %zu: %s", i, body(1));
        if (rows[i].reply != NULL) continue;
        assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
        assert_memory_equal(wire.payload + wire.len - 8, "a,b\n1,2\n", 8);
    }
}

static latch_status follow_in_hook(latch_ctx *cx, latch_call *call, const void *arg) {
    (void)arg;
    return follow(cx, latch_call_http(call), latch_call_event(call));
}

/* A hook around the handler may answer instead of it. */
static void collects_what_a_hook_streams(void **state) {
    static const doing steps[] = {BEGIN, WRITE("a,b\n"), FLUSH, WRITE("1,2\n"), STOP}, too_late[] = {BEGIN, WRITE("x"), DECLINE("7"), STOP};
    static const latch_around hooks[] = {{.run = follow_in_hook}};
    static const latch_handler http = {.http = on_http, LATCH_AROUND(hooks)}, event = {.event = on_event, LATCH_AROUND(hooks)};
    const struct {
        const latch_handler *handler;
        const doing *steps;
        const char *event, *line, *body;
    } rows[] = {
        {&http, steps, API_EVENT, RESPONSE_LINE("r-1"), V2},
        {&event, steps, "{}", RESPONSE_LINE("r-1"), "a,b\n1,2\n"},
        {&http, too_late, API_EVENT, ERROR_LINE("r-1"), DECLINED},
        {&event, too_late, "{}", ERROR_LINE("r-1"), DECLINED},
    };
    (void)state;
    setenv("LATCH_INVOKE_MODE", "BUFFERED", 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        follows(rows[i].steps, "text/csv");
        PLAY(&play, *rows[i].handler, script);
        if (strcmp(asked(1), rows[i].line) != 0 || strcmp(body(1), rows[i].body) != 0) fail_msg("row %zu: %s %s", i, asked(1), body(1));
    }
}

static void collects_events_that_are_told_to(void **state) {
    static const doing steps[] = {BEGIN, WRITE("[1"), FLUSH, WRITE(",2]"), STOP};
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    setenv("LATCH_INVOKE_MODE", "BUFFERED", 1);
    follows(steps, "text/csv");
    PLAY(&play, events, script);
    assert_string_equal(body(1), "[1,2]");
    assert_string_equal(header(1, "Content-Type"), "application/json");
}

static void collects_up_to_the_limit(void **state) {
    static const struct {
        const char *arena_mb;
        size_t bytes;
        const char *type; /* of the error; NULL: it is answered */
    } rows[] = {
        {"64", 6291556, NULL},
        {"64", 6291557, "Function.ResponseSizeTooLarge"},
        {"4", 1000000, NULL},
        {"4", 3000000, "Function.OutOfMemory"},
    };
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    large = malloc(LARGE_BYTES);
    setenv("LATCH_INVOKE_MODE", "BUFFERED", 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        doing steps[] = {BEGIN, FILL("x", rows[i].bytes - 7), FILL("y", 7), STOP};
        setenv("LATCH_ARENA_MB", rows[i].arena_mb, 1);
        follows(steps, "");
        swallows = true; /* what wasn't taken is an error all the same */
        PLAY(&play, events, script);
        assert_string_equal(asked(1), rows[i].type == NULL ? RESPONSE_LINE("r-1") : ERROR_LINE("r-1"));
        if (rows[i].type == NULL) assert_int_equal(play.server.requests[1].body_len, rows[i].bytes);
        if (rows[i].type != NULL && i == 1) assert_string_equal(header(1, TYPE_HEADER), rows[i].type);
        if (rows[i].type != NULL && i == 3) assert_non_null(strstr(body(1), "raise LATCH_ARENA_MB"));
    }
    free(large);
}

/* Where the function's URL knows nothing else, a reply is a stream, too. */
static void streams_replies_that_are_told_to(void **state) {
    static const doing replies[] = {REPLY, STOP}, refuses[] = {REFUSE, STOP}, gives_up[] = {BEGIN, WRITE("x"), REFUSE, STOP};
    const struct {
        const doing *steps;
        const latch_handler *handler;
        const char *event, *payload;
    } rows[] = {
        {replies, &https, URL_EVENT("GET"), "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/plain\"}}|reply"},
        {replies, &https, URL_EVENT("HEAD"), "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/plain\"}}|"},
        {refuses, &https, URL_EVENT("GET"),
         "{\"statusCode\":429,\"headers\":{\"content-type\":\"application/json\"}}|{\"error\":\"too many\"}"},
        {gives_up, &https, URL_EVENT("GET"),
         "{\"statusCode\":429,\"headers\":{\"content-type\":\"application/json\"}}|{\"error\":\"too many\"}"},
        {replies, &routed, URL_EVENT("PUT"),
         "{\"statusCode\":405,\"headers\":{\"content-type\":\"application/json\",\"allow\":\"GET, HEAD\"}}|{\"error\":\"method not "
         "allowed\"}"},
        {replies, &https, REST_EVENT, "{\"statusCode\":200,\"multiValueHeaders\":{\"content-type\":[\"text/plain\"]}}|reply"},
    };
    (void)state;
    setenv("LATCH_INVOKE_MODE", "RESPONSE_STREAM", 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}};
        const char *bar = strchr(rows[i].payload, '|');
        size_t prelude = (size_t)(bar - rows[i].payload);
        follows(rows[i].steps, "");
        PLAY(&play, *rows[i].handler, script);
        const char *wrong = read_wire(body(1), play.server.requests[1].body_len, &wire);
        if (wrong != NULL || memcmp(wire.payload, rows[i].payload, prelude) != 0) fail_msg("row %zu: %s: %s", i, wrong, body(1));
        assert_memory_equal(wire.payload + prelude, NULS, 8);
        assert_int_equal(wire.len, prelude + 8 + strlen(bar + 1));
        assert_memory_equal(wire.payload + prelude + 8, bar + 1, strlen(bar + 1));
    }
}

static void a_mode_that_is_none_is_an_init_error(void **state) {
    static const server_step script[] = {{.answer = ACCEPTED}};
    (void)state;
    setenv("LATCH_INVOKE_MODE", "STREAM", 1);
    PLAY(&play, events, script);
    assert_string_equal(asked(0), INIT_ERROR_LINE);
    assert_non_null(strstr(body(0), "LATCH_INVOKE_MODE is \\\"STREAM\\\", want RESPONSE_STREAM or BUFFERED"));
    assert_int_equal(play.exit_status, 1);
}

/* ── a service that says no, and a connection that is cut ────────────────────────────────────────────────────────── */

/* The answer comes while the handler writes; it hears of it in the next send, and no other outcome follows. */
static void an_early_answer_ends_the_stream(void **state) {
    static const struct {
        const char *answer;
        int exit_status;
    } rows[] = {
        {EMPTY("413 Too Large"), 0}, {EMPTY("410 Gone"), 0}, {EMPTY("400 Bad Request"), 0}, {EMPTY("403 No"), 0}, {EMPTY("500 Broken"), 1}};
    static const doing steps[] = {BEGIN, WRITE("abc"), FLUSH, WAIT_CLOSED, WRITE("de"), FLUSH, WRITE("fg"), STOP};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "{}"}, {.answer = rows[i / 2].answer, .way = ANSWERS_AT, .at = 300}, {.answer = SHUTDOWN}};
        follows(steps, "");
        swallows = i % 2 == 1;
        PLAY(&play, events, script);
        assert_int_equal(seen[5], LATCH_E_NETWORK);
        assert_non_null(strstr(said[5], "the Runtime API has ended the stream with"));
        if (swallows) assert_int_equal(seen[6], LATCH_E_NETWORK);
        assert_int_equal(play.exit_status, rows[i / 2].exit_status);
        assert_int_equal(play.server.count, rows[i / 2].exit_status == 0 ? 3 : 2);
        assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
        assert_logged(rows[i / 2].exit_status == 0 ? "the Runtime API refused a post" : "the Runtime API can't go on");
    }
}

static void an_answer_at_the_end_counts_as_ever(void **state) {
    static const struct {
        const char *answer;
        int exit_status;
    } rows[] = {{EMPTY("413 Too Large"), 0}, {EMPTY("410 Gone"), 0}, {EMPTY("500 Broken"), 1}};
    static const doing whole[] = {BEGIN, WRITE("abc"), STOP}, parts[] = {BEGIN, WRITE("abc"), FLUSH, WRITE("de"), STOP};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "{}"}, {.answer = rows[i / 2].answer}, {.answer = SHUTDOWN}};
        follows(i % 2 == 0 ? whole : parts, "");
        PLAY(&play, events, script);
        assert_int_equal(play.exit_status, rows[i / 2].exit_status);
        assert_int_equal(play.server.count, rows[i / 2].exit_status == 0 ? 3 : 2);
        assert_int_equal(play.server.connections, 1);
    }
}

/* Wherever the connection is cut: nothing is sent twice but what nobody can have begun to use, no other outcome, and the process goes on. */
static size_t head_bytes(const doing *steps) {
    static const server_step script[] = {{.event = "{}"}};
    follows(steps, "text/plain");
    PLAY(&play, events, script);
    size_t bytes = strlen(play.server.requests[1].head);
    again();
    return bytes;
}

static void survives_a_cut_after_each_byte(void **state) {
    static const doing whole[] = {BEGIN, WRITE("abc"), STOP};
    static const doing parts[] = {BEGIN, WRITE("abc"), FLUSH, WAIT_CLOSED, WRITE("de"), FLUSH, STOP};
    static const doing failing[] = {BEGIN, WRITE("abc"), FLUSH, WAIT_CLOSED, DECLINE("7"), STOP};
    const doing *const all[] = {whole, parts, failing};
    (void)state;
    size_t head = head_bytes(whole), first = head + strlen("3\r\nabc\r\n"), most = first + strlen("0\r\n\r\n");
    for (size_t k = 0; k < COUNT_OF(all); k++) {
        for (size_t at = 0; at <= (k == 0 ? most : first); at += at + 20 < head ? 13 : 1, again()) {
            const server_step script[] = {{.event = "{}"}, {.way = CUTS_AT, .at = at}};
            follows(all[k], "text/plain");
            PLAY(&play, events, script);
            size_t last = play.server.count - 1;
            assert_int_equal(play.exit_status, 0);
            assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
            assert_string_equal(asked(last), NEXT_LINE);
            if (k == 0) { /* all of it was in the buffer still: a POST without an answer is sent again */
                assert_int_equal(last, 3);
                assert_string_equal(body(2), "3\r\nabc\r\n0\r\n\r\n");
            } else {
                assert_int_equal(last, 2);
                if (k == 1) assert_int_equal(seen[5], LATCH_E_NETWORK);
            }
        }
    }
}

static void a_kept_connection_that_died_is_replaced(void **state) {
    static const doing steps[] = {BEGIN, WAIT_CLOSED, WRITE("abc"), FLUSH, WRITE("de"), STOP};
    static const server_step script[] = {{.event = "{}", .way = CUTS_AFTER}, {.answer = ACCEPTED}};
    (void)state;
    follows(steps, "");
    PLAY(&play, events, script);
    assert_string_equal(body(1), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(play.server.requests[1].connection, 2);
    assert_string_equal(asked(2), NEXT_LINE);
    assert_string_equal(play.written, "");
}

static latch_status begins_with_much(latch_ctx *cx, latch_http *http) {
    latch_stream *stream = (void *)&play;
    memset(large, 'x', LARGE_BYTES);
    latch_http_set_header(http, "x-much", (latch_str){large, LARGE_BYTES});
    seen[0] = latch_http_stream(http, 200, "text/plain", &stream);
    assert_true((seen[0] == LATCH_OK) == (stream != NULL));
    snprintf(said[0], sizeof said[0], "%s", cx->err.message);
    return seen[0];
}

/* Headers over the buffer's size are sent where the stream begins: that may fail, and then there is nothing to write to. */
static void a_beginning_that_is_not_taken_gives_no_stream(void **state) {
    static const server_step script[] = {{.event = URL_EVENT("GET")}, {.answer = EMPTY("413 Too Large"), .way = ANSWERS_AT, .at = 300}};
    const latch_handler handler = {.http = begins_with_much};
    (void)state;
    large = malloc(LARGE_BYTES);
    PLAY(&play, handler, script);
    assert_int_equal(seen[0], LATCH_E_NETWORK);
    assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
    assert_int_equal(play.exit_status, 0);
    free(large);
}

/* Half an answer: the request was read, and isn't sent again. */
static void half_an_answer_is_no_dead_connection(void **state) {
    static const doing steps[] = {BEGIN, FILL("x", 8 << 20), STOP};
    static const server_step script[] = {
        {.event = "{}"},
        {.answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n", .way = ANSWERS_AT, .at = 1000, .stall = HALFWAY, .pause_ms = 200}};
    (void)state;
    large = malloc(LARGE_BYTES);
    follows(steps, "");
    PLAY(&play, events, script);
    assert_int_equal(seen[1], LATCH_E_NETWORK);
    assert_int_equal(count_asked(RESPONSE_LINE("r-1")), 1);
    assert_int_equal(play.server.count, 3);
    assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
    assert_int_equal(play.exit_status, 0);
    free(large);
}

static void an_end_without_an_answer_is_no_second_outcome(void **state) {
    static const doing steps[] = {BEGIN, WRITE("abc"), FLUSH, STOP}, failing[] = {BEGIN, WRITE("abc"), FLUSH, DECLINE("7"), STOP};
    static const server_way ways[] = {CUTS, CUTS_ANSWER};
    (void)state;
    for (size_t i = 0; i < 4; i++, again()) {
        const server_step script[] = {{.event = "{}"}, {.answer = ACCEPTED, .way = ways[i / 2]}};
        follows(i % 2 == 0 ? steps : failing, "");
        PLAY(&play, events, script);
        assert_int_equal(play.server.count, 3);
        assert_string_equal(asked(2), NEXT_LINE);
        assert_int_equal(play.exit_status, 0);
        assert_logged("the end of a stream has no answer");
    }
}

/* ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define SOON REQUEST_1 "Lambda-Runtime-Deadline-Ms: 1767225600500\r\n" /* half a second: 250 ms for the handler */

static void gives_up_at_the_deadline(void **state) {
    static const doing steps[] = {BEGIN, FILL("x", 8 << 20), WRITE("y"), STOP};
    static const server_step script[] = {{.event = "{}", .headers = SOON}, {.way = CUTS_AT, .at = 1000, .pauses_us = 600000}};
    (void)state;
    large = malloc(LARGE_BYTES);
    for (size_t i = 0; i < 2; i++, again()) {
        follows(steps, "");
        swallows = i == 1;
        PLAY(&play, events, script);
        assert_int_equal(seen[1], LATCH_E_TIMEOUT);
        assert_non_null(strstr(said[1], "give the function a longer Timeout"));
        assert_string_equal(waited_for, "stream to its client");
        if (swallows) assert_int_equal(seen[2], LATCH_E_TIMEOUT);
        assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
        assert_int_equal(count_asked(RESPONSE_LINE("r-1")), 1);
        assert_logged("\"errorType\":\"Timeout\"");
        assert_int_equal(play.exit_status, 0);
    }
    free(large);
}

/* A service that falls silent in the middle of what it says is waited for as one that says nothing. */
static void half_an_answer_has_no_more_time_than_none(void **state) {
    static const doing early[] = {BEGIN, FILL("x", 8 << 20), STOP}, at_end[] = {BEGIN, WRITE("abc"), FLUSH, STOP};
    const struct {
        const doing *steps;
        server_way way;
        const char *answer, *says;
    } rows[] = {
        {early, ANSWERS_AT, EMPTY("413 Too Large"), "the stream is cut off (the time is up in the middle of the answer)"},
        {at_end, ANSWERS, ACCEPTED, "\"the end of a stream has no answer, the invocation is over\",\"why\":\"the time is up in the middle"},
    };
    (void)state;
    large = malloc(LARGE_BYTES);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {
            {.event = "{}", .headers = SOON},
            {.answer = rows[i].answer, .way = rows[i].way, .at = 1000, .stall = HALFWAY, .pause_ms = 2500},
            {.event = "{}"},
        };
        follows(rows[i].steps, "");
        int64_t from_ms = real_ms();
        PLAY(&play, events, script);
        if (called_at_ms - from_ms > 1800) fail_msg("row %zu: %lld ms", i, (long long)(called_at_ms - from_ms));
        assert_logged(rows[i].says);
        assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
        assert_int_equal(play.exit_status, 0);
    }
    free(large);
}

static void waits_for_a_slow_client(void **state) {
    static const doing steps[] = {BEGIN, FILL("x", 8 << 20), FILL("y", 1000), FILL("z", 1 << 20), STOP};
    static const server_step script[] = {{.event = "{}", .headers = REQUEST_1 STAGE_DEADLINE}, {.answer = ACCEPTED, .pauses_us = 1000}};
    (void)state;
    large = malloc(LARGE_BYTES);
    follows(steps, "");
    PLAY(&play, events, script);
    assert_null(read_wire(body(1), play.server.requests[1].body_len, &wire));
    assert_int_equal(wire.len, (9 << 20) + 1000);
    assert_string_equal(play.written, "");
    free(large);
}

/* ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static long anonymous_kb(void) {
    char line[256];
    long kb = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) kb = strtol(line + 8, NULL, 10);
    }
    if (file != NULL) fclose(file);
    return kb;
}

static long grown_kb;

static latch_status streams_much(latch_ctx *cx, latch_event *event) {
    static char line[1000];
    latch_stream *stream;
    long before_kb = 0;
    memset(line, 'x', sizeof line);
    LATCH_TRY(latch_event_stream(event, "text/plain", &stream));
    for (size_t sent = 0; sent < 20000000; sent += sizeof line) {
        if (sent == 1000000) before_kb = anonymous_kb();
        LATCH_TRY(latch_stream_write(stream, (latch_str){line, sizeof line}));
        (void)cx;
    }
    grown_kb = anonymous_kb() - before_kb;
    return LATCH_OK;
}

static void streams_20_mb_in_constant_memory(void **state) {
    static const server_step script[] = {{.event = "{}"}, {.answer = ACCEPTED}};
    const latch_handler handler = {.event = streams_much};
    (void)state;
    play.server.forgets = true;
    PLAY(&play, handler, script);
    assert_true(play.server.received > 20000000);
    assert_true(grown_kb < 4096);
    assert_int_equal(play.server.count, 3);
}

static size_t turns;

static latch_status streams_now_and_then(latch_ctx *cx, latch_event *event) {
    latch_stream *stream;
    if (turns++ % 2 == 0) return latch_event_reply_bytes(event, S("1"));
    LATCH_TRY(latch_event_stream(event, "text/plain", &stream));
    LATCH_TRY(latch_stream_write(stream, S("abc")));
    if (turns % 4 == 0) LATCH_TRY(latch_stream_flush(stream));
    return turns % 8 == 0 ? latch_fail(cx, "Odd", "it is") : LATCH_OK;
}

static void goes_on_after_streams_on_one_connection(void **state) {
    enum { TIMES = 200 };
    server_step script[2 * TIMES];
    const latch_handler handler = {.event = streams_now_and_then};
    (void)state;
    for (size_t i = 0; i < 2 * TIMES; i++)
        script[i] = i % 2 == 0 ? (server_step){.event = "{}"} : (server_step){.answer = ACCEPTED};
    turns = 0;
    stage_play(&play, handler, script, COUNT_OF(script));
    assert_int_equal(play.server.count, 2 * TIMES + 1);
    assert_int_equal(play.server.connections, 1);
    assert_string_equal(body(1), "1");
    assert_string_equal(body(7), "3\r\nabc\r\n0\r\n\r\n");
    assert_non_null(strstr(body(15), "3\r\nabc\r\n0\r\n" TYPE_HEADER ": Function.Odd\r\n" BODY_HEADER ": "));
}

/* ── the end, for whoever writes it in a signal handler ──────────────────────────────────────────────────────────── */

static void writes_an_end_that_fits(void **state) {
    static const struct {
        const char *type, *body, *text;
    } rows[] = {
        {NULL, "", "0\r\n\r\n"},
        {"Function.Crash", "{}", "0\r\n" TYPE_HEADER ": Function.Crash\r\n" BODY_HEADER ": e30=\r\n\r\n"},
        {"Function.Crash", "", "0\r\n" TYPE_HEADER ": Function.Crash\r\n" BODY_HEADER ": \r\n\r\n"},
    };
    char out[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].text);
        latch_str end = latch_api_write_end(out, len + 1, rows[i].type, latch_str_of(rows[i].body));
        assert_int_equal(end.len, len);
        assert_string_equal(end.ptr, rows[i].text);
        for (size_t cap = 1; cap <= len; cap++)
            assert_null(latch_api_write_end(out, cap, rows[i].type, latch_str_of(rows[i].body)).ptr);
    }
}

static int places[4];

static latch_status looks_at_the_place(latch_ctx *cx, latch_event *event) {
    latch_stream *stream;
    const latch_api *api = cx->stream->self;
    LATCH_TRY(latch_event_stream(event, "", &stream));
    places[0] = api->streaming;
    LATCH_TRY(latch_stream_write(stream, S("abc")));
    places[1] = api->streaming;
    LATCH_TRY(latch_stream_flush(stream));
    places[2] = api->streaming;
    while (atomic_load(&play.server.closed) == 0)
        usleep(100);
    LATCH_TRY(latch_stream_write(stream, S("de")));
    latch_status status = latch_stream_flush(stream);
    places[3] = api->streaming;
    return status;
}

static void tells_a_signal_handler_what_was_seen(void **state) {
    static const server_step script[] = {{.event = "{}"}, {.way = CUTS_AT, .at = 100}};
    static const int expected[] = {LATCH_API_NOT_STREAMING, LATCH_API_NOT_STREAMING, LATCH_API_BETWEEN_CHUNKS, LATCH_API_CUT_OFF};
    const latch_handler handler = {.event = looks_at_the_place};
    (void)state;
    PLAY(&play, handler, script);
    assert_memory_equal(places, expected, sizeof expected);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
}

/* Who stops the process takes the connection for one that waits for an event: it is shut down only when the stream has begun. */
static latch_status streams_while_it_is_stopped(latch_ctx *cx, latch_event *event) {
    static atomic_bool stops;
    latch_api *api = cx->stream->self;
    latch_stream *stream;
    int held = dup(api->fd);
    atomic_store(&stops, true);
    api->stopping = &stops;
    LATCH_TRY(latch_event_stream(event, "", &stream));
    LATCH_TRY(latch_stream_write(stream, S("abc")));
    LATCH_TRY(latch_stream_flush(stream));
    shutdown(held, SHUT_RD);
    close(held);
    LATCH_TRY(latch_stream_write(stream, S("de")));
    return latch_stream_flush(stream);
}

static void takes_another_connection_where_its_own_may_be_shut(void **state) {
    static const server_step script[] = {{.event = "{}"}, {.answer = ACCEPTED}};
    const latch_handler handler = {.event = streams_while_it_is_stopped};
    (void)state;
    PLAY(&play, handler, script);
    assert_int_equal(play.server.count, 2);
    assert_string_equal(body(1), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(play.server.requests[1].connection, 2);
    assert_string_equal(play.written, "");
    assert_int_equal(play.exit_status, 0);
}

/* ── a function that dies ────────────────────────────────────────────────────────────────────────────────────────── */

/* Its wait status; one that is still there after 10 s is killed. What it says goes nowhere. */
static int run_child(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        setenv("AWS_LAMBDA_RUNTIME_API", play.server.address, 1);
        setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:allow_user_segv_handler=1:detect_leaks=0", 1);
        execl(STREAM_CHILD, STREAM_CHILD, (char *)NULL);
        _exit(127);
    }
    for (int waited_ms = 0; waitpid(child, &status, WNOHANG) == 0; waited_ms += 5) {
        if (waited_ms > 10000) kill(child, SIGKILL);
        usleep(5000);
    }
    return status;
}

/* Plays `event`, which has `left_ms`, to a client that reads nothing for `stuck_ms`; below 0, up to so long before the deadline. The wait status. */
static int run_with(const char *event, int left_ms, int stuck_ms) {
    struct timespec now;
    char headers[256];
    clock_gettime(CLOCK_REALTIME, &now);
    long long ends_at_ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + left_ms;
    snprintf(headers, sizeof headers, REQUEST_1 "Lambda-Runtime-Deadline-Ms: %lld\r\n", ends_at_ms);
    const server_step script[] = {
        {.event = event, .headers = headers},
        {.answer = ACCEPTED, .stuck_ms = stuck_ms > 0 ? stuck_ms : 0, .stuck_until_ms = stuck_ms < 0 ? ends_at_ms + stuck_ms : 0}};
    server_start(&play.server, script, COUNT_OF(script));
    int status = run_child();
    server_stop(&play.server);
    return status;
}

/* Before its first byte an /error as ever; behind it trailers of the same stream, and no /error beside them. */
static void tells_of_a_handler_that_dies(void **state) {
    static const struct {
        const char *event, *type;
        size_t payload; /* bytes that came; SIZE_MAX: an /error */
    } rows[] = {
        {"crash", "Function.Crash", SIZE_MAX},         {"hang", "Function.DeadlineExceeded", SIZE_MAX},
        {"exit", "Function.Exit", SIZE_MAX},           {"sent crash", "Function.Crash", 3},
        {"sent hang", "Function.DeadlineExceeded", 3}, {"sent exit", "Function.Exit", 3},
        {"sent crash more", "Function.Crash", 3},      {"large hang", "Function.DeadlineExceeded", 100003},
        {"large exit more", "Function.Exit", 100003},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_with(rows[i].event, 1500, 0);
        assert_false(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_false(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 127));
        assert_int_equal(play.server.count, 2);
        if (rows[i].payload == SIZE_MAX) {
            assert_string_equal(asked(1), ERROR_LINE("r-1"));
            assert_string_equal(header(1, TYPE_HEADER), rows[i].type);
            continue;
        }
        assert_string_equal(asked(1), RESPONSE_LINE("r-1"));
        const char *wrong = read_wire(body(1), play.server.requests[1].body_len, &wire);
        if (wrong != NULL) fail_msg("%s: %s", rows[i].event, wrong);
        assert_string_equal(wire.type, rows[i].type);
        assert_int_equal(wire.len, rows[i].payload);
        assert_non_null(strstr(wire.json, "\"errorMessage\":\""));
    }
}

/* A body of stream_child's that broke off: what it wrote, byte by byte, as far as it came, then trailers. NULL, or what is wrong with it. */
static const char *wrong_with_broken_off(const char *raw, size_t len) {
    const char *wrong = read_wire(raw, len, &wire);
    if (wrong != NULL) return wrong;
    size_t place = 0, size;
    for (const char *at = raw; (size = strtoul(at, NULL, 16)) > 0; at += size + 2) {
        at = strchr(at, '\n') + 1;
        for (size_t i = 0; i < size; i++, place++) {
            if (at[i] != (place < 3 ? "abc"[place] : (char)('a' + (place - 3) % 23))) return "a byte is another";
        }
    }
    return *wire.type != '\0' ? NULL : "there are no trailers";
}

/* The socket is full, mostly within a chunk: what is left of it goes out as soon as it is read, then the trailers, and nothing twice. */
static void a_chunk_that_has_begun_is_ended_before_the_trailers(void **state) {
    static const struct {
        const char *event, *type;
        int left_ms, stuck_ms, signal, status;
    } rows[] = {
        {"sent long hang", "Function.DeadlineExceeded", 3000, -250, 0, 1},   /* the watchdog's, at 200, of what a write kept at 400 */
        {"sent long fails", "Function.Timeout", 3000, -250, 0, 0},           /* the worker's, at 400 */
        {"sent long thread crash", "Function.Crash", 3000, 500, SIGSEGV, 0}, /* beside the write, which waits */
        {"sent long thread exit", "Function.Exit", 3000, 500, 0, 3},         {"long thread crash", "Function.Crash", 3000, 500, SIGSEGV, 0},
        {"sent long thread exit reuses", "Function.Exit", 1150, -250, 0, 3}, /* begun before 400, where the write ends and its bytes go */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        int status = run_with(rows[i].event, rows[i].left_ms, rows[i].stuck_ms);
        const server_request *r = &play.server.requests[1];
        const char *wrong = wrong_with_broken_off(r->body, r->body_len);
        if (wrong != NULL) fail_msg("%s: %s, %zu bytes", rows[i].event, wrong, r->body_len);
        assert_string_equal(wire.type, rows[i].type);
        assert_in_range(wire.len, 100000, 23 * 728178 - 1);
        assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
        if (WIFSIGNALED(status) ? WTERMSIG(status) != rows[i].signal : WEXITSTATUS(status) != rows[i].status)
            fail_msg("%s: wait status %x", rows[i].event, (unsigned)status);
    }
}

/* It isn't waited for longer than a report is, and the process still ends as it would have. */
static void a_client_that_reads_no_more_is_told_nothing(void **state) {
    (void)state;
    int status = run_with("sent long thread crash", 5000, 2500);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) fail_msg("wait status %x", (unsigned)status);
    assert_int_equal(count_asked(ERROR_LINE("r-1")), 0);
}

/* While it writes, and while it begins to: the signal comes in the middle of a send, another thread's beside one. */
static void an_end_at_any_moment_is_one_outcome(void **state) {
    int told = 0, streamed = 0;
    (void)state;
    for (int round = 0; round < 18; round++, again()) {
        static const char *const ways[] = {"sent endless hang", "endless thread crash soon", "endless thread exit soon"};
        char event[64];
        snprintf(event, sizeof event, "%s %d", ways[round % 3], round * round * 8);
        (void)run_with(event, round % 3 == 0 ? 2000 : 4000, 0);
        size_t errors = count_asked(ERROR_LINE("r-1")), responses = count_asked(RESPONSE_LINE("r-1"));
        assert_int_equal(errors + responses, 1);
        told += errors == 1, streamed += responses == 1;
        if (errors == 1) continue;
        const server_request *r = &play.server.requests[1];
        const char *wrong = wrong_with_broken_off(r->body, r->body_len);
        if (wrong != NULL) fail_msg("%s: %s, %zu bytes", event, wrong, r->body_len);
    }
    assert_true(streamed >= 6);
    print_message("%d were told of by an error, %d in trailers\n", told, streamed);
}

/* As it would be where a chunk's place were noted a moment late, or not at all. */
static void a_byte_too_few_or_too_many_is_found_by_its_twin(void **state) {
    static const char good[] = "3\r\nabc\r\n5\r\nabcde\r\n0\r\n" TYPE_HEADER ": Function.Crash\r\n" BODY_HEADER ": e30=\r\n\r\n";
    static const struct {
        const char *from, *to;
    } twins[] = {{"abcde", "abc"}, {"abcde", "abcdede"}, {"5\r\nabcde", "7\r\nabcdede"}, {"5\r\nabcde", "4\r\nabde"}, {"0\r\n", ""}};
    (void)state;
    assert_null(wrong_with_broken_off(good, sizeof good - 1));
    for (size_t i = 0; i < COUNT_OF(twins); i++) {
        char raw[256];
        const char *at = strstr(good, twins[i].from);
        int len = snprintf(raw, sizeof raw, "%.*s%s%s", (int)(at - good), good, twins[i].to, at + strlen(twins[i].from));
        if (wrong_with_broken_off(raw, (size_t)len) == NULL) fail_msg("twin %zu was not found", i);
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_a_chunk_a_flush),
    ROW(sends_what_the_buffer_holds_at_once),
    ROW(fills_its_buffer_to_the_last_byte),
    ROW(puts_status_headers_and_cookies_in_front),
    ROW(streams_for_a_route),
    ROW(leaves_out_bodies_where_there_are_none),
    ROW(says_what_doesnt_fit_a_stream),
    ROW(the_same_for_events),
    ROW(tells_of_headers_that_come_too_late),
    ROW(refuses_a_stream_of_an_invocation_that_is_over),
    ROW(tells_a_failure_in_trailers),
    ROW(a_trailer_sent_as_data_is_found_by_its_twin),
    ROW(a_refusal_in_the_middle_is_an_error),
    ROW(before_its_first_byte_it_is_given_up),
    ROW(a_skipped_one_ends_well_in_the_middle),
    ROW(collects_where_nobody_streams),
    ROW(collects_what_a_hook_streams),
    ROW(collects_events_that_are_told_to),
    ROW(collects_up_to_the_limit),
    ROW(streams_replies_that_are_told_to),
    ROW(a_mode_that_is_none_is_an_init_error),
    ROW(an_early_answer_ends_the_stream),
    ROW(an_answer_at_the_end_counts_as_ever),
    ROW(survives_a_cut_after_each_byte),
    ROW(a_kept_connection_that_died_is_replaced),
    ROW(a_beginning_that_is_not_taken_gives_no_stream),
    ROW(half_an_answer_is_no_dead_connection),
    ROW(an_end_without_an_answer_is_no_second_outcome),
    ROW(gives_up_at_the_deadline),
    ROW(half_an_answer_has_no_more_time_than_none),
    ROW(waits_for_a_slow_client),
    ROW(streams_20_mb_in_constant_memory),
    ROW(goes_on_after_streams_on_one_connection),
    ROW(writes_an_end_that_fits),
    ROW(tells_a_signal_handler_what_was_seen),
    ROW(takes_another_connection_where_its_own_may_be_shut),
    ROW(tells_of_a_handler_that_dies),
    ROW(a_chunk_that_has_begun_is_ended_before_the_trailers),
    ROW(a_client_that_reads_no_more_is_told_nothing),
    ROW(an_end_at_any_moment_is_one_outcome),
    ROW(a_byte_too_few_or_too_many_is_found_by_its_twin),
};

CHECK_MAIN(tests)

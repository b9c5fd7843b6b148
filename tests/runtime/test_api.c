#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "runtime/api.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "tests/runtime/play.h"

#define ANSWER(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"
#define SAYS(status, len, body) "HTTP/1.1 " status "\r\nContent-Length: " len "\r\n\r\n" body
#define DEADLINE_1 REQUEST_1 STAGE_DEADLINE

static latch_status echo(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}

static latch_status decline(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_fail(cx, "CardDeclined", "the card was declined", "order_id", "o-1");
}

static const latch_handler echoes = {.event = echo}, declines = {.event = decline};

/* ── the requests ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void asks_and_answers_on_one_connection(void **state) {
    static const server_step script[] = {{.event = "{\"a\":1}"},
                                         {.answer = ACCEPTED},
                                         {.event = "[]", .headers = "lambda-runtime-aws-request-id: r-2\r\n"},
                                         {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.server.count, 5);
    assert_int_equal(play.server.connections, 1);
    assert_string_equal(asked(0), NEXT_LINE);
    assert_string_equal(asked(1), RESPONSE_LINE("r-1"));
    assert_string_equal(body(1), "{\"a\":1}");
    assert_string_equal(asked(2), NEXT_LINE);
    assert_string_equal(asked(3), RESPONSE_LINE("r-2"));
    assert_string_equal(body(3), "[]");
    assert_string_equal(play.written, "");
    assert_int_equal(play.pause_count, 0);
}

static void sends_the_headers_that_the_service_wants(void **state) {
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    PLAY(&play, echoes, script);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(header(i, "Host"), play.server.address);
        assert_int_equal(strncmp(header(i, "User-Agent"), "latch/", 6), 0);
        assert_string_equal(header(i, "Expect"), "");
        assert_string_equal(header(i, "Connection"), "");
        assert_string_equal(header(i, "Lambda-Runtime-Invocation-Id"), "");
    }
    assert_string_equal(header(0, "Content-Length"), "");
    assert_string_equal(header(1, "Content-Type"), "application/json");
    assert_string_equal(header(1, "Content-Length"), "2");
    assert_string_equal(header(1, "Lambda-Runtime-Function-Error-Type"), "");
}

static void encodes_the_request_id_in_paths(void **state) {
    static const struct {
        const char *headers, *line;
    } rows[] = {
        {"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n", RESPONSE_LINE("8476a536-e9f4-11e8-9739-2dfe598c3fcd")},
        {"Lambda-Runtime-Aws-Request-Id: a/b?c#d e\r\n", RESPONSE_LINE("a%2Fb%3Fc%23d%20e")},
        {"Lambda-Runtime-Aws-Request-Id: %41+~._-\r\n", RESPONSE_LINE("%2541%2B~._-")},
        {"Lambda-Runtime-Aws-Request-Id: ../\xC3\xBC\r\n", RESPONSE_LINE("..%2F%C3%BC")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "{}", .headers = rows[i].headers}};
        PLAY(&play, echoes, script);
        assert_string_equal(asked(1), rows[i].line);
    }
}

static void echoes_the_invocation_id_where_there_is_one(void **state) {
    static const server_step script[] = {{.event = "{}", .headers = REQUEST_1 "LAMBDA-RUNTIME-INVOCATION-ID: i-7\r\n"}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_string_equal(header(1, "Lambda-Runtime-Invocation-Id"), "i-7");
    assert_string_equal(header(2, "Lambda-Runtime-Invocation-Id"), "");
    again();
    PLAY(&play, declines, script);
    assert_string_equal(asked(1), ERROR_LINE("r-1"));
    assert_string_equal(header(1, "Lambda-Runtime-Invocation-Id"), "i-7");
}

static void reports_an_error_with_type_message_and_cause(void **state) {
    static const server_step script[] = {{.event = "{}"}};
    (void)state;
    PLAY(&play, declines, script);
    assert_string_equal(asked(1), ERROR_LINE("r-1"));
    assert_string_equal(body(1),
                        "{\"errorMessage\":\"the card was declined {\\\"order_id\\\":\\\"o-1\\\"}\",\"errorType\":\"CardDeclined\","
                        "\"stackTrace\":[]}");
    assert_string_equal(header(1, "Lambda-Runtime-Function-Error-Type"), "Function.CardDeclined");
    assert_string_equal(header(1, "Lambda-Runtime-Function-XRay-Error-Cause"),
                        "{\"working_directory\":\"\",\"exceptions\":[{\"type\":\"CardDeclined\",\"message\":\"the card was declined "
                        "{\\\"order_id\\\":\\\"o-1\\\"}\",\"stack\":[]}],\"paths\":[]}");
    assert_logged("\"level\":\"ERROR\",\"requestId\":\"r-1\",\"message\":\"invocation failed\",\"errorType\":\"CardDeclined\"");
    assert_null(strstr(strstr(play.written, "ERROR") + 5, "ERROR"));
    assert_string_equal(asked(2), NEXT_LINE);
    assert_int_equal(play.exit_status, 0);
}

static const char *odd_type, *odd_message;

static latch_status fail_oddly(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_fail_(cx, odd_type, odd_message, (const latch_pair[]){{NULL, {LATCH_V_NULL, {.i = 0}}}});
}

static void says_any_message_in_ascii(void **state) {
    static const struct {
        const char *type, *message, *header, *said, *cause;
    } rows[] = {
        {"Bad", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "Function.Bad", "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"",
         "\"caf\\u00e9 \\u20ac \\ud83d\\ude00\""},
        {"Bad", "line\none\ttab \x7F \x01 \"q\" \\", "Function.Bad", "\"line\\none\\ttab \x7F \\u0001 \\\"q\\\" \\\\\"",
         "\"line\\none\\ttab \\u007f \\u0001 \\\"q\\\" \\\\\""},
        {"Bad", "(\xFF\xC3", "Function.Bad", "\"(??\"", "\"(??\""},
        {"Bad\r\nX: y", "m", "Function.BadXy", "\"m\"", "\"m\""},
        {"", "m", "Function.Unknown", "\"m\"", "\"m\""},
        {"Runtime.Odd", "m", "Runtime.Odd", "\"m\"", "\"m\""},
    };
    static const server_step script[] = {{.event = "{}"}};
    const latch_handler handler = {.event = fail_oddly};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        odd_type = rows[i].type;
        odd_message = rows[i].message;
        PLAY(&play, handler, script);
        assert_string_equal(header(1, "Lambda-Runtime-Function-Error-Type"), rows[i].header);
        if (strstr(body(1), rows[i].said) == NULL) fail_msg("row %zu: %s", i, body(1));
        assert_non_null(strstr(header(1, "Lambda-Runtime-Function-XRay-Error-Cause"), rows[i].cause));
        for (const char *c = play.server.requests[1].head; *c != '\0'; c++)
            assert_true((*c >= 0x20 && *c < 0x7F) || *c == '\r' || *c == '\n');
    }
}

static void sends_payloads_up_to_the_limit(void **state) {
    static const struct {
        size_t len;
        bool sent;
    } rows[] = {{6291555, true}, {6291556, true}, {6291557, false}};
    char *text = malloc(6291557);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', 6291557);
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = text, .event_len = rows[i].len}};
        PLAY(&play, echoes, script);
        assert_string_equal(asked(1), rows[i].sent ? RESPONSE_LINE("r-1") : ERROR_LINE("r-1"));
        assert_string_equal(header(1, "Expect"), "");
        if (rows[i].sent) {
            assert_int_equal(play.server.requests[1].body_len, rows[i].len);
            assert_memory_equal(body(1), text, rows[i].len);
            continue;
        }
        assert_string_equal(header(1, "Lambda-Runtime-Function-Error-Type"), "Function.ResponseSizeTooLarge");
        assert_string_equal(body(1), "{\"errorMessage\":\"the response has 6291557 bytes, Lambda takes at most 6291556\","
                                     "\"errorType\":\"ResponseSizeTooLarge\",\"stackTrace\":[]}");
    }
    free(text);
}

/* X-Ray takes 64 KiB, and a head of ours has less: whatever a message and its surroundings are, the cause goes along. */
static void sends_a_cause_with_the_longest_message(void **state) {
    static const server_step script[] = {
        {.event = "{}", .headers = "Lambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Invocation-Id: i-7\r\n"}};
    static const char *const fills[] = {"x", "\x01", "\x7F", "\"", "\xC3\xA9", "\xF0\x9F\x98\x80", "\xFF"};
    const latch_handler handler = {.event = fail_oddly};
    char message[1024], root[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fills); i++, again()) {
        message[0] = root[0] = '\0';
        for (size_t len = 0; len + 8 < sizeof message; len += strlen(fills[i])) {
            strcat(message, fills[i]);
            strcat(root, fills[i]);
        }
        odd_type = "AnErrorWithALongNameThatFillsAllThereIs";
        odd_message = message;
        setenv("LAMBDA_TASK_ROOT", root, 1);
        PLAY(&play, handler, script);
        const char *cause = header(1, "Lambda-Runtime-Function-XRay-Error-Cause");
        assert_in_range(strlen(cause), 200, 4095);
        assert_non_null(strstr(cause, "\"stack\":[]}],\"paths\":[]}"));
        for (const char *c = cause; *c != '\0'; c++)
            assert_true(*c >= 0x20 && *c < 0x7F);
        assert_non_null(strstr(body(1), "\"errorType\":\"AnError"));
    }
    unsetenv("LAMBDA_TASK_ROOT");
}

/* ── what comes with an event ────────────────────────────────────────────────────────────────────────────────────── */

static latch_status tell_facts(latch_ctx *cx, latch_event *event) {
    latch_json client, cognito;
    const char *in_environment = getenv("_X_AMZN_TRACE_ID");
    LATCH_TRY(latch_client_context(cx, &client));
    LATCH_TRY(latch_cognito_identity(cx, &cognito));
    return latch_event_reply(event, latch_object(cx, "id", latch_request_id(cx), "arn", latch_function_arn(cx), "trace", latch_trace_id(cx),
                                                 "environment", in_environment, "tenant", latch_tenant_id(cx), "type",
                                                 latch_content_type(cx), "client", client, "cognito", cognito, "deadline",
                                                 latch_deadline_ms(cx), "left", latch_left_ms(cx)));
}

static const latch_handler tells = {.event = tell_facts};

static void reads_every_header_of_the_contract(void **state) {
    static const struct {
        const char *headers, *says;
    } rows[] = {
        {"LAMBDA-runtime-aws-REQUEST-id: r-1\r\nLambda-Runtime-Deadline-Ms: 1767225610000\r\n"
         "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:f\r\n"
         "lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
         "Lambda-Runtime-Client-Context: {\"client\":{\"app_title\":\"t\"}}\r\n"
         "Lambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\"}\r\n"
         "Lambda-Runtime-Aws-Tenant-Id: blue\r\nContent-Type: application/json\r\n",
         "{\"id\":\"r-1\",\"arn\":\"arn:aws:lambda:eu-west-1:123456789012:function:f\","
         "\"trace\":\"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\","
         "\"environment\":\"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\","
         "\"tenant\":\"blue\",\"type\":\"application/json\",\"client\":{\"client\":{\"app_title\":\"t\"}},"
         "\"cognito\":{\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\"},\"deadline\":1767225610000,\"left\":9600}"},
        {REQUEST_1, "{\"id\":\"r-1\",\"arn\":\"\",\"trace\":\"\",\"environment\":null,\"tenant\":\"\",\"type\":\"\",\"client\":null,"
                    "\"cognito\":null,\"deadline\":9223372036854775807,\"left\":9223372036854775807}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "{}", .headers = rows[i].headers}};
        PLAY(&play, tells, script);
        assert_string_equal(body(1), rows[i].says);
    }
}

static void sets_the_trace_id_of_each_invocation_alone(void **state) {
    static const server_step script[] = {
        {.event = "{}", .headers = REQUEST_1 "Lambda-Runtime-Trace-Id: Root=1\r\n"},
        {.answer = ACCEPTED},
        {.event = "{}"},
        {.answer = ACCEPTED},
        {.event = "{}", .headers = REQUEST_1 "Lambda-Runtime-Trace-Id: Root=longer-than-before\r\n"},
        {.answer = ACCEPTED},
    };
    (void)state;
    setenv("_X_AMZN_TRACE_ID", "left over", 1);
    PLAY(&play, tells, script);
    assert_non_null(strstr(body(1), "\"environment\":\"Root=1\""));
    assert_non_null(strstr(body(3), "\"environment\":null"));
    assert_non_null(strstr(body(5), "\"environment\":\"Root=longer-than-before\""));
    assert_null(getenv("_X_AMZN_TRACE_ID"));
}

static void leaves_time_to_answer(void **state) {
    static const struct {
        int64_t deadline_ms, left_ms; /* from now */
    } rows[] = {{10000, 9600}, {801, 401}, {800, 400}, {799, 399}, {100, 50}, {1, 0}, {0, 0}, {-5, -5}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        char headers[128], says[64];
        snprintf(headers, sizeof headers, REQUEST_1 "Lambda-Runtime-Deadline-Ms: %lld\r\n", (long long)(STAGE_T0 + rows[i].deadline_ms));
        snprintf(says, sizeof says, "\"left\":%lld}", (long long)rows[i].left_ms);
        const server_step script[] = {{.event = "{}", .headers = headers}};
        PLAY(&play, tells, script);
        assert_non_null(strstr(body(1), says));
    }
}

static void takes_no_time_for_none(void **state) {
    static const char *const rows[] = {"soon", "-1", "1.5", "99999999999999999999", "9223372036854775807000", "0x10"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        char headers[128];
        snprintf(headers, sizeof headers, REQUEST_1 "Lambda-Runtime-Deadline-Ms: %s\r\n", rows[i]);
        const server_step script[] = {{.event = "{}", .headers = headers}};
        PLAY(&play, tells, script);
        assert_non_null(strstr(body(1), "\"deadline\":9223372036854775807"));
        assert_logged("the deadline is no time");
    }
}

static void names_a_client_context_that_is_no_json(void **state) {
    static const server_step script[] = {{.event = "{}", .headers = REQUEST_1 "Lambda-Runtime-Client-Context: {nope\r\n"}};
    (void)state;
    PLAY(&play, tells, script);
    assert_string_equal(asked(1), ERROR_LINE("r-1"));
    assert_non_null(strstr(body(1), "client context: is not JSON"));
}

static void reads_the_functions_environment(void **state) {
    static const struct {
        const char *text;
        int64_t mb;
    } rows[] = {{"128", 128}, {"10240", 10240}, {"", 0}, {"x", 0}, {"-1", 0}, {"99999999999999999999", 0}, {"12 ", 0}, {NULL, 0}};
    (void)state;
    setenv("AWS_LAMBDA_FUNCTION_NAME", "shop", 1);
    setenv("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST", 1);
    assert_true(latch_str_eq(latch_function_name(), LATCH_STR("shop")));
    assert_true(latch_str_eq(latch_function_version(), LATCH_STR("$LATEST")));
    unsetenv("AWS_LAMBDA_FUNCTION_NAME");
    assert_int_equal(latch_function_name().len, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsetenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        if (rows[i].text != NULL) setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", rows[i].text, 1);
        assert_int_equal(latch_function_memory_mb(), rows[i].mb);
    }
}

/* ── how the answers are taken ───────────────────────────────────────────────────────────────────────────────────── */

static void takes_answers_however_they_are_framed(void **state) {
    static const char *const rows[] = {
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id:r-1\r\ncontent-length:2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nLAMBDA-RUNTIME-AWS-REQUEST-ID:   r-1   \r\nTRANSFER-ENCODING: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nContent-Length: 2\r\n\r\n{}",
    };
    static const server_way ways[] = {ANSWERS, DRIBBLES, CUTS_AFTER};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(ways); k++, again()) {
            const server_step script[] = {{.answer = rows[i], .way = ways[k]}, {.answer = ACCEPTED, .way = ways[k]}};
            PLAY(&play, echoes, script);
            assert_int_equal(play.exit_status, 0);
            assert_string_equal(asked(1), RESPONSE_LINE("r-1"));
            assert_string_equal(body(1), "{}");
            assert_int_equal(play.pause_count, 0);
        }
    }
}

static void takes_a_large_event_in_chunks(void **state) {
    size_t len = 3 << 20, n = 0;
    char *text = malloc(len + (1 << 16));
    (void)state;
    assert_non_null(text);
    n += (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n" REQUEST_1 "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < len; at += 4096) {
        n += (size_t)sprintf(text + n, "1000\r\n");
        memset(text + n, 'a' + (int)(at / 4096 % 26), 4096);
        n += 4096;
        n += (size_t)sprintf(text + n, "\r\n");
    }
    sprintf(text + n, "0\r\n\r\n");
    const server_step script[] = {{.answer = text}};
    PLAY(&play, echoes, script);
    assert_int_equal(play.server.requests[1].body_len, len);
    for (size_t at = 0; at < len; at += 4096)
        assert_int_equal(body(1)[at], 'a' + at / 4096 % 26);
    free(text);
}

static void opens_a_new_connection_where_the_service_closed_the_old(void **state) {
    static const server_step script[] = {
        {.event = "1"},       {.answer = ACCEPTED, .way = CUTS_AFTER}, {.event = "2"},
        {.answer = ACCEPTED}, {.event = "3", .way = CUTS_AFTER},       {.answer = ACCEPTED},
    };
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.server.connections, 3);
    assert_string_equal(body(1), "1");
    assert_string_equal(body(3), "2");
    assert_string_equal(body(5), "3");
    assert_int_equal(play.server.count, 7);
    assert_int_equal(play.pause_count, 0);
    assert_string_equal(play.written, "");
}

static void never_uses_a_proxy(void **state) {
    static const server_step script[] = {{.event = "{}"}};
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        setenv(names[i], "http://127.0.0.1:1", 1);
    PLAY(&play, echoes, script);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(asked(0), NEXT_LINE);
    assert_string_equal(asked(1), RESPONSE_LINE("r-1"));
}

static latch_api waiting;

static void *hurry_twice(void *unused) {
    for (int i = 0; i < 2; i++) {
        usleep(20000);
        latch_api_hurry(&waiting); /* no read of it lasts longer than 200 ms from here on, as none would longer than ten seconds */
    }
    return unused;
}

/* The sandbox may be frozen while it waits: time that has passed says nothing, and the connection is the same. */
static void waits_for_an_event_as_long_as_it_takes(void **state) {
    static const server_step script[] = {{.event = "1"}, {.event = "2", .pause_ms = 900}};
    static _Alignas(16) char memory[1 << 18];
    latch_arena arena;
    latch_invocation invocation;
    latch_clock clock = latch_clock_system();
    latch_ctx cx = {.deadline_at_ms = INT64_MAX, .log = &play.log, .clock = clock};
    pthread_t thread;
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    cx.arena = &arena;
    server_start(&play.server, script, COUNT_OF(script));
    assert_int_equal(latch_api_init(&waiting, play.server.address, &cx), LATCH_OK);
    assert_int_equal(latch_api_next(&waiting, &arena, &invocation), LATCH_API_GO_ON);
    assert_int_equal(pthread_create(&thread, NULL, hurry_twice, NULL), 0);
    int64_t from_ms = latch_clock_wall_ms(&clock);
    assert_int_equal(latch_api_next(&waiting, &arena, &invocation), LATCH_API_GO_ON);
    assert_true(latch_clock_wall_ms(&clock) - from_ms >= 890);
    pthread_join(thread, NULL);
    assert_true(latch_str_eq(invocation.event, LATCH_STR("2")));
    server_stop(&play.server);
    latch_api_clean_up(&waiting);
    latch_arena_clean_up(&arena);
    assert_int_equal(play.server.count, 2);
    assert_int_equal(play.server.connections, 1);
}

static void holds_nothing_back(void **state) {
    latch_ctx cx = {.deadline_at_ms = INT64_MAX, .clock = latch_clock_system()};
    int on = 0;
    socklen_t len = sizeof on;
    (void)state;
    server_start(&play.server, NULL, 0);
    assert_int_equal(latch_api_init(&waiting, play.server.address, &cx), LATCH_OK);
    latch_api_connect(&waiting);
    assert_int_equal(getsockopt(waiting.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    latch_api_clean_up(&waiting);
    server_stop(&play.server);
}

/* ── how it reacts: one row for each line of the contract ────────────────────────────────────────────────────────── */

static void reacts_to_the_answer_of_a_post(void **state) {
    static const struct {
        const char *answer, *logged;
        int exit_status;
    } rows[] = {
        {ANSWER("202 Accepted"), NULL, 0},
        {ANSWER("200 OK"), NULL, 0},
        {SAYS("400 Bad Request", "16", "InvalidRequestID"), "\"status\":400,\"answer\":\"InvalidRequestID\"", 0},
        {ANSWER("403 Forbidden"), "\"status\":403", 0},
        {ANSWER("404 Not Found"), "\"status\":404", 0},
        {ANSWER("410 Gone"), "\"status\":410", 0},
        {ANSWER("413 Too Large"), "\"status\":413", 0},
        {ANSWER("503 Unavailable"), "\"status\":503", 0},
        {SAYS("500 Internal Server Error", "4", "gone"), "\"status\":500,\"answer\":\"gone\"", 1},
    };
    static const latch_handler *const handlers[] = {&echoes, &declines};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(handlers); k++, again()) {
            const server_step script[] = {{.event = "{}"}, {.answer = rows[i].answer}};
            PLAY(&play, *handlers[k], script);
            assert_int_equal(play.exit_status, rows[i].exit_status);
            assert_string_equal(asked(1), k == 0 ? RESPONSE_LINE("r-1") : ERROR_LINE("r-1"));
            /* no second outcome: the next request is for an event, or there is none */
            assert_int_equal(play.server.count, rows[i].exit_status == 0 ? 3 : 2);
            if (rows[i].exit_status == 0) assert_string_equal(asked(2), NEXT_LINE);
            if (rows[i].logged != NULL) assert_logged(rows[i].logged);
            if (rows[i].logged != NULL) assert_logged("\"requestId\":\"r-1\"");
            if (rows[i].exit_status != 0) assert_logged("\"level\":\"FATAL\"");
        }
    }
}

/* What the client logs of an invocation says whose it is, as the handler's own records do; what it logs between two is nobody's. */
static void logs_whose_post_it_is(void **state) {
    static const server_step script[] = {{.event = "1", .headers = REQUEST_1 "Lambda-Runtime-Aws-Tenant-Id: blue\r\n"},
                                         {.answer = ANSWER("410 Gone")},
                                         {.answer = ANSWER("403 Forbidden")},
                                         {.event = "2"},
                                         {.answer = ANSWER("410 Gone")}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_logged("\"level\":\"WARN\",\"requestId\":\"r-1\",\"tenantId\":\"blue\",\"message\":\"the Runtime API refused a post");
    assert_logged("\"level\":\"WARN\",\"message\":\"no event, asking again");
    assert_logged("\"level\":\"WARN\",\"requestId\":\"r-1\",\"message\":\"the Runtime API refused a post");
}

static void sends_a_post_again_that_got_no_answer(void **state) {
    static const struct {
        server_way first;
        const char *answer;
        size_t pauses; /* a kept connection that dies before its answer begins is replaced at once */
    } rows[] = {
        {CUTS, ACCEPTED, 0},
        {CUTS_ANSWER, ACCEPTED, 1},
        {ANSWERS, "garbage\r\n\r\n", 1},
        {CUTS_AFTER, "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n", 1},
    };
    static const latch_handler *const handlers[] = {&echoes, &declines};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < COUNT_OF(handlers); k++, again()) {
            const server_step script[] = {
                {.event = "{\"n\":1}", .headers = DEADLINE_1}, {.answer = rows[i].answer, .way = rows[i].first}, {.answer = ACCEPTED}};
            PLAY(&play, *handlers[k], script);
            assert_int_equal(play.exit_status, 0);
            assert_int_equal(play.server.count, 4);
            assert_string_equal(body(1), body(2));
            assert_string_equal(asked(2), k == 0 ? RESPONSE_LINE("r-1") : ERROR_LINE("r-1"));
            assert_string_equal(asked(3), NEXT_LINE);
            assert_int_equal(play.pause_count, rows[i].pauses);
        }
    }
}

static void gives_a_post_up_at_the_deadline(void **state) {
    static const server_step script[] = {{.event = "{}", .headers = DEADLINE_1}, {.way = CUTS, .times = 9}};
    static const int64_t pauses[] = {50, 100, 200, 400, 800, 1600, 3200};
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.pause_count, COUNT_OF(pauses));
    assert_memory_equal(play.pauses, pauses, sizeof pauses);
    assert_logged("a post could not be delivered");
    for (size_t i = 1; i < 10; i++)
        assert_string_equal(asked(i), RESPONSE_LINE("r-1"));
    assert_string_equal(asked(10), NEXT_LINE);
}

static void gives_a_post_up_after_ten_tries_without_a_deadline(void **state) {
    static const server_step script[] = {{.event = "{}"}, {.way = CUTS, .times = 11}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.pause_count, 9);
    assert_int_equal(play.pauses[8], 5000);
    assert_string_equal(asked(11), RESPONSE_LINE("r-1"));
    assert_string_equal(asked(12), NEXT_LINE);
}

/* A service that refuses a large body may do so before it is sent. */
static void hears_a_refusal_before_all_is_sent(void **state) {
    size_t len = 6 << 20;
    char *text = malloc(len);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    const server_step script[] = {{.event = text, .event_len = len, .headers = DEADLINE_1},
                                  {.answer = ANSWER("413 Too Large"), .way = ANSWERS_UNREAD}};
    PLAY(&play, echoes, script);
    free(text);
    assert_int_equal(play.exit_status, 0);
    assert_true(play.server.count >= 3);
    assert_string_equal(asked(play.server.count - 1), NEXT_LINE);
}

static void asks_five_times_for_the_first_event_then_ends(void **state) {
    static const struct {
        server_step step;
        const char *why;
    } rows[] = {
        {{.way = CUTS}, "without an answer"},
        {{.answer = ANSWER("403 Forbidden")}, "answered 403"},
        {{.answer = SAYS("404 Not Found", "4", "what")}, "answered 404 what"},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}, "no HTTP/1.1"},
    };
    static const int64_t pauses[] = {100, 200, 400, 800};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        server_step script[] = {rows[i].step};
        char url[128];
        script[0].times = 50;
        PLAY(&play, echoes, script);
        assert_int_equal(play.exit_status, 1);
        assert_in_range(play.server.count, 5, 6); /* the connection made at the start may be found dead once more */
        assert_int_equal(play.pause_count, COUNT_OF(pauses));
        assert_memory_equal(play.pauses, pauses, sizeof pauses);
        snprintf(url, sizeof url, "http://%s/2018-06-01/runtime/invocation/next", play.server.address);
        assert_logged(url);
        assert_logged(rows[i].why);
        assert_logged("no answer from the Runtime API in 5 tries");
    }
}

static void starts_where_the_service_comes_a_little_late(void **state) {
    static const server_step script[] = {{.way = CUTS, .times = 3}, {.event = "{}"}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.exit_status, 0);
    assert_string_equal(asked(4), RESPONSE_LINE("r-1"));
}

static void names_an_address_that_nobody_listens_at(void **state) {
    (void)state;
    server_start(&play.server, NULL, 0);
    char address[32];
    snprintf(address, sizeof address, "%s", play.server.address);
    server_stop(&play.server);
    again();
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    stage_play(&play, echoes, NULL, 0);
    assert_int_equal(play.exit_status, 1);
    assert_int_equal(play.server.count, 0);
    assert_int_equal(play.pause_count, 4);
    assert_logged(address);
}

static void asks_for_ever_once_it_was_answered(void **state) {
    static const int64_t pauses[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    static const char *const rows[] = {ANSWER("403 Forbidden"), ANSWER("503 Unavailable"), "nonsense\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {
            {.event = "1"}, {.answer = ACCEPTED}, {.answer = rows[i], .times = 10}, {.event = "2"}, {.answer = ACCEPTED}};
        PLAY(&play, echoes, script);
        assert_int_equal(play.exit_status, 0);
        assert_int_equal(play.pause_count, COUNT_OF(pauses));
        assert_memory_equal(play.pauses, pauses, sizeof pauses);
        assert_string_equal(body(13), "2");
    }
}

static void ends_where_next_answers_500(void **state) {
    static const server_step first[] = {{.answer = SAYS("500 Internal Server Error", "4", "gone")}},
                             later[] = {{.event = "{}"}, {.answer = ACCEPTED}, {.answer = SAYS("500 Internal Server Error", "4", "gone")}};
    (void)state;
    PLAY(&play, echoes, first);
    assert_int_equal(play.exit_status, 1);
    assert_int_equal(play.server.count, 1);
    assert_logged("answered 500 gone");
    again();
    PLAY(&play, echoes, later);
    assert_int_equal(play.exit_status, 1);
    assert_int_equal(play.server.count, 3);
    assert_logged("\"level\":\"FATAL\"");
}

static void ends_well_where_an_event_has_no_request_id(void **state) {
    static const server_step script[] = {{.answer = SHUTDOWN}};
    (void)state;
    PLAY(&play, echoes, script);
    assert_int_equal(play.exit_status, 0);
    assert_int_equal(play.server.count, 1);
    assert_string_equal(play.written, "");
}

static void refuses_an_address_that_is_none(void **state) {
    static const char *const rows[] = {"",
                                       "127.0.0.1",
                                       "127.0.0.1:",
                                       ":9001",
                                       "127.0.0.1:0",
                                       "127.0.0.1:65536",
                                       "a b:9001",
                                       "http://a:9001",
                                       "127.0.0.1:9001/x",
                                       "user@host:9001",
                                       "127.0.0.1:90x1",
                                       "127.0.0.1:-1",
                                       "[::1:9001",
                                       "[]:9001",
                                       "::1:9001",
                                       "a:1\r\nX: y:1",
                                       "a:+1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        setenv("AWS_LAMBDA_RUNTIME_API", rows[i], 1);
        stage_play(&play, echoes, NULL, 0);
        assert_int_equal(play.exit_status, 1);
        assert_int_equal(play.server.count, 0);
        assert_logged("AWS_LAMBDA_RUNTIME_API is ");
    }
}

static void says_that_the_address_is_not_set(void **state) {
    latch_loop_options options = {.handlers = &echoes, .count = 1, .clock = latch_clock_system(), .log = &play.log};
    char written[512] = "";
    (void)state;
    unsetenv("AWS_LAMBDA_RUNTIME_API");
    assert_int_equal(latch_loop_run(&options), 1);
    assert_true(pread(play.log.fd, written, sizeof written - 1, 0) > 0);
    assert_non_null(strstr(written, "AWS_LAMBDA_RUNTIME_API is not set"));
}

static void takes_addresses_of_every_kind(void **state) {
    static const char *const rows[] = {"127.0.0.1:9001", "localhost:1", "[::1]:65535", "169.254.100.1:9001", "host-1.example:80"};
    static latch_api api;
    latch_ctx cx = {.deadline_at_ms = INT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_api_init(&api, rows[i], &cx), LATCH_OK);
        latch_api_clean_up(&api);
    }
}

static void posts_an_init_error_even_if_the_service_refuses_it(void **state) {
    static const char *const rows[] = {ACCEPTED, ANSWER("403 Forbidden"), SAYS("500 Internal Server Error", "4", "gone")};
    const latch_handler nothing = {.name = "h"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.answer = rows[i]}};
        PLAY(&play, nothing, script);
        assert_int_equal(play.exit_status, 1);
        assert_int_equal(play.server.count, 1);
        assert_string_equal(asked(0), INIT_ERROR_LINE);
    }
    const server_step cut[] = {{.way = CUTS, .times = 2}, {.answer = ACCEPTED}};
    PLAY(&play, nothing, cut);
    assert_string_equal(asked(play.server.count - 1), INIT_ERROR_LINE);
    assert_int_equal(play.exit_status, 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(asks_and_answers_on_one_connection),
    ROW(sends_the_headers_that_the_service_wants),
    ROW(encodes_the_request_id_in_paths),
    ROW(echoes_the_invocation_id_where_there_is_one),
    ROW(reports_an_error_with_type_message_and_cause),
    ROW(says_any_message_in_ascii),
    ROW(sends_payloads_up_to_the_limit),
    ROW(sends_a_cause_with_the_longest_message),
    ROW(reads_every_header_of_the_contract),
    ROW(sets_the_trace_id_of_each_invocation_alone),
    ROW(leaves_time_to_answer),
    ROW(takes_no_time_for_none),
    ROW(names_a_client_context_that_is_no_json),
    ROW(reads_the_functions_environment),
    ROW(takes_answers_however_they_are_framed),
    ROW(takes_a_large_event_in_chunks),
    ROW(opens_a_new_connection_where_the_service_closed_the_old),
    ROW(never_uses_a_proxy),
    ROW(waits_for_an_event_as_long_as_it_takes),
    ROW(holds_nothing_back),
    ROW(reacts_to_the_answer_of_a_post),
    ROW(logs_whose_post_it_is),
    ROW(sends_a_post_again_that_got_no_answer),
    ROW(gives_a_post_up_at_the_deadline),
    ROW(gives_a_post_up_after_ten_tries_without_a_deadline),
    ROW(hears_a_refusal_before_all_is_sent),
    ROW(asks_five_times_for_the_first_event_then_ends),
    ROW(starts_where_the_service_comes_a_little_late),
    ROW(names_an_address_that_nobody_listens_at),
    ROW(asks_for_ever_once_it_was_answered),
    ROW(ends_where_next_answers_500),
    ROW(ends_well_where_an_event_has_no_request_id),
    ROW(refuses_an_address_that_is_none),
    ROW(says_that_the_address_is_not_set),
    ROW(takes_addresses_of_every_kind),
    ROW(posts_an_init_error_even_if_the_service_refuses_it),
};

CHECK_MAIN(tests)

/* What comes in wrong, through the whole runtime over a socket: each is answered, logged or ignored as the headers of runtime/ say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "runtime/around.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/record.h"
#include "tests/runtime/play.h"

#define assert_has(i, text, part)                                                                                                          \
    do {                                                                                                                                   \
        if (strstr((text), (part)) == NULL) fail_msg("row %zu: \"%s\" is not in: %s", (size_t)(i), (part), (text));                        \
    } while (0)

/* ── headers of /next ────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status tell(latch_ctx *cx, latch_event *event) {
    const char *environment = getenv("_X_AMZN_TRACE_ID");
    return latch_event_reply(event, latch_object(cx, "id", latch_request_id(cx), "arn", latch_function_arn(cx), "trace",
                                                 latch_str_cut(latch_trace_id(cx), 40), "environment",
                                                 environment != NULL ? latch_str_cut(latch_str_of(environment), 40) : LATCH_STR("unset"),
                                                 "tenant", latch_tenant_id(cx), "invocation", latch_invocation_id(cx), "bounded",
                                                 latch_bool(latch_deadline_ms(cx) != INT64_MAX), "left", latch_left_ms(cx)));
}
static const latch_handler tells = {.event = tell};

#define ID REQUEST_1
#define DEADLINE(v) ID "Lambda-Runtime-Deadline-Ms: " v "\r\n"

static void each_header_on_its_own(void **state) {
    static const struct {
        const char *headers, *line, *says, *logged; /* of the outcome; NULL: the process ends */
    } rows[] = {
        {"", NULL, NULL, NULL},
        {"Lambda-Runtime-Aws-Request-Id: \r\n", NULL, NULL, NULL},
        {ID, RESPONSE_LINE("r-1"),
         "\"arn\":\"\",\"trace\":\"\",\"environment\":\"unset\",\"tenant\":\"\",\"invocation\":\"\",\"bounded\":false", NULL},
        {ID "Lambda-Runtime-Invoked-Function-Arn:\r\nLambda-Runtime-Trace-Id: \r\nLambda-Runtime-Aws-Tenant-Id: \r\n"
            "Lambda-Runtime-Invocation-Id:  \r\nLambda-Runtime-Client-Context: \r\nLambda-Runtime-Cognito-Identity: \r\nContent-Type: \r\n",
         RESPONSE_LINE("r-1"),
         "\"arn\":\"\",\"trace\":\"\",\"environment\":\"unset\",\"tenant\":\"\",\"invocation\":\"\",\"bounded\":false", NULL},
        {"Lambda-Runtime-Aws-Request-Id: a/b?c%\r\n", RESPONSE_LINE("a%2Fb%3Fc%25"), "\"id\":\"a/b?c%\"", NULL},
        {ID "LAMBDA-RUNTIME-AWS-REQUEST-ID: r-2\r\n", RESPONSE_LINE("r-1"), "\"id\":\"r-1\"", NULL},
        {DEADLINE("1767225610000"), RESPONSE_LINE("r-1"), "\"bounded\":true,\"left\":9600", NULL},
        {DEADLINE("1767225610000") "lambda-runtime-deadline-ms: 1767225620000\r\n", RESPONSE_LINE("r-1"), "\"left\":9600", NULL},
        {DEADLINE(""), RESPONSE_LINE("r-1"), "\"bounded\":false", NULL},
        {DEADLINE("soon"), RESPONSE_LINE("r-1"), "\"bounded\":false",
         "the deadline is no time: the invocation runs without one\",\"deadline\":\"soon"},
        {DEADLINE("-1"), RESPONSE_LINE("r-1"), "\"bounded\":false", "\"deadline\":\"-1\""},
        {DEADLINE("1.5e12"), RESPONSE_LINE("r-1"), "\"bounded\":false", "\"deadline\":\"1.5e12\""},
        {DEADLINE("0x19b"), RESPONSE_LINE("r-1"), "\"bounded\":false", "\"deadline\":\"0x19b\""},
        {DEADLINE("1767225610000, 1767225620000"), RESPONSE_LINE("r-1"), "\"bounded\":false", "the deadline is no time"},
        {DEADLINE("99999999999999999999"), RESPONSE_LINE("r-1"), "\"bounded\":false", "\"deadline\":\"99999999999999999999\""},
        {DEADLINE("9223372036854775807"), RESPONSE_LINE("r-1"), "\"bounded\":false", "the deadline is no time"},
        {DEADLINE("253402300800000"), RESPONSE_LINE("r-1"), "\"bounded\":false", "the deadline is no time"},
        {DEADLINE("253402300799999"), RESPONSE_LINE("r-1"), "\"bounded\":true", NULL},
        {DEADLINE("000000000000000000000001767225610000"), RESPONSE_LINE("r-1"), "\"left\":9600", NULL},
        {DEADLINE("0"), RESPONSE_LINE("r-1"), "\"bounded\":true,\"left\":-1767225600000", NULL},
        {DEADLINE("1767225600001"), RESPONSE_LINE("r-1"), "\"bounded\":true,\"left\":0", NULL},
        {ID "Lambda-Runtime-Trace-Id: not a trace = at; all\r\n", RESPONSE_LINE("r-1"),
         "\"trace\":\"not a trace = at; all\",\"environment\":\"not a trace = at; all\"", NULL},
        {ID "Lambda-Runtime-Trace-Id: Root=1;Sampled=maybe\r\nLambda-Runtime-Trace-Id: Root=2\r\n", RESPONSE_LINE("r-1"),
         "\"trace\":\"Root=1;Sampled=maybe\",\"environment\":\"Root=1;Sampled=maybe\"", NULL},
        {ID "Lambda-Runtime-Invocation-Id: v-1\r\nLambda-Runtime-Invocation-Id: v-2\r\n", RESPONSE_LINE("r-1"), "\"invocation\":\"v-1\"",
         NULL},
        {ID "Lambda-Runtime-Aws-Tenant-Id:   blue \r\nX-Unknown: 1\r\n", RESPONSE_LINE("r-1"), "\"tenant\":\"blue\"", NULL},
        {ID "Lambda-Runtime-Client-Context: {no JSON\r\nLambda-Runtime-Cognito-Identity: }\r\n", RESPONSE_LINE("r-1"), "\"id\":\"r-1\"",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "1", .headers = rows[i].headers}, {.answer = ACCEPTED}};
        PLAY(&play, tells, script);
        assert_int_equal(play.exit_status, 0);
        assert_int_equal(play.server.count, rows[i].line != NULL ? 3 : 1);
        if (rows[i].line == NULL) continue;
        assert_string_equal(asked(1), rows[i].line);
        assert_has(i, body(1), rows[i].says);
        if (rows[i].logged != NULL) assert_has(i, play.written, rows[i].logged);
        if (rows[i].logged == NULL && play.written[0] != '\0') fail_msg("row %zu logs: %s", i, play.written);
    }
}

static void the_first_invocation_id_goes_back(void **state) {
    static const server_step script[] = {
        {.event = "1", .headers = ID "Lambda-Runtime-Invocation-Id: v-1\r\nlambda-runtime-invocation-id: v-2\r\n"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, tells, script);
    assert_string_equal(server_header(&play.server.requests[1], "Lambda-Runtime-Invocation-Id"), "v-1");
    again();
    const server_step empty[] = {{.event = "1", .headers = ID "Lambda-Runtime-Invocation-Id: \r\n"}, {.answer = ACCEPTED}};
    PLAY(&play, tells, empty);
    assert_null(strstr(play.server.requests[1].head, "Invocation-Id"));
}

/* A header of so many bytes, behind the request id. */
static char *long_header(const char *name, size_t bytes) {
    size_t len = strlen(ID) + strlen(name) + bytes + 8;
    char *headers = malloc(len);
    assert_non_null(headers);
    int n = snprintf(headers, len, "%s%s: ", strstr(name, "Request-Id") != NULL ? "" : ID, name);
    memset(headers + n, 'x', bytes);
    memcpy(headers + (size_t)n + bytes, "\r\n", 3);
    return headers;
}

/* What is long is passed on as far as it goes; the next event is served as ever. */
static void oversized_headers(void **state) {
    static const struct {
        const char *name;
        size_t bytes;
        int posts;                 /* outcomes of the two events */
        const char *says, *logged; /* of the first */
    } rows[] = {
        {"Lambda-Runtime-Trace-Id", 1000, 2, "\"environment\":\"xxxx", NULL},
        {"Lambda-Runtime-Trace-Id", 1100, 2, "\"environment\":\"unset\"", NULL},
        {"Lambda-Runtime-Client-Context", 60000, 2, "\"id\":\"r-1\"", NULL},
        {"Lambda-Runtime-Aws-Tenant-Id", 30000, 2, "\"tenant\":\"xxxx", NULL},
        {"Lambda-Runtime-Invocation-Id", 8000, 2, "\"invocation\":\"xxxx", NULL},
        {"Lambda-Runtime-Invocation-Id", 20000, 1, NULL, "a post could not be delivered"},
        {"Lambda-Runtime-Aws-Request-Id", 2000, 2, "\"id\":\"xxxx", NULL},
        {"X-Unknown", 70000, 1, NULL, "a line is too long"}, /* no answer that makes sense: asked again */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        char *headers = long_header(rows[i].name, rows[i].bytes);
        server_step script[4] = {{.event = "1", .headers = headers}, {.answer = ACCEPTED}, {.event = "2"}, {.answer = ACCEPTED}};
        if (rows[i].posts == 1) script[1] = script[2], script[2] = script[3];
        stage_play(&play, tells, script, rows[i].posts == 1 ? 3 : 4);
        free(headers);
        assert_int_equal(play.exit_status, 0);
        int posts = 0;
        for (size_t k = 0; k < play.server.count; k++)
            posts += strncmp(asked(k), "POST", 4) == 0;
        assert_int_equal(posts, rows[i].posts);
        if (rows[i].says != NULL) assert_has(i, body(1), rows[i].says);
        if (rows[i].logged != NULL) assert_has(i, play.written, rows[i].logged);
    }
}

static void answers_that_make_no_sense_are_asked_for_again(void **state) {
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\n" ID "Content-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        "HTTP/1.1 200 OK\r\n" ID "Content-Length: one\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id : r-1\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r\x01\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 1\r\n\r\n1",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "what?\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++, again()) {
        const server_step script[] = {{.answer = answers[i]}, {.event = "2"}, {.answer = ACCEPTED}};
        PLAY(&play, tells, script);
        assert_int_equal(play.exit_status, 0);
        assert_has(i, play.written, "no event, asking again");
        assert_int_equal(play.server.count, 4);
        assert_string_equal(asked(2), RESPONSE_LINE("r-1"));
    }
}

/* ── client context ──────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_client(latch_ctx *cx, latch_event *event) {
    latch_json client, user;
    latch_str title, campaign, id;
    LATCH_TRY(latch_client_context(cx, &client));
    LATCH_TRY(latch_cognito_identity(cx, &user));
    if (client.node == NULL || user.node == NULL) return latch_event_reply_bytes(event, LATCH_STR("\"none\""));
    LATCH_TRY(latch_read(client, "client.app_title", &title, "custom.campaign", latch_optional(&campaign)));
    LATCH_TRY(latch_read(user, "cognitoIdentityId", &id));
    return latch_event_reply(event, latch_object(cx, "title", title, "campaign", campaign, "id", id));
}

#define CONTEXT(v) ID "Lambda-Runtime-Client-Context: " v "\r\n"
#define COGNITO(v) "Lambda-Runtime-Cognito-Identity: " v "\r\n"

static void client_contexts(void **state) {
    static const struct {
        const char *headers;
        bool fails;
        const char *says;
    } rows[] = {
        {ID, false, "\"none\""},
        {CONTEXT("") COGNITO(" "), false, "\"none\""},
        {CONTEXT("{\"client\":{\"app_title\":\"t\"},\"custom\":{\"campaign\":\"c\"}}") COGNITO("{\"cognitoIdentityId\":\"i\"}"), false,
         "{\"title\":\"t\",\"campaign\":\"c\",\"id\":\"i\"}"},
        {CONTEXT("{no JSON"), true, "client context: "},
        {CONTEXT("7"), false, "\"none\""}, /* nobody came with it */
        {CONTEXT("7") COGNITO("{\"cognitoIdentityId\":\"i\"}"), true, "client context.client.app_title: is missing, want text"},
        {CONTEXT("{\"client\":{\"app_title\":7}}") COGNITO("{}"), true, "client context.client.app_title: is 7, want text"},
        {CONTEXT("{\"client\":{\"app_title\":\"t\"}}") COGNITO("}"), true, "cognito identity: "},
        {CONTEXT("{\"client\":{\"app_title\":\"t\"}}") COGNITO("{}"), true, "cognito identity.cognitoIdentityId: is missing, want text"},
        {CONTEXT("\xFF\xFE"), true, "client context: "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = "1", .headers = rows[i].headers}, {.answer = ACCEPTED}};
        PLAY(&play, (latch_handler){.event = read_client}, script);
        assert_int_equal(play.exit_status, 0);
        assert_string_equal(asked(1), rows[i].fails ? ERROR_LINE("r-1") : RESPONSE_LINE("r-1"));
        assert_has(i, body(1), rows[i].says);
        if (rows[i].fails)
            assert_string_equal(server_header(&play.server.requests[1], "Lambda-Runtime-Function-Error-Type"), "Function.BadInput");
    }
}

/* ── events of another service ───────────────────────────────────────────────────────────────────────────────────── */

static latch_status on_http(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200, latch_object(cx, "ran", latch_bool(true)));
}
static latch_status on_record(latch_ctx *cx, latch_record *record) {
    (void)cx, (void)record;
    return LATCH_OK;
}
static latch_status on_schedule(latch_ctx *cx, latch_event *event) {
    latch_eventbridge due;
    (void)cx;
    return latch_event_eventbridge(event, &due);
}
static latch_status on_sns(latch_ctx *cx, latch_event *event) {
    latch_sns sns;
    (void)cx;
    return latch_event_sns(event, 0, &sns);
}
static latch_status on_s3(latch_ctx *cx, latch_event *event) {
    latch_s3 s3;
    (void)cx;
    return latch_event_s3(event, 0, &s3);
}

#define SQS_EVENT "{\"Records\":[{\"messageId\":\"m\",\"body\":\"1\",\"eventSource\":\"aws:sqs\"}]}"
#define SNS_EVENT "{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"MessageId\":\"m\",\"TopicArn\":\"t\",\"Message\":\"\"}}]}"
#define S3_EVENT                                                                                                                           \
    "{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{"       \
    "\"key\":\"k\"}}}]}"
#define HTTP_EVENT "{\"rawPath\":\"/\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}"
#define SCHEDULE_EVENT "{\"id\":\"i\",\"source\":\"aws.events\",\"detail-type\":\"Scheduled Event\",\"detail\":{}}"

static void events_of_another_service(void **state) {
    static const struct {
        latch_handler handler;
        const char *event, *says; /* NULL: it is its own */
    } rows[] = {
        {{.http = on_http}, HTTP_EVENT, NULL},
        {{.http = on_http}, SQS_EVENT, "event.requestContext: is missing, want an object or a list"},
        {{.http = on_http}, SCHEDULE_EVENT, "event.requestContext: is missing"},
        {{.http = on_http}, "{\"requestContext\":{}}", "event.httpMethod: is missing, want text"},
        {{.http = on_http}, "{\"requestContext\":{\"eventType\":\"CONNECT\"}}", "event.httpMethod: is missing"}, /* a WebSocket's */
        {{.http = on_http}, "\"text\"", "event.requestContext: is missing"},
        {{.http = on_http}, "", "event: "},
        {{.record = on_record}, SQS_EVENT, NULL},
        {{.record = on_record}, SNS_EVENT, "event.Records[0].eventSource: is missing, want text"},
        {{.record = on_record}, S3_EVENT, "event.Records[0].eventSource: is \\\"aws:s3\\\", want aws:sqs, aws:kinesis or aws:dynamodb"},
        {{.record = on_record}, HTTP_EVENT, "event.Records: is missing"},
        {{.record = on_record}, "{\"Records\":{\"a\":1}}", "event.Records: is an object, want a list"},
        {{.record = on_record}, "[]", "event.Records: is missing"},
        {{.event = on_schedule}, SCHEDULE_EVENT, NULL},
        {{.event = on_schedule}, SNS_EVENT, "event.id: is missing, want text"},
        {{.event = on_sns}, SNS_EVENT, NULL},
        {{.event = on_sns}, SQS_EVENT, "event.Records[0].Sns.MessageId: is missing, want text"},
        {{.event = on_sns}, SCHEDULE_EVENT, "event.Records: is missing"},
        {{.event = on_sns}, "{\"Records\":[]}", "event.Records[0]: is missing, there are 0"},
        {{.event = on_s3}, S3_EVENT, NULL},
        {{.event = on_s3}, SNS_EVENT, "event.Records[0].eventName: is missing, want text"},
        {{.event = on_s3}, "no JSON", "event: "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}, {.answer = ACCEPTED}};
        PLAY(&play, rows[i].handler, script);
        assert_int_equal(play.exit_status, 0);
        assert_string_equal(asked(1), rows[i].says != NULL ? ERROR_LINE("r-1") : RESPONSE_LINE("r-1"));
        if (rows[i].says == NULL) continue;
        assert_has(i, body(1), rows[i].says);
        assert_has(i, body(1), "\"errorType\":\"BadInput\"");
        assert_has(i, play.written, "invocation failed");
    }
}

/* ── what a handler and its hooks do wrong ───────────────────────────────────────────────────────────────────────── */

static latch_status replies_twice(latch_ctx *cx, latch_event *event) {
    LATCH_TRY(latch_event_reply(event, latch_object(cx, "n", latch_int(1))));
    return latch_event_reply(event, latch_object(cx, "n", latch_int(2)));
}
static latch_status replies_twice_over_http(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(latch_http_reply(http, 201, latch_object(cx, "n", latch_int(1))));
    return latch_http_reply_bytes(http, 202, "text/plain", LATCH_STR("two"));
}
static latch_status replies_and_fails(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(latch_http_reply(http, 201, latch_object(cx, "n", latch_int(1))));
    return latch_fail(cx, "Late", "something else broke");
}
static latch_status replies_and_refuses(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(latch_http_reply(http, 201, latch_object(cx, "n", latch_int(1))));
    return latch_refuse(cx, LATCH_MISSING, "no such thing");
}
static latch_status hook_fails(latch_ctx *cx, latch_call *call, const void *arg) {
    (void)call, (void)arg;
    return latch_fail(cx, "HookBroke", "the hook broke");
}
static latch_status hook_fails_after(latch_ctx *cx, latch_call *call, const void *arg) {
    LATCH_TRY(latch_around_next(cx, call));
    return hook_fails(cx, call, arg);
}
static latch_status hook_does_nothing(latch_ctx *cx, latch_call *call, const void *arg) {
    (void)cx, (void)call, (void)arg;
    return LATCH_OK;
}
static const latch_around failing[] = {{.run = hook_fails}}, failing_after[] = {{.run = hook_fails_after}},
                          silent[] = {{.run = hook_does_nothing}};

static void one_outcome_whatever_the_handler_does(void **state) {
    static const struct {
        latch_handler handler;
        const char *event, *line, *says;
    } rows[] = {
        {{.event = replies_twice}, "1", RESPONSE_LINE("r-1"), "{\"n\":2}"},
        {{.http = replies_twice_over_http}, HTTP_EVENT, RESPONSE_LINE("r-1"), "\"statusCode\":202"},
        {{.http = replies_and_fails}, HTTP_EVENT, ERROR_LINE("r-1"), "something else broke"},
        {{.http = replies_and_refuses}, HTTP_EVENT, RESPONSE_LINE("r-1"), "\"statusCode\":404"},
        {{.event = replies_twice, LATCH_AROUND(failing)}, "1", ERROR_LINE("r-1"), "\"errorType\":\"HookBroke\""},
        {{.event = replies_twice, LATCH_AROUND(failing_after)}, "1", ERROR_LINE("r-1"), "the hook broke"},
        {{.http = on_http, LATCH_AROUND(failing_after)}, HTTP_EVENT, ERROR_LINE("r-1"), "the hook broke"},
        {{.event = replies_twice, LATCH_AROUND(silent)}, "1", ERROR_LINE("r-1"), "neither called on nor replied"},
        {{.http = on_http, LATCH_AROUND(silent)}, HTTP_EVENT, ERROR_LINE("r-1"), "neither called on nor replied"},
        {{.record = on_record, LATCH_AROUND(silent)},
         SQS_EVENT,
         RESPONSE_LINE("r-1"),
         "{\"batchItemFailures\":[{\"itemIdentifier\":\"m\"}]}"},
        {{.record = on_record, LATCH_AROUND(failing)},
         SQS_EVENT,
         RESPONSE_LINE("r-1"),
         "{\"batchItemFailures\":[{\"itemIdentifier\":\"m\"}]}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++, again()) {
        const server_step script[] = {{.event = rows[i].event}, {.answer = ACCEPTED}};
        PLAY(&play, rows[i].handler, script);
        assert_int_equal(play.exit_status, 0);
        assert_int_equal(play.server.count, 3);
        assert_string_equal(asked(1), rows[i].line);
        assert_has(i, body(1), rows[i].says);
    }
}

static latch_status tell_cold(latch_ctx *cx, latch_event *event) {
    return latch_event_reply(event, latch_object(cx, "cold", latch_bool(latch_is_cold_start(cx))));
}

static void the_first_event_is_cold(void **state) {
    static const server_step script[] = {{.event = "1"}, {.answer = ACCEPTED}, {.event = "2"}, {.answer = ACCEPTED}};
    (void)state;
    PLAY(&play, (latch_handler){.event = tell_cold}, script);
    assert_string_equal(body(1), "{\"cold\":true}");
    assert_string_equal(body(3), "{\"cold\":false}");
}

/* ── facts of the function ───────────────────────────────────────────────────────────────────────────────────────── */

static void function_facts_are_the_environments(void **state) {
    static const struct {
        const char *memory;
        int64_t mb;
    } rows[] = {{NULL, 0},     {"", 0},     {"128", 128}, {"10240", 10240},           {"-1", 0},
                {"128 MB", 0}, {"lots", 0}, {"1e3", 0},   {"99999999999999999999", 0}};
    static const struct {
        const char *name;
        latch_str (*get)(void);
    } texts[] = {{"AWS_LAMBDA_FUNCTION_NAME", latch_function_name},
                 {"AWS_LAMBDA_FUNCTION_VERSION", latch_function_version},
                 {"AWS_LAMBDA_LOG_GROUP_NAME", latch_log_group},
                 {"AWS_LAMBDA_LOG_STREAM_NAME", latch_log_stream},
                 {"AWS_LAMBDA_INITIALIZATION_TYPE", latch_initialization_type}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        unsetenv(texts[i].name);
        assert_int_equal(texts[i].get().len, 0);
        setenv(texts[i].name, "a/[$LATEST]b", 1);
        assert_true(latch_str_eq(texts[i].get(), LATCH_STR("a/[$LATEST]b")));
        unsetenv(texts[i].name);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsetenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        if (rows[i].memory != NULL) setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", rows[i].memory, 1);
        assert_int_equal(latch_function_memory_mb(), rows[i].mb);
    }
    unsetenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(each_header_on_its_own),
    ROW(the_first_invocation_id_goes_back),
    ROW(oversized_headers),
    ROW(answers_that_make_no_sense_are_asked_for_again),
    ROW(client_contexts),
    ROW(events_of_another_service),
    ROW(one_outcome_whatever_the_handler_does),
    ROW(the_first_event_is_cold),
    ROW(function_facts_are_the_environments),
};

CHECK_MAIN(tests)

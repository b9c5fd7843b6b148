#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "http_answer.h"
#include "http_event.h"
#include "match.h"
#include "routes.h"
#include "tests/check.h"
#include "url.h"

/* ── routes ── */

static void add_route(latch_template *t, const char *method, const char *path) {
    t->routes = latch_realloc(t->routes, (t->route_count + 1) * sizeof *t->routes);
    t->routes[t->route_count++] = (latch_route){latch_copy(latch_str_of(method)), path != NULL ? latch_copy(latch_str_of(path)) : NULL, 0};
}

/* API Gateway's own example of precedence, and what it leaves open. In an order that helps nobody. */
static const struct {
    const char *method, *path;
} routes[] = {
    {"ANY", NULL},          {"ANY", "/{proxy+}"},   {"GET", "/pets/{proxy+}"},     {"GET", "/pets/dog/{id}"},
    {"GET", "/pets/dog/1"}, {"ANY", "/pets/dog/1"}, {"POST", "/pets/{kind}/{id}"}, {"GET", "/a b/{x}/c"},
    {"ANY", "/"},
};
#define DEFAULT 0
#define PROXY 1

static void finds_the_most_specific_route(void **state) {
    static const struct {
        const char *method, *path;
        size_t route;
        const char *param, *value;
    } rows[] = {
        {"GET", "/pets/dog/1", 4, NULL, NULL},
        {"PUT", "/pets/dog/1", 5, NULL, NULL},
        {"GET", "/pets/dog/2", 3, "id", "2"},
        {"GET", "/pets/cat/1", 2, "proxy", "cat/1"},
        {"GET", "/pets/dog/1/2", 2, "proxy", "dog/1/2"},
        {"POST", "/pets/cat/9%2F9", 6, "id", "9/9"},
        {"PUT", "/pets/cat/1", PROXY, "proxy", "pets/cat/1"},
        {"GET", "/a%20b/x/c", 7, "x", "x"},
        {"GET", "/a%20b//c", PROXY, "proxy", "a b//c"},
        {"GET", "/a%20b/x/c/", PROXY, "proxy", "a b/x/c/"},
        {"GET", "/", 8, NULL, NULL},
        {"GET", "/pets/", PROXY, "proxy", "pets/"},
        {"GET", "/%", PROXY, "proxy", "%"},
        {"OPTIONS", "*", DEFAULT, NULL, NULL},
    };
    latch_template t = {0};
    latch_variables params;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        add_route(&t, routes[i].method, routes[i].path);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t route = latch_routes_find(&t, rows[i].method, latch_str_of(rows[i].path), &params);
        if (route != rows[i].route) fail_msg("%s %s: route %zu", rows[i].method, rows[i].path, route);
        const char *path = routes[route].path != NULL ? routes[route].path : "", *first = strchr(path, '{');
        assert_int_equal(params.count, (first != NULL) + (first != NULL && strchr(first + 1, '{') != NULL));
        if (rows[i].param != NULL) assert_string_equal(latch_variables_get(&params, rows[i].param), rows[i].value);
        latch_variables_clean_up(&params);
    }
    latch_template_clean_up(&t);
}

static void finds_no_route(void **state) {
    static const struct {
        const char *method, *path;
    } rows[] = {{"GET", "/b"}, {"POST", "/a"}, {"GET", "/a/"}, {"GET", "/"}, {"GET", ""}, {"get", "/a"}, {"GET", "/c"}, {"GET", "/c/"}};
    latch_template t = {0};
    latch_variables params;
    (void)state;
    add_route(&t, "GET", "/a");
    add_route(&t, "GET", "/c/{rest+}");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_routes_find(&t, rows[i].method, latch_str_of(rows[i].path), &params), LATCH_NO_ROUTE);
        assert_int_equal(params.count, 0);
    }
    latch_template_clean_up(&t);
}

/* ── events ── */

static latch_http_request request(void) {
    static const latch_variables none;
    return (latch_http_request){.method = "POST",
                                .path = LATCH_STR("/a%20b"),
                                .client = "192.0.2.7",
                                .route_key = "POST /a b",
                                .params = &none,
                                .region = "eu-west-1",
                                .request_id = "r-1",
                                .now_ms = INT64_C(1795266312123)};
}

static void check_event(const latch_http_request *r, const char *expected) {
    latch_mismatches m = {0};
    size_t len = 0;
    char *event = latch_http_event_make(r, &len);
    assert_non_null(event);
    yyjson_doc *e = latch_match_parse(latch_str_of(expected)), *f = latch_match_parse((latch_str){event, len});
    assert_non_null(e);
    latch_match(yyjson_doc_get_root(e), yyjson_doc_get_root(f), &m);
    if (m.count > 0) fail_msg("%s: expected %s, found %s", m.items[0].path, m.items[0].expected, m.items[0].found);
    yyjson_doc_free(e);
    yyjson_doc_free(f);
    free(event);
}

static void makes_the_http_apis_event(void **state) {
    latch_http_header headers[] = {{(char[]){"Host"}, (char[]){"h"}},          {(char[]){"X-Two"}, (char[]){"1"}},
                                   {(char[]){"x-two"}, (char[]){"2"}},         {(char[]){"Cookie"}, (char[]){"a=1; b=2;"}},
                                   {(char[]){"User-Agent"}, (char[]){"curl"}}, {(char[]){"X-Latin"}, (char[]){"caf\xe9"}}};
    latch_variables params = {0};
    latch_http_request r = request();
    (void)state;
    latch_variables_set(&params, LATCH_STR("id"), LATCH_STR("a/b"));
    r.headers = headers, r.header_count = COUNT_OF(headers), r.params = &params;
    r.query = LATCH_STR("x=1&y=a+b%26&x=2&flag&=v&&bad=%zz%ff");
    r.body = LATCH_STR("{\"a\":1}");
    check_event(&r,
                "{\"version\":\"2.0\",\"routeKey\":\"POST /a b\",\"rawPath\":\"/a b\","
                "\"rawQueryString\":\"x=1&y=a+b%26&x=2&flag&=v&&bad=%zz%ff\",\"cookies\":[\"a=1\",\"b=2\"],"
                "\"headers\":{\"host\":\"h\",\"x-two\":\"1,2\",\"cookie\":\"<absent>\",\"x-latin\":\"caf\xEF\xBF\xBD\",\"x-forwarded-for\":"
                "\"192.0.2.7\"},"
                "\"queryStringParameters\":{\"x\":\"1,2\",\"y\":\"a b&\",\"flag\":\"\",\"\":\"v\",\"bad\":\"%zz\xEF\xBF\xBD\"},"
                "\"pathParameters\":{\"id\":\"a/b\"},\"body\":\"{\\\"a\\\":1}\",\"isBase64Encoded\":false,"
                "\"requestContext\":{\"http\":{\"method\":\"POST\",\"path\":\"/a b\",\"sourceIp\":\"192.0.2.7\",\"userAgent\":\"curl\"},"
                "\"stage\":\"$default\",\"requestId\":\"r-1\",\"time\":\"21/Nov/2026:13:05:12 +0000\",\"timeEpoch\":1795266312123}}");
    latch_variables_clean_up(&params);
}

static void makes_a_function_urls_event(void **state) {
    latch_http_request r = request();
    (void)state;
    r.is_url = true, r.route_key = "$default";
    check_event(&r,
                "{\"rawPath\":\"/a%20b\",\"routeKey\":\"$default\",\"rawQueryString\":\"\",\"cookies\":\"<absent>\",\"body\":\"<absent>\","
                "\"queryStringParameters\":\"<absent>\",\"pathParameters\":\"<absent>\",\"isBase64Encoded\":false,"
                "\"requestContext\":{\"domainName\":\"local0url.lambda-url.eu-west-1.on.aws\",\"http\":{\"path\":\"/a%20b\"}}}");
}

static void sends_bodies_as_text_or_base64(void **state) {
    const struct {
        const char *type;
        latch_str body;
        bool is_text;
    } rows[] = {
        {"application/json", LATCH_STR("{}"), true},
        {"Application/JSON; charset=utf-8", LATCH_STR("{}"), true},
        {"application/problem+json", LATCH_STR("{}"), true},
        {"image/svg+xml", LATCH_STR("<svg/>"), true},
        {"text/csv", LATCH_STR("a,b"), true},
        {NULL, LATCH_STR("a"), true},
        {NULL, LATCH_STR("\xff"), false},
        {"application/json", LATCH_STR("\xff"), false},
        {"application/x-www-form-urlencoded", LATCH_STR("a=1"), false},
        {"application/octet-stream", LATCH_STR("a"), false},
        {"application/jsonlines", LATCH_STR("a"), false},
        {"text/plain", LATCH_STR("a\0b"), true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_http_event_is_text(rows[i].type, rows[i].body), rows[i].is_text);
    latch_http_request r = request();
    latch_http_header type = {(char[]){"Content-Type"}, (char[]){"image/png"}};
    r.headers = &type, r.header_count = 1, r.body = LATCH_STR("\x89PNG");
    check_event(&r, "{\"body\":\"iVBORw==\",\"isBase64Encoded\":true}");
}

/* ── answers ── */

/* "201 a=b c=d|body", or "502 …|…" and why. */
static char *answer_to(latch_outcome outcome, const char *text, latch_http_where where) {
    latch_invocation inv = {.outcome = outcome};
    latch_http_answer a;
    latch_buffer out = {0};
    latch_buffer_text(outcome == LATCH_ANSWERED ? &inv.answer : &inv.error, text);
    latch_http_answer_make(&a, &inv, where);
    latch_buffer_format(&out, "%u", a.status);
    for (size_t i = 0; i < a.header_count; i++)
        latch_buffer_format(&out, " %s=%s", a.headers[i].name, a.headers[i].value);
    latch_buffer_format(&out, "|%.*s", (int)a.body.len, a.body.ptr != NULL ? a.body.ptr : "");
    if (a.problem != NULL) latch_buffer_format(&out, "|%s", a.problem);
    latch_http_answer_clean_up(&a);
    latch_invocation_clean_up(&inv);
    return out.ptr;
}

#define BAD "502 Content-Type=application/json|{\"message\":\"Internal Server Error\"}|"

static void answers_over_http(void **state) {
    static const struct {
        latch_outcome outcome;
        const char *text, *answer;
    } rows[] = {
        {LATCH_ANSWERED, "{\"statusCode\":201,\"headers\":{\"Content-Type\":\"a/b\",\"X\":1,\"Y\":true},\"body\":\"hi\"}",
         "201 Content-Type=a/b X=1 Y=true|hi"},
        {LATCH_ANSWERED, "{\"statusCode\":\"204\"}", "204 Content-Type=text/plain;charset=UTF-8|"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"cookies\":[\"a=1\",\"b=2\"],\"body\":\"aGk=\",\"isBase64Encoded\":true}",
         "200 Set-Cookie=a=1 Set-Cookie=b=2 Content-Type=text/plain;charset=UTF-8|hi"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"headers\":{\"content-length\":\"99\",\"Connection\":\"close\"},\"body\":null}",
         "200 Content-Type=text/plain;charset=UTF-8|"},
        {LATCH_ANSWERED, "{\"a\": 1}", "200 Content-Type=application/json|{\"a\": 1}"},
        {LATCH_ANSWERED, "\"Hello\"", "200 Content-Type=application/json|Hello"},
        {LATCH_ANSWERED, "[1]", "200 Content-Type=application/json|[1]"},
        {LATCH_ANSWERED, "null", "200 Content-Type=application/json|null"},
        {LATCH_ANSWERED, "", BAD "the answer is no JSON"},
        {LATCH_ANSWERED, "{", BAD "the answer is no JSON"},
        {LATCH_ANSWERED, "{\"statusCode\":\"ok\"}", BAD "the answer's statusCode is none from 200 to 599"},
        {LATCH_ANSWERED, "{\"statusCode\":100}", BAD "the answer's statusCode is none from 200 to 599"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"body\":{}}", BAD "the answer's body is no string"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"body\":\"*\",\"isBase64Encoded\":true}", BAD "the answer's body is no base64"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"headers\":[]}", BAD "the answer's headers are no object"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"headers\":{\"a\":\"b\\r\\nc: d\"}}", BAD "the answer's header \"a\" can't be sent"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"headers\":{\"a b\":\"c\"}}", BAD "the answer's header \"a b\" can't be sent"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"headers\":{\"a\":null}}", BAD "the answer's header \"a\" can't be sent"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"cookies\":\"a=1\"}", BAD "the answer's cookies are no list"},
        {LATCH_ANSWERED, "{\"statusCode\":200,\"cookies\":[1]}", BAD "one of the answer's cookies can't be sent"},
        {LATCH_FAILED, "{\"errorType\":\"T\",\"errorMessage\":\"m\"}", BAD "T: m"},
        {LATCH_EXITED, "{\"errorType\":\"T\",\"errorMessage\":\"m\"}", BAD "T: m"},
        {LATCH_TIMED_OUT, "{\"errorMessage\":\"late\"}",
         "504 Content-Type=application/json|{\"message\":\"Endpoint request timed out\"}|late"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *answer = answer_to(rows[i].outcome, rows[i].text, LATCH_AT_API);
        assert_string_equal(answer, rows[i].answer);
        free(answer);
    }
    char *answer = answer_to(LATCH_ANSWERED, "{\"statusCode\":200}", LATCH_AT_URL);
    assert_string_equal(answer, "200 Content-Type=application/json|");
    free(answer);
}

/* What isn't streamed is sent as it is, by a function URL that streams. */
static void answers_of_a_url_that_streams(void **state) {
    static const struct {
        latch_outcome outcome;
        const char *text, *answer;
    } rows[] = {
        {LATCH_ANSWERED, "{\"a\": 1}", "200 Content-Type=application/octet-stream|{\"a\": 1}"},
        {LATCH_ANSWERED, "no JSON", "200 Content-Type=application/octet-stream|no JSON"},
        {LATCH_ANSWERED, "{\"statusCode\":404}",
         "200 Content-Type=application/octet-stream|{\"statusCode\":404}|with InvokeMode: RESPONSE_STREAM an answer that isn't streamed is "
         "sent as "
         "it is: its statusCode is no status"},
        {LATCH_FAILED, "{\"errorType\":\"T\",\"errorMessage\":\"m\"}", BAD "T: m"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *answer = answer_to(rows[i].outcome, rows[i].text, LATCH_AT_STREAM_URL);
        assert_string_equal(answer, rows[i].answer);
        free(answer);
    }
}

/* ── codings ── */

static void decodes_urls(void **state) {
    static const struct {
        const char *sent;
        bool plus;
        const char *text;
    } rows[] = {{"a%20b", false, "a b"}, {"a+b", true, "a b"},    {"a+b", false, "a+b"}, {"%", false, "%"},    {"%2", false, "%2"},
                {"%zz", false, "%zz"},   {"%41%4a", false, "AJ"}, {"", false, ""},       {"%%41", false, "%A"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_buffer out = {0};
        latch_url_decode(&out, latch_str_of(rows[i].sent), rows[i].plus);
        assert_true(latch_str_eq(latch_buffer_str(&out), latch_str_of(rows[i].text)));
        latch_buffer_clean_up(&out);
    }
}

static void codes_base64(void **state) {
    const struct {
        latch_str bytes;
        const char *text;
    } rows[] = {{LATCH_STR(""), ""},
                {LATCH_STR("f"), "Zg=="},
                {LATCH_STR("fo"), "Zm8="},
                {LATCH_STR("foo"), "Zm9v"},
                {LATCH_STR("\xff\0\xfe"), "/wD+"}};
    static const char *const bad[] = {"a", "ab*c", "Zg=a", "====", "Zm9v\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_buffer text = {0}, bytes = {0};
        latch_base64_put(&text, rows[i].bytes);
        assert_string_equal(text.ptr, rows[i].text);
        assert_true(latch_base64_take(&bytes, latch_buffer_str(&text)));
        assert_true(latch_str_eq(latch_buffer_str(&bytes), rows[i].bytes));
        latch_buffer_clean_up(&text);
        latch_buffer_clean_up(&bytes);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        latch_buffer bytes = {0};
        assert_false(latch_base64_take(&bytes, latch_str_of(bad[i])));
        latch_buffer_clean_up(&bytes);
    }
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(finds_the_most_specific_route),
    ROW(finds_no_route),
    ROW(makes_the_http_apis_event),
    ROW(makes_a_function_urls_event),
    ROW(sends_bodies_as_text_or_base64),
    ROW(answers_over_http),
    ROW(answers_of_a_url_that_streams),
    ROW(decodes_urls),
    ROW(codes_base64),
};

CHECK_MAIN(tests)

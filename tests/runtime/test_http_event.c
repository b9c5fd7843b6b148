#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/err.h"
#include "runtime/api.h"
#include "runtime/http_event.h"
#include "tests/runtime/call.h"

static int set_up(void **state) { return call_set_up(state, (size_t)48 << 20); }

/* ── the four forms ──────────────────────────────────────────────────────────────────────────────────────────────── */

#define V2(method, path, rest)                                                                                                             \
    "{\"version\":\"2.0\",\"rawPath\":\"" path "\",\"requestContext\":{\"stage\":\"$default\",\"http\":{\"method\":\"" method              \
    "\",\"sourceIp\":\"203.0.113.7\"}}" rest "}"
#define V1(method, path, rest)                                                                                                             \
    "{\"resource\":\"/{proxy+}\",\"path\":\"" path "\",\"httpMethod\":\"" method                                                           \
    "\",\"requestContext\":{\"stage\":\"prod\",\"path\":\"/prod" path "\",\"identity\":{\"sourceIp\":\"203.0.113.7\"}}" rest "}"
#define ALB(method, path, rest)                                                                                                            \
    "{\"requestContext\":{\"elb\":{\"targetGroupArn\":\"arn\"}},\"httpMethod\":\"" method "\",\"path\":\"" path "\"" rest "}"

/* Says all that it was asked, in a reply that is easy to compare. */
static latch_status tell(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200,
                            latch_object(cx, "method", latch_http_method(http), "path", latch_http_path(http), "a",
                                         latch_http_header(http, "X-A"), "q", latch_http_query(http, "q"), "c",
                                         latch_http_cookie(http, "c"), "ip", latch_http_client(http), "p", latch_http_param(http, "p"),
                                         "body", latch_http_body(http)));
}

/* The body of the last reply, its quotes unescaped. */
static const char *told(void) {
    static char body[8192];
    const char *at = strstr(call.reply, ",\"body\":\"");
    size_t n = 0;
    if (at == NULL) return "";
    for (at += strlen(",\"body\":\""); *at != '\0' && *at != '"'; at++) {
        if (*at == '\\') at++;
        if (n + 1 < sizeof body) body[n++] = *at;
    }
    body[n] = '\0';
    return body;
}

static void reads_the_four_forms_as_one(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {V2("GET", "/a/b",
            ",\"rawQueryString\":\"q=1&z\",\"headers\":{\"x-a\":\"v\"},\"cookies\":[\"b=0\",\"c=2\"],\"body\":\"hi\","
            "\"isBase64Encoded\":false,\"pathParameters\":{\"p\":\"b\"}"),
         "{\"method\":\"GET\",\"path\":\"/a/b\",\"a\":\"v\",\"q\":\"1\",\"c\":\"2\",\"ip\":\"203.0.113.7\",\"p\":\"b\",\"body\":\"hi\"}"},
        {V1("GET", "/a/b",
            ",\"queryStringParameters\":{\"q\":\"1\"},\"headers\":{\"X-A\":\"v\",\"Cookie\":\"b=0; c=2\"},\"body\":\"hi\","
            "\"pathParameters\":{\"p\":\"b\"}"),
         "{\"method\":\"GET\",\"path\":\"/a/b\",\"a\":\"v\",\"q\":\"1\",\"c\":\"2\",\"ip\":\"203.0.113.7\",\"p\":\"b\",\"body\":\"hi\"}"},
        {ALB("GET", "/a/b",
             ",\"queryStringParameters\":{\"q\":\"1\"},\"headers\":{\"x-a\":\"v\",\"cookie\":\"b=0; c=2\","
             "\"x-forwarded-for\":\"1.2.3.4, 203.0.113.7\"},\"body\":\"aGk=\",\"isBase64Encoded\":true"),
         "{\"method\":\"GET\",\"path\":\"/a/b\",\"a\":\"v\",\"q\":\"1\",\"c\":\"2\",\"ip\":\"203.0.113.7\",\"p\":\"\",\"body\":\"hi\"}"},
        {ALB("GET", "/a/b",
             ",\"multiValueQueryStringParameters\":{\"q\":[\"1\",\"2\"]},\"multiValueHeaders\":{\"x-a\":[\"v\"],"
             "\"cookie\":[\"b=0\",\"c=2\"],\"x-forwarded-for\":[\"203.0.113.7\"]},\"body\":\"hi\""),
         "{\"method\":\"GET\",\"path\":\"/a/b\",\"a\":\"v\",\"q\":\"1\",\"c\":\"2\",\"ip\":\"203.0.113.7\",\"p\":\"\",\"body\":\"hi\"}"},
        {V2("GET", "", ""),
         "{\"method\":\"GET\",\"path\":\"/\",\"a\":\"\",\"q\":\"\",\"c\":\"\",\"ip\":\"203.0.113.7\",\"p\":\"\",\"body\":\"\"}"},
        {V1("GET", "/", ",\"headers\":null,\"multiValueHeaders\":null,\"queryStringParameters\":null,\"body\":null"),
         "{\"method\":\"GET\",\"path\":\"/\",\"a\":\"\",\"q\":\"\",\"c\":\"\",\"ip\":\"203.0.113.7\",\"p\":\"\",\"body\":\"\"}"},
        {ALB("GET", "/", ""), "{\"method\":\"GET\",\"path\":\"/\",\"a\":\"\",\"q\":\"\",\"c\":\"\",\"ip\":\"\",\"p\":\"\",\"body\":\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = tell}, rows[i].event), LATCH_OK);
        assert_string_equal(told(), rows[i].says);
    }
}

static latch_status path_only(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply_bytes(http, 200, "text/plain", latch_http_path(http));
}

static void strips_the_stage_where_it_stands_in_front(void **state) {
#define STAGED(version, stage, raw)                                                                                                        \
    "{\"version\":\"" version "\",\"rawPath\":\"" raw "\",\"path\":\"" raw                                                                 \
    "\",\"httpMethod\":\"GET\",\"requestContext\":{\"stage\":\"" stage "\""                                                                \
    ",\"http\":{\"method\":\"GET\"}}}"
#define REST_STAGED(version, stage, raw)                                                                                                   \
    "{" version "\"path\":\"" raw "\",\"httpMethod\":\"GET\",\"requestContext\":{\"stage\":\"" stage "\"}}"
    static const struct {
        const char *event, *path;
    } rows[] = {
        {STAGED("2.0", "$default", "/a"), "/a"},
        {STAGED("2.0", "prod", "/prod/a"), "/a"},
        {STAGED("2.0", "prod", "/prod"), "/"},
        {STAGED("2.0", "prod", "/prod/"), "/"},
        {STAGED("2.0", "prod", "/production/a"), "/production/a"},
        {STAGED("2.0", "prod", "/a"), "/a"},
        {STAGED("2.0", "", "/a"), "/a"},
        {REST_STAGED("", "prod", "/prod/a"), "/prod/a"},
        {REST_STAGED("", "prod", "/a"), "/a"},
        {REST_STAGED("\"version\":\"1.0\",", "prod", "/prod/a"), "/a"},
        {REST_STAGED("\"version\":\"1.0\",", "$default", "/a"), "/a"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = path_only}, rows[i].event), LATCH_OK);
        assert_string_equal(told(), rows[i].path);
    }
}

static latch_status header_only(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply_bytes(http, 200, "text/plain", latch_http_header(http, "x-THING"));
}

static void finds_headers_without_case_and_joins_their_values(void **state) {
    static const struct {
        const char *event, *value;
    } rows[] = {
        {V2("GET", "/", ",\"headers\":{\"x-thing\":\"a,b\"}"), "a,b"},
        {V1("GET", "/", ",\"headers\":{\"X-Thing\":\"b\"},\"multiValueHeaders\":{\"X-Thing\":[\"a\",\"b\"]}"), "a, b"},
        {V1("GET", "/", ",\"headers\":{\"X-THING\":\"b\"},\"multiValueHeaders\":null"), "b"},
        {V1("GET", "/", ",\"headers\":{\"X-Thing\":\"b\"},\"multiValueHeaders\":{\"Other\":[\"a\"]}"), "b"},
        {ALB("GET", "/", ",\"multiValueHeaders\":{\"x-thing\":[\"a\",\"b\",\"c\"]}"), "a, b, c"},
        {ALB("GET", "/", ",\"headers\":{\"x-thing\":\"a\"}"), "a"},
        {V2("GET", "/", ",\"headers\":{\"x-thin\":\"a\",\"x-things\":\"b\"}"), ""},
        {V2("GET", "/", ",\"headers\":{\"x-thing\":7}"), ""},
        {V1("GET", "/", ",\"multiValueHeaders\":{\"x-thing\":[]}"), ""},
        {V1("GET", "/", ",\"multiValueHeaders\":{\"x-thing\":\"no list\"}"), ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = header_only}, rows[i].event), LATCH_OK);
        assert_string_equal(told(), rows[i].value);
    }
}

static latch_status cookies_only(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200,
                            latch_object(cx, "all", latch_http_header(http, "Cookie"), "a", latch_http_cookie(http, "a"), "ab",
                                         latch_http_cookie(http, "ab"), "A", latch_http_cookie(http, "A")));
}

static void finds_cookies_wherever_they_are(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {V2("GET", "/", ",\"cookies\":[\"a=1\",\"ab=2=3\"]"), "{\"all\":\"a=1; ab=2=3\",\"a\":\"1\",\"ab\":\"2=3\",\"A\":\"\"}"},
        {V2("GET", "/", ",\"headers\":{\"cookie\":\"ab=2;a=1\"}"), "{\"all\":\"ab=2;a=1\",\"a\":\"1\",\"ab\":\"2\",\"A\":\"\"}"},
        {V1("GET", "/", ",\"multiValueHeaders\":{\"Cookie\":[\"a=1\",\"ab=2\"]}"),
         "{\"all\":\"a=1; ab=2\",\"a\":\"1\",\"ab\":\"2\",\"A\":\"\"}"},
        {ALB("GET", "/", ",\"headers\":{\"cookie\":\"a=1; a=2;  ab=\"}"),
         "{\"all\":\"a=1; a=2;  ab=\",\"a\":\"1\",\"ab\":\"\",\"A\":\"\"}"},
        {V2("GET", "/", ",\"cookies\":[\"a\",\";\",\"=\",\"\"]"), "{\"all\":\"a; ;; =; \",\"a\":\"\",\"ab\":\"\",\"A\":\"\"}"},
        {V2("GET", "/", ",\"cookies\":[]"), "{\"all\":\"\",\"a\":\"\",\"ab\":\"\",\"A\":\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = cookies_only}, rows[i].event), LATCH_OK);
        assert_string_equal(told(), rows[i].says);
    }
}

static size_t arena_taken;

static latch_status cookie_cost(latch_ctx *cx, latch_http *http) {
    arena_taken = latch_arena_mark(cx->arena);
    latch_str z = latch_http_cookie(http, "zz"), all = latch_http_header(http, "cookie");
    arena_taken = latch_arena_mark(cx->arena) - arena_taken;
    return latch_http_reply(http, 200, latch_object(cx, "zz", z, "bytes", all.len, "x", latch_http_header(http, "x").len));
}

/* 4,001 cookies, then as many values of a header: joined once, whoever asks how often. */
static void joins_many_values_at_the_price_of_their_bytes(void **state) {
    static const struct {
        const char *before, *after, *says;
    } rows[] = {
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"cookies\":[", "]}", "{\"zz\":\"1\",\"bytes\":12004,\"x\":0}"},
        {"{\"requestContext\":{},\"httpMethod\":\"GET\",\"multiValueHeaders\":{\"Cookie\":[", "]}}",
         "{\"zz\":\"1\",\"bytes\":12004,\"x\":0}"},
        {"{\"requestContext\":{\"elb\":{}},\"httpMethod\":\"GET\",\"multiValueHeaders\":{\"x\":[", "]}}",
         "{\"zz\":\"\",\"bytes\":0,\"x\":12004}"},
    };
    char event[32768];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n = (size_t)snprintf(event, sizeof event, "%s", rows[i].before);
        for (int k = 0; k < 4000; k++)
            n += (size_t)snprintf(event + n, sizeof event - n, "\"a\",");
        snprintf(event + n, sizeof event - n, "\"zz=1\"%s", rows[i].after);
        assert_int_equal(caller_say(&call, (latch_handler){.http = cookie_cost}, event), LATCH_OK);
        assert_string_equal(told(), rows[i].says);
        assert_int_equal(arena_taken, 0);
        assert_in_range(call.arena.used, 1, 16 * strlen(event)); /* yyjson's own values, 16 bytes each, included */
    }
}

static bool ran, spends;
static latch_str seen_header, seen_cookie, seen_query;

static latch_status look_at_all(latch_ctx *cx, latch_http *http) {
    ran = true;
    while (spends && latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    seen_header = latch_http_header(http, "x");
    seen_cookie = latch_http_cookie(http, "c");
    seen_query = latch_http_query(http, "q");
    return latch_http_reply_bytes(http, 200, "", LATCH_STR("ok"));
}

/* What is there and doesn't fit is never absent: the event fails, for headers before the handler runs. */
static void tells_a_full_arena_from_an_absent_value(void **state) {
    static const char *const events[] = {
        ALB("GET", "/",
            ",\"multiValueHeaders\":{\"x\":[\"%s\",\"b\"],\"cookie\":[\"a=1\",\"c=2\"]},"
            "\"multiValueQueryStringParameters\":{\"q\":[\"%%41%s\"]}"),
        V2("GET", "/", ",\"headers\":{\"x\":\"%s\"},\"cookies\":[\"a=1\",\"c=2\"],\"rawQueryString\":\"q=%%41%s\""),
    };
    char big[601], event[2048];
    (void)state;
    memset(big, 'x', 600);
    big[600] = '\0';
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        size_t before = 0;
        latch_status status;
        const char *format = events[i];
        size_t n = 0; /* the two %s become big, %% one % */
        for (; *format != '\0'; format++) {
            if (*format != '%') {
                event[n++] = *format;
                continue;
            }
            format++;
            if (*format == '%') event[n++] = '%';
            if (*format == 's') memcpy(event + n, big, 600), n += 600;
        }
        event[n] = '\0';
        for (size_t bytes = 512; bytes < 16384; bytes += 16) {
            latch_arena_clean_up(&call.arena);
            latch_arena_init(&call.arena, call.memory, bytes);
            ran = false;
            status = caller_say(&call, (latch_handler){.http = look_at_all}, event);
            before += !ran;
            if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
            if (ran) assert_int_equal(seen_header.len, i == 0 ? 603 : 600);
            if (ran) assert_int_equal(seen_cookie.len, 1);
            if (status == LATCH_OK) assert_int_equal(seen_query.len, 601);
        }
        assert_int_equal(status, LATCH_OK);
        assert_true(before > 20);
        spends = true;
        assert_int_equal(caller_say(&call, (latch_handler){.http = look_at_all}, event), LATCH_E_NOMEM);
        assert_true(ran && seen_header.len >= 600 && seen_cookie.len == 1 && seen_query.len == 0);
        spends = false;
    }
}

static latch_status query_only(latch_ctx *cx, latch_http *http) {
    return latch_http_reply(http, 200,
                            latch_object(cx, "n", latch_http_query_count(http, "q"), "0", latch_http_query(http, "q"), "1",
                                         latch_http_query_at(http, "q", 1), "9", latch_http_query_at(http, "q", 9), "u",
                                         latch_http_query(http, "\xC3\xBC")));
}

static void decodes_queries_by_the_rules_of_each_form(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {V2("GET", "/", ",\"rawQueryString\":\"q=a+b%20c&q=%2B&x=1\",\"queryStringParameters\":{\"q\":\"a b c,+\"}"),
         "{\"n\":2,\"0\":\"a b c\",\"1\":\"+\",\"9\":\"\",\"u\":\"\"}"},
        {V2("GET", "/", ",\"rawQueryString\":\"q&&q=&=x&%71=3\""), "{\"n\":3,\"0\":\"\",\"1\":\"\",\"9\":\"\",\"u\":\"\"}"},
        {V2("GET", "/", ",\"rawQueryString\":\"%C3%BC=%zz%4\""), "{\"n\":0,\"0\":\"\",\"1\":\"\",\"9\":\"\",\"u\":\"%zz%4\"}"},
        {V2("GET", "/", ",\"rawQueryString\":\"\",\"queryStringParameters\":{\"q\":\"a,b\"}"),
         "{\"n\":1,\"0\":\"a,b\",\"1\":\"\",\"9\":\"\",\"u\":\"\"}"},
        {V1("GET", "/", ",\"queryStringParameters\":{\"q\":\"b\"},\"multiValueQueryStringParameters\":{\"q\":[\"a+%20\",\"b\"]}"),
         "{\"n\":2,\"0\":\"a+%20\",\"1\":\"b\",\"9\":\"\",\"u\":\"\"}"},
        {V1("GET", "/", ",\"queryStringParameters\":{\"q\":\"b%20\"},\"multiValueQueryStringParameters\":null"),
         "{\"n\":1,\"0\":\"b%20\",\"1\":\"\",\"9\":\"\",\"u\":\"\"}"},
        {ALB("GET", "/", ",\"queryStringParameters\":{\"q\":\"a+b%20c\",\"%C3%BC\":\"1\"}"),
         "{\"n\":1,\"0\":\"a b c\",\"1\":\"\",\"9\":\"\",\"u\":\"1\"}"},
        {ALB("GET", "/", ",\"multiValueQueryStringParameters\":{\"q\":[\"%61\",\"b\"]}"),
         "{\"n\":2,\"0\":\"a\",\"1\":\"b\",\"9\":\"\",\"u\":\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = query_only}, rows[i].event), LATCH_OK);
        assert_string_equal(told(), rows[i].says);
    }
}

static void names_the_field_of_an_event_that_is_none(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {"", "event: is empty, want JSON"},
        {"nope", "event: is not JSON"},
        {"{\"a\":1", "event: is not JSON"},
        {"{}", "event.requestContext: is missing, want an object"},
        {"[]", "event.requestContext: is missing"},
        {"\"text\"", "event.requestContext: is missing"},
        {"null", "event.requestContext: is missing"},
        {"1e999999", "event"},
        {"{\"Records\":[]}", "event.requestContext: is missing"},
        {"{\"requestContext\":1}", "event.requestContext: is 1, want an object"},
        {"{\"requestContext\":{\"http\":{}}}", "event.requestContext.http.method: is missing, want text"},
        {"{\"requestContext\":{\"http\":{\"method\":7}}}", "event.requestContext.http.method: is 7, want text"},
        {"{\"requestContext\":{\"http\":{\"method\":\"\"}}}", "event.requestContext.http.method: is \"\", want text"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"rawPath\":[]}", "event.rawPath: is [], want text"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"headers\":\"x\"}", "event.headers: is \"x\", want an object"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"body\":{}}", "event.body: is {}, want text"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"isBase64Encoded\":\"true\"}",
         "event.isBase64Encoded: is \"true\", want true or false"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"body\":\"a!b=\",\"isBase64Encoded\":true}", "event.body: is no base64"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"body\":\"abc\",\"isBase64Encoded\":true}", "event.body: is no base64"},
        {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"cookies\":\"c\"}",
         "event.cookies: is *** (1 byte), want an object or a list"},
        {"{\"requestContext\":{},\"path\":\"/\"}", "event.httpMethod: is missing, want text"},
        {"{\"requestContext\":{},\"httpMethod\":\"GET\",\"path\":5}", "event.path: is 5, want text"},
        {"{\"requestContext\":{\"elb\":{}},\"path\":\"/\"}", "event.httpMethod: is missing, want text"},
        {"{\"version\":2.0,\"requestContext\":{}}", "event.version: is 2.0, want text"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = tell}, rows[i].event), LATCH_E_INPUT);
        if (strncmp(call.cx.err.message, rows[i].says, strlen(rows[i].says)) != 0) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
}

/* What an attacker sends in place of an event, of any size. */
static void survives_hostile_events(void **state) {
    size_t most = (size_t)6 << 20;
    char *text = malloc(most);
    (void)state;
    assert_non_null(text);
    memset(text, '[', 10000);
    assert_int_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, 10000}), LATCH_E_INPUT);
    assert_non_null(strstr(call.cx.err.message, "nested over"));
    memset(text, '[', most);
    assert_int_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, most}), LATCH_E_INPUT);
    for (size_t i = 0; i + 5 <= most; i += 5)
        memcpy(text + i, "{\"\":[", 5);
    assert_int_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, most}), LATCH_E_INPUT);
    memset(text, 0, most);
    assert_int_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, most}), LATCH_E_INPUT);
    memset(text, 0xFF, most);
    assert_int_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, most}), LATCH_E_INPUT);
    memset(text, '9', most);
    assert_int_not_equal(caller_call(&call, (latch_handler){.http = tell}, (latch_str){text, most}), LATCH_OK);
    free(text);
}

static latch_status echo_body(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply_bytes(http, 200, "application/octet-stream", latch_http_body(http));
}

static void carries_large_and_binary_bodies(void **state) {
    static const char prefix[] = "{\"requestContext\":{\"http\":{\"method\":\"POST\"}},\"body\":\"";
    size_t most = (size_t)5 << 20, n = strlen(prefix);
    char *text = malloc(most + 256);
    (void)state;
    assert_non_null(text);
    memcpy(text, prefix, n);
    memset(text + n, 'x', most);
    memcpy(text + n + most, "\"}", 2);
    assert_int_equal(caller_call(&call, (latch_handler){.http = echo_body}, (latch_str){text, n + most + 2}), LATCH_OK);
    assert_true(call.whole.len > most);
    free(text);
    assert_int_equal(
        caller_say(&call, (latch_handler){.http = echo_body}, V2("POST", "/", ",\"isBase64Encoded\":true,\"body\":\"AAH/gA==\"")),
        LATCH_OK);
    assert_string_equal(call.reply, "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"body\":\"AAH/gA==\","
                                    "\"isBase64Encoded\":true}");
    assert_int_equal(caller_say(&call, (latch_handler){.http = echo_body}, V2("POST", "/", ",\"body\":\"a\\u0000b\"")), LATCH_OK);
    assert_non_null(strstr(call.reply, "\"body\":\"a\\u0000b\",\"isBase64Encoded\":false"));
}

static latch_status reply_binary(latch_ctx *cx, latch_http *http) {
    char *bytes = latch_arena_alloc(cx->arena, 1000);
    if (bytes == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "full");
    memset(bytes, 0xFF, 1000);
    return latch_http_reply_bytes(http, 200, "image/png", (latch_str){bytes, 1000});
}

/* Never an empty 200 for a picture that base64 had no room for. */
static void sends_a_binary_body_whole_or_not_at_all(void **state) {
    size_t refused = 0, sent = 0;
    (void)state;
    for (size_t bytes = 512; bytes < 16384; bytes += 32) {
        latch_arena_clean_up(&call.arena);
        latch_arena_init(&call.arena, call.memory, bytes);
        latch_status status = caller_say(&call, (latch_handler){.http = reply_binary}, V2("GET", "/", ""));
        refused += status != LATCH_OK, sent += status == LATCH_OK;
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        if (status == LATCH_OK) assert_true(strlen(told()) == 1336 && strstr(call.reply, "\"isBase64Encoded\":true") != NULL);
    }
    assert_true(refused > 20 && sent > 20);
}

/* ── replies ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status decorate(latch_ctx *cx, latch_http *http) {
    latch_http_set_header(http, "X-One", LATCH_STR("1"));
    latch_http_set_header(http, "x-one", LATCH_STR("2"));
    latch_http_set_cookie(http, LATCH_STR("a=1; Secure"));
    return latch_http_reply(http, 201, latch_object(cx, "ok", latch_bool(true)));
}

static void replies_in_the_form_of_the_event(void **state) {
    static const struct {
        const char *event, *reply;
    } rows[] = {
        {V2("GET", "/", ""),
         "{\"statusCode\":201,\"headers\":{\"content-type\":\"application/json\",\"x-one\":\"2\"},\"cookies\":[\"a=1; Secure\"],"
         "\"body\":\"{\\\"ok\\\":true}\",\"isBase64Encoded\":false}"},
        {V1("GET", "/", ""), "{\"statusCode\":201,\"multiValueHeaders\":{\"content-type\":[\"application/json\"],\"x-one\":[\"2\"],"
                             "\"set-cookie\":[\"a=1; Secure\"]},\"body\":\"{\\\"ok\\\":true}\",\"isBase64Encoded\":false}"},
        {ALB("GET", "/", ",\"headers\":{}"), "{\"statusCode\":201,\"statusDescription\":\"201 Created\",\"headers\":{\"content-type\":"
                                             "\"application/json\",\"x-one\":\"2\",\"set-cookie\":\"a=1; Secure\"},"
                                             "\"body\":\"{\\\"ok\\\":true}\",\"isBase64Encoded\":false}"},
        {ALB("GET", "/", ",\"multiValueHeaders\":{}"),
         "{\"statusCode\":201,\"statusDescription\":\"201 Created\",\"multiValueHeaders\":{"
         "\"content-type\":[\"application/json\"],\"x-one\":[\"2\"],\"set-cookie\":[\"a=1; Secure\"]},"
         "\"body\":\"{\\\"ok\\\":true}\",\"isBase64Encoded\":false}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = decorate}, rows[i].event), LATCH_OK);
        assert_string_equal(call.reply, rows[i].reply);
    }
}

static latch_status own_type(latch_ctx *cx, latch_http *http) {
    (void)cx;
    latch_http_set_header(http, "Content-Type", LATCH_STR("text/html; charset=utf-8"));
    latch_http_set_header(http, "Set-Cookie", LATCH_STR("a=1"));
    LATCH_TRY(latch_http_refuse(http, 400, "replaced"));
    return latch_http_reply_bytes(http, 299, "text/plain", LATCH_STR("<p>"));
}

static void takes_the_last_reply_and_the_authors_content_type(void **state) {
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.http = own_type}, V2("GET", "/", "")), LATCH_OK);
    assert_string_equal(call.reply, "{\"statusCode\":299,\"headers\":{\"Content-Type\":\"text/html; charset=utf-8\"},\"cookies\":[\"a=1\"],"
                                    "\"body\":\"<p>\",\"isBase64Encoded\":false}");
    assert_int_equal(caller_say(&call, (latch_handler){.http = own_type}, ALB("GET", "/", "")), LATCH_OK);
    assert_non_null(strstr(call.reply, "\"statusDescription\":\"299 Status\""));
}

static const char *name, *value;
static int reply_status, times;
static bool cookies;

static latch_status set_and_reply(latch_ctx *cx, latch_http *http) {
    for (int i = 0; i < times; i++) {
        latch_str number = latch_ctx_text(cx, "%s%d", name, i);
        if (cookies) latch_http_set_cookie(http, latch_str_of(value));
        if (!cookies) latch_http_set_header(http, times > 1 ? number.ptr : name, latch_str_of(value));
    }
    return latch_http_reply(http, reply_status, LATCH_NULL);
}

static void refuses_replies_that_can_not_go_out(void **state) {
    static const struct {
        const char *name, *value;
        int times, reply_status;
        bool cookies, balancer;
        const char *says;
    } rows[] = {
        {"x", "y", 1, 99, false, false, "the reply's status is 99, want 100 to 599"},
        {"x", "y", 1, 600, false, false, "the reply's status is 600"},
        {"x", "y", 1, 0, false, false, "the reply's status is 0"},
        {"x", "y", 1, -200, false, false, "the reply's status is -200"},
        {"x", "a\r\nb", 1, 200, false, false, "the header \"x\" has a control byte"},
        {"x", "a\nb", 1, 200, false, false, "the header \"x\" has a control byte"},
        {"x", "a\x7F", 1, 200, false, false, "the header \"x\" has a control byte"},
        {"x", "\xFF", 1, 200, false, false, "the header \"x\" has a value that is no UTF-8"},
        {"a b", "y", 1, 200, false, false, "the header \"a b\" has a name that is no token"},
        {"", "y", 1, 200, false, false, "the header \"\" has a name that is no token"},
        {"a:", "y", 1, 200, false, false, "the header \"a:\" has a name that is no token"},
        {"x\r\ny", "y", 1, 200, false, false, "the header"},
        {"x", "y", 65, 200, false, false, "is one more than the 64"},
        {"x", "a\r\nb", 1, 200, true, false, "the header \"set-cookie\" has a control byte"},
        {"x", "a=1", 2, 200, true, true, "a load balancer takes a second cookie only with"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        name = rows[i].name, value = rows[i].value, times = rows[i].times, reply_status = rows[i].reply_status, cookies = rows[i].cookies;
        const char *event = rows[i].balancer ? ALB("GET", "/", "") : V2("GET", "/", "");
        assert_int_equal(caller_say(&call, (latch_handler){.http = set_and_reply}, event), LATCH_E_MISUSE);
        if (strstr(call.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
    name = "x", value = "y\tz", times = 64, reply_status = 200, cookies = false;
    assert_int_equal(caller_say(&call, (latch_handler){.http = set_and_reply}, V2("GET", "/", "")), LATCH_OK);
}

static latch_status set_late(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(latch_http_reply(http, 200, latch_object(cx, "ok", latch_bool(true))));
    latch_http_set_header(http, "x", LATCH_STR("a\nb"));
    return LATCH_OK;
}

static latch_status set_late_cookie(latch_ctx *cx, latch_http *http) {
    latch_http_set_cookie(http, LATCH_STR("a=1"));
    LATCH_TRY(latch_http_reply(http, 200, latch_object(cx, "ok", latch_bool(true))));
    latch_http_set_cookie(http, LATCH_STR("b=2"));
    return LATCH_OK;
}

static void refuses_a_bad_header_set_behind_the_reply(void **state) {
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.http = set_late_cookie}, ALB("GET", "/", ",\"headers\":{}")), LATCH_E_MISUSE);
    assert_non_null(strstr(call.cx.err.message, "a load balancer takes a second cookie only with lambda.multi_value_headers.enabled"));
    assert_int_equal(caller_say(&call, (latch_handler){.http = set_late_cookie}, ALB("GET", "/", ",\"multiValueHeaders\":{}")), LATCH_OK);
    assert_non_null(strstr(call.reply, "\"set-cookie\":[\"a=1\",\"b=2\"]"));
    assert_int_equal(caller_say(&call, (latch_handler){.http = set_late}, V2("GET", "/", "")), LATCH_E_MISUSE);
    assert_non_null(strstr(call.cx.err.message, "control byte"));
}

static size_t reply_len;

static latch_status reply_much(latch_ctx *cx, latch_http *http) {
    char *bytes = latch_arena_alloc(cx->arena, reply_len);
    if (bytes == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "full");
    memset(bytes, 'x', reply_len);
    return latch_http_reply_bytes(http, 200, "", (latch_str){bytes, reply_len});
}

static void refuses_a_reply_over_the_limit(void **state) {
    static const char around[] = "{\"statusCode\":200,\"headers\":{},\"body\":\"\",\"isBase64Encoded\":false}";
    size_t limit = LATCH_API_PAYLOAD_MAX_BYTES - strlen(around);
    (void)state;
    reply_len = limit;
    assert_int_equal(caller_say(&call, (latch_handler){.http = reply_much}, V2("GET", "/", "")), LATCH_OK);
    assert_int_equal(call.whole.len, LATCH_API_PAYLOAD_MAX_BYTES);
    reply_len = limit + 1;
    assert_int_equal(caller_say(&call, (latch_handler){.http = reply_much}, V2("GET", "/", "")), LATCH_E_HANDLER);
    assert_string_equal(call.cx.err.type, "ResponseSizeTooLarge");
    assert_string_equal(call.cx.err.message, "the response has 6291557 bytes, Lambda takes at most 6291556");
    reply_len = (size_t)20 << 20;
    assert_int_equal(caller_say(&call, (latch_handler){.http = reply_much}, V2("GET", "/", "")), LATCH_E_HANDLER);
}

/* ── from a status to an answer ──────────────────────────────────────────────────────────────────────────────────── */

static latch_status leaves;
static bool for_client;
static int64_t retry_in_ms;

static latch_status leave(latch_ctx *cx, latch_http *http) {
    (void)http;
    latch_http_set_header(http, "x-kept", LATCH_STR("1"));
    (void)latch_err_set(&cx->err, leaves, "pk#secret-key is taken");
    cx->err.for_client = for_client;
    if (retry_in_ms != 0) cx->err.retry_at_ms = CALLER_T0 + retry_in_ms;
    return leaves;
}

static void turns_statuses_into_answers(void **state) {
    static const struct {
        latch_status status;
        int http; /* 0: an invocation error */
        const char *says;
    } rows[] = {
        {LATCH_E_INPUT, 400, "bad request"},
        {LATCH_MISSING, 404, "not found"},
        {LATCH_HELD, 409, "not now"},
        {LATCH_BUSY, 409, "this is being done"},
        {LATCH_CONFLICT, 409, "not now"},
        {LATCH_SEEN, 409, "this was done"},
        {LATCH_UNDONE, 409, "this was undone"},
        {LATCH_MISMATCH, 422, "this key was used with another request"},
        {LATCH_LIMITED, 429, "too many requests"},
        {LATCH_E_HANDLER, 0, NULL},
        {LATCH_E_DATA, 0, NULL},
        {LATCH_E_MISUSE, 0, NULL},
        {LATCH_E_NOMEM, 0, NULL},
        {LATCH_E_TIMEOUT, 0, NULL},
        {LATCH_E_NETWORK, 0, NULL},
        {LATCH_E_THROTTLED, 0, NULL},
        {LATCH_E_DENIED, 0, NULL},
    };
    (void)state;
    retry_in_ms = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int shown = 0; shown < 2; shown++) {
            char expected[512], status_code[32];
            leaves = rows[i].status;
            for_client = shown == 1;
            latch_status status = caller_say(&call, (latch_handler){.http = leave}, V2("GET", "/", ""));
            assert_int_equal(status, rows[i].http != 0 ? LATCH_OK : rows[i].status);
            if (rows[i].http == 0) continue;
            snprintf(expected, sizeof expected, "{\"error\":\"%s\"}", shown == 1 ? "pk#secret-key is taken" : rows[i].says);
            snprintf(status_code, sizeof status_code, "{\"statusCode\":%d,", rows[i].http);
            assert_string_equal(told(), expected);
            assert_int_equal(strncmp(call.reply, status_code, strlen(status_code)), 0);
            assert_non_null(strstr(call.reply, "\"x-kept\":\"1\""));
            /* what the client doesn't see is in the log, and not as an error */
            assert_int_equal(strstr(call.written, "pk#secret-key is taken") != NULL, shown == 0);
            assert_null(strstr(call.written, "ERROR"));
        }
    }
}

static latch_http_fn *inner;

static latch_status as_html(latch_ctx *cx, latch_http *http) {
    latch_http_set_header(http, "Content-Type", LATCH_STR("text/html"));
    return inner(cx, http);
}
static latch_status echo_and_refuse(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_refuse(http, 400, "<img src=x onerror=alert(1)>");
}
static latch_status reply_as_usual(latch_ctx *cx, latch_http *http) { return latch_http_reply(http, 200, latch_object(cx, "a", "<b>")); }

/* A refusal may echo what the client sent: as HTML a browser would run it. */
static void refuses_as_json_whatever_the_author_set(void **state) {
    static const struct {
        latch_http_fn *inner;
        latch_status skip_if;
        const char *type;
    } rows[] = {
        {echo_and_refuse, LATCH_OK, "application/json"},
        {leave, LATCH_OK, "application/json"},
        {leave, LATCH_HELD, "application/json"},
        {reply_as_usual, LATCH_OK, "text/html"},
    };
    (void)state;
    leaves = LATCH_HELD;
    retry_in_ms = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char expected[64];
        inner = rows[i].inner;
        assert_int_equal(caller_say(&call, (latch_handler){.http = as_html, .skip_if = rows[i].skip_if}, V2("GET", "/", "")), LATCH_OK);
        snprintf(expected, sizeof expected, "ontent-%s\":\"%s\"", i < 3 ? "type" : "Type", rows[i].type);
        if (strstr(call.reply, expected) == NULL) fail_msg("row %zu: %s", i, call.reply);
        assert_int_equal(strstr(call.reply, "text/html") != NULL, i == 3);
    }
}

static void says_when_to_come_again(void **state) {
    static const struct {
        int64_t in_ms;
        const char *header;
    } rows[] = {
        {1, "\"retry-after\":\"1\""},
        {999, "\"retry-after\":\"1\""},
        {1000, "\"retry-after\":\"1\""},
        {1001, "\"retry-after\":\"2\""},
        {900000, "\"retry-after\":\"900\""},
        {-5, "\"retry-after\":\"1\""},
        {0, NULL},
    };
    (void)state;
    leaves = LATCH_LIMITED;
    for_client = false;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        retry_in_ms = rows[i].in_ms;
        assert_int_equal(caller_say(&call, (latch_handler){.http = leave}, V2("GET", "/", "")), LATCH_OK);
        if (rows[i].header != NULL) assert_non_null(strstr(call.reply, rows[i].header));
        if (rows[i].header == NULL) assert_null(strstr(call.reply, "retry-after"));
    }
}

static latch_status stray(latch_ctx *cx, latch_http *http) {
    (void)cx, (void)http;
    return (latch_status)1;
}
static latch_status forgets(latch_ctx *cx, latch_http *http) {
    (void)cx, (void)http;
    return LATCH_OK;
}
static latch_status made_up(latch_ctx *cx, latch_http *http) {
    (void)http;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "another");
    return LATCH_MISSING;
}

static void finds_statuses_that_no_call_gave(void **state) {
    static const struct {
        latch_http_fn *run;
        const char *says;
    } rows[] = {
        {stray, "the handler returned 1, which is not the status"},
        {made_up, "the handler returned 16, which is not the status"},
        {forgets, "the handler returned LATCH_OK without a reply"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = rows[i].run}, V2("GET", "/", "")), LATCH_E_MISUSE);
        assert_non_null(strstr(call.cx.err.message, rows[i].says));
    }
}

static void skips_what_the_entry_says(void **state) {
    const latch_handler handler = {.http = leave, .skip_if = LATCH_HELD};
    (void)state;
    leaves = LATCH_HELD;
    for_client = true;
    assert_int_equal(caller_say(&call, handler, V2("GET", "/", "")), LATCH_OK);
    assert_string_equal(told(), "{\"skipped\":\"pk#secret-key is taken\"}");
    for_client = false;
    assert_int_equal(caller_say(&call, handler, V2("GET", "/", "")), LATCH_OK);
    assert_string_equal(told(), "{\"skipped\":\"Held\"}");
    assert_non_null(strstr(call.written, "pk#secret-key is taken"));
    leaves = LATCH_BUSY;
    assert_int_equal(caller_say(&call, handler, V2("GET", "/", "")), LATCH_OK);
    assert_non_null(strstr(call.reply, "409"));
}

static latch_status needs(latch_ctx *cx, latch_http *http) {
    latch_str key;
    latch_json body;
    int64_t qty;
    LATCH_TRY(latch_http_need_header(http, "Idempotency-Key", &key));
    LATCH_TRY(latch_http_json(http, &body));
    LATCH_TRY(latch_read(body, "qty", latch_range(&qty, 1, 100)));
    return latch_http_reply(http, 200, latch_object(cx, "qty", qty));
}

static void tells_the_client_what_is_wrong_with_its_request(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {V2("POST", "/", ""), "{\"error\":\"the header Idempotency-Key is missing\"}"},
        {V2("POST", "/", ",\"headers\":{\"idempotency-key\":\"\"}"), "{\"error\":\"the header Idempotency-Key is missing\"}"},
        {V2("POST", "/", ",\"headers\":{\"idempotency-key\":\"k\"}"), "{\"error\":\"body: is empty, want JSON\"}"},
        {V2("POST", "/", ",\"headers\":{\"idempotency-key\":\"k\"},\"body\":\"{}\""),
         "{\"error\":\"body.qty: is missing, want a whole number from 1 to 100\"}"},
        {V2("POST", "/", ",\"headers\":{\"idempotency-key\":\"k\"},\"body\":\"{\\\"qty\\\":0}\""),
         "{\"error\":\"body.qty: is 0, want a whole number from 1 to 100\"}"},
        {V2("POST", "/", ",\"headers\":{\"idempotency-key\":\"k\"},\"body\":\"{\\\"qty\\\":1e400}\""),
         "{\"error\":\"body.qty: is 1e400, want a whole number from 1 to 100\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.http = needs}, rows[i].event), LATCH_OK);
        assert_non_null(strstr(call.reply, "\"statusCode\":400"));
        assert_string_equal(told(), rows[i].says);
    }
}

static latch_status claims(latch_ctx *cx, latch_http *http) {
    latch_str claim, missing;
    (void)cx;
    LATCH_TRY(latch_read(latch_http_context(http), "authorizer.jwt.claims.sub", &claim));
    LATCH_TRY(latch_read(latch_http_event(http), "rawPath", &missing));
    return latch_http_reply_bytes(http, 200, "text/plain", claim);
}

static void gives_the_request_context(void **state) {
    (void)state;
    assert_int_equal(
        caller_say(&call, (latch_handler){.http = claims},
                   "{\"rawPath\":\"/"
                   "\",\"requestContext\":{\"http\":{\"method\":\"GET\"},\"authorizer\":{\"jwt\":{\"claims\":{\"sub\":\"ann\"}}}}}"),
        LATCH_OK);
    assert_string_equal(told(), "ann");
    assert_int_equal(caller_say(&call, (latch_handler){.http = claims}, V2("GET", "/", "")), LATCH_OK);
    assert_string_equal(told(), "{\"error\":\"event.requestContext.authorizer.jwt.claims.sub: is missing, want text\"}");
}

/* The scope ends once, with what the client will be told, before the reply is made known. */
static latch_status ended_with;
static size_t ends;

static void note_end(latch_ctx *cx, void *arg, latch_status ended) {
    (void)cx, (void)arg;
    ended_with = ended;
    ends++;
}

static latch_status scoped(latch_ctx *cx, latch_http *http) {
    LATCH_TRY(latch_scope_add(cx, note_end, &ends));
    return inner(cx, http);
}

static void ends_the_scope_with_the_outcome(void **state) {
    static const struct {
        latch_http_fn *inner;
        latch_status ended;
    } rows[] = {{decorate, LATCH_OK},   {forgets, LATCH_E_MISUSE},  {stray, LATCH_E_MISUSE},
                {leave, LATCH_LIMITED}, {set_late, LATCH_E_MISUSE}, {reply_much, LATCH_E_HANDLER}};
    (void)state;
    leaves = LATCH_LIMITED;
    retry_in_ms = 0;
    reply_len = (size_t)7 << 20;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        inner = rows[i].inner;
        ends = 0;
        (void)!caller_say(&call, (latch_handler){.http = scoped}, V2("GET", "/", ""));
        assert_int_equal(ends, 1);
        assert_int_equal(ended_with, rows[i].ended);
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    static const char event[] =
        V1("GET", "/a", ",\"multiValueHeaders\":{\"x-a\":[\"1\",\"2\"]},\"body\":\"aGk=\",\"isBase64Encoded\":true");
    size_t refused = 0, bytes = 512;
    latch_status status;
    (void)state;
    do {
        latch_arena_clean_up(&call.arena);
        latch_arena_init(&call.arena, call.memory, bytes);
        status = caller_say(&call, (latch_handler){.http = tell}, event);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        refused += status != LATCH_OK;
        bytes += 64;
    } while (status != LATCH_OK && bytes < 65536);
    assert_int_equal(status, LATCH_OK);
    assert_in_range(refused, 20, 900);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(reads_the_four_forms_as_one),
    ROW(strips_the_stage_where_it_stands_in_front),
    ROW(finds_headers_without_case_and_joins_their_values),
    ROW(finds_cookies_wherever_they_are),
    ROW(joins_many_values_at_the_price_of_their_bytes),
    ROW(tells_a_full_arena_from_an_absent_value),
    ROW(decodes_queries_by_the_rules_of_each_form),
    ROW(names_the_field_of_an_event_that_is_none),
    ROW(survives_hostile_events),
    ROW(carries_large_and_binary_bodies),
    ROW(sends_a_binary_body_whole_or_not_at_all),
    ROW(replies_in_the_form_of_the_event),
    ROW(takes_the_last_reply_and_the_authors_content_type),
    ROW(refuses_replies_that_can_not_go_out),
    ROW(refuses_a_bad_header_set_behind_the_reply),
    ROW(refuses_a_reply_over_the_limit),
    ROW(turns_statuses_into_answers),
    ROW(refuses_as_json_whatever_the_author_set),
    ROW(says_when_to_come_again),
    ROW(finds_statuses_that_no_call_gave),
    ROW(skips_what_the_entry_says),
    ROW(tells_the_client_what_is_wrong_with_its_request),
    ROW(gives_the_request_context),
    ROW(ends_the_scope_with_the_outcome),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)

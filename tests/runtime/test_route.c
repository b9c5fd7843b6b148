#include <stdio.h>
#include <string.h>

#include "runtime/http_event.h"
#include "tests/runtime/call.h"

static int set_up(void **state) { return call_set_up(state, (size_t)1 << 20); }

/* Each says which route it is. */
#define SAYS(name)                                                                                                                         \
    static latch_status name(latch_ctx *cx, latch_http *http) {                                                                            \
        return latch_http_reply(                                                                                                           \
            http, 200, latch_object(cx, "route", #name, "sku", latch_http_param(http, "sku"), "rest", latch_http_param(http, "rest")));    \
    }
SAYS(root)
SAYS(list)
SAYS(add)
SAYS(one)
SAYS(newest)
SAYS(part)
SAYS(files)
SAYS(any)
SAYS(head_only)
SAYS(caf)

static const latch_route routes[] = {
    {"GET", "/files/{rest+}", files},
    {"GET", "/products/{sku}", one},
    {"GET", "/products/new", newest},
    {"GET", "/products/{sku}/parts/{rest}", part},
    {"GET", "/", root},
    {"GET", "/products", list},
    {"POST", "/products", add},
    {"ANY", "/any/{sku}", any},
    {"HEAD", "/any/{sku}", head_only},
    {"GET", "/caf\xC3\xA9", caf},
};
static const latch_handler shop = {LATCH_ROUTES(routes)};

static void ask(const char *method, const char *path) {
    char event[1024];
    snprintf(event, sizeof event,
             "{\"rawPath\":\"%s\",\"requestContext\":{\"domainName\":\"u.lambda-url.eu-west-1.on.aws\",\"http\":{\"method\":\"%s\"}}}",
             path, method);
    assert_int_equal(caller_say(&call, shop, event), LATCH_OK);
}

static void assert_says(const char *text) {
    if (strstr(call.reply, text) == NULL) fail_msg("\"%s\" is not in %s", text, call.reply);
}

static void finds_the_most_literal_route(void **state) {
    static const struct {
        const char *method, *path, *says;
    } rows[] = {
        {"GET", "/", "{\\\"route\\\":\\\"root\\\",\\\"sku\\\":\\\"\\\",\\\"rest\\\":\\\"\\\"}"},
        {"GET", "/products", "\\\"list\\\""},
        {"GET", "/products/", "\\\"list\\\""},
        {"POST", "/products", "\\\"add\\\""},
        {"GET", "/products/tea", "{\\\"route\\\":\\\"one\\\",\\\"sku\\\":\\\"tea\\\",\\\"rest\\\":\\\"\\\"}"},
        {"GET", "/products/tea/", "{\\\"route\\\":\\\"one\\\",\\\"sku\\\":\\\"tea\\\""},
        {"GET", "/products/new", "\\\"newest\\\""},
        {"GET", "/products/n%65w", "\\\"newest\\\""},
        {"GET", "/products/news", "\\\"one\\\""},
        {"GET", "/products/tea/parts/lid", "{\\\"route\\\":\\\"part\\\",\\\"sku\\\":\\\"tea\\\",\\\"rest\\\":\\\"lid\\\"}"},
        {"GET", "/products/a%2Fb", "\\\"sku\\\":\\\"a/b\\\""},
        {"GET", "/products/a+b%20c%C3%BC", "\\\"sku\\\":\\\"a+b c\xC3\xBC\\\""},
        {"GET", "/products/100%", "\\\"sku\\\":\\\"100%\\\""},
        {"GET", "/files/a", "\\\"rest\\\":\\\"a\\\""},
        {"GET", "/files/a/b%20c/d", "\\\"rest\\\":\\\"a/b c/d\\\""},
        {"GET", "/caf%C3%A9", "\\\"caf\\\""},
        {"GET", "/caf\xC3\xA9", "\\\"caf\\\""},
        {"DELETE", "/any/x", "\\\"any\\\""},
        {"HEAD", "/any/x", "\\\"head_only\\\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(rows[i].method, rows[i].path);
        assert_says(rows[i].says);
    }
}

/* The client asked for /products/50%2525: whoever decoded it once may not do so again. */
static void decodes_a_path_once_whoever_sent_it(void **state) {
#define HTTP_API(domain, path) "{\"version\":\"2.0\",\"rawPath\":\"" path "\",\"requestContext\":{" domain "\"http\":{\"method\":\"GET\"}}}"
#define OTHER(more, context, path) "{" more "\"httpMethod\":\"GET\",\"path\":\"" path "\",\"requestContext\":{" context "}}"
    static const struct {
        const char *event, *says;
    } rows[] = {
        {HTTP_API("\"domainName\":\"x.execute-api.eu-west-1.amazonaws.com\",", "/products/50%25"), "\\\"sku\\\":\\\"50%25\\\""},
        {HTTP_API("\"domainName\":\"shop.example.com\",", "/products/50%25"), "\\\"sku\\\":\\\"50%25\\\""},
        {HTTP_API("", "/products/50%25"), "\\\"sku\\\":\\\"50%25\\\""},
        {HTTP_API("", "/products/n%65w"), "\\\"sku\\\":\\\"n%65w\\\""},
        {HTTP_API("", "/files/a/50%25/b"), "\\\"rest\\\":\\\"a/50%25/b\\\""},
        {HTTP_API("\"domainName\":\"u.lambda-url.eu-west-1.on.aws\",", "/products/50%2525"), "\\\"sku\\\":\\\"50%25\\\""},
        {OTHER("\"version\":\"1.0\",", "", "/products/50%25"), "\\\"sku\\\":\\\"50%25\\\""},
        {OTHER("", "", "/products/50%2525"), "\\\"sku\\\":\\\"50%25\\\""},
        {OTHER("", "\"elb\":{\"targetGroupArn\":\"t\"}", "/products/50%2525"), "\\\"sku\\\":\\\"50%25\\\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, shop, rows[i].event), LATCH_OK);
        assert_says(rows[i].says);
    }
}

static latch_status path_only(latch_ctx *cx, latch_http *http) {
    (void)cx;
    return latch_http_reply_bytes(http, 200, "", latch_http_path(http));
}

static void drops_the_base_path_of_a_custom_domain(void **state) {
#define MAPPED(resource, path, values)                                                                                                     \
    "{\"resource\":\"" resource "\",\"path\":\"" path "\",\"httpMethod\":\"GET\",\"requestContext\":{},\"pathParameters\":" values "}"
    static const struct {
        const char *event, *path;
    } rows[] = {
        {MAPPED("/payment", "/v1/payment", "null"), "/payment"},
        {MAPPED("/payment", "/payment", "null"), "/payment"},
        {MAPPED("/payment", "/a/b/payment/", "null"), "/payment/"},
        {MAPPED("/pay/{id}", "/v1/pay/7", "{\"id\":\"7\"}"), "/pay/7"},
        {MAPPED("/pay/{id}", "/pay/pay/7", "{\"id\":\"7\"}"), "/pay/7"},
        {MAPPED("/pay/{id}/x", "/v1/pay/a%2Fb/x", "{\"id\":\"a%2Fb\"}"), "/pay/a%2Fb/x"},
        {MAPPED("/{proxy+}", "/v1/payment", "{\"proxy\":\"payment\"}"), "/payment"},
        {MAPPED("/{proxy+}", "/v1/a/b%20c", "{\"proxy\":\"a/b c\"}"), "/a/b%20c"},
        {MAPPED("/{proxy+}", "/payment", "{\"proxy\":\"payment\"}"), "/payment"},
        {MAPPED("/{proxy+}", "/a/b/", "{\"proxy\":\"a/b/\"}"), "/a/b/"},
        {MAPPED("/pay/{proxy+}", "/v1/pay/a/b", "{\"proxy\":\"a/b\"}"), "/pay/a/b"},
        {MAPPED("/{proxy+}", "/v1/payment", "null"), "/v1/payment"},
        {MAPPED("/{proxy+}", "/v1/payment", "{\"proxy\":\"other\"}"), "/v1/payment"},
        {MAPPED("/{proxy+}", "/a", "{\"proxy\":\"v/w/a\"}"), "/a"},
        {MAPPED("/other", "/v1/payment", "null"), "/v1/payment"},
        {MAPPED("/a/b/c", "/b/c", "null"), "/b/c"},
        {MAPPED("", "/v1/payment", "null"), "/v1/payment"},
        {MAPPED("/", "/v1", "null"), "/"},
        {MAPPED("/", "/v1/", "null"), "/"},
        {MAPPED("/", "/", "null"), "/"},
        {"{\"version\":\"1.0\",\"resource\":\"/a\",\"path\":\"/v1/a\",\"httpMethod\":\"GET\",\"requestContext\":{}}", "/v1/a"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char body[64];
        assert_int_equal(caller_say(&call, (latch_handler){.http = path_only}, rows[i].event), LATCH_OK);
        snprintf(body, sizeof body, "\"body\":\"%s\"", rows[i].path);
        if (strstr(call.reply, body) == NULL) fail_msg("row %zu: %s", i, call.reply);
    }
    assert_int_equal(caller_say(&call, shop, MAPPED("/{proxy+}", "/v1/products/tea", "{\"proxy\":\"products/tea\"}")), LATCH_OK);
    assert_says("\\\"sku\\\":\\\"tea\\\"");
}

static bool ran;
static size_t sku_len;

static latch_status measure(latch_ctx *cx, latch_http *http) {
    (void)cx;
    ran = true;
    sku_len = latch_http_param(http, "sku").len;
    return latch_http_reply_bytes(http, 200, "", LATCH_STR("ok"));
}

/* A parameter that doesn't fit is no empty one: the handler doesn't run. */
static void never_runs_with_a_parameter_that_did_not_fit(void **state) {
    static const latch_route one_route[] = {{"GET", "/p/{sku}", measure}};
    size_t refused_before = 0, bytes = 512;
    char event[3072], sku[2001];
    latch_status status;
    (void)state;
    memset(sku, 'x', 2000);
    memcpy(sku, "%41", 3);
    sku[2000] = '\0';
    snprintf(event, sizeof event, OTHER("", "", "/p/%s"), sku);
    do {
        latch_arena_clean_up(&call.arena);
        latch_arena_init(&call.arena, call.memory, bytes);
        ran = false;
        status = caller_say(&call, (latch_handler){LATCH_ROUTES(one_route)}, event);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        if (ran) assert_int_equal(sku_len, 1998);
        refused_before += !ran;
        bytes += 64;
    } while (status != LATCH_OK && bytes < 65536);
    assert_int_equal(status, LATCH_OK);
    assert_in_range(refused_before, 20, 900);
}

static void tells_an_unknown_path_from_an_unknown_method(void **state) {
    static const struct {
        const char *method, *path, *says, *allow;
    } rows[] = {
        {"GET", "/nothing", "\"statusCode\":404", NULL},
        {"GET", "/products//", "\"statusCode\":404", NULL},
        {"GET", "//", "\"statusCode\":404", NULL},
        {"GET", "/products/tea/parts", "\"statusCode\":404", NULL},
        {"GET", "/Products", "\"statusCode\":404", NULL},
        {"GET", "/files", "\"statusCode\":404", NULL},
        {"GET", "/files/", "\"statusCode\":404", NULL},
        {"get", "/products", "\"statusCode\":405", "\"allow\":\"GET, HEAD, POST\""},
        {"DELETE", "/products", "\"statusCode\":405", "\"allow\":\"GET, HEAD, POST\""},
        {"POST", "/products/new", "\"statusCode\":405", "\"allow\":\"GET, HEAD\""},
        {"OPTIONS", "/", "\"statusCode\":405", "\"allow\":\"GET, HEAD\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask(rows[i].method, rows[i].path);
        assert_says(rows[i].says);
        assert_says("\\\"error\\\":");
        if (rows[i].allow != NULL) assert_says(rows[i].allow);
        if (rows[i].allow == NULL) assert_null(strstr(call.reply, "allow"));
    }
}

static void answers_head_by_get_without_its_body(void **state) {
    (void)state;
    ask("HEAD", "/products/tea");
    assert_string_equal(call.reply,
                        "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},\"body\":\"\",\"isBase64Encoded\":false}");
}

static void checks_routes_before_the_first_event(void **state) {
    static const latch_route no_method[] = {{"", "/", root}}, lower[] = {{"get", "/", root}}, no_path[] = {{"GET", NULL, root}},
                             no_slash[] = {{"GET", "a", root}}, empty_path[] = {{"GET", "", root}}, doubled[] = {{"GET", "/a//b", root}},
                             half[] = {{"GET", "/a{b}", root}}, open[] = {{"GET", "/{b", root}}, nameless[] = {{"GET", "/{}", root}},
                             early[] = {{"GET", "/{a+}/b", root}}, only_plus[] = {{"GET", "/{+}", root}},
                             twice[] = {{"GET", "/{a}/{a}", root}}, no_run[] = {{"GET", "/a", NULL}},
                             same[] = {{"GET", "/a/{b}", root}, {"GET", "/a/{c}", list}},
                             same_slash[] = {{"GET", "/a", root}, {"GET", "/a/", list}};
    static const struct {
        latch_handler handler;
        const char *says;
    } rows[] = {
        {{.name = "h", LATCH_ROUTES(no_method)}, "routes[0] has no method"},
        {{.name = "h", LATCH_ROUTES(lower)}, "routes[0] has no method"},
        {{.name = "h", LATCH_ROUTES(no_path)}, "routes[0] has no path"},
        {{.name = "h", LATCH_ROUTES(no_slash)}, "GET a begins with no slash"},
        {{.name = "h", LATCH_ROUTES(empty_path)}, "begins with no slash"},
        {{.name = "h", LATCH_ROUTES(doubled)}, "GET /a//b has an empty segment"},
        {{.name = "h", LATCH_ROUTES(half)}, "has braces that are not around a whole segment"},
        {{.name = "h", LATCH_ROUTES(open)}, "has braces that are not around a whole segment"},
        {{.name = "h", LATCH_ROUTES(nameless)}, "has braces that are not around a whole segment"},
        {{.name = "h", LATCH_ROUTES(early)}, "has a {name+} before its end"},
        {{.name = "h", LATCH_ROUTES(only_plus)}, "has an empty segment"},
        {{.name = "h", LATCH_ROUTES(twice)}, "has a {name} twice"},
        {{.name = "h", LATCH_ROUTES(no_run)}, "has no function"},
        {{.name = "h", LATCH_ROUTES(same)}, "the routes GET /a/{b} and /a/{c} match the same"},
        {{.name = "h", LATCH_ROUTES(same_slash)}, "match the same"},
        {{.name = "h", .routes = routes}, "has no routes"},
    };
    const latch_handler *chosen;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        call.cx = (latch_ctx){.arena = &call.arena};
        assert_int_equal(latch_outcome_choose(&call.cx, &rows[i].handler, 1, "h", &chosen), LATCH_E_MISUSE);
        if (strstr(call.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.cx.err.message);
        assert_string_equal(call.cx.err.type, "Runtime.BadHandlerTable");
    }
    const latch_handler good = {.name = "h", LATCH_ROUTES(routes)};
    assert_int_equal(latch_outcome_choose(&call.cx, &good, 1, "h", &chosen), LATCH_OK);
}

static latch_status on_event(latch_ctx *cx, latch_event *event) {
    (void)cx, (void)event;
    return LATCH_OK;
}
static latch_status on_record(latch_ctx *cx, latch_record *record) {
    (void)cx, (void)record;
    return LATCH_OK;
}

static void checks_the_table_of_handlers(void **state) {
    static const struct {
        latch_handler handlers[3];
        const char *name, *says, *type;
    } rows[] = {
        {{{.name = "a", .event = on_event}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "d",
         "_HANDLER is \"d\"; the handlers are: a, b, c",
         "Runtime.HandlerNotFound"},
        {{{.name = "a", .event = on_event}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "A",
         "_HANDLER is \"A\"",
         "Runtime.HandlerNotFound"},
        {{{.name = "a", .event = on_event}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "",
         "_HANDLER is not set; the handlers are: a, b, c",
         "Runtime.HandlerNotFound"},
        {{{.name = "a", .event = on_event}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         NULL,
         "_HANDLER is not set",
         "Runtime.HandlerNotFound"},
        {{{.name = "a", .event = on_event}, {.name = "b"}, {.name = "c", .http = root}},
         "a",
         "the handler b has no function",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event, .http = root}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "b",
         "the handler a has 2 of",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event, .http = root, .record = on_record, LATCH_ROUTES(routes)},
          {.name = "b", .record = on_record},
          {.name = "c", .http = root}},
         "b",
         "the handler a has 4 of",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event}, {.record = on_record}, {.name = "c", .http = root}},
         "a",
         "handlers[1] has no name",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event}, {.name = "", .record = on_record}, {.name = "c", .http = root}},
         "a",
         "handlers[1] has no name",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event}, {.name = "b", .record = on_record}, {.name = "a", .http = root}},
         "a",
         "two handlers are called a",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event, .skip_if = LATCH_E_TIMEOUT}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "a",
         "the handler a: .skip_if is 69",
         "Runtime.BadHandlerTable"},
        {{{.name = "a", .event = on_event, .skip_if = (latch_status)1}, {.name = "b", .record = on_record}, {.name = "c", .http = root}},
         "a",
         "the handler a: .skip_if is 1",
         "Runtime.BadHandlerTable"},
    };
    const latch_handler *chosen;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        call.cx = (latch_ctx){.arena = &call.arena};
        assert_int_equal(latch_outcome_choose(&call.cx, rows[i].handlers, 3, rows[i].name, &chosen), LATCH_E_MISUSE);
        assert_null(chosen);
        if (strstr(call.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.cx.err.message);
        assert_string_equal(call.cx.err.type, rows[i].type);
    }
    assert_int_equal(latch_outcome_choose(&call.cx, rows[0].handlers, 3, "b", &chosen), LATCH_OK);
    assert_ptr_equal(chosen, &rows[0].handlers[1]);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(finds_the_most_literal_route),
    ROW(decodes_a_path_once_whoever_sent_it),
    ROW(drops_the_base_path_of_a_custom_domain),
    ROW(never_runs_with_a_parameter_that_did_not_fit),
    ROW(tells_an_unknown_path_from_an_unknown_method),
    ROW(answers_head_by_get_without_its_body),
    ROW(checks_routes_before_the_first_event),
    ROW(checks_the_table_of_handlers),
};

CHECK_MAIN(tests)

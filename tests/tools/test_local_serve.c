#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "local.h"
#include "tests/check.h"

#define FUNCTIONS                                                                                                                          \
    "Globals: {Function: {Timeout: 1}}\n"                                                                                                  \
    "Resources:\n"                                                                                                                         \
    "  Shop:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: shop\n      Events:\n"                                  \
    "        A: {Type: HttpApi, Properties: {Path: '/items/{id}', Method: GET}}\n"                                                         \
    "        B: {Type: HttpApi, Properties: {Path: '/all/{proxy+}', Method: ANY}}\n"

static pid_t server;
static unsigned port;

static void start_with_timeout(const char *template, const char *timeout_s) {
    const char *const words[] = {"serve", "--port", "0", "--timeout", timeout_s, "--", FAKE, NULL};
    local_write("template.yaml", template);
    server = local_start(words);
    char *out = local_await("out", "latch-local serves http://127.0.0.1:");
    assert_non_null(out);
    assert_int_equal(sscanf(out, "latch-local serves http://127.0.0.1:%u", &port), 1);
    free(out);
}

static void start(const char *template) { start_with_timeout(template, "20"); }

static void stop(void) {
    kill(server, SIGINT);
    assert_int_equal(local_wait(server), 0);
    server = 0;
}

static int set_up(void **state) {
    (void)state;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    local_init();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (server > 0) stop();
    local_clean_up();
    curl_global_cleanup();
    return 0;
}

typedef struct answer {
    long status;
    char body[16384], headers[4096];
    size_t body_bytes, header_bytes;
} answer;

static size_t keep(char *to, size_t cap, size_t *have, const char *bytes, size_t len) {
    if (*have + len < cap) memcpy(to + *have, bytes, len), *have += len;
    to[*have] = '\0';
    return len;
}

static size_t keep_body(char *bytes, size_t size, size_t n, void *arg) {
    answer *a = arg;
    return keep(a->body, sizeof a->body, &a->body_bytes, bytes, size * n);
}

static size_t keep_header(char *bytes, size_t size, size_t n, void *arg) {
    answer *a = arg;
    return keep(a->headers, sizeof a->headers, &a->header_bytes, bytes, size * n);
}

static CURL *request(const char *method, const char *path, const char *body, size_t len, answer *a) {
    char url[512];
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    *a = (answer){0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 15L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (strcmp(method, "HEAD") == 0) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (body != NULL) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)len);
    if (body != NULL) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    return curl;
}

static void ask(const char *method, const char *path, const char *body, answer *a) {
    CURL *curl = request(method, path, body, body != NULL ? strlen(body) : 0, a);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) fail_msg("%s %s: %s", method, path, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

/* The fake answers with the event itself: it is the body of a 200. */
static void check_event(const char *method, const char *path, const char *body, const char *pointer, const char *value) {
    answer a;
    ask(method, path, body, &a);
    assert_int_equal(a.status, 200);
    yyjson_doc *doc = yyjson_read(a.body, a.body_bytes, YYJSON_READ_NOFLAG);
    assert_non_null(doc);
    const char *found = yyjson_get_str(yyjson_doc_ptr_get(doc, pointer));
    assert_non_null(found);
    assert_string_equal(found, value);
    yyjson_doc_free(doc);
}

static void makes_events_of_requests(void **state) {
    static const struct {
        const char *method, *path, *body, *pointer, *value;
    } rows[] = {
        {"GET", "/items/a%2Fb?x=1&x=2", NULL, "/pathParameters/id", "a/b"},
        {"GET", "/items/a%2Fb?x=1&x=2", NULL, "/queryStringParameters/x", "1,2"},
        {"GET", "/items/7", NULL, "/routeKey", "GET /items/{id}"},
        {"DELETE", "/all/a/b", NULL, "/requestContext/http/method", "DELETE"},
        {"DELETE", "/all/a/b", NULL, "/pathParameters/proxy", "a/b"},
        {"POST", "/all/x", "{\"a\":1}", "/body", "{\"a\":1}"},
        {"POST", "/all/x", "{\"a\":1}", "/headers/content-type", "application/json"},
        {"GET", "/all/x", NULL, "/requestContext/http/sourceIp", "127.0.0.1"},
    };
    (void)state;
    start(FUNCTIONS);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_event(rows[i].method, rows[i].path, rows[i].body, rows[i].pointer, rows[i].value);
}

static void answers_as_the_function_says(void **state) {
    answer a;
    (void)state;
    start(FUNCTIONS);
    ask("GET", "/all/x?@teapot", NULL, &a);
    assert_int_equal(a.status, 418);
    assert_string_equal(a.body, "short");
    assert_non_null(strstr(a.headers, "X-Pot: tea\r\n"));
    assert_non_null(strstr(a.headers, "Set-Cookie: a=1\r\n"));
    assert_non_null(strstr(a.headers, "Set-Cookie: b=2\r\n"));
    assert_non_null(strstr(a.headers, "apigw-requestid: "));
    ask("HEAD", "/all/x?@teapot", NULL, &a);
    assert_int_equal(a.status, 418);
    assert_int_equal(a.body_bytes, 0);
    assert_non_null(strstr(a.headers, "Content-Length: 5\r\n"));
}

static void says_what_the_gateway_says(void **state) {
    static const struct {
        const char *method, *path;
        long status;
        const char *body, *line;
    } rows[] = {
        {"GET", "/nowhere", 404, "{\"message\":\"Not Found\"}", "  GET    /nowhere  404  "},
        {"POST", "/items/7", 404, "{\"message\":\"Not Found\"}", "  POST   /items/7  404  "},
        {"GET", "/_url/Shop/", 404, "{\"message\":\"Not Found\"}", "  no route\n"},
        {"GET", "/all/x?@fail", 502, "{\"message\":\"Internal Server Error\"}", "  Shop  CardDeclined: no funds\n"},
        {"GET", "/all/x?@crash", 502, "{\"message\":\"Internal Server Error\"}", "  Shop  Runtime.ExitError: killed by signal 11"},
        {"GET", "/all/x?@garbage", 502, "{\"message\":\"Internal Server Error\"}", "  Shop  the answer is no JSON\n"},
        {"GET", "/all/x?@hang", 504, "{\"message\":\"Endpoint request timed out\"}",
         "  Shop  Sandbox.Timedout: Task timed out after 0.50 seconds\n"},
        {"GET", "/all/x", 200, NULL, "  GET    /all/x  200  "},
    };
    (void)state;
    start_with_timeout(FUNCTIONS, "0.5");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answer a;
        ask(rows[i].method, rows[i].path, NULL, &a);
        assert_int_equal(a.status, rows[i].status);
        if (rows[i].body != NULL) assert_string_equal(a.body, rows[i].body);
        char *out = local_await("out", rows[i].line);
        assert_non_null(out);
        free(out);
    }
}

/* The routes are the template's: another template, another route. */
static void serves_a_route_that_was_added(void **state) {
    answer a;
    (void)state;
    start(FUNCTIONS);
    ask("PUT", "/added", NULL, &a);
    assert_int_equal(a.status, 404);
    stop();
    start(FUNCTIONS "        C: {Type: HttpApi, Properties: {Path: /added, Method: PUT}}\n");
    check_event("PUT", "/added", NULL, "/routeKey", "PUT /added");
}

static void serves_function_urls(void **state) {
    static const char one[] = "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {AuthType: NONE}}}\n"
                              "  G: {Type: 'AWS::Serverless::Function'}\n";
    answer a;
    (void)state;
    start(one);
    check_event("GET", "/any/path%20at?all", NULL, "/rawPath", "/any/path%20at");
    check_event("GET", "/_url/F/x", NULL, "/rawPath", "/x");
    check_event("GET", "/_url/F", NULL, "/rawPath", "/");
    ask("GET", "/_url/G/x", NULL, &a);
    assert_int_equal(a.status, 404);
    stop();
    start(FUNCTIONS "  F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {AuthType: NONE}}}\n");
    check_event("GET", "/_url/F/x", NULL, "/routeKey", "$default");
    ask("GET", "/x", NULL, &a);
    assert_int_equal(a.status, 404);
}

static void queues_requests_that_come_at_once(void **state) {
    enum { COUNT = 8 };
    static answer answers[COUNT];
    CURL *curls[COUNT];
    CURLM *multi = curl_multi_init();
    char path[64];
    int running = 1;
    (void)state;
    start(FUNCTIONS);
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/items/%d%s", i, i == 3 ? "?@crash" : "");
        curls[i] = request("GET", path, NULL, 0, &answers[i]);
        curl_multi_add_handle(multi, curls[i]);
    }
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK)
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
    for (int i = 0; i < COUNT; i++) {
        curl_easy_getinfo(curls[i], CURLINFO_RESPONSE_CODE, &answers[i].status);
        assert_int_equal(answers[i].status, i == 3 ? 502 : 200);
        snprintf(path, sizeof path, "\"pathParameters\":{\"id\":\"%d\"}", i);
        if (i != 3) assert_non_null(strstr(answers[i].body, path));
        curl_multi_remove_handle(multi, curls[i]);
        curl_easy_cleanup(curls[i]);
    }
    curl_multi_cleanup(multi);
}

static void refuses_bodies_that_lambda_would_not_take(void **state) {
    static const struct {
        size_t bytes;
        long status;
    } rows[] = {{6 * 1024 * 1024 - 2000, 200}, {6 * 1024 * 1024 + 1000, 413}, {10 * 1024 * 1024 + 1, 413}};
    char *body = malloc(10 * 1024 * 1024 + 1);
    (void)state;
    assert_non_null(body);
    memset(body, 'x', 10 * 1024 * 1024 + 1);
    start(FUNCTIONS);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answer a;
        CURL *curl = request("POST", "/all/x", body, rows[i].bytes, &a);
        struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: text/plain"), "Expect:");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        assert_int_equal(curl_easy_perform(curl), CURLE_OK);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
        assert_int_equal(a.status, rows[i].status);
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
    }
    free(body);
}

static void send_raw(const char *bytes, size_t len) {
    char answer_bytes[4096];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_usec = 50000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)!send(fd, bytes, len, MSG_NOSIGNAL);
    (void)!recv(fd, answer_bytes, sizeof answer_bytes, 0);
    close(fd);
}

/* Broken, hostile and unfinished requests cost nobody else anything, and leak nothing: stop() would see it. */
static void survives_what_is_no_request(void **state) {
    static const char *const rows[] = {
        "\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET /all/x HTTP/1.1\r\n",
        "GET /all/x HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET /all/x HTTP/9.9\r\nHost: h\r\n\r\n",
        "GET /all/%00%ff%c0%80?%00=%ff HTTP/1.1\r\nHost: h\r\nX: \x80\xff\r\n\r\n",
        "POST /all/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "POST /all/x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nx",
        "POST /all/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nless than that",
        "POST /all/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /all/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET /all/x HTTP/1.1\r\nHost: h\r\n\r\nGET /all/y HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "BREW /all/x HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    char *huge = malloc(2000000);
    (void)state;
    assert_non_null(huge);
    start(FUNCTIONS);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        send_raw(rows[i], strlen(rows[i]));
    memset(huge, 'a', 2000000);
    memcpy(huge, "GET /", 5);
    send_raw(huge, 2000000);
    memcpy(huge, "GET /all/x HTTP/1.1\r\nHost: h\r\nX: ", 34);
    send_raw(huge, 2000000);
    free(huge);
    check_event("GET", "/all/still-there", NULL, "/rawPath", "/all/still-there");
    stop();
}

static void stops_with_a_request_in_its_hands(void **state) {
    static answer a;
    int running = 0;
    (void)state;
    start(FUNCTIONS);
    CURLM *multi = curl_multi_init();
    CURL *curl = request("GET", "/all/x?@log+@then-nothing+@hang", NULL, 0, &a);
    curl_multi_add_handle(multi, curl);
    char *err = NULL;
    for (int i = 0; i < 2000 && (err == NULL || strstr(err, "standard output") == NULL); i++) {
        free(err);
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 2, NULL);
        err = local_read("err", NULL);
    }
    assert_non_null(strstr(err, "standard output"));
    free(err);
    stop();
    curl_multi_remove_handle(multi, curl);
    curl_easy_cleanup(curl);
    curl_multi_cleanup(multi);
    err = local_read("err", NULL);
    assert_null(strstr(err, "Sanitizer"));
    free(err);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(makes_events_of_requests),
    ROW(answers_as_the_function_says),
    ROW(says_what_the_gateway_says),
    ROW(serves_a_route_that_was_added),
    ROW(serves_function_urls),
    ROW(queues_requests_that_come_at_once),
    ROW(refuses_bodies_that_lambda_would_not_take),
    ROW(survives_what_is_no_request),
    ROW(stops_with_a_request_in_its_hands),
};

CHECK_MAIN(tests)

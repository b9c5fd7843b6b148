#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static void start_with(const char *const *words, const char *template) {
    local_write("template.yaml", template);
    server = local_start(words);
    char *out = local_await("out", "latch-local serves http://127.0.0.1:");
    assert_non_null(out);
    assert_int_equal(sscanf(out, "latch-local serves http://127.0.0.1:%u", &port), 1);
    free(out);
}

static void start_with_timeout(const char *template, const char *timeout_s) {
    const char *const words[] = {"serve", "--port", "0", "--timeout", timeout_s, "--", FAKE, NULL};
    start_with(words, template);
}

static void start_watching(const char *template) {
    const char *const words[] = {"serve", "--port", "0", "--watch", "--timeout", "20", "--", "./boot", NULL};
    start_with(words, template);
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
        "GET /_latch/invocations/%00%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /_latch/../etc/passwd HTTP/1.1\r\nHost: [\r\n\r\n",
        "POST /_latch/again/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://\r\nContent-Length: 100\r\n\r\nless than that",
        "GET /_latch/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /_latch/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "HEAD /_latch/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
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

/* ── streams ── */

#define STREAMS "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {InvokeMode: RESPONSE_STREAM}}}\n"
#define BUFFERS "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {FunctionUrlConfig: {InvokeMode: BUFFERED}}}\n"

typedef struct transfer {
    CURLM *multi;
    CURL *curl;
    answer a;
    int running;
} transfer;

static void begin_transfer(transfer *t, const char *path) {
    t->multi = curl_multi_init();
    t->curl = request("GET", path, NULL, 0, &t->a);
    t->running = 1;
    curl_multi_add_handle(t->multi, t->curl);
}

static bool has_body(const transfer *t, const char *text) { return strstr(t->a.body, text) != NULL; }

/* Until its body holds `text`, or it is over; NULL: until it is over. */
static void turn_transfer(transfer *t, const char *text) {
    for (int i = 0; i < 5000 && t->running > 0 && (text == NULL || !has_body(t, text)); i++) {
        curl_multi_perform(t->multi, &t->running);
        curl_multi_poll(t->multi, NULL, 0, 2, NULL);
    }
}

static CURLcode end_transfer(transfer *t) {
    int left = 0;
    CURLMsg *message = curl_multi_info_read(t->multi, &left);
    CURLcode code = message != NULL ? message->data.result : CURLE_OPERATION_TIMEDOUT;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->a.status);
    curl_multi_remove_handle(t->multi, t->curl);
    curl_easy_cleanup(t->curl);
    curl_multi_cleanup(t->multi);
    return code;
}

static void check_line(const char *text) {
    char *out = local_await("out", text);
    if (out == NULL) fail_msg("no %s", text);
    free(out);
}

/* The first piece is there while the function waits for a file to write the second. */
static void passes_on_what_is_streamed(void **state) {
    (void)state;
    start(STREAMS);
    static transfer one, *t = &one;
    begin_transfer(t, "/x?@stream");
    turn_transfer(t, "first;");
    assert_string_equal(t->a.body, "first;");
    local_write("more", "");
    turn_transfer(t, NULL);
    assert_int_equal(end_transfer(t), CURLE_OK);
    assert_string_equal(t->a.body, "first;second;");
    assert_int_equal(t->a.status, 201);
    static const char *const lines[] = {"X-Kind: stream\r\n",
                                        "Set-Cookie: a=1\r\n",
                                        "Set-Cookie: b=2\r\n",
                                        "Transfer-Encoding: chunked\r\n",
                                        "x-amzn-RequestId: local-0000000001\r\n",
                                        "Content-Type: application/octet-stream\r\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strstr(t->a.headers, lines[i]) == NULL) fail_msg("no %s in %s", lines[i], t->a.headers);
    check_line("  GET    /x?@stream  201  ");
    check_line("  F  13 bytes streamed\n");
}

static void buffers_where_nothing_streams(void **state) {
    answer a;
    (void)state;
    start(BUFFERS);
    local_write("more", "");
    ask("GET", "/x?@stream", NULL, &a);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.body, "first;second;");
    assert_non_null(strstr(a.headers, "Content-Length: 13\r\n"));
    assert_non_null(strstr(a.headers, "Set-Cookie: b=2\r\n"));
    ask("GET", "/x?@stream+@stream-fail", NULL, &a);
    assert_int_equal(a.status, 502);
    check_line("  F  CardDeclined: no funds, after 93 bytes of a stream\n");
    ask("GET", "/x?@stream+@stream-much", NULL, &a);
    assert_int_equal(a.status, 502);
    check_line("  F  the streamed answer is over the 6 MiB of a buffered one");
}

static void cuts_a_stream_that_fails(void **state) {
    static const struct {
        const char *path, *body, *line;
    } rows[] = {
        {"/x?@stream+@stream-die", "first;", "  6 bytes streamed  Runtime."},
        {"/x?@stream+@stream-fail", "first;second;", "  13 bytes streamed  Function.CardDeclined: no funds\n"},
    };
    (void)state;
    start(STREAMS);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static transfer one, *t = &one;
        begin_transfer(t, rows[i].path);
        turn_transfer(t, "first;"); /* what a process writes in its last moment may be lost with it */
        local_write("more", "");
        turn_transfer(t, NULL);
        assert_int_not_equal(end_transfer(t), CURLE_OK);
        assert_string_equal(t->a.body, rows[i].body);
        assert_int_equal(t->a.status, 201);
        check_line(rows[i].line);
    }
}

static bool says_all_is_written(void) {
    char *err = local_read("err", NULL);
    bool yes = err != NULL && strstr(err, "all is written") != NULL;
    free(err);
    return yes;
}

/* 64 MiB at a client that doesn't read: the function gets no further than what is held on the way. Then the client goes, and it ends. */
static void a_client_may_be_slow_or_leave(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char get[] = "GET /x?@stream+@stream-much HTTP/1.1\r\nHost: h\r\n\r\n";
    int small = 16384;
    (void)state;
    start(STREAMS);
    local_write("more", "");
    at.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(fd, get, sizeof get - 1, MSG_NOSIGNAL), sizeof get - 1);
    usleep(500000); /* enough to write all of it several times over */
    assert_false(says_all_is_written());
    close(fd);
    check_line("  the client left\n");
    assert_true(says_all_is_written());
    answer a;
    ask("GET", "/after", NULL, &a);
    assert_int_equal(a.status, 200);
}

static int count_in_file(const char *path, const char *text) {
    char *all = local_read(path, NULL);
    int count = 0;
    for (const char *hit = all; hit != NULL && (hit = strstr(hit, text)) != NULL; hit++)
        count++;
    free(all);
    return count;
}

/* ── connections ── */

/* Replies on one connection, read until they hold `count` times `text`. */
static size_t count_replies(const char *requests, const char *text, size_t count) {
    static char bytes[65536];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 10};
    size_t have = 0, found = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(send(fd, requests, strlen(requests), MSG_NOSIGNAL), strlen(requests));
    for (ssize_t n = 1; n > 0 && found < count;) {
        n = recv(fd, bytes + have, sizeof bytes - 1 - have, 0);
        have += n > 0 ? (size_t)n : 0;
        bytes[have] = '\0';
        found = 0;
        for (const char *hit = bytes; (hit = strstr(hit, text)) != NULL; hit++)
            found++;
    }
    close(fd);
    return found;
}

static void keeps_connections(void **state) {
    (void)state;
    start(FUNCTIONS);
    assert_int_equal(count_replies("GET /all/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /all/2 HTTP/1.1\r\nHost: h\r\n\r\n"
                                   "HEAD /all/3?@teapot HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
                                   "HTTP/1.1 ", 4),
                     4);
}

static void joins_headers_and_keeps_bytes(void **state) {
    answer a;
    (void)state;
    start(FUNCTIONS);
    CURL *curl = request("POST", "/all/x", "\xff\0\x01", 3, &a);
    struct curl_slist *headers = NULL;
    static const char *const lines[] = {"X-Many: one", "X-Many: two", "Cookie: a=1; b=2", "Content-Type: application/octet-stream"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        headers = curl_slist_append(headers, lines[i]);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    static const char *const wanted[] = {"\"x-many\":\"one,two\"", "\"cookies\":[\"a=1\",\"b=2\"]", "\"body\":\"/wAB\"",
                                         "\"isBase64Encoded\":true"};
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (strstr(a.body, wanted[i]) == NULL) fail_msg("no %s in %s", wanted[i], a.body);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

/* Whoever asked has gone: the function ends what it does, and the next one is answered. */
static void a_client_leaves_before_the_answer(void **state) {
    (void)state;
    start(FUNCTIONS);
    static const char get[] = "GET /all/x?@wait-for-go HTTP/1.1\r\nHost: h\r\n\r\n";
    send_raw(get, sizeof get - 1);
    local_write("go", "");
    check_line("  GET    /all/x?@wait-for-go  200  ");
    check_event("GET", "/all/next", NULL, "/rawPath", "/all/next");
}

/* Both say that they have begun before the file is made that they wait for. */
static void runs_several_at_once(void **state) {
    const char *const words[] = {"serve", "--port", "0", "--concurrency", "2", "--timeout", "20", "--", FAKE, "twice", NULL};
    static transfer both[2];
    (void)state;
    start_with(words, FUNCTIONS);
    for (size_t i = 0; i < 2; i++)
        begin_transfer(&both[i], "/all/x?@log+@wait-for-go");
    for (int turns = 0, begun = 0; turns < 5000 && begun < 2; turns++) {
        for (size_t i = 0; i < 2; i++)
            curl_multi_perform(both[i].multi, &both[i].running);
        curl_multi_poll(both[0].multi, NULL, 0, 2, NULL);
        begun = count_in_file("err", "to standard output");
    }
    assert_int_equal(count_in_file("err", "to standard output"), 2);
    local_write("go", "");
    for (size_t i = 0; i < 2; i++) {
        turn_transfer(&both[i], NULL);
        assert_int_equal(end_transfer(&both[i]), CURLE_OK);
        assert_int_equal(both[i].a.status, 200);
    }
}

/* ── --watch ── */

static int64_t pid_of_function(void) {
    answer a;
    ask("GET", "/all/x?@pid", NULL, &a);
    const char *at = strstr(a.body, "\"pid\":");
    assert_non_null(at);
    return strtol(at + 6, NULL, 10);
}

static void build(const char *as) {
    size_t len = 0;
    char *bytes = local_read(FAKE, &len);
    assert_non_null(bytes);
    local_write_bytes("new", bytes, len);
    free(bytes);
    assert_int_equal(chmod("new", 0755), 0);
    assert_int_equal(rename("new", as), 0);
}

/* One is under way, one waits: the first ends in the old process, the second runs in the new one. */
static void what_is_built_anew_takes_over(void **state) {
    (void)state;
    build("boot");
    start_watching(FUNCTIONS);
    int64_t old = pid_of_function();
    assert_int_equal(pid_of_function(), old);
    static transfer one, *first = &one;
    begin_transfer(first, "/all/x?@log+@wait-for-go+@pid");
    for (int turns = 0; turns < 5000 && count_in_file("err", "to standard output") == 0; turns++) {
        curl_multi_perform(first->multi, &first->running);
        curl_multi_poll(first->multi, NULL, 0, 2, NULL);
    }
    build("boot");
    check_line("./boot was built anew: the next request starts it\n");
    int64_t new = pid_of_function();
    assert_int_not_equal(new, old);
    local_write("go", "");
    turn_transfer(first, NULL);
    assert_int_equal(end_transfer(first), CURLE_OK);
    assert_int_equal(first->a.status, 200);
    assert_true(local_is_gone((pid_t)old));
    assert_int_equal(pid_of_function(), new);
}

static void what_is_gone_is_waited_for(void **state) {
    (void)state;
    build("boot");
    start_watching(FUNCTIONS);
    int64_t old = pid_of_function();
    assert_int_equal(unlink("boot"), 0);
    check_line("./boot is gone: what runs goes on, the next whole one takes its place\n");
    assert_int_equal(pid_of_function(), old);
    build("boot");
    check_line("./boot was built anew: ");
    assert_int_not_equal(pid_of_function(), old);
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
    ROW(passes_on_what_is_streamed),
    ROW(buffers_where_nothing_streams),
    ROW(cuts_a_stream_that_fails),
    ROW(a_client_may_be_slow_or_leave),
    ROW(keeps_connections),
    ROW(joins_headers_and_keeps_bytes),
    ROW(a_client_leaves_before_the_answer),
    ROW(runs_several_at_once),
    ROW(what_is_built_anew_takes_over),
    ROW(what_is_gone_is_waited_for),
};

CHECK_MAIN(tests)

#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/http.h"
#include "core/span.h"
#include "core/trace_context.h"
#include "tests/check.h"
#include "tests/core/http_server.h"
#include "tests/core/room.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK(body, len) OK_HEAD "Content-Length: " #len "\r\n\r\n" body

static const served table[] = {
    {"/", OK("hello", 5), 0, KEEP},
    {"/empty", OK("", 0), 0, KEEP},
    {"/bad", "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno", 0, KEEP},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0, KEEP},
    {"/headers", OK_HEAD "Content-Length: 0\r\nX-One:  1 \r\nx-two:\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: a:b\r\n\r\n", 0, KEEP},
    {"/trailers", OK_HEAD "Transfer-Encoding: chunked\r\nX-Real: yes\r\n\r\n2\r\nab\r\n0\r\nX-Real: no\r\nX-Late: yes\r\n\r\n", 0, KEEP},
    {"/empty-trailers", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Late: yes\r\n\r\n", 0, KEEP},
    {"/continue", "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\n" OK("done", 4), 0, KEEP},
    {"/head", OK_HEAD "Content-Length: 500\r\n\r\n", 0, KEEP},
    {"/5000", OK_HEAD "Content-Length: 5000\r\n\r\n", 5000, KEEP},
    {"/1MiB", OK_HEAD "Content-Length: 1048576\r\n\r\n", 1048576, KEEP},
    {"/over", OK_HEAD "Content-Length: 1048577\r\n\r\n", 1048577, KEEP},
    {"/over-unsaid", OK_HEAD "Connection: close\r\n\r\n", 1048577, CLOSE},
    {"/cut", OK_HEAD "Content-Length: 100\r\n\r\nten bytes.", 0, CLOSE},
    {"/cut-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n64\r\nten bytes.", 0, CLOSE},
    {"/cut-head", "HTTP/1.1 200 OK\r\nContent-Le", 0, CLOSE},
    {"/nothing", "", 0, CLOSE},
    {"/hangs", "", 0, HANG},
    {"/hangs-later", OK_HEAD "Content-Length: 100\r\n\r\nten bytes.", 0, HANG},
    {"/garbage", "SSH-2.0-OpenSSH\r\n\r\n", 0, CLOSE},
    {NULL, NULL, 0, KEEP},
};

static room r;
static http_server *server;
static latch_http_session session;
static latch_fetch_reply reply;

static int set_up(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as a process does that uses TLS */
    room_open(&r, (size_t)4 << 20);
    r.cx.clock = latch_clock_system();
    session = (latch_http_session){NULL};
    r.cx.http = &session;
    server = server_start(table, NULL);
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY",    "SSL_CERT_FILE"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_http_session_clean_up(&session);
    latch_http_session_clean_up(&session); /* once more does nothing */
    server_stop(server);
    room_close(&r);
    return 0;
}

static latch_str url_of(const char *path) { return latch_ctx_text(&r.cx, "http://127.0.0.1:%d%s", server_port(server), path); }

static latch_status get(const char *path) { return latch_fetch(&r.cx, &(latch_fetch_request){.url = url_of(path)}, &reply); }

static void must_get(const char *path) {
    if (get(path) != LATCH_OK) fail_msg("%s: %s", path, r.cx.err.message);
}

static void gets_an_answer(void **state) {
    (void)state;
    must_get("/");
    assert_int_equal(reply.status, 200);
    assert_text(reply.body, "hello");
    must_get("/empty");
    assert_text(reply.body, "");
    must_get("/absent");
    assert_int_equal(reply.status, 404);
    must_get("/moved"); /* and stays there: it is an answer */
    assert_int_equal(reply.status, 302);
    assert_text(latch_fetch_header_of(&reply, "location"), "/");
    assert_int_equal(server_requests(server), 4);
}

static void gives_headers_in_their_order(void **state) {
    static const struct {
        const char *name, *value;
    } rows[] = {{"Content-Length", "0"}, {"X-One", "1"}, {"x-two", ""}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}, {"X-Odd", "a:b"}};
    (void)state;
    must_get("/headers");
    assert_int_equal(reply.header_count, COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_string_equal(reply.headers[i].name, rows[i].name);
        assert_text(reply.headers[i].value, rows[i].value);
    }
    assert_text(latch_fetch_header_of(&reply, "SET-COOKIE"), "a=1");
    assert_text(latch_fetch_header_of(&reply, "X-Absent"), "");
}

static void takes_headers_of_the_last_answer_only(void **state) {
    (void)state;
    must_get("/trailers");
    assert_text(reply.body, "ab");
    assert_text(latch_fetch_header_of(&reply, "X-Real"), "yes");
    assert_int_equal(reply.header_count, 2);
    must_get("/empty-trailers");
    assert_int_equal(reply.header_count, 1);
    must_get("/continue");
    assert_text(reply.body, "done");
    assert_text(latch_fetch_header_of(&reply, "X-Early"), "");
    assert_int_equal(reply.header_count, 1);
}

static void keeps_its_connection(void **state) {
    static const latch_str bodies[] = {{"", 0}, {"{\"a\":1}", 7}};
    (void)state;
    for (int i = 0; i < 20; i++) {
        latch_fetch_request request = {.url = url_of(i % 3 == 0 ? "/bad" : "/"), .body = bodies[i % 2]};
        assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_OK);
        assert_int_equal(reply.status, i % 3 == 0 ? 400 : 200);
    }
    assert_int_equal(server_requests(server), 20);
    assert_int_equal(server_accepts(server), 1);
}

#define HEAD(line) line "\r\nHost: 127.0.0.1:PORT\r\nAccept: */*\r\n"

/* The i-th request, with PORT in the place of the port. */
static const char *request_as_sent(size_t i) {
    static char text[8192];
    char port[16];
    const char *sent = server_request(server, i);
    snprintf(port, sizeof port, ":%d\r\n", server_port(server));
    const char *at = strstr(sent, port);
    if (at == NULL) return sent;
    snprintf(text, sizeof text, "%.*s:PORT\r\n%s", (int)(at - sent), sent, at + strlen(port));
    return text;
}

static const latch_fetch_header headers[] = {{"X-Key", {"secret value", 12}},
                                             {"Content-Type", {"application/json", 16}},
                                             {"X-Empty", {"", 0}},
                                             {"X-Blank", {" \t", 2}},
                                             {"Accept", {"text/plain", 10}},
                                             {"X-Utf8", {"t\xC3\xA9", 3}}};

static const struct {
    latch_fetch_request request;
    const char *path, *sent;
} exchanges[] = {
    {{.url = {NULL, 0}}, "/", HEAD("GET / HTTP/1.1") "\r\n"},
    {{.method = "DELETE"}, "/", HEAD("DELETE / HTTP/1.1") "\r\n"},
    {{.body = {"a=b", 3}}, "/", HEAD("POST / HTTP/1.1") "Content-Length: 3\r\n\r\na=b"},
    {{.method = "PUT", .body = {"\0x", 2}}, "/", HEAD("PUT / HTTP/1.1") "Content-Length: 2\r\n\r\n"},
    {{.method = "PUT"}, "/", HEAD("PUT / HTTP/1.1") "Content-Length: 0\r\n\r\n"},
    {{.method = "POST"}, "/", HEAD("POST / HTTP/1.1") "Content-Length: 0\r\n\r\n"},
    {{.method = "PATCH"}, "/", HEAD("PATCH / HTTP/1.1") "Content-Length: 0\r\n\r\n"},
    {{.method = "GET", .body = {"x", 1}}, "/", HEAD("GET / HTTP/1.1") "Content-Length: 1\r\n\r\nx"},
    {{.method = "HEAD"}, "/head", HEAD("HEAD /head HTTP/1.1") "\r\n"},
    {{.method = "PURGE"}, "/empty", HEAD("PURGE /empty HTTP/1.1") "\r\n"},
    {{.headers = headers, .header_count = COUNT_OF(headers), .body = {"{}", 2}},
     "/",
     "POST / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX-Key: secret value\r\nContent-Type: application/json\r\nX-Empty:\r\nX-Blank:\r\nAccept: "
     "text/plain\r\n"
     "X-Utf8: t\xC3\xA9\r\nContent-Length: 2\r\n\r\n{}"},
    {{.timeout_ms = 5000, .connect_timeout_ms = 5000, .max_body_bytes = 5}, "/", HEAD("GET / HTTP/1.1") "\r\n"},
};

static void sends_what_was_asked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        latch_fetch_request request = exchanges[i].request;
        request.url = url_of(exchanges[i].path);
        if (latch_fetch(&r.cx, &request, &reply) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_string_equal(request_as_sent(i), exchanges[i].sent);
        assert_int_equal(reply.status, 200);
    }
    assert_int_equal(server_accepts(server), 1);
}

/* After each kind of request a plain GET is what it is on its own. */
static void leaves_nothing_for_the_next_request(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        latch_fetch_request request = exchanges[i].request;
        request.url = url_of(exchanges[i].path);
        assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_OK);
        must_get("/5000"); /* more than the last row's max_body_bytes */
        assert_int_equal(reply.body.len, 5000);
        assert_string_equal(request_as_sent(2 * i + 1), HEAD("GET /5000 HTTP/1.1") "\r\n");
    }
    latch_fetch_request brief = {.url = url_of("/hangs"), .timeout_ms = 30};
    assert_int_equal(latch_fetch(&r.cx, &brief, &reply), LATCH_E_TIMEOUT);
    must_get("/");
}

static void never_asks_for_100_continue(void **state) {
    size_t len = (size_t)3 << 20;
    char *body = malloc(len);
    (void)state;
    memset(body, 'b', len);
    latch_fetch_request request = {.url = url_of("/"), .body = {body, len}};
    assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_OK);
    assert_null(strcasestr(server_request(server, 0), "expect"));
    assert_non_null(strstr(server_request(server, 0), "Content-Length: 3145728\r\n"));
    free(body);
}

static int64_t monotonic_ms(void) { return latch_clock_instant(&r.cx.clock).boot_us / 1000; }

static void times_out(void **state) {
    static const char *const paths[] = {"/hangs", "/hangs-later"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
            latch_fetch_request request = {.url = url_of(paths[i]), .timeout_ms = by_deadline ? INT64_MAX : 60, .connect_timeout_ms = 20};
            r.cx.deadline_at_ms = by_deadline ? latch_now_ms(&r.cx) + 60 : INT64_MAX;
            int64_t before = monotonic_ms();
            assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_E_TIMEOUT);
            assert_in_range(monotonic_ms() - before, 50, 5000);
            assert_true(r.cx.err.maybe_applied);
            assert_non_null(strstr(r.cx.err.message, "timed out"));
            assert_int_equal(reply.status, 0);
            assert_null(reply.body.ptr);
        }
    }
    r.cx.deadline_at_ms = latch_now_ms(&r.cx) - 1;
    size_t sent = server_requests(server);
    assert_int_equal(get("/"), LATCH_E_TIMEOUT);
    assert_false(r.cx.err.maybe_applied);
    assert_non_null(strstr(r.cx.err.message, "no time left to send it"));
    assert_int_equal(server_requests(server), sent);
}

/* A listener whose queue is full takes no more connections, and doesn't say no. */
static void times_out_connecting(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), queue[8];
    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    for (size_t i = 0; i < COUNT_OF(queue); i++) {
        queue[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(queue[i], (struct sockaddr *)&at, sizeof at);
    }
    latch_fetch_request request = {.url = latch_ctx_text(&r.cx, "http://127.0.0.1:%d/", ntohs(at.sin_port)), .connect_timeout_ms = 60};
    int64_t before = monotonic_ms();
    assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_E_TIMEOUT);
    assert_in_range(monotonic_ms() - before, 50, 1900); /* not the 2 s that it takes unless told */
    assert_false(r.cx.err.maybe_applied);
    assert_non_null(strcasestr(r.cx.err.message, "connect"));
    for (size_t i = 0; i < COUNT_OF(queue); i++)
        close(queue[i]);
    close(listener);
    must_get("/");
}

static void tells_that_nothing_was_sent(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int held = socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: nobody else gets the port, and it refuses */
    (void)state;
    assert_int_equal(bind(held, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(held, (struct sockaddr *)&at, &len), 0);
    latch_fetch_request request = {.url = latch_ctx_text(&r.cx, "http://127.0.0.1:%d/", ntohs(at.sin_port)), .body = LATCH_STR("x")};
    assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_E_NETWORK);
    assert_false(r.cx.err.maybe_applied);
    close(held);
}

static void refuses_answers_that_are_cut(void **state) {
    static const char *const paths[] = {"/cut", "/cut-chunk", "/cut-head", "/nothing", "/garbage"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        latch_fetch_request request = {.url = url_of(paths[i]), .body = LATCH_STR("x")};
        latch_status status = latch_fetch(&r.cx, &request, &reply);
        if (status != LATCH_E_NETWORK) fail_msg("%s: %d", paths[i], status);
        assert_true(r.cx.err.maybe_applied);
        assert_true(reply.status == 0 && reply.body.ptr == NULL && reply.headers == NULL && reply.header_count == 0);
        must_get("/"); /* and the next one is good */
        assert_text(reply.body, "hello");
    }
}

static void bounds_the_answer(void **state) {
    static const struct {
        const char *path;
        size_t max;
        bool ok;
    } rows[] = {
        {"/1MiB", 0, true},     {"/over", 0, false}, {"/over-unsaid", 0, false}, {"/5000", 5000, true},
        {"/5000", 4999, false}, {"/", 1, false},     {"/empty", 1, true},        {"/over", 2000000, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char says[128];
        size_t mark = latch_arena_mark(&r.arena);
        latch_fetch_request request = {.url = url_of(rows[i].path), .max_body_bytes = rows[i].max};
        latch_status status = latch_fetch(&r.cx, &request, &reply);
        if (status != (rows[i].ok ? LATCH_OK : LATCH_E_NETWORK)) fail_msg("row %zu: %d %s", i, status, r.cx.err.message);
        snprintf(says, sizeof says, "the answer has over %zu bytes, raise .max_body_bytes", rows[i].max > 0 ? rows[i].max : 1048576);
        if (!rows[i].ok) assert_non_null(strstr(r.cx.err.message, says));
        if (rows[i].ok) assert_true(reply.body.len == 0 || reply.body.ptr[reply.body.len - 1] == 'x');
        latch_arena_rewind(&r.arena, mark);
    }
}

static void refuses_what_would_inject(void **state) {
    static const latch_fetch_header bad[] = {
        {"X", {"a\r\nHost: b", 9}},
        {"X", {"a\nb", 3}},
        {"X", {"a\0b", 3}},
        {"X", {"a\rb", 3}},
        {"X", {"\x7F", 1}},
        {"", {"a", 1}},
        {NULL, {"a", 1}},
        {"X Y", {"a", 1}},
        {"X:", {"a", 1}},
        {"X\r\nY", {"a", 1}},
        {"X\xC3\xA9", {"a", 1}},
        {"X;", {"a", 1}},
        {"content-length", {"5", 1}},
        {"Transfer-Encoding", {"chunked", 7}},
    };
    static const struct {
        const char *url, *method;
        latch_str body;
        int64_t timeout_ms, connect_timeout_ms;
    } rows[] = {
        {"", NULL, {NULL, 0}, 0, 0},
        {"127.0.0.1/", NULL, {NULL, 0}, 0, 0},
        {"ftp://127.0.0.1/", NULL, {NULL, 0}, 0, 0},
        {"file:///etc/passwd", NULL, {NULL, 0}, 0, 0},
        {"gopher://127.0.0.1/", NULL, {NULL, 0}, 0, 0},
        {"http://127.0.0.1/ HTTP/1.1\r\nX: y", NULL, {NULL, 0}, 0, 0},
        {"http://127.0.0.1/a b", NULL, {NULL, 0}, 0, 0},
        {"http://127.0.0.1/\n", NULL, {NULL, 0}, 0, 0},
        {"http://127.0.0.1:99999/", NULL, {NULL, 0}, 0, 0},
        {"http://", NULL, {NULL, 0}, 0, 0},
        {"http://[::1/", NULL, {NULL, 0}, 0, 0},
        {"http://127.0.0.1/", "GET /x HTTP/1.1\r\nX:", {NULL, 0}, 0, 0},
        {"http://127.0.0.1/", "", {NULL, 0}, 0, 0},
        {"http://127.0.0.1/", "HEAD", {"x", 1}, 0, 0},
        {"http://127.0.0.1/", NULL, {NULL, 0}, -1, 0},
        {"http://127.0.0.1/", NULL, {NULL, 0}, 0, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        latch_fetch_request request = {.url = url_of("/"), .headers = &bad[i], .header_count = 1};
        if (latch_fetch(&r.cx, &request, &reply) != LATCH_E_MISUSE) fail_msg("header %zu is taken", i);
        assert_false(r.cx.err.maybe_applied);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_fetch_request request = {.url = latch_str_of(rows[i].url),
                                       .method = rows[i].method,
                                       .body = rows[i].body,
                                       .timeout_ms = rows[i].timeout_ms,
                                       .connect_timeout_ms = rows[i].connect_timeout_ms};
        latch_status status = latch_fetch(&r.cx, &request, &reply);
        if (status != LATCH_E_MISUSE) fail_msg("row %zu: %d %s", i, status, r.cx.err.message);
        assert_false(r.cx.err.maybe_applied);
    }
    latch_fetch_request nul = {.url = {"http://127.0.0.1/\0x", 19}};
    assert_int_equal(latch_fetch(&r.cx, &nul, &reply), LATCH_E_MISUSE);
    r.cx.http = NULL;
    assert_int_equal(get("/"), LATCH_E_MISUSE);
    assert_int_equal(server_requests(server), 0);
}

static void says_no_secrets(void **state) {
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"http://user:hunter2@127.0.0.1:1/path?token=hunter2#hunter2", "fetch 127.0.0.1:1/path: "},
        {"http://127.0.0.1:1/a@b?x=hunter2", "fetch http://127.0.0.1:1/a@b: "},
        {"http://127.0.0.1:1?hunter2", "fetch http://127.0.0.1:1: "},
        {"ftp://user:hunter2@host/?hunter2", "fetch: the URL is \"host/\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_fetch_request request = {.url = latch_str_of(rows[i].url)};
        assert_int_not_equal(latch_fetch(&r.cx, &request, &reply), LATCH_OK);
        assert_null(strstr(r.cx.err.message, "hunter2"));
        if (strncmp(r.cx.err.message, rows[i].shown, strlen(rows[i].shown)) != 0) fail_msg("row %zu: %s", i, r.cx.err.message);
    }
}

/* A proxy that nobody listens at: what gets an answer went past it. And one that answers, for the hosts that aren't nearby. */
static void asks_no_proxy_for_what_is_nearby(void **state) {
    static const struct {
        const char *host;
        bool nearby;
    } rows[] = {
        {"127.0.0.1", true},
        {"localhost", true},
        {"LOCALHOST", true},
        {"user:pw@127.0.0.1", true},
        {"127.1", true},
        {"2130706433", true},
        {"example.invalid", false},
        {"localhost.example.invalid", false},
        {"127.0.0.1.example.invalid", false},
        {"10.255.255.1", false},
        {"127.0.0.1@example.invalid", false},
    };
    char proxy[64], want[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_fetch_request request = {.url = latch_ctx_text(&r.cx, "http://%s:%d/", rows[i].host, server_port(server)),
                                       .timeout_ms = 5000};
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", rows[i].nearby ? 1 : server_port(server));
        setenv("http_proxy", proxy, 1);
        latch_http_session_clean_up(&session); /* the server's one connection may be another host's */
        size_t n = server_requests(server);
        if (latch_fetch(&r.cx, &request, &reply) != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        snprintf(want, sizeof want, "GET %s", rows[i].nearby ? "/ HTTP/1.1\r\n" : "http://");
        assert_memory_equal(server_request(server, n), want, strlen(want)); /* a proxy is given the whole URL */
    }
    setenv("no_proxy", "example.invalid", 1);
    latch_http_session_clean_up(&session);
    latch_fetch_request request = {.url = LATCH_STR("http://example.invalid/"), .timeout_ms = 5000};
    assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_E_NETWORK);
}

static void tells_no_proxy_s_password(void **state) {
    (void)state;
    latch_fetch_request request = {.url = LATCH_STR("http://example.invalid/"), .timeout_ms = 5000};
    setenv("http_proxy", "http://user:secret@127.0.0.1:99999", 1);
    assert_int_equal(latch_fetch(&r.cx, &request, &reply), LATCH_E_NETWORK);
    assert_null(strstr(r.cx.err.message, "secret"));
}

static latch_status get_tls(const char *host) {
    latch_fetch_request request = {.url = latch_ctx_text(&r.cx, "https://%s:%d/", host, server_port(server)), .timeout_ms = 5000};
    return latch_fetch(&r.cx, &request, &reply);
}

static void trusts_known_authorities_only(void **state) {
    char dir[64], path[128];
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(dir, sizeof dir, "%.40s/latch-http-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
    server_stop(server);
    server = server_start(table, dir);
    assert_int_equal(get_tls("localhost"), LATCH_E_NETWORK);
    assert_false(r.cx.err.maybe_applied);
    assert_non_null(strstr(r.cx.err.message, "certificate"));
    assert_non_null(strstr(r.cx.err.message, "SSL_CERT_FILE names another"));
    assert_int_equal(server_requests(server), 0);
    snprintf(path, sizeof path, "%s/cert.pem", dir);
    setenv("SSL_CERT_FILE", path, 1);
    assert_int_equal(get_tls("localhost"), LATCH_OK);
    assert_text(reply.body, "hello");
    size_t accepts = server_accepts(server);
    assert_int_equal(get_tls("localhost"), LATCH_OK);
    assert_int_equal(server_accepts(server), accepts);       /* kept, over TLS too */
    latch_http_session_clean_up(&session);                   /* its one connection: the server takes the next one then */
    assert_int_equal(get_tls("127.0.0.1"), LATCH_E_NETWORK); /* the certificate isn't for that name */
    assert_int_equal(server_requests(server), 2);
    setenv("SSL_CERT_FILE", "/nowhere/at/all.pem", 1);
    assert_int_equal(get_tls("localhost"), LATCH_E_NETWORK);
    assert_non_null(strstr(r.cx.err.message, "/nowhere/at/all.pem"));
    unlink(path);
    rmdir(dir);
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    char url[64];
    bool fitted = false;
    size_t full = 0;
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/5000", server_port(server));
    for (size_t bytes = 0; bytes < 16384; bytes += bytes < 256 ? 61 : 397) {
        room small;
        room_open(&small, bytes);
        small.cx.clock = latch_clock_system();
        small.cx.http = &session;
        latch_fetch_request request = {.url = latch_str_of(url), .headers = headers, .header_count = 2};
        latch_status status = latch_fetch(&small.cx, &request, &reply);
        assert_true(status == LATCH_OK || (status == LATCH_E_NOMEM && !fitted));
        if (status == LATCH_OK) assert_int_equal(reply.body.len, 5000);
        if (status == LATCH_OK) assert_int_equal(reply.body.ptr[4999], 'x');
        if (status != LATCH_OK) assert_true(reply.status == 0 && reply.body.ptr == NULL);
        full += status != LATCH_OK && small.cx.err.maybe_applied; /* it was sent, and there was no room for the answer */
        fitted = status == LATCH_OK;
        room_close(&small);
    }
    assert_true(fitted && full > 3);
    must_get("/");
}

static void takes_so_many_headers(void **state) {
    static char many[16384];
    static served rows[] = {{"/many", many, 0, KEEP}, {NULL, NULL, 0, KEEP}};
    (void)state;
    size_t len = (size_t)snprintf(many, sizeof many, OK_HEAD "Content-Length: 0\r\n");
    for (int i = 1; i < 200; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "X-%d: %d\r\n", i, i);
    snprintf(many + len, sizeof many - len, "\r\n");
    server_stop(server);
    server = server_start(rows, NULL);
    must_get("/many");
    assert_int_equal(reply.header_count, 128);
    assert_text(reply.headers[127].value, "127");
}

/* ── traces ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define TRACE "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

static void must_get_traced(const latch_fetch_header *added, size_t count) {
    const latch_fetch_request request = {.url = url_of("/"), .trace = true, .headers = added, .header_count = count};
    if (latch_fetch(&r.cx, &request, &reply) != LATCH_OK) fail_msg("%s", r.cx.err.message);
}

static void passes_its_trace_on_where_asked(void **state) {
    static const latch_fetch_header own[] = {{"Traceparent", {"mine", 4}}};
    (void)state;
    r.cx.trace_id = LATCH_STR(TRACE);
    must_get("/");
    assert_null(strstr(server_request(server, 0), "trace"));
    must_get_traced(NULL, 0);
    assert_non_null(strstr(server_request(server, 1), "\r\nX-Amzn-Trace-Id: " TRACE "\r\n"));
    assert_non_null(strstr(server_request(server, 1), "\r\ntraceparent: 00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01\r\n"));
    must_get_traced(own, 1);
    assert_null(strstr(server_request(server, 2), "traceparent: 00"));
    assert_non_null(strstr(server_request(server, 2), "X-Amzn-Trace-Id: "));
    static const char *const none[] = {"", "nonsense", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
                                       "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=\r\nX: 1"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        r.cx.trace_id = latch_str_of(none[i]);
        must_get_traced(NULL, 0);
        const char *sent = server_request(server, 3 + i);
        assert_true(!strstr(sent, "traceparent") && !strstr(sent, "Trace-Id") && !strstr(sent, "X: 1"));
    }
}

/* Where the invocation's spans are part of the trace, the request's own is the parent of what it causes. */
static void is_the_parent_of_what_it_causes(void **state) {
    static latch_spans spans;
    char hex[17];
    (void)state;
    r.cx.trace_id = LATCH_STR(TRACE);
    r.cx.trace_seed = 42;
    r.cx.spans = &spans;
    must_get_traced(NULL, 0);
    latch_trace_hex(latch_trace_span_id(42, spans.at[0].id), hex);
    const char *sent = strstr(server_request(server, 0), "traceparent: 00-5759e988bd862e3fe1be46a994272793-");
    assert_non_null(sent);
    assert_memory_equal(sent + strlen("traceparent: 00-5759e988bd862e3fe1be46a994272793-"), hex, 16);
}

static void is_a_span(void **state) {
    static latch_spans spans;
    (void)state;
    r.cx.spans = &spans;
    must_get("/bad");
    const latch_span_kept *s = &spans.at[0];
    assert_true(s->kind == LATCH_SPAN_FETCH && !s->open && s->http_status == 400 && s->status == LATCH_OK);
    assert_string_equal(s->name, "GET");
    assert_non_null(strstr(s->detail, "127.0.0.1:"));
    assert_int_equal(get("/garbage"), LATCH_E_NETWORK);
    assert_true(spans.at[1].status == LATCH_E_NETWORK && spans.at[1].http_status == 0);
    const latch_fetch_request odd = {.url = url_of("/?token=x"), .method = "REPORT"};
    assert_int_equal(latch_fetch(&r.cx, &odd, &reply), LATCH_OK);
    assert_string_equal(spans.at[2].name, "request");
    assert_null(strstr(spans.at[2].detail, "token"));
    assert_null(spans.innermost);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(gets_an_answer),
    ROW(gives_headers_in_their_order),
    ROW(takes_headers_of_the_last_answer_only),
    ROW(keeps_its_connection),
    ROW(sends_what_was_asked),
    ROW(leaves_nothing_for_the_next_request),
    ROW(never_asks_for_100_continue),
    ROW(times_out),
    ROW(times_out_connecting),
    ROW(tells_that_nothing_was_sent),
    ROW(refuses_answers_that_are_cut),
    ROW(bounds_the_answer),
    ROW(refuses_what_would_inject),
    ROW(says_no_secrets),
    ROW(asks_no_proxy_for_what_is_nearby),
    ROW(tells_no_proxy_s_password),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(takes_so_many_headers),
    ROW(trusts_known_authorities_only),
    ROW(passes_its_trace_on_where_asked),
    ROW(is_the_parent_of_what_it_causes),
    ROW(is_a_span),
};
// clang-format on

CHECK_MAIN(tests)

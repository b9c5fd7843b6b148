/* Streamed replies: the server's writer, and a function URL's stream on it. Server and client are one thread: the loop turns in between. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/check.h"
#include "url_stream.h"

#define PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"

static latch_loop loop;
static latch_server *server;
static latch_exchange *asked;
static latch_url_stream stream;
static unsigned resumed;
static char seen[4096]; /* by on_bytes */
static size_t seen_bytes;
static int client;
static char got[1 << 20];
static size_t got_bytes;
static bool got_end;

static void on_request(void *arg, latch_exchange *x) {
    (void)arg;
    asked = x;
}

static int set_up(void **state) {
    (void)state;
    latch_err err;
    const latch_server_config config = {.host = "127.0.0.1", .max_body_bytes = 100, .on_request = on_request};
    assert_true(latch_loop_init(&loop));
    assert_int_equal(latch_server_start(&loop, &config, &server, &err), LATCH_OK);
    client = -1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_url_stream_let_go(&stream);
    latch_server_stop(server);
    latch_url_stream_clean_up(&stream);
    stream = (latch_url_stream){0};
    latch_loop_clean_up(&loop);
    if (client >= 0) close(client);
    return 0;
}

static void tick(void *arg) { *(bool *)arg = true; }

/* One turn of the loop, at most 10 ms long. */
static void turn(void) {
    bool over = false;
    latch_timer timer = {.fn = tick, .arg = &over};
    latch_loop_arm(&loop, &timer, 10);
    latch_loop_step(&loop);
    latch_loop_disarm(&loop, &timer);
}

static void on_bytes(void *arg, latch_str bytes) {
    (void)arg;
    size_t room = sizeof seen - seen_bytes, len = bytes.len < room ? bytes.len : room;
    memcpy(seen + seen_bytes, bytes.ptr, len);
    seen_bytes += len;
}

static void resume(void *arg) {
    (void)arg;
    resumed++;
}

static void dial(int receive_bytes) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(latch_server_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (client >= 0) close(client);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes > 0) assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
}

/* Sends the request; the server holds it. */
static void ask(const char *request) {
    latch_url_stream_clean_up(&stream);
    asked = NULL;
    got_bytes = seen_bytes = 0;
    got_end = false;
    resumed = 0;
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (int i = 0; i < 500 && asked == NULL; i++)
        turn();
    assert_non_null(asked);
    latch_url_stream_init(&stream, asked, "local-1", on_bytes, NULL);
}

static void begin(const char *content_type) {
    dial(0);
    ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.sink.begin(&stream, content_type, (latch_stream_source){NULL, resume});
}

static size_t give(const char *bytes, size_t len) { return stream.sink.data(&stream, bytes, len); }

static void give_all(const char *bytes, size_t len) { assert_int_equal(give(bytes, len), len); }

static void receive(void) {
    ssize_t n = recv(client, got + got_bytes, sizeof got - 1 - got_bytes, MSG_DONTWAIT);
    if (n > 0) got_bytes += (size_t)n;
    if (n == 0 || (n < 0 && errno == ECONNRESET)) got_end = true;
    got[got_bytes] = '\0';
}

/* Until the client has this text, or its connection ended. */
static bool receives(const char *text) {
    for (int i = 0; i < 500 && !got_end; i++) {
        receive();
        if (memmem(got, got_bytes, text, strlen(text)) != NULL) return true;
        turn();
    }
    return memmem(got, got_bytes, text, strlen(text)) != NULL;
}

static bool is_cut(void) {
    for (int i = 0; i < 500 && !got_end; i++)
        receive(), turn();
    return got_end;
}

static void each_piece_is_there_at_once(void **state) {
    (void)state;
    begin("text/csv");
    assert_true(receives("HTTP/1.1 200 OK\r\n"));
    assert_true(receives("Content-Type: text/csv\r\n"));
    assert_true(receives("Transfer-Encoding: chunked\r\n"));
    assert_true(receives("x-amzn-RequestId: local-1\r\n"));
    give_all("one", 3);
    assert_true(receives("3\r\none\r\n"));
    give_all("second", 6);
    assert_true(receives("6\r\nsecond\r\n"));
    stream.sink.end(&stream, NULL, (latch_str){0});
    assert_true(receives("0\r\n\r\n"));
    assert_false(got_end); /* the connection is kept */
    assert_null(stream.problem);
    assert_int_equal(stream.body_bytes, 9);
    assert_memory_equal(seen, "onesecond", 9);
    ask("GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_string_equal(latch_exchange_target(asked), "/again");
}

static void without_a_content_type_it_is_bytes(void **state) {
    (void)state;
    begin(NULL);
    assert_true(receives("Content-Type: application/octet-stream\r\n"));
}

/* Wherever the pieces are cut, the prelude becomes the head, and all that follows the body. */
static void the_prelude_is_the_head(void **state) {
    static const char whole[] =
        "{\"statusCode\":418,\"headers\":{\"X-Pot\":\"tea\",\"content-type\":\"text/plain\"},\"cookies\":[\"a=1\",\"b=2\"]}"
        "\0\0\0\0\0\0\0\0body\0\0\0\0\0\0\0\0more";
    size_t len = sizeof whole - 1;
    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        begin(PRELUDE_TYPE);
        if (cut > 0) give_all(whole, cut);
        if (cut < len) give_all(whole + cut, len - cut);
        stream.sink.end(&stream, NULL, (latch_str){0});
        assert_true(receives("\r\n0\r\n\r\n"));
        static const char *const lines[] = {"HTTP/1.1 418 ", "X-Pot: tea\r\n", "content-type: text/plain\r\n", "Set-Cookie: a=1\r\n",
                                            "Set-Cookie: b=2\r\n"};
        for (size_t i = 0; i < COUNT_OF(lines); i++)
            if (strstr(got, lines[i]) == NULL) fail_msg("cut at %zu: no %s in %s", cut, lines[i], got);
        assert_null(strstr(got, "octet-stream"));
        assert_int_equal(stream.status, 418);
        assert_int_equal(stream.body_bytes, 16);
        assert_int_equal(seen_bytes, len);
    }
}

static void a_bad_prelude_is_a_502(void **state) {
    static const struct {
        const char *prelude;
        size_t bytes;
        const char *problem;
    } rows[] = {
        {"nonsense\0\0\0\0\0\0\0\0", 16, "the streamed answer's prelude is no JSON object"},
        {"[]\0\0\0\0\0\0\0\0", 10, "the streamed answer's prelude is no JSON object"},
        {"{\"statusCode\":99}\0\0\0\0\0\0\0\0", 25, "the streamed answer's statusCode is none from 200 to 599"},
        {"{\"headers\":{\"a\":\"b\\nc\"}}\0\0\0\0\0\0\0\0", 33, "the answer's header \"a\" can't be sent"},
        {"{}\0\0\0\0\0\0\0", 9, "the streamed answer ended within its prelude"},
        {"", 0, "the streamed answer ended within its prelude"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(PRELUDE_TYPE);
        if (rows[i].bytes > 0) give_all(rows[i].prelude, rows[i].bytes);
        if (i < 3) give_all("the rest is dropped", 19);
        stream.sink.end(&stream, NULL, (latch_str){0});
        assert_true(receives("{\"message\":\"Internal Server Error\"}"));
        assert_int_equal(stream.status, 502);
        assert_string_equal(stream.problem, rows[i].problem);
    }
}

static void an_endless_prelude_is_a_502(void **state) {
    static char x[LATCH_PRELUDE_BYTES + 1];
    (void)state;
    memset(x, 'x', sizeof x);
    begin(PRELUDE_TYPE);
    give_all(x, LATCH_PRELUDE_BYTES - 1);
    assert_int_equal(stream.status, 0);
    give_all(x, 1);
    assert_int_equal(stream.status, 502);
    assert_true(receives("Internal Server Error"));
    begin(PRELUDE_TYPE);
    give_all(x, sizeof x);
    assert_int_equal(stream.status, 502);
}

/* All a client can see of a failure after the head is that the connection ends without the last chunk. */
static void a_failure_cuts_the_connection(void **state) {
    (void)state;
    begin("text/plain");
    give_all("so far", 6);
    stream.sink.end(&stream, "Function.CardDeclined", LATCH_STR("{\"errorType\":\"CardDeclined\",\"errorMessage\":\"no funds\"}"));
    assert_true(is_cut());
    assert_non_null(strstr(got, "so far"));
    assert_null(strstr(got, "\r\n0\r\n"));
    assert_string_equal(stream.problem, "Function.CardDeclined: no funds");
    assert_int_equal(stream.status, 200);
    begin(PRELUDE_TYPE);
    stream.sink.end(&stream, "Runtime.ExitError", LATCH_STR("not JSON"));
    assert_true(receives("HTTP/1.1 502 "));
    assert_string_equal(stream.problem, "Runtime.ExitError");
}

static void a_slow_client_slows_the_function(void **state) {
    static char block[32768];
    size_t given = 0, taken;
    (void)state;
    memset(block, 'b', sizeof block);
    dial(4096);
    ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.sink.begin(&stream, "text/plain", (latch_stream_source){NULL, resume});
    for (int i = 0; i < 2000 && given < 64u * 1024 * 1024; i++) {
        given += taken = give(block, sizeof block);
        if (taken == sizeof block) continue;
        unsigned before = resumed;
        for (int j = 0; j < 20 && resumed == before; j++)
            turn();
        if (resumed == before) break; /* nothing moves any more: the client doesn't read */
    }
    assert_true(given < 16u * 1024 * 1024);
    assert_int_equal(stream.body_bytes, given);
    unsigned before = resumed;
    for (int i = 0; i < 2000 && resumed == before; i++)
        got_bytes = 0, receive(), turn();
    assert_true(resumed > before); /* it reads, and there is room again */
    assert_true(give(block, sizeof block) > 0);
}

static void a_client_that_leaves_is_not_waited_for(void **state) {
    static char block[32768];
    (void)state;
    begin("text/plain");
    give_all("so far", 6);
    assert_true(receives("so far"));
    close(client);
    client = -1;
    for (int i = 0; i < 500 && !stream.left; i++)
        give(block, sizeof block), turn();
    assert_true(stream.left);
    assert_true(resumed > 0); /* what waited for room is asked for again */
    for (int i = 0; i < 100; i++)
        give_all(block, sizeof block); /* and all of it is dropped */
    stream.sink.end(&stream, NULL, (latch_str){0});
    assert_null(stream.problem);
}

static void head_gets_no_body(void **state) {
    (void)state;
    dial(0);
    ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.sink.begin(&stream, "text/plain", (latch_stream_source){NULL, resume});
    assert_true(receives("\r\n\r\n"));
    for (int i = 0; i < 10; i++)
        turn();
    give_all("dropped", 7);
    stream.sink.end(&stream, NULL, (latch_str){0});
    for (int i = 0; i < 10; i++)
        receive(), turn();
    assert_null(strstr(got, "dropped"));
    assert_false(got_end);
}

static void an_old_client_reads_until_the_end(void **state) {
    (void)state;
    dial(0);
    ask("GET / HTTP/1.0\r\n\r\n");
    stream.sink.begin(&stream, "text/plain", (latch_stream_source){NULL, resume});
    give_all("all of it", 9);
    stream.sink.end(&stream, NULL, (latch_str){0});
    assert_true(is_cut());
    assert_null(strstr(got, "chunked"));
    assert_non_null(strstr(got, "\r\n\r\nall of it"));
}

/* The server is stopped while one waits for the function, one for its client, and one for its first byte. */
static void stops_in_the_middle(void **state) {
    (void)state;
    begin("text/plain");
    give_all("so far", 6);
    assert_true(receives("so far"));
}

static void stops_before_the_head(void **state) {
    (void)state;
    begin(PRELUDE_TYPE);
    give_all("{", 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(each_piece_is_there_at_once),
    ROW(without_a_content_type_it_is_bytes),
    ROW(the_prelude_is_the_head),
    ROW(a_bad_prelude_is_a_502),
    ROW(an_endless_prelude_is_a_502),
    ROW(a_failure_cuts_the_connection),
    ROW(a_slow_client_slows_the_function),
    ROW(a_client_that_leaves_is_not_waited_for),
    ROW(head_gets_no_body),
    ROW(an_old_client_reads_until_the_end),
    ROW(stops_in_the_middle),
    ROW(stops_before_the_head),
};

CHECK_MAIN(tests)

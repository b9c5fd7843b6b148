#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/dynamodb/connection.h"
#include "tests/dynamodb/desk.h"

#define ROW(name) cmocka_unit_test_teardown(name, tear_down)
#define IDLE_MS LATCH_HOUR_MS
#define HEAD(length) "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static desk d;
static latch_connection *c;
static latch_wire answer;

static int tear_down(void **state) {
    (void)state;
    latch_connection_close(c); /* first: the server waits for its threads, and they for us */
    c = NULL;
    desk_clear(&d);
    return 0;
}

static void begin_with(const scripted_options *options) {
    tear_down(NULL);
    desk_lay(&d, options);
    if (options != NULL) assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
}

#define begin(...)                                                                                                                         \
    do {                                                                                                                                   \
        static const scripted_answer answers_[] = {__VA_ARGS__};                                                                           \
        begin_with(&(scripted_options){.answers = answers_, .count = COUNT_OF(answers_)});                                                 \
    } while (0)

static latch_status ask_for(latch_exchange x) {
    int64_t took_ms;
    latch_arena_rewind(&d.arena, 0);
    d.err = (latch_err){0};
    if (x.head.len == 0) x.head = LATCH_STR(HEAD("2"));
    if (x.body.len == 0) x.body = LATCH_STR("{}");
    if (x.deadline_at_ms == 0) x.deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS);
    x.idle_ms = IDLE_MS;
    x.limits = (latch_wire_limits){8192, DESK_ARENA_BYTES};
    latch_status status = latch_connection_exchange(c, &x, &d.arena, &answer, &took_ms, &d.err);
    assert_true(status == LATCH_OK ? took_ms > 0 && took_ms < DESK_PATIENCE_MS : took_ms == 0);
    return status;
}

static latch_status ask(void) { return ask_for((latch_exchange){0}); }

static latch_status ask_within(int64_t ms) { return ask_for((latch_exchange){.deadline_at_ms = desk_in_ms(&d, ms)}); }

static void assert_ok(latch_status status) {
    if (status != LATCH_OK) fail_msg("%s", d.err.message);
}

/* The one that leads to the server; -1: none. */
static int find_socket(void) {
    int found = -1;
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 || ntohs(peer.sin_port) != scripted_port(d.server)) continue;
        assert_int_equal(found, -1);
        found = fd;
    }
    return found;
}

static int our_socket(void) {
    int found = find_socket();
    assert_int_not_equal(found, -1);
    return found;
}

/* ── keeping it ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void one_connection_serves_them_all(void **state) {
    (void)state;
    begin({.bytes = FAILED_CONDITION});
    for (int i = 0; i < 300; i++) {
        assert_ok(ask());
        assert_int_equal(answer.status, 400);
    }
    assert_int_equal(scripted_accepts(d.server), 1);
    assert_int_equal(latch_connection_measure(c).connections, 1);
    assert_int_equal(latch_connection_measure(c).requests, 300);
}

/* The server's FIN is there before the next request, or it isn't; either way each is answered. */
static void a_server_that_closes_now_and_then_is_no_error(void **state) {
    static const scripted_answer answers[] = {{.bytes = OK_EMPTY}};
    (void)state;
    begin_with(&(scripted_options){.answers = answers, .count = 1, .close_every = 10});
    for (int i = 0; i < 100; i++) {
        assert_ok(ask());
        if (i % 10 == 9) scripted_close_all(d.server); /* waits until the close is through */
    }
    assert_int_equal(scripted_accepts(d.server), 10);
    assert_int_equal(scripted_requests(d.server), 100);
}

static void a_close_while_idle_is_noticed_before_a_byte_is_sent(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_ok(ask());
    scripted_close_all(d.server);
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 2);
    assert_int_equal(scripted_requests(d.server), 2);
    assert_int_equal(latch_connection_measure(c).requests, 2);
}

static void bytes_that_nobody_asked_for_end_a_connection(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY, .unasked = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}, {.bytes = OK_EMPTY});
    assert_ok(ask());
    struct pollfd surplus = {.fd = find_socket(), .events = POLLIN}; /* it may come in a packet of its own, else it was seen */
    if (surplus.fd != -1) assert_int_equal(poll(&surplus, 1, (int)DESK_PATIENCE_MS), 1);
    assert_ok(ask());
    assert_int_equal(latch_wire_body(&answer).len, 2);
    assert_int_equal(scripted_accepts(d.server), 2);
}

static void what_the_answer_says_about_the_connection_holds(void **state) {
    static const struct {
        const char *bytes;
        size_t accepts;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 3},
        {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 1},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 3},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 1},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_EMPTY, 1},
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}", 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}surplus", 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const scripted_answer answers[] = {{.bytes = rows[i].bytes}};
        begin_with(&(scripted_options){.answers = answers, .count = 1});
        for (int k = 0; k < 3; k++) {
            assert_ok(ask());
            assert_int_equal(latch_wire_body(&answer).len, 2);
        }
        assert_int_equal(scripted_accepts(d.server), rows[i].accepts);
    }
}

static void html_is_an_answer_too(void **state) {
    (void)state;
    begin({.bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 27\r\n\r\n<html>sign in first</html>\r\n"});
    assert_ok(ask());
    assert_int_equal(answer.status, 200);
    assert_memory_equal(latch_wire_body(&answer).ptr, "<html>", 6);
}

/* A child of the handler doesn't inherit it; small writes go out at once; a peer that has gone is noticed. */
static void the_socket_is_as_it_must_be(void **state) {
    socklen_t size = sizeof(int);
    int no_delay = 0, alive = 0, idle_s = 0;
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_ok(ask());
    int fd = our_socket();
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &alive, &size), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &size), 0);
    assert_true(no_delay != 0 && alive != 0 && idle_s <= 20);
}

/* ── idle ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_connection_that_was_idle_for_long_is_in_doubt(void **state) {
    static const struct {
        int64_t wall_ms, boot_ms;
        size_t accepts;
    } rows[] = {
        {IDLE_MS - LATCH_MINUTE_MS, IDLE_MS - LATCH_MINUTE_MS, 1}, {IDLE_MS + 1, IDLE_MS + 1, 2}, {IDLE_MS + 1, 0, 2}, {0, IDLE_MS + 1, 2}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin({.bytes = OK_EMPTY});
        assert_ok(ask());
        d.wall_shift_us += rows[i].wall_ms * 1000;
        d.boot_shift_us += rows[i].boot_ms * 1000;
        assert_ok(ask());
        assert_int_equal(scripted_accepts(d.server), rows[i].accepts);
    }
}

static void it_may_be_tried_for_a_while(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_ok(ask());
    d.boot_shift_us += (IDLE_MS + 1) * 1000;
    assert_ok(ask_for((latch_exchange){.idle_deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS)}));
    assert_int_equal(scripted_accepts(d.server), 1);
    begin({.bytes = OK_EMPTY}, {.end = SCRIPTED_HANG}, {.bytes = OK_EMPTY});
    assert_ok(ask());
    d.wall_shift_us += (IDLE_MS + 1) * 1000;
    int64_t from = desk_in_ms(&d, 0);
    assert_int_equal(ask_for((latch_exchange){.idle_deadline_at_ms = desk_in_ms(&d, 200)}), LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "waiting for the answer", true);
    assert_in_range(desk_in_ms(&d, 0) - from, 50, 20000);
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 2);
}

/* The time for a try went by before it began (keys were fetched): nothing is spent on the old one, and there is time for another. */
static void one_that_there_is_no_time_to_try_is_replaced(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_ok(ask());
    d.boot_shift_us += (IDLE_MS + 1) * 1000;
    assert_ok(ask_for((latch_exchange){.idle_deadline_at_ms = desk_in_ms(&d, -1)}));
    assert_int_equal(scripted_accepts(d.server), 2);
    assert_int_equal(scripted_requests(d.server), 2);
}

/* A dead one is replaced at once, and the whole deadline counts for its successor. */
static void an_idle_one_that_is_closed_costs_nothing(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY}, {.bytes = OK_EMPTY, .pause_ms = 3});
    assert_ok(ask());
    d.wall_shift_us += (IDLE_MS + 1) * 1000;
    scripted_close_all(d.server);
    assert_ok(ask_for((latch_exchange){.idle_deadline_at_ms = desk_in_ms(&d, 30)})); /* the answer takes 120 ms */
    assert_int_equal(scripted_accepts(d.server), 2);
}

/* ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void each_end_of_an_answer_is_told(void **state) {
    static const char large[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Item\":";
    static const struct {
        scripted_answer answer;
        latch_status status;
        const char *says;
    } rows[] = {
        {{.end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "closed without an answer"},
        {{.end = SCRIPTED_RESET}, LATCH_E_NETWORK, "Connection reset"},
        {{.bytes = large, .end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "closed in the middle of an answer"},
        {{.bytes = large, .cut = 12, .end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "closed in the middle of an answer"},
        {{.bytes = large, .cut = 12, .pause_ms = 5, .end = SCRIPTED_RESET}, LATCH_E_NETWORK, "Connection reset"},
        {{.end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "waiting for the answer of 127.0.0.1:"},
        {{.bytes = large, .end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "reading the answer of 127.0.0.1:"},
        {{.bytes = large, .pause_ms = 30, .end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "timed out after"},
        {{.bytes = "SSH-2.0-OpenSSH_9.2\r\n"}, LATCH_E_NETWORK, "no HTTP/1.1"},
        {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"}, LATCH_E_NETWORK, "Content-Lengths"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const scripted_answer answers[] = {rows[i].answer, {.bytes = OK_EMPTY}};
        begin_with(&(scripted_options){.answers = answers, .count = 2});
        int64_t from = desk_in_ms(&d, 0);
        assert_int_equal(ask_within(rows[i].status == LATCH_E_TIMEOUT ? 600 : DESK_PATIENCE_MS), rows[i].status);
        assert_error(&d, rows[i].status, rows[i].says, true);
        assert_true(desk_in_ms(&d, 0) - from < DESK_PATIENCE_MS);
        assert_int_equal(latch_arena_mark(&d.arena), 0);
        assert_ok(ask()); /* over a new one */
        assert_int_equal(scripted_accepts(d.server), 2);
    }
}

static void headers_over_the_limit_are_told(void **state) {
    static char huge[40000];
    (void)state;
    int len = snprintf(huge, sizeof huge, "HTTP/1.1 200 OK\r\nX-Huge: ");
    memset(huge + len, 'h', 20000);
    snprintf(huge + len + 20000, 64, "\r\nContent-Length: 2\r\n\r\n{}");
    const scripted_answer answers[] = {{.bytes = huge}, {.bytes = OK_EMPTY}};
    begin_with(&(scripted_options){.answers = answers, .count = 2});
    assert_int_equal(ask(), LATCH_E_NETWORK);
    assert_error(&d, LATCH_E_NETWORK, "too long", true);
    assert_ok(ask());
}

static void slow_bytes_are_waited_for(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY, .pause_ms = 2});
    assert_ok(ask_within(DESK_PATIENCE_MS));
    assert_int_equal(latch_wire_body(&answer).len, 2);
    assert_ok(ask_within(DESK_PATIENCE_MS));
    assert_int_equal(scripted_accepts(d.server), 1);
}

static int closed_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void what_prevents_a_connection_is_told_and_nothing_was_sent(void **state) {
    static const struct {
        const char *name, *says;
        latch_status status;
    } rows[] = {{"127.0.0.1", "could not connect to 127.0.0.1", LATCH_E_NETWORK},
                {"127.0.0.1", "Connection refused", LATCH_E_NETWORK},
                {"nobody.invalid", "could not resolve nobody.invalid", LATCH_E_NETWORK},
                {"[::1]", "could not connect to [::1]", LATCH_E_NETWORK}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_with(NULL);
        desk_point(&d, rows[i].name, closed_port(), false);
        assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
        assert_int_equal(ask(), rows[i].status);
        assert_error(&d, rows[i].status, rows[i].says, false);
        assert_int_equal(latch_connection_measure(c).connections, 0);
        assert_int_equal(latch_connection_measure(c).requests, 0);
    }
}

/* A listener whose queue is full drops what comes: connecting hangs. */
static void connecting_has_a_timeout_of_its_own(void **state) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fill[8], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < COUNT_OF(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fill[i], (struct sockaddr *)&at, len);
    }
    begin_with(NULL);
    desk_point(&d, "127.0.0.1", ntohs(at.sin_port), false);
    d.settings.connect_timeout_ms = 80;
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
    int64_t from = desk_in_ms(&d, 0);
    latch_status first = ask();
    latch_err why = d.err;
    int64_t by_option = desk_in_ms(&d, 0) - from;
    d.settings.connect_timeout_ms = DESK_PATIENCE_MS;
    from = desk_in_ms(&d, 0);
    latch_status second = ask_within(80);
    int64_t by_deadline = desk_in_ms(&d, 0) - from;
    for (size_t i = 0; i < COUNT_OF(fill); i++)
        close(fill[i]);
    close(fd);
    assert_int_equal(first, LATCH_E_TIMEOUT);
    assert_non_null(strstr(why.message, "connecting to 127.0.0.1"));
    assert_false(why.maybe_applied);
    assert_in_range(by_option, 60, 20000);
    assert_int_equal(second, LATCH_E_TIMEOUT);
    assert_in_range(by_deadline, 60, 20000);
    assert_false(d.err.maybe_applied);
}

static void a_deadline_that_has_passed_sends_nothing(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    assert_int_equal(ask_within(-1), LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "no time left", false);
    assert_int_equal(scripted_accepts(d.server), 0);
    assert_ok(ask());
    assert_int_equal(ask_within(-1), LATCH_E_TIMEOUT); /* over a kept one neither */
    assert_error(&d, LATCH_E_TIMEOUT, "no time left", false);
    assert_int_equal(scripted_requests(d.server), 1);
}

/* ── an answer that comes faster than it is read: this definition is found before libc's ── */

static _Thread_local size_t flood; /* how many reads of this thread's give bytes of it, a second each */

ssize_t recv(int fd, void *at, size_t room, int flags) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    typedef ssize_t receive_fn(int, void *, size_t, int);
    receive_fn *next;
    void *symbol = dlsym(RTLD_NEXT, "recv");
    memcpy(&next, &symbol, sizeof next);
    if (flood == 0 || (flags & MSG_PEEK) != 0) return next(fd, at, room, flags);
    memset(at, 'x', room);
    if (d.boot_shift_us == 0) memcpy(at, head, sizeof head - 1);
    d.boot_shift_us += LATCH_SECOND_MS * 1000;
    return --flood > 0 ? (ssize_t)room : 0;
}

static void an_answer_without_end_is_not_read_past_the_deadline(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY, .end = SCRIPTED_HANG});
    flood = 1000;
    latch_status status = ask();
    size_t left = flood;
    flood = 0;
    assert_int_equal(status, LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "reading the answer of", true);
    assert_in_range(left, 1000 - DESK_PATIENCE_MS / LATCH_SECOND_MS - 1, 999);
}

/* ── a resolver that doesn't answer: this definition is found before libc's ── */

static sem_t answered;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    resolve_fn *next;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&next, &symbol, sizeof next);
    if (strcmp(name, "silent.invalid") != 0) return next(name, service, hints, out);
    sem_wait(&answered);
    return EAI_AGAIN;
}

static void a_resolver_is_not_waited_for_past_the_deadline(void **state) {
    (void)state;
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075700) skip(); /* before 7.87 libcurl waits for its thread */
    sem_init(&answered, 0, 0);
    begin_with(NULL);
    desk_point(&d, "silent.invalid", 8000, false);
    d.settings.connect_timeout_ms = 100;
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
    int64_t from = desk_in_ms(&d, 0);
    latch_status status = ask();
    int64_t took_ms = desk_in_ms(&d, 0) - from;
    sem_post(&answered);
    assert_int_equal(status, LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "resolving silent.invalid", false);
    assert_in_range(took_ms, 80, 20000);
}

/* The clock of the deadline is the one given, wherever it stands; and a step of it during the call never makes the call longer. */
static void deadlines_are_by_the_injected_clock(void **state) {
    (void)state;
    begin({.end = SCRIPTED_HANG});
    d.wall_shift_us = INT64_C(-86400) * 1000000 * 365;
    int64_t from = desk_in_ms(&d, 0);
    assert_int_equal(ask_within(70), LATCH_E_TIMEOUT);
    assert_in_range(desk_in_ms(&d, 0) - from, 60, 20000);
}

/* ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static char big[7000000];

static latch_exchange large_request(char *head, size_t cap) {
    memset(big, 'b', sizeof big);
    snprintf(head, cap, HEAD("%zu"), sizeof big);
    return (latch_exchange){.head = latch_str_of(head), .body = {big, sizeof big}};
}

static void a_large_request_goes_out_whole(void **state) {
    char head[128];
    static char seen[sizeof big + 256];
    (void)state;
    begin({.bytes = OK_EMPTY});
    latch_exchange x = large_request(head, sizeof head);
    assert_ok(ask_for(x));
    assert_int_equal(scripted_last(d.server, seen, sizeof seen), x.head.len + x.body.len);
    assert_memory_equal(seen, x.head.ptr, x.head.len);
    assert_memory_equal(seen + x.head.len, big, sizeof big);
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 1);
}

/* It says no to what it didn't read, and closes, or hangs on: its answer counts, the connection doesn't. */
static void an_answer_may_come_before_the_request_is_through(void **state) {
    static const scripted_end ends[] = {SCRIPTED_STALL, SCRIPTED_CLOSE};
    char head[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const scripted_answer answers[] = {
            {.bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}", .early = true, .end = ends[i]}, {.bytes = OK_EMPTY}};
        begin_with(&(scripted_options){.answers = answers, .count = 2});
        latch_status status = ask_for(large_request(head, sizeof head));
        if (status == LATCH_OK) {
            assert_int_equal(answer.status, 413);
        } else { /* a reset may overtake the answer and take it away: then the truth is that nobody knows */
            assert_int_equal(ends[i], SCRIPTED_CLOSE);
            assert_error(&d, LATCH_E_NETWORK, "", true);
        }
        assert_ok(ask()); /* over a new one */
        assert_int_equal(scripted_accepts(d.server), 2);
    }
}

static void a_reader_that_stalls_is_not_waited_for_past_the_deadline(void **state) {
    char head[128];
    (void)state;
    begin({.early = true, .end = SCRIPTED_STALL});
    latch_exchange x = large_request(head, sizeof head);
    x.deadline_at_ms = desk_in_ms(&d, 800);
    int64_t from = desk_in_ms(&d, 0);
    assert_int_equal(ask_for(x), LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "sending to", true);
    assert_true(desk_in_ms(&d, 0) - from < DESK_PATIENCE_MS);
}

static volatile sig_atomic_t pipes;
static void on_pipe(int signal_number) { pipes += signal_number == SIGPIPE; }

static void no_signal_is_raised(void **state) {
    struct sigaction count = {.sa_handler = on_pipe}, before;
    char head[128];
    (void)state;
    pipes = 0;
    sigaction(SIGPIPE, &count, &before);
    begin({.early = true, .end = SCRIPTED_RESET});
    latch_status status = ask_for(large_request(head, sizeof head));
    sigaction(SIGPIPE, &before, NULL);
    assert_int_equal(status, LATCH_E_NETWORK);
    assert_true(d.err.maybe_applied);
    assert_int_equal(pipes, 0);
}

/* ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_full_arena_is_told_before_anything_is_sent(void **state) {
    (void)state;
    begin({.bytes = OK_EMPTY});
    latch_arena small;
    _Alignas(16) char memory[512];
    int64_t took_ms;
    latch_arena_init(&small, memory, sizeof memory);
    const latch_exchange x = {.head = LATCH_STR(HEAD("0")), .deadline_at_ms = desk_in_ms(&d, DESK_PATIENCE_MS), .limits = {8192, 8192}};
    latch_status status = latch_connection_exchange(c, &x, &small, &answer, &took_ms, &d.err);
    latch_arena_clean_up(&small);
    assert_int_equal(status, LATCH_E_NOMEM);
    assert_error(&d, LATCH_E_NOMEM, "arena", false);
    assert_int_equal(scripted_accepts(d.server), 0);
}

/* ── proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void proxies_are_not_asked_for_loopback(void **state) {
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    begin({.bytes = OK_EMPTY});
    latch_status status = ask();
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_ok(status);
}

/* The proxy is asked for a tunnel, and what goes through it is for the endpoint. */
static void others_go_through_a_tunnel(void **state) {
    char proxy[64], seen[512];
    (void)state;
    begin({.bytes = "HTTP/1.1 200 Connection established\r\n\r\n"}, {.bytes = OK_EMPTY});
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", scripted_port(d.server));
    latch_connection_close(c);
    c = NULL;
    desk_point(&d, "dynamodb.example", 8000, false);
    setenv("http_proxy", proxy, 1);
    latch_status status = latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err);
    if (status == LATCH_OK) status = ask();
    if (status == LATCH_OK) status = ask();
    unsetenv("http_proxy");
    assert_ok(status);
    assert_int_equal(scripted_accepts(d.server), 1);
    assert_int_equal(scripted_requests(d.server), 3);
    scripted_last(d.server, seen, sizeof seen);
    assert_memory_equal(seen, "POST / HTTP/1.1\r\n", 17);
}

static void a_proxy_that_refuses_is_told(void **state) {
    char proxy[64];
    (void)state;
    begin({.bytes = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"});
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", scripted_port(d.server));
    latch_connection_close(c);
    c = NULL;
    desk_point(&d, "dynamodb.example", 8000, false);
    setenv("http_proxy", proxy, 1);
    latch_status status = latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err);
    if (status == LATCH_OK) status = ask();
    unsetenv("http_proxy");
    assert_int_equal(status, LATCH_E_NETWORK);
    assert_error(&d, LATCH_E_NETWORK, "403", false);
}

static void a_url_that_is_none_is_refused(void **state) {
    (void)state;
    begin_with(NULL);
    snprintf(d.url, sizeof d.url, "http://[nonsense");
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_E_MISUSE);
    assert_null(c);
}

static const struct CMUnitTest tests[] = {
    ROW(one_connection_serves_them_all),
    ROW(a_server_that_closes_now_and_then_is_no_error),
    ROW(a_close_while_idle_is_noticed_before_a_byte_is_sent),
    ROW(bytes_that_nobody_asked_for_end_a_connection),
    ROW(what_the_answer_says_about_the_connection_holds),
    ROW(html_is_an_answer_too),
    ROW(the_socket_is_as_it_must_be),
    ROW(a_connection_that_was_idle_for_long_is_in_doubt),
    ROW(it_may_be_tried_for_a_while),
    ROW(one_that_there_is_no_time_to_try_is_replaced),
    ROW(an_idle_one_that_is_closed_costs_nothing),
    ROW(each_end_of_an_answer_is_told),
    ROW(headers_over_the_limit_are_told),
    ROW(slow_bytes_are_waited_for),
    ROW(what_prevents_a_connection_is_told_and_nothing_was_sent),
    ROW(connecting_has_a_timeout_of_its_own),
    ROW(an_answer_without_end_is_not_read_past_the_deadline),
    ROW(a_resolver_is_not_waited_for_past_the_deadline),
    ROW(a_deadline_that_has_passed_sends_nothing),
    ROW(deadlines_are_by_the_injected_clock),
    ROW(a_large_request_goes_out_whole),
    ROW(an_answer_may_come_before_the_request_is_through),
    ROW(a_reader_that_stalls_is_not_waited_for_past_the_deadline),
    ROW(no_signal_is_raised),
    ROW(a_full_arena_is_told_before_anything_is_sent),
    ROW(proxies_are_not_asked_for_loopback),
    ROW(others_go_through_a_tunnel),
    ROW(a_proxy_that_refuses_is_told),
    ROW(a_url_that_is_none_is_refused),
};

CHECK_MAIN(tests)

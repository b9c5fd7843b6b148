#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/dynamodb/connection.h"
#include "tests/dynamodb/desk.h"

#define ROW(name) cmocka_unit_test_teardown(name, tear_down)
#define HEAD(length) "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static desk d;
static latch_connection *c;
static latch_wire answer;

static int tear_down(void **state) {
    (void)state;
    latch_connection_close(c);
    c = NULL;
    desk_clear(&d);
    return 0;
}

static const scripted_tls good = {.name = "localhost"};

static void begin_with(const scripted_options *options) {
    tear_down(NULL);
    desk_lay(&d, options);
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
}

#define begin(tls_, ...)                                                                                                                   \
    do {                                                                                                                                   \
        static const scripted_answer answers_[] = {__VA_ARGS__};                                                                           \
        begin_with(&(scripted_options){.answers = answers_, .count = COUNT_OF(answers_), .tls = (tls_)});                                  \
    } while (0)

static latch_status ask_for(latch_str head, latch_str body, int64_t within_ms) {
    int64_t took_ms;
    latch_arena_rewind(&d.arena, 0);
    d.err = (latch_err){0};
    const latch_exchange x = {.head = head,
                              .body = body,
                              .deadline_at_ms = desk_in_ms(&d, within_ms),
                              .idle_ms = LATCH_HOUR_MS,
                              .limits = {8192, DESK_ARENA_BYTES}};
    return latch_connection_exchange(c, &x, &d.arena, &answer, &took_ms, &d.err);
}

static latch_status ask(void) { return ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), DESK_PATIENCE_MS); }

static void assert_ok(latch_status status) {
    if (status != LATCH_OK) fail_msg("%s", d.err.message);
}

/* ── whom it speaks to ───────────────────────────────────────────────────────────────────────────────────────────── */

static void a_certificate_that_is_right_passes(void **state) {
    (void)state;
    begin(&good, {.bytes = OK_EMPTY});
    assert_ok(ask());
    assert_int_equal(answer.status, 200);
    assert_int_equal(scripted_accepts(d.server), 1);
}

static void how_it_was_made_is_told(void **state) {
    (void)state;
    begin(&good, {.bytes = OK_EMPTY});
    assert_false(latch_connection_contact(c).open);
    assert_ok(ask());
    latch_contact contact = latch_connection_contact(c);
    assert_true(contact.open && !contact.proxied && contact.tls_us > 0 && contact.tcp_us >= 0);
    assert_string_equal(contact.tls, "TLSv1.3");
    if (strcmp(contact.address, "127.0.0.1") != 0) assert_string_equal(contact.address, "::1");
    latch_connection_hang_up(c);
    assert_null(latch_connection_contact(c).tls);
}

/* Each is refused for its own reason, which is said; and no byte of the request went out. */
static void what_is_wrong_is_refused_and_said(void **state) {
    static const struct {
        scripted_tls tls;
        const char *says, *advises;
    } rows[] = {
        {{.expired = true}, "has expired", "clock"},
        {{.name = "elsewhere.example"}, "wrong host", "other names"},
        {{.other_ca = true}, "unknown CA", "AWS_CA_BUNDLE"},
        {{.old = true}, "protocol version", "TLS 1.2 or later"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(&rows[i].tls, {.bytes = OK_EMPTY});
        for (int again = 0; again < 2; again++) {
            assert_int_equal(ask(), LATCH_E_NETWORK);
            assert_error(&d, LATCH_E_NETWORK, rows[i].says, false);
            assert_non_null(strstr(d.err.message, rows[i].advises));
            for (size_t other = 0; other < COUNT_OF(rows); other++)
                assert_true(other == i || strstr(d.err.message, rows[other].says) == NULL);
        }
        assert_int_equal(scripted_requests(d.server), 0);
        assert_int_equal(latch_connection_measure(c).connections, 0);
    }
}

/* Amazon's roots and the system's bundle are real sets of certificates; none of them signed the test's. */
static void no_other_trust_lets_it_pass(void **state) {
    (void)state;
    for (int amazon = 0; amazon < 2; amazon++) {
        begin(&good, {.bytes = OK_EMPTY});
        latch_connection_close(c);
        d.settings.ca_file = NULL;
        d.settings.aws = d.settings.amazon_roots = amazon == 1;
        assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
        assert_int_equal(ask(), LATCH_E_NETWORK);
        assert_error(&d, LATCH_E_NETWORK, "unknown CA", false);
        if (amazon == 1) assert_non_null(strstr(d.err.message, "Amazon's roots"));
        assert_int_equal(scripted_requests(d.server), 0);
    }
}

static void a_ca_file_that_is_none_is_told(void **state) {
    (void)state;
    begin(&good, {.bytes = OK_EMPTY});
    latch_connection_close(c);
    d.settings.ca_file = LATCH_SOURCE_DIR "/README.md";
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
    assert_int_equal(ask(), LATCH_E_NETWORK);
    assert_error(&d, LATCH_E_NETWORK, "README.md", false);
    latch_connection_close(c);
    d.settings.ca_file = LATCH_SOURCE_DIR "/no such file";
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_E_MISUSE);
    assert_null(c);
}

static void plain_http_on_that_port_is_told(void **state) {
    static const scripted_answer answers[] = {
        {.bytes = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", .end = SCRIPTED_CLOSE, .early = true}};
    (void)state;
    desk_lay(&d, &(scripted_options){.answers = answers, .count = 1});
    desk_point(&d, "127.0.0.1", scripted_port(d.server), true);
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
    assert_int_equal(ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), 300),
                     LATCH_E_TIMEOUT); /* it waits for more of what it takes for a head */
    assert_error(&d, LATCH_E_TIMEOUT, "shaking hands with", false);
}

static void a_handshake_that_doesn_t_come_ends_in_time(void **state) {
    static const scripted_tls mute = {.mute = true};
    (void)state;
    begin(&mute, {.bytes = OK_EMPTY});
    int64_t from = desk_in_ms(&d, 0);
    assert_int_equal(ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), 300), LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "shaking hands with localhost:", false);
    assert_in_range(desk_in_ms(&d, 0) - from, 80, 20000);
}

/* ── keeping it ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void one_connection_survives_a_thousand_failed_conditions(void **state) {
    (void)state;
    begin(&good, {.bytes = FAILED_CONDITION});
    for (int i = 0; i < 1000; i++) {
        assert_ok(ask());
        assert_int_equal(answer.status, 400);
    }
    assert_int_equal(scripted_accepts(d.server), 1);
    assert_int_equal(scripted_requests(d.server), 1000);
}

static void closes_are_noticed_and_sessions_resumed(void **state) {
    static const scripted_answer answers[] = {{.bytes = OK_EMPTY}};
    (void)state;
    begin_with(&(scripted_options){.answers = answers, .count = 1, .close_every = 10, .tls = &good});
    for (int i = 0; i < 50; i++) {
        assert_ok(ask());
        if (i % 10 == 9) scripted_close_all(d.server);
    }
    assert_int_equal(scripted_accepts(d.server), 5);
    assert_int_equal(scripted_requests(d.server), 50);
    assert_int_equal(scripted_resumed(d.server), 4);
    scripted_close_all(d.server); /* while it is idle */
    assert_ok(ask());
    assert_int_equal(scripted_requests(d.server), 51);
}

static void an_idle_one_in_doubt_is_replaced(void **state) {
    (void)state;
    begin(&good, {.bytes = OK_EMPTY});
    assert_ok(ask());
    d.boot_shift_us += 59 * LATCH_MINUTE_MS * 1000;
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 1);
    d.boot_shift_us += LATCH_HOUR_MS * 1000 + 1000;
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 2);
}

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A record has 16 384 bytes: heads and bodies that end before, at and behind its end come whole. */
static void every_length_around_a_record_comes_whole(void **state) {
    static const size_t lengths[] = {0, 1, 16000, 16384 - 60, 16384 - 48, 16384, 16385, 32768, 1000000};
    static char body[1000000], seen[sizeof body + 256];
    char head[128];
    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 26);
    begin(&good, {.bytes = OK_EMPTY});
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t head_len = (size_t)snprintf(head, sizeof head, HEAD("%zu"), lengths[i]);
        assert_ok(ask_for(latch_str_of(head), (latch_str){body, lengths[i]}, DESK_PATIENCE_MS));
        assert_int_equal(scripted_last(d.server, seen, sizeof seen), head_len + lengths[i]);
        assert_memory_equal(seen, head, head_len);
        if (lengths[i] > 0) assert_memory_equal(seen + head_len, body, lengths[i]);
    }
    assert_int_equal(scripted_accepts(d.server), 1);
}

static void a_head_longer_than_a_record_comes_whole(void **state) {
    static char head[20100], seen[20200];
    (void)state;
    begin(&good, {.bytes = OK_EMPTY});
    int len = snprintf(head, sizeof head, "POST / HTTP/1.1\r\nContent-Length: 2\r\nX-Long: ");
    memset(head + len, 'x', 20000);
    snprintf(head + len + 20000, 8, "\r\n\r\n");
    assert_ok(ask_for(latch_str_of(head), LATCH_STR("{}"), DESK_PATIENCE_MS));
    assert_int_equal(scripted_last(d.server, seen, sizeof seen), strlen(head) + 2);
    assert_memory_equal(seen + strlen(head), "{}", 2);
}

static void each_end_of_an_answer_is_told(void **state) {
    static const char large[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Item\":";
    static const struct {
        scripted_answer answer;
        latch_status status;
        const char *says;
    } rows[] = {
        {{.end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "closed without an answer"},
        {{.end = SCRIPTED_RESET}, LATCH_E_NETWORK, "waiting for the answer of localhost:"},
        {{.bytes = large, .end = SCRIPTED_CLOSE}, LATCH_E_NETWORK, "closed in the middle of an answer"},
        {{.bytes = large, .pause_ms = 3, .end = SCRIPTED_RESET}, LATCH_E_NETWORK, "waiting for the answer of localhost:"},
        {{.end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "waiting for the answer of localhost:"},
        {{.bytes = large, .end = SCRIPTED_HANG}, LATCH_E_TIMEOUT, "reading the answer of localhost:"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const scripted_answer answers[] = {rows[i].answer, {.bytes = OK_EMPTY}};
        begin_with(&(scripted_options){.answers = answers, .count = 2, .tls = &good});
        int64_t from = desk_in_ms(&d, 0);
        assert_int_equal(ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), rows[i].status == LATCH_E_TIMEOUT ? 800 : DESK_PATIENCE_MS),
                         rows[i].status);
        assert_error(&d, rows[i].status, rows[i].says, true);
        assert_true(desk_in_ms(&d, 0) - from < DESK_PATIENCE_MS);
        assert_ok(ask());
        assert_int_equal(scripted_accepts(d.server), 2);
    }
}

static void slow_bytes_and_chunks_are_put_together(void **state) {
    (void)state;
    begin(&good, {.bytes = OK_EMPTY, .pause_ms = 1},
          {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"});
    assert_ok(ask());
    assert_ok(ask());
    assert_memory_equal(latch_wire_body(&answer).ptr, "{}", 2);
    assert_int_equal(scripted_accepts(d.server), 1);
}

static char big[7000000];

static void a_large_request_that_nobody_reads_ends_in_time(void **state) {
    char head[128];
    (void)state;
    begin(&good, {.early = true, .end = SCRIPTED_STALL});
    snprintf(head, sizeof head, HEAD("%zu"), sizeof big);
    assert_int_equal(ask_for(latch_str_of(head), (latch_str){big, sizeof big}, 1000), LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "sending to", true);
}

static void an_answer_may_come_before_the_request_is_through(void **state) {
    char head[128];
    (void)state;
    begin(&good, {.bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}", .early = true, .end = SCRIPTED_STALL},
          {.bytes = OK_EMPTY});
    snprintf(head, sizeof head, HEAD("%zu"), sizeof big);
    assert_ok(ask_for(latch_str_of(head), (latch_str){big, sizeof big}, DESK_PATIENCE_MS));
    assert_int_equal(answer.status, 413);
    assert_ok(ask());
    assert_int_equal(scripted_accepts(d.server), 2);
}

/* An answer of `len` bytes of body, which one record holds as a whole; *end is where it ends. */
static const char *answer_of(const char *status, size_t len, char **end) {
    static char bytes[16384];
    int head = snprintf(bytes, sizeof bytes, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, len);
    assert_true((size_t)head + len < sizeof bytes);
    memset(bytes + head, 'x', len);
    *end = bytes + head + len;
    **end = '\0';
    return bytes;
}

/* What came in one record with an answer lies in the TLS layer, and the socket is silent: it is nobody's answer all the same. */
static void bytes_that_nobody_asked_for_end_a_connection(void **state) {
    char *end;
    const char *bytes = answer_of("200 OK", 12000, &end);
    (void)state;
    strcpy(end, "HTTP/1.1 418 Stale\r\nContent-Length: 0\r\n\r\n");
    begin_with(&(scripted_options){.answers = (const scripted_answer[]){{.bytes = bytes}, {.bytes = OK_EMPTY}}, .count = 2, .tls = &good});
    assert_ok(ask());
    assert_int_equal(latch_wire_body(&answer).len, 12000);
    assert_ok(ask());
    assert_int_equal(answer.status, 200);
    assert_int_equal(scripted_accepts(d.server), 2);
}

/* All of an early answer is in the TLS layer after one read of the socket, which then says nothing more. */
static void an_early_answer_is_read_to_its_end(void **state) {
    char head[128], *end;
    const char *bytes = answer_of("413 Too Large", 12000, &end);
    (void)state;
    begin_with(&(scripted_options){
        .answers = (const scripted_answer[]){{.bytes = bytes, .early = true, .end = SCRIPTED_STALL}}, .count = 1, .tls = &good});
    snprintf(head, sizeof head, HEAD("%zu"), sizeof big);
    assert_ok(ask_for(latch_str_of(head), (latch_str){big, sizeof big}, 5000));
    assert_int_equal(answer.status, 413);
    assert_int_equal(latch_wire_body(&answer).len, 12000);
}

/* ── through a proxy ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* One tunnel at a time, to where `port` says, whatever it is asked for. */
typedef struct proxy {
    pthread_t thread;
    int fd, port;
    const char *answer; /* to CONNECT; NULL: none */
    int tunnels;        /* that were opened; for the test when it is stopped */
    int ended;          /* of them, whose client's side is closed; atomic */
    char asked[512];    /* the last CONNECT */
} proxy;

static int loopback(int port, bool listens) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = listens ? bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 8) : connect(fd, (struct sockaddr *)&at, sizeof at);
    return failed == 0 ? fd : -1;
}

static void tunnel(int one, int other) {
    struct pollfd fds[2] = {{.fd = one, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    char bytes[4096];
    while (poll(fds, 2, -1) > 0) {
        for (int i = 0; i < 2; i++) {
            ssize_t n = fds[i].revents != 0 ? recv(fds[i].fd, bytes, sizeof bytes, 0) : 0;
            if (fds[i].revents != 0 && n <= 0) return;
            if (n > 0 && send(fds[1 - i].fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) return;
        }
    }
}

static void *run_proxy(void *self) {
    proxy *p = self;
    int fd, out = -1;
    while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
        size_t len = 0;
        ssize_t n = 1;
        p->asked[0] = '\0';
        while (n > 0 && strstr(p->asked, "\r\n\r\n") == NULL && len < sizeof p->asked - 1) {
            n = recv(fd, p->asked + len, sizeof p->asked - 1 - len, 0);
            len += n > 0 ? (size_t)n : 0;
            p->asked[len] = '\0';
        }
        p->tunnels++;
        if (p->answer != NULL) (void)!send(fd, p->answer, strlen(p->answer), MSG_NOSIGNAL);
        if (p->answer != NULL) out = loopback(p->port, false);
        if (out >= 0) tunnel(fd, out);
        if (p->answer == NULL) (void)!recv(fd, p->asked, 1, 0); /* until the client goes */
        if (out >= 0) close(out);
        close(fd);
        __atomic_add_fetch(&p->ended, 1, __ATOMIC_RELEASE);
        out = -1;
    }
    return NULL;
}

static void start_proxy(proxy *p, const char *variable) {
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    char url[64];
    p->fd = loopback(0, true);
    assert_true(p->fd >= 0 && getsockname(p->fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%d", ntohs(at.sin_port));
    setenv(variable, url, 1);
    assert_int_equal(pthread_create(&p->thread, NULL, run_proxy, p), 0);
}

/* Its client has gone, or goes now. */
static void stop_proxy(proxy *p, const char *variable) {
    latch_connection_close(c);
    c = NULL;
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
    unsetenv(variable);
}

static const scripted_tls far_away = {.name = "dynamodb.example"};

static void point_far_away(void) {
    static const char *const variables[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"};
    static const scripted_answer answers[] = {{.bytes = OK_EMPTY}};
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]); /* those of the machine */
    begin_with(&(scripted_options){.answers = answers, .count = 1, .tls = &far_away});
    latch_connection_close(c);
    c = NULL;
    desk_point(&d, "dynamodb.example", 443, true);
    assert_int_equal(latch_connection_open(&c, &d.settings, desk_clock(&d), &d.err), LATCH_OK);
}

/* It is asked for a tunnel, and the endpoint is who shakes hands at its end; the connection is kept, and replaced where it was closed. */
static void a_tunnel_is_shaken_hands_through(void **state) {
    static const char *const variables[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        point_far_away();
        proxy p = {.port = scripted_port(d.server), .answer = "HTTP/1.1 200 Connection established\r\n\r\n"};
        latch_status status = LATCH_OK;
        start_proxy(&p, variables[i]);
        for (int n = 0; n < 20 && status == LATCH_OK; n++)
            status = ask();
        scripted_close_all(d.server);
        for (int n = 0; n < DESK_PATIENCE_MS && status == LATCH_OK && __atomic_load_n(&p.ended, __ATOMIC_ACQUIRE) == 0; n++)
            poll(NULL, 0, 1); /* the word of it goes through the proxy */
        if (status == LATCH_OK) status = ask();
        size_t accepts = scripted_accepts(d.server), requests = scripted_requests(d.server);
        stop_proxy(&p, variables[i]);
        assert_ok(status);
        assert_int_equal(p.tunnels, 2);
        assert_int_equal(accepts, 2);
        assert_int_equal(requests, 21);
        assert_ptr_equal(strstr(p.asked, "CONNECT dynamodb.example:443 HTTP/1.1\r\n"), p.asked);
    }
}

/* Whoever answers at the end of the tunnel is verified by the endpoint's name, not by the proxy's. */
static void another_at_the_end_of_a_tunnel_is_refused(void **state) {
    (void)state;
    point_far_away();
    desk_point(&d, "dynamodb.elsewhere", 443, true);
    proxy p = {.port = scripted_port(d.server), .answer = "HTTP/1.1 200 OK\r\n\r\n"};
    start_proxy(&p, "HTTPS_PROXY");
    latch_status status = ask();
    stop_proxy(&p, "HTTPS_PROXY");
    assert_int_equal(status, LATCH_E_NETWORK);
    assert_error(&d, LATCH_E_NETWORK, "wrong host", false);
    assert_int_equal(scripted_requests(d.server), 0);
}

static void a_proxy_that_doesn_t_answer_ends_in_time(void **state) {
    (void)state;
    point_far_away();
    proxy p = {.answer = NULL};
    start_proxy(&p, "HTTPS_PROXY");
    int64_t from = desk_in_ms(&d, 0);
    latch_status status = ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), 500);
    int64_t took_ms = desk_in_ms(&d, 0) - from;
    stop_proxy(&p, "HTTPS_PROXY");
    assert_int_equal(status, LATCH_E_TIMEOUT);
    assert_error(&d, LATCH_E_TIMEOUT, "dynamodb.example", false);
    assert_in_range(took_ms, 100, 20000);
}

/* Nobody is at the end of the name: what matters is who was not asked. */
static void no_proxy_is_heeded(void **state) {
    static const char *const rows[] = {"dynamodb.example", "other.invalid,.example", "*"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        point_far_away();
        proxy p = {.port = scripted_port(d.server), .answer = "HTTP/1.1 200 OK\r\n\r\n"};
        setenv("NO_PROXY", rows[i], 1);
        start_proxy(&p, "HTTPS_PROXY");
        latch_status status = ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), 5000);
        stop_proxy(&p, "HTTPS_PROXY");
        unsetenv("NO_PROXY");
        assert_true(status == LATCH_E_NETWORK || status == LATCH_E_TIMEOUT);
        assert_int_equal(p.tunnels, 0);
    }
}

/* Proxies have passwords in their URLs, and errors are logged. */
static void no_proxy_s_password_is_told(void **state) {
    static const char *const rows[] = {
        "http://user:secret@127.0.0.1:99999", "http://user:secret@[nonsense",   "ftp://user:secret@127.0.0.1:1",
        "http://user:secret@no.invalid:1",    "http://user:secret@127.0.0.1:1", "http://user:secret@ho st:1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        point_far_away();
        setenv("HTTPS_PROXY", rows[i], 1);
        latch_status status = ask_for(LATCH_STR(HEAD("2")), LATCH_STR("{}"), 5000);
        unsetenv("HTTPS_PROXY");
        assert_true(status == LATCH_E_NETWORK || status == LATCH_E_TIMEOUT);
        assert_false(d.err.maybe_applied);
        if (strstr(d.err.message, "secret") != NULL) fail_msg("%s", d.err.message);
    }
}

static const struct CMUnitTest tests[] = {
    ROW(a_certificate_that_is_right_passes),
    ROW(how_it_was_made_is_told),
    ROW(what_is_wrong_is_refused_and_said),
    ROW(no_other_trust_lets_it_pass),
    ROW(a_ca_file_that_is_none_is_told),
    ROW(plain_http_on_that_port_is_told),
    ROW(a_handshake_that_doesn_t_come_ends_in_time),
    ROW(one_connection_survives_a_thousand_failed_conditions),
    ROW(closes_are_noticed_and_sessions_resumed),
    ROW(an_idle_one_in_doubt_is_replaced),
    ROW(every_length_around_a_record_comes_whole),
    ROW(a_head_longer_than_a_record_comes_whole),
    ROW(each_end_of_an_answer_is_told),
    ROW(slow_bytes_and_chunks_are_put_together),
    ROW(a_large_request_that_nobody_reads_ends_in_time),
    ROW(an_answer_may_come_before_the_request_is_through),
    ROW(bytes_that_nobody_asked_for_end_a_connection),
    ROW(an_early_answer_is_read_to_its_end),
    ROW(a_tunnel_is_shaken_hands_through),
    ROW(another_at_the_end_of_a_tunnel_is_refused),
    ROW(a_proxy_that_doesn_t_answer_ends_in_time),
    ROW(no_proxy_is_heeded),
    ROW(no_proxy_s_password_is_told),
};

CHECK_MAIN(tests)

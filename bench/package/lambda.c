/*
 * lambda MODE EVENT EXPECTED BOOTSTRAP - starts a function as Lambda does, is its Runtime API, and prints one line of JSON about it.
 *
 *     start    microseconds from before its exec until it connected, asked for /next, and had answered EVENT; and of CPU until it asked,
 *              which a busy machine changes least
 *     memory   KiB resident while its first /next is held, half a second long
 *     warm:N   N invocations after 500 others: microseconds of each (p50, p99) and of CPU, user and system of all its threads, on average
 *
 * EVENT is a file; an answer must have the text EXPECTED in it. A function that ends, reports an error, answers something else, or is silent
 * for LATCH_BENCH_PATIENCE_MS (10 s) is no figure: exit status 1, and its misdeed on standard error.
 *
 * One process starts and serves, so one clock is read, and no other process has to wake between the start and the figure.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/common/function.h"

#define WARM_UPS 500
#define HOLD_MS 500
#define MAX_CONNECTIONS 8
#define MAX_BYTES ((size_t)1 << 20)

typedef struct connection {
    int fd;
    size_t len;
    char in[MAX_BYTES + 1];
} connection;

typedef struct bench {
    function function;
    const char *expected;
    char *event;
    size_t event_len;
    int64_t spawned_at_ns, connected_at_ns, arrived_at_ns; /* arrived: the last request's last byte */
    int listening;
    size_t count;
    connection *connections[MAX_CONNECTIONS];
} bench;

typedef struct request {
    connection *from;
    size_t len; /* of all of it, at the front of from->in */
    const char *body;
    function_request is;
} request;

/* ── the start ── */

static void read_event(bench *b, const char *path) {
    FILE *f = fopen(path, "rb");
    b->event = malloc(MAX_BYTES);
    if (f == NULL || b->event == NULL) function_fail(&b->function, "can't be asked: %s: %s", path, strerror(errno));
    b->event_len = fread(b->event, 1, MAX_BYTES, f);
    fclose(f);
}

/* What it prints goes where our own errors go: standard output has our one line. */
static void start_it(bench *b, char **command) {
    posix_spawn_file_actions_t actions;
    int code;
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) != 0)
        function_fail(&b->function, "can't be started: out of memory");
    b->spawned_at_ns = bench_now_ns(CLOCK_MONOTONIC);
    if ((code = posix_spawn(&b->function.child, command[0], &actions, NULL, command, environ)) != 0) {
        b->function.child = 0;
        function_fail(&b->function, "can't be started: %s", strerror(code));
    }
    posix_spawn_file_actions_destroy(&actions);
    function_watch(&b->function);
}

/* ── requests ── */

/* The bytes of a chunked body, its trailers included; 0: it isn't whole. */
static size_t chunked_length(const char *from, const char *end) {
    const char *at = from, *line;
    while ((line = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
        size_t size = strtoul(at, NULL, 16);
        if (size == 0) {
            const char *last = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
            return last == NULL ? 0 : (size_t)(last + 4 - from);
        }
        if ((size_t)(end - line) < size + 4) return 0;
        at = line + 2 + size + 2;
    }
    return 0;
}

static bool is_whole(connection *from, request *out) {
    from->in[from->len] = '\0';
    char *end = strstr(from->in, "\r\n\r\n");
    if (end == NULL) return false;
    *end = '\0';
    char *length = strcasestr(from->in, "\r\ncontent-length:"), *coding = strcasestr(from->in, "\r\ntransfer-encoding: chunked");
    size_t head = (size_t)(end - from->in) + 4, body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    *out = (request){.from = from, .body = end + 4, .is = function_request_of(from->in)};
    *end = '\r';
    if (coding != NULL) body = chunked_length(out->body, from->in + from->len);
    if ((coding != NULL && body == 0) || from->len - head < body) return false;
    out->len = head + body;
    return true;
}

static void accept_one(bench *b) {
    int on = 1, fd = accept4(b->listening, NULL, NULL, SOCK_CLOEXEC);
    if (b->connected_at_ns == 0) b->connected_at_ns = bench_now_ns(CLOCK_MONOTONIC);
    if (fd < 0) return;
    connection *c = b->count < MAX_CONNECTIONS ? malloc(sizeof *c) : NULL;
    if (c == NULL) function_fail(&b->function, "opened more than %d connections", MAX_CONNECTIONS);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    c->len = 0;
    b->connections[b->count++] = c;
}

static void forget(bench *b, size_t i) {
    close(b->connections[i]->fd);
    free(b->connections[i]);
    b->connections[i] = b->connections[--b->count];
}

/* True: a whole request is there. */
static bool receive(bench *b, size_t i, request *out) {
    connection *c = b->connections[i];
    ssize_t n = recv(c->fd, c->in + c->len, MAX_BYTES - c->len, 0);
    if (n <= 0) {
        forget(b, i);
        return false;
    }
    b->arrived_at_ns = bench_now_ns(CLOCK_MONOTONIC);
    c->len += (size_t)n;
    return is_whole(c, out);
}

/* The next request, whichever connection brings it. */
static request await(bench *b, const char *when) {
    int64_t until_ns = bench_now_ns(CLOCK_MONOTONIC) + b->function.patience_ns;
    request out;
    for (;;) {
        struct pollfd fds[MAX_CONNECTIONS + 2] = {{.fd = b->listening, .events = POLLIN}, {.fd = b->function.child_fd, .events = POLLIN}};
        size_t count = b->count;
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = b->connections[i]->fd, .events = POLLIN};
        int64_t left_ms = (until_ns - bench_now_ns(CLOCK_MONOTONIC)) / 1000000;
        if (left_ms <= 0) function_fail_silent(&b->function, when);
        if (poll(fds, (nfds_t)count + 2, (int)left_ms) < 0 && errno != EINTR)
            function_fail(&b->function, "can't be waited for: %s", strerror(errno));
        for (size_t i = count; i-- > 0;) { /* downwards: forgetting one moves the last into its place */
            if (fds[i + 2].revents != 0 && receive(b, i, &out)) return out;
        }
        if (fds[0].revents != 0) accept_one(b);
        if (fds[1].revents != 0) function_fail_ended(&b->function, when);
    }
}

static void answer(bench *b, const request *r, const char *head, int head_len, const char *body, size_t body_len) {
    connection *c = r->from;
    char text[MAX_BYTES / 2];
    memmove(c->in, c->in + r->len, c->len - r->len);
    c->len -= r->len;
    if (head_len <= 0 || (size_t)head_len + body_len > sizeof text) function_fail(&b->function, "can't be answered: the event is too long");
    memcpy(text, head, (size_t)head_len);
    memcpy(text + head_len, body, body_len);
    size_t len = (size_t)head_len + body_len;
    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) function_fail(&b->function, "hung up before its answer");
}

/* ── an invocation ── */

static request await_next(bench *b, const char *when) {
    request r = await(b, when);
    if (!r.is.is_next) function_fail(&b->function, "asked for something else than /next %s: %.300s", when, r.from->in);
    return r;
}

static void send_event(bench *b, const request *r) {
    char head[1024];
    int len = function_write_head(&b->function, head, sizeof head, b->event_len, bench_now_ns(CLOCK_REALTIME) / 1000000000 * 1000 + 30000);
    answer(b, r, head, len, b->event, b->event_len);
}

static void take_response(bench *b) {
    request r = await(b, "before it answered an invocation");
    if (!r.is.is_response) function_fail(&b->function, "did not answer its invocation, but said: %.1000s", r.from->in);
    r.from->in[r.len] = '\0'; /* what follows is nothing: one request at a time */
    if (strstr(r.body, b->expected) == NULL) function_fail(&b->function, "answered without %s: %.1000s", b->expected, r.body);
    answer(b, &r, FUNCTION_ACCEPTED, (int)strlen(FUNCTION_ACCEPTED), "", 0);
}

/* ── the modes ── */

static double us(const bench *b, int64_t at_ns) { return (double)(at_ns - b->spawned_at_ns) / 1e3; }

static void start(bench *b) {
    request next = await_next(b, "before it asked for /next");
    int64_t next_at_ns = b->arrived_at_ns;
    double next_cpu_us = (double)bench_now_ns(function_cpu(&b->function)) / 1e3;
    send_event(b, &next);
    take_response(b);
    printf("{\"connected_us\":%.1f,\"next_us\":%.1f,\"next_cpu_us\":%.1f,\"answered_us\":%.1f}\n", us(b, b->connected_at_ns),
           us(b, next_at_ns), next_cpu_us, us(b, b->arrived_at_ns));
}

static long field_kib(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? -1 : strtol(at + strlen(name), NULL, 10);
}

/* smaps_rollup, not status: newer kernels round what status says by many pages. */
static void memory(bench *b) {
    char path[64], text[4096] = "";
    (void)await_next(b, "before it asked for /next");
    struct pollfd fds = {.fd = b->function.child_fd, .events = POLLIN};
    if (poll(&fds, 1, HOLD_MS) != 0) function_fail_ended(&b->function, "while its /next was held");
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)b->function.child);
    FILE *f = fopen(path, "r");
    if (f == NULL) function_fail(&b->function, "has no %s to read: %s", path, strerror(errno));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    long rss = field_kib(text, "\nRss:"), pss = field_kib(text, "\nPss:"), anonymous = field_kib(text, "\nAnonymous:");
    if (rss <= 0 || pss <= 0 || anonymous < 0) function_fail(&b->function, "has a %s without Rss, Pss, Anonymous", path);
    printf("{\"rss_kib\":%ld,\"pss_kib\":%ld,\"anonymous_kib\":%ld}\n", rss, pss, anonymous);
}

static void warm(bench *b, size_t count) {
    double *took = calloc(count, sizeof *took);
    clockid_t cpu = function_cpu(&b->function);
    int64_t cpu_from_ns = 0;
    if (took == NULL) function_fail(&b->function, "can't be measured: out of memory");
    for (size_t n = 0; n < count + WARM_UPS; n++) {
        request next = await_next(b, "between two invocations");
        if (n == WARM_UPS) cpu_from_ns = bench_now_ns(cpu);
        int64_t from_ns = bench_now_ns(CLOCK_MONOTONIC);
        send_event(b, &next);
        take_response(b);
        if (n >= WARM_UPS) took[n - WARM_UPS] = (double)(b->arrived_at_ns - from_ns) / 1e3;
    }
    (void)await_next(b, "after its last invocation");
    double cpu_us = (double)(bench_now_ns(cpu) - cpu_from_ns) / 1e3 / (double)count;
    printf("{\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.2f}\n", bench_percentile(took, count, 50), bench_percentile(took, count, 99),
           cpu_us);
    free(took);
}

int main(int argc, char **argv) {
    static bench b;
    if (argc < 5) {
        fputs("usage: lambda start|memory|warm:N EVENT EXPECTED BOOTSTRAP [ARGUMENT…]\n", stderr);
        return 2;
    }
    const char *mode = argv[1];
    size_t count = strncmp(mode, "warm:", 5) == 0 ? strtoul(mode + 5, NULL, 10) : 0;
    if (strcmp(mode, "start") != 0 && strcmp(mode, "memory") != 0 && count == 0) {
        fprintf(stderr, "lambda: there is no mode %s: start, memory, warm:N\n", mode);
        return 2;
    }
    b.expected = argv[3];
    function_init(&b.function, "lambda", argv[4], 10000);
    read_event(&b, argv[2]);
    b.listening = function_listen(&b.function, 0, 16);
    start_it(&b, argv + 4);
    if (count > 0) {
        warm(&b, count);
    } else if (strcmp(mode, "start") == 0) {
        start(&b);
    } else {
        memory(&b);
    }
    function_end(&b.function);
    return 0;
}

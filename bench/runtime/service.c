/*
 * service MODE COMMAND [ARGUMENT…] - starts a function as Lambda does, is its Runtime API, and prints one line of JSON about it.
 *
 *     echo:N          N invocations after 500 others of an event that it must answer with: microseconds from writing the event until the
 *                     whole answer is read (p50, p99), from then until it asks for the next (ready), and of CPU, user and system of all its
 *                     threads; instructions where the machine counts them
 *     big:BYTES       one event of so many bytes after 20 small ones, which it must answer with: microseconds, CPU, and by how many bytes its
 *                     resident memory grew at most
 *     stream:BYTES    a streamed answer of so many bytes after 3 of 1 MB: the same
 *     workers:MS      invocations in so many milliseconds, by as many connections as AWS_LAMBDA_MAX_CONCURRENCY says
 *
 * A function that ends, reports an error, answers something else, or is silent for LATCH_BENCH_PATIENCE_MS (20 s) is no figure: exit status 1,
 * and its misdeed on standard error.
 *
 * One thread that sleeps in recv, so that what is measured is the function: where all requests come by one connection, on that; in epoll
 * where they don't.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench/common/function.h"

#define ECHO_WARM_UPS 500
#define BIG_WARM_UPS 20
#define STREAM_WARM_UPS 3
#define STREAM_WARM_UP_BYTES 1000000
#define MAX_CONNECTIONS 256
#define IN_BYTES ((size_t)256 << 10)
#define HEAD_BYTES ((size_t)64 << 10)
#define MAX_BODY_BYTES ((size_t)32 << 20)
#define LOOK_MS 50 /* while recv waits on the one connection: others, and the function's end */
#define PERIOD 64  /* of a stream's bytes: '!' to '`' and again */
#define MARK "bench-41c7"
#define ITEM_BYTES 60000 /* of a big event's texts: its parsed document is no weight beside them */

typedef enum state { HEAD, SIZED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS } state;

typedef struct connection {
    int fd;
    size_t at, filled; /* what is read and not yet taken */
    state state;
    bool whole; /* a request that was told and is not yet answered */
    function_request is;
    bool has_prelude; /* a stream's: as far as 8 NULs it is not the stream */
    uint64_t left;    /* of the body, or of its chunk */
    uint64_t body_bytes;
    char line[256], what[512]; /* its first line; and more of it, for errors */
    size_t zeroes;
    char in[IN_BYTES + 1];
} connection;

typedef struct bench {
    function function;
    int64_t arrived_at_ns; /* the last bytes did */
    int listening, epoll, counter;
    uint64_t requests, elsewhere; /* what didn't come by the first connection */
    bool alone;                   /* sleep in recv */
    bool streaming;
    size_t count;
    connection *connections[MAX_CONNECTIONS];
    char *event, *body; /* the last event; the last answer, up to MAX_BODY_BYTES */
    size_t event_len, body_len, body_cap;
    char pattern[IN_BYTES + PERIOD];
} bench;

/* ── the start ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void watch(bench *b, int fd, connection *c) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &event) != 0) function_fail(&b->function, "can't be watched: %s", strerror(errno));
}

static void listen_for_it(bench *b) {
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (b->epoll < 0) function_fail(&b->function, "can't be served: %s", strerror(errno));
    b->listening = function_listen(&b->function, SOCK_NONBLOCK, MAX_CONNECTIONS);
    watch(b, b->listening, NULL);
}

/* Instructions of it and of all its threads, from its exec on; -1: this machine counts none. */
static int count_instructions(pid_t pid) {
    struct perf_event_attr what = {.type = PERF_TYPE_HARDWARE, .size = sizeof what, .config = PERF_COUNT_HW_INSTRUCTIONS};
    what.disabled = what.enable_on_exec = what.inherit = 1;
    return (int)syscall(SYS_perf_event_open, &what, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int64_t instructions(const bench *b) {
    int64_t out = 0;
    if (b->counter < 0 || read(b->counter, &out, sizeof out) != (ssize_t)sizeof out) return -1;
    return out;
}

/* What it prints goes where our own errors go: standard output has our one line. It waits until it is counted. */
static void start_it(bench *b, char **command) {
    int gate[2];
    char go = 0;
    if (pipe2(gate, O_CLOEXEC) != 0 || (b->function.child = fork()) < 0)
        function_fail(&b->function, "can't be started: %s", strerror(errno));
    if (b->function.child == 0) {
        close(gate[1]);
        if (read(gate[0], &go, 1) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) _exit(126);
        execv(command[0], command);
        fprintf(stderr, "service: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    close(gate[0]);
    b->counter = count_instructions(b->function.child);
    close(gate[1]);
    function_watch(&b->function);
    watch(b, b->function.child_fd, (connection *)b);
}

/* ── a request ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void keep(bench *b, const char *from, size_t n) {
    if (b->body_len + n > MAX_BODY_BYTES) function_fail(&b->function, "answered with more than %zu bytes", MAX_BODY_BYTES);
    if (b->body_len + n > b->body_cap) {
        b->body_cap = 2 * (b->body_len + n);
        b->body = realloc(b->body, b->body_cap);
        if (b->body == NULL) function_fail(&b->function, "can't be measured: out of memory");
    }
    memcpy(b->body + b->body_len, from, n);
    b->body_len += n;
}

/* A stream isn't kept: it is looked at as it comes. */
static void take_stream(bench *b, connection *c, const char *from, size_t n) {
    for (; c->has_prelude && n > 0; from++, n--) {
        c->zeroes = *from == '\0' ? c->zeroes + 1 : 0;
        if (c->zeroes == 8) c->has_prelude = false;
    }
    if (n > 0 && memcmp(from, b->pattern + c->body_bytes % PERIOD, n) != 0)
        function_fail(&b->function, "streamed other bytes than it was asked for, after %llu", (unsigned long long)c->body_bytes);
    c->body_bytes += n;
}

static void take_data(bench *b, connection *c) {
    size_t n = c->filled - c->at;
    if (n > c->left) n = (size_t)c->left;
    if (c->is.is_response && b->streaming)
        take_stream(b, c, c->in + c->at, n);
    else if (c->is.is_response)
        keep(b, c->in + c->at, n);
    c->at += n;
    c->left -= n;
}

static const char *value_of(const char *head, const char *name) {
    const char *at = strcasestr(head, name);
    return at == NULL ? NULL : at + strlen(name);
}

/* True: there is one, and it is taken. */
static bool take_head(bench *b, connection *c) {
    char *from = c->in + c->at, *end = memmem(from, c->filled - c->at, "\r\n\r\n", 4);
    if (end == NULL) {
        if (c->filled - c->at > HEAD_BYTES) function_fail(&b->function, "sent a head of more than %zu bytes", HEAD_BYTES);
        return false;
    }
    *end = '\0';
    const char *length = value_of(from, "\r\ncontent-length:"), *type = value_of(from, "\r\ncontent-type:");
    snprintf(c->what, sizeof c->what, "%.400s", from);
    c->is = function_request_of(from);
    c->has_prelude = b->streaming && type != NULL && strncasecmp(type, " application/vnd.awslambda.http-integration", 43) == 0;
    c->left = length == NULL ? 0 : strtoull(length, NULL, 10);
    c->state = strcasestr(from, "\r\ntransfer-encoding: chunked") != NULL ? CHUNK_SIZE : SIZED;
    c->body_bytes = 0;
    c->zeroes = 0;
    if (c->is.is_response) b->body_len = 0;
    c->at = (size_t)(end + 4 - c->in);
    return true;
}

static bool take_line(bench *b, connection *c, char *out, size_t size) {
    const char *from = c->in + c->at, *end = memmem(from, c->filled - c->at, "\r\n", 2);
    if (end == NULL) return false;
    if ((size_t)(end - from) >= size) function_fail(&b->function, "sent a chunk with a line of %zu bytes", (size_t)(end - from));
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = '\0';
    c->at = (size_t)(end + 2 - c->in);
    return true;
}

/* True: a whole request is there. */
static bool parse(bench *b, connection *c) {
    char line[8192];
    for (;;) {
        switch (c->state) {
        case HEAD:
            if (!take_head(b, c)) return false;
            break;
        case SIZED:
            take_data(b, c);
            if (c->left > 0) return false;
            c->state = HEAD;
            return true;
        case CHUNK_SIZE:
            if (!take_line(b, c, line, sizeof line)) return false;
            c->left = strtoull(line, NULL, 16);
            c->state = c->left > 0 ? CHUNK_DATA : TRAILERS;
            break;
        case CHUNK_DATA:
            take_data(b, c);
            if (c->left > 0) return false;
            c->state = CHUNK_END;
            break;
        case CHUNK_END:
            if (c->filled - c->at < 2) return false;
            if (memcmp(c->in + c->at, "\r\n", 2) != 0) function_fail(&b->function, "sent a chunk that is longer than it says");
            c->at += 2;
            c->state = CHUNK_SIZE;
            break;
        case TRAILERS:
            if (!take_line(b, c, line, sizeof line)) return false;
            if (strncasecmp(line, "lambda-runtime-function-error", 29) == 0)
                function_fail(&b->function, "failed in the middle of its stream: %.200s", line);
            if (*line != '\0') break;
            c->state = HEAD;
            return true;
        }
    }
}

/* ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void set_patience(int fd, int64_t ms) {
    struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void accept_one(bench *b) {
    int on = 1, fd = accept4(b->listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    connection *c = b->count < MAX_CONNECTIONS ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) function_fail(&b->function, "opened more than %d connections", MAX_CONNECTIONS);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    set_patience(fd, LOOK_MS);
    c->fd = fd;
    b->connections[b->count++] = c;
    b->alone = false;
    watch(b, fd, c);
}

static void forget(bench *b, connection *c) {
    size_t i = 0;
    while (b->connections[i] != c)
        i++;
    close(c->fd);
    free(c);
    b->connections[i] = b->connections[--b->count];
    b->alone = false;
}

/* True: bytes came. What was taken makes room for them. */
static bool receive(bench *b, connection *c) {
    if (c->at == c->filled) {
        c->at = c->filled = 0;
    } else if (c->at > 0) {
        memmove(c->in, c->in + c->at, c->filled - c->at);
        c->filled -= c->at;
        c->at = 0;
    }
    ssize_t n = recv(c->fd, c->in + c->filled, IN_BYTES - c->filled, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        b->alone = false;
        return false;
    }
    if (n <= 0) {
        forget(b, c);
        return false;
    }
    b->arrived_at_ns = bench_now_ns(CLOCK_MONOTONIC);
    c->filled += (size_t)n;
    return true;
}

static connection *told(bench *b, connection *c) {
    b->requests++;
    if (c != b->connections[0]) b->elsewhere++;
    return c;
}

/* The next request, whichever connection brings it. What the last one sent ahead counts first. */
static connection *await(bench *b, const char *when) {
    int64_t until_ns = bench_now_ns(CLOCK_MONOTONIC) + b->function.patience_ns;
    for (size_t i = 0; i < b->count; i++) {
        if (b->connections[i]->filled > b->connections[i]->at && parse(b, b->connections[i])) return told(b, b->connections[i]);
    }
    for (;;) {
        struct epoll_event event;
        connection *only = b->alone ? b->connections[0] : NULL;
        if (only != NULL && receive(b, only) && parse(b, only)) return told(b, only);
        if (b->alone) continue;
        int64_t left_ms = (until_ns - bench_now_ns(CLOCK_MONOTONIC)) / 1000000;
        if (left_ms <= 0) function_fail_silent(&b->function, when);
        int n = epoll_wait(b->epoll, &event, 1, (int)left_ms);
        if (n < 0 && errno != EINTR) function_fail(&b->function, "can't be waited for: %s", strerror(errno));
        if (n <= 0) continue;
        connection *c = event.data.ptr;
        if (c == NULL)
            accept_one(b);
        else if (c == (connection *)b)
            function_fail_ended(&b->function, when);
        else if (receive(b, c) && parse(b, c))
            return told(b, c);
    }
}

static void answer(bench *b, const connection *c, const char *head, size_t head_len, const char *body, size_t body_len) {
    struct iovec parts[2] = {{(char *)(uintptr_t)head, head_len}, {(char *)(uintptr_t)body, body_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    size_t sent = 0;
    while (sent < head_len + body_len) {
        ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) function_fail(&b->function, "hung up before its answer");
        sent += (size_t)n;
        size_t of_head = sent < head_len ? sent : head_len;
        parts[0] = (struct iovec){(char *)(uintptr_t)head + of_head, head_len - of_head};
        parts[1] = (struct iovec){(char *)(uintptr_t)body + (sent - of_head), body_len - (sent - of_head)};
    }
}

/* ── an invocation ───────────────────────────────────────────────────────────────────────────────────────────────── */

static connection *await_next(bench *b, const char *when) {
    connection *c = await(b, when);
    if (!c->is.is_next) function_fail(&b->function, "asked for something else than /next %s: %s", when, c->what);
    return c;
}

static void send_event(bench *b, const connection *c) {
    char head[1024];
    int len = function_write_head(&b->function, head, sizeof head, b->event_len, bench_now_ns(CLOCK_REALTIME) / 1000000 + 300000);
    answer(b, c, head, (size_t)len, b->event, b->event_len);
}

static void accept_response(bench *b, const connection *c) { answer(b, c, FUNCTION_ACCEPTED, strlen(FUNCTION_ACCEPTED), "", 0); }

/* Asks it once more; microseconds until its whole answer was read. */
static double invoke(bench *b, const connection *next) {
    int64_t from_ns = bench_now_ns(CLOCK_MONOTONIC);
    send_event(b, next);
    connection *c = await(b, "before it answered an invocation");
    if (!c->is.is_response) function_fail(&b->function, "did not answer its invocation, but said: %s", c->what);
    return (double)(b->arrived_at_ns - from_ns) / 1e3;
}

static connection *accept_and_await(bench *b) {
    connection *c = NULL;
    for (size_t i = 0; i < b->count; i++) {
        if (b->connections[i]->is.is_response) c = b->connections[i];
    }
    if (c == NULL) function_fail(&b->function, "hung up before its answer");
    c->is.is_response = false;
    accept_response(b, c);
    return await_next(b, "between two invocations");
}

static void set_event(bench *b, const char *text) {
    free(b->event);
    b->event = strdup(text);
    if (b->event == NULL) function_fail(&b->function, "can't be measured: out of memory");
    b->event_len = strlen(text);
}

/* Of a big event, an answer may have other white space. */
static void check_answer(bench *b) {
    if (b->body_len < b->event_len || memmem(b->body, b->body_len, MARK, strlen(MARK)) == NULL)
        function_fail(&b->function, "answered %zu bytes with %zu others: %.*s", b->event_len, b->body_len,
                      (int)(b->body_len < 500 ? b->body_len : 500), b->body_len > 0 ? b->body : "");
}

/* ── echo ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void echo(bench *b, size_t count) {
    double *took = calloc(count, sizeof *took), *ready = calloc(count, sizeof *ready);
    if (took == NULL || ready == NULL) function_fail(&b->function, "can't be measured: out of memory");
    set_event(b, "{\"user\":\"" MARK
                 "\",\"items\":[{\"sku\":\"tea\",\"count\":2},{\"sku\":\"cup\",\"count\":1}],\"total\":12.5,\"gift\":false}");
    connection *next = await_next(b, "before it asked for /next");
    for (size_t n = 0; n < ECHO_WARM_UPS; n++) {
        (void)invoke(b, next);
        check_answer(b);
        next = accept_and_await(b);
    }
    b->alone = b->elsewhere == 0 && b->count == 1;
    clockid_t clock = function_cpu(&b->function);
    int64_t cpu_ns = bench_now_ns(clock), counted = instructions(b), begun_ns = bench_now_ns(CLOCK_MONOTONIC);
    for (size_t n = 0; n < count; n++) {
        took[n] = invoke(b, next);
        int64_t answered_ns = b->arrived_at_ns;
        check_answer(b);
        next = accept_and_await(b);
        ready[n] = (double)(b->arrived_at_ns - answered_ns) / 1e3;
    }
    double per = (double)count, cpu_us = (double)(bench_now_ns(clock) - cpu_ns) / 1e3 / per;
    double wall_us = (double)(bench_now_ns(CLOCK_MONOTONIC) - begun_ns) / 1e3 / per;
    counted = counted < 0 ? -1 : instructions(b) - counted;
    printf("{\"p50_us\":%.2f,\"p99_us\":%.2f,\"ready_us\":%.2f,\"wall_us\":%.2f,\"cpu_us\":%.2f", bench_percentile(took, count, 50),
           bench_percentile(took, count, 99), bench_percentile(ready, count, 50), wall_us, cpu_us);
    if (counted >= 0) printf(",\"instructions\":%.0f", (double)counted / per);
    puts("}");
    free(took);
    free(ready);
}

/* ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The most that was ever resident, since it was forgotten. */
static long peak_kib(bench *b) {
    char path[64], text[8192] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)b->function.child);
    FILE *f = fopen(path, "r");
    if (f == NULL) function_fail(&b->function, "has no %s to read: %s", path, strerror(errno));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    const char *at = strstr(text, "\nVmHWM:");
    if (at == NULL) function_fail(&b->function, "has a %s without VmHWM", path);
    return strtol(at + 7, NULL, 10);
}

static void forget_peak(bench *b) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)b->function.child);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1) function_fail(&b->function, "has a %s that can't be written to: %s", path, strerror(errno));
    close(fd);
}

/* One invocation with all that it costs. */
static void measure_one(bench *b, connection *next) {
    clockid_t clock = function_cpu(&b->function);
    forget_peak(b);
    long before_kib = peak_kib(b);
    int64_t cpu_ns = bench_now_ns(clock);
    double took_us = invoke(b, next);
    double cpu_us = (double)(bench_now_ns(clock) - cpu_ns) / 1e3;
    long grown_kib = peak_kib(b) - before_kib;
    printf("{\"took_us\":%.1f,\"cpu_us\":%.1f,\"grown_bytes\":%ld}\n", took_us, cpu_us, grown_kib * 1024);
}

/* {"items":["xxx…","xxx…",…,"MARK"]}: of texts, so that what is parsed has few nodes beside them. */
static void make_big(bench *b, size_t bytes) {
    static const char first[] = "{\"items\":[", last[] = "\"" MARK "\"]}";
    size_t fixed = strlen(first) + strlen(last), at = strlen(first);
    if (bytes < fixed) bytes = fixed;
    free(b->event);
    b->event = malloc(bytes + 1);
    if (b->event == NULL) function_fail(&b->function, "can't be measured: out of memory");
    memcpy(b->event, first, at);
    for (size_t left = bytes - fixed; left >= 3;) {
        size_t item = left >= 2 * ITEM_BYTES ? ITEM_BYTES : left;
        memset(b->event + at, 'x', item);
        b->event[at] = b->event[at + item - 2] = '"';
        b->event[at + item - 1] = ',';
        at += item;
        left -= item;
    }
    memcpy(b->event + at, last, sizeof last);
    b->event_len = at + strlen(last);
}

static void big(bench *b, size_t bytes) {
    connection *next = await_next(b, "before it asked for /next");
    make_big(b, 0);
    for (size_t n = 0; n < BIG_WARM_UPS; n++) {
        (void)invoke(b, next);
        check_answer(b);
        next = accept_and_await(b);
    }
    make_big(b, bytes);
    measure_one(b, next);
    check_answer(b);
}

/* ── stream ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void check_stream(bench *b, size_t bytes) {
    for (size_t i = 0; i < b->count; i++) {
        const connection *c = b->connections[i];
        if (c->is.is_response && c->body_bytes != bytes)
            function_fail(&b->function, "streamed %llu bytes, and was asked for %zu", (unsigned long long)c->body_bytes, bytes);
    }
}

static void ask_for(bench *b, size_t bytes) {
    char text[64];
    snprintf(text, sizeof text, "{\"bytes\":%zu}", bytes);
    set_event(b, text);
}

static void stream(bench *b, size_t bytes) {
    b->streaming = true;
    for (size_t i = 0; i < sizeof b->pattern; i++)
        b->pattern[i] = (char)('!' + i % PERIOD);
    connection *next = await_next(b, "before it asked for /next");
    ask_for(b, STREAM_WARM_UP_BYTES);
    for (size_t n = 0; n < STREAM_WARM_UPS; n++) {
        (void)invoke(b, next);
        check_stream(b, STREAM_WARM_UP_BYTES);
        next = accept_and_await(b);
    }
    ask_for(b, bytes);
    measure_one(b, next);
    check_stream(b, bytes);
}

/* ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * Whatever is asked for is given at once; counted are answers when all workers have asked, and a quarter of the time has passed. In front of 64 threads that could all run, this one
 * would come last, and they would be measured by it: where it may, it goes first.
 */
static void workers(bench *b, size_t ms) {
    const char *concurrency = getenv("AWS_LAMBDA_MAX_CONCURRENCY");
    size_t counted = 0, want = concurrency == NULL ? 1 : strtoul(concurrency, NULL, 10);
    int64_t begin_ns = 0, from_ns = 0, cpu_ns = 0, now = 0, span_ns = (int64_t)ms * 1000000,
            late_at_ns = bench_now_ns(CLOCK_MONOTONIC) + b->function.patience_ns;
    clockid_t clock = function_cpu(&b->function);
    (void)setpriority(PRIO_PROCESS, 0, -15);
    set_event(b, "{\"user\":\"" MARK "\"}");
    do {
        connection *c = await(b, "among many invocations");
        now = b->arrived_at_ns;
        if (begin_ns == 0 && b->count >= want) begin_ns = now;
        if (begin_ns == 0 && now > late_at_ns)
            function_fail(&b->function, "asked by %zu connections and was to ask by %zu", b->count, want);
        if (from_ns == 0 && begin_ns > 0 && now - begin_ns > span_ns / 4) {
            from_ns = now;
            cpu_ns = bench_now_ns(clock);
        }
        if (c->is.is_next) {
            send_event(b, c);
        } else {
            if (!c->is.is_response) function_fail(&b->function, "did not answer its invocation, but said: %s", c->what);
            check_answer(b);
            accept_response(b, c);
            counted += from_ns > 0;
        }
    } while (from_ns == 0 || now - from_ns < span_ns);
    double seconds = (double)(now - from_ns) / 1e9;
    printf("{\"per_s\":%.1f,\"cpu_us\":%.2f,\"connections\":%zu}\n", (double)counted / seconds,
           counted > 0 ? (double)(bench_now_ns(clock) - cpu_ns) / 1e3 / (double)counted : 0.0, b->count);
}

/* ── main ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name;
    void (*run)(bench *b, size_t count);
} modes[] = {{"echo:", echo}, {"big:", big}, {"stream:", stream}, {"workers:", workers}};

int main(int argc, char **argv) {
    static bench b = {.counter = -1};
    for (size_t i = 0; argc >= 3 && i < sizeof modes / sizeof modes[0]; i++) {
        size_t len = strlen(modes[i].name);
        size_t count = strncmp(argv[1], modes[i].name, len) == 0 ? strtoul(argv[1] + len, NULL, 10) : 0;
        if (count == 0) continue;
        function_init(&b.function, "service", argv[2], 20000);
        listen_for_it(&b);
        start_it(&b, argv + 2);
        modes[i].run(&b, count);
        function_end(&b.function);
        return 0;
    }
    fputs("usage: service echo:N|big:BYTES|stream:BYTES|workers:MS COMMAND [ARGUMENT…]\n", stderr);
    return 2;
}

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
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
    const char *expected, *name;
    char *event;
    size_t event_len;
    int64_t patience_ns, spawned_at_ns, connected_at_ns, arrived_at_ns; /* arrived: the last request's last byte */
    pid_t child;
    int listening, child_fd, invocation;
    size_t count;
    connection *connections[MAX_CONNECTIONS];
} bench;

typedef struct request {
    connection *from;
    size_t len; /* of all of it, at the front of from->in */
    const char *body;
    bool is_next, is_response;
} request;

/* ── ends ── */

static void end_child(bench *b) {
    if (b->child <= 0) return;
    kill(b->child, SIGKILL);
    waitpid(b->child, NULL, 0);
    b->child = 0;
}

static _Noreturn void fail(bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static _Noreturn void fail(bench *b, const char *format, ...) {
    va_list rest;
    end_child(b);
    fprintf(stderr, "lambda: %s ", b->name);
    va_start(rest, format);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fputc('\n', stderr);
    exit(1);
}

static _Noreturn void fail_ended(bench *b, const char *when) {
    int status = 0;
    waitpid(b->child, &status, 0);
    b->child = 0;
    if (WIFSIGNALED(status)) fail(b, "ended by signal %d %s", WTERMSIG(status), when);
    fail(b, "ended with status %d %s", WEXITSTATUS(status), when);
}

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ── the start ── */

static void read_event(bench *b, const char *path) {
    FILE *f = fopen(path, "rb");
    b->event = malloc(MAX_BYTES);
    if (f == NULL || b->event == NULL) fail(b, "can't be asked: %s: %s", path, strerror(errno));
    b->event_len = fread(b->event, 1, MAX_BYTES, f);
    fclose(f);
}

static void listen_for_it(bench *b) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char address[32];
    b->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->listening < 0 || bind(b->listening, (struct sockaddr *)&at, sizeof at) != 0 || listen(b->listening, 16) != 0 ||
        getsockname(b->listening, (struct sockaddr *)&at, &len) != 0)
        fail(b, "can't be served: %s", strerror(errno));
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(at.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
}

/* What it prints goes where our own errors go: standard output has our one line. */
static void start_it(bench *b, char **command) {
    posix_spawn_file_actions_t actions;
    int code;
    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) != 0)
        fail(b, "can't be started: out of memory");
    b->spawned_at_ns = now_ns(CLOCK_MONOTONIC);
    if ((code = posix_spawn(&b->child, command[0], &actions, NULL, command, environ)) != 0) {
        b->child = 0;
        fail(b, "can't be started: %s", strerror(code));
    }
    posix_spawn_file_actions_destroy(&actions);
    b->child_fd = (int)syscall(SYS_pidfd_open, b->child, 0);
    if (b->child_fd < 0) fail(b, "can't be watched: %s", strerror(errno));
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
    *out = (request){.from = from, .body = end + 4};
    out->is_next = strncmp(from->in, "GET /2018-06-01/runtime/invocation/next ", 40) == 0;
    out->is_response = strncmp(from->in, "POST ", 5) == 0 && strstr(from->in, "/response HTTP/1.1") != NULL;
    *end = '\r';
    if (coding != NULL) body = chunked_length(out->body, from->in + from->len);
    if ((coding != NULL && body == 0) || from->len - head < body) return false;
    out->len = head + body;
    return true;
}

static void accept_one(bench *b) {
    int on = 1, fd = accept4(b->listening, NULL, NULL, SOCK_CLOEXEC);
    if (b->connected_at_ns == 0) b->connected_at_ns = now_ns(CLOCK_MONOTONIC);
    if (fd < 0) return;
    connection *c = b->count < MAX_CONNECTIONS ? malloc(sizeof *c) : NULL;
    if (c == NULL) fail(b, "opened more than %d connections", MAX_CONNECTIONS);
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
    b->arrived_at_ns = now_ns(CLOCK_MONOTONIC);
    c->len += (size_t)n;
    return is_whole(c, out);
}

/* The next request, whichever connection brings it. */
static request await(bench *b, const char *when) {
    int64_t until_ns = now_ns(CLOCK_MONOTONIC) + b->patience_ns;
    request out;
    for (;;) {
        struct pollfd fds[MAX_CONNECTIONS + 2] = {{.fd = b->listening, .events = POLLIN}, {.fd = b->child_fd, .events = POLLIN}};
        size_t count = b->count;
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = b->connections[i]->fd, .events = POLLIN};
        int64_t left_ms = (until_ns - now_ns(CLOCK_MONOTONIC)) / 1000000;
        if (left_ms <= 0) fail(b, "was silent for %d ms %s", (int)(b->patience_ns / 1000000), when);
        if (poll(fds, (nfds_t)count + 2, (int)left_ms) < 0 && errno != EINTR) fail(b, "can't be waited for: %s", strerror(errno));
        for (size_t i = count; i-- > 0;) { /* downwards: forgetting one moves the last into its place */
            if (fds[i + 2].revents != 0 && receive(b, i, &out)) return out;
        }
        if (fds[0].revents != 0) accept_one(b);
        if (fds[1].revents != 0) fail_ended(b, when);
    }
}

static void answer(bench *b, const request *r, const char *head, int head_len, const char *body, size_t body_len) {
    connection *c = r->from;
    char text[MAX_BYTES / 2];
    memmove(c->in, c->in + r->len, c->len - r->len);
    c->len -= r->len;
    if (head_len <= 0 || (size_t)head_len + body_len > sizeof text) fail(b, "can't be answered: the event is too long");
    memcpy(text, head, (size_t)head_len);
    memcpy(text + head_len, body, body_len);
    size_t len = (size_t)head_len + body_len;
    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) fail(b, "hung up before its answer");
}

/* ── an invocation ── */

static request await_next(bench *b, const char *when) {
    request r = await(b, when);
    if (!r.is_next) fail(b, "asked for something else than /next %s: %.300s", when, r.from->in);
    return r;
}

static void send_event(bench *b, const request *r) {
    struct timespec t;
    char head[1024];
    clock_gettime(CLOCK_REALTIME, &t);
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "
                       "8476a536-e9f4-11e8-9739-%012d\r\nLambda-Runtime-Deadline-Ms: %lld\r\nLambda-Runtime-Invoked-Function-Arn: "
                       "arn:aws:lambda:us-east-1:123456789012:function:bench\r\nLambda-Runtime-Trace-Id: "
                       "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\nContent-Length: %zu\r\n\r\n",
                       ++b->invocation, (long long)t.tv_sec * 1000 + 30000, b->event_len);
    answer(b, r, head, len, b->event, b->event_len);
}

static void take_response(bench *b) {
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n";
    request r = await(b, "before it answered an invocation");
    if (!r.is_response) fail(b, "did not answer its invocation, but said: %.1000s", r.from->in);
    r.from->in[r.len] = '\0'; /* what follows is nothing: one request at a time */
    if (strstr(r.body, b->expected) == NULL) fail(b, "answered without %s: %.1000s", b->expected, r.body);
    answer(b, &r, accepted, (int)sizeof accepted - 1, "{\"status\":\"OK\"}\n", 16);
}

/* ── the modes ── */

static clockid_t cpu_of(bench *b) {
    clockid_t out;
    if (clock_getcpuclockid(b->child, &out) != 0) fail(b, "has no clock of its CPU time");
    return out;
}

static double us(const bench *b, int64_t at_ns) { return (double)(at_ns - b->spawned_at_ns) / 1e3; }

static void start(bench *b) {
    request next = await_next(b, "before it asked for /next");
    int64_t next_at_ns = b->arrived_at_ns;
    double next_cpu_us = (double)now_ns(cpu_of(b)) / 1e3;
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
    struct pollfd fds = {.fd = b->child_fd, .events = POLLIN};
    if (poll(&fds, 1, HOLD_MS) != 0) fail_ended(b, "while its /next was held");
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)b->child);
    FILE *f = fopen(path, "r");
    if (f == NULL) fail(b, "has no %s to read: %s", path, strerror(errno));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    long rss = field_kib(text, "\nRss:"), pss = field_kib(text, "\nPss:"), anonymous = field_kib(text, "\nAnonymous:");
    if (rss <= 0 || pss <= 0 || anonymous < 0) fail(b, "has a %s without Rss, Pss, Anonymous", path);
    printf("{\"rss_kib\":%ld,\"pss_kib\":%ld,\"anonymous_kib\":%ld}\n", rss, pss, anonymous);
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void warm(bench *b, size_t count) {
    double *took = calloc(count, sizeof *took);
    clockid_t cpu = cpu_of(b);
    int64_t cpu_from_ns = 0;
    if (took == NULL) fail(b, "can't be measured: out of memory");
    for (size_t n = 0; n < count + WARM_UPS; n++) {
        request next = await_next(b, "between two invocations");
        if (n == WARM_UPS) cpu_from_ns = now_ns(cpu);
        int64_t from_ns = now_ns(CLOCK_MONOTONIC);
        send_event(b, &next);
        take_response(b);
        if (n >= WARM_UPS) took[n - WARM_UPS] = (double)(b->arrived_at_ns - from_ns) / 1e3;
    }
    (void)await_next(b, "after its last invocation");
    double cpu_us = (double)(now_ns(cpu) - cpu_from_ns) / 1e3 / (double)count;
    qsort(took, count, sizeof *took, compare);
    printf("{\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.2f}\n", took[count / 2], took[count * 99 / 100], cpu_us);
    free(took);
}

int main(int argc, char **argv) {
    static bench b;
    if (argc < 5) {
        fputs("usage: lambda start|memory|warm:N EVENT EXPECTED BOOTSTRAP [ARGUMENT…]\n", stderr);
        return 2;
    }
    const char *mode = argv[1], *patience = getenv("LATCH_BENCH_PATIENCE_MS");
    size_t count = strncmp(mode, "warm:", 5) == 0 ? strtoul(mode + 5, NULL, 10) : 0;
    if (strcmp(mode, "start") != 0 && strcmp(mode, "memory") != 0 && count == 0) {
        fprintf(stderr, "lambda: there is no mode %s: start, memory, warm:N\n", mode);
        return 2;
    }
    b.expected = argv[3];
    b.name = argv[4];
    b.patience_ns = (patience == NULL ? 10000 : strtol(patience, NULL, 10)) * 1000000;
    read_event(&b, argv[2]);
    listen_for_it(&b);
    start_it(&b, argv + 4);
    if (count > 0) {
        warm(&b, count);
    } else if (strcmp(mode, "start") == 0) {
        start(&b);
    } else {
        memory(&b);
    }
    end_child(&b);
    return 0;
}

#include "bench/common/function.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void function_init(function *f, const char *bench, const char *name, long patience_ms) {
    const char *patience = getenv("LATCH_BENCH_PATIENCE_MS");
    *f = (function){.bench = bench, .name = name};
    f->patience_ns = (patience == NULL ? patience_ms : strtol(patience, NULL, 10)) * INT64_C(1000000);
}

int function_listen(function *f, int flags, int backlog) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char address[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        function_fail(f, "can't be served: %s", strerror(errno));
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(at.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    return fd;
}

void function_watch(function *f) {
    f->child_fd = (int)syscall(SYS_pidfd_open, f->child, 0);
    if (f->child_fd < 0) function_fail(f, "can't be watched: %s", strerror(errno));
}

/* ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void function_end(function *f) {
    if (f->child <= 0) return;
    kill(f->child, SIGKILL);
    waitpid(f->child, NULL, 0);
    f->child = 0;
}

_Noreturn void function_fail(function *f, const char *format, ...) {
    va_list rest;
    function_end(f);
    fprintf(stderr, "%s: %s ", f->bench, f->name);
    va_start(rest, format);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fputc('\n', stderr);
    exit(1);
}

_Noreturn void function_fail_ended(function *f, const char *when) {
    int status = 0;
    waitpid(f->child, &status, 0);
    f->child = 0;
    if (WIFSIGNALED(status)) function_fail(f, "ended by signal %d %s", WTERMSIG(status), when);
    function_fail(f, "ended with status %d %s", WEXITSTATUS(status), when);
}

_Noreturn void function_fail_silent(function *f, const char *when) {
    function_fail(f, "was silent for %d ms %s", (int)(f->patience_ns / 1000000), when);
}

/* ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

int64_t bench_now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

clockid_t function_cpu(function *f) {
    clockid_t out;
    if (clock_getcpuclockid(f->child, &out) != 0) function_fail(f, "has no clock of its CPU time");
    return out;
}

/* ── what goes over the wire ─────────────────────────────────────────────────────────────────────────────────────── */

function_request function_request_of(const char *head) {
    return (function_request){
        .is_next = strncmp(head, "GET /2018-06-01/runtime/invocation/next ", 40) == 0,
        .is_response = strncmp(head, "POST ", 5) == 0 && strstr(head, "/response HTTP/1.1") != NULL,
    };
}

int function_write_head(function *f, char *out, size_t cap, size_t event_len, int64_t deadline_ms) {
    return snprintf(out, cap,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "
                    "8476a536-e9f4-11e8-9739-%012u\r\nLambda-Runtime-Deadline-Ms: %lld\r\nLambda-Runtime-Invoked-Function-Arn: "
                    "arn:aws:lambda:us-east-1:123456789012:function:bench\r\nLambda-Runtime-Trace-Id: "
                    "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\nContent-Length: %zu\r\n\r\n",
                    ++f->invoked, (long long)deadline_ms, event_len);
}

/* ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double bench_percentile(double *values, size_t count, size_t percent) {
    qsort(values, count, sizeof *values, compare);
    return values[count * percent / 100];
}

/*
 * bench/common/function.h - a function that is started as Lambda starts it, and asked by a Runtime API that measures: what bench/package/lambda.c
 * and bench/runtime/service.c have in common. Each starts one, in its own way, and serves it in its own.
 *
 * A function that ends, reports an error, answers something else, or is silent for too long is no figure: its misdeed goes to standard error,
 * it is ended, and the bench with 1.
 */
#ifndef BENCH_COMMON_FUNCTION_H
#define BENCH_COMMON_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef struct function {
    const char *bench, *name; /* who measures; the function's file: both for what is said of it */
    int64_t patience_ns;
    pid_t child;      /* 0: not started, or ended */
    int child_fd;     /* can be read when it has ended */
    unsigned invoked; /* events that were written for it */
} function;

/* `patience_ms` holds where LATCH_BENCH_PATIENCE_MS isn't set. */
void function_init(function *f, const char *bench, const char *name, long patience_ms);

/* On loopback, at AWS_LAMBDA_RUNTIME_API from here on. `flags` as socket's. */
int function_listen(function *f, int flags, int backlog);

/* f->child has been started. */
void function_watch(function *f);

void function_end(function *f);
_Noreturn void function_fail(function *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void function_fail_ended(function *f, const char *when);
_Noreturn void function_fail_silent(function *f, const char *when);

int64_t bench_now_ns(clockid_t clock);
clockid_t function_cpu(function *f); /* user and system, of all its threads */

/* ── what goes over the wire ── */

typedef struct function_request {
    bool is_next, is_response;
} function_request;
function_request function_request_of(const char *head); /* from its first line on, NUL-terminated */

/* The head of /next's answer, for an event of so many bytes. As snprintf. */
int function_write_head(function *f, char *out, size_t cap, size_t event_len, int64_t deadline_ms);

#define FUNCTION_ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"

/* ── figures ── */

double bench_percentile(double *values, size_t count, size_t percent); /* sorts them */

#endif

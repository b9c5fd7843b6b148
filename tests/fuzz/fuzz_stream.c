/*
 * fuzz_stream.c - a handler that writes pieces of any length, flushes, and ends well or not; a service that hears it to its end or answers
 * before. What comes over the wire is one POST in chunks, strictly; its body is what was written, to the last byte or, where the service ended
 * it, up to some byte; its trailers are there where it failed after something was sent, and say what was said.
 *
 * The input: one byte of flags, one for when the service answers, then operations of two bytes each.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/coding.h"
#include "core/ctx_private.h"
#include "runtime/api.h"
#include "runtime/api_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES ((size_t)400000) /* written in one run */
#define WIRE_BYTES ((size_t)600000)
#define ARENA_BYTES ((size_t)1 << 20)

enum { FAILS = 1, ANSWERS_EARLY = 2, LONG_MESSAGE = 4 };

static latch_api api;
static char wire[WIRE_BYTES], body[MOST_BYTES], pieces[MOST_BYTES];
static size_t wire_len;
static char memory[ARENA_BYTES];

static void must(bool holds) {
    if (!holds) abort();
}

static void drain(int fd) {
    ssize_t n;
    while ((n = recv(fd, wire + wire_len, WIRE_BYTES - wire_len, MSG_DONTWAIT)) > 0)
        wire_len += (size_t)n;
}

static void answer(int fd) {
    static const char text[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    must(write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
}

/* The line at *at without its end, which is behind *at then. */
static latch_str take_line(size_t *at) {
    char *from = wire + *at, *end = memmem(from, wire_len - *at, "\r\n", 2);
    must(end != NULL);
    *at = (size_t)(end - wire) + 2;
    return (latch_str){from, (size_t)(end - from)};
}

/* The head, and then `cut` or strictly chunks to the end of the body. The body's length; *at is behind its last chunk. */
static size_t read_body(size_t *at, bool cut) {
    size_t len = 0;
    while (take_line(at).len > 0)
        must(!cut || *at < wire_len);
    while (*at < wire_len || !cut) {
        latch_str line = take_line(at);
        char *end;
        size_t chunk = strtoul(line.ptr, &end, 16);
        must(line.len > 0 && end == line.ptr + line.len);
        if (chunk == 0) return len;
        must(chunk <= wire_len - *at && len + chunk <= MOST_BYTES);
        memcpy(body + len, wire + *at, chunk);
        len += chunk;
        *at += chunk;
        must(take_line(at).len == 0);
    }
    return len;
}

static bool begins(latch_str line, const char *with) { return line.len >= strlen(with) && memcmp(line.ptr, with, strlen(with)) == 0; }

static void check_trailers(size_t at, const latch_failure *failure) {
    latch_str type = {NULL, 0}, told = {NULL, 0}, line;
    while ((line = take_line(&at)).len > 0) {
        if (begins(line, LATCH_API_ERROR_TYPE ": ")) type = line;
        if (begins(line, LATCH_API_ERROR_BODY ": ")) told = line;
    }
    must(at == wire_len);
    must((type.ptr != NULL) == (failure != NULL) && (told.ptr != NULL) == (failure != NULL));
    if (failure == NULL) return;
    size_t from = strlen(LATCH_API_ERROR_BODY ": "), len = strlen(failure->body);
    char wanted[2 * LATCH_FAILURE_BODY_BYTES];
    latch_base64_write(latch_str_of(failure->body), wanted);
    must(latch_base64_bytes(len) == told.len - from && memcmp(told.ptr + from, wanted, told.len - from) == 0);
    must(latch_str_eq((latch_str){type.ptr + strlen(LATCH_API_ERROR_TYPE ": "), type.len - strlen(LATCH_API_ERROR_TYPE ": ")},
                      latch_str_of(failure->type)));
}

typedef struct run {
    latch_ctx *cx;
    latch_stream *stream;
    int service;
    size_t written;
    bool failed; /* a write said so */
} run;

static void operate(run *r, uint8_t kind, uint8_t amount) {
    static const size_t scales[] = {0, 1, 7, 128, 257};
    size_t len = (size_t)amount * scales[kind % 5];
    if (kind % 5 == 0) {
        if (latch_stream_flush(r->stream) != LATCH_OK) r->failed = true;
    } else if (len <= MOST_BYTES - r->written) {
        latch_status status = latch_stream_write(r->stream, (latch_str){pieces + r->written, len});
        must(status == LATCH_OK || status == LATCH_E_NETWORK);
        must(!r->failed || len == 0 || status != LATCH_OK);
        if (status != LATCH_OK) r->failed = true;
        if (status == LATCH_OK) r->written += len;
    }
    drain(r->service);
}

static void play(run *r, const uint8_t *data, size_t size) {
    size_t when = data[1];
    latch_failure failure;
    latch_err err = {.status = LATCH_E_HANDLER, .type = "HalfDone"};
    memset(err.message, data[0] & LONG_MESSAGE ? '"' : 'm', data[0] & LONG_MESSAGE ? sizeof err.message - 1 : 3);
    const latch_invocation invocation = {.request_id = LATCH_STR("r-1"), .deadline_at_ms = INT64_MAX};
    r->cx->invocation = &invocation;
    latch_api_stream_ready(&api, r->cx);
    must(latch_stream_begin(r->cx, false, "text/plain", &r->stream) == LATCH_OK);
    bool early = false;
    for (size_t i = 2; i + 1 < size; i += 2) {
        if ((data[0] & ANSWERS_EARLY) && i / 2 == when && api.stream.sent && !early) {
            answer(r->service);
            early = true;
        }
        operate(r, data[i], data[i + 1]);
    }
    latch_failure_of(&err, &failure);
    bool sent = api.stream.sent, fails = (data[0] & FAILS) && sent;
    if (!early) answer(r->service);
    must(latch_api_stream_end(&api, &invocation, fails ? &failure : NULL) == LATCH_API_GO_ON);
    drain(r->service);
    size_t at = 0;
    bool cut = early && r->failed;
    size_t len = read_body(&at, cut);
    must(cut ? len <= r->written : len == r->written);
    must(memcmp(body, pieces, len) == 0);
    if (!cut) check_trailers(at, fails ? &failure : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    latch_arena arena, process;
    static char own[65536];
    int fds[2];
    if (size < 2 || size > 2000) return 0;
    for (size_t i = 0; pieces[1] == '\0' && i < MOST_BYTES; i++)
        pieces[i] = (char)(1 + (i * 131 + i / 251) % 255);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    latch_arena_init(&arena, memory, sizeof memory);
    latch_arena_init(&process, own, sizeof own);
    latch_ctx of_process = {.arena = &process, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
    latch_ctx cx = {.arena = &arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
    must(latch_api_init(&api, "127.0.0.1:9", &of_process) == LATCH_OK);
    api.easy = curl_easy_init();
    api.fd = fds[0];
    wire_len = 0;
    run r = {.cx = &cx, .service = fds[1]};
    play(&r, data, size);
    latch_api_clean_up(&api);
    latch_arena_clean_up(&arena);
    latch_arena_clean_up(&process);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

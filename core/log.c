#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/ctx_private.h"

#define FRAME_BYTES 16
#define FRAME_TYPE 0xa55a0000u
#define NAMES_MAX 24 /* pairs of a record, reserved ones included */

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

const char *latch_level_name(latch_level level) { return level_names[level]; }

static latch_level level_of(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(name, level_names[i]) == 0) return (latch_level)i;
    }
    return LATCH_TRACE;
}

latch_log latch_log_from_environment(void) {
    const char *format = getenv("AWS_LAMBDA_LOG_FORMAT"), *fd = getenv("_LAMBDA_TELEMETRY_LOG_FD");
    latch_log log = {.fd = STDOUT_FILENO, .least = level_of(getenv("AWS_LAMBDA_LOG_LEVEL"))};
    if (format != NULL && strcmp(format, "JSON") == 0) log.format = LATCH_LOG_JSON;
    if (fd == NULL) return log;
    char *end;
    long n = strtol(fd, &end, 10);
    if (end != fd && *end == '\0' && n >= 0 && n <= INT32_MAX) {
        log.fd = (int)n;
        log.framed = true;
    }
    unsetenv("_LAMBDA_TELEMETRY_LOG_FD");
    return log;
}

static void put_u32(unsigned char *to, uint32_t v) {
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* u32 type, u32 length, u64 microseconds since the epoch, big-endian. Lambda's levels begin with 0 for an undefined one. */
static void frame(unsigned char out[FRAME_BYTES], const latch_log *log, latch_level level, size_t len, int64_t now_us) {
    put_u32(out, FRAME_TYPE | ((uint32_t)level + 1) << 2 | 2 | (log->format == LATCH_LOG_TEXT ? 1 : 0));
    put_u32(out + 4, (uint32_t)len);
    put_u32(out + 8, (uint32_t)((uint64_t)now_us >> 32));
    put_u32(out + 12, (uint32_t)now_us);
}

/* One write; where the pipe takes it in pieces, more. */
static void write_all(int fd, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t n = writev(fd, parts, count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return;
        size_t left = (size_t)n;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++, count--;
        }
        if (count == 0) return;
        parts->iov_base = (char *)parts->iov_base + left;
        parts->iov_len -= left;
    }
}

static void emit(const latch_ctx *cx, latch_level level, const char *text, size_t len, int64_t now_us) {
    unsigned char head[FRAME_BYTES];
    char end = '\n';
    struct iovec parts[3] = {{head, 0}, {(char *)(uintptr_t)text, len}, {&end, 1}};
    if (!cx->log->framed) {
        write_all(cx->log->fd, parts + 1, 2);
        return;
    }
    frame(head, cx->log, level, len, now_us);
    parts[0].iov_len = FRAME_BYTES;
    write_all(cx->log->fd, parts, 2);
}

static bool is_reserved(const char *name) {
    static const char *const reserved[] = {"timestamp", "level", "requestId", "tenantId", "message"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(name, reserved[i]) == 0) return true;
    }
    return false;
}

static latch_str json_record(latch_ctx *cx, const char *at, const char *level, const char *message, const latch_pair *pairs) {
    latch_pair all[NAMES_MAX + 1] = {{"timestamp", latch_v_cstr_(at)}, {"level", latch_v_cstr_(level)}};
    size_t n = 2;
    if (cx->request_id.len > 0) all[n++] = (latch_pair){"requestId", latch_v_str_(cx->request_id)};
    all[n++] = (latch_pair){"message", latch_v_cstr_(message)};
    for (; pairs->name != NULL && n < NAMES_MAX; pairs++, n++) {
        all[n] = *pairs;
        if (is_reserved(pairs->name)) all[n].name = latch_ctx_text(cx, "%s_", pairs->name).ptr;
        if (all[n].name == NULL) return (latch_str){NULL, 0};
    }
    all[n] = (latch_pair){NULL, {LATCH_V_NULL, {.i = 0}}};
    latch_json record = latch_object_(cx, all);
    latch_str text;
    return latch_json_text(cx, record, &text) == LATCH_OK ? text : (latch_str){NULL, 0};
}

static latch_str text_record(latch_ctx *cx, const char *at, const char *level, const char *message, const latch_pair *pairs) {
    latch_str details = {"", 0};
    if (pairs->name != NULL && latch_json_text(cx, latch_object_(cx, pairs), &details) != LATCH_OK) details = LATCH_STR("{…}");
    return latch_ctx_text(cx, "%s\t%.*s\t%s\t%s%s%.*s", at, LATCH_ARG(cx->request_id), level, message, details.len > 0 ? " " : "",
                          LATCH_ARG(details));
}

/* A record is a line. */
static void fold(char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') text[i] = '\r';
    }
}

/* Where the arena is full, or a text in a pair is no UTF-8: the message alone, cut. JSON's quotes and backslashes become apostrophes. */
static void emit_bare(const latch_ctx *cx, latch_level level, const char *at, const char *message, int64_t now_us) {
    char text[1024];
    char plain[768];
    size_t n = 0;
    for (; message[n] != '\0' && n < sizeof plain; n++) {
        bool odd = (unsigned char)message[n] < 0x20 || message[n] == '"' || message[n] == '\\' || (unsigned char)message[n] > 0x7E;
        plain[n] = odd ? '\'' : message[n];
    }
    int id = (int)(cx->request_id.len < 64 ? cx->request_id.len : 64);
    int len;
    if (cx->log->format == LATCH_LOG_JSON) {
        len = snprintf(text, sizeof text, "{\"timestamp\":\"%s\",\"level\":\"%s\",\"requestId\":\"%.*s\",\"message\":\"%.*s\"}", at,
                       latch_level_name(level), id, cx->request_id.ptr, (int)n, plain);
    } else {
        len = snprintf(text, sizeof text, "%s\t%.*s\t%s\t%.*s", at, id, cx->request_id.ptr, latch_level_name(level), (int)n, plain);
    }
    if (len > 0) emit(cx, level, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1, now_us);
}

void latch_log_write(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs) {
    if (cx->log == NULL || level < cx->log->least) return;
    latch_err before = cx->err;
    size_t mark = latch_arena_mark(cx->arena);
    int64_t now_us = cx->clock.wall_us(cx->clock.self);
    char at[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(now_us / 1000, at);
    bool json = cx->log->format == LATCH_LOG_JSON;
    latch_str record = (json ? json_record : text_record)(cx, at, latch_level_name(level), message, pairs);
    if (record.ptr != NULL) {
        fold((char *)(uintptr_t)record.ptr, record.len);
        emit(cx, level, record.ptr, record.len, now_us);
    } else {
        emit_bare(cx, level, at, message, now_us);
    }
    latch_arena_rewind(cx->arena, mark);
    cx->err = before;
}

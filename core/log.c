#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/env.h"
#include "core/node.h"

#define FRAME_BYTES 16
#define FRAME_TYPE 0xa55a0000u
/* Of a record that the arena has no room for: each byte may need six in JSON, and the names around them take less than 100. */
#define BARE_ID_BYTES 64
#define BARE_MESSAGE_BYTES 512
#define BARE_BYTES (6 * (2 * BARE_ID_BYTES + BARE_MESSAGE_BYTES) + 120)

#define PATIENCE_MS 1000 /* with a reader that takes nothing more */

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

const char *latch_level_name(latch_level level) { return level_names[level <= LATCH_FATAL ? level : LATCH_FATAL]; }

static latch_level level_of(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcasecmp(name, level_names[i]) == 0) return (latch_level)i;
    }
    return LATCH_TRACE;
}

/* Whoever started us may have closed it: a record that goes nowhere is worse than one without a frame. */
static bool can_be_written(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

latch_log latch_log_from_environment(void) {
    const char *format = getenv("AWS_LAMBDA_LOG_FORMAT"), *fd = getenv("_LAMBDA_TELEMETRY_LOG_FD");
    latch_log log = {.fd = STDOUT_FILENO,
                     .least = level_of(getenv("AWS_LAMBDA_LOG_LEVEL")),
                     .provider = latch_env_get("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET"),
                     .redact = latch_redact_from_environment()};
    if (log.provider != NULL || (format != NULL && strcasecmp(format, "JSON") == 0)) log.format = LATCH_LOG_JSON;
    if (fd == NULL) return log;
    char *end;
    long n = strtol(fd, &end, 10);
    if (end != fd && *end == '\0' && n >= 0 && n <= INT32_MAX && can_be_written((int)n)) {
        log.fd = (int)n;
        log.framed = true;
    }
    unsetenv("_LAMBDA_TELEMETRY_LOG_FD");
    return log;
}

const latch_redact *latch_log_redact(const latch_ctx *cx) { return cx->log != NULL ? &cx->log->redact : NULL; }

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

static bool may_go_on(int fd) {
    struct pollfd reader = {.fd = fd, .events = POLLOUT};
    if (errno == EINTR) return true;
    return errno == EAGAIN && poll(&reader, 1, PATIENCE_MS) == 1 && (reader.revents & POLLOUT) != 0;
}

/* One write; where the pipe takes it in pieces, more. */
static void write_all(int fd, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t n = writev(fd, parts, count);
        if (n < 0 && may_go_on(fd)) continue;
        if (n <= 0) return;
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

/* `text` has a byte behind it: a pipe's record is a line, a frame knows its length. */
static void emit(const latch_log *log, latch_level level, char *text, size_t len, int64_t now_us) {
    unsigned char head[FRAME_BYTES];
    struct iovec parts[2] = {{head, FRAME_BYTES}, {text, len}};
    if (!log->framed) {
        text[len] = '\n';
        parts[1].iov_len++;
        write_all(log->fd, parts + 1, 1);
        return;
    }
    frame(head, log, level, len, now_us);
    write_all(log->fd, parts, 2);
}

void latch_log_emit_line(const latch_log *log, char *text, size_t len) {
    struct iovec line = {text, len + 1};
    text[len] = '\n';
    write_all(log->framed ? STDOUT_FILENO : log->fd, &line, 1);
}

/* ── a worker's own ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* -1: errno says why. */
static int connect_to(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof to.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int made;
    do {
        made = connect(fd, (const struct sockaddr *)&to, sizeof to);
    } while (made != 0 && errno == EINTR);
    if (made == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

void latch_log_open(latch_ctx *cx, latch_log_line *line) {
    line->process = cx->log;
    if (cx->log == NULL || cx->log->provider == NULL) return;
    int fd = connect_to(cx->log->provider);
    if (fd < 0) {
        latch_log(cx, LATCH_WARN, "the log's provider can't be reached: this worker logs to stdout", "socket", cx->log->provider, "why",
                  strerror(errno));
        return;
    }
    line->own = *cx->log;
    line->own.fd = fd;
    line->own.framed = false;
    cx->log = &line->own;
}

void latch_log_close(latch_ctx *cx, latch_log_line *line) {
    if (cx->log == &line->own) close(line->own.fd);
    cx->log = line->process;
}

/* ── how records look ────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_reserved(const char *name) {
    static const char *const reserved[] = {"timestamp", "level", "requestId", "tenantId", "message"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(name, reserved[i]) == 0) return true;
    }
    return false;
}

static void put_member(latch_text_writer *t, const char *name, latch_str text) {
    latch_text_put(t, latch_str_of(name));
    latch_text_json_lossy(t, text);
}

static void put_json(latch_text_writer *t, const latch_ctx *cx, const char *at, latch_level level, latch_str message) {
    put_member(t, "{\"timestamp\":", latch_str_of(at));
    put_member(t, ",\"level\":", latch_str_of(latch_level_name(level)));
    if (cx->request_id.len > 0) put_member(t, ",\"requestId\":", cx->request_id);
    if (cx->tenant_id.len > 0) put_member(t, ",\"tenantId\":", cx->tenant_id);
    put_member(t, ",\"message\":", message);
}

static void put_json_pairs(latch_text_writer *t, const latch_pair *pairs) {
    for (; pairs->name != NULL; pairs++) {
        latch_text_char(t, ',');
        if (is_reserved(pairs->name)) {
            latch_text_char(t, '"');
            latch_text_put(t, latch_str_of(pairs->name));
            latch_text_put(t, LATCH_STR("_\""));
        } else {
            latch_text_json_lossy(t, latch_str_of(pairs->name));
        }
        latch_text_char(t, ':');
        latch_text_value(t, pairs->value, true);
    }
}

static void put_text(latch_text_writer *t, const latch_ctx *cx, const char *at, latch_level level, latch_str message) {
    latch_text_put(t, latch_str_of(at));
    latch_text_char(t, '\t');
    latch_text_put(t, cx->request_id);
    latch_text_char(t, '\t');
    latch_text_put(t, latch_str_of(latch_level_name(level)));
    latch_text_char(t, '\t');
    latch_text_put(t, message);
}

static void fold(char *text, size_t len) {
    for (char *at = text; (at = memchr(at, '\n', len - (size_t)(at - text))) != NULL;)
        *at = '\r';
}

/* Where its pairs begin: their names say what is secret. */
static size_t put_record(latch_text_writer *t, const latch_ctx *cx, const char *at, latch_level level, latch_str message,
                         const latch_pair *pairs) {
    size_t pairs_at;
    if (cx->log->format == LATCH_LOG_JSON) {
        put_json(t, cx, at, level, message);
        pairs_at = t->len;
        put_json_pairs(t, pairs);
        latch_text_char(t, '}');
        return pairs_at;
    }
    put_text(t, cx, at, level, message);
    pairs_at = t->len;
    if (pairs->name == NULL) return pairs_at;
    latch_text_char(t, ' ');
    latch_text_pairs(t, pairs, true);
    return pairs_at;
}

/* A record is a line, without secrets. Its length then. */
static size_t clean(const latch_log *log, char *text, size_t len, size_t pairs_at) {
    if (pairs_at < len) len = pairs_at + latch_redact_json(&log->redact, text + pairs_at, len - pairs_at);
    len = latch_redact_text(&log->redact, text, len);
    fold(text, len);
    return len;
}

/* Where the arena is full: what fits on the stack, with the pairs where they fit too. */
static void emit_bare(const latch_ctx *cx, const char *at, latch_level level, latch_str message, const latch_pair *pairs, int64_t now_us) {
    static const latch_pair none[] = {{NULL, {LATCH_V_NULL, {.i = 0}}}};
    char text[BARE_BYTES];
    latch_ctx brief = *cx;
    latch_text_writer t = {.at = text, .cap = sizeof text};
    brief.request_id = latch_str_cut(cx->request_id, BARE_ID_BYTES);
    brief.tenant_id = latch_str_cut(cx->tenant_id, BARE_ID_BYTES);
    message = latch_str_cut(message, BARE_MESSAGE_BYTES);
    size_t pairs_at = put_record(&t, &brief, at, level, message, pairs);
    if (t.failed != LATCH_OK) {
        t = (latch_text_writer){.at = text, .cap = sizeof text};
        pairs_at = put_record(&t, &brief, at, level, message, none);
    }
    emit(cx->log, level, text, clean(cx->log, text, t.len, pairs_at), now_us);
}

void latch_log_write(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs) {
    if (cx->log == NULL || level < cx->log->least) return;
    size_t mark = latch_arena_mark(cx->arena);
    int64_t now_us = cx->clock.wall_us(cx->clock.self);
    char at[LATCH_TIMESTAMP_BYTES];
    latch_clock_format(now_us / 1000, at);
    latch_text_writer t = latch_text_begin(cx->arena);
    size_t pairs_at = put_record(&t, cx, at, level, latch_str_of(message), pairs);
    latch_str record = latch_text_end(&t);
    if (record.ptr != NULL) {
        emit(cx->log, level, t.at, clean(cx->log, t.at, record.len, pairs_at), now_us);
    } else {
        emit_bare(cx, at, level, latch_str_of(message), pairs, now_us);
    }
    latch_arena_rewind(cx->arena, mark);
}

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/coding.h"
#include "core/span.h"
#include "runtime/api_private.h"

/*
 * A stream is one POST whose body comes in chunks (RFC 9112, 7.1), a chunk a send. Nothing of it is sent twice, with one exception: the kept
 * connection may have died while nobody looked at it, and what the first send was given is still there then.
 *
 * Sends don't block by themselves: where the socket is full, what comes first counts, room, an answer, or the end of the time. The service
 * answers a stream before its end only to refuse it (400, 410, 413, 500), and then nothing more is sent, and no other outcome either.
 *
 * An ending, on this thread in a signal or on another, may have to end the body at any moment: it sends what is left of a chunk that has begun,
 * so chunks are small enough for that, and where they have come to is never in doubt for whoever has the line.
 */

#define UNTOLD_MS 100
#define CHUNK_MAX_BYTES ((size_t)65536) /* at 2 MiB/s, what Lambda takes of a long one, 31 ms */
#define LINE_WAIT_MS 200                /* for a send that doesn't wait, on a machine that is busy */

static latch_api *api_of(const latch_stream *s) { return s->self; }

/* ── the line ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void take_line(latch_api *api) {
    int line = LATCH_API_LINE_FREE;
    if (atomic_compare_exchange_strong(&api->line, &line, LATCH_API_LINE_WORKER)) return;
    for (;;)
        pause(); /* an ending's: what it tells is the outcome, and the process ends */
}

static void give_line(latch_api *api) {
    atomic_store(&api->line, LATCH_API_LINE_FREE);
    int number = api->held;
    if (number == 0) return;
    api->held = 0;
    raise(number);
}

bool latch_api_take_line(latch_api *api) {
    for (int waited_ms = 0; waited_ms < LINE_WAIT_MS; waited_ms++) {
        int line = LATCH_API_LINE_FREE;
        if (atomic_compare_exchange_strong(&api->line, &line, LATCH_API_LINE_ENDING)) return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static void cut_off(latch_api *api) {
    take_line(api);
    api->streaming = api->stream.sent ? LATCH_API_CUT_OFF : LATCH_API_NOT_STREAMING;
    give_line(api);
}

/* ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum pushed { PUSHED, LATE, HEARD, CUT } pushed;

/* A wait that is worth to be told of is a span: for whoever asks what the handler hangs in. */
static pushed wait_for_room(const latch_api *api, int64_t deadline_at_ms) {
    struct pollfd at = {.fd = api->fd, .events = POLLOUT | POLLIN};
    int most_ms = latch_api_patience_ms(api, deadline_at_ms);
    int ready = poll(&at, 1, most_ms < UNTOLD_MS ? most_ms : UNTOLD_MS);
    if (ready == 0 && most_ms > UNTOLD_MS) {
        latch_ctx *cx = api->stream.cx;
        latch_span span = latch_span_begin_kind(cx, LATCH_SPAN_WAIT, "stream", LATCH_STR("to its client"));
        ready = poll(&at, 1, most_ms - UNTOLD_MS);
        latch_span_end(cx, span, ready != 0 ? LATCH_OK : LATCH_E_TIMEOUT);
    }
    if (ready < 0) return errno == EINTR ? PUSHED : CUT;
    if (ready == 0) return LATE;
    return (at.revents & ~POLLOUT) != 0 ? HEARD : PUSHED;
}

/* What the socket takes now, noted in the same breath. False: errno says why it took nothing. */
static bool send_some(latch_api *api) {
    struct msghdr *message = &api->chunk.message;
    take_line(api);
    ssize_t n = sendmsg(api->fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
    int error = errno;
    if (n > 0) {
        latch_api_advance(message, (size_t)n);
        api->stream.sent = true;
        api->streaming = message->msg_iovlen > 0 ? LATCH_API_IN_CHUNK : LATCH_API_BETWEEN_CHUNKS;
    }
    give_line(api);
    errno = error;
    return n >= 0;
}

/* All of the chunk. */
static pushed push(latch_api *api, int64_t deadline_at_ms) {
    pushed how = PUSHED;
    while (how == PUSHED && api->chunk.message.msg_iovlen > 0) {
        if (send_some(api)) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            how = wait_for_room(api, deadline_at_ms);
        } else if (errno != EINTR) {
            how = CUT;
        }
    }
    return how;
}

/* Whether the service said something, or closed, while nobody waited for it. */
static bool is_quiet(const latch_api *api) {
    char byte;
    ssize_t n;
    do {
        n = recv(api->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* The service's answer, as far as there is one. Who answers has had the request, even where that is all that can be told. */
static latch_status hear(latch_api *api, latch_api_exchange *x, int64_t deadline_at_ms) {
    *x = (latch_api_exchange){
        .until_at_ms = deadline_at_ms, .arena = &api->answers, .limits = {LATCH_API_ANSWER_BYTES / 4, LATCH_API_ANSWER_BYTES / 4}};
    latch_arena_rewind(&api->answers, 0);
    latch_status status = latch_api_receive(api, x);
    api->stream_answered = latch_wire_heard(&x->wire);
    if (status == LATCH_OK) api->stream_verdict = latch_api_judge(api, &x->wire, "stream");
    return status;
}

static latch_status out_of_time(latch_stream *s) {
    return latch_err_set(&s->cx->err, LATCH_E_TIMEOUT,
                         "the time is up and the client hasn't taken the stream: make it smaller, or give the function a longer Timeout");
}

/* Why no more can be sent, which is the writer's to know. The connection is of no use any more. */
static latch_status broken_off(latch_stream *s, pushed how) {
    latch_api *api = api_of(s);
    latch_api_exchange x;
    cut_off(api);
    latch_err *err = &s->cx->err;
    bool answered = how != LATE && hear(api, &x, s->cx->deadline_at_ms) == LATCH_OK;
    latch_api_hang_up(api);
    if (how == LATE) return out_of_time(s);
    if (answered)
        return latch_err_set(err, LATCH_E_NETWORK, "the Runtime API has ended the stream with %d: nobody reads on, return", x.wire.status);
    return latch_err_set(err, LATCH_E_NETWORK, "the stream is cut off (%.80s): nobody reads on, return", latch_api_err(api)->message);
}

/* ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct iovec part(latch_str text) { return (struct iovec){(char *)(uintptr_t)text.ptr, text.len}; }

static void add(latch_api_chunk *c, latch_str text) {
    if (text.len > 0) c->parts[c->message.msg_iovlen++] = part(text);
}

/* A chunk of no bytes would end the body: there is none. */
static void make_chunk(latch_api_chunk *c, latch_str head, latch_str first, latch_str second) {
    int len = snprintf(c->size, sizeof c->size, "%zx\r\n", first.len + second.len);
    c->message = (struct msghdr){.msg_iov = c->parts};
    add(c, head);
    if (first.len + second.len == 0) return;
    add(c, (latch_str){c->size, (size_t)len});
    add(c, first);
    add(c, second);
    add(c, LATCH_STR("\r\n"));
}

static latch_status make_head(latch_stream *s, latch_str *head) {
    latch_api *api = api_of(s);
    latch_str type = latch_str_of(s->is_http ? LATCH_STREAM_HTTP_TYPE : s->content_type);
    latch_text_writer t = latch_api_begin_outcome(api, s->cx->invocation, "response");
    latch_api_put_header(&t, "Content-Type", type.len > 0 ? type : LATCH_STR("application/octet-stream"));
    latch_text_put(&t, LATCH_STR("Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
                                 "Trailer: " LATCH_API_ERROR_TYPE ", " LATCH_API_ERROR_BODY "\r\n"));
    latch_status status = latch_api_end_request(api, &t, head);
    return status == LATCH_OK ? status : latch_err_set(&s->cx->err, status, "%s", latch_api_err(api)->message);
}

/*
 * What the client hasn't taken yet may be sent with the end, or by an ending: the trailers behind it say what happened. The writer's own bytes are
 * its again when its call is over; what was buffered is touched no more. False: the arena is full.
 */
static bool keep_rest(latch_stream *s) {
    latch_api *api = api_of(s);
    struct msghdr *rest = &api->chunk.message;
    char *copy = NULL;
    take_line(api); /* an ending that sends already does so from where they are: there they stay */
    struct iovec *written = rest->msg_iovlen >= 2 ? rest->msg_iov + rest->msg_iovlen - 2 : NULL;
    if (written != NULL) copy = latch_arena_alloc(s->cx->arena, written->iov_len);
    if (copy != NULL) written->iov_base = memcpy(copy, written->iov_base, written->iov_len);
    give_line(api);
    return written == NULL || copy != NULL;
}

static latch_status send_first(latch_stream *s, latch_str first, latch_str second) {
    latch_api *api = api_of(s);
    latch_str head;
    LATCH_TRY(make_head(s, &head));
    for (;;) {
        bool kept =
            api->easy != NULL && !latch_api_is_stopping(api) && is_quiet(api); /* stopping: its reading side may soon be shut down */
        if (!kept) latch_api_hang_up(api);
        if (latch_api_dial(api) != LATCH_OK)
            return latch_err_set(&s->cx->err, LATCH_E_NETWORK, "the Runtime API isn't reached: %.150s", latch_api_err(api)->message);
        make_chunk(&api->chunk, head, first, second);
        pushed how = push(api, s->cx->deadline_at_ms);
        if (how == PUSHED) return LATCH_OK;
        if (how == LATE && api->chunk.message.msg_iov != api->chunk.parts && keep_rest(s)) return out_of_time(s);
        latch_status status = broken_off(s, how);
        if (!kept || how == LATE || api->stream_answered) return status;
    }
}

static latch_status send_chunk(latch_stream *s, latch_str first, latch_str second) {
    latch_api *api = api_of(s);
    pushed how = HEARD;
    if (!s->sent) return send_first(s, first, second);
    make_chunk(&api->chunk, LATCH_STR(""), first, second);
    if (is_quiet(api)) how = push(api, s->cx->deadline_at_ms);
    if (how == LATE && (api->streaming == LATCH_API_BETWEEN_CHUNKS || keep_rest(s))) return out_of_time(s);
    return how == PUSHED ? LATCH_OK : broken_off(s, how);
}

static latch_status send_chunks(latch_stream *s, latch_str first, latch_str second) {
    for (;;) {
        size_t room = CHUNK_MAX_BYTES - first.len;
        if (second.len <= room) return send_chunk(s, first, second);
        LATCH_TRY(send_chunk(s, first, (latch_str){second.ptr, room}));
        second = (latch_str){second.ptr + room, second.len - room};
        first = LATCH_STR("");
    }
}

/* ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_api_write_end(char *at, size_t cap, const char *type, latch_str body) {
    latch_text_writer t = {.at = at, .cap = cap};
    latch_text_put(&t, LATCH_STR("0\r\n"));
    if (type != NULL) {
        size_t bytes = latch_base64_bytes(body.len);
        latch_api_put_header(&t, LATCH_API_ERROR_TYPE, latch_str_of(type));
        latch_text_put(&t, LATCH_STR(LATCH_API_ERROR_BODY ": "));
        if (latch_text_reserve(&t, bytes)) {
            latch_base64_write(body, t.at + t.len);
            t.len += bytes;
        }
        latch_text_put(&t, LATCH_STR("\r\n"));
    }
    latch_text_put(&t, LATCH_STR("\r\n"));
    return latch_text_end(&t);
}

/* Behind the head, which lies in api->head. */
static latch_str with_size(latch_api *api, latch_str head, latch_str size) {
    if (sizeof api->head - head.len < size.len) return (latch_str){NULL, 0};
    memcpy(api->head + head.len, size.ptr, size.len);
    return (latch_str){head.ptr, head.len + size.len};
}

/* All of it is in the buffer: a POST like any other, which may be repeated while it has no answer. */
static latch_api_verdict send_whole(latch_api *api, int64_t deadline_at_ms) {
    latch_stream *s = &api->stream;
    latch_api_exchange x = {.body = {s->buffer, s->len}};
    char size[20], tail[LATCH_STREAM_TAIL_BYTES];
    int size_len = snprintf(size, sizeof size, "%zx\r\n", s->len);
    int tail_len = snprintf(tail, sizeof tail, "%s0\r\n\r\n", s->len > 0 ? "\r\n" : "");
    memcpy(s->buffer + s->len, tail, (size_t)tail_len);
    x.body.len += (size_t)tail_len;
    if (make_head(s, &x.head) == LATCH_OK && s->len > 0) x.head = with_size(api, x.head, (latch_str){size, (size_t)size_len});
    return latch_api_deliver(api, &x, deadline_at_ms, "response");
}

static latch_api_verdict unheard(latch_api *api, const char *why) {
    latch_log(api->cx, LATCH_WARN, "the end of a stream has no answer, the invocation is over", "why", why);
    latch_api_hang_up(api);
    return LATCH_API_GO_ON;
}

/* What is left of a chunk, or in the buffer, the end and its trailers; then the answer. */
static latch_api_verdict send_end(latch_api *api, int64_t deadline_at_ms, const latch_failure *failure) {
    latch_stream *s = &api->stream;
    latch_api_exchange x;
    pushed how = api->streaming == LATCH_API_IN_CHUNK ? push(api, deadline_at_ms) : PUSHED;
    latch_str end = latch_api_write_end(api->head, sizeof api->head, failure != NULL ? failure->type : NULL,
                                        latch_str_of(failure != NULL ? failure->body : ""));
    if (how == PUSHED) {
        make_chunk(&api->chunk, LATCH_STR(""), (latch_str){s->buffer, s->len}, LATCH_STR(""));
        add(&api->chunk, end);
        how = push(api, deadline_at_ms);
    }
    bool whole = how == PUSHED;
    if (how == LATE || (whole && !latch_api_await(api, deadline_at_ms))) return unheard(api, "the time is up");
    if (hear(api, &x, deadline_at_ms) != LATCH_OK) return unheard(api, latch_api_err(api)->message);
    if (!whole || !x.wire.keep_alive) latch_api_hang_up(api);
    return api->stream_verdict;
}

latch_api_verdict latch_api_stream_end(latch_api *api, const latch_invocation *invocation, const latch_failure *failure) {
    latch_stream *s = &api->stream;
    latch_api_verdict verdict = api->stream_verdict;
    if (!s->sent) {
        verdict = send_whole(api, invocation->deadline_at_ms);
    } else if (api->easy != NULL) {
        verdict = send_end(api, invocation->deadline_at_ms, failure);
    }
    api->streaming = LATCH_API_NOT_STREAMING;
    s->state = LATCH_STREAM_NONE;
    return verdict;
}

void latch_api_stream_ready(latch_api *api, latch_ctx *cx) {
    latch_stream_ready(&api->stream, cx);
    api->streaming = LATCH_API_NOT_STREAMING;
    api->stream_verdict = LATCH_API_GO_ON;
    api->stream_answered = false;
}

void latch_api_stream_init(latch_api *api) {
    latch_err unused; /* the process has looked before */
    api->stream = (latch_stream){.send = send_chunks, .self = api};
    atomic_init(&api->line, LATCH_API_LINE_FREE);
    api->held = 0;
    (void)latch_stream_read_mode(&api->stream.mode, &unused);
    api->streaming = LATCH_API_NOT_STREAMING;
    api->stream_verdict = LATCH_API_GO_ON;
}

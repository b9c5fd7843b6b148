/*
 * runtime/stream_private.h - what is inside a latch_stream: a buffer, and where its bytes go. For the runtime and the test kit.
 *
 * The one who runs invocations has one of these, and it outlives them: a handle that a handler kept is refused, not undefined.
 */
#ifndef LATCH_RUNTIME_STREAM_PRIVATE_H
#define LATCH_RUNTIME_STREAM_PRIVATE_H

#include "core/ctx_private.h"
#include "runtime/stream.h"

#define LATCH_STREAM_HTTP_TYPE "application/vnd.awslambda.http-integration-response"
#define LATCH_STREAM_TAIL_BYTES 16 /* of the buffer, behind it: for the end of a chunk and of the body */

typedef enum latch_stream_mode { LATCH_STREAM_AUTO, LATCH_STREAM_ALWAYS, LATCH_STREAM_NEVER } latch_stream_mode;

typedef enum latch_stream_state {
    LATCH_STREAM_NONE, /* this invocation has begun none, or given it up, or is over */
    LATCH_STREAM_OPEN,
    LATCH_STREAM_FAILED /* as `broken` says */
} latch_stream_state;

struct latch_stream {
    /* Sends both texts, either of which may be empty, the first time with a head; sets `sent`. The error is in stream->cx. NULL: it collects. */
    latch_status (*send)(latch_stream *stream, latch_str first, latch_str second);
    void *self;
    latch_stream_mode mode;

    latch_ctx *cx; /* of the invocation */
    latch_stream_state state;
    bool sent;     /* somebody may have seen some of it: no other outcome can be posted */
    bool collects; /* in the buffer, all of it */
    bool is_http;  /* the body begins with status and headers */
    bool drops;    /* HEAD: what is written is left out */
    int bodiless;  /* the status, where it is one without a body; 0: it is none */
    const char *content_type;
    size_t len, cap;
    char *buffer; /* in the invocation's arena, with LATCH_STREAM_TAIL_BYTES behind it */
    latch_err broken;
};

/* LATCH_INVOKE_MODE; LATCH_E_MISUSE where it is neither of the two words: then `mode` is as if it were unset. */
latch_status latch_stream_read_mode(latch_stream_mode *mode, latch_err *err);

/* For a new invocation: no stream has begun. */
static inline void latch_stream_ready(latch_stream *stream, latch_ctx *cx) {
    stream->state = LATCH_STREAM_NONE;
    stream->sent = false;
    stream->cx = cx;
    cx->stream = stream;
}

/* Whether the outcome of an invocation that ended with `status` is the stream's to send. */
static inline bool latch_stream_answers(const latch_stream *stream, latch_status status) {
    return stream->sent || (status == LATCH_OK && stream->state == LATCH_STREAM_OPEN);
}

/*
 * Begins cx's one; `content_type` is copied. One that nobody can send collects, whatever is asked for.
 * LATCH_E_MISUSE: there is one already; LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_stream_begin(latch_ctx *cx, bool collects, const char *content_type, latch_stream **out);

/* A write whatever `drops` and `bodiless` say. */
LATCH_NODISCARD latch_status latch_stream_put(latch_stream *stream, latch_str bytes);

/*
 * What the handler's `status` means where it began a stream. LATCH_OK stays only where all that it wrote could be sent. A stream of which
 * nothing was sent and that doesn't end well is given up: it is as if there had been none, and *stream becomes NULL.
 */
LATCH_NODISCARD latch_status latch_stream_settle(latch_stream **stream, latch_status status);

#endif

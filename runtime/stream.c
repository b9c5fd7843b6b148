#include "runtime/stream_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api.h"
#include "runtime/outcome.h"

latch_status latch_stream_read_mode(latch_stream_mode *mode, latch_err *err) {
    const char *text = getenv("LATCH_INVOKE_MODE");
    *mode = LATCH_STREAM_AUTO;
    if (text == NULL || *text == '\0') return LATCH_OK;
    if (strcmp(text, "RESPONSE_STREAM") == 0) {
        *mode = LATCH_STREAM_ALWAYS;
    } else if (strcmp(text, "BUFFERED") == 0) {
        *mode = LATCH_STREAM_NEVER;
    } else {
        return latch_err_set(err, LATCH_E_MISUSE, "LATCH_INVOKE_MODE is \"%.40s\", want RESPONSE_STREAM or BUFFERED", text);
    }
    return LATCH_OK;
}

/* ── beginning ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What is collected has its place from the beginning: a block that grew would be lost to whoever rewinds the arena in between. */
static size_t room_for(const latch_ctx *cx, bool collects) {
    size_t half = (cx->arena->cap - cx->arena->used) / 2;
    if (!collects) return LATCH_STREAM_BUFFER_BYTES;
    return half < LATCH_API_PAYLOAD_MAX_BYTES ? half : LATCH_API_PAYLOAD_MAX_BYTES;
}

/* Whoever runs the handler may have none of its own: then it can only be collected. */
static latch_stream *stream_of(latch_ctx *cx) {
    if (cx->stream != NULL) return cx->stream;
    latch_stream *own = latch_arena_alloc(cx->arena, sizeof *own);
    if (own == NULL) return NULL;
    *own = (latch_stream){.mode = LATCH_STREAM_AUTO};
    latch_stream_ready(own, cx);
    return own;
}

latch_status latch_stream_begin(latch_ctx *cx, bool collects, const char *content_type, latch_stream **out) {
    latch_stream *s = stream_of(cx);
    *out = NULL;
    if (s != NULL && s->state != LATCH_STREAM_NONE)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the answer is being streamed already: an invocation has one stream");
    latch_str type = latch_copy(cx, latch_str_of(content_type));
    collects = collects || (s != NULL && s->send == NULL);
    size_t cap = room_for(cx, collects);
    char *buffer = latch_arena_alloc(cx->arena, cap + LATCH_STREAM_TAIL_BYTES);
    if (s == NULL || type.ptr == NULL || buffer == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "the stream's buffer of %zu bytes doesn't fit: raise LATCH_ARENA_MB", cap);
    s->cx = cx;
    s->state = LATCH_STREAM_OPEN;
    s->collects = collects;
    s->is_http = s->drops = false;
    s->bodiless = 0;
    s->content_type = type.ptr;
    s->buffer = buffer;
    s->len = 0;
    s->cap = cap;
    *out = s;
    return LATCH_OK;
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check(latch_stream *s) {
    if (s->state == LATCH_STREAM_OPEN) return LATCH_OK;
    if (s->state == LATCH_STREAM_NONE)
        return latch_err_set(&s->cx->err, LATCH_E_MISUSE, "the stream has ended: it lives as long as the handler that began it");
    s->cx->err = s->broken;
    return s->broken.status;
}

static latch_status fail(latch_stream *s, latch_status status) {
    s->state = LATCH_STREAM_FAILED;
    s->broken = s->cx->err;
    return status;
}

static latch_status send_on(latch_stream *s, latch_str more) {
    latch_status status = s->send(s, (latch_str){s->buffer, s->len}, more);
    s->len = 0;
    return status == LATCH_OK ? status : fail(s, status);
}

static latch_status too_much(latch_stream *s) {
    latch_err *err = &s->cx->err;
    latch_status status = LATCH_E_NOMEM;
    if (s->cap == LATCH_API_PAYLOAD_MAX_BYTES) {
        status =
            latch_err_set(err, LATCH_E_HANDLER, "the response has over %zu bytes: where it isn't streamed Lambda takes no more", s->cap);
        snprintf(err->type, sizeof err->type, "ResponseSizeTooLarge");
    } else {
        (void)latch_err_set(err, status, "the response isn't streamed and has over %zu bytes, half of the arena: raise LATCH_ARENA_MB",
                            s->cap);
    }
    return fail(s, status);
}

latch_status latch_stream_put(latch_stream *s, latch_str bytes) {
    if (bytes.len > s->cap - s->len) return s->collects ? too_much(s) : send_on(s, bytes);
    if (bytes.len > 0) memcpy(s->buffer + s->len, bytes.ptr, bytes.len);
    s->len += bytes.len;
    return LATCH_OK;
}

latch_status latch_stream_write(latch_stream *s, latch_str bytes) {
    LATCH_TRY(check(s));
    if (bytes.len == 0 || s->drops) return LATCH_OK;
    if (s->bodiless != 0) return latch_err_set(&s->cx->err, LATCH_E_MISUSE, "a reply with the status %d has no body", s->bodiless);
    return latch_stream_put(s, bytes);
}

latch_status latch_stream_flush(latch_stream *s) {
    LATCH_TRY(check(s));
    if (s->collects || (s->len == 0 && s->sent)) return LATCH_OK;
    return send_on(s, LATCH_STR(""));
}

/* ── after the handler ───────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_stream_settle(latch_stream **stream, latch_status status) {
    latch_stream *s = *stream;
    if (s == NULL) return status;
    if (status == LATCH_OK && s->state == LATCH_STREAM_FAILED) status = check(s);
    if (status == LATCH_OK || s->sent) return status;
    s->state = LATCH_STREAM_NONE;
    *stream = NULL;
    return status;
}

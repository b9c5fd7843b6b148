#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "kit/inside.h"

static void keep(kit_stream *k, latch_str bytes) {
    if (bytes.len == 0) return;
    if (k->len + bytes.len > k->cap) {
        k->cap = 2 * (k->len + bytes.len);
        k->bytes = realloc(k->bytes, k->cap);
        kit_need(k->bytes != NULL, "there is no memory");
    }
    memcpy(k->bytes + k->len, bytes.ptr, bytes.len);
    k->len += bytes.len;
}

/* What the client still takes of it. */
static latch_str within(const kit_stream *k, latch_str bytes) {
    size_t left = k->most - k->len;
    return (latch_str){bytes.ptr, bytes.len < left ? bytes.len : left};
}

static latch_status take(latch_stream *stream, latch_str first, latch_str second) {
    kit_stream *k = stream->self;
    bool all = first.len + second.len <= k->most - k->len;
    stream->sent = true;
    keep(k, within(k, first));
    keep(k, within(k, second));
    return all ? LATCH_OK
               : latch_err_set(&stream->cx->err, LATCH_E_NETWORK, "the stream is cut off (the client hung up): nobody reads on, return");
}

void latch_kit_stream_ready(latch_test *t, latch_ctx *cx) {
    kit_stream *k = &t->streamed;
    k->stream.send = take;
    k->stream.self = k;
    k->len = 0;
    latch_stream_ready(&k->stream, cx);
}

bool latch_kit_stream_end(latch_test *t, latch_status status) {
    kit_stream *k = &t->streamed;
    latch_stream *s = &k->stream;
    bool answers = latch_stream_answers(s, status);
    if (answers && s->state == LATCH_STREAM_OPEN) keep(k, within(k, (latch_str){s->buffer, s->len}));
    s->state = LATCH_STREAM_NONE;
    return answers;
}

void latch_test_hang_up(latch_test *t, size_t bytes) { t->streamed.most = bytes; }

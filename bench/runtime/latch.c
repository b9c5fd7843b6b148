/*
 * Latch's functions for bench/runtime/run.py, as they are deployed: each parses its event as the others' do.
 *
 *   echo     answers with its event, parsed and written again
 *   stream   streams as many bytes as the event says
 *   wait     answers after 2 ms, as a handler does that waits for a table
 */
#include <time.h>

#include "latch.h"
#include "runtime/stream.h"

static latch_status echo(latch_ctx *cx, latch_event *event) {
    latch_json v;
    (void)cx;
    LATCH_TRY(latch_event_json(event, &v));
    return latch_event_reply(event, v);
}

/* What an export writes: a block as large as the others'. */
static latch_status stream(latch_ctx *cx, latch_event *event) {
    enum { BLOCK_BYTES = 65536 };
    static char block[BLOCK_BYTES];
    latch_json v;
    latch_stream *out;
    int64_t left;
    (void)cx;
    LATCH_TRY(latch_event_json(event, &v));
    LATCH_TRY(latch_read(v, "bytes", latch_range(&left, 1, INT64_MAX)));
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = (char)('!' + i % 64);
    LATCH_TRY(latch_event_stream(event, "", &out));
    for (; left > 0; left -= BLOCK_BYTES)
        LATCH_TRY(latch_stream_write(out, (latch_str){block, left < BLOCK_BYTES ? (size_t)left : (size_t)BLOCK_BYTES}));
    return LATCH_OK;
}

static latch_status wait_a_little(latch_ctx *cx, latch_event *event) {
    const struct timespec two_ms = {.tv_nsec = 2000000};
    nanosleep(&two_ms, NULL);
    return echo(cx, event);
}

static const latch_handler functions[] = {
    {.name = "echo", .event = echo},
    {.name = "stream", .event = stream},
    {.name = "wait", .event = wait_a_little},
};

int main(void) { return LATCH_RUN(functions); }

/*
 * stream_child.c - a function that dies in the middle of its stream: the event says where, and how, as in "sent crash". test_stream.c starts it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "runtime/event.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

static bool says(const latch_event *event, const char *word) {
    latch_str text = latch_event_bytes(event);
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static void die(const latch_event *event) {
    if (says(event, "crash")) raise(SIGSEGV);
    if (says(event, "exit")) exit(3);
    for (;;)
        pause(); /* the watchdog's signal doesn't end it */
}

static latch_status dies(latch_ctx *cx, latch_event *event) {
    static char block[100000];
    latch_stream *stream;
    (void)cx;
    LATCH_TRY(latch_event_stream(event, "text/plain", &stream));
    LATCH_TRY(latch_stream_write(stream, LATCH_STR("abc")));
    if (says(event, "sent") || says(event, "large")) LATCH_TRY(latch_stream_flush(stream));
    if (says(event, "large")) LATCH_TRY(latch_stream_write(stream, (latch_str){block, sizeof block}));
    if (says(event, "more")) LATCH_TRY(latch_stream_write(stream, LATCH_STR("what is in the buffer is lost")));
    die(event);
    return LATCH_OK;
}

int main(void) {
    const latch_handler handlers[] = {{.name = "h", .event = dies}};
    const latch_log log = latch_log_from_environment();
    return latch_loop_run(&(latch_loop_options){.handlers = handlers, .count = 1, .clock = latch_clock_system(), .log = &log});
}

/*
 * stream_child.c - a function that dies in the middle of its stream: the event says where, and how, as in "sent crash". test_stream.c starts it.
 *
 *   sent, large, more    what it writes first; then crash, exit or hang
 *   thread               another thread does so, 300 ms later; with "soon" after a moment that differs from event to event
 *   long                 it writes 16 MB; where it can't, it goes on as if it could, with "fails" it returns, with "reuses" it does after it
 *                        has put other bytes where those were
 *   endless              it writes on and on
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

static void *die_later(void *arg) {
    const latch_event *event = arg;
    latch_str text = latch_event_bytes(event);
    long us = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9') us = us * 10 + text.ptr[i] - '0';
    }
    nanosleep(&(struct timespec){.tv_nsec = (says(event, "soon") ? us : 300000) * 1000}, NULL);
    die(event);
    return NULL;
}

/* What follows "abc": letters by their place in it, so that each byte that is missing or there twice shows. */
static char letters[23 * 728178]; /* a little under 16 MB; a multiple, so that it can be followed by itself */

static latch_status write_much(latch_stream *stream, const latch_event *event) {
    if (!says(event, "endless")) return latch_stream_write(stream, (latch_str){letters, sizeof letters});
    for (size_t i = 0;; i++) {
        size_t n = 23 * (1 + i % 7) * (i % 1000 == 0 ? 3000 : 1);
        LATCH_TRY(latch_stream_write(stream, (latch_str){letters, n}));
        LATCH_TRY(latch_stream_flush(stream));
    }
}

static latch_status dies(latch_ctx *cx, latch_event *event) {
    static char block[100000];
    latch_stream *stream;
    pthread_t thread;
    (void)cx;
    if (says(event, "thread") && pthread_create(&thread, NULL, die_later, event) != 0) _exit(127);
    LATCH_TRY(latch_event_stream(event, "text/plain", &stream));
    LATCH_TRY(latch_stream_write(stream, LATCH_STR("abc")));
    if (says(event, "sent") || says(event, "large")) LATCH_TRY(latch_stream_flush(stream));
    if (says(event, "large")) LATCH_TRY(latch_stream_write(stream, (latch_str){block, sizeof block}));
    if (says(event, "more")) LATCH_TRY(latch_stream_write(stream, LATCH_STR("what is in the buffer is lost")));
    if (says(event, "long") || says(event, "endless")) {
        latch_status status = write_much(stream, event);
        if (says(event, "reuses")) memset(letters, 'Z', sizeof letters);
        if (says(event, "fails") || says(event, "reuses")) return status;
    }
    if (says(event, "thread")) pause();
    die(event);
    return LATCH_OK;
}

int main(void) {
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 23);
    const latch_handler handlers[] = {{.name = "h", .event = dies}};
    const latch_log log = latch_log_from_environment();
    return latch_loop_run(&(latch_loop_options){.handlers = handlers, .count = 1, .clock = latch_clock_system(), .log = &log});
}

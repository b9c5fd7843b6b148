/*
 * stream.h - where a streamed response goes, piece by piece, while the function still writes it.
 *
 * The Runtime API's side (api.c) has the bytes and calls the sink; whoever invokes (serve) has the sink. An invocation without a sink is
 * collected whole in its `answer`, streamed or not; a buffered response never reaches a sink. All of it runs in the one loop's thread.
 */
#ifndef LATCH_LOCAL_STREAM_H
#define LATCH_LOCAL_STREAM_H

#include "core/words.h"

typedef struct latch_stream_source { /* of the side that has the bytes; lives until end */
    void *arg;
    void (*resume)(void *arg); /* the sink has room again. Calls `data` later, never from within; without a piece that waits: nothing */
} latch_stream_source;

/*
 * begin, then data any number of times, then end, once each; on_over comes after end. The function's process may die, be killed at its
 * deadline or cut its connection in between: then end says so. None of them may end the invocation or stop the sandbox from within.
 */
typedef struct latch_stream_sink {
    void *arg;
    /* The head of the response is here. content_type: NULL where there is none; a copy is taken by who needs one. */
    void (*begin)(void *arg, const char *content_type, latch_stream_source source);
    /* How much of it is taken. Less than `len`: the rest waits, so that the function's writes block, until source.resume, then comes
       again. len > 0. */
    size_t (*data)(void *arg, const char *bytes, size_t len);
    /* error_type NULL: the response is whole. Else its trailers', "Function.CardDeclined", and the decoded body {"errorType",…}; the
       connection's end without a last chunk, a dead process and a deadline are errors too, with what latch_invocation_fail makes. */
    void (*end)(void *arg, const char *error_type, latch_str error_body);
} latch_stream_sink;

#endif

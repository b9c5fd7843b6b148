/* invocation.h - one event on its way to a function, and what became of it. */
#ifndef LATCH_LOCAL_INVOCATION_H
#define LATCH_LOCAL_INVOCATION_H

#include "buffer.h"
#include "stream.h"

#define LATCH_PAYLOAD_BYTES ((size_t)6291556) /* 6 MiB + 100: the most that Lambda takes of an event and of a buffered response */

typedef enum latch_outcome {
    LATCH_PENDING,
    LATCH_ANSWERED,       /* `answer` */
    LATCH_FAILED,         /* the function posted an error: the next five have `error` too */
    LATCH_TOO_LARGE,      /* its response was over the limit */
    LATCH_TIMED_OUT,      /* killed at its deadline */
    LATCH_EXITED,         /* the process ended without an answer */
    LATCH_INIT_FAILED,    /* posted an init error, or ended before its first /next */
    LATCH_INIT_TIMED_OUT, /* killed before its first /next */
    LATCH_NOT_STARTED     /* the bootstrap couldn't be run */
} latch_outcome;

typedef struct latch_invocation {
    /* set by whoever invokes */
    latch_str event;
    bool give_event; /* malloc'ed, the Runtime API's to free once it is handed out; else it outlives the server */
    void (*on_over)(void *arg, struct latch_invocation *inv);
    void (*on_log)(void *arg, struct latch_invocation *inv, latch_str line); /* of its log, while it is handed out; NULL */
    const latch_stream_sink *sink; /* of a streamed response, which `answer` then doesn't get; NULL: all of it is collected */
    void *arg;
    /* set on the way */
    char id[37];
    latch_outcome outcome;
    latch_buffer answer;  /* the response, as it was sent */
    latch_buffer error;   /* the error's body, as it was sent; composed here where the process couldn't: {"errorType","errorMessage"} */
    char *content_type;   /* of the response; NULL */
    char error_type[128]; /* of an error's header, as the service keeps it; empty: no header */
    int64_t given_at_ns, duration_ns;
    int64_t init_ns; /* of the process that was started for it; -1: it was warm */
    char *note;      /* what happened after the answer, for people; NULL */
    struct latch_invocation *next;
} latch_invocation;

void latch_invocation_clean_up(latch_invocation *inv);

/* An error in the Runtime API's form. */
void latch_invocation_fail(latch_invocation *inv, latch_outcome outcome, const char *type, const char *message);

#endif

/* invocation.h - one event on its way to a function, and what became of it. */
#ifndef LATCH_LOCAL_INVOCATION_H
#define LATCH_LOCAL_INVOCATION_H

#include <yyjson.h>

#include "buffer.h"
#include "fault.h"
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
    char invocation_id[37]; /* where several run at once; empty: none is sent */
    char trace[96];         /* the trace header */
    int64_t deadline_at_ms; /* since the epoch */
    latch_outcome outcome;
    latch_buffer answer;  /* the response, as it was sent; of a stream that failed, what there was */
    size_t answer_bytes;  /* of it, also where a sink got them */
    bool streamed;        /* it came in streaming mode */
    latch_buffer error;   /* the error's body, as it was sent; composed here where the process couldn't: {"errorType","errorMessage"} */
    char *content_type;   /* of the response; NULL */
    char error_type[128]; /* of an error's header or trailer, as the service keeps it; empty: no header */
    const char *composed; /* the error's type where latch_invocation_fail made it; NULL */
    int64_t given_at_ns, duration_ns;
    int64_t init_ns;  /* of the process that was started for it; -1: it was warm */
    int64_t pid;      /* of the process it was handed to; 0: to none */
    char *note;       /* what happened after the answer, for people; NULL */
    char *complaints; /* what no runtime may do, and this one did: sentences on lines; NULL */
    latch_fault fault;
    bool fault_is_done; /* it happens once */
    bool undelivered;   /* its event was lost on the way, by `fault`: the next request for an event gets it */
    bool answer_lost;   /* the service's answer to its post was lost, by `fault`: the same post may come again */
    bool mode_lost;     /* posted with a mode that there isn't: it gets no answer any more */
    struct latch_invocation *next;
} latch_invocation;

void latch_invocation_clean_up(latch_invocation *inv);

/* An error in the Runtime API's form. `type` is a literal. */
void latch_invocation_fail(latch_invocation *inv, latch_outcome outcome, const char *type, const char *message);

/*
 * The answer as JSON; NULL: it is none. Of a streamed HTTP response {"statusCode", "headers", "cookies", "body"}, from its prelude and what
 * follows; of another stream that is text, that text.
 */
yyjson_doc *latch_invocation_answer(const latch_invocation *inv);

void latch_invocation_complain(latch_invocation *inv, const char *sentence);

#endif

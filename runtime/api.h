/*
 * runtime/api.h - the client of the Lambda Runtime API: next, response, error, init error.
 *
 * libcurl makes the connection; requests and answers are framed here (core/wire.h), because an easy transfer costs about 7 µs and an
 * invocation has two. Plain HTTP/1.1, one kept connection, one write per request, never a proxy, no timeout on /next.
 *
 * What the service says decides what becomes of the process (contracts of the Lambda Runtime API, "Custom runtimes"):
 *
 *   202            go on
 *   400, 403, 410  logged; the invocation is over, go on
 *   413            logged; the service has failed the invocation already, go on
 *   500            not recoverable: logged, end the process
 *   no answer      a POST is sent again (the service keeps one), 50 ms doubling to 5 s later, until the deadline, or 10 times where there is none;
 *                  /next for ever, but 5 times within 2 s where none was ever answered: then the process ends
 *   403 on /next   as no answer; so is anything else that isn't 200
 *
 * One request at a time: the next event isn't asked for before the receipt of the last answer is read, though one write could carry both and
 * save a round trip. Asking ends an invocation, and the sandbox may be frozen from then on: what still belongs to it, its log line or its metrics,
 * must be out by then. After a 500, or a SIGTERM, there must be no event on its way that nobody will run. And of a connection that is lost after
 * such a write the answer could go again, but an event that was given to it already would be lost until its timeout.
 *
 * A kept connection that turns out dead is replaced at once, and that is no failure. Not thread-safe: one client per worker.
 */
#ifndef LATCH_RUNTIME_API_H
#define LATCH_RUNTIME_API_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/ctx.h"
#include "runtime/failure.h"
#include "runtime/invocation.h"
#include "runtime/stream_private.h"

#define LATCH_API_PAYLOAD_MAX_BYTES ((size_t)6291556) /* 6 MiB and 100 bytes: one more is refused with 413 */
#define LATCH_API_EVENT_MAX_BYTES ((size_t)64 << 20)  /* far above what the service sends today; the arena is the real limit */
#define LATCH_API_HEAD_BYTES 16384
#define LATCH_API_ANSWER_BYTES 32768

#define LATCH_API_ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
#define LATCH_API_ERROR_CAUSE "Lambda-Runtime-Function-XRay-Error-Cause"
#define LATCH_API_ERROR_BODY "Lambda-Runtime-Function-Error-Body" /* of a stream's trailers, in base64 */

typedef enum latch_api_verdict {
    LATCH_API_GO_ON,
    LATCH_API_END, /* /next brought no request id: the service shuts down; or it was given up */
    LATCH_API_EXIT /* nothing more can be done; a line was logged */
} latch_api_verdict;

/* For who has to end an invocation in a signal handler, and has the line: what the service has seen of a stream. */
typedef enum latch_api_streaming {
    LATCH_API_NOT_STREAMING,  /* nothing: an error is posted as ever */
    LATCH_API_BETWEEN_CHUNKS, /* on api->fd nothing but a chunk or the end (latch_api_write_end) may follow; no other outcome is posted */
    LATCH_API_IN_CHUNK,       /* the same behind what is left of api->chunk */
    LATCH_API_CUT_OFF         /* it can't be ended well, or is over: nothing is sent, no outcome is posted, the connection is closed */
} latch_api_streaming;

/* Who may send of a stream, and says above how far it has come. A worker has it from before a send that doesn't wait until that is noted. */
typedef enum latch_api_line { LATCH_API_LINE_FREE, LATCH_API_LINE_WORKER, LATCH_API_LINE_ENDING } latch_api_line;

#define LATCH_API_CHUNK_PARTS 5 /* head, size, what was buffered, what came now, the chunk's end */

typedef struct latch_api_chunk { /* what is sent of a stream at once */
    char size[20];
    struct iovec parts[LATCH_API_CHUNK_PARTS];
    struct msghdr message; /* what of them hasn't been sent; IN_CHUNK: those bytes stay where they are */
} latch_api_chunk;

typedef struct latch_api {
    char address[256];               /* "127.0.0.1:9001" */
    latch_ctx *cx;                   /* of the process: its clock waits, its log is written to; borrowed */
    void *easy;                      /* libcurl's handle, which owns fd; NULL: not connected */
    atomic_int fd;                   /* written by its worker alone; whoever stops the process reads it */
    atomic_int stoppers;             /* who stops it, from before it reads fd until fd is shut down: it isn't closed meanwhile */
    bool started;                    /* a /next was answered */
    atomic_bool *any_started;        /* the same, of all workers of the process; NULL: of this one alone */
    const atomic_bool *stopping;     /* set: /next is given up, and answers END; NULL: it never is */
    bool restoring;                  /* after /restore/next: what fails before the first /next is told to /restore/error */
    struct sockaddr_storage peer;    /* where fd goes to; of use after the connection is gone, too */
    socklen_t peer_len;              /* 0: never connected */
    latch_stream stream;             /* of the invocation that runs */
    volatile sig_atomic_t streaming; /* a latch_api_streaming */
    atomic_int line;                 /* a latch_api_line */
    volatile sig_atomic_t held;      /* a signal that came while its worker had the line: it comes again behind it; 0: none */
    latch_api_chunk chunk;
    latch_api_verdict stream_verdict; /* of the answer that ended a stream early */
    bool stream_answered;             /* or something of an answer */
    latch_arena answers;              /* of what a POST answers: an invocation may have filled its own */
    char head[LATCH_API_HEAD_BYTES];
    _Alignas(16) char memory[LATCH_API_ANSWER_BYTES];
} latch_api;

/*
 * `address` is the value of AWS_LAMBDA_RUNTIME_API; NULL where it isn't set. Sends nothing.
 * LATCH_E_MISUSE: it is no HOST:PORT, the message says so. LATCH_E_NOMEM: libcurl could not start.
 */
LATCH_NODISCARD latch_status latch_api_init(latch_api *api, const char *address, latch_ctx *cx);
void latch_api_clean_up(latch_api *api);

/* Ahead of the first request, so that it costs no time later. What goes wrong will go wrong again, and be said, in the request. */
void latch_api_connect(latch_api *api);

/* Waits for an event. GO_ON: *out is filled, its text in `arena`, from which nothing is taken while it waits. */
LATCH_NODISCARD latch_api_verdict latch_api_next(latch_api *api, latch_arena *arena, latch_invocation *out);

/* At most LATCH_API_PAYLOAD_MAX_BYTES. */
LATCH_NODISCARD latch_api_verdict latch_api_response(latch_api *api, const latch_invocation *invocation, latch_str payload);
LATCH_NODISCARD latch_api_verdict latch_api_error(latch_api *api, const latch_invocation *invocation, const latch_failure *failure);

/*
 * ── streams: runtime/stream.h ─────────────────────────────────────────────────────────────────────────────────────────────
 *
 * ready, with the context of an invocation, before its handler; then latch_stream_answers(&api->stream, status) says whether stream_end posts
 * the outcome, or one of the two above. Nothing is sent before the buffer is full or flushed; then the head and a chunk at a time. What was
 * sent isn't sent again; where all of it is still in the buffer at its end, it is a POST as any other.
 *
 *   an answer before the end   as above, and the rest isn't sent; the writer hears LATCH_E_NETWORK
 *   the connection is cut      logged; no other outcome is posted, go on
 */
void latch_api_stream_ready(latch_api *api, latch_ctx *cx);

/* `failure`: NULL, it ends well; else its trailers. */
LATCH_NODISCARD latch_api_verdict latch_api_stream_end(latch_api *api, const latch_invocation *invocation, const latch_failure *failure);

/* The end of a body between chunks; `type` NULL: without trailers. Async-signal-safe. ptr is NULL where it doesn't fit. */
LATCH_NODISCARD latch_str latch_api_write_end(char *at, size_t cap, const char *type, latch_str body);

/* The process ends after it, whatever is answered. */
void latch_api_init_error(latch_api *api, const latch_failure *failure);

/* The process is stopping: an answer that isn't there is waited for 200 ms from the next read on. Async-signal-safe; on any of `stoppers`. */
void latch_api_hurry(latch_api *api);

/* ── SnapStart (api_restore.c) ── */

/*
 * Returns in each process that goes on from the snapshot, without a connection: the next request opens one. GO_ON: it was answered with 200.
 * END: the process is stopping. EXIT: a 500, or 5 tries within 2 s without a 200; logged.
 */
LATCH_NODISCARD latch_api_verdict latch_api_restore_next(latch_api *api);
void latch_api_restore_error(latch_api *api, const latch_failure *failure); /* as latch_api_init_error */

#endif

/*
 * runtime/worker.h - one of those who ask for an event, run the handler and answer; and the process that all of them are in. For the runtime.
 *
 * A process has one worker, on its main thread, or as many as AWS_LAMBDA_MAX_CONCURRENCY says, each on a thread of its own (loop.c). What a
 * worker has, nobody else touches: its client of the Runtime API, its arena, its HTTP session, the context that its invocations' begin as.
 * What all share is the process's: the handler, its init's memory, the log's descriptor. No invocation takes a lock here.
 */
#ifndef LATCH_RUNTIME_WORKER_H
#define LATCH_RUNTIME_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "core/ctx_private.h"
#include "core/http.h"
#include "core/log.h"
#include "core/span.h"
#include "runtime/api.h"
#include "runtime/ending.h"
#include "runtime/lifecycle_private.h"
#include "runtime/loop.h"
#include "runtime/observe.h"

#define LATCH_TRACE_ID_BYTES 1024

typedef struct latch_worker latch_worker;

typedef struct latch_process {
    const latch_loop_options *options;
    const latch_handler *handler;
    latch_ctx cx;       /* what init and hooks are called with; lives as long as the process */
    latch_arena memory; /* of cx */
    latch_http_session http;
    latch_worker **workers;
    size_t worker_count;
    latch_lifecycle life;
    latch_log log; /* of cx where there are several workers: JSON */
    bool opened;
    atomic_bool warm;     /* an invocation has begun in it */
    atomic_bool started;  /* a /next was answered, to whichever worker */
    atomic_bool stopping; /* no worker asks for another event */
    atomic_bool failed;   /* a worker's verdict was EXIT */
    sem_t ended;          /* posted by each thread that ends */
} latch_process;

typedef enum latch_phase {
    LATCH_WORKER_ASKING, /* waits in /next, or will; or it is the first one and has not begun */
    LATCH_WORKER_BUSY,   /* from an event to the answer to its outcome */
    LATCH_WORKER_GONE    /* ended, or will never come back, or another that has no thread yet */
} latch_phase;

struct latch_worker {
    latch_process *process;
    size_t index;     /* 0: the first */
    atomic_int phase; /* latch_phase */
    latch_watch watch;
    latch_ctx *cx;          /* what its invocations' contexts begin as: the process's where it is the only worker, else `own` */
    latch_arena invocation; /* memory of the invocation that runs */
    latch_spans spans;      /* of the invocation that runs */
    latch_observer observer;
    latch_api api;
    latch_ctx own; /* of one of several, as all up to has_thread */
    latch_http_session http;
    latch_arena memory;
    void *mine; /* what options->open_more made */
    pthread_t thread;
    bool has_thread;
    char trace_id[LATCH_TRACE_ID_BYTES]; /* the environment's own "_X_AMZN_TRACE_ID=…", of an only worker */
};

/* Its memory is fresh from the system, zero: it takes its place in the process. Then its client of the service, at AWS_LAMBDA_RUNTIME_API. */
void latch_worker_init(latch_worker *worker, latch_process *process, size_t index) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_worker_open(latch_worker *worker)
    LATCH_NONNULL; /* sends nothing; the error is in the process's context */

/*
 * No worker takes another event: those that wait for one stop waiting, the others end with what they have. Async-signal-safe; any thread.
 */
void latch_process_stop(latch_process *process) LATCH_NONNULL;

/* Asks, runs and answers until nothing more comes: END, the service shuts down, or the process is stopping; EXIT, the process is to end. */
latch_api_verdict latch_worker_run(latch_worker *worker) LATCH_NONNULL;

#endif

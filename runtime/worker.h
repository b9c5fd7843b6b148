/*
 * runtime/worker.h - one of those who ask for an event, run the handler and answer; and the process that all of them are in. For the runtime.
 *
 * A process has one worker, on its main thread, or as many as AWS_LAMBDA_MAX_CONCURRENCY says, each on a thread of its own (loop.c). What a
 * worker has, nobody else touches: its client of the Runtime API, its arena, its HTTP session, the context that its invocations' begin as.
 * What all share is the process's: the handler, its init's memory, the log's descriptor. No invocation takes a lock here.
 */
#ifndef LATCH_RUNTIME_WORKER_H
#define LATCH_RUNTIME_WORKER_H

#include <stdatomic.h>

#include "core/ctx_private.h"
#include "core/http.h"
#include "core/log.h"
#include "runtime/api.h"
#include "runtime/loop.h"

#define LATCH_TRACE_ID_BYTES 1024

typedef struct latch_reserve { /* address space; the arena in it takes pages as it needs them */
    void *at;
    size_t bytes;
    latch_arena arena;
} latch_reserve;

typedef struct latch_worker latch_worker;

typedef struct latch_process {
    const latch_loop_options *options;
    const latch_handler *handler;
    latch_ctx cx;         /* what init and hooks are called with; lives as long as the process */
    latch_reserve memory; /* of cx */
    latch_http_session http;
    latch_worker **workers;
    size_t worker_count;
    bool opened;
    atomic_bool stopping; /* no worker asks for another event */
} latch_process;

struct latch_worker {
    latch_process *process;
    size_t index;             /* 0: the first */
    latch_ctx *cx;            /* what its invocations' contexts begin as: the process's where it is the only worker, else `own` */
    latch_reserve invocation; /* memory of the invocation that runs */
    latch_api api;
    latch_ctx own;
    latch_http_session http;             /* of `own` */
    latch_reserve memory;                /* of `own` */
    char trace_id[LATCH_TRACE_ID_BYTES]; /* the environment's own "_X_AMZN_TRACE_ID=…", of an only worker */
};

/* False: so many bytes of address space are not to be had. give_back undoes it, and does nothing where there is nothing. */
LATCH_NODISCARD bool latch_reserve_take(latch_reserve *r, size_t bytes) LATCH_NONNULL;
void latch_reserve_give_back(latch_reserve *r) LATCH_NONNULL;

/* Asks, runs and answers until nothing more comes: END, the service shuts down, or the process is stopping; EXIT, the process is to end. */
latch_api_verdict latch_worker_run(latch_worker *worker) LATCH_NONNULL;

#endif

/*
 * runtime/loop.h - from the environment to the last event: chooses the handler, opens what it needs, then asks, runs and answers.
 *
 *   AWS_LAMBDA_RUNTIME_API   HOST:PORT of the service; without it the process ends with 1
 *   _HANDLER                 the name of an entry
 *   LATCH_ARENA_MB           memory of one invocation, 1 to 4096; default 128. It is address space until it is used, and what an invocation
 *                            used beyond 1 MiB is given back after it
 *   AWS_LAMBDA_MAX_CONCURRENCY   workers, 1 to 1600, as Lambda sets it; default 1. See docs/concurrency.md
 *
 * Whatever fails before the first event is an init error: logged, posted to the service, and the process ends with 1.
 *
 * One worker: it runs on the thread that called, and there is no other. Several: a thread each, of 8 MiB of stack, with an arena, an HTTP
 * session and a connection to the service of its own; the log is JSON, and _X_AMZN_TRACE_ID isn't set. A worker that can't be had (no
 * thread, no connection to the stores) leaves the others: that is logged. What ends one of them ends the process: an answer of 500, an
 * event without a request id. The others then ask for no more events, and finish the one that they have: within half a second after a 500.
 */
#ifndef LATCH_RUNTIME_LOOP_H
#define LATCH_RUNTIME_LOOP_H

#include "core/clock.h"
#include "core/log.h"
#include "runtime/handler.h"

typedef struct latch_loop_options {
    const latch_handler *handlers; /* required */
    size_t count;
    latch_clock clock;
    const latch_log *log; /* NULL: nothing is logged */

    /*
     * Once, before the handler's own init, with a context that lives as long as the process: what `open` sets in it (its table) every
     * invocation finds in its own. Not LATCH_OK: an init error. `close` undoes what succeeded, at the end of the process. NULL: nothing to do.
     */
    latch_status (*open)(latch_ctx *cx, const latch_handler *handler, void *self);
    void (*close)(void *self);

    /*
     * The same for each worker but the first, on its thread, with the context that its invocations' begin as: what this worker is to use in
     * place of what `open` set. *mine is NULL before; `close_more` undoes what succeeded, before `close`. NULL: workers share what `open` set.
     */
    latch_status (*open_more)(latch_ctx *cx, void *self, void **mine);
    void (*close_more)(void *mine);

    /*
     * After a snapshot was restored, with the context that `open` had: what restored processes must not have in common is made anew. Not
     * LATCH_OK: a restore error. NULL: there is nothing of the kind.
     */
    latch_status (*restore)(latch_ctx *cx, void *self);
    void *self;
} latch_loop_options;

/* The process's exit status. 0: the service shuts down, and says so by an event without a request id. */
int latch_loop_run(const latch_loop_options *options);

#endif

/*
 * runtime/loop.h - from the environment to the last event: chooses the handler, opens what it needs, then asks, runs and answers.
 *
 *   AWS_LAMBDA_RUNTIME_API   HOST:PORT of the service; without it the process ends with 1
 *   _HANDLER                 the name of an entry
 *   LATCH_ARENA_MB           memory of one invocation, 1 to 4096; default 128. It is address space until it is used, and what an invocation
 *                            used beyond 1 MiB is given back after it
 *
 * Whatever fails before the first event is an init error: logged, posted to the service, and the process ends with 1.
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
    void *self;
} latch_loop_options;

/* The process's exit status. 0: the service shuts down, and says so by an event without a request id. */
int latch_loop_run(const latch_loop_options *options);

#endif

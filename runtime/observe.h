/*
 * runtime/observe.h - what is told of each invocation beside its answer: its log's own line to the provider, metrics, trace, and the record
 * at its end. One a worker; where nothing is asked for, an invocation costs it a few stores and compares.
 *
 *   LATCH_LOG_REPORT=1   one INFO record after each answer: "invocation", with handler_ms, status, cold_start, requests, retries, throttled,
 *                        read_units, write_units, dynamodb_ms (from sending to the whole answer, of all requests), waited_ms (slept before
 *                        repeats), arena_peak_bytes. Off by default: a record an invocation is paid for by whoever keeps the logs
 *   LATCH_METRICS_…      runtime/metrics.h
 *   LATCH_TRACE          runtime/xray.h
 *
 * Metrics, the record and the trace go out after the answer was posted, so that whoever waits for it doesn't wait for them.
 */
#ifndef LATCH_RUNTIME_OBSERVE_H
#define LATCH_RUNTIME_OBSERVE_H

#include <stdatomic.h>

#include "core/log.h"
#include "runtime/xray.h"

typedef struct latch_observer { /* zero: not open */
    latch_log_line line;
    latch_xray xray;
    struct latch_metrics *metrics; /* its own; NULL: the process's, or off */
    const char *handler;
    atomic_bool *warm;      /* the process's: an invocation has begun in it */
    bool open, reports, on; /* on: something is asked for */
    bool cold;              /* of the invocation that runs */
    int64_t from_us, to_us; /* of its handler, by the clock's boot_us */
} latch_observer;

/*
 * `cx` is the worker's, which its invocations' begin as. close undoes it. `several`: there are others, which have the same begin. Behind a
 * restore: what is made of randomness or a connection here is in no snapshot.
 */
void latch_observer_open(latch_observer *observer, latch_ctx *cx, const char *handler, atomic_bool *warm, bool several);
void latch_observer_close(latch_observer *observer, latch_ctx *cx);

/* Of one invocation: before its handler, right after it, and after its answer was posted. `cx` is the invocation's. */
void latch_observer_begin(latch_observer *observer, latch_ctx *cx);
void latch_observer_handled(latch_observer *observer, const latch_ctx *cx);
void latch_observer_end(latch_observer *observer, latch_ctx *cx, latch_status status);

/*
 * In place of the last two, of an invocation whose handler doesn't come back, on its own thread, after its end was told of: what was counted, and
 * the trace; no record. `cx` is a copy with the error in it. Async-signal-safe.
 */
void latch_observer_cut_off(latch_observer *observer, latch_ctx *cx);

#endif

/*
 * runtime/lifecycle.h - what a function does at the turning points of its process: before a snapshot, after a restore, at the shutdown.
 *
 *     static latch_status flush(latch_ctx *cx, void *arg);
 *     static latch_status init(latch_ctx *cx) { return latch_on_shutdown(cx, flush, &buffer); }
 *     static const latch_handler handlers[] = {{.name = "h", .event = on_event, .init = init}};
 *
 * Hooks are registered in the handler's init and nowhere else. Each is called at most once, on the main thread, while no invocation runs.
 * `arg` is the author's own, and lives as long as the process. A hook around a snapshot that crashes or calls exit() is told to the service as
 * an init that does; one after a restore that doesn't return in time, too: 200 ms before Lambda's 10 s are over, with what it waits for. What a
 * shutdown hook does of the kind ends the process, and is told to nobody; a crash is logged.
 *
 * ── SnapStart ── where AWS_LAMBDA_INITIALIZATION_TYPE is "snap-start", and the process has one worker; else these two are never called.
 *
 *   init → before-snapshot hooks → GET /restore/next: the snapshot is taken while this waits, and any number of processes go on from it →
 *   what was open is dropped and asked for anew (below) → after-restore hooks → the first event
 *
 * Between the two, before the first after-restore hook: the connections to the Runtime API, to DynamoDB and those of latch_fetch are closed;
 * OpenSSL's random generators are seeded anew (all else of Latch that is random asks the system each time); settings and credentials are read
 * and fetched anew (AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN); what was learnt of DynamoDB's clock, of its
 * breaker, of others' locks and of rate limits is forgotten; DynamoDB is connected to. What the author's own code keeps of connections, random
 * numbers, times and unique names is the author's to renew, in after-restore hooks.
 *
 * AWS offers SnapStart to its managed runtimes of Java, Python and .NET; functions on an OS-only runtime, as this one, were excluded when last
 * documented. The protocol is spoken so that nothing has to be changed where that ends; latch-local plays it (--snapstart).
 *
 * ── shutdown ── where there is a shutdown hook, and only there, the process registers as an internal extension before it asks for its first
 * event (two requests more at the start, and a connection that stays open), so that Lambda sends it SIGTERM about 500 ms before SIGKILL.
 *
 *   SIGTERM while an event is waited for: the hooks run at once. During an invocation: it goes on, is answered, then the hooks run; where that
 *   takes longer than the window, they don't. During init: init is finished first. Further SIGTERMs change nothing.
 *
 * They also run where the service ends the process by an event without a request id, or by a 500. They don't after a crash, an exit(), a hang
 * or a failed init, and never without a chance to: SIGKILL asks nobody.
 *
 * Source: AWS's documents "Lambda runtime environment lifecycle", "Runtime hooks for SnapStart", "Extensions API"; its emulator.
 */
#ifndef LATCH_RUNTIME_LIFECYCLE_H
#define LATCH_RUNTIME_LIFECYCLE_H

#include "core/status.h"

LATCH_BEGIN_C

#define LATCH_SNAPSHOT_FAILED 64 /* exit status of the process: a before-snapshot hook failed, and the service was told by /init/error */
#define LATCH_RESTORE_FAILED 65  /* an after-restore hook, or what comes before it, failed: told by /restore/error */

#define LATCH_RESTORE_WINDOW_MS INT64_C(10000) /* what Lambda gives a restore with all its hooks */
#define LATCH_SHUTDOWN_WINDOW_MS INT64_C(450)  /* of the 500 ms between SIGTERM and SIGKILL */

/* LATCH_OK, or the status of the call in it that failed, as a handler returns it. */
typedef latch_status latch_lifecycle_fn(latch_ctx *cx, void *arg);

/*
 * All three: LATCH_E_MISUSE: init is over, or `fn` is NULL; LATCH_E_NOMEM: what lives as long as the process has no room for another. No
 * requests. Registered twice is called twice.
 *
 * before_snapshot   Last registered first. `cx` is init's: what it allocates lives as long as the process. Not LATCH_OK: the others aren't
 *                   called, the service gets an init error, and the process ends with 64.
 *                   No time limit but Lambda's own for initialisation with SnapStart.
 * after_restore     In the order they were registered. `cx` is init's, with a deadline at which stores stop: 400 ms before Lambda's 10 s are
 *                   over. Not LATCH_OK: the others aren't called, the service gets a restore error, and the process ends with 65.
 * on_shutdown       Last registered first. `cx` has the memory of an invocation, taken back after each hook, and ends locks and jobs with it;
 *                   its deadline is 450 ms after SIGTERM for all hooks together, or 100 ms from the first one's start where less is left.
 *                   Not LATCH_OK: it is logged, and the next one is called. The process ends with 0; after a 500 with 1.
 */
LATCH_NODISCARD latch_status latch_before_snapshot(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) __attribute__((nonnull(1)));
LATCH_NODISCARD latch_status latch_after_restore(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) __attribute__((nonnull(1)));
LATCH_NODISCARD latch_status latch_on_shutdown(latch_ctx *cx, latch_lifecycle_fn *fn, void *arg) __attribute__((nonnull(1)));

LATCH_END_C

#endif

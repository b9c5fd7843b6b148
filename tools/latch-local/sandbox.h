/*
 * sandbox.h - one function as Lambda runs it: its Runtime API, its process, its queue, and the time it is given.
 *
 * The process starts with the first invocation and stays warm. One that ends, is killed or fails to initialise costs the invocations it
 * was busy with; the next one gets a fresh process. Invocations start in the order they came: one after the other, or with concurrency
 * as many at once.
 *
 * With snapstart the process starts at once, and is stopped (SIGSTOP) in its GET of /restore/next until the first invocation comes.
 */
#ifndef LATCH_LOCAL_SANDBOX_H
#define LATCH_LOCAL_SANDBOX_H

#include "api.h"
#include "process.h"
#include "template.h"

typedef struct latch_sandbox latch_sandbox;

typedef struct latch_sandbox_config {
    latch_loop *loop;
    latch_processes *processes;
    const latch_function *function;
    const latch_variables *given; /* --env-file, --env */
    const char *region;
    char *const *argv;  /* of the bootstrap; argv[0] is its path */
    size_t concurrency; /* 0 and 1: one at a time, as on Lambda; more: as on Lambda Managed Instances */
    bool snapstart;
    bool throttle; /* streams */
    latch_api_caller caller;
    const latch_fault_plan *faults;                               /* NULL: none */
    int64_t timeout_ms;                                           /* 0: the function's own */
    int64_t init_timeout_ms;                                      /* until its first /next */
    bool debug;                                                   /* no timeouts, and the process starts stopped, for a debugger */
    void (*on_late_log)(void *arg, latch_str id, latch_str line); /* of an invocation that is over, by its request id; NULL */
    void *arg;
    bool log_short_ids; /* the first 8 characters of request ids in log prefixes, which are dim: for terminals */
} latch_sandbox_config;

latch_status latch_sandbox_start(const latch_sandbox_config *config, latch_sandbox **out,
                                 latch_err *err); /* config is copied; no process yet */

/* Queues it; inv->on_over is called once, never from within this call. */
void latch_sandbox_invoke(latch_sandbox *s, latch_invocation *inv);

/*
 * For a function that was built anew: what is queued and not handed out goes to `to`, which was just started; what runs ends here. Then
 * latch_sandbox_wind_down, again and again until it says that the process is gone: SIGTERM, half a second, SIGKILL.
 */
void latch_sandbox_hand_over(latch_sandbox *s, latch_sandbox *to);
bool latch_sandbox_wind_down(latch_sandbox *s);

/*
 * Stops the processes of all of them, as Lambda does: SIGTERM, half a second, SIGKILL where an internal extension is registered, else
 * SIGKILL at once. What was not over stays without outcome, its on_over uncalled.
 */
void latch_sandboxes_stop(latch_loop *loop, latch_sandbox *const *all, size_t count);
size_t latch_sandbox_complaints(const latch_sandbox *s); /* so far: what its processes did that no runtime may do */
void latch_sandbox_free(latch_sandbox *s);               /* stopped before */

#endif

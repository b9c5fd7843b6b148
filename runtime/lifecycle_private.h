/*
 * runtime/lifecycle_private.h - the hooks of a process's life, and when they run. For the runtime.
 *
 * loop.c lets cx->starting point to the process while init runs, calls latch_lifecycle_begin before the workers and latch_lifecycle_end behind
 * them, and latch_shutdown_clean_up at last. All on the main thread.
 */
#ifndef LATCH_RUNTIME_LIFECYCLE_PRIVATE_H
#define LATCH_RUNTIME_LIFECYCLE_PRIVATE_H

#include <signal.h>
#include <stdatomic.h>

#include "runtime/extension.h"
#include "runtime/lifecycle.h"

struct latch_process;

typedef struct latch_lifecycle_hook {
    struct latch_lifecycle_hook *next;
    latch_lifecycle_fn *fn;
    void *arg;
} latch_lifecycle_hook;

typedef struct latch_lifecycle {                                         /* zero: no hook */
    latch_lifecycle_hook *before_snapshot, *after_restore, *on_shutdown; /* in the order in which they are called */
    latch_extension extension;                                           /* where there is a shutdown hook */
    bool catches;                                                        /* SIGTERM is ours */
    struct sigaction before;                                             /* what it was */
    _Atomic int64_t asked_at_ms;                                         /* when SIGTERM came, by the machine's clock; 0: it didn't */
} latch_lifecycle;

/* ── lifecycle.c ── */

/*
 * What lies between init and the first event: SnapStart where the environment asks for it, and the extension where there is a shutdown hook.
 * The process's exit status where it is to end, which is logged and told to the service; else LATCH_GO_ON.
 */
#define LATCH_GO_ON (-1)
LATCH_NODISCARD int latch_lifecycle_begin(struct latch_process *process);

/* One hook: its status, or LATCH_E_MISUSE where no call gave it. */
LATCH_NODISCARD latch_status latch_lifecycle_call(latch_ctx *cx, const latch_lifecycle_hook *hook);

/* ── snapshot.c: an exit status, or LATCH_GO_ON ── */

bool latch_snapshot_is_wanted(const struct latch_process *process);
LATCH_NODISCARD int latch_snapshot_prepare(struct latch_process *process); /* the hooks before it */
LATCH_NODISCARD int latch_snapshot_pass(struct latch_process *process);    /* GET /restore/next, and what comes then */

/* ── shutdown.c ── */

void latch_shutdown_catch(struct latch_process *process); /* from here on SIGTERM stops the process; repeating it does nothing */
void latch_shutdown_run(struct latch_process *process);   /* the hooks, behind the last invocation */
void latch_shutdown_clean_up(struct latch_process *process);

#endif

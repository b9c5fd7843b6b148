/*
 * runtime/ending.h - what is told of an invocation whose handler doesn't come back: it crashed (crash.c), it outlives its deadline
 * (watchdog.c), it called exit(); and how the process ends then. For the runtime.
 *
 * Each invocation has one outcome. Whoever is to send it claims it first, by one atomic exchange: the worker when the handler has returned, or an
 * ending. Who loses sends nothing; a worker that lost waits for the process's end. Of a stream that has begun, an ending is told in its trailers,
 * behind what is left of a chunk that has begun; from then on its worker sends nothing more. It is cut off where the client doesn't take that
 * within 0.9 s and before the deadline.
 *
 * With one worker the process ends right after. With several, no worker takes another event, those that run an invocation finish it, until
 * their own deadlines (15 minutes where there is none), and then the process ends as it would have. A worker whose handler crashed waits for
 * that in the signal's handler, on a stack of its own; of several endings the first one decides how the process ends.
 *
 * A thread that isn't a worker's: with one worker, what it does is the running invocation's; with several, or between two invocations,
 * nobody's: nothing is posted, the record is logged, the others finish, and the process ends.
 *
 * Reports are written and sent by system calls on plain memory, over a socket of their own; a report that hangs is ended by SIGALRM, after 2 s,
 * with several workers after 5.
 */
#ifndef LATCH_RUNTIME_ENDING_H
#define LATCH_RUNTIME_ENDING_H

#include <stdatomic.h>

#include "runtime/backtrace.h"
#include "runtime/invocation.h"

typedef enum latch_claim {
    LATCH_CLAIM_TAKEN, /* it was sent, or is being sent, or there is no invocation */
    LATCH_CLAIM_OPEN,
    LATCH_CLAIM_ENDING /* by an ending: the process is about to end */
} latch_claim;

typedef struct latch_watch {                     /* of one worker: what its handler is at */
    atomic_int claim;                            /* latch_claim */
    const latch_invocation *volatile invocation; /* NULL: the handler's init */
    _Atomic int64_t deadline_at_ms;              /* of it, by this machine's clock, from the event on; INT64_MAX: none */
    volatile int64_t fire_at_ms, timer_at_ms;    /* the watchdog's: when to bark; when its timer goes off. INT64_MAX: never */
    int timer;
    bool has_timer, watched;
    int thread; /* the kernel's id of it */
    latch_backtrace_stack stack;
    void *signal_stack;
} latch_watch;

/* False: it was claimed. A claim that isn't OPEN stays as it is. */
static inline bool latch_claim_take(atomic_int *claim, latch_claim as) {
    int open = LATCH_CLAIM_OPEN;
    return atomic_compare_exchange_strong(claim, &open, as);
}

struct latch_process;
struct latch_worker;

/* Once per process, on its main thread, around everything; `process` outlives it. exit() is told from here on. */
void latch_ending_init(struct latch_process *process) LATCH_NONNULL;
void latch_ending_clean_up(void);

/* Around a worker's life, on its thread. Only what enters is told apart from other threads. */
void latch_ending_enter(struct latch_worker *worker) LATCH_NONNULL;
void latch_ending_leave(struct latch_worker *worker) LATCH_NONNULL;

/*
 * From arm to disarm the handler runs: its init, or a hook, where `invocation` is NULL. `left_ms` is what is left until deadline_at_ms: under 400
 * there is no watchdog. disarm claims the outcome for the worker; it doesn't return where an ending has it, nor in a child process that the
 * handler has forked and that came back from it: that is logged, and the child ends with 1.
 */
void latch_ending_arm(struct latch_worker *worker, const latch_invocation *invocation, int64_t deadline_at_ms, int64_t left_ms)
    __attribute__((nonnull(1)));
void latch_ending_disarm(struct latch_worker *worker) LATCH_NONNULL;

/*
 * The worker's thread ends while its handler runs: pthread_exit(), thrd_exit(), or it was cancelled. Told as an exit(); the process ends with 1.
 * To be pushed around whatever is called between arm and disarm:
 *
 *     pthread_cleanup_push(latch_ending_on_thread_end, worker);
 *     status = …
 *     pthread_cleanup_pop(0);
 */
void latch_ending_on_thread_end(void *worker);

/* After a restore: what goes on from a snapshot is the process, whatever its id is now. */
void latch_ending_adopt(void);

/*
 * On the main thread, when every worker has ended: where a thread that is none of them has crashed or called exit(), it ends the process, and
 * this doesn't return. It waits for a report that is being written, too.
 */
void latch_ending_yield(void);

/* ── for crash.c and watchdog.c: async-signal-safe ──────────────────────────────────────────────────────────────────────── */

/* Whose handler this thread's doings are: NULL where it runs none, or nobody knows. */
struct latch_worker *latch_ending_whose(void);
struct latch_worker *latch_ending_mine(void); /* the worker that this thread is; NULL: none */
bool latch_ending_is_ours(void);              /* false: no process of ours, or a child of it */
int64_t latch_ending_now_ms(void);            /* by this machine's wall clock */

/* Has the kernel return from a signal's handler, where what the library would do confuses the unwinder. Behind sigaction. */
void latch_ending_return_by_kernel(int number);

/*
 * Waits until no other thread reports, and claims the outcome of what `of` runs. `type` is "Crash" or its like; `exit_status` what the process
 * ends with, LATCH_ENDING_BY_SIGNAL where it dies of one. False: this thread was reporting already, and met something worse on its way along
 * the frames: the report is still what it was begun as.
 */
#define LATCH_ENDING_BY_SIGNAL (-1)
LATCH_NODISCARD bool latch_ending_begin(struct latch_worker *of, const char *type, int exit_status) __attribute__((nonnull(2)));
int latch_ending_exit_status(void);            /* of the report that this thread has begun */
bool latch_ending_has_claimed(void);           /* false: the outcome is another's, and nothing is posted */
void latch_ending_give_way(void);              /* this thread reports no more */
latch_text_writer *latch_ending_message(void); /* the reporter's, empty: of latch_backtrace_put_plain and its like */
void latch_ending_tell(void);                  /* posts it, and writes it to stderr; the trace has been taken */
bool latch_ending_is_telling(void);

/* With several workers: no more events, until the others have finished. Returns in the thread that is to end the process; in others never. */
void latch_ending_await_others(void);

#endif

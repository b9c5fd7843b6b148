#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/scope.h"
#include "core/usage.h"
#include "runtime/lifecycle_private.h"
#include "runtime/outcome.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

#define LEAST_MS INT64_C(100) /* for the hooks, however long an invocation took */

/* ── SIGTERM ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct { /* written while no signal is ours */
    latch_process *process;
    pid_t pid, thread; /* the main one, which runs the only worker */
} caught;

/*
 * A POST's answer isn't waited for as long as else. That holds for the next read; one that waits already begins anew, which takes a signal on
 * its thread, and the kernel may have chosen any.
 */
static void hurry_only(latch_process *p) {
    if (syscall(SYS_gettid) != caught.thread)
        syscall(SYS_tgkill, caught.pid, caught.thread, SIGTERM);
    else
        latch_api_hurry(&p->workers[0]->api);
}

/* Of several: those that post. A handler that runs isn't disturbed; what it posts afterwards is in a hurry by itself. */
static void hurry_one(latch_worker *w) {
    if (atomic_load(&w->phase) != LATCH_WORKER_BUSY || atomic_load(&w->watch.claim) != LATCH_CLAIM_TAKEN) return;
    atomic_fetch_add(&w->api.stoppers, 1);
    latch_api_hurry(&w->api);
    atomic_fetch_sub(&w->api.stoppers, 1);
    syscall(SYS_tgkill, caught.pid, w->watch.thread, LATCH_WATCHDOG_SIGNAL); /* which finds no invocation of its own, and goes */
}

static void hurry(latch_process *p) {
    if (p->worker_count == 1) {
        hurry_only(p);
        return;
    }
    for (size_t i = 0; i < p->worker_count; i++)
        hurry_one(p->workers[i]);
}

/* System calls and plain memory only. What the handler interrupts goes on: SA_RESTART, and everything of ours calls again. */
static void on_term(int number) {
    int before = errno;
    latch_process *p = caught.process;
    int64_t never = 0;
    if (getpid() != caught.pid) { /* a child that a handler made, without an exec: it has nothing to do with us */
        signal(number, SIG_DFL);
        raise(number);
    } else {
        bool first = atomic_compare_exchange_strong(&p->life.asked_at_ms, &never, latch_clock_wall_ms(&p->options->clock));
        if (first) latch_process_stop(p);
        hurry(p);
    }
    errno = before;
}

void latch_shutdown_catch(latch_process *p) {
    struct sigaction action = {.sa_handler = on_term, .sa_flags = SA_RESTART};
    if (p->life.catches) return;
    p->workers[0]->api.stopping = &p->stopping; /* as that of one of several is anyway */
    caught.process = p;
    caught.pid = getpid();
    caught.thread = (pid_t)syscall(SYS_gettid);
    sigemptyset(&action.sa_mask);
    p->life.catches = sigaction(SIGTERM, &action, &p->life.before) == 0;
}

void latch_shutdown_clean_up(latch_process *p) {
    if (p->life.catches) sigaction(SIGTERM, &p->life.before, NULL);
    p->life.catches = false;
    latch_extension_clean_up(&p->life.extension);
}

/* ── the hooks ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* By the stores' clock, which may be a corrected one. */
static int64_t deadline_of(const latch_process *p) {
    int64_t now_ms = latch_now_ms(&p->cx), asked_at_ms = atomic_load(&p->life.asked_at_ms);
    int64_t since_ms = asked_at_ms > 0 ? latch_clock_wall_ms(&p->options->clock) - asked_at_ms : 0;
    int64_t left_ms = since_ms > 0 ? LATCH_SHUTDOWN_WINDOW_MS - since_ms : LATCH_SHUTDOWN_WINDOW_MS;
    return now_ms + (left_ms > LEAST_MS ? left_ms : LEAST_MS);
}

static void call(latch_process *p, const latch_lifecycle_hook *hook, int64_t deadline_at_ms) {
    latch_scope scope = {0};
    latch_usage usage = {0};
    latch_ctx cx = p->cx;
    cx.arena = &p->workers[0]->invocation;
    cx.deadline_at_ms = deadline_at_ms;
    cx.scope = &scope;
    cx.usage = &usage;
    latch_status status = latch_lifecycle_call(&cx, hook);
    latch_scope_end(&cx, status);
    if (status != LATCH_OK) latch_outcome_log(&cx, "a shutdown hook failed", NULL);
    latch_arena_rewind(cx.arena, 0);
}

void latch_shutdown_run(latch_process *p) {
    int64_t deadline_at_ms = deadline_of(p);
    for (const latch_lifecycle_hook *hook = p->life.on_shutdown; hook != NULL; hook = hook->next)
        call(p, hook, deadline_at_ms);
}

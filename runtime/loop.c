#include "runtime/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/crash.h"
#include "runtime/metrics.h"
#include "runtime/outcome.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

#define ARENA_MB_DEFAULT 128
#define ARENA_MB_MAX 4096
#define WORKERS_MAX 1600 /* what Lambda can be asked for */
#define WORKER_BYTES ((size_t)4 << 20)
#define STACK_BYTES ((size_t)8 << 20)          /* as a main thread's; musl's own default is 128 KiB */
#define FAILED_MS 500                          /* that others have to finish after a 500 of the service */
#define PROCESS_ARENA_BYTES ((size_t)16 << 20) /* what init and the stores keep; pages that aren't touched cost nothing */

/* ── what fails before the first event ───────────────────────────────────────────────────────────────────────────── */

static int init_failed(latch_process *p) {
    latch_failure failure;
    latch_ending_disarm(p->workers[0]);
    latch_failure_of(&p->cx.err, &failure);
    latch_outcome_log(&p->cx, "init failed", NULL);
    latch_api_init_error(&p->workers[0]->api, &failure);
    return 1;
}

/* *out stays as it is where the variable isn't set. */
static latch_status read_number(latch_ctx *cx, const char *name, long most, long *out) {
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL || *text == '\0') return LATCH_OK;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || n < 1 || n > most)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s is \"%.40s\", want a whole number from 1 to %ld", name, text, most);
    *out = n;
    return LATCH_OK;
}

static latch_status reserve_arenas(latch_process *p) {
    long mb = ARENA_MB_DEFAULT;
    LATCH_TRY(read_number(&p->cx, "LATCH_ARENA_MB", ARENA_MB_MAX, &mb));
    size_t bytes = (size_t)mb << 20;
    for (size_t i = 0; i < p->worker_count; i++) {
        if (latch_arena_reserve(&p->workers[i]->invocation, bytes, bytes)) continue;
        if (i > 0)
            return latch_err_set(&p->cx.err, LATCH_E_NOMEM,
                                 "%zu bytes of address space for each of %zu workers are not to be had: lower LATCH_ARENA_MB or "
                                 "AWS_LAMBDA_MAX_CONCURRENCY",
                                 bytes, p->worker_count);
        return latch_err_set(&p->cx.err, LATCH_E_NOMEM, "%zu bytes of address space are not to be had: lower LATCH_ARENA_MB", bytes);
    }
    return LATCH_OK;
}

/* ── several workers ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* What each one has to itself beside the arena of its invocations. */
static latch_status make_worker(latch_process *p, size_t index) {
    latch_arena memory;
    if (!latch_arena_reserve(&memory, WORKER_BYTES, WORKER_BYTES)) return LATCH_E_NOMEM;
    latch_worker *w = index == 0 ? p->workers[0] : latch_arena_alloc(&memory, sizeof *w);
    if (index > 0) {
        latch_worker_init(w, p, index);
        atomic_store(&w->phase, LATCH_WORKER_GONE); /* until it has a thread: what ends in init waits for nobody */
        p->workers[index] = w;
        p->worker_count = index + 1; /* from here on it is given back */
    }
    w->memory = memory;
    if (index > 0) LATCH_TRY(latch_worker_open(w));
    w->api.stopping = &p->stopping;
    return LATCH_OK;
}

static latch_status make_workers(latch_process *p, size_t count) {
    latch_worker **all = latch_arena_alloc(p->cx.arena, count * sizeof(latch_worker *));
    if (all == NULL) return latch_err_set(&p->cx.err, LATCH_E_NOMEM, "no memory for %zu workers", count);
    all[0] = p->workers[0];
    p->workers = all;
    for (size_t i = 0; i < count; i++) {
        if (make_worker(p, i) != LATCH_OK)
            return latch_err_set(&p->cx.err, LATCH_E_NOMEM, "no memory for worker %zu of %zu: lower AWS_LAMBDA_MAX_CONCURRENCY", i + 1,
                                 count);
    }
    return LATCH_OK;
}

/* Several write to one log: each record says whose it is. The environment is everybody's, so no invocation's trace is in it. */
static latch_status be_several(latch_process *p, size_t count) {
    if (p->options->log != NULL) {
        p->log = *p->options->log;
        p->log.format = LATCH_LOG_JSON;
        p->cx.log = &p->log;
    }
    unsetenv("_X_AMZN_TRACE_ID");
    return make_workers(p, count);
}

/* What it works with, on its own thread: it was one of the process's until here. */
static latch_status enter(latch_worker *w) {
    latch_process *p = w->process;
    w->own = p->cx;
    w->own.arena = &w->memory;
    w->own.http = &w->http;
    w->own.err = (latch_err){0};
    w->cx = w->api.cx = &w->own;
    if (w->index == 0 || p->options->open_more == NULL) return LATCH_OK;
    return p->options->open_more(&w->own, p->options->self, &w->mine);
}

static void *serve(void *arg) {
    latch_worker *w = arg;
    latch_process *p = w->process;
    latch_ending_enter(w);
    if (enter(w) == LATCH_OK) {
        latch_api_connect(&w->api);
        if (latch_worker_run(w) == LATCH_API_EXIT) atomic_store(&p->failed, true);
        latch_process_stop(p);
    } else {
        latch_outcome_log(&w->own, "a worker could not start, the others go on", NULL);
    }
    latch_ending_leave(w);
    atomic_store(&w->phase, LATCH_WORKER_GONE);
    sem_post(&p->ended);
    return NULL;
}

/* Signals that say what somebody wants of the process are the main thread's; those that a thread brings upon itself are its own. */
static void leave_to_main(sigset_t *set) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(set);
    sigdelset(set, LATCH_WATCHDOG_SIGNAL); /* the watchdog's */
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(set, own[i]);
}

static size_t start_threads(latch_process *p) {
    pthread_attr_t attr;
    sigset_t set, before;
    size_t started = 0;
    if (pthread_attr_init(&attr) != 0) return 0;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    leave_to_main(&set);
    pthread_sigmask(SIG_SETMASK, &set, &before);
    for (size_t i = 0; i < p->worker_count; i++)
        atomic_store(&p->workers[i]->phase, LATCH_WORKER_ASKING);
    for (size_t i = 0; i < p->worker_count; i++) {
        latch_worker *w = p->workers[i];
        w->has_thread = pthread_create(&w->thread, &attr, serve, w) == 0;
        if (w->has_thread) started++;
        if (!w->has_thread) atomic_store(&w->phase, LATCH_WORKER_GONE);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (started < p->worker_count)
        latch_warn(&p->cx, "not every worker has a thread, the others go on", "wanted", (int64_t)p->worker_count, "started",
                   (int64_t)started);
    return started;
}

/* Until one more has ended. After a 500 the process doesn't wait for long: whoever runs then is cut off with it. */
static void await_end(latch_process *p, struct timespec *until) {
    if (!atomic_load(&p->failed)) {
        (void)sem_wait(&p->ended); /* a signal ends it, too: then it is looked at again */
        return;
    }
    if (until->tv_sec == 0) {
        clock_gettime(CLOCK_REALTIME, until);
        until->tv_nsec += FAILED_MS * 1000000;
        until->tv_sec += until->tv_nsec / 1000000000;
        until->tv_nsec %= 1000000000;
    }
    if (sem_timedwait(&p->ended, until) != 0 && errno == ETIMEDOUT) _exit(1);
}

static size_t count_running(const latch_process *p) {
    size_t running = 0;
    for (size_t i = 0; i < p->worker_count; i++)
        running += atomic_load(&p->workers[i]->phase) != LATCH_WORKER_GONE;
    return running;
}

/* Where not one thread is to be had. */
static int run_here(latch_worker *w) {
    latch_ending_enter(w);
    int status = enter(w) == LATCH_OK && latch_worker_run(w) == LATCH_API_END ? 0 : 1;
    latch_ending_leave(w);
    return status;
}

static int run_several(latch_process *p) {
    struct timespec until = {0};
    latch_ending_leave(p->workers[0]); /* this thread runs no handler from here on */
    if (start_threads(p) == 0) return run_here(p->workers[0]);
    while (count_running(p) > 0)
        await_end(p, &until);
    latch_ending_yield();
    for (size_t i = 0; i < p->worker_count; i++) {
        if (p->workers[i]->has_thread) pthread_join(p->workers[i]->thread, NULL);
    }
    return atomic_load(&p->failed) ? 1 : 0;
}

static void drop_worker(latch_worker *w) {
    if (w->mine != NULL && w->process->options->close_more != NULL) w->process->options->close_more(w->mine);
    latch_http_session_clean_up(&w->http);
    latch_arena_release(&w->invocation);
    if (w->index > 0) latch_api_clean_up(&w->api);
    latch_arena memory = w->memory; /* where all but the first one stand */
    latch_arena_release(&memory);
}

static latch_status call_init(latch_process *p) {
    latch_status status;
    pthread_cleanup_push(latch_ending_on_thread_end, p->workers[0]);
    status = p->handler->init(&p->cx);
    pthread_cleanup_pop(0);
    return status;
}

/* The handler, its memory, its stores, its own init. Each failure says enough by itself. */
static latch_status start(latch_process *p) {
    const latch_loop_options *o = p->options;
    long workers = 1;
    LATCH_TRY(read_number(&p->cx, "AWS_LAMBDA_MAX_CONCURRENCY", WORKERS_MAX, &workers));
    if (workers > 1) LATCH_TRY(be_several(p, (size_t)workers));
    LATCH_TRY(latch_outcome_choose(&p->cx, o->handlers, o->count, getenv("_HANDLER"), &p->handler));
    LATCH_TRY(latch_stream_read_mode(&(latch_stream_mode){0}, &p->cx.err));
    LATCH_TRY(reserve_arenas(p));
    latch_ending_arm(p->workers[0], NULL, INT64_MAX, 0);
    LATCH_TRY(latch_metrics_open(&p->cx));
    if (o->open != NULL) LATCH_TRY(o->open(&p->cx, p->handler, o->self));
    p->opened = true;
    p->cx.starting = p;
    if (p->handler->init != NULL) {
        p->cx.err = (latch_err){0};
        LATCH_TRY(latch_outcome_check(&p->cx, call_init(p)));
        latch_metrics_flush(&p->cx);
    }
    p->cx.starting = NULL;
    latch_ending_disarm(p->workers[0]);
    return LATCH_OK;
}

/* ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int run_workers(latch_process *p) {
    if (p->worker_count > 1) return run_several(p);
    return latch_worker_run(p->workers[0]) == LATCH_API_END ? 0 : 1;
}

static int run(latch_process *p) {
    int status = latch_lifecycle_begin(p);
    if (status != LATCH_GO_ON) return status;
    status = run_workers(p);
    latch_shutdown_run(p);
    return status;
}

static int init_and_run(latch_process *p) {
    latch_api_connect(&p->workers[0]->api);
    int status = start(p) == LATCH_OK ? run(p) : init_failed(p);
    latch_shutdown_clean_up(p);
    unsetenv("_X_AMZN_TRACE_ID"); /* its bytes are a worker's */
    latch_metrics_flush(&p->cx);
    latch_metrics_close(p->cx.metrics);
    p->cx.metrics = NULL;
    while (p->worker_count > 1)
        drop_worker(p->workers[--p->worker_count]);
    drop_worker(p->workers[0]);
    if (p->opened && p->options->close != NULL) p->options->close(p->options->self);
    latch_http_session_clean_up(&p->http);
    return status;
}

/* The first worker stands in the process's memory; where it is the only one it begins with its context, and has nothing else of its own. */
static bool make_first(latch_process *p) {
    latch_worker *first = latch_arena_alloc(p->cx.arena, sizeof *first);
    p->workers = latch_arena_alloc(p->cx.arena, sizeof(latch_worker *));
    if (first == NULL || p->workers == NULL) return false;
    latch_worker_init(first, p, 0);
    p->workers[0] = first;
    p->worker_count = 1;
    if (latch_worker_open(first) != LATCH_OK) return false;
    latch_ending_enter(first);
    return true;
}

int latch_loop_run(const latch_loop_options *options) {
    latch_process p = {.options = options};
    int status = 1;
    if (!latch_arena_reserve(&p.memory, PROCESS_ARENA_BYTES, PROCESS_ARENA_BYTES)) return 1;
    p.cx = (latch_ctx){.arena = &p.memory, .clock = options->clock, .deadline_at_ms = INT64_MAX, .log = options->log, .http = &p.http};
    p.cx.request_id = LATCH_STR("");
    if (options->log != NULL) p.cx.least = options->log->least;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    sem_init(&p.ended, 0, 0);
    latch_ending_init(&p);
    latch_crash_init();
    latch_watchdog_init();
    if (make_first(&p)) {
        latch_api *api = &p.workers[0]->api;
        status = init_and_run(&p);
        latch_ending_leave(p.workers[0]);
        latch_api_clean_up(api);
    } else {
        latch_log_(&p.cx, LATCH_FATAL, p.cx.err.message, (const latch_pair[]){{NULL, {LATCH_V_NULL, {.i = 0}}}});
    }
    latch_watchdog_clean_up();
    latch_crash_clean_up();
    latch_ending_clean_up();
    sem_destroy(&p.ended);
    sigaction(SIGPIPE, &before, NULL);
    latch_arena_release(&p.memory);
    return status;
}

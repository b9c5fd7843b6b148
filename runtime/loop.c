#include "runtime/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/crash.h"
#include "runtime/outcome.h"
#include "runtime/worker.h"

#define ARENA_MB_DEFAULT 128
#define ARENA_MB_MAX 4096
#define PROCESS_ARENA_BYTES ((size_t)16 << 20) /* what init and the stores keep; pages that aren't touched cost nothing */

/* ── what fails before the first event ───────────────────────────────────────────────────────────────────────────── */

static int init_failed(latch_process *p) {
    latch_failure failure;
    latch_failure_of(&p->cx.err, &failure);
    latch_outcome_log(&p->cx, "init failed", NULL);
    latch_crash_disarm();
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
        if (!latch_reserve_take(&p->workers[i]->invocation, bytes))
            return latch_err_set(&p->cx.err, LATCH_E_NOMEM, "%zu bytes of address space are not to be had: lower LATCH_ARENA_MB", bytes);
    }
    return LATCH_OK;
}

/* The handler, its memory, its stores, its own init. Each failure says enough by itself. */
static latch_status start(latch_process *p) {
    const latch_loop_options *o = p->options;
    LATCH_TRY(latch_outcome_choose(&p->cx, o->handlers, o->count, getenv("_HANDLER"), &p->handler));
    LATCH_TRY(reserve_arenas(p));
    latch_crash_arm(&p->workers[0]->api, NULL, p->handler->name);
    if (o->open != NULL) LATCH_TRY(o->open(&p->cx, p->handler, o->self));
    p->opened = true;
    if (p->handler->init != NULL) {
        p->cx.err = (latch_err){0};
        LATCH_TRY(latch_outcome_check(&p->cx, p->handler->init(&p->cx)));
    }
    latch_crash_disarm();
    return LATCH_OK;
}

/* ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int init_and_run(latch_process *p) {
    latch_worker *first = p->workers[0];
    latch_api_connect(&first->api);
    int status = start(p) != LATCH_OK ? init_failed(p) : latch_worker_run(first) == LATCH_API_END ? 0 : 1;
    unsetenv("_X_AMZN_TRACE_ID"); /* its bytes are a worker's */
    if (p->opened && p->options->close != NULL) p->options->close(p->options->self);
    latch_http_session_clean_up(&p->http);
    latch_reserve_give_back(&first->invocation);
    return status;
}

/* The only worker stands in the process's memory, and begins with its context. */
static bool make_first(latch_process *p) {
    latch_worker *first = latch_arena_alloc(p->cx.arena, sizeof *first);
    p->workers = latch_arena_alloc(p->cx.arena, sizeof(latch_worker *));
    if (first == NULL || p->workers == NULL) return false;
    first->process = p;
    first->index = 0;
    first->cx = &p->cx;
    first->invocation.at = NULL;
    p->workers[0] = first;
    p->worker_count = 1;
    return true;
}

int latch_loop_run(const latch_loop_options *options) {
    latch_process p = {.options = options};
    int status = 1;
    if (!latch_reserve_take(&p.memory, PROCESS_ARENA_BYTES)) return 1;
    p.cx =
        (latch_ctx){.arena = &p.memory.arena, .clock = options->clock, .deadline_at_ms = INT64_MAX, .log = options->log, .http = &p.http};
    p.cx.request_id = LATCH_STR("");
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    latch_crash_init();
    if (make_first(&p) && latch_api_init(&p.workers[0]->api, getenv("AWS_LAMBDA_RUNTIME_API"), &p.cx) == LATCH_OK) {
        status = init_and_run(&p);
        latch_api_clean_up(&p.workers[0]->api);
    } else {
        latch_log_(&p.cx, LATCH_FATAL, p.cx.err.message, (const latch_pair[]){{NULL, {LATCH_V_NULL, {.i = 0}}}});
    }
    latch_crash_clean_up();
    sigaction(SIGPIPE, &before, NULL);
    latch_reserve_give_back(&p.memory);
    return status;
}

#include "runtime/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/ctx_private.h"
#include "core/http.h"
#include "core/scope.h"
#include "core/usage.h"
#include "runtime/api.h"
#include "runtime/context.h"
#include "runtime/crash.h"
#include "runtime/outcome.h"

#define ARENA_MB_DEFAULT 128
#define ARENA_MB_MAX 4096
#define PROCESS_ARENA_BYTES ((size_t)16 << 20) /* what init and the stores keep; pages that aren't touched cost nothing */
#define KEPT_BYTES ((size_t)1 << 20)           /* of the invocation's arena stay resident */
#define TRACE_ID_BYTES 1024

typedef struct reserve { /* address space; the arena in it takes pages as it needs them */
    void *at;
    size_t bytes;
    latch_arena arena;
} reserve;

typedef struct loop {
    const latch_loop_options *options;
    const latch_handler *handler;
    latch_api *api;
    reserve process, invocation;
    latch_http_session http;
    latch_ctx cx; /* of the process */
    bool opened;
    char trace_id[TRACE_ID_BYTES]; /* the environment's own "_X_AMZN_TRACE_ID=…" */
} loop;

/* ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool take(reserve *r, size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    *r = (reserve){.at = at, .bytes = bytes};
    latch_arena_init(&r->arena, at, bytes);
    return true;
}

static void give_back(reserve *r) {
    if (r->at == NULL) return;
    latch_arena_clean_up(&r->arena);
    munmap(r->at, r->bytes);
    r->at = NULL;
}

/* One big event must not weigh on all that come after it. */
static void reset(reserve *r) {
    size_t touched = r->arena.peak;
    latch_arena_rewind(&r->arena, 0);
    r->arena.peak = 0;
    if (touched > KEPT_BYTES) madvise((char *)r->at + KEPT_BYTES, touched - KEPT_BYTES, MADV_DONTNEED);
}

/* ── what fails before the first event ───────────────────────────────────────────────────────────────────────────── */

static int init_failed(loop *l) {
    latch_failure failure;
    latch_failure_of(&l->cx.err, &failure);
    latch_outcome_log(&l->cx, "init failed", NULL);
    latch_crash_disarm();
    latch_api_init_error(l->api, &failure);
    return 1;
}

static latch_status read_arena_mb(loop *l, size_t *bytes) {
    const char *text = getenv("LATCH_ARENA_MB");
    char *end = NULL;
    *bytes = (size_t)ARENA_MB_DEFAULT << 20;
    if (text == NULL || *text == '\0') return LATCH_OK;
    errno = 0;
    long mb = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || mb < 1 || mb > ARENA_MB_MAX)
        return latch_err_set(&l->cx.err, LATCH_E_MISUSE, "LATCH_ARENA_MB is \"%.40s\", want a whole number from 1 to %d", text,
                             ARENA_MB_MAX);
    *bytes = (size_t)mb << 20;
    return LATCH_OK;
}

/* The handler, its memory, its stores, its own init. Each failure says enough by itself. */
static latch_status start(loop *l) {
    const latch_loop_options *o = l->options;
    size_t bytes;
    LATCH_TRY(latch_outcome_choose(&l->cx, o->handlers, o->count, getenv("_HANDLER"), &l->handler));
    LATCH_TRY(read_arena_mb(l, &bytes));
    if (!take(&l->invocation, bytes))
        return latch_err_set(&l->cx.err, LATCH_E_NOMEM, "%zu bytes of address space are not to be had: lower LATCH_ARENA_MB", bytes);
    latch_crash_arm(l->api, NULL, l->handler->name);
    if (o->open != NULL) LATCH_TRY(o->open(&l->cx, l->handler, o->self));
    l->opened = true;
    if (l->handler->init != NULL) {
        l->cx.err = (latch_err){0};
        LATCH_TRY(latch_outcome_check(&l->cx, l->handler->init(&l->cx)));
    }
    latch_crash_disarm();
    return LATCH_OK;
}

/* ── one invocation ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* setenv keeps every value it was ever given; one buffer of ours stays one buffer. */
static void set_trace_id(loop *l, latch_str id) {
    static const char name[] = "_X_AMZN_TRACE_ID";
    int len = snprintf(l->trace_id, sizeof l->trace_id, "%s=%.*s", name, (int)(id.len < TRACE_ID_BYTES ? id.len : TRACE_ID_BYTES),
                       id.len > 0 ? id.ptr : "");
    if (id.len == 0 || len < 0 || (size_t)len >= sizeof l->trace_id) {
        unsetenv(name);
        return;
    }
    putenv(l->trace_id);
}

static latch_status run(loop *l, const latch_invocation *invocation, latch_ctx *cx, latch_str *reply) {
    if (invocation->too_large)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "the event has %" PRIu64 " bytes, which don't fit: raise LATCH_ARENA_MB",
                             invocation->event_bytes);
    latch_crash_arm(l->api, invocation, l->handler->name);
    latch_status status = latch_outcome_run(cx, l->handler, invocation->event, reply);
    latch_crash_disarm();
    return status;
}

static latch_api_verdict serve(loop *l, latch_invocation *invocation) {
    latch_scope scope = {0};
    latch_usage usage = {0};
    latch_str reply;
    latch_failure failure;
    latch_ctx cx = l->cx;
    cx.arena = &l->invocation.arena;
    cx.err = (latch_err){0};
    cx.request_id = l->cx.request_id = invocation->request_id;
    cx.deadline_at_ms = latch_invocation_stores_deadline_ms(invocation, latch_now_ms(&cx));
    cx.scope = &scope;
    cx.usage = &usage;
    cx.invocation = invocation;
    set_trace_id(l, invocation->trace_id);
    latch_status status = run(l, invocation, &cx, &reply);
    invocation->deadline_at_ms = latch_deadline_ms(&cx); /* as the clock is now: an answer that is lost goes again until then */
    usage.moved_ms = 0;
    if (status == LATCH_OK) return latch_api_response(l->api, invocation, reply);
    latch_outcome_log(&cx, "invocation failed", NULL);
    latch_failure_of(&cx.err, &failure);
    return latch_api_error(l->api, invocation, &failure);
}

/* The service's point in time is by this machine's clock; what looks at it has the clock that `open` set, which may be a corrected one. */
static void convert_deadline(const loop *l, latch_invocation *invocation) {
    if (invocation->deadline_at_ms == INT64_MAX) return;
    invocation->deadline_at_ms += latch_now_ms(&l->cx) - latch_clock_wall_ms(&l->options->clock);
}

static int poll(loop *l) {
    for (;;) {
        latch_invocation invocation;
        latch_api_verdict verdict = latch_api_next(l->api, &l->invocation.arena, &invocation);
        if (verdict == LATCH_API_GO_ON) {
            convert_deadline(l, &invocation);
            verdict = serve(l, &invocation);
        }
        l->cx.request_id = LATCH_STR("");
        reset(&l->invocation);
        if (verdict != LATCH_API_GO_ON) return verdict == LATCH_API_END ? 0 : 1;
    }
}

/* ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int init_and_poll(loop *l) {
    latch_api_connect(l->api);
    int status = start(l) == LATCH_OK ? poll(l) : init_failed(l);
    unsetenv("_X_AMZN_TRACE_ID"); /* its bytes are the loop's */
    if (l->opened && l->options->close != NULL) l->options->close(l->options->self);
    latch_http_session_clean_up(&l->http);
    give_back(&l->invocation);
    return status;
}

int latch_loop_run(const latch_loop_options *options) {
    loop l = {.options = options};
    int status = 1;
    if (!take(&l.process, PROCESS_ARENA_BYTES)) return 1;
    l.cx =
        (latch_ctx){.arena = &l.process.arena, .clock = options->clock, .deadline_at_ms = INT64_MAX, .log = options->log, .http = &l.http};
    l.cx.request_id = LATCH_STR("");
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    latch_crash_init();
    l.api = latch_arena_alloc(l.cx.arena, sizeof *l.api);
    if (l.api != NULL && latch_api_init(l.api, getenv("AWS_LAMBDA_RUNTIME_API"), &l.cx) == LATCH_OK) {
        status = init_and_poll(&l);
        latch_api_clean_up(l.api);
    } else {
        latch_log_(&l.cx, LATCH_FATAL, l.cx.err.message, (const latch_pair[]){{NULL, {LATCH_V_NULL, {.i = 0}}}});
    }
    latch_crash_clean_up();
    sigaction(SIGPIPE, &before, NULL);
    give_back(&l.process);
    return status;
}

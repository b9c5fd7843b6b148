#include "runtime/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/scope.h"
#include "core/usage.h"
#include "runtime/context.h"
#include "runtime/outcome.h"

/* ── one of them ─────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_worker_init(latch_worker *w, latch_process *p, size_t index) {
    w->process = p;
    w->index = index;
    w->cx = &p->cx;
}

latch_status latch_worker_open(latch_worker *w) {
    latch_process *p = w->process;
    LATCH_TRY(latch_api_init(&w->api, getenv("AWS_LAMBDA_RUNTIME_API"), &p->cx));
    w->api.any_started = &p->started;
    return LATCH_OK;
}

/* ── one invocation ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* setenv keeps every value it was ever given; one buffer of ours stays one buffer. */
static void set_trace_id(latch_worker *w, latch_str id) {
    static const char name[] = "_X_AMZN_TRACE_ID", begin[] = "_X_AMZN_TRACE_ID=";
    const size_t len = sizeof begin - 1;
    if (w->process->worker_count > 1) return; /* the environment is everybody's */
    if (id.len == 0 || id.len >= sizeof w->trace_id - len) {
        unsetenv(name);
        return;
    }
    memcpy(w->trace_id, begin, len);
    memcpy(w->trace_id + len, id.ptr, id.len);
    w->trace_id[len + id.len] = '\0';
    putenv(w->trace_id);
}

static latch_status call(latch_worker *w, latch_ctx *cx, latch_str event, latch_str *reply) {
    latch_status status;
    pthread_cleanup_push(latch_ending_on_thread_end, w);
    status = latch_outcome_run(cx, w->process->handler, event, reply);
    pthread_cleanup_pop(0);
    return status;
}

static latch_status refuse_event(latch_ctx *cx, uint64_t bytes) {
    if (bytes > LATCH_API_EVENT_MAX_BYTES) /* no arena helps */
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "the event has %" PRIu64 " bytes, Latch takes at most %zu", bytes,
                             LATCH_API_EVENT_MAX_BYTES);
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "the event has %" PRIu64 " bytes, which don't fit: raise LATCH_ARENA_MB", bytes);
}

static latch_status run(latch_worker *w, const latch_invocation *invocation, int64_t now_ms, latch_ctx *cx, latch_str *reply) {
    int64_t left_ms = invocation->deadline_at_ms - now_ms; /* of use where there is a deadline */
    if (invocation->too_large) return refuse_event(cx, invocation->event_bytes);
    latch_ending_arm(w, invocation, w->watch.deadline_at_ms, left_ms);
    latch_status status = call(w, cx, invocation->event, reply);
    latch_ending_disarm(w);
    return status;
}

static latch_api_verdict answer(latch_worker *w, const latch_ctx *cx, latch_str reply) {
    bool streamed = latch_stream_answers(&w->api.stream, LATCH_OK);
    return streamed ? latch_api_stream_end(&w->api, cx->invocation, NULL) : latch_api_response(&w->api, cx->invocation, reply);
}

static latch_api_verdict report(latch_worker *w, latch_ctx *cx) {
    latch_failure failure;
    bool streamed = latch_stream_answers(&w->api.stream, cx->err.status);
    latch_outcome_log(cx, "invocation failed", NULL);
    latch_failure_of(&cx->err, &failure);
    return streamed ? latch_api_stream_end(&w->api, cx->invocation, &failure) : latch_api_error(&w->api, cx->invocation, &failure);
}

static latch_api_verdict serve(latch_worker *w, latch_invocation *invocation) {
    latch_scope scope = {0};
    latch_usage usage = {0};
    latch_str reply;
    latch_ctx cx = *w->cx;
    cx.arena = &w->invocation;
    cx.err = (latch_err){0};
    cx.request_id = w->cx->request_id = invocation->request_id;
    w->cx->tenant_id = invocation->tenant_id;
    int64_t now_ms = latch_now_ms(&cx);
    cx.deadline_at_ms = latch_invocation_stores_deadline_ms(invocation, now_ms);
    cx.scope = &scope;
    cx.usage = &usage;
    cx.invocation = invocation;
    latch_api_stream_ready(&w->api, &cx);
    cx.spans = &w->spans;
    latch_spans_reset(cx.spans);
    set_trace_id(w, invocation->trace_id);
    latch_observer_begin(&w->observer, &cx);
    invocation->cold = w->observer.cold;
    latch_status status = run(w, invocation, now_ms, &cx, &reply);
    latch_observer_handled(&w->observer, &cx);
    invocation->deadline_at_ms = latch_deadline_ms(&cx); /* as the clock is now: an answer that is lost goes again until then */
    usage.moved_ms = 0;
    latch_api_verdict verdict = status == LATCH_OK ? answer(w, &cx, reply) : report(w, &cx);
    latch_observer_end(&w->observer, &cx, status);
    w->api.stream.cx = w->cx; /* of one that a handler kept: this one is gone */
    return verdict;
}

/* The service's point in time is by this machine's clock; what looks at it has the clock that `open` set, which may be a corrected one. */
static void convert_deadline(const latch_worker *w, latch_invocation *invocation) {
    if (invocation->deadline_at_ms == INT64_MAX) return;
    invocation->deadline_at_ms += latch_now_ms(w->cx) - latch_clock_wall_ms(&w->process->options->clock);
}

/* Each worker says that it asks before it looks whether to stop; who stops the process says so before it looks who asks. */
void latch_process_stop(latch_process *p) {
    atomic_store(&p->stopping, true);
    for (size_t i = 0; i < p->worker_count; i++) {
        latch_worker *w = p->workers[i];
        atomic_fetch_add(&w->api.stoppers, 1);
        int fd = w->api.fd;
        if (atomic_load(&w->phase) == LATCH_WORKER_ASKING && fd >= 0) shutdown(fd, SHUT_RD);
        atomic_fetch_sub(&w->api.stoppers, 1);
    }
}

static latch_api_verdict poll(latch_worker *w) {
    for (;;) {
        latch_invocation invocation;
        atomic_store(&w->phase, LATCH_WORKER_ASKING);
        if (atomic_load(&w->process->stopping)) return LATCH_API_END;
        latch_api_verdict verdict = latch_api_next(&w->api, &w->invocation, &invocation);
        if (verdict == LATCH_API_GO_ON) atomic_store_explicit(&w->watch.deadline_at_ms, invocation.deadline_at_ms, memory_order_relaxed);
        atomic_store(&w->phase, LATCH_WORKER_BUSY);
        if (verdict == LATCH_API_GO_ON) {
            convert_deadline(w, &invocation);
            verdict = serve(w, &invocation);
        }
        w->cx->request_id = w->cx->tenant_id = LATCH_STR("");
        latch_arena_recycle(&w->invocation);
        if (verdict != LATCH_API_GO_ON) return verdict;
    }
}

latch_api_verdict latch_worker_run(latch_worker *w) {
    latch_process *p = w->process;
    latch_observer_open(&w->observer, w->cx, p->handler->name, &p->warm, p->worker_count > 1);
    latch_api_verdict verdict = poll(w);
    latch_observer_close(&w->observer, w->cx);
    return verdict;
}

#include <stdlib.h>
#include <string.h>

#include "runtime/lifecycle_private.h"
#include "runtime/outcome.h"
#include "runtime/worker.h"

#define ANSWER_MS INT64_C(400) /* of Lambda's time for a restore, to tell how it went */

bool latch_snapshot_is_wanted(const latch_process *p) {
    const char *type = getenv("AWS_LAMBDA_INITIALIZATION_TYPE");
    return type != NULL && strcmp(type, "snap-start") == 0 && p->worker_count == 1;
}

typedef void tell_fn(latch_api *api, const latch_failure *failure);

static int fail(latch_process *p, const char *message, tell_fn *tell, int exit_status) {
    latch_failure failure;
    latch_failure_of(&p->cx.err, &failure);
    latch_ending_disarm(p->workers[0]);
    latch_outcome_log(&p->cx, message, NULL);
    tell(&p->workers[0]->api, &failure);
    return exit_status;
}

static latch_status call(latch_process *p, const latch_lifecycle_hook *hook) {
    latch_status status;
    pthread_cleanup_push(latch_ending_on_thread_end, p->workers[0]);
    status = latch_lifecycle_call(&p->cx, hook);
    pthread_cleanup_pop(0);
    return status;
}

/* `until_ms`, by the machine's clock: the watchdog's; INT64_MAX: none. */
static latch_status call_all(latch_process *p, const latch_lifecycle_hook *hook, int64_t until_ms) {
    latch_worker *w = p->workers[0];
    latch_status status = LATCH_OK;
    p->cx.spans = &w->spans;
    latch_spans_reset(p->cx.spans);
    latch_ending_arm(w, NULL, until_ms, until_ms == INT64_MAX ? 0 : until_ms - latch_clock_wall_ms(&p->options->clock));
    for (; hook != NULL && status == LATCH_OK; hook = hook->next)
        status = call(p, hook);
    latch_ending_disarm(w);
    p->cx.spans = NULL;
    return status;
}

int latch_snapshot_prepare(latch_process *p) {
    if (call_all(p, p->life.before_snapshot, INT64_MAX) == LATCH_OK) return LATCH_GO_ON;
    return fail(p, "a hook before the snapshot failed", latch_api_init_error, LATCH_SNAPSHOT_FAILED);
}

/* Whatever several processes would have in common: connections, random numbers, keys, what was learnt of others. */
static latch_status renew(latch_process *p) {
    const latch_loop_options *o = p->options;
    p->cx.err = (latch_err){0};
    latch_http_session_clean_up(&p->http);
    return o->restore != NULL ? o->restore(&p->cx, o->self) : LATCH_OK;
}

/* `at_ms` is by the machine's clock; the context has the one that `restore` may have put right. */
static void set_deadline(latch_process *p, int64_t at_ms) {
    p->cx.deadline_at_ms = at_ms + latch_now_ms(&p->cx) - latch_clock_wall_ms(&p->options->clock);
}

int latch_snapshot_pass(latch_process *p) {
    latch_api *api = &p->workers[0]->api;
    latch_api_verdict verdict = latch_api_restore_next(api);
    if (verdict == LATCH_API_EXIT) return 1;
    if (verdict == LATCH_API_END) return LATCH_GO_ON; /* the process is stopping: no event is asked for */
    int64_t until_ms = latch_clock_wall_ms(&p->options->clock) + LATCH_RESTORE_WINDOW_MS;
    latch_ending_adopt();
    api->restoring = true;
    set_deadline(p, until_ms - ANSWER_MS);
    latch_status status = renew(p);
    set_deadline(p, until_ms - ANSWER_MS);
    if (status == LATCH_OK) status = call_all(p, p->life.after_restore, until_ms);
    p->cx.deadline_at_ms = INT64_MAX;
    if (status != LATCH_OK) return fail(p, "the restore failed", latch_api_restore_error, LATCH_RESTORE_FAILED);
    api->restoring = false;
    return LATCH_GO_ON;
}

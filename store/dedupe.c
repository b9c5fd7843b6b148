#include "store/dedupe.h"

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/scope.h"
#include "store/job.h"
#include "store/table.h"

#define PAUSE_MS (LATCH_SECOND_MS / 2)
#define PK_MAX_BYTES 1024 /* it is the sk too */

static latch_status make_pk(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_str *pk) {
    const latch_table_key native = {.store = "dedupe", .prefix = "DEDUPE", .max_bytes = PK_MAX_BYTES};
    const latch_table_key toolkits = {.store = "dedupe", .max_bytes = PK_MAX_BYTES - (sizeof "DEDUPE#" - 1)};
    if (dedupe->toolkit_table == NULL) return latch_table_pk(cx, &native, dedupe->name, key, pk);
    LATCH_TRY(latch_table_check_key(cx, &toolkits, dedupe->name, key));
    *pk = latch_ctx_text(cx, "DEDUPE#%.*s", LATCH_ARG(key));
    return pk->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "dedupe %s: the arena is full", dedupe->name);
}

static latch_status begin(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_job_key *out) {
    *out = (latch_job_key){.policy = dedupe, .shared = dedupe->toolkit_table != NULL};
    out->toolkit = (latch_place){.table = dedupe->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    LATCH_TRY(make_pk(cx, dedupe, key, &out->pk));
    LATCH_TRY(latch_table_check_span(cx, "dedupe", dedupe->name, ".job_timeout_ms", dedupe->job_timeout_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "dedupe", dedupe->name, ".result_ms", dedupe->result_ms, 0));
    return latch_table_check_span(cx, "dedupe", dedupe->name, ".wait_ms", dedupe->wait_ms, 0);
}

/* By core/status.h: what was seen before, or compensated, is done and doesn't come again. */
static void settle_at_end(latch_ctx *cx, void *arg, latch_status ended) {
    bool done = ended == LATCH_SEEN || ended == LATCH_UNDONE;
    latch_job_settle(cx, arg, done ? LATCH_OK : ended);
}

/*
 * Registers, and waits for another's job to end as long as the policy says: then there is its result, or room for ours. One wait for all
 * rounds: each begins with a pause.
 */
static latch_status enter(latch_ctx *cx, latch_job_key *key) {
    latch_wait wait = latch_wait_begin(cx, key->policy->wait_ms, PAUSE_MS, LATCH_JOB_PAUSE_MOST_MS);
    bool maybe_ours = false;
    for (;;) {
        latch_job job;
        latch_status status = latch_job_register(cx, key, &job);
        maybe_ours = maybe_ours || (status != LATCH_OK && cx->err.maybe_applied);
        bool waits = status == LATCH_BUSY;
        if (waits) status = latch_job_wait(cx, key, &wait, &job);
        bool again = waits && (status == LATCH_OK || status == LATCH_CONFLICT || status == LATCH_MISSING);
        if (status != LATCH_OK && !again && maybe_ours) cx->err.maybe_applied = true;
        if (!again) return status;
    }
}

latch_status latch_dedupe_enter(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key) {
    latch_job_key made, *kept;
    LATCH_TRY(begin(cx, dedupe, key, &made));
    kept = latch_arena_alloc(cx->arena, sizeof *kept);
    if (kept == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "dedupe %s: the arena is full", dedupe->name);
    *kept = made;
    LATCH_TRY(latch_spare_init(cx, &kept->spare, kept->pk));
    LATCH_TRY(latch_scope_add(cx, settle_at_end, kept)); /* before it is registered: a full arena must not leave it pending */
    latch_status status = enter(cx, kept);
    if (status != LATCH_OK) latch_scope_forget(cx, kept);
    return status;
}

latch_status latch_dedupe_register_or_join(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_job *out) {
    latch_job_key made;
    *out = (latch_job){0};
    LATCH_TRY(begin(cx, dedupe, key, &made));
    return latch_job_register(cx, &made, out);
}

latch_status latch_dedupe_register(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_str *job_id) {
    latch_job job;
    latch_status status = latch_dedupe_register_or_join(cx, dedupe, key, &job);
    *job_id = job.id;
    return status;
}

latch_status latch_dedupe_wait_for(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_job *out) {
    latch_job_key made;
    *out = (latch_job){0};
    LATCH_TRY(begin(cx, dedupe, key, &made));
    latch_wait wait = latch_wait_begin(cx, dedupe->wait_ms, PAUSE_MS, LATCH_JOB_PAUSE_MOST_MS);
    latch_status status = latch_job_look(cx, &made, out);
    return status == LATCH_BUSY ? latch_job_wait(cx, &made, &wait, out) : status;
}

latch_status latch_dedupe_complete(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_str job_id, latch_json result) {
    latch_job_key made;
    LATCH_TRY(begin(cx, dedupe, key, &made));
    made.id = job_id;
    return latch_job_complete(cx, &made, result);
}

latch_status latch_dedupe_fail(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, latch_str job_id, latch_str error) {
    latch_job_key made;
    LATCH_TRY(begin(cx, dedupe, key, &made));
    made.id = job_id;
    return latch_job_fail(cx, &made, error);
}

latch_status latch_dedupe_is_in_progress(latch_ctx *cx, const latch_dedupe *dedupe, latch_str key, bool *out) {
    latch_job_key made;
    latch_job job;
    *out = false;
    LATCH_TRY(begin(cx, dedupe, key, &made));
    latch_status status = latch_job_look(cx, &made, &job);
    *out = status == LATCH_BUSY;
    return status == LATCH_BUSY || status == LATCH_CONFLICT || status == LATCH_MISSING ? LATCH_OK : status;
}

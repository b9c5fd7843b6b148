/*
 * Get-or-compute: one loads at a time, through a job of store/dedupe.h; the others wait, or are given what is stale. Whoever has waited reads
 * the table, strongly: no result travels with the job, so none can be older than a delete that came before.
 */
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/cache_private.h"

#define DEFAULT_LOAD_MS LATCH_MINUTE_MS
#define PAUSE_MS 25

/* What was loaded is right, whether or not the table takes it. What another stored since the load began is newer, and stays. */
static void keep(latch_ctx *cx, const latch_cache_call *c, latch_status loaded, latch_json v, const latch_cache_found *over) {
    latch_err why = cx->err;
    latch_str text = LATCH_CACHE_MISSING_TEXT;
    latch_status status = loaded == LATCH_OK ? latch_cache_text(cx, c, v, &text) : LATCH_OK;
    if (status == LATCH_OK) status = latch_cache_write(cx, c, text, loaded == LATCH_OK ? c->cache->ttl_ms : c->cache->missing_ttl_ms, over);
    if (status != LATCH_OK && status != LATCH_CONFLICT)
        latch_warn(cx, "what was loaded is not cached", "cache", c->pk, "why", cx->err.message);
    cx->err = why;
}

/*
 * The job is ours. Another may have loaded between our miss and that, so we look again before we load; and set before the job is completed,
 * so that those who wait for it find the value. The generation comes first: what is deleted from here on, our value isn't stored after.
 */
static latch_status load(latch_ctx *cx, latch_cache_call *c, latch_job_key *job, latch_json *out) {
    latch_work work = {.key = c->key, .payload = LATCH_NULL, .result = LATCH_NULL};
    latch_cache_found f;
    latch_status status = c->cache->strict != NULL ? c->cache->strict->look(cx, c) : LATCH_OK;
    if (status == LATCH_OK) status = latch_cache_read(cx, c, false, &f, out);
    if (status != LATCH_OK || (f.says != LATCH_CACHE_MISS && !f.stale)) {
        latch_job_settle(cx, job, status);
        return status == LATCH_OK ? latch_cache_answer(cx, c, f.says) : status;
    }
    *out = LATCH_NULL;
    status = c->cache->load(cx, &work);
    bool remembers = status == LATCH_MISSING && c->cache->missing_ttl_ms != 0;
    c->tagged = status == LATCH_OK && c->cache->tagging != NULL;
    c->loaded = work.result;
    if (status == LATCH_OK || remembers) keep(cx, c, status, work.result, &f);
    if (status == LATCH_OK) *out = work.result;
    latch_job_settle(cx, job, remembers ? LATCH_OK : status);
    return status;
}

/* From now on: whoever has waited has less left. */
static latch_status time_the_job(latch_ctx *cx, const latch_cache_call *c, latch_dedupe *policy) {
    int64_t left_ms = cx->deadline_at_ms != INT64_MAX ? latch_left_ms(cx) : DEFAULT_LOAD_MS;
    policy->job_timeout_ms = c->cache->load_ms > 0 ? c->cache->load_ms : left_ms;
    if (left_ms > 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: the deadline has passed", LATCH_ARG(c->pk));
}

/* One more name in front: no dedupe of a handler's own has this key. */
static latch_status job_of(latch_ctx *cx, const latch_cache_call *c, latch_dedupe *policy, latch_job_key *out) {
    *policy =
        (latch_dedupe){.name = c->cache->name, .timeout_ms = c->cache->timeout_ms, .result_ms = LATCH_SECOND_MS, .rerun_completed = true};
    *out = (latch_job_key){
        .policy = policy, .toolkit = c->toolkit, .shared = c->shared, .pk = latch_ctx_text(cx, "DEDUPE#%.*s", LATCH_ARG(c->pk))};
    if (out->pk.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
    return latch_spare_init(cx, &out->spare, out->pk);
}

/* Another is loading: its end is waited for, and then there is a value, or the next loader may be us. */
static latch_status wait_for_another(latch_ctx *cx, const latch_cache_call *c, const latch_job_key *job, latch_wait *wait,
                                     latch_cache_found *f, latch_json *out) {
    latch_job others;
    latch_status status = latch_job_wait(cx, job, wait, &others);
    if (status != LATCH_OK && status != LATCH_CONFLICT && status != LATCH_MISSING) return status;
    return latch_cache_read(cx, c, false, f, out);
}

static latch_status load_once(latch_ctx *cx, latch_cache_call *c, bool waits, latch_json *out) {
    latch_dedupe policy;
    latch_job_key job;
    LATCH_TRY(job_of(cx, c, &policy, &job));
    LATCH_TRY(time_the_job(cx, c, &policy));
    latch_wait wait = latch_wait_begin(cx, policy.job_timeout_ms, PAUSE_MS, LATCH_JOB_PAUSE_MOST_MS);
    for (;;) {
        latch_job registered;
        latch_cache_found f;
        bool busy;
        LATCH_TRY(time_the_job(cx, c, &policy));
        LATCH_TRY_BUT(LATCH_BUSY, busy, latch_job_register(cx, &job, &registered));
        if (!busy) return load(cx, c, &job, out);
        if (!waits) return LATCH_BUSY;
        LATCH_TRY(wait_for_another(cx, c, &job, &wait, &f, out));
        if (f.says != LATCH_CACHE_MISS && !f.stale) return latch_cache_answer(cx, c, f.says);
    }
}

latch_status latch_cache_load(latch_ctx *cx, latch_cache_call *c, bool stale, latch_json *out) {
    latch_json fresh = LATCH_NULL;
    latch_status status = load_once(cx, c, !stale, &fresh);
    bool given = stale && status != LATCH_OK && status != LATCH_MISSING;
    if (given && status != LATCH_BUSY)
        latch_warn(cx, "a stale value is given, for the load failed", "cache", c->pk, "why", cx->err.message);
    if (!given) *out = status == LATCH_OK ? fresh : LATCH_NULL;
    return given ? LATCH_OK : status;
}

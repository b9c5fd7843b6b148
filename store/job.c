#include "store/job.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"

#define DEFAULT_JOB_TIMEOUT_MS (5 * LATCH_MINUTE_MS)
#define DEFAULT_RESULT_MS LATCH_DAY_MS
#define KEPT_MS LATCH_MINUTE_MS /* so long a pending job's item outlives its deadline and the clocks' margin */

/*
 * What may be registered, and never by a repeat of the registration that holds it. A pending job is over by its owner's own deadline, never
 * by the caller's timeout; one that another library wrote has none, and is over by its ttl.
 */
#define OVER                                                                                                                               \
    "(#status = :pending AND ((attribute_exists(#deadlineAt) AND #deadlineAt < :now_minus_skew) OR "                                       \
    "(attribute_not_exists(#deadlineAt) AND #ttl > :zero AND #ttl < :now_minus_skew_s)))"
#define NOT_OURS "(attribute_not_exists(#jobId) OR #jobId <> :j)"

static const char register_update[] =
    "SET #jobId = :j, #status = :pending, #createdAt = :now, #updatedAt = :now, #deadlineAt = :d, #ttl = :t, "
    "#result = :null, #error = :null";
static const char register_condition[] =
    "(attribute_not_exists(#pk) OR #status = :failed OR (#status = :completed AND #ttl > :zero AND #ttl <= :now_s) OR " OVER
    ") AND " NOT_OURS;
static const char rerun_condition[] = "(attribute_not_exists(#pk) OR #status = :failed OR #status = :completed OR " OVER ") AND " NOT_OURS;

static const char owned[] = "#jobId = :j AND #status = :pending";
static const char complete_update[] = "SET #status = :completed, #result = :r, #updatedAt = :now, #ttl = :t";
static const char fail_update[] = "SET #status = :failed, #error = :e, #updatedAt = :now";

typedef struct seen { /* what an item says */
    bool pending, completed;
    latch_str id, result, error;
    int64_t deadline_at_ms, ttl_s;
    int64_t over_at_ms; /* of a pending job: when OVER begins to hold; 0: never */
} seen;

/* What the table calls the attribute that is "ttl" in a request: an item read has it under this name. */
static const char *ttl_name(const latch_ctx *cx, const latch_job_key *key) {
    if (key->shared) return key->toolkit.ttl;
    return cx->table != NULL && cx->table->ttl != NULL ? cx->table->ttl : "ttl";
}

/* By OVER, to the millisecond. A deadline that is no number holds there for ever: here it is bad data. */
static latch_status read_end(const latch_job_key *key, latch_json item, seen *out) {
    int64_t skew_ms = latch_table_skew_ms(item.cx);
    LATCH_TRY(latch_item_int_or(item, ttl_name(item.cx, key), 0, &out->ttl_s));
    if (out->ttl_s < 0 || out->ttl_s > LATCH_AT_MS_MAX / 1000)
        return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.ttl: is %" PRId64 ", want Unix seconds", out->ttl_s);
    out->deadline_at_ms = out->ttl_s * 1000;
    out->over_at_ms = out->ttl_s > 0 ? (out->ttl_s + 1) * 1000 + skew_ms : 0;
    if (!latch_item_has(item, "deadlineAt")) return LATCH_OK;
    LATCH_TRY(latch_item_at_ms(item, "deadlineAt", &out->deadline_at_ms));
    out->over_at_ms = out->deadline_at_ms + skew_ms + 1;
    return LATCH_OK;
}

static latch_status read_item(const latch_job_key *key, latch_json item, seen *out) {
    latch_str status;
    *out = (seen){0};
    LATCH_TRY(latch_item_text(item, "status", &status));
    out->pending = latch_str_eq(status, LATCH_STR("pending"));
    out->completed = latch_str_eq(status, LATCH_STR("completed"));
    if (!out->pending && !out->completed && !latch_str_eq(status, LATCH_STR("failed")))
        return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.status: is %.*s, want pending, completed or failed", LATCH_ARG(status));
    bool failed = !out->pending && !out->completed; /* as npm's package leaves it also where there was no job */
    LATCH_TRY(failed ? latch_item_text_or(item, "jobId", LATCH_STR(""), &out->id) : latch_item_text(item, "jobId", &out->id));
    LATCH_TRY(latch_item_text_or(item, "result", LATCH_STR("__UNDEFINED__"), &out->result));
    LATCH_TRY(latch_item_text_or(item, "error", LATCH_STR(""), &out->error));
    return read_end(key, item, out);
}

/* JSON text, or one of the two words that stand for what is none. */
static latch_status parse_result(latch_ctx *cx, latch_str text, latch_json *out) {
    *out = LATCH_NULL;
    if (latch_str_eq(text, LATCH_STR("__NULL__")) || latch_str_eq(text, LATCH_STR("__UNDEFINED__"))) return LATCH_OK;
    return latch_json_parse(cx, LATCH_E_DATA, "result", text, out);
}

static latch_request request_of(const latch_job_key *key, latch_operation operation) {
    return (latch_request){
        .operation = operation, .at = key->shared ? &key->toolkit : NULL, .pk = key->pk, .sk = key->pk, .repeatable = true};
}

static latch_status send(latch_ctx *cx, const latch_job_key *key, latch_request *request, latch_json *item) {
    LATCH_TRY(latch_ctx_deadline(cx, key->policy->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

/* ── register or join ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status send_register(latch_ctx *cx, const latch_job_key *key, int64_t now_ms, latch_json *item) {
    const latch_dedupe *policy = key->policy;
    int64_t skew_ms = latch_table_skew_ms(cx);
    int64_t deadline_at_ms = now_ms + (policy->job_timeout_ms > 0 ? policy->job_timeout_ms : DEFAULT_JOB_TIMEOUT_MS);
    latch_request request = request_of(key, LATCH_UPDATE_ITEM);
    request.update = register_update;
    request.timed = true;
    request.condition = policy->rerun_completed ? rerun_condition : register_condition;
    request.values = LATCH_VALUES(":j", key->id, ":pending", LATCH_STR("pending"), ":completed", LATCH_STR("completed"), ":failed",
                                  LATCH_STR("failed"), ":now", now_ms, ":now_s", latch_seconds_passed(now_ms), ":d", deadline_at_ms, ":t",
                                  latch_seconds_up(deadline_at_ms + skew_ms + KEPT_MS), ":null", latch_v_cstr_(NULL), ":zero", latch_int(0),
                                  ":now_minus_skew", now_ms - skew_ms, ":now_minus_skew_s", latch_seconds_passed(now_ms - skew_ms));
    return send(cx, key, &request, item);
}

static latch_status joined(latch_ctx *cx, const latch_job_key *key, const seen *found, bool maybe_ours, latch_job *out) {
    out->id = found->id;
    if (found->completed) {
        latch_status status = parse_result(cx, found->result, &out->result);
        if (status == LATCH_OK) status = latch_err_set(&cx->err, LATCH_SEEN, "%.*s: was done before", LATCH_ARG(key->pk));
        cx->err.maybe_applied = maybe_ours;
        return status;
    }
    out->deadline_at_ms = found->deadline_at_ms;
    (void)latch_err_set(&cx->err, LATCH_BUSY, "%.*s: is being done by job %.*s until %" PRId64 " ms%s", LATCH_ARG(key->pk),
                        LATCH_ARG(found->id), found->deadline_at_ms,
                        maybe_ours ? "; a try of this one got no answer and may register it" : "");
    cx->err.retry_at_ms = found->over_at_ms;
    cx->err.maybe_applied = maybe_ours;
    return LATCH_BUSY;
}

latch_status latch_job_register(latch_ctx *cx, latch_job_key *key, latch_job *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    seen found;
    bool refused;
    *out = (latch_job){0};
    if (key->id.ptr == NULL) key->id = latch_uuid(cx);
    if (key->id.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "dedupe %s: the arena is full", key->policy->name);
    latch_status status = send_register(cx, key, now_ms, &item);
    bool outdated = latch_table_outdated(cx, status), in_doubt = outdated && cx->err.maybe_applied;
    if (outdated) status = send_register(cx, key, latch_now_ms(cx), &item);
    if (status != LATCH_OK) cx->err.maybe_applied = cx->err.maybe_applied || in_doubt;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    bool maybe_ours = !refused || cx->err.maybe_applied;
    status = read_item(key, item, &found);
    if (status != LATCH_OK) cx->err.maybe_applied = maybe_ours;
    if (status != LATCH_OK) return status;
    bool ours = latch_str_eq(found.id, key->id) && found.pending;
    if (refused && !ours) return joined(cx, key, &found, maybe_ours, out);
    out->id = key->id;
    out->deadline_at_ms = found.deadline_at_ms;
    if (latch_now_ms(cx) < found.deadline_at_ms) return LATCH_OK;
    (void)latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: the job's time was over before the answer came", LATCH_ARG(key->pk));
    cx->err.maybe_applied = true;
    return LATCH_E_TIMEOUT;
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Register's own rules, each by register's own word, so that the two never disagree about one item. */
latch_status latch_job_look(latch_ctx *cx, const latch_job_key *key, latch_job *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_request request = request_of(key, LATCH_GET_ITEM);
    latch_json item;
    seen found;
    *out = (latch_job){0};
    LATCH_TRY(send(cx, key, &request, &item));
    if (item.node == NULL) return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: there is no job", LATCH_ARG(key->pk));
    LATCH_TRY(read_item(key, item, &found));
    if (found.completed && found.ttl_s > 0 && found.ttl_s <= latch_seconds_passed(now_ms))
        return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: its result has ended", LATCH_ARG(key->pk));
    out->id = found.id;
    if (found.completed) return parse_result(cx, found.result, &out->result);
    out->deadline_at_ms = found.pending ? found.deadline_at_ms : 0;
    if (found.pending && key->id.ptr != NULL && latch_str_eq(found.id, key->id)) return LATCH_OK;
    if (found.pending && (found.over_at_ms == 0 || now_ms < found.over_at_ms)) return joined(cx, key, &found, false, out);
    out->error = found.pending ? LATCH_STR("its owner's time is over") : found.error;
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: job %.*s failed: %.*s", LATCH_ARG(key->pk), LATCH_ARG(found.id),
                         LATCH_ARG(out->error));
}

/* A look that found it pending leaves nothing in the arena but the last: a long wait takes no more of it than a short one. */
latch_status latch_job_wait(latch_ctx *cx, const latch_job_key *key, latch_wait *wait, latch_job *out) {
    latch_status status = LATCH_BUSY;
    size_t mark = latch_arena_mark(cx->arena);
    while (status == LATCH_BUSY && latch_wait_more(cx, wait, cx->err.retry_at_ms)) {
        latch_arena_rewind(cx->arena, mark);
        status = latch_job_look(cx, key, out);
    }
    return status;
}

/* ── settling ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A refusal that shows our job as it should be is our own lost try. */
static latch_status settle(latch_ctx *cx, const latch_job_key *key, latch_request *request, bool completes) {
    latch_json item;
    seen found = {0};
    bool refused;
    request->condition = owned;
    request->returns = LATCH_RETURNS_REFUSED;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, send(cx, key, request, &item));
    if (!refused) return LATCH_OK;
    bool lost = cx->err.maybe_applied;
    latch_status status = item.node != NULL ? read_item(key, item, &found) : LATCH_OK;
    if (status != LATCH_OK) cx->err.maybe_applied = lost;
    if (status != LATCH_OK) return status;
    if (latch_str_eq(found.id, key->id) && !found.pending && found.completed == completes) return LATCH_OK;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: is no longer job %.*s's%s", LATCH_ARG(key->pk), LATCH_ARG(key->id),
                        lost ? "; a try got no answer and may have settled it" : "");
    cx->err.maybe_applied = lost;
    return LATCH_CONFLICT;
}

latch_status latch_job_complete(latch_ctx *cx, const latch_job_key *key, latch_json result) {
    int64_t now_ms = latch_now_ms(cx), result_ms = key->policy->result_ms > 0 ? key->policy->result_ms : DEFAULT_RESULT_MS;
    latch_str text = LATCH_STR("__NULL__");
    if (result.node != NULL) LATCH_TRY(latch_json_text(cx, result, &text));
    if (text.len > LATCH_DEDUPE_RESULT_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "dedupe %s: the result has %zu bytes, want at most %zu", key->policy->name, text.len,
                             LATCH_DEDUPE_RESULT_MAX_BYTES);
    latch_request request = request_of(key, LATCH_UPDATE_ITEM);
    request.update = complete_update;
    request.values = LATCH_VALUES(":j", key->id, ":pending", LATCH_STR("pending"), ":completed", LATCH_STR("completed"), ":r", text, ":now",
                                  now_ms, ":t", latch_seconds_up(now_ms + result_ms));
    return settle(cx, key, &request, true);
}

latch_status latch_job_fail(latch_ctx *cx, const latch_job_key *key, latch_str error) {
    latch_request request = request_of(key, LATCH_UPDATE_ITEM);
    if (error.len > LATCH_DEDUPE_ERROR_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "dedupe %s: the error has %zu bytes, want at most %zu", key->policy->name, error.len,
                             LATCH_DEDUPE_ERROR_MAX_BYTES);
    request.update = fail_update;
    request.values = LATCH_VALUES(":j", key->id, ":pending", LATCH_STR("pending"), ":failed", LATCH_STR("failed"), ":e", error, ":now",
                                  latch_now_ms(cx));
    return settle(cx, key, &request, false);
}

void latch_job_settle(latch_ctx *cx, latch_job_key *key, latch_status ended) {
    latch_err why = cx->err;
    latch_str error = latch_str_of(ended == why.status && why.type[0] != '\0' ? why.type : latch_status_name(ended));
    latch_spare_begin(cx, &key->spare);
    latch_status status = ended == LATCH_OK ? latch_job_complete(cx, key, LATCH_NULL) : latch_job_fail(cx, key, error);
    latch_spare_end(cx, &key->spare);
    if (status != LATCH_OK) latch_warn(cx, "a job was not settled", "job", key->pk, "why", cx->err.message);
    cx->err = why;
}

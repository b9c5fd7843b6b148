#include "store/cache.h"

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/job.h"
#include "store/table.h"

#define DEFAULT_TTL_MS (5 * LATCH_MINUTE_MS)
#define DEFAULT_LOAD_MS LATCH_MINUTE_MS
#define PAUSE_MS 25

static const latch_table_key key_of = {.store = "cache", .prefix = "CACHE", .max_bytes = 1024};
static const latch_table_key loaded_key_of = {.store = "cache", .prefix = "CACHE", .max_bytes = 1024 - (sizeof "DEDUPE#" - 1)};

static const latch_str missing = {"__UNDEFINED__", 13};

typedef struct call { /* what the requests of one call share */
    const latch_cache *cache;
    latch_str key, pk;
    bool eventual;
} call;

static latch_status check_ttl(latch_ctx *cx, const latch_cache *cache, const char *field, int64_t ttl_ms) {
    if (ttl_ms == LATCH_CACHE_NEVER_EXPIRES) return LATCH_OK;
    return latch_table_check_span(cx, "cache", cache->name, field, ttl_ms, 0);
}

static latch_status begin(latch_ctx *cx, const latch_cache *cache, latch_str key, call *out) {
    *out = (call){.cache = cache, .key = key, .eventual = !cache->strong};
    LATCH_TRY(latch_table_pk(cx, cache->load != NULL ? &loaded_key_of : &key_of, cache->name, key, &out->pk));
    LATCH_TRY(check_ttl(cx, cache, ".ttl_ms", cache->ttl_ms));
    LATCH_TRY(check_ttl(cx, cache, ".missing_ttl_ms", cache->missing_ttl_ms));
    return latch_table_check_span(cx, "cache", cache->name, ".load_ms", cache->load_ms, 0);
}

/* A put or delete without a condition isn't repeated: nothing could recognise the first try when it comes after another's set. */
static latch_status send(latch_ctx *cx, const call *c, latch_request request, latch_json *item) {
    request.pk = c->pk;
    request.sk = c->pk;
    request.repeatable = request.operation == LATCH_GET_ITEM || request.condition != NULL;
    LATCH_TRY(latch_ctx_deadline(cx, c->cache->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, item);
}

/* ── one request each ───────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum verdict { MISS, HIT, KNOWN_MISSING } verdict;

/*
 * Of a miss, `unchanged` is the condition under which there is nothing newer: still no item, none any more, or the one that was seen. No
 * set makes that one again: what has the same ttl has expired too, and what is set can be read.
 */
typedef struct found {
    verdict says;
    const char *unchanged;
    int64_t ttl_s, created_at_ms;
    latch_str text;
} found;

static const char absent[] = "attribute_not_exists(#pk)";
static const char expired[] = "attribute_not_exists(#pk) OR (#ttl = :ttl AND #createdAt = :created)";
static const char expired_undated[] = "attribute_not_exists(#pk) OR (#ttl = :ttl AND NOT attribute_type(#createdAt, :number))";
static const char no_json[] = "attribute_not_exists(#pk) OR #value = :value";
static const char of_other_types[] = "attribute_not_exists(#pk) OR NOT attribute_type(#value, :text) OR (attribute_exists(#ttl) AND NOT "
                                     "attribute_type(#ttl, :number))";

static latch_status read_item(latch_ctx *cx, latch_json item, found *f, latch_json *out) {
    f->unchanged = of_other_types;
    LATCH_TRY(latch_item_int_or(item, latch_job_ttl_name(cx), 0, &f->ttl_s));
    if (f->ttl_s > 0 && latch_seconds_passed(latch_now_ms(cx)) >= f->ttl_s) {
        bool dated = latch_item_int(item, "createdAt", &f->created_at_ms) == LATCH_OK;
        f->unchanged = dated ? expired : expired_undated;
        return LATCH_OK;
    }
    LATCH_TRY(latch_item_text(item, "value", &f->text));
    f->unchanged = no_json;
    f->says = latch_str_eq(f->text, missing) ? KNOWN_MISSING : HIT;
    return f->says == HIT ? latch_json_parse(cx, LATCH_E_DATA, "cached", f->text, out) : LATCH_OK;
}

static latch_status read(latch_ctx *cx, const call *c, bool eventual, found *f, latch_json *out) {
    latch_json item;
    *f = (found){.says = MISS, .unchanged = absent};
    LATCH_TRY(send(cx, c, (latch_request){.operation = LATCH_GET_ITEM, .eventual = eventual}, &item));
    if (item.node == NULL) return LATCH_OK;
    latch_status status = read_item(cx, item, f, out);
    if (status != LATCH_E_DATA) return status;
    latch_warn(cx, "a cached value can't be read and counts as a miss", "cache", c->pk, "why", cx->err.message);
    f->says = MISS;
    *out = LATCH_NULL;
    return LATCH_OK;
}

/* `over`: only while there is nothing newer than this miss, else LATCH_CONFLICT, a lost try of our own included; NULL: whatever is there. */
static latch_status write(latch_ctx *cx, const call *c, latch_str text, int64_t ttl_ms, const found *over) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    latch_request request = {.operation = LATCH_PUT_ITEM, .returns = LATCH_RETURNS_NOTHING};
    found none = {0};
    const found *f = over != NULL ? over : &none;
    request.condition = f->unchanged;
    request.values =
        LATCH_VALUES(":ttl", f->ttl_s, ":created", f->created_at_ms, ":value", f->text, ":text", LATCH_STR("S"), ":number", LATCH_STR("N"));
    int64_t ttl_s = ttl_ms == LATCH_CACHE_NEVER_EXPIRES ? 0 : latch_seconds_up(now_ms + (ttl_ms > 0 ? ttl_ms : DEFAULT_TTL_MS));
    request.item = LATCH_VALUES("value", text, "ttl", ttl_s, "createdAt", now_ms);
    return send(cx, c, request, &item);
}

static latch_status set(latch_ctx *cx, const call *c, latch_json v, const found *over) {
    latch_str text;
    LATCH_TRY(latch_json_text(cx, v, &text));
    if (text.len <= LATCH_CACHE_ENTRY_MAX_BYTES) return write(cx, c, text, c->cache->ttl_ms, over);
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%.*s: the value has %zu bytes, want at most %zu: it is not cached", LATCH_ARG(c->pk),
                         text.len, LATCH_CACHE_ENTRY_MAX_BYTES);
}

/* ── loading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status answer(latch_ctx *cx, const call *c, verdict says) {
    if (says == HIT) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: %s", LATCH_ARG(c->pk),
                         says == KNOWN_MISSING ? "is known to be missing" : "is not in the cache");
}

/* What was loaded is right, whether or not the table takes it. What another stored since the load began is newer, and stays. */
static void keep(latch_ctx *cx, const call *c, latch_status loaded, latch_json v, const found *over) {
    latch_err why = cx->err;
    latch_status status = loaded == LATCH_OK ? set(cx, c, v, over) : write(cx, c, missing, c->cache->missing_ttl_ms, over);
    if (status != LATCH_OK && status != LATCH_CONFLICT)
        latch_warn(cx, "what was loaded is not cached", "cache", c->pk, "why", cx->err.message);
    cx->err = why;
}

/*
 * The job is ours. Another may have loaded between our miss and that, so we look again before we load; and set before the job is completed,
 * so that those who wait for it find the value.
 */
static latch_status load(latch_ctx *cx, const call *c, latch_job_key *job, latch_json *out) {
    latch_work work = {.key = c->key, .payload = LATCH_NULL, .result = LATCH_NULL};
    found f;
    latch_status status = read(cx, c, false, &f, out);
    if (status != LATCH_OK || f.says != MISS) {
        latch_job_settle(cx, job, status);
        return status == LATCH_OK ? answer(cx, c, f.says) : status;
    }
    status = c->cache->load(cx, &work);
    bool remembers = status == LATCH_MISSING && c->cache->missing_ttl_ms != 0;
    if (status == LATCH_OK || remembers) keep(cx, c, status, work.result, &f);
    if (status == LATCH_OK) *out = work.result;
    latch_job_settle(cx, job, remembers ? LATCH_OK : status);
    return status;
}

/* From now on: whoever has waited has less left. */
static latch_status time_the_job(latch_ctx *cx, const call *c, latch_dedupe *policy) {
    int64_t left_ms = cx->deadline_at_ms != INT64_MAX ? latch_left_ms(cx) : DEFAULT_LOAD_MS;
    policy->job_timeout_ms = c->cache->load_ms > 0 ? c->cache->load_ms : left_ms;
    if (left_ms > 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: the deadline has passed", LATCH_ARG(c->pk));
}

/* One more name in front: no dedupe of a handler's own has this key. */
static latch_status job_of(latch_ctx *cx, const call *c, latch_dedupe *policy, latch_job_key *out) {
    *policy =
        (latch_dedupe){.name = c->cache->name, .timeout_ms = c->cache->timeout_ms, .result_ms = LATCH_SECOND_MS, .rerun_completed = true};
    *out = (latch_job_key){.policy = policy, .pk = latch_ctx_text(cx, "DEDUPE#%.*s", LATCH_ARG(c->pk))};
    if (out->pk.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
    return latch_spare_init(cx, &out->spare, out->pk);
}

/* Another is loading: its end is waited for, and then there is a value, or the next loader may be us. */
static latch_status wait_for_another(latch_ctx *cx, const call *c, const latch_job_key *job, latch_wait *wait, found *f, latch_json *out) {
    latch_job others;
    latch_status status = latch_job_wait(cx, job, wait, &others);
    if (status != LATCH_OK && status != LATCH_CONFLICT && status != LATCH_MISSING) return status;
    return read(cx, c, false, f, out);
}

static latch_status load_once(latch_ctx *cx, const call *c, latch_json *out) {
    latch_dedupe policy;
    latch_job_key job;
    LATCH_TRY(job_of(cx, c, &policy, &job));
    LATCH_TRY(time_the_job(cx, c, &policy));
    latch_wait wait = latch_wait_begin(cx, policy.job_timeout_ms, PAUSE_MS, LATCH_JOB_PAUSE_MOST_MS);
    for (;;) {
        latch_job registered;
        found f;
        bool busy;
        LATCH_TRY(time_the_job(cx, c, &policy));
        LATCH_TRY_BUT(LATCH_BUSY, busy, latch_job_register(cx, &job, &registered));
        if (!busy) return load(cx, c, &job, out);
        LATCH_TRY(wait_for_another(cx, c, &job, &wait, &f, out));
        if (f.says != MISS) return answer(cx, c, f.says);
    }
}

/* ── the calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_cache_get(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_json *out) {
    call c;
    found f;
    *out = LATCH_NULL;
    LATCH_TRY(begin(cx, cache, key, &c));
    LATCH_TRY(read(cx, &c, c.eventual, &f, out));
    if (f.says != MISS || cache->load == NULL) return answer(cx, &c, f.says);
    return load_once(cx, &c, out);
}

latch_status latch_cache_set(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_json v) {
    call c;
    LATCH_TRY(begin(cx, cache, key, &c));
    return set(cx, &c, v, NULL);
}

latch_status latch_cache_delete(latch_ctx *cx, const latch_cache *cache, latch_str key) {
    call c;
    latch_json item;
    LATCH_TRY(begin(cx, cache, key, &c));
    return send(cx, &c, (latch_request){.operation = LATCH_DELETE_ITEM}, &item);
}

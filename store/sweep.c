#include "store/sweep_private.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/bulk.h"
#include "store/items.h"
#include "store/marshal.h"
#include "store/parallel.h"

#define SCOPE_MAX_BYTES 2048 /* of a pk */
#define KEYS_ARENA_BYTES                                                                                                                   \
    ((size_t)32 << 20) /* of a segment that reads keys alone: a page has up to 30 000; whole items have the default's */

typedef struct counters {
    atomic_uint_least64_t scanned, items, expired, bytes, removed, requests;
} counters;

/* What all segments read, and count in. */
typedef struct job {
    latch_sweep_kind kind;
    const latch_sweep_target *target;
    const latch_sweep *sweep;
    const char *table, *pk, *sk, *ttl; /* sk "": there is none */
    latch_str prefixes[LATCH_SWEEP_PREFIXES_MAX];
    size_t prefix_count, segments;
    int64_t now_s, ended_s; /* what cleanup deletes has a ttl below ended_s */
    pthread_t caller;
    atomic_bool stopped; /* a segment failed: the others end with their page */
    counters counts;
} job;

static void count(atomic_uint_least64_t *counter, uint64_t by) { atomic_fetch_add_explicit(counter, by, memory_order_relaxed); }

static latch_swept read_counts(counters *c) {
    return (latch_swept){.scanned = atomic_load(&c->scanned),
                         .items = atomic_load(&c->items),
                         .expired = atomic_load(&c->expired),
                         .bytes = atomic_load(&c->bytes),
                         .removed = atomic_load(&c->removed),
                         .requests = atomic_load(&c->requests)};
}

/* ── one page ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Null: it has no such attribute. */
static latch_json attribute_of(latch_json item, const char *name) {
    for (latch_each each = latch_each_in(item); latch_each_next(&each);)
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_each_value(&each);
    return LATCH_NULL;
}

/* What was asked for of each item is its key alone. */
static latch_status delete_page(latch_ctx *cx, job *j, latch_json items) {
    size_t n = latch_count(items);
    latch_dynamodb_write *writes = latch_arena_alloc(cx->arena, n * sizeof *writes);
    const latch_dynamodb_keys keys = {.table = j->table, .pk = j->pk, .sk = j->sk[0] != '\0' ? j->sk : NULL};
    latch_dynamodb_written written;
    if (writes == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: no room for a page of keys", j->target->store);
    for (latch_each each = latch_each_in(items); latch_each_next(&each);)
        writes[each.index] = (latch_dynamodb_write){.delete_key = latch_each_value(&each)};
    latch_status status = latch_dynamodb_batch_write(
        cx, &(latch_dynamodb_batch_write_request){.writes = writes, .count = n, .table = j->table, .keys = &keys, .keys_count = 1},
        &written);
    count(&j->counts.removed, written.written);
    count(&j->counts.requests, written.requests);
    return status;
}

/* A refusal: it was renewed meanwhile, or is gone. */
static latch_status delete_expired(latch_ctx *cx, job *j, latch_json item) {
    const bool has_sk = j->sk[0] != '\0';
    latch_dynamodb_cost cost = {0};
    bool renewed;
    latch_json key = latch_object_(cx, (const latch_pair[]){{j->pk, latch_v_json_(attribute_of(item, j->pk))},
                                                            {has_sk ? j->sk : NULL, latch_v_json_(attribute_of(item, j->sk))},
                                                            {NULL, latch_v_cstr_(NULL)}});
    latch_status status = latch_dynamodb_delete(cx,
                                                &(latch_dynamodb_delete_request){.table = j->table,
                                                                                 .key = key,
                                                                                 .condition = "#ttl = :ttl",
                                                                                 .names = LATCH_NAMES("#ttl", j->ttl),
                                                                                 .values = LATCH_VALUES(":ttl", attribute_of(item, j->ttl)),
                                                                                 .repeatable = true,
                                                                                 .cost = &cost},
                                                NULL);
    count(&j->counts.requests, cost.requests);
    LATCH_TRY_BUT(LATCH_CONFLICT, renewed, status);
    count(&j->counts.removed, !renewed);
    return LATCH_OK;
}

static latch_status clean_page(latch_ctx *cx, job *j, latch_json items) {
    count(&j->counts.expired, latch_count(items));
    for (latch_each each = latch_each_in(items); latch_each_next(&each);) {
        size_t mark = latch_arena_mark(cx->arena);
        LATCH_TRY(delete_expired(cx, j, latch_each_value(&each)));
        latch_arena_rewind(cx->arena, mark);
    }
    return LATCH_OK;
}

/* By the one rule that all stores have. A ttl that is no number never ends anything. */
static bool has_expired(const job *j, latch_json item) {
    double ttl_s = 0;
    const latch_field fields[] = {{j->ttl, latch_optional(&ttl_s)}, {NULL, latch_i_num_(NULL)}};
    return latch_read_(item, fields) == LATCH_OK && ttl_s > 0 && (double)j->now_s >= ttl_s;
}

static latch_status measure_page(latch_ctx *cx, job *j, latch_json items) {
    for (latch_each each = latch_each_in(items); latch_each_next(&each);) {
        size_t mark = latch_arena_mark(cx->arena);
        latch_json item = latch_each_value(&each);
        count(&j->counts.expired, has_expired(j, item));
        latch_text_writer t = latch_text_begin(cx->arena);
        count(&j->counts.bytes, latch_marshal_item(&t, item));
        if (latch_text_end(&t).ptr == NULL) return latch_err_set(&cx->err, t.failed, "%s: %s", j->target->store, t.why);
        latch_arena_rewind(cx->arena, mark);
    }
    return LATCH_OK;
}

static latch_status take_page(latch_ctx *cx, job *j, const latch_dynamodb_pages *pages) {
    count(&j->counts.scanned, (uint64_t)pages->page_scanned);
    count(&j->counts.items, (uint64_t)pages->page_count);
    switch (pages->page_count > 0 ? j->kind : LATCH_SWEEP_STATS) {
    case LATCH_SWEEP_CLEAR:
        return delete_page(cx, j, pages->items);
    case LATCH_SWEEP_CLEANUP:
        return clean_page(cx, j, pages->items);
    case LATCH_SWEEP_STATS:
        break;
    }
    return measure_page(cx, j, pages->items);
}

static void tell_progress(job *j) {
    if (j->sweep->progress == NULL || !pthread_equal(j->caller, pthread_self())) return;
    const latch_swept until_now = read_counts(&j->counts);
    j->sweep->progress(j->sweep->arg, &until_now);
}

/* ── one segment ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* (begins_with(#pk, :p0) OR …) and what cleanup looks for. */
static latch_str filter_of(latch_ctx *cx, const job *j) {
    latch_text_writer t = latch_text_begin(cx->arena);
    for (size_t i = 0; i < j->prefix_count; i++) {
        latch_text_put(&t, i == 0 ? LATCH_STR("(begins_with(#pk, :p") : LATCH_STR(" OR begins_with(#pk, :p"));
        latch_text_int(&t, (int64_t)i);
        latch_text_char(&t, ')');
    }
    latch_text_put(&t, j->kind == LATCH_SWEEP_CLEANUP ? LATCH_STR(") AND #ttl > :zero AND #ttl < :ended") : LATCH_STR(")"));
    return latch_text_end(&t);
}

static const char *projection_of(const job *j) {
    const bool has_sk = j->sk[0] != '\0';
    if (j->kind == LATCH_SWEEP_CLEANUP) return has_sk ? "#pk, #sk, #ttl" : "#pk, #ttl";
    if (j->kind == LATCH_SWEEP_CLEAR) return has_sk ? "#pk, #sk" : "#pk";
    return NULL;
}

/* Names and values that no expression uses are refused: what isn't used is left out at the end of its list. */
static latch_status begin_scan(latch_ctx *cx, const job *j, size_t segment, latch_dynamodb_cost *cost, latch_dynamodb_pages *pages) {
    static const char *const placeholders[LATCH_SWEEP_PREFIXES_MAX] = {":p0", ":p1", ":p2", ":p3"};
    latch_pair names[4] = {{"#pk", latch_v_cstr_(j->pk)}}, values[LATCH_SWEEP_PREFIXES_MAX + 3] = {{NULL, latch_v_cstr_(NULL)}};
    size_t n = 1, v = 0;
    latch_str filter = filter_of(cx, j);
    if (filter.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", j->target->store);
    if (j->kind != LATCH_SWEEP_STATS && j->sk[0] != '\0') names[n++] = (latch_pair){"#sk", latch_v_cstr_(j->sk)};
    if (j->kind == LATCH_SWEEP_CLEANUP) names[n++] = (latch_pair){"#ttl", latch_v_cstr_(j->ttl)};
    for (; v < j->prefix_count; v++)
        values[v] = (latch_pair){placeholders[v], latch_v_str_(j->prefixes[v])};
    if (j->kind == LATCH_SWEEP_CLEANUP) {
        values[v++] = (latch_pair){":zero", latch_int(0)};
        values[v++] = (latch_pair){":ended", latch_int(j->ended_s)};
    }
    return latch_dynamodb_scan(
        cx,
        &(latch_dynamodb_scan_request){.table = j->table,
                                       .filter = filter.ptr,
                                       .projection = projection_of(j),
                                       .names = names,
                                       .values = values,
                                       .consistency = j->kind == LATCH_SWEEP_CLEAR ? LATCH_DYNAMODB_STRONG : LATCH_DYNAMODB_EVENTUAL,
                                       .segment = (int64_t)segment,
                                       .total_segments = j->segments > 1 ? (int64_t)j->segments : 0,
                                       .passing = true,
                                       .cost = cost},
        pages);
}

static latch_status go_through(latch_ctx *cx, job *j, size_t segment) {
    latch_dynamodb_cost cost = {0};
    latch_dynamodb_pages pages;
    LATCH_TRY(begin_scan(cx, j, segment, &cost, &pages));
    while (!atomic_load(&j->stopped)) {
        bool more;
        cost = (latch_dynamodb_cost){0};
        latch_status status = latch_dynamodb_next_page(&pages, &more);
        count(&j->counts.requests, cost.requests);
        LATCH_TRY(status);
        if (!more) break;
        LATCH_TRY(take_page(cx, j, &pages));
        tell_progress(j);
    }
    return LATCH_OK;
}

static latch_status run_segment(latch_ctx *cx, void *arg, size_t segment, latch_json *result) {
    job *j = arg;
    (void)result;
    latch_status status = go_through(cx, j, segment);
    if (status != LATCH_OK) atomic_store(&j->stopped, true);
    return status;
}

/* ── all of it ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check(latch_ctx *cx, const latch_sweep_target *of, const latch_sweep *sweep) {
    const latch_table_key scope_of = {.store = of->store, .max_bytes = SCOPE_MAX_BYTES};
    if (sweep->scope.len == 0 && !sweep->all)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s %s: say which keys by .scope, or that .all are meant", of->store, of->name);
    if (sweep->scope.len > 0 && sweep->all)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s %s: .all with a .scope: say one of them", of->store, of->name);
    if (sweep->segments < 0 || sweep->segments > LATCH_SWEEP_SEGMENTS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s %s: .segments is %d, want 0 to %d", of->store, of->name, sweep->segments,
                             LATCH_SWEEP_SEGMENTS_MAX);
    return latch_table_check_key(cx, &scope_of, of->name, sweep->all ? LATCH_STR("-") : sweep->scope);
}

/* An escaped beginning begins the escaped whole: latch_key escapes byte by byte. */
static latch_status make_prefixes(latch_ctx *cx, job *j) {
    const latch_sweep_target *of = j->target;
    const latch_str scope = j->sweep->all ? LATCH_STR("") : j->sweep->scope;
    for (size_t i = 0; i < LATCH_SWEEP_PREFIXES_MAX && of->prefixes[i] != NULL; i++) {
        latch_str prefix = of->at == NULL ? latch_key(cx, latch_str_of(of->prefixes[i]), latch_str_of(of->name), scope)
                                          : latch_ctx_text(cx, "%s#%.*s", of->prefixes[i], LATCH_ARG(scope));
        if (prefix.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s %s: the arena is full", of->store, of->name);
        j->prefixes[j->prefix_count++] = prefix;
    }
    return LATCH_OK;
}

static const char *first_of(const char *a, const char *b, const char *c) { return a != NULL ? a : b != NULL ? b : c; }

static void name_table(const latch_table *table, job *j) {
    const latch_place none = {0}, *at = j->target->at != NULL ? j->target->at : &none;
    j->table = first_of(at->table, table->name, "");
    j->pk = first_of(at->pk, table->pk, "pk");
    j->sk = first_of(at->sk, table->sk, "sk");
    j->ttl = first_of(at->ttl, table->ttl, "ttl");
}

latch_status latch_sweep_run(latch_ctx *cx, latch_sweep_kind kind, const latch_sweep_target *target, const latch_sweep *sweep,
                             latch_swept *out) {
    job j = {.kind = kind, .target = target, .sweep = sweep, .caller = pthread_self()};
    latch_parallel_result all;
    *out = (latch_swept){0};
    LATCH_TRY(check(cx, target, sweep));
    LATCH_TRY(latch_client_check_open(cx, target->store));
    LATCH_TRY(make_prefixes(cx, &j));
    name_table(cx->table, &j);
    j.now_s = latch_seconds_passed(latch_now_ms(cx));
    j.ended_s = latch_seconds_passed(latch_now_ms(cx) - latch_table_skew_ms(cx));
    j.segments = sweep->segments > 1 ? (size_t)sweep->segments : 1;
    latch_status status = latch_parallel_run(cx,
                                             &(latch_parallel){.run = run_segment,
                                                               .arg = &j,
                                                               .count = j.segments,
                                                               .connections = (int)j.segments,
                                                               .arena_bytes = kind != LATCH_SWEEP_STATS ? KEYS_ARENA_BYTES : 0},
                                             &all);
    *out = read_counts(&j.counts);
    return status;
}

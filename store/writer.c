#include "store/writer.h"

#include "core/ctx.h"
#include "core/scope.h"
#include "core/text.h"
#include "store/bulk_private.h"

#define FULL_BYTES ((size_t)12 << 20) /* of the arena: 2 MB of text, parsed */
#define SLOT_BYTES ((size_t)48 << 20)

/* In a slot of its own, as its job: memory beside the invocation's arena, which is given back after each flush. */
struct latch_dynamodb_writer {
    latch_dynamodb_writer_options options;
    latch_crew *crew;
    latch_crew_slot *slot;
    latch_bulk_tables tables;
    latch_dynamodb_written all;
    size_t count;
    latch_dynamodb_write writes[LATCH_DYNAMODB_WRITER_MAX]; /* in the slot's arena */
    latch_dynamodb_outcome outcomes[LATCH_DYNAMODB_WRITER_MAX];
};

static latch_status no_work(latch_crew_slot *slot) {
    (void)slot;
    return LATCH_OK;
}

static void end(latch_ctx *cx, void *arg, latch_status ended) {
    latch_dynamodb_writer *w = arg;
    (void)ended;
    if (w->count > 0)
        latch_log(cx, LATCH_ERROR, "a batch writer was never closed: what it held is not written", "writes", (uint64_t)w->count);
    latch_crew_close(w->crew);
}

static latch_status check(latch_ctx *cx, const latch_dynamodb_writer_options *o) {
    if (o->capacity > LATCH_DYNAMODB_WRITER_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch writer: .capacity is %zu, want at most %d", o->capacity,
                             LATCH_DYNAMODB_WRITER_MAX);
    if (o->connections < 0)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch writer: .connections is %d, want 0 or more", o->connections);
    if (o->timeout_ms >= 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch writer: .timeout_ms is %lld, want 0 or more", (long long)o->timeout_ms);
}

latch_status latch_dynamodb_writer_open(latch_ctx *cx, const latch_dynamodb_writer_options *options, latch_dynamodb_writer **out) {
    const latch_crew_options crew_options = {
        .work = no_work, .slots = 1, .slot_bytes = SLOT_BYTES, .job_bytes = sizeof(latch_dynamodb_writer)};
    latch_crew *crew;
    *out = NULL;
    LATCH_TRY(check(cx, options));
    LATCH_TRY(latch_crew_open(cx, &crew_options, &crew));
    latch_dynamodb_writer *w = crew->slots[0].job;
    w->options = *options;
    w->crew = crew;
    w->slot = &crew->slots[0];
    if (w->options.capacity == 0) w->options.capacity = LATCH_DYNAMODB_WRITES_MAX;
    latch_crew_lend(crew, w->slot);
    latch_status status = latch_bulk_tables_init(cx, &w->tables, options->table, options->keys, options->keys_count);
    if (status == LATCH_OK) status = latch_scope_add(cx, end, w);
    if (status == LATCH_OK) *out = w;
    if (status != LATCH_OK) latch_crew_close(crew);
    return status;
}

/* ── flushing ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What an earlier flush may have written stays so, though this one didn't come to send it. */
static void keep_outcome(void *arg, uint64_t index, latch_dynamodb_outcome outcome) {
    latch_dynamodb_outcome *known = &((latch_dynamodb_writer *)arg)->outcomes[index];
    if (outcome != LATCH_DYNAMODB_LEFT || *known != LATCH_DYNAMODB_UNSURE) *known = outcome;
}

static uint64_t count_unsure(const latch_dynamodb_writer *w) {
    uint64_t count = 0;
    for (size_t i = 0; i < w->count; i++)
        count += w->outcomes[i] == LATCH_DYNAMODB_UNSURE;
    return count;
}

static void forget(latch_dynamodb_writer *w) {
    w->count = 0;
    latch_crew_reset(w->slot);
}

/* What isn't known to be written comes to the front, and stays. */
static void keep_rest(latch_dynamodb_writer *w) {
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->outcomes[i] != LATCH_DYNAMODB_LEFT && w->outcomes[i] != LATCH_DYNAMODB_UNSURE) continue;
        w->outcomes[kept] = w->outcomes[i];
        w->writes[kept++] = w->writes[i];
    }
    w->count = kept;
    if (kept == 0) forget(w);
}

static void add_up(latch_dynamodb_written *all, const latch_dynamodb_written *one) {
    all->written += one->written;
    all->superseded += one->superseded;
    all->repeated += one->repeated;
    all->requests += one->requests;
    all->resent += one->resent;
    if (one->connections > all->connections) all->connections = one->connections;
}

static latch_status write_held(latch_ctx *cx, latch_dynamodb_writer *w) {
    const latch_dynamodb_writer_options *o = &w->options;
    latch_dynamodb_written one;
    const latch_dynamodb_batch_write_request request = {.writes = w->writes,
                                                        .count = w->count,
                                                        .arg = w,
                                                        .table = o->table,
                                                        .keys = o->keys,
                                                        .keys_count = o->keys_count,
                                                        .connections = o->connections,
                                                        .once = o->once,
                                                        .timeout_ms = o->timeout_ms,
                                                        .outcome = keep_outcome};
    latch_status status = latch_dynamodb_batch_write(cx, &request, &one);
    add_up(&w->all, &one);
    keep_rest(w);
    if (status != LATCH_OK) cx->err.maybe_applied = count_unsure(w) > 0;
    return status;
}

latch_status latch_dynamodb_writer_flush(latch_ctx *cx, latch_dynamodb_writer *w) {
    if (w->count == 0) return LATCH_OK;
    if (w->options.sink == NULL) return write_held(cx, w);
    LATCH_TRY(w->options.sink(cx, w->options.arg, w->writes, w->count));
    w->all.written += w->count;
    forget(w);
    return LATCH_OK;
}

void latch_dynamodb_writer_discard(latch_dynamodb_writer *w) {
    w->all.unsure += count_unsure(w);
    forget(w);
}

size_t latch_dynamodb_writer_held(const latch_dynamodb_writer *w) { return w->count; }

latch_status latch_dynamodb_writer_close(latch_ctx *cx, latch_dynamodb_writer *w, latch_dynamodb_written *out) {
    latch_status status = latch_dynamodb_writer_flush(cx, w);
    *out = w->all;
    out->unsure += count_unsure(w);
    out->left = out->given - out->written - out->superseded;
    latch_scope_forget(w->crew->cx, w);
    latch_crew_close(w->crew);
    return status;
}

/* ── adding ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What batch_write would refuse is refused now. In the slot's memory, which is given back. */
static latch_status try_out(latch_ctx *cx, latch_dynamodb_writer *w, const latch_dynamodb_write *write) {
    latch_bulk_key key;
    latch_str text;
    int64_t until_at_ms;
    size_t mark = latch_arena_mark(&w->slot->arena);
    LATCH_TRY(latch_ctx_deadline(cx, w->options.timeout_ms, INT64_MAX, &until_at_ms));
    w->slot->cx.deadline_at_ms = w->slot->deadline_at_ms = w->crew->cx->deadline_at_ms;
    latch_status status = latch_bulk_prepare(&w->slot->cx, &w->tables, write, until_at_ms, &key, &text, &w->all.requests);
    latch_arena_rewind(&w->slot->arena, mark);
    if (status != LATCH_OK) cx->err = w->slot->cx.err;
    return status;
}

/* A copy of the item or key in the writer's own memory; of the caller's arena nothing is kept. */
static latch_status copy(latch_ctx *cx, latch_dynamodb_writer *w, latch_json from, latch_json *to) {
    latch_str text;
    *to = LATCH_NULL;
    if (from.node == NULL) return LATCH_OK;
    size_t mark = latch_arena_mark(from.cx->arena);
    latch_status status = latch_json_text(from.cx, from, &text);
    if (status != LATCH_OK) cx->err = from.cx->err;
    if (status == LATCH_OK) {
        status = latch_json_parse(&w->slot->cx, LATCH_E_DATA, "item", text, to);
        if (status != LATCH_OK) cx->err = w->slot->cx.err;
    }
    latch_arena_rewind(from.cx->arena, mark);
    return status;
}

latch_status latch_dynamodb_writer_add(latch_ctx *cx, latch_dynamodb_writer *w, const latch_dynamodb_write *write) {
    bool full = w->count == w->options.capacity || latch_arena_mark(&w->slot->arena) >= FULL_BYTES;
    if (full) LATCH_TRY(latch_dynamodb_writer_flush(cx, w));
    if ((write->put.node != NULL) == (write->delete_key.node != NULL))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch writer: want one of .put and .delete_key");
    latch_dynamodb_write *to = &w->writes[w->count];
    w->outcomes[w->count] = LATCH_DYNAMODB_LEFT;
    size_t mark = latch_arena_mark(&w->slot->arena);
    *to = (latch_dynamodb_write){.table = write->table};
    latch_status status = copy(cx, w, write->put, &to->put);
    if (status == LATCH_OK) status = copy(cx, w, write->delete_key, &to->delete_key);
    if (status == LATCH_OK && w->options.sink == NULL) status = try_out(cx, w, to);
    if (status != LATCH_OK) latch_arena_rewind(&w->slot->arena, mark);
    if (status != LATCH_OK) return status;
    w->count++;
    w->all.given++;
    return LATCH_OK;
}

latch_status latch_dynamodb_writer_put(latch_ctx *cx, latch_dynamodb_writer *w, latch_json item) {
    const latch_dynamodb_write write = {.put = item};
    return latch_dynamodb_writer_add(cx, w, &write);
}

latch_status latch_dynamodb_writer_delete(latch_ctx *cx, latch_dynamodb_writer *w, latch_json key) {
    const latch_dynamodb_write write = {.delete_key = key};
    return latch_dynamodb_writer_add(cx, w, &write);
}

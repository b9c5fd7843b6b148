#include "runtime/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/scope.h"
#include "core/span.h"
#include "core/text.h"
#include "runtime/around_private.h"
#include "runtime/outcome.h"
#include "runtime/record_private.h"

typedef struct batch {
    latch_ctx *cx;
    const latch_handler *handler;
    latch_batch policy;
    latch_record_head *heads;
    bool *failed;
    size_t count;
    latch_batch_counts counts;
    size_t taken_off;
    latch_err last; /* of the record that failed last */
} batch;

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "batch: the arena is full"); }

/* Every record's head, before the first one runs: one that could not be reported would be lost. */
static latch_status read_heads(batch *b, latch_str bytes) {
    latch_json event, records;
    LATCH_TRY(latch_parse(b->cx, "event", bytes, &event));
    LATCH_TRY(latch_read(event, "Records", &records));
    b->count = latch_count(records);
    if (b->count > SIZE_MAX / sizeof *b->heads) return full(b->cx);
    b->heads = latch_arena_alloc(b->cx->arena, b->count * sizeof *b->heads);
    b->failed = latch_arena_alloc(b->cx->arena, b->count * sizeof *b->failed);
    if (b->heads == NULL || b->failed == NULL) return full(b->cx);
    memset(b->failed, 0, b->count * sizeof *b->failed);
    for (latch_each each = latch_each_in(records); latch_each_next(&each);) {
        if (each.index >= b->count) return latch_err_set(&b->cx->err, LATCH_E_INPUT, "event.Records: is an object, want a list");
        LATCH_TRY(latch_record_read_head(b->cx, latch_each_value(&each), each.index, &b->heads[each.index]));
    }
    return LATCH_OK;
}

static bool is_done(const batch *b, latch_status status) {
    return status == LATCH_OK || status == LATCH_SEEN || status == LATCH_UNDONE || latch_outcome_is_skipped(b->handler, status);
}

static latch_status run_record(latch_ctx *cx, latch_call *call) { return call->handler->record(cx, call->record); }

static latch_status run_poisoned(const batch *b, latch_ctx *cx, latch_record *record, int64_t receives) {
    if (b->policy.poisoned != NULL) return latch_outcome_check(cx, b->policy.poisoned(cx, record));
    (void)latch_err_set(&cx->err, LATCH_E_HANDLER, "was received %" PRId64 " times, of which %" PRId64 " are run: it isn't any more",
                        receives, b->policy.receives_max);
    snprintf(cx->err.type, sizeof cx->err.type, "Poisoned");
    return LATCH_E_HANDLER;
}

static latch_status run_handler(batch *b, latch_ctx *cx, latch_record *record, bool *poisoned) {
    latch_call call = {.handler = b->handler, .record = record};
    int64_t receives = b->policy.receives_max > 0 ? latch_record_receives(record) : 0;
    *poisoned = receives > b->policy.receives_max;
    return *poisoned ? run_poisoned(b, cx, record, receives) : latch_around_run(cx, &call, run_record);
}

static void count(batch *b, size_t i, bool poisoned) {
    b->counts.poisoned += poisoned;
    b->counts.failed += !poisoned && b->failed[i];
    b->counts.done += !poisoned && !b->failed[i];
    b->taken_off += !b->failed[i];
}

/* One record with an error, a scope, steps and memory of its own. */
static void run_one(batch *b, size_t i) {
    size_t mark = latch_arena_mark(b->cx->arena);
    uint64_t steps = latch_span_mark(b->cx);
    latch_scope scope = {0};
    latch_ctx one = *b->cx;
    latch_record record;
    bool poisoned = false;
    one.err = (latch_err){0};
    one.scope = &scope;
    latch_status status = latch_record_open(&one, &b->heads[i], i, &record);
    if (status == LATCH_OK) status = run_handler(b, &one, &record, &poisoned);
    latch_span_end_since(&one, steps);
    latch_scope_end(&one, status);
    b->failed[i] = !is_done(b, status);
    count(b, i, poisoned);
    latch_arena_rewind(b->cx->arena, mark); /* before the log line, which a record that filled it would leave no room for */
    if (!b->failed[i]) return;
    char place[48];
    snprintf(place, sizeof place, "event.Records[%zu]", i);
    latch_outcome_log(&one, "record failed", &(latch_outcome_record){place, b->heads[i].identifier});
    b->last = one.err;
    latch_arena_rewind(b->cx->arena, mark);
}

/* Whether its source, or the policy, keeps the order of its group. */
static bool is_grouped(const batch *b, size_t i) { return b->heads[i].fifo || (b->policy.by_group && b->heads[i].group.len > 0); }

/* Whether a record before it in the same ordered group was not done. */
static bool is_blocked(const batch *b, size_t i) {
    for (size_t k = 0; k < i && is_grouped(b, i); k++) {
        if (b->failed[k] && latch_str_eq(b->heads[k].group, b->heads[i].group)) return true;
    }
    return false;
}

/* In their order; behind a stream's first failure, which becomes its checkpoint, nothing runs but, by_group, what is of other groups. */
static void run_all(batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        if (latch_left_ms(b->cx) <= 0) {
            latch_warn(b->cx, "no time left: the rest of the batch is reported and will come again", "records", b->count - i);
            for (size_t k = i; k < b->count; k++)
                b->failed[k] = true;
            return;
        }
        b->failed[i] = is_blocked(b, i);
        if (!b->failed[i]) run_one(b, i);
        if (b->failed[i] && b->heads[i].source != LATCH_SQS && !is_grouped(b, i)) return;
    }
}

static latch_status write_failures(const batch *b, latch_str *reply) {
    latch_text_writer t = latch_text_begin(b->cx->arena);
    bool first = true;
    latch_text_put(&t, LATCH_STR("{\"batchItemFailures\":["));
    for (size_t i = 0; i < b->count; i++) {
        if (!b->failed[i]) continue;
        latch_text_put(&t, first ? LATCH_STR("{\"itemIdentifier\":") : LATCH_STR(",{\"itemIdentifier\":"));
        latch_text_json_string(&t, b->heads[i].identifier);
        latch_text_char(&t, '}');
        first = false;
        if (b->heads[i].source != LATCH_SQS) break; /* the checkpoint */
    }
    latch_text_put(&t, LATCH_STR("]}"));
    *reply = latch_text_end(&t);
    if (reply->ptr == NULL) return latch_err_set(&b->cx->err, t.failed, "batch: %s", t.why);
    return latch_outcome_fits(b->cx, *reply);
}

/* The batch as a whole: told to whoever counts, and an error where it is meant to be one. */
static latch_status end_batch(batch *b) {
    latch_ctx *cx = b->cx;
    b->counts.all = b->count;
    b->counts.not_run = b->count - b->counts.done - b->counts.failed - b->counts.poisoned;
    if (b->policy.ended != NULL) {
        b->policy.ended(cx, &b->counts);
        latch_scope_end(cx, LATCH_OK);
    }
    if (!b->policy.all_failed_is_error || b->count == 0 || b->taken_off > 0) return LATCH_OK;
    (void)latch_err_set(&cx->err, LATCH_E_HANDLER, "none of %zu records was done; the last error: %s", b->count,
                        b->last.status != LATCH_OK ? b->last.message : "there was no time left");
    snprintf(cx->err.type, sizeof cx->err.type, "AllRecordsFailed");
    return LATCH_E_HANDLER;
}

latch_status latch_batch_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply) {
    batch b = {.cx = cx, .handler = handler};
    if (handler->batch != NULL) b.policy = *handler->batch;
    *reply = LATCH_STR("");
    LATCH_TRY(read_heads(&b, bytes));
    run_all(&b);
    LATCH_TRY(end_batch(&b));
    return write_failures(&b, reply);
}

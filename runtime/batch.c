#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/scope.h"
#include "core/text.h"
#include "runtime/around_private.h"
#include "runtime/outcome.h"
#include "runtime/record_private.h"

typedef struct batch {
    latch_ctx *cx;
    const latch_handler *handler;
    latch_record_head *heads;
    bool *failed;
    size_t count;
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

/* One record with an error, a scope and memory of its own. */
static void run_one(batch *b, size_t i) {
    size_t mark = latch_arena_mark(b->cx->arena);
    latch_scope scope = {0};
    latch_ctx one = *b->cx;
    latch_record record;
    one.err = (latch_err){0};
    one.scope = &scope;
    latch_status status = latch_record_open(&one, &b->heads[i], i, &record);
    latch_call call = {.handler = b->handler, .record = &record};
    if (status == LATCH_OK) status = latch_around_run(&one, &call, run_record);
    latch_scope_end(&one, status);
    b->failed[i] = !is_done(b, status);
    latch_arena_rewind(b->cx->arena, mark); /* before the log line, which a record that filled it would leave no room for */
    if (!b->failed[i]) return;
    char place[48];
    snprintf(place, sizeof place, "event.Records[%zu]", i);
    latch_outcome_log(&one, "record failed", place);
    latch_arena_rewind(b->cx->arena, mark);
}

/* Whether a record before it in the same ordered group was not done. */
static bool is_blocked(const batch *b, size_t i) {
    for (size_t k = 0; k < i && b->heads[i].fifo; k++) {
        if (b->failed[k] && latch_str_eq(b->heads[k].group, b->heads[i].group)) return true;
    }
    return false;
}

/* In their order; behind a stream's first failure, which becomes its checkpoint, nothing runs. */
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
        if (b->failed[i] && b->heads[i].source != LATCH_SQS) return;
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

latch_status latch_batch_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply) {
    batch b = {.cx = cx, .handler = handler};
    *reply = LATCH_STR("");
    LATCH_TRY(read_heads(&b, bytes));
    run_all(&b);
    return write_failures(&b, reply);
}

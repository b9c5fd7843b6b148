#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/text.h"
#include "store/bulk_private.h"
#include "store/client.h"
#include "store/marshal.h"

#define BATCH_BYTES ((size_t)4 << 20) /* of writes; one more may go beyond */
#define SLOT_BYTES ((size_t)64 << 20) /* a batch, its request, and an answer that gives all of it back, parsed */

typedef enum op_state { WAITS, WRITTEN, UNSURE } op_state;

typedef struct op {
    uint64_t index;
    latch_bulk_key key;
    latch_str text; /* {"PutRequest":{"Item":{…}}} */
    op_state state;
} op;

typedef struct batch { /* the job of a slot */
    op ops[LATCH_DYNAMODB_WRITES_MAX];
    size_t count;
    const latch_bulk_tables *tables;
    int64_t until_at_ms;
    bool once, submitted;
    bool lost; /* a try of it got no answer: what waits may have been applied */
    uint64_t requests, resent;
} batch;

/* ── a batch sent: on its line's thread ─────────────────────────────────────────────────────────────────────────────────── */

static void put_table(latch_text_writer *t, const batch *b, size_t table, bool first) {
    latch_text_put(t, first ? LATCH_STR("") : LATCH_STR(","));
    latch_text_json_string(t, latch_str_of(b->tables->of[table].name));
    bool any = false;
    latch_text_put(t, LATCH_STR(":["));
    for (size_t i = 0; i < b->count; i++) {
        if (b->ops[i].state != WAITS || b->ops[i].key.table != table) continue;
        if (any) latch_text_char(t, ',');
        latch_text_put(t, b->ops[i].text);
        any = true;
    }
    latch_text_char(t, ']');
}

static bool waits_in(const batch *b, size_t table) {
    for (size_t i = 0; i < b->count; i++)
        if (b->ops[i].state == WAITS && b->ops[i].key.table == table) return true;
    return false;
}

/* {"RequestItems":{"orders":[…],"lines":[…]}} */
static latch_str request_of(latch_crew_slot *slot, const batch *b) {
    latch_text_writer t = latch_text_begin(&slot->arena);
    bool first = true;
    latch_text_put(&t, LATCH_STR("{\"RequestItems\":{"));
    for (size_t table = 0; table < LATCH_DYNAMODB_TABLES_MAX; table++) {
        if (!waits_in(b, table)) continue;
        put_table(&t, b, table, first);
        first = false;
    }
    latch_text_char(&t, '}');
    latch_client_put_capacity(&slot->cx, &t);
    latch_text_char(&t, '}');
    return latch_text_end(&t);
}

static size_t turn(batch *b, op_state from, op_state to) {
    size_t turned = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->ops[i].state != from) continue;
        b->ops[i].state = to;
        turned++;
    }
    return turned;
}

/* {"PutRequest":{"Item":{…}}} or {"DeleteRequest":{"Key":{…}}}: the write with its key waits again. */
static latch_status give_back(latch_crew_slot *slot, batch *b, size_t table, latch_json write) {
    latch_json item, key;
    latch_bulk_key of;
    LATCH_TRY(latch_read(write, "PutRequest.Item", latch_optional(&item), "DeleteRequest.Key", latch_optional(&key)));
    LATCH_TRY(latch_bulk_key_of_attributes(&slot->cx, b->tables, table, item.node != NULL ? item : key, &of));
    for (size_t i = 0; i < b->count; i++) {
        if (!latch_bulk_key_same(&b->ops[i].key, &of)) continue;
        b->ops[i].state = WAITS;
        return LATCH_OK;
    }
    return latch_err_set(&slot->cx.err, LATCH_E_DATA, "batch: DynamoDB gives back a write that was not in it");
}

/* Among those that this batch writes to: the caller's thread may be adding others. */
static size_t table_in(const batch *b, latch_str name) {
    for (size_t i = 0; i < b->count; i++)
        if (latch_str_eq(name, latch_str_of(b->tables->of[b->ops[i].key.table].name))) return b->ops[i].key.table;
    return LATCH_BULK_NOWHERE;
}

static latch_status take_back(latch_crew_slot *slot, batch *b, latch_json body) {
    latch_json unprocessed;
    LATCH_TRY(latch_read(body, "UnprocessedItems", latch_optional(&unprocessed)));
    for (latch_each table = latch_each_in(unprocessed); latch_each_next(&table);) {
        size_t place = table_in(b, table.name);
        if (place == LATCH_BULK_NOWHERE)
            return latch_err_set(&slot->cx.err, LATCH_E_DATA, "batch: DynamoDB gives back writes of another table");
        for (latch_each write = latch_each_in(latch_each_value(&table)); latch_each_next(&write);)
            LATCH_TRY(give_back(slot, b, place, latch_each_value(&write)));
    }
    return LATCH_OK;
}

static size_t count_in(const batch *b, op_state state) {
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++)
        count += b->ops[i].state == state;
    return count;
}

/* Once more what waits. *left of it wait still. */
static latch_status send(latch_crew_slot *slot, batch *b, size_t *left) {
    latch_answer answer;
    latch_str request = request_of(slot, b);
    if (request.ptr == NULL) return latch_err_set(&slot->cx.err, LATCH_E_NOMEM, "batch: no room for the request");
    const latch_call call = {.operation = "BatchWriteItem", .request = request, .deadline_at_ms = b->until_at_ms, .repeatable = !b->once};
    latch_status status = latch_client_call(&slot->cx, &call, &answer);
    b->requests += (uint64_t)answer.tries;
    b->lost = b->lost || answer.lost; /* though another try was answered: what that one gives back, this one may have written */
    if (status != LATCH_OK) return status;
    (void)turn(b, WAITS, WRITTEN);
    status = take_back(slot, b, answer.body);
    if (status != LATCH_OK) { /* it was answered, and what was taken can't be known */
        (void)turn(b, WAITS, UNSURE);
        (void)turn(b, WRITTEN, UNSURE);
        slot->cx.err.maybe_applied = true;
        return status;
    }
    *left = count_in(b, WAITS);
    b->resent += *left;
    return LATCH_OK;
}

/* LATCH_E_THROTTLED takes nothing of it, as an answer that gives all of it back. */
static latch_status send_all(latch_crew_slot *slot, batch *b) {
    size_t mark = latch_arena_mark(&slot->arena), left = b->count;
    int idle = 0;
    while (!latch_crew_stopped(slot->crew)) {
        size_t before = left;
        latch_status status = send(slot, b, &left);
        if (status != LATCH_OK && (status != LATCH_E_THROTTLED || (b->lost && b->once))) return status;
        if (left == 0) return LATCH_OK;
        latch_arena_rewind(&slot->arena, mark);
        LATCH_TRY(latch_bulk_rest(slot, &idle, left < before, left, b->until_at_ms));
    }
    return LATCH_OK;
}

static latch_status write_batch(latch_crew_slot *slot) {
    batch *b = slot->job;
    latch_status status = send_all(slot, b);
    if (b->lost) (void)turn(b, WAITS, UNSURE);
    slot->cx.err.maybe_applied = status != LATCH_OK && count_in(b, UNSURE) > 0;
    if (status != LATCH_OK) latch_crew_stop(slot->crew);
    return status;
}

/* ── which keys came before: only where the caller asks ─────────────────────────────────────────────────────────────────── */

typedef struct seen {
    uint64_t *hashes; /* 0: empty */
    size_t count, room;
} seen;

static bool put_hash(seen *s, uint64_t hash) {
    size_t at = (size_t)hash & (s->room - 1);
    for (; s->hashes[at] != 0; at = (at + 1) & (s->room - 1))
        if (s->hashes[at] == hash) return false;
    s->hashes[at] = hash;
    s->count++;
    return true;
}

/* Two thirds full at most. */
static bool make_room(seen *s) {
    if (s->count < s->room / 3 * 2) return true;
    seen wider = {.room = s->room > 0 ? 2 * s->room : 1024};
    wider.hashes = calloc(wider.room, sizeof *wider.hashes);
    if (wider.hashes == NULL) return false;
    for (size_t i = 0; i < s->room; i++)
        if (s->hashes[i] != 0) (void)put_hash(&wider, s->hashes[i]);
    free(s->hashes);
    *s = wider;
    return true;
}

/* ── the call: on the caller's thread ───────────────────────────────────────────────────────────────────────────────────── */

typedef struct run {
    latch_bulk bulk;
    const latch_dynamodb_batch_write_request *r;
    latch_dynamodb_written *out;
    uint8_t *turns; /* of each line: which of its two slots is being filled */
    uint64_t done, in_flight;
    seen seen;
} run;

static void tell(run *w, uint64_t index, latch_dynamodb_outcome outcome) {
    w->done++;
    if (w->r->outcome != NULL) w->r->outcome(w->r->arg, index, outcome);
}

static void tell_op(run *w, const op *o) {
    static const latch_dynamodb_outcome outcomes[] = {
        [WAITS] = LATCH_DYNAMODB_LEFT, [WRITTEN] = LATCH_DYNAMODB_WRITTEN, [UNSURE] = LATCH_DYNAMODB_UNSURE};
    w->out->written += o->state == WRITTEN;
    w->out->left += o->state != WRITTEN;
    w->out->unsure += o->state == UNSURE;
    tell(w, o->index, outcomes[o->state]);
}

static void tell_progress(run *w) {
    const latch_dynamodb_progress progress = {.done = w->done, .total = w->r->count, .in_flight = w->in_flight};
    if (w->r->progress != NULL) w->r->progress(w->r->arg, &progress);
}

/* What came of the slot's batch; then it is empty. A batch that was never submitted is left. */
static void settle(run *w, latch_crew_slot *slot) {
    batch *b = slot->job;
    latch_crew_wait(w->bulk.crew, slot);
    if (b->submitted && slot->status != LATCH_OK) latch_bulk_fail(&w->bulk, slot->status, &slot->cx);
    for (size_t i = 0; i < b->count; i++)
        tell_op(w, &b->ops[i]);
    if (b->submitted) w->in_flight -= b->count;
    w->out->requests += b->requests;
    w->out->resent += b->resent;
    bool was_sent = b->submitted;
    *b = (batch){.tables = &w->bulk.tables, .until_at_ms = w->bulk.until_at_ms, .once = w->r->once};
    latch_crew_reset(slot);
    if (was_sent) tell_progress(w);
}

static latch_crew_slot *filling(run *w, size_t line) { return &w->bulk.crew->slots[2 * line + w->turns[line]]; }

static void submit(run *w, size_t line) {
    latch_crew_slot *slot = filling(w, line);
    batch *b = slot->job;
    if (b->count == 0 || latch_bulk_stopped(&w->bulk)) return;
    b->submitted = true;
    w->in_flight += b->count;
    latch_crew_submit(w->bulk.crew, slot, line);
    w->turns[line] ^= 1;
    settle(w, w->bulk.crew->threaded ? filling(w, line) : slot);
}

/* The earlier write of this key in the batch, if there is one, gives way. */
static void supersede(run *w, batch *b, const latch_bulk_key *key) {
    for (size_t i = 0; i < b->count; i++) {
        if (!latch_bulk_key_same(&b->ops[i].key, key)) continue;
        w->out->superseded++;
        if (!w->r->counts_repeats) w->out->repeated++;
        tell(w, b->ops[i].index, LATCH_DYNAMODB_SUPERSEDED);
        b->ops[i] = b->ops[--b->count];
        return;
    }
}

static latch_status count_repeat(run *w, const latch_bulk_key *key) {
    if (!w->r->counts_repeats) return LATCH_OK;
    if (!make_room(&w->seen)) return latch_err_set(&w->bulk.desk->cx.err, LATCH_E_NOMEM, "batch: no memory to count repeats in");
    if (!put_hash(&w->seen, key->hash | 1)) w->out->repeated++;
    return LATCH_OK;
}

/* From the desk into its line's batch, which goes out when it is full. */
static latch_status take_over(run *w, const latch_bulk_key *key, latch_str text) {
    size_t line = (size_t)(key->hash % w->bulk.crew->lines);
    latch_crew_slot *slot = filling(w, line);
    batch *b = slot->job;
    op o = {.index = w->out->given, .key = *key};
    o.key.text = latch_arena_copy(&slot->arena, key->text);
    o.text = latch_arena_copy(&slot->arena, text);
    if (o.key.text.ptr == NULL || o.text.ptr == NULL) return latch_err_set(&w->bulk.desk->cx.err, LATCH_E_NOMEM, "batch: no room for it");
    LATCH_TRY(count_repeat(w, key));
    w->out->given++;
    supersede(w, b, key);
    b->ops[b->count++] = o;
    if (b->count == LATCH_DYNAMODB_WRITES_MAX || latch_arena_mark(&slot->arena) >= BATCH_BYTES) submit(w, line);
    return LATCH_OK;
}

static latch_status marshal(latch_ctx *cx, const latch_dynamodb_write *write, latch_str *text) {
    bool puts = write->put.node != NULL;
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, puts ? LATCH_STR("{\"PutRequest\":{\"Item\":") : LATCH_STR("{\"DeleteRequest\":{\"Key\":"));
    if (puts) {
        (void)latch_marshal_item(&t, write->put);
    } else {
        (void)latch_marshal_key(&t, write->delete_key);
    }
    latch_text_put(&t, LATCH_STR("}}"));
    *text = latch_text_end(&t);
    return text->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, t.failed, "%s", t.why);
}

latch_status latch_bulk_prepare(latch_ctx *cx, latch_bulk_tables *tables, const latch_dynamodb_write *write, int64_t until_at_ms,
                                latch_bulk_key *key, latch_str *text, uint64_t *requests) {
    bool puts = write->put.node != NULL;
    size_t table;
    if (puts == (write->delete_key.node != NULL)) return latch_err_set(&cx->err, LATCH_E_MISUSE, "want one of .put, .delete_key and .end");
    LATCH_TRY(latch_bulk_table_find(cx, tables, write->table, until_at_ms, &table, requests));
    LATCH_TRY(marshal(cx, write, text));
    return latch_bulk_key_of(cx, tables, table, puts ? write->put : write->delete_key, !puts, key);
}

/* What reading the caller's values took of their own arena goes back. */
static latch_status take(run *w, const latch_dynamodb_write *write) {
    latch_ctx *desk = &w->bulk.desk->cx, *owner = write->put.node != NULL ? write->put.cx : write->delete_key.cx;
    latch_bulk_key key;
    latch_str text;
    bool theirs = owner != NULL && owner->arena != desk->arena;
    size_t mark = theirs ? latch_arena_mark(owner->arena) : 0;
    latch_status status = latch_bulk_prepare(desk, &w->bulk.tables, write, w->bulk.until_at_ms, &key, &text, &w->out->requests);
    if (theirs) latch_arena_rewind(owner->arena, mark);
    if (status != LATCH_OK) return latch_bulk_blame(desk, "write", w->out->given, status);
    return take_over(w, &key, text);
}

static latch_status next(run *w, latch_dynamodb_write *write) {
    const latch_dynamodb_batch_write_request *r = w->r;
    *write = (latch_dynamodb_write){.end = true};
    if (r->next == NULL) {
        if (w->out->given < r->count) *write = r->writes[w->out->given];
        return LATCH_OK;
    }
    write->end = false;
    return latch_bulk_from_callback(&w->bulk, r->next(&w->bulk.desk->cx, r->arg, write));
}

static void take_all(run *w) {
    latch_crew_slot *desk = w->bulk.desk;
    while (!latch_bulk_stopped(&w->bulk)) {
        latch_dynamodb_write write;
        latch_crew_reset(desk);
        latch_status status = next(w, &write);
        if (status == LATCH_OK && write.end) return;
        if (status == LATCH_OK && !latch_bulk_has_time(&w->bulk)) return;
        if (status == LATCH_OK) status = take(w, &write);
        if (status != LATCH_OK) latch_bulk_fail(&w->bulk, status, &desk->cx);
    }
}

/* What is in batches that aren't full yet goes out too; then all is waited for. */
static void finish(run *w) {
    size_t lines = w->bulk.crew->lines;
    for (size_t line = 0; line < lines; line++)
        submit(w, line);
    for (size_t i = 0; i < 2 * lines; i++)
        settle(w, &w->bulk.crew->slots[i]);
}

static latch_status write_all(run *w) {
    size_t lines = w->bulk.crew->lines;
    w->turns = calloc(lines, 1);
    if (w->turns == NULL) return latch_err_set(&w->bulk.cx->err, LATCH_E_NOMEM, "batch: no memory");
    for (size_t i = 0; i < 2 * lines; i++)
        *(batch *)w->bulk.crew->slots[i].job = (batch){.tables = &w->bulk.tables, .until_at_ms = w->bulk.until_at_ms, .once = w->r->once};
    w->out->connections = lines;
    take_all(w);
    finish(w);
    free(w->turns);
    free(w->seen.hashes);
    return LATCH_OK;
}

latch_status latch_dynamodb_batch_write(latch_ctx *cx, const latch_dynamodb_batch_write_request *r, latch_dynamodb_written *out) {
    run w = {.r = r, .out = out};
    const latch_bulk_setup setup = {.table = r->table,
                                    .keys = r->keys,
                                    .keys_count = r->keys_count,
                                    .connections = r->connections,
                                    .timeout_ms = r->timeout_ms,
                                    .work = write_batch,
                                    .slot_bytes = SLOT_BYTES,
                                    .job_bytes = sizeof(batch)};
    *out = (latch_dynamodb_written){0};
    if (r->next == NULL && r->writes == NULL && r->count > 0)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: want .writes or .next");
    LATCH_TRY(latch_bulk_open(cx, &w.bulk, &setup));
    latch_status status = write_all(&w);
    if (status != LATCH_OK) latch_bulk_fail(&w.bulk, status, cx);
    status = latch_bulk_close(&w.bulk);
    if (status != LATCH_OK) cx->err.maybe_applied = out->unsure > 0;
    return status;
}

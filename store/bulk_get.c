#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/text.h"
#include "store/bulk_private.h"
#include "store/client.h"
#include "store/expression.h"
#include "store/marshal.h"

#define PLACES_MAX 400                 /* of a batch: a key may be asked for at several */
#define SLOT_BYTES ((size_t)192 << 20) /* a batch, and its answers, parsed */

typedef enum key_state { IDLE, WANTED, ANSWERED } key_state; /* IDLE: no place of the window asks for it */

typedef struct wanted_key {
    latch_bulk_key key;
    latch_str text; /* {"pk":{"S":…}} */
    key_state state;
    latch_json item; /* plain; null: there is none */
} wanted_key;

/*
 * The job of a slot. Its places are answered window by window: nearly always the whole batch is one; where the items don't fit into the
 * slot's memory, windows are halved until they do.
 */
typedef struct batch {
    wanted_key keys[LATCH_DYNAMODB_READS_MAX];
    size_t key_count;
    uint8_t places[PLACES_MAX]; /* the key of each */
    size_t place_count;
    size_t from, to, window;
    size_t mark; /* of the arena: behind the keys */
    const struct run *of;
    bool submitted;
    uint64_t requests, resent;
} batch;

typedef struct run {
    latch_bulk bulk;
    const latch_dynamodb_batch_get_request *r;
    latch_dynamodb_gotten *out;
    latch_str projections[LATCH_DYNAMODB_TABLES_MAX]; /* ,"ProjectionExpression":… with its names; in the caller's arena */
    size_t ring;                                      /* slots that are used */
    uint64_t given, filled, settled;                  /* places taken over; batches submitted, and delivered */
    bool gap;                                         /* a place was not answered: nothing behind it is delivered */
    latch_dynamodb_item *items;                       /* collected; room for `room` */
    size_t room;
} run;

/* ── a window asked for: on its line's thread ───────────────────────────────────────────────────────────────────────────── */

static size_t count_wanted(const batch *b) {
    size_t count = 0;
    for (size_t i = 0; i < b->key_count; i++)
        count += b->keys[i].state == WANTED;
    return count;
}

static void want_window(batch *b) {
    for (size_t i = 0; i < b->key_count; i++)
        b->keys[i].state = IDLE;
    for (size_t i = b->from; i < b->to; i++) {
        wanted_key *k = &b->keys[b->places[i]];
        k->state = WANTED;
        k->item = LATCH_NULL;
    }
}

static void put_keys(latch_text_writer *t, const batch *b, size_t table) {
    bool any = false;
    for (size_t i = 0; i < b->key_count; i++) {
        if (b->keys[i].state != WANTED || b->keys[i].key.table != table) continue;
        latch_text_char(t, any ? ',' : '[');
        latch_text_put(t, b->keys[i].text);
        any = true;
    }
    latch_text_char(t, ']');
}

/* {"RequestItems":{"orders":{"Keys":[…],"ConsistentRead":true,"ProjectionExpression":…},…}} */
static latch_str request_of(latch_crew_slot *slot, const batch *b) {
    latch_text_writer t = latch_text_begin(&slot->arena);
    bool any = false;
    latch_text_put(&t, LATCH_STR("{\"RequestItems\":{"));
    for (size_t table = 0; table < LATCH_DYNAMODB_TABLES_MAX; table++) {
        bool wanted = false;
        for (size_t i = 0; !wanted && i < b->key_count; i++)
            wanted = b->keys[i].state == WANTED && b->keys[i].key.table == table;
        if (!wanted) continue;
        if (any) latch_text_char(&t, ',');
        latch_text_json_string(&t, latch_str_of(b->of->bulk.tables.of[table].name));
        latch_text_put(&t, LATCH_STR(":{\"Keys\":"));
        put_keys(&t, b, table);
        latch_text_put(&t, b->of->r->eventual ? LATCH_STR("") : LATCH_STR(",\"ConsistentRead\":true"));
        latch_text_put(&t, b->of->projections[table]);
        latch_text_char(&t, '}');
        any = true;
    }
    latch_text_char(&t, '}');
    latch_client_put_capacity(&slot->cx, &t);
    latch_text_char(&t, '}');
    return latch_text_end(&t);
}

static size_t table_in(const batch *b, latch_str name) {
    for (size_t i = 0; i < b->key_count; i++) {
        size_t table = b->keys[i].key.table;
        if (latch_str_eq(name, latch_str_of(b->of->bulk.tables.of[table].name))) return table;
    }
    return LATCH_BULK_NOWHERE;
}

static wanted_key *find(batch *b, const latch_bulk_key *key) {
    for (size_t i = 0; i < b->key_count; i++)
        if (b->keys[i].state != IDLE && latch_bulk_key_same(&b->keys[i].key, key)) return &b->keys[i];
    return NULL;
}

static latch_status unasked(latch_crew_slot *slot) {
    return latch_err_set(&slot->cx.err, LATCH_E_DATA, "batch: DynamoDB's answer has a table or a key that was not asked for");
}

static latch_status keep_item(latch_crew_slot *slot, batch *b, size_t table, latch_json attributes) {
    latch_bulk_key key;
    LATCH_TRY(latch_bulk_key_of_attributes(&slot->cx, &b->of->bulk.tables, table, attributes, &key));
    wanted_key *k = find(b, &key);
    if (k == NULL) return unasked(slot);
    k->state = ANSWERED;
    return latch_unmarshal_item(&slot->cx, attributes, &k->item);
}

/* What comes back isn't answered: it is marked first, then whatever else was asked for has its answer. */
static latch_status keep_answer(latch_crew_slot *slot, batch *b, latch_json body) {
    latch_json responses, unprocessed, keys;
    bool back[LATCH_DYNAMODB_READS_MAX] = {false};
    LATCH_TRY(latch_read(body, "Responses", latch_optional(&responses), "UnprocessedKeys", latch_optional(&unprocessed)));
    for (latch_each t = latch_each_in(unprocessed); latch_each_next(&t);) {
        size_t table = table_in(b, t.name);
        if (table == LATCH_BULK_NOWHERE) return unasked(slot);
        LATCH_TRY(latch_read(latch_each_value(&t), "Keys", &keys));
        for (latch_each each = latch_each_in(keys); latch_each_next(&each);) {
            latch_bulk_key key;
            LATCH_TRY(latch_bulk_key_of_attributes(&slot->cx, &b->of->bulk.tables, table, latch_each_value(&each), &key));
            wanted_key *k = find(b, &key);
            if (k == NULL) return unasked(slot);
            back[k - b->keys] = true;
        }
    }
    for (latch_each t = latch_each_in(responses); latch_each_next(&t);) {
        size_t table = table_in(b, t.name);
        if (table == LATCH_BULK_NOWHERE) return unasked(slot);
        for (latch_each each = latch_each_in(latch_each_value(&t)); latch_each_next(&each);)
            LATCH_TRY(keep_item(slot, b, table, latch_each_value(&each)));
    }
    for (size_t i = 0; i < b->key_count; i++)
        if (b->keys[i].state == WANTED && !back[i]) b->keys[i].state = ANSWERED;
    return LATCH_OK;
}

static latch_status ask_once(latch_crew_slot *slot, batch *b) {
    latch_answer answer;
    latch_str request = request_of(slot, b);
    if (request.ptr == NULL) return latch_err_set(&slot->cx.err, LATCH_E_NOMEM, "batch: no room for the request");
    const latch_call call = {.operation = "BatchGetItem", .request = request, .deadline_at_ms = b->of->bulk.until_at_ms, .reads = true};
    latch_status status = latch_client_call(&slot->cx, &call, &answer);
    b->requests += (uint64_t)answer.tries;
    return status == LATCH_OK ? keep_answer(slot, b, answer.body) : status;
}

static latch_status ask(latch_crew_slot *slot, batch *b) {
    int idle = 0;
    want_window(b);
    while (!latch_crew_stopped(slot->crew)) {
        size_t before = count_wanted(b), mark = latch_arena_mark(&slot->arena);
        latch_status status = ask_once(slot, b);
        if (status != LATCH_OK && status != LATCH_E_THROTTLED) return status;
        if (status != LATCH_OK) latch_arena_rewind(&slot->arena, mark);
        size_t left = count_wanted(b);
        if (left == 0) return LATCH_OK;
        if (status == LATCH_OK) b->resent += left;
        LATCH_TRY(latch_bulk_rest(slot, &idle, left < before, left, b->of->bulk.until_at_ms));
    }
    return LATCH_OK;
}

/* The next window, halved until its items fit. */
static latch_status get_window(latch_crew_slot *slot) {
    batch *b = slot->job;
    latch_status status;
    for (;;) {
        size_t left = b->place_count - b->from;
        b->to = b->from + (b->window < left ? b->window : left);
        latch_arena_rewind(&slot->arena, b->mark);
        status = ask(slot, b);
        if (status != LATCH_E_NOMEM || b->to - b->from <= 1) break;
        b->window = (b->to - b->from) / 2;
    }
    if (status != LATCH_OK) latch_crew_stop(slot->crew);
    return status;
}

/* ── the projection ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What "#t" stands for. */
static latch_str name_of(const latch_dynamodb_batch_get_request *r, latch_str placeholder) {
    for (const latch_pair *n = r->names; n != NULL && n->name != NULL; n++)
        if (latch_str_eq(placeholder, latch_str_of(n->name)) && n->value.kind == LATCH_V_STR) return n->value.as.str;
    return (latch_str){placeholder.ptr + 1, placeholder.len - 1};
}

static latch_str trimmed(latch_str s) {
    while (s.len > 0 && s.ptr[0] == ' ')
        s.ptr++, s.len--;
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* Whether one of the paths is the whole of this attribute. */
static bool projects(const latch_dynamodb_batch_get_request *r, const char *attribute) {
    for (const char *at = r->projection; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        latch_str path = trimmed((latch_str){at, len});
        if (path.len > 1 && path.ptr[0] == '#') path = name_of(r, path);
        if (latch_str_eq(path, latch_str_of(attribute))) return true;
        at += len + (at[len] == ',');
    }
    return false;
}

/* The key comes too: without it nothing tells which of the keys an item is the answer to. */
static latch_status put_projection(run *g, const latch_bulk_table *table, latch_str *out) {
    const latch_dynamodb_batch_get_request *r = g->r;
    latch_pair names[LATCH_EXPRESSION_NAMES_MAX + 3];
    size_t count = 0;
    bool pk = !projects(r, table->pk), sk = table->sk[0] != '\0' && !projects(r, table->sk);
    for (const latch_pair *n = r->names; n != NULL && n->name != NULL && count < LATCH_EXPRESSION_NAMES_MAX; n++)
        names[count++] = *n;
    if (pk) names[count++] = (latch_pair){"#latch_pk", latch_v_cstr_(table->pk)};
    if (sk) names[count++] = (latch_pair){"#latch_sk", latch_v_cstr_(table->sk)};
    names[count] = (latch_pair){.name = NULL};
    latch_text_writer t = latch_text_begin(g->bulk.cx->arena);
    latch_str paths = latch_ctx_text(g->bulk.cx, "%s%s%s", r->projection, pk ? ", #latch_pk" : "", sk ? ", #latch_sk" : "");
    if (paths.ptr == NULL) latch_text_fail(&t, LATCH_E_NOMEM, "the arena is full");
    latch_expression_put(&t, &(latch_expression_set){.projection = paths.ptr, .names = names});
    *out = latch_text_end(&t);
    return out->ptr != NULL ? LATCH_OK : latch_err_set(&g->bulk.cx->err, t.failed, "batch: .projection: %s", t.why);
}

static latch_status find_projection(run *g, size_t table) {
    if (g->r->projection == NULL || g->projections[table].ptr != NULL) return LATCH_OK;
    return put_projection(g, &g->bulk.tables.of[table], &g->projections[table]);
}

/* ── the call: on the caller's thread ───────────────────────────────────────────────────────────────────────────────────── */

static latch_crew_slot *slot_of(run *g, uint64_t batch_number) { return &g->bulk.crew->slots[batch_number % g->ring]; }

static latch_status make_room(run *g) {
    size_t room = g->room > 0 ? 2 * g->room : g->r->count > 0 ? (size_t)g->r->count : 64;
    latch_ctx *cx = g->bulk.cx;
    bool fits = room <= SIZE_MAX / sizeof *g->items / 2;
    latch_dynamodb_item *items = fits ? latch_arena_grow(cx->arena, g->items, g->room * sizeof *items, room * sizeof *items) : NULL;
    if (items == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "batch: the arena is full: take the items by .item");
    g->items = items;
    g->room = room;
    return LATCH_OK;
}

/* A copy in the caller's arena. */
static latch_status collect(run *g, latch_crew_slot *slot, bool found, latch_json item) {
    latch_ctx *cx = g->bulk.cx;
    latch_str text;
    if (g->out->read == g->room) LATCH_TRY(make_room(g));
    latch_dynamodb_item *to = &g->items[g->out->read];
    *to = (latch_dynamodb_item){.found = found, .item = {cx, NULL}};
    if (!found) return LATCH_OK;
    latch_status status = latch_json_text(&slot->cx, item, &text);
    if (status != LATCH_OK) cx->err = slot->cx.err;
    return status == LATCH_OK ? latch_json_parse(cx, LATCH_E_DATA, "item", text, &to->item) : status;
}

static latch_status deliver_one(run *g, latch_crew_slot *slot, const wanted_key *k) {
    bool found = k->item.node != NULL;
    latch_status status;
    if (g->r->item == NULL) {
        status = collect(g, slot, found, k->item);
        if (status != LATCH_OK) slot->cx.err = g->bulk.cx->err;
    } else {
        slot->cx.err.status = LATCH_OK;
        status = g->r->item(&slot->cx, g->r->arg, g->out->read, found, found ? k->item : (latch_json){&slot->cx, NULL});
        if (status != LATCH_OK && slot->cx.err.status != status && g->bulk.cx->err.status == status) slot->cx.err = g->bulk.cx->err;
    }
    if (status != LATCH_OK) return status;
    g->out->read++;
    g->out->found += found;
    g->out->missing += !found;
    return LATCH_OK;
}

/* A window's places, in their order. */
static latch_status deliver_window(run *g, latch_crew_slot *slot) {
    const batch *b = slot->job;
    for (size_t i = b->from; i < b->to; i++) {
        const wanted_key *k = &b->keys[b->places[i]];
        g->gap = k->state != ANSWERED; /* the crew was stopped: what failed is told where it failed */
        if (g->gap) return LATCH_OK;
        LATCH_TRY(deliver_one(g, slot, k));
    }
    g->gap = b->to < b->place_count && latch_bulk_stopped(&g->bulk);
    return LATCH_OK;
}

static void tell_progress(run *g) {
    uint64_t in_flight = 0;
    for (uint64_t i = g->settled; i < g->filled; i++)
        in_flight += ((batch *)slot_of(g, i)->job)->place_count;
    const latch_dynamodb_progress progress = {.done = g->out->read, .total = g->r->count, .in_flight = in_flight};
    if (g->r->progress != NULL) g->r->progress(g->r->arg, &progress);
}

/* What the oldest batch under way brought. Once something has failed, what comes behind it is not delivered: there would be a gap. */
static void settle(run *g) {
    latch_crew_slot *slot = slot_of(g, g->settled);
    batch *b = slot->job;
    for (;;) {
        latch_crew_wait(g->bulk.crew, slot);
        if (slot->status != LATCH_OK) latch_bulk_fail(&g->bulk, slot->status, &slot->cx);
        if (g->bulk.failed != LATCH_OK || g->gap) break;
        latch_crew_lend(g->bulk.crew, slot);
        latch_status status = deliver_window(g, slot);
        if (status != LATCH_OK) latch_bulk_fail(&g->bulk, status, &slot->cx);
        b->from = b->to;
        if (b->from == b->place_count || latch_bulk_stopped(&g->bulk)) break;
        latch_crew_submit(g->bulk.crew, slot, (size_t)(g->settled % g->bulk.crew->lines));
    }
    g->settled++;
    g->out->requests += b->requests;
    g->out->resent += b->resent;
    tell_progress(g);
}

/* The batch that is being filled, which is none's else: the one before it in this slot is settled. */
static batch *filling(run *g, latch_crew_slot **slot) {
    *slot = slot_of(g, g->filled);
    if (g->filled - g->settled == g->ring) settle(g);
    batch *b = (*slot)->job;
    if (!b->submitted && b->key_count > 0) return b;
    *b = (batch){.of = g, .window = PLACES_MAX};
    latch_crew_reset(*slot);
    return b;
}

static void submit(run *g) {
    latch_crew_slot *slot = slot_of(g, g->filled);
    batch *b = slot->job;
    if (b->submitted || b->place_count == 0 || latch_bulk_stopped(&g->bulk)) return;
    b->submitted = true;
    b->mark = latch_arena_mark(&slot->arena);
    latch_crew_submit(g->bulk.crew, slot, (size_t)(g->filled % g->bulk.crew->lines));
    g->filled++;
    if (!g->bulk.crew->threaded) settle(g);
}

static latch_status take_over(run *g, const latch_bulk_key *key, latch_str text) {
    latch_crew_slot *slot;
    batch *b = filling(g, &slot);
    if (latch_bulk_stopped(&g->bulk)) return LATCH_OK;
    size_t at = 0;
    while (at < b->key_count && !latch_bulk_key_same(&b->keys[at].key, key))
        at++;
    if (at == b->key_count) {
        wanted_key *k = &b->keys[at];
        *k = (wanted_key){.key = *key, .text = latch_arena_copy(&slot->arena, text)};
        k->key.text = latch_arena_copy(&slot->arena, key->text);
        if (k->text.ptr == NULL || k->key.text.ptr == NULL)
            return latch_err_set(&g->bulk.desk->cx.err, LATCH_E_NOMEM, "batch: no room for a key");
        b->key_count++;
    }
    b->places[b->place_count++] = (uint8_t)at;
    g->given++;
    if (b->key_count == LATCH_DYNAMODB_READS_MAX || b->place_count == PLACES_MAX) submit(g);
    return LATCH_OK;
}

static latch_status find_table(run *g, const latch_dynamodb_read *read, size_t *table) {
    latch_ctx *desk = &g->bulk.desk->cx;
    if (read->key.node == NULL) return latch_err_set(&desk->err, LATCH_E_MISUSE, "want one of .key and .end");
    LATCH_TRY(latch_bulk_table_find(desk, &g->bulk.tables, read->table, g->bulk.until_at_ms, table, &g->out->requests));
    latch_status status = find_projection(g, *table);
    if (status != LATCH_OK) desk->err = g->bulk.cx->err;
    return status;
}

/* The key as a request's part, and what tells it from others: on the desk. */
static latch_status prepare(run *g, size_t table, latch_json read, latch_bulk_key *key, latch_str *text) {
    latch_ctx *desk = &g->bulk.desk->cx;
    latch_text_writer t = latch_text_begin(desk->arena);
    (void)latch_marshal_key(&t, read);
    *text = latch_text_end(&t);
    if (text->ptr == NULL) return latch_err_set(&desk->err, t.failed, "%s", t.why);
    return latch_bulk_key_of(desk, &g->bulk.tables, table, read, true, key);
}

/* What reading the caller's values took of their own arena goes back. */
static latch_status take(run *g, const latch_dynamodb_read *read) {
    latch_ctx *desk = &g->bulk.desk->cx, *owner = read->key.cx;
    latch_bulk_key key;
    latch_str text;
    size_t table;
    latch_status status = find_table(g, read, &table);
    if (status != LATCH_OK) return latch_bulk_blame(desk, "read", g->given, status);
    bool theirs = owner != NULL && owner->arena != desk->arena;
    size_t mark = theirs ? latch_arena_mark(owner->arena) : 0;
    status = prepare(g, table, read->key, &key, &text);
    if (theirs) latch_arena_rewind(owner->arena, mark);
    return status == LATCH_OK ? take_over(g, &key, text) : latch_bulk_blame(desk, "read", g->given, status);
}

static latch_status next(run *g, latch_dynamodb_read *read) {
    const latch_dynamodb_batch_get_request *r = g->r;
    *read = (latch_dynamodb_read){.end = true};
    if (r->next == NULL) {
        if (g->given < r->count) *read = r->reads[g->given];
        return LATCH_OK;
    }
    read->end = false;
    return latch_bulk_from_callback(&g->bulk, r->next(&g->bulk.desk->cx, r->arg, read));
}

static void take_all(run *g) {
    latch_crew_slot *desk = g->bulk.desk;
    while (!latch_bulk_stopped(&g->bulk)) {
        latch_dynamodb_read read;
        latch_crew_reset(desk);
        latch_status status = next(g, &read);
        if (status == LATCH_OK && read.end) return;
        if (status == LATCH_OK && !latch_bulk_has_time(&g->bulk)) return;
        if (status == LATCH_OK) status = take(g, &read);
        if (status != LATCH_OK) latch_bulk_fail(&g->bulk, status, &desk->cx);
    }
}

latch_status latch_dynamodb_batch_get(latch_ctx *cx, const latch_dynamodb_batch_get_request *r, latch_dynamodb_gotten *out) {
    run g = {.r = r, .out = out};
    const latch_bulk_setup setup = {.table = r->table,
                                    .keys = r->keys,
                                    .keys_count = r->keys_count,
                                    .connections = r->connections,
                                    .timeout_ms = r->timeout_ms,
                                    .work = get_window,
                                    .slot_bytes = SLOT_BYTES,
                                    .job_bytes = sizeof(batch)};
    *out = (latch_dynamodb_gotten){0};
    if (r->next == NULL && r->reads == NULL && r->count > 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "batch: want .reads or .next");
    LATCH_TRY(latch_bulk_open(cx, &g.bulk, &setup));
    g.ring = g.bulk.crew->threaded ? 2 * g.bulk.crew->lines : 1;
    out->connections = g.bulk.crew->lines;
    take_all(&g);
    submit(&g);
    while (g.settled < g.filled)
        settle(&g);
    out->items = g.items;
    out->left = g.given - out->read;
    return latch_bulk_close(&g.bulk);
}

#include "store/kv.h"

#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/items.h"
#include "store/keyed.h"
#include "store/token.h"

#define LIMIT 1000
#define LIMIT_MAX 10000
#define PAGE_LEAST 100 /* items looked at by one request: fewer aren't worth one */

static latch_keyed keyed_of(const latch_kv *kv) {
    return (latch_keyed){.store = "kv", .prefix = "KV", .name = kv->name, .table = kv->paradoxical_table};
}

/* ── one ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* `r` has what to do; where, and until when, is the policy's. */
static latch_status call(latch_ctx *cx, const latch_kv *kv, const latch_keyed_item *item, latch_request *r, latch_json *out) {
    r->at = latch_keyed_at(item);
    r->pk = item->pk;
    r->sk = item->sk;
    LATCH_TRY(latch_ctx_deadline(cx, kv->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &r->deadline_at_ms));
    return latch_table_call(cx, r, out);
}

latch_status latch_kv_get(latch_ctx *cx, const latch_kv *kv, latch_str key, latch_json *out) {
    const latch_keyed k = keyed_of(kv);
    latch_keyed_item item;
    latch_json found;
    latch_str text;
    *out = (latch_json){cx, NULL};
    LATCH_TRY(latch_keyed_find(cx, &k, key, &item));
    LATCH_TRY(call(cx, kv, &item, &(latch_request){.operation = LATCH_GET_ITEM, .eventual = kv->eventual}, &found));
    if (found.node == NULL || !latch_item_has(found, "data"))
        return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: there is no such value", LATCH_ARG(item.pk));
    LATCH_TRY(latch_keyed_blame(cx, &item, latch_item_text(found, "data", &text)));
    return latch_keyed_blame(cx, &item, latch_json_parse(cx, LATCH_E_DATA, "data", text, out));
}

latch_status latch_kv_set_(latch_ctx *cx, const latch_kv *kv, latch_str key, latch_value v) {
    const latch_keyed k = keyed_of(kv);
    latch_keyed_item item;
    latch_json none;
    latch_str text;
    LATCH_TRY(latch_keyed_find(cx, &k, key, &item));
    LATCH_TRY(latch_keyed_text(cx, &k, v, &text));
    latch_request r = {.operation = LATCH_UPDATE_ITEM,
                       .update = "SET #data = :data",
                       .values = LATCH_VALUES(":data", text),
                       .returns = LATCH_RETURNS_NOTHING,
                       .repeatable = kv->repeat};
    return call(cx, kv, &item, &r, &none);
}

latch_status latch_kv_delete(latch_ctx *cx, const latch_kv *kv, latch_str key) {
    const latch_keyed k = keyed_of(kv);
    latch_keyed_item item;
    latch_json none;
    LATCH_TRY(latch_keyed_find(cx, &k, key, &item));
    latch_request r = {.operation = LATCH_DELETE_ITEM, .returns = LATCH_RETURNS_NOTHING, .repeatable = kv->repeat};
    return call(cx, kv, &item, &r, &none);
}

/* ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "kv: the arena is full"); }

static latch_dynamodb_keys keys_of(const latch_kv *kv) { return (latch_dynamodb_keys){.table = kv->paradoxical_table, .pk = "key"}; }

static latch_status get_batch(latch_ctx *cx, const latch_kv *kv, const latch_str *keys, size_t count, latch_kv_entry *out) {
    const latch_keyed k = keyed_of(kv);
    const latch_dynamodb_keys names = keys_of(kv);
    latch_dynamodb_read *reads = latch_keyed_room(cx, "kv", count, sizeof *reads);
    latch_dynamodb_gotten got;
    if (reads == NULL) return cx->err.status;
    for (size_t i = 0; i < count; i++) {
        latch_keyed_item item;
        LATCH_TRY(latch_keyed_find(cx, &k, keys[i], &item));
        reads[i].key = latch_keyed_json(cx, &item, false, NULL);
    }
    LATCH_TRY(latch_dynamodb_batch_get(cx,
                                       &(latch_dynamodb_batch_get_request){.reads = reads,
                                                                           .count = count,
                                                                           .table = kv->paradoxical_table,
                                                                           .keys = &names,
                                                                           .keys_count = kv->paradoxical_table != NULL,
                                                                           .projection = "#data",
                                                                           .names = LATCH_NAMES("#data", "data"),
                                                                           .eventual = kv->eventual,
                                                                           .timeout_ms = kv->timeout_ms},
                                       &got));
    for (size_t i = 0; i < count; i++)
        LATCH_TRY(latch_keyed_entry(cx, got.items[i].item, &out[i]));
    return LATCH_OK;
}

static void forget(latch_ctx *cx, const latch_str *keys, size_t count, latch_kv_entry *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (latch_kv_entry){.key = keys[i], .value = {cx, NULL}};
}

latch_status latch_kv_get_batch(latch_ctx *cx, const latch_kv *kv, const latch_str *keys, size_t count, latch_kv_entry *out) {
    forget(cx, keys, count, out);
    if (count == 0) return LATCH_OK;
    latch_status status = get_batch(cx, kv, keys, count, out);
    if (status != LATCH_OK) forget(cx, keys, count, out);
    return status;
}

latch_status latch_kv_set_batch(latch_ctx *cx, const latch_kv *kv, const latch_kv_pair *pairs, size_t count, latch_dynamodb_written *out) {
    const latch_keyed k = keyed_of(kv);
    const latch_dynamodb_keys names = keys_of(kv);
    *out = (latch_dynamodb_written){0};
    if (count == 0) return LATCH_OK;
    latch_dynamodb_write *writes = latch_keyed_room(cx, "kv", count, sizeof *writes);
    if (writes == NULL) return cx->err.status;
    for (size_t i = 0; i < count; i++) {
        latch_keyed_item item;
        latch_str text;
        LATCH_TRY(latch_keyed_find(cx, &k, pairs[i].key, &item));
        LATCH_TRY(latch_keyed_text(cx, &k, LATCH_V_(pairs[i].value), &text));
        writes[i].put = latch_keyed_json(cx, &item, false, LATCH_VALUES("data", text));
    }
    return latch_dynamodb_batch_write(cx,
                                      &(latch_dynamodb_batch_write_request){.writes = writes,
                                                                            .count = count,
                                                                            .table = kv->paradoxical_table,
                                                                            .keys = &names,
                                                                            .keys_count = kv->paradoxical_table != NULL,
                                                                            .once = !kv->repeat,
                                                                            .timeout_ms = kv->timeout_ms},
                                      out);
}

/* ── all ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct scanning {
    latch_keyed keyed;
    latch_keyed_item where;
    latch_str prefix, contains;
    const char *pk, *sk;
    latch_dynamodb_pages pages;
} scanning;

/* An escaped key has the escaped part where the key has the part; the other way round needn't be, so keys are looked at again. */
static latch_status begin(latch_ctx *cx, const latch_kv *kv, latch_str contains, latch_dynamodb_scan_request *r, scanning *s) {
    *s = (scanning){.keyed = keyed_of(kv), .contains = contains};
    LATCH_TRY(latch_keyed_find_all(cx, &s->keyed, &s->where));
    latch_keyed_names(cx, &s->where, &s->pk, &s->sk);
    s->prefix = latch_keyed_prefix(cx, &s->keyed);
    latch_str part = contains.len > 0 ? latch_keyed_escaped(cx, &s->keyed, contains) : s->prefix;
    if (s->prefix.ptr == NULL || part.ptr == NULL) return full(cx);
    r->table = kv->paradoxical_table;
    r->filter = "begins_with(#pk, :prefix) AND contains(#pk, :part) AND attribute_exists(#data)";
    r->values = LATCH_VALUES(":prefix", s->prefix, ":part", part);
    if (s->prefix.len == 0) {
        r->filter = part.len > 0 ? "contains(#pk, :part) AND attribute_exists(#data)" : "attribute_exists(#data)";
        r->values = part.len > 0 ? r->values + 1 : NULL;
    }
    const latch_pair names[] = {{"#pk", LATCH_V_(s->pk)}, {NULL, {LATCH_V_NULL, {.i = 0}}}};
    const latch_pair more[] = {{"#pk", LATCH_V_(s->pk)}, {"#sk", LATCH_V_(s->sk)}, {NULL, {LATCH_V_NULL, {.i = 0}}}};
    r->names = s->sk != NULL ? more : names;
    r->projection = s->sk != NULL ? "#pk, #sk, #data" : "#pk, #data";
    r->consistency = kv->eventual ? LATCH_DYNAMODB_EVENTUAL : LATCH_DYNAMODB_STRONG;
    r->timeout_ms = kv->timeout_ms;
    return latch_dynamodb_scan(cx, r, &s->pages);
}

/* *taken false: its key only looked as if it had the part. */
static latch_status take(latch_ctx *cx, const scanning *s, latch_json item, latch_kv_entry *out, bool *taken) {
    latch_str stored = latch_keyed_member_text(item, s->pk);
    out->key = latch_keyed_bare(cx, &s->keyed, s->prefix, stored);
    *taken = false;
    if (out->key.ptr == NULL) return full(cx);
    if (s->contains.len > 0 && (out->key.len == 0 || memmem(out->key.ptr, out->key.len, s->contains.ptr, s->contains.len) == NULL))
        return LATCH_OK;
    *taken = true;
    return latch_keyed_entry(cx, item, out);
}

/* A scan goes on behind any item, whether or not a page ended there. */
static latch_status token_behind(latch_ctx *cx, const scanning *s, latch_json item, latch_str *token) {
    latch_text_writer t = latch_text_begin(cx->arena);
    const char *names[] = {s->pk, s->sk};
    for (size_t i = 0; i < 2 && names[i] != NULL; i++) {
        latch_text_char(&t, i == 0 ? '{' : ',');
        latch_text_json_string(&t, latch_str_of(names[i]));
        latch_text_put(&t, LATCH_STR(":{\"S\":"));
        latch_text_json_string(&t, latch_keyed_member_text(item, names[i]));
        latch_text_char(&t, '}');
    }
    latch_text_char(&t, '}');
    latch_str text = latch_text_end(&t);
    *token = text.ptr != NULL ? latch_token_write(cx->arena, text) : text;
    return token->ptr != NULL ? LATCH_OK : full(cx);
}

static latch_status list(latch_ctx *cx, scanning *s, size_t limit, latch_kv_entry *entries, latch_kv_page *out) {
    while (out->count < limit) {
        latch_json item;
        bool more, taken;
        LATCH_TRY(latch_dynamodb_next(&s->pages, &item, &more));
        if (!more) return LATCH_OK;
        LATCH_TRY(take(cx, s, item, &entries[out->count], &taken));
        out->count += taken;
        if (out->count == limit) return token_behind(cx, s, item, &out->token);
    }
    return LATCH_OK;
}

latch_status latch_kv_list(latch_ctx *cx, const latch_kv *kv, const latch_kv_list_request *request, latch_kv_page *out) {
    size_t limit = request->limit > 0 ? (size_t)request->limit : LIMIT;
    scanning s;
    *out = (latch_kv_page){.token = LATCH_STR("")};
    if (request->limit < 0 || request->limit > LIMIT_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "kv: .limit is %" PRId64 ", want 0 to %d", request->limit, LIMIT_MAX);
    latch_dynamodb_scan_request r = {.page_items = limit > PAGE_LEAST ? (int64_t)limit : PAGE_LEAST, .from = request->from};
    LATCH_TRY(begin(cx, kv, request->contains, &r, &s));
    latch_kv_entry *entries = latch_keyed_room(cx, "kv", limit, sizeof *entries);
    if (entries == NULL) return cx->err.status;
    latch_status status = list(cx, &s, limit, entries, out);
    out->entries = entries;
    if (status != LATCH_OK) *out = (latch_kv_page){.token = LATCH_STR("")};
    return status;
}

static latch_status give_page(latch_ctx *cx, const scanning *s, latch_kv_page_fn *page, void *arg, uint64_t *seen) {
    size_t count = 0;
    latch_kv_entry *entries = latch_keyed_room(cx, "kv", latch_count(s->pages.items), sizeof *entries);
    if (entries == NULL) return cx->err.status;
    for (latch_each each = latch_each_in(s->pages.items); latch_each_next(&each);) {
        bool taken;
        LATCH_TRY(take(cx, s, latch_each_value(&each), &entries[count], &taken));
        count += taken;
    }
    LATCH_TRY(page(cx, arg, entries, count));
    *seen += count;
    return LATCH_OK;
}

/* Before each page but the first. */
static latch_status pause(latch_ctx *cx, int64_t delay_ms) {
    if (delay_ms == 0) return LATCH_OK;
    if (delay_ms >= latch_left_ms(cx))
        return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "kv: the deadline comes before the delay of %" PRId64 " ms is over", delay_ms);
    latch_clock_sleep_ms(&cx->clock, delay_ms);
    return LATCH_OK;
}

latch_status latch_kv_stream(latch_ctx *cx, const latch_kv *kv, const latch_kv_stream_request *request, latch_kv_page_fn *page, void *arg,
                             uint64_t *seen) {
    scanning s;
    *seen = 0;
    if (request->delay_ms < 0 || request->delay_ms > LATCH_SPAN_MS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "kv: .delay_ms is %" PRId64 ", want 0 to %" PRId64, request->delay_ms,
                             LATCH_SPAN_MS_MAX);
    latch_dynamodb_scan_request r = {.page_items = request->page_items, .passing = true};
    LATCH_TRY(begin(cx, kv, request->contains, &r, &s));
    for (bool first = true;; first = false) {
        bool more;
        if (!first && !s.pages.ended) LATCH_TRY(pause(cx, request->delay_ms));
        LATCH_TRY(latch_dynamodb_next_page(&s.pages, &more));
        if (!more) return LATCH_OK;
        LATCH_TRY(give_page(cx, &s, page, arg, seen));
    }
}

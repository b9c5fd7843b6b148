#include "store/pkv.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/items.h"
#include "store/pkv_private.h"

#define LIMIT 1000
#define LIMIT_MAX 10000
#define CLEAR_PAGE 500 /* keys that are looked up, then deleted: what fits into memory */

latch_keyed latch_pkv_keyed(const latch_pkv *pkv) {
    return (latch_keyed){.store = "pkv",
                         .sort = "pkv's sort key",
                         .prefix = "PKV",
                         .name = pkv->name,
                         .table = pkv->paradoxical_table,
                         .partitioned = true,
                         .sort_is_number = pkv->sort_is_number};
}

/* ── one ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_pkv_call(latch_ctx *cx, const latch_pkv *pkv, const latch_keyed_item *item, latch_request *r, latch_json *out) {
    r->at = latch_keyed_at(item);
    r->pk = item->pk;
    r->sk = item->sk;
    LATCH_TRY(latch_ctx_deadline(cx, pkv->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &r->deadline_at_ms));
    return latch_table_call(cx, r, out);
}

static latch_status look(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_keyed_item *item, latch_json *found) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    LATCH_TRY(latch_keyed_find_two(cx, &k, key, item));
    return latch_pkv_call(cx, pkv, item, &(latch_request){.operation = LATCH_GET_ITEM, .eventual = pkv->eventual}, found);
}

latch_status latch_pkv_get(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_json *out) {
    latch_keyed_item item;
    latch_json found;
    latch_str text;
    *out = (latch_json){cx, NULL};
    LATCH_TRY(look(cx, pkv, key, &item, &found));
    if (found.node == NULL || !latch_item_has(found, "data"))
        return latch_err_set(&cx->err, LATCH_MISSING, "%.*s, %.*s: there is no such value", LATCH_ARG(item.pk), LATCH_ARG(item.sk));
    LATCH_TRY(latch_keyed_blame(cx, &item, latch_item_text(found, "data", &text)));
    return latch_keyed_blame(cx, &item, latch_json_parse(cx, LATCH_E_DATA, "data", text, out));
}

latch_status latch_pkv_exists(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, bool *out) {
    latch_keyed_item item;
    latch_json found;
    *out = false;
    LATCH_TRY(look(cx, pkv, key, &item, &found));
    *out = found.node != NULL;
    return LATCH_OK;
}

/* The value's text, its fingerprint, and the id of this write, by which a repeat and a change of a set know it. */
static latch_status write_of(latch_ctx *cx, const latch_keyed *k, latch_value v, latch_pkv_write *out) {
    latch_json value;
    LATCH_TRY(latch_keyed_text(cx, k, v, &out->data));
    size_t mark = latch_arena_mark(cx->arena);
    LATCH_TRY(latch_json_parse(cx, LATCH_E_MISUSE, "value", out->data, &value));
    LATCH_TRY(latch_canon_md5(cx, value, out->md5));
    latch_arena_rewind(cx->arena, mark);
    out->ver = latch_uuid(cx);
    return out->ver.ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "pkv: the arena is full");
}

#define WRITE_VALUES(w) LATCH_VALUES(":data", (w).data, ":md5", (const char *)(w).md5, ":ver", (w).ver)

latch_status latch_pkv_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value v) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    latch_keyed_item item;
    latch_pkv_write w;
    latch_json none;
    LATCH_TRY(latch_keyed_find_two(cx, &k, key, &item));
    LATCH_TRY(write_of(cx, &k, v, &w));
    latch_request r = {.operation = LATCH_UPDATE_ITEM,
                       .update = latch_pkv_update,
                       .values = WRITE_VALUES(w),
                       .returns = LATCH_RETURNS_NOTHING,
                       .repeatable = pkv->repeat};
    return latch_pkv_call(cx, pkv, &item, &r, &none);
}

latch_status latch_pkv_set_if_not_exists_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value v) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    latch_keyed_item item;
    latch_pkv_write w;
    latch_json found;
    latch_str ver;
    bool refused;
    LATCH_TRY(latch_keyed_find_two(cx, &k, key, &item));
    LATCH_TRY(write_of(cx, &k, v, &w));
    latch_request r = {.operation = LATCH_UPDATE_ITEM,
                       .update = latch_pkv_update,
                       .condition = "attribute_not_exists(#pk)",
                       .values = WRITE_VALUES(w),
                       .returns = LATCH_RETURNS_REFUSED,
                       .repeatable = true};
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_pkv_call(cx, pkv, &item, &r, &found));
    if (!refused) return LATCH_OK;
    bool maybe = cx->err.maybe_applied;
    if (latch_item_text_or(found, "ver", LATCH_STR(""), &ver) == LATCH_OK && latch_str_eq(ver, w.ver)) return LATCH_OK;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s, %.*s: is there already%s", LATCH_ARG(item.pk), LATCH_ARG(item.sk),
                        maybe ? "; a try of this one got no answer and may have been first" : "");
    cx->err.maybe_applied = maybe;
    return LATCH_CONFLICT;
}

latch_status latch_pkv_delete(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    latch_keyed_item item;
    latch_json none;
    LATCH_TRY(latch_keyed_find_two(cx, &k, key, &item));
    latch_request r = {.operation = LATCH_DELETE_ITEM, .returns = LATCH_RETURNS_NOTHING, .repeatable = pkv->repeat};
    return latch_pkv_call(cx, pkv, &item, &r, &none);
}

/* ── many ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "pkv: the arena is full"); }

static latch_status write_all(latch_ctx *cx, const latch_pkv *pkv, const latch_dynamodb_write *writes, size_t count,
                              latch_dynamodb_written *out) {
    const latch_dynamodb_keys names = {.table = pkv->paradoxical_table, .pk = "partitionKey", .sk = "sortKey"};
    return latch_dynamodb_batch_write(cx,
                                      &(latch_dynamodb_batch_write_request){.writes = writes,
                                                                            .count = count,
                                                                            .table = pkv->paradoxical_table,
                                                                            .keys = &names,
                                                                            .keys_count = pkv->paradoxical_table != NULL,
                                                                            .once = !pkv->repeat,
                                                                            .timeout_ms = pkv->timeout_ms},
                                      out);
}

latch_status latch_pkv_set_batch(latch_ctx *cx, const latch_pkv *pkv, const latch_pkv_pair *pairs, size_t count,
                                 latch_dynamodb_written *out) {
    const latch_keyed k = latch_pkv_keyed(pkv);
    *out = (latch_dynamodb_written){0};
    if (count == 0) return LATCH_OK;
    latch_dynamodb_write *writes = latch_keyed_room(cx, "pkv", count, sizeof *writes);
    if (writes == NULL) return cx->err.status;
    for (size_t i = 0; i < count; i++) {
        latch_keyed_item item;
        latch_pkv_write w;
        LATCH_TRY(latch_keyed_find_two(cx, &k, pairs[i].key, &item));
        LATCH_TRY(write_of(cx, &k, LATCH_V_(pairs[i].value), &w));
        writes[i].put =
            latch_keyed_json(cx, &item, k.sort_is_number, LATCH_VALUES("data", w.data, "md5", (const char *)w.md5, "ver", w.ver));
    }
    return write_all(cx, pkv, writes, count, out);
}

/* ── a partition ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct finding {
    latch_keyed keyed;
    latch_keyed_item where;
    latch_str prefix;
    const char *pk, *sk;
    latch_dynamodb_pages pages;
} finding;

/* Values and names live as long as this function: latch_dynamodb_query has read them when it returns. */
static latch_status begin(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, bool keys_only, latch_dynamodb_query_request *r,
                          finding *f) {
    *f = (finding){.keyed = latch_pkv_keyed(pkv)};
    LATCH_TRY(latch_keyed_find_partition(cx, &f->keyed, partition, &f->where));
    latch_keyed_names(cx, &f->where, &f->pk, &f->sk);
    f->prefix = latch_keyed_prefix(cx, &f->keyed);
    if (f->prefix.ptr == NULL) return full(cx);
    bool all = f->prefix.len == 0;
    const latch_pair names[] = {{"#pk", LATCH_V_(f->pk)}, {"#sk", LATCH_V_(f->sk)}, {NULL, {LATCH_V_NULL, {.i = 0}}}};
    r->table = pkv->paradoxical_table;
    r->key_condition = all ? "#pk = :pk" : "#pk = :pk AND begins_with(#sk, :prefix)";
    r->values = all ? LATCH_VALUES(":pk", f->where.pk) : LATCH_VALUES(":pk", f->where.pk, ":prefix", f->prefix);
    r->projection = keys_only ? "#pk, #sk" : "#pk, #sk, #data, #count";
    r->names = names;
    r->timeout_ms = pkv->timeout_ms;
    return latch_dynamodb_query(cx, r, &f->pages);
}

static latch_status list(latch_ctx *cx, finding *f, size_t limit, latch_kv_page *out) {
    latch_kv_entry *entries = latch_keyed_room(cx, "pkv", limit, sizeof *entries);
    if (entries == NULL) return cx->err.status;
    while (out->count < limit) {
        latch_kv_entry *entry = &entries[out->count];
        latch_json item;
        bool more;
        LATCH_TRY(latch_dynamodb_next(&f->pages, &item, &more));
        if (!more) break;
        entry->key = latch_keyed_bare(cx, &f->keyed, f->prefix, latch_keyed_member_text(item, f->sk));
        if (entry->key.ptr == NULL) return full(cx);
        LATCH_TRY(latch_keyed_entry(cx, item, entry));
        entry->found = true; /* there is an item, also where another library left nothing in it */
        out->count++;
    }
    out->entries = entries;
    return latch_dynamodb_token(&f->pages, &out->token);
}

latch_status latch_pkv_list(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, const latch_pkv_list_request *request,
                            latch_kv_page *out) {
    finding f;
    *out = (latch_kv_page){.token = LATCH_STR("")};
    if (request->limit < 0 || request->limit > LIMIT_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "pkv: .limit is %" PRId64 ", want 0 to %d", request->limit, LIMIT_MAX);
    latch_dynamodb_query_request r = {.limit = request->limit > 0 ? request->limit : LIMIT,
                                      .from = request->from,
                                      .backward = request->backward,
                                      .consistency = pkv->eventual ? LATCH_DYNAMODB_EVENTUAL : LATCH_DYNAMODB_STRONG};
    LATCH_TRY(begin(cx, pkv, partition, false, &r, &f));
    latch_status status = list(cx, &f, (size_t)r.limit, out);
    if (status != LATCH_OK) *out = (latch_kv_page){.token = LATCH_STR("")};
    return status;
}

/* One page of keys, and their deletion; what was taken from the arena goes back. */
static latch_status clear_page(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, uint64_t *deleted, bool *more) {
    finding f;
    latch_dynamodb_written written;
    bool page;
    *more = false;
    LATCH_TRY(begin(cx, pkv, partition, true, &(latch_dynamodb_query_request){.page_items = CLEAR_PAGE}, &f));
    LATCH_TRY(latch_dynamodb_next_page(&f.pages, &page));
    size_t count = latch_count(f.pages.items);
    latch_dynamodb_write *writes = latch_keyed_room(cx, "pkv", count, sizeof *writes);
    if (writes == NULL) return cx->err.status;
    for (size_t i = 0; i < count; i++)
        writes[i].delete_key = latch_at(f.pages.items, i);
    latch_status status = count > 0 ? write_all(cx, pkv, writes, count, &written) : LATCH_OK;
    if (count > 0) *deleted += written.written;
    *more = !f.pages.ended;
    return status;
}

latch_status latch_pkv_clear(latch_ctx *cx, const latch_pkv *pkv, latch_str partition, uint64_t *deleted) {
    *deleted = 0;
    for (bool more = true; more;) {
        size_t mark = latch_arena_mark(cx->arena);
        LATCH_TRY(clear_page(cx, pkv, partition, deleted, &more));
        latch_arena_rewind(cx->arena, mark);
    }
    return LATCH_OK;
}

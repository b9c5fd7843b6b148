#include "store/keyed.h"

#include <string.h>

#include "core/ctx.h"
#include "core/decimal.h"
#include "core/node.h"
#include "store/client.h"
#include "store/schema.h"

#define PK_MAX_BYTES 2048
#define SK_MAX_BYTES 1024

/* ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool has_name(const latch_keyed *k) { return k->name != NULL && k->name[0] != '\0'; }

/* A namespace that is empty still has something to be called by. */
static const char *shown_name(const latch_keyed *k) { return has_name(k) || k->table == NULL ? k->name : "-"; }

static latch_status check(latch_ctx *cx, const latch_keyed *k, const latch_table_key *of, latch_str part) {
    if (k->sort_is_number && (k->table == NULL || has_name(k)))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .sort_is_number wants a .paradoxical_table and no .name", k->store);
    LATCH_TRY(latch_table_check_key(cx, of, shown_name(k), part));
    return k->table != NULL ? latch_dynamodb_check_table(cx, k->table) : LATCH_OK;
}

static latch_status full(latch_ctx *cx, const latch_keyed *k) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", k->store);
}

static latch_status too_long(latch_ctx *cx, const latch_table_key *of, const latch_keyed *k, latch_str key, latch_str stored) {
    return latch_err_set(&cx->err, LATCH_E_INPUT, "%s %s: the key has %zu bytes, as it is stored %zu, want at most %zu", of->store,
                         shown_name(k), key.len, stored.len, of->max_bytes);
}

/* "<name>.<key>" of the model's, or the key alone; borrowed where it can be. */
static latch_status join(latch_ctx *cx, const latch_keyed *k, const latch_table_key *of, latch_str key, latch_str *out) {
    *out = key;
    if (!has_name(k)) return LATCH_OK;
    *out = latch_ctx_text(cx, "%s.%.*s", k->name, LATCH_ARG(key));
    if (out->ptr == NULL) return full(cx, k);
    return out->len <= of->max_bytes ? LATCH_OK : too_long(cx, of, k, key, *out);
}

static latch_place model_place(const latch_keyed *k) {
    return (latch_place){.table = k->table,
                         .pk = k->partitioned ? "partitionKey" : "key",
                         .sk = k->partitioned ? "sortKey" : "",
                         .sk_number = k->sort_is_number};
}

static latch_table_key pk_of(const latch_keyed *k) {
    return (latch_table_key){.store = k->store, .prefix = k->prefix, .max_bytes = PK_MAX_BYTES};
}

latch_status latch_keyed_find(latch_ctx *cx, const latch_keyed *k, latch_str key, latch_keyed_item *out) {
    const latch_table_key of = pk_of(k);
    *out = (latch_keyed_item){.elsewhere = k->table != NULL, .place = model_place(k), .sk = latch_str_of(k->prefix)};
    if (k->table == NULL) return latch_table_pk(cx, &of, k->name, key, &out->pk);
    LATCH_TRY(check(cx, k, &of, key));
    return join(cx, k, &of, key, &out->pk);
}

latch_status latch_keyed_find_partition(latch_ctx *cx, const latch_keyed *k, latch_str partition, latch_keyed_item *out) {
    const latch_table_key of = pk_of(k);
    *out = (latch_keyed_item){.elsewhere = k->table != NULL, .place = model_place(k), .pk = partition};
    LATCH_TRY(check(cx, k, &of, partition));
    return k->table == NULL ? latch_table_pk(cx, &of, k->name, partition, &out->pk) : LATCH_OK;
}

latch_status latch_keyed_find_all(latch_ctx *cx, const latch_keyed *k, latch_keyed_item *out) {
    const latch_table_key of = pk_of(k);
    *out = (latch_keyed_item){.elsewhere = k->table != NULL, .place = model_place(k)};
    return check(cx, k, &of, LATCH_STR("all"));
}

latch_status latch_keyed_find_two(latch_ctx *cx, const latch_keyed *k, latch_pkv_key key, latch_keyed_item *out) {
    const latch_table_key of = {.store = k->sort, .prefix = "KEY", .max_bytes = SK_MAX_BYTES};
    latch_decimal number;
    LATCH_TRY(latch_keyed_find_partition(cx, k, key.partition, out));
    LATCH_TRY(latch_table_check_key(cx, &of, shown_name(k), key.sort));
    if (k->sort_is_number && latch_decimal_read(key.sort, &number) != LATCH_DECIMAL_FITS)
        return latch_err_set(&cx->err, LATCH_E_INPUT, "%s %s: the key %.*s is no number of at most 38 digits", of.store, shown_name(k),
                             LATCH_ARG(key.sort));
    if (k->table != NULL) return join(cx, k, &of, key.sort, &out->sk);
    out->sk = latch_key(cx, LATCH_STR("KEY"), key.sort);
    if (out->sk.ptr == NULL) return full(cx, k);
    return out->sk.len <= of.max_bytes ? LATCH_OK : too_long(cx, &of, k, key.sort, out->sk);
}

/* The message cut where it must be: a long key leaves little of it. */
latch_status latch_keyed_blame(latch_ctx *cx, const latch_keyed_item *item, latch_status status) {
    bool maybe = cx->err.maybe_applied;
    latch_str pk = latch_str_cut(item->pk, 100);
    if (status != LATCH_E_DATA) return status;
    (void)latch_err_set(&cx->err, status, "%.*s: %s", LATCH_ARG(pk), cx->err.message);
    cx->err.maybe_applied = maybe;
    return status;
}

void *latch_keyed_room(latch_ctx *cx, const char *store, size_t count, size_t size) {
    size_t bytes = count < SIZE_MAX / 2 / size ? count * size : SIZE_MAX / 2;
    void *room = latch_arena_alloc(cx->arena, bytes > 0 ? bytes : 1);
    if (room != NULL) memset(room, 0, bytes);
    if (room == NULL) (void)latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", store);
    return room;
}

/* ── what typed requests and lists want ─────────────────────────────────────────────────────────────────────────────────── */

void latch_keyed_names(latch_ctx *cx, const latch_keyed_item *item, const char **pk, const char **sk) {
    const latch_table *own = cx->table;
    *pk = item->elsewhere ? item->place.pk : own != NULL && own->pk != NULL ? own->pk : "pk";
    *sk = item->elsewhere ? item->place.sk : own != NULL && own->sk != NULL ? own->sk : "sk";
    if ((*sk)[0] == '\0') *sk = NULL;
}

latch_json latch_keyed_json(latch_ctx *cx, const latch_keyed_item *item, bool sort_is_number, const latch_pair *more) {
    latch_pair pairs[6] = {{NULL, {LATCH_V_NULL, {.i = 0}}}};
    size_t n = 0;
    const char *pk, *sk;
    latch_keyed_names(cx, item, &pk, &sk);
    pairs[n++] = (latch_pair){pk, LATCH_V_(item->pk)};
    if (sk != NULL && sort_is_number) pairs[n++] = (latch_pair){sk, LATCH_V_(latch_object(cx, "$number", item->sk))};
    if (sk != NULL && !sort_is_number) pairs[n++] = (latch_pair){sk, LATCH_V_(item->sk)};
    for (; more != NULL && more->name != NULL && n < 5; more++)
        pairs[n++] = *more;
    return latch_object_(cx, pairs);
}

latch_str latch_keyed_prefix(latch_ctx *cx, const latch_keyed *k) {
    if (k->table == NULL && k->partitioned) return LATCH_STR("KEY#");
    if (k->table == NULL) return latch_key(cx, latch_str_of(k->prefix), latch_str_of(k->name), LATCH_STR(""));
    return has_name(k) ? latch_ctx_text(cx, "%s.", k->name) : LATCH_STR("");
}

latch_str latch_keyed_escaped(latch_ctx *cx, const latch_keyed *k, latch_str key) { return k->table == NULL ? latch_key(cx, key) : key; }

/* %23 and %25 are what latch_key writes; another % was put there by somebody else. */
latch_str latch_keyed_bare(latch_ctx *cx, const latch_keyed *k, latch_str prefix, latch_str stored) {
    if (stored.len < prefix.len) return stored;
    latch_str key = {stored.ptr + prefix.len, stored.len - prefix.len};
    if (k->table != NULL || key.len == 0 || memchr(key.ptr, '%', key.len) == NULL) return key;
    char *to = latch_arena_alloc(cx->arena, key.len + 1);
    size_t n = 0;
    if (to == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < key.len; i++) {
        bool escape = key.ptr[i] == '%' && key.len - i > 2 && key.ptr[i + 1] == '2' && (key.ptr[i + 2] == '3' || key.ptr[i + 2] == '5');
        to[n++] = !escape ? key.ptr[i] : key.ptr[i + 2] == '3' ? '#' : '%';
        if (escape) i += 2;
    }
    to[n] = '\0';
    return (latch_str){to, n};
}

/* ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_keyed_text(latch_ctx *cx, const latch_keyed *k, latch_value v, latch_str *out) {
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_value(&t, v, false);
    *out = latch_text_end(&t);
    if (out->ptr == NULL) return latch_err_set(&cx->err, t.failed, "%s: the value: %s", k->store, t.why);
    if (out->len <= LATCH_VALUE_MAX_BYTES) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: the value has %zu bytes as JSON, want at most %zu", k->store, out->len,
                         LATCH_VALUE_MAX_BYTES);
}

/* null where it has none. */
static latch_json member(latch_json item, const char *name) {
    for (latch_each each = latch_each_in(item); latch_each_next(&each);)
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_each_value(&each);
    return (latch_json){item.cx, NULL};
}

latch_str latch_keyed_member_text(latch_json item, const char *name) {
    latch_str text = LATCH_STR("");
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        if (!latch_str_eq(each.name, latch_str_of(name))) continue;
        text = latch_each_text(&each);
        return text.ptr[0] != '\0' ? text : latch_text(latch_each_value(&each));
    }
    return text;
}

/* Another library may have left anything there: that is told of the one entry, and the others are given. */
latch_status latch_keyed_entry(latch_ctx *cx, latch_json item, latch_kv_entry *out) {
    latch_json data = member(item, "data"), count = member(item, "count");
    out->value = (latch_json){cx, NULL};
    out->broken = false;
    out->found = data.node != NULL;
    if (data.node == NULL && count.node == NULL) return LATCH_OK;
    latch_err before = cx->err;
    latch_str text = LATCH_STR("");
    latch_status status = LATCH_E_DATA;
    if (data.node == NULL) status = latch_json_parse(cx, LATCH_E_DATA, "count", latch_text(count), &out->value);
    if (data.node != NULL && latch_read(data, "", latch_bytes(&text, 0, INT64_MAX)) == LATCH_OK)
        status = latch_json_parse(cx, LATCH_E_DATA, "data", text, &out->value);
    if (status == LATCH_E_NOMEM) return status;
    out->broken = data.node != NULL && status != LATCH_OK;
    if (status != LATCH_OK) cx->err = before;
    return LATCH_OK;
}

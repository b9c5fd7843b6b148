#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/bulk.h"
#include "store/cache_private.h"

typedef struct asked { /* of one key that l1 doesn't have */
    size_t index;
    latch_str pk;
    uint64_t stamp;
} asked;

/* Of a whole item that was read with others: no misses are told apart here, for nothing is loaded. */
static latch_status read_entry(latch_ctx *cx, const latch_cache_call *c, latch_json item, latch_l1_value *v, latch_json *out) {
    const latch_cache_names names = latch_cache_names_of(cx, c);
    int64_t now_s = latch_seconds_passed(latch_now_ms(cx)), stale_s;
    double ttl_s;
    const latch_field ttl[] = {{names.ttl, latch_optional(&ttl_s)}, {NULL, latch_i_num_(NULL)}};
    *v = (latch_l1_value){.until_s = 0};
    LATCH_TRY(latch_read_(item, ttl));
    if (latch_read(item, "staleAt", latch_range_or(&stale_s, 0, LATCH_AT_MS_MAX, -1)) != LATCH_OK) stale_s = -1;
    if (!(ttl_s >= 0 && ttl_s <= (double)LATCH_AT_MS_MAX)) ttl_s = 0; /* never, by the package's own rule */
    int64_t whole_s = (int64_t)ttl_s + ((double)(int64_t)ttl_s < ttl_s);
    if (latch_cache_age_of(c->cache, now_s, whole_s, stale_s, &v->until_s) != LATCH_CACHE_FRESH) return LATCH_MISSING;
    LATCH_TRY(latch_read(item, "value", &v->text));
    if (latch_str_eq(v->text, LATCH_CACHE_MISSING_TEXT)) return LATCH_MISSING;
    return latch_json_parse(cx, LATCH_E_DATA, "cached", v->text, out);
}

static latch_status take_entry(latch_ctx *cx, const latch_cache_call *c, const asked *a, latch_json item, latch_cache_entry *entry) {
    latch_l1_value value;
    latch_status status = read_entry(cx, c, item, &value, &entry->value);
    if (status == LATCH_E_DATA) latch_warn(cx, "a cached value can't be read and counts as a miss", "cache", a->pk, "why", cx->err.message);
    if (status != LATCH_OK && status != LATCH_E_DATA && status != LATCH_MISSING) return status;
    entry->status = status == LATCH_OK ? LATCH_OK : LATCH_MISSING;
    if (c->cache->l1 != NULL && value.text.ptr != NULL && status != LATCH_E_DATA)
        c->cache->l1->calls->fill(c->cache->l1, cx, a->pk, a->stamp, &value);
    return LATCH_OK;
}

/* From the front, as far as it goes; what is left is asked for. */
static latch_status begin(latch_ctx *cx, const latch_cache *cache, const latch_str *keys, size_t count, latch_cache_entry *entries,
                          asked *list, size_t *left, latch_cache_call *c) {
    latch_str text;
    for (size_t i = 0; i < count; i++) {
        LATCH_TRY(latch_cache_begin(cx, cache, keys[i], c));
        list[*left] = (asked){.index = i, .pk = c->pk};
        bool known = cache->l1 != NULL && cache->l1->calls->get(cache->l1, cx, c->pk, &text);
        if (!known && cache->l1 != NULL) list[*left].stamp = cache->l1->calls->reading(cache->l1, c->pk);
        *left += !known;
        if (!known || latch_str_eq(text, LATCH_CACHE_MISSING_TEXT)) continue;
        LATCH_TRY(latch_json_parse(cx, LATCH_E_DATA, "cached", text, &entries[i].value));
        entries[i].status = LATCH_OK;
    }
    return LATCH_OK;
}

static latch_status ask(latch_ctx *cx, const latch_cache_call *c, const asked *list, size_t n, latch_cache_entry *entries) {
    const latch_cache_names names = latch_cache_names_of(cx, c);
    const latch_dynamodb_keys keys = {.table = names.table, .pk = names.pk, .sk = names.sk};
    latch_dynamodb_read *reads = latch_arena_alloc(cx->arena, n * sizeof *reads);
    latch_dynamodb_gotten got;
    if (reads == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: no room for %zu keys", c->cache->name, n);
    for (size_t i = 0; i < n; i++)
        reads[i] = (latch_dynamodb_read){.key = latch_object_(cx, (const latch_pair[]){{names.pk, latch_v_str_(list[i].pk)},
                                                                                       {names.sk, latch_v_str_(list[i].pk)},
                                                                                       {NULL, latch_int(0)}})};
    LATCH_TRY(latch_dynamodb_batch_get(cx,
                                       &(latch_dynamodb_batch_get_request){.reads = reads,
                                                                           .count = n,
                                                                           .table = names.table,
                                                                           .keys = &keys,
                                                                           .keys_count = 1,
                                                                           .eventual = c->eventual,
                                                                           .timeout_ms = c->cache->timeout_ms},
                                       &got));
    for (size_t i = 0; i < n; i++)
        if (got.items[i].found) LATCH_TRY(take_entry(cx, c, &list[i], got.items[i].item, &entries[list[i].index]));
    return LATCH_OK;
}

latch_status latch_cache_get_many(latch_ctx *cx, const latch_cache *cache, const latch_str *keys, size_t count,
                                  latch_cache_entry *entries) {
    latch_cache_call c;
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        entries[i] = (latch_cache_entry){.status = LATCH_MISSING, .value = LATCH_NULL};
    LATCH_TRY(latch_client_check_open(cx, "cache"));
    asked *list = count < SIZE_MAX / sizeof *list ? latch_arena_alloc(cx->arena, count * sizeof *list) : NULL;
    if (list == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: no room for %zu keys", cache->name, count);
    latch_status status = begin(cx, cache, keys, count, entries, list, &left, &c);
    if (status == LATCH_OK && left > 0) status = ask(cx, &c, list, left, entries);
    for (size_t i = 0; i < count && status != LATCH_OK; i++)
        entries[i] = (latch_cache_entry){.status = LATCH_MISSING, .value = LATCH_NULL};
    return status;
}

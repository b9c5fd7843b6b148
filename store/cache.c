#include "store/cache_private.h"

#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"

#define DEFAULT_TTL_MS (5 * LATCH_MINUTE_MS)
#define PK_MAX_BYTES 1024 /* it is the sk too */
#define LOADED_PK_MAX_BYTES (PK_MAX_BYTES - (sizeof "DEDUPE#" - 1))
#define STRICT_PK_MAX_BYTES (PK_MAX_BYTES - (sizeof "GEN" - 1))

/* ── beginning ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_cache_pk(latch_ctx *cx, const latch_cache *cache, const char *prefix, size_t max_bytes, latch_str part, latch_str *pk) {
    const latch_table_key of = {.store = "cache", .prefix = prefix, .max_bytes = max_bytes};
    if (cache->toolkit_table == NULL) return latch_table_pk(cx, &of, cache->name, part, pk);
    const latch_table_key unescaped = {.store = "cache", .max_bytes = max_bytes - strlen(prefix) - 1};
    *pk = (latch_str){NULL, 0};
    LATCH_TRY(latch_table_check_key(cx, &unescaped, cache->name, part));
    *pk = latch_ctx_text(cx, "%s#%.*s", prefix, LATCH_ARG(part));
    return pk->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", cache->name);
}

static latch_status check_ttl(latch_ctx *cx, const latch_cache *cache, const char *field, int64_t ttl_ms) {
    if (ttl_ms == LATCH_CACHE_NEVER_EXPIRES) return LATCH_OK;
    return latch_table_check_span(cx, "cache", cache->name, field, ttl_ms, 0);
}

latch_status latch_cache_begin(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_cache_call *out) {
    *out = (latch_cache_call){.cache = cache, .key = key, .eventual = !cache->strong && cache->strict == NULL};
    out->shared = cache->toolkit_table != NULL;
    out->toolkit = (latch_place){.table = cache->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    size_t most = cache->load != NULL ? LOADED_PK_MAX_BYTES : cache->strict != NULL ? STRICT_PK_MAX_BYTES : PK_MAX_BYTES;
    LATCH_TRY(latch_cache_pk(cx, cache, "CACHE", most, key, &out->pk));
    LATCH_TRY(check_ttl(cx, cache, ".ttl_ms", cache->ttl_ms));
    LATCH_TRY(check_ttl(cx, cache, ".missing_ttl_ms", cache->missing_ttl_ms));
    LATCH_TRY(latch_table_check_span(cx, "cache", cache->name, ".load_ms", cache->load_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "cache", cache->name, ".stale_ms", cache->stale_ms, 0));
    if (cache->max_entry_bytes <= LATCH_CACHE_ENTRY_MAX_BYTES) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "cache %s: .max_entry_bytes is %zu, want at most %zu", cache->name,
                         cache->max_entry_bytes, LATCH_CACHE_ENTRY_MAX_BYTES);
}

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

latch_cache_names latch_cache_names_of(const latch_ctx *cx, const latch_cache_call *c) {
    if (c->shared) return (latch_cache_names){c->toolkit.table, c->toolkit.pk, c->toolkit.sk, c->toolkit.ttl};
    const latch_table none = {0}, *table = cx->table != NULL ? cx->table : &none;
    return (latch_cache_names){table->name, or_default(table->pk, "pk"), or_default(table->sk, "sk"), or_default(table->ttl, "ttl")};
}

/* A put or delete without a condition isn't repeated: nothing could recognise the first try when it comes after another's set. */
latch_status latch_cache_send(latch_ctx *cx, const latch_cache_call *c, latch_request request, latch_json *item) {
    request.at = latch_cache_place(c);
    if (request.pk.ptr == NULL) request.pk = c->pk;
    request.sk = request.pk;
    request.repeatable = request.repeatable || request.operation == LATCH_GET_ITEM || request.condition != NULL;
    LATCH_TRY(latch_ctx_deadline(cx, c->cache->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, item);
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char absent[] = "attribute_not_exists(#pk)";
static const char expired[] = "attribute_not_exists(#pk) OR (#ttl = :ttl AND #createdAt = :created)";
static const char expired_undated[] = "attribute_not_exists(#pk) OR (#ttl = :ttl AND NOT attribute_type(#createdAt, :number))";
static const char no_json[] = "attribute_not_exists(#pk) OR #value = :value";
static const char of_other_types[] = "attribute_not_exists(#pk) OR NOT attribute_type(#value, :text) OR (attribute_exists(#ttl) AND NOT "
                                     "attribute_type(#ttl, :number))";

/* npm's package stores fractions of a second as they come: 14.5 has passed at 15. */
static latch_status read_fraction(latch_json item, const char *attribute, int64_t *out, latch_value *exact) {
    latch_ctx *cx = item.cx;
    latch_str path = latch_ctx_text(cx, "%s.N", attribute), digits;
    if (path.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache: the arena is full");
    LATCH_TRY(latch_read_(item, (const latch_field[]){{path.ptr, latch_i_str_(&digits)}, {NULL, latch_i_str_(NULL)}}));
    int64_t whole = 0;
    size_t i = 0;
    for (; i < digits.len && digits.ptr[i] >= '0' && digits.ptr[i] <= '9' && whole < LATCH_AT_MS_MAX; i++)
        whole = whole * 10 + (digits.ptr[i] - '0');
    if (i == 0 || i >= digits.len || digits.ptr[i] != '.')
        return latch_err_set(&cx->err, LATCH_E_DATA, "item.%s: is %.*s, want Unix seconds", attribute, LATCH_ARG(digits));
    *out = whole + 1;
    *exact = latch_v_json_(latch_object(cx, "$number", digits));
    return LATCH_OK;
}

static latch_status read_ttl(latch_json item, const char *attribute, int64_t *out, latch_value *exact) {
    latch_status status = latch_item_int_or(item, attribute, 0, out);
    *exact = latch_int(*out);
    return status == LATCH_E_DATA ? read_fraction(item, attribute, out, exact) : status;
}

/* With staleAt, which is ours, an item lives on until its ttl; without, an item of npm's, for as long as nothing has removed it. */
latch_cache_age latch_cache_age_of(const latch_cache *cache, int64_t now_s, int64_t ttl_s, int64_t stale_s, int64_t *until_s) {
    int64_t end_s = stale_s >= 0 ? ttl_s : ttl_s + latch_seconds_up(cache->stale_ms);
    *until_s = stale_s >= 0 && ttl_s > 0 ? stale_s : ttl_s > 0 ? ttl_s : 0;
    if (*until_s <= 0 || now_s < *until_s) return LATCH_CACHE_FRESH;
    return cache->stale_ms > 0 && cache->load != NULL && now_s < end_s ? LATCH_CACHE_STALE : LATCH_CACHE_OVER;
}

static latch_status read_item(latch_ctx *cx, const latch_cache_call *c, latch_json item, latch_cache_found *f, latch_json *out) {
    int64_t ttl_s, stale_s;
    f->unchanged = of_other_types;
    LATCH_TRY(read_ttl(item, latch_cache_names_of(cx, c).ttl, &ttl_s, &f->ttl));
    if (latch_item_int_or(item, "staleAt", -1, &stale_s) != LATCH_OK) stale_s = -1;
    latch_cache_age age = latch_cache_age_of(c->cache, latch_seconds_passed(latch_now_ms(cx)), ttl_s, stale_s, &f->until_s);
    bool dated = age != LATCH_CACHE_FRESH && latch_item_int(item, "createdAt", &f->created_at_ms) == LATCH_OK;
    if (age != LATCH_CACHE_FRESH) f->unchanged = dated ? expired : expired_undated;
    if (age == LATCH_CACHE_OVER) return LATCH_OK;
    LATCH_TRY(latch_item_text(item, "value", &f->text));
    if (age == LATCH_CACHE_FRESH) f->unchanged = no_json;
    bool known_missing = latch_str_eq(f->text, LATCH_CACHE_MISSING_TEXT);
    if (known_missing && age == LATCH_CACHE_FRESH) f->says = LATCH_CACHE_KNOWN_MISSING;
    if (known_missing) return LATCH_OK;
    f->says = LATCH_CACHE_HIT;
    f->stale = age == LATCH_CACHE_STALE;
    return latch_json_parse(cx, LATCH_E_DATA, "cached", f->text, out);
}

static void fill(latch_ctx *cx, const latch_cache_call *c, uint64_t stamp, const latch_cache_found *f) {
    const latch_l1_value value = {f->text, f->until_s};
    if (c->cache->l1 == NULL || f->says == LATCH_CACHE_MISS || f->stale) return;
    c->cache->l1->calls->fill(c->cache->l1, cx, c->pk, stamp, &value);
}

latch_status latch_cache_read(latch_ctx *cx, const latch_cache_call *c, bool eventual, latch_cache_found *f, latch_json *out) {
    latch_json item;
    *f = (latch_cache_found){.says = LATCH_CACHE_MISS, .unchanged = absent, .ttl = latch_int(0)};
    *out = LATCH_NULL;
    uint64_t stamp = c->cache->l1 != NULL ? c->cache->l1->calls->reading(c->cache->l1, c->pk) : 0;
    LATCH_TRY(latch_cache_send(cx, c, (latch_request){.operation = LATCH_GET_ITEM, .eventual = eventual}, &item));
    if (item.node == NULL) return LATCH_OK;
    latch_status status = read_item(cx, c, item, f, out);
    if (status == LATCH_OK) fill(cx, c, stamp, f);
    if (status != LATCH_E_DATA) return status;
    latch_warn(cx, "a cached value can't be read and counts as a miss", "cache", c->pk, "why", cx->err.message);
    f->says = LATCH_CACHE_MISS;
    f->stale = false;
    *out = LATCH_NULL;
    return LATCH_OK;
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What npm's package reads in its table has expired where it is stale. */
latch_cache_item latch_cache_item_of(latch_ctx *cx, const latch_cache_call *c, latch_str text, int64_t ttl_ms) {
    int64_t now_ms = latch_now_ms(cx), end_ms = now_ms + (ttl_ms > 0 ? ttl_ms : DEFAULT_TTL_MS);
    latch_cache_item item = {.until_s = ttl_ms == LATCH_CACHE_NEVER_EXPIRES ? 0 : latch_seconds_up(end_ms)};
    bool lives_on = item.until_s > 0 && c->cache->stale_ms > 0 && !c->shared;
    item.ttl_s = lives_on ? latch_seconds_up(end_ms + c->cache->stale_ms) : item.until_s;
    item.pairs[0] = (latch_pair){"value", latch_v_str_(text)};
    item.pairs[1] = (latch_pair){"ttl", latch_int(item.ttl_s)};
    item.pairs[2] = (latch_pair){"createdAt", latch_int(now_ms)};
    item.pairs[3] = (latch_pair){lives_on ? "staleAt" : NULL, latch_int(item.until_s)};
    return item;
}

static latch_cache_put_fn *put_of(const latch_cache *cache) {
    if (cache->strict != NULL) return cache->strict->put;
    return cache->tagging != NULL ? cache->tagging->calls->put : NULL;
}

latch_status latch_cache_write(latch_ctx *cx, const latch_cache_call *c, latch_str text, int64_t ttl_ms, const latch_cache_found *over) {
    latch_cache_item item = latch_cache_item_of(cx, c, text, ttl_ms);
    const latch_cache_found none = {.ttl = latch_int(0)}, *f = over != NULL ? over : &none;
    latch_status status;
    latch_json ignored;
    uint64_t stamp = latch_cache_writing(c->cache, c->pk);
    latch_cache_put_fn *put = over != NULL ? put_of(c->cache) : NULL;
    if (put != NULL) {
        status = put(cx, c, &item, over);
    } else {
        const latch_request request = {.operation = LATCH_PUT_ITEM,
                                       .returns = LATCH_RETURNS_NOTHING,
                                       .condition = f->unchanged,
                                       .values = LATCH_CACHE_SEEN(f),
                                       .item = item.pairs};
        status = latch_cache_send(cx, c, request, &ignored);
    }
    latch_cache_wrote(cx, c->cache, c->pk, stamp, status, text, item.until_s);
    return status;
}

latch_status latch_cache_text(latch_ctx *cx, const latch_cache_call *c, latch_json v, latch_str *text) {
    size_t most = c->cache->max_entry_bytes > 0 ? c->cache->max_entry_bytes : LATCH_CACHE_ENTRY_MAX_BYTES;
    LATCH_TRY(latch_json_text(cx, v, text));
    if (text->len <= most) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%.*s: the value has %zu bytes, want at most %zu: it is not cached", LATCH_ARG(c->pk),
                         text->len, most);
}

/* ── the calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_cache_answer(latch_ctx *cx, const latch_cache_call *c, latch_cache_verdict says) {
    if (says == LATCH_CACHE_HIT) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: %s", LATCH_ARG(c->pk),
                         says == LATCH_CACHE_KNOWN_MISSING ? "is known to be missing" : "is not in the cache");
}

latch_status latch_cache_get(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_json *out) {
    latch_cache_call c;
    latch_cache_found f;
    latch_str text;
    *out = LATCH_NULL;
    LATCH_TRY(latch_cache_begin(cx, cache, key, &c));
    if (cache->l1 != NULL && cache->l1->calls->get(cache->l1, cx, c.pk, &text)) {
        if (latch_str_eq(text, LATCH_CACHE_MISSING_TEXT)) return latch_cache_answer(cx, &c, LATCH_CACHE_KNOWN_MISSING);
        return latch_json_parse(cx, LATCH_E_DATA, "cached", text, out);
    }
    LATCH_TRY(latch_cache_read(cx, &c, c.eventual, &f, out));
    bool loads = cache->load != NULL && (f.says == LATCH_CACHE_MISS || f.stale);
    return loads ? latch_cache_load(cx, &c, f.stale, out) : latch_cache_answer(cx, &c, f.says);
}

latch_status latch_cache_set(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_json v) {
    latch_cache_call c;
    latch_str text;
    LATCH_TRY(latch_cache_begin(cx, cache, key, &c));
    LATCH_TRY(latch_cache_text(cx, &c, v, &text));
    return latch_cache_write(cx, &c, text, cache->ttl_ms, NULL);
}

latch_status latch_cache_delete(latch_ctx *cx, const latch_cache *cache, latch_str key) {
    latch_cache_call c;
    latch_json item;
    LATCH_TRY(latch_cache_begin(cx, cache, key, &c));
    uint64_t stamp = latch_cache_writing(cache, c.pk);
    latch_status status = cache->strict != NULL ? cache->strict->remove(cx, &c)
                                                : latch_cache_send(cx, &c, (latch_request){.operation = LATCH_DELETE_ITEM}, &item);
    latch_cache_wrote(cx, cache, c.pk, stamp, status, (latch_str){NULL, 0}, 0);
    return status;
}

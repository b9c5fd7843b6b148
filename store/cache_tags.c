#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/cache_private.h"

#define TAG_PK_MAX_BYTES 2048
#define CHUNK 50 /* entries of one transaction: a value and a tag item each */

/* ── a tagged set ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct tag_list {
    latch_str tags[LATCH_CACHE_TAGS_MAX], pks[LATCH_CACHE_TAGS_MAX];
    size_t count;
} tag_list;

static latch_status add_tag(latch_ctx *cx, const latch_cache *cache, latch_str tag, tag_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (latch_str_eq(list->tags[i], tag)) return LATCH_OK;
    if (list->count == LATCH_CACHE_TAGS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "cache %s: over %d tags", cache->name, LATCH_CACHE_TAGS_MAX);
    LATCH_TRY(latch_cache_pk(cx, cache, "TAG", TAG_PK_MAX_BYTES, tag, &list->pks[list->count]));
    list->tags[list->count++] = tag;
    return LATCH_OK;
}

static latch_json set_of(latch_ctx *cx, const tag_list *list) {
    latch_json tags = latch_array(cx);
    for (size_t i = 0; i < list->count; i++)
        tags = latch_append(tags, list->tags[i]);
    return latch_object(cx, "$strings", tags);
}

/* The tags into the item, and an action each. */
static latch_status put_tags(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, const tag_list *list,
                             latch_dynamodb_action *actions) {
    latch_str gen = latch_uuid(cx);
    size_t n = 0;
    if (gen.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
    while (item->pairs[n].name != NULL)
        n++;
    item->pairs[n] = (latch_pair){"tags", latch_v_json_(set_of(cx, list))};
    for (size_t i = 0; i < list->count; i++)
        actions[i] = latch_cache_putting(cx, c, list->pks[i], c->pk, LATCH_VALUES("ttl", item->ttl_s, "gen", gen));
    return LATCH_OK;
}

/* In two steps, a crash or an invalidation between them would leave a value that no later invalidation finds. */
static latch_status put_tagged(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, const tag_list *list) {
    latch_dynamodb_action actions[1 + LATCH_CACHE_TAGS_MAX];
    LATCH_TRY(put_tags(cx, c, item, list, actions + 1));
    actions[0] = latch_cache_putting(cx, c, c->pk, c->pk, item->pairs);
    return latch_cache_transact(cx, c, actions, 1 + list->count, NULL);
}

latch_status latch_cache_set_tagged(latch_ctx *cx, const latch_cache *cache, latch_str key, latch_json v, const latch_str *tags,
                                    size_t count) {
    latch_cache_call c;
    latch_str text;
    tag_list list = {.count = 0};
    if (count == 0) return latch_cache_set(cx, cache, key, v);
    LATCH_TRY(latch_cache_begin(cx, cache, key, &c));
    for (size_t i = 0; i < count; i++)
        LATCH_TRY(add_tag(cx, cache, tags[i], &list));
    LATCH_TRY(latch_cache_text(cx, &c, v, &text));
    latch_cache_item item = latch_cache_item_of(cx, &c, text, cache->ttl_ms);
    uint64_t stamp = latch_cache_writing(cache, c.pk);
    latch_status status = put_tagged(cx, &c, &item, &list);
    latch_cache_wrote(cx, cache, c.pk, stamp, status, text, item.until_s);
    return status;
}

/* ── what was loaded ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* With the check of a strict policy, one action less is left. */
static latch_status tag_loaded(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, latch_dynamodb_action *actions,
                               size_t *count) {
    const latch_cache *cache = c->cache;
    const size_t most = LATCH_CACHE_TAGS_MAX - (cache->strict != NULL);
    latch_str tags[LATCH_CACHE_TAGS_MAX];
    tag_list list = {.count = 0};
    *count = 0;
    size_t n = cache->tagging->tags(cx, c->key, c->loaded, tags, most);
    if (n > most)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "cache %s: .tagging gave %zu tags, want at most %zu", cache->name, n, most);
    for (size_t i = 0; i < n; i++)
        LATCH_TRY(add_tag(cx, cache, tags[i], &list));
    if (list.count > 0) LATCH_TRY(put_tags(cx, c, item, &list, actions));
    *count = list.count;
    return LATCH_OK;
}

const struct latch_cache_tagging_calls latch_cache_tagging_calls = {latch_cache_put, tag_loaded};

/* ── invalidation ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct tagged { /* one entry of a tag, as the query found it */
    latch_str pk;       /* the entry's */
    latch_str gen;      /* of its tag item; empty: npm's package wrote it */
    latch_json ttl;     /* the tag item's, where there is no gen; null: none */
    bool live;          /* by that ttl, which is its value's */
    bool done;
    uint64_t stamp; /* of l1 */
} tagged;

typedef struct invalidation {
    latch_cache_call *call;
    latch_cache_names names;
    latch_str tag, tag_pk;
    size_t chunk; /* entries of one transaction */
    uint64_t removed;
} invalidation;

/* A value that was stored by npm's package has no tags, and may have this one. */
static const char tagged_so[] = "attribute_exists(#pk) AND (attribute_not_exists(#tags) OR contains(#tags, :tag))";

typedef struct expressions { /* of one entry's two deletes: what the actions point to */
    const char *condition;
    latch_pair names[2], values[2];
} expressions;

/* That the tag item is still the one that was read: a set meanwhile has given it another gen. */
static void unchanged(const invalidation *in, const tagged *t, expressions *x) {
    *x = (expressions){.names = {{NULL, latch_int(0)}, {NULL, latch_int(0)}}, .values = {{NULL, latch_int(0)}, {NULL, latch_int(0)}}};
    x->condition = "attribute_not_exists(#gen)";
    if (t->gen.len > 0) {
        x->condition = "#gen = :gen";
        x->values[0] = (latch_pair){":gen", latch_v_str_(t->gen)};
    } else if (t->ttl.node != NULL) {
        x->condition = "attribute_not_exists(#gen) AND #ttl = :ttl";
        x->names[0] = (latch_pair){"#ttl", latch_v_cstr_(in->names.ttl)};
        x->values[0] = (latch_pair){":ttl", latch_v_json_(t->ttl)};
    }
}

static latch_dynamodb_action deleting_tag(latch_ctx *cx, const invalidation *in, const tagged *t, expressions *x) {
    unchanged(in, t, x);
    return (latch_dynamodb_action){.kind = LATCH_ACTION_DELETE,
                                   .table = in->names.table,
                                   .key = latch_cache_key(cx, in->call, in->tag_pk, t->pk),
                                   .condition = x->condition,
                                   .names = x->names[0].name != NULL ? x->names : NULL,
                                   .values = x->values[0].name != NULL ? x->values : NULL};
}

/* The call as it is of one entry alone. */
static latch_cache_call call_of(const invalidation *in, const tagged *t) {
    latch_cache_call one = *in->call;
    one.pk = t->pk;
    return one;
}

/* All that aren't done, in one transaction; where it is cancelled, those that were in the way are told by `bad`. */
static latch_status remove_together(latch_ctx *cx, invalidation *in, tagged *list, size_t n, bool *bad) {
    const size_t each = in->call->cache->strict != NULL ? 3 : 2;
    latch_dynamodb_action actions[2 * CHUNK];
    expressions xs[CHUNK];
    latch_dynamodb_cancelled why;
    const latch_pair *names = LATCH_NAMES("#pk", in->names.pk), *values = LATCH_VALUES(":tag", in->tag);
    bool cancelled;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].done) continue;
        actions[count++] = (latch_dynamodb_action){.kind = LATCH_ACTION_DELETE,
                                                   .table = in->names.table,
                                                   .key = latch_cache_key(cx, in->call, list[i].pk, list[i].pk),
                                                   .condition = tagged_so,
                                                   .names = names,
                                                   .values = values};
        actions[count++] = deleting_tag(cx, in, &list[i], &xs[i]);
        if (each == 2) continue;
        const latch_cache_call one = call_of(in, &list[i]);
        LATCH_TRY(one.cache->strict->raising(cx, &one, &actions[count++]));
    }
    if (count == 0) return LATCH_OK;
    LATCH_TRY_BUT(LATCH_CONFLICT, cancelled, latch_cache_transact(cx, in->call, actions, count, &why));
    for (size_t i = 0, at = 0; i < n; i++) {
        if (list[i].done) continue;
        bad[i] = cancelled && why.reasons == NULL;
        for (size_t k = 0; k < each; k++, at++)
            bad[i] = bad[i] || (cancelled && why.reasons != NULL && !latch_str_eq(why.reasons[at].code, LATCH_STR("None")));
        list[i].done = !cancelled;
        in->removed += !cancelled && list[i].live;
    }
    return cancelled ? LATCH_CONFLICT : LATCH_OK;
}

/*
 * The value, then its tag item if nothing was set meanwhile: in this order, a value that stays is one that the tag still finds. The first is
 * a transaction of its own, for its repeat to be recognised: what is told as removed was there.
 */
static latch_status remove_alone(latch_ctx *cx, invalidation *in, tagged *t) {
    const latch_cache_call one = call_of(in, t);
    expressions x;
    bool refused;
    if (one.cache->strict != NULL) LATCH_TRY(one.cache->strict->raise(cx, &one));
    const latch_dynamodb_action value = {.kind = LATCH_ACTION_DELETE,
                                         .table = in->names.table,
                                         .key = latch_cache_key(cx, in->call, t->pk, t->pk),
                                         .condition = tagged_so,
                                         .names = LATCH_NAMES("#pk", in->names.pk),
                                         .values = LATCH_VALUES(":tag", in->tag)};
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_cache_transact(cx, &one, &value, 1, NULL));
    in->removed += !refused && t->live;
    const latch_dynamodb_action tag = deleting_tag(cx, in, t, &x);
    LATCH_TRY_BUT(LATCH_CONFLICT, refused,
                  latch_dynamodb_delete(cx,
                                        &(latch_dynamodb_delete_request){.table = tag.table,
                                                                         .key = tag.key,
                                                                         .condition = tag.condition,
                                                                         .names = tag.names,
                                                                         .values = tag.values,
                                                                         .repeatable = true,
                                                                         .timeout_ms = in->call->cache->timeout_ms},
                                        NULL));
    t->done = true;
    return LATCH_OK;
}

/* Once more without those that were in the way, and then whatever is left one by one. */
static latch_status remove_chunk(latch_ctx *cx, invalidation *in, tagged *list, size_t n) {
    bool bad[CHUNK] = {false}, cancelled;
    size_t left = 0;
    LATCH_TRY_BUT(LATCH_CONFLICT, cancelled, remove_together(cx, in, list, n, bad));
    if (!cancelled) return LATCH_OK;
    for (size_t i = 0; i < n; i++) {
        if (bad[i]) LATCH_TRY(remove_alone(cx, in, &list[i]));
        left += !bad[i];
    }
    if (left > 1) LATCH_TRY_BUT(LATCH_CONFLICT, cancelled, remove_together(cx, in, list, n, bad));
    for (size_t i = 0; i < n; i++)
        if (!list[i].done) LATCH_TRY(remove_alone(cx, in, &list[i]));
    return LATCH_OK;
}

/* This process's own readers don't keep what is about to go. */
static latch_status remove_guarded(latch_ctx *cx, invalidation *in, tagged *list, size_t n) {
    const latch_cache *cache = in->call->cache;
    size_t mark = latch_arena_mark(cx->arena);
    for (size_t i = 0; i < n; i++)
        list[i].stamp = latch_cache_writing(cache, list[i].pk);
    latch_status status = remove_chunk(cx, in, list, n);
    for (size_t i = 0; i < n; i++)
        latch_cache_wrote(cx, cache, list[i].pk, list[i].stamp, status, (latch_str){NULL, 0}, 0);
    latch_arena_rewind(cx->arena, mark);
    return status;
}

/* False: no tag item of a cache's, and nobody else's item is touched for its sake. */
static bool read_tagged(const invalidation *in, latch_json item, int64_t now_s, tagged *out) {
    double ttl_s = 0;
    *out = (tagged){.ttl = LATCH_NULL};
    for (latch_each each = latch_each_in(item); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(in->names.sk))) out->pk = latch_each_text(&each);
        if (latch_str_eq(each.name, LATCH_STR("gen"))) out->gen = latch_each_text(&each);
        if (latch_str_eq(each.name, latch_str_of(in->names.ttl))) out->ttl = latch_each_value(&each);
    }
    const latch_field fields[] = {{in->names.ttl, latch_optional(&ttl_s)}, {NULL, latch_i_num_(NULL)}};
    out->live = latch_read_(item, fields) != LATCH_OK || ttl_s <= 0 || (double)now_s < ttl_s;
    return out->pk.len > 6 && memcmp(out->pk.ptr, "CACHE#", 6) == 0;
}

static latch_status remove_page(latch_ctx *cx, invalidation *in, latch_json items) {
    tagged list[CHUNK];
    size_t n = 0;
    int64_t now_s = latch_seconds_passed(latch_now_ms(cx));
    for (latch_each each = latch_each_in(items); latch_each_next(&each);) {
        n += read_tagged(in, latch_each_value(&each), now_s, &list[n]);
        if (n < in->chunk) continue;
        LATCH_TRY(remove_guarded(cx, in, list, n));
        n = 0;
    }
    return n > 0 ? remove_guarded(cx, in, list, n) : LATCH_OK;
}

static latch_status invalidate(latch_ctx *cx, latch_cache_call *c, latch_str tag, uint64_t *removed) {
    invalidation in = {.call = c, .names = latch_cache_names_of(cx, c), .tag = tag, .chunk = c->cache->strict != NULL ? 33 : CHUNK};
    latch_dynamodb_pages pages;
    LATCH_TRY(latch_cache_pk(cx, c->cache, "TAG", TAG_PK_MAX_BYTES, tag, &in.tag_pk));
    LATCH_TRY(latch_dynamodb_query(
        cx,
        &(latch_dynamodb_query_request){.table = in.names.table,
                                        .key_condition = "#pk = :pk",
                                        .projection = "#sk, #gen, #ttl",
                                        .names = LATCH_NAMES("#pk", in.names.pk, "#sk", in.names.sk, "#ttl", in.names.ttl),
                                        .values = LATCH_VALUES(":pk", in.tag_pk),
                                        .passing = true,
                                        .timeout_ms = c->cache->timeout_ms != 0 ? c->cache->timeout_ms : LATCH_TABLE_TIMEOUT_MS},
        &pages));
    latch_status status = LATCH_OK;
    for (bool more = true; more && status == LATCH_OK;) {
        status = latch_dynamodb_next_page(&pages, &more);
        if (status == LATCH_OK && more) status = remove_page(cx, &in, pages.items);
    }
    *removed += in.removed;
    return status;
}

latch_status latch_cache_invalidate_by_tags(latch_ctx *cx, const latch_cache *cache, const latch_str *tags, size_t count,
                                            uint64_t *removed) {
    latch_cache_call c;
    latch_str checked;
    *removed = 0;
    LATCH_TRY(latch_cache_begin(cx, cache, LATCH_STR("-"), &c));
    for (size_t i = 0; i < count; i++)
        LATCH_TRY(latch_cache_pk(cx, cache, "TAG", TAG_PK_MAX_BYTES, tags[i], &checked));
    for (size_t i = 0; i < count; i++)
        LATCH_TRY(invalidate(cx, &c, tags[i], removed));
    return LATCH_OK;
}

latch_status latch_cache_invalidate_by_tag(latch_ctx *cx, const latch_cache *cache, latch_str tag, uint64_t *removed) {
    return latch_cache_invalidate_by_tags(cx, cache, &tag, 1, removed);
}

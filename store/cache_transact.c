/* What tags and strict caches share: several items of a cache, at once or not at all. */
#include <string.h>

#include "core/ctx_private.h"
#include "store/cache_private.h"

latch_json latch_cache_key(latch_ctx *cx, const latch_cache_call *c, latch_str pk, latch_str sk) {
    const latch_cache_names names = latch_cache_names_of(cx, c);
    return latch_object_(cx, (const latch_pair[]){{names.pk, latch_v_str_(pk)}, {names.sk, latch_v_str_(sk)}, {NULL, latch_int(0)}});
}

latch_dynamodb_action latch_cache_putting(latch_ctx *cx, const latch_cache_call *c, latch_str pk, latch_str sk, const latch_pair *pairs) {
    const latch_cache_names names = latch_cache_names_of(cx, c);
    latch_pair all[10] = {{names.pk, latch_v_str_(pk)}, {names.sk, latch_v_str_(sk)}};
    size_t n = 2;
    for (; pairs->name != NULL && n + 1 < sizeof all / sizeof all[0]; pairs++, n++) {
        all[n] = *pairs;
        if (strcmp(pairs->name, "ttl") == 0) all[n].name = names.ttl;
    }
    return (latch_dynamodb_action){.kind = LATCH_ACTION_PUT, .table = names.table, .item = latch_object_(cx, all)};
}

/* Those of `all` that the expression uses, into `out`, which has as much room and a place for the end. */
static const latch_pair *used(const char *expression, const latch_pair *all, latch_pair *out) {
    size_t n = 0;
    for (; all->name != NULL; all++)
        if (strstr(expression, all->name) != NULL) out[n++] = *all;
    out[n] = (latch_pair){NULL, latch_int(0)};
    return n > 0 ? out : NULL;
}

latch_status latch_cache_transact(latch_ctx *cx, const latch_cache_call *c, const latch_dynamodb_action *actions, size_t count,
                                  latch_dynamodb_cancelled *why) {
    int64_t timeout_ms = c->cache->timeout_ms != 0 ? c->cache->timeout_ms : LATCH_TABLE_TIMEOUT_MS;
    return latch_dynamodb_transact_write(
        cx, &(latch_dynamodb_transact_write_request){.actions = actions, .count = count, .timeout_ms = timeout_ms}, why);
}

latch_status latch_cache_put(latch_ctx *cx, const latch_cache_call *c, latch_cache_item *item, const latch_cache_found *over) {
    const latch_cache *cache = c->cache;
    const latch_cache_names names = latch_cache_names_of(cx, c);
    latch_pair used_names[3], used_values[6];
    latch_dynamodb_action actions[1 + LATCH_CACHE_TAGS_MAX];
    size_t count = 1, tags = 0;
    if (cache->strict != NULL) LATCH_TRY(cache->strict->checking(cx, c, &actions[count++]));
    if (c->tagged) LATCH_TRY(cache->tagging->calls->tag(cx, c, item, actions + count, &tags));
    actions[0] = latch_cache_putting(cx, c, c->pk, c->pk, item->pairs);
    actions[0].condition = over->unchanged;
    actions[0].names = used(over->unchanged, LATCH_NAMES("#pk", names.pk, "#ttl", names.ttl), used_names);
    actions[0].values = used(over->unchanged, LATCH_CACHE_SEEN(over), used_values);
    return latch_cache_transact(cx, c, actions, count + tags, NULL);
}

/* A strict cache: each key has a generation, which deletes raise and which the set of what was loaded checks. */
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/cache_private.h"

#define KEPT_MS (7 * LATCH_DAY_MS)

/*
 * A generation begins with the time, so that one which is made again after its ttl is no older one. A load that is under way for as long as
 * that may find none where there was one: its set is refused then, or there was none when it began, KEPT_MS after its time was over.
 */
static const char raise_update[] = "SET #gen = if_not_exists(#gen, :now) + :one, #ttl = :ttl";

/* CACHE#<name>#<key> becomes CACHEGEN#<name>#<key>. */
static latch_status generation_pk(latch_ctx *cx, const latch_cache_call *c, latch_str *pk) {
    const size_t prefix = sizeof "CACHE" - 1;
    *pk = latch_ctx_text(cx, "CACHEGEN%.*s", (int)(c->pk.len - prefix), c->pk.ptr + prefix);
    return pk->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
}

static int64_t generation_ttl_s(int64_t now_ms, const latch_cache_call *c) {
    return latch_seconds_up(now_ms + c->cache->load_ms + KEPT_MS);
}

static latch_status look(latch_ctx *cx, latch_cache_call *c) {
    latch_request request = {.operation = LATCH_GET_ITEM};
    latch_json item;
    c->generation = 0;
    LATCH_TRY(generation_pk(cx, c, &request.pk));
    LATCH_TRY(latch_cache_send(cx, c, request, &item));
    return item.node != NULL ? latch_item_int_or(item, "gen", 0, &c->generation) : LATCH_OK;
}

static latch_status raise(latch_ctx *cx, const latch_cache_call *c) {
    int64_t now_ms = latch_now_ms(cx);
    latch_request request = {.operation = LATCH_UPDATE_ITEM, .update = raise_update, .returns = LATCH_RETURNS_NOTHING, .repeatable = true};
    latch_json item;
    LATCH_TRY(generation_pk(cx, c, &request.pk));
    request.values = LATCH_VALUES(":now", now_ms, ":one", latch_int(1), ":ttl", generation_ttl_s(now_ms, c));
    return latch_cache_send(cx, c, request, &item);
}

static latch_status raising(latch_ctx *cx, const latch_cache_call *c, latch_dynamodb_action *out) {
    const latch_cache_names names = latch_cache_names_of(cx, c);
    int64_t now_ms = latch_now_ms(cx);
    latch_pair *pairs = latch_arena_alloc(cx->arena, 6 * sizeof *pairs);
    latch_str pk;
    *out = (latch_dynamodb_action){0};
    if (pairs == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
    LATCH_TRY(generation_pk(cx, c, &pk));
    pairs[0] = (latch_pair){"#ttl", latch_v_cstr_(names.ttl)};
    pairs[1] = pairs[5] = (latch_pair){NULL, latch_int(0)};
    pairs[2] = (latch_pair){":now", latch_int(now_ms)};
    pairs[3] = (latch_pair){":one", latch_int(1)};
    pairs[4] = (latch_pair){":ttl", latch_int(generation_ttl_s(now_ms, c))};
    *out = (latch_dynamodb_action){.kind = LATCH_ACTION_UPDATE,
                                   .table = names.table,
                                   .key = latch_cache_key(cx, c, pk, pk),
                                   .update = raise_update,
                                   .names = pairs,
                                   .values = pairs + 2};
    return LATCH_OK;
}

static latch_status checking(latch_ctx *cx, const latch_cache_call *c, latch_dynamodb_action *out) {
    latch_pair *values = latch_arena_alloc(cx->arena, 2 * sizeof *values);
    latch_str pk;
    *out = (latch_dynamodb_action){0};
    if (values == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "cache %s: the arena is full", c->cache->name);
    LATCH_TRY(generation_pk(cx, c, &pk));
    values[0] = (latch_pair){":gen", latch_int(c->generation)};
    values[1] = (latch_pair){NULL, latch_int(0)};
    *out = (latch_dynamodb_action){.kind = LATCH_ACTION_CHECK,
                                   .table = latch_cache_names_of(cx, c).table,
                                   .key = latch_cache_key(cx, c, pk, pk),
                                   .condition = c->generation != 0 ? "#gen = :gen" : "attribute_not_exists(#gen)",
                                   .values = c->generation != 0 ? values : NULL};
    return LATCH_OK;
}

static latch_status remove_key(latch_ctx *cx, const latch_cache_call *c) {
    latch_dynamodb_action actions[2] = {
        {.kind = LATCH_ACTION_DELETE, .table = latch_cache_names_of(cx, c).table, .key = latch_cache_key(cx, c, c->pk, c->pk)}};
    LATCH_TRY(raising(cx, c, &actions[1]));
    return latch_cache_transact(cx, c, actions, 2, NULL);
}

const latch_cache_strict latch_cache_strict_calls = {latch_cache_put, look, remove_key, raise, raising, checking};

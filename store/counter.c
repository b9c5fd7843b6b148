#include "store/counter.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/items.h"
#include "store/keyed.h"

static latch_keyed keyed_of(const latch_counter *c) {
    return (latch_keyed){.store = "counter", .prefix = "COUNTER", .name = c->name, .table = c->paradoxical_table};
}

static latch_keyed keyed_two(const latch_counter *c) {
    return (latch_keyed){.store = "pcounter",
                         .sort = "pcounter's sort key",
                         .prefix = "PKV",
                         .name = c->name,
                         .table = c->paradoxical_table,
                         .partitioned = true,
                         .sort_is_number = c->sort_is_number};
}

static latch_status find(latch_ctx *cx, const latch_counter *c, latch_str key, latch_keyed_item *out) {
    const latch_keyed k = keyed_of(c);
    if (c->sort_is_number)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "counter: .sort_is_number is for partitions: latch_pcounter_ calls");
    return latch_keyed_find(cx, &k, key, out);
}

static latch_status find_two(latch_ctx *cx, const latch_counter *c, latch_pkv_key key, latch_keyed_item *out) {
    const latch_keyed k = keyed_two(c);
    return latch_keyed_find_two(cx, &k, key, out);
}

/* ── adding ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Where the count must be now, so that it is within its bounds, and those of 64 bits, when `by` is added. */
typedef struct room {
    int64_t from, to;
    bool from_none; /* one that isn't there may be begun */
    bool nowhere;   /* no count of 64 bits has room for so much */
} room;

static room room_of(const latch_counter *c, int64_t by) {
    int64_t most = c->has_most ? c->most : INT64_MAX, least = c->has_least ? c->least : INT64_MIN;
    room r = {.from = INT64_MIN, .to = INT64_MAX, .from_none = true};
    if (by > 0) {
        r.nowhere = most < INT64_MIN + by;
        r.to = r.nowhere ? INT64_MIN : most - by;
        r.from_none = most >= by;
    } else if (by < 0) {
        r.nowhere = least > INT64_MAX + by;
        r.from = r.nowhere ? INT64_MAX : least - by;
        r.from_none = least <= by;
    }
    return r;
}

static const char *condition_of(const room *r) {
    return r->from_none ? "attribute_not_exists(#count) OR #count BETWEEN :from AND :to" : "#count BETWEEN :from AND :to";
}

/* Once, or never, and nobody knows: the reply brings the count. */
static latch_status send(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, const room *r, int64_t by, latch_json *out) {
    latch_request request = {.operation = LATCH_UPDATE_ITEM,
                             .at = latch_keyed_at(item),
                             .pk = item->pk,
                             .sk = item->sk,
                             .update = "ADD #count :by",
                             .condition = condition_of(r),
                             .values = LATCH_VALUES(":by", by, ":from", r->from, ":to", r->to)};
    LATCH_TRY(latch_ctx_deadline(cx, c->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, out);
}

static latch_status read_count(latch_json item, int64_t *out) {
    return item.node != NULL ? latch_item_int_or(item, "count", 0, out) : LATCH_OK;
}

static latch_status look(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, latch_counted *out) {
    latch_request request = {.operation = LATCH_GET_ITEM, .at = latch_keyed_at(item), .pk = item->pk, .sk = item->sk};
    latch_json found;
    *out = (latch_counted){0};
    LATCH_TRY(latch_ctx_deadline(cx, c->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    LATCH_TRY(latch_table_call(cx, &request, &found));
    out->found = found.node != NULL;
    return latch_keyed_blame(cx, item, read_count(found, &out->count));
}

/* A transaction tells what it was refused for, and nothing when it is applied. */
static latch_status send_exactly(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, const room *r, int64_t by,
                                 latch_json *out) {
    int64_t timeout_ms = c->timeout_ms != 0 ? c->timeout_ms : LATCH_TABLE_TIMEOUT_MS;
    latch_json key = latch_keyed_json(cx, item, item->elsewhere && item->place.sk_number, NULL);
    return latch_dynamodb_update(cx,
                                 &(latch_dynamodb_update_request){
                                     .table = item->elsewhere ? item->place.table : NULL,
                                     .key = key,
                                     .update = "ADD #count :by",
                                     .condition = condition_of(r),
                                     .values = LATCH_VALUES(":by", by, ":from", r->from, ":to", r->to),
                                     .exactly_once = true,
                                     .timeout_ms = timeout_ms,
                                 },
                                 out);
}

static latch_status read_plain(latch_ctx *cx, latch_json item, int64_t *out) {
    latch_str digits = latch_keyed_member_text(item, "count");
    latch_json number;
    *out = 0;
    if (digits.len == 0) return LATCH_OK;
    LATCH_TRY(latch_json_parse(cx, LATCH_E_DATA, "count", digits, &number));
    return latch_read(number, "", out);
}

/* The author's bound is in the way, or that of 64 bits, which no counter is meant to come near. */
static latch_status refuse(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, int64_t by, int64_t is) {
    bool maybe = cx->err.maybe_applied, bounded = by > 0 ? c->has_most : c->has_least;
    if (bounded) {
        (void)latch_err_set(&cx->err, LATCH_LIMITED, "%.*s: is %" PRId64 ", which %" PRId64 " more would take beyond its bound of %" PRId64,
                            LATCH_ARG(item->pk), is, by, by > 0 ? c->most : c->least);
    } else {
        (void)latch_err_set(&cx->err, LATCH_E_DATA, "%.*s: is %" PRId64 ", and %" PRId64 " more is no number of 64 bits",
                            LATCH_ARG(item->pk), is, by);
    }
    cx->err.maybe_applied = maybe;
    return cx->err.status;
}

static latch_status add(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, int64_t by, int64_t *count) {
    const room r = room_of(c, by);
    latch_json found;
    latch_counted now;
    bool no_room;
    if (r.nowhere) {
        cx->err = (latch_err){.status = LATCH_OK};
        LATCH_TRY(look(cx, c, item, &now));
        *count = now.count;
        return refuse(cx, c, item, by, now.count);
    }
    LATCH_TRY_BUT(LATCH_CONFLICT, no_room, (c->exact ? send_exactly : send)(cx, c, item, &r, by, &found));
    if (!no_room && c->exact) return LATCH_OK;
    bool maybe = !no_room || cx->err.maybe_applied;
    latch_status read = c->exact ? read_plain(cx, found, count) : read_count(found, count);
    cx->err.maybe_applied = maybe;
    if (read != LATCH_OK) return latch_keyed_blame(cx, item, read);
    return no_room ? refuse(cx, c, item, by, *count) : LATCH_OK;
}

/* An exact change brings no count: it is looked up, where it is wanted. */
static latch_status add_and_tell(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item, int64_t by, int64_t *count) {
    int64_t unwanted, *to = count != NULL ? count : &unwanted;
    latch_counted now;
    *to = 0;
    latch_status status = add(cx, c, item, by, to);
    if (status != LATCH_OK && status != LATCH_LIMITED) *to = 0;
    if (status != LATCH_OK || !c->exact || count == NULL) return status;
    status = look(cx, c, item, &now);
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    *count = now.count;
    return status;
}

static latch_status too_much(latch_ctx *cx, const char *store) {
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: %" PRId64 " can't be subtracted: its opposite is no number of 64 bits", store,
                         INT64_MIN);
}

latch_status latch_counter_add(latch_ctx *cx, const latch_counter *c, latch_str key, int64_t by, int64_t *count) {
    latch_keyed_item item;
    if (count != NULL) *count = 0;
    LATCH_TRY(find(cx, c, key, &item));
    return add_and_tell(cx, c, &item, by, count);
}

latch_status latch_counter_incr(latch_ctx *cx, const latch_counter *c, latch_str key, int64_t by, int64_t *count) {
    return latch_counter_add(cx, c, key, by, count);
}

latch_status latch_counter_decr(latch_ctx *cx, const latch_counter *c, latch_str key, int64_t by, int64_t *count) {
    if (count != NULL) *count = 0;
    return by == INT64_MIN ? too_much(cx, "counter") : latch_counter_add(cx, c, key, -by, count);
}

latch_status latch_pcounter_add(latch_ctx *cx, const latch_pcounter *c, latch_pkv_key key, int64_t by, int64_t *count) {
    latch_keyed_item item;
    if (count != NULL) *count = 0;
    LATCH_TRY(find_two(cx, c, key, &item));
    return add_and_tell(cx, c, &item, by, count);
}

latch_status latch_pcounter_incr(latch_ctx *cx, const latch_pcounter *c, latch_pkv_key key, int64_t by, int64_t *count) {
    return latch_pcounter_add(cx, c, key, by, count);
}

latch_status latch_pcounter_decr(latch_ctx *cx, const latch_pcounter *c, latch_pkv_key key, int64_t by, int64_t *count) {
    if (count != NULL) *count = 0;
    return by == INT64_MIN ? too_much(cx, "pcounter") : latch_pcounter_add(cx, c, key, -by, count);
}

/* ── looking ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status get(latch_ctx *cx, const latch_counter *c, const latch_str *keys, size_t count, latch_counted *out) {
    const latch_dynamodb_keys names = {.table = c->paradoxical_table, .pk = "key"};
    latch_dynamodb_read *reads = latch_keyed_room(cx, "counter", count, sizeof *reads);
    latch_dynamodb_gotten got;
    if (reads == NULL) return cx->err.status;
    for (size_t i = 0; i < count; i++) {
        latch_keyed_item item;
        LATCH_TRY(find(cx, c, keys[i], &item));
        reads[i].key = latch_keyed_json(cx, &item, false, NULL);
    }
    LATCH_TRY(latch_dynamodb_batch_get(cx,
                                       &(latch_dynamodb_batch_get_request){.reads = reads,
                                                                           .count = count,
                                                                           .table = c->paradoxical_table,
                                                                           .keys = &names,
                                                                           .keys_count = c->paradoxical_table != NULL,
                                                                           .projection = "#count",
                                                                           .timeout_ms = c->timeout_ms},
                                       &got));
    for (size_t i = 0; i < count; i++) {
        out[i].found = got.items[i].found;
        LATCH_TRY(read_plain(cx, got.items[i].item, &out[i].count));
    }
    return LATCH_OK;
}

static void forget(latch_counted *out, size_t count) {
    for (size_t i = 0; i < count; i++)
        out[i] = (latch_counted){0};
}

latch_status latch_counter_get(latch_ctx *cx, const latch_counter *c, const latch_str *keys, size_t keys_count, latch_counted *out) {
    forget(out, keys_count);
    if (keys_count == 0) return LATCH_OK;
    latch_status status = get(cx, c, keys, keys_count, out);
    if (status != LATCH_OK) forget(out, keys_count);
    return status;
}

latch_status latch_pcounter_get(latch_ctx *cx, const latch_pcounter *c, latch_pkv_key key, latch_counted *out) {
    latch_keyed_item item;
    *out = (latch_counted){0};
    LATCH_TRY(find_two(cx, c, key, &item));
    latch_status status = look(cx, c, &item, out);
    if (status != LATCH_OK) *out = (latch_counted){0};
    return status;
}

/* ── deleting ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status delete_item(latch_ctx *cx, const latch_counter *c, const latch_keyed_item *item) {
    latch_request request = {.operation = LATCH_DELETE_ITEM,
                             .at = latch_keyed_at(item),
                             .pk = item->pk,
                             .sk = item->sk,
                             .returns = LATCH_RETURNS_NOTHING,
                             .repeatable = c->exact};
    latch_json none;
    LATCH_TRY(latch_ctx_deadline(cx, c->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request.deadline_at_ms));
    return latch_table_call(cx, &request, &none);
}

latch_status latch_counter_delete(latch_ctx *cx, const latch_counter *c, latch_str key) {
    latch_keyed_item item;
    LATCH_TRY(find(cx, c, key, &item));
    return delete_item(cx, c, &item);
}

latch_status latch_pcounter_delete(latch_ctx *cx, const latch_pcounter *c, latch_pkv_key key) {
    latch_keyed_item item;
    LATCH_TRY(find_two(cx, c, key, &item));
    return delete_item(cx, c, &item);
}

/* ── scoped ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_scoped_counter_inc(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key, int64_t by, int64_t *count) {
    return latch_counter_incr(cx, scoped->counter, scoped->key(cx, key), by, count);
}

latch_status latch_scoped_counter_decr(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key, int64_t by, int64_t *count) {
    return latch_counter_decr(cx, scoped->counter, scoped->key(cx, key), by, count);
}

latch_status latch_scoped_counter_get(latch_ctx *cx, const latch_scoped_counter *scoped, const latch_str *keys, size_t keys_count,
                                      latch_counted *out) {
    forget(out, keys_count);
    if (keys_count == 0) return LATCH_OK;
    latch_str *made = latch_keyed_room(cx, "counter", keys_count, sizeof *made);
    if (made == NULL) return cx->err.status;
    for (size_t i = 0; i < keys_count; i++)
        made[i] = scoped->key(cx, keys[i]);
    return latch_counter_get(cx, scoped->counter, made, keys_count, out);
}

latch_status latch_scoped_counter_current(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key, int64_t *count) {
    latch_counted one;
    *count = 0;
    latch_status status = latch_scoped_counter_get(cx, scoped, &key, 1, &one);
    *count = one.count;
    return status;
}

latch_status latch_scoped_counter_reset(latch_ctx *cx, const latch_scoped_counter *scoped, latch_str key) {
    return latch_counter_delete(cx, scoped->counter, scoped->key(cx, key));
}

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/text.h"
#include "store/bulk.h"
#include "store/items.h"
#include "store/rate_private.h"
#include "store/transact.h"

/*
 * The npm package's slots: each grant takes one, with an event beside it for the package's own counts, in one transaction that is conditioned
 * on the slot being free. The package only ever looks at slots below its own limit, so callers with another limit don't see each other's above
 * the lower one. Only slots below k are used, the largest k with k + (live slots numbered k or more) <= limit: with each slot below k taken,
 * no more than the limit are live.
 */
#define TRIES_MAX 8
#define TTL_MARGIN_MS LATCH_MINUTE_MS /* behind the window and the skew between clocks: TTL deletes no slot that counts */
#define RESET_PAGE_ITEMS 100

typedef struct board {  /* the live slots, as they were read and as lost races show them */
    int64_t *stamps_ms; /* of slot i, 0: it is free; `limit` of them */
    int64_t *beyond_ms; /* of those that have no such number, in no order */
    size_t beyond, room;
    int64_t live;           /* in all */
    int64_t now_ms, usable; /* k */
} board;

static latch_status no_memory(latch_ctx *cx, const latch_slots *s) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s %.*s: the arena is full", s->store, LATCH_ARG(s->resource));
}

static latch_str joined(latch_ctx *cx, const char *prefix, latch_str resource, latch_str priority) {
    return latch_ctx_text(cx, "%s#%.*s%s%.*s", prefix, LATCH_ARG(resource), priority.len > 0 ? "#" : "", LATCH_ARG(priority));
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* "SLOT#12": 12; a name of another form, as a fractional limit makes, is no number of ours. */
static int64_t number_of(latch_str sk) {
    int64_t n = 0;
    if (sk.len < 6 || sk.len > 15 || memcmp(sk.ptr, "SLOT#", 5) != 0) return INT64_MAX;
    for (size_t i = 5; i < sk.len; i++) {
        if (sk.ptr[i] < '0' || sk.ptr[i] > '9') return INT64_MAX;
        n = n * 10 + (sk.ptr[i] - '0');
    }
    return sk.len > 6 && sk.ptr[5] == '0' ? INT64_MAX : n;
}

static latch_status make_room(latch_ctx *cx, const latch_slots *s, board *b) {
    size_t room = b->room == 0 ? 16 : b->room * 2;
    int64_t *grown = latch_arena_grow(cx->arena, b->beyond_ms, b->room * sizeof *grown, room * sizeof *grown);
    if (grown == NULL) return no_memory(cx, s);
    b->beyond_ms = grown, b->room = room;
    return LATCH_OK;
}

/* A slot without a time, as another may have left it, is never free to the package either. */
static int64_t stamp_of(const board *b, latch_json item) {
    double stamp;
    bool told = latch_read(item, "timestamp", &stamp) == LATCH_OK && stamp > 0 && stamp < (double)LATCH_AT_MS_MAX;
    return told ? (int64_t)stamp : b->now_ms;
}

static void mark(board *b, int64_t number, int64_t stamp_ms) {
    b->live += b->stamps_ms[number] == 0;
    b->stamps_ms[number] = stamp_ms;
}

static latch_status put_slot(latch_ctx *cx, const latch_slots *s, board *b, latch_json item) {
    latch_str sk;
    LATCH_TRY(latch_read(item, "sk", &sk));
    int64_t number = number_of(sk), stamp_ms = stamp_of(b, item);
    if (stamp_ms < b->now_ms - s->window_ms) return LATCH_OK;
    if (number < s->limit) {
        mark(b, number, stamp_ms);
        return LATCH_OK;
    }
    if (b->beyond == b->room) LATCH_TRY(make_room(cx, s, b));
    b->beyond_ms[b->beyond++] = stamp_ms;
    b->live++;
    return LATCH_OK;
}

/* The largest k for which k and what is live at k or above fit into the limit. Below it, limit - live are free. */
static void find_usable(const latch_slots *s, board *b) {
    int64_t above = (int64_t)b->beyond;
    b->usable = s->limit;
    while (b->usable > 0 && b->usable + above > s->limit)
        above += b->stamps_ms[--b->usable] != 0;
}

static int64_t left_ms(const latch_ctx *cx, int64_t deadline_at_ms) {
    int64_t left = deadline_at_ms - latch_now_ms(cx);
    return left > 0 ? left : 1;
}

static latch_status read_board(latch_ctx *cx, const latch_slots *s, board *b) {
    latch_dynamodb_pages pages;
    latch_str pk = joined(cx, "RATELIMIT_SLOT", s->resource, s->priority);
    size_t bytes = (size_t)s->limit * sizeof(int64_t);
    *b = (board){.now_ms = latch_now_ms(cx), .stamps_ms = latch_arena_alloc(cx->arena, bytes)};
    if (b->stamps_ms == NULL || pk.ptr == NULL) return no_memory(cx, s);
    memset(b->stamps_ms, 0, bytes);
    const latch_dynamodb_query_request request = {.table = s->table,
                                                  .key_condition = "#pk = :pk AND begins_with(#sk, :slot)",
                                                  .projection = "#sk, #timestamp",
                                                  .values = LATCH_VALUES(":pk", pk, ":slot", "SLOT#"),
                                                  .consistency = LATCH_DYNAMODB_STRONG,
                                                  .timeout_ms = left_ms(cx, s->deadline_at_ms)};
    LATCH_TRY(latch_dynamodb_query(cx, &request, &pages));
    for (;;) {
        latch_json item;
        bool more;
        LATCH_TRY(latch_dynamodb_next(&pages, &item, &more));
        if (!more) break;
        LATCH_TRY(put_slot(cx, s, b, item));
    }
    find_usable(s, b);
    return LATCH_OK;
}

/* ── how it stands ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* All that are live, oldest first. */
static latch_status stamps_of(latch_ctx *cx, const latch_slots *s, const board *b, int64_t **out) {
    size_t count = 0;
    int64_t *stamps = latch_arena_alloc(cx->arena, ((size_t)b->live + 1) * sizeof *stamps);
    if (stamps == NULL) return no_memory(cx, s);
    for (int64_t i = 0; i < s->limit; i++)
        if (b->stamps_ms[i] != 0) stamps[count++] = b->stamps_ms[i];
    for (size_t i = 0; i < b->beyond; i++)
        stamps[count++] = b->beyond_ms[i];
    qsort(stamps, count, sizeof *stamps, by_time);
    *out = stamps;
    return LATCH_OK;
}

static void report_future(latch_ctx *cx, const latch_slots *s, int64_t ahead_ms) {
    if (ahead_ms > latch_table_skew_ms(cx))
        latch_warn(cx, "rate: a grant is stamped in the future: a clock is wrong", "key", s->resource, "ahead_ms", ahead_ms);
}

static latch_status describe(latch_ctx *cx, const latch_slots *s, const board *b, latch_rate_state *out) {
    int64_t *stamps = NULL, free = b->live < s->limit ? s->limit - b->live : 0;
    *out = (latch_rate_state){.limit = s->limit, .window_ms = s->window_ms, .remaining = free, .reset_at_ms = b->now_ms};
    if (b->live == 0) return LATCH_OK;
    LATCH_TRY(stamps_of(cx, s, b, &stamps));
    report_future(cx, s, stamps[b->live - 1] - b->now_ms);
    out->reset_at_ms = stamps[b->live - 1] + s->window_ms + 1;
    if (free < s->n) out->retry_at_ms = stamps[b->live + s->n - s->limit - 1] + s->window_ms + 1;
    return LATCH_OK;
}

latch_status latch_slots_look(latch_ctx *cx, const latch_slots *s, latch_rate_state *out) {
    board b;
    LATCH_TRY(read_board(cx, s, &b));
    return describe(cx, s, &b, out);
}

/* ── taking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Which of `count`: callers that see the same board don't all go for the same slot. */
static int64_t any_of(int64_t count) {
    uint32_t random = 0;
    (void)(getentropy(&random, sizeof random) == 0);
    return (int64_t)random % count;
}

/* n of the free ones below k, which are so many at least. */
static latch_status pick(latch_ctx *cx, const latch_slots *s, const board *b, int64_t **out) {
    int64_t count = 0, *free = latch_arena_alloc(cx->arena, (size_t)s->limit * sizeof *free);
    if (free == NULL) return no_memory(cx, s);
    for (int64_t i = 0; i < b->usable; i++)
        if (b->stamps_ms[i] == 0) free[count++] = i;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t other = i + any_of(count - i), taken = free[other];
        free[other] = free[i];
        free[i] = taken;
    }
    *out = free;
    return LATCH_OK;
}

static int64_t ttl_s(const latch_ctx *cx, const latch_slots *s, int64_t now_ms) {
    return latch_seconds_up(now_ms + s->window_ms + latch_table_skew_ms(cx) + TTL_MARGIN_MS);
}

static latch_json event_of(latch_ctx *cx, const latch_slots *s, int64_t now_ms) {
    latch_str id = latch_uuid(cx), pk = joined(cx, "RATELIMIT", s->resource, LATCH_STR("")), sk;
    sk = latch_ctx_text(cx, "TS#%" PRId64 "#%.*s", now_ms, LATCH_ARG(id));
    int64_t ttl = ttl_s(cx, s, now_ms);
    if (s->priority.len == 0) return latch_object(cx, "pk", pk, "sk", sk, "timestamp", now_ms, "ttl", ttl);
    return latch_object(cx, "pk", pk, "sk", sk, "timestamp", now_ms, "ttl", ttl, "gsi1pk",
                        joined(cx, "RATELIMIT", s->resource, s->priority), "gsi1sk", sk, "priority", s->priority);
}

/* A slot and an event for each of the n, all at once. */
static latch_status send(latch_ctx *cx, const latch_slots *s, const board *b, const int64_t *slots, latch_dynamodb_cancelled *why) {
    latch_str pk = joined(cx, "RATELIMIT_SLOT", s->resource, s->priority);
    const latch_pair *values = LATCH_VALUES(":window_start", b->now_ms - s->window_ms);
    latch_dynamodb_action *actions = latch_arena_alloc(cx->arena, 2 * (size_t)s->n * sizeof *actions);
    *why = (latch_dynamodb_cancelled){.count = 0};
    if (actions == NULL || pk.ptr == NULL) return no_memory(cx, s);
    for (int64_t i = 0; i < s->n; i++) {
        latch_str sk = latch_ctx_text(cx, "SLOT#%" PRId64, slots[i]);
        actions[2 * i] =
            (latch_dynamodb_action){LATCH_ACTION_PUT,
                                    .table = s->table,
                                    .item = latch_object(cx, "pk", pk, "sk", sk, "timestamp", b->now_ms, "ttl", ttl_s(cx, s, b->now_ms)),
                                    .condition = "attribute_not_exists(#pk) OR #timestamp < :window_start",
                                    .values = values,
                                    .wants_item = true};
        actions[2 * i + 1] = (latch_dynamodb_action){LATCH_ACTION_PUT, .table = s->table, .item = event_of(cx, s, b->now_ms)};
    }
    const latch_dynamodb_transact_write_request request = {
        .actions = actions, .count = 2 * (size_t)s->n, .timeout_ms = left_ms(cx, s->deadline_at_ms)};
    return latch_dynamodb_transact_write(cx, &request, why);
}

/* Slots that others have taken since. */
static void mark_lost(const latch_slots *s, board *b, const int64_t *slots, const latch_dynamodb_cancelled *why) {
    for (size_t i = 0; i < (size_t)s->n && 2 * i < why->count; i++) {
        const latch_dynamodb_reason *reason = &why->reasons[2 * i];
        if (latch_str_eq(reason->code, LATCH_STR("ConditionalCheckFailed"))) mark(b, slots[i], stamp_of(b, reason->item));
    }
    find_usable(s, b);
}

static bool is_lost_race(latch_status status, const latch_dynamodb_cancelled *why) {
    return status == LATCH_CONFLICT || (status == LATCH_E_THROTTLED && why->count > 0);
}

latch_status latch_slots_take(latch_ctx *cx, latch_slots *s, latch_rate_state *out) {
    board b;
    LATCH_TRY(read_board(cx, s, &b));
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        latch_dynamodb_cancelled why;
        int64_t *slots = NULL;
        LATCH_TRY(describe(cx, s, &b, out));
        if (out->retry_at_ms != 0) return LATCH_LIMITED;
        LATCH_TRY(pick(cx, s, &b, &slots));
        latch_status status = send(cx, s, &b, slots, &why);
        s->maybe = s->maybe || status == LATCH_OK || cx->err.maybe_applied;
        if (status != LATCH_OK && !is_lost_race(status, &why)) return status;
        if (status != LATCH_OK) mark_lost(s, &b, slots, &why);
        if (status != LATCH_OK) continue;
        for (int64_t i = 0; i < s->n; i++)
            mark(&b, slots[i], b.now_ms);
        LATCH_TRY(describe(cx, s, &b, out));
        out->retry_at_ms = 0;
        return LATCH_OK;
    }
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%s %.*s: others were faster at each of %d slots", s->store, LATCH_ARG(s->resource),
                         TRIES_MAX);
}

latch_status latch_slots_event(latch_ctx *cx, latch_slots *s) {
    const latch_dynamodb_put_request request = {.table = s->table,
                                                .item = event_of(cx, s, latch_now_ms(cx)),
                                                .repeatable = true, /* its key is its own */
                                                .timeout_ms = left_ms(cx, s->deadline_at_ms)};
    latch_status status = latch_dynamodb_put(cx, &request, NULL);
    if (status != LATCH_OK) s->maybe = s->maybe || cx->err.maybe_applied;
    return status;
}

/* ── forgetting ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status delete_page(latch_ctx *cx, const latch_slots *s, latch_json items) {
    const latch_dynamodb_keys keys = {.table = s->table, .pk = "pk", .sk = "sk"};
    size_t count = latch_count(items);
    latch_dynamodb_written written;
    latch_dynamodb_write *writes = latch_arena_alloc(cx->arena, (count + 1) * sizeof *writes);
    if (writes == NULL) return no_memory(cx, s);
    for (latch_each each = latch_each_in(items); latch_each_next(&each);)
        writes[each.index] = (latch_dynamodb_write){.delete_key = latch_each_value(&each)};
    if (count == 0) return LATCH_OK;
    const latch_dynamodb_batch_write_request request = {.writes = writes,
                                                        .count = count,
                                                        .table = s->table,
                                                        .keys = &keys,
                                                        .keys_count = 1,
                                                        .once = true,
                                                        .timeout_ms = left_ms(cx, s->deadline_at_ms)};
    return latch_dynamodb_batch_write(cx, &request, &written);
}

latch_status latch_slots_forget(latch_ctx *cx, const latch_slots *s, const char *partition) {
    latch_dynamodb_pages pages;
    latch_str pk = joined(cx, partition, s->resource, s->priority);
    if (pk.ptr == NULL) return no_memory(cx, s);
    const latch_dynamodb_query_request request = {.table = s->table,
                                                  .key_condition = "#pk = :pk",
                                                  .projection = "#pk, #sk",
                                                  .values = LATCH_VALUES(":pk", pk),
                                                  .consistency = LATCH_DYNAMODB_STRONG,
                                                  .page_items = RESET_PAGE_ITEMS,
                                                  .passing = true,
                                                  .timeout_ms = left_ms(cx, s->deadline_at_ms)};
    LATCH_TRY(latch_dynamodb_query(cx, &request, &pages));
    for (;;) {
        bool more;
        LATCH_TRY(latch_dynamodb_next_page(&pages, &more));
        if (!more) return LATCH_OK;
        LATCH_TRY(delete_page(cx, s, pages.items));
    }
}

/* ── of a rate limit ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_slots slots_of(const latch_rate_call *c) {
    return (latch_slots){.table = c->policy->toolkit_table,
                         .store = "rate",
                         .resource = c->pk,
                         .limit = c->rule.limit,
                         .window_ms = c->rule.window_ms,
                         .n = c->n,
                         .deadline_at_ms = c->deadline_at_ms};
}

latch_status latch_rate_slots_take(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    latch_slots s = slots_of(c);
    latch_status status = latch_slots_take(cx, &s, out);
    if (c->records && status == LATCH_LIMITED) status = latch_slots_event(cx, &s);
    c->maybe = c->maybe || s.maybe;
    return status;
}

latch_status latch_rate_slots_read(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    const latch_slots s = slots_of(c);
    return latch_slots_look(cx, &s, out);
}

/* The slots first: what is left behind by a failure is events, which nothing is refused for. */
latch_status latch_rate_slots_reset(latch_ctx *cx, const latch_rate_call *c) {
    const latch_slots s = slots_of(c);
    LATCH_TRY(latch_slots_forget(cx, &s, "RATELIMIT_SLOT"));
    return latch_slots_forget(cx, &s, "RATELIMIT");
}

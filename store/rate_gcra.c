#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/rate_private.h"

/*
 * `tat` is when all of the burst is free again: each grant moves it on by an interval, from now where it has passed. DynamoDB's updates know no
 * larger-of, so it takes two branches. `last` makes a repeat visible, in both.
 */
#define GUARD " AND (attribute_not_exists(#last) OR #last <> :id)"
#define SET_REST ", #last = :id, #ttl = :ttl"

typedef enum branch { RUNS, RESTS, OVERFLOWS } branch;

static const struct {
    const char *update, *condition;
} branches[] = {
    [RUNS] = {"SET #tat = if_not_exists(#tat, :now) + :step" SET_REST,
              "(attribute_not_exists(#tat) OR #tat BETWEEN :now AND :limit_at)" GUARD},
    [RESTS] = {"SET #tat = :now_plus_step" SET_REST, "#tat < :now" GUARD},
    [OVERFLOWS] = {"SET #tat = :full" SET_REST, "#tat BETWEEN :limit_at AND :full" GUARD}, /* of a record: no more than a burst */
};

typedef struct cell {
    latch_rate_call *c;
    branch next;
    latch_str id;
    int64_t now_us;
} cell;

static int64_t full_us(const latch_rate_call *c) { return c->rule.burst * c->interval_us; }

/* `at_us` as the first whole millisecond that isn't before it. */
static int64_t up_ms(int64_t at_us) { return (at_us + 999) / 1000; }

/* How it stands, `tat_us` being 0 where there is no item. */
static void describe(latch_ctx *cx, const latch_rate_call *c, int64_t tat_us, int64_t now_us, latch_rate_state *out) {
    int64_t from_us = tat_us > now_us ? tat_us : now_us, room_us = now_us + full_us(c) - from_us;
    int64_t free_us = tat_us - full_us(c) + c->n * c->interval_us; /* when n fit */
    *out = (latch_rate_state){.limit = c->rule.burst, .window_ms = c->rule.window_ms, .reset_at_ms = up_ms(from_us)};
    out->remaining = room_us > 0 ? room_us / c->interval_us : 0;
    if (free_us > now_us) out->retry_at_ms = up_ms(free_us);
    int64_t ahead_ms = (tat_us - now_us - full_us(c)) / 1000;
    if (ahead_ms > latch_table_skew_ms(cx))
        latch_warn(cx, "rate: more is taken than a burst holds: a clock is wrong, or the burst was lowered", "key", c->pk, "ahead_ms",
                   ahead_ms);
}

static latch_status read_tat(latch_json item, int64_t *out) {
    *out = 0;
    if (item.node == NULL) return LATCH_OK;
    LATCH_TRY(latch_item_int_or(item, "tat", 0, out));
    if (*out >= 0 && *out <= LATCH_AT_MS_MAX * 1000) return LATCH_OK;
    return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.tat.N: is %" PRId64 ", want Unix microseconds", *out);
}

latch_status latch_rate_gcra_read(latch_ctx *cx, const latch_rate_call *c, latch_json item, latch_rate_state *out) {
    int64_t tat_us;
    LATCH_TRY(read_tat(item, &tat_us));
    describe(cx, c, tat_us, latch_now_ms(cx) * 1000, out);
    return LATCH_OK;
}

static latch_status send(latch_ctx *cx, void *arg, latch_json *item) {
    cell *s = arg;
    latch_rate_call *c = s->c;
    int64_t now_ms = latch_now_ms(cx), step_us = c->n * c->interval_us, span_ms = up_ms(full_us(c));
    s->now_us = now_ms * 1000;
    const latch_request r = {
        .operation = LATCH_UPDATE_ITEM,
        .pk = c->pk,
        .sk = LATCH_STR("RATE"),
        .update = branches[s->next].update,
        .condition = branches[s->next].condition,
        .values = LATCH_VALUES(":now", s->now_us, ":step", step_us, ":now_plus_step", s->now_us + step_us, ":limit_at",
                               s->now_us + full_us(c) - step_us, ":full", s->now_us + full_us(c), ":id", s->id, ":ttl",
                               latch_rate_ttl_s(cx, now_ms, span_ms > c->rule.window_ms ? span_ms : c->rule.window_ms)),
        .deadline_at_ms = c->deadline_at_ms,
        .repeatable = true,
        .timed = true,
    };
    return latch_table_call(cx, &r, item);
}

/* What the item that refused leaves to do. */
static branch after(const cell *s, int64_t tat_us) {
    int64_t limit_at_us = s->now_us + full_us(s->c) - s->c->n * s->c->interval_us;
    if (tat_us == 0) return RUNS;
    if (tat_us < s->now_us) return RESTS;
    return tat_us <= limit_at_us ? RUNS : OVERFLOWS;
}

/* One request, and what it means: LATCH_OK granted, LATCH_LIMITED refused, LATCH_CONFLICT try `next`. */
static latch_status ask(latch_ctx *cx, cell *s, latch_rate_state *out) {
    latch_rate_call *c = s->c;
    latch_json item;
    latch_str last = LATCH_STR("");
    bool refused;
    int64_t tat_us;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_rate_send(cx, send, s, c->policy->timeout_ms, &c->deadline_at_ms, &c->maybe, &item));
    if (!refused) c->maybe = true; /* should what comes back not be readable */
    LATCH_TRY(read_tat(item, &tat_us));
    if (item.node != NULL) LATCH_TRY(latch_item_text_or(item, "last", last, &last));
    describe(cx, c, tat_us, s->now_us, out);
    if (c->known != NULL) c->known->tat_us = tat_us;
    if (!refused || latch_str_eq(last, s->id)) return LATCH_OK;
    s->next = after(s, tat_us);
    if (s->next != OVERFLOWS) return LATCH_CONFLICT;
    if (!c->records) return LATCH_LIMITED;
    return tat_us >= s->now_us + full_us(c) ? LATCH_OK : LATCH_CONFLICT; /* as full as it gets */
}

latch_status latch_rate_gcra_take(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    bool rests = c->known != NULL && c->known->tat_us != 0 && c->known->tat_us < latch_now_ms(cx) * 1000;
    cell s = {.c = c, .next = rests ? RESTS : RUNS, .id = latch_uuid(cx)};
    if (s.id.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%.*s: the arena is full", LATCH_ARG(c->pk));
    for (int requests = 0; requests < LATCH_RATE_REQUESTS_MAX; requests++) {
        latch_status status = ask(cx, &s, out);
        if (status == LATCH_OK) out->retry_at_ms = 0;
        if (status != LATCH_CONFLICT) return status;
    }
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed by others between each two of %d requests", LATCH_ARG(c->pk),
                         LATCH_RATE_REQUESTS_MAX);
}

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/items.h"
#include "store/layouts.h"
#include "store/rate_private.h"

/*
 * In a table of the npm package: each priority has slots of its own, as many as its share is now. The activity is that of the events, which all
 * processes write; the package loads them once a process, here they are read anew with each split.
 */
#define SAMPLES_LEAST 100 /* of the newest user events that are looked at: the package's bound */
#define SAMPLES_PER_HIGH 20
#define SAMPLES_MOST 5000

static latch_str name_of(latch_priority priority) { return priority == LATCH_USER ? LATCH_STR("user") : LATCH_STR("background"); }

static latch_status query(latch_ctx *cx, const latch_adaptive_call *c, latch_priority priority, int64_t from_ms, int64_t limit,
                          latch_dynamodb_pages *pages) {
    latch_str name = name_of(priority), pk = latch_ctx_text(cx, "RATELIMIT#%.*s#%.*s", LATCH_ARG(c->pk), LATCH_ARG(name));
    latch_str from = latch_ctx_text(cx, "TS#%" PRId64, from_ms);
    int64_t left_ms = c->deadline_at_ms - latch_now_ms(cx);
    if (pk.ptr == NULL || from.ptr == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "adaptive %s: the arena is full", c->policy->name);
    const latch_dynamodb_query_request request = {.table = c->policy->toolkit_table,
                                                  .index = "gsi1",
                                                  .key_condition = "#gsi1pk = :pk AND #gsi1sk >= :from",
                                                  .projection = "#timestamp",
                                                  .values = LATCH_VALUES(":pk", pk, ":from", from),
                                                  .backward = true,
                                                  .limit = limit,
                                                  .timeout_ms = left_ms > 0 ? left_ms : 1};
    return latch_dynamodb_query(cx, &request, pages);
}

static latch_status next(latch_ctx *cx, const latch_adaptive_call *c, latch_dynamodb_pages *pages, latch_json *event, bool *more) {
    return latch_layout_explain(cx, latch_dynamodb_next(pages, event, more), c->policy->toolkit_table, "toolkit", "gsi1");
}

/* The newest event of a priority; 0: there is none. */
static latch_status newest(latch_ctx *cx, const latch_adaptive_call *c, latch_priority priority, int64_t *at_ms) {
    latch_dynamodb_pages pages;
    latch_json event;
    bool more;
    double stamp = 0;
    LATCH_TRY(query(cx, c, priority, 0, 1, &pages));
    LATCH_TRY(next(cx, c, &pages, &event, &more));
    if (more) LATCH_TRY(latch_read(event, "timestamp", &stamp));
    *at_ms = stamp > 0 && stamp <= (double)LATCH_AT_MS_MAX ? (int64_t)stamp : 0;
    return LATCH_OK;
}

static void count(const latch_adaptive_call *c, int64_t now_ms, double stamp, latch_activity *a) {
    double age_ms = (double)now_ms - stamp, third_ms = (double)c->rule.monitoring_ms / 3;
    if (age_ms >= (double)c->rule.monitoring_ms) return;
    a->all++;
    a->recent += age_ms < third_ms;
    a->before += age_ms >= third_ms && age_ms < 2 * third_ms;
}

static latch_status read_activity(latch_ctx *cx, const latch_adaptive_call *c, latch_activity *a) {
    latch_dynamodb_pages pages;
    int64_t now_ms = latch_now_ms(cx), samples = c->rule.high * SAMPLES_PER_HIGH, other_at_ms;
    if (samples < SAMPLES_LEAST) samples = SAMPLES_LEAST;
    if (samples > SAMPLES_MOST) samples = c->rule.high > SAMPLES_MOST ? c->rule.high : SAMPLES_MOST;
    *a = (latch_activity){.any = true};
    LATCH_TRY(query(cx, c, LATCH_USER, now_ms - c->rule.monitoring_ms, samples, &pages));
    for (;;) {
        latch_json event;
        bool more;
        double stamp;
        LATCH_TRY(next(cx, c, &pages, &event, &more));
        if (!more) break;
        LATCH_TRY(latch_read(event, "timestamp", &stamp));
        count(c, now_ms, stamp, a);
    }
    if (a->all > 0) return LATCH_OK;
    LATCH_TRY(newest(cx, c, LATCH_USER, &a->user_at_ms));
    if (a->user_at_ms != 0) return LATCH_OK;
    LATCH_TRY(newest(cx, c, LATCH_BACKGROUND, &other_at_ms));
    a->any = other_at_ms != 0;
    return LATCH_OK;
}

static latch_status divide(latch_ctx *cx, latch_adaptive_call *c) {
    latch_activity a;
    if (latch_adaptive_split_holds(cx, c)) {
        c->split = c->known->split;
        return LATCH_OK;
    }
    LATCH_TRY(read_activity(cx, c, &a));
    c->split = (latch_adaptive_state){.limit = c->rule.limit, .window_ms = c->rule.window_ms};
    latch_adaptive_divide(&c->rule, &a, latch_now_ms(cx), &c->split);
    latch_adaptive_split_keep(cx, c);
    return LATCH_OK;
}

static latch_slots slots_of(const latch_adaptive_call *c, latch_priority priority) {
    return (latch_slots){.table = c->policy->toolkit_table,
                         .store = "adaptive",
                         .resource = c->pk,
                         .priority = name_of(priority),
                         .limit = priority == LATCH_USER ? c->split.reserve : c->split.background_max,
                         .window_ms = c->rule.window_ms,
                         .n = 1,
                         .deadline_at_ms = c->deadline_at_ms};
}

/* A priority without a share waits for the next split. */
static bool has_none(const latch_ctx *cx, const latch_adaptive_call *c, latch_adaptive_state *out) {
    if (latch_adaptive_is_shut(cx, c, out)) return true;
    if (slots_of(c, c->priority).limit > 0) return false;
    *out = c->split;
    out->retry_at_ms = out->reset_at_ms = latch_now_ms(cx) + c->rule.recalculation_ms;
    return true;
}

static void merge(const latch_adaptive_call *c, const latch_rate_state *state, latch_adaptive_state *out) {
    *out = c->split;
    out->remaining = state->remaining, out->reset_at_ms = state->reset_at_ms, out->retry_at_ms = state->retry_at_ms;
}

latch_status latch_adaptive_slots_take(latch_ctx *cx, latch_adaptive_call *c, latch_adaptive_state *out) {
    latch_rate_state state = {0};
    LATCH_TRY(divide(cx, c));
    latch_slots s = slots_of(c, c->priority);
    bool none = has_none(cx, c, out);
    if (none && !c->records) return LATCH_LIMITED;
    latch_status status = none ? LATCH_LIMITED : latch_slots_take(cx, &s, &state);
    if (c->records && status == LATCH_LIMITED) status = latch_slots_event(cx, &s);
    c->maybe = c->maybe || s.maybe;
    merge(c, &state, out);
    return status;
}

latch_status latch_adaptive_slots_read(latch_ctx *cx, latch_adaptive_call *c, latch_adaptive_state *out) {
    latch_rate_state state;
    LATCH_TRY(divide(cx, c));
    if (has_none(cx, c, out)) return LATCH_OK;
    const latch_slots s = slots_of(c, c->priority);
    LATCH_TRY(latch_slots_look(cx, &s, &state));
    merge(c, &state, out);
    return LATCH_OK;
}

latch_status latch_adaptive_slots_reset(latch_ctx *cx, const latch_adaptive_call *c) {
    latch_slots s = slots_of(c, LATCH_USER);
    LATCH_TRY(latch_slots_forget(cx, &s, "RATELIMIT_SLOT"));
    s.priority = name_of(LATCH_BACKGROUND);
    LATCH_TRY(latch_slots_forget(cx, &s, "RATELIMIT_SLOT"));
    s.priority = (latch_str){NULL, 0};
    return latch_slots_forget(cx, &s, "RATELIMIT");
}

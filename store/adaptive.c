#include "store/adaptive.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/rate_private.h"
#include "store/schema.h"
#include "store/sweep_private.h"

static const latch_table_key key_of = {.store = "adaptive", .prefix = "ADAPTIVE", .max_bytes = 2048};
static const latch_table_key shared_key_of = {.store = "adaptive", .prefix = "", .max_bytes = LATCH_RATE_RESOURCE_MAX_BYTES};

/* ── the policy ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status misuse(latch_ctx *cx, const latch_adaptive *p, const char *field, int64_t is, int64_t least, int64_t most) {
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "adaptive %s: %s is %" PRId64 ", want %" PRId64 " to %" PRId64, p->name, field, is,
                         least, most);
}

static void fill(latch_adaptive *p) {
    if (p->limit == 0 && p->window_ms == 0) p->limit = 200, p->window_ms = LATCH_HOUR_MS;
    if (p->monitoring_ms == 0) p->monitoring_ms = 15 * LATCH_MINUTE_MS;
    if (p->high == 0 && p->moderate == 0) p->high = 10, p->moderate = 3;
    if (p->recalculation_ms == 0) p->recalculation_ms = 30 * LATCH_SECOND_MS;
    if (p->sustained_inactivity_ms == 0) p->sustained_inactivity_ms = 30 * LATCH_MINUTE_MS;
    if (p->max_scaling == 0) p->max_scaling = 2;
    if (p->min_user_reserved == 0) p->min_user_reserved = 5;
    if (p->min_user_reserved == LATCH_ADAPTIVE_NONE) p->min_user_reserved = 0;
}

static latch_status check_spans(latch_ctx *cx, const latch_adaptive *p) {
    LATCH_TRY(latch_table_check_span(cx, "adaptive", p->name, ".window_ms", p->window_ms, 1));
    LATCH_TRY(latch_table_check_span(cx, "adaptive", p->name, ".monitoring_ms", p->monitoring_ms, LATCH_SECOND_MS));
    LATCH_TRY(latch_table_check_span(cx, "adaptive", p->name, ".recalculation_ms", p->recalculation_ms, 1));
    LATCH_TRY(latch_table_check_span(cx, "adaptive", p->name, ".sustained_inactivity_ms", p->sustained_inactivity_ms, 1));
    return latch_table_check_span(cx, "adaptive", p->name, ".known_ms", p->known_ms, LATCH_RATE_KNOWN_NEVER);
}

static latch_status check_table(latch_ctx *cx, const latch_adaptive *p) {
    if (p->toolkit_table == NULL || latch_dynamodb_is_table(p->toolkit_table)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "adaptive %s: .toolkit_table is \"%.60s\", want 3 to 255 of a-z, A-Z, 0-9, _, - and .",
                         p->name, p->toolkit_table);
}

static latch_status check(latch_ctx *cx, const latch_adaptive *p) {
    LATCH_TRY(check_table(cx, p));
    LATCH_TRY(check_spans(cx, p));
    int64_t most = p->toolkit_table != NULL ? LATCH_ADAPTIVE_SHARED_MAX : p->window_ms * 1000;
    if (p->limit < 1 || p->limit > most) return misuse(cx, p, ".limit", p->limit, 1, most);
    if (p->high < 1 || p->high > INT32_MAX) return misuse(cx, p, ".high", p->high, 1, INT32_MAX);
    if (p->moderate < 0 || p->moderate >= p->high) return misuse(cx, p, ".moderate, which is below .high,", p->moderate, 0, p->high - 1);
    if (p->min_user_reserved < 0) return misuse(cx, p, ".min_user_reserved", p->min_user_reserved, LATCH_ADAPTIVE_NONE, INT64_MAX);
    if (p->max_scaling >= 1) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "adaptive %s: .max_scaling is %g, want at least 1", p->name, p->max_scaling);
}

static latch_status begin(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority, latch_adaptive_call *c) {
    bool shared = policy->toolkit_table != NULL;
    *c = (latch_adaptive_call){.policy = policy, .rule = *policy, .priority = priority, .pk = key};
    LATCH_TRY(shared ? latch_table_check_key(cx, &shared_key_of, policy->name, key)
                     : latch_table_pk(cx, &key_of, policy->name, key, &c->pk));
    fill(&c->rule);
    LATCH_TRY(check(cx, &c->rule));
    if (priority != LATCH_USER && priority != LATCH_BACKGROUND)
        return misuse(cx, policy, "the priority", (int64_t)priority, LATCH_BACKGROUND, LATCH_USER);
    c->window_us = c->rule.window_ms * 1000;
    c->interval_us = c->window_us / c->rule.limit + (c->window_us % c->rule.limit > 0);
    LATCH_TRY(latch_ctx_deadline(cx, policy->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &c->deadline_at_ms));
    LATCH_TRY(latch_client_check_open(cx, "adaptive"));
    c->known = latch_rate_recall(cx, shared ? policy->toolkit_table : cx->table->name, c->pk);
    return LATCH_OK;
}

/* ── operations ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_rate_rule rule_of(const latch_adaptive_call *c) {
    int64_t share = c->priority == LATCH_USER ? c->rule.limit : c->known->split.background_max;
    return (latch_rate_rule){c->rule.limit, c->rule.window_ms, share, LATCH_RATE_GCRA};
}

/* A refusal that is known ends with the split that it was made by, too. */
static bool is_known(const latch_ctx *cx, const latch_adaptive_call *c, latch_adaptive_state *out) {
    if (c->known == NULL || !latch_adaptive_split_holds(cx, c)) return false;
    const latch_rate_rule rule = rule_of(c);
    const latch_rate_refusal *r = &c->known->refusals[c->priority];
    if (!latch_rate_is_known(cx, r, &rule, 1, c->policy->known_ms)) return false;
    *out = c->known->split;
    out->window_ms = c->rule.window_ms;
    out->reset_at_ms = r->state.reset_at_ms, out->retry_at_ms = r->state.retry_at_ms;
    return true;
}

static void remember(const latch_ctx *cx, const latch_adaptive_call *c, latch_status status, const latch_adaptive_state *state) {
    if (c->known == NULL || (status != LATCH_OK && status != LATCH_LIMITED)) return;
    latch_rate_refusal *r = &c->known->refusals[c->priority];
    *r = (latch_rate_refusal){.n = 0};
    if (status == LATCH_LIMITED)
        *r = (latch_rate_refusal){
            latch_clock_instant(&cx->clock), rule_of(c), 1, {.reset_at_ms = state->reset_at_ms, .retry_at_ms = state->retry_at_ms}};
}

static latch_status refuse(latch_ctx *cx, const latch_adaptive_call *c, const latch_adaptive_state *s) {
    bool user = c->priority == LATCH_USER;
    (void)latch_err_set(&cx->err, LATCH_LIMITED, "%.*s: none of %" PRId64 " in %" PRId64 " ms is left for %s, again at %" PRId64 " ms%s",
                        LATCH_ARG(c->pk), user ? s->limit : s->background_max, s->window_ms,
                        user        ? "users"
                        : s->paused ? "background, which is paused"
                                    : "background",
                        s->retry_at_ms, c->maybe ? "; a try of this one got no answer and may count" : "");
    cx->err.retry_at_ms = s->retry_at_ms;
    cx->err.maybe_applied = c->maybe;
    return LATCH_LIMITED;
}

latch_status latch_adaptive_acquire(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                    latch_adaptive_state *out) {
    latch_adaptive_call c;
    latch_adaptive_state state = {0};
    *out = state;
    LATCH_TRY(begin(cx, policy, key, priority, &c));
    if (is_known(cx, &c, out)) return refuse(cx, &c, out);
    latch_status status =
        policy->toolkit_table != NULL ? latch_adaptive_slots_take(cx, &c, &state) : latch_adaptive_item_take(cx, &c, &state);
    remember(cx, &c, status, &state);
    if (status == LATCH_OK || status == LATCH_LIMITED) *out = state;
    if (status == LATCH_LIMITED) return refuse(cx, &c, out);
    if (status != LATCH_OK && c.maybe) cx->err.maybe_applied = true;
    return status;
}

latch_status latch_adaptive_record(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority) {
    latch_adaptive_call c;
    latch_adaptive_state state;
    LATCH_TRY(begin(cx, policy, key, priority, &c));
    c.records = true;
    latch_status status =
        policy->toolkit_table != NULL ? latch_adaptive_slots_take(cx, &c, &state) : latch_adaptive_item_take(cx, &c, &state);
    if (status != LATCH_OK && c.maybe) cx->err.maybe_applied = true;
    return status;
}

static latch_status look(latch_ctx *cx, latch_adaptive_call *c, latch_adaptive_state *out) {
    return c->policy->toolkit_table != NULL ? latch_adaptive_slots_read(cx, c, out) : latch_adaptive_item_read(cx, c, out);
}

latch_status latch_adaptive_status(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                   latch_adaptive_state *out) {
    latch_adaptive_call c;
    latch_adaptive_state state = {0};
    *out = state;
    LATCH_TRY(begin(cx, policy, key, priority, &c));
    LATCH_TRY(look(cx, &c, &state));
    *out = state;
    return LATCH_OK;
}

latch_status latch_adaptive_wait_time(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                      int64_t *wait_ms) {
    latch_adaptive_call c;
    latch_adaptive_state state = {0};
    *wait_ms = 0;
    LATCH_TRY(begin(cx, policy, key, priority, &c));
    if (!is_known(cx, &c, &state)) LATCH_TRY(look(cx, &c, &state));
    int64_t now_ms = latch_now_ms(cx);
    *wait_ms = state.retry_at_ms > now_ms ? state.retry_at_ms - now_ms : 0;
    return LATCH_OK;
}

latch_status latch_adaptive_can_proceed(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority, bool *out) {
    int64_t wait_ms;
    *out = false;
    LATCH_TRY(latch_adaptive_wait_time(cx, policy, key, priority, &wait_ms));
    *out = wait_ms == 0;
    return LATCH_OK;
}

latch_status latch_adaptive_reset(latch_ctx *cx, const latch_adaptive *policy, latch_str key) {
    latch_adaptive_call c;
    latch_json item;
    LATCH_TRY(begin(cx, policy, key, LATCH_USER, &c));
    if (c.known != NULL) *c.known = (latch_rate_known){.id = {c.known->id[0], c.known->id[1]}, .used = c.known->used};
    if (policy->toolkit_table != NULL) return latch_adaptive_slots_reset(cx, &c);
    const latch_request request = {
        .operation = LATCH_DELETE_ITEM, .pk = c.pk, .sk = LATCH_STR("ADAPTIVE"), .deadline_at_ms = c.deadline_at_ms};
    return latch_table_call(cx, &request, &item);
}

static latch_status sweep_as(latch_ctx *cx, latch_sweep_kind kind, const latch_adaptive *policy, const latch_sweep *sweep,
                             latch_swept *out) {
    const latch_place at = {.table = policy->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    *out = (latch_swept){0};
    LATCH_TRY(latch_table_check_key(cx, &key_of, policy->name, LATCH_STR("-")));
    LATCH_TRY(check_table(cx, policy));
    const latch_sweep_target own = {.store = "adaptive", .name = policy->name, .prefixes = {"ADAPTIVE"}};
    const latch_sweep_target shared = {
        .store = "adaptive", .name = policy->name, .at = &at, .prefixes = {"RATELIMIT", "RATELIMIT_SLOT", "COOLDOWN"}};
    return latch_sweep_run(cx, kind, policy->toolkit_table == NULL ? &own : &shared, sweep, out);
}

latch_status latch_adaptive_clear(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep, latch_swept *out) {
    latch_status status = sweep_as(cx, LATCH_SWEEP_CLEAR, policy, sweep, out);
    latch_rate_forget(cx);
    return status;
}

latch_status latch_adaptive_cleanup(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep, latch_swept *out) {
    return sweep_as(cx, LATCH_SWEEP_CLEANUP, policy, sweep, out);
}

latch_status latch_adaptive_stats(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep, latch_swept *out) {
    return sweep_as(cx, LATCH_SWEEP_STATS, policy, sweep, out);
}

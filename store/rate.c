#include "store/rate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/rate_private.h"
#include "store/schema.h"
#include "store/sweep_private.h"

#define DEFAULT_LIMIT 60
#define DEFAULT_WINDOW_MS LATCH_MINUTE_MS
#define KNOWN_MS LATCH_SECOND_MS

static const latch_table_key key_of = {.store = "rate", .prefix = "RATE", .max_bytes = 2048};
static const latch_table_key shared_key_of = {.store = "rate", .prefix = "", .max_bytes = LATCH_RATE_RESOURCE_MAX_BYTES};

/* ── the policy ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status misuse(latch_ctx *cx, const latch_rate *policy, const char *field, int64_t is, int64_t most) {
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "rate %s: %s is %" PRId64 ", want 1 to %" PRId64, policy->name, field, is, most);
}

static int64_t most_of(const latch_rate *policy, const latch_rate_rule *rule) {
    if (policy->toolkit_table != NULL) return LATCH_RATE_SLOTS_MAX;
    if (rule->algorithm == LATCH_RATE_GCRA) return rule->window_ms * 1000; /* more would come back in less than a microsecond */
    return policy->large ? LATCH_RATE_LARGE_MAX : LATCH_RATE_SLIDING_MAX;
}

/* A burst comes back within a year, so that no sum of points in time overflows. */
static latch_status check_burst(latch_ctx *cx, const latch_rate *policy, const latch_rate_rule *rule, int64_t interval_us) {
    int64_t most = LATCH_SPAN_MS_MAX * 1000 / interval_us;
    return rule->burst >= 1 && rule->burst <= most ? LATCH_OK : misuse(cx, policy, ".burst", rule->burst, most);
}

static latch_status check_rule(latch_ctx *cx, const latch_rate *policy, latch_rate_rule *rule) {
    bool silent = rule->limit == 0 && rule->window_ms == 0;
    if (silent) rule->limit = DEFAULT_LIMIT, rule->window_ms = DEFAULT_WINDOW_MS;
    LATCH_TRY(latch_table_check_span(cx, "rate", policy->name, ".window_ms", rule->window_ms, 1));
    int64_t most = most_of(policy, rule);
    if (rule->limit < 1 || rule->limit > most) return misuse(cx, policy, ".limit", rule->limit, most);
    if (rule->burst == 0) rule->burst = rule->limit;
    if (rule->algorithm == LATCH_RATE_GCRA) return LATCH_OK;
    if (rule->algorithm == LATCH_RATE_SLIDING && rule->burst == rule->limit) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "rate %s: .burst is of .algorithm LATCH_RATE_GCRA alone", policy->name);
}

static latch_rate_rule rule_of(const latch_rate *policy, latch_str key) {
    const latch_rate_resource *own = policy->resources;
    while (own != NULL && own->key != NULL && !latch_str_eq(latch_str_of(own->key), key))
        own++;
    if (own == NULL || own->key == NULL) return (latch_rate_rule){policy->limit, policy->window_ms, policy->burst, policy->algorithm};
    return (latch_rate_rule){own->limit, own->window_ms, own->burst, policy->algorithm};
}

static latch_status check_place(latch_ctx *cx, const latch_rate *policy) {
    if (policy->toolkit_table == NULL) return LATCH_OK;
    if (!latch_dynamodb_is_table(policy->toolkit_table))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "rate %s: .toolkit_table is \"%.60s\", want 3 to 255 of a-z, A-Z, 0-9, _, - and .",
                             policy->name, policy->toolkit_table);
    if (policy->algorithm == LATCH_RATE_SLIDING) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "rate %s: a toolkit_table has slots: .algorithm must be LATCH_RATE_SLIDING",
                         policy->name);
}

static latch_status check_n(latch_ctx *cx, const latch_rate_call *c) {
    int64_t most = c->rule.burst;
    if (c->policy->toolkit_table != NULL && most > LATCH_RATE_SLOTS_AT_ONCE_MAX) most = LATCH_RATE_SLOTS_AT_ONCE_MAX;
    return c->n >= 1 && c->n <= most ? LATCH_OK : misuse(cx, c->policy, "n", c->n, most);
}

/* ── a call ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status begin(latch_ctx *cx, const latch_rate *policy, latch_str key, int64_t n, latch_rate_call *c) {
    bool shared = policy->toolkit_table != NULL;
    *c = (latch_rate_call){.policy = policy, .n = n, .pk = key};
    LATCH_TRY(shared ? latch_table_check_key(cx, &shared_key_of, policy->name, key)
                     : latch_table_pk(cx, &key_of, policy->name, key, &c->pk));
    LATCH_TRY(check_place(cx, policy));
    c->rule = rule_of(policy, key);
    LATCH_TRY(check_rule(cx, policy, &c->rule));
    c->window_us = c->rule.window_ms * 1000;
    c->interval_us = c->window_us / c->rule.limit + (c->window_us % c->rule.limit > 0); /* up: never more than the limit in a window */
    LATCH_TRY(check_burst(cx, policy, &c->rule, c->interval_us));
    LATCH_TRY(check_n(cx, c));
    LATCH_TRY(latch_table_check_span(cx, "rate", policy->name, ".known_ms", policy->known_ms, LATCH_RATE_KNOWN_NEVER));
    LATCH_TRY(latch_ctx_deadline(cx, policy->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &c->deadline_at_ms));
    LATCH_TRY(latch_client_check_open(cx, "rate"));
    c->known = latch_rate_recall(cx, shared ? policy->toolkit_table : cx->table->name, c->pk);
    return LATCH_OK;
}

int64_t latch_rate_ttl_s(const latch_ctx *cx, int64_t now_ms, int64_t span_ms) {
    return latch_seconds_up(now_ms + span_ms + latch_table_skew_ms(cx) + LATCH_DAY_MS);
}

latch_status latch_rate_send(latch_ctx *cx, latch_rate_send_fn *send, void *arg, int64_t timeout_ms, int64_t *deadline_at_ms, bool *maybe,
                             latch_json *item) {
    latch_status status = send(cx, arg, item);
    if (latch_table_outdated(cx, status)) {
        *maybe = *maybe || cx->err.maybe_applied;
        LATCH_TRY(latch_ctx_deadline(cx, timeout_ms, LATCH_TABLE_TIMEOUT_MS, deadline_at_ms));
        status = send(cx, arg, item);
    }
    if (status != LATCH_OK) *maybe = *maybe || cx->err.maybe_applied;
    return status;
}

/* ── what is known without asking ───────────────────────────────────────────────────────────────────────────────────────── */

static bool same_rule(const latch_rate_rule *a, const latch_rate_rule *b) {
    return a->limit == b->limit && a->window_ms == b->window_ms && a->burst == b->burst && a->algorithm == b->algorithm;
}

bool latch_rate_is_known(const latch_ctx *cx, const latch_rate_refusal *r, const latch_rate_rule *rule, int64_t n, int64_t known_ms) {
    int64_t most_ms = known_ms == 0 ? KNOWN_MS : known_ms;
    return r->n > 0 && n >= r->n && same_rule(&r->by, rule) && latch_clock_since_ms(&cx->clock, r->at) < most_ms &&
           latch_now_ms(cx) < r->state.retry_at_ms;
}

static bool is_known(const latch_ctx *cx, const latch_rate_call *c) {
    return c->known != NULL && latch_rate_is_known(cx, &c->known->refusals[0], &c->rule, c->n, c->policy->known_ms);
}

static void remember(const latch_ctx *cx, const latch_rate_call *c, latch_status status, const latch_rate_state *state) {
    if (c->known == NULL || (status != LATCH_OK && status != LATCH_LIMITED)) return;
    c->known->refusals[0] = (latch_rate_refusal){.n = 0};
    if (status == LATCH_LIMITED) c->known->refusals[0] = (latch_rate_refusal){latch_clock_instant(&cx->clock), c->rule, c->n, *state};
}

static latch_status refuse(latch_ctx *cx, const latch_rate_call *c, const latch_rate_state *state) {
    (void)latch_err_set(&cx->err, LATCH_LIMITED,
                        "%.*s: %" PRId64 " of %" PRId64 " in %" PRId64 " ms are left, %" PRId64 " at %" PRId64 " ms%s", LATCH_ARG(c->pk),
                        state->remaining, state->limit, state->window_ms, c->n, state->retry_at_ms,
                        c->maybe ? "; a try of this one got no answer and may count" : "");
    cx->err.retry_at_ms = state->retry_at_ms;
    cx->err.maybe_applied = c->maybe;
    return LATCH_LIMITED;
}

/* ── operations ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status take(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    if (c->policy->toolkit_table != NULL) return latch_rate_slots_take(cx, c, out);
    return c->rule.algorithm == LATCH_RATE_GCRA ? latch_rate_gcra_take(cx, c, out) : latch_rate_sliding_take(cx, c, out);
}

latch_status latch_rate_acquire_n(latch_ctx *cx, const latch_rate *policy, latch_str key, int64_t n, latch_rate_state *out) {
    latch_rate_call c;
    latch_rate_state state = {0};
    *out = state;
    LATCH_TRY(begin(cx, policy, key, n, &c));
    if (is_known(cx, &c)) {
        *out = c.known->refusals[0].state;
        return refuse(cx, &c, out);
    }
    latch_status status = take(cx, &c, &state);
    remember(cx, &c, status, &state);
    if (status == LATCH_OK || status == LATCH_LIMITED) *out = state;
    if (status == LATCH_LIMITED) return refuse(cx, &c, out);
    if (status != LATCH_OK && c.maybe) cx->err.maybe_applied = true;
    return status;
}

latch_status latch_rate_acquire(latch_ctx *cx, const latch_rate *policy, latch_str key, latch_rate_state *out) {
    return latch_rate_acquire_n(cx, policy, key, 1, out);
}

latch_status latch_rate_record(latch_ctx *cx, const latch_rate *policy, latch_str key) {
    latch_rate_call c;
    latch_rate_state state;
    LATCH_TRY(begin(cx, policy, key, 1, &c));
    c.records = true;
    latch_status status = take(cx, &c, &state);
    if (status == LATCH_OK) remember(cx, &c, status, &state);
    if (status != LATCH_OK && c.maybe) cx->err.maybe_applied = true;
    return status;
}

static latch_status look(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    latch_json item;
    if (c->policy->toolkit_table != NULL) return latch_rate_slots_read(cx, c, out);
    const latch_request request = {.operation = LATCH_GET_ITEM, .pk = c->pk, .sk = LATCH_STR("RATE"), .deadline_at_ms = c->deadline_at_ms};
    LATCH_TRY(latch_table_call(cx, &request, &item));
    return c->rule.algorithm == LATCH_RATE_GCRA ? latch_rate_gcra_read(cx, c, item, out) : latch_rate_sliding_read(cx, c, item, out);
}

latch_status latch_rate_status(latch_ctx *cx, const latch_rate *policy, latch_str key, latch_rate_state *out) {
    latch_rate_call c;
    latch_rate_state state = {0};
    *out = state;
    LATCH_TRY(begin(cx, policy, key, 1, &c));
    LATCH_TRY(look(cx, &c, &state));
    *out = state;
    return LATCH_OK;
}

latch_status latch_rate_wait_time(latch_ctx *cx, const latch_rate *policy, latch_str key, int64_t *wait_ms) {
    latch_rate_call c;
    latch_rate_state state = {0};
    *wait_ms = 0;
    LATCH_TRY(begin(cx, policy, key, 1, &c));
    if (is_known(cx, &c)) {
        state = c.known->refusals[0].state;
    } else {
        LATCH_TRY(look(cx, &c, &state));
    }
    int64_t now_ms = latch_now_ms(cx);
    *wait_ms = state.retry_at_ms > now_ms ? state.retry_at_ms - now_ms : 0;
    return LATCH_OK;
}

latch_status latch_rate_can_proceed(latch_ctx *cx, const latch_rate *policy, latch_str key, bool *out) {
    int64_t wait_ms;
    *out = false;
    LATCH_TRY(latch_rate_wait_time(cx, policy, key, &wait_ms));
    *out = wait_ms == 0;
    return LATCH_OK;
}

latch_status latch_rate_reset(latch_ctx *cx, const latch_rate *policy, latch_str key) {
    latch_rate_call c;
    latch_json item;
    LATCH_TRY(begin(cx, policy, key, 1, &c));
    if (c.known != NULL) c.known->refusals[0].n = 0, c.known->full = false, c.known->tat_us = 0;
    if (policy->toolkit_table != NULL) return latch_rate_slots_reset(cx, &c);
    const latch_request request = {.operation = LATCH_DELETE_ITEM, .pk = c.pk, .sk = LATCH_STR("RATE"), .deadline_at_ms = c.deadline_at_ms};
    return latch_table_call(cx, &request, &item);
}

/* ── over all keys ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status sweep_as(latch_ctx *cx, latch_sweep_kind kind, const latch_rate *policy, const latch_sweep *sweep, latch_swept *out) {
    const latch_place at = {.table = policy->toolkit_table, .pk = "pk", .sk = "sk", .ttl = "ttl"};
    *out = (latch_swept){0};
    LATCH_TRY(latch_table_check_key(cx, &key_of, policy->name, LATCH_STR("-")));
    LATCH_TRY(check_place(cx, policy));
    if (policy->toolkit_table == NULL) {
        const latch_sweep_target own = {.store = "rate", .name = policy->name, .prefixes = {"RATE"}};
        return latch_sweep_run(cx, kind, &own, sweep, out);
    }
    const latch_sweep_target shared = {
        .store = "rate", .name = policy->name, .at = &at, .prefixes = {"RATELIMIT", "RATELIMIT_SLOT", "COOLDOWN"}};
    return latch_sweep_run(cx, kind, &shared, sweep, out);
}

latch_status latch_rate_clear(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep, latch_swept *out) {
    latch_status status = sweep_as(cx, LATCH_SWEEP_CLEAR, policy, sweep, out);
    latch_rate_forget(cx);
    return status;
}

latch_status latch_rate_cleanup(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep, latch_swept *out) {
    return sweep_as(cx, LATCH_SWEEP_CLEANUP, policy, sweep, out);
}

latch_status latch_rate_stats(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep, latch_swept *out) {
    return sweep_as(cx, LATCH_SWEEP_STATS, policy, sweep, out);
}

/* ── headers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t seconds_until(const latch_ctx *cx, int64_t at_ms) {
    int64_t left_ms = at_ms - latch_now_ms(cx);
    return left_ms > 0 ? latch_seconds_up(left_ms) : 0;
}

void latch_rate_describe(const latch_ctx *cx, const latch_rate_state *state, latch_rate_headers *out) {
    *out = (latch_rate_headers){.retry_after = ""};
    snprintf(out->limit, sizeof out->limit, "%" PRId64, state->limit);
    snprintf(out->remaining, sizeof out->remaining, "%" PRId64, state->remaining);
    snprintf(out->reset, sizeof out->reset, "%" PRId64, seconds_until(cx, state->reset_at_ms));
    snprintf(out->policy, sizeof out->policy, "%" PRId64 ";w=%" PRId64, state->limit, latch_seconds_up(state->window_ms));
    int64_t wait_s = seconds_until(cx, state->retry_at_ms);
    if (wait_s > 0) snprintf(out->retry_after, sizeof out->retry_after, "%" PRId64, wait_s);
}

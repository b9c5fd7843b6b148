#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/rate_private.h"

/* ── the split ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool same_policy(const latch_adaptive *a, const latch_adaptive *b) {
    return a->limit == b->limit && a->window_ms == b->window_ms && a->monitoring_ms == b->monitoring_ms && a->high == b->high &&
           a->moderate == b->moderate && a->recalculation_ms == b->recalculation_ms && a->max_scaling == b->max_scaling &&
           a->sustained_inactivity_ms == b->sustained_inactivity_ms && a->min_user_reserved == b->min_user_reserved &&
           a->never_pauses == b->never_pauses;
}

bool latch_adaptive_split_holds(const latch_ctx *cx, const latch_adaptive_call *c) {
    const latch_rate_known *k = c->known;
    return k != NULL && k->split.limit != 0 && same_policy(&k->split_by, &c->rule) &&
           latch_clock_since_ms(&cx->clock, k->split_at) < c->rule.recalculation_ms;
}

void latch_adaptive_split_keep(const latch_ctx *cx, latch_adaptive_call *c) {
    if (c->known == NULL) return;
    c->known->split = c->split;
    c->known->split.limit = c->rule.limit;
    c->known->split_by = c->rule;
    c->known->split_at = latch_clock_instant(&cx->clock);
}

static int64_t bucket_ms(const latch_adaptive_call *c) { return c->rule.monitoring_ms / LATCH_ADAPTIVE_BUCKETS; }

static latch_activity activity_of(const latch_adaptive_call *c, const latch_adaptive_seen *seen, int64_t now_ms) {
    enum { THIRD = LATCH_ADAPTIVE_BUCKETS / 3 };
    int64_t number = now_ms / bucket_ms(c);
    latch_activity a = {.any = seen->exists, .user_at_ms = seen->user_at_ms};
    for (int64_t i = 0; i < LATCH_ADAPTIVE_BUCKETS; i++) {
        int64_t age = number - (seen->newest - (LATCH_ADAPTIVE_BUCKETS - 1 - i));
        if (age >= LATCH_ADAPTIVE_BUCKETS) continue;
        a.all += seen->counts[i];
        a.recent += age < THIRD ? seen->counts[i] : 0;
        a.before += age >= THIRD && age < 2 * THIRD ? seen->counts[i] : 0;
    }
    return a;
}

/* `fresh`: the item has just been read, and what follows from it holds for a while. */
static void divide(const latch_ctx *cx, latch_adaptive_call *c, bool fresh) {
    static const latch_adaptive_seen nothing = {.seen = false};
    const latch_adaptive_seen *seen = c->known != NULL ? &c->known->seen : &nothing;
    if (latch_adaptive_split_holds(cx, c)) {
        c->split = c->known->split;
        return;
    }
    const latch_activity a = activity_of(c, seen, latch_now_ms(cx));
    c->split = (latch_adaptive_state){.limit = c->rule.limit, .window_ms = c->rule.window_ms};
    latch_adaptive_divide(&c->rule, &a, latch_now_ms(cx), &c->split);
    if (fresh) latch_adaptive_split_keep(cx, c);
}

bool latch_adaptive_is_shut(const latch_ctx *cx, const latch_adaptive_call *c, latch_adaptive_state *out) {
    if (c->priority == LATCH_USER || c->records || (!c->split.paused && c->split.background_max > 0)) return false;
    int64_t since_ms = c->known != NULL ? latch_clock_since_ms(&cx->clock, c->known->split_at) : 0, now_ms = latch_now_ms(cx);
    int64_t left_ms = c->rule.recalculation_ms > since_ms ? c->rule.recalculation_ms - since_ms : 1;
    *out = c->split;
    out->retry_at_ms = out->reset_at_ms = now_ms + left_ms;
    return true;
}

/* ── the item ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool number_in(latch_str s, size_t from, int64_t *out) {
    *out = 0;
    if (s.len == from || s.len - from > 15) return false;
    for (size_t i = from; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
        *out = *out * 10 + (s.ptr[i] - '0');
    }
    return true;
}

/* What a clock ahead of ours has counted belongs to the newest; the oldest goes. */
static void put_bucket(latch_adaptive_seen *s, int64_t number, int64_t count) {
    int64_t age = s->newest - number;
    if (age < LATCH_ADAPTIVE_BUCKETS) s->counts[LATCH_ADAPTIVE_BUCKETS - 1 - (age > 0 ? age : 0)] += count;
    for (size_t i = 0; age > LATCH_ADAPTIVE_BUCKETS && i < LATCH_ADAPTIVE_OLD_MAX; i++) {
        if (s->old[i] != 0) continue;
        s->old[i] = number;
        return;
    }
}

static latch_status put_attribute(latch_ctx *cx, latch_adaptive_seen *s, const latch_each *each) {
    int64_t number, count;
    if (each->name.len < 2 || each->name.ptr[0] != 'u' || !number_in(each->name, 1, &number)) return LATCH_OK;
    latch_each value = latch_each_in(latch_each_value(each));
    if (latch_each_next(&value) && latch_str_eq(value.name, LATCH_STR("N")) && number_in(latch_each_text(&value), 0, &count)) {
        put_bucket(s, number, count);
        return LATCH_OK;
    }
    return latch_err_set(&cx->err, LATCH_E_DATA, "item.%.*s: is no count, want a whole number", LATCH_ARG(each->name));
}

static latch_status read_tat(latch_json item, const char *attribute, int64_t *out) {
    LATCH_TRY(latch_item_int_or(item, attribute, 0, out));
    if (*out >= 0 && *out <= LATCH_AT_MS_MAX * 1000) return LATCH_OK;
    return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.%s.N: is %" PRId64 ", want Unix microseconds", attribute, *out);
}

static latch_status read_item(latch_ctx *cx, const latch_adaptive_call *c, latch_json item, latch_adaptive_seen *out) {
    *out = (latch_adaptive_seen){.seen = true, .exists = item.node != NULL, .newest = latch_now_ms(cx) / bucket_ms(c)};
    if (item.node == NULL) return LATCH_OK;
    LATCH_TRY(read_tat(item, "tat", &out->tat_us));
    LATCH_TRY(read_tat(item, "tatBackground", &out->background_us));
    LATCH_TRY(latch_item_at_ms_or(item, "userAt", 0, &out->user_at_ms));
    for (latch_each each = latch_each_in(item); latch_each_next(&each);)
        LATCH_TRY(put_attribute(cx, out, &each));
    return LATCH_OK;
}

/* ── two cells ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum branch { RUNS, RESTS, FULL, OVER } branch;

typedef struct cell { /* the limit's, or background's share of it */
    branch next;
    int64_t count, interval_us; /* count 0: none */
} cell;

static const struct part { /* DynamoDB's updates know no larger-of: what has passed begins anew; of a record, no more than is full */
    const char *set, *condition;
} total_parts[] =
    {
        [RUNS] = {"#tat = if_not_exists(#tat, :now) + :step, ", "(attribute_not_exists(#tat) OR #tat BETWEEN :now AND :limit_at)"},
        [RESTS] = {"#tat = :now_plus_step, ", "#tat < :now"},
        [FULL] = {"#tat = :full, ", "#tat BETWEEN :limit_at AND :full"},
        [OVER] = {"", "#tat > :full"},
},
  background_parts[] = {
      [RUNS] = {"#tatBackground = if_not_exists(#tatBackground, :now) + :background_step, ",
                " AND (attribute_not_exists(#tatBackground) OR #tatBackground BETWEEN :now AND :background_at)"},
      [RESTS] = {"#tatBackground = :now_plus_background, ", " AND #tatBackground < :now"},
      [FULL] = {"#tatBackground = :background_full, ", " AND #tatBackground BETWEEN :background_at AND :background_full"},
      [OVER] = {"", " AND #tatBackground > :background_full"},
};

static const struct part none = {"", ""};

typedef struct flow {
    latch_adaptive_call *c;
    cell total, background;
    bool blind; /* nothing is known of the key that background could go by: only onto a new one */
    latch_str id;
    int64_t now_ms, now_us;
    latch_adaptive_seen seen;
} flow;

static int64_t full_us(const cell *x) { return x->count * x->interval_us; }

static branch branch_of(const cell *x, int64_t tat_us, int64_t now_us) {
    if (tat_us == 0) return RUNS;
    if (tat_us < now_us) return RESTS;
    if (tat_us <= now_us + full_us(x) - x->interval_us) return RUNS;
    return tat_us <= now_us + full_us(x) ? FULL : OVER;
}

static int64_t room_in(const cell *x, int64_t tat_us, int64_t now_us) {
    int64_t room_us = now_us + full_us(x) - (tat_us > now_us ? tat_us : now_us);
    return room_us > 0 ? room_us / x->interval_us : 0;
}

static int64_t up_ms(int64_t at_us) { return (at_us + 999) / 1000; }

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* By the item as seen: which branches, and how it stands. */
static void choose(flow *f, const latch_adaptive_seen *s, latch_adaptive_state *out) {
    latch_adaptive_call *c = f->c;
    int64_t share = c->split.background_max;
    bool user = c->priority == LATCH_USER;
    f->total = (cell){.count = c->rule.limit, .interval_us = c->interval_us};
    f->background = (cell){.count = user ? 0 : share};
    if (f->background.count > 0) f->background.interval_us = c->window_us / share + (c->window_us % share > 0);
    f->total.next = branch_of(&f->total, s->tat_us, f->now_us);
    *out = c->split;
    out->remaining = user || !c->split.paused ? room_in(&f->total, s->tat_us, f->now_us) : 0;
    out->reset_at_ms = up_ms(later(s->tat_us, f->now_us));
    int64_t free_us = s->tat_us - full_us(&f->total) + f->total.interval_us;
    if (!user && share == 0) out->remaining = 0;
    if (f->background.count > 0) {
        int64_t room = room_in(&f->background, s->background_us, f->now_us);
        f->background.next = branch_of(&f->background, s->background_us, f->now_us);
        if (room < out->remaining) out->remaining = room;
        out->reset_at_ms = up_ms(later(later(s->tat_us, s->background_us), f->now_us));
        free_us = later(free_us, s->background_us - full_us(&f->background) + f->background.interval_us);
    }
    out->retry_at_ms = free_us > f->now_us ? up_ms(free_us) : 0;
}

static latch_status no_memory(latch_ctx *cx, const latch_adaptive_call *c) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "%.*s: the arena is full", LATCH_ARG(c->pk));
}

/* A user's grant is counted in its bucket, and takes those with it that have left the window. */
static latch_str update_of(latch_ctx *cx, const flow *f, const struct part *total, const struct part *background) {
    int64_t number = f->now_ms / bucket_ms(f->c);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, LATCH_STR("SET "));
    latch_text_put(&t, latch_str_of(total->set));
    latch_text_put(&t, latch_str_of(background->set));
    if (f->c->priority == LATCH_USER) latch_text_put(&t, LATCH_STR("#userAt = :now_ms, "));
    latch_text_put(&t, LATCH_STR("#last = :id, #ttl = :ttl"));
    if (f->c->priority == LATCH_USER) {
        latch_text_put(&t, LATCH_STR(" ADD #u"));
        latch_text_int(&t, number);
        latch_text_put(&t, LATCH_STR(" :one"));
    }
    const char *before = " REMOVE #u";
    for (size_t i = 0; i < LATCH_ADAPTIVE_OLD_MAX && f->seen.old[i] != 0; i++) {
        if (f->seen.old[i] >= number) continue; /* the clock went back */
        latch_text_put(&t, latch_str_of(before));
        latch_text_int(&t, f->seen.old[i]);
        before = ", #u";
    }
    return latch_text_end(&t);
}

static latch_status send(latch_ctx *cx, void *arg, latch_json *item) {
    flow *f = arg;
    latch_adaptive_call *c = f->c;
    latch_adaptive_state unused;
    f->now_ms = latch_now_ms(cx), f->now_us = f->now_ms * 1000;
    choose(f, &f->seen, &unused);
    if (!c->records && f->total.next > RESTS) f->total.next = RUNS; /* what was seen is no refusal: it is asked */
    if (!c->records && f->background.next > RESTS) f->background.next = RUNS;
    const struct part *total = &total_parts[f->total.next],
                      *background = f->background.count > 0 ? &background_parts[f->background.next] : &none;
    latch_str update = update_of(cx, f, total, background);
    latch_str condition = latch_ctx_text(cx, "%s%s%s AND (attribute_not_exists(#last) OR #last <> :id)",
                                         f->blind ? "attribute_not_exists(#last) AND " : "", total->condition, background->condition);
    if (update.ptr == NULL || condition.ptr == NULL) return no_memory(cx, c);
    int64_t step_us = f->total.interval_us, background_us = f->background.interval_us;
    int64_t full = f->now_us + full_us(&f->total), background_full = f->now_us + full_us(&f->background);
    const latch_request r = {
        .operation = LATCH_UPDATE_ITEM,
        .pk = c->pk,
        .sk = LATCH_STR("ADAPTIVE"),
        .update = update.ptr,
        .condition = condition.ptr,
        .values = LATCH_VALUES(":now", f->now_us, ":step", step_us, ":now_plus_step", f->now_us + step_us, ":limit_at", full - step_us,
                               ":full", full, ":background_step", background_us, ":now_plus_background", f->now_us + background_us,
                               ":background_at", background_full - background_us, ":background_full", background_full, ":now_ms", f->now_ms,
                               ":one", latch_int(1), ":id", f->id, ":ttl", latch_rate_ttl_s(cx, f->now_ms, c->rule.window_ms)),
        .deadline_at_ms = c->deadline_at_ms,
        .repeatable = true,
        .timed = true,
    };
    return latch_table_call(cx, &r, item);
}

/* One request, and what it means: LATCH_OK granted, LATCH_LIMITED refused, LATCH_CONFLICT try as the item is now. */
static latch_status ask(latch_ctx *cx, flow *f, latch_adaptive_state *out) {
    latch_adaptive_call *c = f->c;
    latch_json item;
    latch_str last = LATCH_STR("");
    bool refused;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_rate_send(cx, send, f, c->policy->timeout_ms, &c->deadline_at_ms, &c->maybe, &item));
    if (!refused) c->maybe = true; /* should what comes back not be readable */
    LATCH_TRY(read_item(cx, c, item, &f->seen));
    if (item.node != NULL) LATCH_TRY(latch_item_text_or(item, "last", last, &last));
    if (c->known != NULL) c->known->seen = f->seen;
    f->blind = false;
    divide(cx, c, true);
    choose(f, &f->seen, out);
    if (!refused || latch_str_eq(last, f->id)) return LATCH_OK;
    if (latch_adaptive_is_shut(cx, c, out)) return LATCH_LIMITED;
    return out->retry_at_ms != 0 && !c->records ? LATCH_LIMITED : LATCH_CONFLICT;
}

/* The first background call of a process, or one that would be, or was last, shut out by a split that is too old to go by. */
static bool is_blind(const latch_ctx *cx, const latch_adaptive_call *c) {
    const latch_rate_known *k = c->known;
    latch_adaptive_state unused;
    if (c->priority == LATCH_USER || c->records) return false;
    if (k == NULL || !k->seen.seen) return true;
    if (latch_adaptive_split_holds(cx, c)) return false;
    bool was_shut = k->split.limit != 0 && (k->split.paused || k->split.background_max == 0);
    return was_shut || latch_adaptive_is_shut(cx, c, &unused);
}

latch_status latch_adaptive_item_take(latch_ctx *cx, latch_adaptive_call *c, latch_adaptive_state *out) {
    divide(cx, c, false);
    flow f = {.c = c, .blind = is_blind(cx, c), .id = latch_uuid(cx)};
    if (f.id.ptr == NULL) return no_memory(cx, c);
    if (c->known != NULL && !f.blind) f.seen = c->known->seen;
    if (!f.blind && latch_adaptive_is_shut(cx, c, out)) return LATCH_LIMITED;
    for (int requests = 0; requests < LATCH_RATE_REQUESTS_MAX; requests++) {
        latch_status status = ask(cx, &f, out);
        if (status == LATCH_OK) out->retry_at_ms = 0;
        if (status != LATCH_CONFLICT) return status;
    }
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed by others between each two of %d requests", LATCH_ARG(c->pk),
                         LATCH_RATE_REQUESTS_MAX);
}

latch_status latch_adaptive_item_read(latch_ctx *cx, latch_adaptive_call *c, latch_adaptive_state *out) {
    latch_json item;
    const latch_request request = {
        .operation = LATCH_GET_ITEM, .pk = c->pk, .sk = LATCH_STR("ADAPTIVE"), .deadline_at_ms = c->deadline_at_ms};
    flow f = {.c = c, .now_ms = latch_now_ms(cx), .now_us = latch_now_ms(cx) * 1000};
    LATCH_TRY(latch_table_call(cx, &request, &item));
    LATCH_TRY(read_item(cx, c, item, &f.seen));
    if (c->known != NULL) c->known->seen = f.seen;
    divide(cx, c, true);
    choose(&f, &f.seen, out);
    latch_adaptive_state shut;
    if (latch_adaptive_is_shut(cx, c, &shut)) *out = shut;
    return LATCH_OK;
}

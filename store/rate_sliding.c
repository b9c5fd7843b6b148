#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/rate_private.h"

/*
 * The list is in the order in which its stamps were written, so its first is the oldest by the table's order; clocks that differ make it
 * unsorted by time. Each branch refuses a stamp that is there already: a repeat shows itself, and the list that comes back with the refusal
 * has it. `low` keeps out a request older than what was forgotten when the limit was lowered, late or by a slow clock.
 */
#define GUARD " AND (attribute_not_exists(#ts) OR NOT contains(#ts, :n)) AND (attribute_not_exists(#low) OR #low < :window_start)"

#define STAMP_DIGITS 16 /* of microseconds until the year 2286; a double holds them */

typedef enum branch { APPEND, ROTATE, SWAP, REFUSED } branch;

static const char append_update[] = "SET #ts = list_append(if_not_exists(#ts, :empty), :nl), #ttl = :ttl";
static const char append_condition[] = "(attribute_not_exists(#ts) OR size(#ts) <= :room)" GUARD;
static const char rotate_condition[] = "size(#ts) = :size AND #ts[0] < :window_start" GUARD;
static const char record_condition[] = "size(#ts) = :size" GUARD;
static const char swap_condition[] = "#ts = :old" GUARD;

typedef struct list { /* of an item, as it was read */
    int64_t *us;
    size_t count;
    int64_t low_us; /* 0: none */
} list;

typedef struct slide {
    latch_rate_call *c;
    branch next;
    int64_t now_ms, window_start_us, stamp_us;
    int64_t stamps_us[LATCH_RATE_REQUESTS_MAX]; /* of requests that may have been applied without a word */
    size_t stamps;
    list seen; /* what the decision was made on */
} slide;

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status no_memory(latch_ctx *cx, const latch_rate_call *c) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "%.*s: the arena is full", LATCH_ARG(c->pk));
}

static bool read_stamp(latch_str digits, int64_t *us) {
    *us = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (i == STAMP_DIGITS || digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
        *us = *us * 10 + (digits.ptr[i] - '0');
    }
    return digits.len > 0;
}

static latch_status read_list(latch_ctx *cx, const latch_rate_call *c, latch_json item, list *out) {
    latch_json ts;
    *out = (list){.us = NULL};
    if (item.node == NULL) return LATCH_OK;
    LATCH_TRY(latch_item_int_or(item, "low", 0, &out->low_us));
    if (!latch_item_has(item, "ts")) return LATCH_OK;
    LATCH_TRY(latch_read(item, "ts.L", &ts));
    size_t count = latch_count(ts);
    if (count == 0) return LATCH_OK;
    out->us = latch_arena_alloc(cx->arena, count * sizeof *out->us);
    if (out->us == NULL) return no_memory(cx, c);
    for (latch_each each = latch_each_in(ts); latch_each_next(&each);) {
        latch_each number = latch_each_in(latch_each_value(&each));
        bool is_number = latch_each_next(&number) && latch_str_eq(number.name, LATCH_STR("N"));
        if (is_number && read_stamp(latch_each_text(&number), &out->us[out->count++])) continue;
        return latch_err_set(&cx->err, LATCH_E_DATA, "item.ts.L[%zu]: is no stamp, want whole microseconds of at most %d digits",
                             each.index, STAMP_DIGITS);
    }
    return LATCH_OK;
}

static bool has(const list *l, int64_t stamp_us) {
    for (size_t i = 0; i < l->count; i++)
        if (l->us[i] == stamp_us) return true;
    return false;
}

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The first millisecond at which what was stamped so is outside of the window. */
static int64_t leaves_at_ms(const latch_rate_call *c, int64_t stamp_us) { return stamp_us / 1000 + c->rule.window_ms + 1; }

/* Those within the window, oldest first. */
static latch_status kept_of(latch_ctx *cx, const latch_rate_call *c, const list *l, int64_t window_start_us, list *out) {
    *out = (list){.us = NULL, .low_us = l->low_us};
    if (l->count == 0) return LATCH_OK;
    out->us = latch_arena_alloc(cx->arena, l->count * sizeof *out->us);
    if (out->us == NULL) return no_memory(cx, c);
    for (size_t i = 0; i < l->count; i++)
        if (l->us[i] >= window_start_us) out->us[out->count++] = l->us[i];
    qsort(out->us, out->count, sizeof *out->us, by_time);
    return LATCH_OK;
}

/* A clock that is wrong, here or where the stamp was made, makes limits that last too long. */
static void report_future(latch_ctx *cx, const latch_rate_call *c, int64_t newest_us) {
    int64_t ahead_ms = newest_us / 1000 - latch_now_ms(cx);
    if (ahead_ms > latch_table_skew_ms(cx))
        latch_warn(cx, "rate: a grant is stamped in the future: a clock is wrong", "key", c->pk, "ahead_ms", ahead_ms);
}

/*
 * What may be done with the list, and how it stands. A full list frees its first first; one that is longer (the limit was lowered) or from
 * which several are wanted, as many of the oldest as it takes.
 */
static latch_status decide(latch_ctx *cx, const latch_rate_call *c, const list *l, int64_t now_ms, branch *next, latch_rate_state *out) {
    int64_t window_start_us = now_ms * 1000 - c->window_us, limit = c->rule.limit, size = (int64_t)l->count, at_ms = 0;
    list kept;
    LATCH_TRY(kept_of(cx, c, l, window_start_us, &kept));
    int64_t used = (int64_t)kept.count, newest_us = used > 0 ? kept.us[used - 1] : 0;
    *out = (latch_rate_state){.limit = limit, .window_ms = c->rule.window_ms, .reset_at_ms = now_ms};
    if (used > 0) out->reset_at_ms = leaves_at_ms(c, newest_us);
    report_future(cx, c, newest_us);
    *next = size + c->n <= limit ? APPEND : SWAP;
    if (*next == SWAP && size == limit && c->n == 1) {
        *next = ROTATE;
        if (l->us[0] >= window_start_us) at_ms = leaves_at_ms(c, l->us[0]);
    } else if (used + c->n > limit) {
        at_ms = leaves_at_ms(c, kept.us[used + c->n - limit - 1]);
    }
    if (l->low_us != 0 && l->low_us >= window_start_us && leaves_at_ms(c, l->low_us) > at_ms) at_ms = leaves_at_ms(c, l->low_us);
    if (at_ms != 0) *next = REFUSED;
    out->retry_at_ms = at_ms;
    out->remaining = used >= limit || (at_ms != 0 && c->n == 1) ? 0 : limit - used;
    return LATCH_OK;
}

latch_status latch_rate_sliding_read(latch_ctx *cx, const latch_rate_call *c, latch_json item, latch_rate_state *out) {
    list l;
    branch next;
    LATCH_TRY(read_list(cx, c, item, &l));
    return decide(cx, c, &l, latch_now_ms(cx), &next, out);
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_json list_of(latch_ctx *cx, const int64_t *us, size_t count) {
    latch_json made = latch_array(cx);
    for (size_t i = 0; i < count; i++)
        made = latch_append(made, latch_int(us[i]));
    return made;
}

/* So that callers of one millisecond differ. */
static int64_t random_us(void) {
    uint32_t random = 0;
    (void)(getentropy(&random, sizeof random) == 0);
    return random % 1000;
}

static latch_status send_append(latch_ctx *cx, const slide *s, latch_request *r, latch_json *item) {
    const latch_rate_call *c = s->c;
    latch_json stamps = latch_array(cx);
    for (int64_t i = 0; i < c->n; i++)
        stamps = latch_append(stamps, latch_int(s->stamp_us));
    r->update = append_update;
    r->condition = append_condition;
    r->values = LATCH_VALUES(":empty", latch_array(cx), ":nl", stamps, ":n", s->stamp_us, ":room", c->rule.limit - c->n, ":window_start",
                             s->window_start_us, ":ttl", latch_rate_ttl_s(cx, s->now_ms, c->rule.window_ms));
    return latch_table_call(cx, r, item);
}

/* Setting the element behind the last adds it; positions are those before the update. */
static latch_status send_rotate(latch_ctx *cx, const slide *s, latch_request *r, latch_json *item) {
    const latch_rate_call *c = s->c;
    int64_t size = c->records && (int64_t)s->seen.count > c->rule.limit ? (int64_t)s->seen.count : c->rule.limit;
    latch_str update = latch_ctx_text(cx, "SET #ts[%" PRId64 "] = :n, #ttl = :ttl REMOVE #ts[0]", size);
    if (update.ptr == NULL) return no_memory(cx, c);
    r->update = update.ptr;
    r->condition = c->records ? record_condition : rotate_condition;
    r->values = LATCH_VALUES(":n", s->stamp_us, ":size", size, ":window_start", s->window_start_us, ":ttl",
                             latch_rate_ttl_s(cx, s->now_ms, c->rule.window_ms));
    return latch_table_call(cx, r, item);
}

/* What is outside of the window goes; the newest of it stays as `low`. */
static latch_status send_swap(latch_ctx *cx, const slide *s, latch_request *r, latch_json *item) {
    const latch_rate_call *c = s->c;
    int64_t low_us = s->seen.low_us;
    latch_json kept = latch_array(cx);
    for (size_t i = 0; i < s->seen.count; i++) {
        int64_t us = s->seen.us[i];
        if (us >= s->window_start_us) kept = latch_append(kept, latch_int(us));
        if (us < s->window_start_us && us > low_us) low_us = us;
    }
    for (int64_t i = 0; i < c->n; i++)
        kept = latch_append(kept, latch_int(s->stamp_us));
    r->update = "SET #ts = :kept_and_new, #low = :newest_dropped, #ttl = :ttl";
    r->condition = swap_condition;
    r->values = LATCH_VALUES(":kept_and_new", kept, ":newest_dropped", low_us, ":old", list_of(cx, s->seen.us, s->seen.count), ":n",
                             s->stamp_us, ":window_start", s->window_start_us, ":ttl", latch_rate_ttl_s(cx, s->now_ms, c->rule.window_ms));
    return latch_table_call(cx, r, item);
}

/* A new decision, with a stamp of its own. A stamp that may have been written without a word is kept, to be known again. */
static latch_status send(latch_ctx *cx, void *arg, latch_json *item) {
    slide *s = arg;
    latch_rate_call *c = s->c;
    s->now_ms = latch_now_ms(cx);
    s->window_start_us = s->now_ms * 1000 - c->window_us;
    s->stamp_us = s->now_ms * 1000 + random_us();
    latch_request r = {.operation = LATCH_UPDATE_ITEM,
                       .pk = c->pk,
                       .sk = LATCH_STR("RATE"),
                       .deadline_at_ms = c->deadline_at_ms,
                       .repeatable = true,
                       .timed = true};
    latch_status status = s->next == APPEND   ? send_append(cx, s, &r, item)
                          : s->next == ROTATE ? send_rotate(cx, s, &r, item)
                                              : send_swap(cx, s, &r, item);
    if (status != LATCH_OK && cx->err.maybe_applied && s->stamps < LATCH_RATE_REQUESTS_MAX) s->stamps_us[s->stamps++] = s->stamp_us;
    return status;
}

static bool is_ours(const slide *s) {
    for (size_t i = 0; i < s->stamps; i++)
        if (has(&s->seen, s->stamps_us[i])) return true;
    return false;
}

/* A full list makes room for what has happened anyway, longer ones too. */
static branch of_record(const slide *s, branch next) {
    return next == APPEND || (int64_t)s->seen.count < s->c->rule.limit ? APPEND : ROTATE;
}

/* One request, and what it means: LATCH_OK granted, LATCH_LIMITED refused, LATCH_CONFLICT try `next`. */
static latch_status ask(latch_ctx *cx, slide *s, latch_rate_state *out) {
    latch_rate_call *c = s->c;
    latch_json item;
    bool refused;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_rate_send(cx, send, s, c->policy->timeout_ms, &c->deadline_at_ms, &c->maybe, &item));
    if (!refused) c->maybe = true; /* should what comes back not be readable */
    LATCH_TRY(read_list(cx, c, item, &s->seen));
    bool granted = !refused || is_ours(s);
    LATCH_TRY(decide(cx, c, &s->seen, s->now_ms, &s->next, out));
    if (c->known != NULL) c->known->full = (int64_t)s->seen.count >= c->rule.limit;
    if (granted) return LATCH_OK;
    if (c->records) s->next = of_record(s, s->next);
    return s->next == REFUSED ? LATCH_LIMITED : LATCH_CONFLICT;
}

latch_status latch_rate_sliding_take(latch_ctx *cx, latch_rate_call *c, latch_rate_state *out) {
    slide s = {.c = c, .next = c->known != NULL && c->known->full && c->n == 1 ? ROTATE : APPEND};
    for (int requests = 0; requests < LATCH_RATE_REQUESTS_MAX; requests++) {
        latch_status status = ask(cx, &s, out);
        if (status == LATCH_OK) out->retry_at_ms = 0;
        if (status != LATCH_CONFLICT) return status;
    }
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed by others between each two of %d requests", LATCH_ARG(c->pk),
                         LATCH_RATE_REQUESTS_MAX);
}

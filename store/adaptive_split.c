#include "store/rate_private.h"

/* Whole numbers, so that both shares together are the limit, whatever a fraction would have made of it. */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* `tenths` of the limit, rounded down; without a product that overflows. */
static int64_t tenths_of(int64_t limit, int64_t tenths) { return limit / 10 * tenths + limit % 10 * tenths / 10; }

/* x rounded down, `bound` where it is more; what only falls short by a double's error is that whole number. */
static int64_t whole(double x, int64_t bound) { return x < (double)bound ? (int64_t)(x + 1e-9) : bound; }

static int64_t moderate_reserve(const latch_adaptive *p, const latch_adaptive_state *s) {
    double factor = 1 + (double)s->activity / (double)p->high;
    if (factor > p->max_scaling) factor = p->max_scaling;
    if (s->rising) factor *= 1.2;
    if (s->falling) factor *= 0.8;
    if (factor < 1) factor = 1;
    return whole((double)tenths_of(p->limit, 4) * factor, tenths_of(p->limit, 7));
}

static int64_t low_reserve(const latch_adaptive *p) { return most(tenths_of(p->limit, 3), p->min_user_reserved); }

static latch_adaptive_reason reason_of(const latch_adaptive *p, const latch_activity *a, int64_t now_ms) {
    if (!a->any) return LATCH_ADAPTIVE_NEW;
    if (a->all >= p->high) return LATCH_ADAPTIVE_HIGH;
    if (a->all >= p->moderate && a->all > 0) return LATCH_ADAPTIVE_MODERATE;
    if (a->all > 0) return LATCH_ADAPTIVE_LOW;
    bool long_ago = a->user_at_ms != 0 && now_ms - a->user_at_ms > p->sustained_inactivity_ms;
    return long_ago ? LATCH_ADAPTIVE_INACTIVE : LATCH_ADAPTIVE_IDLE;
}

static int64_t reserve_of(const latch_adaptive *p, const latch_adaptive_state *s) {
    switch (s->reason) {
    case LATCH_ADAPTIVE_HIGH:
        return whole((double)p->limit / 2 * p->max_scaling, tenths_of(p->limit, 9));
    case LATCH_ADAPTIVE_MODERATE:
        return moderate_reserve(p, s);
    case LATCH_ADAPTIVE_NEW:
    case LATCH_ADAPTIVE_LOW:
        return low_reserve(p);
    case LATCH_ADAPTIVE_IDLE:
        return p->min_user_reserved;
    case LATCH_ADAPTIVE_INACTIVE:
        break;
    }
    return 0;
}

void latch_adaptive_divide(const latch_adaptive *p, const latch_activity *a, int64_t now_ms, latch_adaptive_state *out) {
    out->activity = a->all;
    out->rising = 2 * a->recent > 3 * a->before;
    out->falling = 2 * a->recent < a->before;
    out->reason = reason_of(p, a, now_ms);
    out->reserve = least(most(reserve_of(p, out), 0), p->limit);
    out->background_max = p->limit - out->reserve;
    out->paused = out->reason == LATCH_ADAPTIVE_HIGH && out->rising && !p->never_pauses;
}

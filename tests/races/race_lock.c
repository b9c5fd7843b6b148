/* Locks: taken, held for a moment, given back, or left; and the histories that porcupine checks. */
#include "store/lock.h"
#include "tests/races/worker.h"

/* A hold points to it. .keep: left, when it is left. */
static const latch_lock *policy(const worker *w) {
    static latch_lock lock;
    lock = (latch_lock){.name = "race", .lease_ms = w->options.lease_ms, .keep = true};
    return &lock;
}

/* `held`: the last time at which this process held it by its own clocks. */
static void hold_on(worker *w, const latch_hold *hold, int64_t k) {
    int64_t held_us = 0;
    for (uint32_t i = roll(w, 4) + 1; i > 0; i--) {
        int64_t at_us = now_us();
        if (latch_lock_held(&w->cx, hold)) held_us = at_us;
        pause_us(roll(w, 300));
    }
    note(w, "\"e\":\"held\",\"k\":%" PRId64 ",\"fence\":%" PRId64 ",\"t\":%" PRId64, k, hold->fence, held_us);
}

static void give_back(worker *w, latch_hold *hold, int64_t k) {
    note(w, "\"e\":\"giving\",\"k\":%" PRId64 ",\"fence\":%" PRId64 ",\"t\":%" PRId64, k, hold->fence, now_us());
    latch_status status = latch_lock_release(&w->cx, hold);
    note(w, "\"e\":\"gave\",\"k\":%" PRId64 ",\"fence\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"t\":%" PRId64, k, hold->fence,
         latch_status_name(status), unknown(w, status), now_us());
}

static latch_status take(worker *w, latch_hold *hold, int64_t *k) {
    char key[24];
    const latch_lock *lock = policy(w);
    *k = key_of(w, key);
    int64_t t0 = now_us();
    latch_status status = latch_lock_take(&w->cx, lock, latch_str_of(key), hold);
    note(w,
         "\"e\":\"take\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"fence\":%" PRId64 ",\"lease\":%" PRId64 ",\"late\":%" PRId64
         ",\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         *k, latch_status_name(status), unknown(w, status), hold->fence, lock->lease_ms, w->late, t0, now_us());
    return status;
}

static void take_hold_give(worker *w) {
    latch_hold hold;
    int64_t k;
    if (take(w, &hold, &k) != LATCH_OK) {
        pause_us(roll(w, 3000));
        return;
    }
    hold_on(w, &hold, k);
    bool left = w->options.crash_in > 0 && roll(w, (uint32_t)w->options.crash_in) == 0;
    if (!left) give_back(w, &hold, k);
}

/* Now and then held beyond its lease, and given back then: to nobody's harm. */
static void take_too_long(worker *w) {
    latch_hold hold;
    int64_t k;
    if (take(w, &hold, &k) != LATCH_OK) {
        pause_us(roll(w, 6000));
        return;
    }
    hold_on(w, &hold, k);
    if (roll(w, 8) == 0) pause_us((uint32_t)(w->options.lease_ms * 1000) + roll(w, 600000));
    give_back(w, &hold, k);
}

/* Never given back: each next holder is one that took over. Held as long as it says that it is. */
static void take_and_keep(worker *w) {
    latch_hold hold;
    int64_t k, held_us = 0;
    if (take(w, &hold, &k) != LATCH_OK) {
        pause_us(1000 + roll(w, 2000));
        return;
    }
    for (int64_t at_us = now_us(); latch_lock_held(&w->cx, &hold); at_us = now_us()) {
        held_us = at_us;
        pause_us(500);
    }
    note(w, "\"e\":\"held\",\"k\":%" PRId64 ",\"fence\":%" PRId64 ",\"t\":%" PRId64, k, hold.fence, held_us);
}

/* ── histories: one operation a call ────────────────────────────────────────────────────────────────────────────────────── */

static latch_hold mine; /* that of the last take that was OK, until it is given back; of this round */
static int64_t mine_of;
static latch_arena mine_at; /* lives longer than a call */
static latch_scope mine_ends;
static char mine_memory[1 << 20];

static void op(worker *w, const char *name, latch_status status, int64_t fence, int64_t t0) {
    note(w,
         "\"e\":\"op\",\"op\":\"%s\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"late\":%" PRId64 ",\"n\":%" PRId64
         ",\"lease\":%" PRId64 ",\"skew\":%" PRId64 ",\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         name, w->round, latch_status_name(status), unknown(w, status), w->late, fence, w->options.lease_ms, w->options.skew_ms, t0,
         now_us());
}

static void history_take(worker *w, const latch_lock *lock, latch_str key) {
    latch_hold hold;
    mine_ends = (latch_scope){0};
    w->cx.scope = &mine_ends;
    latch_arena_clean_up(&mine_at);
    latch_arena_init(&mine_at, mine_memory, sizeof mine_memory);
    w->cx.arena = &mine_at;
    int64_t t0 = now_us();
    latch_status status = latch_lock_take(&w->cx, lock, key, &hold);
    op(w, "take", status, status == LATCH_OK ? hold.fence : 0, t0);
    if (status == LATCH_OK) mine = hold, mine_of = w->round;
}

static void history_lock(worker *w) {
    const latch_lock *lock = policy(w);
    char key[24];
    round_key(w, key);
    pause_us(roll(w, 600));
    if (mine.state != NULL && mine_of != w->round) mine = (latch_hold){0};
    int64_t t0 = now_us(), fence = mine.fence;
    if (roll(w, 5) == 0) {
        latch_lock_holder holder;
        latch_status status = latch_lock_look(&w->cx, lock, latch_str_of(key), &holder);
        op(w, "look", status, holder.fence, t0);
    } else if (mine.state == NULL) {
        history_take(w, lock, latch_str_of(key));
    } else {
        latch_status status = latch_lock_release(&w->cx, &mine);
        op(w, "release", status, fence, t0);
        if (status == LATCH_OK || status == LATCH_CONFLICT) mine = (latch_hold){0};
    }
}

const race races_lock[] = {
    {"lock", take_hold_give}, {"lock-kept", take_and_keep}, {"lock-overrun", take_too_long}, {"history-lock", history_lock}, {NULL, NULL}};

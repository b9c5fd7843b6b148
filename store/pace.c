#include "store/pace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THROTTLED_BASE_MS 1000
#define RETRY_AFTER_MORE_MS 5000
#define BUSY_PROBE_MS 1000 /* when to come back while the probe is out */

/* Asked of the system each time: sandboxes restored from one snapshot must not come back together. */
static double random_of_system(void *self) {
    uint32_t bits = UINT32_MAX / 2;
    (void)self;
    (void)(getentropy(&bits, sizeof bits) == 0);
    return (double)bits / 4294967296.0;
}

void latch_pace_init(latch_pace *pace, const latch_pace_options *options) {
    *pace = (latch_pace){.random = random_of_system, .options = *options, .tokens = LATCH_PACE_TOKENS};
    if (pace->options.failures < 1) pace->options.failures = 1;
    pthread_mutex_init(&pace->mutex, NULL);
    atomic_init(&pace->calm, true);
}

void latch_pace_clean_up(latch_pace *pace) { pthread_mutex_destroy(&pace->mutex); }

static void settle(latch_pace *p) {
    bool calm = p->tokens == LATCH_PACE_TOKENS && p->wait_us == 0 && p->failures == 0 && p->state == LATCH_BREAKER_CLOSED;
    atomic_store_explicit(&p->calm, calm, memory_order_release);
    pthread_mutex_unlock(&p->mutex);
}

static bool is_calm(latch_pace *p) { return atomic_load_explicit(&p->calm, memory_order_acquire); }

/* ── breaker ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void open_breaker(latch_pace *p, const latch_clock *clock) {
    p->state = LATCH_BREAKER_OPEN;
    p->opened = latch_clock_instant(clock);
    p->opened_at_ms = p->opened.wall_us / 1000;
}

static void close_breaker(latch_pace *p) {
    p->state = LATCH_BREAKER_CLOSED;
    p->failures = 0;
}

/* The time is a span by both clocks: a sandbox that was frozen meanwhile probes at once. */
static void let_time_pass(latch_pace *p, const latch_clock *clock) {
    if (p->state == LATCH_BREAKER_OPEN && latch_clock_since_ms(clock, p->opened) >= p->options.open_ms) p->state = LATCH_BREAKER_HALF_OPEN;
}

static bool admit(latch_pace *p, const latch_clock *clock, latch_pace_ticket *out) {
    let_time_pass(p, clock);
    if (p->state == LATCH_BREAKER_OPEN) {
        out->retry_at_ms = p->opened_at_ms + p->options.open_ms;
        return false;
    }
    if (p->state == LATCH_BREAKER_HALF_OPEN && p->probing) {
        out->retry_at_ms = latch_clock_wall_ms(clock) + BUSY_PROBE_MS;
        return false;
    }
    out->probe = p->probing = p->state == LATCH_BREAKER_HALF_OPEN;
    return true;
}

bool latch_pace_begin(latch_pace *p, const latch_clock *clock, latch_pace_ticket *out) {
    *out = (latch_pace_ticket){0};
    if (is_calm(p)) return true;
    pthread_mutex_lock(&p->mutex);
    bool admitted = admit(p, clock, out);
    if (admitted) out->wait_ms = p->wait_us / 1000;
    settle(p);
    return admitted;
}

/* A call that began before the breaker opened, and ends now, decides nothing. */
static void judge(latch_pace *p, const latch_clock *clock, const latch_pace_ticket *ticket, latch_pace_outcome outcome) {
    bool decides = ticket->probe ? p->state == LATCH_BREAKER_HALF_OPEN : p->state == LATCH_BREAKER_CLOSED;
    if (ticket->probe) p->probing = false;
    if (!decides || outcome == LATCH_PACE_UNDECIDED) return;
    if (outcome != LATCH_PACE_FAILED) {
        close_breaker(p);
        return;
    }
    p->last_failure_at_ms = latch_clock_wall_ms(clock);
    latch_str why = latch_str_cut(latch_str_of(ticket->why), sizeof p->last_failure - 1);
    snprintf(p->last_failure, sizeof p->last_failure, "%.*s", (int)why.len, why.len > 0 ? why.ptr : "");
    p->failures++;
    if (p->options.breaker && p->failures >= p->options.failures) open_breaker(p, clock);
}

latch_breaker latch_pace_look(latch_pace *p, const latch_clock *clock) {
    pthread_mutex_lock(&p->mutex);
    let_time_pass(p, clock);
    latch_breaker out = {.state = p->state, .failures = p->failures, .last_failure_at_ms = p->last_failure_at_ms};
    if (p->state == LATCH_BREAKER_OPEN) out.next_try_at_ms = p->opened_at_ms + p->options.open_ms;
    if (p->state == LATCH_BREAKER_HALF_OPEN) out.next_try_at_ms = latch_clock_wall_ms(clock);
    memcpy(out.last_failure, p->last_failure, sizeof out.last_failure);
    settle(p);
    return out;
}

void latch_pace_reset(latch_pace *p) {
    pthread_mutex_lock(&p->mutex);
    close_breaker(p);
    p->probing = false;
    p->wait_us = 0;
    settle(p);
}

/* ── bucket, delays ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

int64_t latch_pace_delay_ms(latch_pace *p, bool throttled, int repeats, int64_t retry_after_ms) {
    int64_t most_ms = throttled ? THROTTLED_BASE_MS : p->options.base_ms;
    for (int i = 0; i < repeats && most_ms < LATCH_PACE_DELAY_MAX_MS; i++)
        most_ms *= 2;
    if (most_ms > LATCH_PACE_DELAY_MAX_MS) most_ms = LATCH_PACE_DELAY_MAX_MS;
    int64_t delay_ms = (int64_t)(p->random(p->random_self) * (double)most_ms);
    if (retry_after_ms <= delay_ms) return delay_ms;
    return retry_after_ms < delay_ms + RETRY_AFTER_MORE_MS ? retry_after_ms : delay_ms + RETRY_AFTER_MORE_MS;
}

bool latch_pace_spend(latch_pace *p, bool throttled, latch_pace_ticket *ticket) {
    int cost = throttled ? LATCH_PACE_COST_THROTTLED : LATCH_PACE_COST;
    pthread_mutex_lock(&p->mutex);
    bool enough = p->tokens >= cost;
    if (enough) {
        p->tokens -= cost;
        ticket->spent = cost;
    }
    settle(p);
    return enough;
}

bool latch_pace_affords(latch_pace *p) {
    if (is_calm(p)) return true;
    pthread_mutex_lock(&p->mutex);
    bool enough = p->tokens >= LATCH_PACE_COST;
    pthread_mutex_unlock(&p->mutex);
    return enough;
}

static void slow_down(latch_pace *p) {
    int64_t most_us = (int64_t)LATCH_PACE_WAIT_MAX_MS * 1000;
    if (!p->options.waits) return;
    p->wait_us = p->wait_us > 0 ? p->wait_us * 2 : (int64_t)LATCH_PACE_WAIT_MS * 1000;
    if (p->wait_us > most_us) p->wait_us = most_us;
}

static void speed_up(latch_pace *p) {
    p->wait_us = p->wait_us * 9 / 10;
    if (p->wait_us < 1000) p->wait_us = 0;
}

void latch_pace_end(latch_pace *p, const latch_clock *clock, const latch_pace_ticket *ticket, latch_pace_outcome outcome) {
    bool fine = outcome != LATCH_PACE_FAILED && !ticket->throttled && ticket->spent == 0 && !ticket->probe;
    if (fine && is_calm(p)) return;
    pthread_mutex_lock(&p->mutex);
    judge(p, clock, ticket, outcome);
    if (outcome == LATCH_PACE_SERVED) p->tokens += ticket->spent > 0 ? ticket->spent : 1;
    if (p->tokens > LATCH_PACE_TOKENS) p->tokens = LATCH_PACE_TOKENS;
    if (ticket->throttled) slow_down(p);
    if (!ticket->throttled && outcome == LATCH_PACE_SERVED) speed_up(p);
    settle(p);
}

#include "store/dynamodb/skew.h"

#define SECOND_US INT64_C(1000000)
#define DATE_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

void latch_skew_init(latch_skew *skew, latch_clock local) {
    *skew = (latch_skew){.local = local, .low_us = INT64_MAX, .high_us = INT64_MIN};
}

/* ── the corrected clock ─────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t offset_us(const latch_skew *skew) { return __atomic_load_n(&skew->offset_us, __ATOMIC_RELAXED); }

static int64_t wall_us(void *self) {
    const latch_skew *skew = self;
    return skew->local.wall_us(skew->local.self) + offset_us(skew);
}

static int64_t boot_us(void *self) {
    const latch_skew *skew = self;
    return skew->local.boot_us(skew->local.self);
}

static void sleep_ms(void *self, int64_t ms) {
    const latch_skew *skew = self;
    skew->local.sleep_ms(skew->local.self, ms);
}

latch_clock latch_skew_clock(latch_skew *skew) {
    return (latch_clock){.wall_us = wall_us, .boot_us = boot_us, .sleep_ms = skew->local.sleep_ms != NULL ? sleep_ms : NULL, .self = skew};
}

/* ── learning ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void narrow(latch_skew *skew, int64_t low_us, int64_t high_us) {
    int64_t low = low_us > skew->low_us ? low_us : skew->low_us, high = high_us < skew->high_us ? high_us : skew->high_us;
    bool none = skew->low_us > skew->high_us, old = latch_clock_since_ms(&skew->local, skew->since) >= LATCH_SKEW_KEPT_MS;
    if (none || old || low > high) {
        skew->since = latch_clock_instant(&skew->local);
        low = low_us;
        high = high_us;
    }
    skew->low_us = low;
    skew->high_us = high;
}

int64_t latch_skew_observe(latch_skew *skew, int64_t sent_us, int64_t received_us, int64_t date_s) {
    if (received_us < sent_us || date_s < 0 || date_s > DATE_MAX_S) return 0;
    if (__atomic_exchange_n(&skew->learning, true, __ATOMIC_ACQUIRE)) return 0;
    narrow(skew, date_s * SECOND_US - received_us, (date_s + 1) * SECOND_US - sent_us);
    int64_t before = offset_us(skew), now = skew->low_us > 0 ? skew->low_us : skew->high_us < 0 ? skew->high_us : 0;
    __atomic_store_n(&skew->offset_us, now, __ATOMIC_RELAXED);
    __atomic_store_n(&skew->learning, false, __ATOMIC_RELEASE);
    return (now - before) / 1000;
}

/* A counter that all raise, and histories of it and of a register. */
#include "store/counter.h"
#include "store/kv.h"
#include "tests/races/worker.h"

/* What an exact addition is told is read right after it, and may be another's: it isn't told. */
static latch_status add_to(worker *w, latch_str key, int64_t by, int64_t *count) {
    const latch_counter counter = {.name = "race", .exact = count == NULL};
    return latch_counter_add(&w->cx, &counter, key, by, count);
}

static void add(worker *w) {
    char key[24], value[24] = "null";
    int64_t k = key_of(w, key), by = 1 + roll(w, 3), count = 0, t0 = now_us();
    bool exact = roll(w, 4) == 0;
    note(w, "\"e\":\"adding\",\"k\":%" PRId64 ",\"by\":%" PRId64, k, by);
    latch_status status = add_to(w, latch_str_of(key), by, exact ? NULL : &count);
    if (!exact && status == LATCH_OK) snprintf(value, sizeof value, "%" PRId64, count);
    note(w,
         "\"e\":\"add\",\"k\":%" PRId64 ",\"by\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"value\":%s,\"t0\":%" PRId64
         ",\"t1\":%" PRId64,
         k, by, latch_status_name(status), unknown(w, status), value, t0, now_us());
}

/* ── histories ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void op(worker *w, const char *name, latch_status status, int64_t n, int64_t by, int64_t t0) {
    note(w,
         "\"e\":\"op\",\"op\":\"%s\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"late\":%" PRId64 ",\"n\":%" PRId64
         ",\"by\":%" PRId64 ",\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         name, w->round, latch_status_name(status), unknown(w, status), w->late, n, by, t0, now_us());
}

/* A partitioned one, whose get is one request over the connection that is open. */
static void history_counter(worker *w) {
    static const latch_pcounter counter = {.name = "history"};
    char key[24];
    latch_counted counted;
    int64_t by = 1 + roll(w, 1000), count = 0, t0 = now_us();
    round_key(w, key);
    const latch_pkv_key at = latch_pkv_at(latch_str_of(key), LATCH_STR("n"));
    if (roll(w, 3) == 0) {
        latch_status status = latch_pcounter_get(&w->cx, &counter, at, &counted);
        op(w, "get", status, counted.count, 0, t0);
        return;
    }
    latch_status status = latch_pcounter_add(&w->cx, &counter, at, by, &count);
    op(w, "add", status, count, by, t0);
}

static void history_register(worker *w) {
    static const latch_kv kv = {.name = "history"};
    char key[24];
    latch_json value;
    int64_t n = w->call * 100 + w->options.seed, t0 = now_us();
    round_key(w, key);
    if (roll(w, 2) == 0) {
        latch_status status = latch_kv_set(&w->cx, &kv, latch_str_of(key), n);
        op(w, "set", status, n, 0, t0);
        return;
    }
    latch_status status = latch_kv_get(&w->cx, &kv, latch_str_of(key), &value);
    if (status == LATCH_MISSING) n = 0;
    if (status == LATCH_OK && latch_read(value, "", &n) != LATCH_OK) n = -1;
    op(w, "get", status == LATCH_MISSING ? LATCH_OK : status, n, 0, t0);
}

const race races_counter[] = {{"counter", add}, {"history-counter", history_counter}, {"history-register", history_register}, {NULL, NULL}};

/* Rate limits: sliding, sliding with a limit that is lowered and raised meanwhile, GCRA. */
#include "store/rate.h"
#include "tests/races/worker.h"

#define WINDOW_MS LATCH_SECOND_MS
#define MOVES_US INT64_C(700000)

static void acquire(worker *w, latch_rate *policy, int64_t bound) {
    char key[24];
    latch_rate_state state;
    policy->window_ms = WINDOW_MS;
    int64_t k = key_of(w, key), t0 = now_us();
    latch_status status = latch_rate_acquire(&w->cx, policy, latch_str_of(key), &state);
    note(w,
         "\"e\":\"rate\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"limit\":%" PRId64 ",\"bound\":%" PRId64 ",\"window\":%" PRId64
         ",\"exact\":%d,\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         k, latch_status_name(status), unknown(w, status), policy->limit, bound, WINDOW_MS, policy->algorithm == LATCH_RATE_SLIDING, t0,
         now_us());
    pause_us(roll(w, 8000));
}

/* A refusal that is known isn't asked for again, for 20 ms at most: there is to be a race. */
static void sliding(worker *w) {
    latch_rate policy = {.name = "race", .limit = w->options.limit, .known_ms = 20};
    acquire(w, &policy, w->options.limit);
}

static void moved(worker *w) {
    int64_t limit = now_us() / MOVES_US % 2 == 0 ? w->options.limit : w->options.limit / 2;
    latch_rate policy = {.name = "moved", .limit = limit, .known_ms = 20};
    acquire(w, &policy, w->options.limit);
}

static void gcra(worker *w) {
    int64_t burst = w->options.limit / 5 + 1;
    latch_rate policy = {.name = "gcra", .algorithm = LATCH_RATE_GCRA, .limit = w->options.limit, .burst = burst, .known_ms = 20};
    acquire(w, &policy, burst + w->options.limit);
}

const race races_rate[] = {{"rate", sliding}, {"rate-moved", moved}, {"rate-gcra", gcra}, {NULL, NULL}};

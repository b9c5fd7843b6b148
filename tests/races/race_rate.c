/* Rate limits: sliding, sliding with a limit that is lowered and raised meanwhile, GCRA; adaptive, whose split moves with what users take. */
#include "store/adaptive.h"
#include "store/rate.h"
#include "tests/races/worker.h"

#define WINDOW_MS LATCH_SECOND_MS
#define MOVES_US INT64_C(700000)

typedef struct asked {
    int64_t k, limit, bound; /* bound: at most so many in any window */
    bool exact;              /* of the window before each grant it holds, too */
    latch_status status;
    int64_t t0;
} asked;

static void note_rate(worker *w, const asked *a) {
    note(w,
         "\"e\":\"rate\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"limit\":%" PRId64 ",\"bound\":%" PRId64 ",\"window\":%" PRId64
         ",\"exact\":%d,\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         a->k, latch_status_name(a->status), unknown(w, a->status), a->limit, a->bound, WINDOW_MS, a->exact, a->t0, now_us());
    pause_us(roll(w, 8000));
}

static void acquire(worker *w, latch_rate *policy, int64_t bound) {
    char key[24];
    latch_rate_state state;
    asked a = {.limit = policy->limit, .bound = bound, .exact = policy->algorithm == LATCH_RATE_SLIDING};
    policy->window_ms = WINDOW_MS;
    a.k = key_of(w, key), a.t0 = now_us();
    a.status = latch_rate_acquire(&w->cx, policy, latch_str_of(key), &state);
    note_rate(w, &a);
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

/* Both priorities together: GCRA's bound, with all of the limit as the burst. One call in three is a user's, of whom the split is made. */
static void adaptive(worker *w) {
    const latch_adaptive policy = {.name = "race",
                                   .limit = w->options.limit,
                                   .window_ms = WINDOW_MS,
                                   .monitoring_ms = 3 * LATCH_SECOND_MS,
                                   .high = 20,
                                   .moderate = 5,
                                   .recalculation_ms = 100,
                                   .never_pauses = true,
                                   .known_ms = 20};
    char key[24];
    latch_adaptive_state state;
    asked a = {.limit = policy.limit, .bound = 2 * policy.limit + 1};
    a.k = key_of(w, key), a.t0 = now_us();
    a.status = latch_adaptive_acquire(&w->cx, &policy, latch_str_of(key), roll(w, 3) == 0 ? LATCH_USER : LATCH_BACKGROUND, &state);
    note_rate(w, &a);
}

const race races_rate[] = {{"rate", sliding}, {"rate-moved", moved}, {"rate-gcra", gcra}, {"adaptive", adaptive}, {NULL, NULL}};

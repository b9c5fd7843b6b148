/* What is limited: attempts in a window. */
#include "store/attempts.h"
#include "tests/races/worker.h"

#define WINDOW_MS LATCH_SECOND_MS

static void attempt(worker *w) {
    char key[24];
    const latch_attempts policy = {.name = "race", .max = (uint32_t)w->options.limit, .window_ms = WINDOW_MS};
    latch_attempt attempt;
    int64_t k = key_of(w, key), t0 = now_us();
    latch_status status = latch_attempts_take(&w->cx, &policy, latch_str_of(key), LATCH_NULL, &attempt);
    note(w,
         "\"e\":\"attempt\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"max\":%" PRId64 ",\"window\":\"%.*s\",\"used\":%" PRId64
         ",\"created\":%" PRId64 ",\"ends\":%" PRId64 ",\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         k, latch_status_name(status), unknown(w, status), w->options.limit, LATCH_ARG(attempt.window), attempt.used, attempt.created_at_ms,
         attempt.ends_at_ms, t0, now_us());
    pause_us(roll(w, 8000));
}

const race races_limits[] = {{"attempt", attempt}, {NULL, NULL}};

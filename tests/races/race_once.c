/* Do-once: done, replayed, given back, abandoned and cleared. */
#include "store/once.h"
#include "tests/races/worker.h"

static worker *doing; /* the process has one thread */
static int64_t doing_k, doing_from_us;
static bool overruns; /* the work takes longer than its in-progress time */

static latch_status work(latch_ctx *cx, latch_work *job) {
    worker *w = doing;
    int64_t id = (int64_t)roll(w, INT32_MAX);
    note(w, "\"e\":\"work\",\"k\":%" PRId64 ",\"n\":%" PRId64 ",\"takeovers\":%u,\"lease\":%" PRId64 ",\"t0\":%" PRId64 ",\"t\":%" PRId64,
         doing_k, id, job->takeovers, w->options.lease_ms, doing_from_us, now_us());
    pause_us(overruns ? (uint32_t)(w->options.lease_ms * 1000) + roll(w, 1000000) : roll(w, 800));
    uint32_t side = overruns ? 8 : roll(w, 8);
    latch_status says = side < 3 ? LATCH_LIMITED : side < 5 ? LATCH_E_NETWORK : LATCH_OK;
    job->result = latch_object(cx, "n", id);
    note(w, "\"e\":\"worked\",\"k\":%" PRId64 ",\"n\":%" PRId64 ",\"says\":\"%s\",\"t\":%" PRId64, doing_k, id, latch_status_name(says),
         now_us());
    return says;
}

static latch_once policy(const worker *w) {
    return (latch_once){.name = "race", .work = work, .keep_ms = LATCH_HOUR_MS, .in_progress_ms = w->options.lease_ms};
}

static void do_once(worker *w) {
    char key[24];
    const latch_once once = policy(w);
    latch_once_result result;
    int64_t n = -1, t0 = now_us();
    doing = w, doing_k = key_of(w, key), doing_from_us = t0;
    latch_status status = latch_once_do(&w->cx, &once, latch_str_of(key), LATCH_NULL, &result);
    if (status == LATCH_OK && latch_read(result.response, "n", &n) != LATCH_OK) n = -1;
    note(w,
         "\"e\":\"once\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"did\":%d,\"n\":%" PRId64 ",\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         doing_k, latch_status_name(status), unknown(w, status), result.did, n, t0, now_us());
    if (status == LATCH_BUSY) pause_us(roll(w, 3000));
}

static void do_or_clear(worker *w) {
    char key[24];
    const latch_once once = policy(w);
    if (roll(w, 6) != 0) {
        do_once(w);
        return;
    }
    int64_t k = key_of(w, key), t0 = now_us();
    note(w, "\"e\":\"clearing\",\"k\":%" PRId64 ",\"t0\":%" PRId64, k, t0);
    latch_status status = latch_once_clear(&w->cx, &once, latch_str_of(key));
    note(w, "\"e\":\"clear\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"t0\":%" PRId64 ",\"t1\":%" PRId64, k,
         latch_status_name(status), unknown(w, status), t0, now_us());
}

static void do_too_long(worker *w) {
    overruns = true;
    do_or_clear(w);
    pause_us(roll(w, 2000));
}

const race races_once[] = {{"once", do_or_clear}, {"once-overrun", do_too_long}, {NULL, NULL}};

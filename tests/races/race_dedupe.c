/* Dedupe's jobs: registered, completed, failed, left. */
#include "store/dedupe.h"
#include "tests/races/worker.h"

#define RESULT_MS LATCH_SECOND_MS

static void settle(worker *w, const latch_dedupe *dedupe, latch_str key, int64_t k, latch_str id) {
    bool fails = roll(w, 8) != 0;
    note(w, "\"e\":\"ends\",\"k\":%" PRId64 ",\"id\":\"%.*s\",\"fails\":%d,\"t\":%" PRId64, k, LATCH_ARG(id), fails, now_us());
    latch_status status = fails ? latch_dedupe_fail(&w->cx, dedupe, key, id, LATCH_STR("it failed"))
                                : latch_dedupe_complete(&w->cx, dedupe, key, id, latch_object(&w->cx, "id", id));
    note(w, "\"e\":\"ended\",\"k\":%" PRId64 ",\"id\":\"%.*s\",\"fails\":%d,\"status\":\"%s\",\"maybe\":%d,\"t\":%" PRId64, k,
         LATCH_ARG(id), fails, latch_status_name(status), unknown(w, status), now_us());
}

static void join(worker *w, bool rerun, bool overruns) {
    char key[24];
    const latch_dedupe dedupe = {
        .name = rerun ? "rerun" : "race", .job_timeout_ms = w->options.lease_ms, .result_ms = RESULT_MS, .rerun_completed = rerun};
    latch_job job;
    latch_str told = {"", 0};
    int64_t k = key_of(w, key), t0 = now_us();
    latch_status status = latch_dedupe_register_or_join(&w->cx, &dedupe, latch_str_of(key), &job);
    int64_t t1 = now_us();
    if (status == LATCH_SEEN && latch_read(job.result, "id", &told) != LATCH_OK) told = LATCH_STR("no result");
    note(w,
         "\"e\":\"join\",\"k\":%" PRId64 ",\"status\":\"%s\",\"maybe\":%d,\"id\":\"%.*s\",\"told\":\"%.*s\",\"lease\":%" PRId64
         ",\"result\":%" PRId64 ",\"rerun\":%d,\"t0\":%" PRId64 ",\"t1\":%" PRId64,
         k, latch_status_name(status), unknown(w, status), LATCH_ARG(job.id), LATCH_ARG(told), dedupe.job_timeout_ms, RESULT_MS, rerun, t0,
         t1);
    if (status != LATCH_OK) {
        pause_us(roll(w, status == LATCH_SEEN ? 10000 : 3000));
        return;
    }
    pause_us(roll(w, 800));
    if (overruns && roll(w, 8) == 0) pause_us((uint32_t)(w->options.lease_ms * 1000) + roll(w, 600000));
    bool left = w->options.crash_in > 0 && roll(w, (uint32_t)w->options.crash_in) == 0;
    if (!left) settle(w, &dedupe, latch_str_of(key), k, job.id);
}

static void dedupe(worker *w) { join(w, false, false); }
static void dedupe_rerun(worker *w) { join(w, true, false); }
static void dedupe_overrun(worker *w) { join(w, true, true); } /* settled after its deadline, now and then */

const race races_dedupe[] = {{"dedupe", dedupe}, {"dedupe-rerun", dedupe_rerun}, {"dedupe-overrun", dedupe_overrun}, {NULL, NULL}};

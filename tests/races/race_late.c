/*
 * A late owner: it stops itself (SIGSTOP) while it owns something, past the end of its lease, and goes on when it is continued. The next
 * owner is a process of its own. Each says what its calls said.
 */
#include <signal.h>

#include "store/dedupe.h"
#include "store/lock.h"
#include "store/once.h"
#include "store/table.h"
#include "tests/races/worker.h"

static void said(worker *w, const char *what, latch_status status, int64_t value) {
    note(w, "\"e\":\"said\",\"what\":\"%s\",\"status\":\"%s\",\"value\":%" PRId64 ",\"t\":%" PRId64, what, latch_status_name(status), value,
         now_us());
}

/* ── lock, and what it guards: an item that its holder marks with its token, then writes ────────────────────────────────── */

static const latch_request guarded = {.operation = LATCH_UPDATE_ITEM,
                                      .update = "SET #fence = :f, #by = :by",
                                      .condition = "attribute_not_exists(#fence) OR #fence <= :f",
                                      .repeatable = true};

static latch_status write_guarded(worker *w, int64_t fence, const char *by) {
    latch_request request = guarded;
    latch_json item;
    request.pk = LATCH_STR("GUARDED"), request.sk = LATCH_STR("late");
    request.values = LATCH_VALUES(":f", fence, ":by", by);
    request.deadline_at_ms = latch_now_ms(&w->cx) + 2 * LATCH_SECOND_MS;
    return latch_table_call(&w->cx, &request, &item);
}

static latch_lock door(const worker *w, int64_t wait_ms) {
    return (latch_lock){.name = "late", .lease_ms = w->options.lease_ms, .keep = true, .wait_ms = wait_ms};
}

static void late_owner(worker *w, bool extends) {
    const latch_lock lock = door(w, 0);
    latch_hold hold;
    latch_status status = latch_lock_take(&w->cx, &lock, LATCH_STR("k"), &hold);
    said(w, "take", status, hold.fence);
    said(w, "write", write_guarded(w, hold.fence, "first"), hold.fence);
    raise(SIGSTOP);
    said(w, "held", LATCH_OK, latch_lock_held(&w->cx, &hold));
    said(w, "write", write_guarded(w, hold.fence, "late"), hold.fence);
    if (extends) said(w, "extend", latch_lock_extend(&w->cx, &hold, LATCH_MINUTE_MS), hold.fence);
    if (!extends) said(w, "release", latch_lock_release(&w->cx, &hold), hold.fence);
}

static void late_lock(worker *w) { late_owner(w, false); }
static void late_extend(worker *w) { late_owner(w, true); }

static void next_lock(worker *w) {
    const latch_lock lock = door(w, 10 * LATCH_SECOND_MS);
    latch_hold hold;
    latch_status status = latch_lock_take(&w->cx, &lock, LATCH_STR("k"), &hold);
    said(w, "take", status, hold.fence);
    said(w, "write", write_guarded(w, hold.fence, "next"), hold.fence);
    raise(SIGSTOP); /* the late one tries */
    said(w, "held", LATCH_OK, latch_lock_held(&w->cx, &hold));
    said(w, "release", latch_lock_release(&w->cx, &hold), hold.fence);
}

/* ── do-once ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static worker *doing;

static latch_status work(latch_ctx *cx, latch_work *job) {
    (void)cx;
    said(doing, "work", LATCH_OK, job->takeovers);
    raise(SIGSTOP);
    return LATCH_OK;
}

static latch_status next_work(latch_ctx *cx, latch_work *job) {
    (void)cx;
    said(doing, "work", LATCH_OK, job->takeovers);
    return LATCH_OK;
}

static void once(worker *w, latch_work_fn *fn) {
    const latch_once order = {.name = "late", .work = fn, .in_progress_ms = w->options.lease_ms, .wait_ms = 10 * LATCH_SECOND_MS};
    latch_once_result result;
    doing = w;
    latch_status status = latch_once_do(&w->cx, &order, LATCH_STR("k"), LATCH_NULL, &result);
    said(w, "once", status, result.did);
}

static void late_once(worker *w) { once(w, work); }
static void next_once(worker *w) { once(w, next_work); }

/* ── dedupe ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_dedupe message(const worker *w) {
    return (latch_dedupe){.name = "late", .job_timeout_ms = w->options.lease_ms, .wait_ms = 10 * LATCH_SECOND_MS};
}

static void late_dedupe(worker *w) {
    const latch_dedupe dedupe = message(w);
    latch_job job;
    said(w, "register", latch_dedupe_register_or_join(&w->cx, &dedupe, LATCH_STR("k"), &job), 0);
    raise(SIGSTOP);
    said(w, "complete", latch_dedupe_complete(&w->cx, &dedupe, LATCH_STR("k"), job.id, LATCH_NULL), 0);
    said(w, "fail", latch_dedupe_fail(&w->cx, &dedupe, LATCH_STR("k"), job.id, LATCH_STR("late")), 0);
}

static void next_dedupe(worker *w) {
    const latch_dedupe dedupe = message(w);
    latch_job job;
    latch_status status = LATCH_BUSY;
    for (int tries = 0; tries < 2000 && status == LATCH_BUSY; tries++) {
        status = latch_dedupe_register_or_join(&w->cx, &dedupe, LATCH_STR("k"), &job);
        pause_us(5000);
    }
    said(w, "register", status, 0);
    raise(SIGSTOP);
    said(w, "complete", latch_dedupe_complete(&w->cx, &dedupe, LATCH_STR("k"), job.id, LATCH_NULL), 0);
}

const race races_late[] = {{"late-lock", late_lock}, {"late-extend", late_extend}, {"next-lock", next_lock},     {"late-once", late_once},
                           {"next-once", next_once}, {"late-dedupe", late_dedupe}, {"next-dedupe", next_dedupe}, {NULL, NULL}};

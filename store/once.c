#include "store/once.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/once_private.h"
#include "store/wait.h"

#define DEFAULT_IN_PROGRESS_MS LATCH_MINUTE_MS
#define PAUSE_MS 500
#define PAUSE_MOST_MS LATCH_SECOND_MS

const char latch_once_free[] =
    "(attribute_not_exists(#pk) OR (#status = :completed AND #expiration < :now) OR "
    "(#status = :inprogress AND attribute_exists(#in_progress_expiration) AND #in_progress_expiration < :now_ms_minus_skew AND "
    "(attribute_not_exists(#validation) OR #validation = :p OR #expiration < :now_minus_skew)) OR "
    "(#status = :inprogress AND attribute_not_exists(#in_progress_expiration) AND #expiration < :now_minus_skew)) AND "
    "(attribute_not_exists(#owner) OR #owner <> :o)";

/*
 * The second of each pair is for tables of others, where a record ends by `expiration` alone, and where doneAt tells our completion from one
 * that another library wrote over our claim.
 */
#define CLAIM(ttl, done_at)                                                                                                                \
    "SET #status = :inprogress, #expiration = :exp, " ttl "#in_progress_expiration = :ipe, #owner = :o, #validation = :p, "                \
    "#takeovers = if_not_exists(#takeovers, :minus_one) + :one REMOVE #data" done_at
static const char claim_update[] = CLAIM("#ttl = :exp, ", "");
static const char shared_claim_update[] = CLAIM("", ", #doneAt");

/* A claim is never deleted by its owner: that would forget its takeovers, or remove a completion whose answer was lost. */
static const char owned[] = "#owner = :o AND #status = :inprogress AND #in_progress_expiration > :zero";
#define COMPLETE(data, ttl, without)                                                                                                       \
    "SET #status = :completed, " data "#expiration = :e, " ttl "#doneAt = :now_ms REMOVE #takeovers" without
static const char complete_update[] = COMPLETE("#data = :d, ", "#ttl = :e, ", "");
static const char shared_complete_update[] = COMPLETE("#data = :d, ", "", "");
static const char complete_without_data_update[] = COMPLETE("", "#ttl = :e, ", ", #data");
static const char shared_complete_without_data_update[] = COMPLETE("", "", ", #data");

/* In a Powertools table the count in the item may be another than was told, as a claim of theirs drops it: it is written anew. */
static const char give_back_update[] = "SET #in_progress_expiration = :zero, #takeovers = #takeovers - :one REMOVE #validation";
static const char abandon_update[] = "SET #in_progress_expiration = :zero";
static const char recount_and_give_back_update[] = "SET #in_progress_expiration = :zero, #takeovers = :count REMOVE #validation";
static const char recount_and_abandon_update[] = "SET #in_progress_expiration = :zero, #takeovers = :count";

typedef latch_once_call call;
typedef latch_once_seen seen;

/* ── claiming ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* When another may start: as the policy says, or at the deadline. */
static latch_status in_progress_until(latch_ctx *cx, const latch_once *once, int64_t now_ms, int64_t *out) {
    bool bounded = cx->deadline_at_ms != INT64_MAX;
    *out = now_ms + DEFAULT_IN_PROGRESS_MS;
    if (bounded) *out = cx->deadline_at_ms;
    if (once->in_progress_ms > 0) *out = now_ms + once->in_progress_ms;
    if (*out > now_ms + LATCH_SPAN_MS_MAX) *out = now_ms + LATCH_SPAN_MS_MAX;
    if (!bounded || cx->deadline_at_ms > now_ms) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "once %s: the deadline has passed, there is no time to do it", once->name);
}

/*
 * The record lives at least as long as the work may run: a shorter one would let TTL, or another payload's claim, steal it. In a Powertools
 * table the item comes back as it was: whom it was taken over from shows there alone.
 */
static latch_status send_claim(latch_ctx *cx, call *c, int64_t now_ms, latch_json *item) {
    int64_t skew_ms = latch_table_skew_ms(cx);
    LATCH_TRY(in_progress_until(cx, c->once, now_ms, &c->until_ms));
    int64_t kept_s = latch_once_kept_until_s(c, now_ms), least_s = latch_seconds_up(c->until_ms + skew_ms);
    latch_request request = latch_once_request(c, LATCH_UPDATE_ITEM);
    request.update = latch_once_is_shared(c) ? shared_claim_update : claim_update;
    request.timed = true;
    request.condition = latch_once_free;
    request.returns = c->once->powertools != NULL ? LATCH_RETURNS_OLD : LATCH_RETURNS_ITEM;
    request.values = LATCH_VALUES(":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":exp",
                                  kept_s > least_s ? kept_s : least_s, ":ipe", c->until_ms, ":o", c->owner, ":p", c->validation,
                                  ":minus_one", latch_int(-1), ":one", latch_int(1), ":now", latch_seconds_passed(now_ms),
                                  ":now_ms_minus_skew", now_ms - skew_ms, ":now_minus_skew", latch_seconds_passed(now_ms - skew_ms));
    return latch_once_send(cx, c, &request, item);
}

static uint32_t bounded(int64_t takeovers) { return takeovers > 0 && takeovers < UINT32_MAX ? (uint32_t)takeovers : 0; }

/* The claim was applied, and `item` is what was there before: INPROGRESS without a count is a claim of Powertools' own. */
static latch_status claimed_over(latch_json item, call *c) {
    seen old = {.completed = true};
    if (item.node != NULL) LATCH_TRY(latch_once_read(item, &old));
    int64_t takeovers = old.completed ? 0 : old.counts_takeovers ? old.takeovers + 1 : 1;
    c->takeovers = bounded(takeovers);
    return LATCH_OK;
}

typedef enum verdict { CLAIMED, DONE } verdict;

/*
 * The claim was refused. By our own id: an earlier try claimed it, and its in-progress time is the item's. Where that is over, the next claim
 * is another owner's, as this id refuses itself.
 */
static latch_status refused_by(latch_ctx *cx, call *c, const seen *found, int64_t now_ms, verdict *says, latch_once_result *out) {
    bool ours = latch_str_eq(found->owner, c->owner);
    c->until_ms = found->in_progress_until_ms;
    c->takeovers = bounded(found->takeovers);
    if (c->once->powertools != NULL && c->takeovers == 0) c->takeovers = 1; /* what was there before isn't known: it is told */
    if (ours && !found->completed && found->in_progress_until_ms > now_ms) return LATCH_OK;
    if (!ours && found->validation.len > 0 && !latch_str_eq(found->validation, latch_str_of(c->validation)))
        return latch_once_mismatch(cx, c);
    *says = DONE;
    if (found->completed) return latch_once_replay(cx, c, found, out);
    if (ours) {
        c->owner = latch_uuid(cx);
        if (c->owner.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "once %s: the arena is full", c->once->name);
    }
    return latch_once_busy(cx, c, found);
}

/* One request, and what it means. `found` is what refused it. */
static latch_status try_claim(latch_ctx *cx, call *c, verdict *says, seen *found, latch_once_result *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    bool refused;
    latch_status status = send_claim(cx, c, now_ms, &item);
    if (latch_table_outdated(cx, status)) {
        c->maybe_claimed = c->maybe_claimed || cx->err.maybe_applied;
        now_ms = latch_now_ms(cx);
        status = send_claim(cx, c, now_ms, &item);
    }
    if (status != LATCH_OK) c->maybe_claimed = c->maybe_claimed || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    *says = CLAIMED;
    if (!refused) c->maybe_claimed = true;
    if (!refused && c->once->powertools != NULL) return claimed_over(item, c);
    LATCH_TRY(latch_once_read(item, found));
    if (refused) return refused_by(cx, c, found, now_ms, says, out);
    c->until_ms = found->in_progress_until_ms;
    c->takeovers = bounded(found->takeovers);
    return LATCH_OK;
}

/* A refused try leaves nothing in the arena, so that a long wait takes no more of it than a short one. */
static latch_status claim(latch_ctx *cx, call *c, latch_wait *wait, verdict *says, seen *found, latch_once_result *out) {
    for (;;) {
        latch_str owner = c->owner;
        size_t mark = latch_arena_mark(cx->arena);
        latch_status status = try_claim(cx, c, says, found, out);
        if (status != LATCH_OK && c->maybe_claimed) cx->err.maybe_applied = true;
        if (status != LATCH_BUSY || !latch_wait_more(cx, wait, cx->err.retry_at_ms)) return status;
        if (owner.ptr == c->owner.ptr) latch_arena_rewind(cx->arena, mark);
    }
}

/* ── settling ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * The work said that nothing is half done: a refusal, bad input, its author's own failure. Not where a write in it may have been applied,
 * and not a conflict: something moved while the work was at it (an inner once, a lock that was to be extended), so that it had begun.
 */
static bool says_nothing_is_done(latch_status status, bool maybe_applied) {
    bool refused = status >= LATCH_MISSING && status <= LATCH_UNDONE && status != LATCH_CONFLICT;
    return !maybe_applied && (refused || status == LATCH_E_INPUT || status == LATCH_E_HANDLER);
}

/* The work's own error stands, whatever becomes of the claim: at worst it is in progress until its time is over, and then it is told. */
static latch_status settle_undone(latch_ctx *cx, call *c, latch_status ended, bool nothing_is_done) {
    latch_err why = cx->err;
    latch_json item;
    bool recounts = c->once->powertools != NULL;
    latch_request request = latch_once_request(c, LATCH_UPDATE_ITEM);
    request.update = nothing_is_done ? give_back_update : abandon_update;
    if (recounts) request.update = nothing_is_done ? recount_and_give_back_update : recount_and_abandon_update;
    request.condition = owned;
    request.values = LATCH_VALUES(":o", c->owner, ":inprogress", LATCH_STR("INPROGRESS"), ":zero", latch_int(0), ":one", latch_int(1),
                                  ":count", (int64_t)c->takeovers - (nothing_is_done ? 1 : 0));
    request.returns = LATCH_RETURNS_NOTHING;
    latch_spare_begin(cx, &c->spare);
    latch_status status = latch_once_send(cx, c, &request, &item);
    latch_spare_end(cx, &c->spare);
    if (status != LATCH_OK && status != LATCH_CONFLICT) latch_warn(cx, "a claim was not given back", "once", c->pk, "why", cx->err.message);
    cx->err = why;
    return ended;
}

/* `data`: of kind NULL where it is too long to keep, or could not be built. */
static latch_status send_complete(latch_ctx *cx, const call *c, const latch_value *data, int64_t now_ms, latch_json *item) {
    bool shared = latch_once_is_shared(c);
    latch_request request = latch_once_request(c, LATCH_UPDATE_ITEM);
    request.update = shared ? shared_complete_without_data_update : complete_without_data_update;
    if (data != NULL) request.update = shared ? shared_complete_update : complete_update;
    request.condition = owned;
    request.values =
        LATCH_VALUES(":o", c->owner, ":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":zero", latch_int(0),
                     ":d", data != NULL ? *data : latch_v_cstr_(NULL), ":e", latch_once_kept_until_s(c, now_ms), ":now_ms", now_ms);
    request.returns = LATCH_RETURNS_REFUSED;
    return latch_once_send(cx, c, &request, item);
}

/* The work ran here, whoever's result counts: for whoever calls this from work of its own, something was done. */
static latch_status taken_over(latch_ctx *cx, const call *c, bool lost) {
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: another owner took over while the work ran here%s", LATCH_ARG(c->pk),
                        lost ? "; a try to record it got no answer" : "");
    cx->err.maybe_applied = true;
    return LATCH_CONFLICT;
}

/* The marker first: whoever finds our completion finds that too. */
static latch_status mark(latch_ctx *cx, const call *c, int64_t now_ms) {
    return c->marker.len > 0 ? latch_once_marker_put(cx, c, now_ms) : LATCH_OK;
}

/* The work is done, whatever this answers: an error says so by err.maybe_applied. *kept: the response is in the record. */
static latch_status complete(latch_ctx *cx, const call *c, const latch_value *data, int64_t now_ms, bool *kept) {
    latch_json item;
    seen found;
    bool refused;
    *kept = data != NULL;
    latch_status status = mark(cx, c, now_ms);
    if (status == LATCH_OK) status = send_complete(cx, c, data, now_ms, &item);
    bool lost = status != LATCH_OK && cx->err.maybe_applied;
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    if (!refused) return LATCH_OK;
    if (item.node == NULL) return taken_over(cx, c, lost);
    status = latch_once_read(item, &found);
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    if (status != LATCH_OK) return status;
    *kept = found.has_data;
    bool ours = latch_str_eq(found.owner, c->owner) && found.completed && (found.has_done_at || c->once->powertools == NULL);
    return ours ? LATCH_OK : taken_over(cx, c, lost);
}

/* In a Powertools table there is no completion without its response: nothing is written, and the claim ends by its time. */
static latch_status not_recorded(latch_ctx *cx, const call *c, latch_status built, size_t bytes) {
    if (built == LATCH_OK)
        built =
            latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: the response has %zu bytes, want at most %zu: it is done, and not recorded",
                          c->once->name, bytes, LATCH_ONCE_RESPONSE_MAX_BYTES);
    cx->err.maybe_applied = true;
    return built;
}

/* A response that can't be kept is no reason to do the work again: it is recorded as done, without it. */
static latch_status settle_done(latch_ctx *cx, call *c, const latch_work *work, latch_once_result *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_str text = {NULL, 0};
    bool kept, powertools = c->once->powertools != NULL;
    latch_status built = latch_json_text(cx, work->result, &text);
    latch_err why = cx->err;
    *out = (latch_once_result){.response = work->result, .did = true, .not_kept = true, .done_at_ms = now_ms};
    if (work->keep_ms > 0) c->keep_ms = work->keep_ms < LATCH_SPAN_MS_MAX ? work->keep_ms : LATCH_SPAN_MS_MAX;
    bool fits = built == LATCH_OK && text.len <= LATCH_ONCE_RESPONSE_MAX_BYTES;
    if (!fits && powertools) return not_recorded(cx, c, built, text.len);
    latch_value data = latch_once_data(c, work->result, text);
    latch_status status = complete(cx, c, fits ? &data : NULL, now_ms, &kept);
    if (status == LATCH_E_NOMEM && !powertools) { /* the work filled the arena: there is memory set aside for the least that must be said */
        latch_spare_begin(cx, &c->spare);
        status = complete(cx, c, NULL, now_ms, &kept);
        latch_spare_end(cx, &c->spare);
    }
    out->not_kept = !kept;
    if (status != LATCH_OK || built == LATCH_OK) return status;
    cx->err = why;
    cx->err.maybe_applied = true;
    return built;
}

/* ── doing it ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Another may start it at any moment now: it is not started here. */
static latch_status came_too_late(latch_ctx *cx, const call *c) {
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: its in-progress time was over before the answer came", LATCH_ARG(c->pk));
}

/* What was claimed, DoOnceManager may have done: our claim is given back, and the answer is that it was done. */
static latch_status done_by_marker(latch_ctx *cx, call *c, verdict *says, latch_once_result *out) {
    latch_once_marker marker;
    latch_status status = latch_once_marker_read(cx, c, &marker);
    if (status != LATCH_OK || marker.there) status = settle_undone(cx, c, status, true);
    if (status != LATCH_OK || !marker.there) return status;
    *says = DONE;
    *out = (latch_once_result){.not_kept = true, .done_at_ms = marker.at_ms};
    return LATCH_OK;
}

/* Of what is done here and has no marker any more, DoOnceManager has cleared the marker: the record goes too. */
static latch_status cleared_by_marker(latch_ctx *cx, call *c, const seen *found, bool *cleared) {
    latch_once_marker marker;
    LATCH_TRY(latch_once_marker_read(cx, c, &marker));
    *cleared = !marker.there;
    return *cleared ? latch_once_delete(cx, c, found) : LATCH_OK;
}

static latch_status claim_with_marker(latch_ctx *cx, call *c, latch_wait *wait, verdict *says, latch_once_result *out) {
    seen found;
    bool cleared;
    LATCH_TRY(claim(cx, c, wait, says, &found, out));
    if (*says == DONE && c->marker.len > 0) {
        LATCH_TRY(cleared_by_marker(cx, c, &found, &cleared));
        if (!cleared) return LATCH_OK;
        *out = (latch_once_result){0};
        LATCH_TRY(claim(cx, c, wait, says, &found, out));
    }
    return *says == CLAIMED && c->marker.len > 0 ? done_by_marker(cx, c, says, out) : LATCH_OK;
}

latch_status latch_once_do_work(latch_ctx *cx, const latch_once *once, latch_work *work, latch_once_result *out) {
    call c;
    verdict says;
    *out = (latch_once_result){0};
    LATCH_TRY(latch_once_begin(cx, once, work->key, &c));
    if (once->work == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .work is not set", once->name);
    LATCH_TRY(latch_once_validate(cx, &c, work->payload));
    LATCH_TRY(latch_spare_init(cx, &c.spare, (latch_str){c.pk.ptr, c.pk.len + c.sk.len}));
    latch_wait wait = latch_wait_begin(cx, once->wait_ms, PAUSE_MS, PAUSE_MOST_MS);
    LATCH_TRY(claim_with_marker(cx, &c, &wait, &says, out));
    if (says == DONE) return LATCH_OK;
    if (latch_now_ms(cx) >= c.until_ms) return settle_undone(cx, &c, came_too_late(cx, &c), true);
    work->takeovers = c.takeovers;
    cx->err = (latch_err){0}; /* what a try of the claim left in it says nothing about the work */
    latch_status status = once->work(cx, work);
    if (status == LATCH_OK) return settle_done(cx, &c, work, out);
    return settle_undone(cx, &c, status, says_nothing_is_done(status, cx->err.maybe_applied));
}

latch_status latch_once_do(latch_ctx *cx, const latch_once *once, latch_str key, latch_json payload, latch_once_result *out) {
    latch_work work = {.key = key, .payload = payload, .result = LATCH_NULL};
    return latch_once_do_work(cx, once, &work, out);
}

#include "store/once.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/hash.h"
#include "store/table.h"
#include "store/wait.h"

#define DEFAULT_KEEP_MS LATCH_HOUR_MS
#define DEFAULT_IN_PROGRESS_MS LATCH_MINUTE_MS
#define PAUSE_MS 500
#define PAUSE_MOST_MS LATCH_SECOND_MS

static const latch_table_key key_of = {.store = "once", .prefix = "ONCE", .max_bytes = 2048};

/* What may be claimed, and never by a repeat of the claim that holds it: nothing yet, a completion that has ended, work whose time is up. */
#define FREE                                                                                                                               \
    "(attribute_not_exists(#pk) OR (#status = :completed AND #expiration < :now) OR "                                                      \
    "(#status = :inprogress AND attribute_exists(#in_progress_expiration) AND #in_progress_expiration < :now_ms_minus_skew AND "           \
    "(attribute_not_exists(#validation) OR #validation = :p OR #expiration < :now_minus_skew)) OR "                                        \
    "(#status = :inprogress AND attribute_not_exists(#in_progress_expiration) AND #expiration < :now_minus_skew)) AND "                    \
    "(attribute_not_exists(#owner) OR #owner <> :o)"

static const char claim_update[] =
    "SET #status = :inprogress, #expiration = :exp, #ttl = :exp, #in_progress_expiration = :ipe, #owner = :o, "
    "#validation = :p, #takeovers = if_not_exists(#takeovers, :minus_one) + :one REMOVE #data";
static const char mark_update[] = "SET #status = :completed, #data = :d, #expiration = :e, #ttl = :e, #doneAt = :now_ms, #owner = :o, "
                                  "#validation = :p, #in_progress_expiration = :zero REMOVE #takeovers";

/* A claim is never deleted by its owner: that would forget its takeovers, or remove a completion whose answer was lost. */
static const char owned[] = "#owner = :o AND #status = :inprogress AND #in_progress_expiration > :zero";
static const char complete_update[] =
    "SET #status = :completed, #data = :d, #expiration = :e, #ttl = :e, #doneAt = :now_ms REMOVE #takeovers";
static const char complete_without_data_update[] =
    "SET #status = :completed, #expiration = :e, #ttl = :e, #doneAt = :now_ms REMOVE #takeovers, #data";
static const char give_back_update[] = "SET #in_progress_expiration = :zero, #takeovers = #takeovers - :one REMOVE #validation";
static const char abandon_update[] = "SET #in_progress_expiration = :zero";

/* As it was read: an owner whose time is over may complete yet, and a deletion that comes late must not remove that. */
static const char clear_done[] = "#owner = :o AND #status = :s AND (#doneAt = :at OR attribute_not_exists(#doneAt))";
static const char clear_undone[] = "#owner = :o AND #status = :s AND #in_progress_expiration = :at";

typedef struct call { /* what the requests of one call share */
    const latch_once *once;
    latch_str pk, owner;
    char validation[LATCH_HASH_BYTES];
    uint32_t takeovers;
    int64_t until_ms;   /* the end of our in-progress time */
    bool maybe_claimed; /* a try of a claim was applied, or got no answer */
    latch_spare spare;  /* the work may have filled the arena when its claim is settled */
} call;

typedef struct seen { /* what an item says */
    bool completed, has_data;
    latch_str owner, validation, data;
    int64_t in_progress_until_ms, expiration_s, takeovers, done_at_ms;
} seen;

static latch_status read_item(latch_json item, seen *out) {
    latch_str status;
    *out = (seen){.has_data = latch_item_has(item, "data")};
    LATCH_TRY(latch_item_text(item, "status", &status));
    out->completed = latch_str_eq(status, LATCH_STR("COMPLETED"));
    if (!out->completed && !latch_str_eq(status, LATCH_STR("INPROGRESS")))
        return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.status: is %.*s, want INPROGRESS or COMPLETED", LATCH_ARG(status));
    LATCH_TRY(latch_item_int(item, "expiration", &out->expiration_s));
    LATCH_TRY(latch_item_text_or(item, "owner", LATCH_STR(""), &out->owner));
    LATCH_TRY(latch_item_text_or(item, "validation", LATCH_STR(""), &out->validation));
    LATCH_TRY(latch_item_text_or(item, "data", LATCH_STR("null"), &out->data));
    LATCH_TRY(latch_item_at_ms_or(item, "in_progress_expiration", 0, &out->in_progress_until_ms));
    LATCH_TRY(latch_item_int_or(item, "takeovers", 0, &out->takeovers));
    return latch_item_at_ms_or(item, "doneAt", 0, &out->done_at_ms);
}

/* ── beginning ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_policy(latch_ctx *cx, const latch_once *once) {
    LATCH_TRY(latch_table_check_span(cx, "once", once->name, ".keep_ms", once->keep_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "once", once->name, ".in_progress_ms", once->in_progress_ms, 0));
    return latch_table_check_span(cx, "once", once->name, ".wait_ms", once->wait_ms, 0);
}

static latch_status new_owner(latch_ctx *cx, call *c) {
    c->owner = latch_uuid(cx);
    if (c->owner.ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "once %s: the arena is full", c->once->name);
}

static latch_status begin(latch_ctx *cx, const latch_once *once, latch_str key, call *out) {
    *out = (call){.once = once};
    LATCH_TRY(latch_table_pk(cx, &key_of, once->name, key, &out->pk));
    LATCH_TRY(check_policy(cx, once));
    return new_owner(cx, out);
}

static latch_request request_of(const call *c, latch_operation operation) {
    return (latch_request){.operation = operation, .pk = c->pk, .sk = LATCH_STR("ONCE"), .repeatable = true};
}

static latch_status send(latch_ctx *cx, const call *c, latch_request *request, latch_json *item) {
    LATCH_TRY(latch_ctx_deadline(cx, c->once->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

static int64_t kept_until_s(const latch_once *once, int64_t now_ms) {
    return latch_seconds_up(now_ms + (once->keep_ms > 0 ? once->keep_ms : DEFAULT_KEEP_MS));
}

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

/* The record lives at least as long as the work may run: a shorter one would let TTL, or another payload's claim, steal it. */
static latch_status send_claim(latch_ctx *cx, const call *c, int64_t now_ms, latch_json *item) {
    int64_t skew_ms = latch_table_skew_ms(cx), until_ms;
    LATCH_TRY(in_progress_until(cx, c->once, now_ms, &until_ms));
    int64_t kept_s = kept_until_s(c->once, now_ms), least_s = latch_seconds_up(until_ms + skew_ms);
    latch_request request = request_of(c, LATCH_UPDATE_ITEM);
    request.update = claim_update;
    request.timed = true;
    request.condition = FREE;
    request.values = LATCH_VALUES(":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":exp",
                                  kept_s > least_s ? kept_s : least_s, ":ipe", until_ms, ":o", c->owner, ":p", c->validation, ":minus_one",
                                  latch_int(-1), ":one", latch_int(1), ":now", latch_seconds_passed(now_ms), ":now_ms_minus_skew",
                                  now_ms - skew_ms, ":now_minus_skew", latch_seconds_passed(now_ms - skew_ms));
    return send(cx, c, &request, item);
}

static latch_status mismatch(latch_ctx *cx, const call *c) {
    (void)latch_err_set(&cx->err, LATCH_MISMATCH, "%.*s: was used with another payload", LATCH_ARG(c->pk));
    cx->err.maybe_applied = c->maybe_claimed;
    return LATCH_MISMATCH;
}

static latch_status busy(latch_ctx *cx, const call *c, const seen *item) {
    int64_t free_at_ms = item->in_progress_until_ms + latch_table_skew_ms(cx) + 1;
    (void)latch_err_set(&cx->err, LATCH_BUSY, "%.*s: is being done by another, at most until %" PRId64 " ms%s", LATCH_ARG(c->pk),
                        free_at_ms, c->maybe_claimed ? "; a try of this one got no answer and may claim it" : "");
    cx->err.retry_at_ms = free_at_ms;
    cx->err.maybe_applied = c->maybe_claimed;
    return LATCH_BUSY;
}

/* What was done is answered as it was answered then. */
static latch_status replay(latch_ctx *cx, const seen *item, latch_once_result *out) {
    *out = (latch_once_result){.not_kept = !item->has_data, .done_at_ms = item->done_at_ms};
    latch_status status = latch_json_parse(cx, LATCH_E_DATA, "response", item->data, &out->response);
    if (status != LATCH_OK) *out = (latch_once_result){0};
    return status;
}

typedef enum verdict { CLAIMED, DONE } verdict;

/*
 * One request. Refused by our own id: an earlier try claimed it, and its in-progress time is the item's. Where that is over, the next claim
 * is another owner's, as this id refuses itself.
 */
static latch_status try_claim(latch_ctx *cx, call *c, verdict *says, latch_once_result *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    seen found;
    bool refused;
    latch_status status = send_claim(cx, c, now_ms, &item);
    if (latch_table_outdated(cx, status)) {
        c->maybe_claimed = c->maybe_claimed || cx->err.maybe_applied;
        now_ms = latch_now_ms(cx);
        status = send_claim(cx, c, now_ms, &item);
    }
    if (status != LATCH_OK) c->maybe_claimed = c->maybe_claimed || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    if (!refused) c->maybe_claimed = true;
    LATCH_TRY(read_item(item, &found));
    bool ours = latch_str_eq(found.owner, c->owner);
    *says = CLAIMED;
    c->until_ms = found.in_progress_until_ms;
    c->takeovers = found.takeovers > 0 && found.takeovers < UINT32_MAX ? (uint32_t)found.takeovers : 0;
    if (!refused || (ours && !found.completed && found.in_progress_until_ms > now_ms)) return LATCH_OK;
    if (!ours && found.validation.len > 0 && !latch_str_eq(found.validation, latch_str_of(c->validation))) return mismatch(cx, c);
    *says = DONE;
    if (found.completed) return replay(cx, &found, out);
    if (ours) LATCH_TRY(new_owner(cx, c));
    return busy(cx, c, &found);
}

/* A refused try leaves nothing in the arena, so that a long wait takes no more of it than a short one. */
static latch_status claim(latch_ctx *cx, call *c, verdict *says, latch_once_result *out) {
    latch_wait wait = latch_wait_begin(cx, c->once->wait_ms, PAUSE_MS, PAUSE_MOST_MS);
    for (;;) {
        latch_str owner = c->owner;
        size_t mark = latch_arena_mark(cx->arena);
        latch_status status = try_claim(cx, c, says, out);
        if (status != LATCH_OK && c->maybe_claimed) cx->err.maybe_applied = true;
        if (status != LATCH_BUSY || !latch_wait_more(cx, &wait, cx->err.retry_at_ms)) return status;
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
    latch_request request = request_of(c, LATCH_UPDATE_ITEM);
    request.update = nothing_is_done ? give_back_update : abandon_update;
    request.condition = owned;
    request.values = LATCH_VALUES(":o", c->owner, ":inprogress", LATCH_STR("INPROGRESS"), ":zero", latch_int(0), ":one", latch_int(1));
    request.returns = LATCH_RETURNS_NOTHING;
    latch_spare_begin(cx, &c->spare);
    latch_status status = send(cx, c, &request, &item);
    latch_spare_end(cx, &c->spare);
    if (status != LATCH_OK && status != LATCH_CONFLICT) latch_warn(cx, "a claim was not given back", "once", c->pk, "why", cx->err.message);
    cx->err = why;
    return ended;
}

/* `text`: NULL in ptr where it is too long to keep, or could not be built. */
static latch_status send_complete(latch_ctx *cx, const call *c, latch_str text, int64_t now_ms, latch_json *item) {
    latch_request request = request_of(c, LATCH_UPDATE_ITEM);
    request.update = text.ptr != NULL ? complete_update : complete_without_data_update;
    request.condition = owned;
    request.values = LATCH_VALUES(":o", c->owner, ":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":zero",
                                  latch_int(0), ":d", text, ":e", kept_until_s(c->once, now_ms), ":now_ms", now_ms);
    request.returns = LATCH_RETURNS_REFUSED;
    return send(cx, c, &request, item);
}

/* The work ran here, whoever's result counts: for whoever calls this from work of its own, something was done. */
static latch_status taken_over(latch_ctx *cx, const call *c, bool lost) {
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: another owner took over while the work ran here%s", LATCH_ARG(c->pk),
                        lost ? "; a try to record it got no answer" : "");
    cx->err.maybe_applied = true;
    return LATCH_CONFLICT;
}

/* The work is done, whatever this answers: an error says so by err.maybe_applied. *kept: the response is in the record. */
static latch_status complete(latch_ctx *cx, const call *c, latch_str text, int64_t now_ms, bool *kept) {
    latch_json item;
    seen found;
    bool refused;
    latch_status status = send_complete(cx, c, text, now_ms, &item);
    bool lost = status != LATCH_OK && cx->err.maybe_applied;
    *kept = text.ptr != NULL;
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    if (!refused) return LATCH_OK;
    if (item.node == NULL) return taken_over(cx, c, lost);
    status = read_item(item, &found);
    if (status != LATCH_OK) cx->err.maybe_applied = true;
    if (status != LATCH_OK) return status;
    *kept = found.has_data;
    return latch_str_eq(found.owner, c->owner) && found.completed ? LATCH_OK : taken_over(cx, c, lost);
}

/* A response that can't be kept is no reason to do the work again: it is recorded as done, without it. */
static latch_status settle_done(latch_ctx *cx, call *c, latch_json response, latch_once_result *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_str text = {NULL, 0};
    bool kept;
    latch_status built = latch_json_text(cx, response, &text);
    latch_err why = cx->err;
    *out = (latch_once_result){.response = response, .did = true, .done_at_ms = now_ms};
    if (built != LATCH_OK || text.len > LATCH_ONCE_RESPONSE_MAX_BYTES) text.ptr = NULL;
    latch_status status = complete(cx, c, text, now_ms, &kept);
    if (status == LATCH_E_NOMEM) { /* the work filled the arena: there is memory set aside for the least that must be said */
        latch_spare_begin(cx, &c->spare);
        status = complete(cx, c, (latch_str){NULL, 0}, now_ms, &kept);
        latch_spare_end(cx, &c->spare);
    }
    out->not_kept = !kept;
    if (status != LATCH_OK || built == LATCH_OK) return status;
    cx->err = why;
    cx->err.maybe_applied = true;
    return built;
}

/* Another may start it at any moment now: it is not started here. */
static latch_status came_too_late(latch_ctx *cx, const call *c) {
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: its in-progress time was over before the answer came", LATCH_ARG(c->pk));
}

latch_status latch_once_do(latch_ctx *cx, const latch_once *once, latch_str key, latch_json payload, latch_once_result *out) {
    call c;
    verdict says;
    latch_work work = {.key = key, .payload = payload, .result = LATCH_NULL};
    *out = (latch_once_result){0};
    LATCH_TRY(begin(cx, once, key, &c));
    if (once->work == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .work is not set", once->name);
    LATCH_TRY(latch_hash_json(cx, payload, c.validation));
    LATCH_TRY(latch_spare_init(cx, &c.spare, c.pk));
    LATCH_TRY(claim(cx, &c, &says, out));
    if (says == DONE) return LATCH_OK;
    if (latch_now_ms(cx) >= c.until_ms) return settle_undone(cx, &c, came_too_late(cx, &c), true);
    work.takeovers = c.takeovers;
    cx->err = (latch_err){0}; /* what a try of the claim left in it says nothing about the work */
    latch_status status = once->work(cx, &work);
    if (status == LATCH_OK) return settle_done(cx, &c, work.result, out);
    return settle_undone(cx, &c, status, says_nothing_is_done(status, cx->err.maybe_applied));
}

/* ── without doing the work ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* LATCH_MISSING where there is nothing, or nothing that holds any more. */
static latch_status look(latch_ctx *cx, const call *c, seen *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_request request = request_of(c, LATCH_GET_ITEM);
    latch_json item;
    LATCH_TRY(send(cx, c, &request, &item));
    if (item.node != NULL) LATCH_TRY(read_item(item, out));
    bool ended = item.node == NULL || (out->completed ? out->expiration_s < latch_seconds_passed(now_ms)
                                                      : out->in_progress_until_ms < now_ms - latch_table_skew_ms(cx));
    return ended ? latch_err_set(&cx->err, LATCH_MISSING, "%.*s: is not done", LATCH_ARG(c->pk)) : LATCH_OK;
}

latch_status latch_once_already_done(latch_ctx *cx, const latch_once *once, latch_str key, latch_once_result *out) {
    call c;
    seen found;
    *out = (latch_once_result){0};
    LATCH_TRY(begin(cx, once, key, &c));
    LATCH_TRY(look(cx, &c, &found));
    return found.completed ? replay(cx, &found, out) : busy(cx, &c, &found);
}

static latch_status send_mark(latch_ctx *cx, const call *c, latch_str text, latch_json *item) {
    int64_t now_ms = latch_now_ms(cx), skew_ms = latch_table_skew_ms(cx);
    latch_request request = request_of(c, LATCH_UPDATE_ITEM);
    request.update = mark_update;
    request.timed = true;
    request.condition = FREE;
    request.values = LATCH_VALUES(":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":o", c->owner, ":p",
                                  c->validation, ":d", text, ":e", kept_until_s(c->once, now_ms), ":now_ms", now_ms, ":zero", latch_int(0),
                                  ":now", latch_seconds_passed(now_ms), ":now_ms_minus_skew", now_ms - skew_ms, ":now_minus_skew",
                                  latch_seconds_passed(now_ms - skew_ms));
    request.returns = LATCH_RETURNS_REFUSED;
    return send(cx, c, &request, item);
}

latch_status latch_once_mark_done(latch_ctx *cx, const latch_once *once, latch_str key, latch_json payload, latch_json response) {
    call c;
    latch_str text;
    latch_json item;
    seen found;
    bool refused;
    LATCH_TRY(begin(cx, once, key, &c));
    LATCH_TRY(latch_hash_json(cx, payload, c.validation));
    LATCH_TRY(latch_json_text(cx, response, &text));
    if (text.len > LATCH_ONCE_RESPONSE_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: the response has %zu bytes, want at most %zu", once->name, text.len,
                             LATCH_ONCE_RESPONSE_MAX_BYTES);
    latch_status sent = send_mark(cx, &c, text, &item);
    bool outdated = latch_table_outdated(cx, sent);
    c.maybe_claimed = outdated && cx->err.maybe_applied;
    if (outdated) sent = send_mark(cx, &c, text, &item);
    if (sent != LATCH_OK) c.maybe_claimed = cx->err.maybe_applied = c.maybe_claimed || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, sent);
    if (!refused) return LATCH_OK;
    latch_status status = read_item(item, &found);
    if (status != LATCH_OK) cx->err.maybe_applied = c.maybe_claimed;
    if (status != LATCH_OK) return status;
    if (latch_str_eq(found.owner, c.owner)) return LATCH_OK;
    if (found.validation.len > 0 && !latch_str_eq(found.validation, latch_str_of(c.validation))) return mismatch(cx, &c);
    return found.completed ? LATCH_OK : busy(cx, &c, &found);
}

static latch_status read_for_clear(latch_ctx *cx, const call *c, bool *found, seen *out) {
    latch_request request = request_of(c, LATCH_GET_ITEM);
    latch_json item;
    *found = false;
    LATCH_TRY(send(cx, c, &request, &item));
    if (item.node == NULL) return LATCH_OK;
    *found = true;
    return read_item(item, out);
}

latch_status latch_once_clear(latch_ctx *cx, const latch_once *once, latch_str key) {
    call c;
    seen found;
    latch_json item;
    bool exists, refused;
    LATCH_TRY(begin(cx, once, key, &c));
    int64_t free_before_ms = latch_now_ms(cx) - latch_table_skew_ms(cx);
    LATCH_TRY(read_for_clear(cx, &c, &exists, &found));
    if (!exists) return LATCH_OK;
    if (!found.completed && found.in_progress_until_ms >= free_before_ms) return busy(cx, &c, &found);
    latch_request request = request_of(&c, LATCH_DELETE_ITEM);
    request.condition = found.completed ? clear_done : clear_undone;
    request.values = LATCH_VALUES(":o", found.owner, ":s", found.completed ? LATCH_STR("COMPLETED") : LATCH_STR("INPROGRESS"), ":at",
                                  found.completed ? found.done_at_ms : found.in_progress_until_ms);
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, send(cx, &c, &request, &item));
    if (!refused || item.node == NULL) return LATCH_OK;
    bool maybe_cleared = cx->err.maybe_applied;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed while it was to be cleared%s", LATCH_ARG(c.pk),
                        maybe_cleared ? "; a try got no answer and may have cleared what was there" : "");
    cx->err.maybe_applied = maybe_cleared;
    return LATCH_CONFLICT;
}

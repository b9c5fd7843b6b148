#include "store/lock.h"

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/scope.h"
#include "store/lock_private.h"
#include "store/schema.h"
#include "store/wait.h"

#define DEFAULT_LEASE_MS LATCH_MINUTE_MS
#define KEPT_MS (7 * LATCH_DAY_MS) /* so long the fence outlives the lease */
#define PAUSE_MS 50
#define PAUSE_MOST_MS LATCH_SECOND_MS
#define OWNER_MAX_BYTES 256

static const latch_table_key key_of = {.store = "lock", .prefix = "LOCK", .max_bytes = 2048};

typedef latch_hold_state state;
typedef latch_lock_seen seen;

/* ── our own layout ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * The version names one taking: a repeat refuses itself, and the item that comes back with the refusal bears it. It stays in the item
 * when the lock is released, so that a late try of a finished taking finds it and is refused too.
 */
static const char take_update[] = "SET #ownerName = :o, #leaseDuration = :l, #recordVersionNumber = :v, #expiresAt = :e, #ttl = :t, "
                                  "#fence = if_not_exists(#fence, :now) + :one REMOVE #isReleased";
static const char take_condition[] = "(attribute_not_exists(#pk) OR attribute_exists(#isReleased) OR #expiresAt < :now_minus_skew) AND "
                                     "(attribute_not_exists(#recordVersionNumber) OR #recordVersionNumber <> :v)";

/* An earlier extension that comes late must not shorten the lease. */
static const char extend_update[] = "SET #expiresAt = :e, #ttl = :t";
static const char extend_condition[] = "#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f AND "
                                       "attribute_not_exists(#isReleased) AND #expiresAt < :e";

static const char release_update[] = "SET #isReleased = :released";
static const char release_condition[] = "#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f";
static const char end_condition[] = "#recordVersionNumber = :v AND #fence = :f";

static latch_status read_item(latch_ctx *cx, const state *s, latch_json item, seen *out) {
    (void)s;
    *out = (seen){.released = latch_item_has(item, "isReleased")};
    LATCH_TRY(latch_item_text(item, "ownerName", &out->owner));
    LATCH_TRY(latch_item_text(item, "recordVersionNumber", &out->version));
    LATCH_TRY(latch_item_int(item, "fence", &out->fence));
    LATCH_TRY(latch_item_at_ms(item, "expiresAt", &out->until_ms));
    out->free_at_ms = out->until_ms + latch_table_skew_ms(cx) + 1;
    return LATCH_OK;
}

static latch_status send_take(latch_ctx *cx, state *s, int64_t now_ms, bool maybe_taken, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    int64_t lease_ms = s->lease_ms;
    (void)maybe_taken;
    latch_str lease = latch_ctx_text(cx, "%" PRId64, lease_ms);
    if (lease.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", s->lock->name);
    request.update = take_update;
    request.condition = take_condition;
    request.timed = true;
    request.values = LATCH_VALUES(":o", s->owner, ":l", lease, ":v", s->version, ":e", now_ms + lease_ms, ":t",
                                  latch_seconds_up(now_ms + lease_ms + KEPT_MS), ":now", now_ms, ":one", latch_int(1), ":now_minus_skew",
                                  now_ms - latch_table_skew_ms(cx));
    return latch_lock_send(cx, s, &request, item);
}

static latch_status send_extend(latch_ctx *cx, state *s, int64_t now_ms, int64_t end_at_ms, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    (void)now_ms;
    request.update = extend_update;
    request.condition = extend_condition;
    request.timed = true;
    request.values =
        LATCH_VALUES(":o", s->owner, ":v", s->version, ":f", s->fence, ":e", end_at_ms, ":t", latch_seconds_up(end_at_ms + KEPT_MS));
    return latch_lock_send(cx, s, &request, item);
}

static latch_status send_release(latch_ctx *cx, const state *s, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = release_condition;
    request.values = LATCH_VALUES(":o", s->owner, ":v", s->version, ":f", s->fence, ":released", LATCH_STR("1"));
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

static latch_status send_end(latch_ctx *cx, const state *s, const latch_lock_holder *held, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = end_condition;
    request.values = LATCH_VALUES(":v", held->version, ":f", held->fence, ":released", LATCH_STR("1"));
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

const latch_lock_kind latch_lock_native = {
    .take = send_take,
    .read = read_item,
    .extend = send_extend,
    .release = send_release,
    .end = send_end,
    .guard = "#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f AND attribute_not_exists(#isReleased)",
};

/* ── where it is, for how long, whose ───────────────────────────────────────────────────────────────────────────────────── */

/* The lease as asked for, cut at the deadline unless it is to be kept. LATCH_E_TIMEOUT. */
static latch_status cut_lease(latch_ctx *cx, const latch_lock *lock, int64_t lease_ms, int64_t now_ms, int64_t *out) {
    bool bounded = !lock->keep && cx->deadline_at_ms != INT64_MAX;
    int64_t left_ms = bounded ? cx->deadline_at_ms - now_ms : INT64_MAX;
    *out = lease_ms > 0 ? lease_ms : bounded ? left_ms : DEFAULT_LEASE_MS;
    if (*out > left_ms) *out = left_ms;
    if (*out > LATCH_SPAN_MS_MAX) *out = LATCH_SPAN_MS_MAX;
    if (left_ms > 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "lock %s: the deadline has passed, there is no time to hold it", lock->name);
}

static latch_status check_policy(latch_ctx *cx, const latch_lock *lock) {
    LATCH_TRY(latch_table_check_span(cx, "lock", lock->name, ".lease_ms", lock->lease_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "lock", lock->name, ".wait_ms", lock->wait_ms, 0));
    if (lock->lock_client != NULL && lock->paradoxical_table != NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: .lock_client and .paradoxical_table: it has one table", lock->name);
    if (lock->keep && lock->lease_ms == 0)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: .keep wants a .lease_ms: nothing else ends it", lock->name);
    return LATCH_OK;
}

static latch_status locate_in_client_table(latch_ctx *cx, const latch_lock *lock, state *out) {
    const latch_lock_client *of = lock->lock_client;
    bool has_sk = of->sk != NULL, has_value = of->sk_value != NULL && of->sk_value[0] != '\0';
    if (of->flavour != LATCH_LOCK_CLIENT_JAVA && of->flavour != LATCH_LOCK_CLIENT_GO)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: .lock_client has no .flavour: how leases are written", lock->name);
    if (has_sk != has_value)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: .lock_client wants both .sk and .sk_value, or none", lock->name);
    LATCH_TRY(latch_dynamodb_check_table(cx, of->table != NULL ? of->table : ""));
    out->kind = &latch_lock_of_client;
    out->place = (latch_place){.table = of->table, .pk = of->pk != NULL ? of->pk : "key", .sk = has_sk ? of->sk : ""};
    out->sk = latch_str_of(of->sk_value);
    return LATCH_OK;
}

/* Without anything taken yet: where its item is. LATCH_E_INPUT, LATCH_E_MISUSE, LATCH_E_NOMEM. */
static latch_status locate(latch_ctx *cx, const latch_lock *lock, latch_str key, state *out) {
    *out = (state){.lock = lock, .kind = &latch_lock_native, .sk = LATCH_STR("LOCK")};
    if (lock->lock_client == NULL && lock->paradoxical_table == NULL) {
        LATCH_TRY(latch_table_pk(cx, &key_of, lock->name, key, &out->pk));
        return check_policy(cx, lock);
    }
    LATCH_TRY(latch_table_check_key(cx, &key_of, lock->name, key));
    LATCH_TRY(check_policy(cx, lock));
    out->pk = key;
    if (lock->lock_client != NULL) return locate_in_client_table(cx, lock, out);
    LATCH_TRY(latch_dynamodb_check_table(cx, lock->paradoxical_table));
    out->kind = &latch_lock_of_paradoxical;
    out->place = (latch_place){.table = lock->paradoxical_table, .pk = "key", .sk = ""};
    return LATCH_OK;
}

latch_request latch_lock_request(const state *s, latch_operation operation) {
    return (latch_request){
        .operation = operation, .at = s->place.table != NULL ? &s->place : NULL, .pk = s->pk, .sk = s->sk, .repeatable = true};
}

latch_status latch_lock_send(latch_ctx *cx, const state *s, latch_request *request, latch_json *item) {
    LATCH_TRY(latch_ctx_deadline(cx, s->lock->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

/* A new taking: its version, and the reading that its lease counts from. LATCH_E_NOMEM. */
static latch_status begin(latch_ctx *cx, state *s) {
    bool named = cx->request_id.len > 0 && cx->request_id.len <= OWNER_MAX_BYTES && latch_str_is_utf8(cx->request_id);
    s->version = latch_uuid(cx);
    s->owner = named ? cx->request_id : s->version;
    s->from = latch_clock_instant(&cx->clock);
    if (s->version.ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", s->lock->name);
}

/* ── taking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status send(latch_ctx *cx, state *s, int64_t now_ms, bool maybe_taken, latch_json *item) {
    LATCH_TRY(cut_lease(cx, s->lock, s->lock->lease_ms, now_ms, &s->lease_ms));
    return s->kind->take(cx, s, now_ms, maybe_taken, item);
}

static latch_status held_by_another(latch_ctx *cx, const state *s, const seen *item, bool maybe_taken, latch_hold *out) {
    *out = (latch_hold){.until_ms = item->until_ms, .other = latch_copy(cx, item->owner)};
    (void)latch_err_set(&cx->err, LATCH_HELD, "%.*s: held by %.*s until %" PRId64 " ms%s", LATCH_ARG(s->pk), LATCH_ARG(item->owner),
                        item->until_ms, maybe_taken ? "; a try of this one got no answer and may take it" : "");
    cx->err.retry_at_ms = item->free_at_ms;
    cx->err.maybe_applied = maybe_taken;
    return LATCH_HELD;
}

/* Ours, but its time is up already: whoever thinks that it holds it now is a second holder. */
static latch_status came_too_late(latch_ctx *cx, const state *s) {
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "%.*s: its lease ended before the answer came", LATCH_ARG(s->pk));
}

/*
 * One request. Refused by our own version: the lease is the item's, as an earlier try made it. If that has ended, or an operator broke it,
 * the next request is another taking, as this version refuses itself.
 */
static latch_status try_take(latch_ctx *cx, state *s, bool *maybe_taken, latch_hold *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    seen found;
    bool refused;
    latch_status status = send(cx, s, now_ms, *maybe_taken, &item);
    if (latch_table_outdated(cx, status)) {
        *maybe_taken = *maybe_taken || cx->err.maybe_applied;
        LATCH_TRY(begin(cx, s)); /* its lease counts from the right time */
        status = send(cx, s, latch_now_ms(cx), *maybe_taken, &item);
    }
    *maybe_taken = *maybe_taken || status == LATCH_OK || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    LATCH_TRY(s->kind->read(cx, s, item, &found));
    if (latch_str_eq(found.version, s->version)) {
        s->span_ms = found.until_ms - s->from.wall_us / 1000;
        s->fence = found.fence;
        *out = (latch_hold){.fence = s->fence, .until_ms = found.until_ms, .state = s};
        if (!found.released && latch_lock_held(cx, out)) return LATCH_OK;
        if (!refused) return came_too_late(cx, s);
        LATCH_TRY(begin(cx, s));
    }
    return held_by_another(cx, s, &found, *maybe_taken, out);
}

/* A refused try leaves nothing in the arena but who holds it, so that a long wait takes no more of it than a short one. */
static latch_status take(latch_ctx *cx, state *s, latch_hold *out) {
    latch_wait wait = latch_wait_begin(cx, s->lock->wait_ms, PAUSE_MS, PAUSE_MOST_MS);
    bool maybe_taken = false;
    for (;;) {
        latch_str version = s->version;
        size_t mark = latch_arena_mark(cx->arena);
        latch_status status = try_take(cx, s, &maybe_taken, out);
        if (status != LATCH_OK && maybe_taken) cx->err.maybe_applied = true;
        if (status != LATCH_HELD || !latch_wait_more(cx, &wait, cx->err.retry_at_ms)) return status;
        if (version.ptr == s->version.ptr) latch_arena_rewind(cx->arena, mark);
    }
}

/* The scope ends: whatever the handler did, the lock is not left to its lease. */
static void release_at_end(latch_ctx *cx, void *arg, latch_status ended) {
    state *s = arg;
    latch_hold hold = {.fence = s->fence, .state = s};
    (void)ended;
    if (s->over || latch_lock_release(cx, &hold) == LATCH_OK) return;
    latch_warn(cx, "a lock was not released when its handler ended", "lock", s->pk, "why", cx->err.message);
}

static latch_status make_state(latch_ctx *cx, const latch_lock *lock, latch_str key, state **out) {
    state located;
    *out = NULL;
    LATCH_TRY(locate(cx, lock, key, &located));
    state *s = latch_arena_alloc(cx->arena, sizeof *s);
    if (s == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", lock->name);
    *s = located;
    LATCH_TRY(latch_spare_init(cx, &s->spare, s->pk));
    if (s->place.table != NULL) s->pk = latch_copy(cx, s->pk); /* the caller's own until here, and released when it is gone */
    if (s->pk.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", lock->name);
    LATCH_TRY(begin(cx, s));
    if (!lock->keep) LATCH_TRY(latch_scope_add(cx, release_at_end, s)); /* before it is taken: a full arena must not leave it held */
    *out = s;
    return LATCH_OK;
}

latch_status latch_lock_take(latch_ctx *cx, const latch_lock *lock, latch_str key, latch_hold *out) {
    state *s;
    latch_hold got = {0};
    *out = got;
    LATCH_TRY(make_state(cx, lock, key, &s));
    latch_status status = take(cx, s, &got);
    if (status != LATCH_OK) latch_scope_forget(cx, s);
    if (status == LATCH_OK || status == LATCH_HELD) *out = got;
    return status;
}

/* ── while it is held ───────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_lock_check(latch_ctx *cx, const latch_hold *hold) {
    if (hold->state != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock: this hold was not given by latch_lock_take");
}

latch_status latch_lock_lost(latch_ctx *cx, state *s, const char *doubt) {
    s->lost = s->lost || !s->over;
    s->over = true;
    latch_scope_forget(cx, s);
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: is no longer held under token %" PRId64 "%s", LATCH_ARG(s->pk), s->fence,
                        doubt != NULL ? doubt : "");
    cx->err.maybe_applied = doubt != NULL;
    return LATCH_CONFLICT;
}

/* What the item says after an extension to end_at_ms: LATCH_CONFLICT unless it is ours and lasts so long. */
static latch_status read_extended(latch_ctx *cx, state *s, latch_json item, int64_t end_at_ms, seen *out) {
    bool lost = cx->err.maybe_applied;
    const char *doubt = lost ? "; a try of this extension got no answer" : NULL;
    if (item.node == NULL) return latch_lock_lost(cx, s, doubt);
    LATCH_TRY(s->kind->read(cx, s, item, out));
    bool ours = latch_str_eq(out->version, s->version) && out->fence == s->fence && !out->released && out->until_ms >= end_at_ms;
    return ours ? LATCH_OK : latch_lock_lost(cx, s, doubt);
}

latch_status latch_lock_extend(latch_ctx *cx, latch_hold *hold, int64_t lease_ms) {
    state *s = hold->state;
    latch_instant from = latch_clock_instant(&cx->clock);
    int64_t now_ms = from.wall_us / 1000;
    latch_json item;
    seen found;
    bool refused;
    LATCH_TRY(latch_lock_check(cx, hold));
    LATCH_TRY(latch_table_check_span(cx, "lock", s->lock->name, "the lease", lease_ms, 1));
    if (s->over) return latch_lock_lost(cx, s, NULL);
    LATCH_TRY(cut_lease(cx, s->lock, lease_ms, now_ms, &lease_ms));
    latch_status status = s->kind->extend(cx, s, now_ms, now_ms + lease_ms, &item);
    bool outdated = latch_table_outdated(cx, status), in_doubt = outdated && cx->err.maybe_applied;
    if (outdated) {
        from = latch_clock_instant(&cx->clock);
        now_ms = from.wall_us / 1000;
        status = s->kind->extend(cx, s, now_ms, now_ms + lease_ms, &item);
    }
    if (status != LATCH_OK) cx->err.maybe_applied = cx->err.maybe_applied || in_doubt;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    if (!refused) cx->err = (latch_err){0};
    bool maybe_extended = !refused || cx->err.maybe_applied;
    status = read_extended(cx, s, item, now_ms + lease_ms, &found);
    if (status == LATCH_E_DATA) cx->err.maybe_applied = maybe_extended;
    if (status != LATCH_OK) return status;
    s->from = from;
    s->span_ms = found.until_ms - now_ms;
    hold->until_ms = found.until_ms;
    return LATCH_OK;
}

latch_status latch_lock_release(latch_ctx *cx, latch_hold *hold) {
    state *s = hold->state;
    latch_json item;
    LATCH_TRY(latch_lock_check(cx, hold));
    if (s->over) return s->lost ? latch_lock_lost(cx, s, NULL) : LATCH_OK;
    latch_spare_begin(cx, &s->spare);
    latch_status status = s->kind->release(cx, s, &item);
    latch_spare_end(cx, &s->spare);
    if (status == LATCH_CONFLICT) return latch_lock_lost(cx, s, cx->err.maybe_applied ? "; a try of this release got no answer" : NULL);
    if (status != LATCH_OK) return status;
    s->over = true;
    latch_scope_forget(cx, s);
    return LATCH_OK;
}

bool latch_lock_held(const latch_ctx *cx, const latch_hold *hold) {
    const state *s = hold->state;
    return s != NULL && !s->over && latch_clock_since_ms(&cx->clock, s->from) < s->span_ms;
}

/* ── for tools ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_lock_look(latch_ctx *cx, const latch_lock *lock, latch_str key, latch_lock_holder *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_json item;
    state s;
    seen found = {.released = true};
    *out = (latch_lock_holder){0};
    LATCH_TRY(locate(cx, lock, key, &s));
    latch_request request = latch_lock_request(&s, LATCH_GET_ITEM);
    LATCH_TRY(latch_lock_send(cx, &s, &request, &item));
    if (item.node != NULL) LATCH_TRY(s.kind->read(cx, &s, item, &found));
    if (found.released || found.free_at_ms <= now_ms)
        return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: nobody holds it", LATCH_ARG(s.pk));
    *out = (latch_lock_holder){found.owner, found.until_ms, found.fence, found.version};
    return LATCH_OK;
}

latch_status latch_lock_break(latch_ctx *cx, const latch_lock *lock, latch_str key, const latch_lock_holder *holder) {
    latch_json item;
    state s;
    bool refused;
    LATCH_TRY(locate(cx, lock, key, &s));
    if (holder->until_ms == 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "lock %s: nobody was seen to hold it", lock->name);
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, s.kind->end(cx, &s, holder, &item));
    if (!refused) return LATCH_OK;
    bool maybe_broken = cx->err.maybe_applied;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: is not held any more as it was seen%s", LATCH_ARG(s.pk),
                        maybe_broken ? "; a try got no answer and may have broken it" : "");
    cx->err.maybe_applied = maybe_broken;
    return LATCH_CONFLICT;
}

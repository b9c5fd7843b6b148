#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/lock_private.h"

#define FREED_S 3600 /* a released lock's expiresAt is so long ago: free by any clock, and within reach of the table's time to live */

/*
 * `expiresAt` is all that DynamoLock knows; its takeover changes nothing else. So ownedUntil says whose expiresAt it is: ours while both are
 * the same. It looks at no margin between clocks: expiresAt is that much later than our lease.
 */
static const char take_update[] = "SET #expiresAt = :e, #ownedUntil = :e, #ownerName = :o, #recordVersionNumber = :v";
static const char take_condition[] = "(attribute_not_exists(#pk) OR :now >= #expiresAt) AND "
                                     "(attribute_not_exists(#recordVersionNumber) OR #recordVersionNumber <> :v)";
#define OURS "#ownerName = :o AND #recordVersionNumber = :v AND #expiresAt = #ownedUntil"
static const char extend_update[] = "SET #expiresAt = :e, #ownedUntil = :e";
static const char extend_condition[] = OURS " AND #expiresAt < :e";
static const char release_update[] = "SET #expiresAt = :freed";
static const char release_condition[] = OURS;
static const char end_condition[] = "#expiresAt = :e";

/* Seconds in which our lease's end and the margin behind it lie. */
static int64_t seconds_of(const latch_ctx *cx, int64_t end_at_ms) { return latch_seconds_up(end_at_ms + latch_table_skew_ms(cx)); }

static latch_status read_item(latch_ctx *cx, const latch_hold_state *s, latch_json item, latch_lock_seen *out) {
    int64_t expires_s, owned_s, skew_ms = latch_table_skew_ms(cx);
    *out = (latch_lock_seen){.released = false};
    LATCH_TRY(latch_item_int(item, "expiresAt", &expires_s));
    LATCH_TRY(latch_item_int_or(item, "ownedUntil", -1, &owned_s));
    LATCH_TRY(latch_item_text_or(item, "ownerName", LATCH_STR(""), &out->owner));
    LATCH_TRY(latch_item_text_or(item, "recordVersionNumber", LATCH_STR(""), &out->version));
    if (expires_s < 0 || expires_s > LATCH_AT_MS_MAX / 1000)
        return latch_err_set(&cx->err, LATCH_E_DATA, "item.expiresAt: is %" PRId64 ", want Unix seconds", expires_s);
    bool mine = s->version.len > 0 && latch_str_eq(out->version, s->version);
    if (expires_s != owned_s) {
        out->owner = LATCH_STR("another library");
        out->released = mine;
    }
    out->until_ms = expires_s * 1000 - (mine ? skew_ms : 0);
    out->free_at_ms = expires_s * 1000 + skew_ms;
    return LATCH_OK;
}

static latch_status take(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, bool maybe_taken, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    (void)maybe_taken;
    request.update = take_update;
    request.condition = take_condition;
    request.timed = true;
    request.values = LATCH_VALUES(":e", seconds_of(cx, now_ms + s->lease_ms), ":o", s->owner, ":v", s->version, ":now",
                                  latch_seconds_passed(now_ms - latch_table_skew_ms(cx)));
    return latch_lock_send(cx, s, &request, item);
}

static latch_status extend(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, int64_t end_at_ms, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    (void)now_ms;
    request.update = extend_update;
    request.condition = extend_condition;
    request.timed = true;
    request.values = LATCH_VALUES(":o", s->owner, ":v", s->version, ":e", seconds_of(cx, end_at_ms));
    return latch_lock_send(cx, s, &request, item);
}

static latch_status release(latch_ctx *cx, const latch_hold_state *s, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = release_condition;
    request.values = LATCH_VALUES(":o", s->owner, ":v", s->version, ":freed", latch_seconds_passed(latch_now_ms(cx)) - FREED_S);
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

static latch_status end(latch_ctx *cx, const latch_hold_state *s, const latch_lock_holder *held, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = end_condition;
    request.values = LATCH_VALUES(":e", held->until_ms / 1000, ":freed", latch_seconds_passed(latch_now_ms(cx)) - FREED_S);
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

const latch_lock_kind latch_lock_of_paradoxical = {
    .take = take, .read = read_item, .extend = extend, .release = release, .end = end, .guard = OURS};

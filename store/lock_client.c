#include "store/lock_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/lock_private.h"

/*
 * What was released or never was is free; what is held is, once its version has stood still for its lease: by the local clock, as its holder
 * may be anywhere. Nothing else in the item says when: Java's puts drop other attributes, Go's keep stale ones.
 */
#define NOT_OURS " AND (attribute_not_exists(#recordVersionNumber) OR #recordVersionNumber <> :v)"
static const char take_update[] = "SET #ownerName = :o, #leaseDuration = :l, #recordVersionNumber = :v REMOVE #isReleased";
static const char take_condition[] = "(attribute_not_exists(#pk) OR attribute_exists(#isReleased))" NOT_OURS;
static const char take_over_condition[] =
    "(attribute_not_exists(#pk) OR attribute_exists(#isReleased) OR #recordVersionNumber = :seen)" NOT_OURS;

static const char extend_update[] = "SET #leaseDuration = :l, #recordVersionNumber = :n";
static const char extend_condition[] = "#ownerName = :o AND #recordVersionNumber = :v AND attribute_not_exists(#isReleased)";

/* An extension that got no answer may have changed the version, or may still. */
#define OURS "#ownerName = :o AND (#recordVersionNumber = :v OR #recordVersionNumber = :n)"
static const char release_update[] = "SET #isReleased = :released";
static const char release_condition[] = OURS;
static const char end_condition[] = "#recordVersionNumber = :v";

/* ── leases as text ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Java: milliseconds. Go: as time.Duration writes itself, "1h0m0s", "1.5s", "500ms". */
static latch_str lease_text(latch_ctx *cx, const latch_lock_client *of, int64_t ms) {
    int64_t hours = ms / LATCH_HOUR_MS, minutes = ms / LATCH_MINUTE_MS % 60, seconds = ms / 1000 % 60, rest = ms % 1000;
    char large[48], fraction[8] = "";
    if (of->flavour == LATCH_LOCK_CLIENT_JAVA) return latch_ctx_text(cx, "%" PRId64, ms);
    if (ms < 1000) return latch_ctx_text(cx, "%" PRId64 "ms", ms);
    latch_text_writer t = {.at = large, .cap = sizeof large};
    if (hours > 0) latch_text_int(&t, hours);
    if (hours > 0) latch_text_char(&t, 'h');
    if (ms >= LATCH_MINUTE_MS) latch_text_int(&t, minutes);
    if (ms >= LATCH_MINUTE_MS) latch_text_char(&t, 'm');
    for (int i = 0; rest > 0; i++, rest = rest * 10 % 1000) { /* ".5", ".025" */
        if (i == 0) fraction[i++] = '.';
        fraction[i] = (char)('0' + rest / 100);
    }
    return latch_ctx_text(cx, "%.*s%" PRId64 "%ss", (int)t.len, large, seconds, fraction);
}

typedef struct unit {
    const char *name;
    int64_t ns;
} unit;

/* Of "1.5s", what the number and its unit say, in ns, rounded up; *at moves behind it. False: it is none, or too long. */
static bool add_part(latch_str text, size_t *at, int64_t *ns) {
    static const unit units[] = {{"ns", 1},
                                 {"us", 1000},
                                 {"\xc2\xb5s", 1000},
                                 {"\xce\xbcs", 1000},
                                 {"ms", 1000000},
                                 {"s", INT64_C(1000000000)},
                                 {"m", INT64_C(60000000000)},
                                 {"h", INT64_C(3600000000000)}};
    double number = 0, scale = 1;
    size_t digits = 0;
    bool fraction = false;
    for (; *at < text.len && (text.ptr[*at] == '.' || (text.ptr[*at] >= '0' && text.ptr[*at] <= '9')); (*at)++) {
        if (text.ptr[*at] == '.' && fraction) return false;
        fraction = fraction || text.ptr[*at] == '.';
        if (text.ptr[*at] == '.') continue;
        number = number * 10 + (text.ptr[*at] - '0');
        scale *= fraction ? 10 : 1;
        digits++;
    }
    for (size_t i = 0; digits > 0 && digits < 18 && i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].name);
        if (text.len - *at < len || memcmp(text.ptr + *at, units[i].name, len) != 0) continue;
        double part = number / scale * (double)units[i].ns;
        if (part > (double)LATCH_AT_MS_MAX * 1e3) return false;
        *at += len;
        *ns += (int64_t)part + ((double)(int64_t)part < part);
        return true;
    }
    return false;
}

/* Both flavours', whichever the table's is. */
static latch_status read_lease(latch_ctx *cx, latch_str text, int64_t *ms) {
    int64_t ns = 0;
    size_t at = 0;
    bool ok = text.len > 0;
    *ms = 0;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9' && at < 15)
        *ms = *ms * 10 + (text.ptr[at++] - '0');
    if (ok && at == text.len) return LATCH_OK;
    for (at = 0; ok && at < text.len;)
        ok = add_part(text, &at, &ns) && ns <= LATCH_AT_MS_MAX * 1000;
    *ms = (ns + 999999) / 1000000;
    if (ok) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_DATA, "item.leaseDuration: is \"%.*s\", want milliseconds, or a duration as Go writes it",
                         LATCH_ARG(text));
}

/* ── watching ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The shorter of what both clocks say, and never less than nothing: of another's lease, less is known to have passed. */
static int64_t passed_ms(const latch_clock *clock, latch_instant since) {
    latch_instant now = latch_clock_instant(clock);
    int64_t wall = now.wall_us - since.wall_us, boot = now.boot_us - since.boot_us, us = wall < boot ? wall : boot;
    return us > 0 ? us / 1000 : 0;
}

/* Where `what` is, or where it goes. */
static struct latch_lock_watched *place_of(latch_lock_watch *watch, const char *what) {
    struct latch_lock_watched *oldest = &watch->all[0];
    for (size_t i = 0; i < LATCH_LOCK_WATCHED; i++) {
        struct latch_lock_watched *w = &watch->all[i];
        if (strcmp(w->what, what) == 0) return w;
        if (w->looked < oldest->looked) oldest = w;
    }
    return oldest;
}

/* For how long this version has been seen. The reading is taken after the answer came: nothing is counted that wasn't seen. */
static latch_status watched_ms(latch_ctx *cx, const latch_hold_state *s, latch_str version, int64_t *out) {
    char what[LATCH_HASH_BYTES];
    latch_lock_watch **watch = &cx->table->client->watch;
    latch_json list = latch_array(cx);
    const latch_str parts[] = {latch_str_of(s->place.table), s->pk, s->sk, version};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        list = latch_append_(list, latch_v_str_(parts[i]));
    LATCH_TRY(latch_hash_json(cx, list, what));
    if (*watch == NULL) *watch = calloc(1, sizeof **watch);
    if (*watch == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: out of memory", s->lock->name);
    struct latch_lock_watched *w = place_of(*watch, what);
    if (strcmp(w->what, what) != 0) w->since = latch_clock_instant(&cx->clock);
    memcpy(w->what, what, sizeof what);
    w->looked = ++(*watch)->looks;
    *out = passed_ms(&cx->clock, w->since);
    return LATCH_OK;
}

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_item(latch_ctx *cx, const latch_hold_state *s, latch_json item, latch_lock_seen *out) {
    latch_str lease;
    int64_t lease_ms, watched = 0;
    *out = (latch_lock_seen){.released = latch_item_has(item, "isReleased")};
    LATCH_TRY(latch_item_text(item, "ownerName", &out->owner));
    LATCH_TRY(latch_item_text(item, "recordVersionNumber", &out->version));
    LATCH_TRY(latch_item_text(item, "leaseDuration", &lease));
    LATCH_TRY(read_lease(cx, lease, &lease_ms));
    bool ours = s->version.len > 0 && latch_str_eq(out->version, s->version);
    if (!ours && !out->released) LATCH_TRY(watched_ms(cx, s, out->version, &watched));
    out->until_ms = ours ? s->ends_at_ms : latch_now_ms(cx) + lease_ms - watched;
    out->free_at_ms = out->until_ms + 1;
    return LATCH_OK;
}

/* `seen`: the version that may be taken over; empty: none. */
static latch_status send_take(latch_ctx *cx, const latch_hold_state *s, latch_str seen, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    latch_str lease = lease_text(cx, s->lock->lock_client, s->lease_ms);
    if (lease.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", s->lock->name);
    request.update = take_update;
    request.condition = seen.len > 0 ? take_over_condition : take_condition;
    request.values = LATCH_VALUES(":o", s->owner, ":l", lease, ":v", s->version, ":seen", seen);
    return latch_lock_send(cx, s, &request, item);
}

/*
 * The lease that counts is of the request that was applied: of an answer it is this one, of a refusal that shows our version the first that
 * got no answer. A version that has been watched for long enough is taken over by a second request, which finds it unchanged or not at all.
 */
static latch_status take(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, bool maybe_taken, latch_json *item) {
    latch_lock_seen found;
    bool lost;
    if (!maybe_taken) s->ends_at_ms = now_ms + s->lease_ms;
    latch_status status = send_take(cx, s, (latch_str){NULL, 0}, item);
    if (status == LATCH_OK) s->ends_at_ms = now_ms + s->lease_ms;
    if (status != LATCH_CONFLICT || item->node == NULL) return status;
    lost = cx->err.maybe_applied;
    if (read_item(cx, s, *item, &found) != LATCH_OK) return LATCH_CONFLICT; /* whoever reads it next says so */
    bool ours = latch_str_eq(found.version, s->version);
    if (ours || found.free_at_ms > latch_now_ms(cx)) return LATCH_CONFLICT;
    status = send_take(cx, s, found.version, item);
    if (status == LATCH_OK) s->ends_at_ms = now_ms + s->lease_ms;
    if (status != LATCH_OK && lost) cx->err.maybe_applied = true;
    return status;
}

static latch_status send_extend(latch_ctx *cx, latch_hold_state *s, int64_t lease_ms, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    latch_str lease = lease_text(cx, s->lock->lock_client, lease_ms);
    if (s->next.len == 0) s->next = latch_uuid(cx);
    if (lease.ptr == NULL || s->next.ptr == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "lock %s: the arena is full", s->lock->name);
    request.update = extend_update;
    request.condition = extend_condition;
    request.values = LATCH_VALUES(":o", s->owner, ":l", lease, ":v", s->version, ":n", s->next);
    return latch_lock_send(cx, s, &request, item);
}

/* The item bears the version that an extension was to give it. */
static bool is_extended(latch_hold_state *s, latch_json item) {
    latch_str version;
    if (latch_item_text_or(item, "recordVersionNumber", LATCH_STR(""), &version) != LATCH_OK) return false;
    if (version.len == 0 || !latch_str_eq(version, s->next)) return false;
    s->version = s->next;
    s->next = (latch_str){NULL, 0};
    return true;
}

/*
 * The version moves: whoever watches begins anew. One that got no answer keeps its new version for the next call, so that at most two can be
 * in the item; where it turns out to have been applied then, its lease counts from there, and a further one from now.
 */
static latch_status extend(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, int64_t end_at_ms, latch_json *item) {
    bool resumed = s->next.len > 0;
    int64_t end_ms = s->ends_at_ms > end_at_ms ? s->ends_at_ms : end_at_ms;
    latch_status status = send_extend(cx, s, end_ms - now_ms, item);
    if (status == LATCH_CONFLICT && resumed && item->node != NULL && is_extended(s, *item)) {
        bool lost = cx->err.maybe_applied;
        status = send_extend(cx, s, end_ms - now_ms, item);
        if (status != LATCH_OK && lost) cx->err.maybe_applied = true;
    }
    bool answered = (status == LATCH_OK || status == LATCH_CONFLICT) && item->node != NULL;
    if (answered && is_extended(s, *item)) s->ends_at_ms = end_ms;
    return status;
}

static latch_status release(latch_ctx *cx, const latch_hold_state *s, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = release_condition;
    request.values =
        LATCH_VALUES(":o", s->owner, ":v", s->version, ":n", s->next.len > 0 ? s->next : s->version, ":released", LATCH_STR("1"));
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

static latch_status end(latch_ctx *cx, const latch_hold_state *s, const latch_lock_holder *held, latch_json *item) {
    latch_request request = latch_lock_request(s, LATCH_UPDATE_ITEM);
    request.update = release_update;
    request.condition = end_condition;
    request.values = LATCH_VALUES(":v", held->version, ":released", LATCH_STR("1"));
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_lock_send(cx, s, &request, item);
}

const latch_lock_kind latch_lock_of_client = {
    .take = take,
    .read = read_item,
    .extend = extend,
    .release = release,
    .end = end,
    .guard = OURS " AND attribute_not_exists(#isReleased)",
};

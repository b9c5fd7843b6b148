#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/node.h"
#include "store/marshal.h"
#include "store/once_private.h"
#include "store/powertools.h"
#include "store/schema.h"

#define DEFAULT_KEEP_MS LATCH_HOUR_MS
#define KEY_MAX_BYTES 2048

static const latch_table_key key_of = {.store = "once", .prefix = "ONCE", .max_bytes = KEY_MAX_BYTES};
static const latch_table_key json_key_of = {.store = "once", .prefix = "ONCE", .max_bytes = SIZE_MAX};

#define MARK(ttl)                                                                                                                          \
    "SET #status = :completed, #data = :d, #expiration = :e, " ttl "#doneAt = :now_ms, #owner = :o, #validation = :p, "                    \
    "#in_progress_expiration = :zero REMOVE #takeovers"
static const char mark_update[] = MARK("#ttl = :e, ");
static const char shared_mark_update[] = MARK("");

/* As it was read: an owner whose time is over may complete yet, and a deletion that comes late must not remove that. */
static const char clear_done[] = "#owner = :o AND #status = :s AND (#doneAt = :at OR attribute_not_exists(#doneAt))";
static const char clear_undone[] = "#owner = :o AND #status = :s AND #in_progress_expiration = :at";
static const char clear_foreign[] = "attribute_not_exists(#owner) AND #status = :s AND #expiration = :e";

typedef latch_once_call call;
typedef latch_once_seen seen;

/* ── what an item says ──────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_once_read(latch_json item, seen *out) {
    latch_str status;
    *out = (seen){.item = item,
                  .has_data = latch_item_has(item, "data"),
                  .counts_takeovers = latch_item_has(item, "takeovers"),
                  .has_done_at = latch_item_has(item, "doneAt")};
    LATCH_TRY(latch_item_text(item, "status", &status));
    out->completed = latch_str_eq(status, LATCH_STR("COMPLETED"));
    if (!out->completed && !latch_str_eq(status, LATCH_STR("INPROGRESS")))
        return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.status: is %.*s, want INPROGRESS or COMPLETED", LATCH_ARG(status));
    LATCH_TRY(latch_item_int(item, "expiration", &out->expiration_s));
    if (out->expiration_s < 0 || out->expiration_s > LATCH_AT_MS_MAX / 1000)
        return latch_err_set(&item.cx->err, LATCH_E_DATA, "item.expiration: is %" PRId64 ", want Unix seconds", out->expiration_s);
    LATCH_TRY(latch_item_text_or(item, "owner", LATCH_STR(""), &out->owner));
    LATCH_TRY(latch_item_text_or(item, "validation", LATCH_STR(""), &out->validation));
    /* Without a time of its own it is over when the record is, by whole seconds as latch_once_free compares them. */
    int64_t last_ms = out->completed ? 0 : out->expiration_s * 1000 + 999;
    LATCH_TRY(latch_item_at_ms_or(item, "in_progress_expiration", last_ms, &out->in_progress_until_ms));
    LATCH_TRY(latch_item_int_or(item, "takeovers", 0, &out->takeovers));
    return latch_item_at_ms_or(item, "doneAt", 0, &out->done_at_ms);
}

/* ── beginning ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_powertools(latch_ctx *cx, const latch_once *once) {
    const latch_powertools *p = once->powertools;
    bool has_prefix = p->key_prefix != NULL && p->key_prefix[0] != '\0';
    bool two_parts = p->sort_key_attribute != NULL, has_pk = p->static_pk != NULL && p->static_pk[0] != '\0';
    if (p->flavour != LATCH_POWERTOOLS_PYTHON && p->flavour != LATCH_POWERTOOLS_TYPESCRIPT)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .powertools has no .flavour: its keys and data depend on it", once->name);
    if (!has_prefix) return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .powertools has no .key_prefix", once->name);
    if (two_parts != has_pk)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .powertools wants both .sort_key_attribute and .static_pk, or none",
                             once->name);
    return LATCH_OK;
}

static latch_status check_policy(latch_ctx *cx, const latch_once *once) {
    const char *table = once->paradoxical_table;
    LATCH_TRY(latch_table_check_span(cx, "once", once->name, ".keep_ms", once->keep_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "once", once->name, ".in_progress_ms", once->in_progress_ms, 0));
    LATCH_TRY(latch_table_check_span(cx, "once", once->name, ".wait_ms", once->wait_ms, 0));
    if (table != NULL && once->powertools != NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .powertools and .paradoxical_table: it has one table", once->name);
    if (once->powertools != NULL) {
        table = once->powertools->table != NULL ? once->powertools->table : "";
        LATCH_TRY(check_powertools(cx, once));
    }
    return table != NULL ? latch_dynamodb_check_table(cx, table) : LATCH_OK;
}

/* What their functions hash: a value, of which text is one. */
static latch_status hashed_value(latch_ctx *cx, const latch_powertools *p, latch_str key, latch_json *out) {
    if (p->key_is_json) return latch_parse(cx, "key", key, out);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_json_string(&t, key);
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "once: the arena is full");
    return latch_parse(cx, "key", text, out);
}

/* <prefix>#<hash>, the one part of the key, or the second. */
static latch_status powertools_key(latch_ctx *cx, latch_str key, call *c) {
    const latch_powertools *p = c->once->powertools;
    char hash[LATCH_POWERTOOLS_HASH_BYTES];
    latch_json value;
    LATCH_TRY(latch_table_check_key(cx, p->key_is_json ? &json_key_of : &key_of, c->once->name, key));
    LATCH_TRY(hashed_value(cx, p, key, &value));
    LATCH_TRY(latch_powertools_hash(cx, p->flavour, value, hash));
    latch_str made = latch_ctx_text(cx, "%s#%s", p->key_prefix, hash);
    if (made.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "once %s: the arena is full", c->once->name);
    bool two_parts = p->sort_key_attribute != NULL;
    size_t most = two_parts ? KEY_MAX_BYTES / 2 : KEY_MAX_BYTES;
    if (made.len > most)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: .key_prefix has %zu bytes, want at most %zu", c->once->name,
                             strlen(p->key_prefix), most - (made.len - strlen(p->key_prefix)));
    c->place = (latch_place){.table = p->table, .pk = p->key_attribute != NULL ? p->key_attribute : "id", .sk = ""};
    c->pk = made;
    if (!two_parts) return LATCH_OK;
    c->place.sk = p->sort_key_attribute;
    c->pk = latch_str_of(p->static_pk);
    c->sk = made;
    return LATCH_OK;
}

latch_status latch_once_begin(latch_ctx *cx, const latch_once *once, latch_str key, call *out) {
    *out = (call){.once = once, .sk = LATCH_STR("ONCE"), .keep_ms = once->keep_ms};
    if (once->powertools == NULL && once->paradoxical_table == NULL) {
        LATCH_TRY(latch_table_pk(cx, &key_of, once->name, key, &out->pk));
        LATCH_TRY(check_policy(cx, once));
    } else {
        LATCH_TRY(latch_table_check_key(cx, &json_key_of, once->name, key));
        LATCH_TRY(check_policy(cx, once));
        LATCH_TRY(once->powertools != NULL ? powertools_key(cx, key, out) : latch_once_marker_begin(cx, key, out));
    }
    out->owner = latch_uuid(cx);
    if (out->owner.ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "once %s: the arena is full", once->name);
}

/* One path: what stands there; several: the list of it. */
static latch_json validated_part(latch_ctx *cx, const char *const *paths, latch_json payload) {
    if (paths[0] == NULL) return LATCH_NULL;
    if (paths[1] == NULL) return latch_node_at(payload, paths[0]);
    latch_json list = latch_array(cx);
    for (; *paths != NULL; paths++)
        list = latch_append_(list, latch_v_json_(latch_node_at(payload, *paths)));
    return list;
}

latch_status latch_once_validate(latch_ctx *cx, call *c, latch_json payload) {
    const latch_powertools *p = c->once->powertools;
    yyjson_val *built;
    if (payload.node != NULL) LATCH_TRY(latch_node_value(payload, &built));
    if (c->once->validate != NULL) payload = validated_part(cx, c->once->validate, payload);
    return p != NULL ? latch_powertools_hash(cx, p->flavour, payload, c->validation) : latch_hash_json(cx, payload, c->validation);
}

latch_request latch_once_request(const call *c, latch_operation operation) {
    return (latch_request){
        .operation = operation, .at = c->place.table != NULL ? &c->place : NULL, .pk = c->pk, .sk = c->sk, .repeatable = true};
}

latch_status latch_once_send(latch_ctx *cx, const call *c, latch_request *request, latch_json *item) {
    LATCH_TRY(latch_ctx_deadline(cx, c->once->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

int64_t latch_once_kept_until_s(const call *c, int64_t now_ms) {
    return latch_seconds_up(now_ms + (c->keep_ms > 0 ? c->keep_ms : DEFAULT_KEEP_MS));
}

/* ── refusals and answers ───────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_once_mismatch(latch_ctx *cx, const call *c) {
    (void)latch_err_set(&cx->err, LATCH_MISMATCH, "%.*s: was used with another payload", LATCH_ARG(c->pk));
    cx->err.maybe_applied = c->maybe_claimed;
    return LATCH_MISMATCH;
}

latch_status latch_once_busy(latch_ctx *cx, const call *c, const seen *item) {
    int64_t free_at_ms = item->in_progress_until_ms + latch_table_skew_ms(cx) + 1;
    (void)latch_err_set(&cx->err, LATCH_BUSY, "%.*s: is being done by another, at most until %" PRId64 " ms%s", LATCH_ARG(c->pk),
                        free_at_ms, c->maybe_claimed ? "; a try of this one got no answer and may claim it" : "");
    cx->err.retry_at_ms = free_at_ms;
    cx->err.maybe_applied = c->maybe_claimed;
    return LATCH_BUSY;
}

latch_value latch_once_data(const call *c, latch_json response, latch_str text) {
    bool native = c->once->powertools != NULL && c->once->powertools->flavour == LATCH_POWERTOOLS_TYPESCRIPT;
    return native ? latch_v_json_(response) : latch_v_str_(text);
}

/* Python's is JSON text, and what is no text a response that TypeScript stored; TypeScript's is the response itself, text too. */
static latch_status powertools_response(latch_ctx *cx, const call *c, const seen *item, latch_json *out) {
    latch_json plain;
    latch_str text;
    bool python = c->once->powertools->flavour == LATCH_POWERTOOLS_PYTHON;
    if (python && latch_has(item->item, "data.S")) {
        LATCH_TRY(latch_item_text(item->item, "data", &text));
        if (latch_json_parse(cx, LATCH_E_DATA, "response", text, out) == LATCH_OK) return LATCH_OK;
        cx->err = (latch_err){0};
    }
    LATCH_TRY(latch_unmarshal_item(cx, item->item, &plain));
    *out = latch_node_at(plain, "data");
    return LATCH_OK;
}

latch_status latch_once_replay(latch_ctx *cx, const call *c, const seen *item, latch_once_result *out) {
    latch_str text = LATCH_STR("null");
    bool powertools = c->once->powertools != NULL; /* there, a function that answers nothing stores nothing */
    *out = (latch_once_result){.not_kept = !item->has_data && !powertools, .done_at_ms = item->done_at_ms};
    latch_status status =
        powertools ? powertools_response(cx, c, item, &out->response) : latch_item_text_or(item->item, "data", text, &text);
    if (status == LATCH_OK && !powertools) status = latch_json_parse(cx, LATCH_E_DATA, "response", text, &out->response);
    if (status != LATCH_OK) *out = (latch_once_result){0};
    return status;
}

/* ── without doing the work ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* LATCH_MISSING where there is nothing, or nothing that holds any more. */
static latch_status look(latch_ctx *cx, const call *c, seen *out) {
    int64_t now_ms = latch_now_ms(cx);
    latch_request request = latch_once_request(c, LATCH_GET_ITEM);
    latch_json item;
    LATCH_TRY(latch_once_send(cx, c, &request, &item));
    if (item.node != NULL) LATCH_TRY(latch_once_read(item, out));
    bool ended = item.node == NULL || (out->completed ? out->expiration_s < latch_seconds_passed(now_ms)
                                                      : out->in_progress_until_ms < now_ms - latch_table_skew_ms(cx));
    return ended ? latch_err_set(&cx->err, LATCH_MISSING, "%.*s: is not done", LATCH_ARG(c->pk)) : LATCH_OK;
}

/* The marker says whether it was done, our record what was answered, where it was done here and not long ago. */
static latch_status look_by_marker(latch_ctx *cx, const call *c, latch_once_result *out) {
    latch_once_marker marker;
    seen found = {0};
    LATCH_TRY(latch_once_marker_read(cx, c, &marker));
    latch_status status = look(cx, c, &found);
    if (status != LATCH_OK && status != LATCH_MISSING) return status;
    if (status == LATCH_OK && !found.completed && !marker.there) return latch_once_busy(cx, c, &found);
    if (!marker.there) return latch_err_set(&cx->err, LATCH_MISSING, "%.*s: is not done", LATCH_ARG(c->pk));
    if (status == LATCH_OK && found.completed) return latch_once_replay(cx, c, &found, out);
    *out = (latch_once_result){.not_kept = true, .done_at_ms = marker.at_ms};
    return LATCH_OK;
}

latch_status latch_once_already_done(latch_ctx *cx, const latch_once *once, latch_str key, latch_once_result *out) {
    call c;
    seen found;
    *out = (latch_once_result){0};
    LATCH_TRY(latch_once_begin(cx, once, key, &c));
    if (c.marker.len > 0) return look_by_marker(cx, &c, out);
    LATCH_TRY(look(cx, &c, &found));
    return found.completed ? latch_once_replay(cx, &c, &found, out) : latch_once_busy(cx, &c, &found);
}

static latch_status send_mark(latch_ctx *cx, const call *c, latch_value data, latch_json *item) {
    int64_t now_ms = latch_now_ms(cx), skew_ms = latch_table_skew_ms(cx);
    latch_request request = latch_once_request(c, LATCH_UPDATE_ITEM);
    request.update = latch_once_is_shared(c) ? shared_mark_update : mark_update;
    request.timed = true;
    request.condition = latch_once_free;
    request.values = LATCH_VALUES(":inprogress", LATCH_STR("INPROGRESS"), ":completed", LATCH_STR("COMPLETED"), ":o", c->owner, ":p",
                                  c->validation, ":d", data, ":e", latch_once_kept_until_s(c, now_ms), ":now_ms", now_ms, ":zero",
                                  latch_int(0), ":now", latch_seconds_passed(now_ms), ":now_ms_minus_skew", now_ms - skew_ms,
                                  ":now_minus_skew", latch_seconds_passed(now_ms - skew_ms));
    request.returns = LATCH_RETURNS_REFUSED;
    return latch_once_send(cx, c, &request, item);
}

/* The item is refused to us: by our own mark, by another's, or by one who is at it. */
static latch_status marked_before(latch_ctx *cx, const call *c, latch_json item) {
    seen found;
    latch_status status = latch_once_read(item, &found);
    if (status != LATCH_OK) cx->err.maybe_applied = c->maybe_claimed;
    if (status != LATCH_OK) return status;
    if (latch_str_eq(found.owner, c->owner)) return LATCH_OK;
    if (found.validation.len > 0 && !latch_str_eq(found.validation, latch_str_of(c->validation))) return latch_once_mismatch(cx, c);
    return found.completed ? LATCH_OK : latch_once_busy(cx, c, &found);
}

latch_status latch_once_mark_done(latch_ctx *cx, const latch_once *once, latch_str key, latch_json payload, latch_json response) {
    call c;
    latch_str text;
    latch_json item;
    bool refused;
    LATCH_TRY(latch_once_begin(cx, once, key, &c));
    LATCH_TRY(latch_once_validate(cx, &c, payload));
    LATCH_TRY(latch_json_text(cx, response, &text));
    if (text.len > LATCH_ONCE_RESPONSE_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "once %s: the response has %zu bytes, want at most %zu", once->name, text.len,
                             LATCH_ONCE_RESPONSE_MAX_BYTES);
    latch_value data = latch_once_data(&c, response, text);
    latch_status sent = send_mark(cx, &c, data, &item);
    bool outdated = latch_table_outdated(cx, sent);
    c.maybe_claimed = outdated && cx->err.maybe_applied;
    if (outdated) sent = send_mark(cx, &c, data, &item);
    if (sent != LATCH_OK) c.maybe_claimed = cx->err.maybe_applied = c.maybe_claimed || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, sent);
    if (refused) LATCH_TRY(marked_before(cx, &c, item));
    return c.marker.len > 0 ? latch_once_marker_put(cx, &c, latch_now_ms(cx)) : LATCH_OK;
}

latch_status latch_once_delete(latch_ctx *cx, const call *c, const seen *found) {
    latch_request request = latch_once_request(c, LATCH_DELETE_ITEM);
    latch_json item;
    bool refused;
    request.condition = found->owner.len == 0 ? clear_foreign : found->completed ? clear_done : clear_undone;
    request.values = LATCH_VALUES(":o", found->owner, ":s", found->completed ? LATCH_STR("COMPLETED") : LATCH_STR("INPROGRESS"), ":at",
                                  found->completed ? found->done_at_ms : found->in_progress_until_ms, ":e", found->expiration_s);
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_once_send(cx, c, &request, &item));
    if (!refused || item.node == NULL) return LATCH_OK;
    bool maybe_cleared = cx->err.maybe_applied;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed while it was to be cleared%s", LATCH_ARG(c->pk),
                        maybe_cleared ? "; a try got no answer and may have cleared what was there" : "");
    cx->err.maybe_applied = maybe_cleared;
    return LATCH_CONFLICT;
}

latch_status latch_once_clear(latch_ctx *cx, const latch_once *once, latch_str key) {
    call c;
    seen found;
    latch_json item;
    LATCH_TRY(latch_once_begin(cx, once, key, &c));
    int64_t free_before_ms = latch_now_ms(cx) - latch_table_skew_ms(cx);
    latch_request request = latch_once_request(&c, LATCH_GET_ITEM);
    LATCH_TRY(latch_once_send(cx, &c, &request, &item));
    if (item.node != NULL) {
        LATCH_TRY(latch_once_read(item, &found));
        if (!found.completed && found.in_progress_until_ms >= free_before_ms) return latch_once_busy(cx, &c, &found);
        LATCH_TRY(latch_once_delete(cx, &c, &found));
    }
    return c.marker.len > 0 ? latch_once_marker_clear(cx, &c) : LATCH_OK;
}

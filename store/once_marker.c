#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/once_private.h"
#include "store/paradoxical.h"

#define MARKER_PREFIX "users.do_once."
#define CLAIM_PREFIX "latch.once."

static latch_status joined(latch_ctx *cx, const char *prefix, latch_str action, latch_str *out) {
    *out = latch_ctx_text(cx, "%s%.*s", prefix, LATCH_ARG(action));
    if (out->ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "once: the arena is full");
    return LATCH_OK;
}

latch_status latch_once_marker_begin(latch_ctx *cx, latch_str key, latch_once_call *c) {
    latch_str action;
    const latch_paradoxical_key of = {.store = "once", .name = c->once->name, .namespaced_bytes = sizeof MARKER_PREFIX - 1};
    LATCH_TRY(latch_paradoxical_split(cx, &of, key, &c->pk, &action));
    LATCH_TRY(joined(cx, MARKER_PREFIX, action, &c->marker));
    LATCH_TRY(joined(cx, CLAIM_PREFIX, action, &c->sk));
    c->place = latch_paradoxical_place(c->once->paradoxical_table);
    return LATCH_OK;
}

static latch_request request_of(const latch_once_call *c, latch_operation operation) {
    latch_request request = latch_once_request(c, operation);
    request.sk = c->marker;
    return request;
}

/* The time in it is JSON, a number of ms; older versions wrote text, or something else, and it is done all the same. */
latch_status latch_once_marker_read(latch_ctx *cx, const latch_once_call *c, latch_once_marker *out) {
    latch_request request = request_of(c, LATCH_GET_ITEM);
    latch_json item;
    *out = (latch_once_marker){.there = false};
    LATCH_TRY(latch_once_send(cx, c, &request, &item));
    if (item.node == NULL) return LATCH_OK;
    out->there = true;
    LATCH_TRY(latch_item_text_or(item, "data", LATCH_STR(""), &out->data));
    for (size_t i = 0; i < out->data.len; i++) {
        char digit = out->data.ptr[i];
        if (digit >= '0' && digit <= '9' && out->at_ms <= LATCH_AT_MS_MAX / 10) {
            out->at_ms = out->at_ms * 10 + (digit - '0');
            continue;
        }
        out->at_ms = 0;
        return LATCH_OK;
    }
    return LATCH_OK;
}

latch_status latch_once_marker_put(latch_ctx *cx, const latch_once_call *c, int64_t at_ms) {
    latch_request request = request_of(c, LATCH_UPDATE_ITEM);
    char text[24];
    latch_json item;
    latch_text_writer t = {.at = text, .cap = sizeof text};
    latch_text_int(&t, at_ms);
    request.update = "SET #data = if_not_exists(#data, :at)";
    request.values = LATCH_VALUES(":at", ((latch_str){text, t.len}));
    request.returns = LATCH_RETURNS_NOTHING;
    return latch_once_send(cx, c, &request, &item);
}

/* Only the marker that was read is deleted, whenever that comes. */
latch_status latch_once_marker_clear(latch_ctx *cx, const latch_once_call *c) {
    latch_request request = request_of(c, LATCH_DELETE_ITEM);
    latch_once_marker marker;
    latch_json item;
    bool refused;
    LATCH_TRY(latch_once_marker_read(cx, c, &marker));
    if (!marker.there) return LATCH_OK;
    request.condition = marker.data.len > 0 ? "#data = :seen" : "attribute_not_exists(#data) OR #data = :seen";
    request.values = LATCH_VALUES(":seen", marker.data);
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, latch_once_send(cx, c, &request, &item));
    if (!refused || item.node == NULL) return LATCH_OK;
    bool maybe_cleared = cx->err.maybe_applied;
    (void)latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s: changed while it was to be cleared", LATCH_ARG(c->marker));
    cx->err.maybe_applied = maybe_cleared;
    return LATCH_CONFLICT;
}

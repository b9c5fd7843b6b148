#include "runtime/http_kept.h"

#include <string.h>
#include <strings.h>

#include "core/coding.h"
#include "core/ctx.h"
#include "core/node.h"
#include "runtime/http_private.h"

size_t latch_http_cookies_set(const latch_http *http) {
    size_t n = 0;
    for (size_t i = 0; i < http->field_count; i++)
        n += http->fields[i].name == NULL;
    return n;
}

static latch_json keep_headers(const latch_http *http) {
    latch_pair pairs[LATCH_HTTP_HEADERS_MAX + 2];
    latch_str type = latch_http_replied_header(http, "content-type");
    size_t n = 0;
    if (type.len > 0) pairs[n++] = (latch_pair){"content-type", latch_v_str_(type)};
    for (size_t i = 0; i < http->field_count; i++) {
        const latch_http_field *f = &http->fields[i];
        if (f->name != NULL && strcasecmp(f->name, "content-type") != 0) pairs[n++] = (latch_pair){f->name, latch_v_str_(f->value)};
    }
    pairs[n] = (latch_pair){NULL, {LATCH_V_NULL, {.i = 0}}};
    return latch_object_(http->cx, pairs);
}

static latch_json keep_cookies(const latch_http *http, size_t before) {
    latch_json cookies = latch_array(http->cx);
    size_t seen = 0;
    for (size_t i = 0; i < http->field_count; i++) {
        if (http->fields[i].name == NULL && seen++ >= before) cookies = latch_append(cookies, http->fields[i].value);
    }
    return cookies;
}

latch_json latch_http_keep(latch_http *http, size_t cookies_before) {
    latch_str body = latch_http_replied_body(http);
    bool binary = !latch_str_is_utf8(body);
    if (binary) body = latch_base64_encode(http->cx->arena, body);
    if (body.ptr == NULL)
        return latch_node_json(
            http->cx, (struct latch_node){.kind = LATCH_E_DATA, .broken = LATCH_E_NOMEM, .why = "the arena is full", .path = "value"});
    return latch_object(http->cx, "statusCode", latch_int(http->status), "headers", keep_headers(http), "cookies",
                        keep_cookies(http, cookies_before), "body", body, "isBase64Encoded", binary);
}

/* ── giving it again ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* Names are copied: a text of a document has no NUL at its end. */
static latch_status restore_headers(latch_http *http, latch_json headers, const char **type) {
    for (latch_each each = latch_each_in(headers); latch_each_next(&each);) {
        const char *name = latch_copy(http->cx, each.name).ptr, *value = latch_copy(http->cx, latch_each_text(&each)).ptr;
        if (name == NULL || value == NULL) return latch_err_set(&http->cx->err, LATCH_E_NOMEM, "a kept reply: the arena is full");
        if (strcasecmp(name, "content-type") == 0) {
            *type = value;
        } else if (!latch_http_has_field(http, name)) {
            latch_http_set_header(http, name, latch_each_text(&each));
        }
    }
    return LATCH_OK;
}

latch_status latch_http_restore(latch_http *http, latch_json kept) {
    latch_json headers, cookies;
    latch_str body;
    int64_t status;
    bool binary;
    const char *type = "";
    if (kept.node == NULL) return latch_err_set(&http->cx->err, LATCH_E_DATA, "a kept reply is null");
    LATCH_TRY(latch_read(kept, "statusCode", latch_range(&status, 100, 599), "headers", latch_optional(&headers), "cookies",
                         latch_optional(&cookies), "body", latch_optional(latch_bytes(&body, 0, INT64_MAX)), "isBase64Encoded",
                         latch_optional(&binary)));
    if (binary && !latch_base64_decode(http->cx->arena, body, &body))
        return latch_err_set(&http->cx->err, LATCH_E_DATA, "a kept reply's body is no base64");
    if (binary && body.ptr == NULL) return latch_err_set(&http->cx->err, LATCH_E_NOMEM, "a kept reply: the arena is full");
    LATCH_TRY(restore_headers(http, headers, &type));
    for (latch_each each = latch_each_in(cookies); latch_each_next(&each);)
        latch_http_set_cookie(http, latch_each_text(&each));
    latch_http_set_header(http, "idempotent-replayed", LATCH_STR("true"));
    return latch_http_reply_bytes(http, (int)status, type, body);
}

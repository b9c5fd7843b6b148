#include "core/ctx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/log.h"

const latch_err *latch_error(const latch_ctx *cx) { return &cx->err; }
int64_t latch_now_ms(const latch_ctx *cx) { return latch_clock_wall_ms(&cx->clock); }
int64_t latch_left_ms(const latch_ctx *cx) { return cx->deadline_at_ms == INT64_MAX ? INT64_MAX : cx->deadline_at_ms - latch_now_ms(cx); }
latch_str latch_request_id(const latch_ctx *cx) { return cx->request_id; }
latch_str latch_copy(latch_ctx *cx, latch_str s) { return latch_arena_copy(cx->arena, s); }

latch_status latch_ctx_deadline(latch_ctx *cx, int64_t timeout_ms, int64_t default_ms, int64_t *at_ms) {
    *at_ms = cx->deadline_at_ms;
    if (timeout_ms < 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "timeout_ms is %" PRId64 ", want 0 or more", timeout_ms);
    int64_t span_ms = timeout_ms == 0 ? default_ms : timeout_ms, now_ms = latch_now_ms(cx);
    if (span_ms < cx->deadline_at_ms - now_ms) *at_ms = now_ms + span_ms;
    return LATCH_OK;
}

latch_str latch_ctx_text(latch_ctx *cx, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = len < 0 ? NULL : latch_arena_alloc(cx->arena, (size_t)len + 1);
    if (text != NULL) vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return (latch_str){text, text != NULL ? (size_t)len : 0};
}

/* RFC 9562, version 4. */
latch_str latch_uuid(latch_ctx *cx) {
    unsigned char b[16];
    if (getentropy(b, sizeof b) != 0) return (latch_str){NULL, 0};
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    return latch_ctx_text(cx, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
                          b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static size_t escaped(char *to, latch_str part) {
    size_t n = 0;
    for (size_t i = 0; i < part.len; i++) {
        bool special = part.ptr[i] == '#' || part.ptr[i] == '%';
        to[n++] = special ? '%' : part.ptr[i];
        if (!special) continue;
        to[n++] = '2';
        to[n++] = part.ptr[i] == '#' ? '3' : '5';
    }
    return n;
}

latch_str latch_key_(latch_ctx *cx, const latch_str *parts, size_t n) {
    size_t most = 1, len = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > (SIZE_MAX - most - 1) / 3) return (latch_str){NULL, 0};
        most += parts[i].len * 3 + 1;
    }
    char *key = latch_arena_alloc(cx->arena, most);
    if (key == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < n; i++) {
        if (i > 0) key[len++] = '#';
        len += escaped(key + len, parts[i]);
    }
    return (latch_str){key, len};
}

/* "the card was declined {"order_id":"o-1"}" */
static latch_status set_with_pairs(latch_ctx *cx, latch_status status, const char *message, const latch_pair *pairs) {
    if (pairs->name == NULL) return latch_err_set(&cx->err, status, "%s", message);
    latch_str details = latch_text(latch_object_(cx, pairs));
    return latch_err_set(&cx->err, status, "%s %.*s", message, LATCH_ARG(details));
}

latch_status latch_fail_(latch_ctx *cx, const char *type, const char *message, const latch_pair *pairs) {
    (void)set_with_pairs(cx, LATCH_E_HANDLER, message, pairs);
    snprintf(cx->err.type, sizeof cx->err.type, "%s", type);
    return LATCH_E_HANDLER;
}

latch_status latch_refuse_(latch_ctx *cx, latch_status refusal, const char *message, const latch_pair *pairs) {
    (void)set_with_pairs(cx, refusal, message, pairs);
    cx->err.for_client = true;
    return refusal;
}

void latch_log_(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs) {
    latch_log_write(cx, level, message, pairs);
}

#include "core/ctx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/log.h"
#include "core/node.h"

const latch_err *latch_error(const latch_ctx *cx) { return &cx->err; }
int64_t latch_now_ms(const latch_ctx *cx) { return latch_clock_wall_ms(&cx->clock); }
int64_t latch_left_ms(const latch_ctx *cx) { return cx->deadline_at_ms == INT64_MAX ? INT64_MAX : cx->deadline_at_ms - latch_now_ms(cx); }
latch_str latch_request_id(const latch_ctx *cx) { return cx->request_id; }
latch_str latch_copy(latch_ctx *cx, latch_str s) { return latch_arena_copy(cx->arena, s); }

latch_status latch_ctx_deadline(latch_ctx *cx, int64_t timeout_ms, int64_t default_ms, int64_t *at_ms) {
    *at_ms = cx->deadline_at_ms;
    if (timeout_ms < 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "timeout_ms is %" PRId64 ", want 0 or more", timeout_ms);
    int64_t span_ms = timeout_ms == 0 ? default_ms : timeout_ms, until_ms;
    if (!__builtin_add_overflow(latch_now_ms(cx), span_ms, &until_ms) && until_ms < cx->deadline_at_ms) *at_ms = until_ms;
    return LATCH_OK;
}

latch_str latch_ctx_text(latch_ctx *cx, const char *fmt, ...) {
    char brief[256]; /* most are: then it is formatted once */
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(brief, sizeof brief, fmt, ap);
    va_end(ap);
    char *text = len < 0 ? NULL : latch_arena_alloc(cx->arena, (size_t)len + 1);
    if (text != NULL && (size_t)len < sizeof brief) memcpy(text, brief, (size_t)len + 1);
    if (text != NULL && (size_t)len >= sizeof brief) vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return (latch_str){text, text != NULL ? (size_t)len : 0};
}

/* RFC 9562, version 4. Each is asked of the system: what a process keeps of its own would be the same in two restored from one snapshot. */
latch_str latch_uuid(latch_ctx *cx) {
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    char text[36];
    if (getentropy(b, sizeof b) != 0) return (latch_str){NULL, 0};
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (size_t i = 0, n = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[n++] = '-';
        text[n++] = hex[b[i] >> 4];
        text[n++] = hex[b[i] & 0x0F];
    }
    return latch_arena_copy(cx->arena, (latch_str){text, sizeof text});
}

static bool is_special(char c) { return c == '#' || c == '%'; }

static size_t escaped_len(latch_str part) {
    size_t len = part.len;
    for (size_t i = 0; i < part.len; i++)
        len += is_special(part.ptr[i]) ? 2 : 0;
    return len;
}

static char *put_escaped(char *to, latch_str part) {
    for (size_t i = 0; i < part.len; i++) {
        *to++ = is_special(part.ptr[i]) ? '%' : part.ptr[i];
        if (!is_special(part.ptr[i])) continue;
        *to++ = '2';
        *to++ = part.ptr[i] == '#' ? '3' : '5';
    }
    return to;
}

/* A part without bytes is one that could not be made: the key of what is left would be another's. */
latch_str latch_key_(latch_ctx *cx, const latch_str *parts, size_t n) {
    size_t len = n > 0 ? n - 1 : 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].ptr == NULL || parts[i].len > SIZE_MAX / 8) return (latch_str){NULL, 0};
        len += escaped_len(parts[i]);
    }
    char *key = latch_arena_alloc(cx->arena, len + 1), *to = key;
    if (key == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < n; i++) {
        if (i > 0) *to++ = '#';
        to = put_escaped(to, parts[i]);
    }
    *to = '\0';
    return (latch_str){key, len};
}

/* "the card was declined {"order_id":"o-1"}"; what can't be shown is left out, what is secret taken out: the message is logged. */
static latch_status set_with_pairs(latch_ctx *cx, latch_status status, const char *message, const latch_pair *pairs) {
    latch_text_writer t = latch_text_begin(cx->arena);
    if (pairs->name != NULL) latch_text_pairs(&t, pairs, false);
    latch_str details = latch_text_end(&t);
    if (pairs->name == NULL || details.ptr == NULL) return latch_err_set(&cx->err, status, "%s", message);
    details.len = latch_redact_json(latch_log_redact(cx), t.at, details.len);
    return latch_err_set(&cx->err, status, "%s %.*s", message, LATCH_ARG(details));
}

latch_status latch_fail_(latch_ctx *cx, const char *type, const char *message, const latch_pair *pairs) {
    (void)set_with_pairs(cx, LATCH_E_HANDLER, message, pairs);
    snprintf(cx->err.type, sizeof cx->err.type, "%s", type);
    return LATCH_E_HANDLER;
}

latch_status latch_refuse_(latch_ctx *cx, latch_status refusal, const char *message, const latch_pair *pairs) {
    bool is_refusal = refusal >= LATCH_MISSING && refusal <= LATCH_UNDONE;
    if (!is_refusal && refusal != LATCH_E_INPUT)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "latch_refuse: %d is no refusal: \"%s\"", (int)refusal, message);
    (void)set_with_pairs(cx, refusal, message, pairs);
    cx->err.for_client = true;
    return refusal;
}

void latch_log_(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs) {
    latch_log_write(cx, level, message, pairs);
}

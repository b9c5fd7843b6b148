#include "core/span.h"

#include <stdatomic.h>
#include <string.h>

#include "core/ctx_private.h"

static void copy(char *to, size_t room, latch_str s) {
    latch_str cut = s.len < room ? s : latch_str_cut(s, room - 1);
    if (cut.len > 0) memcpy(to, cut.ptr, cut.len);
    to[cut.len] = '\0';
}

/* The next place whose span has ended; NULL: all are open, which takes 64 of them one within another. */
static latch_span_kept *take_place(latch_spans *spans) {
    for (uint32_t tries = 0; tries < LATCH_SPANS_MAX; tries++) {
        uint32_t i = spans->next;
        spans->next = (i + 1) % LATCH_SPANS_MAX;
        if (i == spans->count) {
            spans->count++;
            return &spans->at[i];
        }
        if (spans->at[i].open) continue;
        spans->lost++;
        return &spans->at[i];
    }
    spans->lost++;
    return NULL;
}

latch_span latch_span_begin_kind(latch_ctx *cx, latch_span_kind kind, const char *name, latch_str detail) {
    latch_spans *spans = cx->spans;
    latch_span_kept *kept = spans != NULL ? take_place(spans) : NULL;
    if (kept == NULL) return (latch_span){0};
    latch_span_kept *outer = spans->innermost;
    kept->id = ++spans->begun;
    kept->outer = outer;
    kept->outer_id = outer != NULL ? outer->id : 0;
    kept->name = name;
    copy(kept->detail, sizeof kept->detail, detail);
    kept->kind = kind;
    kept->open = true;
    kept->from_us = kept->to_us = cx->clock.boot_us(cx->clock.self);
    kept->status = LATCH_OK;
    kept->requests = kept->throttled = 0;
    kept->http_status = 0;
    kept->milli_units = 0;
    kept->error[0] = kept->request_id[0] = '\0';
    atomic_signal_fence(memory_order_release); /* whole, then seen */
    spans->innermost = kept;
    return (latch_span){kept->id};
}

latch_span latch_span_begin(latch_ctx *cx, const char *name, latch_str detail) {
    return latch_span_begin_kind(cx, LATCH_SPAN_OWN, name, detail);
}

/* NULL: it isn't open any more. It belongs to an invocation that is over, or was ended with the one that it lay in. */
static latch_span_kept *find_open(const latch_ctx *cx, latch_span span) {
    latch_span_kept *at = cx->spans != NULL ? cx->spans->innermost : NULL;
    while (at != NULL && at->id != span.id)
        at = at->outer;
    return at;
}

void latch_span_tell(latch_ctx *cx, latch_span span, const latch_span_facts *facts) {
    latch_span_kept *kept = find_open(cx, span);
    if (kept == NULL) return;
    kept->requests = facts->requests;
    kept->throttled = facts->throttled;
    kept->milli_units = facts->milli_units;
    kept->http_status = facts->http_status;
    copy(kept->error, sizeof kept->error, facts->error);
    copy(kept->request_id, sizeof kept->request_id, facts->request_id);
}

void latch_span_end(latch_ctx *cx, latch_span span, latch_status status) {
    latch_span_kept *kept = find_open(cx, span);
    if (kept == NULL) return;
    int64_t now_us = cx->clock.boot_us(cx->clock.self);
    latch_span_kept *at = cx->spans->innermost;
    cx->spans->innermost = kept->outer;
    atomic_signal_fence(memory_order_release); /* not seen any more, then changed */
    for (;; at = at->outer) {
        at->open = false;
        at->to_us = now_us;
        if (at == kept) break;
    }
    kept->status = status;
}

uint64_t latch_span_mark(const latch_ctx *cx) { return cx->spans != NULL ? cx->spans->begun : 0; }

void latch_span_end_since(latch_ctx *cx, uint64_t mark) {
    latch_span_kept *outermost = NULL;
    for (latch_span_kept *at = cx->spans != NULL ? cx->spans->innermost : NULL; at != NULL && at->id > mark; at = at->outer)
        outermost = at;
    if (outermost != NULL) latch_span_end(cx, (latch_span){outermost->id}, LATCH_OK);
}

/* ── from a signal handler: no printf, no lock ───────────────────────────────────────────────────────────────────────────── */

typedef struct line {
    char *at;
    size_t len, room;
} line;

static void put(line *l, const char *text) {
    while (*text != '\0' && l->len + 1 < l->room)
        l->at[l->len++] = *text++;
}

static void put_number(line *l, int64_t n) {
    char digits[21];
    size_t from = sizeof digits - 1;
    digits[from] = '\0';
    do {
        digits[--from] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    put(l, digits + from);
}

size_t latch_span_describe(const latch_spans *spans, int64_t now_us, char *out, size_t room) {
    const latch_span_kept *kept = spans != NULL ? spans->innermost : NULL;
    line l = {.at = out, .room = room};
    if (room == 0) return 0;
    if (kept != NULL) {
        if (kept->kind == LATCH_SPAN_DYNAMODB) put(&l, "DynamoDB ");
        if (kept->kind == LATCH_SPAN_FETCH) put(&l, "fetch ");
        put(&l, kept->name);
        if (kept->detail[0] != '\0') put(&l, kept->kind == LATCH_SPAN_DYNAMODB ? " on " : " ");
        put(&l, kept->detail);
        put(&l, ", for ");
        put_number(&l, now_us > kept->from_us ? (now_us - kept->from_us) / 1000 : 0);
        put(&l, " ms");
    }
    out[l.len] = '\0';
    return l.len;
}

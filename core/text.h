/*
 * core/text.h - text that grows at its end in the arena: requests, replies, log lines. For core, stores and runtime.
 *
 *     latch_text_writer t = latch_text_begin(cx->arena);
 *     latch_text_put(&t, LATCH_STR("{\"TableName\":"));
 *     latch_text_json_string(&t, table);
 *     latch_text_char(&t, '}');
 *     latch_str request = latch_text_end(&t);
 *     if (request.ptr == NULL) return latch_err_set(err, t.failed, "table: %s", t.why);
 *
 * Nothing needs to be looked at before the end: a writer that failed takes no more. The arena may give out other blocks meanwhile; the
 * text grows in place while it is the last one, else it moves, so `at` is good only until the next put.
 */
#ifndef LATCH_CORE_TEXT_H
#define LATCH_CORE_TEXT_H

#include "core/arena.h"
#include "core/pairs.h"
#include "core/status.h"

typedef struct latch_text_writer {
    latch_arena *arena; /* NULL: `at` is the caller's own, and all there is */
    char *at;
    size_t len, cap;     /* bytes */
    latch_status failed; /* LATCH_OK; LATCH_E_NOMEM: what fitted is in `at`; LATCH_E_MISUSE: what was put is no JSON */
    const char *why;     /* NULL, or what failed: "the arena is full" */
} latch_text_writer;

latch_text_writer latch_text_begin(latch_arena *arena);

/* The text, with a NUL behind it that isn't counted; what it didn't need goes back to the arena. ptr is NULL where a put failed. */
LATCH_NODISCARD latch_str latch_text_end(latch_text_writer *t);

/* Room for `more` bytes and a NUL at t->at + t->len. False: there is none, and the writer has failed. */
bool latch_text_grow(latch_text_writer *t, size_t more);
static inline bool latch_text_reserve(latch_text_writer *t, size_t more) {
    return (t->failed == LATCH_OK && more < t->cap - t->len) || latch_text_grow(t, more);
}

void latch_text_put(latch_text_writer *t, latch_str s); /* as it is */
static inline void latch_text_char(latch_text_writer *t, char c) {
    if (latch_text_reserve(t, 1)) t->at[t->len++] = c;
}
void latch_text_int(latch_text_writer *t, int64_t n);
void latch_text_uint(latch_text_writer *t, uint64_t n);
void latch_text_double(latch_text_writer *t, double d); /* the shortest that reads back the same; LATCH_E_MISUSE: NaN, infinite */

/* Quoted and escaped. The first refuses text that is no UTF-8 (LATCH_E_MISUSE); the second puts U+FFFD for each byte that is wrong. */
void latch_text_json_string(latch_text_writer *t, latch_str s);
void latch_text_json_lossy(latch_text_writer *t, latch_str s);

/* A JSON value, compact; LATCH_NULL is null. What could not be built fails the writer for the same reason. */
void latch_text_json(latch_text_writer *t, latch_json v);

/* The first reason stays. For what writes its own kinds of values on this. */
void latch_text_fail(latch_text_writer *t, latch_status failed, const char *why);

#endif

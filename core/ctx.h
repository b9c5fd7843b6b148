/*
 * core/ctx.h - what a handler and a store do with `cx`: time, text, failures of their own, and the log.
 *
 * One latch_ctx per invocation, in a batch per record: it carries the arena, the deadline, the clock, the error and the log.
 */
#ifndef LATCH_CORE_CTX_H
#define LATCH_CORE_CTX_H

#include "core/pairs.h"
#include "core/status.h"

LATCH_BEGIN_C

/* ── the invocation ──────────────────────────────────────────────────────────────────────────────────────────── */

int64_t latch_now_ms(const latch_ctx *cx) LATCH_NONNULL;  /* the stores' clock, Unix time */
int64_t latch_left_ms(const latch_ctx *cx) LATCH_NONNULL; /* until the deadline; INT64_MAX where there is none */
latch_str latch_request_id(const latch_ctx *cx) LATCH_NONNULL;

/* ── text: lives as long as cx; empty when the arena is full, and an empty key is refused by every store ──────────── */

latch_str latch_copy(latch_ctx *cx, latch_str s) LATCH_NONNULL;
latch_str latch_uuid(latch_ctx *cx) LATCH_NONNULL; /* version 4, from the system's random source */

/*
 * latch_key(cx, a, b, …): the parts joined by '#', with '#' and '%' inside a part escaped: ("a#b", "c") and ("a", "b#c") differ. A part
 * whose ptr is NULL (a latch_copy that found the arena full) makes the whole key empty; an empty part with a ptr is a part.
 */
#define latch_key(cx, ...) latch_key_((cx), (const latch_str[]){__VA_ARGS__}, sizeof((const latch_str[]){__VA_ARGS__}) / sizeof(latch_str))
latch_str latch_key_(latch_ctx *cx, const latch_str *parts, size_t n) LATCH_NONNULL;

/*
 * ── your own failures ─────────────────────────────────────────────────────────────────────────────────────────────
 *
 * return latch_fail(cx, "CardDeclined", "the card was declined", "order_id", id);     an invocation error, Function.CardDeclined
 * return latch_refuse(cx, LATCH_MISSING, "no such product", "sku", sku);              the message is shown to an HTTP client
 *
 * latch_refuse takes the refusals of core/status.h and LATCH_E_INPUT; anything else becomes LATCH_E_MISUSE. A message of over 255 bytes is
 * cut; pairs that can't be shown (a full arena, text that is not UTF-8) are left out, and secrets taken out, as of the log's.
 */
#define latch_fail(cx, type, ...) latch_fail_((cx), "" type, LATCH_FIRST_(__VA_ARGS__), LATCH_PAIRS_(__VA_ARGS__))
#define latch_refuse(cx, refusal, ...) latch_refuse_((cx), (refusal), LATCH_FIRST_(__VA_ARGS__), LATCH_PAIRS_(__VA_ARGS__))
LATCH_NODISCARD latch_status latch_fail_(latch_ctx *cx, const char *type, const char *message, const latch_pair *pairs) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_refuse_(latch_ctx *cx, latch_status refusal, const char *message, const latch_pair *pairs) LATCH_NONNULL;

/*
 * ── log: one record each ─────────────────────────────────────────────────────────────────────────────────────────
 *
 * latch_info(cx, "shipped", "order_id", id, "qty", qty);
 *
 * A record below AWS_LAMBDA_LOG_LEVEL costs a compare: its message and its values aren't evaluated, so they must do nothing else. `cx` and
 * the level are, twice. Values whose names say that they are secret are not written (core/redact.h has the list), nor AWS's keys.
 */

typedef enum latch_level { LATCH_TRACE, LATCH_DEBUG, LATCH_INFO, LATCH_WARN, LATCH_ERROR, LATCH_FATAL } latch_level;
#define latch_log(cx, level, ...)                                                                                                          \
    (latch_log_wants((cx), (level)) ? latch_log_((cx), (level), LATCH_FIRST_(__VA_ARGS__), LATCH_PAIRS_(__VA_ARGS__)) : (void)0)
#define latch_trace(cx, ...) latch_log((cx), LATCH_TRACE, __VA_ARGS__)
#define latch_debug(cx, ...) latch_log((cx), LATCH_DEBUG, __VA_ARGS__)
#define latch_info(cx, ...) latch_log((cx), LATCH_INFO, __VA_ARGS__)
#define latch_warn(cx, ...) latch_log((cx), LATCH_WARN, __VA_ARGS__)
#define latch_log_error(cx, ...) latch_log((cx), LATCH_ERROR, __VA_ARGS__) /* latch_error(cx) is what the last call failed with */
void latch_log_(latch_ctx *cx, latch_level level, const char *message, const latch_pair *pairs) LATCH_NONNULL;

/* Whether a record of this level is written: for what is costly to prepare. */
static inline bool latch_log_wants(const latch_ctx *cx, latch_level level) { return level >= *(const latch_level *)(const void *)cx; }

LATCH_END_C

#endif

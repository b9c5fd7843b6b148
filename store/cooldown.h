/*
 * store/cooldown.h - until when an origin is left alone, as it asked for (a 429 or 503 with Retry-After): all processes see it.
 *
 *     static const latch_cooldown upstreams = {.name = "upstreams"};
 *
 *     LATCH_TRY(latch_cooldown_set(cx, &upstreams, LATCH_STR("api.example.com"), latch_now_ms(cx) + retry_after_s * LATCH_SECOND_MS));
 *
 * Item: pk COOLDOWN#<name>#<origin>, joined and escaped by latch_key; sk COOLDOWN
 *   cooldownUntil  N  Unix ms
 *   ttl            N  Unix s: the same, rounded up, max_clock_skew_ms and a minute
 * In a toolkit_table, one that npm's @http-client-toolkit/store-dynamodb 4.2 writes too: pk and sk COOLDOWN#<origin>, the origin as it is.
 * A set costs one write unit, a look one read unit. One key bears about 1 000 sets a second.
 *
 * Source: UpdateItem of the DynamoDB API reference; the layout of the npm package, whose set overwrites a longer cooldown with a shorter one,
 * and whose look deletes one that has ended, also where another has just set it anew.
 */
#ifndef LATCH_STORE_COOLDOWN_H
#define LATCH_STORE_COOLDOWN_H

#include "core/status.h"

LATCH_BEGIN_C

typedef struct latch_cooldown {
    const char *name;          /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; required */
    int64_t timeout_ms;        /* of one call; 0: 2 s; never past the deadline */
    const char *toolkit_table; /* NULL: our own layout in the stores' table */
} latch_cooldown;

/*
 * Leave `origin` alone until until_ms, which is to come, within 366 days. A longer one that is set already stays: LATCH_OK too.
 *
 * origin  UTF-8, no control bytes, not empty, and short enough for a pk of 1 024 bytes; borrowed
 *
 * Requests: 1, repeated where no answer comes. LATCH_E_INPUT: a bad origin; LATCH_E_MISUSE: a bad policy or time (nothing was sent), or no
 * such table; other failures as of every store, with err.maybe_applied where it may be set. Repeating: harmless; after a clear, a late try
 * of it sets it once more, to no later end.
 */
LATCH_NODISCARD latch_status latch_cooldown_set(latch_ctx *cx, const latch_cooldown *policy, latch_str origin,
                                                int64_t until_ms) LATCH_NONNULL;

/* LATCH_OK: until *until_ms; LATCH_MISSING, and *until_ms 0: none is, or it has ended. One consistent read. Failures as above. */
LATCH_NODISCARD latch_status latch_cooldown_get(latch_ctx *cx, const latch_cooldown *policy, latch_str origin,
                                                int64_t *until_ms) LATCH_NONNULL;

/*
 * End it. LATCH_OK also where there was none. Requests: 1, not repeated where no answer comes (err.maybe_applied): a repeat would end what
 * another set meanwhile.
 */
LATCH_NODISCARD latch_status latch_cooldown_clear(latch_ctx *cx, const latch_cooldown *policy, latch_str origin) LATCH_NONNULL;

LATCH_END_C

#endif

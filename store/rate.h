/*
 * store/rate.h - a rate limit: a key may do so much in a window that slides along.
 *
 *     static const latch_rate per_client = {.name = "api", .limit = 60, .window_ms = 60 * LATCH_SECOND_MS};
 *
 *     latch_rate_state state;
 *     LATCH_TRY(latch_rate_acquire(cx, &per_client, client, &state));        leaves an HTTP handler as 429 with Retry-After
 *
 * Two algorithms, each on one item of the key:
 *
 *   LATCH_RATE_SLIDING   exact. Bound: never more than `limit` grants stamped in any window of the stores' clock, both its ends
 *                        included, under any number of callers, crashes, lost and late requests, with the limit lowered and raised
 *                        between; seen from outside, in any window shorter by max_clock_skew_ms and a call's own duration. Limits up to 90,
 *                        or 1 000 where .large says that up to 10 write units a call are well
 *   LATCH_RATE_GCRA      any limit, a small item. Grants come back one by one, every window/limit. Bound: burst + (window +
 *                        max_clock_skew_ms + a call's duration) / (window/limit) in any window: with burst = limit up to twice the limit where
 *                        a burst follows a rest
 *
 * A refusal is known in the process for at most known_ms: until then further calls of the same key are refused without a request.
 *
 * Item: pk RATE#<name>#<key>, joined and escaped by latch_key; sk RATE
 *   ts    L   sliding: the last grants' stamps, N, Unix µs whose last three digits are random, in the order they were written in
 *   low   N   sliding: the newest stamp that was dropped where the limit was lowered; absent: none was
 *   tat   N   GCRA: Unix µs, when all of it is free again
 *   last  S   GCRA: the id of the call last counted
 *   ttl   N   Unix s: the last stamp, the window (GCRA: or burst · window/limit), max_clock_skew_ms and a day
 * A grant costs one write unit per KB of item begun, granted or refused: 1 up to a limit of 90 with a pk of 80 bytes. One key bears about
 * 1 000 a second: a partition's write units. A look costs one read unit per 4 KB begun.
 *
 * toolkit_table: a table that npm's @http-client-toolkit/store-dynamodb 4.2 writes too, in its layout, keys as they are (at most 512 bytes),
 * without our name: slots pk RATELIMIT_SLOT#<key>, sk SLOT#<n>, timestamp N ms, ttl; events pk RATELIMIT#<key>, sk TS#<ms>#<uuid>. There,
 * sliding alone, at most 10 000, and each grant is a slot and an event in one transaction: 4 write units. Bound as of sliding among callers of
 * Latch with one limit or a lowered one; the package's own acquire doesn't look at slots beyond its limit, nor its record at slots at all. Its
 * resource "a#user" has the slots of its adaptive store's "a".
 *
 * Time is the stores' clock. A stamp further ahead than max_clock_skew_ms is reported in the log: somebody's clock is wrong.
 *
 * Source: UpdateItem, TransactWriteItems and condition expressions of the DynamoDB API reference; the sliding log and GCRA ("generic cell
 * rate algorithm", ITU-T I.371); names, defaults and layout of the npm package, which needs up to `limit` transactions a call.
 */
#ifndef LATCH_STORE_RATE_H
#define LATCH_STORE_RATE_H

#include "core/status.h"
#include "store/sweep.h"

LATCH_BEGIN_C

#define LATCH_RATE_SLIDING_MAX 90       /* of a limit, where a grant costs one write unit */
#define LATCH_RATE_LARGE_MAX 1000       /* with .large */
#define LATCH_RATE_SLOTS_MAX 10000      /* in a toolkit_table */
#define LATCH_RATE_SLOTS_AT_ONCE_MAX 50 /* of acquire there: what a transaction holds */
#define LATCH_RATE_KNOWN_NEVER (-1)

typedef enum latch_rate_algorithm { LATCH_RATE_SLIDING, LATCH_RATE_GCRA } latch_rate_algorithm;

typedef struct latch_rate_resource { /* of one key, instead of the policy's own */
    const char *key;
    int64_t limit, window_ms, burst;
} latch_rate_resource;

typedef struct latch_rate {
    const char *name;  /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; required */
    int64_t limit;     /* in a window; at least 1. Both of these 0: 60 in 60 s */
    int64_t window_ms; /* at least 1, at most 366 days */
    latch_rate_algorithm algorithm;
    int64_t burst;                        /* GCRA: at once after a rest, at least 1; 0: limit. burst · window/limit is at most 366 days */
    bool large;                           /* sliding: limits over LATCH_RATE_SLIDING_MAX, which cost more */
    const latch_rate_resource *resources; /* of single keys; ends with a NULL key; NULL: none */
    int64_t known_ms;          /* a refusal is, in the process, so that another's reset shows after it; 0: 1 s; LATCH_RATE_KNOWN_NEVER */
    int64_t timeout_ms;        /* of one call with all its requests; 0: 2 s; never past the deadline */
    const char *toolkit_table; /* NULL: our own layout in the stores' table */
} latch_rate;

typedef struct latch_rate_state {
    int64_t limit;       /* that holds for the key: the most that may be had at once; of GCRA the burst */
    int64_t window_ms;   /* in which as many come back */
    int64_t remaining;   /* that could be had now, after this call */
    int64_t reset_at_ms; /* when all of them can, if nobody asks until then; now, where they can */
    int64_t retry_at_ms; /* when what was asked for can be had (of status: one); 0: now. What others take meanwhile makes it later */
} latch_rate_state;

/*
 * Take one, or `n` at once (all or none).
 *
 * key  UTF-8, no control bytes, not empty, and short enough for a pk of 2 048 bytes; borrowed
 * n    1 to the limit, of GCRA to the burst; in a toolkit_table at most LATCH_RATE_SLOTS_AT_ONCE_MAX
 * out  always written; zero but for LATCH_OK and LATCH_LIMITED
 *
 * Requests: 1. 2 where the process guessed wrong: whether the sliding list is full, whether a GCRA item rests; it guesses as the key was when
 * this process last saw it. For n > 1, 2 once the list is full. 1 more each time that another call comes between, at most 4. 0 while a refusal
 * is known. Each is repeated where no answer comes, at most 3 times. In a toolkit_table one query page per MB of slots and a transaction, and
 * one more for each race that is lost, at most 8.
 *
 * LATCH_OK          granted: go ahead
 * LATCH_LIMITED     `out` says what there is, err.retry_at_ms when it can be had, exactly
 * LATCH_CONFLICT    others came between each two of our requests: nothing is known of the limit
 * LATCH_E_INPUT     a bad key: nothing was sent
 * LATCH_E_MISUSE    a bad policy or n (nothing was sent), or no such table
 * LATCH_E_NOMEM     the arena is full
 * LATCH_E_DATA      the item is not as above
 * LATCH_E_*         no answer, or one that says no
 * Whatever isn't LATCH_OK was not granted, unless err.maybe_applied: then a try of it may count, now or later.
 *
 * Repeating: a lost reply is repeated inside the call and recognised, by its stamp or its id (of GCRA unless another call came between: then
 * it may count twice, or count once and be refused with err.maybe_applied). Calling again takes another.
 */
LATCH_NODISCARD latch_status latch_rate_acquire(latch_ctx *cx, const latch_rate *policy, latch_str key,
                                                latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_acquire_n(latch_ctx *cx, const latch_rate *policy, latch_str key, int64_t n,
                                                  latch_rate_state *out) LATCH_NONNULL;

/*
 * How it stands; whether one could be had now; how long until then, 0 for now. Nothing is taken, and nothing is promised: another may be
 * faster. `*out` is 0 but for LATCH_OK. Failures as above.
 *
 * Requests: 1 consistent read (in a toolkit_table a query); can_proceed and wait_time none while a refusal is known.
 */
LATCH_NODISCARD latch_status latch_rate_status(latch_ctx *cx, const latch_rate *policy, latch_str key, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_can_proceed(latch_ctx *cx, const latch_rate *policy, latch_str key, bool *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_wait_time(latch_ctx *cx, const latch_rate *policy, latch_str key, int64_t *wait_ms) LATCH_NONNULL;

/*
 * Count one that has happened anyway, whatever the limit says: sliding forgets the oldest grant for it where the list is full, GCRA counts
 * no more than a full burst. In a toolkit_table it takes a slot while one is free, and is an event alone where none is.
 *
 * Requests and failures as of acquire, but that it is never LATCH_LIMITED. Repeating: as of acquire.
 */
LATCH_NODISCARD latch_status latch_rate_record(latch_ctx *cx, const latch_rate *policy, latch_str key) LATCH_NONNULL;

/*
 * Forget what the key has taken, and what this process knows of it. Other processes go on refusing for at most known_ms.
 *
 * Requests: 1 (in a toolkit_table two queries, a page per 100 items, and a batch of deletes per 25). It isn't repeated where no answer comes: that says
 * err.maybe_applied, for a repeat would forget what was granted meanwhile. LATCH_OK also where there was nothing.
 */
LATCH_NODISCARD latch_status latch_rate_reset(latch_ctx *cx, const latch_rate *policy, latch_str key) LATCH_NONNULL;

/* Of all keys that begin with the sweep's scope, or all of the policy's: see store/sweep.h. In a toolkit_table its cooldowns too. */
LATCH_NODISCARD latch_status latch_rate_clear(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep,
                                              latch_swept *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_cleanup(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep,
                                                latch_swept *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_stats(latch_ctx *cx, const latch_rate *policy, const latch_sweep *sweep,
                                              latch_swept *out) LATCH_NONNULL;

/*
 * What a reply's headers should say, as text: RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset (seconds, rounded up) of the IETF's
 * "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-06), its RateLimit-Policy ("60;w=60"), and Retry-After (seconds,
 * rounded up; empty: not refused) of RFC 9110, 10.2.3. A refusal that leaves the handler gets its Retry-After from the runtime.
 */
typedef struct latch_rate_headers {
    char limit[24], remaining[24], reset[24], policy[48], retry_after[24];
} latch_rate_headers;
void latch_rate_describe(const latch_ctx *cx, const latch_rate_state *state, latch_rate_headers *out) LATCH_NONNULL;

LATCH_END_C

#endif

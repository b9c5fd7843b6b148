/*
 * store/adaptive.h - a rate limit shared by two priorities: users come first, background work gets what they leave.
 *
 *     static const latch_adaptive upstream = {.name = "upstream", .limit = 200, .window_ms = LATCH_HOUR_MS};
 *
 *     latch_adaptive_state state;
 *     LATCH_TRY(latch_adaptive_acquire(cx, &upstream, LATCH_STR("search"), LATCH_BACKGROUND, &state));
 *
 * Bound: users and background together never get more than GCRA's bound for `limit` (store/rate.h, burst = limit): limit + (window +
 * max_clock_skew_ms + a call's duration) / (window/limit) in any window, under any number of callers, crashes, lost and late requests, with
 * the split and the limit moving between; background alone never more than that bound for the largest share it had. A user is held
 * back by the whole limit alone.
 *
 * The split: users have `reserve` of the limit, background at most `background_max`, the rest; whole numbers, 0 to the limit. They follow
 * from the activity, the user grants within monitoring_ms:
 *
 *   at least high       reserve = the smaller of 90 % of the limit and half of it × max_scaling; background is paused while activity rises
 *   at least moderate   reserve = 40 % of the limit × m, at most 70 %; m = 1 + activity/high, at most max_scaling, × 1.2 while it rises,
 *                       × 0.8 while it falls, at least 1
 *   less, or a new key  reserve = 30 % of the limit, at least min_user_reserved
 *   none                reserve = min_user_reserved; once the last user's grant is sustained_inactivity_ms ago, 0
 *
 * It rises where the last third of the monitoring window has over 1.5 times the grants of the third before, and falls below 0.5 times.
 * Computed from the item as this process saw it last, anew every recalculation_ms, so processes agree within that and their own pauses. A
 * background call of a process that hasn't seen the key goes only onto a new one; else it looks first, at the price of a request.
 *
 * Item: pk ADAPTIVE#<name>#<key>, joined and escaped by latch_key; sk ADAPTIVE
 *   tat            N  Unix µs, when all of the limit is free again
 *   tatBackground  N  the same of background's share
 *   userAt         N  Unix ms, the last user grant
 *   u<number>      N  user grants in a twelfth of the monitoring window; number × twelfth is its beginning, Unix ms. Old ones are removed
 *   last           S  the id of the call last counted
 *   ttl            N  Unix s: the last stamp, the window, max_clock_skew_ms and a day
 * A request costs one write unit, granted or refused. One key bears about 1 000 a second: a partition's write units. Activity is counted in
 * whole twelfths: its window is up to a twelfth shorter than monitoring_ms. Changed, it begins anew.
 *
 * toolkit_table: a table that npm's @http-client-toolkit/store-dynamodb 4.2 writes too, in its layout (store/rate.h), keys as they are:
 * slots RATELIMIT_SLOT#<key>#<priority>, events with gsi1pk RATELIMIT#<key>#<priority>, gsi1sk as sk, and priority. The activity is read
 * from gsi1, which lags, every recalculation_ms. There each priority's share is a bound of its own, and both together may pass the limit
 * while the split moves: what the package promises, in whole numbers.
 *
 * Source: core and store-dynamodb of the npm package http-client-toolkit, whose splits have fractions and exceed the limit; store/rate.h.
 */
#ifndef LATCH_STORE_ADAPTIVE_H
#define LATCH_STORE_ADAPTIVE_H

#include "core/status.h"
#include "store/sweep.h"

LATCH_BEGIN_C

#define LATCH_ADAPTIVE_SHARED_MAX 10000 /* of a limit in a toolkit_table */

typedef enum latch_priority { LATCH_BACKGROUND, LATCH_USER } latch_priority;

typedef struct latch_adaptive {
    const char *name;                /* begins each key; 1 to 64 bytes of UTF-8, no control bytes; required */
    int64_t limit;                   /* in a window; at least 1. Both of these 0: 200 in an hour */
    int64_t window_ms;               /* at least 1, at most 366 days */
    int64_t monitoring_ms;           /* at least 1 s; 0: 15 minutes */
    int64_t high, moderate;          /* user grants in monitoring_ms; moderate is below high. Both 0: 10 and 3 */
    int64_t recalculation_ms;        /* 0: 30 s */
    int64_t sustained_inactivity_ms; /* 0: 30 minutes */
    double max_scaling;              /* at least 1; 0: 2 */
    int64_t min_user_reserved;       /* 0: 5; LATCH_ADAPTIVE_NONE: none */
    bool never_pauses;               /* background, while activity is high and rises */
    int64_t known_ms;                /* as latch_rate's */
    int64_t timeout_ms;              /* of one call with all its requests; 0: 2 s; never past the deadline */
    const char *toolkit_table;       /* NULL: our own layout in the stores' table */
} latch_adaptive;
#define LATCH_ADAPTIVE_NONE (-1)

typedef enum latch_adaptive_reason {
    LATCH_ADAPTIVE_NEW, /* nothing is known of the key yet: as low */
    LATCH_ADAPTIVE_HIGH,
    LATCH_ADAPTIVE_MODERATE,
    LATCH_ADAPTIVE_LOW,
    LATCH_ADAPTIVE_IDLE,    /* no user in the monitoring window */
    LATCH_ADAPTIVE_INACTIVE /* nor for sustained_inactivity_ms */
} latch_adaptive_reason;

typedef struct latch_adaptive_state {
    int64_t limit, window_ms;
    int64_t remaining;      /* that this priority could have now, after this call */
    int64_t reset_at_ms;    /* when it could have all of its own, if nobody asks until then */
    int64_t retry_at_ms;    /* when one can be had; 0: now */
    int64_t reserve;        /* of the limit, the users' */
    int64_t background_max; /* the rest */
    int64_t activity;       /* user grants in the monitoring window */
    bool rising, falling, paused;
    latch_adaptive_reason reason;
} latch_adaptive_state;

/*
 * Take one for `key`. As latch_rate_acquire, and:
 *
 * LATCH_LIMITED   also background that is paused (err.retry_at_ms: when the split is computed anew) or has no share (likewise)
 *
 * Requests: 1; 2 where the process guessed wrong which of the two times have passed, or sends its first background call for a key that
 * others use; 1 more each time that another call comes between, at most 4. 0 while a refusal is known. In a toolkit_table as of
 * latch_rate_acquire there, and a query of gsi1 each recalculation_ms.
 */
LATCH_NODISCARD latch_status latch_adaptive_acquire(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                                    latch_adaptive_state *out) LATCH_NONNULL;

/* How it stands for a priority. Nothing is taken. Requests: 1 consistent read; in a toolkit_table a query of slots and one of gsi1. */
LATCH_NODISCARD latch_status latch_adaptive_status(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                                   latch_adaptive_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_can_proceed(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                                        bool *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_wait_time(latch_ctx *cx, const latch_adaptive *policy, latch_str key, latch_priority priority,
                                                      int64_t *wait_ms) LATCH_NONNULL;

/* Count one that has happened anyway; at most a full window of the limit is counted. As latch_rate_record. */
LATCH_NODISCARD latch_status latch_adaptive_record(latch_ctx *cx, const latch_adaptive *policy, latch_str key,
                                                   latch_priority priority) LATCH_NONNULL;

/* As latch_rate_reset, latch_rate_clear, latch_rate_cleanup and latch_rate_stats. */
LATCH_NODISCARD latch_status latch_adaptive_reset(latch_ctx *cx, const latch_adaptive *policy, latch_str key) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_clear(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep,
                                                  latch_swept *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_cleanup(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep,
                                                    latch_swept *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_stats(latch_ctx *cx, const latch_adaptive *policy, const latch_sweep *sweep,
                                                  latch_swept *out) LATCH_NONNULL;

LATCH_END_C

#endif

/* store/rate_private.h - what the rate limits' files share: a call, what the process remembers of its key, and each layout's part. */
#ifndef LATCH_STORE_RATE_PRIVATE_H
#define LATCH_STORE_RATE_PRIVATE_H

#include "core/clock.h"
#include "core/json.h"
#include "store/adaptive.h"
#include "store/rate.h"
#include "store/table.h"

#define LATCH_RATE_REQUESTS_MAX 4         /* of a call on one item */
#define LATCH_RATE_RESOURCE_MAX_BYTES 512 /* of a key in a table of the npm package, by its own check */

/* ── what the process remembers ─────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_rate_rule { /* what holds for a key */
    int64_t limit, window_ms, burst;
    latch_rate_algorithm algorithm;
} latch_rate_rule;

typedef struct latch_rate_refusal {
    latch_instant at;
    latch_rate_rule by; /* under another rule it says nothing */
    int64_t n;          /* that were refused; 0: nothing was */
    latch_rate_state state;
} latch_rate_refusal;

#define LATCH_ADAPTIVE_BUCKETS 12 /* of a monitoring window; each third has as many as another */

#define LATCH_ADAPTIVE_OLD_MAX 8 /* removed by one request */

typedef struct latch_adaptive_seen { /* of an adaptive limit: its item, as last seen */
    bool seen, exists;
    int64_t tat_us, background_us; /* 0: absent */
    int64_t user_at_ms;            /* the last user grant; 0: none was */
    int64_t newest;                /* the number of counts[LATCH_ADAPTIVE_BUCKETS - 1] */
    int64_t counts[LATCH_ADAPTIVE_BUCKETS];
    int64_t old[LATCH_ADAPTIVE_OLD_MAX]; /* numbers of buckets that have left the window, to be removed; the rest 0 */
} latch_adaptive_seen;

typedef struct latch_rate_known { /* of one key in this process; zero: nothing */
    uint64_t id[2], used;
    latch_rate_refusal refusals[2]; /* of an adaptive limit by priority; of others the first */
    bool full;                      /* a sliding list, as last seen */
    int64_t tat_us;                 /* a GCRA item's, as last seen */
    latch_adaptive_seen seen;
    latch_adaptive_state split; /* as last computed, at `split_at`; its limit 0: never */
    latch_adaptive split_by;
    latch_instant split_at;
} latch_rate_known;

/*
 * What is remembered of the item at `pk` in `table`: an entry for it, made where there is none, in the place of the one that was used least
 * recently of those it competes with. Good until the next call of this. NULL: no memory for it, and nothing is remembered.
 */
latch_rate_known *latch_rate_recall(latch_ctx *cx, const char *table, latch_str pk) LATCH_NONNULL;
void latch_rate_forget(latch_ctx *cx) LATCH_NONNULL; /* of all keys */

/* ── a call ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_rate_call {
    const latch_rate *policy;
    latch_rate_rule rule;
    latch_str pk; /* in a toolkit_table the key as it is */
    int64_t n;
    int64_t window_us, interval_us;
    int64_t deadline_at_ms;
    bool records; /* it is counted whatever the limit says */
    bool maybe;   /* a try got no answer, and may count */
    latch_rate_known *known;
} latch_rate_call;

int64_t latch_rate_ttl_s(const latch_ctx *cx, int64_t now_ms, int64_t span_ms) LATCH_NONNULL;

/* Sends it; once more, made anew by `make`, where the clock was wrong by minutes. */
typedef latch_status latch_rate_send_fn(latch_ctx *cx, void *arg, latch_json *item);
LATCH_NODISCARD latch_status latch_rate_send(latch_ctx *cx, latch_rate_send_fn *send, void *arg, int64_t timeout_ms,
                                             int64_t *deadline_at_ms, bool *maybe, latch_json *item) LATCH_NONNULL;

/* Whether a refusal that is remembered is one of `n` by `rule` too: for known_ms at most, and not once it has ended. */
bool latch_rate_is_known(const latch_ctx *cx, const latch_rate_refusal *refusal, const latch_rate_rule *rule, int64_t n,
                         int64_t known_ms) LATCH_NONNULL;

/* Each layout's. take: LATCH_OK, LATCH_LIMITED (the caller's to tell: *out says it), LATCH_CONFLICT, failures. */
LATCH_NODISCARD latch_status latch_rate_sliding_take(latch_ctx *cx, latch_rate_call *call, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_gcra_take(latch_ctx *cx, latch_rate_call *call, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_slots_take(latch_ctx *cx, latch_rate_call *call, latch_rate_state *out) LATCH_NONNULL;

/* Of an item that was read, null where there is none. */
LATCH_NODISCARD latch_status latch_rate_sliding_read(latch_ctx *cx, const latch_rate_call *call, latch_json item,
                                                     latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_gcra_read(latch_ctx *cx, const latch_rate_call *call, latch_json item,
                                                  latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_slots_read(latch_ctx *cx, latch_rate_call *call, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_rate_slots_reset(latch_ctx *cx, const latch_rate_call *call) LATCH_NONNULL;

/* ── slots, of rate limits and of adaptive ones ─────────────────────────────────────────────────────────────────────────── */

typedef struct latch_slots { /* of one partition in a table of the npm package */
    const char *table;
    const char *store;  /* "rate": begins messages */
    latch_str resource; /* as the npm package has it */
    latch_str priority; /* of an adaptive limit: "user", "background"; else empty */
    int64_t limit, window_ms, n;
    int64_t deadline_at_ms;
    bool maybe;
} latch_slots;

/* Requests as of latch_rate_acquire in a toolkit_table. LATCH_LIMITED: *out says when. */
LATCH_NODISCARD latch_status latch_slots_take(latch_ctx *cx, latch_slots *slots, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_slots_look(latch_ctx *cx, const latch_slots *slots, latch_rate_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_slots_event(latch_ctx *cx, latch_slots *slots) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_slots_forget(latch_ctx *cx, const latch_slots *slots, const char *partition) LATCH_NONNULL;

/* ── the split of an adaptive limit ─────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_activity {  /* user grants in the monitoring window */
    bool any;                    /* the key has been used by anybody */
    int64_t all, recent, before; /* recent: its last third; before: the third before */
    int64_t user_at_ms;          /* the last of them; 0: none is known */
} latch_activity;

/* `policy` has its defaults filled in. Into out: reserve, background_max, activity, rising, falling, paused, reason. */
void latch_adaptive_divide(const latch_adaptive *policy, const latch_activity *activity, int64_t now_ms,
                           latch_adaptive_state *out) LATCH_NONNULL;

typedef struct latch_adaptive_call {
    const latch_adaptive *policy;
    latch_adaptive rule; /* with its defaults */
    latch_str pk;        /* in a toolkit_table the key as it is */
    latch_priority priority;
    int64_t window_us, interval_us;
    int64_t deadline_at_ms;
    latch_adaptive_state split;
    bool records, maybe;
    latch_rate_known *known;
} latch_adaptive_call;

/* The split that was computed less than recalculation_ms ago, by this policy; false: it is to be computed. */
bool latch_adaptive_split_holds(const latch_ctx *cx, const latch_adaptive_call *call) LATCH_NONNULL;
void latch_adaptive_split_keep(const latch_ctx *cx, latch_adaptive_call *call) LATCH_NONNULL;

/* Background that is paused, or has no share: *out says until when. */
bool latch_adaptive_is_shut(const latch_ctx *cx, const latch_adaptive_call *call, latch_adaptive_state *out) LATCH_NONNULL;

LATCH_NODISCARD latch_status latch_adaptive_item_take(latch_ctx *cx, latch_adaptive_call *call, latch_adaptive_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_item_read(latch_ctx *cx, latch_adaptive_call *call, latch_adaptive_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_slots_take(latch_ctx *cx, latch_adaptive_call *call, latch_adaptive_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_slots_read(latch_ctx *cx, latch_adaptive_call *call, latch_adaptive_state *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_adaptive_slots_reset(latch_ctx *cx, const latch_adaptive_call *call) LATCH_NONNULL;

#endif

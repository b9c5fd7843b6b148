/* store/once_private.h - what the files of store/once.h share: a call, an item as it was read, requests. */
#ifndef LATCH_STORE_ONCE_PRIVATE_H
#define LATCH_STORE_ONCE_PRIVATE_H

#include "store/hash.h"
#include "store/once.h"
#include "store/table.h"

typedef struct latch_once_call { /* what the requests of one call share */
    const latch_once *once;
    latch_place place; /* whose table is NULL: the stores' own */
    latch_str pk, sk, owner;
    latch_str marker; /* the sk of DoOnceManager's; else empty */
    char validation[LATCH_HASH_BYTES];
    uint32_t takeovers;
    int64_t until_ms;   /* the end of our in-progress time */
    int64_t keep_ms;    /* of the record */
    bool maybe_claimed; /* a try of a claim was applied, or got no answer */
    latch_spare spare;  /* the work may have filled the arena when its claim is settled */
} latch_once_call;

typedef struct latch_once_seen { /* what an item says */
    bool completed, has_data, counts_takeovers, has_done_at;
    latch_str owner, validation;
    latch_json item;
    int64_t in_progress_until_ms, expiration_s, takeovers, done_at_ms;
} latch_once_seen;

/* Whose items end by `expiration` alone: the table is another's, and so is what its ttl is called. */
static inline bool latch_once_is_shared(const latch_once_call *c) { return c->place.table != NULL; }

/* What may be claimed, and never by a repeat of the claim that holds it: nothing yet, a completion that has ended, work whose time is up. */
extern const char latch_once_free[];

/*
 * As latch_once_do, with key and payload in the caller's own latch_work: .work gets this one, and may find beside it what else it needs. For
 * what is built on do-once.
 */
LATCH_NODISCARD latch_status latch_once_do_work(latch_ctx *cx, const latch_once *once, latch_work *work, latch_once_result *out);

/* LATCH_E_INPUT, LATCH_E_MISUSE, LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_once_begin(latch_ctx *cx, const latch_once *once, latch_str key, latch_once_call *out);
LATCH_NODISCARD latch_status latch_once_validate(latch_ctx *cx, latch_once_call *c, latch_json payload);

latch_request latch_once_request(const latch_once_call *c, latch_operation operation);
LATCH_NODISCARD latch_status latch_once_send(latch_ctx *cx, const latch_once_call *c, latch_request *request, latch_json *item);
LATCH_NODISCARD latch_status latch_once_read(latch_json item, latch_once_seen *out); /* LATCH_E_DATA */
int64_t latch_once_kept_until_s(const latch_once_call *c, int64_t now_ms);

/* The response as `data` of the table, of `text`, its JSON. */
latch_value latch_once_data(const latch_once_call *c, latch_json response, latch_str text);

/* Refusals, and what was done answered as it was answered then. */
latch_status latch_once_mismatch(latch_ctx *cx, const latch_once_call *c);
latch_status latch_once_busy(latch_ctx *cx, const latch_once_call *c, const latch_once_seen *item);
LATCH_NODISCARD latch_status latch_once_replay(latch_ctx *cx, const latch_once_call *c, const latch_once_seen *item,
                                               latch_once_result *out);

/* Deletes the record as it was read, and nothing that came after it: LATCH_CONFLICT, with maybe_applied where a try got no answer. */
LATCH_NODISCARD latch_status latch_once_delete(latch_ctx *cx, const latch_once_call *c, const latch_once_seen *found);

/* ── store/once_marker.c: DoOnceManager's marker ────────────────────────────────────────────────────────────────────────── */

typedef struct latch_once_marker {
    bool there;
    latch_str data; /* as it stands */
    int64_t at_ms;  /* 0: it doesn't say */
} latch_once_marker;

LATCH_NODISCARD latch_status latch_once_marker_begin(latch_ctx *cx, latch_str key, latch_once_call *c); /* pk, sk, marker of `key` */
LATCH_NODISCARD latch_status latch_once_marker_read(latch_ctx *cx, const latch_once_call *c, latch_once_marker *out);
LATCH_NODISCARD latch_status latch_once_marker_put(latch_ctx *cx, const latch_once_call *c, int64_t at_ms); /* what is there stays */
LATCH_NODISCARD latch_status latch_once_marker_clear(latch_ctx *cx, const latch_once_call *c);              /* LATCH_CONFLICT */

#endif

/* store/lock_private.h - what the files of store/lock.h share: a hold, an item as it was read, and what differs from table to table. */
#ifndef LATCH_STORE_LOCK_PRIVATE_H
#define LATCH_STORE_LOCK_PRIVATE_H

#include "core/clock.h"
#include "store/lock.h"
#include "store/table.h"

typedef struct latch_lock_seen { /* what an item says */
    latch_str owner, version;
    int64_t until_ms, fence;
    int64_t free_at_ms; /* when it can be taken over */
    bool released;      /* or nobody's */
} latch_lock_seen;

typedef struct latch_hold_state {
    const latch_lock *lock;
    const struct latch_lock_kind *kind;
    latch_place place; /* whose table is NULL: the stores' own */
    latch_str pk, sk, owner, version;
    latch_str next;     /* the version of an extension that got no answer, in a lock client's table; else empty */
    int64_t ends_at_ms; /* there: the lease's end, which the item doesn't say */
    int64_t fence, lease_ms;
    latch_instant from; /* read before the first request of the taking or extension was sent: the lease counts from here */
    int64_t span_ms;    /* the lease's end - from */
    bool over;          /* released, or found to be another's: */
    bool lost;
    latch_spare spare; /* the handler may have filled the arena when the lock is released */
} latch_hold_state;

/* A layout. Each sends one request for `s`, and reads what it gave. */
typedef struct latch_lock_kind {
    latch_status (*take)(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, bool maybe_taken, latch_json *item);
    latch_status (*read)(latch_ctx *cx, const latch_hold_state *s, latch_json item, latch_lock_seen *out); /* LATCH_E_DATA */
    latch_status (*extend)(latch_ctx *cx, latch_hold_state *s, int64_t now_ms, int64_t end_at_ms, latch_json *item);
    latch_status (*release)(latch_ctx *cx, const latch_hold_state *s, latch_json *item);
    latch_status (*end)(latch_ctx *cx, const latch_hold_state *s, const latch_lock_holder *seen, latch_json *item); /* another's */
    const char *guard; /* a condition that holds while it is ours: of :o, :v, :n, :f */
} latch_lock_kind;
extern const latch_lock_kind latch_lock_native, latch_lock_of_client, latch_lock_of_paradoxical;

/* A request for its item, and the same sent within the policy's timeout. */
latch_request latch_lock_request(const latch_hold_state *s, latch_operation operation);
LATCH_NODISCARD latch_status latch_lock_send(latch_ctx *cx, const latch_hold_state *s, latch_request *request, latch_json *item);

LATCH_NODISCARD latch_status latch_lock_check(latch_ctx *cx, const latch_hold *hold); /* LATCH_E_MISUSE: take didn't give it */

/* The item is another's: nothing more is to be done with this hold. `doubt`: what an unanswered try of this call leaves open, or NULL. */
latch_status latch_lock_lost(latch_ctx *cx, latch_hold_state *s, const char *doubt);

#endif

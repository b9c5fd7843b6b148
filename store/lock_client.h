/*
 * store/lock_client.h - since when the versions of others' locks have stood still, in a table of a lock client. For store/lock_client.c.
 *
 * Kept in the process, across invocations: a lock is taken over by whoever saw one version for a whole lease, and an invocation is too short
 * for that. LATCH_LOCK_WATCHED of them, the least lately looked at is forgotten first: it is seen anew, which only takes longer.
 */
#ifndef LATCH_STORE_LOCK_CLIENT_H
#define LATCH_STORE_LOCK_CLIENT_H

#include "core/clock.h"
#include "store/hash.h"

#define LATCH_LOCK_WATCHED 64

typedef struct latch_lock_watch {
    struct latch_lock_watched {
        char what[LATCH_HASH_BYTES]; /* hash of table, key and version; empty: none */
        latch_instant since;
        uint64_t looked; /* when it was last looked at, by `looks` */
    } all[LATCH_LOCK_WATCHED];
    uint64_t looks;
} latch_lock_watch;

#endif

/*
 * store/sweep.h - what goes through a whole table: a store's clear, cleanup and stats.
 *
 *     latch_swept swept;
 *     LATCH_TRY(latch_cache_clear(cx, &prices, &(latch_sweep){.scope = LATCH_STR("tea/"), .segments = 4}, &swept));
 *
 * DynamoDB finds no beginnings of keys by itself: all three scan. That costs a read unit per 4 KB of the whole table, half of that where it
 * may be eventual, whatever is found, and 1 request a page of 1 MB: for a desk or a schedule, not for a handler that somebody waits for.
 *
 *   clear     deletes what it finds, whatever it is, in batches of 25: 1 write unit per KB of item begun. It reads strongly: what was stored
 *             before it began goes; what is stored meanwhile goes or stays. A batch without an answer is sent again, and may then delete
 *             what another stored in between
 *   cleanup   deletes what had expired max_clock_skew_ms ago, each item by a request of its own on condition that its time to live is still
 *             the one that was read: what is renewed meanwhile stays. DynamoDB does the same by itself, at no cost, within days
 *   stats     counts, and reads whole items for that; eventual
 *
 * What has expired counts as such by the stores' clock; what says that it never does (a ttl of 0 or none) never does.
 *
 * LATCH_OK         done
 * LATCH_E_MISUSE   neither a scope nor `all`, or both, or more segments than LATCH_SWEEP_SEGMENTS_MAX: nothing was sent; or no such table
 * LATCH_E_INPUT    a scope that could begin no key: nothing was sent
 * LATCH_E_TIMEOUT  the deadline came
 * LATCH_E_*        what a request failed with
 * With each but LATCH_OK, *out says how far it came. Repeating: begins again, and finds what is left.
 *
 * Source: Scan, BatchWriteItem and DeleteItem of the DynamoDB API reference.
 */
#ifndef LATCH_STORE_SWEEP_H
#define LATCH_STORE_SWEEP_H

#include "core/words.h"

LATCH_BEGIN_C

#define LATCH_SWEEP_SEGMENTS_MAX 64

typedef struct latch_swept {
    uint64_t scanned;  /* items of the table that were looked at */
    uint64_t items;    /* of them, those of the store and the scope */
    uint64_t expired;  /* of these; of clear 0: it doesn't look */
    uint64_t bytes;    /* of these, as DynamoDB counts an item: names and values; of stats alone */
    uint64_t removed;  /* of clear and cleanup: deleted for certain */
    uint64_t requests; /* sent or tried */
} latch_swept;

/* After each page, on the caller's thread: what is done until then, in all segments. */
typedef void latch_sweep_progress_fn(void *arg, const latch_swept *until_now);

typedef struct latch_sweep {
    latch_str scope;                   /* keys that begin with this, in the store's name; UTF-8 without control bytes; empty: see all */
    bool all;                          /* all keys of the store's name; in a table that others laid out, all of the store's */
    int segments;                      /* parts of the table that are gone through at once, each over a connection of its own; 0: 1 */
    latch_sweep_progress_fn *progress; /* NULL: none */
    void *arg;
} latch_sweep;

LATCH_END_C

#endif

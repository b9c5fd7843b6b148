/*
 * store/embedded/engine.h - DynamoDB in memory: a transport (store/transport.h) that answers from this process.
 *
 * Operations: GetItem, PutItem, UpdateItem, DeleteItem, Query, Scan, BatchGetItem, BatchWriteItem, TransactGetItems, TransactWriteItems,
 * CreateTable, DescribeTable, UpdateTable (but for its indexes), DeleteTable, ListTables, UpdateTimeToLive, DescribeTimeToLive,
 * DescribeLimits. Any other is an UnknownOperationException.
 * Requests, answers, errors and their texts are DynamoDB's; what it doesn't do, and where it differs, is listed in docs/embedded.md.
 *
 * Thread-safe. Not durable: it ends with the process, and every process has its own.
 *
 * A table is a hash of trees ordered by the sort key; an index is the same over its own keys. Reading or writing an item
 * costs at most log n. An item whose TTL attribute is past is removed, as DynamoDB removes it, but at once.
 *
 * Bound: what is stored, indexes and overhead included, stays under max_bytes; a write that would exceed it is refused with
 * LimitExceededException and changes nothing.
 */
#ifndef LATCH_STORE_EMBEDDED_ENGINE_H
#define LATCH_STORE_EMBEDDED_ENGINE_H

#include "core/clock.h"
#include "store/transport.h"

typedef struct latch_embedded latch_embedded;

typedef struct latch_embedded_options {
    size_t max_bytes;         /* 0: 256 MiB */
    const latch_clock *clock; /* of TTL, CreationDateTime and lag; borrowed; NULL: the system's */
    int64_t lag_ms;           /* a test's: eventual reads, and all of a global index, show the state of so long ago; 0: they don't lag */
    uint64_t seed;            /* of the hash, and so of Scan's order; 0: from the system's random source */
} latch_embedded_options;

/* LATCH_E_NOMEM; LATCH_E_MISUSE for a negative lag. `options` NULL: the defaults. */
LATCH_NODISCARD latch_status latch_embedded_init(latch_embedded **out, const latch_embedded_options *options, latch_err *err);
void latch_embedded_clean_up(latch_embedded *engine); /* NULL: nothing */

/* Any number of threads may use it, each with its own arena. Deadlines are not looked at: it never waits. */
latch_transport latch_embedded_transport(latch_embedded *engine);

typedef struct latch_embedded_stats {
    size_t bytes, max_bytes; /* as the bound counts them */
    uint64_t items, tables, requests;
} latch_embedded_stats;
latch_embedded_stats latch_embedded_measure(latch_embedded *engine);

#endif

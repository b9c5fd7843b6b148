/*
 * store/parallel.h - a function of yours for each of many items, several at a time, each over a connection of its own.
 *
 *     static latch_status ship(latch_ctx *cx, void *arg, size_t index, latch_json *result) {
 *         const latch_str *orders = arg;
 *         return latch_once_do(cx, &shipping, orders[index], LATCH_NULL, …);
 *     }
 *     latch_parallel_result all;
 *     LATCH_TRY(latch_parallel_run(cx, &(latch_parallel){.run = ship, .arg = orders, .count = n, .connections = 8}, &all));
 *
 * For bulk work only: everything else a process asks DynamoDB for goes over its one connection. The connections beyond it are opened for
 * this call and closed when it returns; with DynamoDB that is a TLS handshake each.
 */
#ifndef LATCH_STORE_PARALLEL_H
#define LATCH_STORE_PARALLEL_H

#include "core/json.h"

LATCH_BEGIN_C

#define LATCH_PARALLEL_ARENA_BYTES ((size_t)64 << 20)

/*
 * One item. `cx` is this item's: its arena is given back when the function returns; deadline, clock, log and request id are the caller's;
 * there is no scope, so a lock or a dedupe job can't be taken with it (LATCH_E_MISUSE), and no latch_fetch.
 *
 * With connections over 1 it runs on several threads at once. What `arg` points to is then shared: read plain C data and text there, and
 * write only what belongs to this index. A latch_json of the caller's must not be touched: even reading one uses its arena; hand over its
 * text (latch_text), made before.
 *
 * *result is null when it is called; what is set there comes back in the caller's memory.
 */
typedef latch_status latch_parallel_fn(latch_ctx *cx, void *arg, size_t index, latch_json *result);

/* Called on the caller's thread, now and then; it may use the caller's cx. Items that end meanwhile wait for it. */
typedef void latch_parallel_progress_fn(void *arg, size_t done, size_t total, size_t running);

typedef struct latch_parallel {
    latch_parallel_fn *run; /* required */
    void *arg;
    size_t count;    /* of items */
    int connections; /* items at a time; 0: 1, on the caller's thread; cut at DYNAMODB_MAX_SOCKETS, and to what can be had */
    bool collect;    /* true: goes on after a failure; false: the first one stops it, and what runs then is waited for */
    latch_parallel_progress_fn *progress; /* NULL: none */
    size_t arena_bytes;                   /* for one item; 0: LATCH_PARALLEL_ARENA_BYTES. Only what is touched takes memory; where so
                                             many addresses aren't to be had, less, down to 4 MiB: then an item may be LATCH_E_NOMEM */
} latch_parallel;

typedef struct latch_parallel_item {
    bool ran; /* false: it was never begun */
    latch_status status;
    bool maybe_applied; /* of its error */
    latch_str why;      /* its error's message, where it isn't LATCH_OK; empty where the arena was full */
    latch_json result;  /* null where it has none */
} latch_parallel_item;

typedef struct latch_parallel_result {
    const latch_parallel_item *items; /* in the order of the items; live as long as cx */
    size_t ran, failed;
    size_t first_failed; /* the lowest index that failed; `count` where none did */
    size_t connections;  /* that were used */
} latch_parallel_result;

/*
 * LATCH_OK        every item's function returned it
 * LATCH_E_MISUSE  no function, a negative number, no table open: nothing ran
 * LATCH_E_NOMEM   no memory for the threads, the items or their results
 * LATCH_E_TIMEOUT the deadline came: the rest was not begun
 * others          what the failed item of the lowest index returned, with its error; later ones may have run, see out->items
 * Each item is begun at most once, and none after the deadline; a call under way is waited for. Requests: what the function makes.
 * *out is zero where nothing ran. In the caller's arena: 64 bytes an item and the results.
 */
LATCH_NODISCARD latch_status latch_parallel_run(latch_ctx *cx, const latch_parallel *parallel, latch_parallel_result *out) LATCH_NONNULL;

LATCH_END_C

#endif

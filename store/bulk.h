/*
 * store/bulk.h - any number of items written or read by batches: split as DynamoDB wants it, sent again where it took only a part, and
 * told one by one what became of each.
 *
 *     static latch_status next_order(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
 *         import *in = arg;
 *         if (in->at == in->count) out->end = true;
 *         else out->put = latch_object(cx, "pk", in->orders[in->at].id, "sk", "ORDER", "total", in->orders[in->at].total), in->at++;
 *         return LATCH_OK;
 *     }
 *     latch_dynamodb_written all;
 *     LATCH_TRY(latch_dynamodb_batch_write(cx, &(latch_dynamodb_batch_write_request){.next = next_order, .arg = &in}, &all));
 *
 * Items and keys are plain JSON (store/marshal.h says which becomes what). All callbacks run on the caller's thread. Memory doesn't grow
 * with the number of items: one batch is built while another is under way.
 *
 * Source: BatchWriteItem and BatchGetItem of the DynamoDB API reference.
 */
#ifndef LATCH_STORE_BULK_H
#define LATCH_STORE_BULK_H

#include "core/json.h"

LATCH_BEGIN_C

#define LATCH_DYNAMODB_WRITES_MAX 25  /* of one BatchWriteItem */
#define LATCH_DYNAMODB_READS_MAX 100  /* of one BatchGetItem */
#define LATCH_DYNAMODB_TABLES_MAX 16  /* that one call here may name */
#define LATCH_DYNAMODB_RESENDS_MAX 10 /* of a batch of which nothing is taken, with pauses from 50 ms, doubled up to 5 s: 25 s in all */

/*
 * The key attributes of a table. Those of LATCH_TABLE's are known; another table that isn't given here is asked for its own
 * (DescribeTable: 1 request more a table and call, and that right).
 */
typedef struct latch_dynamodb_keys {
    const char *table;
    const char *pk, *sk; /* sk NULL: it has none */
} latch_dynamodb_keys;

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_dynamodb_write { /* one of: put, delete_key, end */
    const char *table;                /* NULL: the request's */
    latch_json put;                   /* an item, over whatever has its key; null: not a put */
    latch_json delete_key;            /* an item's key; null: not a delete. What isn't there is deleted too */
    bool end;                         /* of `next`: there are no more */
} latch_dynamodb_write;

/*
 * The next write into *out, which is zero. `cx` has memory of its own: what is built with it is given back once the write was taken over,
 * so keep state elsewhere; requests may be made with it, and with the caller's cx. A status other than LATCH_OK ends the whole call with it.
 */
typedef latch_status latch_dynamodb_next_write_fn(latch_ctx *cx, void *arg, latch_dynamodb_write *out);

typedef enum latch_dynamodb_outcome {
    LATCH_DYNAMODB_LEFT,       /* not written: it was never sent, or DynamoDB said that it didn't take it */
    LATCH_DYNAMODB_WRITTEN,    /* applied */
    LATCH_DYNAMODB_SUPERSEDED, /* not sent: a later write of the same batch has its key, and that one's outcome is what counts */
    LATCH_DYNAMODB_UNSURE      /* sent, and there was no answer: it may have been applied, or may still be */
} latch_dynamodb_outcome;

/* Once for each write that was taken over, in no order. `index` counts from 0 in the order they were given in. */
typedef void latch_dynamodb_outcome_fn(void *arg, uint64_t index, latch_dynamodb_outcome outcome);

typedef struct latch_dynamodb_progress {
    uint64_t done;      /* whose outcome is known */
    uint64_t total;     /* 0: not known */
    uint64_t in_flight; /* in batches that are queued or under way */
} latch_dynamodb_progress;
typedef void latch_dynamodb_progress_fn(void *arg, const latch_dynamodb_progress *progress); /* after each batch */

typedef struct latch_dynamodb_batch_write_request {
    const latch_dynamodb_write *writes; /* `count` of them, in any number; or: */
    latch_dynamodb_next_write_fn *next; /* one after another */
    void *arg;                          /* of all callbacks */
    uint64_t count;                     /* with `next`: how many there will be, for progress; 0: not known */
    const char *table;                  /* of the writes that name none; NULL: LATCH_TABLE's */
    const latch_dynamodb_keys *keys;    /* `keys_count` of them; at most LATCH_DYNAMODB_TABLES_MAX */
    size_t keys_count;

    /*
     * 0 or 1: batches go one after another, over the connection that is open. More: as many connections are opened beside that one for this
     * call (at most DYNAMODB_MAX_SOCKETS in all), each with a thread. A key always goes over the same one, so its writes stay in order.
     */
    int connections;

    /*
     * Batches that got no answer are sent again: puts and deletes have the same result twice, unless somebody else writes the same keys,
     * whose write the repeat may undo. A try that was lost may even arrive last, after a later write of its key in this call. true: they
     * aren't, and end the call with their writes LATCH_DYNAMODB_UNSURE.
     */
    bool once;
    bool counts_repeats; /* out->repeated counts over the whole call and not only within a batch, for 16 bytes of memory a key */

    int64_t timeout_ms; /* of the whole call; 0: until the deadline */
    latch_dynamodb_outcome_fn *outcome;
    latch_dynamodb_progress_fn *progress;
} latch_dynamodb_batch_write_request;

typedef struct latch_dynamodb_written {
    uint64_t given;      /* writes that were taken over; the sum of the next three */
    uint64_t written;    /* applied */
    uint64_t superseded; /* a key twice in one batch: the last wins */
    uint64_t left;       /* not known to be applied */
    uint64_t unsure;     /* of `left`, those that may have been */
    uint64_t repeated;   /* writes whose key had come before, in the same batch (or, with counts_repeats, in this call): the last wins */
    uint64_t requests;   /* sent or tried */
    uint64_t resent;     /* writes that DynamoDB gave back unprocessed, each time */
    size_t connections;  /* that were used */
} latch_dynamodb_written;

/*
 * Writes all of them. The last write of a key is what the table has in the end: within a batch the earlier ones aren't sent, and batches
 * with the same key follow each other. There is no condition and no transaction: a batch may be applied in part.
 *
 * A batch has at most 25 writes and 4 MB of text (DynamoDB would take 16; its items and their answer must fit into memory too). What it
 * gives back is sent again after a pause, 50 ms doubled up to 5 s, random from half of it, until it is taken, the time is up, or
 * LATCH_DYNAMODB_RESENDS_MAX times in a row nothing was.
 *
 * LATCH_OK           all are written or superseded
 * LATCH_E_INPUT      a key that is empty or too long (2 048 bytes, its sort key 1 024), named by the write's index
 * LATCH_E_MISUSE     a write that DynamoDB would refuse, named by its index: no key, an item over 400 KB, a number of over 38 digits
 *                    (store/marshal.h has the list); a table that isn't there; or DynamoDB refused a batch
 * LATCH_E_THROTTLED  nothing more is taken
 * LATCH_E_TIMEOUT    the time is up
 * LATCH_E_NETWORK, LATCH_E_DENIED, LATCH_E_DATA, LATCH_E_NOMEM, or what `next` returned
 * With each but LATCH_OK nothing more is sent once it is known; *out and the outcomes say what is left, err.maybe_applied whether any is
 * unsure. *out is always written.
 *
 * Requests: 1 per 25 writes (1 more a connection, for what is left over at the end), and 1 for each time that some are given back. Write units: 1 per KB of item begun, put or deleted.
 * Repeating the call: as .once says of batches.
 */
LATCH_NODISCARD latch_status latch_dynamodb_batch_write(latch_ctx *cx, const latch_dynamodb_batch_write_request *request,
                                                        latch_dynamodb_written *out) LATCH_NONNULL;

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_dynamodb_read { /* a key, or the end */
    const char *table;               /* NULL: the request's */
    latch_json key;
    bool end; /* of `next`: there are no more */
} latch_dynamodb_read;

typedef latch_status latch_dynamodb_next_read_fn(latch_ctx *cx, void *arg, latch_dynamodb_read *out); /* as next_write_fn */

/*
 * The item of the read at `index`, in the order of the reads, found or not; null where it isn't. It lives until this returns; `cx` is its
 * own. A status other than LATCH_OK ends the whole call with it.
 */
typedef latch_status latch_dynamodb_item_fn(latch_ctx *cx, void *arg, uint64_t index, bool found, latch_json item);

typedef struct latch_dynamodb_batch_get_request {
    const latch_dynamodb_read *reads; /* `count` of them, in any number; or: */
    latch_dynamodb_next_read_fn *next;
    latch_dynamodb_item_fn *item; /* NULL: they are collected, in out->items */
    void *arg;                    /* of all callbacks */
    uint64_t count;               /* with `next`: how many there will be, for progress; 0: not known */
    const char *table;            /* of the reads that name none; NULL: LATCH_TABLE's */
    const latch_dynamodb_keys *keys;
    size_t keys_count;

    /*
     * What of the items: "#title, address.city". A name that DynamoDB reserves, or has other letters than a-z, A-Z, 0-9 and _, is written
     * "#name": "#name" stands for the attribute `name`, or for what `names` says ("#t", "title"). The key's attributes always come too.
     */
    const char *projection;
    const latch_pair *names; /* LATCH_VALUES("#t", "title"); NULL: none */

    bool eventual;      /* half the price, and what was written just now may be missing; false: strongly consistent */
    int connections;    /* as for writes */
    int64_t timeout_ms; /* of the whole call; 0: until the deadline */
    latch_dynamodb_progress_fn *progress;
} latch_dynamodb_batch_get_request;

typedef struct latch_dynamodb_item {
    bool found;
    latch_json item; /* null where it wasn't found */
} latch_dynamodb_item;

typedef struct latch_dynamodb_gotten {
    const latch_dynamodb_item *items; /* `read` of them, where they were collected; live as long as cx; else NULL */
    uint64_t read;                    /* answered, from the first on without a gap: found or missing */
    uint64_t found, missing;
    uint64_t left;     /* taken over, and not answered */
    uint64_t requests; /* sent or tried */
    uint64_t resent;   /* keys that DynamoDB gave back unprocessed, each time */
    size_t connections;
} latch_dynamodb_gotten;

/*
 * Reads all of them. A key twice in a batch is asked for once and answered at each place.
 *
 * A batch has at most 100 keys, and goes in halves where its items don't fit into memory; what DynamoDB gives back is asked for again as
 * writes are sent again.
 *
 * Statuses as of latch_dynamodb_batch_write, of which LATCH_E_MISUSE is also a bad projection; out->read says how far it came.
 * Requests: 1 per 100 keys, and 1 for each time that some are given back. Read units: 1 per 4 KB of each item begun, half of it .eventual.
 */
LATCH_NODISCARD latch_status latch_dynamodb_batch_get(latch_ctx *cx, const latch_dynamodb_batch_get_request *request,
                                                      latch_dynamodb_gotten *out) LATCH_NONNULL;

LATCH_END_C

#endif

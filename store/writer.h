/*
 * store/writer.h - a batch writer: writes that come one by one go out by batches.
 *
 *     latch_dynamodb_writer *writer;
 *     latch_dynamodb_written all;
 *     LATCH_TRY(latch_dynamodb_writer_open(cx, &(latch_dynamodb_writer_options){.table = "orders"}, &writer));
 *     while (…) LATCH_TRY(latch_dynamodb_writer_put(cx, writer, latch_object(cx, "id", id, "total", total)));
 *     return latch_dynamodb_writer_close(cx, writer, &all);
 *
 * What is added is copied, and held until the writer is full or flushed. Where all writes are at hand, latch_dynamodb_batch_write
 * (store/bulk.h) does it in one call; rules, statuses and costs of a flush are the same as of that.
 */
#ifndef LATCH_STORE_WRITER_H
#define LATCH_STORE_WRITER_H

#include "store/bulk.h"

LATCH_BEGIN_C

#define LATCH_DYNAMODB_WRITER_MAX 1000 /* writes held */

typedef struct latch_dynamodb_writer latch_dynamodb_writer;

/*
 * Where flushed writes go instead of DynamoDB: a queue, a file, two tables. All of them, or a status other than LATCH_OK: then all stay
 * held, and the next flush gives them again. They live until it returns.
 */
typedef latch_status latch_dynamodb_sink_fn(latch_ctx *cx, void *arg, const latch_dynamodb_write *writes, size_t count);

typedef struct latch_dynamodb_writer_options {
    const char *table;               /* of writes that name none; NULL: LATCH_TABLE's; borrowed, as all names are, until it is closed */
    const latch_dynamodb_keys *keys; /* as for a batch write; borrowed until it is closed */
    size_t keys_count;
    size_t capacity;              /* writes held; 0: 25, one batch; at most LATCH_DYNAMODB_WRITER_MAX. It is full with 2 MB of text, too */
    int connections;              /* of a flush of more than one batch; as for a batch write */
    bool once;                    /* as for a batch write */
    int64_t timeout_ms;           /* of one flush; 0: until the deadline */
    latch_dynamodb_sink_fn *sink; /* NULL: DynamoDB */
    void *arg;                    /* of sink */
} latch_dynamodb_writer_options;

/*
 * Open until it is closed, or the handler or record ends: then what is held is not written, and the log says so.
 * LATCH_E_MISUSE: bad options, no table open, no handler that it could end with. LATCH_E_NOMEM. Requests: 0.
 */
LATCH_NODISCARD latch_status latch_dynamodb_writer_open(latch_ctx *cx, const latch_dynamodb_writer_options *options,
                                                        latch_dynamodb_writer **out) LATCH_NONNULL;

/*
 * Takes a write over. A full writer is flushed first: where that fails, its status is returned, and this write was not taken. `cx` is any
 * of the same invocation. LATCH_E_MISUSE, LATCH_E_INPUT: what DynamoDB would refuse (store/bulk.h), so that no batch fails for it later;
 * with a sink only what is no JSON. LATCH_E_NOMEM. Requests: 0, those of a flush, 1 to learn the key of a table.
 */
LATCH_NODISCARD latch_status latch_dynamodb_writer_add(latch_ctx *cx, latch_dynamodb_writer *writer,
                                                       const latch_dynamodb_write *write) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_dynamodb_writer_put(latch_ctx *cx, latch_dynamodb_writer *writer, latch_json item)
    __attribute__((nonnull(1, 2)));
LATCH_NODISCARD latch_status latch_dynamodb_writer_delete(latch_ctx *cx, latch_dynamodb_writer *writer, latch_json key)
    __attribute__((nonnull(1, 2)));

/* Writes what is held. What is not known to be written stays held for the next flush. Repeating: see .once. */
LATCH_NODISCARD latch_status latch_dynamodb_writer_flush(latch_ctx *cx, latch_dynamodb_writer *writer) LATCH_NONNULL;

void latch_dynamodb_writer_discard(latch_dynamodb_writer *writer) LATCH_NONNULL; /* what is held is forgotten; it counts as left */
size_t latch_dynamodb_writer_held(const latch_dynamodb_writer *writer) LATCH_NONNULL;

/*
 * Flushes, and ends the writer whatever comes of it: it is gone. *out sums up all of its flushes: `given` is what was taken over, `left`
 * what was discarded or is not known to be written now.
 */
LATCH_NODISCARD latch_status latch_dynamodb_writer_close(latch_ctx *cx, latch_dynamodb_writer *writer,
                                                         latch_dynamodb_written *out) LATCH_NONNULL;

LATCH_END_C

#endif

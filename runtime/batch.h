/*
 * runtime/batch.h - what becomes of a batch as a whole: records that come too often, order within a group, what is counted, when all fail.
 * runtime/record.h says what becomes of each record.
 *
 *     static const latch_batch careful = {.receives_max = 5, .poisoned = park_it, .ended = count_them};
 *     static const latch_handler handlers[] = {{.name = "orders", .record = on_order, .batch = &careful}};
 *
 * Typed records. One function reads a record into a struct of yours, another acts on it; the compiler checks that they mean the same struct:
 *
 *     typedef struct order {
 *         latch_str id, address;
 *         int64_t qty;
 *     } order;
 *     static latch_status read_order(latch_record *record, order *out) {
 *         return latch_record_read(record, "order_id", &out->id, "address", &out->address, "qty", latch_range(&out->qty, 1, 100));
 *     }
 *     static latch_status ship(latch_ctx *cx, latch_record *record, const order *o) { … }
 *     static LATCH_RECORD_OF(on_order, order, read_order, ship);
 *
 * on_order is the function for the entry's .record. A record that can't be read fails alone, and names the field: "event.Records[3].body.qty: is
 * 0, want a whole number from 1 to 100". What was read lives as long as the record.
 *
 * Compared with the batch utility of AWS Lambda Powertools (Python): partial responses, FIFO and typed records are here; its
 * skip_group_on_error is what a FIFO queue always has here (Powertools' default, to stop the whole batch, isn't offered: other groups lose
 * nothing by going on); raise_on_entire_batch_failure is .all_failed_is_error, off unless asked for, as the list says it all. It has nothing
 * against records that come for ever. Records run one after another: there is no async processor.
 */
#ifndef LATCH_RUNTIME_BATCH_H
#define LATCH_RUNTIME_BATCH_H

#include "runtime/record.h"

LATCH_BEGIN_C

typedef struct latch_batch_counts { /* of records; they add up to `all` */
    size_t all;
    size_t done;     /* taken off, those included that were skipped or seen before */
    size_t failed;   /* of those that ran */
    size_t poisoned; /* that came too often, and failed for it or were taken off by .poisoned */
    size_t not_run;  /* behind a failure in their order, or there was no time left: they come again */
} latch_batch_counts;

typedef struct latch_batch {
    /*
     * SQS: a message that is received more often than this isn't run any more. It may be the one that crashes the function, which no handler
     * sees. 0: they all run. Its queue's maxReceiveCount is higher, else the message is gone before.
     */
    int64_t receives_max;
    /*
     * What gets it then instead of the handler and its hooks: its status decides as theirs does, LATCH_OK takes it off. NULL: it fails, is
     * logged as Poisoned, and goes where the queue's redrive policy says.
     */
    latch_record_fn *poisoned;
    /*
     * Order within a group is all that is wanted, whatever the source. Kinesis: a failure ends its partition key alone, the others go on, and
     * the first failure is reported as ever; so what succeeded behind it comes again, and has to be harmless then (store/dedupe.h drops it). A
     * standard queue: behind a failure the rest of its message group (fair queues) is reported without being run. FIFO queues do that always,
     * and DynamoDB Streams have no groups.
     */
    bool by_group;
    /*
     * When no record at all was done, the invocation fails with AllRecordsFailed, naming the last record's error: Lambda's own Errors metric
     * sees it. What comes again is the same. false: the list says it.
     */
    bool all_failed_is_error;
    /* Once for each batch, after its last record: for a log line or a metric. cx is the batch's. NULL: nothing. */
    void (*ended)(latch_ctx *cx, const latch_batch_counts *counts);
} latch_batch;

#ifdef __cplusplus
#define LATCH_ENDS_(type) static_assert(sizeof(type) > 0, "")
#else
#define LATCH_ENDS_(type) _Static_assert(sizeof(type) > 0, "")
#endif

/* `static LATCH_RECORD_OF(name, type, read, run);`: a latch_record_fn of the two functions. */
#define LATCH_RECORD_OF(name, type, read, run)                                                                                             \
    latch_status name(latch_ctx *cx, latch_record *record) {                                                                               \
        type latch_value_ = {0};                                                                                                           \
        latch_status (*latch_read_it_)(latch_record *, type *) = (read);                                                                   \
        latch_status (*latch_run_it_)(latch_ctx *, latch_record *, const type *) = (run);                                                  \
        LATCH_TRY(latch_read_it_(record, &latch_value_));                                                                                  \
        return latch_run_it_(cx, record, &latch_value_);                                                                                   \
    }                                                                                                                                      \
    LATCH_ENDS_(type) /* wants the semicolon */

LATCH_END_C

#endif

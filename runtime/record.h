/*
 * runtime/record.h - one record of a batch: SQS, Kinesis, DynamoDB Streams.
 *
 * The handler runs once per record, in their order, each with a cx of its own: its error, its locks and its memory end with the record.
 * LATCH_OK takes the record off; so do LATCH_SEEN, LATCH_UNDONE and the entry's .skip_if. Anything else reports it in batchItemFailures
 * and is logged with the same id, as "recordId"; the other records go on. That needs FunctionResponseTypes: [ReportBatchItemFailures] in the
 * event source mapping: without it Lambda doesn't look at the list, and a failed record counts as done.
 *
 * Order, and what AWS does with the list:
 *   SQS standard  failed messages become visible again after the visibility timeout; the others are deleted.
 *   SQS FIFO      (eventSourceARN ends with .fifo) after a failure the rest of that message group is reported too without being run, so that
 *                 the group's order holds; other groups go on.
 *   Kinesis, DynamoDB Streams
 *                 Lambda takes the lowest sequence number in the list as a checkpoint and delivers from it on, again and again until the
 *                 record succeeds, expires or meets the mapping's limits. So the first failed record is reported and the rest isn't run:
 *                 it would run twice.
 * Source: AWS Lambda Developer Guide, "Reporting batch item failures" of each event source.
 *
 * A record whose body or data can't be read (missing, no base64) fails by itself. A batch with a record that has no id to report it by
 * fails as a whole before any of its records runs, and names the field: "event.Records[3].messageId: is missing, want text".
 */
#ifndef LATCH_RUNTIME_RECORD_H
#define LATCH_RUNTIME_RECORD_H

#include "core/json.h"
#include "runtime/handler.h"

LATCH_BEGIN_C

typedef enum latch_record_source { LATCH_SQS, LATCH_KINESIS, LATCH_DYNAMODB_STREAM } latch_record_source;

latch_record_source latch_record_from(const latch_record *record) LATCH_NONNULL;

/* Text lives as long as cx; what is absent is empty. */
latch_str latch_record_id(const latch_record *record) LATCH_NONNULL;    /* messageId; sequence number; event id */
latch_str latch_record_group(const latch_record *record) LATCH_NONNULL; /* message group; partition key; else empty */
latch_str latch_record_bytes(const latch_record *record) LATCH_NONNULL; /* body; data with base64 undone; the dynamodb object's text */

/*
 * The same as JSON, errors beginning with its place: "event.Records[3].body.qty: …" (kinesis.data, dynamodb).
 * LATCH_E_INPUT: it is no JSON; LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_record_json(latch_record *record, latch_json *out) LATCH_NONNULL;

/*
 * Both in one: LATCH_TRY(latch_record_read(record, "order_id", &order->id, "qty", latch_range(&order->qty, 1, 100))); as latch_read
 * (core/json.h). A DynamoDB stream's has names as "NewImage.sku.S" then; compose/record_image.h reads them as plain JSON.
 */
#define latch_record_read(record, ...) latch_record_read_((record), LATCH_FIELDS_(record, __VA_ARGS__))
LATCH_NODISCARD latch_status latch_record_read_(latch_record *record, const latch_field *fields) LATCH_NONNULL;

latch_json latch_record_whole(const latch_record *record) LATCH_NONNULL; /* as it came; errors begin with "event.Records[3]" */

/* ── SQS ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_record_attribute(const latch_record *record, const char *name) LATCH_NONNULL;         /* "SentTimestamp"; the queue's */
latch_str latch_record_message_attribute(const latch_record *record, const char *name) LATCH_NONNULL; /* the sender's, its stringValue */
int64_t latch_record_receives(const latch_record *record) LATCH_NONNULL; /* ApproximateReceiveCount: 1 the first time; 0: not known */

/* ── DynamoDB Streams: items in DynamoDB's own JSON, {"sku": {"S": "tea"}}; null where the stream's view doesn't carry them ───────── */

latch_str latch_record_event_name(const latch_record *record) LATCH_NONNULL; /* "INSERT", "MODIFY", "REMOVE" */
latch_json latch_record_keys(const latch_record *record) LATCH_NONNULL;
latch_json latch_record_new_image(const latch_record *record) LATCH_NONNULL;
latch_json latch_record_old_image(const latch_record *record) LATCH_NONNULL;

LATCH_END_C

#endif

/*
 * runtime/event.h - any event and its reply: bytes in, bytes out; and typed readers for EventBridge, SNS and S3.
 *
 * Nothing is parsed unless it is asked for. Text lives as long as cx.
 */
#ifndef LATCH_RUNTIME_EVENT_H
#define LATCH_RUNTIME_EVENT_H

#include "core/json.h"
#include "runtime/handler.h"

LATCH_BEGIN_C

latch_str latch_event_bytes(const latch_event *event) LATCH_NONNULL;

/* LATCH_E_INPUT: it is no JSON; LATCH_E_NOMEM. Parsed once, whoever asks. */
LATCH_NODISCARD latch_status latch_event_json(latch_event *event, latch_json *out) LATCH_NONNULL;

/*
 * The last reply counts; without one it is null. Bytes are sent as they are and from where they are, so they live as long as cx (or are
 * constant); in a synchronous invocation the service wants JSON.
 * LATCH_E_MISUSE, LATCH_E_NOMEM: `v` could not be built.
 */
LATCH_NODISCARD latch_status latch_event_reply(latch_event *event, latch_json v) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_event_reply_bytes(latch_event *event, latch_str bytes) LATCH_NONNULL;

/* What is replied so far, for hooks around a handler. False: nothing is, and *out is "null", which goes out then. */
bool latch_event_replied(const latch_event *event, latch_str *out) LATCH_NONNULL;

/*
 * ── typed readers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
 *
 * LATCH_E_INPUT: the event isn't one, the field is named ("event.Records[0].Sns.Message: is missing, want text"); LATCH_E_NOMEM.
 * *out is zero then.
 */
typedef struct latch_eventbridge {
    latch_str id, source, detail_type, account, region;
    latch_str time; /* "2026-01-01T03:00:00Z" */
    latch_json resources, detail;
} latch_eventbridge;
LATCH_NODISCARD latch_status latch_event_eventbridge(latch_event *event, latch_eventbridge *out) LATCH_NONNULL;

/* How many records an SNS or S3 event has. Both bring one at a time today, and promise nothing. LATCH_E_INPUT: no "Records" list. */
LATCH_NODISCARD latch_status latch_event_record_count(latch_event *event, size_t *out) LATCH_NONNULL;

typedef struct latch_sns {
    latch_str message_id, topic_arn, message;
    latch_str subject;     /* empty where there is none */
    latch_str timestamp;   /* "2026-01-01T03:00:00.000Z" */
    latch_json attributes; /* MessageAttributes: {"name": {"Type", "Value"}}; null where there are none */
} latch_sns;
LATCH_NODISCARD latch_status latch_event_sns(latch_event *event, size_t i, latch_sns *out) LATCH_NONNULL;

typedef struct latch_s3 {
    latch_str event_name, event_time, region, bucket;
    latch_str key;                         /* URL decoding undone: what GetObject wants */
    int64_t size_bytes;                    /* 0 where it isn't said (a removal) */
    latch_str etag, version_id, sequencer; /* empty where they aren't said */
} latch_s3;
LATCH_NODISCARD latch_status latch_event_s3(latch_event *event, size_t i, latch_s3 *out) LATCH_NONNULL;

LATCH_END_C

#endif

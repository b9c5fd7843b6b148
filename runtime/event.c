#include "runtime/event.h"

#include "core/coding.h"
#include "core/scope.h"
#include "runtime/around_private.h"
#include "runtime/outcome.h"
#include "runtime/stream_private.h"

#define TYPE_MAX_BYTES 1024

struct latch_event {
    latch_ctx *cx;
    latch_str bytes, reply;
    latch_json json; /* as soon as somebody asked for it */
    bool replied;
    latch_stream *stream; /* instead of a reply; NULL: none */
};

latch_str latch_event_bytes(const latch_event *event) { return event->bytes; }

latch_status latch_event_json(latch_event *event, latch_json *out) {
    if (event->json.node == NULL) LATCH_TRY(latch_parse(event->cx, "event", event->bytes, &event->json));
    *out = event->json;
    return LATCH_OK;
}

latch_status latch_event_reply_bytes(latch_event *event, latch_str bytes) {
    if (event->stream != NULL) return latch_err_set(&event->cx->err, LATCH_E_MISUSE, "the answer is being streamed: no reply fits it");
    event->reply = bytes;
    event->replied = true;
    return LATCH_OK;
}

/* What could not be built is no reply, and leaves the one before it. */
latch_status latch_event_reply(latch_event *event, latch_json v) {
    latch_str text;
    LATCH_TRY(latch_json_text(event->cx, v, &text));
    return latch_event_reply_bytes(event, text);
}

bool latch_event_replied(const latch_event *event, latch_str *out) {
    *out = event->reply;
    return event->replied;
}

latch_status latch_event_stream(latch_event *event, const char *content_type, latch_stream **out) {
    latch_ctx *cx = event->cx;
    latch_str type = latch_str_of(content_type);
    *out = NULL;
    if (event->replied && event->stream == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "there is a reply already: no stream fits it");
    if (type.len > TYPE_MAX_BYTES || latch_str_has_control(type))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the stream's content type has a control byte in it, or over %d bytes",
                             TYPE_MAX_BYTES);
    bool collects = cx->stream != NULL && cx->stream->mode == LATCH_STREAM_NEVER;
    LATCH_TRY(latch_stream_begin(cx, collects, content_type, out));
    event->stream = *out;
    event->replied = true;
    return LATCH_OK;
}

static latch_status settle(latch_event *event, const latch_handler *handler, latch_status status) {
    bool streamed = event->stream != NULL;
    status = latch_stream_settle(&event->stream, status);
    if (event->stream != NULL && latch_outcome_is_skipped(handler, status)) status = latch_stream_settle(&event->stream, LATCH_OK);
    if (streamed && event->stream == NULL) event->reply = LATCH_STR("null");
    if (event->stream == NULL) return latch_outcome_is_skipped(handler, status) ? latch_outcome_skipped(event->cx, &event->reply) : status;
    event->reply = LATCH_STR("");
    return status;
}

static latch_status collect(latch_call *call, latch_status status) {
    latch_event *event = call->event;
    if (event->stream == NULL || !event->stream->collects) return status;
    status = latch_stream_settle(&event->stream, status);
    event->replied = status == LATCH_OK;
    if (status != LATCH_OK) return status;
    event->reply = (latch_str){event->stream->buffer, event->stream->len};
    event->stream->state = LATCH_STREAM_NONE;
    event->stream = NULL;
    return LATCH_OK;
}

static latch_status run_event(latch_ctx *cx, latch_call *call) { return call->handler->event(cx, call->event); }

latch_status latch_event_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply) {
    latch_event event = {.cx = cx, .bytes = bytes, .reply = LATCH_STR("null")};
    latch_call call = {.handler = handler, .event = &event, .collect = collect};
    latch_status status = latch_around_run(cx, &call, run_event), ended = status;
    status = settle(&event, handler, status);
    if (status == LATCH_OK) status = latch_outcome_fits(cx, event.reply);
    latch_scope_end(cx, status != LATCH_OK ? status : ended);
    *reply = event.reply;
    return status;
}

/* ── typed readers ───────────────────────────────────────────────────────────────────────────────────────────────── */

#define MAYBE(at) latch_optional(latch_bytes((at), 0, INT64_MAX)) /* absent, null or empty are all empty */

latch_status latch_event_eventbridge(latch_event *event, latch_eventbridge *out) {
    latch_json json;
    latch_eventbridge read = {0};
    *out = read;
    LATCH_TRY(latch_event_json(event, &json));
    LATCH_TRY(latch_read(json, "id", &read.id, "source", &read.source, "detail-type", &read.detail_type, "account", MAYBE(&read.account),
                         "region", MAYBE(&read.region), "time", MAYBE(&read.time), "resources", latch_optional(&read.resources), "detail",
                         &read.detail));
    *out = read;
    return LATCH_OK;
}

static latch_status records_of(latch_event *event, latch_json *out) {
    latch_json json;
    LATCH_TRY(latch_event_json(event, &json));
    return latch_read(json, "Records", out);
}

latch_status latch_event_record_count(latch_event *event, size_t *out) {
    latch_json records;
    *out = 0;
    LATCH_TRY(records_of(event, &records));
    *out = latch_count(records);
    return LATCH_OK;
}

static latch_status record_at(latch_event *event, size_t i, latch_json *out) {
    latch_json records;
    LATCH_TRY(records_of(event, &records));
    *out = latch_at(records, i);
    if (out->node != NULL) return LATCH_OK;
    (void)latch_err_set(&event->cx->err, LATCH_E_INPUT, "event.Records[%zu]: is missing, there are %zu", i, latch_count(records));
    return LATCH_E_INPUT;
}

latch_status latch_event_sns(latch_event *event, size_t i, latch_sns *out) {
    latch_json record;
    latch_sns read = {0};
    *out = read;
    LATCH_TRY(record_at(event, i, &record));
    LATCH_TRY(latch_read(record, "Sns.MessageId", &read.message_id, "Sns.TopicArn", &read.topic_arn, "Sns.Message",
                         latch_bytes(&read.message, 0, INT64_MAX), "Sns.Subject", MAYBE(&read.subject), "Sns.Timestamp",
                         MAYBE(&read.timestamp), "Sns.MessageAttributes", latch_optional(&read.attributes)));
    *out = read;
    return LATCH_OK;
}

latch_status latch_event_s3(latch_event *event, size_t i, latch_s3 *out) {
    latch_json record;
    latch_s3 read = {0};
    *out = read;
    LATCH_TRY(record_at(event, i, &record));
    LATCH_TRY(latch_read(record, "eventName", &read.event_name, "eventTime", MAYBE(&read.event_time), "awsRegion", MAYBE(&read.region),
                         "s3.bucket.name", &read.bucket, "s3.object.key", &read.key, "s3.object.size",
                         latch_range_or(&read.size_bytes, 0, INT64_MAX, 0), "s3.object.eTag", MAYBE(&read.etag), "s3.object.versionId",
                         MAYBE(&read.version_id), "s3.object.sequencer", MAYBE(&read.sequencer)));
    read.key = latch_percent_decode(event->cx->arena, read.key, true);
    if (read.key.ptr == NULL) return latch_err_set(&event->cx->err, LATCH_E_NOMEM, "S3 event: the arena is full");
    *out = read;
    return LATCH_OK;
}

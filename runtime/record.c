#include "runtime/record.h"

#include <stdlib.h>
#include <string.h>

#include "core/coding.h"
#include "runtime/record_private.h"

#define MAYBE(at) latch_optional(latch_bytes((at), 0, INT64_MAX)) /* absent, null or empty are all empty */

static const struct {
    const char *event_source, *payload; /* where in the record its content is */
} sources[] = {
    [LATCH_SQS] = {"aws:sqs", "body"},
    [LATCH_KINESIS] = {"aws:kinesis", "kinesis.data"},
    [LATCH_DYNAMODB_STREAM] = {"aws:dynamodb", "dynamodb"},
};

static bool ends_with(latch_str s, const char *end) {
    size_t len = strlen(end);
    return s.len >= len && memcmp(s.ptr + s.len - len, end, len) == 0;
}

static latch_status read_source(latch_ctx *cx, latch_json whole, size_t i, latch_record_source *out) {
    latch_str text;
    LATCH_TRY(latch_read(whole, "eventSource", &text));
    for (size_t k = 0; k < sizeof sources / sizeof sources[0]; k++) {
        *out = (latch_record_source)k;
        if (latch_str_eq(text, latch_str_of(sources[k].event_source))) return LATCH_OK;
    }
    text = latch_str_cut(text, 60);
    return latch_err_set(&cx->err, LATCH_E_INPUT, "event.Records[%zu].eventSource: is \"%.*s\", want aws:sqs, aws:kinesis or aws:dynamodb",
                         i, LATCH_ARG(text));
}

latch_status latch_record_read_head(latch_ctx *cx, latch_json whole, size_t i, latch_record_head *out) {
    latch_str arn;
    *out = (latch_record_head){.whole = whole};
    LATCH_TRY(read_source(cx, whole, i, &out->source));
    switch (out->source) {
    case LATCH_SQS:
        LATCH_TRY(latch_read(whole, "messageId", &out->id, "attributes.MessageGroupId", MAYBE(&out->group), "eventSourceARN", MAYBE(&arn)));
        out->identifier = out->id;
        out->fifo = ends_with(arn, ".fifo"); /* a standard queue may have groups too: fair queues, without an order */
        return LATCH_OK;
    case LATCH_KINESIS:
        LATCH_TRY(latch_read(whole, "kinesis.sequenceNumber", &out->id, "kinesis.partitionKey", MAYBE(&out->group)));
        out->identifier = out->id;
        return LATCH_OK;
    case LATCH_DYNAMODB_STREAM:
        break;
    }
    LATCH_TRY(latch_read(whole, "dynamodb.SequenceNumber", &out->identifier, "eventID", MAYBE(&out->id)));
    if (out->id.len == 0) out->id = out->identifier;
    return LATCH_OK;
}

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "record: the arena is full"); }

static latch_status read_data(latch_record *record) {
    latch_ctx *cx = record->cx;
    latch_str text;
    LATCH_TRY(latch_read(record->whole, "kinesis.data", latch_bytes(&text, 0, INT64_MAX)));
    if (!latch_base64_decode(cx->arena, text, &record->bytes))
        return latch_err_set(&cx->err, LATCH_E_INPUT, "%s.kinesis.data: is no base64", record->place);
    return record->bytes.ptr != NULL ? LATCH_OK : full(cx);
}

latch_status latch_record_open(latch_ctx *cx, const latch_record_head *head, size_t i, latch_record *out) {
    latch_json change;
    *out = (latch_record){.cx = cx, .source = head->source, .id = head->id, .group = head->group, .bytes = LATCH_STR("")};
    out->place = latch_ctx_text(cx, "event.Records[%zu]", i).ptr;
    if (out->place == NULL) return full(cx);
    out->whole = latch_json_named(cx, out->place, head->whole);
    switch (out->source) {
    case LATCH_SQS:
        return latch_read(out->whole, "body", latch_bytes(&out->bytes, 0, INT64_MAX));
    case LATCH_KINESIS:
        return read_data(out);
    case LATCH_DYNAMODB_STREAM:
        break;
    }
    LATCH_TRY(latch_read(out->whole, "dynamodb", &change));
    return latch_json_text(cx, change, &out->bytes);
}

/* ── what the handler asks for ───────────────────────────────────────────────────────────────────────────────────── */

latch_record_source latch_record_from(const latch_record *record) { return record->source; }
latch_str latch_record_id(const latch_record *record) { return record->id; }
latch_str latch_record_group(const latch_record *record) { return record->group.len > 0 ? record->group : LATCH_STR(""); }
latch_str latch_record_bytes(const latch_record *record) { return record->bytes; }
latch_json latch_record_whole(const latch_record *record) { return record->whole; }

latch_status latch_record_json(latch_record *record, latch_json *out) {
    *out = LATCH_NULL;
    if (record->source == LATCH_DYNAMODB_STREAM) return latch_read(record->whole, "dynamodb", out);
    latch_str name = latch_ctx_text(record->cx, "%s.%s", record->place, sources[record->source].payload);
    return name.ptr != NULL ? latch_parse(record->cx, name.ptr, record->bytes, out) : full(record->cx);
}

latch_status latch_record_read_(latch_record *record, const latch_field *fields) {
    latch_json content;
    latch_status status = latch_record_json(record, &content);
    if (status == LATCH_OK) return latch_read_(content, fields);
    (void)!latch_read_(LATCH_NULL, fields); /* every variable is written */
    return status;
}

/* A question, not a call that can fail: what isn't there, or of another type, is empty, and cx's error stays. */
static latch_json part(const latch_record *record, const char *path) {
    latch_err before = record->cx->err;
    latch_json found;
    if (latch_read_(record->whole, (const latch_field[]){{path, latch_optional(&found)}, {NULL, latch_i_str_(NULL)}}) != LATCH_OK)
        found = LATCH_NULL;
    record->cx->err = before;
    return found;
}

static latch_str member(latch_json object, const char *name) {
    for (latch_each each = latch_each_in(object); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_each_text(&each);
    }
    return LATCH_STR("");
}

latch_str latch_record_attribute(const latch_record *record, const char *name) { return member(part(record, "attributes"), name); }

latch_str latch_record_message_attribute(const latch_record *record, const char *name) {
    for (latch_each each = latch_each_in(part(record, "messageAttributes")); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(name))) return member(latch_each_value(&each), "stringValue");
    }
    return LATCH_STR("");
}

int64_t latch_record_receives(const latch_record *record) {
    latch_str text = latch_record_attribute(record, "ApproximateReceiveCount");
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || n > (INT64_MAX - 9) / 10) return 0;
        n = n * 10 + (text.ptr[i] - '0');
    }
    return n;
}

latch_str latch_record_event_name(const latch_record *record) { return member(record->whole, "eventName"); }
latch_json latch_record_keys(const latch_record *record) { return part(record, "dynamodb.Keys"); }
latch_json latch_record_new_image(const latch_record *record) { return part(record, "dynamodb.NewImage"); }
latch_json latch_record_old_image(const latch_record *record) { return part(record, "dynamodb.OldImage"); }

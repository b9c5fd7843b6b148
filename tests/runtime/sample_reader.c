/* sample_reader KIND <event - what the reader of that kind reads in an event, as JSON; by the handler's side of it alone. For samples.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/record.h"
#include "tests/runtime/caller.h"

#define INPUT_MAX_BYTES ((size_t)1 << 20)

static latch_status read_json(latch_ctx *cx, latch_event *event) {
    latch_json json;
    (void)cx;
    LATCH_TRY(latch_event_json(event, &json));
    return latch_event_reply(event, json);
}

static latch_status read_eventbridge(latch_ctx *cx, latch_event *event) {
    latch_eventbridge e;
    LATCH_TRY(latch_event_eventbridge(event, &e));
    return latch_event_reply(event, latch_object(cx, "id", e.id, "source", e.source, "detail-type", e.detail_type, "account", e.account,
                                                 "region", e.region, "time", e.time, "resources", e.resources, "detail", e.detail));
}

typedef latch_status read_one_fn(latch_ctx *cx, latch_event *event, size_t i, latch_json *out);

static latch_status read_all(latch_ctx *cx, latch_event *event, read_one_fn *read_one) {
    latch_json all = latch_array(cx);
    size_t count;
    LATCH_TRY(latch_event_record_count(event, &count));
    for (size_t i = 0; i < count; i++) {
        latch_json one = LATCH_NULL;
        LATCH_TRY(read_one(cx, event, i, &one));
        all = latch_append(all, one);
    }
    return latch_event_reply(event, all);
}

static latch_status read_one_sns(latch_ctx *cx, latch_event *event, size_t i, latch_json *out) {
    latch_sns s;
    LATCH_TRY(latch_event_sns(event, i, &s));
    *out = latch_object(cx, "MessageId", s.message_id, "TopicArn", s.topic_arn, "Message", s.message, "Subject", s.subject, "Timestamp",
                        s.timestamp, "MessageAttributes", s.attributes);
    return LATCH_OK;
}
static latch_status read_sns(latch_ctx *cx, latch_event *event) { return read_all(cx, event, read_one_sns); }

static latch_status read_one_s3(latch_ctx *cx, latch_event *event, size_t i, latch_json *out) {
    latch_s3 s;
    LATCH_TRY(latch_event_s3(event, i, &s));
    *out = latch_object(cx, "eventName", s.event_name, "eventTime", s.event_time, "awsRegion", s.region, "bucket", s.bucket, "key", s.key,
                        "size", s.size_bytes, "eTag", s.etag, "versionId", s.version_id, "sequencer", s.sequencer);
    return LATCH_OK;
}
static latch_status read_s3(latch_ctx *cx, latch_event *event) { return read_all(cx, event, read_one_s3); }

/* A record has no reply: what it says goes to standard error, a line each. */
static latch_status read_record(latch_ctx *cx, latch_record *r) {
    latch_str text =
        latch_text(latch_object(cx, "source", latch_int(latch_record_from(r)), "id", latch_record_id(r), "group", latch_record_group(r),
                                "bytes", latch_record_bytes(r), "sent", latch_record_attribute(r, "SentTimestamp"), "receives",
                                latch_record_receives(r), "event", latch_record_event_name(r), "keys", latch_record_keys(r), "new",
                                latch_record_new_image(r), "old", latch_record_old_image(r), "whole", latch_record_whole(r)));
    fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
    return LATCH_OK;
}

static latch_status read_http(latch_ctx *cx, latch_http *http) {
    latch_json headers = latch_array(cx), queries = latch_array(cx), params = latch_array(cx);
    static const char *const of[] = {"headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters",
                                     "pathParameters"};
    for (size_t k = 0; k < sizeof of / sizeof of[0]; k++) {
        latch_json map = LATCH_NULL;
        if (latch_has(latch_http_event(http), of[k]))
            LATCH_TRY(latch_read_(latch_http_event(http), (const latch_field[]){{of[k], latch_i_json_(&map)}, {NULL, latch_i_str_(NULL)}}));
        for (latch_each each = latch_each_in(map); latch_each_next(&each);) {
            const char *name = latch_copy(cx, each.name).ptr;
            if (k < 2) headers = latch_append(headers, latch_object(cx, "name", name, "value", latch_http_header(http, name)));
            if (k == 4) params = latch_append(params, latch_object(cx, "name", name, "value", latch_http_param(http, name)));
            if (k < 2 || k == 4) continue;
            latch_json values = latch_array(cx);
            for (size_t i = 0; i < latch_http_query_count(http, name); i++)
                values = latch_append(values, latch_http_query_at(http, name, i));
            queries = latch_append(queries, latch_object(cx, "name", name, "values", values));
        }
    }
    return latch_http_reply(http, 200,
                            latch_object(cx, "method", latch_http_method(http), "path", latch_http_path(http), "client",
                                         latch_http_client(http), "body", latch_http_body(http), "headers", headers, "queries", queries,
                                         "params", params, "cookie", latch_http_header(http, "cookie"), "context", latch_http_context(http),
                                         "event", latch_http_event(http)));
}

static const latch_handler handlers[] = {{.name = "json", .event = read_json},      {.name = "eventbridge", .event = read_eventbridge},
                                         {.name = "sns", .event = read_sns},        {.name = "s3", .event = read_s3},
                                         {.name = "record", .record = read_record}, {.name = "http", .http = read_http}};

static latch_status run(const latch_handler *handler, latch_str event, bool says_all) {
    static caller c;
    caller_init(&c, (size_t)16 << 20);
    latch_status status = caller_call(&c, *handler, event);
    if (status != LATCH_OK) printf("%s\n", c.cx.err.message);
    if (status == LATCH_OK) printf("%.*s\n", says_all ? (int)c.whole.len : 0, c.whole.ptr);
    caller_clean_up(&c);
    return status;
}

/* `kinds`: a line for each, the error of what it isn't, empty for what it is. */
int main(int argc, char **argv) {
    static char input[INPUT_MAX_BYTES];
    const latch_str event = {input, fread(input, 1, sizeof input, stdin)};
    bool kinds = argc == 2 && strcmp(argv[1], "kinds") == 0;
    for (size_t i = 0; argc == 2 && i < sizeof handlers / sizeof handlers[0]; i++) {
        if (!kinds && strcmp(handlers[i].name, argv[1]) == 0) return run(&handlers[i], event, true) == LATCH_OK ? 0 : 1;
        if (kinds) printf("%s ", handlers[i].name);
        if (kinds) (void)!run(&handlers[i], event, false);
    }
    return kinds ? 0 : 2;
}

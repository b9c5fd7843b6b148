#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/err.h"
#include "runtime/event.h"
#include "tests/runtime/call.h"

static int set_up(void **state) { return call_set_up(state, (size_t)4 << 20); }

static latch_status keep_silent(latch_ctx *cx, latch_event *event) {
    (void)cx, (void)event;
    return LATCH_OK;
}
static latch_status reply_twice(latch_ctx *cx, latch_event *event) {
    LATCH_TRY(latch_event_reply_bytes(event, LATCH_STR("first")));
    return latch_event_reply(event, latch_object(cx, "n", latch_int(2)));
}
static latch_status echo(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply_bytes(event, latch_event_bytes(event));
}
static latch_status reply_null(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply(event, LATCH_NULL);
}

static void replies_with_the_last_reply(void **state) {
    static const struct {
        latch_event_fn *run;
        const char *reply;
    } rows[] = {{keep_silent, "null"}, {reply_twice, "{\"n\":2}"}, {echo, "any \xFF bytes"}, {reply_null, "null"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.event = rows[i].run}, "any \xFF bytes"), LATCH_OK);
        assert_string_equal(call.reply, rows[i].reply);
    }
    assert_int_equal(caller_say(&call, (latch_handler){.event = echo}, ""), LATCH_OK);
    assert_string_equal(call.reply, "");
}

static latch_status bad_text(latch_ctx *cx, latch_event *event) {
    const latch_str text = {"\xFF", 1};
    return latch_event_reply(event, latch_object(cx, "a", text));
}

static latch_status no_room(latch_ctx *cx, latch_event *event) {
    (void)!latch_arena_alloc(cx->arena, cx->arena->cap - cx->arena->used - 64);
    return latch_event_reply(event, latch_object(cx, "a", "0123456789012345678901234567890123456789012345678901234567890123456789"));
}

static latch_status stray(latch_ctx *cx, latch_event *event) {
    (void)cx, (void)event;
    return (latch_status)-3;
}

static void ends_in_an_error_that_says_why(void **state) {
    static const struct {
        latch_event_fn *run;
        latch_status status;
        const char *says;
    } rows[] = {
        {bad_text, LATCH_E_MISUSE, "UTF-8"},
        {no_room, LATCH_E_NOMEM, "the arena is full"},
        {stray, LATCH_E_MISUSE, "the handler returned -3"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.event = rows[i].run}, "{}"), rows[i].status);
        if (strstr(call.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
}

static latch_status refusal;

static latch_status refuse(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_err_set(&cx->err, refusal, "LOCK#sweep is held \"now\"");
}

static void skips_what_the_entry_says(void **state) {
    (void)state;
    refusal = LATCH_HELD;
    assert_int_equal(caller_say(&call, (latch_handler){.event = refuse, .skip_if = LATCH_HELD}, "{}"), LATCH_OK);
    assert_string_equal(call.reply, "{\"skipped\":\"LOCK#sweep is held \\\"now\\\"\"}");
    assert_int_equal(caller_say(&call, (latch_handler){.event = refuse}, "{}"), LATCH_HELD);
    refusal = LATCH_SEEN;
    assert_int_equal(caller_say(&call, (latch_handler){.event = refuse, .skip_if = LATCH_HELD}, "{}"), LATCH_SEEN);
}

static latch_status parse_twice(latch_ctx *cx, latch_event *event) {
    latch_json a, b;
    int64_t n;
    (void)cx;
    LATCH_TRY(latch_event_json(event, &a));
    LATCH_TRY(latch_event_json(event, &b));
    if (a.node != b.node) return latch_err_set(&cx->err, LATCH_E_MISUSE, "it was parsed twice");
    return latch_read(b, "n", &n);
}

static void parses_once_and_names_the_field(void **state) {
    static const struct {
        const char *event, *says;
        latch_status status;
    } rows[] = {
        {"{\"n\":1}", "", LATCH_OK},
        {"{}", "event.n: is missing, want a whole number", LATCH_E_INPUT},
        {"", "event: is empty, want JSON", LATCH_E_INPUT},
        {"\xFF", "event: is not JSON", LATCH_E_INPUT},
        {"{\"n\":1e309}", "event.n", LATCH_E_INPUT},
        {"{\"n\":123456789012345678901234567890}", "event.n: is 123456789012345678901234567890", LATCH_E_INPUT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.event = parse_twice}, rows[i].event), rows[i].status);
        if (strncmp(call.cx.err.message, rows[i].says, strlen(rows[i].says)) != 0) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
}

/* ── typed readers ───────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status read_bridge(latch_ctx *cx, latch_event *event) {
    latch_eventbridge e;
    latch_status status = latch_event_eventbridge(event, &e);
    if (status != LATCH_OK && e.id.ptr != NULL) return LATCH_OK; /* not zero, as it must be */
    LATCH_TRY(status);
    return latch_event_reply(event, latch_object(cx, "id", e.id, "source", e.source, "type", e.detail_type, "account", e.account, "region",
                                                 e.region, "time", e.time, "resources", e.resources, "detail", e.detail));
}

static latch_status read_sns(latch_ctx *cx, latch_event *event) {
    latch_sns e;
    size_t count;
    LATCH_TRY(latch_event_record_count(event, &count));
    LATCH_TRY(latch_event_sns(event, 0, &e));
    return latch_event_reply(event, latch_object(cx, "count", count, "id", e.message_id, "topic", e.topic_arn, "message", e.message,
                                                 "subject", e.subject, "timestamp", e.timestamp, "attributes", e.attributes));
}

static latch_status read_s3(latch_ctx *cx, latch_event *event) {
    latch_s3 e;
    LATCH_TRY(latch_event_s3(event, 0, &e));
    return latch_event_reply(event,
                             latch_object(cx, "event", e.event_name, "bucket", e.bucket, "key", e.key, "size", e.size_bytes, "etag", e.etag,
                                          "version", e.version_id, "sequencer", e.sequencer, "region", e.region, "time", e.event_time));
}

#define S3(object) "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":" object "}}]}"

static void reads_typed_events(void **state) {
    static const struct {
        latch_event_fn *run;
        const char *event, *reply;
    } rows[] = {
        {read_bridge,
         "{\"id\":\"i\",\"source\":\"aws.events\",\"detail-type\":\"Scheduled Event\",\"account\":\"1\",\"region\":\"r\",\"time\":\"t\","
         "\"resources\":[\"x\"],\"detail\":{\"a\":1}}",
         "{\"id\":\"i\",\"source\":\"aws.events\",\"type\":\"Scheduled "
         "Event\",\"account\":\"1\",\"region\":\"r\",\"time\":\"t\",\"resources\":[\"x\"],"
         "\"detail\":{\"a\":1}}"},
        {read_bridge, "{\"id\":\"i\",\"source\":\"s\",\"detail-type\":\"d\",\"detail\":{}}",
         "{\"id\":\"i\",\"source\":\"s\",\"type\":\"d\",\"account\":\"\",\"region\":\"\",\"time\":\"\",\"resources\":null,\"detail\":{}}"},
        {read_sns,
         "{\"Records\":[{\"Sns\":{\"MessageId\":\"m\",\"TopicArn\":\"t\",\"Message\":\"hi\",\"Subject\":\"s\",\"Timestamp\":\"z\","
         "\"MessageAttributes\":{\"a\":{\"Type\":\"String\",\"Value\":\"v\"}}}}]}",
         "{\"count\":1,\"id\":\"m\",\"topic\":\"t\",\"message\":\"hi\",\"subject\":\"s\",\"timestamp\":\"z\",\"attributes\":{\"a\":{"
         "\"Type\":\"String\","
         "\"Value\":\"v\"}}}"},
        {read_sns, "{\"Records\":[{\"Sns\":{\"MessageId\":\"m\",\"TopicArn\":\"t\",\"Message\":\"\",\"Subject\":null}},{}]}",
         "{\"count\":2,\"id\":\"m\",\"topic\":\"t\",\"message\":\"\",\"subject\":\"\",\"timestamp\":\"\",\"attributes\":null}"},
        {read_s3, S3("{\"key\":\"a+b/%C3%BC%2B.txt\",\"size\":1024,\"eTag\":\"e\",\"versionId\":\"v\",\"sequencer\":\"s\"}"),
         "{\"event\":\"ObjectCreated:Put\",\"bucket\":\"b\",\"key\":\"a b/\xC3\xBC+.txt\",\"size\":1024,\"etag\":\"e\",\"version\":\"v\","
         "\"sequencer\":\"s\",\"region\":\"\",\"time\":\"\"}"},
        {read_s3, S3("{\"key\":\"k\"}"),
         "{\"event\":\"ObjectCreated:Put\",\"bucket\":\"b\",\"key\":\"k\",\"size\":0,\"etag\":\"\",\"version\":\"\","
         "\"sequencer\":\"\",\"region\":\"\",\"time\":\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.event = rows[i].run}, rows[i].event), LATCH_OK);
        assert_string_equal(call.reply, rows[i].reply);
    }
}

static void names_the_field_of_a_typed_event_that_is_none(void **state) {
    static const struct {
        latch_event_fn *run;
        const char *event, *says;
    } rows[] = {
        {read_bridge, "{}", "event.id: is missing, want text"},
        {read_bridge, "[]", "event.id: is missing"},
        {read_bridge, "{\"id\":\"i\",\"source\":\"s\",\"detail-type\":7,\"detail\":{}}", "event.detail-type: is 7, want text"},
        {read_bridge, "{\"id\":\"i\",\"source\":\"s\",\"detail-type\":\"d\"}", "event.detail: is missing, want an object"},
        {read_bridge, "{\"id\":\"i\",\"source\":\"s\",\"detail-type\":\"d\",\"detail\":{},\"time\":5}", "event.time: is 5, want text"},
        {read_sns, "{}", "event.Records: is missing"},
        {read_sns, "{\"Records\":[]}", "event.Records[0]: is missing, there are 0"},
        {read_sns, "{\"Records\":{}}", "event.Records[0]: is missing, there are 0"},
        {read_sns, "{\"Records\":[{\"Sns\":{\"MessageId\":\"m\",\"TopicArn\":\"t\"}}]}",
         "event.Records[0].Sns.Message: is missing, want text"},
        {read_sns, "{\"Records\":[7]}", "event.Records[0].Sns.MessageId: is missing"},
        {read_sns, "{\"Records\":[{\"Sns\":\"x\"}]}", "event.Records[0].Sns.MessageId: is missing"},
        {read_s3, S3("{}"), "event.Records[0].s3.object.key: is missing, want text"},
        {read_s3, S3("{\"key\":\"\"}"), "event.Records[0].s3.object.key: is \"\", want text"},
        {read_s3, S3("{\"key\":\"k\",\"size\":-1}"), "event.Records[0].s3.object.size: is -1, want a whole number"},
        {read_s3, S3("{\"key\":\"k\",\"size\":18446744073709551615}"), "event.Records[0].s3.object.size: is 18446744073709551615"},
        {read_s3, S3("{\"key\":\"k\",\"size\":1.5}"), "event.Records[0].s3.object.size: is 1.5"},
        {read_s3, "nope", "event: is not JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, (latch_handler){.event = rows[i].run}, rows[i].event), LATCH_E_INPUT);
        if (strncmp(call.cx.err.message, rows[i].says, strlen(rows[i].says)) != 0) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
}

static size_t ends;
static latch_status ended_with;

static void note_end(latch_ctx *cx, void *arg, latch_status ended) {
    (void)cx, (void)arg;
    ends++;
    ended_with = ended;
}

static latch_event_fn *inner;

static latch_status scoped(latch_ctx *cx, latch_event *event) {
    LATCH_TRY(latch_scope_add(cx, note_end, &ends));
    return inner(cx, event);
}

static latch_status too_much(latch_ctx *cx, latch_event *event) {
    (void)cx;
    return latch_event_reply_bytes(event, (latch_str){latch_event_bytes(event).ptr, 7 << 20});
}

static void ends_the_scope_with_the_outcome(void **state) {
    static const struct {
        latch_event_fn *inner;
        latch_status skip_if, ended;
    } rows[] = {{echo, LATCH_OK, LATCH_OK},
                {refuse, LATCH_HELD, LATCH_HELD},
                {refuse, LATCH_OK, LATCH_HELD},
                {stray, LATCH_OK, LATCH_E_MISUSE},
                {too_much, LATCH_OK, LATCH_E_HANDLER}};
    (void)state;
    refusal = LATCH_HELD;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ends = 0;
        inner = rows[i].inner;
        (void)!caller_say(&call, (latch_handler){.event = scoped, .skip_if = rows[i].skip_if}, "{}");
        assert_int_equal(ends, 1);
        assert_int_equal(ended_with, rows[i].ended);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(replies_with_the_last_reply),
    ROW(ends_in_an_error_that_says_why),
    ROW(skips_what_the_entry_says),
    ROW(parses_once_and_names_the_field),
    ROW(reads_typed_events),
    ROW(names_the_field_of_a_typed_event_that_is_none),
    ROW(ends_the_scope_with_the_outcome),
};

CHECK_MAIN(tests)

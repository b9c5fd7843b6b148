#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/err.h"
#include "runtime/record.h"
#include "tests/runtime/call.h"

/* What the handler saw, in order: "id|group|bytes;" */
static char seen[8192];
static size_t runs;
static const char *fails_at; /* the ids at which it fails, each between blanks */
static latch_status fails_with;

static int set_up(void **state) {
    seen[0] = '\0';
    runs = 0;
    fails_at = "";
    fails_with = LATCH_MISSING;
    return call_set_up(state, (size_t)40 << 20);
}

static latch_status note(latch_ctx *cx, latch_record *record) {
    char id[64];
    size_t n = strlen(seen);
    runs++;
    snprintf(id, sizeof id, " %.*s ", LATCH_ARG(latch_record_id(record)));
    snprintf(seen + n, sizeof seen - n, "%.*s|%.*s|%.*s;", LATCH_ARG(latch_record_id(record)), LATCH_ARG(latch_record_group(record)),
             LATCH_ARG(latch_record_bytes(record)));
    if (strstr(fails_at, id) == NULL) return LATCH_OK;
    return latch_err_set(&cx->err, fails_with, "no");
}
static const latch_handler notes = {.record = note};

#define SQS(id, body)                                                                                                                      \
    "{\"messageId\":\"" id "\",\"body\":\"" body "\",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:eu-west-1:1:q\"}"
#define FIFO(id, group)                                                                                                                    \
    "{\"messageId\":\"" id "\",\"body\":\"b\",\"attributes\":{\"MessageGroupId\":\"" group                                                 \
    "\"},\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:eu-west-1:1:q.fifo\"}"
#define FAIR(id, group)                                                                                                                    \
    "{\"messageId\":\"" id "\",\"body\":\"b\",\"attributes\":{\"MessageGroupId\":\"" group                                                 \
    "\"},\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:eu-west-1:1:q\"}"
#define KINESIS(id, data)                                                                                                                  \
    "{\"eventSource\":\"aws:kinesis\",\"eventID\":\"shard:" id "\",\"kinesis\":{\"sequenceNumber\":\"" id                                  \
    "\",\"partitionKey\":\"p\",\"data\":\"" data "\"}}"
#define CHANGE(id)                                                                                                                         \
    "{\"eventSource\":\"aws:dynamodb\",\"eventID\":\"e" id "\",\"eventName\":\"INSERT\",\"dynamodb\":{\"SequenceNumber\":\"" id "\"}}"
#define BATCH(records) "{\"Records\":[" records "]}"
#define FAILED(list) "{\"batchItemFailures\":[" list "]}"
#define ITEM(id) "{\"itemIdentifier\":\"" id "\"}"

static void runs_each_record_and_reports_those_that_failed(void **state) {
    static const struct {
        const char *event, *fails_at, *seen, *reply;
    } rows[] = {
        {BATCH(""), "", "", FAILED("")},
        {BATCH(SQS("a", "1") "," SQS("b", "2")), "", "a||1;b||2;", FAILED("")},
        {BATCH(SQS("a", "1") "," SQS("b", "2") "," SQS("c", "")), " a c ", "a||1;b||2;c||;", FAILED(ITEM("a") "," ITEM("c"))},
        {BATCH(FAIR("a", "g") "," FAIR("b", "g")), " a ", "a|g|b;b|g|b;", FAILED(ITEM("a"))},
        {BATCH(FIFO("a", "g") "," FIFO("b", "h") "," FIFO("c", "g") "," FIFO("d", "h") "," FIFO("e", "g")), " a ", "a|g|b;b|h|b;d|h|b;",
         FAILED(ITEM("a") "," ITEM("c") "," ITEM("e"))},
        {BATCH(FIFO("a", "g") "," FIFO("b", "h") "," FIFO("c", "g") "," FIFO("d", "h")), " b c ", "a|g|b;b|h|b;c|g|b;",
         FAILED(ITEM("b") "," ITEM("c") "," ITEM("d"))},
        {BATCH(KINESIS("1", "aGk=") "," KINESIS("2", "") "," KINESIS("3", "aGk=")), "", "1|p|hi;2|p|;3|p|hi;", FAILED("")},
        {BATCH(KINESIS("1", "aGk=") "," KINESIS("2", "aGk=") "," KINESIS("3", "aGk=")), " 2 ", "1|p|hi;2|p|hi;", FAILED(ITEM("2"))},
        {BATCH(CHANGE("1") "," CHANGE("2") "," CHANGE("3")), " e1 e2 ", "e1||{\"SequenceNumber\":\"1\"};", FAILED(ITEM("1"))},
        {BATCH(CHANGE("1") "," CHANGE("2")), " e2 ", "e1||{\"SequenceNumber\":\"1\"};e2||{\"SequenceNumber\":\"2\"};", FAILED(ITEM("2"))},
        {BATCH(SQS("a\\\"b", "1")), " a\"b ", "a\"b||1;", FAILED(ITEM("a\\\"b"))},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        seen[0] = '\0';
        fails_at = rows[i].fails_at;
        assert_int_equal(caller_say(&call, notes, rows[i].event), LATCH_OK);
        assert_string_equal(seen, rows[i].seen);
        assert_string_equal(call.reply, rows[i].reply);
    }
}

static void decides_by_the_status_of_a_record(void **state) {
    static const struct {
        latch_status status;
        bool done;
        const char *level; /* of what is logged */
    } rows[] = {
        {LATCH_MISSING, false, "WARN"},    {LATCH_HELD, true, NULL},          {LATCH_BUSY, false, "WARN"},
        {LATCH_MISMATCH, false, "WARN"},   {LATCH_CONFLICT, false, "WARN"},   {LATCH_LIMITED, false, "WARN"},
        {LATCH_SEEN, true, NULL},          {LATCH_UNDONE, true, NULL},        {LATCH_E_INPUT, false, "ERROR"},
        {LATCH_E_HANDLER, false, "ERROR"}, {LATCH_E_TIMEOUT, false, "ERROR"}, {LATCH_E_NOMEM, false, "ERROR"},
    };
    latch_handler handler = notes;
    (void)state;
    handler.skip_if = LATCH_HELD;
    fails_at = " a ";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fails_with = rows[i].status;
        assert_int_equal(caller_say(&call, handler, BATCH(SQS("a", "1") "," SQS("b", "1"))), LATCH_OK);
        assert_string_equal(call.reply, rows[i].done ? FAILED("") : FAILED(ITEM("a")));
        if (rows[i].level == NULL) assert_string_equal(call.written, "");
        if (rows[i].level == NULL) continue;
        assert_non_null(strstr(call.written, rows[i].level));
        assert_non_null(strstr(call.written, "\"record\":\"event.Records[0]\",\"recordId\":\"a\"}"));
        assert_non_null(strstr(call.written, "\"errorMessage\":\"no\""));
    }
}

static latch_status stray(latch_ctx *cx, latch_record *record) {
    (void)cx, (void)record;
    return (latch_status)1;
}

static void reports_a_record_whose_status_no_call_gave(void **state) {
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.record = stray}, BATCH(SQS("a", "1"))), LATCH_OK);
    assert_string_equal(call.reply, FAILED(ITEM("a")));
    assert_non_null(strstr(call.written, "the handler returned 1"));
}

static void names_the_field_of_a_batch_that_is_none(void **state) {
    static const struct {
        const char *event, *says;
    } rows[] = {
        {"", "event: is empty, want JSON"},
        {"{", "event: is not JSON"},
        {"{}", "event.Records: is missing, want an object or a list"},
        {"[]", "event.Records: is missing"},
        {"{\"Records\":7}", "event.Records: is 7"},
        {BATCH("{}"), "event.Records[0].eventSource: is missing, want text"},
        {BATCH("7"), "event.Records[0].eventSource: is missing"},
        {BATCH("null"), "event.Records[0].eventSource: is missing"},
        {BATCH("{\"eventSource\":7}"), "event.Records[0].eventSource: is 7, want text"},
        {BATCH("{\"eventSource\":\"aws:s3\"}"), "event.Records[0].eventSource: is \"aws:s3\", want aws:sqs, aws:kinesis or aws:dynamodb"},
        {BATCH(SQS("a", "1") ",{\"eventSource\":\"aws:sqs\",\"body\":\"\"}"), "event.Records[1].messageId: is missing, want text"},
        {BATCH(SQS("", "1")), "event.Records[0].messageId: is \"\", want text"},
        {BATCH(KINESIS("1", "") ",{\"eventSource\":\"aws:kinesis\",\"kinesis\":{}}"),
         "event.Records[1].kinesis.sequenceNumber: is missing"},
        {BATCH("{\"eventSource\":\"aws:dynamodb\",\"dynamodb\":{\"SequenceNumber\":1}}"),
         "event.Records[0].dynamodb.SequenceNumber: is 1, want text"},
        {"{\"Records\":{\"a\":{}}}", "event.Records: is an object, want a list"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(caller_say(&call, notes, rows[i].event), LATCH_E_INPUT);
        if (strncmp(call.cx.err.message, rows[i].says, strlen(rows[i].says)) != 0) fail_msg("row %zu: %s", i, call.cx.err.message);
        assert_int_equal(runs, 0); /* nothing is half done */
    }
}

static latch_status read_qty(latch_ctx *cx, latch_record *record) {
    latch_json body;
    int64_t qty;
    (void)cx;
    runs++;
    LATCH_TRY(latch_record_json(record, &body));
    return latch_read(body, "qty", &qty);
}

static void fails_a_record_alone_that_can_not_be_read(void **state) {
    static const struct {
        const char *record, *says;
        size_t runs;
    } rows[] = {
        {"{\"messageId\":\"a\",\"eventSource\":\"aws:sqs\"}", "event.Records[0].body: is missing, want text", 0},
        {"{\"messageId\":\"a\",\"eventSource\":\"aws:sqs\",\"body\":{}}", "event.Records[0].body: is {}, want text", 0},
        {SQS("a", ""), "event.Records[0].body: is empty, want JSON", 1},
        {SQS("a", "nope"), "event.Records[0].body: is not JSON, byte ", 1},
        {SQS("a", "{}"), "event.Records[0].body.qty: is missing, want a whole number", 1},
        {SQS("a", "{\\\"qty\\\":\\\"2\\\"}"), "event.Records[0].body.qty: is \\\"2\\\", want a whole number", 1},
        {SQS("a", "{\\\"qty\\\":1e999}"), "event.Records[0].body", 1},
        {SQS("a", "{\\\"qty\\\":\\u0000}"), "event.Records[0].body: is not JSON", 1},
        {KINESIS("a", "!!!!"), "event.Records[0].kinesis.data: is no base64", 0},
        {"{\"eventSource\":\"aws:kinesis\",\"kinesis\":{\"sequenceNumber\":\"a\"}}", "event.Records[0].kinesis.data: is missing", 0},
        {KINESIS("a", "AAECAw=="), "event.Records[0].kinesis.data: is not JSON", 1},
        {KINESIS("a", "e30="), "event.Records[0].kinesis.data.qty: is missing", 1},
        {"{\"eventSource\":\"aws:dynamodb\",\"dynamodb\":{\"SequenceNumber\":\"a\"}}", "event.Records[0].dynamodb.qty: is missing", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char event[1024];
        runs = 0;
        snprintf(event, sizeof event, BATCH("%s"), rows[i].record);
        assert_int_equal(caller_say(&call, (latch_handler){.record = read_qty}, event), LATCH_OK);
        assert_string_equal(call.reply, FAILED(ITEM("a")));
        if (strstr(call.written, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.written);
        assert_int_equal(runs, rows[i].runs);
    }
}

static latch_status tell(latch_ctx *cx, latch_record *record) {
    latch_info(cx, "told", "from", latch_int(latch_record_from(record)), "receives", latch_record_receives(record), "sent",
               latch_record_attribute(record, "SentTimestamp"), "colour", latch_record_message_attribute(record, "colour"), "event",
               latch_record_event_name(record), "keys", latch_record_keys(record), "new", latch_record_new_image(record), "old",
               latch_record_old_image(record));
    assert_int_equal(cx->err.status, LATCH_OK);
    return LATCH_OK;
}

static void gives_what_each_source_has_of_its_own(void **state) {
    static const struct {
        const char *record, *says;
    } rows[] = {
        {"{\"messageId\":\"a\",\"body\":\"\",\"attributes\":{\"ApproximateReceiveCount\":\"3\",\"SentTimestamp\":\"152\"},"
         "\"messageAttributes\":"
         "{\"colour\":{\"stringValue\":\"red\",\"dataType\":\"String\"}},\"eventSource\":\"aws:sqs\"}",
         "\"from\":0,\"receives\":3,\"sent\":\"152\",\"colour\":\"red\",\"event\":\"\",\"keys\":null,\"new\":null,\"old\":null"},
        {"{\"messageId\":\"a\",\"body\":\"\",\"attributes\":{\"ApproximateReceiveCount\":\"-3\"},\"messageAttributes\":[],\"eventSource\":"
         "\"aws:sqs\"}",
         "\"from\":0,\"receives\":0,\"sent\":\"\",\"colour\":\"\""},
        {"{\"messageId\":\"a\",\"body\":\"\",\"attributes\":{\"ApproximateReceiveCount\":\"99999999999999999999\"},\"eventSource\":\"aws:"
         "sqs\"}",
         "\"receives\":0"},
        {"{\"messageId\":\"a\",\"body\":\"\",\"attributes\":{\"ApproximateReceiveCount\":3},\"messageAttributes\":{\"colour\":\"red\"},"
         "\"eventSource\":\"aws:sqs\"}",
         "\"receives\":0,\"sent\":\"\",\"colour\":\"\""},
        {"{\"eventSource\":\"aws:dynamodb\",\"eventName\":\"MODIFY\",\"dynamodb\":{\"SequenceNumber\":\"1\",\"Keys\":{\"id\":{\"N\":\"1\"}}"
         ","
         "\"NewImage\":{\"a\":{\"S\":\"x\"}},\"OldImage\":{\"a\":{\"S\":\"y\"}}}}",
         "\"from\":2,\"receives\":0,\"sent\":\"\",\"colour\":\"\",\"event\":\"MODIFY\",\"keys\":{\"id\":{\"N\":\"1\"}},\"new\":{\"a\":{"
         "\"S\":\"x\"}},"
         "\"old\":{\"a\":{\"S\":\"y\"}}"},
        {"{\"eventSource\":\"aws:dynamodb\",\"dynamodb\":{\"SequenceNumber\":\"1\",\"Keys\":\"none\"}}",
         "\"from\":2,\"receives\":0,\"sent\":\"\",\"colour\":\"\",\"event\":\"\",\"keys\":null"},
        {KINESIS("1", ""), "\"from\":1,\"receives\":0"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char event[1024];
        snprintf(event, sizeof event, BATCH("%s"), rows[i].record);
        assert_int_equal(caller_say(&call, (latch_handler){.record = tell}, event), LATCH_OK);
        if (strstr(call.written, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.written);
    }
}

static size_t ends;
static latch_status ended[8];

static void note_end(latch_ctx *cx, void *arg, latch_status status) {
    (void)cx, (void)arg;
    if (ends < COUNT_OF(ended)) ended[ends] = status;
    ends++;
}

static latch_status take_and_note(latch_ctx *cx, latch_record *record) {
    assert_int_equal(ends, runs); /* the record before has let go */
    assert_int_equal(cx->err.status, LATCH_OK);
    LATCH_TRY(latch_scope_add(cx, note_end, &ends));
    return note(cx, record);
}

static void ends_the_scope_of_each_record(void **state) {
    (void)state;
    ends = 0;
    fails_at = " b ";
    fails_with = LATCH_BUSY;
    assert_int_equal(caller_say(&call, (latch_handler){.record = take_and_note}, BATCH(SQS("a", "1") "," SQS("b", "1") "," SQS("c", "1"))),
                     LATCH_OK);
    assert_int_equal(ends, 3);
    assert_int_equal(ended[0], LATCH_OK);
    assert_int_equal(ended[1], LATCH_BUSY);
    assert_int_equal(ended[2], LATCH_OK);
}

static latch_status spend_time(latch_ctx *cx, latch_record *record) {
    (void)cx;
    call.now_ms += 4000;
    return note(cx, record);
}

static void reports_what_there_is_no_time_for(void **state) {
    static const struct {
        const char *event, *seen, *reply;
    } rows[] = {
        {BATCH(SQS("a", "") "," SQS("b", "") "," SQS("c", "") "," SQS("d", "") "," SQS("e", "")), "a||;b||;c||;",
         FAILED(ITEM("d") "," ITEM("e"))},
        {BATCH(KINESIS("1", "") "," KINESIS("2", "") "," KINESIS("3", "") "," KINESIS("4", "") "," KINESIS("5", "")), "1|p|;2|p|;3|p|;",
         FAILED(ITEM("4"))},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        seen[0] = '\0';
        call.now_ms = CALLER_T0;
        assert_int_equal(caller_say(&call, (latch_handler){.record = spend_time}, rows[i].event), LATCH_OK);
        assert_string_equal(seen, rows[i].seen);
        assert_string_equal(call.reply, rows[i].reply);
        assert_non_null(strstr(call.written, "no time left"));
    }
}

static latch_status spend_memory(latch_ctx *cx, latch_record *record) {
    (void)record;
    runs++;
    return latch_arena_alloc(cx->arena, (size_t)1 << 20) != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "full");
}

static latch_status fill_memory(latch_ctx *cx, latch_record *record) {
    (void)record;
    while (latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "the list: the arena is full");
}

static void says_which_record_filled_the_arena(void **state) {
    static const char *const says[] = {"\"record\":\"event.Records[1]\"", "\"errorType\":\"ArenaFull\"",
                                       "\"errorMessage\":\"the list: the arena is full\"", "\"record\":\"event.Records[0]\""};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.record = fill_memory}, BATCH(SQS("a", "1") "," SQS("b", "2"))), LATCH_OK);
    assert_string_equal(call.reply, FAILED(ITEM("a") "," ITEM("b")));
    for (size_t i = 0; i < COUNT_OF(says); i++)
        if (strstr(call.written, says[i]) == NULL) fail_msg("%s is not in %s", says[i], call.written);
}

/* 10,000 records of 1 MiB each in 40 MiB: a record's memory ends with it. */
static void gives_each_record_its_memory_anew(void **state) {
    char *event = malloc(2000000);
    size_t n = 0;
    (void)state;
    assert_non_null(event);
    n += (size_t)sprintf(event, "{\"Records\":[");
    for (int i = 0; i < 10000; i++)
        n += (size_t)sprintf(event + n, "%s{\"messageId\":\"m%d\",\"body\":\"{}\",\"eventSource\":\"aws:sqs\"}", i > 0 ? "," : "", i);
    n += (size_t)sprintf(event + n, "]}");
    assert_int_equal(caller_call(&call, (latch_handler){.record = spend_memory}, (latch_str){event, n}), LATCH_OK);
    assert_int_equal(runs, 10000);
    assert_string_equal(call.reply, FAILED(""));
    free(event);
}

static void survives_hostile_batches(void **state) {
    static const char *const pieces[] = {
        "[", "{\"Records\":", "{\"messageId\":\"a\",\"body\":\"\",\"eventSource\":\"aws:sqs\"},", "1,", "\"", "\\u0000", "\xFF"};
    size_t most = (size_t)6 << 20;
    char *text = malloc(most + 64);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t n = (size_t)sprintf(text, "{\"Records\":["), len = strlen(pieces[i]);
        while (n + len < most) {
            memcpy(text + n, pieces[i], len);
            n += len;
        }
        assert_int_not_equal(caller_call(&call, notes, (latch_str){text, n}), LATCH_OK);
    }
    free(text);
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0, bytes = 256;
    latch_status status;
    (void)state;
    fails_at = " b ";
    do {
        seen[0] = '\0';
        latch_arena_clean_up(&call.arena);
        latch_arena_init(&call.arena, call.memory, bytes);
        status = caller_say(&call, notes, BATCH(SQS("a", "1") "," SQS("b", "2")));
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        /* whatever did not fit is reported, never lost */
        if (status == LATCH_OK) assert_non_null(strstr(call.reply, ITEM("b")));
        if (status == LATCH_OK && strstr(seen, "a||1;") == NULL) assert_non_null(strstr(call.reply, ITEM("a")));
        refused += status != LATCH_OK;
        bytes += 48;
    } while (bytes < 16384);
    assert_int_equal(status, LATCH_OK);
    assert_string_equal(call.reply, FAILED(ITEM("b")));
    assert_in_range(refused, 10, 300);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(runs_each_record_and_reports_those_that_failed),
    ROW(decides_by_the_status_of_a_record),
    ROW(reports_a_record_whose_status_no_call_gave),
    ROW(names_the_field_of_a_batch_that_is_none),
    ROW(fails_a_record_alone_that_can_not_be_read),
    ROW(gives_what_each_source_has_of_its_own),
    ROW(ends_the_scope_of_each_record),
    ROW(reports_what_there_is_no_time_for),
    ROW(says_which_record_filled_the_arena),
    ROW(gives_each_record_its_memory_anew),
    ROW(survives_hostile_batches),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/err.h"
#include "core/scope.h"
#include "core/span.h"
#include "runtime/around.h"
#include "runtime/batch.h"
#include "tests/runtime/call.h"

static char trail[2048];     /* the ids that ran, in order */
static const char *fails_at; /* the ids at which it fails, each between blanks */
static latch_batch_counts counts;
static int batches;

static void went(latch_str what) {
    size_t n = strlen(trail);
    snprintf(trail + n, sizeof trail - n, "%.*s ", LATCH_ARG(what));
}

static int set_up(void **state) {
    trail[0] = '\0';
    fails_at = "";
    batches = 0;
    return call_set_up(state, (size_t)8 << 20);
}

static latch_status note(latch_ctx *cx, latch_record *record) {
    char id[64];
    went(latch_record_id(record));
    snprintf(id, sizeof id, " %.*s ", LATCH_ARG(latch_record_id(record)));
    return strstr(fails_at, id) == NULL ? LATCH_OK : latch_fail(cx, "No", "no", "id", latch_record_id(record));
}

static latch_status park(latch_ctx *cx, latch_record *record) {
    went(LATCH_STR("parked"));
    return note(cx, record);
}

static void count_them(latch_ctx *cx, const latch_batch_counts *c) {
    latch_info(cx, "batch", "all", c->all);
    counts = *c;
    batches++;
}

#define SQS(id, receives, group, queue)                                                                                                    \
    "{\"messageId\":\"" id "\",\"body\":\"b\",\"attributes\":{\"ApproximateReceiveCount\":\"" receives "\",\"MessageGroupId\":\"" group    \
    "\"},\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:eu-west-1:1:" queue "\"}"
#define PLAIN(id, receives) SQS(id, receives, "", "q")
#define KINESIS(id, key)                                                                                                                   \
    "{\"eventSource\":\"aws:kinesis\",\"kinesis\":{\"sequenceNumber\":\"" id "\",\"partitionKey\":\"" key "\",\"data\":\"aGk=\"}}"
#define CHANGE(id) "{\"eventSource\":\"aws:dynamodb\",\"eventID\":\"" id "\",\"dynamodb\":{\"SequenceNumber\":\"" id "\"}}"
#define BATCH(records) "{\"Records\":[" records "]}"
#define ITEM(id) "{\"itemIdentifier\":\"" id "\"}"

/* As LATCH_TRY leaves it: the step isn't ended where the record fails. */
static latch_status step(latch_ctx *cx, latch_record *record) {
    latch_span span = latch_span_begin(cx, "step", latch_record_id(record));
    LATCH_TRY(note(cx, record));
    latch_span_end(cx, span, LATCH_OK);
    return LATCH_OK;
}

static void a_step_that_is_left_open_ends_with_its_record(void **state) {
    static latch_spans spans;
    (void)state;
    memset(&spans, 0, sizeof spans);
    call.spans = &spans;
    fails_at = " 1 2 ";
    assert_int_equal(caller_say(&call, (latch_handler){.record = step}, BATCH(PLAIN("1", "1") "," PLAIN("2", "1") "," PLAIN("3", "1"))),
                     LATCH_OK);
    assert_int_equal(spans.count, 3);
    for (uint32_t i = 0; i < spans.count; i++) {
        if (spans.at[i].open || spans.at[i].outer_id != 0) fail_msg("the step of record %u is open, or lies in another's", i + 1);
    }
}

static void runs_what_its_group_lets_it(void **state) {
    static const latch_batch by_group = {.by_group = true}, plain = {0};
    static const struct {
        const latch_batch *batch; /* NULL: none */
        const char *event, *fails_at, *trail, *failures;
    } rows[] = {
        {&by_group, BATCH(KINESIS("1", "a") "," KINESIS("2", "b") "," KINESIS("3", "a") "," KINESIS("4", "b")), " 1 ", "1 2 4 ", ITEM("1")},
        {&by_group, BATCH(KINESIS("1", "a") "," KINESIS("2", "b") "," KINESIS("3", "a") "," KINESIS("4", "b")), " 2 3 ", "1 2 3 ",
         ITEM("2")},
        {&plain, BATCH(KINESIS("1", "a") "," KINESIS("2", "b")), " 1 ", "1 ", ITEM("1")},
        {NULL, BATCH(KINESIS("1", "a") "," KINESIS("2", "b")), " 1 ", "1 ", ITEM("1")},
        {&by_group, BATCH(CHANGE("1") "," CHANGE("2")), " 1 ", "1 ", ITEM("1")},
        {&by_group, BATCH(SQS("1", "1", "g", "q") "," SQS("2", "1", "h", "q") "," SQS("3", "1", "g", "q")), " 1 ", "1 2 ",
         ITEM("1") "," ITEM("3")},
        {&by_group, BATCH(PLAIN("1", "1") "," PLAIN("2", "1")), " 1 ", "1 2 ", ITEM("1")}, /* of no group: each by itself */
        {&plain, BATCH(SQS("1", "1", "g", "q") "," SQS("2", "1", "g", "q")), " 1 ", "1 2 ", ITEM("1")},
        {&plain, BATCH(SQS("1", "1", "g", "q.fifo") "," SQS("2", "1", "g", "q.fifo")), " 1 ", "1 ", ITEM("1") "," ITEM("2")},
    };
    char want[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trail[0] = '\0';
        fails_at = rows[i].fails_at;
        assert_int_equal(caller_say(&call, (latch_handler){.record = note, .batch = rows[i].batch}, rows[i].event), LATCH_OK);
        snprintf(want, sizeof want, "{\"batchItemFailures\":[%s]}", rows[i].failures);
        assert_string_equal(call.reply, want);
        assert_string_equal(trail, rows[i].trail);
    }
}

static void runs_no_record_too_often(void **state) {
    static const latch_batch refused = {.receives_max = 3, .ended = count_them},
                             parked = {.receives_max = 3, .poisoned = park, .ended = count_them};
    static const char event[] = BATCH(PLAIN("a", "3") "," PLAIN("b", "4") "," PLAIN("c", "9") "," PLAIN("d", "none"));
    static const struct {
        const latch_batch *batch;
        const char *fails_at, *trail, *failures;
        latch_batch_counts counts;
    } rows[] = {
        {&refused, "", "a d ", ITEM("b") "," ITEM("c"), {.all = 4, .done = 2, .poisoned = 2}},
        {&refused, " a ", "a d ", ITEM("a") "," ITEM("b") "," ITEM("c"), {.all = 4, .done = 1, .failed = 1, .poisoned = 2}},
        {&parked, "", "a parked b parked c d ", "", {.all = 4, .done = 2, .poisoned = 2}},
        {&parked, " b ", "a parked b parked c d ", ITEM("b"), {.all = 4, .done = 2, .poisoned = 2}},
    };
    char want[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trail[0] = '\0';
        fails_at = rows[i].fails_at;
        assert_int_equal(caller_say(&call, (latch_handler){.record = note, .batch = rows[i].batch}, event), LATCH_OK);
        snprintf(want, sizeof want, "{\"batchItemFailures\":[%s]}", rows[i].failures);
        assert_string_equal(call.reply, want);
        assert_string_equal(trail, rows[i].trail);
        assert_memory_equal(&counts, &rows[i].counts, sizeof counts);
    }
    assert_int_equal(caller_say(&call, (latch_handler){.record = note, .batch = &refused}, event), LATCH_OK);
    assert_non_null(strstr(call.written, "\"errorType\":\"Poisoned\""));
    assert_non_null(strstr(call.written, "was received 4 times, of which 3 are run: it isn't any more"));
}

static latch_status never(latch_ctx *cx, latch_call *at, const void *arg) {
    (void)at, (void)arg;
    return latch_fail(cx, "Hook", "the hook ran");
}

static void what_is_poisoned_passes_no_hook(void **state) {
    static const latch_batch parked = {.receives_max = 1, .poisoned = park};
    static const latch_around around[] = {{.run = never}};
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.record = note, LATCH_AROUND(around), .batch = &parked}, BATCH(PLAIN("a", "2"))),
                     LATCH_OK);
    assert_string_equal(call.reply, "{\"batchItemFailures\":[]}");
    assert_string_equal(trail, "parked a ");
}

static void counts_what_became_of_each(void **state) {
    static const latch_batch counting = {.ended = count_them};
    static const struct {
        const char *event, *fails_at;
        int64_t late_ms; /* the time that has passed when it comes */
        latch_batch_counts counts;
    } rows[] = {
        {BATCH(""), "", 0, {0}},
        {BATCH(PLAIN("a", "1") "," PLAIN("b", "1")), " b ", 0, {.all = 2, .done = 1, .failed = 1}},
        {BATCH(KINESIS("1", "a") "," KINESIS("2", "b") "," KINESIS("3", "c")), " 2 ", 0, {.all = 3, .done = 1, .failed = 1, .not_run = 1}},
        {BATCH(SQS("1", "1", "g", "q.fifo") "," SQS("2", "1", "g", "q.fifo")), " 1 ", 0, {.all = 2, .failed = 1, .not_run = 1}},
        {BATCH(PLAIN("a", "1") "," PLAIN("b", "1")), "", 20000, {.all = 2, .not_run = 2}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fails_at = rows[i].fails_at;
        call.now_ms = CALLER_T0 + rows[i].late_ms;
        assert_int_equal(caller_say(&call, (latch_handler){.record = note, .batch = &counting}, rows[i].event), LATCH_OK);
        assert_memory_equal(&counts, &rows[i].counts, sizeof counts);
        assert_int_equal(batches, i + 1);
        assert_non_null(strstr(call.written, "\"message\":\"batch\""));
    }
    assert_int_equal(caller_say(&call, (latch_handler){.record = note, .batch = &counting}, "{}"), LATCH_E_INPUT); /* there was none */
    assert_int_equal(batches, COUNT_OF(rows));
}

static void fails_as_a_whole_where_all_failed(void **state) {
    static const latch_batch strict = {.all_failed_is_error = true, .receives_max = 5, .poisoned = park};
    static const struct {
        const char *event, *fails_at;
        int64_t late_ms;
        const char *says; /* NULL: it doesn't fail */
    } rows[] = {
        {BATCH(""), "", 0, NULL},
        {BATCH(PLAIN("a", "1") "," PLAIN("b", "1")), " a ", 0, NULL},
        {BATCH(PLAIN("a", "1") "," PLAIN("b", "1")), " a b ", 0, "none of 2 records was done; the last error: no"},
        {BATCH(KINESIS("1", "a") "," KINESIS("2", "a")), " 1 ", 0, "none of 2 records was done; the last error: no"},
        {BATCH(KINESIS("1", "a") "," KINESIS("2", "a")), " 2 ", 0, NULL},
        {BATCH(PLAIN("a", "6")), "", 0, NULL}, /* it was taken off */
        {BATCH(PLAIN("a", "6")), " a ", 0, "none of 1 records was done"},
        {BATCH(PLAIN("a", "1")), "", 20000, "none of 1 records was done; the last error: there was no time left"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fails_at = rows[i].fails_at;
        call.now_ms = CALLER_T0 + rows[i].late_ms;
        latch_status status = caller_say(&call, (latch_handler){.record = note, .batch = &strict}, rows[i].event);
        assert_int_equal(status, rows[i].says != NULL ? LATCH_E_HANDLER : LATCH_OK);
        if (rows[i].says != NULL) assert_string_equal(call.cx.err.type, "AllRecordsFailed");
        if (rows[i].says != NULL && strstr(call.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.cx.err.message);
    }
}

/* ── typed ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct order {
    latch_str id, city;
    int64_t qty;
    double weight;
    bool fragile;
    latch_json lines;
} order;

static latch_status read_order(latch_record *record, order *out) {
    return latch_record_read(record, "order_id", &out->id, "to.city", latch_optional(&out->city), "qty", latch_range(&out->qty, 1, 100),
                             "weight", latch_optional(&out->weight), "fragile", latch_optional(&out->fragile), "lines",
                             latch_optional(&out->lines));
}

static latch_status ship(latch_ctx *cx, latch_record *record, const order *o) {
    char text[256];
    (void)cx, (void)record;
    snprintf(text, sizeof text, "%.*s:%.*s:%d:%.1f:%d:%zu", LATCH_ARG(o->id), LATCH_ARG(o->city), (int)o->qty, o->weight, o->fragile,
             latch_count(o->lines));
    went(latch_str_of(text));
    return LATCH_OK;
}
static LATCH_RECORD_OF(on_order, order, read_order, ship);

#define BODY(id, body) "{\"messageId\":\"" id "\",\"body\":\"" body "\",\"eventSource\":\"aws:sqs\"}"

static void reads_a_record_into_a_struct(void **state) {
    static const struct {
        const char *body, *trail, *says; /* NULL: it is read */
    } rows[] = {
        {"{\\\"order_id\\\":\\\"o\\\",\\\"qty\\\":2}", "o::2:0.0:0:0 ", NULL},
        {"{\\\"order_id\\\":\\\"o\\\",\\\"qty\\\":2,\\\"to\\\":{\\\"city\\\":\\\"Rome\\\"},\\\"weight\\\":1.5,\\\"fragile\\\":true,"
         "\\\"lines\\\":[1,2]}",
         "o:Rome:2:1.5:1:2 ", NULL},
        {"{\\\"order_id\\\":\\\"o\\\",\\\"qty\\\":0}", "", "event.Records[1].body.qty: is 0, want a whole number from 1 to 100"},
        {"{\\\"qty\\\":1}", "", "event.Records[1].body.order_id: is missing, want text"},
        {"{\\\"order_id\\\":\\\"o\\\",\\\"qty\\\":1,\\\"to\\\":{\\\"city\\\":1}}", "", "event.Records[1].body.to.city: is 1, want text"},
        {"no JSON", "", "event.Records[1].body: "},
        {"", "", "event.Records[1].body: "},
    };
    char event[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trail[0] = '\0';
        snprintf(event, sizeof event, BATCH(BODY("a", "{\\\"order_id\\\":\\\"first\\\",\\\"qty\\\":1}") "," BODY("b", "%s")), rows[i].body);
        assert_int_equal(caller_say(&call, (latch_handler){.record = on_order}, event), LATCH_OK);
        assert_memory_equal(trail, "first::1:0.0:0:0 ", strlen("first::1:0.0:0:0 ")); /* the other one, whatever becomes of this */
        assert_string_equal(trail + strlen("first::1:0.0:0:0 "), rows[i].trail);
        assert_string_equal(call.reply, rows[i].says == NULL ? "{\"batchItemFailures\":[]}" : "{\"batchItemFailures\":[" ITEM("b") "]}");
        if (rows[i].says != NULL && strstr(call.written, rows[i].says) == NULL) fail_msg("row %zu: %s", i, call.written);
    }
}

static latch_status leave_nothing_unwritten(latch_ctx *cx, latch_record *record) {
    latch_str text = {"x", 1};
    int64_t n = 7;
    latch_json list = {cx, (const struct latch_node *)(const void *)&n};
    if (latch_record_read(record, "a", &text, "n", &n, "l", &list) == LATCH_OK) return LATCH_OK;
    went(text.len == 0 && n == 0 && list.node == NULL ? LATCH_STR("zero") : LATCH_STR("garbage"));
    return LATCH_OK;
}

static void writes_every_variable(void **state) {
    (void)state;
    assert_int_equal(caller_say(&call, (latch_handler){.record = leave_nothing_unwritten}, BATCH(BODY("a", "no JSON") "," BODY("b", "{}"))),
                     LATCH_OK);
    assert_string_equal(trail, "zero zero ");
}

static void refuses_a_policy_that_can_not_be(void **state) {
    static const latch_batch negative = {.receives_max = -1}, fine = {.receives_max = 1};
    const latch_handler *found;
    const struct {
        latch_handler handler;
        const char *says;
    } rows[] = {
        {{.name = "h", .record = note, .batch = &negative}, "the handler h: .batch->receives_max is -1, want 0 or more"},
        {{.name = "h", .event = (latch_event_fn *)(void (*)(void))note, .batch = &fine}, "the handler h has a .batch, and no .record"},
        {{.name = "h", .record = note, .batch = &fine}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)!caller_say(&call, (latch_handler){.record = note}, BATCH(""));
        assert_int_equal(latch_outcome_choose(&call.cx, &rows[i].handler, 1, "h", &found),
                         rows[i].says != NULL ? LATCH_E_MISUSE : LATCH_OK);
        if (rows[i].says != NULL) assert_string_equal(call.cx.err.message, rows[i].says);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, call_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(a_step_that_is_left_open_ends_with_its_record),
    ROW(runs_what_its_group_lets_it),
    ROW(runs_no_record_too_often),
    ROW(what_is_poisoned_passes_no_hook),
    ROW(counts_what_became_of_each),
    ROW(fails_as_a_whole_where_all_failed),
    ROW(reads_a_record_into_a_struct),
    ROW(writes_every_variable),
    ROW(refuses_a_policy_that_can_not_be),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/dedupe.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define SKEW_MS INT64_C(2000)
#define JOB_MS INT64_C(300000)
#define PK "DEDUPE#mail#m-1"
#define SK PK

static const latch_dedupe mail = {.name = "mail"};
static const latch_dedupe rerun = {.name = "mail", .rerun_completed = true};
static const latch_dedupe patient = {.name = "mail", .wait_ms = 10000};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_deadline = {"#deadlineAt < :now_minus_skew",
                                          "(#deadlineAt < :now_minus_skew OR attribute_exists(#deadlineAt))"};
static const rig_twin forgets_itself = {"#jobId <> :j", "(#jobId <> :j OR #jobId = :j)"};
static const rig_twin forgets_owner = {"#jobId = :j AND #status = :pending",
                                       "(#jobId = :j OR attribute_exists(#jobId)) AND #status = :pending"};
static const rig_twin forgets_status = {"#jobId = :j AND #status = :pending",
                                        "#jobId = :j AND (#status = :pending OR attribute_exists(#status))"};
static const rig_twin forgets_results = {"#ttl <= :now_s", "(#ttl <= :now_s OR attribute_exists(#ttl))"};

static void begin_again(rig_twin twin) {
    rig_delete(&world, PK, SK);
    pair_again(twin);
}

static latch_status enter(rig *r) { return latch_dedupe_enter(&r->cx, &mail, LATCH_STR("m-1")); }
static latch_status join(rig *r, const latch_dedupe *policy, latch_job *out) {
    return latch_dedupe_register_or_join(&r->cx, policy, LATCH_STR("m-1"), out);
}
static latch_status complete(rig *r, const latch_job *job, latch_json result) {
    return latch_dedupe_complete(&r->cx, &mail, LATCH_STR("m-1"), job->id, result);
}
static latch_status fail_it(rig *r, const latch_job *job, const char *error) {
    return latch_dedupe_fail(&r->cx, &mail, LATCH_STR("m-1"), job->id, latch_str_of(error));
}
static int64_t stored(const char *attribute) { return rig_number(&world, PK, SK, attribute); }
static bool is(const char *status) { return rig_has_text(&world, PK, SK, "status", status); }

/* ── what is sent and stored ────────────────────────────────────────────────────────────────────────────────────────────── */

static void sent(const char *text, latch_str id) {
    assert_string_equal(ann.operation, "UpdateItem");
    pair_hide(ann.last_request, id);
    assert_string_equal(ann.last_request, text);
}

#define REQUEST "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"DEDUPE#mail#m-1\"},\"sk\":{\"S\":\"DEDUPE#mail#m-1\"}},"

static void sends_exactly_this(void **state) {
    static const char registers[] = REQUEST
        "\"UpdateExpression\":\"SET #jobId = :j, #status = :pending, #createdAt = :now, #updatedAt = :now, #deadlineAt = :d, #ttl = :t, "
        "#result = :null, #error = :null\",\"ReturnValues\":\"ALL_NEW\",\"ConditionExpression\":\"(attribute_not_exists(#pk) OR #status = "
        ":failed OR (#status = :completed AND #ttl > :zero AND #ttl <= :now_s) OR (#status = :pending AND ((attribute_exists(#deadlineAt) "
        "AND "
        "#deadlineAt < :now_minus_skew) OR (attribute_not_exists(#deadlineAt) AND #ttl > :zero AND #ttl < :now_minus_skew_s)))) AND "
        "(attribute_not_exists(#jobId) OR #jobId <> "
        ":j)\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{"
        "\"#jobId\":\"jobId\",\"#status\":\"status\",\"#createdAt\":\"createdAt\",\"#updatedAt\":\"updatedAt\",\"#deadlineAt\":"
        "\"deadlineAt\",\"#ttl\":\"ttl\",\"#result\":\"result\",\"#error\":\"error\",\"#pk\":\"pk\"},\"ExpressionAttributeValues\":{\":j\":"
        "{"
        "\"S\":\"{id}\"},\":pending\":{\"S\":\"pending\"},\":now\":{\"N\":\"1767225600000\"},\":d\":{\"N\":\"1767225900000\"},\":t\":{"
        "\"N\":"
        "\"1767225962\"},\":null\":{\"NULL\":true},\":failed\":{\"S\":\"failed\"},\":completed\":{\"S\":\"completed\"},\":zero\":{\"N\":"
        "\"0\"},\":now_s\":{\"N\":\"1767225600\"},\":now_minus_skew\":{\"N\":\"1767225598000\"},\":now_minus_skew_s\":{\"N\":"
        "\"1767225598\"}}}";
    static const char completes[] = REQUEST
        "\"UpdateExpression\":\"SET #status = :completed, #result = :r, #updatedAt = :now, #ttl = :t\",\"ConditionExpression\":\"#jobId = "
        ":j "
        "AND #status = :pending\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#status\":\"status\","
        "\"#result\":\"result\",\"#updatedAt\":\"updatedAt\",\"#ttl\":\"ttl\",\"#jobId\":\"jobId\"},\"ExpressionAttributeValues\":{"
        "\":completed\":{\"S\":\"completed\"},\":r\":{\"S\":\"__NULL__\"},\":now\":{\"N\":\"1767225600000\"},\":t\":{\"N\":\"1767312000\"},"
        "\":j\":{\"S\":\"{id}\"},\":pending\":{\"S\":\"pending\"}}}";
    static const char fails[] = REQUEST
        "\"UpdateExpression\":\"SET #status = :failed, #error = :e, #updatedAt = :now\",\"ConditionExpression\":\"#jobId = :j AND #status "
        "= "
        ":pending\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#status\":\"status\",\"#error\":"
        "\"error\",\"#updatedAt\":\"updatedAt\",\"#jobId\":\"jobId\"},\"ExpressionAttributeValues\":{\":failed\":{\"S\":\"failed\"},\":e\":"
        "{"
        "\"S\":\"Limited\"},\":now\":{\"N\":\"1767225600000\"},\":j\":{\"S\":\"{id}\"},\":pending\":{\"S\":\"pending\"}}}";
    latch_job job;
    (void)state;
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    sent(registers, job.id);
    assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_OK);
    sent(completes, job.id);
    begin_again(sound);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(fail_it(&ann, &job, "Limited"), LATCH_OK);
    sent(fails, job.id);
    assert_int_equal(ann.requests, 2);
}

/* ── entering ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void handles_one_of_many_deliveries(void **state) {
    (void)state;
    assert_int_equal(enter(&ann), LATCH_OK);
    assert_int_equal(enter(&bob), LATCH_BUSY);
    assert_int_equal(latch_error(&bob.cx)->retry_at_ms, T0 + JOB_MS + SKEW_MS + 1);
    assert_int_equal(enter(&ann), LATCH_BUSY); /* again in the same scope */
    rig_end(&ann, LATCH_OK);
    assert_true(is("completed"));
    assert_int_equal(ann.requests, 3);
    rig_again(&ann, 0);
    assert_int_equal(enter(&ann), LATCH_SEEN);
    assert_int_equal(enter(&bob), LATCH_SEEN);
    assert_string_equal(latch_error(&bob.cx)->message, "DEDUPE#mail#m-1: was done before");
    rig_end(&ann, LATCH_SEEN);
    assert_int_equal(ann.requests, 1);
    assert_true(is("completed"));
}

static void settles_by_how_the_handler_ends(void **state) {
    static const struct {
        latch_status ended;
        const char *status, *error;
        latch_status next;
    } rows[] = {
        {LATCH_OK, "completed", NULL, LATCH_SEEN},
        {LATCH_LIMITED, "failed", "Limited", LATCH_OK},
        {LATCH_E_NOMEM, "failed", "ArenaFull", LATCH_OK},
        {LATCH_SEEN, "completed", NULL, LATCH_SEEN},
        {LATCH_UNDONE, "completed", NULL, LATCH_SEEN},
        {LATCH_CONFLICT, "failed", "Conflict", LATCH_OK},
        {LATCH_E_HANDLER, "failed", "CardDeclined", LATCH_OK},
        {(latch_status)1, "failed", "Unknown", LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(enter(&ann), LATCH_OK);
        if (rows[i].ended == LATCH_E_HANDLER) assert_int_equal(latch_fail(&ann.cx, "CardDeclined", "no"), LATCH_E_HANDLER);
        rig_end(&ann, rows[i].ended);
        assert_true(is(rows[i].status));
        if (rows[i].error != NULL) assert_true(rig_has_text(&world, PK, SK, "error", rows[i].error));
        if (rows[i].ended == LATCH_E_HANDLER) assert_string_equal(latch_error(&ann.cx)->type, "CardDeclined");
        assert_int_equal(enter(&bob), rows[i].next);
    }
}

static void knows_a_message_to_the_second(void **state) {
    static const struct {
        int64_t result_ms, after_ms;
        latch_status status;
    } rows[] = {
        {0, LATCH_DAY_MS - 1, LATCH_SEEN},
        {0, LATCH_DAY_MS, LATCH_OK},
        {1000, 999, LATCH_SEEN},
        {1000, 1000, LATCH_OK},
        {1, 999, LATCH_SEEN},
        {1, 1000, LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dedupe policy = {.name = "mail", .result_ms = rows[i].result_ms};
        begin_again(sound);
        assert_int_equal(latch_dedupe_enter(&ann.cx, &policy, LATCH_STR("m-1")), LATCH_OK);
        rig_end(&ann, LATCH_OK);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(enter(&bob), rows[i].status);
    }
}

static void is_taken_over_to_the_millisecond(void **state) {
    static const struct {
        int64_t job_ms, bobs_job_ms, after_ms;
        latch_status status;
    } rows[] = {
        {0, 0, JOB_MS + SKEW_MS, LATCH_BUSY},
        {0, 0, JOB_MS + SKEW_MS + 1, LATCH_OK},
        {5000, 0, 5000 + SKEW_MS, LATCH_BUSY},
        {5000, 0, 5001 + SKEW_MS, LATCH_OK},
        {0, 1, 60000, LATCH_BUSY}, /* the caller's own timeout steals nothing */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dedupe anns = {.name = "mail", .job_timeout_ms = rows[i].job_ms},
                     bobs = {.name = "mail", .job_timeout_ms = rows[i].bobs_job_ms};
        latch_job job, next;
        begin_again(sound);
        assert_int_equal(join(&ann, &anns, &job), LATCH_OK);
        int64_t least = T0 + (rows[i].job_ms > 0 ? rows[i].job_ms : JOB_MS) + SKEW_MS + 60000;
        assert_int_equal(stored("ttl"), least / 1000);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(join(&bob, &bobs, &next), rows[i].status);
        if (rows[i].status == LATCH_BUSY) assert_true(latch_str_eq(next.id, job.id));
        if (rows[i].status != LATCH_OK) continue;
        assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_CONFLICT);
        assert_int_equal(fail_it(&ann, &job, "x"), LATCH_CONFLICT);
        assert_true(is("pending"));
        assert_int_equal(complete(&bob, &next, LATCH_NULL), LATCH_OK);
    }
}

/* As npm's package writes it: no deadline of its own, so its ttl is its end; 0 is for ever. */
static void reads_jobs_without_a_deadline(void **state) {
    static const struct {
        const char *ttl;
        int64_t at_ms;
        latch_status status;
    } rows[] = {
        {"1767225700", 1767225702000, LATCH_BUSY},
        {"1767225700", 1767225702999, LATCH_BUSY},
        {"1767225700", 1767225703000, LATCH_OK},
        {"0", 1867225703000, LATCH_BUSY},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char item[512];
        latch_job job;
        begin_again(sound);
        snprintf(item, sizeof item,
                 "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK
                 "\"},\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"result\":{"
                 "\"NULL\":true},\"error\":{\"NULL\":true},\"ttl\":{\"N\":\"%s\"}}",
                 rows[i].ttl);
        rig_put(&world, item);
        rig_at(&world, rows[i].at_ms);
        assert_int_equal(join(&ann, &mail, &job), rows[i].status);
        if (rows[i].status == LATCH_BUSY) assert_true(latch_str_eq(job.id, LATCH_STR("npm")));
    }
}

/* ── jobs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void gives_a_completed_jobs_result(void **state) {
    latch_job job, other;
    (void)state;
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(job.deadline_at_ms, T0 + JOB_MS);
    assert_int_equal(complete(&ann, &job, latch_object(&ann.cx, "a", latch_int(1))), LATCH_OK);
    assert_int_equal(join(&bob, &mail, &other), LATCH_SEEN);
    assert_true(latch_str_eq(latch_text(other.result), LATCH_STR("{\"a\":1}")));
    assert_true(latch_str_eq(other.id, job.id));
    assert_int_equal(bob.requests, 1);
    assert_int_equal(join(&bob, &rerun, &other), LATCH_OK); /* the model's rule: done again */
    assert_false(latch_str_eq(other.id, job.id));
    assert_false(rig_has_text(&world, PK, SK, "result", "{\"a\":1}"));
    assert_int_equal(join(&ann, &rerun, &job), LATCH_BUSY); /* but not at the same time */
}

/* In a table whose time to live has another name, results end by that, and a stray "ttl" says nothing. */
static void reads_the_tables_own_ttl(void **state) {
    static const latch_dedupe brief = {.name = "mail", .result_ms = 1000};
    latch_job job;
    (void)state;
    ann.table.ttl = "expires";
    assert_int_equal(join(&ann, &brief, &job), LATCH_OK);
    assert_int_equal(latch_dedupe_complete(&ann.cx, &brief, LATCH_STR("m-1"), job.id, LATCH_NULL), LATCH_OK);
    assert_int_equal(latch_dedupe_wait_for(&ann.cx, &mail, LATCH_STR("m-1"), &job), LATCH_OK);
    rig_pass(&world, 1000);
    assert_int_equal(latch_dedupe_wait_for(&ann.cx, &mail, LATCH_STR("m-1"), &job), LATCH_MISSING);
    rig_put(&world, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK "\"},\"jobId\":{\"S\":\"x\"},\"status\":{\"S\":\"completed\"},"
                    "\"ttl\":{\"N\":\"1\"}}");
    assert_int_equal(latch_dedupe_wait_for(&ann.cx, &mail, LATCH_STR("m-1"), &job), LATCH_OK);
}

static void refuses_what_is_too_long(void **state) {
    static char text[LATCH_DEDUPE_ERROR_MAX_BYTES + 2];
    latch_job job;
    (void)state;
    memset(text, 'e', sizeof text - 1);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(fail_it(&ann, &job, text), LATCH_E_MISUSE);
    assert_int_equal(fail_it(&ann, &job, "\xFF"), LATCH_E_MISUSE);
    assert_int_equal(complete(&ann, &job, latch_object(&ann.cx, "a", "\xFF")), LATCH_E_MISUSE);
    rig_clean_up(&bob);
    rig_init(&bob, &world, (size_t)4 << 20);
    char *big = calloc(1, LATCH_DEDUPE_RESULT_MAX_BYTES);
    memset(big, 'x', LATCH_DEDUPE_RESULT_MAX_BYTES);
    latch_str whole = {big, LATCH_DEDUPE_RESULT_MAX_BYTES};
    assert_int_equal(complete(&bob, &job, latch_object(&bob.cx, "a", whole)), LATCH_E_MISUSE);
    free(big);
    assert_int_equal(ann.requests + bob.requests, 1);
    text[LATCH_DEDUPE_ERROR_MAX_BYTES] = '\0';
    assert_int_equal(fail_it(&ann, &job, text), LATCH_OK);
}

static void tells_whether_one_is_at_it(void **state) {
    bool at_it;
    latch_job job;
    (void)state;
    assert_int_equal(latch_dedupe_is_in_progress(&bob.cx, &mail, LATCH_STR("m-1"), &at_it), LATCH_OK);
    assert_false(at_it);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(latch_dedupe_is_in_progress(&bob.cx, &mail, LATCH_STR("m-1"), &at_it), LATCH_OK);
    assert_true(at_it);
    rig_pass(&world, JOB_MS + SKEW_MS + 1);
    assert_int_equal(latch_dedupe_is_in_progress(&bob.cx, &mail, LATCH_STR("m-1"), &at_it), LATCH_OK);
    assert_false(at_it);
    assert_int_equal(bob.requests, 3);
    bob.faults[3] = FAILS_THROTTLED;
    assert_int_equal(latch_dedupe_is_in_progress(&bob.cx, &mail, LATCH_STR("m-1"), &at_it), LATCH_E_THROTTLED);
    assert_false(at_it);
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_job bobs_job;
static latch_status how_it_ends;

static size_t ends_at;

static void bob_ends(void *arg) {
    (void)arg;
    if (ann.requests != ends_at) return;
    if (how_it_ends == LATCH_OK) assert_int_equal(complete(&bob, &bobs_job, latch_object(&bob.cx, "n", latch_int(7))), LATCH_OK);
    if (how_it_ends == LATCH_CONFLICT) assert_int_equal(fail_it(&bob, &bobs_job, "no luck"), LATCH_OK);
    if (how_it_ends == LATCH_MISSING) rig_delete(&world, PK, SK);
}

static void waits_for_a_jobs_end(void **state) {
    static const struct {
        latch_status ends, status;
        size_t requests;
        int64_t slept_least_ms, slept_most_ms;
    } rows[] = {
        {LATCH_OK, LATCH_OK, 3, 500, 1000},
        {LATCH_CONFLICT, LATCH_CONFLICT, 3, 500, 1000},
        {LATCH_MISSING, LATCH_MISSING, 3, 500, 1000},
        {LATCH_BUSY, LATCH_BUSY, 0, 10000, 10000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_job job;
        begin_again(sound);
        assert_int_equal(join(&bob, &mail, &bobs_job), LATCH_OK);
        how_it_ends = rows[i].ends;
        ends_at = 3;
        ann.before = bob_ends;
        assert_int_equal(latch_dedupe_wait_for(&ann.cx, &patient, LATCH_STR("m-1"), &job), rows[i].status);
        if (rows[i].requests > 0) assert_int_equal(ann.requests, rows[i].requests);
        assert_in_range(ann.slept_ms, rows[i].slept_least_ms, rows[i].slept_most_ms);
        if (rows[i].status == LATCH_OK) assert_true(latch_str_eq(latch_text(job.result), LATCH_STR("{\"n\":7}")));
        if (rows[i].status == LATCH_CONFLICT) assert_true(latch_str_eq(job.error, LATCH_STR("no luck")));
        if (rows[i].status == LATCH_BUSY) assert_in_range(ann.requests, 20, 41);
        if (rows[i].status == LATCH_BUSY) assert_true(ann.arena.used < 8000);
    }
}

static void enters_when_the_other_failed(void **state) {
    static const struct {
        latch_status ends, status;
        size_t requests;
    } rows[] = {{LATCH_OK, LATCH_SEEN, 3}, {LATCH_CONFLICT, LATCH_OK, 3}, {LATCH_MISSING, LATCH_OK, 3}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(join(&bob, &mail, &bobs_job), LATCH_OK);
        how_it_ends = rows[i].ends;
        ends_at = 2;
        ann.before = bob_ends;
        assert_int_equal(latch_dedupe_enter(&ann.cx, &patient, LATCH_STR("m-1")), rows[i].status);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_in_range(ann.slept_ms, 250, 500);
    }
}

/* One pause is one read: the registration has just said what a look would. */
static void pauses_before_it_looks(void **state) {
    static const latch_dedupe brief = {.name = "mail", .wait_ms = 1};
    (void)state;
    assert_int_equal(join(&bob, &mail, &bobs_job), LATCH_OK);
    assert_int_equal(latch_dedupe_enter(&ann.cx, &brief, LATCH_STR("m-1")), LATCH_BUSY);
    assert_int_equal(ann.requests, 2);
    assert_int_equal(ann.slept_ms, 1);
    assert_int_equal(latch_error(&ann.cx)->retry_at_ms, T0 + JOB_MS + SKEW_MS + 1);
}

static void takes_5_ms(void *arg) {
    (void)arg;
    rig_pass(&world, 5);
}

/* Waiting and registering go by one rule, to the millisecond: nobody is sent from one to the other and back. */
static void waits_for_jobs_without_a_deadline(void **state) {
    static const struct {
        const char *ttl;
        latch_status status;
        int64_t retry_at_ms;
        size_t requests_most;
    } rows[] = {
        {"0", LATCH_BUSY, 0, 42},
        {"1767225601", LATCH_OK, 0, 42}, /* over at T0 + 1 s, its whole second, and the clocks' margin */
        {"1767225700", LATCH_BUSY, 1767225701000 + SKEW_MS, 42},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char item[512];
        begin_again(sound);
        snprintf(item, sizeof item,
                 "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK
                 "\"},\"jobId\":{\"S\":\"npm\"},\"status\":{\"S\":\"pending\"},\"ttl\":{\"N\":\"%s\"}}",
                 rows[i].ttl);
        rig_put(&world, item);
        ann.before = takes_5_ms;
        assert_int_equal(latch_dedupe_enter(&ann.cx, &patient, LATCH_STR("m-1")), rows[i].status);
        assert_true(ann.requests <= rows[i].requests_most);
        if (rows[i].status == LATCH_BUSY) assert_int_equal(latch_error(&ann.cx)->retry_at_ms, rows[i].retry_at_ms);
        if (rows[i].status == LATCH_BUSY) assert_true(ann.slept_ms > 9000);
        if (rows[i].status == LATCH_OK) assert_in_range(rig_now_ms(&world), T0 + 2000 + SKEW_MS, T0 + 2010 + SKEW_MS);
    }
}

static void stops_waiting_before_the_deadline(void **state) {
    (void)state;
    assert_int_equal(join(&bob, &mail, &bobs_job), LATCH_OK);
    ann.cx.deadline_at_ms = T0 + 3000;
    assert_int_equal(latch_dedupe_enter(&ann.cx, &patient, LATCH_STR("m-1")), LATCH_BUSY);
    assert_in_range(ann.slept_ms, 2000, 2999);
}

static void takes_over_while_it_waits(void **state) {
    static const latch_dedupe brief = {.name = "mail", .job_timeout_ms = 1000};
    (void)state;
    assert_int_equal(join(&bob, &brief, &bobs_job), LATCH_OK);
    assert_int_equal(latch_dedupe_enter(&ann.cx, &patient, LATCH_STR("m-1")), LATCH_OK);
    assert_int_equal(ann.slept_ms, 1000 + SKEW_MS + 1);
}

/* ── answers that don't come ────────────────────────────────────────────────────────────────────────────────────────────── */

static void survives_a_failure_at_every_request(void **state) {
    static const struct {
        fault fails;
        latch_status status;
        size_t more_requests;
    } rows[] = {
        {NO_FAULT, LATCH_OK, 0}, {NOT_SENT, LATCH_E_NETWORK, 0}, {LOST_BEFORE, LATCH_OK, 1},     {LOST_AFTER, LATCH_OK, 1},
        {LATE, LATCH_OK, 1},     {FAILS_500, LATCH_OK, 1},       {ANSWERS_NO_JSON, LATCH_OK, 1}, {FAILS_THROTTLED, LATCH_E_THROTTLED, 0},
    };
    (void)state;
    assert_int_equal(COUNT_OF(rows), FAULT_COUNT);
    for (size_t i = 0; i < 3 * COUNT_OF(rows); i++) {
        size_t row = i / 3, how = i % 3; /* register; complete; fail */
        latch_job job;
        begin_again(sound);
        ann.faults[how == 0 ? 0 : 1] = rows[row].fails;
        latch_status status = join(&ann, &mail, &job);
        if (how == 1) status = complete(&ann, &job, LATCH_NULL);
        if (how == 2) status = fail_it(&ann, &job, "x");
        assert_int_equal(status, rows[row].status);
        assert_int_equal(ann.requests, (how == 0 ? 1 : 2) + rows[row].more_requests);
        if (status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        bool settled = status == LATCH_OK && how > 0;
        if (status != LATCH_OK && how == 0) assert_false(rig_has(&world, PK, SK, "jobId"));
        if (status == LATCH_OK || how > 0) assert_true(is(!settled ? "pending" : how == 1 ? "completed" : "failed"));
    }
}

static void says_what_lost_answers_leave_open(void **state) {
    latch_job job, other;
    (void)state;
    ann.faults[0] = ann.faults[1] = ann.faults[2] = LOST_AFTER;
    assert_int_equal(enter(&ann), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    rig_end(&ann, LATCH_E_TIMEOUT);
    assert_int_equal(join(&bob, &mail, &other), LATCH_BUSY);
    begin_again(sound);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    ann.faults[1] = LOST_AFTER, ann.faults[2] = NOT_SENT;
    assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_E_NETWORK);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_OK); /* harmless */
    assert_int_equal(fail_it(&ann, &job, "x"), LATCH_CONFLICT);
    assert_true(is("completed"));
}

#define KEY "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" PK "\"}"

/* A lost try stays open though the item that refused its repeat can't be read. */
static void says_so_though_the_item_is_bad(void **state) {
    static const char no_json[] = KEY ",\"status\":{\"S\":\"completed\"},\"jobId\":{\"S\":\"j\"},\"ttl\":{\"N\":\"9999999999\"},"
                                      "\"result\":{\"S\":\"{oops\"}}";
    static const char odd[] = KEY ",\"status\":{\"S\":\"odd\"},\"jobId\":{\"S\":\"j\"}}";
    static const struct {
        const char *item;
        fault first;
        bool maybe_applied;
    } rows[] = {{no_json, LATE, true}, {no_json, NO_FAULT, false}, {odd, LATE, true}, {odd, NO_FAULT, false}};
    (void)state;
    for (size_t i = 0; i < 3 * COUNT_OF(rows); i++) {
        size_t row = i / 3, how = i % 3; /* register; complete; fail */
        latch_job job = {.id = LATCH_STR("mine")};
        if (rows[row].item == no_json && how > 0) continue; /* settling reads no result */
        begin_again(sound);
        rig_put(&world, rows[row].item);
        ann.faults[0] = rows[row].first;
        latch_status status = how == 0 ? join(&ann, &mail, &job) : how == 1 ? complete(&ann, &job, LATCH_NULL) : fail_it(&ann, &job, "x");
        assert_int_equal(status, LATCH_E_DATA);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[row].maybe_applied);
    }
}

/* A first registration is applied while ann waits for bob: the job is hers, whether a look or a registration shows it. */
static size_t arrives_at;

static void bob_fails_and_anns_first_arrives(void *arg) {
    (void)arg;
    if (ann.requests == 3) assert_int_equal(fail_it(&bob, &bobs_job, "x"), LATCH_OK);
    if (ann.requests == arrives_at) rig_deliver(&ann);
}

static void recognises_its_job_in_a_later_try(void **state) {
    (void)state;
    for (arrives_at = 3; arrives_at <= 4; arrives_at++) { /* the look's, the second registration's */
        begin_again(sound);
        assert_int_equal(join(&bob, &mail, &bobs_job), LATCH_OK);
        ann.faults[0] = LATE;
        ann.before = bob_fails_and_anns_first_arrives;
        assert_int_equal(latch_dedupe_enter(&ann.cx, &patient, LATCH_STR("m-1")), LATCH_OK);
        assert_int_equal(ann.requests, 4);
        assert_in_range(ann.slept_ms, 250, 500);
        ann.before = NULL;
        rig_end(&ann, LATCH_OK);
        assert_true(is("completed"));
    }
}

/* ── late requests, and what stops them ─────────────────────────────────────────────────────────────────────────────────── */

/* Ann's registration comes late: after she failed the job that its repeat made. True: it stays failed. */
static bool a_late_registration_finds_it_done(rig_twin twin) {
    latch_job job;
    begin_again(twin);
    ann.faults[0] = LATE;
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(fail_it(&ann, &job, "x"), LATCH_OK);
    rig_deliver(&ann);
    return is("failed");
}

/* Ann's completion comes late: bob has taken over. True: his job is pending still. */
static bool a_late_completion_is_refused(rig_twin twin) {
    latch_job anns, bobs;
    begin_again(twin);
    assert_int_equal(join(&ann, &mail, &anns), LATCH_OK);
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(complete(&ann, &anns, LATCH_NULL), LATCH_E_TIMEOUT);
    rig_pass(&world, JOB_MS + SKEW_MS + 1);
    assert_int_equal(join(&bob, &mail, &bobs), LATCH_OK);
    rig_deliver(&ann);
    return is("pending");
}

/* Failing comes late, after the job was completed. True: it stays completed. */
static bool a_late_failure_overturns_nothing(rig_twin twin) {
    latch_job job;
    begin_again(twin);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(fail_it(&ann, &job, "x"), LATCH_E_TIMEOUT);
    assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_OK);
    rig_deliver(&ann);
    return is("completed");
}

static bool another_is_refused(rig_twin twin) {
    latch_job job;
    begin_again(twin);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    return join(&bob, &mail, &job) == LATCH_BUSY;
}

static bool what_was_done_is_seen(rig_twin twin) {
    latch_job job;
    begin_again(twin);
    assert_int_equal(join(&ann, &mail, &job), LATCH_OK);
    assert_int_equal(complete(&ann, &job, LATCH_NULL), LATCH_OK);
    return join(&bob, &mail, &job) == LATCH_SEEN;
}

static void stops_what_comes_late(void **state) {
    (void)state;
    assert_true(a_late_registration_finds_it_done(sound));
    assert_true(a_late_completion_is_refused(sound));
    assert_true(a_late_failure_overturns_nothing(sound));
    assert_true(another_is_refused(sound));
    assert_true(what_was_done_is_seen(sound));
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_false(a_late_registration_finds_it_done(forgets_itself));
    assert_false(a_late_completion_is_refused(forgets_owner));
    assert_false(a_late_failure_overturns_nothing(forgets_status));
    assert_false(another_is_refused(forgets_deadline));
    assert_false(what_was_done_is_seen(forgets_results));
    assert_true(world.twisted > 0);
}

/* ── bad arguments, bad items, little memory ────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_arguments_without_sending(void **state) {
    static char long_key[1014];
    static const struct {
        latch_dedupe policy;
        const char *key, *says;
    } rows[] = {
        {{.name = NULL}, "k", "dedupe: .name is empty"},
        {{.name = "mail", .job_timeout_ms = -1}, "k", "dedupe mail: .job_timeout_ms is -1, want 0 to 31622400000"},
        {{.name = "mail", .result_ms = -1}, "k", "dedupe mail: .result_ms is -1, want 0 to 31622400000"},
        {{.name = "mail", .wait_ms = -1}, "k", "dedupe mail: .wait_ms is -1, want 0 to 31622400000"},
        {{.name = "mail", .timeout_ms = -1}, "k", "timeout_ms is -1, want 0 or more"},
        {{.name = "mail"}, "", "dedupe mail: the key is empty"},
        {{.name = "mail"}, "a\tb", "dedupe mail: the key has the control byte 0x09 at 1"},
        {{.name = "mail"}, "\xF5", "dedupe mail: the key is not UTF-8"},
        {{.name = "mail"}, long_key, "dedupe mail: the key has 1013 bytes, escaped and with the store's name 1025, want at most 1024"},
    };
    latch_job job;
    (void)state;
    memset(long_key, 'k', sizeof long_key - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_dedupe_enter(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key)), rig_blames(rows[i].says));
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key), &job),
                         rig_blames(rows[i].says));
    }
    ann.cx.scope = NULL;
    assert_int_equal(enter(&ann), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
    long_key[1012] = '\0';
    assert_int_equal(latch_dedupe_register_or_join(&ann.cx, &mail, latch_str_of(long_key), &job), LATCH_OK);
}

static void names_what_is_wrong_with_an_item(void **state) {
    static const struct {
        const char *item, *says;
    } rows[] = {
        {KEY ",\"status\":{\"S\":\"done\"}}", "item.status: is done, want pending, completed or failed"},
        {KEY ",\"status\":{\"S\":\"pending\"}}", "item.jobId.S: is missing, want text"},
        {KEY ",\"status\":{\"S\":\"pending\"},\"jobId\":{\"S\":\"j\"},\"ttl\":{\"N\":\"9223372036854775807\"}}",
         "item.ttl: is 9223372036854775807, want Unix seconds"},
        {KEY ",\"status\":{\"S\":\"pending\"},\"jobId\":{\"S\":\"j\"},\"deadlineAt\":{\"N\":\"9223372036854775807\"}}",
         "item.deadlineAt: is 9223372036854775807, want Unix milliseconds"},
        {KEY ",\"status\":{\"S\":\"completed\"},\"jobId\":{\"S\":\"j\"},\"ttl\":{\"N\":\"9999999999\"},\"result\":{\"S\":\"{\"}}", NULL},
    };
    latch_job job;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_put(&world, rows[i].item);
        assert_int_equal(join(&ann, &mail, &job), LATCH_E_DATA);
        if (rows[i].says != NULL) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_int_equal(latch_dedupe_wait_for(&ann.cx, &mail, LATCH_STR("m-1"), &job), LATCH_E_DATA);
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t bytes = 16, refused = 0;
    latch_status status;
    (void)state;
    do {
        begin_again(sound);
        rig_again(&ann, bytes);
        status = enter(&ann);
        if (status != LATCH_OK) {
            assert_int_equal(status, LATCH_E_NOMEM);
            if (rig_has(&world, PK, SK, "jobId")) assert_true(latch_error(&ann.cx)->maybe_applied);
            if (ann.requests == 0) assert_false(latch_error(&ann.cx)->maybe_applied);
            refused++;
        }
        rig_end(&ann, status);
        bytes += bytes < 12000 ? 512 : 16; /* the first 12 KB are set aside for settling */
    } while (status != LATCH_OK && bytes <= RIG_ARENA_BYTES);
    assert_int_equal(status, LATCH_OK);
    assert_true(is("completed"));
    assert_true(refused > 20);
}

static void settles_though_the_arena_is_full(void **state) {
    static const latch_status rows[] = {LATCH_OK, LATCH_E_NOMEM};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(enter(&ann), LATCH_OK);
        while (latch_arena_alloc(&ann.arena, 16) != NULL)
            continue;
        rig_end(&ann, rows[i]);
        assert_true(is(rows[i] == LATCH_OK ? "completed" : "failed"));
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(handles_one_of_many_deliveries),
    ROW(settles_by_how_the_handler_ends),
    ROW(knows_a_message_to_the_second),
    ROW(is_taken_over_to_the_millisecond),
    ROW(reads_jobs_without_a_deadline),
    ROW(gives_a_completed_jobs_result),
    ROW(reads_the_tables_own_ttl),
    ROW(refuses_what_is_too_long),
    ROW(tells_whether_one_is_at_it),
    ROW(waits_for_a_jobs_end),
    ROW(enters_when_the_other_failed),
    ROW(pauses_before_it_looks),
    ROW(waits_for_jobs_without_a_deadline),
    ROW(stops_waiting_before_the_deadline),
    ROW(takes_over_while_it_waits),
    ROW(survives_a_failure_at_every_request),
    ROW(says_what_lost_answers_leave_open),
    ROW(says_so_though_the_item_is_bad),
    ROW(recognises_its_job_in_a_later_try),
    ROW(stops_what_comes_late),
    ROW(finds_the_broken_twins),
    ROW(refuses_bad_arguments_without_sending),
    ROW(names_what_is_wrong_with_an_item),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(settles_though_the_arena_is_full),
};

CHECK_MAIN(tests)

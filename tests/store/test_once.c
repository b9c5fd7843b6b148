#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define SKEW_MS INT64_C(2000)
#define TIME_MS INT64_C(60000) /* in progress, where nothing else is said */
#define PK "ONCE#order#o-1"
#define SK "ONCE"

/* ── the work: what it was asked, and what it answers ───────────────────────────────────────────────────────────────────── */

static struct work {
    latch_status ends;
    size_t runs;
    uint32_t takeovers;
    int64_t takes_ms;
    size_t response_bytes; /* 0: {"n":<runs>} */
    void (*meanwhile)(void);
    bool fills_arena, breaks_response;
    int64_t keep_ms;
    bool maybe_applied, says_no_more; /* of its error; the error is only returned, not set */
} work;

static latch_status ship(latch_ctx *cx, latch_work *w) {
    work.runs++;
    work.takeovers = w->takeovers;
    w->keep_ms = work.keep_ms;
    assert_true(latch_str_eq(w->key, LATCH_STR("o-1")));
    rig_pass(&world, work.takes_ms);
    void (*meanwhile)(void) = work.meanwhile;
    work.meanwhile = NULL;
    if (meanwhile != NULL) meanwhile();
    w->result = latch_object(cx, "n", (int64_t)work.runs);
    if (work.breaks_response) w->result = latch_object(cx, "n", LATCH_STR("\xFF"));
    if (work.response_bytes > 0) {
        char *text = malloc(work.response_bytes);
        memset(text, 'x', work.response_bytes);
        latch_str t = {text, work.response_bytes - (sizeof "{\"t\":\"\"}" - 1)};
        w->result = latch_object(cx, "t", t);
        free(text);
    }
    while (work.fills_arena && latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    if (work.says_no_more) return work.ends;
    if (work.ends == LATCH_E_HANDLER) return latch_fail(cx, "CardDeclined", "no");
    if (work.maybe_applied) {
        (void)latch_err_set(&cx->err, work.ends, "an inner write got no answer");
        cx->err.maybe_applied = true;
        return work.ends;
    }
    if (work.ends >= LATCH_MISSING && work.ends <= LATCH_UNDONE) return latch_refuse(cx, work.ends, "said so");
    cx->err.status = work.ends;
    return work.ends;
}

static const latch_once order = {.name = "order", .work = ship};
static const latch_once patient_order = {.name = "order", .work = ship, .wait_ms = 10000};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_time = {"#in_progress_expiration < :now_ms_minus_skew",
                                      "(#in_progress_expiration < :now_ms_minus_skew OR attribute_exists(#in_progress_expiration))"};
static const rig_twin forgets_itself = {"#owner <> :o", "(#owner <> :o OR #owner = :o)"};
static const rig_twin forgets_owner = {"#owner = :o AND #status", "(#owner = :o OR attribute_exists(#owner)) AND #status"};
static const rig_twin forgets_status = {"#status = :inprogress AND #in_progress_expiration > :zero",
                                        "(#status = :inprogress OR #in_progress_expiration > :zero)"};

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)4 << 20);
    work = (struct work){0};
    return 0;
}

static void begin_again(rig_twin twin) {
    rig_delete(&world, PK, SK);
    work = (struct work){0};
    pair_again(twin);
}

static latch_json payload(rig *r, const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&r->cx, "payload", latch_str_of(text), &v), LATCH_OK);
    return v;
}

static latch_status do_with(rig *r, const latch_once *once, const char *text, latch_once_result *out) {
    return latch_once_do(&r->cx, once, LATCH_STR("o-1"), payload(r, text), out);
}
static latch_status run(rig *r, latch_once_result *out) { return do_with(r, &order, "{\"a\":1}", out); }

static int64_t stored(const char *attribute) { return rig_number(&world, PK, SK, attribute); }
static bool stored_status(const char *status) { return rig_has_text(&world, PK, SK, "status", status); }
static bool answers(const latch_once_result *out, const char *text) { return latch_str_eq(latch_text(out->response), latch_str_of(text)); }

/* ── what is sent and stored ────────────────────────────────────────────────────────────────────────────────────────────── */

static char *requests[4];

static void keep_request(void *arg) {
    (void)arg;
    free(requests[(ann.requests - 1) % 4]);
    requests[(ann.requests - 1) % 4] = strdup(ann.last_request);
}

static void hide(char *request, latch_str id, const char *as) {
    char *at = request;
    size_t len = strlen(as);
    while ((at = memmem(at, strlen(at), id.ptr, id.len)) != NULL) {
        memmove(at + len, at + id.len, strlen(at + id.len) + 1);
        memcpy(at, as, len);
    }
}

static void is_request(size_t i, const char *text) {
    latch_str owner, validation = LATCH_STR("015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
    assert_int_equal(latch_item_text(rig_item(&world, PK, SK), "owner", &owner), LATCH_OK);
    hide(requests[i], owner, "{id}");
    hide(requests[i], validation, "{sha256}");
    assert_string_equal(requests[i], text);
}

#define REQUEST "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"ONCE#order#o-1\"},\"sk\":{\"S\":\"ONCE\"}},"

static void sends_exactly_this(void **state) {
    static const char claims[] = REQUEST
        "\"UpdateExpression\":\"SET #status = :inprogress, #expiration = :exp, #ttl = :exp, #in_progress_expiration = :ipe, #owner = :o, "
        "#validation = :p, #takeovers = if_not_exists(#takeovers, :minus_one) + :one REMOVE #data\",\"ReturnValues\":\"ALL_NEW\","
        "\"ConditionExpression\":\"(attribute_not_exists(#pk) OR (#status = :completed AND #expiration < :now) OR (#status = :inprogress "
        "AND "
        "attribute_exists(#in_progress_expiration) AND #in_progress_expiration < :now_ms_minus_skew AND (attribute_not_exists(#validation) "
        "OR "
        "#validation = :p OR #expiration < :now_minus_skew)) OR (#status = :inprogress AND attribute_not_exists(#in_progress_expiration) "
        "AND "
        "#expiration < :now_minus_skew)) AND (attribute_not_exists(#owner) OR #owner <> :o)\","
        "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#status\":\"status\",\"#expiration\":"
        "\"expiration\",\"#ttl\":\"ttl\",\"#in_progress_expiration\":\"in_progress_expiration\",\"#owner\":\"owner\",\"#validation\":"
        "\"validation\",\"#takeovers\":\"takeovers\",\"#data\":\"data\",\"#pk\":\"pk\"},\"ExpressionAttributeValues\":{\":inprogress\":{"
        "\"S\":\"INPROGRESS\"},\":exp\":{\"N\":\"1767229200\"},\":ipe\":{\"N\":\"1767225660000\"},\":o\":{\"S\":\"{id}\"},\":p\":{\"S\":"
        "\"{sha256}\"},\":minus_one\":{\"N\":\"-1\"},\":one\":{\"N\":\"1\"},\":completed\":{\"S\":\"COMPLETED\"},\":now\":{\"N\":"
        "\"1767225600\"},\":now_ms_minus_skew\":{\"N\":\"1767225598000\"},\":now_minus_skew\":{\"N\":\"1767225598\"}}}";
    static const char completes[] = REQUEST
        "\"UpdateExpression\":\"SET #status = :completed, #data = :d, #expiration = :e, #ttl = :e, #doneAt = :now_ms REMOVE #takeovers\","
        "\"ConditionExpression\":\"#owner = :o AND #status = :inprogress AND #in_progress_expiration > :zero\","
        "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#status\":\"status\",\"#data\":\"data\","
        "\"#expiration\":\"expiration\",\"#ttl\":\"ttl\",\"#doneAt\":\"doneAt\",\"#takeovers\":\"takeovers\",\"#owner\":\"owner\","
        "\"#in_progress_expiration\":\"in_progress_expiration\"},\"ExpressionAttributeValues\":{\":completed\":{\"S\":\"COMPLETED\"},"
        "\":d\":{\"S\":\"{\\\"n\\\":1}\"},\":e\":{\"N\":\"1767229201\"},\":now_ms\":{\"N\":\"1767225600500\"},\":o\":{\"S\":\"{id}\"},"
        "\":inprogress\":{\"S\":\"INPROGRESS\"},\":zero\":{\"N\":\"0\"}}}";
    latch_once_result out;
    (void)state;
    ann.before = keep_request;
    work.takes_ms = 500;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    is_request(0, claims);
    is_request(1, completes);
    assert_int_equal(ann.requests, 2);
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        free(requests[i]);
    memset(requests, 0, sizeof requests);
}

static void does_it_once_and_replays(void **state) {
    latch_once_result out;
    (void)state;
    work.takes_ms = 500;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_true(out.did && !out.not_kept && answers(&out, "{\"n\":1}"));
    assert_int_equal(out.done_at_ms, T0 + 500);
    assert_int_equal(ann.requests, 2);
    rig_pass(&world, 1000);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(!out.did && !out.not_kept && answers(&out, "{\"n\":1}"));
    assert_int_equal(out.done_at_ms, T0 + 500);
    assert_int_equal(bob.requests, 1);
    assert_int_equal(work.runs, 1);
    assert_true(stored_status("COMPLETED"));
    assert_int_equal(stored("expiration"), T0 / 1000 + 1 + 3600);
    assert_int_equal(stored("ttl"), T0 / 1000 + 1 + 3600);
    assert_false(rig_has(&world, PK, SK, "takeovers"));
}

static void keeps_the_answer_to_the_second(void **state) {
    static const struct {
        int64_t keep_ms, after_ms;
        bool did;
    } rows[] = {
        {0, 3600000, false},
        {0, 3600999, false},
        {0, 3601000, true},
        {1000, 1999, false},
        {1000, 2000, true},
        {1, 1999, false},
        {1, 2000, true}, /* a part of a second counts whole */
        {LATCH_SPAN_MS_MAX, LATCH_SPAN_MS_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once policy = {.name = "order", .work = ship, .keep_ms = rows[i].keep_ms};
        latch_once_result out;
        begin_again(sound);
        assert_int_equal(do_with(&ann, &policy, "{\"a\":1}", &out), LATCH_OK);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(do_with(&ann, &policy, "{\"a\":1}", &out), LATCH_OK);
        assert_int_equal(out.did, rows[i].did);
        assert_int_equal(work.takeovers, 0);
        assert_int_equal(work.runs, rows[i].did ? 2 : 1);
    }
}

static void tells_one_payload_from_another(void **state) {
    static const struct {
        const char *first, *second;
        latch_status status;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{ \"b\": 2, \"a\": 1 }", LATCH_OK},
        {"{\"a\":1}", "{\"a\":2}", LATCH_MISMATCH},
        {"{\"a\":1}", "{\"a\":\"1\"}", LATCH_MISMATCH},
        {"{\"a\":[1,2]}", "{\"a\":[2,1]}", LATCH_MISMATCH},
        {"null", "null", LATCH_OK},
        {"null", "{}", LATCH_MISMATCH},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        assert_int_equal(do_with(&ann, &order, rows[i].first, &out), LATCH_OK);
        assert_int_equal(do_with(&bob, &order, rows[i].second, &out), rows[i].status);
        assert_int_equal(out.done_at_ms != 0, rows[i].status == LATCH_OK);
        assert_int_equal(work.runs, 1);
        assert_int_equal(bob.requests, 1);
        if (rows[i].status != LATCH_OK) assert_string_equal(latch_error(&bob.cx)->message, "ONCE#order#o-1: was used with another payload");
    }
}

/* ── another is at it ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status bobs_status;
static latch_once_result bobs_result;
static const char *bobs_payload;

static void bob_comes(void) { bobs_status = do_with(&bob, &order, bobs_payload, &bobs_result); }

static void refuses_while_another_is_at_it(void **state) {
    static const struct {
        const char *payload;
        int64_t takes_ms, left_ms, in_progress_ms;
        latch_status status;
        int64_t retry_after_ms;
    } rows[] = {
        {"{\"a\":1}", 0, 0, 0, LATCH_BUSY, TIME_MS},    {"{\"a\":1}", TIME_MS + SKEW_MS, 0, 0, LATCH_BUSY, TIME_MS},
        {"{\"a\":1}", 5000, 5000, 0, LATCH_BUSY, 5000}, {"{\"a\":1}", 5000, 5000, 9000, LATCH_BUSY, 9000},
        {"{\"a\":2}", 0, 0, 0, LATCH_MISMATCH, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once policy = order;
        latch_once_result out;
        begin_again(sound);
        policy.in_progress_ms = rows[i].in_progress_ms;
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        work.takes_ms = rows[i].takes_ms;
        work.meanwhile = bob_comes;
        bobs_payload = rows[i].payload;
        latch_status status = do_with(&ann, &policy, "{\"a\":1}", &out);
        assert_int_equal(status, ann.cx.deadline_at_ms <= rig_now_ms(&world) ? LATCH_E_TIMEOUT : LATCH_OK);
        assert_int_equal(bobs_status, rows[i].status);
        assert_int_equal(bob.requests, 1);
        assert_int_equal(work.runs, 1);
        if (rows[i].status == LATCH_BUSY) assert_int_equal(latch_error(&bob.cx)->retry_at_ms, T0 + rows[i].retry_after_ms + SKEW_MS + 1);
        assert_false(latch_error(&bob.cx)->maybe_applied);
    }
}

/* Ann crashed in her work: nothing she sends after it arrives. */
static void ann_crashes(const latch_once *policy) {
    latch_once_result out;
    ann.faults[1] = ann.faults[2] = ann.faults[3] = NOT_SENT;
    work.ends = LATCH_E_NETWORK;
    assert_int_equal(do_with(&ann, policy, "{\"a\":1}", &out), LATCH_E_NETWORK);
    work.ends = LATCH_OK;
    assert_true(stored_status("INPROGRESS"));
    assert_int_equal(stored("takeovers"), 0);
}

static void is_started_again_to_the_millisecond_and_told(void **state) {
    static const struct {
        int64_t in_progress_ms, left_ms, after_ms;
        latch_status status;
    } rows[] = {
        {0, 0, TIME_MS + SKEW_MS, LATCH_BUSY}, {0, 0, TIME_MS + SKEW_MS + 1, LATCH_OK}, {0, 7000, 7000 + SKEW_MS, LATCH_BUSY},
        {0, 7000, 7001 + SKEW_MS, LATCH_OK},   {500, 0, 500 + SKEW_MS, LATCH_BUSY},     {500, 7000, 501 + SKEW_MS, LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once policy = {.name = "order", .work = ship, .in_progress_ms = rows[i].in_progress_ms};
        latch_once_result out;
        begin_again(sound);
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        ann_crashes(&policy);
        rig_at(&world, T0 + rows[i].after_ms);
        assert_int_equal(run(&bob, &out), rows[i].status);
        assert_int_equal(work.runs, rows[i].status == LATCH_OK ? 2 : 1);
        if (rows[i].status == LATCH_OK) assert_int_equal(work.takeovers, 1);
    }
}

static void counts_each_takeover(void **state) {
    latch_once_result out;
    (void)state;
    ann_crashes(&order);
    for (uint32_t i = 1; i <= 3; i++) {
        rig_pass(&world, TIME_MS + SKEW_MS + 1);
        rig_again(&ann, 0);
        ann.faults[1] = ann.faults[2] = ann.faults[3] = NOT_SENT;
        work.ends = LATCH_E_NETWORK;
        assert_int_equal(run(&ann, &out), LATCH_E_NETWORK);
        assert_int_equal(work.takeovers, i);
        assert_int_equal(stored("takeovers"), i);
    }
}

/* Another payload doesn't take over what may be half done, until its record ends. */
static void keeps_another_payload_out_of_what_may_be_half_done(void **state) {
    static const struct {
        int64_t after_ms;
        latch_status status;
    } rows[] = {{TIME_MS + SKEW_MS + 1, LATCH_MISMATCH}, {3600000 + SKEW_MS, LATCH_MISMATCH}, {3601000 + SKEW_MS, LATCH_OK}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        ann_crashes(&order);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(do_with(&bob, &order, "{\"a\":2}", &out), rows[i].status);
        if (rows[i].status == LATCH_OK) assert_int_equal(work.takeovers, 1);
    }
}

/* The record outlives the work's time, however short the answer is kept. */
static void keeps_the_record_while_the_work_may_run(void **state) {
    static const latch_once brief = {.name = "order", .work = ship, .keep_ms = 1000, .in_progress_ms = 90500};
    (void)state;
    ann_crashes(&brief);
    assert_int_equal(stored("in_progress_expiration"), T0 + 90500);
    assert_int_equal(stored("expiration"), T0 / 1000 + 93);
    assert_int_equal(stored("ttl"), T0 / 1000 + 93);
}

/* ── how the work ends ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void gives_back_or_abandons_as_the_work_ends(void **state) {
    static const struct {
        latch_status ends;
        bool gives_back;
    } rows[] = {
        {LATCH_MISSING, true},      {LATCH_HELD, true},      {LATCH_BUSY, true},       {LATCH_MISMATCH, true},   {LATCH_CONFLICT, false},
        {LATCH_LIMITED, true},      {LATCH_SEEN, true},      {LATCH_UNDONE, true},     {LATCH_E_INPUT, true},    {LATCH_E_HANDLER, true},
        {LATCH_E_DATA, false},      {LATCH_E_MISUSE, false}, {LATCH_E_NOMEM, false},   {LATCH_E_TIMEOUT, false}, {LATCH_E_NETWORK, false},
        {LATCH_E_THROTTLED, false}, {LATCH_E_DENIED, false}, {(latch_status)1, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        work.ends = rows[i].ends;
        assert_int_equal(run(&ann, &out), rows[i].ends);
        assert_false(out.did);
        assert_int_equal(latch_error(&ann.cx)->status, rows[i].ends);
        assert_int_equal(ann.requests, 2);
        assert_int_equal(stored("in_progress_expiration"), 0);
        assert_int_equal(stored("takeovers"), rows[i].gives_back ? -1 : 0);
        assert_int_equal(rig_has(&world, PK, SK, "validation"), !rows[i].gives_back);
        work.ends = LATCH_OK;
        const char *other = rows[i].gives_back ? "{\"other\":1}" : "{\"a\":1}";
        if (!rows[i].gives_back) assert_int_equal(do_with(&bob, &order, "{\"other\":1}", &out), LATCH_MISMATCH);
        assert_int_equal(do_with(&bob, &order, other, &out), LATCH_OK); /* at once */
        assert_true(out.did);
        assert_int_equal(work.takeovers, rows[i].gives_back ? 0 : 1);
    }
}

/* What says no, and says that a write of the work may have been applied, has begun: it is abandoned. */
static void abandons_what_may_have_been_applied(void **state) {
    static const latch_status rows[] = {LATCH_MISSING, LATCH_HELD, LATCH_BUSY, LATCH_MISMATCH, LATCH_LIMITED, LATCH_SEEN, LATCH_E_INPUT};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        work.ends = rows[i];
        work.maybe_applied = true;
        assert_int_equal(run(&ann, &out), rows[i]);
        assert_true(latch_error(&ann.cx)->maybe_applied);
        assert_int_equal(stored("takeovers"), 0);
        work.ends = LATCH_OK;
        assert_int_equal(do_with(&bob, &order, "{\"other\":1}", &out), LATCH_MISMATCH);
        assert_int_equal(run(&bob, &out), LATCH_OK);
        assert_int_equal(work.takeovers, 1);
    }
}

/* The claim's own lost try says nothing about the work: a refusal without a word of its own is given back. */
static void gives_back_though_the_claim_was_repeated(void **state) {
    latch_once_result out;
    (void)state;
    ann.faults[0] = LOST_AFTER;
    work.ends = LATCH_LIMITED;
    work.says_no_more = true;
    assert_int_equal(run(&ann, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 3);
    assert_int_equal(stored("takeovers"), -1);
}

static const latch_lock stock = {.name = "stock", .lease_ms = 1000};
static latch_status do_inner(latch_ctx *cx, latch_work_fn *fn) {
    const latch_once inner = {.name = "inner", .work = fn, .in_progress_ms = 1000};
    latch_once_result out;
    return latch_once_do(cx, &inner, LATCH_STR("i"), LATCH_NULL, &out);
}

static latch_status succeed(latch_ctx *cx, latch_work *w) {
    (void)cx, (void)w;
    return LATCH_OK;
}

static latch_status is_slow(latch_ctx *cx, latch_work *w) {
    (void)cx, (void)w;
    rig_pass(&world, 5000);
    assert_int_equal(do_inner(&bob.cx, succeed), LATCH_OK);
    return LATCH_OK;
}

static latch_status runs_an_overtaken_once(latch_ctx *cx, latch_work *w) {
    (void)w;
    return do_inner(cx, is_slow);
}

static latch_status loses_its_lock_midway(latch_ctx *cx, latch_work *w) {
    latch_hold ours, theirs;
    (void)w;
    assert_int_equal(latch_lock_take(cx, &stock, LATCH_STR("s"), &ours), LATCH_OK);
    rig_pass(&world, 5000);
    assert_int_equal(latch_lock_take(&bob.cx, &stock, LATCH_STR("s"), &theirs), LATCH_OK);
    return latch_lock_extend(cx, &ours, 1000);
}

/* A conflict that leaves the work: half of it is done, and only the next one of the same payload may start, and is told. */
static void abandons_work_that_met_a_conflict_midway(void **state) {
    static const struct {
        latch_work_fn *fn;
        bool maybe_applied;
    } rows[] = {{runs_an_overtaken_once, true}, {loses_its_lock_midway, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_once policy = {.name = "order", .work = rows[i].fn};
        latch_once_result out;
        begin_again(sound);
        rig_delete(&world, "ONCE#inner#i", SK);
        assert_int_equal(do_with(&ann, &policy, "{\"a\":1}", &out), LATCH_CONFLICT);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe_applied);
        assert_false(out.did);
        assert_int_equal(do_with(&bob, &order, "{\"other\":1}", &out), LATCH_MISMATCH);
        assert_int_equal(run(&bob, &out), LATCH_OK);
        assert_int_equal(work.takeovers, 1);
    }
}

/* Takeovers that an owner before was told are not forgotten by giving back. */
static void remembers_takeovers_across_a_refusal(void **state) {
    latch_once_result out;
    (void)state;
    ann_crashes(&order);
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    work.ends = LATCH_LIMITED;
    assert_int_equal(run(&bob, &out), LATCH_LIMITED);
    assert_int_equal(work.takeovers, 1);
    work.ends = LATCH_OK;
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_int_equal(work.takeovers, 1);
}

static void the_works_error_stands_whatever_becomes_of_the_claim(void **state) {
    static const fault rows[] = {NOT_SENT, FAILS_THROTTLED, LOST_BEFORE};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        work.ends = LATCH_E_HANDLER;
        ann.faults[1] = ann.faults[2] = ann.faults[3] = rows[i];
        assert_int_equal(run(&ann, &out), LATCH_E_HANDLER);
        assert_string_equal(latch_error(&ann.cx)->type, "CardDeclined");
        assert_string_equal(latch_error(&ann.cx)->message, "no");
    }
}

static void bob_takes_over(void) {
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    bobs_status = run(&bob, &bobs_result);
}

/* Ann's work outlasts its time, bob does it: his answer is the one that counts. */
static void tells_an_owner_that_was_succeeded(void **state) {
    latch_once_result out;
    (void)state;
    work.meanwhile = bob_takes_over;
    assert_int_equal(run(&ann, &out), LATCH_CONFLICT);
    assert_true(out.did && answers(&out, "{\"n\":2}"));
    assert_true(latch_error(&ann.cx)->maybe_applied); /* the work ran */
    assert_null(strstr(latch_error(&ann.cx)->message, "got no answer"));
    assert_int_equal(bobs_status, LATCH_OK);
    assert_true(bobs_result.did);
    assert_int_equal(work.takeovers, 1);
    rig_again(&ann, 0);
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_true(!out.did && answers(&out, "{\"n\":2}"));
    assert_int_equal(work.runs, 2);
}

static void completes_late_where_nobody_took_over(void **state) {
    latch_once_result out;
    (void)state;
    work.takes_ms = 10 * TIME_MS;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_true(stored_status("COMPLETED"));
}

/* ── responses that can't be kept, little memory ────────────────────────────────────────────────────────────────────────── */

static void keeps_a_response_up_to_its_limit(void **state) {
    static const struct {
        size_t bytes;
        bool kept;
    } rows[] = {
        {LATCH_ONCE_RESPONSE_MAX_BYTES - 1, true}, {LATCH_ONCE_RESPONSE_MAX_BYTES, true}, {LATCH_ONCE_RESPONSE_MAX_BYTES + 1, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        work.response_bytes = rows[i].bytes;
        assert_int_equal(run(&ann, &out), LATCH_OK);
        assert_int_equal(latch_text(out.response).len, rows[i].bytes);
        assert_int_equal(out.not_kept, !rows[i].kept);
        assert_int_equal(run(&bob, &out), LATCH_OK);
        assert_false(out.did);
        assert_int_equal(out.not_kept, !rows[i].kept);
        assert_int_equal(latch_text(out.response).len, rows[i].kept ? rows[i].bytes : sizeof "null" - 1);
        assert_int_equal(work.runs, 1);
        assert_int_equal(out.done_at_ms, T0);
    }
}

/* What was done isn't done again because its answer is no JSON. */
static void records_what_has_an_answer_that_cannot_be_built(void **state) {
    latch_once_result out;
    (void)state;
    work.breaks_response = true;
    assert_int_equal(run(&ann, &out), LATCH_E_MISUSE);
    assert_true(out.did && out.not_kept);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(!out.did && out.not_kept);
    assert_int_equal(work.runs, 1);
}

static void settles_though_the_work_filled_the_arena(void **state) {
    static const latch_status rows[] = {LATCH_OK, LATCH_E_NOMEM, LATCH_LIMITED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        begin_again(sound);
        work.fills_arena = true;
        work.ends = rows[i];
        assert_int_equal(run(&ann, &out), rows[i]);
        assert_int_equal(out.did, rows[i] == LATCH_OK);
        assert_int_equal(out.not_kept, rows[i] == LATCH_OK);
        assert_int_equal(stored_status("COMPLETED"), rows[i] == LATCH_OK);
        if (rows[i] != LATCH_OK) assert_int_equal(stored("in_progress_expiration"), 0);
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t bytes = 16, refused = 0;
    latch_status status;
    (void)state;
    do {
        latch_once_result out;
        begin_again(sound);
        rig_again(&ann, bytes + 1024); /* for the payload */
        status = run(&ann, &out);
        if (status != LATCH_OK) {
            assert_int_equal(status, LATCH_E_NOMEM);
            if (work.runs > 0) assert_true(out.did && latch_error(&ann.cx)->maybe_applied);
            if (ann.requests == 0) assert_false(latch_error(&ann.cx)->maybe_applied);
            if (work.runs == 0 && rig_has(&world, PK, SK, "owner")) assert_true(latch_error(&ann.cx)->maybe_applied);
            refused++;
        }
        bytes += bytes < 15000 ? 512 : 16; /* the first 16 KB are set aside for settling */
    } while (status != LATCH_OK && bytes <= RIG_ARENA_BYTES);
    assert_int_equal(status, LATCH_OK);
    assert_true(refused > 20);
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
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        size_t row = i / 2, at = i % 2;
        latch_once_result out;
        begin_again(sound);
        ann.faults[at] = rows[row].fails;
        assert_int_equal(run(&ann, &out), rows[row].status);
        bool ran = rows[row].status == LATCH_OK || at == 1;
        assert_int_equal(work.runs, ran);
        assert_int_equal(out.did, ran);
        if (ran) assert_int_equal(ann.requests, 2 + rows[row].more_requests);
        if (rows[row].status != LATCH_OK) assert_int_equal(latch_error(&ann.cx)->maybe_applied, at == 1);
        assert_int_equal(stored_status("COMPLETED"), rows[row].status == LATCH_OK);
        if (ran) assert_int_equal(work.takeovers, 0); /* a repeat takes nothing over */
    }
}

static void bob_runs(void *arg) {
    size_t *before = arg;
    if (ann.requests == *before) bobs_status = run(&bob, &bobs_result);
}

/* Ann's claim may have been lost, and bob has done it by her second try. */
static void says_what_a_lost_claim_leaves_open(void **state) {
    static const struct {
        fault fails;
        size_t bob_before;
        latch_status status;
    } rows[] = {{NO_FAULT, 1, LATCH_OK}, {LOST_BEFORE, 2, LATCH_OK}, {LOST_AFTER, 1, LATCH_OK}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once_result out;
        size_t before = rows[i].bob_before;
        begin_again(sound);
        ann.faults[0] = rows[i].fails;
        ann.before = bob_runs, ann.arg = &before;
        assert_int_equal(run(&ann, &out), rows[i].status);
        assert_true(!out.did && answers(&out, "{\"n\":1}"));
        assert_int_equal(work.runs, 1);
    }
    latch_once_result out;
    begin_again(sound);
    ann.faults[0] = ann.faults[1] = ann.faults[2] = LOST_AFTER;
    assert_int_equal(run(&ann, &out), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied && !out.did);
    assert_int_equal(run(&bob, &out), LATCH_BUSY);
}

static void time_passes(void *arg) {
    int64_t *ms = arg;
    if (ann.requests == 2) rig_pass(&world, *ms);
}

/* The answer came when the time was over: the work isn't begun, and is nobody's at once. */
static void does_not_begin_when_its_time_is_over(void **state) {
    static const latch_once brief = {.name = "order", .work = ship, .in_progress_ms = 1000};
    int64_t took_ms = 1500;
    latch_once_result out;
    (void)state;
    ann.faults[0] = LOST_BEFORE;
    ann.before = time_passes, ann.arg = &took_ms;
    latch_status status = do_with(&ann, &brief, "{\"a\":1}", &out);
    assert_int_equal(status, LATCH_E_TIMEOUT);
    assert_int_equal(work.runs, 0);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_int_equal(work.takeovers, 0);
}

/* ── late requests, and what stops them ─────────────────────────────────────────────────────────────────────────────────── */

/* Ann claims (the first try comes late) and gives back; then that try arrives. True: nobody is at it. */
static bool a_late_claim_finds_it_given_back(rig_twin twin) {
    latch_once_result out;
    begin_again(twin);
    ann.faults[0] = LATE;
    work.ends = LATCH_LIMITED;
    assert_int_equal(run(&ann, &out), LATCH_LIMITED);
    rig_deliver(&ann);
    return stored("in_progress_expiration") == 0;
}

/* Ann ran out of time and bob did it. True: her completion, which comes late, leaves his. */
static bool a_late_completion_overwrites_nothing(rig_twin twin) {
    latch_once_result out;
    begin_again(twin);
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(run(&ann, &out), LATCH_E_TIMEOUT);
    assert_true(out.did && latch_error(&ann.cx)->maybe_applied);
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_int_equal(work.takeovers, 1);
    rig_deliver(&ann);
    return rig_has_text(&world, PK, SK, "data", "{\"n\":2}");
}

static void bob_crashes(void) {
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    bob.faults[1] = bob.faults[2] = bob.faults[3] = NOT_SENT;
    bobs_status = run(&bob, &bobs_result);
}

/* Bob took over from ann and is at it still. True: her completion is refused, and it is his. */
static bool a_timed_out_owner_is_refused(rig_twin twin) {
    latch_once_result out;
    begin_again(twin);
    work.meanwhile = bob_crashes;
    latch_status status = run(&ann, &out);
    return status == LATCH_CONFLICT && stored_status("INPROGRESS");
}

/* Ann's completion is done and its answer lost; her giving back (of the same claim) comes late. True: it stays completed. */
static bool a_completion_is_not_undone(rig_twin twin) {
    latch_once_result out;
    begin_again(twin);
    work.ends = LATCH_LIMITED;
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(run(&ann, &out), LATCH_LIMITED);
    char item[512];
    latch_str owner;
    assert_int_equal(latch_item_text(rig_item(&world, PK, SK), "owner", &owner), LATCH_OK);
    snprintf(
        item, sizeof item,
        "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"ONCE\"},\"owner\":{\"S\":\"%.*s\"},\"status\":{\"S\":\"COMPLETED\"},\"data\":{\"S\":"
        "\"1\"},\"expiration\":{\"N\":\"1767229200\"},\"in_progress_expiration\":{\"N\":\"1767225660000\"},\"takeovers\":{\"N\":\"0\"}}",
        (int)owner.len, owner.ptr);
    rig_put(&world, item);
    rig_deliver(&ann);
    return stored("in_progress_expiration") == 1767225660000;
}

static bool another_is_refused(rig_twin twin) {
    latch_once_result out;
    begin_again(twin);
    work.meanwhile = bob_comes;
    bobs_payload = "{\"a\":1}";
    (void)(run(&ann, &out) == LATCH_OK);
    return bobs_status == LATCH_BUSY && work.runs == 1;
}

static void stops_what_comes_late(void **state) {
    (void)state;
    assert_true(another_is_refused(sound));
    assert_true(a_late_claim_finds_it_given_back(sound));
    assert_true(a_late_completion_overwrites_nothing(sound));
    assert_true(a_timed_out_owner_is_refused(sound));
    assert_true(a_completion_is_not_undone(sound));
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_false(another_is_refused(forgets_time));
    assert_false(a_late_claim_finds_it_given_back(forgets_itself));
    assert_false(
        a_late_completion_overwrites_nothing((rig_twin){"#owner = :o AND #status = :inprogress AND #in_progress_expiration > :zero",
                                                        "(#owner = :o OR #status = :inprogress OR #in_progress_expiration > :zero)"}));
    assert_false(a_timed_out_owner_is_refused(forgets_owner));
    assert_false(a_completion_is_not_undone(forgets_status));
    assert_true(world.twisted > 0);
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void bob_completes_at_the_third(void *arg) {
    (void)arg;
    if (ann.requests != 3) return;
    rig_delete(&world, PK, SK);
    assert_int_equal(run(&bob, &bobs_result), LATCH_OK);
}

static void waits_for_anothers_result(void **state) {
    latch_once_result out;
    (void)state;
    bob.faults[1] = bob.faults[2] = bob.faults[3] = NOT_SENT;
    assert_int_equal(run(&bob, &out), LATCH_E_NETWORK);
    rig_again(&bob, 0);
    ann.before = bob_completes_at_the_third;
    assert_int_equal(do_with(&ann, &patient_order, "{\"a\":1}", &out), LATCH_OK);
    assert_true(!out.did && answers(&out, "{\"n\":2}"));
    assert_int_equal(ann.requests, 3);
    assert_in_range(ann.slept_ms, 250 + 500, 500 + 1000);
}

static void gives_up_waiting_in_time(void **state) {
    static const struct {
        int64_t wait_ms, left_ms, slept_least_ms, slept_most_ms;
    } rows[] = {{10000, 0, 10000, 10000}, {10000, 4000, 2000, 3999}, {0, 0, 0, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_once policy = {.name = "order", .work = ship, .wait_ms = rows[i].wait_ms};
        latch_once_result out;
        begin_again(sound);
        bob.faults[1] = NOT_SENT;
        assert_int_equal(run(&bob, &out), LATCH_E_NETWORK);
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        size_t used = ann.arena.used;
        assert_int_equal(do_with(&ann, &policy, "{\"a\":1}", &out), LATCH_BUSY);
        assert_in_range(ann.slept_ms, rows[i].slept_least_ms, rows[i].slept_most_ms);
        assert_true(ann.arena.used - used < 32 * 1024);
        assert_int_equal(work.runs, 1);
    }
}

static void takes_over_while_it_waits(void **state) {
    static const latch_once brief = {.name = "order", .work = ship, .in_progress_ms = 1000};
    latch_once_result out;
    (void)state;
    ann_crashes(&brief);
    assert_int_equal(do_with(&bob, &patient_order, "{\"a\":1}", &out), LATCH_OK);
    assert_true(out.did);
    assert_int_equal(work.takeovers, 1);
    assert_int_equal(bob.slept_ms, 1000 + SKEW_MS + 1);
}

/* ── without doing the work ─────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status done(rig *r, latch_once_result *out) { return latch_once_already_done(&r->cx, &order, LATCH_STR("o-1"), out); }

static latch_status status_meanwhile;
static void bob_looks(void) { status_meanwhile = done(&bob, &bobs_result); }

static void tells_what_is_recorded(void **state) {
    latch_once_result out;
    (void)state;
    assert_int_equal(done(&ann, &out), LATCH_MISSING);
    work.meanwhile = bob_looks;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_int_equal(status_meanwhile, LATCH_BUSY);
    rig_again(&ann, 0);
    assert_int_equal(done(&ann, &out), LATCH_OK);
    assert_true(!out.did && answers(&out, "{\"n\":1}"));
    assert_int_equal(ann.requests, 1);
    rig_pass(&world, 3601000);
    assert_int_equal(done(&ann, &out), LATCH_MISSING);
    begin_again(sound);
    ann_crashes(&order);
    assert_int_equal(done(&bob, &out), LATCH_BUSY);
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    assert_int_equal(done(&bob, &out), LATCH_MISSING);
    assert_int_equal(work.runs, 1);
}

static latch_status mark(rig *r, const char *text) {
    latch_json response = latch_object(&r->cx, "marked", latch_bool(true));
    return latch_once_mark_done(&r->cx, &order, LATCH_STR("o-1"), payload(r, text), response);
}

static void bob_marks(void) { status_meanwhile = mark(&bob, "{\"a\":1}"); }

static void marks_what_was_done_elsewhere(void **state) {
    latch_once_result out;
    (void)state;
    assert_int_equal(mark(&ann, "{\"a\":1}"), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(!out.did && answers(&out, "{\"marked\":true}"));
    assert_int_equal(out.done_at_ms, T0);
    assert_int_equal(mark(&ann, "{\"a\":1}"), LATCH_OK);
    assert_int_equal(mark(&ann, "{\"a\":2}"), LATCH_MISMATCH);
    assert_int_equal(work.runs, 0);
    begin_again(sound);
    work.meanwhile = bob_marks;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_int_equal(status_meanwhile, LATCH_BUSY);
    assert_int_equal(mark(&bob, "{\"a\":1}"), LATCH_OK); /* what was done stays */
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(answers(&out, "{\"n\":1}"));
    begin_again(sound);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(mark(&ann, "{\"a\":1}"), LATCH_OK);
    assert_int_equal(ann.requests, 2);
}

static latch_status clear(rig *r) { return latch_once_clear(&r->cx, &order, LATCH_STR("o-1")); }
static void bob_clears(void) { status_meanwhile = clear(&bob); }

static void bob_claims_before_the_second(void *arg) {
    (void)arg;
    if (ann.requests != 2) return;
    rig_delete(&world, PK, SK);
    assert_int_equal(run(&bob, &bobs_result), LATCH_OK);
}

static void clears_what_nobody_is_at(void **state) {
    latch_once_result out;
    (void)state;
    assert_int_equal(clear(&ann), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    work.meanwhile = bob_clears;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_int_equal(status_meanwhile, LATCH_BUSY);
    rig_again(&ann, 0);
    assert_int_equal(clear(&ann), LATCH_OK);
    assert_int_equal(ann.requests, 2);
    assert_false(rig_has(&world, PK, SK, "pk"));
    rig_again(&ann, 0);
    ann_crashes(&order);
    assert_int_equal(clear(&bob), LATCH_BUSY);
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    assert_int_equal(clear(&bob), LATCH_OK);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    rig_again(&ann, 0);
    rig_again(&bob, 0);
    ann.before = bob_claims_before_the_second;
    assert_int_equal(clear(&ann), LATCH_CONFLICT);
    assert_true(stored_status("COMPLETED"));
}

static latch_once_result unused;

/* Bob's deletion of work whose time is over comes late: ann has completed it meanwhile. */
static void bob_clears_late(void) {
    rig_pass(&world, TIME_MS + SKEW_MS + 1);
    bob.faults[1] = LATE;
    bob.faults[2] = bob.faults[3] = LOST_BEFORE;
    status_meanwhile = clear(&bob);
}

/* True: what was completed after it was looked at stays. */
static bool a_late_clear_spares_a_completion(rig_twin twin) {
    begin_again(twin);
    work.meanwhile = bob_clears_late;
    assert_int_equal(run(&ann, &unused), LATCH_OK);
    assert_int_equal(status_meanwhile, LATCH_E_TIMEOUT);
    assert_true(latch_error(&bob.cx)->maybe_applied);
    rig_deliver(&bob);
    return stored_status("COMPLETED");
}

/* Bob's deletion of what ann completed comes after another's clearing and the next completion. True: that one stays. */
static bool a_late_clear_spares_the_next(rig_twin twin) {
    begin_again(twin);
    assert_int_equal(run(&ann, &unused), LATCH_OK);
    bob_clears_late();
    rig_again(&ann, 0);
    assert_int_equal(clear(&ann), LATCH_OK);
    assert_int_equal(run(&ann, &unused), LATCH_OK);
    rig_deliver(&bob);
    return stored_status("COMPLETED");
}

static void clears_late_only_what_it_read(void **state) {
    static const rig_twin forgets_state = {"#status = :s AND #in_progress_expiration = :at",
                                           "(#status = :s OR #in_progress_expiration = :at OR attribute_exists(#status))"};
    (void)state;
    assert_true(a_late_clear_spares_a_completion(sound));
    assert_true(a_late_clear_spares_the_next(sound));
    assert_false(a_late_clear_spares_a_completion(forgets_state));
    assert_true(world.twisted > 0);
    begin_again(sound);
}

/* What was abandoned or given back is cleared as it is. */
static void clears_what_was_left(void **state) {
    static const latch_status rows[] = {LATCH_LIMITED, LATCH_E_NETWORK};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        work.ends = rows[i];
        assert_int_equal(run(&ann, &unused), rows[i]);
        assert_int_equal(clear(&bob), LATCH_OK);
        assert_false(rig_has(&world, PK, SK, "pk"));
    }
}

/* ── bad arguments, bad items ───────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_arguments_without_sending(void **state) {
    static const struct {
        latch_once policy;
        const char *key, *says;
    } rows[] = {
        {{.work = ship}, "k", "once: .name is empty"},
        {{.name = "order"}, "k", "once order: .work is not set"},
        {{.name = "order", .work = ship, .keep_ms = -1}, "k", "once order: .keep_ms is -1, want 0 to 31622400000"},
        {{.name = "order", .work = ship, .keep_ms = LATCH_SPAN_MS_MAX + 1},
         "k",
         "once order: .keep_ms is 31622400001, want 0 to 31622400000"},
        {{.name = "order", .work = ship, .in_progress_ms = -5}, "k", "once order: .in_progress_ms is -5, want 0 to 31622400000"},
        {{.name = "order", .work = ship, .wait_ms = -5}, "k", "once order: .wait_ms is -5, want 0 to 31622400000"},
        {{.name = "order", .work = ship, .timeout_ms = -1}, "k", "timeout_ms is -1, want 0 or more"},
        {{.name = "order", .work = ship}, "", "once order: the key is empty"},
        {{.name = "order", .work = ship}, "\x01", "once order: the key has the control byte 0x01 at 0"},
        {{.name = "order", .work = ship}, "\x80", "once order: the key is not UTF-8"},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_once_do(&ann.cx, &rows[i].policy, latch_str_of(rows[i].key), LATCH_NULL, &out), rig_blames(rows[i].says));
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
    }
    latch_json broken = latch_object(&ann.cx, "a", LATCH_STR("\xFF"));
    assert_int_equal(latch_once_do(&ann.cx, &order, LATCH_STR("o-1"), broken, &out), LATCH_E_MISUSE);
    ann.cx.deadline_at_ms = T0;
    assert_int_equal(run(&ann, &out), LATCH_E_TIMEOUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(work.runs, 0);
}

#define KEY "{\"pk\":{\"S\":\"ONCE#order#o-1\"},\"sk\":{\"S\":\"ONCE\"}"

static void names_what_is_wrong_with_an_item(void **state) {
    static const struct {
        const char *item, *says;
    } rows[] = {
        {KEY "}", "item.status.S: is missing, want text"},
        {KEY ",\"status\":{\"S\":\"EXPIRED\"}}", "item.status: is EXPIRED, want INPROGRESS or COMPLETED"},
        {KEY ",\"status\":{\"S\":\"COMPLETED\"},\"expiration\":{\"S\":\"1\"}}", "item.expiration.N: is missing, want text"},
        {KEY ",\"status\":{\"S\":\"COMPLETED\"},\"expiration\":{\"N\":\"9999999999\"},\"data\":{\"S\":\"{\"}}", NULL},
        {KEY ",\"status\":{\"S\":\"INPROGRESS\"},\"expiration\":{\"N\":\"9999999999\"},\"in_progress_expiration\":{\"N\":"
             "\"9223372036854775807\"}}",
         "item.in_progress_expiration: is 9223372036854775807, want Unix milliseconds"},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_put(&world, rows[i].item);
        assert_int_equal(run(&ann, &out), LATCH_E_DATA);
        if (rows[i].says != NULL) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_null(out.response.node);
        assert_int_equal(done(&ann, &out), LATCH_E_DATA);
    }
    assert_int_equal(work.runs, 0);
}

/* What can't be read says nothing of the try before that got no answer: that stays open. */
static void says_what_an_unreadable_item_leaves_open(void **state) {
    static const fault rows[] = {NO_FAULT, LOST_BEFORE, LATE};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        fault fails = rows[i / 2];
        begin_again(sound);
        rig_put(&world, KEY ",\"status\":{\"S\":\"odd\"}}");
        ann.faults[0] = fails;
        assert_int_equal(i % 2 == 0 ? mark(&ann, "{\"a\":1}") : run(&ann, &unused), LATCH_E_DATA);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, fails != NO_FAULT);
    }
    begin_again(sound); /* the claim is applied, and can't be read */
    rig_put(&world, KEY ",\"status\":{\"S\":\"COMPLETED\"},\"expiration\":{\"N\":\"1\"},\"doneAt\":{\"S\":\"odd\"}}");
    assert_int_equal(run(&ann, &unused), LATCH_E_DATA);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_true(stored_status("INPROGRESS"));
    assert_int_equal(work.runs, 0);
}

/* What of the payload makes it another is the policy's to say. */
static void compares_the_parts_that_it_is_told(void **state) {
    static const char *const sku[] = {"sku", NULL}, *const two[] = {"sku", "to.zip", NULL}, *const none[] = {NULL};
    static const struct {
        const char *const *validate;
        const char *first, *second;
        latch_status wants;
    } rows[] = {
        {sku, "{\"sku\":\"x\",\"at\":1}", "{\"sku\":\"x\",\"at\":2}", LATCH_OK},
        {sku, "{\"sku\":\"x\",\"at\":1}", "{\"sku\":\"y\",\"at\":1}", LATCH_MISMATCH},
        {sku, "{\"sku\":\"x\"}", "{}", LATCH_MISMATCH},
        {sku, "{}", "{\"sku\":null}", LATCH_OK},
        {sku, "[]", "7", LATCH_OK}, /* nothing stands there, in either */
        {two, "{\"sku\":1,\"to\":{\"zip\":\"1\"}}", "{\"to\":{\"zip\":\"1\",\"st\":\"a\"},\"sku\":1}", LATCH_OK},
        {two, "{\"sku\":1,\"to\":{\"zip\":\"1\"}}", "{\"sku\":1,\"to\":{\"zip\":\"2\"}}", LATCH_MISMATCH},
        {two, "{\"sku\":1}", "{\"to\":{\"zip\":1}}", LATCH_MISMATCH}, /* the same value elsewhere */
        {none, "{\"a\":1}", "{\"a\":2}", LATCH_OK},
        {NULL, "{\"a\":1}", "{\"a\":2}", LATCH_MISMATCH},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_once once = {.name = "order", .work = ship, .validate = rows[i].validate};
        begin_again(sound);
        assert_int_equal(do_with(&ann, &once, rows[i].first, &out), LATCH_OK);
        latch_status status = do_with(&bob, &once, rows[i].second, &out);
        if (status != rows[i].wants) fail_msg("row %zu: %d", i, status);
        assert_int_equal(work.runs, 1);
    }
    begin_again(sound); /* a payload that could not be built is refused, whatever is compared */
    const latch_once once = {.name = "order", .work = ship, .validate = sku};
    latch_json broken = latch_object(&ann.cx, "sku", LATCH_STR("\xFF"));
    assert_int_equal(latch_once_do(&ann.cx, &once, LATCH_STR("o-1"), broken, &out), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

/* A record's end may be the work's to say, of its own key. */
static void keeps_a_record_as_long_as_its_work_says(void **state) {
    static const struct {
        int64_t keep_ms, kept_s;
    } rows[] = {{0, 3600}, {-5, 3600}, {1, 1}, {90000, 90}, {90001, 91}, {INT64_MAX, 366 * 86400}};
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        work.keep_ms = rows[i].keep_ms;
        assert_int_equal(run(&ann, &out), LATCH_OK);
        assert_int_equal(stored("expiration"), T0 / 1000 + rows[i].kept_s);
        assert_int_equal(stored("ttl"), T0 / 1000 + rows[i].kept_s);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(does_it_once_and_replays),
    ROW(keeps_the_answer_to_the_second),
    ROW(tells_one_payload_from_another),
    ROW(refuses_while_another_is_at_it),
    ROW(is_started_again_to_the_millisecond_and_told),
    ROW(counts_each_takeover),
    ROW(keeps_another_payload_out_of_what_may_be_half_done),
    ROW(keeps_the_record_while_the_work_may_run),
    ROW(gives_back_or_abandons_as_the_work_ends),
    ROW(abandons_what_may_have_been_applied),
    ROW(gives_back_though_the_claim_was_repeated),
    ROW(abandons_work_that_met_a_conflict_midway),
    ROW(remembers_takeovers_across_a_refusal),
    ROW(the_works_error_stands_whatever_becomes_of_the_claim),
    ROW(tells_an_owner_that_was_succeeded),
    ROW(completes_late_where_nobody_took_over),
    ROW(keeps_a_response_up_to_its_limit),
    ROW(records_what_has_an_answer_that_cannot_be_built),
    ROW(settles_though_the_work_filled_the_arena),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(survives_a_failure_at_every_request),
    ROW(says_what_a_lost_claim_leaves_open),
    ROW(does_not_begin_when_its_time_is_over),
    ROW(stops_what_comes_late),
    ROW(finds_the_broken_twins),
    ROW(waits_for_anothers_result),
    ROW(gives_up_waiting_in_time),
    ROW(takes_over_while_it_waits),
    ROW(tells_what_is_recorded),
    ROW(marks_what_was_done_elsewhere),
    ROW(clears_what_nobody_is_at),
    ROW(clears_late_only_what_it_read),
    ROW(clears_what_was_left),
    ROW(refuses_bad_arguments_without_sending),
    ROW(names_what_is_wrong_with_an_item),
    ROW(says_what_an_unreadable_item_leaves_open),
    ROW(compares_the_parts_that_it_is_told),
    ROW(keeps_a_record_as_long_as_its_work_says),
};

CHECK_MAIN(tests)

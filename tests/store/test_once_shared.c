#include "store/once.h"

#include <stdlib.h>

#include "tests/store/shared.h"

#define SKEW_MS INT64_C(2000)
#define TIME_MS INT64_C(60000) /* in progress, where nothing else is said */
#define IDEM "idem"
#define PREFIX "fn.app.pay"
/* Of the key o-1, of the payload {"a":1} and of a list: tests/store/vectors/powertools.tsv. */
#define PYTHON_KEY "cbcbdb948de16bfe7e49a81f91500ab1"
#define TYPESCRIPT_KEY "y8vblI3ha/5+SagfkVAKsQ=="
#define PYTHON_VALIDATION "42b7b4f2921788ea14dac5566e6f06d0"
#define TYPESCRIPT_VALIDATION "u2y1xo30ZSlByvZSo2by2A=="
#define LIST_KEY "585549bdc0b24863d81c033dbeb29b7b"
#define PYTHON_ID PREFIX "#" PYTHON_KEY
#define TYPESCRIPT_ID PREFIX "#" TYPESCRIPT_KEY

/* ── the work ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct work {
    latch_status ends;
    size_t runs, response_bytes;
    uint32_t takeovers;
    const char *answers; /* JSON; NULL: {"n":<runs>} */
    void (*meanwhile)(void);
    int64_t keep_ms;
} work;

static latch_status pay(latch_ctx *cx, latch_work *w) {
    work.runs++;
    work.takeovers = w->takeovers;
    w->keep_ms = work.keep_ms;
    if (work.meanwhile != NULL) work.meanwhile();
    w->result = latch_object(cx, "n", (int64_t)work.runs);
    if (work.answers != NULL) assert_int_equal(latch_parse(cx, "answer", latch_str_of(work.answers), &w->result), LATCH_OK);
    if (work.response_bytes > 0) {
        char *text = malloc(work.response_bytes);
        memset(text, 'x', work.response_bytes);
        w->result = latch_object(cx, "t", ((latch_str){text, work.response_bytes}));
        free(text);
    }
    cx->err.status = work.ends;
    return work.ends;
}

static const latch_powertools python = {.table = IDEM, .flavour = LATCH_POWERTOOLS_PYTHON, .key_prefix = PREFIX};
static const latch_powertools typescript = {.table = IDEM, .flavour = LATCH_POWERTOOLS_TYPESCRIPT, .key_prefix = PREFIX};
static const latch_once by_python = {.name = "pay", .work = pay, .powertools = &python};
static const latch_once by_typescript = {.name = "pay", .work = pay, .powertools = &typescript};
static const latch_once *const both[] = {&by_python, &by_typescript};
static const char *const keys[] = {"{\"id\":\"" PYTHON_ID "\"}", "{\"id\":\"" TYPESCRIPT_ID "\"}"};
static const char *const ids[] = {PYTHON_ID, TYPESCRIPT_ID};

static const rig_twin sound = {NULL, NULL};

static int set_up(void **state) {
    (void)state;
    shared_open(IDEM, "powertools");
    work = (struct work){0};
    return 0;
}

static void begin_again(void) {
    delete_there(IDEM, keys[0]);
    delete_there(IDEM, keys[1]);
    work = (struct work){0};
    pair_again(sound);
}

static latch_status run_with(rig *r, const latch_once *once, const char *payload, latch_once_result *out) {
    return latch_once_do(&r->cx, once, LATCH_STR("o-1"), parsed_by(r, payload), out);
}
static latch_status run(rig *r, const latch_once *once, latch_once_result *out) { return run_with(r, once, "{\"a\":1}", out); }

/* An item as Powertools writes it; `rest` goes on behind its status. */
static void theirs(size_t flavour, const char *status, int64_t expiration_s, const char *rest) {
    char item[400];
    snprintf(item, sizeof item, "{\"id\":\"%s\",\"status\":\"%s\",\"expiration\":%lld%s}", ids[flavour], status, (long long)expiration_s,
             rest);
    put_there(IDEM, item);
}

/* ── keys, hashes, data ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void writes_as_each_library_does(void **state) {
    static const struct {
        const char *answers, *python, *typescript; /* the latter as plain JSON of the attribute */
    } rows[] = {
        {NULL, "{\"n\":1}", "{\"n\":1}"},  {"\"{\\\"a\\\":1}\"", "\"{\\\"a\\\":1}\"", "\"{\\\"a\\\":1}\""},
        {"[1,2.5]", "[1,2.5]", "[1,2.5]"}, {"\"text\"", "\"text\"", "\"text\""},
        {"true", "true", "true"},          {"12345678901234567890123", "12345678901234567890123", "12345678901234567890123"},
        {"null", "null", "null"},          {"{\"a\":{\"b\":[]}}", "{\"a\":{\"b\":[]}}", "{\"a\":{\"b\":[]}}"},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        size_t flavour = i % 2;
        begin_again();
        work.answers = rows[i / 2].answers;
        assert_int_equal(run(&ann, both[flavour], &out), LATCH_OK);
        assert_int_equal(ann.requests, 2);
        assert_true(out.did && !out.not_kept);
        if (flavour == 0) assert_string_equal(text_there(IDEM, keys[0], "data"), rows[i / 2].python);
        char whole[200];
        latch_str text = latch_text(there(IDEM, keys[flavour]));
        snprintf(whole, sizeof whole, "\"data\":%s", rows[i / 2].typescript);
        if (flavour == 1 && memmem(text.ptr, text.len, whole, strlen(whole)) == NULL) fail_msg("%.*s has no %s", LATCH_ARG(text), whole);
        assert_string_equal(text_there(IDEM, keys[flavour], "status"), "COMPLETED");
        assert_string_equal(text_there(IDEM, keys[flavour], "validation"), flavour == 0 ? PYTHON_VALIDATION : TYPESCRIPT_VALIDATION);
        assert_int_equal(number_there(IDEM, keys[flavour], "expiration"), T0 / 1000 + 3600);
        assert_int_equal(number_there(IDEM, keys[flavour], "doneAt"), T0);
        assert_false(has_there(IDEM, keys[flavour], "ttl"));
        assert_false(has_there(IDEM, keys[flavour], "takeovers"));
        assert_int_equal(run(&bob, both[flavour], &out), LATCH_OK);
        assert_int_equal(bob.requests, 1);
        assert_true(!out.did && !out.not_kept && work.runs == 1);
        is_text(out.response, rows[i / 2].typescript);
        assert_int_equal(out.done_at_ms, T0);
    }
}

static void hashes_other_keys_and_goes_into_two_parts(void **state) {
    static const latch_powertools of_list = {.table = IDEM, .flavour = LATCH_POWERTOOLS_PYTHON, .key_prefix = PREFIX, .key_is_json = true};
    static const latch_powertools two_parts = {.table = "sorted",
                                               .flavour = LATCH_POWERTOOLS_TYPESCRIPT,
                                               .key_prefix = PREFIX,
                                               .key_attribute = "p",
                                               .sort_key_attribute = "s",
                                               .static_pk = "idempotency#fn"};
    static const latch_once by_list = {.name = "pay", .work = pay, .powertools = &of_list};
    static const latch_once sorted = {.name = "pay", .work = pay, .powertools = &two_parts};
    latch_dynamodb_ensured ensured;
    latch_dynamodb_schema schema = {.pk = {"p", "S"}, .sk = {"s", "S"}};
    latch_once_result out;
    (void)state;
    assert_int_equal(latch_once_do(&ann.cx, &by_list, LATCH_STR(" [\"u-1\",17 , null]"), LATCH_NULL, &out), LATCH_OK);
    assert_string_equal(text_there(IDEM, "{\"id\":\"" PREFIX "#" LIST_KEY "\"}", "status"), "COMPLETED");
    assert_int_equal(latch_once_do(&ann.cx, &by_list, LATCH_STR("[\"u-1\""), LATCH_NULL, &out), LATCH_E_INPUT);
    assert_int_equal(latch_dynamodb_table_ensure(&eve.cx, "sorted", &schema, NULL, &ensured), LATCH_OK);
    assert_int_equal(run(&ann, &sorted, &out), LATCH_OK);
    assert_string_equal(text_there("sorted", "{\"p\":\"idempotency#fn\",\"s\":\"" TYPESCRIPT_ID "\"}", "status"), "COMPLETED");
    assert_int_equal(run(&bob, &sorted, &out), LATCH_OK);
    assert_false(out.did);
}

/* ── what others left ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void understands_what_they_wrote(void **state) {
    static const struct {
        const char *rest, *response;
        int64_t expires_in_s; /* from T0 */
        const char *status;
        latch_status wants;
        uint32_t takeovers;
        int64_t retry_in_ms;
        int only; /* 1: Python's table alone, 2: TypeScript's; 0: both */
    } rows[] = {
        {",\"data\":\"{\\\"a\\\": 1.5}\"", "{\"a\":1.5}", 60, "COMPLETED", LATCH_OK, 0, 0, 1},
        {",\"data\":\"{\\\"a\\\": 1.5}\"", "\"{\\\"a\\\": 1.5}\"", 60, "COMPLETED", LATCH_OK, 0, 0, 2},
        {",\"data\":\"text\"", "\"text\"", 60, "COMPLETED", LATCH_OK, 0, 0, 0},
        {",\"data\":{\"a\":[1,{\"b\":null}]}", "{\"a\":[1,{\"b\":null}]}", 60, "COMPLETED", LATCH_OK, 0, 0, 0},
        {",\"data\":17", "17", 60, "COMPLETED", LATCH_OK, 0, 0, 0},
        {"", "null", 60, "COMPLETED", LATCH_OK, 0, 0, 0},
        {",\"validation\":\"other\"", NULL, 60, "COMPLETED", LATCH_MISMATCH, 0, 0, 0},
        {",\"validation\":\"\"", "null", 60, "COMPLETED", LATCH_OK, 0, 0, 0},
        {"", NULL, 0, "COMPLETED", LATCH_OK, 0, 0, 0}, /* over now, by Powertools' own rule a second later: replayed still */
        {"", "ran", -1, "COMPLETED", LATCH_OK, 0, 0, 0},
        {",\"in_progress_expiration\":1767225600500", NULL, 60, "INPROGRESS", LATCH_BUSY, 0, 500 + SKEW_MS + 1, 0},
        {",\"in_progress_expiration\":1767225597999", "ran", 60, "INPROGRESS", LATCH_OK, 1, 0, 0},
        {",\"in_progress_expiration\":1767225598000", NULL, 60, "INPROGRESS", LATCH_BUSY, 0, 1, 0},
        {",\"in_progress_expiration\":1767225597999,\"takeovers\":4", "ran", 60, "INPROGRESS", LATCH_OK, 5, 0, 0},
        {",\"in_progress_expiration\":0,\"takeovers\":-1", "ran", 60, "INPROGRESS", LATCH_OK, 0, 0, 0}, /* given back */
        {",\"in_progress_expiration\":1767225597999,\"validation\":\"other\"", NULL, 60, "INPROGRESS", LATCH_MISMATCH, 0, 0, 0},
        {",\"in_progress_expiration\":1767225597999,\"validation\":\"other\"", "ran", -3, "INPROGRESS", LATCH_OK, 1, 0, 0},
        {"", NULL, 60, "INPROGRESS", LATCH_BUSY, 0, 61000 + SKEW_MS, 0}, /* without a time of its own it lasts as long as the record */
        {"", NULL, -2, "INPROGRESS", LATCH_BUSY, 0, 1000, 0},
        {"", "ran", -3, "INPROGRESS", LATCH_OK, 1, 0, 0},
        {"", NULL, 60, "EXPIRED", LATCH_E_DATA, 0, 0, 0},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        size_t flavour = i % 2, row = i / 2;
        if (rows[row].only > 0 && rows[row].only != (int)flavour + 1) continue;
        bool ran = rows[row].response != NULL && strcmp(rows[row].response, "ran") == 0;
        begin_again();
        theirs(flavour, rows[row].status, T0 / 1000 + rows[row].expires_in_s, rows[row].rest);
        latch_status status = run(&ann, both[flavour], &out);
        if (status != rows[row].wants) fail_msg("row %zu: %d, %s", row, status, ann.cx.err.message);
        if (work.runs != (ran ? 1 : 0)) fail_msg("row %zu: ran %zu times", row, work.runs);
        assert_int_equal(out.did, ran);
        if (ran && work.takeovers != rows[row].takeovers) fail_msg("row %zu: told %u", row, work.takeovers);
        if (status == LATCH_OK && !ran && rows[row].response != NULL) is_text(out.response, rows[row].response);
        if (status == LATCH_BUSY) assert_int_equal(ann.cx.err.retry_at_ms, T0 + rows[row].retry_in_ms);
    }
}

/* A claim of Powertools' drops the count: what runs after its owner died is told, and giving back doesn't make it forgotten. */
static void tells_of_a_claim_that_dropped_the_count(void **state) {
    static const latch_status ends[] = {LATCH_MISSING, LATCH_E_NETWORK};
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        begin_again();
        theirs(0, "INPROGRESS", T0 / 1000 + 3600, ",\"in_progress_expiration\":1767225597000");
        work.ends = ends[i];
        assert_int_equal(run(&ann, &by_python, &out), ends[i]);
        assert_int_equal(work.takeovers, 1);
        work.ends = LATCH_OK;
        assert_int_equal(run(&bob, &by_python, &out), LATCH_OK);
        assert_int_equal(work.takeovers, i == 0 ? 1 : 2);
    }
    begin_again();
    work.ends = LATCH_MISSING; /* nothing was there before: nothing is told after it was given back */
    assert_int_equal(run(&ann, &by_python, &out), LATCH_MISSING);
    work.ends = LATCH_OK;
    assert_int_equal(run(&bob, &by_python, &out), LATCH_OK);
    assert_int_equal(work.takeovers, 0);
}

static void recognises_its_own_lost_tries(void **state) {
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again();
        ann.faults[0] = LOST_AFTER;
        assert_int_equal(run(&ann, both[i], &out), LATCH_OK);
        assert_int_equal(work.runs, 1);
        assert_int_equal(work.takeovers, 1); /* whom it took over from came with the answer that was lost */
        begin_again();
        ann.faults[1] = LOST_AFTER;
        assert_int_equal(run(&ann, both[i], &out), LATCH_OK);
        assert_true(out.did && work.takeovers == 0);
        assert_int_equal(run(&bob, both[i], &out), LATCH_OK);
        assert_false(out.did);
    }
}

/* Theirs complete and delete without looking: ours finds out. */
static void they_complete(void) {
    rig_again(&eve, 0);
    assert_int_equal(latch_dynamodb_update(&eve.cx,
                                           &(latch_dynamodb_update_request){
                                               .table = IDEM,
                                               .key = parsed_by(&eve, keys[0]),
                                               .update = "SET #data = :d, #expiration = :e, #status = :s",
                                               .values = LATCH_VALUES(":d", "\"theirs\"", ":e", T0 / 1000 + 3600, ":s", "COMPLETED")},
                                           NULL),
                     LATCH_OK);
}
static void they_delete(void) { delete_there(IDEM, keys[0]); }
static void they_claim(void) { theirs(0, "INPROGRESS", T0 / 1000 + 3600, ",\"in_progress_expiration\":1767225660000"); }

static void finds_out_that_they_did_not_look(void **state) {
    static void (*const deeds[])(void) = {they_complete, they_delete, they_claim};
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(deeds); i++) {
        begin_again();
        work.meanwhile = deeds[i];
        assert_int_equal(run(&ann, &by_python, &out), LATCH_CONFLICT);
        assert_true(out.did && ann.cx.err.maybe_applied);
    }
    begin_again();
    work.meanwhile = they_complete;
    assert_int_equal(run(&ann, &by_python, &out), LATCH_CONFLICT);
    assert_int_equal(run(&bob, &by_python, &out), LATCH_OK);
    is_text(out.response, "\"theirs\"");
    assert_int_equal(out.done_at_ms, 0);
}

/* Python would replay it as None. */
static void completes_nothing_without_its_response(void **state) {
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again();
        work.response_bytes = LATCH_ONCE_RESPONSE_MAX_BYTES;
        assert_int_equal(run(&ann, both[i], &out), LATCH_E_MISUSE);
        assert_true(out.did && out.not_kept && ann.cx.err.maybe_applied && says(&ann, "not recorded"));
        assert_string_equal(text_there(IDEM, keys[i], "status"), "INPROGRESS");
        assert_int_equal(run(&bob, both[i], &out), LATCH_BUSY);
        work.response_bytes = 0;
        rig_pass(&world, TIME_MS + SKEW_MS + 1);
        assert_int_equal(run(&bob, both[i], &out), LATCH_OK);
        assert_int_equal(work.takeovers, 1);
    }
}

/* ── without doing the work ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void marks_looks_and_clears(void **state) {
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again();
        assert_int_equal(latch_once_already_done(&ann.cx, both[i], LATCH_STR("o-1"), &out), LATCH_MISSING);
        assert_int_equal(latch_once_mark_done(&ann.cx, both[i], LATCH_STR("o-1"), parsed_by(&ann, "{\"a\":1}"), parsed_by(&ann, "[1]")),
                         LATCH_OK);
        assert_int_equal(latch_once_already_done(&ann.cx, both[i], LATCH_STR("o-1"), &out), LATCH_OK);
        is_text(out.response, "[1]");
        assert_int_equal(latch_once_clear(&ann.cx, both[i], LATCH_STR("o-1")), LATCH_OK);
        assert_null(there(IDEM, keys[i]).node);
        theirs(i, "COMPLETED", T0 / 1000 + 60, ",\"data\":\"1\"");
        assert_int_equal(latch_once_clear(&ann.cx, both[i], LATCH_STR("o-1")), LATCH_OK);
        assert_null(there(IDEM, keys[i]).node);
        theirs(i, "INPROGRESS", T0 / 1000 + 60, "");
        assert_int_equal(latch_once_clear(&ann.cx, both[i], LATCH_STR("o-1")), LATCH_BUSY);
        assert_int_equal(latch_once_already_done(&ann.cx, both[i], LATCH_STR("o-1"), &out), LATCH_BUSY);
        rig_pass(&world, 61000 + SKEW_MS);
        assert_int_equal(latch_once_already_done(&ann.cx, both[i], LATCH_STR("o-1"), &out), LATCH_MISSING);
        assert_int_equal(latch_once_clear(&ann.cx, both[i], LATCH_STR("o-1")), LATCH_OK);
        assert_null(there(IDEM, keys[i]).node);
    }
}

static void refuses_bad_options_unsent(void **state) {
    static const latch_powertools no_flavour = {.table = IDEM, .key_prefix = PREFIX}, no_table = {.flavour = 1, .key_prefix = PREFIX},
                                  bad_table = {.table = "a b", .flavour = 1, .key_prefix = PREFIX},
                                  empty_table = {.table = "", .flavour = 1, .key_prefix = PREFIX},
                                  no_prefix = {.table = IDEM, .flavour = 1},
                                  half = {.table = IDEM, .flavour = 1, .key_prefix = PREFIX, .sort_key_attribute = "s"},
                                  other_half = {.table = IDEM, .flavour = 1, .key_prefix = PREFIX, .static_pk = "s"};
    static const latch_once rows[] = {
        {.name = "pay", .work = pay, .powertools = &no_flavour},
        {.name = "pay", .work = pay, .powertools = &no_table},
        {.name = "pay", .work = pay, .powertools = &bad_table},
        {.name = "pay", .work = pay, .powertools = &empty_table},
        {.name = "pay", .work = pay, .powertools = &no_prefix},
        {.name = "pay", .work = pay, .powertools = &half},
        {.name = "pay", .work = pay, .powertools = &other_half},
        {.name = "pay", .work = pay, .powertools = &python, .paradoxical_table = "t-1"},
        {.name = "pay", .work = pay, .paradoxical_table = ""},
        {.name = "pay", .work = pay, .paradoxical_table = "a b"},
        {.name = "", .work = pay, .powertools = &python},
        {.name = "pay", .work = pay, .powertools = &python, .keep_ms = -1},
    };
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status status = run(&ann, &rows[i], &out);
        if (status != LATCH_E_MISUSE) fail_msg("row %zu: %d", i, status);
    }
    assert_int_equal(latch_once_do(&ann.cx, &by_python, LATCH_STR(""), LATCH_NULL, &out), LATCH_E_INPUT);
    assert_int_equal(latch_once_do(&ann.cx, &by_python, LATCH_STR("a\x01"), LATCH_NULL, &out), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(work.runs, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, shared_tear_down)

static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(writes_as_each_library_does),
    ROW(hashes_other_keys_and_goes_into_two_parts),
    ROW(understands_what_they_wrote),
    ROW(tells_of_a_claim_that_dropped_the_count),
    ROW(recognises_its_own_lost_tries),
    ROW(finds_out_that_they_did_not_look),
    ROW(completes_nothing_without_its_response),
    ROW(marks_looks_and_clears),
    ROW(refuses_bad_options_unsent),
    // clang-format on
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "tests/check.h"

static latch_journal journal;

static int tear_down(void **state) {
    (void)state;
    latch_journal_clean_up(&journal);
    return 0;
}

static bool is_near(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

static latch_record *begin(const char *event) { return latch_journal_begin(&journal, 3, "Shop", "GET /tea", latch_str_of(event)); }

static void end_answered(latch_record *r, const char *answer) {
    latch_invocation inv = {.outcome = LATCH_ANSWERED, .init_ns = -1, .id = "id-1", .duration_ns = 1234567};
    latch_buffer_text(&inv.answer, answer);
    latch_journal_end(&journal, r, &inv, 200, NULL);
    latch_invocation_clean_up(&inv);
}

/* The record as JSON; the caller's to free. */
static yyjson_doc *whole(const latch_record *r) {
    size_t len = 0;
    char *text = latch_journal_whole(r, &len);
    yyjson_doc *doc = yyjson_read(text, len, YYJSON_READ_NOFLAG);
    assert_non_null(doc);
    free(text);
    return doc;
}

static void check_text(const latch_record *r, const char *member, const char *value) {
    yyjson_doc *doc = whole(r);
    const char *found = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), member));
    assert_non_null(found);
    assert_string_equal(found, value);
    yyjson_doc_free(doc);
}

static void keeps_the_last_ones(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= LATCH_JOURNAL_RECORDS + 50; i++)
        assert_int_equal(begin("{}")->id, i);
    assert_null(latch_journal_find(&journal, 50));
    assert_non_null(latch_journal_find(&journal, 51));
    assert_non_null(latch_journal_find(&journal, LATCH_JOURNAL_RECORDS + 50));
    assert_null(latch_journal_find(&journal, LATCH_JOURNAL_RECORDS + 51));
    assert_null(latch_journal_find(&journal, 0));
}

static void keeps_no_more_bytes_than_it_may(void **state) {
    static char big[6 * 1024 * 1024 + 1];
    (void)state;
    memset(big, 'e', sizeof big - 1);
    for (int i = 0; i < 20; i++) {
        end_answered(begin(big), big);
        assert_true(journal.bytes <= LATCH_JOURNAL_BYTES);
    }
    assert_null(latch_journal_find(&journal, 15));
    for (uint64_t i = 16; i <= 20; i++)
        assert_non_null(latch_journal_find(&journal, i));
    latch_journal_clean_up(&journal);
    assert_int_equal(journal.bytes, 0);
}

/* Whoever reads gets each change once, in order, however the records lie. */
static void tells_what_changed(void **state) {
    uint64_t seen = 0;
    (void)state;
    latch_record *a = begin("{}"), *b = begin("{}");
    assert_ptr_equal(latch_journal_changed(&journal, seen), a);
    seen = a->changed;
    assert_ptr_equal(latch_journal_changed(&journal, seen), b);
    seen = b->changed;
    assert_null(latch_journal_changed(&journal, seen));
    latch_journal_log(&journal, a, LATCH_STR("line"));
    assert_ptr_equal(latch_journal_changed(&journal, seen), a);
    seen = a->changed;
    end_answered(b, "1");
    end_answered(a, "2");
    assert_ptr_equal(latch_journal_changed(&journal, seen), b);
    assert_ptr_equal(latch_journal_changed(&journal, b->changed), a);
}

static void a_log_keeps_its_beginning_and_its_end(void **state) {
    char line[64];
    (void)state;
    latch_record *r = begin("{}");
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "line %d of a log that is long", i);
        latch_journal_log(&journal, r, latch_str_of(line));
        assert_true(r->log.len + r->log_end.len <= LATCH_JOURNAL_LOG_BYTES + sizeof line);
    }
    yyjson_doc *doc = whole(r);
    const char *log = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "log"));
    assert_memory_equal(log, "line 0 of", 9);
    assert_non_null(strstr(log, "\nline 999 of a log that is long\n"));
    assert_non_null(strstr(log, " bytes are left out …\nline "));
    assert_null(strstr(log, "line 500 of"));
    yyjson_doc_free(doc);
}

static void one_endless_line_is_bounded_too(void **state) {
    static char line[LATCH_JOURNAL_LOG_BYTES * 4];
    (void)state;
    memset(line, 'x', sizeof line);
    latch_record *r = begin("{}");
    for (int i = 0; i < 3; i++)
        latch_journal_log(&journal, r, (latch_str){line, sizeof line});
    assert_true(r->log.len + r->log_end.len <= LATCH_JOURNAL_LOG_BYTES);
}

/* A record with a large event or a long stack in it: what it ends with is often what is looked for. */
static void of_a_long_line_the_end_is_kept(void **state) {
    static char line[LATCH_JOURNAL_LOG_BYTES];
    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line + sizeof line - 7, "the end", 7);
    latch_record *r = begin("{}");
    latch_journal_log(&journal, r, LATCH_STR("before"));
    latch_journal_log(&journal, r, (latch_str){line, sizeof line});
    yyjson_doc *doc = whole(r);
    const char *log = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "log"));
    assert_memory_equal(log, "before\n… 8193 bytes are left out …\nxxx", 40);
    assert_non_null(strstr(log, "xxthe end\n"));
    assert_int_equal(r->log_end.len, LATCH_JOURNAL_LOG_BYTES / 2);
    yyjson_doc_free(doc);
    latch_journal_log(&journal, r, LATCH_STR("after"));
    assert_int_equal(r->log_end.len, 6); /* whole lines, where there are any */
    assert_memory_equal(r->log_end.ptr, "after\n", 6);
}

static void bytes_that_are_no_text_are_shown(void **state) {
    (void)state;
    latch_record *r = begin("\xff"
                            "a\xc3\xa9\xf0\x9f\x98\x80\xed\xa0\x80");
    check_text(r, "event",
               "\xEF\xBF\xBD"
               "a\xc3\xa9\xf0\x9f\x98\x80\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    end_answered(r, "\x80");
    check_text(r, "answer", "\xEF\xBF\xBD");
    check_text(r, "title", "GET /tea");
    check_text(r, "request_id", "id-1");
}

static void says_what_became_of_it(void **state) {
    static const struct {
        latch_outcome outcome;
        const char *problem, *word;
        bool failed;
    } rows[] = {
        {LATCH_ANSWERED, NULL, "answered", false},      {LATCH_ANSWERED, "the answer is no JSON", "bad answer", true},
        {LATCH_FAILED, "Type: message", "error", true}, {LATCH_TOO_LARGE, "large", "too large", true},
        {LATCH_TIMED_OUT, "late", "timed out", true},   {LATCH_EXITED, "killed", "process ended", true},
        {LATCH_INIT_FAILED, "no", "no init", true},     {LATCH_INIT_TIMED_OUT, "late", "init timed out", true},
        {LATCH_NOT_STARTED, "no", "not started", true},
    };
    (void)state;
    check_text(begin("{}"), "outcome", "running");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_record *r = begin("{}");
        latch_invocation inv = {.outcome = rows[i].outcome, .init_ns = 2000000};
        latch_journal_end(&journal, r, &inv, 502, rows[i].problem);
        latch_invocation_clean_up(&inv);
        yyjson_doc *doc = whole(r);
        yyjson_val *root = yyjson_doc_get_root(doc);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "outcome")), rows[i].word);
        assert_int_equal(yyjson_get_bool(yyjson_obj_get(root, "failed")), rows[i].failed);
        assert_true(is_near(yyjson_get_num(yyjson_obj_get(root, "init_ms")), 2.0));
        yyjson_doc_free(doc);
    }
}

/* ── what the stores did ── */

#define TEXT(message) "2026-11-22T03:19:39.498Z\tid-1\tINFO\t" message

static void reads_what_the_stores_did(void **state) {
    static const struct {
        const char *lines[4];
        bool known;
        uint64_t requests;
        double ms, units;
        size_t calls;
    } rows[] = {
        {{"", "no record", "a\tb", "{"}, false, 0, 0, 0, 0},
        {{TEXT("order placed {\"requests\":7,\"dynamodb_ms\":1}")}, false, 0, 0, 0, 0},
        {{TEXT("dynamodb {\"operation\":\"UpdateItem\",\"outcome\":\"OK\",\"ms\":0.5,\"tries\":1,\"read_units\":0.0,\"write_units\":1.0}"),
          TEXT("dynamodb {\"operation\":\"GetItem\",\"outcome\":\"OK\",\"ms\":0.25,\"tries\":2,\"read_units\":0.5,\"write_units\":0.0}")},
         true,
         3,
         0.75,
         1.5,
         2},
        {{"{\"timestamp\":\"t\",\"level\":\"INFO\",\"requestId\":\"r\",\"message\":\"dynamodb\",\"operation\":\"PutItem\",\"outcome\":"
          "\"OK\",\"ms\":2,\"tries\":1,"
          "\"read_units\":0,\"write_units\":4}"},
         true,
         1,
         2,
         4,
         1},
        {{TEXT("dynamodb {\"operation\":\"GetItem\",\"ms\":9,\"tries\":9}"),
          TEXT("invocation "
               "{\"handler_ms\":2.5,\"status\":\"OK\",\"requests\":5,\"retries\":1,\"throttled\":0,\"read_units\":1.5,\"write_units\":3,"
               "\"dynamodb_ms\":1.25}"),
          TEXT("dynamodb {\"operation\":\"GetItem\",\"ms\":9,\"tries\":9}")},
         true,
         5,
         1.25,
         4.5,
         2},
        {{"{\"message\":\"invocation\",\"requests\":0,\"dynamodb_ms\":0.0,\"read_units\":0.0,\"write_units\":0.0}"}, true, 0, 0, 0, 0},
        {{TEXT("invocation {\"requests\":\"5\",\"dynamodb_ms\":1}"), TEXT("invocation {\"requests\":5}"), TEXT("dynamodb {\"ms\":1}")},
         false,
         0,
         0,
         0,
         0},
        {{TEXT("dynamodb {\"operation\":\"GetItem\",\"ms\":-1,\"tries\":-1,\"read_units\":\"x\"}")}, true, 0, 0, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_effort e = {0};
        for (size_t j = 0; j < 4 && rows[i].lines[j] != NULL; j++)
            latch_effort_read(&e, latch_str_of(rows[i].lines[j]));
        if (e.is_known != rows[i].known || e.requests != rows[i].requests || e.call_count != rows[i].calls) fail_msg("row %zu", i);
        assert_true(is_near(e.ms, rows[i].ms));
        assert_true(is_near(e.read_units + e.write_units, rows[i].units));
    }
}

static void lists_no_more_calls_than_it_may(void **state) {
    (void)state;
    latch_record *r = begin("{}");
    for (int i = 0; i < LATCH_EFFORT_CALLS + 5; i++)
        latch_journal_log(&journal, r, LATCH_STR(TEXT("dynamodb {\"operation\":\"GetItem\",\"outcome\":\"OK\",\"ms\":1,\"tries\":1}")));
    end_answered(r, "1");
    yyjson_doc *doc = whole(r);
    yyjson_val *store = yyjson_obj_get(yyjson_doc_get_root(doc), "store");
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(store, "requests")), LATCH_EFFORT_CALLS + 5);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(store, "calls")), LATCH_EFFORT_CALLS);
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(store, "calls_left_out")), 5);
    yyjson_doc_free(doc);
}

#define ROW(test) cmocka_unit_test_teardown(test, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(keeps_the_last_ones),
    ROW(keeps_no_more_bytes_than_it_may),
    ROW(tells_what_changed),
    ROW(a_log_keeps_its_beginning_and_its_end),
    ROW(one_endless_line_is_bounded_too),
    ROW(of_a_long_line_the_end_is_kept),
    ROW(bytes_that_are_no_text_are_shown),
    ROW(says_what_became_of_it),
    ROW(reads_what_the_stores_did),
    ROW(lists_no_more_calls_than_it_may),
};

CHECK_MAIN(tests)

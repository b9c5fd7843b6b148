#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "expect.h"
#include "tests/check.h"

/* Where it differs: "path:expected:found", those of several joined by a space; "" where it matches. */
static char *differences(const char *expected, const char *found) {
    latch_mismatches m = {0};
    latch_buffer all = {0};
    yyjson_doc *e = latch_match_parse(latch_str_of(expected)), *f = latch_match_parse(latch_str_of(found));
    assert_non_null(e);
    latch_match(yyjson_doc_get_root(e), yyjson_doc_get_root(f), &m);
    latch_buffer_add(&all, "", 0);
    for (size_t i = 0; i < latch_mismatches_kept(&m); i++)
        latch_buffer_format(&all, "%s%s:%s:%s", i > 0 ? " " : "", m.items[i].path, m.items[i].expected, m.items[i].found);
    latch_mismatches_clean_up(&m);
    yyjson_doc_free(e);
    yyjson_doc_free(f);
    return all.ptr;
}

typedef struct row {
    const char *expected, *found, *differs;
} row;

static void check_rows(const row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *differs = differences(rows[i].expected, rows[i].found);
        assert_string_equal(differs, rows[i].differs);
        free(differs);
    }
}

static void matches_values(void **state) {
    static const row rows[] = {
        {"1", "1", ""},
        {"1", "1.0", ""},
        {"1", "2", ":1:2"},
        {"0.5", "5e-1", ""},
        {"-1", "18446744073709551615", ":-1:18446744073709551615"},
        {"9007199254740993", "9007199254740992", ":9007199254740993:9007199254740992"},
        {"1e999", "1e999", ""},
        {"1e999", "1e998", ":1e999:1e998"},
        {"\"1\"", "1", ":\"1\":1"},
        {"true", "true", ""},
        {"true", "false", ":true:false"},
        {"null", "null", ""},
        {"null", "0", ":null:0"},
        {"\"a\\u0000b\"", "\"a\\u0000c\"", ":\"a\\u0000b\":\"a\\u0000c\""},
        {"\"tea\"", "\"tea\"", ""},
        {"1", "no json", ":1:nothing"},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void matches_members_and_items(void **state) {
    static const row rows[] = {
        {"{}", "{\"a\":1}", ""},
        {"{\"a\":1}", "{\"b\":2,\"a\":1}", ""},
        {"{\"a\":1}", "{\"b\":2}", "a:1:nothing"},
        {"{\"a\":null}", "{}", "a:null:nothing"},
        {"{\"a\":{\"b\":[1,{\"c\":2}]}}", "{\"a\":{\"b\":[1,{\"c\":3}]}}", "a.b[1].c:2:3"},
        {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", "a:1:2 b:2:1"},
        {"[1,2]", "[1,2]", ""},
        {"[1,2]", "[2,1]", "[0]:1:2 [1]:2:1"},
        {"[1]", "[1,2]", ":[1]:[1,2]"},
        {"[]", "{}", ":[]:{}"},
        {"{}", "[]", ":{}:[]"},
        {"{}", "1", ":{}:1"},
        {"1", "{}", ":1:{}"},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void matches_forms(void **state) {
    static const row rows[] = {
        {"\"<any>\"", "{}", ""},
        {"\"<any>\"", "null", ""},
        {"{\"a\":\"<any>\"}", "{}", "a:\"<any>\":nothing"},
        {"{\"a\":\"<absent>\"}", "{}", ""},
        {"{\"a\":\"<absent>\"}", "{\"a\":null}", "a:\"<absent>\":null"},
        {"\"<string>\"", "\"\"", ""},
        {"\"<string>\"", "1", ":\"<string>\":1"},
        {"\"<number>\"", "-1.5", ""},
        {"\"<number>\"", "1e999", ""},
        {"\"<number>\"", "\"1\"", ":\"<number>\":\"1\""},
        {"\"<uuid>\"", "\"0190163d-8694-739b-aea5-966c26f8ad91\"", ""},
        {"\"<uuid>\"", "\"0190163d-8694-739b-aea5-966c26f8ad9\"", ":\"<uuid>\":\"0190163d-8694-739b-aea5-966c26f8ad9\""},
        {"\"<uuid>\"", "\"0190163d_8694-739b-aea5-966c26f8ad91\"", ":\"<uuid>\":\"0190163d_8694-739b-aea5-966c26f8ad91\""},
        {"\"<uuid>\"", "\"g190163d-8694-739b-aea5-966c26f8ad91\"", ":\"<uuid>\":\"g190163d-8694-739b-aea5-966c26f8ad91\""},
        {"\"<uuid>\"", "\"\\u0000190163d-8694-739b-aea5-966c26f8ad91\"", ":\"<uuid>\":\"\\u0000190163d-8694-739b-aea5-966c26f8ad91\""},
        {"\"<timestamp>\"", "\"2026-11-21T13:05:12Z\"", ""},
        {"\"<timestamp>\"", "\"2026-11-21T13:05:12.123Z\"", ""},
        {"\"<timestamp>\"", "\"2026-11-21T13:05:12+01:00\"", ""},
        {"\"<timestamp>\"", "\"2026-11-21T13:05:12.Z\"", ":\"<timestamp>\":\"2026-11-21T13:05:12.Z\""},
        {"\"<timestamp>\"", "\"2026-11-21 13:05:12Z\"", ":\"<timestamp>\":\"2026-11-21 13:05:12Z\""},
        {"\"<timestamp>\"", "\"2026-11-21T13:05:12\"", ":\"<timestamp>\":\"2026-11-21T13:05:12\""},
        {"\"<timestamp>\"", "1795266312123", ""},
        {"\"<timestamp>\"", "1795266312", ""},
        {"\"<timestamp>\"", "12", ":\"<timestamp>\":12"},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void looks_into_text(void **state) {
    static const row rows[] = {
        {"{\"body\":{\"a\":1}}", "{\"body\":\"{\\\"a\\\":1,\\\"b\\\":2}\"}", ""},
        {"{\"body\":{\"a\":1}}", "{\"body\":\"{\\\"a\\\":2}\"}", "body.a:1:2"},
        {"{\"body\":[1]}", "{\"body\":\"[1]\"}", ""},
        {"{\"body\":{}}", "{\"body\":\"[1]\"}", "body:{}:\"[1]\""},
        {"{\"body\":{}}", "{\"body\":\"not json\"}", "body:{}:\"not json\""},
        {"{\"body\":{}}", "{\"body\":\"\"}", "body:{}:\"\""},
        {"{\"body\":\"1\"}", "{\"body\":\"1\"}", ""},
        {"{\"body\":1}", "{\"body\":\"1\"}", "body:1:\"1\""},
    };
    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void keeps_the_first_mismatches_and_counts_all(void **state) {
    latch_mismatches m = {0};
    latch_buffer expected = {0}, found = {0};
    (void)state;
    for (int i = 0; i < 50; i++) {
        latch_buffer_format(&expected, "%s1", i > 0 ? "," : "[");
        latch_buffer_format(&found, "%s2", i > 0 ? "," : "[");
    }
    latch_buffer_text(&expected, "]");
    latch_buffer_text(&found, "]");
    yyjson_doc *e = latch_match_parse(latch_buffer_str(&expected)), *f = latch_match_parse(latch_buffer_str(&found));
    latch_match(yyjson_doc_get_root(e), yyjson_doc_get_root(f), &m);
    assert_int_equal(m.count, 50);
    assert_int_equal(latch_mismatches_kept(&m), LATCH_MISMATCHES);
    latch_mismatches_clean_up(&m);
    yyjson_doc_free(e);
    yyjson_doc_free(f);
    latch_buffer_clean_up(&expected);
    latch_buffer_clean_up(&found);
}

static void shows_long_values_in_short(void **state) {
    char found[4002];
    (void)state;
    memset(found, 'x', sizeof found - 1);
    found[0] = found[sizeof found - 2] = '"';
    found[sizeof found - 1] = '\0';
    for (size_t i = 1; i + 3 < sizeof found - 2; i += 3)
        memcpy(found + i, "\xe2\x82\xac", 3); /* cut within a character, it would be no text */
    char *differs = differences("1", found);
    assert_true(strlen(differs) < 400);
    assert_true(latch_str_is_utf8(latch_str_of(differs)));
    assert_non_null(strstr(differs, "… (4001 bytes)"));
    free(differs);
}

/* ── expectations ── */

static size_t mismatches(const char *expectation, size_t play, latch_outcome outcome, const char *text) {
    latch_expect e;
    latch_err err;
    latch_mismatches m = {0};
    latch_invocation inv = {.outcome = outcome};
    latch_buffer_text(outcome == LATCH_ANSWERED ? &inv.answer : &inv.error, text);
    assert_int_equal(latch_expect_parse(&e, "x.json", latch_str_of(expectation), &err), LATCH_OK);
    latch_expect_check(&e, play, &inv, &m);
    size_t count = m.count;
    latch_mismatches_clean_up(&m);
    latch_expect_clean_up(&e);
    latch_invocation_clean_up(&inv);
    return count;
}

static void expects_first_and_second_plays(void **state) {
    static const char both[] = "{\"first\":1,\"second\":2}", one[] = "{\"first\":1}";
    static const char error[] = "{\"first\":{\"error\":{\"errorType\":\"Declined\"}},\"second\":{\"error\":\"text\"}}";
    static const struct {
        const char *expectation;
        size_t play;
        latch_outcome outcome;
        const char *text;
        size_t mismatches;
    } rows[] = {
        {both, 1, LATCH_ANSWERED, "1", 0},
        {both, 2, LATCH_ANSWERED, "2", 0},
        {both, 3, LATCH_ANSWERED, "2", 0},
        {both, 2, LATCH_ANSWERED, "1", 1},
        {one, 2, LATCH_ANSWERED, "1", 0},
        {one, 1, LATCH_ANSWERED, "", 1},
        {one, 1, LATCH_ANSWERED, "{", 1},
        {one, 1, LATCH_FAILED, "1", 1},
        {error, 1, LATCH_FAILED, "{\"errorType\":\"Declined\",\"errorMessage\":\"no funds\"}", 0},
        {error, 1, LATCH_FAILED, "{\"errorType\":\"Other\"}", 1},
        {error, 1, LATCH_ANSWERED, "{\"errorType\":\"Declined\"}", 1},
        {error, 1, LATCH_EXITED, "not json", 1},
        {error, 2, LATCH_ANSWERED, "{\"error\":\"text\"}", 0}, /* an answer that has an error in it */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(mismatches(rows[i].expectation, rows[i].play, rows[i].outcome, rows[i].text), rows[i].mismatches);
}

static void refuses_what_is_no_expectation(void **state) {
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "x.json: byte 0: the file is empty"},
        {"{", "x.json: byte 1: "},
        {"[]", "x.json: want an object {\"first\": …, \"second\": …}"},
        {"{\"second\":1}", "x.json: \"first\" is missing"},
        {"{\"first\":1,\"secnd\":2}", "x.json: \"secnd\" is neither \"first\" nor \"second\""},
        {"{\"statusCode\":200}", "x.json: \"statusCode\" is neither"},
        {"\xff\xfe", "x.json: byte 0: "},
    };
    latch_expect e;
    latch_err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_expect_parse(&e, "x.json", latch_str_of(rows[i].text), &err), LATCH_E_INPUT);
        assert_null(e.doc);
        assert_non_null(strstr(err.message, rows[i].says));
    }
}

static void refuses_what_is_nested_too_deeply(void **state) {
    static const struct {
        size_t levels;
        latch_status status;
    } rows[] = {{LATCH_MATCH_DEPTH - 1, LATCH_OK}, {LATCH_MATCH_DEPTH, LATCH_E_INPUT}, {10000, LATCH_E_INPUT}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_expect e;
        latch_err err;
        latch_buffer text = {0};
        latch_buffer_text(&text, "{\"first\":");
        for (size_t n = 0; n < rows[i].levels; n++)
            latch_buffer_text(&text, "[");
        for (size_t n = 0; n < rows[i].levels; n++)
            latch_buffer_text(&text, "]");
        latch_buffer_text(&text, "}");
        assert_int_equal(latch_expect_parse(&e, "x.json", latch_buffer_str(&text), &err), rows[i].status);
        latch_expect_clean_up(&e);
        latch_buffer_clean_up(&text);
    }
}

static void survives_any_bytes(void **state) {
    static const char sound[] =
        "{\"first\":{\"statusCode\":201,\"body\":{\"receipt\":\"<uuid>\",\"n\":[1,2.5,-3e7,\"\\u00e4\"]}},\"second\":null}";
    char text[sizeof sound];
    uint32_t seed = 2463534242;
    size_t refused = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        memcpy(text, sound, sizeof sound);
        for (int n = 0; n < 3; n++) {
            seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
            text[seed % (sizeof sound - 1)] = (char)(seed >> 24);
        }
        latch_expect e;
        latch_err err;
        latch_status status = latch_expect_parse(&e, "x", (latch_str){text, sizeof sound - 1 - seed % 3}, &err);
        refused += status != LATCH_OK;
        if (status == LATCH_OK) {
            latch_mismatches m = {0};
            latch_match(e.first, e.first, &m);
            latch_mismatches_clean_up(&m);
        }
        latch_expect_clean_up(&e);
    }
    assert_in_range(refused, 500, 4999);
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(matches_values),
    ROW(matches_members_and_items),
    ROW(matches_forms),
    ROW(looks_into_text),
    ROW(keeps_the_first_mismatches_and_counts_all),
    ROW(shows_long_values_in_short),
    ROW(expects_first_and_second_plays),
    ROW(refuses_what_is_no_expectation),
    ROW(refuses_what_is_nested_too_deeply),
    ROW(survives_any_bytes),
};

CHECK_MAIN(tests)

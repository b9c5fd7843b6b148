#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

#define EMPTY "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define MANY "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
#define NOT_A_NUMBER "A value provided cannot be converted into a number"
#define INVALID "One or more parameter values were invalid: "
#define SERIAL "SerializationException: "
#define TOO_DEEP "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"

/* What DynamoDB Local 2.6.1 answers to each value in a PutItem: the value as GetItem gives it back, or the error's text. */
static const struct {
    const char *json, *want;
} rows[] = {
    {"{\"S\":\"a\"}", "{\"S\":\"a\"}"},
    {"{\"S\":\"\"}", "{\"S\":\"\"}"},
    {"{\"S\":\"a\\u0000b\"}", "{\"S\":\"a\\u0000b\"}"},
    {"{\"S\":\"\\u00e9\\ud83d\\ude00\"}", "{\"S\":\"\xC3\xA9\xF0\x9F\x98\x80\"}"},
    {"{\"N\":\"1\"}", "{\"N\":\"1\"}"},
    {"{\"N\":\"-1.50e2\"}", "{\"N\":\"-150\"}"},
    {"{\"B\":\"\"}", "{\"B\":\"\"}"},
    {"{\"B\":\"YQ==\"}", "{\"B\":\"YQ==\"}"},
    {"{\"B\":\"YWI=\"}", "{\"B\":\"YWI=\"}"},
    {"{\"B\":\"YWJj\"}", "{\"B\":\"YWJj\"}"},
    {"{\"B\":\"/+8=\"}", "{\"B\":\"/+8=\"}"},
    {"{\"B\":\"YW==\"}", "{\"B\":\"YQ==\"}"}, /* the bits left over are dropped */
    {"{\"B\":\"YR==\"}", "{\"B\":\"YQ==\"}"},
    {"{\"BOOL\":true}", "{\"BOOL\":true}"},
    {"{\"BOOL\":false}", "{\"BOOL\":false}"},
    {"{\"NULL\":true}", "{\"NULL\":true}"},
    {"{\"M\":{}}", "{\"M\":{}}"},
    {"{\"M\":{\"a\":{\"S\":\"x\"},\"b\":{\"L\":[{\"N\":\"01\"},{\"M\":{}}]}}}",
     "{\"M\":{\"a\":{\"S\":\"x\"},\"b\":{\"L\":[{\"N\":\"1\"},{\"M\":{}}]}}}"},
    {"{\"L\":[]}", "{\"L\":[]}"},
    {"{\"SS\":[\"b\",\"a\",\"aa\",\"c\"]}", "{\"SS\":[\"a\",\"aa\",\"b\",\"c\"]}"}, /* in order, as Local gives them */
    {"{\"SS\":[\"\"]}", "{\"SS\":[\"\"]}"},
    {"{\"NS\":[\"-1\",\"10\",\"9\",\"1.50\",\"0\",\"-5\"]}", "{\"NS\":[\"-5\",\"-1\",\"0\",\"1.5\",\"9\",\"10\"]}"},
    {"{\"BS\":[\"gA==\",\"Yg==\",\"YQ==\"]}", "{\"BS\":[\"YQ==\",\"Yg==\",\"gA==\"]}"}, /* bytes are unsigned */
    {"{\"BS\":[\"\"]}", "{\"BS\":[\"\"]}"},
    {"{\"SS\":[\"\\uffff\",\"\\ud83d\\ude00\"]}", "{\"SS\":[\"\xEF\xBF\xBF\",\"\xF0\x9F\x98\x80\"]}"}, /* bytes; Local: UTF-16 */

    /* members of no type, or of null, count for nothing; the last of two of the same name counts */
    {"{\"S\":\"a\",\"X\":1}", "{\"S\":\"a\"}"},
    {"{\"X\":1,\"S\":\"a\"}", "{\"S\":\"a\"}"},
    {"{\"S\":\"a\",\"N\":null}", "{\"S\":\"a\"}"},
    {"{\"S\":null,\"N\":\"1\"}", "{\"N\":\"1\"}"},
    {"{\"L\":null,\"S\":\"a\"}", "{\"S\":\"a\"}"},
    {"{\"S\":\"a\",\"S\":\"b\"}", "{\"S\":\"b\"}"},
    {"{\"M\":{\"a\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}}", "{\"M\":{\"a\":{\"S\":\"2\"}}}"},

    {"{}", EMPTY},
    {"{\"X\":\"a\"}", EMPTY},
    {"{\"s\":\"a\"}", EMPTY},
    {"{\"NULLS\":true}", EMPTY},
    {"{\"S\":null}", EMPTY},
    {"{\"BOOL\":null}", EMPTY},
    {"{\"M\":null}", EMPTY},
    {"{\"M\":{\"a\":{}}}", EMPTY},
    {"{\"M\":{\"\":{}}}", EMPTY},
    {"{\"L\":[{}]}", EMPTY},
    {"{\"S\":\"a\",\"N\":\"1\"}", MANY},
    {"{\"L\":[],\"S\":\"a\"}", MANY},
    {"{\"S\":\"a\",\"SS\":[\"a\"]}", MANY},
    {"{\"BOOL\":true,\"NULL\":true,\"B\":\"YQ==\"}", MANY},

    {"{\"N\":\"\"}", NOT_A_NUMBER},
    {"{\"N\":\"x\"}", NOT_A_NUMBER},
    {"{\"N\":\"1e126\"}", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
    {"{\"N\":\"1e-131\"}", "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
    {"{\"N\":\"123456789012345678901234567890123456789\"}", "DynamoDB only supports precision up to 38 digits"},
    {"{\"M\":{\"a\":{\"N\":\"x\"}}}", NOT_A_NUMBER},
    {"{\"L\":[{\"S\":\"x\"},{\"N\":\"x\"}]}", NOT_A_NUMBER},
    {"{\"NS\":[\"1\",\"x\"]}", NOT_A_NUMBER},
    {"{\"NS\":[\"\"]}", NOT_A_NUMBER},
    {"{\"NS\":[null]}", NOT_A_NUMBER},
    {"{\"NULL\":false}", INVALID "Null attribute value types must have the value of true"},

    {"{\"SS\":[]}", INVALID "An string set  may not be empty"},
    {"{\"NS\":[]}", INVALID "An number set  may not be empty"},
    {"{\"BS\":[]}", INVALID "Binary sets should not be empty"},
    {"{\"SS\":[\"a\",\"a\"]}", INVALID "Input collection [a, a] contains duplicates"},
    {"{\"SS\":[\"a\",\"b\",\"a\",\"b\"]}", INVALID "Input collection [a, b, a, b] contains duplicates"},
    {"{\"SS\":[\"\",\"\"]}", INVALID "Input collection [, ] contains duplicates"},
    {"{\"NS\":[\"1\",\"1.0\"]}", "Input collection contains duplicates"},
    {"{\"NS\":[\"1e2\",\"1\",\"100\"]}", "Input collection contains duplicates"},
    {"{\"BS\":[\"YQ==\",\"YQ==\"]}", INVALID "Input collection of type BS contains duplicates."},
    {"{\"SS\":[null]}", INVALID "An string set may not have a null string as a member"},
    {"{\"BS\":[null]}", "The supplied Item contains a null AttributeValue"},

    {"null", "The supplied Item contains a null AttributeValue"},
    {"{\"M\":{\"a\":null}}", "The supplied Item contains a null AttributeValue: a is null"},
    {"{\"L\":[null]}", "The supplied Item contains a null AttributeValue"},
    {"{\"M\":{\"\":{\"S\":\"x\"}}}", "Empty attribute name"},

    /* two errors: each type by itself, sets first, before their number */
    {"{\"N\":\"x\",\"S\":\"a\"}", NOT_A_NUMBER},
    {"{\"SS\":[],\"N\":\"x\"}", INVALID "An string set  may not be empty"},
    {"{\"NS\":[],\"SS\":[]}", INVALID "An string set  may not be empty"},
    {"{\"BS\":[],\"S\":\"a\"}", INVALID "Binary sets should not be empty"},
    {"{\"NULL\":false,\"SS\":[]}", INVALID "An string set  may not be empty"},
    {"{\"NULL\":false,\"S\":\"a\"}", INVALID "Null attribute value types must have the value of true"},
    {"{\"M\":{\"a\":{}},\"S\":\"a\"}", EMPTY},
    {"{\"M\":{\"b\":{\"N\":\"x\"},\"a\":{}}}", NOT_A_NUMBER},
    {"{\"M\":{\"a\":{},\"b\":{\"N\":\"x\"}}}", EMPTY},

    /* JSON of another shape: Local converts it, or fails with a 500; the service calls it a SerializationException */
    {"\"x\"", SERIAL "STRING_VALUE cannot be converted to AttributeValue"},
    {"1", SERIAL "NUMBER_VALUE cannot be converted to AttributeValue"},
    {"[]", SERIAL "Start of list found where not expected"},
    {"{\"S\":1}", SERIAL "NUMBER_VALUE cannot be converted to String"},
    {"{\"S\":true}", SERIAL "TRUE_VALUE cannot be converted to String"},
    {"{\"S\":false}", SERIAL "FALSE_VALUE cannot be converted to String"},
    {"{\"S\":[]}", SERIAL "Start of list found where not expected"},
    {"{\"S\":{}}", SERIAL "Start of structure or map found where not expected"},
    {"{\"N\":1}", SERIAL "NUMBER_VALUE cannot be converted to String"},
    {"{\"N\":1.5}", SERIAL "NUMBER_VALUE cannot be converted to String"},
    {"{\"B\":1}", SERIAL "NUMBER_VALUE cannot be converted to Blob"},
    {"{\"B\":\"YQ\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"B\":\"YQ=\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"B\":\"====\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"B\":\"YW Jj\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"B\":\"_-8=\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"B\":\"YQ==YQ==\"}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"BS\":[\"!\"]}", SERIAL "STRING_VALUE cannot be converted to Blob: it is not base64"},
    {"{\"BOOL\":\"true\"}", SERIAL "STRING_VALUE cannot be converted to Boolean"},
    {"{\"BOOL\":1}", SERIAL "NUMBER_VALUE cannot be converted to Boolean"},
    {"{\"NULL\":1}", SERIAL "NUMBER_VALUE cannot be converted to Boolean"},
    {"{\"M\":[]}", SERIAL "Start of list found where not expected"},
    {"{\"M\":\"x\"}", SERIAL "STRING_VALUE cannot be converted to Map"},
    {"{\"M\":{\"a\":\"x\"}}", SERIAL "STRING_VALUE cannot be converted to AttributeValue"},
    {"{\"L\":{}}", SERIAL "Start of structure or map found where not expected"},
    {"{\"L\":\"x\"}", SERIAL "STRING_VALUE cannot be converted to List"},
    {"{\"SS\":\"a\"}", SERIAL "STRING_VALUE cannot be converted to List"},
    {"{\"SS\":[1]}", SERIAL "NUMBER_VALUE cannot be converted to String"},
    {"{\"SS\":[[]]}", SERIAL "Start of list found where not expected"},
    {"{\"SS\":{}}", SERIAL "Start of structure or map found where not expected"},
};

static void reads_and_writes_as_dynamodb_does(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_av v;
        language_again(0);
        bool ok = latch_av_read(language_json(rows[i].json), &v, &language_arena, &language_fault);
        const char *got = ok ? language_text(&v) : language_fault_text();
        if (strcmp(got, rows[i].want) != 0) fail_msg("%s: got %s, want %s", rows[i].json, got, rows[i].want);
    }
}

/* {"L":[{"L":[ … {"S":"x"} … ]}]} */
static const char *nested(char *text, size_t size, const char *open, const char *close, int levels) {
    size_t at = 0;
    for (int i = 0; i < levels; i++)
        at += (size_t)snprintf(text + at, size - at, "%s", open);
    at += (size_t)snprintf(text + at, size - at, "{\"S\":\"x\"}");
    for (int i = 0; i < levels; i++)
        at += (size_t)snprintf(text + at, size - at, "%s", close);
    return text;
}

static void bounds_the_nesting(void **state) {
    static const struct { const char *open, *close; } kinds[] = {{"{\"L\":[", "]}"}, {"{\"M\":{\"a\":", "}}"}};
    char text[4096], item[5000];
    (void)state;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++)
        for (int levels = 29; levels < 200; levels++) {
            latch_av v;
            latch_item i;
            language_again(0);
            yyjson_val *json = language_json(nested(text, sizeof text, kinds[kind].open, kinds[kind].close, levels));
            assert_int_equal(latch_av_read(json, &v, &language_arena, &language_fault), levels <= 32); /* a placeholder's value */
            if (levels > 32) assert_string_equal(language_fault_text(), TOO_DEEP);
            language_again(0);
            snprintf(item, sizeof item, "{\"a\":%s}", text);
            assert_int_equal(latch_item_read(language_json(item), &i, &language_arena, &language_fault), levels <= 31);
            if (levels > 31) assert_string_equal(language_fault_text(), TOO_DEEP);
        }
}

static void reads_items(void **state) {
    static const struct {
        const char *json, *want;
    } items[] = {
        {"{}", "{}"},
        {"{\"b\":{\"S\":\"1\"},\"a\":{\"N\":\"2\"}}", "{\"b\":{\"S\":\"1\"},\"a\":{\"N\":\"2\"}}"},
        {"{\"a\":{\"S\":\"1\"},\"b\":{\"S\":\"2\"},\"a\":{\"S\":\"3\"}}", "{\"a\":{\"S\":\"3\"},\"b\":{\"S\":\"2\"}}"},
        {"{\"\":{\"S\":\"1\"}}", "Empty attribute name"},
        {"{\"a\":null}", "The supplied Item contains a null AttributeValue: a is null"},
        {"{\"b\":{\"N\":\"x\"},\"c\":{}}", NOT_A_NUMBER},
        {"[]", SERIAL "Start of list found where not expected"},
        {"\"x\"", SERIAL "STRING_VALUE cannot be converted to Map"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        latch_item item;
        language_again(0);
        bool ok = latch_item_read(language_json(items[i].json), &item, &language_arena, &language_fault);
        const char *got = ok ? language_item_text(&item) : language_fault_text();
        if (strcmp(got, items[i].want) != 0) fail_msg("%s: got %s, want %s", items[i].json, got, items[i].want);
    }
}

/* An attribute's name has at most 65,535 bytes. */
static void bounds_names(void **state) {
    static char json[66000];
    (void)state;
    for (int len = 65535; len <= 65536; len++) {
        latch_item item;
        int at = snprintf(json, sizeof json, "{\"");
        memset(json + at, 'a', (size_t)len);
        snprintf(json + at + len, sizeof json - (size_t)(at + len), "\":{\"S\":\"x\"}}");
        language_again(0);
        assert_int_equal(latch_item_read(language_json(json), &item, &language_arena, &language_fault), len == 65535);
        if (len == 65536) assert_string_equal(language_fault_text(), "Attribute name is too large, must be less than 65536 bytes");
    }
}

/* Many attributes, some of them twice: the last value counts, in the first one's place. */
static void reads_many_names(void **state) {
    static char json[200000];
    size_t at = 0;
    (void)state;
    at += (size_t)snprintf(json + at, sizeof json - at, "{");
    for (int i = 0; i < 3000; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%s\"n%d\":{\"N\":\"%d\"}", i > 0 ? "," : "", i % 2000, i);
    snprintf(json + at, sizeof json - at, "}");
    latch_item item = language_item(json);
    assert_int_equal(item.count, 2000);
    for (int i = 0; i < 2000; i++) {
        int64_t n;
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        const latch_av *v = latch_item_get(&item, latch_str_of(name));
        assert_non_null(v);
        assert_true(latch_number_int(v->as.number, &n));
        assert_int_equal(n, i < 1000 ? i + 2000 : i);
        assert_true(latch_str_eq(item.attributes[i].name, latch_str_of(name)));
    }
    assert_null(latch_item_get(&item, LATCH_STR("n2000")));
}

static void equals_deeply(void **state) {
    static const struct {
        const char *a, *b;
        bool equal;
    } pairs[] = {
        {"{\"S\":\"a\"}", "{\"S\":\"a\"}", true},
        {"{\"S\":\"a\"}", "{\"S\":\"b\"}", false},
        {"{\"S\":\"\"}", "{\"S\":\"\"}", true},
        {"{\"S\":\"YQ==\"}", "{\"B\":\"YQ==\"}", false},
        {"{\"N\":\"1\"}", "{\"N\":\"1.00\"}", true},
        {"{\"N\":\"1\"}", "{\"N\":\"-1\"}", false},
        {"{\"N\":\"1\"}", "{\"S\":\"1\"}", false},
        {"{\"B\":\"YQ==\"}", "{\"B\":\"YR==\"}", true},
        {"{\"BOOL\":true}", "{\"BOOL\":false}", false},
        {"{\"NULL\":true}", "{\"NULL\":true}", true},
        {"{\"NULL\":true}", "{\"BOOL\":true}", false},
        {"{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"2\"}}}", "{\"M\":{\"b\":{\"N\":\"2\"},\"a\":{\"N\":\"1.0\"}}}", true},
        {"{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"2\"}}}", "{\"M\":{\"b\":{\"N\":\"1\"},\"a\":{\"N\":\"2\"}}}", false},
        {"{\"M\":{\"a\":{\"N\":\"1\"}}}", "{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"2\"}}}", false},
        {"{\"M\":{\"a\":{\"N\":\"1\"}}}", "{\"M\":{\"b\":{\"N\":\"1\"}}}", false},
        {"{\"M\":{}}", "{\"L\":[]}", false},
        {"{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}", "{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}", true},
        {"{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}", "{\"L\":[{\"N\":\"2\"},{\"N\":\"1\"}]}", false},
        {"{\"L\":[]}", "{\"L\":[{\"N\":\"2\"}]}", false},
        {"{\"SS\":[\"a\",\"b\"]}", "{\"SS\":[\"b\",\"a\"]}", true},
        {"{\"SS\":[\"a\",\"b\"]}", "{\"SS\":[\"a\",\"c\"]}", false},
        {"{\"NS\":[\"1\",\"2\"]}", "{\"NS\":[\"2.0\",\"1\"]}", true},
        {"{\"NS\":[\"1\"]}", "{\"SS\":[\"1\"]}", false},
        {"{\"BS\":[\"YQ==\",\"\"]}", "{\"BS\":[\"\",\"YQ==\"]}", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        language_again(0);
        latch_av a = language_value(pairs[i].a), b = language_value(pairs[i].b);
        if (latch_av_equal(&a, &b) != pairs[i].equal || latch_av_equal(&b, &a) != pairs[i].equal)
            fail_msg("%s, %s: want %d", pairs[i].a, pairs[i].b, pairs[i].equal);
    }
}

static void compares_scalars(void **state) {
    static const struct {
        const char *a, *b;
        int order; /* 2: they don't compare */
    } pairs[] = {
        {"{\"S\":\"a\"}", "{\"S\":\"b\"}", -1},      {"{\"S\":\"a\"}", "{\"S\":\"a\"}", 0},
        {"{\"S\":\"ab\"}", "{\"S\":\"a\"}", 1},      {"{\"S\":\"\"}", "{\"S\":\"a\"}", -1},
        {"{\"S\":\"\"}", "{\"S\":\"\"}", 0},         {"{\"S\":\"Z\"}", "{\"S\":\"a\"}", -1},
        {"{\"S\":\"\\u00e9\"}", "{\"S\":\"z\"}", 1}, {"{\"N\":\"10\"}", "{\"N\":\"9\"}", 1},
        {"{\"N\":\"-10\"}", "{\"N\":\"9\"}", -1},    {"{\"B\":\"gA==\"}", "{\"B\":\"YQ==\"}", 1},
        {"{\"B\":\"\"}", "{\"B\":\"AA==\"}", -1},    {"{\"N\":\"1\"}", "{\"S\":\"1\"}", 2},
        {"{\"B\":\"YQ==\"}", "{\"S\":\"a\"}", 2},    {"{\"BOOL\":true}", "{\"BOOL\":true}", 2},
        {"{\"NULL\":true}", "{\"NULL\":true}", 2},   {"{\"L\":[]}", "{\"L\":[]}", 2},
        {"{\"SS\":[\"a\"]}", "{\"SS\":[\"a\"]}", 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        bool there, back;
        language_again(0);
        latch_av a = language_value(pairs[i].a), b = language_value(pairs[i].b);
        int order = latch_av_compare(&a, &b, &there), mirrored = latch_av_compare(&b, &a, &back);
        assert_int_equal(there, pairs[i].order != 2);
        assert_int_equal(back, pairs[i].order != 2);
        if (!there) continue;
        assert_int_equal((order > 0) - (order < 0), pairs[i].order);
        assert_int_equal((mirrored > 0) - (mirrored < 0), -pairs[i].order);
    }
}

/* Measured on DynamoDB Local by the item's size at which a write takes a second unit. */
static void measures_as_dynamodb_does(void **state) {
    static const struct {
        const char *json;
        size_t bytes;
    } sizes[] = {
        {"{\"S\":\"abc\"}", 3},
        {"{\"S\":\"\"}", 0},
        {"{\"S\":\"\\u00e9\"}", 2},
        {"{\"N\":\"0\"}", 1},
        {"{\"N\":\"-123\"}", 4},
        {"{\"B\":\"YWJj\"}", 3},
        {"{\"BOOL\":true}", 1},
        {"{\"NULL\":true}", 1},
        {"{\"M\":{}}", 3},
        {"{\"L\":[]}", 3},
        {"{\"M\":{\"q\":{\"S\":\"ab\"}}}", 7},
        {"{\"L\":[{\"S\":\"ab\"}]}", 6},
        {"{\"L\":[{\"S\":\"ab\"},{\"N\":\"1\"}]}", 9},
        {"{\"SS\":[\"a\",\"bc\"]}", 3},
        {"{\"NS\":[\"1\",\"22\"]}", 4},
        {"{\"BS\":[\"YWJj\"]}", 3},
        {"{\"M\":{\"q\":{\"M\":{}}}}", 8},
        {"{\"L\":[{\"L\":[]}]}", 7},
        {"{\"M\":{\"q\":{\"BOOL\":true}}}", 6},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        language_again(0);
        latch_av v = language_value(sizes[i].json);
        if (latch_av_bytes(&v) != sizes[i].bytes) fail_msg("%s: %zu bytes, want %zu", sizes[i].json, latch_av_bytes(&v), sizes[i].bytes);
    }
    latch_item item = language_item("{\"pk\":{\"S\":\"abc\"},\"n\":{\"N\":\"12\"}}");
    assert_int_equal(latch_item_bytes(&item), 2 + 3 + 1 + 2);
}

static const char whole[] =
    "{\"s\":{\"S\":\"text\"},\"n\":{\"N\":\"-1.5\"},\"b\":{\"B\":\"YWJj\"},\"t\":{\"BOOL\":true},\"z\":{\"NULL\":true},"
    "\"m\":{\"M\":{\"x\":{\"N\":\"1\"},\"y\":{\"L\":[{\"S\":\"\"},{\"M\":{}}]}}},\"l\":{\"L\":[]},"
    "\"ss\":{\"SS\":[\"a\",\"b\"]},\"ns\":{\"NS\":[\"1\",\"2\"]},\"bs\":{\"BS\":[\"YQ==\",\"Yg==\"]}}";

/* The packed copy needs nothing of the original, and not a byte more or less than it says. */
static void packs_into_one_block(void **state) {
    static const char *const items[] = {"{}", "{\"a\":{\"S\":\"\"}}", "{\"a\":{\"N\":\"1\"}}", whole};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        language_again(0);
        latch_item item = language_item(items[i]);
        size_t bytes = latch_item_pack_bytes(&item);
        char *block = malloc(bytes + 16);
        assert_non_null(block);
        memset(block, 0xA5, bytes + 16);
        latch_item packed = latch_item_pack(&item, block);
        for (size_t k = bytes; k < bytes + 16; k++)
            assert_int_equal((unsigned char)block[k], 0xA5);
        language_again(0); /* the original is gone: its bytes are poisoned */
        assert_string_equal(language_item_text(&packed), items[i]);
        assert_int_equal(latch_item_pack_bytes(&packed), bytes);
        free(block);
    }
}

static void names_types(void **state) {
    (void)state;
    assert_string_equal(latch_type_name(LATCH_TYPE_S), "S");
    assert_string_equal(latch_type_name(LATCH_TYPE_BOOL), "BOOL");
    assert_string_equal(latch_type_name(LATCH_TYPE_BS), "BS");
}

static void says_when_the_arena_is_full(void **state) {
    latch_item item;
    size_t bytes = 0;
    (void)state;
    for (;;) {
        language_again(++bytes);
        bool ok = latch_item_read(language_json(whole), &item, &language_arena, &language_fault);
        if (ok) break;
        assert_string_equal(language_fault.name, "Arena");
    }
    assert_true(bytes > 500);
    assert_string_equal(language_item_text(&item), whole);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(reads_and_writes_as_dynamodb_does),
    ROW(bounds_the_nesting),
    ROW(reads_items),
    ROW(bounds_names),
    ROW(reads_many_names),
    ROW(equals_deeply),
    ROW(compares_scalars),
    ROW(measures_as_dynamodb_does),
    ROW(packs_into_one_block),
    ROW(names_types),
    ROW(says_when_the_arena_is_full),
};
CHECK_MAIN(tests)

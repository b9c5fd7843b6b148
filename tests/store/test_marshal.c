#include "store/marshal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "tests/check.h"

#define ARENA_BYTES ((size_t)32 << 20)

static char *memory;
static latch_arena arena;
static latch_ctx cx;

static void begin_again(size_t bytes) {
    latch_arena_clean_up(&arena);
    latch_arena_init(&arena, memory, bytes);
    cx = (latch_ctx){.arena = &arena, .deadline_at_ms = INT64_MAX};
}

static int set_up(void **state) {
    (void)state;
    memory = malloc(ARENA_BYTES);
    if (memory == NULL) return 1;
    latch_arena_init(&arena, memory, ARENA_BYTES);
    begin_again(ARENA_BYTES);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    free(memory);
    return 0;
}

static latch_json parsed(const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&cx, "body", latch_str_of(text), &v), LATCH_OK);
    return v;
}

/* ── there ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct row {
    const char *plain, *marshalled;
    size_t bytes; /* as DynamoDB counts it */
} row;

static const row values[] = {
    {"\"text\"", "{\"S\":\"text\"}", 4},
    {"\"\"", "{\"S\":\"\"}", 0},
    {"\"a\\nb\\\"\"", "{\"S\":\"a\\nb\\\"\"}", 4},
    {"\"\xC3\xA4\"", "{\"S\":\"\xC3\xA4\"}", 2},
    {"0", "{\"N\":\"0\"}", 1},
    {"-0", "{\"N\":\"0\"}", 1},
    {"1", "{\"N\":\"1\"}", 2},
    {"-1", "{\"N\":\"-1\"}", 3},
    {"100", "{\"N\":\"100\"}", 2},
    {"18446744073709551615", "{\"N\":\"18446744073709551615\"}", 11},
    {"-9223372036854775808", "{\"N\":\"-9223372036854775808\"}", 12},
    {"12345678901234567890123456789012345678", "{\"N\":\"12345678901234567890123456789012345678\"}", 20},
    {"1.5", "{\"N\":\"1.5\"}", 3},
    {"true", "{\"BOOL\":true}", 1},
    {"false", "{\"BOOL\":false}", 1},
    {"null", "{\"NULL\":true}", 1},
    {"[]", "{\"L\":[]}", 3},
    {"{}", "{\"M\":{}}", 3},
    {"[1,\"a\",[null]]", "{\"L\":[{\"N\":\"1\"},{\"S\":\"a\"},{\"L\":[{\"NULL\":true}]}]}", 14},
    {"{\"a\":1,\"bc\":{\"d\":\"e\"}}", "{\"M\":{\"a\":{\"N\":\"1\"},\"bc\":{\"M\":{\"d\":{\"S\":\"e\"}}}}}", 16},
    {"{\"$binary\":\"AQID\"}", "{\"B\":\"AQID\"}", 3},
    {"{\"$binary\":\"\"}", "{\"B\":\"\"}", 0},
    {"{\"$binary\":\"AQ==\"}", "{\"B\":\"AQ==\"}", 1},
    {"{\"$strings\":[\"b\",\"a\",\"\"]}", "{\"SS\":[\"b\",\"a\",\"\"]}", 2},
    {"{\"$numbers\":[1,\"2.50\",-3]}", "{\"NS\":[\"1\",\"2.50\",\"-3\"]}", 8},
    {"{\"$binaries\":[\"AQ==\",\"Ag==\",\"\"]}", "{\"BS\":[\"AQ==\",\"Ag==\",\"\"]}", 2},
    {"{\"$number\":\"0.10\"}", "{\"N\":\"0.10\"}", 2},
    {"{\"$number\":\"1E-130\"}", "{\"N\":\"1E-130\"}", 2},
    {"{\"$map\":{\"$binary\":\"x\"}}", "{\"M\":{\"$binary\":{\"S\":\"x\"}}}", 12},
    {"{\"$map\":{\"a\":1}}", "{\"M\":{\"a\":{\"N\":\"1\"}}}", 7},
    {"{\"$binary\":\"AQID\",\"a\":1}", "{\"M\":{\"$binary\":{\"S\":\"AQID\"},\"a\":{\"N\":\"1\"}}}", 19},
    {"{\"$other\":1}", "{\"M\":{\"$other\":{\"N\":\"1\"}}}", 12},
};

static void a_value_goes_there(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        begin_again(ARENA_BYTES);
        latch_json v = parsed(values[i].plain);
        latch_text_writer t = latch_text_begin(&arena);
        size_t bytes = latch_marshal_value(&t, v);
        latch_str text = latch_text_end(&t);
        if (text.ptr == NULL) fail_msg("%s: %s", values[i].plain, t.why);
        assert_string_equal(text.ptr, values[i].marshalled);
        assert_int_equal(bytes, values[i].bytes);
    }
}

/* What was put comes back, and goes there again as the same. */
static void a_value_comes_back(void **state) {
    static const char *const others[][2] = {/* where the way back is another text than the way there was given */
                                            {"-0", "0"},
                                            {"{\"$numbers\":[1,\"2.50\",-3]}", "{\"$numbers\":[1,2.5,-3]}"},
                                            {"{\"$number\":\"0.10\"}", "0.1"},
                                            {"{\"$number\":\"1E-130\"}", "1e-130"},
                                            {"{\"$map\":{\"a\":1}}", "{\"a\":1}"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char item[512];
        latch_json plain;
        const char *wanted = values[i].plain;
        for (size_t j = 0; j < COUNT_OF(others); j++)
            if (strcmp(others[j][0], wanted) == 0) wanted = others[j][1];
        begin_again(ARENA_BYTES);
        snprintf(item, sizeof item, "{\"v\":%s}", values[i].marshalled);
        assert_int_equal(latch_unmarshal_item(&cx, parsed(item), &plain), LATCH_OK);
        snprintf(item, sizeof item, "{\"v\":%s}", wanted);
        latch_str text = latch_text(plain);
        assert_int_equal(text.len, strlen(item));
        assert_memory_equal(text.ptr, item, text.len);
    }
}

static void an_item_keeps_its_order(void **state) {
    (void)state;
    latch_json item = latch_object(&cx, "id", "o-1", "qty", latch_int(2), "price", 9.75, "tags", parsed("{\"$strings\":[\"new\"]}"));
    latch_text_writer t = latch_text_begin(&arena);
    size_t bytes = latch_marshal_item(&t, item);
    latch_str text = latch_text_end(&t);
    assert_string_equal(text.ptr, "{\"id\":{\"S\":\"o-1\"},\"qty\":{\"N\":\"2\"},\"price\":{\"N\":\"9.75\"},\"tags\":{\"SS\":[\"new\"]}}");
    assert_int_equal(bytes, 2 + 3 + 3 + 2 + 5 + 3 + 4 + 3);
}

/* ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The digits of a stored number are those that the handler sees, writes out and stores again. */
static void numbers_keep_their_digits(void **state) {
    static const char *const digits[] = {
        "0",
        "7",
        "-7",
        "9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "0.1",
        "0.30000000000000004",
        "123456789012345.6",
        "0.12345678901234567890123456789012345678",
        "99999999999999999999999999999999999999",
        "3.1415926535897932384626433832795028842",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "0.0000000000000000000000000000000000000000000000000000000000000000000000000000000000012345678901234567891"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(digits); i++) {
        char item[600], want[600];
        latch_json plain, again;
        begin_again(ARENA_BYTES);
        snprintf(item, sizeof item, "{\"n\":{\"N\":\"%s\"}}", digits[i]);
        assert_int_equal(latch_unmarshal_item(&cx, parsed(item), &plain), LATCH_OK);
        snprintf(want, sizeof want, "{\"n\":%s}", digits[i]);
        latch_str text = latch_text(plain);
        assert_string_equal(latch_copy(&cx, text).ptr, want);
        latch_text_writer t = latch_text_begin(&arena); /* as it came from the table */
        (void)latch_marshal_item(&t, plain);
        assert_string_equal(latch_text_end(&t).ptr, item);
        assert_int_equal(latch_parse(&cx, "body", text, &again), LATCH_OK); /* as it comes from a client that got it */
        t = latch_text_begin(&arena);
        (void)latch_marshal_item(&t, again);
        assert_string_equal(latch_text_end(&t).ptr, item);
    }
}

static void a_whole_number_is_read_as_one(void **state) {
    latch_json plain;
    int64_t small, big;
    double price, wide;
    (void)state;
    assert_int_equal(
        latch_unmarshal_item(&cx,
                             parsed("{\"small\":{\"N\":\"-12\"},\"big\":{\"N\":\"9223372036854775807\"},\"price\":{\"N\":\"9.75\"},"
                                    "\"wide\":{\"N\":\"0.12345678901234567890123456789012345678\"}}"),
                             &plain),
        LATCH_OK);
    assert_int_equal(latch_read(plain, "small", &small, "big", &big, "price", &price, "wide", &wide), LATCH_OK);
    assert_int_equal(small, -12);
    assert_true(big == INT64_MAX);
    assert_true(price == 9.75 && wide > 0.123456789 && wide < 0.12345679);
}

typedef struct number_row {
    const char *text, *wrong; /* NULL: nothing is */
    size_t bytes;
} number_row;

static void decimals_end_where_dynamodb_ends_them(void **state) {
    static const number_row rows[] = {
        {"0", NULL, 1},
        {"000", NULL, 1},
        {"-0.000", NULL, 1},
        {"+2", NULL, 2},
        {".5", NULL, 2},
        {"5.", NULL, 2},
        {"1e3", NULL, 2},
        {"10e1", NULL, 2},
        {"99", NULL, 2},
        {"990", NULL, 3},
        {"-99", NULL, 3},
        {"1E-130", NULL, 2},
        {"0.1E-129", NULL, 2},
        {"1E-131", "is below 1E-130, which DynamoDB's numbers end at: send it as text, or 0", 0},
        {"9.9999999999999999999999999999999999999E+125", NULL, 20},
        {"1E126", "is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text", 0},
        {"-1E126", "is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text", 0},
        {"99999999999999999999999999999999999999", NULL, 20},
        {"999999999999999999999999999999999999999", "has over 38 digits: send it as text, or round it", 0},
        {"100000000000000000000000000000000000001", "has over 38 digits: send it as text, or round it", 0},
        {"100000000000000000000000000000000000000", NULL, 2},
        {"0.00000000000000000000000000000000000000012", NULL, 3},
        {"", "is no number", 0},
        {"-", "is no number", 0},
        {".", "is no number", 0},
        {"1e", "is no number", 0},
        {"1e+", "is no number", 0},
        {"1x", "is no number", 0},
        {"1.2.3", "is no number", 0},
        {" 1", "is no number", 0},
        {"1e99999999999", "is no number", 0},
        {"0e999999999", NULL, 1},
        {"NaN", "is no number", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_decimal n;
        const char *wrong = latch_marshal_fault(latch_decimal_read(latch_str_of(rows[i].text), &n));
        if ((wrong == NULL) != (rows[i].wrong == NULL)) fail_msg("%s: %s", rows[i].text, wrong != NULL ? wrong : "was taken");
        if (wrong != NULL) assert_string_equal(wrong, rows[i].wrong);
        if (wrong == NULL && latch_decimal_bytes(&n) != rows[i].bytes) fail_msg("%s: %zu bytes", rows[i].text, latch_decimal_bytes(&n));
    }
}

/* ── what is refused ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct refused_row {
    const char *plain, *why;
} refused_row;

static void refuses_what_dynamodb_would(void **state) {
    static const refused_row rows[] = {
        {"{\"n\":123456789012345678901234567890123456789}", "item.n has over 38 digits: send it as text, or round it"},
        {"{\"a\":[1,{\"n\":1e126}]}", "item.a[1].n is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text"},
        {"{\"n\":1e-131}", "item.n is below 1E-130, which DynamoDB's numbers end at: send it as text, or 0"},
        {"{\"n\":{\"$number\":\"1x\"}}", "item.n is no number"},
        {"{\"n\":{\"$number\":1}}", "item.n is no text, as $number must have"},
        {"{\"s\":{\"$strings\":[]}}", "item.s is an empty set, which DynamoDB doesn't store: leave it out, or use a list"},
        {"{\"s\":{\"$strings\":\"a\"}}", "item.s is no list, as {\"$strings\": […]} must have"},
        {"{\"s\":{\"$strings\":[\"a\",\"b\",\"a\"]}}", "item.s is a set with a member that comes twice"},
        {"{\"s\":{\"$strings\":[\"a\",1]}}", "item.s[1] is no text"},
        {"{\"s\":{\"$numbers\":[1,2,1.0]}}", "item.s is a set with a member that comes twice"},
        {"{\"s\":{\"$numbers\":[1,true]}}", "item.s[1] is no number"},
        {"{\"s\":{\"$numbers\":[0,\"-0.0\"]}}", "item.s is a set with a member that comes twice"},
        {"{\"s\":{\"$binaries\":[\"AQ==\",\"AR==\"]}}", "item.s is a set with a member that comes twice"},
        {"{\"s\":{\"$binaries\":[\"AQI=\",\"AQJ=\"]}}", "item.s is a set with a member that comes twice"},
        {"{\"b\":{\"$binary\":\"A\"}}", "item.b is no base64: A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4"},
        {"{\"b\":{\"$binary\":\"A===\"}}", "item.b is no base64: A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4"},
        {"{\"b\":{\"$binary\":\"A_-=\"}}", "item.b is no base64: A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4"},
        {"{\"b\":{\"$binary\":7}}", "item.b is no base64: A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4"},
        {"{\"m\":{\"$map\":1}}", "item.m is no object, as {\"$map\": {…}} must have"},
        {"{\"\":1}", "item has an empty name, which DynamoDB doesn't store"},
        {"{\"a\":{\"b\":1,\"\":1}}", "item.a has an empty name, which DynamoDB doesn't store"},
        {"{\"role\":\"user\",\"role\":\"admin\"}", "item has a name that comes twice"},
        {"{\"$binary\":\"AQ==\",\"$binary\":\"AQ==\"}", "item has a name that comes twice"},
        {"[1]", "item is no object"},
        {"null", "item is no object"},
        {"7", "item is no object"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(ARENA_BYTES);
        latch_json v = parsed(rows[i].plain);
        latch_text_writer t = latch_text_begin(&arena);
        assert_int_equal(latch_marshal_item(&t, v), 0);
        assert_null(latch_text_end(&t).ptr);
        assert_int_equal(t.failed, LATCH_E_MISUSE);
        assert_string_equal(t.why, rows[i].why);
    }
}

/* Many: sorted, where few are compared one by one. */
static void a_large_set_is_looked_through(void **state) {
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        begin_again(ARENA_BYTES);
        latch_json list = latch_array(&cx);
        for (int i = 0; i < 1000; i++)
            list = latch_append(list, latch_int(i * 7 % 1000));
        if (twice) list = latch_append(list, 999.0);
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_value(&t, latch_object(&cx, "$numbers", list));
        assert_int_equal(t.failed, twice ? LATCH_E_MISUSE : LATCH_OK);
        if (twice) assert_string_equal(t.why, "value is a set with a member that comes twice");
    }
}

/* `levels` lists in each other. */
static latch_status nest(int levels) {
    char text[400] = "{\"a\":";
    size_t len = strlen(text);
    memset(text + len, '[', (size_t)levels);
    memset(text + len + levels, ']', (size_t)levels);
    text[len + 2 * (size_t)levels] = '}';
    text[len + 2 * (size_t)levels + 1] = '\0';
    begin_again(ARENA_BYTES);
    latch_json v = parsed(text);
    latch_text_writer t = latch_text_begin(&arena);
    (void)latch_marshal_item(&t, v);
    return t.failed;
}

static void nesting_ends_at_32(void **state) {
    (void)state;
    assert_int_equal(nest(31), LATCH_OK); /* the item is a level too */
    assert_int_equal(nest(32), LATCH_E_MISUSE);
    assert_int_equal(nest(120), LATCH_E_MISUSE);
}

static void an_item_has_at_most_400_kb(void **state) {
    enum { MAX = 400 * 1024 };
    static char text[MAX + 32];
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        begin_again(ARENA_BYTES);
        size_t len = MAX - 5 + over; /* beside "id", "x" and "v" */
        memset(text, 'a', len);
        latch_str large = {text, len};
        latch_json item = latch_object(&cx, "id", "xy", "v", large);
        latch_text_writer t = latch_text_begin(&arena);
        size_t bytes = latch_marshal_item(&t, item);
        assert_int_equal(t.failed, over ? LATCH_E_MISUSE : LATCH_OK);
        assert_int_equal(bytes, over ? 0 : MAX);
        if (over)
            assert_string_equal(
                t.why, "item has 409601 bytes as DynamoDB counts them, want at most 409600: split it, or keep what is large elsewhere");
    }
}

static void a_name_has_at_most_65535_bytes(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        begin_again(ARENA_BYTES);
        char *name = latch_arena_alloc(&arena, 65537 + over);
        assert_non_null(name);
        memset(name, 'n', 65535 + over);
        name[65535 + over] = '\0';
        latch_json item = latch_object_(&cx, (const latch_pair[]){{name, latch_int(1)}, {NULL, latch_int(0)}});
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_item(&t, item);
        assert_int_equal(t.failed, over ? LATCH_E_MISUSE : LATCH_OK);
    }
}

static void keys_are_checked(void **state) {
    static const struct {
        const char *plain;
        latch_status status;
        const char *why;
    } rows[] = {
        {"{\"pk\":\"a\",\"sk\":\"b\"}", LATCH_OK, NULL},
        {"{\"id\":7}", LATCH_OK, NULL},
        {"{\"id\":0}", LATCH_OK, NULL},
        {"{\"id\":{\"$binary\":\"AQ==\"}}", LATCH_OK, NULL},
        {"{\"id\":{\"$number\":\"1.50\"}}", LATCH_OK, NULL},
        {"{\"pk\":\"a\",\"sk\":\"\"}", LATCH_E_INPUT, "key.sk is empty, which no key may be"},
        {"{\"id\":{\"$binary\":\"\"}}", LATCH_E_INPUT, "key.id is empty, which no key may be"},
        {"{\"id\":null}", LATCH_E_MISUSE, "key.id is neither text, number nor binary, as keys are"},
        {"{\"id\":[\"a\"]}", LATCH_E_MISUSE, "key.id is neither text, number nor binary, as keys are"},
        {"{\"id\":{\"$strings\":[\"a\"]}}", LATCH_E_MISUSE, "key.id is neither text, number nor binary, as keys are"},
        {"{}", LATCH_E_MISUSE, "key is no object of 1 or 2 attributes, the table's key"},
        {"{\"a\":1,\"b\":2,\"c\":3}", LATCH_E_MISUSE, "key is no object of 1 or 2 attributes, the table's key"},
        {"null", LATCH_E_MISUSE, "key is no object of 1 or 2 attributes, the table's key"},
        {"{\"a\":1,\"a\":2}", LATCH_E_MISUSE, "key has a name that comes twice"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(ARENA_BYTES);
        latch_json v = parsed(rows[i].plain);
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_key(&t, v);
        assert_int_equal(t.failed, rows[i].status);
        if (rows[i].why != NULL) assert_string_equal(t.why, rows[i].why);
    }
}

static void a_key_has_at_most_2048_bytes(void **state) {
    static char text[2049];
    (void)state;
    memset(text, 'k', sizeof text);
    for (size_t over = 0; over < 2; over++) {
        latch_str id = {text, 2048 + over};
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_key(&t, latch_object(&cx, "id", id));
        assert_int_equal(t.failed, over ? LATCH_E_INPUT : LATCH_OK);
        if (over) assert_string_equal(t.why, "key.id has 2049 bytes, want at most 2048");
    }
}

/* ── pairs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void every_kind_of_value_goes(void **state) {
    static const struct {
        latch_value v;
        const char *text, *why;
    } rows[] = {
        {{LATCH_V_STR, {.str = {"a\"b", 3}}}, "{\"S\":\"a\\\"b\"}", NULL},
        {{LATCH_V_STR, {.str = {NULL, 0}}}, "{\"S\":\"\"}", NULL},
        {{LATCH_V_STR, {.str = {"\xFF", 1}}}, NULL, "a text in it is not UTF-8"},
        {{LATCH_V_INT, {.i = INT64_MIN}}, "{\"N\":\"-9223372036854775808\"}", NULL},
        {{LATCH_V_UINT, {.u = UINT64_MAX}}, "{\"N\":\"18446744073709551615\"}", NULL},
        {{LATCH_V_NUM, {.d = 0.1}}, "{\"N\":\"0.1\"}", NULL},
        {{LATCH_V_NUM, {.d = 1e300}}, NULL, ":v is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text"},
        {{LATCH_V_NUM, {.d = -1e-200}}, NULL, ":v is below 1E-130, which DynamoDB's numbers end at: send it as text, or 0"},
        {{LATCH_V_NUM, {.d = __builtin_inf()}}, NULL, ":v is not finite"},
        {{LATCH_V_BOOL, {.b = true}}, "{\"BOOL\":true}", NULL},
        {{LATCH_V_NULL, {.i = 0}}, "{\"NULL\":true}", NULL},
        {{LATCH_V_JSON, {.json = {NULL, NULL}}}, "{\"NULL\":true}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(ARENA_BYTES);
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_pair(&t, ":v", &rows[i].v);
        latch_str text = latch_text_end(&t);
        if (rows[i].text != NULL) assert_string_equal(text.ptr, rows[i].text);
        if (rows[i].why != NULL) assert_string_equal(t.why, rows[i].why);
        assert_int_equal(text.ptr == NULL, rows[i].text == NULL);
    }
}

/* ── what comes back spoilt ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void what_is_no_item_is_said(void **state) {
    static const refused_row rows[] = {
        {"[]", "item: is no object"},
        {"{\"a\":1}", "item.a: is no attribute value"},
        {"{\"a\":{}}", "item.a: is no attribute value"},
        {"{\"a\":{\"S\":\"x\",\"N\":\"1\"}}", "item.a: is no attribute value"},
        {"{\"a\":{\"S\":1}}", "item.a: is no text"},
        {"{\"a\":{\"N\":1}}", "item.a: is no number"},
        {"{\"a\":{\"N\":\"x\"}}", "item.a: is no number"},
        {"{\"a\":{\"X\":\"x\"}}", "item.a: has a type that DynamoDB has not"},
        {"{\"a\":{\"BOOL\":\"x\"}}", "item.a: has a type that DynamoDB has not"},
        {"{\"a\":{\"M\":[]}}", "item.a: is no object"},
        {"{\"a\":{\"L\":{}}}", "item.a: is no list"},
        {"{\"a\":{\"SS\":[1]}}", "item.a[0]: is no text"},
        {"{\"a\":{\"NS\":[\"1\",\"y\"]}}", "item.a[1]: is no number"},
        {"{\"a\":{\"L\":[{\"S\":\"x\"},{\"M\":{\"b\":{\"B\":1}}}]}}", "item.a[1].b: is no text"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json plain;
        begin_again(ARENA_BYTES);
        assert_int_equal(latch_unmarshal_item(&cx, parsed(rows[i].plain), &plain), LATCH_E_DATA);
        assert_string_equal(cx.err.message, rows[i].why);
        assert_null(plain.node);
    }
}

static void nothing_comes_back_as_nothing(void **state) {
    latch_json plain;
    (void)state;
    assert_int_equal(latch_unmarshal_item(&cx, LATCH_NULL, &plain), LATCH_OK);
    assert_null(plain.node);
    assert_int_equal(latch_unmarshal_item(&cx, parsed("null"), &plain), LATCH_OK);
    assert_null(plain.node);
    assert_int_equal(latch_unmarshal_item(&cx, parsed("{}"), &plain), LATCH_OK);
    assert_string_equal(latch_text(plain).ptr, "{}");
}

static void a_page_comes_back_as_a_list(void **state) {
    latch_json list;
    int64_t n;
    (void)state;
    assert_int_equal(latch_unmarshal_list(&cx, parsed("[{\"a\":{\"N\":\"1\"}},{},{\"a\":{\"S\":\"x\"}}]"), &list), LATCH_OK);
    assert_string_equal(latch_text(list).ptr, "[{\"a\":1},{},{\"a\":\"x\"}]");
    assert_int_equal(latch_read(latch_at(list, 2), "a", &n), LATCH_E_DATA);
    assert_string_equal(cx.err.message, "items[2].a: is \"x\", want a whole number");
    assert_int_equal(latch_unmarshal_list(&cx, parsed("[{\"a\":{\"N\":\"1\"}},{\"a\":{\"N\":1}}]"), &list), LATCH_E_DATA);
    assert_string_equal(cx.err.message, "items[1].a: is no number");
    assert_int_equal(latch_unmarshal_list(&cx, parsed("{}"), &list), LATCH_E_DATA);
    assert_int_equal(latch_unmarshal_list(&cx, LATCH_NULL, &list), LATCH_OK);
    assert_null(list.node);
}

/* DynamoDB writes numbers as JSON does; another server may not. */
static void odd_digits_come_back_by_a_tag(void **state) {
    static const char attributes[] = "{\"a\":{\"N\":\".5\"},\"b\":{\"NS\":[\"01\",\"2\"]},\"c\":{\"L\":[{\"N\":\"+3\"}]}}";
    latch_json plain;
    (void)state;
    assert_int_equal(latch_unmarshal_item(&cx, parsed(attributes), &plain), LATCH_OK);
    assert_string_equal(latch_text(plain).ptr, "{\"a\":{\"$number\":\".5\"},\"b\":{\"$numbers\":[\"01\",2]},\"c\":[{\"$number\":\"+3\"}]}");
    latch_text_writer t = latch_text_begin(&arena);
    (void)latch_marshal_item(&t, plain);
    assert_string_equal(latch_text_end(&t).ptr, attributes);
}

/* Its errors name it, and are stored data's. */
static void a_field_that_is_wrong_is_named(void **state) {
    latch_json plain;
    int64_t n;
    (void)state;
    assert_int_equal(latch_unmarshal_item(&cx, parsed("{\"a\":{\"M\":{\"b\":{\"S\":\"x\"}}}}"), &plain), LATCH_OK);
    assert_int_equal(latch_read(plain, "a.b", &n), LATCH_E_DATA);
    assert_string_equal(cx.err.message, "item.a.b: is \"x\", want a whole number");
}

/* ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* There and back in every arena: it works, or says that there was no room; a broken value says why it is. */
static void every_arena_is_enough_or_says_so(void **state) {
    bool worked = false;
    (void)state;
    for (size_t bytes = 0; bytes < 16384 && !worked; bytes += 16) {
        latch_json v, attributes, plain;
        begin_again(bytes);
        latch_json item =
            latch_object(&cx, "id", "o-1", "tags", latch_object(&cx, "$numbers", latch_append(latch_array(&cx), latch_int(1))));
        latch_text_writer t = latch_text_begin(&arena);
        (void)latch_marshal_item(&t, item);
        latch_str text = latch_text_end(&t);
        assert_int_equal(t.failed, text.ptr != NULL ? LATCH_OK : LATCH_E_NOMEM);
        if (text.ptr == NULL) continue;
        latch_status status = latch_parse(&cx, "answer", text, &attributes);
        if (status == LATCH_OK) status = latch_unmarshal_item(&cx, attributes, &plain);
        if (status == LATCH_OK) status = latch_read(plain, "tags", &v);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        worked = status == LATCH_OK;
    }
    assert_true(worked);
}

static void what_could_not_be_built_is_not_sent(void **state) {
    (void)state;
    latch_text_writer t = latch_text_begin(&arena);
    (void)latch_marshal_item(&t, latch_object(&cx, "id", "\xFF"));
    assert_int_equal(t.failed, LATCH_E_MISUSE);
    assert_string_equal(t.why, "a text in it is not UTF-8");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(a_value_goes_there),
    ROW(a_value_comes_back),
    ROW(an_item_keeps_its_order),
    ROW(numbers_keep_their_digits),
    ROW(a_whole_number_is_read_as_one),
    ROW(decimals_end_where_dynamodb_ends_them),
    ROW(refuses_what_dynamodb_would),
    ROW(a_large_set_is_looked_through),
    ROW(nesting_ends_at_32),
    ROW(an_item_has_at_most_400_kb),
    ROW(a_name_has_at_most_65535_bytes),
    ROW(keys_are_checked),
    ROW(a_key_has_at_most_2048_bytes),
    ROW(every_kind_of_value_goes),
    ROW(what_is_no_item_is_said),
    ROW(nothing_comes_back_as_nothing),
    ROW(a_page_comes_back_as_a_list),
    ROW(odd_digits_come_back_by_a_tag),
    ROW(a_field_that_is_wrong_is_named),
    ROW(every_arena_is_enough_or_says_so),
    ROW(what_could_not_be_built_is_not_sent),
    // clang-format on
};

CHECK_MAIN(tests)

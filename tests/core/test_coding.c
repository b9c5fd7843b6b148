#include <string.h>

#include "core/coding.h"
#include "tests/check.h"

static _Alignas(16) char memory[4096];
static latch_arena arena;

static int set_up(void **state) {
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    return 0;
}

static void reads_and_writes_base64(void **state) {
    static const struct {
        const char *bytes, *text;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xFB\xFF\xBF", "+/+/"}};
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zg==Zg==", "Z===", "====",       "Zm9v\n",
                                      "Zm 9", "Zm9-", "Zm9_", "=Zm9",     "Zg=a", "\xC3\xBC==", "Zm9vY===="};
    latch_str out;
    size_t bytes;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str text = latch_base64_encode(&arena, latch_str_of(rows[i].bytes));
        assert_true(latch_str_eq(text, latch_str_of(rows[i].text)));
        assert_true(latch_base64_decode(&arena, text, &out));
        assert_true(latch_str_eq(out, latch_str_of(rows[i].bytes)));
        assert_true(latch_base64_is(text, &bytes));
        assert_int_equal(bytes, out.len);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(latch_base64_decode(&arena, latch_str_of(bad[i]), &out));
        assert_false(latch_base64_is(latch_str_of(bad[i]), &bytes));
        assert_int_equal(bytes, 0);
    }
    assert_true(latch_base64_decode(&arena, LATCH_STR("QR=="), &out)); /* what padding leaves over may be anything */
    assert_true(latch_str_eq(out, LATCH_STR("A")));
    assert_non_null(latch_arena_alloc(&arena, arena.cap - arena.used - 64));
    assert_true(latch_base64_decode(
        &arena, LATCH_STR("Zm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9v"), &out));
    assert_null(out.ptr);
}

static void reads_and_writes_percents(void **state) {
    static const struct {
        const char *text, *decoded, *with_plus;
    } rows[] = {{"", "", ""},
                {"abc", "abc", "abc"},
                {"a+b", "a+b", "a b"},
                {"%41%7a", "Az", "Az"},
                {"%2B+", "++", "+ "},
                {"%", "%", "%"},
                {"%4", "%4", "%4"},
                {"%4x", "%4x", "%4x"},
                {"%%41", "%A", "%A"},
                {"%C3%bc", "\xC3\xBC", "\xC3\xBC"},
                {"a%20b+", "a b+", "a b "}};
    char to[32];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(latch_str_eq(latch_percent_decode(&arena, latch_str_of(rows[i].text), false), latch_str_of(rows[i].decoded)));
        assert_true(latch_str_eq(latch_percent_decode(&arena, latch_str_of(rows[i].text), true), latch_str_of(rows[i].with_plus)));
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(latch_percent_is(latch_str_of(rows[i].text), true, latch_str_of(rows[i].with_plus)));
        assert_true(latch_percent_is(latch_str_of(rows[i].text), false, latch_str_of(rows[i].decoded)));
    }
    assert_false(latch_percent_is(LATCH_STR("%41b"), false, LATCH_STR("A")));
    assert_false(latch_percent_is(LATCH_STR("%41"), false, LATCH_STR("Ab")));
    assert_false(latch_percent_is(LATCH_STR("a+b"), false, LATCH_STR("a b")));
    assert_int_equal(latch_percent_encode(to, sizeof to, LATCH_STR("aZ9-._~/ %\xFF")), 7 + 4 * 3);
    assert_memory_equal(to, "aZ9-._~%2F%20%25%FF", 19);
    memset(to, '!', sizeof to);
    assert_int_equal(latch_percent_encode(to, 4, LATCH_STR("//")), 6);
    assert_memory_equal(to, "%2F%!", 5);
}

static void writes_base64_of_any_length(void **state) {
    char bytes[64], text[90], back[66];
    (void)state;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(unsigned char)(i * 37 + len * 101);
        size_t read, written = latch_base64_bytes(len);
        latch_base64_write((latch_str){bytes, len}, text);
        assert_true(latch_base64_read((latch_str){text, written}, back, &read));
        assert_int_equal(read, len);
        if (len > 0) assert_memory_equal(back, bytes, len);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(reads_and_writes_base64),
    ROW(writes_base64_of_any_length),
    ROW(reads_and_writes_percents),
};
// clang-format on
CHECK_MAIN(tests)

#include <string.h>

#include "core/words.h"
#include "tests/check.h"
#include "tests/core/room.h"

static const struct {
    const char *bytes;
    size_t len;
    bool utf8;
} utf8_rows[] = {
#define U(lit, is)                                                                                                                         \
    { lit, sizeof(lit) - 1, is }
    U("", true),
    U("plain ASCII, longer than one word", true),
    U("\x7F", true),
    U("a\0b", true),
    U("\xC2\x80", true),             /* U+0080 */
    U("\xDF\xBF", true),             /* U+07FF */
    U("\xE0\xA0\x80", true),         /* U+0800 */
    U("\xED\x9F\xBF", true),         /* U+D7FF */
    U("\xEE\x80\x80", true),         /* U+E000 */
    U("\xEF\xBF\xBF", true),         /* U+FFFF */
    U("\xF0\x90\x80\x80", true),     /* U+10000 */
    U("\xF4\x8F\xBF\xBF", true),     /* U+10FFFF */
    U("eight by\xE2\x82\xAC", true), /* behind a whole word */
    U("seven b\xE2\x82\xAC", true),  /* across two words */
    U("\x80", false),                /* begins with a follower */
    U("\xBF", false),
    U("\xC0\x80", false), /* overlong NUL */
    U("\xC1\xBF", false),
    U("\xE0\x80\x80", false), /* overlong in three */
    U("\xE0\x9F\xBF", false),
    U("\xF0\x80\x80\x80", false), /* overlong in four */
    U("\xF0\x8F\xBF\xBF", false),
    U("\xED\xA0\x80", false),     /* U+D800 */
    U("\xED\xBF\xBF", false),     /* U+DFFF */
    U("\xF4\x90\x80\x80", false), /* U+110000 */
    U("\xF5\x80\x80\x80", false),
    U("\xFE", false),
    U("\xFF", false),
    U("\xC2", false), /* cut */
    U("\xE2\x82", false),
    U("\xF0\x90\x80", false),
    U("\xC2\x41", false), /* a follower that is none */
    U("\xE2\x41\xAC", false),
    U("\xE2\x82\x41", false),
    U("\xF0\x90\x80\x41", false),
    U("eight by\xFF", false),
    U("seven b\xFF", false),
    U("12345\xC2\x80\x80 longer than a word", false),
};

static void knows_utf8(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(utf8_rows); i++) {
        latch_str s = at_the_edge((latch_str){utf8_rows[i].bytes, utf8_rows[i].len});
        if (latch_str_is_utf8(s) != utf8_rows[i].utf8) fail_msg("row %zu should be %s", i, utf8_rows[i].utf8 ? "UTF-8" : "none");
    }
}

/* Every byte on its own, and every one after each lead: what an own, slow reading of the RFC's table says. */
static bool follows(unsigned char lead, unsigned char c) {
    if (lead == 0xE0) return c >= 0xA0 && c <= 0xBF;
    if (lead == 0xED) return c >= 0x80 && c <= 0x9F;
    if (lead == 0xF0) return c >= 0x90 && c <= 0xBF;
    if (lead == 0xF4) return c >= 0x80 && c <= 0x8F;
    return c >= 0x80 && c <= 0xBF;
}

static void knows_the_length_of_a_character(void **state) {
    (void)state;
    for (unsigned lead = 0; lead < 256; lead++) {
        size_t want = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        for (unsigned second = 0; second < 256; second++) {
            const char bytes[4] = {(char)lead, (char)second, '\x80', '\x80'};
            size_t len = want <= 1 ? want : follows((unsigned char)lead, (unsigned char)second) ? want : 0;
            assert_int_equal(latch_utf8_len(bytes, 4), len);
            assert_int_equal(latch_utf8_len(bytes, len), len);
            if (len > 0) assert_int_equal(latch_utf8_len(bytes, len - 1), 0);
        }
    }
}

static void cuts_between_characters(void **state) {
    static const struct {
        const char *text;
        size_t max, len;
    } rows[] = {
        {"abc", 3, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"", 5, 0},
        {"a\xE2\x82\xAC", 4, 4},
        {"a\xE2\x82\xAC", 3, 1},
        {"a\xE2\x82\xAC", 2, 1},
        {"a\xE2\x82\xAC", 1, 1},
        {"\xF0\x9F\x92\xA9", 3, 0},
        {"\xC3\xA9\xC3\xA9", 3, 2},
        {"a\x80\x80\x80\x80\x80\x80", 5, 5}, /* no character: cut where it says */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str s = latch_str_of(rows[i].text), cut = latch_str_cut(s, rows[i].max);
        assert_ptr_equal(cut.ptr, s.ptr);
        if (cut.len != rows[i].len) fail_msg("row %zu: %zu, want %zu", i, cut.len, rows[i].len);
    }
}

static void compares_text(void **state) {
    static const struct {
        latch_str a, b;
        bool equal;
    } rows[] = {
        {{"", 0}, {NULL, 0}, true},
        {{"a", 1}, {"a", 1}, true},
        {{"a", 1}, {"b", 1}, false},
        {{"a", 1}, {"ab", 2}, false},
        {{"ab", 2}, {"a", 1}, false},
        {{"a\0b", 3}, {"a\0c", 3}, false},
        {{"a\0b", 3}, {"a\0b", 3}, true},
        {{NULL, 0}, {"a", 1}, false},
        {{"\x80", 1}, {"\x00", 1}, false},
        {{"secret", 6}, {"Secret", 6}, false},
        {{"secret", 6}, {"secreT", 6}, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str a = at_the_edge(rows[i].a), b = at_the_edge(rows[i].b);
        if (latch_str_eq(a, b) != rows[i].equal) fail_msg("row %zu: latch_str_eq", i);
        if (latch_secret_eq(a, b) != rows[i].equal) fail_msg("row %zu: latch_secret_eq", i);
    }
}

static void sees_each_bit_of_a_secret(void **state) {
    char a[32] = {0}, b[32];
    (void)state;
    for (size_t bit = 0; bit < sizeof a * 8; bit++) {
        memcpy(b, a, sizeof a);
        b[bit / 8] = (char)(b[bit / 8] ^ (char)(1u << bit % 8));
        assert_false(latch_secret_eq((latch_str){a, sizeof a}, (latch_str){b, sizeof b}));
    }
    assert_true(latch_secret_eq((latch_str){a, sizeof a}, (latch_str){a, sizeof a}));
}

static void borrows_c_strings(void **state) {
    const char *s = "abc";
    (void)state;
    assert_ptr_equal(latch_str_of(s).ptr, s);
    assert_int_equal(latch_str_of(s).len, 3);
    assert_int_equal(latch_str_of(NULL).len, 0);
    assert_int_equal(LATCH_STR("a\0b").len, 3);
}

#define ROW(test) cmocka_unit_test(test)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(knows_utf8),
    ROW(knows_the_length_of_a_character),
    ROW(cuts_between_characters),
    ROW(compares_text),
    ROW(sees_each_bit_of_a_secret),
    ROW(borrows_c_strings),
};
// clang-format on

CHECK_MAIN(tests)

#include <float.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>

#include "core/text.h"
#include "tests/check.h"
#include "tests/core/room.h"

static room r;

static int set_up(void **state) {
    (void)state;
    room_open(&r, (size_t)1 << 16);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_close(&r);
    return 0;
}

static void writes_one_thing_after_another(void **state) {
    latch_text_writer t = latch_text_begin(&r.arena);
    (void)state;
    latch_text_put(&t, LATCH_STR("{\"n\":"));
    latch_text_int(&t, INT64_MIN);
    latch_text_put(&t, (latch_str){NULL, 0});
    latch_text_char(&t, ',');
    latch_text_uint(&t, UINT64_MAX);
    latch_text_char(&t, ' ');
    latch_text_int(&t, 0);
    latch_text_double(&t, -0.5);
    latch_text_json(&t, latch_object(&r.cx, "a", LATCH_NULL));
    latch_str text = latch_text_end(&t);
    assert_text(text, "{\"n\":-9223372036854775808,18446744073709551615 0-0.5{\"a\":null}");
    assert_int_equal(text.ptr[text.len], '\0');
    assert_int_equal(t.failed, LATCH_OK);
    t = latch_text_begin(&r.arena);
    assert_text(latch_text_end(&t), ""); /* nothing is a text too */
}

static void gives_back_what_it_did_not_need(void **state) {
    latch_text_writer t = latch_text_begin(&r.arena);
    (void)state;
    for (int i = 0; i < 1000; i++)
        latch_text_char(&t, 'x');
    latch_str text = latch_text_end(&t);
    assert_int_equal(text.len, 1000);
    assert_int_equal(r.arena.used, 1001);
    t = latch_text_begin(&r.arena);
    size_t mark = latch_arena_mark(&r.arena);
    latch_text_json_string(&t, LATCH_STR("\xFF"));
    assert_null(latch_text_end(&t).ptr);
    assert_true(r.arena.used <= mark + 32); /* what failed stays nowhere, but for the gap in front of it */
}

static void goes_on_while_others_take_from_the_arena(void **state) {
    latch_text_writer t = latch_text_begin(&r.arena);
    (void)state;
    for (int i = 0; i < 500; i++) {
        latch_text_char(&t, (char)('a' + i % 26));
        memset(latch_arena_alloc(&r.arena, 16), 'z', 16);
    }
    latch_str text = latch_text_end(&t);
    assert_int_equal(text.len, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(text.ptr[i], 'a' + (int)i % 26);
}

/* What yyjson makes of the same text: another writer, by other people. */
static latch_str as_yyjson_writes(latch_str s) {
    latch_str text;
    yyjson_val val = {.tag = YYJSON_TYPE_STR | ((uint64_t)s.len << YYJSON_TAG_BIT), .uni.str = s.ptr};
    text.ptr = yyjson_val_write_opts(&val, YYJSON_WRITE_NOFLAG, NULL, &text.len, NULL);
    return text;
}

/* Each byte and some longer characters, at each place of texts of 1 to 20 bytes, which end where reading on is a crash. */
static void escapes_strings_as_yyjson_does(void **state) {
    static const char *const longer[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x92\xA9", "\xC0\x80", "\xE2\x82", "\xED\xA0\x80"};
    size_t good = 0, bad = 0;
    latch_str edge = at_the_edge(LATCH_STR("....................")), odd;
    (void)state;
    for (size_t len = 1; len <= 20; len++) {
        for (unsigned k = 0; k < 256 + COUNT_OF(longer); k++) {
            char one = (char)k;
            odd = k < 256 ? (latch_str){&one, 1} : latch_str_of(longer[k - 256]);
            for (size_t place = 0; place + odd.len <= len; place++) {
                char *at = (char *)(uintptr_t)(edge.ptr + edge.len - len);
                memset(at, '.', len);
                memcpy(at + place, odd.ptr, odd.len);
                latch_str want = as_yyjson_writes((latch_str){at, len});
                latch_text_writer t = latch_text_begin(&r.arena);
                latch_text_json_string(&t, (latch_str){at, len});
                latch_str is = latch_text_end(&t);
                if (is.len != want.len || (want.ptr != NULL && memcmp(is.ptr, want.ptr, is.len) != 0) ||
                    (is.ptr == NULL) != (want.ptr == NULL))
                    fail_msg("len %zu, byte %u at %zu: \"%.*s\", want \"%.*s\"", len, k, place, LATCH_ARG(is), LATCH_ARG(want));
                if (is.ptr == NULL) assert_int_equal(t.failed, LATCH_E_MISUSE);
                good += want.ptr != NULL;
                bad += want.ptr == NULL;
                free((void *)(uintptr_t)want.ptr);
                latch_arena_rewind(&r.arena, 0);
            }
        }
    }
    assert_true(good > 10000 && bad > 10000);
}

static void replaces_what_is_no_utf8_where_that_is_wanted(void **state) {
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {"\xFF", "\"\xEF\xBF\xBD\""},
        {"a\xC0\x80z", "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\""},
        {"eight by\xE2\x82", "\"eight by\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE2\x82\xAC\n\xED\xA0\x80", "\"\xE2\x82\xAC\\n\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_text_writer t = latch_text_begin(&r.arena);
        latch_text_json_lossy(&t, at_the_edge(latch_str_of(rows[i].text)));
        assert_text(latch_text_end(&t), rows[i].json);
    }
}

static void writes_the_shortest_digits(void **state) {
    static const struct {
        double d;
        const char *text; /* NULL: JSON has no such number */
    } rows[] = {{0.0, "0.0"},
                {-0.0, "-0.0"},
                {0.1, "0.1"},
                {1.0, "1.0"},
                {1e21, "1e21"},
                {123456.789, "123456.789"},
                {DBL_MAX, "1.7976931348623157e308"},
                {5e-324, "5e-324"},
                {NAN, NULL},
                {INFINITY, NULL},
                {-INFINITY, NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_text_writer t = latch_text_begin(&r.arena);
        latch_text_double(&t, rows[i].d);
        latch_str text = latch_text_end(&t);
        if (rows[i].text != NULL) {
            assert_text(text, rows[i].text);
        } else {
            assert_null(text.ptr);
            assert_int_equal(t.failed, LATCH_E_MISUSE);
        }
    }
}

/* Fits or refuses, and never writes behind the arena's end: its memory is malloc's, of just that size. */
static void fits_or_refuses_at_every_arena_size(void **state) {
    bool fitted = false;
    (void)state;
    for (size_t bytes = 0; bytes < 400; bytes++) {
        room small;
        room_open(&small, bytes);
        latch_text_writer t = latch_text_begin(&small.arena);
        for (int i = 0; i < 5; i++) {
            latch_text_put(&t, LATCH_STR("0123456789"));
            latch_text_json_string(&t, LATCH_STR("a\nb\x01"));
            latch_text_int(&t, -1234567890);
        }
        latch_str text = latch_text_end(&t);
        assert_true(text.ptr != NULL || !fitted);
        if (text.ptr == NULL) assert_int_equal(t.failed, LATCH_E_NOMEM);
        if (text.ptr == NULL) assert_string_equal(t.why, "the arena is full");
        if (text.ptr != NULL) assert_int_equal(text.len, 5 * (10 + 12 + 11));
        fitted = text.ptr != NULL;
        room_close(&small);
    }
    assert_true(fitted);
}

static void fills_a_room_of_ones_own(void **state) {
    (void)state;
    for (size_t bytes = 1; bytes < 40; bytes++) {
        char *own = malloc(bytes);
        latch_text_writer t = {.at = own, .cap = bytes};
        latch_text_put(&t, LATCH_STR("0123456789abcdefghij"));
        assert_int_equal(t.failed, bytes > 20 ? LATCH_OK : LATCH_E_NOMEM);
        assert_int_equal(t.len, bytes > 20 ? 20 : bytes - 1);
        assert_memory_equal(own, "0123456789abcdefghij", t.len);
        size_t len = t.len;
        latch_text_char(&t, 'x'); /* after it has failed, it takes no more, even what would fit */
        if (bytes <= 20) assert_int_equal(t.len, len);
        free(own);
        own = malloc(bytes);
        t = (latch_text_writer){.at = own, .cap = bytes};
        latch_text_json_string(&t, LATCH_STR("0123456789abcdefghij\xE2\x82\xAC"));
        assert_true(t.len < bytes);
        assert_memory_equal(own, "\"0123456789abcdefghij\xE2\x82\xAC\"", t.len);
        if (bytes > 12) assert_true(t.len + 12 > (bytes < 26 ? bytes : 26));
        free(own);
    }
}

static void keeps_the_first_reason(void **state) {
    latch_text_writer t = latch_text_begin(&r.arena);
    (void)state;
    latch_text_double(&t, NAN);
    latch_text_json_string(&t, LATCH_STR("\xFF"));
    latch_text_fail(&t, LATCH_E_NOMEM, "later");
    assert_null(latch_text_end(&t).ptr);
    assert_int_equal(t.failed, LATCH_E_MISUSE);
    assert_string_equal(t.why, "a number in it is not finite");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(writes_one_thing_after_another),
    ROW(gives_back_what_it_did_not_need),
    ROW(goes_on_while_others_take_from_the_arena),
    ROW(escapes_strings_as_yyjson_does),
    ROW(replaces_what_is_no_utf8_where_that_is_wanted),
    ROW(writes_the_shortest_digits),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(fills_a_room_of_ones_own),
    ROW(keeps_the_first_reason),
};
// clang-format on

CHECK_MAIN(tests)

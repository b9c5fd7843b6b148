#include <ctype.h>
#include <string.h>

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

static void escapes_what_joins_a_key(void **state) {
    static const struct {
        const char *parts[3];
        const char *key;
    } rows[] = {
        {{"a", "b"}, "a#b"}, {{"a#b", "c"}, "a%23b#c"}, {{"a", "b#c"}, "a#b%23c"},  {{"a%23b", "c"}, "a%2523b#c"},
        {{"", ""}, "#"},     {{"a", ""}, "a#"},         {{"", "a"}, "#a"},          {{"a"}, "a"},
        {{""}, ""},          {{"#%#"}, "%23%25%23"},    {{"a", "b", "c"}, "a#b#c"}, {{"\xC3\xA9", "%"}, "\xC3\xA9#%25"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str parts[3];
        size_t n = 0;
        for (; n < 3 && rows[i].parts[n] != NULL; n++)
            parts[n] = at_the_edge(latch_str_of(rows[i].parts[n]));
        latch_str key = latch_key_(&r.cx, parts, n);
        assert_text(key, rows[i].key);
        assert_int_equal(key.ptr[key.len], '\0');
    }
    assert_text(latch_key(&r.cx, LATCH_STR("order"), LATCH_STR("o#1")), "order#o%231");
    assert_true(latch_str_eq(latch_key(&r.cx, LATCH_STR("a\0b")), LATCH_STR("a\0b")));
}

/* All pairs of short texts of the letters that matter: no two lists of parts share a key. */
static void makes_another_key_of_other_parts(void **state) {
    static const char letters[] = "a#%2";
    static char keys[21 * 21][16];
    char texts[21][3] = {""};
    size_t n = 1, made = 0;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        texts[n++][0] = letters[i];
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++, n++) {
            texts[n][0] = letters[i];
            texts[n][1] = letters[k];
        }
    }
    assert_int_equal(n, 21);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            latch_str key = latch_key(&r.cx, latch_str_of(texts[i]), latch_str_of(texts[k]));
            memcpy(keys[made], key.ptr, key.len + 1);
            for (size_t before = 0; before < made; before++)
                assert_string_not_equal(keys[before], keys[made]);
            made++;
        }
    }
}

static void empties_a_key_of_what_could_not_be_made(void **state) {
    room small;
    (void)state;
    assert_int_equal(latch_key(&r.cx, LATCH_STR("order"), ((latch_str){NULL, 0})).len, 0);
    room_open(&small, 32);
    assert_int_equal(latch_key(&small.cx, LATCH_STR("a"), latch_uuid(&small.cx)).len, 0); /* "a#" would fit, and be everyone's */
    assert_int_equal(latch_key(&small.cx, LATCH_STR("0123456789"), LATCH_STR("0123456789"), LATCH_STR("0123456789")).len, 0);
    assert_text(latch_key(&small.cx, LATCH_STR("0123456789"), LATCH_STR("0123456789"), LATCH_STR("012345678")),
                "0123456789#0123456789#012345678");
    room_close(&small);
}

static void makes_uuids(void **state) {
    latch_str uuids[64];
    unsigned variants = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(uuids); i++) {
        uuids[i] = latch_uuid(&r.cx);
        assert_int_equal(uuids[i].len, 36);
        for (size_t k = 0; k < 36; k++) {
            bool dash = k == 8 || k == 13 || k == 18 || k == 23;
            char c = uuids[i].ptr[k];
            assert_true(dash ? c == '-' : (isdigit((unsigned char)c) || (c >= 'a' && c <= 'f')));
        }
        assert_int_equal(uuids[i].ptr[14], '4');
        assert_non_null(strchr("89ab", uuids[i].ptr[19]));
        variants |= 1u << (strchr("89ab", uuids[i].ptr[19]) - "89ab");
        for (size_t k = 0; k < i; k++)
            assert_false(latch_str_eq(uuids[i], uuids[k]));
    }
    assert_true((variants & (variants - 1)) != 0); /* 64 times the same one of four: no random bits */
}

static void caps_timeouts_by_the_deadline(void **state) {
    static const int64_t now = ROOM_NOW_US / 1000, none = INT64_MAX;
    const struct {
        int64_t deadline, timeout, standard, at;
    } rows[] = {
        {none, 500, 1000, now + 500},        {none, 0, 1000, now + 1000},       {now + 300, 500, 1000, now + 300},
        {now + 300, 0, 1000, now + 300},     {now + 300, 299, 1000, now + 299}, {now + 300, 300, 1, now + 300},
        {now - 5, 500, 1000, now - 5},       {none, INT64_MAX, 1000, none},     {now + 300, INT64_MAX, 1, now + 300},
        {none, none - now - 1, 1, none - 1},
    };
    int64_t at;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        r.cx.deadline_at_ms = rows[i].deadline;
        assert_int_equal(latch_ctx_deadline(&r.cx, rows[i].timeout, rows[i].standard, &at), LATCH_OK);
        if (at != rows[i].at) fail_msg("row %zu: %lld", i, (long long)(at - now));
    }
    assert_int_equal(latch_ctx_deadline(&r.cx, -1, 1000, &at), LATCH_E_MISUSE);
    assert_string_equal(r.cx.err.message, "timeout_ms is -1, want 0 or more");
}

static void tells_the_time_left(void **state) {
    (void)state;
    assert_true(latch_left_ms(&r.cx) == INT64_MAX);
    r.cx.deadline_at_ms = latch_now_ms(&r.cx) + 1500;
    assert_int_equal(latch_left_ms(&r.cx), 1500);
    r.wall_us += 2000000;
    assert_int_equal(latch_left_ms(&r.cx), -500);
    assert_int_equal(latch_now_ms(&r.cx), ROOM_NOW_US / 1000 + 2000);
    assert_text(latch_request_id(&r.cx), "r-1");
}

static void formats_text_of_any_length(void **state) {
    char long_text[1000];
    (void)state;
    for (size_t len = 0; len < sizeof long_text; len += len < 250 || len > 260 ? 50 : 1) {
        memset(long_text, 'x', len);
        long_text[len] = '\0';
        latch_str text = latch_ctx_text(&r.cx, "%s", long_text);
        assert_text(text, long_text);
        assert_int_equal(text.ptr[len], '\0');
    }
    room small;
    room_open(&small, 8);
    assert_null(latch_ctx_text(&small.cx, "%d", 12345678).ptr);
    assert_text(latch_ctx_text(&small.cx, "%d", 1234567), "1234567");
    room_close(&small);
}

static void fails_with_a_type_and_values(void **state) {
    latch_str id = LATCH_STR("o-\"1\"");
    (void)state;
    assert_int_equal(latch_fail(&r.cx, "CardDeclined", "the card was declined", "order_id", id, "tries", latch_int(2)), LATCH_E_HANDLER);
    const latch_err *err = latch_error(&r.cx);
    assert_int_equal(err->status, LATCH_E_HANDLER);
    assert_string_equal(err->type, "CardDeclined");
    assert_string_equal(err->message, "the card was declined {\"order_id\":\"o-\\\"1\\\"\",\"tries\":2}");
    assert_false(err->for_client);
    assert_int_equal(latch_fail(&r.cx, "Login", "no such user", "user", "ann", "password", "hunter2", "pin_token", latch_int(1234)),
                     LATCH_E_HANDLER);
    assert_string_equal(r.cx.err.message, "no such user {\"user\":\"ann\",\"password\":\"***\",\"pin_token\":0}");
    assert_int_equal(latch_fail(&r.cx, "Plain", "no values"), LATCH_E_HANDLER);
    assert_string_equal(err->message, "no values");
    assert_int_equal(latch_fail(&r.cx, "AnErrorTypeThatIsLongerThanTheFortyEightBytesThereAreForIt", "x"), LATCH_E_HANDLER);
    assert_int_equal(strlen(err->type), sizeof err->type - 1);
    assert_int_equal(latch_fail(&r.cx, "Bad", "bytes are left out", "x", LATCH_STR("\xFF")), LATCH_E_HANDLER);
    assert_string_equal(err->message, "bytes are left out");
}

static void refuses_with_refusals_only(void **state) {
    static const struct {
        int given;
        latch_status status;
    } rows[] = {{LATCH_MISSING, LATCH_MISSING},
                {LATCH_UNDONE, LATCH_UNDONE},
                {LATCH_E_INPUT, LATCH_E_INPUT},
                {LATCH_OK, LATCH_E_MISUSE},
                {1, LATCH_E_MISUSE},
                {LATCH_MISSING - 1, LATCH_E_MISUSE},
                {LATCH_UNDONE + 1, LATCH_E_MISUSE},
                {LATCH_E_NETWORK, LATCH_E_MISUSE}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status status = latch_refuse(&r.cx, (latch_status)rows[i].given, "no such product", "sku", "tea");
        assert_int_equal(status, rows[i].status);
        assert_int_equal(r.cx.err.status, status);
        assert_int_equal(r.cx.err.for_client, status != LATCH_E_MISUSE);
        if (status != LATCH_E_MISUSE) assert_string_equal(r.cx.err.message, "no such product {\"sku\":\"tea\"}");
    }
}

static void fails_in_a_full_arena_too(void **state) {
    room none;
    (void)state;
    room_open(&none, 0);
    assert_int_equal(latch_fail(&none.cx, "Full", "nothing left", "a", "b"), LATCH_E_HANDLER);
    assert_string_equal(none.cx.err.type, "Full");
    assert_string_equal(none.cx.err.message, "nothing left");
    assert_int_equal(latch_refuse(&none.cx, LATCH_MISSING, "gone", "a", "b"), LATCH_MISSING);
    assert_string_equal(none.cx.err.message, "gone");
    assert_int_equal(latch_copy(&none.cx, LATCH_STR("x")).len, 0);
    assert_null(latch_uuid(&none.cx).ptr);
    room_close(&none);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(escapes_what_joins_a_key),
    ROW(makes_another_key_of_other_parts),
    ROW(empties_a_key_of_what_could_not_be_made),
    ROW(makes_uuids),
    ROW(caps_timeouts_by_the_deadline),
    ROW(tells_the_time_left),
    ROW(formats_text_of_any_length),
    ROW(fails_with_a_type_and_values),
    ROW(refuses_with_refusals_only),
    ROW(fails_in_a_full_arena_too),
};
// clang-format on

CHECK_MAIN(tests)

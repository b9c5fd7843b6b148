#include <stdio.h>
#include <string.h>

#include "core/err.h"
#include "tests/check.h"
#include "tests/core/room.h"

static void overwrites_everything(void **state) {
    latch_err err = {.maybe_applied = true, .for_client = true, .retry_at_ms = 5, .message = "before"};
    (void)state;
    assert_int_equal(latch_err_set(&err, LATCH_LIMITED, "%s is used up, %d of %d", "login", 3, 3), LATCH_LIMITED);
    assert_int_equal(err.status, LATCH_LIMITED);
    assert_false(err.maybe_applied || err.for_client || err.retry_at_ms != 0);
    assert_string_equal(err.type, "Limited");
    assert_string_equal(err.message, "login is used up, 3 of 3");
    assert_int_equal(latch_err_set(NULL, LATCH_E_DATA, "nobody %s", "asks"), LATCH_E_DATA);
}

static void takes_its_own_texts_as_arguments(void **state) {
    latch_err err = {0};
    (void)state;
    (void)latch_err_set(&err, LATCH_E_NETWORK, "connection refused");
    (void)latch_err_set(&err, LATCH_E_TIMEOUT, "PutItem: %s (%s)", err.message, err.type);
    assert_string_equal(err.message, "PutItem: connection refused (Network)");
    assert_string_equal(err.type, "Timeout");
}

/* One character of each length, across the end of the message: its bytes are all there, or none is. */
static void cuts_long_messages_between_characters(void **state) {
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x92\xA9"};
    latch_err err;
    char text[600];
    (void)state;
    for (size_t k = 0; k < COUNT_OF(characters); k++) {
        for (size_t before = 240; before < 262; before++) {
            size_t len = strlen(characters[k]), fits = before + len <= 255 ? before + len : before < 255 ? before : 255;
            memset(text, 'a', before);
            memcpy(text + before, characters[k], len + 1);
            (void)latch_err_set(&err, LATCH_E_INPUT, "%s", text);
            assert_int_equal(strlen(err.message), fits);
            assert_memory_equal(err.message, text, fits);
            assert_true(latch_str_is_utf8(latch_str_of(err.message)));
        }
    }
}

static void makes_utf8_of_anything(void **state) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"\xFF", "?"}, {"a\xC0\x80z", "a??z"}, {"\xE2\x82", "??"}, {"\xED\xA0\x80.", "???."}, {"t\xC3\xA9", "t\xC3\xA9"}, {"", ""},
    };
    latch_err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)latch_err_set(&err, LATCH_E_INPUT, "%s", rows[i].text);
        assert_string_equal(err.message, rows[i].message);
    }
    (void)latch_err_set(&err, LATCH_E_INPUT, "%.*s|", LATCH_ARG(((latch_str){NULL, 0})));
    assert_string_equal(err.message, "|");
}

static void names_every_status(void **state) {
    static const struct {
        latch_status status;
        const char *name;
    } rows[] = {
        {LATCH_OK, "OK"},
        {LATCH_MISSING, "Missing"},
        {LATCH_HELD, "Held"},
        {LATCH_BUSY, "Busy"},
        {LATCH_MISMATCH, "Mismatch"},
        {LATCH_CONFLICT, "Conflict"},
        {LATCH_LIMITED, "Limited"},
        {LATCH_SEEN, "Seen"},
        {LATCH_UNDONE, "Undone"},
        {LATCH_E_INPUT, "BadInput"},
        {LATCH_E_HANDLER, "Handler"},
        {LATCH_E_DATA, "BadItem"},
        {LATCH_E_MISUSE, "Misuse"},
        {LATCH_E_NOMEM, "ArenaFull"},
        {LATCH_E_TIMEOUT, "Timeout"},
        {LATCH_E_NETWORK, "Network"},
        {LATCH_E_THROTTLED, "Throttled"},
        {LATCH_E_DENIED, "Denied"},
    };
    size_t known = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(latch_status_name(rows[i].status), rows[i].name);
    for (unsigned status = 0; status < 256; status++)
        known += strcmp(latch_status_name((latch_status)status), "Unknown") != 0;
    assert_int_equal(known, COUNT_OF(rows));
}

#define ROW(test) cmocka_unit_test(test)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(overwrites_everything),
    ROW(takes_its_own_texts_as_arguments),
    ROW(cuts_long_messages_between_characters),
    ROW(makes_utf8_of_anything),
    ROW(names_every_status),
};
// clang-format on

CHECK_MAIN(tests)

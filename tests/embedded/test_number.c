#include <stdio.h>
#include <string.h>

#include "store/embedded/number.h"
#include "tests/check.h"

/* What DynamoDB Local 2.6.1 answers to each of these, recorded. */
#define NOT_A_NUMBER "A value provided cannot be converted into a number"
#define OVERFLOWS "Number overflow. Attempting to store a number with magnitude larger than supported range"
#define UNDERFLOWS "Number underflow. Attempting to store a number with magnitude smaller than supported range"
#define TOO_PRECISE "DynamoDB only supports precision up to 38 digits"

#define Z10 "0000000000"
#define Z40 Z10 Z10 Z10 Z10
#define Z120 Z40 Z40 Z40
#define NINES "99999999999999999999999999999999999999"
#define COUNT38 "12345678901234567890123456789012345678"

static _Alignas(16) char memory[4096];
static latch_arena arena;
static latch_fault fault;

static int set_up(void **state) {
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    fault = (latch_fault){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    return 0;
}

static void again(void) {
    latch_arena_rewind(&arena, 0);
    fault = (latch_fault){0};
}

/* The number as text, or the fault's. */
static const char *shown(bool ok, const latch_number *n) {
    static char text[LATCH_NUMBER_TEXT_MAX + 1];
    if (!ok) {
        assert_string_equal(fault.name, "ValidationException");
        return fault.message.ptr;
    }
    assert_null(fault.name);
    text[latch_number_write(n, text)] = '\0';
    return text;
}

static latch_number number(const char *text) {
    latch_number n;
    assert_true(latch_number_read(latch_str_of(text), &n, &arena, &fault));
    return n;
}

static void reads_and_prints_as_dynamodb_does(void **state) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"0", "0"},
        {"-0", "0"},
        {"0.00", "0"},
        {"00", "0"},
        {"1", "1"},
        {"01", "1"},
        {"+1", "1"},
        {"-1", "-1"},
        {"1.", "1"},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"1e5", "100000"},
        {"1E+5", "100000"},
        {"1e-5", "0.00001"},
        {"1e0005", "100000"},
        {"1.50", "1.5"},
        {"123.456e3", "123456"},
        {"12.5", "12.5"},
        {"1.23e-10", "0.000000000123"},
        {"1.0e10", "10000000000"},
        {"0e999999", "0"},
        {"0e-999999", "0"},
        {COUNT38, COUNT38},
        {COUNT38 "00", COUNT38 "00"},
        {"1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678"},
        {"0." COUNT38, "0." COUNT38},
        {COUNT38 ".000", COUNT38},
        {"000" NINES, NINES},
        {"1e125", "1" Z120 "00000"},
        {"-9.9e125", "-99" Z120 "0000"},
        {"1e-130", "0." Z120 "0000000001"},
        {"-1.2345678901234567890123456789012345678e-130", "-0." Z120 "000000000" COUNT38},
        {"1" Z120 "00000", "1" Z120 "00000"},
        {"0." Z120 "0000000001", "0." Z120 "0000000001"},

        {"1e126", OVERFLOWS},
        {"-1e126", OVERFLOWS},
        {"1" Z120 "000000", OVERFLOWS},
        {"1e2147483647", OVERFLOWS},
        {"1e-131", UNDERFLOWS},
        {"-1e-131", UNDERFLOWS},
        {"9e-131", UNDERFLOWS},
        {"0.1e-130", UNDERFLOWS},
        {"0." Z120 "00000000001", UNDERFLOWS},
        {COUNT38 "9", TOO_PRECISE},
        {"0." COUNT38 "9", TOO_PRECISE},
        {"1" Z40 "1", TOO_PRECISE},
        {"9.9" NINES "e125", TOO_PRECISE},
        {"1" Z40 "1e999", TOO_PRECISE}, /* precision is looked at before the range */

        {"", NOT_A_NUMBER},
        {"-", NOT_A_NUMBER},
        {"+", NOT_A_NUMBER},
        {".", NOT_A_NUMBER},
        {"-.", NOT_A_NUMBER},
        {"e1", NOT_A_NUMBER},
        {"1e", NOT_A_NUMBER},
        {"1e+", NOT_A_NUMBER},
        {"1e1.5", NOT_A_NUMBER},
        {"1.2.3", NOT_A_NUMBER},
        {"--1", NOT_A_NUMBER},
        {"+-1", NOT_A_NUMBER},
        {" 1", NOT_A_NUMBER},
        {"1 ", NOT_A_NUMBER},
        {"1\n", NOT_A_NUMBER},
        {"1,5", NOT_A_NUMBER},
        {"1_0", NOT_A_NUMBER},
        {"0x10", NOT_A_NUMBER},
        {"1f", NOT_A_NUMBER},
        {"NaN", NOT_A_NUMBER},
        {"Infinity", NOT_A_NUMBER},
        {"null", NOT_A_NUMBER},
        {"1e2147483648", NOT_A_NUMBER},
        {"1e-2147483648", NOT_A_NUMBER},
        {"1e99999999999999999999999999999999", NOT_A_NUMBER},
        {"0e99999999999", NOT_A_NUMBER},
        {"\xEF\xBC\x91", NOT_A_NUMBER}, /* a full-width 1: Local takes it, the developer guide's numbers have no such digit */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_number n;
        again();
        const char *got = shown(latch_number_read(latch_str_of(rows[i].text), &n, &arena, &fault), &n);
        if (strcmp(got, rows[i].want) != 0) fail_msg("%s: got %s, want %s", rows[i].text, got, rows[i].want);
    }
}

static void compares_by_value(void **state) {
    /* ascending; each is compared with each */
    static const char *const ladder[] = {"-1e125", "-10",  "-9.5", "-9",   "-1.01", "-1",   "-0.5",  "-1e-130", "0",
                                         "1e-130", "0.05", "0.5",  "0.51", "1",     "1.01", "1.1",   "9",       "10",
                                         "10.01",  "99",   "100",  "1e5",  NINES,   "1e38", "1e125", "9e125"};
    (void)state;
    for (size_t a = 0; a < COUNT_OF(ladder); a++)
        for (size_t b = 0; b < COUNT_OF(ladder); b++) {
            latch_number x = number(ladder[a]), y = number(ladder[b]);
            int order = latch_number_compare(&x, &y), want = (a > b) - (a < b);
            if ((order > 0) - (order < 0) != want) fail_msg("%s against %s: %d", ladder[a], ladder[b], order);
        }
    latch_number one = number("1"), same = number("1.000e0");
    assert_int_equal(latch_number_compare(&one, &same), 0);
}

static void adds_and_subtracts_exactly(void **state) {
    static const struct {
        const char *a, *b, *sum, *difference;
    } rows[] = {
        {"0", "0", "0", "0"},
        {"1", "0", "1", "1"},
        {"0", "5", "5", "-5"},
        {"1", "2", "3", "-1"},
        {"5", "5", "10", "0"},
        {"-5", "5", "0", "-10"},
        {"-5", "-7", "-12", "2"},
        {"99", "1", "100", "98"},
        {"100", "1", "101", "99"},
        {"0.1", "0.2", "0.3", "-0.1"},
        {"1.5", "-0.5", "1", "2"},
        {"1e20", "1", "100000000000000000001", "99999999999999999999"},
        {"1e-5", "1", "1.00001", "-0.99999"},
        {"9.9", "0.1", "10", "9.8"},
        {NINES, "1", "100000000000000000000000000000000000000", "99999999999999999999999999999999999998"},
        {NINES, NINES, TOO_PRECISE, "0"},
        {NINES, "0.1", TOO_PRECISE, TOO_PRECISE},
        {"1e38", "1", TOO_PRECISE, NINES},
        {"1e38", "1e-1", TOO_PRECISE, TOO_PRECISE},
        {"1e125", "1e-130", TOO_PRECISE, TOO_PRECISE},
        {"9e125", "1e125", OVERFLOWS, "8" Z120 "00000"},
        {"-9e125", "-1e125", OVERFLOWS, "-8" Z120 "00000"},
        {"1.1e-130", "1e-130", "0." Z120 "00000000021", UNDERFLOWS},
        {COUNT38, "-" COUNT38, "0", "24691357802469135780246913578024691356"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        again();
        latch_number a = number(rows[i].a), b = number(rows[i].b), c;
        const char *got = shown(latch_number_add(&a, &b, &c, &arena, &fault), &c);
        if (strcmp(got, rows[i].sum) != 0) fail_msg("%s + %s: got %s, want %s", rows[i].a, rows[i].b, got, rows[i].sum);
        again();
        got = shown(latch_number_subtract(&a, &b, &c, &arena, &fault), &c);
        if (strcmp(got, rows[i].difference) != 0) fail_msg("%s - %s: got %s, want %s", rows[i].a, rows[i].b, got, rows[i].difference);
    }
}

/* x + y - y is x, at every distance of exponents that 38 digits allow. */
static void undoes_what_it_added(void **state) {
    (void)state;
    for (int distance = -36; distance <= 36; distance++) {
        char text[32];
        again();
        snprintf(text, sizeof text, "-7.3e%d", distance);
        latch_number x = number("4.2"), y = number(text), sum, back;
        assert_true(latch_number_add(&x, &y, &sum, &arena, &fault));
        assert_true(latch_number_subtract(&sum, &y, &back, &arena, &fault));
        assert_memory_equal(&back, &x, sizeof x);
    }
}

static void measures_as_dynamodb_does(void **state) {
    static const struct {
        const char *text;
        size_t bytes;
    } rows[] = {{"0", 1},     {"1", 2},      {"12", 2},    {"123", 3},    {"1234", 3},      {"-1", 3},    {"-12", 3},
                {"-123", 4},  {"10", 2},     {"100", 2},   {"120", 3},    {"1200", 2},      {"1030", 3},  {"10305", 4},
                {"1.5", 3},   {"0.1", 2},    {"0.01", 2},  {"12.34", 3},  {"12.345", 4},    {"1.234", 4}, {"123.4", 4},
                {"1e100", 2}, {"1e-100", 2}, {"1e101", 2}, {COUNT38, 20}, {"-" COUNT38, 21}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_number n = number(rows[i].text);
        if (latch_decimal_bytes(&n) != rows[i].bytes)
            fail_msg("%s: %zu bytes, want %zu", rows[i].text, latch_decimal_bytes(&n), rows[i].bytes);
    }
}

static void gives_whole_numbers_that_fit(void **state) {
    static const struct {
        const char *text;
        bool fits;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"-1", true, -1},
        {"1200", true, 1200},
        {"1.5", false, 0},
        {"0.1", false, 0},
        {"1e18", true, INT64_C(1000000000000000000)},
        {"1e19", false, 0},
        {"1e125", false, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {NINES, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_number n = number(rows[i].text);
        int64_t got = 0;
        if (latch_number_int(&n, &got) != rows[i].fits || got != rows[i].want) fail_msg("%s: got %lld", rows[i].text, (long long)got);
    }
}

static void says_when_the_arena_is_full(void **state) {
    latch_number n;
    (void)state;
    assert_non_null(latch_arena_alloc(&arena, sizeof memory));
    assert_false(latch_number_read(LATCH_STR("x"), &n, &arena, &fault));
    assert_string_equal(fault.name, "Arena");
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(reads_and_prints_as_dynamodb_does), ROW(compares_by_value),
    ROW(adds_and_subtracts_exactly),        ROW(undoes_what_it_added),
    ROW(measures_as_dynamodb_does),         ROW(gives_whole_numbers_that_fit),
    ROW(says_when_the_arena_is_full),
};
CHECK_MAIN(tests)

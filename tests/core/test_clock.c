#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "tests/check.h"
#include "tests/core/room.h"

static void formats_dates(void **state) {
    static const struct {
        int64_t at_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {-86400000, "1969-12-31T00:00:00.000Z"},
        {-86400001, "1969-12-30T23:59:59.999Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {1709164800000, "2024-02-29T00:00:00.000Z"},
        {1735689599999, "2024-12-31T23:59:59.999Z"},
        {1740787200000, "2025-03-01T00:00:00.000Z"},
        {1795253400123, "2026-11-21T09:30:00.123Z"},
        {4107542399000, "2100-02-28T23:59:59.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"}, /* no leap year */
        {-2203891200000, "1900-03-01T00:00:00.000Z"},
        {-2203891200001, "1900-02-28T23:59:59.999Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char out[LATCH_TIMESTAMP_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_clock_format(rows[i].at_ms, out);
        assert_string_equal(out, rows[i].text);
    }
    const int64_t odd[] = {INT64_MIN, INT64_MAX, 253402300800000, -62167219200001};
    for (size_t i = 0; i < COUNT_OF(odd); i++) { /* no year of four digits: still 24 bytes */
        latch_clock_format(odd[i], out);
        assert_int_equal(strlen(out), LATCH_TIMESTAMP_BYTES - 1);
        assert_memory_equal(out, "0000-", 5);
    }
}

/* Every day of 800 years, as the C library tells it. */
static void formats_as_the_c_library_does(void **state) {
    (void)state;
    for (int64_t day = -146097; day < 146097; day++) {
        char out[LATCH_TIMESTAMP_BYTES], want[80];
        struct tm t;
        time_t s = (time_t)(day * 86400 + (day < 0 ? -day : day) * 7919 % 86400);
        assert_non_null(gmtime_r(&s, &t));
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.007Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
                 t.tm_sec);
        latch_clock_format((int64_t)s * 1000 + 7, out);
        if (strcmp(out, want) != 0) fail_msg("%s, want %s", out, want);
        assert_int_equal(latch_clock_days(t.tm_year + 1900, t.tm_mon + 1, t.tm_mday), day);
    }
}

static void counts_days_of_any_year(void **state) {
    static const struct {
        int64_t year, month, day;
        int64_t days;
    } rows[] = {
        {1970, 1, 1, 0},       {0, 3, 1, -719468},    {0, 1, 1, -719528},
        {-1, 12, 31, -719529}, {-400, 3, 1, -865565}, {2026, 2, 30, 20514}, /* 2 March */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_clock_days(rows[i].year, rows[i].month, rows[i].day), rows[i].days);
}

static void measures_with_the_clock_that_went_further(void **state) {
    static const struct {
        int64_t wall_us, boot_us; /* by which each is moved */
        int64_t since_us;
    } rows[] = {
        {0, 0, 0},
        {1500, 1500, 1500},
        {999, 999, 999},
        {5000000, 2000000, 5000000}, /* boot time stopped in a freeze */
        {-3600000000, 7000, 7000},   /* wall time was set back */
        {3600000000, 7000, 3600000000},
        {-1, -1, 0}, /* both went back: nothing */
        {-5000000, 0, 0},
        {0, 9999, 9999}, /* wall time stopped */
    };
    room r;
    (void)state;
    room_open(&r, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_instant from = latch_clock_instant(&r.cx.clock);
        assert_int_equal(from.wall_us, r.wall_us);
        r.wall_us += rows[i].wall_us;
        r.boot_us += rows[i].boot_us;
        assert_int_equal(latch_clock_since_us(&r.cx.clock, from), rows[i].since_us);
        assert_int_equal(latch_clock_since_ms(&r.cx.clock, from), rows[i].since_us / 1000);
    }
    room_close(&r);
}

static int64_t slept_ms;
static void sleeps(void *self, int64_t ms) {
    room *r = self;
    slept_ms += ms;
    r->wall_us += ms * 1000;
}

static void sleeps_through_the_clock(void **state) {
    room r;
    (void)state;
    room_open(&r, 0);
    r.cx.clock.sleep_ms = sleeps;
    slept_ms = 0;
    int64_t before = latch_clock_wall_ms(&r.cx.clock);
    latch_clock_sleep_ms(&r.cx.clock, 3600000);
    latch_clock_sleep_ms(&r.cx.clock, 0);
    latch_clock_sleep_ms(&r.cx.clock, -5);
    assert_int_equal(slept_ms, 3600000);
    assert_int_equal(latch_clock_wall_ms(&r.cx.clock) - before, 3600000);
    room_close(&r);
}

static void reads_the_systems_clocks(void **state) {
    latch_clock clock = latch_clock_system();
    int64_t now_s = (int64_t)time(NULL);
    (void)state;
    assert_true(latch_clock_wall_ms(&clock) / 1000 - now_s <= 1 && latch_clock_wall_ms(&clock) / 1000 >= now_s);
    latch_instant from = latch_clock_instant(&clock), to;
    latch_clock_sleep_ms(&clock, 2); /* the one sleep: it is what is tested */
    to = latch_clock_instant(&clock);
    assert_true(to.boot_us - from.boot_us >= 2000);
    assert_true(latch_clock_since_ms(&clock, from) >= 2);
}

#define ROW(test) cmocka_unit_test(test)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(formats_dates),
    ROW(formats_as_the_c_library_does),
    ROW(counts_days_of_any_year),
    ROW(measures_with_the_clock_that_went_further),
    ROW(sleeps_through_the_clock),
    ROW(reads_the_systems_clocks),
};
// clang-format on

CHECK_MAIN(tests)

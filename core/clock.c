#include "core/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_us(clockid_t id) {
    struct timespec t;
    if (clock_gettime(id, &t) != 0) return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t wall_us(void *self) {
    (void)self;
    return read_us(CLOCK_REALTIME);
}

static int64_t boot_us(void *self) {
    (void)self;
    return read_us(CLOCK_BOOTTIME);
}

/* A signal may end a nanosleep: the rest is slept then. */
static void sleep_ms(void *self, int64_t ms) {
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)self;
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

latch_clock latch_clock_system(void) { return (latch_clock){.wall_us = wall_us, .boot_us = boot_us, .sleep_ms = sleep_ms}; }

void latch_clock_sleep_ms(const latch_clock *clock, int64_t ms) {
    if (ms <= 0) return;
    if (clock->sleep_ms == NULL) {
        sleep_ms(NULL, ms);
        return;
    }
    clock->sleep_ms(clock->self, ms);
}

int64_t latch_clock_wall_ms(const latch_clock *clock) { return clock->wall_us(clock->self) / 1000; }

latch_instant latch_clock_instant(const latch_clock *clock) {
    return (latch_instant){clock->wall_us(clock->self), clock->boot_us(clock->self)};
}

int64_t latch_clock_since_us(const latch_clock *clock, latch_instant from) {
    latch_instant now = latch_clock_instant(clock);
    int64_t wall = now.wall_us - from.wall_us, boot = now.boot_us - from.boot_us;
    int64_t span = wall > boot ? wall : boot;
    return span > 0 ? span : 0;
}

int64_t latch_clock_since_ms(const latch_clock *clock, latch_instant from) { return latch_clock_since_us(clock, from) / 1000; }

static char *put_number(char *to, int64_t n, int digits, char behind) {
    for (int i = digits - 1; i >= 0; i--, n /= 10)
        to[i] = (char)('0' + n % 10);
    to[digits] = behind;
    return to + digits + 1;
}

#define DAYS_TO_1970 719468 /* from 1 March of the year 0 */

/*
 * Days since 1970 to year, month and day. Years are counted from March, so that the leap day is a year's last: 1461 days are four years,
 * 36524 a century, 146097 four hundred years; the months from March on begin at (153 m + 2) / 5 days.
 */
void latch_clock_format(int64_t at_ms, char out[LATCH_TIMESTAMP_BYTES]) {
    int64_t in_day = at_ms % LATCH_DAY_MS, days = at_ms / LATCH_DAY_MS;
    if (in_day < 0) in_day += LATCH_DAY_MS, days--;
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, in_era = days - era * 146097;
    int64_t year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), month = (5 * in_year + 2) / 153;
    int64_t year = era * 400 + year_of_era + (month >= 10);
    out = put_number(out, year >= 0 && year <= 9999 ? year : 0, 4, '-');
    out = put_number(out, month < 10 ? month + 3 : month - 9, 2, '-');
    out = put_number(out, in_year - (153 * month + 2) / 5 + 1, 2, 'T');
    out = put_number(out, in_day / LATCH_HOUR_MS, 2, ':');
    out = put_number(out, in_day / LATCH_MINUTE_MS % 60, 2, ':');
    out = put_number(out, in_day / LATCH_SECOND_MS % 60, 2, '.');
    *put_number(out, in_day % LATCH_SECOND_MS, 3, 'Z') = '\0';
}

int64_t latch_clock_days(int64_t year, int64_t month, int64_t day) {
    int64_t y = month > 2 ? year : year - 1, from_march = month > 2 ? month - 3 : month + 9;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 + day - 1 - DAYS_TO_1970;
}

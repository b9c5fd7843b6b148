#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
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

int64_t latch_clock_since_ms(const latch_clock *clock, latch_instant from) {
    latch_instant now = latch_clock_instant(clock);
    int64_t wall = now.wall_us - from.wall_us, boot = now.boot_us - from.boot_us;
    int64_t span = wall > boot ? wall : boot;
    return span > 0 ? span / 1000 : 0;
}

void latch_clock_format(int64_t at_ms, char out[LATCH_TIMESTAMP_BYTES]) {
    int64_t ms = at_ms % 1000;
    time_t s = (time_t)(at_ms / 1000 - (ms < 0));
    struct tm t = {0};
    gmtime_r(&s, &t);
    unsigned year = (unsigned)(t.tm_year + 1900) % 10000;
    snprintf(out, LATCH_TIMESTAMP_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, (unsigned)(t.tm_mon + 1) % 100,
             (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100,
             (unsigned)(ms < 0 ? ms + 1000 : ms) % 1000);
}

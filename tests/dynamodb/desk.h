/* desk.h - one scripted server, settings that lead to it, and clocks that a test may move: what the tests of connections share. */
#ifndef TESTS_DYNAMODB_DESK_H
#define TESTS_DYNAMODB_DESK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/err.h"
#include "store/dynamodb/settings.h"
#include "tests/check.h"
#include "tests/dynamodb/scripted_server.h"

#define DESK_ARENA_BYTES ((size_t)1 << 20)
#define DESK_PATIENCE_MS INT64_C(60000) /* of what is to succeed, on a machine however busy */
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define FAILED_CONDITION                                                                                                                   \
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 96\r\n\r\n"                                   \
    "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\",\"message\":\"failed\"}"

typedef struct desk {
    scripted_server *server; /* NULL: none yet, or nobody listens */
    latch_settings settings;
    char url[80], host[64];
    int64_t wall_shift_us, boot_shift_us; /* added to the system's clocks */
    void *memory;
    latch_arena arena;
    latch_err err;
} desk;

static int64_t desk_wall_us(void *self) {
    latch_clock clock = latch_clock_system();
    return clock.wall_us(clock.self) + ((desk *)self)->wall_shift_us;
}

static int64_t desk_boot_us(void *self) {
    latch_clock clock = latch_clock_system();
    return clock.boot_us(clock.self) + ((desk *)self)->boot_shift_us;
}

static inline latch_clock desk_clock(desk *d) { return (latch_clock){.wall_us = desk_wall_us, .boot_us = desk_boot_us, .self = d}; }

static inline int64_t desk_in_ms(desk *d, int64_t ms) { return desk_wall_us(d) / 1000 + ms; }

static inline void desk_point(desk *d, const char *name, int port, bool tls) {
    snprintf(d->host, sizeof d->host, "%s:%d", name, port);
    snprintf(d->url, sizeof d->url, "http%s://%s", tls ? "s" : "", d->host);
    d->settings.tls = tls;
}

/* Zero, or left by the test before. */
static inline void desk_clear(desk *d) {
    if (d->server != NULL) scripted_stop(d->server);
    if (d->memory != NULL) latch_arena_clean_up(&d->arena);
    free(d->memory);
    *d = (desk){0};
}

static inline void desk_lay(desk *d, const scripted_options *options) {
    desk_clear(d);
    d->memory = malloc(DESK_ARENA_BYTES);
    assert_non_null(d->memory);
    latch_arena_init(&d->arena, d->memory, DESK_ARENA_BYTES);
    d->settings =
        (latch_settings){.region = "eu-west-1", .url = d->url, .host = d->host, .local = true, .connect_timeout_ms = DESK_PATIENCE_MS};
    if (options == NULL) return;
    d->server = scripted_start(options);
    desk_point(d, options->tls != NULL ? "localhost" : "127.0.0.1", scripted_port(d->server), options->tls != NULL);
    if (options->tls != NULL) d->settings.ca_file = scripted_ca(d->server);
}

/* The error is of this status, says these words, and the truth about whether the request may have been applied. */
#define assert_error(d, want_status, want_words, want_maybe)                                                                               \
    do {                                                                                                                                   \
        if ((d)->err.status != (want_status) || strstr((d)->err.message, (want_words)) == NULL || (d)->err.maybe_applied != (want_maybe))  \
            fail_msg("%s, %s: \"%s\"; want %s, %s: \"%s\"", latch_status_name((d)->err.status), (d)->err.maybe_applied ? "maybe" : "not",  \
                     (d)->err.message, latch_status_name(want_status), (want_maybe) ? "maybe" : "not", want_words);                        \
    } while (0)

#endif

/* engine_rig.h - an embedded store in a test: a clock to move, requests in JSON with ' for ", answers compared as JSON. */
#ifndef TESTS_EMBEDDED_ENGINE_RIG_H
#define TESTS_EMBEDDED_ENGINE_RIG_H

#include <yyjson.h>

#include "store/embedded/engine.h"

typedef struct engine_rig {
    latch_embedded *engine;
    latch_transport transport;
    latch_clock clock;
    int64_t now_ms; /* moved by the test */
    latch_arena arena;
    void *memory;
    latch_err err;
    latch_reply reply;
} engine_rig;

#define ENGINE_T0 INT64_C(1767225600000)

void engine_rig_init(engine_rig *r, const latch_embedded_options *options);  /* options.clock is the rig's */
void engine_rig_again(engine_rig *r, const latch_embedded_options *options); /* another engine, at the first time */
void engine_rig_clean_up(engine_rig *r);

/* Sends a request, whose ' become ", in an arena that begins afresh: the HTTP status, or 0 where there was no answer. */
int engine_send(engine_rig *r, const char *operation, const char *request);
int engine_send_format(engine_rig *r, const char *operation, const char *format, ...) __attribute__((format(printf, 3, 4)));
int engine_send_raw(engine_rig *r, const char *operation, latch_str request, size_t arena_bytes);

/* What an answer says, without what differs from run to run: dates are left out, an error's name has no prefix. In malloc's memory. */
char *engine_normal(latch_str body);

/* Fails the test unless the request gives just this answer (' become "; order in objects doesn't count). */
void engine_expect(engine_rig *r, const char *operation, const char *request, int http_status, const char *answer);
/* "ValidationException: Limit must be greater than or equal to 1" */
void engine_expect_error(engine_rig *r, const char *operation, const char *request, const char *error);
/* 200, whatever the answer. */
void engine_do(engine_rig *r, const char *operation, const char *request);

bool engine_same_json(const char *a, const char *b);
int64_t engine_int(const engine_rig *r,
                   const char *pointer); /* of the last answer, by JSON pointer; a string's digits too; -1: not there */
size_t engine_size(const engine_rig *r, const char *pointer); /* of a list or an object; 0: not there */

#endif

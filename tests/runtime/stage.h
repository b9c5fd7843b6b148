/* stage.h - the whole runtime against a scripted service: a clock that sleeping moves, and a log that is read afterwards. */
#ifndef TESTS_RUNTIME_STAGE_H
#define TESTS_RUNTIME_STAGE_H

#include "core/log.h"
#include "runtime/loop.h"
#include "tests/runtime/server.h"

#define STAGE_T0 INT64_C(1767225600000)
#define STAGE_DEADLINE "Lambda-Runtime-Deadline-Ms: 1767225610000\r\n" /* ten seconds later */
#define NEXT_LINE "GET /2018-06-01/runtime/invocation/next"
#define RESPONSE_LINE(id) "POST /2018-06-01/runtime/invocation/" id "/response"
#define ERROR_LINE(id) "POST /2018-06-01/runtime/invocation/" id "/error"
#define INIT_ERROR_LINE "POST /2018-06-01/runtime/init/error"

typedef struct stage {
    server server;
    int exit_status;
    int64_t now_ms;
    int64_t pauses[64]; /* how long the runtime slept, in order */
    size_t pause_count;
    latch_log log;
    char *written;   /* what was logged */
    char story[512]; /* what was called, in order, where the test has it told: story.h */
} stage;

/* A fresh stage; the environment that the runtime reads is as on a service, with the handler `h`. */
void stage_set(stage *s);

/* Plays the script through `handler`, which is called "h" unless it has a name, until the script's end or the process's. */
void stage_play(stage *s, latch_handler handler, const server_step *steps, size_t count);

/* The same with a table, and what else the loop takes. */
void stage_play_options(stage *s, latch_loop_options options, const server_step *steps, size_t count);

void stage_strike(stage *s);

#define PLAY(s, handler, steps) stage_play((s), (handler), (steps), sizeof(steps) / sizeof((steps)[0]))

#endif

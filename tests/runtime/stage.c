#include "tests/runtime/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int64_t now_us(void *self) { return ((stage *)self)->now_ms * 1000; }

static void sleep_ms(void *self, int64_t ms) {
    stage *s = self;
    s->now_ms += ms;
    if (s->pause_count < sizeof s->pauses / sizeof s->pauses[0]) s->pauses[s->pause_count++] = ms;
}

void stage_set(stage *s) {
    static const char *const unset[] = {"LATCH_ARENA_MB", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_RUNTIME_API",
                                        "AWS_LAMBDA_MAX_CONCURRENCY"};
    memset(s, 0, sizeof *s);
    s->now_ms = STAGE_T0;
    s->log = (latch_log){.fd = memfd_create("log", MFD_CLOEXEC), .format = LATCH_LOG_JSON};
    if (s->log.fd < 0 || fcntl(s->log.fd, F_SETFL, O_APPEND) != 0)
        abort(); /* else two threads that write at once write to one place of it */
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++)
        unsetenv(unset[i]);
    setenv("_HANDLER", "h", 1);
}

/* All that was written so far, as text. */
static void read_log(stage *s) {
    off_t len = lseek(s->log.fd, 0, SEEK_END);
    free(s->written);
    s->written = calloc(1, (size_t)len + 1);
    if (s->written == NULL || pread(s->log.fd, s->written, (size_t)len, 0) != len) abort();
}

void stage_play_options(stage *s, latch_loop_options options, const server_step *steps, size_t count) {
    options.clock = (latch_clock){.wall_us = now_us, .boot_us = now_us, .sleep_ms = sleep_ms, .self = s};
    options.log = &s->log;
    server_start(&s->server, steps, count);
    if (getenv("AWS_LAMBDA_RUNTIME_API") == NULL) setenv("AWS_LAMBDA_RUNTIME_API", s->server.address, 1);
    s->exit_status = latch_loop_run(&options);
    server_stop(&s->server);
    unsetenv("AWS_LAMBDA_RUNTIME_API");
    read_log(s);
}

void stage_play(stage *s, latch_handler handler, const server_step *steps, size_t count) {
    if (handler.name == NULL) handler.name = "h";
    stage_play_options(s, (latch_loop_options){.handlers = &handler, .count = 1}, steps, count);
}

void stage_strike(stage *s) {
    server_forget(&s->server);
    free(s->written);
    s->written = NULL;
    close(s->log.fd);
}

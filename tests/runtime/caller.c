#include "tests/runtime/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int64_t now_us(void *self) { return ((caller *)self)->now_ms * 1000; }

void caller_init(caller *c, size_t memory_bytes) {
    memset(c, 0, sizeof *c);
    c->memory = malloc(memory_bytes);
    c->memory_bytes = memory_bytes;
    c->now_ms = CALLER_T0;
    c->log = (latch_log){.fd = memfd_create("log", MFD_CLOEXEC), .format = LATCH_LOG_JSON};
    if (c->memory == NULL || c->log.fd < 0) abort();
    latch_arena_init(&c->arena, c->memory, memory_bytes);
}

void caller_clean_up(caller *c) {
    latch_arena_clean_up(&c->arena);
    free(c->memory);
    close(c->log.fd);
}

latch_status caller_call(caller *c, latch_handler handler, latch_str event) {
    latch_str reply = {"", 0};
    if (handler.name == NULL) handler.name = "h";
    latch_arena_rewind(&c->arena, 0);
    c->scope = (latch_scope){0};
    c->cx = (latch_ctx){.arena = &c->arena,
                        .clock = {.wall_us = now_us, .boot_us = now_us, .self = c},
                        .deadline_at_ms = CALLER_T0 + 10000,
                        .request_id = LATCH_STR("r-1"),
                        .log = &c->log,
                        .scope = &c->scope,
                        .spans = c->spans};
    if (ftruncate(c->log.fd, 0) != 0 || lseek(c->log.fd, 0, SEEK_SET) != 0) abort();
    memset(c->written, 0, sizeof c->written);
    latch_status status = latch_outcome_run(&c->cx, &handler, event, &reply);
    if (pread(c->log.fd, c->written, sizeof c->written - 1, 0) < 0) abort();
    c->whole = reply;
    snprintf(c->reply, sizeof c->reply, "%.*s", (int)(reply.len < sizeof c->reply ? reply.len : sizeof c->reply),
             reply.len > 0 ? reply.ptr : "");
    return status;
}

latch_status caller_say(caller *c, latch_handler handler, const char *event) { return caller_call(c, handler, latch_str_of(event)); }

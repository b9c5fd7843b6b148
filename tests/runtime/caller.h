/* caller.h - one invocation of a handler in a test, without a service: an event in, a reply or an error out. */
#ifndef TESTS_RUNTIME_CALLER_H
#define TESTS_RUNTIME_CALLER_H

#include "core/ctx_private.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/span.h"
#include "runtime/outcome.h"

#define CALLER_T0 INT64_C(1767225600000)

typedef struct caller {
    latch_ctx cx;
    latch_arena arena;
    latch_scope scope;
    latch_log log;
    latch_spans *spans; /* of each call; NULL, as at first: none */
    int64_t now_ms;
    void *memory;
    size_t memory_bytes;
    char written[65536]; /* what the last call logged */
    char reply[65536];   /* of the last call, cut; NUL-terminated */
    latch_str whole;     /* the reply itself, until the next call */
} caller;

void caller_init(caller *c, size_t memory_bytes);
void caller_clean_up(caller *c);

/* Runs the event through the handler, with a fresh arena, error and log. */
latch_status caller_call(caller *c, latch_handler handler, latch_str event);
latch_status caller_say(caller *c, latch_handler handler, const char *event);

#endif

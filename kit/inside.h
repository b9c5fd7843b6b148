/* kit/inside.h - what is inside a latch_test. For kit/ only. */
#ifndef LATCH_KIT_INSIDE_H
#define LATCH_KIT_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/ctx_private.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/span.h"
#include "core/text.h"
#include "latch_test.h"
#include "runtime/invocation.h"
#include "runtime/stream_private.h"
#include "store/client.h"
#include "store/embedded/engine.h"
#include "store/table.h"

#define KIT_FAULTS_MAX 8

typedef struct kit_world { /* what sandboxes share */
    latch_embedded *engine;
    latch_clock clock;
    _Atomic int64_t now_us; /* wall time; boot time is the same */
    size_t sandboxes;
} kit_world;

typedef struct kit_fault {
    latch_test_fault kind;
    size_t first, count;
} kit_fault;

typedef struct kit_faults {
    pthread_mutex_t lock; /* bulk work sends from threads of its own */
    size_t requests;      /* of this event */
    kit_fault list[KIT_FAULTS_MAX];
    size_t count;
    size_t meanwhile_at; /* 0: nothing is to be called */
    void (*meanwhile)(void *arg);
    void *arg;
} kit_faults;

typedef struct kit_kept { /* text that lives as long as its outcome */
    struct kit_kept *next;
    char text[];
} kit_kept;

typedef struct kit_outcome {
    latch_test_outcome public; /* first: a latch_test_outcome * is one of these */
    struct kit_outcome *next;
    latch_json event, body; /* the reply, and what is in it */
    latch_ctx cx;           /* of what is read in them */
    latch_arena arena;
    kit_kept *kept;
    void *memory;
    latch_spans steps;    /* as the event left them, each begun and ended by the kit's clock; its pointers lead nowhere */
    int64_t steps_end_us; /* of those that were left open */
} kit_outcome;

typedef struct kit_stream { /* what the client has had of the event's stream */
    latch_stream stream;
    char *bytes;
    size_t len, cap;
    size_t most; /* then it is gone; SIZE_MAX: it stays */
} kit_stream;

typedef struct kit_process { /* each handler's own */
    bool started;
    latch_metrics *metrics; /* NULL: not started */
} kit_process;

struct latch_test {
    kit_world *world;
    const latch_handler *handlers;
    kit_process *processes; /* of each handler */
    size_t count;
    int64_t timeout_ms;
    void *memory[3];
    latch_arena process_arena, arena, aside_arena;
    latch_ctx process;
    latch_http_session http;
    latch_log log;
    size_t events; /* so far */
    bool running;  /* an event is being handled */
    latch_spans spans;
    latch_invocation caller; /* what each event brings along */
    kit_outcome *outcomes;

    kit_stream streamed;
    kit_faults faults;
    latch_client client, aside_client;
    latch_table table, aside_table;
    latch_ctx aside;
    latch_scope aside_scope;
    bool aside_open;
};

/* A test that has lost its ground can't go on. */
#define kit_need(ok, what) ((ok) ? (void)0 : latch_kit_end(what))
_Noreturn void latch_kit_end(const char *what);

/* What LATCH_RUN was given by `run`. */
void latch_kit_capture(int (*run)(void), const latch_handler **handlers, size_t *count);

/* Faults first, then the store underneath. */
latch_status latch_kit_call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err);

/* An outcome of `payload`, to be read by latch_test_text and its like. `streamed`: it came as a stream. */
kit_outcome *latch_kit_outcome_new(latch_test *t, bool is_http, bool streamed, latch_str payload);
kit_outcome *latch_kit_inside(const latch_test_outcome *outcome); /* its fields are the caller's to read, the rest is ours to use */
const char *latch_kit_keep(kit_outcome *outcome, latch_str text);
void latch_kit_forget(latch_test *t);

/* Before an event, with its context; after it: whether its answer is a stream, which has ended then. */
void latch_kit_stream_ready(latch_test *t, latch_ctx *cx);
bool latch_kit_stream_end(latch_test *t, latch_status status);

/* `json` is in t->arena, which nothing has been taken from since latch_kit_begin. */
latch_text_writer latch_kit_begin(latch_test *t);
const latch_test_outcome *latch_kit_run(latch_test *t, const char *name, latch_str json);

#endif

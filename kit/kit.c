#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/err.h"
#include "core/usage.h"
#include "kit/inside.h"
#include "runtime/failure.h"
#include "runtime/invocation.h"
#include "runtime/outcome.h"

#define BEGINS_AT_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define ARENA_BYTES ((size_t)16 << 20)
#define PROCESS_BYTES ((size_t)4 << 20)
#define REQUEST_ID_BYTES 40

void latch_kit_end(const char *what) {
    fprintf(stderr, "latch_test: %s\n", what);
    abort();
}

/* ── the world ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t world_us(void *self) { return atomic_load(&((kit_world *)self)->now_us); }
static void world_sleep_ms(void *self, int64_t ms) { atomic_fetch_add(&((kit_world *)self)->now_us, ms * 1000); }

static kit_world *world_new(int64_t now_ms) {
    kit_world *world = calloc(1, sizeof *world);
    latch_err err;
    kit_need(world != NULL, "there is no memory");
    world->clock = (latch_clock){.wall_us = world_us, .boot_us = world_us, .sleep_ms = world_sleep_ms, .self = world};
    atomic_store(&world->now_us, (now_ms != 0 ? now_ms : BEGINS_AT_MS) * 1000);
    kit_need(latch_embedded_init(&world->engine, &(latch_embedded_options){.clock = &world->clock, .seed = 1}, &err) == LATCH_OK,
             "there is no memory for the store");
    return world;
}

static void world_leave(kit_world *world) {
    if (--world->sandboxes > 0) return;
    latch_embedded_clean_up(world->engine);
    free(world);
}

int64_t latch_test_now_ms(const latch_test *t) { return world_us(t->world) / 1000; }

void latch_test_pass(latch_test *t, int64_t ms) {
    kit_need(ms >= 0, "latch_test_pass: time doesn't go back");
    world_sleep_ms(t->world, ms);
}

/* ── the sandbox ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Repeats wait half of the most that they may: the same in every run. */
static double halfway(void *self) {
    (void)self;
    return 0.5;
}

static void open_client(latch_client *client, latch_table *table, latch_transport transport) {
    latch_client_init(client, transport, NULL);
    client->pace->random = halfway;
    *table = (latch_table){.name = LATCH_DYNAMODB_TABLE, .client = client};
}

static void *take_memory(latch_arena *arena, size_t bytes) {
    void *memory = malloc(bytes);
    kit_need(memory != NULL, "there is no memory");
    latch_arena_init(arena, memory, bytes);
    return memory;
}

static latch_ctx new_context(const latch_test *t, latch_arena *arena) {
    return (latch_ctx){.arena = arena, .clock = t->world->clock, .deadline_at_ms = INT64_MAX, .request_id = LATCH_STR("")};
}

static void create_table(latch_test *t) {
    latch_dynamodb_ensured made;
    int64_t now_us = atomic_load(&t->world->now_us);
    latch_ctx *cx = latch_test_context(t);
    kit_need(latch_dynamodb_table_ensure(cx, NULL, NULL, NULL, &made) == LATCH_OK, cx->err.message);
    latch_test_context_end(t);
    atomic_store(&t->world->now_us, now_us);
}

static void take_handlers(latch_test *t, const latch_test_options *options) {
    t->handlers = options->handlers;
    t->count = options->handler_count;
    if (options->main != NULL) latch_kit_capture(options->main, &t->handlers, &t->count);
    kit_need(t->handlers != NULL && t->count > 0, "latch_test_open wants options.main, or handlers and their count");
    t->processes = calloc(t->count, sizeof *t->processes);
    kit_need(t->processes != NULL, "there is no memory");
}

latch_test *latch_test_open(const latch_test_options *options) {
    latch_test *t = calloc(1, sizeof *t);
    kit_need(t != NULL, "there is no memory");
    take_handlers(t, options);
    t->world = options->beside != NULL ? options->beside->world : world_new(options->now_ms);
    t->world->sandboxes++;
    t->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    t->caller = (latch_invocation){.tenant_id = latch_str_of(options->tenant_id),
                                   .client_context = latch_str_of(options->client_context),
                                   .cognito_identity = latch_str_of(options->cognito_identity),
                                   .function_arn = latch_str_of(options->function_arn),
                                   .trace_id = latch_str_of(options->trace_id)};
    t->memory[0] = take_memory(&t->process_arena, PROCESS_BYTES);
    t->memory[1] = take_memory(&t->arena, options->arena_bytes > 0 ? options->arena_bytes : ARENA_BYTES);
    t->memory[2] = take_memory(&t->aside_arena, PROCESS_BYTES);
    t->log = (latch_log){.fd = memfd_create("latch_test", MFD_CLOEXEC), .format = LATCH_LOG_JSON};
    kit_need(t->log.fd >= 0, "there is no file for the log");
    pthread_mutex_init(&t->faults.lock, NULL);
    t->streamed.most = SIZE_MAX;
    open_client(&t->client, &t->table, (latch_transport){.call = latch_kit_call, .self = t});
    open_client(&t->aside_client, &t->aside_table, latch_embedded_transport(t->world->engine));
    t->process = new_context(t, &t->process_arena);
    t->process.log = &t->log;
    t->process.http = &t->http;
    if (options->beside == NULL) create_table(t);
    return t;
}

void latch_test_close(latch_test *t) {
    if (t == NULL) return;
    if (t->aside_open) latch_test_context_end(t);
    latch_kit_forget(t);
    latch_http_session_clean_up(&t->http);
    latch_client_clean_up(&t->client);
    latch_client_clean_up(&t->aside_client);
    pthread_mutex_destroy(&t->faults.lock);
    latch_arena *const arenas[] = {&t->process_arena, &t->arena, &t->aside_arena};
    for (size_t i = 0; i < sizeof arenas / sizeof arenas[0]; i++) {
        latch_arena_clean_up(arenas[i]);
        free(t->memory[i]);
    }
    for (size_t i = 0; i < t->count; i++)
        latch_metrics_close(t->processes[i].metrics);
    close(t->log.fd);
    world_leave(t->world);
    free(t->processes);
    free(t->streamed.bytes);
    free(t);
}

/* ── a context by hand ──────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_ctx *latch_test_context(latch_test *t) {
    kit_need(!t->aside_open, "latch_test_context: the last one has not ended (latch_test_context_end)");
    t->aside_open = true;
    t->aside_scope = (latch_scope){0};
    t->aside = new_context(t, &t->aside_arena);
    t->aside.table = &t->aside_table;
    t->aside.scope = &t->aside_scope;
    t->aside.http = &t->http;
    return &t->aside;
}

void latch_test_context_end(latch_test *t) {
    kit_need(t->aside_open, "latch_test_context_end: there is none");
    latch_scope_end(&t->aside, LATCH_OK);
    latch_arena_rewind(&t->aside_arena, 0);
    t->aside_open = false;
}

/* ── one event ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_text_writer latch_kit_begin(latch_test *t) {
    kit_need(!t->running, "an event while another is handled: that takes another sandbox (options.beside)");
    latch_arena_rewind(&t->arena, 0);
    kit_need(ftruncate(t->log.fd, 0) == 0 && lseek(t->log.fd, 0, SEEK_SET) == 0, "the log's file can't be emptied");
    return latch_text_begin(&t->arena);
}

/* What is counted is seen, whether or not this machine's environment names a namespace, as the function's own will. */
static latch_status open_metrics(latch_ctx *cx) {
    LATCH_TRY(latch_metrics_open(cx));
    return cx->metrics != NULL ? LATCH_OK : latch_metrics_use(cx, &(latch_metrics_settings){.name_space = "latch_test"});
}

static latch_status init(latch_ctx *cx, const latch_handler *handler) {
    LATCH_TRY(open_metrics(cx));
    if (handler->init != NULL) LATCH_TRY(latch_outcome_check(cx, handler->init(cx)));
    latch_metrics_flush(cx);
    return LATCH_OK;
}

static latch_status start_process(latch_ctx *cx, const latch_handler *handler, kit_process *process) {
    latch_status status = init(cx, handler);
    process->started = status == LATCH_OK;
    if (process->started)
        process->metrics = cx->metrics;
    else
        latch_metrics_close(cx->metrics);
    return status;
}

/* As a process of Lambda starts: the table is looked at, then the handler's own init runs, once. */
static latch_status start(latch_test *t, const char *name, const latch_handler **handler, bool *cold) {
    latch_ctx *cx = &t->process;
    cx->err = (latch_err){0};
    cx->metrics = NULL;
    LATCH_TRY(latch_outcome_choose(cx, t->handlers, t->count, name, handler));
    LATCH_TRY(latch_stream_read_mode(&t->streamed.stream.mode, &cx->err));
    kit_process *process = &t->processes[*handler - t->handlers];
    cx->table = (*handler)->stores ? &t->table : NULL;
    *cold = !process->started;
    latch_status status = *cold ? start_process(cx, *handler, process) : LATCH_OK;
    cx->metrics = process->metrics;
    return status;
}

/* Lambda would have ended the process meanwhile. */
static latch_status check_time(latch_ctx *cx, const latch_test *t, const latch_invocation *invocation, latch_status status) {
    if (latch_now_ms(cx) < invocation->deadline_at_ms) return status;
    (void)latch_err_set(&cx->err, LATCH_E_TIMEOUT, "Task timed out after %" PRId64 ".%02" PRId64 " seconds", t->timeout_ms / 1000,
                        t->timeout_ms % 1000 / 10);
    snprintf(cx->err.type, sizeof cx->err.type, "Sandbox.Timedout");
    return LATCH_E_TIMEOUT;
}

/* After the answer. Of a process that was ended meanwhile nothing goes out. */
static void send_metrics(latch_ctx *cx, bool cold) {
    if (cold) latch_metrics_cold_start(cx);
    latch_metrics_flush(cx);
}

/* What comes with an event. */
static latch_invocation brought(const latch_test *t, latch_str json, latch_str request_id, bool cold) {
    latch_invocation invocation = t->caller;
    invocation.event = json;
    invocation.request_id = request_id;
    invocation.deadline_at_ms = latch_test_now_ms(t) + t->timeout_ms;
    invocation.content_type = LATCH_STR("application/json");
    invocation.event_bytes = json.len;
    invocation.cold = cold;
    return invocation;
}

static latch_status invoke(latch_test *t, const latch_handler *handler, bool cold, latch_str json, latch_ctx *cx, latch_str *reply) {
    char id[REQUEST_ID_BYTES];
    snprintf(id, sizeof id, "00000000-0000-4000-8000-%012zu", ++t->events);
    latch_scope scope = {0};
    const latch_invocation invocation = brought(t, json, latch_str_of(id), cold);
    cx->arena = &t->arena;
    cx->request_id = invocation.request_id;
    cx->tenant_id = invocation.tenant_id;
    cx->trace_id = invocation.trace_id;
    cx->spans = &t->spans;
    cx->deadline_at_ms = latch_invocation_stores_deadline_ms(&invocation, latch_now_ms(cx));
    cx->scope = &scope;
    cx->invocation = &invocation;
    latch_kit_stream_ready(t, cx);
    latch_metrics_begin(cx->metrics);
    latch_status status = json.ptr != NULL ? latch_outcome_run(cx, handler, json, reply)
                                           : latch_err_set(&cx->err, LATCH_E_NOMEM, "the event doesn't fit: raise options.arena_bytes");
    status = check_time(cx, t, &invocation, status);
    if (status != LATCH_OK) latch_outcome_log(cx, "invocation failed", NULL);
    if (latch_now_ms(cx) < invocation.deadline_at_ms) send_metrics(cx, cold);
    cx->request_id = cx->tenant_id = cx->trace_id = LATCH_STR("");
    cx->spans = NULL;
    cx->scope = NULL;
    cx->invocation = NULL;
    cx->stream = NULL;
    return status;
}

static const char *read_log(latch_test *t, kit_outcome *outcome) {
    off_t len = lseek(t->log.fd, 0, SEEK_END);
    char *text = len >= 0 ? malloc((size_t)len + 1) : NULL;
    kit_need(text != NULL && pread(t->log.fd, text, (size_t)len, 0) == len, "the log can't be read");
    const char *kept = latch_kit_keep(outcome, (latch_str){text, (size_t)len});
    free(text);
    return kept;
}

static void tell_failure(kit_outcome *outcome, const latch_err *err) {
    outcome->public.status = err->status;
    outcome->public.error_type = latch_kit_keep(outcome, latch_str_of(err->type));
    outcome->public.error_message = latch_kit_keep(outcome, latch_str_of(err->message));
    if (!outcome->public.streamed) return;
    latch_failure failure;
    latch_failure_of(err, &failure);
    outcome->public.trailer_type = latch_kit_keep(outcome, latch_str_of(failure.type));
    outcome->public.trailer_error = latch_kit_keep(outcome, latch_str_of(failure.body));
}

const latch_test_outcome *latch_kit_run(latch_test *t, const char *name, latch_str json) {
    const latch_handler *handler = NULL;
    latch_usage usage = {0};
    latch_str reply = {NULL, 0};
    int64_t from_ms = latch_test_now_ms(t);
    t->faults.requests = 0;
    t->running = true;
    latch_spans_reset(&t->spans);
    bool cold = false;
    latch_status status = start(t, name, &handler, &cold);
    bool started = status == LATCH_OK;
    latch_ctx cx = t->process;
    if (!started) latch_outcome_log(&cx, "init failed", NULL);
    cx.usage = &usage;
    if (started) status = invoke(t, handler, cold, json, &cx, &reply);
    t->running = false;
    bool is_http = started && (handler->http != NULL || handler->routes != NULL);
    bool streamed = started && latch_kit_stream_end(t, status);
    if (streamed) reply = (latch_str){t->streamed.bytes, t->streamed.len};
    kit_outcome *outcome = latch_kit_outcome_new(t, is_http, streamed, streamed || status == LATCH_OK ? reply : LATCH_STR(""));
    if (status != LATCH_OK) tell_failure(outcome, &cx.err);
    outcome->public.init_failed = !started;
    outcome->public.requests = usage.requests;
    outcome->public.took_ms = latch_test_now_ms(t) - from_ms;
    outcome->public.log = read_log(t, outcome);
    outcome->steps = t->spans;
    outcome->steps_end_us = world_us(t->world);
    t->faults.count = 0;
    t->faults.meanwhile_at = 0;
    t->streamed.most = SIZE_MAX;
    return &outcome->public;
}

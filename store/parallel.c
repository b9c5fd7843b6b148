#include "store/parallel.h"

#include <pthread.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/crew.h"

/* What the threads share. Under the mutex: the caller's arena, and everything that isn't atomic. */
typedef struct run {
    latch_ctx *cx;
    const latch_parallel *p;
    latch_parallel_item *items;
    latch_str *texts; /* of results; ptr NULL: none */
    atomic_size_t next, done, running;
    pthread_mutex_t mutex;
    size_t ran, failed, first_failed, connections;
    latch_err err; /* of the failed item of the lowest index */
    bool full;     /* the caller's arena */
    latch_crew *crew;
    latch_crew_slot *callers; /* the slot whose job runs on the caller's thread */
} run;

typedef struct job {
    run *of;
} job;

static void keep_failure(run *r, size_t index, latch_status status, const latch_ctx *cx) {
    latch_parallel_item *item = &r->items[index];
    bool told = cx->err.status == status;
    item->maybe_applied = told && cx->err.maybe_applied;
    if (told) item->why = latch_arena_copy(r->cx->arena, latch_str_of(cx->err.message));
    r->failed++;
    if (index >= r->first_failed) return;
    r->first_failed = index;
    r->err = cx->err;
    if (!told) (void)latch_err_set(&r->err, status, "item %zu: %s", index, latch_status_name(status));
}

/* What came of one item, into the caller's memory. */
static void keep(run *r, size_t index, latch_status status, latch_ctx *cx, latch_json result) {
    latch_str text = {NULL, 0};
    if (status == LATCH_OK && result.node != NULL) status = latch_json_text(cx, result, &text);
    pthread_mutex_lock(&r->mutex);
    r->items[index].ran = true;
    r->items[index].status = status;
    r->ran++;
    if (text.ptr != NULL) r->texts[index] = latch_arena_copy(r->cx->arena, text);
    if (text.ptr != NULL && r->texts[index].ptr == NULL) r->full = true;
    if (status != LATCH_OK) keep_failure(r, index, status, cx);
    bool stops = r->full || (r->failed > 0 && !r->p->collect);
    pthread_mutex_unlock(&r->mutex);
    if (stops) latch_crew_stop(r->crew);
}

/* Under the mutex: it may use the caller's context, into whose arena other threads put their results. */
static void tell_progress(run *r, size_t done) {
    if (r->p->progress == NULL) return;
    pthread_mutex_lock(&r->mutex);
    r->p->progress(r->p->arg, done, r->p->count, atomic_load(&r->running));
    pthread_mutex_unlock(&r->mutex);
}

static void run_one(run *r, latch_crew_slot *slot, size_t index) {
    latch_json result = {&slot->cx, NULL};
    latch_crew_reset(slot);
    atomic_fetch_add(&r->running, 1);
    latch_status status = r->p->run(&slot->cx, r->p->arg, index, &result);
    keep(r, index, status, &slot->cx, result);
    atomic_fetch_sub(&r->running, 1);
    size_t done = atomic_fetch_add(&r->done, 1) + 1;
    if (slot == r->callers) tell_progress(r, done);
}

/* One line's job: the next item, until there is none. */
static latch_status run_items(latch_crew_slot *slot) {
    run *r = ((job *)slot->job)->of;
    while (!latch_crew_stopped(r->crew) && latch_left_ms(&slot->cx) > 0) {
        size_t index = atomic_fetch_add(&r->next, 1);
        if (index >= r->p->count) break;
        run_one(r, slot, index);
    }
    return LATCH_OK;
}

/* The threads, and this one as one of them: its job goes over the caller's own connection. */
static latch_status run_all(run *r) {
    size_t more = latch_crew_more(r->cx, r->p->connections - 1);
    if (more >= r->p->count) more = r->p->count - 1;
    const latch_crew_options options = {.work = run_items,
                                        .connections = more,
                                        .slots = more + 1,
                                        .slot_bytes = r->p->arena_bytes > 0 ? r->p->arena_bytes : LATCH_PARALLEL_ARENA_BYTES,
                                        .job_bytes = sizeof(job)};
    LATCH_TRY(latch_crew_open(r->cx, &options, &r->crew));
    size_t threads = r->crew->threaded ? r->crew->lines : 0;
    r->connections = threads + 1;
    r->callers = &r->crew->slots[threads];
    for (size_t i = 0; i <= threads; i++)
        ((job *)r->crew->slots[i].job)->of = r;
    for (size_t i = 0; i < threads; i++)
        latch_crew_submit(r->crew, &r->crew->slots[i], i);
    latch_crew_lend(r->crew, r->callers);
    (void)run_items(r->callers);
    for (size_t i = 0; i < threads; i++)
        latch_crew_wait(r->crew, &r->crew->slots[i]);
    latch_crew_close(r->crew);
    return LATCH_OK;
}

static latch_status read_results(run *r) {
    for (size_t i = 0; i < r->p->count; i++) {
        r->items[i].result = (latch_json){r->cx, NULL};
        if (r->texts[i].ptr != NULL) LATCH_TRY(latch_parse_data(r->cx, "result", r->texts[i], &r->items[i].result));
    }
    return LATCH_OK;
}

static latch_status begin(latch_ctx *cx, const latch_parallel *p, run *r) {
    if (p->run == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "parallel: there is no .run");
    if (p->connections < 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "parallel: .connections is %d, want 0 or more", p->connections);
    if (p->count > SIZE_MAX / 1024) return latch_err_set(&cx->err, LATCH_E_MISUSE, "parallel: .count is %zu: too many", p->count);
    r->items = latch_arena_alloc(cx->arena, p->count * sizeof *r->items);
    r->texts = latch_arena_alloc(cx->arena, p->count * sizeof *r->texts);
    if (r->items == NULL || r->texts == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "parallel: the arena is full: no room for %zu items", p->count);
    for (size_t i = 0; i < p->count; i++) {
        r->items[i] = (latch_parallel_item){.result = {cx, NULL}};
        r->texts[i] = (latch_str){NULL, 0};
    }
    return LATCH_OK;
}

latch_status latch_parallel_run(latch_ctx *cx, const latch_parallel *p, latch_parallel_result *out) {
    run r = {.cx = cx, .p = p, .first_failed = p->count};
    *out = (latch_parallel_result){0};
    LATCH_TRY(begin(cx, p, &r));
    if (p->count > 0) {
        pthread_mutex_init(&r.mutex, NULL);
        latch_status opened = run_all(&r);
        pthread_mutex_destroy(&r.mutex);
        LATCH_TRY(opened);
    }
    *out = (latch_parallel_result){
        .items = r.items, .ran = r.ran, .failed = r.failed, .first_failed = r.first_failed, .connections = r.connections};
    if (r.full) return latch_err_set(&cx->err, LATCH_E_NOMEM, "parallel: the arena is full: no room for the results");
    LATCH_TRY(read_results(&r));
    if (r.failed > 0) cx->err = r.err;
    if (r.failed > 0) return r.items[r.first_failed].status;
    if (r.ran == p->count) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "parallel: the deadline came after %zu of %zu items", r.ran, p->count);
}

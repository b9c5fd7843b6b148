#include "store/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "core/ctx.h"
#include "core/span.h"
#include "store/client.h"
#include "store/table.h"

#define STACK_BYTES ((size_t)1 << 20)
#define LEAST_BYTES ((size_t)4 << 20) /* of a slot's addresses, where there are too few for all that was asked for */
#define SLICE_MS INT64_C(20)          /* of a pause: how late a stop is noticed */

typedef struct line { /* a thread and its connection */
    latch_crew *crew;
    latch_transport own;
    latch_client client;
    latch_table table;
    pthread_t thread;
    pthread_cond_t work;
    latch_crew_slot *first, *last; /* jobs, in the order they came in */
} line;

struct latch_crew_inside {
    latch_crew_work_fn *work;
    line *lines;
    size_t line_count;
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool closing;
    void *jobs;
};

size_t latch_crew_more(const latch_ctx *cx, int asked) {
    int most = cx->table != NULL ? cx->table->client->options.max_connections - 1 : 0;
    int more = asked < most ? asked : most;
    return more > 0 ? (size_t)more : 0;
}

/* ── slots ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* From here on the slot's usage counts from 0, its moves too; the deadline has followed those before. */
static void begin_account(latch_crew_slot *slot, const latch_ctx *cx) {
    slot->usage = (latch_usage){0};
    slot->cx.moved_ms = 0;
    slot->cx.deadline_at_ms = slot->deadline_at_ms = cx->deadline_at_ms;
}

static bool slot_init(latch_crew *crew, latch_crew_slot *slot, latch_ctx *cx, size_t bytes, void *job) {
    *slot = (latch_crew_slot){.cx = *cx, .job = job, .crew = crew};
    if (!latch_arena_reserve(&slot->arena, bytes, LEAST_BYTES)) return false;
    slot->cx.arena = &slot->arena;
    slot->cx.scope = NULL; /* what it would end lives longer than a job */
    slot->cx.http = NULL;  /* one thread's */
    slot->cx.spans = NULL; /* as are these */
    slot->cx.metrics = NULL;
    slot->cx.err = (latch_err){0};
    slot->cx.usage = cx->usage != NULL ? &slot->usage : NULL; /* where nobody else counts meanwhile */
    begin_account(slot, cx);
    return true;
}

void latch_crew_reset(latch_crew_slot *slot) {
    latch_arena_recycle(&slot->arena);
    slot->cx.err = (latch_err){0};
}

/*
 * What it cost is the caller's; and an answer's Date that moved the clock, and with it the slot's deadline, moves the caller's: here, where
 * its next call, which looks at the usage, isn't to do it again.
 */
static void take_account(latch_crew *crew, latch_crew_slot *slot) {
    latch_ctx *cx = crew->cx;
    int64_t moved_ms = slot->cx.deadline_at_ms - slot->deadline_at_ms;
    if (slot->cx.usage != NULL) {
        latch_usage_add(cx->usage, &slot->usage);
        cx->moved_ms += moved_ms;
    }
    cx->deadline_at_ms += moved_ms;
    begin_account(slot, cx);
}

void latch_crew_lend(latch_crew *crew, latch_crew_slot *slot) { slot->cx.table = crew->cx->table; }

/* ── threads ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void run(latch_crew *crew, latch_crew_slot *slot, const latch_table *table) {
    slot->cx.table = table;
    slot->status = crew->inside->work(slot);
}

static void *serve(void *arg) {
    line *l = arg;
    struct latch_crew_inside *in = l->crew->inside;
    pthread_mutex_lock(&in->mutex);
    for (;;) {
        while (l->first == NULL && !in->closing)
            pthread_cond_wait(&l->work, &in->mutex);
        latch_crew_slot *slot = l->first;
        if (slot == NULL) break;
        l->first = slot->next;
        pthread_mutex_unlock(&in->mutex);
        run(l->crew, slot, &l->table);
        pthread_mutex_lock(&in->mutex);
        slot->working = false;
        pthread_cond_broadcast(&in->done);
    }
    pthread_mutex_unlock(&in->mutex);
    return NULL;
}

/* Signals are the main thread's. */
static bool start(line *l) {
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0) return false;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&l->thread, &attr, serve, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return started;
}

static void line_clean_up(line *l) {
    pthread_cond_destroy(&l->work);
    latch_client_clean_up(&l->client);
    if (l->own.close != NULL) l->own.close(l->own.self);
}

/* False: there is no connection more, or no thread; the crew goes on with what it has. */
static bool add_line(latch_crew *crew, const latch_ctx *cx) {
    struct latch_crew_inside *in = crew->inside;
    line *l = &in->lines[in->line_count];
    const latch_transport *first = &cx->table->client->transport;
    latch_err unsaid;
    *l = (line){.crew = crew, .table = *cx->table};
    if (first->more != NULL && first->more(first->self, &l->own, &unsaid) != LATCH_OK) return false;
    latch_client_init(&l->client, first->more != NULL ? l->own : *first, &cx->table->client->options);
    l->client.pace = cx->table->client->pace;
    l->table.client = &l->client;
    pthread_cond_init(&l->work, NULL);
    if (start(l)) {
        in->line_count++;
        return true;
    }
    line_clean_up(l);
    return false;
}

/* ── the crew ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void drop(latch_crew *crew) {
    struct latch_crew_inside *in = crew->inside;
    for (size_t i = 0; i < crew->slot_count; i++)
        latch_arena_release(&crew->slots[i].arena);
    if (in != NULL) free(in->lines);
    if (in != NULL) free(in->jobs);
    free(in);
    free(crew->slots);
    free(crew);
}

static latch_crew *make(latch_ctx *cx, const latch_crew_options *o) {
    latch_crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) return NULL;
    crew->slots = calloc(o->slots, sizeof *crew->slots);
    struct latch_crew_inside *in = crew->inside = calloc(1, sizeof *crew->inside);
    bool made = crew->slots != NULL && in != NULL;
    if (made) {
        in->jobs = calloc(o->slots, o->job_bytes);
        in->lines = calloc(o->connections + 1, sizeof *in->lines);
        made = in->jobs != NULL && in->lines != NULL;
    }
    for (; made && crew->slot_count < o->slots; crew->slot_count += made)
        made = slot_init(crew, &crew->slots[crew->slot_count], cx, o->slot_bytes, (char *)in->jobs + crew->slot_count * o->job_bytes);
    if (made) return crew;
    drop(crew);
    return NULL;
}

latch_status latch_crew_open(latch_ctx *cx, const latch_crew_options *options, latch_crew **out) {
    *out = NULL;
    LATCH_TRY(latch_client_check_open(cx, "bulk work"));
    latch_crew *crew = make(cx, options);
    if (crew == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "bulk work: the system has no memory for it");
    struct latch_crew_inside *in = crew->inside;
    crew->cx = cx;
    in->work = options->work;
    pthread_mutex_init(&in->mutex, NULL);
    pthread_cond_init(&in->done, NULL);
    while (in->line_count < options->connections && add_line(crew, cx)) {
    }
    crew->threaded = in->line_count > 0;
    crew->lines = crew->threaded ? in->line_count : 1;
    *out = crew;
    return LATCH_OK;
}

void latch_crew_close(latch_crew *crew) {
    if (crew == NULL) return;
    struct latch_crew_inside *in = crew->inside;
    pthread_mutex_lock(&in->mutex);
    in->closing = true;
    for (size_t i = 0; i < in->line_count; i++)
        pthread_cond_signal(&in->lines[i].work);
    pthread_mutex_unlock(&in->mutex);
    for (size_t i = 0; i < in->line_count; i++)
        pthread_join(in->lines[i].thread, NULL);
    for (size_t i = 0; i < in->line_count; i++)
        line_clean_up(&in->lines[i]);
    for (size_t i = 0; i < crew->slot_count; i++)
        take_account(crew, &crew->slots[i]);
    pthread_cond_destroy(&in->done);
    pthread_mutex_destroy(&in->mutex);
    drop(crew);
}

void latch_crew_submit(latch_crew *crew, latch_crew_slot *slot, size_t at_line) {
    struct latch_crew_inside *in = crew->inside;
    take_account(crew, slot); /* another slot's answer may have moved the clock since */
    if (!crew->threaded) {
        run(crew, slot, crew->cx->table);
        return;
    }
    line *l = &in->lines[at_line];
    pthread_mutex_lock(&in->mutex);
    slot->next = NULL;
    slot->working = true;
    if (l->first == NULL) {
        l->first = slot;
    } else {
        l->last->next = slot;
    }
    l->last = slot;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&in->mutex);
}

void latch_crew_wait(latch_crew *crew, latch_crew_slot *slot) {
    struct latch_crew_inside *in = crew->inside;
    latch_span span = latch_span_begin_kind(crew->cx, LATCH_SPAN_WAIT, "bulk work", LATCH_STR(""));
    pthread_mutex_lock(&in->mutex);
    while (slot->working)
        pthread_cond_wait(&in->done, &in->mutex);
    pthread_mutex_unlock(&in->mutex);
    latch_span_end(crew->cx, span, LATCH_OK);
    take_account(crew, slot);
}

void latch_crew_stop(latch_crew *crew) { atomic_store_explicit(&crew->stopping, true, memory_order_release); }

bool latch_crew_pause(latch_crew_slot *slot, int64_t ms, int64_t until_at_ms) {
    const latch_clock *clock = &slot->cx.clock;
    int64_t now_ms = latch_clock_wall_ms(clock), end_ms = until_at_ms < slot->cx.deadline_at_ms ? until_at_ms : slot->cx.deadline_at_ms;
    if (ms >= end_ms - now_ms) return false;
    for (int64_t left = ms; left > 0 && !latch_crew_stopped(slot->crew); left -= SLICE_MS)
        latch_clock_sleep_ms(clock, left < SLICE_MS ? left : SLICE_MS);
    return true;
}

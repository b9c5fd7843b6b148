/*
 * store/crew.h - bulk work over several connections: threads with a connection each, and slots, which are contexts with memory of their
 * own that a job is built in, done in, and whose result is read there. For store/parallel.c, store/bulk.c.
 *
 *     LATCH_TRY(latch_crew_open(cx, &options, &crew));
 *     slot = &crew->slots[i];                        the caller's: build the job in slot->cx.arena
 *     latch_crew_submit(crew, slot, line);           the line's thread runs `work`; jobs of one line run in the order they came in
 *     latch_crew_wait(crew, slot);                   the caller's again: slot->status, slot->cx.err
 *     latch_crew_reset(slot);
 *     latch_crew_close(crew);                        always; waits for what runs
 *
 * With one connection there is no thread: submit runs the job at once, over the caller's own connection. A slot belongs to one thread at a
 * time, handed over under the crew's mutex; nothing else is shared but what `work` shares itself.
 */
#ifndef LATCH_STORE_CREW_H
#define LATCH_STORE_CREW_H

#include <stdatomic.h>

#include "core/ctx_private.h"
#include "core/usage.h"

typedef struct latch_crew latch_crew;
typedef struct latch_crew_slot latch_crew_slot;

typedef latch_status latch_crew_work_fn(latch_crew_slot *slot);

struct latch_crew_slot {
    latch_ctx cx;      /* as the caller's, with this slot's arena, no scope and no HTTP session; its table is that of the line that runs */
    latch_arena arena; /* address space of its own: pages that aren't touched cost nothing */
    latch_status status; /* of the job; cx.err tells */
    void *job;           /* job_bytes of zeroes */
    latch_crew *crew;    /* from here on private */
    latch_usage usage;   /* of cx, until it is added to the caller's */
    int64_t deadline_at_ms;
    bool working;
    latch_crew_slot *next;
};

typedef struct latch_crew_options {
    latch_crew_work_fn *work;
    size_t connections; /* beside the caller's own; 0: none, no thread. Fewer where no more are to be had */
    size_t slots;       /* at least 1 */
    size_t slot_bytes;  /* of each arena */
    size_t job_bytes;
} latch_crew_options;

struct latch_crew {
    latch_ctx *cx; /* the caller's */
    latch_crew_slot *slots;
    size_t slot_count;
    size_t lines; /* 1 where there is no thread */
    bool threaded;
    atomic_bool stopping;
    struct latch_crew_inside *inside;
};

/* How many of the `asked` connections may be opened beside the caller's own, which the client's max_connections counts too. */
size_t latch_crew_more(const latch_ctx *cx, int asked) LATCH_NONNULL;

/* LATCH_E_NOMEM; LATCH_E_MISUSE: no table is open. *out is NULL then. */
LATCH_NODISCARD latch_status latch_crew_open(latch_ctx *cx, const latch_crew_options *options, latch_crew **out) LATCH_NONNULL;
void latch_crew_close(latch_crew *crew); /* NULL: nothing */

/* For what the caller does itself with a slot: its requests go over the caller's connection. */
void latch_crew_lend(latch_crew *crew, latch_crew_slot *slot) LATCH_NONNULL;

void latch_crew_submit(latch_crew *crew, latch_crew_slot *slot, size_t at_line) LATCH_NONNULL;
void latch_crew_wait(latch_crew *crew, latch_crew_slot *slot) LATCH_NONNULL; /* at once where it isn't working */

/* The slot's memory begins anew: what was built in it is gone, and pages beyond 1 MB go back to the system. Its job stays. */
void latch_crew_reset(latch_crew_slot *slot) LATCH_NONNULL;

/* For `work`: the rest is not worth doing. Set by whoever fails; it stays set. */
void latch_crew_stop(latch_crew *crew) LATCH_NONNULL;
static inline bool latch_crew_stopped(latch_crew *crew) { return atomic_load_explicit(&crew->stopping, memory_order_acquire); }

/* Waits, for less where the crew is stopped. false: it doesn't, for it would end at or past `until_at_ms` or the deadline. */
LATCH_NODISCARD bool latch_crew_pause(latch_crew_slot *slot, int64_t ms, int64_t until_at_ms) LATCH_NONNULL;

#endif

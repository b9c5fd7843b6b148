/*
 * worker.h - one process of a race: it opens its table as a function does, calls one store again and again, and writes down what it saw.
 *
 * Each line of its journal is one write, so that a process that is killed leaves whole lines: {"e":"hold",…,"t0":…,"t1":…}. `t…` are
 * microseconds of CLOCK_MONOTONIC, which all processes of a machine share: t0 before a call, t1 after it.
 */
#ifndef TESTS_RACES_WORKER_H
#define TESTS_RACES_WORKER_H

#include <inttypes.h>
#include <stdio.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/scope.h"
#include "store/open.h"

#define RACES_ARENA_BYTES ((size_t)4 << 20)

typedef struct worker_options {
    const char *race;      /* "lock" */
    const char *journal;   /* a file: appended to */
    const char *from, *to; /* a rule broken: where `from` stands in a request, `to` goes out instead */
    int64_t rounds;  /* so many times, each on keys of its own, after a byte of standard input; one of standard output ends it; 0: once */
    int64_t calls;   /* so many, or */
    int64_t seconds; /* so long; 0: `calls` says */
    int64_t keys;    /* chosen from at random */
    int64_t seed;
    int64_t lease_ms;  /* of a lock, a job, a work, a window */
    int64_t skew_ms;   /* the table's max_clock_skew_ms; 0: its default */
    int64_t ahead_ms;  /* of this process's clock before the machine's */
    int64_t faults_in; /* one request in so many meets a fault; 0: none */
    int64_t lost_in;   /* a twin: one update in so many isn't sent, and is answered as the last one was; 0: none */
    int64_t limit;     /* of attempts, of grants in a window */
    int64_t crash_in;  /* one hold in so many is left as it is; 0: none */
} worker_options;

typedef struct worker {
    latch_ctx cx;
    latch_arena arena;
    latch_scope scope;
    size_t opened; /* of the arena: what the stores were opened with stays */
    latch_stores stores;
    latch_transport inner; /* what the stores opened; theirs is wire.c's */
    worker_options options;
    char *memory;
    uint64_t state; /* of roll */
    int journal;
    int64_t call;   /* its number, from 0 */
    int64_t round;  /* the same */
    int64_t late;   /* of this call's requests, so many come late */
    int64_t faults; /* in all */
    int64_t twisted;
    struct worker_held_back { /* a request that comes late */
        char *request;
        char operation[32];
    } held_back;
    char *last_answer; /* of a write, for lost_in; malloc'd */
} worker;

int64_t now_us(void);
uint32_t roll(worker *w, uint32_t sides);
void pause_us(uint32_t us);
int64_t key_of(worker *w, char key[24]); /* one of options.keys: its number */
void round_key(const worker *w, char key[24]);
void need(bool ok, const char *what);

void note(worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool unknown(const worker *w, latch_status status); /* it may have been applied, or may still be */

/* A call begins: the arena, the scope and the error are new. */
void begin_call(worker *w);

/* wire.c: between the stores and their transport */
latch_transport wire_transport(worker *w);
void wire_deliver(worker *w); /* what was held back goes out */

/* ── the races: one call each ───────────────────────────────────────────────────────────────────────────────────────────── */

typedef void race_fn(worker *w);
typedef struct race {
    const char *name;
    race_fn *one;
} race;
extern const race races_lock[], races_once[], races_limits[], races_dedupe[], races_late[]; /* each ends with a NULL */
extern const race races_rate[], races_counter[], races_set[], races_saga[];

#endif

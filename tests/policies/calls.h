/* calls.h - every call that asks the table, each in the cases that docs/costs.md and docs/permissions.md tell of. */
#ifndef TESTS_POLICIES_CALLS_H
#define TESTS_POLICIES_CALLS_H

#include "store/sweep.h"
#include "tests/rig.h"

typedef struct play {
    const char *call;  /* "latch_cache_get" */
    const char *when;  /* as the page has it */
    const char *grant; /* docs/permissions.md's row, where it isn't the call alone; NULL: it is */
    latch_status wants;
    latch_status (*prepare)(void); /* by bob, or by ann before she is looked at; NULL: nothing */
    latch_status (*go)(rig *ann);  /* what is measured */
    void (*meanwhile)(void);       /* by bob, before ann's request number `at`; NULL: nothing */
    size_t at;
    bool own_table; /* the stores' table is another, which is empty: of calls that cost what is in it */
    bool
        local_counts_otherwise; /* see docs/embedded.md: DynamoDB Local says 4 units of any small transaction, none of a query without items */
    const char *store;          /* "store/cache.h", of the calls that docs/permissions.md sums up; written by plays_open */
} play;

#define PLAYS_MAX 256
extern play plays[PLAYS_MAX];
extern size_t play_count;

/* Once, before the first play: the tables that some ask besides the stores' own, and `plays`. */
void plays_open(rig *ann, rig *bob);

/* The next play has the key `text`, and nothing of another's. */
void plays_begin(const play *p, const char *text);

/* ── of the files that have them ────────────────────────────────────────────────────────────────────────────────────────── */

#define CALL(name, when_) .call = "latch_" #name, .when = when_
#define SMALL_TABLE "3 items, and under 4 KB in the whole table"

typedef struct play_group {
    const char *store; /* NULL: of items and tables */
    const play *plays; /* the last has no call */
} play_group;

extern const play cache_plays[], dedupe_plays[], lock_plays[], once_plays[], attempts_plays[], kv_plays[], pkv_plays[], sets_plays[],
    counter_plays[], saga_plays[], saga_run_plays[], rate_plays[], adaptive_plays[], cooldown_plays[], once_event_plays[], item_plays[],
    table_plays[];

void items_open(void); /* the tables of item_plays */

extern rig *alice, *bob; /* alice is ann, where a play is prepared */
extern latch_str key;
extern const latch_sweep all_of_it;

latch_json some(rig *r, const char *name); /* {"name": name} */
latch_str numbered(rig *r, int number);    /* the key, and "-<number>" */
void need(rig *r, latch_status status);    /* or it ends the test's process, saying why */

#endif

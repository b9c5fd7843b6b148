/* calls.h - every call that asks the table, each in the cases that docs/costs.md and docs/permissions.md tell of. */
#ifndef TESTS_POLICIES_CALLS_H
#define TESTS_POLICIES_CALLS_H

#include "tests/rig.h"

typedef struct play {
    const char *call;  /* "latch_cache_get" */
    const char *when;  /* as the page has it */
    const char *grant; /* docs/permissions.md's row, where it isn't the call alone; NULL: it is */
    latch_status wants;
    latch_status (*prepare)(void); /* by bob, or before ann is looked at; NULL: nothing */
    latch_status (*go)(rig *ann);  /* what is measured */
    void (*meanwhile)(void);       /* by bob, before ann's request number `at`; NULL: nothing */
    size_t at;
    bool
        local_counts_otherwise; /* see docs/embedded.md: DynamoDB Local says 4 units of any small transaction, none of a query without items */
} play;

extern const play plays[];
extern const size_t play_count;

/* Once, before the first play: the tables that some ask besides the stores' own. */
void plays_open(rig *bob);

/* The next play has the key `text`, and nothing of another's. */
void plays_begin(rig *bob, const char *text);

#endif

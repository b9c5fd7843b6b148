/*
 * fault.h - what goes wrong on demand between a function's process and its Runtime API: which invocation, and what.
 *
 * One fault at most happens to an invocation, once: to the request that is handed its event, or to the first post of its outcome. None
 * happens before a process has been handed its first event, and none takes longer than the slow ones, 0.2 s.
 */
#ifndef LATCH_LOCAL_FAULT_H
#define LATCH_LOCAL_FAULT_H

#include "core/words.h"

typedef enum latch_fault {
    LATCH_FAULT_NONE,
    /* of /next */
    LATCH_NEXT_500,
    LATCH_NEXT_403,
    LATCH_NEXT_EMPTY,
    LATCH_NEXT_CUT,
    LATCH_NEXT_CUT_HEAD,
    LATCH_NEXT_CUT_BODY,
    LATCH_NEXT_SLOW,
    LATCH_NEXT_GARBAGE,
    LATCH_NEXT_SHUTDOWN,
    LATCH_NEXT_CHUNKED,
    LATCH_NEXT_CLOSE,
    LATCH_NEXT_NO_DEADLINE,
    LATCH_NEXT_PAST_DEADLINE,
    /* of /response and /error */
    LATCH_POST_400,
    LATCH_POST_403,
    LATCH_POST_410,
    LATCH_POST_413,
    LATCH_POST_500,
    LATCH_POST_CUT_BEFORE,
    LATCH_POST_CUT_AFTER,
    LATCH_POST_CUT_ANSWER,
    LATCH_POST_SLOW,
    LATCH_POST_EARLY,
    LATCH_POST_CLOSE,
    LATCH_POST_CHUNKED,
    LATCH_POST_GARBAGE,
    LATCH_FAULTS
} latch_fault;

const char *latch_fault_name(latch_fault fault); /* "next-500"; "" of none */
const char *latch_fault_text(latch_fault fault); /* a line of help */
unsigned latch_fault_status(latch_fault fault);  /* that is answered instead: 400 to 500; 0: none */
bool latch_fault_is_of_next(latch_fault fault);
bool latch_fault_ends_process(latch_fault fault); /* by the contract: it isn't to survive this one */

typedef struct latch_fault_rule {
    latch_fault fault; /* NONE: any but next-shutdown, each as likely */
    uint64_t at;       /* the Nth invocation, from 1; 0: percent */
    double percent;
} latch_fault_rule;

#define LATCH_FAULT_RULES 64

typedef struct latch_fault_plan {
    latch_fault_rule rules[LATCH_FAULT_RULES];
    size_t count;
    uint64_t seed;
} latch_fault_plan;

/* One more rule: KIND (each invocation), KIND@N, KIND%P; KIND may be "any". `plan` is a latch_fault_plan. False: it is none, or one too many. */
bool latch_fault_add(void *plan, latch_str rule);

/* What happens to the Nth invocation: the first rule that applies. The same seed and N give the same. */
latch_fault latch_fault_choose(const latch_fault_plan *plan, uint64_t nth);

#endif

/*
 * compare.h - whether two answers say the same.
 *
 * Members of an object and of a set have no order; nor has what BatchGetItem returns. Items come in order, unless the caller says otherwise.
 * What an answer has of time, of identity and of capacity is left out. Two answers that differ as a row of compare_listed says are the same:
 * each row has its reason.
 */
#ifndef TESTS_DIFFERENTIAL_COMPARE_H
#define TESTS_DIFFERENTIAL_COMPARE_H

#include "tests/differential/sides.h"

/* What is known of a request. */
enum {
    OF_SEVERAL = 1, /* an update that does more than one thing */
    CHANGED = 2     /* a member was changed at random: it may have several faults */
};

typedef struct listed {
    const char *operation; /* NULL: any */
    const char *engine;    /* a pattern of "status error: message", as fnmatch takes it */
    const char *other;
    const char *why;
    unsigned only; /* where the request is one of these alone; 0: any */
    bool unseen;   /* Local doesn't look at this fault: it may have written, whatever it answers */
} listed;
#define COMPARE_FAULTS "a request that was changed at random and has several faults is told of one of them"
extern const listed compare_listed[];
extern const size_t compare_listed_count;

typedef enum verdict {
    SAME,
    LISTED, /* *row says as what */
    DIFFERENT
} verdict;

/* `known`: OF_SEVERAL, CHANGED. */
verdict compare_replies(const char *operation, const char *prefix, const reply *engine, const reply *other, unsigned known, size_t *row);

bool compare_values(yyjson_val *a, yyjson_val *b);

/* The lists' members, in any order; each list is one of items. */
bool compare_as_sets(yyjson_val **a, size_t a_count, yyjson_val **b, size_t b_count);

/* "400 ValidationException: The text", of at most `bytes`. */
void compare_line(const reply *r, char *out, size_t bytes);

#endif

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

typedef struct listed {
    const char *operation; /* NULL: any */
    const char *engine;    /* a pattern of "status error: message", as fnmatch takes it */
    const char *other;
    const char *why;
    bool several; /* only where the request has several actions */
    bool unseen;  /* Local doesn't look at this fault: it may have written, whatever it answers */
} listed;
extern const listed compare_listed[];
extern const size_t compare_listed_count;

typedef enum verdict {
    SAME,
    LISTED, /* *row says as what */
    DIFFERENT
} verdict;

/* `several`: an update does more than one thing. */
verdict compare_replies(const char *operation, const char *prefix, const reply *engine, const reply *other, bool several, size_t *row);

bool compare_values(yyjson_val *a, yyjson_val *b);

/* The lists' members, in any order; each list is one of items. */
bool compare_as_sets(yyjson_val **a, size_t a_count, yyjson_val **b, size_t b_count);

/* "400 ValidationException: The text", of at most `bytes`. */
void compare_line(const reply *r, char *out, size_t bytes);

#endif

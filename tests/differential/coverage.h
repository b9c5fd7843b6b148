/* coverage.h - what was covered: operations, errors by name and by text, functions by truth; and the floors. */
#ifndef TESTS_DIFFERENTIAL_COVERAGE_H
#define TESTS_DIFFERENTIAL_COVERAGE_H

#include "tests/differential/compare.h"
#include "tests/differential/generator.h"

#define COVERED_MAX 4096

typedef struct counted {
    char *name; /* owned */
    uint64_t count;
} counted;

typedef struct counts {
    counted of[COVERED_MAX];
    size_t len;
} counts;

typedef struct coverage {
    counts operations, good, errors, texts; /* texts: with their numbers and names taken out */
    counts rows;                            /* differences that are listed, by reason */
    uint64_t functions[FUNCTION_COUNT][2];  /* false, true */
    uint64_t requests, pages, checks;
} coverage;

void coverage_add(counts *c, const char *name, uint64_t n);
void coverage_answer(coverage *c, const char *operation, const reply *r);
void coverage_merge(coverage *into, const coverage *from);
void coverage_free(coverage *c);
void coverage_print(const coverage *c);

/* Each floor that wasn't reached is said on stderr; their number. */
size_t coverage_missing(const coverage *c);

/* A text without what differs from one to the next: numbers, names of tables and placeholders. */
void coverage_template(const char *says, char *out, size_t bytes);

#endif

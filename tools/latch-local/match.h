/*
 * match.h - does an answer hold what is expected of it?
 *
 * Of an object each expected member must match, others may be there; arrays have the same length, in order; numbers, strings, true,
 * false and null are equal (1 and 1.0 are). These strings match by form instead:
 *   "<any>" whatever is there   "<string>"   "<number>"   "<uuid>"   "<timestamp>" ISO 8601 text, or seconds or milliseconds since 1970
 *   "<absent>" no such member
 * An expected object or array where the answer has a string: the string is parsed as JSON and matched (an HTTP body).
 */
#ifndef LATCH_LOCAL_MATCH_H
#define LATCH_LOCAL_MATCH_H

#include <yyjson.h>

#include "buffer.h"

#define LATCH_MATCH_DEPTH 128 /* an expectation isn't nested deeper */
#define LATCH_MISMATCHES 20   /* more than these are counted, not kept */

typedef struct latch_mismatch {
    char *path; /* "body.items[2].sku"; empty: the answer itself */
    char *expected, *found;
} latch_mismatch;

typedef struct latch_mismatches {
    latch_mismatch items[LATCH_MISMATCHES];
    size_t count; /* all of them, also those that were not kept */
} latch_mismatches;

void latch_match(yyjson_val *expected, yyjson_val *found, latch_mismatches *out); /* adds to *out; `found` NULL: it is no JSON */
void latch_mismatches_add(latch_mismatches *out, const char *path, const char *expected, const char *found);
size_t latch_mismatches_kept(const latch_mismatches *m);
void latch_mismatches_clean_up(latch_mismatches *m);

/* JSON as it stands in files and answers: numbers beyond a double are kept as text. NULL: it is none. */
yyjson_doc *latch_match_parse(latch_str text);

#endif

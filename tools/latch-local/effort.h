/*
 * effort.h - what an invocation cost in DynamoDB, as its own log tells.
 *
 * Where LATCH_LOG_REPORT is set, Latch writes the record "invocation" at its end (runtime/observe.h); where DYNAMODB_ENABLE_LOGGING is, the
 * record "dynamodb" at each call (docs/dynamodb.md); as TEXT or JSON. The first has the totals, without it they are the calls' sum.
 */
#ifndef LATCH_LOCAL_EFFORT_H
#define LATCH_LOCAL_EFFORT_H

#include <yyjson.h>

#include "core/words.h"

#define LATCH_EFFORT_CALLS 32 /* more are summed, not listed */

typedef struct latch_effort_call {
    char operation[32], outcome[48];
    double ms, read_units, write_units;
    uint64_t tries;
} latch_effort_call;

typedef struct latch_effort {
    bool is_known, is_final; /* something told; the record at the end did */
    uint64_t requests, throttled;
    double ms, read_units, write_units;
    latch_effort_call calls[LATCH_EFFORT_CALLS];
    size_t call_count; /* all of them, also those that aren't listed */
} latch_effort;

void latch_effort_read(latch_effort *e, latch_str line); /* one line of the log, any line */

/* "store": {"requests","ms","read_units","write_units","throttled"}, with "calls" where they are wanted; nothing where nothing is known. */
void latch_effort_put(const latch_effort *e, yyjson_mut_doc *doc, yyjson_mut_val *to, bool with_calls);

#endif

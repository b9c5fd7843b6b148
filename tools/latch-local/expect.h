/*
 * expect.h - what an event must be answered: expect/NAME.json beside the event, {"first": …, "second": …}.
 *
 * `first` is what the first play is answered, `second` what each later one is (default: as first). {"error": {"errorType": …,
 * "errorMessage": …}} as the whole of one expects an invocation error; anything else an answer. How values match: match.h.
 */
#ifndef LATCH_LOCAL_EXPECT_H
#define LATCH_LOCAL_EXPECT_H

#include "core/status.h"
#include "invocation.h"
#include "match.h"

typedef struct latch_expect {
    yyjson_doc *doc;
    yyjson_val *first, *second;
} latch_expect;

/* LATCH_MISSING: no such file. LATCH_E_INPUT: it is no expectation, and where. Both leave *out empty. */
latch_status latch_expect_load(latch_expect *out, const char *path, latch_err *err);
latch_status latch_expect_parse(latch_expect *out, const char *path, latch_str text, latch_err *err);
void latch_expect_clean_up(latch_expect *e);

bool latch_expect_wants_error(const latch_expect *e, size_t play);

/* Adds what differs. `play` counts from 1. */
void latch_expect_check(const latch_expect *e, size_t play, const latch_invocation *inv, latch_mismatches *out);

#endif

/* report.h - what became of each event: a table for people, or one JSON object a line; and a last line with the counts. */
#ifndef LATCH_LOCAL_REPORT_H
#define LATCH_LOCAL_REPORT_H

#include <stdio.h>

#include "events.h"

typedef struct latch_report {
    FILE *out;
    bool json, full, colour;
    size_t columns; /* of the terminal */
    size_t function_columns, event_columns;
    size_t events, ok;
    size_t cold_start_count;
    latch_buffer cold_starts; /* "Api 2.1 ms, Orders 1.9 ms" */
} latch_report;

typedef struct latch_report_row {
    const char *function, *event;
    size_t play; /* from 1 */
    const latch_invocation *inv;
    const latch_mismatches *mismatches;
    bool is_expected; /* there was an expectation, and it was checked */
    bool wants_error; /* it was for an error */
} latch_report_row;

/* Looks at the events for the columns' widths, and at `out` for a terminal's. */
void latch_report_begin(latch_report *r, FILE *out, bool json, bool full, const latch_events *events, const latch_template *t);
bool latch_report_add(latch_report *r, const latch_report_row *row); /* true: it is ok */
void latch_report_end(latch_report *r, size_t complaints);           /* the last line; complaints: latch_fleet_complaints */

/* Text on one line of at most `columns`, "…" where it was cut; control characters are spaces. 0 columns: all of it. */
void latch_report_shorten(latch_buffer *out, latch_str text, size_t columns);

/* An answer as people read it: "201 {…}" for an HTTP answer, "Type: message" for an error, else as it is. The caller's to free. */
char *latch_report_answer(const latch_invocation *inv);

#endif

/* facts.h - what is known of an item, told twice from one list: to a person, a line each, and as one JSON object. */
#ifndef LATCH_TOOL_FACTS_H
#define LATCH_TOOL_FACTS_H

#include <stdio.h>

#include "core/json.h"

typedef enum latch_fact_kind {
    LATCH_FACT_TEXT,
    LATCH_FACT_NUMBER,
    LATCH_FACT_AT,   /* Unix ms: "name" as ISO 8601 and "name_ms" in JSON; to a person with how far off it is */
    LATCH_FACT_SPAN, /* ms: "name_ms"; to a person "4 min 3 s" */
    LATCH_FACT_JSON
} latch_fact_kind;

typedef struct latch_fact {
    const char *label; /* to a person: "lease until"; NULL: it isn't told */
    const char *name;  /* in JSON: "until"; NULL: it isn't told */
    latch_fact_kind kind;
    bool absent; /* no line; null in JSON */
    latch_str text;
    int64_t number;
    latch_json json;
    const char *note; /* to a person, behind the value: ", as it was taken"; NULL: none */
} latch_fact;

/* Lines on `out`, indented by two; then nothing is left unsaid but what is absent or has no label. */
void latch_facts_print(latch_ctx *cx, FILE *out, const latch_fact *facts, size_t count) LATCH_NONNULL;

/* One object in one line on standard output. LATCH_E_NOMEM, LATCH_E_MISUSE: a value that can't be built, and nothing was written. */
LATCH_NODISCARD latch_status latch_facts_print_json(latch_ctx *cx, const latch_fact *facts, size_t count) LATCH_NONNULL;

#define LATCH_SPAN_BYTES 32
void latch_facts_span(int64_t ms, char out[LATCH_SPAN_BYTES]);                             /* "850 ms", "12.3 s", "4 min 3 s", "3 d 2 h" */
void latch_facts_when(const latch_ctx *cx, int64_t at_ms, char out[LATCH_SPAN_BYTES + 8]); /* "in 4 min 3 s", "12 s ago" */

/* Text of a table on a person's terminal: a control byte is shown as '?'. */
void latch_facts_put(FILE *out, latch_str s) LATCH_NONNULL;

#endif

/*
 * core/span.h - what an invocation is doing and has done: a call of DynamoDB, a wait, a request of the handler's own, a step that it names.
 *
 *     latch_span span = latch_span_begin(cx, "price", sku);
 *     latch_status status = ask_for_the_price(…);
 *     latch_span_end(cx, span, status);
 *
 * The stores and core/http.c write; the runtime reads: the watchdog, to say what a handler was waiting for; the record at an invocation's
 * end; traces. A ring of 64 hangs off the context: the oldest that has ended makes room, and is counted. Nothing is allocated and no system
 * is called but the clock. Where there is no ring (in a function that latch_parallel_run calls) nothing is written.
 *
 * Spans lie one within another. The end of an outer one ends those that are still open in it; what is open at the end of the handler, in a
 * batch of the record, ends with it; an end that comes twice, or after the invocation, does nothing.
 */
#ifndef LATCH_CORE_SPAN_H
#define LATCH_CORE_SPAN_H

#include "core/status.h"

LATCH_BEGIN_C

typedef struct latch_span {
    uint64_t id; /* of this span alone, in this worker; 0: none */
} latch_span;

/* `name` is a literal; `detail` is copied, its first 95 bytes (never half a character). */
latch_span latch_span_begin(latch_ctx *cx, const char *name, latch_str detail) LATCH_NONNULL;
void latch_span_end(latch_ctx *cx, latch_span span, latch_status status) LATCH_NONNULL; /* LATCH_OK or a refusal: it went well */

/* ── for the rooms inside ─────────────────────────────────────────────────────────────────────────────────────────────── */

#define LATCH_SPANS_MAX 64

typedef enum latch_span_kind { LATCH_SPAN_OWN, LATCH_SPAN_DYNAMODB, LATCH_SPAN_WAIT, LATCH_SPAN_FETCH } latch_span_kind;

typedef struct latch_span_kept {
    uint64_t id, outer_id;         /* outer_id: of the one that it lies in, which may be gone from the ring; 0: none */
    struct latch_span_kept *outer; /* that one, while this one is open */
    const char *name;              /* "UpdateItem"; of a fetch its method */
    char detail[96];               /* the table; the URL's beginning (a function URL's host has 63 bytes); what the author said; or empty */
    latch_span_kind kind;
    bool open;
    int64_t from_us, to_us; /* by the clock's boot_us, which only grows */
    latch_status status;    /* from here on of one that has ended */
    uint32_t requests;      /* sent, or tried */
    uint32_t throttled;     /* answers that said slow down */
    int http_status;        /* of the last answer; 0: none */
    uint64_t milli_units;   /* of capacity: 500 is half a unit */
    char error[48];         /* AWS's name of the failure; or empty */
    char request_id[64];    /* AWS's, of the last answer; or empty */
} latch_span_kept;

/*
 * A worker's; zero is an empty one. The watchdog looks at it from a signal handler on the thread that writes it: a span is whole before
 * `innermost` shows it, and out of `innermost` before its place is another's.
 */
typedef struct latch_spans {
    latch_span_kept *volatile innermost; /* the open one that was begun last; NULL: the handler itself is running */
    uint64_t begun;                      /* ever: the last id */
    uint32_t count;                      /* that are kept: at[0] to at[count - 1] */
    uint32_t next;                       /* where the next one goes */
    uint64_t lost;                       /* of this invocation, that made room for others */
    latch_span_kept at[LATCH_SPANS_MAX];
} latch_spans;

/* For the next invocation. NULL: nothing. */
static inline void latch_spans_reset(latch_spans *spans) {
    if (!spans) return;
    spans->innermost = 0;
    spans->count = spans->next = 0;
    spans->lost = 0;
}

latch_span latch_span_begin_kind(latch_ctx *cx, latch_span_kind kind, const char *name, latch_str detail) LATCH_NONNULL;

typedef struct latch_span_facts { /* what a call of AWS, or a fetch, has to tell; texts are cut */
    uint32_t requests, throttled;
    uint64_t milli_units;
    int http_status;
    latch_str error, request_id;
} latch_span_facts;
void latch_span_tell(latch_ctx *cx, latch_span span, const latch_span_facts *facts) LATCH_NONNULL; /* before its end */

/* Ends what was begun since the mark and is open still: what one record of a batch leaves open is none of the next one's. */
uint64_t latch_span_mark(const latch_ctx *cx) LATCH_NONNULL;
void latch_span_end_since(latch_ctx *cx, uint64_t mark) LATCH_NONNULL;

/*
 * What the invocation is waiting for: "DynamoDB UpdateItem on orders, for 2140 ms"; "" where no span is open. `now_us` is by the clock's
 * boot_us. Async-signal-safe. Returns the length, less than `room`; `out` ends with a NUL unless room is 0.
 */
size_t latch_span_describe(const latch_spans *spans, int64_t now_us, char *out, size_t room);

LATCH_END_C

#endif

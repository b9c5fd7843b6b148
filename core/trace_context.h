/*
 * core/trace_context.h - which trace an invocation is part of: the service's header read, and written for those it calls.
 *
 *   X-Ray         Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
 *   traceparent   00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01
 *
 * Sources: "Tracing header" of AWS X-Ray's developer guide; W3C Trace Context, level 1; the mapping is OpenTelemetry's: X-Ray's time and
 * number, one behind the other, are W3C's trace id.
 */
#ifndef LATCH_CORE_TRACE_CONTEXT_H
#define LATCH_CORE_TRACE_CONTEXT_H

#include "core/words.h"

typedef struct latch_trace_context {
    char root[33];   /* 32 hexadecimal digits in small letters, not all 0; and its NUL */
    uint64_t parent; /* 0: none */
    bool sampled;
} latch_trace_context;

/* Parts in any order, names without case, spaces around them; what is unknown is passed over. False: no Root, or a part that is none. */
LATCH_NODISCARD bool latch_trace_context_read(latch_str header, latch_trace_context *out);

#define LATCH_TRACE_HEADER_BYTES 80
void latch_trace_context_xray(const latch_trace_context *c, char out[LATCH_TRACE_HEADER_BYTES]); /* "" without a parent, as the next */
void latch_trace_context_w3c(const latch_trace_context *c, char out[LATCH_TRACE_HEADER_BYTES]);

void latch_trace_hex(uint64_t id, char out[17]); /* 16 digits and a NUL */

/* Of span `n` of an invocation (n >= 1), or of the handler (0), where the invocation's seed is `seed`: never 0, another for each n. */
uint64_t latch_trace_span_id(uint64_t seed, uint64_t n);

/*
 * A stream of numbers for seeds. It is seeded by the system, once; and again after a snapshot was restored, or two sandboxes would give
 * the same ids. A step is no system call.
 */
typedef struct latch_trace_random {
    uint64_t state;
} latch_trace_random;
void latch_trace_random_seed(latch_trace_random *random);
uint64_t latch_trace_random_next(latch_trace_random *random); /* never 0 */

#endif

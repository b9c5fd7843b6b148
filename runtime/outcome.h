/* runtime/outcome.h - what becomes of the status that leaves a handler, as runtime/handler.h's table says. For the runtime. */
#ifndef LATCH_RUNTIME_OUTCOME_H
#define LATCH_RUNTIME_OUTCOME_H

#include "core/ctx_private.h"
#include "runtime/handler.h"

static inline bool latch_is_refusal(latch_status status) { return status >= LATCH_MISSING && status < LATCH_E_INPUT; }

/* The status itself, or LATCH_E_MISUSE where no call gave it: then cx's error is another's, and a message would be made up. */
LATCH_NODISCARD latch_status latch_outcome_check(latch_ctx *cx, latch_status status);

bool latch_outcome_is_skipped(const latch_handler *handler, latch_status status);
LATCH_NODISCARD latch_status latch_outcome_skipped(latch_ctx *cx, latch_str *reply); /* {"skipped": why} */

/* LATCH_E_HANDLER of the type ResponseSizeTooLarge, naming both sizes, where the service would refuse it. */
LATCH_NODISCARD latch_status latch_outcome_fits(latch_ctx *cx, latch_str reply);

typedef struct latch_outcome_record { /* of a batch, as whoever reads the log finds it again */
    const char *place;                /* "event.Records[3]" */
    latch_str id;                     /* what it is reported by: a messageId, a sequence number */
} latch_outcome_record;

/* One log record of an invocation, or of a record of a batch, that failed. `record` NULL: it is none. */
void latch_outcome_log(latch_ctx *cx, const char *message, const latch_outcome_record *record);

/* One invocation, from the event's bytes to the reply's; the scope has ended. Not LATCH_OK: cx's error is what is to be reported. */
LATCH_NODISCARD latch_status latch_event_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply);
LATCH_NODISCARD latch_status latch_http_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply);
LATCH_NODISCARD latch_status latch_batch_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply);
LATCH_NODISCARD latch_status latch_outcome_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply);

/* The entry that `name` names, after all entries were looked at. LATCH_E_MISUSE says what is wrong with the table, or lists the names. */
LATCH_NODISCARD latch_status latch_outcome_choose(latch_ctx *cx, const latch_handler *handlers, size_t count, const char *name,
                                                  const latch_handler **out);

#endif

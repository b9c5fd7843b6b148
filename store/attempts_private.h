/* store/attempts_private.h - limited attempt in a table of paradoxical-io's, for store/attempts.c. */
#ifndef LATCH_STORE_ATTEMPTS_PRIVATE_H
#define LATCH_STORE_ATTEMPTS_PRIVATE_H

#include "store/attempts.h"

/* As the calls of store/attempts.h without the last word; the policy's numbers and the context are checked. */
LATCH_NODISCARD latch_status latch_attempts_take_shared(latch_ctx *cx, const latch_attempts *policy, latch_str key, latch_json context,
                                                        latch_attempt *out);
LATCH_NODISCARD latch_status latch_attempts_clear_shared(latch_ctx *cx, const latch_attempts *policy, latch_str key,
                                                         const latch_attempt *attempt);

#endif

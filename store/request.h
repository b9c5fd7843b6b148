/* store/request.h - a latch_request as the document that DynamoDB takes. For store/table.c. */
#ifndef LATCH_STORE_REQUEST_H
#define LATCH_STORE_REQUEST_H

#include "store/table.h"

const char *latch_operation_name(latch_operation operation); /* "UpdateItem" */

/* In the arena. LATCH_E_NOMEM; LATCH_E_MISUSE: a value that isn't UTF-8 or is of no kind that goes, a placeholder without a value. */
LATCH_NODISCARD latch_status latch_request_text(latch_ctx *cx, const latch_request *request, latch_str *out) LATCH_NONNULL;

#endif

/* store/errors.h - what DynamoDB's no means: the status that it becomes, and whether the same request may go again. For store/client.c. */
#ifndef LATCH_STORE_ERRORS_H
#define LATCH_STORE_ERRORS_H

#include "core/json.h"
#include "core/status.h"

typedef enum latch_remedy {
    LATCH_REMEDY_NONE,
    LATCH_REMEDY_CLOCK, /* the signature or its time: of use once more where the clock was put right */
    LATCH_REMEDY_KEYS   /* the keys have expired or aren't known: of use once more with others */
} latch_remedy;

typedef struct latch_verdict {
    latch_status status;
    bool again;     /* a repeat may do better */
    bool throttled; /* too fast: longer delays, fewer tokens */
    bool lost;      /* no word on whether it was applied, or will be */
    latch_remedy remedy;
} latch_verdict;

/* "ValidationException" of "com.amazon.coral.validate#ValidationException:http://…" */
latch_str latch_error_name(latch_str type);

/*
 * Of an answer that is no 200. `body`: for the reasons of a cancelled transaction; null where the answer is no JSON, and `name` then empty.
 *
 * A 5xx, and what can't be read, is no answer. Sources: botocore 1.44.5, retries/standard.py (TransientRetryableChecker,
 * ThrottledRetryableChecker) and DynamoDB's model; a conflict of transactions is repeated too, as DynamoDB's guide asks of clients.
 */
latch_verdict latch_error_judge(const char *operation, int http_status, latch_str name, latch_json body);

#endif

/* store/bulk_private.h - what batch writes and batch gets have in common. For store/bulk_*.c. */
#ifndef LATCH_STORE_BULK_PRIVATE_H
#define LATCH_STORE_BULK_PRIVATE_H

#include "store/bulk_key.h"
#include "store/crew.h"

#define LATCH_BULK_NOWHERE SIZE_MAX

/* One call, on the caller's thread. */
typedef struct latch_bulk {
    latch_ctx *cx;
    latch_bulk_tables tables;
    latch_crew *crew;
    latch_crew_slot *desk; /* never submitted: where the caller's callbacks build, and what they gave becomes a request's part */
    int64_t until_at_ms;
    latch_status failed; /* of the first failure; its error is `err` */
    latch_err err;
    bool ended; /* the source has no more */
} latch_bulk;

typedef struct latch_bulk_setup {
    const char *table;
    const latch_dynamodb_keys *keys;
    size_t keys_count;
    int connections;
    int64_t timeout_ms;
    latch_crew_work_fn *work;
    size_t slot_bytes, job_bytes;
} latch_bulk_setup;

/* Two slots a line, and the desk. `close` puts the first failure into the caller's error and returns its status. */
LATCH_NODISCARD latch_status latch_bulk_open(latch_ctx *cx, latch_bulk *bulk, const latch_bulk_setup *setup);
LATCH_NODISCARD latch_status latch_bulk_close(latch_bulk *bulk);

/* The first failure stays; `from` has its error. Nothing more is begun. */
void latch_bulk_fail(latch_bulk *bulk, latch_status status, const latch_ctx *from);
static inline bool latch_bulk_stopped(latch_bulk *bulk) { return latch_crew_stopped(bulk->crew); }
bool latch_bulk_has_time(latch_bulk *bulk); /* false: it has failed now, with LATCH_E_TIMEOUT */

/* What a callback returned: it may have failed with the desk's context, or with the caller's. */
latch_status latch_bulk_from_callback(latch_bulk *bulk, latch_status status);

/* In front of the error's message: "write 17: ". */
latch_status latch_bulk_blame(latch_ctx *cx, const char *what, uint64_t index, latch_status status);

/*
 * A write as a part of a BatchWriteItem, {"PutRequest":{"Item":{…}}}, and its key: in cx's arena. What DynamoDB would refuse is refused,
 * as store/bulk.h says. Reading the caller's values takes of their own arena. *requests is added to.
 */
LATCH_NODISCARD latch_status latch_bulk_prepare(latch_ctx *cx, latch_bulk_tables *tables, const latch_dynamodb_write *write,
                                                int64_t until_at_ms, latch_bulk_key *key, latch_str *text, uint64_t *requests);

/*
 * For jobs: after an answer that left something. `idle` counts the answers in a row of which nothing was taken. LATCH_OK: go on, after a
 * pause, or see that the crew was stopped. LATCH_E_THROTTLED, LATCH_E_TIMEOUT: give up.
 */
LATCH_NODISCARD latch_status latch_bulk_rest(latch_crew_slot *slot, int *idle, bool some_were_taken, size_t left, int64_t until_at_ms);

#endif

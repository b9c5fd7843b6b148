/* store/job.h - the jobs of store/dedupe.h by their items' keys: dedupe has its own, a cache that loads has others. */
#ifndef LATCH_STORE_JOB_H
#define LATCH_STORE_JOB_H

#include "store/dedupe.h"
#include "store/table.h"

typedef struct latch_job_key {
    const latch_dedupe *policy; /* checked */
    latch_str pk;               /* the sk too */
    latch_str id;               /* of our own job; empty: register makes one, and keeps it when it is called again */
    latch_spare spare;          /* the handler may have filled the arena when the job is settled */
} latch_job_key;

/* The parts of store/dedupe.h under these names, for a key that was made. */
LATCH_NODISCARD latch_status latch_job_register(latch_ctx *cx, latch_job_key *key, latch_job *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_job_wait(latch_ctx *cx, const latch_job_key *key, int64_t wait_ms, int64_t pause_ms,
                                            latch_job *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_job_complete(latch_ctx *cx, const latch_job_key *key, latch_json result) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_job_fail(latch_ctx *cx, const latch_job_key *key, latch_str error) LATCH_NONNULL;

/* What the table calls the attribute that is "ttl" in a request: an item read has it under this name. */
const char *latch_job_ttl_name(const latch_ctx *cx) LATCH_NONNULL;

/* complete, or fail with the name of `ended`, from the memory set aside. cx's error stays; what goes wrong is logged. */
void latch_job_settle(latch_ctx *cx, latch_job_key *key, latch_status ended) LATCH_NONNULL;

#endif

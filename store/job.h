/* store/job.h - the jobs of store/dedupe.h by their items' keys: dedupe has its own, a cache that loads has others. */
#ifndef LATCH_STORE_JOB_H
#define LATCH_STORE_JOB_H

#include "store/dedupe.h"
#include "store/table.h"
#include "store/wait.h"

typedef struct latch_job_key {
    const latch_dedupe *policy; /* checked */
    latch_place toolkit;        /* where it is, if it is shared; else in the stores' table */
    bool shared;
    latch_str pk;      /* the sk too */
    latch_str id;      /* of our own job; empty: register makes one, and keeps it when it is called again */
    latch_spare spare; /* the handler may have filled the arena when the job is settled */
} latch_job_key;

/* The parts of store/dedupe.h under these names, for a key that was made. */
LATCH_NODISCARD latch_status latch_job_register(latch_ctx *cx, latch_job_key *key, latch_job *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_job_complete(latch_ctx *cx, const latch_job_key *key, latch_json result) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_job_fail(latch_ctx *cx, const latch_job_key *key, latch_str error) LATCH_NONNULL;

/*
 * One strong read, answered as latch_dedupe_wait_for is. LATCH_OK with an out->deadline_at_ms is our own pending job, which a late try
 * registered: register recognises it.
 */
LATCH_NODISCARD latch_status latch_job_look(latch_ctx *cx, const latch_job_key *key, latch_job *out) LATCH_NONNULL;

/*
 * After a LATCH_BUSY of register or look, whose error says when the job can be taken over and whose `out` stays where there is no time:
 * pauses, and looks, until it is something else. Pauses first, so that whoever goes around with register never does so without one.
 */
LATCH_NODISCARD latch_status latch_job_wait(latch_ctx *cx, const latch_job_key *key, latch_wait *wait, latch_job *out) LATCH_NONNULL;
#define LATCH_JOB_PAUSE_MOST_MS (LATCH_SECOND_MS / 2)

/* complete, or fail with the name of `ended`, from the memory set aside. cx's error stays; what goes wrong is logged. */
void latch_job_settle(latch_ctx *cx, latch_job_key *key, latch_status ended) LATCH_NONNULL;

#endif

/*
 * store/saga_run.h - steps that are done one after the other, each saved, and undone backwards when one of them says no.
 *
 *     static const latch_saga orders = {.name = "order"};
 *     static const latch_saga_plan plan = {
 *         .saga = &orders, LATCH_SAGA_STEPS({"payment", charge, refund}, {"stock", reserve, put_back}, {"shipping", ship, NULL})};
 *
 *     latch_saga_outcome order;
 *     LATCH_TRY(latch_saga_run(cx, &plan, order_id, body, &order));
 *
 * The promise. Of one key, one call at a time is at it, for its in-progress time; what a step answered is saved before the next begins; who
 * comes after a crash, a timeout or a lost answer goes on where it was. A step is done once, unless its owner neither saved it nor said that
 * nothing was done: then it is run again, and work->takeovers is over 0, so that it can look at what was done already. Nothing can make a side
 * effect outside the table happen exactly once: pass work->key on to where it is recognised.
 *
 * A step gets the saga's key, as payload {"input": what the saga was given, "results": {"payment": what that step answered, …}}, and
 * takeovers; what it sets as work->result, at most LATCH_SAGA_RESULT_MAX_BYTES of JSON, is saved. An undo gets the same, its own step's
 * result among the results; what it sets is dropped.
 *
 *   LATCH_OK                                    done; the next one begins
 *   LATCH_E_INPUT, LATCH_E_HANDLER, MISSING, MISMATCH, SEEN, UNDONE  it says no, and nothing of it is done: the steps before it are undone, last first
 *   LATCH_HELD, BUSY, LIMITED                   not now, and nothing of it is done: the next call runs it again, as if it had not been run
 *   LATCH_CONFLICT, any other, or any with err.maybe_applied   it may be half done: the next call runs it again, with takeovers
 * An undo has no way to say no: whatever isn't LATCH_OK, the next call runs it again. A step without undo has nothing to undo.
 *
 * Item: a saga's (store/saga.h), id and correlation id are the key. Its state: step N (how many are done; while undoing, how many are still
 * to undo), undoing BOOL, owner S (a UUID per call), until N (Unix ms; 0: given back), takeovers N, input, results S (JSON text), validation
 * S (SHA-256 of the input), failedStep, failure S. Its timeout is when another may go on: latch_saga_find_timed_out finds what was left
 * behind, and latch_saga_resume goes on with it. Steps are told by their names: let them and their order be as they are while sagas run.
 *
 * Cost: a saga's writes, and 2 units more each for the timeout's index. One key bears some 100 steps a second.
 *
 * Source: "Sagas", H. Garcia-Molina, K. Salem, 1987; the rules of store/once.h; explored in tests/model/saga.
 */
#ifndef LATCH_STORE_SAGA_RUN_H
#define LATCH_STORE_SAGA_RUN_H

#include "store/saga.h"
#include "store/work.h"

LATCH_BEGIN_C

#define LATCH_SAGA_STEPS_MAX 16
#define LATCH_SAGA_RESULT_MAX_BYTES ((size_t)8 * 1024)
#define LATCH_SAGA_INPUT_MAX_BYTES ((size_t)128 * 1024) /* of its JSON text */

typedef struct latch_saga_step {
    const char *name;    /* 1 to 64 letters, digits, _ and -; each another; required */
    latch_work_fn *run;  /* required */
    latch_work_fn *undo; /* NULL: there is nothing to undo */
} latch_saga_step;

typedef struct latch_saga_plan {
    const latch_saga *saga;       /* required */
    const latch_saga_step *steps; /* 1 to LATCH_SAGA_STEPS_MAX */
    size_t step_count;
    int64_t
        in_progress_ms; /* of each step, after it another may go on; at most 366 days; 0: until the deadline, 60 s where there is none */
} latch_saga_plan;

/* .steps and .step_count of a list that is written out. */
#define LATCH_SAGA_STEPS(...)                                                                                                              \
    .steps = (const latch_saga_step[]){__VA_ARGS__}, .step_count = sizeof((const latch_saga_step[]){__VA_ARGS__}) / sizeof(latch_saga_step)

typedef struct latch_saga_outcome {
    latch_json results; /* {"payment": …}: of the steps that were done; an object; lives as long as cx */
    latch_str refused;  /* once a step said no: its name */
    latch_str why;      /* and what it said */
    bool did;           /* it came to its end in this call; false: it had before, or hasn't */
} latch_saga_outcome;

/*
 * Do the steps for `key`, or go on with them, or answer what they answered.
 *
 * key      1 to 1 024 bytes of UTF-8, no control bytes; borrowed
 * payload  what the steps are given, and hashed: the same key with another payload is refused; borrowed
 * out      always written; zero but for LATCH_OK and LATCH_UNDONE
 *
 * Requests: 1 transaction to begin, 1 after each step or undo; 1 more to go on with what another left, and 1 where all was done before. Each
 * is repeated where no answer comes, at most twice.
 *
 * LATCH_OK        all steps are done
 * LATCH_UNDONE    a step said no, and those before it are undone: now or before; the message and out->why say which and why
 * LATCH_BUSY      another is at it; nothing was done here; err.retry_at_ms is when its in-progress time is over for certain
 * LATCH_MISMATCH  this key was used with another payload; nothing was done
 * LATCH_CONFLICT  another took over while a step ran here: what that one saves counts
 * LATCH_E_INPUT   a bad key: nothing was sent. LATCH_E_MISUSE: a bad plan or payload (nothing was sent); a result that is too long (its step
 *                 may be half done); the saved steps are others than the plan's; as store/saga.h says
 * of a step       what it said where it may be half done, or not now; the saga stays where it was
 * LATCH_E_*       as store/saga.h says; LATCH_E_TIMEOUT also: the in-progress time was over before the next step could begin
 * err.maybe_applied: a step ran here and isn't saved, or may be, or a request got no answer. Call again with the same key and payload: that is
 * always right.
 */
LATCH_NODISCARD latch_status latch_saga_run(latch_ctx *cx, const latch_saga_plan *plan, latch_str key, latch_json payload,
                                            latch_saga_outcome *out) LATCH_NONNULL;

/* The same, with the payload that it was begun with. LATCH_MISSING: it wasn't. Requests: 1 consistent read more, and no transaction. */
LATCH_NODISCARD latch_status latch_saga_resume(latch_ctx *cx, const latch_saga_plan *plan, latch_str key,
                                               latch_saga_outcome *out) LATCH_NONNULL;

LATCH_END_C

#endif

/* store/sweep_private.h - the scan under clear, cleanup and stats, for the stores that have them. */
#ifndef LATCH_STORE_SWEEP_PRIVATE_H
#define LATCH_STORE_SWEEP_PRIVATE_H

#include "store/sweep.h"
#include "store/table.h"

#define LATCH_SWEEP_PREFIXES_MAX 4

typedef enum latch_sweep_kind { LATCH_SWEEP_CLEAR, LATCH_SWEEP_CLEANUP, LATCH_SWEEP_STATS } latch_sweep_kind;

/*
 * Whose items: those with a pk of <prefix>#<name>#<scope>…, escaped by latch_key, in the stores' table; of <prefix>#<scope>…, as it is, in
 * a table that others laid out.
 */
typedef struct latch_sweep_target {
    const char *store;                              /* "cache": begins messages */
    const char *name;                               /* the policy's, checked; of others' tables for messages alone */
    const latch_place *at;                          /* NULL: the stores' table */
    const char *prefixes[LATCH_SWEEP_PREFIXES_MAX]; /* "CACHE"; the first is required, the rest may be NULL */
} latch_sweep_target;

/* As store/sweep.h says. *out is always written. */
LATCH_NODISCARD latch_status latch_sweep_run(latch_ctx *cx, latch_sweep_kind kind, const latch_sweep_target *target,
                                             const latch_sweep *sweep, latch_swept *out) LATCH_NONNULL;

#endif

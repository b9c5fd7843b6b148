/*
 * store/paradoxical.h - the table `partitioned_keys` of @paradoxical-io/common-aws, in which do-once and limited attempt can keep their state.
 *
 * Keys partitionKey and sortKey, both text, sortKey being <namespace>.<sort>; `data` is JSON text. No time to live.
 */
#ifndef LATCH_STORE_PARADOXICAL_H
#define LATCH_STORE_PARADOXICAL_H

#include "store/table.h"

typedef struct latch_paradoxical_key {
    const char *store, *name; /* of messages */
    size_t namespaced_bytes;  /* of what comes before the sort part, its point too */
} latch_paradoxical_key;

latch_place latch_paradoxical_place(const char *table);

/*
 * The two parts of what latch_key(cx, partition, sort) made, as they were: they go into the table unchanged. LATCH_E_INPUT: it has not two
 * parts, or one is empty or too long, or has control bytes. LATCH_E_MISUSE: the name. LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_paradoxical_split(latch_ctx *cx, const latch_paradoxical_key *of, latch_str key, latch_str *partition,
                                                     latch_str *sort) LATCH_NONNULL;

#endif

/* store/l1.h - the front of a cache that lives in the process: what its policy's pointer brings along. For the files of store/cache.h. */
#ifndef LATCH_STORE_L1_H
#define LATCH_STORE_L1_H

#include "store/cache.h"

typedef struct latch_l1_value {
    latch_str text;  /* as it is stored, __UNDEFINED__ too */
    int64_t until_s; /* Unix s, from when on it isn't given; 0: never */
} latch_l1_value;

/*
 * A read brings `reading`'s stamp to `fill`, which keeps the value only while nothing was written since; `writing` forgets the key, and
 * `wrote` keeps what was written (a NULL text: nothing) where no other write of the key overlapped. Each `writing` is followed by its `wrote`.
 */
typedef struct latch_l1_calls {
    bool (*get)(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, latch_str *text); /* in cx's arena; false also where that is full */
    uint64_t (*reading)(latch_cache_l1 *l1, latch_str pk);
    void (*fill)(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value);
    uint64_t (*writing)(latch_cache_l1 *l1, latch_str pk);
    void (*wrote)(latch_cache_l1 *l1, latch_ctx *cx, latch_str pk, uint64_t stamp, const latch_l1_value *value);
    void (*clear)(latch_cache_l1 *l1);
    latch_cache_l1_stats (*look)(const latch_cache_l1 *l1);
} latch_l1_calls;

#endif

/* store/embedded/budget.h - malloc within a bound: what the allocator really takes is counted, its overhead included. */
#ifndef LATCH_STORE_EMBEDDED_BUDGET_H
#define LATCH_STORE_EMBEDDED_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct latch_budget {
    _Atomic size_t used; /* bytes */
    size_t max;
} latch_budget;

/* NULL: no memory, or `used` would exceed `max` by more than `credit` (what the caller will free soon). Zeroed. */
void *latch_budget_alloc(latch_budget *budget, size_t size, size_t credit);
void latch_budget_free(latch_budget *budget, void *at); /* NULL: nothing */
size_t latch_budget_cost(const void *at);               /* what freeing it gives back; NULL: 0 */

#endif

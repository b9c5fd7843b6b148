#include "store/embedded/budget.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HEADER ((size_t)16) /* what an allocator keeps beside a block, at most */

/* malloc_usable_size wants a pointer that it doesn't write to. */
static void *writable(const void *at) {
    union {
        const void *from;
        void *to;
    } same = {at};
    return same.to;
}

size_t latch_budget_cost(const void *at) { return at != NULL ? malloc_usable_size(writable(at)) + HEADER : 0; }

/* A large table of pointers is looked up at random: with pages of 4 KB each look-up misses the TLB too. A wish, nothing more. */
static void ask_for_huge_pages(void *block, size_t size) {
    const uintptr_t page = (uintptr_t)1 << 21;
    uintptr_t from = ((uintptr_t)block + page - 1) & ~(page - 1), to = ((uintptr_t)block + size) & ~(page - 1);
    if (size >= 2 * page && to > from) (void)madvise((char *)block + (from - (uintptr_t)block), to - from, MADV_HUGEPAGE);
}

void *latch_budget_alloc(latch_budget *budget, size_t size, size_t credit) {
    size_t limit = budget->max > SIZE_MAX - credit ? SIZE_MAX : budget->max + credit;
    if (size > limit || atomic_load_explicit(&budget->used, memory_order_relaxed) > limit - size) return NULL;
    void *block = calloc(1, size);
    if (block == NULL) return NULL;
    ask_for_huge_pages(block, size);
    size_t cost = latch_budget_cost(block);
    size_t used = atomic_fetch_add_explicit(&budget->used, cost, memory_order_relaxed) + cost;
    if (used <= limit) return block;
    latch_budget_free(budget, block);
    return NULL;
}

void latch_budget_free(latch_budget *budget, void *at) {
    atomic_fetch_sub_explicit(&budget->used, latch_budget_cost(at), memory_order_relaxed);
    free(at);
}

#include "core/arena.h"

#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONING 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISONING 1
#endif

#define ALIGN ((size_t)16)
#define PAGE_BYTES ((size_t)1 << 16) /* the largest that there is */
#define KEPT_BYTES ((size_t)1 << 20)
#ifdef POISONING
#include <sanitizer/asan_interface.h>
#define GAP ALIGN /* behind each block: running out of one doesn't end in the next */
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define GAP ((size_t)0)
#endif

void latch_arena_init(latch_arena *arena, void *memory, size_t cap) {
    *arena = (latch_arena){.base = memory, .cap = cap};
    ASAN_POISON_MEMORY_REGION(memory, cap);
}

void latch_arena_clean_up(latch_arena *arena) { ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->cap); }

bool latch_arena_reserve(latch_arena *arena, size_t cap, size_t least) {
    const size_t wanted = cap;
    void *at;
    *arena = (latch_arena){0};
    while ((at = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) == MAP_FAILED) {
        cap /= 2;
        if (cap < least) return false;
    }
    if (cap < wanted && cap / 2 >= least) {
        size_t half = cap / 2 & ~(PAGE_BYTES - 1);
        munmap((char *)at + half, cap - half);
        cap = half;
    }
    latch_arena_init(arena, at, cap);
    return true;
}

void latch_arena_release(latch_arena *arena) {
    if (arena->base == NULL) return;
    latch_arena_clean_up(arena);
    munmap(arena->base, arena->cap);
    *arena = (latch_arena){0};
}

/* Gives out [at, at + size), or says that it doesn't fit. */
static void *give(latch_arena *arena, size_t at, size_t size) {
    if (at > arena->cap || size > arena->cap - at) return NULL;
    arena->used = at + size;
    if (arena->used > arena->peak) arena->peak = arena->used;
    ASAN_UNPOISON_MEMORY_REGION(arena->base + at, size);
    return arena->base + at;
}

/* No object is near SIZE_MAX bytes long, so these sums can't wrap. */
static size_t aligned(size_t at) { return (at + ALIGN - 1) & ~(ALIGN - 1); }

void *latch_arena_alloc(latch_arena *arena, size_t size) { return give(arena, arena->used > 0 ? aligned(arena->used + GAP) : 0, size); }

void *latch_arena_grow(latch_arena *arena, void *at, size_t old_size, size_t size) {
    if (at == NULL) return latch_arena_alloc(arena, size);
    if (size <= old_size) return at;
    size_t offset = (size_t)((char *)at - arena->base);
    if (offset + old_size == arena->used) return give(arena, offset, size);
    void *moved = latch_arena_alloc(arena, size);
    if (moved != NULL) memcpy(moved, at, old_size);
    return moved;
}

/* Takes back what was given out from `at` on. What lies beyond `used` is poisoned already. */
static void take_back(latch_arena *arena, size_t at) {
    if (at >= arena->used) return;
    ASAN_POISON_MEMORY_REGION(arena->base + at, arena->used - at);
    arena->used = at;
}

void latch_arena_shrink(latch_arena *arena, void *at, size_t old_size, size_t size) {
    size_t offset = (size_t)((char *)at - arena->base);
    if (offset + old_size == arena->used && size < old_size) take_back(arena, offset + size);
}

latch_str latch_arena_copy(latch_arena *arena, latch_str s) {
    char *copy = s.len < SIZE_MAX ? latch_arena_alloc(arena, s.len + 1) : NULL;
    if (copy == NULL) return (latch_str){NULL, 0};
    if (s.len > 0) memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (latch_str){copy, s.len};
}

size_t latch_arena_mark(const latch_arena *arena) { return arena->used; }

void latch_arena_rewind(latch_arena *arena, size_t mark) {
    take_back(arena, mark);
    arena->past++;
}

/* One large use must not weigh on all that come after it. */
void latch_arena_recycle(latch_arena *arena) {
    size_t touched = arena->peak;
    latch_arena_rewind(arena, 0);
    arena->peak = 0;
    if (touched > KEPT_BYTES) (void)madvise(arena->base + KEPT_BYTES, touched - KEPT_BYTES, MADV_DONTNEED);
}

void *latch_arena_keep(latch_arena *arena, size_t mark, const void *at, size_t size) {
    size_t to = mark > 0 ? aligned(mark + GAP) : 0;
    ASAN_UNPOISON_MEMORY_REGION(arena->base + to, size); /* `at` is there or above: it was given out after mark */
    memmove(arena->base + to, at, size);
    latch_arena_rewind(arena, to + size);
    return arena->base + to;
}

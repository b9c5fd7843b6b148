/* room.h - a context for core's tests: an arena of so many bytes, two clocks to move, and text that ends where reading on is a crash. */
#ifndef TESTS_CORE_ROOM_H
#define TESTS_CORE_ROOM_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/json.h"

#define ROOM_NOW_US INT64_C(1795253400123456) /* 2026-11-21T09:30:00.123456Z */

#ifdef __SANITIZE_ADDRESS__
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

typedef struct room {
    void *memory;
    latch_arena arena;
    int64_t wall_us, boot_us;
    latch_ctx cx;
} room;

static int64_t room_wall_us(void *self) { return ((room *)self)->wall_us; }
static int64_t room_boot_us(void *self) { return ((room *)self)->boot_us; }

static inline void room_open(room *r, size_t bytes) {
    *r = (room){.memory = malloc(bytes > 0 ? bytes : 1), .wall_us = ROOM_NOW_US, .boot_us = 1000};
    if (r->memory == NULL) abort();
    latch_arena_init(&r->arena, r->memory, bytes);
    r->cx = (latch_ctx){.arena = &r->arena,
                        .clock = {.wall_us = room_wall_us, .boot_us = room_boot_us, .self = r},
                        .deadline_at_ms = INT64_MAX,
                        .request_id = LATCH_STR("r-1")};
}

static inline void room_close(room *r) {
    latch_arena_clean_up(&r->arena);
    free(r->memory);
    r->memory = NULL;
}

/* A copy whose last byte is the last of its page; the next page is no memory. Never freed: a test's process is short. */
static inline latch_str at_the_edge(latch_str s) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = s.len / page + 2;
    char *at = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at + (pages - 1) * page, page, PROT_NONE) != 0) abort();
    char *from = at + (pages - 1) * page - s.len;
    if (s.len > 0) memcpy(from, s.ptr, s.len);
    return (latch_str){from, s.len};
}

/* For texts with NUL bytes in them. */
#define assert_text(actual, expected)                                                                                                      \
    do {                                                                                                                                   \
        latch_str actual_ = (actual);                                                                                                      \
        const char *expected_ = (expected);                                                                                                \
        assert_non_null(actual_.ptr);                                                                                                      \
        if (actual_.len != strlen(expected_) || memcmp(actual_.ptr, expected_, actual_.len) != 0)                                          \
            fail_msg("\"%.*s\" is not \"%s\"", LATCH_ARG(actual_), expected_);                                                             \
    } while (0)

#endif

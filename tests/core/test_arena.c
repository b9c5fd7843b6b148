#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "tests/check.h"
#include "tests/core/room.h"

#define CAP ((size_t)1024)

static _Alignas(16) char memory[CAP];
static latch_arena arena;

static int set_up(void **state) {
    (void)state;
    latch_arena_init(&arena, memory, CAP);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    return 0;
}

static void gives_aligned_blocks_in_order(void **state) {
    static const size_t sizes[] = {1, 15, 16, 17, 0, 32, 1};
    char *before = NULL;
    size_t before_size = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *at = latch_arena_alloc(&arena, sizes[i]);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        assert_true(before == NULL || at >= before + before_size);
        memset(at, (int)i, sizes[i]); /* under ASan: all of it is ours */
        before = at;
        before_size = sizes[i];
    }
    assert_int_equal(arena.used, (size_t)(before - memory) + before_size);
}

static void gives_the_last_byte_and_not_one_more(void **state) {
    (void)state;
    for (size_t cap = 0; cap < 200; cap++) {
        latch_arena_clean_up(&arena);
        latch_arena_init(&arena, memory, cap);
        assert_null(latch_arena_alloc(&arena, cap + 1));
        assert_null(latch_arena_alloc(&arena, SIZE_MAX));
        assert_null(latch_arena_alloc(&arena, SIZE_MAX - 15));
        assert_int_equal(arena.used, 0);
        char *all = latch_arena_alloc(&arena, cap);
        assert_non_null(all);
        memset(all, 'x', cap);
        assert_null(latch_arena_alloc(&arena, 1));
    }
    latch_arena_clean_up(&arena);
    latch_arena_init(&arena, memory, CAP);
}

static void gives_the_last_byte_behind_another_block(void **state) {
    char *first = latch_arena_alloc(&arena, 10);
    size_t mark = latch_arena_mark(&arena);
    char *second = latch_arena_alloc(&arena, 1);
    size_t left = CAP - (size_t)(second - first);
    (void)state;
    latch_arena_rewind(&arena, mark);
    assert_null(latch_arena_alloc(&arena, left + 1));
    assert_int_equal(latch_arena_mark(&arena), mark);
    assert_ptr_equal(latch_arena_alloc(&arena, left), second);
    assert_int_equal(arena.used, CAP);
}

static void grows_the_last_block_in_place(void **state) {
    char *at = latch_arena_alloc(&arena, 3);
    (void)state;
    memcpy(at, "abc", 3);
    assert_ptr_equal(latch_arena_grow(&arena, at, 3, 100), at);
    memset(at + 3, 'd', 97);
    assert_int_equal(arena.used, 100);
    assert_ptr_equal(latch_arena_grow(&arena, at, 100, 50), at); /* smaller: as it was */
    assert_int_equal(arena.used, 100);
    assert_ptr_equal(latch_arena_grow(&arena, at, 100, CAP), at);
    assert_null(latch_arena_grow(&arena, at, CAP, CAP + 1));
    assert_memory_equal(at, "abcd", 4);
}

static void copies_a_block_that_is_not_the_last(void **state) {
    char *at = latch_arena_alloc(&arena, 3), *other = latch_arena_alloc(&arena, 16);
    (void)state;
    memcpy(at, "abc", 3);
    memset(other, 'o', 16);
    char *moved = latch_arena_grow(&arena, at, 3, 64);
    assert_true(moved > other);
    assert_memory_equal(moved, "abc", 3);
    assert_memory_equal(at, "abc", 3);
    memset(moved, 'm', 64);
    assert_memory_equal(other, "oooooooooooooooo", 16);
    assert_null(latch_arena_grow(&arena, at, 3, CAP)); /* and stays where it is */
    assert_memory_equal(at, "abc", 3);
}

static void grows_from_nothing(void **state) {
    (void)state;
    char *at = latch_arena_grow(&arena, NULL, 0, 8);
    assert_non_null(at);
    assert_int_equal(arena.used, 8);
}

static void takes_back_what_the_last_block_does_not_need(void **state) {
    char *at = latch_arena_alloc(&arena, 100);
    (void)state;
    latch_arena_shrink(&arena, at, 100, 10);
    assert_int_equal(arena.used, 10);
    latch_arena_shrink(&arena, at, 10, 10);
    latch_arena_shrink(&arena, at, 10, 20); /* that would be growing */
    assert_int_equal(arena.used, 10);
    char *next = latch_arena_alloc(&arena, 8);
    size_t used = arena.used;
    latch_arena_shrink(&arena, at, 10, 1); /* not the last one */
    assert_int_equal(arena.used, used);
    assert_true(next > at);
}

static void copies_text_with_a_nul_behind_it(void **state) {
    static const latch_str texts[] = {{"abc", 3}, {"", 0}, {NULL, 0}, {"a\0b", 3}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        latch_str copy = latch_arena_copy(&arena, texts[i]);
        assert_non_null(copy.ptr);
        assert_int_equal(copy.len, texts[i].len);
        assert_true(latch_str_eq(copy, texts[i]));
        assert_int_equal(copy.ptr[copy.len], '\0');
    }
    assert_null(latch_arena_copy(&arena, (latch_str){"x", SIZE_MAX}).ptr);
}

static void copies_text_that_just_fits(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    latch_arena_init(&arena, memory, 4);
    assert_null(latch_arena_copy(&arena, LATCH_STR("abcd")).ptr);
    assert_string_equal(latch_arena_copy(&arena, LATCH_STR("abc")).ptr, "abc");
}

static void gives_the_same_bytes_after_a_rewind(void **state) {
    assert_non_null(latch_arena_alloc(&arena, 6));
    size_t mark = latch_arena_mark(&arena), past = arena.past;
    char *at = latch_arena_alloc(&arena, 64);
    (void)state;
    latch_arena_rewind(&arena, mark);
    assert_int_equal(arena.used, mark);
    assert_int_equal(arena.past, past + 1);
    assert_ptr_equal(latch_arena_alloc(&arena, 64), at);
    size_t used = arena.used;
    latch_arena_rewind(&arena, used + 8); /* never given out: nothing to take back */
    assert_int_equal(arena.used, used);
    latch_arena_rewind(&arena, 0);
    assert_ptr_equal(latch_arena_alloc(&arena, 1), memory);
}

static void keeps_one_block_of_many(void **state) {
    size_t mark = latch_arena_mark(&arena);
    (void)state;
    assert_non_null(latch_arena_alloc(&arena, 16));
    char *at = latch_arena_alloc(&arena, 60);
    for (int i = 0; i < 60; i++)
        at[i] = (char)i;
    assert_non_null(latch_arena_alloc(&arena, 100));
    char *kept = latch_arena_keep(&arena, mark, at, 60); /* it overlaps where it was */
    assert_ptr_equal(kept, memory);
    for (int i = 0; i < 60; i++)
        assert_int_equal(kept[i], i);
    assert_int_equal(arena.used, 60);
    char *next = latch_arena_alloc(&arena, 8);
    mark = latch_arena_mark(&arena);
    char *only = latch_arena_alloc(&arena, 8);
    memcpy(only, "eight ch", 8);
    assert_ptr_equal(latch_arena_keep(&arena, mark, only, 8), only); /* it is in its place already */
    assert_memory_equal(only, "eight ch", 8);
    assert_true(only > next);
}

static void remembers_the_most_that_was_used(void **state) {
    (void)state;
    assert_non_null(latch_arena_alloc(&arena, 700));
    latch_arena_rewind(&arena, 0);
    assert_non_null(latch_arena_alloc(&arena, 10));
    assert_null(latch_arena_alloc(&arena, CAP));
    assert_int_equal(arena.peak, 700);
    assert_int_equal(arena.used, 10);
}

/* ── addresses of its own ────────────────────────────────────────────────────────────────────────────────────────── */

#define MB ((size_t)1 << 20)

static void reserves_zeroes_and_gives_back_what_is_far_behind(void **state) {
    latch_arena own;
    (void)state;
    assert_true(latch_arena_reserve(&own, 8 * MB, 8 * MB));
    assert_int_equal(own.cap, 8 * MB);
    for (int use = 0; use < 2; use++) {
        char *at = latch_arena_alloc(&own, 4 * MB);
        assert_non_null(at);
        assert_int_equal(at[0], use == 0 ? 0 : 'x'); /* what is near stays resident */
        assert_int_equal(at[MB - 1], use == 0 ? 0 : 'x');
        assert_int_equal(at[MB], 0);
        assert_int_equal(at[4 * MB - 1], 0);
        memset(at, 'x', 4 * MB);
        latch_arena_recycle(&own);
        assert_int_equal(own.used, 0);
        assert_int_equal(own.peak, 0);
    }
    assert_non_null(latch_arena_alloc(&own, 8 * MB));
    latch_arena_release(&own);
    assert_null(own.base);
    latch_arena_release(&own);
}

static size_t addresses_now(void) {
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &pages), 1);
    assert_int_equal(fclose(f), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void makes_do_with_fewer_addresses(void **state) {
    static const struct {
        size_t left_mb, cap_mb, least_mb, has_mb; /* 0: none */
    } rows[] = {{100, 64, 4, 64}, {100, 64, 64, 64}, {40, 64, 4, 16}, {40, 64, 32, 32}, {40, 64, 33, 0},
                {40, 64, 64, 0},  {20, 64, 4, 8},    {10, 64, 4, 4},  {6, 64, 4, 4},    {3, 64, 4, 0}};
    struct rlimit before, less;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_arena own;
        less = before;
        less.rlim_cur = addresses_now() + rows[i].left_mb * MB;
        assert_int_equal(setrlimit(RLIMIT_AS, &less), 0);
        bool reserved = latch_arena_reserve(&own, rows[i].cap_mb * MB, rows[i].least_mb * MB);
        assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
        if (reserved != (rows[i].has_mb > 0) || own.cap != rows[i].has_mb * MB) fail_msg("row %zu: %zu bytes", i, own.cap);
        if (reserved) memset(latch_arena_alloc(&own, own.cap), 'x', own.cap);
        latch_arena_release(&own);
    }
}

/* ── under AddressSanitizer ──────────────────────────────────────────────────────────────────────────────────────── */

typedef const char *place_fn(void); /* where the child reads a byte */

static const char *last_byte(void) { return (char *)latch_arena_alloc(&arena, 24) + 23; }
static const char *behind_the_last(void) { return (char *)latch_arena_alloc(&arena, 24) + 24; }
static const char *never_given(void) { return memory + 512; }
static const char *between_two(void) {
    char *first = latch_arena_alloc(&arena, 32);
    return latch_arena_alloc(&arena, 32) != NULL ? first + 32 : NULL;
}
static const char *rewound(void) {
    char *at = latch_arena_alloc(&arena, 24);
    latch_arena_rewind(&arena, 0);
    return at;
}
static const char *given_back(void) {
    char *at = latch_arena_alloc(&arena, 64);
    latch_arena_shrink(&arena, at, 64, 8);
    return at + 8;
}
static const char *behind_the_kept(void) {
    char *scratch = latch_arena_alloc(&arena, 64), *at = latch_arena_alloc(&arena, 8);
    memset(scratch, 0, 64);
    memset(at, 0, 8);
    return (char *)latch_arena_keep(&arena, 0, at, 8) + 8;
}
static const char *parsed_and_rewound(void) {
    latch_ctx cx = {.arena = &arena};
    latch_str text;
    latch_json json;
    if (latch_parse(&cx, "body", LATCH_STR("{\"a\":\"text\"}"), &json) != LATCH_OK || latch_read(json, "a", &text) != LATCH_OK) return NULL;
    latch_arena_rewind(&arena, 0);
    return text.ptr;
}
static const char *cleaned_up(void) {
    char *at = latch_arena_alloc(&arena, 24);
    latch_arena_clean_up(&arena);
    return at + 24;
}

/* What the child's stderr says; its end in *status. */
static void read_in_a_child(place_fn *place, char *said, size_t bytes, int *status) {
    int ends[2];
    size_t len = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        const volatile char *at = place();
        _exit(at == NULL || *at == 'z' ? 7 : 0);
    }
    close(ends[1]);
    for (ssize_t n; len < bytes - 1 && (n = read(ends[0], said + len, bytes - 1 - len)) > 0;)
        len += (size_t)n;
    said[len] = '\0';
    close(ends[0]); /* a child with more to say ends by SIGPIPE, which is an end too */
    assert_int_equal(waitpid(child, status, 0), child);
}

static void reports_reads_of_what_is_not_given_out(void **state) {
    static const struct {
        const char *what;
        place_fn *place;
        bool reported;
    } rows[] = {
        {"the last byte", last_byte, false},
        {"behind the last byte", behind_the_last, true},
        {"never given out", never_given, true},
        {"between two blocks", between_two, true},
        {"rewound", rewound, true},
        {"given back", given_back, true},
        {"behind what was kept", behind_the_kept, true},
        {"parsed, then rewound", parsed_and_rewound, true},
        {"after clean_up", cleaned_up, false},
    };
    char said[4096];
    int status;
    (void)state;
    if (!UNDER_ASAN) skip();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        read_in_a_child(rows[i].place, said, sizeof said, &status);
        bool reported = strstr(said, "use-after-poison") != NULL && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        if (reported != rows[i].reported || (!reported && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)))
            fail_msg("%s: status %d, said \"%.200s\"", rows[i].what, status, said);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(gives_aligned_blocks_in_order),
    ROW(gives_the_last_byte_and_not_one_more),
    ROW(gives_the_last_byte_behind_another_block),
    ROW(grows_the_last_block_in_place),
    ROW(copies_a_block_that_is_not_the_last),
    ROW(grows_from_nothing),
    ROW(takes_back_what_the_last_block_does_not_need),
    ROW(copies_text_with_a_nul_behind_it),
    ROW(copies_text_that_just_fits),
    ROW(gives_the_same_bytes_after_a_rewind),
    ROW(keeps_one_block_of_many),
    ROW(remembers_the_most_that_was_used),
    ROW(reserves_zeroes_and_gives_back_what_is_far_behind),
    ROW(makes_do_with_fewer_addresses),
    ROW(reports_reads_of_what_is_not_given_out),
};

CHECK_MAIN(tests)

/* core/bytes.c under other names, beside this machine's libc: every length and every place that its steps tell apart, between guard pages. */
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/check.h"

#define LATCH_BYTES(name) own_##name
#include "core/bytes.c" // NOLINT(bugprone-suspicious-include)

#define MAX_BYTES ((size_t)100) /* six blocks and a bit: what is longer is the same again */

static const size_t more[] = {127, 128, 129, 1000, 4000, 4095};

/* Every length to MAX_BYTES, and some longer ones. */
static size_t length(size_t i) { return i <= MAX_BYTES ? i : more[i - MAX_BYTES - 1]; }
#define LENGTHS (MAX_BYTES + 1 + COUNT_OF(more))

/* Three pages, of which the middle one may be read and written. */
static uint8_t *take_page(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    assert_int_equal(mprotect(at + page, page, PROT_READ | PROT_WRITE), 0);
    return at + page;
}

static void give_back(uint8_t *page) {
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(munmap(page - bytes, 3 * bytes), 0);
}

static void fill(uint8_t *at, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)((i + seed) * 167 + 13);
}

/* At a page's begin and at its end, so that a byte too many, read or written, is a fault. */
static void copies_what_it_is_told(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *from = take_page(), *to = take_page();
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t place = 0; place < 4; place++) {
            size_t n = length(i);
            uint8_t *source = place & 1 ? from + page - n : from, *target = place & 2 ? to + page - n : to;
            fill(source, n, (unsigned)i);
            memset(to, 0xAA, page);
            assert_ptr_equal(own_memcpy(target, source, n), target);
            assert_memory_equal(target, source, n);
            for (uint8_t *at = to; at < to + page; at++)
                assert_true((at >= target && at < target + n) || *at == 0xAA);
        }
    }
    give_back(from);
    give_back(to);
}

/* By each distance in both directions, beside what a plain copy through a third place makes. */
static void moves_what_overlaps(void **state) {
    (void)state;
    static uint8_t own[3 * MAX_BYTES], want[3 * MAX_BYTES], kept[MAX_BYTES];
    for (size_t n = 0; n <= MAX_BYTES; n++) {
        for (size_t to = 0; to <= 2 * MAX_BYTES; to++) {
            fill(own, sizeof own, (unsigned)n);
            fill(want, sizeof want, (unsigned)n);
            memcpy(kept, want + MAX_BYTES, n);
            memcpy(want + to, kept, n);
            assert_ptr_equal(own_memmove(own + to, own + MAX_BYTES, n), own + to);
            assert_memory_equal(own, want, sizeof own);
        }
    }
}

static void sets_what_it_is_told(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = take_page();
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t offset = 0; offset < 2; offset++) {
            size_t n = length(i);
            uint8_t *target = offset == 0 ? at : at + page - n;
            memset(at, 0xAA, page);
            assert_ptr_equal(own_memset(target, 0x1F3, n), target); /* its low byte counts */
            for (uint8_t *byte = at; byte < at + page; byte++)
                assert_int_equal(*byte, byte >= target && byte < target + n ? 0xF3 : 0xAA);
        }
    }
    give_back(at);
}

static int sign(int n) { return (n > 0) - (n < 0); }

/* Equal ones; and with each byte changed, up and down, which libc must order the same way. */
static void compares_as_libc_does(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *left = take_page(), *right = take_page();
    for (size_t n = 0; n <= MAX_BYTES; n++) {
        uint8_t *a = left + page - n, *b = right + page - n;
        fill(a, n, 3);
        fill(b, n, 3);
        assert_int_equal(own_memcmp(a, b, n), 0);
        assert_int_equal(own_bcmp(a, b, n), 0);
        for (size_t i = 0; i < n; i++) {
            for (unsigned by = 1; by < 256; by += 127) {
                b[i] = (uint8_t)(a[i] + by);
                if (i + 1 < n) b[n - 1] = (uint8_t)(a[n - 1] - 1); /* the first difference counts */
                assert_int_equal(sign(own_memcmp(a, b, n)), sign(memcmp(a, b, n)));
                assert_int_equal(sign(own_memcmp(b, a, n)), sign(memcmp(b, a, n)));
                assert_true(own_bcmp(a, b, n) != 0);
                b[i] = a[i];
                b[n - 1] = a[n - 1];
            }
        }
    }
    give_back(left);
    give_back(right);
}

/* Bytes that differ from what is sought by one bit, or by a borrow, are not it; the first one is. */
static void finds_the_first(void **state) {
    (void)state;
    static const uint8_t sought[] = {0, 1, '\n', 0x7F, 0x80, 0xFF};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = take_page();
    for (size_t k = 0; k < COUNT_OF(sought); k++) {
        for (unsigned other = 0; other < 256; other++) {
            if (other == sought[k]) continue;
            for (size_t n = 0; n <= 40; n++) {
                uint8_t *text = at + page - n;
                memset(text, (int)other, n);
                assert_null(own_memchr(text, sought[k], n));
                for (size_t i = n; i-- > 0;) {
                    text[i] = sought[k];
                    assert_ptr_equal(own_memchr(text, sought[k] + 256, n), text + i);
                }
            }
        }
    }
    give_back(at);
}

/* libc's own strnlen, printf and strstr ask for more bytes than there are: what lies behind the first one that is sought isn't read. */
static void reads_no_further_than_what_it_finds(void **state) {
    (void)state;
    static const size_t most[] = {41, 64, 4096, INT_MAX, SIZE_MAX / 2};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = take_page();
    memset(at, 'x', page);
    at[page - 1] = '\0';
    for (size_t k = 0; k < COUNT_OF(most); k++) {
        for (size_t n = 1; n <= 40; n++)
            assert_ptr_equal(own_memchr(at + page - n, '\0', most[k]), at + page - 1);
    }
    give_back(at);
}

#define ROW(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
    ROW(copies_what_it_is_told), ROW(moves_what_overlaps), ROW(sets_what_it_is_told),
    ROW(compares_as_libc_does),  ROW(finds_the_first),     ROW(reads_no_further_than_what_it_finds),
};

CHECK_MAIN(tests)

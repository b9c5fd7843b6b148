/*
 * memcpy, memmove, memset, memcmp and memchr of what is deployed, 16 or 8 bytes at a time. zig makes its libc as small as the rest is
 * (-Oz), and these go byte by byte then: 3 GB/s where the machine has 20, in each copy of an event, a reply or a record of TLS. Compiled with
 * -fno-builtin, or they would be made of calls to themselves. No byte before or behind the given ones is read.
 *
 * Weak, so that a program that brings its own is linked with those; and none of them calls another, which may be the program's, made of this
 * one. Elsewhere the system's libc has better ones: this file is in no other build, but for its test.
 */
#include <stddef.h>
#include <stdint.h>

#ifndef LATCH_BYTES
#define LATCH_BYTES(name) name /* the test's have other names */
#endif

#define WEAK __attribute__((weak))
WEAK void *LATCH_BYTES(memcpy)(void *restrict to, const void *restrict from, size_t n);
WEAK void *LATCH_BYTES(memmove)(void *to, const void *from, size_t n);
WEAK void *LATCH_BYTES(memset)(void *to, int byte, size_t n);
WEAK int LATCH_BYTES(memcmp)(const void *left, const void *right, size_t n);
WEAK int LATCH_BYTES(bcmp)(const void *left, const void *right, size_t n);
WEAK void *LATCH_BYTES(memchr)(const void *in, int byte, size_t n);

/* Anywhere, and whatever is stored there. */
typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word __attribute__((aligned(1), may_alias));
typedef uint32_t half __attribute__((aligned(1), may_alias));

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Both ends at once, which may overlap, so that 8 to 16 bytes are two words. All is read before anything is written. */
static void move_few(uint8_t *to, const uint8_t *from, size_t n) {
    if (n >= 8) {
        word first = *(const word *)from, last = *(const word *)(from + n - 8);
        *(word *)to = first;
        *(word *)(to + n - 8) = last;
    } else if (n >= 4) {
        half first = *(const half *)from, last = *(const half *)(from + n - 4);
        *(half *)to = first;
        *(half *)(to + n - 4) = last;
    } else if (n > 0) {
        uint8_t first = from[0], middle = from[n / 2], last = from[n - 1];
        to[0] = first;
        to[n / 2] = middle;
        to[n - 1] = last;
    }
}

/* What an earlier step writes, no later step reads: upwards to lower addresses, downwards to higher ones. The odd end is read first. */
static void *move(void *to, const void *from, size_t n) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (n < 16) {
        move_few(out, in, n);
    } else if ((uintptr_t)out - (uintptr_t)in >= n) {
        block last = *(const block *)(in + n - 16);
        for (size_t i = 0; i < n - 16; i += 16)
            *(block *)(out + i) = *(const block *)(in + i);
        *(block *)(out + n - 16) = last;
    } else {
        block first = *(const block *)in;
        for (size_t i = n; i > 16; i -= 16)
            *(block *)(out + i - 16) = *(const block *)(in + i - 16);
        *(block *)out = first;
    }
    return to;
}

void *LATCH_BYTES(memmove)(void *to, const void *from, size_t n) { return move(to, from, n); }
void *LATCH_BYTES(memcpy)(void *restrict to, const void *restrict from, size_t n) { return move(to, from, n); }

void *LATCH_BYTES(memset)(void *to, int byte, size_t n) {
    uint8_t *out = to;
    uint64_t eight = ONES * (uint8_t)byte;
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)byte;
        return to;
    }
    for (size_t i = 0; i < n - 8; i += 8)
        *(word *)(out + i) = eight;
    *(word *)(out + n - 8) = eight;
    return to;
}

static int compare(const void *left, const void *right, size_t n) {
    const uint8_t *a = left, *b = right;
    for (; n >= 8 && *(const word *)a == *(const word *)b; n -= 8)
        a += 8, b += 8;
    for (; n > 0; n--, a++, b++) {
        if (*a != *b) return *a - *b;
    }
    return 0;
}

int LATCH_BYTES(memcmp)(const void *left, const void *right, size_t n) { return compare(left, right, n); }
int LATCH_BYTES(bcmp)(const void *left, const void *right, size_t n) { return compare(left, right, n); }

/*
 * A word has a zero byte where taking one from each borrows from a byte's high bit that wasn't set; x ^ byte makes `byte` zero. Only aligned
 * words are read, which lie in one page each: libc's strnlen and strstr give an `n` that goes beyond the text's end, and with it beyond its page.
 */
void *LATCH_BYTES(memchr)(const void *in, int byte, size_t n) {
    const uint8_t *at = in;
    for (; n > 0 && (uintptr_t)at % sizeof(word) != 0; n--, at++) {
        if (*at == (uint8_t)byte) return (void *)(uintptr_t)at;
    }
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t x = *(const word *)at ^ ONES * (uint8_t)byte;
        if (((x - ONES) & ~x & HIGHS) != 0) break;
    }
    for (; n > 0; n--, at++) {
        if (*at == (uint8_t)byte) return (void *)(uintptr_t)at;
    }
    return NULL;
}

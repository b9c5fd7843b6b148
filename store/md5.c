#include "store/md5.h"

#include <string.h>

#define BLOCK_BYTES ((size_t)64)

/* RFC 1321, 3.4: the whole part of 2^32 × |sin(i + 1)|. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static uint32_t rotated(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

static uint32_t mixed(unsigned round, uint32_t b, uint32_t c, uint32_t d) {
    if (round == 0) return (b & c) | (~b & d);
    if (round == 1) return (b & d) | (c & ~d);
    if (round == 2) return b ^ c ^ d;
    return c ^ (b | ~d);
}

static void add_block(uint32_t state[4], const uint8_t *block) {
    static const uint8_t shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint8_t steps[4] = {1, 5, 3, 7}, starts[4] = {0, 1, 5, 0}; /* which word comes when */
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    memcpy(words, block, sizeof words); /* little-endian, as this machine: core/text.c asserts it */
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16;
        uint32_t next = a + mixed(round, b, c, d) + sines[i] + words[(starts[round] + steps[round] * i) % 16];
        a = d, d = c, c = b;
        b += rotated(next, shifts[round][i % 4]);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

void latch_md5(latch_str text, uint8_t out[LATCH_MD5_BYTES]) {
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t tail[2 * BLOCK_BYTES] = {0};
    size_t whole = text.len / BLOCK_BYTES, left = text.len % BLOCK_BYTES, tail_len = left < 56 ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)text.len * 8;
    for (size_t i = 0; i < whole; i++)
        add_block(state, (const uint8_t *)text.ptr + i * BLOCK_BYTES);
    if (left > 0) memcpy(tail, text.ptr + whole * BLOCK_BYTES, left);
    tail[left] = 0x80;
    memcpy(tail + tail_len - sizeof bits, &bits, sizeof bits);
    for (size_t i = 0; i < tail_len; i += BLOCK_BYTES)
        add_block(state, tail + i);
    memcpy(out, state, sizeof state);
}

void latch_md5_hex(latch_str text, char out[LATCH_MD5_HEX_BYTES]) {
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[LATCH_MD5_BYTES];
    latch_md5(text, bytes);
    for (size_t i = 0; i < LATCH_MD5_BYTES; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[2 * LATCH_MD5_BYTES] = '\0';
}

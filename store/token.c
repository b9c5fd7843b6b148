#include "store/token.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

latch_str latch_token_write(latch_arena *arena, latch_str bytes) {
    char *text = bytes.len < SIZE_MAX / 2 ? latch_arena_alloc(arena, bytes.len / 3 * 4 + 5) : NULL;
    size_t len = 0;
    if (text == NULL) return (latch_str){NULL, 0};
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t have = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t triple = 0;
        for (size_t i = 0; i < 3; i++)
            triple = triple << 8 | (i < have ? (unsigned char)bytes.ptr[at + i] : 0u);
        for (size_t i = 0; i <= have; i++)
            text[len++] = alphabet[triple >> (18 - 6 * i) & 63];
    }
    text[len] = '\0';
    return (latch_str){text, len};
}

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool latch_token_read(latch_arena *arena, latch_str text, latch_str *bytes, bool *full) {
    uint32_t bits = 0;
    size_t len = 0;
    char *to = text.len < SIZE_MAX / 2 ? latch_arena_alloc(arena, text.len) : NULL;
    *bytes = (latch_str){to, 0};
    *full = to == NULL;
    if (to == NULL || text.len % 4 == 1) return false;
    for (size_t i = 0; i < text.len; i++) {
        int six = sextet(text.ptr[i]);
        if (six < 0) return false;
        bits = bits << 6 | (uint32_t)six;
        if (i % 4 == 0) continue;
        to[len++] = (char)(unsigned char)(bits >> (6 - 2 * (i % 4)) & 0xFF);
    }
    bytes->len = len;
    return (bits & (text.len % 4 == 2 ? 15u : text.len % 4 == 3 ? 3u : 0u)) == 0; /* what isn't part of a byte is 0 */
}

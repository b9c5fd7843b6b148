#include "runtime/coding.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63; -1 for what is no digit of base64. */
static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four, of which the last `padding` are '='. */
static bool decode_group(const char *four, size_t padding, char *to) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? sextet(four[i]) : 0;
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3 - padding; i++)
        to[i] = (char)(unsigned char)(bits >> (16 - 8 * i));
    return true;
}

bool latch_base64_decode(latch_arena *arena, latch_str text, latch_str *out) {
    *out = (latch_str){"", 0};
    if (text.len == 0) return true;
    if (text.len % 4 != 0) return false;
    size_t padding = text.ptr[text.len - 1] != '=' ? 0 : text.ptr[text.len - 2] != '=' ? 1 : 2;
    char *bytes = latch_arena_alloc(arena, text.len / 4 * 3);
    *out = (latch_str){bytes, 0};
    if (bytes == NULL) return true;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        if (!decode_group(text.ptr + i, last ? padding : 0, bytes + out->len)) return false;
        out->len += last ? 3 - padding : 3;
    }
    return true;
}

latch_str latch_base64_encode(latch_arena *arena, latch_str bytes) {
    if (bytes.len > SIZE_MAX / 2) return (latch_str){NULL, 0};
    size_t len = (bytes.len + 2) / 3 * 4;
    char *text = latch_arena_alloc(arena, len + 1), *to = text;
    if (text == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < bytes.len; i += 3, to += 4) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)bytes.ptr[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            to[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
    return (latch_str){text, len};
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that begins at *i, behind which *i then is. */
static char next_byte(latch_str text, size_t *i, bool plus) {
    size_t at = *i;
    char c = text.ptr[at];
    bool escape = c == '%' && text.len - at > 2 && hex(text.ptr[at + 1]) >= 0 && hex(text.ptr[at + 2]) >= 0;
    *i += escape ? 3 : 1;
    if (escape) return (char)(hex(text.ptr[at + 1]) << 4 | hex(text.ptr[at + 2]));
    return plus && c == '+' ? (char)' ' : c;
}

latch_str latch_percent_decode(latch_arena *arena, latch_str text, bool plus) {
    bool plain = text.len == 0 || (memchr(text.ptr, '%', text.len) == NULL && (!plus || memchr(text.ptr, '+', text.len) == NULL));
    if (plain) return text.len > 0 ? text : LATCH_STR("");
    char *to = latch_arena_alloc(arena, text.len);
    size_t n = 0;
    if (to == NULL) return (latch_str){NULL, 0};
    for (size_t i = 0; i < text.len;)
        to[n++] = next_byte(text, &i, plus);
    return (latch_str){to, n};
}

bool latch_percent_is(latch_str text, bool plus, latch_str decoded) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; n++) {
        if (n == decoded.len || next_byte(text, &i, plus) != decoded.ptr[n]) return false;
    }
    return n == decoded.len;
}

static bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

size_t latch_percent_encode(char *to, size_t cap, latch_str text) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char as[3] = {text.ptr[i], digits[c >> 4], digits[c & 15]};
        size_t len = is_unreserved(as[0]) ? 1 : 3;
        if (len == 3) as[0] = '%';
        for (size_t k = 0; k < len; k++, n++) {
            if (n < cap) to[n] = as[k];
        }
    }
    return n;
}

#include "core/coding.h"

#include <string.h>

/* ── base64 ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63; -1 for what is no digit of base64. */
static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding_of(latch_str text) {
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    return padding;
}

bool latch_base64_is(latch_str text, size_t *bytes) {
    size_t padding = padding_of(text);
    *bytes = 0;
    if (text.len % 4 != 0) return false;
    for (size_t i = 0; i < text.len - padding; i++) {
        if (sextet(text.ptr[i]) < 0) return false;
    }
    *bytes = text.len / 4 * 3 - padding;
    return true;
}

bool latch_base64_read(latch_str text, char *out, size_t *bytes) {
    size_t padding = padding_of(text);
    char *to = out;
    *bytes = 0;
    if (text.len % 4 != 0) return false;
    for (size_t at = 0; at < text.len; at += 4) {
        size_t absent = at + 4 == text.len ? padding : 0;
        uint32_t quad = 0;
        for (size_t i = 0; i < 4; i++) {
            int six = i < 4 - absent ? sextet(text.ptr[at + i]) : 0;
            if (six < 0) return false;
            quad = quad << 6 | (uint32_t)six;
        }
        for (size_t i = 0; i < 3 - absent; i++)
            *to++ = (char)(unsigned char)(quad >> (16 - 8 * i) & 0xFF);
    }
    *bytes = (size_t)(to - out);
    return true;
}

void latch_base64_write(latch_str bytes, char *out) {
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t have = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t triple = 0;
        for (size_t i = 0; i < 3; i++)
            triple = triple << 8 | (i < have ? (unsigned char)bytes.ptr[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            *out++ = i <= have ? alphabet[triple >> (18 - 6 * i) & 63] : '=';
    }
}

bool latch_base64_decode(latch_arena *arena, latch_str text, latch_str *out) {
    *out = (latch_str){"", 0};
    if (text.len == 0) return true;
    char *bytes = latch_arena_alloc(arena, text.len / 4 * 3);
    *out = (latch_str){bytes, 0};
    return bytes == NULL || latch_base64_read(text, bytes, &out->len);
}

latch_str latch_base64_encode(latch_arena *arena, latch_str bytes) {
    if (bytes.len > SIZE_MAX / 2) return (latch_str){NULL, 0};
    size_t len = latch_base64_bytes(bytes.len);
    char *text = latch_arena_alloc(arena, len + 1);
    if (text == NULL) return (latch_str){NULL, 0};
    latch_base64_write(bytes, text);
    return (latch_str){text, len};
}

/* ── percent-encoding ────────────────────────────────────────────────────────────────────────────────────────────── */

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

size_t latch_percent_read(latch_str text, bool plus, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.len;)
        out[n++] = next_byte(text, &i, plus);
    return n;
}

latch_str latch_percent_decode(latch_arena *arena, latch_str text, bool plus) {
    bool plain = text.len == 0 || (memchr(text.ptr, '%', text.len) == NULL && (!plus || memchr(text.ptr, '+', text.len) == NULL));
    if (plain) return text.len > 0 ? text : LATCH_STR("");
    char *to = latch_arena_alloc(arena, text.len);
    if (to == NULL) return (latch_str){NULL, 0};
    return (latch_str){to, latch_percent_read(text, plus, to)};
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

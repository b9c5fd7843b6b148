#include "store/embedded/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bits that padding leaves over may be anything: DynamoDB drops them too. */
bool latch_base64_read(latch_str text, char *out, size_t *bytes) {
    size_t padding = 0;
    char *to = out;
    *bytes = 0;
    if (text.len % 4 != 0) return false;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
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

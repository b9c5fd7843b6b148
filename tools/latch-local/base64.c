#include "base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void latch_base64_encode(latch_buffer *out, latch_str bytes) {
    latch_buffer_reserve(out, bytes.len / 3 * 4 + 4);
    latch_buffer_add(out, "", 0);
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t b[3] = {0};
        for (size_t k = 0; k < 3 && k < left; k++)
            b[k] = (unsigned char)bytes.ptr[i + k];
        uint32_t v = b[0] << 16 | b[1] << 8 | b[2];
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63], left > 1 ? letters[v >> 6 & 63] : '=', left > 2 ? letters[v & 63] : '='};
        latch_buffer_add(out, four, 4);
    }
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool latch_base64_decode(latch_buffer *out, latch_str text) {
    uint32_t bits = 0, count = 0;
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    if (text.len % 4 == 1) return false;
    latch_buffer_reserve(out, text.len / 4 * 3 + 3);
    latch_buffer_add(out, "", 0);
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        char byte = (char)(bits >> count & 0xFF);
        latch_buffer_add(out, &byte, 1);
    }
    return true;
}

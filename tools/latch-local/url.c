#include "url.h"

#include <string.h>

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void latch_url_decode(latch_buffer *out, latch_str s, bool plus_is_space) {
    latch_buffer_reserve(out, s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i] == '+' && plus_is_space ? ' ' : s.ptr[i];
        bool escaped = c == '%' && i + 2 < s.len && hex(s.ptr[i + 1]) >= 0 && hex(s.ptr[i + 2]) >= 0;
        if (escaped) {
            c = (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2]));
            i += 2;
        }
        latch_buffer_add(out, &c, 1);
    }
}

bool latch_url_next(latch_str *rest, char separator, latch_str *out) {
    if (rest->ptr == NULL) return false;
    const char *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    *out = (latch_str){rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len};
    *rest = at != NULL ? (latch_str){at + 1, rest->len - out->len - 1} : (latch_str){0};
    return true;
}

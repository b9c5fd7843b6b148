#include "url.h"

#include <string.h>

#include "core/coding.h"

void latch_url_decode(latch_buffer *out, latch_str s, bool plus_is_space) {
    latch_buffer_reserve(out, s.len);
    out->len += latch_percent_read(s, plus_is_space, out->ptr + out->len);
    latch_buffer_add(out, "", 0);
}

bool latch_url_next(latch_str *rest, char separator, latch_str *out) {
    if (rest->ptr == NULL) return false;
    const char *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    *out = (latch_str){rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len};
    *rest = at != NULL ? (latch_str){at + 1, rest->len - out->len - 1} : (latch_str){0};
    return true;
}

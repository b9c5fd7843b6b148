#include "base64.h"

#include "core/coding.h"

void latch_base64_put(latch_buffer *out, latch_str bytes) {
    latch_buffer_reserve(out, latch_base64_bytes(bytes.len));
    latch_base64_write(bytes, out->ptr + out->len);
    out->len += latch_base64_bytes(bytes.len);
    latch_buffer_add(out, "", 0);
}

bool latch_base64_take(latch_buffer *out, latch_str text) {
    size_t bytes;
    latch_buffer_reserve(out, text.len);
    bool ok = latch_base64_read(text, out->ptr + out->len, &bytes);
    out->len += bytes;
    latch_buffer_add(out, "", 0);
    return ok;
}

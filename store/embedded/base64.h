/* store/embedded/base64.h - RFC 4648's base64, padded, as binary attributes have it. */
#ifndef LATCH_STORE_EMBEDDED_BASE64_H
#define LATCH_STORE_EMBEDDED_BASE64_H

#include "core/words.h"

/* `out` has room for text.len / 4 * 3 bytes. False: no base64 (a foreign character, blanks, missing padding). */
bool latch_base64_read(latch_str text, char *out, size_t *bytes);

static inline size_t latch_base64_bytes(size_t bytes) { return (bytes + 2) / 3 * 4; } /* of the text */
void latch_base64_write(latch_str bytes, char *out);                                  /* no NUL */

#endif

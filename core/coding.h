/* core/coding.h - bytes wrapped in text, as events, paths and binary attributes have them: base64 and percent-encoding. */
#ifndef LATCH_CORE_CODING_H
#define LATCH_CORE_CODING_H

#include "core/arena.h"

/*
 * RFC 4648, section 4: whole groups of four, padded, nothing between them; whatever the bits are that padding leaves over.
 * `out` of read has room for text.len / 4 * 3 bytes, and of write for latch_base64_bytes, without a NUL.
 */
bool latch_base64_is(latch_str text, size_t *bytes); /* false: it is none; else how many it has */
bool latch_base64_read(latch_str text, char *out, size_t *bytes);
static inline size_t latch_base64_bytes(size_t bytes) { return (bytes + 2) / 3 * 4; } /* of the text */
void latch_base64_write(latch_str bytes, char *out);

/* The same, in the arena: ptr is NULL when it is full. False: it is none. */
LATCH_NODISCARD bool latch_base64_decode(latch_arena *arena, latch_str text, latch_str *out);
LATCH_NODISCARD latch_str latch_base64_encode(latch_arena *arena, latch_str bytes);

/* %41 is 'A'; a '%' that begins no escape stays. `plus`: a '+' is a space. ptr is NULL when the arena is full. */
LATCH_NODISCARD latch_str latch_percent_decode(latch_arena *arena, latch_str text, bool plus);
size_t latch_percent_read(latch_str text, bool plus, char *out); /* into as many bytes as the text has; how many it came to */

/* Whether it would decode to `decoded`; needs no memory. */
bool latch_percent_is(latch_str text, bool plus, latch_str decoded);

/* All but RFC 3986's unreserved bytes, into `to`, at most `cap` bytes; what it would be long. */
size_t latch_percent_encode(char *to, size_t cap, latch_str text);

#endif

/* runtime/coding.h - what events and paths are wrapped in: base64 and percent-encoding. */
#ifndef LATCH_RUNTIME_CODING_H
#define LATCH_RUNTIME_CODING_H

#include "core/arena.h"

/* RFC 4648, section 4: whole groups of four, padded, nothing between them. False: it is none. *out's ptr is NULL when the arena is full. */
LATCH_NODISCARD bool latch_base64_decode(latch_arena *arena, latch_str text, latch_str *out);
LATCH_NODISCARD latch_str latch_base64_encode(latch_arena *arena, latch_str bytes); /* ptr is NULL when the arena is full */

/* %41 is 'A'; a '%' that begins no escape stays. `plus`: a '+' is a space. ptr is NULL when the arena is full. */
LATCH_NODISCARD latch_str latch_percent_decode(latch_arena *arena, latch_str text, bool plus);

/* Whether it would decode to `decoded`; needs no memory. */
bool latch_percent_is(latch_str text, bool plus, latch_str decoded);

/* All but RFC 3986's unreserved bytes, into `to`, at most `cap` bytes; what it would be long. */
size_t latch_percent_encode(char *to, size_t cap, latch_str text);

#endif

/* store/token.h - bytes as text that goes into an address as it is: base64 with - and _, without padding (RFC 4648, 5). */
#ifndef LATCH_STORE_TOKEN_H
#define LATCH_STORE_TOKEN_H

#include "core/arena.h"

LATCH_NODISCARD latch_str latch_token_write(latch_arena *arena, latch_str bytes); /* ptr is NULL when it doesn't fit */

/* Exactly what latch_token_write gave. False: it is nothing of the kind, or doesn't fit, and then *full. */
LATCH_NODISCARD bool latch_token_read(latch_arena *arena, latch_str text, latch_str *bytes, bool *full);

#endif

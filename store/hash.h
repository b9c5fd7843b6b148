/* store/hash.h - what tells one payload from another: a hash of its canonical text. */
#ifndef LATCH_STORE_HASH_H
#define LATCH_STORE_HASH_H

#include "core/json.h"

#define LATCH_HASH_BYTES 65 /* 64 hex digits and a NUL */

/*
 * SHA-256, in hex, of the JSON text without spaces, with each object's members in the order of their names' bytes: {"b":1,"a":[2.50]} and
 * { "a": [2.50], "b": 1 } are one payload. Strings are escaped as little as JSON allows; numbers are as core/json.h writes them.
 * LATCH_NULL is null. The arena is as before, but for an error's: LATCH_E_NOMEM, LATCH_E_MISUSE where the value could not be built.
 */
LATCH_NODISCARD latch_status latch_hash_json(latch_ctx *cx, latch_json v, char out[LATCH_HASH_BYTES]) __attribute__((nonnull(1)));

#endif

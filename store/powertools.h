/*
 * store/powertools.h - the text that AWS Lambda Powertools' idempotency hashes, in Python and in TypeScript, and its hashes. For store/once.c,
 * where it shares a table with them.
 *
 * Python       json.dumps(v, sort_keys=True): a blank after , and :, ASCII alone, names in the order of their characters, floats as repr
 *              writes them (1.0, 1e+16, 1e-05); MD5 in hex
 * TypeScript   JSON.stringify of the value with all names sorted, upper and lower case alike: no blanks, UTF-8, numbers as JavaScript writes
 *              them (1, 1e+21, 1e-7), whole ones that a double doesn't hold rounded to one that it does; MD5 in base64
 *
 * Of a name that an object has twice the last counts. In TypeScript's order capital letters of Latin, Greek and Cyrillic are small ones, as
 * far as Unicode's blocks up to U+04FF go; other alphabets' stay capitals, which matters where an object has both.
 *
 * Source: aws-lambda-powertools 3.37.0 (Python), @aws-lambda-powertools/idempotency 2.35.0, as run: tests/store/vectors/powertools.tsv.
 */
#ifndef LATCH_STORE_POWERTOOLS_H
#define LATCH_STORE_POWERTOOLS_H

#include "core/json.h"
#include "core/text.h"
#include "store/once.h"

#define LATCH_POWERTOOLS_HASH_BYTES 33 /* 32 hex digits, or 24 characters of base64, and a NUL */

void latch_powertools_put(latch_text_writer *t, latch_powertools_flavour flavour, latch_json v);

/* The arena is as before, but for an error's: LATCH_E_NOMEM, LATCH_E_MISUSE where the value could not be built. */
LATCH_NODISCARD latch_status latch_powertools_hash(latch_ctx *cx, latch_powertools_flavour flavour, latch_json v,
                                                   char out[LATCH_POWERTOOLS_HASH_BYTES]) __attribute__((nonnull(1)));

#endif

/* store/embedded/hash.h - SipHash-1-3 with a secret seed: nobody can choose keys that meet. */
#ifndef LATCH_STORE_EMBEDDED_HASH_H
#define LATCH_STORE_EMBEDDED_HASH_H

#include "store/embedded/value.h"

uint64_t latch_siphash_bytes(uint64_t seed, latch_str bytes);
uint64_t latch_siphash_key(uint64_t seed, const latch_av *key); /* of an S, N or B; 1 and 1.0 are one number */
uint64_t latch_siphash_json(uint64_t seed, yyjson_val *json);   /* members in any order; at most 128 levels are looked at */

#endif

/*
 * store/canon.h - one text for a JSON value however it was written: what set elements are compared by, and what the model's md5 is of.
 */
#ifndef LATCH_STORE_CANON_H
#define LATCH_STORE_CANON_H

#include "core/json.h"
#include "core/text.h"
#include "store/md5.h"

/*
 * Compact JSON as JavaScript writes it, with each object's members in the order of the model's deepSort: names that are array indices by
 * value, then the others as localeCompare has them (of ASCII; what isn't comes behind, by its bytes). Numbers by value: 1, 1.0 and 1e0 are
 * one text; what a double can't hold keeps all of its digits, where JavaScript would round it. LATCH_E_NOMEM, LATCH_E_MISUSE.
 */
LATCH_NODISCARD latch_status latch_canon_text(latch_ctx *cx, latch_json v, latch_str *out) LATCH_NONNULL;

/* The hex MD5 of that. The arena is as before. */
LATCH_NODISCARD latch_status latch_canon_md5(latch_ctx *cx, latch_json v, char out[LATCH_MD5_HEX_BYTES]) __attribute__((nonnull(1, 3)));

#endif

/* handlers/catalogue.h - what the shop sells: read through the cache, loaded once per sku by whoever asks first. */
#ifndef HANDLERS_CATALOGUE_H
#define HANDLERS_CATALOGUE_H

#include "latch.h"

/* {"sku", "name", "price_cents"}; LATCH_MISSING: no such product, which is remembered for a while too. */
LATCH_NODISCARD latch_status catalogue_get(latch_ctx *cx, latch_str sku, latch_json *product);

/* Drops every product from the cache, so that the next reader loads it anew; tells how many there are. */
LATCH_NODISCARD latch_status catalogue_refresh(latch_ctx *cx, int64_t *count);

#endif

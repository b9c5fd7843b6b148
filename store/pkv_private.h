/* store/pkv_private.h - what store/sets.c has from store/pkv.c: one item's requests, and what a write of a value writes. */
#ifndef LATCH_STORE_PKV_PRIVATE_H
#define LATCH_STORE_PKV_PRIVATE_H

#include "store/canon.h"
#include "store/keyed.h"

/* Of UpdateItem, so that what others keep in the item stays. */
static const char latch_pkv_update[] = "SET #data = :data, #md5 = :md5, #ver = :ver";

typedef struct latch_pkv_write {
    latch_str data, ver;
    char md5[LATCH_MD5_HEX_BYTES];
} latch_pkv_write;

latch_keyed latch_pkv_keyed(const latch_pkv *pkv);

/* `r` has what to do; where, and until when, is put here. */
LATCH_NODISCARD latch_status latch_pkv_call(latch_ctx *cx, const latch_pkv *pkv, const latch_keyed_item *item, latch_request *r,
                                            latch_json *out);

#endif

/*
 * store/md5.h - MD5 (RFC 1321), for tables that others write: their keys and fingerprints are made with it. Never for secrets, nor to keep
 * anybody out. The packaged OpenSSL has none.
 */
#ifndef LATCH_STORE_MD5_H
#define LATCH_STORE_MD5_H

#include "core/words.h"

#define LATCH_MD5_BYTES 16
#define LATCH_MD5_HEX_BYTES 33 /* 32 hex digits and a NUL */

void latch_md5(latch_str text, uint8_t out[LATCH_MD5_BYTES]);
void latch_md5_hex(latch_str text, char out[LATCH_MD5_HEX_BYTES]);

#endif

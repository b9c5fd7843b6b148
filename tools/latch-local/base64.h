/* base64.h - RFC 4648, section 4: with padding, without line breaks. */
#ifndef LATCH_LOCAL_BASE64_H
#define LATCH_LOCAL_BASE64_H

#include "buffer.h"

void latch_base64_encode(latch_buffer *out, latch_str bytes);
bool latch_base64_decode(latch_buffer *out, latch_str text); /* false: it is none; padding may be missing */

#endif

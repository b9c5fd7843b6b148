/* base64.h - core/coding's base64, at the end of a buffer. */
#ifndef LATCH_LOCAL_BASE64_H
#define LATCH_LOCAL_BASE64_H

#include "buffer.h"

void latch_base64_put(latch_buffer *out, latch_str bytes);
bool latch_base64_take(latch_buffer *out, latch_str text); /* false: it is none, and nothing is added */

#endif

/* url.h - percent-encoding, for request paths and queries. */
#ifndef LATCH_LOCAL_URL_H
#define LATCH_LOCAL_URL_H

#include "buffer.h"

/* Appends `s` decoded, '+' as a space where asked for. A % without two hex digits stays as it is. */
void latch_url_decode(latch_buffer *out, latch_str s, bool plus_is_space);

/* Everything up to `separator`, which is taken off *rest too. False at the end. */
bool latch_url_next(latch_str *rest, char separator, latch_str *out);

#endif

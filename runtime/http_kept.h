/* runtime/http_kept.h - a reply as JSON, to be given again. For compose/once_event.c, and http_event.c what it counts. */
#ifndef LATCH_RUNTIME_HTTP_KEPT_H
#define LATCH_RUNTIME_HTTP_KEPT_H

#include "runtime/http_event.h"

size_t latch_http_cookies_set(const latch_http *http); /* for the reply */

/* {"statusCode", "headers", "cookies", "body", "isBase64Encoded"}, as HTTP APIs have it, without the first `cookies_before` cookies. */
latch_json latch_http_keep(latch_http *http, size_t cookies_before);

/* Replies what was kept; a header that is set already stays. LATCH_E_DATA: it is no such object. */
LATCH_NODISCARD latch_status latch_http_restore(latch_http *http, latch_json kept);

#endif

/* core/http_private.h - what is the same for everything that has libcurl make its connections: core/http and store/dynamodb/connection. */
#ifndef LATCH_CORE_HTTP_PRIVATE_H
#define LATCH_CORE_HTTP_PRIVATE_H

#include "core/words.h"

/* Whether a proxy may be asked for it: never for loopback and link-local addresses, AWS's fd00:ec2::/32 among
 * them. *is_url: false where it is no URL. */
bool latch_http_may_use_proxy(const char *url, bool *is_url) LATCH_NONNULL;

/* The system's bundle of certificates, where distributions keep it. NULL: it isn't there, and libcurl's own default holds. */
const char *latch_http_system_bundle(void);

/* Why it failed: libcurl's detail, which CURLOPT_ERRORBUFFER took, or its general words for `code`, a CURLcode. No secret is in them. */
const char *latch_http_reason(unsigned code, const char *detail) LATCH_NONNULL;

#endif

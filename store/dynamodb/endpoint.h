/* store/dynamodb/endpoint.h - URLs of DynamoDB: a given one taken apart and checked, and AWS's own made from a region. Knows no environment. */
#ifndef LATCH_STORE_DYNAMODB_ENDPOINT_H
#define LATCH_STORE_DYNAMODB_ENDPOINT_H

#include "core/arena.h"
#include "core/status.h"

#define LATCH_ENDPOINT_HOST_MAX 253 /* bytes of a name: RFC 1035 */

typedef struct latch_endpoint {
    const char *url;  /* "http://[::1]:8000": as settings.h has it */
    const char *host; /* "[::1]:8000" */
    bool tls;
    bool loopback;     /* localhost, names below it, 127.0.0.0/8, ::1 */
    bool aws;          /* a host of DynamoDB's below a suffix of AWS's, by https */
    bool amazon_roots; /* whose certificate one of Amazon's roots signs */
} latch_endpoint;

/*
 * `what` ("AWS_ENDPOINT_URL") begins a message. Names are ASCII, and are told in lower case; a port that is the scheme's own is left out.
 * LATCH_E_MISUSE: another scheme, user or password, path, query, a port that is none, a host that is none. A message shows no URL that may have
 * a secret in it. LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_endpoint_parse(latch_arena *arena, const char *what, latch_str url, latch_endpoint *out, latch_err *err);

typedef struct latch_endpoint_kind {
    bool fips, dualstack;
    latch_str account_id; /* empty: the region's */
} latch_endpoint_kind;

/*
 * AWS's own. `region` is one (latch_endpoint_is_region). LATCH_E_MISUSE: an account's endpoint with FIPS, or in a partition that has none
 * (latch_endpoint_has_accounts), or an id that isn't 12 digits. LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_endpoint_of_region(latch_arena *arena, latch_str region, const latch_endpoint_kind *kind,
                                                      latch_endpoint *out, latch_err *err);
bool latch_endpoint_has_accounts(latch_str region);
bool latch_endpoint_is_region(latch_str s); /* a host label (RFC 1123) of small letters, digits and '-' */

#endif

/*
 * store/dynamodb/trust.h - whom a TLS connection to an endpoint trusts: the first of
 *
 *   settings.ca_file     AWS_CA_BUNDLE, the profile's ca_bundle, SSL_CERT_FILE: a proxy that opens TLS needs it
 *   Amazon's five roots  embedded, for AWS's endpoints under amazonaws.com and api.aws: nothing else needs to be parsed at the start
 *   the system's bundle  at its usual places, for every other endpoint, and for AWS's in China, in Europe's sovereign cloud and in the
 *                        isolated partitions, whose roots are others
 */
#ifndef LATCH_STORE_DYNAMODB_TRUST_H
#define LATCH_STORE_DYNAMODB_TRUST_H

#include "core/status.h"
#include "store/dynamodb/settings.h"

typedef struct latch_trust {
    const char *file; /* CURLOPT_CAINFO; as long as `settings` or the process; NULL: `pem` counts */
    latch_str pem;    /* CURLOPT_CAINFO_BLOB, of static memory; empty, and no file: libcurl's own default */
} latch_trust;

/* For an endpoint without TLS: nothing. LATCH_E_MISUSE: the file that ca_file names can't be read, and the message says why. */
LATCH_NODISCARD latch_status latch_trust_of(const latch_settings *settings, latch_trust *out, latch_err *err);

latch_str latch_trust_roots(void); /* the embedded roots, PEM; static */

#endif

/*
 * store/dynamodb/settings.h - where DynamoDB is: endpoint and region, from options, the environment and the profile.
 *
 *   endpoint   AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL (neither where AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), DYNAMODB_LOCAL_ENDPOINT
 *              (off real Lambda only; the word `local`, or NODE_ENV=development without it, means http://localhost:8000), the profile's
 *              endpoint_url, else the region's https://dynamodb.REGION.amazonaws.com (the partition's suffix), or the account's where
 *              AWS_ACCOUNT_ID_ENDPOINT_MODE and the credentials' account id ask for it
 *   region     AWS_REGION, AWS_DEFAULT_REGION, the profile's; else LATCH_E_MISUSE that names them. A local endpoint needs none: us-east-1
 */
#ifndef LATCH_STORE_DYNAMODB_SETTINGS_H
#define LATCH_STORE_DYNAMODB_SETTINGS_H

#include "core/ctx.h"

typedef struct latch_settings {
    const char *region;
    const char *url;  /* "https://dynamodb.eu-west-1.amazonaws.com": scheme, host, port; no path but / */
    const char *host; /* the Host header: with the port where it isn't the scheme's own */
    bool tls;
    bool local;                 /* a local DynamoDB: credentials default to local/local */
    const char *ca_file;        /* AWS_CA_BUNDLE, SSL_CERT_FILE; NULL: Amazon's roots for AWS's endpoints, the system's bundle for others */
    bool aws;                   /* the endpoint is AWS's own */
    bool amazon_roots;          /* and its certificate is signed by one of Amazon's roots: not so in China and in isolated partitions */
    int64_t connect_timeout_ms; /* DYNAMODB_CONNECTION_TIMEOUT; 5 000 */
    const char *profile;        /* AWS_PROFILE, AWS_DEFAULT_PROFILE; "default" */
} latch_settings;

/* In the arena of cx: for as long as the process. LATCH_E_MISUSE: the message says what to set. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_settings_from_environment(latch_ctx *cx, latch_settings *out) LATCH_NONNULL;

#endif

/*
 * store/dynamodb/settings.h - where DynamoDB is: endpoint and region, from options, the environment and the profile.
 *
 *   endpoint   AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL (neither where AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true), DYNAMODB_LOCAL_ENDPOINT
 *              (off real Lambda only; the word `local`, or NODE_ENV=development without it, means http://localhost:8000), the profile's
 *              endpoint_url (that of its `services` section for dynamodb first), else the region's
 *              https://dynamodb.REGION.amazonaws.com (the partition's suffix), or the account's where AWS_ACCOUNT_ID_ENDPOINT_MODE and the
 *              credentials' account id ask for it
 *   region     AWS_REGION, AWS_DEFAULT_REGION, the profile's; else LATCH_E_MISUSE that names them. A local endpoint needs none: us-east-1
 *
 * AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT choose among the region's endpoints; with one that was given they are an error, as they
 * are in AWS's SDKs. An empty variable counts as unset. Real Lambda: AWS_LAMBDA_INITIALIZATION_TYPE is set, AWS_SAM_LOCAL isn't.
 * Sources: AWS SDKs and Tools Reference Guide; botocore's endpoint rules (its answers are compared in tests/dynamodb/test_settings.c).
 */
#ifndef LATCH_STORE_DYNAMODB_SETTINGS_H
#define LATCH_STORE_DYNAMODB_SETTINGS_H

#include "core/ctx.h"

typedef enum latch_account_mode { LATCH_ACCOUNT_DISABLED, LATCH_ACCOUNT_PREFERRED, LATCH_ACCOUNT_REQUIRED } latch_account_mode;

typedef struct latch_settings {
    const char *region;
    const char *url;  /* "https://dynamodb.eu-west-1.amazonaws.com": scheme, host, port; no path, no / at its end */
    const char *host; /* the Host header: with the port where it isn't the scheme's own */
    bool tls;
    bool local;                 /* a local DynamoDB: credentials default to local/local */
    const char *ca_file;        /* AWS_CA_BUNDLE, the profile's ca_bundle, SSL_CERT_FILE; NULL: see trust.h */
    bool aws;                   /* the endpoint is AWS's own */
    bool amazon_roots;          /* and its certificate is signed by one of Amazon's roots: not so in China and in isolated partitions */
    int64_t connect_timeout_ms; /* DYNAMODB_CONNECTION_TIMEOUT; 5 000 */
    const char *profile;        /* AWS_PROFILE, AWS_DEFAULT_PROFILE; "default" */
    bool profile_named;         /* by one of them or an option */
    latch_account_mode account; /* whether latch_settings_for_account has something to do; DISABLED where the endpoint was given */

    /* Whence, for `latch doctor`: a variable's name, a profile's key ("ca_bundle"), "the option region"; static. NULL: nobody said it. */
    const char *region_from, *endpoint_from, *ca_from;
} latch_settings;

typedef struct latch_settings_options { /* what is set here beats its variable */
    const char *endpoint;               /* a URL, or "local"; NULL: the environment's */
    const char *region;                 /* NULL: the environment's */
    const char *profile;                /* NULL: the environment's */
} latch_settings_options;

/* In the arena of cx: for as long as the process. LATCH_E_MISUSE: the message says what to set. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_settings_from_environment(latch_ctx *cx, latch_settings *out) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_settings_read(latch_ctx *cx, const latch_settings_options *options, latch_settings *out) LATCH_NONNULL;

/*
 * With the account id that the credentials came with (latch_keys.account_id): url and host become the account's, where AWS_ACCOUNT_ID_ENDPOINT_MODE
 * (preferred where it isn't set) allows that, and FIPS and partition too. For whoever opens the transport, before that. Repeating it does nothing.
 * LATCH_E_MISUSE: the account's endpoint is required, and there is no id, or it isn't 12 digits. LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_settings_for_account(latch_ctx *cx, latch_settings *settings, latch_str account_id) LATCH_NONNULL;

bool latch_settings_on_lambda(void); /* real Lambda, as above: SAM's containers and a desk are none */

#endif

/*
 * store/dynamodb/credentials.h - who signs. Never logged; wiped when they are replaced and at the end. The first source that has keys counts:
 *
 *   environment   AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (one without the other is an error), AWS_SESSION_TOKEN, AWS_ACCOUNT_ID
 *   profile       where AWS_PROFILE, AWS_DEFAULT_PROFILE or an option names one: its keys or its credential_process (profile.h)
 *   container     AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, else AWS_CONTAINER_CREDENTIALS_FULL_URI (container.h)
 *   profile       `default`, where none is named
 *   local/local   for a local DynamoDB (settings.local)
 *
 * Roles to assume, web identities and SSO are not supported: a profile or an environment that asks for them gets an error that says so, and what
 * to do instead. The instance's metadata service isn't asked.
 */
#ifndef LATCH_STORE_DYNAMODB_CREDENTIALS_H
#define LATCH_STORE_DYNAMODB_CREDENTIALS_H

#include "core/clock.h"
#include "store/dynamodb/settings.h"

#define LATCH_KEYS_EARLY_MS (15 * LATCH_MINUTE_MS) /* before they expire: new ones are fetched, the old ones are kept where that fails */
#define LATCH_KEYS_LATE_MS (10 * LATCH_MINUTE_MS)  /* before they expire: nothing is signed with them any more */
#define LATCH_KEYS_PAUSE_MS (30 * LATCH_SECOND_MS) /* between two tries that may fail */
#define LATCH_CONTAINER_MS (2 * LATCH_SECOND_MS)   /* a container's endpoint has answered by then */
#define LATCH_PROCESS_MS (30 * LATCH_SECOND_MS)    /* a credential_process has ended by then */

typedef struct latch_credentials latch_credentials; /* a source, and what it gave last */

typedef struct latch_keys { /* borrowed until latch_credentials_release */
    latch_str access_key_id, secret_access_key;
    latch_str session_token;    /* empty: none */
    latch_str account_id;       /* empty: not known */
    uint64_t generation;        /* never 0; changes with the keys: what was derived of older ones is of no use */
    struct latch_key_set *held; /* private */
} latch_keys;

/*
 * Looks at the environment and files; asks nobody. Nothing of `settings` is kept.
 * LATCH_E_DENIED: no source has keys; the message names those that were looked at. LATCH_E_MISUSE: a source is incomplete, can't be read or isn't
 * supported; the message says which, and what to do. LATCH_E_NOMEM. `*out` is NULL unless LATCH_OK.
 */
LATCH_NODISCARD latch_status latch_credentials_open(latch_credentials **out, const latch_settings *settings, latch_clock clock,
                                                    latch_err *err);
void latch_credentials_close(latch_credentials *c); /* NULL: nothing. Whatever was got of it is gone */

/*
 * The keys as they are good now; fetched anew LATCH_KEYS_EARLY_MS before they expire, LATCH_KEYS_LATE_MS before at the latest, by one thread
 * for all, within deadline_at_ms. Each get that succeeded is given back by latch_credentials_release: until then its bytes stay, also where
 * another thread's call replaces the keys; then the replaced ones are wiped.
 *
 * LATCH_E_DENIED   the source refuses, or gives none that can be used: the message says why and what to do
 * LATCH_E_TIMEOUT, LATCH_E_NETWORK   the source doesn't answer
 * LATCH_E_MISUSE   its answer isn't what AWS's containers and processes answer; LATCH_E_NOMEM
 * Thread-safe: the connections of one client share it. `*out` is zero unless LATCH_OK.
 */
LATCH_NODISCARD latch_status latch_credentials_get(latch_credentials *c, int64_t deadline_at_ms, latch_keys *out, latch_err *err);
void latch_credentials_release(latch_credentials *c, latch_keys *keys); /* leaves *keys zero; a zero one: nothing */

/* For `latch doctor`: which source it is, and until when its keys are good. No secret is in it. */
#define LATCH_KEYS_WHERE_BYTES 256
typedef enum latch_keys_source {
    LATCH_KEYS_OF_ENVIRONMENT,
    LATCH_KEYS_OF_PROFILE,  /* keys in a file */
    LATCH_KEYS_OF_COMMAND,  /* the profile's credential_process */
    LATCH_KEYS_OF_ENDPOINT, /* a container's */
    LATCH_KEYS_OF_NOBODY    /* local/local */
} latch_keys_source;
typedef struct latch_keys_origin {
    latch_keys_source source;
    const char *profile;                /* as long as `c`; counts for PROFILE and COMMAND */
    char where[LATCH_KEYS_WHERE_BYTES]; /* PROFILE: the file; ENDPOINT: its URL; else, and where it can't be read any more, empty */
    bool expire;
    int64_t expire_at_ms; /* by the clock of open; after a get */
} latch_keys_origin;
latch_keys_origin latch_credentials_origin(latch_credentials *c);

/* DynamoDB refused these keys as expired or unknown: the next get fetches or reads new ones, where the source may have others. */
void latch_credentials_refused(latch_credentials *c, uint64_t generation);

#endif

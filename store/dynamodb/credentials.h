/*
 * store/dynamodb/credentials.h - who signs: environment, shared files with a profile, container. Never logged; wiped when they are replaced
 * and at the end.
 */
#ifndef LATCH_STORE_DYNAMODB_CREDENTIALS_H
#define LATCH_STORE_DYNAMODB_CREDENTIALS_H

#include "core/clock.h"
#include "store/dynamodb/settings.h"

typedef struct latch_credentials latch_credentials; /* a source, and what it gave last */

typedef struct latch_keys { /* borrowed until the next call of the source */
    latch_str access_key_id, secret_access_key;
    latch_str session_token; /* empty: none */
    latch_str account_id;    /* empty: not known */
    uint64_t generation;     /* changes with the keys: what was derived of older ones is of no use */
} latch_keys;

/* Looks at the environment and files; asks nobody. LATCH_E_MISUSE (what is missing or not supported, and what to do), LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_credentials_open(latch_credentials **out, const latch_settings *settings, latch_clock clock,
                                                    latch_err *err);
void latch_credentials_close(latch_credentials *c); /* NULL: nothing */

/*
 * The keys as they are good now; fetched anew 15 minutes before they expire, at the latest 10 minutes before, each time within 2 s and
 * deadline_at_ms. LATCH_E_DENIED: there are none, or they have expired and no new ones are to be had: the message says why and what to do.
 * LATCH_E_TIMEOUT, LATCH_E_NETWORK: the container's endpoint doesn't answer. Thread-safe: the connections of one client share it.
 */
LATCH_NODISCARD latch_status latch_credentials_get(latch_credentials *c, int64_t deadline_at_ms, latch_keys *out, latch_err *err);

/* DynamoDB refused these keys as expired or unknown: the next get fetches new ones, where the source has any. */
void latch_credentials_refused(latch_credentials *c, uint64_t generation);

#endif

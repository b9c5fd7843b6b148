/* store/dynamodb/sources.h - what credentials.c asks for keys. Whatever is given lies in the arena, which whoever made it wipes. */
#ifndef LATCH_STORE_DYNAMODB_SOURCES_H
#define LATCH_STORE_DYNAMODB_SOURCES_H

#include "core/arena.h"
#include "core/clock.h"
#include "store/dynamodb/profile.h"
#include "store/dynamodb/settings.h"

#define LATCH_KEYS_ANSWER_MAX ((size_t)32 << 10) /* bytes of a container's or a process's answer */
#define LATCH_KEYS_ARENA_BYTES ((size_t)512 << 10)

typedef struct latch_given_keys {
    latch_str access_key_id, secret_access_key, session_token, account_id;
    bool expire;
    int64_t expire_at_ms; /* Unix time; where they expire */
} latch_given_keys;

/* ── keys.c ── `what` begins a message: "AWS_ACCESS_KEY_ID". No message shows a value. ── */

/* Every part can stand in a header: visible ASCII, of a length that keys have. LATCH_E_MISUSE. */
LATCH_NODISCARD latch_status latch_keys_check(const char *what, const latch_given_keys *keys, latch_err *err);

typedef enum latch_keys_form { LATCH_KEYS_OF_CONTAINER, LATCH_KEYS_OF_PROCESS } latch_keys_form;

/*
 * {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"} of a container, which must have the first four; of a process "Version": 1
 * too, "SessionToken" for "Token", and only the first two must be there. LATCH_E_MISUSE: it isn't that; LATCH_E_DENIED: they have expired;
 * LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_keys_parse(latch_arena *arena, const char *what, latch_keys_form form, latch_str text, int64_t now_ms,
                                              latch_given_keys *out, latch_err *err);

/* "2026-11-21T09:30:00Z", with a fraction or "+02:00" too. False: that is no time. */
bool latch_keys_time(latch_str text, int64_t *at_ms);

/* ── container.c ── */

bool latch_container_is_there(void); /* one of its variables is set */

/* The address that the variables name, checked. LATCH_E_MISUSE. */
typedef struct latch_container {
    const char *url, *host; /* scheme, host and port; the Host header; in the arena */
    latch_str path;         /* with the query; in the arena or the environment */
    bool tls;
} latch_container;
LATCH_NODISCARD latch_status latch_container_find(latch_arena *arena, latch_container *out, latch_err *err);

/* One GET. LATCH_E_DENIED: it answers 4xx; LATCH_E_NETWORK, LATCH_E_TIMEOUT, LATCH_E_MISUSE, LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_container_fetch(latch_arena *arena, const char *ca_file, latch_clock clock, int64_t deadline_at_ms,
                                                   latch_given_keys *out, latch_err *err);

/* ── process.c ── */

/*
 * Runs `command` by /bin/sh -c in a process group of its own, which is killed where it takes longer than `timeout_ms`; what it writes to its
 * stderr goes nowhere. *out is what it wrote to stdout. LATCH_E_DENIED: it failed; LATCH_E_TIMEOUT; LATCH_E_MISUSE: it wrote more than
 * LATCH_KEYS_ANSWER_MAX; LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_process_run(latch_arena *arena, const char *command, int64_t timeout_ms, latch_str *out, latch_err *err);

#endif

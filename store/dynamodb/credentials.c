#include "store/dynamodb/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/env.h"
#include "core/err.h"
#include "store/dynamodb/sources.h"

#define SHOWN_BYTES 60 /* of a path or a profile's name, in a message */

typedef enum source { ENVIRONMENT, PROFILE, PROCESS, CONTAINER, LOCAL } source;

/* What was given once, in one block that is wiped as a whole. */
typedef struct latch_key_set {
    struct latch_key_set *next; /* of those that were replaced while somebody held them */
    size_t holders, size;
    latch_keys keys; /* but for `held` */
    char bytes[];
} latch_key_set;

struct latch_credentials {
    source source;
    latch_clock clock;
    char *profile, *ca_file; /* as the settings had them; ca_file may be NULL */

    pthread_mutex_t lock; /* of everything below; nobody waits for a source inside */
    pthread_cond_t done;  /* a fetch is over */
    latch_key_set *now, *replaced;
    uint64_t generation;
    bool expire;
    int64_t lifetime_ms;  /* of `now`, at `given` */
    latch_instant given;  /* when the source last gave keys */
    latch_instant failed; /* when it last didn't, where has_failed */
    bool has_failed, refused, fetching;
    uint64_t fetches; /* that are over */
    latch_err last;   /* how the last one failed; status OK: it didn't */
};

/* ── sets of keys ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void wipe(latch_key_set *set) {
    if (set == NULL) return;
    size_t size = set->size;
    explicit_bzero(set, size);
    free(set);
}

static latch_str put(char **at, latch_str s) {
    char *from = *at;
    if (s.len > 0) memcpy(from, s.ptr, s.len);
    *at += s.len;
    return (latch_str){from, s.len};
}

/* A copy; NULL: no memory. The lengths are checked (latch_keys_check): their sum doesn't overflow. */
static latch_key_set *set_of(const latch_given_keys *given) {
    size_t size =
        sizeof(latch_key_set) + given->access_key_id.len + given->secret_access_key.len + given->session_token.len + given->account_id.len;
    latch_key_set *set = malloc(size);
    if (set == NULL) return NULL;
    char *at = set->bytes;
    *set = (latch_key_set){.size = size};
    set->keys.access_key_id = put(&at, given->access_key_id);
    set->keys.secret_access_key = put(&at, given->secret_access_key);
    set->keys.session_token = put(&at, given->session_token);
    set->keys.account_id = put(&at, given->account_id);
    return set;
}

static bool is_same(const latch_keys *a, const latch_given_keys *b) {
    return latch_str_eq(a->access_key_id, b->access_key_id) && latch_secret_eq(a->secret_access_key, b->secret_access_key) &&
           latch_secret_eq(a->session_token, b->session_token) && latch_str_eq(a->account_id, b->account_id);
}

/* Keys that the source gave again stay what they are. The lock is held. */
static latch_status keep(latch_credentials *c, const latch_given_keys *given, latch_err *err) {
    if (c->now == NULL || !is_same(&c->now->keys, given)) {
        latch_key_set *set = set_of(given), *old = c->now;
        if (set == NULL) return latch_err_set(err, LATCH_E_NOMEM, "credentials: no memory for the keys");
        set->keys.generation = ++c->generation;
        c->now = set;
        if (old != NULL && old->holders > 0) {
            old->next = c->replaced;
            c->replaced = old;
        } else {
            wipe(old);
        }
    }
    c->expire = given->expire;
    c->lifetime_ms = given->expire ? given->expire_at_ms - latch_clock_wall_ms(&c->clock) : 0;
    c->given = latch_clock_instant(&c->clock);
    c->has_failed = c->refused = false;
    return LATCH_OK;
}

/* ── sources that ask nobody ─────────────────────────────────────────────────────────────────────────────────────── */

static bool is_in_environment(void) { return latch_env_get("AWS_ACCESS_KEY_ID") != NULL && latch_env_get("AWS_SECRET_ACCESS_KEY") != NULL; }

static latch_status check_environment(latch_err *err) {
    const char *id = latch_env_get("AWS_ACCESS_KEY_ID"), *secret = latch_env_get("AWS_SECRET_ACCESS_KEY");
    if ((id == NULL) == (secret == NULL)) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s is set and %s isn't: set both, or unset both for another source of credentials",
                         id != NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         id != NULL ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
}

static latch_given_keys of_environment(void) {
    return (latch_given_keys){.access_key_id = latch_str_of(latch_env_get("AWS_ACCESS_KEY_ID")),
                              .secret_access_key = latch_str_of(latch_env_get("AWS_SECRET_ACCESS_KEY")),
                              .session_token = latch_str_of(latch_env_get("AWS_SESSION_TOKEN")),
                              .account_id = latch_str_of(latch_env_get("AWS_ACCOUNT_ID"))};
}

/* Both parts from one file: a half in each would sign for nobody. False: the profile has none. */
static bool has_static(const latch_profile *p, latch_profile_file *file) {
    for (int f = LATCH_PROFILE_CREDENTIALS; f <= (int)LATCH_PROFILE_CONFIG; f++) {
        *file = (latch_profile_file)f;
        if (latch_profile_get(p, *file, "aws_access_key_id").len > 0 || latch_profile_get(p, *file, "aws_secret_access_key").len > 0)
            return true;
    }
    return false;
}

/* In the bytes of the profile. */
static latch_status of_profile(const latch_profile *p, latch_given_keys *out, latch_err *err) {
    latch_profile_file file;
    *out = (latch_given_keys){0};
    if (!has_static(p, &file))
        return latch_err_set(err, LATCH_E_DENIED, "the profile \"%.*s\" has no aws_access_key_id any more", SHOWN_BYTES, p->name);
    *out = (latch_given_keys){.access_key_id = latch_profile_get(p, file, "aws_access_key_id"),
                              .secret_access_key = latch_profile_get(p, file, "aws_secret_access_key"),
                              .session_token = latch_profile_get(p, file, "aws_session_token"),
                              .account_id = latch_profile_get(p, file, "aws_account_id")};
    if (out->account_id.len == 0) out->account_id = latch_profile_find(p, "aws_account_id");
    const char *missing = out->access_key_id.len == 0       ? "aws_access_key_id"
                          : out->secret_access_key.len == 0 ? "aws_secret_access_key"
                                                            : NULL;
    if (missing == NULL) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "the profile \"%.*s\" has no %s in \"%.*s\", where its other half is", SHOWN_BYTES, p->name,
                         missing, SHOWN_BYTES, p->paths[file]);
}

/* ── which source ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What a profile may ask for, and we don't do. NULL: nothing of it. */
static const char *unsupported(const latch_profile *p) {
    static const char *const keys[] = {"role_arn", "sso_session", "sso_start_url", "login_session"};
    latch_profile_file file;
    if (latch_profile_find(p, "role_arn").len > 0) return keys[0];
    if (has_static(p, &file) || latch_profile_find(p, "credential_process").len > 0) return NULL;
    for (size_t i = 1; i < sizeof keys / sizeof keys[0]; i++) {
        if (latch_profile_find(p, keys[i]).len > 0) return keys[i];
    }
    return NULL;
}

/* False: nothing in it; an error: something that can't be used. */
static latch_status choose_profile(latch_credentials *c, const latch_profile *p, bool local, bool *chosen, latch_err *err) {
    const char *word = unsupported(p);
    latch_profile_file file;
    *chosen = false;
    if (word != NULL && local) return LATCH_OK; /* which takes any keys */
    if (word != NULL)
        return latch_err_set(
            err, LATCH_E_MISUSE,
            "the profile \"%.*s\" has %s, which isn't supported here: put its keys into the environment by eval \"$(aws configure "
            "export-credentials --profile %.*s --format env)\"",
            40, p->name, word, 40, p->name);
    *chosen = true;
    if (has_static(p, &file)) {
        c->source = PROFILE;
    } else if (latch_profile_find(p, "credential_process").len > 0) {
        c->source = PROCESS;
    } else {
        *chosen = false;
    }
    return LATCH_OK;
}

static latch_status choose_container(latch_credentials *c, latch_err *err) {
    char memory[2048];
    latch_arena arena;
    latch_container where;
    c->source = CONTAINER;
    latch_arena_init(&arena, memory, sizeof memory);
    latch_status status = latch_container_find(&arena, &where, err);
    latch_arena_clean_up(&arena);
    return status;
}

static latch_status tell_none(const latch_profile *p, latch_err *err) {
    const char *credentials = p->paths[LATCH_PROFILE_CREDENTIALS];
    return latch_err_set(
        err, LATCH_E_DENIED,
        "no AWS credentials: none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile \"%.20s\" (%.50s and config) "
        "or by AWS_CONTAINER_CREDENTIALS_..._URI; set one of them, or give the function a role",
        p->name, credentials != NULL ? credentials : "HOME isn't set");
}

/* In the order that credentials.h tells, after the environment. */
static latch_status choose(latch_credentials *c, const latch_settings *settings, const latch_profile *p, latch_err *err) {
    bool chosen = false;
    if (settings->profile_named) LATCH_TRY(choose_profile(c, p, settings->local, &chosen, err));
    if (chosen) return LATCH_OK;
    if (latch_container_is_there()) return choose_container(c, err);
    if (latch_env_get("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL && !settings->local)
        return latch_err_set(err, LATCH_E_MISUSE,
                             "AWS_WEB_IDENTITY_TOKEN_FILE asks for a web identity, which isn't supported here: use EKS Pod Identity "
                             "(AWS_CONTAINER_CREDENTIALS_FULL_URI), or put keys into the environment");
    if (!settings->profile_named) LATCH_TRY(choose_profile(c, p, settings->local, &chosen, err));
    if (chosen) return LATCH_OK;
    c->source = LOCAL;
    return settings->local ? LATCH_OK : tell_none(p, err);
}

/* ── asking it ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status of_process(latch_credentials *c, latch_arena *arena, const latch_profile *p, int64_t timeout_ms, latch_given_keys *out,
                               latch_err *err) {
    latch_str command = latch_profile_find(p, "credential_process"), text;
    if (latch_str_has_control(command))
        return latch_err_set(err, LATCH_E_MISUSE, "credential_process of the profile \"%.*s\" goes on over several lines", SHOWN_BYTES,
                             p->name);
    command = latch_arena_copy(arena, command);
    if (command.ptr == NULL) return latch_err_set(err, LATCH_E_NOMEM, "credential_process: its command is too long");
    LATCH_TRY(latch_process_run(arena, command.ptr, timeout_ms, &text, err));
    LATCH_TRY(latch_keys_parse(arena, "credential_process", LATCH_KEYS_OF_PROCESS, text, latch_clock_wall_ms(&c->clock), out, err));
    if (out->account_id.len == 0) out->account_id = latch_profile_find(p, "aws_account_id");
    return LATCH_OK;
}

static latch_status give(latch_credentials *c, latch_arena *arena, const latch_profile *p, int64_t deadline_at_ms, latch_given_keys *out,
                         latch_err *err) {
    int64_t now_ms = latch_clock_wall_ms(&c->clock), left_ms = deadline_at_ms > now_ms ? deadline_at_ms - now_ms : 0;
    switch (c->source) {
    case ENVIRONMENT:
        *out = of_environment();
        return latch_keys_check("the credentials in the environment", out, err);
    case PROFILE:
        LATCH_TRY(of_profile(p, out, err));
        return latch_keys_check("the profile's credentials", out, err);
    case PROCESS:
        return of_process(c, arena, p, left_ms < LATCH_PROCESS_MS ? left_ms : LATCH_PROCESS_MS, out, err);
    case CONTAINER:
        return latch_container_fetch(arena, c->ca_file, c->clock, now_ms + (left_ms < LATCH_CONTAINER_MS ? left_ms : LATCH_CONTAINER_MS),
                                     out, err);
    case LOCAL:
        break;
    }
    *out = (latch_given_keys){.access_key_id = LATCH_STR("local"), .secret_access_key = LATCH_STR("local")};
    return LATCH_OK;
}

/* By one thread at a time, without the lock; it is taken to keep what came. Nothing of it stays elsewhere. */
static latch_status fetch(latch_credentials *c, int64_t deadline_at_ms, latch_err *err) {
    bool asks = c->source == PROCESS || c->source == CONTAINER, reads = c->source == PROFILE || c->source == PROCESS;
    size_t size = asks ? LATCH_KEYS_ARENA_BYTES : 1;
    void *memory = malloc(size);
    if (memory == NULL) return latch_err_set(err, LATCH_E_NOMEM, "credentials: no memory to ask for them");
    latch_profile profile = {0};
    latch_given_keys given = {0};
    latch_arena arena;
    latch_arena_init(&arena, memory, size);
    latch_status status = reads ? latch_profile_open(&profile, c->profile, err) : LATCH_OK;
    if (status == LATCH_OK) status = give(c, &arena, &profile, deadline_at_ms, &given, err);
    pthread_mutex_lock(&c->lock);
    if (status == LATCH_OK) status = keep(c, &given, err);
    pthread_mutex_unlock(&c->lock);
    latch_profile_close(&profile);
    latch_arena_clean_up(&arena);
    explicit_bzero(memory, size);
    free(memory);
    return status;
}

/* ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum state { GOOD, EARLY, LATE } state;

/* The lock is held. Keys that come with less time than that are used for a pause at least: their source has no better ones. */
static state state_of(const latch_credentials *c) {
    if (c->now == NULL || c->refused) return LATE;
    if (!c->expire) return GOOD;
    int64_t age_ms = latch_clock_since_ms(&c->clock, c->given), left_ms = c->lifetime_ms - age_ms;
    if (left_ms > LATCH_KEYS_EARLY_MS || (age_ms < LATCH_KEYS_PAUSE_MS && left_ms > 0)) return GOOD;
    return left_ms > LATCH_KEYS_LATE_MS ? EARLY : LATE;
}

static bool pauses(const latch_credentials *c) { return c->has_failed && latch_clock_since_ms(&c->clock, c->failed) < LATCH_KEYS_PAUSE_MS; }

static latch_status wait_for_fetch(latch_credentials *c, int64_t deadline_at_ms, latch_err *err) {
    uint64_t mine = c->fetches;
    int64_t left_ms = deadline_at_ms - latch_clock_wall_ms(&c->clock), most_ms = 2 * LATCH_PROCESS_MS;
    struct timespec until;
    if (left_ms > most_ms) left_ms = most_ms;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (left_ms > 0 ? left_ms % 1000 * 1000000 : 0);
    until.tv_sec += (left_ms > 0 ? left_ms / 1000 : 0) + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (c->fetching && c->fetches == mine) {
        if (pthread_cond_timedwait(&c->done, &c->lock, &until) == ETIMEDOUT)
            return latch_err_set(err, LATCH_E_TIMEOUT, "credentials: another thread is still fetching them");
    }
    if (c->last.status == LATCH_OK) return LATCH_OK;
    return latch_err_set(err, c->last.status, "%s", c->last.message); /* who has waited for it doesn't wait once more */
}

/* The lock is held, and given up meanwhile. */
static latch_status fetch_for_all(latch_credentials *c, state why, int64_t deadline_at_ms, latch_err *err) {
    latch_err how = {0};
    int64_t now_ms = latch_clock_wall_ms(&c->clock);
    if (why == EARLY && deadline_at_ms > now_ms)
        deadline_at_ms = now_ms + (deadline_at_ms - now_ms) / 2; /* the call has keys, and needs time */
    c->fetching = true;
    pthread_mutex_unlock(&c->lock);
    latch_status status = fetch(c, deadline_at_ms, &how);
    pthread_mutex_lock(&c->lock);
    c->fetching = false;
    c->fetches++;
    c->last = status == LATCH_OK ? (latch_err){0} : how;
    if (status != LATCH_OK) {
        c->has_failed = true;
        c->failed = latch_clock_instant(&c->clock);
    }
    pthread_cond_broadcast(&c->done);
    return status == LATCH_OK || why == EARLY ? LATCH_OK : latch_err_set(err, status, "%s", how.message);
}

/* The lock is held. */
static latch_status renew(latch_credentials *c, int64_t deadline_at_ms, latch_err *err) {
    state s = state_of(c);
    if (s == GOOD || (s == EARLY && (c->fetching || pauses(c)))) return LATCH_OK;
    return c->fetching ? wait_for_fetch(c, deadline_at_ms, err) : fetch_for_all(c, s, deadline_at_ms, err);
}

/* ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_credentials_get(latch_credentials *c, int64_t deadline_at_ms, latch_keys *out, latch_err *err) {
    *out = (latch_keys){0};
    pthread_mutex_lock(&c->lock);
    latch_status status = renew(c, deadline_at_ms, err);
    if (status == LATCH_OK) {
        *out = c->now->keys;
        out->held = c->now;
        c->now->holders++;
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

void latch_credentials_release(latch_credentials *c, latch_keys *keys) {
    latch_key_set *set = keys->held;
    *keys = (latch_keys){0};
    if (set == NULL) return;
    pthread_mutex_lock(&c->lock);
    if (--set->holders == 0 && set != c->now) {
        latch_key_set **at = &c->replaced;
        while (*at != set)
            at = &(*at)->next;
        *at = set->next;
        wipe(set);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Keys that have only just come aren't fetched again: they are what the source has. */
void latch_credentials_refused(latch_credentials *c, uint64_t generation) {
    bool has_others = c->source != ENVIRONMENT && c->source != LOCAL;
    pthread_mutex_lock(&c->lock);
    if (has_others && c->now != NULL && c->now->keys.generation == generation &&
        latch_clock_since_ms(&c->clock, c->given) >= LATCH_KEYS_PAUSE_MS)
        c->refused = true;
    pthread_mutex_unlock(&c->lock);
}

/* ── whence ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tell_file(const latch_credentials *c, char where[LATCH_KEYS_WHERE_BYTES]) {
    latch_profile profile;
    latch_profile_file file;
    if (latch_profile_open(&profile, c->profile, NULL) != LATCH_OK) return;
    if (has_static(&profile, &file)) snprintf(where, LATCH_KEYS_WHERE_BYTES, "%s", profile.paths[file]);
    latch_profile_close(&profile);
}

static void tell_url(char where[LATCH_KEYS_WHERE_BYTES]) {
    char memory[2048];
    latch_arena arena;
    latch_container at;
    latch_arena_init(&arena, memory, sizeof memory);
    if (latch_container_find(&arena, &at, NULL) == LATCH_OK)
        snprintf(where, LATCH_KEYS_WHERE_BYTES, "%s", at.url); /* its path may be a secret */
    latch_arena_clean_up(&arena);
}

latch_keys_origin latch_credentials_origin(latch_credentials *c) {
    static const latch_keys_source words[] = {[ENVIRONMENT] = LATCH_KEYS_OF_ENVIRONMENT,
                                              [PROFILE] = LATCH_KEYS_OF_PROFILE,
                                              [PROCESS] = LATCH_KEYS_OF_COMMAND,
                                              [CONTAINER] = LATCH_KEYS_OF_ENDPOINT,
                                              [LOCAL] = LATCH_KEYS_OF_NOBODY};
    latch_keys_origin out = {.source = words[c->source], .profile = c->profile};
    if (c->source == PROFILE) tell_file(c, out.where);
    if (c->source == CONTAINER) tell_url(out.where);
    pthread_mutex_lock(&c->lock);
    out.expire = c->expire;
    if (c->expire) out.expire_at_ms = c->given.wall_us / 1000 + c->lifetime_ms;
    pthread_mutex_unlock(&c->lock);
    return out;
}

/* ── open, close ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status start(latch_credentials *c, const latch_settings *settings, latch_err *err) {
    latch_profile profile;
    c->profile = strdup(settings->profile);
    c->ca_file = settings->ca_file != NULL ? strdup(settings->ca_file) : NULL;
    if (c->profile == NULL || (settings->ca_file != NULL && c->ca_file == NULL))
        return latch_err_set(err, LATCH_E_NOMEM, "credentials: no memory");
    LATCH_TRY(check_environment(err));
    c->source = ENVIRONMENT;
    if (is_in_environment()) return fetch(c, 0, err); /* as on Lambda: no file is looked for */
    LATCH_TRY(latch_profile_open(&profile, c->profile, err));
    latch_status status = choose(c, settings, &profile, err);
    latch_profile_close(&profile);
    if (status != LATCH_OK || c->source == PROCESS || c->source == CONTAINER) return status;
    return fetch(c, 0, err); /* which asks nobody */
}

latch_status latch_credentials_open(latch_credentials **out, const latch_settings *settings, latch_clock clock, latch_err *err) {
    pthread_condattr_t monotonic;
    *out = NULL;
    latch_credentials *c = calloc(1, sizeof *c);
    if (c == NULL) return latch_err_set(err, LATCH_E_NOMEM, "credentials: no memory");
    c->clock = clock;
    pthread_mutex_init(&c->lock, NULL); /* neither fails on Linux */
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    latch_status status = start(c, settings, err);
    if (status == LATCH_OK) {
        *out = c;
    } else {
        latch_credentials_close(c);
    }
    return status;
}

void latch_credentials_close(latch_credentials *c) {
    if (c == NULL) return;
    wipe(c->now);
    for (latch_key_set *set = c->replaced, *next; set != NULL; set = next) {
        next = set->next;
        wipe(set);
    }
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    free(c->profile);
    free(c->ca_file);
    free(c);
}

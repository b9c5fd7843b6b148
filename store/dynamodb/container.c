#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/env.h"
#include "core/err.h"
#include "core/text.h"
#include "core/wire.h"
#include "store/dynamodb/connection.h"
#include "store/dynamodb/endpoint.h"
#include "store/dynamodb/sources.h"

#define WHAT "container credentials"
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define ECS_URL "http://169.254.170.2" /* the agent of ECS; the relative URI is one of its */
#define TOKEN_MAX ((size_t)16 << 10)
#define HEAD_MAX ((size_t)8 << 10)

bool latch_container_is_there(void) { return latch_env_get(RELATIVE) != NULL || latch_env_get(FULL) != NULL; }

/* ── where ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Plain http gives the keys to whoever listens on the way: so only where nobody can. AWS's own list. */
static bool may_be_plain(const latch_endpoint *e) {
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    size_t host = strcspn(e->host, e->host[0] == '[' ? "]" : ":") + (e->host[0] == '[');
    if (e->loopback) return true;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (strlen(hosts[i]) == host && memcmp(e->host, hosts[i], host) == 0) return true;
    }
    return false;
}

/* Where the path begins: behind the authority. */
static size_t authority_len(const char *url) {
    const char *slashes = strstr(url, "://");
    size_t scheme = slashes != NULL ? (size_t)(slashes - url) + 3 : 0;
    return scheme + strcspn(url + scheme, "/?#");
}

/* A request line takes no space and no fragment. */
static bool is_path(const char *s) {
    for (; *s != '\0'; s++) {
        if (*s <= ' ' || *s >= 0x7F || *s == '#') return false;
    }
    return true;
}

latch_status latch_container_find(latch_arena *arena, latch_container *out, latch_err *err) {
    const char *relative = latch_env_get(RELATIVE), *full = latch_env_get(FULL), *name = relative != NULL ? RELATIVE : FULL;
    latch_endpoint endpoint;
    *out = (latch_container){0};
    if (relative == NULL && full == NULL) return latch_err_set(err, LATCH_E_MISUSE, WHAT ": neither " RELATIVE " nor " FULL " is set");
    size_t len = relative != NULL ? 0 : authority_len(full);
    const char *path = relative != NULL ? relative : full + len;
    if (relative != NULL && relative[0] != '/') return latch_err_set(err, LATCH_E_MISUSE, "%s doesn't begin with /", name);
    if (!is_path(path)) return latch_err_set(err, LATCH_E_MISUSE, "%s has a space, a # or a byte that isn't ASCII in its path", name);
    latch_str url = relative != NULL ? LATCH_STR(ECS_URL) : (latch_str){full, len};
    LATCH_TRY(latch_endpoint_parse(arena, name, url, &endpoint, err));
    if (!endpoint.tls && !may_be_plain(&endpoint))
        return latch_err_set(err, LATCH_E_MISUSE,
                             "%s is http://%.80s: want https, or http to loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]", name,
                             endpoint.host);
    *out = (latch_container){.url = endpoint.url, .host = endpoint.host, .path = latch_str_of(path), .tls = endpoint.tls};
    return LATCH_OK;
}

/* ── the token that it wants to see ──────────────────────────────────────────────────────────────────────────────── */

/* Up to `max` bytes; *out is NULL where it can't be read, errno says why. */
static char *read_file(latch_arena *arena, const char *path, size_t max, size_t *len) {
    char *at = latch_arena_alloc(arena, max);
    int fd = at != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : 0;
    *len = 0;
    if (at == NULL) errno = ENOMEM;
    while (fd >= 0 && *len < max && (n = read(fd, at + *len, max - *len)) != 0) {
        if (n < 0 && errno != EINTR) break;
        *len += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    if (fd >= 0) close(fd);
    errno = why;
    return n < 0 ? NULL : at;
}

/* The file is read anew each time: what rotates the token rewrites it. */
static latch_status find_token(latch_arena *arena, latch_str *out, latch_err *err) {
    static const char file[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", plain[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    const char *path = latch_env_get(file), *name = path != NULL ? file : plain;
    *out = latch_str_of(latch_env_get(plain));
    if (path != NULL) {
        out->ptr = read_file(arena, path, TOKEN_MAX + 1, &out->len);
        if (out->ptr == NULL)
            return latch_err_set(err, LATCH_E_MISUSE, WHAT ": %s, \"%.80s\", can't be read: %s", name, path, strerror(errno));
        while (out->len > 0 && (out->ptr[out->len - 1] == '\n' || out->ptr[out->len - 1] == '\r'))
            out->len--; /* an editor's, at its end */
        if (out->len == 0) return latch_err_set(err, LATCH_E_MISUSE, WHAT ": %s, \"%.80s\", is empty", name, path);
    }
    if (out->len > TOKEN_MAX) return latch_err_set(err, LATCH_E_MISUSE, WHAT ": %s has over %zu bytes", name, TOKEN_MAX);
    if (latch_str_has_control(*out))
        return latch_err_set(err, LATCH_E_MISUSE, WHAT ": %s has a line's end or another control byte in it", name);
    return LATCH_OK;
}

/* ── one GET ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status put_head(latch_arena *arena, const latch_container *where, latch_str token, latch_str *out, latch_err *err) {
    latch_text_writer t = latch_text_begin(arena);
    latch_text_put(&t, LATCH_STR("GET "));
    if (where->path.len == 0 || where->path.ptr[0] != '/') latch_text_char(&t, '/');
    latch_text_put(&t, where->path);
    latch_text_put(&t, LATCH_STR(" HTTP/1.1\r\nHost: "));
    latch_text_put(&t, latch_str_of(where->host));
    latch_text_put(&t, LATCH_STR("\r\nAccept: application/json\r\nConnection: close\r\n"));
    if (token.len > 0) {
        latch_text_put(&t, LATCH_STR("Authorization: "));
        latch_text_put(&t, token);
        latch_text_put(&t, LATCH_STR("\r\n"));
    }
    latch_text_put(&t, LATCH_STR("\r\n"));
    *out = latch_text_end(&t);
    return out->ptr != NULL ? LATCH_OK : latch_err_set(err, LATCH_E_NOMEM, WHAT ": no memory for a request");
}

static latch_status judge(const latch_wire *answer, const char *host, latch_err *err) {
    if (answer->status == 200 && !answer->too_large) return LATCH_OK;
    if (answer->status == 200)
        return latch_err_set(err, LATCH_E_MISUSE, WHAT ": the answer of %.80s has over %zu bytes", host, LATCH_KEYS_ANSWER_MAX);
    latch_status status = answer->status >= 400 && answer->status < 500 ? LATCH_E_DENIED : LATCH_E_NETWORK;
    return latch_err_set(err, status, WHAT ": %.80s answers %d%s", host, answer->status,
                         status == LATCH_E_DENIED ? ": has the function or the task a role, and is AWS_CONTAINER_AUTHORIZATION_TOKEN right?"
                                                  : "");
}

static latch_status exchange(latch_arena *arena, const latch_settings *settings, latch_clock clock, const latch_exchange *x,
                             latch_wire *answer, latch_err *err) {
    latch_connection *connection;
    latch_err why = {0};
    int64_t took_ms;
    latch_status status = latch_connection_open(&connection, settings, clock, &why);
    if (status == LATCH_OK) status = latch_connection_exchange(connection, x, arena, answer, &took_ms, &why);
    latch_connection_close(connection);
    return status == LATCH_OK ? status : latch_err_set(err, status, WHAT ": %s", why.message);
}

latch_status latch_container_fetch(latch_arena *arena, const char *ca_file, latch_clock clock, int64_t deadline_at_ms,
                                   latch_given_keys *out, latch_err *err) {
    latch_container where;
    latch_str token;
    latch_wire answer;
    latch_exchange x = {.deadline_at_ms = deadline_at_ms, .limits = {HEAD_MAX, LATCH_KEYS_ANSWER_MAX}};
    *out = (latch_given_keys){0};
    LATCH_TRY(latch_container_find(arena, &where, err));
    LATCH_TRY(find_token(arena, &token, err));
    LATCH_TRY(put_head(arena, &where, token, &x.head, err));
    int64_t now_ms = latch_clock_wall_ms(&clock);
    const latch_settings settings = {
        .url = where.url, .host = where.host, .tls = where.tls, .ca_file = ca_file, .connect_timeout_ms = deadline_at_ms - now_ms};
    LATCH_TRY(exchange(arena, &settings, clock, &x, &answer, err));
    LATCH_TRY(judge(&answer, where.host, err));
    return latch_keys_parse(arena, WHAT, LATCH_KEYS_OF_CONTAINER, latch_wire_body(&answer), latch_clock_wall_ms(&clock), out, err);
}

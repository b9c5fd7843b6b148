#include "store/dynamodb/connection.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/err.h"
#include "core/http_private.h"
#include "store/dynamodb/trust.h"

#define CONNECT_MS (5 * LATCH_SECOND_MS)
#define RECORD_BYTES ((size_t)16384) /* of TLS: what a small request goes out in, head and body together */
#define KEEPALIVE_IDLE_S 20L
#define KEEPALIVE_INTERVAL_S 5L

struct latch_connection {
    const latch_settings *settings;
    latch_clock clock; /* says when */
    latch_clock local; /* says how long */
    latch_trust trust;
    bool may_proxy;
    bool through_curl; /* bytes go through libcurl: TLS, or a proxy that may speak TLS */
    char *record;      /* RECORD_BYTES, where they do */
    CURLSH *share;     /* TLS sessions, which outlive the connections */
    CURL *easy;        /* NULL: not connected */
    int fd;
    latch_instant used; /* when the last answer was whole, or the connection made */
    bool kept;          /* an answer came over it */
    bool reached;       /* a socket that was closed was connected: what failed then came later */
    latch_connection_stats stats;
    char detail[CURL_ERROR_SIZE];
};

/* ── how long ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct patience { /* counted from one reading: a clock that is set meanwhile shortens it, or leaves it, but never makes it longer */
    const latch_clock *clock;
    latch_instant since;
    int64_t span_us;
} patience;

static patience patience_until(const latch_connection *c, int64_t deadline_at_ms) {
    int64_t now_us = c->clock.wall_us(c->clock.self);
    int64_t at_us = deadline_at_ms < INT64_MAX / 2000 ? deadline_at_ms * 1000 : INT64_MAX / 2;
    return (patience){&c->local, latch_clock_instant(&c->local), at_us > now_us ? at_us - now_us : 0};
}

static int64_t left_ms(const patience *p) { return (p->span_us - latch_clock_since_us(p->clock, p->since)) / 1000; }

/* ── open, close ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Before libcurl starts OpenSSL, which would read a configuration file: nothing in it is for us, and it costs a cold start. */
static bool start_libraries(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static latch_status prepare(latch_connection *c, latch_err *err) {
    bool is_url;
    LATCH_TRY(latch_trust_of(c->settings, &c->trust, err));
    c->may_proxy = latch_http_may_use_proxy(c->settings->url, &is_url);
    if (!is_url) return latch_err_set(err, LATCH_E_MISUSE, "DynamoDB: the endpoint \"%.150s\" is no URL", c->settings->url);
    c->through_curl = c->settings->tls || c->may_proxy;
    if (!c->through_curl) return LATCH_OK;
    c->record = malloc(RECORD_BYTES);
    c->share = curl_share_init();
    if (c->record == NULL || c->share == NULL) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: no memory for a connection");
    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return LATCH_OK;
}

latch_status latch_connection_open(latch_connection **out, const latch_settings *settings, latch_clock clock, latch_err *err) {
    latch_connection *c = *out = NULL;
    if (!start_libraries()) return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: libcurl could not start");
    c = malloc(sizeof *c);
    if (c == NULL) {
        curl_global_cleanup();
        return latch_err_set(err, LATCH_E_NOMEM, "DynamoDB: no memory for a connection");
    }
    *c = (latch_connection){.settings = settings, .clock = clock, .local = clock, .fd = -1};
    latch_status status = prepare(c, err);
    if (status != LATCH_OK) {
        latch_connection_close(c);
        return status;
    }
    *out = c;
    return LATCH_OK;
}

/* The seed is mixed with as much of the system's own. The generators that give numbers see that theirs was seeded, and follow. */
bool latch_connection_reseed(void) {
    unsigned char seed[48];
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (getentropy(seed, sizeof seed) != 0) return false;
    RAND_seed(seed, sizeof seed);
    OPENSSL_cleanse(seed, sizeof seed);
    return RAND_status() == 1;
}

void latch_connection_count_by(latch_connection *c, latch_clock local) { c->local = local; }

void latch_connection_hang_up(latch_connection *c) {
    if (c->easy != NULL) curl_easy_cleanup(c->easy);
    c->easy = NULL;
    c->fd = -1;
    c->kept = false;
}

/* What was sent over TLS lies in `record`: no secret but the session token, which is one. */
void latch_connection_close(latch_connection *c) {
    if (c == NULL) return;
    latch_connection_hang_up(c);
    if (c->share != NULL) curl_share_cleanup(c->share);
    if (c->record != NULL) OPENSSL_cleanse(c->record, RECORD_BYTES);
    free(c->record);
    free(c);
    curl_global_cleanup();
}

latch_connection_stats latch_connection_measure(const latch_connection *c) { return c->stats; }

/* ── why there is no connection ──────────────────────────────────────────────────────────────────────────────────── */

static const char *trusted_by(const latch_connection *c) {
    if (c->trust.file != NULL) return c->trust.file;
    return c->trust.pem.len > 0 ? "Amazon's roots, which this program has in it" : "libcurl's own bundle";
}

static bool says(const latch_connection *c, const char *words) { return strstr(c->detail, words) != NULL; }

/* The certificate was read and refused: by its chain and times, which OpenSSL tells by number, or by its names, which libcurl compares. */
static latch_status explain_certificate(latch_connection *c, CURL *easy, latch_err *err) {
    const char *host = c->settings->host;
    long result = X509_V_OK;
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    if (says(c, "subject name")) result = X509_V_ERR_HOSTNAME_MISMATCH;
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.100s: wrong host: the certificate is for other names (%.100s)", host,
                             c->detail);
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.120s: the certificate has expired, or this machine's clock is wrong", host);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.120s: the certificate is not valid yet, or this machine's clock is wrong",
                             host);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return latch_err_set(err, LATCH_E_NETWORK,
                             "TLS with %.80s: unknown CA: the certificate's issuer is not in %.80s; AWS_CA_BUNDLE names a file that has it",
                             host, trusted_by(c));
    default:
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.80s: the certificate is refused: %.120s", host,
                             X509_verify_cert_error_string(result));
    }
}

static latch_status explain_tls(latch_connection *c, latch_err *err) {
    const char *host = c->settings->host;
    if (says(c, "protocol version") || says(c, "unsupported protocol") || says(c, "unsupported version"))
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.100s: protocol version: the other side has no TLS 1.2 or later", host);
    if (says(c, "wrong version number") || says(c, "packet length too long") || says(c, "http request"))
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.100s: what answers there speaks no TLS; is it http:// instead of https://?",
                             host);
    return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.80s: the handshake failed: %.120s", host, c->detail);
}

static latch_status explain_timeout(latch_connection *c, CURL *easy, int64_t after_ms, latch_err *err) {
    curl_off_t named_us = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &named_us);
    const char *at = named_us == 0 ? "resolving" : c->reached ? "shaking hands with" : "connecting to";
    return latch_err_set(err, LATCH_E_TIMEOUT, "%s %.120s timed out after %lld ms", at, c->settings->host, (long long)after_ms);
}

static latch_status explain(latch_connection *c, CURL *easy, CURLcode code, int64_t timeout_ms, latch_err *err) {
    const char *host = c->settings->host;
    const char *why = latch_http_reason(code, c->detail);
    long os = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os);
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY:
        return latch_err_set(err, LATCH_E_NOMEM, "connecting to %.120s: libcurl has no memory", host);
    case CURLE_OPERATION_TIMEDOUT:
        return explain_timeout(c, easy, timeout_ms, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return latch_err_set(err, LATCH_E_NETWORK, "could not resolve %.100s: is the region or the endpoint right, is there DNS?", host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return latch_err_set(err, LATCH_E_NETWORK, "could not resolve the proxy that HTTPS_PROXY or http_proxy names: %.120s", why);
    case CURLE_COULDNT_CONNECT:
        return latch_err_set(err, LATCH_E_NETWORK, "could not connect to %.100s: %.100s", host, os != 0 ? strerror((int)os) : why);
    case CURLE_PEER_FAILED_VERIFICATION:
        return explain_certificate(c, easy, err);
    case CURLE_SSL_CONNECT_ERROR:
        return explain_tls(c, err);
    case CURLE_SSL_CACERT_BADFILE:
        return latch_err_set(err, LATCH_E_NETWORK, "TLS with %.80s: %.80s has no certificates that can be read", host, trusted_by(c));
    default:
        return latch_err_set(err, LATCH_E_NETWORK, "connecting to %.100s: %.120s", host, why);
    }
}

/* ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)self, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int close_socket(void *self, curl_socket_t fd) {
    latch_connection *c = self;
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    c->reached = c->reached || getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
    return close(fd);
}

static void set_up_tls(const latch_connection *c, CURL *easy) {
    struct curl_blob roots = {.data = (char *)(uintptr_t)c->trust.pem.ptr, .len = c->trust.pem.len, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SHARE, c->share);
    if (c->trust.file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, c->trust.file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    } else if (roots.len > 0) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &roots);
    }
}

static void set_up(latch_connection *c, CURL *easy, int64_t timeout_ms) {
    curl_easy_setopt(easy, CURLOPT_URL, c->settings->url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* else TLS offers HTTP/2 */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* else a resolver that doesn't answer is waited for past the timeout */
#endif
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < INT_MAX ? (long)timeout_ms : INT_MAX);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, c);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->detail);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    if (!c->may_proxy) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (c->settings->tls) set_up_tls(c, easy);
}

static latch_status dial(latch_connection *c, const patience *p, latch_err *err) {
    int64_t left = left_ms(p), most = c->settings->connect_timeout_ms > 0 ? c->settings->connect_timeout_ms : CONNECT_MS;
    int64_t timeout_ms = left < most ? left : most;
    curl_socket_t fd = CURL_SOCKET_BAD;
    latch_connection_hang_up(c);
    if (left <= 0) return latch_err_set(err, LATCH_E_TIMEOUT, "no time left to connect to %.120s", c->settings->host);
    CURL *easy = curl_easy_init();
    if (easy == NULL) return latch_err_set(err, LATCH_E_NOMEM, "connecting to %.120s: libcurl has no memory", c->settings->host);
    c->detail[0] = '\0';
    c->reached = false;
    set_up(c, easy, timeout_ms);
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK && (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD))
        code = CURLE_COULDNT_CONNECT;
    if (code != CURLE_OK) {
        latch_status status = explain(c, easy, code, timeout_ms, err);
        curl_easy_cleanup(easy);
        return status;
    }
    c->easy = easy;
    c->fd = (int)fd;
    c->used = latch_clock_instant(&c->local);
    c->stats.connections++;
    return LATCH_OK;
}

/* ── how it was made ─────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *tls_version(CURL *easy) {
    struct curl_tlssessioninfo *session = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == NULL || session->internals == NULL) return "TLS";
    return session->backend == CURLSSLBACKEND_OPENSSL ? SSL_get_version(session->internals) : "TLS";
}

latch_contact latch_connection_contact(const latch_connection *c) {
    curl_off_t name_us = 0, tcp_us = 0, tls_us = 0;
    const char *address = NULL;
    long tunnel = 0;
    latch_contact out = {.open = c->easy != NULL};
    if (!out.open) return out;
    curl_easy_getinfo(c->easy, CURLINFO_NAMELOOKUP_TIME_T, &name_us);
    curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &tcp_us);
    curl_easy_getinfo(c->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
    curl_easy_getinfo(c->easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    out.proxied = tunnel != 0;
    out.name_us = name_us;
    out.tcp_us = tcp_us > name_us ? tcp_us - name_us : 0;
    out.tls_us = tls_us > tcp_us ? tls_us - tcp_us : 0;
    if (c->settings->tls) out.tls = tls_version(c->easy);
    snprintf(out.address, sizeof out.address, "%s", address != NULL ? address : "");
    return out;
}

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum flow { MOVED, BLOCKED, BROKEN } flow;

typedef struct exchange {
    latch_connection *c;
    const latch_exchange *asked;
    patience patience;
    latch_instant begun; /* sending */
    size_t sent;         /* bytes of the request */
    size_t in_record;    /* bytes of the request that lie in the connection's record */
    bool more;           /* the last read may have left some, which over TLS poll doesn't see */
    latch_wire *wire;
} exchange;

/* What poll says of the socket; 0: time ran out, also where there is always more to read. */
static int wait_for(const exchange *x, short events) {
    for (;;) {
        struct pollfd fd = {.fd = x->c->fd, .events = events};
        int64_t left = left_ms(&x->patience);
        if (left <= 0) return 0;
        if (x->more) return POLLIN;
        int ready = poll(&fd, 1, left < INT_MAX ? (int)left : INT_MAX);
        if (ready >= 0) return ready > 0 ? fd.revents : 0;
        if (errno != EINTR) return POLLERR;
    }
}

static flow flow_of(latch_connection *c, CURLcode code) {
    if (code == CURLE_OK || code == CURLE_AGAIN) return code == CURLE_OK ? MOVED : BLOCKED;
    if (c->detail[0] == '\0') snprintf(c->detail, sizeof c->detail, "%s", curl_easy_strerror(code));
    return BROKEN;
}

/* Where head and body go over together, the other side reads them at once, and TLS makes one record of them. */
static void fill_record(exchange *x) {
    latch_str head = x->asked->head, body = x->asked->body;
    if (!x->c->through_curl || head.len > RECORD_BYTES) return;
    size_t of_body = body.len < RECORD_BYTES - head.len ? body.len : RECORD_BYTES - head.len;
    memcpy(x->c->record, head.ptr, head.len);
    if (of_body > 0) memcpy(x->c->record + head.len, body.ptr, of_body);
    x->in_record = head.len + of_body;
}

/* What has blocked comes again with the same bytes at the same place, as TLS wants it. */
static flow send_through_curl(exchange *x) {
    latch_str head = x->asked->head, body = x->asked->body, piece;
    size_t n = 0;
    if (x->sent < x->in_record) {
        piece = (latch_str){x->c->record + x->sent, x->in_record - x->sent};
    } else if (x->sent < head.len) {
        piece = (latch_str){head.ptr + x->sent, head.len - x->sent};
    } else {
        piece = (latch_str){body.ptr + (x->sent - head.len), body.len - (x->sent - head.len)};
    }
    flow how = flow_of(x->c, curl_easy_send(x->c->easy, piece.ptr, piece.len, &n));
    x->sent += how == MOVED ? n : 0;
    return how;
}

static flow send_plain(exchange *x) {
    latch_str head = x->asked->head, body = x->asked->body;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts};
    ssize_t n;
    if (x->sent < head.len) parts[message.msg_iovlen++] = (struct iovec){(char *)(uintptr_t)head.ptr + x->sent, head.len - x->sent};
    size_t of_body = x->sent > head.len ? x->sent - head.len : 0;
    if (of_body < body.len) parts[message.msg_iovlen++] = (struct iovec){(char *)(uintptr_t)body.ptr + of_body, body.len - of_body};
    do {
        n = sendmsg(x->c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? BLOCKED : BROKEN;
    x->sent += (size_t)n;
    return MOVED;
}

/* MOVED with *n 0: the other side has closed. */
static flow receive(latch_connection *c, char *at, size_t room, size_t *n) {
    ssize_t got;
    *n = 0;
    if (c->through_curl) return flow_of(c, curl_easy_recv(c->easy, at, room, n));
    do {
        got = recv(c->fd, at, room, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? BLOCKED : BROKEN;
    *n = (size_t)got;
    return MOVED;
}

static const char *why_broken(const latch_connection *c) { return c->through_curl ? c->detail : strerror(errno); }

/* ── a kept connection ───────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * Silent and open. Over TLS there may be words of the handshake to read (tickets), which are no answer; and bytes that were read from the
 * socket with the last answer, which the socket itself knows nothing of.
 */
static bool is_alive(latch_connection *c) {
    char byte;
    size_t n;
    ssize_t seen;
    if (c->through_curl) return receive(c, &byte, 1, &n) == BLOCKED;
    do {
        seen = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (seen < 0 && errno == EINTR);
    return seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* A connection that can be used: the kept one, where it is alive and not in doubt, or may be tried for a while; else a new one. */
static latch_status make_ready(exchange *x, latch_err *err) {
    latch_connection *c = x->c;
    if (c->easy != NULL && !is_alive(c)) latch_connection_hang_up(c);
    if (c->easy != NULL && latch_clock_since_ms(&c->local, c->used) > x->asked->idle_ms) {
        patience short_one = patience_until(c, x->asked->idle_deadline_at_ms);
        if (x->asked->idle_deadline_at_ms == 0 || left_ms(&short_one) <= 0) { /* keys may have been waited for meanwhile */
            latch_connection_hang_up(c);
        } else if (short_one.span_us < x->patience.span_us) {
            x->patience = short_one;
        }
    }
    return c->easy != NULL ? LATCH_OK : dial(c, &x->patience, err);
}

/* ── an exchange ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status timed_out(const exchange *x, const char *at, latch_err *err) {
    return latch_err_set(err, LATCH_E_TIMEOUT, "%s %.120s timed out after %lld ms", at, x->c->settings->host,
                         (long long)(x->patience.span_us / 1000));
}

/* Reads of what is there. */
static latch_wire_progress hear(exchange *x, latch_err *err) {
    size_t room, n;
    char *at = latch_wire_space(x->wire, &room);
    if (at == NULL) {
        (void)latch_err_set(err, LATCH_E_NOMEM, "the arena has no room for the answer's headers");
        return LATCH_WIRE_BROKEN;
    }
    flow how = receive(x->c, at, room, &n);
    x->more = how == MOVED;
    if (how == BLOCKED) return LATCH_WIRE_MORE;
    if (how == BROKEN) {
        (void)latch_err_set(err, LATCH_E_NETWORK, "%.150s", why_broken(x->c));
        return LATCH_WIRE_BROKEN;
    }
    return n > 0 ? latch_wire_fed(x->wire, n, err) : latch_wire_ended(x->wire, err);
}

static latch_status say_where(const exchange *x, const char *at, latch_err *err) {
    return latch_err_set(err, err->status, "%s %.80s: %s", at, x->c->settings->host, err->message);
}

/* *answered: the other side didn't wait for the whole request. It may as well answer and close, and then sending fails. */
static latch_status send_request(exchange *x, bool *answered, latch_err *err) {
    size_t all = x->asked->head.len + x->asked->body.len;
    *answered = false;
    while (x->sent < all) {
        flow how = x->c->through_curl ? send_through_curl(x) : send_plain(x);
        if (how == MOVED) continue;
        if (how == BROKEN) return latch_err_set(err, LATCH_E_NETWORK, "sending to %.80s: %.120s", x->c->settings->host, why_broken(x->c));
        int ready = wait_for(x, POLLIN | POLLOUT);
        if (ready == 0) return timed_out(x, "sending to", err);
        if ((ready & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        latch_wire_progress progress = hear(x, err);
        *answered = progress == LATCH_WIRE_DONE;
        if (progress == LATCH_WIRE_BROKEN) return say_where(x, "sending to", err);
        if (x->sent == 0 && latch_wire_heard(x->wire))
            return latch_err_set(err, LATCH_E_NETWORK, "sending to %.80s: it answers before it is asked", x->c->settings->host);
        if (*answered) return LATCH_OK;
    }
    return LATCH_OK;
}

static latch_status receive_answer(exchange *x, latch_err *err) {
    latch_wire_progress progress = LATCH_WIRE_MORE;
    while (progress == LATCH_WIRE_MORE) {
        if (wait_for(x, POLLIN) == 0)
            return timed_out(x, latch_wire_heard(x->wire) ? "reading the answer of" : "waiting for the answer of", err);
        progress = hear(x, err);
    }
    return progress == LATCH_WIRE_DONE ? LATCH_OK : say_where(x, "waiting for the answer of", err);
}

/* An answer, or the lack of one, has begun in it. */
static bool is_touched(const latch_wire *wire) { return latch_wire_heard(wire) || wire->state != LATCH_WIRE_STATUS; }

/* A kept connection may break between the look at it and the first byte: nothing was sent then, and it goes over a new one. */
static latch_status begin_sending(exchange *x, bool *answered, latch_err *err) {
    for (;;) {
        LATCH_TRY(make_ready(x, err));
        bool kept = x->c->kept;
        if (left_ms(&x->patience) <= 0) return latch_err_set(err, LATCH_E_TIMEOUT, "no time left to ask %.120s", x->c->settings->host);
        x->begun = latch_clock_instant(&x->c->local);
        latch_status status = send_request(x, answered, err);
        if (status != LATCH_E_NETWORK || x->sent > 0 || !kept || is_touched(x->wire)) return status;
        latch_connection_hang_up(x->c);
        x->patience = patience_until(x->c, x->asked->deadline_at_ms);
    }
}

static latch_status perform(exchange *x, latch_err *err) {
    latch_err unheard;
    bool answered = false;
    fill_record(x);
    latch_status status = begin_sending(x, &answered, err);
    bool whole = status == LATCH_OK && !answered; /* the request is */
    x->c->stats.requests += x->sent > 0;
    if (whole) {
        status = receive_answer(x, err);
    } else if (status == LATCH_E_NETWORK && x->sent > 0 && x->wire->state != LATCH_WIRE_FAILED && receive_answer(x, &unheard) == LATCH_OK) {
        status = LATCH_OK; /* it was refused before it was read */
    }
    if (status != LATCH_OK || !whole || !x->wire->keep_alive) latch_connection_hang_up(x->c);
    return status;
}

latch_status latch_connection_exchange(latch_connection *c, const latch_exchange *asked, latch_arena *arena, latch_wire *answer,
                                       int64_t *took_ms, latch_err *err) {
    latch_err mine = {0};
    size_t room, mark = latch_arena_mark(arena);
    exchange x = {.c = c, .asked = asked, .wire = answer, .patience = patience_until(c, asked->deadline_at_ms)};
    *took_ms = 0;
    if (err == NULL) err = &mine;
    latch_wire_begin(answer, arena, &asked->limits);
    if (latch_wire_space(answer, &room) == NULL) return latch_err_set(err, LATCH_E_NOMEM, "the arena has no room for an answer");
    latch_status status = perform(&x, err);
    if (status != LATCH_OK) {
        latch_arena_rewind(arena, mark);
        err->maybe_applied = x.sent > 0;
        return status;
    }
    *took_ms = latch_clock_since_us(&c->local, x.begun) / 1000 + 1;
    c->kept = c->easy != NULL;
    c->used = latch_clock_instant(&c->local);
    return LATCH_OK;
}

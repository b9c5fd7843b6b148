#include "tests/dynamodb/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 1100
#define REQUEST_MAX ((size_t)1 << 23)
#define DAY_S 86400L

typedef struct peer {
    scripted_server *server;
    pthread_t thread;
    int fd;
    SSL *ssl; /* NULL: plain */
    bool open;
} peer;

struct scripted_server {
    scripted_options options;
    int fd, port;
    scripted_tls tls_options;
    SSL_CTX *tls;
    char ca_file[256];
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t closed;
    bool stopping;
    peer peers[PEERS_MAX];
    size_t peer_count, accepts, resumed, requests;
    char *last;
    size_t last_len;
};

static void need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "scripted server: %s\n", what);
    abort();
}

/* ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void add_extension(X509 *of, X509 *issuer, int nid, const char *value) {
    X509V3_CTX about;
    X509V3_set_ctx_nodb(&about);
    X509V3_set_ctx(&about, issuer, of, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &about, nid, value);
    need(extension != NULL && X509_add_ext(of, extension, -1) == 1, "a certificate's extension");
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: it signs itself, as a CA. */
static X509 *certify(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, long from_s, long to_s) {
    char names[300];
    X509 *x = X509_new();
    need(x != NULL && X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1, "a certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == NULL ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    add_extension(x, issuer != NULL ? issuer : x, NID_basic_constraints, issuer != NULL ? "CA:FALSE" : "critical,CA:TRUE");
    snprintf(names, sizeof names, "DNS:%s", name);
    if (issuer != NULL) add_extension(x, issuer, NID_subject_alt_name, names);
    need(X509_sign(x, issuer_key, EVP_sha256()) > 0, "signing a certificate");
    return x;
}

static void write_ca(scripted_server *s, X509 *ca) {
    const char *dir = getenv("TMPDIR");
    snprintf(s->ca_file, sizeof s->ca_file, "%s/latch-ca-XXXXXX", dir != NULL && *dir != '\0' ? dir : "/tmp");
    int fd = mkstemp(s->ca_file);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    need(file != NULL && PEM_write_X509(file, ca) == 1 && fclose(file) == 0, "writing the CA");
}

static void set_up_tls(scripted_server *s) {
    const scripted_tls *t = &s->tls_options;
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certify("Test CA", ca_key, NULL, ca_key, -DAY_S, DAY_S),
         *other = certify("Other CA", other_key, NULL, other_key, -DAY_S, DAY_S);
    X509 *leaf =
        certify(t->name != NULL ? t->name : "localhost", key, ca, ca_key, t->expired ? -10 * DAY_S : -DAY_S, t->expired ? -DAY_S : DAY_S);
    s->tls = SSL_CTX_new(TLS_server_method());
    need(s->tls != NULL && SSL_CTX_use_certificate(s->tls, leaf) == 1 && SSL_CTX_use_PrivateKey(s->tls, key) == 1, "TLS");
    SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"s", 1);
    if (t->old) {
        need(SSL_CTX_set_cipher_list(s->tls, "ALL:@SECLEVEL=0") == 1, "old ciphers");
        SSL_CTX_set_min_proto_version(s->tls, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(s->tls, TLS1_1_VERSION);
    }
    write_ca(s, t->other_ca ? other : ca);
    X509_free(leaf);
    X509_free(other);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(ca_key);
}

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static ssize_t take(peer *p, char *at, size_t room) {
    if (p->ssl != NULL) return SSL_read(p->ssl, at, (int)room);
    return recv(p->fd, at, room, 0);
}

static bool give(peer *p, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = p->ssl != NULL ? SSL_write(p->ssl, bytes, (int)len) : send(p->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool give_answer(peer *p, const scripted_answer *a) {
    size_t len = a->bytes != NULL ? strlen(a->bytes) : 0;
    const struct timespec pause = {.tv_nsec = a->pause_ms * 1000000L};
    if (a->cut > 0 && a->cut < len) len = a->cut;
    if (a->pause_ms == 0) return len == 0 || give(p, a->bytes, len);
    for (size_t i = 0; i < len; i++) {
        if (!give(p, a->bytes + i, 1)) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* The length of a request whose head ends at `head`. */
static size_t whole(const char *bytes, size_t head) {
    const char *length = strstr(bytes, "Content-Length: ");
    return head + (length != NULL && length < bytes + head ? (size_t)strtoul(length + 16, NULL, 10) : 0);
}

/* The answer to the request whose head has come. */
static scripted_answer next_answer(scripted_server *s) {
    pthread_mutex_lock(&s->mutex);
    scripted_answer a = s->options.answers[s->requests < s->options.count ? s->requests : s->options.count - 1];
    s->requests++;
    pthread_mutex_unlock(&s->mutex);
    return a;
}

/* A request's bytes, and its answer, which may come before the body is read; 0: the client has gone. */
static size_t read_request(peer *p, char *bytes, scripted_answer *answer) {
    size_t len = 0, want = 0;
    for (;;) {
        ssize_t n = take(p, bytes + len, REQUEST_MAX - 1 - len);
        if (n <= 0) return 0;
        len += (size_t)n;
        bytes[len] = '\0';
        const char *end = want == 0 ? strstr(bytes, "\r\n\r\n") : NULL;
        if (end != NULL) {
            want = whole(bytes, (size_t)(end + 4 - bytes));
            *answer = next_answer(p->server);
        }
        if (want > 0 && (answer->early || len >= want)) return len;
    }
}

/* ── a connection ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void note(scripted_server *s, const char *bytes, size_t len) {
    pthread_mutex_lock(&s->mutex);
    memcpy(s->last, bytes, len);
    s->last_len = len;
    pthread_mutex_unlock(&s->mutex);
}

/* What the client has sent stays where it is, and keeps it from sending more. */
static void stall(const peer *p) {
    struct pollfd fd = {.fd = p->fd, .events = POLLRDHUP};
    while (poll(&fd, 1, -1) < 0)
        continue;
}

static void wait_until_gone(peer *p) {
    char byte;
    while (take(p, &byte, 1) > 0)
        continue;
}

static void serve(peer *p, char *bytes) {
    scripted_server *s = p->server;
    for (size_t served = 1;; served++) {
        scripted_answer a;
        size_t len = read_request(p, bytes, &a);
        if (len == 0) return;
        note(s, bytes, len);
        if (!give_answer(p, &a)) return;
        if (a.unasked != NULL && !give(p, a.unasked, strlen(a.unasked))) return;
        if (a.end == SCRIPTED_HANG) wait_until_gone(p);
        if (a.end == SCRIPTED_STALL) stall(p);
        if (a.end == SCRIPTED_RESET) setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        if (a.end == SCRIPTED_RESET && p->ssl != NULL) SSL_set_quiet_shutdown(p->ssl, 1);
        if (a.end != SCRIPTED_KEEP || served == s->options.close_every) return;
    }
}

static bool shake_hands(peer *p) {
    scripted_server *s = p->server;
    if (s->tls_options.mute) {
        wait_until_gone(p);
        return false;
    }
    SSL *ssl = s->tls != NULL ? SSL_new(s->tls) : NULL;
    if (ssl != NULL && (SSL_set_fd(ssl, p->fd) != 1 || SSL_accept(ssl) != 1)) {
        SSL_free(ssl);
        return false;
    }
    pthread_mutex_lock(&s->mutex);
    p->ssl = ssl;
    s->accepts++;
    s->resumed += ssl != NULL && SSL_session_reused(ssl) == 1;
    pthread_mutex_unlock(&s->mutex);
    return true;
}

static void *run_peer(void *self) {
    peer *p = self;
    char *bytes = malloc(REQUEST_MAX);
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL); /* here alone: the client under test must raise none */
    need(bytes != NULL, "memory");
    if (shake_hands(p)) serve(p, bytes);
    free(bytes);
    if (p->ssl != NULL) SSL_shutdown(p->ssl);
    pthread_mutex_lock(&p->server->mutex);
    SSL_free(p->ssl);
    p->ssl = NULL;
    close(p->fd);
    p->open = false;
    pthread_cond_broadcast(&p->server->closed);
    pthread_mutex_unlock(&p->server->mutex);
    return NULL;
}

/* ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *run(void *self) {
    scripted_server *s = self;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL), on = 1;
        pthread_mutex_lock(&s->mutex);
        if (fd < 0 || s->stopping) {
            pthread_mutex_unlock(&s->mutex);
            if (fd >= 0) close(fd);
            return NULL;
        }
        need(s->peer_count < PEERS_MAX, "too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peer *p = &s->peers[s->peer_count++];
        *p = (peer){.server = s, .fd = fd, .open = true};
        need(pthread_create(&p->thread, NULL, run_peer, p) == 0, "a thread");
        pthread_mutex_unlock(&s->mutex);
    }
}

static char *copy(const char *text) {
    char *made = text != NULL ? strdup(text) : NULL;
    need(text == NULL || made != NULL, "memory");
    return made;
}

/* A test that fails leaves its stack while a thread of ours may still answer. */
static scripted_answer *copies(const scripted_answer *answers, size_t count) {
    scripted_answer *made = malloc(count * sizeof *made);
    need(made != NULL, "memory");
    for (size_t i = 0; i < count; i++) {
        made[i] = answers[i];
        made[i].bytes = copy(answers[i].bytes);
        made[i].unasked = copy(answers[i].unasked);
    }
    return made;
}

static void free_answers(scripted_server *s) {
    for (size_t i = 0; i < s->options.count; i++) {
        free((char *)(uintptr_t)s->options.answers[i].bytes);
        free((char *)(uintptr_t)s->options.answers[i].unasked);
    }
    free((scripted_answer *)(uintptr_t)s->options.answers);
}

scripted_server *scripted_start(const scripted_options *options) {
    scripted_server *s = calloc(1, sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    need(s != NULL, "memory");
    s->options = *options;
    s->options.answers = copies(options->answers, options->count);
    s->last = malloc(REQUEST_MAX);
    need(s->last != NULL, "memory");
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->closed, NULL);
    if (options->tls != NULL) s->tls_options = *options->tls;
    if (options->tls != NULL) set_up_tls(s);
    int small = 65536; /* so that a client notices when nobody reads */
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    need(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&at, len) == 0 && listen(s->fd, 64) == 0, "listening");
    need(getsockname(s->fd, (struct sockaddr *)&at, &len) == 0, "its port");
    s->port = ntohs(at.sin_port);
    need(pthread_create(&s->thread, NULL, run, s) == 0, "a thread");
    return s;
}

/* A reader wakes up, and its thread says goodbye in order. */
static void end_peers(scripted_server *s, int how) {
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->peer_count; i++) {
        if (s->peers[i].open) shutdown(s->peers[i].fd, how);
    }
    for (size_t i = 0; i < s->peer_count; i++) {
        while (s->peers[i].open)
            pthread_cond_wait(&s->closed, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
}

void scripted_close_all(scripted_server *s) { end_peers(s, SHUT_RD); }

void scripted_stop(scripted_server *s) {
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    end_peers(s, SHUT_RDWR); /* a writer too, whose client reads no more */
    for (size_t i = 0; i < s->peer_count; i++)
        pthread_join(s->peers[i].thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->tls);
    if (s->ca_file[0] != '\0') unlink(s->ca_file);
    pthread_cond_destroy(&s->closed);
    pthread_mutex_destroy(&s->mutex);
    free_answers(s);
    free(s->last);
    free(s);
}

int scripted_port(const scripted_server *s) { return s->port; }
const char *scripted_ca(const scripted_server *s) { return s->ca_file; }

static size_t read_count(scripted_server *s, const size_t *count) {
    pthread_mutex_lock(&s->mutex);
    size_t n = *count;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

size_t scripted_accepts(scripted_server *s) { return read_count(s, &s->accepts); }
size_t scripted_resumed(scripted_server *s) { return read_count(s, &s->resumed); }
size_t scripted_requests(scripted_server *s) { return read_count(s, &s->requests); }

size_t scripted_last(scripted_server *s, char *out, size_t cap) {
    pthread_mutex_lock(&s->mutex);
    size_t len = s->last_len < cap ? s->last_len : cap - 1;
    memcpy(out, s->last, len);
    out[len] = '\0';
    pthread_mutex_unlock(&s->mutex);
    return len;
}

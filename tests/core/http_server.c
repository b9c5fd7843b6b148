#include "tests/core/http_server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX 64
#define KEPT_BYTES 4096

struct http_server {
    const served *table;
    int listener, port, stop[2]; /* a byte into stop[1] ends it */
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock;
    size_t accepts, requests;
    char kept[REQUESTS_MAX][KEPT_BYTES];
};

typedef struct connection {
    http_server *server;
    int fd;
    SSL *tls;
    char in[65536];
    size_t len;
} connection;

/* False: told to stop, or the other end is gone. */
static bool wait_readable(connection *c) {
    struct pollfd fds[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->server->stop[0], .events = POLLIN}};
    if (c->tls != NULL && SSL_pending(c->tls) > 0) return true;
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static ssize_t receive(connection *c, char *to, size_t room) {
    if (!wait_readable(c)) return -1;
    return c->tls != NULL ? SSL_read(c->tls, to, (int)room) : recv(c->fd, to, room, 0);
}

static bool send_all(connection *c, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = c->tls != NULL ? SSL_write(c->tls, bytes, (int)len) : send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static const char *head_end(const connection *c) { return memmem(c->in, c->len, "\r\n\r\n", 4); }

static size_t content_length(const connection *c, const char *end) {
    const char name[] = "\r\nContent-Length:";
    for (const char *at = c->in; at < end; at++) {
        if (strncasecmp(at, name, sizeof name - 1) == 0) return strtoul(at + sizeof name - 1, NULL, 10);
    }
    return 0;
}

static void keep(http_server *s, const char *bytes, size_t len) {
    pthread_mutex_lock(&s->lock);
    if (s->requests < REQUESTS_MAX) {
        size_t kept = len < KEPT_BYTES - 1 ? len : KEPT_BYTES - 1;
        memcpy(s->kept[s->requests], bytes, kept);
        s->kept[s->requests][kept] = '\0';
    }
    s->requests++;
    pthread_mutex_unlock(&s->lock);
}

/* One request, head and body; false at the connection's end. A body larger than the buffer is read and dropped. */
static bool read_request(connection *c, char path[256]) {
    const char *end;
    while ((end = head_end(c)) == NULL) {
        ssize_t n = c->len < sizeof c->in ? receive(c, c->in + c->len, sizeof c->in - c->len) : -1;
        if (n <= 0) return false;
        c->len += (size_t)n;
    }
    size_t head = (size_t)(end - c->in) + 4, body = content_length(c, end), whole = head + body;
    while (c->len < whole && c->len < sizeof c->in) {
        ssize_t n = receive(c, c->in + c->len, (whole < sizeof c->in ? whole : sizeof c->in) - c->len);
        if (n <= 0) return false;
        c->len += (size_t)n;
    }
    keep(c->server, c->in, c->len < whole ? c->len : whole);
    path[0] = '\0';
    sscanf(c->in, "%*s %255s", path);
    for (size_t left = whole > c->len ? whole - c->len : 0; left > 0;) {
        char dropped[16384];
        ssize_t n = receive(c, dropped, left < sizeof dropped ? left : sizeof dropped);
        if (n <= 0) return false;
        left -= (size_t)n;
    }
    size_t used = whole < c->len ? whole : c->len;
    memmove(c->in, c->in + used, c->len - used);
    c->len -= used;
    return true;
}

static bool answer(connection *c, const char *path) {
    static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    char filler[4096], byte;
    const served *row = c->server->table;
    while (row->path != NULL && strcmp(row->path, path) != 0)
        row++;
    const char *bytes = row->path != NULL ? row->answer : missing;
    if (!send_all(c, bytes, strlen(bytes))) return false;
    memset(filler, 'x', sizeof filler);
    for (size_t left = row->path != NULL ? row->filler : 0; left > 0;) {
        size_t n = left < sizeof filler ? left : sizeof filler;
        if (!send_all(c, filler, n)) return false;
        left -= n;
    }
    if (row->path != NULL && row->end == HANG) (void)receive(c, &byte, 1);
    return row->path == NULL || row->end == KEEP;
}

static void serve(http_server *s, int fd) {
    connection *c = calloc(1, sizeof *c);
    char path[256];
    if (c == NULL) abort();
    c->server = s;
    c->fd = fd;
    if (s->tls != NULL) {
        c->tls = SSL_new(s->tls);
        SSL_set_fd(c->tls, fd);
    }
    bool ok = c->tls == NULL || SSL_accept(c->tls) == 1;
    while (ok && read_request(c, path))
        ok = answer(c, path);
    if (c->tls != NULL) SSL_free(c->tls);
    free(c);
}

static void *run(void *self) {
    http_server *s = self;
    for (;;) {
        struct pollfd fds[2] = {{.fd = s->listener, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0) return NULL;
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) continue;
        pthread_mutex_lock(&s->lock);
        s->accepts++;
        pthread_mutex_unlock(&s->lock);
        serve(s, fd);
        close(fd);
    }
}

static void add_extension(X509 *cert, int nid, const char *value) {
    X509V3_CTX about;
    X509V3_set_ctx(&about, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &about, nid, value);
    if (extension == NULL || X509_add_ext(cert, extension, -1) != 1) abort();
    X509_EXTENSION_free(extension);
}

/* Signed by itself, for localhost alone: what 127.0.0.1 shows is another's. */
static SSL_CTX *make_tls(const char *dir) {
    char path[512];
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_subject_alt_name, "DNS:localhost");
    if (X509_sign(cert, key, EVP_sha256()) == 0) abort();
    snprintf(path, sizeof path, "%s/cert.pem", dir);
    FILE *file = fopen(path, "we");
    if (file == NULL || PEM_write_X509(file, cert) != 1) abort();
    fclose(file);
    if (SSL_CTX_use_certificate(tls, cert) != 1 || SSL_CTX_use_PrivateKey(tls, key) != 1) abort();
    X509_free(cert);
    EVP_PKEY_free(key);
    return tls;
}

http_server *server_start(const served *table, const char *tls_dir) {
    http_server *s = calloc(1, sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    if (s == NULL) abort();
    s->table = table;
    s->tls = tls_dir != NULL ? make_tls(tls_dir) : NULL;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&s->lock, NULL);
    if (pipe(s->stop) != 0 || bind(s->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(s->listener, 16) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&at, &len) != 0 || pthread_create(&s->thread, NULL, run, s) != 0)
        abort();
    s->port = ntohs(at.sin_port);
    return s;
}

void server_stop(http_server *s) {
    if (write(s->stop[1], "x", 1) != 1) abort();
    pthread_join(s->thread, NULL);
    close(s->listener);
    close(s->stop[0]);
    close(s->stop[1]);
    SSL_CTX_free(s->tls);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int server_port(const http_server *s) { return s->port; }

static size_t locked(http_server *s, const size_t *count) {
    pthread_mutex_lock(&s->lock);
    size_t n = *count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t server_accepts(http_server *s) { return locked(s, &s->accepts); }
size_t server_requests(http_server *s) { return locked(s, &s->requests); }
const char *server_request(http_server *s, size_t i) { return i < server_requests(s) && i < REQUESTS_MAX ? s->kept[i] : ""; }

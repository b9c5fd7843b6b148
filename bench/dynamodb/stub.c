/*
 * stub - a DynamoDB endpoint that answers at once: what the benches measure is the client, not a database.
 *
 *     stub [CERTIFICATE KEY]
 *
 * Listens on a free port of 127.0.0.1, which it prints, over HTTP or (with a PEM certificate and its key) over TLS; ends with its standard
 * input. To any POST it answers 200, {} and its x-amz-crc32; to BatchWriteItem that nothing is left; to UpdateItem an attempt that was counted
 * as the first of its window (store/attempts.h), by the id that the request has as :id.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)17 << 20)

typedef struct peer {
    int fd;
    SSL *tls; /* NULL: HTTP */
    bool shaken;
    char *in; /* what came and isn't answered yet */
    size_t len, cap;
} peer;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int listen_on_loopback(unsigned *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 64) != 0) die("listen");
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) die("getsockname");
    *port = ntohs(at.sin_port);
    return fd;
}

static void hang_up(peer *p) {
    SSL_free(p->tls);
    close(p->fd);
    free(p->in);
    free(p);
}

static void watch(int epoll, int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll");
}

static void welcome(int epoll, int listening, SSL_CTX *tls) {
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    peer *p = calloc(1, sizeof *p);
    if (p == NULL) die("memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    p->fd = fd;
    if (tls != NULL) {
        p->tls = SSL_new(tls);
        if (p->tls == NULL || SSL_set_fd(p->tls, fd) != 1) die("TLS");
        SSL_set_accept_state(p->tls);
    }
    watch(epoll, fd, p);
}

/* Bytes read; 0: none for now; less: the other side has gone. */
static int receive(peer *p) {
    if (p->cap - p->len < 65536) {
        p->cap = p->cap * 2 + 65536;
        p->in = realloc(p->in, p->cap + 1);
        if (p->in == NULL || p->cap > 4 * MAX_BYTES) die("request");
    }
    if (p->tls == NULL) {
        ssize_t n = recv(p->fd, p->in + p->len, p->cap - p->len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        return n > 0 ? (int)n : -1;
    }
    int n = SSL_read(p->tls, p->in + p->len, (int)(p->cap - p->len));
    if (n > 0) return n;
    int why = SSL_get_error(p->tls, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static bool transmit(peer *p, const char *text, size_t len) {
    if (p->tls != NULL) return SSL_write(p->tls, text, (int)len) == (int)len;
    return send(p->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

typedef enum kind { ANY, BATCH, UPDATE } kind;

/* The length of the request at the front; 0: it isn't whole. */
static size_t whole(peer *p, kind *out) {
    p->in[p->len] = '\0';
    char *end = strstr(p->in, "\r\n\r\n");
    if (end == NULL) return 0;
    size_t head = (size_t)(end - p->in) + 4, body = 0;
    *end = '\0';
    char *length = strcasestr(p->in, "\r\ncontent-length:");
    if (length != NULL) body = strtoul(length + 17, NULL, 10);
    *out = strstr(p->in, ".UpdateItem") != NULL ? UPDATE : strstr(p->in, ".BatchWriteItem") != NULL ? BATCH : ANY;
    *end = '\r';
    return p->len - head >= body ? head + body : 0;
}

static bool answer_counted(peer *p, size_t len) {
    static const char want[] = "\":id\":{\"S\":\"", head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                                                             "x-amzn-RequestId: STUB\r\nContent-Length: ";
    char body[512], text[1024];
    const char *id = memmem(p->in, len, want, sizeof want - 1);
    id = id == NULL ? "" : id + sizeof want - 1;
    int id_len = (int)strcspn(id, "\"");
    if (id_len > 64) return false;
    int body_len = snprintf(body, sizeof body,
                            "{\"Attributes\":{\"attempts\":{\"N\":\"1\"},\"created\":{\"N\":\"1800000000000\"},\"win\":{\"S\":\"%.*s\"},"
                            "\"last\":{\"S\":\"%.*s\"},\"context\":{\"S\":\"{}\"}}}",
                            id_len, id, id_len, id);
    int text_len = snprintf(text, sizeof text, "%s%d\r\n\r\n%s", head, body_len, body);
    return transmit(p, text, (size_t)text_len);
}

/* The CRCs of {} and {"UnprocessedItems":{}}. */
static bool answer(peer *p, size_t len, kind what) {
    static const char one[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: 2745614147\r\nx-amzn-RequestId: "
                              "STUB\r\nContent-Length: 2\r\n\r\n{}",
                      batch[] =
                          "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: 4185382651\r\nx-amzn-RequestId: "
                          "STUB\r\nContent-Length: 23\r\n\r\n{\"UnprocessedItems\":{}}";
    if (what == UPDATE) return answer_counted(p, len);
    return what == BATCH ? transmit(p, batch, sizeof batch - 1) : transmit(p, one, sizeof one - 1);
}

static bool serve(peer *p) {
    int n;
    while ((n = receive(p)) > 0) {
        size_t taken;
        kind what;
        p->len += (size_t)n;
        while ((taken = whole(p, &what)) > 0) {
            if (!answer(p, taken, what)) return false;
            memmove(p->in, p->in + taken, p->len - taken);
            p->len -= taken;
        }
        if (p->tls == NULL) return true; /* level-triggered: what is left is told again */
    }
    return n == 0;
}

static SSL_CTX *tls_of(const char *certificate, const char *key) {
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "stub: %s and %s are no certificate with its key\n", certificate, key);
        exit(1);
    }
    return tls;
}

int main(int argc, char **argv) {
    unsigned port;
    SSL_CTX *tls = argc > 2 ? tls_of(argv[1], argv[2]) : NULL;
    int listening = listen_on_loopback(&port), epoll = epoll_create1(EPOLL_CLOEXEC);
    int input = STDIN_FILENO;
    if (epoll < 0) die("epoll");
    watch(epoll, listening, &listening);
    watch(epoll, STDIN_FILENO, &input);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (what == &input) return 0;
            if (what == &listening) {
                welcome(epoll, listening, tls);
            } else if (!serve(what)) {
                hang_up(what);
            }
        }
    }
}

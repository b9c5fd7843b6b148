#include "tests/endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/err.h"
#include "core/wire.h"

struct endpoint {
    char host[256], port[8];
    int fd;
};

bool endpoint_given(char *url, size_t bytes) {
    const char *path = getenv("LATCH_TEST_ENDPOINT_FILE");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    if (file == NULL) return false;
    bool read = fgets(url, (int)bytes, file) != NULL;
    fclose(file);
    if (read) url[strcspn(url, "\r\n")] = '\0';
    return read && url[0] != '\0';
}

static int dial(const endpoint *e) {
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    int fd = -1, one = 1;
    if (getaddrinfo(e->host, e->port, &hints, &found) != 0) return -1;
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) fd = (close(fd), -1);
    }
    freeaddrinfo(found);
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static bool send_all(int fd, const char *at, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    endpoint *e = self;
    char head[768];
    latch_wire wire;
    latch_wire_progress progress;
    *out = (latch_reply){0};
    if (e->fd < 0) e->fd = dial(e);
    int len =
        snprintf(head, sizeof head,
                 "POST / HTTP/1.1\r\nHost: %s:%s\r\nX-Amz-Target: DynamoDB_20120810.%s\r\nContent-Type: application/x-amz-json-1.0\r\n"
                 "Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, "
                 "Signature=0\r\nContent-Length: %zu\r\n\r\n",
                 e->host, e->port, send->operation, send->request.len);
    if (e->fd < 0 || !send_all(e->fd, head, (size_t)len) || !send_all(e->fd, send->request.ptr, send->request.len))
        return latch_err_set(err, LATCH_E_NETWORK, "endpoint: could not send");
    latch_wire_begin(&wire, arena, &(latch_wire_limits){.head_bytes = 16384, .body_bytes = (size_t)64 << 20});
    do {
        size_t room;
        char *at = latch_wire_space(&wire, &room);
        ssize_t n = at != NULL ? recv(e->fd, at, room, 0) : -1;
        progress = n > 0 ? latch_wire_fed(&wire, (size_t)n, err) : latch_wire_ended(&wire, err);
    } while (progress == LATCH_WIRE_MORE);
    if (progress != LATCH_WIRE_DONE || !wire.keep_alive) e->fd = (close(e->fd), -1);
    if (progress != LATCH_WIRE_DONE) return LATCH_E_NETWORK;
    *out = (latch_reply){.http_status = wire.status, .body = latch_wire_body(&wire)};
    return LATCH_OK;
}

static void close_one(void *self) { endpoint_close(self); }

static latch_status more(void *self, latch_transport *out, latch_err *err) {
    endpoint *e = malloc(sizeof *e);
    if (e == NULL) return latch_err_set(err, LATCH_E_NOMEM, "endpoint: no memory");
    *e = *(endpoint *)self;
    e->fd = -1;
    *out = endpoint_transport(e);
    return LATCH_OK;
}

endpoint *endpoint_open(const char *url) {
    endpoint *e = calloc(1, sizeof *e);
    if (e == NULL || sscanf(url, "http://%255[^:/]:%7[0-9]", e->host, e->port) != 2) {
        fprintf(stderr, "endpoint: %s is no http://host:port\n", url);
        free(e);
        return NULL;
    }
    e->fd = -1;
    return e;
}

void endpoint_close(endpoint *e) {
    if (e == NULL) return;
    if (e->fd >= 0) close(e->fd);
    free(e);
}

latch_transport endpoint_transport(endpoint *e) { return (latch_transport){.call = call, .self = e, .more = more, .close = close_one}; }

/*
 * floor - what a function costs at least: bare sockets in one static file, that answers each event with itself. No client that does more can
 * start sooner or answer faster. It does what bench/package/lambda.c needs and nothing else: it is no runtime to deploy.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_BYTES 65536

static char in[MAX_BYTES + 1], out[2 * MAX_BYTES];

static int dial(const char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (address == NULL || sscanf(address, "%63[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &at.sin_addr) != 1) return -1;
    at.sin_port = htons((unsigned short)port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Sends what `out` has and receives a whole answer; its body, NULL: there is none. */
static char *exchange(int fd, size_t len) {
    size_t got = 0;
    if (send(fd, out, len, MSG_NOSIGNAL) != (ssize_t)len) return NULL;
    while (got < MAX_BYTES) {
        ssize_t n = recv(fd, in + got, MAX_BYTES - got, 0);
        if (n <= 0) return NULL;
        got += (size_t)n;
        in[got] = '\0';
        char *body = strstr(in, "\r\n\r\n"), *length = strstr(in, "\r\nContent-Length: ");
        if (body == NULL || length == NULL) continue;
        body += 4;
        if (got - (size_t)(body - in) >= strtoul(length + 18, NULL, 10)) return body;
    }
    return NULL;
}

static size_t write_reply(const char *address, const char *body) {
    const char *id = strstr(in, "\r\nLambda-Runtime-Aws-Request-Id: ");
    int id_len = id == NULL ? 0 : (int)strcspn(id + 33, "\r");
    int len =
        snprintf(out, sizeof out, "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n%s",
                 id_len, id == NULL ? "" : id + 33, address, strlen(body), body);
    return len > 0 && (size_t)len < sizeof out ? (size_t)len : 0;
}

int main(void) {
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    int fd = dial(address);
    if (fd < 0) return 1;
    for (;;) {
        int len = snprintf(out, sizeof out, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", address);
        const char *event = exchange(fd, (size_t)len);
        if (event == NULL) return 1;
        size_t reply = write_reply(address, event);
        if (reply == 0 || exchange(fd, reply) == NULL) return 1;
    }
}

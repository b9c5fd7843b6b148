/* wire.h - what the services of tests do with sockets and heads, one as the other. What they can't go on without ends the test. */
#ifndef TESTS_RUNTIME_WIRE_H
#define TESTS_RUNTIME_WIRE_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define WIRE_ADDRESS_BYTES 32

static inline void wire_fail(const char *what) {
    perror(what);
    abort();
}

/* A socket of this type on a free port of loopback, and its address, "127.0.0.1:<port>". */
static inline int wire_bind(int type, char address[WIRE_ADDRESS_BYTES]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0) wire_fail("bind");
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) wire_fail("getsockname");
    snprintf(address, WIRE_ADDRESS_BYTES, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return fd;
}

static inline int wire_listen(int backlog, char address[WIRE_ADDRESS_BYTES]) {
    int fd = wire_bind(SOCK_STREAM, address);
    if (listen(fd, backlog) != 0) wire_fail("listen");
    return fd;
}

/* False: the other side has gone. */
static inline bool wire_send(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* A header's value in a head that is NUL-terminated, its name without case; NULL: it isn't there. */
static inline const char *wire_header(const char *head, const char *name, size_t *len) {
    size_t name_len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, name_len) != 0 || line[2 + name_len] != ':') continue;
        const char *value = line + 3 + name_len + strspn(line + 3 + name_len, " ");
        *len = strcspn(value, "\r");
        return value;
    }
    return NULL;
}

#endif

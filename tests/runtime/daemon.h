/* daemon.h - X-Ray's daemon, as far as a test has one: a UDP socket of ours on a free port, where what the runtime sends can be read. */
#ifndef TESTS_RUNTIME_DAEMON_H
#define TESTS_RUNTIME_DAEMON_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The socket, which the environment names from now on; -1: there is none. */
static inline int daemon_open(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char address[64];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || getsockname(fd, (struct sockaddr *)&at, &len) != 0) return -1;
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(at.sin_port));
    setenv("AWS_XRAY_DAEMON_ADDRESS", address, 1);
    return fd;
}

#endif

/* daemon.h - X-Ray's daemon, as far as a test has one: a UDP socket of ours on a free port, where what the runtime sends can be read. */
#ifndef TESTS_RUNTIME_DAEMON_H
#define TESTS_RUNTIME_DAEMON_H

#include "tests/runtime/wire.h"

/* The socket, which the environment names from now on. */
static inline int daemon_open(void) {
    char address[WIRE_ADDRESS_BYTES];
    int fd = wire_bind(SOCK_DGRAM, address);
    setenv("AWS_XRAY_DAEMON_ADDRESS", address, 1);
    return fd;
}

#endif

/* logged.h - the room of a test file, with a log that is read write by write: each is a message at the other end. */
#ifndef TESTS_CORE_LOGGED_H
#define TESTS_CORE_LOGGED_H

#include <sys/socket.h>

#include "core/log.h"
#include "tests/core/room.h"

static room r;
static latch_log logs;
static int ends[2]; /* a write into ends[0] is a message at ends[1] */

/* For set_up and tear_down. */
static inline int logged_open(size_t memory_bytes) {
    room_open(&r, memory_bytes);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return -1;
    logs = (latch_log){.fd = ends[0]};
    r.cx.log = &logs;
    return 0;
}

static inline int logged_close(void) {
    close(ends[0]);
    close(ends[1]);
    room_close(&r);
    return 0;
}

/* The next write, whole and NUL-terminated; its length, 0 where there was none. */
static inline size_t logged_read(char *to, size_t bytes) {
    ssize_t n = recv(ends[1], to, bytes - 1, MSG_DONTWAIT);
    to[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

#endif

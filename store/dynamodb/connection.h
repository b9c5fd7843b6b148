/*
 * store/dynamodb/connection.h - one HTTP/1.1 connection to one endpoint, kept open between exchanges. One thread.
 *
 * libcurl makes it: names, TCP, TLS, proxies (always a tunnel, so that whoever answers is the endpoint; never for loopback or link-local).
 * From then on requests and answers are framed here. TLS 1.2 or later, peer and host are verified, against what trust.h says; a TLS session
 * is resumed where the other side offers it.
 *
 * What a kept connection says before a request is spent on it: closed, or bytes that nobody asked for: it is replaced, within the exchange.
 * It is closed after an answer that says so, and after any failure.
 *
 * Sending never raises SIGPIPE, but with TLS and a libcurl older than 7.87: such a process ignores it, as the runtime does.
 */
#ifndef LATCH_STORE_DYNAMODB_CONNECTION_H
#define LATCH_STORE_DYNAMODB_CONNECTION_H

#include "core/clock.h"
#include "core/wire.h"
#include "store/dynamodb/contact.h"
#include "store/dynamodb/settings.h"

typedef struct latch_connection latch_connection;

typedef struct latch_exchange {
    latch_str head, body;        /* the bytes to send; borrowed */
    int64_t deadline_at_ms;      /* by the clock of open; where that is set meanwhile, the time that it gave at the beginning counts */
    int64_t idle_deadline_at_ms; /* of a connection that was idle for longer than `idle_ms`; 0, or past: such a one is replaced */
    int64_t idle_ms;
    latch_wire_limits limits; /* of the answer */
} latch_exchange;

typedef struct latch_connection_stats {
    uint64_t connections; /* opened */
    uint64_t requests;    /* of which at least a byte was sent */
} latch_connection_stats;

/* Opens nothing yet. Borrows settings. LATCH_E_MISUSE: the URL is none, or a CA file can't be read. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_connection_open(latch_connection **out, const latch_settings *settings, latch_clock clock,
                                                   latch_err *err);
void latch_connection_close(latch_connection *c); /* NULL: nothing */

/* Before the first exchange, where `clock` is one that answers correct: spans are counted by what it is made of, and no correction is a span. */
void latch_connection_count_by(latch_connection *c, latch_clock local);

/*
 * One request, one answer, whatever its status; *answer is in the arena, which takes a full block before anything is sent.
 *
 * LATCH_E_NETWORK, LATCH_E_TIMEOUT: the message says at what: names, connecting, TLS (and which of its checks), sending, waiting.
 * LATCH_E_NOMEM: the arena has no room for a head, or libcurl no memory.
 * err->maybe_applied is false where no byte of the request was sent. *took_ms: from before the first byte was sent until the answer was
 * whole, rounded up, by the larger of wall and boot time.
 */
LATCH_NODISCARD latch_status latch_connection_exchange(latch_connection *c, const latch_exchange *x, latch_arena *arena, latch_wire *answer,
                                                       int64_t *took_ms, latch_err *err);

void latch_connection_hang_up(latch_connection *c); /* the next exchange goes over a new one */

/*
 * What OpenSSL keeps of randomness is seeded anew from the system: after a snapshot, which others go on from, too. It notices a fork by itself,
 * but not this. False: the system has none to give.
 */
LATCH_NODISCARD bool latch_connection_reseed(void);

latch_connection_stats latch_connection_measure(const latch_connection *c);
latch_contact latch_connection_contact(const latch_connection *c); /* of the one that is open now */

#endif

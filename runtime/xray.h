/*
 * runtime/xray.h - AWS X-Ray: one document an invocation, to the daemon that Lambda runs. For the runtime.
 *
 * LATCH_TRACE=xray turns it on; unset, nothing is read and nothing sent. The document is a subsegment under the service's own segment of the
 * invocation: "## NAME" of the handler, and in it one for each span that was kept (core/span.h): each call of DynamoDB (namespace aws, with
 * operation, table, request id, retries, status), each request of the handler's own (namespace remote, by its host's name), each wait, each step
 * that the handler names. Of more than 64 the last are kept, and how many others there were is said.
 *
 * It goes as one UDP datagram of at most 64 000 bytes, without waiting, after the answer was posted, to AWS_XRAY_DAEMON_ADDRESS: "HOST:PORT",
 * or "tcp:HOST:PORT udp:HOST:PORT"; HOST is an IPv4 address, an IPv6 address in brackets, or localhost. What can't be sent is lost; it never
 * fails an invocation. Sent only where the header of the invocation has Root, Parent and Sampled=1.
 * Sources: "Segment documents" and "Daemon" of AWS X-Ray's developer guide; the documents of aws-xray-sdk (Python) 2.15.0,
 * beside which tests/observe compares these.
 */
#ifndef LATCH_RUNTIME_XRAY_H
#define LATCH_RUNTIME_XRAY_H

#include <sys/socket.h>

#include "core/ctx_private.h"
#include "core/span.h"
#include "core/text.h"
#include "core/trace_context.h"

#define LATCH_TRACE_DATAGRAM_BYTES 64000

typedef struct latch_xray { /* a worker's; zero: off */
    bool on, sampled;       /* sampled: this invocation's is sent */
    int fd;
    latch_trace_random random;
    latch_trace_context context;
    char *datagram; /* LATCH_TRACE_DATAGRAM_BYTES */
} latch_xray;

/* As the environment says. What is wrong with the address is one WARN record, and it stays off. close undoes it. */
void latch_xray_open(latch_xray *trace, latch_ctx *cx);
void latch_xray_close(latch_xray *trace);

/* cx->trace_id is the invocation's. Where it is sent, cx->trace_seed is set, of which its spans' ids are made. */
void latch_xray_begin(latch_xray *trace, latch_ctx *cx);

typedef struct latch_xray_invocation {
    const char *handler;
    int64_t from_us, to_us; /* of the handler, by the clock's boot_us */
    latch_status status;    /* that the invocation ended with; cx->err has its error */
    bool cold;
} latch_xray_invocation;

/* Async-signal-safe. */
void latch_xray_end(latch_xray *trace, const latch_ctx *cx, const latch_xray_invocation *invocation);

/* "127.0.0.1:2000" and its like; *len is 0 where it can't be read. */
void latch_xray_read_address(const char *text, struct sockaddr_storage *to, socklen_t *len);

#endif

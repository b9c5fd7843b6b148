/*
 * server.h - an HTTP/1.1 server in the loop (libmicrohttpd): whole requests in, or their bodies as they come; replies out, at once or later.
 *
 * A request that isn't answered in on_request is held: its connection sleeps until latch_exchange_reply.
 */
#ifndef LATCH_LOCAL_SERVER_H
#define LATCH_LOCAL_SERVER_H

#include "buffer.h"
#include "core/status.h"
#include "loop.h"

typedef struct latch_server latch_server;
typedef struct latch_exchange latch_exchange; /* one request; gone once its reply was sent */

typedef struct latch_server_config {
    const char *host;        /* an IPv4 or IPv6 address */
    uint16_t port;           /* 0: a free one */
    size_t max_body_bytes;   /* what is kept of a request's body; the rest is counted and dropped */
    size_t connection_bytes; /* of header blocks, and of the pieces a body comes in; cleared after each request; 0: 512 KiB */
    void (*on_request)(void *arg, latch_exchange *x); /* all of it is here */
    void (*on_head)(void *arg, latch_exchange *x); /* its body isn't: the place to call latch_exchange_intake or _hang_up; NULL: nothing */
    void *arg;
} latch_server_config;

latch_status latch_server_start(latch_loop *loop, const latch_server_config *config, latch_server **out, latch_err *err);
uint16_t latch_server_port(const latch_server *server);
void latch_server_stop(latch_server *server); /* held requests are answered 503; NULL: nothing */

/* What came. Everything is borrowed until the reply. */
const char *latch_exchange_method(const latch_exchange *x);
const char *latch_exchange_target(const latch_exchange *x);                   /* as sent: path and query, percent-encoded */
const char *latch_exchange_header(const latch_exchange *x, const char *name); /* the first of that name; NULL */
void latch_exchange_headers(const latch_exchange *x, void (*each)(void *arg, const char *name, const char *value), void *arg);
size_t latch_exchange_body_bytes(const latch_exchange *x);                         /* as sent, also where it was not kept */
latch_buffer latch_exchange_take_body(latch_exchange *x);                          /* the caller's to clean up */
const char *latch_exchange_client(const latch_exchange *x, char *out, size_t cap); /* "127.0.0.1" */
bool latch_exchange_is_gone(const latch_exchange *x); /* the client of a held request has closed its connection */

/* A request's body as it comes, instead of being kept. on_request follows its last byte. */
typedef struct latch_intake {
    void *arg;
    size_t (*data)(void *arg, const char *bytes, size_t len); /* how much is taken; less: the rest comes after latch_exchange_resume */
    void (*cut)(void *arg);                                   /* the connection ended before the body: the exchange is gone */
} latch_intake;

void latch_exchange_intake(latch_exchange *x, latch_intake intake);            /* in on_head */
void latch_exchange_resume(latch_exchange *x);                                 /* not from within `data`; where nothing waits, nothing */
bool latch_exchange_is_asleep(const latch_exchange *x);                        /* part of its body wasn't taken */
const char *latch_exchange_trailer(const latch_exchange *x, const char *name); /* of a chunked body, in on_request; NULL */

/* Without an answer, or with what was written to the descriptor: the connection ends, and of the exchange nothing more is heard. */
void latch_exchange_hang_up(latch_exchange *x);
int latch_exchange_fd(const latch_exchange *x); /* -1: none any more */

typedef struct latch_field {
    const char *name, *value;
} latch_field;

typedef enum latch_keeping {
    LATCH_COPIED, /* the body's bytes are copied now */
    LATCH_KEPT,   /* they outlive the server */
    LATCH_GIVEN   /* malloc'ed, and the server's to free */
} latch_keeping;

typedef struct latch_reply {
    unsigned status;
    const latch_field *headers; /* copied; one that HTTP can't carry is left out */
    size_t header_count;
    latch_str body;
    latch_keeping keeping;
    bool close;   /* the connection too */
    bool chunked; /* instead of a Content-Length */
} latch_reply;

void latch_exchange_reply(latch_exchange *x, const latch_reply *reply); /* once */

/*
 * A reply whose body comes bit by bit: chunked, or until the connection's end for an HTTP/1.0 client; each piece goes out at once.
 *
 * Instead of latch_exchange_reply; `head` without a body. Then latch_exchange_write as often as there is something, and
 * latch_exchange_finish once, after which `x` is the server's. A client that goes ends it too: then on_gone is the last that is heard of
 * `x`. One that goes silently is noticed at the next write. At the server's stop what isn't finished is cut, without a callback.
 */
typedef struct latch_writer {
    void (*on_room)(void *arg); /* after a write that wasn't taken whole: there is room again */
    void (*on_gone)(void *arg);
    void *arg;
} latch_writer;

#define LATCH_WRITER_BYTES ((size_t)64 * 1024) /* what waits for a slow client, beside what the kernel holds */

void latch_exchange_stream(latch_exchange *x, const latch_reply *head, const latch_writer *writer);
size_t latch_exchange_write(latch_exchange *x, const char *bytes, size_t len); /* how much of it is taken */
void latch_exchange_finish(latch_exchange *x, bool whole); /* false: the connection is cut, so that the client sees that there was more */

#endif

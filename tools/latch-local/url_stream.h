/*
 * url_stream.h - a streamed response on its way to the client of a function URL with InvokeMode: RESPONSE_STREAM.
 *
 * Status, headers and cookies are the prelude's; what follows goes out as it comes, chunked. A slow client slows the function; one that
 * leaves doesn't stop it: its bytes are dropped. A failure before the prelude's end is a 502; after it the connection is cut, which is
 * all that a client can see of it. A function that doesn't stream is answered as ever: then nothing here has happened.
 */
#ifndef LATCH_LOCAL_URL_STREAM_H
#define LATCH_LOCAL_URL_STREAM_H

#include "http_answer.h"
#include "server.h"

#define LATCH_PRELUDE_BYTES ((size_t)256 * 1024) /* more without its end is none */

typedef struct latch_url_stream {
    latch_stream_sink sink; /* the invocation's */
    /* what became of it */
    bool begun;          /* the function streams */
    bool ended;          /* it has, however */
    bool left;           /* the client went before the end */
    unsigned status;     /* that was sent; 0: none so far */
    uint64_t body_bytes; /* that the function wrote after the prelude */
    char *problem;       /* NULL: none */
    /* its own */
    latch_exchange *x; /* NULL: answered whole, or the client is gone */
    const char *request_id;
    void (*on_bytes)(void *arg, latch_str bytes);
    void *arg;
    latch_stream_source source;
    latch_buffer prelude;
    bool in_prelude, is_open;
} latch_url_stream;

/* on_bytes: everything that the function writes, prelude included, once. request_id and x are borrowed until the end. */
void latch_url_stream_init(latch_url_stream *u, latch_exchange *x, const char *request_id, void (*on_bytes)(void *arg, latch_str bytes),
                           void *arg);
void latch_url_stream_let_go(latch_url_stream *u); /* before the server stops: what comes after this is dropped */
void latch_url_stream_clean_up(latch_url_stream *u);

#endif

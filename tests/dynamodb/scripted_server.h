/*
 * scripted_server.h - an HTTP or HTTPS server on 127.0.0.1 that answers as a test wrote it, byte for byte: whole, late, slow, cut, reset,
 * early, or not at all. A thread accepts, each connection has one of its own. It judges nothing: it counts, and keeps what came in.
 *
 *     const scripted_answer answers[] = {{.bytes = "HTTP/1.1 200 OK\r\n…"}, {.bytes = …, .cut = 20, .end = SCRIPTED_RESET}};
 *     scripted_server *s = scripted_start(&(scripted_options){.answers = answers, .count = 2});
 *
 * Request i of all its connections gets answer i; the last one goes on.
 */
#ifndef TESTS_DYNAMODB_SCRIPTED_SERVER_H
#define TESTS_DYNAMODB_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum scripted_end {
    SCRIPTED_KEEP,
    SCRIPTED_CLOSE, /* in order: FIN, and TLS's close_notify */
    SCRIPTED_RESET, /* RST */
    SCRIPTED_HANG,  /* nothing more, until the client goes */
    SCRIPTED_STALL  /* the same, and nothing more is read */
} scripted_end;

typedef struct scripted_answer {
    const char *bytes;   /* NULL: none */
    size_t cut;          /* 0: all of them; else so many */
    int pause_ms;        /* between two bytes; 0: all at once */
    bool early;          /* as soon as the request's head is there; the rest of it is not read */
    const char *unasked; /* bytes that follow the answer and belong to none */
    scripted_end end;
} scripted_answer;

typedef struct scripted_tls {
    const char *name;       /* that the certificate is for; NULL: localhost */
    bool expired, other_ca; /* the CA that clients trust didn't sign it */
    bool old;               /* TLS 1.1 and no later version */
    bool mute;              /* connections are accepted, nobody shakes hands */
} scripted_tls;

typedef struct scripted_options {
    const scripted_answer *answers;
    size_t count;
    size_t close_every;      /* after so many requests on a connection it is closed, in order, behind the answer */
    const scripted_tls *tls; /* NULL: plain HTTP */
} scripted_options;

typedef struct scripted_server scripted_server;

scripted_server *scripted_start(const scripted_options *options); /* borrows nothing; aborts where it can't: no test can go on */
void scripted_stop(scripted_server *s);                           /* ends every connection and joins every thread */

int scripted_port(const scripted_server *s);
const char *scripted_ca(const scripted_server *s); /* a PEM file, removed by stop */
void scripted_close_all(scripted_server *s);       /* all that are open now, in order; they are closed when it returns */

size_t scripted_accepts(scripted_server *s);                     /* connections so far; with TLS, those that shook hands */
size_t scripted_resumed(scripted_server *s);                     /* of them, those that resumed a session */
size_t scripted_requests(scripted_server *s);                    /* whose head was read */
size_t scripted_last(scripted_server *s, char *out, size_t cap); /* the last request's bytes, NUL-terminated; their number */

#endif

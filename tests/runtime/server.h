/*
 * server.h - a Runtime API for tests: it answers what a script says, in its order, on a port of its own, and remembers what it was asked.
 *
 *     static const server_step script[] = {{.event = "{}"}, {.answer = ACCEPTED}};
 *     server_start(&server, script, COUNT_OF(script));
 *     … run the loop against server.address …
 *     server_stop(&server);
 *     assert_string_equal(server.requests[1].body, "null");
 *
 * It asserts nothing: what it saw is looked at by the test, after stop.
 */
#ifndef TESTS_RUNTIME_SERVER_H
#define TESTS_RUNTIME_SERVER_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_REQUESTS_MAX 256

#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
typedef enum server_stall { /* what happens between a request that was read and its answer, beside `signal` and `pause_ms` */
                            NOT,
                            HALFWAY, /* it happens in the middle of the answer */
                            HOLDS /* no answer: the connection stays open until the other side closes it, stop, or `pause_ms` where it is given */
} server_stall;

/* Neither has a request id: the first one ends a loop well. */
#define SHUTDOWN "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

typedef enum server_way {
    ANSWERS,
    DRIBBLES,       /* byte by byte */
    CUTS,           /* reads the request and closes */
    CUTS_ANSWER,    /* sends the answer but for its last byte, then closes */
    CUTS_AFTER,     /* sends the answer and closes without having said so */
    CUTS_UNREAD,    /* closes after the request's head, its body unread */
    ANSWERS_UNREAD, /* sends the answer after the request's head, its body unread, and closes */
    CUTS_AT,        /* closes after `at` bytes of the request, head included */
    ANSWERS_AT      /* sends the answer after `at` bytes of it, the rest unread, and closes */
} server_way;

typedef struct server_step {
    const char *answer; /* as it goes out; NULL: 200 with the event */
    server_stall stall; /* then `signal` is sent to this process, 0: none, and `pause_ms` waited for */
    int signal, pause_ms;
    const char *event;   /* NULL: an empty one */
    size_t event_len;    /* 0: strlen */
    const char *headers; /* of the event, whole lines with their CR LF; NULL: REQUEST_1 */
    server_way way;
    int times;                /* 0: once */
    size_t at;                /* of CUTS_AT and ANSWERS_AT */
    int pauses_us;            /* before each read of a chunked body: a slow client; before CUTS_AT closes: one that is stuck */
    int stuck_ms;             /* once, behind what of a chunked body came with its head */
    long long stuck_until_ms; /* the same, up to a moment, by the wall */
} server_step;
#define REQUEST_1 "Lambda-Runtime-Aws-Request-Id: r-1\r\n"

typedef struct server_request {
    char *head; /* NUL-terminated, with its last empty line */
    char *body; /* NUL-terminated; of a chunked one the bytes as they came, sizes and trailers among them */
    size_t body_len;
    int connection; /* 1 for the first that was accepted */
} server_request;

typedef struct server {
    char address[32];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of steps and requests */
    const server_step *steps;
    size_t step_count, at;
    int done; /* of a step with `times` */
    atomic_bool stopping;
    atomic_size_t count;    /* requests, also those that found no place */
    atomic_int connections; /* accepted */
    atomic_int closed;      /* of them, by the server */
    atomic_size_t received; /* bytes of chunked bodies */
    bool forgets;           /* keeps none of the requests: for long runs */
    server_request requests[SERVER_REQUESTS_MAX];
} server;

/* A GET of extension/event/next takes no step, and is held. After the last step: /next is answered SHUTDOWN, a POST ACCEPTED. `server` is zero but for `forgets`. */
void server_start(server *s, const server_step *steps, size_t count);
void server_stop(server *s);   /* the requests stay */
void server_forget(server *s); /* frees them */

/* A header's value of the request, without case; "" where it isn't there. Overwritten by the next call. */
const char *server_header(const server_request *request, const char *name);

/* "POST /2018-06-01/runtime/invocation/r-1/response" */
const char *server_line(const server_request *request);

#endif

/*
 * http_server.h - an HTTP server for tests, in a thread on 127.0.0.1: answers by path, as the test wrote them, and keeps what came in.
 *
 * It serves one connection at a time, as many requests on each as the client sends. It never judges: the test does, in its own thread,
 * after server_stop or between its requests.
 */
#ifndef TESTS_CORE_HTTP_SERVER_H
#define TESTS_CORE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum served_end { KEEP, CLOSE, HANG } served_end; /* after the answer; HANG: until the client goes */

typedef struct served {
    const char *path;   /* as it stands in the request line */
    const char *answer; /* its bytes */
    size_t filler;      /* so many 'x' behind it */
    served_end end;
} served;

typedef struct http_server http_server;

/* `table` ends with a NULL path; what isn't in it gets 404. tls_dir: NULL, or a folder where cert.pem is put, for localhost. */
http_server *server_start(const served *table, const char *tls_dir);
void server_stop(http_server *s); /* joins its thread */

int server_port(const http_server *s);
size_t server_accepts(http_server *s);                /* connections so far */
size_t server_requests(http_server *s);               /* requests so far */
const char *server_request(http_server *s, size_t i); /* its head and what was read of its body, NUL-terminated; "" where there is none */

#endif

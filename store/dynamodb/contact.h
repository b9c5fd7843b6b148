/* store/dynamodb/contact.h - how a connection was made: for `latch doctor`. */
#ifndef LATCH_STORE_DYNAMODB_CONTACT_H
#define LATCH_STORE_DYNAMODB_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct latch_contact {
    bool open;                       /* false: there is none, and all else is zero */
    bool proxied;                    /* through a proxy's tunnel: `address` is the proxy's */
    char address[64];                /* "127.0.0.1", "::1" */
    const char *tls;                 /* "TLSv1.3"; static; NULL: without TLS */
    int64_t name_us, tcp_us, tls_us; /* each by itself: to resolve the name, to connect, to shake hands (a proxy's tunnel is in it) */
} latch_contact;

#endif

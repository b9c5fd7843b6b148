/*
 * dynamodb_protocol.h - AWS's JSON 1.0 protocol for DynamoDB, over the embedded engine: a whole HTTP request in, an answer out.
 *
 * It knows no sockets. Any credentials are taken, and any signature: one has to be there, as DynamoDB Local has it. Operations, answers
 * and errors are the engine's (store/embedded/engine.h); docs/local-dynamodb.md says what differs from DynamoDB and from DynamoDB Local.
 */
#ifndef LATCH_LOCAL_DYNAMODB_PROTOCOL_H
#define LATCH_LOCAL_DYNAMODB_PROTOCOL_H

#include "core/status.h"

#define LATCH_DYNAMODB_REQUEST_BYTES ((size_t)16 << 20) /* a longer body is refused, as there */

typedef struct latch_dynamodb_local latch_dynamodb_local;

typedef struct latch_dynamodb_local_options {
    size_t max_bytes; /* of the engine; 0: 256 MiB */
    int64_t lag_ms;   /* how far eventual reads lag; 0: they don't */
    uint64_t seed;    /* of Scan's order; 0: another each time */
} latch_dynamodb_local_options;

/* LATCH_E_NOMEM, LATCH_E_MISUSE. */
latch_status latch_dynamodb_local_init(latch_dynamodb_local **out, const latch_dynamodb_local_options *options, latch_err *err);
void latch_dynamodb_local_clean_up(latch_dynamodb_local *local); /* NULL: nothing */

/* The table that all stores share, with time to live on. LATCH_E_MISUSE: the name is none; there is one of that name; no room. */
latch_status latch_dynamodb_local_create_table(latch_dynamodb_local *local, const char *name, latch_err *err);

typedef struct latch_dynamodb_request {
    const char *method;                                       /* "POST" */
    const char *(*header)(const void *arg, const char *name); /* the value of the first of that name; NULL */
    const void *arg;                                          /* of header */
    latch_str body;                                           /* what was kept of it: all, where it isn't too long */
    size_t body_bytes;                                        /* as sent */
} latch_dynamodb_request;

typedef struct latch_dynamodb_answer {
    unsigned status;
    const char *content_type; /* a literal */
    latch_str body;           /* borrowed until the next request */
    char request_id[37];      /* a UUID */
    char crc32[11];           /* of the body, decimal */
    char operation[48];       /* "GetItem"; empty where the request names none: for a log */
} latch_dynamodb_answer;

/* Always an answer: what goes wrong here is a 500 with AWS's InternalServerError. Not thread-safe. */
void latch_dynamodb_local_answer(latch_dynamodb_local *local, const latch_dynamodb_request *request, latch_dynamodb_answer *out);

#endif

/*
 * sides.h - the two that are compared, each behind the one seam: the embedded engine, and a DynamoDB endpoint.
 *
 * A twin is an engine with one thing broken: the comparison has to report it.
 */
#ifndef TESTS_DIFFERENTIAL_SIDES_H
#define TESTS_DIFFERENTIAL_SIDES_H

#include <yyjson.h>

#include "store/embedded/engine.h"
#include "store/transport.h"

typedef enum twin {
    NO_TWIN,
    TWIN_TEXT,      /* one error's text ends otherwise */
    TWIN_CONDITION, /* the conditions of puts are dropped */
    TWIN_LOST,      /* one delete in four is answered and not done */
    TWIN_ORDER,     /* Query answers in the other direction */
    TWIN_COUNT
} twin;
extern const char *const twin_names[TWIN_COUNT];

typedef struct reply {
    int http_status;
    yyjson_doc *doc; /* owned; NULL: no JSON */
} reply;
void reply_free(reply *r);
yyjson_val *reply_root(const reply *r);
const char *reply_error(const reply *r);   /* "ValidationException"; "" for a 200 */
const char *reply_message(const reply *r); /* "" where there is none */

typedef struct side {
    latch_transport transport;
    latch_arena arena;
    char *memory;
    twin twin;
    unsigned deletes;
} side;

typedef struct sides {
    side engine, other;
    latch_embedded *embedded;
    struct endpoint *endpoint;
} sides;

/* Ends the process where the endpoint can't be reached. */
void sides_open(sides *s, const char *url, twin broken);
void sides_close(sides *s);

/* One request; a side that doesn't answer ends the process. */
reply side_ask(side *s, const char *operation, const char *request, size_t len);

#endif

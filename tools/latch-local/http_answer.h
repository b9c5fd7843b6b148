/*
 * http_answer.h - what became of an invocation, as an HTTP response: payload format 2.0.
 *
 * An object with a statusCode says everything itself; any other JSON is the body of a 200, application/json. A failed invocation, and an
 * answer that is neither, is a 502; one that was killed at its deadline a 504. Source: API Gateway's documentation of Lambda integrations
 * for HTTP APIs (which hides the difference: its failed integrations are all 500; REST APIs tell 502 from 504, and so do we).
 */
#ifndef LATCH_LOCAL_HTTP_ANSWER_H
#define LATCH_LOCAL_HTTP_ANSWER_H

#include "invocation.h"

typedef struct latch_http_line { /* of a header */
    char *name, *value;
} latch_http_line;

typedef struct latch_http_answer {
    unsigned status;
    latch_http_line *headers;
    size_t header_count;
    latch_buffer body;
    char *problem; /* why it is a 502 or 504; NULL: the function's own answer */
} latch_http_answer;

/* is_url: a function URL's, whose default Content-Type is application/json; an HTTP API's is text/plain. */
void latch_http_answer_make(latch_http_answer *out, const latch_invocation *inv, bool is_url);
void latch_http_answer_clean_up(latch_http_answer *a);

#endif

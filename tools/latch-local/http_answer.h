/*
 * http_answer.h - what became of an invocation, as an HTTP response: payload format 2.0.
 *
 * An object with a statusCode says everything itself; any other JSON is the body of a 200, application/json. A failed invocation, and an
 * answer that is neither, is a 502; one that was killed at its deadline a 504. Source: API Gateway's documentation of Lambda integrations
 * for HTTP APIs (which hides the difference: its failed integrations are all 500; REST APIs tell 502 from 504, and so do we).
 *
 * A streamed answer to an HTTP request begins with a prelude: {"statusCode","headers","cookies"}, then 8 NUL bytes; the body follows as it
 * is. Its Content-Type says that there is one. Source: AWS's documentation of response streaming, and its runtimes' clients.
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
    char *problem; /* why it is a 502 or 504, or what is wrong with it all the same; NULL: nothing */
} latch_http_answer;

typedef enum latch_http_where {
    LATCH_AT_API,       /* an HTTP API: the default Content-Type is text/plain */
    LATCH_AT_URL,       /* a function URL: application/json */
    LATCH_AT_STREAM_URL /* one with InvokeMode: RESPONSE_STREAM, which sends what is no streamed answer as it is: a statusCode in it is no
                           status, which is a problem that goes with a 200 */
} latch_http_where;

void latch_http_answer_make(latch_http_answer *out, const latch_invocation *inv, latch_http_where where);
void latch_http_answer_clean_up(latch_http_answer *a);

#define LATCH_PRELUDE_END_BYTES ((size_t)8)

/* The Content-Type (NULL: none) is the one of answers that begin with a prelude. */
bool latch_http_answer_has_prelude(const char *content_type);

/* Where the prelude's 8 NUL bytes begin, looked for from `from` on; SIZE_MAX where they aren't there yet. */
size_t latch_http_answer_prelude_end(latch_str bytes, size_t from);

/* Status, headers and cookies of a prelude's JSON, without a body: 200 and application/octet-stream where it says nothing. What can't be
   sent is a 502 with its problem, and a body. */
void latch_http_answer_head(latch_http_answer *out, latch_str json);

/* The gateway's own answer: 502 or 504. `problem` becomes its own to free. */
void latch_http_answer_refuse(latch_http_answer *out, unsigned status, char *problem);

#endif

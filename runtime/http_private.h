/* runtime/http_private.h - what is inside a latch_http. For http_event.c, http_kept.c and the stream's. */
#ifndef LATCH_RUNTIME_HTTP_PRIVATE_H
#define LATCH_RUNTIME_HTTP_PRIVATE_H

#include "core/ctx_private.h"
#include "runtime/http_event.h"
#include "runtime/route.h"
#include "runtime/stream.h"

#define LATCH_HTTP_HEADERS_MAX 64 /* of a reply, cookies included */

typedef enum latch_http_form { LATCH_FORM_HTTP_API, LATCH_FORM_REST, LATCH_FORM_BALANCER } latch_http_form; /* function URLs: HTTP API's */

typedef struct latch_http_field {
    const char *name; /* NULL: a cookie */
    latch_str value;
} latch_http_field;

typedef struct latch_http_joined {
    latch_str name, value;
} latch_http_joined;

struct latch_http {
    latch_ctx *cx;
    latch_http_form form;
    bool multi;   /* a load balancer that sends, and so wants, lists of values */
    bool encoded; /* the path still is; API Gateway's HTTP APIs send it decoded */
    bool *full;   /* the arena was, while something was asked for that returns no status */
    latch_json event, context, headers, header_lists, cookies, queries, query_lists, params;
    latch_str method, path, raw_query, client, body, cookie;
    latch_http_joined *joined; /* of header_lists: one text each */
    size_t joined_count;
    bool routed; /* by this handler's own routes */
    latch_route_found found;
    int status; /* 0: no reply yet */
    bool plain; /* the reply is the runtime's own: its content type stays */
    const char *content_type;
    latch_str reply;
    latch_stream *stream; /* instead of a reply; NULL: none */
    size_t field_count;
    latch_http_field fields[LATCH_HTTP_HEADERS_MAX];
    latch_status broken; /* why a header can't go out; LATCH_OK: they all can */
    char why[256];
};

bool latch_http_has_field(const latch_http *http, const char *name); /* set for the reply; in any case */

#endif

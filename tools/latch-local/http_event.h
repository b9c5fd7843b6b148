/*
 * http_event.h - an HTTP request as the event that API Gateway's HTTP API and function URLs make of it: payload format 2.0.
 *
 * Header names are lower-case, several of one name are joined by commas, cookies have their own list; query parameters are decoded.
 * An HTTP API's rawPath is decoded, a function URL's is as it was sent. A body of text (text/…, JSON, XML, JavaScript, or no type) that is
 * UTF-8 goes as it is, any other as base64.
 */
#ifndef LATCH_LOCAL_HTTP_EVENT_H
#define LATCH_LOCAL_HTTP_EVENT_H

#include "buffer.h"
#include "template.h"

typedef struct latch_http_header {
    char *name, *value;
} latch_http_header;

typedef struct latch_http_request {
    const char *method;
    latch_str path;  /* as sent, from "/" on */
    latch_str query; /* as sent, without "?" */
    latch_http_header *headers;
    size_t header_count;
    latch_str body;
    const char *client;    /* its address */
    const char *route_key; /* "GET /products/{sku}"; "$default" */
    const latch_variables *params;
    const char *region;
    const char *request_id;
    bool is_url; /* a function URL's */
    int64_t now_ms;
} latch_http_request;

char *latch_http_event_make(const latch_http_request *r, size_t *out_len); /* the caller's to free */

bool latch_http_event_is_text(const char *content_type, latch_str body);

#endif

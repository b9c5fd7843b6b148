/*
 * runtime/http_event.h - an HTTP request and its reply: HTTP API v2, REST v1, Application Load Balancer and function URLs as one type.
 *
 *     latch_status get_product(latch_ctx *cx, latch_http *http) {
 *         return latch_http_reply(http, 200, latch_object(cx, "sku", latch_http_param(http, "sku")));
 *     }
 *
 * Text lives as long as cx. What is absent is empty text; where the arena was too full to read something, the call fails (LATCH_E_NOMEM). The reply goes out in the form of the event that came in.
 *
 * An event of none of the four kinds, or with a field of the wrong type, never reaches the handler: it is an invocation error that names
 * the field ("event.requestContext.http.method: is missing, want text").
 */
#ifndef LATCH_RUNTIME_HTTP_EVENT_H
#define LATCH_RUNTIME_HTTP_EVENT_H

#include "core/json.h"
#include "runtime/handler.h"

LATCH_BEGIN_C

/* ── the request ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_http_method(const latch_http *http) LATCH_NONNULL; /* "GET" */

/*
 * Begins with '/'; as the service gives it: still percent-encoded from REST APIs, function URLs and load balancers, decoded from HTTP APIs
 * (API Gateway decodes their rawPath, with payload format 1.0 their path). Without the stage that HTTP APIs put in front, and without the
 * base path that a custom domain's mapping puts in front of a REST API's.
 */
latch_str latch_http_path(const latch_http *http) LATCH_NONNULL;

/*
 * Of the route, percent-decoded once (by API Gateway for HTTP APIs, else here), a '+' stays a '+'. Empty where the route has no such {name}, else never. A handler without routes gets
 * what API Gateway's own route found (pathParameters).
 */
latch_str latch_http_param(const latch_http *http, const char *name) LATCH_NONNULL;

/* Names compare without case. A header that came several times is one text joined with ", " (RFC 9110, 5.3); cookies with "; ". */
latch_str latch_http_header(const latch_http *http, const char *name) LATCH_NONNULL;
latch_str latch_http_cookie(const latch_http *http, const char *name) LATCH_NONNULL; /* names compare with case; quotes stay */

/*
 * Decoded ('+' is a space), in the order of the URL; latch_http_query is the first one. A name without a value has an empty one: the count
 * tells it from an absent name.
 */
latch_str latch_http_query(const latch_http *http, const char *name) LATCH_NONNULL;
latch_str latch_http_query_at(const latch_http *http, const char *name, size_t i) LATCH_NONNULL; /* empty past the end */
size_t latch_http_query_count(const latch_http *http, const char *name) LATCH_NONNULL;

/*
 * The client's address as the service saw it. A load balancer has no field for it: there it is the last address of X-Forwarded-For, which
 * the balancer itself wrote (routing.http.xff_header_processing.mode append, its default).
 */
latch_str latch_http_client(const latch_http *http) LATCH_NONNULL;

latch_str latch_http_body(const latch_http *http) LATCH_NONNULL; /* bytes, base64 undone */

/* LATCH_E_INPUT: the body is no JSON, the header is absent or empty; the client is told which. LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_http_json(latch_http *http, latch_json *out) LATCH_NONNULL; /* errors: "body.qty: …" */
LATCH_NODISCARD latch_status latch_http_need_header(latch_http *http, const char *name, latch_str *out) LATCH_NONNULL;

/* requestContext (the authorizer's claims, …) and the whole event. Errors begin with "event.requestContext" and "event". */
latch_json latch_http_context(const latch_http *http) LATCH_NONNULL;
latch_json latch_http_event(const latch_http *http) LATCH_NONNULL;

/*
 * ── the reply ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
 *
 * The last reply counts. The body's bytes live as long as cx (or are constant). One that is not UTF-8 goes out in base64: on a REST API the content type must then be listed under
 * binaryMediaTypes, on a load balancer and with payload format 2.0 it arrives as it is.
 *
 * LATCH_E_MISUSE  a status outside 100 to 599; a header or cookie set before that can't go out: a name that is no token, a control byte in a
 *                 value, more than 64, a second cookie for a load balancer without multi-value headers
 * LATCH_E_NOMEM   `body` could not be built, the arena is full
 */
LATCH_NODISCARD latch_status latch_http_reply(latch_http *http, int status, latch_json body) LATCH_NONNULL; /* application/json */
LATCH_NODISCARD latch_status latch_http_reply_bytes(latch_http *http, int status, const char *content_type, latch_str body) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_http_refuse(latch_http *http, int status, const char *message)
    LATCH_NONNULL; /* {"error": message} as application/json, whatever content type is set */

/*
 * They go out with whatever the answer becomes, refusals included, and fail in the reply, not here. A header replaces one of the same name;
 * content-type may be set too. A cookie is one Set-Cookie value, "session=…; HttpOnly; Secure", and is added.
 */
void latch_http_set_header(latch_http *http, const char *name, latch_str value) LATCH_NONNULL;
void latch_http_set_cookie(latch_http *http, latch_str cookie) LATCH_NONNULL;

/*
 * What is replied so far, for hooks around a handler. A status that left the handler (LATCH_MISSING) is no reply yet: it becomes one when the
 * first hook has returned.
 */
int latch_http_replied(const latch_http *http) LATCH_NONNULL; /* its HTTP status; 0: there is no reply */
latch_str latch_http_replied_body(const latch_http *http) LATCH_NONNULL;
latch_str latch_http_replied_header(const latch_http *http, const char *name) LATCH_NONNULL; /* no cookies; empty: it isn't set */

LATCH_END_C

#endif

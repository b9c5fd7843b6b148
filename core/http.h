/*
 * core/http.h - HTTP requests of a handler's own, over connections that stay open between invocations. libcurl underneath.
 *
 *     latch_fetch_reply rates;
 *     LATCH_TRY(latch_fetch(cx, &(latch_fetch_request){.url = LATCH_STR("https://api.example.com/rates")}, &rates));
 *     LATCH_TRY(latch_parse_data(cx, "rates", rates.body, &json));
 *
 * http and https only, HTTP/1.1; TLS 1.2 or later, peer and host are always verified, against the system's bundle or the one that
 * SSL_CERT_FILE names; redirects are an answer, not followed. The proxy variables (HTTPS_PROXY, NO_PROXY, …) hold, but never for loopback
 * or link-local addresses. A message about a request has neither its query nor a password of its URL.
 */
#ifndef LATCH_CORE_HTTP_H
#define LATCH_CORE_HTTP_H

#include "core/pairs.h"
#include "core/status.h"

LATCH_BEGIN_C

typedef struct latch_fetch_header {
    const char *name;
    latch_str value;
} latch_fetch_header;

typedef struct latch_fetch_request {
    latch_str url;                     /* required */
    const char *method;                /* NULL: GET, or POST where there is a body */
    const latch_fetch_header *headers; /* none is added but Host, Accept, what `trace` says, and Content-Length where there is a body */
    size_t header_count;
    latch_str body;             /* without a Content-Type, unless `headers` has one */
    int64_t timeout_ms;         /* of the whole exchange; 0: 10 s; never past the deadline */
    int64_t connect_timeout_ms; /* 0: 2 s */
    size_t max_body_bytes;      /* of the answer; 0: 1 MiB */
    bool trace; /* passes the invocation's trace on, as X-Amzn-Trace-Id and as W3C's traceparent, unless `headers` has them; where the event
                   came without a trace, or with one that can't be read, nothing is added. Only to those whom your trace ids may reach */
} latch_fetch_request;

typedef struct latch_fetch_reply { /* lives as long as cx */
    int status;                    /* 100 to 599, whatever it says */
    latch_str body;
    const latch_fetch_header
        *headers; /* at most 128, in the order they came; of the last answer where there were several (100 Continue); no trailers */
    size_t header_count;
} latch_fetch_reply;

/*
 * One exchange. Nothing is borrowed after it; no option of one request is left for the next.
 *
 * LATCH_OK         an answer, whatever its status; `out` is zero with anything else
 * LATCH_E_MISUSE   no http or https URL, a header with CR, LF or NUL, Content-Length or Transfer-Encoding among them, a method that is no
 *                  token, a HEAD with a body: nothing was sent
 * LATCH_E_TIMEOUT  time ran out; the message says at what
 * LATCH_E_NETWORK  no answer: names, connections, certificates; or an answer over max_body_bytes
 * LATCH_E_NOMEM    the arena is full
 * err.maybe_applied is false only where nothing was sent. Repeating is the caller's to judge; but where a kept connection turns out to be
 * closed before a byte of the answer came, libcurl sends the request once more, on a new one.
 */
LATCH_NODISCARD latch_status latch_fetch(latch_ctx *cx, const latch_fetch_request *request, latch_fetch_reply *out) LATCH_NONNULL;

/* A header's first value; names compare without case; empty where it is absent. */
latch_str latch_fetch_header_of(const latch_fetch_reply *reply, const char *name) LATCH_NONNULL;

/* ── for the runtime ── one session per worker; it opens nothing before the first request. A process with several workers has called
 * curl_global_init before; one that uses TLS ignores SIGPIPE. ── */

typedef struct latch_http_session {
    void *easy; /* NULL: not used yet */
} latch_http_session;
void latch_http_session_clean_up(latch_http_session *session);

LATCH_END_C

#endif

#include "core/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/env.h"
#include "core/http_private.h"
#include "core/span.h"
#include "core/trace_context.h"

#define DEFAULT_TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define DEFAULT_CONNECT_MS (2 * LATCH_SECOND_MS)
#define DEFAULT_BODY_BYTES ((size_t)1 << 20)
#define HEADERS_MAX 128
#define SHOWN_BYTES 100 /* of a URL, in an error */

typedef struct exchange { /* what curl's callbacks fill */
    latch_ctx *cx;
    size_t max_body_bytes;
    char *body;
    size_t body_len, body_cap;
    latch_fetch_header *headers;
    size_t header_count;
    bool headers_ended;  /* what comes in their form then is a trailer */
    latch_status failed; /* LATCH_OK, or why a callback stopped it */
} exchange;

/* ── what may be sent ────────────────────────────────────────────────────────────────────────────────────────────── */

static bool begins(latch_str s, const char *with) { return s.len >= strlen(with) && strncasecmp(s.ptr, with, strlen(with)) == 0; }

/* For messages, which end in logs: without user, password and query, where secrets are. */
static latch_str shown(latch_str url) {
    size_t from = 0, end = 0;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    for (size_t i = 0, slashes = 0; i < end && slashes < 3; i++) {
        slashes += url.ptr[i] == '/';
        if (url.ptr[i] == '@') from = i + 1;
    }
    return latch_str_cut((latch_str){url.ptr + from, end - from}, SHOWN_BYTES);
}

static bool is_made_here(const char *name) { return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0; }

static latch_status check_headers(latch_err *err, const latch_fetch_request *r) {
    for (size_t i = 0; i < r->header_count; i++) {
        const latch_fetch_header *h = &r->headers[i];
        if (h->name == NULL || !latch_is_token(h->name))
            return latch_err_set(err, LATCH_E_MISUSE, "fetch: header %zu has a name that is no token", i);
        if (is_made_here(h->name)) return latch_err_set(err, LATCH_E_MISUSE, "fetch: the header %s is made from the body", h->name);
        if (latch_str_has_control(h->value))
            return latch_err_set(err, LATCH_E_MISUSE, "fetch: the header %s has a control byte in it", h->name);
    }
    return LATCH_OK;
}

static latch_status check(latch_err *err, const latch_fetch_request *r) {
    if (!begins(r->url, "http://") && !begins(r->url, "https://"))
        return latch_err_set(err, LATCH_E_MISUSE, "fetch: the URL is \"%.*s\", want http:// or https://", LATCH_ARG(shown(r->url)));
    if (latch_str_has_control(r->url) || memchr(r->url.ptr, ' ', r->url.len) != NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "fetch: the URL has a space or a control byte");
    if (r->method != NULL && !latch_is_token(r->method)) return latch_err_set(err, LATCH_E_MISUSE, "fetch: the method is no token");
    if (r->method != NULL && strcmp(r->method, "HEAD") == 0 && r->body.len > 0)
        return latch_err_set(err, LATCH_E_MISUSE, "fetch: HEAD has no body");
    if (r->timeout_ms < 0 || r->connect_timeout_ms < 0) return latch_err_set(err, LATCH_E_MISUSE, "fetch: a timeout is negative");
    return check_headers(err, r);
}

/* ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t stop(exchange *e, latch_status why) {
    e->failed = why;
    return 0;
}

/* Twice what it was, or `want`; where that is too much, exactly `want`. */
static bool has_room(exchange *e, size_t want) {
    size_t cap = e->body_cap > want / 2 ? e->body_cap * 2 : want;
    if (cap > e->max_body_bytes) cap = e->max_body_bytes;
    char *grown = latch_arena_grow(e->cx->arena, e->body, e->body_cap, cap);
    if (grown == NULL) grown = latch_arena_grow(e->cx->arena, e->body, e->body_cap, cap = want);
    if (grown == NULL) return false;
    e->body = grown;
    e->body_cap = cap;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *self) {
    exchange *e = self;
    size_t len = size * count;
    if (len > e->max_body_bytes - e->body_len) return stop(e, LATCH_E_NETWORK);
    if (len > e->body_cap - e->body_len && !has_room(e, e->body_len + len)) return stop(e, LATCH_E_NOMEM);
    if (len > 0) memcpy(e->body + e->body_len, bytes, len);
    e->body_len += len;
    return len;
}

static latch_str trimmed(const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r' || to[-1] == '\n'))
        to--;
    return (latch_str){from, (size_t)(to - from)};
}

static size_t on_header(char *bytes, size_t size, size_t count, void *self) {
    exchange *e = self;
    size_t len = size * count;
    if (begins((latch_str){bytes, len}, "HTTP/")) { /* an answer begins: the first one, or what follows 100 Continue */
        e->header_count = 0;
        e->headers_ended = false;
        return len;
    }
    const char *colon = memchr(bytes, ':', len);
    if (trimmed(bytes, bytes + len).len == 0) e->headers_ended = true;
    if (colon == NULL || colon == bytes || bytes[0] == ' ' || bytes[0] == '\t') return len; /* an old way to continue a line */
    if (e->headers_ended || e->header_count == HEADERS_MAX) return len;
    latch_str name = latch_arena_copy(e->cx->arena, (latch_str){bytes, (size_t)(colon - bytes)});
    latch_str value = latch_arena_copy(e->cx->arena, trimmed(colon + 1, bytes + len));
    if (name.ptr == NULL || value.ptr == NULL) return stop(e, LATCH_E_NOMEM);
    e->headers[e->header_count++] = (latch_fetch_header){name.ptr, value};
    return len;
}

/* ── the exchange ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Loopback and link-local, as a name or in numbers, and fd00:ec2::/32, where AWS's services inside a machine are. */
static bool is_nearby(const char *host) {
    unsigned char v4[4], v6[16], loopback[16] = {[15] = 1};
    char bare[INET6_ADDRSTRLEN] = "";
    size_t len = strlen(host);
    if (strcasecmp(host, "localhost") == 0 || (len > 10 && strcasecmp(host + len - 10, ".localhost") == 0)) return true;
    if (inet_pton(AF_INET, host, v4) == 1) return v4[0] == 127 || (v4[0] == 169 && v4[1] == 254);
    size_t inside = host[0] == '[' ? strcspn(host + 1, "]%") : sizeof bare;
    if (inside < sizeof bare) memcpy(bare, host + 1, inside);
    if (inet_pton(AF_INET6, bare, v6) != 1) return false;
    return memcmp(v6, loopback, sizeof v6) == 0 || (v6[0] == 0xFE && (v6[1] & 0xC0) == 0x80) || memcmp(v6, "\xFD\x00\x0E\xC2", 4) == 0;
}

/* libcurl's own reader judges it, since libcurl will connect to what it reads. */
bool latch_http_may_use_proxy(const char *url, bool *is_url) {
    CURLU *parts = curl_url();
    char *host = NULL;
    *is_url = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    bool may = *is_url && !is_nearby(host);
    curl_free(host);
    curl_url_cleanup(parts);
    return may;
}

const char *latch_http_system_bundle(void) {
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                                        "/etc/ssl/ca-bundle.pem"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (access(usual[i], R_OK) == 0) return usual[i];
    }
    return NULL;
}

static const char *trusted_file(void) {
    const char *given = latch_env_get("SSL_CERT_FILE");
    return given != NULL ? given : latch_http_system_bundle();
}

/* libcurl's words for a proxy that it can't use have all of its URL in them, the password too. */
const char *latch_http_reason(unsigned code, const char *detail) {
    return *detail != '\0' && strchr(detail, '@') == NULL ? detail : curl_easy_strerror((CURLcode)code);
}

static bool has_header(const latch_fetch_request *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0) return true;
    }
    return false;
}

/* NULL: there is no memory; what was made is freed. */
static struct curl_slist *with_line(struct curl_slist *list, const char *line) {
    struct curl_slist *longer = line != NULL ? curl_slist_append(list, line) : NULL;
    if (longer == NULL) curl_slist_free_all(list);
    return longer;
}

/* The one who answers is called by this request, where that is part of the trace, else by whoever called the handler. */
static struct curl_slist *with_trace(struct curl_slist *list, const latch_ctx *cx, const latch_fetch_request *r, latch_span span) {
    char line[64 + LATCH_TRACE_HEADER_BYTES], text[LATCH_TRACE_HEADER_BYTES];
    latch_trace_context context;
    if (!latch_trace_context_read(cx->trace_id, &context) || context.parent == 0) return list;
    if (cx->trace_seed != 0) context.parent = latch_trace_span_id(cx->trace_seed, span.id);
    latch_trace_context_xray(&context, text);
    snprintf(line, sizeof line, "X-Amzn-Trace-Id: %s", text);
    if (list != NULL && !has_header(r, "X-Amzn-Trace-Id")) list = with_line(list, line);
    latch_trace_context_w3c(&context, text);
    snprintf(line, sizeof line, "traceparent: %s", text);
    if (list != NULL && !has_header(r, "traceparent")) list = with_line(list, line);
    return list;
}

static struct curl_slist *header_list(latch_ctx *cx, const latch_fetch_request *r, latch_span span) {
    struct curl_slist *list = with_line(NULL, "Expect:"); /* a line without a value takes away what curl would send */
    if (list != NULL && !has_header(r, "Content-Type")) list = with_line(list, "Content-Type:");
    for (size_t i = 0; i < r->header_count && list != NULL; i++) {
        const latch_fetch_header *h = &r->headers[i];
        latch_str value = h->value.len > 0 ? trimmed(h->value.ptr, h->value.ptr + h->value.len) : h->value;
        list = with_line(list, latch_ctx_text(cx, value.len > 0 ? "%s: %.*s" : "%s;%.*s", h->name, LATCH_ARG(value)).ptr);
    }
    return r->trace && list != NULL ? with_trace(list, cx, r, span) : list;
}

static long curl_ms(int64_t ms) { return ms < INT_MAX ? (long)ms : INT_MAX; } /* it refuses more, and then waits for ever */

static void set_method(CURL *easy, const latch_fetch_request *r) {
    static const char *const with_length[] = {"POST", "PUT", "PATCH"}; /* of which a server wants to hear that there is no body */
    bool sends_length = r->body.len > 0;
    for (size_t i = 0; i < sizeof with_length / sizeof with_length[0] && r->method != NULL; i++)
        sends_length = sends_length || strcmp(r->method, with_length[i]) == 0;
    if (sends_length) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.ptr : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    if (r->method != NULL && strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (r->method != NULL) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

static void set_up(CURL *easy, const latch_fetch_request *r, const char *url, const struct curl_slist *headers, int64_t timeout_ms,
                   exchange *e) {
    const char *trusted = begins(r->url, "https://") ? trusted_file() : NULL;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (trusted != NULL) curl_easy_setopt(easy, CURLOPT_CAINFO, trusted);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, curl_ms(timeout_ms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, curl_ms(r->connect_timeout_ms > 0 ? r->connect_timeout_ms : DEFAULT_CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, e);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, e);
    set_method(easy, r);
}

static bool was_sent(CURL *easy) {
    curl_off_t started_us = 0;
    long request_bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &started_us);
    return request_bytes > 0 || started_us > 0;
}

static latch_status explain(latch_ctx *cx, CURL *easy, const latch_fetch_request *r, const exchange *e, CURLcode code, const char *detail) {
    latch_err *err = &cx->err;
    latch_str url = shown(r->url);
    const char *why = latch_http_reason(code, detail), *trusted = trusted_file();
    latch_status status = code == CURLE_OPERATION_TIMEDOUT ? LATCH_E_TIMEOUT : LATCH_E_NETWORK;
    if (e->failed == LATCH_E_NOMEM || code == CURLE_OUT_OF_MEMORY) {
        status = latch_err_set(err, LATCH_E_NOMEM, "fetch %.*s: the arena is full", LATCH_ARG(url));
    } else if (e->failed != LATCH_OK) {
        status = latch_err_set(err, e->failed, "fetch %.*s: the answer has over %zu bytes, raise .max_body_bytes", LATCH_ARG(url),
                               e->max_body_bytes);
    } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
        status = latch_err_set(err, status, "fetch %.*s: %s; trusted is what %s has, SSL_CERT_FILE names another", LATCH_ARG(url), why,
                               trusted != NULL ? trusted : "libcurl's bundle");
    } else if (code == CURLE_OK) {
        status = latch_err_set(err, status, "fetch %.*s: the answer ends in its headers", LATCH_ARG(url));
    } else {
        status = latch_err_set(err, status, "fetch %.*s: %s", LATCH_ARG(url), why);
    }
    err->maybe_applied = was_sent(easy);
    return status;
}

static latch_status perform(latch_ctx *cx, CURL *easy, const latch_fetch_request *r, int64_t timeout_ms, latch_span span,
                            latch_fetch_reply *out) {
    char detail[CURL_ERROR_SIZE] = "";
    bool is_url;
    exchange e = {.cx = cx, .max_body_bytes = r->max_body_bytes > 0 ? r->max_body_bytes : DEFAULT_BODY_BYTES};
    latch_str url = latch_arena_copy(cx->arena, r->url);
    e.headers = latch_arena_alloc(cx->arena, HEADERS_MAX * sizeof *e.headers);
    struct curl_slist *headers = url.ptr != NULL && e.headers != NULL ? header_list(cx, r, span) : NULL;
    if (headers == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "fetch: the arena is full");
    latch_status status = LATCH_OK;
    bool may_proxy = latch_http_may_use_proxy(url.ptr, &is_url);
    if (!is_url) {
        status = latch_err_set(&cx->err, LATCH_E_MISUSE, "fetch %.*s: that is no URL", LATCH_ARG(shown(r->url)));
        goto clean_up;
    }
    set_up(easy, r, url.ptr, headers, timeout_ms, &e);
    if (!may_proxy) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(easy);
    long http_status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (code != CURLE_OK || e.failed != LATCH_OK || !e.headers_ended) { /* to libcurl, headers that are cut are an answer */
        status = explain(cx, easy, r, &e, code, detail);
    } else {
        if (e.body != NULL) latch_arena_shrink(cx->arena, e.body, e.body_cap, e.body_len);
        *out = (latch_fetch_reply){(int)http_status, {e.body != NULL ? e.body : "", e.body_len}, e.headers, e.header_count};
    }
    curl_easy_reset(easy); /* keeps connections, forgets every option: none is left for the next, none points into this call's memory */
clean_up:
    curl_slist_free_all(headers);
    return status;
}

/* A span keeps its name, a handler's may be gone before it. */
static const char *method_name(const char *method) {
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i]) == 0) return known[i];
    }
    return "request";
}

latch_status latch_fetch(latch_ctx *cx, const latch_fetch_request *request, latch_fetch_reply *out) {
    int64_t deadline_at_ms, left_ms;
    *out = (latch_fetch_reply){0};
    LATCH_TRY(check(&cx->err, request));
    LATCH_TRY(latch_ctx_deadline(cx, request->timeout_ms, DEFAULT_TIMEOUT_MS, &deadline_at_ms));
    left_ms = deadline_at_ms - latch_now_ms(cx);
    if (left_ms <= 0)
        return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "fetch %.*s: no time left to send it", LATCH_ARG(shown(request->url)));
    if (cx->http == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "fetch: this context has no HTTP session: fetch in the handler, not in parallel work");
    if (cx->http->easy == NULL) cx->http->easy = curl_easy_init();
    if (cx->http->easy == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "fetch: libcurl could not start");
    const char *method = request->method != NULL ? request->method : request->body.len > 0 ? "POST" : "GET";
    latch_span span = latch_span_begin_kind(cx, LATCH_SPAN_FETCH, method_name(method), shown(request->url));
    latch_status status = perform(cx, cx->http->easy, request, left_ms, span, out);
    latch_span_facts facts = {.requests = 1, .http_status = out->status};
    if (status != LATCH_OK) facts.error = latch_str_of(latch_status_name(status));
    latch_span_tell(cx, span, &facts);
    latch_span_end(cx, span, status);
    return status;
}

latch_str latch_fetch_header_of(const latch_fetch_reply *reply, const char *name) {
    for (size_t i = 0; i < reply->header_count; i++) {
        if (strcasecmp(reply->headers[i].name, name) == 0) return reply->headers[i].value;
    }
    return (latch_str){"", 0};
}

void latch_http_session_clean_up(latch_http_session *session) {
    if (session->easy != NULL) curl_easy_cleanup(session->easy);
    session->easy = NULL;
}

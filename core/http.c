#include "core/http.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "core/ctx.h"
#include "core/ctx_private.h"

#define DEFAULT_TIMEOUT_MS (10 * LATCH_SECOND_MS)
#define DEFAULT_CONNECT_MS (2 * LATCH_SECOND_MS)
#define DEFAULT_BODY_BYTES ((size_t)1 << 20)
#define HEADERS_MAX 128

typedef struct exchange { /* what curl's callbacks fill */
    latch_ctx *cx;
    size_t max_body_bytes;
    char *body;
    size_t body_len, body_cap;
    latch_fetch_header *headers;
    size_t header_count;
    latch_status failed; /* LATCH_OK, or why a callback stopped it */
} exchange;

/* ── what may be sent ────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_token(const char *s) {
    return *s != '\0' && s[strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool has_control(latch_str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F) return true;
    }
    return false;
}

static bool begins(latch_str s, const char *with) { return s.len >= strlen(with) && strncasecmp(s.ptr, with, strlen(with)) == 0; }

static latch_status check(latch_ctx *cx, const latch_fetch_request *r) {
    latch_err *err = &cx->err;
    if (!begins(r->url, "http://") && !begins(r->url, "https://"))
        return latch_err_set(err, LATCH_E_MISUSE, "fetch: the URL is %.*s, want http:// or https://", LATCH_ARG(r->url));
    if (has_control(r->url) || memchr(r->url.ptr, ' ', r->url.len) != NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "fetch: the URL has a space or a control byte");
    if (r->method != NULL && !is_token(r->method)) return latch_err_set(err, LATCH_E_MISUSE, "fetch: the method is no token");
    if (r->timeout_ms < 0 || r->connect_timeout_ms < 0) return latch_err_set(err, LATCH_E_MISUSE, "fetch: a timeout is negative");
    for (size_t i = 0; i < r->header_count; i++) {
        const latch_fetch_header *h = &r->headers[i];
        if (h->name == NULL || !is_token(h->name))
            return latch_err_set(err, LATCH_E_MISUSE, "fetch: header %zu has a name that is no token", i);
        if (has_control(h->value)) return latch_err_set(err, LATCH_E_MISUSE, "fetch: the header %s has a control byte in it", h->name);
    }
    return LATCH_OK;
}

/* ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t stop(exchange *e, latch_status why) {
    e->failed = why;
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *self) {
    exchange *e = self;
    size_t len = size * count;
    if (len > e->max_body_bytes - e->body_len) return stop(e, LATCH_E_NETWORK);
    if (len > e->body_cap - e->body_len) {
        size_t want = e->body_len + len, twice = e->body_cap * 2, cap = want > twice ? want : twice;
        if (cap > e->max_body_bytes) cap = e->max_body_bytes;
        char *grown = e->body == NULL ? latch_arena_alloc(e->cx->arena, cap) : latch_arena_grow(e->cx->arena, e->body, e->body_cap, cap);
        if (grown == NULL) return stop(e, LATCH_E_NOMEM);
        e->body = grown;
        e->body_cap = cap;
    }
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
    if (begins((latch_str){bytes, len}, "HTTP/")) e->header_count = 0; /* another answer begins */
    const char *colon = memchr(bytes, ':', len);
    if (colon == NULL || e->header_count == HEADERS_MAX || begins((latch_str){bytes, len}, "HTTP/")) return len;
    latch_str name = latch_arena_copy(e->cx->arena, (latch_str){bytes, (size_t)(colon - bytes)});
    latch_str value = latch_arena_copy(e->cx->arena, trimmed(colon + 1, bytes + len));
    if (name.ptr == NULL || value.ptr == NULL) return stop(e, LATCH_E_NOMEM);
    e->headers[e->header_count++] = (latch_fetch_header){name.ptr, value};
    return len;
}

/* ── the exchange ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuse_proxies_nearby(CURL *easy, latch_str url) {
    static const char *const nearby[] = {"localhost", "127.", "[::1]", "169.254.", "[fe80:"};
    const char *host = (const char *)memchr(url.ptr, ':', url.len) + 3;
    latch_str from = {host, url.len - (size_t)(host - url.ptr)};
    for (size_t i = 0; i < sizeof nearby / sizeof nearby[0]; i++) {
        if (begins(from, nearby[i])) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
}

static struct curl_slist *header_list(latch_ctx *cx, const latch_fetch_request *r, bool *ok) {
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    *ok = list != NULL;
    for (size_t i = 0; i < r->header_count && *ok; i++) {
        const latch_fetch_header *h = &r->headers[i];
        /* curl drops "Name:"; "Name;" sends an empty value */
        latch_str line = latch_ctx_text(cx, h->value.len > 0 ? "%s: %.*s" : "%s;%.*s", h->name, LATCH_ARG(h->value));
        struct curl_slist *longer = line.ptr != NULL ? curl_slist_append(list, line.ptr) : NULL;
        *ok = longer != NULL;
        if (longer != NULL) list = longer;
    }
    return list;
}

static void set_up(CURL *easy, const latch_fetch_request *r, const char *url, const struct curl_slist *headers, int64_t timeout_ms,
                   exchange *e) {
    curl_easy_reset(easy); /* keeps connections, forgets every option */
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_timeout_ms > 0 ? r->connect_timeout_ms : DEFAULT_CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, e);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, e);
    if (r->body.len > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.ptr);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    if (r->method != NULL && strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (r->method != NULL) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    }
    refuse_proxies_nearby(easy, r->url);
}

static bool was_sent(CURL *easy) {
    curl_off_t started_us = 0;
    long request_bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &started_us);
    return request_bytes > 0 || started_us > 0;
}

static latch_status explain(latch_ctx *cx, CURL *easy, const latch_fetch_request *r, const exchange *e, CURLcode code, const char *detail) {
    latch_status status = e->failed;
    latch_err *err = &cx->err;
    const char *why = *detail != '\0' ? detail : curl_easy_strerror(code);
    if (status == LATCH_E_NOMEM || code == CURLE_OUT_OF_MEMORY) {
        status = latch_err_set(err, LATCH_E_NOMEM, "fetch %.*s: the arena is full", LATCH_ARG(r->url));
    } else if (status != LATCH_OK) {
        status = latch_err_set(err, status, "fetch %.*s: the answer has over %zu bytes, raise .max_body_bytes", LATCH_ARG(r->url),
                               e->max_body_bytes);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        status = latch_err_set(err, LATCH_E_TIMEOUT, "fetch %.*s: %s", LATCH_ARG(r->url), why);
    } else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        status = latch_err_set(err, LATCH_E_MISUSE, "fetch %.*s: %s", LATCH_ARG(r->url), why);
    } else {
        status = latch_err_set(err, LATCH_E_NETWORK, "fetch %.*s: %s", LATCH_ARG(r->url), why);
    }
    err->maybe_applied = was_sent(easy);
    return status;
}

static latch_status perform(latch_ctx *cx, CURL *easy, const latch_fetch_request *r, int64_t timeout_ms, latch_fetch_reply *out) {
    char detail[CURL_ERROR_SIZE] = "";
    bool ok;
    exchange e = {.cx = cx, .max_body_bytes = r->max_body_bytes > 0 ? r->max_body_bytes : DEFAULT_BODY_BYTES};
    latch_str url = latch_arena_copy(cx->arena, r->url);
    e.headers = latch_arena_alloc(cx->arena, HEADERS_MAX * sizeof *e.headers);
    if (url.ptr == NULL || e.headers == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "fetch: the arena is full");
    struct curl_slist *headers = header_list(cx, r, &ok);
    latch_status status = ok ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "fetch: no memory for the headers");
    if (status != LATCH_OK) goto clean_up;
    set_up(easy, r, url.ptr, headers, timeout_ms, &e);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(easy);
    long http_status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (code != CURLE_OK || e.failed != LATCH_OK) {
        status = explain(cx, easy, r, &e, code, detail);
    } else {
        *out = (latch_fetch_reply){(int)http_status, {e.body, e.body_len}, e.headers, e.header_count};
    }
    curl_easy_reset(easy); /* nothing points into this call's memory any more */
clean_up:
    curl_slist_free_all(headers);
    return status;
}

latch_status latch_fetch(latch_ctx *cx, const latch_fetch_request *request, latch_fetch_reply *out) {
    int64_t deadline_at_ms, left_ms;
    *out = (latch_fetch_reply){0};
    LATCH_TRY(check(cx, request));
    LATCH_TRY(latch_ctx_deadline(cx, request->timeout_ms, DEFAULT_TIMEOUT_MS, &deadline_at_ms));
    left_ms = deadline_at_ms - latch_now_ms(cx);
    if (left_ms <= 0) return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "fetch %.*s: no time left to send it", LATCH_ARG(request->url));
    if (cx->http == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "fetch: this context has no HTTP session");
    if (cx->http->easy == NULL) cx->http->easy = curl_easy_init();
    if (cx->http->easy == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "fetch: libcurl could not start");
    return perform(cx, cx->http->easy, request, left_ms, out);
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

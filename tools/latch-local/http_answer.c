#include "http_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yyjson.h>

#include "base64.h"
#include "match.h"
#include "report.h"

static void add_header(latch_http_answer *a, const char *name, latch_str value) {
    a->headers = latch_realloc(a->headers, (a->header_count + 1) * sizeof *a->headers);
    a->headers[a->header_count++] = (latch_http_line){latch_copy(latch_str_of(name)), latch_copy(value)};
}

void latch_http_answer_clean_up(latch_http_answer *a) {
    for (size_t i = 0; i < a->header_count; i++) {
        free(a->headers[i].name);
        free(a->headers[i].value);
    }
    free(a->headers);
    free(a->problem);
    latch_buffer_clean_up(&a->body);
    *a = (latch_http_answer){0};
}

/* The gateway's own answer, instead of what was made so far. */
static void refuse(latch_http_answer *a, unsigned status, char *problem) {
    latch_http_answer_clean_up(a);
    a->status = status;
    a->problem = problem;
    add_header(a, "Content-Type", LATCH_STR("application/json"));
    latch_buffer_text(&a->body, status == 504 ? "{\"message\":\"Endpoint request timed out\"}" : "{\"message\":\"Internal Server Error\"}");
}

static char *why(const char *what) { return latch_copy(latch_str_of(what)); }

/* Those that say how the body is carried are the server's. */
static bool is_servers(const char *name) {
    static const char *const names[] = {"content-length", "transfer-encoding", "connection"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return false;
}

/* NULL, or why the headers can't be sent. */
static char *add_headers(latch_http_answer *a, yyjson_val *headers) {
    size_t i, n;
    yyjson_val *key, *value;
    if (headers == NULL || yyjson_is_null(headers)) return NULL;
    if (!yyjson_is_obj(headers)) return why("the answer's headers are no object");
    yyjson_obj_foreach(headers, i, n, key, value) {
        const char *name = yyjson_get_str(key);
        char *text = yyjson_is_str(value)                            ? latch_copy((latch_str){yyjson_get_str(value), yyjson_get_len(value)})
                     : yyjson_is_num(value) || yyjson_is_bool(value) ? yyjson_val_write(value, YYJSON_WRITE_NOFLAG, NULL)
                                                                     : NULL;
        bool is_sendable = text != NULL && *name != '\0' && strpbrk(name, "\r\n: ") == NULL && strpbrk(text, "\r\n") == NULL;
        if (is_sendable && !is_servers(name)) add_header(a, name, latch_str_of(text));
        free(text);
        if (!is_sendable) return latch_format("the answer's header \"%.60s\" can't be sent", name);
    }
    return NULL;
}

static char *add_cookies(latch_http_answer *a, yyjson_val *cookies) {
    size_t i, n;
    yyjson_val *cookie;
    if (cookies == NULL || yyjson_is_null(cookies)) return NULL;
    if (!yyjson_is_arr(cookies)) return why("the answer's cookies are no list");
    yyjson_arr_foreach(cookies, i, n, cookie) {
        const char *text = yyjson_get_str(cookie);
        if (text == NULL || strpbrk(text, "\r\n") != NULL) return why("one of the answer's cookies can't be sent");
        add_header(a, "Set-Cookie", latch_str_of(text));
    }
    return NULL;
}

static char *add_body(latch_http_answer *a, yyjson_val *body, bool is_base64) {
    if (body == NULL || yyjson_is_null(body)) return NULL;
    if (!yyjson_is_str(body)) return why("the answer's body is no string");
    latch_str text = {yyjson_get_str(body), yyjson_get_len(body)};
    if (is_base64) return latch_base64_take(&a->body, text) ? NULL : why("the answer's body is no base64");
    latch_buffer_add(&a->body, text.ptr, text.len);
    return NULL;
}

static bool has_content_type(const latch_http_answer *a) {
    for (size_t i = 0; i < a->header_count; i++)
        if (strcasecmp(a->headers[i].name, "content-type") == 0) return true;
    return false;
}

/* 200 to 599, as a number or as text. 0: neither. */
static unsigned status_of(yyjson_val *v) {
    const char *text = yyjson_get_str(v);
    char *end = NULL;
    uint64_t status = text != NULL ? strtoul(text, &end, 10) : yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
    if (end != NULL && *end != '\0') return 0;
    return status >= 200 && status <= 599 ? (unsigned)status : 0;
}

static void take_whole(latch_http_answer *a, yyjson_val *root, bool is_url) {
    a->status = status_of(yyjson_obj_get(root, "statusCode"));
    char *problem =
        a->status == 0 ? why("the answer's statusCode is none from 200 to 599") : add_headers(a, yyjson_obj_get(root, "headers"));
    if (problem == NULL) problem = add_cookies(a, yyjson_obj_get(root, "cookies"));
    if (problem == NULL) problem = add_body(a, yyjson_obj_get(root, "body"), yyjson_get_bool(yyjson_obj_get(root, "isBase64Encoded")));
    if (problem != NULL)
        refuse(a, 502, problem);
    else if (!has_content_type(a))
        add_header(a, "Content-Type", is_url ? LATCH_STR("application/json") : LATCH_STR("text/plain;charset=UTF-8"));
}

/* "Hello" is sent as Hello; any other JSON as it was written. */
static void infer(latch_http_answer *a, yyjson_val *root, latch_str sent) {
    a->status = 200;
    add_header(a, "Content-Type", LATCH_STR("application/json"));
    if (yyjson_is_str(root)) sent = (latch_str){yyjson_get_str(root), yyjson_get_len(root)};
    latch_buffer_add(&a->body, sent.ptr, sent.len);
}

/* ── streamed answers ── */

bool latch_http_answer_has_prelude(const char *content_type) {
    static const char wanted[] = "application/vnd.awslambda.http-integration-response";
    size_t len = sizeof wanted - 1;
    return content_type != NULL && strncasecmp(content_type, wanted, len) == 0 && strchr("; \t", content_type[len]) != NULL;
}

size_t latch_http_answer_prelude_end(latch_str bytes, size_t from) {
    static const char nuls[LATCH_PRELUDE_END_BYTES];
    const char *at = bytes.len > from ? memmem(bytes.ptr + from, bytes.len - from, nuls, sizeof nuls) : NULL;
    return at != NULL ? (size_t)(at - bytes.ptr) : SIZE_MAX;
}

void latch_http_answer_refuse(latch_http_answer *out, unsigned status, char *problem) {
    *out = (latch_http_answer){0};
    refuse(out, status, problem);
}

void latch_http_answer_head(latch_http_answer *out, latch_str json) {
    *out = (latch_http_answer){.status = 200};
    yyjson_doc *doc = latch_match_parse(json);
    yyjson_val *root = yyjson_doc_get_root(doc), *status = yyjson_obj_get(root, "statusCode");
    char *problem = !yyjson_is_obj(root) ? why("the streamed answer's prelude is no JSON object") : NULL;
    if (problem == NULL && status != NULL) out->status = status_of(status);
    if (problem == NULL && out->status == 0) problem = why("the streamed answer's statusCode is none from 200 to 599");
    if (problem == NULL) problem = add_headers(out, yyjson_obj_get(root, "headers"));
    if (problem == NULL) problem = add_cookies(out, yyjson_obj_get(root, "cookies"));
    yyjson_doc_free(doc);
    if (problem != NULL)
        refuse(out, 502, problem);
    else if (!has_content_type(out))
        add_header(out, "Content-Type", LATCH_STR("application/octet-stream"));
}

/* Streamed, but to where it is buffered: the same answer, in one piece. */
static void take_streamed(latch_http_answer *a, latch_str sent) {
    size_t end = latch_http_answer_prelude_end(sent, 0);
    if (end == SIZE_MAX) {
        refuse(a, 502, why("the streamed answer ended within its prelude"));
        return;
    }
    latch_http_answer_head(a, (latch_str){sent.ptr, end});
    size_t body = end + LATCH_PRELUDE_END_BYTES;
    if (a->problem == NULL) latch_buffer_add(&a->body, sent.ptr + body, sent.len - body);
}

static void take_raw(latch_http_answer *a, const latch_invocation *inv) {
    yyjson_doc *doc = latch_match_parse(latch_buffer_str(&inv->answer));
    a->status = 200;
    add_header(a, "Content-Type", inv->content_type != NULL ? latch_str_of(inv->content_type) : LATCH_STR("application/octet-stream"));
    latch_buffer_add(&a->body, inv->answer.ptr, inv->answer.len);
    if (yyjson_obj_get(yyjson_doc_get_root(doc), "statusCode") != NULL)
        a->problem = why("with InvokeMode: RESPONSE_STREAM an answer that isn't streamed is sent as it is: its statusCode is no status");
    yyjson_doc_free(doc);
}

/* ── the whole ── */

void latch_http_answer_make(latch_http_answer *out, const latch_invocation *inv, latch_http_where where) {
    *out = (latch_http_answer){0};
    bool is_late = inv->outcome == LATCH_TIMED_OUT || inv->outcome == LATCH_INIT_TIMED_OUT;
    if (inv->outcome != LATCH_ANSWERED) {
        refuse(out, is_late ? 504 : 502, latch_report_answer(inv));
        return;
    }
    if (inv->answer.len > LATCH_PAYLOAD_BYTES) { /* only a stream gets here with more */
        refuse(out, 502,
               why("the streamed answer is over the 6 MiB of a buffered one: InvokeMode: RESPONSE_STREAM of a function URL passes it on"));
        return;
    }
    if (latch_http_answer_has_prelude(inv->content_type)) {
        take_streamed(out, latch_buffer_str(&inv->answer));
        return;
    }
    if (where == LATCH_AT_STREAM_URL) {
        take_raw(out, inv);
        return;
    }
    yyjson_doc *doc = latch_match_parse(latch_buffer_str(&inv->answer));
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (root == NULL)
        refuse(out, 502, why("the answer is no JSON"));
    else if (yyjson_obj_get(root, "statusCode") != NULL)
        take_whole(out, root, where == LATCH_AT_URL);
    else
        infer(out, root, latch_buffer_str(&inv->answer));
    yyjson_doc_free(doc);
}

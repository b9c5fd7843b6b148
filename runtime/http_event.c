#include "runtime/http_event.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/coding.h"
#include "core/node.h"
#include "core/scope.h"
#include "core/text.h"
#include "runtime/api.h"
#include "runtime/around_private.h"
#include "runtime/http_kept.h"
#include "runtime/http_private.h"
#include "runtime/outcome.h"
#include "runtime/stream_private.h"

#define MAYBE(at) latch_optional(latch_bytes((at), 0, INT64_MAX)) /* absent, null or empty are all empty */

/* ── reading the event ───────────────────────────────────────────────────────────────────────────────────────────── */

/* The name of the stage comes first in the paths of HTTP APIs, unless it is the one without a name. */
static latch_str without_stage(latch_str path, latch_str stage) {
    bool named = stage.len > 0 && !latch_str_eq(stage, LATCH_STR("$default"));
    if (!named || path.len <= stage.len || path.ptr[0] != '/' || memcmp(path.ptr + 1, stage.ptr, stage.len) != 0) return path;
    latch_str rest = {path.ptr + 1 + stage.len, path.len - 1 - stage.len};
    return rest.len == 0 ? LATCH_STR("/") : rest.ptr[0] == '/' ? rest : path;
}

static latch_status full(latch_http *http) { return latch_err_set(&http->cx->err, LATCH_E_NOMEM, "HTTP event: the arena is full"); }

/* "id.lambda-url.eu-west-1.on.aws" */
static bool is_function_url(latch_str domain) {
    return domain.len > 0 && memmem(domain.ptr, domain.len, ".lambda-url.", strlen(".lambda-url.")) != NULL;
}

static latch_status read_http_api(latch_http *http) {
    latch_str stage, domain;
    LATCH_TRY(latch_read(http->event, "requestContext.http.method", &http->method, "rawPath", MAYBE(&http->path), "rawQueryString",
                         MAYBE(&http->raw_query), "requestContext.http.sourceIp", MAYBE(&http->client), "requestContext.stage",
                         MAYBE(&stage), "requestContext.domainName", MAYBE(&domain)));
    http->encoded = is_function_url(domain);
    http->path = without_stage(http->path, stage);
    return LATCH_OK;
}

static latch_status read_rest(latch_http *http) {
    latch_str stage, version, resource;
    LATCH_TRY(latch_read(http->event, "httpMethod", &http->method, "path", MAYBE(&http->path), "requestContext.identity.sourceIp",
                         MAYBE(&http->client), "requestContext.stage", MAYBE(&stage), "version", MAYBE(&version), "resource",
                         MAYBE(&resource)));
    /* an HTTP API with payload format 1.0 says so; a REST API has no version, and in its path no stage but a custom domain's base path */
    http->encoded = !latch_str_eq(version, LATCH_STR("1.0"));
    http->path = http->encoded ? latch_route_without_base(resource, http->params, http->path) : without_stage(http->path, stage);
    return LATCH_OK;
}

/* Behind the last comma. */
static latch_str last_of(latch_str list) {
    const char *comma = list.len > 0 ? memrchr(list.ptr, ',', list.len) : NULL;
    if (comma != NULL) list = (latch_str){comma + 1, list.len - (size_t)(comma - list.ptr) - 1};
    while (list.len > 0 && list.ptr[0] == ' ')
        list = (latch_str){list.ptr + 1, list.len - 1};
    return list;
}

static latch_status read_balancer(latch_http *http) {
    http->multi = latch_has(http->event, "multiValueHeaders");
    http->encoded = true;
    LATCH_TRY(latch_read(http->event, "httpMethod", &http->method, "path", MAYBE(&http->path)));
    http->client = last_of(latch_http_header(http, "X-Forwarded-For"));
    return LATCH_OK;
}

static latch_status read_body(latch_http *http) {
    latch_str body;
    bool encoded;
    LATCH_TRY(latch_read(http->event, "body", MAYBE(&body), "isBase64Encoded", latch_optional(&encoded)));
    http->body = body.len > 0 ? body : LATCH_STR("");
    if (!encoded) return LATCH_OK;
    if (!latch_base64_decode(http->cx->arena, body, &http->body))
        return latch_err_set(&http->cx->err, LATCH_E_INPUT, "event.body: is no base64, and isBase64Encoded says so");
    return http->body.ptr != NULL ? LATCH_OK : full(http);
}

static bool same_name(latch_str a, const char *b) { return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0; }

/* The texts of a list as one; ptr is NULL when the arena is full. */
static latch_str joined(latch_arena *arena, latch_json list, const char *between) {
    latch_text_writer t = latch_text_begin(arena);
    latch_str only = {"", 0};
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        if (each.index == 0) {
            only = latch_each_text(&each);
            continue;
        }
        if (each.index == 1) latch_text_put(&t, only);
        latch_text_put(&t, latch_str_of(between));
        latch_text_put(&t, latch_each_text(&each));
        only.ptr = NULL;
    }
    return only.ptr != NULL ? only : latch_text_end(&t);
}

/* Before the handler runs: a header that didn't fit would look absent to it. */
static latch_status join_headers(latch_http *http) {
    latch_arena *arena = http->cx->arena;
    size_t count = 0;
    for (latch_each each = latch_each_in(http->header_lists); latch_each_next(&each);)
        count++;
    if (count > SIZE_MAX / sizeof *http->joined) return full(http);
    if (count > 0) http->joined = latch_arena_alloc(arena, count * sizeof *http->joined);
    if (count > 0 && http->joined == NULL) return full(http);
    for (latch_each each = latch_each_in(http->header_lists); latch_each_next(&each);) {
        latch_json list = latch_each_value(&each);
        if (list.node->broken != LATCH_OK) return full(http);
        latch_http_joined one = {each.name, joined(arena, list, same_name(each.name, "cookie") ? "; " : ", ")};
        if (one.value.ptr == NULL) return full(http);
        http->joined[http->joined_count++] = one;
    }
    http->cookie = joined(arena, http->cookies, "; ");
    return http->cookie.ptr != NULL ? LATCH_OK : full(http);
}

static latch_status read_event(latch_http *http, latch_str bytes) {
    latch_str version;
    LATCH_TRY(latch_parse(http->cx, "event", bytes, &http->event));
    LATCH_TRY(latch_read(http->event, "requestContext", &http->context, "version", MAYBE(&version), "headers",
                         latch_optional(&http->headers), "multiValueHeaders", latch_optional(&http->header_lists), "queryStringParameters",
                         latch_optional(&http->queries), "multiValueQueryStringParameters", latch_optional(&http->query_lists),
                         "pathParameters", latch_optional(&http->params), "cookies", latch_optional(&http->cookies)));
    LATCH_TRY(join_headers(http));
    http->form = latch_has(http->context, "elb")                                               ? LATCH_FORM_BALANCER
                 : latch_str_eq(version, LATCH_STR("2.0")) || latch_has(http->context, "http") ? LATCH_FORM_HTTP_API
                                                                                               : LATCH_FORM_REST;
    LATCH_TRY(http->form == LATCH_FORM_BALANCER ? read_balancer(http)
              : http->form == LATCH_FORM_REST   ? read_rest(http)
                                                : read_http_api(http));
    if (http->path.len == 0) http->path = LATCH_STR("/");
    return read_body(http);
}

/* ── what the handler asks for ───────────────────────────────────────────────────────────────────────────────────── */

latch_str latch_http_method(const latch_http *http) { return http->method; }
latch_str latch_http_path(const latch_http *http) { return http->path; }
latch_str latch_http_client(const latch_http *http) { return http->client.len > 0 ? http->client : LATCH_STR(""); }
latch_str latch_http_body(const latch_http *http) { return http->body; }
latch_json latch_http_context(const latch_http *http) { return http->context; }
latch_json latch_http_event(const latch_http *http) { return http->event; }

latch_str latch_http_header(const latch_http *http, const char *name) {
    if (http->cookie.len > 0 && strcasecmp(name, "cookie") == 0) return http->cookie;
    for (size_t i = 0; i < http->joined_count; i++) {
        if (same_name(http->joined[i].name, name)) return http->joined[i].value;
    }
    for (latch_each each = latch_each_in(http->headers); latch_each_next(&each);) {
        if (same_name(each.name, name)) return latch_each_text(&each);
    }
    return LATCH_STR("");
}

latch_str latch_http_cookie(const latch_http *http, const char *name) {
    latch_str rest = latch_http_header(http, "cookie"), wanted = latch_str_of(name);
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, ';', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len, used = end != NULL ? len + 1 : len, from = 0;
        while (from < len && rest.ptr[from] == ' ')
            from++;
        latch_str pair = {rest.ptr + from, len - from};
        rest = (latch_str){rest.ptr + used, rest.len - used};
        if (pair.len <= wanted.len || pair.ptr[wanted.len] != '=') continue;
        if (latch_str_eq((latch_str){pair.ptr, wanted.len}, wanted))
            return (latch_str){pair.ptr + wanted.len + 1, pair.len - wanted.len - 1};
    }
    return LATCH_STR("");
}

/* ── the query: raw in HTTP API, decoded in REST, pairs that are still encoded from a load balancer ───────────────────────────── */

typedef struct query { /* counts the values of one name and keeps the one that is wanted */
    latch_arena *arena;
    bool *full;
    latch_str name;
    size_t wanted, count;
    latch_str value;
} query;

static void note(query *q, latch_str name, latch_str value, bool encoded) {
    bool same = encoded ? latch_percent_is(name, true, q->name) : latch_str_eq(name, q->name);
    if (!same || q->count++ != q->wanted) return;
    if (encoded) value = latch_percent_decode(q->arena, value, true);
    if (value.ptr == NULL) *q->full = true;
    if (value.len > 0) q->value = value;
}

static void look_in_raw(query *q, latch_str raw) {
    while (raw.len > 0) {
        const char *end = memchr(raw.ptr, '&', raw.len);
        size_t len = end != NULL ? (size_t)(end - raw.ptr) : raw.len, used = end != NULL ? len + 1 : len;
        const char *equals = len > 0 ? memchr(raw.ptr, '=', len) : NULL;
        latch_str name = {raw.ptr, equals != NULL ? (size_t)(equals - raw.ptr) : len};
        latch_str value = {raw.ptr + len, 0};
        if (equals != NULL) value = (latch_str){equals + 1, len - name.len - 1};
        if (len > 0) note(q, name, value, true);
        raw = (latch_str){raw.ptr + used, raw.len - used};
    }
}

static void look_in_lists(query *q, latch_json lists, bool encoded) {
    for (latch_each each = latch_each_in(lists); latch_each_next(&each);) {
        latch_json list = latch_each_value(&each);
        if (list.node->broken != LATCH_OK) *q->full = true;
        for (latch_each value = latch_each_in(list); latch_each_next(&value);)
            note(q, each.name, latch_each_text(&value), encoded);
    }
}

static query look(const latch_http *http, const char *name, size_t wanted) {
    bool encoded = http->form == LATCH_FORM_BALANCER;
    query q = {.arena = http->cx->arena, .full = http->full, .name = latch_str_of(name), .wanted = wanted, .value = LATCH_STR("")};
    if (http->form == LATCH_FORM_HTTP_API && http->raw_query.len > 0) {
        look_in_raw(&q, http->raw_query);
        return q;
    }
    if (latch_has(http->query_lists, "")) {
        look_in_lists(&q, http->query_lists, encoded);
        return q;
    }
    for (latch_each each = latch_each_in(http->queries); latch_each_next(&each);)
        note(&q, each.name, latch_each_text(&each), encoded);
    return q;
}

latch_str latch_http_query(const latch_http *http, const char *name) { return look(http, name, 0).value; }
latch_str latch_http_query_at(const latch_http *http, const char *name, size_t i) { return look(http, name, i).value; }
size_t latch_http_query_count(const latch_http *http, const char *name) { return look(http, name, SIZE_MAX).count; }

latch_str latch_http_param(const latch_http *http, const char *name) {
    if (http->routed) return latch_route_param(&http->found, name);
    for (latch_each each = latch_each_in(http->params); latch_each_next(&each);) {
        if (latch_str_eq(each.name, latch_str_of(name))) return latch_each_text(&each);
    }
    return LATCH_STR("");
}

latch_status latch_http_json(latch_http *http, latch_json *out) { return latch_parse(http->cx, "body", http->body, out); }

latch_status latch_http_need_header(latch_http *http, const char *name, latch_str *out) {
    *out = latch_http_header(http, name);
    if (out->len > 0) return LATCH_OK;
    (void)latch_err_set(&http->cx->err, LATCH_E_INPUT, "the header %s is missing", name);
    http->cx->err.for_client = true;
    return LATCH_E_INPUT;
}

/* ── the reply ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The first reason stays: the reply says it. */
static void break_reply(latch_http *http, latch_status status, const char *name, const char *what) {
    if (http->broken != LATCH_OK) return;
    http->broken = status;
    snprintf(http->why, sizeof http->why, "the header \"%.80s\" %s", name, what);
}

static void add_field(latch_http *http, const char *name, latch_str value) {
    const char *label = name != NULL ? name : "set-cookie";
    latch_str copy = latch_copy(http->cx, value), own = latch_copy(http->cx, latch_str_of(label));
    if (copy.ptr == NULL || own.ptr == NULL) {
        break_reply(http, LATCH_E_NOMEM, label, "doesn't fit: the arena is full");
    } else if (latch_str_has_control(value)) {
        break_reply(http, LATCH_E_MISUSE, label, "has a control byte in its value");
    } else if (!latch_str_is_utf8(value)) {
        break_reply(http, LATCH_E_MISUSE, label, "has a value that is no UTF-8");
    } else if (name == NULL && http->form == LATCH_FORM_BALANCER && !http->multi && latch_http_cookies_set(http) > 0) {
        break_reply(http, LATCH_E_MISUSE, label,
                    "comes twice: a load balancer takes a second cookie only with lambda.multi_value_headers.enabled");
    } else if (http->field_count == LATCH_HTTP_HEADERS_MAX) {
        break_reply(http, LATCH_E_MISUSE, label, "is one more than the 64 that a reply may have");
    } else {
        http->fields[http->field_count++] = (latch_http_field){name != NULL ? own.ptr : NULL, copy};
    }
}

static void drop_field(latch_http *http, const char *name) {
    size_t kept = 0;
    for (size_t i = 0; i < http->field_count; i++) {
        bool same = http->fields[i].name != NULL && strcasecmp(http->fields[i].name, name) == 0;
        if (!same) http->fields[kept++] = http->fields[i];
    }
    http->field_count = kept;
}

/* They are on their way already. */
static bool is_late(latch_http *http, const char *name) {
    if (http->stream == NULL) return false;
    latch_warn(http->cx, "a header set after the stream began isn't sent", "header", name);
    return true;
}

void latch_http_set_header(latch_http *http, const char *name, latch_str value) {
    if (is_late(http, name)) return;
    if (!latch_is_token(name)) {
        break_reply(http, LATCH_E_MISUSE, name, "has a name that is no token");
        return;
    }
    drop_field(http, name);
    if (strcasecmp(name, "set-cookie") == 0) {
        add_field(http, NULL, value);
    } else {
        add_field(http, name, value);
    }
}

void latch_http_set_cookie(latch_http *http, latch_str cookie) {
    if (!is_late(http, "set-cookie")) add_field(http, NULL, cookie);
}

/* Whether a reply of this content type can go out with the headers that are set. */
static latch_status check_reply(latch_http *http, const char *content_type, latch_str *type) {
    latch_err *err = &http->cx->err;
    if (http->stream != NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "the answer is being streamed, with the status %d: no reply fits it", http->status);
    if (http->broken != LATCH_OK) return latch_err_set(err, http->broken, "%s", http->why);
    if (latch_str_has_control(latch_str_of(content_type)) || !latch_str_is_utf8(latch_str_of(content_type)))
        return latch_err_set(err, LATCH_E_MISUSE, "the reply's content type has a control byte in it, or is no UTF-8");
    *type = latch_copy(http->cx, latch_str_of(content_type));
    return type->ptr != NULL ? LATCH_OK : latch_err_set(err, LATCH_E_NOMEM, "the reply: the arena is full");
}

latch_status latch_http_reply_bytes(latch_http *http, int status, const char *content_type, latch_str body) {
    latch_str type;
    if (status < 100 || status > 599)
        return latch_err_set(&http->cx->err, LATCH_E_MISUSE, "the reply's status is %d, want 100 to 599", status);
    LATCH_TRY(check_reply(http, content_type, &type));
    http->status = status;
    http->plain = false;
    http->content_type = type.ptr;
    http->reply = body;
    return LATCH_OK;
}

latch_status latch_http_reply(latch_http *http, int status, latch_json body) {
    latch_str text;
    LATCH_TRY(latch_json_text(http->cx, body, &text));
    return latch_http_reply_bytes(http, status, "application/json", text);
}

/* JSON whatever the author set as content type: the text may be the client's own, and as HTML it would run. */
static latch_status say(latch_http *http, int status, latch_json body) {
    latch_status ended = latch_http_reply(http, status, body);
    http->plain = ended == LATCH_OK;
    return ended;
}

latch_status latch_http_refuse(latch_http *http, int status, const char *message) {
    return say(http, status, latch_object(http->cx, "error", message));
}

int latch_http_replied(const latch_http *http) { return http->status; }
latch_str latch_http_replied_body(const latch_http *http) {
    return http->status != 0 && http->reply.ptr != NULL ? http->reply : LATCH_STR("");
}

latch_str latch_http_replied_header(const latch_http *http, const char *name) {
    bool type = strcasecmp(name, "content-type") == 0;
    for (size_t i = 0; i < http->field_count && !(type && http->plain); i++) {
        if (http->fields[i].name != NULL && strcasecmp(http->fields[i].name, name) == 0) return http->fields[i].value;
    }
    return type ? latch_str_of(http->content_type) : LATCH_STR("");
}

/* ── writing it in the event's own form ──────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

/* "name":"value", or "name":["value"] */
static void put_field(latch_text_writer *t, const char *name, latch_str value, bool list, bool first) {
    if (!first) latch_text_char(t, ',');
    latch_text_json_string(t, latch_str_of(name));
    put(t, list ? ":[" : ":");
    latch_text_json_string(t, value);
    if (list) latch_text_char(t, ']');
}

bool latch_http_has_field(const latch_http *http, const char *name) {
    for (size_t i = 0; i < http->field_count; i++) {
        if (http->fields[i].name != NULL && strcasecmp(http->fields[i].name, name) == 0) return true;
    }
    return false;
}

static void put_cookies(latch_text_writer *t, const latch_http *http) {
    bool first = true;
    latch_text_char(t, '[');
    for (size_t i = 0; i < http->field_count; i++) {
        if (http->fields[i].name != NULL) continue;
        if (!first) latch_text_char(t, ',');
        first = false;
        latch_text_json_string(t, http->fields[i].value);
    }
    latch_text_char(t, ']');
}

static void put_headers(latch_text_writer *t, const latch_http *http) {
    bool lists = http->form == LATCH_FORM_REST || http->multi, first = true;
    put(t, lists ? ",\"multiValueHeaders\":{" : ",\"headers\":{");
    if (*http->content_type != '\0' && (http->plain || !latch_http_has_field(http, "content-type"))) {
        put_field(t, "content-type", latch_str_of(http->content_type), lists, first);
        first = false;
    }
    for (size_t i = 0; i < http->field_count; i++) {
        const latch_http_field *f = &http->fields[i];
        if (f->name == NULL && (lists || http->form == LATCH_FORM_HTTP_API)) continue;
        if (f->name != NULL && http->plain && strcasecmp(f->name, "content-type") == 0) continue;
        put_field(t, f->name != NULL ? f->name : "set-cookie", f->value, lists, first);
        first = false;
    }
    if (lists && latch_http_cookies_set(http) > 0) {
        put(t, first ? "\"set-cookie\":" : ",\"set-cookie\":");
        put_cookies(t, http);
    }
    latch_text_char(t, '}');
    if (http->form != LATCH_FORM_HTTP_API || latch_http_cookies_set(http) == 0) return;
    put(t, ",\"cookies\":");
    put_cookies(t, http);
}

/* RFC 9110's phrases of what is common; a load balancer wants one, and any will do. */
static const char *phrase_of(int status) {
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].status == status) return known[i].phrase;
    }
    return "Status";
}

static latch_status write_reply(const latch_http *http, latch_str *out) {
    latch_ctx *cx = http->cx;
    latch_str body = http->found.without_body ? LATCH_STR("") : http->reply;
    bool binary = !latch_str_is_utf8(body);
    latch_text_writer t = latch_text_begin(cx->arena);
    if (body.len > LATCH_API_PAYLOAD_MAX_BYTES) return latch_outcome_fits(cx, body); /* only grows from here */
    if (body.ptr == NULL) body = LATCH_STR("");
    if (binary) body = latch_base64_encode(cx->arena, body);
    if (body.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "the reply: the arena is full");
    put(&t, "{\"statusCode\":");
    latch_text_int(&t, http->status);
    if (http->form == LATCH_FORM_BALANCER) {
        put(&t, ",\"statusDescription\":\"");
        latch_text_int(&t, http->status);
        latch_text_char(&t, ' ');
        put(&t, phrase_of(http->status));
        latch_text_char(&t, '"');
    }
    put_headers(&t, http);
    put(&t, ",\"body\":");
    latch_text_json_string(&t, body);
    put(&t, binary ? ",\"isBase64Encoded\":true}" : ",\"isBase64Encoded\":false}");
    *out = latch_text_end(&t);
    if (out->ptr == NULL) return latch_err_set(&cx->err, t.failed, "the reply: %s", t.why);
    return latch_outcome_fits(cx, *out);
}

/* ── as a stream ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* API Gateway's HTTP APIs and load balancers can't; function URLs and REST APIs where they are told to (runtime/stream.h). */
static bool may_stream(const latch_http *http, latch_stream_mode mode) {
    bool url = http->form == LATCH_FORM_HTTP_API && http->encoded;
    if (mode == LATCH_STREAM_ALWAYS) return url || http->form == LATCH_FORM_REST;
    return url && mode == LATCH_STREAM_AUTO;
}

static latch_stream_mode mode_of(const latch_http *http) { return http->cx->stream != NULL ? http->cx->stream->mode : LATCH_STREAM_NEVER; }

/* {"statusCode":200,"headers":{…},"cookies":[…]} and eight NULs */
static latch_status write_prelude(const latch_http *http, latch_stream *stream) {
    latch_text_writer t = latch_text_begin(http->cx->arena);
    put(&t, "{\"statusCode\":");
    latch_text_int(&t, http->status);
    put_headers(&t, http);
    latch_text_char(&t, '}');
    latch_text_put(&t, (latch_str){"\0\0\0\0\0\0\0", 8}); /* and the literal's own */
    latch_str prelude = latch_text_end(&t);
    if (prelude.ptr == NULL) return latch_err_set(&http->cx->err, t.failed, "the stream's headers: %s", t.why);
    return latch_stream_put(stream, prelude);
}

/* http->status and what goes with it are set. */
static latch_status begin_stream(latch_http *http) {
    latch_stream *stream;
    bool streams = may_stream(http, mode_of(http));
    LATCH_TRY(latch_stream_begin(http->cx, !streams, http->content_type, &stream));
    stream->is_http = true;
    stream->drops = latch_str_eq(http->method, LATCH_STR("HEAD"));
    stream->bodiless = http->status == 204 || http->status == 304 ? http->status : 0;
    http->stream = stream;
    if (stream->collects) return LATCH_OK;
    latch_status status = write_prelude(http, stream);
    return status == LATCH_OK ? status : latch_stream_settle(&http->stream, status);
}

latch_status latch_http_stream(latch_http *http, int status, const char *content_type, latch_stream **out) {
    latch_err *err = &http->cx->err;
    latch_str type;
    *out = NULL;
    if (status < 200 || status > 599) return latch_err_set(err, LATCH_E_MISUSE, "the stream's status is %d, want 200 to 599", status);
    if (http->status != 0 && http->stream == NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "there is a reply already, with the status %d: no stream fits it", http->status);
    LATCH_TRY(check_reply(http, content_type, &type));
    http->status = status;
    http->plain = false;
    http->content_type = type.ptr;
    latch_status begun = begin_stream(http);
    if (http->stream == NULL) http->status = 0;
    if (begun == LATCH_OK) *out = http->stream;
    return begun;
}

static latch_status collect(latch_call *call, latch_status status) {
    latch_http *http = call->http;
    if (http->stream == NULL || !http->stream->collects) return status;
    status = latch_stream_settle(&http->stream, status);
    if (status != LATCH_OK) http->status = 0;
    if (status != LATCH_OK) return status;
    http->reply = (latch_str){http->stream->buffer, http->stream->len};
    http->stream->state = LATCH_STREAM_NONE;
    http->stream = NULL;
    return LATCH_OK;
}

/* A stream that is sent leaves no reply. Where the function's answers are streams, this reply becomes one: its body is written when the scope has
 * ended. */
static latch_status write_answer(latch_http *http, latch_str *out) {
    *out = LATCH_STR("");
    if (http->stream == NULL && mode_of(http) == LATCH_STREAM_ALWAYS && may_stream(http, LATCH_STREAM_ALWAYS)) return begin_stream(http);
    return http->stream != NULL ? LATCH_OK : write_reply(http, out);
}

/* ── from a status to an answer ──────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    latch_status status;
    int http;
    const char *says; /* to the client, where the message is not for it: a store's message has keys in it */
} answers[] = {
    {LATCH_E_INPUT, 400, "bad request"},
    {LATCH_MISSING, 404, "not found"},
    {LATCH_HELD, 409, "not now"},
    {LATCH_BUSY, 409, "this is being done"},
    {LATCH_CONFLICT, 409, "not now"},
    {LATCH_SEEN, 409, "this was done"},
    {LATCH_UNDONE, 409, "this was undone"},
    {LATCH_MISMATCH, 422, "this key was used with another request"},
    {LATCH_LIMITED, 429, "too many requests"},
};

/* Whole seconds, and never 0: the client would come back too early. */
static void say_when(latch_http *http, int64_t retry_at_ms) {
    int64_t left_ms = retry_at_ms - latch_now_ms(http->cx);
    if (retry_at_ms <= 0) return;
    int64_t seconds = left_ms > 0 ? left_ms / 1000 + (left_ms % 1000 > 0) : 1;
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)seconds);
    latch_http_set_header(http, "retry-after", (latch_str){text, (size_t)len});
}

/* LATCH_OK: the refusal became a reply. Anything else is an invocation error. */
static latch_status answer(latch_http *http, latch_status status) {
    latch_err why = http->cx->err;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i].status != status) continue;
        if (!why.for_client)
            latch_info(http->cx, "refused", "answer", latch_int(answers[i].http), "errorType", why.type, "why", why.message);
        say_when(http, why.retry_at_ms);
        return latch_http_refuse(http, answers[i].http, why.for_client ? why.message : answers[i].says);
    }
    return status;
}

static latch_status skip(latch_http *http) {
    const latch_err why = http->cx->err;
    if (!why.for_client) latch_info(http->cx, "skipped", "errorType", why.type, "why", why.message);
    return say(http, 200, latch_object(http->cx, "skipped", why.for_client ? why.message : why.type));
}

static latch_status not_allowed(latch_http *http, latch_str allow) {
    if (allow.len == 0) return latch_http_refuse(http, 404, "no such route");
    latch_http_set_header(http, "allow", allow);
    return latch_http_refuse(http, 405, "method not allowed");
}

/* The handler, or what is said where there is none for this path and method. */
static latch_status run_route(latch_ctx *cx, latch_call *call) {
    latch_http *http = call->http;
    if (call->handler->routes == NULL) return call->handler->http(cx, http);
    return call->route != NULL ? call->route->run(cx, http) : not_allowed(http, http->found.allow);
}

static latch_status handle(latch_http *http, const latch_handler *handler) {
    if (handler->routes != NULL) {
        const latch_route_path path = {http->path, http->encoded};
        LATCH_TRY(latch_route_find(http->cx, handler, http->method, path, &http->found));
        http->routed = http->found.route != NULL;
    }
    latch_call call = {.handler = handler, .route = http->found.route, .http = http, .collect = collect};
    latch_status status = latch_around_run(http->cx, &call, run_route);
    if (*http->full && (status == LATCH_OK || latch_is_refusal(status) || status == LATCH_E_INPUT)) return full(http);
    if (status == LATCH_OK && http->status == 0)
        return latch_err_set(&http->cx->err, LATCH_E_MISUSE, "the handler returned LATCH_OK without a reply");
    return status;
}

/* What the stream makes of it; where that was given up, an answer may still be a reply. */
static latch_status settle(latch_http *http, const latch_handler *handler, latch_status status) {
    bool streamed = http->stream != NULL;
    status = latch_stream_settle(&http->stream, status);
    if (streamed && http->stream == NULL) http->status = 0;
    if (http->stream != NULL && latch_outcome_is_skipped(handler, status)) return latch_stream_settle(&http->stream, LATCH_OK);
    if (status == LATCH_OK || http->stream != NULL) return status;
    return latch_outcome_is_skipped(handler, status) ? skip(http) : answer(http, status);
}

latch_status latch_http_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply) {
    bool full_once = false;
    latch_http http = {.cx = cx, .full = &full_once, .content_type = ""};
    *reply = LATCH_STR("");
    LATCH_TRY(read_event(&http, bytes));
    latch_status status = handle(&http, handler), ended = status;
    status = settle(&http, handler, status);
    if (status == LATCH_OK && http.broken != LATCH_OK) status = latch_err_set(&cx->err, http.broken, "%s", http.why);
    if (status == LATCH_OK) status = write_answer(&http, reply);
    latch_scope_end(cx, status != LATCH_OK ? status : ended);
    bool whole = http.stream == NULL || http.stream->bodiless != 0 || http.reply.len == 0;
    return status == LATCH_OK && !whole ? latch_stream_write(http.stream, http.reply) : status;
}

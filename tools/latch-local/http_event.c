#include "http_event.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <yyjson.h>

#include "base64.h"
#include "url.h"

typedef struct making {
    yyjson_mut_doc *doc;
    const latch_http_request *r;
} making;

/* ── text ── */

/* JSON carries UTF-8 only: what isn't becomes U+FFFD, byte by byte. */
static yyjson_mut_val *text(const making *m, latch_str s) {
    latch_buffer clean = {0};
    if (latch_str_is_utf8(s)) return yyjson_mut_strncpy(m->doc, s.len > 0 ? s.ptr : "", s.len);
    for (size_t i = 0, step; i < s.len; i += step) {
        for (step = 1; step < 4 && i + step < s.len && !latch_str_is_utf8((latch_str){s.ptr + i, step});)
            step++;
        bool good = latch_str_is_utf8((latch_str){s.ptr + i, step});
        if (!good) step = 1;
        latch_buffer_add(&clean, good ? s.ptr + i : "\xEF\xBF\xBD", good ? step : 3);
    }
    yyjson_mut_val *v = yyjson_mut_strncpy(m->doc, clean.ptr, clean.len);
    latch_buffer_clean_up(&clean);
    return v;
}

static void put(const making *m, yyjson_mut_val *to, const char *name, yyjson_mut_val *value) {
    yyjson_mut_obj_put(to, yyjson_mut_strcpy(m->doc, name), value);
}

/* To a member that may be there already: "a,b". */
static void put_joined(const making *m, yyjson_mut_val *to, latch_str name, latch_str value) {
    yyjson_mut_val *key = text(m, name), *before = yyjson_mut_obj_getn(to, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    if (before == NULL) {
        yyjson_mut_obj_add(to, key, text(m, value));
        return;
    }
    latch_buffer joined = {0};
    latch_buffer_add(&joined, yyjson_mut_get_str(before), yyjson_mut_get_len(before));
    latch_buffer_text(&joined, ",");
    latch_buffer_add(&joined, value.ptr, value.len);
    yyjson_mut_obj_put(to, key, text(m, latch_buffer_str(&joined)));
    latch_buffer_clean_up(&joined);
}

static latch_str trim(latch_str s) {
    while (s.len > 0 && s.ptr[0] == ' ')
        s.ptr++, s.len--;
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* ── headers, cookies, query ── */

static const char *header(const latch_http_request *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0) return r->headers[i].value;
    return NULL;
}

static void add_cookies(const making *m, yyjson_mut_val *list, const char *value) {
    latch_str rest = latch_str_of(value), cookie;
    while (latch_url_next(&rest, ';', &cookie))
        if (trim(cookie).len > 0) yyjson_mut_arr_append(list, text(m, trim(cookie)));
}

static void add_headers(const making *m, yyjson_mut_val *root) {
    yyjson_mut_val *cookies = yyjson_mut_arr(m->doc), *headers = yyjson_mut_obj(m->doc);
    for (size_t i = 0; i < m->r->header_count; i++) {
        const latch_http_header *h = &m->r->headers[i];
        if (strcasecmp(h->name, "cookie") == 0) {
            add_cookies(m, cookies, h->value);
            continue;
        }
        char *name = latch_copy(latch_str_of(h->name));
        for (char *c = name; *c != '\0'; c++)
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
        put_joined(m, headers, latch_str_of(name), latch_str_of(h->value));
        free(name);
    }
    put_joined(m, headers, LATCH_STR("x-forwarded-for"), latch_str_of(m->r->client));
    if (header(m->r, "x-forwarded-proto") == NULL) put(m, headers, "x-forwarded-proto", yyjson_mut_str(m->doc, "http"));
    if (yyjson_mut_arr_size(cookies) > 0) put(m, root, "cookies", cookies);
    put(m, root, "headers", headers);
}

static void add_query(const making *m, yyjson_mut_val *root) {
    yyjson_mut_val *params = yyjson_mut_obj(m->doc);
    latch_str rest = m->r->query, pair;
    while (latch_url_next(&rest, '&', &pair)) {
        latch_buffer name = {0}, value = {0};
        latch_str name_sent, value_sent = pair;
        latch_url_next(&value_sent, '=', &name_sent);
        latch_url_decode(&name, name_sent, true);
        latch_url_decode(&value, value_sent, true);
        if (pair.len > 0) put_joined(m, params, latch_buffer_str(&name), latch_buffer_str(&value));
        latch_buffer_clean_up(&name);
        latch_buffer_clean_up(&value);
    }
    if (yyjson_mut_obj_size(params) > 0) put(m, root, "queryStringParameters", params);
}

static void add_params(const making *m, yyjson_mut_val *root) {
    yyjson_mut_val *params = yyjson_mut_obj(m->doc);
    for (size_t i = 0; i < m->r->params->count; i++)
        put_joined(m, params, latch_str_of(m->r->params->items[i].name), latch_str_of(m->r->params->items[i].value));
    if (yyjson_mut_obj_size(params) > 0) put(m, root, "pathParameters", params);
}

/* ── the rest ── */

static yyjson_mut_val *make_path(const making *m) {
    latch_buffer decoded = {0};
    if (m->r->is_url) return text(m, m->r->path);
    latch_url_decode(&decoded, m->r->path, false);
    yyjson_mut_val *v = text(m, latch_buffer_str(&decoded));
    latch_buffer_clean_up(&decoded);
    return v;
}

static yyjson_mut_val *make_time(const making *m) {
    char out[40];
    time_t seconds = (time_t)(m->r->now_ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    return yyjson_mut_strncpy(m->doc, out, strftime(out, sizeof out, "%d/%b/%Y:%H:%M:%S +0000", &t));
}

static void add_context(const making *m, yyjson_mut_val *root) {
    const latch_http_request *r = m->r;
    const char *id = r->is_url ? "local0url" : "local0api", *agent = header(r, "user-agent");
    char *domain = latch_format(r->is_url ? "%s.lambda-url.%s.on.aws" : "%s.execute-api.%s.amazonaws.com", id, r->region);
    yyjson_mut_val *context = yyjson_mut_obj(m->doc), *http = yyjson_mut_obj(m->doc);
    put(m, context, "accountId", yyjson_mut_str(m->doc, r->is_url ? "anonymous" : "123456789012"));
    put(m, context, "apiId", yyjson_mut_str(m->doc, id));
    put(m, context, "domainName", yyjson_mut_strcpy(m->doc, domain));
    put(m, context, "domainPrefix", yyjson_mut_str(m->doc, id));
    put(m, http, "method", yyjson_mut_strcpy(m->doc, r->method));
    put(m, http, "path", make_path(m));
    put(m, http, "protocol", yyjson_mut_str(m->doc, "HTTP/1.1"));
    put(m, http, "sourceIp", yyjson_mut_strcpy(m->doc, r->client));
    put(m, http, "userAgent", text(m, latch_str_of(agent)));
    put(m, context, "http", http);
    put(m, context, "requestId", yyjson_mut_strcpy(m->doc, r->request_id));
    put(m, context, "routeKey", yyjson_mut_strcpy(m->doc, r->route_key));
    put(m, context, "stage", yyjson_mut_str(m->doc, "$default"));
    put(m, context, "time", make_time(m));
    put(m, context, "timeEpoch", yyjson_mut_sint(m->doc, r->now_ms));
    put(m, root, "requestContext", context);
    free(domain);
}

static bool ends(const char *type, size_t len, const char *suffix) {
    size_t n = strlen(suffix);
    return len >= n && strncasecmp(type + len - n, suffix, n) == 0;
}

bool latch_http_event_is_text(const char *content_type, latch_str body) {
    static const char *const types[] = {"application/json", "application/xml", "application/javascript"};
    if (!latch_str_is_utf8(body)) return false;
    if (content_type == NULL || *content_type == '\0') return true;
    size_t len = strcspn(content_type, "; \t");
    bool is_text = strncasecmp(content_type, "text/", 5) == 0 || ends(content_type, len, "+json") || ends(content_type, len, "+xml");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        is_text = is_text || (len == strlen(types[i]) && strncasecmp(content_type, types[i], len) == 0);
    return is_text;
}

static void add_body(const making *m, yyjson_mut_val *root) {
    latch_str body = m->r->body;
    bool is_text = latch_http_event_is_text(header(m->r, "content-type"), body);
    if (body.len > 0 && is_text) put(m, root, "body", text(m, body));
    if (body.len > 0 && !is_text) {
        latch_buffer encoded = {0};
        latch_base64_put(&encoded, body);
        put(m, root, "body", yyjson_mut_strncpy(m->doc, encoded.ptr, encoded.len));
        latch_buffer_clean_up(&encoded);
    }
    put(m, root, "isBase64Encoded", yyjson_mut_bool(m->doc, body.len > 0 && !is_text));
}

char *latch_http_event_make(const latch_http_request *r, size_t *out_len) {
    const making m = {yyjson_mut_doc_new(NULL), r};
    yyjson_mut_val *root = yyjson_mut_obj(m.doc);
    yyjson_mut_doc_set_root(m.doc, root);
    put(&m, root, "version", yyjson_mut_str(m.doc, "2.0"));
    put(&m, root, "routeKey", yyjson_mut_strcpy(m.doc, r->route_key));
    put(&m, root, "rawPath", make_path(&m));
    put(&m, root, "rawQueryString", text(&m, r->query));
    add_headers(&m, root);
    add_query(&m, root);
    add_context(&m, root);
    add_params(&m, root);
    add_body(&m, root);
    char *out = yyjson_mut_write(m.doc, YYJSON_WRITE_NOFLAG, out_len);
    yyjson_mut_doc_free(m.doc);
    return out;
}

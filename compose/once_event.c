#include "compose/once_event.h"

#include <stdio.h>
#include <string.h>

#include "core/coding.h"
#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/node.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/http_kept.h"
#include "runtime/record.h"
#include "store/once_private.h"

typedef struct doing { /* an event under its key */
    latch_work work;   /* first: do-once gives this one back */
    latch_call *call;
    const latch_once_event *policy;
    size_t cookies_before; /* what outer hooks have set */
    bool answered;         /* by a reply that isn't kept */
} doing;

uint32_t latch_takeovers(const latch_ctx *cx) { return cx->takeovers; }

static latch_status full(latch_ctx *cx) { return latch_err_set(&cx->err, LATCH_E_NOMEM, "once_event: the arena is full"); }

/* ── what stands at a path ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* What is behind "body" and "headers." in a path; NULL: it doesn't begin so. */
static const char *behind(const char *path, const char *word) {
    size_t len = strlen(word);
    bool begins = strncmp(path, word, len) == 0;
    return begins && (path[len] == '\0' || path[len] == '.' || path[len] == '[' || word[len - 1] == '.') ? path + len : NULL;
}

/* Bytes by what they are: JSON may be written in many ways. */
static latch_json content_of(latch_ctx *cx, latch_str bytes) {
    latch_err before = cx->err;
    latch_json parsed;
    if (latch_parse(cx, "body", bytes, &parsed) == LATCH_OK) return latch_object(cx, "json", parsed);
    cx->err = before;
    if (latch_str_is_utf8(bytes)) return latch_object(cx, "text", bytes);
    return latch_object(cx, "base64", latch_base64_encode(cx->arena, bytes));
}

/* As it stands in the event: no query is none, however the service says so. */
static latch_json query_of(latch_json whole) {
    latch_str raw;
    if (latch_read(whole, "rawQueryString", latch_optional(&raw)) == LATCH_OK && raw.len > 0) return latch_node_at(whole, "rawQueryString");
    latch_json pairs = latch_node_at(whole, "multiValueQueryStringParameters");
    if (!latch_has(whole, "multiValueQueryStringParameters")) pairs = latch_node_at(whole, "queryStringParameters");
    latch_each each = latch_each_in(pairs);
    return latch_each_next(&each) ? pairs : LATCH_NULL;
}

typedef struct source { /* of an event: its documents */
    latch_http *http;
    latch_json whole, body;
    bool has_body; /* `body` was read */
} source;

static latch_status open_whole(latch_call *call, source *out) {
    latch_event *event = latch_call_event(call);
    latch_record *record = latch_call_record(call);
    *out = (source){.http = latch_call_http(call), .whole = LATCH_NULL, .body = LATCH_NULL};
    if (out->http != NULL) out->whole = latch_http_event(out->http);
    if (record != NULL) out->whole = latch_record_whole(record);
    return event != NULL ? latch_event_json(event, &out->whole) : LATCH_OK;
}

/* The document that a path leads into, and the rest of the path. */
static latch_status root_of(latch_call *call, source *from, const char *path, latch_json *root, const char **rest) {
    const char *in_body = behind(path, "body");
    latch_record *record = latch_call_record(call);
    *root = from->whole;
    *rest = path;
    if (in_body == NULL || (from->http == NULL && record == NULL)) return LATCH_OK;
    if (!from->has_body) LATCH_TRY(record != NULL ? latch_record_json(record, &from->body) : latch_http_json(from->http, &from->body));
    from->has_body = true;
    *root = from->body;
    *rest = *in_body == '.' ? in_body + 1 : in_body;
    return LATCH_OK;
}

/* ── the key ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Text as it is, a whole number as it is written. The error is that of wanting text. */
static latch_status read_part(latch_ctx *cx, latch_json root, const char *path, latch_str *out) {
    int64_t n;
    latch_status status = latch_read_(root, (const latch_field[]){{path, latch_bytes(out, 1, INT64_MAX)}, {NULL, latch_i_str_(NULL)}});
    latch_err why = cx->err;
    if (status != LATCH_E_INPUT) return status;
    if (latch_read_(root, (const latch_field[]){{path, latch_i_int_(&n)}, {NULL, latch_i_str_(NULL)}}) == LATCH_OK) {
        *out = latch_ctx_text(cx, "%lld", (long long)n);
        return out->ptr != NULL ? LATCH_OK : full(cx);
    }
    cx->err = why;
    return status;
}

static bool is_empty(const doing *d, const source *from, const char *path) {
    return d->policy->key_is_optional && from->http != NULL && behind(path, "body") != NULL && latch_http_body(from->http).len == 0;
}

/* *there: false where the event has no such value, which is no error of an optional key. */
static latch_status find_part(latch_ctx *cx, doing *d, source *from, const char *path, latch_str *out, bool *there) {
    const char *header = from->http != NULL ? behind(path, "headers.") : NULL, *rest;
    latch_json root;
    *there = true;
    if (header != NULL) {
        *out = latch_http_header(from->http, header);
        *there = out->len > 0 || !d->policy->key_is_optional;
        return *there ? latch_http_need_header(from->http, header, out) : LATCH_OK;
    }
    *there = !is_empty(d, from, path);
    if (!*there) return LATCH_OK;
    LATCH_TRY(root_of(d->call, from, path, &root, &rest));
    *there = !d->policy->key_is_optional || latch_has(root, rest);
    return *there ? read_part(cx, root, rest, out) : LATCH_OK;
}

static latch_status read_key(latch_ctx *cx, doing *d, source *from, bool *there) {
    latch_str parts[LATCH_ONCE_EVENT_PATHS];
    size_t n = 0;
    *there = true;
    for (; n < LATCH_ONCE_EVENT_PATHS && d->policy->key[n] != NULL; n++) {
        LATCH_TRY(find_part(cx, d, from, d->policy->key[n], &parts[n], there));
        if (!*there) return LATCH_OK;
    }
    if (n == 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "once_event %s: .key has no path", d->policy->name);
    d->work.key = n == 1 ? parts[0] : latch_key_(cx, parts, n);
    return d->work.key.len > 0 ? LATCH_OK : full(cx);
}

/* ── what tells two events of one key apart ─────────────────────────────────────────────────────────────────────────────── */

static latch_json whole_payload(latch_ctx *cx, latch_call *call, const source *from) {
    latch_record *record = latch_call_record(call);
    if (record != NULL) return content_of(cx, latch_record_bytes(record));
    if (from->http == NULL) return from->whole;
    return latch_object(cx, "method", latch_http_method(from->http), "path", latch_http_path(from->http), "query", query_of(from->whole),
                        "body", content_of(cx, latch_http_body(from->http)));
}

static latch_status read_payload(latch_ctx *cx, doing *d, source *from) {
    const char *const *paths = d->policy->validate;
    const char *rest;
    latch_json root, list = latch_array(cx);
    if (paths[0] == NULL) d->work.payload = whole_payload(cx, d->call, from);
    for (size_t i = 0; i < LATCH_ONCE_EVENT_PATHS && paths[i] != NULL; i++) {
        const char *header = from->http != NULL ? behind(paths[i], "headers.") : NULL;
        if (header != NULL) {
            list = latch_append(list, latch_http_header(from->http, header));
            continue;
        }
        LATCH_TRY(root_of(d->call, from, paths[i], &root, &rest));
        list = latch_append(list, *rest != '\0' ? latch_node_at(root, rest) : root);
    }
    if (paths[0] != NULL) d->work.payload = list;
    return LATCH_OK;
}

/* ── the handler as do-once's work ──────────────────────────────────────────────────────────────────────────────────────── */

/* What is replied is an error: it goes out, and do-once is told how far the handler came. */
static latch_status let_go(latch_ctx *cx, doing *d, int replied) {
    d->answered = true;
    return latch_err_set(&cx->err, replied < 500 ? LATCH_E_HANDLER : LATCH_E_DATA, "the reply's status is %d", replied);
}

static latch_status keep_reply(latch_ctx *cx, doing *d) {
    latch_http *http = latch_call_http(d->call);
    latch_event *event = latch_call_event(d->call);
    latch_str reply;
    if (http != NULL && latch_http_replied(http) >= 400) return let_go(cx, d, latch_http_replied(http));
    if (http != NULL) d->work.result = latch_http_keep(http, d->cookies_before);
    if (event != NULL && latch_event_replied(event, &reply)) d->work.result = latch_object(cx, "reply", reply);
    return LATCH_OK;
}

static latch_status run_handler(latch_ctx *cx, latch_work *work) {
    doing *d = (doing *)(void *)work;
    uint32_t before = cx->takeovers;
    struct latch_stream *stream = cx->stream;
    cx->takeovers = work->takeovers;
    cx->stream = NULL;
    if (work->takeovers > 0) latch_warn(cx, "begun before and not finished", "once_event", d->policy->name, "key", work->key);
    latch_status status = latch_around_next(cx, d->call);
    cx->takeovers = before;
    cx->stream = stream;
    return status == LATCH_OK ? keep_reply(cx, d) : status;
}

static latch_status replay(latch_ctx *cx, doing *d, const latch_once_result *done) {
    latch_http *http = latch_call_http(d->call);
    latch_event *event = latch_call_event(d->call);
    latch_str reply;
    if (done->not_kept && latch_call_record(d->call) == NULL)
        return latch_err_set(&cx->err, LATCH_SEEN, "once_event %s: it is done, and its reply was too long to be kept", d->policy->name);
    if (http != NULL) return latch_http_restore(http, done->response);
    if (event == NULL) return latch_refuse(cx, LATCH_SEEN, "this record was handled before");
    if (done->response.node == NULL || !latch_has(done->response, "reply")) return latch_event_reply(event, LATCH_NULL);
    LATCH_TRY(latch_read(done->response, "reply", latch_bytes(&reply, 0, INT64_MAX)));
    return latch_event_reply_bytes(event, reply);
}

latch_status latch_once_event_run(latch_ctx *cx, latch_call *call, const void *arg) {
    const latch_once_event *policy = arg;
    doing d = {.call = call, .policy = policy, .work = {.result = LATCH_NULL}};
    const latch_once once = {.name = policy->name,
                             .work = run_handler,
                             .keep_ms = policy->keep_ms,
                             .in_progress_ms = policy->in_progress_ms,
                             .wait_ms = policy->wait_ms,
                             .timeout_ms = policy->timeout_ms};
    source from;
    latch_once_result done;
    bool there;
    if (policy->name == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "once_event: .name is not set");
    LATCH_TRY(open_whole(call, &from));
    LATCH_TRY(read_key(cx, &d, &from, &there));
    if (!there) return latch_around_next(cx, call);
    LATCH_TRY(read_payload(cx, &d, &from));
    if (from.http != NULL) d.cookies_before = latch_http_cookies_set(from.http);
    latch_status status = latch_once_do_work(cx, &once, &d.work, &done);
    if (d.answered) return LATCH_OK;
    LATCH_TRY(status);
    if (!done.did) return replay(cx, &d, &done);
    if (done.not_kept)
        latch_warn(cx, "the reply is too long to be kept, it can't be replayed", "once_event", policy->name, "key", d.work.key);
    return LATCH_OK;
}

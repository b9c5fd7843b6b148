#include "url_stream.h"

#include <stdlib.h>

#include "match.h"

/* ── the client ── */

static void on_room(void *arg) {
    latch_url_stream *u = arg;
    u->source.resume(u->source.arg);
}

static void on_gone(void *arg) {
    latch_url_stream *u = arg;
    u->x = NULL;
    u->left = true;
    if (!u->ended) u->source.resume(u->source.arg);
}

/* The head, and with it the whole answer where it is a refusal. */
static void send_head(latch_url_stream *u, latch_http_answer *a) {
    latch_field *fields = latch_alloc((a->header_count + 1) * sizeof *fields);
    for (size_t i = 0; i < a->header_count; i++)
        fields[i] = (latch_field){a->headers[i].name, a->headers[i].value};
    fields[a->header_count] = (latch_field){"x-amzn-RequestId", u->request_id};
    latch_reply reply = {.status = a->status, .headers = fields, .header_count = a->header_count + 1, .body = latch_buffer_str(&a->body)};
    u->status = a->status;
    u->in_prelude = false;
    latch_exchange *x = u->x;
    if (a->problem != NULL) {
        u->problem = a->problem;
        a->problem = NULL;
        u->x = NULL;
        if (x != NULL) latch_exchange_reply(x, &reply);
    } else {
        u->is_open = true;
        if (x != NULL) latch_exchange_stream(x, &reply, &(latch_writer){on_room, on_gone, u});
    }
    free(fields);
    latch_http_answer_clean_up(a);
}

static void refuse(latch_url_stream *u, unsigned status, char *problem) {
    latch_http_answer a;
    latch_http_answer_refuse(&a, status, problem);
    send_head(u, &a);
}

/* ── the function ── */

static void begin(void *arg, const char *content_type, latch_stream_source source) {
    latch_url_stream *u = arg;
    u->begun = true;
    u->source = source;
    u->in_prelude = latch_http_answer_has_prelude(content_type);
    if (u->in_prelude) return;
    latch_http_answer a = {.status = 200, .headers = latch_alloc(sizeof *a.headers), .header_count = 1};
    const char *type = content_type != NULL ? content_type : "application/octet-stream";
    a.headers[0] = (latch_http_line){latch_copy(LATCH_STR("Content-Type")), latch_copy(latch_str_of(type))};
    send_head(u, &a);
}

/* How many of these bytes are the prelude's. The 8 NUL bytes may come in two pieces. */
static size_t take_prelude(latch_url_stream *u, latch_str bytes) {
    size_t had = u->prelude.len, from = had >= LATCH_PRELUDE_END_BYTES ? had - LATCH_PRELUDE_END_BYTES + 1 : 0;
    size_t room = LATCH_PRELUDE_BYTES - had, taken = bytes.len < room ? bytes.len : room;
    latch_buffer_add(&u->prelude, bytes.ptr, taken);
    size_t end = latch_http_answer_prelude_end(latch_buffer_str(&u->prelude), from);
    if (end == SIZE_MAX && u->prelude.len == LATCH_PRELUDE_BYTES) {
        refuse(u, 502, latch_format("the streamed answer has no 8 NUL bytes in its first %zu: they end the prelude", LATCH_PRELUDE_BYTES));
        return bytes.len;
    }
    if (end == SIZE_MAX) return taken;
    latch_http_answer a;
    latch_http_answer_head(&a, (latch_str){u->prelude.ptr, end});
    send_head(u, &a);
    return end + LATCH_PRELUDE_END_BYTES - had;
}

static size_t data(void *arg, const char *bytes, size_t len) {
    latch_url_stream *u = arg;
    size_t prelude = u->in_prelude ? take_prelude(u, (latch_str){bytes, len}) : 0;
    size_t body = len - prelude;
    if (body > 0 && u->x != NULL) body = latch_exchange_write(u->x, bytes + prelude, body);
    u->body_bytes += body;
    if (prelude + body > 0) u->on_bytes(u->arg, (latch_str){bytes, prelude + body});
    return prelude + body;
}

static char *describe(const char *error_type, latch_str body) {
    yyjson_doc *doc = latch_match_parse(body);
    const char *message = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "errorMessage"));
    char *text = latch_format("%s%s%.400s", error_type, message != NULL ? ": " : "", message != NULL ? message : "");
    yyjson_doc_free(doc);
    return text;
}

static void end(void *arg, const char *error_type, latch_str error_body) {
    latch_url_stream *u = arg;
    char *problem = error_type != NULL ? describe(error_type, error_body) : NULL;
    u->ended = true;
    if (u->in_prelude) {
        refuse(u, 502, problem != NULL ? problem : latch_copy(LATCH_STR("the streamed answer ended within its prelude")));
        return;
    }
    if (u->x != NULL && u->is_open) latch_exchange_finish(u->x, problem == NULL);
    u->x = NULL;
    if (u->problem == NULL)
        u->problem = problem;
    else
        free(problem);
}

/* ── start and stop ── */

void latch_url_stream_init(latch_url_stream *u, latch_exchange *x, const char *request_id, void (*on_bytes)(void *arg, latch_str bytes),
                           void *arg) {
    *u = (latch_url_stream){
        .sink = {.arg = u, .begin = begin, .data = data, .end = end}, .x = x, .request_id = request_id, .on_bytes = on_bytes, .arg = arg};
}

void latch_url_stream_let_go(latch_url_stream *u) {
    if (u->x != NULL && u->is_open) latch_exchange_finish(u->x, false);
    u->x = NULL;
}

void latch_url_stream_clean_up(latch_url_stream *u) {
    free(u->problem);
    latch_buffer_clean_up(&u->prelude);
    u->problem = NULL;
}

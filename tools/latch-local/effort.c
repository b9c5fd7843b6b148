#include "effort.h"

#include <stdio.h>
#include <string.h>

#include "url.h"

/* ── records ── */

typedef struct log_record {
    yyjson_doc *doc;
    latch_str message;
} log_record;

static latch_str text_of(yyjson_val *v) { return yyjson_is_str(v) ? (latch_str){yyjson_get_str(v), yyjson_get_len(v)} : (latch_str){0}; }

/* TEXT: time, request id, level and "message {…}", by tabs. */
static latch_str text_pairs(latch_str line, latch_str *message) {
    latch_str field;
    for (int i = 0; i < 3; i++)
        if (!latch_url_next(&line, '\t', &field)) return (latch_str){0};
    const char *at = line.len > 0 ? memmem(line.ptr, line.len, " {", 2) : NULL;
    if (at == NULL) return (latch_str){0};
    *message = (latch_str){line.ptr, (size_t)(at - line.ptr)};
    return (latch_str){at + 1, line.len - message->len - 1};
}

/* False: the line is none of Latch's records. */
static bool read_record(log_record *r, latch_str line) {
    *r = (log_record){0};
    bool is_json = line.len > 0 && line.ptr[0] == '{';
    latch_str pairs = is_json ? line : text_pairs(line, &r->message);
    if (pairs.len == 0) return false;
    r->doc = yyjson_read(pairs.ptr, pairs.len, YYJSON_READ_NOFLAG);
    if (r->doc != NULL && is_json) r->message = text_of(yyjson_obj_get(yyjson_doc_get_root(r->doc), "message"));
    return r->doc != NULL;
}

static double number(yyjson_val *root, const char *name) {
    double value = yyjson_get_num(yyjson_obj_get(root, name));
    return value > 0 ? value : 0;
}

static uint64_t count(yyjson_val *root, const char *name) {
    yyjson_val *v = yyjson_obj_get(root, name);
    return yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
}

static void copy_text(char *out, size_t cap, yyjson_val *v) {
    latch_str s = text_of(v);
    while (s.len >= cap || (s.len > 0 && !latch_str_is_utf8(s)))
        s.len--;
    memcpy(out, s.len > 0 ? s.ptr : "", s.len);
    out[s.len] = '\0';
}

/* ── what they tell ── */

static void add_call(latch_effort *e, yyjson_val *root) {
    latch_effort_call call = {.ms = number(root, "ms"),
                              .read_units = number(root, "read_units"),
                              .write_units = number(root, "write_units"),
                              .tries = count(root, "tries")};
    copy_text(call.operation, sizeof call.operation, yyjson_obj_get(root, "operation"));
    copy_text(call.outcome, sizeof call.outcome, yyjson_obj_get(root, "outcome"));
    if (call.operation[0] == '\0') return; /* a handler's own record of that name */
    e->is_known = true;
    if (e->call_count < LATCH_EFFORT_CALLS) e->calls[e->call_count] = call;
    e->call_count++;
    if (e->is_final) return;
    e->requests += call.tries;
    e->ms += call.ms;
    e->read_units += call.read_units;
    e->write_units += call.write_units;
}

/* "invocation": a handler's own record may be called so too, but has no such members. */
static void take_totals(latch_effort *e, yyjson_val *root) {
    if (!yyjson_is_uint(yyjson_obj_get(root, "requests")) || !yyjson_is_num(yyjson_obj_get(root, "dynamodb_ms"))) return;
    e->is_known = e->is_final = true;
    e->requests = count(root, "requests");
    e->throttled = count(root, "throttled");
    e->ms = number(root, "dynamodb_ms");
    e->read_units = number(root, "read_units");
    e->write_units = number(root, "write_units");
}

void latch_effort_read(latch_effort *e, latch_str line) {
    log_record r;
    if (!read_record(&r, line)) return;
    if (latch_str_eq(r.message, LATCH_STR("dynamodb"))) add_call(e, yyjson_doc_get_root(r.doc));
    if (latch_str_eq(r.message, LATCH_STR("invocation"))) take_totals(e, yyjson_doc_get_root(r.doc));
    yyjson_doc_free(r.doc);
}

/* ── as JSON ── */

static void put_numbers(yyjson_mut_doc *doc, yyjson_mut_val *to, uint64_t requests, double ms, double read_units, double write_units) {
    yyjson_mut_obj_add_uint(doc, to, "requests", requests);
    yyjson_mut_obj_add_real(doc, to, "ms", ms);
    yyjson_mut_obj_add_real(doc, to, "read_units", read_units);
    yyjson_mut_obj_add_real(doc, to, "write_units", write_units);
}

void latch_effort_put(const latch_effort *e, yyjson_mut_doc *doc, yyjson_mut_val *to, bool with_calls) {
    if (!e->is_known) return;
    yyjson_mut_val *store = yyjson_mut_obj_add_obj(doc, to, "store");
    put_numbers(doc, store, e->requests, e->ms, e->read_units, e->write_units);
    if (e->throttled > 0) yyjson_mut_obj_add_uint(doc, store, "throttled", e->throttled);
    if (!with_calls || e->call_count == 0) return;
    yyjson_mut_val *calls = yyjson_mut_obj_add_arr(doc, store, "calls");
    for (size_t i = 0; i < e->call_count && i < LATCH_EFFORT_CALLS; i++) {
        const latch_effort_call *call = &e->calls[i];
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(doc, calls);
        yyjson_mut_obj_add_str(doc, one, "operation", call->operation);
        yyjson_mut_obj_add_str(doc, one, "outcome", call->outcome);
        put_numbers(doc, one, call->tries, call->ms, call->read_units, call->write_units);
    }
    if (e->call_count > LATCH_EFFORT_CALLS) yyjson_mut_obj_add_uint(doc, store, "calls_left_out", e->call_count - LATCH_EFFORT_CALLS);
}

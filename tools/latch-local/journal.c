#include "journal.h"

#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "report.h"

#define BRIEF_COLUMNS 120
#define HALF_LOG (LATCH_JOURNAL_LOG_BYTES / 2)

/* ── what is kept ── */

static size_t bytes_of(const latch_record *r) { return r->event.len + r->answer.len + r->log.len + r->log_end.len; }

static void drop(latch_journal *j, latch_record **at) {
    latch_record *r = *at;
    if (r == NULL) return;
    j->bytes -= bytes_of(r);
    latch_buffer_clean_up(&r->event);
    latch_buffer_clean_up(&r->answer);
    latch_buffer_clean_up(&r->log);
    latch_buffer_clean_up(&r->log_end);
    free(r->name), free(r->title), free(r->problem), free(r->brief), free(r->note);
    free(r);
    *at = NULL;
}

static latch_record **place(const latch_journal *j, uint64_t id) {
    return (latch_record **)(uintptr_t)&j->records[id % LATCH_JOURNAL_RECORDS];
}

/* The youngest stays, whatever it holds. */
static void make_room(latch_journal *j) {
    if (j->last_id >= LATCH_JOURNAL_RECORDS && j->oldest <= j->last_id - LATCH_JOURNAL_RECORDS)
        j->oldest = j->last_id - LATCH_JOURNAL_RECORDS + 1;
    for (; j->bytes > LATCH_JOURNAL_BYTES && j->oldest < j->last_id; j->oldest++)
        drop(j, place(j, j->oldest));
}

static void add(latch_journal *j, latch_buffer *to, latch_str bytes) {
    latch_buffer_add(to, bytes.ptr, bytes.len);
    j->bytes += bytes.len;
}

static void touch(latch_journal *j, latch_record *r) {
    r->changed = ++j->last_change;
    make_room(j);
}

latch_record *latch_journal_find(const latch_journal *j, uint64_t id) {
    latch_record *r = *place(j, id);
    return r != NULL && r->id == id ? r : NULL;
}

latch_record *latch_journal_find_request(const latch_journal *j, latch_str request_id) {
    for (size_t i = 0; i < LATCH_JOURNAL_RECORDS; i++) {
        latch_record *r = j->records[i];
        if (r != NULL && r->is_over && latch_str_eq(latch_str_of(r->request_id), request_id)) return r;
    }
    return NULL;
}

void latch_journal_clean_up(latch_journal *j) {
    for (size_t i = 0; i < LATCH_JOURNAL_RECORDS; i++)
        drop(j, &j->records[i]);
    *j = (latch_journal){0};
}

latch_record *latch_journal_changed(const latch_journal *j, uint64_t seen) {
    latch_record *found = NULL;
    for (size_t i = 0; i < LATCH_JOURNAL_RECORDS; i++) {
        latch_record *r = j->records[i];
        if (r != NULL && r->changed > seen && (found == NULL || r->changed < found->changed)) found = r;
    }
    return found;
}

/* ── what happens ── */

latch_record *latch_journal_begin(latch_journal *j, size_t function, const char *name, const char *title, latch_str event) {
    latch_record **at = place(j, ++j->last_id);
    drop(j, at);
    latch_record *r = *at = latch_alloc(sizeof *r);
    *r = (latch_record){.id = j->last_id,
                        .function = function,
                        .name = latch_copy(latch_str_of(name)),
                        .title = latch_copy(latch_str_of(title)),
                        .began_at_ms = latch_now_ms(),
                        .init_ns = -1};
    add(j, &r->event, event);
    touch(j, r);
    return r;
}

/* Its last half: whole lines, the newest; of one that is longer than that, its end. */
static void forget_lines(latch_journal *j, latch_record *r) {
    size_t cut = r->log_end.len - HALF_LOG;
    const char *newline = memchr(r->log_end.ptr + cut, '\n', r->log_end.len - cut);
    bool is_last = newline == NULL || newline == r->log_end.ptr + r->log_end.len - 1;
    if (!is_last) cut = (size_t)(newline - r->log_end.ptr) + 1;
    memmove(r->log_end.ptr, r->log_end.ptr + cut, r->log_end.len - cut);
    r->log_end.len -= cut;
    r->log_bytes_left_out += cut;
    j->bytes -= cut;
}

void latch_journal_log(latch_journal *j, latch_record *r, latch_str line) {
    latch_effort_read(&r->effort, line);
    latch_buffer *to = r->log_end.len == 0 && r->log.len + line.len < HALF_LOG ? &r->log : &r->log_end;
    add(j, to, line);
    add(j, to, LATCH_STR("\n"));
    if (r->log_end.len > HALF_LOG) forget_lines(j, r);
    touch(j, r);
}

void latch_journal_bytes(latch_journal *j, latch_record *r, latch_str bytes) {
    size_t room = LATCH_JOURNAL_SHOWN_BYTES - r->answer.len;
    add(j, &r->answer, (latch_str){bytes.ptr, bytes.len < room ? bytes.len : room});
    r->answer_bytes += bytes.len;
    r->is_streamed = true;
    touch(j, r);
}

static char *brief_of(const latch_invocation *inv) {
    latch_buffer brief = {0};
    char *text = latch_report_answer(inv);
    latch_report_shorten(&brief, latch_str_of(text), BRIEF_COLUMNS);
    free(text);
    return brief.ptr;
}

void latch_journal_end(latch_journal *j, latch_record *r, const latch_invocation *inv, unsigned status, const char *problem) {
    latch_str answer = latch_buffer_str(inv->outcome == LATCH_ANSWERED ? &inv->answer : &inv->error);
    if (!r->is_streamed) latch_journal_bytes(j, r, answer), r->is_streamed = false;
    memcpy(r->request_id, inv->id, sizeof r->request_id);
    r->brief = r->is_streamed ? NULL : brief_of(inv);
    r->is_over = true;
    r->outcome = inv->outcome;
    r->status = status;
    if (inv->note != NULL || inv->complaints != NULL)
        r->note = latch_format("%s%s%s", inv->note != NULL ? inv->note : "", inv->note != NULL && inv->complaints != NULL ? "\n" : "",
                               inv->complaints != NULL ? inv->complaints : "");
    r->problem = problem != NULL ? latch_copy(latch_str_of(problem)) : NULL;
    r->duration_ns = inv->duration_ns;
    r->init_ns = inv->init_ns;
    touch(j, r);
}

/* ── as JSON ── */

typedef struct writing {
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
} writing;

/* What is no UTF-8 is shown as far as JSON can carry it: each byte of it becomes U+FFFD. */
static void put_text(const writing *w, const char *name, latch_str s) {
    latch_buffer clean = {0};
    latch_buffer_reserve(&clean, s.len + 1);
    for (size_t i = 0, bytes; i<s.len; i += bytes> 0 ? bytes : 1) {
        bytes = latch_utf8_len(s.ptr + i, s.len - i);
        latch_buffer_add(&clean, bytes > 0 ? s.ptr + i : "\xEF\xBF\xBD", bytes > 0 ? bytes : 3);
    }
    yyjson_mut_obj_add_strncpy(w->doc, w->root, name, clean.len > 0 ? clean.ptr : "", clean.len);
    latch_buffer_clean_up(&clean);
}

static void put_literal(const writing *w, const char *name, const char *value) { yyjson_mut_obj_add_str(w->doc, w->root, name, value); }

static void put_ms(const writing *w, const char *name, int64_t ns) {
    yyjson_mut_obj_add_real(w->doc, w->root, name, (double)(ns / 1000) / 1e3);
}

static const char *outcome_of(const latch_record *r) {
    static const char *const words[] = {"pending",       "answered", "error",          "too large",  "timed out",
                                        "process ended", "no init",  "init timed out", "not started"};
    if (!r->is_over) return "running";
    return r->outcome == LATCH_ANSWERED && r->problem != NULL ? "bad answer" : words[r->outcome];
}

static void put_summary(const writing *w, const latch_record *r, bool with_calls) {
    yyjson_mut_obj_add_uint(w->doc, w->root, "id", r->id);
    put_text(w, "function", latch_str_of(r->name));
    put_text(w, "title", latch_str_of(r->title));
    yyjson_mut_obj_add_sint(w->doc, w->root, "began_at_ms", r->began_at_ms);
    put_literal(w, "outcome", outcome_of(r));
    yyjson_mut_obj_add_bool(w->doc, w->root, "failed", r->is_over && (r->outcome != LATCH_ANSWERED || r->problem != NULL));
    yyjson_mut_obj_add_bool(w->doc, w->root, "streamed", r->is_streamed);
    yyjson_mut_obj_add_uint(w->doc, w->root, "answer_bytes", r->answer_bytes);
    if (!r->is_over) return;
    if (r->status != 0) yyjson_mut_obj_add_uint(w->doc, w->root, "status", r->status);
    put_ms(w, "duration_ms", r->duration_ns);
    if (r->init_ns >= 0) put_ms(w, "init_ms", r->init_ns);
    if (r->problem != NULL) put_text(w, "problem", latch_str_of(r->problem));
    if (r->brief != NULL) put_text(w, "brief", latch_str_of(r->brief));
    latch_effort_put(&r->effort, w->doc, w->root, with_calls);
}

static writing begin_writing(void) {
    writing w = {.doc = yyjson_mut_doc_new(NULL)};
    w.root = yyjson_mut_obj(w.doc);
    yyjson_mut_doc_set_root(w.doc, w.root);
    return w;
}

static char *finish_writing(const writing *w, size_t *out_len) {
    char *text = yyjson_mut_write(w->doc, YYJSON_WRITE_NOFLAG, out_len);
    yyjson_mut_doc_free(w->doc);
    if (text == NULL) abort(); /* without memory; all of it is UTF-8 */
    return text;
}

char *latch_journal_summary(const latch_record *r, size_t *out_len) {
    writing w = begin_writing();
    put_summary(&w, r, false);
    return finish_writing(&w, out_len);
}

static void put_cut(const writing *w, const char *name, const char *bytes_name, latch_str bytes, size_t all) {
    if (bytes.len > LATCH_JOURNAL_SHOWN_BYTES) bytes.len = LATCH_JOURNAL_SHOWN_BYTES;
    put_text(w, name, bytes);
    if (all > bytes.len) yyjson_mut_obj_add_uint(w->doc, w->root, bytes_name, all);
}

char *latch_journal_whole(const latch_record *r, size_t *out_len) {
    writing w = begin_writing();
    latch_buffer log = {0};
    put_summary(&w, r, true);
    if (r->note != NULL) put_text(&w, "note", latch_str_of(r->note));
    put_text(&w, "request_id", latch_str_of(r->request_id));
    put_cut(&w, "event", "event_cut_of", latch_buffer_str(&r->event), r->event.len);
    put_cut(&w, "answer", "answer_cut_of", latch_buffer_str(&r->answer), r->answer_bytes);
    latch_buffer_add(&log, r->log.ptr, r->log.len);
    if (r->log_bytes_left_out > 0) latch_buffer_format(&log, "… %zu bytes are left out …\n", r->log_bytes_left_out);
    latch_buffer_add(&log, r->log_end.ptr, r->log_end.len);
    put_text(&w, "log", latch_buffer_str(&log));
    latch_buffer_clean_up(&log);
    return finish_writing(&w, out_len);
}

#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base64.h"
#include "url.h"

#define DEFAULT_COLUMNS 120 /* where it is no terminal and COLUMNS is unset */
#define LEAST_ANSWER 16
#define OUTCOME_COLUMNS 9
#define MS_COLUMNS 8
#define COLD_STARTS 6 /* named in the line before the last */

/* ── text in columns ── */

/* Bytes of the character at s[0], and its columns. What is no UTF-8 is one byte. */
static size_t character(const char *s, size_t len, size_t *columns) {
    unsigned char lead = (unsigned char)s[0];
    size_t bytes = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    bool is_valid = bytes > 0 && bytes <= len && latch_str_is_utf8((latch_str){s, bytes});
    bool is_punctuation = bytes == 3 && lead == 0xE2;
    *columns = is_valid && bytes >= 3 && !is_punctuation ? 2 : 1; /* a guess that is never too narrow */
    return is_valid ? bytes : 0;
}

static size_t count_columns(latch_str text) {
    size_t sum = 0, columns = 0;
    for (size_t i = 0; i < text.len;) {
        size_t bytes = character(text.ptr + i, text.len - i, &columns);
        i += bytes > 0 ? bytes : 1;
        sum += columns;
    }
    return sum;
}

/* What a terminal may obey: of ASCII, and the 32 characters behind it. */
static bool is_control(const char *at, size_t bytes) {
    const unsigned char *c = (const unsigned char *)at;
    return bytes == 1 ? c[0] < 0x20 || c[0] == 0x7f : bytes == 2 && c[0] == 0xc2 && c[1] < 0xa0;
}

static void add_character(latch_buffer *out, const char *at, size_t bytes) {
    if (bytes == 0)
        latch_buffer_text(out, "?");
    else if (is_control(at, bytes))
        latch_buffer_text(out, " ");
    else
        latch_buffer_add(out, at, bytes);
}

void latch_report_shorten(latch_buffer *out, latch_str text, size_t columns) {
    size_t used = 0, wide = 0;
    latch_buffer_add(out, "", 0);
    for (size_t i = 0; i < text.len;) {
        size_t bytes = character(text.ptr + i, text.len - i, &wide), step = bytes > 0 ? bytes : 1;
        bool is_last = i + step >= text.len;
        if (columns > 0 && used + wide + (is_last ? 0 : 1) > columns) {
            /* what follows may just fit: only a look at all of it tells */
            if (used + count_columns((latch_str){text.ptr + i, text.len - i}) > columns) {
                latch_buffer_text(out, "…");
                return;
            }
        }
        add_character(out, text.ptr + i, bytes);
        used += wide;
        i += step;
    }
}

/* ── words ── */

static const char *machine_word(latch_outcome outcome) {
    static const char *const words[] = {"pending", "answered",    "failed",         "response_too_large", "timed_out",
                                        "exited",  "init_failed", "init_timed_out", "not_started"};
    return words[outcome];
}

static bool is_ok(const latch_report_row *row) {
    return row->is_expected ? row->mismatches->count == 0 : row->inv->outcome == LATCH_ANSWERED;
}

static const char *people_word(const latch_report_row *row) {
    static const char *const words[] = {"pending", "wrong", "error", "too large", "timeout", "crashed", "no init", "no init", "no start"};
    return is_ok(row) ? "ok" : words[row->inv->outcome];
}

static char *error_text(const latch_invocation *inv) {
    yyjson_doc *doc = latch_match_parse(latch_buffer_str(&inv->error));
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *type = yyjson_get_str(yyjson_obj_get(root, "errorType")), *message = yyjson_get_str(yyjson_obj_get(root, "errorMessage"));
    char *text = type != NULL && message != NULL   ? latch_format("%s: %s", type, message)
                 : type != NULL || message != NULL ? latch_copy(latch_str_of(type != NULL ? type : message))
                 : inv->error.len > 0              ? latch_copy(latch_buffer_str(&inv->error))
                                      : latch_copy(latch_str_of(inv->error_type[0] != '\0' ? inv->error_type : "an error without a body"));
    yyjson_doc_free(doc);
    if (!inv->streamed) return text;
    char *whole = latch_format("%s, after %zu bytes of a stream", text, inv->answer_bytes);
    free(text);
    return whole;
}

char *latch_report_answer(const latch_invocation *inv) {
    if (inv->outcome != LATCH_ANSWERED) return error_text(inv);
    yyjson_doc *doc = latch_invocation_answer(inv);
    yyjson_val *root = yyjson_doc_get_root(doc), *status = yyjson_obj_get(root, "statusCode"), *body = yyjson_obj_get(root, "body");
    char *text = NULL;
    if (yyjson_is_uint(status) && (body == NULL || yyjson_is_str(body)))
        text = latch_format("%llu %s", (unsigned long long)yyjson_get_uint(status), body != NULL ? yyjson_get_str(body) : "");
    if (text == NULL && root != NULL) text = yyjson_val_write(root, YYJSON_WRITE_NOFLAG, NULL); /* on one line */
    yyjson_doc_free(doc);
    return text != NULL ? text : latch_copy(latch_buffer_str(&inv->answer));
}

/* ── the table ── */

static size_t terminal_columns(FILE *out) {
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char *columns = getenv("COLUMNS");
    long n = columns != NULL ? strtol(columns, NULL, 10) : 0;
    return n >= 40 && n <= 10000 ? (size_t)n : DEFAULT_COLUMNS;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static const char *paint(const latch_report *r, const char *code) { return r->colour ? code : ""; }

static void pad(latch_buffer *line, const char *text, size_t columns) {
    size_t before = line->len;
    latch_report_shorten(line, latch_str_of(text), columns);
    for (size_t n = count_columns((latch_str){line->ptr + before, line->len - before}); n < columns; n++)
        latch_buffer_text(line, " ");
}

static size_t columns_before_answer(const latch_report *r) {
    return r->function_columns + 2 + r->event_columns + 2 + 4 + 2 + OUTCOME_COLUMNS + 1 + MS_COLUMNS + 2;
}

void latch_report_begin(latch_report *r, FILE *out, bool json, bool full, const latch_events *events, const latch_template *t) {
    *r = (latch_report){.out = out, .json = json, .full = full, .function_columns = 8, .event_columns = 5};
    r->columns = terminal_columns(out);
    r->colour = isatty(fileno(out)) == 1 && getenv("NO_COLOR") == NULL;
    for (size_t i = 0; i < events->count; i++) {
        r->function_columns = larger(r->function_columns, count_columns(latch_str_of(t->functions[events->items[i].function].name)));
        r->event_columns = larger(r->event_columns, count_columns(latch_str_of(events->items[i].name)));
    }
    if (r->function_columns > 20) r->function_columns = 20;
    while (r->event_columns > 12 && columns_before_answer(r) + LEAST_ANSWER > r->columns)
        r->event_columns--;
    if (json) return;
    latch_buffer line = {0};
    pad(&line, "FUNCTION", r->function_columns + 2);
    pad(&line, "EVENT", r->event_columns + 2);
    fprintf(out, "%s%sPLAY  %-*s %*s  ANSWER%s\n", paint(r, "\033[1m"), line.ptr, OUTCOME_COLUMNS, "OUTCOME", MS_COLUMNS, "MS",
            paint(r, "\033[0m"));
    latch_buffer_clean_up(&line);
}

/* A line under the row it is about. */
static void print_detail(const latch_report *r, const char *colour, const char *text) {
    latch_buffer line = {0};
    latch_report_shorten(&line, latch_str_of(text), 0);
    fprintf(r->out, "    %s%s%s\n", paint(r, colour), line.ptr, paint(r, "\033[0m"));
    latch_buffer_clean_up(&line);
}

static void print_mismatches(const latch_report *r, const latch_mismatches *m) {
    for (size_t i = 0; i < latch_mismatches_kept(m); i++) {
        const latch_mismatch *at = &m->items[i];
        char *text = latch_format("%s%sexpected %s, found %s", at->path, *at->path != '\0' ? ": " : "", at->expected, at->found);
        print_detail(r, "\033[31m", text);
        free(text);
    }
    if (m->count > LATCH_MISMATCHES) fprintf(r->out, "    and %zu more\n", m->count - LATCH_MISMATCHES);
}

static void print_complaints(const latch_report *r, const latch_invocation *inv) {
    latch_str rest = latch_str_of(inv->complaints), one;
    while (latch_url_next(&rest, '\n', &one)) {
        char *text = latch_format("its process %.*s", (int)one.len, one.ptr);
        print_detail(r, "\033[31m", text);
        free(text);
    }
}

static void print_row(const latch_report *r, const latch_report_row *row, bool ok) {
    latch_buffer line = {0}, answer = {0};
    size_t before = columns_before_answer(r), left = r->columns > before + LEAST_ANSWER ? r->columns - before : LEAST_ANSWER;
    char *text =
        r->full && row->inv->outcome == LATCH_ANSWERED ? latch_copy(latch_buffer_str(&row->inv->answer)) : latch_report_answer(row->inv);
    pad(&line, row->function, r->function_columns);
    latch_buffer_text(&line, "  ");
    pad(&line, row->event, r->event_columns);
    latch_report_shorten(&answer, latch_str_of(text), r->full ? 0 : left);
    fprintf(r->out, "%s  %4zu  %s%-*s%s %*.2f  %s\n", line.ptr, row->play, paint(r, ok ? "\033[32m" : "\033[31m"), OUTCOME_COLUMNS,
            people_word(row), paint(r, "\033[0m"), MS_COLUMNS, (double)row->inv->duration_ns / 1e6, answer.ptr);
    bool was_cut = row->inv->outcome != LATCH_ANSWERED && !r->full && count_columns(latch_str_of(text)) > left;
    if (!ok && was_cut) print_detail(r, "\033[31m", text);
    if (row->inv->outcome == LATCH_ANSWERED || row->wants_error) print_mismatches(r, row->mismatches); /* else the row says it all */
    if (row->inv->note != NULL) print_detail(r, "\033[33m", row->inv->note);
    print_complaints(r, row->inv);
    latch_buffer_clean_up(&line);
    latch_buffer_clean_up(&answer);
    free(text);
}

/* ── JSON ── */

/* Bytes as they came: text, or base64 under another name where they are no UTF-8. */
static void add_bytes(yyjson_mut_doc *doc, yyjson_mut_val *to, const char *name, const char *base64_name, latch_str bytes) {
    latch_buffer encoded = {0};
    if (latch_str_is_utf8(bytes)) {
        yyjson_mut_obj_add_strncpy(doc, to, name, bytes.len > 0 ? bytes.ptr : "", bytes.len);
        return;
    }
    latch_base64_put(&encoded, bytes);
    yyjson_mut_obj_add_strncpy(doc, to, base64_name, encoded.ptr, encoded.len);
    latch_buffer_clean_up(&encoded);
}

static void add_mismatches(yyjson_mut_doc *doc, yyjson_mut_val *to, const latch_mismatches *m) {
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, to, "mismatches");
    for (size_t i = 0; i < latch_mismatches_kept(m); i++) {
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, one, "path", m->items[i].path);
        yyjson_mut_obj_add_str(doc, one, "expected", m->items[i].expected);
        yyjson_mut_obj_add_str(doc, one, "found", m->items[i].found);
    }
}

static void add_complaints(yyjson_mut_doc *doc, yyjson_mut_val *to, const latch_invocation *inv) {
    if (inv->complaints == NULL) return;
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, to, "complaints");
    latch_str rest = latch_str_of(inv->complaints), one;
    while (latch_url_next(&rest, '\n', &one))
        yyjson_mut_arr_add_strncpy(doc, list, one.ptr, one.len);
}

static void print_json(const latch_report *r, const latch_report_row *row, bool ok) {
    const latch_invocation *inv = row->inv;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "function", row->function);
    yyjson_mut_obj_add_str(doc, root, "event", row->event);
    yyjson_mut_obj_add_uint(doc, root, "play", row->play);
    yyjson_mut_obj_add_bool(doc, root, "ok", ok);
    yyjson_mut_obj_add_str(doc, root, "outcome", machine_word(inv->outcome));
    yyjson_mut_obj_add_real(doc, root, "duration_ms", (double)inv->duration_ns / 1e6);
    if (inv->init_ns >= 0) yyjson_mut_obj_add_real(doc, root, "init_ms", (double)inv->init_ns / 1e6);
    if (inv->id[0] != '\0') yyjson_mut_obj_add_str(doc, root, "request_id", inv->id);
    if (inv->outcome == LATCH_ANSWERED || inv->streamed) add_bytes(doc, root, "answer", "answer_base64", latch_buffer_str(&inv->answer));
    if (inv->content_type != NULL) add_bytes(doc, root, "content_type", "content_type_base64", latch_str_of(inv->content_type));
    if (inv->outcome != LATCH_ANSWERED) add_bytes(doc, root, "error", "error_base64", latch_buffer_str(&inv->error));
    if (inv->error_type[0] != '\0') add_bytes(doc, root, "error_type", "error_type_base64", latch_str_of(inv->error_type));
    if (row->is_expected) add_mismatches(doc, root, row->mismatches);
    if (inv->streamed) yyjson_mut_obj_add_uint(doc, root, "streamed_bytes", inv->answer_bytes);
    if (inv->pid > 0) yyjson_mut_obj_add_int(doc, root, "pid", inv->pid);
    if (inv->fault_is_done) yyjson_mut_obj_add_str(doc, root, "fault", latch_fault_name(inv->fault));
    if (inv->note != NULL) yyjson_mut_obj_add_str(doc, root, "note", inv->note);
    add_complaints(doc, root, inv);
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
    fprintf(r->out, "%s\n", text != NULL ? text : "{}");
    free(text);
    yyjson_mut_doc_free(doc);
}

/* ── rows and the last line ── */

static void add_cold_start(latch_report *r, const latch_report_row *row) {
    if (++r->cold_start_count > COLD_STARTS) return;
    latch_buffer_format(&r->cold_starts, "%s%s %.1f ms", r->cold_start_count > 1 ? ", " : "", row->function,
                        (double)row->inv->init_ns / 1e6);
}

bool latch_report_add(latch_report *r, const latch_report_row *row) {
    bool ok = is_ok(row);
    r->events++;
    r->ok += ok;
    if (row->inv->init_ns >= 0) add_cold_start(r, row);
    if (r->json)
        print_json(r, row, ok);
    else
        print_row(r, row, ok);
    fflush(r->out);
    return ok;
}

void latch_report_end(latch_report *r, size_t complaints) {
    bool all = r->events > 0 && r->ok == r->events;
    if (r->json) {
        fprintf(r->out, "{\"events\":%zu,\"ok\":%zu", r->events, r->ok);
        if (complaints > 0) fprintf(r->out, ",\"complaints\":%zu", complaints);
        fputs("}\n", r->out);
    } else {
        if (r->cold_start_count > COLD_STARTS) latch_buffer_format(&r->cold_starts, " and %zu more", r->cold_start_count - COLD_STARTS);
        if (r->cold_starts.len > 0)
            fprintf(r->out, "%sinitialisation: %s%s\n", paint(r, "\033[2m"), r->cold_starts.ptr, paint(r, "\033[0m"));
        fprintf(r->out, "%s%zu event%s, %zu ok%s\n", paint(r, all ? "\033[32m" : "\033[31m"), r->events, r->events == 1 ? "" : "s", r->ok,
                paint(r, "\033[0m"));
        if (complaints > 0)
            fprintf(r->out, "%s%zu time%s a process did what no runtime may do: see the log%s\n", paint(r, "\033[31m"), complaints,
                    complaints == 1 ? "" : "s", paint(r, "\033[0m"));
    }
    fflush(r->out);
    latch_buffer_clean_up(&r->cold_starts);
}

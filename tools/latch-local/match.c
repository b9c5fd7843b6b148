#include "match.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 300 /* of a value in a mismatch */

static void match(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out);

yyjson_doc *latch_match_parse(latch_str text) {
    if (text.len == 0) return NULL;
    return yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, YYJSON_READ_BIGNUM_AS_RAW, NULL, NULL);
}

/* ── mismatches ── */

void latch_mismatches_add(latch_mismatches *out, const char *path, const char *expected, const char *found) {
    if (out->count < LATCH_MISMATCHES)
        out->items[out->count] =
            (latch_mismatch){latch_copy(latch_str_of(path)), latch_copy(latch_str_of(expected)), latch_copy(latch_str_of(found))};
    out->count++;
}

size_t latch_mismatches_kept(const latch_mismatches *m) { return m->count < LATCH_MISMATCHES ? m->count : LATCH_MISMATCHES; }

void latch_mismatches_clean_up(latch_mismatches *m) {
    for (size_t i = 0; i < latch_mismatches_kept(m); i++) {
        free(m->items[i].path);
        free(m->items[i].expected);
        free(m->items[i].found);
    }
    *m = (latch_mismatches){0};
}

/* A value in short; the caller's to free. */
static char *show(yyjson_val *v) {
    size_t len = 0;
    if (v == NULL) return latch_copy(LATCH_STR("nothing"));
    char *text = yyjson_val_write(v, YYJSON_WRITE_ALLOW_INF_AND_NAN | YYJSON_WRITE_ALLOW_INVALID_UNICODE, &len);
    if (text == NULL) return latch_copy(LATCH_STR("a value that can't be shown"));
    if (len <= SHOWN_BYTES) return text;
    size_t cut = SHOWN_BYTES;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) /* not within a character */
        cut--;
    char *shown = latch_format("%.*s… (%zu bytes)", (int)cut, text, len);
    free(text);
    return shown;
}

static void differ(const latch_buffer *path, yyjson_val *expected, yyjson_val *found, latch_mismatches *out) {
    char *e = show(expected), *f = show(found);
    latch_mismatches_add(out, path->len > 0 ? path->ptr : "", e, f);
    free(e);
    free(f);
}

/* ── forms ── */

static bool digits(const char *s, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    return true;
}

static bool is_uuid(yyjson_val *v) {
    const char *s = yyjson_get_str(v);
    if (s == NULL || yyjson_get_len(v) != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? s[i] != '-' : strchr("0123456789abcdefABCDEF", s[i]) == NULL || s[i] == '\0') return false;
    }
    return true;
}

/* 2026-11-21T13:05:12[.123](Z|+01:00) */
static bool is_iso_8601(const char *s, size_t len) {
    if (len < 20 || !digits(s, 0, 4) || !digits(s, 5, 7) || !digits(s, 8, 10) || !digits(s, 11, 13) || !digits(s, 14, 16) ||
        !digits(s, 17, 19))
        return false;
    if (s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':') return false;
    size_t at = 19;
    if (s[at] == '.')
        for (at++; at < len && s[at] >= '0' && s[at] <= '9';)
            at++;
    if (at + 1 == len) return s[at] == 'Z' && s[at - 1] != '.';
    return at + 6 == len && (s[at] == '+' || s[at] == '-') && digits(s, at + 1, at + 3) && s[at + 3] == ':' && digits(s, at + 4, len);
}

static bool is_timestamp(yyjson_val *v) {
    if (yyjson_is_str(v)) return is_iso_8601(yyjson_get_str(v), yyjson_get_len(v));
    return yyjson_is_num(v) && yyjson_get_num(v) >= 1e9 && yyjson_get_num(v) < 1e14;
}

static bool is_string(yyjson_val *v) { return yyjson_is_str(v); }
static bool is_number(yyjson_val *v) { return yyjson_is_num(v) || yyjson_is_raw(v); }
static bool is_there(yyjson_val *v) { return v != NULL; }
static bool is_absent(yyjson_val *v) { return v == NULL; }

typedef bool form_fn(yyjson_val *v);

static form_fn *form_of(yyjson_val *expected) {
    static const struct {
        const char *name;
        form_fn *fn;
    } forms[] = {
        {"<any>", is_there}, {"<string>", is_string},       {"<number>", is_number},
        {"<uuid>", is_uuid}, {"<timestamp>", is_timestamp}, {"<absent>", is_absent},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (yyjson_equals_str(expected, forms[i].name)) return forms[i].fn;
    return NULL;
}

/* ── values ── */

static bool same_number(yyjson_val *a, yyjson_val *b) {
    bool whole = yyjson_is_int(a) && yyjson_is_int(b);
    if (!whole) return !(yyjson_get_num(a) < yyjson_get_num(b)) && !(yyjson_get_num(a) > yyjson_get_num(b));
    bool negative_a = yyjson_is_sint(a) && yyjson_get_sint(a) < 0, negative_b = yyjson_is_sint(b) && yyjson_get_sint(b) < 0;
    return negative_a == negative_b && yyjson_get_uint(a) == yyjson_get_uint(b);
}

static bool same_scalar(yyjson_val *a, yyjson_val *b) {
    if (yyjson_is_num(a) && yyjson_is_num(b)) return same_number(a, b);
    if (yyjson_get_type(a) != yyjson_get_type(b)) return false;
    if (yyjson_is_bool(a)) return yyjson_get_bool(a) == yyjson_get_bool(b);
    if (yyjson_is_null(a)) return true;
    bool is_raw = yyjson_is_raw(a);
    const char *s = is_raw ? yyjson_get_raw(a) : yyjson_get_str(a), *t = is_raw ? yyjson_get_raw(b) : yyjson_get_str(b);
    return yyjson_get_len(a) == yyjson_get_len(b) && memcmp(s, t, yyjson_get_len(a)) == 0;
}

static void match_at(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out, size_t before) {
    match(expected, found, path, out);
    path->len = before;
    path->ptr[before] = '\0';
}

static void match_object(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out) {
    size_t i, n, before = path->len;
    yyjson_val *key, *value;
    yyjson_obj_foreach(expected, i, n, key, value) {
        latch_buffer_format(path, "%s%.*s", before > 0 ? "." : "", (int)yyjson_get_len(key), yyjson_get_str(key));
        match_at(value, yyjson_obj_getn(found, yyjson_get_str(key), yyjson_get_len(key)), path, out, before);
    }
}

static void match_array(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out) {
    size_t i, n, before = path->len;
    yyjson_val *value;
    if (yyjson_arr_size(expected) != yyjson_arr_size(found)) {
        differ(path, expected, found, out);
        return;
    }
    yyjson_arr_foreach(expected, i, n, value) {
        latch_buffer_format(path, "[%zu]", i);
        match_at(value, yyjson_arr_get(found, i), path, out, before);
    }
}

/* What was sent as text, where a document is expected: an HTTP body. */
static void match_text(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out) {
    yyjson_doc *doc = latch_match_parse((latch_str){yyjson_get_str(found), yyjson_get_len(found)});
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (root != NULL && yyjson_get_type(root) == yyjson_get_type(expected))
        match(expected, root, path, out);
    else
        differ(path, expected, found, out);
    yyjson_doc_free(doc);
}

/* As deep as the expectation, which is bounded where it is loaded. */
static void match(yyjson_val *expected, yyjson_val *found, latch_buffer *path, latch_mismatches *out) {
    form_fn *form = form_of(expected);
    if (form != NULL ? form(found) : found != NULL && !yyjson_is_ctn(expected) && same_scalar(expected, found)) return;
    if (form != NULL || found == NULL || !yyjson_is_ctn(expected))
        differ(path, expected, found, out);
    else if (yyjson_is_str(found))
        match_text(expected, found, path, out);
    else if (yyjson_get_type(expected) != yyjson_get_type(found))
        differ(path, expected, found, out);
    else if (yyjson_is_obj(expected))
        match_object(expected, found, path, out);
    else
        match_array(expected, found, path, out);
}

void latch_match(yyjson_val *expected, yyjson_val *found, latch_mismatches *out) {
    latch_buffer path = {0};
    latch_buffer_add(&path, "", 0);
    match(expected, found, &path, out);
    latch_buffer_clean_up(&path);
}

#include "expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define EXPECT_BYTES ((size_t)16 * 1024 * 1024)

static bool is_deep(yyjson_val *v, size_t left) {
    yyjson_arr_iter items;
    yyjson_obj_iter members;
    yyjson_val *at;
    if (!yyjson_is_ctn(v)) return false;
    if (left == 0) return true;
    if (yyjson_arr_iter_init(v, &items))
        while ((at = yyjson_arr_iter_next(&items)) != NULL)
            if (is_deep(at, left - 1)) return true;
    if (yyjson_obj_iter_init(v, &members))
        while ((at = yyjson_obj_iter_next(&members)) != NULL)
            if (is_deep(yyjson_obj_iter_get_val(at), left - 1)) return true;
    return false;
}

static latch_status check_members(yyjson_val *root, const char *path, latch_err *err) {
    size_t i, n;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(root)) return latch_err_set(err, LATCH_E_INPUT, "%s: want an object {\"first\": …, \"second\": …}", path);
    yyjson_obj_foreach(root, i, n, key, value) {
        if (yyjson_equals_str(key, "first") || yyjson_equals_str(key, "second")) continue;
        return latch_err_set(err, LATCH_E_INPUT,
                             "%s: \"%.40s\" is neither \"first\" nor \"second\": what the answer must hold goes into those", path,
                             yyjson_get_str(key));
    }
    if (yyjson_obj_get(root, "first") == NULL) return latch_err_set(err, LATCH_E_INPUT, "%s: \"first\" is missing", path);
    if (is_deep(root, LATCH_MATCH_DEPTH))
        return latch_err_set(err, LATCH_E_INPUT, "%s: nested deeper than %d levels", path, LATCH_MATCH_DEPTH);
    return LATCH_OK;
}

latch_status latch_expect_parse(latch_expect *out, const char *path, latch_str text, latch_err *err) {
    yyjson_read_err why = {0};
    *out = (latch_expect){0};
    yyjson_doc *doc = text.len > 0 ? yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, YYJSON_READ_BIGNUM_AS_RAW, NULL, &why) : NULL;
    if (doc == NULL)
        return latch_err_set(err, LATCH_E_INPUT, "%s: byte %zu: %s", path, why.pos, text.len > 0 ? why.msg : "the file is empty");
    latch_status status = check_members(yyjson_doc_get_root(doc), path, err);
    if (status != LATCH_OK) {
        yyjson_doc_free(doc);
        return status;
    }
    yyjson_val *first = yyjson_obj_get(yyjson_doc_get_root(doc), "first"), *second = yyjson_obj_get(yyjson_doc_get_root(doc), "second");
    *out = (latch_expect){doc, first, second != NULL ? second : first};
    return LATCH_OK;
}

latch_status latch_expect_load(latch_expect *out, const char *path, latch_err *err) {
    latch_buffer text = {0};
    latch_status status;
    *out = (latch_expect){0};
    if (latch_buffer_read_file(&text, path, EXPECT_BYTES))
        status = latch_expect_parse(out, path, latch_buffer_str(&text), err);
    else if (errno == ENOENT)
        status = LATCH_MISSING;
    else
        status = latch_err_set(err, LATCH_E_INPUT, "%s can't be read: %s", path, strerror(errno));
    latch_buffer_clean_up(&text);
    return status;
}

void latch_expect_clean_up(latch_expect *e) {
    yyjson_doc_free(e->doc);
    *e = (latch_expect){0};
}

/* The error that is expected; NULL: an answer is. */
static yyjson_val *expected_error(yyjson_val *expected) {
    yyjson_val *error = yyjson_obj_size(expected) == 1 ? yyjson_obj_get(expected, "error") : NULL;
    bool is_one = yyjson_obj_get(error, "errorType") != NULL || yyjson_obj_get(error, "errorMessage") != NULL;
    return is_one ? error : NULL;
}

static yyjson_val *expected_at(const latch_expect *e, size_t play) { return play <= 1 ? e->first : e->second; }

bool latch_expect_wants_error(const latch_expect *e, size_t play) { return expected_error(expected_at(e, play)) != NULL; }

/* A document is expected, and the text that came is none: it is shown as it is. */
static void differ_from_text(yyjson_val *expected, latch_str found, latch_mismatches *out) {
    char *e = yyjson_val_write(expected, YYJSON_WRITE_NOFLAG, NULL);
    char *f = found.len > 0 ? latch_format("%.*s (no JSON)", found.len < 200 ? (int)found.len : 200, found.ptr)
                            : latch_copy(LATCH_STR("no bytes"));
    latch_mismatches_add(out, "", e != NULL ? e : "?", f);
    free(e);
    free(f);
}

void latch_expect_check(const latch_expect *e, size_t play, const latch_invocation *inv, latch_mismatches *out) {
    yyjson_val *expected = expected_at(e, play), *error = expected_error(expected);
    bool answered = inv->outcome == LATCH_ANSWERED;
    latch_str text = latch_buffer_str(answered ? &inv->answer : &inv->error);
    if (answered && error != NULL) {
        char *f = latch_format("an answer: %.*s", text.len < 200 ? (int)text.len : 200, text.ptr != NULL ? text.ptr : "");
        latch_mismatches_add(out, "", "an error", f);
        free(f);
        return;
    }
    if (!answered && error == NULL) {
        char *f = latch_format("an error: %.*s", text.len < 200 ? (int)text.len : 200, text.ptr != NULL ? text.ptr : "");
        latch_mismatches_add(out, "", "an answer", f);
        free(f);
        return;
    }
    yyjson_doc *doc = answered ? latch_invocation_answer(inv) : latch_match_parse(text);
    if (doc != NULL)
        latch_match(error != NULL ? error : expected, yyjson_doc_get_root(doc), out);
    else
        differ_from_text(expected, text, out);
    yyjson_doc_free(doc);
}

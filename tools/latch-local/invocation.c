#include "invocation.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "match.h"

void latch_invocation_clean_up(latch_invocation *inv) {
    if (inv->give_event) free((char *)(uintptr_t)inv->event.ptr);
    latch_buffer_clean_up(&inv->answer);
    latch_buffer_clean_up(&inv->error);
    free(inv->content_type);
    free(inv->note);
    free(inv->complaints);
    *inv = (latch_invocation){0};
}

void latch_invocation_fail(latch_invocation *inv, latch_outcome outcome, const char *type, const char *message) {
    size_t len = 0;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "errorType", type);
    yyjson_mut_obj_add_str(doc, root, "errorMessage", message);
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &len);
    yyjson_mut_doc_free(doc);
    latch_buffer_clean_up(&inv->error);
    if (text != NULL) latch_buffer_add(&inv->error, text, len);
    free(text);
    inv->outcome = outcome;
    inv->composed = type;
}

/* ── streamed answers ── */

static bool is_http(const latch_invocation *inv) {
    static const char type[] = "application/vnd.awslambda.http-integration-response";
    return inv->streamed && inv->content_type != NULL && strncasecmp(inv->content_type, type, sizeof type - 1) == 0;
}

/* `root` with the text as its body, where it is text. */
static yyjson_doc *with_body(yyjson_val *root, latch_str body) {
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *copy =
        root != NULL ? yyjson_val_mut_copy(doc, root) : yyjson_mut_strncpy(doc, body.ptr != NULL ? body.ptr : "", body.len);
    yyjson_mut_doc_set_root(doc, copy);
    if (root != NULL && latch_str_is_utf8(body)) yyjson_mut_obj_add_strncpy(doc, copy, "body", body.ptr, body.len);
    yyjson_doc *out = yyjson_mut_doc_imut_copy(doc, NULL);
    yyjson_mut_doc_free(doc);
    return out;
}

yyjson_doc *latch_invocation_answer(const latch_invocation *inv) {
    static const char nuls[8];
    latch_str text = latch_buffer_str(&inv->answer);
    const char *end = is_http(inv) && text.len > 0 ? memmem(text.ptr, text.len, nuls, sizeof nuls) : NULL;
    if (end == NULL) {
        yyjson_doc *doc = latch_match_parse(text);
        return doc == NULL && inv->streamed && latch_str_is_utf8(text) ? with_body(NULL, text) : doc;
    }
    yyjson_doc *prelude = latch_match_parse((latch_str){text.ptr, (size_t)(end - text.ptr)}), *out = NULL;
    const char *body = end + sizeof nuls;
    if (yyjson_is_obj(yyjson_doc_get_root(prelude)))
        out = with_body(yyjson_doc_get_root(prelude), (latch_str){body, (size_t)(text.ptr + text.len - body)});
    yyjson_doc_free(prelude);
    return out;
}

void latch_invocation_complain(latch_invocation *inv, const char *sentence) {
    char *before = inv->complaints;
    inv->complaints = before != NULL ? latch_format("%s\n%s", before, sentence) : latch_copy(latch_str_of(sentence));
    free(before);
}

#include "invocation.h"

#include <stdlib.h>
#include <yyjson.h>

void latch_invocation_clean_up(latch_invocation *inv) {
    if (inv->give_event) free((char *)(uintptr_t)inv->event.ptr);
    latch_buffer_clean_up(&inv->answer);
    latch_buffer_clean_up(&inv->error);
    free(inv->content_type);
    free(inv->note);
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
}

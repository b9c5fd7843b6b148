#include "runtime/failure.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static latch_text_writer into(char *at, size_t cap) { return (latch_text_writer){.at = at, .cap = cap}; }

static void put_named(latch_text_writer *t, const char *before, latch_str value) {
    latch_text_put(t, latch_str_of(before));
    latch_text_json_lossy(t, value);
}

static void end(latch_text_writer *t) {
    if (latch_text_end(t).ptr == NULL) t->at[0] = '\0';
}

/* The service keeps (Runtime|Function)\.[A-Z][a-zA-Z]+; whatever is no letter would cut the type there, or break the header. */
static void name_type(const char *type, char *out, size_t cap) {
    bool prefixed = strncmp(type, "Runtime.", 8) == 0 || strncmp(type, "Function.", 9) == 0;
    size_t n = (size_t)snprintf(out, cap, "%s", prefixed ? "" : "Function.");
    for (; *type != '\0' && n + 1 < cap; type++) {
        if (isalnum((unsigned char)*type) || *type == '.') out[n++] = *type;
    }
    out[n] = '\0';
}

/* In JSON only strings hold bytes above 0x7F and DEL, so each character can become an escape wherever it stands. */
static void put_ascii(latch_text_writer *t, const char *json) {
    for (size_t left = strlen(json); left > 0;) {
        size_t n = latch_utf8_len(json, left);
        uint32_t point = (unsigned char)*json;
        char escape[16];
        if (n > 1) point &= 0x7Fu >> n;
        for (size_t i = 1; i < n; i++)
            point = point << 6 | ((unsigned char)json[i] & 0x3Fu);
        int len = 1;
        if (point < 0x7F) {
            escape[0] = *json;
        } else if (point < 0x10000) {
            len = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)point);
        } else {
            len =
                snprintf(escape, sizeof escape, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (point >> 10)), (unsigned)(0xDC00 | (point & 0x3FF)));
        }
        latch_text_put(t, (latch_str){escape, (size_t)len});
        json += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
}

void latch_failure_of(const latch_err *err, latch_failure *out) {
    const char *root = getenv("LAMBDA_TASK_ROOT");
    latch_str type = latch_str_of(err->type[0] != '\0' ? err->type : "Unknown"), message = latch_str_of(err->message);
    char cause[LATCH_FAILURE_CAUSE_BYTES];
    latch_text_writer body = into(out->body, sizeof out->body), plain = into(cause, sizeof cause),
                      ascii = into(out->cause, sizeof out->cause);
    name_type(type.ptr, out->type, sizeof out->type);
    put_named(&body, "{\"errorMessage\":", message);
    put_named(&body, ",\"errorType\":", type);
    latch_text_put(&body, LATCH_STR(",\"stackTrace\":[]}"));
    end(&body);
    put_named(&plain, "{\"working_directory\":", latch_str_cut(latch_str_of(root), 128));
    put_named(&plain, ",\"exceptions\":[{\"type\":", type);
    put_named(&plain, ",\"message\":", message);
    latch_text_put(&plain, LATCH_STR(",\"stack\":[]}],\"paths\":[]}"));
    end(&plain);
    put_ascii(&ascii, cause);
    end(&ascii);
}

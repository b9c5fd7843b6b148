#include <stdio.h>
#include <string.h>

#include "handlers/categories.h"
#include "handlers/handlers.h"

/* GET /export/{id}: a category and all below it as CSV, a line as soon as it is read: the text never gathers in memory, has no limit of
 * 6 MB, and the client has the first lines before the last are read. By a function URL that streams. */

typedef struct export {
    latch_http *http;
    latch_stream *stream; /* begun with the first line: before that, a reply may still say what is wrong */
}
export;

/* RFC 4180: in quotes, and a quote is two. */
static latch_status write_text(latch_stream *stream, latch_str text) {
    LATCH_TRY(latch_stream_write(stream, LATCH_STR("\"")));
    while (text.len > 0) {
        const char *quote = memchr(text.ptr, '"', text.len);
        size_t len = quote != NULL ? (size_t)(quote - text.ptr) + 1 : text.len;
        LATCH_TRY(latch_stream_write(stream, (latch_str){text.ptr, len}));
        if (quote != NULL) LATCH_TRY(latch_stream_write(stream, LATCH_STR("\"")));
        text = (latch_str){text.ptr + len, text.len - len};
    }
    return latch_stream_write(stream, LATCH_STR("\""));
}

static latch_status begin(export *e) {
    latch_http_set_header(e->http, "content-disposition", LATCH_STR("attachment; filename=\"categories.csv\""));
    LATCH_TRY(latch_http_stream(e->http, 200, "text/csv; charset=utf-8", &e->stream));
    return latch_stream_write(e->stream, LATCH_STR("id,name,depth\r\n"));
}

static latch_status write_line(latch_ctx *cx, void *arg, const latch_dynamodb_node *node) {
    export *e = arg;
    latch_str id, name;
    char depth[16];
    int len = snprintf(depth, sizeof depth, ",%d\r\n", node->depth);
    (void)cx;
    LATCH_TRY(latch_read(node->item, "id", &id, "name", &name));
    if (e->stream == NULL) LATCH_TRY(begin(e));
    LATCH_TRY(write_text(e->stream, id));
    LATCH_TRY(latch_stream_write(e->stream, LATCH_STR(",")));
    LATCH_TRY(write_text(e->stream, name));
    return latch_stream_write(e->stream, (latch_str){depth, (size_t)len});
}

latch_status export_categories(latch_ctx *cx, latch_http *http) {
    export e = {http, NULL};
    return categories_read(cx, latch_http_param(http, "id"), write_line, &e);
}

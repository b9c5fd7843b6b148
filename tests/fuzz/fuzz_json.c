/*
 * fuzz_json.c - any bytes as JSON, as a path, as text to build with; in an arena of any size. The input: one byte for the arena, one for
 * the length of the path, the path, the text.
 */
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "core/json.h"
#include "core/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds) abort();
}

static bool same(latch_str a, latch_str b) { return latch_str_eq(a, b); }

/* Each way to read a value; whatever fails leaves a message that is UTF-8, and zero. */
static void read_all(latch_ctx *cx, latch_json v, const char *path) {
    latch_str text;
    int64_t n, in_range;
    double d;
    bool b;
    latch_json json;
    const latch_into into[] = {latch_i_str_(&text),  latch_i_int_(&n),  latch_range_or(&in_range, 1, 9, 5),
                               latch_i_num_(&d),     latch_i_bool_(&b), latch_i_json_(&json),
                               latch_optional(&text)};
    for (size_t i = 0; i < sizeof into / sizeof into[0]; i++) {
        const latch_field fields[] = {{path, into[i]}, {NULL, latch_i_str_(NULL)}};
        if (latch_read_(v, fields) == LATCH_OK) continue;
        must(latch_str_is_utf8(latch_str_of(cx->err.message)) && cx->err.message[0] != '\0');
    }
    must(in_range == 0 || (in_range >= 1 && in_range <= 9));
    (void)latch_has(v, path);
    for (size_t i = 0; i < latch_count(v) && i < 50; i++)
        must(latch_text(latch_at(v, i)).len > 0);
    for (latch_each each = latch_each_in(v); latch_each_next(&each);)
        must(latch_text(latch_each_value(&each)).len > 0);
}

static yyjson_doc *read_by_yyjson(latch_str text, yyjson_read_flag flags) {
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, flags, NULL, NULL);
    must(doc != NULL);
    return doc;
}

/* Written by us, with every number as its text; as yyjson writes it; as it came. A number is written as one of the two. */
static void check_same(yyjson_val *ours, yyjson_val *theirs, yyjson_val *came) {
    size_t len = 0, i, n;
    yyjson_val *name, *value;
    if (yyjson_is_arr(ours)) {
        must(yyjson_is_arr(theirs) && yyjson_arr_size(ours) == yyjson_arr_size(theirs));
        yyjson_arr_foreach(ours, i, n, value) check_same(value, yyjson_arr_get(theirs, i), yyjson_arr_get(came, i));
    } else if (yyjson_is_obj(ours)) {
        must(yyjson_is_obj(theirs) && yyjson_obj_size(ours) == yyjson_obj_size(theirs));
        yyjson_obj_iter a = yyjson_obj_iter_with(theirs), b = yyjson_obj_iter_with(came);
        yyjson_obj_foreach(ours, i, n, name, value) {
            yyjson_val *their_name = yyjson_obj_iter_next(&a), *came_name = yyjson_obj_iter_next(&b);
            must(yyjson_equals(name, their_name));
            check_same(value, yyjson_obj_iter_get_val(their_name), yyjson_obj_iter_get_val(came_name));
        }
    } else if (yyjson_is_raw(ours)) {
        latch_str number = {yyjson_get_raw(ours), yyjson_get_len(ours)};
        char *text = yyjson_val_write(theirs, 0, &len);
        must(text != NULL &&
             (same(number, (latch_str){text, len}) || same(number, (latch_str){yyjson_get_raw(came), yyjson_get_len(came)})));
        free(text);
    } else {
        must(yyjson_equals(ours, theirs));
    }
}

/* What we write is what yyjson writes of the same document, but for numbers that it would round; and reads back the same. */
static void round_trip(latch_ctx *cx, latch_str text, latch_json v) {
    latch_json again;
    latch_str written, second;
    if (latch_json_text(cx, v, &written) != LATCH_OK) return; /* the arena is full: what was read never fails otherwise */
    yyjson_doc *ours = read_by_yyjson(written, YYJSON_READ_NUMBER_AS_RAW), *theirs = read_by_yyjson(text, YYJSON_READ_BIGNUM_AS_RAW),
               *came = read_by_yyjson(text, YYJSON_READ_NUMBER_AS_RAW);
    check_same(yyjson_doc_get_root(ours), yyjson_doc_get_root(theirs), yyjson_doc_get_root(came));
    yyjson_doc_free(ours);
    yyjson_doc_free(theirs);
    yyjson_doc_free(came);
    latch_str inside; /* goes another way than a whole document */
    if (latch_json_text(cx, latch_append(latch_array(cx), v), &inside) == LATCH_OK)
        must(same((latch_str){inside.ptr + 1, inside.len - 2}, written));
    if (latch_parse(cx, "again", written, &again) == LATCH_OK && latch_json_text(cx, again, &second) == LATCH_OK)
        must(same(written, second));
}

/* Text and value in an object and a list: built exactly where the text is UTF-8, and read back as it was. */
static void build(latch_ctx *cx, latch_str text, latch_json v) {
    latch_str out, back;
    latch_json list = latch_append(latch_append(latch_array(cx), text), v);
    latch_json object = latch_object(cx, "text", text, "list", list, "v", v);
    latch_status status = latch_json_text(cx, object, &out);
    must(status == LATCH_OK || status == LATCH_E_NOMEM || (status == LATCH_E_MISUSE && !latch_str_is_utf8(text)));
    must(status != LATCH_OK || latch_str_is_utf8(text));
    if (status == LATCH_OK && latch_read(object, "text", latch_bytes(&back, 0, INT64_MAX)) == LATCH_OK) must(same(back, text));
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_json_lossy(&t, text);
    out = latch_text_end(&t);
    must(out.ptr == NULL || latch_str_is_utf8(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t cap = data[0] < 128 ? (size_t)data[0] * 32 : (size_t)1 << 18, path_len = data[1] < size - 2 ? data[1] : size - 2;
    latch_str text = {NULL, size - 2 - path_len};
    char *path = malloc(path_len + 1), *memory = malloc(cap + 1), *input = malloc(text.len); /* reading on behind it is seen */
    if (path == NULL || memory == NULL || (input == NULL && text.len > 0)) abort();
    memcpy(path, data + 2, path_len);
    path[path_len] = '\0';
    if (text.len > 0) text.ptr = memcpy(input, data + 2 + path_len, text.len);
    latch_arena arena;
    latch_arena_init(&arena, memory, cap);
    latch_ctx cx = {.arena = &arena, .deadline_at_ms = INT64_MAX};
    latch_json v = LATCH_NULL;
    if (latch_parse(&cx, "body", text, &v) == LATCH_OK) {
        round_trip(&cx, text, v);
        read_all(&cx, v, path);
    } else {
        must(latch_str_is_utf8(latch_str_of(cx.err.message)));
    }
    build(&cx, text, v);
    read_all(&cx, latch_object(&cx, "a", v), path);
    latch_arena_clean_up(&arena);
    free(input);
    free(memory);
    free(path);
    return 0;
}

#include "store/embedded/inside.h"

#include "core/text.h"

/* An answer's text. yyjson's own writer of what was built would be the only one of its kind in an executable: 32 KB of it. */

static void put(latch_text_writer *t, yyjson_mut_val *v, int depth);

static void put_object(latch_text_writer *t, yyjson_mut_val *object, int depth) {
    size_t at, count;
    yyjson_mut_val *name, *v;
    latch_text_char(t, '{');
    yyjson_mut_obj_foreach(object, at, count, name, v) {
        if (at > 0) latch_text_char(t, ',');
        latch_text_json_string(t, (latch_str){yyjson_mut_get_str(name), yyjson_mut_get_len(name)});
        latch_text_char(t, ':');
        put(t, v, depth + 1);
    }
    latch_text_char(t, '}');
}

static void put_list(latch_text_writer *t, yyjson_mut_val *list, int depth) {
    size_t at, count;
    yyjson_mut_val *v;
    latch_text_char(t, '[');
    yyjson_mut_arr_foreach(list, at, count, v) {
        if (at > 0) latch_text_char(t, ',');
        put(t, v, depth + 1);
    }
    latch_text_char(t, ']');
}

static void put_number(latch_text_writer *t, yyjson_mut_val *v) {
    if (yyjson_mut_is_real(v)) {
        latch_text_double(t, yyjson_mut_get_real(v));
    } else if (yyjson_mut_is_uint(v)) {
        latch_text_uint(t, yyjson_mut_get_uint(v));
    } else {
        latch_text_int(t, yyjson_mut_get_sint(v));
    }
}

/* Values nest 32 deep, each level an object in an object, and stand in lists of items in answers. */
#define DEPTH_MAX 256

static void put(latch_text_writer *t, yyjson_mut_val *v, int depth) {
    if (depth > DEPTH_MAX) latch_text_fail(t, LATCH_E_MISUSE, "an answer nests too deeply");
    if (t->failed != LATCH_OK) return;
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_OBJ:
        put_object(t, v, depth);
        return;
    case YYJSON_TYPE_ARR:
        put_list(t, v, depth);
        return;
    case YYJSON_TYPE_STR:
        latch_text_json_string(t, (latch_str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)});
        return;
    case YYJSON_TYPE_RAW:
        latch_text_put(t, (latch_str){yyjson_mut_get_raw(v), yyjson_mut_get_len(v)});
        return;
    case YYJSON_TYPE_NUM:
        put_number(t, v);
        return;
    case YYJSON_TYPE_BOOL:
        latch_text_put(t, yyjson_mut_get_bool(v) ? LATCH_STR("true") : LATCH_STR("false"));
        return;
    default:
        latch_text_put(t, LATCH_STR("null"));
    }
}

bool latch_op_write_answer(latch_op *op, latch_str *out) {
    latch_text_writer t = latch_text_begin(op->arena);
    put(&t, op->answer, 0);
    *out = latch_text_end(&t);
    return out->ptr != NULL;
}

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/node.h"

#define DEPTH_MAX 128

/* What the client of a bad event may see, and the reader of a bad item. */
static latch_status complain(latch_json v, latch_str message) {
    latch_status kind = v.node->kind;
    if (message.ptr == NULL) return latch_err_set(&v.cx->err, LATCH_E_NOMEM, "JSON: the arena is full");
    (void)latch_err_set(&v.cx->err, kind, "%.*s", LATCH_ARG(message));
    v.cx->err.for_client = kind == LATCH_E_INPUT;
    return kind;
}

/* Where nesting goes beyond DEPTH_MAX; the length where it doesn't. yyjson has no limit of its own. */
static size_t too_deep_at(latch_str text) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
            continue;
        }
        if (c == '"') quoted = true;
        if (c == ']' || c == '}') depth--;
        if ((c == '[' || c == '{') && ++depth > DEPTH_MAX) return i;
    }
    return text.len;
}

/* yyjson reads in place: the copy it is given has the padding that it wants behind it. */
static char *padded_copy(latch_arena *arena, latch_str text) {
    char *copy = text.len < SIZE_MAX - YYJSON_PADDING_SIZE ? latch_arena_alloc(arena, text.len + YYJSON_PADDING_SIZE) : NULL;
    if (copy == NULL) return NULL;
    memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, YYJSON_PADDING_SIZE);
    return copy;
}

latch_status latch_json_parse(latch_ctx *cx, latch_status kind, const char *name, latch_str text, latch_json *out) {
    yyjson_alc alc = latch_node_alc(cx->arena);
    yyjson_read_err err = {0};
    *out = latch_node_json(cx, (struct latch_node){.kind = kind, .path = name});
    if (text.len == 0) return complain(*out, latch_ctx_text(cx, "%s: is empty, want JSON", name));
    size_t deep = too_deep_at(text);
    if (deep < text.len) return complain(*out, latch_ctx_text(cx, "%s: is nested over %d levels at byte %zu", name, DEPTH_MAX, deep));
    char *copy = padded_copy(cx->arena, text);
    if (copy == NULL) return complain(*out, (latch_str){NULL, 0});
    yyjson_doc *doc = yyjson_read_opts(copy, text.len, YYJSON_READ_INSITU | YYJSON_READ_BIGNUM_AS_RAW, &alc, &err);
    if (doc != NULL) *out = latch_node_json(cx, (struct latch_node){.kind = kind, .path = name, .val = yyjson_doc_get_root(doc)});
    if (err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION || out->node->broken != LATCH_OK) return complain(*out, (latch_str){NULL, 0});
    if (doc == NULL) return complain(*out, latch_ctx_text(cx, "%s: is not JSON, byte %zu: %s", name, err.pos, err.msg));
    return LATCH_OK;
}

latch_json latch_json_named(latch_ctx *cx, const char *name, latch_json v) {
    if (v.node == NULL) return v;
    struct latch_node node = *v.node;
    node.path = name;
    return latch_node_json(cx, node);
}

latch_status latch_parse(latch_ctx *cx, const char *name, latch_str text, latch_json *out) {
    return latch_json_parse(cx, LATCH_E_INPUT, name, text, out);
}

/* The parsed value; what was built is parsed when it is read. */
static yyjson_val *value_of(latch_json v) {
    if (v.node == NULL || v.node->val != NULL || v.node->text.len == 0) return v.node != NULL ? v.node->val : NULL;
    latch_json parsed;
    return latch_json_parse(v.cx, v.node->kind, v.node->path, v.node->text, &parsed) == LATCH_OK ? parsed.node->val : NULL;
}

static yyjson_val *walk(yyjson_val *at, const char *path) {
    while (at != NULL && *path != '\0') {
        if (*path == '[') {
            char *end;
            at = yyjson_arr_get(at, strtoul(path + 1, &end, 10));
            path = *end == ']' ? end + 1 : end;
        } else {
            size_t len = strcspn(path, ".[");
            at = yyjson_obj_getn(at, path, len);
            path += len;
        }
        if (*path == '.') path++;
    }
    return at;
}

static const char *joined(latch_json v, const char *path) {
    return latch_ctx_text(v.cx, "%s%s%s", v.node->path, *path != '\0' && *path != '[' ? "." : "", path).ptr;
}

static latch_str wanted(latch_ctx *cx, const latch_into *into) {
    bool bounded = into->max != INT64_MAX;
    switch (into->kind) {
    case LATCH_INTO_STR:
        return bounded ? latch_ctx_text(cx, "text of %" PRId64 " to %" PRId64 " bytes", into->min, into->max) : LATCH_STR("text");
    case LATCH_INTO_INT:
        if (!bounded) return LATCH_STR("a whole number");
        return latch_ctx_text(cx, "a whole number from %" PRId64 " to %" PRId64, into->min, into->max);
    case LATCH_INTO_NUM:
        return LATCH_STR("a number");
    case LATCH_INTO_BOOL:
        return LATCH_STR("true or false");
    case LATCH_INTO_JSON:
        break;
    }
    return LATCH_STR("an object or a list");
}

/* "body.qty: is 0, want a whole number from 1 to 100" */
static latch_status mismatch(latch_json v, const latch_field *field, yyjson_val *found) {
    if (v.cx == NULL) return LATCH_E_MISUSE; /* LATCH_NULL itself: there is nobody to tell more */
    const char *path = joined(v, field->path);
    latch_str want = wanted(v.cx, &field->into), is;
    if (path == NULL || want.ptr == NULL) return complain(v, (latch_str){NULL, 0});
    if (found == NULL || yyjson_is_null(found))
        return complain(v, latch_ctx_text(v.cx, "%s: is missing, want %.*s", path, LATCH_ARG(want)));
    yyjson_alc alc = latch_node_alc(v.cx->arena);
    is.ptr = yyjson_val_write_opts(found, YYJSON_WRITE_NOFLAG, &alc, &is.len, NULL);
    if (is.ptr == NULL) return complain(v, (latch_str){NULL, 0});
    return complain(v, latch_ctx_text(v.cx, "%s: is %.60s, want %.*s", path, is.ptr, LATCH_ARG(want)));
}

static bool within(int64_t n, const latch_into *into) { return n >= into->min && n <= into->max; }

static bool fits(yyjson_val *found, const latch_into *into) {
    switch (into->kind) {
    case LATCH_INTO_STR:
        return yyjson_is_str(found) && within((int64_t)yyjson_get_len(found), into);
    case LATCH_INTO_INT:
        if (yyjson_is_uint(found) && yyjson_get_uint(found) > INT64_MAX) return false;
        return yyjson_is_int(found) && within(yyjson_get_sint(found), into);
    case LATCH_INTO_NUM:
        return yyjson_is_num(found);
    case LATCH_INTO_BOOL:
        return yyjson_is_bool(found);
    case LATCH_INTO_JSON:
        break;
    }
    return yyjson_is_ctn(found);
}

/* Writes the variable, to zero where the field is wrong. */
static void fill(latch_json v, const latch_field *field, yyjson_val *found, bool ok) {
    void *at = field->into.at;
    switch (field->into.kind) {
    case LATCH_INTO_STR:
        *(latch_str *)at = ok ? (latch_str){yyjson_get_str(found), yyjson_get_len(found)} : LATCH_STR("");
        return;
    case LATCH_INTO_INT:
        *(int64_t *)at = ok ? yyjson_get_sint(found) : found == NULL ? field->into.missing : 0;
        return;
    case LATCH_INTO_NUM:
        *(double *)at = ok ? yyjson_get_num(found) : 0;
        return;
    case LATCH_INTO_BOOL:
        *(bool *)at = ok && yyjson_get_bool(found);
        return;
    case LATCH_INTO_JSON:
        break;
    }
    *(latch_json *)at = (latch_json){v.cx, NULL};
    if (ok)
        *(latch_json *)at = latch_node_json(v.cx, (struct latch_node){.kind = v.node->kind, .path = joined(v, field->path), .val = found});
}

latch_status latch_read_(latch_json v, const latch_field *fields) {
    static const struct latch_node nothing = {.kind = LATCH_E_DATA, .path = "value"};
    if (v.node == NULL) v.node = &nothing;
    yyjson_val *root = value_of(v);
    latch_status first = LATCH_OK;
    for (; fields->path != NULL; fields++) {
        yyjson_val *found = walk(root, fields->path);
        if (yyjson_is_null(found)) found = NULL;
        bool ok = found != NULL && fits(found, &fields->into);
        fill(v, fields, found, ok);
        if (!ok && (found != NULL || !fields->into.optional) && first == LATCH_OK) first = mismatch(v, fields, found);
    }
    return first;
}

bool latch_has(latch_json v, const char *path) {
    yyjson_val *found = walk(value_of(v), path);
    return found != NULL && !yyjson_is_null(found);
}

size_t latch_count(latch_json array) { return yyjson_arr_size(value_of(array)); }

latch_json latch_at(latch_json array, size_t i) {
    yyjson_val *found = yyjson_arr_get(value_of(array), i);
    if (found == NULL) return (latch_json){array.cx, NULL};
    const char *path = latch_ctx_text(array.cx, "%s[%zu]", array.node->path, i).ptr;
    return latch_node_json(array.cx, (struct latch_node){.kind = array.node->kind, .path = path, .val = found});
}

/* left counts what is still to come; at is null before the first one, whose place `in` knows. */
latch_each latch_each_in(latch_json list_or_object) {
    yyjson_val *of = value_of(list_or_object);
    latch_each each = {.in = list_or_object, .left = yyjson_is_ctn(of) ? yyjson_get_len(of) : 0};
    if (each.left > 0)
        each.in = latch_node_json(each.in.cx, (struct latch_node){each.in.node->kind, LATCH_OK, each.in.node->path, of, {0}});
    if (each.left > 0 && each.in.node->val == NULL) each.left = 0; /* the arena is full */
    return each;
}

bool latch_each_next(latch_each *each) {
    if (each->left == 0) return false;
    yyjson_val *of = each->in.node->val, *before = (yyjson_val *)(uintptr_t)each->at;
    yyjson_val *first = before == NULL ? unsafe_yyjson_get_first(of) : unsafe_yyjson_get_next(before);
    each->index += before != NULL;
    each->left--;
    each->at = first;
    if (!yyjson_is_obj(of)) return true;
    each->name = (latch_str){yyjson_get_str(first), yyjson_get_len(first)};
    each->at = first + 1; /* a member's value follows its name */
    return true;
}

latch_json latch_each_value(const latch_each *each) {
    const struct latch_node *in = each->in.node;
    const char *path = yyjson_is_obj(in->val) ? latch_ctx_text(each->in.cx, "%s.%.*s", in->path, LATCH_ARG(each->name)).ptr
                                              : latch_ctx_text(each->in.cx, "%s[%zu]", in->path, each->index).ptr;
    if (path == NULL) path = in->path;
    return latch_node_json(each->in.cx, (struct latch_node){.kind = in->kind, .path = path, .val = (yyjson_val *)(uintptr_t)each->at});
}

latch_str latch_each_text(const latch_each *each) {
    yyjson_val *val = (yyjson_val *)(uintptr_t)each->at;
    return yyjson_is_str(val) ? (latch_str){yyjson_get_str(val), yyjson_get_len(val)} : LATCH_STR("");
}

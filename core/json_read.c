#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/node.h"

#define DEPTH_MAX 128
#define SHOWN_BYTES 60     /* of a wrong value, in its error */
#define PATH_BYTES 160     /* of a field's, in its error */
#define BIG_NUMBER_LEN 320 /* digits: what is longer is more than a double holds */
#define DOUBLE_DIGITS 15   /* that every double keeps */

/* ── parsing ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whether a value lies in over DEPTH_MAX others. yyjson has no limit of its own; its values stand in a row, each knowing the next one. */
static bool is_too_deep(yyjson_val *root, size_t count) {
    const yyjson_val *ends[DEPTH_MAX];
    size_t depth = 0;
    for (yyjson_val *v = root; v < root + count; v++) {
        if (!yyjson_is_ctn(v)) continue;
        while (depth > 0 && ends[depth - 1] <= v)
            depth--;
        if (depth == DEPTH_MAX) return true;
        ends[depth++] = unsafe_yyjson_get_next(v);
    }
    return false;
}

/* Where the string ends whose first byte is at `i`: just behind its quote, or the length where it has none. */
static size_t behind_string(latch_str text, size_t i) {
    for (; i < text.len && text.ptr[i] != '"'; i++) {
        if (text.ptr[i] == '\\') i++;
    }
    return i < text.len ? i + 1 : text.len;
}

/* Where nesting goes beyond DEPTH_MAX; the length where it doesn't. Text that was refused is looked at: it need not be JSON. */
static size_t too_deep_at(latch_str text) {
    int64_t depth = 0;
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i++];
        if (c == '"') i = behind_string(text, i);
        if (c == ']' || c == '}') depth--;
        if ((c == '[' || c == '{') && ++depth > DEPTH_MAX) return i - 1;
    }
    return text.len;
}

/* Whether the double that was read from a number's text is written as the same number again: it has few digits and is no tiny one. */
static bool holds(double d, const char *number) {
    size_t digits = 0;
    for (; *number != '\0' && *number != 'e' && *number != 'E'; number++)
        digits += (*number >= '1' && *number <= '9') || (*number == '0' && digits > 0);
    return digits == 0 || (digits <= DOUBLE_DIGITS && fabs(d) >= DBL_MIN);
}

/*
 * Numbers are read one by one, for what a double would round keeps its digits: whole ones beyond 64 bits, fractions of over 15 digits, what is too
 * large or too small. What yyjson has checked to be a number is read again without an error, and ends with a NUL.
 */
static void read_numbers(yyjson_val *root, size_t count) {
    for (yyjson_val *v = root; v < root + count; v++) {
        yyjson_val number;
        if (!yyjson_is_raw(v)) continue;
        if (yyjson_read_number(yyjson_get_raw(v), &number, YYJSON_READ_BIGNUM_AS_RAW, NULL, NULL) == NULL) continue;
        if (!yyjson_is_raw(&number) && (!yyjson_is_real(&number) || holds(yyjson_get_real(&number), yyjson_get_raw(v)))) *v = number;
    }
}

/* yyjson reads in place: the copy it is given has the padding that it wants behind it. */
static char *padded_copy(latch_arena *arena, latch_str text) {
    char *copy = text.len < SIZE_MAX - YYJSON_PADDING_SIZE ? latch_arena_alloc(arena, text.len + YYJSON_PADDING_SIZE) : NULL;
    if (copy == NULL) return NULL;
    memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, YYJSON_PADDING_SIZE);
    return copy;
}

/* yyjson takes room for as many values as a text of this length may have: what it didn't fill goes back. */
static void give_back_spare(latch_arena *arena, yyjson_doc *doc) {
    char *from = (char *)doc, *end = (char *)(yyjson_doc_get_root(doc) + yyjson_doc_get_val_count(doc));
    size_t given = arena->used - (size_t)(from - arena->base);
    latch_arena_shrink(arena, from, given, (size_t)(end - from));
}

/* What the client of a bad event may see, and the reader of a bad item. */
static latch_status complained(latch_ctx *cx, latch_status kind) {
    cx->err.for_client = kind == LATCH_E_INPUT;
    return kind;
}

static latch_status refuse(latch_ctx *cx, latch_status kind, const char *name, latch_str text, const yyjson_read_err *err) {
    size_t deep = text.len > 0 ? too_deep_at(text) : 0;
    if (text.len == 0) return complained(cx, latch_err_set(&cx->err, kind, "%s: is empty, want JSON", name));
    if (deep < text.len)
        return complained(cx, latch_err_set(&cx->err, kind, "%s: is nested over %d levels at byte %zu", name, DEPTH_MAX, deep));
    if (err->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", name);
    return complained(cx, latch_err_set(&cx->err, kind, "%s: is not JSON, byte %zu: %s", name, err->pos, err->msg));
}

latch_status latch_json_parse(latch_ctx *cx, latch_status kind, const char *name, latch_str text, latch_json *out) {
    yyjson_alc alc = latch_node_alc(cx->arena);
    yyjson_read_err err = {.code = YYJSON_READ_ERROR_MEMORY_ALLOCATION};
    *out = (latch_json){cx, NULL};
    char *copy = text.len > 0 ? padded_copy(cx->arena, text) : NULL;
    if (copy == NULL) return refuse(cx, kind, name, text, &err);
    yyjson_doc *doc = yyjson_read_opts(copy, text.len, YYJSON_READ_INSITU | YYJSON_READ_NUMBER_AS_RAW, &alc, &err);
    if (doc == NULL || is_too_deep(yyjson_doc_get_root(doc), yyjson_doc_get_val_count(doc))) return refuse(cx, kind, name, text, &err);
    give_back_spare(cx->arena, doc);
    read_numbers(yyjson_doc_get_root(doc), yyjson_doc_get_val_count(doc));
    latch_json read = latch_node_json(cx, (struct latch_node){.kind = kind, .path = name, .val = yyjson_doc_get_root(doc)});
    if (read.node->broken != LATCH_OK) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", name);
    *out = read;
    return LATCH_OK;
}

latch_status latch_parse(latch_ctx *cx, const char *name, latch_str text, latch_json *out) {
    return latch_json_parse(cx, LATCH_E_INPUT, name, text, out);
}

latch_status latch_parse_data(latch_ctx *cx, const char *name, latch_str text, latch_json *out) {
    return latch_json_parse(cx, LATCH_E_DATA, name, text, out);
}

latch_json latch_json_named(latch_ctx *cx, const char *name, latch_json v) {
    if (v.node == NULL) return v;
    struct latch_node node = *v.node;
    node.path = name;
    node.parent = NULL;
    return latch_node_json(cx, node);
}

/* What was built is parsed again after the arena went back. */
latch_status latch_node_value(latch_json v, yyjson_val **out) {
    *out = v.node != NULL ? v.node->val : NULL;
    if (v.node == NULL || v.node->val != NULL) return LATCH_OK;
    if (v.node->broken != LATCH_OK) return latch_err_set(&v.cx->err, v.node->broken, "JSON: %s", v.node->why);
    struct latch_node_memory *memory = v.node->memory;
    if (memory == NULL) return LATCH_OK;
    if (memory->parsed == NULL || memory->past != v.cx->arena->past) {
        latch_str text;
        latch_json parsed;
        *memory = (struct latch_node_memory){0};
        LATCH_TRY(latch_json_text(v.cx, v, &text));
        LATCH_TRY(latch_json_parse(v.cx, v.node->kind, "value", text, &parsed));
        *memory = (struct latch_node_memory){.parsed = parsed.node->val, .past = v.cx->arena->past};
    }
    *out = memory->parsed;
    return LATCH_OK;
}

/* The same for those that have no status to return: what can't be read is nothing, and leaves the context's error as it was. */
static yyjson_val *peek(latch_json v) {
    yyjson_val *found = NULL;
    if (v.node == NULL || v.node->val != NULL || v.cx == NULL) return v.node != NULL ? v.node->val : NULL;
    latch_err before = v.cx->err;
    if (latch_node_value(v, &found) != LATCH_OK) v.cx->err = before;
    return found;
}

/* ── paths ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The element that "[12]" names; *path moves behind it. What is no such place is nowhere. */
static yyjson_val *step_into_list(yyjson_val *list, const char **path) {
    size_t place = 0;
    const char *at = *path + 1;
    if (*at < '0' || *at > '9') return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (place > SIZE_MAX / 10 - 1) return NULL;
        place = place * 10 + (size_t)(*at - '0');
    }
    if (*at != ']') return NULL;
    *path = at + 1;
    return yyjson_arr_get(list, place);
}

static yyjson_val *walk(yyjson_val *at, const char *path) {
    while (at != NULL && *path != '\0') {
        if (*path == '[') {
            at = step_into_list(at, &path);
        } else {
            size_t len = strcspn(path, ".[");
            at = yyjson_obj_getn(at, path, len);
            path += len;
        }
        if (at != NULL && *path == '.') path++;
    }
    return yyjson_is_null(at) ? NULL : at;
}

static void put_step(latch_text_writer *t, const char *path) {
    if (t->len > 0 && path[0] != '\0' && path[0] != '[') latch_text_char(t, '.');
    latch_text_put(t, latch_str_of(path));
}

/* "body.items[2].sku": the path of `node`, and of a field in it. */
static latch_str path_of(char room[PATH_BYTES], const struct latch_node *node, const char *field) {
    latch_text_writer t = {.at = room, .cap = PATH_BYTES};
    const struct latch_node *chain[DEPTH_MAX];
    size_t depth = 0;
    for (; node != NULL && depth < DEPTH_MAX; node = node->parent)
        chain[depth++] = node;
    while (depth-- > 0) {
        if (chain[depth]->path != NULL) {
            put_step(&t, chain[depth]->path);
        } else {
            latch_text_char(&t, '[');
            latch_text_uint(&t, chain[depth]->place);
            latch_text_char(&t, ']');
        }
    }
    put_step(&t, field);
    return (latch_str){room, t.len};
}

/* ── fields ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool within(int64_t n, const latch_into *into) { return n >= into->min && n <= into->max; }

/* A big whole number is kept as text; a double takes what of it fits. */
static bool is_number(yyjson_val *v, double *d) {
    char digits[BIG_NUMBER_LEN + 1];
    *d = yyjson_get_num(v);
    if (yyjson_is_num(v)) return true;
    if (!yyjson_is_raw(v) || yyjson_get_len(v) > BIG_NUMBER_LEN) return false;
    memcpy(digits, yyjson_get_raw(v), yyjson_get_len(v));
    digits[yyjson_get_len(v)] = '\0';
    *d = strtod(digits, NULL);
    return isfinite(*d);
}

static bool is_int(yyjson_val *v) { return yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX); }

static bool fits(yyjson_val *found, const latch_into *into) {
    double d;
    switch (into->kind) {
    case LATCH_INTO_STR:
        return yyjson_is_str(found) && within((int64_t)yyjson_get_len(found), into);
    case LATCH_INTO_INT:
        return is_int(found) && within(yyjson_get_sint(found), into);
    case LATCH_INTO_NUM:
        return is_number(found, &d);
    case LATCH_INTO_BOOL:
        return yyjson_is_bool(found);
    case LATCH_INTO_JSON:
        break;
    }
    return yyjson_is_ctn(found);
}

static latch_str wanted(char room[64], const latch_into *into, yyjson_val *found) {
    bool bounded = into->min != INT64_MIN || into->max != INT64_MAX, big = yyjson_is_raw(found) || yyjson_is_uint(found);
    latch_text_writer t = {.at = room, .cap = 64};
    switch (into->kind) {
    case LATCH_INTO_STR:
        if (into->max == INT64_MAX) return LATCH_STR("text");
        break;
    case LATCH_INTO_INT:
        if (!bounded) return big ? LATCH_STR("a whole number of 64 bits") : LATCH_STR("a whole number");
        break;
    case LATCH_INTO_NUM:
        return big ? LATCH_STR("a number that a double holds") : LATCH_STR("a number");
    case LATCH_INTO_BOOL:
        return LATCH_STR("true or false");
    case LATCH_INTO_JSON:
        return LATCH_STR("an object or a list");
    }
    latch_text_put(&t, into->kind == LATCH_INTO_STR ? LATCH_STR("text of ") : LATCH_STR("a whole number from "));
    latch_text_int(&t, into->min);
    latch_text_put(&t, LATCH_STR(" to "));
    latch_text_int(&t, into->max);
    if (into->kind == LATCH_INTO_STR) latch_text_put(&t, LATCH_STR(" bytes"));
    return (latch_str){room, t.len};
}

/* Whether a name on the way to the field says that what stands there is secret. The document's own says nothing. */
static bool is_secret(const latch_redact *redact, const struct latch_node *node, const char *field) {
    if (latch_redact_is_secret(redact, latch_str_of(field))) return true;
    for (; node->parent != NULL; node = node->parent) {
        if (node->path != NULL && latch_redact_is_secret(redact, latch_str_of(node->path))) return true;
    }
    return false;
}

/* A wrong value's beginning; of a secret no more than its length: the message goes into logs and traces. */
static latch_str shown(char room[SHOWN_BYTES + 16], latch_json v, const latch_field *field, yyjson_val *found) {
    const latch_redact *redact = latch_log_redact(v.cx);
    latch_text_writer t = {.at = room, .cap = SHOWN_BYTES + 16};
    bool empty = yyjson_is_str(found) && yyjson_get_len(found) == 0;
    if (empty || !is_secret(redact, v.node, field->path)) {
        latch_text_parsed(&t, found);
        return latch_str_cut((latch_str){room, latch_redact_json(redact, room, t.len)}, SHOWN_BYTES);
    }
    latch_text_put(&t, LATCH_STR("***"));
    if (yyjson_is_str(found)) {
        latch_text_put(&t, LATCH_STR(" ("));
        latch_text_uint(&t, yyjson_get_len(found));
        latch_text_put(&t, yyjson_get_len(found) == 1 ? LATCH_STR(" byte)") : LATCH_STR(" bytes)"));
    }
    return (latch_str){room, t.len};
}

/* "body.qty: is 0, want a whole number from 1 to 100" */
static latch_status mismatch(latch_json v, const latch_field *field, yyjson_val *found) {
    char path_room[PATH_BYTES], want_room[64], is_room[SHOWN_BYTES + 16];
    latch_status kind = v.node->kind;
    if (v.cx == NULL) return LATCH_E_MISUSE; /* LATCH_NULL itself: there is nobody to tell more */
    latch_str path = path_of(path_room, v.node, field->path), want = wanted(want_room, &field->into, found);
    if (found == NULL) {
        (void)latch_err_set(&v.cx->err, kind, "%.*s: is missing, want %.*s", LATCH_ARG(path), LATCH_ARG(want));
        return complained(v.cx, kind);
    }
    latch_str is = shown(is_room, v, field, found);
    (void)latch_err_set(&v.cx->err, kind, "%.*s: is %.*s, want %.*s", LATCH_ARG(path), LATCH_ARG(is), LATCH_ARG(want));
    return complained(v.cx, kind);
}

/* Writes the variable, to zero where the field is wrong. False: there was no room for what it needs. */
static bool fill(latch_json v, const latch_field *field, yyjson_val *found, bool ok) {
    void *at = field->into.at;
    double d = 0;
    switch (field->into.kind) {
    case LATCH_INTO_STR:
        *(latch_str *)at = ok ? (latch_str){yyjson_get_str(found), yyjson_get_len(found)} : LATCH_STR("");
        return true;
    case LATCH_INTO_INT:
        *(int64_t *)at = ok ? yyjson_get_sint(found) : found == NULL ? field->into.missing : 0;
        return true;
    case LATCH_INTO_NUM:
        *(double *)at = ok && is_number(found, &d) ? d : 0;
        return true;
    case LATCH_INTO_BOOL:
        *(bool *)at = ok && yyjson_get_bool(found);
        return true;
    case LATCH_INTO_JSON:
        break;
    }
    latch_json *json = at;
    *json = (latch_json){v.cx, NULL};
    if (!ok) return true;
    latch_json kept = latch_node_json(v.cx, (struct latch_node){.kind = v.node->kind, .parent = v.node, .path = field->path, .val = found});
    if (kept.node->broken == LATCH_OK) *json = kept;
    return kept.node->broken == LATCH_OK;
}

latch_status latch_read_(latch_json v, const latch_field *fields) {
    static const struct latch_node nothing = {.kind = LATCH_E_DATA, .path = "value"};
    yyjson_val *root;
    if (v.node == NULL) v.node = &nothing;
    latch_status first = latch_node_value(v, &root);
    for (; fields->path != NULL; fields++) {
        yyjson_val *found = walk(root, fields->path);
        bool ok = found != NULL && fits(found, &fields->into), needed = found != NULL || !fields->into.optional;
        if (!fill(v, fields, found, ok) && first == LATCH_OK) {
            first = latch_err_set(&v.cx->err, LATCH_E_NOMEM, "JSON: the arena is full");
        } else if (!ok && needed && first == LATCH_OK) {
            first = mismatch(v, fields, found);
        }
    }
    return first;
}

bool latch_has(latch_json v, const char *path) { return walk(peek(v), path) != NULL; }

latch_json latch_node_at(latch_json v, const char *path) {
    yyjson_val *found = walk(peek(v), path);
    if (found == NULL) return (latch_json){v.cx, NULL};
    return latch_node_json(v.cx, (struct latch_node){.kind = v.node->kind, .path = path, .val = found});
}

/* ── lists ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t latch_count(latch_json array) { return yyjson_arr_size(peek(array)); }

/* yyjson's lists are found by going from one element to the next: from the last one that was asked for, where it is before this one. */
static yyjson_val *element(struct latch_node_memory *memory, yyjson_val *list, size_t place) {
    yyjson_val *found = NULL;
    if (memory->list != list || memory->next.idx > place) memory->next = yyjson_arr_iter_with(list);
    memory->list = list;
    while (memory->next.idx <= place)
        found = yyjson_arr_iter_next(&memory->next);
    return found;
}

latch_json latch_at(latch_json array, size_t i) {
    yyjson_val *list = peek(array);
    if (i >= yyjson_arr_size(list)) return (latch_json){array.cx, NULL};
    yyjson_val *found = element(array.node->memory, list, i);
    return latch_node_json(array.cx, (struct latch_node){.kind = array.node->kind, .parent = array.node, .place = i, .val = found});
}

/* ── one pass ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* `left` counts what is still to come; `at` is null before the first one, whose place `in` knows. */
latch_each latch_each_in(latch_json list_or_object) {
    yyjson_val *of = peek(list_or_object);
    latch_each each = {.in = list_or_object, .left = yyjson_is_ctn(of) ? yyjson_get_len(of) : 0};
    if (each.left == 0 || each.in.node->val != NULL) return each;
    struct latch_node parsed = *each.in.node; /* it was built: its value is known now */
    parsed.val = of;
    each.in = latch_node_json(each.in.cx, parsed);
    if (each.in.node->broken != LATCH_OK) each.left = 0; /* the arena is full */
    return each;
}

bool latch_each_next(latch_each *each) {
    if (each->left == 0) return false;
    yyjson_val *of = each->in.node->val, *before = (yyjson_val *)(uintptr_t)each->at;
    yyjson_val *next = before == NULL ? unsafe_yyjson_get_first(of) : unsafe_yyjson_get_next(before);
    each->index += before != NULL;
    each->left--;
    each->at = next;
    if (!yyjson_is_obj(of)) return true;
    each->name = (latch_str){yyjson_get_str(next), yyjson_get_len(next)};
    each->at = next + 1; /* a member's value follows its name */
    return true;
}

latch_json latch_each_value(const latch_each *each) {
    const struct latch_node *in = each->in.node;
    struct latch_node node = {.kind = in->kind, .parent = in, .place = each->index, .val = (yyjson_val *)(uintptr_t)each->at};
    if (yyjson_is_obj(in->val)) node.path = each->name.ptr; /* yyjson ends it with a NUL */
    return latch_node_json(each->in.cx, node);
}

latch_str latch_each_text(const latch_each *each) {
    yyjson_val *val = (yyjson_val *)(uintptr_t)each->at;
    return yyjson_is_str(val) ? (latch_str){yyjson_get_str(val), yyjson_get_len(val)} : LATCH_STR("");
}

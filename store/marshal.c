#include "store/marshal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/coding.h"
#include "core/node.h"

#define NESTING_MAX 32
#define NAME_MAX_BYTES 65535
#define KEY_MAX_BYTES 2048
#define SORT_KEY_MAX_BYTES 1024
#define CONTAINER_BYTES 3 /* of a map or list, and one more for each element */
#define FEW 16            /* members among which one that comes twice is looked for one by one */

typedef enum tag { BINARY, BINARIES, MAP, NUMBER, NUMBERS, STRINGS, NO_TAG } tag;
static const char *const tags[] = {"$binary", "$binaries", "$map", "$number", "$numbers", "$strings"};

static latch_str text_of(yyjson_val *v) { return (latch_str){yyjson_get_str(v), yyjson_get_len(v)}; }

static tag tag_of(latch_str name) {
    int found = 0;
    if (name.len == 0 || name.ptr[0] != '$') return NO_TAG;
    while (found < NO_TAG && !latch_str_eq(name, latch_str_of(tags[found])))
        found++;
    return (tag)found;
}

/* ── where a value stands ───────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct place {
    const struct place *in; /* NULL: `name` is the root's */
    latch_str name;
    size_t index;
    bool element; /* of a list or set: `index` counts */
    int depth;    /* maps and lists around it, an item counting as one */
} place;

static place member_of(const place *in, latch_str name) { return (place){.in = in, .name = name, .depth = in->depth + 1}; }
static place element_of(const place *in, size_t index) {
    return (place){.in = in, .index = index, .element = true, .depth = in->depth + 1};
}

/* "item.tags[2]" */
static void put_place(latch_text_writer *t, const place *at) {
    const place *chain[NESTING_MAX + 4];
    size_t depth = 0;
    for (; at != NULL && depth < sizeof chain / sizeof chain[0]; at = at->in)
        chain[depth++] = at;
    while (depth-- > 0) {
        at = chain[depth];
        if (at->element) {
            latch_text_char(t, '[');
            latch_text_uint(t, at->index);
            latch_text_char(t, ']');
            continue;
        }
        if (at->in != NULL) latch_text_char(t, '.');
        latch_text_put(t, latch_str_cut(at->name, 100));
    }
}

/* Fails the writer: "item.tags[2] has over 38 digits". Always 0, the size of what isn't written. */
static __attribute__((format(printf, 4, 5))) size_t refuse(latch_text_writer *t, latch_status status, const place *at, const char *fmt,
                                                           ...) {
    char what[200];
    va_list ap;
    if (t->failed != LATCH_OK) return 0;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    latch_text_writer why = latch_text_begin(t->arena);
    put_place(&why, at);
    latch_text_char(&why, ' ');
    latch_text_put(&why, latch_str_of(what));
    latch_str text = latch_text_end(&why);
    latch_text_fail(t, status, text.ptr != NULL ? text.ptr : "a value in it is none that DynamoDB takes");
    return 0;
}

/* ── what comes twice ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static int order_of(const void *a, const void *b) {
    const latch_str *one = a, *other = b;
    if (one->len != other->len) return one->len < other->len ? -1 : 1;
    return one->len > 0 ? memcmp(one->ptr, other->ptr, one->len) : 0;
}

/* Whether two are equal; sorts them where they are many. */
static bool has_twins(latch_str *texts, size_t count) {
    if (count > FEW) qsort(texts, count, sizeof *texts, order_of);
    for (size_t i = 1; i < count; i++) {
        for (size_t other = count > FEW ? i - 1 : 0; other < i; other++)
            if (latch_str_eq(texts[i], texts[other])) return true;
    }
    return false;
}

/* Room for as many texts; `few` where it is enough. NULL: the writer has failed. */
static latch_str *texts_for(latch_text_writer *t, latch_str few[FEW], size_t count) {
    latch_str *texts = count <= FEW ? few : latch_arena_alloc(t->arena, count * sizeof *texts);
    if (texts == NULL) latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    return texts;
}

/* ── numbers and bytes ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The digits of a JSON number, or those that a text has. Empty: it is neither. `room` holds what had to be written. */
static latch_str digits_of(yyjson_val *v, char room[64]) {
    latch_text_writer t = {.at = room, .cap = 64};
    if (yyjson_is_raw(v)) return (latch_str){yyjson_get_raw(v), yyjson_get_len(v)};
    if (yyjson_is_str(v)) return text_of(v);
    if (yyjson_is_num(v)) latch_text_parsed(&t, v);
    return (latch_str){room, t.failed == LATCH_OK ? t.len : 0};
}

const char *latch_marshal_fault(latch_decimal_fault fault) {
    switch (fault) {
    case LATCH_DECIMAL_FITS:
        break;
    case LATCH_DECIMAL_NO_NUMBER:
        return "is no number";
    case LATCH_DECIMAL_TOO_LONG:
        return "has over 38 digits: send it as text, or round it";
    case LATCH_DECIMAL_TOO_LARGE:
        return "is beyond 9.9E+125, which DynamoDB's numbers end at: send it as text";
    case LATCH_DECIMAL_TOO_SMALL:
        return "is below 1E-130, which DynamoDB's numbers end at: send it as text, or 0";
    }
    return NULL;
}

/* "12", quoted; its size. Only what was found to be a number is written: digits, a sign, a point and an e. */
static size_t put_digits(latch_text_writer *t, const place *at, latch_str digits, latch_decimal *n) {
    const char *wrong = latch_marshal_fault(latch_decimal_read(digits, n));
    if (wrong != NULL) return refuse(t, LATCH_E_MISUSE, at, "%s", wrong);
    latch_text_char(t, '"');
    latch_text_put(t, digits);
    latch_text_char(t, '"');
    return latch_decimal_bytes(n);
}

static size_t put_base64(latch_text_writer *t, const place *at, yyjson_val *v) {
    size_t bytes = 0;
    if (!yyjson_is_str(v) || !latch_base64_is(text_of(v), &bytes))
        return refuse(t, LATCH_E_MISUSE, at, "is no base64: A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4");
    latch_text_parsed(t, v);
    return bytes;
}

/* ── sets ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Two numbers are equal where their digits are, whatever their text. */
static latch_str number_identity(latch_text_writer *t, const latch_decimal *n) {
    return latch_arena_copy(t->arena, (latch_str){(const char *)n, sizeof *n});
}

latch_str latch_marshal_binary_identity(latch_arena *arena, latch_str text) {
    latch_str bytes;
    if (!latch_base64_decode(arena, text, &bytes)) return text;
    return bytes.ptr != NULL ? latch_base64_encode(arena, bytes) : bytes;
}

/* One member, and what it is compared by. */
static size_t put_member(latch_text_writer *t, const place *at, tag set, yyjson_val *v, latch_str *identity) {
    latch_decimal n;
    char room[64];
    if (set == STRINGS) {
        if (!yyjson_is_str(v)) return refuse(t, LATCH_E_MISUSE, at, "is no text");
        *identity = text_of(v);
        latch_text_parsed(t, v);
        return identity->len;
    }
    size_t bytes = set == NUMBERS ? put_digits(t, at, digits_of(v, room), &n) : put_base64(t, at, v);
    if (t->failed != LATCH_OK) return 0;
    *identity = set == NUMBERS ? number_identity(t, &n) : latch_marshal_binary_identity(t->arena, text_of(v));
    if (identity->ptr == NULL) latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    return bytes;
}

static size_t put_set(latch_text_writer *t, const place *at, tag set, yyjson_val *list) {
    size_t i, max, bytes = 0, count = yyjson_arr_size(list);
    latch_str few[FEW], *identities;
    yyjson_val *member;
    if (!yyjson_is_arr(list)) return refuse(t, LATCH_E_MISUSE, at, "is no list, as {\"%s\": […]} must have", tags[set]);
    if (count == 0) return refuse(t, LATCH_E_MISUSE, at, "is an empty set, which DynamoDB doesn't store: leave it out, or use a list");
    if ((identities = texts_for(t, few, count)) == NULL) return 0;
    latch_text_char(t, '[');
    yyjson_arr_foreach(list, i, max, member) {
        place in = element_of(at, i);
        if (i > 0) latch_text_char(t, ',');
        bytes += put_member(t, &in, set, member, &identities[i]);
        if (t->failed != LATCH_OK) return 0;
    }
    latch_text_char(t, ']');
    if (has_twins(identities, count)) return refuse(t, LATCH_E_MISUSE, at, "is a set with a member that comes twice");
    return bytes;
}

/* ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t put_value(latch_text_writer *t, const place *at, yyjson_val *v);

/* Each name once, not empty, not too long. */
static void check_names(latch_text_writer *t, const place *at, yyjson_val *object) {
    size_t i, max;
    latch_str few[FEW], *names = texts_for(t, few, yyjson_obj_size(object));
    yyjson_val *name, *value;
    if (names == NULL) return;
    yyjson_obj_foreach(object, i, max, name, value) {
        names[i] = text_of(name);
        if (names[i].len == 0) refuse(t, LATCH_E_MISUSE, at, "has an empty name, which DynamoDB doesn't store");
        if (names[i].len > NAME_MAX_BYTES)
            refuse(t, LATCH_E_MISUSE, at, "has a name of %zu bytes, want at most %d", names[i].len, NAME_MAX_BYTES);
    }
    if (t->failed == LATCH_OK && has_twins(names, max)) refuse(t, LATCH_E_MISUSE, at, "has a name that comes twice");
}

/* {"a":{…},…}: names and values, without a map's own bytes */
static size_t put_members(latch_text_writer *t, const place *at, yyjson_val *object) {
    size_t i, max, bytes = 0;
    yyjson_val *name, *value;
    check_names(t, at, object);
    latch_text_char(t, '{');
    yyjson_obj_foreach(object, i, max, name, value) {
        place in = member_of(at, text_of(name));
        if (t->failed != LATCH_OK) return 0;
        if (i > 0) latch_text_char(t, ',');
        latch_text_parsed(t, name);
        latch_text_char(t, ':');
        bytes += in.name.len + put_value(t, &in, value);
    }
    latch_text_char(t, '}');
    return bytes;
}

static size_t put_map(latch_text_writer *t, const place *at, yyjson_val *object) {
    if (!yyjson_is_obj(object)) return refuse(t, LATCH_E_MISUSE, at, "is no object, as {\"$map\": {…}} must have");
    if (at->depth >= NESTING_MAX) return refuse(t, LATCH_E_MISUSE, at, "is nested over %d levels", NESTING_MAX);
    return CONTAINER_BYTES + yyjson_obj_size(object) + put_members(t, at, object);
}

static size_t put_list(latch_text_writer *t, const place *at, yyjson_val *list) {
    size_t i, max, bytes = CONTAINER_BYTES + yyjson_arr_size(list);
    yyjson_val *element;
    if (at->depth >= NESTING_MAX) return refuse(t, LATCH_E_MISUSE, at, "is nested over %d levels", NESTING_MAX);
    latch_text_char(t, '[');
    yyjson_arr_foreach(list, i, max, element) {
        place in = element_of(at, i);
        if (t->failed != LATCH_OK) return 0;
        if (i > 0) latch_text_char(t, ',');
        bytes += put_value(t, &in, element);
    }
    latch_text_char(t, ']');
    return bytes;
}

static void put_type(latch_text_writer *t, const char *type) {
    latch_text_put(t, LATCH_STR("{\""));
    latch_text_put(t, latch_str_of(type));
    latch_text_put(t, LATCH_STR("\":"));
}

/* What the tag says; `v` is its value. */
static size_t put_tagged(latch_text_writer *t, const place *at, tag as, yyjson_val *v) {
    static const char *const types[] = {"B", "BS", "M", "N", "NS", "SS"};
    latch_decimal n;
    size_t bytes;
    put_type(t, types[as]);
    if (as == BINARY) {
        bytes = put_base64(t, at, v);
    } else if (as == MAP) {
        bytes = put_map(t, at, v);
    } else if (as == NUMBER) {
        bytes = yyjson_is_str(v) ? put_digits(t, at, text_of(v), &n) : refuse(t, LATCH_E_MISUSE, at, "is no text, as $number must have");
    } else {
        bytes = put_set(t, at, as, v);
    }
    latch_text_char(t, '}');
    return bytes;
}

static size_t put_object(latch_text_writer *t, const place *at, yyjson_val *object) {
    yyjson_val *name = yyjson_obj_size(object) == 1 ? unsafe_yyjson_get_first(object) : NULL;
    tag as = name != NULL ? tag_of(text_of(name)) : NO_TAG;
    if (as != NO_TAG) return put_tagged(t, at, as, name + 1); /* a member's value follows its name */
    latch_text_put(t, LATCH_STR("{\"M\":"));
    size_t bytes = put_map(t, at, object);
    latch_text_char(t, '}');
    return bytes;
}

static size_t put_number(latch_text_writer *t, const place *at, yyjson_val *v) {
    latch_decimal n;
    char room[64];
    latch_text_put(t, LATCH_STR("{\"N\":"));
    size_t bytes = put_digits(t, at, digits_of(v, room), &n);
    latch_text_char(t, '}');
    return bytes;
}

/* Recursion ends at NESTING_MAX. NULL is null. */
static size_t put_value(latch_text_writer *t, const place *at, yyjson_val *v) {
    size_t bytes;
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_STR:
        latch_text_put(t, LATCH_STR("{\"S\":"));
        latch_text_parsed(t, v);
        latch_text_char(t, '}');
        return yyjson_get_len(v);
    case YYJSON_TYPE_NUM:
    case YYJSON_TYPE_RAW:
        return put_number(t, at, v);
    case YYJSON_TYPE_BOOL:
        latch_text_put(t, yyjson_get_bool(v) ? LATCH_STR("{\"BOOL\":true}") : LATCH_STR("{\"BOOL\":false}"));
        return 1;
    case YYJSON_TYPE_ARR:
        latch_text_put(t, LATCH_STR("{\"L\":"));
        bytes = put_list(t, at, v);
        latch_text_char(t, '}');
        return bytes;
    case YYJSON_TYPE_OBJ:
        return put_object(t, at, v);
    default:
        latch_text_put(t, LATCH_STR("{\"NULL\":true}"));
        return 1;
    }
}

/* ── items, keys, values ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The parsed value of what isn't broken. */
static bool peek(latch_text_writer *t, latch_json v, yyjson_val **out) {
    if (t->failed != LATCH_OK) return false;
    latch_status status = latch_node_value(v, out);
    if (status != LATCH_OK) latch_text_fail(t, status, v.node->broken != LATCH_OK ? v.node->why : "the arena is full");
    return status == LATCH_OK;
}

size_t latch_marshal_item(latch_text_writer *t, latch_json item) {
    const place at = {.name = LATCH_STR("item")};
    yyjson_val *object;
    if (!peek(t, item, &object)) return 0;
    if (!yyjson_is_obj(object)) return refuse(t, LATCH_E_MISUSE, &at, "is no object");
    size_t bytes = put_members(t, &at, object);
    if (bytes > LATCH_DYNAMODB_ITEM_MAX_BYTES)
        return refuse(t, LATCH_E_MISUSE, &at,
                      "has %zu bytes as DynamoDB counts them, want at most %zu: split it, or keep what is large elsewhere", bytes,
                      LATCH_DYNAMODB_ITEM_MAX_BYTES);
    return t->failed == LATCH_OK ? bytes : 0;
}

/* Of a key's attribute: what DynamoDB indexes by. */
static void check_key(latch_text_writer *t, const place *at, yyjson_val *v, size_t bytes) {
    yyjson_val *name = yyjson_obj_size(v) == 1 ? unsafe_yyjson_get_first(v) : NULL;
    tag as = name != NULL ? tag_of(text_of(name)) : NO_TAG;
    bool number = yyjson_is_num(v) || yyjson_is_raw(v) || as == NUMBER;
    if (!number && !yyjson_is_str(v) && as != BINARY) refuse(t, LATCH_E_MISUSE, at, "is neither text, number nor binary, as keys are");
    if (!number && bytes == 0) refuse(t, LATCH_E_INPUT, at, "is empty, which no key may be");
    if (!number && bytes > KEY_MAX_BYTES) refuse(t, LATCH_E_INPUT, at, "has %zu bytes, want at most %d", bytes, KEY_MAX_BYTES);
}

size_t latch_marshal_key(latch_text_writer *t, latch_json key) {
    const place at = {.name = LATCH_STR("key")};
    size_t i, max, bytes = 0;
    yyjson_val *object, *name, *value;
    if (!peek(t, key, &object)) return 0;
    if (!yyjson_is_obj(object) || yyjson_obj_size(object) < 1 || yyjson_obj_size(object) > 2)
        return refuse(t, LATCH_E_MISUSE, &at, "is no object of 1 or 2 attributes, the table's key");
    check_names(t, &at, object);
    latch_text_char(t, '{');
    yyjson_obj_foreach(object, i, max, name, value) {
        place in = member_of(&at, text_of(name));
        if (t->failed != LATCH_OK) return 0;
        if (i > 0) latch_text_char(t, ',');
        latch_text_parsed(t, name);
        latch_text_char(t, ':');
        size_t size = put_value(t, &in, value);
        check_key(t, &in, value, size);
        bytes += in.name.len + size;
    }
    latch_text_char(t, '}');
    return t->failed == LATCH_OK ? bytes : 0;
}

static void check_own(latch_text_writer *t, const place *in, yyjson_val *object, const char *name, size_t max_bytes) {
    yyjson_val *v = yyjson_obj_get(object, name);
    place at = member_of(in, latch_str_of(name));
    if (!yyjson_is_str(v)) return;
    if (yyjson_get_len(v) == 0) refuse(t, LATCH_E_INPUT, &at, "is empty, which no key may be");
    if (yyjson_get_len(v) > max_bytes) refuse(t, LATCH_E_INPUT, &at, "has %zu bytes, want at most %zu", yyjson_get_len(v), max_bytes);
}

void latch_marshal_check(latch_text_writer *t, const char *what, latch_json v, const char *pk, const char *sk) {
    const place at = {.name = latch_str_of(what)};
    yyjson_val *object;
    if (!peek(t, v, &object)) return;
    check_own(t, &at, object, pk, KEY_MAX_BYTES);
    check_own(t, &at, object, sk, SORT_KEY_MAX_BYTES);
}

/* ── equal keys ── */

/* Of a key's attribute, {"$binary": …} or {"$number": …} undone; NO_TAG: text or a JSON number. */
static tag untag(yyjson_val **v) {
    yyjson_val *name = yyjson_obj_size(*v) == 1 ? unsafe_yyjson_get_first(*v) : NULL;
    tag as = name != NULL ? tag_of(text_of(name)) : NO_TAG;
    if (as != NO_TAG) *v = name + 1;
    return as;
}

static bool equal_numbers(yyjson_val *a, yyjson_val *b) {
    latch_decimal one, other;
    char room[64], other_room[64];
    if (latch_decimal_read(digits_of(a, room), &one) != LATCH_DECIMAL_FITS) return false;
    if (latch_decimal_read(digits_of(b, other_room), &other) != LATCH_DECIMAL_FITS) return false;
    return memcmp(&one, &other, sizeof one) == 0;
}

static bool equal_attributes(yyjson_val *a, yyjson_val *b) {
    tag one = untag(&a), other = untag(&b);
    bool text = yyjson_is_str(a) && one != NUMBER, other_text = yyjson_is_str(b) && other != NUMBER;
    if (text && other_text) return (one == BINARY) == (other == BINARY) && latch_str_eq(text_of(a), text_of(b));
    return !text && !other_text && equal_numbers(a, b);
}

static yyjson_val *known(latch_json v) {
    yyjson_val *found = NULL;
    return latch_node_value(v, &found) == LATCH_OK && yyjson_is_obj(found) ? found : NULL;
}

bool latch_marshal_has(latch_json item, latch_json key) {
    size_t i, max;
    yyjson_val *have = known(item), *want = known(key), *name, *value;
    if (have == NULL || yyjson_obj_size(want) == 0) return false;
    yyjson_obj_foreach(want, i, max, name, value) {
        yyjson_val *found = yyjson_obj_getn(have, yyjson_get_str(name), yyjson_get_len(name));
        if (found == NULL || !equal_attributes(found, value)) return false;
    }
    return true;
}

bool latch_marshal_same(latch_json a, latch_json b, const char *const *names, size_t count) {
    yyjson_val *one = known(a), *other = known(b);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *found = yyjson_obj_get(one, names[i]), *there = yyjson_obj_get(other, names[i]);
        if (found == NULL || there == NULL || !equal_attributes(found, there)) return false;
    }
    return count > 0;
}

/* Its containers count as those around them do: none is. */
static size_t put_json(latch_text_writer *t, const char *name, latch_json v) {
    const place at = {.name = latch_str_of(name)};
    yyjson_val *value;
    size_t bytes = peek(t, v, &value) ? put_value(t, &at, value) : 0;
    return t->failed == LATCH_OK ? bytes : 0;
}

size_t latch_marshal_value(latch_text_writer *t, latch_json v) { return put_json(t, "value", v); }

static size_t put_plain_number(latch_text_writer *t, const char *name, const latch_value *v) {
    const place at = {.name = latch_str_of(name)};
    latch_decimal n;
    char room[64];
    latch_text_writer digits = {.at = room, .cap = sizeof room};
    if (v->kind == LATCH_V_INT) latch_text_int(&digits, v->as.i);
    if (v->kind == LATCH_V_UINT) latch_text_uint(&digits, v->as.u);
    if (v->kind == LATCH_V_NUM) latch_text_double(&digits, v->as.d);
    if (digits.failed != LATCH_OK) return refuse(t, LATCH_E_MISUSE, &at, "is not finite");
    latch_text_put(t, LATCH_STR("{\"N\":"));
    size_t bytes = put_digits(t, &at, (latch_str){room, digits.len}, &n);
    latch_text_char(t, '}');
    return bytes;
}

size_t latch_marshal_pair(latch_text_writer *t, const char *name, const latch_value *v) {
    switch (v->kind) {
    case LATCH_V_STR:
        latch_text_put(t, LATCH_STR("{\"S\":"));
        latch_text_json_string(t, v->as.str);
        latch_text_char(t, '}');
        return v->as.str.len;
    case LATCH_V_INT:
    case LATCH_V_UINT:
    case LATCH_V_NUM:
        return put_plain_number(t, name, v);
    case LATCH_V_BOOL:
        latch_text_put(t, v->as.b ? LATCH_STR("{\"BOOL\":true}") : LATCH_STR("{\"BOOL\":false}"));
        return 1;
    case LATCH_V_JSON:
        return put_json(t, name, v->as.json);
    case LATCH_V_NULL:
        break;
    }
    latch_text_put(t, LATCH_STR("{\"NULL\":true}"));
    return 1;
}

/* ── back ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * yyjson's values of a document stand in a row: a container, then what is in it, each container knowing how far the next value behind it
 * is. The plain ones are written as such a row of their own, which is never longer than what is read: a type's two values ({"S": …}) become
 * none, or a tag's two. Text is where it was.
 */
typedef struct unmarshaller {
    latch_ctx *cx;
    yyjson_val *to; /* the next value */
} unmarshaller;

static latch_status bring_value(unmarshaller *u, const place *at, yyjson_val *v);

/* Always a status: what stands there is none of DynamoDB's. */
static latch_status spoilt(const unmarshaller *u, const place *at, const char *what) {
    char room[160];
    latch_text_writer path = {.at = room, .cap = sizeof room};
    put_place(&path, at);
    return latch_err_set(&u->cx->err, LATCH_E_DATA, "%.*s: %s", (int)path.len, room, what);
}

static yyjson_val *begin(unmarshaller *u, yyjson_type type, size_t count) {
    yyjson_val *container = u->to++;
    container->tag = (uint64_t)count << YYJSON_TAG_BIT | type;
    return container;
}

static void end(unmarshaller *u, yyjson_val *container) { container->uni.ofs = (size_t)((char *)u->to - (char *)container); }

static void put_literal(unmarshaller *u, const char *text) {
    *u->to = (yyjson_val){.tag = (uint64_t)strlen(text) << YYJSON_TAG_BIT | YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC, .uni.str = text};
    u->to++;
}

/* An object of one member, whose value comes next. */
static yyjson_val *begin_tagged(unmarshaller *u, tag as) {
    yyjson_val *object = begin(u, YYJSON_TYPE_OBJ, 1);
    put_literal(u, tags[as]);
    return object;
}

/* A JSON number of the same value, as a number where that holds it, else by its digits. False: DynamoDB's text of it is none that JSON has. */
static bool put_json_number(unmarshaller *u, yyjson_val *v, const latch_decimal *n) {
    const char *text = yyjson_get_str(v); /* yyjson ends it with a NUL */
    const char *end_of_number = yyjson_read_number(text, u->to, YYJSON_READ_BIGNUM_AS_RAW, NULL, NULL);
    if (end_of_number != text + yyjson_get_len(v)) return false;
    if (yyjson_is_real(u->to) && !latch_decimal_fits_double(n))
        *u->to = (yyjson_val){.tag = (uint64_t)yyjson_get_len(v) << YYJSON_TAG_BIT | YYJSON_TYPE_RAW, .uni.str = text};
    u->to++;
    return true;
}

/* DynamoDB writes numbers as JSON does; what doesn't (".5", "01") goes by a tag. */
static latch_status bring_number(unmarshaller *u, const place *at, yyjson_val *v) {
    latch_decimal n;
    if (!yyjson_is_str(v) || latch_decimal_read(text_of(v), &n) != LATCH_DECIMAL_FITS) return spoilt(u, at, "is no number");
    if (put_json_number(u, v, &n)) return LATCH_OK;
    yyjson_val *object = begin_tagged(u, NUMBER);
    *u->to++ = *v;
    end(u, object);
    return LATCH_OK;
}

/* Of a set: there, a text is a number too. */
static latch_status bring_digits(unmarshaller *u, const place *at, yyjson_val *v) {
    latch_decimal n;
    if (!yyjson_is_str(v) || latch_decimal_read(text_of(v), &n) != LATCH_DECIMAL_FITS) return spoilt(u, at, "is no number");
    if (!put_json_number(u, v, &n)) *u->to++ = *v;
    return LATCH_OK;
}

static latch_status bring_text(unmarshaller *u, const place *at, yyjson_val *v) {
    if (!yyjson_is_str(v)) return spoilt(u, at, "is no text");
    *u->to++ = *v;
    return LATCH_OK;
}

static latch_status bring_elements(unmarshaller *u, const place *at, const char *type, yyjson_val *v) {
    size_t i, max;
    yyjson_val *element;
    if (!yyjson_is_arr(v)) return spoilt(u, at, "is no list");
    yyjson_val *list = begin(u, YYJSON_TYPE_ARR, yyjson_arr_size(v));
    yyjson_arr_foreach(v, i, max, element) {
        place in = element_of(at, i);
        latch_status status = type[0] == 'L' ? bring_value(u, &in, element) : (type[0] == 'N' ? bring_digits : bring_text)(u, &in, element);
        if (status != LATCH_OK) return status;
    }
    end(u, list);
    return LATCH_OK;
}

static latch_status bring_members(unmarshaller *u, const place *at, yyjson_val *v) {
    size_t i, max;
    yyjson_val *name, *value;
    if (!yyjson_is_obj(v)) return spoilt(u, at, "is no object");
    yyjson_val *object = begin(u, YYJSON_TYPE_OBJ, yyjson_obj_size(v));
    yyjson_obj_foreach(v, i, max, name, value) {
        place in = member_of(at, text_of(name));
        *u->to++ = *name;
        LATCH_TRY(bring_value(u, &in, value));
    }
    end(u, object);
    return LATCH_OK;
}

/* A map that would be read as something tagged says that it is a map. */
static latch_status bring_map(unmarshaller *u, const place *at, yyjson_val *v) {
    yyjson_val *name = yyjson_is_obj(v) && yyjson_obj_size(v) == 1 ? unsafe_yyjson_get_first(v) : NULL;
    if (name == NULL || tag_of(text_of(name)) == NO_TAG) return bring_members(u, at, v);
    yyjson_val *object = begin_tagged(u, MAP);
    LATCH_TRY(bring_members(u, at, v));
    end(u, object);
    return LATCH_OK;
}

static latch_status bring_tagged(unmarshaller *u, const place *at, tag as, yyjson_val *v) {
    static const char *const types[] = {"B", "BS", "M", "N", "NS", "SS"};
    yyjson_val *object = begin_tagged(u, as);
    LATCH_TRY(as == BINARY ? bring_text(u, at, v) : bring_elements(u, at, types[as], v));
    end(u, object);
    return LATCH_OK;
}

/* As deep as the document may be, which core/json bounds; what DynamoDB stored is at most NESTING_MAX deep. */
static latch_status bring_value(unmarshaller *u, const place *at, yyjson_val *v) {
    yyjson_val *name = yyjson_is_obj(v) && yyjson_obj_size(v) == 1 ? unsafe_yyjson_get_first(v) : NULL;
    latch_str type = name != NULL ? text_of(name) : LATCH_STR("");
    if (name == NULL) return spoilt(u, at, "is no attribute value");
    if (at->depth > NESTING_MAX) return spoilt(u, at, "is nested over 32 levels");
    v = name + 1;
    if (latch_str_eq(type, LATCH_STR("S"))) return bring_text(u, at, v);
    if (latch_str_eq(type, LATCH_STR("N"))) return bring_number(u, at, v);
    if (latch_str_eq(type, LATCH_STR("M"))) return bring_map(u, at, v);
    if (latch_str_eq(type, LATCH_STR("L"))) return bring_elements(u, at, "L", v);
    if (latch_str_eq(type, LATCH_STR("B"))) return bring_tagged(u, at, BINARY, v);
    if (latch_str_eq(type, LATCH_STR("SS"))) return bring_tagged(u, at, STRINGS, v);
    if (latch_str_eq(type, LATCH_STR("NS"))) return bring_tagged(u, at, NUMBERS, v);
    if (latch_str_eq(type, LATCH_STR("BS"))) return bring_tagged(u, at, BINARIES, v);
    if (latch_str_eq(type, LATCH_STR("BOOL")) && yyjson_is_bool(v)) {
        *u->to++ = *v;
        return LATCH_OK;
    }
    if (!latch_str_eq(type, LATCH_STR("NULL"))) return spoilt(u, at, "has a type that DynamoDB has not");
    *u->to++ = (yyjson_val){.tag = YYJSON_TYPE_NULL};
    return LATCH_OK;
}

typedef latch_status bring_fn(unmarshaller *u, const place *at, yyjson_val *v);

static latch_status bring_items(unmarshaller *u, const place *at, yyjson_val *v) {
    size_t i, max;
    yyjson_val *element;
    if (!yyjson_is_arr(v)) return spoilt(u, at, "is no list");
    yyjson_val *list = begin(u, YYJSON_TYPE_ARR, yyjson_arr_size(v));
    yyjson_arr_foreach(v, i, max, element) {
        place in = {.in = at, .index = i, .element = true};
        LATCH_TRY(bring_members(u, &in, element));
    }
    end(u, list);
    return LATCH_OK;
}

static latch_status unmarshal(latch_ctx *cx, const char *name, latch_json from, bring_fn *bring, latch_json *out) {
    const place at = {.name = latch_str_of(name)};
    yyjson_val *v;
    *out = (latch_json){cx, NULL};
    LATCH_TRY(latch_node_value(from, &v));
    if (v == NULL || yyjson_is_null(v)) return LATCH_OK;
    size_t bytes = (size_t)((char *)(yyjson_is_ctn(v) ? unsafe_yyjson_get_next(v) : v + 1) - (char *)v);
    yyjson_val *row = latch_arena_alloc(cx->arena, bytes);
    if (row == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", name);
    unmarshaller u = {.cx = cx, .to = row};
    LATCH_TRY(bring(&u, &at, v));
    latch_arena_shrink(cx->arena, row, bytes, (size_t)((char *)u.to - (char *)row));
    latch_json made = latch_node_json(cx, (struct latch_node){.kind = LATCH_E_DATA, .path = name, .val = row});
    if (made.node->broken != LATCH_OK) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", name);
    *out = made;
    return LATCH_OK;
}

latch_status latch_unmarshal_item(latch_ctx *cx, latch_json attributes, latch_json *out) {
    return unmarshal(cx, "item", attributes, bring_members, out);
}

latch_status latch_unmarshal_list(latch_ctx *cx, latch_json list, latch_json *out) {
    return unmarshal(cx, "items", list, bring_items, out);
}

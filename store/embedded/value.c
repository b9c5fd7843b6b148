#include "store/embedded/value.h"

#include <stdlib.h>
#include <string.h>

#include "core/coding.h"
#include "core/err.h"

#define EMPTY_VALUE "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define MANY_TYPES "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
#define NULL_VALUE "The supplied Item contains a null AttributeValue"
#define INVALID "One or more parameter values were invalid: "
#define TOO_DEEP "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
#define NAME_MAX_BYTES 65535
#define FEW 16 /* attributes among which a repeated name is looked for one by one */

static const char *const type_names[] = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"};
#define TYPE_COUNT (sizeof type_names / sizeof type_names[0])

const char *latch_type_name(latch_type type) { return type_names[type]; }

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct reader {
    latch_arena *arena;
    latch_fault *fault;
} reader;

static bool read_value(reader *r, yyjson_val *json, int depth, latch_av *out);

/* JSON that has no AttributeValue's shape at all: DynamoDB doesn't get as far as validating it. */
static bool misshapen(reader *r, yyjson_val *json, const char *wanted) {
    static const char *const kinds[] = {"STRING_VALUE", "NUMBER_VALUE", "TRUE_VALUE", "FALSE_VALUE"};
    const char *name = "SerializationException";
    if (yyjson_is_arr(json)) return latch_fault_set(r->fault, r->arena, name, "Start of list found where not expected");
    if (yyjson_is_obj(json)) return latch_fault_set(r->fault, r->arena, name, "Start of structure or map found where not expected");
    const char *kind = yyjson_is_str(json) ? kinds[0] : yyjson_is_true(json) ? kinds[2] : yyjson_is_false(json) ? kinds[3] : kinds[1];
    return latch_fault_set(r->fault, r->arena, name, "%s cannot be converted to %s", kind, wanted);
}

/* The type a member's name stands for; -1 for any other name, which is passed over. */
static int type_of(const char *name, size_t len) {
    char first = name[0], second = len > 1 ? name[1] : '\0';
    if (len == 1)
        return first == 'S'   ? LATCH_TYPE_S
               : first == 'N' ? LATCH_TYPE_N
               : first == 'B' ? LATCH_TYPE_B
               : first == 'M' ? LATCH_TYPE_M
               : first == 'L' ? LATCH_TYPE_L
                              : -1;
    if (len == 2 && second == 'S') return first == 'S' ? LATCH_TYPE_SS : first == 'N' ? LATCH_TYPE_NS : first == 'B' ? LATCH_TYPE_BS : -1;
    if (len != 4) return -1;
    return memcmp(name, "BOOL", 4) == 0 ? (int)LATCH_TYPE_BOOL : memcmp(name, "NULL", 4) == 0 ? (int)LATCH_TYPE_NULL : -1;
}

static bool read_text(reader *r, yyjson_val *json, latch_av *out) {
    if (!yyjson_is_str(json)) return misshapen(r, json, "String");
    out->as.text = (latch_str){yyjson_get_str(json), yyjson_get_len(json)};
    return true;
}

static bool read_number(reader *r, yyjson_val *json, latch_av *out) {
    latch_number *n;
    if (!yyjson_is_str(json)) return misshapen(r, json, "String");
    if ((n = latch_arena_alloc(r->arena, sizeof *n)) == NULL) return latch_fault_full(r->fault);
    out->as.number = n;
    return latch_number_read((latch_str){yyjson_get_str(json), yyjson_get_len(json)}, n, r->arena, r->fault);
}

static bool read_binary(reader *r, yyjson_val *json, latch_av *out) {
    if (!yyjson_is_str(json)) return misshapen(r, json, "Blob");
    size_t len = yyjson_get_len(json), bytes;
    char *to = latch_arena_alloc(r->arena, len / 4 * 3);
    if (to == NULL) return latch_fault_full(r->fault);
    if (!latch_base64_read((latch_str){yyjson_get_str(json), len}, to, &bytes))
        return latch_fault_set(r->fault, r->arena, "SerializationException", "STRING_VALUE cannot be converted to Blob: it is not base64");
    out->as.text = (latch_str){to, bytes};
    return true;
}

static bool read_truth(reader *r, yyjson_val *json, latch_av *out) {
    if (!yyjson_is_bool(json)) return misshapen(r, json, "Boolean");
    out->as.truth = yyjson_get_bool(json);
    if (out->type == LATCH_TYPE_NULL && !out->as.truth)
        return latch_invalid(r->fault, r->arena, INVALID "Null attribute value types must have the value of true");
    return true;
}

static bool read_list(reader *r, yyjson_val *json, int depth, latch_av *out) {
    size_t i, max;
    yyjson_val *element;
    if (!yyjson_is_arr(json)) return misshapen(r, json, "List");
    out->as.list.count = yyjson_arr_size(json);
    out->as.list.values = latch_arena_alloc(r->arena, out->as.list.count * sizeof(latch_av));
    if (out->as.list.values == NULL) return latch_fault_full(r->fault);
    yyjson_arr_foreach(json, i, max, element) {
        if (!read_value(r, element, depth, &out->as.list.values[i])) return false;
    }
    return true;
}

/* ── sets ── */

static int order_of_bytes(latch_str a, latch_str b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int order_of(const latch_av *a, const latch_av *b) {
    return a->type == LATCH_TYPE_N ? latch_number_compare(a->as.number, b->as.number) : order_of_bytes(a->as.text, b->as.text);
}

static int order_for_sort(const void *a, const void *b) { return order_of(a, b); }

/* A set is kept in order, which makes equality linear. False: two are equal. */
static bool put_in_order(latch_av *values, size_t count) {
    bool ordered = true;
    for (size_t i = 1; i < count && ordered; i++)
        ordered = order_of(&values[i - 1], &values[i]) < 0;
    if (ordered) return true;
    qsort(values, count, sizeof *values, order_for_sort);
    for (size_t i = 1; i < count; i++)
        if (order_of(&values[i - 1], &values[i]) == 0) return false;
    return true;
}

/* "[a, b, a]": the set as it was sent. */
static latch_str listing(latch_arena *arena, yyjson_val *json) {
    size_t i, max, bytes = 2, at = 1;
    yyjson_val *element;
    yyjson_arr_foreach(json, i, max, element) bytes += yyjson_is_str(element) ? yyjson_get_len(element) + 2 : 6;
    char *text = latch_arena_alloc(arena, bytes);
    if (text == NULL) return (latch_str){NULL, 0};
    text[0] = '[';
    yyjson_arr_foreach(json, i, max, element) {
        const char *from = yyjson_is_str(element) ? yyjson_get_str(element) : "null";
        size_t len = yyjson_is_str(element) ? yyjson_get_len(element) : 4;
        if (i > 0) {
            memcpy(text + at, ", ", 2);
            at += 2;
        }
        memcpy(text + at, from, len);
        at += len;
    }
    text[at++] = ']';
    return (latch_str){text, at};
}

static bool has_duplicates(reader *r, latch_type type, yyjson_val *json) {
    if (type == LATCH_TYPE_NS) return latch_invalid(r->fault, r->arena, "Input collection contains duplicates");
    if (type == LATCH_TYPE_BS) return latch_invalid(r->fault, r->arena, INVALID "Input collection of type BS contains duplicates.");
    latch_str all = listing(r->arena, json);
    if (all.ptr == NULL) return latch_fault_full(r->fault);
    return latch_invalid(r->fault, r->arena, INVALID "Input collection %.*s contains duplicates", LATCH_ARG(all));
}

static bool null_member(reader *r, latch_type type) {
    if (type == LATCH_TYPE_SS) return latch_invalid(r->fault, r->arena, INVALID "An string set may not have a null string as a member");
    if (type == LATCH_TYPE_BS) return latch_invalid(r->fault, r->arena, NULL_VALUE);
    return latch_invalid(r->fault, r->arena, "A value provided cannot be converted into a number");
}

static bool empty_set(reader *r, latch_type type) {
    if (type == LATCH_TYPE_BS) return latch_invalid(r->fault, r->arena, INVALID "Binary sets should not be empty");
    return latch_invalid(r->fault, r->arena, INVALID "An %s set  may not be empty", type == LATCH_TYPE_SS ? "string" : "number");
}

static bool read_member(reader *r, yyjson_val *json, latch_type set, latch_av *out) {
    if (yyjson_is_null(json)) return null_member(r, set);
    out->type = set == LATCH_TYPE_SS ? LATCH_TYPE_S : set == LATCH_TYPE_NS ? LATCH_TYPE_N : LATCH_TYPE_B;
    return set == LATCH_TYPE_SS ? read_text(r, json, out) : set == LATCH_TYPE_NS ? read_number(r, json, out) : read_binary(r, json, out);
}

static bool read_set(reader *r, yyjson_val *json, latch_av *out) {
    size_t i, max, count = yyjson_arr_size(json);
    yyjson_val *element;
    if (!yyjson_is_arr(json)) return misshapen(r, json, "List");
    if (count == 0) return empty_set(r, out->type);
    out->as.list.count = count;
    out->as.list.values = latch_arena_alloc(r->arena, count * sizeof(latch_av));
    if (out->as.list.values == NULL) return latch_fault_full(r->fault);
    yyjson_arr_foreach(json, i, max, element) {
        if (!read_member(r, element, out->type, &out->as.list.values[i])) return false;
    }
    return put_in_order(out->as.list.values, count) ? true : has_duplicates(r, out->type, json);
}

/* ── maps ── */

static uint32_t hash_of(latch_str name) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.ptr[i]) * 16777619u;
    return h ^ h >> 15;
}

/* Where this name is already, or `item->count`. `slots` (a power of two, none where there are few) hold an index + 1 each. */
static size_t find_name(const latch_item *item, latch_str name, uint32_t *slots, size_t slot_count) {
    if (slot_count == 0) {
        size_t i = 0;
        while (i < item->count && !latch_str_eq(item->attributes[i].name, name))
            i++;
        return i;
    }
    size_t at = hash_of(name) & (slot_count - 1);
    while (slots[at] != 0 && !latch_str_eq(item->attributes[slots[at] - 1].name, name))
        at = (at + 1) & (slot_count - 1);
    if (slots[at] != 0) return slots[at] - 1;
    slots[at] = (uint32_t)item->count + 1;
    return item->count;
}

static bool make_slots(reader *r, size_t names, uint32_t **slots, size_t *slot_count) {
    *slots = NULL;
    *slot_count = 0;
    if (names <= FEW) return true;
    if (names > UINT32_MAX / 4) return latch_fault_full(r->fault);
    *slot_count = 2 * FEW;
    while (*slot_count < 2 * names)
        *slot_count *= 2;
    *slots = latch_arena_alloc(r->arena, *slot_count * sizeof **slots);
    if (*slots == NULL) return latch_fault_full(r->fault);
    memset(*slots, 0, *slot_count * sizeof **slots);
    return true;
}

static bool read_attribute(reader *r, latch_str name, yyjson_val *json, int depth, latch_av *out) {
    if (yyjson_is_null(json)) return latch_invalid(r->fault, r->arena, NULL_VALUE ": %.*s is null", LATCH_ARG(name));
    if (!read_value(r, json, depth, out)) return false;
    if (name.len == 0) return latch_invalid(r->fault, r->arena, "Empty attribute name");
    if (name.len > NAME_MAX_BYTES) return latch_invalid(r->fault, r->arena, "Attribute name is too large, must be less than 65536 bytes");
    return true;
}

/* A name that comes twice has its last value, as JSON readers have it, DynamoDB's among them. */
static bool read_map(reader *r, yyjson_val *json, int depth, latch_item *out) {
    size_t i, max, slot_count, names = yyjson_obj_size(json);
    uint32_t *slots;
    yyjson_val *key, *value;
    *out = (latch_item){0};
    if (!yyjson_is_obj(json)) return misshapen(r, json, "Map");
    out->attributes = latch_arena_alloc(r->arena, names * sizeof(latch_attribute));
    if (out->attributes == NULL) return latch_fault_full(r->fault);
    if (!make_slots(r, names, &slots, &slot_count)) return false;
    yyjson_obj_foreach(json, i, max, key, value) {
        latch_str name = {yyjson_get_str(key), yyjson_get_len(key)};
        size_t at = find_name(out, name, slots, slot_count);
        out->attributes[at].name = name;
        if (!read_attribute(r, name, value, depth, &out->attributes[at].value)) return false;
        out->count += at == out->count;
    }
    return true;
}

/* ── one value ── */

static bool read_typed(reader *r, yyjson_val *json, latch_type type, int depth, latch_av *out) {
    out->type = type;
    switch (type) {
    case LATCH_TYPE_S:
        return read_text(r, json, out);
    case LATCH_TYPE_N:
        return read_number(r, json, out);
    case LATCH_TYPE_B:
        return read_binary(r, json, out);
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        return read_truth(r, json, out);
    case LATCH_TYPE_M:
    case LATCH_TYPE_L:
        if (depth >= LATCH_NESTING_MAX) return latch_invalid(r->fault, r->arena, TOO_DEEP);
        return type == LATCH_TYPE_M ? read_map(r, json, depth + 1, &out->as.map) : read_list(r, json, depth + 1, out);
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        break;
    }
    return read_set(r, json, out);
}

/* Each type is checked by itself before their number is, sets first. */
static bool many_types(reader *r, yyjson_val *const members[TYPE_COUNT], int depth) {
    static const latch_type order[] = {LATCH_TYPE_SS,   LATCH_TYPE_NS, LATCH_TYPE_BS, LATCH_TYPE_M, LATCH_TYPE_L,
                                       LATCH_TYPE_NULL, LATCH_TYPE_N,  LATCH_TYPE_S,  LATCH_TYPE_B, LATCH_TYPE_BOOL};
    latch_av unused;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (members[order[i]] != NULL && !read_typed(r, members[order[i]], order[i], depth, &unused)) return false;
    return latch_invalid(r->fault, r->arena, MANY_TYPES);
}

/* `depth`: the maps and lists around it, an item counting as one. A member of null counts as absent. */
static bool read_value(reader *r, yyjson_val *json, int depth, latch_av *out) {
    size_t i, max, count = 0;
    yyjson_val *key, *value, *members[TYPE_COUNT] = {NULL};
    int only = -1;
    if (json == NULL || yyjson_is_null(json)) return latch_invalid(r->fault, r->arena, NULL_VALUE);
    if (!yyjson_is_obj(json)) return misshapen(r, json, "AttributeValue");
    yyjson_obj_foreach(json, i, max, key, value) {
        int type = type_of(yyjson_get_str(key), yyjson_get_len(key));
        if (type >= 0) members[only = type] = yyjson_is_null(value) ? NULL : value;
    }
    if (only >= 0 && max == 1 && members[only] != NULL) return read_typed(r, members[only], (latch_type)only, depth, out);
    for (i = 0; i < TYPE_COUNT; i++) {
        if (members[i] == NULL) continue;
        only = (int)i;
        count++;
    }
    if (count == 0) return latch_invalid(r->fault, r->arena, EMPTY_VALUE);
    return count == 1 ? read_typed(r, members[only], (latch_type)only, depth, out) : many_types(r, members, depth);
}

bool latch_av_read(yyjson_val *json, latch_av *out, latch_arena *arena, latch_fault *fault) {
    reader r = {arena, fault};
    return read_value(&r, json, 0, out);
}

bool latch_item_read(yyjson_val *json, latch_item *out, latch_arena *arena, latch_fault *fault) {
    reader r = {arena, fault};
    return read_map(&r, json, 1, out);
}

/* ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static yyjson_mut_val *write_text(yyjson_mut_doc *doc, latch_str text) {
    return yyjson_mut_strn(doc, text.len > 0 ? text.ptr : "", text.len);
}

static yyjson_mut_val *write_number(yyjson_mut_doc *doc, const latch_number *n) {
    char text[LATCH_NUMBER_TEXT_MAX];
    return yyjson_mut_strncpy(doc, text, latch_number_write(n, text));
}

static yyjson_mut_val *write_binary(yyjson_mut_doc *doc, latch_str bytes) {
    size_t len = latch_base64_bytes(bytes.len);
    char *text = unsafe_yyjson_mut_str_alc(doc, len);
    if (text == NULL) return NULL;
    latch_base64_write(bytes, text);
    text[len] = '\0';
    return yyjson_mut_strn(doc, text, len);
}

static yyjson_mut_val *write_member(yyjson_mut_doc *doc, const latch_av *v) {
    return v->type == LATCH_TYPE_S   ? write_text(doc, v->as.text)
           : v->type == LATCH_TYPE_N ? write_number(doc, v->as.number)
                                     : write_binary(doc, v->as.text);
}

/* A list has values, a set the members' texts alone. */
static yyjson_mut_val *write_list(yyjson_mut_doc *doc, const latch_av *v) {
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    for (size_t i = 0; i < v->as.list.count; i++) {
        const latch_av *element = &v->as.list.values[i];
        if (!yyjson_mut_arr_append(list, v->type == LATCH_TYPE_L ? latch_av_write(doc, element) : write_member(doc, element))) return NULL;
    }
    return list;
}

yyjson_mut_val *latch_av_write(yyjson_mut_doc *doc, const latch_av *v) {
    yyjson_mut_val *wrapped = yyjson_mut_obj(doc), *value = NULL;
    switch (v->type) {
    case LATCH_TYPE_S:
    case LATCH_TYPE_N:
    case LATCH_TYPE_B:
        value = write_member(doc, v);
        break;
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        value = yyjson_mut_bool(doc, v->as.truth);
        break;
    case LATCH_TYPE_M:
        value = latch_item_write(doc, &v->as.map);
        break;
    case LATCH_TYPE_L:
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        value = write_list(doc, v);
        break;
    }
    return yyjson_mut_obj_add(wrapped, yyjson_mut_str(doc, type_names[v->type]), value) ? wrapped : NULL;
}

yyjson_mut_val *latch_item_write(yyjson_mut_doc *doc, const latch_item *item) {
    yyjson_mut_val *map = yyjson_mut_obj(doc);
    for (size_t i = 0; i < item->count; i++) {
        const latch_attribute *a = &item->attributes[i];
        if (!yyjson_mut_obj_add(map, write_text(doc, a->name), latch_av_write(doc, &a->value))) return NULL;
    }
    return map;
}

/* ── comparing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

const latch_av *latch_item_get(const latch_item *item, latch_str name) {
    for (size_t i = 0; i < item->count; i++)
        if (latch_str_eq(item->attributes[i].name, name)) return &item->attributes[i].value;
    return NULL;
}

static bool lists_equal(const latch_av *a, const latch_av *b) {
    if (a->as.list.count != b->as.list.count) return false;
    for (size_t i = 0; i < a->as.list.count; i++)
        if (!latch_av_equal(&a->as.list.values[i], &b->as.list.values[i])) return false;
    return true;
}

/* Two maps mostly have their names in the same order: the search goes on where the last one ended. */
static bool maps_equal(const latch_item *a, const latch_item *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0, at = 0; i < a->count; i++) {
        size_t tried = 0;
        while (tried < b->count && !latch_str_eq(a->attributes[i].name, b->attributes[at].name)) {
            at = at + 1 < b->count ? at + 1 : 0;
            tried++;
        }
        if (tried == b->count || !latch_av_equal(&a->attributes[i].value, &b->attributes[at].value)) return false;
        at = at + 1 < b->count ? at + 1 : 0;
    }
    return true;
}

bool latch_av_equal(const latch_av *a, const latch_av *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case LATCH_TYPE_S:
    case LATCH_TYPE_B:
        return latch_str_eq(a->as.text, b->as.text);
    case LATCH_TYPE_N:
        return latch_number_compare(a->as.number, b->as.number) == 0;
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        return a->as.truth == b->as.truth;
    case LATCH_TYPE_M:
        return maps_equal(&a->as.map, &b->as.map);
    case LATCH_TYPE_L:
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        break;
    }
    return lists_equal(a, b);
}

int latch_av_compare(const latch_av *a, const latch_av *b, bool *comparable) {
    *comparable = a->type == b->type && a->type <= LATCH_TYPE_B;
    return *comparable ? order_of(a, b) : 0;
}

bool latch_av_begins_with(const latch_av *v, const latch_av *with) {
    if (v->type != with->type || (v->type != LATCH_TYPE_S && v->type != LATCH_TYPE_B)) return false;
    latch_str a = v->as.text, b = with->as.text;
    return b.len <= a.len && (b.len == 0 || memcmp(a.ptr, b.ptr, b.len) == 0);
}

/* ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define CONTAINER_BYTES 3 /* of a map or list, and one more for each element; measured on DynamoDB Local */

static size_t list_bytes(const latch_av *v) {
    size_t each = v->type == LATCH_TYPE_L, bytes = each > 0 ? CONTAINER_BYTES : 0;
    for (size_t i = 0; i < v->as.list.count; i++)
        bytes += latch_av_bytes(&v->as.list.values[i]) + each;
    return bytes;
}

size_t latch_av_bytes(const latch_av *v) {
    switch (v->type) {
    case LATCH_TYPE_S:
    case LATCH_TYPE_B:
        return v->as.text.len;
    case LATCH_TYPE_N:
        return latch_decimal_bytes(v->as.number);
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        return 1;
    case LATCH_TYPE_M:
        return CONTAINER_BYTES + v->as.map.count + latch_item_bytes(&v->as.map);
    case LATCH_TYPE_L:
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        break;
    }
    return list_bytes(v);
}

size_t latch_item_bytes(const latch_item *item) {
    size_t bytes = 0;
    for (size_t i = 0; i < item->count; i++)
        bytes += item->attributes[i].name.len + latch_av_bytes(&item->attributes[i].value);
    return bytes;
}

/* ── packing ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * A block is three runs, of falling alignment, so that nothing is lost between them: structs, numbers, text. `base` NULL: only counted.
 */
typedef struct packer {
    char *structs, *numbers, *text;
    size_t struct_bytes, number_bytes, text_bytes;
} packer;

static void pack_value(packer *p, const latch_av *from, latch_av *to);

static void *pack_structs(packer *p, size_t bytes) {
    char *at = p->structs != NULL ? p->structs + p->struct_bytes : NULL;
    p->struct_bytes += bytes;
    return at;
}

static latch_str pack_text(packer *p, latch_str from) {
    latch_str to = {NULL, from.len};
    if (p->text != NULL) {
        char *at = p->text + p->text_bytes;
        if (from.len > 0) memcpy(at, from.ptr, from.len);
        to.ptr = at;
    }
    p->text_bytes += from.len;
    return to;
}

static const latch_number *pack_number(packer *p, const latch_number *from) {
    char *at = p->numbers != NULL ? p->numbers + p->number_bytes : NULL;
    if (at != NULL) memcpy(at, from, sizeof *from);
    p->number_bytes += sizeof *from;
    return (const latch_number *)(const void *)at;
}

static latch_item pack_item(packer *p, const latch_item *from) {
    latch_item to = {pack_structs(p, from->count * sizeof(latch_attribute)), from->count};
    for (size_t i = 0; i < from->count; i++) {
        latch_str name = pack_text(p, from->attributes[i].name);
        if (to.attributes != NULL) to.attributes[i].name = name;
        pack_value(p, &from->attributes[i].value, to.attributes != NULL ? &to.attributes[i].value : NULL);
    }
    return to;
}

static void pack_list(packer *p, const latch_av *from, latch_av *to) {
    size_t count = from->as.list.count;
    latch_av *values = pack_structs(p, count * sizeof(latch_av));
    for (size_t i = 0; i < count; i++)
        pack_value(p, &from->as.list.values[i], values != NULL ? &values[i] : NULL);
    to->as.list.values = values;
    to->as.list.count = count;
}

/* `to` NULL: only counted. */
static void pack_value(packer *p, const latch_av *from, latch_av *to) {
    latch_av copy = *from;
    switch (from->type) {
    case LATCH_TYPE_S:
    case LATCH_TYPE_B:
        copy.as.text = pack_text(p, from->as.text);
        break;
    case LATCH_TYPE_N:
        copy.as.number = pack_number(p, from->as.number);
        break;
    case LATCH_TYPE_BOOL:
    case LATCH_TYPE_NULL:
        break;
    case LATCH_TYPE_M:
        copy.as.map = pack_item(p, &from->as.map);
        break;
    case LATCH_TYPE_L:
    case LATCH_TYPE_SS:
    case LATCH_TYPE_NS:
    case LATCH_TYPE_BS:
        pack_list(p, from, &copy);
        break;
    }
    if (to != NULL) *to = copy;
}

size_t latch_item_pack_bytes(const latch_item *item) {
    packer p = {0};
    (void)pack_item(&p, item);
    return p.struct_bytes + p.number_bytes + p.text_bytes;
}

latch_item latch_item_pack(const latch_item *item, void *block) {
    packer count = {0}, p = {0};
    (void)pack_item(&count, item);
    p.structs = block;
    p.numbers = p.structs + count.struct_bytes;
    p.text = p.numbers + count.number_bytes;
    return pack_item(&p, item);
}

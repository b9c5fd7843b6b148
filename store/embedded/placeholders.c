#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "store/embedded/parser.h"

#define FEW 16 /* looked up one by one; more are kept sorted and looked up by halves */
#define KEY_MAX 255
#define NAME_MAX_BYTES 65535
#define NAMES "ExpressionAttributeNames"
#define VALUES "ExpressionAttributeValues"

/* Entries of either kind: each begins with its head. */
typedef struct list {
    char *entries;
    size_t count, entry_bytes;
} list;

static list names_of(const latch_placeholders *p) { return (list){(char *)p->names, p->name_count, sizeof *p->names}; }
static list values_of(const latch_placeholders *p) { return (list){(char *)p->values, p->value_count, sizeof *p->values}; }
static latch_placeholder_head *head_at(list l, size_t i) { return (latch_placeholder_head *)(void *)(l.entries + i * l.entry_bytes); }

/* ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

static bool check_key(latch_str key, char mark, const char *kind, latch_arena *arena, latch_fault *fault) {
    if (key.len == 0)
        return latch_invalid(fault, arena, "%s contains invalid key: The expression attribute map contains an empty key;", kind);
    if (key.len > KEY_MAX && mark == '#')
        return latch_invalid(fault, arena,
                             "%s contains invalid key: The expression attribute map contains a key that is too long; size of key: %zu",
                             kind, key.len);
    if (key.len > KEY_MAX) /* of a value, it isn't told */
        return latch_invalid(fault, arena, "%s contains invalid key: The expression attribute map contains a key that is too long;", kind);
    bool ok = key.ptr[0] == mark && key.len > 1;
    for (size_t i = 1; i < key.len && ok; i++)
        ok = is_word(key.ptr[i]);
    return ok || latch_invalid(fault, arena, "%s contains invalid key: Syntax error; key: \"%.*s\"", kind, LATCH_ARG(key));
}

/* An object that isn't empty, and good keys. */
static bool check_keys(yyjson_val *json, char mark, const char *kind, latch_arena *arena, latch_fault *fault) {
    size_t i, max;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(json)) return latch_fault_set(fault, arena, "SerializationException", "%s: not a map", kind);
    if (yyjson_obj_size(json) == 0) return latch_invalid(fault, arena, "%s must not be empty", kind);
    yyjson_obj_foreach(json, i, max, key, value) {
        if (!check_key((latch_str){yyjson_get_str(key), yyjson_get_len(key)}, mark, kind, arena, fault)) return false;
    }
    return true;
}

/* By length, then bytes. */
static int order_of_keys(latch_str a, latch_str b) {
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return memcmp(a.ptr, b.ptr, a.len);
}

static int order_of_heads(const void *a, const void *b) {
    const latch_placeholder_head *x = a, *y = b;
    int order = order_of_keys(x->key, y->key);
    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

static latch_placeholder_head *find(list l, latch_str key) {
    size_t low = 0, high = l.count;
    while (l.count <= FEW && low < high) {
        if (latch_str_eq(head_at(l, low)->key, key)) return head_at(l, low);
        low++;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = order_of_keys(head_at(l, middle)->key, key);
        if (order == 0) return head_at(l, middle);
        if (order < 0) low = middle + 1;
        if (order > 0) high = middle;
    }
    return NULL;
}

/* A key that comes twice has its last value, as JSON readers have it. What is left of the entries, in order where they are many. */
static size_t settle(list l) {
    size_t kept = 0;
    if (l.count > FEW) qsort(l.entries, l.count, l.entry_bytes, order_of_heads);
    for (size_t i = 0; i < l.count; i++) {
        bool last = true;
        size_t end = l.count > FEW ? i + 2 : l.count; /* sorted, a twin is the neighbour */
        for (size_t k = i + 1; k < end && k < l.count && last; k++)
            last = !latch_str_eq(head_at(l, i)->key, head_at(l, k)->key);
        if (last && kept++ != i) memcpy(head_at(l, kept - 1), head_at(l, i), l.entry_bytes);
    }
    return kept;
}

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_name(yyjson_val *json, struct latch_placeholder_name *e, latch_arena *arena, latch_fault *fault) {
    latch_str key = e->head.key;
    if (yyjson_is_null(json)) return latch_invalid(fault, arena, NAMES " contains invalid value: null for key %.*s", LATCH_ARG(key));
    if (!yyjson_is_str(json)) return latch_fault_set(fault, arena, "SerializationException", NAMES ": a name is no string");
    e->name = (latch_str){yyjson_get_str(json), yyjson_get_len(json)};
    if (e->name.len == 0)
        return latch_invalid(fault, arena, NAMES " contains invalid value: Empty attribute name for key %.*s", LATCH_ARG(key));
    if (e->name.len > NAME_MAX_BYTES)
        return latch_invalid(fault, arena,
                             NAMES " contains invalid value: Attribute name is too large, must be less than 65536 bytes for key %.*s",
                             LATCH_ARG(key));
    return true;
}

static bool read_value(yyjson_val *json, struct latch_placeholder_value *e, latch_arena *arena, latch_fault *fault) {
    latch_fault inner = {0};
    e->json = json;
    if (latch_av_read(json, &e->value, arena, &inner)) return true;
    if (strcmp(inner.name, "ValidationException") == 0)
        return latch_invalid(fault, arena, VALUES " contains invalid value: %.*s for key %.*s", LATCH_ARG(inner.message),
                             LATCH_ARG(e->head.key));
    if (fault->name == NULL) *fault = inner;
    return false;
}

static latch_placeholder_head head_of(yyjson_val *key, size_t order) {
    return (latch_placeholder_head){.key = {yyjson_get_str(key), yyjson_get_len(key)}, .order = (uint32_t)order};
}

static bool read_names(yyjson_val *json, latch_placeholders *p, latch_fault *fault) {
    size_t i, max;
    yyjson_val *key, *value;
    if (!check_keys(json, '#', NAMES, p->arena, fault)) return false;
    p->name_count = yyjson_obj_size(json);
    if ((p->names = latch_arena_alloc(p->arena, p->name_count * sizeof *p->names)) == NULL) return latch_fault_full(fault);
    yyjson_obj_foreach(json, i, max, key, value) {
        p->names[i] = (struct latch_placeholder_name){.head = head_of(key, i)};
        if (!read_name(value, &p->names[i], p->arena, fault)) return false;
    }
    p->name_count = settle(names_of(p));
    return true;
}

static bool read_values(yyjson_val *json, latch_placeholders *p, latch_fault *fault) {
    size_t i, max;
    yyjson_val *key, *value;
    if (!check_keys(json, ':', VALUES, p->arena, fault)) return false;
    p->value_count = yyjson_obj_size(json);
    if ((p->values = latch_arena_alloc(p->arena, p->value_count * sizeof *p->values)) == NULL) return latch_fault_full(fault);
    yyjson_obj_foreach(json, i, max, key, value) {
        p->values[i] = (struct latch_placeholder_value){.head = head_of(key, i)};
        if (!read_value(value, &p->values[i], p->arena, fault)) return false;
    }
    p->value_count = settle(values_of(p));
    return true;
}

bool latch_placeholders_read(yyjson_val *names, yyjson_val *values, latch_placeholders *out, latch_arena *arena, latch_fault *fault) {
    *out = (latch_placeholders){.arena = arena};
    out->given_names = names != NULL && !yyjson_is_null(names);
    out->given_values = values != NULL && !yyjson_is_null(values);
    if (out->given_names && !read_names(names, out, fault)) return false;
    return !out->given_values || read_values(values, out, fault);
}

const struct latch_placeholder_name *latch_placeholders_name(latch_placeholders *p, latch_str key) {
    latch_placeholder_head *head = find(names_of(p), key);
    if (head != NULL) head->used = true;
    return (const struct latch_placeholder_name *)(const void *)head;
}

const struct latch_placeholder_value *latch_placeholders_value(latch_placeholders *p, latch_str key) {
    latch_placeholder_head *head = find(values_of(p), key);
    if (head != NULL) head->used = true;
    return (const struct latch_placeholder_value *)(const void *)head;
}

/* ── unused ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct unused {
    latch_str key;
    uint32_t bucket, order;
} unused;

/* DynamoDB is written in Java and lists keys as a hash set of all keys has them: by bucket, then as they came. */
static uint32_t bucket_of(latch_str key, size_t count) {
    uint32_t h = 0, buckets = 16;
    for (size_t i = 0; i < key.len; i++)
        h = h * 31 + (unsigned char)key.ptr[i];
    while (buckets < count * 4 / 3 + 1)
        buckets *= 2;
    return (h ^ h >> 16) & (buckets - 1);
}

static int order_of_unused(const void *a, const void *b) {
    const unused *x = a, *y = b;
    if (x->bucket != y->bucket) return x->bucket < y->bucket ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* "{:a, :b}" */
static bool complain(const unused *found, size_t count, const char *kind, latch_arena *arena, latch_fault *fault) {
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        bytes += found[i].key.len + 2;
    char *text = latch_arena_alloc(arena, bytes);
    if (text == NULL) return latch_fault_full(fault);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + at, found[i].key.ptr, found[i].key.len);
        at += found[i].key.len;
        memcpy(text + at, ", ", 2);
        at += 2;
    }
    return latch_invalid(fault, arena, "Value provided in %s unused in expressions: keys: {%.*s}", kind, (int)(at - 2), text);
}

static bool all_used(list l, const char *kind, latch_arena *arena, latch_fault *fault) {
    size_t count = 0;
    for (size_t i = 0; i < l.count; i++)
        count += !head_at(l, i)->used;
    if (count == 0) return true;
    unused *found = latch_arena_alloc(arena, count * sizeof *found), *end = found;
    if (found == NULL) return latch_fault_full(fault);
    for (size_t i = 0; i < l.count; i++) {
        const latch_placeholder_head *h = head_at(l, i);
        if (!h->used) *end++ = (unused){h->key, bucket_of(h->key, l.count), h->order};
    }
    qsort(found, count, sizeof *found, order_of_unused);
    return complain(found, count, kind, arena, fault);
}

bool latch_placeholders_all_used(const latch_placeholders *p, latch_fault *fault) {
    return all_used(names_of(p), NAMES, p->arena, fault) && all_used(values_of(p), VALUES, p->arena, fault);
}

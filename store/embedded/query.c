/* Query and Scan: a page of one order, from a place in it on. */
#include <stdio.h>
#include <string.h>

#include "core/err.h"
#include "store/embedded/hash.h"
#include "store/embedded/inside.h"

#define PAGE_BYTES ((size_t)1 << 20)
#define SEGMENTS_MAX 1000000

typedef enum selection { SELECT_DEFAULT, SELECT_ALL, SELECT_PROJECTED, SELECT_SPECIFIC, SELECT_COUNT } selection;

typedef struct page {
    latch_memtable *table;
    const latch_index_schema *index; /* NULL: the table's own order */
    const latch_keys *keys;          /* of that order */
    bool is_query, consistent, backward, started;
    size_t limit;
    selection select;
    latch_expressions x;
    latch_item start_key;
    latch_position start;     /* where the page before ended */
    uint64_t hash, last_hash; /* Query: the partition's; Scan: the segment's first and last */
    latch_stored **items;     /* examined */
    size_t count, room, bytes;
    bool more; /* it ended before the order did */
} page;

/* ── the range ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int compare_values(const latch_av *a, const latch_av *b) {
    bool comparable;
    return latch_av_compare(a, b, &comparable);
}

static int place_by_prefix(const latch_av *v, latch_str prefix) {
    latch_str s = v->as.text;
    size_t len = s.len < prefix.len ? s.len : prefix.len;
    int order = len > 0 ? memcmp(s.ptr, prefix.ptr, len) : 0;
    if (order != 0) return order;
    return s.len < prefix.len ? -1 : 0;
}

/* Where a sort key lies: before the condition's range, in it, or after. */
static int place_sort(const latch_key_condition *c, const latch_av *v) {
    int low = c->op == LATCH_KEY_ANY || c->op == LATCH_KEY_BEGINS_WITH ? 0 : compare_values(v, &c->low);
    switch (c->op) {
    case LATCH_KEY_ANY:
        return 0;
    case LATCH_KEY_EQ:
        return low;
    case LATCH_KEY_LT:
        return low < 0 ? 0 : 1;
    case LATCH_KEY_LE:
        return low <= 0 ? 0 : 1;
    case LATCH_KEY_GT:
        return low > 0 ? 0 : -1;
    case LATCH_KEY_GE:
        return low >= 0 ? 0 : -1;
    case LATCH_KEY_BETWEEN:
        if (low < 0) return -1;
        return compare_values(v, &c->high) > 0 ? 1 : 0;
    case LATCH_KEY_BEGINS_WITH:
        break;
    }
    return place_by_prefix(v, c->low.as.text);
}

static int place_in_partition(const page *p, const latch_treap_node *node) {
    if (node->hash != p->hash) return node->hash < p->hash ? -1 : 1;
    const latch_av *sort = latch_node_sort(node);
    return sort != NULL ? place_sort(&p->x.key_condition, sort) : 0;
}

/* What the pages before have had lies outside. */
static int place_in_query(const void *range, const latch_treap_node *node) {
    const page *p = range;
    int place = place_in_partition(p, node);
    if (place != 0 || !p->started) return place;
    int order = latch_position_compare(node, &p->start);
    if (p->backward) return order >= 0 ? 1 : 0;
    return order <= 0 ? -1 : 0;
}

/* ── collecting, under the lock ────────────────────────────────────────────────────────────────────────────────────── */

static bool make_room(latch_op *op, page *p) {
    if (p->count < p->room) return true;
    size_t room = p->room == 0 ? 64 : 2 * p->room;
    latch_stored **items = latch_arena_alloc(op->arena, room * sizeof(latch_stored *));
    if (items == NULL) return latch_op_full(op);
    if (p->count > 0) memcpy(items, p->items, p->count * sizeof(latch_stored *));
    p->items = items;
    p->room = room;
    return true;
}

/* Partitions of one hash lie mixed. */
static bool is_anothers(const page *p, const latch_treap_node *node) {
    return p->is_query && compare_values(latch_node_partition(node), &p->x.key_condition.hash) != 0;
}

/* A page ends with the item that fills it: at least one is always had. */
static bool take(latch_op *op, page *p, latch_treap_node *node) {
    latch_stored *stored = latch_stored_of(node);
    if (is_anothers(p, node)) return true;
    if (!make_room(op, p) || !latch_op_hold(op, stored)) return false;
    p->items[p->count++] = stored;
    p->bytes += latch_projected_bytes(p->table, p->index, stored);
    p->more = p->count == p->limit || p->bytes >= PAGE_BYTES;
    return true;
}

static bool collect_query(latch_op *op, page *p, const latch_index *index) {
    latch_treap_node *root = *latch_index_bucket(index, p->hash);
    latch_treap_node *node = p->backward ? latch_treap_last(root, place_in_query, p) : latch_treap_first(root, place_in_query, p);
    while (node != NULL && place_in_query(p, node) == 0 && !p->more) {
        if (!take(op, p, node)) return false;
        node = p->backward ? latch_treap_previous(node) : latch_treap_next(node);
    }
    return true;
}

static bool collect_scan(latch_op *op, page *p, const latch_index *index) {
    bool inside = p->started && p->start.hash >= p->hash;
    latch_treap_node *node = inside ? latch_index_after(index, &p->start) : latch_index_from(index, p->hash);
    while (node != NULL && node->hash <= p->last_hash && !p->more) {
        if (!take(op, p, node)) return false;
        node = latch_index_next(index, node);
    }
    return true;
}

/* Of a local index, unlike of a global one, a consistent read is one. */
static bool collect(latch_op *op, page *p) {
    if (!latch_op_lock(op, p->table)) return false;
    const latch_index *index = latch_memtable_index(p->table, p->index, p->consistent);
    bool ok = p->is_query ? collect_query(op, p, index) : collect_scan(op, p, index);
    latch_op_unlock(op);
    return ok;
}

/* ── what is asked for ─────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_index(latch_op *op, page *p) {
    latch_str name = latch_member_text(op->request, "IndexName");
    p->keys = &p->table->schema.keys;
    p->consistent = latch_member_true(op->request, "ConsistentRead");
    if (name.ptr == NULL) return true;
    p->index = latch_schema_index(&p->table->schema, name);
    if (p->index == NULL)
        return latch_invalid(&op->fault, op->arena, "The table does not have the specified index: %.*s", (int)name.len, name.ptr);
    p->keys = &p->index->keys;
    if (!p->index->global || !p->consistent) return true;
    return latch_invalid(&op->fault, op->arena, "Consistent read cannot be true when %s a GSI", p->is_query ? "querying" : "scanning");
}

static bool read_limit(latch_op *op, page *p) {
    yyjson_val *limit = latch_member(op->request, "Limit");
    p->limit = limit != NULL ? (size_t)yyjson_get_uint(limit) : SIZE_MAX;
    if (limit == NULL || yyjson_get_sint(limit) >= 1) return true;
    return latch_invalid(&op->fault, op->arena, "Limit must be greater than or equal to 1");
}

static bool name_selection(latch_op *op, selection *out) {
    static const char *const names[] = {NULL, "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"};
    latch_str text = latch_member_text(op->request, "Select");
    *out = SELECT_DEFAULT;
    if (text.ptr == NULL) return true;
    for (int i = SELECT_ALL; i <= SELECT_COUNT; i++) {
        *out = (selection)i;
        if (latch_str_eq(text, latch_str_of(names[i]))) return true;
    }
    return latch_invalid(&op->fault, op->arena, "Select must be ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, COUNT, or SPECIFIC_ATTRIBUTES");
}

static bool read_selection(latch_op *op, page *p) {
    bool projects = latch_member(op->request, "ProjectionExpression") != NULL;
    if (!name_selection(op, &p->select)) return false;
    if (p->select == SELECT_SPECIFIC && !projects)
        return latch_invalid(&op->fault, op->arena,
                             "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
    if (p->select == SELECT_COUNT && projects)
        return latch_invalid(&op->fault, op->arena, "Cannot specify the ProjectionExpression when choosing to get only the Count");
    if (p->select == SELECT_ALL && projects)
        return latch_invalid(&op->fault, op->arena, "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES");
    if (p->select == SELECT_PROJECTED && projects)
        return latch_invalid(&op->fault, op->arena,
                             "Cannot specify the ProjectionExpression when choosing to get ALL_PROJECTED_ATTRIBUTES");
    if (p->select == SELECT_PROJECTED && p->index == NULL)
        return latch_invalid(&op->fault, op->arena, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
    if (p->select != SELECT_ALL || p->index == NULL || !p->index->global || p->index->projected == LATCH_PROJECTED_ALL) return true;
    return latch_invalid(
        &op->fault, op->arena,
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index "
        "%.*s because its projection type is not ALL",
        (int)p->index->name.len, p->index->name.ptr);
}

/* ── the key condition ─────────────────────────────────────────────────────────────────────────────────────────────── */

static bool check_value(latch_op *op, const page *p, const latch_av *v, latch_str name, latch_type type) {
    if (v->type != type)
        return latch_invalid(&op->fault, op->arena,
                             "One or more parameter values were invalid: Condition parameter type does not match schema type");
    if (type == LATCH_TYPE_N || v->as.text.len > 0) return true;
    const char *kind = type == LATCH_TYPE_S ? "string" : "binary";
    if (p->index == NULL)
        return latch_invalid(
            &op->fault, op->arena,
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s "
            "value. Key: %.*s",
            kind, (int)name.len, name.ptr);
    return latch_invalid(&op->fault, op->arena,
                         "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The "
                         "AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %.*s, IndexKey: %.*s",
                         kind, (int)p->index->name.len, p->index->name.ptr, (int)name.len, name.ptr);
}

static size_t text_bytes(const latch_av *v) { return v->type == LATCH_TYPE_N ? 0 : v->as.text.len; }

static bool check_key_condition(latch_op *op, const page *p) {
    const latch_key_condition *c = &p->x.key_condition;
    const latch_keys *keys = p->keys;
    bool two = c->op == LATCH_KEY_BETWEEN;
    if (!check_value(op, p, &c->hash, keys->partition, keys->partition_type)) return false;
    if (c->op != LATCH_KEY_ANY && !check_value(op, p, &c->low, keys->sort, keys->sort_type)) return false;
    if (two && !check_value(op, p, &c->high, keys->sort, keys->sort_type)) return false;
    if (c->op == LATCH_KEY_ANY || (text_bytes(&c->low) <= LATCH_SORT_KEY_MAX && (!two || text_bytes(&c->high) <= LATCH_SORT_KEY_MAX)))
        return true;
    return latch_invalid(&op->fault, op->arena,
                         "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 "
                         "bytes");
}

/* Behind every other fault of a query: DynamoDB Local lets it pass, and finds nothing. */
static bool check_partition_size(latch_op *op, const page *p) {
    if (text_bytes(&p->x.key_condition.hash) <= LATCH_PARTITION_KEY_MAX) return true;
    return latch_invalid(&op->fault, op->arena,
                         "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes");
}

/* A query's filter looks at what the key condition can't. */
static bool check_filter(latch_op *op, const page *p) {
    const latch_str names[] = {p->keys->partition, p->keys->sort};
    for (size_t i = 0; p->is_query && p->x.filter != NULL && i < 2; i++)
        if (names[i].len > 0 && latch_condition_names(p->x.filter, names[i]))
            return latch_invalid(&op->fault, op->arena,
                                 "Filter Expression can only contain non-primary key attributes: Primary key attribute: %.*s",
                                 (int)names[i].len, names[i].ptr);
    return true;
}

/* ── what an index has ─────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct names { /* sorted, no two equal */
    latch_str *of;
    size_t count;
} names;

static void add_name(names *all, latch_str name) {
    size_t at = all->count;
    while (at > 0 && latch_name_order(name, all->of[at - 1]) < 0)
        at--;
    if (at > 0 && latch_str_eq(name, all->of[at - 1])) return;
    memmove(&all->of[at + 1], &all->of[at], (all->count - at) * sizeof *all->of);
    all->of[at] = name;
    all->count++;
}

static bool nth_name(const page *p, bool of_filter, size_t i, latch_str *out) {
    if (of_filter) return p->x.filter != NULL && latch_condition_attribute(p->x.filter, i, out);
    return p->x.projection != NULL && latch_projection_attribute(p->x.projection, i, out);
}

/* "[a, b]": what it names and the index doesn't project; ptr NULL: nothing, or the arena is full, with a fault. */
static latch_str not_projected(latch_op *op, const page *p, bool of_filter) {
    names missing = {0};
    latch_str name;
    size_t room = 0, len = 0, bytes = 3;
    while (nth_name(p, of_filter, room, &name))
        room++;
    missing.of = latch_arena_alloc(op->arena, (room + 1) * sizeof *missing.of);
    for (size_t i = 0; missing.of != NULL && i < room; i++)
        if (nth_name(p, of_filter, i, &name) && !latch_schema_projects(&p->table->schema, p->index, name)) add_name(&missing, name);
    for (size_t i = 0; i < missing.count; i++)
        bytes += missing.of[i].len + 2;
    char *text = missing.of != NULL ? latch_arena_alloc(op->arena, bytes) : NULL;
    if (text == NULL) (void)latch_op_full(op);
    if (text == NULL || missing.count == 0) return (latch_str){NULL, 0};
    for (size_t i = 0; i < missing.count; i++) {
        len += (size_t)snprintf(text + len, bytes - len, "%s", i == 0 ? "[" : ", ");
        memcpy(text + len, missing.of[i].ptr, missing.of[i].len);
        len += missing.of[i].len;
    }
    text[len++] = ']';
    return (latch_str){text, len};
}

static bool is_partial(const page *p) { return p->index != NULL && p->index->projected != LATCH_PROJECTED_ALL; }

/* A Scan's filter finds nothing in what isn't projected. */
static bool check_filter_projected(latch_op *op, const page *p) {
    latch_str missing = is_partial(p) && p->is_query ? not_projected(op, p, true) : (latch_str){NULL, 0};
    if (missing.ptr == NULL) return op->fault.name == NULL;
    return latch_invalid(&op->fault, op->arena,
                         "One or more parameter values were invalid: Secondary index %.*s does not project one or more filter "
                         "attributes: %.*s",
                         LATCH_ARG(p->index->name), LATCH_ARG(missing));
}

static bool check_projection(latch_op *op, const page *p) {
    latch_str missing = is_partial(p) && p->index->global ? not_projected(op, p, false) : (latch_str){NULL, 0};
    if (missing.ptr == NULL) return op->fault.name == NULL;
    return latch_invalid(&op->fault, op->arena,
                         "One or more parameter values were invalid: Global secondary index %.*s does not project %.*s",
                         LATCH_ARG(p->index->name), LATCH_ARG(missing));
}

/* ── where it starts ───────────────────────────────────────────────────────────────────────────────────────────────── */

static bool check_start_value(latch_op *op, const page *p, latch_str name, latch_type type) {
    const latch_av *v = latch_item_get(&p->start_key, name);
    if (v == NULL) return latch_invalid(&op->fault, op->arena, "The provided starting key is invalid");
    if (v->type != type) return latch_invalid(&op->fault, op->arena, "Type mismatch for attribute to update");
    return type == LATCH_TYPE_N || v->as.text.len > 0 || latch_invalid(&op->fault, op->arena, "The provided starting key is invalid");
}

static bool check_start_keys(latch_op *op, const page *p, const latch_keys *keys) {
    return check_start_value(op, p, keys->partition, keys->partition_type) &&
           (keys->sort.len == 0 || check_start_value(op, p, keys->sort, keys->sort_type));
}

static size_t start_size(const page *p) {
    const latch_keys *own = &p->table->schema.keys;
    size_t size = own->sort.len > 0 ? 2 : 1;
    if (p->index == NULL) return size;
    size += !latch_keys_name(own, p->keys->partition);
    return size + (p->keys->sort.len > 0 && !latch_keys_name(own, p->keys->sort));
}

static void aim(page *p) {
    const latch_keys *own = &p->table->schema.keys;
    p->start = (latch_position){.partition = latch_item_get(&p->start_key, p->keys->partition)};
    p->start.hash = latch_siphash_key(p->table->seed, p->start.partition);
    if (p->keys->sort.len > 0) p->start.sort = latch_item_get(&p->start_key, p->keys->sort);
    p->start.prefix = latch_index_prefix(p->start.sort);
    if (p->index == NULL) return;
    p->start.table_partition = latch_item_get(&p->start_key, own->partition);
    if (own->sort.len > 0) p->start.table_sort = latch_item_get(&p->start_key, own->sort);
}

static bool read_start(latch_op *op, page *p) {
    yyjson_val *json = latch_member(op->request, "ExclusiveStartKey");
    if (json == NULL) return true;
    if (!latch_item_read(json, &p->start_key, op->arena, &op->fault)) return false;
    if (p->start_key.count != start_size(p))
        return latch_invalid(&op->fault, op->arena, "Exclusive Start Key must have same size as table's key schema");
    if (!check_start_keys(op, p, &p->table->schema.keys) || !check_start_keys(op, p, p->keys)) return false;
    p->started = true;
    aim(p);
    if (!p->is_query) return true;
    const latch_key_condition *c = &p->x.key_condition;
    bool fits = latch_av_equal(p->start.partition, &c->hash) && (p->start.sort == NULL || place_sort(c, p->start.sort) == 0);
    return fits || latch_invalid(&op->fault, op->arena, "The provided starting key does not match the range key predicate");
}

/* ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A local index gets the rest of an item from its table where more is asked for than it projects. */
static bool fetches(const page *p) {
    return p->index != NULL && !p->index->global && p->index->projected != LATCH_PROJECTED_ALL &&
           (p->select == SELECT_ALL || p->x.projection != NULL);
}

/* The item as its order has it; the whole one where `whole`, or where that is what is asked for. */
static bool view(latch_op *op, const page *p, const latch_stored *stored, bool whole, latch_item *out) {
    *out = stored->item;
    if (whole || p->index == NULL || p->index->projected == LATCH_PROJECTED_ALL || fetches(p)) return true;
    *out = (latch_item){latch_arena_alloc(op->arena, stored->item.count * sizeof(latch_attribute)), 0};
    if (out->attributes == NULL) return latch_op_full(op);
    for (size_t i = 0; i < stored->item.count; i++)
        if (latch_schema_projects(&p->table->schema, p->index, stored->item.attributes[i].name))
            out->attributes[out->count++] = stored->item.attributes[i];
    return true;
}

static bool answer_item(latch_op *op, const page *p, const latch_item *item, yyjson_mut_val *list) {
    latch_item some = *item;
    if (p->x.projection != NULL && !latch_project(p->x.projection, item, &some, op->arena)) return latch_op_full(op);
    yyjson_mut_val *json = latch_item_write(op->doc, &some);
    return (json != NULL && yyjson_mut_arr_append(list, json)) || latch_op_full(op);
}

/* A filter on a local index looks at the table's item. */
static bool passes(latch_op *op, const page *p, const latch_stored *stored, bool *out) {
    latch_item item;
    *out = true;
    if (p->x.filter == NULL) return true;
    if (!view(op, p, stored, p->index != NULL && !p->index->global, &item)) return false;
    *out = latch_condition_holds(p->x.filter, &item);
    return true;
}

static bool answer_items(latch_op *op, const page *p, size_t *matched) {
    yyjson_mut_val *list = p->select != SELECT_COUNT ? latch_op_list(op, op->answer, "Items") : NULL;
    *matched = 0;
    if (list == NULL && p->select != SELECT_COUNT) return false;
    for (size_t i = 0; i < p->count; i++) {
        latch_item item;
        size_t mark = latch_arena_mark(op->arena);
        bool shown;
        if (!passes(op, p, p->items[i], &shown)) return false;
        latch_arena_rewind(op->arena, mark);
        if (!shown) continue;
        if (list != NULL && (!view(op, p, p->items[i], false, &item) || !answer_item(op, p, &item, list))) return false;
        ++*matched;
    }
    return true;
}

static bool add_key(latch_op *op, const latch_stored *stored, latch_str name, yyjson_mut_val *out) {
    if (name.len == 0 || yyjson_mut_obj_getn(out, name.ptr, name.len) != NULL) return true;
    yyjson_mut_val *key = yyjson_mut_strn(op->doc, name.ptr, name.len);
    yyjson_mut_val *value = latch_av_write(op->doc, latch_item_get(&stored->item, name));
    return (key != NULL && value != NULL && yyjson_mut_obj_add(out, key, value)) || latch_op_full(op);
}

/* In a table a sort key comes once: past the one that ends the range there is nothing. (Of "=" an answer says that there may be more.) */
static bool ended_the_range(const page *p, const latch_stored *last) {
    const latch_key_condition *c = &p->x.key_condition;
    const latch_av *sort = latch_node_sort(last->nodes), *end = NULL;
    if (!p->is_query || p->index != NULL) return false;
    if (sort == NULL) return true; /* there is but one item */
    if (c->op == LATCH_KEY_BETWEEN) end = p->backward ? &c->low : &c->high;
    if (c->op == (p->backward ? LATCH_KEY_GE : LATCH_KEY_LE)) end = &c->low;
    return end != NULL && compare_values(sort, end) == 0;
}

static bool answer_last_key(latch_op *op, const page *p) {
    const latch_stored *last = p->more ? p->items[p->count - 1] : NULL;
    if (last == NULL || ended_the_range(p, last)) return true;
    const latch_keys *own = &p->table->schema.keys;
    yyjson_mut_val *out = latch_op_object(op, op->answer, "LastEvaluatedKey");
    return out != NULL && add_key(op, last, own->partition, out) && add_key(op, last, own->sort, out) &&
           add_key(op, last, p->keys->partition, out) && add_key(op, last, p->keys->sort, out);
}

static bool answer_capacity(latch_op *op, const page *p, latch_capacity_mode mode) {
    latch_usage usage;
    double units = latch_read_units(p->bytes, p->consistent);
    if (mode == LATCH_CAPACITY_NONE) return true;
    if (!latch_usage_init(op, &usage, p->table)) return false;
    *(p->index == NULL ? &usage.own : &usage.indexes[p->index - p->table->schema.indexes]) = units;
    for (size_t i = 0; fetches(p) && i < p->count; i++)
        usage.own += latch_read_units(p->items[i]->bytes, p->consistent);
    return latch_op_add(op, op->answer, "ConsumedCapacity", latch_usage_write(op, &usage, mode, NULL));
}

static bool answer(latch_op *op, const page *p, latch_capacity_mode mode) {
    size_t matched;
    return answer_items(op, p, &matched) && latch_op_add_int(op, op->answer, "Count", (int64_t)matched) &&
           latch_op_add_int(op, op->answer, "ScannedCount", (int64_t)p->count) && answer_last_key(op, p) && answer_capacity(op, p, mode);
}

/* ── the operations ────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_common(latch_op *op, page *p, unsigned kinds, latch_capacity_mode *mode) {
    return latch_op_refuse_legacy(op, op->request) && latch_op_table(op, op->request, &p->table) &&
           latch_op_check_placeholders(op, op->request, kinds) && read_index(op, p) && read_limit(op, p) &&
           latch_op_capacity_mode(op, mode);
}

bool latch_op_query(latch_op *op) {
    static const unsigned kinds = LATCH_HAS_KEY_CONDITION | LATCH_HAS_FILTER | LATCH_HAS_PROJECTION;
    page p = {.is_query = true};
    latch_capacity_mode mode;
    yyjson_val *forward = latch_member(op->request, "ScanIndexForward");
    p.backward = forward != NULL && !yyjson_get_bool(forward);
    if (!read_common(op, &p, kinds, &mode)) return false;
    if (!latch_op_read_expressions(op, op->request, kinds, p.keys, &p.x)) return false;
    if (latch_member(op->request, "KeyConditionExpression") == NULL)
        return latch_invalid(&op->fault, op->arena,
                             "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.");
    if (!check_key_condition(op, &p) || !read_start(op, &p) || !check_filter(op, &p) || !check_filter_projected(op, &p)) return false;
    if (!read_selection(op, &p) || !check_projection(op, &p) || !check_partition_size(op, &p)) return false;
    p.hash = latch_siphash_key(p.table->seed, &p.x.key_condition.hash);
    return collect(op, &p) && answer(op, &p, mode);
}

/* Segment s of n is the s-th of n equal parts of all hashes. */
static bool read_segment(latch_op *op, page *p) {
    yyjson_val *segment = latch_member(op->request, "Segment"), *total = latch_member(op->request, "TotalSegments");
    int64_t s = yyjson_get_sint(segment), n = yyjson_get_sint(total);
    static const char text[] = "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: Member must have value %s "
                               "than or equal to %lld";
    p->hash = 0;
    p->last_hash = UINT64_MAX;
    if (segment == NULL && total == NULL) return true;
    if (total == NULL) return latch_invalid(&op->fault, op->arena, "If segment is specified, total segment must also be specified");
    if (segment == NULL)
        return latch_invalid(&op->fault, op->arena,
                             "If total segments is specified, a particular segment must also be specified for this request");
    if (n < 1) return latch_invalid(&op->fault, op->arena, text, (long long)n, "totalSegments", "greater", 1LL);
    if (n > SEGMENTS_MAX) return latch_invalid(&op->fault, op->arena, text, (long long)n, "totalSegments", "less", (long long)SEGMENTS_MAX);
    if (s < 0) return latch_invalid(&op->fault, op->arena, text, (long long)s, "segment", "greater", 0LL);
    if (s >= n) return latch_invalid(&op->fault, op->arena, text, (long long)s, "segment", "less", (long long)n - 1);
    if (n == 1) return true;
    uint64_t width = UINT64_MAX / (uint64_t)n + 1;
    p->hash = (uint64_t)s * width;
    if (s < n - 1) p->last_hash = p->hash + width - 1;
    return true;
}

/* "A Scan request that includes ExclusiveStartKey must specify the same segment" as the page before (Scan, ExclusiveStartKey). */
static bool check_start_in_segment(latch_op *op, const page *p) {
    if (!p->started || (p->start.hash >= p->hash && p->start.hash <= p->last_hash)) return true;
    return latch_invalid(&op->fault, op->arena, "Exclusive start key must lie within the segment");
}

bool latch_op_scan(latch_op *op) {
    static const unsigned kinds = LATCH_HAS_FILTER | LATCH_HAS_PROJECTION;
    page p = {0};
    latch_capacity_mode mode;
    if (!read_common(op, &p, kinds, &mode) || !latch_op_read_expressions(op, op->request, kinds, NULL, &p.x)) return false;
    if (!read_start(op, &p) || !read_selection(op, &p) || !read_segment(op, &p)) return false;
    if (!check_start_in_segment(op, &p) || !check_projection(op, &p)) return false;
    return collect(op, &p) && answer(op, &p, mode);
}

#include "store/embedded/memtable.h"

#include <string.h>

#include "store/embedded/hash.h"

#define TTL_AGE_MAX_S (INT64_C(5) * 365 * 86400) /* what is past by more isn't removed: DynamoDB's guard against a slip */

struct latch_delayed {
    latch_delayed *next;
    int64_t due_at_ms;
    latch_stored *item; /* to show, its own block; or, where `gone`, the live one that was deleted, kept for its key */
    bool gone;
};

static size_t orders_of(const latch_memtable *table) { return table->schema.index_count + 1; }
static uint32_t nodes_of(const latch_memtable *table) { return (uint32_t)table->schema.index_count + 2; }
static latch_treap_node *ttl_node(const latch_memtable *table, latch_stored *stored) { return &stored->nodes[orders_of(table)]; }

/* ── a table's life ────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_index *make_indexes(latch_memtable *table) {
    latch_index *indexes = latch_budget_alloc(table->budget, orders_of(table) * sizeof *indexes, 0);
    for (size_t i = 0; indexes != NULL && i < orders_of(table); i++) {
        if (latch_index_init(&indexes[i], table->budget, i > 0, latch_siphash_bytes(table->seed, (latch_str){(const char *)&i, sizeof i})))
            continue;
        while (i-- > 0)
            latch_index_clean_up(&indexes[i], table->budget);
        latch_budget_free(table->budget, indexes);
        return NULL;
    }
    return indexes;
}

/* The items of one set of indexes, and the indexes. */
static void drop_indexes(latch_memtable *table, latch_index *indexes) {
    latch_treap_node *node = indexes != NULL ? latch_index_from(&indexes[0], 0) : NULL;
    while (node != NULL) {
        latch_treap_node *next = latch_index_next(&indexes[0], node);
        latch_index_remove(&indexes[0], node);
        latch_stored_release(table->budget, latch_stored_of(node));
        node = next;
    }
    for (size_t i = 0; indexes != NULL && i < orders_of(table); i++)
        latch_index_clean_up(&indexes[i], table->budget);
    latch_budget_free(table->budget, indexes);
}

static void drop_delayed(latch_memtable *table, latch_delayed *delayed) {
    if (delayed != NULL) latch_stored_release(table->budget, delayed->item);
    latch_budget_free(table->budget, delayed);
}

static void destroy(latch_memtable *table) {
    while (table->oldest != NULL) {
        latch_delayed *next = table->oldest->next;
        drop_delayed(table, table->oldest);
        table->oldest = next;
    }
    drop_indexes(table, table->live);
    drop_indexes(table, table->lagging);
    if (table->words != NULL) latch_arena_clean_up(&table->arena);
    latch_budget_free(table->budget, table->words);
    latch_budget_free(table->budget, table);
}

void latch_memtable_keep(latch_memtable *table) { atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed); }

void latch_memtable_release(latch_memtable *table) {
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1) return;
    destroy(table);
}

/* The schema is read a second time, into a block that stays. */
static bool keep_schema(latch_memtable *table, yyjson_val *request, size_t words_bytes) {
    latch_fault fault = {0};
    table->words = latch_budget_alloc(table->budget, words_bytes, 0);
    if (table->words == NULL) return false;
    latch_arena_init(&table->arena, table->words, words_bytes);
    return latch_schema_read(request, &table->schema, &table->arena, &fault);
}

latch_memtable *latch_memtable_make(yyjson_val *request, size_t words_bytes, latch_budget *budget, uint64_t seed, int64_t lag_ms,
                                    int64_t now_ms) {
    latch_memtable *table = latch_budget_alloc(budget, sizeof *table, 0);
    if (table == NULL) return NULL;
    atomic_init(&table->refs, 1);
    table->budget = budget;
    table->seed = seed;
    table->lag_ms = lag_ms;
    table->created_at_ms = now_ms;
    if (keep_schema(table, request, words_bytes)) table->live = make_indexes(table);
    if (table->schema.on_demand) table->on_demand_at_ms = now_ms;
    if (table->live != NULL && lag_ms > 0) table->lagging = make_indexes(table);
    if (table->live != NULL && (lag_ms == 0 || table->lagging != NULL)) return table;
    destroy(table);
    return NULL;
}

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_position latch_memtable_position(const latch_memtable *table, const latch_item *item) {
    const latch_keys *keys = &table->schema.keys;
    latch_position position = {.partition = latch_item_get(item, keys->partition)};
    position.hash = latch_siphash_key(table->seed, position.partition);
    if (keys->sort.len > 0) position.sort = latch_item_get(item, keys->sort);
    position.prefix = latch_index_prefix(position.sort);
    return position;
}

const latch_index *latch_memtable_index(const latch_memtable *table, const latch_index_schema *index, bool consistent) {
    const latch_index *indexes = table->lagging != NULL && !consistent ? table->lagging : table->live;
    return &indexes[index != NULL ? 1 + (size_t)(index - table->schema.indexes) : 0];
}

latch_stored *latch_memtable_find(const latch_memtable *table, const latch_position *position, bool consistent) {
    latch_treap_node *node = latch_index_find(latch_memtable_index(table, NULL, consistent), position);
    return node != NULL ? latch_stored_of(node) : NULL;
}

/* ── keys of a new block ───────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t place_of(const latch_item *item, latch_str name) {
    const latch_av *value = name.len > 0 ? latch_item_get(item, name) : NULL;
    if (value == NULL) return LATCH_NO_KEY;
    const char *attribute = (const char *)value - offsetof(latch_attribute, value);
    return (uint32_t)((size_t)(attribute - (const char *)item->attributes) / sizeof(latch_attribute));
}

/* An item without one of an index's keys isn't in it. */
static void set_keys(const latch_memtable *table, latch_stored *stored, size_t order) {
    const latch_keys *keys = order == 0 ? &table->schema.keys : &table->schema.indexes[order - 1].keys;
    latch_treap_node *node = &stored->nodes[order];
    uint32_t hash_at = place_of(&stored->item, keys->partition), sort_at = place_of(&stored->item, keys->sort);
    if (hash_at == LATCH_NO_KEY || (keys->sort.len > 0 && sort_at == LATCH_NO_KEY)) return;
    node->hash_at = hash_at;
    node->sort_at = sort_at;
    node->hash = latch_siphash_key(table->seed, &stored->item.attributes[hash_at].value);
    node->prefix = latch_index_prefix(latch_node_sort(node));
}

/* The first second at which the item has expired; 0: never. */
static int64_t expires_at_s(const latch_memtable *table, const latch_item *item, int64_t now_ms) {
    int64_t at_s;
    const latch_av *ttl = table->ttl_attribute[0] != '\0' ? latch_item_get(item, latch_str_of(table->ttl_attribute)) : NULL;
    if (ttl == NULL || ttl->type != LATCH_TYPE_N || !latch_number_int(ttl->as.number, &at_s)) return 0;
    if (at_s <= 0 || at_s > INT64_MAX / 1000 - 1 || at_s < now_ms / 1000 - TTL_AGE_MAX_S) return 0;
    return at_s + 1;
}

static latch_stored *make_stored(latch_memtable *table, const latch_item *item, size_t credit) {
    latch_stored *stored = latch_stored_make(table->budget, item, nodes_of(table), credit);
    for (size_t order = 0; stored != NULL && order < orders_of(table); order++)
        set_keys(table, stored, order);
    return stored;
}

/* ── linking ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_in(const latch_stored *stored, size_t order) { return stored != NULL && stored->nodes[order].hash_at != LATCH_NO_KEY; }

/* One order: `after` takes the place of `before`, where its key is the same, the very place. */
static void exchange(latch_memtable *table, latch_index *index, latch_stored *before, latch_stored *after, size_t order) {
    bool was = is_in(before, order), is = is_in(after, order);
    latch_treap_node *old = was ? &before->nodes[order] : NULL, *new = is ? &after->nodes[order] : NULL;
    if (was && is && old->hash == new->hash && index->order(old, new) == 0) {
        latch_index_replace(index, old, new);
        return;
    }
    if (was) latch_index_remove(index, old);
    if (is) latch_index_add(index, table->budget, new);
}

static void exchange_all(latch_memtable *table, latch_index *indexes, latch_stored *before, latch_stored *after) {
    for (size_t order = 0; order < orders_of(table); order++)
        exchange(table, &indexes[order], before, after, order);
}

/* Items that expire in one second are in no order that matters: that of their addresses. */
static int by_address(const latch_treap_node *a, const latch_treap_node *b) {
    return (uintptr_t)a == (uintptr_t)b ? 0 : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

static void expect(latch_memtable *table, latch_stored *stored, int64_t now_ms) {
    latch_treap_node *node = ttl_node(table, stored);
    int64_t at_s = expires_at_s(table, &stored->item, now_ms);
    if (at_s == 0) return;
    node->hash = (uint64_t)at_s;
    node->hash_at = 0; /* it is in this tree */
    node->priority = (uint32_t)latch_siphash_bytes(table->seed, (latch_str){(const char *)&node, sizeof node});
    latch_treap_insert(&table->expiring, node, by_address);
}

static void forget(latch_memtable *table, latch_stored *stored) {
    latch_treap_node *node = ttl_node(table, stored);
    if (node->hash_at == LATCH_NO_KEY) return;
    latch_treap_remove(&table->expiring, node);
    node->hash_at = LATCH_NO_KEY;
}

/* ── changes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool prepare_delayed(latch_change *change, const latch_item *item, int64_t now_ms) {
    latch_memtable *table = change->table;
    if (table->lagging == NULL) return true;
    change->delayed = latch_budget_alloc(table->budget, sizeof *change->delayed, SIZE_MAX / 2); /* a deletion is never refused */
    if (change->delayed == NULL) return false;
    *change->delayed = (latch_delayed){.due_at_ms = now_ms + table->lag_ms, .item = change->before, .gone = item == NULL};
    if (item == NULL) latch_stored_keep(change->before);
    if (item != NULL) change->delayed->item = make_stored(table, item, latch_budget_cost(change->before));
    return change->delayed->item != NULL;
}

bool latch_change_prepare(latch_change *change, latch_memtable *table, latch_stored *before, const latch_item *item, int64_t now_ms) {
    *change = (latch_change){.table = table, .before = before, .now_ms = now_ms};
    latch_memtable_keep(table);
    if (before != NULL) latch_stored_keep(before);
    if (item == NULL && before == NULL) return true;
    if (item != NULL) change->after = make_stored(table, item, latch_budget_cost(before));
    if ((item == NULL || change->after != NULL) && prepare_delayed(change, item, now_ms)) return true;
    latch_change_drop(change);
    return false;
}

void latch_change_make(latch_change *change) {
    latch_memtable *table = change->table;
    if (change->before == NULL && change->after == NULL) return;
    if (change->before != NULL) forget(table, change->before);
    exchange_all(table, table->live, change->before, change->after);
    table->item_bytes +=
        (change->after != NULL ? change->after->bytes : 0) - (uint64_t)(change->before != NULL ? change->before->bytes : 0);
    if (change->after != NULL) {
        expect(table, change->after, change->now_ms);
        latch_stored_keep(change->after); /* the table's own */
    }
    latch_stored_release(table->budget, change->before); /* the table's; the change has one more */
    if (change->delayed == NULL) return;
    *(table->newest != NULL ? &table->newest->next : &table->oldest) = change->delayed;
    table->newest = change->delayed;
    change->delayed = NULL;
}

void latch_change_drop(latch_change *change) {
    if (change->table == NULL) return;
    drop_delayed(change->table, change->delayed);
    latch_stored_release(change->table->budget, change->after);
    latch_stored_release(change->table->budget, change->before);
    latch_memtable_release(change->table);
    *change = (latch_change){0};
}

/* ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

int64_t latch_memtable_due_at_ms(const latch_memtable *table) {
    const latch_treap_node *first = latch_treap_lowest(table->expiring);
    int64_t expires = first != NULL ? (int64_t)first->hash * 1000 : LATCH_NEVER;
    int64_t shows = table->oldest != NULL ? table->oldest->due_at_ms : LATCH_NEVER;
    return expires < shows ? expires : shows;
}

/* What no longer lags: the other set of indexes catches up by one change. */
static void show(latch_memtable *table) {
    latch_delayed *delayed = table->oldest;
    latch_position at = latch_memtable_position(table, &delayed->item->item);
    latch_stored *old = latch_memtable_find(table, &at, false);
    exchange_all(table, table->lagging, old, delayed->gone ? NULL : delayed->item);
    latch_stored_release(table->budget, old);
    if (!delayed->gone) delayed->item = NULL; /* the indexes have it now */
    table->oldest = delayed->next;
    if (table->oldest == NULL) table->newest = NULL;
    drop_delayed(table, delayed);
}

/* Without the memory to tell those who lag, it waits for the next request. */
static bool expire(latch_memtable *table, int64_t now_ms) {
    latch_change change;
    if (!latch_change_prepare(&change, table, latch_stored_of(latch_treap_lowest(table->expiring)), NULL, now_ms)) return false;
    latch_change_make(&change);
    latch_change_drop(&change);
    return true;
}

void latch_memtable_tick(latch_memtable *table, int64_t now_ms) {
    while (table->expiring != NULL && (int64_t)latch_treap_lowest(table->expiring)->hash * 1000 <= now_ms)
        if (!expire(table, now_ms)) break;
    while (table->oldest != NULL && table->oldest->due_at_ms <= now_ms)
        show(table);
}

void latch_memtable_set_ttl(latch_memtable *table, latch_str attribute, int64_t now_ms) {
    bool on = attribute.len > 0 && attribute.len < sizeof table->ttl_attribute;
    latch_treap_node *node = latch_index_from(&table->live[0], 0);
    for (latch_treap_node *at = node; at != NULL; at = latch_index_next(&table->live[0], at))
        forget(table, latch_stored_of(at));
    memset(table->ttl_attribute, 0, sizeof table->ttl_attribute);
    if (on) memcpy(table->ttl_attribute, attribute.ptr, attribute.len);
    for (latch_treap_node *at = node; on && at != NULL; at = latch_index_next(&table->live[0], at))
        expect(table, latch_stored_of(at), now_ms);
}

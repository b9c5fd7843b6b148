#include "store/embedded/index.h"

#define BITS_MIN 4
#define BITS_MAX 40
#define AHEAD_LINES 10
#define MOVES 4 /* buckets that one insertion moves: all are long before the next growth */

/* ── stored items ──────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_stored *latch_stored_make(latch_budget *budget, const latch_item *item, uint32_t nodes, size_t credit) {
    size_t head = (sizeof(latch_stored) + nodes * sizeof(latch_treap_node) + 15) & ~(size_t)15;
    latch_stored *stored = latch_budget_alloc(budget, head + latch_item_pack_bytes(item), credit);
    if (stored == NULL) return NULL;
    atomic_init(&stored->refs, 1);
    stored->bytes = (uint32_t)latch_item_bytes(item);
    stored->item = latch_item_pack(item, (char *)stored + head);
    for (uint32_t i = 0; i < nodes; i++)
        stored->nodes[i] = (latch_treap_node){.slot = i, .hash_at = LATCH_NO_KEY, .sort_at = LATCH_NO_KEY};
    return stored;
}

void latch_stored_keep(latch_stored *stored) { atomic_fetch_add_explicit(&stored->refs, 1, memory_order_relaxed); }

void latch_stored_release(latch_budget *budget, latch_stored *stored) {
    if (stored == NULL || atomic_fetch_sub_explicit(&stored->refs, 1, memory_order_acq_rel) != 1) return;
    latch_budget_free(budget, stored);
}

latch_stored *latch_stored_of(const latch_treap_node *node) {
    union {
        const char *from;
        latch_stored *to;
    } owner = {(const char *)(node - node->slot) - offsetof(latch_stored, nodes)};
    return owner.to;
}

const latch_av *latch_node_partition(const latch_treap_node *node) { return &latch_stored_of(node)->item.attributes[node->hash_at].value; }

const latch_av *latch_node_sort(const latch_treap_node *node) {
    return node->sort_at != LATCH_NO_KEY ? &latch_stored_of(node)->item.attributes[node->sort_at].value : NULL;
}

/* ── order ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Of two values of one key attribute, which has one type. */
static int compare_keys(const latch_av *a, const latch_av *b) {
    bool comparable;
    return a != NULL && b != NULL ? latch_av_compare(a, b, &comparable) : 0;
}

static uint64_t prefix_of_number(const latch_number *n) {
    const uint64_t middle = (uint64_t)1 << 63;
    uint64_t digits = 0;
    for (size_t i = 0; i < 12; i++)
        digits = digits * 10 + (i < n->count ? n->digits[i] : 0u); /* less than 2^40 */
    uint64_t magnitude = (uint64_t)(n->exponent + 512) << 40 | digits;
    return n->sign == 0 ? middle : n->sign > 0 ? middle + magnitude : middle - magnitude;
}

uint64_t latch_index_prefix(const latch_av *sort) {
    uint64_t prefix = 0;
    if (sort == NULL) return 0;
    if (sort->type == LATCH_TYPE_N) return prefix_of_number(sort->as.number);
    for (size_t i = 0; i < 8; i++)
        prefix = prefix << 8 | (i < sort->as.text.len ? (unsigned char)sort->as.text.ptr[i] : 0u);
    return prefix;
}

static int by_key(const latch_treap_node *a, const latch_treap_node *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    int order = compare_keys(latch_node_sort(a), latch_node_sort(b));
    return order != 0 ? order : compare_keys(latch_node_partition(a), latch_node_partition(b));
}

/* Items of one index key are ordered by their own: a page has to end between two of them. */
static int by_index_key(const latch_treap_node *a, const latch_treap_node *b) {
    int order = by_key(a, b);
    return order != 0 ? order : by_key(latch_stored_of(a)->nodes, latch_stored_of(b)->nodes);
}

/* What is compared next and then answered lies behind the node: fetched at once, not a cache line after the other. */
static void fetch_ahead(const latch_treap_node *node) {
    const char *at = (const char *)node;
    for (size_t line = 1; line <= AHEAD_LINES; line++)
        __builtin_prefetch(at + 64 * line);
}

int latch_position_compare(const latch_treap_node *node, const latch_position *position) {
    if (node->hash != position->hash) return node->hash < position->hash ? -1 : 1;
    if (node->prefix != position->prefix) return node->prefix < position->prefix ? -1 : 1;
    fetch_ahead(node);
    int order = compare_keys(latch_node_sort(node), position->sort);
    if (order == 0) order = compare_keys(latch_node_partition(node), position->partition);
    if (order != 0 || position->table_partition == NULL) return order;
    const latch_treap_node *own = latch_stored_of(node)->nodes;
    order = compare_keys(latch_node_sort(own), position->table_sort);
    return order != 0 ? order : compare_keys(latch_node_partition(own), position->table_partition);
}

/* ── the index ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_index_init(latch_index *index, latch_budget *budget, bool secondary, uint64_t seed) {
    *index = (latch_index){.bits = BITS_MIN, .dice = seed | 1, .order = secondary ? by_index_key : by_key};
    index->buckets = latch_budget_alloc(budget, sizeof *index->buckets << BITS_MIN, 0);
    return index->buckets != NULL;
}

void latch_index_clean_up(latch_index *index, latch_budget *budget) {
    latch_budget_free(budget, index->older);
    latch_budget_free(budget, index->buckets);
    *index = (latch_index){0};
}

/* The bucket, and the last hash that it may hold. */
static latch_treap_node **bucket_of(const latch_index *index, uint64_t hash, uint64_t *last) {
    uint32_t bits = index->bits;
    latch_treap_node **buckets = index->buckets;
    if (index->older != NULL && hash >> (64 - (bits - 1)) >= index->moved) buckets = index->older, bits--;
    *last = hash | (UINT64_MAX >> bits);
    return &buckets[hash >> (64 - bits)];
}

latch_treap_node **latch_index_bucket(const latch_index *index, uint64_t hash) {
    uint64_t last;
    return bucket_of(index, hash, &last);
}

static void move_some(latch_index *index, latch_budget *budget) {
    size_t all = (size_t)1 << (index->bits - 1);
    for (int i = 0; i < MOVES && index->older != NULL; i++) {
        latch_treap_node *low = index->older[index->moved];
        uint64_t middle = (uint64_t)(2 * index->moved + 1) << (64 - index->bits);
        index->buckets[2 * index->moved + 1] = latch_treap_split(&low, middle);
        index->buckets[2 * index->moved] = low;
        if (++index->moved < all) continue;
        latch_budget_free(budget, index->older);
        index->older = NULL;
    }
}

/* Twice the buckets. Without the memory for it the trees get deeper: nothing fails. */
static void grow(latch_index *index, latch_budget *budget) {
    if (index->older != NULL || index->count <= (size_t)1 << index->bits || index->bits == BITS_MAX) return;
    latch_treap_node **twice = latch_budget_alloc(budget, sizeof *twice << (index->bits + 1), 0);
    if (twice == NULL) return;
    index->older = index->buckets;
    index->buckets = twice;
    index->moved = 0;
    index->bits++;
}

static uint32_t roll(latch_index *index) {
    index->dice ^= index->dice << 13, index->dice ^= index->dice >> 7, index->dice ^= index->dice << 17;
    return (uint32_t)(index->dice >> 32);
}

void latch_index_add(latch_index *index, latch_budget *budget, latch_treap_node *node) {
    grow(index, budget);
    move_some(index, budget);
    node->priority = roll(index);
    latch_treap_insert(latch_index_bucket(index, node->hash), node, index->order);
    index->count++;
}

void latch_index_remove(latch_index *index, latch_treap_node *node) {
    latch_treap_remove(latch_index_bucket(index, node->hash), node);
    index->count--;
}

void latch_index_replace(latch_index *index, latch_treap_node *old, latch_treap_node *by) {
    latch_treap_replace(latch_index_bucket(index, old->hash), old, by);
}

static int place_at(const void *range, const latch_treap_node *node) { return latch_position_compare(node, range); }

static int place_past(const void *range, const latch_treap_node *node) { return latch_position_compare(node, range) <= 0 ? -1 : 1; }

static int place_from(const void *range, const latch_treap_node *node) { return node->hash < *(const uint64_t *)range ? -1 : 0; }

latch_treap_node *latch_index_find(const latch_index *index, const latch_position *position) {
    latch_treap_node *node = latch_treap_first(*latch_index_bucket(index, position->hash), place_at, position);
    return node != NULL && latch_position_compare(node, position) == 0 ? node : NULL;
}

/* The first node of the buckets past `last`. */
static latch_treap_node *in_later_buckets(const latch_index *index, uint64_t last) {
    while (last != UINT64_MAX) {
        latch_treap_node *root = *bucket_of(index, last + 1, &last);
        if (root != NULL) return latch_treap_lowest(root);
    }
    return NULL;
}

latch_treap_node *latch_index_from(const latch_index *index, uint64_t hash) {
    uint64_t last;
    latch_treap_node *node = latch_treap_first(*bucket_of(index, hash, &last), place_from, &hash);
    return node != NULL ? node : in_later_buckets(index, last);
}

latch_treap_node *latch_index_after(const latch_index *index, const latch_position *position) {
    uint64_t last;
    latch_treap_node *node = latch_treap_first(*bucket_of(index, position->hash, &last), place_past, position);
    return node != NULL ? node : in_later_buckets(index, last);
}

latch_treap_node *latch_index_next(const latch_index *index, const latch_treap_node *node) {
    uint64_t last;
    latch_treap_node *next = latch_treap_next(node);
    if (next != NULL) return next;
    (void)bucket_of(index, node->hash, &last);
    return in_later_buckets(index, last);
}

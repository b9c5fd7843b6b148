/*
 * store/embedded/index.h - stored items, and the order they are kept in: a table's own, or an index's.
 *
 * An index is a hash whose buckets are trees, ordered by (hash of the partition key, sort key, partition key). The bucket is the top bits
 * of the hash, so the buckets one after another are that order over all, which is Scan's: it stays the same while the hash grows, and
 * a Scan's segment is a range of hashes. A partition lies in one bucket, in the order of its sort key. The partition key itself comes
 * last, where it decides between partitions of one hash, which are almost never: a search looks at it once, and at the eight bytes
 * of the sort key that the node has. Who reads a partition skips what is another's.
 */
#ifndef LATCH_STORE_EMBEDDED_INDEX_H
#define LATCH_STORE_EMBEDDED_INDEX_H

#include "store/embedded/budget.h"
#include "store/embedded/treap.h"
#include "store/embedded/value.h"

/* ── stored items ──────────────────────────────────────────────────────────────────────────────────────────────────── */

#define LATCH_NO_KEY UINT32_MAX /* in hash_at: not in this index; in sort_at: it has no sort key */

typedef struct latch_stored { /* one block: this, the nodes, the packed item; never changed once it is in a table */
    _Atomic uint32_t refs;    /* the table's one, and the readers' */
    uint32_t bytes;           /* DynamoDB's size of it */
    latch_item item;
    latch_treap_node nodes[]; /* [0] the table's own order, then one per index, at last the one of TTL */
} latch_stored;

/* NULL: over the bound. `credit` as in latch_budget_alloc. The nodes' slots are set, their keys are LATCH_NO_KEY; refs is 1. */
latch_stored *latch_stored_make(latch_budget *budget, const latch_item *item, uint32_t nodes, size_t credit);
void latch_stored_keep(latch_stored *stored);
void latch_stored_release(latch_budget *budget, latch_stored *stored); /* NULL: nothing */

latch_stored *latch_stored_of(const latch_treap_node *node);
const latch_av *latch_node_partition(const latch_treap_node *node); /* its partition key in this node's index */
const latch_av *latch_node_sort(const latch_treap_node *node);      /* NULL: the index has no sort key */

/* ── a place in the order ──────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_position {
    uint64_t hash, prefix;                        /* of `partition`; of `sort` */
    const latch_av *partition, *sort;             /* sort NULL: there is none */
    const latch_av *table_partition, *table_sort; /* in a secondary index: the item's own key; NULL: not looked at */
} latch_position;

int latch_position_compare(const latch_treap_node *node, const latch_position *position); /* <0: the node comes before it */

/* ── the index ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_index {
    latch_treap_node **buckets, **older; /* older: half as many, being moved to buckets; NULL: done */
    uint32_t bits;                       /* 2^bits buckets */
    size_t moved;                        /* of older's */
    size_t count;                        /* of nodes */
    uint64_t dice;
    latch_treap_order_fn *order;
} latch_index;

/* Eight bytes in the order of the sort key, where they differ; NULL: 0. */
uint64_t latch_index_prefix(const latch_av *sort);

bool latch_index_init(latch_index *index, latch_budget *budget, bool secondary, uint64_t seed); /* false: over the bound */
void latch_index_clean_up(latch_index *index, latch_budget *budget);                            /* the nodes are left to their owners */

void latch_index_add(latch_index *index, latch_budget *budget, latch_treap_node *node); /* it grows where the bound allows */
void latch_index_remove(latch_index *index, latch_treap_node *node);
void latch_index_replace(latch_index *index, latch_treap_node *old, latch_treap_node *by); /* of the same key */

latch_treap_node **latch_index_bucket(const latch_index *index, uint64_t hash); /* the tree that this hash is in */
latch_treap_node *latch_index_find(const latch_index *index, const latch_position *position);
latch_treap_node *latch_index_from(const latch_index *index, uint64_t hash);                   /* the first of at least this hash */
latch_treap_node *latch_index_after(const latch_index *index, const latch_position *position); /* the first one past it */
latch_treap_node *latch_index_next(const latch_index *index, const latch_treap_node *node);    /* over all buckets */

#endif

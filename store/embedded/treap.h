/*
 * store/embedded/treap.h - a balanced search tree whose nodes lie in what they order: nothing is allocated, nothing can fail.
 *
 * A treap: ordered by key, a heap by random priorities, so that depth is about 2 log n whatever order the keys come in. Order is `hash`
 * first and then whatever the caller's function says. Searching is by place: a function tells for a node whether it lies before, in or
 * after the range that is looked for.
 */
#ifndef LATCH_STORE_EMBEDDED_TREAP_H
#define LATCH_STORE_EMBEDDED_TREAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct latch_treap_node latch_treap_node;
struct latch_treap_node {
    latch_treap_node *left, *right, *parent;
    uint64_t hash;             /* the first key */
    uint64_t prefix;           /* the caller's: the beginning of the next one, so that its order seldom looks further */
    uint32_t priority;         /* the caller's dice; the largest is the root */
    uint32_t slot;             /* the caller's: which of its owner's nodes this is */
    uint32_t hash_at, sort_at; /* the caller's: where the owner keeps the rest of the key */
};

typedef int latch_treap_order_fn(const latch_treap_node *a, const latch_treap_node *b); /* of two with one hash: <0, 0, >0 */
typedef int latch_treap_place_fn(const void *range, const latch_treap_node *node); /* <0: node lies before the range, 0: in it, >0: after */

/* No equal node may be in the tree. */
void latch_treap_insert(latch_treap_node **root, latch_treap_node *node, latch_treap_order_fn *order);
void latch_treap_remove(latch_treap_node **root, latch_treap_node *node);
void latch_treap_replace(latch_treap_node **root, latch_treap_node *old, latch_treap_node *by); /* of the same key */

/* Takes the nodes whose hash is at least `from` out of *root, as a tree of their own. */
latch_treap_node *latch_treap_split(latch_treap_node **root, uint64_t from);

/* The first node that is not before the range, the last one that is not after it; NULL: none. */
latch_treap_node *latch_treap_first(latch_treap_node *root, latch_treap_place_fn *place, const void *range);
latch_treap_node *latch_treap_last(latch_treap_node *root, latch_treap_place_fn *place, const void *range);

latch_treap_node *latch_treap_lowest(latch_treap_node *root);     /* NULL: the tree is empty */
latch_treap_node *latch_treap_next(const latch_treap_node *node); /* NULL: it is the last */
latch_treap_node *latch_treap_previous(const latch_treap_node *node);

#endif

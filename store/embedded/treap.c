#include "store/embedded/treap.h"

static latch_treap_node **link_to(latch_treap_node **root, latch_treap_node *node) {
    if (node->parent == NULL) return root;
    return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

/* Puts `child` where `node` hangs; `node` keeps its own links. */
static void hang(latch_treap_node **root, latch_treap_node *node, latch_treap_node *child) {
    *link_to(root, node) = child;
    if (child != NULL) child->parent = node->parent;
}

/* `node` and its parent change places; order stays. */
static void rotate_up(latch_treap_node **root, latch_treap_node *node) {
    latch_treap_node *parent = node->parent;
    bool was_left = parent->left == node;
    latch_treap_node *between = was_left ? node->right : node->left;
    hang(root, parent, node);
    *(was_left ? &parent->left : &parent->right) = between;
    *(was_left ? &node->right : &node->left) = parent;
    parent->parent = node;
    if (between != NULL) between->parent = parent;
}

static int compare(const latch_treap_node *a, const latch_treap_node *b, latch_treap_order_fn *order) {
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return order(a, b);
}

void latch_treap_insert(latch_treap_node **root, latch_treap_node *node, latch_treap_order_fn *order) {
    latch_treap_node **at = root, *parent = NULL;
    while (*at != NULL) {
        parent = *at;
        at = compare(node, parent, order) < 0 ? &parent->left : &parent->right;
    }
    node->left = node->right = NULL;
    node->parent = parent;
    *at = node;
    while (node->parent != NULL && node->priority > node->parent->priority)
        rotate_up(root, node);
}

void latch_treap_remove(latch_treap_node **root, latch_treap_node *node) {
    while (node->left != NULL && node->right != NULL)
        rotate_up(root, node->left->priority > node->right->priority ? node->left : node->right);
    hang(root, node, node->left != NULL ? node->left : node->right);
    node->left = node->right = node->parent = NULL;
}

void latch_treap_replace(latch_treap_node **root, latch_treap_node *old, latch_treap_node *by) {
    by->left = old->left;
    by->right = old->right;
    by->priority = old->priority;
    by->parent = old->parent;
    *link_to(root, old) = by;
    if (by->left != NULL) by->left->parent = by;
    if (by->right != NULL) by->right->parent = by;
    old->left = old->right = old->parent = NULL;
}

latch_treap_node *latch_treap_split(latch_treap_node **root, uint64_t from) {
    latch_treap_node *at = *root, *above = NULL, *low = NULL, *high = NULL, **low_end = root, **high_end = &above;
    while (at != NULL) {
        if (at->hash < from) {
            *low_end = at, at->parent = low, low = at;
            low_end = &at->right;
        } else {
            *high_end = at, at->parent = high, high = at;
            high_end = &at->left;
        }
        at = at->hash < from ? at->right : at->left;
    }
    *low_end = *high_end = NULL;
    return above;
}

latch_treap_node *latch_treap_first(latch_treap_node *root, latch_treap_place_fn *place, const void *range) {
    latch_treap_node *found = NULL;
    while (root != NULL) {
        bool before = place(range, root) < 0;
        if (!before) found = root;
        root = before ? root->right : root->left;
    }
    return found;
}

latch_treap_node *latch_treap_last(latch_treap_node *root, latch_treap_place_fn *place, const void *range) {
    latch_treap_node *found = NULL;
    while (root != NULL) {
        bool after = place(range, root) > 0;
        if (!after) found = root;
        root = after ? root->left : root->right;
    }
    return found;
}

latch_treap_node *latch_treap_lowest(latch_treap_node *root) {
    while (root != NULL && root->left != NULL)
        root = root->left;
    return root;
}

latch_treap_node *latch_treap_next(const latch_treap_node *node) {
    if (node->right != NULL) return latch_treap_lowest(node->right);
    while (node->parent != NULL && node->parent->right == node)
        node = node->parent;
    return node->parent;
}

static latch_treap_node *highest(latch_treap_node *root) {
    while (root->right != NULL)
        root = root->right;
    return root;
}

latch_treap_node *latch_treap_previous(const latch_treap_node *node) {
    if (node->left != NULL) return highest(node->left);
    while (node->parent != NULL && node->parent->left == node)
        node = node->parent;
    return node->parent;
}

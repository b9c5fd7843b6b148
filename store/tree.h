/*
 * store/tree.h - a tree of items, read from its root: categories, threads, folders.
 *
 *     latch_dynamodb_tree tree;
 *     LATCH_TRY(latch_dynamodb_read_tree(cx, &(latch_dynamodb_tree_request){.table = "categories", .root = LATCH_STR("tea")}, &tree));
 *     if (!tree.found) …                       tree.root: {"id": "tea", …, "children": [{"id": "green", …, "children": []}, …]}
 *
 * Items know their parent (the default: an index finds a node's children), or a node lists its children's ids (.children).
 */
#ifndef LATCH_STORE_TREE_H
#define LATCH_STORE_TREE_H

#include "core/json.h"

LATCH_BEGIN_C

#define LATCH_DYNAMODB_TREE_DEPTH 10     /* default */
#define LATCH_DYNAMODB_TREE_DEPTH_MAX 40 /* of one JSON value; with .node 1000 */
#define LATCH_DYNAMODB_TREE_NODES 10000  /* default */
#define LATCH_DYNAMODB_TREE_NODES_MAX 1000000

typedef struct latch_dynamodb_node {
    latch_str id, parent_id; /* text, or a number's digits; the root has no parent: empty */
    int depth;               /* the root's is 0 */
    latch_json item;
} latch_dynamodb_node;

/* Each node, a level after the other, within a level in their parents' order. It lives until this returns, as all that `cx` builds. */
typedef latch_status latch_dynamodb_node_fn(latch_ctx *cx, void *arg, const latch_dynamodb_node *node);

typedef struct latch_dynamodb_tree_request {
    const char *table;            /* NULL: LATCH_TABLE's. Its whole key is the id, unless: */
    const char *sort_key, *sort;  /* the second part of its key, an attribute, and the text that all nodes have there; NULL: it has none */
    latch_str root;               /* id of the root; required */
    bool numbers;                 /* ids are numbers, `root` its digits; false: text */
    const char *key;              /* the attribute of the id; NULL: "id" */
    const char *parent;           /* the attribute with the parent's id; NULL: "parent" */
    const char *index;            /* on `parent`; NULL: "parent-index" */
    const char *children;         /* the attribute with a list or set of the children's ids; NULL: children know their parent */
    int max_depth;                /* nodes below aren't read; 0: LATCH_DYNAMODB_TREE_DEPTH */
    size_t max_nodes;             /* 0: LATCH_DYNAMODB_TREE_NODES */
    int connections;              /* a level's queries at a time, as store/parallel.h; 0: 1, one after another */
    int64_t timeout_ms;           /* of the whole call; 0: until the deadline */
    latch_dynamodb_node_fn *node; /* NULL: the nodes become one value, out->root */
    void *arg;
} latch_dynamodb_tree_request;

typedef struct latch_dynamodb_tree {
    bool found;      /* the root is there */
    latch_json root; /* {…its item, "children": […]}, and so each child; null with .node. A member "children" of an item gives way */
    uint64_t nodes;  /* read */
    int depth;       /* of the deepest one */
    uint64_t cycles; /* ids that came again below themselves; they are left out there */
    uint64_t shared; /* ids that came again elsewhere; they stand where they came first */
    uint64_t gone;   /* ids that a parent lists, and that have no item */
    bool cut;        /* there may be more: max_depth or max_nodes came first */
    uint64_t requests;
} latch_dynamodb_tree;

/*
 * Reads breadth first.
 *
 * LATCH_OK        read; a root that isn't there is an answer, too: out->found is false
 * LATCH_E_INPUT   the root's id is empty, over 2 048 bytes, not UTF-8, or no number where ids are
 * LATCH_E_MISUSE  a bad option; no such table, no such index
 * LATCH_E_DATA    an item has no id, or what lists the children is no list of ids
 * LATCH_E_NOMEM   the arena is full: it takes about 8 × the items' text, with .node 1 ×
 * LATCH_E_TIMEOUT the time is up
 * LATCH_E_*       no answer, or one that says no
 * *out is always written; where it isn't LATCH_OK it says how far it came, and root is null.
 *
 * Requests: 1 for the root, then 1 query per node and page of 1 MB: an index can't be read by batches. With .children 1 batch per 100 nodes
 * of a level. Read units: half of one per 4 KB of a page from the index, at least half a unit a node; the root, and nodes by batch, 1 per 4
 * KB each, for those are read strongly.
 *
 * An index lags: a child that was written or moved just now may be missing. It must project what is wanted of the items (ALL).
 */
LATCH_NODISCARD latch_status latch_dynamodb_read_tree(latch_ctx *cx, const latch_dynamodb_tree_request *request,
                                                      latch_dynamodb_tree *out) LATCH_NONNULL;

LATCH_END_C

#endif

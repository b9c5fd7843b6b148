#include "store/embedded/treap.h"

#include <string.h>

#include "tests/check.h"

#define KEYS 512

typedef struct entry {
    latch_treap_node node; /* first */
    int second;            /* orders entries of one hash */
    bool in;
} entry;

static entry entries[KEYS];
static latch_treap_node *root;
static uint32_t dice;

static uint32_t roll(uint32_t sides) {
    dice ^= dice << 13, dice ^= dice >> 17, dice ^= dice << 5;
    return dice % sides;
}

static const entry *entry_of(const latch_treap_node *node) {
    for (size_t i = 0; i < KEYS; i++)
        if (&entries[i].node == node) return &entries[i];
    return NULL;
}

static int by_second(const latch_treap_node *a, const latch_treap_node *b) { return entry_of(a)->second - entry_of(b)->second; }

/* Entry i is the i-th in order: four of each hash. */
static int set_up(void **state) {
    (void)state;
    root = NULL;
    dice = 2463534242;
    memset(entries, 0, sizeof entries);
    for (size_t i = 0; i < KEYS; i++)
        entries[i] = (entry){.node = {.hash = i / 4 * 10, .priority = roll(1000)}, .second = (int)(i % 4)};
    return 0;
}

/* The depth below a node, having checked parents, priorities and order. */
static size_t check_below(const latch_treap_node *node, const latch_treap_node *parent) {
    if (node == NULL) return 0;
    assert_ptr_equal(node->parent, parent);
    if (parent != NULL) assert_true(node->priority <= parent->priority);
    size_t left = check_below(node->left, node), right = check_below(node->right, node);
    return 1 + (left > right ? left : right);
}

/* It has just the entries that are `in`, in order, both ways. Returns its depth. */
static size_t check(latch_treap_node *tree, size_t from, size_t to) {
    latch_treap_node *node = latch_treap_lowest(tree), *last = NULL;
    for (size_t i = from; i < to; i++) {
        if (!entries[i].in) continue;
        assert_ptr_equal(node, &entries[i].node);
        assert_ptr_equal(latch_treap_previous(node), last);
        last = node;
        node = latch_treap_next(node);
    }
    assert_null(node);
    return check_below(tree, NULL);
}

static void change(void) {
    entry *e = &entries[roll(KEYS)];
    if (e->in) {
        latch_treap_remove(&root, &e->node);
    } else {
        latch_treap_insert(&root, &e->node, by_second);
    }
    e->in = !e->in;
}

static void keeps_order_under_changes(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) {
        change();
        if (i % 10 == 0) check(root, 0, KEYS);
    }
    assert_in_range(check(root, 0, KEYS), 8, 40); /* about 256 nodes, in whatever order they came */
}

static void stays_shallow_when_keys_ascend(void **state) {
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        latch_treap_insert(&root, &entries[i].node, by_second);
        entries[i].in = true;
    }
    assert_in_range(check(root, 0, KEYS), 9, 40);
}

static void splits_by_hash(void **state) {
    (void)state;
    for (uint64_t from = 0; from <= KEYS / 4 * 10 + 5; from += 5) {
        set_up(NULL);
        for (int i = 0; i < 300; i++)
            change();
        latch_treap_node *high = latch_treap_split(&root, from);
        size_t at = (size_t)((from + 9) / 10 * 4);
        if (at > KEYS) at = KEYS;
        check(root, 0, at);
        check(high, at, KEYS);
    }
}

static void replaces_in_place(void **state) {
    entry other = {0};
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        latch_treap_insert(&root, &entries[i].node, by_second), entries[i].in = true;
    for (size_t i = 0; i < KEYS; i += 7) {
        other.node.hash = entries[i].node.hash;
        latch_treap_replace(&root, &entries[i].node, &other.node);
        if (i > 0) assert_ptr_equal(latch_treap_next(&entries[i - 1].node), &other.node);
        latch_treap_replace(&root, &other.node, &entries[i].node);
        check(root, 0, KEYS);
    }
}

typedef struct range {
    int from, to; /* entries */
} range;

static int place(const void *arg, const latch_treap_node *node) {
    const range *r = arg;
    int at = (int)(entry_of(node) - entries);
    return at < r->from ? -1 : at >= r->to ? 1 : 0;
}

static void finds_the_ends_of_a_range(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++)
        change();
    for (int i = 0; i < 500; i++) {
        range r = {(int)roll(KEYS), (int)roll(KEYS + 1)};
        int first = r.from, last = r.to - 1;
        while (first < KEYS && !entries[first].in)
            first++;
        while (last >= 0 && !entries[last].in)
            last--;
        if (r.to < r.from) continue;
        assert_ptr_equal(latch_treap_first(root, place, &r), first < KEYS ? &entries[first].node : NULL);
        assert_ptr_equal(latch_treap_last(root, place, &r), last >= 0 ? &entries[last].node : NULL);
    }
}

#define ROW(test) cmocka_unit_test_setup(test, set_up)

static const struct CMUnitTest tests[] = {
    ROW(keeps_order_under_changes), ROW(stays_shallow_when_keys_ascend), ROW(splits_by_hash),
    ROW(replaces_in_place),         ROW(finds_the_ends_of_a_range),
};

CHECK_MAIN(tests)

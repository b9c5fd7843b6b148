#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/tree.h"
#include "tests/check.h"
#include "tests/store/lone.h"

static const char *table;

static int set_up(void **state) {
    (void)state;
    lone_open(99, (size_t)16 << 20);
    table = unique_table("tree");
    world_ask(&world, "CreateTable",
              "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
              "\"AttributeType\":\"S\"},{\"AttributeName\":\"parent\",\"AttributeType\":\"S\"},{\"AttributeName\":\"at\",\"AttributeType\":"
              "\"N\"}],\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[{\"IndexName\":"
              "\"parent-index\",\"KeySchema\":[{\"AttributeName\":\"parent\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"at\",\"KeyType\":"
              "\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"ALL\"}}]}",
              table);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world_ask(&world, "DeleteTable", "{\"TableName\":\"%s\"}", table);
    lone_close();
    return 0;
}

/* A node that knows its parent (NULL: none), and lists `children` (NULL: doesn't), a JSON list as DynamoDB writes it. */
static void plant(const char *id, const char *parent, int at, const char *children) {
    char parent_member[96] = "", children_member[512] = "";
    if (parent != NULL) snprintf(parent_member, sizeof parent_member, ",\"parent\":{\"S\":\"%s\"}", parent);
    if (children != NULL) snprintf(children_member, sizeof children_member, ",\"kids\":%s", children);
    world_ask(&world, "PutItem", "{\"TableName\":\"%s\",\"Item\":{\"id\":{\"S\":\"%s\"},\"at\":{\"N\":\"%d\"}%s%s}}", table, id, at,
              parent_member, children_member);
}

static latch_dynamodb_tree_request request_of(const char *root) {
    return (latch_dynamodb_tree_request){.table = table, .root = latch_str_of(root)};
}

/* "a(b(d)c)": ids and shape. */
static void draw(latch_json node, char *out, size_t size) {
    latch_str id;
    latch_json children;
    assert_int_equal(latch_read(node, "id", &id, "children", &children), LATCH_OK);
    size_t at = strlen(out);
    snprintf(out + at, size - at, "%.*s", LATCH_ARG(id));
    if (latch_count(children) == 0) return;
    at = strlen(out);
    snprintf(out + at, size - at, "(");
    for (size_t i = 0; i < latch_count(children); i++)
        draw(latch_at(children, i), out, size);
    at = strlen(out);
    snprintf(out + at, size - at, ")");
}

static const char *drawn(const latch_dynamodb_tree *tree) {
    static char out[65536];
    out[0] = '\0';
    draw(tree->root, out, sizeof out);
    return out;
}

static latch_status read_it(const latch_dynamodb_tree_request *request, latch_dynamodb_tree *out) {
    caller_again(&ann);
    network_well(&net);
    latch_status status = latch_dynamodb_read_tree(&ann.cx, request, out);
    assert_int_equal(net.opened, net.closed);
    assert_int_equal(out->requests, net.requests);
    return status;
}

static void children_that_know_their_parent(void **state) {
    latch_dynamodb_tree tree;
    (void)state;
    plant("a", NULL, 0, NULL);
    plant("c", "a", 2, NULL);
    plant("b", "a", 1, NULL);
    plant("d", "b", 1, NULL);
    plant("x", "y", 1, NULL);
    for (int connections = 0; connections <= 3; connections += 3) {
        latch_dynamodb_tree_request request = request_of("a");
        request.connections = connections;
        assert_int_equal(read_it(&request, &tree), LATCH_OK);
        assert_true(tree.found);
        assert_string_equal(drawn(&tree), "a(b(d)c)");
        assert_int_equal(tree.nodes, 4);
        assert_int_equal(tree.depth, 2);
        assert_int_equal(tree.requests, 1 + 4); /* the root, and a query a node */
        assert_false(tree.cut);
        assert_int_equal(tree.cycles + tree.shared + tree.gone, 0);
        assert_int_equal(ann.usage.requests, 5);
    }
    latch_str id;
    int64_t at;
    assert_int_equal(latch_read(tree.root, "children[0].children[0].parent", &id, "children[1].at", &at), LATCH_OK);
    assert_true(latch_str_eq(id, LATCH_STR("b")) && at == 2);
}

static void parents_that_list_their_children(void **state) {
    latch_dynamodb_tree tree;
    (void)state;
    plant("a", NULL, 0, "{\"L\":[{\"S\":\"c\"},{\"S\":\"b\"},{\"S\":\"gone\"}]}");
    plant("b", NULL, 1, "{\"SS\":[\"d\"]}");
    plant("c", NULL, 2, "{\"L\":[]}");
    plant("d", NULL, 2, "{\"NULL\":true}");
    latch_dynamodb_tree_request request = request_of("a");
    request.children = "kids";
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_string_equal(drawn(&tree), "a(cb(d))");
    assert_int_equal(tree.nodes, 4);
    assert_int_equal(tree.gone, 1);
    assert_int_equal(tree.requests, 3); /* the root, and a batch a level */
    assert_false(tree.cut);
}

static void a_root_that_is_not_there_is_an_answer(void **state) {
    latch_dynamodb_tree tree;
    latch_dynamodb_tree_request request = request_of("nobody");
    (void)state;
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_false(tree.found);
    assert_int_equal(tree.nodes, 0);
    assert_int_equal(tree.requests, 1);
    assert_false(latch_has(tree.root, ""));
}

static void cycles_end(void **state) {
    latch_dynamodb_tree tree;
    (void)state;
    plant("a", "c", 0, "{\"L\":[{\"S\":\"b\"},{\"S\":\"d\"}]}"); /* the root is below itself */
    plant("b", "a", 1, "{\"L\":[{\"S\":\"c\"},{\"S\":\"b\"}]}");
    plant("c", "b", 1, "{\"L\":[{\"S\":\"a\"},{\"S\":\"d\"}]}");
    plant("d", "a", 2, "{\"L\":[{\"S\":\"c\"}]}");
    latch_dynamodb_tree_request request = request_of("a");
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_string_equal(drawn(&tree), "a(b(c)d)");
    assert_int_equal(tree.cycles, 1);
    assert_int_equal(tree.shared, 0);
    request.children = "kids";
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_string_equal(drawn(&tree), "a(b(c)d)");
    assert_int_equal(tree.cycles, 2); /* b below b, a below c */
    assert_int_equal(tree.shared, 2); /* c below d; d below c */
    plant("self", "self", 0, NULL);
    request = request_of("self");
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_string_equal(drawn(&tree), "self");
    assert_int_equal(tree.cycles, 1);
}

static void bounds_hold(void **state) {
    static const struct {
        int max_depth;
        size_t max_nodes;
        const char *shape;
        bool cut;
    } rows[] = {{1, 0, "a(bc)", true},
                {2, 0, "a(b(de)c)", true},
                {3, 0, "a(b(d(f)e)c)", true},
                {4, 0, "a(b(d(f)e)c)", false},
                {0, 6, "a(b(d(f)e)c)", false},
                {0, 5, "a(b(de)c)", true},
                {0, 1, "a", true},
                {0, 2, "a(b)", true}};
    (void)state;
    plant("a", NULL, 0, "{\"L\":[{\"S\":\"b\"},{\"S\":\"c\"}]}");
    plant("b", "a", 1, "{\"L\":[{\"S\":\"d\"},{\"S\":\"e\"}]}");
    plant("c", "a", 2, NULL);
    plant("d", "b", 1, "{\"L\":[{\"S\":\"f\"}]}");
    plant("e", "b", 2, NULL);
    plant("f", "d", 1, NULL);
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        latch_dynamodb_tree tree;
        latch_dynamodb_tree_request request = request_of("a");
        request.max_depth = rows[i / 2].max_depth;
        request.max_nodes = rows[i / 2].max_nodes;
        request.children = i % 2 == 0 ? NULL : "kids";
        assert_int_equal(read_it(&request, &tree), LATCH_OK);
        assert_string_equal(drawn(&tree), rows[i / 2].shape);
        /* Who lists no children has none; who may be a parent has to be asked. */
        bool cut = request.children != NULL && rows[i / 2].max_depth == 3 ? false : rows[i / 2].cut;
        assert_int_equal(tree.cut, cut);
    }
}

/* ── large and random ───────────────────────────────────────────────────────────────────────────────────────────────────── */

enum { NODES = 300 };
static int parents[NODES], depths[NODES];

typedef struct listing {
    size_t count, wrong, stops_at;
    int last_depth;
    bool seen[NODES];
} listing;

static latch_status on_node(latch_ctx *cx, void *arg, const latch_dynamodb_node *node) {
    listing *l = arg;
    char id[16];
    int64_t at = -1;
    if (l->count == l->stops_at) return latch_refuse(cx, LATCH_CONFLICT, "enough");
    memset(id, 0, sizeof id);
    memcpy(id, node->id.ptr, node->id.len);
    int n = atoi(id + 1);
    l->count++;
    l->wrong += node->depth != depths[n] || node->depth < l->last_depth || l->seen[n];
    l->wrong += latch_read(node->item, "at", &at) != LATCH_OK || at != n;
    l->wrong += n == 0 ? node->parent_id.len != 0 : atoi(node->parent_id.ptr + 1) != parents[n];
    l->seen[n] = true;
    l->last_depth = node->depth;
    return LATCH_OK;
}

static void plant_random(uint32_t seed) {
    char id[16], parent[16];
    for (int i = 0; i < NODES; i++) {
        parents[i] = i == 0 ? -1 : (int)dice_roll(&seed, i < 20 ? (uint32_t)i : (uint32_t)i / 2);
        depths[i] = i == 0 ? 0 : depths[parents[i]] + 1;
        snprintf(id, sizeof id, "n%d", i);
        snprintf(parent, sizeof parent, "n%d", parents[i]);
        plant(id, i == 0 ? NULL : parent, i, NULL);
    }
}

static void all_nodes_are_told_once_level_by_level(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        plant_random(seed);
        for (int connections = 1; connections <= 4; connections += 3) {
            latch_dynamodb_tree tree;
            listing l = {.stops_at = SIZE_MAX};
            latch_dynamodb_tree_request request = request_of("n0");
            request.connections = connections;
            request.node = on_node;
            request.arg = &l;
            request.max_depth = 300;
            caller_again(&ann);
            network_well(&net);
            net.throttles_in = 30;
            net.loses_after_in = 40;
            net.holds_us = connections > 1 ? 100 : 0;
            assert_int_equal(latch_dynamodb_read_tree(&ann.cx, &request, &tree), LATCH_OK);
            assert_int_equal(l.count, NODES);
            assert_int_equal(l.wrong, 0);
            assert_int_equal(tree.nodes, NODES);
            assert_false(latch_has(tree.root, ""));
            assert_true(net.most_running <= (size_t)connections && (connections == 1 || net.most_running > 1));
            assert_int_equal(ann.usage.requests, net.requests);
        }
    }
}

static void wrong_listings_are_found(void **state) {
    latch_dynamodb_tree tree;
    listing l = {.stops_at = SIZE_MAX};
    (void)state;
    plant_random(5);
    parents[77] = 76 == parents[77] ? 75 : 76; /* the model is wrong: as if a node had been put below another */
    latch_dynamodb_tree_request request = request_of("n0");
    request.node = on_node;
    request.arg = &l;
    request.max_depth = 300;
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_true(l.wrong > 0);
}

static void a_level_of_many_pages_and_batches(void **state) {
    enum { KIDS = 230 };
    latch_dynamodb_tree tree;
    char *text = malloc(20001), kids[KIDS * 16 + 32], id[16];
    size_t at = 0;
    (void)state;
    assert_non_null(text);
    memset(text, 'x', 20000);
    text[20000] = '\0';
    at += (size_t)snprintf(kids, sizeof kids, "{\"SS\":[");
    for (int i = 0; i < KIDS; i++) {
        snprintf(id, sizeof id, "k%03d", i);
        at += (size_t)snprintf(kids + at, sizeof kids - at, "%s\"%s\"", i == 0 ? "" : ",", id);
        world_ask(&world, "PutItem",
                  "{\"TableName\":\"%s\",\"Item\":{\"id\":{\"S\":\"%s\"},\"at\":{\"N\":\"%d\"},\"parent\":{\"S\":\"top\"},\"text\":{\"S\":"
                  "\"%.*s\"}}}",
                  table, id, i, i < 60 ? 20000 : 10, text);
    }
    snprintf(kids + at, sizeof kids - at, "]}");
    world_ask(&world, "PutItem", "{\"TableName\":\"%s\",\"Item\":{\"id\":{\"S\":\"top\"},\"kids\":%s}}", table, kids);
    latch_dynamodb_tree_request request = request_of("top");
    request.max_depth = 1;
    net.room_bytes = (size_t)32 << 20;
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_int_equal(tree.nodes, KIDS + 1);
    assert_int_equal(tree.requests, 1 + 2); /* 1.2 MB are two pages */
    request.children = "kids";
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_int_equal(tree.nodes, KIDS + 1);
    assert_int_equal(tree.requests, 1 + 3);
    assert_false(tree.cut);
    free(text);
}

static void ids_may_be_numbers(void **state) {
    latch_dynamodb_tree tree;
    const char *numbers = unique_table("numbers");
    (void)state;
    world_ask(&world, "CreateTable",
              "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"nr\","
              "\"AttributeType\":\"N\"},{\"AttributeName\":\"up\",\"AttributeType\":\"N\"}],\"KeySchema\":[{\"AttributeName\":\"nr\","
              "\"KeyType\":\"HASH\"}],\"GlobalSecondaryIndexes\":[{\"IndexName\":\"by-up\",\"KeySchema\":[{\"AttributeName\":\"up\","
              "\"KeyType\":\"HASH\"}],\"Projection\":{\"ProjectionType\":\"ALL\"}}]}",
              numbers);
    world_ask(&world, "PutItem",
              "{\"TableName\":\"%s\",\"Item\":{\"nr\":{\"N\":\"1\"},\"kids\":{\"NS\":[\"2\"]},\"children\":{\"S\":\"x\"}}}", numbers);
    world_ask(&world, "PutItem",
              "{\"TableName\":\"%s\",\"Item\":{\"nr\":{\"N\":\"2\"},\"up\":{\"N\":\"1\"},\"kids\":{\"L\":[{\"N\":\"3\"}]}}}", numbers);
    world_ask(&world, "PutItem", "{\"TableName\":\"%s\",\"Item\":{\"nr\":{\"N\":\"3\"},\"up\":{\"N\":\"2\"}}}", numbers);
    latch_dynamodb_tree_request request = {
        .table = numbers, .root = LATCH_STR("1"), .numbers = true, .key = "nr", .parent = "up", .index = "by-up"};
    for (int i = 0; i < 2; i++) {
        int64_t nr = 0;
        assert_int_equal(read_it(&request, &tree), LATCH_OK);
        assert_int_equal(tree.nodes, 3);
        assert_int_equal(latch_read(tree.root, "children[0].children[0].nr", &nr), LATCH_OK); /* the item's own "children" gave way */
        assert_int_equal(nr, 3);
        request.children = "kids";
    }
    world_ask(&world, "DeleteTable", "{\"TableName\":\"%s\"}", numbers);
}

/* ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The stores' own table: its keys have two parts, of which the second is the same in all nodes. */
static void nodes_may_have_a_sort_key(void **state) {
    latch_dynamodb_tree_request request = {
        .root = LATCH_STR("TREE#a"), .key = "pk", .sort_key = "sk", .sort = "NODE", .parent = "gsi1pk", .index = "gsi1"};
    latch_dynamodb_tree tree;
    latch_str id;
    (void)state;
    for (const char *const *each = (const char *const[]){"a", "b", "c", NULL}; *each != NULL; each++)
        world_ask(&world, "PutItem",
                  "{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"TREE#%s\"},\"sk\":{\"S\":\"NODE\"},\"gsi1pk\":{\"S\":\"TREE#%s\"},"
                  "\"gsi1sk\":{\"S\":\"%s\"},\"kids\":{\"L\":[%s]}}}",
                  *each, **each == 'a' ? "none" : "a", *each, **each == 'a' ? "{\"S\":\"TREE#b\"},{\"S\":\"TREE#c\"}" : "");
    for (int listed = 0; listed < 2; listed++) {
        request.children = listed ? "kids" : NULL;
        assert_int_equal(read_it(&request, &tree), LATCH_OK);
        assert_true(tree.found);
        assert_int_equal(tree.nodes, 3);
        assert_int_equal(latch_read(tree.root, "children[1].pk", &id), LATCH_OK);
        assert_true(latch_str_eq(id, LATCH_STR("TREE#c")));
    }
    request.sort = "OTHER";
    assert_int_equal(read_it(&request, &tree), LATCH_OK);
    assert_false(tree.found);
    request.sort = NULL;
    assert_int_equal(read_it(&request, &tree), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "tree: .sort_key and .sort come together, and neither is empty");
}

static void bad_requests_are_refused(void **state) {
    static const struct {
        const char *root, *table, *index, *children;
        int max_depth, connections;
        size_t max_nodes;
        latch_status status;
        size_t requests;
    } rows[] = {
        {"", NULL, NULL, NULL, 0, 0, 0, LATCH_E_INPUT, 0},
        {"a", NULL, NULL, NULL, -1, 0, 0, LATCH_E_MISUSE, 0},
        {"a", NULL, NULL, NULL, LATCH_DYNAMODB_TREE_DEPTH_MAX + 1, 0, 0, LATCH_E_MISUSE, 0},
        {"a", NULL, NULL, NULL, 0, -1, 0, LATCH_E_MISUSE, 0},
        {"a", NULL, NULL, NULL, 0, 0, LATCH_DYNAMODB_TREE_NODES_MAX + 1, LATCH_E_MISUSE, 0},
        {"a", "nobody-made-this-table", NULL, NULL, 0, 0, 0, LATCH_E_MISUSE, 1},
        {"a", NULL, "no-such-index", NULL, 0, 0, 0, LATCH_E_MISUSE, 2},
        {"a", NULL, NULL, "kids", 0, 0, 0, LATCH_E_DATA, 1},
        {"b", NULL, NULL, "kids", 0, 0, 0, LATCH_E_DATA, 1},
    };
    (void)state;
    plant("a", NULL, 0, "{\"S\":\"no list\"}");
    plant("b", NULL, 0, "{\"L\":[{\"N\":\"5\"}]}");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_tree tree;
        latch_dynamodb_tree_request request = {.table = rows[i].table != NULL ? rows[i].table : table,
                                               .root = latch_str_of(rows[i].root),
                                               .index = rows[i].index,
                                               .children = rows[i].children,
                                               .max_depth = rows[i].max_depth,
                                               .connections = rows[i].connections,
                                               .max_nodes = rows[i].max_nodes};
        latch_status status = read_it(&request, &tree);
        if (status != rows[i].status || net.requests != rows[i].requests) fail_msg("row %zu: %d, %s", i, (int)status, ann.cx.err.message);
        assert_int_equal(ann.cx.err.status, status);
        assert_false(latch_has(tree.root, ""));
    }
}

static latch_status says_no(latch_ctx *cx, void *arg, const latch_dynamodb_node *node) {
    const bool *says_why = arg;
    (void)node;
    return *says_why ? latch_refuse(cx, LATCH_CONFLICT, "not this one") : LATCH_CONFLICT;
}

static void what_a_node_s_function_returns_is_told(void **state) {
    (void)state;
    plant("a", NULL, 0, NULL);
    for (int i = 0; i < 2; i++) {
        latch_dynamodb_tree tree;
        bool says_why = i == 1;
        latch_dynamodb_tree_request request = {.table = table, .root = LATCH_STR("a"), .node = says_no, .arg = &says_why};
        assert_int_equal(read_it(&request, &tree), LATCH_CONFLICT);
        assert_int_equal(ann.cx.err.status, LATCH_CONFLICT);
        assert_string_equal(ann.cx.err.message, says_why ? "not this one" : "tree: ended by .node: Conflict");
    }
}

/* It may be a client's. */
static void a_root_that_no_key_is_is_refused(void **state) {
    static char longest[2049 + 1];
    static const struct {
        const char *root;
        bool numbers;
        latch_status status;
    } rows[] = {
        {longest, false, LATCH_E_INPUT}, {longest + 1, false, LATCH_OK}, {"\xff", false, LATCH_E_INPUT},
        {"abc", true, LATCH_E_INPUT},    {"1e999", true, LATCH_E_INPUT}, {"123456789012345678901234567890123456789", true, LATCH_E_INPUT},
    };
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_tree tree;
        latch_dynamodb_tree_request request = {.table = table, .root = latch_str_of(rows[i].root), .numbers = rows[i].numbers};
        latch_status status = read_it(&request, &tree);
        if (status != rows[i].status || net.requests != (status == LATCH_OK))
            fail_msg("row %zu: %d, %s", i, (int)status, ann.cx.err.message);
    }
}

static void what_fails_midway_is_told(void **state) {
    (void)state;
    plant_random(8);
    for (int i = 0; i < 6; i++) {
        latch_dynamodb_tree tree;
        listing l = {.stops_at = i >= 4 ? 40 : SIZE_MAX};
        latch_dynamodb_tree_request request = request_of("n0");
        request.connections = i % 2 == 0 ? 1 : 4;
        request.max_depth = 40;
        request.node = i >= 4 ? on_node : NULL;
        request.arg = &l;
        caller_again(&ann);
        network_well(&net);
        net.fails_from = i < 2 ? 50 : 0;
        net.takes_ms = i == 2 || i == 3 ? 20 : 0;
        if (net.takes_ms > 0) ann.cx.deadline_at_ms = rig_now_ms(&world) + 1000;
        latch_status status = latch_dynamodb_read_tree(&ann.cx, &request, &tree);
        assert_int_equal(status, i < 2 ? LATCH_E_NETWORK : i < 4 ? LATCH_E_TIMEOUT : LATCH_CONFLICT);
        assert_int_equal(ann.cx.err.status, status);
        assert_true(tree.found);
        assert_true(tree.nodes < NODES);
        assert_int_equal(net.opened, net.closed);
    }
}

static void full_arenas_are_told(void **state) {
    size_t refused = 0, read = 0;
    (void)state;
    plant_random(8);
    for (size_t bytes = 128; bytes <= (size_t)2 << 20; bytes *= 2) {
        latch_dynamodb_tree tree;
        caller small;
        latch_dynamodb_tree_request request = request_of("n0");
        request.max_depth = 40;
        caller_init(&small, &net, bytes);
        latch_status status = latch_dynamodb_read_tree(&small.cx, &request, &tree);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        refused += status == LATCH_E_NOMEM;
        read += status == LATCH_OK;
        caller_clean_up(&small);
    }
    assert_true(refused > 3 && read > 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(children_that_know_their_parent),
    ROW(parents_that_list_their_children),
    ROW(a_root_that_is_not_there_is_an_answer),
    ROW(cycles_end),
    ROW(bounds_hold),
    ROW(all_nodes_are_told_once_level_by_level),
    ROW(wrong_listings_are_found),
    ROW(a_level_of_many_pages_and_batches),
    ROW(ids_may_be_numbers),
    ROW(nodes_may_have_a_sort_key),
    ROW(bad_requests_are_refused),
    ROW(what_a_node_s_function_returns_is_told),
    ROW(a_root_that_no_key_is_is_refused),
    ROW(what_fails_midway_is_told),
    ROW(full_arenas_are_told),
};

CHECK_MAIN(tests)

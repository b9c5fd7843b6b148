#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/bulk.h"
#include "store/items.h"
#include "store/tables.h"
#include "store/transact.h"
#include "store/tree.h"
#include "tests/policies/calls.h"

/* ── one item ── */

static latch_json item_key(rig *r, const char *sk) { return latch_object(&r->cx, "pk", key, "sk", sk); }
static latch_json item(rig *r, const char *sk) { return latch_object(&r->cx, "pk", key, "sk", sk, "n", latch_int(1)); }

static latch_status put_by(rig *r, const char *sk) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, sk)}, NULL);
}

static latch_status bob_puts(void) { return put_by(bob, "s"); }
static latch_status item_put(rig *r) { return put_by(r, "s"); }

static latch_status item_put_new(rig *r) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, "s"), .condition = "attribute_not_exists(#pk)"}, NULL);
}

static latch_status item_put_indexed(rig *r) {
    latch_json one = latch_object(&r->cx, "pk", key, "sk", "s", "gsi1pk", key, "gsi1sk", "s");
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.table = "indexed", .item = one}, NULL);
}

static latch_status item_put_exactly_once(rig *r) {
    return latch_dynamodb_put(&r->cx, &(latch_dynamodb_put_request){.item = item(r, "s"), .exactly_once = true}, NULL);
}

static latch_status get_item(rig *r, bool eventual) {
    latch_json found;
    return latch_dynamodb_get(&r->cx, &(latch_dynamodb_get_request){.key = item_key(r, "s"), .eventual = eventual}, &found);
}

static latch_status item_get(rig *r) { return get_item(r, false); }
static latch_status item_get_eventual(rig *r) { return get_item(r, true); }

static latch_status update_item(rig *r, bool exactly_once) {
    return latch_dynamodb_update(
        &r->cx,
        &(latch_dynamodb_update_request){
            .key = item_key(r, "s"), .update = "ADD #n :one", .values = LATCH_VALUES(":one", latch_int(1)), .exactly_once = exactly_once},
        NULL);
}

static latch_status item_update(rig *r) { return update_item(r, false); }
static latch_status item_update_exactly_once(rig *r) { return update_item(r, true); }

static latch_status delete_item(rig *r, bool exactly_once) {
    return latch_dynamodb_delete(&r->cx, &(latch_dynamodb_delete_request){.key = item_key(r, "s"), .exactly_once = exactly_once}, NULL);
}

static latch_status item_delete(rig *r) { return delete_item(r, false); }
static latch_status item_delete_exactly_once(rig *r) { return delete_item(r, true); }

/* ── query and scan ── */

#define PAGE_ITEMS 8
#define PAGE_TEXT_BYTES 400 /* so that 8 items are under 4 KB */

static latch_status bob_puts_a_page(void) {
    char text[PAGE_TEXT_BYTES + 1] = {0};
    memset(text, 'x', PAGE_TEXT_BYTES);
    for (int i = 0; i < PAGE_ITEMS; i++) {
        char sk[8];
        snprintf(sk, sizeof sk, "s%d", i);
        latch_json one = latch_object(&bob->cx, "pk", key, "sk", sk, "gsi1pk", key, "gsi1sk", sk, "text", text);
        LATCH_TRY(latch_dynamodb_put(&bob->cx, &(latch_dynamodb_put_request){.table = "indexed", .item = one}, NULL));
    }
    return LATCH_OK;
}

static latch_status query(rig *r, const char *index, const char *condition, latch_dynamodb_consistency consistency) {
    latch_dynamodb_pages pages;
    int64_t count;
    LATCH_TRY(latch_dynamodb_query(
        &r->cx,
        &(latch_dynamodb_query_request){
            .table = "indexed", .index = index, .key_condition = condition, .values = LATCH_VALUES(":k", key), .consistency = consistency},
        &pages));
    LATCH_TRY(latch_dynamodb_count(&pages, &count));
    return count == PAGE_ITEMS ? LATCH_OK : LATCH_E_DATA;
}

static latch_status query_table(rig *r) { return query(r, NULL, "#pk = :k", LATCH_DYNAMODB_DEFAULT); }
static latch_status query_eventual(rig *r) { return query(r, NULL, "#pk = :k", LATCH_DYNAMODB_EVENTUAL); }
static latch_status query_index(rig *r) { return query(r, "gsi1", "#gsi1pk = :k", LATCH_DYNAMODB_DEFAULT); }

static latch_status scan(rig *r) {
    latch_dynamodb_pages pages;
    int64_t count;
    LATCH_TRY(latch_dynamodb_scan(&r->cx, &(latch_dynamodb_scan_request){.table = "scanned"}, &pages));
    return latch_dynamodb_count(&pages, &count);
}

/* ── many items ── */

#define MANY 30

static latch_status batch_write(rig *r, const char *table) {
    latch_dynamodb_write writes[MANY];
    latch_dynamodb_written all;
    for (int i = 0; i < MANY; i++) {
        latch_str sk = latch_ctx_text(&r->cx, "s%d", i);
        writes[i] = (latch_dynamodb_write){.put = latch_object(&r->cx, "pk", key, "sk", sk)};
    }
    return latch_dynamodb_batch_write(&r->cx, &(latch_dynamodb_batch_write_request){.writes = writes, .count = MANY, .table = table}, &all);
}

static latch_status bob_writes_many(void) { return batch_write(bob, NULL); }
static latch_status bulk_write(rig *r) { return batch_write(r, NULL); }
static latch_status bulk_write_elsewhere(rig *r) { return batch_write(r, "indexed"); }

static latch_status batch_get(rig *r, const char *table, bool eventual) {
    latch_dynamodb_read reads[MANY];
    latch_dynamodb_gotten all;
    for (int i = 0; i < MANY; i++)
        reads[i] = (latch_dynamodb_read){.key = latch_object(&r->cx, "pk", key, "sk", latch_ctx_text(&r->cx, "s%d", i))};
    const latch_dynamodb_batch_get_request request = {.reads = reads, .count = MANY, .table = table, .eventual = eventual};
    return latch_dynamodb_batch_get(&r->cx, &request, &all);
}

static latch_status bulk_get(rig *r) { return batch_get(r, NULL, false); }
static latch_status bulk_get_eventual(rig *r) { return batch_get(r, NULL, true); }

static latch_status bob_writes_many_elsewhere(void) { return batch_write(bob, "indexed"); }
static latch_status bulk_get_elsewhere(rig *r) { return batch_get(r, "indexed", false); }

/* ── transactions ── */

static latch_status transact(rig *r, const char *condition) {
    latch_dynamodb_cancelled why;
    const latch_dynamodb_transact_write_request request = {LATCH_ACTIONS(
        {LATCH_ACTION_PUT, .item = item(r, "put")},
        {LATCH_ACTION_UPDATE, .key = item_key(r, "update"), .update = "SET #n = :n", .values = LATCH_VALUES(":n", latch_int(1))},
        {LATCH_ACTION_DELETE, .key = item_key(r, "delete")}, {LATCH_ACTION_CHECK, .key = item_key(r, "check"), .condition = condition})};
    return latch_dynamodb_transact_write(&r->cx, &request, &why);
}

static latch_status transact_write(rig *r) { return transact(r, "attribute_not_exists(#pk)"); }
static latch_status transact_write_refused(rig *r) { return transact(r, "attribute_exists(#pk)"); }

static latch_status transact_get(rig *r) {
    latch_json items[2];
    const latch_dynamodb_get_request gets[] = {{.key = item_key(r, "s")}, {.key = item_key(r, "t")}};
    return latch_dynamodb_transact_get(&r->cx, &(latch_dynamodb_transact_get_request){.gets = gets, .count = 2}, items);
}

/* ── a tree ── */

static latch_status plant_node(const char *id, const char *parent, const char *kids) {
    latch_json list;
    LATCH_TRY(latch_parse(&bob->cx, "kids", latch_str_of(kids), &list));
    latch_json one = latch_object(&bob->cx, "id", id, "parent", parent, "kids", list);
    return latch_dynamodb_put(&bob->cx, &(latch_dynamodb_put_request){.table = "nodes", .item = one}, NULL);
}

static latch_status read_tree(rig *r, const char *children) {
    latch_dynamodb_tree tree;
    const latch_dynamodb_tree_request request = {.table = "nodes", .root = LATCH_STR("root"), .children = children};
    LATCH_TRY(latch_dynamodb_read_tree(&r->cx, &request, &tree));
    return tree.nodes == 3 ? LATCH_OK : LATCH_E_DATA;
}

static latch_status tree_by_index(rig *r) { return read_tree(r, NULL); }
static latch_status tree_by_lists(rig *r) { return read_tree(r, "kids"); }

const play item_plays[] = {
    {CALL(dynamodb_get, "always"), .prepare = bob_puts, .go = item_get},
    {CALL(dynamodb_get, "`.eventual`"), .prepare = bob_puts, .go = item_get_eventual},
    {CALL(dynamodb_get, "there is none"), .go = item_get, .wants = LATCH_MISSING},
    {CALL(dynamodb_put, "always"), .go = item_put},
    {CALL(dynamodb_put, "its condition is false"), .prepare = bob_puts, .go = item_put_new, .wants = LATCH_CONFLICT},
    {CALL(dynamodb_put, "of an item that one index has too"), .go = item_put_indexed},
    {CALL(dynamodb_put, "`.exactly_once`"), .go = item_put_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_update, "always"), .go = item_update},
    {CALL(dynamodb_update, "`.exactly_once`"), .go = item_update_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_delete, "always"), .prepare = bob_puts, .go = item_delete},
    {CALL(dynamodb_delete, "`.exactly_once`"), .prepare = bob_puts, .go = item_delete_exactly_once, .local_counts_otherwise = true},
    {CALL(dynamodb_query, "a page of 8 items, under 4 KB together"), .prepare = bob_puts_a_page, .go = query_table},
    {CALL(dynamodb_query, "the same, eventual"), .prepare = bob_puts_a_page, .go = query_eventual},
    {CALL(dynamodb_query, "the same, of an index"), .grant = "latch_dynamodb_query of an index", .prepare = bob_puts_a_page,
     .go = query_index},
    {CALL(dynamodb_scan, "a page of under 4 KB"), .go = scan},
    {CALL(dynamodb_batch_write, "30 items"), .go = bulk_write},
    {CALL(dynamodb_batch_write, "30 items of another table, whose key is not given"),
     .grant = "latch_dynamodb_batch_write to a table without `.keys`", .go = bulk_write_elsewhere},
    {CALL(dynamodb_batch_get, "30 items"), .prepare = bob_writes_many, .go = bulk_get},
    {CALL(dynamodb_batch_get, "30 items, `.eventual`"), .prepare = bob_writes_many, .go = bulk_get_eventual},
    {CALL(dynamodb_batch_get, "30 items of another table, whose key is not given"),
     .grant = "latch_dynamodb_batch_get from a table without `.keys`", .prepare = bob_writes_many_elsewhere, .go = bulk_get_elsewhere},
    {CALL(dynamodb_transact_write, "4 actions, one of them a check"), .go = transact_write, .local_counts_otherwise = true},
    {CALL(dynamodb_transact_write, "the same, and the check fails"), .go = transact_write_refused, .wants = LATCH_CONFLICT},
    {CALL(dynamodb_transact_get, "2 items"), .go = transact_get},
    {CALL(dynamodb_read_tree, "a root and its 2 children, by an index"), .go = tree_by_index, .local_counts_otherwise = true},
    {CALL(dynamodb_read_tree, "the same, by lists (`.children`)"), .grant = "latch_dynamodb_read_tree with `.children`",
     .go = tree_by_lists},
    {0},
};

/* ── tables ── */

static const char *table(void) {
    static char name[64];
    snprintf(name, sizeof name, "table-%.*s", LATCH_ARG(key));
    return name;
}

static latch_status create_by(rig *r) { return latch_dynamodb_table_create(&r->cx, table(), NULL); }

static latch_status bob_creates(void) {
    LATCH_TRY(create_by(bob));
    return latch_dynamodb_table_wait(&bob->cx, table(), NULL);
}

static latch_status bob_ensures(void) {
    latch_dynamodb_ensured ensured;
    return latch_dynamodb_table_ensure(&bob->cx, table(), NULL, NULL, &ensured);
}

static latch_status table_create(rig *r) { return create_by(r); }

static latch_status table_ensure(rig *r) {
    latch_dynamodb_ensured ensured;
    return latch_dynamodb_table_ensure(&r->cx, table(), NULL, NULL, &ensured);
}

static latch_status table_describe(rig *r) {
    latch_dynamodb_table_info info;
    return latch_dynamodb_table_describe(&r->cx, table(), &info);
}

static latch_status table_delete(rig *r) { return latch_dynamodb_table_delete(&r->cx, table()); }
static latch_status table_wait(rig *r) { return latch_dynamodb_table_wait(&r->cx, table(), NULL); }
static latch_status table_wait_gone(rig *r) { return latch_dynamodb_table_wait_gone(&r->cx, table(), NULL); }
static latch_status table_ttl(rig *r) { return latch_dynamodb_table_ttl(&r->cx, table(), "ttl", NULL); }

static latch_status table_health(rig *r) {
    latch_dynamodb_health health;
    return latch_dynamodb_table_health(&r->cx, table(), &health);
}

const play table_plays[] = {
    {CALL(dynamodb_table_create, "always"), .go = table_create},
    {CALL(dynamodb_table_wait, "it is there"), .prepare = bob_creates, .go = table_wait},
    {CALL(dynamodb_table_wait_gone, "it isn't there"), .go = table_wait_gone},
    {CALL(dynamodb_table_ensure, "it is there as it should be"), .prepare = bob_ensures, .go = table_ensure},
    {CALL(dynamodb_table_ensure, "it is created, and active at the first look"), .grant = "latch_dynamodb_table_ensure that creates",
     .go = table_ensure},
    {CALL(dynamodb_table_ttl, "turned on"), .prepare = bob_creates, .go = table_ttl},
    {CALL(dynamodb_table_ttl, "it is on"), .prepare = bob_ensures, .go = table_ttl},
    {CALL(dynamodb_table_describe, "always"), .prepare = bob_creates, .go = table_describe},
    {CALL(dynamodb_table_health, "always"), .prepare = bob_creates, .go = table_health},
    {CALL(dynamodb_table_delete, "always"), .prepare = bob_creates, .go = table_delete},
    {0},
};

/* ── what they stand on ── */

static void create(const char *name, const latch_dynamodb_schema *schema) {
    need(bob, latch_dynamodb_table_create(&bob->cx, name, schema));
    need(bob, latch_dynamodb_table_wait(&bob->cx, name, NULL));
}

void items_open(void) {
    static const latch_dynamodb_index by_parent = {.name = "parent-index", .pk = {"parent", "S"}};
    static const latch_dynamodb_schema nodes = {.pk = {"id", "S"}, .indexes = &by_parent, .index_count = 1}, keyed = {.pk = {"pk", "S"}};
    create("indexed", NULL);
    create("scanned", &keyed);
    create("nodes", &nodes);
    need(bob, plant_node("root", "nobody", "[\"a\",\"b\"]"));
    need(bob, plant_node("a", "root", "[]"));
    need(bob, plant_node("b", "root", "[]"));
    for (int i = 0; i < PAGE_ITEMS; i++) {
        latch_json one = latch_object(&bob->cx, "pk", latch_ctx_text(&bob->cx, "k%d", i));
        need(bob, latch_dynamodb_put(&bob->cx, &(latch_dynamodb_put_request){.table = "scanned", .item = one}, NULL));
    }
}

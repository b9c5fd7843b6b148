/* CreateTable, DescribeTable, DeleteTable, ListTables, UpdateTimeToLive, DescribeTimeToLive; update_table.c has UpdateTable. */
#include <string.h>

#include "store/embedded/inside.h"

#define ARN "arn:aws:dynamodb:ddblocal:000000000000:table/" /* as DynamoDB Local's */
#define LIST_MAX 100
#define WORDS_SLACK 256 /* a second reading may be aligned otherwise */

/* ── describing ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool add_arn(latch_op *op, yyjson_mut_val *object, const char *name, latch_str table, latch_str index) {
    static const char between[] = "/index/";
    size_t head = sizeof ARN - 1, len = head + table.len + (index.len > 0 ? sizeof between - 1 + index.len : 0);
    char *arn = latch_arena_alloc(op->arena, len);
    if (arn == NULL) return latch_op_full(op);
    memcpy(arn, ARN, head);
    memcpy(arn + head, table.ptr, table.len);
    if (index.len > 0) memcpy(arn + head + table.len, between, sizeof between - 1);
    if (index.len > 0) memcpy(arn + len - index.len, index.ptr, index.len);
    return latch_op_add_text(op, object, name, (latch_str){arn, len});
}

static yyjson_mut_val *append_object(latch_op *op, yyjson_mut_val *list) {
    yyjson_mut_val *object = yyjson_mut_obj(op->doc);
    if (object != NULL && yyjson_mut_arr_append(list, object)) return object;
    (void)latch_op_full(op);
    return NULL;
}

static bool add_key(latch_op *op, yyjson_mut_val *list, latch_str name, const char *type) {
    yyjson_mut_val *key = append_object(op, list);
    return key != NULL && latch_op_add_text(op, key, "AttributeName", name) && latch_op_add_text(op, key, "KeyType", latch_str_of(type));
}

static bool add_keys(latch_op *op, yyjson_mut_val *object, const latch_keys *keys) {
    yyjson_mut_val *list = latch_op_list(op, object, "KeySchema");
    return list != NULL && add_key(op, list, keys->partition, "HASH") && (keys->sort.len == 0 || add_key(op, list, keys->sort, "RANGE"));
}

static bool add_definitions(latch_op *op, yyjson_mut_val *object, const latch_schema *schema) {
    yyjson_mut_val *list = latch_op_list(op, object, "AttributeDefinitions");
    for (size_t i = 0; list != NULL && i < schema->definition_count; i++) {
        yyjson_mut_val *one = append_object(op, list);
        if (one == NULL || !latch_op_add_text(op, one, "AttributeName", schema->definitions[i].name)) return false;
        if (!latch_op_add_text(op, one, "AttributeType", latch_str_of(latch_type_name(schema->definitions[i].type)))) return false;
    }
    return list != NULL;
}

static bool add_throughput(latch_op *op, yyjson_mut_val *object, int64_t read, int64_t write) {
    yyjson_mut_val *units = latch_op_object(op, object, "ProvisionedThroughput");
    return units != NULL && latch_op_add_int(op, units, "NumberOfDecreasesToday", 0) &&
           latch_op_add_int(op, units, "ReadCapacityUnits", read) && latch_op_add_int(op, units, "WriteCapacityUnits", write);
}

static bool add_projection(latch_op *op, yyjson_mut_val *object, const latch_index_schema *index) {
    static const char *const types[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    yyjson_mut_val *projection = latch_op_object(op, object, "Projection");
    if (projection == NULL || !latch_op_add_text(op, projection, "ProjectionType", latch_str_of(types[index->projected]))) return false;
    if (index->projected != LATCH_PROJECTED_INCLUDE) return true;
    yyjson_mut_val *names = latch_op_list(op, projection, "NonKeyAttributes");
    for (size_t i = 0; names != NULL && i < index->included_count; i++)
        if (!yyjson_mut_arr_add_strn(op->doc, names, index->included[i].ptr, index->included[i].len)) return latch_op_full(op);
    return names != NULL;
}

/* Sizes are those of this moment; DynamoDB's are up to six hours old. */
typedef struct sizes {
    size_t count;
    uint64_t bytes;
} sizes;

static bool add_sizes(latch_op *op, yyjson_mut_val *object, const char *name, sizes s) {
    return latch_op_add_int(op, object, name, (int64_t)s.bytes) && latch_op_add_int(op, object, "ItemCount", (int64_t)s.count);
}

static bool add_index(latch_op *op, yyjson_mut_val *list, const latch_schema *schema, const latch_index_schema *index, sizes s) {
    yyjson_mut_val *one = append_object(op, list);
    if (one == NULL || !latch_op_add_text(op, one, "IndexName", index->name) || !add_keys(op, one, &index->keys)) return false;
    if (!add_projection(op, one, index)) return false;
    if (index->global && !latch_op_add_text(op, one, "IndexStatus", LATCH_STR("ACTIVE"))) return false;
    if (index->global && !schema->on_demand && !add_throughput(op, one, index->read_units, index->write_units)) return false;
    return add_sizes(op, one, "IndexSizeBytes", s) && add_arn(op, one, "IndexArn", schema->name, index->name);
}

static bool add_indexes(latch_op *op, yyjson_mut_val *object, const latch_schema *schema, const sizes *all, bool global) {
    yyjson_mut_val *list = NULL;
    for (size_t i = 0; i < schema->index_count; i++) {
        if (schema->indexes[i].global != global) continue;
        if (list == NULL) list = latch_op_list(op, object, global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes");
        if (list == NULL || !add_index(op, list, schema, &schema->indexes[i], all[i + 1])) return false;
    }
    return true;
}

/* Who never paid per request has no summary. */
static bool add_billing(latch_op *op, yyjson_mut_val *object, const latch_memtable *table) {
    const latch_schema *schema = &table->schema;
    if (!add_throughput(op, object, schema->read_units, schema->write_units)) return false;
    if (table->on_demand_at_ms == 0) return true;
    yyjson_mut_val *billing = latch_op_object(op, object, "BillingModeSummary");
    latch_str mode = schema->on_demand ? LATCH_STR("PAY_PER_REQUEST") : LATCH_STR("PROVISIONED");
    return billing != NULL && latch_op_add_text(op, billing, "BillingMode", mode) &&
           latch_op_add_real(op, billing, "LastUpdateToPayPerRequestDateTime", (double)table->on_demand_at_ms / 1000);
}

/* locked. An index's bytes are known only by reading all of it: where it projects all, they are counted as the table's average. */
static sizes *measure(latch_op *op, const latch_memtable *table) {
    size_t count = table->schema.index_count + 1;
    sizes *all = latch_arena_alloc(op->arena, count * sizeof *all);
    if (all == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        all[i].count = table->live[i].count;
        all[i].bytes = table->live[0].count > 0 ? table->item_bytes / table->live[0].count * all[i].count : 0;
    }
    all[0].bytes = table->item_bytes;
    return all;
}

/* locked */
static bool describe(latch_op *op, const char *name, const latch_memtable *table, const char *status) {
    const latch_schema *schema = &table->schema;
    yyjson_mut_val *out = latch_op_object(op, op->answer, name);
    const sizes *all = measure(op, table);
    if (all == NULL) return latch_op_full(op);
    return out != NULL && add_definitions(op, out, schema) && latch_op_add_text(op, out, "TableName", schema->name) &&
           add_keys(op, out, &schema->keys) && latch_op_add_text(op, out, "TableStatus", latch_str_of(status)) &&
           latch_op_add_real(op, out, "CreationDateTime", (double)table->created_at_ms / 1000) && add_billing(op, out, table) &&
           add_sizes(op, out, "TableSizeBytes", all[0]) && add_arn(op, out, "TableArn", schema->name, (latch_str){NULL, 0}) &&
           add_indexes(op, out, schema, all, false) && add_indexes(op, out, schema, all, true) &&
           latch_op_add_bool(op, out, "DeletionProtectionEnabled", schema->is_protected);
}

bool latch_op_describe(latch_op *op, const char *name, const latch_memtable *table, const char *status) {
    pthread_mutex_lock(&op->engine->lock);
    bool done = describe(op, name, table, status);
    pthread_mutex_unlock(&op->engine->lock);
    return done;
}

/* ── creating and deleting ─────────────────────────────────────────────────────────────────────────────────────────── */

/* locked */
static bool insert_table(latch_embedded *engine, latch_memtable *table, size_t at) {
    if (engine->table_count == engine->table_room) {
        size_t room = engine->table_room == 0 ? 8 : 2 * engine->table_room;
        latch_memtable **tables = latch_budget_alloc(&engine->budget, room * sizeof(latch_memtable *), 0);
        if (tables == NULL) return false;
        if (engine->table_count > 0) memcpy(tables, engine->tables, engine->table_count * sizeof(latch_memtable *));
        latch_budget_free(&engine->budget, engine->tables);
        engine->tables = tables;
        engine->table_room = room;
    }
    memmove(&engine->tables[at + 1], &engine->tables[at], (engine->table_count - at) * sizeof(latch_memtable *));
    engine->tables[at] = table;
    engine->table_count++;
    latch_memtable_keep(table);
    return true;
}

static bool publish(latch_op *op, latch_memtable *table) {
    size_t at;
    pthread_mutex_lock(&op->engine->lock);
    bool exists = latch_engine_find(op->engine, table->schema.name, &at) != NULL;
    op->applied = !exists && insert_table(op->engine, table, at);
    pthread_mutex_unlock(&op->engine->lock);
    if (exists) return latch_fault_set(&op->fault, op->arena, "ResourceInUseException", "Cannot create preexisting table");
    return op->applied || latch_op_over_bound(op);
}

bool latch_op_create_table(latch_op *op) {
    latch_schema schema;
    size_t before = latch_arena_mark(op->arena);
    if (!latch_schema_read(op->request, &schema, op->arena, &op->fault)) return false;
    size_t words_bytes = latch_arena_mark(op->arena) - before + WORDS_SLACK;
    latch_memtable *table =
        latch_memtable_make(op->request, words_bytes, &op->engine->budget, op->engine->seed, op->engine->lag_ms, op->now_ms);
    if (table == NULL) return latch_op_over_bound(op);
    bool held = latch_op_hold_table(op, table);
    bool done = held && publish(op, table) && latch_op_describe(op, "TableDescription", table, "ACTIVE");
    latch_memtable_release(table);
    return done;
}

bool latch_op_describe_table(latch_op *op) {
    latch_memtable *table;
    return latch_op_table(op, op->request, &table) && latch_op_describe(op, "Table", table, "ACTIVE");
}

/* Its items go when the last request that holds it has ended. */
bool latch_op_delete_table(latch_op *op) {
    latch_memtable *table;
    size_t at;
    if (!latch_op_table(op, op->request, &table) || !latch_op_lock(op, table)) return false;
    bool is_protected = table->schema.is_protected;
    if (is_protected || !describe(op, "TableDescription", table, "DELETING")) {
        latch_op_unlock(op);
        if (!is_protected) return false;
        return latch_invalid(
            &op->fault, op->arena,
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.");
    }
    latch_embedded *engine = op->engine;
    (void)latch_engine_find(engine, table->schema.name, &at);
    table->dropped = true;
    engine->table_count--;
    memmove(&engine->tables[at], &engine->tables[at + 1], (engine->table_count - at) * sizeof(latch_memtable *));
    latch_op_unlock(op);
    latch_memtable_release(table); /* the engine's hold; the op has its own */
    return op->applied = true;
}

/* ── ListTables ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_limit(latch_op *op, size_t *out) {
    yyjson_val *limit = latch_member(op->request, "Limit");
    int64_t n = limit != NULL ? yyjson_get_sint(limit) : LIST_MAX;
    *out = (size_t)n;
    if (n < 1) return latch_invalid(&op->fault, op->arena, "Limit must be greater than or equal to 1");
    return n <= LIST_MAX || latch_invalid(&op->fault, op->arena, "Limit in ListTables must be <= 100");
}

bool latch_op_list_tables(latch_op *op) {
    latch_str from = latch_member_text(op->request, "ExclusiveStartTableName"), last = {NULL, 0};
    latch_embedded *engine = op->engine;
    size_t limit, at = 0;
    yyjson_mut_val *names = latch_op_list(op, op->answer, "TableNames");
    if (names == NULL || !read_limit(op, &limit)) return false;
    if (from.ptr != NULL && !latch_schema_check_name(from, op->arena, &op->fault)) return false;
    pthread_mutex_lock(&engine->lock);
    if (from.ptr != NULL && latch_engine_find(engine, from, &at) != NULL) at++;
    bool ok = true;
    for (; ok && at < engine->table_count && limit > 0; at++, limit--) {
        last = engine->tables[at]->schema.name;
        ok = yyjson_mut_arr_add_strncpy(op->doc, names, last.ptr, last.len);
    }
    if (ok && at < engine->table_count) ok = yyjson_mut_obj_add_strncpy(op->doc, op->answer, "LastEvaluatedTableName", last.ptr, last.len);
    pthread_mutex_unlock(&engine->lock);
    return ok || latch_op_full(op);
}

/* ── TTL ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_ttl(latch_op *op, latch_str *attribute, bool *on) {
    yyjson_val *ttl = latch_member(op->request, "TimeToLiveSpecification"), *enabled = latch_member(ttl, "Enabled");
    *on = yyjson_get_bool(enabled);
    if (ttl == NULL) return latch_invalid(&op->fault, op->arena, "TimeToLiveSpecification cannot be null");
    *attribute = latch_member_text(ttl, "AttributeName");
    if (attribute->ptr == NULL || enabled == NULL)
        return latch_invalid(&op->fault, op->arena, "AttributeName cannot be null when time to live is being enabled");
    if (attribute->len >= 1 && attribute->len <= 255) return true;
    return latch_invalid(&op->fault, op->arena,
                         "Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive");
}

/* locked */
static bool set_ttl(latch_op *op, latch_memtable *table, latch_str attribute, bool on) {
    latch_str now = latch_str_of(table->ttl_attribute);
    if (now.len > 0 && !latch_str_eq(now, attribute))
        return latch_invalid(&op->fault, op->arena, "TimeToLive is active on a different AttributeName");
    if (on == (now.len > 0)) return latch_invalid(&op->fault, op->arena, "TimeToLive is already %s", on ? "enabled" : "disabled");
    latch_memtable_set_ttl(table, on ? attribute : (latch_str){NULL, 0}, op->now_ms);
    latch_engine_schedule(op->engine, table);
    return op->applied = true;
}

bool latch_op_update_ttl(latch_op *op) {
    latch_memtable *table;
    latch_str attribute;
    bool on = false;
    if (!latch_op_table(op, op->request, &table) || !read_ttl(op, &attribute, &on) || !latch_op_lock(op, table)) return false;
    bool set = set_ttl(op, table, attribute, on);
    latch_op_unlock(op);
    yyjson_mut_val *out = set ? latch_op_object(op, op->answer, "TimeToLiveSpecification") : NULL;
    return out != NULL && latch_op_add_bool(op, out, "Enabled", on) && latch_op_add_text(op, out, "AttributeName", attribute);
}

bool latch_op_describe_ttl(latch_op *op) {
    latch_memtable *table;
    char attribute[sizeof table->ttl_attribute];
    if (!latch_op_table(op, op->request, &table) || !latch_op_lock(op, table)) return false;
    memcpy(attribute, table->ttl_attribute, sizeof attribute);
    latch_op_unlock(op);
    bool on = attribute[0] != '\0';
    yyjson_mut_val *out = latch_op_object(op, op->answer, "TimeToLiveDescription");
    if (out == NULL || !latch_op_add_text(op, out, "TimeToLiveStatus", latch_str_of(on ? "ENABLED" : "DISABLED"))) return false;
    return !on || latch_op_add(op, out, "AttributeName", yyjson_mut_strcpy(op->doc, attribute));
}

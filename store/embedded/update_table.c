/* UpdateTable, of what can change of a table that is there: billing, throughput, protection; and DescribeLimits. */
#include <string.h>

#include "store/embedded/inside.h"

/* The parts of a schema that an update changes: worked out apart, then put in place all together. */
typedef struct next {
    latch_schema schema; /* its `indexes` are a copy; all else is the table's */
    bool any;            /* something was asked for */
} next;

static bool same_units(latch_op *op) {
    return latch_invalid(&op->fault, op->arena, "The requested throughput value equals the current value");
}

static bool read_units(latch_op *op, yyjson_val *json, int64_t *read, int64_t *write) {
    int64_t r = yyjson_get_sint(latch_member(json, "ReadCapacityUnits")), w = yyjson_get_sint(latch_member(json, "WriteCapacityUnits"));
    if (r < 1 || w < 1)
        return latch_invalid(&op->fault, op->arena, "Table read and write throughput must be at least 1, and cannot be null");
    if (r == *read && w == *write) return same_units(op);
    *read = r;
    *write = w;
    return true;
}

/* ── billing ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_billing(latch_op *op, next *n) {
    static const char *const modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
    size_t mode;
    if (!latch_op_choice(op, op->request, "BillingMode", "billingMode", modes, &mode)) return false;
    if (latch_member(op->request, "BillingMode") == NULL) return true;
    n->any = true;
    n->schema.on_demand = mode == 1;
    if (mode == 0) return true;
    n->schema.read_units = n->schema.write_units = 0;
    for (size_t i = 0; i < n->schema.index_count; i++)
        n->schema.indexes[i].read_units = n->schema.indexes[i].write_units = 0;
    return true;
}

/* DynamoDB Local takes units where there are none to set. */
static bool refuse_units(latch_op *op) {
    return latch_invalid(
        &op->fault, op->arena,
        "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
        "BillingMode is PAY_PER_REQUEST");
}

static bool read_throughput(latch_op *op, next *n) {
    yyjson_val *units = latch_member(op->request, "ProvisionedThroughput");
    if (units == NULL) return true;
    n->any = true;
    return n->schema.on_demand ? refuse_units(op) : read_units(op, units, &n->schema.read_units, &n->schema.write_units);
}

/* ── global indexes ────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_index_schema *find_global(const next *n, latch_str name) {
    for (size_t i = 0; i < n->schema.index_count; i++)
        if (n->schema.indexes[i].global && latch_str_eq(n->schema.indexes[i].name, name)) return &n->schema.indexes[i];
    return NULL;
}

static bool read_index_update(latch_op *op, next *n, yyjson_val *element) {
    yyjson_val *update = latch_member(element, "Update");
    if (latch_member(element, "Create") != NULL || latch_member(element, "Delete") != NULL)
        return latch_invalid(&op->fault, op->arena,
                             "The embedded store can't create or delete an index of a table that is there: create the table anew with the "
                             "indexes that it is to have");
    if (update == NULL) return latch_invalid(&op->fault, op->arena, "Update global secondary index action is null");
    latch_index_schema *index = find_global(n, latch_member_text(update, "IndexName"));
    if (index == NULL) return latch_fault_set(&op->fault, op->arena, "ResourceNotFoundException", "Requested resource not found");
    if (n->schema.on_demand) return refuse_units(op);
    return read_units(op, latch_member(update, "ProvisionedThroughput"), &index->read_units, &index->write_units);
}

static bool read_indexes(latch_op *op, next *n) {
    yyjson_val *updates = latch_member(op->request, "GlobalSecondaryIndexUpdates"), *element;
    size_t i, max;
    if (yyjson_arr_size(updates) > 0) n->any = true;
    yyjson_arr_foreach(updates, i, max, element) if (!read_index_update(op, n, element)) return false;
    return true;
}

/* ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_others(latch_op *op, next *n) {
    static const char *const without_effect[] = {"TableClass", "OnDemandThroughput", "SSESpecification", "WarmThroughput"};
    static const char *const refused[] = {"StreamSpecification", "ReplicaUpdates"};
    yyjson_val *protection = latch_member(op->request, "DeletionProtectionEnabled");
    if (protection != NULL) n->schema.is_protected = yyjson_get_bool(protection);
    n->any = n->any || protection != NULL;
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        n->any = n->any || latch_member(op->request, without_effect[i]) != NULL;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (latch_member(op->request, refused[i]) != NULL)
            return latch_invalid(&op->fault, op->arena, "The embedded store has no streams and no replicas: leave %s out", refused[i]);
    return n->any || latch_invalid(&op->fault, op->arena, "Nothing to update");
}

static bool check_units(latch_op *op, const next *n) {
    if (n->schema.on_demand) return true;
    if (n->schema.read_units == 0) return latch_invalid(&op->fault, op->arena, "No provisioned throughput specified for the table");
    for (size_t i = 0; i < n->schema.index_count; i++)
        if (n->schema.indexes[i].global && n->schema.indexes[i].read_units == 0)
            return latch_invalid(&op->fault, op->arena, "No provisioned throughput specified for the global secondary index");
    return true;
}

/* locked */
static bool update(latch_op *op, latch_memtable *table) {
    next n = {.schema = table->schema};
    size_t bytes = table->schema.index_count * sizeof(latch_index_schema);
    n.schema.indexes = latch_arena_alloc(op->arena, bytes + 1);
    if (n.schema.indexes == NULL) return latch_op_full(op);
    if (bytes > 0) memcpy(n.schema.indexes, table->schema.indexes, bytes);
    if (!read_billing(op, &n) || !read_throughput(op, &n) || !read_indexes(op, &n) || !read_others(op, &n) || !check_units(op, &n))
        return false;
    if (n.schema.on_demand && !table->schema.on_demand) table->on_demand_at_ms = op->now_ms;
    latch_index_schema *indexes = table->schema.indexes;
    if (bytes > 0) memcpy(indexes, n.schema.indexes, bytes);
    table->schema = n.schema;
    table->schema.indexes = indexes;
    return op->applied = true;
}

bool latch_op_update_table(latch_op *op) {
    latch_memtable *table;
    if (!latch_op_table(op, op->request, &table) || !latch_op_lock(op, table)) return false;
    bool updated = update(op, table);
    latch_op_unlock(op);
    return updated && latch_op_describe(op, "TableDescription", table, "ACTIVE");
}

/* Of an account that asked for no more. */
bool latch_op_describe_limits(latch_op *op) {
    static const struct {
        const char *name;
        int64_t units;
    } limits[] = {{"AccountMaxReadCapacityUnits", 80000},
                  {"AccountMaxWriteCapacityUnits", 80000},
                  {"TableMaxReadCapacityUnits", 40000},
                  {"TableMaxWriteCapacityUnits", 40000}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (!latch_op_add_int(op, op->answer, limits[i].name, limits[i].units)) return false;
    return true;
}

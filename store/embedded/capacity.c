/* Source: the developer guide's "Read and write capacity units": 4 KB read, 1 KB written, halves for eventual reads; an index's writes. */
#include "store/embedded/inside.h"

#define READ_UNIT_BYTES 4096
#define WRITE_UNIT_BYTES 1024

static double units_of(size_t bytes, size_t unit) { return bytes <= unit ? 1 : (double)((bytes + unit - 1) / unit); }

double latch_read_units(size_t bytes, bool consistent) { return units_of(bytes, READ_UNIT_BYTES) * (consistent ? 1 : 0.5); }

static double units_to_write(size_t bytes) { return units_of(bytes, WRITE_UNIT_BYTES); }

bool latch_op_capacity_mode(latch_op *op, latch_capacity_mode *out) {
    static const char *const modes[] = {"INDEXES", "TOTAL", "NONE", NULL};
    size_t choice;
    *out = LATCH_CAPACITY_NONE;
    if (!latch_op_choice(op, op->request, "ReturnConsumedCapacity", "returnConsumedCapacity", modes, &choice)) return false;
    if (latch_member(op->request, "ReturnConsumedCapacity") == NULL || choice == 2) return true;
    *out = choice == 0 ? LATCH_CAPACITY_INDEXES : LATCH_CAPACITY_TOTAL;
    return true;
}

bool latch_usage_init(latch_op *op, latch_usage *out, const latch_memtable *table) {
    size_t count = table->schema.index_count;
    *out = (latch_usage){.table = table, .indexes = latch_arena_alloc(op->arena, (count + 1) * sizeof *out->indexes)};
    for (size_t i = 0; out->indexes != NULL && i < count; i++)
        out->indexes[i] = 0;
    return out->indexes != NULL || latch_op_full(op);
}

size_t latch_projected_bytes(const latch_memtable *table, const latch_index_schema *index, const latch_stored *stored) {
    size_t bytes = 0;
    if (index == NULL || index->projected == LATCH_PROJECTED_ALL) return stored->bytes;
    for (size_t i = 0; i < stored->item.count; i++) {
        const latch_attribute *a = &stored->item.attributes[i];
        if (latch_schema_projects(&table->schema, index, a->name)) bytes += a->name.len + latch_av_bytes(&a->value);
    }
    return bytes;
}

/* Of what the index has of them. */
static bool projects_equal(const latch_memtable *table, const latch_index_schema *index, const latch_stored *a, const latch_stored *b) {
    size_t in_a = 0, in_b = 0;
    for (size_t i = 0; i < b->item.count; i++)
        in_b += latch_schema_projects(&table->schema, index, b->item.attributes[i].name);
    for (size_t i = 0; i < a->item.count; i++) {
        const latch_attribute *own = &a->item.attributes[i];
        if (!latch_schema_projects(&table->schema, index, own->name)) continue;
        const latch_av *other = latch_item_get(&b->item, own->name);
        if (other == NULL || !latch_av_equal(&own->value, other)) return false;
        in_a++;
    }
    return in_a == in_b;
}

/* A new entry or a removed one is one write; a moved one is both; a changed one is the larger; an untouched one is none. */
static double index_units(const latch_memtable *table, size_t at, const latch_stored *before, const latch_stored *after) {
    const latch_index_schema *index = &table->schema.indexes[at];
    const latch_treap_node *old = before != NULL && before->nodes[at + 1].hash_at != LATCH_NO_KEY ? &before->nodes[at + 1] : NULL;
    const latch_treap_node *new = after != NULL && after->nodes[at + 1].hash_at != LATCH_NO_KEY ? &after->nodes[at + 1] : NULL;
    double removed = old != NULL ? units_to_write(latch_projected_bytes(table, index, before)) : 0;
    double added = new != NULL ? units_to_write(latch_projected_bytes(table, index, after)) : 0;
    if (old == NULL || new == NULL) return removed + added;
    if (projects_equal(table, index, before, after)) return 0;
    if (old->hash != new->hash || table->live[at + 1].order(old, new) != 0) return removed + added;
    return removed > added ? removed : added;
}

void latch_usage_add_change(latch_usage *usage, const latch_stored *before, const latch_stored *after, double factor) {
    size_t old_bytes = before != NULL ? before->bytes : 0, new_bytes = after != NULL ? after->bytes : 0;
    usage->own += factor * units_to_write(old_bytes > new_bytes ? old_bytes : new_bytes);
    for (size_t i = 0; before != after && i < usage->table->schema.index_count; i++)
        usage->indexes[i] += index_units(usage->table, i, before, after); /* a transaction's too: an index follows after it */
}

static bool write_units(latch_op *op, yyjson_mut_val *in, double units, const char *kind) {
    return (kind == NULL || latch_op_add_real(op, in, kind, units)) && latch_op_add_real(op, in, "CapacityUnits", units);
}

static bool write_indexes(latch_op *op, yyjson_mut_val *in, const latch_usage *usage, bool global, const char *kind) {
    const latch_schema *schema = &usage->table->schema;
    yyjson_mut_val *all = NULL;
    for (size_t i = 0; i < schema->index_count; i++) {
        const latch_index_schema *index = &schema->indexes[i];
        if (index->global != global || usage->indexes[i] == 0) continue;
        if (all == NULL) all = latch_op_object(op, in, global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes");
        yyjson_mut_val *key = all != NULL ? yyjson_mut_strn(op->doc, index->name.ptr, index->name.len) : NULL;
        yyjson_mut_val *one = key != NULL ? yyjson_mut_obj(op->doc) : NULL;
        if (one == NULL || !yyjson_mut_obj_add(all, key, one)) return latch_op_full(op);
        if (!write_units(op, one, usage->indexes[i], kind)) return false;
    }
    return true;
}

/* DynamoDB's total is of the table and its indexes in both modes; its Local leaves the indexes out of TOTAL's. */
yyjson_mut_val *latch_usage_write(latch_op *op, const latch_usage *usage, latch_capacity_mode mode, const char *kind) {
    yyjson_mut_val *out = yyjson_mut_obj(op->doc);
    double total = usage->own;
    for (size_t i = 0; i < usage->table->schema.index_count; i++)
        total += usage->indexes[i];
    if (out == NULL || !latch_op_add_text(op, out, "TableName", usage->table->schema.name)) return NULL;
    if (!write_units(op, out, total, kind)) return NULL;
    if (mode != LATCH_CAPACITY_INDEXES) return out;
    yyjson_mut_val *own = latch_op_object(op, out, "Table");
    if (own == NULL || !write_units(op, own, usage->own, kind)) return NULL;
    if (!write_indexes(op, out, usage, false, kind) || !write_indexes(op, out, usage, true, kind)) return NULL;
    return out;
}

/* GetItem; and the single read that batches and transactions are made of. */
#include "store/embedded/inside.h"

bool latch_read_one(latch_op *op, yyjson_val *object, latch_read *r) {
    latch_expressions x;
    *r = (latch_read){0};
    if (!latch_op_refuse_legacy(op, object) || !latch_op_table(op, object, &r->table)) return false;
    if (!latch_op_check_placeholders(op, object, LATCH_HAS_PROJECTION)) return false;
    if (!latch_op_read_key(op, r->table, latch_member(object, "Key"), &r->key)) return false;
    r->at = latch_memtable_position(r->table, &r->key);
    if (!latch_op_read_expressions(op, object, LATCH_HAS_PROJECTION, NULL, &x)) return false;
    r->projection = x.projection;
    return true;
}

bool latch_read_find(latch_op *op, latch_read *r) {
    r->found = latch_memtable_find(r->table, &r->at, r->consistent);
    return latch_op_hold(op, r->found);
}

yyjson_mut_val *latch_read_write(latch_op *op, const latch_read *r) {
    latch_item some = r->found->item;
    if (r->projection != NULL && !latch_project(r->projection, &r->found->item, &some, op->arena)) return NULL;
    return latch_item_write(op->doc, &some);
}

bool latch_op_get_item(latch_op *op) {
    latch_read r;
    latch_usage usage;
    latch_capacity_mode mode;
    if (!latch_read_one(op, op->request, &r) || !latch_op_capacity_mode(op, &mode)) return false;
    r.consistent = latch_member_true(op->request, "ConsistentRead");
    if (!latch_op_lock(op, r.table)) return false;
    bool held = latch_read_find(op, &r);
    latch_op_unlock(op);
    if (!held || (r.found != NULL && !latch_op_add(op, op->answer, "Item", latch_read_write(op, &r)))) return false;
    if (mode == LATCH_CAPACITY_NONE) return true;
    if (!latch_usage_init(op, &usage, r.table)) return false;
    usage.own = latch_read_units(r.found != NULL ? r.found->bytes : 0, r.consistent);
    return latch_op_add(op, op->answer, "ConsumedCapacity", latch_usage_write(op, &usage, mode, NULL));
}

/* PutItem, UpdateItem, DeleteItem; and the single write that batches and transactions are made of. */
#include "store/embedded/inside.h"

static const char *const failure_values[] = {"ALL_OLD", "NONE", NULL};

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned kinds_of(latch_verb verb) { return LATCH_HAS_CONDITION | (verb == LATCH_UPDATE ? LATCH_HAS_UPDATE : 0u); }

static bool check_update(latch_op *op, const latch_write *w) {
    const latch_keys *keys = &w->table->schema.keys;
    const latch_str names[] = {keys->partition, keys->sort};
    for (size_t i = 0; w->x.update != NULL && i < 2; i++)
        if (names[i].len > 0 && latch_update_writes(w->x.update, names[i]))
            return latch_invalid(
                &op->fault, op->arena,
                "One or more parameter values were invalid: Cannot update attribute %.*s. This attribute is part of the key",
                (int)names[i].len, names[i].ptr);
    return true;
}

static bool read_item(latch_op *op, yyjson_val *object, latch_write *w) {
    if (w->verb != LATCH_PUT) return latch_op_read_key(op, w->table, latch_member(object, "Key"), &w->item);
    yyjson_val *json = latch_member(object, "Item");
    if (json == NULL) return latch_invalid(&op->fault, op->arena, "Item to put in PutItem cannot be null");
    return latch_item_read(json, &w->item, op->arena, &op->fault) &&
           latch_schema_check_item(&w->table->schema, &w->item, false, op->arena, &op->fault);
}

static bool read_table(latch_op *op, yyjson_val *object, latch_verb verb, latch_write *w) {
    *w = (latch_write){.verb = verb};
    return latch_op_refuse_legacy(op, object) && latch_op_table(op, object, &w->table);
}

static bool read_rest(latch_op *op, yyjson_val *object, latch_write *w) {
    latch_verb verb = w->verb;
    size_t on_failure;
    if (!latch_op_check_placeholders(op, object, kinds_of(verb))) return false;
    if (!latch_op_choice(op, object, "ReturnValuesOnConditionCheckFailure", "returnValuesOnConditionCheckFailure", failure_values,
                         &on_failure))
        return false;
    w->old_on_failure = on_failure == 0 && latch_member(object, "ReturnValuesOnConditionCheckFailure") != NULL;
    if (!read_item(op, object, w) || !latch_op_read_expressions(op, object, kinds_of(verb), NULL, &w->x)) return false;
    w->at = latch_memtable_position(w->table, &w->item);
    return true;
}

bool latch_write_read(latch_op *op, yyjson_val *object, latch_verb verb, latch_write *w) {
    return read_table(op, object, verb, w) && read_rest(op, object, w);
}

/* ── doing ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The item as it shall be; *out NULL: none. */
static bool compute(latch_op *op, latch_write *w, latch_item *made, const latch_item **out) {
    const latch_item *old = w->before != NULL ? &w->before->item : NULL;
    *out = w->verb == LATCH_PUT ? &w->item : NULL;
    if (w->verb != LATCH_UPDATE) return true;
    *out = made;
    *made = old != NULL ? *old : w->item;
    if (!check_update(op, w)) return false;
    if (w->x.update != NULL && !latch_update_apply(w->x.update, old, &w->item, made, op->arena, &op->fault)) return false;
    return latch_schema_check_item(&w->table->schema, made, true, op->arena, &op->fault);
}

latch_write_outcome latch_write_prepare(latch_op *op, latch_write *w) {
    latch_item made;
    const latch_item *item;
    w->before = latch_memtable_find(w->table, &w->at, true);
    if (!latch_op_hold(op, w->before)) return LATCH_WRITE_FAULTY;
    if (w->x.condition != NULL && !latch_condition_holds(w->x.condition, w->before != NULL ? &w->before->item : NULL))
        return LATCH_WRITE_REFUSED;
    if (w->verb == LATCH_CHECK) return LATCH_WRITE_READY;
    if (!compute(op, w, &made, &item)) return LATCH_WRITE_FAULTY;
    if (latch_change_prepare(&w->change, w->table, w->before, item, op->now_ms)) return LATCH_WRITE_READY;
    (void)latch_op_over_bound(op);
    return LATCH_WRITE_FAULTY;
}

static bool refuse(latch_op *op, const latch_write *w) {
    if (w->old_on_failure && w->before != NULL) {
        op->extra_name = "Item";
        op->extra = latch_item_write(op->doc, &w->before->item);
        if (op->extra == NULL) return latch_op_full(op);
    }
    return latch_fault_set(&op->fault, op->arena, "ConditionalCheckFailedException", "The conditional request failed");
}

static bool apply(latch_op *op, latch_write *w) {
    if (!latch_op_lock(op, w->table)) return false;
    latch_write_outcome outcome = latch_write_prepare(op, w);
    if (outcome == LATCH_WRITE_READY) {
        latch_change_make(&w->change);
        latch_engine_schedule(op->engine, w->table);
        op->applied = true;
    }
    latch_op_unlock(op);
    return outcome == LATCH_WRITE_READY || (outcome == LATCH_WRITE_REFUSED && refuse(op, w));
}

/* ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum return_values { NONE, ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATED_NEW } return_values;

static bool read_return_values(latch_op *op, latch_verb verb, return_values *out) {
    static const char *const names[] = {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"};
    latch_str text = latch_member_text(op->request, "ReturnValues");
    *out = NONE;
    if (text.ptr == NULL) return true;
    for (int i = NONE; i <= (verb == LATCH_UPDATE ? (int)UPDATED_NEW : (int)ALL_OLD); i++) {
        *out = (return_values)i;
        if (latch_str_eq(text, latch_str_of(names[i]))) return true;
    }
    return latch_invalid(&op->fault, op->arena, "Return values set to invalid value");
}

static bool answer_attributes(latch_op *op, const latch_write *w, return_values values) {
    const latch_stored *from = values == ALL_OLD || values == UPDATED_OLD ? w->before : w->change.after;
    latch_item some;
    if (values == NONE || from == NULL) return true;
    if (values == ALL_OLD || values == ALL_NEW) return latch_op_add_item(op, op->answer, "Attributes", &from->item);
    if (w->x.update == NULL) return true;
    if (!latch_update_touched(w->x.update, &from->item, &some, op->arena)) return latch_op_full(op);
    return some.count == 0 || latch_op_add_item(op, op->answer, "Attributes", &some);
}

static bool answer_capacity(latch_op *op, const latch_write *w, latch_capacity_mode mode) {
    latch_usage usage;
    if (mode == LATCH_CAPACITY_NONE) return true;
    if (!latch_usage_init(op, &usage, w->table)) return false;
    latch_usage_add_change(&usage, w->before, w->change.after, 1);
    return latch_op_add(op, op->answer, "ConsumedCapacity", latch_usage_write(op, &usage, mode, NULL));
}

static bool write_one(latch_op *op, latch_verb verb) {
    latch_write w;
    return_values values;
    latch_capacity_mode mode;
    if (!read_table(op, op->request, verb, &w) || !read_return_values(op, verb, &values)) return false;
    if (!read_rest(op, op->request, &w) || !latch_op_capacity_mode(op, &mode)) return false;
    bool done = apply(op, &w) && answer_attributes(op, &w, values) && answer_capacity(op, &w, mode);
    done = done && latch_op_hold(op, w.change.after); /* the answer borrows from it */
    latch_change_drop(&w.change);
    return done;
}

bool latch_op_put_item(latch_op *op) { return write_one(op, LATCH_PUT); }
bool latch_op_update_item(latch_op *op) { return write_one(op, LATCH_UPDATE); }
bool latch_op_delete_item(latch_op *op) { return write_one(op, LATCH_DELETE); }

#include <string.h>

#include "store/embedded/inside.h"

/* ── members ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

yyjson_val *latch_member(yyjson_val *object, const char *name) {
    yyjson_val *v = yyjson_obj_get(object, name);
    return v == NULL || yyjson_is_null(v) ? NULL : v;
}

latch_str latch_member_text(yyjson_val *object, const char *name) {
    yyjson_val *v = yyjson_obj_get(object, name);
    return yyjson_is_str(v) ? (latch_str){yyjson_get_str(v), yyjson_get_len(v)} : (latch_str){NULL, 0};
}

bool latch_member_true(yyjson_val *object, const char *name) { return yyjson_get_bool(yyjson_obj_get(object, name)); }

/* ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum shape { TEXT, FLAG, WHOLE, OBJECT, LIST, OBJECTS, TEXTS } shape; /* OBJECTS, TEXTS: a list of them */

/* A name means the same in every operation, and inside the structures of a request. What is not here is free, or read by value.c. */
static const struct {
    const char *name;
    shape shape;
} members[] = {
    {"TableName", TEXT},
    {"IndexName", TEXT},
    {"Item", OBJECT},
    {"Key", OBJECT},
    {"ConditionExpression", TEXT},
    {"UpdateExpression", TEXT},
    {"ProjectionExpression", TEXT},
    {"FilterExpression", TEXT},
    {"KeyConditionExpression", TEXT},
    {"ExpressionAttributeNames", OBJECT},
    {"ExpressionAttributeValues", OBJECT},
    {"ReturnValues", TEXT},
    {"ReturnValuesOnConditionCheckFailure", TEXT},
    {"ReturnConsumedCapacity", TEXT},
    {"ReturnItemCollectionMetrics", TEXT},
    {"ConsistentRead", FLAG},
    {"ScanIndexForward", FLAG},
    {"Select", TEXT},
    {"Limit", WHOLE},
    {"Segment", WHOLE},
    {"TotalSegments", WHOLE},
    {"ExclusiveStartKey", OBJECT},
    {"ExclusiveStartTableName", TEXT},
    {"ClientRequestToken", TEXT},
    {"RequestItems", OBJECT},
    {"TransactItems", OBJECTS},
    {"Put", OBJECT},
    {"Update", OBJECT},
    {"Delete", OBJECT},
    {"ConditionCheck", OBJECT},
    {"Get", OBJECT},
    {"PutRequest", OBJECT},
    {"DeleteRequest", OBJECT},
    {"Keys", OBJECTS},
    {"BillingMode", TEXT},
    {"AttributeDefinitions", OBJECTS},
    {"KeySchema", OBJECTS},
    {"AttributeName", TEXT},
    {"AttributeType", TEXT},
    {"KeyType", TEXT},
    {"GlobalSecondaryIndexes", OBJECTS},
    {"LocalSecondaryIndexes", OBJECTS},
    {"GlobalSecondaryIndexUpdates", OBJECTS},
    {"Create", OBJECT},
    {"Projection", OBJECT},
    {"ProjectionType", TEXT},
    {"NonKeyAttributes", TEXTS},
    {"ProvisionedThroughput", OBJECT},
    {"ReadCapacityUnits", WHOLE},
    {"WriteCapacityUnits", WHOLE},
    {"DeletionProtectionEnabled", FLAG},
    {"StreamSpecification", OBJECT},
    {"StreamEnabled", FLAG},
    {"TimeToLiveSpecification", OBJECT},
    {"Enabled", FLAG},
};

static bool fits(yyjson_val *v, shape want) {
    switch (want) {
    case TEXT:
        return yyjson_is_str(v);
    case FLAG:
        return yyjson_is_bool(v);
    case WHOLE:
        return yyjson_is_int(v) && (!yyjson_is_uint(v) || yyjson_get_uint(v) <= INT32_MAX) && yyjson_get_sint(v) >= INT32_MIN;
    case OBJECT:
        return yyjson_is_obj(v);
    case LIST:
    case OBJECTS:
    case TEXTS:
        break;
    }
    return yyjson_is_arr(v);
}

/* DynamoDB's texts; its Local takes some wrong types as if they were right and calls others an internal failure. */
static bool wrong_type(latch_op *op, yyjson_val *found, shape want) {
    static const char *const names[] = {"String", "Boolean", "Integer"};
    const char *is = yyjson_is_str(found)     ? "STRING_VALUE"
                     : yyjson_is_true(found)  ? "TRUE_VALUE"
                     : yyjson_is_false(found) ? "FALSE_VALUE"
                     : yyjson_is_real(found)  ? "DECIMAL_VALUE"
                     : yyjson_is_null(found)  ? "NULL_VALUE"
                                              : "NUMBER_VALUE";
    static const char name[] = "SerializationException";
    if (yyjson_is_arr(found)) return latch_fault_set(&op->fault, op->arena, name, "Start of list found where not expected");
    if (yyjson_is_obj(found)) return latch_fault_set(&op->fault, op->arena, name, "Start of structure or map found where not expected");
    if (want > WHOLE) return latch_fault_set(&op->fault, op->arena, name, "Unexpected field type");
    return latch_fault_set(&op->fault, op->arena, name, "%s cannot be converted to %s", is, names[want]);
}

static bool check_element(latch_op *op, yyjson_val *element, shape list) {
    if (yyjson_is_null(element) || list == LIST) return true;
    if (!fits(element, list == TEXTS ? TEXT : OBJECT)) return wrong_type(op, element, list == TEXTS ? TEXT : OBJECT);
    return list == TEXTS || latch_op_check_types(op, element);
}

/* Structures have structures in them, 4 deep at most: only members of the table above are gone into. Maps of a user's names aren't. */
static bool check_inside(latch_op *op, const char *name, yyjson_val *v, shape want) {
    static const char *const maps[] = {"Item",        "Key", "ExpressionAttributeNames", "ExpressionAttributeValues", "ExclusiveStartKey",
                                       "RequestItems"};
    size_t i, max;
    yyjson_val *element;
    if (want >= LIST) yyjson_arr_foreach(v, i, max, element) if (!check_element(op, element, want)) return false;
    if (want != OBJECT) return true;
    for (size_t m = 0; m < sizeof maps / sizeof maps[0]; m++)
        if (strcmp(maps[m], name) == 0) return true;
    return latch_op_check_types(op, v);
}

static bool check_member(latch_op *op, yyjson_val *key, yyjson_val *v) {
    if (yyjson_is_null(v)) return true;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!yyjson_equals_str(key, members[i].name)) continue;
        if (!fits(v, members[i].shape)) return wrong_type(op, v, members[i].shape);
        return check_inside(op, members[i].name, v, members[i].shape);
    }
    return true;
}

/* The recursion is bounded by the text's 128 levels. */
bool latch_op_check_types(latch_op *op, yyjson_val *object) {
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value) if (!check_member(op, key, value)) return false;
    return true;
}

bool latch_op_check_shape(latch_op *op, yyjson_val *value, bool is_list) {
    shape want = is_list ? OBJECTS : OBJECT;
    if (value == NULL || yyjson_is_null(value)) return true;
    return fits(value, want) ? check_inside(op, "", value, want) : wrong_type(op, value, want);
}

bool latch_op_refuse_legacy(latch_op *op, yyjson_val *object) {
    static const struct {
        const char *name, *instead;
    } legacy[] = {
        {"Expected", "ConditionExpression"},
        {"AttributeUpdates", "UpdateExpression"},
        {"AttributesToGet", "ProjectionExpression"},
        {"KeyConditions", "KeyConditionExpression"},
        {"QueryFilter", "FilterExpression"},
        {"ScanFilter", "FilterExpression"},
        {"ConditionalOperator", "AND and OR in expressions"},
    };
    for (size_t i = 0; i < sizeof legacy / sizeof legacy[0]; i++)
        if (latch_member(object, legacy[i].name) != NULL)
            return latch_invalid(&op->fault, op->arena, "The embedded store doesn't know the legacy parameter %s: use %s", legacy[i].name,
                                 legacy[i].instead);
    return true;
}

/* "[A, B]" of the values. */
static latch_str list_of(latch_op *op, const char *const *values) {
    size_t len = 2, count = 0;
    for (; values[count] != NULL; count++)
        len += strlen(values[count]) + 2;
    char *text = latch_arena_alloc(op->arena, len), *at = text;
    if (text == NULL) return (latch_str){NULL, 0};
    *at++ = '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0) *at++ = ',', *at++ = ' ';
        memcpy(at, values[i], strlen(values[i]));
        at += strlen(values[i]);
    }
    *at++ = ']';
    return (latch_str){text, (size_t)(at - text)};
}

bool latch_op_choice(latch_op *op, yyjson_val *object, const char *name, const char *shown, const char *const *values, size_t *out) {
    latch_str text = latch_member_text(object, name);
    *out = 0;
    if (text.ptr == NULL) return true;
    for (size_t i = 0; values[i] != NULL; i++) {
        *out = i;
        if (latch_str_eq(text, latch_str_of(values[i]))) return true;
    }
    latch_str all = list_of(op, values);
    if (all.ptr == NULL) return latch_op_full(op);
    return latch_invalid(&op->fault, op->arena,
                         "1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint: Member must satisfy enum value "
                         "set: %.*s",
                         (int)(text.len < 200 ? text.len : 200), text.ptr, shown, (int)all.len, all.ptr);
}

/* ── tables and keys ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* A table's ARN does for its name. */
static latch_str without_arn(latch_str name) {
    static const char before[] = ":table/";
    if (name.len < 4 || memcmp(name.ptr, "arn:", 4) != 0) return name;
    const char *at = memmem(name.ptr, name.len, before, sizeof before - 1);
    if (at == NULL) return name;
    at += sizeof before - 1;
    return (latch_str){at, (size_t)(name.ptr + name.len - at)};
}

bool latch_op_table_named(latch_op *op, latch_str name, latch_memtable **out) {
    *out = NULL;
    name = without_arn(name);
    if (!latch_schema_check_name(name, op->arena, &op->fault)) return false;
    pthread_mutex_lock(&op->engine->lock);
    *out = latch_engine_find(op->engine, name, NULL);
    bool held = *out != NULL && latch_op_hold_table(op, *out);
    pthread_mutex_unlock(&op->engine->lock);
    return held || (*out == NULL && latch_op_missing_table(op));
}

bool latch_op_table(latch_op *op, yyjson_val *object, latch_memtable **out) {
    latch_str name = latch_member_text(object, "TableName");
    *out = NULL;
    if (name.ptr == NULL)
        return latch_invalid(&op->fault, op->arena, "Value null at 'tableName' failed to satisfy constraint: Member must not be null");
    return latch_op_table_named(op, name, out);
}

bool latch_op_read_key(latch_op *op, const latch_memtable *table, yyjson_val *json, latch_item *out) {
    if (json == NULL) return latch_invalid(&op->fault, op->arena, "Cannot have null key for GetItem, DeleteItem, or UpdateItem");
    return latch_item_read(json, out, op->arena, &op->fault) && latch_schema_check_key(&table->schema, out, op->arena, &op->fault);
}

/* ── expressions ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    unsigned kind;
    const char *name;
    bool has_values;
} expressions[] = {
    /* in the order in which DynamoDB reads them, and tells of their faults */
    {LATCH_HAS_UPDATE, "UpdateExpression", true},
    {LATCH_HAS_FILTER, "FilterExpression", true},
    {LATCH_HAS_CONDITION, "ConditionExpression", true},
    {LATCH_HAS_PROJECTION, "ProjectionExpression", false},
    {LATCH_HAS_KEY_CONDITION, "KeyConditionExpression", true},
};
#define EXPRESSIONS (sizeof expressions / sizeof expressions[0])

static const char *values_alone(unsigned kinds) {
    if (kinds & LATCH_HAS_UPDATE)
        return "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null";
    if (kinds & LATCH_HAS_KEY_CONDITION)
        return "ExpressionAttributeValues can only be specified when using expressions: FilterExpression and KeyConditionExpression are "
               "null";
    if (kinds & LATCH_HAS_FILTER) return "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null";
    return "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null";
}

/* A get has no such member: what it isn't, isn't looked at. */
static yyjson_val *values_of(yyjson_val *object, unsigned kinds) {
    return kinds != LATCH_HAS_PROJECTION ? latch_member(object, "ExpressionAttributeValues") : NULL;
}

bool latch_op_check_placeholders(latch_op *op, yyjson_val *object, unsigned kinds) {
    bool any = false, any_with_values = false;
    for (size_t i = 0; i < EXPRESSIONS; i++) {
        bool given = (kinds & expressions[i].kind) != 0 && latch_member(object, expressions[i].name) != NULL;
        any = any || given;
        any_with_values = any_with_values || (given && expressions[i].has_values);
    }
    if (latch_member(object, "ExpressionAttributeNames") != NULL && !any)
        return latch_invalid(&op->fault, op->arena, "ExpressionAttributeNames can only be specified when using expressions");
    if (values_of(object, kinds) != NULL && !any_with_values) return latch_invalid(&op->fault, op->arena, "%s", values_alone(kinds));
    return true;
}

static bool parse_one(latch_op *op, unsigned kind, latch_str text, const latch_condition **of_keys, latch_expressions *out) {
    latch_placeholders *p = &out->placeholders;
    if (kind == LATCH_HAS_UPDATE) return latch_update_parse(text, p, &out->update, &op->fault);
    if (kind == LATCH_HAS_CONDITION) return latch_condition_parse(text, "ConditionExpression", p, &out->condition, &op->fault);
    if (kind == LATCH_HAS_FILTER) return latch_condition_parse(text, "FilterExpression", p, &out->filter, &op->fault);
    if (kind == LATCH_HAS_PROJECTION) return latch_projection_parse(text, p, &out->projection, &op->fault);
    return latch_condition_parse(text, "KeyConditionExpression", p, of_keys, &op->fault);
}

bool latch_op_read_expressions(latch_op *op, yyjson_val *object, unsigned kinds, const latch_keys *keys, latch_expressions *out) {
    yyjson_val *names = latch_member(object, "ExpressionAttributeNames"), *values = values_of(object, kinds);
    const latch_condition *of_keys = NULL;
    *out = (latch_expressions){0};
    if (!latch_placeholders_read(names, values, &out->placeholders, op->arena, &op->fault)) return false;
    for (size_t i = 0; i < EXPRESSIONS; i++) {
        latch_str text = latch_member_text(object, expressions[i].name);
        if ((kinds & expressions[i].kind) == 0 || text.ptr == NULL) continue;
        if (!parse_one(op, expressions[i].kind, text, &of_keys, out)) return false;
    }
    if (!latch_placeholders_all_used(&out->placeholders, &op->fault)) return false;
    out->keyed = of_keys != NULL;
    return of_keys == NULL || latch_key_condition_of(of_keys, keys->partition, keys->sort, op->arena, &out->key_condition, &op->fault);
}

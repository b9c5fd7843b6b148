#include "store/embedded/schema.h"

#include <string.h>

#define GLOBAL_MAX 20
#define LOCAL_MAX 5
#define INCLUDED_MAX 100 /* over all indexes of a table */

/* A null member isn't there. */
static yyjson_val *member(yyjson_val *object, const char *name) {
    yyjson_val *v = yyjson_obj_get(object, name);
    return yyjson_is_null(v) ? NULL : v;
}

static latch_str text_of(yyjson_val *object, const char *name) {
    yyjson_val *v = member(object, name);
    return yyjson_is_str(v) ? (latch_str){yyjson_get_str(v), yyjson_get_len(v)} : (latch_str){NULL, 0};
}

static bool is_text(latch_str s, const char *want) { return latch_str_eq(s, latch_str_of(want)); }

static bool copy(latch_str *out, latch_str s, latch_arena *arena, latch_fault *fault) {
    *out = latch_arena_copy(arena, s);
    return out->ptr != NULL || latch_fault_full(fault);
}

bool latch_schema_check_name(latch_str name, latch_arena *arena, latch_fault *fault) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    bool ok = name.len >= 3 && name.len <= 255;
    for (size_t i = 0; ok && i < name.len; i++)
        ok = memchr(letters, name.ptr[i], sizeof letters - 1) != NULL;
    return ok || latch_invalid(fault, arena,
                               "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain "
                               "only the characters a-z, A-Z, 0-9, '_', '-', and '.'");
}

static bool check_attribute_name(latch_str name, latch_arena *arena, latch_fault *fault) {
    if (name.ptr == NULL) return latch_invalid(fault, arena, "Attribute name must be specified.");
    if (name.len >= 1 && name.len <= 255) return true;
    return latch_invalid(fault, arena,
                         "Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive");
}

/* ── AttributeDefinitions ──────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_definition *definition_of(const latch_schema *schema, latch_str name) {
    for (size_t i = 0; i < schema->definition_count; i++)
        if (latch_str_eq(schema->definitions[i].name, name)) return &schema->definitions[i];
    return NULL;
}

static bool read_definition(yyjson_val *json, latch_schema *schema, latch_arena *arena, latch_fault *fault) {
    latch_definition *d = &schema->definitions[schema->definition_count];
    latch_str name = text_of(json, "AttributeName"), type = text_of(json, "AttributeType");
    if (!check_attribute_name(name, arena, fault)) return false;
    if (type.ptr == NULL)
        return latch_invalid(fault, arena, "Invalid Attribute value. Must contain exactly one of the supported datatypes.");
    if (!is_text(type, "S") && !is_text(type, "N") && !is_text(type, "B"))
        return latch_invalid(fault, arena, "Member must satisfy enum value set: [B, N, S]");
    if (definition_of(schema, name) != NULL) return latch_invalid(fault, arena, "Cannot have two attributes with the same name");
    d->type = is_text(type, "S") ? LATCH_TYPE_S : is_text(type, "N") ? LATCH_TYPE_N : LATCH_TYPE_B;
    schema->definition_count++;
    return copy(&d->name, name, arena, fault);
}

static bool read_definitions(yyjson_val *json, latch_schema *schema, latch_arena *arena, latch_fault *fault) {
    size_t i, max;
    yyjson_val *element;
    if (json == NULL) return latch_invalid(fault, arena, "No Attribute Schema Defined");
    /* each is used, and a table and its indexes have 52 keys at most: a long list is refused before it costs anything */
    if (yyjson_arr_size(json) > 2 * (1 + GLOBAL_MAX + LOCAL_MAX))
        return latch_invalid(fault, arena,
                             "The number of attributes in key schema must match the number of attributes defined in "
                             "attribute definitions.");
    schema->definitions = latch_arena_alloc(arena, (yyjson_arr_size(json) + 1) * sizeof *schema->definitions);
    if (schema->definitions == NULL) return latch_fault_full(fault);
    yyjson_arr_foreach(json, i, max, element) if (!read_definition(element, schema, arena, fault)) return false;
    return true;
}

/* ── KeySchema ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct key_names {
    latch_str partition, sort;
} key_names;

static bool check_key_element(yyjson_val *element, latch_arena *arena, latch_fault *fault) {
    if (!yyjson_is_obj(element)) return latch_invalid(fault, arena, "Key schema element is invalid.");
    if (text_of(element, "KeyType").ptr == NULL)
        return latch_invalid(fault, arena, "One or more keys is not specified as being hash or range.");
    return check_attribute_name(text_of(element, "AttributeName"), arena, fault);
}

static bool name_keys(yyjson_val *json, key_names *out, latch_arena *arena, latch_fault *fault) {
    size_t count = yyjson_arr_size(json);
    *out = (key_names){0};
    if (json == NULL)
        return latch_invalid(fault, arena,
                             "No defined key schema.  A key schema containing at least a hash key must be defined for all tables");
    if (count > 2)
        return latch_invalid(fault, arena, "Key Schema too big.  Key Schema must at most consist of the hash and range key of a table");
    for (size_t i = 0; i < count; i++)
        if (!check_key_element(yyjson_arr_get(json, i), arena, fault)) return false;
    yyjson_val *first = yyjson_arr_get(json, 0), *second = yyjson_arr_get(json, 1);
    bool hash_first = is_text(text_of(first, "KeyType"), "HASH"), hash_second = is_text(text_of(second, "KeyType"), "HASH");
    if (!hash_first && !hash_second)
        return latch_invalid(fault, arena, "No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key");
    if (hash_first && hash_second)
        return latch_invalid(fault, arena, "Too many hash keys specified.  All Dynamo DB tables must have exactly one hash key");
    if (!hash_first)
        return latch_invalid(fault, arena,
                             "Invalid key order. Hash Key must be specified first in key schema, Range Key must be specifed second");
    *out = (key_names){text_of(first, "AttributeName"), text_of(second, "AttributeName")};
    if (count == 2 && latch_str_eq(out->partition, out->sort)) return latch_invalid(fault, arena, "Two keys can not have the same name");
    return true;
}

/* `whose`: how the texts call it. */
static bool read_keys(yyjson_val *json, const char *whose, latch_schema *schema, latch_keys *out, latch_arena *arena, latch_fault *fault) {
    key_names names;
    bool global = *whose != '\0';
    if (!name_keys(json, &names, arena, fault)) return false;
    const latch_definition *partition = definition_of(schema, names.partition);
    const latch_definition *sort = names.sort.ptr != NULL ? definition_of(schema, names.sort) : NULL;
    if (partition == NULL && global)
        return latch_invalid(fault, arena, "%s hash key not specified in Attribute Definitions.Type unknown.", whose);
    if (partition == NULL) return latch_invalid(fault, arena, "Hash Key not specified in Attribute Definitions.  Type unknown.");
    if (sort == NULL && names.sort.ptr != NULL && global)
        return latch_invalid(fault, arena, "%s range key not specified in Attribute Definitions.Type unknown.", whose);
    if (sort == NULL && names.sort.ptr != NULL)
        return latch_invalid(fault, arena, "Range Key not specified in Attribute Definitions.  Type unknown.");
    *out = (latch_keys){.partition = partition->name, .partition_type = partition->type};
    if (sort != NULL) out->sort = sort->name, out->sort_type = sort->type;
    return true;
}

/* ── throughput: kept and shown, never enforced ────────────────────────────────────────────────────────────────────── */

static bool read_throughput(yyjson_val *json, bool required, const char *missing, int64_t *read, int64_t *write, latch_arena *arena,
                            latch_fault *fault) {
    *read = *write = 0;
    if (json == NULL && required) return latch_invalid(fault, arena, "%s", missing);
    if (json == NULL) return true;
    if (!required) /* DynamoDB Local takes them */
        return latch_invalid(fault, arena,
                             "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                             "when BillingMode is PAY_PER_REQUEST");
    *read = yyjson_get_sint(member(json, "ReadCapacityUnits"));
    *write = yyjson_get_sint(member(json, "WriteCapacityUnits"));
    if (*read >= 1 && *write >= 1) return true;
    return latch_invalid(fault, arena, "Table read and write throughput must be at least 1, and cannot be null");
}

/* ── indexes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_included(yyjson_val *json, latch_index_schema *out, latch_arena *arena, latch_fault *fault) {
    size_t count = yyjson_arr_size(json);
    if (count > INCLUDED_MAX)
        return latch_invalid(fault, arena, "No more than 20 attributes per table can be projected into Local Secondary Indices");
    out->included = latch_arena_alloc(arena, (count + 1) * sizeof *out->included);
    if (out->included == NULL) return latch_fault_full(fault);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *name = yyjson_arr_get(json, i);
        latch_str text = yyjson_is_str(name) ? (latch_str){yyjson_get_str(name), yyjson_get_len(name)} : (latch_str){NULL, 0};
        for (size_t j = 0; j < i; j++)
            if (latch_str_eq(out->included[j], text)) return latch_invalid(fault, arena, "Cannot have two attributes with the same name");
        if (!check_attribute_name(text, arena, fault) || !copy(&out->included[i], text, arena, fault)) return false;
        out->included_count++;
    }
    return true;
}

static bool read_projection(yyjson_val *json, latch_index_schema *out, latch_arena *arena, latch_fault *fault) {
    latch_str type = text_of(json, "ProjectionType");
    yyjson_val *names = member(json, "NonKeyAttributes");
    if (type.ptr == NULL) return latch_invalid(fault, arena, "Indexes must have a projection specified");
    if (!is_text(type, "ALL") && !is_text(type, "KEYS_ONLY") && !is_text(type, "INCLUDE"))
        return latch_invalid(fault, arena, "Projection type must be INCLUDE, ALL, or KEYS_ONLY");
    out->projected = is_text(type, "ALL") ? LATCH_PROJECTED_ALL : is_text(type, "INCLUDE") ? LATCH_PROJECTED_INCLUDE : LATCH_PROJECTED_KEYS;
    if (out->projected == LATCH_PROJECTED_INCLUDE && yyjson_arr_size(names) == 0)
        return latch_invalid(fault, arena,
                             "If Projection type INCLUDE is specified, some non-key attributes to include in the projection "
                             "must be specified as well");
    if (out->projected != LATCH_PROJECTED_INCLUDE && yyjson_arr_size(names) > 0)
        return latch_invalid(fault, arena, "No attributes should be specified to be projected unless projection type is INCLUDE");
    return out->projected != LATCH_PROJECTED_INCLUDE || read_included(names, out, arena, fault);
}

/* Before its attributes are looked for among the definitions. */
static bool check_local(const latch_schema *schema, yyjson_val *json, latch_arena *arena, latch_fault *fault) {
    key_names names;
    if (!name_keys(json, &names, arena, fault)) return false;
    if (schema->keys.sort.len == 0)
        return latch_invalid(fault, arena, "Local Secondary indices are not allowed on hash tables, only hash and range tables");
    if (names.sort.len == 0) return latch_invalid(fault, arena, "Local secondary indices must have a range key");
    if (!latch_str_eq(names.partition, schema->keys.partition))
        return latch_invalid(fault, arena, "Local Secondary indices must have the same hash key as the main table");
    return true;
}

static bool check_unique(const latch_schema *schema, latch_str name, bool global, latch_arena *arena, latch_fault *fault) {
    const latch_index_schema *same = latch_schema_index(schema, name);
    if (same == NULL) return true;
    if (same->global != global)
        return latch_invalid(fault, arena, "Local Secondary Indices AND Global Secondary Indices must have different names");
    return latch_invalid(fault, arena, "Two %s secondary indices have the same name", global ? "global" : "local");
}

static bool read_index(yyjson_val *json, bool global, latch_schema *schema, latch_arena *arena, latch_fault *fault) {
    latch_index_schema *out = &schema->indexes[schema->index_count];
    latch_str name = text_of(json, "IndexName");
    *out = (latch_index_schema){.global = global};
    if (!latch_schema_check_name(name, arena, fault) || !check_unique(schema, name, global, arena, fault)) return false;
    if (!copy(&out->name, name, arena, fault)) return false;
    const char *whose = global ? "Global Secondary Index" : "Local Secondary Index";
    if (!global && !check_local(schema, member(json, "KeySchema"), arena, fault)) return false;
    if (!read_keys(member(json, "KeySchema"), whose, schema, &out->keys, arena, fault)) return false;
    if (!read_projection(member(json, "Projection"), out, arena, fault)) return false;
    yyjson_val *throughput = global ? member(json, "ProvisionedThroughput") : NULL;
    if (!read_throughput(throughput, global && !schema->on_demand, "No provisioned throughput specified for the global secondary index",
                         &out->read_units, &out->write_units, arena, fault))
        return false;
    schema->index_count++;
    return true;
}

static bool read_indexes(yyjson_val *request, latch_schema *schema, latch_arena *arena, latch_fault *fault) {
    yyjson_val *local = member(request, "LocalSecondaryIndexes"), *global = member(request, "GlobalSecondaryIndexes");
    size_t locals = yyjson_arr_size(local), globals = yyjson_arr_size(global);
    if (locals > LOCAL_MAX) return latch_invalid(fault, arena, "Cannot have more than 5 local secondary indexes per table");
    if (yyjson_is_arr(global) && globals == 0) return latch_invalid(fault, arena, "GSI list is empty/invalid");
    if (globals > GLOBAL_MAX) return latch_invalid(fault, arena, "GlobalSecondaryIndex count exceeds the per-table limit");
    schema->indexes = latch_arena_alloc(arena, (locals + globals + 1) * sizeof *schema->indexes);
    if (schema->indexes == NULL) return latch_fault_full(fault);
    for (size_t i = 0; i < locals + globals; i++) {
        bool is_global = i >= locals;
        yyjson_val *json = is_global ? yyjson_arr_get(global, i - locals) : yyjson_arr_get(local, i);
        if (!read_index(json, is_global, schema, arena, fault)) return false;
    }
    return true;
}

/* ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool all_used(const latch_schema *schema, latch_arena *arena, latch_fault *fault) {
    for (size_t i = 0; i < schema->definition_count; i++) {
        latch_str name = schema->definitions[i].name;
        bool used = latch_keys_name(&schema->keys, name);
        for (size_t j = 0; !used && j < schema->index_count; j++)
            used = latch_keys_name(&schema->indexes[j].keys, name);
        if (!used)
            return latch_invalid(fault, arena,
                                 "The number of attributes in key schema must match the number of attributes defined in "
                                 "attribute definitions.");
    }
    return true;
}

static bool read_billing(yyjson_val *request, latch_schema *out, latch_arena *arena, latch_fault *fault) {
    latch_str mode = text_of(request, "BillingMode");
    out->on_demand = is_text(mode, "PAY_PER_REQUEST");
    if (mode.ptr != NULL && !out->on_demand && !is_text(mode, "PROVISIONED"))
        return latch_invalid(fault, arena,
                             "1 validation error detected: Value '%.*s' at 'billingMode' failed to satisfy constraint: Member must satisfy "
                             "enum value set: [PROVISIONED, PAY_PER_REQUEST]",
                             (int)(mode.len < 200 ? mode.len : 200), mode.ptr);
    return true;
}

static bool read_units(yyjson_val *request, latch_schema *out, latch_arena *arena, latch_fault *fault) {
    return read_throughput(member(request, "ProvisionedThroughput"), !out->on_demand, "No provisioned throughput specified for the table",
                           &out->read_units, &out->write_units, arena, fault);
}

bool latch_schema_read(yyjson_val *request, latch_schema *out, latch_arena *arena, latch_fault *fault) {
    latch_str name = text_of(request, "TableName");
    *out = (latch_schema){0};
    if (!latch_schema_check_name(name, arena, fault) || !copy(&out->name, name, arena, fault)) return false;
    if (!name_keys(member(request, "KeySchema"), &(key_names){0}, arena, fault)) return false; /* looked at first, read last */
    if (!read_definitions(member(request, "AttributeDefinitions"), out, arena, fault)) return false;
    if (!read_keys(member(request, "KeySchema"), "", out, &out->keys, arena, fault)) return false;
    if (!read_billing(request, out, arena, fault) || !read_indexes(request, out, arena, fault)) return false;
    if (!read_units(request, out, arena, fault)) return false;
    out->is_protected = yyjson_get_bool(member(request, "DeletionProtectionEnabled"));
    if (yyjson_get_bool(member(member(request, "StreamSpecification"), "StreamEnabled")))
        return latch_invalid(fault, arena, "The embedded store has no streams: leave StreamSpecification out");
    return all_used(out, arena, fault);
}

const latch_index_schema *latch_schema_index(const latch_schema *schema, latch_str name) {
    for (size_t i = 0; i < schema->index_count; i++)
        if (latch_str_eq(schema->indexes[i].name, name)) return &schema->indexes[i];
    return NULL;
}

bool latch_keys_name(const latch_keys *keys, latch_str attribute) {
    return latch_str_eq(keys->partition, attribute) || (keys->sort.len > 0 && latch_str_eq(keys->sort, attribute));
}

bool latch_schema_projects(const latch_schema *schema, const latch_index_schema *index, latch_str attribute) {
    if (index == NULL || index->projected == LATCH_PROJECTED_ALL) return true;
    if (latch_keys_name(&schema->keys, attribute) || latch_keys_name(&index->keys, attribute)) return true;
    for (size_t i = 0; i < index->included_count; i++)
        if (latch_str_eq(index->included[i], attribute)) return true;
    return false;
}

/* ── an item's keys ────────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t key_bytes(const latch_av *v) { return v->type == LATCH_TYPE_N ? 0 : v->as.text.len; }

static bool is_empty(const latch_av *v) { return v->type != LATCH_TYPE_N && v->as.text.len == 0; }

static bool check_key_type(const latch_av *v, latch_type type, latch_arena *arena, latch_fault *fault) {
    if (v == NULL) return latch_invalid(fault, arena, "One of the required keys was not given a value");
    if (v->type != LATCH_TYPE_S && v->type != LATCH_TYPE_N && v->type != LATCH_TYPE_B)
        return latch_invalid(fault, arena, "Invalid attribute value type");
    return v->type == type || latch_invalid(fault, arena, "One or more parameter values were invalid: Type mismatch for key");
}

static bool check_key_value(const latch_av *v, latch_str name, size_t max_bytes, latch_arena *arena, latch_fault *fault) {
    if (is_empty(v))
        return latch_invalid(
            fault, arena,
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s "
            "value. Key: %.*s",
            v->type == LATCH_TYPE_S ? "string" : "binary", (int)name.len, name.ptr);
    if (key_bytes(v) <= max_bytes) return true;
    return latch_invalid(fault, arena,
                         "Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes");
}

static bool check_table_keys(const latch_schema *schema, const latch_item *item, latch_arena *arena, latch_fault *fault) {
    const latch_keys *keys = &schema->keys;
    const latch_av *partition = latch_item_get(item, keys->partition);
    const latch_av *sort = keys->sort.len > 0 ? latch_item_get(item, keys->sort) : NULL;
    if (!check_key_type(partition, keys->partition_type, arena, fault)) return false;
    if (keys->sort.len > 0 && !check_key_type(sort, keys->sort_type, arena, fault)) return false;
    if (!check_key_value(partition, keys->partition, LATCH_PARTITION_KEY_MAX, arena, fault)) return false;
    return sort == NULL || check_key_value(sort, keys->sort, LATCH_SORT_KEY_MAX, arena, fault);
}

bool latch_schema_check_key(const latch_schema *schema, const latch_item *key, latch_arena *arena, latch_fault *fault) {
    if (key->count != (schema->keys.sort.len > 0 ? 2u : 1u))
        return latch_invalid(fault, arena, "The number of conditions on the keys is invalid");
    return check_table_keys(schema, key, arena, fault);
}

static bool check_index_key(const latch_index_schema *index, latch_str name, const latch_av *v, latch_type type, size_t max_bytes,
                            bool update, latch_arena *arena, latch_fault *fault) {
    if (v == NULL) return true;
    if (v->type != LATCH_TYPE_S && v->type != LATCH_TYPE_N && v->type != LATCH_TYPE_B)
        return latch_invalid(fault, arena, "Invalid attribute value type");
    if (v->type != type) return latch_invalid(fault, arena, "One or more parameter values were invalid: Type mismatch for Index Key");
    if (is_empty(v) && update)
        return latch_invalid(
            fault, arena,
            "One or more parameter values are not valid. The update expression attempted to update a secondary index key to "
            "a value that is not supported. The AttributeValue for a key attribute cannot contain an empty %s value.",
            type == LATCH_TYPE_S ? "string" : "binary");
    if (is_empty(v))
        return latch_invalid(
            fault, arena,
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The "
            "AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %.*s, IndexKey: %.*s",
            type == LATCH_TYPE_S ? "string" : "binary", (int)index->name.len, index->name.ptr, (int)name.len, name.ptr);
    if (key_bytes(v) <= max_bytes) return true;
    return latch_invalid(fault, arena, "One or more parameter values were invalid: Size limit exceeded");
}

/* DynamoDB Local lets an update write an index key of a wrong type; DynamoDB doesn't, and neither do we. */
static bool check_index_keys(const latch_schema *schema, const latch_item *item, bool update, latch_arena *arena, latch_fault *fault) {
    for (size_t i = 0; i < schema->index_count; i++) {
        const latch_index_schema *index = &schema->indexes[i];
        const latch_keys *keys = &index->keys;
        if (!check_index_key(index, keys->partition, latch_item_get(item, keys->partition), keys->partition_type, LATCH_PARTITION_KEY_MAX,
                             update, arena, fault))
            return false;
        if (keys->sort.len > 0 && !check_index_key(index, keys->sort, latch_item_get(item, keys->sort), keys->sort_type, LATCH_SORT_KEY_MAX,
                                                   update, arena, fault))
            return false;
    }
    return true;
}

/* Of the entry in a local index: keys and what it projects; the table's sort key counts only in one that has all, as on DynamoDB Local. */
static size_t entry_bytes(const latch_schema *schema, const latch_index_schema *index, const latch_item *item) {
    size_t bytes = 0;
    if (latch_item_get(item, index->keys.sort) == NULL) return 0;
    if (index->projected == LATCH_PROJECTED_ALL) return latch_item_bytes(item);
    for (size_t i = 0; i < item->count; i++) {
        const latch_attribute *a = &item->attributes[i];
        bool counts = latch_schema_projects(schema, index, a->name) &&
                      (!latch_str_eq(a->name, schema->keys.sort) || latch_str_eq(a->name, index->keys.sort));
        if (counts) bytes += a->name.len + latch_av_bytes(&a->value);
    }
    return bytes;
}

/* The limit is of an item with what it has in local indexes (developer guide, "Local secondary indexes"). */
static size_t whole_bytes(const latch_schema *schema, const latch_item *item) {
    size_t bytes = latch_item_bytes(item);
    for (size_t i = 0; i < schema->index_count; i++)
        if (!schema->indexes[i].global) bytes += entry_bytes(schema, &schema->indexes[i], item);
    return bytes;
}

bool latch_schema_check_item(const latch_schema *schema, const latch_item *item, bool update, latch_arena *arena, latch_fault *fault) {
    if (!update && !check_table_keys(schema, item, arena, fault)) return false;
    if (whole_bytes(schema, item) > LATCH_ITEM_MAX_BYTES)
        return latch_invalid(fault, arena, "%s has exceeded the maximum allowed size", update ? "Item size to update" : "Item size");
    return check_index_keys(schema, item, update, arena, fault);
}

#include "store/schema.h"

#include <string.h>

#include "core/ctx_private.h"
#include "core/text.h"

static const latch_dynamodb_index default_indexes[] = {
    {.name = "gsi1", .pk = {"gsi1pk", "S"}, .sk = {"gsi1sk", "S"}},
    {.name = "gsi2", .pk = {"gsi2pk", "S"}, .sk = {"gsi2sk", "S"}},
};

const latch_dynamodb_schema latch_dynamodb_schema_default = {
    .pk = {"pk", "S"},
    .sk = {"sk", "S"},
    .ttl = "ttl",
    .indexes = default_indexes,
    .index_count = sizeof default_indexes / sizeof *default_indexes,
};

/* ── what is asked for ──────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_dynamodb_is_table(const char *table) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = strlen(table);
    return len >= 3 && len <= 255 && table[strspn(table, letters)] == '\0';
}

latch_status latch_dynamodb_check_table(latch_ctx *cx, const char *table) {
    if (latch_dynamodb_is_table(table)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "\"%.60s\" is no table's name: want 3 to 255 of a-z, A-Z, 0-9, _, - and .", table);
}

static const char *type_of(const latch_dynamodb_key *key) { return key->type != NULL ? key->type : "S"; }

static latch_status add_key(latch_ctx *cx, const latch_dynamodb_key *key, latch_dynamodb_key *out, size_t *count) {
    if (key->name == NULL) return LATCH_OK;
    const char *type = type_of(key);
    if (strlen(type) != 1 || strchr("SNB", *type) == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the key %.100s has the type \"%.20s\", want S, N or B", key->name, type);
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(out[i].name, key->name) != 0) continue;
        if (*out[i].type == *type) return LATCH_OK;
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "the key %.100s has two types: %s and %s", key->name, out[i].type, type);
    }
    out[(*count)++] = (latch_dynamodb_key){key->name, type};
    return LATCH_OK;
}

latch_status latch_dynamodb_schema_keys(latch_ctx *cx, const latch_dynamodb_schema *schema, latch_dynamodb_key out[LATCH_DYNAMODB_KEY_MAX],
                                        size_t *count) {
    *count = 0;
    if (schema->pk.name == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "a table's schema has no .pk");
    if (schema->index_count > LATCH_DYNAMODB_INDEX_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "a table's schema has %zu indexes, want at most %d", schema->index_count,
                             LATCH_DYNAMODB_INDEX_MAX);
    LATCH_TRY(add_key(cx, &schema->pk, out, count));
    LATCH_TRY(add_key(cx, &schema->sk, out, count));
    for (size_t i = 0; i < schema->index_count; i++) {
        const latch_dynamodb_index *index = &schema->indexes[i];
        if (index->name == NULL || index->pk.name == NULL)
            return latch_err_set(&cx->err, LATCH_E_MISUSE, "a table's schema has an index, number %zu, without name or .pk", i + 1);
        LATCH_TRY(add_key(cx, &index->pk, out, count));
        LATCH_TRY(add_key(cx, &index->sk, out, count));
    }
    return LATCH_OK;
}

/* ── the requests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *s) { latch_text_put(t, latch_str_of(s)); }

static void put_member(latch_text_writer *t, const char *name, const char *value) {
    if (t->len > 0 && t->failed == LATCH_OK && t->at[t->len - 1] != '{') latch_text_char(t, ',');
    latch_text_json_string(t, latch_str_of(name));
    latch_text_char(t, ':');
    latch_text_json_string(t, latch_str_of(value));
}

static void put_pair(latch_text_writer *t, const char *name, const char *of, const char *value) {
    latch_text_char(t, '{');
    put_member(t, "AttributeName", name);
    put_member(t, of, value);
    latch_text_char(t, '}');
}

static void put_keys(latch_text_writer *t, const latch_dynamodb_key *pk, const latch_dynamodb_key *sk) {
    put(t, ",\"KeySchema\":[");
    put_pair(t, pk->name, "KeyType", "HASH");
    if (sk->name != NULL) latch_text_char(t, ',');
    if (sk->name != NULL) put_pair(t, sk->name, "KeyType", "RANGE");
    latch_text_char(t, ']');
}

static void put_projection(latch_text_writer *t, const latch_dynamodb_index *index) {
    put(t, ",\"Projection\":{");
    put_member(t, "ProjectionType", index->projection != NULL ? index->projection : "ALL");
    for (const char *const *at = index->include; at != NULL && *at != NULL; at++) {
        put(t, at == index->include ? ",\"NonKeyAttributes\":[" : ",");
        latch_text_json_string(t, latch_str_of(*at));
    }
    put(t, index->include != NULL && *index->include != NULL ? "]}" : "}");
}

static void put_units(latch_text_writer *t, const latch_dynamodb_schema *schema) {
    put(t, ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":");
    latch_text_int(t, schema->read_units);
    put(t, ",\"WriteCapacityUnits\":");
    latch_text_int(t, schema->write_units);
    latch_text_char(t, '}');
}

static void put_indexes(latch_text_writer *t, const latch_dynamodb_schema *schema, bool local) {
    bool first = true;
    for (size_t i = 0; i < schema->index_count; i++) {
        const latch_dynamodb_index *index = &schema->indexes[i];
        if (index->local != local) continue;
        const char *list = local ? ",\"LocalSecondaryIndexes\":[{" : ",\"GlobalSecondaryIndexes\":[{";
        put(t, first ? list : ",{");
        first = false;
        put_member(t, "IndexName", index->name);
        put_keys(t, &index->pk, &index->sk);
        put_projection(t, index);
        if (!local && schema->read_units > 0) put_units(t, schema);
        latch_text_char(t, '}');
    }
    if (!first) latch_text_char(t, ']');
}

static latch_status end(latch_ctx *cx, latch_text_writer *t, const char *operation, latch_str *out) {
    *out = latch_text_end(t);
    if (out->ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, t->failed, "%s: %s", operation, t->why);
}

latch_status latch_dynamodb_schema_request(latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema, latch_str *out) {
    latch_dynamodb_key keys[LATCH_DYNAMODB_KEY_MAX];
    size_t count;
    *out = (latch_str){0};
    LATCH_TRY(latch_dynamodb_check_table(cx, table));
    LATCH_TRY(latch_dynamodb_schema_keys(cx, schema, keys, &count));
    if (schema->read_units < 0 || schema->write_units < 0 || (schema->read_units == 0) != (schema->write_units == 0))
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "a table's schema has %lld read_units and %lld write_units, want both, or 0 for both",
                             (long long)schema->read_units, (long long)schema->write_units);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    put_member(&t, "TableName", table);
    put_member(&t, "BillingMode", schema->read_units > 0 ? "PROVISIONED" : "PAY_PER_REQUEST");
    if (schema->read_units > 0) put_units(&t, schema);
    put(&t, ",\"AttributeDefinitions\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) latch_text_char(&t, ',');
        put_pair(&t, keys[i].name, "AttributeType", keys[i].type);
    }
    latch_text_char(&t, ']');
    put_keys(&t, &schema->pk, &schema->sk);
    put_indexes(&t, schema, false);
    put_indexes(&t, schema, true);
    latch_text_char(&t, '}');
    return end(cx, &t, "CreateTable", out);
}

latch_status latch_dynamodb_ttl_request(latch_ctx *cx, const char *table, const char *attribute, latch_str *out) {
    *out = (latch_str){0};
    LATCH_TRY(latch_dynamodb_check_table(cx, table));
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    put_member(&t, "TableName", table);
    put(&t, ",\"TimeToLiveSpecification\":{");
    put_member(&t, "AttributeName", attribute);
    put(&t, ",\"Enabled\":true}}");
    return end(cx, &t, "UpdateTimeToLive", out);
}

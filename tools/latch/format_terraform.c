#include "core/ctx_private.h"
#include "format.h"

/* As JSON's strings, but that "${" and "%{" begin a template there. */
static void put_string(latch_text_writer *t, const char *s) {
    latch_text_char(t, '"');
    for (const char *at = s; *at != '\0'; at++) {
        if ((*at == '$' || *at == '%') && at[1] == '{') latch_text_char(t, *at);
        if (*at == '"' || *at == '\\') latch_text_char(t, '\\');
        latch_text_char(t, *at);
    }
    latch_text_char(t, '"');
}

static void put_line(latch_text_writer *t, const char *name, const char *value) {
    latch_format_put(t, name, " = ", NULL);
    put_string(t, value);
    latch_text_char(t, '\n');
}

static void put_index(latch_text_writer *t, const latch_dynamodb_index *index) {
    latch_format_put(t, "\n  global_secondary_index {\n", NULL);
    put_line(t, "    name           ", index->name);
    put_line(t, "    hash_key       ", index->pk.name);
    if (index->sk.name != NULL) put_line(t, "    range_key      ", index->sk.name);
    put_line(t, "    projection_type", index->projection != NULL ? index->projection : "ALL");
    latch_format_put(t, "  }\n", NULL);
}

void latch_format_terraform(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    latch_dynamodb_key keys[LATCH_DYNAMODB_KEY_MAX];
    size_t count;
    latch_status status = latch_dynamodb_schema_keys(cx, schema, keys, &count);
    if (status != LATCH_OK) latch_text_fail(t, status, cx->err.message);
    latch_format_put(t, "resource \"aws_dynamodb_table\" \"latch\" {\n", NULL);
    put_line(t, "  name        ", table);
    put_line(t, "  billing_mode", "PAY_PER_REQUEST");
    put_line(t, "  hash_key    ", schema->pk.name);
    if (schema->sk.name != NULL) put_line(t, "  range_key   ", schema->sk.name);
    for (size_t i = 0; i < count; i++) {
        latch_format_put(t, "\n  attribute {\n", NULL);
        put_line(t, "    name", keys[i].name);
        put_line(t, "    type", keys[i].type);
        latch_format_put(t, "  }\n", NULL);
    }
    for (size_t i = 0; i < schema->index_count; i++)
        put_index(t, &schema->indexes[i]);
    if (schema->ttl != NULL) {
        latch_format_put(t, "\n  ttl {\n", NULL);
        put_line(t, "    attribute_name", schema->ttl);
        latch_format_put(t, "    enabled        = true\n  }\n", NULL);
    }
    latch_format_put(t, "\n  point_in_time_recovery {\n    enabled = true\n  }\n\n", "  lifecycle {\n    prevent_destroy = true\n  }\n}\n",
                     NULL);
}

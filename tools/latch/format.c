#include "format.h"

#include <stdarg.h>
#include <string.h>

#include "core/ctx_private.h"

void latch_format_put(latch_text_writer *t, ...) {
    va_list texts;
    va_start(texts, t);
    for (const char *s = va_arg(texts, const char *); s != NULL; s = va_arg(texts, const char *))
        latch_text_put(t, latch_str_of(s));
    va_end(texts);
}

void latch_format_quoted(latch_text_writer *t, const char *s) { latch_text_json_string(t, latch_str_of(s)); }

static const char *type_of(const latch_dynamodb_key *key) { return key->type != NULL ? key->type : "S"; }
static const char *projection_of(const latch_dynamodb_index *index) { return index->projection != NULL ? index->projection : "ALL"; }

/* ── CloudFormation ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A name that YAML would take for something else, or can't have bare, stands in quotes. */
static void put_yaml(latch_text_writer *t, const char *s) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
    bool plain = strspn(s, letters) > 0 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == strlen(s);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        plain = plain && strcasecmp(s, words[i]) != 0;
    if (plain)
        latch_format_put(t, s, NULL);
    else
        latch_format_quoted(t, s);
}

static void put_yaml_pair(latch_text_writer *t, const char *indent, const char *name, const char *of, const char *value) {
    latch_format_put(t, indent, "- {AttributeName: ", NULL);
    put_yaml(t, name);
    latch_format_put(t, ", ", of, ": ", value, "}\n", NULL);
}

static void put_yaml_keys(latch_text_writer *t, const char *indent, const latch_dynamodb_key *pk, const latch_dynamodb_key *sk) {
    put_yaml_pair(t, indent, pk->name, "KeyType", "HASH");
    if (sk->name != NULL) put_yaml_pair(t, indent, sk->name, "KeyType", "RANGE");
}

static void put_yaml_index(latch_text_writer *t, const latch_dynamodb_index *index) {
    latch_format_put(t, "        - IndexName: ", NULL);
    put_yaml(t, index->name);
    latch_format_put(t, "\n          KeySchema:\n", NULL);
    put_yaml_keys(t, "            ", &index->pk, &index->sk);
    latch_format_put(t, "          Projection: {ProjectionType: ", projection_of(index), "}\n", NULL);
}

void latch_format_cloudformation(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    latch_dynamodb_key keys[LATCH_DYNAMODB_KEY_MAX];
    size_t count;
    latch_status status = latch_dynamodb_schema_keys(cx, schema, keys, &count);
    if (status != LATCH_OK) latch_text_fail(t, status, cx->err.message);
    latch_format_put(t, "# A function that uses it: Environment: {Variables: {LATCH_TABLE: !Ref LatchTable}}, and of SAM's policies\n",
                     "# DynamoDBCrudPolicy: {TableName: !Ref LatchTable}\nResources:\n  LatchTable:\n    Type: AWS::DynamoDB::Table\n",
                     "    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      TableName: ", NULL);
    put_yaml(t, table);
    latch_format_put(t, "\n      BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions:\n", NULL);
    for (size_t i = 0; i < count; i++)
        put_yaml_pair(t, "        ", keys[i].name, "AttributeType", keys[i].type);
    latch_format_put(t, "      KeySchema:\n", NULL);
    put_yaml_keys(t, "        ", &schema->pk, &schema->sk);
    if (schema->index_count > 0) latch_format_put(t, "      GlobalSecondaryIndexes:\n", NULL);
    for (size_t i = 0; i < schema->index_count; i++)
        put_yaml_index(t, &schema->indexes[i]);
    if (schema->ttl != NULL) {
        latch_format_put(t, "      TimeToLiveSpecification: {AttributeName: ", NULL);
        put_yaml(t, schema->ttl);
        latch_format_put(t, ", Enabled: true}\n", NULL);
    }
    latch_format_put(t, "      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}\n", NULL);
}

/* ── the API's requests ─────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct requests {
    latch_str create, ttl, backups; /* ttl: empty where there is none */
} requests;

static requests build(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    requests r = {.create = {NULL, 0}};
    latch_status status = latch_dynamodb_schema_request(cx, table, schema, &r.create);
    if (status == LATCH_OK && schema->ttl != NULL) status = latch_dynamodb_ttl_request(cx, table, schema->ttl, &r.ttl);
    if (status != LATCH_OK) latch_text_fail(t, status, cx->err.message);
    r.backups =
        latch_ctx_text(cx, "{\"TableName\":\"%s\",\"PointInTimeRecoverySpecification\":{\"PointInTimeRecoveryEnabled\":true}}", table);
    if (r.backups.ptr == NULL) latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    return r;
}

void latch_format_json(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    requests r = build(t, cx, table, schema);
    latch_format_put(t, "{\"CreateTable\":", r.create.ptr, NULL);
    if (r.ttl.len > 0) latch_format_put(t, ",\n\"UpdateTimeToLive\":", r.ttl.ptr, NULL);
    latch_format_put(t, ",\n\"UpdateContinuousBackups\":", r.backups.ptr, "}\n", NULL);
}

/* Within the shell's single quotes, which nothing but themselves ends. */
static void put_shell(latch_text_writer *t, latch_str s) {
    latch_text_char(t, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'') latch_format_put(t, "'\\'", NULL);
        latch_text_char(t, s.ptr[i]);
    }
    latch_text_char(t, '\'');
}

void latch_format_aws_cli(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    requests r = build(t, cx, table, schema);
    latch_format_put(t, "set -e\nexport AWS_PAGER=\naws dynamodb create-table --cli-input-json ", NULL);
    put_shell(t, r.create);
    latch_format_put(t, "\naws dynamodb wait table-exists --table-name ", table, NULL);
    if (r.ttl.len > 0) {
        latch_format_put(t, "\naws dynamodb update-time-to-live --cli-input-json ", NULL);
        put_shell(t, r.ttl);
    }
    latch_format_put(t, "\naws dynamodb update-continuous-backups --cli-input-json ", NULL);
    put_shell(t, r.backups);
    latch_text_char(t, '\n');
}

/* ── CDK ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_cdk_key(latch_text_writer *t, const char *role, const latch_dynamodb_key *key) {
    const char *type = *type_of(key) == 'S' ? "STRING" : *type_of(key) == 'N' ? "NUMBER" : "BINARY";
    if (key->name == NULL) return;
    latch_format_put(t, "  ", role, ": { name: ", NULL);
    latch_format_quoted(t, key->name);
    latch_format_put(t, ", type: dynamodb.AttributeType.", type, " },\n", NULL);
}

static void put_cdk_index(latch_text_writer *t, const latch_dynamodb_index *index) {
    latch_format_put(t, "table.addGlobalSecondaryIndex({\n  indexName: ", NULL);
    latch_format_quoted(t, index->name);
    latch_format_put(t, ",\n", NULL);
    put_cdk_key(t, "partitionKey", &index->pk);
    put_cdk_key(t, "sortKey", &index->sk);
    latch_format_put(t, "  projectionType: dynamodb.ProjectionType.", projection_of(index), ",\n});\n", NULL);
}

void latch_format_cdk(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema) {
    (void)cx;
    latch_format_put(t, "import { RemovalPolicy } from \"aws-cdk-lib\";\nimport * as dynamodb from \"aws-cdk-lib/aws-dynamodb\";\n\n",
                     "// In a stack's constructor. A function that uses it: environment: { LATCH_TABLE: table.tableName },\n",
                     "// and table.grantReadWriteData(fn).\nconst table = new dynamodb.Table(this, \"LatchTable\", {\n  tableName: ", NULL);
    latch_format_quoted(t, table);
    latch_format_put(t, ",\n", NULL);
    put_cdk_key(t, "partitionKey", &schema->pk);
    put_cdk_key(t, "sortKey", &schema->sk);
    latch_format_put(t, "  billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,\n", NULL);
    if (schema->ttl != NULL) {
        latch_format_put(t, "  timeToLiveAttribute: ", NULL);
        latch_format_quoted(t, schema->ttl);
        latch_format_put(t, ",\n", NULL);
    }
    latch_format_put(t, "  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },\n",
                     "  removalPolicy: RemovalPolicy.RETAIN,\n});\n", NULL);
    for (size_t i = 0; i < schema->index_count; i++)
        put_cdk_index(t, &schema->indexes[i]);
}

/* ── by name ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name;
    latch_format_fn *write;
} formats[] = {
    {"cloudformation", latch_format_cloudformation},
    {"terraform", latch_format_terraform},
    {"cdk", latch_format_cdk},
    {"aws-cli", latch_format_aws_cli},
    {"json", latch_format_json},
};

latch_format_fn *latch_format_find(const char *name, const char **names) {
    *names = "cloudformation, terraform, cdk, aws-cli or json";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0) return formats[i].write;
    return NULL;
}

#include "store/layouts.h"

#include <string.h>

#include "core/ctx_private.h"

static const latch_dynamodb_index toolkit_indexes[] = {{.name = "gsi1", .pk = {"gsi1pk", "S"}, .sk = {"gsi1sk", "S"}}};
static const latch_dynamodb_schema toolkit = {
    .pk = {"pk", "S"}, .sk = {"sk", "S"}, .ttl = "ttl", .indexes = toolkit_indexes, .index_count = 1};

static const latch_dynamodb_index saga_bus_indexes[] = {
    {.name = "GSI1", .pk = {"GSI1PK", "S"}, .sk = {"GSI1SK", "S"}},
    {.name = "GSI2", .pk = {"GSI2PK", "S"}, .sk = {"GSI2SK", "S"}, .projection = "KEYS_ONLY"},
};
static const latch_dynamodb_schema saga_bus = {.pk = {"PK", "S"}, .sk = {"SK", "S"}, .indexes = saga_bus_indexes, .index_count = 2};

static const latch_dynamodb_schema powertools = {.pk = {"id", "S"}, .ttl = "expiration"};
static const latch_dynamodb_schema keyed = {.pk = {"key", "S"}};
static const latch_dynamodb_schema partitioned = {.pk = {"partitionKey", "S"}, .sk = {"sortKey", "S"}};

const latch_layout latch_layouts[LATCH_LAYOUT_COUNT] = {
    {"latch", LATCH_DYNAMODB_TABLE, "the stores' own", &latch_dynamodb_schema_default},
    {"toolkit", "http-client-toolkit", "npm @http-client-toolkit/store-dynamodb: cache, dedupe, rate limits (.toolkit_table)", &toolkit},
    {"saga-bus", NULL, "npm @saga-bus/store-dynamodb: saga (.saga_bus_table)", &saga_bus},
    {"powertools", NULL, "AWS Lambda Powertools' idempotency: do-once (.powertools)", &powertools},
    {"lock-client", NULL, "amazon-dynamodb-lock-client, Go's dynamolock: lock (.lock_client)", &keyed},
    {"paradoxical-locks", NULL, "@paradoxical-io/common-aws: lock (.paradoxical_table)", &keyed},
    {"paradoxical-keys", NULL, "the same: key-value, counters (.paradoxical_table)", &keyed},
    {"paradoxical-partitioned-keys", NULL, "the same: partitioned key-value, sets, limited attempt, do-once (.paradoxical_table)",
     &partitioned},
};

const latch_layout *latch_layout_find(const char *name) {
    for (size_t i = 0; i < LATCH_LAYOUT_COUNT; i++)
        if (strcmp(latch_layouts[i].name, name) == 0) return &latch_layouts[i];
    return NULL;
}

latch_status latch_layout_explain(latch_ctx *cx, latch_status status, const char *table, const char *layout, const char *index) {
    bool ours = strcmp(layout, "latch") == 0;
    if (status != LATCH_E_MISUSE || strstr(cx->err.message, "specified index") == NULL) return status;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "table %s has no index %s: `latch table create %s%s%s --add-indexes` adds it", table,
                         index, table, ours ? "" : " --layout ", ours ? "" : layout);
}

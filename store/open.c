#include "store/open.h"

#include <stdlib.h>
#include <string.h>

#include "core/ctx_private.h"
#include "store/embedded/engine.h"

#define DEFAULT_TABLE "latch"
#define MAX_MB 65536
#define DEFAULT_MB 256

/* Set, and not to nothing. */
static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool on_lambda(void) { return setting("AWS_LAMBDA_INITIALIZATION_TYPE") != NULL && setting("AWS_SAM_LOCAL") == NULL; }

typedef enum place { NOWHERE, EMBEDDED, DYNAMODB } place;

static latch_status choose(latch_ctx *cx, place *out) {
    const char *store = setting("LATCH_STORE"), *table = setting("LATCH_TABLE");
    *out = NOWHERE;
    if (store == NULL && table == NULL && on_lambda()) return LATCH_OK;
    if (store == NULL) {
        *out = table != NULL ? DYNAMODB : EMBEDDED;
        return LATCH_OK;
    }
    if (strcmp(store, "embedded") == 0) *out = EMBEDDED;
    if (strcmp(store, "dynamodb") == 0) *out = DYNAMODB;
    if (*out != NOWHERE) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_STORE is \"%.40s\", want embedded or dynamodb", store);
}

static latch_status read_bound(latch_ctx *cx, size_t *max_bytes) {
    const char *text = setting("LATCH_EMBEDDED_MAX_MB");
    char *end = NULL;
    unsigned long mb = text != NULL ? strtoul(text, &end, 10) : DEFAULT_MB;
    *max_bytes = mb << 20;
    if (text == NULL || (text[0] >= '0' && text[0] <= '9' && *end == '\0' && mb >= 1 && mb <= MAX_MB)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_EMBEDDED_MAX_MB is \"%.40s\", want a whole number from 1 to %d", text, MAX_MB);
}

/* The one table that all stores share: pk, sk, ttl, and two indexes. */
static const char schema[] =
    "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\","
    "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi1pk\",\"AttributeType\":\"S\"},{\"AttributeName\":\"gsi1sk\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"gsi2pk\",\"AttributeType\":\"S\"},{\"AttributeName\":\"gsi2sk\",\"AttributeType\":\"S\"}],"
    "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],"
    "\"GlobalSecondaryIndexes\":["
    "{\"IndexName\":\"gsi1\",\"KeySchema\":[{\"AttributeName\":\"gsi1pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"gsi1sk\",\"KeyType\":"
    "\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"ALL\"}},"
    "{\"IndexName\":\"gsi2\",\"KeySchema\":[{\"AttributeName\":\"gsi2pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"gsi2sk\",\"KeyType\":"
    "\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"ALL\"}}]}";
static const char ttl_on[] = "{\"TableName\":\"%s\",\"TimeToLiveSpecification\":{\"AttributeName\":\"ttl\",\"Enabled\":true}}";

static latch_status ask(latch_ctx *cx, const latch_transport *transport, const char *operation, latch_str request) {
    const latch_send send = {.operation = operation, .request = request, .deadline_at_ms = INT64_MAX};
    latch_reply reply;
    if (request.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "embedded store: the arena is full");
    LATCH_TRY(transport->call(transport->self, &send, cx->arena, &reply, &cx->err));
    if (reply.http_status == 200) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_TABLE: %.*s", LATCH_ARG(reply.body));
}

static latch_status create_table(latch_ctx *cx, const latch_table *table) {
    LATCH_TRY(ask(cx, &table->client->transport, "CreateTable", latch_ctx_text(cx, schema, table->name)));
    return ask(cx, &table->client->transport, "UpdateTimeToLive", latch_ctx_text(cx, ttl_on, table->name));
}

static latch_status open_embedded(latch_ctx *cx, const char *name, latch_stores *out) {
    latch_embedded_options options = {0};
    LATCH_TRY(read_bound(cx, &options.max_bytes));
    LATCH_TRY(latch_embedded_init(&out->embedded, &options, &cx->err));
    latch_client_init(&out->client, latch_embedded_transport(out->embedded), NULL);
    out->table = (latch_table){.name = name, .client = &out->client};
    latch_status status = create_table(cx, &out->table);
    if (status != LATCH_OK) latch_stores_close(out);
    return status;
}

/* A table's name is sent as it stands: no text that JSON would escape may be in it. */
static latch_status check_name(latch_ctx *cx, const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = strlen(name);
    if (len >= 3 && len <= 255 && name[strspn(name, letters)] == '\0') return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_TABLE is \"%.60s\", want 3 to 255 of a-z, A-Z, 0-9, _, - and .", name);
}

latch_status latch_stores_open(latch_ctx *cx, bool needed, latch_stores *out) {
    const char *name = setting("LATCH_TABLE") != NULL ? setting("LATCH_TABLE") : DEFAULT_TABLE;
    place at;
    *out = (latch_stores){0};
    LATCH_TRY(choose(cx, &at));
    LATCH_TRY(check_name(cx, name));
    if (at == NOWHERE && needed) {
        return latch_err_set(
            &cx->err, LATCH_E_MISUSE,
            "this handler uses stores, and neither LATCH_TABLE nor LATCH_STORE is set: set LATCH_TABLE to the DynamoDB table's "
            "name; LATCH_STORE=embedded would give each sandbox its own locks and limits");
    }
    if (at == DYNAMODB && needed) {
        return latch_err_set(&cx->err, LATCH_E_MISUSE,
                             "LATCH_STORE or LATCH_TABLE asks for DynamoDB, which this version can't reach yet: unset both, or set "
                             "LATCH_STORE=embedded, for the store in this process");
    }
    if (at == EMBEDDED) LATCH_TRY(open_embedded(cx, name, out));
    cx->table = at == EMBEDDED ? &out->table : NULL;
    return LATCH_OK;
}

void latch_stores_close(latch_stores *stores) {
    latch_client_clean_up(&stores->client);
    latch_embedded_clean_up(stores->embedded);
    *stores = (latch_stores){0};
}

#include "store/open.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/env.h"
#include "store/dynamodb/connection.h"
#include "store/dynamodb/credentials.h"
#include "store/dynamodb/dynamodb.h"
#include "store/embedded/engine.h"
#include "store/schema.h"
#include "store/wait.h"

#define MAX_MB 65536
#define DEFAULT_MB 256
#define KEYS_MS (8 * LATCH_SECOND_MS) /* of the 10 s that Lambda gives initialisation; a credential_process may be slow */
#define WARM_MS (2 * LATCH_SECOND_MS)
#define ENSURE_MS (60 * LATCH_SECOND_MS) /* until a table that is created takes items */
#define FIRST_LOOK_MS 100
#define LOOK_MS (2 * LATCH_SECOND_MS)

latch_status latch_stores_choose(latch_ctx *cx, latch_stores_where *out) {
    const char *store = latch_env_get("LATCH_STORE"), *table = latch_env_get("LATCH_TABLE");
    *out = LATCH_STORES_NOWHERE;
    if (store == NULL && table == NULL && latch_settings_on_lambda()) return LATCH_OK;
    if (store == NULL) {
        *out = table != NULL ? LATCH_STORES_DYNAMODB : LATCH_STORES_EMBEDDED;
        return LATCH_OK;
    }
    if (strcmp(store, "embedded") == 0) *out = LATCH_STORES_EMBEDDED;
    if (strcmp(store, "dynamodb") == 0) *out = LATCH_STORES_DYNAMODB;
    if (*out != LATCH_STORES_NOWHERE) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_STORE is \"%.40s\", want embedded or dynamodb", store);
}

/* A whole number; *out stays as it is where the variable isn't set. */
static latch_status read_number(latch_ctx *cx, const char *name, int64_t least, int64_t most, int64_t *out) {
    const char *text = latch_env_get(name);
    size_t len = text != NULL ? strlen(text) : 0;
    if (text == NULL) return LATCH_OK;
    int64_t n = len <= 9 && strspn(text, "0123456789") == len ? strtoll(text, NULL, 10) : -1;
    if (n >= least && n <= most) {
        *out = n;
        return LATCH_OK;
    }
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s is \"%.40s\", want a whole number from %" PRId64 " to %" PRId64, name, text, least,
                         most);
}

static latch_status read_truth(latch_ctx *cx, const char *name, bool *out) {
    const char *text = latch_env_get(name);
    if (text == NULL) return LATCH_OK;
    *out = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (*out || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s is \"%.40s\", want true or false", name, text);
}

latch_status latch_stores_options(latch_ctx *cx, latch_client_options *out) {
    int64_t retries, sockets;
    *out = latch_client_defaults();
    retries = out->max_retries, sockets = out->max_connections;
    LATCH_TRY(read_number(cx, "DYNAMODB_MAX_RETRIES", 0, 20, &retries));
    LATCH_TRY(read_number(cx, "DYNAMODB_MAX_SOCKETS", 1, 1000, &sockets));
    LATCH_TRY(read_number(cx, "DYNAMODB_REQUEST_TIMEOUT", 0, 900000, &out->request_timeout_ms));
    out->max_retries = (int)retries, out->max_connections = (int)sockets;
    return read_truth(cx, "DYNAMODB_ENABLE_LOGGING", &out->logs);
}

/* ── embedded ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status ask(latch_ctx *cx, const latch_transport *transport, const char *operation, latch_str request) {
    const latch_send send = {.operation = operation, .request = request, .deadline_at_ms = INT64_MAX};
    latch_reply reply;
    LATCH_TRY(transport->call(transport->self, &send, cx->arena, &reply, &cx->err));
    if (reply.http_status == 200) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_TABLE: %.*s", LATCH_ARG(reply.body));
}

static latch_status create_table(latch_ctx *cx, const latch_table *table) {
    const latch_dynamodb_schema *schema = &latch_dynamodb_schema_default;
    latch_str request;
    LATCH_TRY(latch_dynamodb_schema_request(cx, table->name, schema, &request));
    LATCH_TRY(ask(cx, &table->client->transport, "CreateTable", request));
    LATCH_TRY(latch_dynamodb_ttl_request(cx, table->name, schema->ttl, &request));
    return ask(cx, &table->client->transport, "UpdateTimeToLive", request);
}

static latch_status open_embedded(latch_ctx *cx, const char *name, latch_stores *out) {
    latch_embedded_options options = {0};
    latch_client_options calls;
    int64_t mb = DEFAULT_MB;
    LATCH_TRY(latch_stores_options(cx, &calls));
    LATCH_TRY(read_number(cx, "LATCH_EMBEDDED_MAX_MB", 1, MAX_MB, &mb));
    options.max_bytes = (size_t)mb << 20;
    LATCH_TRY(latch_embedded_init(&out->embedded, &options, &cx->err));
    latch_client_init(&out->client, latch_embedded_transport(out->embedded), &calls);
    out->table = (latch_table){.name = name, .client = &out->client};
    latch_status status = create_table(cx, &out->table);
    if (status != LATCH_OK) latch_stores_close(out);
    return status;
}

/* ── DynamoDB ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void warn(latch_ctx *cx, const char *message, const latch_err *err) { latch_warn(cx, message, "why", err->message); }

/* Keys are fetched now, and may say of which account they are, which has an endpoint of its own. */
static latch_status prepare_keys(latch_ctx *cx, latch_stores *out) {
    latch_keys keys;
    latch_err err = {0};
    LATCH_TRY(latch_credentials_open(&out->credentials, &out->settings, cx->clock, &cx->err));
    latch_status status = latch_credentials_get(out->credentials, latch_now_ms(cx) + KEYS_MS, &keys, &err);
    if (status != LATCH_OK) warn(cx, "there are no keys for DynamoDB yet: the first call will ask for them again", &err);
    latch_status fits = latch_settings_for_account(cx, &out->settings, keys.account_id);
    if (status == LATCH_OK) latch_credentials_release(out->credentials, &keys);
    return fits;
}

static latch_status connect_dynamodb(latch_ctx *cx, latch_stores *out) {
    latch_client_options options;
    latch_err err = {0};
    LATCH_TRY(latch_stores_options(cx, &options));
    LATCH_TRY(latch_settings_from_environment(cx, &out->settings));
    LATCH_TRY(prepare_keys(cx, out));
    const latch_dynamodb_options wire = {
        .settings = &out->settings, .credentials = out->credentials, .clock = cx->clock, .skew = &out->skew};
    LATCH_TRY(latch_dynamodb_open(&out->dynamodb, &wire, &cx->err));
    latch_client_init(&out->client, latch_dynamodb_transport(out->dynamodb), &options);
    if (latch_dynamodb_warm(out->dynamodb, latch_now_ms(cx) + WARM_MS, &err) != LATCH_OK)
        warn(cx, "DynamoDB isn't reached yet: the first call will try again", &err);
    return LATCH_OK;
}

/* ── a table that isn't there ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* Asked of the client itself: store/tables.h does more, and would be in every function for what none does on Lambda. */
static latch_status ask_client(latch_ctx *cx, const char *operation, latch_str request, latch_answer *answer) {
    const latch_call call = {.operation = operation, .request = request, .repeatable = true};
    *answer = (latch_answer){.body = {cx, NULL}};
    return latch_client_call(cx, &call, answer);
}

static bool is_error(const latch_answer *answer, const char *name) { return latch_str_eq(answer->error, latch_str_of(name)); }

static latch_status create_it(latch_ctx *cx, const char *name) {
    latch_answer answer;
    latch_str request;
    LATCH_TRY(latch_dynamodb_schema_request(cx, name, &latch_dynamodb_schema_default, &request));
    latch_status status = ask_client(cx, "CreateTable", request, &answer);
    if (status == LATCH_OK) latch_info(cx, "the table is created", "table", name);
    return is_error(&answer, "ResourceInUseException") ? LATCH_OK : status;
}

static latch_status check_keys(latch_ctx *cx, const char *name, latch_json table) {
    const latch_dynamodb_schema *want = &latch_dynamodb_schema_default;
    latch_str pk, sk;
    LATCH_TRY(latch_read(table, "KeySchema[0].AttributeName", &pk, "KeySchema[1].AttributeName", latch_optional(&sk)));
    if (latch_str_eq(pk, latch_str_of(want->pk.name)) && latch_str_eq(sk, latch_str_of(want->sk.name))) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE,
                         "LATCH_ENSURE_TABLE: table %s is there, and has the key %.*s%s%.*s: `latch table describe %s` says what differs",
                         name, LATCH_ARG(pk), sk.len > 0 ? ", " : "", LATCH_ARG(sk), name);
}

static latch_status await_it(latch_ctx *cx, const char *name) {
    latch_wait wait = latch_wait_begin(cx, ENSURE_MS, FIRST_LOOK_MS, LOOK_MS);
    latch_str request = latch_ctx_text(cx, "{\"TableName\":\"%s\"}", name), status;
    if (request.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "LATCH_ENSURE_TABLE: the arena is full");
    for (;;) {
        size_t mark = latch_arena_mark(cx->arena);
        latch_answer answer;
        latch_status asked = ask_client(cx, "DescribeTable", request, &answer);
        bool coming = is_error(&answer, "ResourceNotFoundException"); /* right after its creation, for a moment */
        if (!coming) LATCH_TRY(asked);
        if (!coming) LATCH_TRY(latch_read(answer.body, "Table.TableStatus", &status));
        latch_json table;
        if (!coming && !latch_str_eq(status, LATCH_STR("CREATING"))) {
            LATCH_TRY(latch_read(answer.body, "Table", &table));
            return check_keys(cx, name, table);
        }
        latch_arena_rewind(cx->arena, mark);
        if (!latch_wait_more(cx, &wait, 0))
            return latch_err_set(&cx->err, LATCH_E_TIMEOUT, "LATCH_ENSURE_TABLE: table %s isn't ACTIVE yet: start again later", name);
    }
}

/* Where it is on already, that is refused: so be it. */
static latch_status turn_ttl_on(latch_ctx *cx, const char *name) {
    latch_answer answer;
    latch_str request;
    LATCH_TRY(latch_dynamodb_ttl_request(cx, name, latch_dynamodb_schema_default.ttl, &request));
    latch_status status = ask_client(cx, "UpdateTimeToLive", request, &answer);
    return is_error(&answer, "ValidationException") ? LATCH_OK : status;
}

static latch_status ensure_table(latch_ctx *cx, latch_stores *out) {
    size_t mark = latch_arena_mark(cx->arena);
    cx->table = &out->table;
    LATCH_TRY(create_it(cx, out->table.name));
    LATCH_TRY(await_it(cx, out->table.name));
    LATCH_TRY(turn_ttl_on(cx, out->table.name));
    latch_arena_rewind(cx->arena, mark);
    return LATCH_OK;
}

static latch_status wants_table(latch_ctx *cx, bool *out) {
    *out = false;
    LATCH_TRY(read_truth(cx, "LATCH_ENSURE_TABLE", out));
    if (!*out || !latch_settings_on_lambda()) return LATCH_OK;
    return latch_err_set(
        &cx->err, LATCH_E_MISUSE,
        "LATCH_ENSURE_TABLE is set, and this is Lambda: a function doesn't create its table, a template does (`latch table "
        "schema` prints it): unset it");
}

static latch_status open_dynamodb(latch_ctx *cx, const char *name, bool ensure, latch_stores *out) {
    const latch_clock local = cx->clock;
    latch_skew_init(&out->skew, local);
    cx->clock = latch_skew_clock(&out->skew);
    out->table = (latch_table){.name = name, .client = &out->client};
    latch_status status = connect_dynamodb(cx, out);
    if (status == LATCH_OK && ensure) status = ensure_table(cx, out);
    if (status == LATCH_OK) return status;
    cx->table = NULL;
    latch_stores_close(out);
    cx->clock = local;
    return status;
}

/* ── either ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A table's name is sent as it stands: no text that JSON would escape may be in it. */
static latch_status check_name(latch_ctx *cx, const char *name) {
    if (latch_dynamodb_is_table(name)) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "LATCH_TABLE is \"%.60s\", want 3 to 255 of a-z, A-Z, 0-9, _, - and .", name);
}

latch_status latch_stores_open(latch_ctx *cx, bool needed, latch_stores *out) {
    const char *name = latch_env_get("LATCH_TABLE") != NULL ? latch_env_get("LATCH_TABLE") : LATCH_DYNAMODB_TABLE;
    bool ensure;
    latch_stores_where at;
    *out = (latch_stores){0};
    LATCH_TRY(wants_table(cx, &ensure));
    LATCH_TRY(latch_stores_choose(cx, &at));
    LATCH_TRY(check_name(cx, name));
    if (at == LATCH_STORES_NOWHERE && needed) {
        return latch_err_set(
            &cx->err, LATCH_E_MISUSE,
            "this handler uses stores, and neither LATCH_TABLE nor LATCH_STORE is set: set LATCH_TABLE to the DynamoDB table's "
            "name; LATCH_STORE=embedded would give each sandbox its own locks and limits");
    }
    if (at == LATCH_STORES_EMBEDDED) LATCH_TRY(open_embedded(cx, name, out));
    if (at == LATCH_STORES_DYNAMODB && needed) LATCH_TRY(open_dynamodb(cx, name, ensure, out));
    cx->table = out->table.client != NULL ? &out->table : NULL;
    return LATCH_OK;
}

static void drop_dynamodb(latch_stores *stores) {
    latch_dynamodb_close(stores->dynamodb);
    latch_credentials_close(stores->credentials);
    stores->dynamodb = NULL;
    stores->credentials = NULL;
}

latch_status latch_stores_restore(latch_ctx *cx, latch_stores *stores) {
    const latch_client_options options = stores->client.options;
    if (!latch_connection_reseed()) return latch_err_set(&cx->err, LATCH_E_NETWORK, "the system has no random numbers");
    if (stores->table.client == NULL) return LATCH_OK;
    latch_client_clean_up(&stores->client);
    if (stores->embedded != NULL) {
        latch_client_init(&stores->client, latch_embedded_transport(stores->embedded), &options);
        return LATCH_OK;
    }
    drop_dynamodb(stores);
    latch_skew_init(&stores->skew, stores->skew.local);
    return connect_dynamodb(cx, stores);
}

/* The clock of whoever opened them goes on: it is the skew's. */
void latch_stores_close(latch_stores *stores) {
    latch_client_clean_up(&stores->client);
    drop_dynamodb(stores);
    latch_embedded_clean_up(stores->embedded);
    *stores = (latch_stores){.skew = stores->skew};
}

/* ── for other threads ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_stores_open_more(latch_ctx *cx, latch_stores *stores, latch_stores_more *out) {
    const latch_transport *first = &stores->client.transport;
    latch_err err = {0};
    *out = (latch_stores_more){.table = stores->table};
    cx->table = NULL;
    if (stores->table.client == NULL) return LATCH_OK;
    if (first->more != NULL) LATCH_TRY(first->more(first->self, &out->own, &cx->err));
    latch_client_init(&out->client, first->more != NULL ? out->own : *first, &stores->client.options);
    out->client.pace = stores->client.pace;
    out->table.client = &out->client;
    cx->table = &out->table;
    if (stores->dynamodb != NULL && latch_dynamodb_warm(out->own.self, latch_now_ms(cx) + WARM_MS, &err) != LATCH_OK)
        warn(cx, "DynamoDB isn't reached yet: the first call will try again", &err);
    return LATCH_OK;
}

void latch_stores_close_more(latch_stores_more *more) {
    latch_client_clean_up(&more->client);
    if (more->own.close != NULL) more->own.close(more->own.self);
    *more = (latch_stores_more){0};
}

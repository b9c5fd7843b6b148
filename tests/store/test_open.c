#include "store/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/usage.h"
#include "store/dynamodb/dynamodb.h"
#include "store/lock.h"
#include "tests/check.h"
#include "tests/core/http_server.h"

#define KEYS "AWS_ACCESS_KEY_ID=AKID AWS_SECRET_ACCESS_KEY=secret "
#define TABLE KEYS "AWS_REGION=eu-west-1 LATCH_TABLE=orders "

static const char *const names[] = {
    "LATCH_STORE",
    "LATCH_TABLE",
    "LATCH_EMBEDDED_MAX_MB",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_SAM_LOCAL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ACCOUNT_ID",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "NODE_ENV",
    "DYNAMODB_LOCAL_ENDPOINT",
    "DYNAMODB_MAX_RETRIES",
    "DYNAMODB_REQUEST_TIMEOUT",
    "DYNAMODB_CONNECTION_TIMEOUT",
    "DYNAMODB_MAX_SOCKETS",
    "DYNAMODB_ENABLE_LOGGING",
    "LATCH_ENSURE_TABLE",
};

typedef struct desk { /* a process that opens its stores */
    latch_ctx cx;
    latch_stores stores;
    latch_log log;
    latch_arena arena;
    latch_usage usage;
    int logged[2];
    char memory[262144];
} desk;
static desk d;

/* "NAME=value NAME=value", and nothing else that the stores look at. A home without files. */
static void environment(const char *text) {
    char copy[1024], *at = copy, *word;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strtok_r(at, " ", &at)) != NULL) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value = '\0';
        setenv(word, value + 1, 1);
    }
}

static int set_up(void **state) {
    (void)state;
    memset(&d, 0, sizeof d);
    latch_arena_init(&d.arena, d.memory, sizeof d.memory);
    assert_int_equal(pipe2(d.logged, O_NONBLOCK), 0);
    d.log = (latch_log){.fd = d.logged[1]};
    d.cx = (latch_ctx){.arena = &d.arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX, .log = &d.log, .usage = &d.usage};
    d.cx.request_id = LATCH_STR("");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_stores_close(&d.stores);
    latch_arena_clean_up(&d.arena);
    close(d.logged[0]);
    close(d.logged[1]);
    return 0;
}

static const char *logged(void) {
    static char text[8192];
    ssize_t n = read(d.logged[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void afresh(const char *text) {
    latch_stores_close(&d.stores);
    latch_arena_rewind(&d.arena, 0);
    d.cx.table = NULL;
    d.cx.clock = latch_clock_system();
    d.cx.err = (latch_err){0};
    environment(text);
}

/* ── which store ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum opened { NOTHING, EMBEDDED, DYNAMODB } opened;

static void opens_what_the_environment_names(void **state) {
    static const struct {
        const char *environment;
        bool needed;
        opened is;
        const char *table;
    } rows[] = {
        {"", true, EMBEDDED, "latch"},
        {"", false, EMBEDDED, "latch"},
        {"LATCH_STORE= LATCH_TABLE=", true, EMBEDDED, "latch"},
        {"LATCH_STORE=embedded LATCH_TABLE=orders", true, EMBEDDED, "orders"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand LATCH_STORE=embedded", true, EMBEDDED, "latch"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand AWS_SAM_LOCAL=true", true, EMBEDDED, "latch"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", false, NOTHING, NULL},
        {"LATCH_TABLE=orders", false, NOTHING, NULL},
        {"LATCH_STORE=dynamodb", false, NOTHING, NULL},
        {KEYS "LATCH_TABLE=orders AWS_REGION=eu-west-1 AWS_ENDPOINT_URL=http://127.0.0.1:9", true, DYNAMODB, "orders"},
        {KEYS "LATCH_STORE=dynamodb AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9 AWS_REGION=eu-west-1", true, DYNAMODB, "latch"},
        {"LATCH_TABLE=orders DYNAMODB_LOCAL_ENDPOINT=http://127.0.0.1:9", true, DYNAMODB, "orders"},
        {KEYS "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand LATCH_TABLE=orders AWS_REGION=eu-west-1 AWS_ENDPOINT_URL=http://127.0.0.1:9", true,
         DYNAMODB, "orders"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        afresh(rows[i].environment);
        latch_status status = latch_stores_open(&d.cx, rows[i].needed, &d.stores);
        if (status != LATCH_OK) print_message("%s: %s\n", rows[i].environment, d.cx.err.message);
        assert_int_equal(status, LATCH_OK);
        assert_int_equal(d.stores.embedded != NULL, rows[i].is == EMBEDDED);
        assert_int_equal(d.stores.dynamodb != NULL, rows[i].is == DYNAMODB);
        assert_int_equal(d.cx.table != NULL, rows[i].is != NOTHING);
        if (rows[i].is != NOTHING) assert_string_equal(d.cx.table->name, rows[i].table);
        if (rows[i].is != NOTHING) assert_ptr_equal(d.cx.table->client, &d.stores.client);
    }
}

static void says_what_to_set(void **state) {
    static const struct {
        const char *environment;
        latch_status status;
        const char *says[3];
    } rows[] = {
        {"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", LATCH_E_MISUSE, {"LATCH_TABLE", "LATCH_STORE=embedded", NULL}},
        {"LATCH_STORE=redis", LATCH_E_MISUSE, {"LATCH_STORE is \"redis\", want embedded or dynamodb", NULL}},
        {"LATCH_TABLE=a/b", LATCH_E_MISUSE, {"LATCH_TABLE is \"a/b\"", NULL}},
        {"LATCH_TABLE=ab", LATCH_E_MISUSE, {"LATCH_TABLE is \"ab\"", NULL}},
        {"LATCH_EMBEDDED_MAX_MB=0", LATCH_E_MISUSE, {"LATCH_EMBEDDED_MAX_MB is \"0\", want a whole number from 1 to 65536", NULL}},
        {"LATCH_EMBEDDED_MAX_MB=-1", LATCH_E_MISUSE, {"LATCH_EMBEDDED_MAX_MB", NULL}},
        {"LATCH_EMBEDDED_MAX_MB=12x", LATCH_E_MISUSE, {"LATCH_EMBEDDED_MAX_MB", NULL}},
        {"LATCH_EMBEDDED_MAX_MB=99999999999999999999", LATCH_E_MISUSE, {"LATCH_EMBEDDED_MAX_MB", NULL}},
        {KEYS "LATCH_TABLE=orders", LATCH_E_MISUSE, {"AWS_REGION", NULL}},
        {"LATCH_TABLE=orders AWS_REGION=eu-west-1", LATCH_E_DENIED, {"AWS_ACCESS_KEY_ID", NULL}},
        {"LATCH_TABLE=orders AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKID", LATCH_E_MISUSE, {"AWS_SECRET_ACCESS_KEY", NULL}},
        {TABLE "AWS_ENDPOINT_URL=ftp://x", LATCH_E_MISUSE, {"AWS_ENDPOINT_URL", NULL}},
        {TABLE "DYNAMODB_MAX_RETRIES=-1", LATCH_E_MISUSE, {"DYNAMODB_MAX_RETRIES is \"-1\", want a whole number from 0 to 20", NULL}},
        {TABLE "DYNAMODB_MAX_RETRIES=21", LATCH_E_MISUSE, {"DYNAMODB_MAX_RETRIES", NULL}},
        {TABLE "DYNAMODB_REQUEST_TIMEOUT=1s",
         LATCH_E_MISUSE,
         {"DYNAMODB_REQUEST_TIMEOUT is \"1s\", want a whole number from 0 to 900000", NULL}},
        {TABLE "DYNAMODB_MAX_SOCKETS=0", LATCH_E_MISUSE, {"DYNAMODB_MAX_SOCKETS", NULL}},
        {TABLE "LATCH_ENSURE_TABLE=yes", LATCH_E_MISUSE, {"LATCH_ENSURE_TABLE is \"yes\", want true or false", NULL}},
        {TABLE "LATCH_ENSURE_TABLE=true AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
         LATCH_E_MISUSE,
         {"LATCH_ENSURE_TABLE is set, and this is Lambda", "latch table schema", NULL}},
        {"LATCH_STORE=embedded LATCH_ENSURE_TABLE=1 AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
         LATCH_E_MISUSE,
         {"LATCH_ENSURE_TABLE is set, and this is Lambda", NULL}},
        {TABLE "DYNAMODB_ENABLE_LOGGING=yes", LATCH_E_MISUSE, {"DYNAMODB_ENABLE_LOGGING is \"yes\", want true or false", NULL}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        afresh(rows[i].environment);
        latch_status status = latch_stores_open(&d.cx, true, &d.stores);
        if (status != rows[i].status) print_message("%s: %s\n", rows[i].environment, d.cx.err.message);
        assert_int_equal(status, rows[i].status);
        for (size_t k = 0; rows[i].says[k] != NULL; k++) {
            if (strstr(d.cx.err.message, rows[i].says[k]) == NULL) print_message("%s\n", d.cx.err.message);
            assert_non_null(strstr(d.cx.err.message, rows[i].says[k]));
        }
        assert_null(d.cx.table);
        assert_true(latch_now_ms(&d.cx) > 0); /* its clock is a working one */
        assert_null(strstr(d.cx.err.message, "secret"));
    }
}

static void options_are_the_variables(void **state) {
    (void)state;
    afresh(TABLE "AWS_ENDPOINT_URL=http://127.0.0.1:9");
    assert_int_equal(latch_stores_open(&d.cx, true, &d.stores), LATCH_OK);
    latch_client_options want = latch_client_defaults();
    latch_client_options have = d.stores.client.options;
    assert_true(have.max_retries == want.max_retries && have.request_timeout_ms == want.request_timeout_ms);
    assert_true(have.item_try_ms == want.item_try_ms && have.retry_base_ms == want.retry_base_ms);
    assert_true(have.max_connections == want.max_connections && have.logs == want.logs && have.capacity && have.waits && have.breaker);
    afresh(TABLE "AWS_ENDPOINT_URL=http://127.0.0.1:9 DYNAMODB_MAX_RETRIES=0 DYNAMODB_REQUEST_TIMEOUT=0 DYNAMODB_MAX_SOCKETS=7 "
                 "DYNAMODB_ENABLE_LOGGING=TRUE");
    assert_int_equal(latch_stores_open(&d.cx, true, &d.stores), LATCH_OK);
    assert_int_equal(d.stores.client.options.max_retries, 0);
    assert_int_equal(d.stores.client.options.request_timeout_ms, 0);
    assert_int_equal(d.stores.client.options.max_connections, 7);
    assert_true(d.stores.client.options.logs);
}

/* ── DynamoDB ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static char answer[512];
static const served answers[] = {{"/", answer, 0, KEEP}, {NULL, NULL, 0, KEEP}};

/* A server whose clock is `ahead_s` before this machine's. */
static http_server *serve(int64_t ahead_s, const char *body) {
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t at = time(NULL) + ahead_s;
    struct tm t;
    gmtime_r(&at, &t);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nx-amzn-RequestId: REQ\r\nDate: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\nContent-Length: %zu\r\n\r\n%s",
             days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, strlen(body), body);
    return server_start(answers, NULL);
}

static void open_at(const http_server *server, const char *more) {
    char text[512];
    snprintf(text, sizeof text, TABLE "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:%d %s", server_port(server), more);
    afresh(text);
    assert_int_equal(latch_stores_open(&d.cx, true, &d.stores), LATCH_OK);
}

static void the_connection_is_warm_before_the_first_call(void **state) {
    http_server *server = serve(0, "{\"ConsumedCapacity\":{\"CapacityUnits\":0.5}}");
    latch_answer out;
    (void)state;
    open_at(server, "");
    size_t warmed = server_requests(server);
    const latch_request get = {.operation = LATCH_GET_ITEM, .pk = LATCH_STR("p"), .sk = LATCH_STR("s"), .deadline_at_ms = INT64_MAX};
    latch_json item;
    latch_status status = latch_table_call(&d.cx, &get, &item);
    latch_status other = latch_dynamodb_call(&d.cx, "ListTables", latch_object(&d.cx, "Limit", latch_int(1)), &out);
    bool identified = latch_str_eq(out.request_id, LATCH_STR("REQ"));
    size_t accepts = server_accepts(server), requests = server_requests(server);
    const char *first = server_request(server, 0), *second = server_request(server, 1);
    bool bare = strncmp(first, "GET / HTTP/1.1\r\n", 16) == 0 && strstr(first, "Authorization") == NULL;
    bool asked = strstr(second, "X-Amz-Target: DynamoDB_20120810.GetItem\r\n") != NULL && strstr(second, "Credential=AKID/") != NULL &&
                 strstr(second, "\"TableName\":\"orders\"") != NULL && strstr(second, "\"ReturnConsumedCapacity\":\"TOTAL\"") != NULL;
    latch_stores_close(&d.stores);
    server_stop(server);
    assert_int_equal(status, LATCH_OK);
    assert_int_equal(other, LATCH_OK);
    assert_int_equal(warmed, 1);
    assert_int_equal(accepts, 1);
    assert_int_equal(requests, 3);
    assert_true(bare && asked && identified);
    assert_int_equal(d.usage.read_milli_units, 1000);
    assert_string_equal(logged(), "");
}

/* The first Date comes with the warming: what is signed and stored afterwards has DynamoDB's time, and so have the deadlines. */
static void the_clock_is_dynamodbs(void **state) {
    static const int64_t ahead_s[] = {600, -600, 0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ahead_s); i++) {
        http_server *server = serve(ahead_s[i], "{}");
        latch_clock own = latch_clock_system();
        open_at(server, "");
        int64_t off_ms = latch_now_ms(&d.cx) - latch_clock_wall_ms(&own) - ahead_s[i] * 1000;
        latch_stores_close(&d.stores);
        int64_t closed_ms = latch_now_ms(&d.cx) - latch_clock_wall_ms(&own) - ahead_s[i] * 1000;
        server_stop(server);
        assert_in_range(off_ms + 2000, 0, 4000);
        assert_in_range(closed_ms + 2000, 0, 4000); /* it outlives the stores */
    }
}

static void what_can_not_be_reached_is_told_later(void **state) {
    latch_hold hold;
    static const latch_lock lock = {.name = "l", .lease_ms = 1000, .keep = true, .timeout_ms = 300};
    (void)state;
    afresh(TABLE "AWS_ENDPOINT_URL=http://127.0.0.1:9");
    assert_int_equal(latch_stores_open(&d.cx, true, &d.stores), LATCH_OK);
    const char *log = logged();
    assert_non_null(strstr(log, "WARN"));
    assert_non_null(strstr(log, "DynamoDB isn't reached yet: the first call will try again"));
    assert_int_equal(latch_lock_take(&d.cx, &lock, LATCH_STR("k"), &hold), LATCH_E_NETWORK);
    assert_false(latch_error(&d.cx)->maybe_applied);
    assert_int_equal(d.usage.requests, 4);
    assert_non_null(strstr(latch_error(&d.cx)->message, "after 4 tries: "));
}

static void logs_its_calls_where_told_to(void **state) {
    http_server *server = serve(0, "{}");
    latch_answer out;
    (void)state;
    open_at(server, "DYNAMODB_ENABLE_LOGGING=1");
    latch_status status = latch_dynamodb_call(&d.cx, "DescribeTable", latch_object(&d.cx, "TableName", "orders"), &out);
    latch_stores_close(&d.stores);
    server_stop(server);
    assert_int_equal(status, LATCH_OK);
    const char *log = logged();
    assert_non_null(strstr(log, "\"operation\":\"DescribeTable\""));
    assert_non_null(strstr(log, "\"dynamodb_request_id\":\"REQ\""));
    assert_null(strstr(log, "orders"));
}

/* What a table that is asked for answers, and what becomes of the start. tests/tools/test_ensure.c has it on real ones. */
static void a_table_is_made_sure_of(void **state) {
#define TABLE_IS(status, pk, sk)                                                                                                           \
    "{\"Table\":{\"TableStatus\":\"" status "\",\"KeySchema\":[{\"AttributeName\":\"" pk "\"},{\"AttributeName\":\"" sk "\"}]}}"
    static const struct {
        const char *body;
        latch_status status;
        size_t least, most; /* requests */
        const char *says;
    } rows[] = {
        {TABLE_IS("ACTIVE", "pk", "sk"), LATCH_OK, 4, 4, ""},
        {TABLE_IS("UPDATING", "pk", "sk"), LATCH_OK, 4, 4, ""},
        {TABLE_IS("ACTIVE", "id", "sk"), LATCH_E_MISUSE, 3, 3,
         "table orders is there, and has the key id, sk: `latch table describe orders`"},
        {TABLE_IS("CREATING", "pk", "sk"), LATCH_E_TIMEOUT, 4, 20, "table orders isn't ACTIVE yet: start again later"},
        {"{}", LATCH_E_DATA, 3, 3, "Table.TableStatus"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        http_server *server = serve(0, rows[i].body);
        char text[512];
        snprintf(text, sizeof text, TABLE "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:%d LATCH_ENSURE_TABLE=true", server_port(server));
        afresh(text);
        d.cx.deadline_at_ms = latch_now_ms(&d.cx) + 800;
        latch_status status = latch_stores_open(&d.cx, true, &d.stores);
        d.cx.deadline_at_ms = INT64_MAX;
        size_t requests = server_requests(server);
        bool creates = strstr(server_request(server, 1), "DynamoDB_20120810.CreateTable\r\n") != NULL;
        bool turns = rows[i].status != LATCH_OK || strstr(server_request(server, 3), "DynamoDB_20120810.UpdateTimeToLive\r\n") != NULL;
        latch_stores_close(&d.stores);
        server_stop(server);
        if (status != rows[i].status) fail_msg("%zu: %d, %s", i, (int)status, d.cx.err.message);
        assert_true(creates && turns);
        assert_in_range(requests, rows[i].least, rows[i].most);
        if (status != LATCH_OK) assert_non_null(strstr(d.cx.err.message, rows[i].says));
        assert_int_equal(d.cx.table != NULL, status == LATCH_OK);
    }
}

/* Nothing is opened for a handler that needs none: not even what can't be opened is looked at. */
static void a_handler_without_stores_opens_nothing(void **state) {
    http_server *server = serve(0, "{}");
    char text[512];
    (void)state;
    snprintf(text, sizeof text, "LATCH_TABLE=orders AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:%d DYNAMODB_MAX_RETRIES=x",
             server_port(server));
    afresh(text);
    latch_status status = latch_stores_open(&d.cx, false, &d.stores);
    size_t accepts = server_accepts(server);
    server_stop(server);
    assert_int_equal(status, LATCH_OK);
    assert_int_equal(accepts, 0);
    latch_answer out;
    assert_int_equal(latch_dynamodb_call(&d.cx, "ListTables", latch_object(&d.cx, "Limit", latch_int(1)), &out), LATCH_E_MISUSE);
    assert_non_null(strstr(d.cx.err.message, ".stores = true"));
}

/* ── after a snapshot ───────────────────────────────────────────────────────────────────────────────────────────────────── */

#define GIVEN_KEYS                                                                                                                         \
    "{\"AccessKeyId\":\"ASIARESTORED\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush2\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"

/* Keys of the environment before, the container's after; a clock that was ten minutes ahead, and is right now. */
static void nothing_old_is_used_after_a_restore(void **state) {
    static char given[512];
    static const served container[] = {{"/keys", given, 0, CLOSE}, {NULL, NULL, 0, KEEP}};
    http_server *server = serve(600, "{}"), *keys;
    latch_answer out;
    latch_clock own = latch_clock_system();
    char url[64];
    (void)state;
    snprintf(given, sizeof given, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(GIVEN_KEYS), GIVEN_KEYS);
    keys = server_start(container, NULL);
    open_at(server, "");
    int64_t ahead_ms = latch_now_ms(&d.cx) - latch_clock_wall_ms(&own);
    latch_status before = latch_dynamodb_call(&d.cx, "ListTables", latch_object(&d.cx, "Limit", latch_int(1)), &out);
    d.stores.client.watch = calloc(1, 64); /* as of a lock that was seen */
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/keys", server_port(keys));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in", 1);
    server_stop(serve(0, "{}")); /* what is answered from here on has the right time */
    latch_status status = latch_stores_restore(&d.cx, &d.stores);
    int64_t right_ms = latch_now_ms(&d.cx) - latch_clock_wall_ms(&own);
    bool forgotten = d.stores.client.watch == NULL;
    latch_status after = latch_dynamodb_call(&d.cx, "ListTables", latch_object(&d.cx, "Limit", latch_int(1)), &out);
    size_t accepts = server_accepts(server), requests = server_requests(server), asked = server_requests(keys);
    bool old_signed = strstr(server_request(server, 1), "Credential=AKID/") != NULL;
    bool warmed = strncmp(server_request(server, 2), "GET / ", 6) == 0;
    bool new_signed = strstr(server_request(server, 3), "Credential=ASIARESTORED/") != NULL &&
                      strstr(server_request(server, 3), "X-Amz-Security-Token: hush2\r\n") != NULL;
    bool let_in = strstr(server_request(keys, 0), "Authorization: let-me-in\r\n") != NULL;
    latch_stores_close(&d.stores);
    server_stop(server);
    server_stop(keys);
    assert_int_equal(before, LATCH_OK);
    assert_int_equal(status, LATCH_OK);
    assert_int_equal(after, LATCH_OK);
    assert_in_range(ahead_ms, 590000, 610000);
    assert_in_range(right_ms + 2000, 0, 4000);
    assert_int_equal(accepts, 2);
    assert_int_equal(requests, 4);
    assert_int_equal(asked, 1);
    assert_true(old_signed && warmed && new_signed && let_in && forgotten);
}

static void a_restore_without_keys_is_an_error(void **state) {
    http_server *server = serve(0, "{}");
    (void)state;
    open_at(server, "");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_ENDPOINT_URL_DYNAMODB");
    latch_status status = latch_stores_restore(&d.cx, &d.stores);
    latch_stores_close(&d.stores);
    server_stop(server);
    assert_int_equal(status, LATCH_E_DENIED);
    assert_non_null(strstr(d.cx.err.message, "no AWS credentials"));
}

/* Each process goes on with a copy of it; what was learnt of others isn't copied. */
static void the_embedded_store_keeps_what_it_has(void **state) {
    static const latch_lock lock = {.name = "l", .lease_ms = 60000, .keep = true};
    latch_scope scope = {0};
    latch_hold hold;
    (void)state;
    afresh("LATCH_STORE=embedded");
    d.cx.scope = &scope;
    assert_int_equal(latch_stores_open(&d.cx, true, &d.stores), LATCH_OK);
    assert_int_equal(latch_lock_take(&d.cx, &lock, LATCH_STR("k"), &hold), LATCH_OK);
    assert_int_equal(latch_stores_restore(&d.cx, &d.stores), LATCH_OK);
    assert_int_equal(latch_lock_take(&d.cx, &lock, LATCH_STR("k"), &hold), LATCH_HELD);
    latch_scope_end(&d.cx, LATCH_OK);
    d.cx.scope = NULL;
}

static void a_restore_of_nothing_is_well(void **state) {
    (void)state;
    afresh("LATCH_TABLE=orders");
    assert_int_equal(latch_stores_open(&d.cx, false, &d.stores), LATCH_OK);
    assert_int_equal(latch_stores_restore(&d.cx, &d.stores), LATCH_OK);
    assert_null(d.cx.table);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(opens_what_the_environment_names),
    ROW(says_what_to_set),
    ROW(options_are_the_variables),
    ROW(the_connection_is_warm_before_the_first_call),
    ROW(the_clock_is_dynamodbs),
    ROW(what_can_not_be_reached_is_told_later),
    ROW(logs_its_calls_where_told_to),
    ROW(a_handler_without_stores_opens_nothing),
    ROW(a_table_is_made_sure_of),
    ROW(nothing_old_is_used_after_a_restore),
    ROW(a_restore_without_keys_is_an_error),
    ROW(the_embedded_store_keeps_what_it_has),
    ROW(a_restore_of_nothing_is_well),
};
CHECK_MAIN(tests)

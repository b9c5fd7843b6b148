/* The commands on items, where DynamoDB refuses: who has no right, whose keys nobody knows, who is slowed down. On a server that says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch_run.h"
#include "tests/check.h"
#include "tests/dynamodb/scripted_server.h"

static const char *const commands[][7] = {
    {"lock", "list"},
    {"lock", "show", "orders", "x"},
    {"lock", "break", "orders", "x", "--yes"},
    {"once", "show", "payments", "x"},
    {"once", "clear", "payments", "x", "--yes"},
    {"attempt", "show", "login", "x"},
    {"attempt", "clear", "login", "x", "--yes"},
    {"limit", "show", "api", "x"},
    {"limit", "reset", "api", "x", "--yes"},
    {"item", "get", "x", "y"},
};

static const struct {
    const char *error, *message, *said;
} refusals[] = {
    {"AccessDeniedException", "User: ann is not authorized to perform: dynamodb:GetItem",
     "ann is not authorized to perform: dynamodb:GetItem"},
    {"UnrecognizedClientException", "The security token included in the request is invalid.", "security token"},
    {"ProvisionedThroughputExceededException", "The level of configured provisioned throughput is exceeded.", "throughput"},
};

static int set_up(void **state) {
    (void)state;
    local_init();
    local_program = LATCH_TOOL;
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_SESSION_TOKEN");
    setenv("AWS_ACCESS_KEY_ID", "test", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "test", 1);
    setenv("AWS_CONFIG_FILE", "none", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "none", 1);
    setenv("AWS_REGION", LATCH_REGION, 1);
    setenv("LATCH_TABLE", "orders", 1);
    setenv("DYNAMODB_MAX_RETRIES", "0", 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    local_clean_up();
    return 0;
}

static const char *answer(char *out, size_t room, int status, const char *body) {
    snprintf(out, room, "HTTP/1.1 %d x\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body),
             body);
    return out;
}

static scripted_server *start(const scripted_answer *answers, size_t count) {
    char url[64];
    scripted_server *s = scripted_start(&(scripted_options){.answers = answers, .count = count});
    snprintf(url, sizeof url, "http://127.0.0.1:%d", scripted_port(s));
    setenv("AWS_ENDPOINT_URL_DYNAMODB", url, 1);
    return s;
}

static void refusals_are_told_by_each(void **state) {
    char body[256], bytes[512];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        snprintf(body, sizeof body, "{\"__type\":\"com.amazonaws.dynamodb#%s\",\"message\":\"%s\"}", refusals[i].error,
                 refusals[i].message);
        const scripted_answer answers[] = {{.bytes = answer(bytes, sizeof bytes, 400, body)}};
        scripted_server *s = start(answers, 1);
        for (size_t k = 0; k < COUNT_OF(commands); k++)
            latch_run_expect(latch_run(commands[k]), 1, NULL, refusals[i].said);
        scripted_stop(s);
    }
}

/* Who may look and not change: what was asked for before is the connection's own, then the item. */
static void a_change_that_is_refused_is_told(void **state) {
    static const struct {
        const char *item;
        size_t command;
    } rows[] = {
        {"\"ownerName\":{\"S\":\"o\"},\"recordVersionNumber\":{\"S\":\"v\"},\"expiresAt\":{\"N\":\"4000000000000\"},\"fence\":{\"N\":"
         "\"7\"}",
         2},
        {"\"owner\":{\"S\":\"o\"},\"status\":{\"S\":\"COMPLETED\"},\"expiration\":{\"N\":\"4000000000\"}", 4},
        {"\"attempts\":{\"N\":\"1\"},\"created\":{\"N\":\"1\"},\"win\":{\"S\":\"w\"},\"last\":{\"S\":\"l\"}", 6},
        {"\"tat\":{\"N\":\"1\"}", 8},
    };
    static const char denied[] = "{\"__type\":\"x#AccessDeniedException\",\"message\":\"ann is not authorized to perform: that\"}";
    char body[512], hello[128], found[768], refused[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(body, sizeof body, "{\"Item\":{\"pk\":{\"S\":\"x\"},%s}}", rows[i].item);
        const scripted_answer answers[] = {{.bytes = answer(hello, sizeof hello, 200, "healthy")},
                                           {.bytes = answer(found, sizeof found, 200, body)},
                                           {.bytes = answer(refused, sizeof refused, 400, denied)}};
        scripted_server *s = start(answers, COUNT_OF(answers));
        latch_run_expect(latch_run(commands[rows[i].command]), 1, NULL, "ann is not authorized to perform: that");
        assert_int_equal(scripted_requests(s), 3);
        scripted_stop(s);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(refusals_are_told_by_each),
    ROW(a_change_that_is_refused_is_told),
};

CHECK_MAIN(tests)

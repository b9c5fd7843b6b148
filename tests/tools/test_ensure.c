/* LATCH_ENSURE_TABLE, as a process at a desk has it: on latch-local dynamodb, and where LATCH_TEST_ENDPOINT_FILE names one, on DynamoDB Local. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "core/usage.h"
#include "local.h"
#include "store/lock.h"
#include "store/open.h"
#include "store/tables.h"
#include "tests/check.h"

#define MEMORY_BYTES ((size_t)512 * 1024)

typedef struct desk {
    latch_ctx cx;
    latch_arena arena;
    latch_usage usage;
    latch_stores stores;
    char *memory;
} desk;

static pid_t server; /* 0: another's is used */
static char table[64];

static void use(const char *url, size_t len) {
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)len, url);
    setenv("AWS_ENDPOINT_URL_DYNAMODB", copy, 1);
}

static void find_server(void) {
    const char *file = getenv("LATCH_TEST_ENDPOINT_FILE");
    local_program = LATCH_LOCAL;
    if (file == NULL) server = local_start((const char *const[]){"dynamodb", "--port", "0", "--quiet", NULL});
    char *text = file != NULL ? local_read(file, NULL) : local_await("out", "\n");
    assert_non_null(text);
    char *at = strstr(text, "http://127.0.0.1:");
    assert_non_null(at);
    use(at, strspn(at, "htp:/.0123456789"));
    free(text);
}

static int set_up(void **state) {
    static const char *const unset[] = {"LATCH_STORE",
                                        "AWS_PROFILE",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_ENDPOINT_URL",
                                        "DYNAMODB_LOCAL_ENDPOINT",
                                        "NODE_ENV",
                                        "AWS_LAMBDA_INITIALIZATION_TYPE"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unset); i++)
        unsetenv(unset[i]);
    setenv("AWS_ACCESS_KEY_ID", "test", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "test", 1);
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("LATCH_ENSURE_TABLE", "true", 1);
    snprintf(table, sizeof table, "ensure-%ld", (long)getpid());
    setenv("LATCH_TABLE", table, 1);
    local_init();
    find_server();
    return 0;
}

static latch_status open_desk(desk *d) {
    *d = (desk){.memory = malloc(MEMORY_BYTES)};
    assert_non_null(d->memory);
    latch_arena_init(&d->arena, d->memory, MEMORY_BYTES);
    d->cx = (latch_ctx){.arena = &d->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX, .usage = &d->usage};
    return latch_stores_open(&d->cx, true, &d->stores);
}

static void close_desk(desk *d) {
    latch_stores_close(&d->stores);
    latch_arena_clean_up(&d->arena);
    free(d->memory);
}

static int tear_down(void **state) {
    desk d;
    (void)state;
    unsetenv("LATCH_ENSURE_TABLE");
    if (open_desk(&d) == LATCH_OK) (void)(latch_dynamodb_table_delete(&d.cx, NULL) == LATCH_OK);
    close_desk(&d);
    if (server > 0) {
        kill(server, SIGTERM);
        assert_int_equal(local_wait(server), 0);
    }
    server = 0;
    local_clean_up();
    return 0;
}

static void check_lock(desk *d, const char *key) {
    static const latch_lock lock = {.name = "l", .lease_ms = 1000, .keep = true};
    latch_hold hold;
    latch_status status = latch_lock_take(&d->cx, &lock, latch_str_of(key), &hold);
    if (status != LATCH_OK) fail_msg("%s", d->cx.err.message);
}

static void the_first_start_creates_it_and_the_next_find_it(void **state) {
    latch_dynamodb_table_info info;
    desk d;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        latch_status status = open_desk(&d);
        if (status != LATCH_OK) fail_msg("%s", d.cx.err.message);
        assert_true(d.usage.requests >= 3 && (i == 0 || d.usage.requests == 3));
        check_lock(&d, i == 0 ? "a" : i == 1 ? "b" : "c");
        assert_int_equal(latch_dynamodb_table_describe(&d.cx, NULL, &info), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_fits(&d.cx, &info, NULL), LATCH_OK);
        assert_true(latch_str_eq(info.ttl, LATCH_STR("ttl")));
        close_desk(&d);
    }
}

static void without_it_nothing_is_created(void **state) {
    latch_dynamodb_table_info info;
    desk d;
    (void)state;
    setenv("LATCH_ENSURE_TABLE", "false", 1);
    assert_int_equal(open_desk(&d), LATCH_OK);
    assert_int_equal(latch_dynamodb_table_describe(&d.cx, NULL, &info), LATCH_MISSING);
    close_desk(&d);
}

static void a_table_of_others_is_told(void **state) {
    static const latch_dynamodb_schema others = {.pk = {"id", "S"}};
    latch_dynamodb_ensured ensured;
    desk d;
    (void)state;
    setenv("LATCH_ENSURE_TABLE", "false", 1);
    assert_int_equal(open_desk(&d), LATCH_OK);
    assert_int_equal(latch_dynamodb_table_ensure(&d.cx, NULL, &others, NULL, &ensured), LATCH_OK);
    close_desk(&d);
    setenv("LATCH_ENSURE_TABLE", "true", 1);
    assert_int_equal(open_desk(&d), LATCH_E_MISUSE);
    assert_non_null(strstr(d.cx.err.message, "is there, and has the key id: `latch table describe ensure-"));
    close_desk(&d);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(the_first_start_creates_it_and_the_next_find_it),
    ROW(without_it_nothing_is_created),
    ROW(a_table_of_others_is_told),
};

CHECK_MAIN(tests)

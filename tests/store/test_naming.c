#include "store/naming.h"

#include <string.h>

#include "core/ctx_private.h"
#include "tests/check.h"

static char memory[4096];
static latch_arena arena;
static latch_ctx cx;

static int set_up(void **state) {
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    cx = (latch_ctx){.arena = &arena};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    return 0;
}

static void makes_names(void **state) {
    static char long_name[260];
    static const struct {
        const char *env, *name, *want, *says;
    } rows[] = {
        {"prod", "keys", "paradox.prod.keys", NULL},
        {"dev", "partitioned_keys", "paradox.dev.partitioned_keys", NULL},
        {"local", "locks", "paradox.dev.locks", NULL},
        {"eu-west_1", "a.b-c", "paradox.eu-west_1.a.b-c", NULL},
        {"", "keys", NULL, "table name: the environment is \"\", want letters, digits, _ and -"},
        {"a.b", "keys", NULL, "table name: the environment is \"a.b\", want letters, digits, _ and -"},
        {"prod", "", NULL, "table name: \"\" wants letters, digits, _, - and ."},
        {"prod", "a b", NULL, "table name: \"a b\" wants letters, digits, _, - and ."},
        {"prod", "a#", NULL, "table name: \"a#\" wants letters, digits, _, - and ."},
        {"prod", long_name, NULL, NULL},
    };
    latch_str name;
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status status = latch_dynamo_table_name(&cx, rows[i].env, rows[i].name, &name);
        assert_int_equal(status, rows[i].want != NULL ? LATCH_OK : LATCH_E_MISUSE);
        if (rows[i].want != NULL) assert_string_equal(name.ptr, rows[i].want);
        if (rows[i].want == NULL) assert_int_equal(name.len, 0);
        if (rows[i].says != NULL) assert_string_equal(cx.err.message, rows[i].says);
    }
    long_name[255 - strlen("paradox.prod.")] = '\0';
    assert_int_equal(latch_dynamo_table_name(&cx, "prod", long_name, &name), LATCH_OK);
    assert_int_equal(name.len, 255);
    cx.arena->cap = cx.arena->used;
    assert_int_equal(latch_dynamo_table_name(&cx, "prod", "keys", &name), LATCH_E_NOMEM);
    cx.arena->cap = sizeof memory;
}

static void checks_names(void **state) {
    static const struct {
        const char *env, *table;
        bool ok;
    } rows[] = {
        {"prod", "paradox.prod.keys", true},
        {"prod", "x.y.prod.z", true},
        {"prod", "paradox.dev.keys", false},
        {"prod", "prod.keys", false},
        {"prod", "keys.prod", false},
        {"prod", "paradox.production.keys", false},
        {"prod", "", false},
        {"local", "anything", true},
        {"dev", "paradox.dev.locks", true},
        {"dev", "paradox..dev.locks", true},
        {"", "paradox..keys", false},
        {"a.b", "paradox.a.b.keys", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_dynamo_table_check(&cx, rows[i].env, rows[i].table), rows[i].ok ? LATCH_OK : LATCH_E_MISUSE);
    assert_int_equal(latch_dynamo_table_check(&cx, "prod", "paradox.dev.keys"), LATCH_E_MISUSE);
    assert_string_equal(cx.err.message, "table name: paradox.dev.keys is not of the environment prod: want paradox.prod.<name>");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(makes_names),
    ROW(checks_names),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/layouts.h"
#include "store/tables.h"
#include "tests/check.h"
#include "tests/store/pair.h"

/* Created, found as it should be, deleted, and created again by whoever makes sure of it. */
static void each_is_created_ensured_and_deleted(void **state) {
    (void)state;
    for (size_t i = 0; i < LATCH_LAYOUT_COUNT; i++) {
        const latch_dynamodb_schema *schema = latch_layouts[i].schema;
        const char *ttl = schema->ttl != NULL ? schema->ttl : "";
        latch_dynamodb_ensured ensured;
        latch_dynamodb_table_info info;
        char table[64];
        rig_again(&ann, 0);
        snprintf(table, sizeof table, "theirs-%s", latch_layouts[i].name);
        assert_int_equal(latch_dynamodb_table_create(&ann.cx, table, schema), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_wait(&ann.cx, table, NULL), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_describe(&ann.cx, table, &info), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_fits(&ann.cx, &info, schema), LATCH_OK);
        assert_true(info.on_demand);
        assert_int_equal(info.index_count, schema->index_count);
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, table, schema, NULL, &ensured), LATCH_OK);
        assert_false(ensured.created);
        assert_int_equal(ensured.ttl_turned, *ttl != '\0');
        assert_true(latch_str_eq(ensured.info.ttl, latch_str_of(ttl)));
        assert_int_equal(latch_dynamodb_table_delete(&ann.cx, table), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_wait_gone(&ann.cx, table, NULL), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, table, schema, NULL, &ensured), LATCH_OK);
        assert_true(ensured.created);
    }
}

/* What is another's layout isn't taken for one's own: the first difference is told. */
static void none_is_taken_for_another(void **state) {
    static const struct {
        const char *is, *wanted, *says;
    } rows[] = {
        {"saga-bus", "latch", "has the key PK (S) and SK (S), want pk (S) and sk (S)"},
        {"toolkit", "latch", "has no index gsi2"},
        {"powertools", "lock-client", "has the key id (S)"},
        {"lock-client", "paradoxical-partitioned-keys", "has the key key (S)"},
        {"paradoxical-partitioned-keys", "saga-bus", "has the key partitionKey (S) and sortKey (S)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_ensured ensured;
        char table[64];
        rig_again(&ann, 0);
        snprintf(table, sizeof table, "other-%zu", i);
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, table, latch_layout_find(rows[i].is)->schema, NULL, &ensured), LATCH_OK);
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, table, latch_layout_find(rows[i].wanted)->schema, NULL, &ensured),
                         LATCH_E_MISUSE);
        if (strstr(ann.cx.err.message, rows[i].says) == NULL) fail_msg("%s", ann.cx.err.message);
    }
    latch_dynamodb_ensured ensured; /* one that has more does no harm */
    assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, "more", latch_layout_find("latch")->schema, NULL, &ensured), LATCH_OK);
    assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, "more", latch_layout_find("toolkit")->schema, NULL, &ensured), LATCH_OK);
}

static void a_layout_has_one_name(void **state) {
    (void)state;
    for (size_t i = 0; i < LATCH_LAYOUT_COUNT; i++)
        assert_ptr_equal(latch_layout_find(latch_layouts[i].name), &latch_layouts[i]);
    assert_ptr_equal(latch_layouts[0].schema, &latch_dynamodb_schema_default);
    assert_null(latch_layout_find("latches"));
    assert_null(latch_layout_find(""));
}

static latch_status explained(latch_status status, const char *message, const char *layout) {
    (void)latch_err_set(&ann.cx.err, status, "%s", message);
    return latch_layout_explain(&ann.cx, status, "orders", layout, "gsi1");
}

static void a_missing_index_is_explained_and_nothing_else(void **state) {
    static const char missing[] = "query: The table does not have the specified index: gsi1";
    (void)state;
    assert_int_equal(explained(LATCH_E_MISUSE, missing, "latch"), LATCH_E_MISUSE);
    assert_string_equal(ann.cx.err.message, "table orders has no index gsi1: `latch table create orders --add-indexes` adds it");
    assert_int_equal(explained(LATCH_E_MISUSE, missing, "toolkit"), LATCH_E_MISUSE);
    assert_string_equal(ann.cx.err.message,
                        "table orders has no index gsi1: `latch table create orders --layout toolkit --add-indexes` adds it");
    assert_int_equal(explained(LATCH_E_MISUSE, "query: no such table", "latch"), LATCH_E_MISUSE);
    assert_string_equal(ann.cx.err.message, "query: no such table");
    assert_int_equal(explained(LATCH_E_NETWORK, missing, "latch"), LATCH_E_NETWORK);
    assert_string_equal(ann.cx.err.message, missing);
    assert_int_equal(latch_layout_explain(&ann.cx, LATCH_OK, "orders", "latch", "gsi1"), LATCH_OK);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(each_is_created_ensured_and_deleted),
    ROW(none_is_taken_for_another),
    ROW(a_layout_has_one_name),
    ROW(a_missing_index_is_explained_and_nothing_else),
};

CHECK_MAIN(tests)

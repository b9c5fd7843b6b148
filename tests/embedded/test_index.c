#include "store/embedded/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

#define PARTITIONS 3
#define SORTS 40

static latch_budget budget;
static latch_index table;
static latch_stored *stored[PARTITIONS][SORTS];
static char sorts[SORTS][16];
static const char *const partitions[PARTITIONS] = {"a", "b", "c"};

static latch_av text(const char *s) { return (latch_av){.type = LATCH_TYPE_S, .as.text = latch_str_of(s)}; }

/* Three partitions whose hashes are one, and sort keys whose first eight bytes are. */
static int set_up(void **state) {
    (void)state;
    budget.used = 0;
    budget.max = SIZE_MAX;
    assert_true(latch_index_init(&table, &budget, false, 1));
    for (size_t i = 0; i < PARTITIONS * SORTS; i++) {
        size_t p = i % PARTITIONS, s = i * 7 % SORTS;
        snprintf(sorts[s], sizeof sorts[s], "ORDER#00%02zu", s);
        latch_attribute keys[] = {{LATCH_STR("pk"), text(partitions[p])}, {LATCH_STR("sk"), text(sorts[s])}};
        latch_stored *made = latch_stored_make(&budget, &(latch_item){keys, 2}, 1, 0);
        assert_non_null(made);
        made->nodes[0].hash = 42;
        made->nodes[0].hash_at = 0;
        made->nodes[0].sort_at = 1;
        made->nodes[0].prefix = latch_index_prefix(latch_node_sort(made->nodes));
        stored[p][s] = made;
        latch_index_add(&table, &budget, made->nodes);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < PARTITIONS * SORTS; i++)
        latch_stored_release(&budget, stored[i / SORTS][i % SORTS]);
    latch_index_clean_up(&table, &budget);
    assert_int_equal(budget.used, 0);
    return 0;
}

static latch_treap_node *find(const char *partition, const char *sort) {
    latch_av pk = text(partition), sk = text(sort);
    return latch_index_find(&table, &(latch_position){.hash = 42, .prefix = latch_index_prefix(&sk), .partition = &pk, .sort = &sk});
}

static void tells_partitions_of_one_hash_apart(void **state) {
    (void)state;
    for (size_t p = 0; p < PARTITIONS; p++)
        for (size_t s = 0; s < SORTS; s++)
            assert_ptr_equal(find(partitions[p], sorts[s]), stored[p][s]->nodes);
    assert_null(find("d", sorts[0]));
    assert_null(find("a", "ORDER#0099"));
    latch_index_remove(&table, stored[1][5]->nodes);
    assert_null(find("b", sorts[5]));
    assert_ptr_equal(find("a", sorts[5]), stored[0][5]->nodes);
    latch_index_add(&table, &budget, stored[1][5]->nodes);
    assert_ptr_equal(find("b", sorts[5]), stored[1][5]->nodes);
}

static void goes_by_sort_key_and_then_by_partition(void **state) {
    latch_treap_node *node = latch_index_from(&table, 0);
    (void)state;
    for (size_t i = 0; i < PARTITIONS * SORTS; i++) {
        assert_ptr_equal(node, stored[i % PARTITIONS][i / PARTITIONS]->nodes);
        node = latch_index_next(&table, node);
    }
    assert_null(node);
}

/* Wherever two keys' prefixes differ, they differ as the keys do. */
static void prefixes_are_in_the_order_of_keys(void **state) {
    static const char *const numbers[] = {"-9.99E125", "-1E100", "-124", "-123.9999999999999999999", "-123", "-1",  "-1E-130", "0",
                                          "1E-130",    "0.5",    "1",    "1.000000000000000000001",  "2",    "9.5", "10",      "9.9E125"};
    static const char *const texts[] = {"", "a", "a\x01", "aaaaaaaa", "aaaaaaaaa", "ab", "b", "\xc3\xbf", "\xf4\x8f\xbf\xbf"};
    _Alignas(16) char memory[4096];
    latch_arena arena;
    latch_number n[COUNT_OF(numbers)];
    latch_fault fault = {0};
    (void)state;
    latch_arena_init(&arena, memory, sizeof memory);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_true(latch_number_read(latch_str_of(numbers[i]), &n[i], &arena, &fault));
        if (i == 0) continue;
        latch_av a = {.type = LATCH_TYPE_N, .as.number = &n[i - 1]}, b = {.type = LATCH_TYPE_N, .as.number = &n[i]};
        assert_true(latch_index_prefix(&a) <= latch_index_prefix(&b));
    }
    for (size_t i = 1; i < COUNT_OF(texts); i++) {
        latch_av a = text(texts[i - 1]), b = text(texts[i]);
        assert_true(latch_index_prefix(&a) <= latch_index_prefix(&b));
    }
    latch_arena_clean_up(&arena);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(tells_partitions_of_one_hash_apart),
    ROW(goes_by_sort_key_and_then_by_partition),
    ROW(prefixes_are_in_the_order_of_keys),
};

CHECK_MAIN(tests)

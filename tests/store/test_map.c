#include "store/map.h"

#include <string.h>

#include "store/items.h"
#include "tests/store/keys.h"

typedef struct order {
    int64_t not_mapped;
    latch_str id, note;
    int64_t qty;
    double price;
    bool paid;
    latch_json tags;
} order;

static const latch_map orders[] = {LATCH_MAP(order, id, "pk"),
                                   LATCH_MAP(order, note, "sk"),
                                   LATCH_MAP(order, qty, "qty"),
                                   LATCH_MAP(order, price, "price"),
                                   LATCH_MAP(order, paid, "paid"),
                                   LATCH_MAP(order, tags, "tags"),
                                   LATCH_MAP_END};

static bool same_text(latch_str a, const char *b) { return latch_str_eq(a, latch_str_of(b)); }

static void goes_there_and_back(void **state) {
    order mine = {.id = LATCH_STR("o-1"),
                  .note = LATCH_STR("n"),
                  .qty = INT64_MIN,
                  .price = 9.75,
                  .paid = true,
                  .tags = latch_append(latch_array(&ann.cx), "new")},
          got = {.not_mapped = 7};
    latch_json item;
    (void)state;
    is_json(latch_map_write(&ann.cx, orders, &mine),
            "{\"pk\":\"o-1\",\"sk\":\"n\",\"qty\":-9223372036854775808,\"price\":9.75,\"paid\":true,\"tags\":[\"new\"]}");
    is_fine(&ann, latch_dynamodb_put(&ann.cx, &(latch_dynamodb_put_request){.item = latch_map_write(&ann.cx, orders, &mine)}, NULL));
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = latch_object(&ann.cx, "pk", "o-1", "sk", "n")}, &item));
    is_fine(&ann, latch_map_read(&ann.cx, orders, item, &got));
    assert_true(same_text(got.id, "o-1") && same_text(got.note, "n") && got.qty == INT64_MIN && got.price == 9.75 && got.paid);
    is_json(got.tags, "[\"new\"]");
    assert_int_equal(got.not_mapped, 7);
}

static void leaves_out_what_is_absent(void **state) {
    static const char *const rows[] = {"{}", "{\"pk\":null,\"qty\":null,\"tags\":null}", "{\"other\":[1]}", "null"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        order got = {.not_mapped = 7, .id = LATCH_STR("x"), .qty = 3, .price = 3, .paid = true};
        is_fine(&ann, latch_map_read(&ann.cx, orders, parsed(&ann, rows[i]), &got));
        assert_true(got.id.ptr == NULL && got.note.ptr == NULL && got.qty == 0 && got.price == 0 && !got.paid && got.tags.node == NULL);
        assert_int_equal(got.not_mapped, 7);
        is_json(latch_map_write(&ann.cx, orders, &got), "{\"qty\":0,\"price\":0.0,\"paid\":false}");
    }
    order got;
    is_fine(&ann, latch_map_read(&ann.cx, orders, parsed(&ann, "{\"pk\":\"\",\"price\":3}"), &got));
    assert_true(got.id.ptr != NULL && got.id.len == 0 && got.price == 3); /* empty is not absent; a whole number is a number */
}

static void refuses_another_type(void **state) {
    static const struct {
        const char *item, *says;
    } rows[] = {
        {"{\"pk\":1}", "body.pk: is 1, want text of 0 to 9223372036854775807 bytes"},
        {"{\"pk\":\"o\",\"qty\":\"1\"}", "body.qty: is \"1\", want a whole number"},
        {"{\"pk\":\"o\",\"qty\":1.5}", "body.qty: is 1.5, want a whole number"},
        {"{\"qty\":9223372036854775808}", "body.qty: is 9223372036854775808, want a whole number of 64 bits"},
        {"{\"price\":\"1\"}", "body.price: is \"1\", want a number"},
        {"{\"paid\":0}", "body.paid: is 0, want true or false"},
        {"{\"tags\":\"a\"}", "body.tags: is \"a\", want an object or a list"},
    };
    static latch_map endless[LATCH_MAP_MAX + 2];
    latch_json item;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        order got = {.qty = 3, .paid = true};
        assert_int_equal(latch_map_read(&ann.cx, orders, parsed(&ann, rows[i].item), &got), LATCH_E_INPUT);
        if (i > 0) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_true(got.id.ptr == NULL && got.qty == 0 && !got.paid);
    }
    is_fine(&ann, latch_dynamodb_put(
                      &ann.cx, &(latch_dynamodb_put_request){.item = parsed(&ann, "{\"pk\":\"p\",\"sk\":\"s\",\"qty\":\"x\"}")}, NULL));
    is_fine(&ann, latch_dynamodb_get(&ann.cx, &(latch_dynamodb_get_request){.key = latch_object(&ann.cx, "pk", "p", "sk", "s")}, &item));
    order got;
    assert_int_equal(latch_map_read(&ann.cx, orders, item, &got), LATCH_E_DATA);
    assert_string_equal(latch_error(&ann.cx)->message, "item.qty: is \"x\", want a whole number");
    for (size_t i = 0; i < COUNT_OF(endless); i++)
        endless[i] = orders[2];
    assert_int_equal(latch_map_read(&ann.cx, endless, item, &got), LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_put(&ann.cx, &(latch_dynamodb_put_request){.item = latch_map_write(&ann.cx, endless, &got)}, NULL),
                     LATCH_E_MISUSE);
    assert_non_null(strstr(latch_error(&ann.cx)->message, "a latch_map has over 64 members, or no LATCH_MAP_END"));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, keys_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(goes_there_and_back),
    ROW(leaves_out_what_is_absent),
    ROW(refuses_another_type),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx_private.h"
#include "tests/check.h"

#define MEMORY_BYTES ((size_t)1 << 16)

static void *memory;
static latch_arena arena;
static latch_ctx cx;

static int set_up(void **state) {
    (void)state;
    memory = malloc(MEMORY_BYTES);
    if (memory == NULL) return -1;
    latch_arena_init(&arena, memory, MEMORY_BYTES);
    cx = (latch_ctx){.arena = &arena, .deadline_at_ms = INT64_MAX};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    latch_arena_clean_up(&arena);
    free(memory);
    return 0;
}

static latch_json parsed(const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&cx, "body", latch_str_of(text), &v), LATCH_OK);
    return v;
}

/* "0:name=text" for each member or element, what is no text as '-'. */
static void goes_through_lists_and_objects(void **state) {
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"[]", ""},
        {"{}", ""},
        {"7", ""},
        {"\"ab\"", ""},
        {"null", ""},
        {"[\"a\",1,\"b\"]", "0:=a 1:=- 2:=b "},
        {"[[1,[2]],\"x\",{\"k\":{\"l\":1}},\"y\"]", "0:=- 1:=x 2:=- 3:=y "},
        {"{\"a\":\"1\",\"b\":{\"c\":[]},\"\":\"2\",\"a\":\"3\"}", "0:a=1 1:b=- 2:=2 3:a=3 "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char says[256] = "";
        size_t n = 0;
        for (latch_each each = latch_each_in(parsed(rows[i].json)); latch_each_next(&each);) {
            latch_str text = latch_each_text(&each);
            n += (size_t)snprintf(says + n, sizeof says - n, "%zu:%.*s=%.*s ", each.index, LATCH_ARG(each.name),
                                  text.len > 0 ? (int)text.len : 1, text.len > 0 ? text.ptr : "-");
        }
        assert_string_equal(says, rows[i].says);
    }
}

static void names_the_place_of_what_is_wrong(void **state) {
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"[{\"n\":1},{\"n\":\"x\"}]", "body[1].n: is \"x\", want a whole number"},
        {"{\"a\":{\"n\":1},\"b.c\":{\"n\":\"x\"}}", "body.b.c.n: is \"x\", want a whole number"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_status status = LATCH_OK;
        int64_t n;
        for (latch_each each = latch_each_in(parsed(rows[i].json)); latch_each_next(&each);)
            status = latch_read(latch_each_value(&each), "n", &n);
        assert_int_equal(status, LATCH_E_INPUT);
        assert_string_equal(latch_error(&cx)->message, rows[i].message);
    }
}

static void goes_through_what_was_built(void **state) {
    size_t count = 0;
    latch_json built = latch_object(&cx, "a", "x", "b", latch_append(latch_array(&cx), latch_int(1)));
    (void)state;
    for (latch_each each = latch_each_in(built); latch_each_next(&each);)
        count++;
    assert_int_equal(count, 2);
    latch_each none = latch_each_in(LATCH_NULL);
    assert_false(latch_each_next(&none));
}

static void survives_a_full_arena(void **state) {
    latch_json v = parsed("[{\"n\":1}]"), built = latch_append(latch_array(&cx), "built");
    int64_t n;
    (void)state;
    latch_each each = latch_each_in(v);
    assert_non_null(latch_arena_alloc(&arena, arena.cap - arena.used - 16));
    assert_true(latch_each_next(&each));
    assert_int_equal(latch_read(latch_each_value(&each), "n", &n), LATCH_E_NOMEM);
    each = latch_each_in(built); /* it would have to be parsed */
    assert_false(latch_each_next(&each));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(goes_through_lists_and_objects),
    ROW(names_the_place_of_what_is_wrong),
    ROW(goes_through_what_was_built),
    ROW(survives_a_full_arena),
};

CHECK_MAIN(tests)

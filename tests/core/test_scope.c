#include <string.h>

#include "core/scope.h"
#include "tests/check.h"
#include "tests/core/room.h"

static room r;
static latch_scope scope;
static char order[32]; /* what ended, in order */
static latch_status seen;

static int set_up(void **state) {
    (void)state;
    room_open(&r, 4096);
    scope = (latch_scope){NULL};
    r.cx.scope = &scope;
    memset(order, 0, sizeof order);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_close(&r);
    return 0;
}

static void note(latch_ctx *cx, void *arg, latch_status ended) {
    order[strlen(order)] = *(char *)arg;
    seen = ended;
    (void)latch_err_set(&cx->err, LATCH_E_NETWORK, "a release went wrong");
}

static void ends_the_last_one_first(void **state) {
    char names[] = "abc";
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(latch_scope_add(&r.cx, note, &names[i]), LATCH_OK);
    (void)latch_err_set(&r.cx.err, LATCH_BUSY, "the handler's own");
    latch_scope_end(&r.cx, LATCH_BUSY);
    assert_string_equal(order, "cba");
    assert_int_equal(seen, LATCH_BUSY);
    assert_string_equal(r.cx.err.message, "the handler's own");
    latch_scope_end(&r.cx, LATCH_OK); /* once is enough */
    assert_string_equal(order, "cba");
}

static void forgets_what_was_given_back(void **state) {
    char names[] = "abc", stranger = 'x';
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(latch_scope_add(&r.cx, note, &names[i]), LATCH_OK);
    latch_scope_forget(&r.cx, &names[1]);
    latch_scope_forget(&r.cx, &stranger);
    latch_scope_end(&r.cx, LATCH_OK);
    assert_string_equal(order, "ca");
}

static char later = 'l';
static void takes_another(latch_ctx *cx, void *arg, latch_status ended) {
    note(cx, arg, ended);
    assert_int_equal(latch_scope_add(cx, note, &later), LATCH_OK);
}

static void ends_what_is_taken_while_it_ends(void **state) {
    char names[] = "ab";
    (void)state;
    assert_int_equal(latch_scope_add(&r.cx, note, &names[0]), LATCH_OK);
    assert_int_equal(latch_scope_add(&r.cx, takes_another, &names[1]), LATCH_OK);
    latch_scope_end(&r.cx, LATCH_E_TIMEOUT);
    assert_string_equal(order, "bla");
    assert_int_equal(seen, LATCH_E_TIMEOUT);
}

static void refuses_without_a_scope_or_room(void **state) {
    char name = 'a';
    size_t added = 0;
    (void)state;
    latch_status status;
    while ((status = latch_scope_add(&r.cx, note, &name)) == LATCH_OK)
        added++;
    assert_int_equal(status, LATCH_E_NOMEM);
    assert_true(added > 20);
    r.cx.scope = NULL;
    assert_int_equal(latch_scope_add(&r.cx, note, &name), LATCH_E_MISUSE);
    latch_scope_forget(&r.cx, &name);
    latch_scope_end(&r.cx, LATCH_OK); /* nothing to end */
    assert_string_equal(order, "");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(ends_the_last_one_first),
    ROW(forgets_what_was_given_back),
    ROW(ends_what_is_taken_while_it_ends),
    ROW(refuses_without_a_scope_or_room),
};
// clang-format on

CHECK_MAIN(tests)

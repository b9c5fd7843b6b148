#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/cooldown.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define HOST LATCH_STR("api.example.com")

static const latch_cooldown own = {.name = "up"};
static const latch_cooldown shared = {.name = "up", .toolkit_table = "latch"}; /* its keys have the same names */

static const struct place {
    const latch_cooldown *policy;
    const char *pk, *sk;
} places[] = {
    {&own, "COOLDOWN#up#api.example.com", "COOLDOWN"},
    {&shared, "COOLDOWN#api.example.com", "COOLDOWN#api.example.com"},
};

static const rig_twin sound = {NULL, NULL};
static const rig_twin shortens = {"#cooldownUntil < :until", "(#cooldownUntil < :until OR attribute_exists(#cooldownUntil))"};

static void begin_again(const struct place *at, rig_twin twin) {
    rig_delete(&world, at->pk, at->sk);
    pair_again(twin);
}

static latch_status set(rig *r, const struct place *at, int64_t in_ms) { return latch_cooldown_set(&r->cx, at->policy, HOST, T0 + in_ms); }

static int64_t until(const struct place *at) {
    int64_t at_ms;
    latch_status status = latch_cooldown_get(&bob.cx, at->policy, HOST, &at_ms);
    assert_true(status == LATCH_OK || (status == LATCH_MISSING && at_ms == 0));
    return at_ms;
}

static void is_seen_by_all_until_it_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        begin_again(&places[i], sound);
        assert_int_equal(until(&places[i]), 0);
        assert_int_equal(set(&ann, &places[i], 5000), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(until(&places[i]), T0 + 5000);
        assert_non_null(strstr(bob.last_request, "\"ConsistentRead\":true"));
        assert_int_equal(rig_number(&world, places[i].pk, places[i].sk, "cooldownUntil"), T0 + 5000);
        assert_int_equal(rig_number(&world, places[i].pk, places[i].sk, "ttl"), T0 / 1000 + 5 + 2 + 60);
        rig_at(&world, T0 + 4999);
        assert_int_equal(until(&places[i]), T0 + 5000);
        rig_at(&world, T0 + 5000);
        assert_int_equal(until(&places[i]), 0);
        rig_at(&world, T0);
        assert_int_equal(latch_cooldown_clear(&ann.cx, places[i].policy, HOST), LATCH_OK);
        assert_int_equal(until(&places[i]), 0);
        assert_int_equal(latch_cooldown_clear(&ann.cx, places[i].policy, HOST), LATCH_OK);
    }
}

static int64_t set_twice(const struct place *at, rig_twin twin) {
    begin_again(at, twin);
    assert_int_equal(set(&ann, at, 5000), LATCH_OK);
    assert_int_equal(set(&bob, at, 3000), LATCH_OK);
    return until(at) - T0;
}

static void only_grows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(set_twice(&places[i], sound), 5000);
        assert_int_equal(set(&bob, &places[i], 6000), LATCH_OK);
        assert_int_equal(until(&places[i]), T0 + 6000);
        assert_int_equal(set_twice(&places[i], shortens), 3000); /* the broken twin is seen */
    }
}

static void refuses_what_is_no_cooldown(void **state) {
    static const struct {
        latch_cooldown policy;
        const char *origin;
        int64_t until_ms;
        latch_status status;
    } rows[] = {
        {{.name = "up"}, "a", T0, LATCH_E_MISUSE},
        {{.name = "up"}, "a", T0 - 1, LATCH_E_MISUSE},
        {{.name = "up"}, "a", -1, LATCH_E_MISUSE},
        {{.name = "up"}, "a", T0 + LATCH_SPAN_MS_MAX + 1, LATCH_E_MISUSE},
        {{.name = "up"}, "", T0 + 1, LATCH_E_INPUT},
        {{.name = "up"}, "a\n", T0 + 1, LATCH_E_INPUT},
        {{.name = ""}, "a", T0 + 1, LATCH_E_MISUSE},
        {{.name = "up", .timeout_ms = -1}, "a", T0 + 1, LATCH_E_MISUSE},
        {{.name = "up", .toolkit_table = "x"}, "a", T0 + 1, LATCH_E_MISUSE},
        {{.name = "up", .toolkit_table = "latch"}, "", T0 + 1, LATCH_E_INPUT},
    };
    (void)state;
    pair_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_cooldown_set(&ann.cx, &rows[i].policy, latch_str_of(rows[i].origin), rows[i].until_ms), rows[i].status);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_cooldown_set(&ann.cx, &own, LATCH_STR("a"), T0 + LATCH_SPAN_MS_MAX), LATCH_OK);
}

static void tells_an_item_that_is_none(void **state) {
    int64_t at_ms;
    (void)state;
    begin_again(&places[1], sound);
    rig_put(&world,
            "{\"pk\":{\"S\":\"COOLDOWN#api.example.com\"},\"sk\":{\"S\":\"COOLDOWN#api.example.com\"},\"cooldownUntil\":{\"S\":\"x\"}}");
    assert_int_equal(latch_cooldown_get(&ann.cx, &shared, HOST, &at_ms), LATCH_E_DATA);
    assert_int_equal(at_ms, 0);
}

/* A set goes again where it was lost, a clear doesn't: another may have set it meanwhile. */
static void repeats_a_set_and_no_clear(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        begin_again(&places[i], sound);
        ann.faults[0] = LOST_AFTER;
        assert_int_equal(set(&ann, &places[i], 5000), LATCH_OK);
        assert_int_equal(ann.requests, 2);
        rig_again(&ann, 0);
        ann.faults[0] = LOST_BEFORE;
        assert_int_equal(latch_cooldown_clear(&ann.cx, places[i].policy, HOST), LATCH_E_TIMEOUT);
        assert_true(latch_error(&ann.cx)->maybe_applied);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(until(&places[i]), T0 + 5000);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(is_seen_by_all_until_it_ends), ROW(only_grows), ROW(refuses_what_is_no_cooldown), ROW(tells_an_item_that_is_none),
    ROW(repeats_a_set_and_no_clear),
};

CHECK_MAIN(tests)

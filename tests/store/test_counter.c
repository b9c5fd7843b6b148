#include "store/counter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/keys.h"

static const latch_counter visits = {.name = "visits"};
static const latch_counter stock = {.name = "visits", .has_least = true, .least = 0, .has_most = true, .most = 10};
static const latch_counter exact = {.name = "visits", .exact = true};
static const latch_counter exact_stock = {.name = "visits", .has_least = true, .least = 0, .has_most = true, .most = 10, .exact = true};
static const latch_counter theirs = {.name = "hits", .paradoxical_table = KEYS};
static const latch_pcounter carts = {.name = "carts"};
static const latch_pcounter their_carts = {.name = "carts", .paradoxical_table = PARTITIONED};
static const latch_pcounter their_times = {.paradoxical_table = TIMES, .sort_is_number = true, .exact = true};

#define PAGE LATCH_STR("page")
#define PK "COUNTER#visits#page"
#define SK "COUNTER"
#define CART latch_pkv_at(LATCH_STR("ann"), LATCH_STR("tea"))

static const rig_twin sound = {NULL, NULL},
                      forgets_bound = {"#count BETWEEN :from AND :to", "(#count BETWEEN :from AND :to OR #count <> :from)"};

static void stand_at(const char *digits) {
    char text[200];
    snprintf(text, sizeof text, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"},\"count\":{\"N\":\"%s\"}}", digits);
    rig_delete(&world, PK, SK);
    if (digits[0] != '\0') rig_put(&world, text);
}

static int64_t stored(void) { return rig_number(&world, PK, SK, "count"); }

static void sends_exactly_this(void **state) {
    int64_t n;
    (void)state;
    is_fine(&ann, latch_counter_incr(&ann.cx, &stock, LATCH_STR("a#b"), 3, &n));
    assert_int_equal(n, 3);
    assert_string_equal(
        ann.last_request,
        "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"COUNTER#visits#a%23b\"},\"sk\":{\"S\":\"COUNTER\"}},"
        "\"UpdateExpression\":\"ADD #count :by\",\"ReturnValues\":\"ALL_NEW\",\"ConditionExpression\":\"attribute_not_exists("
        "#count) OR #count BETWEEN :from AND :to\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
        "\"ExpressionAttributeNames\":{\"#count\":\"count\"},\"ExpressionAttributeValues\":{\":by\":{\"N\":\"3\"},\":from\":{"
        "\"N\":\"-9223372036854775808\"},\":to\":{\"N\":\"7\"}}}");
    assert_int_equal(ann.requests, 1);
    is_fine(&ann, latch_counter_decr(&ann.cx, &theirs, LATCH_STR("a#b"), 3, &n));
    assert_int_equal(n, -3);
    assert_non_null(strstr(ann.last_request, "{\"TableName\":\"" KEYS "\",\"Key\":{\"key\":{\"S\":\"hits.a#b\"}}"));
    stands(KEYS, "{\"key\":{\"S\":\"hits.a#b\"}}", "{\"key\":{\"S\":\"hits.a#b\"},\"count\":{\"N\":\"-3\"}}");
}

/* Each bound, at it and one past it; of what isn't there too. */
static void keeps_its_bounds(void **state) {
    static const struct {
        const latch_counter *counter, *exact;
        const char *from;
        int64_t by;
        latch_status status;
        int64_t count;
        const char *is;
    } rows[] = {
        {&stock, &exact_stock, "", 10, LATCH_OK, 10, "10"},
        {&stock, &exact_stock, "", 11, LATCH_LIMITED, 0, ""},
        {&stock, &exact_stock, "", -1, LATCH_LIMITED, 0, ""},
        {&stock, &exact_stock, "", 0, LATCH_OK, 0, "0"},
        {&stock, &exact_stock, "9", 1, LATCH_OK, 10, "10"},
        {&stock, &exact_stock, "9", 2, LATCH_LIMITED, 9, "9"},
        {&stock, &exact_stock, "3", -3, LATCH_OK, 0, "0"},
        {&stock, &exact_stock, "3", -4, LATCH_LIMITED, 3, "3"},
        {&stock, &exact_stock, "20", -5, LATCH_OK, 15, "15"}, /* beyond a bound already: back, and not further */
        {&stock, &exact_stock, "20", 1, LATCH_LIMITED, 20, "20"},
        {&stock, &exact_stock, "-5", 2, LATCH_OK, -3, "-3"},
        {&stock, &exact_stock, "-5", -1, LATCH_LIMITED, -5, "-5"},
        {&stock, &exact_stock, "3", INT64_MIN, LATCH_LIMITED, 3, "3"},
        {&stock, &exact_stock, "3", INT64_MAX, LATCH_LIMITED, 3, "3"},
        {&stock, &exact_stock, "-9223372036854775807", INT64_MAX, LATCH_OK, 0, "0"},
        {&visits, &exact, "9223372036854775806", 1, LATCH_OK, INT64_MAX, "9223372036854775807"},
        {&visits, &exact, "9223372036854775807", 1, LATCH_E_DATA, 0, "9223372036854775807"},
        {&visits, &exact, "-9223372036854775807", -1, LATCH_OK, INT64_MIN, "-9223372036854775808"},
        {&visits, &exact, "-9223372036854775808", -1, LATCH_E_DATA, 0, "-9223372036854775808"},
        {&visits, &exact, "1", INT64_MAX, LATCH_E_DATA, 0, "1"},
        {&visits, &exact, "0", INT64_MIN, LATCH_OK, INT64_MIN, "-9223372036854775808"},
        {&visits, &exact, "-1", INT64_MIN, LATCH_E_DATA, 0, "-1"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        size_t row = i / 2;
        bool exactly = i % 2 == 1;
        int64_t n = 99;
        stand_at(rows[row].from);
        rig_again(&ann, 0);
        latch_status status = latch_counter_add(&ann.cx, exactly ? rows[row].exact : rows[row].counter, PAGE, rows[row].by, &n);
        if (status != rows[row].status) fail_msg("row %zu: %d %s", row, status, ann.cx.err.message);
        assert_int_equal(n, rows[row].count);
        assert_int_equal(ann.requests, exactly && status == LATCH_OK ? 2 : 1);
        if (status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        if (rows[row].is[0] == '\0') assert_false(rig_has(&world, PK, SK, "count"));
        if (rows[row].is[0] != '\0') assert_int_equal(stored(), strtoll(rows[row].is, NULL, 10));
    }
    stand_at("3");
    rig_again(&ann, 0);
    assert_int_equal(latch_counter_decr(&ann.cx, &stock, PAGE, 4, NULL), LATCH_LIMITED);
    assert_string_equal(latch_error(&ann.cx)->message, PK ": is 3, which -4 more would take beyond its bound of 0");
    is_fine(&ann, latch_counter_decr(&ann.cx, &exact_stock, PAGE, 3, NULL)); /* nobody asked what it is: one request */
    assert_int_equal(ann.requests, 2);
    assert_int_equal(latch_counter_decr(&ann.cx, &visits, PAGE, INT64_MIN, NULL), LATCH_E_MISUSE);
    assert_int_equal(latch_pcounter_decr(&ann.cx, &carts, CART, INT64_MIN, NULL), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 2);
}

/* A bound of which nothing of 64 bits is within reach is told after a look. */
static void says_what_can_never_be(void **state) {
    static const latch_counter low = {.name = "visits", .has_most = true, .most = INT64_MIN + 5},
                               high = {.name = "visits", .has_least = true, .least = INT64_MAX};
    int64_t n;
    (void)state;
    stand_at("-9223372036854775808");
    assert_int_equal(latch_counter_add(&ann.cx, &low, PAGE, 6, &n), LATCH_LIMITED);
    assert_int_equal(n, INT64_MIN);
    is_fine(&ann, latch_counter_add(&ann.cx, &low, PAGE, 5, &n));
    assert_int_equal(n, INT64_MIN + 5);
    stand_at("9223372036854775807");
    assert_int_equal(latch_counter_add(&ann.cx, &high, PAGE, -1, &n), LATCH_LIMITED);
    assert_int_equal(n, INT64_MAX);
    assert_int_equal(ann.requests, 3);
}

static void refuses_what_is_no_count(void **state) {
    static const char *const rows[] = {"1.5", "1e30", "9223372036854775808", "-99999999999999999999"};
    latch_counted counted;
    latch_str key = PAGE;
    int64_t n;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        stand_at(rows[i]);
        rig_again(&ann, 0);
        assert_int_equal(latch_counter_get(&ann.cx, &visits, &key, 1, &counted), LATCH_E_DATA);
        assert_true(!counted.found && counted.count == 0);
        latch_status status = latch_counter_incr(&ann.cx, &visits, PAGE, 1, &n);
        assert_int_equal(status, LATCH_E_DATA);
        assert_int_equal(n, 0);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, i == 0); /* 2.5 is within bounds, and counted */
    }
    rig_put(&world, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"},\"count\":{\"S\":\"1\"}}");
    rig_again(&ann, 0);
    assert_int_not_equal(latch_counter_incr(&ann.cx, &visits, PAGE, 1, &n), LATCH_OK);
    assert_true(rig_has_text(&world, PK, SK, "count", "1"));
}

/* ── lost and late ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void counts_once_or_says_so(void **state) {
    static const struct {
        const latch_counter *counter;
        fault fails;
        latch_status status;
        bool maybe;
        size_t requests;
        int64_t stored;
    } rows[] = {
        {&visits, LOST_BEFORE, LATCH_E_TIMEOUT, true, 1, 5},
        {&visits, LOST_AFTER, LATCH_E_TIMEOUT, true, 1, 6},
        {&visits, FAILS_500, LATCH_E_NETWORK, true, 1, 5},
        {&visits, NOT_SENT, LATCH_E_NETWORK, false, 1, 5},
        {&visits, FAILS_THROTTLED, LATCH_E_THROTTLED, false, 1, 5},
        {&visits, ANSWERS_NO_JSON, LATCH_E_DATA, true, 1, 6},
        {&exact, LOST_BEFORE, LATCH_OK, false, 2, 6},
        {&exact, LOST_AFTER, LATCH_OK, false, 2, 6},
        {&exact, LATE, LATCH_OK, false, 2, 6},
        {&exact, FAILS_500, LATCH_OK, false, 2, 6},
        {&exact, NOT_SENT, LATCH_E_NETWORK, false, 1, 5},
        {&exact_stock, LOST_AFTER, LATCH_OK, false, 2, 6},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        stand_at("5");
        pair_again(sound);
        ann.faults[0] = rows[i].fails;
        latch_status status = latch_counter_incr(&ann.cx, rows[i].counter, PAGE, 1, NULL);
        if (status != rows[i].status) fail_msg("row %zu: %d %s", i, status, ann.cx.err.message);
        if (status != LATCH_OK) assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe);
        assert_int_equal(ann.requests, rows[i].requests);
        if (rows[i].fails == LATE) rig_deliver(&ann);
        assert_int_equal(stored(), rows[i].stored);
    }
    stand_at("5");
    pair_again(sound);
    ann.faults[1] = ann.faults[2] = ann.faults[3] = LOST_BEFORE; /* counted, and then the look fails */
    int64_t n = 7;
    assert_int_equal(latch_counter_incr(&ann.cx, &exact, PAGE, 1, &n), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied && n == 0);
}

/* ── races: the other's whole call comes between, replies get lost ──────────────────────────────────────────────────────────── */

static uint32_t seed;
static uint32_t roll(uint32_t sides) {
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % sides;
}

static struct tally {
    int64_t sum, unsure; /* of calls that are known to have counted; how far those may be off that aren't */
    size_t beyond, interleaved, lost, limited;
} tally;

static const latch_counter *raced;

static void count_and_tally(rig *r) {
    int64_t by = (int64_t)roll(9) - 4;
    rig_again(r, 0);
    r->faults[0] = roll(5) == 0 ? (fault)(LOST_BEFORE + roll(3)) : NO_FAULT;
    latch_status status = latch_counter_add(&r->cx, raced, PAGE, by, NULL);
    tally.lost += r->faults[0] != NO_FAULT;
    tally.limited += status == LATCH_LIMITED;
    if (status == LATCH_OK) tally.sum += by;
    if (status != LATCH_OK && r->cx.err.maybe_applied) tally.unsure += by > 0 ? by : -by;
    int64_t is = stored();
    tally.beyond += is != INT64_MIN && (is < 0 || is > 10);
}

static void bob_comes_between(void *arg) {
    (void)arg;
    if (roll(3) != 0) return;
    tally.interleaved++;
    count_and_tally(&bob);
}

static void race(const latch_counter *counter, rig_twin twin, int rounds) {
    stand_at("0");
    pair_again(twin);
    tally = (struct tally){0};
    seed = 2463534242;
    raced = counter;
    ann.before = bob_comes_between;
    for (int i = 0; i < rounds; i++) {
        count_and_tally(&ann);
        if (roll(3) == 0) rig_deliver(roll(2) == 0 ? &ann : &bob);
    }
    ann.before = NULL;
}

static bool adds_up(void) { return llabs(stored() - tally.sum) <= tally.unsure; }

static void keeps_bounds_and_loses_nothing_under_races(void **state) {
    int rounds = rig_is_engine() ? 1500 : 100;
    (void)state;
    race(&stock, sound, rounds);
    print_message("%d rounds: %zu interleaved, %zu replies lost, %zu refused\n", rounds, tally.interleaved, tally.lost, tally.limited);
    assert_int_equal(tally.beyond, 0);
    assert_true(adds_up());
    assert_true(tally.interleaved > 10 && tally.lost > 5 && tally.limited > 5);
    race(&exact, sound, rounds);
    assert_true(adds_up());
    assert_int_equal(tally.unsure, 0); /* nothing is left open, so the sum is the sum */
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    race(&stock, forgets_bound, 60);
    assert_true(tally.beyond > 0);
}

/* ── many, in partitions, scoped ────────────────────────────────────────────────────────────────────────────────────────── */

static void gets_many_in_their_order(void **state) {
    const latch_counter *const tables[] = {&visits, &theirs};
    enum { MANY = 104 };
    latch_str keys[MANY + 1];
    latch_counted got[MANY + 1];
    (void)state;
    for (size_t table = 0; table < COUNT_OF(tables); table++) {
        rig_again(&ann, 0);
        for (size_t i = 0; i < MANY; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%zu", i);
            keys[i] = latch_copy(&ann.cx, latch_str_of(key));
            if (i % 8 == 0) is_fine(&ann, latch_counter_incr(&ann.cx, tables[table], keys[i], (int64_t)i, NULL));
        }
        keys[MANY] = keys[96];
        ann.requests = 0;
        is_fine(&ann, latch_counter_get(&ann.cx, tables[table], keys, MANY + 1, got));
        assert_int_equal(ann.requests, 2);
        for (size_t i = 0; i <= MANY; i++) {
            size_t n = i == MANY ? 96 : i;
            assert_int_equal(got[i].found, n % 8 == 0);
            assert_int_equal(got[i].count, n % 8 == 0 ? n : 0);
        }
        is_fine(&ann, latch_counter_delete(&ann.cx, tables[table], keys[8]));
        is_fine(&ann, latch_counter_delete(&ann.cx, tables[table], keys[8]));
        is_fine(&ann, latch_counter_get(&ann.cx, tables[table], &keys[8], 1, got));
        assert_false(got[0].found);
    }
    plant(KEYS, "{\"key\":{\"S\":\"hits.k1\"},\"data\":{\"S\":\"1\"}}"); /* a value, and no count yet */
    is_fine(&ann, latch_counter_get(&ann.cx, &theirs, &keys[1], 1, got));
    assert_true(got[0].found && got[0].count == 0);
    is_fine(&ann, latch_counter_get(&ann.cx, &theirs, keys, 0, got));
}

static void counts_in_partitions(void **state) {
    const latch_pcounter *const tables[] = {&carts, &their_carts, &their_times};
    static const latch_pkv lists[] = {
        {.name = "carts"}, {.name = "carts", .paradoxical_table = PARTITIONED}, {.paradoxical_table = TIMES, .sort_is_number = true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        latch_pkv_key key = latch_pkv_at(LATCH_STR("ann"), i == 2 ? LATCH_STR("-12.5") : LATCH_STR("tea"));
        latch_counted got;
        latch_kv_page page;
        int64_t n;
        rig_again(&ann, 0);
        is_fine(&ann, latch_pcounter_get(&ann.cx, tables[i], key, &got));
        assert_true(!got.found && got.count == 0);
        is_fine(&ann, latch_pcounter_incr(&ann.cx, tables[i], key, 5, &n));
        is_fine(&ann, latch_pcounter_decr(&ann.cx, tables[i], key, 2, &n));
        assert_int_equal(n, 3);
        assert_int_equal(ann.requests, i == 2 ? 5 : 3);
        is_fine(&ann, latch_pcounter_get(&ann.cx, tables[i], key, &got));
        assert_true(got.found && got.count == 3);
        is_fine(&ann, latch_pkv_list(&ann.cx, &lists[i], LATCH_STR("ann"), &(latch_pkv_list_request){.limit = 5}, &page));
        assert_int_equal(page.count, 1);
        assert_true(latch_str_eq(page.entries[0].key, key.sort));
        is_json(page.entries[0].value, "3");
        is_fine(&ann, latch_pcounter_delete(&ann.cx, tables[i], key));
        is_fine(&ann, latch_pcounter_get(&ann.cx, tables[i], key, &got));
        assert_false(got.found);
    }
    int64_t n;
    rig_again(&ann, 0);
    assert_int_equal(latch_counter_incr(&ann.cx, &their_times, PAGE, 1, &n), LATCH_E_MISUSE);
    assert_int_equal(latch_pcounter_incr(&ann.cx, &their_times, CART, 1, &n), LATCH_E_INPUT);
    assert_string_equal(latch_error(&ann.cx)->message, "pcounter's sort key -: the key tea is no number of at most 38 digits");
    assert_int_equal(latch_counter_incr(&ann.cx, &(latch_counter){.name = ""}, PAGE, 1, &n), LATCH_E_MISUSE);
    assert_int_equal(latch_counter_incr(&ann.cx, &visits, LATCH_STR(""), 1, &n), LATCH_E_INPUT);
    assert_int_equal(latch_counter_incr(&ann.cx, &(latch_counter){.name = "n", .timeout_ms = -1}, PAGE, 1, &n), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

static latch_str of_user(latch_ctx *cx, latch_str key) { return key.len > 0 ? latch_key(cx, LATCH_STR("user"), key) : LATCH_STR(""); }

static void counts_behind_a_function(void **state) {
    static const latch_scoped_counter scoped = {&visits, of_user};
    latch_str keys[] = {LATCH_STR("bob"), LATCH_STR("ann")};
    latch_counted got[2];
    int64_t n;
    (void)state;
    is_fine(&ann, latch_scoped_counter_current(&ann.cx, &scoped, LATCH_STR("ann"), &n));
    assert_int_equal(n, 0);
    is_fine(&ann, latch_scoped_counter_inc(&ann.cx, &scoped, LATCH_STR("ann"), 5, &n));
    is_fine(&ann, latch_scoped_counter_decr(&ann.cx, &scoped, LATCH_STR("ann"), 1, &n));
    assert_int_equal(n, 4);
    assert_int_equal(ann.requests, 3);
    assert_int_equal(rig_number(&world, "COUNTER#visits#user%23ann", SK, "count"), 4);
    is_fine(&ann, latch_scoped_counter_get(&ann.cx, &scoped, keys, 2, got));
    assert_true(!got[0].found && got[1].found && got[1].count == 4);
    is_fine(&ann, latch_scoped_counter_current(&ann.cx, &scoped, LATCH_STR("ann"), &n));
    assert_int_equal(n, 4);
    is_fine(&ann, latch_scoped_counter_reset(&ann.cx, &scoped, LATCH_STR("ann")));
    is_fine(&ann, latch_scoped_counter_current(&ann.cx, &scoped, LATCH_STR("ann"), &n));
    assert_int_equal(n, 0);
    assert_int_equal(latch_scoped_counter_inc(&ann.cx, &scoped, LATCH_STR(""), 1, &n), LATCH_E_INPUT);
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0;
    int64_t counted = 0;
    latch_status status = LATCH_E_NOMEM;
    (void)state;
    for (size_t bytes = 16; status != LATCH_OK; bytes += 16) {
        int64_t n = 1;
        rig_again(&ann, bytes);
        status = latch_counter_incr(&ann.cx, &visits, PAGE, 1, &n);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        int64_t is = stored() == INT64_MIN ? 0 : stored();
        assert_true(is == counted || status == LATCH_OK || latch_error(&ann.cx)->maybe_applied);
        counted = is;
        refused += status != LATCH_OK;
    }
    assert_in_range(refused, 20, 2000);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, keys_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(keeps_its_bounds),
    ROW(says_what_can_never_be),
    ROW(refuses_what_is_no_count),
    ROW(counts_once_or_says_so),
    ROW(keeps_bounds_and_loses_nothing_under_races),
    ROW(finds_the_broken_twins),
    ROW(gets_many_in_their_order),
    ROW(counts_in_partitions),
    ROW(counts_behind_a_function),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)

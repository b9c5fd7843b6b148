#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/items.h"
#include "store/rate.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define WINDOW_MS INT64_C(60000)
#define SLOTS "RATELIMIT_SLOT#ann"
#define EVENTS "RATELIMIT#ann"

/* The table is the stores' own: the layouts' keys differ. */
static const latch_rate three = {
    .name = "api", .limit = 3, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = "latch"};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_slot = {"attribute_not_exists(#pk) OR #timestamp < :window_start",
                                      "attribute_not_exists(#pk) OR #timestamp < :window_start OR attribute_exists(#pk)"};

static void begin_again(rig_twin twin) {
    pair_again((rig_twin){NULL, NULL});
    ann.roll = bob.roll = NULL;
    assert_int_equal(latch_rate_reset(&ann.cx, &three, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(latch_rate_reset(&bob.cx, &three, LATCH_STR("ann")), LATCH_OK);
    pair_again(twin);
    ann.ahead_us = bob.ahead_us = 0;
}

static latch_status take(rig *r, const latch_rate *policy, latch_rate_state *out) {
    rig_again(r, 0);
    return latch_rate_acquire(&r->cx, policy, LATCH_STR("ann"), out);
}

/* Of a partition: how many items, and their stamps. */
static size_t items_of(const char *partition, int64_t *stamps_ms, size_t room) {
    latch_dynamodb_pages pages;
    size_t count = 0;
    rig_again(&bob, 0);
    latch_status status = latch_dynamodb_query(
        &bob.cx, &(latch_dynamodb_query_request){.key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", partition)}, &pages);
    for (bool more = true; status == LATCH_OK;) {
        latch_json item;
        status = latch_dynamodb_next(&pages, &item, &more);
        if (status != LATCH_OK || !more) break;
        if (stamps_ms != NULL && count < room) status = latch_read(item, "timestamp", &stamps_ms[count]);
        count++;
    }
    assert_int_equal(status, LATCH_OK);
    return count;
}

static void plant(const char *slot, int64_t at_ms) {
    char item[256];
    snprintf(item, sizeof item,
             "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"SLOT#%s\"},\"timestamp\":{\"N\":\"%lld\"},\"ttl\":{\"N\":\"9999999999\"}}", SLOTS,
             slot, (long long)at_ms);
    rig_put(&world, item);
}

static void grants_the_limit_and_not_one_more(void **state) {
    latch_rate_state out;
    int64_t stamps_ms[8];
    (void)state;
    begin_again(sound);
    for (int64_t n = 1; n <= 3; n++) {
        rig_at(&world, T0 + n);
        assert_int_equal(take(&ann, &three, &out), LATCH_OK);
        assert_int_equal(ann.requests, 2); /* a query and a transaction */
        assert_int_equal(out.remaining, 3 - n);
        assert_int_equal(out.reset_at_ms, T0 + n + WINDOW_MS + 1);
    }
    assert_int_equal(take(&ann, &three, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_error(&ann.cx)->retry_at_ms, T0 + 1 + WINDOW_MS + 1);
    assert_int_equal(items_of(SLOTS, stamps_ms, 8), 3);
    assert_int_equal(items_of(EVENTS, stamps_ms, 8), 3);
    rig_at(&world, T0 + 1 + WINDOW_MS);
    assert_int_equal(take(&ann, &three, &out), LATCH_LIMITED);
    rig_at(&world, T0 + 1 + WINDOW_MS + 1);
    assert_int_equal(take(&ann, &three, &out), LATCH_OK);
    assert_int_equal(take(&ann, &three, &out), LATCH_LIMITED);
}

static void items_are_as_the_package_writes_them(void **state) {
    static const latch_rate one = {.name = "api", .limit = 1, .window_ms = WINDOW_MS, .toolkit_table = "latch"};
    char sk[80];
    latch_rate_state out;
    latch_dynamodb_pages pages;
    latch_json event;
    latch_str text;
    bool more;
    int64_t at_ms, ttl;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &one, &out), LATCH_OK);
    assert_int_equal(rig_number(&world, SLOTS, "SLOT#0", "timestamp"), T0);
    assert_int_equal(rig_number(&world, SLOTS, "SLOT#0", "ttl"), T0 / 1000 + 60 + 2 + 60);
    assert_int_equal(
        latch_dynamodb_query(&bob.cx, &(latch_dynamodb_query_request){.key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", EVENTS)},
                             &pages),
        LATCH_OK);
    assert_int_equal(latch_dynamodb_next(&pages, &event, &more), LATCH_OK);
    assert_true(more);
    assert_int_equal(latch_read(event, "sk", &text, "timestamp", &at_ms, "ttl", &ttl), LATCH_OK);
    snprintf(sk, sizeof sk, "TS#%lld#", (long long)T0);
    assert_int_equal(text.len, strlen(sk) + 36);
    assert_memory_equal(text.ptr, sk, strlen(sk));
    assert_int_equal(at_ms, T0);
    assert_int_equal(ttl, T0 / 1000 + 60 + 2 + 60);
    assert_false(latch_has(event, "gsi1pk"));
}

/* Slots beyond a limit that was lowered, fractional ones and broken ones count; of those below only so many may be used. */
static void only_slots_below_k_are_used(void **state) {
    static const struct {
        const char *live[4];
        int64_t limit;
        latch_status status;
        int64_t remaining;
    } rows[] = {
        {{"3"}, 3, LATCH_OK, 1},
        {{"3", "4"}, 3, LATCH_OK, 0},
        {{"3", "4", "5"}, 3, LATCH_LIMITED, 0},
        {{"2"}, 3, LATCH_OK, 1},
        {{"0", "4"}, 3, LATCH_OK, 0},
        {{"0", "2", "9"}, 3, LATCH_LIMITED, 0},
        {{"0.52", "1"}, 3, LATCH_OK, 0},
        {{"0.52", "1.5", "x"}, 3, LATCH_LIMITED, 0},
        {{"00", "-1"}, 3, LATCH_OK, 0},
    };
    latch_rate_state out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_rate policy = {
            .name = "api", .limit = rows[i].limit, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = "latch"};
        begin_again(sound);
        for (size_t s = 0; s < 4 && rows[i].live[s] != NULL; s++)
            plant(rows[i].live[s], T0);
        plant("77", T0 - WINDOW_MS - 1); /* free since a millisecond */
        assert_int_equal(take(&ann, &policy, &out), rows[i].status);
        assert_int_equal(out.remaining, rows[i].remaining);
    }
}

static void a_slot_without_a_time_is_never_free(void **state) {
    static const latch_rate one = {
        .name = "api", .limit = 1, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = "latch"};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    rig_put(&world, "{\"pk\":{\"S\":\"" SLOTS "\"},\"sk\":{\"S\":\"SLOT#0\"}}");
    assert_int_equal(take(&ann, &one, &out), LATCH_LIMITED);
    assert_int_equal(latch_rate_reset(&ann.cx, &one, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(take(&ann, &one, &out), LATCH_OK);
}

static void takes_several_at_once_or_none(void **state) {
    static const latch_rate five = {
        .name = "api", .limit = 5, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = "latch"};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(latch_rate_acquire_n(&ann.cx, &five, LATCH_STR("ann"), 3, &out), LATCH_OK);
    assert_int_equal(ann.requests, 2);
    assert_int_equal(out.remaining, 2);
    assert_int_equal(latch_rate_acquire_n(&ann.cx, &five, LATCH_STR("ann"), 3, &out), LATCH_LIMITED);
    assert_int_equal(out.remaining, 2);
    assert_int_equal(items_of(SLOTS, NULL, 0), 3);
    assert_int_equal(items_of(EVENTS, NULL, 0), 3);
}

static void looks_records_and_resets(void **state) {
    latch_rate_state out;
    bool can;
    int64_t wait_ms;
    (void)state;
    begin_again(sound);
    assert_int_equal(latch_rate_status(&ann.cx, &three, LATCH_STR("ann"), &out), LATCH_OK);
    assert_int_equal(out.remaining, 3);
    for (int n = 1; n <= 5; n++) {
        rig_again(&ann, 0);
        assert_int_equal(latch_rate_record(&ann.cx, &three, LATCH_STR("ann")), LATCH_OK);
        assert_int_equal(items_of(EVENTS, NULL, 0), n);
        assert_int_equal(items_of(SLOTS, NULL, 0), n < 3 ? n : 3);
    }
    assert_int_equal(latch_rate_can_proceed(&ann.cx, &three, LATCH_STR("ann"), &can), LATCH_OK);
    assert_false(can);
    assert_int_equal(latch_rate_wait_time(&ann.cx, &three, LATCH_STR("ann"), &wait_ms), LATCH_OK);
    assert_int_equal(wait_ms, WINDOW_MS + 1);
    assert_int_equal(latch_rate_reset(&ann.cx, &three, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(items_of(SLOTS, NULL, 0), 0);
    assert_int_equal(items_of(EVENTS, NULL, 0), 0);
    assert_int_equal(take(&ann, &three, &out), LATCH_OK);
}

static void a_known_refusal_costs_no_request(void **state) {
    static const latch_rate one = {.name = "api", .limit = 1, .window_ms = WINDOW_MS, .toolkit_table = "latch"};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &one, &out), LATCH_OK);
    assert_int_equal(take(&ann, &one, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    rig_pass(&world, 999);
    assert_int_equal(take(&ann, &one, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 0);
    rig_pass(&world, 1);
    assert_int_equal(take(&ann, &one, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
}

static void refuses_bad_keys_without_sending(void **state) {
    static char long_key[513];
    static const struct {
        const char *key;
        size_t len;
        latch_status status;
    } rows[] = {{"", 0, LATCH_E_INPUT}, {"a\n", 2, LATCH_E_INPUT}, {"\xc0", 1, LATCH_E_INPUT}, {long_key, 513, LATCH_E_INPUT}};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    memset(long_key, 'k', sizeof long_key);
    rig_again(&ann, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_rate_acquire(&ann.cx, &three, (latch_str){rows[i].key, rows[i].len}, &out), rows[i].status);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_rate_acquire(&ann.cx, &three, (latch_str){long_key, 512}, &out), LATCH_OK);
    assert_int_equal(latch_rate_acquire(&ann.cx, &three, LATCH_STR("a#b%c"), &out), LATCH_OK);
    assert_true(items_of("RATELIMIT_SLOT#a#b%c", NULL, 0) == 1);
}

static void a_lost_reply_counts_once(void **state) {
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    ann.faults[1] = LOST_AFTER;
    assert_int_equal(latch_rate_acquire(&ann.cx, &three, LATCH_STR("ann"), &out), LATCH_OK);
    assert_int_equal(ann.requests, 3);
    assert_int_equal(items_of(SLOTS, NULL, 0), 1);
    assert_int_equal(items_of(EVENTS, NULL, 0), 1);
}

/* Bob takes each slot that ann goes for, just before her. */
static void bob_is_faster(void *arg) {
    const char *at = strstr(ann.last_request, "\"SLOT#");
    (void)arg;
    if (strcmp(ann.operation, "TransactWriteItems") != 0) return;
    char slot[8] = {0};
    for (size_t i = 0; at != NULL && i < 4 && at[6 + i] >= '0' && at[6 + i] <= '9'; i++)
        slot[i] = at[6 + i];
    plant(slot, T0);
}

static void gives_up_after_eight_lost_races(void **state) {
    static const latch_rate many = {.name = "api", .limit = 20, .window_ms = WINDOW_MS, .toolkit_table = "latch"};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    ann.before = bob_is_faster;
    assert_int_equal(latch_rate_acquire(&ann.cx, &many, LATCH_STR("ann"), &out), LATCH_CONFLICT);
    ann.before = NULL;
    assert_int_equal(ann.requests, 9);
    assert_int_equal(out.limit, 0);
    assert_int_equal(items_of(SLOTS, NULL, 0), 8);
    begin_again(sound);
    ann.before = bob_is_faster;
    assert_int_equal(latch_rate_acquire(&ann.cx, &three, LATCH_STR("ann"), &out),
                     LATCH_LIMITED); /* three races, and the limit is reached */
    ann.before = NULL;
    assert_int_equal(ann.requests, 4);
}

/* ── the bound ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define GRANTS_MAX 2048
static struct tally {
    int64_t at_ms[GRANTS_MAX], limits[GRANTS_MAX], limit;
    size_t count, refused, interleaved;
} tally;
static uint32_t seed;

static size_t rounds(void) { return rig_is_engine() ? 250 : 80; }

static uint32_t roll(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void acquire_and_tally(rig *r) {
    const latch_rate policy = {
        .name = "api", .limit = tally.limit, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = "latch"};
    latch_rate_state out;
    latch_status status = take(r, &policy, &out);
    tally.refused += status == LATCH_LIMITED;
    if (status != LATCH_OK || tally.count == GRANTS_MAX) return;
    tally.at_ms[tally.count] = rig_now_ms(&world);
    tally.limits[tally.count++] = tally.limit;
}

static void bob_comes_between(void *arg) {
    (void)arg;
    if (roll(3) != 0) return;
    tally.interleaved++;
    acquire_and_tally(&bob);
}

/* By how much the window that ends with a grant held more than that grant's limit. */
static int64_t race(rig_twin twin) {
    int64_t worst = INT64_MIN;
    begin_again(twin);
    tally = (struct tally){.limit = 4};
    seed = 2463534242;
    ann.before = bob_comes_between;
    for (size_t i = 0; i < rounds(); i++) {
        if (roll(10) == 0) tally.limit = 1 + roll(6);
        acquire_and_tally(&ann);
        rig_pass(&world, roll((uint32_t)WINDOW_MS / 4));
    }
    ann.before = NULL;
    for (size_t i = 0; i < tally.count; i++) {
        int64_t n = 0;
        for (size_t j = 0; j <= i; j++)
            n += tally.at_ms[i] - tally.at_ms[j] <= WINDOW_MS;
        if (n - tally.limits[i] > worst) worst = n - tally.limits[i];
    }
    return worst;
}

static void never_exceeds_the_limit_in_any_window(void **state) {
    (void)state;
    int64_t worst = race(sound);
    print_message("%zu rounds: %zu granted, %zu refused, %zu interleaved\n", rounds(), tally.count, tally.refused, tally.interleaved);
    assert_int_equal(worst, 0);
    assert_true(tally.count > rounds() / 4 && tally.refused > rounds() / 8 && tally.interleaved > rounds() / 4);
}

static void finds_the_broken_twin(void **state) {
    (void)state;
    assert_true(race(forgets_slot) > 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(grants_the_limit_and_not_one_more),   ROW(items_are_as_the_package_writes_them),  ROW(only_slots_below_k_are_used),
    ROW(a_slot_without_a_time_is_never_free), ROW(takes_several_at_once_or_none),         ROW(looks_records_and_resets),
    ROW(a_known_refusal_costs_no_request),    ROW(refuses_bad_keys_without_sending),      ROW(a_lost_reply_counts_once),
    ROW(gives_up_after_eight_lost_races),     ROW(never_exceeds_the_limit_in_any_window), ROW(finds_the_broken_twin),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/adaptive.h"
#include "store/items.h"
#include "store/rate_private.h"
#include "store/tables.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define WINDOW_MS LATCH_HOUR_MS
#define pk "ADAPTIVE#up#ann"
#define KEY LATCH_STR("ann")
#define KIT "kit"

static const latch_adaptive twenty = {.name = "up", .limit = 20, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_adaptive kit = {
    .name = "up", .limit = 20, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER, .toolkit_table = KIT};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_total = {"#tat BETWEEN :now AND :limit_at", "(#tat BETWEEN :now AND :limit_at OR #tat >= :now)"};
static const rig_twin forgets_share = {"#tatBackground BETWEEN :now AND :background_at",
                                       "(#tatBackground BETWEEN :now AND :background_at OR #tatBackground >= :now)"};
static const rig_twin forgets_last = {"#last <> :id", "(#last <> :id OR #last = :id)"};
static const rig_twin forgets_rest = {"#tat < :now ", "(#tat < :now OR attribute_exists(#tat)) "};

static void begin_again(rig_twin twin) {
    pair_again(sound);
    ann.roll = bob.roll = NULL;
    assert_int_equal(latch_adaptive_reset(&ann.cx, &twenty, KEY), LATCH_OK);
    assert_int_equal(latch_adaptive_reset(&bob.cx, &twenty, KEY), LATCH_OK);
    pair_again(twin);
}

static latch_status take(rig *r, const latch_adaptive *policy, latch_priority priority, latch_adaptive_state *out) {
    rig_again(r, 0);
    return latch_adaptive_acquire(&r->cx, policy, KEY, priority, out);
}

static int64_t number(const char *attribute) { return rig_number(&world, pk, "ADAPTIVE", attribute); }

/* ── the split ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* By the contract's formulas; nothing but whole numbers within the limit, which both shares make up. */
static void divides_as_the_contract_says(void **state) {
    static const latch_adaptive d = {.limit = 20,
                                     .high = 10,
                                     .moderate = 3,
                                     .max_scaling = 2,
                                     .min_user_reserved = 5,
                                     .monitoring_ms = 900000,
                                     .sustained_inactivity_ms = 1800000};
    static const struct {
        int64_t limit;
        double scaling;
        int64_t least;
        bool never_pauses;
        latch_activity a;
        int64_t reserve;
        latch_adaptive_reason reason;
        bool rising, falling, paused;
    } rows[] = {
        {20, 2, 5, false, {false, 0, 0, 0, 0}, 6, LATCH_ADAPTIVE_NEW, false, false, false},
        {20, 2, 5, false, {true, 0, 0, 0, 0}, 5, LATCH_ADAPTIVE_IDLE, false, false, false},
        {20, 2, 5, false, {true, 0, 0, 0, T0 - 1800000}, 5, LATCH_ADAPTIVE_IDLE, false, false, false},
        {20, 2, 5, false, {true, 0, 0, 0, T0 - 1800001}, 0, LATCH_ADAPTIVE_INACTIVE, false, false, false},
        {20, 2, 5, false, {true, 2, 0, 0, T0}, 6, LATCH_ADAPTIVE_LOW, false, false, false},
        {20, 2, 5, false, {true, 3, 0, 0, T0}, 10, LATCH_ADAPTIVE_MODERATE, false, false, false}, /* 8 × 1.3 */
        {20,
         2,
         5,
         false,
         {true, 4, 2, 2, T0},
         11,
         LATCH_ADAPTIVE_MODERATE,
         false,
         false,
         false}, /* 8 × 1.4; the package: 13.44 while rising */
        {20, 2, 5, false, {true, 4, 4, 0, T0}, 13, LATCH_ADAPTIVE_MODERATE, true, false, false},
        {20, 2, 5, false, {true, 9, 9, 0, T0}, 14, LATCH_ADAPTIVE_MODERATE, true, false, false}, /* 8 × 1.9 × 1.2, at most 14 */
        {20, 2, 5, false, {true, 4, 1, 3, T0}, 8, LATCH_ADAPTIVE_MODERATE, false, true, false},  /* 8 × 1.4 × 0.8 = 8.96 */
        {20, 1, 5, false, {true, 9, 1, 8, T0}, 8, LATCH_ADAPTIVE_MODERATE, false, true, false},  /* 0.8, at least 1 */
        {20, 2, 5, false, {true, 10, 5, 5, T0}, 18, LATCH_ADAPTIVE_HIGH, false, false, false},
        {20, 2, 5, false, {true, 10, 6, 4, T0}, 18, LATCH_ADAPTIVE_HIGH, false, false, false}, /* exactly 1.5 doesn't rise */
        {20, 2, 5, false, {true, 10, 7, 3, T0}, 18, LATCH_ADAPTIVE_HIGH, true, false, true},
        {20, 2, 5, true, {true, 10, 7, 3, T0}, 18, LATCH_ADAPTIVE_HIGH, true, false, false},
        {20, 2, 5, false, {true, 12, 4, 8, T0}, 18, LATCH_ADAPTIVE_HIGH, false, false, false}, /* exactly half doesn't fall */
        {20, 2, 5, false, {true, 12, 3, 8, T0}, 18, LATCH_ADAPTIVE_HIGH, false, true, false},
        {20, 1.5, 5, false, {true, 10, 5, 5, T0}, 15, LATCH_ADAPTIVE_HIGH, false, false, false},
        {21, 1, 5, false, {true, 10, 5, 5, T0}, 10, LATCH_ADAPTIVE_HIGH, false, false, false}, /* half, rounded down */
        {3, 2, 5, false, {false, 0, 0, 0, 0}, 3, LATCH_ADAPTIVE_NEW, false, false, false},     /* the package: 5 of 3 */
        {1, 2, 5, false, {true, 10, 5, 5, T0}, 0, LATCH_ADAPTIVE_HIGH, false, false, false},
        {200, 2, 5, false, {true, 4, 2, 2, T0}, 112, LATCH_ADAPTIVE_MODERATE, false, false, false},
        {200, 2, 100, false, {true, 1, 1, 0, T0}, 100, LATCH_ADAPTIVE_LOW, true, false, false},
        {INT64_MAX, 1e300, 5, false, {true, 10, 5, 5, T0}, INT64_MAX / 10 * 9 + 6, LATCH_ADAPTIVE_HIGH, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_adaptive policy = d;
        latch_adaptive_state out = {0};
        policy.limit = rows[i].limit, policy.max_scaling = rows[i].scaling, policy.min_user_reserved = rows[i].least;
        policy.never_pauses = rows[i].never_pauses;
        latch_adaptive_divide(&policy, &rows[i].a, T0, &out);
        assert_int_equal(out.reserve, rows[i].reserve);
        assert_int_equal(out.background_max, rows[i].limit - rows[i].reserve);
        assert_int_equal(out.reason, rows[i].reason);
        assert_int_equal(out.rising, rows[i].rising);
        assert_int_equal(out.falling, rows[i].falling);
        assert_int_equal(out.paused, rows[i].paused);
        assert_int_equal(out.activity, rows[i].a.all);
    }
}

/* ── own layout ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define REQUEST "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"ADAPTIVE#up#ann\"},\"sk\":{\"S\":\"ADAPTIVE\"}},"

static void sends_exactly_this(void **state) {
    static const char user[] = REQUEST
        "\"UpdateExpression\":\"SET #tat = if_not_exists(#tat, :now) + :step, #userAt = :now_ms, #last = :id, #ttl = :ttl ADD #u23563008 "
        ":one\",\"ReturnValues\":\"ALL_NEW\","
        "\"ConditionExpression\":\"(attribute_not_exists(#tat) OR #tat BETWEEN :now AND :limit_at) AND (attribute_not_exists(#last) OR "
        "#last <> :id)\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
        "\"ExpressionAttributeNames\":{\"#tat\":\"tat\",\"#userAt\":\"userAt\",\"#last\":\"last\",\"#ttl\":\"ttl\",\"#u23563008\":"
        "\"u23563008\"},"
        "\"ExpressionAttributeValues\":{\":now\":{\"N\":\"1767225600000000\"},\":step\":{\"N\":\"180000000\"},\":now_ms\":{\"N\":"
        "\"1767225600000\"},\":id\":{\"S\":\"{id}\"},\":ttl\":{\"N\":\"1767315602\"},\":one\":{\"N\":\"1\"},\":limit_at\":{\"N\":"
        "\"1767229020000000\"}}}";
    static const char background[] = REQUEST
        "\"UpdateExpression\":\"SET #tat = if_not_exists(#tat, :now) + :step, #tatBackground = if_not_exists(#tatBackground, :now) + "
        ":background_step, #last = :id, #ttl = :ttl\",\"ReturnValues\":\"ALL_NEW\","
        "\"ConditionExpression\":\"(attribute_not_exists(#tat) OR #tat BETWEEN :now AND :limit_at) AND "
        "(attribute_not_exists(#tatBackground) OR #tatBackground BETWEEN :now AND :background_at) AND (attribute_not_exists(#last) OR "
        "#last <> :id)\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
        "\"ExpressionAttributeNames\":{\"#tat\":\"tat\",\"#tatBackground\":\"tatBackground\",\"#last\":\"last\",\"#ttl\":\"ttl\"},"
        "\"ExpressionAttributeValues\":{\":now\":{\"N\":\"1767225600000000\"},\":step\":{\"N\":\"180000000\"},\":background_step\":{\"N\":"
        "\"257142858\"},\":id\":{\"S\":\"{id}\"},\":ttl\":{\"N\":\"1767315602\"},\":limit_at\":{\"N\":\"1767229020000000\"},"
        "\":background_at\":{\"N\":\"1767228942857154\"}}}";
    static const struct {
        latch_priority priority;
        const char *text;
    } rows[] = {{LATCH_USER, user}, {LATCH_BACKGROUND, background}};
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str id;
        assert_int_equal(take(&ann, &twenty, rows[i].priority, &out), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(latch_item_text(rig_item(&world, pk, "ADAPTIVE"), "last", &id), LATCH_OK);
        pair_hide(ann.last_request, id);
        assert_string_equal(ann.last_request, rows[i].text);
    }
}

static void users_have_the_whole_limit(void **state) {
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (int64_t n = 1; n <= 20; n++) {
        assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(out.remaining, 20 - n);
    }
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_error(&ann.cx)->retry_at_ms, T0 + WINDOW_MS / 20);
    assert_int_equal(number("u23563008"), 20);
    assert_int_equal(number("userAt"), T0);
    assert_int_equal(number("tat"), (T0 + WINDOW_MS) * 1000);
    rig_at(&world, T0 + WINDOW_MS / 20 - 1);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_LIMITED);
    rig_at(&world, T0 + WINDOW_MS / 20);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
}

static void background_has_its_share_alone(void **state) {
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    /* the first user makes it low: 6 and 14 */
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    for (int64_t n = 1; n <= 14; n++) {
        assert_int_equal(take(&ann, &twenty, LATCH_BACKGROUND, &out), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(out.remaining, 14 - n);
        assert_int_equal(out.reserve, 6);
        assert_int_equal(out.background_max, 14);
    }
    assert_int_equal(take(&ann, &twenty, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    int64_t interval_us = WINDOW_MS * 1000 / 14 + 1;
    assert_int_equal(out.retry_at_ms, T0 + (interval_us * 14 - interval_us * 13 + 999) / 1000);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.remaining, 4);
    assert_int_equal(number("tatBackground"), T0 * 1000 + 14 * interval_us);
}

/* What the users have taken isn't there for background, whatever its share is. */
static void background_has_the_rest_of_the_limit_at_most(void **state) {
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (int64_t n = 1; n <= 18; n++)
        assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    for (int64_t n = 1; n <= 2; n++)
        assert_int_equal(take(&ann, &twenty, LATCH_BACKGROUND, &out), LATCH_OK);
    assert_int_equal(out.remaining, 0);
    assert_int_equal(take(&ann, &twenty, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(out.retry_at_ms, T0 + WINDOW_MS / 20);
}

static void a_process_that_knows_nothing_looks_first(void **state) {
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&bob, &twenty, LATCH_BACKGROUND, &out), LATCH_OK); /* a new key */
    assert_int_equal(bob.requests, 1);
    begin_again(sound);
    for (int n = 0; n < 11; n++)
        assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    /* eleven users within minutes: rising, and paused; bob must not go by a split of his own making */
    assert_int_equal(take(&bob, &twenty, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(bob.requests, 1);
    assert_true(out.paused);
    assert_int_equal(out.activity, 11);
    assert_int_equal(out.reason, LATCH_ADAPTIVE_HIGH);
    assert_int_equal(out.reserve, 18);
    assert_int_equal(out.retry_at_ms, T0 + 30000);
    assert_int_equal(number("tatBackground"), INT64_MIN);
    /* paused: known without a request until the split is computed anew, from a new look */
    rig_at(&world, T0 + 29999);
    assert_int_equal(take(&bob, &twenty, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(bob.requests, 0);
    rig_at(&world, T0 + 30000);
    assert_int_equal(take(&bob, &twenty, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(bob.requests, 1);
    /* a third of the monitoring window later nothing rises any more */
    rig_at(&world, T0 + 300000);
    assert_int_equal(take(&bob, &twenty, LATCH_BACKGROUND, &out), LATCH_OK);
    assert_int_equal(bob.requests, 2);
    assert_int_equal(out.background_max, 2);
    assert_false(out.paused);
}

static void a_users_call_of_a_new_process_is_one_request(void **state) {
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(take(&bob, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(bob.requests, 1);
    rig_pass(&world, WINDOW_MS); /* it rests, and ann knows */
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    rig_pass(&world, WINDOW_MS);
    latch_rate_forget(&bob.cx);
    assert_int_equal(take(&bob, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(bob.requests, 2); /* the wrong guess */
}

/* Buckets that have left the window are removed; a bucket just outside stays for a clock that is behind. */
static void old_buckets_go(void **state) {
    enum { BUCKET_MS = 75000 };
    latch_adaptive_state out;
    size_t attributes = 0;
    (void)state;
    begin_again(sound);
    for (int i = 0; i < 40; i++) {
        rig_at(&world, T0 + (int64_t)i * BUCKET_MS);
        latch_status status = take(&ann, &twenty, LATCH_USER, &out);
        assert_true(status == LATCH_OK || status == LATCH_LIMITED);
    }
    latch_json item = rig_item(&world, pk, "ADAPTIVE");
    for (latch_each each = latch_each_in(item); latch_each_next(&each);)
        attributes++;
    assert_in_range(attributes, 12, 6 + 15);
    assert_false(latch_item_has(item, "u23563008"));
    rig_pass(&world, 20 * LATCH_DAY_MS);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.activity, 1);
    rig_pass(&world, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    rig_pass(&world, 30000);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.activity, 5);
    item = rig_item(&world, pk, "ADAPTIVE"), attributes = 0;
    for (latch_each each = latch_each_in(item); latch_each_next(&each);)
        attributes++;
    assert_in_range(attributes, 7, 8);
}

static void status_is_what_acquire_would_see(void **state) {
    latch_adaptive_state out, seen;
    bool can;
    int64_t wait_ms;
    (void)state;
    begin_again(sound);
    assert_int_equal(latch_adaptive_status(&bob.cx, &twenty, KEY, LATCH_USER, &seen), LATCH_OK);
    assert_int_equal(seen.remaining, 20);
    assert_int_equal(seen.reason, LATCH_ADAPTIVE_NEW);
    assert_non_null(strstr(bob.last_request, "\"ConsistentRead\":true"));
    for (int64_t n = 1; n <= 20; n++)
        assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(latch_adaptive_status(&bob.cx, &twenty, KEY, LATCH_USER, &seen), LATCH_OK);
    assert_int_equal(seen.remaining, 0);
    assert_int_equal(seen.retry_at_ms, T0 + WINDOW_MS / 20);
    assert_int_equal(latch_adaptive_can_proceed(&bob.cx, &twenty, KEY, LATCH_USER, &can), LATCH_OK);
    assert_false(can);
    rig_again(&bob, 0);
    latch_rate_forget(&bob.cx);
    assert_int_equal(latch_adaptive_wait_time(&bob.cx, &twenty, KEY, LATCH_BACKGROUND, &wait_ms), LATCH_OK);
    assert_int_equal(wait_ms, 30000); /* paused */
}

static void a_known_refusal_costs_no_request(void **state) {
    static const latch_adaptive policy = {.name = "up", .limit = 2, .window_ms = WINDOW_MS};
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_LIMITED);
    int64_t at_ms = latch_error(&ann.cx)->retry_at_ms;
    rig_pass(&world, 999);
    assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_error(&ann.cx)->retry_at_ms, at_ms);
    assert_int_equal(out.limit, 2);
    rig_pass(&world, 1);
    assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_adaptive_reset(&ann.cx, &policy, KEY), LATCH_OK);
    assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_OK);
}

static void records_what_has_happened_anyway(void **state) {
    static const latch_adaptive policy = {.name = "up", .limit = 2, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (int64_t n = 1; n <= 4; n++) {
        rig_again(&ann, 0);
        assert_int_equal(latch_adaptive_record(&ann.cx, &policy, KEY, LATCH_USER), LATCH_OK);
        assert_int_equal(number("tat"), (T0 + (n < 2 ? n : 2) * WINDOW_MS / 2) * 1000);
        assert_int_equal(number("u23563008"), n);
    }
    assert_int_equal(take(&ann, &policy, LATCH_USER, &out), LATCH_LIMITED);
    assert_int_equal(out.retry_at_ms, T0 + WINDOW_MS / 2);
    rig_again(&bob, 0);
    assert_int_equal(latch_adaptive_record(&bob.cx, &policy, KEY, LATCH_BACKGROUND), LATCH_OK);
    assert_int_equal(number("tat"), (T0 + WINDOW_MS) * 1000);
}

static void refuses_bad_policies_without_sending(void **state) {
    static const latch_adaptive rows[] = {
        {.name = ""},
        {.name = "up", .limit = 0, .window_ms = 1},
        {.name = "up", .limit = -1, .window_ms = 1},
        {.name = "up", .limit = 1, .window_ms = 0},
        {.name = "up", .limit = 1, .window_ms = -1},
        {.name = "up", .limit = 1001, .window_ms = 1},
        {.name = "up", .monitoring_ms = 999},
        {.name = "up", .monitoring_ms = -1},
        {.name = "up", .high = 3, .moderate = 3},
        {.name = "up", .high = 0, .moderate = 3},
        {.name = "up", .high = -1},
        {.name = "up", .high = 3, .moderate = -1},
        {.name = "up", .recalculation_ms = -1},
        {.name = "up", .sustained_inactivity_ms = -1},
        {.name = "up", .max_scaling = 0.5},
        {.name = "up", .max_scaling = -1},
        {.name = "up", .min_user_reserved = -2},
        {.name = "up", .timeout_ms = -1},
        {.name = "up", .known_ms = -2},
        {.name = "up", .toolkit_table = ""},
        {.name = "up", .toolkit_table = KIT, .limit = 10001, .window_ms = WINDOW_MS},
    };
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_adaptive_acquire(&ann.cx, &rows[i], KEY, LATCH_USER, &out), LATCH_E_MISUSE);
    assert_int_equal(latch_adaptive_acquire(&ann.cx, &twenty, KEY, (latch_priority)2, &out), LATCH_E_MISUSE);
    assert_int_equal(latch_adaptive_acquire(&ann.cx, &twenty, LATCH_STR(""), LATCH_USER, &out), LATCH_E_INPUT);
    assert_int_equal(latch_adaptive_acquire(&ann.cx, &kit, LATCH_STR("a\n"), LATCH_USER, &out), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
}

static void tells_what_is_wrong_with_an_item(void **state) {
    static const struct {
        const char *attributes, *says;
    } rows[] = {
        {"\"tat\":{\"S\":\"x\"}", "item.tat"},
        {"\"tat\":{\"N\":\"-1\"}", "item.tat"},
        {"\"tatBackground\":{\"N\":\"1.5\"}", "item.tatBackground"},
        {"\"userAt\":{\"N\":\"1e40\"}", "item.userAt"},
        {"\"u23563008\":{\"S\":\"1\"}", "item.u23563008"},
        {"\"u23563008\":{\"N\":\"1.5\"}", "item.u23563008"},
    };
    char item[512];
    latch_adaptive_state out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"ADAPTIVE\"},%s}", pk, rows[i].attributes);
        rig_put(&world, item);
        assert_int_equal(latch_adaptive_status(&ann.cx, &twenty, KEY, LATCH_USER, &out), LATCH_E_DATA);
        assert_non_null(strstr(latch_error(&ann.cx)->message, rows[i].says));
    }
}

static int64_t counted_by_a_lost_reply(latch_priority priority, rig_twin twin) {
    latch_adaptive_state out;
    begin_again(twin);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    rig_again(&ann, 0);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_adaptive_acquire(&ann.cx, &twenty, KEY, priority, &out), LATCH_OK);
    return (number("tat") - T0 * 1000) / (WINDOW_MS * 1000 / 20) - 1;
}

static void a_lost_reply_counts_once(void **state) {
    (void)state;
    assert_int_equal(counted_by_a_lost_reply(LATCH_USER, sound), 1);
    assert_int_equal(counted_by_a_lost_reply(LATCH_BACKGROUND, sound), 1);
}

static void survives_a_failure_at_every_request(void **state) {
    (void)state;
    for (int fails = NOT_SENT; fails < FAULT_COUNT; fails++) {
        latch_adaptive_state out;
        begin_again(sound);
        for (size_t i = 0; i < COUNT_OF(ann.faults); i++)
            ann.faults[i] = (fault)fails;
        latch_status status = latch_adaptive_acquire(&ann.cx, &twenty, KEY, LATCH_BACKGROUND, &out);
        assert_true(status >= LATCH_E_INPUT);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, fails != NOT_SENT && fails != FAILS_THROTTLED);
        assert_int_equal(out.limit, 0);
        rig_deliver(&ann);
        bool applied = fails == LOST_AFTER || fails == LATE || fails == ANSWERS_NO_JSON;
        assert_int_equal(rig_has(&world, pk, "ADAPTIVE", "tat"), applied);
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t granted = 0;
    (void)state;
    for (size_t bytes = 64; bytes < 20 * 1024; bytes += rig_is_engine() ? 251 : 1021) {
        latch_adaptive_state out;
        begin_again(sound);
        rig_again(&ann, bytes);
        latch_status status = latch_adaptive_acquire(&ann.cx, &twenty, KEY, LATCH_USER, &out);
        if (status != LATCH_OK && status != LATCH_E_NOMEM) fail_msg("%zu bytes: %s", bytes, latch_error(&ann.cx)->message);
        granted += status == LATCH_OK;
        if (status == LATCH_OK) continue;
        assert_int_equal(granted, 0);
        if (rig_has(&world, pk, "ADAPTIVE", "tat")) assert_true(latch_error(&ann.cx)->maybe_applied);
    }
    assert_true(granted > 0);
}

/* ── the bound, with the split and the limit moving ─────────────────────────────────────────────────────────────────────── */

#define GRANTS_MAX 4096
#define RACE_WINDOW_MS INT64_C(10000)

static struct tally {
    int64_t at_ms[GRANTS_MAX], limits[GRANTS_MAX], shares[GRANTS_MAX];
    bool user[GRANTS_MAX];
    int64_t limit;
    size_t count, refused, interleaved, lost, splits;
} tally;
static uint32_t seed;

static size_t rounds(void) { return rig_is_engine() ? 600 : 120; }

static uint32_t roll(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static fault roll_fault(void *arg) {
    static const fault faults[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500};
    (void)arg;
    if (roll(8) != 0) return NO_FAULT;
    tally.lost++;
    return faults[roll(COUNT_OF(faults))];
}

static void acquire_and_tally(rig *r) {
    static int64_t share;
    const latch_adaptive policy = {.name = "up",
                                   .limit = tally.limit,
                                   .window_ms = RACE_WINDOW_MS,
                                   .monitoring_ms = 12000,
                                   .recalculation_ms = 1000,
                                   .high = 6,
                                   .moderate = 3,
                                   .min_user_reserved = 1,
                                   .known_ms = LATCH_RATE_KNOWN_NEVER};
    latch_adaptive_state out;
    latch_priority priority = roll(3) == 0 ? LATCH_USER : LATCH_BACKGROUND;
    rig_again(r, 0);
    r->roll = roll_fault;
    latch_status status = latch_adaptive_acquire(&r->cx, &policy, KEY, priority, &out);
    r->roll = NULL;
    tally.refused += status == LATCH_LIMITED;
    if (status != LATCH_OK || tally.count == GRANTS_MAX) return;
    assert_true(out.reserve >= 0 && out.background_max >= 0 && out.reserve + out.background_max == policy.limit);
    tally.splits += out.background_max != share;
    share = out.background_max;
    tally.at_ms[tally.count] = rig_now_ms(&world), tally.user[tally.count] = priority == LATCH_USER;
    tally.shares[tally.count] = share, tally.limits[tally.count++] = tally.limit;
}

static void bob_comes_between(void *arg) {
    (void)arg;
    if (roll(3) != 0) return;
    tally.interleaved++;
    acquire_and_tally(&bob);
}

/* By how much a window held more than twice the largest limit in force within it (or before, by a window); of background, the largest share. */
static int64_t worst_window(bool background) {
    int64_t worst = INT64_MIN;
    for (size_t i = 0; i < tally.count; i++) {
        int64_t n = 0, most = 0;
        for (size_t j = 0; j < tally.count; j++) {
            int64_t after = tally.at_ms[j] - tally.at_ms[i];
            if (after < -RACE_WINDOW_MS || after > RACE_WINDOW_MS) continue;
            int64_t bound = background ? tally.shares[j] : tally.limits[j];
            if (bound > most) most = bound;
            n += after >= 0 && !(background && tally.user[j]);
        }
        if (n - 2 * most > worst) worst = n - 2 * most;
    }
    return worst;
}

/* `limit_moves` aside the limit is 8. */
static void race(rig_twin twin, bool limit_moves) {
    begin_again(twin);
    tally = (struct tally){.limit = 8};
    seed = 2463534242;
    ann.before = bob_comes_between;
    for (size_t i = 0; i < rounds(); i++) {
        if (limit_moves && roll(10) == 0) tally.limit = 2 + roll(8);
        acquire_and_tally(&ann);
        if (roll(3) == 0) rig_deliver(roll(2) == 0 ? &ann : &bob);
        if (i % 100 < 50) rig_pass(&world, roll(500)); /* bursts */
        if (i % 100 >= 50) rig_pass(&world, roll(3000));
    }
    ann.before = NULL;
}

static void both_together_never_exceed_the_limits_bound(void **state) {
    (void)state;
    for (int moves = 0; moves < 2; moves++) {
        race(sound, moves != 0);
        print_message("%zu rounds: %zu granted, %zu refused, %zu interleaved, %zu lost, %zu splits\n", rounds(), tally.count, tally.refused,
                      tally.interleaved, tally.lost, tally.splits);
        assert_true(worst_window(false) <= 0);
        assert_true(worst_window(true) <= 0);
        assert_true(tally.count > rounds() / 4 && tally.refused > rounds() / 8 && tally.interleaved > rounds() / 4);
        assert_true(tally.lost > rounds() / 10 && tally.splits > rounds() / 40);
    }
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    race(forgets_total, false);
    assert_true(worst_window(false) > 0);
    race(forgets_rest, false);
    assert_true(world.twisted > 0);
    assert_int_equal(counted_by_a_lost_reply(LATCH_USER, forgets_last), 2);
    latch_adaptive_state out;
    begin_again(forgets_share);
    assert_int_equal(take(&ann, &twenty, LATCH_USER, &out), LATCH_OK);
    for (int n = 0; n < 15; n++) /* one more than its share */
        assert_int_equal(take(&ann, &twenty, LATCH_BACKGROUND, &out), LATCH_OK);
}

/* ── a table of the npm package ─────────────────────────────────────────────────────────────────────────────────────────── */

static void open_kit(void) {
    assert_int_equal(latch_dynamodb_table_create(&ann.cx, KIT, &latch_dynamodb_schema_default), LATCH_OK);
    begin_again(sound);
}

static size_t items_of(const char *partition) {
    latch_dynamodb_pages pages;
    int64_t count = 0;
    rig_again(&bob, 0);
    assert_int_equal(
        latch_dynamodb_query(&bob.cx,
                             &(latch_dynamodb_query_request){
                                 .table = KIT, .key_condition = "#pk = :pk", .values = LATCH_VALUES(":pk", partition), .count_only = true},
                             &pages),
        LATCH_OK);
    assert_int_equal(latch_dynamodb_count(&pages, &count), LATCH_OK);
    return (size_t)count;
}

static void shared_priorities_have_slots_of_their_own(void **state) {
    latch_adaptive_state out;
    latch_dynamodb_pages pages;
    latch_json event;
    latch_str sk, gsi1sk, priority;
    bool more;
    (void)state;
    open_kit();
    for (int n = 1; n <= 6; n++) {
        assert_int_equal(take(&ann, &kit, LATCH_USER, &out), LATCH_OK);
        assert_int_equal(out.remaining, 6 - n);
        assert_int_equal(ann.requests, n == 1 ? 5 : 2); /* gsi1 is asked thrice for a key that nobody has used */
    }
    assert_int_equal(take(&ann, &kit, LATCH_USER, &out), LATCH_LIMITED);
    assert_int_equal(out.retry_at_ms, T0 + WINDOW_MS + 1);
    assert_int_equal(out.reserve, 6);
    for (int n = 1; n <= 14; n++)
        assert_int_equal(take(&ann, &kit, LATCH_BACKGROUND, &out), LATCH_OK);
    assert_int_equal(take(&ann, &kit, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_int_equal(items_of("RATELIMIT_SLOT#ann#user"), 6);
    assert_int_equal(items_of("RATELIMIT_SLOT#ann#background"), 14);
    assert_int_equal(items_of("RATELIMIT#ann"), 20);
    assert_int_equal(latch_dynamodb_query(&bob.cx,
                                          &(latch_dynamodb_query_request){.table = KIT,
                                                                          .index = "gsi1",
                                                                          .key_condition = "#gsi1pk = :pk",
                                                                          .values = LATCH_VALUES(":pk", "RATELIMIT#ann#user")},
                                          &pages),
                     LATCH_OK);
    assert_int_equal(latch_dynamodb_next(&pages, &event, &more), LATCH_OK);
    assert_true(more);
    assert_int_equal(latch_read(event, "sk", &sk, "gsi1sk", &gsi1sk, "priority", &priority), LATCH_OK);
    assert_true(latch_str_eq(sk, gsi1sk) && latch_str_eq(priority, LATCH_STR("user")));
    assert_int_equal(latch_adaptive_reset(&ann.cx, &kit, KEY), LATCH_OK);
    assert_int_equal(items_of("RATELIMIT_SLOT#ann#user") + items_of("RATELIMIT_SLOT#ann#background") + items_of("RATELIMIT#ann"), 0);
}

static void shared_splits_follow_the_events(void **state) {
    latch_adaptive_state out;
    bool can;
    (void)state;
    open_kit();
    for (int n = 0; n < 6; n++)
        assert_int_equal(take(&ann, &kit, LATCH_USER, &out), LATCH_OK);
    for (int n = 0; n < 4; n++)
        assert_int_equal(latch_adaptive_record(&ann.cx, &kit, KEY, LATCH_USER), LATCH_OK);
    rig_pass(&world, 29999);
    assert_int_equal(latch_adaptive_status(&ann.cx, &kit, KEY, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.reason, LATCH_ADAPTIVE_NEW);
    rig_pass(&world, 1);
    assert_int_equal(latch_adaptive_status(&ann.cx, &kit, KEY, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.reason, LATCH_ADAPTIVE_HIGH);
    assert_int_equal(out.activity, 10);
    assert_int_equal(out.reserve, 18);
    assert_int_equal(out.remaining, 12);
    assert_int_equal(take(&ann, &kit, LATCH_BACKGROUND, &out), LATCH_LIMITED);
    assert_true(out.paused);
    assert_int_equal(latch_adaptive_can_proceed(&ann.cx, &kit, KEY, LATCH_BACKGROUND, &can), LATCH_OK);
    assert_false(can);
    rig_at(&world, T0 + 900000);
    assert_int_equal(latch_adaptive_status(&ann.cx, &kit, KEY, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.reason, LATCH_ADAPTIVE_IDLE);
    assert_int_equal(out.reserve, 5);
    rig_at(&world, T0 + 1800001);
    assert_int_equal(latch_adaptive_status(&ann.cx, &kit, KEY, LATCH_USER, &out), LATCH_OK);
    assert_int_equal(out.reason, LATCH_ADAPTIVE_INACTIVE);
    assert_int_equal(out.reserve, 0);
    assert_int_equal(out.remaining, 0);
    assert_int_equal(take(&ann, &kit, LATCH_USER, &out), LATCH_LIMITED);
}

static void a_table_without_gsi1_is_told(void **state) {
    static const latch_adaptive bare = {.name = "up", .toolkit_table = "bare"};
    latch_dynamodb_schema schema = latch_dynamodb_schema_default;
    latch_adaptive_state out;
    (void)state;
    begin_again(sound);
    schema.index_count = 0;
    assert_int_equal(latch_dynamodb_table_create(&ann.cx, "bare", &schema), LATCH_OK);
    assert_int_equal(latch_adaptive_acquire(&ann.cx, &bare, KEY, LATCH_USER, &out), LATCH_E_MISUSE);
    assert_non_null(strstr(latch_error(&ann.cx)->message, "gsi1"));
    assert_non_null(strstr(latch_error(&ann.cx)->message, "latch table"));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(divides_as_the_contract_says),
    ROW(sends_exactly_this),
    ROW(users_have_the_whole_limit),
    ROW(background_has_its_share_alone),
    ROW(background_has_the_rest_of_the_limit_at_most),
    ROW(a_process_that_knows_nothing_looks_first),
    ROW(a_users_call_of_a_new_process_is_one_request),
    ROW(old_buckets_go),
    ROW(status_is_what_acquire_would_see),
    ROW(a_known_refusal_costs_no_request),
    ROW(records_what_has_happened_anyway),
    ROW(refuses_bad_policies_without_sending),
    ROW(tells_what_is_wrong_with_an_item),
    ROW(a_lost_reply_counts_once),
    ROW(survives_a_failure_at_every_request),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(both_together_never_exceed_the_limits_bound),
    ROW(finds_the_broken_twins),
    ROW(shared_priorities_have_slots_of_their_own),
    ROW(shared_splits_follow_the_events),
    ROW(a_table_without_gsi1_is_told),
};

CHECK_MAIN(tests)

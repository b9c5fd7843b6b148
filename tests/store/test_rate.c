#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/log.h"
#include "store/cooldown.h"
#include "store/rate.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define WINDOW_MS INT64_C(60000)
#define T0_US (T0 * 1000)
#define DAY_S 86400
#define pk "RATE#api#ann"

/* known_ms: what others do between two calls shows at once; tests of what is known say so. */
static const latch_rate sliding = {.name = "api", .limit = 3, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
static const latch_rate gcra = {
    .name = "api", .limit = 3, .window_ms = WINDOW_MS, .algorithm = LATCH_RATE_GCRA, .known_ms = LATCH_RATE_KNOWN_NEVER};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_room = {"size(#ts) <= :room", "(size(#ts) <= :room OR attribute_exists(#ts))"};
static const rig_twin forgets_oldest = {"#ts[0] < :window_start", "(#ts[0] < :window_start OR attribute_exists(#ts))"};
static const rig_twin forgets_stamp = {"NOT contains(#ts, :n)", "(NOT contains(#ts, :n) OR attribute_exists(#ts))"};
static const rig_twin forgets_old = {"#ts = :old", "(#ts = :old OR attribute_exists(#ts))"};
static const rig_twin forgets_low = {"#low < :window_start", "(#low < :window_start OR attribute_exists(#low))"};
static const rig_twin forgets_limit_at = {"#tat BETWEEN :now AND :limit_at", "(#tat BETWEEN :now AND :limit_at OR #tat >= :now)"};
static const rig_twin forgets_last = {"#last <> :id", "(#last <> :id OR #last = :id)"};

static void begin_again(rig_twin twin) {
    rig_delete(&world, pk, "RATE");
    pair_again(twin);
    ann.ahead_us = bob.ahead_us = 0;
    bob.before = NULL;
    ann.roll = bob.roll = NULL;
    latch_status forgotten = latch_rate_reset(&ann.cx, &sliding, LATCH_STR("ann"));
    assert_int_equal(forgotten, LATCH_OK);
    assert_int_equal(latch_rate_reset(&bob.cx, &sliding, LATCH_STR("ann")), LATCH_OK);
    rig_again(&ann, 0);
    rig_again(&bob, 0);
}

static latch_status take_n(rig *r, const latch_rate *policy, int64_t n, latch_rate_state *out) {
    return latch_rate_acquire_n(&r->cx, policy, LATCH_STR("ann"), n, out);
}

static latch_status take(rig *r, const latch_rate *policy, latch_rate_state *out) {
    rig_again(r, 0);
    return latch_rate_acquire(&r->cx, policy, LATCH_STR("ann"), out);
}

static int64_t retry_at(const rig *r) { return latch_error(&r->cx)->retry_at_ms; }

/* The stamps of the item, and how many there are. */
static size_t stamps(int64_t *us, size_t room) {
    size_t count = 0;
    char path[32];
    latch_json item = rig_item(&world, pk, "RATE");
    for (latch_str digits; item.node != NULL && count < room; count++) {
        snprintf(path, sizeof path, "ts.L[%zu].N", count);
        if (!latch_has(item, path) || latch_read_(item, (const latch_field[]){{path, latch_i_str_(&digits)}, {NULL, latch_i_str_(NULL)}}))
            break;
        us[count] = 0;
        for (size_t i = 0; i < digits.len; i++)
            us[count] = us[count] * 10 + (digits.ptr[i] - '0');
    }
    return count;
}

/* ── what goes out ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define REQUEST "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"RATE#api#ann\"},\"sk\":{\"S\":\"RATE\"}},"
#define RETURNS "\"ReturnValues\":\"ALL_NEW\","
#define GUARD                                                                                                                              \
    " AND (attribute_not_exists(#ts) OR NOT contains(#ts, :n)) AND (attribute_not_exists(#low) OR #low < :window_start)\","                \
    "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","

/* Stamps have random digits: they become {n}. */
static void sent(const char *text) {
    int64_t us[4];
    char digits[24];
    for (size_t i = stamps(us, COUNT_OF(us)); i > 0; i--) {
        snprintf(digits, sizeof digits, "%lld", (long long)us[i - 1]);
        for (char *at = ann.last_request; (at = strstr(at, digits)) != NULL;) {
            memmove(at + 3, at + 16, strlen(at + 16) + 1);
            memcpy(at, "{n}", 3);
        }
    }
    assert_string_equal(ann.last_request, text);
}

static void sliding_sends_exactly_this(void **state) {
    static const latch_rate two = {.name = "api", .limit = 2, .window_ms = WINDOW_MS};
    static const char appends[] =
        REQUEST "\"UpdateExpression\":\"SET #ts = list_append(if_not_exists(#ts, :empty), :nl), #ttl = :ttl\"," RETURNS
                "\"ConditionExpression\":\"(attribute_not_exists(#ts) OR size(#ts) <= :room)" GUARD
                "\"ExpressionAttributeNames\":{\"#ts\":\"ts\",\"#ttl\":\"ttl\",\"#low\":\"low\"},"
                "\"ExpressionAttributeValues\":{\":empty\":{\"L\":[]},\":nl\":{\"L\":[{\"N\":\"{n}\"}]},\":ttl\":{\"N\":\"1767312062\"},"
                "\":room\":{\"N\":\"1\"},\":n\":{\"N\":\"{n}\"},\":window_start\":{\"N\":\"1767225540000000\"}}}";
    static const char rotates[] =
        REQUEST "\"UpdateExpression\":\"SET #ts[2] = :n, #ttl = :ttl REMOVE #ts[0]\"," RETURNS
                "\"ConditionExpression\":\"size(#ts) = :size AND #ts[0] < :window_start" GUARD
                "\"ExpressionAttributeNames\":{\"#ts\":\"ts\",\"#ttl\":\"ttl\",\"#low\":\"low\"},"
                "\"ExpressionAttributeValues\":{\":n\":{\"N\":\"{n}\"},\":ttl\":{\"N\":\"1767312123\"},\":size\":{\"N\":\"2\"},"
                "\":window_start\":{\"N\":\"1767225600001000\"}}}";
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    sent(appends);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    rig_pass(&world, WINDOW_MS + 1);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    sent(rotates);
}

static void gcra_sends_exactly_this(void **state) {
    static const char runs[] = REQUEST
        "\"UpdateExpression\":\"SET #tat = if_not_exists(#tat, :now) + :step, #last = :id, #ttl = :ttl\"," RETURNS
        "\"ConditionExpression\":\"(attribute_not_exists(#tat) OR #tat BETWEEN :now AND :limit_at) AND (attribute_not_exists(#last) OR "
        "#last <> :id)\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
        "\"ExpressionAttributeNames\":{\"#tat\":\"tat\",\"#last\":\"last\",\"#ttl\":\"ttl\"},"
        "\"ExpressionAttributeValues\":{\":now\":{\"N\":\"1767225600000000\"},\":step\":{\"N\":\"20000000\"},\":id\":{\"S\":\"{id}\"},"
        "\":ttl\":{\"N\":\"1767312062\"},\":limit_at\":{\"N\":\"1767225640000000\"}}}";
    static const char rests[] =
        REQUEST "\"UpdateExpression\":\"SET #tat = :now_plus_step, #last = :id, #ttl = :ttl\"," RETURNS
                "\"ConditionExpression\":\"#tat < :now AND (attribute_not_exists(#last) OR #last <> :id)\","
                "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
                "\"ExpressionAttributeNames\":{\"#tat\":\"tat\",\"#last\":\"last\",\"#ttl\":\"ttl\"},"
                "\"ExpressionAttributeValues\":{\":now_plus_step\":{\"N\":\"1767225640001000\"},\":id\":{\"S\":\"{id}\"},"
                "\":ttl\":{\"N\":\"1767312083\"},\":now\":{\"N\":\"1767225620001000\"}}}";
    latch_rate_state out;
    latch_str id;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &gcra, &out), LATCH_OK);
    assert_int_equal(latch_item_text(rig_item(&world, pk, "RATE"), "last", &id), LATCH_OK);
    pair_hide(ann.last_request, id);
    assert_string_equal(ann.last_request, runs);
    rig_pass(&world, WINDOW_MS / 3 + 1);
    assert_int_equal(take(&ann, &gcra, &out), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_item_text(rig_item(&world, pk, "RATE"), "last", &id), LATCH_OK);
    pair_hide(ann.last_request, id);
    assert_string_equal(ann.last_request, rests);
}

/* ── limits and windows ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void grants_the_limit_and_not_one_more(void **state) {
    static const struct {
        int64_t limit;
        bool large;
        latch_rate_algorithm algorithm;
    } rows[] = {
        {1, false, LATCH_RATE_SLIDING},  {2, false, LATCH_RATE_SLIDING}, {90, false, LATCH_RATE_SLIDING}, {91, true, LATCH_RATE_SLIDING},
        {120, true, LATCH_RATE_SLIDING}, {1, false, LATCH_RATE_GCRA},    {90, false, LATCH_RATE_GCRA},    {150, false, LATCH_RATE_GCRA},
    };
    latch_rate_state out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_rate policy = {
            .name = "api", .limit = rows[i].limit, .window_ms = WINDOW_MS, .large = rows[i].large, .algorithm = rows[i].algorithm};
        bool slides = policy.algorithm == LATCH_RATE_SLIDING, long_row = rows[i].limit > 2 && rows[i].limit != 91;
        if (long_row && !rig_is_engine()) continue; /* a request takes milliseconds there */
        begin_again(sound);
        for (int64_t n = 1; n <= policy.limit; n++) {
            assert_int_equal(take(&ann, &policy, &out), LATCH_OK);
            assert_int_equal(out.remaining, policy.limit - n);
            assert_int_equal(out.limit, policy.limit);
            assert_int_equal(out.retry_at_ms, 0);
            assert_int_equal(ann.requests, 1);
            if (slides) rig_pass(&world, 1); /* two stamps of a millisecond may be the same: that costs a request */
        }
        assert_int_equal(take(&ann, &policy, &out), LATCH_LIMITED);
        assert_int_equal(out.remaining, 0);
        assert_int_equal(ann.requests, 1);
        int64_t interval_us = (WINDOW_MS * 1000 + policy.limit - 1) / policy.limit;
        int64_t first_ms = slides ? T0 + WINDOW_MS + 1 : T0 + (interval_us + 999) / 1000;
        assert_int_equal(retry_at(&ann), first_ms);
        assert_int_equal(out.retry_at_ms, first_ms);
        rig_at(&world, first_ms - 1);
        assert_int_equal(take(&ann, &policy, &out), LATCH_LIMITED);
        rig_at(&world, first_ms);
        assert_int_equal(take(&ann, &policy, &out), LATCH_OK);
    }
}

static void keeps_what_its_header_says(void **state) {
    int64_t us[8];
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&ann, &sliding, &out), LATCH_OK);
    assert_int_equal(stamps(us, COUNT_OF(us)), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(us[i] >= T0_US && us[i] < T0_US + 1000);
    assert_int_equal(rig_number(&world, pk, "RATE", "ttl"), T0 / 1000 + 60 + 2 + DAY_S);
    assert_int_equal(out.reset_at_ms, T0 + WINDOW_MS + 1);
    begin_again(sound);
    assert_int_equal(take(&ann, &gcra, &out), LATCH_OK);
    assert_int_equal(rig_number(&world, pk, "RATE", "tat"), T0_US + 20000000);
    assert_int_equal(out.reset_at_ms, T0 + 20000);
    assert_int_equal(rig_number(&world, pk, "RATE", "ttl"), T0 / 1000 + 60 + 2 + DAY_S);
}

static void gcra_gives_back_one_by_one(void **state) {
    static const latch_rate bursty = {.name = "api", .limit = 3, .window_ms = WINDOW_MS, .algorithm = LATCH_RATE_GCRA, .burst = 5};
    static const struct {
        int64_t at_ms;
        latch_status status;
        int64_t remaining;
    } rows[] = {
        {0, LATCH_OK, 4},          {0, LATCH_OK, 3},      {0, LATCH_OK, 2},          {0, LATCH_OK, 1},
        {0, LATCH_OK, 0},          {0, LATCH_LIMITED, 0}, {19999, LATCH_LIMITED, 0}, {20000, LATCH_OK, 0},
        {20001, LATCH_LIMITED, 0}, {60000, LATCH_OK, 1},  {160000, LATCH_OK, 4},     {160000, LATCH_OK, 3},
    };
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_at(&world, T0 + rows[i].at_ms);
        assert_int_equal(take(&ann, &bursty, &out), rows[i].status);
        assert_int_equal(out.remaining, rows[i].remaining);
        assert_int_equal(out.limit, 5);
        assert_true(ann.requests <= 1);
    }
}

static void takes_several_at_once_or_none(void **state) {
    static const latch_rate five = {.name = "api", .limit = 5, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
    static const latch_rate cells = {
        .name = "api", .limit = 5, .window_ms = WINDOW_MS, .algorithm = LATCH_RATE_GCRA, .known_ms = LATCH_RATE_KNOWN_NEVER};
    static const struct {
        int64_t at_ms, n;
        latch_status status;
        int64_t remaining, retry_at_ms;
        size_t requests;
    } rows[] = {
        {0, 2, LATCH_OK, 3, 0, 1},
        {1000, 2, LATCH_OK, 1, 0, 1},
        {1000, 2, LATCH_LIMITED, 1, T0 + WINDOW_MS + 1, 1},
        {1000, 5, LATCH_LIMITED, 1, T0 + 1000 + WINDOW_MS + 1, 1},
        {1000, 1, LATCH_OK, 0, 0, 1},
        {WINDOW_MS + 1, 3, LATCH_LIMITED, 2, T0 + 1000 + WINDOW_MS + 1, 1},
        {WINDOW_MS + 1, 2, LATCH_OK, 0, 0, 2}, /* room made of the two that have left */
        {1000 + WINDOW_MS + 1, 4, LATCH_LIMITED, 3, T0 + 2 * WINDOW_MS + 2, 1},
        {3 * WINDOW_MS, 5, LATCH_OK, 0, 0, 2},
    };
    latch_rate_state out;
    int64_t us[16];
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_at(&world, T0 + rows[i].at_ms);
        rig_again(&ann, 0);
        assert_int_equal(take_n(&ann, &five, rows[i].n, &out), rows[i].status);
        assert_int_equal(out.remaining, rows[i].remaining);
        assert_int_equal(out.retry_at_ms, rows[i].retry_at_ms);
        assert_int_equal(ann.requests, rows[i].requests);
    }
    assert_int_equal(stamps(us, COUNT_OF(us)), 5);
    begin_again(sound);
    assert_int_equal(take_n(&ann, &cells, 4, &out), LATCH_OK);
    assert_int_equal(out.remaining, 1);
    assert_int_equal(take_n(&ann, &cells, 2, &out), LATCH_LIMITED);
    assert_int_equal(out.remaining, 1);
    assert_int_equal(retry_at(&ann), T0 + WINDOW_MS / 5);
    rig_at(&world, T0 + WINDOW_MS / 5);
    assert_int_equal(take_n(&ann, &cells, 2, &out), LATCH_OK);
}

/* A list longer than the limit: what has left the window goes, all at once; what is within holds. */
static void a_limit_lowered_and_raised_keeps_its_bound(void **state) {
    static const struct {
        int64_t at_ms, limit;
        latch_status status;
        int64_t remaining;
        size_t requests, stamps;
    } rows[] = {
        {0, 5, LATCH_OK, 4, 1, 1},
        {10, 5, LATCH_OK, 3, 1, 2},
        {20, 5, LATCH_OK, 2, 1, 3},
        {30, 5, LATCH_OK, 1, 1, 4},
        {40, 2, LATCH_LIMITED, 0, 1, 4},
        {WINDOW_MS + 21, 2, LATCH_OK, 0, 2, 2}, /* three have left; the one at 30 stays */
        {WINDOW_MS + 22, 2, LATCH_LIMITED, 0, 1, 2},
        {WINDOW_MS + 31, 2, LATCH_OK, 0, 1, 2},
        {WINDOW_MS + 32, 3, LATCH_OK, 0, 2, 3}, /* the guess was that it is full */
        {WINDOW_MS + 33, 3, LATCH_LIMITED, 0, 1, 3},
        {WINDOW_MS + 34, 1, LATCH_LIMITED, 0, 1, 3},
        {2 * WINDOW_MS + 33, 1, LATCH_OK, 0, 2, 1},
    };
    int64_t us[16];
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_rate policy = {.name = "api", .limit = rows[i].limit, .window_ms = WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
        rig_at(&world, T0 + rows[i].at_ms);
        assert_int_equal(take(&ann, &policy, &out), rows[i].status);
        assert_int_equal(out.remaining, rows[i].remaining);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_int_equal(stamps(us, COUNT_OF(us)), rows[i].stamps);
    }
    assert_int_equal(rig_number(&world, pk, "RATE", "low") / 1000, T0 + WINDOW_MS + 32);
}

static const latch_rate by_key = {.name = "api",
                                  .limit = 3,
                                  .window_ms = WINDOW_MS,
                                  .resources = (const latch_rate_resource[]){{"ann", 1, 1000, 0}, {"bob", 2, 2000, 0}, {NULL, 0, 0, 0}}};

static void single_keys_have_limits_of_their_own(void **state) {
    static const struct {
        const char *key;
        int64_t limit, window_ms;
    } rows[] = {{"ann", 1, 1000}, {"bob", 2, 2000}, {"eve", 3, WINDOW_MS}};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int64_t n = 0; n < rows[i].limit; n++)
            assert_int_equal(latch_rate_acquire(&ann.cx, &by_key, latch_str_of(rows[i].key), &out), LATCH_OK);
        assert_int_equal(latch_rate_acquire(&ann.cx, &by_key, latch_str_of(rows[i].key), &out), LATCH_LIMITED);
        assert_int_equal(retry_at(&ann), T0 + rows[i].window_ms + 1);
        assert_int_equal(out.limit, rows[i].limit);
    }
}

static void nothing_said_is_sixty_a_minute(void **state) {
    static const latch_rate plain = {.name = "api"};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &plain, &out), LATCH_OK);
    assert_int_equal(out.limit, 60);
    assert_int_equal(out.window_ms, 60000);
}

/* ── bad input ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_policies_without_sending(void **state) {
    static const struct {
        latch_rate policy;
        int64_t n;
    } rows[] = {
        {{.name = NULL, .limit = 1, .window_ms = 1}, 1},
        {{.name = "", .limit = 1, .window_ms = 1}, 1},
        {{.name = "api", .limit = 0, .window_ms = 1000}, 1},
        {{.name = "api", .limit = -1, .window_ms = 1000}, 1},
        {{.name = "api", .limit = 1, .window_ms = 0}, 1},
        {{.name = "api", .limit = 1, .window_ms = -1}, 1},
        {{.name = "api", .limit = 1, .window_ms = LATCH_SPAN_MS_MAX + 1}, 1},
        {{.name = "api", .limit = 91, .window_ms = 1000}, 1},
        {{.name = "api", .limit = 1001, .window_ms = 1000, .large = true}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .burst = 3}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .timeout_ms = -1}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .known_ms = -2}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .algorithm = (latch_rate_algorithm)2}, 1},
        {{.name = "api", .limit = 1001, .window_ms = 1, .algorithm = LATCH_RATE_GCRA}, 1},
        {{.name = "api", .limit = INT64_MAX, .window_ms = 1000, .algorithm = LATCH_RATE_GCRA}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .burst = -1, .algorithm = LATCH_RATE_GCRA}, 1},
        {{.name = "api", .limit = 1, .window_ms = LATCH_SPAN_MS_MAX, .burst = 2, .algorithm = LATCH_RATE_GCRA}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000}, 0},
        {{.name = "api", .limit = 2, .window_ms = 1000}, -1},
        {{.name = "api", .limit = 2, .window_ms = 1000}, 3},
        {{.name = "api", .limit = 2, .window_ms = 1000, .toolkit_table = ""}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .toolkit_table = "a b"}, 1},
        {{.name = "api", .limit = 2, .window_ms = 1000, .toolkit_table = "kit", .algorithm = LATCH_RATE_GCRA}, 1},
        {{.name = "api", .limit = 10001, .window_ms = 1000, .toolkit_table = "kit"}, 1},
        {{.name = "api", .limit = 60, .window_ms = 1000, .toolkit_table = "kit"}, 51},
    };
    latch_rate_state out = {.limit = 7};
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(take_n(&ann, &rows[i].policy, rows[i].n, &out), LATCH_E_MISUSE);
        assert_true(strlen(latch_error(&ann.cx)->message) > 0);
        assert_int_equal(out.limit, 0);
    }
    assert_int_equal(ann.requests, 0);
}

static void takes_what_is_just_allowed(void **state) {
    static const latch_rate rows[] = {
        {.name = "api", .limit = 1, .window_ms = 1},
        {.name = "api", .limit = 1, .window_ms = LATCH_SPAN_MS_MAX},
        {.name = "api", .limit = 1000, .window_ms = 1, .large = true},
        {.name = "api", .limit = 1000, .window_ms = 1, .algorithm = LATCH_RATE_GCRA},
        {.name = "api", .limit = 1, .window_ms = LATCH_SPAN_MS_MAX, .burst = 1, .algorithm = LATCH_RATE_GCRA},
        {.name = "api", .limit = LATCH_SPAN_MS_MAX * 1000, .window_ms = LATCH_SPAN_MS_MAX, .algorithm = LATCH_RATE_GCRA},
    };
    latch_rate_state out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        assert_int_equal(take(&ann, &rows[i], &out), LATCH_OK);
        assert_int_equal(out.remaining, rows[i].limit - 1);
    }
}

static void refuses_bad_keys_without_sending(void **state) {
    static char long_key[2049];
    static const struct {
        const char *key;
        size_t len;
    } rows[] = {{"", 0}, {"a\tb", 3}, {"a\x7f", 2}, {"\xff", 1}, {long_key, sizeof long_key}, {long_key, 2048 - sizeof "RATE#api#" + 2}};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    memset(long_key, 'k', sizeof long_key);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_rate_acquire(&ann.cx, &sliding, (latch_str){rows[i].key, rows[i].len}, &out), LATCH_E_INPUT);
        assert_int_equal(rig_blames(latch_error(&ann.cx)->message), LATCH_E_INPUT);
    }
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_rate_acquire(&ann.cx, &sliding, (latch_str){long_key, 2048 - sizeof "RATE#api#" + 1}, &out), LATCH_OK);
}

static void tells_what_is_wrong_with_an_item(void **state) {
    static const struct {
        const char *attributes, *says;
        const latch_rate *policy;
    } rows[] = {
        {"\"ts\":{\"S\":\"x\"}", "item.ts.L", &sliding},
        {"\"ts\":{\"L\":[{\"S\":\"x\"}]}", "item.ts.L[0]", &sliding},
        {"\"ts\":{\"L\":[{\"N\":\"1\"},{\"N\":\"-1\"},{\"N\":\"2\"}]}", "item.ts.L[1]", &sliding},
        {"\"ts\":{\"L\":[{\"N\":\"1.5\"},{\"N\":\"1\"},{\"N\":\"2\"}]}", "item.ts.L[0]", &sliding},
        {"\"ts\":{\"L\":[{\"N\":\"12345678901234567\"},{\"N\":\"1\"},{\"N\":\"2\"}]}", "item.ts.L[0]", &sliding},
        {"\"ts\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"}]},\"low\":{\"S\":\"x\"}", "item.low.N", &sliding},
        {"\"tat\":{\"N\":\"1e30\"}", "item.tat", &gcra},
        {"\"tat\":{\"N\":\"-5\"}", "item.tat", &gcra},
        {"\"tat\":{\"N\":\"999999999999999999\"}", "item.tat", &gcra},
    };
    char item[512];
    latch_rate_state out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        snprintf(item, sizeof item, "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"RATE\"},%s}", pk, rows[i].attributes);
        rig_put(&world, item);
        latch_status status = latch_rate_status(&ann.cx, rows[i].policy, LATCH_STR("ann"), &out);
        assert_int_equal(status, LATCH_E_DATA);
        assert_non_null(strstr(latch_error(&ann.cx)->message, rows[i].says));
        assert_int_equal(out.limit, 0);
    }
}

/* A grant stamped so far ahead of ann's clock; whether her log tells of it. */
static bool reports_a_stamp(int64_t ahead_ms, bool stamped) {
    int ends[2];
    char item[512], said[1024];
    latch_rate_state out;
    begin_again(sound);
    snprintf(item, sizeof item,
             "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"RATE\"},\"ts\":{\"L\":[{\"N\":\"%lld\"}]},\"tat\":{\"N\":\"%lld\"}}", pk,
             (long long)(T0_US + ahead_ms * 1000), (long long)(T0_US + (WINDOW_MS + ahead_ms) * 1000));
    rig_put(&world, item);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    const latch_log log = {.fd = ends[1]};
    ann.cx.log = &log;
    latch_status status = latch_rate_status(&ann.cx, stamped ? &sliding : &gcra, LATCH_STR("ann"), &out);
    ann.cx.log = NULL;
    ssize_t len = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(status, LATCH_OK);
    said[len > 0 ? len : 0] = '\0';
    if (len > 0) assert_non_null(strstr(said, "a clock is wrong"));
    return len > 0;
}

static void reports_what_a_wrong_clock_stamped(void **state) {
    (void)state;
    for (int stamped = 0; stamped < 2; stamped++) {
        assert_false(reports_a_stamp(0, stamped != 0));
        assert_false(reports_a_stamp(2000, stamped != 0)); /* max_clock_skew_ms */
        assert_true(reports_a_stamp(2001, stamped != 0));
    }
}

/* ── what is known ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_known_refusal_costs_no_request(void **state) {
    static const struct {
        latch_rate_algorithm algorithm;
        int64_t known_ms, pass_ms;
        size_t requests;
    } rows[] = {
        {LATCH_RATE_SLIDING, 0, 0, 0},       {LATCH_RATE_SLIDING, 0, 999, 0},     {LATCH_RATE_SLIDING, 0, 1000, 1},
        {LATCH_RATE_SLIDING, 5000, 4999, 0}, {LATCH_RATE_SLIDING, 5000, 5000, 1}, {LATCH_RATE_SLIDING, LATCH_RATE_KNOWN_NEVER, 0, 1},
        {LATCH_RATE_GCRA, 0, 999, 0},        {LATCH_RATE_GCRA, 0, 1000, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_rate policy = {
            .name = "api", .limit = 2, .window_ms = WINDOW_MS, .algorithm = rows[i].algorithm, .known_ms = rows[i].known_ms};
        latch_rate_state out, again;
        bool can;
        int64_t wait_ms;
        begin_again(sound);
        for (int n = 0; n < 2; n++)
            assert_int_equal(take(&ann, &policy, &out), LATCH_OK);
        assert_int_equal(take(&ann, &policy, &out), LATCH_LIMITED);
        int64_t at_ms = retry_at(&ann);
        rig_pass(&world, rows[i].pass_ms);
        assert_int_equal(take(&ann, &policy, &again), LATCH_LIMITED);
        assert_int_equal(ann.requests, rows[i].requests);
        assert_int_equal(retry_at(&ann), at_ms);
        assert_memory_equal(&out, &again, sizeof out);
        assert_int_equal(latch_rate_wait_time(&ann.cx, &policy, LATCH_STR("ann"), &wait_ms), LATCH_OK);
        assert_int_equal(wait_ms, at_ms - rig_now_ms(&world));
        assert_int_equal(latch_rate_can_proceed(&ann.cx, &policy, LATCH_STR("ann"), &can), LATCH_OK);
        assert_false(can);
        if (rows[i].requests == 0) assert_int_equal(ann.requests, 0);
    }
}

static void what_is_known_ends_with_a_reset_or_another_limit(void **state) {
    static const latch_rate two = {.name = "api", .limit = 2, .window_ms = WINDOW_MS};
    static const latch_rate three = {.name = "api", .limit = 3, .window_ms = WINDOW_MS};
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    assert_int_equal(take(&ann, &two, &out), LATCH_LIMITED);
    assert_int_equal(take(&ann, &three, &out), LATCH_OK);
    assert_int_equal(ann.requests, 2); /* it was full */
    assert_int_equal(take(&ann, &two, &out), LATCH_LIMITED);
    assert_int_equal(latch_rate_reset(&ann.cx, &two, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(out.remaining, 1);
    /* a refusal of two says nothing of one */
    rig_again(&ann, 0);
    assert_int_equal(take_n(&ann, &two, 2, &out), LATCH_LIMITED);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
    /* bob's reset shows within a second */
    assert_int_equal(take(&ann, &two, &out), LATCH_LIMITED);
    assert_int_equal(latch_rate_reset(&bob.cx, &two, LATCH_STR("ann")), LATCH_OK);
    rig_pass(&world, 999);
    assert_int_equal(take(&ann, &two, &out), LATCH_LIMITED);
    rig_pass(&world, 1);
    assert_int_equal(take(&ann, &two, &out), LATCH_OK);
}

/* Many keys: what is forgotten costs a request, and no key has another's refusal. */
static void keys_do_not_mix_in_memory(void **state) {
    static const latch_rate one = {.name = "many", .limit = 1, .window_ms = WINDOW_MS};
    const int keys = rig_is_engine() ? 400 : 150;
    latch_rate_state out;
    char key[16];
    (void)state;
    begin_again(sound);
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < keys; i++) {
            snprintf(key, sizeof key, "key-%d", i);
            rig_again(&ann, 0);
            assert_int_equal(latch_rate_acquire(&ann.cx, &one, latch_str_of(key), &out), pass == 0 ? LATCH_OK : LATCH_LIMITED);
        }
    }
    rig_again(&ann, 0);
    assert_int_equal(latch_rate_acquire(&ann.cx, &one, latch_str_of(key), &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 0);
}

/* ── looking, recording, resetting ──────────────────────────────────────────────────────────────────────────────────────── */

static void status_is_what_acquire_would_see(void **state) {
    static const latch_rate *const policies[] = {&sliding, &gcra};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        const latch_rate *policy = policies[i];
        latch_rate_state out, seen;
        bool can;
        begin_again(sound);
        for (int64_t n = 0; n <= 3; n++) {
            rig_again(&ann, 0);
            assert_int_equal(latch_rate_status(&ann.cx, policy, LATCH_STR("ann"), &seen), LATCH_OK);
            assert_int_equal(seen.remaining, 3 - n);
            assert_int_equal(seen.limit, 3);
            assert_int_equal(ann.requests, 1);
            assert_string_equal(ann.operation, "GetItem");
            assert_non_null(strstr(ann.last_request, "\"ConsistentRead\":true"));
            assert_int_equal(latch_rate_can_proceed(&ann.cx, policy, LATCH_STR("ann"), &can), LATCH_OK);
            assert_int_equal(can, n < 3);
            if (n < 3) assert_int_equal(take(&bob, policy, &out), LATCH_OK);
            if (n < 3) assert_int_equal(seen.retry_at_ms, 0);
        }
        assert_int_equal(take(&bob, policy, &out), LATCH_LIMITED);
        assert_memory_equal(&out, &seen, sizeof out);
        rig_at(&world, seen.reset_at_ms);
        assert_int_equal(latch_rate_status(&ann.cx, policy, LATCH_STR("ann"), &seen), LATCH_OK);
        assert_int_equal(seen.remaining, 3);
    }
}

static void records_what_has_happened_anyway(void **state) {
    latch_rate_state out;
    int64_t us[8];
    (void)state;
    begin_again(sound);
    for (int n = 1; n <= 5; n++) {
        rig_at(&world, T0 + n);
        rig_again(&ann, 0);
        assert_int_equal(latch_rate_record(&ann.cx, &sliding, LATCH_STR("ann")), LATCH_OK);
        assert_int_equal(ann.requests, 1);
    }
    assert_int_equal(stamps(us, COUNT_OF(us)), 3);
    assert_int_equal(us[0] / 1000, T0 + 3);
    assert_int_equal(take(&ann, &sliding, &out), LATCH_LIMITED);
    assert_int_equal(retry_at(&ann), T0 + 3 + WINDOW_MS + 1);
    /* a list that is longer than the limit stays as long */
    const latch_rate lowered = {.name = "api", .limit = 2, .window_ms = WINDOW_MS};
    rig_again(&ann, 0);
    assert_int_equal(latch_rate_record(&ann.cx, &lowered, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(stamps(us, COUNT_OF(us)), 3);
    assert_int_equal(us[0] / 1000, T0 + 4);
    begin_again(sound);
    for (int n = 1; n <= 5; n++) {
        assert_int_equal(latch_rate_record(&ann.cx, &gcra, LATCH_STR("ann")), LATCH_OK);
        assert_int_equal(rig_number(&world, pk, "RATE", "tat"), T0_US + 20000000 * (n < 3 ? n : 3));
    }
    assert_int_equal(take(&ann, &gcra, &out), LATCH_LIMITED);
    assert_int_equal(retry_at(&ann), T0 + 20000);
    rig_at(&world, T0 + 10000);
    assert_int_equal(latch_rate_record(&ann.cx, &gcra, LATCH_STR("ann")), LATCH_OK);
    assert_int_equal(rig_number(&world, pk, "RATE", "tat"), T0_US + 70000000);
}

static void a_reset_is_not_repeated(void **state) {
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    assert_int_equal(take(&ann, &sliding, &out), LATCH_OK);
    rig_again(&ann, 0);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_rate_reset(&ann.cx, &sliding, LATCH_STR("ann")), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_rate_reset(&ann.cx, &sliding, LATCH_STR("ann")), LATCH_OK);
}

static void clears_by_scope(void **state) {
    static const char *const keys[] = {"eu/ann", "eu/bob", "us/ann"};
    latch_rate_state out;
    latch_swept swept;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_int_equal(latch_rate_acquire(&ann.cx, &gcra, latch_str_of(keys[i]), &out), LATCH_OK);
    assert_int_equal(latch_rate_clear(&ann.cx, &gcra, &(latch_sweep){.segments = 1}, &swept), LATCH_E_MISUSE);
    assert_int_equal(latch_rate_stats(&ann.cx, &gcra, &(latch_sweep){.all = true}, &swept), LATCH_OK);
    assert_int_equal(swept.items, 3);
    assert_int_equal(latch_rate_clear(&ann.cx, &gcra, &(latch_sweep){.scope = LATCH_STR("eu/")}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 2);
    assert_false(rig_has(&world, "RATE#api#eu/ann", "RATE", "tat"));
    assert_true(rig_has(&world, "RATE#api#us/ann", "RATE", "tat"));
    rig_pass(&world, 3 * LATCH_DAY_MS);
    assert_int_equal(latch_rate_cleanup(&ann.cx, &gcra, &(latch_sweep){.all = true}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 1);
}

static void headers_are_rounded_up(void **state) {
    static const struct {
        latch_rate_state state;
        latch_rate_headers want;
    } rows[] = {
        {{60, 60000, 12, T0 + 34001, 0}, {"60", "12", "35", "60;w=60", ""}},
        {{60, 60000, 60, T0, 0}, {"60", "60", "0", "60;w=60", ""}},
        {{1, 1, 0, T0 + 1, T0 + 1}, {"1", "0", "1", "1;w=1", "1"}},
        {{3, 1500, 0, T0 + 2000, T0 + 1000}, {"3", "0", "2", "3;w=2", "1"}},
        {{3, 1500, 0, T0 + 2000, T0 + 1001}, {"3", "0", "2", "3;w=2", "2"}},
        {{INT64_MAX, INT64_MAX - 999, 0, INT64_MAX - 999, T0},
         {"9223372036854775807", "0", "9223370269629175", "9223372036854775807;w=9223372036854775", ""}},
    };
    latch_rate_headers out;
    (void)state;
    begin_again(sound);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_rate_describe(&ann.cx, &rows[i].state, &out);
        assert_string_equal(out.limit, rows[i].want.limit);
        assert_string_equal(out.remaining, rows[i].want.remaining);
        assert_string_equal(out.reset, rows[i].want.reset);
        assert_string_equal(out.policy, rows[i].want.policy);
        assert_string_equal(out.retry_after, rows[i].want.retry_after);
    }
}

/* ── losses ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* How many a lost reply has counted, nobody coming between. */
static int64_t counted_by_a_lost_reply(const latch_rate *policy, rig_twin twin) {
    latch_rate_state out;
    begin_again(twin);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_rate_acquire(&ann.cx, policy, LATCH_STR("ann"), &out), LATCH_OK);
    return policy->limit - out.remaining;
}

static void a_lost_reply_counts_once(void **state) {
    (void)state;
    assert_int_equal(counted_by_a_lost_reply(&sliding, sound), 1);
    assert_int_equal(counted_by_a_lost_reply(&gcra, sound), 1);
}

static void survives_a_failure_at_every_request(void **state) {
    static const latch_rate *const policies[] = {&sliding, &gcra};
    (void)state;
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        for (int fails = NOT_SENT; fails < FAULT_COUNT; fails++) {
            latch_rate_state out;
            begin_again(sound);
            for (size_t i = 0; i < COUNT_OF(ann.faults); i++)
                ann.faults[i] = (fault)fails;
            latch_status status = latch_rate_acquire(&ann.cx, policies[p], LATCH_STR("ann"), &out);
            bool unsure = fails != NOT_SENT && fails != FAILS_THROTTLED;
            assert_true(status >= LATCH_E_INPUT);
            assert_int_equal(latch_error(&ann.cx)->maybe_applied, unsure);
            assert_int_equal(out.limit, 0);
            rig_deliver(&ann);
            rig_again(&ann, 0);
            assert_int_equal(latch_rate_status(&ann.cx, policies[p], LATCH_STR("ann"), &out), LATCH_OK);
            bool applied = fails == LOST_AFTER || fails == LATE || fails == ANSWERS_NO_JSON;
            assert_int_equal(out.remaining, applied ? 2 : 3);
        }
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    static const latch_rate *const policies[] = {&sliding, &gcra};
    (void)state;
    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        size_t granted = 0;
        for (size_t bytes = 64; bytes < 20 * 1024; bytes += rig_is_engine() ? 251 : 1021) {
            latch_rate_state out;
            begin_again(sound);
            rig_again(&ann, bytes);
            latch_status status = latch_rate_acquire(&ann.cx, policies[p], LATCH_STR("ann"), &out);
            if (status != LATCH_OK && status != LATCH_E_NOMEM) fail_msg("%zu bytes: %s", bytes, latch_error(&ann.cx)->message);
            if (status == LATCH_OK) granted++;
            if (status == LATCH_OK) continue;
            assert_true(granted == 0);
            bool counted = rig_has(&world, pk, "RATE", "ttl");
            if (counted) assert_true(latch_error(&ann.cx)->maybe_applied);
        }
        assert_true(granted > 0);
    }
}

static void bob_takes(void *arg) {
    latch_rate_state out;
    (void)arg;
    if (ann.requests == 2) assert_int_equal(take(&bob, &sliding, &out), LATCH_OK);
}

static void bob_takes_a_cell(void *arg) {
    latch_rate_state out;
    (void)arg;
    if (ann.requests == 2) assert_int_equal(take(&bob, &gcra, &out), LATCH_OK);
}

/* A stamp is recognised although another came between; an id isn't, and the refusal says so. */
static void a_refusal_after_silence_says_that_it_may_count(void **state) {
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    for (int n = 0; n < 1; n++)
        assert_int_equal(take(&bob, &sliding, &out), LATCH_OK);
    ann.faults[0] = LOST_AFTER;
    ann.before = bob_takes;
    assert_int_equal(latch_rate_acquire(&ann.cx, &sliding, LATCH_STR("ann"), &out), LATCH_OK);
    assert_int_equal(out.remaining, 0);
    begin_again(sound);
    assert_int_equal(take(&bob, &gcra, &out), LATCH_OK);
    ann.faults[0] = LOST_AFTER;
    ann.before = bob_takes_a_cell;
    assert_int_equal(latch_rate_acquire(&ann.cx, &gcra, LATCH_STR("ann"), &out), LATCH_LIMITED);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_non_null(strstr(latch_error(&ann.cx)->message, "may count"));
    begin_again(sound);
    ann.faults[0] = LOST_BEFORE;
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&bob, &sliding, &out), LATCH_OK);
    assert_int_equal(latch_rate_acquire(&ann.cx, &sliding, LATCH_STR("ann"), &out), LATCH_LIMITED);
    assert_true(latch_error(&ann.cx)->maybe_applied);
}

/* Before each append the list is full, before each rotation it has room. */
static void change(void *arg) {
    char item[512];
    (void)arg;
    bool appends = strstr(ann.last_request, "list_append") != NULL;
    snprintf(item, sizeof item, "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"RATE\"},\"ts\":{\"L\":[%s{\"N\":\"1\"}]}}", pk,
             appends ? "{\"N\":\"1\"},{\"N\":\"1\"}," : "");
    rig_put(&world, item);
}

static void gives_up_when_others_change_it_each_time(void **state) {
    latch_rate_state out;
    (void)state;
    begin_again(sound);
    ann.before = change;
    assert_int_equal(latch_rate_acquire(&ann.cx, &sliding, LATCH_STR("ann"), &out), LATCH_CONFLICT);
    ann.before = NULL;
    assert_int_equal(ann.requests, 4);
    assert_int_equal(out.limit, 0);
    assert_string_equal(latch_error(&ann.cx)->message, "RATE#api#ann: changed by others between each two of 4 requests");
}

/* ── the bound, over every window of stamps ─────────────────────────────────────────────────────────────────────────────── */

#define RACE_WINDOW_MS INT64_C(1000)
#define STAMPS_MAX 4096

static struct tally {
    int64_t us[STAMPS_MAX], limits[STAMPS_MAX];
    size_t count, granted, refused, unsure, interleaved, lost;
    int64_t limit;
    int64_t worst; /* by how much a window held more than the largest limit in force within it */
} tally;
static uint32_t seed;

static size_t rounds(void) { return rig_is_engine() ? 500 : 100; }

static uint32_t roll(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static fault roll_fault(void *arg) {
    static const fault faults[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500};
    (void)arg;
    if (roll(6) != 0) return NO_FAULT;
    tally.lost++;
    return faults[roll(COUNT_OF(faults))];
}

static bool is_counted(int64_t us) {
    for (size_t i = tally.count; i > 0 && i + 64 > tally.count; i--)
        if (tally.us[i - 1] == us) return true;
    return false;
}

/* All that the list has by now: each stamp that was ever written is noted, with the limit it came under. */
static void note_stamps(void) {
    int64_t us[64];
    size_t n = stamps(us, COUNT_OF(us));
    for (size_t i = 0; i < n; i++) {
        if (is_counted(us[i]) || tally.count == STAMPS_MAX) continue;
        tally.us[tally.count] = us[i];
        tally.limits[tally.count++] = tally.limit;
    }
}

static void acquire_and_tally(rig *r) {
    const latch_rate policy = {.name = "api", .limit = tally.limit, .window_ms = RACE_WINDOW_MS, .known_ms = LATCH_RATE_KNOWN_NEVER};
    latch_rate_state out;
    rig_again(r, 0);
    r->roll = roll_fault;
    latch_status status = latch_rate_acquire(&r->cx, &policy, LATCH_STR("ann"), &out);
    tally.granted += status == LATCH_OK;
    tally.refused += status == LATCH_LIMITED;
    tally.unsure += status != LATCH_OK && latch_error(&r->cx)->maybe_applied;
    r->roll = NULL;
    note_stamps();
}

static void bob_comes_between(void *arg) {
    (void)arg;
    if (roll(3) != 0) return;
    tally.interleaved++;
    acquire_and_tally(&bob);
}

/* In each window that ends with a stamp, by its own limit; in each that begins with one, by the largest in it. */
static int64_t worst_window(void) {
    int64_t worst = INT64_MIN;
    for (size_t i = 0; i < tally.count; i++) {
        int64_t before = 0, after = 0, most = 0;
        for (size_t j = 0; j < tally.count; j++) {
            int64_t apart = tally.us[i] - tally.us[j];
            before += apart >= 0 && apart <= RACE_WINDOW_MS * 1000 - 1000; /* stamps are known to the millisecond */
            if (apart > 0 || -apart > RACE_WINDOW_MS * 1000 - 1000) continue;
            after++;
            if (tally.limits[j] > most) most = tally.limits[j];
        }
        if (after - most > worst) worst = after - most;
        if (tally.limits[i] >= most && before - tally.limits[i] > worst) worst = before - tally.limits[i];
    }
    return worst;
}

static int64_t race(rig_twin twin, bool limit_moves, int64_t ahead_ms) {
    begin_again(twin);
    tally = (struct tally){.limit = 3};
    seed = 2463534242;
    bob.ahead_us = ahead_ms * 1000;
    ann.before = bob_comes_between;
    for (size_t i = 0; i < rounds(); i++) {
        if (limit_moves && roll(12) == 0) tally.limit = 1 + roll(5);
        acquire_and_tally(&ann);
        if (roll(3) == 0) rig_deliver(roll(2) == 0 ? &ann : &bob);
        note_stamps();
        rig_pass(&world, roll((uint32_t)RACE_WINDOW_MS / 3));
    }
    ann.before = NULL;
    bob.ahead_us = 0;
    return worst_window();
}

static void never_exceeds_the_limit_in_any_window(void **state) {
    static const struct {
        bool limit_moves;
        int64_t ahead_ms;
    } rows[] = {{false, 0}, {false, 400}, {true, 0}, {true, 400}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t worst = race(sound, rows[i].limit_moves, rows[i].ahead_ms);
        print_message("%zu rounds, bob %lld ms ahead: %zu granted, %zu refused, %zu unsure, %zu stamps, %zu interleaved, %zu lost\n",
                      rounds(), (long long)rows[i].ahead_ms, tally.granted, tally.refused, tally.unsure, tally.count, tally.interleaved,
                      tally.lost);
        assert_int_equal(worst, 0); /* reached, and not passed */
        assert_true(tally.granted > rounds() / 4 && tally.refused > rounds() / 4 && tally.interleaved > rounds() / 4 &&
                    tally.lost > rounds() / 8);
    }
}

/* A cell's bound, counted over all grants that were told: burst + window/interval, calls taking no time here. */
static int64_t cells_over_the_bound(rig_twin twin) {
    static int64_t at_us[STAMPS_MAX];
    size_t count = 0;
    int64_t worst = INT64_MIN;
    latch_rate_state out;
    begin_again(twin);
    seed = 2463534242;
    for (size_t i = 0; i < rounds(); i++) {
        ann.roll = roll_fault;
        if (take(roll(2) == 0 ? &ann : &bob, &gcra, &out) == LATCH_OK) at_us[count++] = rig_now_ms(&world) * 1000;
        rig_pass(&world, roll((uint32_t)WINDOW_MS / 12));
    }
    for (size_t i = 0; i < count; i++) {
        int64_t n = 0;
        for (size_t j = i; j < count && at_us[j] - at_us[i] <= WINDOW_MS * 1000; j++)
            n++;
        if (n - 6 > worst) worst = n - 6;
    }
    assert_true(count > rounds() / 12);
    return worst;
}

static void gcra_never_exceeds_its_bound(void **state) {
    (void)state;
    assert_true(cells_over_the_bound(sound) <= 0);
}

/* Ann, whose clock is behind, asks for what was forgotten when the limit was lowered. */
static latch_status asks_for_what_was_forgotten(rig_twin twin) {
    const latch_rate three = {.name = "api", .limit = 3, .window_ms = RACE_WINDOW_MS},
                     two = {.name = "api", .limit = 2, .window_ms = RACE_WINDOW_MS};
    latch_rate_state out;
    begin_again(twin);
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&bob, &three, &out), LATCH_OK);
    rig_pass(&world, RACE_WINDOW_MS + 1);
    assert_int_equal(take(&bob, &two, &out), LATCH_OK);
    ann.ahead_us = -500000;
    return take(&ann, &two, &out);
}

/* Bob's grant comes between what ann read and her swap: it must not be forgotten. */
static void bob_takes_before_the_swap(void *arg) {
    const latch_rate three = {.name = "api", .limit = 3, .window_ms = RACE_WINDOW_MS};
    latch_rate_state out;
    (void)arg;
    if (strstr(ann.last_request, "kept_and_new") == NULL || ann.requests != 2) return;
    assert_int_equal(latch_rate_acquire(&bob.cx, &three, LATCH_STR("ann"), &out), LATCH_OK);
}

static size_t kept_by_a_swap(rig_twin twin) {
    const latch_rate three = {.name = "api", .limit = 3, .window_ms = RACE_WINDOW_MS},
                     two = {.name = "api", .limit = 2, .window_ms = RACE_WINDOW_MS};
    latch_rate_state out;
    int64_t us[8];
    begin_again(twin);
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&ann, &three, &out), LATCH_OK);
    rig_pass(&world, RACE_WINDOW_MS + 1);
    rig_again(&ann, 0);
    ann.before = bob_takes_before_the_swap;
    assert_int_equal(latch_rate_acquire(&ann.cx, &two, LATCH_STR("ann"), &out), LATCH_OK);
    ann.before = NULL;
    size_t n = stamps(us, COUNT_OF(us)), within = 0;
    for (size_t i = 0; i < n; i++)
        within += us[i] >= (T0 + RACE_WINDOW_MS) * 1000;
    return within;
}

static void forgets_nothing_when_the_limit_is_lowered(void **state) {
    (void)state;
    assert_int_equal(asks_for_what_was_forgotten(sound), LATCH_LIMITED);
    assert_int_equal(retry_at(&ann), T0 + RACE_WINDOW_MS + 1);
    assert_int_equal(kept_by_a_swap(sound), 2);
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_true(race(forgets_room, false, 0) > 0);
    assert_true(race(forgets_oldest, false, 0) > 0);
    assert_int_equal(counted_by_a_lost_reply(&sliding, forgets_stamp), 2);
    assert_int_equal(counted_by_a_lost_reply(&gcra, forgets_last), 2);
    assert_true(cells_over_the_bound(forgets_limit_at) > 0);
    assert_int_equal(asks_for_what_was_forgotten(forgets_low), LATCH_OK);
    assert_int_equal(kept_by_a_swap(forgets_old), 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, pair_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sliding_sends_exactly_this),
    ROW(gcra_sends_exactly_this),
    ROW(grants_the_limit_and_not_one_more),
    ROW(keeps_what_its_header_says),
    ROW(gcra_gives_back_one_by_one),
    ROW(takes_several_at_once_or_none),
    ROW(a_limit_lowered_and_raised_keeps_its_bound),
    ROW(single_keys_have_limits_of_their_own),
    ROW(nothing_said_is_sixty_a_minute),
    ROW(refuses_bad_policies_without_sending),
    ROW(takes_what_is_just_allowed),
    ROW(refuses_bad_keys_without_sending),
    ROW(tells_what_is_wrong_with_an_item),
    ROW(reports_what_a_wrong_clock_stamped),
    ROW(a_known_refusal_costs_no_request),
    ROW(what_is_known_ends_with_a_reset_or_another_limit),
    ROW(keys_do_not_mix_in_memory),
    ROW(status_is_what_acquire_would_see),
    ROW(records_what_has_happened_anyway),
    ROW(a_reset_is_not_repeated),
    ROW(clears_by_scope),
    ROW(headers_are_rounded_up),
    ROW(a_lost_reply_counts_once),
    ROW(survives_a_failure_at_every_request),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(a_refusal_after_silence_says_that_it_may_count),
    ROW(gives_up_when_others_change_it_each_time),
    ROW(never_exceeds_the_limit_in_any_window),
    ROW(gcra_never_exceeds_its_bound),
    ROW(forgets_nothing_when_the_limit_is_lowered),
    ROW(finds_the_broken_twins),
};

CHECK_MAIN(tests)

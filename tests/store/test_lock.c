#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/lock.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define LEASE_MS INT64_C(30000)
#define SKEW_MS INT64_C(2000)
#define PK "LOCK#door#front"
#define SK "LOCK"

static const latch_lock door = {.name = "door", .lease_ms = LEASE_MS};
static const latch_lock kept_door = {.name = "door", .lease_ms = LEASE_MS, .keep = true};
static const latch_lock patient_door = {.name = "door", .lease_ms = LEASE_MS, .wait_ms = 5000};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_expiry = {"#expiresAt < :now_minus_skew", "(#expiresAt < :now_minus_skew OR attribute_exists(#expiresAt))"};
static const rig_twin forgets_itself = {"#recordVersionNumber <> :v", "(#recordVersionNumber <> :v OR #recordVersionNumber = :v)"};
static const rig_twin forgets_token = {"#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f",
                                       "(#ownerName = :o OR #recordVersionNumber = :v OR #fence = :f OR attribute_exists(#fence))"};
static const rig_twin shortens = {"AND #expiresAt < :e", "AND (#expiresAt < :e OR attribute_exists(#expiresAt))"};

static int set_up(void **state) {
    (void)state;
    pair_open(RIG_ARENA_BYTES);
    ann.cx.request_id = LATCH_STR("ann-1");
    bob.cx.request_id = LATCH_STR("bob-1");
    return 0;
}

/* As it was in the beginning, with a rule broken, or none. */
static void begin_again(rig_twin twin) {
    rig_delete(&world, PK, SK);
    pair_again(twin);
}

static latch_status take(rig *r, latch_hold *out) { return latch_lock_take(&r->cx, &door, LATCH_STR("front"), out); }
static int64_t stored(const char *attribute) { return rig_number(&world, PK, SK, attribute); }
static bool released(void) { return rig_has_text(&world, PK, SK, "isReleased", "1"); }

/* ── what is sent and stored ────────────────────────────────────────────────────────────────────────────────────────────── */

static void sent(const char *operation, const char *text, latch_str id) {
    assert_string_equal(ann.operation, operation);
    pair_hide(ann.last_request, id);
    assert_string_equal(ann.last_request, text);
}

static latch_str stored_version(void) {
    latch_str version;
    assert_int_equal(latch_item_text(rig_item(&world, PK, SK), "recordVersionNumber", &version), LATCH_OK);
    return version;
}

#define REQUEST "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"LOCK#door#front\"},\"sk\":{\"S\":\"LOCK\"}}"

static void sends_exactly_this(void **state) {
    static const char takes[] = REQUEST
        ",\"UpdateExpression\":\"SET #ownerName = :o, #leaseDuration = :l, #recordVersionNumber = :v, #expiresAt = :e, #ttl = :t, "
        "#fence = if_not_exists(#fence, :now) + :one REMOVE #isReleased\",\"ReturnValues\":\"ALL_NEW\","
        "\"ConditionExpression\":\"(attribute_not_exists(#pk) OR attribute_exists(#isReleased) OR #expiresAt < :now_minus_skew) AND "
        "(attribute_not_exists(#recordVersionNumber) OR #recordVersionNumber <> :v)\","
        "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#ownerName\":\"ownerName\","
        "\"#leaseDuration\":\"leaseDuration\",\"#recordVersionNumber\":\"recordVersionNumber\",\"#expiresAt\":\"expiresAt\","
        "\"#ttl\":\"ttl\",\"#fence\":\"fence\",\"#isReleased\":\"isReleased\",\"#pk\":\"pk\"},\"ExpressionAttributeValues\":{"
        "\":o\":{\"S\":\"ann-1\"},\":l\":{\"S\":\"30000\"},\":v\":{\"S\":\"{id}\"},\":e\":{\"N\":\"1767225630000\"},"
        "\":t\":{\"N\":\"1767830430\"},\":now\":{\"N\":\"1767225600000\"},\":one\":{\"N\":\"1\"},"
        "\":now_minus_skew\":{\"N\":\"1767225598000\"}}}";
    static const char extends[] = REQUEST
        ",\"UpdateExpression\":\"SET #expiresAt = :e, #ttl = :t\",\"ReturnValues\":\"ALL_NEW\",\"ConditionExpression\":"
        "\"#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f AND attribute_not_exists(#isReleased) AND #expiresAt < :e\","
        "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#expiresAt\":\"expiresAt\","
        "\"#ttl\":\"ttl\",\"#ownerName\":\"ownerName\",\"#recordVersionNumber\":\"recordVersionNumber\",\"#fence\":\"fence\","
        "\"#isReleased\":\"isReleased\"},\"ExpressionAttributeValues\":{\":e\":{\"N\":\"1767225631000\"},\":t\":{\"N\":\"1767830431\"},"
        "\":o\":{\"S\":\"ann-1\"},\":v\":{\"S\":\"{id}\"},\":f\":{\"N\":\"1767225600001\"}}}";
    static const char releases[] =
        REQUEST ",\"UpdateExpression\":\"SET #isReleased = :released\",\"ConditionExpression\":"
                "\"#ownerName = :o AND #recordVersionNumber = :v AND #fence = :f\",\"ExpressionAttributeNames\":{\"#isReleased\":"
                "\"isReleased\",\"#ownerName\":\"ownerName\",\"#recordVersionNumber\":\"recordVersionNumber\",\"#fence\":\"fence\"},"
                "\"ExpressionAttributeValues\":{\":released\":{\"S\":\"1\"},\":o\":{\"S\":\"ann-1\"},\":v\":{\"S\":\"{id}\"},"
                "\":f\":{\"N\":\"1767225600001\"}}}";
    latch_hold hold;
    latch_lock_holder holder;
    (void)state;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    sent("UpdateItem", takes, stored_version());
    rig_pass(&world, 1000);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS), LATCH_OK);
    sent("UpdateItem", extends, stored_version());
    assert_int_equal(latch_lock_look(&ann.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    sent("GetItem", REQUEST ",\"ConsistentRead\":true}", stored_version());
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    sent("UpdateItem", releases, stored_version());
    assert_int_equal(ann.requests, 4);
}

static void stores_what_the_header_says(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_true(rig_has_text(&world, PK, SK, "ownerName", "ann-1"));
    assert_true(rig_has_text(&world, PK, SK, "leaseDuration", "30000"));
    assert_int_equal(stored("expiresAt"), T0 + LEASE_MS);
    assert_int_equal(stored("fence"), T0 + 1);
    assert_int_equal(stored("ttl"), (T0 + LEASE_MS) / 1000 + 7 * 86400);
    assert_false(released());
    assert_int_equal(hold.fence, T0 + 1);
    assert_int_equal(hold.until_ms, T0 + LEASE_MS);
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    assert_true(released());
    assert_int_equal(stored("fence"), T0 + 1);
}

/* No request id: the version says who. */
static void names_an_owner_always(void **state) {
    static char long_id[258];
    static const struct {
        const char *id;
        bool is_owner;
    } rows[] = {{"", false}, {"\xFF\xFE", false}, {long_id, false}, {"r", true}};
    (void)state;
    memset(long_id, 'r', sizeof long_id - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        ann.cx.request_id = latch_str_of(rows[i].id);
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        char version[40];
        snprintf(version, sizeof version, "%.*s", (int)stored_version().len, stored_version().ptr);
        assert_true(rig_has_text(&world, PK, SK, "ownerName", rows[i].is_owner ? rows[i].id : version));
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS + 1), LATCH_OK);
        assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    }
}

/* ── who holds it, and until when ───────────────────────────────────────────────────────────────────────────────────────── */

static void is_held_by_one(void **state) {
    latch_hold anns, bobs;
    (void)state;
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    rig_pass(&world, 1000);
    assert_int_equal(take(&bob, &bobs), LATCH_HELD);
    assert_true(latch_str_eq(bobs.other, LATCH_STR("ann-1")));
    assert_int_equal(bobs.until_ms, T0 + LEASE_MS);
    assert_int_equal(bobs.fence, 0);
    assert_false(latch_lock_held(&bob.cx, &bobs));
    assert_int_equal(latch_error(&bob.cx)->retry_at_ms, T0 + LEASE_MS + SKEW_MS + 1);
    assert_string_equal(latch_error(&bob.cx)->message, "LOCK#door#front: held by ann-1 until 1767225630000 ms");
    assert_int_equal(bob.requests, 1);
    assert_int_equal(take(&ann, &bobs), LATCH_HELD); /* by herself */
    assert_true(latch_lock_held(&ann.cx, &anns));
    assert_int_equal(latch_lock_release(&ann.cx, &anns), LATCH_OK);
    assert_int_equal(take(&bob, &bobs), LATCH_OK);
    assert_int_equal(bobs.fence, anns.fence + 1);
}

static void is_taken_over_to_the_millisecond(void **state) {
    static const struct {
        int64_t skew_ms, after_ms;
        latch_status status;
    } rows[] = {
        {0, LEASE_MS - 1, LATCH_HELD},  {0, LEASE_MS + 1, LATCH_HELD},     {0, LEASE_MS + 2000, LATCH_HELD},
        {0, LEASE_MS + 2001, LATCH_OK}, {500, LEASE_MS + 500, LATCH_HELD}, {500, LEASE_MS + 501, LATCH_OK},
        {1, LEASE_MS + 1, LATCH_HELD},  {1, LEASE_MS + 2, LATCH_OK},       {0, 30 * LATCH_DAY_MS, LATCH_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold anns, bobs;
        begin_again(sound);
        bob.table.max_clock_skew_ms = rows[i].skew_ms;
        assert_int_equal(take(&ann, &anns), LATCH_OK);
        rig_at(&world, T0 + rows[i].after_ms);
        assert_int_equal(take(&bob, &bobs), rows[i].status);
        assert_false(rows[i].after_ms >= LEASE_MS && latch_lock_held(&ann.cx, &anns));
        if (rows[i].status != LATCH_OK) continue;
        assert_int_equal(bobs.fence, anns.fence + 1);
        assert_int_equal(latch_lock_release(&ann.cx, &anns), LATCH_CONFLICT);
        assert_false(released());
        assert_true(latch_lock_held(&bob.cx, &bobs));
    }
}

/* Clocks apart by the margin: bob's runs ahead. */
static void excludes_within_the_margin_of_clocks(void **state) {
    static const struct {
        int64_t ahead_ms, after_ms;
        latch_status status;
    } rows[] = {{2000, LEASE_MS, LATCH_HELD},
                {2000, LEASE_MS + 1, LATCH_OK},
                {-2000, LEASE_MS + 4000, LATCH_HELD},
                {-2000, LEASE_MS + 4001, LATCH_OK}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold anns, bobs;
        begin_again(sound);
        bob.ahead_us = rows[i].ahead_ms * 1000;
        assert_int_equal(take(&ann, &anns), LATCH_OK);
        rig_at(&world, T0 + rows[i].after_ms);
        assert_int_equal(take(&bob, &bobs), rows[i].status);
        assert_false(rows[i].status == LATCH_OK && latch_lock_held(&ann.cx, &anns));
    }
}

static void grows_its_token_with_each_holder(void **state) {
    latch_hold hold;
    int64_t last = 0;
    (void)state;
    for (int i = 0; i < 50; i++) {
        rig *r = i % 2 == 0 ? &ann : &bob;
        rig_again(r, 0);
        assert_int_equal(take(r, &hold), LATCH_OK);
        assert_true(hold.fence > last);
        last = hold.fence;
        if (i % 3 != 0) assert_int_equal(latch_lock_release(&r->cx, &hold), LATCH_OK);
        if (i % 3 == 0) rig_pass(&world, LEASE_MS + SKEW_MS + 1);
    }
}

static void cuts_the_lease_at_the_deadline(void **state) {
    static const struct {
        int64_t lease_ms, left_ms; /* left: 0 means that there is no deadline */
        bool keep;
        int64_t gets_ms;
    } rows[] = {
        {LEASE_MS, 0, false, LEASE_MS},
        {LEASE_MS, 10000, false, 10000},
        {LEASE_MS, 60000, false, LEASE_MS},
        {LEASE_MS, 10000, true, LEASE_MS},
        {0, 10000, false, 10000},
        {0, 0, false, 60000},
        {1, 10000, false, 1},
        {0, 1, false, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_lock policy = {.name = "door", .lease_ms = rows[i].lease_ms, .keep = rows[i].keep};
        latch_hold hold;
        begin_again(sound);
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        assert_int_equal(latch_lock_take(&ann.cx, &policy, LATCH_STR("front"), &hold), LATCH_OK);
        assert_int_equal(hold.until_ms, T0 + rows[i].gets_ms);
        assert_int_equal(stored("expiresAt"), T0 + rows[i].gets_ms);
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, 2 * LEASE_MS), LATCH_OK);
        bool cut = !rows[i].keep && rows[i].left_ms > 0 && rows[i].left_ms < 2 * LEASE_MS;
        assert_int_equal(hold.until_ms, T0 + (cut ? rows[i].left_ms : 2 * LEASE_MS));
    }
}

static void sends_nothing_after_the_deadline(void **state) {
    latch_hold hold, held;
    (void)state;
    assert_int_equal(take(&bob, &held), LATCH_OK);
    bob.cx.deadline_at_ms = ann.cx.deadline_at_ms = T0;
    assert_int_equal(take(&ann, &hold), LATCH_E_TIMEOUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_lock_extend(&bob.cx, &held, LEASE_MS), LATCH_E_TIMEOUT);
    assert_int_equal(latch_lock_release(&bob.cx, &held), LATCH_E_TIMEOUT);
    assert_int_equal(bob.requests, 1);
    assert_false(latch_error(&bob.cx)->maybe_applied);
}

/* ── bad arguments, bad items, little memory ────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_policies_without_sending(void **state) {
    static char long_name[66];
    static const struct {
        latch_lock policy;
        const char *says;
    } rows[] = {
        {{.lease_ms = 1}, "lock: .name is empty"},
        {{.name = long_name}, "lock: .name has 65 bytes, want at most 64"},
        {{.name = "a\x7F"}, "lock: .name has the control byte 0x7f at 1"},
        {{.name = "door", .lease_ms = -1}, "lock door: .lease_ms is -1, want 0 to 31622400000"},
        {{.name = "door", .lease_ms = LATCH_SPAN_MS_MAX + 1}, "lock door: .lease_ms is 31622400001, want 0 to 31622400000"},
        {{.name = "door", .wait_ms = -1}, "lock door: .wait_ms is -1, want 0 to 31622400000"},
        {{.name = "door", .timeout_ms = -1}, "timeout_ms is -1, want 0 or more"},
        {{.name = "door", .keep = true}, "lock door: .keep wants a .lease_ms: nothing else ends it"},
    };
    latch_hold hold;
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_lock_take(&ann.cx, &rows[i].policy, LATCH_STR("front"), &hold), LATCH_E_MISUSE);
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_null(hold.state);
    }
    assert_int_equal(ann.requests, 0);
    ann.cx.scope = NULL;
    assert_int_equal(take(&ann, &hold), LATCH_E_MISUSE);
    assert_int_equal(latch_lock_take(&ann.cx, &kept_door, LATCH_STR("front"), &hold), LATCH_OK);
}

static void refuses_bad_keys_without_sending(void **state) {
    static char long_key[2050];
    static const struct {
        const char *key, *says;
    } rows[] = {
        {"", "lock door: the key is empty"},
        {"a\nb", "lock door: the key has the control byte 0x0a at 1"},
        {"\xED\xA0\x80", "lock door: the key is not UTF-8"},
        {long_key, "lock door: the key has 700 bytes, escaped and with the store's name 2110, want at most 2048"},
    };
    latch_hold hold;
    (void)state;
    memset(long_key, '#', 700);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_lock_take(&ann.cx, &door, latch_str_of(rows[i].key), &hold), LATCH_E_INPUT);
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
    }
    assert_int_equal(latch_lock_take(&ann.cx, &door, (latch_str){"a\0b", 3}, &hold), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(latch_lock_take(&ann.cx, &door, (latch_str){long_key, 679}, &hold), LATCH_OK); /* 10 + 3 * 679 bytes */
    memset(long_key, 'k', sizeof long_key);
    assert_int_equal(latch_lock_take(&ann.cx, &door, (latch_str){long_key, 2038}, &hold), LATCH_OK);
    assert_int_equal(latch_lock_take(&ann.cx, &door, (latch_str){long_key, 2039}, &hold), LATCH_E_INPUT);
}

static void refuses_what_take_did_not_give(void **state) {
    static const int64_t leases[] = {0, -1, INT64_MIN, LATCH_SPAN_MS_MAX + 1};
    latch_hold none = {0}, hold;
    (void)state;
    assert_int_equal(latch_lock_extend(&ann.cx, &none, 1), LATCH_E_MISUSE);
    assert_int_equal(latch_lock_release(&ann.cx, &none), LATCH_E_MISUSE);
    assert_false(latch_lock_held(&ann.cx, &none));
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    for (size_t i = 0; i < COUNT_OF(leases); i++)
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, leases[i]), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 1);
}

#define KEY "{\"pk\":{\"S\":\"LOCK#door#front\"},\"sk\":{\"S\":\"LOCK\"}"

static void names_what_is_wrong_with_an_item(void **state) {
    static const struct {
        const char *item, *says;
    } rows[] = {
        {KEY ",\"expiresAt\":{\"N\":\"9767225600000\"}}", "item.ownerName.S: is missing, want text"},
        {KEY ",\"expiresAt\":{\"N\":\"9767225600000\"},\"ownerName\":{\"S\":\"x\"},\"recordVersionNumber\":{\"S\":\"v\"},\"fence\":{\"N\":"
             "\"1.5\"}}",
         "item.fence.N: is 1.5, want a whole number of 64 bits"},
        {KEY ",\"expiresAt\":{\"N\":\"9e30\"},\"ownerName\":{\"S\":\"x\"},\"recordVersionNumber\":{\"S\":\"v\"},\"fence\":{\"N\":\"1\"}}",
         "item.expiresAt.N: is 9000000000000000000000000000000, want a whole number of 64 bits"},
        {KEY
         ",\"expiresAt\":{\"N\":\"253402300800000\"},\"ownerName\":{\"S\":\"x\"},\"recordVersionNumber\":{\"S\":\"v\"},\"fence\":{\"N\":"
         "\"1\"}}",
         "item.expiresAt: is 253402300800000, want Unix milliseconds"},
    };
    latch_hold hold;
    latch_lock_holder holder;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_put(&world, rows[i].item);
        assert_int_equal(take(&ann, &hold), LATCH_E_DATA);
        assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
        assert_false(latch_error(&ann.cx)->maybe_applied);
        assert_int_equal(latch_lock_look(&ann.cx, &door, LATCH_STR("front"), &holder), LATCH_E_DATA);
    }
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t bytes = 16, refused = 0;
    latch_status status;
    (void)state;
    do {
        latch_hold hold;
        begin_again(sound);
        rig_again(&ann, bytes);
        status = take(&ann, &hold);
        if (status != LATCH_OK) {
            assert_int_equal(status, LATCH_E_NOMEM);
            assert_null(hold.state);
            if (rig_has(&world, PK, SK, "fence")) assert_true(latch_error(&ann.cx)->maybe_applied);
            if (ann.requests == 0) assert_false(latch_error(&ann.cx)->maybe_applied);
            refused++;
        }
        rig_end(&ann, status);
        bytes += bytes < 16000 ? 512 : 16; /* the first 16 KB are set aside for the release */
    } while (status != LATCH_OK && bytes <= RIG_ARENA_BYTES);
    assert_int_equal(status, LATCH_OK);
    assert_true(released());
    assert_true(refused > 20);
}

/* ── answers that don't come ────────────────────────────────────────────────────────────────────────────────────────────── */

static void survives_a_failure_at_every_request(void **state) {
    static const struct {
        fault fails;
        latch_status status;
        size_t more_requests;
    } rows[] = {
        {NO_FAULT, LATCH_OK, 0}, {NOT_SENT, LATCH_E_NETWORK, 0}, {LOST_BEFORE, LATCH_OK, 1},     {LOST_AFTER, LATCH_OK, 1},
        {LATE, LATCH_OK, 1},     {FAILS_500, LATCH_OK, 1},       {ANSWERS_NO_JSON, LATCH_OK, 1}, {FAILS_THROTTLED, LATCH_E_THROTTLED, 0},
    };
    enum { TAKE, EXTEND, RELEASE, CALLS };
    (void)state;
    assert_int_equal(COUNT_OF(rows), FAULT_COUNT);
    for (size_t i = 0; i < CALLS * COUNT_OF(rows); i++) {
        size_t row = i / CALLS, at = i % CALLS;
        latch_status got[CALLS] = {LATCH_OK, LATCH_OK, LATCH_OK};
        latch_hold hold;
        begin_again(sound);
        ann.faults[at] = rows[row].fails;
        got[TAKE] = take(&ann, &hold);
        if (got[TAKE] == LATCH_OK) got[EXTEND] = latch_lock_extend(&ann.cx, &hold, 2 * LEASE_MS);
        if (got[TAKE] == LATCH_OK) assert_true(latch_lock_held(&ann.cx, &hold));
        if (got[TAKE] == LATCH_OK) got[RELEASE] = latch_lock_release(&ann.cx, &hold);
        assert_int_equal(got[at], rows[row].status);
        if (rows[row].status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        if (at == TAKE && rows[row].status != LATCH_OK) continue;
        assert_int_equal(ann.requests, 3 + rows[row].more_requests);
        assert_int_equal(hold.until_ms, T0 + (at == EXTEND && got[EXTEND] != LATCH_OK ? LEASE_MS : 2 * LEASE_MS));
        assert_int_equal(released(), got[RELEASE] == LATCH_OK);
        assert_int_equal(latch_lock_held(&ann.cx, &hold), got[RELEASE] != LATCH_OK);
        assert_int_equal(stored("fence"), hold.fence); /* counted up once, however often it was sent */
        assert_int_equal(hold.fence, T0 + 1);
    }
}

static void tells_what_the_answers_said(void **state) {
    static const struct {
        fault faults[3];
        latch_status status;
        bool maybe_applied, holds;
    } rows[] = {
        {{LOST_BEFORE, LOST_BEFORE, LOST_BEFORE}, LATCH_E_TIMEOUT, true, false},
        {{LOST_AFTER, LOST_AFTER, LOST_AFTER}, LATCH_E_TIMEOUT, true, true},
        {{LOST_AFTER, NOT_SENT, NO_FAULT}, LATCH_E_NETWORK, true, true},
        {{LOST_BEFORE, FAILS_THROTTLED, NO_FAULT}, LATCH_E_THROTTLED, true, false},
        {{FAILS_500, FAILS_500, ANSWERS_NO_JSON}, LATCH_E_DATA, true, true},
        {{NOT_SENT, NO_FAULT, NO_FAULT}, LATCH_E_NETWORK, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        memcpy(ann.faults, rows[i].faults, sizeof rows[i].faults);
        if (rows[i].faults[2] == ANSWERS_NO_JSON) ann.faults[3] = LOST_BEFORE;
        latch_status status = take(&ann, &hold);
        assert_int_equal(status, rows[i].status);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe_applied);
        assert_int_equal(rig_has(&world, PK, SK, "fence"), rows[i].holds);
        assert_null(hold.state);
    }
}

static void bob_takes(void *arg) {
    latch_hold hold;
    size_t *before_request = arg;
    if (ann.requests == *before_request) assert_int_equal(take(&bob, &hold), LATCH_OK);
}

/* Ann's first try got no answer, then bob has it: it may yet be hers when bob is done. */
static void says_that_a_refused_take_may_come(void **state) {
    static const fault rows[] = {NO_FAULT, LOST_BEFORE, LATE, FAILS_500};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t before = rows[i] == NO_FAULT ? 1 : 2;
        latch_hold hold;
        begin_again(sound);
        ann.faults[0] = rows[i];
        ann.before = bob_takes, ann.arg = &before;
        assert_int_equal(take(&ann, &hold), LATCH_HELD);
        ann.before = NULL;
        assert_true(latch_str_eq(hold.other, LATCH_STR("bob-1")));
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i] != NO_FAULT);
        assert_int_equal(strstr(latch_error(&ann.cx)->message, "; a try of this one got no answer and may take it") != NULL,
                         rows[i] != NO_FAULT);
    }
}

static void time_passes(void *arg) {
    int64_t *ms = arg;
    if (ann.requests == 2) rig_pass(&world, *ms);
}

/* The lease counts from before the first send: what the repeats took is gone from it. */
static void counts_the_lease_from_the_first_send(void **state) {
    int64_t took_ms = 1500;
    latch_hold hold;
    (void)state;
    ann.faults[0] = LOST_AFTER;
    ann.before = time_passes, ann.arg = &took_ms;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    ann.before = NULL;
    assert_int_equal(hold.until_ms, T0 + LEASE_MS);
    rig_at(&world, T0 + LEASE_MS - 1);
    assert_true(latch_lock_held(&ann.cx, &hold));
    rig_at(&world, T0 + LEASE_MS);
    assert_false(latch_lock_held(&ann.cx, &hold));
}

/* A lease of a second that an answer of one and a half outlives is nobody's. */
static void does_not_give_what_has_ended_already(void **state) {
    static const latch_lock brief = {.name = "door", .lease_ms = 1000};
    int64_t took_ms = 1500;
    latch_hold hold;
    (void)state;
    ann.faults[0] = LOST_BEFORE;
    ann.before = time_passes, ann.arg = &took_ms;
    assert_int_equal(latch_lock_take(&ann.cx, &brief, LATCH_STR("front"), &hold), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_null(hold.state);
    begin_again(sound);
    ann.faults[0] = LOST_AFTER;
    ann.before = time_passes, ann.arg = &took_ms;
    assert_int_equal(latch_lock_take(&ann.cx, &brief, LATCH_STR("front"), &hold), LATCH_HELD);
    assert_true(latch_error(&ann.cx)->maybe_applied);
}

/* ── late requests, and what stops them ─────────────────────────────────────────────────────────────────────────────────── */

/* Ann takes (the first try comes late), and releases; then that try arrives. True: nobody has it. */
static bool a_late_take_finds_it_done(rig_twin twin) {
    latch_hold hold;
    begin_again(twin);
    ann.faults[0] = LATE;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    rig_deliver(&ann);
    return released();
}

/* Ann extends to 60 s, then to 90; the first arrives last. True: she has 90. */
static bool a_late_extension_shortens_nothing(rig_twin twin) {
    latch_hold hold;
    begin_again(twin);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, 2 * LEASE_MS), LATCH_E_TIMEOUT);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_int_equal(hold.until_ms, T0 + LEASE_MS);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, 3 * LEASE_MS), LATCH_OK);
    rig_deliver(&ann);
    return stored("expiresAt") == T0 + 3 * LEASE_MS;
}

/* Ann's release comes late: the lease ended and bob has it by then. True: bob still has it. */
static bool a_late_release_frees_nobody_else(rig_twin twin) {
    latch_hold anns, bobs;
    begin_again(twin);
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    ann.faults[1] = LATE, ann.faults[2] = ann.faults[3] = LOST_BEFORE;
    assert_int_equal(latch_lock_release(&ann.cx, &anns), LATCH_E_TIMEOUT);
    rig_pass(&world, LEASE_MS + SKEW_MS + 1);
    assert_int_equal(take(&bob, &bobs), LATCH_OK);
    rig_deliver(&ann);
    return !released();
}

/* Ann thaws after her lease, bob has it. True: she is told, and bob keeps it. */
static bool a_thawed_holder_is_told(rig_twin twin) {
    latch_hold anns, bobs;
    begin_again(twin);
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    rig_pass(&world, LEASE_MS + SKEW_MS + 1);
    assert_int_equal(take(&bob, &bobs), LATCH_OK);
    if (latch_lock_extend(&ann.cx, &anns, LEASE_MS * 2) != LATCH_CONFLICT) return false;
    assert_false(latch_lock_held(&ann.cx, &anns));
    size_t asked = ann.requests;
    assert_int_equal(latch_lock_extend(&ann.cx, &anns, LEASE_MS), LATCH_CONFLICT); /* she needn't ask again */
    assert_int_equal(latch_lock_release(&ann.cx, &anns), LATCH_CONFLICT);          /* nor is it hers to give back */
    assert_int_equal(ann.requests, asked);
    return stored("expiresAt") == rig_now_ms(&world) + LEASE_MS;
}

/* Bob is refused while ann has it. */
static bool another_is_refused(rig_twin twin) {
    latch_hold anns, bobs;
    begin_again(twin);
    assert_int_equal(take(&ann, &anns), LATCH_OK);
    return take(&bob, &bobs) == LATCH_HELD;
}

static void stops_what_comes_late(void **state) {
    (void)state;
    assert_true(a_late_take_finds_it_done(sound));
    assert_true(a_late_extension_shortens_nothing(sound));
    assert_true(a_late_release_frees_nobody_else(sound));
    assert_true(a_thawed_holder_is_told(sound));
    assert_true(another_is_refused(sound));
    assert_int_equal(world.twisted, 0);
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_false(another_is_refused(forgets_expiry));
    assert_false(a_late_take_finds_it_done(forgets_itself));
    assert_false(a_late_extension_shortens_nothing(shortens));
    assert_false(a_late_release_frees_nobody_else(forgets_token));
    assert_false(a_thawed_holder_is_told(forgets_token));
    assert_true(world.twisted > 0);
}

static void an_operator_breaks_it(void *arg) {
    (void)arg;
    if (ann.requests != 2) return;
    char item[512];
    snprintf(item, sizeof item,
             KEY ",\"ownerName\":{\"S\":\"ann-1\"},\"recordVersionNumber\":{\"S\":\"%.*s\"},\"expiresAt\":{\"N\":\"%lld\"},"
                 "\"fence\":{\"N\":\"7\"},\"isReleased\":{\"S\":\"1\"}}",
             (int)stored_version().len, stored_version().ptr, (long long)(T0 + LEASE_MS));
    rig_put(&world, item);
}

/* Between ann's two tries somebody broke her lock open: she doesn't have it. */
static void does_not_hold_what_was_broken_open(void **state) {
    latch_hold hold;
    (void)state;
    ann.faults[0] = LOST_AFTER;
    ann.before = an_operator_breaks_it;
    assert_int_equal(take(&ann, &hold), LATCH_HELD);
    assert_true(latch_error(&ann.cx)->maybe_applied);
    ann.before = NULL;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_int_equal(hold.fence, 8);
}

static void extends_from_now_and_never_shortens(void **state) {
    static const struct {
        int64_t after_ms, lease_ms, until_ms;
    } rows[] = {{0, LEASE_MS, LEASE_MS},
                {0, LEASE_MS - 1, LEASE_MS},
                {0, LEASE_MS + 1, LEASE_MS + 1},
                {20000, LEASE_MS, 20000 + LEASE_MS},
                {LEASE_MS + SKEW_MS, 1000, LEASE_MS + SKEW_MS + 1000}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        rig_pass(&world, rows[i].after_ms);
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, rows[i].lease_ms), LATCH_OK);
        assert_int_equal(hold.until_ms, T0 + rows[i].until_ms);
        assert_int_equal(stored("expiresAt"), T0 + rows[i].until_ms);
        assert_int_equal(stored("ttl"), (T0 + rows[i].until_ms + 999) / 1000 + 7 * 86400);
        rig_at(&world, T0 + rows[i].until_ms - 1);
        assert_true(latch_lock_held(&ann.cx, &hold));
        rig_pass(&world, 1);
        assert_false(latch_lock_held(&ann.cx, &hold));
        assert_int_equal(ann.requests, 2);
    }
}

/* ── waiting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void waits_for_anothers_end(void **state) {
    static const struct {
        int64_t lease_ms, wait_ms, left_ms;
        latch_status status;
        int64_t slept_least_ms, slept_most_ms;
        size_t least, most; /* requests */
    } rows[] = {
        {1000, 5000, 0, LATCH_OK, 3001, 3001, 5, 40},      /* the margin of clocks is waited for, and not a millisecond more */
        {9000, 5000, 0, LATCH_HELD, 5000, 5000, 7, 60},    /* the last look is at the end of the wait */
        {9000, 0, 0, LATCH_HELD, 0, 0, 1, 1},              /* no wait */
        {9000, 5000, 3000, LATCH_HELD, 1000, 2999, 4, 50}, /* the deadline comes first: there is time left to answer */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_lock policy = {.name = "door", .lease_ms = rows[i].lease_ms}, waits = policy;
        latch_hold anns, bobs;
        begin_again(sound);
        waits.wait_ms = rows[i].wait_ms;
        if (rows[i].left_ms > 0) ann.cx.deadline_at_ms = T0 + rows[i].left_ms;
        assert_int_equal(latch_lock_take(&bob.cx, &policy, LATCH_STR("front"), &bobs), LATCH_OK);
        assert_int_equal(latch_lock_take(&ann.cx, &waits, LATCH_STR("front"), &anns), rows[i].status);
        assert_in_range(ann.slept_ms, rows[i].slept_least_ms, rows[i].slept_most_ms);
        assert_in_range(ann.requests, rows[i].least, rows[i].most);
        assert_int_equal(latch_lock_held(&ann.cx, &anns), rows[i].status == LATCH_OK);
        if (rows[i].status == LATCH_HELD) assert_true(latch_str_eq(anns.other, LATCH_STR("bob-1")));
    }
}

static latch_hold bobs_hold;

static void bob_releases_at_the_third(void *arg) {
    (void)arg;
    if (ann.requests == 3) assert_int_equal(latch_lock_release(&bob.cx, &bobs_hold), LATCH_OK);
}

static void takes_it_when_it_is_released(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&bob, &bobs_hold), LATCH_OK);
    ann.before = bob_releases_at_the_third;
    assert_int_equal(latch_lock_take(&ann.cx, &patient_door, LATCH_STR("front"), &hold), LATCH_OK);
    assert_int_equal(ann.requests, 3);
    assert_in_range(ann.slept_ms, 25 + 50, 50 + 100);
    assert_int_equal(hold.until_ms, T0 + ann.slept_ms + LEASE_MS);
}

/* A wait of 100 looks needs no more memory than one of 10. */
static void takes_no_more_memory_for_a_longer_wait(void **state) {
    static const int64_t waits_ms[] = {5000, 90000};
    size_t peaks[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        latch_lock waits = {.name = "door", .lease_ms = 1000, .wait_ms = waits_ms[i]};
        static const latch_lock day = {.name = "door", .lease_ms = LATCH_DAY_MS};
        latch_hold hold;
        begin_again(sound);
        assert_int_equal(latch_lock_take(&bob.cx, &day, LATCH_STR("front"), &hold), LATCH_OK);
        assert_int_equal(latch_lock_take(&ann.cx, &waits, LATCH_STR("front"), &hold), LATCH_HELD);
        peaks[i] = ann.arena.peak;
    }
    assert_true(ann.requests > 80);
    assert_true(peaks[1] < peaks[0] + 64);
}

static void bob_releases_and_anns_first_look_arrives(void *arg) {
    (void)arg;
    if (ann.requests != 3) return;
    assert_int_equal(latch_lock_release(&bob.cx, &bobs_hold), LATCH_OK);
    rig_deliver(&ann);
}

/* A first look that got no answer is applied while ann waits: it is hers, by its own lease. */
static void recognises_an_earlier_look_of_the_same_wait(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&bob, &bobs_hold), LATCH_OK);
    ann.faults[0] = LATE;
    ann.before = bob_releases_and_anns_first_look_arrives;
    assert_int_equal(latch_lock_take(&ann.cx, &patient_door, LATCH_STR("front"), &hold), LATCH_OK);
    assert_int_equal(ann.requests, 3);
    assert_int_equal(hold.until_ms, T0 + LEASE_MS);
    assert_int_equal(stored("fence"), hold.fence);
    rig_at(&world, T0 + LEASE_MS);
    assert_false(latch_lock_held(&ann.cx, &hold));
}

/* ── the end of the handler ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void is_released_with_the_handler(void **state) {
    static const struct {
        bool keep, early;
        latch_status ended;
        bool released;
        size_t requests;
    } rows[] = {
        {false, false, LATCH_OK, true, 2}, {false, false, LATCH_E_NOMEM, true, 2}, {false, false, LATCH_LIMITED, true, 2},
        {false, true, LATCH_OK, true, 2},  {true, false, LATCH_OK, false, 1},      {true, false, LATCH_E_HANDLER, false, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        assert_int_equal(latch_lock_take(&ann.cx, rows[i].keep ? &kept_door : &door, LATCH_STR("front"), &hold), LATCH_OK);
        if (rows[i].early) assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        if (rows[i].early) assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK); /* again: no request */
        rig_end(&ann, rows[i].ended);
        assert_int_equal(released(), rows[i].released);
        assert_int_equal(ann.requests, rows[i].requests);
    }
}

/* The handler ends because the arena is full: its lock is released all the same, whatever the key. */
static void is_released_though_the_arena_is_full(void **state) {
    static char keys[2][2038], *pk[2];
    static const size_t lens[] = {679, 2038}; /* of '#', which are escaped, and of 'k' */
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        latch_str key = {memset(keys[i], i == 0 ? '#' : 'k', lens[i]), lens[i]};
        latch_str whole = latch_key(&bob.cx, LATCH_STR("LOCK"), LATCH_STR("door"), key);
        pk[i] = strndup(whole.ptr, whole.len);
        rig_again(&ann, 0);
        assert_int_equal(latch_lock_take(&ann.cx, &door, key, &hold), LATCH_OK);
        while (latch_arena_alloc(&ann.arena, 16) != NULL)
            continue;
        rig_end(&ann, LATCH_E_NOMEM);
        assert_true(rig_has_text(&world, pk[i], SK, "isReleased", "1"));
        free(pk[i]);
    }
}

/* Each try of the release has all of the memory that was set aside, whatever the tries before it needed. */
static void is_released_at_the_third_try_though_the_arena_is_full(void **state) {
    static const fault faults[] = {LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, ANSWERS_NO_JSON};
    static const size_t lens[] = {10, 300, 1500};
    static char text[1501];
    char pk[1600];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults) * COUNT_OF(lens); i++) {
        latch_str key = {memset(text, 'k', sizeof text - 1), lens[i % COUNT_OF(lens)]};
        latch_hold hold;
        begin_again(sound);
        snprintf(pk, sizeof pk, "LOCK#door#%.*s", LATCH_ARG(key));
        rig_delete(&world, pk, SK);
        assert_int_equal(latch_lock_take(&ann.cx, &door, key, &hold), LATCH_OK);
        while (latch_arena_alloc(&ann.arena, 16) != NULL)
            continue;
        ann.faults[1] = ann.faults[2] = faults[i / COUNT_OF(lens)];
        assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        assert_int_equal(ann.requests, 4);
        assert_true(rig_has_text(&world, pk, SK, "isReleased", "1"));
    }
}

/* A refusal by an item that can't be read: not applied, unless a try before it got no answer. */
static void says_what_an_unreadable_item_leaves_open(void **state) {
    static const fault rows[] = {NO_FAULT, LOST_BEFORE, LATE, FAILS_500};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        rig_put(&world, KEY ",\"ownerName\":{\"N\":\"7\"}}");
        ann.faults[1] = rows[i];
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, 2 * LEASE_MS), LATCH_E_DATA);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i] != NO_FAULT);
    }
}

static void leaves_nothing_behind_a_refused_take(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&bob, &bobs_hold), LATCH_OK);
    assert_int_equal(take(&ann, &hold), LATCH_HELD);
    rig_end(&ann, LATCH_HELD);
    assert_int_equal(ann.requests, 1);
    assert_false(released());
    rig_pass(&world, LEASE_MS + SKEW_MS + 1);
    rig_again(&ann, 0);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    rig_end(&bob, LATCH_OK); /* his lease had ended, and it is ann's */
    assert_false(released());
    assert_true(latch_lock_held(&ann.cx, &hold));
}

static void tries_again_at_the_end_what_failed(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    ann.faults[1] = NOT_SENT;
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_E_NETWORK);
    assert_true(latch_lock_held(&ann.cx, &hold));
    rig_end(&ann, LATCH_E_NETWORK);
    assert_true(released());
}

/* ── its clocks, and looking ────────────────────────────────────────────────────────────────────────────────────────────── */

/* Either clock may stand still in a frozen sandbox: the one that says more time has passed is believed. */
static void believes_the_clock_that_went_on(void **state) {
    static const struct {
        int64_t passed_ms, wall_stood_ms;
        bool held;
    } rows[] = {
        {LEASE_MS - 1, 0, true}, {LEASE_MS - 1, 20000, true}, {LEASE_MS, 20000, false}, {LEASE_MS, 0, false}, {1000, -LEASE_MS, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        ann.ahead_us = 0;
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        rig_pass(&world, rows[i].passed_ms);
        ann.ahead_us = -rows[i].wall_stood_ms * 1000;
        assert_int_equal(latch_lock_held(&ann.cx, &hold), rows[i].held);
    }
}

static void looks_who_holds_it(void **state) {
    latch_lock_holder holder;
    latch_hold hold;
    (void)state;
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    rig_pass(&world, LEASE_MS + SKEW_MS);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    assert_true(latch_str_eq(holder.owner, LATCH_STR("ann-1")));
    assert_int_equal(holder.fence, hold.fence);
    assert_int_equal(holder.until_ms, T0 + LEASE_MS);
    rig_pass(&world, 1);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    assert_int_equal(holder.fence, 0);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    bob.faults[4] = LOST_AFTER; /* a read that got no answer is read again, and leaves nothing open */
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    assert_false(latch_error(&bob.cx)->maybe_applied);
    assert_int_equal(bob.requests, 6);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(sends_exactly_this),
    ROW(stores_what_the_header_says),
    ROW(names_an_owner_always),
    ROW(is_held_by_one),
    ROW(is_taken_over_to_the_millisecond),
    ROW(excludes_within_the_margin_of_clocks),
    ROW(grows_its_token_with_each_holder),
    ROW(cuts_the_lease_at_the_deadline),
    ROW(sends_nothing_after_the_deadline),
    ROW(refuses_bad_policies_without_sending),
    ROW(refuses_bad_keys_without_sending),
    ROW(refuses_what_take_did_not_give),
    ROW(names_what_is_wrong_with_an_item),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(survives_a_failure_at_every_request),
    ROW(tells_what_the_answers_said),
    ROW(says_that_a_refused_take_may_come),
    ROW(counts_the_lease_from_the_first_send),
    ROW(does_not_give_what_has_ended_already),
    ROW(stops_what_comes_late),
    ROW(finds_the_broken_twins),
    ROW(does_not_hold_what_was_broken_open),
    ROW(extends_from_now_and_never_shortens),
    ROW(waits_for_anothers_end),
    ROW(takes_it_when_it_is_released),
    ROW(takes_no_more_memory_for_a_longer_wait),
    ROW(recognises_an_earlier_look_of_the_same_wait),
    ROW(is_released_with_the_handler),
    ROW(is_released_though_the_arena_is_full),
    ROW(is_released_at_the_third_try_though_the_arena_is_full),
    ROW(says_what_an_unreadable_item_leaves_open),
    ROW(leaves_nothing_behind_a_refused_take),
    ROW(tries_again_at_the_end_what_failed),
    ROW(believes_the_clock_that_went_on),
    ROW(looks_who_holds_it),
};

CHECK_MAIN(tests)

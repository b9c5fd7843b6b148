#include <stdlib.h>

#include "core/ctx.h"
#include "store/attempts.h"
#include "store/lock.h"
#include "store/once.h"
#include "tests/store/shared.h"

#define SKEW_MS INT64_C(2000)
#define LEASE_MS INT64_C(30000)
#define LOCKS "paradox.dev.locks"
#define KEYS "paradox.dev.partitioned_keys"
#define LOCK_KEY "{\"key\":\"front\"}"
#define MARKER "{\"partitionKey\":\"u#1\",\"sortKey\":\"users.do_once.mail\"}"
#define CLAIM "{\"partitionKey\":\"u#1\",\"sortKey\":\"latch.once.mail\"}"
#define STATE "{\"partitionKey\":\"u#1\",\"sortKey\":\"login.pin\"}"

static const latch_lock door = {.name = "door", .lease_ms = LEASE_MS, .paradoxical_table = LOCKS};
static const latch_lock patient_door = {.name = "door", .lease_ms = LEASE_MS, .paradoxical_table = LOCKS, .wait_ms = 60000};
static const latch_attempts login = {.name = "login", .max = 3, .window_ms = 60000, .paradoxical_table = KEYS};

static const rig_twin sound = {NULL, NULL};

static int set_up(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    shared_open(LOCKS, "paradoxical-locks");
    assert_int_equal(latch_dynamodb_table_ensure(&eve.cx, KEYS, latch_layout_find("paradoxical-partitioned-keys")->schema, NULL, &ensured),
                     LATCH_OK);
    ann.cx.request_id = LATCH_STR("ann-1");
    bob.cx.request_id = LATCH_STR("bob-1");
    return 0;
}

static void begin_again(rig_twin twin) {
    static const char *const keys[] = {MARKER, CLAIM, STATE};
    delete_there(LOCKS, LOCK_KEY);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        delete_there(KEYS, keys[i]);
    pair_again(twin);
    bob.before = NULL;
}

/* ── lock ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status take(rig *r, latch_hold *out) { return latch_lock_take(&r->cx, &door, LATCH_STR("front"), out); }
static int64_t expires(void) { return number_there(LOCKS, LOCK_KEY, "expiresAt"); }

/* DynamoLock.tryAcquire: sets expiresAt alone, where now >= expiresAt. */
static bool they_take(int64_t timeout_s) {
    int64_t now_s = rig_now_ms(&world) / 1000;
    rig_again(&eve, 0);
    latch_status status =
        latch_dynamodb_update(&eve.cx,
                              &(latch_dynamodb_update_request){.table = LOCKS,
                                                               .key = parsed_by(&eve, LOCK_KEY),
                                                               .update = "SET #expiresAt = :e",
                                                               .condition = "attribute_not_exists(#key) OR :now >= #expiresAt",
                                                               .values = LATCH_VALUES(":e", now_s + timeout_s, ":now", now_s)},
                              NULL);
    assert_true(status == LATCH_OK || status == LATCH_CONFLICT);
    return status == LATCH_OK;
}

static void lock_excludes_both_ways(void **state) {
    latch_hold hold, other;
    (void)state;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(expires(), (T0 + LEASE_MS + SKEW_MS) / 1000);
    assert_true(hold.fence == 0 && hold.until_ms >= T0 + LEASE_MS && hold.until_ms < T0 + LEASE_MS + 1000);
    assert_false(they_take(60));
    assert_int_equal(take(&bob, &other), LATCH_HELD);
    assert_true(latch_str_eq(other.other, LATCH_STR("ann-1")));
    rig_pass(&world, 1500);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS), LATCH_OK);
    assert_int_equal(expires(), (T0 + LEASE_MS + SKEW_MS) / 1000 + 2); /* rounded up */
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    assert_int_equal(ann.requests, 3);
    assert_true(they_take(60));
    assert_int_equal(take(&ann, &hold), LATCH_HELD);
    assert_true(latch_str_eq(hold.other, LATCH_STR("another library")));
    assert_int_equal(hold.until_ms, T0 - T0 % 1000 + 61000);
    assert_int_equal(ann.cx.err.retry_at_ms, hold.until_ms + SKEW_MS);
    rig_at(&world, ann.cx.err.retry_at_ms - 1);
    assert_int_equal(take(&ann, &hold), LATCH_HELD);
    rig_pass(&world, 1);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
}

/* Its takeover leaves our attributes: our release and extension look whose expiresAt it is. Its release deletes ours. */
static void lock_gives_back_nobody_elses(void **state) {
    latch_hold hold;
    (void)state;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    rig_pass(&world, LEASE_MS + SKEW_MS);
    assert_false(latch_lock_held(&ann.cx, &hold)); /* before DynamoLock may take it, by any clock within the margin */
    assert_true(they_take(60));
    int64_t theirs = expires();
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, 600000), LATCH_CONFLICT);
    assert_int_equal(expires(), theirs);
    begin_again(sound);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    rig_pass(&world, LEASE_MS + SKEW_MS);
    assert_true(they_take(60));
    theirs = expires();
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_CONFLICT);
    assert_int_equal(expires(), theirs);
    delete_there(LOCKS, LOCK_KEY);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
}

static void lock_recognises_its_own_tries(void **state) {
    static const rig_twin forgets_itself = {"#recordVersionNumber <> :v", "(#recordVersionNumber <> :v OR #recordVersionNumber = :v)"};
    latch_hold hold, again;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_again(i == 0 ? sound : forgets_itself);
        ann.faults[0] = LATE;
        assert_int_equal(take(&ann, &hold), LATCH_OK);
        assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        rig_deliver(&ann);
        assert_int_equal(take(&bob, &again), i == 0 ? LATCH_OK : LATCH_HELD);
    }
    begin_again(sound);
    ann.faults[0] = ann.faults[1] = LOST_AFTER;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    assert_int_equal(take(&bob, &again), LATCH_HELD);
    ann.faults[ann.requests] = LOST_AFTER;
    rig_pass(&world, 5000);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS), LATCH_OK);
    assert_true(hold.until_ms >= T0 + 5000 + LEASE_MS);
}

/* How often DynamoLock and we held it at once, where our clock is ahead by so much. */
static size_t held_by_both(int64_t ahead_ms) {
    latch_hold hold;
    size_t twice = 0;
    begin_again(sound);
    ann.ahead_us = ahead_ms * 1000;
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    for (int64_t ms = 0; ms < 40000; ms += 250) {
        bool held = latch_lock_held(&ann.cx, &hold);
        if (they_take(3600)) {
            twice += held;
            break;
        }
        rig_pass(&world, 250);
    }
    begin_again(sound);
    assert_true(they_take(30));
    assert_int_equal(latch_lock_take(&ann.cx, &patient_door, LATCH_STR("front"), &hold), LATCH_OK);
    twice += rig_now_ms(&world) < T0 + 30000;
    ann.ahead_us = 0;
    return twice;
}

/* Two clocks 2 s apart, either way: no moment in which both hold it. */
static void lock_bears_clocks_that_differ(void **state) {
    static const int64_t ahead_ms[] = {-2000, -1999, -1, 0, 1, 1999, 2000};
    size_t twice = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ahead_ms); i++)
        assert_int_equal(held_by_both(ahead_ms[i]), 0);
    ann.table.max_clock_skew_ms = 1; /* without the margin the test sees it */
    for (size_t i = 0; i < COUNT_OF(ahead_ms); i++)
        twice += held_by_both(ahead_ms[i]);
    assert_true(twice >= 2);
}

static void lock_is_guarded_looked_at_and_broken(void **state) {
    latch_dynamodb_action guard;
    latch_lock_holder holder;
    latch_hold hold;
    latch_json item;
    (void)state;
    assert_int_equal(latch_lock_look(&ann.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    assert_int_equal(take(&ann, &hold), LATCH_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(latch_lock_guard(&ann.cx, &hold, &guard), LATCH_OK);
        latch_status status =
            latch_dynamodb_transact_write(&ann.cx,
                                          &(latch_dynamodb_transact_write_request){LATCH_ACTIONS(
                                              guard, {.kind = LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "pk", "doc", "sk", "1")})},
                                          NULL);
        assert_int_equal(status, i == 0 ? LATCH_OK : LATCH_CONFLICT);
        rig_pass(&world, LEASE_MS + SKEW_MS);
        assert_int_equal(they_take(60), i == 0);
    }
    assert_int_equal(latch_lock_mark(&ann.cx, &hold, NULL, latch_object(&ann.cx, "pk", "doc", "sk", "1"), &item), LATCH_E_MISUSE);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(latch_lock_break(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(latch_lock_break(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_CONFLICT);
    assert_int_equal(latch_lock_look(&bob.cx, &door, LATCH_STR("front"), &holder), LATCH_MISSING);
    assert_true(they_take(60));
}

/* ── do-once ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct work {
    size_t runs;
    uint32_t takeovers;
    latch_status ends;
    void (*meanwhile)(void);
} work;

static latch_status mail(latch_ctx *cx, latch_work *w) {
    work.runs++;
    work.takeovers = w->takeovers;
    if (work.meanwhile != NULL) work.meanwhile();
    w->result = latch_object(cx, "n", (int64_t)work.runs);
    cx->err.status = work.ends;
    return work.ends;
}

static const latch_once mailing = {.name = "mail", .work = mail, .paradoxical_table = KEYS};

static latch_str user_key(rig *r) { return latch_key(&r->cx, LATCH_STR("u#1"), LATCH_STR("mail")); }
static latch_status run(rig *r, latch_once_result *out) { return latch_once_do(&r->cx, &mailing, user_key(r), LATCH_NULL, out); }
static void mark_by_theirs(const char *data) {
    char item[200];
    snprintf(item, sizeof item, "{\"partitionKey\":\"u#1\",\"sortKey\":\"users.do_once.mail\",\"data\":\"%s\"}", data);
    put_there(KEYS, item);
}

static void once_keeps_their_marker(void **state) {
    latch_once_result out;
    (void)state;
    work = (struct work){0};
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_int_equal(ann.requests, 4);
    assert_true(out.did);
    assert_string_equal(text_there(KEYS, MARKER, "data"), "1767225600000");
    assert_string_equal(text_there(KEYS, CLAIM, "status"), "COMPLETED");
    assert_false(has_there(KEYS, CLAIM, "ttl"));
    rig_pass(&world, 1000);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_int_equal(bob.requests, 2);
    assert_true(!out.did && !out.not_kept && out.done_at_ms == T0);
    is_text(out.response, "{\"n\":1}");
    rig_pass(&world, 2 * LATCH_HOUR_MS); /* the response is kept for an hour, the marker for ever */
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(!out.did && out.not_kept && out.done_at_ms == T0);
    assert_int_equal(latch_once_already_done(&bob.cx, &mailing, user_key(&bob), &out), LATCH_OK);
    assert_true(out.not_kept && out.done_at_ms == T0);
    delete_there(KEYS, MARKER); /* DoOnceManager.clearKey */
    assert_int_equal(latch_once_already_done(&bob.cx, &mailing, user_key(&bob), &out), LATCH_MISSING);
    assert_int_equal(run(&bob, &out), LATCH_OK);
    assert_true(out.did && work.runs == 2);
    delete_there(KEYS, MARKER); /* at once: our record is there still */
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_true(out.did && work.runs == 3);
}

static void once_believes_their_marker(void **state) {
    static const struct {
        const char *data;
        int64_t at_ms;
    } rows[] = {{"1767225599000", 1767225599000}, {"\\\"yes\\\"", 0}, {"", 0}, {"99999999999999999999", 0}, {"true", 0}};
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        work = (struct work){0};
        mark_by_theirs(rows[i].data);
        assert_int_equal(run(&ann, &out), LATCH_OK);
        assert_true(!out.did && out.not_kept && work.runs == 0);
        if (out.done_at_ms != rows[i].at_ms) fail_msg("row %zu: %lld", i, (long long)out.done_at_ms);
        delete_there(KEYS, MARKER);
        assert_int_equal(run(&ann, &out), LATCH_OK);
        assert_true(out.did && work.takeovers == 0); /* what was given back was never begun */
    }
}

static void busy_elsewhere(void) {
    latch_once_result out;
    work.meanwhile = NULL;
    assert_int_equal(run(&bob, &out), LATCH_BUSY);
    assert_int_equal(latch_once_clear(&bob.cx, &mailing, user_key(&bob)), LATCH_BUSY);
    assert_int_equal(latch_once_mark_done(&bob.cx, &mailing, user_key(&bob), LATCH_NULL, LATCH_NULL), LATCH_BUSY);
    assert_int_equal(latch_once_already_done(&bob.cx, &mailing, user_key(&bob), &out), LATCH_BUSY);
}

static void once_is_claimed_marked_and_cleared(void **state) {
    latch_once_result out;
    (void)state;
    work = (struct work){.meanwhile = busy_elsewhere, .ends = LATCH_E_NETWORK};
    assert_int_equal(run(&ann, &out), LATCH_E_NETWORK);
    assert_null(there(KEYS, MARKER).node);
    work.ends = LATCH_OK;
    assert_int_equal(run(&ann, &out), LATCH_OK);
    assert_int_equal(work.takeovers, 1);
    assert_int_equal(latch_once_clear(&ann.cx, &mailing, user_key(&ann)), LATCH_OK);
    assert_null(there(KEYS, MARKER).node);
    assert_null(there(KEYS, CLAIM).node);
    rig_pass(&world, 7);
    assert_int_equal(latch_once_mark_done(&ann.cx, &mailing, user_key(&ann), LATCH_NULL, latch_object(&ann.cx, "a", latch_int(1))),
                     LATCH_OK);
    assert_string_equal(text_there(KEYS, MARKER, "data"), "1767225600007");
    assert_int_equal(run(&bob, &out), LATCH_OK);
    is_text(out.response, "{\"a\":1}");
    rig_pass(&world, 7);
    assert_int_equal(latch_once_mark_done(&ann.cx, &mailing, user_key(&ann), LATCH_NULL, LATCH_NULL), LATCH_OK);
    assert_string_equal(text_there(KEYS, MARKER, "data"), "1767225600007"); /* what was done stays as it was */
}

/* At each request, whatever is lost: done once, or told; the marker stands where it was done. */
static void once_survives_faults_at_each_request(void **state) {
    static const fault faults[] = {NOT_SENT, LOST_BEFORE, LOST_AFTER, LATE, FAILS_500, ANSWERS_NO_JSON};
    latch_once_result out;
    (void)state;
    for (size_t i = 0; i < 4 * COUNT_OF(faults); i++) {
        begin_again(sound);
        work = (struct work){0};
        ann.faults[i % 4] = faults[i / 4];
        latch_status status = run(&ann, &out);
        rig_deliver(&ann);
        bool marked = there(KEYS, MARKER).node != NULL;
        if (status == LATCH_OK && !(marked && work.runs == 1)) fail_msg("request %zu, fault %zu", i % 4, i / 4);
        rig_pass(&world, 120000);
        assert_int_equal(run(&bob, &out), LATCH_OK);
        if (marked) assert_int_equal(work.runs, 1);
        assert_true(there(KEYS, MARKER).node != NULL && work.runs <= 2 && (work.runs == 1 || work.takeovers > 0));
    }
}

/* ── limited attempt ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_str login_key(rig *r) { return latch_key(&r->cx, LATCH_STR("u#1"), LATCH_STR("pin")); }
static latch_status attempt(rig *r, latch_attempt *out) {
    return latch_attempts_take(&r->cx, &login, login_key(r), latch_object(&r->cx, "by", "latch"), out);
}

static void state_by_theirs(const char *data) {
    rig_again(&eve, 0);
    latch_json item = latch_object(&eve.cx, "partitionKey", "u#1", "sortKey", "login.pin", "data", data);
    assert_int_equal(latch_dynamodb_put(&eve.cx, &(latch_dynamodb_put_request){.table = KEYS, .item = item}, NULL), LATCH_OK);
}

static void attempts_keep_their_state(void **state) {
    latch_attempt out;
    latch_json found;
    int64_t n, created;
    (void)state;
    for (int i = 1; i <= 3; i++) {
        rig_again(&ann, 0);
        assert_int_equal(attempt(&ann, &out), LATCH_OK);
        assert_int_equal(ann.requests, 2);
        assert_int_equal(out.used, i);
        is_text(out.context, "{\"by\":\"latch\"}");
        rig_pass(&world, 100);
    }
    assert_int_equal(latch_parse(&bob.cx, "state", latch_str_of(text_there(KEYS, STATE, "data")), &found), LATCH_E_INPUT); /* cut */
    latch_json item = there(KEYS, STATE);
    latch_str text;
    assert_int_equal(latch_read(item, "data", &text), LATCH_OK);
    assert_int_equal(latch_parse(&eve.cx, "state", text, &found), LATCH_OK);
    assert_int_equal(latch_read(found, "attempts", &n, "created", &created), LATCH_OK);
    assert_true(n == 3 && created == T0);
    rig_again(&ann, 0);
    assert_int_equal(attempt(&ann, &out), LATCH_LIMITED);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(ann.cx.err.retry_at_ms, T0 + 60001);
    rig_at(&world, T0 + 60000); /* theirs: over when now > created + validity */
    assert_int_equal(attempt(&ann, &out), LATCH_LIMITED);
    rig_pass(&world, 1);
    assert_int_equal(attempt(&ann, &out), LATCH_OK);
    assert_int_equal(out.used, 1);
}

static void attempts_read_what_they_wrote(void **state) {
    static const struct {
        const char *data;
        latch_status wants;
        int64_t used;
        const char *context;
    } rows[] = {
        {"{\"created\":1767225590000,\"data\":\"ctx\",\"attempts\":2}", LATCH_OK, 3, "\"ctx\""},
        {"{\"created\":1767225590000,\"attempts\":2}", LATCH_OK, 3, "null"},
        {"{\"created\":1767225590000,\"attempts\":3}", LATCH_LIMITED, 3, "null"},
        {"{\"created\":1767225540000,\"attempts\":3}", LATCH_LIMITED, 3, "null"},
        {"{\"created\":1767225539999,\"attempts\":3}", LATCH_OK, 1, "{\"by\":\"latch\"}"},
        {"{\"attempts\":3}", LATCH_E_DATA, 0, NULL},
        {"{\"created\":\"x\",\"attempts\":3}", LATCH_E_DATA, 0, NULL},
        {"nonsense", LATCH_E_DATA, 0, NULL},
    };
    latch_attempt out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again(sound);
        state_by_theirs(rows[i].data);
        latch_status status = attempt(&ann, &out);
        if (status != rows[i].wants) fail_msg("row %zu: %d, %s", i, status, ann.cx.err.message);
        assert_int_equal(out.used, rows[i].used);
        if (rows[i].context != NULL) is_text(out.context, rows[i].context);
        if (status != LATCH_OK) continue;
        assert_int_equal(latch_attempts_clear(&ann.cx, &login, login_key(&ann), &out), LATCH_OK);
        assert_null(there(KEYS, STATE).node);
        assert_int_equal(latch_attempts_clear(&ann.cx, &login, login_key(&ann), &out), LATCH_OK);
        assert_int_equal(attempt(&bob, &(latch_attempt){0}), LATCH_OK);
        assert_int_equal(latch_attempts_clear(&ann.cx, &login, login_key(&ann), &out), LATCH_CONFLICT);
    }
}

/* Another attempt before each of our puts. */
static size_t meddles;
static void meddle(void *arg) {
    latch_attempt out;
    (void)arg;
    if (strcmp(ann.operation, "PutItem") != 0 || meddles == 0) return;
    meddles--;
    rig_again(&bob, 0);
    assert_int_equal(latch_attempts_take(&bob.cx,
                                         &(latch_attempts){.name = "login", .max = 100, .window_ms = 60000, .paradoxical_table = KEYS},
                                         login_key(&bob), LATCH_NULL, &out),
                     LATCH_OK);
}

static void attempts_are_swapped_at_most_eight_times(void **state) {
    static const latch_attempts many = {.name = "login", .max = 100, .window_ms = 60000, .paradoxical_table = KEYS};
    static const rig_twin forgets_old = {"#data = :old", "(#data = :old OR attribute_exists(#data))"};
    latch_attempt out;
    (void)state;
    for (size_t m = 0; m < 9; m++) {
        begin_again(sound);
        ann.before = meddle;
        meddles = m;
        latch_status status = latch_attempts_take(&ann.cx, &many, login_key(&ann), LATCH_NULL, &out);
        assert_int_equal(status, m < 8 ? LATCH_OK : LATCH_CONFLICT);
        if (m < 8) assert_int_equal(out.used, m + 1);
        assert_int_equal(ann.requests, m < 8 ? m + 2 : 9);
        assert_false(ann.cx.err.maybe_applied);
    }
    begin_again(forgets_old); /* a count is lost, and the test sees it */
    assert_int_equal(attempt(&ann, &out), LATCH_OK);
    ann.before = meddle;
    meddles = 1;
    assert_int_equal(latch_attempts_take(&ann.cx, &many, login_key(&ann), LATCH_NULL, &out), LATCH_OK);
    assert_int_equal(out.used, 2);
}

static void attempts_recognise_their_own_tries(void **state) {
    static const fault faults[] = {LOST_AFTER, LOST_BEFORE, FAILS_500, ANSWERS_NO_JSON, LATE};
    latch_attempt out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        begin_again(sound);
        ann.faults[1] = faults[i];
        latch_status status = attempt(&ann, &out);
        if (status != LATCH_OK) assert_true(ann.cx.err.maybe_applied);
        if (status == LATCH_OK) assert_int_equal(out.used, 1);
        rig_deliver(&ann);
        for (int n = 2; n <= 3; n++)
            assert_int_equal(attempt(&bob, &out), LATCH_OK);
        assert_int_equal(attempt(&bob, &out), LATCH_LIMITED);
    }
}

/* ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void keys_have_two_parts(void **state) {
    static char long_part[1100];
    latch_attempt attempted;
    latch_once_result done;
    (void)state;
    memset(long_part, 'k', sizeof long_part - 1);
    const latch_str rows[] = {LATCH_STR("one"),
                              LATCH_STR("a#b#c"),
                              LATCH_STR("#b"),
                              LATCH_STR("a#"),
                              LATCH_STR(""),
                              LATCH_STR("a#b\x01"),
                              latch_key(&eve.cx, LATCH_STR("a"), latch_str_of(long_part))};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(latch_attempts_take(&ann.cx, &login, rows[i], LATCH_NULL, &attempted), LATCH_E_INPUT);
        assert_int_equal(latch_once_do(&ann.cx, &mailing, rows[i], LATCH_NULL, &done), LATCH_E_INPUT);
    }
    static const latch_attempts bad[] = {{.name = "login", .max = 3, .window_ms = 60000, .paradoxical_table = ""},
                                         {.name = "login", .max = 3, .window_ms = 60000, .paradoxical_table = "a b"},
                                         {.name = "login", .max = 0, .window_ms = 60000, .paradoxical_table = KEYS},
                                         {.name = "login", .max = 3, .window_ms = 0, .paradoxical_table = KEYS},
                                         {.name = "", .max = 3, .window_ms = 60000, .paradoxical_table = KEYS}};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(latch_attempts_take(&ann.cx, &bad[i], login_key(&ann), LATCH_NULL, &attempted), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, shared_tear_down)

static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(lock_excludes_both_ways),
    ROW(lock_gives_back_nobody_elses),
    ROW(lock_recognises_its_own_tries),
    ROW(lock_bears_clocks_that_differ),
    ROW(lock_is_guarded_looked_at_and_broken),
    ROW(once_keeps_their_marker),
    ROW(once_believes_their_marker),
    ROW(once_is_claimed_marked_and_cleared),
    ROW(once_survives_faults_at_each_request),
    ROW(attempts_keep_their_state),
    ROW(attempts_read_what_they_wrote),
    ROW(attempts_are_swapped_at_most_eight_times),
    ROW(attempts_recognise_their_own_tries),
    ROW(keys_have_two_parts),
    // clang-format on
};

CHECK_MAIN(tests)

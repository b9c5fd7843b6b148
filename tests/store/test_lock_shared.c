#include <stdlib.h>

#include "core/ctx.h"
#include "store/lock.h"
#include "tests/store/shared.h"

#define LEASE_MS INT64_C(30000)
#define SKEW_MS INT64_C(2000)
#define TABLE "locks"
#define KEY "{\"key\":\"front\"}"

static const latch_lock_client java = {.table = TABLE, .flavour = LATCH_LOCK_CLIENT_JAVA},
                               go = {.table = TABLE, .flavour = LATCH_LOCK_CLIENT_GO};
static const latch_lock by_java = {.name = "door", .lease_ms = LEASE_MS, .lock_client = &java};
static const latch_lock by_go = {.name = "door", .lease_ms = LEASE_MS, .lock_client = &go};
static const latch_lock patient = {.name = "door", .lease_ms = LEASE_MS, .lock_client = &java, .wait_ms = 60000};
static const latch_lock kept = {.name = "door", .lease_ms = LEASE_MS, .lock_client = &java, .keep = true};
static const latch_lock *const both[] = {&by_java, &by_go};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_version = {"#recordVersionNumber = :seen",
                                         "(#recordVersionNumber = :seen OR attribute_exists(#recordVersionNumber))"};
static const rig_twin forgets_itself = {"#recordVersionNumber <> :v", "(#recordVersionNumber <> :v OR #recordVersionNumber = :v)"};
static const rig_twin takes_all = {"attribute_exists(#isReleased))", "attribute_exists(#isReleased) OR attribute_exists(#ownerName))"};

static int set_up(void **state) {
    (void)state;
    shared_open(TABLE, "lock-client");
    ann.cx.request_id = LATCH_STR("ann-1");
    bob.cx.request_id = LATCH_STR("bob-1");
    return 0;
}

/* What each process watched is forgotten too: as new sandboxes. */
static void begin_again(rig_twin twin) {
    delete_there(TABLE, KEY);
    pair_again(twin);
    free(ann.client.watch);
    free(bob.client.watch);
    ann.client.watch = bob.client.watch = NULL;
    ann.before = bob.before = NULL;
}

static latch_status take(rig *r, const latch_lock *lock, latch_hold *out) { return latch_lock_take(&r->cx, lock, LATCH_STR("front"), out); }
static const char *stored(const char *attribute) { return text_there(TABLE, KEY, attribute); }

/* A lock as the libraries put it: whole. */
static void theirs(const char *version, const char *lease, bool released) {
    char item[300];
    snprintf(item, sizeof item,
             "{\"key\":\"front\",\"ownerName\":\"host-1\",\"leaseDuration\":\"%s\",\"recordVersionNumber\":\"%s\",\"data\":{\"$binary\":"
             "\"QQ==\"}%s}",
             lease, version, released ? ",\"isReleased\":\"1\"" : "");
    put_there(TABLE, item);
}

/* ── what is stored, and what it costs ──────────────────────────────────────────────────────────────────────────────────── */

static void stores_what_they_read(void **state) {
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        begin_again(sound);
        assert_int_equal(take(&ann, both[i], &hold), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_string_equal(stored("ownerName"), "ann-1");
        assert_string_equal(stored("leaseDuration"), i == 0 ? "30000" : "30s");
        char before[64];
        snprintf(before, sizeof before, "%s", stored("recordVersionNumber"));
        assert_int_equal(strlen(before), 36);
        assert_false(has_there(TABLE, KEY, "expiresAt") || has_there(TABLE, KEY, "fence") || has_there(TABLE, KEY, "ttl"));
        assert_int_equal(hold.fence, 0);
        assert_int_equal(hold.until_ms, T0 + LEASE_MS);
        rig_pass(&world, 1000);
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, 90000), LATCH_OK);
        assert_int_equal(ann.requests, 2);
        assert_int_equal(hold.until_ms, T0 + 91000);
        assert_string_not_equal(stored("recordVersionNumber"), before);
        assert_string_equal(stored("leaseDuration"), i == 0 ? "90000" : "1m30s");
        assert_int_equal(latch_lock_extend(&ann.cx, &hold, 1), LATCH_OK); /* never shorter than it is held already */
        assert_int_equal(hold.until_ms, T0 + 91000);
        assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        assert_int_equal(ann.requests, 4);
        assert_string_equal(stored("isReleased"), "1");
        assert_int_equal(take(&bob, both[1 - i], &hold), LATCH_OK);
        assert_int_equal(bob.requests, 1);
        assert_false(has_there(TABLE, KEY, "isReleased"));
    }
}

static void writes_leases_as_go_does(void **state) {
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{1, "1ms"},          {999, "999ms"},           {1000, "1s"},
                {1500, "1.5s"},      {1025, "1.025s"},         {1050, "1.05s"},
                {59999, "59.999s"},  {60000, "1m0s"},          {61010, "1m1.01s"},
                {3600000, "1h0m0s"}, {5400001, "1h30m0.001s"}, {INT64_C(31622400000), "8784h0m0s"}};
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_lock lock = {.name = "door", .lease_ms = rows[i].ms, .lock_client = &go};
        begin_again(sound);
        assert_int_equal(take(&ann, &lock, &hold), LATCH_OK);
        assert_string_equal(stored("leaseDuration"), rows[i].text);
    }
}

static void reads_leases_of_both(void **state) {
    static const struct {
        const char *text;
        int64_t ms; /* -1: it is none */
    } rows[] = {{"20000", 20000}, {"0", 0},       {"20s", 20000}, {"1m30s", 90000}, {"1h0m0.5s", 3600500},
                {"1.5s", 1500},   {"100ms", 100}, {"1us", 1},     {"2ns", 1},       {"1\xc2\xb5s", 1},
                {".5s", 500},     {"", -1},       {"s", -1},      {"20 s", -1},     {"20x", -1},
                {"-1s", -1},      {"1..5s", -1},  {"1s5", -1},    {"1h0m0", -1},    {"99999999999999999h", -1},
                {"1e3s", -1}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        latch_hold hold;
        begin_again(sound);
        theirs("v-1", rows[i / 2].text, false);
        latch_status status = take(&ann, both[i % 2], &hold);
        if (status != (rows[i / 2].ms < 0 ? LATCH_E_DATA : LATCH_HELD)) fail_msg("row %zu: %d", i / 2, status);
        /* rounded up to a millisecond and one more: never sooner */
        if (status == LATCH_HELD) assert_in_range(hold.until_ms - T0, rows[i / 2].ms, rows[i / 2].ms + 1);
    }
}

/* ── taking over: a version that stands still for a lease ───────────────────────────────────────────────────────────────── */

static void takes_over_what_stood_still_for_a_lease(void **state) {
    static const struct {
        int64_t pass_ms;
        bool changes;
        latch_status wants;
        size_t requests;
    } rows[] = {{19999, false, LATCH_HELD, 1}, {20000, false, LATCH_HELD, 1}, {20001, false, LATCH_OK, 2}, {60000, true, LATCH_HELD, 1}};
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        const latch_lock *lock = both[i % 2];
        begin_again(sound);
        theirs("v-1", i % 2 ? "20s" : "20000", false);
        assert_int_equal(take(&ann, lock, &hold), LATCH_HELD);
        assert_true(latch_str_eq(hold.other, LATCH_STR("host-1")));
        assert_int_equal(ann.cx.err.retry_at_ms, hold.until_ms + 1);
        rig_pass(&world, rows[i / 2].pass_ms);
        if (rows[i / 2].changes) theirs("v-2", "20000", false);
        rig_end(&ann, LATCH_OK); /* the invocation ends: what was seen stays in the process */
        rig_again(&ann, 0);
        latch_status status = take(&ann, lock, &hold);
        if (status != rows[i / 2].wants) fail_msg("row %zu: %d, %s", i / 2, status, ann.cx.err.message);
        assert_int_equal(ann.requests, rows[i / 2].requests);
        assert_int_equal(take(&bob, lock, &hold), LATCH_HELD); /* another process has seen nothing yet */
    }
}

/* The clock that says less is believed: a wall clock that was set, a boot time that stood still. */
static void believes_the_clock_that_stood_still(void **state) {
    latch_hold hold;
    (void)state;
    begin_again(sound);
    theirs("v-1", "20000", false);
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD);
    ann.ahead_us += INT64_C(3600) * 1000000;
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD);
    ann.ahead_us -= INT64_C(7200) * 1000000;
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD);
    rig_pass(&world, 20001);
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD); /* by its wall clock, an hour back, nothing has passed */
    ann.ahead_us = 0;
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_OK);
}

static void waits_for_it(void **state) {
    latch_hold hold;
    (void)state;
    begin_again(sound);
    theirs("v-1", "20000", false);
    assert_int_equal(take(&ann, &patient, &hold), LATCH_OK);
    assert_in_range(ann.slept_ms, 20001, 22000);
    begin_again(sound);
    theirs("v-1", "0", true);
    assert_int_equal(take(&ann, &patient, &hold), LATCH_OK);
    assert_int_equal(ann.slept_ms, 0);
}

/* It moves between the look and the request that takes it over: its holder is alive. */
static void moves_meanwhile(void *arg) {
    if (arg == NULL && ann.requests == 2) theirs("v-2", "20000", false);
}

static bool takes_from_the_living(rig_twin twin) {
    latch_hold hold;
    begin_again(twin);
    theirs("v-1", "20000", false);
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD);
    rig_pass(&world, 20001);
    rig_again(&ann, 0);
    ann.before = moves_meanwhile;
    ann.arg = NULL;
    latch_status status = take(&ann, &by_java, &hold);
    ann.before = NULL;
    return status == LATCH_OK;
}

static void leaves_it_to_one_that_moved_meanwhile(void **state) {
    (void)state;
    assert_false(takes_from_the_living(sound));
    assert_true(takes_from_the_living(forgets_version)); /* the test sees it */
}

/* ── lost and late ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void recognises_its_own_tries(void **state) {
    latch_hold hold;
    (void)state;
    begin_again(sound);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_OK);
    assert_int_equal(hold.until_ms, T0 + LEASE_MS);
    ann.faults[ann.requests] = LOST_AFTER;
    rig_pass(&world, 1000);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS), LATCH_OK);
    assert_int_equal(hold.until_ms, T0 + 1000 + LEASE_MS);
    assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS + 1), LATCH_OK);
    ann.faults[ann.requests] = LOST_AFTER;
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    assert_string_equal(stored("isReleased"), "1");
}

static void all_lost(rig *r, fault f) {
    for (size_t i = 0; i < COUNT_OF(r->faults); i++)
        r->faults[i] = f;
}

/* An extension of which nothing was heard: the version is one of two, and whatever comes next finds which. */
static void goes_on_after_an_extension_of_which_nothing_was_heard(void **state) {
    static const fault faults[] = {LOST_AFTER, LOST_BEFORE};
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < 3 * COUNT_OF(faults); i++) {
        begin_again(sound);
        assert_int_equal(take(&ann, &by_java, &hold), LATCH_OK);
        all_lost(&ann, faults[i % 2]);
        rig_pass(&world, 1000);
        latch_status status = latch_lock_extend(&ann.cx, &hold, LEASE_MS);
        assert_true(status == LATCH_E_NETWORK || status == LATCH_E_TIMEOUT);
        assert_int_equal(hold.until_ms, T0 + LEASE_MS);
        all_lost(&ann, NO_FAULT);
        latch_dynamodb_action guard;
        if (i / 2 == 0) assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        if (i / 2 == 0) assert_string_equal(stored("isReleased"), "1");
        if (i / 2 == 1) {
            char before[64];
            snprintf(before, sizeof before, "%s", stored("recordVersionNumber"));
            rig_pass(&world, 1000);
            assert_int_equal(latch_lock_extend(&ann.cx, &hold, LEASE_MS), LATCH_OK);
            assert_string_not_equal(stored("recordVersionNumber"), before); /* whoever watches begins anew */
            assert_in_range(hold.until_ms, T0 + LEASE_MS + 2000, T0 + LEASE_MS + 20000);
            assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
        }
        if (i / 2 == 2) {
            assert_int_equal(latch_lock_guard(&ann.cx, &hold, &guard), LATCH_OK);
            latch_status sent = latch_dynamodb_transact_write(
                &ann.cx,
                &(latch_dynamodb_transact_write_request){
                    LATCH_ACTIONS(guard, {.kind = LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "pk", "doc", "sk", "1")})},
                NULL);
            if (sent != LATCH_OK) fail_msg("%s", ann.cx.err.message);
        }
    }
}

/* A try of the taking comes after the release, or after another took it: it finds its version, or another's. */
static bool late_try_takes(rig_twin twin, bool another) {
    latch_hold hold, others;
    begin_again(twin);
    ann.faults[0] = LATE;
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_OK);
    assert_int_equal(latch_lock_release(&ann.cx, &hold), LATCH_OK);
    if (another) assert_int_equal(take(&bob, &by_java, &others), LATCH_OK);
    rig_deliver(&ann);
    bool held = !has_there(TABLE, KEY, "isReleased");
    return another ? strcmp(stored("ownerName"), "bob-1") != 0 : held;
}

static void late_tries_take_nothing(void **state) {
    (void)state;
    assert_false(late_try_takes(sound, false));
    assert_false(late_try_takes(sound, true));
    assert_true(late_try_takes(forgets_itself, false));
    assert_true(late_try_takes(takes_all, true));
}

/* ── two processes and one of theirs, at random: never two holders ──────────────────────────────────────────────────────── */

static uint32_t seed;
static uint32_t next_random(void) { return seed = seed * 1664525 + 1013904223; }
static fault roll(void *arg) {
    static const fault often[] = {LOST_AFTER, LOST_BEFORE, LATE, FAILS_500, ANSWERS_NO_JSON};
    (void)arg;
    return next_random() >> 16 & 3 ? NO_FAULT : often[(next_random() >> 16) % COUNT_OF(often)];
}

/* Java's client: holds by its own clock from before its put, puts on a version that it saw stand still for its lease, deletes on release. */
static struct java {
    bool holds;
    int64_t until_ms, saw_at_ms, lease_ms;
    char version[64], saw[64];
    unsigned versions;
} client;

static void java_turn(void) {
    char version[64];
    int64_t now_ms = rig_now_ms(&world);
    latch_json item = there(TABLE, KEY);
    latch_str seen_version = {NULL, 0}, lease = {NULL, 0};
    bool is_released = item.node != NULL && latch_has(item, "isReleased");
    if (item.node != NULL) assert_int_equal(latch_read(item, "recordVersionNumber", &seen_version, "leaseDuration", &lease), LATCH_OK);
    bool mine = client.holds && latch_str_eq(seen_version, latch_str_of(client.version));
    if (mine && now_ms < client.until_ms && next_random() >> 16 & 1) {
        delete_there(TABLE, KEY);
        client.holds = false;
        return;
    }
    if (client.holds && now_ms < client.until_ms) return;
    client.holds = false;
    bool still = item.node != NULL && latch_str_eq(seen_version, latch_str_of(client.saw)) && now_ms - client.saw_at_ms > client.lease_ms;
    if (item.node == NULL || is_released || still) {
        snprintf(version, sizeof version, "java-%u", ++client.versions);
        theirs(version, "20000", false);
        client = (struct java){.holds = true, .until_ms = now_ms + 20000, .versions = client.versions};
        snprintf(client.version, sizeof client.version, "%s", version);
    } else if (!latch_str_eq(seen_version, latch_str_of(client.saw))) {
        snprintf(client.saw, sizeof client.saw, "%.*s", LATCH_ARG(seen_version));
        client.saw_at_ms = now_ms;
        char digits[32];
        snprintf(digits, sizeof digits, "%.*s", LATCH_ARG(lease));
        client.lease_ms = strtol(digits, NULL, 10);
    }
}

typedef struct player {
    rig *r;
    latch_hold hold;
    bool taken;
} player;

static void turn(player *p) {
    static const latch_lock lock = {.name = "door", .lease_ms = 15000, .lock_client = &java, .timeout_ms = 500, .keep = true};
    uint32_t dice = next_random() >> 16 & 7;
    if (!p->taken) {
        rig_again(p->r, 0);
        p->r->roll = roll;
        p->taken = latch_lock_take(&p->r->cx, &lock, LATCH_STR("front"), &p->hold) == LATCH_OK;
    } else if (dice == 0) {
        (void)(latch_lock_release(&p->r->cx, &p->hold) == LATCH_OK);
        p->taken = false; /* where nothing was heard of it, it may be released */
    } else if (dice < 3) {
        (void)(latch_lock_extend(&p->r->cx, &p->hold, 15000) == LATCH_OK);
    } else if (dice == 3) {
        p->taken = false; /* forgets it: as one that crashed */
    }
    if (next_random() >> 16 & 1) rig_deliver(p->r);
    if (p->taken && !latch_lock_held(&p->r->cx, &p->hold)) p->taken = false;
}

static size_t two_at_once(rig_twin twin, uint32_t from, size_t turns) {
    player players[2] = {{.r = &ann}, {.r = &bob}};
    size_t broken = 0, held[3] = {0};
    begin_again(twin);
    seed = from;
    client = (struct java){.holds = false};
    for (size_t i = 0; i < turns; i++) {
        uint32_t who = (next_random() >> 16) % 3;
        if (who < 2) turn(&players[who]);
        if (who == 2) java_turn();
        bool a = players[0].taken && latch_lock_held(&ann.cx, &players[0].hold);
        bool b = players[1].taken && latch_lock_held(&bob.cx, &players[1].hold);
        bool c = client.holds && rig_now_ms(&world) < client.until_ms;
        held[0] += a, held[1] += b, held[2] += c;
        broken += a + b + c > 1;
        rig_pass(&world, (int64_t)(next_random() >> 16) % 6000);
    }
    ann.roll = bob.roll = NULL;
    if (twin.from == NULL) assert_true(held[0] > turns / 50 && held[1] > turns / 50 && held[2] > turns / 50);
    return broken;
}

static void is_never_held_twice(void **state) {
    size_t turns = rig_is_engine() ? 6000 : 600, twins = 0;
    (void)state;
    assert_int_equal(two_at_once(sound, 1, turns), 0);
    assert_int_equal(two_at_once(sound, 2, turns), 0);
    twins = two_at_once(takes_all, 1, turns);
    assert_true(twins > 0); /* the test sees it */
}

/* ── tools, options ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void looks_and_breaks(void **state) {
    latch_lock_holder holder;
    latch_hold hold;
    (void)state;
    begin_again(sound);
    assert_int_equal(latch_lock_look(&ann.cx, &by_java, LATCH_STR("front"), &holder), LATCH_MISSING);
    theirs("v-1", "20000", false);
    assert_int_equal(latch_lock_look(&ann.cx, &by_java, LATCH_STR("front"), &holder), LATCH_OK);
    assert_true(latch_str_eq(holder.owner, LATCH_STR("host-1")) && latch_str_eq(holder.version, LATCH_STR("v-1")));
    assert_int_equal(holder.until_ms, T0 + 20000);
    theirs("v-2", "20000", false);
    assert_int_equal(latch_lock_break(&ann.cx, &by_java, LATCH_STR("front"), &holder), LATCH_CONFLICT);
    assert_int_equal(latch_lock_look(&ann.cx, &by_java, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(latch_lock_break(&ann.cx, &by_java, LATCH_STR("front"), &holder), LATCH_OK);
    assert_int_equal(take(&bob, &by_java, &hold), LATCH_OK);
    assert_int_equal(latch_lock_break(&ann.cx, &by_java, LATCH_STR("front"), &(latch_lock_holder){0}), LATCH_E_MISUSE);
}

static void forgets_the_least_lately_seen_first(void **state) {
    latch_hold hold;
    char key[32];
    (void)state;
    begin_again(sound);
    theirs("v-1", "20000", false);
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD);
    rig_pass(&world, 20001);
    for (int i = 0; i < 64; i++) { /* as many as are watched */
        char item[200];
        snprintf(item, sizeof item, "{\"key\":\"k-%d\",\"ownerName\":\"o\",\"leaseDuration\":\"9\",\"recordVersionNumber\":\"v\"}", i);
        put_there(TABLE, item);
        snprintf(key, sizeof key, "k-%d", i);
        rig_again(&ann, 0);
        assert_int_equal(latch_lock_take(&ann.cx, &by_java, latch_str_of(key), &hold), LATCH_HELD);
    }
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_HELD); /* seen anew */
    rig_pass(&world, 20001);
    assert_int_equal(take(&ann, &by_java, &hold), LATCH_OK);
}

static void refuses_bad_options_unsent(void **state) {
    static const latch_lock_client no_flavour = {.table = TABLE}, no_table = {.flavour = 1}, bad_table = {.table = "a b", .flavour = 1},
                                   empty_table = {.table = "", .flavour = 1}, half = {.table = TABLE, .flavour = 1, .sk = "s"},
                                   other_half = {.table = TABLE, .flavour = 1, .sk_value = "s"},
                                   own = {.table = TABLE, .flavour = 1, .pk = "ownerName"};
    static const latch_lock rows[] = {{.name = "door", .lock_client = &no_flavour},
                                      {.name = "door", .lock_client = &no_table},
                                      {.name = "door", .lock_client = &bad_table},
                                      {.name = "door", .lock_client = &empty_table},
                                      {.name = "door", .lock_client = &half},
                                      {.name = "door", .lock_client = &other_half},
                                      {.name = "door", .lock_client = &own},
                                      {.name = "", .lock_client = &java},
                                      {.name = "door", .paradoxical_table = ""},
                                      {.name = "door", .paradoxical_table = "a b"},
                                      {.name = "door", .lock_client = &java, .paradoxical_table = "t-1"}};
    latch_hold hold;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (take(&ann, &rows[i], &hold) != LATCH_E_MISUSE) fail_msg("row %zu: %s", i, ann.cx.err.message);
    assert_int_equal(latch_lock_take(&ann.cx, &by_java, LATCH_STR(""), &hold), LATCH_E_INPUT);
    assert_int_equal(latch_lock_take(&ann.cx, &by_java, LATCH_STR("a\x7f"), &hold), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    assert_int_equal(take(&ann, &kept, &hold), LATCH_OK);
    latch_json item;
    assert_int_equal(latch_lock_mark(&ann.cx, &hold, NULL, latch_object(&ann.cx, "pk", "a", "sk", "b"), &item), LATCH_E_MISUSE);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, shared_tear_down)

static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(stores_what_they_read),
    ROW(writes_leases_as_go_does),
    ROW(reads_leases_of_both),
    ROW(takes_over_what_stood_still_for_a_lease),
    ROW(believes_the_clock_that_stood_still),
    ROW(waits_for_it),
    ROW(leaves_it_to_one_that_moved_meanwhile),
    ROW(recognises_its_own_tries),
    ROW(goes_on_after_an_extension_of_which_nothing_was_heard),
    ROW(late_tries_take_nothing),
    ROW(is_never_held_twice),
    ROW(looks_and_breaks),
    ROW(forgets_the_least_lately_seen_first),
    ROW(refuses_bad_options_unsent),
    // clang-format on
};

CHECK_MAIN(tests)

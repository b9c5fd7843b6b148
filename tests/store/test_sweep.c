#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/sweep_private.h"
#include "tests/check.h"
#include "tests/store/lone.h"

/* What interleaves goes by this caller, one request after another; what runs at the same time by lone.h's. */
static rig bob;

#define OLD "1767225597" /* 3 s before T0: a second more than clocks differ */

static int set_up(void **state) {
    (void)state;
    lone_open(7, (size_t)8 << 20);
    rig_init(&bob, &world, (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state) {
    rig_clean_up(&bob);
    return lone_tear_down(state);
}

static const latch_sweep_target prices = {.store = "cache", .name = "price", .prefixes = {"CACHE", "TAG"}};
static const latch_sweep everything = {.all = true};

static void put(const char *pk, const char *sk, const char *ttl) {
    char item[512];
    snprintf(item, sizeof item, "{\"pk\":{\"S\":\"%s\"},\"sk\":{\"S\":\"%s\"},\"v\":{\"S\":\"1\"}%s%s%s}", pk, sk,
             ttl != NULL ? ",\"ttl\":{\"N\":\"" : "", ttl != NULL ? ttl : "", ttl != NULL ? "\"}" : "");
    rig_put(&world, item);
}

static bool has(const char *pk) { return rig_has(&world, pk, pk, "pk"); }

/* `n` entries, and neighbours that are none. */
static void fill(int n) {
    char pk[64];
    for (int i = 0; i < n; i++) {
        snprintf(pk, sizeof pk, "CACHE#price#k%d", i);
        put(pk, pk, "0");
    }
    put("CACHE#prices#a", "CACHE#prices#a", NULL);
    put("CACHE#pric#a", "CACHE#pric#a", NULL);
    put("xCACHE#price#a", "xCACHE#price#a", NULL);
    put("TAG#price#t", "CACHE#price#k0", NULL);
}

static latch_status run(latch_ctx *cx, latch_sweep_kind kind, const latch_sweep *sweep, latch_swept *out) {
    return latch_sweep_run(cx, kind, &prices, sweep, out);
}

static void clears_what_it_is_told_to(void **state) {
    latch_swept swept;
    (void)state;
    fill(60);
    assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEAR, &everything, &swept), LATCH_OK);
    assert_int_equal(swept.items, 61);
    assert_int_equal(swept.removed, 61);
    assert_int_equal(swept.scanned, 64);
    assert_int_equal(swept.requests, 4); /* a page, and 61 by 25 */
    assert_int_equal(bob.requests, 4);
    assert_false(has("CACHE#price#k0"));
    assert_false(rig_has(&world, "TAG#price#t", "CACHE#price#k0", "pk"));
    assert_true(has("CACHE#prices#a"));
    assert_true(has("CACHE#pric#a"));
    assert_true(has("xCACHE#price#a"));
    assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEAR, &everything, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 0);
}

static void clears_a_scope(void **state) {
    static const struct {
        const char *scope;
        uint64_t removed;
    } rows[] = {{"tea#", 2}, {"tea", 3}, {"te", 3}, {"coffee", 1}, {"%", 1}, {"x", 0}};
    static const char *const keys[] = {"CACHE#price#tea%23a", "CACHE#price#tea%23b", "CACHE#price#teacup", "CACHE#price#coffee",
                                       "CACHE#price#%25"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_swept swept;
        for (size_t k = 0; k < COUNT_OF(keys); k++)
            put(keys[k], keys[k], NULL);
        assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEAR, &(latch_sweep){.scope = latch_str_of(rows[i].scope)}, &swept), LATCH_OK);
        assert_int_equal(swept.removed, rows[i].removed);
    }
}

/* Of a table that others laid out, keys go as they are; "price" is nobody's name there. */
static void goes_through_tables_of_others(void **state) {
    const char *table = unique_table("sweep");
    const latch_place place = {.table = table, .pk = "id", .sk = "", .ttl = "expires"};
    const latch_sweep_target jobs = {.store = "once", .name = "pay", .at = &place, .prefixes = {"DEDUPE"}};
    latch_swept swept;
    (void)state;
    world_ask(&world, "CreateTable",
              "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\","
              "\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]}",
              table);
    for (int i = 0; i < 30; i++)
        world_ask(&world, "PutItem", "{\"TableName\":\"%s\",\"Item\":{\"id\":{\"S\":\"DEDUPE#a#%d\"},\"expires\":{\"N\":\"%s\"}}}", table,
                  i, i % 2 == 0 ? OLD : "0");
    assert_int_equal(latch_sweep_run(&bob.cx, LATCH_SWEEP_STATS, &jobs, &everything, &swept), LATCH_OK);
    assert_int_equal(swept.items, 30);
    assert_int_equal(swept.expired, 15);
    assert_int_equal(latch_sweep_run(&bob.cx, LATCH_SWEEP_CLEANUP, &jobs, &everything, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 15);
    assert_int_equal(latch_sweep_run(&bob.cx, LATCH_SWEEP_CLEAR, &jobs, &(latch_sweep){.scope = LATCH_STR("a#1")}, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 6); /* 1, 11, 13, … 19 */
    assert_int_equal(latch_sweep_run(&bob.cx, LATCH_SWEEP_CLEAR, &jobs, &everything, &swept), LATCH_OK);
    assert_int_equal(swept.removed, 9);
    world_ask(&world, "DeleteTable", "{\"TableName\":\"%s\"}", table);
}

static void cleans_up_what_has_expired(void **state) {
    static const struct {
        const char *ttl;
        bool removed, expired;
    } rows[] = {
        {OLD, true, true},           {"1767225597.5", true, true},   {"1767225598", false, true}, /* within what clocks differ by: another may think that it lives */
        {"1767225600", false, true}, {"1767225600.5", false, false}, {"1767225601", false, false}, {"0", false, false},
        {NULL, false, false},        {"-1", false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_swept swept;
        put("CACHE#price#tea", "CACHE#price#tea", rows[i].ttl);
        rig_again(&bob, 0);
        assert_int_equal(run(&bob.cx, LATCH_SWEEP_STATS, &everything, &swept), LATCH_OK);
        assert_int_equal(swept.items, 1);
        assert_int_equal(swept.expired, rows[i].expired);
        assert_int_equal(swept.removed, 0);
        if (rows[i].ttl == NULL) assert_int_equal(swept.bytes, 2 + 15 + 2 + 15 + 1 + 1);
        if (rows[i].ttl != NULL) assert_in_range(swept.bytes, 36 + 3 + 1, 36 + 3 + 8);
        assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEANUP, &everything, &swept), LATCH_OK);
        assert_int_equal(swept.removed, rows[i].removed);
        assert_int_equal(swept.requests, 1 + rows[i].removed);
        assert_int_equal(has("CACHE#price#tea"), !rows[i].removed);
    }
}

/* Between the page and the delete the item is set anew, and lives. */
static void renews(void *arg) {
    (void)arg;
    if (strcmp(bob.operation, "DeleteItem") == 0) put("CACHE#price#tea", "CACHE#price#tea", "1767225900");
}

static bool keeps_what_is_renewed(rig_twin twin) {
    latch_swept swept;
    world.twin = twin;
    world.twisted = 0;
    put("CACHE#price#tea", "CACHE#price#tea", OLD);
    bob.before = renews;
    assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEANUP, &everything, &swept), LATCH_OK);
    bob.before = NULL;
    assert_int_equal(swept.expired, 1);
    return swept.removed == 0 && has("CACHE#price#tea");
}

static void cleans_up_nothing_that_was_renewed(void **state) {
    static const rig_twin forgets_ttl = {"\"#ttl = :ttl\"", "\"(#ttl = :ttl OR attribute_exists(#ttl))\""};
    (void)state;
    assert_true(keeps_what_is_renewed((rig_twin){NULL, NULL}));
    assert_false(keeps_what_is_renewed(forgets_ttl));
    assert_int_equal(world.twisted, 1);
}

static void tells_what_the_answers_said(void **state) {
    static const struct {
        latch_sweep_kind kind;
        fault faults[2];
        latch_status status;
        uint64_t removed;
        bool gone;
    } rows[] = {
        {LATCH_SWEEP_CLEAR, {LOST_AFTER, NO_FAULT}, LATCH_OK, 1, true},
        {LATCH_SWEEP_CLEAR, {NO_FAULT, LOST_AFTER}, LATCH_OK, 1, true},
        {LATCH_SWEEP_CLEAR, {NOT_SENT, NO_FAULT}, LATCH_E_NETWORK, 0, false},
        {LATCH_SWEEP_CLEANUP, {NO_FAULT, LOST_BEFORE}, LATCH_OK, 1, true},
        {LATCH_SWEEP_CLEANUP, {NO_FAULT, LOST_AFTER}, LATCH_OK, 0, true}, /* whose doing that is isn't known */
        {LATCH_SWEEP_CLEANUP, {NO_FAULT, NOT_SENT}, LATCH_E_NETWORK, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_swept swept;
        put("CACHE#price#tea", "CACHE#price#tea", OLD);
        rig_again(&bob, 0);
        memcpy(bob.faults, rows[i].faults, sizeof rows[i].faults);
        assert_int_equal(run(&bob.cx, rows[i].kind, &everything, &swept), rows[i].status);
        assert_int_equal(swept.removed, rows[i].removed);
        assert_int_equal(has("CACHE#price#tea"), !rows[i].gone);
    }
}

static void refuses_bad_arguments_without_sending(void **state) {
    static const struct {
        latch_sweep sweep;
        latch_status status;
        const char *says;
    } rows[] = {
        {{.all = false}, LATCH_E_MISUSE, "cache price: say which keys by .scope, or that .all are meant"},
        {{.all = true, .scope = {"a", 1}}, LATCH_E_MISUSE, "cache price: .all with a .scope: say one of them"},
        {{.all = true, .segments = -1}, LATCH_E_MISUSE, "cache price: .segments is -1, want 0 to 64"},
        {{.all = true, .segments = 65}, LATCH_E_MISUSE, "cache price: .segments is 65, want 0 to 64"},
        {{.scope = {"a\n", 2}}, LATCH_E_INPUT, "cache price: the key has the control byte 0x0a at 1"},
        {{.scope = {"\xFF", 1}}, LATCH_E_INPUT, "cache price: the key is not UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_swept swept;
        assert_int_equal(run(&bob.cx, LATCH_SWEEP_CLEAR, &rows[i].sweep, &swept), rows[i].status);
        assert_string_equal(latch_error(&bob.cx)->message, rows[i].says);
    }
    assert_int_equal(bob.requests, 0);
}

typedef struct seen {
    uint64_t calls, last_scanned;
    bool went_back;
} seen;

static void see(void *arg, const latch_swept *until_now) {
    seen *s = arg;
    s->calls++;
    s->went_back = s->went_back || until_now->scanned < s->last_scanned;
    s->last_scanned = until_now->scanned;
}

static void goes_in_segments_and_tells_progress(void **state) {
    static const int rows[] = {0, 1, 4};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        seen s = {0};
        latch_swept swept;
        fill(100);
        caller_again(&ann);
        latch_sweep sweep = {.all = true, .segments = rows[i], .progress = see, .arg = &s};
        assert_int_equal(run(&ann.cx, LATCH_SWEEP_STATS, &sweep, &swept), LATCH_OK);
        assert_int_equal(swept.items, 101);
        assert_int_equal(run(&ann.cx, LATCH_SWEEP_CLEAR, &sweep, &swept), LATCH_OK);
        assert_int_equal(swept.removed, 101);
        assert_int_equal(swept.scanned, 104);
        assert_false(has("CACHE#price#k50"));
        if (rows[i] < 2) assert_int_equal(s.calls, 2);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(clears_what_it_is_told_to),
    ROW(clears_a_scope),
    ROW(goes_through_tables_of_others),
    ROW(cleans_up_what_has_expired),
    ROW(cleans_up_nothing_that_was_renewed),
    ROW(tells_what_the_answers_said),
    ROW(refuses_bad_arguments_without_sending),
    ROW(goes_in_segments_and_tells_progress),
};

CHECK_MAIN(tests)

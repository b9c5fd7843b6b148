#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/layouts.h"
#include "store/saga_run.h"
#include "store/tables.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define SKEW_MS 2000
#define STEP_MS 10000

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_version = {"#version = :expected", "(#version = :expected OR attribute_exists(#version))"};

/* ── the steps: each writes down that it ran, and says what it was told to say ──────────────────────────────────────────── */

typedef enum part { PAY, PACK, SHIP, REFUND, UNPACK, PARTS } part;
static const char *const part_names[] = {"pay", "pack", "ship", "refund", "unpack"};

static char diary[2000]; /* "pay pack ship(1) refund": in brackets the takeovers that it was told */
static latch_status says[PARTS];
static bool maybe[PARTS];
static void (*meanwhile[PARTS])(void);

static latch_status do_part(latch_ctx *cx, latch_work *work, part p) {
    size_t len = strlen(diary);
    len += (size_t)snprintf(diary + len, sizeof diary - len, "%s%s", len > 0 ? " " : "", part_names[p]);
    if (work->takeovers > 0) snprintf(diary + len, sizeof diary - len, "(%u)", work->takeovers);
    if (meanwhile[p] != NULL) meanwhile[p]();
    work->result = latch_object(cx, "by", part_names[p]);
    if (says[p] == LATCH_OK) return LATCH_OK;
    if (says[p] == LATCH_E_HANDLER) return latch_fail(cx, "CardDeclined", "the card was declined");
    latch_status said = latch_err_set(&cx->err, says[p], "%s says so", part_names[p]);
    cx->err.maybe_applied = maybe[p];
    return said;
}

static latch_status pay(latch_ctx *cx, latch_work *work) { return do_part(cx, work, PAY); }
static latch_status pack(latch_ctx *cx, latch_work *work) { return do_part(cx, work, PACK); }
static latch_status ship(latch_ctx *cx, latch_work *work) { return do_part(cx, work, SHIP); }
static latch_status refund(latch_ctx *cx, latch_work *work) { return do_part(cx, work, REFUND); }
static latch_status unpack(latch_ctx *cx, latch_work *work) { return do_part(cx, work, UNPACK); }

#define BUS "sagas"
static const latch_saga own = {.name = "order"}, bus = {.name = "order", .saga_bus_table = BUS};
static const latch_saga_step steps[] = {{"pay", pay, refund}, {"pack", pack, unpack}, {"ship", ship, NULL}};
static const latch_saga_plan plan = {.saga = &own, .steps = steps, .step_count = 3, .in_progress_ms = STEP_MS};
static const latch_saga_plan bus_plan = {.saga = &bus, .steps = steps, .step_count = 3, .in_progress_ms = STEP_MS};

static int set_up(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    pair_open((size_t)1 << 20);
    assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, BUS, latch_layout_find("saga-bus")->schema, NULL, &ensured), LATCH_OK);
    rig_again(&ann, 0);
    return 0;
}

static void forget(void) {
    *diary = '\0';
    memset(says, 0, sizeof says);
    memset(maybe, 0, sizeof maybe);
    memset(meanwhile, 0, sizeof meanwhile);
}

static void begin_again(rig_twin twin) {
    pair_again(twin);
    rig_delete(&world, "SAGA#order#a", "STATE");
    rig_delete(&world, "CORR#order#a", "CORR");
    forget();
}

static latch_status run_as(rig *r, const latch_saga_plan *p, const char *key, latch_saga_outcome *out) {
    rig_again(r, 0);
    return latch_saga_run(&r->cx, p, latch_str_of(key), latch_object(&r->cx, "sku", "tea"), out);
}

static latch_status go(rig *r) {
    latch_saga_outcome out;
    return run_as(r, &plan, "a", &out);
}

static void check_error(rig *r, const char *want) {
    if (strstr(r->cx.err.message, want) == NULL) fail_msg("%s\nwant %s", r->cx.err.message, want);
}

/* ── what it does ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void does_all_steps_and_saves_each(void **state) {
    static const latch_saga_plan *const plans[] = {&plan, &bus_plan};
    latch_saga_outcome out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        latch_str by;
        forget();
        assert_int_equal(run_as(&ann, plans[i], "a", &out), LATCH_OK);
        assert_int_equal(ann.requests, 4); /* one to begin, one a step */
        assert_string_equal(diary, "pay pack ship");
        assert_true(out.did);
        assert_int_equal(latch_read(out.results, "pack.by", &by), LATCH_OK);
        assert_true(latch_str_eq(by, LATCH_STR("pack")));
        assert_int_equal(out.refused.len, 0);
        assert_int_equal(run_as(&bob, plans[i], "a", &out), LATCH_OK);
        assert_int_equal(bob.requests, 1);
        assert_string_equal(diary, "pay pack ship");
        assert_false(out.did);
        assert_true(latch_has(out.results, "ship.by"));
    }
}

static latch_status looks(latch_ctx *cx, latch_work *work) {
    (void)cx;
    latch_str sku, by = LATCH_STR("");
    LATCH_TRY(latch_read(work->payload, "input.sku", &sku, "results.pay.by", latch_optional(&by)));
    size_t len = strlen(diary);
    snprintf(diary + len, sizeof diary - len, "%s%.*s:%.*s:%.*s", len > 0 ? " " : "", LATCH_ARG(work->key), LATCH_ARG(sku), LATCH_ARG(by));
    return latch_str_eq(by, LATCH_STR("")) ? LATCH_E_MISUSE : LATCH_OK;
}

static latch_status misses(latch_ctx *cx, latch_work *work) {
    latch_str none;
    return latch_read(work->payload, "input.none", &none) == LATCH_OK ? LATCH_OK : cx->err.status;
}

static const latch_saga_plan looking = {.saga = &own, LATCH_SAGA_STEPS({"pay", pay, looks}, {"look", looks, NULL}, {"miss", misses, NULL})};

/* A step sees input and results, an undo its own step's among them; what a step doesn't find in the input says no. */
static void gives_each_step_what_was_done(void **state) {
    latch_saga_outcome out;
    (void)state;
    assert_int_equal(run_as(&ann, &looking, "a", &out), LATCH_UNDONE);
    assert_string_equal(diary, "pay a:tea:pay a:tea:pay");
    check_error(&ann, "saga order: a was undone: step miss said no: payload.input.none: is missing");
    assert_true(latch_str_eq(out.refused, LATCH_STR("miss")));
}

/* What the last step says, or an undo: what becomes of the saga at once, and with the next call. */
static void what_a_step_says_decides(void **state) {
    static const struct {
        part p;
        latch_status says;
        bool maybe;
        latch_status status;
        const char *diary;
        latch_status next;
        const char *then;
        size_t requests;
    } rows[] = {
        {SHIP, LATCH_MISSING, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {SHIP, LATCH_MISMATCH, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {SHIP, LATCH_UNDONE, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {SHIP, LATCH_SEEN, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {SHIP, LATCH_E_INPUT, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {SHIP, LATCH_E_HANDLER, false, LATCH_UNDONE, "pay pack ship unpack refund", LATCH_UNDONE, "", 6},
        {PACK, LATCH_E_HANDLER, false, LATCH_UNDONE, "pay pack refund", LATCH_UNDONE, "", 4},
        {PAY, LATCH_E_HANDLER, false, LATCH_UNDONE, "pay", LATCH_UNDONE, "", 2},
        {SHIP, LATCH_HELD, false, LATCH_HELD, "pay pack ship", LATCH_OK, " ship", 4},
        {SHIP, LATCH_BUSY, false, LATCH_BUSY, "pay pack ship", LATCH_OK, " ship", 4},
        {PAY, LATCH_LIMITED, false, LATCH_LIMITED, "pay", LATCH_OK, " pay pack ship", 2},
        {SHIP, LATCH_HELD, true, LATCH_HELD, "pay pack ship", LATCH_OK, " ship(1)", 4},
        {SHIP, LATCH_MISSING, true, LATCH_MISSING, "pay pack ship", LATCH_OK, " ship(1)", 4},
        {SHIP, LATCH_CONFLICT, false, LATCH_CONFLICT, "pay pack ship", LATCH_OK, " ship(1)", 4},
        {SHIP, LATCH_E_NETWORK, false, LATCH_E_NETWORK, "pay pack ship", LATCH_OK, " ship(1)", 4},
        {PACK, LATCH_E_TIMEOUT, true, LATCH_E_TIMEOUT, "pay pack", LATCH_OK, " pack(1) ship", 3},
        {PAY, LATCH_E_NOMEM, false, LATCH_E_NOMEM, "pay", LATCH_OK, " pay(1) pack ship", 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char want[200];
        begin_again(sound);
        says[rows[i].p] = rows[i].says;
        maybe[rows[i].p] = rows[i].maybe;
        latch_status status = go(&ann);
        if (status != rows[i].status || strcmp(diary, rows[i].diary) != 0) fail_msg("%zu: %d, %s", i, (int)status, diary);
        assert_int_equal(ann.requests, rows[i].requests);
        if (status != LATCH_UNDONE) assert_int_equal(ann.cx.err.maybe_applied, rows[i].maybe);
        says[rows[i].p] = LATCH_OK;
        status = go(&bob); /* at once: what was left was given back */
        snprintf(want, sizeof want, "%s%s", rows[i].diary, rows[i].then);
        if (status != rows[i].next || strcmp(diary, want) != 0) fail_msg("%zu, next: %d, %s", i, (int)status, diary);
    }
}

static void an_undo_is_tried_until_it_is_done(void **state) {
    static const struct {
        latch_status says;
        bool maybe;
        const char *then;
    } rows[] = {{LATCH_E_NETWORK, true, " unpack(1) refund"},
                {LATCH_MISSING, false, " unpack(1) refund"},
                {LATCH_HELD, false, " unpack refund"},
                {LATCH_E_HANDLER, false, " unpack(1) refund"}};
    latch_saga_outcome out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char want[200];
        begin_again(sound);
        says[SHIP] = LATCH_E_HANDLER, says[UNPACK] = rows[i].says, maybe[UNPACK] = rows[i].maybe;
        assert_int_equal(go(&ann), rows[i].says);
        assert_string_equal(diary, "pay pack ship unpack");
        says[SHIP] = says[UNPACK] = LATCH_OK; /* too late for it */
        rig_again(&bob, 0);
        assert_int_equal(latch_saga_resume(&bob.cx, &plan, LATCH_STR("a"), &out), LATCH_UNDONE);
        snprintf(want, sizeof want, "pay pack ship unpack%s", rows[i].then);
        assert_string_equal(diary, want);
        assert_true(out.did);
        assert_true(latch_str_eq(out.refused, LATCH_STR("ship")));
        assert_true(latch_str_eq(out.why, LATCH_STR("the card was declined")));
        check_error(&bob, "saga order: a was undone: step ship said no: the card was declined");
    }
}

/* ── two at once ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void bob_asks(void) {
    assert_int_equal(go(&bob), LATCH_BUSY);
    check_error(&bob, "saga order: another is at a until");
    assert_int_equal(bob.cx.err.retry_at_ms, T0 + STEP_MS + SKEW_MS);
    assert_int_equal(bob.requests, 1);
}

static void one_at_a_time(void **state) {
    (void)state;
    meanwhile[PACK] = bob_asks;
    assert_int_equal(go(&ann), LATCH_OK);
    assert_string_equal(diary, "pay pack ship");
}

static latch_status bobs;
static int64_t frozen_ms;
static void ann_freezes(void) {
    meanwhile[PACK] = NULL;
    rig_pass(&world, frozen_ms);
    bobs = go(&bob);
}

/* Ann's pack takes longer than her time; bob comes `ms` after she began it. What each is told. */
static void freeze(rig_twin twin, int64_t ms, int64_t bob_ahead_ms, latch_status *anns) {
    begin_again(twin);
    bob.ahead_us = bob_ahead_ms * 1000;
    frozen_ms = ms;
    meanwhile[PACK] = ann_freezes;
    *anns = go(&ann);
    world.twin = sound;
    bob.ahead_us = 0;
}

static void a_late_owner_is_refused(void **state) {
    latch_status anns;
    (void)state;
    freeze(sound, STEP_MS + SKEW_MS, 0, &anns);
    assert_int_equal(bobs, LATCH_BUSY); /* to the millisecond */
    assert_int_equal(anns, LATCH_OK);
    freeze(sound, STEP_MS + SKEW_MS + 1, 0, &anns);
    assert_int_equal(bobs, LATCH_OK);
    assert_int_equal(anns, LATCH_CONFLICT);
    assert_string_equal(diary, "pay pack pack(1) ship");
    check_error(&ann, "saga order: another took a over while a step ran here");
    assert_true(ann.cx.err.maybe_applied);
    assert_int_equal(go(&ann), LATCH_OK);
    freeze(sound, STEP_MS - 1, SKEW_MS, &anns); /* clocks as far apart as they may be */
    assert_int_equal(bobs, LATCH_BUSY);
    assert_int_equal(anns, LATCH_OK);
}

static void too_late_for_the_next_step(void **state) {
    latch_saga_outcome out;
    (void)state;
    ann.faults[0] = NO_FAULT;
    rig_again(&ann, 0);
    ann.cx.deadline_at_ms = T0;
    assert_int_equal(latch_saga_run(&ann.cx, &plan, LATCH_STR("a"), LATCH_NULL, &out), LATCH_E_TIMEOUT);
    check_error(&ann, "saga order: the deadline has passed, there is no time to go on");
    assert_int_equal(ann.requests, 0);
    ann.cx.deadline_at_ms = INT64_MAX;
}

/* ── crashes and losses ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* From her request number `from` on, nothing of ann's reaches the table, or nothing is answered. */
static size_t dead_from;
static fault dead_as;
static fault dies(void *arg) {
    (void)arg;
    return ann.requests >= dead_from ? dead_as : NO_FAULT;
}

/* How often `what` stands in the diary; of these, how often untold that another may have done it. */
static void count(const char *what, size_t *runs, size_t *untold) {
    size_t len = strlen(what);
    *runs = *untold = 0;
    for (const char *at = diary; (at = strstr(at, what)) != NULL; at += len) {
        bool starts = at == diary || at[-1] == ' ', whole = at[len] == '\0' || at[len] == ' ' || at[len] == '(';
        if (!starts || !whole) continue;
        ++*runs;
        *untold += at[len] != '(';
    }
}

/* Ann dies at each of her requests, in each way; bob comes when her time is over, and ends it. */
static void goes_on_after_a_crash_anywhere(void **state) {
    static const fault ways[] = {NOT_SENT, LOST_BEFORE, LOST_AFTER};
    static const part undone[] = {PAY, PACK, SHIP, UNPACK, REFUND}, done[] = {PAY, PACK, SHIP};
    size_t crashes = 0;
    (void)state;
    for (size_t fails = 0; fails < 2; fails++) {
        for (size_t at = 0; at < (fails ? 6 : 4); at++) {
            for (size_t way = 0; way < COUNT_OF(ways); way++) {
                begin_again(sound);
                says[SHIP] = fails ? LATCH_E_HANDLER : LATCH_OK;
                dead_from = at, dead_as = ways[way];
                ann.roll = dies;
                latch_status anns = go(&ann);
                ann.roll = NULL;
                assert_true(anns == LATCH_E_TIMEOUT || anns == LATCH_E_NETWORK);
                rig_pass(&world, STEP_MS + SKEW_MS + 1);
                latch_status status = go(&bob);
                if (status != (fails ? LATCH_UNDONE : LATCH_OK)) fail_msg("%zu, %zu: %d, %s", at, way, (int)status, bob.cx.err.message);
                for (size_t i = 0; i < (fails ? 5 : 3); i++) {
                    size_t runs, untold;
                    count(part_names[fails ? undone[i] : done[i]], &runs, &untold);
                    if (untold > 1 || runs < 1 || runs > 2) fail_msg("died at %zu, way %zu: %s", at, way, diary);
                }
                crashes++;
            }
        }
    }
    print_message("%zu crashes\n", crashes);
}

static void losses_are_made_good(void **state) {
    (void)state;
    for (size_t at = 0; at < 4; at++) {
        for (int fails = LOST_BEFORE; fails < FAULT_COUNT; fails++) {
            if (fails == FAILS_THROTTLED) continue;
            begin_again(sound);
            rig_again(&ann, 0);
            ann.faults[at] = (fault)fails;
            latch_saga_outcome out;
            assert_int_equal(latch_saga_run(&ann.cx, &plan, LATCH_STR("a"), LATCH_NULL, &out), LATCH_OK);
            assert_string_equal(diary, "pay pack ship");
            rig_deliver(&ann); /* what comes late changes nothing */
            rig_again(&bob, 0);
            assert_int_equal(latch_saga_run(&bob.cx, &plan, LATCH_STR("a"), LATCH_NULL, &out), LATCH_OK);
            assert_string_equal(diary, "pay pack ship");
        }
    }
}

static void what_was_left_behind_is_found(void **state) {
    const latch_saga_query all = {.limit = 10};
    latch_saga_outcome out;
    latch_saga_page page;
    (void)state;
    dead_from = 2, dead_as = LOST_BEFORE;
    ann.roll = dies;
    assert_int_equal(go(&ann), LATCH_E_TIMEOUT);
    ann.roll = NULL;
    rig_at(&world, T0 + STEP_MS + SKEW_MS - 1);
    assert_int_equal(latch_saga_find_timed_out(&bob.cx, &own, &all, &page), LATCH_OK);
    assert_int_equal(page.count, 0);
    rig_pass(&world, 2);
    assert_int_equal(latch_saga_find_timed_out(&bob.cx, &own, &all, &page), LATCH_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(latch_saga_resume(&bob.cx, &plan, page.items[0].id, &out), LATCH_OK);
    assert_string_equal(diary, "pay pack pack(1) ship");
    assert_int_equal(latch_saga_find_timed_out(&bob.cx, &own, &all, &page), LATCH_OK);
    assert_int_equal(page.count, 0);
    assert_int_equal(latch_saga_resume(&bob.cx, &plan, LATCH_STR("nobody"), &out), LATCH_MISSING);
}

/* ── what is refused ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_key_that_is_another_sagas_is_refused(void **state) {
    latch_saga_instance other = {.id = LATCH_STR("x"), .correlation_id = LATCH_STR("a"), .state = latch_object(&bob.cx, "n", INT64_C(1))};
    latch_saga_outcome out;
    (void)state;
    assert_int_equal(latch_saga_insert(&bob.cx, &own, &other, NULL), LATCH_OK);
    assert_int_equal(go(&ann), LATCH_CONFLICT);
    check_error(&ann, "saga order: correlation id a is already that of x");
    rig_again(&ann, 0);
    assert_int_equal(latch_saga_resume(&ann.cx, &plan, LATCH_STR("x"), &out), LATCH_E_DATA); /* no saga of a plan's */
    check_error(&ann, "item.state.step: is missing");
    assert_string_equal(diary, "");
    rig_again(&ann, 0);
    assert_int_equal(latch_saga_delete(&ann.cx, &own, &other, NULL), LATCH_OK);
}

static latch_status boasts(latch_ctx *cx, latch_work *work) {
    char *text = latch_arena_alloc(cx->arena, LATCH_SAGA_RESULT_MAX_BYTES);
    memset(text, 'x', LATCH_SAGA_RESULT_MAX_BYTES);
    latch_str s = {text, LATCH_SAGA_RESULT_MAX_BYTES};
    work->result = latch_object(cx, "text", s);
    return LATCH_OK;
}

static void refuses_what_can_not_be(void **state) {
    static char long_name[66];
    memset(long_name, 'x', 65);
    const latch_saga_step unnamed[] = {{NULL, pay, NULL}}, odd[] = {{"a.b", pay, NULL}}, twice[] = {{"a", pay, NULL}, {"a", pack, NULL}},
                          idle[] = {{"a", NULL, refund}}, longer[] = {{long_name, pay, NULL}};
    static latch_saga_step many[LATCH_SAGA_STEPS_MAX + 1];
    const struct {
        latch_saga_plan plan;
        const char *says;
    } rows[] = {
        {{.steps = steps, .step_count = 3}, "a plan has no .saga"},
        {{.saga = &own}, "the plan has 0 steps, want 1 to 16"},
        {{.saga = &own, .steps = many, .step_count = COUNT_OF(many)}, "the plan has 17 steps"},
        {{.saga = &own, .steps = unnamed, .step_count = 1}, "step 0 has the name \"\""},
        {{.saga = &own, .steps = odd, .step_count = 1}, "step 0 has the name \"a.b\""},
        {{.saga = &own, .steps = longer, .step_count = 1}, "step 0 has the name \"xxx"},
        {{.saga = &own, .steps = twice, .step_count = 2}, "two steps are called a"},
        {{.saga = &own, .steps = idle, .step_count = 1}, "step a has no run"},
        {{.saga = &own, .steps = steps, .step_count = 3, .in_progress_ms = -1}, ".in_progress_ms is -1"},
        {{.saga = &own, .steps = steps, .step_count = 3, .in_progress_ms = 367 * LATCH_DAY_MS}, ".in_progress_ms is"},
    };
    latch_saga_outcome out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(run_as(&ann, &rows[i].plan, "a", &out), LATCH_E_MISUSE);
        check_error(&ann, rows[i].says);
        assert_int_equal(ann.requests, 0);
    }
    assert_int_equal(run_as(&ann, &plan, "", &out), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
    static char long_text[LATCH_SAGA_INPUT_MAX_BYTES];
    memset(long_text, 'x', sizeof long_text);
    latch_str text = {long_text, sizeof long_text};
    latch_json payload = latch_object(&ann.cx, "text", text);
    assert_int_equal(latch_saga_run(&ann.cx, &plan, LATCH_STR("a"), payload, &out), LATCH_E_MISUSE);
    check_error(&ann, "the payload has 131083 bytes, want at most 131072");
    assert_string_equal(diary, "");
}

static const latch_saga_plan boasting = {.saga = &own, LATCH_SAGA_STEPS({"boast", boasts, NULL})};

static void a_result_that_is_too_long_is_told(void **state) {
    latch_saga_outcome out;
    (void)state;
    assert_int_equal(run_as(&ann, &boasting, "a", &out), LATCH_E_MISUSE);
    check_error(&ann, "the result of step boast has 8203 bytes, want at most 8192");
}

static void another_payload_is_refused(void **state) {
    latch_saga_outcome out;
    (void)state;
    assert_int_equal(go(&ann), LATCH_OK);
    assert_int_equal(latch_saga_run(&ann.cx, &plan, LATCH_STR("a"), latch_object(&ann.cx, "sku", "salt"), &out), LATCH_MISMATCH);
    check_error(&ann, "saga order: a was begun with another payload");
    assert_string_equal(diary, "pay pack ship");
}

static const latch_saga_plan changed = {.saga = &own, LATCH_SAGA_STEPS({"weigh", pack, NULL}, {"pay", pay, refund})};

static const latch_saga_plan shorter = {.saga = &own, LATCH_SAGA_STEPS({"pay", pay, refund})};

static void steps_that_were_changed_are_told(void **state) {
    static const latch_saga_plan *const others[] = {&changed, &shorter};
    latch_saga_outcome out;
    (void)state;
    says[SHIP] = LATCH_HELD;
    assert_int_equal(go(&ann), LATCH_HELD);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        rig_again(&bob, 0);
        assert_int_equal(latch_saga_resume(&bob.cx, others[i], LATCH_STR("a"), &out), LATCH_E_MISUSE);
        check_error(&bob, "steps were changed while it ran");
    }
    assert_string_equal(diary, "pay pack ship");
}

/* ── the harness: two callers, one between the other's requests; answers get lost, what is late comes, time passes ───────── */

#define ROUNDS (rig_is_engine() ? 300 : 60)

static uint32_t seed;
static uint32_t roll(uint32_t sides) {
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % sides;
}

static char racing[24];
static size_t interleaved;

static void one_goes(rig *r) {
    latch_saga_outcome out;
    rig_again(r, 0);
    for (size_t i = 0; i < 8; i++)
        r->faults[i] = roll(8) == 0 ? (fault)(LOST_BEFORE + roll(3)) : NO_FAULT;
    (void)(latch_saga_run(&r->cx, &plan, latch_str_of(racing), LATCH_NULL, &out) == LATCH_OK);
}

static void bob_between(void *arg) {
    (void)arg;
    if (roll(4) != 0) return;
    interleaved++;
    if (roll(2) == 0) rig_pass(&world, STEP_MS + SKEW_MS + 1);
    rig_deliver(roll(2) == 0 ? &ann : &bob);
    one_goes(&bob);
}

/* Breaches: a part that was run twice untold, out of order, or on the wrong side of the end. */
static size_t race(rig_twin twin) {
    size_t breaches = 0;
    seed = 88172645;
    interleaved = 0;
    pair_again(twin);
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(racing, sizeof racing, "r%d-%d", twin.from != NULL, i);
        forget();
        says[SHIP] = roll(2) == 0 ? LATCH_OK : LATCH_E_HANDLER;
        ann.before = bob_between;
        for (int tries = 0; tries < 3; tries++)
            one_goes(&ann);
        ann.before = NULL;
        rig_deliver(&ann), rig_deliver(&bob);
        rig_pass(&world, STEP_MS + SKEW_MS + 1);
        rig_again(&bob, 0);
        latch_saga_outcome out;
        latch_status end = latch_saga_run(&bob.cx, &plan, latch_str_of(racing), LATCH_NULL, &out);
        if (end != (says[SHIP] == LATCH_OK ? LATCH_OK : LATCH_UNDONE)) breaches++;
        for (part p = PAY; p < PARTS; p++) {
            size_t runs, untold;
            count(part_names[p], &runs, &untold);
            breaches += untold > 1 || (runs > 0 && p >= REFUND && says[SHIP] == LATCH_OK) || (runs == 0 && p < REFUND);
        }
    }
    world.twin = sound;
    return breaches;
}

static void races_and_losses_break_nothing(void **state) {
    (void)state;
    assert_int_equal(race(sound), 0);
    print_message("%d sagas, %zu interleaved calls\n", ROUNDS, interleaved);
    assert_true(interleaved > (size_t)ROUNDS);
}

static void finds_the_broken_twins(void **state) {
    latch_status anns;
    (void)state;
    freeze(forgets_version, STEP_MS + SKEW_MS + 1, 0, &anns);
    assert_int_not_equal(anns, LATCH_CONFLICT); /* the late owner's save went through */
    assert_true(race(forgets_version) > 0);
    freeze(sound, STEP_MS - 1, SKEW_MS + 2, &anns); /* clocks further apart than they may be: both at it at once */
    assert_int_equal(bobs, LATCH_OK);
}

static int tear_down(void **state) {
    forget();
    return pair_tear_down(state);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(does_all_steps_and_saves_each),
    ROW(gives_each_step_what_was_done),
    ROW(what_a_step_says_decides),
    ROW(an_undo_is_tried_until_it_is_done),
    ROW(one_at_a_time),
    ROW(a_late_owner_is_refused),
    ROW(too_late_for_the_next_step),
    ROW(goes_on_after_a_crash_anywhere),
    ROW(losses_are_made_good),
    ROW(what_was_left_behind_is_found),
    ROW(a_key_that_is_another_sagas_is_refused),
    ROW(refuses_what_can_not_be),
    ROW(a_result_that_is_too_long_is_told),
    ROW(another_payload_is_refused),
    ROW(steps_that_were_changed_are_told),
    ROW(races_and_losses_break_nothing),
    ROW(finds_the_broken_twins),
};

CHECK_MAIN(tests)

#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "store/layouts.h"
#include "store/saga.h"
#include "store/tables.h"
#include "tests/check.h"
#include "tests/store/pair.h"

#define BUS "sagas"

static const latch_saga own = {.name = "order"}, bus = {.name = "order", .saga_bus_table = BUS};
static const latch_saga *const both[] = {&own, &bus};

static const rig_twin sound = {NULL, NULL};
static const rig_twin forgets_version = {"#version = :expected", "(#version = :expected OR attribute_exists(#version))"};
static const rig_twin forgets_id = {"#updateId = :updateId", "#updateId = if_not_exists(#updateId, :updateId)"};
#define CORRELATION_PUT "\"sagaId\":{\"S\":\"twin-2\"}},\"ConditionExpression\":\"attribute_not_exists(#pk)"
static const rig_twin forgets_correlation = {CORRELATION_PUT, CORRELATION_PUT " OR attribute_exists(#pk)"};
static const rig_twin forgets_completed = {"#isCompleted = :true AND", "(#isCompleted = :true OR attribute_exists(#isCompleted)) AND"};
static const rig_twin deletes_any_version = {"#version = :version AND", "(#version = :version OR attribute_exists(#version)) AND"};

static void create_table(rig *r, const char *table, const char *layout) {
    latch_dynamodb_ensured ensured;
    assert_int_equal(latch_dynamodb_table_ensure(&r->cx, table, latch_layout_find(layout)->schema, NULL, &ensured), LATCH_OK);
    rig_again(r, 0);
}

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)1 << 20);
    create_table(&ann, BUS, "saga-bus");
    return 0;
}

static latch_str str(const char *s) { return latch_str_of(s); }

static latch_saga_instance new_saga(rig *r, const char *id, int64_t paid) {
    return (latch_saga_instance){.id = str(id), .correlation_id = str(id), .state = latch_object(&r->cx, "paid", paid)};
}

static latch_saga_instance inserted(rig *r, const latch_saga *saga, const char *id) {
    latch_saga_instance s = new_saga(r, id, 0);
    assert_int_equal(latch_saga_insert(&r->cx, saga, &s, NULL), LATCH_OK);
    return s;
}

static latch_saga_instance stored(const latch_saga *saga, const char *id) {
    latch_saga_instance s;
    rig_again(&bob, 0);
    assert_int_equal(latch_saga_get_by_id(&bob.cx, saga, str(id), &s), LATCH_OK);
    return s;
}

static bool exists(const latch_saga *saga, const char *id) {
    latch_saga_instance s;
    rig_again(&bob, 0);
    latch_status status = latch_saga_get_by_id(&bob.cx, saga, str(id), &s);
    assert_true(status == LATCH_OK || status == LATCH_MISSING);
    return status == LATCH_OK;
}

static int64_t paid_of(const latch_saga_instance *s) {
    int64_t paid;
    assert_int_equal(latch_read(s->state, "paid", &paid), LATCH_OK);
    return paid;
}

static void check_text(latch_str is, const char *want) {
    if (!latch_str_eq(is, str(want))) fail_msg("%.*s\nwant %s", LATCH_ARG(is), want);
}

static void check_error(rig *r, const char *says) {
    if (strstr(r->cx.err.message, says) == NULL) fail_msg("%s\nwant %s", r->cx.err.message, says);
}

/* ── what goes over the wire and lies in the table ──────────────────────────────────────────────────────────────────────── */

static void keeps_this_item(void **state) {
    latch_str id;
    (void)state;
    latch_saga_instance s = new_saga(&ann, "a#1", 3);
    latch_saga_set_timeout(&ann.cx, &s, 60000);
    assert_int_equal(latch_saga_insert(&ann.cx, &own, &s, NULL), LATCH_OK);
    latch_json item = rig_item(&world, "SAGA#order#a%231", "STATE");
    assert_int_equal(latch_item_text(item, "updateId", &id), LATCH_OK);
    char text[1024];
    snprintf(text, sizeof text, "%.*s", LATCH_ARG(latch_text(item)));
    assert_non_null(strstr(text, "\"state\":{\"M\":{\"paid\":{\"N\":\"3\"}}}"));
    static const struct {
        const char *name, *value;
    } texts[] = {{"sagaName", "order"},
                 {"sagaId", "a#1"},
                 {"correlationId", "a#1"},
                 {"createdAt", "2026-01-01T00:00:00.000Z"},
                 {"updatedAt", "2026-01-01T00:00:00.000Z"},
                 {"timeoutExpiresAt", "2026-01-01T00:01:00.000Z"},
                 {"gsi1pk", "SAGA#order"},
                 {"gsi1sk", "a#1"},
                 {"gsi2pk", "TIMEOUT#order"},
                 {"gsi2sk", "2026-01-01T00:01:00.000Z"}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!rig_has_text(&world, "SAGA#order#a%231", "STATE", texts[i].name, texts[i].value)) fail_msg("%s: %s", texts[i].name, text);
    assert_int_equal(rig_number(&world, "SAGA#order#a%231", "STATE", "version"), 0);
    assert_int_equal(rig_number(&world, "SAGA#order#a%231", "STATE", "timeoutMs"), 60000);
    assert_true(rig_has_text(&world, "CORR#order#a%231", "CORR", "sagaId", "a#1"));
}

static void sends_this_update(void **state) {
    static const char updates[] =
        "{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"SAGA#order#a\"},\"sk\":{\"S\":\"STATE\"}},"
        "\"UpdateExpression\":\"SET #version = :version, #isCompleted = :isCompleted, #state = :state, #updatedAt = :updatedAt, "
        "#updateId = :updateId, #gsi2pk = :gsi2pk, #gsi2sk = :gsi2sk REMOVE #timeoutMs, #timeoutExpiresAt\","
        "\"ConditionExpression\":\"#version = :expected\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
        "\"ExpressionAttributeNames\":{\"#version\":\"version\",\"#isCompleted\":\"isCompleted\",\"#state\":\"state\","
        "\"#updatedAt\":\"updatedAt\",\"#updateId\":\"updateId\",\"#gsi2pk\":\"gsi2pk\",\"#gsi2sk\":\"gsi2sk\","
        "\"#timeoutMs\":\"timeoutMs\",\"#timeoutExpiresAt\":\"timeoutExpiresAt\"},"
        "\"ExpressionAttributeValues\":{\":version\":{\"N\":\"1\"},\":isCompleted\":{\"BOOL\":true},\":state\":{\"M\":{\"paid\":{\"N\":"
        "\"0\"}}},\":updatedAt\":{\"S\":\"2026-01-01T00:00:00.000Z\"},\":updateId\":{\"S\":\"{id}\"},\":gsi2pk\":{\"S\":"
        "\"COMPLETED#order\"},\":gsi2sk\":{\"S\":\"2026-01-01T00:00:00.000Z\"},\":expected\":{\"N\":\"0\"}}}";
    latch_str id;
    (void)state;
    latch_saga_instance s = inserted(&ann, &own, "a");
    s.completed = true;
    assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_OK);
    assert_int_equal(latch_item_text(rig_item(&world, "SAGA#order#a", "STATE"), "updateId", &id), LATCH_OK);
    pair_hide(ann.last_request, id);
    assert_string_equal(ann.last_request, updates);
    assert_string_equal(ann.operation, "UpdateItem");
}

/* Each state of timeout and completion, one after the other, on one saga: what each write must set, or take away. */
static void the_second_index_follows(void **state) {
    static const struct {
        int64_t timeout_ms;
        bool completed;
        const char *gsi2pk;
    } rows[] = {{0, false, NULL},
                {1000, false, "TIMEOUT#order"},
                {1000, true, "COMPLETED#order"},
                {0, true, "COMPLETED#order"},
                {1000, false, "TIMEOUT#order"},
                {0, false, NULL},
                {0, true, "COMPLETED#order"},
                {0, false, NULL}};
    (void)state;
    latch_saga_instance s = inserted(&ann, &own, "a"), b = inserted(&ann, &bus, "a");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_saga_set_timeout(&ann.cx, &s, rows[i].timeout_ms);
        latch_saga_set_timeout(&ann.cx, &b, rows[i].timeout_ms);
        s.completed = b.completed = rows[i].completed;
        assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_OK);
        assert_int_equal(latch_saga_update(&ann.cx, &bus, &b, NULL), LATCH_OK);
        assert_int_equal(rig_has(&world, "SAGA#order#a", "STATE", "gsi2pk"), rows[i].gsi2pk != NULL);
        assert_int_equal(rig_has(&world, "SAGA#order#a", "STATE", "gsi2sk"), rows[i].gsi2pk != NULL);
        if (rows[i].gsi2pk != NULL) assert_true(rig_has_text(&world, "SAGA#order#a", "STATE", "gsi2pk", rows[i].gsi2pk));
        assert_int_equal(rig_has(&world, "SAGA#order#a", "STATE", "timeoutMs"), rows[i].timeout_ms > 0);
        for (size_t k = 0; k < COUNT_OF(both); k++) {
            latch_saga_instance now = stored(both[k], "a");
            assert_int_equal(now.version, (int64_t)i + 1);
            assert_int_equal(now.timeout_ms, rows[i].timeout_ms);
            assert_int_equal(now.timeout_at_ms, rows[i].timeout_ms > 0 ? T0 + rows[i].timeout_ms : 0);
            assert_int_equal(now.completed, rows[i].completed);
        }
    }
}

static void gives_back_what_was_given(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        latch_saga_instance s = new_saga(&ann, "Grüße#%1", 7), found;
        s.correlation_id = LATCH_STR("order-7");
        rig_again(&ann, 0);
        s.state = latch_object(&ann.cx, "paid", INT64_C(7), "list", latch_append(latch_array(&ann.cx), "x"));
        assert_int_equal(latch_saga_insert(&ann.cx, both[i], &s, NULL), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_string_equal(ann.operation, "TransactWriteItems");
        rig_pass(&world, 1500);
        rig_again(&ann, 0);
        assert_int_equal(latch_saga_get_by_id(&ann.cx, both[i], s.id, &found), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        check_text(found.id, "Grüße#%1");
        check_text(found.correlation_id, "order-7");
        assert_int_equal(paid_of(&found), 7);
        assert_true(latch_has(found.state, "list[0]"));
        assert_int_equal(found.version, 0);
        assert_int_equal(found.created_at_ms, found.updated_at_ms);
        found.state = latch_object(&ann.cx, "paid", INT64_C(8));
        ann.requests = 0;
        assert_int_equal(latch_saga_update(&ann.cx, both[i], &found, NULL), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(found.version, 1);
        rig_again(&ann, 0);
        assert_int_equal(latch_saga_get_by_correlation_id(&ann.cx, both[i], LATCH_STR("order-7"), &found), LATCH_OK);
        assert_int_equal(ann.requests, 2);
        assert_int_equal(paid_of(&found), 8);
        assert_int_equal(found.updated_at_ms - found.created_at_ms, 1500);
        ann.requests = 0;
        assert_int_equal(latch_saga_delete(&ann.cx, both[i], &found, NULL), LATCH_OK);
        assert_int_equal(ann.requests, 1);
        assert_int_equal(latch_saga_delete(&ann.cx, both[i], &found, NULL), LATCH_OK);
        ann.requests = 0;
        assert_int_equal(latch_saga_get_by_correlation_id(&ann.cx, both[i], LATCH_STR("order-7"), &found), LATCH_MISSING);
        assert_int_equal(ann.requests, 1);
        check_error(&ann, "saga order: there is none of correlation id order-7");
        assert_false(exists(both[i], "Grüße#%1"));
        assert_int_equal(found.version, 0);
    }
}

/* ── two who want the same ──────────────────────────────────────────────────────────────────────────────────────────────── */

static bool second_is_refused(rig_twin twin) {
    latch_saga_instance first = new_saga(&ann, "twin", 0), second = new_saga(&bob, "twin-2", 0), there;
    pair_again(twin);
    first.state = latch_object(&ann.cx, "paid", INT64_C(0)), second.state = latch_object(&bob.cx, "paid", INT64_C(0));
    second.correlation_id = first.correlation_id;
    assert_int_equal(latch_saga_insert(&ann.cx, &own, &first, NULL), LATCH_OK);
    latch_status status = latch_saga_insert(&bob.cx, &own, &second, &there);
    rig_delete(&world, "SAGA#order#twin", "STATE");
    rig_delete(&world, "SAGA#order#twin-2", "STATE");
    rig_delete(&world, "CORR#order#twin", "CORR");
    assert_true(status == LATCH_OK || status == LATCH_CONFLICT);
    if (status == LATCH_CONFLICT) check_text(there.id, "twin");
    return status == LATCH_CONFLICT;
}

static void one_saga_per_id_and_correlation_id(void **state) {
    latch_saga_instance there;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        latch_saga_instance first = inserted(&ann, both[i], "a"), again = new_saga(&bob, "a", 9);
        again.correlation_id = LATCH_STR("other");
        assert_int_equal(latch_saga_insert(&bob.cx, both[i], &again, &there), LATCH_CONFLICT);
        check_error(&bob, "saga order: there is one of id a already, at version 0");
        assert_int_equal(paid_of(&there), 0);
        check_text(there.correlation_id, "a");
        rig_again(&bob, 0);
        again = new_saga(&bob, "b", 9);
        again.correlation_id = first.correlation_id;
        latch_status status = latch_saga_insert(&bob.cx, both[i], &again, &there);
        assert_int_equal(status, both[i] == &own ? LATCH_CONFLICT : LATCH_OK); /* a saga bus doesn't look */
        if (status == LATCH_OK) continue;
        check_error(&bob, "saga order: correlation id a is already that of a");
        check_text(there.id, "a");
        assert_false(exists(&own, "b"));
        assert_false(exists(&own, "a") && rig_has(&world, "CORR#order#other", "CORR", "pk"));
    }
    assert_true(second_is_refused(sound));
}

static const latch_saga *of_race;

static void bob_updates(void *arg) {
    bool *once = arg;
    if (*once) return;
    *once = true;
    rig_again(&bob, 0);
    latch_saga_instance s;
    assert_int_equal(latch_saga_get_by_id(&bob.cx, of_race, LATCH_STR("race"), &s), LATCH_OK);
    s.state = latch_object(&bob.cx, "paid", paid_of(&s) + 1);
    assert_int_equal(latch_saga_update(&bob.cx, of_race, &s, NULL), LATCH_OK);
}

/* Both add 1 to what they read, bob between ann's read and her update. What is counted after she tried again where she was refused. */
static int64_t two_add_one(rig_twin twin, const latch_saga *saga) {
    latch_saga_instance s, there;
    bool once = false;
    pair_again(twin);
    of_race = saga;
    s = inserted(&ann, saga, "race");
    ann.before = bob_updates, ann.arg = &once;
    s.state = latch_object(&ann.cx, "paid", paid_of(&s) + 1);
    latch_status status = latch_saga_update(&ann.cx, saga, &s, &there);
    ann.before = NULL;
    if (status == LATCH_CONFLICT) {
        check_error(&ann, "saga order: race is at version 1, expected 0");
        assert_int_equal(there.version, 1);
        assert_false(ann.cx.err.maybe_applied);
        assert_int_equal(s.version, 0);
        there.state = latch_object(&ann.cx, "paid", paid_of(&there) + 1);
        assert_int_equal(latch_saga_update(&ann.cx, saga, &there, NULL), LATCH_OK);
    } else {
        assert_int_equal(status, LATCH_OK);
    }
    s = stored(saga, "race");
    int64_t paid = paid_of(&s);
    world.twin = sound;
    assert_int_equal(latch_saga_delete(&bob.cx, saga, &s, NULL), LATCH_OK);
    return paid;
}

static void of_two_updates_one_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++)
        assert_int_equal(two_add_one(sound, both[i]), 2);
}

/* ── lost and late ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum deed { INSERT, UPDATE, DELETE } deed;

static latch_status act(rig *r, deed what, const latch_saga *saga, latch_saga_instance *s) {
    s->state = latch_object(&r->cx, "paid", INT64_C(1));
    if (what == INSERT) return latch_saga_insert(&r->cx, saga, s, NULL);
    return what == UPDATE ? latch_saga_update(&r->cx, saga, s, NULL) : latch_saga_delete(&r->cx, saga, s, NULL);
}

/* Whether it did, as the table tells. */
static bool is_done(deed what, const latch_saga *saga, const char *id) {
    if (what != UPDATE) return exists(saga, id) == (what == INSERT);
    return stored(saga, id).version == 1;
}

/* Each write, its first request failing in each way: reported done or not as it is; what isn't told says so. */
static void survives_a_failure_of_each_write(void **state) {
    char id[24];
    size_t rows = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both) * 3 * FAULT_COUNT; i++) {
        fault fails = (fault)(i % FAULT_COUNT);
        deed what = (deed)(i / FAULT_COUNT % 3);
        const latch_saga *saga = both[i / FAULT_COUNT / 3];
        snprintf(id, sizeof id, "f%zu", i);
        pair_again(sound);
        latch_saga_instance s = what == INSERT ? new_saga(&ann, id, 0) : inserted(&ann, saga, id);
        rig_again(&ann, 0);
        ann.faults[0] = fails;
        latch_status status = act(&ann, what, saga, &s);
        bool never = fails == NOT_SENT || fails == FAILS_THROTTLED;
        if ((status == LATCH_OK) == never) fail_msg("%s, fault %d: %s", id, (int)fails, ann.cx.err.message);
        assert_int_equal(ann.requests, fails == NO_FAULT || never ? 1 : 2);
        if (never) assert_false(ann.cx.err.maybe_applied);
        assert_int_equal(is_done(what, saga, id), !never);
        rig_deliver(&ann); /* what came late finds it done: nothing moves */
        assert_int_equal(is_done(what, saga, id), !never);
        rows++;
    }
    print_message("%zu writes\n", rows);
}

static void never_answers(rig *r) {
    for (size_t i = 0; i < COUNT_OF(r->faults); i++)
        r->faults[i] = LOST_AFTER;
}

static void what_is_never_answered_may_be_applied(void **state) {
    (void)state;
    for (deed what = INSERT; what <= DELETE; what++) {
        pair_again(sound);
        latch_saga_instance s = what == INSERT ? new_saga(&ann, "n", 0) : inserted(&ann, &own, "n");
        rig_again(&ann, 0);
        never_answers(&ann);
        assert_int_equal(act(&ann, what, &own, &s), LATCH_E_TIMEOUT);
        assert_true(ann.cx.err.maybe_applied);
        assert_int_equal(s.version, 0);
        if (what == DELETE) continue;
        latch_saga_instance there = stored(&own, "n");
        assert_int_equal(latch_saga_delete(&bob.cx, &own, &there, NULL), LATCH_OK);
    }
}

/* What became of the saga before ann's second try, which is then refused; her first was applied, or not. */
typedef enum meanwhile { ONE_ON, TWO_ON, GONE, ANOTHER } meanwhile;

static void change(meanwhile how, const latch_saga *saga) {
    latch_saga_instance s = stored(saga, "race");
    for (int i = 0; i < (how == ONE_ON ? 1 : how == TWO_ON ? 2 : 0); i++) {
        s.state = latch_object(&bob.cx, "paid", INT64_C(50));
        assert_int_equal(latch_saga_update(&bob.cx, saga, &s, NULL), LATCH_OK);
    }
    if (how == ONE_ON || how == TWO_ON) return;
    assert_int_equal(latch_saga_delete(&bob.cx, saga, &s, NULL), LATCH_OK);
    rig_pass(&world, 1);
    if (how == ANOTHER) s = inserted(&bob, saga, "race");
}

static struct {
    meanwhile how;
    const latch_saga *saga;
} between;

static void bob_comes_between(void *arg) {
    (void)arg;
    if (ann.requests == 2) change(between.how, between.saga);
}

static void a_refusal_after_silence_says_what_is_known(void **state) {
    static const struct {
        fault fails;
        meanwhile how;
        latch_status status;
        bool maybe;
        const char *says;
    } rows[] = {
        {LOST_BEFORE, ONE_ON, LATCH_CONFLICT, false, "is at version 1, expected 0"},
        {LOST_BEFORE, TWO_ON, LATCH_CONFLICT, true, "is at version 2, expected 0; a try got no answer and may have been applied"},
        {LOST_AFTER, ONE_ON, LATCH_CONFLICT, true, "is at version 2, expected 0; a try got no answer and may have been applied"},
        {LOST_AFTER, GONE, LATCH_MISSING, true, "there is none of id race; a try got no answer and may have been applied before it went"},
        {LOST_BEFORE, GONE, LATCH_MISSING, true, "there is none of id race; a try got no answer"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        pair_again(sound);
        latch_saga_instance s = inserted(&ann, &own, "race");
        rig_again(&ann, 0);
        between.how = rows[i].how, between.saga = &own;
        ann.faults[0] = rows[i].fails;
        ann.before = bob_comes_between;
        assert_int_equal(act(&ann, UPDATE, &own, &s), rows[i].status);
        ann.before = NULL;
        check_error(&ann, rows[i].says);
        assert_int_equal(ann.cx.err.maybe_applied, rows[i].maybe);
        if (!exists(&own, "race")) continue;
        s = stored(&own, "race");
        assert_int_equal(latch_saga_delete(&bob.cx, &own, &s, NULL), LATCH_OK);
    }
}

/* In a saga bus's table our id stays when the package writes: it tells that ours was applied before. */
static void npm_writes(void *arg) {
    static const char moved[] =
        "{\"TableName\":\"" BUS "\",\"Key\":{\"PK\":{\"S\":\"order\"},\"SK\":{\"S\":\"race\"}},\"UpdateExpression\":"
        "\"SET version = version + :one\",\"ExpressionAttributeValues\":{\":one\":{\"N\":\"1\"}}}";
    latch_json request;
    latch_answer answer;
    (void)arg;
    if (ann.requests != 2) return;
    rig_again(&bob, 0);
    assert_int_equal(latch_parse(&bob.cx, "request", str(moved), &request), LATCH_OK);
    assert_int_equal(latch_dynamodb_call(&bob.cx, "UpdateItem", request, &answer), LATCH_OK);
}

static void our_id_stays_when_the_package_writes(void **state) {
    (void)state;
    for (size_t applied = 0; applied < 2; applied++) {
        pair_again(sound);
        latch_saga_instance s = inserted(&ann, &bus, "race");
        rig_again(&ann, 0);
        ann.faults[0] = applied ? LOST_AFTER : LOST_BEFORE;
        ann.before = npm_writes;
        latch_status status = act(&ann, UPDATE, &bus, &s);
        ann.before = NULL;
        assert_int_equal(status, applied ? LATCH_OK : LATCH_CONFLICT);
        assert_int_equal(s.version, applied);
        if (!applied) assert_false(ann.cx.err.maybe_applied);
        s = stored(&bus, "race");
        assert_int_equal(s.version, applied + 1);
        assert_int_equal(latch_saga_delete(&bob.cx, &bus, &s, NULL), LATCH_OK);
    }
}

/* Ann's first try of an update comes after her saga has gone and another has come: it must not change that one. */
static void a_late_update_changes_nothing_else(void **state) {
    (void)state;
    latch_saga_instance s = inserted(&ann, &own, "race");
    rig_again(&ann, 0);
    ann.faults[0] = LATE;
    assert_int_equal(act(&ann, UPDATE, &own, &s), LATCH_OK);
    assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_OK);
    rig_deliver(&ann);
    assert_int_equal(stored(&own, "race").version, 2);
}

/* A delete that comes late, when the ids were given to another saga: its token is known. */
static void a_late_delete_is_known(void **state) {
    (void)state;
    latch_saga_instance s = inserted(&ann, &own, "race");
    rig_again(&ann, 0);
    ann.faults[0] = LATE;
    assert_int_equal(act(&ann, DELETE, &own, &s), LATCH_OK);
    rig_again(&bob, 0);
    s = inserted(&bob, &own, "race");
    rig_deliver(&ann);
    assert_true(exists(&own, "race"));
}

static bool keeps_what_has_moved(rig_twin twin) {
    latch_saga_instance s, old, there;
    pair_again(twin);
    old = s = inserted(&ann, &own, "race");
    s.state = latch_object(&ann.cx, "paid", INT64_C(1));
    assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_OK);
    latch_status status = latch_saga_delete(&ann.cx, &own, &old, &there);
    world.twin = sound;
    if (status == LATCH_CONFLICT) {
        check_error(&ann, "saga order: race is at another version than the one to delete");
        assert_int_equal(there.version, 1);
        old = s;
        old.correlation_id = LATCH_STR("else");
        assert_int_equal(latch_saga_delete(&ann.cx, &own, &old, &there), LATCH_CONFLICT);
        check_error(&ann, "has another correlation id than the one to delete");
        assert_int_equal(latch_saga_delete(&ann.cx, &own, &s, NULL), LATCH_OK);
    }
    assert_false(rig_has(&world, "CORR#order#race", "CORR", "pk"));
    return status == LATCH_CONFLICT;
}

static void a_delete_expects_the_version(void **state) {
    (void)state;
    assert_true(keeps_what_has_moved(sound));
    latch_saga_instance s = inserted(&ann, &own, "x");
    rig_put(&world, "{\"pk\":{\"S\":\"CORR#order#x\"},\"sk\":{\"S\":\"CORR\"},\"sagaId\":{\"S\":\"y\"}}");
    assert_int_equal(latch_saga_delete(&ann.cx, &own, &s, NULL), LATCH_CONFLICT);
    check_error(&ann, "x has a correlation id that is another's");
    rig_delete(&world, "CORR#order#x", "CORR");
    assert_int_equal(latch_saga_delete(&ann.cx, &own, &s, NULL), LATCH_OK);
}

/* ── finding ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define SAGAS 12 /* s00 to s11; each third is completed */

static void fill(const latch_saga *saga) {
    char id[8];
    for (int i = 0; i < SAGAS; i++) {
        snprintf(id, sizeof id, "s%02d", i);
        rig_again(&ann, 0);
        latch_saga_instance s = new_saga(&ann, id, i);
        s.completed = i % 3 == 0;
        latch_saga_set_timeout(&ann.cx, &s, 60000 - 1000 * i);
        assert_int_equal(latch_saga_insert(&ann.cx, saga, &s, NULL), LATCH_OK);
    }
    rig_again(&ann, 0);
}

typedef latch_status find_fn(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query, latch_saga_page *page);

/* The ids of all pages, as "s00 s01|s02": each page is full but for the last. */
static void check_pages(find_fn *find, const latch_saga *saga, latch_saga_which which, int64_t limit, const char *want) {
    latch_saga_query query = {.which = which, .limit = limit};
    latch_saga_page page;
    char text[200];
    size_t len = 0;
    *text = '\0';
    rig_again(&ann, 0);
    do {
        if (len > 0) text[len++] = '|';
        assert_int_equal(find(&ann.cx, saga, &query, &page), LATCH_OK);
        for (size_t i = 0; i < page.count; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? " " : "", LATCH_ARG(page.items[i].id));
        query.from = page.next;
    } while (page.next.len > 0);
    text[len] = '\0';
    assert_string_equal(text, want);
}

static void pages_are_full(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        fill(both[i]);
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_ALL, 5, "s00 s01 s02 s03 s04|s05 s06 s07 s08 s09|s10 s11");
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_COMPLETED, 3, "s00 s03 s06|s09");
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_RUNNING, 5, "s01 s02 s04 s05 s07|s08 s10 s11");
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_COMPLETED, 1, "s00|s03|s06|s09");
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_ALL, 0, "s00 s01 s02 s03 s04 s05 s06 s07 s08 s09 s10 s11");
        assert_int_equal(ann.requests, 1);
        latch_saga other = *both[i];
        other.name = "refund";
        check_pages(latch_saga_find_by_name, &other, LATCH_SAGA_ALL, 0, "");
    }
}

static void finds_whose_time_has_come(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        rig_at(&world, T0);
        fill(both[i]);
        rig_at(&world, T0 + 60000 - 11000 - 1);
        check_pages(latch_saga_find_timed_out, both[i], LATCH_SAGA_ALL, 5, "");
        rig_pass(&world, 1);
        check_pages(latch_saga_find_timed_out, both[i], LATCH_SAGA_ALL, 5, "s11");
        rig_at(&world, T0 + 60000);
        check_pages(latch_saga_find_timed_out, both[i], LATCH_SAGA_ALL, 5,
                    both[i] == &own ? "s11 s10 s08 s07 s05|s04 s02 s01" : "s01 s02 s04 s05 s07|s08 s10 s11");
    }
}

static void a_token_is_checked(void **state) {
    latch_saga_query query = {.limit = 2, .from = LATCH_STR("bm9uZQ")};
    latch_saga_page page;
    (void)state;
    fill(&own);
    assert_int_equal(latch_saga_find_by_name(&ann.cx, &own, &query, &page), LATCH_E_INPUT);
    assert_int_equal(page.count, 0);
    query.limit = LATCH_SAGA_PAGE_MAX + 1;
    assert_int_equal(latch_saga_find_by_name(&ann.cx, &own, &query, &page), LATCH_E_MISUSE);
    query.limit = -1;
    assert_int_equal(latch_saga_find_timed_out(&ann.cx, &own, &query, &page), LATCH_E_MISUSE);
    query = (latch_saga_query){.which = (latch_saga_which)7};
    assert_int_equal(latch_saga_find_by_name(&ann.cx, &own, &query, &page), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

/* What another left half-written: asked for, it is told; among others, it is passed over. */
static void half_written_sagas(void **state) {
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"\"version\":{\"N\":\"0\"}", "\"version\":{\"S\":\"0\"}", "item.version"},
        {"\"version\":{\"N\":\"0\"}", "\"version\":{\"N\":\"-1\"}", "item.version"},
        {"\"version\":{\"N\":\"0\"}", "\"version\":{\"N\":\"1.5\"}", "item.version"},
        {"\"isCompleted\"", "\"isCompletes\"", "item.isCompleted"},
        {"\"state\":{\"M\":{\"paid\":{\"N\":\"0\"}}}", "\"state\":{\"S\":\"{}\"}", "item.state"},
        {"2026-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "item.createdAt: is \"2026-13-01T00:00:00.000Z\", want a time as"},
        {"2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z", "item.createdAt"},
        {"2026-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "item.createdAt"},
    };
    latch_saga_instance found;
    (void)state;
    inserted(&ann, &own, "whole");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *at, item[2048], changed[2048];
        rig_again(&ann, 0);
        inserted(&ann, &own, "half");
        snprintf(item, sizeof item, "%.*s", LATCH_ARG(latch_text(rig_item(&world, "SAGA#order#half", "STATE"))));
        at = strstr(item, rows[i].from);
        if (at == NULL) fail_msg("%s is not in %s", rows[i].from, item);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - item), item, rows[i].to, at + strlen(rows[i].from));
        rig_put(&world, changed);
        assert_int_equal(latch_saga_get_by_id(&ann.cx, &own, LATCH_STR("half"), &found), LATCH_E_DATA);
        check_error(&ann, rows[i].says);
        check_pages(latch_saga_find_by_name, &own, LATCH_SAGA_ALL, 0, "whole");
        rig_delete(&world, "SAGA#order#half", "STATE");
        rig_delete(&world, "CORR#order#half", "CORR");
    }
}

static void reopen(void *arg) {
    const latch_saga *saga = arg;
    if (ann.requests != 2) return;
    latch_saga_instance s = stored(saga, "s03");
    s.completed = false;
    assert_int_equal(latch_saga_update(&bob.cx, saga, &s, NULL), LATCH_OK);
}

/* s03 is opened again just before the first is deleted: what is left of it. */
static bool keeps_what_was_reopened(rig_twin twin, const latch_saga *saga) {
    latch_saga_query all = {.limit = SAGAS};
    latch_saga_page page;
    int64_t deleted;
    rig_at(&world, T0);
    fill(saga);
    pair_again(twin);
    rig_pass(&world, 1);
    ann.before = reopen, ann.arg = (void *)(uintptr_t)saga;
    assert_int_equal(latch_saga_delete_completed_before(&ann.cx, saga, T0 + 2, &deleted), LATCH_OK);
    ann.before = NULL;
    bool kept = exists(saga, "s03");
    assert_int_equal(deleted, kept ? 3 : 4);
    assert_int_equal(ann.requests, 5);
    world.twin = sound;
    rig_again(&ann, 0);
    assert_int_equal(latch_saga_find_by_name(&ann.cx, saga, &all, &page), LATCH_OK);
    for (size_t i = 0; i < page.count; i++)
        assert_int_equal(latch_saga_delete(&ann.cx, saga, &page.items[i], NULL), LATCH_OK);
    return kept;
}

static void deletes_what_was_completed_before(void **state) {
    int64_t deleted;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        assert_true(keeps_what_was_reopened(sound, both[i]));
        rig_at(&world, T0);
        fill(both[i]);
        assert_int_equal(latch_saga_delete_completed_before(&ann.cx, both[i], T0, &deleted), LATCH_OK);
        assert_int_equal(deleted, 0);
        ann.faults[2] = LOST_AFTER;
        ann.requests = 0;
        assert_int_equal(latch_saga_delete_completed_before(&ann.cx, both[i], T0 + 1, &deleted), LATCH_OK);
        assert_int_equal(deleted, 4);
        check_pages(latch_saga_find_by_name, both[i], LATCH_SAGA_COMPLETED, 0, "");
        if (both[i] == &own) assert_false(rig_has(&world, "CORR#order#s03", "CORR", "pk"));
        assert_int_equal(latch_saga_delete_completed_before(&ann.cx, both[i], -1, &deleted), LATCH_E_MISUSE);
    }
}

/* ── the package's own ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* As npm's @saga-bus/store-dynamodb 0.2.2 writes it, core 0.2.2 in front. */
static const char npm_item[] =
    "{\"TableName\":\"" BUS "\",\"Item\":{\"PK\":{\"S\":\"order\"},\"SK\":{\"S\":\"n-1\"},\"sagaName\":{\"S\":\"order\"},\"sagaId\":{\"S\":"
    "\"n-1\"},\"correlationId\":{\"S\":\"c-1\"},\"version\":{\"N\":\"3\"},\"isCompleted\":{\"BOOL\":false},\"state\":{\"M\":{\"metadata\":{"
    "\"M\":"
    "{\"sagaId\":{\"S\":\"n-1\"},\"version\":{\"N\":\"3\"},\"isCompleted\":{\"BOOL\":false},\"createdAt\":{\"S\":\"2025-12-31T23:59:59."
    "123Z\"},"
    "\"updatedAt\":{\"S\":\"2026-01-01T00:00:00.000Z\"},\"traceParent\":{\"S\":\"00-ab\"},\"traceState\":{\"NULL\":true},\"timeoutMs\":{"
    "\"N\":\"5000\"},"
    "\"timeoutExpiresAt\":{\"S\":\"2026-01-01T00:00:05.000Z\"}}},\"paid\":{\"N\":\"2\"}}},\"createdAt\":{\"S\":\"2025-12-31T23:59:59."
    "123Z\"},"
    "\"updatedAt\":{\"S\":\"2026-01-01T00:00:00.000Z\"},\"GSI1PK\":{\"S\":\"order\"},\"GSI1SK\":{\"S\":\"c-1\"}}}";

static latch_json raw_of_bus(const char *id) {
    latch_answer answer;
    latch_json item;
    rig_again(&bob, 0);
    assert_int_equal(latch_dynamodb_call(&bob.cx, "GetItem",
                                         latch_object(&bob.cx, "TableName", BUS, "Key",
                                                      latch_object(&bob.cx, "PK", latch_object(&bob.cx, "S", "order"), "SK",
                                                                   latch_object(&bob.cx, "S", id))),
                                         &answer),
                     LATCH_OK);
    assert_int_equal(latch_read(answer.body, "Item", &item), LATCH_OK);
    return item;
}

static void reads_and_keeps_what_the_package_wrote(void **state) {
    static const struct {
        const char *path, *text;
    } texts[] = {
        {"state.M.metadata.M.traceParent.S", "00-ab"},
        {"state.M.metadata.M.updatedAt.S", "2026-01-01T00:00:01.000Z"},
        {"state.M.metadata.M.createdAt.S", "2025-12-31T23:59:59.123Z"},
        {"state.M.metadata.M.sagaId.S", "n-1"},
        {"state.M.metadata.M.version.N", "4"},
        {"updatedAt.S", "2026-01-01T00:00:01.000Z"},
        {"createdAt.S", "2025-12-31T23:59:59.123Z"},
        {"version.N", "4"},
        {"GSI1PK.S", "order"},
        {"GSI1SK.S", "c-1"},
        {"GSI2PK.S", "order"},
        {"GSI2SK.S", "2026-01-01T00:00:01.000Z"},
        {"state.M.paid.N", "3"},
    };
    latch_saga_instance s;
    latch_json request;
    latch_answer answer;
    (void)state;
    assert_int_equal(latch_parse(&ann.cx, "item", str(npm_item), &request), LATCH_OK);
    assert_int_equal(latch_dynamodb_call(&ann.cx, "PutItem", request, &answer), LATCH_OK);
    assert_int_equal(latch_saga_get_by_correlation_id(&ann.cx, &bus, LATCH_STR("c-1"), &s), LATCH_OK);
    check_text(s.id, "n-1");
    assert_int_equal(s.version, 3);
    assert_int_equal(s.timeout_ms, 5000);
    assert_int_equal(s.timeout_at_ms, T0 + 5000);
    assert_int_equal(s.created_at_ms, T0 - 877);
    assert_int_equal(paid_of(&s), 2);
    rig_pass(&world, 1000);
    latch_json metadata;
    assert_int_equal(latch_read(s.state, "metadata", &metadata), LATCH_OK);
    s.state = latch_object(&ann.cx, "paid", INT64_C(3), "metadata", metadata);
    s.completed = true;
    latch_saga_set_timeout(&ann.cx, &s, 0);
    assert_int_equal(latch_saga_update(&ann.cx, &bus, &s, NULL), LATCH_OK);
    latch_json item = raw_of_bus("n-1");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        latch_str text;
        assert_int_equal(latch_read_(item, (const latch_field[]){{texts[i].path, LATCH_I_(&text)}, {NULL, LATCH_I_(&text)}}), LATCH_OK);
        check_text(text, texts[i].text);
    }
    assert_true(latch_has(item, "state.M.metadata.M.timeoutMs.NULL"));
    assert_true(latch_has(item, "state.M.metadata.M.traceState.NULL"));
    assert_false(latch_has(item, "timeoutMs"));
    s.completed = false;
    assert_int_equal(latch_saga_update(&ann.cx, &bus, &s, NULL), LATCH_OK);
    assert_false(latch_has(raw_of_bus("n-1"), "GSI2PK"));
}

/* ── what is refused ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refuses_bad_input_without_sending(void **state) {
    static char long_id[LATCH_SAGA_ID_MAX_BYTES + 2], long_name[66];
    memset(long_id, 'x', sizeof long_id - 1);
    memset(long_name, 'x', sizeof long_name - 1);
    const struct {
        const char *name, *table, *id, *correlation, *state;
        int64_t timeout_ms, timeout_at_ms, policy_timeout_ms;
        latch_status status;
        const char *says;
    } rows[] = {
        {"order", NULL, "", "a", "{}", 0, 0, 0, LATCH_E_INPUT, "the key is empty"},
        {"order", NULL, "a", "", "{}", 0, 0, 0, LATCH_E_INPUT, "the key is empty"},
        {"order", NULL, long_id, "a", "{}", 0, 0, 0, LATCH_E_INPUT, "has 1025 bytes, want at most 1024"},
        {"order", BUS, "a", long_id, "{}", 0, 0, 0, LATCH_E_INPUT, "has 1025 bytes, want at most 1024"},
        {"order", NULL, "a\nb", "a", "{}", 0, 0, 0, LATCH_E_INPUT, "control byte 0x0a"},
        {"order", NULL, "a", "\xff", "{}", 0, 0, 0, LATCH_E_INPUT, "not UTF-8"},
        {"", NULL, "a", "a", "{}", 0, 0, 0, LATCH_E_MISUSE, ".name is empty"},
        {NULL, NULL, "a", "a", "{}", 0, 0, 0, LATCH_E_MISUSE, ".name is empty"},
        {long_name, NULL, "a", "a", "{}", 0, 0, 0, LATCH_E_MISUSE, ".name has 65 bytes"},
        {"order", "", "a", "a", "{}", 0, 0, 0, LATCH_E_MISUSE, "is no table's name"},
        {"order", "a b", "a", "a", "{}", 0, 0, 0, LATCH_E_MISUSE, "is no table's name"},
        {"order", NULL, "a", "a", "[]", 0, 0, 0, LATCH_E_MISUSE, "the state is no object"},
        {"order", NULL, "a", "a", "null", 0, 0, 0, LATCH_E_MISUSE, "the state is no object"},
        {"order", NULL, "a", "a", "{\"a\":1,\"a\":2}", 0, 0, 0, LATCH_E_MISUSE, "item.state"},
        {"order", NULL, "a", "a", "{\"\":1}", 0, 0, 0, LATCH_E_MISUSE, "item.state"},
        {"order", BUS, "a", "a", "{\"metadata\":3}", 0, 0, 0, LATCH_E_DATA, "state.metadata"},
        {"order", NULL, "a", "a", "{}", -1, 0, 0, LATCH_E_MISUSE, "timeout_ms is -1"},
        {"order", NULL, "a", "a", "{}", 367 * LATCH_DAY_MS, 0, 0, LATCH_E_MISUSE, "timeout_ms is"},
        {"order", NULL, "a", "a", "{}", 0, -1, 0, LATCH_E_MISUSE, "timeout_at_ms is -1"},
        {"order", NULL, "a", "a", "{}", 0, LATCH_AT_MS_MAX + 1, 0, LATCH_E_MISUSE, "timeout_at_ms is"},
        {"order", NULL, "a", "a", "{}", 0, 0, -1, LATCH_E_MISUSE, "timeout_ms is -1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_saga saga = {.name = rows[i].name, .saga_bus_table = rows[i].table, .timeout_ms = rows[i].policy_timeout_ms};
        rig_again(&ann, 0);
        latch_saga_instance s = {.id = str(rows[i].id), .correlation_id = str(rows[i].correlation)};
        assert_int_equal(latch_parse(&ann.cx, "state", str(rows[i].state), &s.state), LATCH_OK);
        latch_saga_set_timeout(&ann.cx, &s, rows[i].timeout_ms);
        if (rows[i].timeout_at_ms != 0) s.timeout_at_ms = rows[i].timeout_at_ms;
        latch_status status = latch_saga_insert(&ann.cx, &saga, &s, NULL);
        if (status != rows[i].status) fail_msg("%zu: %d, %s", i, (int)status, ann.cx.err.message);
        check_error(&ann, rows[i].says);
        assert_int_equal(ann.requests, 0);
    }
    latch_saga_instance s = new_saga(&ann, "a", 0);
    s.version = -1;
    assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

/* The stores' table with key names of its own. */
static void a_table_names_its_keys_itself(void **state) {
    const latch_dynamodb_schema *def = &latch_dynamodb_schema_default;
    const latch_dynamodb_schema named = {.pk = {"p", "S"}, .sk = {"s", "S"}, .indexes = def->indexes, .index_count = def->index_count};
    latch_dynamodb_ensured ensured;
    latch_saga_page page;
    int64_t deleted;
    (void)state;
    assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, "named", &named, NULL, &ensured), LATCH_OK);
    latch_table usual = ann.table;
    ann.table.name = "named", ann.table.pk = "p", ann.table.sk = "s";
    latch_saga_instance s = inserted(&ann, &own, "a"), b = inserted(&ann, &own, "b"), there;
    s.completed = true;
    assert_int_equal(latch_saga_insert(&ann.cx, &own, &b, &there), LATCH_CONFLICT);
    check_text(there.id, "b");
    assert_int_equal(latch_saga_update(&ann.cx, &own, &s, NULL), LATCH_OK);
    assert_int_equal(latch_saga_get_by_correlation_id(&ann.cx, &own, LATCH_STR("a"), &there), LATCH_OK);
    assert_int_equal(there.version, 1);
    latch_saga_query query = {.limit = 1};
    assert_int_equal(latch_saga_find_by_name(&ann.cx, &own, &query, &page), LATCH_OK);
    query.from = page.next;
    assert_int_equal(latch_saga_find_by_name(&ann.cx, &own, &query, &page), LATCH_OK);
    check_text(page.items[0].id, "b");
    assert_int_equal(latch_saga_delete_completed_before(&ann.cx, &own, T0 + 1, &deleted), LATCH_OK);
    assert_int_equal(deleted, 1);
    assert_int_equal(latch_saga_delete(&ann.cx, &own, &b, NULL), LATCH_OK);
    assert_int_equal(latch_saga_get_by_id(&ann.cx, &own, LATCH_STR("b"), &there), LATCH_MISSING);
    ann.table = usual;
}

static void ids_of_the_longest_go(void **state) {
    static char id[LATCH_SAGA_ID_MAX_BYTES + 1];
    (void)state;
    memset(id, 'x', sizeof id - 1);
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        inserted(&ann, both[i], id);
        assert_true(exists(both[i], id));
    }
}

static void names_the_missing_index_and_what_adds_it(void **state) {
    static const struct {
        const char *table, *says;
    } rows[] = {
        {NULL, "table bare has no index gsi2: `latch table create bare --add-indexes` adds it"},
        {"bare-bus", "table bare-bus has no index GSI2: `latch table create bare-bus --layout saga-bus --add-indexes` adds it"},
    };
    int64_t deleted;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_schema schema = *latch_layout_find(rows[i].table == NULL ? "latch" : "saga-bus")->schema;
        const latch_saga saga = {.name = "order", .saga_bus_table = rows[i].table};
        latch_dynamodb_ensured ensured;
        schema.index_count = 1;
        const char *table = rows[i].table == NULL ? "bare" : rows[i].table;
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, table, &schema, NULL, &ensured), LATCH_OK);
        ann.table.name = "bare";
        assert_int_equal(latch_saga_delete_completed_before(&ann.cx, &saga, T0, &deleted), LATCH_E_MISUSE);
        ann.table.name = "latch";
        check_error(&ann, rows[i].says);
    }
}

/* As it must be before ann acts: there, or not. A call that had no room for its answer may have been applied. */
static latch_saga_instance prepare(deed what) {
    latch_saga_instance s;
    if (exists(&bus, "tight")) {
        s = stored(&bus, "tight");
        assert_int_equal(latch_saga_delete(&bob.cx, &bus, &s, NULL), LATCH_OK);
    }
    rig_again(&bob, 0);
    return what == INSERT ? new_saga(&bob, "tight", 0) : inserted(&bob, &bus, "tight");
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0;
    (void)state;
    for (deed what = INSERT; what <= DELETE; what++) {
        latch_status status = LATCH_E_NOMEM;
        for (size_t bytes = 64; status != LATCH_OK && bytes < RIG_ARENA_BYTES; bytes += rig_is_engine() ? 64 : 512) {
            latch_saga_instance s = prepare(what);
            rig_again(&ann, bytes);
            status = act(&ann, what, &bus, &s);
            if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
            refused += status != LATCH_OK;
        }
        assert_int_equal(status, LATCH_OK);
    }
    assert_in_range(refused, 10, 4000);
}

/* ── twins ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What ann is told of an update whose answer is lost, when nobody comes between. */
static latch_status told_of_a_lost_update(rig_twin twin) {
    pair_again(twin);
    latch_saga_instance s = inserted(&ann, &own, "lost");
    rig_again(&ann, 0);
    ann.faults[0] = LOST_AFTER;
    latch_status status = act(&ann, UPDATE, &own, &s);
    s = stored(&own, "lost");
    world.twin = sound;
    assert_int_equal(latch_saga_delete(&bob.cx, &own, &s, NULL), LATCH_OK);
    return status;
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_int_equal(two_add_one(forgets_version, &own), 1); /* bob's is lost */
    assert_int_equal(told_of_a_lost_update(sound), LATCH_OK);
    assert_int_equal(told_of_a_lost_update(forgets_id), LATCH_CONFLICT);
    assert_false(second_is_refused(forgets_correlation));
    assert_false(keeps_what_has_moved(deletes_any_version));
    assert_false(keeps_what_was_reopened(forgets_completed, &own));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(keeps_this_item),
    ROW(sends_this_update),
    ROW(the_second_index_follows),
    ROW(gives_back_what_was_given),
    ROW(one_saga_per_id_and_correlation_id),
    ROW(of_two_updates_one_is_refused),
    ROW(survives_a_failure_of_each_write),
    ROW(what_is_never_answered_may_be_applied),
    ROW(a_refusal_after_silence_says_what_is_known),
    ROW(our_id_stays_when_the_package_writes),
    ROW(a_late_update_changes_nothing_else),
    ROW(a_late_delete_is_known),
    ROW(a_delete_expects_the_version),
    ROW(pages_are_full),
    ROW(finds_whose_time_has_come),
    ROW(a_token_is_checked),
    ROW(half_written_sagas),
    ROW(deletes_what_was_completed_before),
    ROW(reads_and_keeps_what_the_package_wrote),
    ROW(refuses_bad_input_without_sending),
    ROW(a_table_names_its_keys_itself),
    ROW(ids_of_the_longest_go),
    ROW(names_the_missing_index_and_what_adds_it),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(finds_the_broken_twins),
};

CHECK_MAIN(tests)

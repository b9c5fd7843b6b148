#include "store/transact.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/dynamodb.h"
#include "tests/check.h"
#include "tests/store/pair.h"

static int set_up(void **state) {
    (void)state;
    pair_open((size_t)24 << 20);
    return 0;
}

static latch_json account(rig *r, const char *name) { return latch_object(&r->cx, "pk", "ACCOUNT", "sk", name); }

static void is_fine(const rig *r, latch_status status) {
    if (status != LATCH_OK) fail_msg("%d: %s", status, r->cx.err.message);
}

static void open_account(const char *name, int64_t sum) {
    char item[160];
    snprintf(item, sizeof item, "{\"pk\":{\"S\":\"ACCOUNT\"},\"sk\":{\"S\":\"%s\"},\"sum\":{\"N\":\"%" PRId64 "\"}}", name, sum);
    rig_put(&world, item);
}

static int64_t sum_of(const char *name) { return rig_number(&world, "ACCOUNT", name, "sum"); }

/* What an author writes. */
static latch_status transfer(latch_ctx *cx, const char *from, const char *to, int64_t sum, const char *id, latch_dynamodb_cancelled *why) {
    return latch_dynamodb_transact_write(
        cx,
        &(latch_dynamodb_transact_write_request){
            LATCH_ACTIONS({LATCH_ACTION_UPDATE, .key = latch_object(cx, "pk", "ACCOUNT", "sk", from), .update = "SET #sum = #sum - :sum",
                           .condition = "#sum >= :sum", .values = LATCH_VALUES(":sum", sum), .wants_item = true},
                          {LATCH_ACTION_UPDATE, .key = latch_object(cx, "pk", "ACCOUNT", "sk", to), .update = "SET #sum = #sum + :sum",
                           .condition = "attribute_exists(#sum)", .values = LATCH_VALUES(":sum", sum)},
                          {LATCH_ACTION_PUT, .item = latch_object(cx, "pk", "TRANSFER", "sk", id, "from", from, "to", to, "sum", sum),
                           .condition = "attribute_not_exists(#pk)"})},
        why);
}

static void all_or_nothing(void **state) {
    latch_dynamodb_cancelled why;
    int64_t sum;
    (void)state;
    open_account("ann", 100);
    open_account("bob", 0);
    is_fine(&ann, transfer(&ann.cx, "ann", "bob", 60, "t1", &why));
    assert_null(why.reasons);
    assert_int_equal(sum_of("ann"), 40);
    assert_int_equal(sum_of("bob"), 60);
    assert_int_equal(transfer(&ann.cx, "ann", "bob", 60, "t2", &why), LATCH_CONFLICT);
    assert_false(ann.cx.err.maybe_applied);
    assert_int_equal(why.count, 3);
    assert_int_equal(why.first, 0);
    assert_true(latch_str_eq(why.reasons[0].code, LATCH_STR("ConditionalCheckFailed")));
    assert_true(latch_str_eq(why.reasons[0].message, LATCH_STR("The conditional request failed")));
    is_fine(&ann, latch_read(why.reasons[0].item, "sum", &sum)); /* what there was instead */
    assert_int_equal(sum, 40);
    assert_true(latch_str_eq(why.reasons[1].code, LATCH_STR("None")));
    assert_int_equal(why.reasons[1].message.len, 0);
    assert_null(why.reasons[1].item.node);
    assert_int_equal(transfer(&ann.cx, "bob", "eve", 10, "t3", &why), LATCH_CONFLICT); /* there is no such account */
    assert_int_equal(why.first, 1);
    assert_null(why.reasons[1].item.node);
    assert_int_equal(transfer(&ann.cx, "bob", "ann", 10, "t1", NULL), LATCH_CONFLICT);
    assert_int_equal(sum_of("ann"), 40);
    assert_int_equal(sum_of("bob"), 60);
    assert_false(rig_has(&world, "TRANSFER", "t2", "pk"));
}

static void puts_deletes_and_checks(void **state) {
    latch_dynamodb_cancelled why;
    (void)state;
    open_account("ann", 1);
    open_account("bob", 2);
    latch_dynamodb_action actions[] = {
        {LATCH_ACTION_DELETE, .key = account(&ann, "ann"), .condition = "#sum = :one", .values = LATCH_VALUES(":one", latch_int(1))},
        {LATCH_ACTION_CHECK, .key = account(&ann, "bob"), .condition = "#sum = :two", .values = LATCH_VALUES(":two", latch_int(3))},
        {LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "pk", "ACCOUNT", "sk", "eve", "sum", latch_int(5))}};
    latch_dynamodb_transact_write_request r = {.actions = actions, .count = 3};
    assert_int_equal(latch_dynamodb_transact_write(&ann.cx, &r, &why), LATCH_CONFLICT);
    assert_int_equal(why.first, 1);
    assert_int_equal(sum_of("ann"), 1);
    actions[1].values = LATCH_VALUES(":two", latch_int(2));
    is_fine(&ann, latch_dynamodb_transact_write(&ann.cx, &r, &why));
    assert_false(rig_has(&world, "ACCOUNT", "ann", "pk"));
    assert_int_equal(sum_of("bob"), 2);
    assert_int_equal(sum_of("eve"), 5);
}

static latch_status answers(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    const char *body = self;
    (void)send, (void)err;
    *out = (latch_reply){.http_status = 400, .body = latch_arena_copy(arena, latch_str_of(body))};
    return LATCH_OK;
}

/* As many reasons as there are actions, or none: whoever has three actions looks at the third. */
static void reasons_are_as_many_as_actions(void **state) {
#define CANCELLED(reasons) "{\"__type\":\"x#TransactionCanceledException\",\"Message\":\"no\",\"CancellationReasons\":" reasons "}"
    static const struct {
        const char *body;
        size_t count, first;
    } rows[] = {
        {CANCELLED("[{\"Code\":\"None\"},{\"Code\":\"None\",\"Message\":null},{\"Code\":\"ConditionalCheckFailed\",\"Message\":\"\"}]"), 3,
         2},
        {CANCELLED("[{\"Code\":\"ConditionalCheckFailed\",\"Message\":\"no\"}]"), 0, 0},
        {CANCELLED("[{\"Code\":\"ConditionalCheckFailed\"},{\"Code\":\"None\"},{\"Code\":\"None\"},{\"Code\":\"None\"}]"), 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_dynamodb_cancelled why;
        ann.client.transport = (latch_transport){.call = answers, .self = (void *)(uintptr_t)rows[i].body};
        assert_int_equal(transfer(&ann.cx, "ann", "bob", 1, "t", &why), LATCH_CONFLICT);
        assert_int_equal(why.count, rows[i].count);
        assert_int_equal(why.reasons != NULL, rows[i].count > 0);
        assert_int_equal(why.first, rows[i].first);
    }
}

/* ── repeating ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What got no answer goes again with the same token, and is applied once. */
static void is_repeated_and_applied_once(void **state) {
    static const fault faults[] = {LOST_BEFORE, LOST_AFTER, FAILS_500, ANSWERS_NO_JSON};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        latch_dynamodb_cancelled why;
        char id[8];
        open_account("ann", 100);
        open_account("bob", 0);
        rig_again(&ann, 0);
        ann.faults[0] = ann.faults[1] = faults[i];
        snprintf(id, sizeof id, "t%zu", i);
        is_fine(&ann, transfer(&ann.cx, "ann", "bob", 60, id, &why));
        assert_int_equal(ann.requests, 3);
        assert_int_equal(sum_of("ann"), 40);
        assert_int_equal(sum_of("bob"), 60);
    }
}

static void says_maybe_where_nothing_answers(void **state) {
    latch_dynamodb_cancelled why;
    (void)state;
    open_account("ann", 100);
    open_account("bob", 0);
    for (size_t i = 0; i < 8; i++)
        ann.faults[i] = LOST_AFTER;
    assert_int_equal(transfer(&ann.cx, "ann", "bob", 60, "t1", &why), LATCH_E_TIMEOUT);
    assert_true(ann.cx.err.maybe_applied);
    assert_null(why.reasons);
    assert_int_equal(sum_of("ann"), 40);
}

static latch_status add_once(rig *r, const char *token, int64_t by) {
    return latch_dynamodb_transact_write(
        &r->cx,
        &(latch_dynamodb_transact_write_request){LATCH_ACTIONS({LATCH_ACTION_UPDATE, .key = account(r, "ann"),
                                                                .update = "SET #sum = #sum + :by", .values = LATCH_VALUES(":by", by)}),
                                                 .token = latch_str_of(token)},
        NULL);
}

/* A token of one's own makes two calls one; made anew for each, they are two. */
static void a_token_makes_two_calls_one(void **state) {
    char token[37];
    (void)state;
    open_account("ann", 0);
    snprintf(token, sizeof token, "%.*s", LATCH_ARG(latch_uuid(&ann.cx)));
    is_fine(&ann, add_once(&ann, token, 5));
    is_fine(&bob, add_once(&bob, token, 5));
    assert_int_equal(sum_of("ann"), 5);
    assert_int_equal(add_once(&bob, token, 6), LATCH_E_MISUSE); /* another request under the same token */
    assert_string_equal(bob.cx.err.type, "IdempotentParameterMismatchException");
    is_fine(&ann, add_once(&ann, "", 5));
    is_fine(&ann, add_once(&ann, "", 5));
    assert_int_equal(sum_of("ann"), 15);
}

static void sends_exactly_this(void **state) {
    (void)state;
    open_account("ann", 0);
    is_fine(&ann, latch_dynamodb_transact_write(
                      &ann.cx,
                      &(latch_dynamodb_transact_write_request){
                          LATCH_ACTIONS({LATCH_ACTION_CHECK, .table = "latch", .key = account(&ann, "ann"), .condition = "#sum = :zero",
                                         .values = LATCH_VALUES(":zero", latch_int(0)), .wants_item = true},
                                        {LATCH_ACTION_DELETE, .key = account(&ann, "bob")}),
                          .token = LATCH_STR("token-of-sends-exactly-this")},
                      NULL));
    assert_string_equal(ann.operation, "TransactWriteItems");
    assert_string_equal(
        ann.last_request,
        "{\"ClientRequestToken\":\"token-of-sends-exactly-this\",\"TransactItems\":[{\"ConditionCheck\":{\"TableName\":\"latch\",\"Key\":{"
        "\"pk\":{\"S\":\"ACCOUNT\"},\"sk\":{\"S\":\"ann\"}},\"ConditionExpression\":\"#sum = :zero\",\"ExpressionAttributeNames\":{"
        "\"#sum\":\"sum\"},\"ExpressionAttributeValues\":{\":zero\":{\"N\":\"0\"}},\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}},"
        "{\"Delete\":{\"TableName\":\"latch\",\"Key\":{\"pk\":{\"S\":\"ACCOUNT\"},\"sk\":{\"S\":\"bob\"}}}}]}");
}

/* ── what isn't sent ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void refused(latch_status is, latch_status want, const char *message) {
    if (is != want || strcmp(ann.cx.err.message, message) != 0) fail_msg("%d: %s\nwant %s", is, ann.cx.err.message, message);
    assert_int_equal(ann.requests, 0);
    assert_false(ann.cx.err.maybe_applied);
}

static latch_status write_all(const latch_dynamodb_action *actions, size_t count) {
    return latch_dynamodb_transact_write(&ann.cx, &(latch_dynamodb_transact_write_request){.actions = actions, .count = count}, NULL);
}

static void refuses_actions_without_sending(void **state) {
    latch_json key = account(&ann, "ann"), other = account(&ann, "bob");
    (void)state;
    const struct {
        latch_dynamodb_action first, second;
        latch_status status;
        const char *message;
    } rows[] = {
        {{.key = key},
         {LATCH_ACTION_DELETE, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 0 has no kind: begin with LATCH_ACTION_PUT, _UPDATE, _DELETE or _CHECK"},
        {{LATCH_ACTION_DELETE, .key = key},
         {(latch_action_kind)9, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 1 has a kind that there isn't"},
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_UPDATE, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 1 is an update without .update"},
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_CHECK, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 1 is a check without .condition"},
        {{LATCH_ACTION_DELETE, .key = key, .update = "REMOVE #a"},
         {LATCH_ACTION_DELETE, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 0 is a delete, which has no .update"},
        {{LATCH_ACTION_PUT, .item = key, .update = "REMOVE #a"},
         {LATCH_ACTION_DELETE, .key = other},
         LATCH_E_MISUSE,
         "transact_write: action 0 is a put, which has no .update"},
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_DELETE, .key = account(&ann, "")},
         LATCH_E_INPUT,
         "transact_write: action 1: key.sk is empty, which no key may be"},
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_PUT, .item = LATCH_NULL},
         LATCH_E_MISUSE,
         "transact_write: action 1: item is no object"},
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_UPDATE, .key = other, .update = "SET #a = :a"},
         LATCH_E_MISUSE,
         "transact_write: action 1: :a stands in an expression, and has no value"},
        /* one item twice: two keys; a key and a put's item; two items of the table whose keys are known; numbers that are equal */
        {{LATCH_ACTION_DELETE, .key = key},
         {LATCH_ACTION_DELETE, .table = "latch", .key = key},
         LATCH_E_MISUSE,
         "transact_write: actions 0 and 1 are on one item, which a transaction can't have: make them one"},
        {{LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "n", latch_int(1), "sk", "ann", "pk", "ACCOUNT")},
         {LATCH_ACTION_DELETE, .key = key},
         LATCH_E_MISUSE,
         "transact_write: actions 0 and 1 are on one item, which a transaction can't have: make them one"},
        {{LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "n", latch_int(1), "sk", "ann", "pk", "ACCOUNT")},
         {LATCH_ACTION_PUT, .item = key},
         LATCH_E_MISUSE,
         "transact_write: actions 0 and 1 are on one item, which a transaction can't have: make them one"},
        {{LATCH_ACTION_DELETE, .table = "orders", .key = latch_object(&ann.cx, "id", latch_int(10))},
         {LATCH_ACTION_DELETE, .table = "orders", .key = latch_object(&ann.cx, "id", latch_object(&ann.cx, "$number", "1e1"))},
         LATCH_E_MISUSE,
         "transact_write: actions 0 and 1 are on one item, which a transaction can't have: make them one"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refused(write_all((const latch_dynamodb_action[]){rows[i].first, rows[i].second}, 2), rows[i].status, rows[i].message);
    refused(write_all(NULL, 0), LATCH_E_MISUSE, "transact_write: has 0 actions, want 1 to 100: split it where no part needs the other");
    const latch_dynamodb_action one = {LATCH_ACTION_DELETE, .key = key};
    latch_dynamodb_transact_write_request r = {.actions = &one, .count = 1, .token = LATCH_STR("0123456789012345678901234567890123456")};
    refused(latch_dynamodb_transact_write(&ann.cx, &r, NULL), LATCH_E_MISUSE,
            "transact_write: .token has 37 bytes, want at most 36: latch_uuid gives one");
    r.token.len = 36;
    is_fine(&ann, latch_dynamodb_transact_write(&ann.cx, &r, NULL));
}

/* 100 go, 101 don't; what looks alike and isn't the same item goes too. */
static void has_at_most_100_actions(void **state) {
    latch_dynamodb_action actions[101];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        char name[8];
        snprintf(name, sizeof name, "a%zu", i);
        actions[i] = (latch_dynamodb_action){LATCH_ACTION_PUT, .item = latch_object(&ann.cx, "pk", "ACCOUNT", "sk", (const char *)name)};
    }
    refused(write_all(actions, 101), LATCH_E_MISUSE,
            "transact_write: has 101 actions, want 1 to 100: split it where no part needs the other");
    is_fine(&ann, write_all(actions, 100));
    assert_true(rig_has(&world, "ACCOUNT", "a99", "pk"));
}

static void has_at_most_4_mb(void **state) {
    static char text[400 * 1024];
    latch_dynamodb_action actions[11];
    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        char name[8];
        latch_str large = {text, 381300}; /* 11 of these, with names and keys, are 4 MB and 110 bytes more */
        snprintf(name, sizeof name, "b%02zu", i);
        latch_json item = latch_object(&ann.cx, "pk", "ACCOUNT", "sk", (const char *)name, "v", large);
        actions[i] = (latch_dynamodb_action){LATCH_ACTION_PUT, .item = item};
    }
    refused(write_all(actions, 11), LATCH_E_MISUSE, "transact_write: its items have 4194465 bytes together, want at most 4194304");
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reads_many_at_one_moment(void **state) {
    latch_json items[3];
    int64_t sum;
    latch_dynamodb_cost cost = {0};
    latch_usage usage = {0};
    (void)state;
    ann.cx.usage = &usage;
    open_account("ann", 1);
    open_account("bob", 2);
    ann.faults[0] = LOST_AFTER;
    is_fine(&ann, latch_dynamodb_transact_get(
                      &ann.cx,
                      &(latch_dynamodb_transact_get_request){
                          .gets = (const latch_dynamodb_get_request[]){{.key = account(&ann, "bob")},
                                                                       {.key = account(&ann, "eve")},
                                                                       {.key = account(&ann, "ann"), .projection = "#sum"}},
                          .count = 3,
                          .cost = &cost},
                      items));
    is_fine(&ann, latch_read(items[0], "sum", &sum));
    assert_int_equal(sum, 2);
    assert_null(items[1].node);
    assert_true(latch_str_eq(latch_text(items[2]), LATCH_STR("{\"sum\":1}")));
    assert_int_equal(ann.requests, 2);
    assert_int_equal(cost.requests, 2);
    assert_true(cost.read_milli_units >= 4000);
    ann.cx.usage = NULL;
}

static void refuses_gets_without_sending(void **state) {
    latch_json items[2];
    latch_json key = account(&ann, "ann");
    (void)state;
    latch_dynamodb_get_request gets[] = {{.key = key}, {.key = key}};
    latch_dynamodb_transact_get_request r = {.gets = gets, .count = 2};
    refused(latch_dynamodb_transact_get(&ann.cx, &r, items), LATCH_E_MISUSE,
            "transact_get: actions 0 and 1 are on one item, which a transaction can't have: make them one");
    gets[1].key = LATCH_NULL;
    refused(latch_dynamodb_transact_get(&ann.cx, &r, items), LATCH_E_MISUSE,
            "transact_get: action 1: key is no object of 1 or 2 attributes, the table's key");
    assert_null(items[0].node);
    r.count = 0;
    refused(latch_dynamodb_transact_get(&ann.cx, &r, items), LATCH_E_MISUSE,
            "transact_get: has 0 gets, want 1 to 100: split it where no part needs the other");
}

/* ── memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void fits_or_refuses_at_every_arena_size(void **state) {
    bool worked = false;
    (void)state;
    open_account("bob", 0);
    for (size_t bytes = 64; bytes < (size_t)64 << 10 && !worked; bytes += bytes < 8192 ? 64 : 1024) {
        latch_dynamodb_cancelled why;
        char id[16];
        open_account("ann", 1000);
        rig_again(&ann, bytes);
        snprintf(id, sizeof id, "x%zu", bytes);
        latch_status status = transfer(&ann.cx, "ann", "bob", 1, id, &why);
        bool applied = sum_of("ann") == 999;
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        if (status == LATCH_OK) assert_true(applied);
        if (applied && status != LATCH_OK) assert_true(ann.cx.err.maybe_applied);
        worked = status == LATCH_OK;
    }
    assert_true(worked);
}

/* ── money ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ACCOUNTS 4
#define START 20

static uint64_t seed;
static uint64_t roll(uint64_t n) { /* xorshift: the same each time */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static fault sometimes(void *arg) {
    static const fault faults[] = {NOT_SENT, LOST_BEFORE, LOST_AFTER, FAILS_500, FAILS_THROTTLED, ANSWERS_NO_JSON};
    (void)arg;
    return roll(4) == 0 ? faults[roll(COUNT_OF(faults))] : NO_FAULT;
}

/* Another's transfer just before this one is sent: what was read is old by then. */
static void meanwhile(void *arg) {
    static const char *const names[ACCOUNTS] = {"a", "b", "c", "d"};
    uint64_t from = roll(ACCOUNTS), to = (from + 1 + roll(ACCOUNTS - 1)) % ACCOUNTS;
    char id[24];
    static int n;
    (void)arg;
    if (roll(3) != 0) return;
    rig_again(&bob, 0);
    snprintf(id, sizeof id, "bob-%d", n++);
    (void)!transfer(&bob.cx, names[from], names[to], (int64_t)roll(START), id, NULL);
}

/* Random transfers through failures: how often the books were wrong: money made or lost, or an account below zero. */
static int wrong_books(rig_twin twin) {
    static const char *const names[ACCOUNTS] = {"a", "b", "c", "d"};
    int wrong = 0;
    seed = 88172645463325252u;
    for (int i = 0; i < ACCOUNTS; i++)
        open_account(names[i], START);
    world.twin = twin;
    for (int run = 0; run < 150; run++) {
        uint64_t from = roll(ACCOUNTS), to = (from + 1 + roll(ACCOUNTS - 1)) % ACCOUNTS;
        int64_t all = 0;
        bool below = false;
        char id[24];
        rig_again(&ann, 0);
        latch_dynamodb_breaker_reset(&ann.cx);
        ann.roll = sometimes;
        ann.before = meanwhile;
        snprintf(id, sizeof id, "run-%d", run);
        (void)!transfer(&ann.cx, names[from], names[to], (int64_t)roll(START), id, NULL);
        for (int i = 0; i < ACCOUNTS; i++) {
            all += sum_of(names[i]);
            below = below || sum_of(names[i]) < 0;
        }
        wrong += below || all != (int64_t)ACCOUNTS * START;
    }
    ann.roll = NULL;
    ann.before = NULL;
    world.twin = (rig_twin){NULL, NULL};
    return wrong;
}

static void money_is_neither_made_nor_lost(void **state) {
    (void)state;
    assert_int_equal(wrong_books((rig_twin){NULL, NULL}), 0);
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    assert_true(wrong_books((rig_twin){"#sum >= :sum", "(#sum >= :sum OR attribute_exists(#sum))"}) > 0);
    assert_true(wrong_books((rig_twin){"SET #sum = #sum + :sum", "SET #sum = #sum - :sum"}) > 0);
}

/* Without the token a repeat would be applied twice: the harness sees that. */
static void finds_a_token_that_is_not_sent(void **state) {
    (void)state;
    open_account("ann", 0);
    for (int i = 0; i < 2; i++) {
        rig_again(&ann, 0);
        world.twin = i == 0 ? (rig_twin){NULL, NULL} : (rig_twin){"\"ClientRequestToken\":", "\"Unused\":"};
        ann.faults[0] = LOST_AFTER;
        is_fine(&ann, add_once(&ann, "", 1));
    }
    world.twin = (rig_twin){NULL, NULL};
    assert_int_equal(sum_of("ann"), 3);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, pair_tear_down)
static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(all_or_nothing),
    ROW(puts_deletes_and_checks),
    ROW(reasons_are_as_many_as_actions),
    ROW(is_repeated_and_applied_once),
    ROW(says_maybe_where_nothing_answers),
    ROW(a_token_makes_two_calls_one),
    ROW(sends_exactly_this),
    ROW(refuses_actions_without_sending),
    ROW(has_at_most_100_actions),
    ROW(has_at_most_4_mb),
    ROW(reads_many_at_one_moment),
    ROW(refuses_gets_without_sending),
    ROW(fits_or_refuses_at_every_arena_size),
    ROW(money_is_neither_made_nor_lost),
    ROW(finds_the_broken_twins),
    ROW(finds_a_token_that_is_not_sent),
    // clang-format on
};

CHECK_MAIN(tests)

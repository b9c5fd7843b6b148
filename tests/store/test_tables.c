#include "store/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "tests/check.h"
#include "tests/store/pair.h"

static char name[64]; /* of a table that this row alone has */

/* DynamoDB Local is shared: each row has a table of its own there, and takes it with it. */
static int set_up(void **state) {
    static int rows;
    (void)state;
    pair_open(RIG_ARENA_BYTES);
    snprintf(name, sizeof name, "tables-%ld-%d", (long)getpid(), ++rows);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_again(&bob, 0);
    bob.before = NULL;
    bool missing = false;
    latch_status status = latch_dynamodb_table_delete(&bob.cx, name);
    missing = status == LATCH_MISSING;
    pair_close();
    return status == LATCH_OK || missing ? 0 : -1;
}

static bool is(latch_str s, const char *word) { return latch_str_eq(s, latch_str_of(word)); }

static latch_status ensure(rig *r, const latch_dynamodb_schema *schema, latch_dynamodb_ensured *out) {
    return latch_dynamodb_table_ensure(&r->cx, name, schema, NULL, out);
}

static void create(rig *r, const latch_dynamodb_schema *schema) {
    assert_int_equal(latch_dynamodb_table_create(&r->cx, name, schema), LATCH_OK);
}

/* ── creating and describing ────────────────────────────────────────────────────────────────────────────────────────────── */

static void the_stores_table_is_described_as_it_was_asked_for(void **state) {
    latch_dynamodb_table_info info;
    (void)state;
    create(&ann, NULL);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_dynamodb_table_describe(&ann.cx, name, &info), LATCH_OK);
    assert_int_equal(ann.requests, 3);
    assert_true(is(info.name, name));
    assert_true(is(info.status, "ACTIVE"));
    assert_true(is(info.pk.name, "pk") && info.pk.type == 'S');
    assert_true(is(info.sk.name, "sk") && info.sk.type == 'S');
    assert_int_equal(info.index_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const latch_dynamodb_index_info *index = &info.indexes[i];
        bool first = is(index->name, "gsi1");
        assert_true(first || is(index->name, "gsi2"));
        assert_true(is(index->pk.name, first ? "gsi1pk" : "gsi2pk") && index->pk.type == 'S');
        assert_true(is(index->sk.name, first ? "gsi1sk" : "gsi2sk") && index->sk.type == 'S');
        assert_true(is(index->projection, "ALL") && !index->local && is(index->status, "ACTIVE"));
    }
    assert_true(info.on_demand);
    assert_int_equal(info.items, 0);
    assert_true(is(info.ttl_status, "DISABLED"));
    assert_int_equal(info.ttl.len, 0);
    assert_true(info.created_at_ms > 0);
    assert_true(info.arn.len > strlen(name));
    assert_int_equal(latch_dynamodb_table_fits(&ann.cx, &info, NULL), LATCH_OK);
}

static const char *const totals[] = {"total", "currency", NULL};
static const latch_dynamodb_index own_indexes[] = {
    {.name = "by-day", .pk = {"day", "N"}, .sk = {"raw", "B"}, .projection = "KEYS_ONLY"},
    {.name = "by-place", .pk = {.name = "customer"}, .sk = {.name = "place"}, .local = true, .projection = "INCLUDE", .include = totals},
};

/* Every kind of key, index and projection, and provisioned capacity. */
static void a_schema_of_ones_own_comes_back(void **state) {
    const latch_dynamodb_schema own = {.pk = {.name = "customer"},
                                       .sk = {"at", "N"},
                                       .ttl = "expires",
                                       .indexes = own_indexes,
                                       .index_count = 2,
                                       .read_units = 3,
                                       .write_units = 2};
    latch_dynamodb_ensured ensured;
    (void)state;
    assert_int_equal(ensure(&ann, &own, &ensured), LATCH_OK);
    const latch_dynamodb_table_info *info = &ensured.info;
    assert_true(ensured.created && ensured.ttl_turned);
    assert_true(is(info->ttl, "expires"));
    assert_true(is(info->pk.name, "customer") && info->pk.type == 'S' && is(info->sk.name, "at") && info->sk.type == 'N');
    assert_int_equal(info->index_count, 2);
    assert_true(is(info->indexes[0].name, "by-day") && !info->indexes[0].local && is(info->indexes[0].projection, "KEYS_ONLY"));
    assert_true(info->indexes[0].pk.type == 'N' && info->indexes[0].sk.type == 'B');
    assert_true(is(info->indexes[1].name, "by-place") && info->indexes[1].local && is(info->indexes[1].projection, "INCLUDE"));
    assert_true(!info->on_demand && info->read_units == 3 && info->write_units == 2);
    assert_int_equal(latch_dynamodb_table_fits(&ann.cx, info, &own), LATCH_OK);
    assert_int_equal(latch_dynamodb_table_fits(&ann.cx, info, NULL), LATCH_E_MISUSE);
}

static void a_table_of_that_name_is_a_conflict(void **state) {
    (void)state;
    create(&ann, NULL);
    assert_int_equal(latch_dynamodb_table_create(&bob.cx, name, NULL), LATCH_CONFLICT);
    assert_false(bob.cx.err.maybe_applied);
    assert_non_null(strstr(bob.cx.err.message, name));
}

static void what_is_missing_is_said_with_what_to_do(void **state) {
    latch_dynamodb_table_info info;
    (void)state;
    assert_int_equal(latch_dynamodb_table_describe(&ann.cx, name, &info), LATCH_MISSING);
    assert_int_equal(ann.requests, 1);
    assert_non_null(strstr(ann.cx.err.message, "latch table create"));
    assert_int_equal(latch_dynamodb_table_delete(&ann.cx, name), LATCH_MISSING);
    assert_int_equal(latch_dynamodb_table_ttl(&ann.cx, name, "ttl", NULL), LATCH_MISSING);
}

/* ── what is refused before anything is sent ────────────────────────────────────────────────────────────────────────────── */

static const latch_dynamodb_index no_pk = {.name = "i"}, no_name = {.pk = {.name = "a"}}, other_type = {.name = "i", .pk = {"pk", "N"}};
static const struct {
    const char *table;
    latch_dynamodb_schema schema;
    const char *says;
} bad_schemas[] = {
    {"ab", {.pk = {.name = "pk"}}, "no table's name"},
    {"a\"b", {.pk = {.name = "pk"}}, "no table's name"},
    {"a/b", {.pk = {.name = "pk"}}, "no table's name"},
    {"", {.pk = {.name = "pk"}}, "no table's name"},
    {"abc", {.sk = {.name = "sk"}}, "has no .pk"},
    {"abc", {.pk = {"pk", "BOOL"}}, "has the type \"BOOL\", want S, N or B"},
    {"abc", {.pk = {"pk", ""}}, "has the type \"\""},
    {"abc", {.pk = {.name = "pk"}, .indexes = &no_pk, .index_count = 1}, "without name or .pk"},
    {"abc", {.pk = {.name = "pk"}, .indexes = &no_name, .index_count = 1}, "without name or .pk"},
    {"abc", {.pk = {.name = "pk"}, .indexes = &other_type, .index_count = 1}, "the key pk has two types: S and N"},
    {"abc", {.pk = {.name = "pk"}, .index_count = LATCH_DYNAMODB_INDEX_MAX + 1}, "has 26 indexes, want at most 25"},
    {"abc", {.pk = {.name = "pk"}, .read_units = 5}, "5 read_units and 0 write_units"},
    {"abc", {.pk = {.name = "pk"}, .write_units = 5}, "0 read_units and 5 write_units"},
    {"abc", {.pk = {.name = "pk"}, .read_units = -1, .write_units = -1}, "-1 read_units"},
    {"abc", {.pk = {.name = "p\xff"}}, "UTF-8"},
};

static void bad_names_and_schemas_are_refused_unsent(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_schemas); i++) {
        rig_again(&ann, 0);
        assert_int_equal(latch_dynamodb_table_create(&ann.cx, bad_schemas[i].table, &bad_schemas[i].schema), LATCH_E_MISUSE);
        if (strstr(ann.cx.err.message, bad_schemas[i].says) == NULL) fail_msg("%zu: %s", i, ann.cx.err.message);
        assert_int_equal(latch_dynamodb_table_ensure(&ann.cx, bad_schemas[i].table, &bad_schemas[i].schema, NULL, &ensured),
                         LATCH_E_MISUSE);
        assert_int_equal(ann.requests, 0);
    }
}

static void the_longest_name_goes_and_one_more_does_not(void **state) {
    char longest[257];
    (void)state;
    memset(longest, 'x', 256);
    longest[256] = '\0';
    assert_int_equal(latch_dynamodb_check_table(&ann.cx, longest), LATCH_E_MISUSE);
    longest[255] = '\0';
    assert_int_equal(latch_dynamodb_check_table(&ann.cx, longest), LATCH_OK);
    assert_int_equal(latch_dynamodb_check_table(&ann.cx, "a.b"), LATCH_OK);
}

/* Names of attributes and indexes are anyone's: they are escaped. */
static void names_are_escaped_in_the_request(void **state) {
    static const latch_dynamodb_index local_index = {
        .name = "by-\"place\"", .pk = {.name = "customer"}, .sk = {.name = "place"}, .local = true};
    const latch_dynamodb_schema own = {.pk = {.name = "customer"}, .sk = {"a\\t", "N"}, .indexes = &local_index, .index_count = 1};
    latch_str request;
    latch_json parsed, local;
    latch_str index, key;
    (void)state;
    assert_int_equal(latch_dynamodb_schema_request(&ann.cx, "abc", &own, &request), LATCH_OK);
    assert_int_equal(latch_parse_data(&ann.cx, "request", request, &parsed), LATCH_OK);
    assert_int_equal(latch_read(parsed, "LocalSecondaryIndexes", &local, "LocalSecondaryIndexes[0].IndexName", &index,
                                "KeySchema[1].AttributeName", &key),
                     LATCH_OK);
    assert_true(is(index, "by-\"place\"") && is(key, "a\\t"));
    assert_int_equal(latch_count(local), 1);
}

/* ── ensuring ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void ensure_creates_what_is_missing_once(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_OK);
    assert_true(ensured.created && ensured.ttl_turned && is(ensured.info.ttl, "ttl"));
    assert_int_equal(ann.requests, 6);
    rig_again(&ann, 0);
    assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_OK);
    assert_true(!ensured.created && !ensured.ttl_turned && is(ensured.info.ttl, "ttl"));
    assert_int_equal(ann.requests, 2);
}

static void ensure_without_ttl_leaves_it_off(void **state) {
    latch_dynamodb_schema own = latch_dynamodb_schema_default;
    latch_dynamodb_ensured ensured;
    (void)state;
    own.ttl = NULL;
    assert_int_equal(ensure(&ann, &own, &ensured), LATCH_OK);
    assert_true(ensured.created && !ensured.ttl_turned && ensured.info.ttl.len == 0);
    assert_int_equal(ensure(&bob, NULL, &ensured), LATCH_OK);
    assert_true(!ensured.created && ensured.ttl_turned && is(ensured.info.ttl, "ttl"));
}

static const latch_dynamodb_index short_index = {.name = "gsi1", .pk = {.name = "gsi1pk"}};
static const latch_dynamodb_index keys_index = {
    .name = "gsi1", .pk = {.name = "gsi1pk"}, .sk = {.name = "gsi1sk"}, .projection = "KEYS_ONLY"};
static const latch_dynamodb_index full_index = {.name = "gsi1", .pk = {.name = "gsi1pk"}, .sk = {.name = "gsi1sk"}};
static const struct {
    const char *what;
    latch_dynamodb_schema there;
    const char *says;
} misfits[] = {
    {"no sort key", {.pk = {.name = "pk"}}, "has the key pk (S), want pk (S) and sk (S)"},
    {"another name", {.pk = {.name = "id"}, .sk = {.name = "sk"}}, "has the key id (S) and sk (S), want pk (S)"},
    {"another type", {.pk = {.name = "pk"}, .sk = {"sk", "N"}}, "has the key pk (S) and sk (N), want"},
    {"no index", {.pk = {.name = "pk"}, .sk = {.name = "sk"}}, "has no index gsi1"},
    {"one index", {.pk = {.name = "pk"}, .sk = {.name = "sk"}, .indexes = &full_index, .index_count = 1}, "has no index gsi2"},
    {"an index's keys", {.pk = {.name = "pk"}, .sk = {.name = "sk"}, .indexes = &short_index, .index_count = 1}, "index gsi1 of table"},
    {"an index's projection",
     {.pk = {.name = "pk"}, .sk = {.name = "sk"}, .indexes = &keys_index, .index_count = 1},
     "has the projection KEYS_ONLY, want ALL"},
};

static void a_table_that_does_not_fit_is_refused_and_left_alone(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(misfits); i++) {
        rig_again(&ann, 0);
        rig_again(&bob, 0);
        create(&bob, &misfits[i].there);
        assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_E_MISUSE);
        if (strstr(ann.cx.err.message, misfits[i].says) == NULL) fail_msg("%s: %s", misfits[i].what, ann.cx.err.message);
        assert_int_equal(ann.requests, 2);
        assert_int_equal(ensured.info.index_count, 0);
        assert_int_equal(latch_dynamodb_table_delete(&bob.cx, name), LATCH_OK);
    }
}

/* The broken twin of the rows above: where keys and indexes are what is wanted, nothing is refused. */
static void more_indexes_than_wanted_do_no_harm(void **state) {
    const latch_dynamodb_schema fewer = {.pk = {.name = "pk"}, .sk = {.name = "sk"}, .indexes = &full_index, .index_count = 1};
    latch_dynamodb_ensured ensured;
    (void)state;
    create(&bob, NULL);
    assert_int_equal(ensure(&ann, &fewer, &ensured), LATCH_OK);
    assert_int_equal(ensured.info.index_count, 2);
}

static void time_to_live_by_another_attribute_is_refused(void **state) {
    latch_dynamodb_ensured ensured;
    bool turned = true;
    (void)state;
    create(&bob, NULL);
    assert_int_equal(latch_dynamodb_table_ttl(&bob.cx, name, "expires", &turned), LATCH_OK);
    assert_true(turned);
    assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "goes by expires, want ttl"));
    assert_int_equal(latch_dynamodb_table_ttl(&bob.cx, name, "ttl", &turned), LATCH_E_MISUSE);
    assert_non_null(strstr(bob.cx.err.message, "goes by expires, want ttl"));
    assert_false(turned);
}

static void time_to_live_is_turned_on_once(void **state) {
    bool turned;
    (void)state;
    create(&bob, NULL);
    assert_int_equal(latch_dynamodb_table_ttl(&ann.cx, name, "ttl", &turned), LATCH_OK);
    assert_true(turned);
    assert_int_equal(ann.requests, 1);
    assert_int_equal(latch_dynamodb_table_ttl(&ann.cx, name, "ttl", &turned), LATCH_OK);
    assert_false(turned);
    assert_int_equal(ann.requests, 3);
}

/* ── several at once ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Bob does all of it just before Ann's n-th request. */
static size_t cut_in_at;
static void bob_ensures(void *arg) {
    latch_dynamodb_ensured ensured;
    (void)arg;
    if (ann.requests != cut_in_at) return;
    ann.before = NULL;
    assert_int_equal(ensure(&bob, NULL, &ensured), LATCH_OK);
}

static void two_that_ensure_at_once_both_have_it(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    for (cut_in_at = 1; cut_in_at <= 6; cut_in_at++) {
        rig_again(&ann, 0);
        rig_again(&bob, 0);
        ann.before = bob_ensures;
        assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_OK);
        assert_null(ann.before);
        assert_int_equal(ensured.created, cut_in_at > 2);
        assert_true(is(ensured.info.ttl, "ttl"));
        assert_int_equal(latch_dynamodb_table_delete(&bob.cx, name), LATCH_OK);
    }
}

/* ── what is lost ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_creation_whose_answer_was_lost_may_be_ours(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_dynamodb_table_create(&ann.cx, name, NULL), LATCH_CONFLICT);
    assert_true(ann.cx.err.maybe_applied);
    assert_int_equal(latch_dynamodb_table_delete(&bob.cx, name), LATCH_OK);
    rig_again(&ann, 0);
    ann.faults[1] = LOST_AFTER;
    assert_int_equal(ensure(&ann, NULL, &ensured), LATCH_OK);
    assert_true(ensured.created);
}

static void a_deletion_whose_answer_was_lost_is_done(void **state) {
    (void)state;
    create(&bob, NULL);
    ann.faults[0] = LOST_AFTER;
    assert_int_equal(latch_dynamodb_table_delete(&ann.cx, name), LATCH_OK);
    assert_int_equal(ann.requests, 2);
    rig_again(&ann, 0);
    assert_int_equal(latch_dynamodb_table_delete(&ann.cx, name), LATCH_MISSING);
}

/* Whatever happens to any one request: it is there and right, or it is said that it isn't; and calling again mends it. */
static void one_fault_anywhere_is_survived_or_told(void **state) {
    latch_dynamodb_ensured ensured;
    (void)state;
    for (fault fails = NO_FAULT; fails < FAULT_COUNT; fails++) {
        for (size_t at = 0; at < 6; at++) {
            rig_again(&ann, 0);
            rig_again(&bob, 0);
            ann.faults[at] = fails;
            latch_status status = ensure(&ann, NULL, &ensured);
            if (status == LATCH_OK) assert_true(is(ensured.info.ttl, "ttl") && ensured.info.index_count == 2);
            if (status != LATCH_OK) assert_int_equal(ensured.info.index_count, 0);
            rig_deliver(&ann);
            assert_int_equal(ensure(&bob, NULL, &ensured), LATCH_OK);
            assert_true(is(ensured.info.ttl, "ttl"));
            assert_int_equal(latch_dynamodb_table_delete(&bob.cx, name), LATCH_OK);
        }
    }
}

static void a_full_arena_is_told_at_every_size(void **state) {
    latch_dynamodb_ensured ensured;
    size_t told = 0;
    latch_status status = LATCH_E_NOMEM;
    (void)state;
    for (size_t bytes = 64; status != LATCH_OK; bytes += 512) {
        rig_again(&ann, bytes);
        status = ensure(&ann, NULL, &ensured);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        told += status != LATCH_OK;
    }
    assert_true(told > 5);
    assert_int_equal(ensured.info.index_count, 2);
}

static void nothing_is_open(void **state) {
    latch_dynamodb_health health;
    (void)state;
    ann.cx.table = NULL;
    assert_int_equal(latch_dynamodb_table_create(&ann.cx, name, NULL), LATCH_E_MISUSE);
    assert_int_equal(latch_dynamodb_table_health(&ann.cx, NULL, &health), LATCH_E_MISUSE);
    assert_non_null(strstr(ann.cx.err.message, "no store is open"));
}

/* ── waiting: a table whose status is what the row says ─────────────────────────────────────────────────────────────────── */

static struct scripted {
    const char *statuses[8]; /* of one look after the other; the last stays; "" is no table */
    size_t looks;
    int64_t reported_ms;
    size_t reports;
    char last[16];
} scripted;

static latch_status answer_status(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    char body[160];
    (void)self;
    assert_string_equal(send->operation, "DescribeTable");
    const char *status = scripted.statuses[scripted.looks];
    if (scripted.looks + 1 < COUNT_OF(scripted.statuses) && scripted.statuses[scripted.looks + 1] != NULL) scripted.looks++;
    if (*status == '\0')
        snprintf(body, sizeof body, "{\"__type\":\"x#ResourceNotFoundException\",\"message\":\"Requested resource not found\"}");
    else
        snprintf(body, sizeof body, "{\"Table\":{\"TableName\":\"%s\",\"TableStatus\":\"%s\"}}", "abc", status);
    *out = (latch_reply){.http_status = *status == '\0' ? 400 : 200, .body = latch_arena_copy(arena, latch_str_of(body))};
    return out->body.ptr != NULL ? LATCH_OK : latch_err_set(err, LATCH_E_NOMEM, "full");
}

static void report(void *arg, const char *table, const char *status, int64_t waited_ms) {
    assert_ptr_equal(arg, &scripted);
    assert_string_equal(table, "abc");
    assert_true(waited_ms >= scripted.reported_ms);
    scripted.reported_ms = waited_ms;
    scripted.reports++;
    snprintf(scripted.last, sizeof scripted.last, "%s", status);
}

typedef latch_status wait_fn(latch_ctx *cx, const char *table, const latch_dynamodb_wait *wait);
static const struct {
    wait_fn *wait;
    const char *statuses[8];
    int64_t timeout_ms;
    latch_status status;
    size_t reports;
    const char *says;
} waits[] = {
    {latch_dynamodb_table_wait, {"ACTIVE"}, 0, LATCH_OK, 0, NULL},
    {latch_dynamodb_table_wait, {"CREATING", "CREATING", "ACTIVE"}, 0, LATCH_OK, 2, NULL},
    {latch_dynamodb_table_wait, {"", "", "CREATING", "ACTIVE"}, 0, LATCH_OK, 3, NULL},
    {latch_dynamodb_table_wait, {"UPDATING", "ACTIVE"}, 0, LATCH_OK, 1, NULL},
    {latch_dynamodb_table_wait, {"ARCHIVED"}, 0, LATCH_CONFLICT, 0, "is ARCHIVED, and will not become ACTIVE"},
    {latch_dynamodb_table_wait, {"DELETING"}, 0, LATCH_CONFLICT, 0, "is DELETING"},
    {latch_dynamodb_table_wait, {"CREATING", "DELETING"}, 0, LATCH_CONFLICT, 1, "is DELETING"},
    {latch_dynamodb_table_wait, {"CREATING"}, 0, LATCH_E_TIMEOUT, SIZE_MAX, "is still CREATING after 6"},
    {latch_dynamodb_table_wait, {"CREATING"}, 5000, LATCH_E_TIMEOUT, SIZE_MAX, "is still CREATING after 5"},
    {latch_dynamodb_table_wait, {""}, 0, LATCH_MISSING, SIZE_MAX, "latch table create abc"},
    {latch_dynamodb_table_wait, {""}, 3000, LATCH_E_TIMEOUT, SIZE_MAX, "is still missing after 3"},
    {latch_dynamodb_table_wait, {"CREATING"}, -1, LATCH_E_MISUSE, 0, "timeout"},
    {latch_dynamodb_table_wait_gone, {""}, 0, LATCH_OK, 0, NULL},
    {latch_dynamodb_table_wait_gone, {"DELETING", "DELETING", ""}, 0, LATCH_OK, 2, NULL},
    {latch_dynamodb_table_wait_gone, {"ACTIVE", "DELETING", ""}, 0, LATCH_OK, 2, NULL},
    {latch_dynamodb_table_wait_gone, {"DELETING"}, 2000, LATCH_E_TIMEOUT, SIZE_MAX, "is still DELETING after 2"},
};

static void waiting_ends_when_it_should(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        rig_again(&ann, 0);
        scripted = (struct scripted){0};
        memcpy(scripted.statuses, waits[i].statuses, sizeof scripted.statuses);
        ann.client.transport = (latch_transport){.call = answer_status};
        ann.slept_ms = 0;
        const latch_dynamodb_wait wait = {.timeout_ms = waits[i].timeout_ms, .progress = report, .arg = &scripted};
        latch_status status = waits[i].wait(&ann.cx, "abc", &wait);
        if (status != waits[i].status) fail_msg("%zu: %d, %s", i, status, ann.cx.err.message);
        if (waits[i].says != NULL && strstr(ann.cx.err.message, waits[i].says) == NULL) fail_msg("%zu: %s", i, ann.cx.err.message);
        if (waits[i].reports != SIZE_MAX) assert_int_equal(scripted.reports, waits[i].reports);
        assert_true(ann.slept_ms <= (waits[i].timeout_ms > 0 ? waits[i].timeout_ms : 60000));
        assert_true(ann.arena.used < 1024);
    }
}

/* An hour of looks needs no more memory than one, and they come no faster than every second. */
static void waiting_long_is_cheap(void **state) {
    const latch_dynamodb_wait hour = {.timeout_ms = LATCH_HOUR_MS, .progress = report, .arg = &scripted};
    (void)state;
    rig_again(&ann, 8192);
    scripted = (struct scripted){.statuses = {"CREATING"}};
    ann.client.transport = (latch_transport){.call = answer_status};
    assert_int_equal(latch_dynamodb_table_wait(&ann.cx, "abc", &hour), LATCH_E_TIMEOUT);
    assert_in_range(scripted.reports, 1800, 3700);
    assert_string_equal(scripted.last, "CREATING");
}

static void waiting_ends_with_the_invocation(void **state) {
    (void)state;
    scripted = (struct scripted){.statuses = {"CREATING"}};
    ann.client.transport = (latch_transport){.call = answer_status};
    ann.cx.deadline_at_ms = T0 + 700;
    assert_int_equal(latch_dynamodb_table_wait(&ann.cx, "abc", NULL), LATCH_E_TIMEOUT);
    assert_true(rig_now_ms(&world) < T0 + 700);
}

/* ── health ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void health_says_what_is_wrong(void **state) {
    latch_dynamodb_health health;
    (void)state;
    assert_int_equal(latch_dynamodb_table_health(&ann.cx, name, &health), LATCH_MISSING);
    assert_true(health.reachable && !health.active && health.status.len == 0);
    create(&bob, NULL);
    assert_int_equal(latch_dynamodb_table_health(&ann.cx, name, &health), LATCH_OK);
    assert_true(health.reachable && health.active && is(health.status, "ACTIVE"));
    for (size_t i = 0; i < COUNT_OF(ann.faults); i++)
        ann.faults[i] = NOT_SENT;
    assert_int_equal(latch_dynamodb_table_health(&ann.cx, name, &health), LATCH_E_NETWORK);
    assert_true(!health.reachable && !health.active);
}

/* Whoever may not ask for time to live knows the table all the same. */
static void what_the_first_request_told_stays(void **state) {
    latch_dynamodb_table_info info;
    (void)state;
    create(&bob, NULL);
    ann.requests = 0;
    for (size_t i = 1; i < COUNT_OF(ann.faults); i++)
        ann.faults[i] = NOT_SENT;
    assert_int_equal(latch_dynamodb_table_describe(&ann.cx, name, &info), LATCH_E_NETWORK);
    assert_true(is(info.status, "ACTIVE") && is(info.pk.name, "pk") && info.index_count == 2 && info.ttl_status.len == 0);
    ann.faults[0] = NOT_SENT;
    ann.requests = 0;
    assert_int_equal(latch_dynamodb_table_describe(&ann.cx, name, &info), LATCH_E_NETWORK);
    assert_true(info.status.len == 0 && info.pk.name.len == 0);
}

static void health_of_a_table_that_is_not_active(void **state) {
    static const struct {
        const char *status;
        latch_status answers;
    } rows[] = {{"ACTIVE", LATCH_OK},
                {"UPDATING", LATCH_OK},
                {"CREATING", LATCH_CONFLICT},
                {"DELETING", LATCH_CONFLICT},
                {"ARCHIVED", LATCH_CONFLICT}};
    latch_dynamodb_health health;
    (void)state;
    ann.client.transport = (latch_transport){.call = answer_status};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        scripted = (struct scripted){.statuses = {rows[i].status}};
        assert_int_equal(latch_dynamodb_table_health(&ann.cx, "abc", &health), rows[i].answers);
        assert_true(health.reachable && is(health.status, rows[i].status));
        assert_int_equal(health.active, rows[i].answers == LATCH_OK);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(the_stores_table_is_described_as_it_was_asked_for),
    ROW(a_schema_of_ones_own_comes_back),
    ROW(a_table_of_that_name_is_a_conflict),
    ROW(what_is_missing_is_said_with_what_to_do),
    ROW(bad_names_and_schemas_are_refused_unsent),
    ROW(the_longest_name_goes_and_one_more_does_not),
    ROW(names_are_escaped_in_the_request),
    ROW(ensure_creates_what_is_missing_once),
    ROW(ensure_without_ttl_leaves_it_off),
    ROW(a_table_that_does_not_fit_is_refused_and_left_alone),
    ROW(more_indexes_than_wanted_do_no_harm),
    ROW(time_to_live_by_another_attribute_is_refused),
    ROW(time_to_live_is_turned_on_once),
    ROW(two_that_ensure_at_once_both_have_it),
    ROW(a_creation_whose_answer_was_lost_may_be_ours),
    ROW(a_deletion_whose_answer_was_lost_is_done),
    ROW(one_fault_anywhere_is_survived_or_told),
    ROW(a_full_arena_is_told_at_every_size),
    ROW(nothing_is_open),
    ROW(waiting_ends_when_it_should),
    ROW(waiting_long_is_cheap),
    ROW(waiting_ends_with_the_invocation),
    ROW(health_says_what_is_wrong),
    ROW(what_the_first_request_told_stays),
    ROW(health_of_a_table_that_is_not_active),
};

CHECK_MAIN(tests)

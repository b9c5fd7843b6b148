#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/dedupe.h"
#include "store/once.h"
#include "store/table.h"
#include "store/wait.h"
#include "tests/check.h"
#include "tests/rig.h"

static rig_world world;
static rig ann;

static int set_up(void **state) {
    (void)state;
    rig_open(&world);
    rig_init(&ann, &world, (size_t)4 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_clean_up(&ann);
    rig_close(&world);
    return 0;
}

static latch_request request_of(latch_operation operation) {
    return (latch_request){
        .operation = operation, .pk = LATCH_STR("p"), .sk = LATCH_STR("s"), .deadline_at_ms = INT64_MAX, .repeatable = true};
}

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void writes_each_kind_of_value(void **state) {
    latch_request put = request_of(LATCH_PUT_ITEM);
    latch_json item;
    (void)state;
    put.item =
        LATCH_VALUES("text", LATCH_STR("a\"\\\n\x01\x1F\x7F\xC3\xA9\xF0\x9F\x8D\xB5"), "empty", LATCH_STR(""), "small", INT64_MIN, "large",
                     UINT64_MAX, "yes", latch_bool(true), "no", latch_bool(false), "none", latch_v_cstr_(NULL), "ttl", latch_int(5));
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_OK);
    assert_string_equal(
        ann.last_request,
        "{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"text\":{\"S\":"
        "\"a\\\"\\\\\\n\\u0001\\u001F\x7F\xC3\xA9\xF0\x9F\x8D\xB5\"},\"empty\":{\"S\":\"\"},\"small\":{\"N\":"
        "\"-9223372036854775808\"},\"large\":{\"N\":\"18446744073709551615\"},\"yes\":{\"BOOL\":true},\"no\":{\"BOOL\":false},"
        "\"none\":{\"NULL\":true},\"ttl\":{\"N\":\"5\"}}}");
    assert_int_equal(rig_number(&world, "p", "s", "small"), INT64_MIN);
    assert_true(rig_has_text(&world, "p", "s", "text", "a\"\\\n\x01\x1F\x7F\xC3\xA9\xF0\x9F\x8D\xB5"));
    assert_true(rig_has_text(&world, "p", "s", "empty", ""));
    assert_true(rig_has(&world, "p", "s", "none"));
}

static void names_attributes_as_the_table_does(void **state) {
    latch_request update = request_of(LATCH_UPDATE_ITEM), put = request_of(LATCH_PUT_ITEM);
    latch_json item;
    (void)state;
    ann.table.pk = "id", ann.table.sk = "range", ann.table.ttl = "expires";
    update.update = "SET #ttl = :t, #ttlx = :t";
    update.condition = "attribute_not_exists(#pk) OR #sk = :t";
    update.values = LATCH_VALUES(":t", latch_int(1), ":unused", latch_int(2));
    (void)(latch_table_call(&ann.cx, &update, &item) == LATCH_OK); /* the world's table has other keys */
    assert_string_equal(ann.last_request,
                        "{\"TableName\":\"latch\",\"Key\":{\"id\":{\"S\":\"p\"},\"range\":{\"S\":\"s\"}},\"UpdateExpression\":\"SET #ttl = "
                        ":t, #ttlx = :t\",\"ReturnValues\":\"ALL_NEW\",\"ConditionExpression\":\"attribute_not_exists(#pk) OR #sk = :t\","
                        "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#ttl\":\"expires\",\"#ttlx\":"
                        "\"ttlx\",\"#pk\":\"id\",\"#sk\":\"range\"},\"ExpressionAttributeValues\":{\":t\":{\"N\":\"1\"}}}");
    put.item = LATCH_VALUES("ttl", latch_int(9));
    (void)(latch_table_call(&ann.cx, &put, &item) == LATCH_OK);
    assert_string_equal(ann.last_request,
                        "{\"TableName\":\"latch\",\"Item\":{\"id\":{\"S\":\"p\"},\"range\":{\"S\":\"s\"},\"expires\":{\"N\":\"9\"}}}");
}

/* Two names for one attribute: DynamoDB calls that overlapping paths, of some requests, and of others takes what was meant twice. */
static void refuses_names_that_coincide(void **state) {
    static const struct {
        const char *pk, *sk, *ttl, *says;
    } rows[] = {
        {NULL, NULL, "expiration", "the table's .ttl has the name of an attribute that the store writes"},
        {NULL, "status", NULL, "the table's .sk has the name of an attribute that the store writes"},
        {"data", NULL, NULL, "the table's .pk has the name of an attribute that the store writes"},
        {"id", "id", NULL, "two of the table's .pk, .sk and .ttl have one name"},
        {NULL, NULL, "sk", "two of the table's .pk, .sk and .ttl have one name"},
        {"ttl", NULL, NULL, "two of the table's .pk, .sk and .ttl have one name"},
    };
    char says[200];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_request update = request_of(LATCH_UPDATE_ITEM), put = request_of(LATCH_PUT_ITEM);
        latch_json item;
        ann.table.pk = rows[i].pk, ann.table.sk = rows[i].sk, ann.table.ttl = rows[i].ttl;
        update.update = "SET #expiration = :one, #ttl = :one REMOVE #data";
        update.condition = "#status = :one";
        update.values = LATCH_VALUES(":one", latch_int(1));
        put.item = LATCH_VALUES("expiration", latch_int(1), "data", latch_int(1), "status", latch_int(1), "ttl", latch_int(1));
        assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_E_MISUSE);
        snprintf(says, sizeof says, "UpdateItem of p: %s", rows[i].says);
        assert_string_equal(latch_error(&ann.cx)->message, says);
        assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_E_MISUSE);
        snprintf(says, sizeof says, "PutItem of p: %s", rows[i].says);
        assert_string_equal(latch_error(&ann.cx)->message, says);
        assert_false(latch_error(&ann.cx)->maybe_applied);
    }
    assert_int_equal(ann.requests, 0);
    latch_request put = request_of(LATCH_PUT_ITEM);
    latch_json item;
    ann.table.pk = "pk", ann.table.sk = "sk", ann.table.ttl = "ttl"; /* said, and the same as unsaid */
    put.item = LATCH_VALUES("ttl", latch_int(1));
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_OK);
}

static void gives_the_item_as_it_was(void **state) {
    latch_request request = request_of(LATCH_UPDATE_ITEM);
    latch_json item;
    int64_t n;
    (void)state;
    request.returns = LATCH_RETURNS_OLD;
    request.update = "SET #n = :n";
    for (int64_t i = 1; i <= 2; i++) {
        request.values = LATCH_VALUES(":n", i);
        assert_int_equal(latch_table_call(&ann.cx, &request, &item), LATCH_OK);
        assert_non_null(strstr(ann.last_request, "\"ReturnValues\":\"ALL_OLD\""));
        assert_int_equal(item.node != NULL, i == 2);
    }
    assert_int_equal(latch_item_int(item, "n", &n), LATCH_OK);
    assert_int_equal(n, 1);
}

static void asks_for_what_it_wants_back(void **state) {
    static const struct {
        latch_operation operation;
        latch_returns returns;
        bool conditioned, all_new, all_old;
    } rows[] = {
        {LATCH_UPDATE_ITEM, LATCH_RETURNS_ITEM, true, true, true},     {LATCH_UPDATE_ITEM, LATCH_RETURNS_ITEM, false, true, false},
        {LATCH_UPDATE_ITEM, LATCH_RETURNS_REFUSED, true, false, true}, {LATCH_UPDATE_ITEM, LATCH_RETURNS_NOTHING, true, false, false},
        {LATCH_DELETE_ITEM, LATCH_RETURNS_ITEM, true, false, true},    {LATCH_DELETE_ITEM, LATCH_RETURNS_NOTHING, true, false, false},
        {LATCH_DELETE_ITEM, LATCH_RETURNS_ITEM, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_request request = request_of(rows[i].operation);
        latch_json item;
        rig_delete(&world, "p", "s");
        request.returns = rows[i].returns;
        if (rows[i].conditioned) request.condition = "attribute_not_exists(#n)";
        if (rows[i].operation == LATCH_UPDATE_ITEM) request.update = "SET #n = :n";
        request.values = LATCH_VALUES(":n", latch_int(1));
        assert_int_equal(latch_table_call(&ann.cx, &request, &item), LATCH_OK);
        assert_int_equal(strstr(ann.last_request, "\"ReturnValues\":\"ALL_NEW\"") != NULL, rows[i].all_new);
        assert_int_equal(strstr(ann.last_request, "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"") != NULL, rows[i].all_old);
        assert_int_equal(item.node != NULL, rows[i].all_new);
        rig_put(&world, "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"n\":{\"N\":\"7\"}}");
        if (!rows[i].conditioned) continue;
        assert_int_equal(latch_table_call(&ann.cx, &request, &item), LATCH_CONFLICT);
        assert_int_equal(item.node != NULL, rows[i].all_old);
    }
}

static void gets_an_item_or_nothing(void **state) {
    latch_request get = request_of(LATCH_GET_ITEM);
    latch_json item;
    (void)state;
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_OK);
    assert_null(item.node);
    rig_put(&world, "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"n\":{\"N\":\"7\"}}");
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_OK);
    int64_t n;
    assert_int_equal(latch_item_int(item, "n", &n), LATCH_OK);
    assert_int_equal(n, 7);
    assert_non_null(strstr(ann.last_request, "\"ConsistentRead\":true"));
    get.eventual = true;
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_OK);
    assert_null(strstr(ann.last_request, "ConsistentRead"));
}

static void refuses_what_cannot_be_sent(void **state) {
    latch_request put = request_of(LATCH_PUT_ITEM), update = request_of(LATCH_UPDATE_ITEM);
    latch_json item;
    (void)state;
    put.item = LATCH_VALUES("n", latch_object(&ann.cx, "$strings", latch_array(&ann.cx)));
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_E_MISUSE);
    assert_non_null(strstr(latch_error(&ann.cx)->message, "PutItem of p: n"));
    put.item = LATCH_VALUES("n", LATCH_STR("\xFF"));
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "PutItem of p: a text in it is not UTF-8");
    update.update = "SET #n = :n";
    update.values = LATCH_VALUES(":m", latch_int(1));
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "UpdateItem of p: a placeholder in an expression has no value");
    char many[9 * 66] = "SET #n0=:a"; /* 65 names */
    for (size_t i = 1, len = strlen(many); i < 65; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, ",#n%zu=:a", i);
    update.update = many;
    update.values = LATCH_VALUES(":a", latch_int(1));
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "UpdateItem of p: an expression has too many names");
    ann.cx.table = NULL;
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, 0);
}

/* What stores need beside text and whole numbers: lists, sets and exact numbers. */
static void writes_lists_and_sets(void **state) {
    latch_request put = request_of(LATCH_PUT_ITEM);
    latch_json item, stamps = latch_append(latch_append(latch_array(&ann.cx), latch_int(1)), latch_int(2));
    (void)state;
    put.item = LATCH_VALUES("stamps", stamps, "exact", latch_object(&ann.cx, "$number", LATCH_STR("1.50")));
    assert_int_equal(latch_table_call(&ann.cx, &put, &item), LATCH_OK);
    assert_string_equal(ann.last_request,
                        "{\"TableName\":\"latch\",\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"stamps\":{\"L\":[{\"N\":"
                        "\"1\"},{\"N\":\"2\"}]},\"exact\":{\"N\":\"1.50\"}}}");
}

/* A table that others laid out: its own name and names, and keys of one part where it has no other. */
static void goes_where_it_is_sent(void **state) {
    static const latch_place place = {.table = "theirs", .pk = "id", .sk = "", .ttl = "expiration"};
    static const latch_place named = {.table = "ours"};
    latch_request put = request_of(LATCH_PUT_ITEM), update = request_of(LATCH_UPDATE_ITEM);
    latch_json item;
    (void)state;
    put.at = update.at = &place;
    put.item = LATCH_VALUES("ttl", latch_int(9));
    put.condition = "attribute_not_exists(#pk)";
    (void)(latch_table_call(&ann.cx, &put, &item) == LATCH_OK); /* the world has no such table */
    assert_string_equal(ann.last_request, "{\"TableName\":\"theirs\",\"Item\":{\"id\":{\"S\":\"p\"},\"expiration\":{\"N\":\"9\"}},"
                                          "\"ConditionExpression\":\"attribute_not_exists(#pk)\",\"ReturnValuesOnConditionCheckFailure\":"
                                          "\"ALL_OLD\",\"ExpressionAttributeNames\":{\"#pk\":\"id\"}}");
    size_t requests = ann.requests;
    update.update = "SET #n = :n";
    update.condition = "attribute_not_exists(#sk)";
    update.values = LATCH_VALUES(":n", latch_int(1));
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "UpdateItem of p: it names #sk, and the table's keys have no second part");
    update.condition = NULL;
    update.update = "SET #expiration = :n";
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_E_MISUSE);
    assert_int_equal(ann.requests, requests);
    ann.table.pk = "key";
    update.at = &named;
    update.update = "SET #n = :n";
    (void)(latch_table_call(&ann.cx, &update, &item) == LATCH_OK);
    assert_non_null(strstr(ann.last_request, "{\"TableName\":\"ours\",\"Key\":{\"key\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"}}"));
}

/* ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct canned {
    int http_status;
    const char *body;
    latch_status status;
    bool maybe_applied;
    size_t calls;
} canned;

static latch_status answer_canned(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    (void)self, (void)send;
    canned.calls++;
    *out = (latch_reply){0};
    if (canned.status != LATCH_OK) {
        (void)latch_err_set(err, canned.status, "canned");
        err->maybe_applied = canned.maybe_applied;
        return canned.status;
    }
    *out = (latch_reply){.http_status = canned.http_status};
    if (canned.body != NULL) out->body = latch_arena_copy(arena, latch_str_of(canned.body));
    return LATCH_OK;
}

#define TYPE(name) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" name "\",\"message\":\"said so\"}"

static void understands_each_error_name(void **state) {
    static const struct {
        int http_status;
        const char *body;
        latch_status status;
        bool maybe_applied;
        size_t calls;
        const char *says;
    } rows[] = {
        {400, TYPE("ConditionalCheckFailedException"), LATCH_CONFLICT, false, 1,
         "UpdateItem: HTTP 400 ConditionalCheckFailedException: said so"},
        {400, TYPE("ValidationException"), LATCH_E_MISUSE, false, 1, "UpdateItem: HTTP 400 ValidationException: said so"},
        {400, TYPE("ItemCollectionSizeLimitExceededException"), LATCH_E_MISUSE, false, 1, NULL},
        {400, TYPE("SerializationException"), LATCH_E_MISUSE, false, 1, NULL},
        {400, TYPE("UnknownOperationException"), LATCH_E_MISUSE, false, 1, NULL},
        {400, TYPE("LimitExceededException"), LATCH_E_MISUSE, false, 1,
         "UpdateItem: the store is full: delete, shorten times to live, or give it more bytes: said so"},
        {400, TYPE("ResourceNotFoundException"), LATCH_E_MISUSE, false, 1,
         "UpdateItem: there is no table latch: latch table create latch makes it (string keys pk and sk, time to live ttl); or let "
         "LATCH_TABLE name another"},
        {400, TYPE("ThrottlingException"), LATCH_E_THROTTLED, false, 3, NULL},
        {400, TYPE("ProvisionedThroughputExceededException"), LATCH_E_THROTTLED, false, 3, NULL},
        {400, TYPE("RequestLimitExceeded"), LATCH_E_THROTTLED, false, 3, NULL},
        {400, TYPE("TransactionConflictException"), LATCH_E_THROTTLED, false, 3, NULL},
        {400, TYPE("AccessDeniedException"), LATCH_E_DENIED, false, 1, NULL},
        {400, TYPE("UnrecognizedClientException"), LATCH_E_DENIED, false, 2, NULL},
        {400, TYPE("ExpiredTokenException"), LATCH_E_DENIED, false, 2, NULL},
        {400, TYPE("InvalidSignatureException"), LATCH_E_DENIED, false, 1, NULL},
        {400, TYPE("MissingAuthenticationToken"), LATCH_E_DENIED, false, 1, NULL},
        {400, "{\"__type\":\"ValidationException\",\"Message\":\"said so\"}", LATCH_E_MISUSE, false, 1,
         "UpdateItem: HTTP 400 ValidationException: said so"},
        {400, TYPE("NobodyKnowsException"), LATCH_E_MISUSE, false, 1, "UpdateItem: HTTP 400 NobodyKnowsException: said so"},
        {400, "{}", LATCH_E_NETWORK, false, 1, "UpdateItem: HTTP 400, without an error's name: does DynamoDB answer at this endpoint?"},
        {500, TYPE("InternalServerError"), LATCH_E_NETWORK, true, 3, "UpdateItem after 3 tries: HTTP 500 InternalServerError: said so"},
        {503, TYPE("ServiceUnavailable"), LATCH_E_NETWORK, true, 3, NULL},
        {503, "<html>", LATCH_E_DATA, true, 3, NULL},
        {200, "", LATCH_E_DATA, true, 3,
         "UpdateItem after 3 tries: HTTP 200, and its body is no JSON of DynamoDB's: answer: is empty, want JSON"},
        {200, "{\"Attributes\":7}", LATCH_E_DATA, true, 1, NULL},
        {200, "{}", LATCH_OK, false, 1, NULL},
    };
    (void)state;
    ann.client.transport = (latch_transport){.call = answer_canned};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_request update = request_of(LATCH_UPDATE_ITEM);
        latch_json item;
        update.update = "SET #n = :n";
        update.values = LATCH_VALUES(":n", latch_int(1));
        canned = (struct canned){.http_status = rows[i].http_status, .body = rows[i].body};
        assert_int_equal(latch_table_call(&ann.cx, &update, &item), rows[i].status);
        assert_int_equal(canned.calls, rows[i].calls);
        if (rows[i].status == LATCH_OK) continue;
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].maybe_applied);
        if (rows[i].says != NULL) assert_string_equal(latch_error(&ann.cx)->message, rows[i].says);
    }
}

static void repeats_only_what_may_be_repeated(void **state) {
    static const struct {
        latch_operation operation;
        bool repeatable;
        latch_status status;
        bool maybe_applied, says_maybe;
        size_t calls;
    } rows[] = {
        {LATCH_UPDATE_ITEM, true, LATCH_E_TIMEOUT, true, true, 3},   {LATCH_UPDATE_ITEM, false, LATCH_E_TIMEOUT, true, true, 1},
        {LATCH_UPDATE_ITEM, true, LATCH_E_NETWORK, false, false, 3}, {LATCH_UPDATE_ITEM, true, LATCH_E_NOMEM, true, true, 1},
        {LATCH_DELETE_ITEM, true, LATCH_E_NETWORK, true, true, 3},   {LATCH_GET_ITEM, true, LATCH_E_TIMEOUT, true, false, 3},
        {LATCH_GET_ITEM, false, LATCH_E_TIMEOUT, true, false, 3},    {LATCH_UPDATE_ITEM, false, LATCH_E_NETWORK, false, false, 3},
        {LATCH_UPDATE_ITEM, true, LATCH_E_DENIED, false, false, 1},
    };
    (void)state;
    ann.client.transport = (latch_transport){.call = answer_canned};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_request request = request_of(rows[i].operation);
        latch_json item;
        request.repeatable = rows[i].repeatable;
        if (rows[i].operation == LATCH_UPDATE_ITEM) request.update = "REMOVE #n";
        canned = (struct canned){.status = rows[i].status, .maybe_applied = rows[i].maybe_applied};
        assert_int_equal(latch_table_call(&ann.cx, &request, &item), rows[i].status);
        assert_int_equal(canned.calls, rows[i].calls);
        assert_int_equal(latch_error(&ann.cx)->maybe_applied, rows[i].says_maybe);
    }
}

static void ann_waits(void *arg) {
    (void)arg;
    rig_pass(&world, 1000);
}

/* Time runs out between two tries: the second isn't sent, and the first may have been applied. */
static void sends_nothing_past_its_deadline(void **state) {
    latch_request request = request_of(LATCH_DELETE_ITEM);
    latch_json item;
    (void)state;
    request.deadline_at_ms = T0 + 1000;
    ann.faults[0] = LOST_AFTER;
    ann.before = ann_waits;
    assert_int_equal(latch_table_call(&ann.cx, &request, &item), LATCH_E_TIMEOUT);
    assert_string_equal(latch_error(&ann.cx)->message, "DeleteItem after 1 try, no time for another: rig: the answer was lost");
    assert_true(latch_error(&ann.cx)->maybe_applied);
    assert_int_equal(ann.requests, 1);
}

/* A real table that isn't there. */
static void says_how_to_create_a_table(void **state) {
    latch_request get = request_of(LATCH_GET_ITEM);
    latch_json item;
    (void)state;
    ann.table.name = "elsewhere";
    assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_E_MISUSE);
    assert_non_null(strstr(latch_error(&ann.cx)->message, "there is no table elsewhere: latch table create elsewhere makes it"));
}

/* What the transport needed beside the answer goes back to the arena, and a request costs the arena little more than its texts. */
static void takes_little_of_the_arena(void **state) {
    latch_request update = request_of(LATCH_UPDATE_ITEM);
    latch_json item;
    (void)state;
    update.update = "SET #n = :n";
    update.values = LATCH_VALUES(":n", latch_int(1));
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_OK);
    size_t used = ann.arena.used;
    assert_int_equal(latch_table_call(&ann.cx, &update, &item), LATCH_OK);
    assert_true(ann.arena.used - used < 2048);
    assert_true(latch_has(item, "n.N"));
}

static size_t wasted;

/* As one that needs much memory for itself, and gets no answer at first. */
static latch_status waste(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    void *memory = latch_arena_alloc(arena, 3000);
    if (memory == NULL) return latch_err_set(err, LATCH_E_NOMEM, "full");
    wasted++;
    memset(memory, 0, 3000);
    return answer_canned(self, send, arena, out, err);
}

/* What a try without an answer, or with one that can't be used, took of the arena goes back before the next. */
static void gives_each_try_the_same_memory(void **state) {
    static const struct {
        latch_status status;
        int http_status;
        const char *body;
    } rows[] = {
        {LATCH_E_TIMEOUT, 0, ""}, {LATCH_E_NETWORK, 0, ""}, {LATCH_OK, 200, "<html>"}, {LATCH_OK, 500, TYPE("InternalServerError")}};
    (void)state;
    ann.client.transport = (latch_transport){.call = waste};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_request update = request_of(LATCH_UPDATE_ITEM);
        latch_json item;
        update.update = "REMOVE #n";
        rig_again(&ann, 5000);
        wasted = 0;
        canned = (struct canned){.http_status = rows[i].http_status, .body = rows[i].body, .status = rows[i].status, .maybe_applied = true};
        latch_status status = latch_table_call(&ann.cx, &update, &item);
        assert_true(status != LATCH_OK && status != LATCH_E_NOMEM);
        assert_int_equal(wasted, 3);
        assert_true(ann.arena.used < 1500);
    }
}

static void answers_without_a_body_are_empty(void **state) {
    latch_request get = request_of(LATCH_GET_ITEM);
    latch_json item;
    (void)state;
    ann.client.transport = (latch_transport){.call = answer_canned};
    for (int http_status = 200; http_status <= 500; http_status += 300) {
        canned = (struct canned){.http_status = http_status};
        assert_int_equal(latch_table_call(&ann.cx, &get, &item), LATCH_E_DATA);
        assert_non_null(strstr(latch_error(&ann.cx)->message, ", and its body is no JSON of DynamoDB's: answer: is empty, want JSON"));
    }
}

static latch_status fill(latch_ctx *cx, latch_work *w) {
    (void)w;
    while (latch_arena_alloc(cx->arena, 16) != NULL)
        continue;
    return LATCH_OK;
}

static latch_status settle_once(latch_str key) {
    static const latch_once order = {.name = "o", .work = fill};
    latch_once_result out;
    return latch_once_do(&ann.cx, &order, key, LATCH_NULL, &out);
}

static latch_status settle_dedupe(latch_str key) {
    static const latch_dedupe mail = {.name = "o"};
    latch_work w = {.key = key};
    LATCH_TRY(latch_dedupe_enter(&ann.cx, &mail, key));
    LATCH_TRY(fill(&ann.cx, &w));
    rig_end(&ann, LATCH_OK);
    return LATCH_OK;
}

/* A handler that filled the arena, and two answers that are lost: what it did is recorded all the same, whatever the key. */
static void settles_at_the_third_try_though_the_arena_is_full(void **state) {
    static const fault faults[] = {LOST_BEFORE, LOST_AFTER, LATE, ANSWERS_NO_JSON};
    static const struct {
        latch_status (*settle)(latch_str key);
        const char *pk, *sk, *done;
        size_t key_len;
        char key_of;
    } rows[] = {
        {settle_once, "ONCE#o#", "ONCE", "COMPLETED", 10, 'k'},     {settle_once, "ONCE#o#", "ONCE", "COMPLETED", 300, 'k'},
        {settle_once, "ONCE#o#", "ONCE", "COMPLETED", 1500, 'k'},   {settle_once, "ONCE#o#", "ONCE", "COMPLETED", 2040, '"'},
        {settle_dedupe, "DEDUPE#o#", NULL, "completed", 10, 'k'},   {settle_dedupe, "DEDUPE#o#", NULL, "completed", 300, 'k'},
        {settle_dedupe, "DEDUPE#o#", NULL, "completed", 1000, 'k'}, {settle_dedupe, "DEDUPE#o#", NULL, "completed", 1014, '"'},
    };
    char key[2048], pk[2100];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(faults); i++) {
        size_t row = i / COUNT_OF(faults), len = rows[row].key_len;
        snprintf(pk, sizeof pk, "%s%.*s", rows[row].pk, (int)len, (const char *)memset(key, rows[row].key_of, sizeof key));
        const char *sk = rows[row].sk != NULL ? rows[row].sk : pk;
        rig_delete(&world, pk, sk);
        rig_again(&ann, 0);
        ann.faults[1] = ann.faults[2] = faults[i % COUNT_OF(faults)];
        assert_int_equal(rows[row].settle((latch_str){key, len}), LATCH_OK);
        assert_int_equal(ann.requests, 4);
        assert_true(rig_has_text(&world, pk, sk, "status", rows[row].done));
    }
}

/* ── attributes ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_json item_of(const char *text) {
    latch_json item;
    assert_int_equal(latch_json_parse(&ann.cx, LATCH_E_DATA, "item", latch_str_of(text), &item), LATCH_OK);
    return item;
}

static void reads_numbers_exactly(void **state) {
    static const struct {
        const char *digits;
        bool ok;
        int64_t n;
    } rows[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"-0", true, 0},
        {"00012", true, 12},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1.5", false, 0},
        {"1E3", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"99999999999999999999999999999999999999", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[128];
        int64_t n;
        snprintf(text, sizeof text, "{\"a\":{\"N\":\"%s\"}}", rows[i].digits);
        assert_int_equal(latch_item_int(item_of(text), "a", &n), rows[i].ok ? LATCH_OK : LATCH_E_DATA);
        assert_int_equal(n, rows[i].n);
    }
}

static void tells_absent_from_wrong(void **state) {
    static const struct {
        const char *item;
        latch_status text, text_or, number, number_or;
        bool has;
    } rows[] = {
        {"{}", LATCH_E_DATA, LATCH_OK, LATCH_E_DATA, LATCH_OK, false},
        {"{\"a\":{\"NULL\":true}}", LATCH_E_DATA, LATCH_OK, LATCH_E_DATA, LATCH_OK, true},
        {"{\"a\":{\"S\":\"x\"}}", LATCH_OK, LATCH_OK, LATCH_E_DATA, LATCH_E_DATA, true},
        {"{\"a\":{\"S\":\"\"}}", LATCH_OK, LATCH_OK, LATCH_E_DATA, LATCH_E_DATA, true},
        {"{\"a\":{\"N\":\"1\"}}", LATCH_E_DATA, LATCH_E_DATA, LATCH_OK, LATCH_OK, true},
        {"{\"a\":{\"L\":[]}}", LATCH_E_DATA, LATCH_E_DATA, LATCH_E_DATA, LATCH_E_DATA, true},
        {"{\"a\":7}", LATCH_E_DATA, LATCH_E_DATA, LATCH_E_DATA, LATCH_E_DATA, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_json item = item_of(rows[i].item);
        latch_str s;
        int64_t n;
        assert_int_equal(latch_item_text(item, "a", &s), rows[i].text);
        assert_int_equal(latch_item_text_or(item, "a", LATCH_STR("-"), &s), rows[i].text_or);
        if (rows[i].text_or == LATCH_OK && rows[i].text != LATCH_OK) assert_true(latch_str_eq(s, LATCH_STR("-")));
        assert_int_equal(latch_item_int(item, "a", &n), rows[i].number);
        assert_int_equal(latch_item_int_or(item, "a", 42, &n), rows[i].number_or);
        if (rows[i].number_or == LATCH_OK && rows[i].number != LATCH_OK) assert_int_equal(n, 42);
        assert_int_equal(latch_item_has(item, "a"), rows[i].has);
    }
}

/* ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void makes_keys_that_cannot_be_mistaken(void **state) {
    static const latch_table_key of = {.store = "test", .prefix = "TEST", .max_bytes = 64};
    static const struct {
        const char *name, *key, *pk;
    } rows[] = {
        {"n", "k", "TEST#n#k"},       {"n", "a#b", "TEST#n#a%23b"}, {"n#a", "b", "TEST#n%23a#b"},
        {"n", "%23", "TEST#n#%2523"}, {"n", "é", "TEST#n#é"},       {NULL, "k", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str pk;
        latch_status status = latch_table_pk(&ann.cx, &of, rows[i].name, latch_str_of(rows[i].key), &pk);
        assert_int_equal(status, rows[i].pk != NULL ? LATCH_OK : LATCH_E_MISUSE);
        assert_true(latch_str_eq(pk, latch_str_of(rows[i].pk)));
    }
    char key[60];
    latch_str pk;
    memset(key, 'k', sizeof key);
    assert_int_equal(latch_table_pk(&ann.cx, &of, "n", (latch_str){key, 57}, &pk), LATCH_OK);
    assert_int_equal(latch_table_pk(&ann.cx, &of, "n", (latch_str){key, 58}, &pk), LATCH_E_INPUT);
    assert_int_equal(pk.len, 0);
    ann.arena.used = ann.arena.cap;
    assert_int_equal(latch_table_pk(&ann.cx, &of, "n", LATCH_STR("k"), &pk), LATCH_E_NOMEM);
}

/* ── pauses ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void pauses_longer_each_time_and_differently(void **state) {
    int64_t most_ms[] = {100, 200, 400, 800, 1000, 1000}, before_ms = 0, least[6], most[6];
    (void)state;
    for (size_t k = 0; k < 6; k++)
        least[k] = INT64_MAX, most[k] = 0;
    for (int i = 0; i < 50; i++) {
        latch_wait wait = latch_wait_begin(&ann.cx, LATCH_HOUR_MS, 100, 1000);
        for (size_t k = 0; k < 6; k++) {
            assert_true(latch_wait_more(&ann.cx, &wait, 0));
            int64_t pause_ms = ann.slept_ms - before_ms;
            before_ms = ann.slept_ms;
            assert_in_range(pause_ms, most_ms[k] / 2, most_ms[k]);
            if (pause_ms < least[k]) least[k] = pause_ms;
            if (pause_ms > most[k]) most[k] = pause_ms;
        }
    }
    for (size_t k = 0; k < 6; k++)
        assert_true(most[k] - least[k] > most_ms[k] / 8); /* jitter: nobody comes back together */
}

static void pauses_end_in_time(void **state) {
    static const struct {
        int64_t wait_ms, left_ms, free_after_ms;
        bool more;
        int64_t slept_least_ms, slept_most_ms;
    } rows[] = {
        {0, 0, 0, false, 0, 0},     {10, 0, 0, true, 10, 10},      {5000, 0, 7, true, 7, 7}, {5000, 0, -7, true, 50, 100},
        {5000, 50, 0, false, 0, 0}, {5000, 101, 0, true, 50, 100}, {3, 0, 7, true, 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_again(&ann, 0);
        ann.slept_ms = 0;
        ann.cx.deadline_at_ms = rows[i].left_ms > 0 ? rig_now_ms(&world) + rows[i].left_ms : INT64_MAX;
        latch_wait wait = latch_wait_begin(&ann.cx, rows[i].wait_ms, 100, 1000);
        int64_t free_at_ms = rows[i].free_after_ms != 0 ? rig_now_ms(&world) + rows[i].free_after_ms : 0;
        assert_int_equal(latch_wait_more(&ann.cx, &wait, free_at_ms), rows[i].more);
        assert_in_range(ann.slept_ms, rows[i].slept_least_ms, rows[i].slept_most_ms);
    }
}

/* The real clock really sleeps, a caller's own does what it does, and nobody sleeps for nothing. */
static void sleeps_through_the_clock(void **state) {
    latch_clock real = latch_clock_system(), bare = real;
    (void)state;
    bare.sleep_ms = NULL;
    latch_instant from = latch_clock_instant(&real);
    latch_clock_sleep_ms(&real, 3);
    assert_true(latch_clock_since_ms(&real, from) >= 3);
    latch_clock_sleep_ms(&bare, 3);
    assert_true(latch_clock_since_ms(&real, from) >= 6);
    latch_clock_sleep_ms(&ann.cx.clock, 0);
    latch_clock_sleep_ms(&ann.cx.clock, -5);
    assert_int_equal(ann.slept_ms, 0);
    latch_clock_sleep_ms(&ann.cx.clock, LATCH_HOUR_MS);
    assert_int_equal(ann.slept_ms, LATCH_HOUR_MS);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(writes_each_kind_of_value),
    ROW(names_attributes_as_the_table_does),
    ROW(refuses_names_that_coincide),
    ROW(asks_for_what_it_wants_back),
    ROW(gives_the_item_as_it_was),
    ROW(gets_an_item_or_nothing),
    ROW(refuses_what_cannot_be_sent),
    ROW(writes_lists_and_sets),
    ROW(goes_where_it_is_sent),
    ROW(understands_each_error_name),
    ROW(repeats_only_what_may_be_repeated),
    ROW(sends_nothing_past_its_deadline),
    ROW(says_how_to_create_a_table),
    ROW(takes_little_of_the_arena),
    ROW(gives_each_try_the_same_memory),
    ROW(answers_without_a_body_are_empty),
    ROW(settles_at_the_third_try_though_the_arena_is_full),
    ROW(reads_numbers_exactly),
    ROW(tells_absent_from_wrong),
    ROW(makes_keys_that_cannot_be_mistaken),
    ROW(pauses_longer_each_time_and_differently),
    ROW(pauses_end_in_time),
    ROW(sleeps_through_the_clock),
};

CHECK_MAIN(tests)

/* latch item, as a person runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "latch_items.h"
#include "store/dynamodb.h"
#include "tests/check.h"

static local_run get(const char *a, const char *b, const char *c, const char *d, const char *e) {
    return latch_run(LATCH_RUN_WORDS("item", "get", a, b, c, d, e));
}

static void an_item_is_json(void **state) {
    static const char item[] =
        "{\"pk\":\"CART#ada\",\"sk\":\"ITEM#7\",\"qty\":2,\"price\":1.5,\"gift\":true,\"note\":null,\"tags\":{\"$strings\":["
        "\"new\"]},\"blob\":{\"$binary\":\"AAE=\"},\"parts\":[1,{\"a\":\"b\"}]}";
    static const struct {
        const char *pointer, *value;
    } plain[] = {{"/qty", "2"},
                 {"/price", "1.5"},
                 {"/gift", "true"},
                 {"/note", "null"},
                 {"/parts/1/a", "\"b\""},
                 {"/tags/$strings/0", "\"new\""},
                 {"/blob/$binary", "\"AAE=\""}},
      raw[] = {{"/qty/N", "\"2\""}, {"/gift/BOOL", "true"}, {"/tags/SS/0", "\"new\""}, {"/blob/B", "\"AAE=\""}, {"/pk/S", "\"CART#ada\""}};
    (void)state;
    latch_items_put(item);
    local_run run = get("CART#ada", "ITEM#7", NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        char *text = yyjson_val_write(yyjson_ptr_get(local_line(&run, 0), plain[i].pointer), 0, NULL);
        assert_string_equal(text != NULL ? text : plain[i].pointer, plain[i].value);
        free(text);
    }
    local_forget(&run);
    run = get("CART#ada", "ITEM#7", "--raw", NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(raw); i++) {
        char *text = yyjson_val_write(yyjson_ptr_get(local_line(&run, 0), raw[i].pointer), 0, NULL);
        assert_string_equal(text != NULL ? text : raw[i].pointer, raw[i].value);
        free(text);
    }
    local_forget(&run);
}

static void the_only_one_of_its_pk_is_found(void **state) {
    char item[128], wanted[64];
    (void)state;
    latch_items_put("{\"pk\":\"LOCK#orders#a%23b\",\"sk\":\"LOCK\",\"fence\":7}");
    latch_run_expect(get("LOCK#orders#a%23b", NULL, NULL, NULL, NULL), 0, "\"fence\":7", NULL);
    for (int i = 0; i < 12; i++) {
        snprintf(item, sizeof item, "{\"pk\":\"CART#ada\",\"sk\":\"ITEM#%02d\"}", i);
        latch_items_put(item);
    }
    local_run run = get("CART#ada", NULL, NULL, NULL, NULL);
    assert_int_equal(run.exit_status, 1);
    assert_string_equal(run.out, "");
    for (int i = 0; i < 12; i++) {
        snprintf(wanted, sizeof wanted, "  ITEM#%02d\n", i);
        assert_true((strstr(run.err, wanted) != NULL) == (i < 10));
    }
    assert_non_null(strstr(run.err, "has several items of this PK: give the SK of one"));
    local_forget(&run);
    latch_run_expect(get("CART#bob", NULL, NULL, NULL, NULL), 1, NULL, "there is no item CART#bob in table latch-table-");
    latch_run_expect(get("CART#ada", "ITEM#99", NULL, NULL, NULL), 1, NULL, "there is no item CART#ada ITEM#99 in table ");
}

static void call(const char *operation, const char *request) {
    latch_ctx *cx = latch_items_cx();
    latch_answer answer;
    latch_json doc;
    bool ok =
        latch_parse(cx, "request", latch_str_of(request), &doc) == LATCH_OK && latch_dynamodb_call(cx, operation, doc, &answer) == LATCH_OK;
    if (!ok) fail_msg("%s: %s", operation, cx->err.message);
}

/* Keys as the table has them: other names, other types, one part. */
static void tables_of_others_are_read(void **state) {
    char theirs[80], request[768];
    (void)state;
    snprintf(theirs, sizeof theirs, "%s-theirs", latch_run_table);
    snprintf(
        request, sizeof request,
        "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"KeySchema\":[{\"AttributeName\":\"user\",\"KeyType\":\"HASH\"},"
        "{\"AttributeName\":\"at\",\"KeyType\":\"RANGE\"}],\"AttributeDefinitions\":[{\"AttributeName\":\"at\",\"AttributeType\":\"N\"},"
        "{\"AttributeName\":\"user\",\"AttributeType\":\"B\"}]}",
        theirs);
    call("CreateTable", request);
    snprintf(request, sizeof request,
             "{\"TableName\":\"%s\",\"Item\":{\"user\":{\"B\":\"AAE=\"},\"at\":{\"N\":\"1.5\"},\"x\":{\"S\":\"y\"}}}", theirs);
    call("PutItem", request);
    latch_run_expect(get("AAE=", "1.5", "--table", theirs, NULL), 0, "\"x\":\"y\"", NULL);
    latch_run_expect(get("AAE=", "--table", theirs, NULL, NULL), 0, "\"x\":\"y\"", NULL);
    latch_run_expect(get("AAE=", "two", "--table", theirs, NULL), 1, NULL, "latch item get: ");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "delete", theirs, "--yes")), 0, "deleted", NULL);
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "create", theirs, "--layout=lock-client")), 0, "created", NULL);
    snprintf(request, sizeof request, "{\"TableName\":\"%s\",\"Item\":{\"key\":{\"S\":\"order-17\"},\"ownerName\":{\"S\":\"them\"}}}",
             theirs);
    call("PutItem", request);
    latch_run_expect(get("order-17", "--table", theirs, NULL, NULL), 0, "\"ownerName\":\"them\"", NULL);
    latch_run_expect(get("order-17", "x", "--table", theirs, NULL), 1, NULL, "has keys of one part: give PK alone");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("table", "delete", theirs, "--yes")), 0, "deleted", NULL);
}

/* As large as an item gets, and as JSON larger still. */
static void a_large_item_is_read(void **state) {
    static char text[2 * 390 * 1024 + 128];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"pk\":\"big\",\"sk\":\"big\",\"data\":\"");
    (void)state;
    for (size_t i = 0; i < 390 * 1024; i++)
        len += (size_t)snprintf(text + len, 3, "\\n");
    snprintf(text + len, 3, "\"}");
    latch_items_put(text);
    local_run run = get("big", "big", NULL, NULL, NULL);
    if (run.exit_status != 0) fail_msg("%s", run.err);
    assert_int_equal(strlen(local_text(&run, 0, "data")), 390 * 1024);
    local_forget(&run);
}

static const latch_run_row arguments[] = {
    {{"item"}, 2, NULL, "latch item: which command?"},
    {{"item", "get", "--help"}, 0, "latch item get: any item", NULL},
    {{"item", "get"}, 2, NULL, "want PK or PK SK, found 0 words"},
    {{"item", "get", "a", "b", "c"}, 2, NULL, "want PK or PK SK, found 3 words"},
    {{"item", "get", "a", "--table", "a b"}, 2, NULL, "--table: \"a b\" is no table's name"},
    {{"item", "get", "a", "--json"}, 2, NULL, "unknown option --json"},
};

static void arguments_are_checked_before_anything_is_asked(void **state) {
    (void)state;
    latch_run_expect_each(arguments, COUNT_OF(arguments));
    latch_run_expect(latch_run(LATCH_RUN_WORDS("item", "get", "a", "b", "--table", "nobodys")), 1, NULL, "nobodys");
    latch_run_expect(latch_run(LATCH_RUN_WORDS("item", "get", "--", "-a", "-b")), 1, NULL, "there is no item -a -b in table ");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, latch_items_set_up, latch_items_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(an_item_is_json),
    ROW(the_only_one_of_its_pk_is_found),
    ROW(tables_of_others_are_read),
    ROW(a_large_item_is_read),
    ROW(arguments_are_checked_before_anything_is_asked),
};

CHECK_MAIN(tests)

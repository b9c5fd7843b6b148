#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

/*
 * Recorded from DynamoDB Local 2.6.1: an UpdateItem with UpdateExpression "SET #x = :x" and these placeholders; "OK", or the error's text
 * without "Invalid UpdateExpression: ".
 */
static const struct {
    const char *names, *values, *want;
} rows[] = {
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"1\"}}", "OK"},
    {NULL, "{\":x\":{\"N\":\"1\"}}", "An expression attribute name used in the document path is not defined; attribute name: #x"},
    {"{\"#x\":\"a\"}", NULL, "An expression attribute value used in expression is not defined; attribute value: :x"},
    {"null", "{\":x\":{\"N\":\"1\"}}", "An expression attribute name used in the document path is not defined; attribute name: #x"},
    {"{\"#x\":\"a\"}", "null", "An expression attribute value used in expression is not defined; attribute value: :x"},
    {"{}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames must not be empty"},
    {"{\"#x\":\"a\"}", "{}", "ExpressionAttributeValues must not be empty"},
    {"{}", "{}", "ExpressionAttributeNames must not be empty"},
    {"{\"x\":\"a\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"x\""},
    {"{\"#\":\"a\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#\""},
    {"{\"\":\"a\"}", "{\":x\":{\"N\":\"1\"}}",
     "ExpressionAttributeNames contains invalid key: The expression attribute map contains an empty key;"},
    {"{\"#x y\":\"a\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#x y\""},
    {"{\"#x\":\"a\",\"#-\":\"b\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#-\""},
    {"{\"#x\":null}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid value: null for key #x"},
    {"{\"#x\":\"\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid value: Empty attribute name for key #x"},
    {"{\"#x\":\"a.b\"}", "{\":x\":{\"N\":\"1\"}}", "OK"},
    {"{\"#x\":\"\",\"y\":\"b\"}", "{\":x\":{\"N\":\"1\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"y\""},
    {"{\"#x\":\"q\",\"#x\":\"a\"}", "{\":x\":{\"N\":\"1\"}}", "OK"},
    {"{\"#x\":\"a\",\"#y\":\"a\"}", "{\":x\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#y}"},
    {"{\"#x\":\"a\",\"#y\":\"a\",\"#z\":\"b\",\"#a\":\"c\"}", "{\":x\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#y, #z, #a}"},
    {"{\"#x\":\"a\"}", "{\"x\":{\"N\":\"1\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \"x\""},
    {"{\"#x\":\"a\"}", "{\":\":{\"N\":\"1\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \":\""},
    {"{\"#x\":\"a\"}", "{\"\":{\"N\":\"1\"}}",
     "ExpressionAttributeValues contains invalid key: The expression attribute map contains an empty key;"},
    {"{\"#x\":\"a\"}", "{\":x y\":{\"N\":\"1\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \":x y\""},
    {"{\"#x\":\"a\"}", "{\":x-y\":{\"N\":\"1\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \":x-y\""},
    {"{\"#x\":\"a\"}", "{\":\303\251\":{\"N\":\"1\"}}", "ExpressionAttributeValues contains invalid key: Syntax error; key: \":\303\251\""},
    {"{\"#x\":\"a\"}", "{\":x\":null}",
     "ExpressionAttributeValues contains invalid value: The supplied Item contains a null AttributeValue for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{}}",
     "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported "
     "datatypes for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"x\"}}",
     "ExpressionAttributeValues contains invalid value: A value provided cannot be converted into a number for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"SS\":[]}}",
     "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key "
     ":x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"SS\":[\"a\",\"a\"]}}",
     "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: Input collection [a, a] contains "
     "duplicates for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"NS\":[\"1\",\"1\"]}}",
     "ExpressionAttributeValues contains invalid value: Input collection contains duplicates for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"NULL\":false}}",
     "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: Null attribute value types must have "
     "the value of true for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"S\":\"a\",\"N\":\"1\"}}",
     "ExpressionAttributeValues contains invalid value: Supplied AttributeValue has more than one datatypes set, must contain exactly one "
     "of the supported datatypes for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"M\":{\"a\":{\"SS\":[]}}}}",
     "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key "
     ":x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"L\":[{\"N\":\"\"}]}}",
     "ExpressionAttributeValues contains invalid value: A value provided cannot be converted into a number for key :x"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"1\"},\"y\":{\"N\":\"x\"}}",
     "ExpressionAttributeValues contains invalid key: Syntax error; key: \"y\""},
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"1\"},\":y\":{\"N\":\"x\"}}",
     "ExpressionAttributeValues contains invalid value: A value provided cannot be converted into a number for key :y"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"2\"},\":x\":{\"N\":\"1\"}}", "OK"},
    {"{\"#x\":\"a\"}", "{\":x\":{\"N\":\"1\"},\":y\":{\"N\":\"1\"},\":z\":{\"S\":\"1\"},\":a\":{\"S\":\"1\"}}",
     "Value provided in ExpressionAttributeValues unused in expressions: keys: {:z, :a, :y}"},
    {"{\"a\":\"b\"}", "{\"x\":{\"S\":\"a\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""},
    {"{\"a\":\"b\"}", "{\":x\":{\"N\":\"x\"}}", "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""},
    {"{\"#x\":\"a\",\"#y\":\"b\"}", "{\":x\":{\"N\":\"1\"},\":y\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#y}"},
    {"{\"#y\":\"b\"}", "{\":y\":{\"N\":\"1\"}}",
     "An expression attribute name used in the document path is not defined; attribute name: #x"},
    {"{\"#X\":\"a\"}", "{\":x\":{\"N\":\"1\"}}",
     "An expression attribute name used in the document path is not defined; attribute name: #x"},
    {"{\"#x\":\"a\"}", "{\":X\":{\"N\":\"1\"}}", "An expression attribute value used in expression is not defined; attribute value: :x"},
    {"{\"#x\": \"a\", \"#n0\": \"q\", \"#n1\": \"q\", \"#n2\": \"q\", \"#n3\": \"q\", \"#n4\": \"q\", \"#n5\": \"q\", \"#n6\": \"q\", "
     "\"#n7\": \"q\", \"#n8\": \"q\", \"#n9\": \"q\", \"#n10\": \"q\"}",
     "{\":x\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n0, #n1, #n2, #n3, #n4, #n5, #n6, #n7, #n8, #n9, #n10}"},
    {"{\"#x\": \"a\", \"#n0\": \"q\", \"#n1\": \"q\", \"#n2\": \"q\", \"#n3\": \"q\", \"#n4\": \"q\", \"#n5\": \"q\", \"#n6\": \"q\", "
     "\"#n7\": \"q\", \"#n8\": \"q\", \"#n9\": \"q\", \"#n10\": \"q\", \"#n11\": \"q\", \"#n12\": \"q\", \"#n13\": \"q\", \"#n14\": \"q\", "
     "\"#n15\": \"q\", \"#n16\": \"q\", \"#n17\": \"q\", \"#n18\": \"q\", \"#n19\": \"q\", \"#n20\": \"q\", \"#n21\": \"q\", \"#n22\": "
     "\"q\", \"#n23\": \"q\", \"#n24\": \"q\", \"#n25\": \"q\", \"#n26\": \"q\", \"#n27\": \"q\", \"#n28\": \"q\", \"#n29\": \"q\"}",
     "{\":x\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n17, #n16, #n19, #n18, #n11, #n10, #n13, #n12, #n15, #n14, "
     "#n28, #n27, #n29, #n0, #n1, #n2, #n3, #n4, #n5, #n6, #n7, #n8, #n9, #n20, #n22, #n21, #n24, #n23, #n26, #n25}"},
    {"{\"#x\":\"a\"}",
     "{\":x\": {\"S\": \"a\"}, \":v0\": {\"S\": \"a\"}, \":v1\": {\"S\": \"a\"}, \":v2\": {\"S\": \"a\"}, \":v3\": {\"S\": \"a\"}, "
     "\":v4\": {\"S\": \"a\"}, \":v5\": {\"S\": \"a\"}, \":v6\": {\"S\": \"a\"}, \":v7\": {\"S\": \"a\"}, \":v8\": {\"S\": \"a\"}, "
     "\":v9\": {\"S\": \"a\"}, \":v10\": {\"S\": \"a\"}, \":v11\": {\"S\": \"a\"}, \":v12\": {\"S\": \"a\"}, \":v13\": {\"S\": \"a\"}, "
     "\":v14\": {\"S\": \"a\"}, \":v15\": {\"S\": \"a\"}, \":v16\": {\"S\": \"a\"}, \":v17\": {\"S\": \"a\"}, \":v18\": {\"S\": \"a\"}, "
     "\":v19\": {\"S\": \"a\"}, \":v20\": {\"S\": \"a\"}, \":v21\": {\"S\": \"a\"}, \":v22\": {\"S\": \"a\"}, \":v23\": {\"S\": \"a\"}, "
     "\":v24\": {\"S\": \"a\"}, \":v25\": {\"S\": \"a\"}, \":v26\": {\"S\": \"a\"}, \":v27\": {\"S\": \"a\"}, \":v28\": {\"S\": \"a\"}, "
     "\":v29\": {\"S\": \"a\"}, \":v30\": {\"S\": \"a\"}, \":v31\": {\"S\": \"a\"}, \":v32\": {\"S\": \"a\"}, \":v33\": {\"S\": \"a\"}, "
     "\":v34\": {\"S\": \"a\"}, \":v35\": {\"S\": \"a\"}, \":v36\": {\"S\": \"a\"}, \":v37\": {\"S\": \"a\"}, \":v38\": {\"S\": \"a\"}, "
     "\":v39\": {\"S\": \"a\"}}",
     "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v11, :v33, :v12, :v34, :v13, :v35, :v14, :v36, :v30, "
     ":v31, :v10, :v32, :v26, :v27, :v28, :v29, :v22, :v23, :v24, :v25, :v20, :v21, :v0, :v1, :v2, :v3, :v4, :v19, :v5, :v6, :v7, :v8, "
     ":v15, :v37, :v9, :v16, :v38, :v17, :v39, :v18}"},
    {"{\"#x\":\"a\"}",
     "{\":v0\": {\"S\": \"a\"}, \":v1\": {\"S\": \"a\"}, \":v2\": {\"S\": \"a\"}, \":v3\": {\"S\": \"a\"}, \":v4\": {\"S\": \"a\"}, "
     "\":v5\": {\"S\": \"a\"}, \":v6\": {\"S\": \"a\"}, \":v7\": {\"S\": \"a\"}, \":v8\": {\"S\": \"a\"}, \":v9\": {\"S\": \"a\"}, "
     "\":v10\": {\"S\": \"a\"}, \":v11\": {\"S\": \"a\"}, \":v12\": {\"S\": \"a\"}, \":v13\": {\"S\": \"a\"}, \":v14\": {\"S\": \"a\"}, "
     "\":v15\": {\"S\": \"a\"}, \":v16\": {\"S\": \"a\"}, \":v17\": {\"S\": \"a\"}, \":v18\": {\"S\": \"a\"}, \":v19\": {\"S\": \"a\"}, "
     "\":x\": {\"S\": \"a\"}}",
     "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v11, :v12, :v13, :v14, :v10, :v0, :v1, :v2, :v3, :v4, "
     ":v19, :v5, :v6, :v7, :v8, :v15, :v9, :v16, :v17, :v18}"},
    {"{\"#"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":\"b\",\"#"
     "x\":\"a\"}",
     "{\":x\":{\"N\":\"1\"}}",
     "Value provided in ExpressionAttributeNames unused in expressions: keys: "
     "{#"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk}"},
    {"{\"#"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":\"b\","
     "\"#x\":\"a\"}",
     "{\":x\":{\"N\":\"1\"}}",
     "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 256"},
    {"{\"#x\":\"a\"}",
     "{\":"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":{\"N\":"
     "\"1\"}}",
     "An expression attribute value used in expression is not defined; attribute value: :x"},
    {"{\"#x\":\"a\"}",
     "{\":"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":{\"N\":"
     "\"1\"}}",
     "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;"},
    /* Local fails with a 500, or takes a number for its text */
    {"[]", NULL, "SerializationException: ExpressionAttributeNames: not a map"},
    {"{\"#x\":1}", NULL, "SerializationException: ExpressionAttributeNames: a name is no string"},
    {NULL, "\"x\"", "SerializationException: ExpressionAttributeValues: not a map"},
    {NULL, "{\":x\":{\"B\":\"!\"}}", "SerializationException: STRING_VALUE cannot be converted to Blob: it is not base64"},
};

static const char *answer(const char *names, const char *values) {
    static const char prefix[] = "Invalid UpdateExpression: ";
    latch_placeholders p;
    const latch_update *u;
    if (latch_placeholders_read(language_json(names), language_json(values), &p, &language_arena, &language_fault) &&
        latch_update_parse(LATCH_STR("SET #x = :x"), &p, &u, &language_fault) && latch_placeholders_all_used(&p, &language_fault))
        return "OK";
    const char *text = language_fault_text();
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static void answers_as_dynamodb_does(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        language_again(0);
        const char *got = answer(rows[i].names, rows[i].values);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s %s\n  got:  %s\n  want: %s", rows[i].names != NULL ? rows[i].names : "",
                     rows[i].values != NULL ? rows[i].values : "", got, rows[i].want);
    }
}

static void tells_whether_they_were_given(void **state) {
    latch_placeholders p;
    (void)state;
    assert_true(latch_placeholders_read(NULL, NULL, &p, &language_arena, &language_fault));
    assert_false(p.given_names || p.given_values);
    assert_true(
        latch_placeholders_read(language_json("null"), language_json("{\":x\":{\"N\":\"1\"}}"), &p, &language_arena, &language_fault));
    assert_true(!p.given_names && p.given_values);
    assert_false(latch_placeholders_read(language_json("{}"), NULL, &p, &language_arena, &language_fault));
    assert_true(p.given_names && !p.given_values);
}

/* From one to some hundreds, each found and each its own; keys that come twice have their last value. */
static void finds_each_of_many(void **state) {
    static char names[40000], values[40000], expression[64];
    (void)state;
    for (int count = 1; count <= 400; count += count < 20 ? 1 : 95) {
        size_t n = 0, v = 0;
        for (int i = 0; i < 2 * count; i++) {
            n += (size_t)snprintf(names + n, sizeof names - n, "%s\"#k%d\":\"a%d\"", i == 0 ? "{" : ",", i % count, i);
            v += (size_t)snprintf(values + v, sizeof values - v, "%s\":k%d\":{\"N\":\"%d\"}", i == 0 ? "{" : ",", i % count, i);
        }
        snprintf(names + n, sizeof names - n, "}");
        snprintf(values + v, sizeof values - v, "}");
        language_again(0);
        latch_placeholders p;
        assert_true(latch_placeholders_read(language_json(names), language_json(values), &p, &language_arena, &language_fault));
        assert_int_equal(p.name_count, count);
        for (int i = 0; i < count; i++) {
            const latch_condition *c;
            char item[64];
            snprintf(expression, sizeof expression, "#k%d = :k%d", i, i);
            snprintf(item, sizeof item, "{\"a%d\":{\"N\":\"%d\"}}", i + count, i + count);
            yyjson_doc *doc = yyjson_read(item, strlen(item), 0);
            latch_item of;
            assert_true(latch_item_read(yyjson_doc_get_root(doc), &of, &language_arena, &language_fault));
            assert_true(latch_condition_parse(latch_str_of(expression), "ConditionExpression", &p, &c, &language_fault));
            assert_true(latch_condition_holds(c, &of));
            yyjson_doc_free(doc);
        }
        assert_true(latch_placeholders_all_used(&p, &language_fault));
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(answers_as_dynamodb_does),
    ROW(tells_whether_they_were_given),
    ROW(finds_each_of_many),
};
CHECK_MAIN(tests)

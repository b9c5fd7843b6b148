#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

/* Errors are recorded from DynamoDB Local 2.6.1, without "Invalid KeyConditionExpression: ". */
typedef struct row {
    const char *expression, *want;
} row;

static const char values[] =
    "{\":s\":{\"S\":\"abc\"},\":n\":{\"N\":\"1\"},\":b\":{\"B\":\"YQ==\"},\":t\":{\"BOOL\":true},\":z\":{\"NULL\":true},\":m\":{\"M\":{"
    "}},\":l\":{\"L\":[]},\":ss\":{\"SS\":[\"a\"]},\":a\":{\"S\":\"a\"},\":zz\":{\"S\":\"zz\"},\":e\":{\"S\":\"\"},\":n2\":{\"N\":\"2\"}}";

static bool parse(const char *expression, const char *sort, latch_key_condition *out) {
    latch_placeholders p;
    return latch_placeholders_read(language_json("{\"#p\":\"pk\",\"#s\":\"sk\"}"), language_json(values), &p, &language_arena,
                                   &language_fault) &&
           latch_key_condition_parse(language_guarded(expression), LATCH_STR("pk"), latch_str_of(sort), &p, out, &language_fault);
}

static const char *fault_text(void) {
    static const char prefix[] = "Invalid KeyConditionExpression: ";
    const char *text = language_fault_text();
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static void check(const row *rows, size_t count, const char *sort) {
    for (size_t i = 0; i < count; i++) {
        latch_key_condition c;
        language_again(0);
        const char *got = parse(rows[i].expression, sort, &c) ? "" : fault_text();
        if (strcmp(got, rows[i].want) != 0) fail_msg("%s\n  got:  %s\n  want: %s", rows[i].expression, got, rows[i].want);
    }
}

static void refuses_what_is_no_key_condition(void **state) {
    static const row rows[] = {
        {"", "The expression can not be empty;"},
        {" ", "Syntax error; token: \"<EOF>\", near: \" \""},
        {"pk = :s AND sk <> :s", "Invalid operator used in KeyConditionExpression: <>"},
        {"pk = :s AND sk IN (:s)", "Invalid operator used in KeyConditionExpression: IN"},
        {"pk = :s OR sk = :s", "Invalid operator used in KeyConditionExpression: OR"},
        {"NOT pk = :s", "Invalid operator used in KeyConditionExpression: NOT"},
        {"pk = :s AND NOT sk = :s", "Invalid operator used in KeyConditionExpression: NOT"},
        {"pk < :s", "Query key condition not supported"},
        {"pk > :s AND sk = :s", "Query key condition not supported"},
        {"pk BETWEEN :a AND :s", "Query key condition not supported"},
        {"begins_with(pk, :a)", "Query key condition not supported"},
        {"sk = :s", "Query condition missed key schema element"},
        {"other = :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND other = :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND sk = :s AND other = :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND sk > :a AND sk < :s", "KeyConditionExpressions must only contain one condition per key"},
        {"pk = :s AND pk = :s", "KeyConditionExpressions must only contain one condition per key"},
        {"pk = :s AND sk = :s AND sk = :s", "KeyConditionExpressions must only contain one condition per key"},
        {"pk = sk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
        {"pk = :s AND sk = pk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
        {"pk = other", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND sk BETWEEN :a AND other", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND begins_with(sk, other)", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND begins_with(:a, sk)",
         "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand"},
        {"pk = :s AND contains(sk, :s)", "Invalid operator used in KeyConditionExpression: contains"},
        {"pk = :s AND attribute_exists(sk)", "Invalid operator used in KeyConditionExpression: attribute_exists"},
        {"attribute_exists(pk)", "Invalid operator used in KeyConditionExpression: attribute_exists"},
        {"pk = :s AND size(sk) > :n", "KeyConditionExpressions cannot contain nested operations"},
        {"size(pk) = :n", "KeyConditionExpressions cannot contain nested operations"},
        {"pk = :s AND sk = size(pk)", "KeyConditionExpressions cannot contain nested operations"},
        {"((pk = :s))", "The expression has redundant parentheses;"},
        {"pk.a = :s", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"pk[0] = :s", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"pk = :s AND sk.a = :s", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"},
        {"pk = :q", "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"#q = :s", "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"abort = :s", "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"pk = :s AND sk BETWEEN :zz AND :a", "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower "
                                              "bound operand: AttributeValue: {S:zz}, upper bound operand: AttributeValue: {S:a}"},
        {"pk = :s AND sk BETWEEN :a AND :n", "The BETWEEN operator requires same data type for lower and upper bounds; lower bound "
                                             "operand: AttributeValue: {S:a}, upper bound operand: AttributeValue: {N:1}"},
        {"pk = :s AND begins_with(sk, :n)",
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"pk = :s AND sk < :ss", "Incorrect operand type for operator or function; operator or function: <, operand type: SS"},
        {"pk", "Syntax error; token: \"<EOF>\", near: \"pk\""},
        {"pk =", "Syntax error; token: \"<EOF>\", near: \"=\""},
        {"pk = :s AND", "Syntax error; token: \"<EOF>\", near: \"AND\""},
        {"pk = :s sk = :s", "Syntax error; token: \"sk\", near: \":s sk =\""},
        {"pk = :s, sk = :s", "Syntax error; token: \",\", near: \":s, sk\""},
        {"foo(pk)", "Invalid function name; function: foo"},
        {"pk = :s AND foo(sk, :a)", "Invalid function name; function: foo"},
        {"pk = foo(:s)", "Invalid function name; function: foo"},
        {"pk = :s AND begins_with(sk)",
         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1"},
        {"pk = :s AND begins_with(sk, :a, :a)",
         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 3"},
        {"pk = :s AND BEGINS_WITH(sk, :a)", "Invalid function name; function: BEGINS_WITH"},
        {"SK = :s AND pk = :s", "Query condition missed key schema element"},
        {"pk <> :s", "Invalid operator used in KeyConditionExpression: <>"},
        {"pk IN (:s)", "Invalid operator used in KeyConditionExpression: IN"},
        {"pk = :s AND (sk = :s OR sk = :a)", "Invalid operator used in KeyConditionExpression: OR"},
        {"(pk = :s OR sk = :s) AND sk = :s", "Invalid operator used in KeyConditionExpression: OR"},
        {"pk = :s AND sk = :a AND sk = :q", "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"other = :s AND sk = :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"other = :s AND pk = :s AND sk = :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND sk > :m", "Incorrect operand type for operator or function; operator or function: >, operand type: M"},
        {"pk = pk",
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [pk]"},
        {"pk = :s AND sk = sk",
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [sk]"},
        {"NOT (pk = :s)", "Invalid operator used in KeyConditionExpression: NOT"},
        {"pk >= :s", "Query key condition not supported"},
        {"pk = :s AND sk BETWEEN sk AND :s", "The first operand must be distinct from the remaining operands for this operator or "
                                             "function; operator: BETWEEN, first operand: [sk]"},
        {"pk = :s AND sk BETWEEN :a AND :s AND sk = :s", "KeyConditionExpressions must only contain one condition per key"},
        {"pk = :s AND other BETWEEN :a AND :s", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND begins_with(other, :a)", "Attribute name is a reserved keyword; reserved keyword: other"},
        {"pk = :s AND begins_with(pk, :a)", "KeyConditionExpressions must only contain one condition per key"},
        {"begins_with(sk, :a)", "Query condition missed key schema element"},
        {"sk BETWEEN :a AND :s", "Query condition missed key schema element"},
        {"pk = :s AND attribute_not_exists(pk)", "Invalid operator used in KeyConditionExpression: attribute_not_exists"},
        {"pk = :s AND if_not_exists(sk, :a)", "The function is not allowed in a condition expression; function: if_not_exists"},
        {"pk = :s AND sk = if_not_exists(sk, :a)", "The function is not allowed in a condition expression; function: if_not_exists"},
        {"pk = :s AND foo = :s", "Query condition missed key schema element"},
        {"pk = :s AND foo > :s", "Query condition missed key schema element"},
        {"foo = :s AND pk = :s", "Query condition missed key schema element"},
        {"pk = :s AND sk = :s AND foo = :s", "Conditions can be of length 1 or 2 only"},
        {"foo = :s", "Query condition missed key schema element"},
        {"foo = :s AND bar = :s", "Query condition missed key schema element"},
        {":s = :s", "Invalid condition in KeyConditionExpression: No key attribute specified"},
        {"pk = :s AND :s = :s", "Invalid condition in KeyConditionExpression: No key attribute specified"},
        {"pk > :s AND foo = :s", "Query key condition not supported"},
        {"pk = :s AND begins_with(foo, :s)", "Query condition missed key schema element"},
        {"pk BETWEEN :s AND :s AND sk = :s", "Query key condition not supported"},
        {"pk = :s AND begins_with(:a, :s)",
         "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand"},
        {"pk = :s AND :s BETWEEN :a AND :s",
         "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand"},
        {"pk = :s AND :s BETWEEN :a AND sk",
         "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand"},
        {"pk = :s AND :s BETWEEN sk AND :s",
         "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand"},
        {"pk = :s AND sk BETWEEN pk AND :s", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
        {"pk = :s AND sk < :s AND foo < :a", "Conditions can be of length 1 or 2 only"},
        {"sk = :s AND sk = :s", "KeyConditionExpressions must only contain one condition per key"},
        {"pk <> :s OR pk.a = :s", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"pk.a = :s AND pk = sk", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"pk = sk AND pk.a = :s", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"size(pk) = :n OR pk = :s", "Invalid operator used in KeyConditionExpression: OR"},
        {"pk = :s AND size(sk) <> :n", "Invalid operator used in KeyConditionExpression: <>"},
        {"pk IN (:s) AND pk = sk", "Invalid operator used in KeyConditionExpression: IN"},
        {"pk = :s AND pk = sk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"},
        {"pk = :s AND pk = :a AND pk.a = :s",
         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
        {"pk = :s AND sk > :s OR sk < :a", "Invalid operator used in KeyConditionExpression: OR"},
        {"pk = :s AND (sk > :a AND sk < :s)", "KeyConditionExpressions must only contain one condition per key"},
        {"pk > :s", "Query key condition not supported"},
        {"sk = :n", "Query condition missed key schema element"},
        {"pk = :s AND sk.x = :s AND sk = :s",
         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"},
        {"foo.x = :s AND pk = :s", "KeyConditionExpressions cannot have conditions on nested attributes"},
        {"pk = :s AND begins_with(sk.a, :s)",
         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"},
        {"pk = :s AND begins_with(size(sk), :s)",
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"pk = :s AND begins_with(sk, size(sk))",
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"pk = :s AND sk = :s AND size(sk) = :n", "KeyConditionExpressions cannot contain nested operations"},
        {"pk = :s AND sk BETWEEN :a AND size(pk)", "KeyConditionExpressions cannot contain nested operations"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), "sk");
}

static void takes_one_condition_where_there_is_no_sort_key(void **state) {
    static const row rows[] = {
        {"pk = :s", ""},
        {"pk = :s AND sk = :s", "Query key condition not supported"},
        {"pk = :s AND pk = :s", "KeyConditionExpressions must only contain one condition per key"},
        {"sk = :s", "Query condition missed key schema element"},
        {"pk > :s", "Query key condition not supported"},
        {"begins_with(pk, :s)", "Query key condition not supported"},
        {"pk = :s AND foo = :s", "Query key condition not supported"},
        {"foo > :s AND pk = :s", "Query key condition not supported"},
        {"pk > :s AND sk = :s", "Query key condition not supported"},
        {"foo = :s AND bar = :s", "Query key condition not supported"},
        {"pk = :s AND foo = :s AND bar = :s", "Conditions can be of length 1 or 2 only"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), "");
}

static void reads_the_keys(void **state) {
    static const struct {
        const char *expression;
        latch_key_operator op;
        const char *low, *high; /* of the sort key; NULL: not looked at */
    } rows[] = {
        {"pk = :s", LATCH_KEY_ANY, NULL, NULL},
        {":s = pk", LATCH_KEY_ANY, NULL, NULL},
        {"(pk) = (:s)", LATCH_KEY_ANY, NULL, NULL},
        {"#p = :s", LATCH_KEY_ANY, NULL, NULL},
        {"pk = :s AND sk = :a", LATCH_KEY_EQ, "a", NULL},
        {"sk = :a AND pk = :s", LATCH_KEY_EQ, "a", NULL},
        {"(pk = :s) AND (sk = :a)", LATCH_KEY_EQ, "a", NULL},
        {"(pk = :s AND sk = :a)", LATCH_KEY_EQ, "a", NULL},
        {":s = pk AND :a = sk", LATCH_KEY_EQ, "a", NULL},
        {"#p = :s AND #s > :a", LATCH_KEY_GT, "a", NULL},
        {"pk = :s AND sk < :a", LATCH_KEY_LT, "a", NULL},
        {"pk = :s AND sk <= :a", LATCH_KEY_LE, "a", NULL},
        {"pk = :s AND sk >= :a", LATCH_KEY_GE, "a", NULL},
        {"pk = :s AND :a < sk", LATCH_KEY_GT, "a", NULL}, /* mirrored */
        {"pk = :s AND :a <= sk", LATCH_KEY_GE, "a", NULL},
        {"pk = :s AND :a > sk", LATCH_KEY_LT, "a", NULL},
        {"pk = :s AND :a >= sk", LATCH_KEY_LE, "a", NULL},
        {"pk = :s AND sk BETWEEN :a AND :zz", LATCH_KEY_BETWEEN, "a", "zz"},
        {"sk between :a and :zz and pk = :s", LATCH_KEY_BETWEEN, "a", "zz"},
        {"pk = :s AND begins_with(sk, :a)", LATCH_KEY_BEGINS_WITH, "a", NULL},
        {"begins_with(sk, :a) AND pk = :s", LATCH_KEY_BEGINS_WITH, "a", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_key_condition c;
        language_again(0);
        if (!parse(rows[i].expression, "sk", &c)) fail_msg("%s: %s", rows[i].expression, fault_text());
        if (c.op != rows[i].op) fail_msg("%s: operator %d", rows[i].expression, (int)c.op);
        assert_true(latch_str_eq(c.hash.as.text, LATCH_STR("abc")));
        if (rows[i].low != NULL) assert_true(latch_str_eq(c.low.as.text, latch_str_of(rows[i].low)));
        if (rows[i].high != NULL) assert_true(latch_str_eq(c.high.as.text, latch_str_of(rows[i].high)));
    }
}

/* Each condition against a ladder of sort keys: which of them it holds for. */
static void holds_for_the_right_keys(void **state) {
    static const char *const keys[] = {"{\"S\":\"\"}",  "{\"S\":\"a\"}",  "{\"S\":\"ab\"}", "{\"S\":\"abc\"}", "{\"S\":\"abcd\"}",
                                       "{\"S\":\"b\"}", "{\"S\":\"zz\"}", "{\"N\":\"1\"}",  "{\"B\":\"YWJj\"}"};
    static const struct {
        const char *expression, *holds;
    } rows[] = {
        {"pk = :s", "111111111"},
        {"pk = :s AND sk = :s", "000100000"},
        {"pk = :s AND sk < :s", "111000000"},
        {"pk = :s AND sk <= :s", "111100000"},
        {"pk = :s AND sk > :s", "000011100"},
        {"pk = :s AND sk >= :s", "000111100"},
        {"pk = :s AND sk BETWEEN :a AND :s", "011100000"},
        {"pk = :s AND begins_with(sk, :s)", "000110000"},
        {"pk = :s AND begins_with(sk, :a)", "011110000"},
        {"pk = :s AND sk = :n", "000000010"},
        {"pk = :s AND sk <= :n2", "000000010"},
        {"pk = :s AND sk BETWEEN :n AND :n2", "000000010"},
        {"pk = :s AND sk > :b", "000000001"},
        {"pk = :s AND begins_with(sk, :b)", "000000001"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(keys); k++) {
            latch_key_condition c;
            language_again(0);
            latch_av key = language_value(keys[k]);
            assert_true(parse(rows[i].expression, "sk", &c));
            if (latch_key_condition_holds(&c, &key) != (rows[i].holds[k] == '1')) fail_msg("%s, %s", rows[i].expression, keys[k]);
        }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(refuses_what_is_no_key_condition),
    ROW(takes_one_condition_where_there_is_no_sort_key),
    ROW(reads_the_keys),
    ROW(holds_for_the_right_keys),
};
CHECK_MAIN(tests)

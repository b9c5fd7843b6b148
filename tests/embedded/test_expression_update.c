#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

/*
 * Rows are recorded from DynamoDB Local 2.6.1: what becomes of this item by this UpdateExpression. Wanted are the attributes that differ
 * after it (null: it is gone), or the error's text without "Invalid UpdateExpression: ".
 */
typedef struct row {
    const char *expression, *names, *want;
} row;

static const char key[] = "{\"pk\":{\"S\":\"u\"}}";

static const char item[] =
    "{\"pk\":{\"S\":\"u\"},\"s\":{\"S\":\"abc\"},\"n\":{\"N\":\"5\"},\"b\":{\"B\":\"YWJj\"},\"t\":{\"BOOL\":true},\"z\":{\"NULL\":true},\""
    "m\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}},\"l\":{\"L\":[{"
    "\"N\":\"0"
    "\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]},\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]},\"ns\":{\"NS\":["
    "\"1\",\""
    "2\"]},\"bs\":{\"BS\":[\"YQ==\",\"Yg==\"]}}";

static const char values[] =
    "{\":s\":{\"S\":\"abc\"},\":n\":{\"N\":\"1\"},\":b\":{\"B\":\"YQ==\"},\":t\":{\"BOOL\":true},\":z\":{\"NULL\":true},\":m\":{\"M\":{"
    "\"a\":{\"N\":\"1\"}}},\":l\":{\"L\":[{\"N\":\"9\"}]},\":ss\":{\"SS\":[\"a\",\"x\"]},\":ns\":{\"NS\":[\"1\",\"9\"]},\":bs\":{\"BS\":["
    "\"Y"
    "Q==\"]},\":n2\":{\"N\":\"2\"},\":e\":{\"S\":\"\"},\":el\":{\"L\":[]},\":abc\":{\"SS\":[\"a\",\"b\",\"c\"]},\":big\":{\"N\":\"9999999"
    "9999999999999999999999999999999\"}}";

static bool update(const row *r, const latch_item *old, const latch_update **u, latch_item *out) {
    latch_placeholders p;
    latch_item of_key = language_item(key);
    return latch_placeholders_read(language_json(r->names), language_json(values), &p, &language_arena, &language_fault) &&
           latch_update_parse(language_guarded(r->expression), &p, u, &language_fault) &&
           latch_update_apply(*u, old, &of_key, out, &language_arena, &language_fault);
}

static const char *fault_text(void) {
    static const char prefix[] = "Invalid UpdateExpression: ";
    const char *text = language_fault_text();
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static bool same(const latch_av *a, const latch_av *b) { return a == NULL ? b == NULL : b != NULL && latch_av_equal(a, b); }

/* Each attribute of the new item is the wanted one, or else the old one; and none is missing. */
static bool differs_so(const latch_item *old, const latch_item *new, const char *want) {
    size_t i, max, wanted = 0;
    yyjson_val *name, *value, *json = language_json(want);
    yyjson_obj_foreach(json, i, max, name, value) {
        latch_av v = {0};
        const latch_av *got = latch_item_get(new, (latch_str){yyjson_get_str(name), yyjson_get_len(name)});
        wanted += latch_item_get(old, (latch_str){yyjson_get_str(name), yyjson_get_len(name)}) == NULL;
        wanted -= yyjson_is_null(value);
        if (!yyjson_is_null(value)) assert_true(latch_av_read(value, &v, &language_arena, &language_fault));
        if (!same(got, yyjson_is_null(value) ? NULL : &v)) return false;
    }
    for (i = 0; i < new->count; i++) {
        const latch_attribute *a = &new->attributes[i];
        if (yyjson_obj_getn(json, a->name.ptr, a->name.len) == NULL && !same(&a->value, latch_item_get(old, a->name))) return false;
    }
    return new->count == old->count + wanted;
}

static void check(const row *rows, size_t count, const char *item_json) {
    for (size_t i = 0; i < count; i++) {
        latch_item old, new;
        const latch_update *u;
        language_again(0);
        old = language_item(item_json != NULL ? item_json : key);
        bool ok = update(&rows[i], item_json != NULL ? &old : NULL, &u, &new);
        if (ok ? rows[i].want[0] == '{' && differs_so(&old, &new, rows[i].want) : strcmp(fault_text(), rows[i].want) == 0) continue;
        fail_msg("%s\n  got:  %s\n  want: %s", rows[i].expression, ok ? language_item_text(&new) : fault_text(), rows[i].want);
    }
}

static void says_where_syntax_ends(void **state) {
    static const row rows[] = {
        {"", NULL, "The expression can not be empty;"},
        {" ", NULL, "Syntax error; token: \"<EOF>\", near: \" \""},
        {"SET", NULL, "Syntax error; token: \"<EOF>\", near: \"SET\""},
        {"SET a", NULL, "Syntax error; token: \"<EOF>\", near: \"a\""},
        {"SET a =", NULL, "Syntax error; token: \"<EOF>\", near: \"=\""},
        {"SET a = :n,", NULL, "Syntax error; token: \"<EOF>\", near: \",\""},
        {"SET a = :n b = :n", NULL, "Syntax error; token: \"b\", near: \":n b =\""},
        {"SET a = :n SET b = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET a = :n REMOVE s SET b = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"REMOVE", NULL, "Syntax error; token: \"<EOF>\", near: \"REMOVE\""},
        {"REMOVE s,", NULL, "Syntax error; token: \"<EOF>\", near: \",\""},
        {"REMOVE s n", NULL, "Syntax error; token: \"n\", near: \"s n\""},
        {"REMOVE :s", NULL, "Syntax error; token: \":s\", near: \"REMOVE :s\""},
        {"ADD", NULL, "Syntax error; token: \"<EOF>\", near: \"ADD\""},
        {"ADD n", NULL, "Syntax error; token: \"<EOF>\", near: \"n\""},
        {"ADD n = :n", NULL, "Syntax error; token: \"=\", near: \"n = :n\""},
        {"ADD n n", NULL, "Syntax error; token: \"n\", near: \"n n\""},
        {"ADD n :n :n", NULL, "Syntax error; token: \":n\", near: \":n :n\""},
        {"DELETE", NULL, "Syntax error; token: \"<EOF>\", near: \"DELETE\""},
        {"DELETE ss", NULL, "Syntax error; token: \"<EOF>\", near: \"ss\""},
        {"DELETE ss ss", NULL, "Syntax error; token: \"ss\", near: \"ss ss\""},
        {"FOO a", NULL, "Syntax error; token: \"FOO\", near: \"FOO a\""},
        {"a = :n", NULL, "Syntax error; token: \"a\", near: \"a =\""},
        {"SET :a = :n", NULL, "Syntax error; token: \":a\", near: \"SET :a =\""},
        {"SET a == :n", NULL, "Syntax error; token: \"=\", near: \"== :n\""},
        {"SET (a) = :n", NULL, "Syntax error; token: \"(\", near: \"SET (a\""},
        {"SET a = ((:n))", NULL, "The expression has redundant parentheses;"},
        {"SET a = n + :n + :n", NULL, "Syntax error; token: \"+\", near: \":n + :n\""},
        {"SET a = n + (:n + :n)", NULL, "Syntax error; token: \"+\", near: \":n + :n\""},
        {"SET a = (n + :n) + :n", NULL, "Syntax error; token: \"+\", near: \") + :n\""},
        {"SET a = n * :n", NULL, "Syntax error; token: \"*\", near: \"n * :n\""},
        {"SET a = -:n", NULL, "Syntax error; token: \"-\", near: \"= -:n\""},
        {"SET a = n +", NULL, "Syntax error; token: \"<EOF>\", near: \"+\""},
        {"SET a = + n", NULL, "Syntax error; token: \"+\", near: \"= + n\""},
        {"SET a = 5", NULL, "Syntax error; token: \"5\", near: \"= 5\""},
        {"SET a = if_not_exists(nope, n + :n)", NULL, "Syntax error; token: \"+\", near: \"n + :n\""},
        {"SET a = list_append(n + :n, :l)", NULL, "Syntax error; token: \"+\", near: \"n + :n\""},
        {"SET a = ((n + :n))", NULL, "The expression has redundant parentheses;"},
        {"SET a = ((n)) + :n", NULL, "The expression has redundant parentheses;"},
        {"SET x = :n REMOVE", NULL, "Syntax error; token: \"<EOF>\", near: \"REMOVE\""},
        {"SET x = :n, REMOVE n", NULL, "Syntax error; token: \"REMOVE\", near: \", REMOVE n\""},
        {"REMOVE n ADD", NULL, "Syntax error; token: \"<EOF>\", near: \"ADD\""},
        {"SET ADD n :n", NULL, "Syntax error; token: \"ADD\", near: \"SET ADD n\""},
        {"SET set = :n", NULL, "Syntax error; token: \"set\", near: \"SET set =\""},
        {"SET a.add = :n", NULL, "Syntax error; token: \"add\", near: \".add =\""},
        {"SET x = set", NULL, "Syntax error; token: \"set\", near: \"= set\""},
        {"SET x = n AND s", NULL, "Syntax error; token: \"AND\", near: \"n AND s\""},
        {"SET x = NOT n", NULL, "Syntax error; token: \"NOT\", near: \"= NOT n\""},
        {"SET x = n = s", NULL, "Syntax error; token: \"=\", near: \"n = s\""},
        {"SET x = (n = s)", NULL, "Syntax error; token: \"=\", near: \"n = s\""},
        {"SET x, y = :n", NULL, "Syntax error; token: \",\", near: \"x, y\""},
        {"SET x =", NULL, "Syntax error; token: \"<EOF>\", near: \"=\""},
        {"SET = :n", NULL, "Syntax error; token: \"=\", near: \"SET = :n\""},
        {"SET x :n", NULL, "Syntax error; token: \":n\", near: \"x :n\""},
        {"ADD x", NULL, "Syntax error; token: \"<EOF>\", near: \"x\""},
        {"ADD x, y :n", NULL, "Syntax error; token: \",\", near: \"x, y\""},
        {"ADD :n x", NULL, "Syntax error; token: \":n\", near: \"ADD :n x\""},
        {"DELETE x (:ss)", NULL, "Syntax error; token: \"(\", near: \"x (:ss\""},
        {"ADD x (:n)", NULL, "Syntax error; token: \"(\", near: \"x (:n\""},
        {"ADD x if_not_exists(x, :n)", NULL, "Syntax error; token: \"if_not_exists\", near: \"x if_not_exists(\""},
        {"ADD x n + :n", NULL, "Syntax error; token: \"n\", near: \"x n +\""},
        {"REMOVE x()", NULL, "Syntax error; token: \"(\", near: \"x()\""},
        {"REMOVE (x)", NULL, "Syntax error; token: \"(\", near: \"REMOVE (x\""},
        {"REMOVE l[0", NULL, "Syntax error; token: \"<EOF>\", near: \"0\""},
        {"SET l[] = :n", NULL, "Syntax error; token: \"]\", near: \"[] =\""},
        {"SET foo(x) = :n", NULL, "Syntax error; token: \"(\", near: \"foo(x\""},
        {"SET x = foo()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"SET x = :n)", NULL, "Syntax error; token: \")\", near: \":n)\""},
        {"SET x = (:n", NULL, "Syntax error; token: \"<EOF>\", near: \":n\""},
        {"SET x = :n;", NULL, "Syntax error; token: \";\", near: \":n;\""},
        {"SET x = n +", NULL, "Syntax error; token: \"<EOF>\", near: \"+\""},
        {"SET x = n + -", NULL, "Syntax error; token: \"-\", near: \"+ -\""},
        {"SET x = n -- :n", NULL, "Syntax error; token: \"-\", near: \"-- :n\""},
        {"SET x = n + +:n", NULL, "Syntax error; token: \"+\", near: \"+ +:n\""},
        {"SET a = ((:n)) b", NULL, "The expression has redundant parentheses;"},
        {"SET a = ((:n)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"SET a = ((n + :n)) +", NULL, "The expression has redundant parentheses;"},
        {"SET a = ((:n)), b", NULL, "The expression has redundant parentheses;"},
        {"SET a = ((:n)) SET a = :n", NULL, "The expression has redundant parentheses;"},
        {"SET a = ((:n)) FOO", NULL, "The expression has redundant parentheses;"},
        {"SET a = if_not_exists(((n)), ", NULL, "Syntax error; token: \"<EOF>\", near: \", \""},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void checks_before_there_is_an_item(void **state) {
    static const row rows[] = {
        {"SET a = n + :s", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET a = :s + :n", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET a = if_not_exists(:n, :n)", NULL, "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET a = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET a = if_not_exists(n, :n, :n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 3"},
        {"SET a = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET a = if_not_exists(size(s), :n)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET a = IF_NOT_EXISTS(n, :n)", NULL, "Invalid function name; function: IF_NOT_EXISTS"},
        {"SET a = list_append(l)", NULL,
         "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1"},
        {"SET a = list_append(l,:l,:l)", NULL,
         "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 3"},
        {"SET a = list_append(l, :n)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
        {"SET a = list_append(:s, l)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: S"},
        {"SET a = list_append(list_append(l, :l), :l)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET a = list_append(:ss, l)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: SS"},
        {"SET a = list_append(l, :l) + :n", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET a = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET a = size(s) + :n", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET a = contains(s, :s)", NULL, "The function is not allowed in an update expression; function: contains"},
        {"SET a = attribute_exists(s)", NULL, "The function is not allowed in an update expression; function: attribute_exists"},
        {"SET a = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET a = foo(s) + :n", NULL, "Invalid function name; function: foo"},
        {"SET a = if_not_exists(nope, list_append(l, :l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET #a = :n, n = :n", NULL, "An expression attribute name used in the document path is not defined; attribute name: #a"},
        {"ADD n :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD n :l", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD l :l", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :l", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :t", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: BOOLEAN, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :z", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: NULL, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :m", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: MAP, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :b", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: BINARY, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD nope :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD n :nope", NULL, "An expression attribute value used in expression is not defined; attribute value: :nope"},
        {"ADD n :z", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: NULL, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"DELETE ss :s", NULL,
         "Incorrect operand type for operator or function; operator: DELETE, operand type: STRING, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"DELETE ss :n", NULL,
         "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"DELETE ss :l", NULL,
         "Incorrect operand type for operator or function; operator: DELETE, operand type: LIST, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"DELETE ss :t", NULL,
         "Incorrect operand type for operator or function; operator: DELETE, operand type: BOOLEAN, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"SET x = :s + :s", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = :t + s", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: BOOL"},
        {"SET x = s + :t", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: BOOL"},
        {"SET x = :l - n", NULL, "Incorrect operand type for operator or function; operator or function: -, operand type: L"},
        {"SET x = :ss - n", NULL, "Incorrect operand type for operator or function; operator or function: -, operand type: SS"},
        {"SET x = list_append(s, :n)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
        {"SET x = list_append(:n, :s)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
        {"SET x = list_append(:n, l)", NULL,
         "Incorrect operand type for operator or function; operator or function: list_append, operand type: N"},
        {"SET x = if_not_exists(nope, :q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void lets_no_two_paths_meet(void **state) {
    static const row rows[] = {
        {"SET n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET n = :n REMOVE n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET m = :m, m.a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, "
         "a]"},
        {"SET m.a = :n, m = :m", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m]"},
        {"SET m.a = :n, m[0] = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m, [0]]"},
        {"SET l[0] = :n, l.x = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [l, [0]], path "
         "two: [l, x]"},
        {"SET m.a.b = :n, m.a[0] = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a, b], path "
         "two: [m, a, [0]]"},
        {"SET m.a.b = :n, m.a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, a, b], path "
         "two: [m, a]"},
        {"SET #a = :n, n = :n", "{\"#a\": \"n\"}",
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET l[0] = :n, l[0].x = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [l, [0]], path two: "
         "[l, [0], x]"},
        {"SET n = n + :n ADD n :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"REMOVE l[0], l[0]", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [l, [0]], path two: "
         "[l, [0]]"},
        {"ADD m.a :n DELETE m :ss", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m]"},
        {"SET n = :big ADD n :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET a.b = :n, a.c = :n, a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a]"},
        {"SET a = :n, a.b = :n, a.c = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, "
         "c]"},
        {"SET a.b = :n, a.c = :n, a[0] = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a, [0]]"},
        {"SET a[0] = :n, a.b = :n, a.c = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path "
         "two: [a, c]"},
        {"SET z = :n, a[0] = :n, a.b = :n, a.c = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path "
         "two: [a, c]"},
        {"SET m.a = :n, m[0] = :n, n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET n = :n, n = :n, m.a = :n, m[0] = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m, [0]]"},
        {"SET a.b = :n, a.b.c = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: "
         "[a, b, c]"},
        {"SET a[0] = :n, a[0].b = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, [0]], path two: "
         "[a, [0], b]"},
        {"SET a.b = :n, a[0].b = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: "
         "[a, [0], b]"},
        {"SET a[0].b = :n, a.b = :n", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0], b], path "
         "two: [a, b]"},
        {"SET m.l[0] = :n, m = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, l, [0]], path "
         "two: [m]"},
        {"SET m = :n, m.l[0] = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, "
         "l, [0]]"},
        {"SET m.a = :n REMOVE m[1]", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m, [1]]"},
        {"REMOVE n SET n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"REMOVE b, a SET a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"SET b = :n, a = :n, a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
        {"SET a = :n, b = :n, a = :n, c = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"}, /* Local: path two: [c] */
        {"SET a = :n, b = :n, a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: "
         "[a]"}, /* Local: path two: [b] */
        {"SET a = :n, b = :n, c = :n, a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: "
         "[a]"}, /* Local: path two: [c] */
        {"SET x = :n, a.b = :n, a.c = :n, a = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a]"},
        {"SET a.b = :n, a.c = :n, a = :n, z = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a]"}, /* Local: path two: [z] */
        {"SET m.x = :n, m.y = :n, m.x.z = :n, q = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, x], path two: "
         "[m, x, z]"}, /* Local: path two: [m, y] */
        {"SET m.x = :n, n.y = :n, m.x.z = :n, m.q = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, x], path two: "
         "[m, x, z]"},
        {"SET n = :n, s = :s, m.a = :n, m.b = :n, s = :s, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [s], path two: [s]"}, /* Local: path two: [n] */
        {"DELETE ss :bs ADD ns :ns, x :n SET ns.b[0] = :n + :big", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [ns], path two: "
         "[ns, b, [0]]"}, /* Local: path two: [x] */
        {"ADD x :ss, ss :ss REMOVE t DELETE x :ss, l :ss", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: "
         "[x]"}, /* Local: path two: [l] */
        {"SET a0 = :n, a1 = :n, a2 = :n, a3 = :n, a4 = :n, a5 = :n, a6 = :n, a7 = :n, a8 = :n, a9 = :n, a10 = :n, a11 = :n, "
         "a12 = :n, a13 = :n, a14 = :n, a15 = :n, a16 = :n, a17 = :n, a18 = :n, a19 = :n, a3 = :n",
         NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a3], path two: "
         "[a3]"}, /* Local: path two: [a10] */
        {"REMOVE l[3], l[1], l[3], l[2]", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [l, [3]], path two: "
         "[l, [3]]"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

/* Two errors each: parentheses, functions and words, repeated sections, paths, then values, the last action first. */
static void reports_the_first_error_of_the_earliest_look(void **state) {
    static const row rows[] = {
        {"SET x = ((:s)), y = abort", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = #q", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = :q", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = foo(s)", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = if_not_exists(n)", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = size(s)", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = if_not_exists(nope, list_append(l,:l))", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = n + :s", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = if_not_exists(n, n)", NULL, "The expression has redundant parentheses;"},
        {"SET x = ((:s)), y = if_not_exists(:n, :n)", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort, y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort, y = #q", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = :q", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = foo(s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = if_not_exists(n)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = size(s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = if_not_exists(nope, list_append(l,:l))", NULL,
         "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = n + :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = if_not_exists(n, n)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = abort, y = if_not_exists(:n, :n)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q, y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = #q, y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q, y = :q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = #q, y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = #q, y = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET x = #q, y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = #q, y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = #q, y = n + :s", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = #q, y = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET x = #q, y = if_not_exists(:n, :n)", NULL,
         "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET x = :q, y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = :q, y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = :q, y = #q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = :q, y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = :q, y = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET x = :q, y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = :q, y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = :q, y = n + :s", NULL, "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = :q, y = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET x = :q, y = if_not_exists(:n, :n)", NULL,
         "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET x = foo(s), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = foo(s), y = abort", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = #q", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = :q", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = if_not_exists(n)", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = size(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = if_not_exists(nope, list_append(l,:l))", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = n + :s", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = if_not_exists(n, n)", NULL, "Invalid function name; function: foo"},
        {"SET x = foo(s), y = if_not_exists(:n, :n)", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = if_not_exists(n), y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = if_not_exists(n), y = #q", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = if_not_exists(n), y = :q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = if_not_exists(n), y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n), y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(n), y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(n), y = n + :s", NULL,
         "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = if_not_exists(n), y = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET x = if_not_exists(n), y = if_not_exists(:n, :n)", NULL,
         "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET x = size(s), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = size(s), y = abort", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = #q", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = :q", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = foo(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = if_not_exists(n)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = n + :s", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = if_not_exists(n, n)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = size(s), y = if_not_exists(:n, :n)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = abort", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = #q", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = :q", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = foo(s)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = if_not_exists(n)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = size(s)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = n + :s", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = if_not_exists(n, n)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(nope, list_append(l,:l)), y = if_not_exists(:n, :n)", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s, y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = n + :s, y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = n + :s, y = #q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = n + :s, y = :q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = n + :s, y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = n + :s, y = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET x = n + :s, y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = n + :s, y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s, y = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET x = n + :s, y = if_not_exists(:n, :n)", NULL,
         "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET x = if_not_exists(n, n), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = if_not_exists(n, n), y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = if_not_exists(n, n), y = #q", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = if_not_exists(n, n), y = :q", NULL,
         "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = if_not_exists(n, n), y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n, n), y = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET x = if_not_exists(n, n), y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(n, n), y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(n, n), y = n + :s", NULL,
         "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = if_not_exists(n, n), y = if_not_exists(:n, :n)", NULL,
         "Operator or function requires a document path; operator or function: if_not_exists"},
        {"SET x = if_not_exists(:n, :n), y = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"SET x = if_not_exists(:n, :n), y = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = if_not_exists(:n, :n), y = #q", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = if_not_exists(:n, :n), y = :q", NULL,
         "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = if_not_exists(:n, :n), y = foo(s)", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(:n, :n), y = if_not_exists(n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1"},
        {"SET x = if_not_exists(:n, :n), y = size(s)", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(:n, :n), y = if_not_exists(nope, list_append(l,:l))", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = if_not_exists(:n, :n), y = n + :s", NULL,
         "Incorrect operand type for operator or function; operator or function: +, operand type: S"},
        {"SET x = if_not_exists(:n, :n), y = if_not_exists(n, n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists, first "
         "operand: [n]"},
        {"SET x = ((:s)),  n = :n, n = :n", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort,  n = :n, n = :n", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q,  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = :q,  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = foo(s),  n = :n, n = :n", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n),  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = size(s),  n = :n, n = :n", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(nope, list_append(l,:l)),  n = :n, n = :n", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s,  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = if_not_exists(n, n),  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = if_not_exists(:n, :n),  n = :n, n = :n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET x = ((:s)),  n = :n SET s = :n", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort,  n = :n SET s = :n", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q,  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = :q,  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = foo(s),  n = :n SET s = :n", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n),  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = size(s),  n = :n SET s = :n", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(nope, list_append(l,:l)),  n = :n SET s = :n", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s,  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = if_not_exists(n, n),  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = if_not_exists(:n, :n),  n = :n SET s = :n", NULL, "The \"SET\" section can only be used once in an update expression;"},
        {"SET x = ((:s)),  n = :n ADD m :s", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort,  n = :n ADD m :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q,  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = :q,  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = foo(s),  n = :n ADD m :s", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n),  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = size(s),  n = :n ADD m :s", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(nope, list_append(l,:l)),  n = :n ADD m :s", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s,  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = if_not_exists(n, n),  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = if_not_exists(:n, :n),  n = :n ADD m :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"SET x = ((:s)),  l[99999999999] = :n", NULL, "The expression has redundant parentheses;"},
        {"SET x = abort,  l[99999999999] = :n", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"SET x = #q,  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"SET x = :q,  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"SET x = foo(s),  l[99999999999] = :n", NULL, "Invalid function name; function: foo"},
        {"SET x = if_not_exists(n),  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"SET x = size(s),  l[99999999999] = :n", NULL, "The function is not allowed in an update expression; function: size"},
        {"SET x = if_not_exists(nope, list_append(l,:l)),  l[99999999999] = :n", NULL,
         "The function is not allowed to be used this way in an expression; function: list_append"},
        {"SET x = n + :s,  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"SET x = if_not_exists(n, n),  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"SET x = if_not_exists(:n, :n),  l[99999999999] = :n", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"REMOVE abort SET x = foo(s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"REMOVE #q SET x = :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = :q REMOVE #q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"ADD n :s SET x = :q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = :q ADD n :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"ADD n :s DELETE ss :n", NULL,
         "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
        {"DELETE ss :n ADD n :s", NULL,
         "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
        {"REMOVE n, n SET x = n + :s", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"SET #q = :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET abort = #q", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"ADD #q :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = n + :s, #q = :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = :q + #q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = #q + :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = if_not_exists(#q, :q)", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"SET x = list_append(:q, #q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = list_append(:n, :q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = if_not_exists(n, :q, :r)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = if_not_exists(:n, :q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"SET x = :s + :q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void sets(void **state) {
    static const row rows[] = {
        {"SET a = :n", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"set a = :n", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"Set a = :n", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = :n, b = :n", NULL, "{\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"1\"}}"},
        {"SET a = (:n)", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = (n + :n)", NULL, "{\"a\":{\"N\":\"6\"}}"},
        {"SET a = n + :n", NULL, "{\"a\":{\"N\":\"6\"}}"},
        {"SET a = n - :n", NULL, "{\"a\":{\"N\":\"4\"}}"},
        {"SET a = :n + :n", NULL, "{\"a\":{\"N\":\"2\"}}"},
        {"SET a = :n - n", NULL, "{\"a\":{\"N\":\"-4\"}}"},
        {"SET a = n+:n", NULL, "{\"a\":{\"N\":\"6\"}}"},
        {"SET a = n-:n", NULL, "{\"a\":{\"N\":\"4\"}}"},
        {"SET a = if_not_exists(n, :n)", NULL, "{\"a\":{\"N\":\"5\"}}"},
        {"SET a = if_not_exists(nope, :n)", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = if_not_exists(nope, n)", NULL, "{\"a\":{\"N\":\"5\"}}"},
        {"SET a = if_not_exists(nope, :n) + :n", NULL, "{\"a\":{\"N\":\"2\"}}"},
        {"SET n = if_not_exists(n, :n) + :n", NULL, "{\"n\":{\"N\":\"6\"}}"},
        {"SET a = :n + if_not_exists(nope, :n)", NULL, "{\"a\":{\"N\":\"2\"}}"},
        {"SET a = if_not_exists(nope, if_not_exists(nope2, :n))", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = if_not_exists(m.zz, :n)", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = list_append(l, :l)", NULL,
         "{\"a\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"9\"}]}}"},
        {"SET a = list_append(:l, l)", NULL,
         "{\"a\":{\"L\":[{\"N\":\"9\"},{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET a = list_append(:l, :l)", NULL, "{\"a\":{\"L\":[{\"N\":\"9\"},{\"N\":\"9\"}]}}"},
        {"SET a = list_append(l, l)", NULL,
         "{\"a\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"0\"},{\"N\":\"1\"},"
         "{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET a = list_append(if_not_exists(nope, :el), :l)", NULL, "{\"a\":{\"L\":[{\"N\":\"9\"}]}}"},
        {"SET a = list_append(l, :el)", NULL,
         "{\"a\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET a = (list_append(l, :l))", NULL,
         "{\"a\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"9\"}]}}"},
        {"SET a = ((n) + :n)", NULL, "{\"a\":{\"N\":\"6\"}}"},
        {"SET a = (n) + (:n)", NULL, "{\"a\":{\"N\":\"6\"}}"},
        {"SET a = if_not_exists((nope), (:n))", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a = list_append((l), :l)", NULL,
         "{\"a\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"9\"}]}}"},
        {"SET m.x = :n", NULL,
         "{\"m\":{\"M\":{\"x\":{\"N\":\"1\"},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":"
         "\"2\"}]}}}}"},
        {"SET m.b.c = :n", NULL,
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"1\"}}}}}}"},
        {"SET l[0] = :n", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[9] = :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"}]}}"},
        {"SET l[5] = :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"}]}}"},
        {"SET l[9] = :n, l[7] = :s", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"S\":\"abc\"},{\"N\":"
         "\"1\"}]}}"},
        {"SET l[7] = :n, l[9] = :s", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"},{\"S\":"
         "\"abc\"}]}}"},
        {"SET l[1] = l[2], l[2] = l[1]", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"2\"},{\"N\":\"1\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[4].x = :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"x\":{\"N\":\"1\"},\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET m.l[0] = :n", NULL, "{}"},
        {"SET m.l[5] = :n", NULL,
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"1\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}"
         "}}"},
        {"SET m.a = :n, m.b = :n", NULL,
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"N\":\"1\"}}}}"},
        {"SET l[0] = :n, l[1] = :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET a = b, b = :n", NULL, "{\"a\":{\"B\":\"YWJj\"},\"b\":{\"N\":\"1\"}}"},
        {"SET n = s, s = n", NULL, "{\"n\":{\"S\":\"abc\"},\"s\":{\"N\":\"5\"}}"},
        {"SET x = l[0] + l[1]", NULL, "{\"x\":{\"N\":\"1\"}}"},
        {"SET x = m.a + :n", NULL, "{\"x\":{\"N\":\"2\"}}"},
        {"SET x = m.b.c - l[2]", NULL, "{\"x\":{\"N\":\"1\"}}"},
        {"SET x = :n2 - :n", NULL, "{\"x\":{\"N\":\"1\"}}"},
        {"SET x=:n,y=:n", NULL, "{\"x\":{\"N\":\"1\"},\"y\":{\"N\":\"1\"}}"},
        {"SET x = if_not_exists(n, :n) - if_not_exists(m.a, :n)", NULL, "{\"x\":{\"N\":\"4\"}}"},
        {"SET m.x = :big + :n", NULL,
         "{\"m\":{\"M\":{\"x\":{\"N\":\"100000000000000000000000000000000000000\"},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},"
         "\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}}}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void removes(void **state) {
    static const row rows[] = {
        {"REMOVE s", NULL, "{\"s\":null}"},
        {"REMOVE s, n", NULL, "{\"n\":null,\"s\":null}"},
        {"REMOVE l[0]", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[0], l[1]", NULL, "{\"l\":{\"L\":[{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[1], l[0]", NULL, "{\"l\":{\"L\":[{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[0], l[2], l[9]", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[9]", NULL, "{}"},
        {"REMOVE nope", NULL, "{}"},
        {"REMOVE m.x", NULL, "{}"},
        {"REMOVE m.a", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"REMOVE m.b.c", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{}}}}}"},
        {"REMOVE m.b.c, m.a", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"b\":{\"M\":{}}}}}"},
        {"REMOVE l[4].q", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{}}]}}"},
        {"REMOVE l[4].zz", NULL, "{}"},
        {"REMOVE m.l[0], m.l[1]", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void adds_and_deletes(void **state) {
    static const row rows[] = {
        {"ADD n :n", NULL, "{\"n\":{\"N\":\"6\"}}"},
        {"ADD n :n, n2 :n", NULL, "{\"n\":{\"N\":\"6\"},\"n2\":{\"N\":\"1\"}}"},
        {"DELETE ss :ss", NULL, "{\"ss\":{\"SS\":[\"b\",\"c\"]}}"},
        {"ADD nope :n", NULL, "{\"nope\":{\"N\":\"1\"}}"},
        {"ADD nope :ss", NULL, "{\"nope\":{\"SS\":[\"a\",\"x\"]}}"},
        {"ADD nope :ns", NULL, "{\"nope\":{\"NS\":[\"1\",\"9\"]}}"},
        {"ADD nope :bs", NULL, "{\"nope\":{\"BS\":[\"YQ==\"]}}"},
        {"ADD ss :ss", NULL, "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\",\"x\"]}}"},
        {"ADD ns :ns", NULL, "{\"ns\":{\"NS\":[\"1\",\"2\",\"9\"]}}"},
        {"ADD bs :bs", NULL, "{}"},
        {"ADD m.a :n", NULL,
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"2\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"ADD m.x :n", NULL,
         "{\"m\":{\"M\":{\"x\":{\"N\":\"1\"},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":"
         "\"2\"}]}}}}"},
        {"ADD l[0] :n", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"ADD l[9] :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"}]}}"},
        {"ADD l[9] :ss", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"SS\":[\"a\",\"x\"]}]}}"},
        {"ADD l[4].q :n", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"8\"}}}]}}"},
        {"DELETE ss :abc", NULL, "{\"ss\":null}"},
        {"DELETE ns :ns", NULL, "{\"ns\":{\"NS\":[\"2\"]}}"},
        {"DELETE bs :bs", NULL, "{\"bs\":{\"BS\":[\"Yg==\"]}}"},
        {"DELETE nope :ss", NULL, "{}"},
        {"DELETE m.x :ss", NULL, "{}"},
        {"DELETE l[9] :ss", NULL, "{}"},
        {"DELETE ss :ss, ns :ns", NULL, "{\"ns\":{\"NS\":[\"2\"]},\"ss\":{\"SS\":[\"b\",\"c\"]}}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

/* Every value is that before the update, and so is every index. */
static void does_it_all_at_once(void **state) {
    static const row rows[] = {
        {"SET l[1] = :s REMOVE l[0]", NULL, "{\"l\":{\"L\":[{\"S\":\"abc\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[9] = :s REMOVE l[0]", NULL,
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"S\":\"abc\"}]}}"},
        {"SET l[0] = :s REMOVE l[1]", NULL, "{\"l\":{\"L\":[{\"S\":\"abc\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[4] SET l[5] = :s", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"S\":\"abc\"}]}}"},
        {"REMOVE l[1] ADD l[0] :n", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[0] ADD l[1] :n", NULL, "{\"l\":{\"L\":[{\"N\":\"2\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[7] = :s ADD l[0] :n", NULL,
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"S\":\"abc\"}]}}"},
        {"SET x = :n ADD n :n DELETE ss :ss REMOVE s", NULL,
         "{\"n\":{\"N\":\"6\"},\"s\":null,\"ss\":{\"SS\":[\"b\",\"c\"]},\"x\":{\"N\":\"1\"}}"},
        {"set x = :n add n :n delete ss :ss remove s", NULL,
         "{\"n\":{\"N\":\"6\"},\"s\":null,\"ss\":{\"SS\":[\"b\",\"c\"]},\"x\":{\"N\":\"1\"}}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void refuses_what_the_item_does_not_allow(void **state) {
    static const row rows[] = {
        {"SET a = s + :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = nope + :n", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = :n + nope", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = ss + :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = t - :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = n - s", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = n + s", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = s - :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = if_not_exists(nope, nope2)", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = if_not_exists(n, nope)", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = if_not_exists(s, :n) + :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = if_not_exists(nope, :s) + :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = list_append(l, n)", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = list_append(n, l)", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = list_append(nope, :l)", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = list_append(:l, nope)", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = list_append(ss, :l)", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a = list_append(if_not_exists(s, :el), :l)", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET a.b = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET m.x.y = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET s.x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET nope.x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET l[0].x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET l[9].x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET m[0] = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET s[0] = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET nope[0] = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET l.x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET ss[0] = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET ss.x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE nope.x", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE nope[0]", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE s.x", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE s[0]", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE m.x.y", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE m[0]", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE l.x", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE l[9].q", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE l[0].q", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE ss[0]", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET a = :n, b = a", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET n = n2, n2 = n", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"ADD s :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD s :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD n :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD ss :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD ss :ns", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD m.x.y :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"ADD nope.x :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"ADD l[4] :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD t :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD z :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"ADD m :n", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE ss :ns", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE n :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE s :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE l :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE nope.x :ss", NULL, "The document path provided in the update expression is invalid for update"},
        {"DELETE nope.x[0] :ss", NULL, "The document path provided in the update expression is invalid for update"},
        {"DELETE l[0] :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE m.b :ss", NULL, "An operand in the update expression has an incorrect data type"},
        {"DELETE ss :bs", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET x = :big + :big", NULL, "DynamoDB only supports precision up to 38 digits"},
        {"SET x = l[9]", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET x = m.zz", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET x = m[0]", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET x = s.a", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET x = nope.a", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET x = n.a + :n", NULL, "The provided expression refers to an attribute that does not exist in the item"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

static void looks_at_paths_then_values(void **state) {
    static const row rows[] = {
        {"SET nope.x = nope2", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET nope.x = s + :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET nope.x = :n, y = s + :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET y = s + :n, nope.x = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET y = s + :n, z = nope", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET y = s + nope", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET y = nope + s", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET y = list_append(n, nope)", NULL, "An operand in the update expression has an incorrect data type"},
        {"SET y = list_append(nope, n)", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET y = if_not_exists(s, nope) + :n", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"ADD nope.x :n SET y = nope", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET l[0] = nope REMOVE s.x", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"REMOVE s.x SET l[0] = nope", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET y = :big + :big, z = nope", NULL, "The provided expression refers to an attribute that does not exist in the item"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item);
}

/* Where there is no item. */
static void begins_with_the_key(void **state) {
    static const row rows[] = {
        {"SET a = :n", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a.b = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE a", NULL, "{}"},
        {"REMOVE a.b", NULL, "The document path provided in the update expression is invalid for update"},
        {"ADD a :n", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"ADD a :ss", NULL, "{\"a\":{\"SS\":[\"a\",\"x\"]}}"},
        {"DELETE a :ss", NULL, "{}"},
        {"SET a = b", NULL, "The provided expression refers to an attribute that does not exist in the item"},
        {"SET a = if_not_exists(b, :n)", NULL, "{\"a\":{\"N\":\"1\"}}"},
        {"SET a[0] = :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET a = pk", NULL, "{\"a\":{\"S\":\"u\"}}"},
        {"ADD a.b :n", NULL, "The document path provided in the update expression is invalid for update"},
        {"DELETE a.b :ss", NULL, "The document path provided in the update expression is invalid for update"},
        {"REMOVE a[0]", NULL, "The document path provided in the update expression is invalid for update"},
        {"SET a = :n, b = pk", NULL, "{\"a\":{\"N\":\"1\"},\"b\":{\"S\":\"u\"}}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), NULL);
}

/* UPDATED_OLD and UPDATED_NEW: whole attributes, those in which a path leads to something. */
static void tells_what_it_touched(void **state) {
    static const struct {
        const char *expression, *before, *after;
    } rows[] = {
        {"SET n = :n", "{\"n\":{\"N\":\"5\"}}", "{\"n\":{\"N\":\"1\"}}"},
        {"SET q = :n", "{}", "{\"q\":{\"N\":\"1\"}}"},
        {"SET m.a = :n",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"SET m.x = :n", "{}",
         "{\"m\":{\"M\":{\"x\":{\"N\":\"1\"},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":"
         "\"2\"}]}}}}"},
        {"SET m.b.c = :n",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"1\"}}}}}}"},
        {"SET l[0] = :n", "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[1] = :n, l[3] = :n",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"1\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[9] = :n", "{}", "{}"},
        {"SET l[9] = :n, l[0] = :s",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"S\":\"abc\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"}]}}"},
        {"REMOVE n", "{\"n\":{\"N\":\"5\"}}", "{}"},
        {"REMOVE m.a",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}", "{}"},
        {"REMOVE l[0]", "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE l[0], l[2]", "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"SET l[3] = :s REMOVE l[0]",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"S\":\"abc\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"REMOVE nope", "{}", "{}"},
        {"ADD n :n", "{\"n\":{\"N\":\"5\"}}", "{\"n\":{\"N\":\"6\"}}"},
        {"ADD ss :ss", "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]}}", "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\",\"x\"]}}"},
        {"DELETE ss :abc", "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]}}", "{}"},
        {"DELETE ss :ss", "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]}}", "{\"ss\":{\"SS\":[\"b\",\"c\"]}}"},
        {"SET l[4].q = :n", "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"1\"}}}]}}"},
        {"SET l[4].z = :n, l[1] = :n",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"},\"z\":{\"N\":\"1\"}}}]}}"},
        {"SET m.l[0] = :n",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"SET m.l[1] = :n, m.a = :n",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"1\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"SET n = n", "{\"n\":{\"N\":\"5\"}}", "{\"n\":{\"N\":\"5\"}}"},
        {"SET l[4].q = :n REMOVE l[0]",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"1\"}}}]}}"},
        {"SET l[9] = :n REMOVE l[0]",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}",
         "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}},{\"N\":\"1\"}]}}"},
        {"REMOVE m.b.c",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}", "{}"},
        {"REMOVE m.l[0], m.l[1]",
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}", "{}"},
        {"DELETE nope :ss", "{}", "{}"},
        {"SET m.l[9] = :n", "{}", "{}"},
        {"REMOVE l[4].q", "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}", "{}"},
        {"SET s = :s, l[2] = :s, l[0] = :s",
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]},\"s\":{\"S\":\"abc\"}}",
         "{\"l\":{\"L\":[{\"S\":\"abc\"},{\"N\":\"1\"},{\"S\":\"abc\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]},\"s\":{\"S\":\"abc\"}"
         "}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_item old, new, touched[2], want[2];
        const latch_update *u;
        language_again(0);
        old = language_item(item);
        assert_true(update(&(row){rows[i].expression, NULL, NULL}, &old, &u, &new));
        assert_true(latch_update_touched(u, &old, &touched[0], &language_arena));
        assert_true(latch_update_touched(u, &new, &touched[1], &language_arena));
        want[0] = language_item(rows[i].before);
        want[1] = language_item(rows[i].after);
        for (size_t k = 0; k < 2; k++) {
            latch_av got = {.type = LATCH_TYPE_M, .as.map = touched[k]}, wanted = {.type = LATCH_TYPE_M, .as.map = want[k]};
            if (!latch_av_equal(&got, &wanted))
                fail_msg("%s: %s: got %s", rows[i].expression, k == 0 ? "before" : "after", language_item_text(&touched[k]));
        }
    }
}

static void tells_which_attributes_it_writes(void **state) {
    latch_placeholders p;
    const latch_update *u;
    (void)state;
    assert_true(latch_placeholders_read(language_json("{\"#p\":\"pk\"}"), language_json(values), &p, &language_arena, &language_fault));
    assert_true(latch_update_parse(LATCH_STR("SET a = r, b.x = :n + q REMOVE c[3] ADD d :n DELETE #p :ss"), &p, &u, &language_fault));
    for (const char *name = "abcd"; *name != '\0'; name++)
        assert_true(latch_update_writes(u, (latch_str){name, 1}));
    assert_true(latch_update_writes(u, LATCH_STR("pk")));
    for (const char *name = "rqxp"; *name != '\0'; name++)
        assert_false(latch_update_writes(u, (latch_str){name, 1}));
}

/* `times` times `text` with the number put into it, between `before` and `after`. */
static const char *repeated(const char *before, const char *text, int times, const char *after) {
    static char out[16384];
    size_t at = (size_t)snprintf(out, sizeof out, "%s", before);
    for (int i = 0; i < times; i++) {
        const char *hole = strchr(text, '@');
        if (hole == NULL) {
            at += (size_t)snprintf(out + at, sizeof out - at, "%s", text);
            continue;
        }
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s%c%c%s", (int)(hole - text), text, 'a' + i / 26, 'a' + i % 26, hole + 1);
    }
    snprintf(out + at, sizeof out - at, "%s", after);
    return out;
}

static void check_one(const char *expression, const char *want) {
    latch_item old, new;
    const latch_update *u;
    language_again(0);
    old = language_item(item);
    bool ok = update(&(row){expression, NULL, NULL}, &old, &u, &new);
    if (want == NULL ? !ok : ok || strcmp(fault_text(), want) != 0) fail_msg("%.100s: %s", expression, fault_text());
}

/* Each at the limit and one past it. */
static void bounds_what_it_takes(void **state) {
    static const char too_many[] = "The expression contains too many operators; operator count: 301";
    static const char too_long[] = "Expression size has exceeded the maximum allowed size;";
    char value[256];
    (void)state;
    check_one(repeated("SET x = :n", " ", 4086, ""), NULL);
    check_one(repeated("SET x = :n", " ", 4087, ""), too_long);
    check_one(repeated("SET z1=:n+:n", ",z@=:n+:n", 299, ""), NULL);
    check_one(repeated("SET z1=:n+:n", ",z@=:n+:n", 300, ""), too_many);
    check_one(repeated("SET z1=:n", ",z@=:n", 400, ""), NULL); /* a SET without + is no operator */
    check_one(repeated("REMOVE z1", ",z@", 600, ""), NULL);
    char closers[201] = {0};
    memset(closers, ')', 200);
    snprintf(value, sizeof value, ":n%s", closers);
    check_one(repeated("SET x = ", "if_not_exists(nope,", 200, value), NULL);
    check_one(repeated("SET a", ".a", 31, " = :n"), "The document path provided in the update expression is invalid for update");
    check_one(repeated("SET a", ".a", 32, " = :n"), "The document path has too many nesting levels; nesting levels: 33");
    check_one(repeated("SET x = a", "[1]", 32, " + :n"), "The document path has too many nesting levels; nesting levels: 33");
    check_one(repeated("SET x = ", "(", 4000, ":n"), "The expression has redundant parentheses;");
}

/* 32 levels, of which the item is one: the value's own and those of its path. */
static void bounds_the_nesting(void **state) {
    static const struct {
        const char *expression;
        int most; /* levels of :deep */
    } rows[] = {
        {"SET a = :deep", 31}, {"SET m.x = :deep", 30}, {"SET m.b.x = :deep", 29}, {"SET l[0] = :deep", 30}, {"SET l[9] = :deep", 30}};
    char text[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int levels = rows[i].most; levels <= 32; levels++) {
            latch_placeholders p;
            const latch_update *u;
            latch_item new;
            size_t at = (size_t)snprintf(text, sizeof text, "{\":deep\":");
            for (int k = 0; k < levels; k++)
                at += (size_t)snprintf(text + at, sizeof text - at, k % 2 == 0 ? "{\"L\":[" : "{\"M\":{\"a\":");
            at += (size_t)snprintf(text + at, sizeof text - at, "{\"S\":\"x\"}");
            for (int k = levels - 1; k >= 0; k--)
                at += (size_t)snprintf(text + at, sizeof text - at, k % 2 == 0 ? "]}" : "}}");
            snprintf(text + at, sizeof text - at, "}");
            language_again(0);
            latch_item old = language_item(item);
            assert_true(latch_placeholders_read(NULL, language_json(text), &p, &language_arena, &language_fault));
            assert_true(latch_update_parse(latch_str_of(rows[i].expression), &p, &u, &language_fault));
            bool ok = latch_update_apply(u, &old, &old, &new, &language_arena, &language_fault);
            assert_int_equal(ok, levels == rows[i].most);
            if (!ok) assert_string_equal(language_fault_text(), "Nesting Levels have exceeded supported limits");
        }
}

static void leaves_the_old_item_alone(void **state) {
    latch_item old, new;
    const latch_update *u;
    (void)state;
    old = language_item(item);
    latch_item again = language_item(item);
    assert_true(update(&(row){"SET m.b.c = :s, l[1] = :s, l[9] = l REMOVE l[0], m.l[1] ADD n :n, ss :ss DELETE ns :ns", NULL, NULL}, &old,
                       &u, &new));
    latch_av a = {.type = LATCH_TYPE_M, .as.map = old}, b = {.type = LATCH_TYPE_M, .as.map = again};
    assert_true(latch_av_equal(&a, &b));
}

static void says_when_the_arena_is_full(void **state) {
    static const char expression[] =
        "SET m.b.c = if_not_exists(nope, :n) + n, l[9] = list_append(l, :l) REMOVE l[0], m.l[1] ADD ss :ss, ns :ns DELETE bs :bs";
    size_t bytes = 0;
    bool ok = false;
    (void)state;
    while (!ok) {
        latch_item old, new, of_key = {0};
        latch_placeholders p;
        const latch_update *u;
        language_again(bytes += 8);
        ok = latch_item_read(language_json(item), &old, &language_arena, &language_fault) &&
             latch_placeholders_read(NULL, language_json(values), &p, &language_arena, &language_fault) &&
             latch_update_parse(latch_str_of(expression), &p, &u, &language_fault) &&
             latch_update_apply(u, &old, &of_key, &new, &language_arena, &language_fault);
        if (!ok) assert_string_equal(language_fault.name, "Arena");
    }
    assert_true(bytes > 4000);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(says_where_syntax_ends),
    ROW(checks_before_there_is_an_item),
    ROW(lets_no_two_paths_meet),
    ROW(reports_the_first_error_of_the_earliest_look),
    ROW(sets),
    ROW(removes),
    ROW(adds_and_deletes),
    ROW(does_it_all_at_once),
    ROW(refuses_what_the_item_does_not_allow),
    ROW(looks_at_paths_then_values),
    ROW(begins_with_the_key),
    ROW(tells_what_it_touched),
    ROW(tells_which_attributes_it_writes),
    ROW(bounds_what_it_takes),
    ROW(bounds_the_nesting),
    ROW(leaves_the_old_item_alone),
    ROW(says_when_the_arena_is_full),
};
CHECK_MAIN(tests)

#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

/*
   * Rows are recorded from DynamoDB Local 2.6.1: what it answers to a PutItem with this ConditionExpression over this item. Errors are
   * without their "Invalid ConditionExpression: ". Where we follow the developer guide instead, the row says so.
   */
typedef struct row {
    const char *expression, *names, *want;
} row;

static const char item[] =
    "{\"pk\":{\"S\":\"c\"},\"s\":{\"S\":\"abcdef\"},\"n\":{\"N\":\"5\"},\"b\":{\"B\":\"YWJj\"},\"t\":{\"BOOL\":true},\"z\":{\"NULL\":true"
    "},\"m\":{\"M\":{\"a\":{\"N\":\"1\"},\"l\":{\"L\":[{\"S\":\"x\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"S\":"
    "\"tw"
    "o\"},{\"L\":[{\"N\":\"3\"}]}]},\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]},\"ns\":{\"NS\":[\"1\",\"2\",\"3\"]},\"bs\":{\"BS\":[\"YQ==\",\"Yg=="
    "\"]}}";

static const char values[] =
    "{\":s\":{\"S\":\"abc\"},\":n\":{\"N\":\"1\"},\":b\":{\"B\":\"YQ==\"},\":t\":{\"BOOL\":true},\":z\":{\"NULL\":true},\":m\":{\"M\":{"
    "\"a\":{\"N\":\"1\"}}},\":l\":{\"L\":[{\"N\":\"1\"}]},\":ss\":{\"SS\":[\"a\",\"b\"]},\":ns\":{\"NS\":[\"1\",\"2\"]},\":bs\":{\"BS\":["
    "\"Y"
    "Q==\"]},\":ty\":{\"S\":\"S\"},\":bad\":{\"S\":\"X\"},\":n2\":{\"N\":\"2\"},\":e\":{\"S\":\"\"}}";

static const char rich_item[] =
    "{\"pk\":{\"S\":\"c\"},\"s\":{\"S\":\"abc\"},\"u\":{\"S\":\"\303\251\360\237\230\200\"},\"n\":{\"N\":\"5\"},\"nn\":{\"N\":\"5.0\"},"
    "\"b\":{\"B\":\"YWJj\"},\"t\":{"
    "\"BOOL\":true},\"f\":{\"BOOL\":false},\"z\":{\"NULL\":true},\"m\":{\"M\":{\"a\":{\"N\":\"1\"}}},\"l\":{\"L\":[{\"L\":[{\"N\":\"3\""
    "}]},{\"M\":{\"a\":{\"N\":\"1\"}}},{\"SS\":[\"a\",\"b\"]},{\"NULL\":true},{\"BOOL\":false},{\"S\":\"x\"}]},\"ss\":{\"SS\":[\"a\","
    "\"b\"]},\"ns\":{\"NS\":[\"1\",\"2\"]},\"bs\":{\"BS\":[\"YQ==\",\"Yg==\"]},\"e\":{\"S\":\"\"},\"l2\":{\"L\":[{\"N\":\"1\"},{\"N\":"
    "\"2\"}]"
    "}}";

static const char rich_values[] =
    "{\":l3\":{\"L\":[{\"N\":\"3\"}]},\":ma\":{\"M\":{\"a\":{\"N\":\"1.0\"}}},\":ss\":{\"SS\":[\"b\",\"a\"]},\":z\":{\"NULL\":true},\":f"
    "\":{\"BOOL\":false},\":s\":{\"S\":\"abc\"},\":n\":{\"N\":\"5\"},\":e\":{\"S\":\"\"},\":x\":{\"S\":\"x\"},\":b\":{\"B\":\"YWJj\"},\":bm"
    "\":{\"B\":\"YmM=\"},\":be\":{\"B\":\"\"},\":t\":{\"BOOL\":true},\":ns\":{\"NS\":[\"2\",\"1.0\"]},\":a\":{\"S\":\"a\"},\":n3\":{\"N\":"
    "\"3\"},\":n2\":{\"N\":\"2\"},\":n0\":{\"N\":\"0\"},\":l2\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\":tm\":{\"S\":\"M\"},\":tn\":{\"S\":"
    "\"N"
    "ULL\"},\":tss\":{\"S\":\"SS\"},\":ts\":{\"S\":\"S\"},\":tl\":{\"S\":\"L\"},\":n1\":{\"N\":\"1\"},\":n6\":{\"N\":\"6\"},\":abd\":{"
    "\"S\":"
    "\"abd\"},\":ABC\":{\"S\":\"ABC\"},\":ab\":{\"S\":\"ab\"}}";

static const char *answer(const row *r, const char *item_json, const char *values_json) {
    static const char prefix[] = "Invalid ConditionExpression: ";
    latch_placeholders p;
    const latch_condition *c;
    latch_item of = language_item(item_json);
    if (latch_placeholders_read(language_json(r->names), language_json(values_json), &p, &language_arena, &language_fault) &&
        latch_condition_parse(language_guarded(r->expression), "ConditionExpression", &p, &c, &language_fault))
        return latch_condition_holds(c, &of) ? "TRUE" : "FALSE";
    const char *text = language_fault_text();
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static void check(const row *rows, size_t count, const char *item_json, const char *values_json) {
    for (size_t i = 0; i < count; i++) {
        language_again(0);
        const char *got = answer(&rows[i], item_json, values_json);
        if (strcmp(got, rows[i].want) != 0) fail_msg("%s\n  got:  %s\n  want: %s", rows[i].expression, got, rows[i].want);
    }
}

static void says_where_syntax_ends(void **state) {
    static const row rows[] = {
        {"", NULL, "The expression can not be empty;"},
        {" ", NULL, "Syntax error; token: \"<EOF>\", near: \" \""},
        {"\t", NULL, "Syntax error; token: \"<EOF>\", near: \"\t\""},
        {"s", NULL, "Syntax error; token: \"<EOF>\", near: \"s\""},
        {":s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"  s", NULL, "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"s =", NULL, "Syntax error; token: \"<EOF>\", near: \"=\""},
        {"= :s", NULL, "Syntax error; token: \"=\", near: \"= :s\""},
        {" = :s", NULL, "Syntax error; token: \"=\", near: \" = :s\""},
        {"\n\n = = ", NULL, "Syntax error; token: \"=\", near: \"\n\n = =\""},
        {"s == :s", NULL, "Syntax error; token: \"=\", near: \"== :s\""},
        {"s != :s", NULL, "Syntax error; token: \"!\", near: \"s !=\""},
        {"s ! = =", NULL, "Syntax error; token: \"!\", near: \"s ! =\""},
        {"s = = !", NULL, "Syntax error; token: \"=\", near: \"= = !\""},
        {"s = 5", NULL, "Syntax error; token: \"5\", near: \"= 5\""},
        {"5 = :s", NULL, "Syntax error; token: \"5\", near: \"5 =\""},
        {"s = 5abc", NULL, "Syntax error; token: \"5\", near: \"= 5abc\""},
        {"s = 012", NULL, "Syntax error; token: \"0\", near: \"= 012\""},
        {"s = 12345 x", NULL, "Syntax error; token: \"12345\", near: \"= 12345 x\""},
        {"s = \"abc\"", NULL, "Syntax error; token: \"\"\", near: \"= \"abc\""},
        {"s = 'abc'", NULL, "Syntax error; token: \"'\", near: \"= 'abc\""},
        {"s = \"", NULL, "Syntax error; token: \"\"\", near: \"= \"\""},
        {"s = :s \"", NULL, "Syntax error; token: \"\"\", near: \":s \"\""},
        {"s \303\251 :s", NULL, "Syntax error; token: \"\303\251\", near: \"s \303\251 :s\""},
        {"\303\251 = :s", NULL, "Syntax error; token: \"\303\251\", near: \"\303\251 =\""},
        {"s\f= :s", NULL, "Syntax error; token: \"\f\", near: \"s\f=\""},
        {"s = :", NULL, "Syntax error; token: \":\", near: \"= :\""},
        {"s = : s", NULL, "Syntax error; token: \":\", near: \"= : s\""},
        {": = :s", NULL, "Syntax error; token: \":\", near: \": =\""},
        {"s =:", NULL, "Syntax error; token: \":\", near: \"=:\""},
        {"# = :s", NULL, "Syntax error; token: \"#\", near: \"# =\""},
        {"s.#", NULL, "Syntax error; token: \"#\", near: \".#\""},
        {"s._a = :s", NULL, "Syntax error; token: \"_\", near: \"._a\""},
        {"_a = :s", NULL, "Syntax error; token: \"_\", near: \"_a\""},
        {"s.5 = :s", NULL, "Syntax error; token: \"5\", near: \".5 =\""},
        {"s[-1] = :s", NULL, "Syntax error; token: \"-\", near: \"[-1\""},
        {"s[a] = :s", NULL, "Syntax error; token: \"a\", near: \"[a]\""},
        {"s[:n] = :s", NULL, "Syntax error; token: \":n\", near: \"[:n]\""},
        {"s[] = :s", NULL, "Syntax error; token: \"]\", near: \"[] =\""},
        {"s[0 = :s", NULL, "Syntax error; token: \"=\", near: \"0 = :s\""},
        {"s[00] = :s", NULL, "Syntax error; token: \"0\", near: \"00]\""},
        {"s[012] = :s", NULL, "Syntax error; token: \"12\", near: \"012]\""},
        {"s[1 2] = :s", NULL, "Syntax error; token: \"2\", near: \"1 2]\""},
        {"s[1.5] = :s", NULL, "Syntax error; token: \".\", near: \"1.5\""},
        {"s[1]] = :s", NULL, "Syntax error; token: \"]\", near: \"]] =\""},
        {"s. = :s", NULL, "Syntax error; token: \"=\", near: \". = :s\""},
        {".s = :s", NULL, "Syntax error; token: \".\", near: \".s\""},
        {"s..a = :s", NULL, "Syntax error; token: \".\", near: \"..a\""},
        {"[0] = :s", NULL, "Syntax error; token: \"[\", near: \"[0\""},
        {"s[0]a = :s", NULL, "Syntax error; token: \"a\", near: \"]a =\""},
        {"s[0].[1] = :s", NULL, "Syntax error; token: \"[\", near: \".[1\""},
        {":s.a = :s", NULL, "Syntax error; token: \".\", near: \":s.a\""},
        {":s[0] = :s", NULL, "Syntax error; token: \"[\", near: \":s[0\""},
        {"size(s).a = :s", NULL, "Syntax error; token: \".\", near: \").a\""},
        {"size(s)[0] = :s", NULL, "Syntax error; token: \"[\", near: \")[0\""},
        {"s-a = :s", NULL, "Syntax error; token: \"-\", near: \"s-a\""},
        {"a$b = :s", NULL, "Syntax error; token: \"$\", near: \"a$b\""},
        {"#a-b = :s", NULL, "Syntax error; token: \"-\", near: \"#a-b\""},
        {"s = :s + :n", NULL, "Syntax error; token: \"+\", near: \":s + :n\""},
        {"s = :s;", NULL, "Syntax error; token: \";\", near: \":s;\""},
        {"s=:s&&n=:n", NULL, "Syntax error; token: \"&\", near: \":s&&\""},
        {"s >< :s", NULL, "Syntax error; token: \"<\", near: \">< :s\""},
        {"s =< :s", NULL, "Syntax error; token: \"<\", near: \"=< :s\""},
        {"s => :s", NULL, "Syntax error; token: \">\", near: \"=> :s\""},
        {"s < = :s", NULL, "Syntax error; token: \"=\", near: \"< = :s\""},
        {"s<<:s", NULL, "Syntax error; token: \"<\", near: \"<<:s\""},
        {"s <> :s <> :s", NULL, "Syntax error; token: \"<>\", near: \":s <> :s\""},
        {"s = :s = :s", NULL, "Syntax error; token: \"=\", near: \":s = :s\""},
        {"s = :s n = :n", NULL, "Syntax error; token: \"n\", near: \":s n =\""},
        {"s = :s n", NULL, "Syntax error; token: \"n\", near: \":s n\""},
        {"s = :s )  ", NULL, "Syntax error; token: \")\", near: \":s )  \""},
        {"s = :s,", NULL, "Syntax error; token: \",\", near: \":s,\""},
        {"s,n", NULL, "Syntax error; token: \",\", near: \"s,n\""},
        {"s s s", NULL, "Syntax error; token: \"s\", near: \"s s s\""},
        {":s :s", NULL, "Syntax error; token: \":s\", near: \":s :s\""},
        {"s:n = :s", NULL, "Syntax error; token: \":n\", near: \"s:n =\""},
        {"s#n = :s", NULL, "Syntax error; token: \"#n\", near: \"s#n =\""},
        {"s = :s AND", NULL, "Syntax error; token: \"<EOF>\", near: \"AND\""},
        {"s = :s AND  ", NULL, "Syntax error; token: \"<EOF>\", near: \"AND  \""},
        {"s = :s  AND\n", NULL, "Syntax error; token: \"<EOF>\", near: \"AND\n\""},
        {"s = :s AND AND n = :n", NULL, "Syntax error; token: \"AND\", near: \"AND AND n\""},
        {"s = :s AND NOT", NULL, "Syntax error; token: \"<EOF>\", near: \"NOT\""},
        {"s = :s AND (", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"s = :s OR NOT", NULL, "Syntax error; token: \"<EOF>\", near: \"NOT\""},
        {"AND", NULL, "Syntax error; token: \"AND\", near: \"AND\""},
        {"OR s", NULL, "Syntax error; token: \"OR\", near: \"OR s\""},
        {"NOT", NULL, "Syntax error; token: \"<EOF>\", near: \"NOT\""},
        {"NOT s", NULL, "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"NOT :s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"NOT AND", NULL, "Syntax error; token: \"AND\", near: \"NOT AND\""},
        {"NOT NOT", NULL, "Syntax error; token: \"<EOF>\", near: \"NOT\""},
        {"NOT (", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"NOT )", NULL, "Syntax error; token: \")\", near: \"NOT )\""},
        {"s AND n", NULL, "Syntax error; token: \"AND\", near: \"s AND n\""},
        {"s OR", NULL, "Syntax error; token: \"OR\", near: \"s OR\""},
        {":s AND s", NULL, "Syntax error; token: \"AND\", near: \":s AND s\""},
        {"s = NOT :s", NULL, "Syntax error; token: \"NOT\", near: \"= NOT :s\""},
        {"s = AND", NULL, "Syntax error; token: \"AND\", near: \"= AND\""},
        {"BETWEEN", NULL, "Syntax error; token: \"BETWEEN\", near: \"BETWEEN\""},
        {"IN", NULL, "Syntax error; token: \"IN\", near: \"IN\""},
        {"s BETWEEN", NULL, "Syntax error; token: \"<EOF>\", near: \"BETWEEN\""},
        {"s BETWEEN AND", NULL, "Syntax error; token: \"AND\", near: \"BETWEEN AND\""},
        {"s BETWEEN :s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"s BETWEEN :s AND", NULL, "Syntax error; token: \"<EOF>\", near: \"AND\""},
        {"s BETWEEN :s AND AND", NULL, "Syntax error; token: \"AND\", near: \"AND AND\""},
        {"s BETWEEN :s AND :s AND", NULL, "Syntax error; token: \"<EOF>\", near: \"AND\""},
        {"s BETWEEN :s, :s", NULL, "Syntax error; token: \",\", near: \":s, :s\""},
        {"s BETWEEN :s OR :s", NULL, "Syntax error; token: \"OR\", near: \":s OR :s\""},
        {"s BETWEEN :s AND :s = :s", NULL, "Syntax error; token: \"=\", near: \":s = :s\""},
        {"s IN", NULL, "Syntax error; token: \"<EOF>\", near: \"IN\""},
        {"s IN :s", NULL, "Syntax error; token: \":s\", near: \"IN :s\""},
        {"s in ()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"s IN (:s,)", NULL, "Syntax error; token: \")\", near: \",)\""},
        {"s IN (AND", NULL, "Syntax error; token: \"AND\", near: \"(AND\""},
        {"s IN (:s) IN (:s)", NULL, "Syntax error; token: \"IN\", near: \") IN (\""},
        {"s = :s IN (:s)", NULL, "Syntax error; token: \"IN\", near: \":s IN (\""},
        {"s NOT IN (:s)", NULL, "Syntax error; token: \"NOT\", near: \"s NOT IN\""},
        {"(", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"((", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {")", NULL, "Syntax error; token: \")\", near: \")\""},
        {"()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"( )", NULL, "Syntax error; token: \")\", near: \"( )\""},
        {"()(", NULL, "Syntax error; token: \")\", near: \"()(\""},
        {"(s", NULL, "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"(s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"(:s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"((s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"(s n", NULL, "Syntax error; token: \"n\", near: \"s n\""},
        {"(s) n", NULL, "Syntax error; token: \"n\", near: \") n\""},
        {"(s, n)", NULL, "Syntax error; token: \",\", near: \"s, n\""},
        {"(s = :s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"s = :s)", NULL, "Syntax error; token: \")\", near: \":s)\""},
        {"(s = :s))", NULL, "Syntax error; token: \")\", near: \"))\""},
        {"(s = (:s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"(s = :s) = :s", NULL, "Syntax error; token: \"=\", near: \") = :s\""},
        {"(s = :s) n", NULL, "Syntax error; token: \"n\", near: \") n\""},
        {"(NOT s) = :s", NULL, "Syntax error; token: \")\", near: \"s) =\""},
        {"(NOT s = :s) = :s", NULL, "Syntax error; token: \"=\", near: \") = :s\""},
        {"s = (", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"s = ()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"s = (:s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"s = (s = :s)", NULL, "Syntax error; token: \"=\", near: \"s = :s\""},
        {"s()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"s(", NULL, "Syntax error; token: \"<EOF>\", near: \"(\""},
        {"s(,", NULL, "Syntax error; token: \",\", near: \"(,\""},
        {"s(s,)", NULL, "Syntax error; token: \")\", near: \",)\""},
        {"s(:s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"s(s s)", NULL, "Syntax error; token: \"s\", near: \"s s)\""},
        {"s(s = :s)", NULL, "Syntax error; token: \"=\", near: \"s = :s\""},
        {"s((s = :s))", NULL, "Syntax error; token: \"=\", near: \"s = :s\""},
        {"s(NOT s)", NULL, "Syntax error; token: \"NOT\", near: \"(NOT s\""},
        {"contains(s AND :s)", NULL, "Syntax error; token: \"AND\", near: \"s AND :s\""},
        {"contains(AND", NULL, "Syntax error; token: \"AND\", near: \"(AND\""},
        {"contains(s,AND", NULL, "Syntax error; token: \"AND\", near: \",AND\""},
        {"contains(s,,:s)", NULL, "Syntax error; token: \",\", near: \",,:s\""},
        {"contains(,s)", NULL, "Syntax error; token: \",\", near: \"(,s\""},
        {"contains(s:s)", NULL, "Syntax error; token: \":s\", near: \"s:s)\""},
        {"attribute_exists", NULL, "Syntax error; token: \"<EOF>\", near: \"attribute_exists\""},
        {"attribute_exists()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"foo()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"foo(s)(", NULL, "Syntax error; token: \"(\", near: \")(\""},
        {"foo(s) bar", NULL, "Syntax error; token: \"bar\", near: \") bar\""},
        {"size()", NULL, "Syntax error; token: \")\", near: \"()\""},
        {"size(s))", NULL, "Syntax error; token: \")\", near: \"))\""},
        {"size(s)=", NULL, "Syntax error; token: \"<EOF>\", near: \"=\""},
        {"s[", NULL, "Syntax error; token: \"<EOF>\", near: \"[\""},
        {"s[0", NULL, "Syntax error; token: \"<EOF>\", near: \"0\""},
        {"s[0]", NULL, "Syntax error; token: \"<EOF>\", near: \"]\""},
        {"s[0].", NULL, "Syntax error; token: \"<EOF>\", near: \".\""},
        {"s.", NULL, "Syntax error; token: \"<EOF>\", near: \".\""},
        {"and = :s", NULL, "Syntax error; token: \"and\", near: \"and =\""},
        {"between = :s", NULL, "Syntax error; token: \"between\", near: \"between =\""},
        {"in = :s", NULL, "Syntax error; token: \"in\", near: \"in =\""},
        {"or = :s", NULL, "Syntax error; token: \"or\", near: \"or =\""},
        {"not = :s", NULL, "Syntax error; token: \"=\", near: \"not = :s\""},
        {"set = :s", NULL, "Syntax error; token: \"set\", near: \"set =\""},
        {"add = :s", NULL, "Syntax error; token: \"add\", near: \"add =\""},
        {"remove = :s", NULL, "Syntax error; token: \"remove\", near: \"remove =\""},
        {"delete = :s", NULL, "Syntax error; token: \"delete\", near: \"delete =\""},
        {"a.and = :s", NULL, "Syntax error; token: \"and\", near: \".and =\""},
        {"SET s = :s", NULL, "Syntax error; token: \"SET\", near: \"SET s\""},
        {"s = set", NULL, "Syntax error; token: \"set\", near: \"= set\""},
        {"size(set) = :n", NULL, "Syntax error; token: \"set\", near: \"(set)\""},
        {"s.in = :s", NULL, "Syntax error; token: \"in\", near: \".in =\""},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

static void takes_parentheses_but_none_too_many(void **state) {
    static const row rows[] = {
        {"(s = :s)", NULL, "FALSE"},
        {"((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"(s = :s) AND (n = :n)", NULL, "FALSE"},
        {"((s = :s) AND (n = :n))", NULL, "FALSE"},
        {"((s = :s)) AND n = :n", NULL, "The expression has redundant parentheses;"},
        {"(((s = :s)))", NULL, "The expression has redundant parentheses;"},
        {"NOT (s = :s)", NULL, "TRUE"},
        {"NOT ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"(NOT s = :s)", NULL, "TRUE"},
        {"(NOT (s = :s))", NULL, "TRUE"},
        {"NOT (NOT n = :n)", NULL, "FALSE"},
        {"((n = :n) OR n = :n)", NULL, "FALSE"},
        {"(((n = :n) OR n = :n))", NULL, "The expression has redundant parentheses;"},
        {"(s) = :s", NULL, "FALSE"},
        {"(s) = (:s)", NULL, "FALSE"},
        {"((s)) = :s", NULL, "The expression has redundant parentheses;"},
        {"s = (:s)", NULL, "FALSE"},
        {"s = ((:s))", NULL, "The expression has redundant parentheses;"},
        {"(:s) = s", NULL, "FALSE"},
        {"attribute_exists((s))", NULL, "TRUE"},
        {"attribute_exists(((s)))", NULL, "The expression has redundant parentheses;"},
        {"contains((s), (:s))", NULL, "TRUE"},
        {"contains(((s)), :s)", NULL, "The expression has redundant parentheses;"},
        {"size((s)) > :n", NULL, "TRUE"},
        {"(size(s)) > :n", NULL, "TRUE"},
        {"((size(s))) > :n", NULL, "The expression has redundant parentheses;"},
        {"(size(s) > :n)", NULL, "TRUE"},
        {"((size(s)) > :n)", NULL, "TRUE"},
        {"(contains(s, :s))", NULL, "TRUE"},
        {"((contains(s, :s)))", NULL, "The expression has redundant parentheses;"},
        {"(s) BETWEEN (:s) AND (:s)", NULL, "FALSE"},
        {"(s) BETWEEN ((:s)) AND :s", NULL, "The expression has redundant parentheses;"},
        {"s IN ((:s))", NULL, "FALSE"},
        {"s IN (((:s)))", NULL, "The expression has redundant parentheses;"},
        {"(s) IN (:s)", NULL, "FALSE"},
        {"(s=:s)AND(n=:n)", NULL, "FALSE"},
        {"NOT(s=:s)", NULL, "TRUE"},
        {"((s))", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"((s = :s)) AND", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"((s = :s)) (", NULL, "The expression has redundant parentheses;"},
        {"s = ((:s)) = :s", NULL, "The expression has redundant parentheses;"},
        {"s = ((:s)", NULL, "Syntax error; token: \"<EOF>\", near: \")\""},
        {"s IN (((:s)) AND", NULL, "The expression has redundant parentheses;"},
        {"contains(((s)) s)", NULL, "Syntax error; token: \"s\", near: \") s)\""},
        {"((s)) s", NULL, "Syntax error; token: \"s\", near: \") s\""},
        {"(((s", NULL, "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"((s) = :s", NULL, "Syntax error; token: \"<EOF>\", near: \":s\""},
        {"((s n", NULL, "Syntax error; token: \"n\", near: \"s n\""},
        {"s = = ((:s))", NULL, "Syntax error; token: \"=\", near: \"= = (\""},
        {"((s = :s)) !", NULL, "The expression has redundant parentheses;"},
        {"contains(((s)), ", NULL, "Syntax error; token: \"<EOF>\", near: \", \""},
        {"NOT ((s = :s)) = s", NULL, "The expression has redundant parentheses;"},
        {"((foo(s))) =", NULL, "The expression has redundant parentheses;"},
        {"((s))) = :s", NULL, "Syntax error; token: \")\", near: \")) =\""},
        {"(((s)) = ", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) \"", NULL, "The expression has redundant parentheses;"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

/* In the order of the text, before anything is looked up. */
static void checks_functions_words_and_indexes(void **state) {
    static const row rows[] = {
        {"foo(s)", NULL, "Invalid function name; function: foo"},
        {"foo(:s, n)", NULL, "Invalid function name; function: foo"},
        {"foo(s) = :s", NULL, "Invalid function name; function: foo"},
        {"s = foo(s)", NULL, "Invalid function name; function: foo"},
        {"s IN (foo(s))", NULL, "Invalid function name; function: foo"},
        {"contains(s, foo(s))", NULL, "Invalid function name; function: foo"},
        {"contains(foo(s), s)", NULL, "Invalid function name; function: foo"},
        {"foo(bar(s)) = :s", NULL, "Invalid function name; function: foo"},
        {"ATTRIBUTE_EXISTS(s)", NULL, "Invalid function name; function: ATTRIBUTE_EXISTS"},
        {"Attribute_Exists(s)", NULL, "Invalid function name; function: Attribute_Exists"},
        {"SIZE(s) = :n", NULL, "Invalid function name; function: SIZE"},
        {"BEGINS_WITH(s, :s)", NULL, "Invalid function name; function: BEGINS_WITH"},
        {"attribute_exists(s) = :t", NULL, "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"contains(s, :s) = :t", NULL, "The function is not allowed to be used this way in an expression; function: contains"},
        {"contains(s, attribute_exists(s))", NULL,
         "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"contains(s, contains(s, :s))", NULL, "The function is not allowed to be used this way in an expression; function: contains"},
        {"size(contains(s, :s)) = :n", NULL, "The function is not allowed to be used this way in an expression; function: contains"},
        {"s = attribute_exists(s)", NULL, "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"s IN (attribute_exists(s))", NULL,
         "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"s BETWEEN attribute_exists(s) AND :s", NULL,
         "The function is not allowed to be used this way in an expression; function: attribute_exists"},
        {"if_not_exists(s, :s)", NULL, "The function is not allowed in a condition expression; function: if_not_exists"},
        {"s = if_not_exists(s, :s)", NULL, "The function is not allowed in a condition expression; function: if_not_exists"},
        {"contains(s, if_not_exists(s, :s))", NULL, "The function is not allowed in a condition expression; function: if_not_exists"},
        {"s = list_append(l, l)", NULL, "The function is not allowed in a condition expression; function: list_append"},
        {"abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"ABORT = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: ABORT"},
        {"Abort[0] = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: Abort"},
        {"a.abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s = abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"contains(abort, :s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"size(abort) = :n", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"attribute_exists(a.b.abort)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"status = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: status"},
        {"name = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: name"},
        {"ttl = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: ttl"},
        {"zone = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: zone"},
        {"user.id = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: user"},
        {"s[2147483648] = :s", NULL, "List index is not within the allowable range; index: [2147483648]"},
        {"s[99999999999] = :s", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"s[18446744073709551616] = :s", NULL, "List index is not within the allowable range; index: [18446744073709551616]"},
        {"foo(abort)", NULL, "Invalid function name; function: foo"},
        {"size(abort)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"attribute_exists(abort, size(s))", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"contains(abort, foo(s))", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"size(s) AND abort = :s", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"abort = size(foo(s))", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = contains(s,:s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s[99999999999] = :s AND abort = :s", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"abort = :s AND s[99999999999] = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"#s = :s", "{\"#s\": \"abort\"}", "FALSE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

static void checks_operands(void **state) {
    static const row rows[] = {
        {"s = :nope", NULL, "An expression attribute value used in expression is not defined; attribute value: :nope"},
        {"s = #nope", NULL, "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"#nope = :s", NULL, "An expression attribute name used in the document path is not defined; attribute name: #nope"},
        {"#q = :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {":q = #q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s IN (:q, #q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s BETWEEN :q AND #q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"begins_with(#q, :n)", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"begins_with(s, :n) AND #q = :s", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"contains(s, :q, :s)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"contains(#q)", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"attribute_exists(:q)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"size(:q) = #q", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"#S = :s", NULL, "An expression attribute name used in the document path is not defined; attribute name: #S"},
        {"s = :S", NULL, "An expression attribute value used in expression is not defined; attribute value: :S"},
        {"attribute_exists(s,n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_not_exists(s, n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_not_exists, number of operands: 2"},
        {"attribute_type(s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_type, number of operands: 1"},
        {"attribute_type(s, :ty, :ty)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_type, number of operands: 3"},
        {"attribute_type(s, :n, :n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_type, number of operands: 3"},
        {"contains(s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1"},
        {"contains(s,:s,:s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 3"},
        {"begins_with(s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1"},
        {"begins_with(:n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1"},
        {"begins_with(s, :s, :s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 3"},
        {"size(s, n) = :n", NULL,
         "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2"},
        {"attribute_exists(:s)", NULL, "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_not_exists(:s)", NULL, "Operator or function requires a document path; operator or function: attribute_not_exists"},
        {"attribute_exists(size(s))", NULL, "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_type(s, :bad)", NULL, "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(:s,:s)", NULL, "Invalid attribute type name found; type: abc, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :n)", NULL,
         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"},
        {"attribute_type(:ty, s)", NULL,
         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: "
         "{NS,DECIMALSET,DICT,INT,L,S,HDS,BOOL,N,M,DOUBLE,BS,NULL,FS,INTSET,FLOAT,HD,B,SS,DECIMAL,DOUBLESET}"},
        {"attribute_type(s, size(s))", NULL,
         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"},
        {"begins_with(s, :n)", NULL, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(n, :n)", NULL, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(:n, :s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :t)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: BOOL"},
        {"begins_with(:t, s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: BOOL"},
        {"begins_with(s, :z)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: NULL"},
        {"begins_with(s, :m)", NULL, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: M"},
        {"begins_with(s, :l)", NULL, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: L"},
        {"begins_with(s, :ss)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: SS"},
        {"begins_with(:ns, s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: NS"},
        {"begins_with(:bs, s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: BS"},
        {"begins_with(s, size(s))", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(size(s), :s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"size(:n) = :n", NULL, "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
        {"size(:t) = :n", NULL, "Incorrect operand type for operator or function; operator or function: size, operand type: BOOL"},
        {"size(:z) = :n", NULL, "Incorrect operand type for operator or function; operator or function: size, operand type: NULL"},
        {"size(size(s)) = :n", NULL, "Incorrect operand type for operator or function; operator or function: size, operand type: N"},
        {"s < :t", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
        {"s <= :z", NULL, "Incorrect operand type for operator or function; operator or function: <=, operand type: NULL"},
        {"s > :m", NULL, "Incorrect operand type for operator or function; operator or function: >, operand type: M"},
        {"s >= :l", NULL, "Incorrect operand type for operator or function; operator or function: >=, operand type: L"},
        {"s < :ss", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: SS"},
        {"s < :ns", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: NS"},
        {"s < :bs", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: BS"},
        {":t < s", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
        {":t < :m", NULL, "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
        {"s BETWEEN :m AND :m", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: M"},
        {"s BETWEEN :t AND :t", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: BOOL"},
        {"s BETWEEN :ss AND :ss", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: SS"},
        {"s BETWEEN :l AND :n", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: L"},
        {":t BETWEEN :n AND :s", NULL,
         "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: BOOL"},
        {"s BETWEEN :t AND :n", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: BOOL"},
        {"s BETWEEN :n AND :t", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: BOOL"},
        {":m BETWEEN s AND n", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: M"},
        {"s = s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s <> s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: <>, first operand: [s]"},
        {"s < s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: <, first operand: [s]"},
        {"m.a = m.a", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [m, "
         "a]"},
        {"l[0] = l[0]", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [l, "
         "[0]]"},
        {"m.l[1].q = m.l[1].q", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [m, l, "
         "[1], q]"},
        {"(s) = s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"#m.a = m.a", "{\"#m\": \"m\"}",
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [m, "
         "a]"},
        {"#m = #k", "{\"#m\": \"m\", \"#k\": \"m\"}",
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [m]"},
        {"s IN (n, s)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: IN, first operand: [s]"},
        {"s BETWEEN n AND s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: BETWEEN, first operand: "
         "[s]"},
        {"s BETWEEN s AND :s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: BETWEEN, first operand: "
         "[s]"},
        {"s BETWEEN s AND :t", NULL, "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: BOOL"},
        {"contains(s, s)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: contains, first operand: "
         "[s]"},
        {"begins_with(s, s)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: begins_with, first "
         "operand: [s]"},
        {"attribute_type(s, s)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: attribute_type, first "
         "operand: [s]"},
        {"n BETWEEN :n AND :s", NULL,
         "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound "
         "operand: AttributeValue: {S:abc}"},
        {"n BETWEEN :n2 AND :n", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :s AND :b", NULL,
         "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:abc}, upper "
         "bound operand: AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=1 cap=1]}"},
        {"s BETWEEN :b AND :n", NULL,
         "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: "
         "{B:java.nio.HeapByteBuffer[pos=0 lim=1 cap=1]}, upper bound operand: AttributeValue: {N:1}"},
        {"m = m.a", NULL, "FALSE"},
        {"size(s) = size(s)", NULL, "TRUE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

/* Two errors each: parentheses, then functions and reserved words, then operands. */
static void reports_the_first_error_of_the_earliest_look(void **state) {
    static const row rows[] = {
        {"((s = :s)) AND abort = :s", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND #q = :s", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND s = :q", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND foo(s)", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND attribute_exists(s,n)", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND size(s)", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND begins_with(s, :n)", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND s = s", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND s BETWEEN :n2 AND :n", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND attribute_exists(:s)", NULL, "The expression has redundant parentheses;"},
        {"((s = :s)) AND attribute_type(s, :bad)", NULL, "The expression has redundant parentheses;"},
        {"abort = :s AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"abort = :s AND #q = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND s = :q", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND foo(s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND attribute_exists(s,n)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND size(s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND begins_with(s, :n)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND s = s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND s BETWEEN :n2 AND :n", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND attribute_exists(:s)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"abort = :s AND attribute_type(s, :bad)", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"#q = :s AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"#q = :s AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"#q = :s AND s = :q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"#q = :s AND attribute_exists(s,n)", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"#q = :s AND begins_with(s, :n)", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND s = s", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND s BETWEEN :n2 AND :n", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND attribute_exists(:s)", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q = :s AND attribute_type(s, :bad)", NULL,
         "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"s = :q AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"s = :q AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s = :q AND #q = :s", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"s = :q AND attribute_exists(s,n)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"s = :q AND begins_with(s, :n)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND s = s", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND s BETWEEN :n2 AND :n", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND attribute_exists(:s)", NULL, "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"s = :q AND attribute_type(s, :bad)", NULL,
         "An expression attribute value used in expression is not defined; attribute value: :q"},
        {"foo(s) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"foo(s) AND abort = :s", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND #q = :s", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND s = :q", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND attribute_exists(s,n)", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND size(s)", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND begins_with(s, :n)", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND s = s", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND s BETWEEN :n2 AND :n", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND attribute_exists(:s)", NULL, "Invalid function name; function: foo"},
        {"foo(s) AND attribute_type(s, :bad)", NULL, "Invalid function name; function: foo"},
        {"attribute_exists(s,n) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"attribute_exists(s,n) AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"attribute_exists(s,n) AND #q = :s", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND s = :q", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"attribute_exists(s,n) AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"attribute_exists(s,n) AND begins_with(s, :n)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND s = s", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND s BETWEEN :n2 AND :n", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND attribute_exists(:s)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"attribute_exists(s,n) AND attribute_type(s, :bad)", NULL,
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
        {"size(s) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"size(s) AND #q = :s", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND s = :q", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND foo(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND attribute_exists(s,n)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND begins_with(s, :n)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND s = s", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND s BETWEEN :n2 AND :n", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND attribute_exists(:s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"size(s) AND attribute_type(s, :bad)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"begins_with(s, :n) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"begins_with(s, :n) AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"begins_with(s, :n) AND s = :q", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :n) AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"begins_with(s, :n) AND attribute_exists(s,n)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :n) AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"begins_with(s, :n) AND s = s", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :n) AND s BETWEEN :n2 AND :n", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :n) AND attribute_exists(:s)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"begins_with(s, :n) AND attribute_type(s, :bad)", NULL,
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
        {"s = s AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"s = s AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s = s AND #q = :s", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND s = :q", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"s = s AND attribute_exists(s,n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"s = s AND begins_with(s, :n)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND s BETWEEN :n2 AND :n", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND attribute_exists(:s)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s = s AND attribute_type(s, :bad)", NULL,
         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]"},
        {"s BETWEEN :n2 AND :n AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"s BETWEEN :n2 AND :n AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s BETWEEN :n2 AND :n AND #q = :s", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND s = :q", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"s BETWEEN :n2 AND :n AND attribute_exists(s,n)", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"s BETWEEN :n2 AND :n AND begins_with(s, :n)", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND s = s", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND attribute_exists(:s)", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"s BETWEEN :n2 AND :n AND attribute_type(s, :bad)", NULL,
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: "
         "{N:2}, upper bound operand: AttributeValue: {N:1}"},
        {"attribute_exists(:s) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"attribute_exists(:s) AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"attribute_exists(:s) AND #q = :s", NULL, "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND s = :q", NULL, "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"attribute_exists(:s) AND attribute_exists(s,n)", NULL,
         "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"attribute_exists(:s) AND begins_with(s, :n)", NULL,
         "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND s = s", NULL, "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND s BETWEEN :n2 AND :n", NULL,
         "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(:s) AND attribute_type(s, :bad)", NULL,
         "Operator or function requires a document path; operator or function: attribute_exists"},
        {"attribute_type(s, :bad) AND ((s = :s))", NULL, "The expression has redundant parentheses;"},
        {"attribute_type(s, :bad) AND abort = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"attribute_type(s, :bad) AND #q = :s", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND s = :q", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND foo(s)", NULL, "Invalid function name; function: foo"},
        {"attribute_type(s, :bad) AND attribute_exists(s,n)", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND size(s)", NULL, "The function is not allowed to be used this way in an expression; function: size"},
        {"attribute_type(s, :bad) AND begins_with(s, :n)", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND s = s", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND s BETWEEN :n2 AND :n", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
        {"attribute_type(s, :bad) AND attribute_exists(:s)", NULL,
         "Invalid attribute type name found; type: X, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

static void calls_functions(void **state) {
    static const row rows[] = {
        {"contains(l, :l3)", NULL, "TRUE"},
        {"contains(l, :ma)", NULL, "TRUE"},
        {"contains(l, :ss)", NULL, "TRUE"},
        {"contains(l, :z)", NULL, "TRUE"},
        {"contains(l, :f)", NULL, "TRUE"},
        {"contains(l, :x)", NULL, "TRUE"},
        {"contains(l, :n)", NULL, "FALSE"},
        {"contains(s, :e)", NULL, "TRUE"},
        {"contains(e, :e)", NULL, "TRUE"},
        {"contains(b, :bm)", NULL, "TRUE"},
        {"contains(b, :be)", NULL, "TRUE"},
        {"contains(s, :b)", NULL, "FALSE"},
        {"contains(b, :s)", NULL, "FALSE"},
        {"contains(ss, :a)", NULL, "TRUE"},
        {"contains(ns, :n1)", NULL, "TRUE"},
        {"contains(ss, :ss)", NULL, "FALSE"},
        {"contains(m, :a)", NULL, "FALSE"},
        {"contains(z, :z)", NULL, "FALSE"},
        {"contains(t, :t)", NULL, "FALSE"},
        {"contains(n, :n)", NULL, "FALSE"},
        {"contains(nope, :a)", NULL, "FALSE"},
        {"NOT contains(nope, :a)", NULL, "TRUE"},
        {"contains(s, nope)", NULL, "FALSE"},
        {"contains(l, l2)", NULL, "FALSE"},
        {"contains(l, m)", NULL, "TRUE"},
        {"contains(l2, n)", NULL, "FALSE"},
        {"size(u) = :n6", NULL, "FALSE"},
        {"size(u) = :n3", NULL, "TRUE"},
        {"size(u) = :n2", NULL, "FALSE"},
        {"size(e) = :n0", NULL, "TRUE"},
        {"size(b) = :n3", NULL, "TRUE"},
        {"size(ss) = :n2", NULL, "TRUE"},
        {"size(m) = :n1", NULL, "TRUE"},
        {"size(l) = :n6", NULL, "TRUE"},
        {"size(n) = :n1", NULL, "FALSE"},
        {"size(n) <> :n1", NULL, "TRUE"},
        {"NOT size(n) = :n1", NULL, "TRUE"},
        {"size(nope) <> :n1", NULL, "TRUE"},
        {"size(t) <> :n1", NULL, "TRUE"},
        {"size(nope) = size(nope2)", NULL, "FALSE"},
        {"size(nope) <> size(nope2)", NULL, "TRUE"},
        {"size(bs) = :n2", NULL, "TRUE"},
        {"size(ns) = :n2", NULL, "TRUE"},
        {"begins_with(s, :e)", NULL, "TRUE"},
        {"begins_with(s, :ab)", NULL, "TRUE"},
        {"begins_with(nope, :ab)", NULL, "FALSE"},
        {"NOT begins_with(nope,:ab)", NULL, "TRUE"},
        {"begins_with(b, :be)", NULL, "TRUE"},
        {"begins_with(n, :ab)", NULL, "FALSE"},
        {"begins_with(s, e)", NULL, "TRUE"},
        {"begins_with(s, n)", NULL, "FALSE"},
        {"begins_with(s, b)", NULL, "FALSE"},
        {"attribute_type(m, :tm)", NULL, "TRUE"},
        {"attribute_type(z, :tn)", NULL, "TRUE"},
        {"attribute_type(ss, :tss)", NULL, "TRUE"},
        {"attribute_type(nope, :ts)", NULL, "FALSE"},
        {"NOT attribute_type(nope, :ts)", NULL, "TRUE"},
        {"attribute_type(l, :tl)", NULL, "TRUE"},
        {"attribute_type(l[0], :tl)", NULL, "TRUE"},
        {"attribute_type(size(s), :ts)", NULL, "FALSE"},
        {"attribute_exists(l[5])", NULL, "TRUE"},
        {"attribute_exists(l[6])", NULL, "FALSE"},
        {"attribute_exists(l.a)", NULL, "FALSE"},
        {"attribute_exists(m[0])", NULL, "FALSE"},
        {"attribute_exists(s.a)", NULL, "FALSE"},
        {"attribute_exists(z)", NULL, "TRUE"},
        {"attribute_not_exists(nope)", NULL, "TRUE"},
        {"attribute_not_exists(nope.a[1])", NULL, "TRUE"},
        {"attribute_exists(ss[0])", NULL, "FALSE"},
        {"attribute_exists(m.a)", NULL, "TRUE"},
        {"attribute_exists(l[1].a)", NULL, "TRUE"},
        {"attribute_exists(s)", NULL, "TRUE"},
        {"attribute_exists(nope)", NULL, "FALSE"},
        {"attribute_not_exists(s)", NULL, "FALSE"},
        {"contains(:s, s)", NULL, "TRUE"},
        {"contains(:s, :s)", NULL, "TRUE"},
        {"begins_with(:s, s)", NULL, "TRUE"},
        {"size(:s) = :n3", NULL, "TRUE"},
        {"contains(size(s), :n)", NULL, "FALSE"},
        {"size(s) BETWEEN :n2 AND :n", NULL, "TRUE"},
        {"size(s) IN (:n3)", NULL, "TRUE"},
        {"size(s) < s", NULL, "FALSE"},
        {"s IN (size(s), :n)", NULL, "FALSE"},
        {"attribute_exists (s)", NULL, "TRUE"},
        {"size (s) > :n2", NULL, "TRUE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), rich_item, rich_values);
}

static void compares(void **state) {
    static const row rows[] = {
        {"nope = :s", NULL, "FALSE"},
        {"nope <> :s", NULL, "TRUE"},
        {"NOT nope = :s", NULL, "TRUE"},
        {"nope = nope2", NULL, "FALSE"},
        {"nope <> nope2", NULL, "TRUE"},
        {"nope < :s", NULL, "FALSE"},
        {"nope >= :s", NULL, "FALSE"},
        {"NOT nope < :s", NULL, "TRUE"},
        {"nope IN (:s)", NULL, "FALSE"},
        {"NOT nope IN (:s)", NULL, "TRUE"},
        {"nope BETWEEN :a AND :s", NULL, "FALSE"},
        {"NOT nope BETWEEN :a AND :s", NULL, "TRUE"},
        {"s IN (nope, :s)", NULL, "TRUE"},
        {"s BETWEEN nope AND :s", NULL, "FALSE"},
        {"nope IN (nope2)", NULL, "FALSE"},
        {"s <> nope", NULL, "TRUE"},
        {"s = nope", NULL, "FALSE"},
        {"n = nn", NULL, "TRUE"},
        {"n = :n", NULL, "TRUE"},
        {"s = :n", NULL, "FALSE"},
        {"s <> :n", NULL, "TRUE"},
        {"n < :s", NULL, "FALSE"},
        {"n > :s", NULL, "FALSE"},
        {"NOT n < :s", NULL, "TRUE"},
        {"ss = :ss", NULL, "TRUE"},
        {"ns = :ns", NULL, "TRUE"},
        {"l2 = :l2", NULL, "TRUE"},
        {"m = :ma", NULL, "TRUE"},
        {"z = :z", NULL, "TRUE"},
        {"t = :t", NULL, "TRUE"},
        {"f = :t", NULL, "FALSE"},
        {"f <> :t", NULL, "TRUE"},
        {"t = f", NULL, "FALSE"},
        {"s < :abd", NULL, "TRUE"},
        {"s > :ABC", NULL, "TRUE"},
        {"s >= :ab", NULL, "TRUE"},
        {"l[1].a = m.a", NULL, "TRUE"},
        {"e = :e", NULL, "TRUE"},
        {"e < :a", NULL, "TRUE"},
        {"n BETWEEN :n AND :n6", NULL, "TRUE"},
        {"n BETWEEN nn AND nn", NULL, "TRUE"},
        {"n BETWEEN :n6 AND n2", NULL, "FALSE"},
        {"n BETWEEN :n2 AND s", NULL, "FALSE"},
        {"s BETWEEN :a AND n", NULL, "FALSE"},
        {"m < s", NULL, "FALSE"},
        {"l < l2", NULL, "FALSE"},
        {"ss < ss2", NULL, "FALSE"},
        {"z < t", NULL, "FALSE"},
        {"t < f", NULL, "FALSE"},
        {"t <= f", NULL, "FALSE"},
        {"m <= l", NULL, "FALSE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), rich_item, rich_values);
}

static void joins_by_precedence(void **state) {
    static const row rows[] = {
        {"NOT t = :t", NULL, "FALSE"},
        {"NOT NOT t = :t", NULL, "TRUE"},
        {"NOT NOT NOT t = :t", NULL, "FALSE"},
        {"t = :t AND f = :t", NULL, "FALSE"},
        {"t = :t OR f = :t", NULL, "TRUE"},
        {"f = :t AND f = :t OR t = :t", NULL, "TRUE"},
        {"f = :t AND (f = :t OR t = :t)", NULL, "FALSE"},
        {"t = :t OR f = :t AND f = :t", NULL, "TRUE"},
        {"(t = :t OR f = :t) AND f = :t", NULL, "FALSE"},
        {"NOT f = :t AND f = :t", NULL, "FALSE"},
        {"NOT (f = :t AND f = :t)", NULL, "TRUE"},
        {"NOT f = :t OR t = :t", NULL, "TRUE"},
        {"NOT (f = :t OR t = :t)", NULL, "FALSE"},
        {"NOT t = :t OR NOT f = :t", NULL, "TRUE"},
        {"t = :t AND NOT f = :t AND t = :t", NULL, "TRUE"},
        {"f = :t OR f = :t OR f = :t", NULL, "FALSE"},
        {"f = :t OR f = :t OR t = :t", NULL, "TRUE"},
        {"t = :t and f = :t Or T = :t oR t = :t", NULL, "TRUE"},
        {"n BETWEEN :n2 AND :n6 AND t = :t", NULL, "TRUE"},
        {"t = :t AND n BETWEEN :n2 AND :n6", NULL, "TRUE"},
        {"n BETWEEN :n2 AND :n3 OR t = :t", NULL, "TRUE"},
        {"n IN (:n2, :n) AND t = :t", NULL, "TRUE"},
        {"NOT n IN (:n2, :n)", NULL, "FALSE"},
        {"NOT n BETWEEN :n2 AND :n6", NULL, "FALSE"},
        {"attribute_exists(t) AND NOT attribute_exists(nope) AND size(s) = :n3", NULL, "TRUE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), rich_item, rich_values);
}

static void follows_paths(void **state) {
    static const row rows[] = {
        {"m.a = :n1", NULL, "TRUE"},
        {"m . a = :n1", NULL, "TRUE"},
        {"l [ 0 ] [0] = :n3", NULL, "TRUE"},
        {"l[0][0] = :n3", NULL, "TRUE"},
        {"l[1].a = :n1", NULL, "TRUE"},
        {"l[1].a.b = :n1", NULL, "FALSE"},
        {"l[2][0] = :a", NULL, "FALSE"},
        {"l[9] = :z", NULL, "FALSE"},
        {"s[0] = :a", NULL, "FALSE"},
        {"m[0] = :n1", NULL, "FALSE"},
        {"l.a = :n1", NULL, "FALSE"},
        {"#m.a = :n1", "{\"#m\": \"m\"}", "TRUE"},
        {"m.#a = :n1", "{\"#a\": \"a\"}", "TRUE"},
        {"#m.#a = :n1", "{\"#m\": \"m\", \"#a\": \"a\"}", "TRUE"},
        {"#l[1].#a = :n1", "{\"#l\": \"l\", \"#a\": \"a\"}", "TRUE"},
        {"#d = :n1", "{\"#d\": \"m.a\"}", "FALSE"},
        {"attribute_exists(#m) AND attribute_exists(#m)", "{\"#m\": \"m\"}", "TRUE"},
        {"attribute_exists(#_1)", "{\"#_1\": \"s\"}", "TRUE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), rich_item, rich_values);
}

/* The developer guide's list has SIZE and CONVERT; Local lets both pass. */
static void reserves_what_the_guide_reserves(void **state) {
    static const row rows[] = {
        {"size = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: size"},
        {"s.Size = :s", NULL, "Attribute name is a reserved keyword; reserved keyword: Size"},
        {"attribute_exists(convert)", NULL, "Attribute name is a reserved keyword; reserved keyword: convert"},
        {"#size = :s", "{\"#size\":\"size\"}", "FALSE"},
    };
    (void)state;
    check(rows, COUNT_OF(rows), item, values);
}

/* Some of the 573, words beside them, and each case. */
static void reserves_words(void **state) {
    static const char *const reserved[] = {
        "ABORT",  "zone", "Year",  "TIMESTAMP", "name",         "names",          "value",     "values", "ttl",
        "status", "user", "users", "data",      "date",         "count",          "counter",   "hash",   "range",
        "key",    "keys", "index", "state",     "token",        "limit",          "lock",      "locks",  "items",
        "item",   "if",   "at",    "by",        "sqlexception", "LOCALTIMESTAMP", "percentile"};
    static const char *const free_words[] = {
        "abor",     "aborts", "zones",   "zon",           "a",      "pk",         "sk",       "id",          "expires",
        "owner_id", "abort1", "remove1", "sqlexceptions", "naming", "statusCode", "contains", "begins_with", "attribute_exists"};
    char expression[64], want[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reserved) + COUNT_OF(free_words); i++) {
        bool is_reserved = i < COUNT_OF(reserved);
        const char *word = is_reserved ? reserved[i] : free_words[i - COUNT_OF(reserved)];
        snprintf(expression, sizeof expression, "%s = :s", word);
        snprintf(want, sizeof want, "Attribute name is a reserved keyword; reserved keyword: %s", word);
        row r = {expression, NULL, is_reserved ? want : "FALSE"};
        check(&r, 1, item, values);
    }
}

/* `times` times `text`, between `before` and `after`. */
static const char *repeated(const char *before, const char *text, int times, const char *after) {
    static char out[16384];
    size_t at = (size_t)snprintf(out, sizeof out, "%s", before);
    for (int i = 0; i < times; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s", text);
    snprintf(out + at, sizeof out - at, "%s", after);
    return out;
}

static void check_one(const char *expression, const char *want) { check(&(row){expression, NULL, want}, 1, item, values); }

/* Each at the limit and one past it. */
static void bounds_what_it_takes(void **state) {
    static const char too_long[] = "Expression size has exceeded the maximum allowed size; expression size: 4097";
    static const char too_many[] = "The expression contains too many operators; operator count: 301";
    (void)state;
    check_one(repeated("s = :s", " ", 4090, ""), "FALSE");
    check_one(repeated("s = :s", " ", 4091, ""), too_long);
    check_one(repeated("s = :s", " OR s=:s", 149, ""), "FALSE");
    check_one(repeated("s = :s", " OR s=:s", 150, ""), too_many);
    check_one(repeated("", "NOT ", 299, "s=:s"), "TRUE");
    check_one(repeated("", "NOT ", 300, "s=:s"), too_many);
    check_one(repeated("size(s)>:n", " OR size(s)>:n", 99, ""), "TRUE");
    check_one(repeated("size(s)>:n", " OR size(s)>:n", 100, ""), too_many);
    check_one(repeated("s IN (:s", ",:s", 99, ")"), "FALSE");
    check_one(repeated("s IN (:s", ",:s", 100, ")"), "The IN operator is provided with too many operands; number of operands: 101");
    check_one(repeated("a", ".a", 31, " = :s"), "FALSE");
    check_one(repeated("a", ".a", 32, " = :s"), "The document path has too many nesting levels; nesting levels: 33");
    check_one(repeated("a", "[0]", 32, " = :s"), "The document path has too many nesting levels; nesting levels: 33");
    check_one(repeated("a", ".a", 1000, " = :q"), "The document path has too many nesting levels; nesting levels: 1001");
    check_one(repeated("", "(", 300, "s = :s"), "Syntax error; token: \"<EOF>\", near: \":s\"");
    check_one(repeated("", "(", 4000, "s = :s"), "The expression has redundant parentheses;");
    check_one(repeated("", "a(", 2000, "s"),
              "The expression has redundant parentheses;"); /* Local finds the end; nothing valid goes that deep */
    check_one(repeated("", "s=:s AND (", 290, "s"), "Syntax error; token: \"<EOF>\", near: \"s\"");
}

static void holds_without_an_item(void **state) {
    static const struct {
        const char *expression;
        bool holds;
    } rows[] = {
        {"attribute_not_exists(pk)", true},
        {"attribute_exists(pk)", false},
        {"s <> :s", true},
        {"s = :s", false},
        {"NOT s = :s", true},
        {"size(s) <> :n", true},
        {"pk = nope", false},
        {"pk <> nope", true},
        {":s = :s", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_placeholders p;
        const latch_condition *c;
        language_again(0);
        assert_true(latch_placeholders_read(NULL, language_json(values), &p, &language_arena, &language_fault));
        assert_true(latch_condition_parse(latch_str_of(rows[i].expression), "ConditionExpression", &p, &c, &language_fault));
        assert_int_equal(latch_condition_holds(c, NULL), rows[i].holds);
    }
}

static void tells_which_attributes_it_names(void **state) {
    latch_placeholders p;
    const latch_condition *c;
    (void)state;
    assert_true(latch_placeholders_read(language_json("{\"#p\":\"pk\"}"), language_json(values), &p, &language_arena, &language_fault));
    assert_true(latch_condition_parse(LATCH_STR("a.x = :s OR contains(b, size(c[0])) AND (NOT d IN (e, :s)) OR #p BETWEEN :n AND f"),
                                      "FilterExpression", &p, &c, &language_fault));
    for (const char *name = "abcdef"; *name != '\0'; name++)
        assert_true(latch_condition_names(c, (latch_str){name, 1}));
    assert_true(latch_condition_names(c, LATCH_STR("pk")));
    assert_false(latch_condition_names(c, LATCH_STR("x")));
    assert_false(latch_condition_names(c, LATCH_STR("p")));
    assert_false(latch_condition_names(c, LATCH_STR("#p")));
}

static void names_its_kind(void **state) {
    latch_placeholders p;
    const latch_condition *c;
    (void)state;
    assert_true(latch_placeholders_read(NULL, NULL, &p, &language_arena, &language_fault));
    assert_false(latch_condition_parse(LATCH_STR("a = :x"), "FilterExpression", &p, &c, &language_fault));
    assert_string_equal(language_fault_text(),
                        "Invalid FilterExpression: An expression attribute value used in expression is not defined; attribute value: :x");
}

static void says_when_the_arena_is_full(void **state) {
    static const char *const expressions[] = {
        "(attribute_not_exists(#created) OR (#created > :n AND size(s) < :n2)) AND NOT s IN (:s, :ty)", "s BETWEEN :n2 AND :n", "m.a = m.a",
        "s ="};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expressions); i++) {
        size_t bytes = 0;
        const char *name = "Arena";
        while (name != NULL && strcmp(name, "Arena") == 0) {
            latch_placeholders p;
            const latch_condition *c;
            language_again(++bytes);
            if (latch_placeholders_read(language_json("{\"#created\":\"created\"}"), language_json(values), &p, &language_arena,
                                        &language_fault))
                (void)latch_condition_parse(latch_str_of(expressions[i]), "ConditionExpression", &p, &c, &language_fault);
            name = language_fault.name;
        }
        assert_true(i == 0 ? name == NULL : strcmp(name, "ValidationException") == 0);
        assert_true(bytes > 500);
    }
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(says_where_syntax_ends),
    ROW(takes_parentheses_but_none_too_many),
    ROW(checks_functions_words_and_indexes),
    ROW(checks_operands),
    ROW(reports_the_first_error_of_the_earliest_look),
    ROW(calls_functions),
    ROW(compares),
    ROW(joins_by_precedence),
    ROW(follows_paths),
    ROW(reserves_what_the_guide_reserves),
    ROW(reserves_words),
    ROW(bounds_what_it_takes),
    ROW(holds_without_an_item),
    ROW(tells_which_attributes_it_names),
    ROW(names_its_kind),
    ROW(says_when_the_arena_is_full),
};
CHECK_MAIN(tests)

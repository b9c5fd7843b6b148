#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/embedded/language.h"

/*
 * Rows are recorded from DynamoDB Local 2.6.1: what a GetItem with this ProjectionExpression gives of this item, or the error's text
 * without "Invalid ProjectionExpression: ".
 */
typedef struct row {
    const char *expression, *names, *want;
} row;

static const char item[] =
    "{\"pk\":{\"S\":\"u\"},\"s\":{\"S\":\"abc\"},\"n\":{\"N\":\"5\"},\"b\":{\"B\":\"YWJj\"},\"t\":{\"BOOL\":true},\"z\":{\"NULL\":true},\""
    "m\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}},\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}},\"l\":{\"L\":[{"
    "\"N\":\"0"
    "\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]},\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]},\"ns\":{\"NS\":["
    "\"1\",\""
    "2\"]},\"bs\":{\"BS\":[\"YQ==\",\"Yg==\"]}}";

static bool project(const row *r, latch_item *out) {
    latch_placeholders p;
    const latch_projection *projection;
    latch_item from = language_item(item);
    if (!latch_placeholders_read(language_json(r->names), NULL, &p, &language_arena, &language_fault) ||
        !latch_projection_parse(language_guarded(r->expression), &p, &projection, &language_fault))
        return false;
    assert_true(latch_project(projection, &from, out, &language_arena));
    return true;
}

static const char *fault_text(void) {
    static const char prefix[] = "Invalid ProjectionExpression: ";
    const char *text = language_fault_text();
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static bool is(const latch_item *out, const char *want) {
    if (want[0] != '{') return false;
    latch_item wanted = language_item(want);
    latch_av a = {.type = LATCH_TYPE_M, .as.map = *out}, b = {.type = LATCH_TYPE_M, .as.map = wanted};
    return latch_av_equal(&a, &b);
}

static void check(const row *r) {
    latch_item out;
    language_again(0);
    bool ok = project(r, &out);
    if (ok ? is(&out, r->want) : strcmp(fault_text(), r->want) == 0) return;
    fail_msg("%.100s\n  got:  %s\n  want: %s", r->expression, ok ? language_item_text(&out) : fault_text(), r->want);
}

static void projects(void **state) {
    static const row rows[] = {
        {"#s, z, #s, ns", NULL, "An expression attribute name used in the document path is not defined; attribute name: #s"},
        {"y[1], bs.l, ns, bs", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [bs, l], path two: "
         "[bs]"}, /* Local: path two: [ns] */
        {"n, s, n, b", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"y, z, x, y", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [y], path two: [y]"}, /* Local: path two: [z] */
        {"#s, z, #s, ns", "{\"#s\": \"s\"}",
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [s], path two: "
         "[s]"}, /* Local: path two: [z] */
        {"a.b, a.c, a.d, a.c, z", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a, c]"}, /* Local: path two: [a, d] */
        {"", NULL, "The expression can not be empty;"},
        {"n", NULL, "{\"n\":{\"N\":\"5\"}}"},
        {" ", NULL, "Syntax error; token: \"<EOF>\", near: \" \""},
        {"n ", NULL, "{\"n\":{\"N\":\"5\"}}"},
        {" n ", NULL, "{\"n\":{\"N\":\"5\"}}"},
        {"n, s", NULL, "{\"n\":{\"N\":\"5\"},\"s\":{\"S\":\"abc\"}}"},
        {"n,", NULL, "Syntax error; token: \"<EOF>\", near: \",\""},
        {"n s", NULL, "Syntax error; token: \"s\", near: \"n s\""},
        {",n", NULL, "Syntax error; token: \",\", near: \",n\""},
        {"n,,s", NULL, "Syntax error; token: \",\", near: \",,s\""},
        {"nope", NULL, "{}"},
        {"nope, n", NULL, "{\"n\":{\"N\":\"5\"}}"},
        {"m.a", NULL, "{\"m\":{\"M\":{\"a\":{\"N\":\"1\"}}}}"},
        {"m.a, m.b", NULL, "{\"m\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"m.a, m.b.c", NULL, "{\"m\":{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"m.zz", NULL, "{}"},
        {"m.zz.y", NULL, "{}"},
        {"m.l[0]", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"}]}}}}"},
        {"m.l[1]", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"2\"}]}}}}"},
        {"m.l[9]", NULL, "{}"},
        {"l[0]", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"}]}}"},
        {"l[1], l[3]", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"3\"}]}}"},
        {"l[3], l[1]", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"3\"}]}}"},
        {"l[9]", NULL, "{}"},
        {"l[9], l[1]", NULL, "{\"l\":{\"L\":[{\"N\":\"1\"}]}}"},
        {"l[4].q", NULL, "{\"l\":{\"L\":[{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"l[4].z", NULL, "{}"},
        {"l[4].q, l[0]", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]}}"},
        {"l[4].z, l[0]", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"}]}}"},
        {"l.x", NULL, "{}"},
        {"m[0]", NULL, "{}"},
        {"s.x", NULL, "{}"},
        {"s[0]", NULL, "{}"},
        {"ss[0]", NULL, "{}"},
        {"n.a", NULL, "{}"},
        {"n, n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"m, m.a", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, "
         "a]"},
        {"m.a, m", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m]"},
        {"m.a, m[0]", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m, [0]]"},
        {"m[0], m.a", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, [0]], path "
         "two: [m, a]"},
        {"l[0], l[0]", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [l, [0]], path two: "
         "[l, [0]]"},
        {"l[0], l.x", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [l, [0]], path "
         "two: [l, x]"},
        {"n, m.a, n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"a, a.b, a.c", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, "
         "c]"},
        {"a.b, a.c, a", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a]"},
        {"a.b, a.c, a[0]", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, c], path two: "
         "[a, [0]]"},
        {"a[0], a.b, a.c", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path "
         "two: [a, c]"},
        {"n, n, m.a, m[0]", NULL,
         "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, a], path two: "
         "[m, [0]]"},
        {"m.a, m[0], n, n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"n, #n", NULL, "An expression attribute name used in the document path is not defined; attribute name: #n"},
        {"#q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"n.abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"n, abort, #q", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"#q, abort", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"#q, n, n", NULL,
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"n, n, #q", NULL, "An expression attribute name used in the document path is not defined; attribute name: #q"},
        {"#q, #r", NULL, "An expression attribute name used in the document path is not defined; attribute name: #r"},
        {":n", NULL, "Syntax error; token: \":n\", near: \":n\""},
        {"n = :n", NULL, "Syntax error; token: \"=\", near: \"n = :n\""},
        {"size(n)", NULL, "Syntax error; token: \"(\", near: \"size(n\""},
        {"(n)", NULL, "Syntax error; token: \"(\", near: \"(n\""},
        {"n AND s", NULL, "Syntax error; token: \"AND\", near: \"n AND s\""},
        {"n.", NULL, "Syntax error; token: \"<EOF>\", near: \".\""},
        {"n[", NULL, "Syntax error; token: \"<EOF>\", near: \"[\""},
        {"n[0", NULL, "Syntax error; token: \"<EOF>\", near: \"0\""},
        {"SET", NULL, "Syntax error; token: \"SET\", near: \"SET\""},
        {"n set", NULL, "Syntax error; token: \"set\", near: \"n set\""},
        {"n-s", NULL, "Syntax error; token: \"-\", near: \"n-s\""},
        {"n n, n", NULL, "Syntax error; token: \"n\", near: \"n n,\""},
        {"l[99999999999]", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"l[2147483648], abort", NULL, "List index is not within the allowable range; index: [2147483648]"},
        {"abort, l[2147483648]", NULL, "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"n, m.a, #q, l[99999999999]", NULL, "List index is not within the allowable range; index: [99999999999]"},
        {"m.a.b", NULL, "{}"},
        {"pk", NULL, "{\"pk\":{\"S\":\"u\"}}"},
        {"l[0], m.a, n", NULL, "{\"l\":{\"L\":[{\"N\":\"0\"}]},\"m\":{\"M\":{\"a\":{\"N\":\"1\"}}},\"n\":{\"N\":\"5\"}}"},
        {"m.b.c, m.l[1], m.a", NULL,
         "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"2\"}]},\"a\":{\"N\":\"1\"},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"l, s", NULL,
         "{\"l\":{\"L\":[{\"N\":\"0\"},{\"N\":\"1\"},{\"N\":\"2\"},{\"N\":\"3\"},{\"M\":{\"q\":{\"N\":\"7\"}}}]},\"s\":{\"S\":"
         "\"abc\"}}"},
        {"ss", NULL, "{\"ss\":{\"SS\":[\"a\",\"b\",\"c\"]}}"},
        {"z", NULL, "{\"z\":{\"NULL\":true}}"},
        {"m.b, m.l", NULL, "{\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]},\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
        {"#a", "{\"#a\": \"n\"}", "{\"n\":{\"N\":\"5\"}}"},
        {"#a, n", "{\"#a\": \"n\"}",
         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]"},
        {"#a.#b", "{\"#a\": \"m\", \"#b\": \"a\"}", "{\"m\":{\"M\":{\"a\":{\"N\":\"1\"}}}}"},
        {"#a[0]", "{\"#a\": \"l\"}", "{\"l\":{\"L\":[{\"N\":\"0\"}]}}"},
        {"#a", "{\"#a\": \"m.a\"}", "{}"},
        {"#a.b.#c", "{\"#a\": \"m\", \"#c\": \"c\"}", "{\"m\":{\"M\":{\"b\":{\"M\":{\"c\":{\"N\":\"3\"}}}}}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(&rows[i]);
}

static void bounds_what_it_takes(void **state) {
    char text[8192];
    size_t at = 0;
    (void)state;
    snprintf(text, sizeof text, "n%*s", 4095, "");
    check(&(row){text, NULL, "{\"n\":{\"N\":\"5\"}}"});
    snprintf(text, sizeof text, "n%*s", 4096, "");
    check(&(row){text, NULL, "Expression size has exceeded the maximum allowed size;"});
    for (int i = 0; i < 800; i++) /* no number of paths is too many */
        at += (size_t)snprintf(text + at, sizeof text - at, "%sx%03d", i > 0 ? "," : "", i);
    check(&(row){text, NULL, "{}"});
    at = (size_t)snprintf(text, sizeof text, "a");
    for (int i = 1; i < 33; i++) {
        check(&(row){text, NULL, "{}"});
        at += (size_t)snprintf(text + at, sizeof text - at, i % 2 == 0 ? ".a" : "[0]");
    }
    check(&(row){text, NULL, "The document path has too many nesting levels; nesting levels: 33"});
}

static void says_when_the_arena_is_full(void **state) {
    size_t bytes = 0;
    bool ok = false;
    (void)state;
    while (!ok) {
        latch_item from, out;
        latch_placeholders p;
        const latch_projection *projection;
        language_again(bytes += 8);
        ok = latch_item_read(language_json(item), &from, &language_arena, &language_fault) &&
             latch_placeholders_read(language_json("{\"#m\":\"m\"}"), NULL, &p, &language_arena, &language_fault) &&
             latch_projection_parse(LATCH_STR("n, #m.b.c, #m.a, l[0], l[4].q"), &p, &projection, &language_fault);
        if (!ok) {
            assert_string_equal(language_fault.name, "Arena");
            continue;
        }
        ok = latch_project(projection, &from, &out, &language_arena);
        if (ok) assert_int_equal(out.count, 3);
    }
    assert_true(bytes > 2000);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, language_set_up, language_tear_down)
static const struct CMUnitTest tests[] = {
    ROW(projects),
    ROW(bounds_what_it_takes),
    ROW(says_when_the_arena_is_full),
};
CHECK_MAIN(tests)

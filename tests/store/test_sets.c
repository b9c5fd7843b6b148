#include "store/sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hash.h"
#include "tests/store/keys.h"

static const latch_pkv tags = {.name = "tags"};
static const latch_pkv theirs = {.name = "tags", .paradoxical_table = PARTITIONED};
static const latch_pkv times = {.paradoxical_table = TIMES, .sort_is_number = true};

#define KEY latch_pkv_at(LATCH_STR("ann"), LATCH_STR("seen"))
#define PK "PKV#tags#ann"
#define SK "KEY#seen"

/* Broken rules: md5 alone, ver alone dropped too, no condition on what had no md5. */
static const rig_twin sound = {NULL, NULL}, forgets_ver = {"#ver = :seen_ver", "(#ver = :seen_ver OR attribute_exists(#ver))"},
                      forgets_md5 = {"#md5 = :seen_md5 AND #ver = :seen_ver",
                                     "(#md5 = :seen_md5 OR attribute_exists(#md5)) AND (#ver = :seen_ver OR attribute_exists(#ver))"},
                      forgets_data = {"#data = :seen_data", "(#data = :seen_data OR attribute_exists(#data))"};

static void set_is(const latch_pkv *pkv, const char *want) {
    latch_json v;
    rig_again(&bob, 0);
    is_fine(&bob, latch_pkv_get(&bob.cx, pkv, KEY, &v));
    is_json(v, want);
}

static latch_set_change add(rig *r, const char *json) {
    latch_set_change change;
    is_fine(r, latch_pkv_add_to_set(&r->cx, &tags, KEY, parsed(r, json), NULL, &change));
    return change;
}

static latch_set_change drop(rig *r, const char *json) {
    latch_set_change change;
    is_fine(r, latch_pkv_remove_from_set(&r->cx, &tags, KEY, parsed(r, json), NULL, &change));
    return change;
}

/* ── what it does ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void takes_one_or_many(void **state) {
    static const struct {
        char what; /* + or - */
        const char *given;
        size_t added, present, removed, absent, size, requests;
        const char *is;
    } rows[] = {
        {'+', "\"a\"", 1, 0, 0, 0, 1, 2, "[\"a\"]"},
        {'+', "\"a\"", 0, 1, 0, 0, 1, 1, "[\"a\"]"},
        {'+', "[\"b\",\"a\",\"c\",\"b\"]", 2, 1, 0, 0, 3, 2, "[\"a\",\"b\",\"c\"]"},
        {'+', "[]", 0, 0, 0, 0, 3, 1, "[\"a\",\"b\",\"c\"]"},
        {'+', "[[\"a\"]]", 1, 0, 0, 0, 4, 2, "[\"a\",\"b\",\"c\",[\"a\"]]"},
        {'-', "[\"x\",\"b\",\"x\",[\"a\"]]", 0, 0, 2, 1, 2, 2, "[\"a\",\"c\"]"},
        {'-', "\"b\"", 0, 0, 0, 1, 2, 1, "[\"a\",\"c\"]"},
        {'+', "{\"x\":1,\"y\":{\"z\":[2,3]}}", 1, 0, 0, 0, 3, 2, "[\"a\",\"c\",{\"x\":1,\"y\":{\"z\":[2,3]}}]"},
        {'+', "{\"y\":{\"z\":[2.0,3]},\"x\":1e0}", 0, 1, 0, 0, 3, 1, "[\"a\",\"c\",{\"x\":1,\"y\":{\"z\":[2,3]}}]"},
        {'+', "{\"y\":{\"z\":[3,2]},\"x\":1}", 1, 0, 0, 0, 4, 2,
         "[\"a\",\"c\",{\"x\":1,\"y\":{\"z\":[2,3]}},{\"y\":{\"z\":[3,2]},\"x\":1}]"},
        {'-', "[\"a\",\"c\",{\"x\":1,\"y\":{\"z\":[2,3]}},{\"y\":{\"z\":[3,2]},\"x\":1}]", 0, 0, 4, 0, 0, 2, "[]"},
        {'-', "\"a\"", 0, 0, 0, 1, 0, 1, "[]"},
        {'+', "[12345678901234567890123,12345678901234567890124,1e22,10000000000000000000000,null,true]", 5, 0, 0, 0, 5, 2,
         "[12345678901234567890123,12345678901234567890124,1e22,null,true]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_again(&ann, 0);
        latch_set_change c = rows[i].what == '+' ? add(&ann, rows[i].given) : drop(&ann, rows[i].given);
        assert_int_equal(c.added, rows[i].added);
        assert_int_equal(c.present, rows[i].present);
        assert_int_equal(c.removed, rows[i].removed);
        assert_int_equal(c.absent, rows[i].absent);
        assert_int_equal(c.size, rows[i].size);
        assert_int_equal(c.conflicts, 0);
        assert_false(c.unsure);
        assert_int_equal(ann.requests, rows[i].requests);
        set_is(&tags, rows[i].is);
    }
}

static bool same_id(void *arg, latch_json element, latch_json given) {
    int64_t a, b;
    const char *name = arg;
    assert_string_equal(name, "rule");
    return latch_read(element, "id", &a) == LATCH_OK && latch_read(given, "id", &b) == LATCH_OK && a == b;
}

static bool is_small(void *arg, latch_json element) {
    int64_t n;
    return latch_read(element, "id", &n) == LATCH_OK && n < *(const int64_t *)arg;
}

static void compares_by_a_rule(void **state) {
    const latch_set_rule rule = {.same = same_id, .arg = (void *)(uintptr_t) "rule"};
    latch_set_change c;
    int64_t bound = 3;
    bool there;
    (void)state;
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &tags, KEY, parsed(&ann, "[{\"id\":1,\"n\":1},{\"id\":2},{\"id\":1,\"n\":2}]"), &rule, &c));
    assert_true(c.added == 2 && c.present == 0);
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":2,\"n\":9}"), &rule, &c));
    assert_true(c.added == 0 && c.present == 1);
    is_fine(&ann, latch_pkv_exists_in_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":1}"), &rule, &there));
    assert_true(there);
    is_fine(&ann, latch_pkv_exists_in_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":1}"), NULL, &there));
    assert_false(there);
    is_fine(&ann, latch_pkv_remove_from_set(&ann.cx, &tags, KEY, parsed(&ann, "[{\"id\":7},{\"id\":2}]"), &rule, &c));
    assert_true(c.removed == 1 && c.absent == 1);
    set_is(&tags, "[{\"id\":1,\"n\":1}]");
    (void)add(&ann, "[{\"id\":5},{\"id\":2}]");
    is_fine(&ann, latch_pkv_remove_from_set_if(&ann.cx, &tags, KEY, is_small, &bound, &c));
    assert_true(c.removed == 2 && c.size == 1);
    is_fine(&ann, latch_pkv_remove_from_set_if(&ann.cx, &tags, KEY, is_small, &bound, &c));
    assert_true(c.removed == 0 && c.size == 1);
    set_is(&tags, "[{\"id\":5}]");
}

static void updates_what_matches(void **state) {
    latch_set_change c;
    int64_t bound = 3;
    bool there;
    (void)state;
    assert_int_equal(latch_pkv_update_in_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":1}"), NULL, NULL, &c), LATCH_MISSING);
    assert_int_equal(ann.requests, 1);
    is_fine(&ann, latch_pkv_exists_in_set(&ann.cx, &tags, KEY, "x", NULL, &there));
    assert_false(there);
    is_fine(&ann, latch_pkv_remove_from_set(&ann.cx, &tags, KEY, "x", NULL, &c));
    assert_true(c.absent == 1 && !rig_has(&world, PK, SK, "data")); /* nothing is made of nothing */
    (void)add(&ann, "[{\"id\":1},{\"id\":2},{\"id\":9}]");
    rig_again(&ann, 0);
    is_fine(&ann, latch_pkv_update_in_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":4}"), is_small, &bound, &c));
    assert_true(c.added == 1 && c.removed == 2 && c.size == 2 && ann.requests == 2);
    set_is(&tags, "[{\"id\":9},{\"id\":4}]");
    is_fine(&ann, latch_pkv_update_in_set(&ann.cx, &tags, KEY, parsed(&ann, "{\"id\":9}"), NULL, NULL, &c)); /* equal: moves to the end */
    set_is(&tags, "[{\"id\":4},{\"id\":9}]");
    is_fine(&ann,
            latch_pkv_update_in_set(&ann.cx, &tags, KEY, parsed(&ann, "[1,2]"), is_small, &bound, &c)); /* one element, none matches */
    assert_true(c.added == 1 && c.removed == 0);
    set_is(&tags, "[{\"id\":4},{\"id\":9},[1,2]]");
    is_fine(&ann, latch_pkv_exists_in_set(&ann.cx, &tags, KEY, parsed(&ann, "[1,2]"), NULL, &there));
    assert_true(there);
}

/* ── what it is conditioned on ──────────────────────────────────────────────────────────────────────────────────────────── */

static void goes_by_what_is_there(void **state) {
    static const struct {
        const char *item;
        const char *condition;
        const char *is;
    } rows[] = {
        {"", "attribute_not_exists(#pk)", "[\"x\"]"},
        {",\"count\":{\"N\":\"3\"}", "attribute_not_exists(#data)", "[\"x\"]"},
        {",\"data\":{\"S\":\"[1]\"}", "#data = :seen_data AND attribute_not_exists(#md5) AND attribute_not_exists(#ver)", "[1,\"x\"]"},
        {",\"data\":{\"S\":\" [1]\"},\"ver\":{\"S\":\"v\"}", "#data = :seen_data AND attribute_not_exists(#md5) AND #ver = :seen_ver",
         "[1,\"x\"]"},
        {",\"data\":{\"S\":\"[1]\"},\"md5\":{\"S\":\"m\"}", "#md5 = :seen_md5 AND attribute_not_exists(#ver)", "[1,\"x\"]"},
        {",\"data\":{\"S\":\"[1]\"},\"md5\":{\"S\":\"m\"},\"ver\":{\"S\":\"v\"}", "#md5 = :seen_md5 AND #ver = :seen_ver", "[1,\"x\"]"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[300];
        rig_again(&ann, 0);
        rig_delete(&world, PK, SK);
        snprintf(text, sizeof text, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"}%s}", rows[i].item);
        if (rows[i].item[0] != '\0') rig_put(&world, text);
        assert_int_equal(add(&ann, "\"x\"").added, 1);
        snprintf(text, sizeof text, "\"ConditionExpression\":\"%s\"", rows[i].condition);
        assert_non_null(strstr(ann.last_request, text));
        set_is(&tags, rows[i].is);
        if (i == 1) assert_int_equal(rig_number(&world, PK, SK, "count"), 3);
        assert_true(rig_has(&world, PK, SK, "md5") && rig_has(&world, PK, SK, "ver"));
    }
}

static void refuses_what_is_no_set(void **state) {
    static const char *const rows[] = {"{\"S\":\"{half\"}", "{\"S\":\"{\\\"a\\\":1}\"}", "{\"S\":\"\"}", "{\"N\":\"1\"}",
                                       "{\"S\":\"null\"}"};
    static char big[LATCH_VALUE_MAX_BYTES - 1];
    latch_set_change c;
    bool there;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[300];
        snprintf(text, sizeof text, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"},\"data\":%s}", rows[i]);
        rig_put(&world, text);
        rig_again(&ann, 0);
        assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, KEY, "x", NULL, &c), LATCH_E_DATA);
        assert_int_equal(latch_pkv_remove_from_set(&ann.cx, &tags, KEY, "x", NULL, &c), LATCH_E_DATA);
        assert_int_equal(latch_pkv_exists_in_set(&ann.cx, &tags, KEY, "x", NULL, &there), LATCH_E_DATA);
        assert_int_equal(ann.requests, 3);
        assert_true(c.added == 0 && c.size == 0 && !there);
    }
    rig_delete(&world, PK, SK);
    memset(big, 'b', sizeof big);
    rig_again(&ann, 0);
    assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, KEY, ((latch_str){big, sizeof big}), NULL, &c), LATCH_E_MISUSE);
    assert_string_equal(latch_error(&ann.cx)->message, "set: it would have 399363 bytes as JSON, want at most 399360");
    rig_again(&ann, 0);
    assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, KEY, "\xff", NULL, &c), LATCH_E_MISUSE);
    assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, latch_pkv_at(LATCH_STR(""), LATCH_STR("s")), "x", NULL, &c), LATCH_E_INPUT);
    assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, latch_pkv_at(LATCH_STR("p"), LATCH_STR("")), "x", NULL, &c), LATCH_E_INPUT);
    assert_int_equal(ann.requests, 0);
}

/* ── the model's table ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* md5 as that library's consistentMd5 gives it, under Node.js 20. */
static void fingerprints_as_the_model_does(void **state) {
    static const struct {
        const char *value, *canon, *md5;
    } rows[] = {
        {"[]", "[]", "d751713988987e9331980363e24189ce"},
        {"[{\"b\":1,\"a\":2}]", "[{\"a\":2,\"b\":1}]", "8119f97ed478fd70fc76224d7fc22b56"},
        {"[{\"B\":1,\"a\":2,\"A\":3,\"b\":4}]", "[{\"a\":2,\"A\":3,\"b\":4,\"B\":1}]", "9330d47b209eb8e049eed71cdbaf65a4"},
        {"[{\"10\":1,\"9\":2,\"x\":3,\"01\":4,\"4294967295\":5,\"4294967294\":6}]",
         "[{\"9\":2,\"10\":1,\"4294967294\":6,\"01\":4,\"4294967295\":5,\"x\":3}]", "efe9fc16ee6316ac31aa4d06dcafaed3"},
        {"[1.0,1e3,1e21,1.5e-7,0.000001,123456.789,-0,100000000000000000000]",
         "[1,1000,1e+21,1.5e-7,0.000001,123456.789,0,100000000000000000000]", "62e4bd6db491eabacd3ad2374b4dcd31"},
        {"[{\"a_b\":1,\"a-b\":2,\"ab\":3,\"aB\":4,\"a b\":5,\"Ab\":6,\"a1\":7}]",
         "[{\"a b\":5,\"a_b\":1,\"a-b\":2,\"a1\":7,\"ab\":3,\"aB\":4,\"Ab\":6}]", "0aa0bb7af75346cd272d4044025cf6e2"},
        {"[\"\\u0001\\b\\n\\\"\\\\/\xC3\xA9\\u2028\"]", "[\"\\u0001\\b\\n\\\"\\\\/\xC3\xA9\xE2\x80\xA8\"]",
         "1556d7a88d566637533304d60bdd302f"},
        {"[\"\\u001F\\\\u001F\"]", "[\"\\u001f\\\\u001F\"]", "beb0afce3c23b685ecea878a559dc80b"},
        {"[{\"z\":{\"y\":[{\"b\":null,\"a\":true}]}},null]", "[{\"z\":{\"y\":[{\"a\":true,\"b\":null}]}},null]",
         "48377c81485d1c7b97a3512ac741d211"},
        {"[{\"_\":1,\"$\":2,\"@\":3,\"#\":4,\"~\":5,\"(\":6,\"0\":7}]", "[{\"0\":7,\"_\":1,\"(\":6,\"@\":3,\"#\":4,\"~\":5,\"$\":2}]",
         "09dd27fc50b73a6aa8450ec352fd160c"},
        {"[5e-324,1.7976931348623157e308,0.1,1e-130]", "[5e-324,1.7976931348623157e+308,0.1,1e-130]", "a240df57bb7e8c1196078f9e53e23b33"},
        {"[{\"a\":1,\"a\":2}]", "[{\"a\":2}]", "362d02b89da6a8ef228368d51aae46f2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str text;
        char md5[LATCH_MD5_HEX_BYTES];
        size_t mark;
        latch_json v = parsed(&ann, rows[i].value);
        is_fine(&ann, latch_canon_text(&ann.cx, v, &text));
        if (!latch_str_eq(text, latch_str_of(rows[i].canon))) fail_msg("is %.*s\nwant %s", LATCH_ARG(text), rows[i].canon);
        mark = latch_arena_mark(ann.cx.arena);
        is_fine(&ann, latch_canon_md5(&ann.cx, v, md5));
        assert_int_equal(latch_arena_mark(ann.cx.arena), mark);
        assert_string_equal(md5, rows[i].md5);
    }
}

static void shares_the_models_table(void **state) {
    latch_set_change c;
    char text[400];
    latch_str ver;
    (void)state;
    plant(PARTITIONED,
          "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"tags.seen\"},\"data\":{\"S\":\"[\\\"a\\\"]\"},\"md5\":{\"S\":"
          "\"abcd\"}}");
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &theirs, KEY, "b", NULL, &c));
    assert_true(c.added == 1 && ann.requests == 2);
    set_is(&theirs, "[\"a\",\"b\"]");
    latch_json sent = parsed(&ann, ann.last_request);
    is_fine(&ann, latch_read(sent, "ExpressionAttributeValues", &sent));
    for (latch_each each = latch_each_in(sent); latch_each_next(&each);)
        if (latch_str_eq(each.name, LATCH_STR(":ver"))) is_fine(&ann, latch_read(latch_each_value(&each), "S", &ver));
    snprintf(
        text, sizeof text,
        "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"tags.seen\"},\"data\":{\"S\":\"[\\\"a\\\",\\\"b\\\"]\"},\"md5\":{\"S\":"
        "\"e53f04d1bcc1428d9e8db9a93578c5eb\"},\"ver\":{\"S\":\"%.*s\"}}",
        LATCH_ARG(ver));
    stands(PARTITIONED, "{\"partitionKey\":{\"S\":\"ann\"},\"sortKey\":{\"S\":\"tags.seen\"}}", text);
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &times, latch_pkv_at(LATCH_STR("ann"), LATCH_STR("1767225600000")), "b", NULL, &c));
    assert_int_equal(c.added, 1);
}

/* ── others between ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t times_to_come;
static bool nested;

/* Before each of ann's writes, so often. */
static void bob_adds(void *arg) {
    char json[24];
    (void)arg;
    if (nested || times_to_come == 0 || strcmp(ann.operation, "UpdateItem") != 0) return;
    nested = true;
    snprintf(json, sizeof json, "\"b%zu\"", times_to_come--);
    rig_again(&bob, 0);
    assert_int_equal(add(&bob, json).added, 1);
    nested = false;
}

static void tries_again_when_others_come_between(void **state) {
    static const struct {
        size_t conflicts, requests;
        latch_status status;
    } rows[] = {{0, 2, LATCH_OK}, {1, 3, LATCH_OK}, {2, 5, LATCH_OK}, {5, 11, LATCH_OK}, {23, 47, LATCH_OK}, {24, 47, LATCH_CONFLICT}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_set_change c;
        pair_again(sound);
        rig_delete(&world, PK, SK);
        times_to_come = rows[i].conflicts;
        ann.before = bob_adds;
        assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, KEY, "a", NULL, &c), rows[i].status);
        ann.before = NULL;
        assert_int_equal(ann.requests, rows[i].requests);
        assert_true(ann.requests <= 2 + 2 * rows[i].conflicts);
        if (rows[i].conflicts > 1) assert_true(ann.slept_ms > 0);
        if (rows[i].status == LATCH_OK) assert_true(c.added == 1 && c.conflicts == rows[i].conflicts && c.size == rows[i].conflicts + 1);
        if (rows[i].status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        if (rows[i].status != LATCH_OK)
            assert_string_equal(latch_error(&ann.cx)->message, PK ", " SK ": changed by others before each of 24 tries");
    }
    pair_again(sound);
    rig_delete(&world, PK, SK);
    ann.cx.deadline_at_ms = T0 + 30;
    times_to_come = 20;
    ann.before = bob_adds;
    latch_set_change c;
    latch_status status = latch_pkv_add_to_set(&ann.cx, &tags, KEY, "late", NULL, &c);
    assert_true(status == LATCH_CONFLICT || status == LATCH_E_TIMEOUT);
    assert_true(latch_now_ms(&ann.cx) <= ann.cx.deadline_at_ms);
    ann.before = NULL;
}

/* ── lost and late ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void bob_before_the_repeat(void *arg) {
    (void)arg;
    rig_again(&bob, 0);
    if (ann.requests == 3) (void)add(&bob, "\"bob\"");
}

static void recognises_its_own_write(void **state) {
    static const struct {
        fault fails;
        bool bob; /* comes before the repeat */
        latch_status status;
        size_t requests, added;
        bool unsure;
    } rows[] = {
        {LOST_AFTER, false, LATCH_OK, 3, 1, false},
        {LOST_BEFORE, false, LATCH_OK, 3, 1, false},
        {FAILS_500, false, LATCH_OK, 3, 1, false},
        {ANSWERS_NO_JSON, false, LATCH_OK, 3, 1, false},
        {LATE, false, LATCH_OK, 3, 1, false},
        {LOST_AFTER, true, LATCH_OK, 3, 0, true}, /* hers is in it, and so is his: whose doing hers was nobody can tell */
        {LOST_BEFORE, true, LATCH_OK, 4, 1, true},
        {NOT_SENT, false, LATCH_E_NETWORK, 2, 0, false},
        {FAILS_THROTTLED, false, LATCH_E_THROTTLED, 2, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_set_change c;
        pair_again(sound);
        rig_delete(&world, PK, SK);
        (void)add(&ann, "\"first\"");
        rig_again(&ann, 0);
        ann.faults[1] = rows[i].fails;
        ann.before = rows[i].bob ? bob_before_the_repeat : NULL;
        assert_int_equal(latch_pkv_add_to_set(&ann.cx, &tags, KEY, "a", NULL, &c), rows[i].status);
        ann.before = NULL;
        assert_int_equal(ann.requests, rows[i].requests);
        if (rows[i].status != LATCH_OK) assert_false(latch_error(&ann.cx)->maybe_applied);
        if (rows[i].status != LATCH_OK) continue;
        assert_int_equal(c.added, rows[i].added);
        assert_int_equal(c.unsure, rows[i].unsure);
        if (rows[i].fails == LATE) rig_deliver(&ann);
        set_is(&tags, !rows[i].bob                  ? "[\"first\",\"a\"]"
                      : rows[i].fails == LOST_AFTER ? "[\"first\",\"a\",\"bob\"]"
                                                    : "[\"first\",\"bob\",\"a\"]");
    }
}

/* Ann adds, and a try of hers is late; bob removes what she added; then it comes. True: it is back. */
static bool brings_back_what_was_removed(rig_twin twin) {
    bool there;
    pair_again(twin);
    rig_delete(&world, PK, SK);
    (void)add(&bob, "\"first\"");
    ann.faults[1] = LATE;
    assert_int_equal(add(&ann, "\"a\"").added, 1);
    rig_again(&bob, 0);
    assert_int_equal(drop(&bob, "\"a\"").removed, 1); /* and its contents are what ann had read */
    rig_deliver(&ann);
    is_fine(&bob, latch_pkv_exists_in_set(&bob.cx, &tags, KEY, "a", NULL, &there));
    return there;
}

static void another_writes_a_plain_list(void *arg) {
    (void)arg;
    if (ann.requests == 2) rig_put(&world, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"},\"data\":{\"S\":\"[1,2]\"}}");
}

/* Whoever writes a plain list leaves no md5 and no ver. One comes between ann's look and her write. True: its element is lost. */
static bool loses_a_plain_write(rig_twin twin) {
    bool there;
    latch_set_change c;
    pair_again(twin);
    rig_put(&world, "{\"pk\":{\"S\":\"" PK "\"},\"sk\":{\"S\":\"" SK "\"},\"data\":{\"S\":\"[1]\"}}");
    ann.before = another_writes_a_plain_list;
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &tags, KEY, "a", NULL, &c));
    ann.before = NULL;
    is_fine(&bob, latch_pkv_exists_in_set(&bob.cx, &tags, KEY, latch_int(2), NULL, &there));
    return !there;
}

/* A plain set between a look and a write is as any change: it has a ver, and an md5 of its own. */
static void minds_plain_sets(void **state) {
    latch_set_change c;
    (void)state;
    (void)add(&ann, "[1,2]");
    rig_again(&ann, 0);
    ann.faults[1] = LATE;
    (void)add(&ann, "[3]");
    is_fine(&bob, latch_pkv_set(&bob.cx, &tags, KEY, parsed(&bob, "[1,2]"))); /* the same contents as were read before the late write */
    rig_deliver(&ann);
    set_is(&tags, "[1,2]");
    is_fine(&ann, latch_pkv_add_to_set(&ann.cx, &tags, KEY, latch_int(4), NULL, &c));
    assert_true(c.added == 1 && c.conflicts == 0);
}

/* ── the harness: each caller's elements are its own, so it knows which must be there; late writes come, or don't ──────────── */

#define ROUNDS (rig_is_engine() ? 800 : 60) /* each some ten requests */
#define ELEMENTS 4

typedef enum known { UNKNOWN, IN, OUT } known;

static struct tally {
    size_t wrong, interleaved, lost, late, changed;
    known of[2][ELEMENTS];
} tally;

static uint32_t seed;
static uint32_t roll(uint32_t sides) {
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % sides;
}

static void change_and_tally(rig *r, size_t who) {
    char json[8];
    size_t element = roll(ELEMENTS);
    bool adds = roll(2) == 0;
    latch_set_change c;
    snprintf(json, sizeof json, "%zu", who * 100 + element);
    rig_again(r, 0);
    for (size_t i = 1; i < 4; i++)
        r->faults[i] = roll(5) == 0 ? (fault)(LOST_BEFORE + roll(3)) : NO_FAULT;
    latch_status status = adds ? latch_pkv_add_to_set(&r->cx, &tags, KEY, parsed(r, json), NULL, &c)
                               : latch_pkv_remove_from_set(&r->cx, &tags, KEY, parsed(r, json), NULL, &c);
    for (size_t i = 1; i < 4 && i < r->requests; i++) {
        tally.lost += r->faults[i] != NO_FAULT;
        tally.late += r->faults[i] == LATE;
    }
    known *it = &tally.of[who][element];
    if (status == LATCH_OK) {
        known before = *it;
        *it = adds ? IN : OUT;
        tally.changed += c.added + c.removed;
        if (!c.unsure && adds && before == IN) tally.wrong += c.added != 0;
        if (!c.unsure && !adds && before == OUT) tally.wrong += c.removed != 0;
    } else if (r->cx.err.maybe_applied) {
        *it = UNKNOWN;
    }
}

static void bob_comes_between(void *arg) {
    (void)arg;
    if (roll(3) != 0) return;
    tally.interleaved++;
    change_and_tally(&bob, 1);
}

static void check_all(void) {
    latch_json v;
    bool there[2][ELEMENTS] = {{false}};
    rig_again(&bob, 0);
    latch_status status = latch_pkv_get(&bob.cx, &tags, KEY, &v);
    if (status != LATCH_MISSING) is_fine(&bob, status);
    for (latch_each each = latch_each_in(v); latch_each_next(&each);) {
        int64_t n;
        is_fine(&bob, latch_read(latch_each_value(&each), "", &n));
        tally.wrong += there[n / 100][n % 100]; /* once each */
        there[n / 100][n % 100] = true;
    }
    for (size_t who = 0; who < 2; who++) {
        for (size_t e = 0; e < ELEMENTS; e++)
            tally.wrong += (tally.of[who][e] == IN && !there[who][e]) || (tally.of[who][e] == OUT && there[who][e]);
    }
}

/* How often an element was lost, or came back. */
static size_t race(rig_twin twin) {
    pair_again(twin);
    rig_delete(&world, PK, SK);
    tally = (struct tally){0};
    seed = 2463534242;
    for (int i = 0, rounds = ROUNDS; i < rounds; i++) {
        ann.before = bob_comes_between;
        change_and_tally(&ann, 0);
        ann.before = NULL;
        if (roll(2) == 0) rig_deliver(roll(2) == 0 ? &ann : &bob);
        check_all();
    }
    return tally.wrong;
}

static void loses_nothing_under_races_and_losses(void **state) {
    (void)state;
    assert_int_equal(race(sound), 0);
    print_message("%d rounds: %zu changes, %zu interleaved, %zu replies lost, %zu late\n", ROUNDS, tally.changed, tally.interleaved,
                  tally.lost, tally.late);
    assert_true(tally.interleaved > 30 && tally.lost > 10 && tally.late > 2 && tally.changed > 30);
    assert_false(brings_back_what_was_removed(sound));
    assert_false(loses_a_plain_write(sound));
}

static void finds_the_broken_twins(void **state) {
    (void)state;
    if (rig_is_engine()) assert_true(race(forgets_ver) > 0); /* some hundred rounds find it */
    if (rig_is_engine()) assert_true(race(forgets_md5) > 0);
    assert_true(brings_back_what_was_removed(forgets_ver));
    assert_true(loses_a_plain_write(forgets_data));
    pair_again(sound);
}

static void fits_or_refuses_at_every_arena_size(void **state) {
    size_t refused = 0;
    latch_status status = LATCH_E_NOMEM;
    bool before = false, there;
    (void)state;
    (void)add(&bob, "[1,2,{\"a\":1,\"b\":2}]");
    for (size_t bytes = 16; status != LATCH_OK; bytes += rig_is_engine() ? 16 : 64) {
        latch_set_change c = {.added = 1};
        rig_again(&ann, bytes);
        status = latch_pkv_add_to_set(&ann.cx, &tags, KEY, "x", NULL, &c);
        if (status != LATCH_OK) assert_int_equal(status, LATCH_E_NOMEM);
        if (status != LATCH_OK) assert_true(c.added == 0);
        rig_again(&bob, 0);
        is_fine(&bob, latch_pkv_exists_in_set(&bob.cx, &tags, KEY, "x", NULL, &there));
        if (status != LATCH_OK && there && !before) assert_true(latch_error(&ann.cx)->maybe_applied);
        before = there;
        refused += status != LATCH_OK;
    }
    assert_in_range(refused, 20, 2000);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, keys_set_up, pair_tear_down)

static const struct CMUnitTest tests[] = {
    ROW(takes_one_or_many),
    ROW(compares_by_a_rule),
    ROW(updates_what_matches),
    ROW(goes_by_what_is_there),
    ROW(refuses_what_is_no_set),
    ROW(fingerprints_as_the_model_does),
    ROW(shares_the_models_table),
    ROW(tries_again_when_others_come_between),
    ROW(recognises_its_own_write),
    ROW(minds_plain_sets),
    ROW(loses_nothing_under_races_and_losses),
    ROW(finds_the_broken_twins),
    ROW(fits_or_refuses_at_every_arena_size),
};

CHECK_MAIN(tests)

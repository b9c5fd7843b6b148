#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "tests/check.h"
#include "tests/core/room.h"

#define EVENT_BYTES ((size_t)6291556) /* the largest event that Lambda sends */

static room r;

static int set_up(void **state) {
    (void)state;
    room_open(&r, (size_t)1 << 16);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_close(&r);
    return 0;
}

static latch_json parsed(const char *text) {
    latch_json v;
    latch_status status = latch_parse(&r.cx, "body", at_the_edge(latch_str_of(text)), &v);
    if (status != LATCH_OK) fail_msg("%s: %s", text, r.cx.err.message);
    return v;
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reads_every_kind(void **state) {
    latch_json v =
        parsed("{\"s\":\"t\\u00e9a\\u0000x\",\"i\":-5,\"max\":9223372036854775807,\"min\":-9223372036854775808,\"d\":1.5,\"whole\":7,"
               "\"t\":true,\"f\":false,\"o\":{\"deep\":[1,{\"x\":\"y\"}]},\"l\":[10,20,30]}");
    latch_str s, x;
    int64_t i, max, min, second;
    double d, whole;
    bool t, f;
    latch_json o, l;
    (void)state;
    assert_int_equal(latch_read(v, "s", &s, "i", &i, "max", &max, "min", &min, "d", &d, "whole", &whole, "t", &t, "f", &f, "o", &o, "l", &l,
                                "o.deep[1].x", &x, "l[1]", &second),
                     LATCH_OK);
    assert_true(latch_str_eq(s, LATCH_STR("t\xC3\xA9"
                                          "a\0x")));
    assert_int_equal(i, -5);
    assert_true(max == INT64_MAX && min == INT64_MIN);
    assert_true(d == 1.5 && whole == 7.0);
    assert_true(t && !f);
    assert_text(latch_text(o), "{\"deep\":[1,{\"x\":\"y\"}]}");
    assert_int_equal(latch_count(l), 3);
    assert_text(x, "y");
    assert_int_equal(second, 20);
}

static void reads_big_whole_numbers_as_doubles(void **state) {
    double d;
    char text[400];
    (void)state;
    assert_int_equal(latch_read(parsed("{\"n\":123456789012345678901234567890}"), "n", &d), LATCH_OK);
    assert_true(d == 123456789012345678901234567890.0);
    assert_int_equal(latch_read(parsed("{\"n\":-18446744073709551616}"), "n", &d), LATCH_OK);
    assert_true(d == -18446744073709551616.0);
    memset(text, '9', sizeof text);
    memcpy(text, "{\"n\":1", 6);
    memcpy(text + 330, "}", 2); /* 325 digits */
    assert_int_equal(latch_read(parsed(text), "n", &d), LATCH_E_INPUT);
    assert_true(d == 0);
}

static void gives_values_for_what_is_absent(void **state) {
    latch_json v = parsed("{\"null\":null,\"n\":5}"), o;
    latch_str s = LATCH_STR("x");
    int64_t i = 1, with = 1, set = 1;
    double d = 1;
    bool b = true;
    (void)state;
    for (int k = 0; k < 2; k++) {
        const char *name = k == 0 ? "null" : "absent.deeper[3]";
        const latch_field fields[] = {
            {name, latch_optional(&s)},           {name, latch_optional(&i)}, {name, latch_range_or(&with, 1, 9, 4)},
            {"n", latch_range_or(&set, 1, 9, 4)}, {name, latch_optional(&d)}, {name, latch_optional(&b)},
            {name, latch_optional(&o)},           {NULL, latch_i_str_(NULL)}};
        assert_int_equal(latch_read_(v, fields), LATCH_OK);
        assert_int_equal(s.len, 0);
        assert_true(i == 0 && d == 0 && !b);
        assert_int_equal(with, 4);
        assert_int_equal(set, 5);
        assert_text(latch_text(o), "null");
        assert_false(latch_has(v, name));
    }
    assert_true(latch_has(v, "n"));
}

#define DOC                                                                                                                                \
    "{\"s\":\"text\",\"empty\":\"\",\"n\":0,\"half\":1.5,\"big\":18446744073709551615,\"huge\":1e999,\"null\":null,\"o\":{\"a\":[1,{"      \
    "\"b\":2}]},"                                                                                                                          \
    "\"l\":[],\"long\":\"0123456789012345678901234567890123456789012345678901234\xC3\xA9\xC3\xA9\xC3\xA9\"}"

static void says_what_is_wrong(void **state) {
    latch_str s;
    int64_t i;
    double d;
    bool b;
    latch_json j;
    const struct {
        const char *path, *says;
        latch_into into;
    } rows[] = {
        {"absent", "body.absent: is missing, want text", latch_i_str_(&s)},
        {"null", "body.null: is missing, want a whole number", latch_i_int_(&i)},
        {"o.a[1].c", "body.o.a[1].c: is missing, want true or false", latch_i_bool_(&b)},
        {"o.a[2]", "body.o.a[2]: is missing, want a whole number", latch_i_int_(&i)},
        {"s.x", "body.s.x: is missing, want text", latch_i_str_(&s)},
        {"n", "body.n: is 0, want text", latch_i_str_(&s)},
        {"empty", "body.empty: is \"\", want text", latch_i_str_(&s)},
        {"s", "body.s: is \"text\", want text of 5 to 9 bytes", latch_bytes(&s, 5, 9)},
        {"s", "body.s: is \"text\", want text of 1 to 3 bytes", latch_bytes(&s, 1, 3)},
        {"s", "body.s: is \"text\", want a whole number", latch_i_int_(&i)},
        {"s", "body.s: is \"text\", want a number", latch_i_num_(&d)},
        {"s", "body.s: is \"text\", want true or false", latch_i_bool_(&b)},
        {"s", "body.s: is \"text\", want an object or a list", latch_i_json_(&j)},
        {"n", "body.n: is 0, want a whole number from 1 to 100", latch_range(&i, 1, 100)},
        {"n", "body.n: is 0, want a whole number from -9 to -1", latch_range_or(&i, -9, -1, -5)},
        {"half", "body.half: is 1.5, want a whole number", latch_i_int_(&i)},
        {"big", "body.big: is 18446744073709551615, want a whole number of 64 bits", latch_i_int_(&i)},
        {"huge", "body.huge: is 1e999, want a number that a double holds", latch_i_num_(&d)},
        {"huge", "body.huge: is 1e999, want a whole number of 64 bits", latch_i_int_(&i)},
        {"n", "body.n: is 0, want text", latch_optional(&s)},
        {"o", "body.o: is {\"a\":[1,{\"b\":2}]}, want text", latch_i_str_(&s)},
        {"l", "body.l: is [], want true or false", latch_i_bool_(&b)},
        {"long", "body.long: is \"0123456789012345678901234567890123456789012345678901234\xC3\xA9\xC3\xA9, want a whole number",
         latch_i_int_(&i)},
        {"", "body: is {\"s\":\"text\",\"empty\":\"\",\"n\":0,\"half\":1.5,\"big\":18446744073709, want text", latch_i_str_(&s)},
        {"o.a[1]x", "body.o.a[1]x: is missing, want text", latch_i_str_(&s)},
        {"o.a[x]", "body.o.a[x]: is missing, want text", latch_i_str_(&s)},
        {"o.a[]", "body.o.a[]: is missing, want text", latch_i_str_(&s)},
        {"o.a[-1]", "body.o.a[-1]: is missing, want text", latch_i_str_(&s)},
        {"o.a[0", "body.o.a[0: is missing, want text", latch_i_str_(&s)},
        {"o.a[18446744073709551616]", "body.o.a[18446744073709551616]: is missing, want text", latch_i_str_(&s)},
    };
    (void)state;
    latch_json v = parsed(DOC);
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        s = LATCH_STR("x"), i = 1, d = 1, b = true, j = v;
        r.cx.err = (latch_err){0};
        const latch_field fields[] = {{rows[k].path, rows[k].into}, {NULL, latch_i_str_(NULL)}};
        assert_int_equal(latch_read_(v, fields), LATCH_E_INPUT);
        assert_string_equal(r.cx.err.message, rows[k].says);
        assert_true(r.cx.err.for_client);
        bool zero[] = {s.len == 0, i == 0, d == 0, !b, j.node == NULL};
        latch_into_kind kind = rows[k].into.kind;
        if (!zero[kind]) fail_msg("row %zu: the variable isn't zero", k);
    }
}

/* The message is logged, and posted as the invocation's error. */
static void shows_no_secret(void **state) {
    static const char doc[] =
        "{\"password\":\"hunter2\",\"pin_token\":1234,\"empty_secret\":\"\",\"card\":{\"number\":\"4111\",\"cookies\":[\"c-1\",7]},"
        "\"login\":{\"user\":\"ann\",\"password\":\"hunter2\"},"
        "\"late\":{\"user\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"password\":\"hunter2hunter2hunter2\"}}";
    latch_str s;
    int64_t i;
    bool b;
    const struct {
        const char *path, *says;
        latch_into into;
    } rows[] = {
        {"password", "tokens.password: is *** (7 bytes), want text of 12 to 80 bytes", latch_bytes(&s, 12, 80)},
        {"password", "tokens.password: is *** (7 bytes), want a whole number", latch_i_int_(&i)},
        {"pin_token", "tokens.pin_token: is ***, want a whole number from 0 to 9", latch_range(&i, 0, 9)},
        {"empty_secret", "tokens.empty_secret: is \"\", want text", latch_i_str_(&s)},
        {"card.cookies[0]", "tokens.card.cookies[0]: is *** (3 bytes), want a whole number", latch_i_int_(&i)},
        {"card.cookies[1]", "tokens.card.cookies[1]: is ***, want text", latch_i_str_(&s)},
        {"card.number", "tokens.card.number: is \"4111\", want a whole number",
         latch_i_int_(&i)}, /* the document's name is none of the field's */
        {"login", "tokens.login: is {\"user\":\"ann\",\"password\":\"***\"}, want true or false", latch_i_bool_(&b)},
        {"late", "tokens.late: is {\"user\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"password\":\"***, want text",
         latch_i_str_(&s)}, /* cut within it */
    };
    latch_json v;
    (void)state;
    assert_int_equal(latch_parse(&r.cx, "tokens", latch_str_of(doc), &v), LATCH_OK);
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        const latch_field fields[] = {{rows[k].path, rows[k].into}, {NULL, latch_i_str_(NULL)}};
        assert_int_equal(latch_read_(v, fields), LATCH_E_INPUT);
        assert_string_equal(r.cx.err.message, rows[k].says);
    }
}

/* Within what was read, and by a name that the environment adds. */
static void shows_no_secret_of_a_secret_object(void **state) {
    const latch_log log = {.fd = -1, .redact = {.extra = "card number"}};
    latch_json v = parsed("{\"credentials\":{\"user\":\"ann\"},\"cardNumber\":\"4111\"}"), credentials;
    int64_t i;
    (void)state;
    assert_int_equal(latch_read(v, "credentials", &credentials), LATCH_OK);
    assert_int_equal(latch_read(credentials, "user", &i), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "body.credentials.user: is *** (3 bytes), want a whole number");
    assert_int_equal(latch_read(v, "cardNumber", &i), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "body.cardNumber: is \"4111\", want a whole number");
    r.cx.log = &log;
    assert_int_equal(latch_read(v, "cardNumber", &i), LATCH_E_INPUT);
    r.cx.log = NULL;
    assert_string_equal(r.cx.err.message, "body.cardNumber: is *** (4 bytes), want a whole number");
}

static void shows_the_beginning_of_a_long_text(void **state) {
    static const char seen[] = "body.x: is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    (void)state;
    for (size_t len = 60; len < 2000; len++) {
        char text[2048] = "{\"x\":\"";
        latch_str x;
        size_t at = strlen(text);
        memset(text + at, 'a', len);
        memcpy(text + at + len, "\"}", 3);
        latch_arena_rewind(&r.arena, 0);
        assert_int_equal(latch_read(parsed(text), "x", latch_bytes(&x, 1, 4)), LATCH_E_INPUT);
        assert_memory_equal(r.cx.err.message, seen, sizeof seen - 1);
    }
}

/* What another service sent isn't for our client to see, nor to mend. */
static void what_was_fetched_is_no_clients_fault(void **state) {
    latch_json v;
    int64_t rate;
    (void)state;
    assert_int_equal(latch_parse_data(&r.cx, "rates", LATCH_STR("<html>"), &v), LATCH_E_DATA);
    assert_false(r.cx.err.for_client);
    assert_int_equal(latch_parse_data(&r.cx, "rates", LATCH_STR("{\"rate\":\"secret\"}"), &v), LATCH_OK);
    assert_int_equal(latch_read(v, "rate", &rate), LATCH_E_DATA);
    assert_string_equal(r.cx.err.message, "rates.rate: is \"secret\", want a whole number");
    assert_false(r.cx.err.for_client);
}

static void writes_every_variable_and_tells_the_first_error(void **state) {
    latch_str s = LATCH_STR("x");
    int64_t i = 1, n = 1;
    (void)state;
    assert_int_equal(latch_read(parsed(DOC), "s", &s, "absent", &i, "o", &n), LATCH_E_INPUT);
    assert_text(s, "text");
    assert_true(i == 0 && n == 0);
    assert_string_equal(r.cx.err.message, "body.absent: is missing, want a whole number");
}

static void checks_ranges_at_both_ends(void **state) {
    static const struct {
        int64_t n, min, max;
        bool ok;
    } rows[] = {{1, 1, 3, true},
                {3, 1, 3, true},
                {0, 1, 3, false},
                {4, 1, 3, false},
                {-1, -1, -1, true},
                {INT64_MAX, INT64_MIN, INT64_MAX, true},
                {INT64_MIN, INT64_MIN, INT64_MAX, true},
                {INT64_MAX, 0, INT64_MAX - 1, false}};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        char text[64];
        int64_t n;
        latch_str s;
        snprintf(text, sizeof text, "{\"n\":%" PRId64 "}", rows[k].n);
        assert_int_equal(latch_read(parsed(text), "n", latch_range(&n, rows[k].min, rows[k].max)), rows[k].ok ? LATCH_OK : LATCH_E_INPUT);
        assert_true(n == (rows[k].ok ? rows[k].n : 0));
        if (rows[k].n < 0 || rows[k].n > 9) continue;
        snprintf(text, sizeof text, "{\"s\":\"%.*s\"}", (int)rows[k].n, "123456789");
        assert_int_equal(latch_read(parsed(text), "s", latch_bytes(&s, rows[k].min, rows[k].max)), rows[k].ok ? LATCH_OK : LATCH_E_INPUT);
    }
}

static void names_the_whole_path(void **state) {
    latch_json v = parsed("{\"items\":[{\"sku\":\"a\"},{\"at\":{\"sku\":5}}]}"), items, at;
    latch_str s;
    (void)state;
    assert_int_equal(latch_read(v, "items", &items), LATCH_OK);
    assert_int_equal(latch_read(latch_at(items, 1), "at", &at), LATCH_OK);
    assert_int_equal(latch_read(at, "sku", &s), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "body.items[1].at.sku: is 5, want text");
    assert_int_equal(latch_read(latch_at(items, 0), "", &s), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "body.items[0]: is {\"sku\":\"a\"}, want text");
    assert_int_equal(latch_read(latch_json_named(&r.cx, "record 7", at), "sku", &s), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "record 7.sku: is 5, want text");
    assert_int_equal(latch_read(latch_at(items, 2), "sku", &s), LATCH_E_DATA); /* past the end: nothing */
    assert_string_equal(r.cx.err.message, "value.sku: is missing, want text");
}

static void finds_elements_in_any_order(void **state) {
    static const size_t order[] = {0, 1, 2, 5, 3, 3, 7, 0, 7, 6, 8, 100, 4};
    latch_json list = parsed("[0,[1],2,{\"x\":3},4,\"5\",6,7]");
    (void)state;
    for (size_t k = 0; k < COUNT_OF(order); k++) {
        char want[8];
        snprintf(want, sizeof want, order[k] == 1 ? "[%zu]" : order[k] == 3 ? "{\"x\":%zu}" : order[k] == 5 ? "\"%zu\"" : "%zu", order[k]);
        assert_text(latch_text(latch_at(list, order[k])), order[k] < 8 ? want : "null");
    }
    assert_int_equal(latch_count(list), 8);
    assert_int_equal(latch_count(latch_at(list, 3)), 0); /* an object is no list */
}

static void reads_nothing_from_nothing(void **state) {
    latch_str s;
    latch_json none = {&r.cx, NULL};
    (void)state;
    assert_int_equal(latch_read(LATCH_NULL, "x", &s), LATCH_E_MISUSE);
    assert_int_equal(latch_read(none, "x", &s), LATCH_E_DATA);
    assert_int_equal(latch_count(LATCH_NULL), 0);
    assert_int_equal(latch_count(latch_at(LATCH_NULL, 0)), 0);
    assert_false(latch_has(LATCH_NULL, "x"));
    assert_text(latch_text(LATCH_NULL), "null");
    assert_text(latch_text(none), "null");
}

static void takes_the_first_of_two_equal_names(void **state) {
    int64_t n;
    (void)state;
    assert_int_equal(latch_read(parsed("{\"n\":1,\"n\":2}"), "n", &n), LATCH_OK);
    assert_int_equal(n, 1);
}

/* A value behind a bad one is of no use to whoever reads on from an old copy: the text read is the arena's, not the caller's. */
static void copies_the_text(void **state) {
    char text[] = "{\"s\":\"before\"}";
    latch_json v;
    latch_str s;
    (void)state;
    assert_int_equal(latch_parse(&r.cx, "body", latch_str_of(text), &v), LATCH_OK);
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(latch_read(v, "s", &s), LATCH_OK);
    assert_text(s, "before");
}

/* ── parsing ────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ROWTEXT(lit)                                                                                                                       \
    { lit, sizeof(lit) - 1 }

static void refuses_what_is_no_json(void **state) {
    static const latch_str texts[] = {
        ROWTEXT(" "),
        ROWTEXT("{"),
        ROWTEXT("}"),
        ROWTEXT("[1,]"),
        ROWTEXT("{\"a\":}"),
        ROWTEXT("{a:1}"),
        ROWTEXT("{'a':1}"),
        ROWTEXT("[1 2]"),
        ROWTEXT("01"),
        ROWTEXT("1."),
        ROWTEXT(".5"),
        ROWTEXT("+1"),
        ROWTEXT("-"),
        ROWTEXT("1e"),
        ROWTEXT("NaN"),
        ROWTEXT("Infinity"),
        ROWTEXT("tru"),
        ROWTEXT("nul"),
        ROWTEXT("\"abc"),
        ROWTEXT("\"\\x\""),
        ROWTEXT("\"\\u12\""),
        ROWTEXT("\"\\ud800\""),
        ROWTEXT("\"\\udc00x\""),
        ROWTEXT("\"a\nb\""),
        ROWTEXT("\"a\0b\""),
        ROWTEXT("1\0"),
        ROWTEXT("\0"),
        ROWTEXT("{}{}"),
        ROWTEXT("[] x"),
        ROWTEXT("// x\n1"),
        ROWTEXT("\"\xFF\""),
        ROWTEXT("\"\xC0\x80\""),
        ROWTEXT("\"\xED\xA0\x80\""),
        ROWTEXT("\"\xE2\x82\""),
        ROWTEXT("{\"\xFF\":1}"),
        ROWTEXT("\xEF\xBB\xBF{}"),
        ROWTEXT("\xFE\xFF"),
        ROWTEXT("\\"),
        ROWTEXT("\"\\"),
    };
    latch_json v;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        latch_status status = latch_parse(&r.cx, "body", at_the_edge(texts[i]), &v);
        if (status != LATCH_E_INPUT || strncmp(r.cx.err.message, "body: is not JSON, byte ", 24) != 0)
            fail_msg("row %zu: %d \"%s\"", i, status, r.cx.err.message);
        assert_true(r.cx.err.for_client);
        assert_text(latch_text(v), "null");
    }
    assert_int_equal(latch_parse(&r.cx, "body", (latch_str){NULL, 0}, &v), LATCH_E_INPUT);
    assert_string_equal(r.cx.err.message, "body: is empty, want JSON");
    assert_int_equal(latch_json_parse(&r.cx, LATCH_E_DATA, "item", LATCH_STR("[1,}"), &v), LATCH_E_DATA);
    assert_false(r.cx.err.for_client);
}

/* `depth` lists, or objects in objects. */
static latch_str nested(size_t depth, bool objects, bool closed) {
    size_t size = depth * (objects ? 6 : 2) + 1, len = 0;
    char *text = malloc(size);
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + len, objects ? "{\"a\":" : "[", objects ? 5 : 1);
        len += objects ? 5 : 1;
    }
    if (objects) text[len++] = '1';
    for (size_t i = 0; closed && i < depth; i++)
        text[len++] = objects ? '}' : ']';
    latch_str copy = at_the_edge((latch_str){text, len});
    free(text);
    return copy;
}

static void bounds_nesting(void **state) {
    static const struct {
        size_t depth;
        const char *lists, *objects; /* messages; NULL: it is taken */
    } rows[] = {
        {1, NULL, NULL},
        {127, NULL, NULL},
        {128, NULL, NULL},
        {129, "body: is nested over 128 levels at byte 128", "body: is nested over 128 levels at byte 640"},
        {10000, "body: is nested over 128 levels at byte 128", "body: is nested over 128 levels at byte 640"},
    };
    latch_json v;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int k = 0; k < 4; k++) {
            bool objects = k % 2 == 1, closed = k < 2;
            const char *says = objects ? rows[i].objects : rows[i].lists;
            latch_arena_rewind(&r.arena, 0);
            latch_status status = latch_parse(&r.cx, "body", nested(rows[i].depth, objects, closed), &v);
            assert_int_equal(status, closed && says == NULL ? LATCH_OK : LATCH_E_INPUT);
            if (says != NULL) assert_string_equal(r.cx.err.message, says);
        }
    }
    /* What is in a string, or stands side by side, is no nesting. */
    char flat[1200] = "[\"";
    memset(flat + 2, '[', 300);
    memcpy(flat + 302, "\\\"", 2);
    memset(flat + 304, '{', 300);
    memcpy(flat + 604, "\"", 1);
    for (size_t i = 605; i < 1100; i += 3)
        memcpy(flat + i, ",[]", 3);
    memcpy(flat + 1100, "]", 2);
    assert_int_equal(latch_parse(&r.cx, "body", latch_str_of(flat), &v), LATCH_OK);
}

static void takes_the_largest_event(void **state) {
    static const char *const units[] = {"1,", "\"\\\\\",", "{\"a\":\"b\"},", "\"0123456789abcdef0123456789abcdef0123456789abcdef\",",
                                        "\"\xE2\x82\xAC\","};
    room big;
    latch_json v;
    char *text = malloc(EVENT_BYTES);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t unit = strlen(units[i]), len = 1, count = 0;
        text[0] = '[';
        for (; len + unit < EVENT_BYTES; len += unit, count++)
            memcpy(text + len, units[i], unit);
        text[len - 1] = ']'; /* in the place of the last comma */
        room_open(&big, (size_t)96 << 20);
        assert_int_equal(latch_parse(&big.cx, "body", (latch_str){text, len}, &v), LATCH_OK);
        assert_int_equal(latch_count(v), count);
        size_t used = big.arena.used, after = latch_text(v).len;
        assert_int_equal(after, len);
        assert_true(used < len + count * 80 + 4096); /* what the parser took in advance and didn't need is given back */
        room_close(&big);
    }
    free(text);
}

/* Not JSON from its first byte to its last, and 6 MiB of it: an error, and soon. */
static void refuses_six_mebibytes_of_anything(void **state) {
    static const struct {
        const char *unit;
        latch_status status;
    } rows[] = {{"[", LATCH_E_INPUT},   {"{\"a\":", LATCH_E_INPUT}, {"\"\"", LATCH_E_INPUT},
                {"\\", LATCH_E_INPUT},  {"\"\\", LATCH_E_INPUT},    {"\xFF", LATCH_E_INPUT},
                {"[],", LATCH_E_INPUT}, {" ", LATCH_E_INPUT},       {"-", LATCH_E_INPUT}};
    char *text = malloc(EVENT_BYTES);
    latch_json v;
    room big;
    (void)state;
    room_open(&big, (size_t)32 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t unit = strlen(rows[i].unit);
        for (size_t len = 0; len + unit <= EVENT_BYTES; len += unit)
            memcpy(text + len, rows[i].unit, unit);
        latch_arena_rewind(&big.arena, 0);
        latch_status status = latch_parse(&big.cx, "body", (latch_str){text, EVENT_BYTES - EVENT_BYTES % unit}, &v);
        if (status != rows[i].status) fail_msg("row %zu: %d %s", i, status, big.cx.err.message);
    }
    room_close(&big);
    free(text);
}

static void keeps_numbers_as_they_were_written(void **state) {
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "-9223372036854775808",
                                          "-9223372036854775809",
                                          "1e999",
                                          "-1e999",
                                          "123456789012345678901234567890.5e400",
                                          "1.5",
                                          "0.1",
                                          "1e300",
                                          "0.30000000000000004",
                                          "123456789012345.6",
                                          "0.12345678901234567890123456789012345678",
                                          "1e-400",
                                          "4.9406564584124654e-324"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        snprintf(text, sizeof text, "{\"n\":[%s]}", numbers[i]);
        assert_text(latch_text(parsed(text)), text);
    }
}

/* Alone in much room, alone in little, and inside of what is built: three ways to write, one text. */
static void writes_what_was_parsed_the_same_everywhere(void **state) {
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "-1.5e300",
        "[[],{},[{}]]",
        "\"plain\"",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\x7F\"",
        "\"t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x92\xA9\"",
        "{\"\":\"\",\"a\\nb\":[1,-1,18446744073709551615,1e999,123456789012345678901234567890]}",
        "[1,2.0,0.1,\"0123456789\",{\"k\":{\"k\":{\"k\":[true,false,null]}}}]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char inside[256];
        latch_json v = parsed(texts[i]);
        assert_text(latch_text(v), texts[i]);
        snprintf(inside, sizeof inside, "[0,%s]", texts[i]);
        assert_text(latch_text(latch_append(latch_append(latch_array(&r.cx), 0L), v)), inside);
        size_t written = 0;
        for (size_t left = 0; left < 400; left++) {
            size_t mark = latch_arena_mark(&r.arena), cap = r.arena.cap;
            latch_str text;
            r.arena.cap = r.arena.used + left;
            latch_status status = latch_json_text(&r.cx, v, &text);
            assert_true(status == LATCH_OK || (status == LATCH_E_NOMEM && written == 0));
            assert_text(text, status == LATCH_OK ? texts[i] : "null");
            written += status == LATCH_OK;
            r.arena.cap = cap;
            latch_arena_rewind(&r.arena, mark);
        }
        assert_true(written > 100);
    }
}

/* What the fast way took before it found that it needs more is given back to the frugal one. */
static void writes_a_long_text_in_just_its_room(void **state) {
    char text[2048] = "[\"";
    latch_str written;
    (void)state;
    memset(text + 2, 'x', 2000);
    memcpy(text + 2002, "\"]", 3);
    latch_json v = parsed(text);
    r.arena.cap = r.arena.used + strlen(text) + 64;
    assert_int_equal(latch_json_text(&r.cx, v, &written), LATCH_OK);
    assert_text(written, text);
}

static void parses_at_any_arena_size(void **state) {
    static const char text[] = "{\"a\":[1,2.5,\"x\\ny\"],\"b\":{\"c\":null,\"d\":true}}";
    bool fitted = false;
    (void)state;
    for (size_t bytes = 0; bytes < 2048; bytes++) {
        room small;
        latch_json v;
        int64_t n = 7;
        room_open(&small, bytes);
        latch_status status = latch_parse(&small.cx, "body", latch_str_of(text), &v);
        assert_true(status == LATCH_OK || (status == LATCH_E_NOMEM && !fitted));
        if (status == LATCH_OK) assert_int_equal(latch_read(v, "a[0]", &n), LATCH_OK);
        if (status != LATCH_OK) assert_string_equal(small.cx.err.message, "body: the arena is full");
        fitted = status == LATCH_OK;
        room_close(&small);
    }
    assert_true(fitted);
}

/* ── building ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void builds_every_kind(void **state) {
    const char *none = NULL;
    (void)state;
    latch_json list = latch_append(latch_append(latch_array(&r.cx), 1L), latch_object(&r.cx, "x", latch_array(&r.cx)));
    latch_json v = latch_object(&r.cx, "text", LATCH_STR("t\xC3\xA9"), "c", "c string", "none", none, "empty", ((latch_str){NULL, 0}),
                                "int", latch_int(-7), "min", (long)INT64_MIN, "max", UINT64_MAX, "d", 2.5, "yes", latch_bool(1), "no",
                                latch_bool(0), "list", list, "null", LATCH_NULL, "parsed", parsed(" { \"a\" : [ 1 , \"\\u0041\" ] } "));
    assert_text(latch_text(v),
                "{\"text\":\"t\xC3\xA9\",\"c\":\"c string\",\"none\":null,\"empty\":\"\",\"int\":-7,\"min\":-9223372036854775808,"
                "\"max\":18446744073709551615,\"d\":2.5,\"yes\":true,\"no\":false,\"list\":[1,{\"x\":[]}],\"null\":null,"
                "\"parsed\":{\"a\":[1,\"A\"]}}");
    assert_text(latch_text(latch_object(&r.cx)), "{}");
}

static void reads_what_was_built(void **state) {
    latch_json v = latch_object(&r.cx, "list", latch_append(latch_append(latch_array(&r.cx), "a"), "b"), "n", 5L), list;
    latch_str s;
    int64_t n;
    (void)state;
    assert_int_equal(latch_read(v, "n", &n, "list", &list, "list[1]", &s), LATCH_OK);
    assert_int_equal(n, 5);
    assert_text(s, "b");
    assert_int_equal(latch_count(list), 2);
    assert_true(latch_has(v, "n"));
    assert_int_equal(latch_read(v, "list[0]", &n), LATCH_E_DATA);
    assert_string_equal(r.cx.err.message, "value.list[0]: is \"a\", want a whole number");
    assert_false(r.cx.err.for_client);
}

/* Reading a built list from end to end takes room and time as its length, whatever is taken back meanwhile. */
static void goes_through_a_long_built_list(void **state) {
    room big;
    latch_json list;
    (void)state;
    room_open(&big, (size_t)4 << 20);
    list = latch_array(&big.cx);
    for (int64_t i = 0; i < 5000; i++)
        list = latch_append(list, latch_object(&big.cx, "i", i));
    size_t mark = latch_arena_mark(&big.arena);
    for (size_t i = 0; i < 5000; i++) {
        int64_t n;
        if (i == 2500) latch_arena_rewind(&big.arena, mark); /* what was parsed of the list is gone; the list isn't */
        assert_int_equal(latch_count(list), 5000);
        assert_int_equal(latch_read(latch_at(list, i), "i", &n), LATCH_OK);
        assert_int_equal(n, i);
    }
    assert_true(big.arena.used - mark < 2500 * 256 + 500000);
    room_close(&big);
}

static void appends_to_old_lists_too(void **state) {
    latch_json none = latch_array(&r.cx), one = latch_append(none, 1L), two = latch_append(one, 2L), other = latch_append(one, "x");
    latch_json three = latch_append(two, 3L), twice = latch_append(two, latch_bool(1)), self = latch_append(three, three);
    latch_json taken = latch_append(parsed("[{\"a\":1}]"), 5L), again = latch_append(taken, 6L);
    (void)state;
    assert_text(latch_text(none), "[]");
    assert_text(latch_text(one), "[1]");
    assert_text(latch_text(two), "[1,2]");
    assert_text(latch_text(other), "[1,\"x\"]");
    assert_text(latch_text(three), "[1,2,3]");
    assert_text(latch_text(twice), "[1,2,true]");
    assert_text(latch_text(self), "[1,2,3,[1,2,3]]");
    assert_text(latch_text(again), "[{\"a\":1},5,6]");
    latch_str before = latch_text(three);
    latch_json four = latch_append(three, 4L);
    assert_text(before, "[1,2,3]");
    assert_text(latch_text(four), "[1,2,3,4]");
    assert_text(latch_text(latch_object(&r.cx, "l", three, "m", none)), "{\"l\":[1,2,3],\"m\":[]}");
}

static void appends_many_in_little_room(void **state) {
    (void)state;
    latch_json list = latch_array(&r.cx);
    for (int i = 0; i < 200; i++)
        list = latch_append(list, latch_int(i));
    assert_true(r.arena.used < 200 * 200 + 8192); /* copied each time, it would be 80 KB of text alone */
    assert_int_equal(latch_count(list), 200);
}

static void carries_what_went_wrong(void **state) {
    latch_json bad = latch_object(&r.cx, "s", LATCH_STR("\xFF"));
    const struct {
        latch_json v;
        latch_status status;
        const char *says;
    } rows[] = {
        {bad, LATCH_E_MISUSE, "JSON: a text in it is not UTF-8"},
        {latch_object(&r.cx, "in", latch_append(latch_array(&r.cx), bad)), LATCH_E_MISUSE, "JSON: a text in it is not UTF-8"},
        {latch_append(latch_append(latch_array(&r.cx), bad), 1L), LATCH_E_MISUSE, "JSON: a text in it is not UTF-8"},
        {latch_object_(&r.cx, (const latch_pair[]){{"\xC3", {LATCH_V_NULL, {.i = 0}}}, {NULL, {LATCH_V_NULL, {.i = 0}}}}), LATCH_E_MISUSE,
         "JSON: a text in it is not UTF-8"},
        {latch_object(&r.cx, "d", (double)NAN), LATCH_E_MISUSE, "JSON: a number in it is not finite"},
        {latch_object(&r.cx, "d", (double)INFINITY), LATCH_E_MISUSE, "JSON: a number in it is not finite"},
        {latch_append(latch_array(&r.cx), (double)-INFINITY), LATCH_E_MISUSE, "JSON: a number in it is not finite"},
        {latch_append(latch_object(&r.cx), 1L), LATCH_E_MISUSE, "JSON: latch_append was given what is no list"},
        {latch_append(parsed("{}"), 1L), LATCH_E_MISUSE, "JSON: latch_append was given what is no list"},
        {latch_append(LATCH_NULL, 1L), LATCH_E_MISUSE, "JSON: latch_append was given what is no list"},
        {latch_append(latch_at(latch_array(&r.cx), 0), 1L), LATCH_E_MISUSE, "JSON: latch_append was given what is no list"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str text, s;
        r.cx.err = (latch_err){0};
        assert_text(latch_text(rows[i].v), "null");
        assert_int_equal(r.cx.err.status, LATCH_OK); /* a question leaves no error */
        assert_false(latch_has(rows[i].v, "s"));
        assert_int_equal(latch_count(rows[i].v), 0);
        assert_int_equal(r.cx.err.status, LATCH_OK);
        assert_int_equal(latch_json_text(&r.cx, rows[i].v, &text), rows[i].status);
        assert_string_equal(r.cx.err.message, rows[i].says);
        assert_text(text, "null");
        r.cx.err = (latch_err){0};
        if (rows[i].v.cx == NULL) continue;
        assert_int_equal(latch_read(rows[i].v, "s", &s), rows[i].status);
        assert_string_equal(r.cx.err.message, rows[i].says);
    }
}

static void appending_what_is_bad_leaves_the_list_good(void **state) {
    latch_json list = latch_append(latch_array(&r.cx), 1L), bad = latch_append(list, LATCH_STR("x\xFF")), more = latch_append(list, 2L);
    (void)state;
    assert_text(latch_text(bad), "null");
    assert_text(latch_text(list), "[1]");
    assert_text(latch_text(more), "[1,2]");
    room big; /* room for one list, not for a copy of it after each failure */
    room_open(&big, (size_t)1 << 19);
    list = latch_array(&big.cx);
    for (int i = 0; i < 400; i++) {
        assert_text(latch_text(latch_append(list, (double)NAN)), "null");
        list = latch_append(list, "ten bytes.");
    }
    assert_int_equal(latch_count(list), 400);
    room_close(&big);
}

static void builds_at_any_arena_size(void **state) {
    bool fitted = false;
    (void)state;
    for (size_t bytes = 0; bytes < 4096; bytes++) {
        room small;
        latch_str text;
        room_open(&small, bytes);
        latch_json list = latch_array(&small.cx);
        for (int i = 0; i < 5; i++)
            list = latch_append(list, latch_object(&small.cx, "i", latch_int(i), "text", "a line\nand more"));
        latch_status status = latch_json_text(&small.cx, latch_object(&small.cx, "list", list), &text);
        assert_true(status == LATCH_OK || (status == LATCH_E_NOMEM && !fitted));
        if (status == LATCH_E_NOMEM) assert_string_equal(small.cx.err.message, "JSON: the arena is full");
        if (status == LATCH_OK) assert_int_equal(text.len, 9 + 5 * 33 + 4 + 2);
        fitted = status == LATCH_OK;
        room_close(&small);
    }
    assert_true(fitted);
}

/* Without a node of its own a child says so, not "is missing". */
static void reads_at_any_arena_size(void **state) {
    size_t full = 0, fine = 0;
    (void)state;
    for (size_t bytes = 256; bytes < 1500; bytes++) {
        room small;
        latch_json v, o = LATCH_NULL;
        latch_str s;
        room_open(&small, bytes);
        if (latch_parse(&small.cx, "body", LATCH_STR("{\"o\":{\"s\":\"x\"}}"), &v) == LATCH_OK) {
            latch_status status = latch_read(v, "o", &o);
            assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
            full += status == LATCH_E_NOMEM;
            assert_true(status == LATCH_OK || o.node == NULL);
            if (status == LATCH_OK) assert_int_equal(latch_read(o, "s", &s), LATCH_OK);
            fine += status == LATCH_OK;
        }
        room_close(&small);
    }
    assert_true(full > 0 && fine > 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(reads_every_kind),
    ROW(reads_big_whole_numbers_as_doubles),
    ROW(gives_values_for_what_is_absent),
    ROW(says_what_is_wrong),
    ROW(shows_no_secret),
    ROW(shows_no_secret_of_a_secret_object),
    ROW(shows_the_beginning_of_a_long_text),
    ROW(what_was_fetched_is_no_clients_fault),
    ROW(writes_every_variable_and_tells_the_first_error),
    ROW(checks_ranges_at_both_ends),
    ROW(names_the_whole_path),
    ROW(finds_elements_in_any_order),
    ROW(reads_nothing_from_nothing),
    ROW(takes_the_first_of_two_equal_names),
    ROW(copies_the_text),
    ROW(refuses_what_is_no_json),
    ROW(bounds_nesting),
    ROW(takes_the_largest_event),
    ROW(refuses_six_mebibytes_of_anything),
    ROW(keeps_numbers_as_they_were_written),
    ROW(writes_what_was_parsed_the_same_everywhere),
    ROW(writes_a_long_text_in_just_its_room),
    ROW(parses_at_any_arena_size),
    ROW(builds_every_kind),
    ROW(reads_what_was_built),
    ROW(goes_through_a_long_built_list),
    ROW(appends_to_old_lists_too),
    ROW(appends_many_in_little_room),
    ROW(carries_what_went_wrong),
    ROW(appending_what_is_bad_leaves_the_list_good),
    ROW(builds_at_any_arena_size),
    ROW(reads_at_any_arena_size),
};
// clang-format on

CHECK_MAIN(tests)

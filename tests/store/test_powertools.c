#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/powertools.h"
#include "tests/check.h"
#include "tests/rig.h"

#define VECTORS LATCH_SOURCE_DIR "/tests/store/vectors/powertools.tsv"

static rig_world world;
static rig ann;

static int set_up(void **state) {
    (void)state;
    rig_open(&world);
    rig_init(&ann, &world, (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rig_clean_up(&ann);
    rig_close(&world);
    return 0;
}

static latch_json parsed(const char *text) {
    latch_json v;
    assert_int_equal(latch_parse(&ann.cx, "v", latch_str_of(text), &v), LATCH_OK);
    return v;
}

static const char *canonical(latch_powertools_flavour flavour, latch_json v) {
    latch_text_writer t = latch_text_begin(ann.cx.arena);
    latch_powertools_put(&t, flavour, v);
    latch_str text = latch_text_end(&t);
    assert_non_null(text.ptr);
    return text.ptr;
}

static bool is_hash(latch_powertools_flavour flavour, const char *text, const char *wanted) {
    char hash[LATCH_POWERTOOLS_HASH_BYTES];
    assert_int_equal(latch_powertools_hash(&ann.cx, flavour, parsed(text), hash), LATCH_OK);
    if (strcmp(hash, wanted) == 0) return true;
    fprintf(stderr, "%s: as %s, hash %s, want %s\n", text, canonical(flavour, parsed(text)), hash, wanted);
    return false;
}

/* Each line: JSON, and what the libraries make of it. */
static void hashes_as_the_libraries_do(void **state) {
    char *line = NULL;
    size_t room = 0, lines = 0, wrong = 0;
    FILE *file = fopen(VECTORS, "r");
    (void)state;
    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        char *python = strchr(line, '\t'), *typescript = strrchr(line, '\t');
        rig_again(&ann, 0);
        line[strcspn(line, "\n")] = '\0';
        *python++ = '\0';
        *typescript++ = '\0';
        wrong += !is_hash(LATCH_POWERTOOLS_PYTHON, line, python);
        wrong += !is_hash(LATCH_POWERTOOLS_TYPESCRIPT, line, typescript);
        lines++;
    }
    free(line);
    fclose(file);
    assert_int_equal(wrong, 0);
    assert_true(lines >= 190);
}

/* For whoever wants to see what is hashed; the hashes above prove it. */
static void writes_what_they_write(void **state) {
    static const struct {
        const char *text, *python, *typescript;
    } rows[] = {
        {"{\"b\":[1.0,true,null],\"a\":\"\xc3\xa9\"}", "{\"a\": \"\\u00e9\", \"b\": [1.0, true, null]}",
         "{\"a\":\"\xc3\xa9\",\"b\":[1,true,null]}"},
        {"{\"b\":1e-7,\"B\":1e16,\"a\":-0.0}", "{\"B\": 1e+16, \"a\": -0.0, \"b\": 1e-07}", "{\"a\":0,\"b\":1e-7,\"B\":10000000000000000}"},
        {"{\"10\":\"\xf0\x9f\x98\x80\",\"9\":[],\"x\":{}}", "{\"10\": \"\\ud83d\\ude00\", \"9\": [], \"x\": {}}",
         "{\"9\":[],\"10\":\"\xf0\x9f\x98\x80\",\"x\":{}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_string_equal(canonical(LATCH_POWERTOOLS_PYTHON, parsed(rows[i].text)), rows[i].python);
        assert_string_equal(canonical(LATCH_POWERTOOLS_TYPESCRIPT, parsed(rows[i].text)), rows[i].typescript);
    }
    assert_string_equal(canonical(LATCH_POWERTOOLS_PYTHON, LATCH_NULL), "null");
}

static void takes_what_was_built_and_refuses_what_was_not(void **state) {
    char built[LATCH_POWERTOOLS_HASH_BYTES], read[LATCH_POWERTOOLS_HASH_BYTES];
    latch_json list = latch_append(latch_append(latch_array(&ann.cx), LATCH_STR("u-1")), latch_int(17));
    (void)state;
    assert_int_equal(latch_powertools_hash(&ann.cx, LATCH_POWERTOOLS_PYTHON, list, built), LATCH_OK);
    assert_int_equal(latch_powertools_hash(&ann.cx, LATCH_POWERTOOLS_PYTHON, parsed("[\"u-1\",17]"), read), LATCH_OK);
    assert_string_equal(built, read);
    latch_json broken = latch_object(&ann.cx, "a", LATCH_STR("\xFF"));
    assert_int_equal(latch_powertools_hash(&ann.cx, LATCH_POWERTOOLS_PYTHON, broken, built), LATCH_E_MISUSE);
    assert_string_equal(built, "");
}

/* Full at every place: an error, never another hash; and what was taken is given back. */
static void survives_a_full_arena(void **state) {
    static const char text[] = "{\"b\":[\"0123456789\",{\"c\":1.5}],\"a\":123456789012345678901234567890.5}";
    char whole[LATCH_POWERTOOLS_HASH_BYTES], hash[LATCH_POWERTOOLS_HASH_BYTES];
    size_t refused = 0;
    (void)state;
    assert_int_equal(latch_powertools_hash(&ann.cx, LATCH_POWERTOOLS_TYPESCRIPT, parsed(text), whole), LATCH_OK);
    for (size_t bytes = 0; bytes < 4096; bytes += 64) {
        rig_again(&ann, 0);
        latch_json v = parsed(text);
        size_t used = ann.arena.used;
        latch_arena tail = ann.arena;
        tail.cap = used + bytes < tail.cap ? used + bytes : tail.cap;
        ann.cx.arena = &tail;
        latch_status status = latch_powertools_hash(&ann.cx, LATCH_POWERTOOLS_TYPESCRIPT, v, hash);
        ann.cx.arena = &ann.arena;
        refused += status == LATCH_E_NOMEM;
        if (status != LATCH_E_NOMEM) assert_string_equal(hash, whole);
        if (status == LATCH_OK) assert_int_equal(tail.used, used);
    }
    assert_true(refused > 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    // clang-format off
    ROW(hashes_as_the_libraries_do),
    ROW(writes_what_they_write),
    ROW(takes_what_was_built_and_refuses_what_was_not),
    ROW(survives_a_full_arena),
    // clang-format on
};

CHECK_MAIN(tests)

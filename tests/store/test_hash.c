#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "store/hash.h"
#include "tests/check.h"
#include "tests/rig.h"

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

static void hash_text(const char *text, char out[LATCH_HASH_BYTES]) {
    latch_json v;
    assert_int_equal(latch_parse(&ann.cx, "v", latch_str_of(text), &v), LATCH_OK);
    assert_int_equal(latch_hash_json(&ann.cx, v, out), LATCH_OK);
}

/* As any other language has it: the SHA-256 of JSON text with sorted names and no spaces. */
static void is_sha256_of_the_canonical_text(void **state) {
    static const struct {
        const char *text, *hash; /* printf '%s' <canonical text> | sha256sum */
    } rows[] = {
        {"null", "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"},
        {"{\"a\":1}", "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"},
        {" { \"b\" : [ true , null , -2.5 ] , \"a\" : { \"y\" : \"\\u00e9\" , \"x\" : \"q\\\"\\n\" } } ",
         "9809ae4ab805cbd981fa6f8b8cc12651f7355b1ea692727a65729bdc4647242f"},
        {"[]", "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},
        {"\"\"", "12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126"},
    };
    char hash[LATCH_HASH_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hash_text(rows[i].text, hash);
        assert_string_equal(hash, rows[i].hash);
    }
    assert_int_equal(latch_hash_json(&ann.cx, LATCH_NULL, hash), LATCH_OK);
    assert_string_equal(hash, rows[0].hash);
}

static void tells_what_differs_and_nothing_else(void **state) {
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"{\"a\":{\"c\":1,\"b\":[{\"z\":1,\"y\":2}]}}", "{ \"a\" : { \"b\" : [ { \"y\" : 2 , \"z\" : 1 } ], \"c\" : 1 } }", true},
        {"\"\\u0041\"", "\"A\"", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":\"1\"}", false},
        {"{\"a\":1}", "{\"A\":1}", false},
        {"{\"a\":null}", "{}", false},
        {"[[1],2]", "[1,[2]]", false},
        {"{\"a\":\"b\\\",\\\"c\\\":\\\"d\"}", "{\"a\":\"b\",\"c\":\"d\"}", false},
        {"123456789012345678901234567890", "123456789012345678901234567891", false},
        {"{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false},
        {"{\"ab\":1,\"a\":2}", "{\"a\":2,\"ab\":1}", true},
        {"\"\\u0000\"", "\"\"", false},
    };
    char a[LATCH_HASH_BYTES], b[LATCH_HASH_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hash_text(rows[i].a, a);
        hash_text(rows[i].b, b);
        assert_int_equal(strcmp(a, b) == 0, rows[i].same);
    }
}

static void hashes_what_was_built_as_what_was_parsed(void **state) {
    char built[LATCH_HASH_BYTES], parsed[LATCH_HASH_BYTES];
    latch_json list = latch_append(latch_append(latch_array(&ann.cx), LATCH_STR("x")), 2.5);
    (void)state;
    assert_int_equal(latch_hash_json(&ann.cx, latch_object(&ann.cx, "b", list, "a", latch_int(1)), built), LATCH_OK);
    hash_text("{\"a\":1,\"b\":[\"x\",2.5]}", parsed);
    assert_string_equal(built, parsed);
    assert_int_equal(latch_hash_json(&ann.cx, latch_object(&ann.cx, "a", LATCH_STR("\xFF")), built), LATCH_E_MISUSE);
    assert_string_equal(built, "");
}

/* Texts around the piece that goes into the hash at once, of bytes that are escaped and of bytes that aren't. */
static void takes_texts_of_every_length(void **state) {
    char a[LATCH_HASH_BYTES], b[LATCH_HASH_BYTES];
    static char text[2 * 4096 + 8], spaced[2 * 4096 + 16];
    (void)state;
    for (size_t n = 300; n < 4096; n += 37) {
        size_t len = 0, slen = 0;
        text[len++] = '[', text[len++] = '"', spaced[slen++] = ' ', spaced[slen++] = '[', spaced[slen++] = '"';
        for (size_t i = 0; i < n; i++) {
            if (i % 3 == 0) text[len++] = '\\', spaced[slen++] = '\\';
            text[len++] = i % 3 == 0 ? '"' : 'x', spaced[slen++] = i % 3 == 0 ? '"' : 'x';
        }
        text[len++] = '"', text[len++] = ']', text[len] = '\0';
        spaced[slen++] = '"', spaced[slen++] = ' ', spaced[slen++] = ']', spaced[slen] = '\0';
        rig_again(&ann, 0);
        hash_text(text, a);
        hash_text(spaced, b);
        assert_string_equal(a, b);
        text[2] = 'y', text[3] = 'y';
        hash_text(text, b);
        assert_string_not_equal(a, b);
    }
}

static void sha256_of(const char *text, size_t len, char out[LATCH_HASH_BYTES]) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    assert_int_equal(EVP_Digest(text, len, bytes, &n, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < n; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
}

/* Lists of short strings, canonical as they are, begun at each offset: one of the strings ends each piece with 0, 1, 2 … bytes left. */
static void takes_short_strings_wherever_a_piece_ends(void **state) {
    static const char *const elements[] = {
        "\"A\"", "\"\"", "{\"id\":\"a\",\"ok\":\"y\"}", "{\"q\":\"B\"}", "\"\\u0001\"", "\"\\\"\\u0002\\u0003\"", "\"\xC3\xA9\"", "12",
    };
    enum { OFFSETS = 80, COUNT = 700 };
    char got[LATCH_HASH_BYTES], want[LATCH_HASH_BYTES];
    static char text[OFFSETS + COUNT * 32];
    (void)state;
    for (size_t e = 0; e < COUNT_OF(elements); e++) {
        for (size_t offset = 0; offset < OFFSETS; offset++) {
            size_t len = (size_t)snprintf(text, sizeof text, "[\"%0*d\"", (int)offset + 1, 0);
            for (size_t i = 0; i < COUNT && len < (size_t)3 * 2048; i++)
                len += (size_t)snprintf(text + len, sizeof text - len, ",%s", elements[e]);
            text[len++] = ']', text[len] = '\0';
            rig_again(&ann, 0);
            hash_text(text, got);
            sha256_of(text, len, want);
            assert_string_equal(got, want);
        }
    }
}

static void leaves_the_arena_as_it_was(void **state) {
    latch_json v;
    char hash[LATCH_HASH_BYTES];
    (void)state;
    assert_int_equal(latch_parse(&ann.cx, "v", LATCH_STR("{\"a\":{\"b\":[1,2,3]},\"c\":\"d\"}"), &v), LATCH_OK);
    size_t used = ann.arena.used;
    assert_int_equal(latch_hash_json(&ann.cx, v, hash), LATCH_OK);
    assert_int_equal(ann.arena.used, used);
    while (latch_arena_alloc(&ann.arena, 16) != NULL)
        continue;
    assert_int_equal(latch_hash_json(&ann.cx, v, hash), LATCH_E_NOMEM);
    assert_string_equal(hash, "");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    ROW(is_sha256_of_the_canonical_text), ROW(tells_what_differs_and_nothing_else),       ROW(hashes_what_was_built_as_what_was_parsed),
    ROW(takes_texts_of_every_length),     ROW(takes_short_strings_wherever_a_piece_ends), ROW(leaves_the_arena_as_it_was),
};

CHECK_MAIN(tests)

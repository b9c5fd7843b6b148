#include <stdlib.h>
#include <string.h>

#include "store/dynamodb/crc32.h"
#include "tests/check.h"

#define ROW(name) cmocka_unit_test(name)

/* As the definition says it, a bit at a time. */
static uint32_t bit_by_bit(const unsigned char *bytes, size_t len) {
    uint32_t crc = 0xFFFFFFFFU;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320U : crc >> 1;
    }
    return ~crc;
}

/* The first is the check value that the catalogue of CRCs has; the third and fourth are what DynamoDB Local sends beside these bodies. */
static void known_texts_have_their_sums(void **state) {
    static const struct {
        const char *text;
        uint32_t want;
    } rows[] = {{"123456789", 0xCBF43926U},
                {"", 0},
                {"{}", 2745614147U},
                {"{\"TableNames\":[]}", 1315925753U},
                {"The quick brown fox jumps over the lazy dog", 0x414FA339U}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(latch_crc32(latch_str_of(rows[i].text)), rows[i].want);
    assert_int_equal(latch_crc32((latch_str){NULL, 0}), 0);
}

/* Each length up to a few steps of eight, at each place in a word. */
static void every_length_and_place_is_as_defined(void **state) {
    unsigned char bytes[96];
    (void)state;
    srand(7);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)rand();
    for (size_t at = 0; at < 8; at++) {
        for (size_t len = 0; at + len <= sizeof bytes; len++)
            assert_int_equal(latch_crc32((latch_str){(const char *)bytes + at, len}), bit_by_bit(bytes + at, len));
    }
}

/* Each byte value at each place of a step goes through an entry of its own. */
static void every_entry_of_the_tables_is_right(void **state) {
    unsigned char bytes[8];
    (void)state;
    for (size_t place = 0; place < sizeof bytes; place++) {
        for (unsigned value = 0; value < 256; value++) {
            memset(bytes, 0, sizeof bytes);
            bytes[place] = (unsigned char)value;
            assert_int_equal(latch_crc32((latch_str){(const char *)bytes, sizeof bytes}), bit_by_bit(bytes, sizeof bytes));
        }
    }
}

static const struct CMUnitTest tests[] = {
    ROW(known_texts_have_their_sums),
    ROW(every_length_and_place_is_as_defined),
    ROW(every_entry_of_the_tables_is_right),
};

CHECK_MAIN(tests)

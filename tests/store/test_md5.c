#include "store/md5.h"

#include <string.h>

#include "tests/check.h"

/* RFC 1321, A.5, and what md5sum says at each length where a block ends. */
static void gives_what_others_do(void **state) {
    static const struct {
        const char *text;
        size_t times;
        const char *hex;
    } rows[] = {
        {"", 0, "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", 1, "0cc175b9c0f1b6a831c399e269772661"},
        {"message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"},
        {"1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a"},
        {"x", 55, "04364420e25c512fd958a70738aa8f72"},
        {"x", 56, "668a72d5ba17f08e62dabcafad6db14b"},
        {"x", 63, "7dc2ca208106a2f703567bdff99d8981"},
        {"x", 64, "c1bb4f81d892b2d57947682aeb252456"},
        {"x", 65, "1bc932052302d074bdec39795fe00cf6"},
        {"x", 1000, "398533d48111e9f664b1f64cb10c4b63"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[1001], hex[LATCH_MD5_HEX_BYTES];
        size_t len = 0, each = strlen(rows[i].text);
        for (size_t n = 0; n < rows[i].times; n++, len += each)
            memcpy(text + len, rows[i].text, each);
        latch_md5_hex((latch_str){text, len}, hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(gives_what_others_do),
};

CHECK_MAIN(tests)

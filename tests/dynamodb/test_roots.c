#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "store/dynamodb/trust.h"
#include "tests/check.h"

/* https://www.amazontrust.com/repository/, the SHA-256 of each certificate. */
static const char *const fingerprints[] = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e", /* Amazon Root CA 1 */
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4", /* Amazon Root CA 2 */
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4", /* Amazon Root CA 3 */
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092", /* Amazon Root CA 4 */
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5", /* Starfield Services Root CA G2 */
};

/* Reads the certificates of `pem` one after the other: how many there are; the first that isn't what it should be fails the test. */
static size_t count_known(latch_str pem) {
    BIO *in = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    size_t n = 0;
    for (X509 *x; (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL; n++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int len = 0;
        char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
        assert_int_equal(X509_digest(x, EVP_sha256(), digest, &len), 1);
        for (unsigned int i = 0; i < len; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        assert_true(n < COUNT_OF(fingerprints));
        assert_string_equal(hex, fingerprints[n]);
        X509_free(x);
    }
    BIO_free(in);
    return n;
}

static void are_amazons_own(void **state) {
    (void)state;
    latch_str roots = latch_trust_roots();
    assert_int_equal(count_known(roots), COUNT_OF(fingerprints));
    assert_null(memchr(roots.ptr, '\0', roots.len)); /* where one text ends before the next begins, libcurl would read no further */
}

static void ca_file_comes_first(void **state) {
    (void)state;
    latch_trust trust;
    latch_err err = {0};
    const latch_settings given = {.tls = true, .aws = true, .amazon_roots = true, .ca_file = LATCH_SOURCE_DIR "/store/dynamodb/roots.c"};
    assert_int_equal(latch_trust_of(&given, &trust, &err), LATCH_OK);
    assert_string_equal(trust.file, given.ca_file);
    assert_int_equal(trust.pem.len, 0);
}

static void aws_needs_no_file(void **state) {
    (void)state;
    latch_trust trust;
    latch_err err = {0};
    const latch_settings aws = {.tls = true, .aws = true, .amazon_roots = true};
    assert_int_equal(latch_trust_of(&aws, &trust, &err), LATCH_OK);
    assert_null(trust.file);
    assert_ptr_equal(trust.pem.ptr, latch_trust_roots().ptr);
}

/* Another's endpoint, and AWS's where Amazon's roots don't sign: what the system trusts, or libcurl's default where it has no bundle. */
static void others_use_the_systems(void **state) {
    (void)state;
    static const latch_settings rows[] = {{.tls = true}, {.tls = true, .aws = true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_trust trust = {.pem = {"x", 1}};
        latch_err err = {0};
        assert_int_equal(latch_trust_of(&rows[i], &trust, &err), LATCH_OK);
        assert_int_equal(trust.pem.len, 0);
        assert_true(trust.file == NULL || access(trust.file, R_OK) == 0);
        assert_true(trust.file != NULL || access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0);
    }
}

static void plain_http_trusts_nobody(void **state) {
    (void)state;
    latch_trust trust = {.file = "x"};
    const latch_settings plain = {.ca_file = "/nowhere"};
    assert_int_equal(latch_trust_of(&plain, &trust, NULL), LATCH_OK);
    assert_null(trust.file);
    assert_int_equal(trust.pem.len, 0);
}

static void says_why_a_file_cannot_be_read(void **state) {
    (void)state;
    static const struct {
        const char *file, *says;
    } rows[] = {{"/nowhere/ca.pem", "\"/nowhere/ca.pem\" can't be read: No such file"}, {"/", "Is a directory"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_trust trust;
        latch_err err = {0};
        const latch_settings settings = {.tls = true, .ca_file = rows[i].file};
        assert_int_equal(latch_trust_of(&settings, &trust, &err), LATCH_E_MISUSE);
        assert_non_null(strstr(err.message, rows[i].says));
        assert_non_null(strstr(err.message, "AWS_CA_BUNDLE"));
    }
}

#define ROW(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
    ROW(are_amazons_own),        ROW(ca_file_comes_first),      ROW(aws_needs_no_file),
    ROW(others_use_the_systems), ROW(plain_http_trusts_nobody), ROW(says_why_a_file_cannot_be_read),
};

CHECK_MAIN(tests)

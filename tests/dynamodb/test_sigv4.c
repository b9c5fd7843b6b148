#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/dynamodb/sigv4.h"
#include "tests/check.h"
#include "tests/core/room.h"

#define ROW(name) cmocka_unit_test(name)
#define ORACLE LATCH_SOURCE_DIR "/tests/dynamodb/sigv4_oracle.py"
#define RECORDED LATCH_SOURCE_DIR "/tests/dynamodb/sigv4_vectors.jsonl"
#define SDK_PYTHON LATCH_SOURCE_DIR "/build/tools/sdk/bin/python" /* where tools/deps puts botocore; else the machine's own has it */
#define RANDOM_COUNT 1000

/* A signer that does one thing wrong: each must be seen. */
typedef enum twin { SOUND, DROPS_TOKEN, WRONG_REGION, WRONG_DAY, FORGETS_PORT, SIGNS_NO_BODY, SWAPS_VALUES, TWINS } twin;

typedef struct vector {
    latch_str method, path, query, host, body, access, secret, token, region, want;
    latch_json headers;
    int64_t at_ms;
} vector;

static void read_vector(room *r, latch_str line, vector *v) {
    latch_json json;
    latch_status status = latch_parse(&r->cx, "vector", line, &json);
    if (status == LATCH_OK)
        status = latch_read(json, "method", &v->method, "path", &v->path, "query", latch_bytes(&v->query, 0, INT64_MAX), "host", &v->host,
                            "headers", &v->headers, "body", latch_bytes(&v->body, 0, INT64_MAX), "access", &v->access, "secret", &v->secret,
                            "token", latch_bytes(&v->token, 0, INT64_MAX), "region", &v->region, "at_ms", &v->at_ms, "want", &v->want);
    if (status != LATCH_OK) fail_msg("%s", r->cx.err.message);
}

static const char *zero_ended(room *r, latch_str s) { return latch_arena_copy(&r->arena, s).ptr; }

static size_t put_headers(room *r, const vector *v, twin broken, const char *stamp, latch_sigv4_header *to) {
    latch_str host = v->host;
    const char *colon = host.ptr[0] == '[' ? memchr(memchr(host.ptr, ']', host.len), ':', 2) : memchr(host.ptr, ':', host.len);
    size_t count = 0, listed = latch_count(v->headers);
    if (broken == FORGETS_PORT && colon != NULL) host.len = (size_t)(colon - host.ptr);
    for (size_t i = 0; i < listed; i++) {
        size_t from = broken == SWAPS_VALUES ? listed - 1 - i : i;
        latch_str name, value;
        assert_int_equal(latch_read(latch_at(v->headers, from), "[0]", &name, "[1]", latch_bytes(&value, 0, INT64_MAX)), LATCH_OK);
        to[count++] = (latch_sigv4_header){zero_ended(r, name), value};
    }
    if (v->token.len > 0 && broken != DROPS_TOKEN) to[count++] = (latch_sigv4_header){"X-Amz-Security-Token", v->token};
    to[count++] = (latch_sigv4_header){"Host", host};
    to[count++] = (latch_sigv4_header){"x-amz-date", latch_str_of(stamp)};
    return count;
}

/* Whether it signs as botocore did. */
static bool agrees(room *r, latch_str line, twin broken) {
    latch_sigv4 signer;
    latch_sigv4_header headers[LATCH_SIGV4_HEADERS_MAX];
    char stamp[LATCH_SIGV4_STAMP_BYTES];
    vector v;
    size_t mark = latch_arena_mark(&r->arena);
    read_vector(r, line, &v);
    const char *region = broken == WRONG_REGION ? "us-west-2" : zero_ended(r, v.region);
    assert_int_equal(latch_sigv4_init(&signer, region, "dynamodb", &r->cx.err), LATCH_OK);
    latch_sigv4_stamp(v.at_ms + (broken == WRONG_DAY ? LATCH_DAY_MS : 0), stamp);
    const latch_sigv4_request request = {.method = zero_ended(r, v.method),
                                         .path = zero_ended(r, v.path),
                                         .query = zero_ended(r, v.query),
                                         .headers = headers,
                                         .header_count = put_headers(r, &v, broken, stamp, headers),
                                         .body = broken == SIGNS_NO_BODY ? LATCH_STR("") : v.body};
    const latch_keys keys = {.access_key_id = v.access, .secret_access_key = v.secret, .session_token = v.token, .generation = 1};
    latch_text_writer t = latch_text_begin(&r->arena);
    assert_int_equal(latch_sigv4_put(&signer, &keys, stamp, &request, &t, &r->cx.err), LATCH_OK);
    latch_sigv4_clean_up(&signer);
    latch_str have = latch_text_end(&t);
    bool same = latch_str_eq(have, v.want);
    if (!same && broken == SOUND) print_error("have %.*s\nwant %.*s\n", LATCH_ARG(have), LATCH_ARG(v.want));
    latch_arena_rewind(&r->arena, mark);
    return same;
}

static void compare(FILE *from, size_t want_count) {
    room r;
    char *line = NULL;
    size_t cap = 0, count = 0, seen[TWINS] = {0};
    ssize_t len;
    room_open(&r, (size_t)1 << 20);
    while ((len = getline(&line, &cap, from)) > 0) {
        assert_true(agrees(&r, (latch_str){line, (size_t)len}, SOUND));
        for (twin broken = DROPS_TOKEN; broken < TWINS; broken++)
            seen[broken] += !agrees(&r, (latch_str){line, (size_t)len}, broken);
        count++;
    }
    free(line);
    room_close(&r);
    assert_int_equal(count, want_count);
    for (twin broken = DROPS_TOKEN; broken < TWINS; broken++)
        assert_true(seen[broken] > want_count / 10);
}

static void signs_as_was_recorded(void **state) {
    FILE *file = fopen(RECORDED, "r");
    (void)state;
    assert_non_null(file);
    compare(file, 50);
    fclose(file);
}

static void signs_as_botocore_does(void **state) {
    char command[1024];
    const char *seed = getenv("LATCH_TEST_SEED");
    (void)state;
    snprintf(command, sizeof command, "'%s' '%s' %d %lu", access(SDK_PYTHON, X_OK) == 0 ? SDK_PYTHON : "python3", ORACLE, RANDOM_COUNT,
             seed != NULL ? strtoul(seed, NULL, 10) : 2026UL);
    FILE *oracle = popen(command, "r");
    assert_non_null(oracle);
    compare(oracle, RANDOM_COUNT); /* none: no Python here has botocore, see tools/deps sdk */
    assert_int_equal(pclose(oracle), 0);
}

/* ── the signing key ── */

typedef struct desk {
    room r;
    latch_sigv4 signer;
    char text[512];
} desk;

static void sit_down(desk *d) {
    room_open(&d->r, 4096);
    assert_int_equal(latch_sigv4_init(&d->signer, "eu-west-1", "dynamodb", &d->r.cx.err), LATCH_OK);
}

static void stand_up(desk *d) {
    latch_sigv4_clean_up(&d->signer);
    room_close(&d->r);
}

static const latch_sigv4_header two[] = {{"host", {"localhost", 9}}, {"x-amz-date", {"20261121T093000Z", 16}}};
static const latch_sigv4_request plain = {.method = "POST", .path = "/", .query = "", .headers = two, .header_count = 2};

static latch_status put(desk *d, const latch_keys *keys, const char *stamp, const latch_sigv4_request *request) {
    latch_text_writer t = {.at = d->text, .cap = sizeof d->text};
    latch_status status = latch_sigv4_put(&d->signer, keys, stamp, request, &t, &d->r.cx.err);
    if (status == LATCH_OK) assert_non_null(latch_text_end(&t).ptr);
    return status;
}

static const char *signature(desk *d, const latch_keys *keys, const char *stamp) {
    assert_int_equal(put(d, keys, stamp, &plain), LATCH_OK);
    return strstr(d->text, "Signature=");
}

static latch_keys keys_of(const char *secret, uint64_t generation) {
    return (latch_keys){.access_key_id = LATCH_STR("AKIA"), .secret_access_key = latch_str_of(secret), .generation = generation};
}

/* The same generation isn't derived again, which a secret that changed behind its back shows. */
static void the_key_is_kept_for_a_day_and_a_generation(void **state) {
    desk d;
    char first[128], next[128];
    latch_keys a = keys_of("one", 1), unseen = keys_of("two", 1), seen = keys_of("two", 2);
    (void)state;
    sit_down(&d);
    snprintf(first, sizeof first, "%s", signature(&d, &a, "20261121T093000Z"));
    assert_string_equal(signature(&d, &unseen, "20261121T093000Z"), first);
    snprintf(next, sizeof next, "%s", signature(&d, &seen, "20261121T093000Z"));
    assert_string_not_equal(next, first);
    assert_string_equal(signature(&d, &a, "20261121T093000Z"), first);
    assert_string_not_equal(signature(&d, &a, "20261122T093000Z"), first);
    assert_string_equal(signature(&d, &a, "20261121T093000Z"), first);
    stand_up(&d);
}

/* Python's hmac says so. With "AWS4" before it a secret of 60 bytes fills a block of SHA-256; a longer one is hashed first. */
static void secrets_of_every_length_sign(void **state) {
    static const struct {
        size_t len;
        const char *signature;
    } rows[] = {
        {59, "Signature=87b8f7f033fc481bd50a28488c1c97bddaf45790fd447056a0bea1102b21a086"},
        {60, "Signature=1f86ffa21587a9bafa11d9fa3d0a8f6ff1bf63537d9ff35f80a060ee9e23c1ba"},
        {61, "Signature=a016bf74ac82a1d970dd30936464fb3ec46a0b3c71a6a3ae5e2d0164c9e5c4ee"},
        {256, "Signature=c855b857577c6cd62f2670a862d2858b440e9176df00559456ac004c6ff97f22"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        desk d;
        char secret[257] = {0};
        memset(secret, 'k', rows[i].len);
        latch_keys keys = keys_of(secret, 1);
        sit_down(&d);
        assert_string_equal(signature(&d, &keys, "20261121T093000Z"), rows[i].signature);
        stand_up(&d);
    }
}

static void keys_that_can_t_sign_are_refused(void **state) {
    static const struct {
        const char *access, *secret, *token, *says;
    } rows[] = {
        {"", "s", "", "empty"}, {"a", "", "", "empty"}, {"a\r\nX-Evil: 1", "s", "", "control byte"}, {"a", "s", "t\nX: y", "control byte"}};
    desk d;
    char long_one[300];
    (void)state;
    sit_down(&d);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_keys keys = {latch_str_of(rows[i].access), latch_str_of(rows[i].secret), latch_str_of(rows[i].token), LATCH_STR(""), 1, NULL};
        assert_int_equal(put(&d, &keys, "20261121T093000Z", &plain), LATCH_E_DENIED);
        assert_non_null(strstr(d.r.cx.err.message, rows[i].says));
        assert_null(strstr(d.r.cx.err.message, "Evil"));
    }
    memset(long_one, 'k', sizeof long_one);
    latch_keys keys = keys_of("s", 1);
    keys.secret_access_key = (latch_str){long_one, 256};
    assert_int_equal(put(&d, &keys, "20261121T093000Z", &plain), LATCH_OK);
    keys.secret_access_key.len = 257;
    keys.generation = 2;
    assert_int_equal(put(&d, &keys, "20261121T093000Z", &plain), LATCH_E_DENIED);
    stand_up(&d);
}

static void bounds_are_told(void **state) {
    desk d;
    latch_sigv4_header many[LATCH_SIGV4_HEADERS_MAX + 1];
    latch_keys keys = keys_of("s", 1);
    (void)state;
    sit_down(&d);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = two[0];
    latch_sigv4_request r = plain;
    r.headers = many;
    r.header_count = LATCH_SIGV4_HEADERS_MAX;
    assert_int_equal(put(&d, &keys, "20261121T093000Z", &r), LATCH_OK);
    r.header_count++;
    assert_int_equal(put(&d, &keys, "20261121T093000Z", &r), LATCH_E_MISUSE);
    size_t want = strlen(d.text);
    for (size_t cap = 0; cap < 240; cap++) {
        latch_text_writer t = {.at = d.text, .cap = cap};
        latch_status status = latch_sigv4_put(&d.signer, &keys, "20261121T093000Z", &plain, &t, &d.r.cx.err);
        assert_true(status == LATCH_OK || status == LATCH_E_NOMEM);
        if (cap == 20) assert_int_equal(status, LATCH_E_NOMEM);
    }
    assert_true(want > 100);
    stand_up(&d);
}

static void stamps_are_utc(void **state) {
    static const struct {
        int64_t at_ms;
        const char *want;
    } rows[] = {{0, "19700101T000000Z"}, {1795253400123, "20261121T093000Z"}, {951782399999, "20000228T235959Z"}};
    char stamp[LATCH_SIGV4_STAMP_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_sigv4_stamp(rows[i].at_ms, stamp);
        assert_string_equal(stamp, rows[i].want);
    }
}

static const struct CMUnitTest tests[] = {
    ROW(signs_as_was_recorded),
    ROW(signs_as_botocore_does),
    ROW(the_key_is_kept_for_a_day_and_a_generation),
    ROW(secrets_of_every_length_sign),
    ROW(keys_that_can_t_sign_are_refused),
    ROW(bounds_are_told),
    ROW(stamps_are_utc),
};

CHECK_MAIN(tests)

#include <stdio.h>

#include "store/dynamodb/sources.h"
#include "tests/check.h"
#include "tests/core/room.h"

#define NOW_MS (ROOM_NOW_US / 1000) /* 2026-11-21T09:30:00.123Z */

static void knows_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t at_s; /* -1: no time */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T00:00:00Z", 951782400},
        {"2026-11-21T09:30:00Z", 1795253400},
        {"2026-11-21T09:30:00.123456789Z", 1795253400},
        {"2026-11-21t09:30:00z", 1795253400},
        {"2026-11-21 09:30:00Z", 1795253400},
        {"2026-11-21T11:30:00+02:00", 1795253400},
        {"2026-11-21T11:30:00+0200", 1795253400},
        {"2026-11-21T00:00:00-09:30", 1795253400},
        {"2026-11-21T09:30:00+00:00", 1795253400},
        {"2100-03-01T00:00:00Z", 4107542400}, /* 2100 has no leap day */
        {"9999-12-31T23:59:59Z", 253402300799},
        {"", -1},
        {"2026", -1},
        {"2026-11-21", -1},
        {"2026-11-21T09:30Z", -1},
        {"2026-11-21T09:30:00", -1}, /* whose time? */
        {"2026-11-21T09:30:00 Z", -1},
        {"2026-11-21T09:30:00.Z", -1},
        {"2026-11-21T09:30:00Z ", -1},
        {"2026-13-21T09:30:00Z", -1},
        {"2026-00-21T09:30:00Z", -1},
        {"2026-11-32T09:30:00Z", -1},
        {"2026-11-21T24:30:00Z", -1},
        {"2026-11-21T09:60:00Z", -1},
        {"2026-11-21T09:30:61Z", -1},
        {"2026-11-21T09:30:00+2", -1},
        {"2026-11-21T09:30:00+24:00", -1},
        {"2026-11-21T09:30:00+02:60", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"+026-11-21T09:30:00Z", -1},
        {"1795253400", -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t at_ms;
        bool is_time = latch_keys_time(at_the_edge(latch_str_of(rows[i].text)), &at_ms);
        if (is_time != (rows[i].at_s >= 0) || (is_time && at_ms != rows[i].at_s * 1000))
            fail_msg("row %zu: %s is %lld", i, rows[i].text, (long long)at_ms);
    }
}

#define ID "\"AccessKeyId\":\"AKIDEXAMPLE\""
#define SECRET "\"SecretAccessKey\":\"hush\""
#define UNTIL "\"Expiration\":\"2026-11-21T10:30:00Z\""
#define TOKEN "\"Token\":\"hush2\""
#define CONTAINER "{" ID "," SECRET "," TOKEN "," UNTIL "}"

static void reads_answers(void **state) {
    (void)state;
    static const struct {
        latch_keys_form form;
        const char *text, *token, *account;
        bool expire;
    } rows[] = {
        {LATCH_KEYS_OF_CONTAINER, CONTAINER, "hush2", "", true},
        {LATCH_KEYS_OF_CONTAINER,
         "{" ID "," SECRET "," TOKEN "," UNTIL ",\"AccountId\":\"123456789012\",\"RoleArn\":\"x\",\"Code\":\"Success\"}", "hush2",
         "123456789012", true},
        {LATCH_KEYS_OF_PROCESS, "{\"Version\":1," ID "," SECRET "}\n", "", "", false},
        {LATCH_KEYS_OF_PROCESS, "{\"Version\":1," ID "," SECRET ",\"SessionToken\":\"t\"," UNTIL "}", "t", "", true},
        {LATCH_KEYS_OF_PROCESS, "{\"Version\":1," ID "," SECRET ",\"SessionToken\":null,\"Expiration\":null,\"AccountId\":\"1\"}", "", "1",
         false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_given_keys keys;
        room_open(&r, 16384);
        latch_status status =
            latch_keys_parse(&r.arena, "it", rows[i].form, at_the_edge(latch_str_of(rows[i].text)), NOW_MS, &keys, &r.cx.err);
        if (status != LATCH_OK) fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_text(keys.access_key_id, "AKIDEXAMPLE");
        assert_text(keys.secret_access_key, "hush");
        assert_true(latch_str_eq(keys.session_token, latch_str_of(rows[i].token)));
        assert_true(latch_str_eq(keys.account_id, latch_str_of(rows[i].account)));
        assert_int_equal(keys.expire, rows[i].expire);
        if (keys.expire) assert_int_equal(keys.expire_at_ms, NOW_MS - 123 + LATCH_HOUR_MS);
        room_close(&r);
    }
}

/* Each says what is wrong, and shows no value. */
static void refuses_answers(void **state) {
    (void)state;
    static const struct {
        latch_keys_form form;
        const char *text, *says;
        latch_status status;
    } rows[] = {
        {LATCH_KEYS_OF_CONTAINER, "", "no JSON object of keys", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "<html>hush</html>", "no JSON object of keys", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{\"AccessKeyId\":\"hush", "no JSON object of keys", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "[]", "", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "null", "", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{\"AccessKeyId\":17," SECRET "," TOKEN "," UNTIL "}", "no JSON object of keys", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID ",\"SecretAccessKey\":[\"hush\"]," TOKEN "," UNTIL "}", "no JSON object of keys", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" SECRET "," TOKEN "," UNTIL "}", "no access key id", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID ",\"SecretAccessKey\":\"\"," TOKEN "," UNTIL "}", "", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET "," UNTIL "}", "no \"Token\"", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET "," TOKEN "}", "no \"Expiration\"", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET "," TOKEN ",\"Expiration\":\"hush\"}", "is no time", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET "," TOKEN ",\"Expiration\":\"2026-11-21T09:30:00Z\"}", "expired 0 s ago",
         LATCH_E_DENIED},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET "," TOKEN ",\"Expiration\":\"2026-11-21T09:00:00Z\"}", "expired 1800 s ago",
         LATCH_E_DENIED},
        {LATCH_KEYS_OF_CONTAINER, "{" ID "," SECRET ",\"Token\":\"hush\\r\\nX: y\"," UNTIL "}", "the session token has a space",
         LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{" ID ",\"SecretAccessKey\":\"hush\\u0000\"," TOKEN "," UNTIL "}", "the secret access key has a space",
         LATCH_E_MISUSE},
        {LATCH_KEYS_OF_CONTAINER, "{\"AccessKeyId\":\"h\xC3\xBCsh\"," SECRET "," TOKEN "," UNTIL "}", "the access key id has a space",
         LATCH_E_MISUSE},
        {LATCH_KEYS_OF_PROCESS, "{" ID "," SECRET "}", "\"Version\" 0, want 1", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_PROCESS, "{\"Version\":2," ID "," SECRET "}", "\"Version\" 2, want 1", LATCH_E_MISUSE},
        {LATCH_KEYS_OF_PROCESS, "{\"Version\":1," ID "}", "no secret access key", LATCH_E_MISUSE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_given_keys keys;
        room_open(&r, 16384);
        latch_status status =
            latch_keys_parse(&r.arena, "it", rows[i].form, at_the_edge(latch_str_of(rows[i].text)), NOW_MS, &keys, &r.cx.err);
        if (status != rows[i].status) fail_msg("row %zu: %d, %s", i, status, r.cx.err.message);
        if (strncmp(r.cx.err.message, "it: ", 4) != 0 || strstr(r.cx.err.message, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, r.cx.err.message);
        assert_null(strstr(r.cx.err.message, "hush"));
        assert_null(keys.secret_access_key.ptr);
        room_close(&r);
    }
}

static void survives_full_arenas(void **state) {
    (void)state;
    bool enough = false;
    for (size_t size = 0; size < 4096; size += 16) {
        room r;
        latch_given_keys keys;
        room_open(&r, size);
        latch_status status = latch_keys_parse(&r.arena, "it", LATCH_KEYS_OF_CONTAINER, LATCH_STR(CONTAINER), NOW_MS, &keys, &r.cx.err);
        if (status != LATCH_OK && status != LATCH_E_NOMEM) fail_msg("%zu bytes: %s", size, r.cx.err.message);
        if (enough && status != LATCH_OK) fail_msg("%zu bytes are not enough, less were", size);
        enough = status == LATCH_OK;
        room_close(&r);
    }
    assert_true(enough);
}

static void bounds_every_part(void **state) {
    (void)state;
    static char long_text[16386];
    static const struct {
        size_t id, secret, token, account;
        const char *says; /* NULL: they can be used */
    } rows[] = {
        {1, 1, 0, 0, NULL},
        {128, 512, 16384, 64, NULL},
        {129, 1, 0, 0, "the access key id has 129 bytes, want at most 128"},
        {1, 513, 0, 0, "the secret access key has 513 bytes"},
        {1, 1, 16385, 0, "the session token has 16385 bytes"},
        {1, 1, 0, 65, "the account id has 65 bytes"},
        {0, 1, 0, 0, "no access key id"},
        {1, 0, 0, 0, "no secret access key"},
    };
    memset(long_text, 'x', sizeof long_text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_err err = {0};
        const latch_given_keys keys = {.access_key_id = {long_text, rows[i].id},
                                       .secret_access_key = {long_text, rows[i].secret},
                                       .session_token = {long_text, rows[i].token},
                                       .account_id = {long_text, rows[i].account}};
        assert_int_equal(latch_keys_check("it", &keys, &err), rows[i].says == NULL ? LATCH_OK : LATCH_E_MISUSE);
        if (rows[i].says != NULL && strstr(err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, err.message);
    }
}

#define ROW(name) cmocka_unit_test(name)
static const struct CMUnitTest tests[] = {
    ROW(knows_times), ROW(reads_answers), ROW(refuses_answers), ROW(survives_full_arenas), ROW(bounds_every_part),
};

CHECK_MAIN(tests)

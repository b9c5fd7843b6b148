#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <yyjson.h>

#include "core/log.h"
#include "core/node.h"
#include "tests/check.h"
#include "tests/core/logged.h"

#define RECORD_BYTES ((size_t)16384)

static char record[RECORD_BYTES];

static int set_up(void **state) {
    (void)state;
    return logged_open((size_t)1 << 16);
}

static int tear_down(void **state) {
    (void)state;
    return logged_close();
}

static size_t next_write(void) { return logged_read(record, sizeof record); }

#define assert_record(expected)                                                                                                            \
    do {                                                                                                                                   \
        assert_int_equal(next_write(), strlen(expected));                                                                                  \
        assert_string_equal(record, expected);                                                                                             \
        assert_int_equal(next_write(), 0); /* one write a record */                                                                        \
    } while (0)

static void writes_text_records(void **state) {
    (void)state;
    latch_info(&r.cx, "shipped", "order_id", LATCH_STR("o-1"), "qty", 3L);
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tINFO\tshipped {\"order_id\":\"o-1\",\"qty\":3}\n");
    latch_warn(&r.cx, "no values");
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tWARN\tno values\n");
    latch_debug(&r.cx, "");
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tDEBUG\t\n");
    r.cx.request_id = (latch_str){NULL, 0};
    latch_log(&r.cx, LATCH_FATAL, "before any event", "d", 0.5, "o", latch_object(&r.cx, "l", latch_array(&r.cx)));
    assert_record("2026-11-21T09:30:00.123Z\t\tFATAL\tbefore any event {\"d\":0.5,\"o\":{\"l\":[]}}\n");
}

static void writes_json_records(void **state) {
    (void)state;
    logs.format = LATCH_LOG_JSON;
    latch_info(&r.cx, "said \"yes\"\n", "order_id", LATCH_STR("o-1"), "list", latch_append(latch_array(&r.cx), 1L));
    assert_record(
        "{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"message\":\"said \\\"yes\\\"\\n\","
        "\"order_id\":\"o-1\",\"list\":[1]}\n");
    r.cx.request_id = (latch_str){NULL, 0};
    latch_log(&r.cx, LATCH_ERROR, "before any event");
    assert_record("{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"ERROR\",\"message\":\"before any event\"}\n");
}

static void leaves_reserved_names_to_the_record(void **state) {
    static const char *const reserved[] = {"timestamp", "level", "requestId", "tenantId", "message"};
    (void)state;
    logs.format = LATCH_LOG_JSON;
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        char want[256];
        latch_log_write(&r.cx, LATCH_INFO, "m", (const latch_pair[]){{reserved[i], latch_v_cstr_("mine")}, {NULL, latch_v_cstr_(NULL)}});
        snprintf(
            want, sizeof want,
            "{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"message\":\"m\",\"%s_\":\"mine\"}\n",
            reserved[i]);
        assert_record(want);
    }
    latch_info(&r.cx, "m", "levels", 1L, "errorType", "x");
    assert_record("{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"message\":\"m\",\"levels\":1,"
                  "\"errorType\":\"x\"}\n");
}

static void writes_sixteen_pairs(void **state) {
    (void)state;
    logs.format = LATCH_LOG_JSON;
    latch_info(&r.cx, "m", "a", 1L, "b", 2L, "c", 3L, "d", 4L, "e", 5L, "f", 6L, "g", 7L, "h", 8L, "i", 9L, "j", 10L, "k", 11L, "l", 12L,
               "m", 13L, "n", 14L, "o", 15L, "p", 16L);
    assert_true(next_write() > 0);
    assert_non_null(strstr(record, "\"message\":\"m\",\"a\":1,\"b\":2,"));
    assert_non_null(strstr(record, ",\"o\":15,\"p\":16}\n"));
}

static void leaves_out_what_is_below_its_level(void **state) {
    (void)state;
    for (int least = LATCH_TRACE; least <= LATCH_FATAL; least++) {
        logs.least = (latch_level)least;
        for (int level = LATCH_TRACE; level <= LATCH_FATAL; level++) {
            latch_log(&r.cx, (latch_level)level, "m");
            size_t len = next_write();
            assert_true((len > 0) == (level >= least));
            if (len > 0) assert_non_null(strstr(record, latch_level_name((latch_level)level)));
        }
    }
    r.cx.log = NULL; /* nowhere to go */
    latch_log(&r.cx, LATCH_FATAL, "m");
    assert_int_equal(next_write(), 0);
}

static void folds_newlines(void **state) {
    (void)state;
    latch_info(&r.cx, "one\ntwo\n\nthree", "value", "a\nb");
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tINFO\tone\rtwo\r\rthree {\"value\":\"a\\nb\"}\n");
    logs.framed = true;
    latch_info(&r.cx, "one\ntwo");
    assert_int_equal(next_write(), 16 + 24 + 17);
    assert_null(strchr(record + 16, '\n'));
}

/* u32 type, u32 length, u64 microseconds, big-endian; then the record, without a newline. */
static void frames_records_byte_by_byte(void **state) {
    static const struct {
        latch_log_format format;
        latch_level level;
        unsigned char type[4];
    } rows[] = {
        {LATCH_LOG_TEXT, LATCH_TRACE, {0xa5, 0x5a, 0x00, 0x07}}, {LATCH_LOG_TEXT, LATCH_DEBUG, {0xa5, 0x5a, 0x00, 0x0b}},
        {LATCH_LOG_TEXT, LATCH_INFO, {0xa5, 0x5a, 0x00, 0x0f}},  {LATCH_LOG_TEXT, LATCH_WARN, {0xa5, 0x5a, 0x00, 0x13}},
        {LATCH_LOG_TEXT, LATCH_ERROR, {0xa5, 0x5a, 0x00, 0x17}}, {LATCH_LOG_TEXT, LATCH_FATAL, {0xa5, 0x5a, 0x00, 0x1b}},
        {LATCH_LOG_JSON, LATCH_INFO, {0xa5, 0x5a, 0x00, 0x0e}},  {LATCH_LOG_JSON, LATCH_FATAL, {0xa5, 0x5a, 0x00, 0x1a}},
    };
    static const unsigned char at[8] = {0x00, 0x06, 0x60, 0xc6, 0x01, 0x32, 0x38, 0x40}; /* 1795253400123456 */
    (void)state;
    logs.framed = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        logs.format = rows[i].format;
        latch_log(&r.cx, rows[i].level, "hello", "k", "v");
        size_t len = next_write();
        assert_true(len > 16);
        assert_memory_equal(record, rows[i].type, 4);
        const unsigned char *bytes = (const unsigned char *)record;
        assert_int_equal((size_t)bytes[4] << 24 | (size_t)bytes[5] << 16 | (size_t)bytes[6] << 8 | bytes[7], len - 16);
        assert_memory_equal(record + 8, at, 8);
        assert_int_equal(record[len - 1], '}');
        if (rows[i].format == LATCH_LOG_TEXT) assert_non_null(strstr(record + 16, "\thello {\"k\":\"v\"}"));
        assert_int_equal(next_write(), 0);
    }
}

static void loses_no_record_to_bad_values(void **state) {
    latch_json broken = latch_object(&r.cx, "x", LATCH_STR("\xFF"));
    (void)state;
    latch_info(&r.cx, "m", "bad", LATCH_STR("a\xFFz"), "nan", 0.0 / (double)(r.wall_us - r.wall_us), "broken", broken, "good", 1L);
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tINFO\tm {\"bad\":\"a\xEF\xBF\xBDz\",\"nan\":null,\"broken\":null,\"good\":1}\n");
    logs.format = LATCH_LOG_JSON;
    latch_info(&r.cx, "m\xC0", "bad", LATCH_STR("\0"), "\xFF", 1L);
    assert_record("{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"message\":\"m\xEF\xBF\xBD\","
                  "\"bad\":\"\\u0000\",\"\xEF\xBF\xBD\":1}\n");
}

static void leaves_arena_and_error_as_they_were(void **state) {
    (void)state;
    (void)latch_err_set(&r.cx.err, LATCH_HELD, "the handler's own");
    char *own = latch_arena_alloc(&r.arena, 10);
    memset(own, 'o', 10);
    size_t mark = latch_arena_mark(&r.arena);
    for (int i = 0; i < 10000; i++) {
        latch_info(&r.cx, "m", "k", "a longer value than the last one", "bad", LATCH_STR("\xFF"));
        (void)next_write();
    }
    assert_int_equal(latch_arena_mark(&r.arena), mark);
    assert_string_equal(r.cx.err.message, "the handler's own");
    assert_memory_equal(own, "oooooooooo", 10);
}

/* Whatever room is left: a record, whole or its message alone; in JSON it is JSON. */
static void writes_in_a_full_arena(void **state) {
    static const char long_message[] = "0123456789\"\\\n\x01\xC3\xA9\xFF 0123456789\"\\\n\x01\xC3\xA9\xFF 0123456789\"\\\n\x01\xC3\xA9\xFF "
                                       "0123456789\"\\\n\x01\xC3\xA9\xFF";
    static char longest[4000];
    (void)state;
    memset(longest, '\x01', sizeof longest - 1);
    for (int json = 0; json < 2; json++) {
        for (size_t left = 0; left < 1200; left += 1 + left / 8) {
            room small;
            room_open(&small, left);
            small.cx.log = &logs;
            logs.format = json == 1 ? LATCH_LOG_JSON : LATCH_LOG_TEXT;
            const char *message = left % 2 == 0 ? long_message : longest;
            latch_log(&small.cx, LATCH_ERROR, message, "key", "value");
            size_t len = next_write();
            assert_true(len > 100 && record[len - 1] == '\n');
            assert_true(memchr(record, '\n', len - 1) == NULL);
            if (message == long_message) assert_non_null(memmem(record, len, "\"key\":\"value\"", 13));
            yyjson_doc *doc = yyjson_read(record, len, 0);
            assert_int_equal(doc != NULL, json);
            if (json == 1 && message == longest)
                assert_in_range(yyjson_get_len(yyjson_obj_get(yyjson_doc_get_root(doc), "message")), 512, 3999);
            yyjson_doc_free(doc);
            assert_int_equal(next_write(), 0);
            room_close(&small);
        }
    }
}

static void *drain(void *bytes) {
    for (ssize_t n; (n = read(ends[1], record, sizeof record)) > 0;)
        *(size_t *)bytes += (size_t)n;
    return NULL;
}

/* A pipe that takes less than a record, and says "later": the rest is written when its reader has taken some. */
static void waits_for_a_slow_reader(void **state) {
    static char value[300000];
    size_t bytes = 0;
    pthread_t reader;
    room big;
    (void)state;
    memset(value, 'v', sizeof value - 1);
    close(ends[0]);
    close(ends[1]);
    int pipe_ends[2];
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK), 0);
    ends[0] = pipe_ends[1];
    ends[1] = pipe_ends[0];
    logs.fd = ends[0];
    room_open(&big, (size_t)2 << 20);
    big.cx.log = &logs;
    assert_int_equal(pthread_create(&reader, NULL, drain, &bytes), 0);
    for (int i = 0; i < 10; i++)
        latch_info(&big.cx, "m", "value", value);
    close(ends[0]);
    assert_int_equal(pthread_join(reader, NULL), 0);
    ends[0] = -1;
    assert_int_equal(bytes, 10 * (strlen(value) + strlen("2026-11-21T09:30:00.123Z\tr-1\tINFO\tm {\"value\":\"\"}\n")));
    room_close(&big);
}

static void goes_on_where_nobody_reads(void **state) {
    (void)state;
    logs.fd = -1;
    latch_info(&r.cx, "lost"); /* a log has nowhere to complain */
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    logs.fd = full;
    latch_info(&r.cx, "lost too");
    close(full);
    assert_int_equal(next_write(), 0);
}

static void reads_its_environment(void **state) {
    static const struct {
        const char *format, *level, *fd;
        latch_log want;
    } rows[] = {
        {NULL, NULL, NULL, {.fd = 1}},
        {"TEXT", "TRACE", NULL, {.fd = 1}},
        {"JSON", "WARN", NULL, {.fd = 1, .format = LATCH_LOG_JSON, .least = LATCH_WARN}},
        {"json", "fatal", NULL, {.fd = 1, .format = LATCH_LOG_JSON, .least = LATCH_FATAL}},
        {"XML", "LOUD", "many", {.fd = 1}},
        {"", "", "", {.fd = 1}},
        {NULL, "INFO", "62", {.fd = 62, .framed = true, .least = LATCH_INFO}},
        {NULL, NULL, "0", {.fd = 0, .framed = true}},
        {NULL, NULL, "63", {.fd = 1}}, /* for reading alone */
        {NULL, NULL, "64", {.fd = 1}}, /* closed */
        {NULL, NULL, "-1", {.fd = 1}},
        {NULL, NULL, "62x", {.fd = 1}},
        {NULL, NULL, "99999999999", {.fd = 1}},
        {NULL, "ERROR", "2147483647", {.fd = 1, .least = LATCH_ERROR}},
    };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), to_read = open("/dev/null", O_RDONLY | O_CLOEXEC), in = dup(STDIN_FILENO);
    (void)state;
    assert_true(null >= 0 && to_read >= 0);
    assert_int_equal(dup2(null, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(dup2(null, 62), 62);
    assert_int_equal(dup2(to_read, 63), 63);
    close(64);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *names[] = {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"};
        const char *values[] = {rows[i].format, rows[i].level, rows[i].fd};
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(values[k] != NULL ? setenv(names[k], values[k], 1) : unsetenv(names[k]), 0);
        latch_log log = latch_log_from_environment();
        if (log.fd != rows[i].want.fd || log.framed != rows[i].want.framed || log.format != rows[i].want.format ||
            log.least != rows[i].want.least)
            fail_msg("row %zu: fd %d, framed %d, format %d, least %d", i, log.fd, log.framed, (int)log.format, (int)log.least);
        assert_null(getenv("_LAMBDA_TELEMETRY_LOG_FD")); /* children must not write there */
    }
    if (in >= 0) dup2(in, STDIN_FILENO);
    const int opened[] = {null, to_read, in, 62, 63};
    for (size_t i = 0; i < COUNT_OF(opened); i++)
        if (opened[i] >= 0) close(opened[i]);
}

/* ── tenants, levels, lines ──────────────────────────────────────────────────────────────────────────────────────── */

static void names_the_tenant_in_json(void **state) {
    (void)state;
    r.cx.tenant_id = LATCH_STR("blue \"one\"");
    latch_info(&r.cx, "m");
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tINFO\tm\n");
    logs.format = LATCH_LOG_JSON;
    latch_info(&r.cx, "m");
    assert_record("{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"tenantId\":\"blue "
                  "\\\"one\\\"\",\"message\":\"m\"}\n");
}

static int evaluated;
static const char *costly(void) {
    evaluated++;
    return "costly";
}

static void evaluates_nothing_below_its_level(void **state) {
    (void)state;
    r.cx.least = LATCH_WARN;
    latch_trace(&r.cx, costly(), "k", costly());
    latch_debug(&r.cx, costly(), "k", costly());
    latch_info(&r.cx, costly(), "k", costly());
    assert_int_equal(evaluated, 0);
    assert_int_equal(next_write(), 0);
    latch_warn(&r.cx, "m", "k", costly());
    latch_log_error(&r.cx, "m", "k", costly());
    assert_int_equal(evaluated, 2);
    assert_true(next_write() > 0 && next_write() > 0);
    assert_true(latch_log_wants(&r.cx, LATCH_WARN) && !latch_log_wants(&r.cx, LATCH_INFO));
}

static void writes_lines_as_they_are(void **state) {
    char line[] = "{\"_aws\":1}?";
    (void)state;
    logs.least = LATCH_FATAL;
    latch_log_emit_line(&logs, line, strlen(line) - 1);
    assert_record("{\"_aws\":1}\n");
    int out = dup(STDOUT_FILENO); /* with frames, stdout is still there for what is no record */
    logs = (latch_log){.fd = -1, .framed = true};
    assert_true(out >= 0 && dup2(ends[0], STDOUT_FILENO) >= 0);
    latch_log_emit_line(&logs, line, 3);
    assert_true(dup2(out, STDOUT_FILENO) >= 0);
    close(out);
    assert_record("{\"_\n");
}

/* ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void knows_names_of_secrets(void **state) {
    static const char *const secret[] = {"password",
                                         "Password",
                                         "PASSWORD",
                                         "user_password",
                                         "passwordHash",
                                         "db-password",
                                         "passwd",
                                         "pwd",
                                         "token",
                                         "accessToken",
                                         "X-Auth-Token",
                                         "secret",
                                         "clientSecret",
                                         "secret_name",
                                         "Authorization",
                                         "authorization",
                                         "apiKey",
                                         "api_key",
                                         "API_KEY",
                                         "x-api-key",
                                         "myAPIKey",
                                         "apikey",
                                         "cookie",
                                         "Set-Cookie",
                                         "cookies",
                                         "credentials",
                                         "privateKey",
                                         "access_key_id",
                                         "AWSSecretAccessKey",
                                         "passphrase",
                                         "JWT",
                                         "connectionString",
                                         "token2.token",
                                         "a.b.password",
                                         "refresh token",
                                         "signing_key",
                                         "client key",
                                         "passcode"};
    static const char *const plain[] = {"",
                                        "pass",
                                        "tokens",
                                        "tokens_used",
                                        "secretary",
                                        "passwords_checked_by",
                                        "tokenizer",
                                        "key",
                                        "api",
                                        "key api",
                                        "apis key",
                                        "order_id",
                                        "accesskeyboard",
                                        "author",
                                        "authorized",
                                        "mypasswordx",
                                        "idtoken",
                                        "monkey",
                                        "keyAccess",
                                        "credit",
                                        "a p i key",
                                        "—"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(secret); i++) {
        if (!latch_redact_is_secret(NULL, latch_str_of(secret[i]))) fail_msg("%s is secret", secret[i]);
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (latch_redact_is_secret(NULL, latch_str_of(plain[i]))) fail_msg("%s is no secret", plain[i]);
    }
    static char longest[4096]; /* a name is cut, not read beyond its end */
    memset(longest, 'A', sizeof longest);
    assert_false(latch_redact_is_secret(NULL, (latch_str){longest, sizeof longest}));
    assert_false(latch_redact_is_secret(NULL, at_the_edge((latch_str){longest, 300})));
    memcpy(longest + 117, "_password", 9);
    assert_true(latch_redact_is_secret(NULL, at_the_edge((latch_str){longest, 126})));
}

static void takes_secrets_out_of_json(void **state) {
    static const char *const rows[][2] = {
        {"{}", "{}"},
        {"{\"password\":\"hunter2\"}", "{\"password\":\"***\"}"},
        {"{\"password\":\"\",\"a\":1}", "{\"password\":\"\",\"a\":1}"},
        {"{\"password\":\"x\"}", "{\"password\":\"*\"}"},
        {"{\"a\":\"password\",\"b\":\"x\"}", "{\"a\":\"password\",\"b\":\"x\"}"},
        {"{\"password\":\"a\\\"b\\\\\",\"b\":\"kept\"}", "{\"password\":\"***\",\"b\":\"kept\"}"},
        {"{\"pwd\":-12.5e+3,\"n\":12}", "{\"pwd\":0,\"n\":12}"},
        {"{\"pwd\":7}", "{\"pwd\":0}"},
        {"{\"token\":true,\"jwt\":null,\"secret\":false,\"n\":12}", "{\"token\":true,\"jwt\":null,\"secret\":false,\"n\":12}"},
        {"{\"u\":{\"l\":[{\"apiKey\":\"abcdef\",\"n\":1}]},\"t\":\"abcdef\"}",
         "{\"u\":{\"l\":[{\"apiKey\":\"***\",\"n\":1}]},\"t\":\"abcdef\"}"},
        {"{\"cookies\":[\"abcd\",{\"v\":\"efgh\",\"n\":123,\"b\":true}],\"z\":\"kept\"}",
         "{\"cookies\":[\"***\",{\"v\":\"***\",\"n\":0,\"b\":true}],\"z\":\"kept\"}"},
        {"{\"credentials\":{},\"z\":\"kept\"}", "{\"credentials\":{},\"z\":\"kept\"}"},
        {"{\"credentials\":[],\"cookie\":\"12345\",\"z\":1}", "{\"credentials\":[],\"cookie\":\"***\",\"z\":1}"},
        {"{\"pass\xC3\xA9\":\"x\",\"secret\":\"\xC3\xA9\xC3\xA9\"}", "{\"pass\xC3\xA9\":\"x\",\"secret\":\"***\"}"},
        {",\"secret\":\"abcd\"}", ",\"secret\":\"***\"}"}, /* as a record's pairs begin */
        {"{\"secret\":\"abcd", "{\"secret\":\"***"},       /* cut short: nothing is read behind it, and nothing stays */
        {"{\"a\":\"abcd", "{\"a\":\"abcd"},
        {"{\"secret\":\"", "{\"secret\":\""},
        {"{\"secret\":", "{\"secret\":"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str at = at_the_edge(latch_str_of(rows[i][0]));
        char *text = (char *)(uintptr_t)at.ptr;
        size_t len = latch_redact_json(NULL, text, at.len);
        if (len != strlen(rows[i][1]) || memcmp(text, rows[i][1], len) != 0) fail_msg("%s became %.*s", rows[i][0], (int)len, text);
    }
}

#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SESSION "IQoJb3JpZ2luX2VjEXAMPLEr2A=="

static void takes_forms_out_of_texts(void **state) {
    static const char *const rows[][2] = {
        {"", ""},
        {"no keys", "no keys"},
        {"key AKIAIOSFODNN7EXAMPLE.", "key AKIA***."},
        {"AKIAIOSFODNN7EXAMPLE", "AKIA***"},
        {"ASIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLF", "ASIA*** ASIA***"},
        {"AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPL"},     /* one short */
        {"AKIAIOSFODNN7EXAMPLEX", "AKIAIOSFODNN7EXAMPLEX"}, /* one long: no key */
        {"XAKIAIOSFODNN7EXAMPLE", "XAKIAIOSFODNN7EXAMPLE"},
        {"AKIAiosfodnn7example", "AKIAiosfodnn7example"},
        {"AKIA", "AKIA"},
        {"signed with " SECRET_KEY "!", "signed with ***!"},
        {"a=" SESSION "&b=" SECRET_KEY, "a=***&b=***"},
        {"wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG"}, /* too little of it */
        {"\"short\"", "\"short\""},
    };
    (void)state;
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY, 1) | setenv("AWS_SESSION_TOKEN", SESSION, 1), 0);
    assert_int_equal(setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "short", 1), 0);
    const latch_redact redact = latch_redact_from_environment();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_str at = at_the_edge(latch_str_of(rows[i][0]));
        char *text = (char *)(uintptr_t)at.ptr;
        size_t len = latch_redact_text(&redact, text, at.len);
        if (len != strlen(rows[i][1]) || memcmp(text, rows[i][1], len) != 0) fail_msg("%s became %.*s", rows[i][0], (int)len, text);
    }
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
}

static void takes_further_names(void **state) {
    static char many[2000];
    (void)state;
    assert_int_equal(setenv("LATCH_LOG_REDACT", "ssn, cardNumber,,  ,IBAN", 1), 0);
    latch_redact redact = latch_redact_from_environment();
    assert_true(latch_redact_is_secret(&redact, LATCH_STR("SSN")) && latch_redact_is_secret(&redact, LATCH_STR("card_number")));
    assert_true(latch_redact_is_secret(&redact, LATCH_STR("user-iban")) && latch_redact_is_secret(&redact, LATCH_STR("password")));
    assert_false(latch_redact_is_secret(&redact, LATCH_STR("card")) || latch_redact_is_secret(&redact, LATCH_STR("")));
    for (size_t i = 0; i + 1 < sizeof many; i++)
        many[i] = i % 4 == 3 ? ',' : (char)('a' + i % 26);
    assert_int_equal(setenv("LATCH_LOG_REDACT", many, 1), 0); /* more than there is room for */
    redact = latch_redact_from_environment();
    assert_true(latch_redact_is_secret(&redact, LATCH_STR("abc")));
    unsetenv("LATCH_LOG_REDACT");
}

/* Each planted where a handler might put it. How many of them are in `text`. */
static const char *const planted[] = {
    "plant-1", "plant-2", "plant-3", "plant-4", "plant-5", "AKIAPLANTPLANTPLANT6", "plant-7/plant-7/plant-7"};

static size_t leaks(const char *text) {
    size_t found = 0;
    for (size_t i = 0; i < COUNT_OF(planted); i++)
        found += strstr(text, planted[i]) != NULL;
    return found;
}

static latch_json planted_tree(void) {
    latch_json list = latch_append(latch_array(&r.cx), latch_object(&r.cx, "Authorization", planted[2], "kept", "kept-2"));
    return latch_object(&r.cx, "deep", latch_object(&r.cx, "list", list, "api_key", planted[3]));
}

static void log_what_is_planted(void) {
    latch_json parsed = LATCH_NULL;
    assert_int_equal(latch_parse(&r.cx, "body", LATCH_STR("{\"a\": {\"cookies\": [\"plant-5\"], \"kept\": \"kept-3\"}}"), &parsed),
                     LATCH_OK);
    latch_info(&r.cx, "with AKIAPLANTPLANTPLANT6", "password", planted[0], "userToken", planted[1], "tree", planted_tree(), "parsed",
               parsed, "text", "has plant-7/plant-7/plant-7 in it", "order_id", "kept-1");
}

static void writes_no_secret(void **state) {
    (void)state;
    for (int json = 0; json < 2; json++) {
        logs.format = json == 1 ? LATCH_LOG_JSON : LATCH_LOG_TEXT;
        memcpy(logs.redact.secret[1], planted[6], 20);
        log_what_is_planted();
        size_t len = next_write();
        assert_true(len > 0);
        if (leaks(record) != 0) fail_msg("%s", record);
        assert_true(strstr(record, "kept-1") && strstr(record, "kept-2") && strstr(record, "kept-3"));
        const char *from = json == 1 ? record : strchr(record, '{');
        yyjson_doc *doc = yyjson_read(from, len - (size_t)(from - record), 0);
        assert_non_null(doc);
        yyjson_doc_free(doc);
    }
}

/* Without the net, each of them is found: the test above can fail. */
static void finds_what_a_twin_without_the_net_writes(void **state) {
    (void)state;
    latch_text_writer t = latch_text_begin(&r.arena);
    latch_text_pairs(&t,
                     LATCH_PAIRS_(0, "password", planted[0], "userToken", planted[1], "tree", planted_tree(), "parsed", planted[4], "text",
                                  planted[6], "message", planted[5]),
                     true);
    latch_str text = latch_text_end(&t);
    assert_int_equal(leaks(text.ptr), COUNT_OF(planted));
}

/* ── a worker's own connection ───────────────────────────────────────────────────────────────────────────────────── */

static void connects_a_worker_to_the_provider(void **state) {
    char folder[200], path[256];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    latch_log_line lines[2];
    latch_ctx other = r.cx;
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/latch-log-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    assert_true(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    int provider = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(provider, (struct sockaddr *)&at, sizeof at) | listen(provider, 4), 0);
    logs.provider = path;
    logs.format = LATCH_LOG_JSON;
    logs.framed = true; /* of the process's; a worker's has none */
    latch_log_open(&r.cx, &lines[0]);
    latch_log_open(&other, &lines[1]);
    int first = accept(provider, NULL, NULL), second = accept(provider, NULL, NULL);
    assert_true(first >= 0 && second >= 0);
    other.request_id = LATCH_STR("r-2");
    latch_info(&other, "two");
    latch_info(&r.cx, "one");
    char line[] = "{}?";
    latch_log_emit_line(r.cx.log, line, 2);
    latch_log_close(&r.cx, &lines[0]);
    latch_log_close(&other, &lines[1]);
    assert_ptr_equal(r.cx.log, &logs);
    ssize_t n = recv(first, record, sizeof record - 1, MSG_WAITALL);
    record[n] = '\0';
    assert_string_equal(record,
                        "{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-1\",\"message\":\"one\"}\n{}\n");
    n = recv(second, record, sizeof record - 1, MSG_WAITALL);
    record[n] = '\0';
    assert_string_equal(record,
                        "{\"timestamp\":\"2026-11-21T09:30:00.123Z\",\"level\":\"INFO\",\"requestId\":\"r-2\",\"message\":\"two\"}\n");
    close(first);
    close(second);
    close(provider);
    unlink(path);
    rmdir(folder);
}

static void stays_where_it_was_without_a_provider(void **state) {
    static char longest[300];
    latch_log_line line;
    (void)state;
    latch_log_open(&r.cx, &line);
    assert_ptr_equal(r.cx.log, &logs);
    latch_log_close(&r.cx, &line);
    logs.provider = "/nowhere/at/all";
    latch_log_open(&r.cx, &line);
    assert_ptr_equal(r.cx.log, &logs);
    assert_record("2026-11-21T09:30:00.123Z\tr-1\tWARN\tthe log's provider can't be reached: this worker logs to stdout "
                  "{\"socket\":\"/nowhere/at/all\",\"why\":\"No such file or directory\"}\n");
    memset(longest, 'x', sizeof longest - 1);
    logs.provider = longest;
    latch_log_open(&r.cx, &line);
    assert_true(next_write() > 0);
    assert_non_null(strstr(record, "File name too long"));
    latch_log_close(&r.cx, &line);
    r.cx.log = NULL;
    latch_log_open(&r.cx, &line);
    latch_log_close(&r.cx, &line);
    assert_null(r.cx.log);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(writes_text_records),
    ROW(writes_json_records),
    ROW(leaves_reserved_names_to_the_record),
    ROW(writes_sixteen_pairs),
    ROW(leaves_out_what_is_below_its_level),
    ROW(folds_newlines),
    ROW(frames_records_byte_by_byte),
    ROW(loses_no_record_to_bad_values),
    ROW(leaves_arena_and_error_as_they_were),
    ROW(writes_in_a_full_arena),
    ROW(waits_for_a_slow_reader),
    ROW(goes_on_where_nobody_reads),
    ROW(reads_its_environment),
    ROW(names_the_tenant_in_json),
    ROW(evaluates_nothing_below_its_level),
    ROW(writes_lines_as_they_are),
    ROW(knows_names_of_secrets),
    ROW(takes_secrets_out_of_json),
    ROW(takes_forms_out_of_texts),
    ROW(takes_further_names),
    ROW(writes_no_secret),
    ROW(finds_what_a_twin_without_the_net_writes),
    ROW(connects_a_worker_to_the_provider),
    ROW(stays_where_it_was_without_a_provider),
};
// clang-format on

CHECK_MAIN(tests)

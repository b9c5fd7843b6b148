#include "store/dynamodb/credentials.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "core/http_private.h"
#include "store/dynamodb/sources.h"
#include "tests/check.h"
#include "tests/core/http_server.h"
#include "tests/core/room.h"
#include "tests/dynamodb/files.h"

#define WAIT_MS INT64_C(5000) /* of a call that has all the time it needs */

/* The machine's clocks, moved: what waits for a server must see time go on. */
static _Atomic int64_t moved_wall_us, moved_boot_us;
static int64_t wall_us(void *self) {
    const latch_clock system = latch_clock_system();
    (void)self;
    return system.wall_us(system.self) + moved_wall_us;
}
static int64_t boot_us(void *self) {
    const latch_clock system = latch_clock_system();
    (void)self;
    return system.boot_us(system.self) + moved_boot_us;
}
static const latch_clock moved = {.wall_us = wall_us, .boot_us = boot_us};

static void move(int64_t wall_ms, int64_t boot_ms) {
    moved_wall_us += wall_ms * 1000;
    moved_boot_us += boot_ms * 1000;
}

static int set_up(void **state) {
    (void)state;
    files_open();
    environment_clear();
    moved_wall_us = moved_boot_us = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    files_close();
    return 0;
}

static latch_credentials *open_with(const latch_settings *settings) {
    latch_credentials *c;
    latch_err err = {0};
    if (latch_credentials_open(&c, settings, moved, &err) != LATCH_OK) fail_msg("%s", err.message);
    return c;
}

static latch_status get(latch_credentials *c, latch_keys *out, latch_err *err) {
    *err = (latch_err){0};
    return latch_credentials_get(c, latch_clock_wall_ms(&moved) + WAIT_MS, out, err);
}

/* One get, given back; its id and generation. */
static uint64_t get_id(latch_credentials *c, char id[64]) {
    latch_keys keys;
    latch_err err;
    if (get(c, &keys, &err) != LATCH_OK) fail_msg("%s", err.message);
    snprintf(id, 64, "%.*s", LATCH_ARG(keys.access_key_id));
    uint64_t generation = keys.generation;
    latch_credentials_release(c, &keys);
    return generation;
}

#define assert_id(c, expected)                                                                                                             \
    do {                                                                                                                                   \
        char id_[64];                                                                                                                      \
        (void)get_id((c), id_);                                                                                                            \
        assert_string_equal(id_, (expected));                                                                                              \
    } while (0)

/* ── which source ────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ENV "AWS_ACCESS_KEY_ID=env AWS_SECRET_ACCESS_KEY=hush"
#define KEYS(id) "aws_access_key_id = " id "\naws_secret_access_key = hush\n"

typedef struct source_row {
    const char *environment, *config, *credentials;
    const char *profile; /* named; NULL: none */
    bool local;
    const char *id, *token, *account; /* id NULL: refused, `token` is what the message says */
    latch_status status;
} source_row;

/* What comes of it: keys, or a message, which may show no secret. */
static latch_status try_source(const source_row *row, latch_keys *keys, latch_credentials **c, latch_err *err) {
    environment_clear();
    if (row->config != NULL) setenv("AWS_CONFIG_FILE", files_write("config", row->config, strlen(row->config)), 1);
    if (row->credentials != NULL)
        setenv("AWS_SHARED_CREDENTIALS_FILE", files_write("credentials", row->credentials, strlen(row->credentials)), 1);
    environment_set(row->environment);
    const latch_settings settings = {
        .local = row->local, .profile = row->profile != NULL ? row->profile : "default", .profile_named = row->profile != NULL};
    *err = (latch_err){0};
    *keys = (latch_keys){0};
    latch_status status = latch_credentials_open(c, &settings, moved, err);
    return status == LATCH_OK ? get(*c, keys, err) : status;
}

static void takes_the_first_source(void **state) {
    (void)state;
    static const source_row rows[] = {
        {ENV, NULL, NULL, NULL, false, "env", "", "", LATCH_OK},
        {ENV " AWS_SESSION_TOKEN=t AWS_ACCOUNT_ID=123456789012", NULL, NULL, NULL, false, "env", "t", "123456789012", LATCH_OK},
        {ENV " AWS_SESSION_TOKEN=", "[default]\n" KEYS("file") "aws_session_token = no\naws_account_id = 1\n", NULL, NULL, false, "env", "",
         "", LATCH_OK},
        {ENV, "[profile x]\n" KEYS("x"), NULL, "x", false, "env", "", "", LATCH_OK},
        {ENV " AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1", NULL, NULL, NULL, true, "env", "", "", LATCH_OK},
        {"", "[default]\n" KEYS("config"), NULL, NULL, false, "config", "", "", LATCH_OK},
        {"AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=", "[default]\n" KEYS("config"), NULL, NULL, false, "config", "", "", LATCH_OK},
        {"", "[default]\n" KEYS("config") "aws_session_token = no\n", "[default]\n" KEYS("file"), NULL, false, "file", "", "", LATCH_OK},
        {"", "[default]\naws_account_id = 1\n", "[default]\n" KEYS("file") "aws_session_token = t\n", NULL, false, "file", "t", "1",
         LATCH_OK},
        {"AWS_SESSION_TOKEN=no AWS_ACCOUNT_ID=2", "[default]\n" KEYS("config"), NULL, NULL, false, "config", "", "", LATCH_OK},
        {"", "[default]\n" KEYS("no") "[profile x]\n" KEYS("x"), NULL, "x", false, "x", "", "", LATCH_OK},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1", "[profile x]\n" KEYS("x"), NULL, "x", false, "x", "", "", LATCH_OK},
        {"", "[default]\nsso_session = s\n", "[default]\n" KEYS("file"), NULL, false, "file", "", "", LATCH_OK},
        {"", NULL, NULL, NULL, true, "local", "", "", LATCH_OK},
        {"", "[default]\nregion = eu-west-1\n", NULL, NULL, true, "local", "", "", LATCH_OK},
        {"", "[default]\nsso_session = s\n", NULL, NULL, true, "local", "", "", LATCH_OK},
        {"AWS_WEB_IDENTITY_TOKEN_FILE=/x", NULL, NULL, NULL, true, "local", "", "", LATCH_OK},
        {"", "[default]\n" KEYS("config"), NULL, NULL, true, "config", "", "", LATCH_OK},
        {"", "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"run\",\"SecretAccessKey\":\"hush\"}'\n", NULL, NULL,
         false, "run", "", "", LATCH_OK},
        {"",
         "[default]\naws_account_id = 3\ncredential_process = echo "
         "'{\"Version\":1,\"AccessKeyId\":\"run\",\"SecretAccessKey\":\"hush\"}'\n",
         NULL, NULL, false, "run", "", "3", LATCH_OK},
        {"", "[default]\ncredential_process = exit 1\n", "[default]\n" KEYS("file"), NULL, false, "file", "", "", LATCH_OK},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_credentials *c;
        latch_keys keys;
        latch_err err;
        if (try_source(&rows[i], &keys, &c, &err) != LATCH_OK) fail_msg("row %zu: %s", i, err.message);
        if (!latch_str_eq(keys.access_key_id, latch_str_of(rows[i].id))) fail_msg("row %zu: %.*s", i, LATCH_ARG(keys.access_key_id));
        if (!latch_str_eq(keys.session_token, latch_str_of(rows[i].token))) fail_msg("row %zu: %.*s", i, LATCH_ARG(keys.session_token));
        if (!latch_str_eq(keys.account_id, latch_str_of(rows[i].account))) fail_msg("row %zu: %.*s", i, LATCH_ARG(keys.account_id));
        assert_text(keys.secret_access_key, strcmp(rows[i].id, "local") == 0 ? "local" : "hush");
        assert_true(keys.generation > 0);
        latch_credentials_release(c, &keys);
        assert_null(keys.access_key_id.ptr);
        latch_credentials_close(c);
    }
}

static void says_what_is_wrong_with_a_source(void **state) {
    (void)state;
    static const source_row rows[] = {
        {"AWS_ACCESS_KEY_ID=env", NULL, NULL, NULL, true, NULL, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY isn't", NULL,
         LATCH_E_MISUSE},
        {"AWS_SECRET_ACCESS_KEY=hush", NULL, NULL, NULL, true, NULL, "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID isn't", NULL,
         LATCH_E_MISUSE},
        {"AWS_ACCESS_KEY_ID=env AWS_SECRET_ACCESS_KEY=hush\n", NULL, NULL, NULL, false, NULL,
         "the secret access key has a space, a line's end", NULL, LATCH_E_MISUSE},
        {"", "[default]\naws_access_key_id = a\n", NULL, NULL, false, NULL, "no aws_secret_access_key in", NULL, LATCH_E_MISUSE},
        {"", "[default]\n" KEYS("a"), "[default]\naws_secret_access_key = hush\n", NULL, false, NULL, "no aws_access_key_id in", NULL,
         LATCH_E_MISUSE},
        {"", "[default]\naws_access_key_id = a\naws_secret_access_key = hush\n  hush\n", NULL, NULL, false, NULL,
         "the secret access key has", NULL, LATCH_E_MISUSE},
        {"", "[profile x]\nrole_arn = r\nsource_profile = default\n[default]\n" KEYS("a"), NULL, "x", false, NULL,
         "\"x\" has role_arn, which isn't supported here: put its keys into the environment by eval \"$(aws configure export-credentials",
         NULL, LATCH_E_MISUSE},
        {"", "[default]\nrole_arn = r\nweb_identity_token_file = f\n" KEYS("a"), NULL, NULL, false, NULL, "has role_arn", NULL,
         LATCH_E_MISUSE},
        {"", "[default]\nsso_session = s\n", NULL, NULL, false, NULL, "has sso_session", NULL, LATCH_E_MISUSE},
        {"", "[default]\nsso_start_url = s\n", NULL, NULL, false, NULL, "has sso_start_url", NULL, LATCH_E_MISUSE},
        {"", "[default]\nlogin_session = s\n", NULL, NULL, false, NULL, "has login_session", NULL, LATCH_E_MISUSE},
        {"AWS_WEB_IDENTITY_TOKEN_FILE=/x AWS_ROLE_ARN=r", "[default]\n" KEYS("a"), NULL, NULL, false, NULL,
         "a web identity, which isn't supported", NULL, LATCH_E_MISUSE},
        {"", NULL, NULL, NULL, false, NULL,
         "no AWS credentials: none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile \"default\" (", NULL, LATCH_E_DENIED},
        {"HOME=", NULL, NULL, NULL, false, NULL, "AWS_CONTAINER_CREDENTIALS_..._URI; set one of them, or give the function a role", NULL,
         LATCH_E_DENIED},
        {"", "[profile x]\nregion = eu-west-1\n", NULL, "x", false, NULL, "in the profile \"x\"", NULL, LATCH_E_DENIED},
        {"", "[default]\nhush\n", NULL, NULL, false, NULL, "line 2: that is neither", NULL, LATCH_E_MISUSE},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.com/x", NULL, NULL, NULL, true, NULL, "is http://example.com: want https", NULL,
         LATCH_E_MISUSE},
        {"", "[default]\ncredential_process = echo hush; exit 3\n", NULL, NULL, false, NULL, "it ended with status 3; run it by hand", NULL,
         LATCH_E_DENIED},
        {"", "[default]\ncredential_process = echo hush >&2;kill -9 $$\n", NULL, NULL, false, NULL, "it ended with signal 9", NULL,
         LATCH_E_DENIED},
        {"", "[default]\ncredential_process = echo hush\n", NULL, NULL, false, NULL, "its answer is no JSON object of keys", NULL,
         LATCH_E_MISUSE},
        {"", "[default]\ncredential_process = echo {} '\n  '\n", NULL, NULL, false, NULL, "goes on over several lines", NULL,
         LATCH_E_MISUSE},
        {"", "[default]\ncredential_process = head -c 40000 /dev/zero\n", NULL, NULL, false, NULL, "it wrote over 32768 bytes", NULL,
         LATCH_E_MISUSE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_credentials *c;
        latch_keys keys;
        latch_err err;
        latch_status status = try_source(&rows[i], &keys, &c, &err);
        if (status != rows[i].status) fail_msg("row %zu: %d, %s", i, status, err.message);
        if (strstr(err.message, rows[i].token) == NULL) fail_msg("row %zu: \"%s\" doesn't say \"%s\"", i, err.message, rows[i].token);
        if (strstr(err.message, "hush") != NULL) fail_msg("row %zu: %s", i, err.message);
        if (strlen(err.message) == sizeof err.message - 1) fail_msg("row %zu is cut: %s", i, err.message);
        assert_null(keys.access_key_id.ptr);
        latch_credentials_close(c);
    }
}

/* ── the container ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void knows_containers(void **state) {
    (void)state;
    static const struct {
        const char *environment, *url, *host, *path, *says; /* says: of what is refused */
    } rows[] = {
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x?y=z", "http://169.254.170.2", "169.254.170.2", "/v2/x?y=z", NULL},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x AWS_CONTAINER_CREDENTIALS_FULL_URI=https://a.example/x", "http://169.254.170.2",
         "169.254.170.2", "/v2/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI= AWS_CONTAINER_CREDENTIALS_FULL_URI=https://a.example/x", "https://a.example", "a.example",
         "/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://a.example", "https://a.example", "a.example", "", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://a.example?x=http://b/", "https://a.example", "a.example", "?x=http://b/", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:1/2018-06-01/credentials", "http://localhost:1", "localhost:1",
         "/2018-06-01/credentials", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.5/x", "http://127.0.0.5", "127.0.0.5", "/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[::1]:80/x", "http://[::1]", "[::1]", "/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "http://169.254.170.23", "169.254.170.23",
         "/v1/credentials", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2:8080/x", "http://169.254.170.2:8080", "169.254.170.2:8080", "/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[fd00:ec2::23]:8080/v1", "http://[fd00:ec2::23]:8080", "[fd00:ec2::23]:8080", "/v1",
         NULL},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=v2", NULL, NULL, NULL, "RELATIVE_URI doesn't begin with /"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=//a.example/x", "http://169.254.170.2", "169.254.170.2", "//a.example/x", NULL},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/a\r\nX:y", NULL, NULL, NULL, "in its path"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/caf\xC3\xA9", NULL, NULL, NULL, "in its path"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://a.example/#x", NULL, NULL, NULL, "in its path"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.3/x", NULL, NULL, NULL, "want https, or http to loopback"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.169.254/x", NULL, NULL, NULL, "want https, or http to loopback"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2.example/x", NULL, NULL, NULL, "want https, or http to loopback"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://[fd00:ec2::254]/x", NULL, NULL, NULL, "want https, or http to loopback"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost@a.example/x", NULL, NULL, NULL, "a user or a password"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=file:///x", NULL, NULL, NULL, "want http:// or https://"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=/v2/x", NULL, NULL, NULL, "want http:// or https://"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://", NULL, NULL, NULL, "no name and no address"},
        {"", NULL, NULL, NULL, "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        room r;
        latch_container where;
        room_open(&r, 4096);
        environment_clear();
        environment_set(rows[i].environment);
        latch_status status = latch_container_find(&r.arena, &where, &r.cx.err);
        if (status != (rows[i].says == NULL ? LATCH_OK : LATCH_E_MISUSE)) fail_msg("row %zu: %s", i, r.cx.err.message);
        if (rows[i].says != NULL && strstr(r.cx.err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, r.cx.err.message);
        if (rows[i].says == NULL) {
            bool is_url;
            assert_string_equal(where.url, rows[i].url);
            assert_string_equal(where.host, rows[i].host);
            assert_text(where.path, rows[i].path);
            assert_int_equal(where.tls, strncmp(where.url, "https", 5) == 0);
            assert_true(where.tls || !latch_http_may_use_proxy(where.url, &is_url)); /* no proxy hears of keys */
        }
        room_close(&r);
    }
}

#define ANSWER_BYTES 1024
static const latch_settings plain = {.profile = "default"};
static char answers[8][ANSWER_BYTES];

/* A container's answer, of keys that live for so long by the moved clock. */
static const char *keys_for(size_t slot, const char *id, int64_t lifetime_ms) {
    char until[LATCH_TIMESTAMP_BYTES], body[ANSWER_BYTES / 2];
    latch_clock_format(latch_clock_wall_ms(&moved) + lifetime_ms, until);
    snprintf(
        body, sizeof body,
        "{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush2\",\"Expiration\":\"%s\",\"AccountId\":\"123456789012\"}",
        id, until);
    snprintf(answers[slot], ANSWER_BYTES, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return answers[slot];
}

/* The next fetch asks for this path. */
static void point_at(const http_server *server, const char *path) {
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server_port(server), path);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
}

static void asks_the_container(void **state) {
    (void)state;
    const served table[] = {{"/keys?a=b", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    latch_keys keys;
    latch_err err;
    point_at(server, "/keys?a=b");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", 1);
    latch_credentials *c = open_with(&plain);
    assert_int_equal(server_accepts(server), 0); /* open asks nobody */
    assert_int_equal(get(c, &keys, &err), LATCH_OK);
    assert_text(keys.access_key_id, "ONE");
    assert_text(keys.secret_access_key, "hush");
    assert_text(keys.session_token, "hush2");
    assert_text(keys.account_id, "123456789012");
    latch_credentials_release(c, &keys);
    for (int i = 0; i < 100; i++)
        assert_id(c, "ONE");
    assert_int_equal(server_requests(server), 1);
    assert_non_null(strstr(server_request(server, 0), "GET /keys?a=b HTTP/1.1\r\n"));
    assert_non_null(strstr(server_request(server, 0), "\r\nAuthorization: Basic abc\r\n"));
    latch_credentials_close(c);
    server_stop(server);
}

/* By https, where the certificate is trusted; elsewhere a container might be anybody. */
static void verifies_the_container(void **state) {
    (void)state;
    const served table[] = {{"/", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, files_dir);
    char url[64];
    latch_keys keys;
    latch_err err;
    snprintf(url, sizeof url, "https://localhost:%d/", server_port(server));
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    latch_settings settings = {.profile = "default", .ca_file = files_path("cert.pem")};
    latch_credentials *c = open_with(&settings);
    assert_id(c, "ONE");
    latch_credentials_close(c);
    c = open_with(&plain);
    assert_int_equal(get(c, &keys, &err), LATCH_E_NETWORK);
    assert_non_null(strstr(err.message, "container credentials: TLS with localhost"));
    latch_credentials_close(c);
    assert_int_equal(server_requests(server), 1);
    server_stop(server);
}

static void shows_the_token(void **state) {
    (void)state;
    static char large[(16 << 10) + 2];
    memset(large, 'x', sizeof large);
    static const struct {
        const char *file; /* NULL: no file */
        size_t len;
        const char *variable, *header, *says;
    } rows[] = {
        {NULL, 0, NULL, NULL, NULL},
        {NULL, 0, "plain", "plain", NULL},
        {"of file", 7, NULL, "of file", NULL},
        {"of file", 7, "plain", "of file", NULL},
        {"newer\r\n", 7, "plain", "newer", NULL}, /* what rotates it rewrites it */
        {NULL, 0, "hu\r\nsh: x", NULL, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line's end"},
        {"hu\nsh", 5, NULL, NULL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE has a line's end"},
        {"hu\0sh", 5, NULL, NULL, "another control byte"},
        {"", 0, "plain", NULL, "is empty"},
        {"\n\n", 2, "plain", NULL, "is empty"},
        {large, (16 << 10) + 1, NULL, NULL, "has over 16384 bytes"},
    };
    const served table[] = {{"/", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    for (size_t i = 0, asked = 0; i < COUNT_OF(rows); i++) {
        latch_keys keys;
        latch_err err;
        char line[64];
        environment_clear();
        point_at(server, "");
        if (rows[i].variable != NULL) setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", rows[i].variable, 1);
        if (rows[i].file != NULL) setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", files_write("token", rows[i].file, rows[i].len), 1);
        latch_credentials *c = open_with(&plain);
        latch_status status = get(c, &keys, &err);
        if (status != (rows[i].says == NULL ? LATCH_OK : LATCH_E_MISUSE)) fail_msg("row %zu: %s", i, err.message);
        if (rows[i].says != NULL && strstr(err.message, rows[i].says) == NULL) fail_msg("row %zu: %s", i, err.message);
        snprintf(line, sizeof line, "\r\nAuthorization: %s\r\n", rows[i].header != NULL ? rows[i].header : "");
        const char *request = rows[i].says == NULL ? server_request(server, asked++) : "";
        if (rows[i].header != NULL && strstr(request, line) == NULL) fail_msg("row %zu: %s", i, request);
        if (rows[i].header == NULL && strstr(request, "Authorization") != NULL) fail_msg("row %zu: %s", i, request);
        latch_credentials_release(c, &keys);
        latch_credentials_close(c);
        assert_int_equal(server_requests(server), asked);
    }
    environment_clear();
    point_at(server, "");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", files_path("nowhere"), 1);
    latch_credentials *c = open_with(&plain);
    latch_keys keys;
    latch_err err;
    assert_int_equal(get(c, &keys, &err), LATCH_E_MISUSE);
    assert_non_null(strstr(err.message, "can't be read: No such file"));
    latch_credentials_close(c);
    server_stop(server);
}

static void says_what_the_container_answers(void **state) {
    (void)state;
    static const struct {
        const char *path;
        latch_status status;
        const char *says;
    } rows[] = {
        {"/403", LATCH_E_DENIED, "answers 403: has the function or the task a role"},
        {"/404", LATCH_E_DENIED, "answers 404"},
        {"/500", LATCH_E_NETWORK, "answers 500"},
        {"/302", LATCH_E_NETWORK, "answers 302"}, /* not followed: it might lead anywhere */
        {"/html", LATCH_E_MISUSE, "no JSON object of keys"},
        {"/large", LATCH_E_MISUSE, "has over 32768 bytes"},
        {"/cut", LATCH_E_NETWORK, "container credentials: "},
        {"/expired", LATCH_E_DENIED, "expired 360"}, /* 3600 s ago, or 3601 on a slow machine */
        {"/silent", LATCH_E_TIMEOUT, "timed out"},
    };
    const served table[] = {
        {"/403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nhush", 0, KEEP},
        {"/500", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 0, KEEP},
        {"/302", "HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n", 0, KEEP},
        {"/html", "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<html>hush</html>", 0, KEEP},
        {"/large", "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", 40000, KEEP},
        {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"hush", 0, CLOSE},
        {"/expired", keys_for(0, "OLD", -LATCH_HOUR_MS), 0, KEEP},
        {"/silent", "", 0, HANG},
        {NULL, NULL, 0, KEEP},
    };
    http_server *server = server_start(table, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_keys keys;
        latch_err err = {0};
        point_at(server, rows[i].path);
        latch_credentials *c = open_with(&plain);
        latch_status status =
            latch_credentials_get(c, latch_clock_wall_ms(&moved) + (rows[i].status == LATCH_E_TIMEOUT ? 300 : WAIT_MS), &keys, &err);
        if (status != rows[i].status) fail_msg("%s: %d, %s", rows[i].path, status, err.message);
        if (strstr(err.message, rows[i].says) == NULL) fail_msg("%s: %s", rows[i].path, err.message);
        if (strstr(err.message, "hush") != NULL) fail_msg("%s: %s", rows[i].path, err.message);
        assert_null(keys.access_key_id.ptr);
        latch_credentials_close(c);
    }
    server_stop(server);
}

static int64_t real_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ends_in_time(void **state) {
    (void)state;
    static const struct {
        bool process;
        int64_t deadline_ms, least_ms, most_ms;
    } rows[] = {
        {false, 60000, 1900, 9000}, /* a container's two seconds */
        {false, 150, 100, 1500},    {false, 0, 0, 1500}, {true, 150, 100, 9000}, {true, 0, 0, 9000},
    };
    static const char config[] = "[default]\ncredential_process = sleep 60 | sleep 60\n";
    const served table[] = {{"/", "", 0, HANG}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_keys keys;
        latch_err err = {0};
        environment_clear();
        if (rows[i].process) {
            setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
        } else {
            point_at(server, "/");
        }
        latch_credentials *c = open_with(&plain);
        int64_t from_ms = real_ms();
        latch_status status = latch_credentials_get(c, latch_clock_wall_ms(&moved) + rows[i].deadline_ms, &keys, &err);
        int64_t took_ms = real_ms() - from_ms;
        if (status != LATCH_E_TIMEOUT) fail_msg("row %zu: %d, %s", i, status, err.message);
        if (took_ms < rows[i].least_ms || took_ms > rows[i].most_ms) fail_msg("row %zu: %lld ms", i, (long long)took_ms);
        latch_credentials_close(c);
    }
    server_stop(server);
}

/* What the process started doesn't outlive it. */
static void kills_a_process_with_its_children(void **state) {
    (void)state;
    char config[1024], pid_text[32] = "";
    latch_keys keys;
    latch_err err = {0};
    snprintf(config, sizeof config, "[default]\ncredential_process = (sleep 60 & echo $! >%s; wait)\n", files_path("pid"));
    setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
    latch_credentials *c = open_with(&plain);
    assert_int_equal(latch_credentials_get(c, latch_clock_wall_ms(&moved) + 2000, &keys, &err), LATCH_E_TIMEOUT);
    latch_credentials_close(c);
    int fd = open(files_path("pid"), O_RDONLY);
    assert_true(fd >= 0 && read(fd, pid_text, sizeof pid_text - 1) > 0);
    close(fd);
    char stat_path[64], stat[256] = "";
    snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", (int)strtol(pid_text, NULL, 10));
    bool gone = false;
    for (int i = 0; i < 200 && !gone; i++) { /* its new parent reaps it when it likes */
        FILE *f = fopen(stat_path, "r");
        gone = f == NULL || fgets(stat, sizeof stat, f) == NULL || strstr(stat, ") Z ") != NULL || strstr(stat, "(sleep)") == NULL;
        if (f != NULL) fclose(f);
        if (!gone) usleep(5000);
    }
    assert_true(gone);
}

/* ── refresh ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* By the wall clock, by the boot clock (the other stood still in a frozen sandbox), or both. */
static void refreshes_before_they_expire(void **state) {
    (void)state;
    static const struct { int64_t wall, boot; } rows[] = {{1, 1}, {1, 0}, {0, 1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        moved_wall_us = moved_boot_us = 0;
        const served table[] = {{"/1", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP},
                                {"/2", keys_for(1, "TWO", 3 * LATCH_HOUR_MS), 0, KEEP},
                                {NULL, NULL, 0, KEEP}};
        http_server *server = server_start(table, NULL);
        char id[64];
        point_at(server, "/1");
        latch_credentials *c = open_with(&plain);
        uint64_t first = get_id(c, id);
        point_at(server, "/2");
        int64_t still = 44 * LATCH_MINUTE_MS, on = LATCH_MINUTE_MS + LATCH_SECOND_MS; /* 16 minutes before, and not quite 15 */
        move(rows[i].wall * still, rows[i].boot * still);
        assert_int_equal(get_id(c, id), first);
        assert_int_equal(server_requests(server), 1);
        move(rows[i].wall * on, rows[i].boot * on);
        assert_true(get_id(c, id) != first);
        assert_string_equal(id, "TWO");
        assert_int_equal(server_requests(server), 2);
        assert_id(c, "TWO");
        assert_int_equal(server_requests(server), 2);
        latch_credentials_close(c);
        server_stop(server);
    }
}

static void keeps_old_keys_while_it_may(void **state) {
    (void)state;
    const served table[] = {{"/1", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP},
                            {"/2", keys_for(1, "TWO", 3 * LATCH_HOUR_MS), 0, KEEP},
                            {"/bad", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 0, KEEP},
                            {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    latch_keys keys;
    latch_err err;
    point_at(server, "/1");
    latch_credentials *c = open_with(&plain);
    assert_id(c, "ONE");
    point_at(server, "/bad");
    move(46 * LATCH_MINUTE_MS, 46 * LATCH_MINUTE_MS); /* 14 minutes before */
    for (int i = 0; i < 5; i++)
        assert_id(c, "ONE");
    assert_int_equal(server_requests(server), 2); /* one try, then a pause */
    move(LATCH_KEYS_PAUSE_MS, LATCH_KEYS_PAUSE_MS);
    assert_id(c, "ONE");
    assert_int_equal(server_requests(server), 3);
    move(4 * LATCH_MINUTE_MS, 4 * LATCH_MINUTE_MS); /* less than 10 minutes before */
    assert_int_equal(get(c, &keys, &err), LATCH_E_NETWORK);
    assert_non_null(strstr(err.message, "answers 500"));
    point_at(server, "/2");
    assert_id(c, "TWO");
    latch_credentials_close(c);
    server_stop(server);
}

/* Keys that come with little time left are the best that the source has: it isn't asked at every call. */
static void does_not_ask_at_every_call(void **state) {
    (void)state;
    const served table[] = {{"/", keys_for(0, "ONE", 5 * LATCH_MINUTE_MS), 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    point_at(server, "/");
    latch_credentials *c = open_with(&plain);
    for (int i = 0; i < 10; i++)
        assert_id(c, "ONE");
    assert_int_equal(server_requests(server), 1);
    move(LATCH_KEYS_PAUSE_MS, 0);
    char id[64];
    uint64_t generation = get_id(c, id);
    assert_int_equal(server_requests(server), 2);
    assert_int_equal(generation, 1); /* the same keys: what was derived of them holds */
    latch_credentials_close(c);
    server_stop(server);
}

static void fetches_what_was_refused(void **state) {
    (void)state;
    char id[64];
    static const char one[] = "[default]\n" KEYS("ONE"), two[] = "[default]\n" KEYS("TWO");
    setenv("AWS_CONFIG_FILE", files_write("config", one, strlen(one)), 1);
    latch_credentials *c = open_with(&plain);
    uint64_t first = get_id(c, id);
    files_write("config", two, strlen(two));
    latch_credentials_refused(c, first);
    assert_id(c, "ONE"); /* it has only just read them */
    move(LATCH_KEYS_PAUSE_MS, LATCH_KEYS_PAUSE_MS);
    assert_id(c, "ONE");
    latch_credentials_refused(c, first + 1); /* others were */
    assert_id(c, "ONE");
    latch_credentials_refused(c, first);
    uint64_t second = get_id(c, id);
    assert_string_equal(id, "TWO");
    assert_true(second != first);
    move(LATCH_KEYS_PAUSE_MS, LATCH_KEYS_PAUSE_MS);
    latch_credentials_refused(c, second);
    assert_int_equal(get_id(c, id), second); /* the file has no others */
    files_write("config", "[default]\n", 10);
    move(LATCH_KEYS_PAUSE_MS, LATCH_KEYS_PAUSE_MS);
    latch_credentials_refused(c, second);
    latch_keys keys;
    latch_err err;
    assert_int_equal(get(c, &keys, &err), LATCH_E_DENIED);
    assert_non_null(strstr(err.message, "no aws_access_key_id any more"));
    latch_credentials_close(c);
    environment_clear();
    environment_set(ENV);
    c = open_with(&plain);
    move(LATCH_HOUR_MS, LATCH_HOUR_MS);
    latch_credentials_refused(c, get_id(c, id)); /* the environment has nothing else */
    assert_id(c, "env");
    latch_credentials_close(c);
}

/* ── several threads, and what is left in memory ─────────────────────────────────────────────────────────────────── */

#define THREADS 8
#define ROUNDS 400

typedef struct crowd {
    latch_credentials *c;
    size_t failed, torn; /* a key that is no key, or changed while it was held */
    pthread_mutex_t lock;
} crowd;

static void *sign_often(void *self) {
    crowd *all = self;
    for (int i = 0; i < ROUNDS; i++) {
        latch_keys keys;
        latch_err err;
        bool good = latch_credentials_get(all->c, INT64_MAX, &keys, &err) == LATCH_OK, whole = true; /* the clock is moved meanwhile */
        if (good) {
            char before[64];
            snprintf(before, sizeof before, "%.*s", LATCH_ARG(keys.access_key_id));
            if (i % 16 == 0) usleep(200);
            whole = latch_str_eq(keys.access_key_id, latch_str_of(before)) && latch_str_eq(keys.secret_access_key, LATCH_STR("hush"));
            latch_credentials_release(all->c, &keys);
        }
        pthread_mutex_lock(&all->lock);
        all->failed += !good;
        all->torn += !whole;
        pthread_mutex_unlock(&all->lock);
    }
    return NULL;
}

/* All of them get the first keys by one fetch; then a file changes under them, again and again. */
static void serves_many_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    const served table[] = {{"/", keys_for(0, "ONE", LATCH_HOUR_MS), 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    crowd all = {.lock = PTHREAD_MUTEX_INITIALIZER};
    point_at(server, "/");
    all.c = open_with(&plain);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, &all), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(server_requests(server), 1);
    assert_int_equal(all.failed + all.torn, 0);
    latch_credentials_close(all.c);
    server_stop(server);
}

/* Each run of the process gives other keys; they are refused again and again while others sign with them. */
static void replaces_keys_under_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    char config[1024], id[64];
    snprintf(config, sizeof config,
             "[default]\ncredential_process = n=$(cat %s/n); echo $((n+1)) >%s/n; echo "
             "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"K$n\\\",\\\"SecretAccessKey\\\":\\\"hush\\\"}\"\n",
             files_dir, files_dir);
    files_write("n", "1\n", 2);
    setenv("AWS_CONFIG_FILE", files_write("config", config, strlen(config)), 1);
    crowd all = {.lock = PTHREAD_MUTEX_INITIALIZER};
    all.c = open_with(&plain);
    uint64_t first = get_id(all.c, id);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, &all), 0);
    for (int i = 0; i < 10; i++) {
        uint64_t generation = get_id(all.c, id);
        moved_wall_us += LATCH_KEYS_PAUSE_MS * 1000;
        latch_credentials_refused(all.c, generation);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(get_id(all.c, id), first + 10);
    assert_int_equal(all.failed + all.torn, 0);
    latch_credentials_close(all.c);
}

/* The key that is looked for, never written in one piece but where it must be. */
static void put_needle(char out[41]) {
    for (int i = 0; i < 40; i++)
        out[i] = (char)('A' + (i * 7 + 3) % 26);
    out[40] = '\0';
}

static size_t count_in(const char *bytes, size_t len) {
    const char *at = bytes, *end = bytes + len;
    size_t n = 0;
    while (end - at >= 40 && (at = memchr(at, 'A' + 3, (size_t)(end - at) - 39)) != NULL) {
        int same = 0;
        while (same < 40 && at[same] == (char)('A' + (same * 7 + 3) % 26))
            same++;
        n += same == 40;
        at++;
    }
    return n;
}

enum { CHUNK = 1 << 20, LARGEST = 1 << 28 }; /* a larger map is AddressSanitizer's own */

/* By the kernel: what AddressSanitizer has poisoned is looked at too. */
static size_t count_between(int memory, char *buffer, uintptr_t from, uintptr_t to) {
    size_t n = 0;
    for (uintptr_t at = from; at < to; at += CHUNK - 40) {
        ssize_t got = pread(memory, buffer, to - at < CHUNK ? to - at : CHUNK, (off_t)at);
        if (got > 0) n += count_in(buffer, (size_t)got);
    }
    return n;
}

/* How often the needle is in the memory that this process can write, but for the buffer that this needs. */
static size_t count_in_memory(void) {
    char *buffer = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[512], rights[8];
    int memory = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    uintptr_t mine = (uintptr_t)buffer;
    size_t n = 0;
    assert_true(buffer != MAP_FAILED && memory >= 0 && maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[1] != 'w' || to - from > LARGEST) continue;
        bool has_mine = mine >= from && mine < to;
        n += count_between(memory, buffer, from, has_mine ? mine : to);
        if (has_mine) n += count_between(memory, buffer, mine + CHUNK, to);
    }
    fclose(maps);
    close(memory);
    explicit_bzero(buffer, CHUNK);
    munmap(buffer, CHUNK);
    return n;
}

/* Written without stdio, which would keep a copy. */
static void write_secret(const char *name, const char *before, const char *after) {
    char needle[41];
    int fd = open(files_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    put_needle(needle);
    assert_true(write(fd, before, strlen(before)) > 0 && write(fd, needle, 40) == 40 && write(fd, after, strlen(after)) >= 0);
    explicit_bzero(needle, sizeof needle);
    close(fd);
}

/* Of a file, and of a process's answer: while the keys are held their secret is in memory once, afterwards nowhere. */
static void leaves_no_secret_behind(void **state) {
    (void)state;
    char config[1024];
    snprintf(config, sizeof config, "[default]\ncredential_process = cat %s\n", files_path("answer"));
    files_write("process", config, strlen(config));
    write_secret("file", "[default]\naws_access_key_id = a\naws_secret_access_key = ", "\n");
    write_secret("answer", "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"", "\"}");
    static const char *const configs[] = {"file", "process"};
    for (size_t i = 0; i < COUNT_OF(configs); i++) {
        latch_keys keys;
        latch_err err;
        setenv("AWS_CONFIG_FILE", files_path(configs[i]), 1);
        assert_int_equal(count_in_memory(), 0);
        latch_credentials *c = open_with(&plain);
        assert_int_equal(get(c, &keys, &err), LATCH_OK);
        assert_int_equal(keys.secret_access_key.len, 40);
        assert_int_equal(count_in_memory(), 1); /* so the search finds what is there */
        files_write("file", "[default]\n" KEYS("b"), strlen("[default]\n" KEYS("b")));
        write_secret("answer", "{\"Version\":1,\"AccessKeyId\":\"b\",\"SecretAccessKey\":\"hush", "\"}");
        latch_credentials_release(c, &keys);
        latch_credentials_close(c);
        assert_int_equal(count_in_memory(), 0);
        write_secret("answer", "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"", "\"}");
    }
}

/* Nor of what settings read beside the region; nor of a container's answer, of which the server in this process has one. */
static void leaves_no_answer_behind(void **state) {
    (void)state;
    room r;
    latch_settings settings;
    latch_keys keys;
    latch_err err;
    write_secret("file", "[default]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = ", "\n");
    setenv("AWS_CONFIG_FILE", files_path("file"), 1);
    room_open(&r, 65536);
    assert_int_equal(latch_settings_from_environment(&r.cx, &settings), LATCH_OK);
    assert_int_equal(count_in_memory(), 0);
    room_close(&r);
    environment_clear();
    keys_for(0, "1234567890123456789012345678901234567890", LATCH_HOUR_MS);
    char *id = strstr(answers[0], "1234567890"), needle[41];
    put_needle(needle);
    memcpy(id, needle, 40);
    explicit_bzero(needle, sizeof needle);
    const served table[] = {{"/", answers[0], 0, KEEP}, {NULL, NULL, 0, KEEP}};
    http_server *server = server_start(table, NULL);
    point_at(server, "/");
    assert_int_equal(count_in_memory(), 1);
    latch_credentials *c = open_with(&plain);
    assert_int_equal(get(c, &keys, &err), LATCH_OK);
    assert_int_equal(count_in_memory(), 2);
    latch_credentials_release(c, &keys);
    latch_credentials_close(c);
    assert_int_equal(count_in_memory(), 1);
    server_stop(server);
    memset(answers, 0, sizeof answers);
}

/* Replaced while somebody holds them: there until they are given back, and no longer. */
static void wipes_what_is_replaced(void **state) {
    (void)state;
    latch_keys keys;
    latch_err err;
    static const char other[] = "[default]\n" KEYS("b");
    write_secret("file", "[default]\naws_access_key_id = a\naws_secret_access_key = ", "\n");
    setenv("AWS_CONFIG_FILE", files_path("file"), 1);
    latch_credentials *c = open_with(&plain);
    assert_int_equal(get(c, &keys, &err), LATCH_OK);
    files_write("file", other, strlen(other));
    move(LATCH_HOUR_MS, LATCH_HOUR_MS);
    latch_credentials_refused(c, keys.generation);
    assert_id(c, "b");
    assert_int_equal(count_in_memory(), 1);
    assert_int_equal(count_in(keys.secret_access_key.ptr, keys.secret_access_key.len), 1);
    latch_credentials_release(c, &keys);
    assert_int_equal(count_in_memory(), 0);
    latch_credentials_release(c, &keys); /* once more: nothing */
    latch_credentials_close(c);
}

/* Which source, and where: never a key, nor the path that a container's secret may be in. */
static void says_where_they_are_from(void **state) {
    static const struct {
        source_row row;
        latch_keys_source source;
        const char *where;
    } rows[] = {
        {{ENV, NULL, NULL, NULL, false, "env", "", "", LATCH_OK}, LATCH_KEYS_OF_ENVIRONMENT, ""},
        {{"", "[default]\n" KEYS("config"), NULL, NULL, false, "config", "", "", LATCH_OK}, LATCH_KEYS_OF_PROFILE, "/config"},
        {{"", NULL, "[x]\n" KEYS("x"), "x", false, "x", "", "", LATCH_OK}, LATCH_KEYS_OF_PROFILE, "/credentials"},
        {{"", "[default]\ncredential_process = exit 1\n", NULL, NULL, false, NULL, "", "", LATCH_OK}, LATCH_KEYS_OF_COMMAND, ""},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/hush", NULL, NULL, NULL, false, NULL, "", "", LATCH_OK},
         LATCH_KEYS_OF_ENDPOINT,
         "http://127.0.0.1:1"},
        {{"", NULL, NULL, NULL, true, "local", "", "", LATCH_OK}, LATCH_KEYS_OF_NOBODY, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_credentials *c;
        latch_keys keys;
        latch_err err;
        (void)try_source(&rows[i].row, &keys, &c, &err);
        assert_non_null(c);
        latch_keys_origin origin = latch_credentials_origin(c);
        size_t len = strlen(origin.where), tail = strlen(rows[i].where);
        bool ok = len >= tail && strcmp(origin.where + len - tail, rows[i].where) == 0 && strstr(origin.where, "hush") == NULL;
        if (!ok || origin.source != rows[i].source || origin.expire) fail_msg("row %zu: %d, \"%s\"", i, (int)origin.source, origin.where);
        assert_string_equal(origin.profile, rows[i].row.profile != NULL ? rows[i].row.profile : "default");
        if (keys.held != NULL) latch_credentials_release(c, &keys);
        latch_credentials_close(c);
    }
}

static void says_until_when_they_are_good(void **state) {
    static const char config[] = "[default]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\","
                                 "\"Expiration\":\"2098-11-21T09:30:00Z\"}'\n";
    static const source_row row = {"", config, NULL, NULL, false, "a", "", "", LATCH_OK};
    latch_credentials *c;
    latch_keys keys;
    latch_err err;
    (void)state;
    assert_int_equal(try_source(&row, &keys, &c, &err), LATCH_OK);
    latch_keys_origin origin = latch_credentials_origin(c);
    assert_true(origin.expire);
    assert_in_range(origin.expire_at_ms, INT64_C(4067400600000) - LATCH_SECOND_MS, INT64_C(4067400600000) + LATCH_SECOND_MS);
    latch_credentials_release(c, &keys);
    latch_credentials_close(c);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    ROW(takes_the_first_source),
    ROW(says_where_they_are_from),
    ROW(says_until_when_they_are_good),
    ROW(says_what_is_wrong_with_a_source),
    ROW(knows_containers),
    ROW(asks_the_container),
    ROW(verifies_the_container),
    ROW(shows_the_token),
    ROW(says_what_the_container_answers),
    ROW(ends_in_time),
    ROW(kills_a_process_with_its_children),
    ROW(refreshes_before_they_expire),
    ROW(keeps_old_keys_while_it_may),
    ROW(does_not_ask_at_every_call),
    ROW(fetches_what_was_refused),
    ROW(serves_many_threads),
    ROW(replaces_keys_under_threads),
    ROW(leaves_no_secret_behind),
    ROW(leaves_no_answer_behind),
    ROW(wipes_what_is_replaced),
};

CHECK_MAIN(tests)

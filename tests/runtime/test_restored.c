/*
 * Two processes from one snapshot, compared by what they send. fork() in the last hook before the snapshot stands in for it: both go on from
 * one memory. OpenSSL would notice a fork by the process's id, which a snapshot doesn't change: so it doesn't here either.
 */
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx_private.h"
#include "latch.h"
#include "runtime/ending.h"
#include "runtime/loop.h"
#include "store/client.h"
#include "store/open.h"
#include "tests/check.h"
#include "tests/runtime/server.h"

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define NOTHING "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"

/* ── what is the same in two processes, and in twins what shouldn't be ─────────────────────────────────────────────── */

static bool keeps_a_generator; /* of its own, instead of asking the system each time */
static uint64_t kept = 0x9E3779B97F4A7C15;

int getentropy(void *to, size_t len) { // NOLINT(readability-inconsistent-declaration-parameter-name): the C library's are reserved
    unsigned char *bytes = to;
    if (!keeps_a_generator) return getrandom(to, len, 0) == (ssize_t)len ? 0 : -1;
    for (size_t i = 0; i < len; i++) {
        kept ^= kept << 13, kept ^= kept >> 7, kept ^= kept << 17;
        bytes[i] = (unsigned char)(kept >> 24);
    }
    return 0;
}

pid_t getpid(void) { return 4242; }

/* ── the function ────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_lock lock = {.name = "l", .lease_ms = 60000, .timeout_ms = 500};
static latch_status work(latch_ctx *cx, latch_work *job) {
    (void)cx, (void)job;
    return LATCH_OK;
}
static const latch_once once = {.name = "o", .work = work, .timeout_ms = 500};

static latch_str hex(latch_ctx *cx, const unsigned char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    char text[128];
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return latch_copy(cx, (latch_str){text, 2 * len});
}

/* Everything that is to differ: what stores send by themselves, and what the process itself draws. */
static latch_status draw(latch_ctx *cx, latch_event *event) {
    unsigned char bytes[32];
    latch_hold hold;
    latch_once_result result;
    latch_json item = latch_object(cx, "pk", "p", "sk", "s");
    int64_t delays[8];
    /* What the server answers is no item: it is what they send that counts. */
    (void)!latch_lock_take(cx, &lock, LATCH_STR("k"), &hold);
    (void)!latch_once_do(cx, &once, LATCH_STR("k"), LATCH_NULL, &result);
    (void)!latch_dynamodb_transact_write(cx, &(latch_dynamodb_transact_write_request){LATCH_ACTIONS({LATCH_ACTION_PUT, .item = item})},
                                         NULL);
    for (size_t i = 0; i < 8; i++)
        delays[i] = latch_pace_delay_ms(cx->table->client->pace, false, 9, 0);
    if (RAND_bytes(bytes, sizeof bytes) != 1) return latch_fail(cx, "NoBytes", "OpenSSL has none");
    char text[200];
    snprintf(text, sizeof text, "%05d%05d%05d%05d%05d%05d%05d%05d", (int)delays[0], (int)delays[1], (int)delays[2], (int)delays[3],
             (int)delays[4], (int)delays[5], (int)delays[6], (int)delays[7]);
    return latch_event_reply(event, latch_object(cx, "uuid", latch_uuid(cx), "openssl", hex(cx, bytes, sizeof bytes), "delays", text));
}

/* The other process goes first, up to its end: both would ask over one connection else, until they drop it. */
static latch_status take_snapshot(latch_ctx *cx, void *unused) {
    int status;
    (void)unused;
    pid_t other = fork();
    if (other == 0) latch_ending_adopt(); /* no handler's child, but the process itself, once more */
    if (other > 0) waitpid(other, &status, 0);
    return other >= 0 ? LATCH_OK : latch_fail(cx, "NoFork", "no process");
}

/* Everything has drawn once before the snapshot, as in a function that was warmed up. */
static latch_status init(latch_ctx *cx) {
    unsigned char bytes[32];
    if (RAND_bytes(bytes, sizeof bytes) != 1 || latch_uuid(cx).len == 0) return latch_fail(cx, "NoBytes", "no random bytes");
    return latch_before_snapshot(cx, take_snapshot, NULL);
}

static const latch_handler handlers[] = {{.name = "h", .event = draw, .init = init, .stores = true}};

static latch_status open_stores(latch_ctx *cx, const latch_handler *handler, void *stores) {
    return latch_stores_open(cx, handler->stores, stores);
}
static void close_stores(void *stores) { latch_stores_close(stores); }
static latch_status restore_stores(latch_ctx *cx, void *stores) { return latch_stores_restore(cx, stores); }

typedef enum twin { REAL, NOT_RESTORED, OWN_GENERATOR } twin;

static void run_function(const char *runtime_api, const char *dynamodb, twin which) {
    char url[64];
    latch_stores stores = {0};
    const latch_log log = {.fd = -1};
    keeps_a_generator = which == OWN_GENERATOR;
    snprintf(url, sizeof url, "http://%s", dynamodb);
    setenv("AWS_LAMBDA_RUNTIME_API", runtime_api, 1);
    setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", 1);
    setenv("_HANDLER", "h", 1);
    setenv("LATCH_TABLE", "orders", 1);
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ENDPOINT_URL", url, 1);
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    unsetenv("AWS_PROFILE");
    _exit(latch_loop_run(&(latch_loop_options){.handlers = handlers,
                                               .count = 1,
                                               .clock = latch_clock_system(),
                                               .log = &log,
                                               .open = open_stores,
                                               .close = close_stores,
                                               .restore = which == NOT_RESTORED ? NULL : restore_stores,
                                               .self = &stores}));
}

/* ── the comparison ──────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct drawn { /* words of 20 to 64 hexadecimal digits and dashes: ids, tokens, random bytes */
    char words[64][65];
    size_t count;
} drawn;

#define HASH_OF_NULL "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b" /* SHA-256: do-once records it of its payload */

static bool is_drawn(const char *at, size_t len) {
    return len >= 20 && len <= 64 && !(len == sizeof HASH_OF_NULL - 1 && memcmp(at, HASH_OF_NULL, len) == 0);
}

static void collect(drawn *d, const char *text) {
    static const char letters[] = "0123456789abcdefABCDEF-";
    for (const char *at = text + strcspn(text, letters); *at != '\0'; at += strcspn(at, letters)) {
        size_t len = strspn(at, letters);
        if (is_drawn(at, len) && d->count < COUNT_OF(d->words)) snprintf(d->words[d->count++], sizeof d->words[0], "%.*s", (int)len, at);
        at += len;
    }
}

static size_t in_common(const drawn *a, const drawn *b) {
    size_t same = 0;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (strcmp(a->words[i], b->words[k]) != 0) continue;
            print_message("both drew %s\n", a->words[i]);
            same++;
        }
    }
    return same;
}

static server service, dynamodb;
static drawn first, second;

/* The requests of both processes come one after the other; what init sent comes before them. */
static void divide(const server *s, const char *line, size_t skip) {
    size_t n = 0, all = 0;
    for (size_t i = 0; i < s->count && i < SERVER_REQUESTS_MAX; i++)
        all += strcmp(server_line(&s->requests[i]), line) == 0;
    assert_int_equal((all - skip) % 2, 0);
    assert_true(all > skip);
    for (size_t i = 0; i < s->count && i < SERVER_REQUESTS_MAX; i++) {
        if (strcmp(server_line(&s->requests[i]), line) != 0 || n++ < skip) continue;
        collect(n - skip <= (all - skip) / 2 ? &first : &second, s->requests[i].body);
    }
}

/* How many of the words that two processes drew are the same. */
static size_t compare(twin which) {
#define SESSION                                                                                                                            \
    {.answer = EMPTY}, {.event = "1"}, {.answer = ACCEPTED}, { .answer = SHUTDOWN }
    static const server_step sessions[] = {SESSION, SESSION}, items[] = {{.answer = NOTHING, .times = 200}};
    char addresses[2][32];
    int to_function[2], status = 0;
    memset(&service, 0, sizeof service);
    memset(&dynamodb, 0, sizeof dynamodb);
    first.count = second.count = 0;
    assert_int_equal(pipe(to_function), 0);
    pid_t function = fork(); /* before there are threads */
    if (function == 0) {
        if (read(to_function[0], addresses, sizeof addresses) != sizeof addresses) _exit(9);
        run_function(addresses[0], addresses[1], which);
    }
    server_start(&service, sessions, COUNT_OF(sessions));
    server_start(&dynamodb, items, COUNT_OF(items));
    memcpy(addresses[0], service.address, sizeof addresses[0]);
    memcpy(addresses[1], dynamodb.address, sizeof addresses[1]);
    assert_int_equal(write(to_function[1], addresses, sizeof addresses), sizeof addresses);
    waitpid(function, &status, 0);
    close(to_function[0]);
    close(to_function[1]);
    server_stop(&service);
    server_stop(&dynamodb);
    divide(&service, "POST /2018-06-01/runtime/invocation/r-1/response", 0);
    divide(&dynamodb, "POST /", 0);
    size_t same = in_common(&first, &second), count = first.count;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(first.count, second.count);
    if (which == REAL) {
        assert_int_equal(service.connections, 3); /* one before the snapshot, one of each process */
        assert_int_equal(dynamodb.connections, 3);
    }
    server_forget(&service);
    server_forget(&dynamodb);
    assert_true(count >= 6);
    return same;
}

static void two_processes_of_one_snapshot_draw_nothing_alike(void **state) {
    (void)state;
    assert_int_equal(compare(REAL), 0);
}

/* What it is that a restore does. */
static void twin_that_is_not_restored_is_found(void **state) {
    (void)state;
    assert_true(compare(NOT_RESTORED) > 0);
}

static void twin_with_a_generator_of_its_own_is_found(void **state) {
    (void)state;
    assert_true(compare(OWN_GENERATOR) > 3);
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(two_processes_of_one_snapshot_draw_nothing_alike),
    ROW(twin_that_is_not_restored_is_found),
    ROW(twin_with_a_generator_of_its_own_is_found),
};

CHECK_MAIN(tests)

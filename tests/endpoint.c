#include "tests/endpoint.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "store/dynamodb/credentials.h"
#include "store/dynamodb/dynamodb.h"

#define CONNECTIONS_MAX 32
#define CALL_MS (20 * LATCH_SECOND_MS) /* of a server on this machine, however busy */
#define MEMORY_BYTES ((size_t)64 * 1024)

struct endpoint {
    char *memory; /* of the settings */
    latch_arena arena;
    latch_settings settings;
    latch_credentials *credentials;
    pthread_mutex_t lock;
    latch_dynamodb *idle[CONNECTIONS_MAX];
    size_t idle_count;
};

bool endpoint_given(char *url, size_t bytes) {
    const char *path = getenv("LATCH_TEST_ENDPOINT_FILE");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    if (file == NULL) return false;
    bool read = fgets(url, (int)bytes, file) != NULL;
    fclose(file);
    if (read) url[strcspn(url, "\r\n")] = '\0';
    return read && url[0] != '\0';
}

/* Whoever runs the tests may have an account: it is no matter of theirs. */
static void leave_account_out(void) {
    static const char *const sources[] = {"AWS_PROFILE",
                                          "AWS_DEFAULT_PROFILE",
                                          "AWS_SESSION_TOKEN",
                                          "AWS_ACCOUNT_ID",
                                          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                          "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        unsetenv(sources[i]);
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_ACCESS_KEY_ID", "local", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "local", 1);
}

static latch_dynamodb *take(endpoint *e, latch_err *err) {
    latch_dynamodb *d = NULL;
    latch_dynamodb_options options = {.settings = &e->settings, .credentials = e->credentials, .clock = latch_clock_system()};
    pthread_mutex_lock(&e->lock);
    if (e->idle_count > 0) d = e->idle[--e->idle_count];
    pthread_mutex_unlock(&e->lock);
    return d != NULL || latch_dynamodb_open(&d, &options, err) == LATCH_OK ? d : NULL;
}

static void give_back(endpoint *e, latch_dynamodb *d) {
    pthread_mutex_lock(&e->lock);
    bool kept = e->idle_count < CONNECTIONS_MAX;
    if (kept) e->idle[e->idle_count++] = d;
    pthread_mutex_unlock(&e->lock);
    if (!kept) latch_dynamodb_close(d);
}

static latch_status call(void *self, const latch_send *send, latch_arena *arena, latch_reply *out, latch_err *err) {
    endpoint *e = self;
    latch_clock clock = latch_clock_system();
    latch_send real = *send;
    real.deadline_at_ms = real.idle_deadline_at_ms = latch_clock_wall_ms(&clock) + CALL_MS;
    *out = (latch_reply){0};
    latch_dynamodb *d = take(e, err);
    if (d == NULL) return LATCH_E_NOMEM;
    latch_transport transport = latch_dynamodb_transport(d);
    latch_status status = transport.call(transport.self, &real, arena, out, err);
    give_back(e, d);
    return status;
}

static latch_status prepare(endpoint *e, const char *url, const char *region, latch_ctx *cx) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, leave_account_out);
    LATCH_TRY(latch_settings_read(cx, &(latch_settings_options){.endpoint = url, .region = region}, &e->settings));
    return latch_credentials_open(&e->credentials, &e->settings, latch_clock_system(), &cx->err);
}

endpoint *endpoint_open(const char *url, const char *region) {
    endpoint *e = calloc(1, sizeof *e);
    if (e == NULL || (e->memory = malloc(MEMORY_BYTES)) == NULL) abort();
    latch_arena_init(&e->arena, e->memory, MEMORY_BYTES);
    pthread_mutex_init(&e->lock, NULL);
    latch_ctx cx = {.arena = &e->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
    if (prepare(e, url, region, &cx) == LATCH_OK) return e;
    fprintf(stderr, "endpoint %s: %s\n", url, cx.err.message);
    endpoint_close(e);
    return NULL;
}

void endpoint_close(endpoint *e) {
    if (e == NULL) return;
    for (size_t i = 0; i < e->idle_count; i++)
        latch_dynamodb_close(e->idle[i]);
    latch_credentials_close(e->credentials);
    pthread_mutex_destroy(&e->lock);
    latch_arena_clean_up(&e->arena);
    free(e->memory);
    free(e);
}

latch_transport endpoint_transport(endpoint *e) { return (latch_transport){.call = call, .self = e}; }

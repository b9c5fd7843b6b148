#include "session.h"

#include <stdlib.h>

#include "core/env.h"
#include "store/schema.h"

#define MEMORY_BYTES ((size_t)32 * 1024 * 1024) /* a page of 1 MB as JSON, and what is read of it; untouched it costs nothing */

void latch_session_begin(latch_session *s) {
    *s = (latch_session){.memory = malloc(MEMORY_BYTES)};
    if (s->memory == NULL) abort();
    latch_arena_init(&s->arena, s->memory, MEMORY_BYTES);
    s->cx = (latch_ctx){.arena = &s->arena, .clock = latch_clock_system(), .deadline_at_ms = INT64_MAX};
}

const char *latch_session_table(const char *given) {
    const char *named = given != NULL ? given : latch_env_get("LATCH_TABLE");
    return named != NULL ? named : LATCH_DYNAMODB_TABLE;
}

static void set(const char *name, const char *value) {
    if (setenv(name, value, 1) != 0) abort();
}

/* As AWS's own tools do: a profile that is named goes before keys in the environment. */
static void set_profile(const char *profile) {
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};
    set("AWS_PROFILE", profile);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        unsetenv(keys[i]);
}

void latch_session_set(const latch_connection *connection, const char *table) {
    set("LATCH_TABLE", latch_session_table(table));
    set("LATCH_STORE", "dynamodb");
    unsetenv("LATCH_ENSURE_TABLE"); /* a function's: no command creates what it isn't told to */
    if (connection->region != NULL) set("AWS_REGION", connection->region);
    if (connection->profile != NULL) set_profile(connection->profile);
    if (connection->endpoint != NULL) {
        set("AWS_ENDPOINT_URL_DYNAMODB", connection->endpoint);
        set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false");
    }
}

latch_status latch_session_connect(latch_session *s, const latch_connection *connection, const char *table) {
    latch_session_set(connection, table);
    LATCH_TRY(latch_settings_from_environment(&s->cx, &s->settings));
    return latch_stores_open(&s->cx, true, &s->stores);
}

void latch_session_end(latch_session *s) {
    latch_stores_close(&s->stores);
    latch_arena_clean_up(&s->arena);
    free(s->memory);
    *s = (latch_session){0};
}

#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_rate_state *s) {
    return latch_object(cx, "limit", s->limit, "window_ms", s->window_ms, "remaining", s->remaining, "reset_at_ms", s->reset_at_ms,
                        "retry_at_ms", s->retry_at_ms);
}

/* "n": at once; 1 where it isn't said. */
static latch_status acquire(drive_call *call, latch_json *out) {
    latch_rate_state state;
    int64_t n;
    LATCH_TRY(latch_read(call->line, "n", latch_range_or(&n, INT64_MIN, INT64_MAX, 1)));
    latch_status status = n == 1 ? latch_rate_acquire(call->cx, call->policy, call->key, &state)
                                 : latch_rate_acquire_n(call->cx, call->policy, call->key, n, &state);
    *out = show(call->cx, &state);
    return status;
}

static latch_status look(drive_call *call, latch_json *out) {
    latch_rate_state state;
    latch_status status = latch_rate_status(call->cx, call->policy, call->key, &state);
    *out = show(call->cx, &state);
    return status;
}

static latch_status can_proceed(drive_call *call, latch_json *out) {
    bool can;
    latch_status status = latch_rate_can_proceed(call->cx, call->policy, call->key, &can);
    *out = latch_object(call->cx, "can_proceed", can);
    return status;
}

static latch_status wait_time(drive_call *call, latch_json *out) {
    int64_t wait_ms;
    latch_status status = latch_rate_wait_time(call->cx, call->policy, call->key, &wait_ms);
    *out = latch_object(call->cx, "wait_ms", wait_ms);
    return status;
}

static latch_status record(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_rate_record(call->cx, call->policy, call->key);
}

static latch_status reset(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_rate_reset(call->cx, call->policy, call->key);
}

static const char *const algorithms[] = {"sliding", "gcra", NULL};
static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_rate, name)},
    {.name = "limit", .kind = DRIVE_INT, .offset = offsetof(latch_rate, limit)},
    {.name = "window_ms", .kind = DRIVE_INT, .offset = offsetof(latch_rate, window_ms)},
    {.name = "algorithm", .kind = DRIVE_WORD, .offset = offsetof(latch_rate, algorithm), .words = algorithms},
    {.name = "burst", .kind = DRIVE_INT, .offset = offsetof(latch_rate, burst)},
    {.name = "large", .kind = DRIVE_TRUTH, .offset = offsetof(latch_rate, large)},
    {.name = "known_ms", .kind = DRIVE_INT, .offset = offsetof(latch_rate, known_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_rate, timeout_ms)},
    {.name = "toolkit_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_rate, toolkit_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {
    {"acquire", acquire}, {"status", look}, {"can_proceed", can_proceed}, {"wait_time", wait_time}, {"record", record},
    {"reset", reset},     {NULL, NULL}};

const drive_store drive_rate = {"rate", sizeof(latch_rate), fields, verbs};

/* ── cooldowns ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status cooldown_set(drive_call *call, latch_json *out) {
    int64_t until_ms;
    *out = LATCH_NULL;
    LATCH_TRY(latch_read(call->line, "until_ms", &until_ms));
    return latch_cooldown_set(call->cx, call->policy, call->key, until_ms);
}

static latch_status cooldown_get(drive_call *call, latch_json *out) {
    int64_t until_ms;
    latch_status status = latch_cooldown_get(call->cx, call->policy, call->key, &until_ms);
    *out = latch_object(call->cx, "until_ms", until_ms);
    return status;
}

static latch_status cooldown_clear(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_cooldown_clear(call->cx, call->policy, call->key);
}

static const drive_field cooldown_fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_cooldown, name)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cooldown, timeout_ms)},
    {.name = "toolkit_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_cooldown, toolkit_table)},
    DRIVE_END,
};
static const drive_verb cooldown_verbs[] = {{"set", cooldown_set}, {"get", cooldown_get}, {"clear", cooldown_clear}, {NULL, NULL}};

const drive_store drive_cooldown = {"cooldown", sizeof(latch_cooldown), cooldown_fields, cooldown_verbs};

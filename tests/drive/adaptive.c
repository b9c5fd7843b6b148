#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_adaptive_state *s) {
    return latch_object(cx, "limit", s->limit, "remaining", s->remaining, "reset_at_ms", s->reset_at_ms, "retry_at_ms", s->retry_at_ms,
                        "reserve", s->reserve, "background_max", s->background_max, "activity", s->activity, "rising", s->rising, "falling",
                        s->falling, "paused", s->paused, "reason", (int64_t)s->reason);
}

/* "priority": "user" or "background". */
static latch_status read_priority(drive_call *call, latch_priority *out) {
    latch_str text;
    LATCH_TRY(latch_read(call->line, "priority", &text));
    *out = latch_str_eq(text, LATCH_STR("user")) ? LATCH_USER : LATCH_BACKGROUND;
    return LATCH_OK;
}

static latch_status acquire(drive_call *call, latch_json *out) {
    latch_priority priority;
    latch_adaptive_state state;
    LATCH_TRY(read_priority(call, &priority));
    latch_status status = latch_adaptive_acquire(call->cx, call->policy, call->key, priority, &state);
    *out = show(call->cx, &state);
    return status;
}

static latch_status look(drive_call *call, latch_json *out) {
    latch_priority priority;
    latch_adaptive_state state;
    LATCH_TRY(read_priority(call, &priority));
    latch_status status = latch_adaptive_status(call->cx, call->policy, call->key, priority, &state);
    *out = show(call->cx, &state);
    return status;
}

static latch_status record(drive_call *call, latch_json *out) {
    latch_priority priority;
    *out = LATCH_NULL;
    LATCH_TRY(read_priority(call, &priority));
    return latch_adaptive_record(call->cx, call->policy, call->key, priority);
}

static latch_status reset(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_adaptive_reset(call->cx, call->policy, call->key);
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_adaptive, name)},
    {.name = "limit", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, limit)},
    {.name = "window_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, window_ms)},
    {.name = "monitoring_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, monitoring_ms)},
    {.name = "high", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, high)},
    {.name = "moderate", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, moderate)},
    {.name = "recalculation_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, recalculation_ms)},
    {.name = "sustained_inactivity_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, sustained_inactivity_ms)},
    {.name = "max_scaling", .kind = DRIVE_NUMBER, .offset = offsetof(latch_adaptive, max_scaling)},
    {.name = "min_user_reserved", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, min_user_reserved)},
    {.name = "never_pauses", .kind = DRIVE_TRUTH, .offset = offsetof(latch_adaptive, never_pauses)},
    {.name = "known_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, known_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_adaptive, timeout_ms)},
    {.name = "toolkit_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_adaptive, toolkit_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"acquire", acquire}, {"status", look}, {"record", record}, {"reset", reset}, {NULL, NULL}};

const drive_store drive_adaptive = {"adaptive", sizeof(latch_adaptive), fields, verbs};

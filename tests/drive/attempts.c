#include <stddef.h>

#include "tests/drive/drive.h"

static latch_status take(drive_call *call, latch_json *out) {
    latch_json context;
    latch_attempt attempt;
    context = drive_json(call, "context");
    latch_status status = latch_attempts_take(call->cx, call->policy, call->key, context, &attempt);
    *out = latch_object(call->cx, "used", attempt.used, "created_at_ms", attempt.created_at_ms, "ends_at_ms", attempt.ends_at_ms, "window",
                        attempt.window, "context", attempt.context);
    return status;
}

/* "window" and "created_at_ms", as take gave them. */
static latch_status clear(drive_call *call, latch_json *out) {
    latch_attempt attempt = {0};
    *out = LATCH_NULL;
    LATCH_TRY(latch_read(call->line, "window", latch_optional(&attempt.window), "created_at_ms", latch_optional(&attempt.created_at_ms)));
    return latch_attempts_clear(call->cx, call->policy, call->key, &attempt);
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_attempts, name)},
    {.name = "max", .kind = DRIVE_UINT32, .offset = offsetof(latch_attempts, max)},
    {.name = "window_ms", .kind = DRIVE_INT, .offset = offsetof(latch_attempts, window_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_attempts, timeout_ms)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_attempts, paradoxical_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"take", take}, {"clear", clear}, {NULL, NULL}};

const drive_store drive_attempts = {"attempts", sizeof(latch_attempts), fields, verbs};

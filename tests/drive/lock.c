#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_hold *hold) {
    return latch_object(cx, "fence", hold->fence, "until_ms", hold->until_ms, "other", hold->other);
}

static latch_status too_many(latch_ctx *cx) {
    return latch_refuse(cx, LATCH_E_INPUT, "the session has no room for another hold", "holds", (int64_t)DRIVE_HOLDS);
}

static latch_status take(drive_call *call, latch_json *out) {
    latch_hold *hold = drive_hold(call);
    if (hold == NULL) return too_many(call->cx);
    latch_status status = latch_lock_take(call->cx, call->policy, call->key, hold);
    *out = show(call->cx, hold);
    return status;
}

static latch_status extend(drive_call *call, latch_json *out) {
    int64_t lease_ms;
    latch_hold *hold = drive_hold(call);
    if (hold == NULL) return too_many(call->cx);
    LATCH_TRY(latch_read(call->line, "lease_ms", &lease_ms));
    latch_status status = latch_lock_extend(call->cx, hold, lease_ms);
    *out = show(call->cx, hold);
    return status;
}

static latch_status release(drive_call *call, latch_json *out) {
    latch_hold *hold = drive_hold(call);
    if (hold == NULL) return too_many(call->cx);
    *out = LATCH_NULL;
    return latch_lock_release(call->cx, hold);
}

static latch_status held(drive_call *call, latch_json *out) {
    latch_hold *hold = drive_hold(call);
    if (hold == NULL) return too_many(call->cx);
    *out = latch_object(call->cx, "held", latch_lock_held(call->cx, hold));
    return LATCH_OK;
}

static latch_status look(drive_call *call, latch_json *out) {
    latch_lock_holder holder;
    latch_status status = latch_lock_look(call->cx, call->policy, call->key, &holder);
    *out = latch_object(call->cx, "owner", holder.owner, "until_ms", holder.until_ms, "fence", holder.fence);
    return status;
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock, name)},
    {.name = "lease_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, lease_ms)},
    {.name = "wait_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, wait_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, timeout_ms)},
    {.name = "keep", .kind = DRIVE_TRUTH, .offset = offsetof(latch_lock, keep)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"take", take}, {"extend", extend}, {"release", release}, {"held", held}, {"look", look}, {NULL, NULL}};

const drive_store drive_lock = {"lock", sizeof(latch_lock), fields, verbs};

#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_once_result *result) {
    return latch_object(cx, "did", result->did, "response", result->response, "not_kept", result->not_kept, "done_at_ms",
                        result->done_at_ms, "worked", drive_worked(cx));
}

static latch_status once(drive_call *call, latch_json *out) {
    latch_json payload;
    latch_once_result result;
    LATCH_TRY(drive_json(call, "payload", &payload));
    latch_status status = latch_once_do(call->cx, call->policy, call->key, payload, &result);
    *out = show(call->cx, &result);
    return status;
}

static latch_status already_done(drive_call *call, latch_json *out) {
    latch_once_result result;
    latch_status status = latch_once_already_done(call->cx, call->policy, call->key, &result);
    *out = show(call->cx, &result);
    return status;
}

static latch_status mark_done(drive_call *call, latch_json *out) {
    latch_json payload, response;
    *out = LATCH_NULL;
    LATCH_TRY(drive_json(call, "payload", &payload));
    LATCH_TRY(drive_json(call, "response", &response));
    return latch_once_mark_done(call->cx, call->policy, call->key, payload, response);
}

static latch_status clear(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_once_clear(call->cx, call->policy, call->key);
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_once, name)},
    {.name = "work", .kind = DRIVE_WORK, .offset = offsetof(latch_once, work)},
    {.name = "keep_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, keep_ms)},
    {.name = "in_progress_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, in_progress_ms)},
    {.name = "wait_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, wait_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, timeout_ms)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"do", once}, {"already_done", already_done}, {"mark_done", mark_done}, {"clear", clear}, {NULL, NULL}};

const drive_store drive_once = {"once", sizeof(latch_once), fields, verbs};

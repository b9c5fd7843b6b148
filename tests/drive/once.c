#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_once_result *result) {
    return latch_object(cx, "did", result->did, "response", result->response, "not_kept", result->not_kept, "done_at_ms",
                        result->done_at_ms, "worked", drive_worked(cx));
}

static latch_status once(drive_call *call, latch_json *out) {
    latch_json payload;
    latch_once_result result;
    payload = drive_json(call, "payload");
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
    payload = drive_json(call, "payload");
    response = drive_json(call, "response");
    return latch_once_mark_done(call->cx, call->policy, call->key, payload, response);
}

static latch_status clear(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_once_clear(call->cx, call->policy, call->key);
}

static const char *const flavours[] = {"unset", "python", "typescript", NULL};
static const drive_field powertools[] = {
    {.name = "table", .kind = DRIVE_TEXT, .offset = offsetof(latch_powertools, table)},
    {.name = "flavour", .kind = DRIVE_WORD, .offset = offsetof(latch_powertools, flavour), .words = flavours},
    {.name = "key_prefix", .kind = DRIVE_TEXT, .offset = offsetof(latch_powertools, key_prefix)},
    {.name = "key_attribute", .kind = DRIVE_TEXT, .offset = offsetof(latch_powertools, key_attribute)},
    {.name = "sort_key_attribute", .kind = DRIVE_TEXT, .offset = offsetof(latch_powertools, sort_key_attribute)},
    {.name = "static_pk", .kind = DRIVE_TEXT, .offset = offsetof(latch_powertools, static_pk)},
    {.name = "key_is_json", .kind = DRIVE_TRUTH, .offset = offsetof(latch_powertools, key_is_json)},
    DRIVE_END,
};
static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_once, name)},
    {.name = "work", .kind = DRIVE_WORK, .offset = offsetof(latch_once, work)},
    {.name = "keep_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, keep_ms)},
    {.name = "in_progress_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, in_progress_ms)},
    {.name = "wait_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, wait_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_once, timeout_ms)},
    {.name = "validate", .kind = DRIVE_TEXTS, .offset = offsetof(latch_once, validate)},
    {.name = "powertools",
     .kind = DRIVE_PART,
     .offset = offsetof(latch_once, powertools),
     .part = powertools,
     .part_bytes = sizeof(latch_powertools)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_once, paradoxical_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"do", once}, {"already_done", already_done}, {"mark_done", mark_done}, {"clear", clear}, {NULL, NULL}};

const drive_store drive_once = {"once", sizeof(latch_once), fields, verbs};

#include <stddef.h>

#include "tests/drive/drive.h"

static latch_status get(drive_call *call, latch_json *out) {
    latch_json value;
    latch_status status = latch_cache_get(call->cx, call->policy, call->key, &value);
    *out = latch_object(call->cx, "value", value, "worked", drive_worked(call->cx));
    return status;
}

static latch_status set(drive_call *call, latch_json *out) {
    latch_json value;
    *out = LATCH_NULL;
    LATCH_TRY(drive_json(call, "value", &value));
    return latch_cache_set(call->cx, call->policy, call->key, value);
}

static latch_status delete (drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_cache_delete(call->cx, call->policy, call->key);
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_cache, name)},
    {.name = "ttl_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, ttl_ms)},
    {.name = "missing_ttl_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, missing_ttl_ms)},
    {.name = "strong", .kind = DRIVE_TRUTH, .offset = offsetof(latch_cache, strong)},
    {.name = "load", .kind = DRIVE_WORK, .offset = offsetof(latch_cache, load)},
    {.name = "load_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, load_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, timeout_ms)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"get", get}, {"set", set}, {"delete", delete}, {NULL, NULL}};

const drive_store drive_cache = {"cache", sizeof(latch_cache), fields, verbs};

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
    value = drive_json(call, "value");
    return latch_cache_set(call->cx, call->policy, call->key, value);
}

static latch_status delete (drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_cache_delete(call->cx, call->policy, call->key);
}

static latch_status set_tagged(drive_call *call, latch_json *out) {
    const latch_str *tags;
    size_t count;
    *out = LATCH_NULL;
    LATCH_TRY(drive_texts(call, "tags", &tags, &count));
    return latch_cache_set_tagged(call->cx, call->policy, call->key, drive_json(call, "value"), tags, count);
}

static latch_status invalidate(drive_call *call, latch_json *out) {
    const latch_str *tags;
    size_t count;
    uint64_t removed;
    LATCH_TRY(drive_texts(call, "tags", &tags, &count));
    latch_status status = latch_cache_invalidate_by_tags(call->cx, call->policy, tags, count, &removed);
    *out = latch_object(call->cx, "removed", removed);
    return status;
}

static latch_status get_many(drive_call *call, latch_json *out) {
    const latch_str *keys;
    latch_cache_entry entries[100];
    size_t count;
    *out = latch_array(call->cx);
    LATCH_TRY(drive_texts(call, "keys", &keys, &count));
    if (count > 100) return latch_refuse(call->cx, LATCH_E_INPUT, "too many keys for the driver", "keys", count);
    LATCH_TRY(latch_cache_get_many(call->cx, call->policy, keys, count, entries));
    for (size_t i = 0; i < count; i++)
        *out = latch_append(*out, latch_object(call->cx, "found", latch_bool(entries[i].status == LATCH_OK), "value", entries[i].value));
    return LATCH_OK;
}

static latch_status clear(drive_call *call, latch_json *out) {
    latch_sweep sweep;
    latch_swept swept;
    LATCH_TRY(drive_sweep(call, &sweep));
    latch_status status = latch_cache_clear(call->cx, call->policy, &sweep, &swept);
    *out = drive_swept(call->cx, &swept);
    return status;
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_cache, name)},
    {.name = "ttl_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, ttl_ms)},
    {.name = "missing_ttl_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, missing_ttl_ms)},
    {.name = "strong", .kind = DRIVE_TRUTH, .offset = offsetof(latch_cache, strong)},
    {.name = "load", .kind = DRIVE_WORK, .offset = offsetof(latch_cache, load)},
    {.name = "load_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, load_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, timeout_ms)},
    {.name = "stale_ms", .kind = DRIVE_INT, .offset = offsetof(latch_cache, stale_ms)},
    {.name = "max_entry_bytes", .kind = DRIVE_INT, .offset = offsetof(latch_cache, max_entry_bytes)},
    {.name = "toolkit_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_cache, toolkit_table)},
    {.name = "strict", .kind = DRIVE_CONSTANT, .offset = offsetof(latch_cache, strict), .constant = LATCH_CACHE_STRICT},
    DRIVE_END,
};
static const drive_verb verbs[] = {
    {"get", get},           {"set", set},     {"delete", delete}, {"set_tagged", set_tagged}, {"invalidate", invalidate},
    {"get_many", get_many}, {"clear", clear}, {NULL, NULL}};

const drive_store drive_cache = {"cache", sizeof(latch_cache), fields, verbs};

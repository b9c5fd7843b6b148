#include <stddef.h>

#include "tests/drive/drive.h"

static latch_status counted(drive_call *call, latch_status status, int64_t count, latch_json *out) {
    *out = latch_object(call->cx, "count", count);
    return status;
}

static latch_status add(drive_call *call, latch_json *out) {
    int64_t by, count = 0;
    LATCH_TRY(latch_read(call->line, "by", &by));
    latch_status status = latch_counter_add(call->cx, call->policy, call->key, by, &count);
    return counted(call, status, count, out);
}

static latch_status get(drive_call *call, latch_json *out) {
    latch_counted found;
    latch_status status = latch_counter_get(call->cx, call->policy, &call->key, 1, &found);
    *out = latch_object(call->cx, "count", found.count, "found", found.found);
    return status;
}

static latch_status delete (drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_counter_delete(call->cx, call->policy, call->key);
}

/* "key" is the partition, "sort" the rest. */
static latch_pkv_key key_of(drive_call *call) {
    latch_str sort;
    latch_status status = latch_read(call->line, "sort", drive_text(&sort));
    return latch_pkv_at(call->key, status == LATCH_OK ? sort : LATCH_STR(""));
}

static latch_status part_add(drive_call *call, latch_json *out) {
    int64_t by, count = 0;
    LATCH_TRY(latch_read(call->line, "by", &by));
    latch_status status = latch_pcounter_add(call->cx, call->policy, key_of(call), by, &count);
    return counted(call, status, count, out);
}

static latch_status part_get(drive_call *call, latch_json *out) {
    latch_counted found;
    latch_status status = latch_pcounter_get(call->cx, call->policy, key_of(call), &found);
    *out = latch_object(call->cx, "count", found.count, "found", found.found);
    return status;
}

static latch_status part_delete(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_pcounter_delete(call->cx, call->policy, key_of(call));
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_counter, name)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_counter, paradoxical_table)},
    {.name = "has_least", .kind = DRIVE_TRUTH, .offset = offsetof(latch_counter, has_least)},
    {.name = "has_most", .kind = DRIVE_TRUTH, .offset = offsetof(latch_counter, has_most)},
    {.name = "least", .kind = DRIVE_INT, .offset = offsetof(latch_counter, least)},
    {.name = "most", .kind = DRIVE_INT, .offset = offsetof(latch_counter, most)},
    {.name = "exact", .kind = DRIVE_TRUTH, .offset = offsetof(latch_counter, exact)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_counter, timeout_ms)},
    {.name = "sort_is_number", .kind = DRIVE_TRUTH, .offset = offsetof(latch_counter, sort_is_number)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"add", add}, {"get", get}, {"delete", delete}, {NULL, NULL}};
static const drive_verb part_verbs[] = {{"add", part_add}, {"get", part_get}, {"delete", part_delete}, {NULL, NULL}};

const drive_store drive_counter = {"counter", sizeof(latch_counter), fields, verbs};
const drive_store drive_pcounter = {"pcounter", sizeof(latch_pcounter), fields, part_verbs};

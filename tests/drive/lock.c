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

/* "item": its key attributes. */
static latch_status mark(drive_call *call, latch_json *out) {
    latch_hold *hold = drive_hold(call);
    latch_json item = LATCH_NULL;
    if (hold == NULL) return too_many(call->cx);
    latch_status status = latch_lock_mark(call->cx, hold, NULL, drive_json(call, "item"), &item);
    *out = latch_object(call->cx, "item", item);
    return status;
}

/* SET #value = "value" of a marked item. */
static latch_status update(drive_call *call, latch_json *out) {
    latch_hold *hold = drive_hold(call);
    latch_json item = LATCH_NULL;
    if (hold == NULL) return too_many(call->cx);
    latch_dynamodb_update_request request = {
        .key = drive_json(call, "item"), .update = "SET #value = :value", .values = LATCH_VALUES(":value", drive_json(call, "value"))};
    latch_status status = latch_lock_update(call->cx, hold, &request, &item);
    *out = latch_object(call->cx, "item", item);
    return status;
}

static const char *const flavours[] = {"unset", "java", "go", NULL};
static const drive_field lock_client[] = {
    {.name = "table", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock_client, table)},
    {.name = "flavour", .kind = DRIVE_WORD, .offset = offsetof(latch_lock_client, flavour), .words = flavours},
    {.name = "pk", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock_client, pk)},
    {.name = "sk", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock_client, sk)},
    {.name = "sk_value", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock_client, sk_value)},
    DRIVE_END,
};
static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock, name)},
    {.name = "lease_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, lease_ms)},
    {.name = "wait_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, wait_ms)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_lock, timeout_ms)},
    {.name = "keep", .kind = DRIVE_TRUTH, .offset = offsetof(latch_lock, keep)},
    {.name = "lock_client",
     .kind = DRIVE_PART,
     .offset = offsetof(latch_lock, lock_client),
     .part = lock_client,
     .part_bytes = sizeof(latch_lock_client)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_lock, paradoxical_table)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"take", take}, {"extend", extend}, {"release", release}, {"held", held},
                                   {"look", look}, {"mark", mark},     {"update", update},   {NULL, NULL}};

const drive_store drive_lock = {"lock", sizeof(latch_lock), fields, verbs};

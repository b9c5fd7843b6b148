#include <stddef.h>

#include "tests/drive/drive.h"

static latch_json show(latch_ctx *cx, const latch_saga_instance *s) {
    if (s->id.len == 0) return LATCH_NULL;
    return latch_object(cx, "saga", s->id, "correlation", s->correlation_id, "state", s->state, "completed", s->completed, "timeout_ms",
                        s->timeout_ms, "timeout_at_ms", s->timeout_at_ms, "version", s->version, "created_at_ms", s->created_at_ms,
                        "updated_at_ms", s->updated_at_ms);
}

/* As show gives it; a "timeout" in ms is set from now. */
static latch_status read(drive_call *call, latch_saga_instance *out) {
    int64_t timeout_ms;
    *out = (latch_saga_instance){0};
    LATCH_TRY(latch_read(call->line, "saga", latch_optional(&out->id), "correlation", latch_optional(&out->correlation_id), "state",
                         latch_optional(&out->state), "completed", latch_optional(&out->completed), "version",
                         latch_optional(&out->version), "timeout", latch_optional(&timeout_ms)));
    if (timeout_ms != 0) latch_saga_set_timeout(call->cx, out, timeout_ms);
    return LATCH_OK;
}

static latch_status get(drive_call *call, latch_json *out) {
    latch_saga_instance found;
    latch_status status = latch_saga_get_by_id(call->cx, call->policy, call->key, &found);
    *out = show(call->cx, &found);
    return status;
}

static latch_status get_by_correlation(drive_call *call, latch_json *out) {
    latch_saga_instance found;
    latch_status status = latch_saga_get_by_correlation_id(call->cx, call->policy, call->key, &found);
    *out = show(call->cx, &found);
    return status;
}

typedef latch_status change_fn(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance, latch_saga_instance *there);

static latch_status change(drive_call *call, change_fn *fn, latch_json *out) {
    latch_saga_instance instance, there = {0};
    LATCH_TRY(read(call, &instance));
    latch_status status = fn(call->cx, call->policy, &instance, &there);
    *out = latch_object(call->cx, "version", instance.version, "there", show(call->cx, &there));
    return status;
}

static latch_status delete_one(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance, latch_saga_instance *there) {
    return latch_saga_delete(cx, saga, instance, there);
}

static latch_status insert(drive_call *call, latch_json *out) { return change(call, latch_saga_insert, out); }
static latch_status update(drive_call *call, latch_json *out) { return change(call, latch_saga_update, out); }
static latch_status delete (drive_call *call, latch_json *out) { return change(call, delete_one, out); }

typedef latch_status find_fn(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query, latch_saga_page *page);

/* "which": "running", "completed", or all; "limit", "from". */
static latch_status find(drive_call *call, find_fn *fn, latch_json *out) {
    latch_saga_query query = {0};
    latch_saga_page page;
    latch_str which;
    LATCH_TRY(latch_read(call->line, "which", drive_text(&which), "limit", latch_optional(&query.limit), "from", drive_text(&query.from)));
    if (latch_str_eq(which, LATCH_STR("running"))) query.which = LATCH_SAGA_RUNNING;
    if (latch_str_eq(which, LATCH_STR("completed"))) query.which = LATCH_SAGA_COMPLETED;
    latch_status status = fn(call->cx, call->policy, &query, &page);
    latch_json items = latch_array(call->cx);
    for (size_t i = 0; i < page.count; i++)
        items = latch_append(items, show(call->cx, &page.items[i]));
    *out = latch_object(call->cx, "items", items, "next", page.next);
    return status;
}

static latch_status find_by_name(drive_call *call, latch_json *out) { return find(call, latch_saga_find_by_name, out); }
static latch_status find_timed_out(drive_call *call, latch_json *out) { return find(call, latch_saga_find_timed_out, out); }

static latch_status delete_completed_before(drive_call *call, latch_json *out) {
    int64_t before_ms, deleted;
    LATCH_TRY(latch_read(call->line, "before_ms", &before_ms));
    latch_status status = latch_saga_delete_completed_before(call->cx, call->policy, before_ms, &deleted);
    *out = latch_object(call->cx, "deleted", deleted);
    return status;
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_saga, name)},
    {.name = "saga_bus_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_saga, saga_bus_table)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_saga, timeout_ms)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"get_by_id", get},
                                   {"get_by_correlation_id", get_by_correlation},
                                   {"insert", insert},
                                   {"update", update},
                                   {"delete", delete},
                                   {"find_by_name", find_by_name},
                                   {"find_timed_out", find_timed_out},
                                   {"delete_completed_before", delete_completed_before},
                                   {NULL, NULL}};

const drive_store drive_saga = {"saga", sizeof(latch_saga), fields, verbs};

#include <stddef.h>

#include "tests/drive/drive.h"

static latch_value as_value(latch_json v) { return (latch_value){LATCH_V_JSON, {.json = v}}; }

static latch_json show_page(latch_ctx *cx, const latch_kv_page *page) {
    latch_json entries = latch_array(cx);
    for (size_t i = 0; i < page->count; i++)
        entries = latch_append(entries, latch_object(cx, "key", page->entries[i].key, "value", page->entries[i].value));
    return latch_object(cx, "entries", entries, "token", page->token);
}

/* ── key-value ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status get(drive_call *call, latch_json *out) {
    latch_json value;
    latch_status status = latch_kv_get(call->cx, call->policy, call->key, &value);
    *out = latch_object(call->cx, "value", value);
    return status;
}

static latch_status set(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_kv_set_(call->cx, call->policy, call->key, as_value(drive_json(call, "value")));
}

static latch_status delete (drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_kv_delete(call->cx, call->policy, call->key);
}

static latch_status list(drive_call *call, latch_json *out) {
    latch_kv_list_request request = {0};
    latch_kv_page page;
    LATCH_TRY(latch_read(call->line, "limit", latch_optional(&request.limit), "from", drive_text(&request.from), "contains",
                         drive_text(&request.contains)));
    LATCH_TRY(latch_kv_list(call->cx, call->policy, &request, &page));
    *out = show_page(call->cx, &page);
    return LATCH_OK;
}

static latch_status get_batch(drive_call *call, latch_json *out) {
    const latch_str *keys;
    latch_kv_entry entries[100];
    size_t count;
    *out = latch_array(call->cx);
    LATCH_TRY(drive_texts(call, "keys", &keys, &count));
    if (count > 100) return latch_refuse(call->cx, LATCH_E_INPUT, "too many keys for the driver", "keys", count);
    LATCH_TRY(latch_kv_get_batch(call->cx, call->policy, keys, count, entries));
    for (size_t i = 0; i < count; i++)
        *out = latch_append(*out, latch_object(call->cx, "key", entries[i].key, "found", entries[i].found, "value", entries[i].value));
    return LATCH_OK;
}

static const drive_field fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_kv, name)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_kv, paradoxical_table)},
    {.name = "eventual", .kind = DRIVE_TRUTH, .offset = offsetof(latch_kv, eventual)},
    {.name = "repeat", .kind = DRIVE_TRUTH, .offset = offsetof(latch_kv, repeat)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_kv, timeout_ms)},
    DRIVE_END,
};
static const drive_verb verbs[] = {{"get", get}, {"set", set}, {"delete", delete}, {"list", list}, {"get_batch", get_batch}, {NULL, NULL}};

const drive_store drive_kv = {"kv", sizeof(latch_kv), fields, verbs};

/* ── partitioned ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* "key" is the partition, "sort" the rest. */
static latch_pkv_key key_of(drive_call *call) {
    latch_str sort;
    latch_status status = latch_read(call->line, "sort", drive_text(&sort));
    return latch_pkv_at(call->key, status == LATCH_OK ? sort : LATCH_STR(""));
}

static latch_status part_get(drive_call *call, latch_json *out) {
    latch_json value;
    latch_status status = latch_pkv_get(call->cx, call->policy, key_of(call), &value);
    *out = latch_object(call->cx, "value", value);
    return status;
}

static latch_status part_set(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_pkv_set_(call->cx, call->policy, key_of(call), as_value(drive_json(call, "value")));
}

static latch_status part_set_if_not_exists(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_pkv_set_if_not_exists_(call->cx, call->policy, key_of(call), as_value(drive_json(call, "value")));
}

static latch_status part_exists(drive_call *call, latch_json *out) {
    bool exists;
    latch_status status = latch_pkv_exists(call->cx, call->policy, key_of(call), &exists);
    *out = latch_object(call->cx, "exists", exists);
    return status;
}

static latch_status part_delete(drive_call *call, latch_json *out) {
    *out = LATCH_NULL;
    return latch_pkv_delete(call->cx, call->policy, key_of(call));
}

static latch_status part_list(drive_call *call, latch_json *out) {
    latch_pkv_list_request request = {0};
    latch_kv_page page;
    LATCH_TRY(latch_read(call->line, "limit", latch_optional(&request.limit), "from", drive_text(&request.from), "backward",
                         latch_optional(&request.backward)));
    LATCH_TRY(latch_pkv_list(call->cx, call->policy, call->key, &request, &page));
    *out = show_page(call->cx, &page);
    return LATCH_OK;
}

static latch_status part_clear(drive_call *call, latch_json *out) {
    uint64_t deleted;
    latch_status status = latch_pkv_clear(call->cx, call->policy, call->key, &deleted);
    *out = latch_object(call->cx, "deleted", deleted);
    return status;
}

/* "value" is what is added, removed or looked for: one element, or a list of them. */
static latch_status set_changed(drive_call *call, latch_status status, const latch_set_change *change, latch_json *out) {
    *out = latch_object(call->cx, "added", change->added, "present", change->present, "removed", change->removed, "absent", change->absent,
                        "size", change->size, "conflicts", change->conflicts, "unsure", change->unsure);
    return status;
}

static latch_status add_to_set(drive_call *call, latch_json *out) {
    latch_set_change change;
    latch_value given = as_value(drive_json(call, "value"));
    return set_changed(call, latch_pkv_add_to_set_(call->cx, call->policy, key_of(call), given, NULL, &change), &change, out);
}

static latch_status remove_from_set(drive_call *call, latch_json *out) {
    latch_set_change change;
    latch_value given = as_value(drive_json(call, "value"));
    return set_changed(call, latch_pkv_remove_from_set_(call->cx, call->policy, key_of(call), given, NULL, &change), &change, out);
}

/* Of those that are objects, what has the same "id" is replaced. */
static bool has_same_id(void *arg, latch_json element) {
    latch_str id, *wanted = arg;
    return latch_read(element, "id", latch_optional(&id)) == LATCH_OK && latch_str_eq(id, *wanted);
}

static latch_status update_in_set(drive_call *call, latch_json *out) {
    latch_set_change change;
    latch_str id;
    latch_json value = drive_json(call, "value");
    LATCH_TRY(latch_read(value, "id", &id));
    latch_status status = latch_pkv_update_in_set_(call->cx, call->policy, key_of(call), as_value(value), has_same_id, &id, &change);
    return set_changed(call, status, &change, out);
}

static latch_status exists_in_set(drive_call *call, latch_json *out) {
    bool exists;
    latch_value given = as_value(drive_json(call, "value"));
    latch_status status = latch_pkv_exists_in_set_(call->cx, call->policy, key_of(call), given, NULL, &exists);
    *out = latch_object(call->cx, "exists", exists);
    return status;
}

static const drive_field part_fields[] = {
    {.name = "name", .kind = DRIVE_TEXT, .offset = offsetof(latch_pkv, name)},
    {.name = "paradoxical_table", .kind = DRIVE_TEXT, .offset = offsetof(latch_pkv, paradoxical_table)},
    {.name = "sort_is_number", .kind = DRIVE_TRUTH, .offset = offsetof(latch_pkv, sort_is_number)},
    {.name = "eventual", .kind = DRIVE_TRUTH, .offset = offsetof(latch_pkv, eventual)},
    {.name = "repeat", .kind = DRIVE_TRUTH, .offset = offsetof(latch_pkv, repeat)},
    {.name = "timeout_ms", .kind = DRIVE_INT, .offset = offsetof(latch_pkv, timeout_ms)},
    DRIVE_END,
};
static const drive_verb part_verbs[] = {{"get", part_get},
                                        {"set", part_set},
                                        {"set_if_not_exists", part_set_if_not_exists},
                                        {"exists", part_exists},
                                        {"delete", part_delete},
                                        {"list", part_list},
                                        {"clear", part_clear},
                                        {"add_to_set", add_to_set},
                                        {"remove_from_set", remove_from_set},
                                        {"update_in_set", update_in_set},
                                        {"exists_in_set", exists_in_set},
                                        {NULL, NULL}};

const drive_store drive_pkv = {"pkv", sizeof(latch_pkv), part_fields, part_verbs};

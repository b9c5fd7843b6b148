#include "compose/record_image.h"

#include "runtime/record_private.h"
#include "store/marshal.h"

static const struct {
    const char *path;
    latch_json (*get)(const latch_record *record);
} images[] = {
    [LATCH_NEW_IMAGE] = {"dynamodb.NewImage", latch_record_new_image},
    [LATCH_OLD_IMAGE] = {"dynamodb.OldImage", latch_record_old_image},
    [LATCH_KEYS_IMAGE] = {"dynamodb.Keys", latch_record_keys},
};

latch_status latch_record_image(latch_record *record, latch_image which, latch_json *out) {
    latch_ctx *cx = record->cx;
    latch_json item = images[which].get(record), plain;
    *out = LATCH_NULL;
    if (item.node == NULL)
        return latch_err_set(&cx->err, LATCH_E_INPUT, "%s.%s: is missing: the record has none, or its stream doesn't carry it",
                             record->place, images[which].path);
    latch_str name = latch_ctx_text(cx, "%s.%s", record->place, images[which].path);
    if (name.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "record: the arena is full");
    LATCH_TRY(latch_unmarshal_item(cx, item, &plain));
    *out = latch_json_named(cx, name.ptr, plain);
    return LATCH_OK;
}

latch_status latch_record_read_image_(latch_record *record, latch_image which, const latch_field *fields) {
    latch_json item;
    latch_status status = latch_record_image(record, which, &item);
    if (status == LATCH_OK) return latch_read_(item, fields);
    (void)!latch_read_(LATCH_NULL, fields); /* every variable is written */
    return status;
}

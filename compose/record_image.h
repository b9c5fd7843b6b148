/*
 * compose/record_image.h - what a DynamoDB stream says of an item, as plain JSON: read by latch_read, or into a struct (runtime/batch.h).
 *
 *     static latch_status read_product(latch_record *record, product *out) {
 *         return latch_record_read_image(record, LATCH_NEW_IMAGE, "sku", &out->sku, "price_cents", latch_range(&out->price_cents, 1, 1000000));
 *     }
 *
 * {"sku": {"S": "tea"}, "price_cents": {"N": "450"}} is {"sku": "tea", "price_cents": 450}: types, sets and exact numbers are as
 * latch_dynamodb_get_item gives them (store/items.h). No request.
 */
#ifndef LATCH_COMPOSE_RECORD_IMAGE_H
#define LATCH_COMPOSE_RECORD_IMAGE_H

#include "core/json.h"
#include "runtime/record.h"

LATCH_BEGIN_C

typedef enum latch_image { LATCH_NEW_IMAGE, LATCH_OLD_IMAGE, LATCH_KEYS_IMAGE } latch_image;

/*
 * Errors begin with "event.Records[3].dynamodb.NewImage", those of what is no item with "item". *out is null then; it lives as long as the record.
 * LATCH_E_INPUT  the record has none: the stream's view type doesn't carry it, an INSERT has no old one, a REMOVE no new one; or it is of another
 *                source
 * LATCH_E_DATA   it is no item as DynamoDB writes it; or, of latch_record_read_image, a field is missing or wrong
 * LATCH_E_NOMEM
 */
LATCH_NODISCARD latch_status latch_record_image(latch_record *record, latch_image which, latch_json *out) LATCH_NONNULL;

/* The same and latch_read in one. */
#define latch_record_read_image(record, which, ...) latch_record_read_image_((record), (which), LATCH_FIELDS_(record, __VA_ARGS__))
LATCH_NODISCARD latch_status latch_record_read_image_(latch_record *record, latch_image which, const latch_field *fields) LATCH_NONNULL;

LATCH_END_C

#endif

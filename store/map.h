/*
 * store/map.h - items as C structs, and back: a table that says which attribute is which member.
 *
 *     typedef struct order { latch_str id; int64_t qty; double price; bool paid; latch_json tags; } order;
 *     static const latch_map orders[] = {
 *         LATCH_MAP(order, id, "id"), LATCH_MAP(order, qty, "qty"), LATCH_MAP(order, price, "price"), LATCH_MAP(order, paid, "paid"),
 *         LATCH_MAP(order, tags, "tags"), LATCH_MAP_END};
 *
 *     LATCH_TRY(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.table = "orders", .key = key}, &item));
 *     LATCH_TRY(latch_map_read(cx, orders, item, &mine));
 *     latch_json changed = latch_map_write(cx, orders, &mine);
 *     LATCH_TRY(latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.table = "orders", .item = changed}, NULL));
 *
 * Members are latch_str, int64_t, double, bool and latch_json; another type doesn't compile. Of store/items.h's plain JSON, so also of any
 * other JSON object. No requests.
 *
 * Source: @paradoxical-io/common-aws DynamoDao and dynamoAssign, which assigns whatever comes, unchecked.
 */
#ifndef LATCH_STORE_MAP_H
#define LATCH_STORE_MAP_H

#include <stddef.h>

#include "core/json.h"

LATCH_BEGIN_C

typedef enum latch_map_type { LATCH_MAP_TEXT, LATCH_MAP_INT, LATCH_MAP_DOUBLE, LATCH_MAP_BOOL, LATCH_MAP_JSON } latch_map_type;

typedef struct latch_map {
    const char *attribute; /* a path as in latch_read ("address.city") where it is only read; NULL ends the table */
    latch_map_type type;
    size_t offset; /* bytes, of the member */
} latch_map;

#define LATCH_MAP_MAX 64 /* members of a table */
#define LATCH_MAP_END                                                                                                                      \
    { NULL, LATCH_MAP_TEXT, 0 }
#ifndef __cplusplus
#define LATCH_MAP(type, member, attribute)                                                                                                 \
    {                                                                                                                                      \
        "" attribute,                                                                                                                      \
            _Generic(((type *)0)->member, latch_str                                                                                        \
                     : LATCH_MAP_TEXT, int64_t                                                                                             \
                     : LATCH_MAP_INT, double                                                                                               \
                     : LATCH_MAP_DOUBLE, bool                                                                                              \
                     : LATCH_MAP_BOOL, latch_json                                                                                          \
                     : LATCH_MAP_JSON),                                                                                                    \
            offsetof(type, member)                                                                                                         \
    }
#endif

/*
 * Fills the members that the table names, and no others: from the item's attributes, with zero where an attribute is absent or NULL. Text
 * may be empty, and lives as long as cx, as JSON does. LATCH_E_DATA names an attribute of another type ("item.qty: is …"; of what came with
 * the event it is LATCH_E_INPUT); then all that the table names are zero. LATCH_E_MISUSE: over LATCH_MAP_MAX members.
 */
LATCH_NODISCARD latch_status latch_map_read(latch_ctx *cx, const latch_map *map, latch_json item, void *out) LATCH_NONNULL;

/*
 * An item of these members. Text whose ptr is NULL and JSON that is null are left out, so what was absent stays so; numbers and truth
 * always go. What could not be built is told by the call that uses it, as with latch_object.
 */
latch_json latch_map_write(latch_ctx *cx, const latch_map *map, const void *from) LATCH_NONNULL;

LATCH_END_C

#endif

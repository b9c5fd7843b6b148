/*
 * store/marshal.h - plain JSON as DynamoDB's attribute values, and back. For the typed requests.
 *
 *     {"id": "o-1", "qty": 2, "tags": {"$strings": ["new"]}}    {"id": {"S": "o-1"}, "qty": {"N": "2"}, "tags": {"SS": ["new"]}}
 *
 * Text S, numbers N as they are written (up to 38 digits: a number parsed from JSON keeps its digits), true and false BOOL, null NULL, lists
 * L, objects M. By a tag, an object of this one member: {"$binary": base64} B, {"$strings": […]} SS, {"$numbers": […]} NS,
 * {"$binaries": […]} BS, {"$number": "text"} N. An object whose one member has such a name and is none of these is refused.
 */
#ifndef LATCH_STORE_MARSHAL_H
#define LATCH_STORE_MARSHAL_H

#include "core/json.h"
#include "core/text.h"

/* {"pk":{"S":"p"},…} of the plain object `item`; what can't be written fails the writer: LATCH_E_MISUSE, naming the path, or LATCH_E_NOMEM. */
void latch_marshal_item(latch_text_writer *t, latch_json item);
void latch_marshal_value(latch_text_writer *t, latch_json v); /* {"S":"p"} */

/* The plain object of {"pk":{"S":"p"},…}; null of null. Its errors' paths begin with "item". LATCH_E_DATA, LATCH_E_NOMEM. */
LATCH_NODISCARD latch_status latch_unmarshal_item(latch_ctx *cx, latch_json attributes, latch_json *out) LATCH_NONNULL;

#endif

/*
 * store/marshal.h - plain JSON as DynamoDB's attribute values, and back. For the typed requests and for bulk work.
 *
 *     {"id": "o-1", "qty": 2, "tags": {"$strings": ["new"]}}    {"id": {"S": "o-1"}, "qty": {"N": "2"}, "tags": {"SS": ["new"]}}
 *
 * Text S, numbers N as they are written (a number parsed from JSON keeps its digits), true and false BOOL, null NULL, lists L, objects M.
 * By a tag, an object of this one member:
 *
 *     {"$binary": base64}    B       {"$strings": […]}   SS      {"$number": "1.50"}   N, of text
 *     {"$numbers": […]}      NS      {"$binaries": […]}  BS      {"$map": {…}}         M, of an object that would be read as one of these
 *
 * An object whose one member has such a name and another value is refused. Members of $numbers are numbers or their text.
 *
 * The way back gives what the way there takes: whatever stands in a table can be read, changed and put back and is of the same type. A
 * number becomes a JSON number: whole ones of 64 bits, fractions of up to 15 digits as double, all others by their digits, which latch_text
 * gives again and a double is read from as near as it comes.
 *
 * Refused before anything is sent, with the path of what is wrong ("item.tags[2] has over 38 digits: …"), by DynamoDB's own rules: an item of
 * over 400 KB, nesting over 32 levels, an empty attribute name or one of over 65,535 bytes, a number of over 38 digits or out of range, an
 * empty set, a member that a set has twice, binary that is no base64. And by ours: a name that an object has twice, of which latch_read takes
 * the first and DynamoDB the last.
 *
 * Source: "Supported data types", "Naming rules" and "Quotas" of the DynamoDB developer guide; sizes as measured on DynamoDB Local.
 */
#ifndef LATCH_STORE_MARSHAL_H
#define LATCH_STORE_MARSHAL_H

#include "core/decimal.h"
#include "core/json.h"
#include "core/text.h"

#define LATCH_DYNAMODB_ITEM_MAX_BYTES ((size_t)400 * 1024) /* names and values as DynamoDB counts them, not JSON's text */

/*
 * {"pk":{"S":"p"},…} of the plain object `item`, and its size as DynamoDB counts it. What can't be written fails the writer: LATCH_E_MISUSE,
 * with the path in t->why, which lives in the writer's arena; LATCH_E_NOMEM. Of what was built (latch_object) the arena keeps a parsed copy.
 */
size_t latch_marshal_item(latch_text_writer *t, latch_json item);

/* The same of a key: 1 or 2 members, each text, number or binary. LATCH_E_INPUT: one is empty or over 2,048 bytes. */
size_t latch_marshal_key(latch_text_writer *t, latch_json key);

/* Of an item or a key (`what`: "item") whose table's key names are known: its text there isn't empty or too long. LATCH_E_INPUT. */
void latch_marshal_check(latch_text_writer *t, const char *what, latch_json v, const char *pk, const char *sk);

/* Whether an item has all attributes of a key, with its values; whether two items have the same ones of these names. False where in doubt. */
bool latch_marshal_has(latch_json item, latch_json key);
bool latch_marshal_same(latch_json a, latch_json b, const char *const *names, size_t count);

size_t latch_marshal_value(latch_text_writer *t, latch_json v);                          /* {"S":"p"}; paths begin with "value" */
size_t latch_marshal_pair(latch_text_writer *t, const char *name, const latch_value *v); /* the same, paths begin with `name` */

/* What is wrong with a number, behind its path, and what to do; NULL: it fits. */
const char *latch_marshal_fault(latch_decimal_fault fault);

/*
 * What base64 is compared by: DynamoDB drops the bits that padding leaves over, so "QR==" is "QQ==" to it. In the arena; ptr is NULL when it
 * doesn't fit. What is no base64 is itself.
 */
LATCH_NODISCARD latch_str latch_marshal_binary_identity(latch_arena *arena, latch_str text);

/* The plain object of {"pk":{"S":"p"},…}; null of null. Its errors' paths begin with "item". Text is shared with `attributes`, not copied. */
LATCH_NODISCARD latch_status latch_unmarshal_item(latch_ctx *cx, latch_json attributes, latch_json *out) LATCH_NONNULL;

/* The list of plain objects of a list of such: a page's "Items". Paths begin with "items[2]". */
LATCH_NODISCARD latch_status latch_unmarshal_list(latch_ctx *cx, latch_json list, latch_json *out) LATCH_NONNULL;

#endif

/*
 * core/json.h - JSON for handlers and stores: read with checked fields, build with typed pairs. yyjson on the invocation's arena.
 *
 * Whatever a function here returns lives as long as cx; nothing is freed singly.
 */
#ifndef LATCH_CORE_JSON_H
#define LATCH_CORE_JSON_H

#include "core/pairs.h"
#include "core/status.h"

LATCH_BEGIN_C

/*
 * Reading: LATCH_TRY(latch_read(body, "sku", &sku, "qty", latch_range(&qty, 1, 100), "address.city", latch_optional(&city)));
 *
 * Fills latch_str (at least 1 byte), int64_t, double, bool and latch_json (object or list) variables. A path is "a.b[2].c".
 *   latch_range(&n, min, max)              a whole number, both ends included
 *   latch_range_or(&n, min, max, missing)  the same, `missing` where it is absent or null
 *   latch_bytes(&s, min, max)              text of min to max bytes
 *   latch_optional(x)                      absent or null gives 0, false, empty text, null; a wrong type is still an error
 *
 * LATCH_E_INPUT  a field of the event is missing or wrong; for the client: "body.qty: is 0, want a whole number from 1 to 100"
 * LATCH_E_DATA   the same of a stored or built value
 * LATCH_E_NOMEM  the arena is full
 * Every variable is always written: zero on an error; the first error is told. Text points into the value read. Whole numbers are written
 * without a fraction or an exponent; a double takes any number that it holds. Of members with the same name the first counts. Paths are
 * borrowed for as long as cx.
 */
#define latch_read(...) latch_read_(LATCH_FIRST_(__VA_ARGS__), LATCH_FIELDS_(__VA_ARGS__))
LATCH_NODISCARD latch_status latch_read_(latch_json v, const latch_field *fields) LATCH_NONNULL;

#ifndef __cplusplus
static inline latch_into latch_range_or(int64_t *at, int64_t min, int64_t max, int64_t missing) {
    return (latch_into){LATCH_INTO_INT, true, min, max, missing, at};
}
static inline latch_into latch_range(int64_t *at, int64_t min, int64_t max) { return (latch_into){LATCH_INTO_INT, false, min, max, 0, at}; }
static inline latch_into latch_bytes(latch_str *at, int64_t min, int64_t max) {
    return (latch_into){LATCH_INTO_STR, false, min, max, 0, at};
}
static inline latch_into latch_optional_(latch_into i) {
    i.optional = true;
    return i;
}
#define latch_optional(x) latch_optional_(LATCH_I_(x))
#endif

bool latch_has(latch_json v, const char *path) LATCH_NONNULL; /* there, and not null */
size_t latch_count(latch_json array);                         /* 0 for what is no array */
latch_json latch_at(latch_json array, size_t i);              /* null past the end; its errors say "body.items[2].sku" */
latch_str latch_text(latch_json v);                           /* compact; "null" for what could not be built */

/*
 * Through a list or an object, in one pass:
 *
 *     for (latch_each each = latch_each_in(items); latch_each_next(&each);) LATCH_TRY(latch_read(latch_each_value(&each), "sku", &sku));
 *
 * Nothing is allocated but by latch_each_value, whose errors say "body.items[2]" or "body.prices.tea". latch_each_text is empty for what is
 * no text. Of anything that is neither list nor object there is nothing to go through.
 */
typedef struct latch_each {
    size_t index;   /* 0 for the first */
    latch_str name; /* of an object's member; empty in a list */
    latch_json in;  /* from here on private */
    const void *at;
    size_t left;
} latch_each;
latch_each latch_each_in(latch_json list_or_object);
bool latch_each_next(latch_each *each) LATCH_NONNULL;
latch_json latch_each_value(const latch_each *each) LATCH_NONNULL;
latch_str latch_each_text(const latch_each *each) LATCH_NONNULL;

/*
 * `name` begins the path in errors, and is borrowed for as long as cx; `text` is copied. At most 128 levels deep. Numbers that neither 64
 * bits nor a double's 15 digits hold stay as they were written, and are read as the nearest double. LATCH_E_INPUT with the byte where it
 * stops being JSON (RFC 8259, UTF-8); LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_parse(latch_ctx *cx, const char *name, latch_str text, latch_json *out) LATCH_NONNULL;

/* The same for what didn't come with the event (fetched, stored): it, and a field of it that is wrong, is LATCH_E_DATA, no client's fault. */
LATCH_NODISCARD latch_status latch_parse_data(latch_ctx *cx, const char *name, latch_str text, latch_json *out) LATCH_NONNULL;

/*
 * Building: latch_object(cx, "order_id", id, "qty", qty, "customer", latch_object(cx, "name", name))
 *
 * Values are typed by the compiler and escaped here; there is no format string. It never fails in your face: a full arena, or text that
 * is not UTF-8, makes a value that the reply or the store call using it refuses (LATCH_E_NOMEM, LATCH_E_MISUSE).
 */
#define latch_object(...) latch_object_(LATCH_FIRST_(__VA_ARGS__), LATCH_PAIRS_(__VA_ARGS__))
latch_json latch_object_(latch_ctx *cx, const latch_pair *pairs) LATCH_NONNULL;

/*
 * `v`, put after what the list holds, as a new list: items = latch_append(items, v), from items = latch_array(cx). The old list stays what
 * it was. Appending to the newest costs what `v` costs; to an older or a parsed one, a copy of it. LATCH_E_MISUSE in what is no list.
 */
#define latch_append(array, v) latch_append_((array), LATCH_V_(v))
LATCH_NODISCARD latch_json latch_append_(latch_json array, latch_value v);
latch_json latch_array(latch_ctx *cx) LATCH_NONNULL;

LATCH_END_C

#endif

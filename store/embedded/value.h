/*
 * store/embedded/value.h - attribute values: from JSON, to JSON, compared, measured, copied.
 *
 * A value is a tree in an arena, or in the one block of a stored item (latch_item_pack). Trees share parts; nobody changes one in place.
 */
#ifndef LATCH_STORE_EMBEDDED_VALUE_H
#define LATCH_STORE_EMBEDDED_VALUE_H

#include <yyjson.h>

#include "store/embedded/number.h"

#define LATCH_ITEM_MAX_BYTES ((size_t)400 * 1024)
#define LATCH_NESTING_MAX 32

typedef enum latch_type {
    LATCH_TYPE_S,
    LATCH_TYPE_N,
    LATCH_TYPE_B,
    LATCH_TYPE_BOOL,
    LATCH_TYPE_NULL,
    LATCH_TYPE_M,
    LATCH_TYPE_L,
    LATCH_TYPE_SS,
    LATCH_TYPE_NS,
    LATCH_TYPE_BS
} latch_type;
const char *latch_type_name(latch_type type); /* "SS" */

typedef struct latch_av latch_av;
typedef struct latch_attribute latch_attribute;

typedef struct latch_item { /* an item, or an M: attributes in the order they came, names unique */
    latch_attribute *attributes;
    size_t count;
} latch_item;

struct latch_av {
    latch_type type;
    union {
        latch_str text; /* S; B (bytes, base64 undone) */
        const latch_number *number;
        bool truth; /* BOOL */
        latch_item map;
        struct {
            latch_av *values; /* L; SS, NS, BS: elements S, N, B, ascending (numbers by value, else bytes), no two equal */
            size_t count;
        } list;
    } as;
};

struct latch_attribute {
    latch_str name;
    latch_av value;
};

/*
 * {"S": …} and {"pk": {"S": …}, …}: checked as DynamoDB checks them (types, empty sets, duplicates in a set, base64, nesting up to 32
 * levels, empty names). False: *fault. Keys and sizes are checked by the operations. Text is borrowed from `json`'s document.
 */
bool latch_av_read(yyjson_val *json, latch_av *out, latch_arena *arena, latch_fault *fault);
bool latch_item_read(yyjson_val *json, latch_item *out, latch_arena *arena, latch_fault *fault);

/* NULL: the arena is full. S and names are borrowed: the document is used while `v` lives. */
yyjson_mut_val *latch_av_write(yyjson_mut_doc *doc, const latch_av *v);
yyjson_mut_val *latch_item_write(yyjson_mut_doc *doc, const latch_item *item);

const latch_av *latch_item_get(const latch_item *item, latch_str name); /* NULL: absent */

bool latch_av_equal(const latch_av *a, const latch_av *b); /* deep; sets without order; 1 equals 1.0 */
/* Of two S, N or B: <0, 0, >0; bytes compare unsigned. *comparable is false for other types or two types. */
int latch_av_compare(const latch_av *a, const latch_av *b, bool *comparable);
bool latch_av_begins_with(const latch_av *v, const latch_av *with); /* both S or both B */

/* DynamoDB's size: names and values in UTF-8 and its overheads, not JSON's text. */
size_t latch_av_bytes(const latch_av *v);
size_t latch_item_bytes(const latch_item *item);

/* A deep copy as one block: bytes it needs, and the copy made in `block` (aligned to 16), which it fills exactly. */
size_t latch_item_pack_bytes(const latch_item *item);
latch_item latch_item_pack(const latch_item *item, void *block);

#endif

#include "store/canon.h"

#include <stdlib.h>
#include <string.h>

#include "core/decimal.h"
#include "core/node.h"

#define INDEX_MAX UINT64_C(4294967294) /* the last that JavaScript takes for a place in a list: 2^32 - 2 */
#define PLAIN_DIGITS_MAX 21            /* whole numbers of so many digits are written out (ECMAScript, Number::toString) */

/* ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_zeros(latch_text_writer *t, int n) {
    for (; n > 0; n--)
        latch_text_char(t, '0');
}

static void put_digits(latch_text_writer *t, const latch_decimal *n, int from, int to) {
    for (int i = from; i < to; i++)
        latch_text_char(t, (char)('0' + (i < n->count ? n->digits[i] : 0)));
}

/* 0.d1d2d3 × 10^exponent, by the cases of ECMAScript's Number::toString. */
static void put_decimal(latch_text_writer *t, const latch_decimal *n) {
    int count = n->count, point = n->exponent;
    if (n->sign < 0) latch_text_char(t, '-');
    if (n->sign == 0) {
        latch_text_char(t, '0');
    } else if (point >= count && point <= PLAIN_DIGITS_MAX) {
        put_digits(t, n, 0, point);
    } else if (point > 0 && point <= PLAIN_DIGITS_MAX) {
        put_digits(t, n, 0, point);
        latch_text_char(t, '.');
        put_digits(t, n, point, count);
    } else if (point > -6 && point <= 0) {
        latch_text_put(t, LATCH_STR("0."));
        put_zeros(t, -point);
        put_digits(t, n, 0, count);
    } else {
        put_digits(t, n, 0, 1);
        if (count > 1) latch_text_char(t, '.');
        put_digits(t, n, 1, count);
        latch_text_put(t, point > 0 ? LATCH_STR("e+") : LATCH_STR("e"));
        latch_text_int(t, point - 1);
    }
}

/* What DynamoDB's numbers can't hold, and few documents have: as it is, but for the sign that JavaScript puts behind an e. */
static void put_as_written(latch_text_writer *t, latch_str text) {
    for (size_t i = 0; i < text.len; i++) {
        bool bare = i > 0 && (text.ptr[i - 1] == 'e' || text.ptr[i - 1] == 'E') && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (bare) latch_text_char(t, '+');
        latch_text_char(t, text.ptr[i] == 'E' ? 'e' : text.ptr[i]);
    }
}

static void put_number(latch_text_writer *t, yyjson_val *v) {
    char room[64];
    latch_text_writer own = {.at = room, .cap = sizeof room};
    latch_decimal n;
    if (yyjson_is_int(v)) {
        latch_text_parsed(t, v);
        return;
    }
    if (yyjson_is_real(v)) latch_text_parsed(&own, v);
    latch_str text = yyjson_is_raw(v) ? (latch_str){yyjson_get_raw(v), yyjson_get_len(v)} : (latch_str){room, own.len};
    if (own.failed == LATCH_OK && latch_decimal_read(text, &n) == LATCH_DECIMAL_FITS) {
        put_decimal(t, &n);
    } else {
        put_as_written(t, text);
    }
}

/* JavaScript's escapes have small letters: \u001f. */
static void put_string(latch_text_writer *t, yyjson_val *v) {
    size_t from = t->len;
    latch_text_parsed(t, v);
    for (size_t i = from; t->failed == LATCH_OK && i < t->len; i++) {
        if (t->at[i] != '\\') continue;
        i++;
        for (size_t hex = i + 1; t->at[i] == 'u' && hex <= i + 4; hex++)
            if (t->at[hex] >= 'A' && t->at[hex] <= 'F') t->at[hex] = (char)(t->at[hex] - 'A' + 'a');
    }
}

/* ── members ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_index(latch_str name, uint64_t *out) {
    uint64_t n = 0;
    if (name.len == 0 || name.len > 10 || (name.ptr[0] == '0' && name.len > 1)) return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9') return false;
        n = n * 10 + (uint64_t)(name.ptr[i] - '0');
    }
    *out = n;
    return n <= INDEX_MAX;
}

/* The collation's first level, of ASCII: signs, digits, letters of either case. Control bytes count as nothing there, which few names have. */
static unsigned weight(char c) {
    static const char order[] = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";
    const char *found = NULL;
    if ((unsigned char)c >= 0x80) return 256 + (unsigned)(unsigned char)c;
    if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
    if (c != '\0') found = strchr(order, c);
    return found != NULL ? 1 + (unsigned)(found - order) : 0;
}

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* By letters, then by length; where that is all the same, a small letter before its capital. */
static int collate(latch_str a, latch_str b) {
    size_t least = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < least; i++) {
        unsigned one = weight(a.ptr[i]), other = weight(b.ptr[i]);
        if (one != other) return one < other ? -1 : 1;
    }
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    for (size_t i = 0; i < least; i++)
        if (is_upper(a.ptr[i]) != is_upper(b.ptr[i])) return is_upper(b.ptr[i]) ? -1 : 1;
    return 0;
}

static latch_str name_of(yyjson_val *v) { return (latch_str){yyjson_get_str(v), yyjson_get_len(v)}; }

/* Where two are the same, as they came: a member's place in memory is its place in the text. */
static int by_name(const void *left, const void *right) {
    yyjson_val *a = *(yyjson_val *const *)left, *b = *(yyjson_val *const *)right;
    uint64_t one = 0, other = 0;
    bool is_one = is_index(name_of(a), &one), is_other = is_index(name_of(b), &other);
    if (is_one != is_other) return is_one ? -1 : 1;
    if (is_one && one != other) return one < other ? -1 : 1;
    int order = collate(name_of(a), name_of(b));
    return order != 0 ? order : a < b ? -1 : a > b;
}

/* ── values: as deep as core/json reads ─────────────────────────────────────────────────────────────────────────────────── */

typedef struct canon {
    latch_text_writer text;
    yyjson_val **names; /* of the objects that are being written, one behind the other; room for all that there are */
} canon;

static void put_value(canon *c, yyjson_val *v);

static void put_members(canon *c, yyjson_val *object) {
    size_t i, n, count = yyjson_obj_size(object), put = 0;
    yyjson_val *name, *value, **names = c->names;
    yyjson_obj_foreach(object, i, n, name, value) names[i] = name;
    qsort(names, count, sizeof *names, by_name);
    c->names += count;
    latch_text_char(&c->text, '{');
    for (i = 0; i < count && c->text.failed == LATCH_OK; i++) {
        bool again = i + 1 < count && latch_str_eq(name_of(names[i]), name_of(names[i + 1])); /* in JavaScript the last one counts */
        if (again) continue;
        if (put++ > 0) latch_text_char(&c->text, ',');
        put_string(&c->text, names[i]);
        latch_text_char(&c->text, ':');
        put_value(c, yyjson_obj_iter_get_val(names[i]));
    }
    latch_text_char(&c->text, '}');
    c->names -= count;
}

static void put_value(canon *c, yyjson_val *v) {
    size_t i, n;
    yyjson_val *element;
    if (yyjson_is_obj(v)) {
        put_members(c, v);
    } else if (yyjson_is_arr(v)) {
        latch_text_char(&c->text, '[');
        yyjson_arr_foreach(v, i, n, element) {
            if (i > 0) latch_text_char(&c->text, ',');
            put_value(c, element);
        }
        latch_text_char(&c->text, ']');
    } else if (yyjson_is_num(v) || yyjson_is_raw(v)) {
        put_number(&c->text, v);
    } else if (yyjson_is_str(v)) {
        put_string(&c->text, v);
    } else {
        latch_text_parsed(&c->text, v);
    }
}

/* A document's values stand in a row. */
static size_t members_in(yyjson_val *root) {
    size_t count = 0;
    if (!yyjson_is_ctn(root)) return 0;
    for (yyjson_val *v = root; v < unsafe_yyjson_get_next(root); v++)
        if (yyjson_is_obj(v)) count += yyjson_obj_size(v);
    return count;
}

latch_status latch_canon_text(latch_ctx *cx, latch_json v, latch_str *out) {
    yyjson_val *root;
    *out = (latch_str){NULL, 0};
    LATCH_TRY(latch_node_value(v, &root));
    size_t mark = latch_arena_mark(cx->arena);
    canon c = {.names = latch_arena_alloc(cx->arena, (members_in(root) + 1) * sizeof *c.names)};
    if (c.names == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "JSON: the arena is full");
    c.text = latch_text_begin(cx->arena);
    put_value(&c, root);
    latch_str text = latch_text_end(&c.text);
    if (text.ptr == NULL) return latch_err_set(&cx->err, c.text.failed, "JSON: %s", c.text.why);
    out->ptr = latch_arena_keep(cx->arena, mark, text.ptr, text.len + 1);
    out->len = text.len;
    return LATCH_OK;
}

latch_status latch_canon_md5(latch_ctx *cx, latch_json v, char out[LATCH_MD5_HEX_BYTES]) {
    latch_str text;
    size_t mark = latch_arena_mark(cx->arena);
    latch_status status = latch_canon_text(cx, v, &text);
    if (status == LATCH_OK) latch_md5_hex(text, out);
    if (status == LATCH_OK) latch_arena_rewind(cx->arena, mark);
    return status;
}

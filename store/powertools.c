#include "store/powertools.h"

#include <stdlib.h>
#include <string.h>

#include "core/coding.h"
#include "core/node.h"
#include "store/md5.h"

typedef struct sink {
    latch_text_writer *t;
    bool python;
} sink;

/* ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define DIGITS_MAX 24 /* the shortest digits of a double are at most 17 */

typedef struct decimal { /* 0.<digits> × 10^point */
    char digits[DIGITS_MAX];
    int count, point;
    bool negative;
} decimal;

/* A double's shortest digits, taken from text as yyjson writes it, with a NUL behind it: "-1.5e-7", "100.0". */
static decimal decimal_of(latch_str text) {
    decimal d = {.count = 0};
    size_t i = text.len > 0 && text.ptr[0] == '-';
    bool fraction = false;
    d.negative = i > 0;
    for (; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            fraction = true;
        } else if (c == '0' && d.count == 0) {
            d.point -= fraction;
        } else {
            d.point += !fraction;
            if (d.count < DIGITS_MAX) d.digits[d.count++] = c;
        }
    }
    if (i < text.len) d.point += (int)strtol(text.ptr + i + 1, NULL, 10);
    while (d.count > 0 && d.digits[d.count - 1] == '0')
        d.count--;
    if (d.count == 0) d.point = 1;
    return d;
}

static void put_zeros(latch_text_writer *t, int n) {
    for (; n > 0; n--)
        latch_text_char(t, '0');
}

static void put_digits(latch_text_writer *t, const decimal *d, int from, int to) {
    if (to > d->count) to = d->count;
    if (from >= to) return;
    latch_text_put(t, (latch_str){d->digits + from, (size_t)(to - from)});
}

/* d.ddde+16: Python's exponents have at least two digits. */
static void put_exponent(const sink *s, const decimal *d) {
    int exponent = d->point - 1, size = exponent < 0 ? -exponent : exponent;
    put_digits(s->t, d, 0, 1);
    if (d->count > 1) latch_text_char(s->t, '.');
    put_digits(s->t, d, 1, d->count);
    latch_text_char(s->t, 'e');
    latch_text_char(s->t, exponent < 0 ? '-' : '+');
    if (s->python && size < 10) latch_text_char(s->t, '0');
    latch_text_int(s->t, size);
}

/* Where both begin to write exponents: repr of CPython's float_repr_style "short", Number::toString of ECMA-262. */
static void put_decimal(const sink *s, const decimal *d) {
    int most = s->python ? 16 : 21, least = s->python ? -4 : -6;
    if (d->negative && (s->python || d->count > 0)) latch_text_char(s->t, '-');
    if (d->count > 0 && (d->point > most || d->point <= least)) {
        put_exponent(s, d);
        return;
    }
    if (d->point <= 0) latch_text_char(s->t, '0');
    put_digits(s->t, d, 0, d->point);
    put_zeros(s->t, d->point - d->count);
    bool whole = d->point >= d->count;
    if (!whole || s->python) latch_text_char(s->t, '.');
    if (whole && s->python) latch_text_char(s->t, '0');
    if (whole) return;
    put_zeros(s->t, -d->point);
    put_digits(s->t, d, d->point > 0 ? d->point : 0, d->count);
}

/* Python's json writes Infinity, JSON.stringify null. */
static void put_infinite(const sink *s, bool negative) {
    if (s->python && negative) latch_text_char(s->t, '-');
    latch_text_put(s->t, s->python ? LATCH_STR("Infinity") : LATCH_STR("null"));
}

static void put_double(const sink *s, double n) {
    char memory[48];
    latch_text_writer t = {.at = memory, .cap = sizeof memory};
    latch_text_double(&t, n);
    memory[t.len] = '\0';
    decimal d = decimal_of((latch_str){memory, t.len});
    put_decimal(s, &d);
}

/* What no double and no 64 bits hold: Python keeps a whole number's digits, all else is the nearest double. */
static void put_raw(const sink *s, latch_str text) {
    bool whole =
        memchr(text.ptr, '.', text.len) == NULL && memchr(text.ptr, 'e', text.len) == NULL && memchr(text.ptr, 'E', text.len) == NULL;
    if (whole && s->python) {
        latch_text_put(s->t, text);
        return;
    }
    size_t mark = latch_arena_mark(s->t->arena);
    latch_str copy = latch_arena_copy(s->t->arena, text);
    if (copy.ptr == NULL) latch_text_fail(s->t, LATCH_E_NOMEM, "the arena is full");
    if (copy.ptr == NULL) return;
    double n = strtod(copy.ptr, NULL);
    latch_arena_rewind(s->t->arena, mark);
    if (n > 1.7976931348623157e308 || n < -1.7976931348623157e308) {
        put_infinite(s, n < 0);
    } else {
        put_double(s, n);
    }
}

static void put_number(const sink *s, yyjson_val *v) {
    if (yyjson_is_real(v)) {
        put_double(s, yyjson_get_real(v));
    } else if (!s->python) {
        put_double(s, yyjson_is_sint(v) ? (double)yyjson_get_sint(v) : (double)yyjson_get_uint(v));
    } else if (yyjson_is_sint(v)) {
        latch_text_int(s->t, yyjson_get_sint(v));
    } else {
        latch_text_uint(s->t, yyjson_get_uint(v));
    }
}

/* ── text ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t character_at(latch_str s, size_t at, size_t *bytes) {
    unsigned char first = (unsigned char)s.ptr[at];
    *bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (*bytes > s.len - at) *bytes = 1;
    uint32_t c = *bytes == 1 ? first : first & (0xFFU >> (*bytes + 1));
    for (size_t i = 1; i < *bytes; i++)
        c = c << 6 | ((unsigned char)s.ptr[at + i] & 0x3F);
    return c;
}

static void put_unit(latch_text_writer *t, uint32_t unit) {
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    latch_text_put(t, (latch_str){text, sizeof text});
}

static void put_character(const sink *s, uint32_t c, latch_str bytes) {
    static const char shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = c != 0 && c < 0x80 ? strchr(shorts, (int)c) : NULL;
    bool as_it_is = c >= 0x20 && (!s->python || c < 0x7F);
    if (found != NULL) {
        latch_text_put(s->t, (latch_str){(const char[]){'\\', letters[found - shorts]}, 2});
    } else if (as_it_is) {
        latch_text_put(s->t, bytes);
    } else if (c < 0x10000) {
        put_unit(s->t, c);
    } else {
        put_unit(s->t, 0xD800 + ((c - 0x10000) >> 10));
        put_unit(s->t, 0xDC00 + ((c - 0x10000) & 0x3FF));
    }
}

static void put_string(const sink *s, latch_str text) {
    latch_text_char(s->t, '"');
    for (size_t i = 0, bytes; i < text.len; i += bytes) {
        uint32_t c = character_at(text, i, &bytes);
        put_character(s, c, (latch_str){text.ptr + i, bytes});
    }
    latch_text_char(s->t, '"');
}

/* ── the order of names ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_str name_of(const void *name) {
    yyjson_val *v = *(yyjson_val *const *)name;
    return (latch_str){yyjson_get_str(v), yyjson_get_len(v)};
}

/* Where two are the same, as they came: a member's place in memory is its place in the text. */
static int by_place(const void *left, const void *right) {
    const yyjson_val *a = *(yyjson_val *const *)left, *b = *(yyjson_val *const *)right;
    return a < b ? -1 : a > b;
}

static int by_characters(const void *left, const void *right) {
    latch_str a = name_of(left), b = name_of(right);
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    if (order != 0) return order;
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return by_place(left, right);
}

/* JavaScript's toLowerCase, of the alphabets that have capitals below U+0500. */
static uint32_t lower(uint32_t c) {
    bool pairs = (c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
                 (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x4FF);
    bool odd_pairs = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x4C1 && c <= 0x4CE);
    if (c >= 'A' && c <= 'Z') return c + 32;
    if (c < 0xC0) return c;
    if ((c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3AB && c != 0x3A2) || (c >= 0x410 && c <= 0x42F)) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if (c == 0x178) return 0xFF;
    return (pairs && c % 2 == 0) || (odd_pairs && c % 2 == 1) ? c + 1 : c;
}

/* Strings are compared by UTF-16's units, of which those of what is beyond U+FFFF come before U+E000. */
static uint32_t unit_order(uint32_t c) { return c >= 0xE000 && c <= 0xFFFF ? c + 0x200000 : c; }

/* A name that JavaScript takes for an index comes first, in the numbers' order: 0 to 2^32 - 2, without leading zeros. -1: it is none. */
static int64_t index_of(latch_str name) {
    int64_t n = 0;
    if (name.len == 0 || name.len > 10 || (name.ptr[0] == '0' && name.len > 1)) return -1;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9') return -1;
        n = n * 10 + (name.ptr[i] - '0');
    }
    return n <= INT64_C(4294967294) ? n : -1;
}

static int by_lower_case(const void *left, const void *right) {
    latch_str a = name_of(left), b = name_of(right);
    int64_t a_index = index_of(a), b_index = index_of(b);
    if (a_index >= 0 && b_index >= 0 && a_index != b_index) return a_index < b_index ? -1 : 1;
    if ((a_index >= 0) != (b_index >= 0)) return a_index >= 0 ? -1 : 1;
    size_t i = 0, j = 0, a_bytes, b_bytes;
    for (; i < a.len && j < b.len; i += a_bytes, j += b_bytes) {
        uint32_t x = unit_order(lower(character_at(a, i, &a_bytes))), y = unit_order(lower(character_at(b, j, &b_bytes)));
        if (x != y) return x < y ? -1 : 1;
    }
    if (i < a.len || j < b.len) return i < a.len ? 1 : -1;
    return by_place(left, right);
}

/* ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_value(const sink *s, yyjson_val *v);

/* JavaScript's sorted copy is made by assignment, which a member of this name doesn't survive. */
static bool is_dropped(const sink *s, latch_str name) { return !s->python && latch_str_eq(name, LATCH_STR("__proto__")); }

static void put_sorted(const sink *s, yyjson_val **names, size_t count) {
    bool first = true;
    for (size_t i = 0; i < count && s->t->failed == LATCH_OK; i++) {
        latch_str name = name_of(&names[i]);
        if (is_dropped(s, name) || (i + 1 < count && latch_str_eq(name, name_of(&names[i + 1])))) continue;
        if (!first) latch_text_put(s->t, s->python ? LATCH_STR(", ") : LATCH_STR(","));
        first = false;
        put_string(s, name);
        latch_text_put(s->t, s->python ? LATCH_STR(": ") : LATCH_STR(":"));
        put_value(s, yyjson_obj_iter_get_val(names[i]));
    }
}

static void put_members(const sink *s, yyjson_val *object) {
    size_t i, n, count = yyjson_obj_size(object);
    yyjson_val *name, *value, **names = malloc((count + 1) * sizeof *names);
    if (names == NULL) latch_text_fail(s->t, LATCH_E_NOMEM, "out of memory");
    if (names == NULL) return;
    yyjson_obj_foreach(object, i, n, name, value) names[i] = name;
    qsort(names, count, sizeof *names, s->python ? by_characters : by_lower_case);
    latch_text_char(s->t, '{');
    put_sorted(s, names, count);
    latch_text_char(s->t, '}');
    free(names);
}

static void put_elements(const sink *s, yyjson_val *array) {
    size_t i, n;
    yyjson_val *value;
    latch_text_char(s->t, '[');
    yyjson_arr_foreach(array, i, n, value) {
        if (s->t->failed != LATCH_OK) return;
        if (i > 0) latch_text_put(s->t, s->python ? LATCH_STR(", ") : LATCH_STR(","));
        put_value(s, value);
    }
    latch_text_char(s->t, ']');
}

/* What parsed it bounds the depth. */
static void put_value(const sink *s, yyjson_val *v) {
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_OBJ:
        put_members(s, v);
        return;
    case YYJSON_TYPE_ARR:
        put_elements(s, v);
        return;
    case YYJSON_TYPE_STR:
        put_string(s, (latch_str){yyjson_get_str(v), yyjson_get_len(v)});
        return;
    case YYJSON_TYPE_NUM:
        put_number(s, v);
        return;
    case YYJSON_TYPE_RAW:
        put_raw(s, (latch_str){yyjson_get_raw(v), yyjson_get_len(v)});
        return;
    case YYJSON_TYPE_BOOL:
        latch_text_put(s->t, yyjson_get_bool(v) ? LATCH_STR("true") : LATCH_STR("false"));
        return;
    default:
        latch_text_put(s->t, LATCH_STR("null"));
    }
}

void latch_powertools_put(latch_text_writer *t, latch_powertools_flavour flavour, latch_json v) {
    const sink s = {t, flavour == LATCH_POWERTOOLS_PYTHON};
    yyjson_val *value = NULL;
    latch_status status = v.node != NULL ? latch_node_value(v, &value) : LATCH_OK;
    if (status != LATCH_OK) latch_text_fail(t, status, "it could not be built");
    if (status == LATCH_OK) put_value(&s, value);
}

/* ── hashes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_powertools_hash(latch_ctx *cx, latch_powertools_flavour flavour, latch_json v, char out[LATCH_POWERTOOLS_HASH_BYTES]) {
    size_t mark = latch_arena_mark(cx->arena);
    uint8_t bytes[LATCH_MD5_BYTES];
    out[0] = '\0';
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_powertools_put(&t, flavour, v);
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, t.failed, "what is hashed: %s", t.why);
    if (flavour == LATCH_POWERTOOLS_PYTHON) latch_md5_hex(text, out);
    if (flavour == LATCH_POWERTOOLS_TYPESCRIPT) {
        latch_md5(text, bytes);
        latch_base64_write((latch_str){(const char *)bytes, sizeof bytes}, out);
        out[latch_base64_bytes(sizeof bytes)] = '\0';
    }
    latch_arena_rewind(cx->arena, mark);
    return LATCH_OK;
}

#include "core/decimal.h"

#include <string.h>

#define DOUBLE_DIGITS 15

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The exponent behind an e, at the end of the text; false where it is none, or is one that no DynamoDB number has by far. */
static bool read_exponent(latch_str text, size_t at, int64_t *out) {
    bool negative = at < text.len && text.ptr[at] == '-';
    int64_t value = 0;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+')) at++;
    if (at == text.len) return false;
    for (; at < text.len; at++) {
        if (!is_digit(text.ptr[at])) return false;
        if (value <= INT32_MAX) value = value * 10 + (text.ptr[at] - '0');
    }
    *out = negative ? -value : value;
    return value <= INT32_MAX;
}

/* Where the digits that count stand: between the first and the last that isn't 0. */
typedef struct span {
    size_t any;    /* digits of any kind */
    size_t first;  /* place of the first that counts, among all digits; of no use where there is none */
    size_t last;   /* and of the last */
    size_t before; /* digits before the point */
    bool counts;   /* there is one */
} span;

/* Digits and at most one point; where they end. */
static size_t measure(latch_str text, size_t at, span *s) {
    bool pointed = false;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '.' && !pointed) {
            pointed = true;
            continue;
        }
        if (!is_digit(c)) break;
        if (c != '0') {
            if (!s->counts) s->first = s->any;
            s->last = s->any;
            s->counts = true;
        }
        s->any++;
        s->before += !pointed;
    }
    return at;
}

static void copy_digits(latch_str text, size_t at, const span *s, latch_decimal *out) {
    for (size_t place = 0; out->count < s->last - s->first + 1; at++) {
        if (text.ptr[at] == '.') continue;
        if (place++ >= s->first) out->digits[out->count++] = (uint8_t)(text.ptr[at] - '0');
    }
}

latch_decimal_fault latch_decimal_read(latch_str text, latch_decimal *out) {
    bool negative = text.len > 0 && text.ptr[0] == '-';
    size_t from = negative || (text.len > 0 && text.ptr[0] == '+') ? 1 : 0;
    span s = {0};
    int64_t exponent = 0;
    memset(out, 0, sizeof *out);
    size_t at = measure(text, from, &s);
    if (s.any == 0) return LATCH_DECIMAL_NO_NUMBER;
    if (at < text.len && text.ptr[at] != 'e' && text.ptr[at] != 'E') return LATCH_DECIMAL_NO_NUMBER;
    if (at < text.len && !read_exponent(text, at + 1, &exponent)) return LATCH_DECIMAL_NO_NUMBER;
    if (!s.counts) return LATCH_DECIMAL_FITS;
    if (s.last - s.first >= LATCH_DECIMAL_DIGITS) return LATCH_DECIMAL_TOO_LONG;
    exponent += (int64_t)s.before - (int64_t)s.first;
    if (exponent > LATCH_DECIMAL_EXPONENT_MAX) return LATCH_DECIMAL_TOO_LARGE;
    if (exponent < LATCH_DECIMAL_EXPONENT_MIN) return LATCH_DECIMAL_TOO_SMALL;
    out->exponent = (int16_t)exponent;
    out->sign = negative ? -1 : 1;
    copy_digits(text, from, &s, out);
    return LATCH_DECIMAL_FITS;
}

/* Two digits of 10^2k and 10^2k+1 share a byte, one more is the exponent's, one more the minus's. */
size_t latch_decimal_bytes(const latch_decimal *n) {
    size_t alone = n->exponent % 2 != 0, minus = n->sign < 0;
    if (n->sign == 0) return 1;
    return 1 + minus + (n->count + alone + 1) / 2;
}

bool latch_decimal_fits_double(const latch_decimal *n) { return n->count <= DOUBLE_DIGITS; }

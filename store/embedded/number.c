#include "store/embedded/number.h"

#include <string.h>

/* Digits of the widest exact sum, its carry included. */
#define SUM_MAX (LATCH_DECIMAL_DIGITS + LATCH_DECIMAL_EXPONENT_MAX - LATCH_DECIMAL_EXPONENT_MIN + 1)

#define NOT_A_NUMBER "A value provided cannot be converted into a number"
#define OVERFLOWS "Number overflow. Attempting to store a number with magnitude larger than supported range"
#define UNDERFLOWS "Number underflow. Attempting to store a number with magnitude smaller than supported range"
#define TOO_PRECISE "DynamoDB only supports precision up to 38 digits"

bool latch_number_read(latch_str text, latch_number *out, latch_arena *arena, latch_fault *fault) {
    switch (latch_decimal_read(text, out)) {
    case LATCH_DECIMAL_FITS:
        break;
    case LATCH_DECIMAL_NO_NUMBER:
        return latch_invalid(fault, arena, NOT_A_NUMBER);
    case LATCH_DECIMAL_TOO_LONG:
        return latch_invalid(fault, arena, TOO_PRECISE);
    case LATCH_DECIMAL_TOO_LARGE:
        return latch_invalid(fault, arena, OVERFLOWS);
    case LATCH_DECIMAL_TOO_SMALL:
        return latch_invalid(fault, arena, UNDERFLOWS);
    }
    return true;
}

size_t latch_number_write(const latch_number *n, char out[LATCH_NUMBER_TEXT_MAX]) {
    char *at = out;
    int integral = n->exponent > 0 ? n->exponent : 0; /* digits before the point */
    if (n->sign == 0) {
        *at = '0';
        return 1;
    }
    if (n->sign < 0) *at++ = '-';
    if (integral == 0) *at++ = '0';
    for (int i = 0; i < integral; i++)
        *at++ = (char)('0' + (i < n->count ? n->digits[i] : 0));
    if (n->count <= integral) return (size_t)(at - out);
    *at++ = '.';
    for (int i = n->exponent; i < 0; i++)
        *at++ = '0';
    for (int i = integral; i < n->count; i++)
        *at++ = (char)('0' + n->digits[i]);
    return (size_t)(at - out);
}

static int compare_magnitudes(const latch_number *a, const latch_number *b) {
    if (a->exponent != b->exponent) return a->exponent < b->exponent ? -1 : 1;
    int order = memcmp(a->digits, b->digits, a->count < b->count ? a->count : b->count);
    return order != 0 ? order : a->count - b->count; /* the longer one goes on with a digit that isn't 0 at its end */
}

int latch_number_compare(const latch_number *a, const latch_number *b) {
    if (a->sign != b->sign) return a->sign - b->sign;
    if (a->sign == 0) return 0;
    return a->sign * compare_magnitudes(a, b);
}

/* digits[0] is the digit of weight 10^(top - 1). */
static int digit_at(const latch_number *n, int top, int i) {
    int own = i - (top - n->exponent);
    return own >= 0 && own < n->count ? n->digits[own] : 0;
}

/* |a| + |b| or, where `less`, |a| - |b| with |a| not less than |b|; sign that of a. */
static bool combine(const latch_number *a, const latch_number *b, bool less, latch_number *out, latch_arena *arena, latch_fault *fault) {
    uint8_t sum[SUM_MAX];
    int top = (a->exponent > b->exponent ? a->exponent : b->exponent) + 1; /* one more for the carry */
    int end_a = a->exponent - a->count, end_b = b->exponent - b->count;
    int width = top - (end_a < end_b ? end_a : end_b), carry = 0, first = 0;
    for (int i = width - 1; i >= 0; i--) {
        int d = digit_at(a, top, i) + (less ? -digit_at(b, top, i) : digit_at(b, top, i)) + carry;
        carry = d < 0 ? -1 : d > 9;
        sum[i] = (uint8_t)(d - 10 * carry);
    }
    while (first < width && sum[first] == 0)
        first++;
    while (width > first && sum[width - 1] == 0)
        width--;
    memset(out, 0, sizeof *out);
    if (first == width) return true;
    if (width - first > LATCH_DECIMAL_DIGITS) return latch_invalid(fault, arena, TOO_PRECISE);
    out->sign = a->sign;
    out->count = (uint8_t)(width - first);
    memcpy(out->digits, sum + first, out->count);
    if (top - first > LATCH_DECIMAL_EXPONENT_MAX) return latch_invalid(fault, arena, OVERFLOWS);
    if (top - first < LATCH_DECIMAL_EXPONENT_MIN) return latch_invalid(fault, arena, UNDERFLOWS);
    out->exponent = (int16_t)(top - first);
    return true;
}

static bool add(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault) {
    if (a->sign == 0 || b->sign == 0) {
        *out = a->sign == 0 ? *b : *a;
        return true;
    }
    if (a->sign == b->sign) return combine(a, b, false, out, arena, fault);
    return compare_magnitudes(a, b) >= 0 ? combine(a, b, true, out, arena, fault) : combine(b, a, true, out, arena, fault);
}

bool latch_number_add(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault) {
    return add(a, b, out, arena, fault);
}

bool latch_number_subtract(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault) {
    latch_number minus = *b;
    minus.sign = (int8_t)-minus.sign;
    return add(a, &minus, out, arena, fault);
}

bool latch_number_int(const latch_number *n, int64_t *out) {
    uint64_t value = 0, bound = (uint64_t)INT64_MAX + (n->sign < 0);
    if (n->count > n->exponent && n->sign != 0) return false; /* a fraction */
    for (int i = 0; i < n->exponent; i++) {
        unsigned digit = i < n->count ? n->digits[i] : 0;
        if (value > (bound - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = n->sign < 0 ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

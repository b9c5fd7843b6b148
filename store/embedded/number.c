#include "store/embedded/number.h"

#include <string.h>

/* 0.d × 10^exponent: 1E-130 is 0.1E-129, 9.9…E+125 is 0.99…E+126. */
#define EXPONENT_MIN (-129)
#define EXPONENT_MAX 126
#define SUM_MAX (LATCH_NUMBER_DIGITS + EXPONENT_MAX - EXPONENT_MIN + 1) /* digits of the widest exact sum, its carry included */

#define NOT_A_NUMBER "A value provided cannot be converted into a number"
#define OVERFLOWS "Number overflow. Attempting to store a number with magnitude larger than supported range"
#define UNDERFLOWS "Number underflow. Attempting to store a number with magnitude smaller than supported range"
#define TOO_PRECISE "DynamoDB only supports precision up to 38 digits"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The exponent behind an e; false where there is none or it leaves 32 bits, which makes the text no number at all. */
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

/* What a mantissa's digits come to: those that count, and where the point stands. */
typedef struct mantissa {
    latch_number *n;
    size_t any;          /* digits of any kind seen */
    size_t zeros;        /* not yet written: they count once another digit follows */
    int64_t before;      /* digits before the point, from the first that isn't 0 */
    int64_t skipped;     /* zeros between the point and that digit */
    bool pointed, large; /* past the point; over 38 digits */
} mantissa;

static void take_digit(mantissa *m, uint8_t digit) {
    bool leads = m->n->count == 0 && !m->large;
    m->any++;
    if (leads && digit == 0) {
        m->skipped += m->pointed;
        return;
    }
    m->before += !m->pointed;
    if (digit == 0) {
        m->zeros++;
        return;
    }
    if (m->large || m->zeros + m->n->count >= LATCH_NUMBER_DIGITS) {
        m->large = true;
        return;
    }
    memset(m->n->digits + m->n->count, 0, m->zeros);
    m->n->count = (uint8_t)(m->n->count + m->zeros);
    m->n->digits[m->n->count++] = digit;
    m->zeros = 0;
}

/* Digits and at most one point; where it ends. */
static size_t read_mantissa(latch_str text, size_t at, mantissa *m) {
    for (; at < text.len; at++) {
        if (is_digit(text.ptr[at]))
            take_digit(m, (uint8_t)(text.ptr[at] - '0'));
        else if (text.ptr[at] == '.' && !m->pointed)
            m->pointed = true;
        else
            break;
    }
    return at;
}

static bool within_range(int64_t exponent, latch_number *n, latch_arena *arena, latch_fault *fault) {
    if (exponent > EXPONENT_MAX) return latch_invalid(fault, arena, OVERFLOWS);
    if (exponent < EXPONENT_MIN) return latch_invalid(fault, arena, UNDERFLOWS);
    n->exponent = (int16_t)exponent;
    return true;
}

bool latch_number_read(latch_str text, latch_number *out, latch_arena *arena, latch_fault *fault) {
    mantissa m = {.n = out};
    int64_t exponent = 0;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    memset(out, 0, sizeof *out);
    size_t at = read_mantissa(text, text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? 1 : 0, &m);
    if (m.any == 0) return latch_invalid(fault, arena, NOT_A_NUMBER);
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        if (!read_exponent(text, at + 1, &exponent)) return latch_invalid(fault, arena, NOT_A_NUMBER);
    } else if (at < text.len) {
        return latch_invalid(fault, arena, NOT_A_NUMBER);
    }
    if (m.large) return latch_invalid(fault, arena, TOO_PRECISE);
    if (out->count == 0) return true;
    out->sign = negative ? -1 : 1;
    return within_range((m.before > 0 ? m.before : -m.skipped) + exponent, out, arena, fault);
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
    if (width - first > LATCH_NUMBER_DIGITS) return latch_invalid(fault, arena, TOO_PRECISE);
    out->sign = a->sign;
    out->count = (uint8_t)(width - first);
    memcpy(out->digits, sum + first, out->count);
    return within_range(top - first, out, arena, fault);
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

/* Two digits of 10^2k and 10^2k+1 share a byte, one more is the exponent's, one more the minus's: measured on DynamoDB Local. */
size_t latch_number_bytes(const latch_number *n) {
    size_t alone = n->exponent % 2 != 0, minus = n->sign < 0;
    if (n->sign == 0) return 1;
    return 1 + minus + (n->count + alone + 1) / 2;
}

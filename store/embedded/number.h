/*
 * store/embedded/number.h - DynamoDB's numbers: 38 significant decimal digits, exact. 1E-130 to 9.9…E+125, both signs, and 0.
 *
 * Source: "Number" in the DynamoDB developer guide's data types; texts of errors as DynamoDB gives them.
 */
#ifndef LATCH_STORE_EMBEDDED_NUMBER_H
#define LATCH_STORE_EMBEDDED_NUMBER_H

#include "store/embedded/fault.h"

#define LATCH_NUMBER_DIGITS 38
#define LATCH_NUMBER_TEXT_MAX 200 /* bytes of the longest text: -0.000…1 without an exponent */

typedef struct latch_number { /* sign × 0.d1d2d3… × 10^exponent, d1 not 0, the last digit not 0; zero: sign 0, count 0, exponent 0 */
    int8_t sign;              /* -1, 0, 1 */
    uint8_t count;            /* of digits */
    int16_t exponent;
    uint8_t digits[LATCH_NUMBER_DIGITS]; /* 0 to 9 each */
} latch_number;

/* False: *fault says what DynamoDB says (not a number; over 38 digits; magnitude too large or too small). */
bool latch_number_read(latch_str text, latch_number *out, latch_arena *arena, latch_fault *fault);
size_t latch_number_write(const latch_number *n, char out[LATCH_NUMBER_TEXT_MAX]); /* as DynamoDB prints it; no NUL */

int latch_number_compare(const latch_number *a, const latch_number *b); /* <0, 0, >0 */
/* a + b, a - b; false: the result needs over 38 digits or is out of range, as DynamoDB says. */
bool latch_number_add(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault);
bool latch_number_subtract(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault);

size_t latch_number_bytes(const latch_number *n); /* what it counts towards an item's size */

/* A whole number that fits; false otherwise. */
bool latch_number_int(const latch_number *n, int64_t *out);

#endif

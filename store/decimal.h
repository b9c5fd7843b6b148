/*
 * store/decimal.h - a number as DynamoDB counts it: at most 38 significant digits, exact, 1E-130 to 9.9…E+125 of both signs, and 0.
 *
 * The embedded engine has such numbers of its own (it computes with them); these are those of whoever asks, on this side of the seam:
 * what DynamoDB would refuse isn't sent. tests/fuzz/fuzz_marshal.c holds the two together.
 *
 * Source: "Number" in the DynamoDB developer guide's data types; sizes as measured on DynamoDB Local.
 */
#ifndef LATCH_STORE_DECIMAL_H
#define LATCH_STORE_DECIMAL_H

#include "core/words.h"

#define LATCH_DECIMAL_DIGITS 38

typedef struct
    latch_decimal { /* sign × 0.d1d2d3… × 10^exponent, neither end a zero; 0: no digits, not negative. Equal ones are equal bytes */
    int32_t exponent;
    uint8_t count;
    uint8_t negative;
    char digits[LATCH_DECIMAL_DIGITS]; /* '0' to '9' */
} latch_decimal;

/* NULL, or what is wrong with it: "has over 38 digits". Takes what DynamoDB takes: "-1.5", "+2", ".5", "1e3". */
const char *latch_decimal_read(latch_str text, latch_decimal *out);

size_t latch_decimal_bytes(const latch_decimal *n); /* what it counts towards an item's size */

/*
 * Whether a double holds it so that the shortest text that reads back the same double is this number again: at most 15 digits, and no
 * exponent near a double's ends.
 */
bool latch_decimal_fits_double(const latch_decimal *n);

#endif

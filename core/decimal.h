/*
 * core/decimal.h - a number as DynamoDB counts it: at most 38 significant digits, exact, 1E-130 to 9.9…E+125 of both signs, and 0.
 *
 * On both sides of the seam: what DynamoDB would refuse isn't sent, and the embedded engine computes with them.
 *
 * Source: "Number" in the DynamoDB developer guide's data types; sizes as measured on DynamoDB Local.
 */
#ifndef LATCH_CORE_DECIMAL_H
#define LATCH_CORE_DECIMAL_H

#include "core/words.h"

#define LATCH_DECIMAL_DIGITS 38
#define LATCH_DECIMAL_EXPONENT_MIN (-129) /* of 0.1E-129, which is 1E-130 */
#define LATCH_DECIMAL_EXPONENT_MAX 126    /* of 0.99…E+126, which is 9.9…E+125 */

/* sign × 0.d1d2d3… × 10^exponent, neither end a 0; zero: all of it is 0. Equal ones are equal bytes. */
typedef struct latch_decimal {
    int8_t sign;   /* -1, 0, 1 */
    uint8_t count; /* of digits */
    int16_t exponent;
    uint8_t digits[LATCH_DECIMAL_DIGITS]; /* 0 to 9 each */
} latch_decimal;

typedef enum latch_decimal_fault {
    LATCH_DECIMAL_FITS,
    LATCH_DECIMAL_NO_NUMBER, /* or one whose exponent leaves 32 bits */
    LATCH_DECIMAL_TOO_LONG,  /* over 38 digits */
    LATCH_DECIMAL_TOO_LARGE,
    LATCH_DECIMAL_TOO_SMALL,
} latch_decimal_fault;

/* Takes what DynamoDB takes: "-1.5", "+2", ".5", "1e3". *out is of use only where it fits. */
LATCH_NODISCARD latch_decimal_fault latch_decimal_read(latch_str text, latch_decimal *out);

size_t latch_decimal_bytes(const latch_decimal *n); /* what it counts towards an item's size */

/*
 * Whether a double holds it so that the shortest text that reads back the same double is this number again: at most 15 digits, and no
 * exponent near a double's ends.
 */
bool latch_decimal_fits_double(const latch_decimal *n);

#endif

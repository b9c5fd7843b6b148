/*
 * store/embedded/number.h - DynamoDB's numbers (core/decimal.h), with DynamoDB's words for what is wrong; added, compared, written.
 *
 * Source: "Number" in the DynamoDB developer guide's data types; texts of errors as DynamoDB gives them.
 */
#ifndef LATCH_STORE_EMBEDDED_NUMBER_H
#define LATCH_STORE_EMBEDDED_NUMBER_H

#include "core/decimal.h"
#include "store/embedded/fault.h"

#define LATCH_NUMBER_TEXT_MAX 200 /* bytes of the longest text: -0.000…1 without an exponent */

typedef latch_decimal latch_number;

/* False: *fault says what DynamoDB says (not a number; over 38 digits; magnitude too large or too small). */
bool latch_number_read(latch_str text, latch_number *out, latch_arena *arena, latch_fault *fault);
size_t latch_number_write(const latch_number *n, char out[LATCH_NUMBER_TEXT_MAX]); /* as DynamoDB prints it; no NUL */

int latch_number_compare(const latch_number *a, const latch_number *b); /* <0, 0, >0 */
/* a + b, a - b; false: the result needs over 38 digits or is out of range, as DynamoDB says. */
bool latch_number_add(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault);
bool latch_number_subtract(const latch_number *a, const latch_number *b, latch_number *out, latch_arena *arena, latch_fault *fault);

/* A whole number that fits; false otherwise. */
bool latch_number_int(const latch_number *n, int64_t *out);

#endif

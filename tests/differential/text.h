/* text.h - text that grows, and dice: what random requests are made of. A test that gets no memory ends. */
#ifndef TESTS_DIFFERENTIAL_TEXT_H
#define TESTS_DIFFERENTIAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct text {
    char *at; /* NUL-terminated once something was added; owned */
    size_t len, cap;
} text;
void text_put(text *t, const char *bytes, size_t len);
__attribute__((format(printf, 2, 3))) void text_add(text *t, const char *fmt, ...);
void text_repeat(text *t, char c, size_t n);
void text_clear(text *t); /* keeps the memory */
void text_free(text *t);
const char *text_of(const text *t); /* never NULL */

/* The same seed throws the same numbers everywhere. */
typedef struct dice {
    uint64_t state;
} dice;
uint32_t dice_roll(dice *d, uint32_t sides);           /* 0 to sides - 1 */
bool dice_chance(dice *d, uint32_t n, uint32_t of);    /* true n times out of `of` */
size_t dice_weighted(dice *d, const uint8_t *weights); /* an index of `weights`, which ends with 0 */

void *need_memory(void *at); /* ends the process where it is NULL */

#endif

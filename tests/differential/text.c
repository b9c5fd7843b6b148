#include "tests/differential/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *need_memory(void *at) {
    if (at != NULL) return at;
    fprintf(stderr, "differential: no memory\n");
    abort();
}

static void room(text *t, size_t more) {
    size_t want = t->len + more + 1;
    if (want <= t->cap) return;
    t->cap = want < 2 * t->cap ? 2 * t->cap : want;
    t->at = need_memory(realloc(t->at, t->cap));
}

void text_put(text *t, const char *bytes, size_t len) {
    room(t, len);
    if (len > 0) memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void text_add(text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) abort();
    room(t, (size_t)len);
    va_start(ap, fmt);
    vsnprintf(t->at + t->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    t->len += (size_t)len;
}

void text_repeat(text *t, char c, size_t n) {
    room(t, n);
    memset(t->at + t->len, c, n);
    t->len += n;
    t->at[t->len] = '\0';
}

void text_clear(text *t) {
    t->len = 0;
    if (t->at != NULL) t->at[0] = '\0';
}

void text_free(text *t) {
    free(t->at);
    *t = (text){0};
}

const char *text_of(const text *t) { return t->at != NULL ? t->at : ""; }

/* splitmix64 */
static uint64_t next(dice *d) {
    uint64_t z = (d->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t dice_roll(dice *d, uint32_t sides) { return (uint32_t)((next(d) >> 32) * sides >> 32); }
bool dice_chance(dice *d, uint32_t n, uint32_t of) { return dice_roll(d, of) < n; }

size_t dice_weighted(dice *d, const uint8_t *weights) {
    uint32_t sum = 0;
    for (size_t i = 0; weights[i] != 0; i++)
        sum += weights[i];
    uint32_t at = dice_roll(d, sum);
    size_t i = 0;
    for (; at >= weights[i]; i++)
        at -= weights[i];
    return i;
}

/*
 * buffer.h - bytes that grow, and memory that is there: a tool that can't get memory says so and ends.
 *
 * Ending is safe at any point: what latch-local started dies with it (process.h).
 */
#ifndef LATCH_LOCAL_BUFFER_H
#define LATCH_LOCAL_BUFFER_H

#include "core/words.h"

void *latch_alloc(size_t size);                                                 /* zeroed; never NULL */
void *latch_realloc(void *at, size_t size);                                     /* never NULL */
char *latch_copy(latch_str s);                                                  /* NUL-terminated; the caller's to free */
char *latch_format(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* the caller's to free */

typedef struct latch_buffer {
    char *ptr; /* a NUL follows len, once anything was added */
    size_t len, cap;
} latch_buffer;

void latch_buffer_reserve(latch_buffer *b, size_t more); /* so that the next `more` bytes don't move it */
void latch_buffer_add(latch_buffer *b, const void *bytes, size_t len);
void latch_buffer_text(latch_buffer *b, const char *s);
void latch_buffer_format(latch_buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
latch_str latch_buffer_str(const latch_buffer *b); /* borrows */
void latch_buffer_clean_up(latch_buffer *b);       /* back to empty */

/* A whole file, or standard input for "-". False where it can't be read or is larger than max_bytes: errno says (EFBIG). */
bool latch_buffer_read_file(latch_buffer *b, const char *path, size_t max_bytes);

#endif

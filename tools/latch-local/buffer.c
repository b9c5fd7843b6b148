#include "buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *at) {
    if (at != NULL) return at;
    fputs("latch-local: out of memory\n", stderr);
    _exit(1);
}

void *latch_alloc(size_t size) { return must(calloc(1, size > 0 ? size : 1)); }

void *latch_realloc(void *at, size_t size) { return must(realloc(at, size > 0 ? size : 1)); }

char *latch_copy(latch_str s) {
    char *copy = latch_alloc(s.len + 1);
    if (s.len > 0) memcpy(copy, s.ptr, s.len);
    return copy;
}

char *latch_format(const char *fmt, ...) {
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&out, fmt, ap);
    va_end(ap);
    return must(len < 0 ? NULL : out);
}

void latch_buffer_reserve(latch_buffer *b, size_t more) {
    if (more >= SIZE_MAX / 4 - b->len) must(NULL);
    size_t need = b->len + more + 1;
    if (need <= b->cap) return;
    size_t cap = b->cap * 2 > need ? b->cap * 2 : need;
    b->ptr = latch_realloc(b->ptr, cap);
    b->cap = cap;
}

void latch_buffer_add(latch_buffer *b, const void *bytes, size_t len) {
    latch_buffer_reserve(b, len);
    if (len > 0) memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void latch_buffer_text(latch_buffer *b, const char *s) { latch_buffer_add(b, s, strlen(s)); }

void latch_buffer_format(latch_buffer *b, const char *fmt, ...) {
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&out, fmt, ap);
    va_end(ap);
    if (len < 0) must(NULL);
    latch_buffer_add(b, out, (size_t)len);
    free(out);
}

latch_str latch_buffer_str(const latch_buffer *b) { return (latch_str){b->ptr, b->len}; }

void latch_buffer_clean_up(latch_buffer *b) {
    free(b->ptr);
    *b = (latch_buffer){0};
}

static bool read_all(latch_buffer *b, int fd, size_t max_bytes) {
    for (;;) {
        latch_buffer_reserve(b, 65536);
        ssize_t got = read(fd, b->ptr + b->len, 65536);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        b->len += (size_t)got;
        b->ptr[b->len] = '\0';
        if (b->len > max_bytes) return errno = EFBIG, false;
        if (got == 0) return true;
    }
}

bool latch_buffer_read_file(latch_buffer *b, const char *path, size_t max_bytes) {
    if (strcmp(path, "-") == 0) return read_all(b, STDIN_FILENO, max_bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = read_all(b, fd, max_bytes);
    int why = errno;
    close(fd);
    errno = why;
    return ok;
}

#include "core/text.h"

#include <string.h>

#include "core/node.h"

#define LEAST_BYTES 128 /* of a first block */

latch_text_writer latch_text_begin(latch_arena *arena) { return (latch_text_writer){.arena = arena}; }

void latch_text_fail(latch_text_writer *t, latch_status failed, const char *why) {
    if (t->failed != LATCH_OK) return;
    t->failed = failed;
    t->why = why;
}

/* Twice what it was, or what is needed; where that is too much, exactly what is needed, and a byte for the NUL at the end. */
static bool grow(latch_text_writer *t, size_t more) {
    if (more > SIZE_MAX / 4 || t->failed != LATCH_OK || t->arena == NULL) return false;
    size_t need = t->len + more + 1, twice = t->cap > 0 ? t->cap * 2 : LEAST_BYTES, want = need > twice ? need : twice;
    char *at = latch_arena_grow(t->arena, t->at, t->cap, want);
    if (at == NULL) at = latch_arena_grow(t->arena, t->at, t->cap, want = need);
    if (at == NULL) return false;
    t->at = at;
    t->cap = want;
    return true;
}

/* Room for `more` bytes and the NUL, or the writer has failed. */
static inline bool reserve(latch_text_writer *t, size_t more) {
    if (t->failed == LATCH_OK && more < t->cap - t->len) return true;
    if (grow(t, more)) return true;
    latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    return false;
}

latch_str latch_text_end(latch_text_writer *t) {
    bool ok = reserve(t, 0);
    if (t->arena != NULL && t->at != NULL) latch_arena_shrink(t->arena, t->at, t->cap, ok ? t->len + 1 : 0);
    if (!ok) return (latch_str){NULL, 0};
    t->at[t->len] = '\0';
    t->cap = t->len + 1;
    return (latch_str){t->at, t->len};
}

void latch_text_put(latch_text_writer *t, latch_str s) {
    if (t->failed != LATCH_OK || s.len == 0) return;
    if (!reserve(t, s.len)) s.len = t->cap > t->len ? t->cap - t->len - 1 : 0; /* the beginning, for who wants no more */
    if (s.len > 0) memcpy(t->at + t->len, s.ptr, s.len);
    t->len += s.len;
}

void latch_text_char(latch_text_writer *t, char c) {
    if (reserve(t, 1)) t->at[t->len++] = c;
}

static void put_digits(latch_text_writer *t, bool negative, uint64_t n) {
    char digits[20];
    size_t from = sizeof digits;
    do {
        digits[--from] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    if (negative) latch_text_char(t, '-');
    latch_text_put(t, (latch_str){digits + from, sizeof digits - from});
}

void latch_text_int(latch_text_writer *t, int64_t n) { put_digits(t, n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n); }
void latch_text_uint(latch_text_writer *t, uint64_t n) { put_digits(t, false, n); }

/* ── numbers: yyjson knows the shortest digits, and is given this much to write them into ─────────────────────────────── */

typedef struct scratch {
    _Alignas(16) char bytes[64];
} scratch;

static void *scratch_malloc(void *self, size_t size) { return size <= sizeof(scratch) ? ((scratch *)self)->bytes : NULL; }
static void *scratch_realloc(void *self, void *at, size_t old_size, size_t size) {
    (void)old_size;
    return at != NULL ? scratch_malloc(self, size) : NULL;
}
static void scratch_free(void *self, void *at) { (void)self, (void)at; }

void latch_text_number(latch_text_writer *t, const yyjson_val *number) {
    scratch bytes;
    yyjson_alc alc = {scratch_malloc, scratch_realloc, scratch_free, &bytes};
    latch_str text;
    text.ptr = yyjson_val_write_opts(number, YYJSON_WRITE_NOFLAG, &alc, &text.len, NULL);
    if (text.ptr == NULL) latch_text_fail(t, LATCH_E_MISUSE, "a number in it is not finite");
    if (text.ptr != NULL) latch_text_put(t, text);
}

void latch_text_double(latch_text_writer *t, double d) {
    yyjson_val number = {.tag = YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL, .uni.f64 = d};
    latch_text_number(t, &number);
}

/* ── strings ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whether none of eight bytes is a control byte, a quote, a backslash or above 0x7F. Exact where the high bits are clear, else false. */
static inline bool are_plain(uint64_t eight) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t quotes = eight ^ (ones * '"'), slashes = eight ^ (ones * '\\');
    return (((eight - ones * 0x20) | (quotes - ones) | (slashes - ones) | eight) & high) == 0;
}

/* How many bytes from `at` on stand in JSON as they are. */
static size_t plain_bytes(const char *at, size_t len) {
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        while (len - i >= sizeof eight) {
            memcpy(&eight, at + i, sizeof eight);
            if (!are_plain(eight)) break;
            i += sizeof eight;
        }
        if (i == len) break;
        unsigned char c = (unsigned char)at[i];
        if (c < 0x20 || c == '"' || c == '\\') break;
        size_t n = c < 0x80 ? 1 : latch_utf8_len(at + i, len - i);
        if (n == 0) break;
        i += n;
    }
    return i;
}

static void put_escape(latch_text_writer *t, unsigned char c) {
    static const char hex[] = "0123456789ABCDEF", shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = c != '\0' ? strchr(shorts, c) : NULL;
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (found != NULL) text[1] = letters[found - shorts];
    latch_text_put(t, (latch_str){text, found != NULL ? 2 : 6});
}

static void put_string(latch_text_writer *t, latch_str s, bool lossy) {
    if (!reserve(t, 2)) return;
    t->at[t->len++] = '"';
    for (size_t i = 0; i < s.len && t->failed == LATCH_OK;) {
        size_t plain = plain_bytes(s.ptr + i, s.len - i);
        latch_text_put(t, (latch_str){s.ptr + i, plain});
        i += plain;
        if (i == s.len) break;
        unsigned char c = (unsigned char)s.ptr[i++];
        if (c < 0x80) {
            put_escape(t, c);
        } else if (lossy) {
            latch_text_put(t, LATCH_STR("\xEF\xBF\xBD"));
        } else {
            latch_text_fail(t, LATCH_E_MISUSE, "a text in it is not UTF-8");
        }
    }
    latch_text_char(t, '"');
}

void latch_text_json_string(latch_text_writer *t, latch_str s) { put_string(t, s, false); }
void latch_text_json_lossy(latch_text_writer *t, latch_str s) { put_string(t, s, true); }

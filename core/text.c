#include "core/text.h"

#include <string.h>

#include "core/node.h"

#define LEAST_BYTES 128        /* of a first block */
#define SPARE sizeof(uint64_t) /* that copying by the word writes behind a text */

latch_text_writer latch_text_begin(latch_arena *arena) { return (latch_text_writer){.arena = arena}; }

void latch_text_fail(latch_text_writer *t, latch_status failed, const char *why) {
    if (t->failed != LATCH_OK) return;
    t->failed = failed;
    t->why = why;
}

/* Twice what it was, or what is needed; where that is too much, exactly what is needed, and a byte for the NUL at the end. */
static bool has_grown(latch_text_writer *t, size_t more) {
    if (more > SIZE_MAX / 4 || t->arena == NULL) return false;
    size_t need = t->len + more + 1, twice = t->cap > 0 ? t->cap * 2 : LEAST_BYTES, want = need > twice ? need : twice;
    char *at = latch_arena_grow(t->arena, t->at, t->cap, want);
    if (at == NULL) at = latch_arena_grow(t->arena, t->at, t->cap, want = need);
    if (at == NULL) return false;
    t->at = at;
    t->cap = want;
    return true;
}

bool latch_text_grow(latch_text_writer *t, size_t more) {
    if (t->failed != LATCH_OK) return false;
    if (more < t->cap - t->len || has_grown(t, more)) return true;
    latch_text_fail(t, LATCH_E_NOMEM, "the arena is full");
    return false;
}

latch_str latch_text_end(latch_text_writer *t) {
    bool ok = latch_text_reserve(t, 0);
    if (t->arena != NULL && t->at != NULL) latch_arena_shrink(t->arena, t->at, t->cap, ok ? t->len + 1 : 0);
    if (!ok) return (latch_str){NULL, 0};
    t->at[t->len] = '\0';
    t->cap = t->len + 1;
    return (latch_str){t->at, t->len};
}

void latch_text_put(latch_text_writer *t, latch_str s) {
    if (t->failed != LATCH_OK || s.len == 0) return;
    if (!latch_text_reserve(t, s.len)) s.len = t->cap > t->len ? t->cap - t->len - 1 : 0; /* the beginning, for who wants no more */
    if (s.len > 0) memcpy(t->at + t->len, s.ptr, s.len);
    t->len += s.len;
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

static inline bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

static void put_escape(latch_text_writer *t, unsigned char c) {
    static const char hex[] = "0123456789ABCDEF", shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = c != '\0' ? strchr(shorts, c) : NULL;
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (found != NULL) text[1] = letters[found - shorts];
    latch_text_put(t, (latch_str){text, found != NULL ? 2 : 6});
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "load_few puts the first byte lowest");

/* The last `n` bytes of a text, 1 to 7 of them, in the low bytes of a word: all of them read, none behind them. */
static inline uint64_t load_few(const char *from, size_t n) {
    uint32_t low, high;
    if (n >= 4) {
        memcpy(&low, from, sizeof low);
        memcpy(&high, from + n - 4, sizeof high);
        return low | (uint64_t)high << (8 * (n - 4));
    }
    return (uint64_t)(unsigned char)from[0] | (uint64_t)(unsigned char)from[n / 2] << (8 * (n / 2)) |
           (uint64_t)(unsigned char)from[n - 1] << (8 * (n - 1));
}

/* Copies what stands in JSON as it is, up to the first byte that doesn't. `to` has room for all of it and SPARE more. */
static size_t copy_plain(char *to, const char *from, size_t len) {
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        for (; len - i >= sizeof eight; i += sizeof eight) {
            memcpy(&eight, from + i, sizeof eight);
            if (!are_plain(eight)) break;
            memcpy(to + i, &eight, sizeof eight);
        }
        size_t left = len - i;
        if (left > 0 && left < sizeof eight) {
            eight = load_few(from + i, left);
            memcpy(to + i, &eight, sizeof eight);
            if (are_plain(eight | UINT64_C(0x2020202020202020) << (8 * left))) return len;
        }
        for (; i < len && is_plain((unsigned char)from[i]); i++)
            to[i] = from[i];
        size_t n = i < len && (unsigned char)from[i] >= 0x80 ? latch_utf8_len(from + i, len - i) : 0;
        if (n == 0) break;
        memcpy(to + i, from + i, n);
        i += n;
    }
    return i;
}

/* The byte that can't stand as it is. */
static void put_odd(latch_text_writer *t, unsigned char c, bool lossy) {
    if (c < 0x80) {
        put_escape(t, c);
    } else if (lossy) {
        latch_text_put(t, LATCH_STR("\xEF\xBF\xBD"));
    } else {
        latch_text_fail(t, LATCH_E_MISUSE, "a text in it is not UTF-8");
    }
}

/* The rest of a string that has what can't stand as it is, or more than there is room for. */
static __attribute__((noinline)) void put_rest(latch_text_writer *t, latch_str s, bool lossy) {
    for (size_t i = 0; i < s.len && t->failed == LATCH_OK;) {
        size_t len = s.len - i, room = t->cap - t->len; /* of one's own, small room as much is filled as fits */
        if (t->arena == NULL && room > SPARE + 1 && room < len + SPARE + 1) len = room - SPARE - 1;
        if (!latch_text_reserve(t, len + SPARE)) return;
        size_t plain = copy_plain(t->at + t->len, s.ptr + i, len);
        t->len += plain;
        i += plain;
        if (plain < len) put_odd(t, (unsigned char)s.ptr[i++], lossy);
    }
    latch_text_char(t, '"');
}

static void put_string(latch_text_writer *t, latch_str s, bool lossy) {
    latch_text_char(t, '"');
    if (t->failed != LATCH_OK || s.len >= SIZE_MAX / 4 || s.len + SPARE + 1 >= t->cap - t->len) {
        put_rest(t, s, lossy);
        return;
    }
    char *to = t->at + t->len;
    size_t plain = copy_plain(to, s.ptr, s.len);
    to[plain] = '"';
    t->len += plain + (plain == s.len);
    if (plain < s.len) put_rest(t, (latch_str){s.ptr + plain, s.len - plain}, lossy);
}

void latch_text_plain_string(latch_text_writer *t, latch_str s) {
    if (t->arena == NULL && s.len + 2 >= t->cap - t->len) {
        put_string(t, s, false); /* what fits of it */
        return;
    }
    if (!latch_text_reserve(t, s.len + 2)) return;
    t->at[t->len] = '"';
    memcpy(t->at + t->len + 1, s.ptr, s.len);
    t->at[t->len + 1 + s.len] = '"';
    t->len += s.len + 2;
}

void latch_text_json_string(latch_text_writer *t, latch_str s) { put_string(t, s, false); }
void latch_text_json_lossy(latch_text_writer *t, latch_str s) { put_string(t, s, true); }

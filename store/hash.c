#include "store/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/node.h"

/* The text goes into the hash piece by piece: a payload may be 6 MB. */
#define PIECE_BYTES 2048
#define WRITER_BYTES 16 /* a writer copies by the word: core/text.c refuses where a word more wouldn't fit behind a string */

typedef struct sink {
    EVP_MD_CTX *md;
    latch_arena *arena;     /* for sorting */
    latch_text_writer text; /* of `piece`, or for a long string of the arena */
    latch_status failed;
} sink;

static void flush(sink *s) {
    if (s->text.failed != LATCH_OK && s->failed == LATCH_OK) s->failed = s->text.failed;
    if (s->failed == LATCH_OK && EVP_DigestUpdate(s->md, s->text.at, s->text.len) != 1) s->failed = LATCH_E_NOMEM;
    s->text.len = 0;
}

/* Room in the piece for `bytes` more, as they are. */
static void make_room(sink *s, size_t bytes) {
    if (s->text.cap - s->text.len <= bytes) flush(s);
}

static void put_char(sink *s, char c) {
    make_room(s, 1);
    latch_text_char(&s->text, c);
}

/* A long string is escaped in the arena, the others in the piece: six bytes for one at most, two quotes, and what the writer asks beyond. */
static void put_scalar(sink *s, yyjson_val *v) {
    size_t most = yyjson_is_str(v) || yyjson_is_raw(v) ? yyjson_get_len(v) * 6 + 2 + WRITER_BYTES : 64;
    make_room(s, most);
    if (most < s->text.cap) {
        latch_text_parsed(&s->text, v);
        return;
    }
    size_t mark = latch_arena_mark(s->arena);
    latch_text_writer t = latch_text_begin(s->arena);
    latch_text_parsed(&t, v);
    latch_str text = latch_text_end(&t);
    if (text.ptr == NULL) s->failed = t.failed;
    if (s->failed == LATCH_OK && EVP_DigestUpdate(s->md, text.ptr, text.len) != 1) s->failed = LATCH_E_NOMEM;
    latch_arena_rewind(s->arena, mark);
}

/* By the names' bytes; where two are the same, as they came: a member's place in memory is its place in the text. */
static int by_name(const void *left, const void *right) {
    yyjson_val *a = *(yyjson_val *const *)left, *b = *(yyjson_val *const *)right;
    size_t a_len = yyjson_get_len(a), b_len = yyjson_get_len(b);
    int order = memcmp(yyjson_get_str(a), yyjson_get_str(b), a_len < b_len ? a_len : b_len);
    if (order != 0) return order;
    if (a_len != b_len) return a_len < b_len ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void put_value(sink *s, yyjson_val *v);

static void put_members(sink *s, yyjson_val *object) {
    size_t i, n, mark = latch_arena_mark(s->arena), count = yyjson_obj_size(object);
    yyjson_val *name, *value, **names = latch_arena_alloc(s->arena, (count + 1) * sizeof *names);
    if (names == NULL) s->failed = LATCH_E_NOMEM;
    if (names == NULL) return;
    yyjson_obj_foreach(object, i, n, name, value) names[i] = name;
    qsort(names, count, sizeof *names, by_name);
    for (i = 0; i < count && s->failed == LATCH_OK; i++) {
        put_char(s, i == 0 ? '{' : ',');
        put_scalar(s, names[i]);
        put_char(s, ':');
        put_value(s, yyjson_obj_iter_get_val(names[i]));
    }
    if (count == 0) put_char(s, '{');
    put_char(s, '}');
    latch_arena_rewind(s->arena, mark);
}

static void put_elements(sink *s, yyjson_val *array) {
    size_t i, n;
    yyjson_val *value;
    put_char(s, '[');
    yyjson_arr_foreach(array, i, n, value) {
        if (s->failed != LATCH_OK) return;
        if (i > 0) put_char(s, ',');
        put_value(s, value);
    }
    put_char(s, ']');
}

/* latch_json_parse bounds the depth. */
static void put_value(sink *s, yyjson_val *v) {
    if (yyjson_is_obj(v)) {
        put_members(s, v);
    } else if (yyjson_is_arr(v)) {
        put_elements(s, v);
    } else {
        put_scalar(s, v);
    }
}

/* What was built is parsed first. *out is NULL for null. */
static latch_status parsed(latch_ctx *cx, latch_json v, yyjson_val **out) {
    latch_str text;
    latch_json again;
    *out = v.node != NULL && v.node->broken == LATCH_OK ? v.node->val : NULL;
    if (v.node == NULL || *out != NULL) return LATCH_OK;
    LATCH_TRY(latch_json_text(cx, v, &text));
    LATCH_TRY(latch_json_parse(cx, LATCH_E_MISUSE, "payload", text, &again));
    *out = again.node->val;
    return LATCH_OK;
}

static latch_status digest(latch_ctx *cx, yyjson_val *v, char out[LATCH_HASH_BYTES]) {
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char piece[PIECE_BYTES];
    sink s = {.md = EVP_MD_CTX_new(), .arena = cx->arena, .text = {.at = piece, .cap = sizeof piece}};
    if (s.md == NULL || EVP_DigestInit_ex(s.md, EVP_sha256(), NULL) != 1) s.failed = LATCH_E_NOMEM;
    if (s.failed == LATCH_OK && v != NULL) put_value(&s, v);
    if (v == NULL) latch_text_put(&s.text, LATCH_STR("null"));
    if (s.failed == LATCH_OK) flush(&s);
    if (s.failed == LATCH_OK && EVP_DigestFinal_ex(s.md, bytes, &len) != 1) s.failed = LATCH_E_NOMEM;
    EVP_MD_CTX_free(s.md);
    for (unsigned i = 0; i < len; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[2 * len] = '\0';
    return s.failed == LATCH_OK ? LATCH_OK : latch_err_set(&cx->err, s.failed, "the payload could not be hashed: out of memory");
}

latch_status latch_hash_json(latch_ctx *cx, latch_json v, char out[LATCH_HASH_BYTES]) {
    size_t mark = latch_arena_mark(cx->arena);
    yyjson_val *tree;
    out[0] = '\0';
    LATCH_TRY(parsed(cx, v, &tree));
    LATCH_TRY(digest(cx, tree, out));
    latch_arena_rewind(cx->arena, mark);
    return LATCH_OK;
}

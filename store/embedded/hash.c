/* Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word, three at the end. */
#include "store/embedded/hash.h"

#include <string.h>

#define DEPTH_MAX 128

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static uint64_t turn(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void stir(sip *s) {
    s->a += s->b, s->b = turn(s->b, 13) ^ s->a, s->a = turn(s->a, 32);
    s->c += s->d, s->d = turn(s->d, 16) ^ s->c;
    s->a += s->d, s->d = turn(s->d, 21) ^ s->a;
    s->c += s->b, s->b = turn(s->b, 17) ^ s->c, s->c = turn(s->c, 32);
}

static void take(sip *s, uint64_t word) {
    s->d ^= word;
    stir(s);
    s->a ^= word;
}

uint64_t latch_siphash_bytes(uint64_t seed, latch_str bytes) {
    const uint64_t k0 = seed, k1 = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    sip s = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d), k0 ^ UINT64_C(0x6c7967656e657261),
             k1 ^ UINT64_C(0x7465646279746573)};
    size_t i = 0;
    uint64_t word;
    for (; bytes.len - i >= 8; i += 8) {
        memcpy(&word, bytes.ptr + i, 8);
        take(&s, word);
    }
    word = 0;
    if (bytes.len > i) memcpy(&word, bytes.ptr + i, bytes.len - i);
    take(&s, word | (uint64_t)bytes.len << 56);
    s.c ^= 0xff;
    stir(&s), stir(&s), stir(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t latch_siphash_key(uint64_t seed, const latch_av *key) {
    if (key->type != LATCH_TYPE_N) return latch_siphash_bytes(seed, key->as.text);
    const latch_number *n = key->as.number;
    char bytes[4 + LATCH_DECIMAL_DIGITS] = {(char)n->sign, (char)(n->exponent & 0xff), (char)((n->exponent >> 8) & 0xff), (char)n->count};
    memcpy(bytes + 4, n->digits, n->count);
    return latch_siphash_bytes(seed, (latch_str){bytes, (size_t)n->count + 4});
}

/* What two values hash to together, in this order. */
static uint64_t both(uint64_t seed, uint64_t a, uint64_t b) {
    uint64_t pair[2] = {a, b};
    return latch_siphash_bytes(seed, (latch_str){(const char *)pair, sizeof pair});
}

static uint64_t hash_json(uint64_t seed, yyjson_val *json, int depth) {
    uint64_t sum = yyjson_get_tag(json) & YYJSON_TAG_MASK;
    size_t i, max;
    yyjson_val *key, *value;
    if (depth == DEPTH_MAX) return sum;
    if (yyjson_is_str(json) || yyjson_is_raw(json))
        return both(seed, sum,
                    latch_siphash_bytes(
                        seed, (latch_str){yyjson_is_str(json) ? yyjson_get_str(json) : yyjson_get_raw(json), yyjson_get_len(json)}));
    if (yyjson_is_num(json)) return both(seed, sum, json->uni.u64);
    if (yyjson_is_arr(json)) yyjson_arr_foreach(json, i, max, value) sum = both(seed, sum, hash_json(seed, value, depth + 1));
    /* a sum: order doesn't count in an object */
    if (yyjson_is_obj(json))
        yyjson_obj_foreach(json, i, max, key, value) sum += both(seed, hash_json(seed, key, depth + 1), hash_json(seed, value, depth + 1));
    return sum;
}

uint64_t latch_siphash_json(uint64_t seed, yyjson_val *json) { return hash_json(seed, json, 0); }

#include <stdlib.h>
#include <string.h>

#include "tests/differential/generator.h"

#define KEY_COUNT 6
#define ITEM_MAX_BYTES 409600

/* Each in DynamoDB's order, so that two of them make a range. */
static const char *const strings[] = {"",
                                      "",
                                      "0",
                                      "1",
                                      "A",
                                      "a",
                                      "a",
                                      "ab",
                                      "abc",
                                      "abcabc",
                                      "b",
                                      "bc",
                                      "k1",
                                      "k2",
                                      "with \\\"quotes\\\"",
                                      "x y",
                                      "\\u00e9",
                                      "\\u65e5\\u672c",
                                      "\\ud83d\\ude00"};
static const char *const numbers[] = {"-1e125",
                                      "-12345678901234567890123456789012345678",
                                      "-7",
                                      "-1",
                                      "-0.25",
                                      "-1e-130",
                                      "0",
                                      "1E-130",
                                      "0.1",
                                      "0.5",
                                      "1",
                                      "1.0",
                                      "1.50",
                                      "2",
                                      "3",
                                      "0005",
                                      "10",
                                      "42",
                                      "99.999",
                                      "1e3",
                                      "12345678901234567890.12345678901234567",
                                      "9.9999999999999999999999999999999999999E+125"};
static const char *const binaries[] = {"", "AA==", "AAE=", "YQ==", "YWI=", "YWJj", "/////w=="};
static const char *const children[] = {"a", "b", "c", "x y", "x.y", "#h", "size", "d1"};
static const char *const names[] = {"a",  "b", "c", "d", "n", "n", "s", "s",      "ss",  "ns",
                                    "bs", "l", "l", "m", "m", "t", "z", "status", "x.y", "b1"};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ONE_OF(g, a) ((a)[gen_roll(g, (uint32_t)COUNT_OF(a))])

const char *value_name(gen *g) { return ONE_OF(g, names); }
const char *value_child(gen *g) { return ONE_OF(g, children); }

static const char *const *pool_of(char type, size_t *count) {
    *count = type == 'S' ? COUNT_OF(strings) : type == 'N' ? COUNT_OF(numbers) : COUNT_OF(binaries);
    return type == 'S' ? strings : type == 'N' ? numbers : binaries;
}

/* Small whole numbers are the most. */
static void scalar(gen *g, text *out, char type) {
    size_t count;
    const char *const *pool = pool_of(type, &count);
    if (type == 'N' && gen_chance(g, 1, 2))
        text_add(out, "{\"N\":\"%d\"}", (int)gen_roll(g, 12) - 3);
    else
        text_add(out, "{\"%c\":\"%s\"}", type, pool[gen_roll(g, (uint32_t)count)]);
}

/* One to four members, each another: the pool's neighbours that are equal are never both taken. */
static void set(gen *g, text *out, char type) {
    size_t count, taken = 0;
    const char *const *pool = pool_of(type, &count);
    size_t at = gen_roll(g, (uint32_t)count);
    text_add(out, "{\"%cS\":[", type);
    for (uint32_t want = 1 + gen_roll(g, 4); taken < want && at < count; at += 2 + gen_roll(g, 3))
        text_add(out, "%s\"%s\"", taken++ > 0 ? "," : "", pool[at]);
    text_add(out, "]}");
}

static void list(gen *g, text *out, int depth) {
    text_add(out, "{\"L\":[");
    for (uint32_t i = 0, n = gen_roll(g, 5); i < n; i++) {
        if (i > 0) text_add(out, ",");
        value_any(g, out, depth + 1);
    }
    text_add(out, "]}");
}

static void map(gen *g, text *out, int depth) {
    bool first = true;
    text_add(out, "{\"M\":{");
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        if (!gen_chance(g, 2, 5)) continue;
        text_add(out, "%s\"%s\":", first ? "" : ",", children[i]);
        value_any(g, out, depth + 1);
        first = false;
    }
    text_add(out, "}}");
}

static void value_at(gen *g, text *out, char type, int depth) {
    switch (type) {
    case 'S':
    case 'N':
    case 'B':
        scalar(g, out, type);
        return;
    case 's':
        set(g, out, 'S');
        return;
    case 'n':
        set(g, out, 'N');
        return;
    case 'b':
        set(g, out, 'B');
        return;
    case 'L':
        list(g, out, depth);
        return;
    case 'M':
        map(g, out, depth);
        return;
    case 'T':
        text_add(out, "{\"BOOL\":%s}", gen_chance(g, 1, 2) ? "true" : "false");
        return;
    default:
        text_add(out, "{\"NULL\":true}");
        return;
    }
}

void value_of(gen *g, text *out, char type) { value_at(g, out, type, 1); }

void value_any(gen *g, text *out, int depth) {
    static const char types[] = "SSSSNNNNBBsnbTT0LM";
    if (depth > 0 && gen_wrong(g, BAD_VALUE)) {
        value_bad(g, out);
        return;
    }
    value_at(g, out, types[gen_roll(g, depth > 3 ? 16 : 18)], depth);
}

void value_between(gen *g, text *low, text *high, char type) {
    size_t count;
    const char *const *pool = pool_of(type, &count);
    uint32_t empty = type == 'S' ? 2 : type == 'B', from = g->spoiled ? empty : 0; /* where something else is wrong, no empty key is */
    uint32_t a = from + gen_roll(g, (uint32_t)count - from), b = from + gen_roll(g, (uint32_t)count - from);
    if ((a > b) != gen_wrong(g, WRONG_OPERAND)) {
        uint32_t c = a;
        a = b;
        b = c;
    }
    text_add(low, "{\"%c\":\"%s\"}", type, pool[a]);
    text_add(high, "{\"%c\":\"%s\"}", type, pool[b]);
}

void value_bad(gen *g, text *out) {
    static const char *const bad[] = {"{}",
                                      "{\"S\":\"a\",\"N\":\"1\"}",
                                      "{\"SS\":[]}",
                                      "{\"NS\":[]}",
                                      "{\"BS\":[]}",
                                      "{\"SS\":[\"a\",\"a\"]}",
                                      "{\"SS\":[\"a\",\"b\",\"a\"]}",
                                      "{\"NS\":[\"1\",\"1.0\"]}",
                                      "{\"BS\":[\"AA==\",\"AA==\"]}",
                                      "{\"NS\":[\"1\",\"x\"]}",
                                      "{\"N\":\"\"}",
                                      "{\"N\":\"abc\"}",
                                      "{\"N\":\"1 \"}",
                                      "{\"N\":\"--1\"}",
                                      "{\"N\":\"1e\"}",
                                      "{\"N\":\"0x10\"}",
                                      "{\"N\":\"NaN\"}",
                                      "{\"N\":\"123456789012345678901234567890123456789\"}",
                                      "{\"N\":\"0.123456789012345678901234567890123456789\"}",
                                      "{\"N\":\"1e126\"}",
                                      "{\"N\":\"-1e126\"}",
                                      "{\"N\":\"1e-131\"}",
                                      "{\"N\":\"1e999999\"}",
                                      "{\"NULL\":false}",
                                      "{\"L\":[{}]}",
                                      "{\"M\":{\"a\":{}}}",
                                      "{\"M\":{\"a\":{\"N\":\"x\"}}}",
                                      "{\"L\":[{\"SS\":[]}]}",
                                      "{\"X\":\"1\"}",
                                      "{\"S\":null}",
                                      "null"};
    text_add(out, "%s", ONE_OF(g, bad));
}

static const char *const key_strings[KEY_COUNT] = {"k0", "k1", "k2", "a", "ab", "\\u00e9"};
static const char *const key_numbers[KEY_COUNT] = {"-1.5", "0", "1", "2", "10", "1e2"};
static const char *const key_binaries[KEY_COUNT] = {"AA==", "AAE=", "YQ==", "YWI=", "YWJj", "/w=="};

static void long_key(gen *g, text *out, char type) {
    static const size_t sizes[] = {1023, 1024, 1025, 2047, 2048, 2049};
    size_t size = ONE_OF(g, sizes);
    text_add(out, "{\"%c\":\"", type);
    text_repeat(out, type == 'B' ? 'A' : 'k', type == 'B' ? (size + 2) / 3 * 4 : size);
    text_add(out, "\"}");
}

void value_key(gen *g, text *out, key_def key) {
    uint32_t i = gen_roll(g, KEY_COUNT);
    if (key.type != 'N' && gen_wrong(g, LONG_KEY))
        long_key(g, out, key.type);
    else if (gen_wrong(g, EMPTY_KEY))
        text_add(out, "{\"%c\":\"\"}", key.type);
    else if (gen_wrong(g, WRONG_KEY_TYPE))
        value_of(g, out, (key.type == 'S' ? "NBsT0LM" : key.type == 'N' ? "SBsT0LM" : "SNsT0LM")[gen_roll(g, 7)]);
    else
        text_add(out, "{\"%c\":\"%s\"}", key.type, (key.type == 'S' ? key_strings : key.type == 'N' ? key_numbers : key_binaries)[i]);
}

void value_copy(text *out, yyjson_val *value) {
    size_t len;
    char *copy = need_memory(yyjson_val_write(value, 0, &len));
    text_put(out, copy, len);
    free(copy);
}

char value_type(yyjson_val *value) {
    static const char *const types[] = {"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"};
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    const char *name = yyjson_get_str(yyjson_obj_iter_next(&iter));
    for (size_t i = 0; name != NULL && i < COUNT_OF(types); i++)
        if (strcmp(types[i], name) == 0) return "SNBsnbT0LM"[i];
    return '0';
}

/* ── items ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void key_write(gen *g, text *out, bool spoils) {
    const order *own = &g->layout->orders[0];
    bool no_hash = spoils && gen_wrong(g, MISSING_KEY), both = own->range.name != NULL;
    spoil later = g->spoil;
    if (!spoils) g->spoil = NO_SPOIL;
    text_add(out, "{");
    if (!no_hash || both) {
        key_def first = no_hash ? own->range : own->hash;
        text_add(out, "\"%s\":", first.name);
        value_key(g, out, first);
    }
    if (both && !no_hash) {
        text_add(out, ",\"%s\":", own->range.name);
        value_key(g, out, own->range);
    }
    if (gen_wrong(g, EXTRA_KEY)) text_add(out, ",\"zz\":{\"S\":\"1\"}");
    text_add(out, "}");
    if (!spoils) g->spoil = later;
}

/* Brings the item's size to about the limit: what is written so far is small, so that both must count it all. */
static void pad(gen *g, text *out) {
    text_add(out, ",\"pad\":{\"S\":\"");
    text_repeat(out, 'p', ITEM_MAX_BYTES - 300 + gen_roll(g, 300));
    text_add(out, "\"}");
}

static void deep(gen *g, text *out) {
    uint32_t levels = 29 + gen_roll(g, 5);
    text_add(out, ",\"deep\":");
    for (uint32_t i = 0; i < levels; i++)
        text_add(out, i % 2 == 0 ? "{\"L\":[" : "{\"M\":{\"a\":");
    text_add(out, "{\"S\":\"x\"}");
    for (uint32_t i = levels; i-- > 0;)
        text_add(out, i % 2 == 0 ? "]}" : "}}");
}

/* An index's keys are there three times in four. */
static void index_keys(gen *g, text *out) {
    static const key_def keys[] = {{"g", 'S'}, {"h", 'N'}, {"k", 'N'}, {"e", 'S'}};
    if (g->layout->count < 2) return;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!gen_chance(g, 3, 4)) continue;
        text_add(out, ",\"%s\":", keys[i].name);
        if (gen_wrong(g, WRONG_INDEX_KEY))
            value_of(g, out, "SNB0LMT"[gen_roll(g, 7)]);
        else
            value_key(g, out, keys[i]);
    }
}

void item_write(gen *g, text *out) {
    static const struct {
        const char *name;
        char type; /* '*': any */
    } attributes[] = {{"a", '*'},  {"b", '*'}, {"c", '*'}, {"d", '*'}, {"n", 'N'}, {"s", 'S'},      {"ss", 's'},  {"ns", 'n'},
                      {"bs", 'b'}, {"l", 'L'}, {"m", 'M'}, {"t", 'T'}, {"z", '0'}, {"status", 'S'}, {"x.y", '*'}, {"b1", 'B'}};
    key_write(g, out, true);
    out->len--; /* the brace */
    if (out->at[out->len - 1] == '{') text_add(out, "\"only\":{\"S\":\"x\"}");
    index_keys(g, out);
    for (size_t i = 0; i < COUNT_OF(attributes); i++) {
        if (!gen_chance(g, 3, 5)) continue;
        text_add(out, ",\"%s\":", attributes[i].name);
        if (gen_wrong(g, BAD_VALUE))
            value_bad(g, out);
        else if (attributes[i].type == '*')
            value_any(g, out, 1);
        else
            value_of(g, out, attributes[i].type);
    }
    if (gen_wrong(g, LARGE_ITEM)) pad(g, out);
    if (gen_wrong(g, DEEP_ITEM)) deep(g, out);
    if (g->layout == &layouts[LARGE] && gen_chance(g, 1, 2)) {
        text_add(out, ",\"fill\":{\"S\":\"");
        text_repeat(out, 'f', 20000 + gen_roll(g, 170000));
        text_add(out, "\"}");
    }
    text_add(out, "}");
}

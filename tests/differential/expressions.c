#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/generator.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH_MAX 5
#define CANDIDATES_MAX 64

const char *const function_names[FUNCTION_COUNT] = {"=",
                                                    "<>",
                                                    "<",
                                                    "<=",
                                                    ">",
                                                    ">=",
                                                    "BETWEEN",
                                                    "IN",
                                                    "attribute_exists",
                                                    "attribute_not_exists",
                                                    "attribute_type",
                                                    "begins_with",
                                                    "contains",
                                                    "size",
                                                    "if_not_exists"};

/* ── placeholders ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

void expression_begin(gen *g) {
    text_clear(&g->names);
    text_clear(&g->values);
    g->name_count = g->value_count = 0;
    g->only = F_NONE;
    g->negated = false;
    g->absent = -1;
    g->actions = 0;
}

static bool is_word(const char *name) {
    static const char *const bare[] = {"a", "b", "c",  "d",  "n", "s", "ss", "ns", "bs", "m",
                                       "t", "z", "pk", "sk", "g", "h", "k",  "e",  "b1", "d1"};
    for (size_t i = 0; i < COUNT_OF(bare); i++)
        if (strcmp(bare[i], name) == 0) return true;
    return false;
}

static void put_name(gen *g, text *out, const char *name) {
    static const char *const reserved[] = {"status", "name", "Data", "LIST", "ttl", "value"};
    if (gen_wrong(g, UNDEFINED_NAME)) {
        text_add(out, "#nope");
        return;
    }
    if (gen_wrong(g, RESERVED_WORD)) {
        text_add(out, "%s", reserved[gen_roll(g, COUNT_OF(reserved))]);
        return;
    }
    if (is_word(name) && gen_chance(g, 1, 2)) {
        text_add(out, "%s", name);
        return;
    }
    text_add(&g->names, "%s\"#n%u\":\"%s\"", g->name_count > 0 ? "," : "", g->name_count, name);
    text_add(out, "#n%u", g->name_count++);
}

/* The value is written to g->values by the caller, behind what this writes. */
static text *put_value(gen *g, text *out) {
    text_add(&g->values, "%s\":v%u\":", g->value_count > 0 ? "," : "", g->value_count);
    text_add(out, gen_wrong(g, UNDEFINED_VALUE) ? ":nope" : ":v%u", g->value_count);
    g->value_count++;
    return &g->values;
}

void expression_placeholders(gen *g, text *out) {
    if (gen_wrong(g, UNUSED_NAME)) text_add(&g->names, "%s\"#unused\":\"a\"", g->name_count++ > 0 ? "," : "");
    if (gen_wrong(g, UNUSED_VALUE)) text_add(&g->values, "%s\":unused\":{\"N\":\"1\"}", g->value_count++ > 0 ? "," : "");
    if (gen_wrong(g, WRONG_PLACEHOLDER)) {
        static const char *const wrong[] = {"a", "#", "# a", "#a b", ":a", "##", "", "#a-b"};
        const char *name = wrong[gen_roll(g, COUNT_OF(wrong))];
        if (gen_chance(g, 1, 2))
            text_add(&g->names, "%s\"%s\":\"a\"", g->name_count++ > 0 ? "," : "", name);
        else
            text_add(&g->values, "%s\"%s\":{\"S\":\"a\"}", g->value_count++ > 0 ? "," : "", name[0] == ':' ? ":" : name);
    }
    if (g->name_count > 0) text_add(out, ",\"ExpressionAttributeNames\":{%s}", text_of(&g->names));
    if (g->value_count > 0) text_add(out, ",\"ExpressionAttributeValues\":{%s}", text_of(&g->values));
}

/* ── paths ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct step {
    const char *name; /* NULL: an index of a list */
    uint32_t index;
} step;

typedef struct path {
    step steps[DEPTH_MAX];
    uint32_t depth;
    yyjson_val *value; /* what is there; NULL: nothing */
} path;

typedef struct candidates {
    path of[CANDIDATES_MAX];
    uint32_t count;
    const char *types;
} candidates;

static void gather(candidates *c, const path *at);

static void gather_below(candidates *c, const path *at) {
    size_t i, max;
    yyjson_val *name, *child, *map = yyjson_obj_get(at->value, "M"), *list = yyjson_obj_get(at->value, "L");
    path below = *at;
    below.depth++;
    if (map != NULL) yyjson_obj_foreach(map, i, max, name, child) {
            below.steps[at->depth] = (step){.name = yyjson_get_str(name)};
            below.value = child;
            gather(c, &below);
        }
    if (list != NULL) yyjson_arr_foreach(list, i, max, child) {
            below.steps[at->depth] = (step){.index = (uint32_t)i};
            below.value = child;
            gather(c, &below);
        }
}

static void gather(candidates *c, const path *at) {
    if (strchr(c->types, value_type(at->value)) != NULL && c->count < CANDIDATES_MAX) c->of[c->count++] = *at;
    if (at->depth < DEPTH_MAX) gather_below(c, at);
}

static path random_path(gen *g) {
    path p = {.steps = {{.name = value_name(g)}}, .depth = 1};
    while (p.depth < DEPTH_MAX && gen_chance(g, 1, 3))
        p.steps[p.depth++] = gen_chance(g, 1, 2) ? (step){.name = value_child(g)} : (step){.index = gen_roll(g, 4)};
    return p;
}

/* A path to what is there, of one of these types; a random one where there is none. */
static path pick_there(gen *g, const char *types) {
    candidates c;
    size_t i, max;
    yyjson_val *name, *value;
    c.count = 0;
    c.types = types;
    if (g->item != NULL) yyjson_obj_foreach(g->item, i, max, name, value) {
            path top = {.steps = {{.name = yyjson_get_str(name)}}, .depth = 1, .value = value};
            gather(&c, &top);
        }
    return c.count > 0 ? c.of[gen_roll(g, c.count)] : random_path(g);
}

#define ANY_TYPE "SNBsnbT0LM"

static path pick(gen *g, const char *types) { return gen_chance(g, 19, 20) ? pick_there(g, types) : random_path(g); }

static void put_path(gen *g, text *out, const path *p) {
    for (uint32_t i = 0; i < p->depth; i++) {
        if (p->steps[i].name == NULL) {
            text_add(out, "[%u]", p->steps[i].index);
            continue;
        }
        if (i > 0) text_add(out, ".");
        put_name(g, out, p->steps[i].name);
    }
}

/* ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static yyjson_val *scalar_of(const path *p) {
    yyjson_obj_iter iter = yyjson_obj_iter_with(p->value);
    return yyjson_obj_iter_get_val(yyjson_obj_iter_next(&iter));
}

static char scalar_type(const path *p, gen *g) {
    char type = p->value != NULL ? value_type(p->value) : 0;
    return type != 0 && strchr("SNB", type) != NULL ? type : "SNB"[gen_roll(g, 3)];
}

static void put_equality(gen *g, text *out, function f) {
    path p = pick(g, ANY_TYPE);
    bool mirrored = gen_chance(g, 1, 6);
    text left = {0}, right = {0};
    put_path(g, &left, &p);
    text *value = put_value(g, &right);
    if (p.value != NULL && gen_chance(g, 3, 5))
        value_copy(value, p.value);
    else
        value_any(g, value, 0);
    const char *operator= f == F_EQ ? "=" : "<>";
    text_add(out, "%s %s %s", text_of(mirrored ? &right : &left), operator, text_of(mirrored ? &left : &right));
    text_free(&left);
    text_free(&right);
}

static void put_order(gen *g, text *out, function f) {
    static const char *const operators[] = {"<", "<=", ">", ">="};
    path p = pick(g, gen_chance(g, 2, 3) ? "N" : "SNB"), other;
    text left = {0}, right = {0};
    bool mirrored = gen_chance(g, 1, 6);
    put_path(g, &left, &p);
    if (gen_chance(g, 1, 8) && (other = pick(g, (char[]){scalar_type(&p, g), '\0'})).value != NULL && other.value != p.value)
        put_path(g, &right, &other);
    else if (gen_wrong(g, WRONG_OPERAND))
        value_of(g, put_value(g, &right), "TLMs0"[gen_roll(g, 5)]);
    else if (p.value != NULL && gen_chance(g, 1, 4))
        value_copy(put_value(g, &right), p.value);
    else
        value_of(g, put_value(g, &right), scalar_type(&p, g));
    text_add(out, "%s %s %s", text_of(mirrored ? &right : &left), operators[f - F_LT], text_of(mirrored ? &left : &right));
    text_free(&left);
    text_free(&right);
}

static void put_between(gen *g, text *out) {
    path p = pick(g, "SNB");
    text low = {0}, high = {0};
    value_between(g, &low, &high, scalar_type(&p, g));
    put_path(g, out, &p);
    text_add(out, " BETWEEN ");
    text_add(put_value(g, out), "%s", text_of(&low));
    text_add(out, gen_chance(g, 1, 2) ? " AND " : " and ");
    text_add(put_value(g, out), "%s", text_of(&high));
    text_free(&low);
    text_free(&high);
}

static void put_in(gen *g, text *out) {
    path p = pick(g, ANY_TYPE);
    uint32_t count = gen_wrong(g, TOO_MANY) ? 99 + gen_roll(g, 3) : 1 + gen_roll(g, 5);
    uint32_t hit = p.value != NULL && gen_chance(g, 1, 2) ? gen_roll(g, count) : UINT32_MAX;
    put_path(g, out, &p);
    text_add(out, gen_chance(g, 1, 2) ? " IN (" : " in(");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) text_add(out, ", ");
        text *value = put_value(g, out);
        if (i == hit)
            value_copy(value, p.value);
        else
            value_any(g, value, 1);
    }
    text_add(out, ")");
}

static void put_exists(gen *g, text *out, function f) {
    path p = gen_chance(g, 1, 2) ? pick_there(g, ANY_TYPE) : random_path(g);
    text_add(out, "%s(", function_names[f]);
    put_path(g, out, &p);
    text_add(out, ")");
}

static void put_type(gen *g, text *out) {
    static const char *const types[] = {"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"};
    static const char *const wrong[] = {"{\"S\":\"X\"}", "{\"N\":\"1\"}", "{\"S\":\"\"}", "{\"S\":\"s\"}", "{\"SS\":[\"S\"]}"};
    path p = pick(g, ANY_TYPE);
    text_add(out, "attribute_type(");
    put_path(g, out, &p);
    text_add(out, ", ");
    text *value = put_value(g, out);
    size_t type = gen_roll(g, 10);
    if (p.value != NULL && gen_chance(g, 1, 2)) type = (size_t)(strchr(ANY_TYPE, value_type(p.value)) - ANY_TYPE);
    if (gen_wrong(g, WRONG_OPERAND))
        text_add(value, "%s", wrong[gen_roll(g, COUNT_OF(wrong))]);
    else
        text_add(value, "{\"S\":\"%s\"}", types[type]);
    text_add(out, ")");
}

/* Of what is there, the first bytes: half of it, so that it is one. */
static void put_prefix(gen *g, text *value, const path *p) {
    const char *whole = p->value != NULL ? yyjson_get_str(scalar_of(p)) : NULL;
    char type = scalar_type(p, g);
    if (type == 'N') type = 'S';
    if (whole == NULL || value_type(p->value) != type || !gen_chance(g, 1, 2)) {
        value_of(g, value, type);
        return;
    }
    size_t len = strlen(whole), take = type == 'B' ? len / 8 * 4 : gen_roll(g, (uint32_t)(len > 1000 ? 1000 : len) + 1);
    for (size_t i = 0; i < take; i++)
        if ((unsigned char)whole[i] >= 0x80 || whole[i] == '"') take = i;
    text_add(value, "{\"%c\":\"%.*s\"}", type, (int)take, whole);
}

static void put_begins(gen *g, text *out) {
    path p = pick(g, "SB");
    text_add(out, "begins_with(");
    put_path(g, out, &p);
    text_add(out, gen_chance(g, 1, 2) ? ", " : ",");
    text *value = put_value(g, out);
    if (gen_wrong(g, WRONG_OPERAND))
        value_of(g, value, "NTLMsn0"[gen_roll(g, 7)]);
    else
        put_prefix(g, value, &p);
    text_add(out, ")");
}

static void put_member(gen *g, text *value, const path *p) {
    char type = p->value != NULL ? value_type(p->value) : '0';
    yyjson_val *members = p->value != NULL ? scalar_of(p) : NULL, *one;
    size_t count = yyjson_arr_size(members);
    if (type == 'S' || type == 'B') {
        put_prefix(g, value, p);
    } else if (count == 0 || !gen_chance(g, 3, 5)) {
        value_any(g, value, 1);
    } else if (type == 'L') {
        value_copy(value, yyjson_arr_get(members, gen_roll(g, (uint32_t)count)));
    } else {
        one = yyjson_arr_get(members, gen_roll(g, (uint32_t)count));
        text_add(value, "{\"%c\":", type == 's' ? 'S' : type == 'n' ? 'N' : 'B');
        value_copy(value, one);
        text_add(value, "}");
    }
}

static void put_contains(gen *g, text *out) {
    path p = pick(g, "SBsnbL");
    text_add(out, "contains(");
    put_path(g, out, &p);
    text_add(out, ", ");
    put_member(g, put_value(g, out), &p);
    text_add(out, ")");
}

static int64_t size_of(const path *p) {
    if (p->value == NULL) return 2;
    yyjson_val *v = scalar_of(p);
    if (yyjson_is_arr(v)) return (int64_t)yyjson_arr_size(v);
    if (yyjson_is_obj(v)) return (int64_t)yyjson_obj_size(v);
    size_t len = yyjson_get_len(v);
    if (value_type(p->value) != 'B') return (int64_t)len;
    const char *coded = yyjson_get_str(v);
    return (int64_t)(len / 4 * 3) - (len > 0 && coded[len - 1] == '=') - (len > 1 && coded[len - 2] == '=');
}

static void put_size(gen *g, text *out) {
    static const char *const operators[] = {"=", "<>", "<", "<=", ">", ">=", " BETWEEN ", " IN "};
    path p = pick(g, gen_chance(g, 9, 10) ? "SBsnbLM" : ANY_TYPE);
    uint32_t operator= gen_roll(g, 8);
    int64_t size = size_of(&p) + (int64_t)gen_roll(g, 3) - 1;
    text_add(out, "size(");
    put_path(g, out, &p);
    text_add(out, ")%s%s", operators[operator], operator== 7 ? "(" : "");
    text_add(put_value(g, out), "{\"N\":\"%lld\"}", (long long)size);
    if (operator== 6) text_add(out, " AND ");
    if (operator== 6) text_add(put_value(g, out), "{\"N\":\"%lld\"}", (long long)size + gen_roll(g, 3));
    if (operator== 7) text_add(out, ")");
}

static void put_wrong_function(gen *g, text *out) {
    static const char *const wrong[] = {"nope(a)",
                                        "attribute_exists(a, b)",
                                        "attribute_exists()",
                                        "attribute_exists(:x)",
                                        "size(a)",
                                        "size(:x) = :x",
                                        "size(a, b) = :x",
                                        "attribute_type(a)",
                                        "attribute_type(a, b)",
                                        "begins_with(a)",
                                        "begins_with(a, a)",
                                        "contains(a, a)",
                                        "contains(:x, :x)",
                                        "if_not_exists(a, :x) = :x",
                                        "list_append(a, :x)",
                                        "ATTRIBUTE_EXISTS(a)",
                                        "a = a",
                                        ":x = :x",
                                        "a IN (a)",
                                        "NOT a",
                                        "a",
                                        "a = attribute_exists(b)",
                                        "begins_with(:x, :x)",
                                        "size(size(a)) > :x",
                                        "a BETWEEN :x",
                                        "a = b = c",
                                        "a.b[0][1] = :x AND a.[0] = :x",
                                        "a[-1] = :x",
                                        "a[0x1] = :x",
                                        "a..b = :x",
                                        "a == :x",
                                        "a != :x",
                                        "attribute_exists(a) AND",
                                        "a = :x OR OR b = :x"};
    const char *chosen = wrong[gen_roll(g, COUNT_OF(wrong))];
    if (strstr(chosen, ":x") != NULL) text_add(&g->values, "%s\":x\":{\"N\":\"1\"}", g->value_count++ > 0 ? "," : "");
    text_add(out, "%s", chosen);
}

static function put_leaf(gen *g, text *out) {
    function f = (function)gen_roll(g, F_SIZE + 1);
    if (gen_wrong(g, WRONG_FUNCTION)) {
        put_wrong_function(g, out);
        return F_NONE;
    }
    if (f <= F_NE) put_equality(g, out, f);
    if (f >= F_LT && f <= F_GE) put_order(g, out, f);
    if (f == F_BETWEEN) put_between(g, out);
    if (f == F_IN) put_in(g, out);
    if (f == F_EXISTS || f == F_NOT_EXISTS) put_exists(g, out, f);
    if (f == F_TYPE) put_type(g, out);
    if (f == F_BEGINS) put_begins(g, out);
    if (f == F_CONTAINS) put_contains(g, out);
    if (f == F_SIZE) put_size(g, out);
    return f;
}

static void put_tree(gen *g, text *out, int depth) {
    bool parentheses = gen_chance(g, 1, 3), twice = parentheses && gen_wrong(g, REDUNDANT_PARENTHESES);
    if (twice) text_add(out, "(");
    if (parentheses) text_add(out, "(");
    if (gen_chance(g, 1, 5)) text_add(out, gen_chance(g, 3, 4) ? "NOT " : "not ");
    if (depth == 0 || gen_chance(g, 1, 3)) {
        put_leaf(g, out);
    } else {
        put_tree(g, out, depth - 1);
        text_add(out, gen_chance(g, 1, 2) ? " AND " : " OR ");
        put_tree(g, out, depth - 1);
    }
    if (parentheses) text_add(out, ")");
    if (twice) text_add(out, ")");
}

static void put_long(gen *g, text *out) {
    uint32_t count = gen_chance(g, 1, 2) ? 299 + gen_roll(g, 4) : 1;
    for (uint32_t i = 0; i < count; i++)
        text_add(out, "%sa=b", i > 0 ? " OR " : "");
    if (count == 1) text_repeat(out, ' ', 4096 - 3 - 1 + gen_roll(g, 3));
}

/* Characters and words taken out, doubled or put in. */
static void break_syntax(gen *g, text *out) {
    static const char *const pieces[] = {"(", ")",     ",", " AND ", "=", ".",       "[", "]",   "#", ":",
                                         "<", " NOT ", "'", "\\\"",  "1", "\\u00e9", " ", " a ", "&", "-"};
    text broken = {0};
    uint32_t at = gen_roll(g, (uint32_t)out->len + 1);
    while (at > 0 && out->at[at - 1] == '\\')
        at--; /* not within an escape */
    uint32_t drop = gen_chance(g, 1, 2) && at < out->len ? 1 : 0;
    if (memchr(out->at, '\\', out->len) != NULL || (out->len > at && (unsigned char)out->at[at] >= 0x80)) drop = 0, at = (uint32_t)out->len;
    text_put(&broken, text_of(out), at);
    if (!drop) text_add(&broken, "%s", pieces[gen_roll(g, COUNT_OF(pieces))]);
    text_add(&broken, "%s", text_of(out) + at + drop);
    text_free(out);
    *out = broken;
}

static void finish(gen *g, text *out) {
    if (gen_wrong(g, EMPTY_EXPRESSION)) text_clear(out);
    if (out->len > 0 && gen_wrong(g, BROKEN_SYNTAX)) {
        break_syntax(g, out);
        g->only = F_NONE;
    }
}

void expression_condition(gen *g, text *out) {
    g->only = F_NONE;
    if (gen_wrong(g, LONG_EXPRESSION)) {
        put_long(g, out);
    } else if (gen_chance(g, 3, 5)) {
        g->negated = gen_chance(g, 1, 5);
        if (g->negated) text_add(out, "NOT ");
        g->only = put_leaf(g, out);
    } else {
        put_tree(g, out, 1 + (int)gen_roll(g, 2));
    }
    finish(g, out);
}

void expression_filter(gen *g, text *out) { expression_condition(g, out); }

/* ── key conditions ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_range(gen *g, text *out, key_def range) {
    static const char *const operators[] = {"=", "<", "<=", ">", ">=", "<>"};
    uint32_t kind = gen_roll(g, range.type == 'N' ? 7 : 9), operator= kind<5 ? kind : gen_roll(g, 5);
    if (gen_wrong(g, WRONG_FUNCTION)) operator= 5, kind = 0;
    if (kind == 6) {
        text low = {0}, high = {0};
        value_between(g, &low, &high, range.type);
        put_name(g, out, range.name);
        text_add(out, " BETWEEN ");
        text_add(put_value(g, out), "%s", text_of(&low));
        text_add(out, " AND ");
        text_add(put_value(g, out), "%s", text_of(&high));
        text_free(&low);
        text_free(&high);
        return;
    }
    if (kind > 6) text_add(out, "begins_with(");
    put_name(g, out, range.name);
    if (kind > 6)
        text_add(out, ", ");
    else
        text_add(out, " %s ", operators[operator]);
    value_key(g, put_value(g, out), range);
    if (kind > 6) text_add(out, ")");
}

void expression_key(gen *g, text *out, const char *hash_value) {
    text first = {0}, second = {0};
    if (gen_wrong(g, MISSING_KEY)) {
        if (g->order->range.name != NULL)
            put_range(g, out, g->order->range);
        else
            text_add(out, "a = b");
        return;
    }
    put_name(g, &first, g->order->hash.name);
    text_add(&first, " = ");
    if (hash_value != NULL)
        text_add(put_value(g, &first), "%s", hash_value);
    else
        value_key(g, put_value(g, &first), g->order->hash);
    bool ranged = g->order->range.name != NULL && gen_chance(g, 1, 2);
    if (ranged) put_range(g, &second, g->order->range);
    bool swapped = ranged && gen_chance(g, 1, 5);
    if (ranged)
        text_add(out, "%s AND %s", text_of(swapped ? &second : &first), text_of(swapped ? &first : &second));
    else
        text_add(out, "%s", text_of(&first));
    if (gen_wrong(g, OVERLAPPING_PATHS)) text_add(out, " AND %s", text_of(&first));
    finish(g, out);
    text_free(&first);
    text_free(&second);
}

/* ── projections ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct taken {
    const char *names[8];
    size_t count;
} taken;

/* Whether the path begins with a name that no other has; notes it. */
static bool take(taken *t, const char *name) {
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->names[i], name) == 0) return false;
    if (t->count == COUNT_OF(t->names)) return false;
    t->names[t->count++] = name;
    return true;
}

static bool is_key(const gen *g, const char *name) {
    const order *own = &g->layout->orders[0];
    return strcmp(name, own->hash.name) == 0 || (own->range.name != NULL && strcmp(name, own->range.name) == 0);
}

void expression_projection(gen *g, text *out) {
    taken t = {0};
    bool overlaps = gen_wrong(g, OVERLAPPING_PATHS);
    for (uint32_t i = 0, n = 1 + gen_roll(g, 4); i < n; i++) {
        path p = pick(g, ANY_TYPE);
        if (!overlaps && !take(&t, p.steps[0].name)) continue;
        if (i > 0) text_add(out, gen_chance(g, 1, 2) ? ", " : ",");
        put_path(g, out, &p);
        if (!overlaps) continue;
        text_add(out, ", ");
        if (gen_chance(g, 1, 2) && p.depth > 1) p.depth--;
        put_path(g, out, &p);
        overlaps = false;
        break;
    }
    if (gen_wrong(g, LONG_EXPRESSION)) text_repeat(out, ' ', 4096 - out->len - 1 + gen_roll(g, 3));
    finish(g, out);
}

/* ── updates ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static path target(gen *g, taken *t, const char *types) {
    for (int tries = 0; tries < 8; tries++) {
        path p = gen_chance(g, 2, 3) ? pick_there(g, types) : random_path(g);
        if (is_key(g, p.steps[0].name) && !gen_wrong(g, CHANGED_KEY)) continue;
        if (take(t, p.steps[0].name)) return p;
    }
    return (path){.depth = 0};
}

static void put_operand(gen *g, text *out, const char *types) {
    if (gen_chance(g, 1, 2)) {
        path p = pick(g, types);
        put_path(g, out, &p);
    } else {
        value_of(g, put_value(g, out), types[gen_roll(g, (uint32_t)strlen(types))]);
    }
}

static void put_if_not_exists(gen *g, text *out, const char *types) {
    path p = gen_chance(g, 1, 2) ? pick_there(g, types) : random_path(g);
    text_add(out, "if_not_exists(");
    put_path(g, out, &p);
    text_add(out, ", ");
    if (g->spoiled) /* a path might be the same one */
        value_of(g, put_value(g, out), types[gen_roll(g, (uint32_t)strlen(types))]);
    else
        put_operand(g, out, types);
    text_add(out, ")");
    if (p.value != NULL || g->item != NULL) g->absent = g->absent == -1 ? p.value == NULL : -2;
}

static void put_append(gen *g, text *out) {
    text_add(out, "list_append(");
    put_operand(g, out, gen_wrong(g, WRONG_OPERAND) ? "S" : "L");
    text_add(out, ", ");
    if (gen_chance(g, 1, 4))
        put_if_not_exists(g, out, "L");
    else
        put_operand(g, out, "L");
    text_add(out, ")");
}

static void put_sum(gen *g, text *out) {
    if (gen_chance(g, 1, 3))
        put_if_not_exists(g, out, "N");
    else
        put_operand(g, out, gen_wrong(g, WRONG_OPERAND) ? "SLs" : "N");
    text_add(out, gen_chance(g, 2, 3) ? " + " : " - ");
    put_operand(g, out, "N");
}

static void put_index_key(gen *g, text *out, const char *name) {
    static const key_def keys[] = {{"g", 'S'}, {"h", 'N'}, {"k", 'N'}, {"e", 'S'}};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(keys[i].name, name) == 0 && !gen_wrong(g, WRONG_INDEX_KEY)) {
            value_key(g, put_value(g, out), keys[i]);
            return;
        }
    value_any(g, put_value(g, out), 1);
}

static void put_set(gen *g, text *out, taken *t) {
    static const uint8_t weights[] = {6, 3, 3, 3, 2, 1, 0};
    size_t kind = dice_weighted(&g->dice, weights);
    path p = target(g, t, kind == 2 ? "N" : kind == 4 ? "L" : ANY_TYPE);
    if (p.depth == 0) p = (path){.steps = {{.name = "fresh"}}, .depth = 1};
    if (gen_chance(g, 1, 8) && take(t, "g")) p = (path){.steps = {{.name = "g"}}, .depth = 1};
    if (gen_chance(g, 1, 8) && take(t, "h")) p = (path){.steps = {{.name = "h"}}, .depth = 1};
    put_path(g, out, &p);
    text_add(out, gen_chance(g, 1, 2) ? " = " : "=");
    if (kind == 0) put_index_key(g, out, p.steps[0].name);
    if (kind == 1) put_if_not_exists(g, out, ANY_TYPE);
    if (kind == 2) put_sum(g, out);
    if (kind == 3) put_operand(g, out, ANY_TYPE);
    if (kind == 4) put_append(g, out);
    if (kind == 5) put_operand(g, out, "S");
}

static void put_remove(gen *g, text *out, taken *t) {
    path p = target(g, t, ANY_TYPE);
    if (p.depth == 0) p = (path){.steps = {{.name = "gone"}}, .depth = 1};
    put_path(g, out, &p);
}

static void put_add(gen *g, text *out, taken *t) {
    path p = target(g, t, "Nsnb");
    if (p.depth == 0) p = (path){.steps = {{.name = "count"}}, .depth = 1};
    if (gen_chance(g, 9, 10)) p.depth = 1;
    char type = p.value != NULL && p.depth == 1 ? value_type(p.value) : "Nsnb"[gen_roll(g, 4)];
    if (strchr("Nsnb", type) == NULL) type = "Nsnb"[gen_roll(g, 4)];
    if (gen_wrong(g, WRONG_OPERAND)) type = "SBTLM0"[gen_roll(g, 6)];
    put_path(g, out, &p);
    text_add(out, " ");
    value_of(g, put_value(g, out), type);
}

static void put_delete(gen *g, text *out, taken *t) {
    path p = target(g, t, "snb");
    if (p.depth == 0) p = (path){.steps = {{.name = "tags"}}, .depth = 1};
    char type = p.value != NULL ? value_type(p.value) : "snb"[gen_roll(g, 3)];
    put_path(g, out, &p);
    text_add(out, " ");
    text *value = put_value(g, out);
    if (gen_wrong(g, WRONG_OPERAND) || strchr("snb", type) == NULL)
        value_of(g, value, "SNLs"[gen_roll(g, 4)]);
    else if (p.value != NULL && gen_chance(g, 1, 2))
        value_copy(value, p.value);
    else
        value_of(g, value, type);
}

static void put_overlap(text *out) { text_add(out, " SET m.a = m.a, m.a.b = m.a"); }

static void put_wrong_update(gen *g, text *out) {
    static const char *const wrong[] = {"SET a",
                                        "SET a = ",
                                        "SET a = :x :x",
                                        "SET a = :x SET b = :x",
                                        "ADD a b",
                                        "ADD a",
                                        "DELETE a",
                                        "REMOVE a REMOVE b",
                                        "REMOVE",
                                        "SET a = attribute_exists(b)",
                                        "SET a = size(b)",
                                        "SET a = nope(b)",
                                        "SET a = list_append(b)",
                                        "SET a = list_append(b, b, b)",
                                        "SET a = if_not_exists(b)",
                                        "SET a = if_not_exists(:x, :x)",
                                        "SET a = if_not_exists(list_append(a, a), :x)",
                                        "SET a = :x + :x + :x",
                                        "SET a = (:x)",
                                        "SET a = (:x + :x)",
                                        "SET a = b * c",
                                        "SET :x = :x",
                                        "SET a[:x] = :x",
                                        "UPSERT a = :x",
                                        "a = :x",
                                        "SET a = :x, ",
                                        "SET a = if_not_exists(a, if_not_exists(b, :x))",
                                        "SET a = list_append(list_append(l, l), l)",
                                        "set a = :x remove b",
                                        "SET a[99] = :x REMOVE l[99]"};
    const char *chosen = wrong[gen_roll(g, COUNT_OF(wrong))];
    if (strstr(chosen, ":x") != NULL) text_add(&g->values, "%s\":x\":{\"N\":\"1\"}", g->value_count++ > 0 ? "," : "");
    text_add(out, "%s", chosen);
}

void expression_update(gen *g, text *out) {
    static const struct {
        const char *word;
        void (*put)(gen *g, text *out, taken *t);
    } clauses[] = {{"SET", put_set}, {"REMOVE", put_remove}, {"ADD", put_add}, {"DELETE", put_delete}};
    static const uint8_t chances[] = {6, 3, 2, 2};
    taken t = {0};
    if (gen_wrong(g, WRONG_FUNCTION)) {
        put_wrong_update(g, out);
        return;
    }
    for (size_t i = 0, begin = gen_roll(g, 4); i < 4; i++) {
        size_t c = (begin + i) % 4;
        if (!gen_chance(g, chances[c], 8)) continue;
        text_add(out, "%s%s ", out->len > 0 ? " " : "", clauses[c].word);
        for (uint32_t n = 1 + gen_roll(g, 2), k = 0; k < n; k++) {
            if (k > 0) text_add(out, ", ");
            clauses[c].put(g, out, &t);
            g->actions++;
        }
    }
    if (out->len == 0) text_add(out, "REMOVE gone");
    if (gen_wrong(g, OVERLAPPING_PATHS)) put_overlap(out);
    if (gen_wrong(g, LONG_EXPRESSION) && out->len < 4000) text_repeat(out, ' ', 4096 - out->len - 1 + gen_roll(g, 3));
    finish(g, out);
}

/* ── into a request ────────────────────────────────────────────────────────────────────────────────────────────────────── */

void expression_member(gen *g, text *out, const char *name, void (*write)(gen *g, text *out)) {
    text_clear(&g->expression);
    write(g, &g->expression);
    text_add(out, ",\"%s\":\"%s\"", name, text_of(&g->expression));
}

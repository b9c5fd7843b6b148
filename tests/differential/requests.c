#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/generator.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ONE_OF(g, a) ((a)[gen_roll(g, (uint32_t)COUNT_OF(a))])

#define BY(h, r) "{\"AttributeName\":\"" h "\",\"KeyType\":\"HASH\"}" r
#define AND(r) ",{\"AttributeName\":\"" r "\",\"KeyType\":\"RANGE\"}"
#define PROJECTS(kind) "{\"ProjectionType\":\"" kind "\"}"
#define INCLUDES(names) "{\"ProjectionType\":\"INCLUDE\",\"NonKeyAttributes\":[" names "]}"

const layout layouts[LAYOUT_COUNT] = {
    [PLAIN] = {"plain", {{NULL, {"pk", 'S'}, {NULL, 0}, false, NULL}}, 1},
    [RICH] = {"rich",
              {{NULL, {"pk", 'S'}, {"sk", 'N'}, false, NULL},
               {"gsi", {"g", 'S'}, {"h", 'N'}, true, PROJECTS("ALL")},
               {"gsk", {"k", 'N'}, {NULL, 0}, true, PROJECTS("KEYS_ONLY")},
               {"lsi", {"pk", 'S'}, {"h", 'N'}, false, PROJECTS("KEYS_ONLY")},
               {"lsj", {"pk", 'S'}, {"e", 'S'}, false, INCLUDES("\"a\",\"b\"")}},
              5},
    [BINARY] = {"binary",
                {{NULL, {"pk", 'B'}, {"sk", 'S'}, false, NULL}, {"gsi", {"g", 'S'}, {NULL, 0}, true, INCLUDES("\"a\",\"m\"")}},
                2},
    [NUMBER] = {"number", {{NULL, {"pk", 'N'}, {"sk", 'B'}, false, NULL}}, 1},
    [LARGE] = {"large", {{NULL, {"pk", 'S'}, {"sk", 'N'}, false, NULL}, {"lsi", {"pk", 'S'}, {"h", 'N'}, false, PROJECTS("ALL")}}, 2},
};

/* ── the generator ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void gen_init(gen *g, uint64_t seed, sides *both, const char *prefix) { *g = (gen){.dice = {seed}, .sides = both, .prefix = prefix}; }

void gen_clean_up(gen *g) {
    text *const texts[] = {&g->out, &g->expression, &g->names, &g->values, &g->key, &g->last_transaction, &g->last_token};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        text_free(texts[i]);
    yyjson_doc_free(g->there);
}

bool gen_chance(gen *g, uint32_t n, uint32_t of) { return dice_chance(&g->dice, n, of); }
uint32_t gen_roll(gen *g, uint32_t below) { return dice_roll(&g->dice, below); }

bool gen_wrong(gen *g, spoil in) {
    if (g->spoil != in || !gen_chance(g, 1, 2)) return false;
    g->spoil = NO_SPOIL;
    return true;
}

void request_begin(gen *g, const char *operation) {
    static const uint8_t weights[] = {6, 8, 4, 3, 2, 0};
    g->operation = operation;
    g->layout = &layouts[dice_weighted(&g->dice, weights)];
    if (g->layout == &layouts[LARGE] && gen_chance(g, 3, 4)) g->layout = &layouts[RICH];
    g->order = &g->layout->orders[0];
    text_clear(&g->out);
    text_clear(&g->key);
    expression_begin(g);
    yyjson_doc_free(g->there);
    g->there = NULL;
    g->item = NULL;
}

void request_table(gen *g, text *out) {
    static const char *const bad[] = {"", "a", "ab", "with space", "a/b", "\\u00e9\\u00e9\\u00e9"};
    if (gen_wrong(g, NO_TABLE))
        text_add(out, "\"TableName\":\"%snone\"", g->prefix);
    else if (gen_wrong(g, BAD_TABLE_NAME))
        text_add(out, "\"TableName\":\"%s\"", ONE_OF(g, bad));
    else
        text_add(out, "\"TableName\":\"%s%s\"", g->prefix, g->layout->name);
}

/* What the engine has under the key; a wrong key has nothing. */
void request_peek(gen *g, const char *key) {
    text get = {0};
    twin broken = g->sides->engine.twin;
    g->sides->engine.twin = NO_TWIN;
    text_add(&get, "{\"TableName\":\"%s%s\",\"Key\":%s,\"ConsistentRead\":true}", g->prefix, g->layout->name, key);
    reply r = side_ask(&g->sides->engine, "GetItem", text_of(&get), get.len);
    g->sides->engine.twin = broken;
    text_free(&get);
    yyjson_doc_free(g->there);
    g->there = r.doc;
    g->item = r.http_status == 200 ? yyjson_obj_get(reply_root(&r), "Item") : NULL;
}

/* A key, of an item that is there three times in four. */
static void pick_key(gen *g) {
    bool wants = gen_chance(g, 7, 8);
    for (int tries = 0; tries < 8; tries++) {
        spoil later = g->spoil;
        text_clear(&g->key);
        key_write(g, &g->key, true);
        request_peek(g, text_of(&g->key));
        if (g->item != NULL || !wants || later != g->spoil) return;
    }
}

/* ── members that many have ────────────────────────────────────────────────────────────────────────────────────────────── */

static void member_word(gen *g, text *out, const char *name, const char *const *words, uint32_t count) {
    static const char *const bad[] = {"NOPE", "", "none", "ALL", "UPDATED"};
    if (gen_wrong(g, BAD_WORD))
        text_add(out, ",\"%s\":\"%s\"", name, ONE_OF(g, bad));
    else if (gen_chance(g, 1, 2))
        text_add(out, ",\"%s\":\"%s\"", name, words[gen_roll(g, count)]);
}

static void member_legacy(gen *g, text *out) {
    static const char *const legacy[] = {
        ",\"Expected\":{\"a\":{\"Exists\":false}}",
        ",\"AttributeUpdates\":{\"a\":{\"Action\":\"DELETE\"}}",
        ",\"AttributesToGet\":[\"a\"]",
        ",\"ConditionalOperator\":\"AND\"",
        ",\"QueryFilter\":{\"a\":{\"ComparisonOperator\":\"NULL\"}}",
        ",\"ScanFilter\":{\"a\":{\"ComparisonOperator\":\"NULL\"}}",
        ",\"KeyConditions\":{\"pk\":{\"ComparisonOperator\":\"EQ\",\"AttributeValueList\":[{\"S\":\"a\"}]}}"};
    if (gen_wrong(g, LEGACY)) text_add(out, "%s", ONE_OF(g, legacy));
}

static void member_common(gen *g, text *out) {
    static const char *const capacity[] = {"NONE", "TOTAL", "INDEXES"};
    if (gen_chance(g, 1, 8)) member_word(g, out, "ReturnConsumedCapacity", capacity, 3);
    member_legacy(g, out);
    expression_placeholders(g, out);
}

static void member_consistent(gen *g, text *out) {
    if (gen_chance(g, 1, 3)) text_add(out, ",\"ConsistentRead\":%s", gen_chance(g, 1, 2) ? "true" : "false");
}

/* ── one item ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void get_item(gen *g, text *out) {
    pick_key(g);
    text_add(out, ",\"Key\":%s", text_of(&g->key));
    if (gen_chance(g, 2, 3)) expression_member(g, out, "ProjectionExpression", expression_projection);
    member_consistent(g, out);
}

static void member_condition(gen *g, text *out) {
    static const char *const failure[] = {"ALL_OLD", "NONE"};
    if (gen_chance(g, 2, 3)) {
        expression_member(g, out, "ConditionExpression", expression_condition);
        member_word(g, out, "ReturnValuesOnConditionCheckFailure", failure, 2);
    }
}

/* Its key alone, as the item has it. */
static void key_of(gen *g, const char *item) {
    yyjson_doc *doc = yyjson_read(item, strlen(item), 0);
    const order *own = &g->layout->orders[0];
    yyjson_val *hash = yyjson_obj_get(yyjson_doc_get_root(doc), own->hash.name), *range = NULL;
    if (own->range.name != NULL) range = yyjson_obj_get(yyjson_doc_get_root(doc), own->range.name);
    text_clear(&g->key);
    if (hash != NULL && (range != NULL || own->range.name == NULL)) {
        text_add(&g->key, "{\"%s\":", own->hash.name);
        value_copy(&g->key, hash);
        if (range != NULL) text_add(&g->key, ",\"%s\":", own->range.name);
        if (range != NULL) value_copy(&g->key, range);
        text_add(&g->key, "}");
    }
    yyjson_doc_free(doc);
}

static void put_item(gen *g, text *out) {
    static const char *const values[] = {"NONE", "ALL_OLD", "ALL_OLD", "ALL_NEW", "UPDATED_OLD"};
    text item = {0};
    bool replaces = gen_chance(g, 1, 2);
    for (int tries = 0; tries < 4; tries++) {
        spoil later = g->spoil;
        text_clear(&item);
        item_write(g, &item);
        key_of(g, text_of(&item));
        if (g->key.len > 0) request_peek(g, text_of(&g->key));
        if (!replaces || g->item != NULL || later != g->spoil) break;
    }
    text_add(out, ",\"Item\":%s", text_of(&item));
    text_free(&item);
    if (g->item != NULL || gen_chance(g, 1, 4)) member_condition(g, out); /* else there would be nothing to be right about */
    member_word(g, out, "ReturnValues", values, !g->spoiled && gen_chance(g, 1, 10) ? 5 : 3);
}

static void update_item(gen *g, text *out) {
    static const char *const values[] = {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"};
    pick_key(g);
    text_add(out, ",\"Key\":%s", text_of(&g->key));
    if (!gen_chance(g, 1, 20)) expression_member(g, out, "UpdateExpression", expression_update);
    int absent = g->absent;
    if (gen_chance(g, 1, 3)) member_condition(g, out);
    g->absent = absent;
    member_word(g, out, "ReturnValues", values, 5);
}

static void delete_item(gen *g, text *out) {
    static const char *const values[] = {"NONE", "ALL_OLD", "ALL_NEW"};
    pick_key(g);
    text_add(out, ",\"Key\":%s", text_of(&g->key));
    member_condition(g, out);
    member_word(g, out, "ReturnValues", values, !g->spoiled && gen_chance(g, 1, 10) ? 3 : 2);
}

void request_item(gen *g, const char *operation) {
    static const struct {
        const char *operation;
        void (*write)(gen *g, text *out);
    } writers[] = {{"GetItem", get_item}, {"PutItem", put_item}, {"UpdateItem", update_item}, {"DeleteItem", delete_item}};
    request_begin(g, operation);
    text_add(&g->out, "{");
    request_table(g, &g->out);
    for (size_t i = 0; i < COUNT_OF(writers); i++)
        if (strcmp(writers[i].operation, operation) == 0) writers[i].write(g, &g->out);
    member_common(g, &g->out);
    text_add(&g->out, "}");
}

/* ── several items in an order ─────────────────────────────────────────────────────────────────────────────────────────── */

static void pick_order(gen *g) {
    if (g->layout->count > 1 && gen_chance(g, 1, 2)) g->order = &g->layout->orders[gen_roll(g, (uint32_t)g->layout->count)];
    if (g->layout == &layouts[PLAIN] && gen_chance(g, 2, 3)) g->layout = &layouts[RICH], g->order = &g->layout->orders[gen_roll(g, 5)];
}

static void member_index(gen *g, text *out) {
    if (gen_wrong(g, BAD_INDEX))
        text_add(out, ",\"IndexName\":\"%s\"", gen_chance(g, 1, 2) ? "none" : "x");
    else if (g->order->index != NULL)
        text_add(out, ",\"IndexName\":\"%s\"", g->order->index);
}

static void member_limit(gen *g, text *out) {
    if (gen_wrong(g, BAD_LIMIT))
        text_add(out, ",\"Limit\":%d", (int)gen_roll(g, 2) - 1);
    else if (gen_chance(g, 1, 3))
        text_add(out, ",\"Limit\":%u", 1 + gen_roll(g, 6));
}

static void member_select(gen *g, text *out, bool projects) {
    static const char *const selects[] = {"COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES"};
    if (gen_wrong(g, BAD_SELECT))
        text_add(out, ",\"Select\":\"%s\"", gen_chance(g, 1, 4) ? "SOME" : ONE_OF(g, selects));
    else if (!projects && gen_chance(g, 1, 4))
        text_add(out, ",\"Select\":\"%s\"", g->order->index != NULL ? selects[gen_roll(g, 2) * 2] : selects[gen_roll(g, 2)]);
    else if (projects && gen_chance(g, 1, 4))
        text_add(out, ",\"Select\":\"SPECIFIC_ATTRIBUTES\"");
}

static void member_start(gen *g, text *out) {
    text key = {0};
    if (!gen_wrong(g, BAD_START)) return;
    spoil kinds[] = {MISSING_KEY, WRONG_KEY_TYPE, EXTRA_KEY, EMPTY_KEY};
    g->spoil = ONE_OF(g, kinds);
    for (int tries = 0; tries < 8 && g->spoil != NO_SPOIL; tries++) { /* a good key would begin elsewhere on each side */
        text_clear(&key);
        key_write(g, &key, true);
    }
    if (g->spoil == NO_SPOIL) text_add(out, ",\"ExclusiveStartKey\":%s", text_of(&key));
    g->spoil = NO_SPOIL;
    text_free(&key);
}

/* What is there gives conditions something to be about: any item of the table will do. */
static void peek_any(gen *g) {
    text key = {0};
    for (int tries = 0; tries < 3 && g->item == NULL; tries++) {
        text_clear(&key);
        key_write(g, &key, false);
        request_peek(g, text_of(&key));
    }
    text_free(&key);
}

/* Of an index that hasn't all, what it doesn't project is a fault of its own. */
static bool has_all(const gen *g) { return g->order->index == NULL || strstr(g->order->projection, "ALL") != NULL; }

/* Local's Scan shows a filter what a global index doesn't have; a global index can't fetch from its table (developer guide). */
static void member_filter(gen *g, text *out) {
    if (!has_all(g) && g->order->global && strcmp(g->operation, "Scan") == 0) return;
    if (gen_chance(g, 1, has_all(g) ? 2 : g->spoiled ? 1000 : 6)) expression_member(g, out, "FilterExpression", expression_filter);
}

static bool member_projection(gen *g, text *out) {
    bool projects = gen_chance(g, 1, has_all(g) ? 3 : g->spoiled ? 1000 : 6);
    if (projects) expression_member(g, out, "ProjectionExpression", expression_projection);
    return projects;
}

static void query_key(gen *g, text *out) {
    yyjson_val *hash = g->item != NULL ? yyjson_obj_get(g->item, g->order->hash.name) : NULL;
    text value = {0};
    if (hash != NULL && gen_chance(g, 3, 4)) value_copy(&value, hash);
    expression_key(g, out, value.len > 0 ? text_of(&value) : NULL);
    text_free(&value);
}

void request_query(gen *g) {
    text *out = &g->out;
    request_begin(g, "Query");
    pick_order(g);
    peek_any(g);
    text_add(out, "{");
    request_table(g, out);
    member_index(g, out);
    if (!gen_wrong(g, NOTHING)) expression_member(g, out, "KeyConditionExpression", query_key);
    member_filter(g, out);
    member_select(g, out, member_projection(g, out));
    member_limit(g, out);
    member_start(g, out);
    if (gen_chance(g, 1, 3)) text_add(out, ",\"ScanIndexForward\":%s", gen_chance(g, 1, 3) ? "true" : "false");
    if (!g->order->global || gen_wrong(g, EVENTUAL_ONLY)) member_consistent(g, out);
    member_common(g, out);
    text_add(out, "}");
}

void request_scan(gen *g) {
    text *out = &g->out;
    request_begin(g, "Scan");
    pick_order(g);
    peek_any(g);
    text_add(out, "{");
    request_table(g, out);
    member_index(g, out);
    member_filter(g, out);
    member_select(g, out, member_projection(g, out));
    member_limit(g, out);
    member_start(g, out);
    if (gen_wrong(g, BAD_SEGMENT)) {
        static const char *const bad[] = {",\"Segment\":0",
                                          ",\"TotalSegments\":2",
                                          ",\"Segment\":2,\"TotalSegments\":2",
                                          ",\"Segment\":-1,\"TotalSegments\":2",
                                          ",\"Segment\":0,\"TotalSegments\":0",
                                          ",\"Segment\":0,\"TotalSegments\":1000001"};
        text_add(out, "%s", ONE_OF(g, bad));
    } else if (gen_chance(g, 1, 4)) {
        text_add(out, ",\"Segment\":0,\"TotalSegments\":%u", 1 + gen_roll(g, 4)); /* the others are asked for where it is sent */
    }
    if (!g->order->global || gen_wrong(g, EVENTUAL_ONLY)) member_consistent(g, out);
    member_common(g, out);
    text_add(out, "}");
}

/* ── wrong in its JSON ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void collect(yyjson_mut_val *at, yyjson_mut_val **into, size_t *count, size_t max_count) {
    size_t i, max;
    yyjson_mut_val *key, *value;
    if (yyjson_mut_is_obj(at)) yyjson_mut_obj_foreach(at, i, max, key, value) {
            if (*count < max_count) into[(*count)++] = value;
            collect(value, into, count, max_count);
        }
    if (yyjson_mut_is_arr(at)) yyjson_mut_arr_foreach(at, i, max, value) {
            if (*count < max_count) into[(*count)++] = value;
            collect(value, into, count, max_count);
        }
}

/* A value anywhere in the request becomes another, of another type as a rule. */
void request_mutate(gen *g) {
    enum { MAX = 512 };
    yyjson_mut_val *all[MAX];
    size_t count = 0, len;
    yyjson_doc *doc = yyjson_read(text_of(&g->out), g->out.len, 0);
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
    collect(yyjson_mut_doc_get_root(copy), all, &count, MAX);
    yyjson_mut_val *at = count > 0 ? all[gen_roll(g, (uint32_t)count)] : NULL;
    switch (at != NULL ? gen_roll(g, 6) : 6) {
    case 0:
        yyjson_mut_set_null(at);
        break;
    case 1:
        yyjson_mut_set_sint(at, (int64_t)gen_roll(g, 5) - 1);
        break;
    case 2:
        yyjson_mut_set_str(at, "x");
        break;
    case 3:
        yyjson_mut_set_bool(at, gen_chance(g, 1, 2));
        break;
    case 4:
        yyjson_mut_set_obj(at);
        break;
    case 5:
        yyjson_mut_set_arr(at);
        break;
    default:
        break;
    }
    char *json = need_memory(yyjson_mut_write(copy, 0, &len));
    text_clear(&g->out);
    text_put(&g->out, json, len);
    free(json);
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    g->only = F_NONE;
    g->absent = -1;
}

/* ── the next ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void whole_request(gen *g) {
    static const char *const items[] = {"GetItem", "PutItem", "UpdateItem", "DeleteItem"};
    static const uint8_t weights[] = {8, 19, 24, 5, 13, 5, 4, 6, 4, 7, 5, 0};
    static void (*const others[])(gen * g) = {request_query,        request_scan,           request_batch_get, request_batch_write,
                                              request_transact_get, request_transact_write, request_tables};
    size_t kind = dice_weighted(&g->dice, weights);
    if (kind < 4)
        request_item(g, items[kind]);
    else
        others[kind - 4](g);
}

void gen_next(gen *g) {
    g->spoil = gen_chance(g, 3, 10) ? (spoil)gen_roll(g, SPOIL_COUNT) : NO_SPOIL;
    g->spoiled = g->spoil != NO_SPOIL;
    bool mutates = g->spoil == MUTATED;
    g->made++;
    whole_request(g);
    if (mutates) request_mutate(g);
    if (gen_chance(g, 1, 400)) g->operation = gen_chance(g, 1, 2) ? "DescribeNothing" : "getitem";
}

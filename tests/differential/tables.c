#include <stdio.h>
#include <string.h>

#include "tests/differential/generator.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ONE_OF(g, a) ((a)[gen_roll(g, (uint32_t)COUNT_OF(a))])

/* ── CreateTable ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void schema_of(text *out, const order *o) {
    text_add(out, "\"KeySchema\":[{\"AttributeName\":\"%s\",\"KeyType\":\"HASH\"}", o->hash.name);
    if (o->range.name != NULL) text_add(out, ",{\"AttributeName\":\"%s\",\"KeyType\":\"RANGE\"}", o->range.name);
    text_add(out, "]");
}

static void indexes_of(text *out, const layout *of, bool global) {
    bool any = false;
    for (size_t i = 1; i < of->count; i++) {
        const order *o = &of->orders[i];
        if (o->global != global) continue;
        text_add(out, "%s{\"IndexName\":\"%s\",",
                 any      ? ","
                 : global ? ",\"GlobalSecondaryIndexes\":["
                          : ",\"LocalSecondaryIndexes\":[",
                 o->index);
        schema_of(out, o);
        text_add(out, ",\"Projection\":%s}", o->projection);
        any = true;
    }
    if (any) text_add(out, "]");
}

static void define(text *out, text *seen, key_def key) {
    char mark[16];
    if (key.name == NULL) return;
    snprintf(mark, sizeof mark, " %s ", key.name);
    if (strstr(text_of(seen), mark) != NULL) return;
    text_add(out, "%s{\"AttributeName\":\"%s\",\"AttributeType\":\"%c\"}", seen->len > 0 ? "," : "", key.name, key.type);
    text_add(seen, "%s", mark);
}

/* What all tables of a layout are made with, without the braces and the name. */
void table_create(gen *g, text *out, const layout *of) {
    text seen = {0};
    (void)g;
    text_add(out, ",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[");
    for (size_t i = 0; i < of->count; i++) {
        define(out, &seen, of->orders[i].hash);
        define(out, &seen, of->orders[i].range);
    }
    text_add(out, "],");
    schema_of(out, &of->orders[0]);
    indexes_of(out, of, true);
    indexes_of(out, of, false);
    text_free(&seen);
}

#define PK "{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}"
#define SK "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"}"
#define HASH(name) "{\"AttributeName\":\"" name "\",\"KeyType\":\"HASH\"}"
#define RANGE(name) "{\"AttributeName\":\"" name "\",\"KeyType\":\"RANGE\"}"
#define DEFINED(list) ",\"AttributeDefinitions\":[" list "]"
#define SCHEMA(list) ",\"KeySchema\":[" list "]"
#define ON_DEMAND ",\"BillingMode\":\"PAY_PER_REQUEST\""
#define LSI(name, list, projection)                                                                                                        \
    ",\"LocalSecondaryIndexes\":[{\"IndexName\":\"" name "\",\"KeySchema\":[" list "],\"Projection\":" projection "}]"
#define GSI(name, list, projection)                                                                                                        \
    ",\"GlobalSecondaryIndexes\":[{\"IndexName\":\"" name "\",\"KeySchema\":[" list "],\"Projection\":" projection "}]"
#define ALL "{\"ProjectionType\":\"ALL\"}"

/* Each is refused for one reason, but the last few. */
static const char *const odd_tables[] = {
    ON_DEMAND DEFINED(PK),
    ON_DEMAND SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED(PK) SCHEMA(""),
    ON_DEMAND DEFINED("") SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED(PK) SCHEMA(RANGE("pk")),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(RANGE("sk") "," HASH("pk")),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," HASH("sk")),
    ON_DEMAND DEFINED(PK) SCHEMA(HASH("pk") "," RANGE("pk")),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED(PK) SCHEMA(HASH("pk") "," RANGE("sk")),
    ON_DEMAND DEFINED(PK "," PK) SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk") "," RANGE("sk")),
    ON_DEMAND DEFINED("{\"AttributeName\":\"pk\",\"AttributeType\":\"X\"}") SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED("{\"AttributeName\":\"pk\",\"AttributeType\":\"SS\"}") SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED("{\"AttributeName\":\"\",\"AttributeType\":\"S\"}") SCHEMA(HASH("")),
    ON_DEMAND DEFINED("{\"AttributeName\":\"pk\"}") SCHEMA(HASH("pk")),
    ON_DEMAND DEFINED(PK) SCHEMA("{\"AttributeName\":\"pk\",\"KeyType\":\"SOME\"}"),
    DEFINED(PK) SCHEMA(HASH("pk")),
    ",\"BillingMode\":\"FREE\"" DEFINED(PK) SCHEMA(HASH("pk")),
    DEFINED(PK) SCHEMA(HASH("pk")) ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":0,\"WriteCapacityUnits\":1}",
    DEFINED(PK) SCHEMA(HASH("pk")) ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":1}",
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk")) LSI("x", HASH("pk") "," RANGE("sk"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk")) LSI("lsi", HASH("sk") "," RANGE("pk"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk")) LSI("lsi", HASH("pk"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) LSI("lsi", HASH("pk") "," RANGE("sk"), ALL),
    ON_DEMAND DEFINED(PK) SCHEMA(HASH("pk")) GSI("gsi", HASH("none"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("gsi", RANGE("sk"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("g", HASH("sk"), ALL),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("gsi", HASH("sk"), "{\"ProjectionType\":\"INCLUDE\"}"),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("gsi", HASH("sk"), "{\"ProjectionType\":\"ALL\",\"NonKeyAttributes\":[\"a\"]}"),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("gsi", HASH("sk"), "{\"ProjectionType\":\"SOME\"}"),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk")) GSI("gsi", HASH("sk"), "{}"),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk")) GSI("same", HASH("sk"), ALL)
        LSI("same", HASH("pk") "," RANGE("sk"), ALL),
    DEFINED(PK "," SK)
        SCHEMA(HASH("pk")) ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":1,\"WriteCapacityUnits\":1}" GSI("gsi", HASH("sk"), ALL),
    /* good ones */
    DEFINED(PK) SCHEMA(HASH("pk")) ",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":3,\"WriteCapacityUnits\":2}",
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk"))
        GSI("gsi", HASH("sk") "," RANGE("pk"), "{\"ProjectionType\":\"INCLUDE\",\"NonKeyAttributes\":[\"a\",\"b\"]}"),
    ON_DEMAND DEFINED(PK "," SK) SCHEMA(HASH("pk") "," RANGE("sk"))
        LSI("lsi", HASH("pk") "," RANGE("sk"), "{\"ProjectionType\":\"KEYS_ONLY\"}"),
};

/* ── the requests ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void member_name(gen *g, text *out) {
    static const char *const bad[] = {"", "a", "ab", "with space", "\\u00e9\\u00e9\\u00e9"};
    if (gen_wrong(g, BAD_TABLE_NAME))
        text_add(out, "\"TableName\":\"%s\"", ONE_OF(g, bad));
    else if (gen_wrong(g, NOTHING))
        text_add(out, "\"Nothing\":1");
    else
        text_add(out, "\"TableName\":\"%st%u\"", g->prefix, gen_roll(g, 4));
}

static void create(gen *g, text *out) {
    member_name(g, out);
    if (gen_chance(g, 1, 2))
        table_create(g, out, &layouts[gen_roll(g, LAYOUT_COUNT)]);
    else
        text_add(out, "%s", ONE_OF(g, odd_tables));
}

static void describe(gen *g, text *out) {
    if (gen_chance(g, 1, 3))
        request_table(g, out);
    else
        member_name(g, out);
}

static void drop(gen *g, text *out) { member_name(g, out); }

/* Other tests' tables are there too: what is asked for begins with the prefix, and is cut where it ends (compare.c). */
static void list(gen *g, text *out) {
    if (gen_wrong(g, BAD_LIMIT))
        text_add(out, "\"Limit\":%d", gen_chance(g, 1, 2) ? 0 : 101);
    else if (gen_wrong(g, BAD_START))
        text_add(out, "\"ExclusiveStartTableName\":\"%s\"", gen_chance(g, 1, 2) ? "" : "a b");
    else
        text_add(out, "\"ExclusiveStartTableName\":\"%s%s\",\"Limit\":%u", g->prefix, gen_chance(g, 1, 2) ? "000" : "plain",
                 1 + gen_roll(g, 8));
}

/* No item has an attribute of these names: what expires is each store's own affair. */
static void update_ttl(gen *g, text *out) {
    static const char *const odd[] = {"{}", "{\"Enabled\":true}", "{\"AttributeName\":\"ttl\"}",
                                      "{\"AttributeName\":\"\",\"Enabled\":true}", "null"};
    describe(g, out);
    if (gen_wrong(g, BAD_VALUE) || gen_chance(g, 1, 10))
        text_add(out, ",\"TimeToLiveSpecification\":%s", ONE_OF(g, odd));
    else if (!gen_wrong(g, NOTHING))
        text_add(out, ",\"TimeToLiveSpecification\":{\"AttributeName\":\"%s\",\"Enabled\":%s}", gen_chance(g, 4, 5) ? "ttl" : "expires",
                 gen_chance(g, 1, 2) ? "true" : "false");
}

void request_tables(gen *g) {
    static const struct {
        const char *operation;
        void (*write)(gen *g, text *out);
    } writers[] = {{"CreateTable", create}, {"DescribeTable", describe},      {"DeleteTable", drop},
                   {"ListTables", list},    {"UpdateTimeToLive", update_ttl}, {"DescribeTimeToLive", describe}};
    static const uint8_t weights[] = {4, 3, 3, 3, 3, 3, 0};
    size_t kind = dice_weighted(&g->dice, weights);
    request_begin(g, writers[kind].operation);
    text_add(&g->out, "{");
    writers[kind].write(g, &g->out);
    text_add(&g->out, "}");
}

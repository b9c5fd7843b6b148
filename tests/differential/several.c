#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/generator.h"

/* ── batches ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* `count` keys of the layout, no two of them the same unless that is what is wrong. */
static uint32_t distinct_keys(gen *g, text *keys, uint32_t count) {
    uint32_t made = 0;
    for (uint32_t tries = 0; made < count && tries < 4 * count; tries++) {
        bool twice = made > 0 && gen_wrong(g, TWICE);
        text_clear(&keys[made]);
        key_write(g, &keys[made], true);
        bool known = false;
        for (uint32_t i = 0; i < made && !twice; i++)
            known |= strcmp(text_of(&keys[i]), text_of(&keys[made])) == 0;
        if (twice) {
            text_clear(&keys[made]);
            text_add(&keys[made], "%s", text_of(&keys[0]));
        }
        if (!known) made++;
    }
    return made;
}

#define KEYS_MAX 24

static void batch_table(gen *g, text *out) {
    text table = {0};
    request_table(g, &table);
    text_put(out, text_of(&table) + strlen("\"TableName\":"), table.len - strlen("\"TableName\":"));
    text_free(&table);
}

static void batch_get_of(gen *g, text *out) {
    text keys[KEYS_MAX] = {{0}};
    uint32_t many = gen_wrong(g, TOO_MANY) ? 101 : 0, count = gen_wrong(g, NOTHING) ? 0 : distinct_keys(g, keys, 1 + gen_roll(g, 8));
    batch_table(g, out);
    text_add(out, ":{\"Keys\":[");
    for (uint32_t i = 0; i < count; i++)
        text_add(out, "%s%s", i > 0 ? "," : "", text_of(&keys[i]));
    for (uint32_t i = 0; i < many; i++)
        text_add(out, "%s{\"pk\":{\"S\":\"m%u\"}}", i + count > 0 ? "," : "", i);
    text_add(out, "]");
    expression_begin(g);
    if (count > 0) request_peek(g, text_of(&keys[0]));
    if (gen_chance(g, 1, 2)) expression_member(g, out, "ProjectionExpression", expression_projection);
    expression_placeholders(g, out);
    if (gen_chance(g, 1, 3)) text_add(out, ",\"ConsistentRead\":true");
    text_add(out, "}");
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        text_free(&keys[i]);
}

/* One or two tables. */
static void each_table(gen *g, text *out, void (*write)(gen *g, text *out)) {
    bool two = gen_chance(g, 1, 3);
    write(g, out);
    if (!two) return;
    const layout *first = g->layout;
    g->layout = &layouts[(size_t)(first - layouts + 1) % 4];
    g->order = &g->layout->orders[0];
    text_add(out, ",");
    write(g, out);
}

void request_batch_get(gen *g) {
    request_begin(g, "BatchGetItem");
    text_add(&g->out, "{\"RequestItems\":{");
    if (!gen_wrong(g, EMPTY_EXPRESSION)) each_table(g, &g->out, batch_get_of);
    text_add(&g->out, "}%s}", gen_chance(g, 1, 10) ? ",\"ReturnConsumedCapacity\":\"TOTAL\"" : "");
    text_clear(&g->key);
}

static bool put_key_apart(gen *g, const char *item, text *keys, uint32_t *count) {
    yyjson_doc *doc = yyjson_read(item, strlen(item), 0);
    text key = {0};
    const key_def parts[] = {g->layout->orders[0].hash, g->layout->orders[0].range};
    for (size_t i = 0; i < 2 && parts[i].name != NULL; i++) {
        yyjson_val *part = yyjson_obj_get(yyjson_doc_get_root(doc), parts[i].name);
        if (part != NULL) value_copy(&key, part);
    }
    bool known = false;
    for (uint32_t i = 0; i < *count; i++)
        known |= strcmp(text_of(&keys[i]), text_of(&key)) == 0;
    yyjson_doc_free(doc);
    if (known || *count == KEYS_MAX)
        text_free(&key);
    else
        keys[(*count)++] = key;
    return !known;
}

static void batch_write_of(gen *g, text *out) {
    text keys[KEYS_MAX] = {{0}}, one = {0};
    uint32_t count = 0, done = 0, want = gen_wrong(g, NOTHING) ? 0 : gen_wrong(g, TOO_MANY) ? 26 : 1 + gen_roll(g, 7);
    batch_table(g, out);
    text_add(out, ":[");
    for (uint32_t tries = 0; done < want && tries < 3 * want; tries++) {
        bool puts = gen_chance(g, 2, 3);
        text_clear(&one);
        if (puts)
            item_write(g, &one);
        else
            key_write(g, &one, true);
        if (!put_key_apart(g, text_of(&one), keys, &count) && !gen_wrong(g, TWICE) && want < 26) continue;
        text_add(out, "%s{\"%s\":{\"%s\":%s}}", done++ > 0 ? "," : "", puts ? "PutRequest" : "DeleteRequest", puts ? "Item" : "Key",
                 text_of(&one));
    }
    if (gen_wrong(g, BAD_WORD)) text_add(out, "%s{}", done > 0 ? "," : "");
    text_add(out, "]");
    text_free(&one);
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        text_free(&keys[i]);
}

void request_batch_write(gen *g) {
    request_begin(g, "BatchWriteItem");
    text_add(&g->out, "{\"RequestItems\":{");
    if (!gen_wrong(g, EMPTY_EXPRESSION)) each_table(g, &g->out, batch_write_of);
    text_add(&g->out, "}%s}", gen_chance(g, 1, 10) ? ",\"ReturnConsumedCapacity\":\"TOTAL\"" : "");
}

/* ── transactions ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

void request_transact_get(gen *g) {
    text *out = &g->out, keys[KEYS_MAX] = {{0}};
    request_begin(g, "TransactGetItems");
    uint32_t many = gen_wrong(g, TOO_MANY) ? 101 : 0, count = gen_wrong(g, NOTHING) ? 0 : distinct_keys(g, keys, 1 + gen_roll(g, 5));
    text_add(out, "{\"TransactItems\":[");
    for (uint32_t i = 0; i < count; i++) {
        expression_begin(g);
        text_add(out, "%s{\"Get\":{", i > 0 ? "," : "");
        request_table(g, out);
        text_add(out, ",\"Key\":%s", text_of(&keys[i]));
        request_peek(g, text_of(&keys[i]));
        if (gen_chance(g, 1, 2)) expression_member(g, out, "ProjectionExpression", expression_projection);
        expression_placeholders(g, out);
        text_add(out, "}}");
    }
    for (uint32_t i = 0; i < many; i++)
        text_add(out, "%s{\"Get\":{\"TableName\":\"%splain\",\"Key\":{\"pk\":{\"S\":\"m%u\"}}}}", i + count > 0 ? "," : "", g->prefix, i);
    text_add(out, "]%s}", gen_chance(g, 1, 10) ? ",\"ReturnConsumedCapacity\":\"TOTAL\"" : "");
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        text_free(&keys[i]);
}

static void action_condition(gen *g, text *out, bool must) {
    if (must || gen_chance(g, 1, 2)) expression_member(g, out, "ConditionExpression", expression_condition);
    if (gen_chance(g, 1, 3)) text_add(out, ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"");
}

static void action(gen *g, text *out, const char *key) {
    static const char *const kinds[] = {"Put", "Update", "Delete", "ConditionCheck"};
    static const uint8_t weights[] = {4, 4, 2, 3, 0};
    size_t kind = dice_weighted(&g->dice, weights);
    text item = {0};
    expression_begin(g);
    request_peek(g, key);
    text_add(out, "{\"%s\":{", kinds[kind]);
    request_table(g, out);
    if (kind == 0) { /* an item of this key: what item_write gives it is replaced */
        spoil later = g->spoil;
        if (g->spoil >= MISSING_KEY && g->spoil <= LONG_KEY) g->spoil = NO_SPOIL;
        item_write(g, &item);
        if (later >= MISSING_KEY && later <= LONG_KEY) g->spoil = later;
        const char *rest = text_of(&item) + 1;
        const order *own = &g->layout->orders[0];
        for (const char *name = own->hash.name; name != NULL; name = name == own->range.name ? NULL : own->range.name) {
            char lead[16];
            int len = snprintf(lead, sizeof lead, "\"%s\":", name);
            if (strncmp(rest, lead, (size_t)len) == 0) rest = strchr(rest, '}') + 1 + (strchr(rest, '}')[1] == ',');
        }
        text_add(out, ",\"Item\":%.*s%s%s", (int)strlen(key) - 1, key, rest[0] != '}' && strlen(key) > 2 ? "," : "", rest);
    } else {
        text_add(out, ",\"Key\":%s", key);
    }
    if (kind == 1) expression_member(g, out, "UpdateExpression", expression_update);
    action_condition(g, out, kind == 3 && !gen_wrong(g, NOTHING));
    expression_placeholders(g, out);
    text_add(out, "}}");
    text_free(&item);
}

static void send_again(gen *g) {
    text_clear(&g->out);
    text_put(&g->out, text_of(&g->last_transaction), g->last_transaction.len);
    if (gen_chance(g, 1, 2)) return; /* the same: done already */
    text_clear(&g->out);
    text_add(
        &g->out,
        "{\"ClientRequestToken\":\"%s\",\"TransactItems\":[{\"Delete\":{\"TableName\":\"%splain\",\"Key\":{\"pk\":{\"S\":\"other%u\"}}}}]}",
        text_of(&g->last_token), g->prefix, gen_roll(g, 1000));
}

static void member_token(gen *g, text *out) {
    text_clear(&g->last_token);
    if (gen_wrong(g, BAD_WORD))
        text_add(out, ",\"ClientRequestToken\":\"%s\"", gen_chance(g, 1, 2) ? "" : "1234567890123456789012345678901234567");
    else if (gen_chance(g, 1, 3)) {
        text_add(&g->last_token, "%s%u", g->prefix, g->tokens++);
        text_add(out, ",\"ClientRequestToken\":\"%s\"", text_of(&g->last_token));
    }
}

void request_transact_write(gen *g) {
    text *out = &g->out, keys[KEYS_MAX] = {{0}};
    request_begin(g, "TransactWriteItems");
    if (g->last_token.len > 0 && g->last_transaction.len > 0 && gen_chance(g, 1, 2)) {
        send_again(g);
        return;
    }
    uint32_t many = gen_wrong(g, TOO_MANY) ? 101 : 0, count = gen_wrong(g, NOTHING) ? 0 : distinct_keys(g, keys, 1 + gen_roll(g, 4));
    text_add(out, "{\"TransactItems\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) text_add(out, ",");
        action(g, out, text_of(&keys[i]));
    }
    for (uint32_t i = 0; i < many; i++)
        text_add(out, "%s{\"Delete\":{\"TableName\":\"%splain\",\"Key\":{\"pk\":{\"S\":\"m%u\"}}}}", i + count > 0 ? "," : "", g->prefix,
                 i);
    text_add(out, "]");
    member_token(g, out);
    text_add(out, "%s}", gen_chance(g, 1, 10) ? ",\"ReturnConsumedCapacity\":\"TOTAL\"" : "");
    text_clear(&g->last_transaction);
    text_put(&g->last_transaction, text_of(out), out->len);
    g->only = F_NONE;
    g->absent = -1;
    text_clear(&g->key);
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        text_free(&keys[i]);
}

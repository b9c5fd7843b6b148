/* TransactWriteItems and TransactGetItems: under one lock, so that they are atomic and isolated. */
#include <stdio.h>
#include <string.h>

#include "store/embedded/hash.h"
#include "store/embedded/inside.h"

#define ACTIONS_MAX 100
#define BYTES_MAX ((size_t)4 << 20)
#define TOKEN_MAX 36
#define TOKEN_LIFE_MS (10 * LATCH_MINUTE_MS)

static bool repeated(latch_op *op) {
    return latch_invalid(&op->fault, op->arena, "Transaction request cannot include multiple operations on one item");
}

static bool missing(latch_op *op, size_t at, const char *member) {
    return latch_invalid(&op->fault, op->arena,
                         "Value null at 'transactItems.%zu.member.%s' failed to satisfy constraint: Member must not be null", at + 1,
                         member);
}

static bool no_actions(latch_op *op) {
    return latch_invalid(&op->fault, op->arena, "Value null at 'transactItems' failed to satisfy constraint: Member must not be null");
}

static bool check_count(latch_op *op, size_t count) {
    return count <= ACTIONS_MAX || latch_invalid(&op->fault, op->arena, "Member must have length less than or equal to 100");
}

/* ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct token token;
struct token {
    latch_treap_node node; /* first, so that a node is its token; hash is that of the text */
    token *next;           /* by age */
    int64_t expires_at_ms;
    uint64_t request[2]; /* two hashes of what was asked */
    size_t len;
    char text[TOKEN_MAX];
};

struct latch_tokens {
    latch_treap_node *root;
    token *oldest, *newest;
};

static const token *token_of(const latch_treap_node *node) {
    union {
        const latch_treap_node *node;
        const token *token;
    } same = {node};
    return same.token;
}

static int by_text(const latch_treap_node *a, const latch_treap_node *b) {
    const token *one = token_of(a), *other = token_of(b);
    if (one->len != other->len) return one->len < other->len ? -1 : 1;
    return memcmp(one->text, other->text, one->len);
}

static int place_token(const void *range, const latch_treap_node *node) {
    const latch_treap_node *wanted = range;
    if (node->hash != wanted->hash) return node->hash < wanted->hash ? -1 : 1;
    return by_text(node, wanted);
}

void latch_tokens_clean_up(latch_embedded *engine) {
    token *next = engine->tokens != NULL ? engine->tokens->oldest : NULL;
    while (next != NULL) {
        token *old = next;
        next = old->next;
        latch_budget_free(&engine->budget, old);
    }
    latch_budget_free(&engine->budget, engine->tokens);
    engine->tokens = NULL;
}

/* locked */
static void forget_old_tokens(latch_embedded *engine, int64_t now_ms) {
    latch_tokens *all = engine->tokens;
    while (all != NULL && all->oldest != NULL && all->oldest->expires_at_ms <= now_ms) {
        token *old = all->oldest;
        all->oldest = old->next;
        if (all->oldest == NULL) all->newest = NULL;
        latch_treap_remove(&all->root, &old->node);
        latch_budget_free(&engine->budget, old);
    }
}

/* locked; NULL: it is new, or has been forgotten */
static const token *find_token(latch_embedded *engine, const token *wanted) {
    if (engine->tokens == NULL) return NULL;
    const latch_treap_node *node = latch_treap_first(engine->tokens->root, place_token, &wanted->node);
    return node != NULL && place_token(&wanted->node, node) == 0 ? token_of(node) : NULL;
}

/* locked; NULL: over the bound */
static token *make_token(latch_embedded *engine, const token *from) {
    if (engine->tokens == NULL) engine->tokens = latch_budget_alloc(&engine->budget, sizeof *engine->tokens, 0);
    token *made = engine->tokens != NULL ? latch_budget_alloc(&engine->budget, sizeof *made, 0) : NULL;
    if (made != NULL) *made = *from;
    return made;
}

/* locked */
static void remember(latch_embedded *engine, token *made) {
    latch_tokens *all = engine->tokens;
    made->node.priority = (uint32_t)latch_siphash_bytes(~engine->seed, (latch_str){made->text, made->len});
    latch_treap_insert(&all->root, &made->node, by_text);
    if (all->newest != NULL) all->newest->next = made;
    if (all->oldest == NULL) all->oldest = made;
    all->newest = made;
}

static bool read_token(latch_op *op, token *out) {
    latch_str text = latch_member_text(op->request, "ClientRequestToken");
    yyjson_val *items = latch_member(op->request, "TransactItems");
    *out = (token){.len = text.len, .expires_at_ms = op->now_ms + TOKEN_LIFE_MS};
    if (text.len > TOKEN_MAX)
        return latch_invalid(
            &op->fault, op->arena,
            "Value %.*s at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to "
            "36",
            (int)(text.len < 200 ? text.len : 200), text.ptr);
    if (text.ptr != NULL && text.len == 0)
        return latch_invalid(
            &op->fault, op->arena,
            "Value '' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 1");
    if (text.len == 0) return true;
    memcpy(out->text, text.ptr, text.len);
    out->node.hash = latch_siphash_bytes(op->engine->seed, text);
    out->request[0] = latch_siphash_json(op->engine->seed, items);
    out->request[1] = latch_siphash_json(~op->engine->seed, items);
    return true;
}

/* ── several writes ────────────────────────────────────────────────────────────────────────────────────────────────── */

bool latch_writes_init(latch_op *op, latch_writes *all, size_t room) {
    *all = (latch_writes){.of = latch_arena_alloc(op->arena, room * sizeof *all->of)};
    return all->of != NULL || latch_op_full(op);
}

bool latch_writes_repeat(const latch_writes *all, const latch_write *w) {
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i].table == w->table && latch_position_same(&all->of[i].at, &w->at)) return true;
    return false;
}

bool latch_writes_lock(latch_op *op, const latch_writes *all) {
    pthread_mutex_lock(&op->engine->lock);
    for (size_t i = 0; i < all->count; i++) {
        if (!all->of[i].table->dropped) continue;
        latch_op_unlock(op);
        return latch_op_missing_table(op);
    }
    return true;
}

void latch_writes_make(latch_op *op, latch_writes *all) {
    for (size_t i = 0; i < all->count; i++) {
        if (all->of[i].verb == LATCH_CHECK) continue;
        latch_change_make(&all->of[i].change);
        latch_engine_schedule(op->engine, all->of[i].table);
        op->applied = true;
    }
}

void latch_writes_drop(latch_writes *all) {
    for (size_t i = 0; i < all->count; i++)
        latch_change_drop(&all->of[i].change);
}

/* ── TransactWriteItems: reading ───────────────────────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name, *shown;
    latch_verb verb;
    const char *required; /* beside TableName */
    const char *shown_required;
    const char *required_too;
    const char *shown_required_too;
} actions[] = {
    {"Put", "put", LATCH_PUT, "Item", "item", NULL, NULL},
    {"Update", "update", LATCH_UPDATE, "Key", "key", "UpdateExpression", "updateExpression"},
    {"Delete", "delete", LATCH_DELETE, "Key", "key", NULL, NULL},
    {"ConditionCheck", "conditionCheck", LATCH_CHECK, "Key", "key", "ConditionExpression", "conditionExpression"},
};
#define ACTIONS (sizeof actions / sizeof actions[0])

static bool check_members(latch_op *op, yyjson_val *object, size_t at, size_t action) {
    char path[64];
    const char *lacks = latch_member(object, "TableName") == NULL                ? "tableName"
                        : latch_member(object, actions[action].required) == NULL ? actions[action].shown_required
                                                                                 : NULL;
    if (lacks == NULL && actions[action].required_too != NULL && latch_member(object, actions[action].required_too) == NULL)
        lacks = actions[action].shown_required_too;
    if (lacks == NULL) return true;
    snprintf(path, sizeof path, "%s.%s", actions[action].shown, lacks);
    return missing(op, at, path);
}

static bool read_action(latch_op *op, yyjson_val *json, size_t at, latch_writes *all) {
    size_t found = ACTIONS, count = 0;
    latch_write *w = &all->of[all->count];
    for (size_t i = 0; i < ACTIONS; i++) {
        if (latch_member(json, actions[i].name) == NULL) continue;
        found = i;
        count++;
    }
    if (count == 0)
        return latch_invalid(&op->fault, op->arena, "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request");
    if (count > 1) return latch_invalid(&op->fault, op->arena, "TransactItems can only contain one of Check, Put, Update or Delete");
    yyjson_val *object = latch_member(json, actions[found].name);
    if (!check_members(op, object, at, found) || !latch_write_read(op, object, actions[found].verb, w)) return false;
    if (latch_writes_repeat(all, w)) return repeated(op);
    all->count++;
    return true;
}

static bool check_bytes(latch_op *op, size_t bytes) {
    return bytes <= BYTES_MAX ||
           latch_invalid(&op->fault, op->arena, "Transaction payload size cannot exceed 4MB. Payload Size: %zu", bytes);
}

static bool read_actions(latch_op *op, latch_writes *all) {
    yyjson_val *items = latch_member(op->request, "TransactItems"), *json;
    size_t i, max, bytes = 0;
    if (items == NULL) return no_actions(op);
    if (yyjson_arr_size(items) == 0)
        return latch_invalid(
            &op->fault, op->arena,
            "Value [] at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1");
    if (!check_count(op, yyjson_arr_size(items)) || !latch_writes_init(op, all, yyjson_arr_size(items))) return false;
    yyjson_arr_foreach(items, i, max, json) {
        if (!read_action(op, json, i, all)) return false;
        bytes += latch_item_bytes(&all->of[i].item);
    }
    return check_bytes(op, bytes);
}

/* ── TransactWriteItems: doing ─────────────────────────────────────────────────────────────────────────────────────── */

typedef struct transaction {
    latch_writes writes;
    const char **codes; /* of each action: "None", "ConditionalCheckFailed", "ValidationError" */
    latch_str *texts;
    token token; /* len 0: none */
    bool cancelled, replayed;
} transaction;

/* False: it can't go on. What is wrong with an item or its condition is a reason among others, and cancels all. */
static bool prepare_one(latch_op *op, transaction *t, size_t at) {
    latch_write *w = &t->writes.of[at];
    latch_write_outcome outcome = latch_write_prepare(op, w);
    t->codes[at] = "None";
    if (outcome == LATCH_WRITE_READY) return true;
    t->cancelled = true;
    t->codes[at] = "ConditionalCheckFailed";
    t->texts[at] = w->verb == LATCH_CHECK ? LATCH_STR("The conditional request failed.") : LATCH_STR("The conditional request failed");
    if (outcome == LATCH_WRITE_REFUSED) return true;
    if (strcmp(op->fault.name, "ValidationException") != 0) return false;
    t->codes[at] = "ValidationError";
    t->texts[at] = op->fault.message;
    op->fault = (latch_fault){0};
    return true;
}

/* locked */
static bool prepare_all(latch_op *op, transaction *t) {
    size_t bytes = 0;
    for (size_t i = 0; i < t->writes.count; i++) {
        const latch_write *w = &t->writes.of[i];
        if (!prepare_one(op, t, i)) return false;
        bytes += w->change.after != NULL ? w->change.after->bytes : latch_item_bytes(&w->item);
    }
    return check_bytes(op, bytes);
}

/* locked. A token's second request changes nothing; whether it may is asked under the same lock as the first one was done. */
static bool look_up_token(latch_op *op, transaction *t) {
    if (t->token.len == 0) return true;
    forget_old_tokens(op->engine, op->now_ms);
    const token *known = find_token(op->engine, &t->token);
    t->replayed = known != NULL;
    if (known == NULL || (known->request[0] == t->token.request[0] && known->request[1] == t->token.request[1])) return true;
    return latch_fault_set(&op->fault, op->arena, "IdempotentParameterMismatchException", "%s", "");
}

/* locked */
static bool commit(latch_op *op, transaction *t) {
    if (!look_up_token(op, t)) return false;
    if (t->replayed) return true;
    if (!prepare_all(op, t)) return false;
    if (t->cancelled) return true;
    token *made = t->token.len > 0 ? make_token(op->engine, &t->token) : NULL;
    if (t->token.len > 0 && made == NULL) return latch_op_over_bound(op);
    latch_writes_make(op, &t->writes);
    if (made != NULL) remember(op->engine, made);
    return true;
}

/* ── TransactWriteItems: answering ─────────────────────────────────────────────────────────────────────────────────── */

static bool add_reason(latch_op *op, const transaction *t, size_t at, yyjson_mut_val *list) {
    const latch_write *w = &t->writes.of[at];
    yyjson_mut_val *reason = yyjson_mut_obj(op->doc);
    if (reason == NULL || !yyjson_mut_arr_append(list, reason)) return latch_op_full(op);
    bool refused = strcmp(t->codes[at], "ConditionalCheckFailed") == 0;
    if (refused && w->old_on_failure && w->before != NULL && !latch_op_add_item(op, reason, "Item", &w->before->item)) return false;
    if (!latch_op_add_text(op, reason, "Code", latch_str_of(t->codes[at]))) return false;
    return t->texts[at].ptr == NULL || latch_op_add_text(op, reason, "Message", t->texts[at]);
}

/* "[None, ConditionalCheckFailed]" */
static const char *list_codes(latch_op *op, const transaction *t) {
    size_t room = 3, at = 1;
    for (size_t i = 0; i < t->writes.count; i++)
        room += strlen(t->codes[i]) + 2;
    char *text = latch_arena_alloc(op->arena, room);
    if (text == NULL) return NULL;
    text[0] = '[';
    for (size_t i = 0; i < t->writes.count; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s", i > 0 ? ", " : "", t->codes[i]);
    snprintf(text + at, room - at, "]");
    return text;
}

static bool cancel(latch_op *op, const transaction *t) {
    const char *codes = list_codes(op, t);
    op->extra_name = "CancellationReasons";
    op->extra = yyjson_mut_arr(op->doc);
    if (codes == NULL || op->extra == NULL) return latch_op_full(op);
    for (size_t i = 0; i < t->writes.count; i++)
        if (!add_reason(op, t, i, op->extra)) return false;
    return latch_fault_set(&op->fault, op->arena, "TransactionCanceledException",
                           "Transaction cancelled, please refer cancellation reasons for specific reasons %s", codes);
}

/* Twice what a write alone costs; what a token's second request costs is that of reading. */
static bool answer_write(latch_op *op, const transaction *t, latch_capacity_mode mode) {
    latch_usages usages;
    if (mode == LATCH_CAPACITY_NONE) return true;
    if (!latch_usages_init(op, &usages, t->writes.count)) return false;
    for (size_t i = 0; i < t->writes.count; i++) {
        const latch_write *w = &t->writes.of[i];
        latch_usage *usage = latch_usages_find(op, &usages, w->table);
        if (usage == NULL) return false;
        if (t->replayed) usage->own += 2 * latch_read_units(latch_item_bytes(&w->item), true);
        if (!t->replayed) latch_usage_add_change(usage, w->before, w->verb == LATCH_CHECK ? w->before : w->change.after, 2);
    }
    return latch_usages_answer(op, &usages, mode, t->replayed ? "ReadCapacityUnits" : "WriteCapacityUnits");
}

bool latch_op_transact_write(latch_op *op) {
    transaction t = {0};
    latch_capacity_mode mode;
    if (!read_token(op, &t.token) || !read_actions(op, &t.writes) || !latch_op_capacity_mode(op, &mode)) return false;
    t.codes = latch_arena_alloc(op->arena, t.writes.count * sizeof *t.codes);
    t.texts = latch_arena_alloc(op->arena, t.writes.count * sizeof *t.texts);
    if (t.codes == NULL || t.texts == NULL) return latch_op_full(op);
    memset(t.texts, 0, t.writes.count * sizeof *t.texts);
    if (!latch_writes_lock(op, &t.writes)) return false;
    bool done = commit(op, &t);
    latch_op_unlock(op);
    done = done && (t.cancelled ? cancel(op, &t) : answer_write(op, &t, mode));
    latch_writes_drop(&t.writes);
    return done;
}

/* ── TransactGetItems ──────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct reads {
    latch_read *of;
    size_t count, bytes;
} reads;

static bool read_get(latch_op *op, yyjson_val *json, size_t at, reads *all) {
    yyjson_val *object = latch_member(json, "Get");
    latch_read *r = &all->of[all->count];
    if (object == NULL) return no_actions(op);
    if (latch_member(object, "TableName") == NULL) return missing(op, at, "get.tableName");
    if (latch_member(object, "Key") == NULL) return latch_invalid(&op->fault, op->arena, "Get Condition for key not in key list");
    if (!latch_read_one(op, object, r)) return false;
    r->consistent = true;
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i].table == r->table && latch_position_same(&all->of[i].at, &r->at)) return repeated(op);
    all->count++;
    return true;
}

static bool read_gets(latch_op *op, reads *all) {
    yyjson_val *items = latch_member(op->request, "TransactItems"), *json;
    size_t i, max;
    if (yyjson_arr_size(items) == 0) return no_actions(op);
    if (!check_count(op, yyjson_arr_size(items))) return false;
    *all = (reads){.of = latch_arena_alloc(op->arena, yyjson_arr_size(items) * sizeof *all->of)};
    if (all->of == NULL) return latch_op_full(op);
    yyjson_arr_foreach(items, i, max, json) if (!read_get(op, json, i, all)) return false;
    return true;
}

static bool find_gets(latch_op *op, reads *all) {
    bool ok = true;
    pthread_mutex_lock(&op->engine->lock);
    for (size_t i = 0; ok && i < all->count; i++) {
        ok = all->of[i].table->dropped ? latch_op_missing_table(op) : latch_read_find(op, &all->of[i]);
        all->bytes += ok && all->of[i].found != NULL ? all->of[i].found->bytes : 0;
    }
    pthread_mutex_unlock(&op->engine->lock);
    if (ok && all->bytes > BYTES_MAX) return latch_invalid(&op->fault, op->arena, "Payload in response is too large.%zu", all->bytes);
    return ok;
}

static bool answer_get(latch_op *op, const latch_read *r, yyjson_mut_val *list, latch_usages *usages) {
    yyjson_mut_val *response = yyjson_mut_obj(op->doc);
    if (response == NULL || !yyjson_mut_arr_append(list, response)) return latch_op_full(op);
    if (r->found != NULL && !latch_op_add(op, response, "Item", latch_read_write(op, r))) return false;
    latch_usage *usage = latch_usages_find(op, usages, r->table);
    if (usage == NULL) return false;
    usage->own += 2 * latch_read_units(r->found != NULL ? r->found->bytes : 0, true);
    return true;
}

bool latch_op_transact_get(latch_op *op) {
    reads all;
    latch_usages usages;
    latch_capacity_mode mode;
    if (!read_gets(op, &all) || !latch_op_capacity_mode(op, &mode) || !latch_usages_init(op, &usages, all.count)) return false;
    if (!find_gets(op, &all)) return false;
    yyjson_mut_val *list = latch_op_list(op, op->answer, "Responses");
    for (size_t i = 0; list != NULL && i < all.count; i++)
        if (!answer_get(op, &all.of[i], list, &usages)) return false;
    return list != NULL && latch_usages_answer(op, &usages, mode, "ReadCapacityUnits");
}

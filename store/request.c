#include "store/request.h"

#include <string.h>

#include "core/ctx_private.h"
#include "core/text.h"
#include "store/expression.h"
#include "store/marshal.h"

const char *latch_operation_name(latch_operation operation) {
    switch (operation) {
    case LATCH_GET_ITEM:
        return "GetItem";
    case LATCH_PUT_ITEM:
        return "PutItem";
    case LATCH_UPDATE_ITEM:
        return "UpdateItem";
    case LATCH_DELETE_ITEM:
        break;
    }
    return "DeleteItem";
}

static void put(latch_text_writer *t, const char *literal) { latch_text_put(t, latch_str_of(literal)); }

static void put_string(latch_text_writer *t, const char *s) { latch_text_json_string(t, latch_str_of(s)); }

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

/* Three names are the table's to choose. */
static latch_str attribute_of(const latch_table *table, latch_str name) {
    if (latch_str_eq(name, LATCH_STR("pk"))) return latch_str_of(or_default(table->pk, "pk"));
    if (latch_str_eq(name, LATCH_STR("sk"))) return latch_str_of(or_default(table->sk, "sk"));
    if (latch_str_eq(name, LATCH_STR("ttl"))) return latch_str_of(or_default(table->ttl, "ttl"));
    return name;
}

static bool has_sk(const latch_table *table) { return table->sk == NULL || table->sk[0] != '\0'; }

static bool is_name(const char *own, latch_str name) { return own != NULL && latch_str_eq(name, latch_str_of(own)); }

/* An attribute of the store's own must not be the table's too: one path would be written twice. */
static void check_name(latch_text_writer *t, const latch_table *table, latch_str name) {
    static const char *const wrong[] = {"the table's .pk has the name of an attribute that the store writes",
                                        "the table's .sk has the name of an attribute that the store writes",
                                        "the table's .ttl has the name of an attribute that the store writes"};
    if (is_name("sk", name) && !has_sk(table)) latch_text_fail(t, LATCH_E_MISUSE, "it names #sk, and the table's keys have no second part");
    if (is_name("pk", name) || is_name("sk", name) || is_name("ttl", name)) return; /* stand for the table's own */
    if (is_name(table->pk, name)) latch_text_fail(t, LATCH_E_MISUSE, wrong[0]);
    if (is_name(table->sk, name)) latch_text_fail(t, LATCH_E_MISUSE, wrong[1]);
    if (is_name(table->ttl, name)) latch_text_fail(t, LATCH_E_MISUSE, wrong[2]);
}

static void check_own_names(latch_text_writer *t, const latch_table *table) {
    if (table->pk == NULL && table->sk == NULL && table->ttl == NULL) return;
    const char *pk = or_default(table->pk, "pk"), *sk = or_default(table->sk, "sk"), *ttl = or_default(table->ttl, "ttl");
    if (strcmp(pk, sk) == 0 || strcmp(pk, ttl) == 0 || strcmp(sk, ttl) == 0)
        latch_text_fail(t, LATCH_E_MISUSE, "two of the table's .pk, .sk and .ttl have one name");
}

static void put_text(latch_text_writer *t, const char *name, bool number, latch_str text) {
    put_string(t, name);
    put(t, number ? ":{\"N\":" : ":{\"S\":");
    latch_text_json_string(t, text);
    latch_text_put(t, LATCH_STR("}"));
}

/* "pk":{"S":…},"sk":{"S":…} */
static void put_key(latch_text_writer *t, const latch_table *table, const latch_request *r) {
    put_text(t, or_default(table->pk, "pk"), false, r->pk);
    if (!has_sk(table)) return;
    latch_text_put(t, LATCH_STR(","));
    put_text(t, or_default(table->sk, "sk"), r->at != NULL && r->at->sk_number, r->sk);
}

static void put_item(latch_text_writer *t, const latch_table *table, const latch_request *r) {
    latch_text_put(t, LATCH_STR(",\"Item\":{"));
    put_key(t, table, r);
    for (const latch_pair *pair = r->item; pair->name != NULL; pair++) {
        check_name(t, table, latch_str_of(pair->name));
        latch_text_put(t, LATCH_STR(","));
        latch_text_json_string(t, attribute_of(table, latch_str_of(pair->name)));
        latch_text_put(t, LATCH_STR(":"));
        (void)latch_marshal_pair(t, pair->name, &pair->value);
    }
    latch_text_put(t, LATCH_STR("}"));
}

static void put_names(latch_text_writer *t, const latch_table *table, const latch_expression_names *names) {
    if (names->count == 0) return;
    latch_text_put(t, LATCH_STR(",\"ExpressionAttributeNames\":"));
    for (size_t i = 0; i < names->count; i++) {
        latch_str placeholder = names->names[i], name = {placeholder.ptr + 1, placeholder.len - 1};
        check_name(t, table, name);
        put(t, i == 0 ? "{" : ",");
        latch_text_json_string(t, placeholder);
        latch_text_put(t, LATCH_STR(":"));
        latch_text_json_string(t, attribute_of(table, name));
    }
    latch_text_put(t, LATCH_STR("}"));
}

static void put_values(latch_text_writer *t, const latch_pair *given, const latch_expression_names *values) {
    if (values->count == 0) return;
    latch_text_put(t, LATCH_STR(",\"ExpressionAttributeValues\":"));
    for (size_t i = 0; i < values->count; i++) {
        const latch_pair *pair = given;
        while (pair != NULL && pair->name != NULL && !latch_str_eq(values->names[i], latch_str_of(pair->name)))
            pair++;
        if (pair == NULL || pair->name == NULL) latch_text_fail(t, LATCH_E_MISUSE, "a placeholder in an expression has no value");
        if (t->failed != LATCH_OK) return;
        put(t, i == 0 ? "{" : ",");
        latch_text_json_string(t, values->names[i]);
        latch_text_put(t, LATCH_STR(":"));
        (void)latch_marshal_pair(t, pair->name, &pair->value);
    }
    latch_text_put(t, LATCH_STR("}"));
}

static void put_expression(latch_text_writer *t, const char *member, const char *expression) {
    if (expression == NULL) return;
    put(t, member);
    put(t, expression);
    latch_text_put(t, LATCH_STR("\""));
}

static void put_expressions(latch_text_writer *t, const latch_table *table, const latch_request *r) {
    latch_expression_names names = {.count = 0}, values = {.count = 0};
    latch_expression_collect(r->update, '#', &names, t);
    latch_expression_collect(r->condition, '#', &names, t);
    latch_expression_collect(r->update, ':', &values, t);
    latch_expression_collect(r->condition, ':', &values, t);
    put_expression(t, ",\"UpdateExpression\":\"", r->update);
    if (r->operation == LATCH_UPDATE_ITEM && (r->returns == LATCH_RETURNS_ITEM || r->returns == LATCH_RETURNS_OLD))
        put(t, r->returns == LATCH_RETURNS_ITEM ? ",\"ReturnValues\":\"ALL_NEW\"" : ",\"ReturnValues\":\"ALL_OLD\"");
    put_expression(t, ",\"ConditionExpression\":\"", r->condition);
    if (r->condition != NULL && r->returns != LATCH_RETURNS_NOTHING)
        latch_text_put(t, LATCH_STR(",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\""));
    put_names(t, table, &names);
    put_values(t, r->values, &values);
}

static latch_table table_of(const latch_ctx *cx, const latch_place *at) {
    latch_table table = *cx->table;
    if (at == NULL) return table;
    return (latch_table){
        .name = at->table, .pk = or_default(at->pk, table.pk), .sk = or_default(at->sk, table.sk), .ttl = or_default(at->ttl, table.ttl)};
}

latch_status latch_request_text(latch_ctx *cx, const latch_request *r, latch_str *out) {
    const latch_table named = table_of(cx, r->at), *table = &named;
    latch_text_writer t = latch_text_begin(cx->arena);
    check_own_names(&t, table);
    latch_text_put(&t, LATCH_STR("{\"TableName\":"));
    put_string(&t, table->name);
    if (r->operation == LATCH_PUT_ITEM) {
        put_item(&t, table, r);
    } else {
        latch_text_put(&t, LATCH_STR(",\"Key\":{"));
        put_key(&t, table, r);
        latch_text_put(&t, LATCH_STR("}"));
    }
    if (r->operation == LATCH_GET_ITEM && !r->eventual) latch_text_put(&t, LATCH_STR(",\"ConsistentRead\":true"));
    if (r->operation != LATCH_GET_ITEM) put_expressions(&t, table, r);
    latch_client_put_capacity(cx, &t);
    latch_text_put(&t, LATCH_STR("}"));
    *out = latch_text_end(&t);
    if (out->ptr != NULL) return LATCH_OK;
    return latch_err_set(&cx->err, t.failed, "%s of %.*s: %s", latch_operation_name(r->operation), LATCH_ARG(r->pk), t.why);
}

#include "store/expression.h"

#include <string.h>

#include "store/marshal.h"

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

static bool has(const latch_expression_names *names, latch_str name) {
    for (size_t i = 0; i < names->count; i++) {
        if (latch_str_eq(names->names[i], name)) return true;
    }
    return false;
}

/* "#st isn't in any expression" */
static void refuse(latch_text_writer *t, latch_str name, const char *what) {
    latch_text_writer why = latch_text_begin(t->arena);
    latch_text_put(&why, latch_str_cut(name, 100));
    latch_text_put(&why, latch_str_of(what));
    latch_str text = latch_text_end(&why);
    latch_text_fail(t, LATCH_E_MISUSE, text.ptr != NULL ? text.ptr : "a placeholder is wrong");
}

void latch_expression_collect(const char *expression, char sigil, latch_expression_names *names, latch_text_writer *t) {
    for (const char *at = expression != NULL ? strchr(expression, sigil) : NULL; at != NULL; at = strchr(at, sigil)) {
        const char *from = at++;
        while (is_letter(*at))
            at++;
        latch_str name = {from, (size_t)(at - from)};
        if (has(names, name)) continue;
        if (name.len == 1) refuse(t, name, " has no name behind it in an expression");
        if (names->count == LATCH_EXPRESSION_NAMES_MAX) latch_text_fail(t, LATCH_E_MISUSE, "an expression has too many names");
        if (t->failed != LATCH_OK) return;
        names->names[names->count++] = name;
    }
}

static void collect_all(const latch_expression_set *x, char sigil, latch_expression_names *names, latch_text_writer *t) {
    latch_expression_collect(x->update, sigil, names, t);
    latch_expression_collect(x->condition, sigil, names, t);
    latch_expression_collect(x->key_condition, sigil, names, t);
    latch_expression_collect(x->filter, sigil, names, t);
    latch_expression_collect(x->projection, sigil, names, t);
}

static const latch_pair *find(const latch_pair *given, latch_str name) {
    while (given != NULL && given->name != NULL && !latch_str_eq(name, latch_str_of(given->name)))
        given++;
    return given != NULL && given->name != NULL ? given : NULL;
}

/* A placeholder that is given and used nowhere is a slip of the pen. */
static void check_used(latch_text_writer *t, const latch_pair *given, const latch_expression_names *names) {
    for (; given != NULL && given->name != NULL; given++)
        if (!has(names, latch_str_of(given->name))) refuse(t, latch_str_of(given->name), " is given, and no expression has it");
}

static void put_names(latch_text_writer *t, const latch_pair *given, const latch_expression_names *names) {
    if (names->count == 0) return;
    latch_text_put(t, LATCH_STR(",\"ExpressionAttributeNames\":"));
    for (size_t i = 0; i < names->count; i++) {
        latch_str placeholder = names->names[i], name = {placeholder.ptr + 1, placeholder.len - 1};
        const latch_pair *pair = find(given, placeholder);
        if (pair != NULL && pair->value.kind != LATCH_V_STR) refuse(t, placeholder, " must be given the name of an attribute, a text");
        if (pair != NULL) name = pair->value.as.str;
        latch_text_char(t, i == 0 ? '{' : ',');
        latch_text_json_string(t, placeholder);
        latch_text_char(t, ':');
        latch_text_json_string(t, name);
    }
    latch_text_char(t, '}');
}

static void put_values(latch_text_writer *t, const latch_pair *given, const latch_expression_names *names) {
    if (names->count == 0) return;
    latch_text_put(t, LATCH_STR(",\"ExpressionAttributeValues\":"));
    for (size_t i = 0; i < names->count; i++) {
        const latch_pair *pair = find(given, names->names[i]);
        if (pair == NULL) refuse(t, names->names[i], " stands in an expression, and has no value");
        if (t->failed != LATCH_OK) return;
        latch_text_char(t, i == 0 ? '{' : ',');
        latch_text_json_string(t, names->names[i]);
        latch_text_char(t, ':');
        (void)latch_marshal_pair(t, pair->name, &pair->value);
    }
    latch_text_char(t, '}');
}

static void put_expression(latch_text_writer *t, latch_str member, const char *expression) {
    if (expression == NULL) return;
    latch_text_put(t, member);
    latch_text_json_string(t, latch_str_of(expression));
}

void latch_expression_put(latch_text_writer *t, const latch_expression_set *x) {
    latch_expression_names names = {.count = 0}, values = {.count = 0};
    collect_all(x, '#', &names, t);
    collect_all(x, ':', &values, t);
    check_used(t, x->names, &names);
    check_used(t, x->values, &values);
    put_expression(t, LATCH_STR(",\"UpdateExpression\":"), x->update);
    put_expression(t, LATCH_STR(",\"ConditionExpression\":"), x->condition);
    put_expression(t, LATCH_STR(",\"KeyConditionExpression\":"), x->key_condition);
    put_expression(t, LATCH_STR(",\"FilterExpression\":"), x->filter);
    put_expression(t, LATCH_STR(",\"ProjectionExpression\":"), x->projection);
    put_names(t, x->names, &names);
    put_values(t, x->values, &values);
}

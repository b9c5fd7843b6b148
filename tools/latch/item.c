#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/ctx.h"
#include "core/text.h"
#include "store/dynamodb.h"
#include "store/marshal.h"
#include "subject.h"

#define SORT_KEYS_SHOWN 10

typedef struct item_command {
    latch_subject subject;
    bool raw;
    const char *pk, *sk;        /* as they were given; sk NULL: it wasn't */
    latch_str pk_name, sk_name; /* as the table has them; sk empty: its keys have one part */
    latch_str pk_type, sk_type; /* "S", "N", "B" */
} item_command;

static latch_status misuse(item_command *c, const char *what) {
    return latch_err_set(&c->subject.session.cx.err, LATCH_E_MISUSE, "table %.100s %s", c->subject.session.stores.table.name, what);
}

/* ── the table's key ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_str type_of(latch_json definitions, latch_str name) {
    for (latch_each each = latch_each_in(definitions); latch_each_next(&each);) {
        latch_str is = LATCH_STR(""), type = LATCH_STR("");
        bool told = latch_read(latch_each_value(&each), "AttributeName", &is, "AttributeType", &type) == LATCH_OK;
        if (told && latch_str_eq(is, name)) return type;
    }
    return LATCH_STR("S");
}

static latch_status describe(item_command *c) {
    latch_ctx *cx = &c->subject.session.cx;
    latch_answer answer;
    latch_json definitions;
    LATCH_TRY(latch_dynamodb_call(cx, "DescribeTable", latch_object(cx, "TableName", c->subject.session.stores.table.name), &answer));
    LATCH_TRY(latch_read(answer.body, "Table.KeySchema[0].AttributeName", &c->pk_name, "Table.KeySchema[1].AttributeName",
                         latch_optional(&c->sk_name), "Table.AttributeDefinitions", &definitions));
    c->pk_type = type_of(definitions, c->pk_name);
    c->sk_type = type_of(definitions, c->sk_name);
    return c->sk != NULL && c->sk_name.len == 0 ? misuse(c, "has keys of one part: give PK alone") : LATCH_OK;
}

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_value(latch_text_writer *t, latch_str type, const char *value) {
    latch_text_char(t, '{');
    latch_text_json_string(t, type);
    latch_text_char(t, ':');
    latch_text_json_string(t, latch_str_of(value));
    latch_text_char(t, '}');
}

/* The document that `t` has, sent. */
static latch_status ask(item_command *c, const char *operation, latch_text_writer *t, latch_answer *answer) {
    latch_ctx *cx = &c->subject.session.cx;
    latch_json request;
    latch_str text = latch_text_end(t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, t->failed, "the key: %s", t->why);
    LATCH_TRY(latch_parse_data(cx, "request", text, &request));
    return latch_dynamodb_call(cx, operation, request, answer);
}

static latch_text_writer begin_request(item_command *c) {
    latch_text_writer t = latch_text_begin(c->subject.session.cx.arena);
    latch_text_put(&t, LATCH_STR("{\"ConsistentRead\":true,\"TableName\":"));
    latch_text_json_string(&t, latch_str_of(c->subject.session.stores.table.name));
    return t;
}

static latch_status missing(item_command *c) {
    return latch_err_set(&c->subject.session.cx.err, LATCH_MISSING, "there is no item %.200s%s%.200s in table %.100s", c->pk,
                         c->sk != NULL ? " " : "", c->sk != NULL ? c->sk : "", c->subject.session.stores.table.name);
}

static latch_status get(item_command *c, latch_json *item) {
    latch_answer answer;
    latch_text_writer t = begin_request(c);
    latch_text_put(&t, LATCH_STR(",\"Key\":{"));
    latch_text_json_string(&t, c->pk_name);
    latch_text_char(&t, ':');
    put_value(&t, c->pk_type, c->pk);
    if (c->sk != NULL) {
        latch_text_char(&t, ',');
        latch_text_json_string(&t, c->sk_name);
        latch_text_char(&t, ':');
        put_value(&t, c->sk_type, c->sk);
    }
    latch_text_put(&t, LATCH_STR("}}"));
    LATCH_TRY(ask(c, "GetItem", &t, &answer));
    if (!latch_has(answer.body, "Item")) return missing(c);
    return latch_read(answer.body, "Item", item);
}

static void print_sort_keys(item_command *c, latch_json items) {
    size_t count = latch_count(items);
    for (size_t i = 0; i < count && i < SORT_KEYS_SHOWN; i++) {
        latch_json item = latch_at(items, i);
        for (latch_each member = latch_each_in(item); latch_each_next(&member);) {
            latch_each value = latch_each_in(latch_each_value(&member));
            if (!latch_str_eq(member.name, c->sk_name) || !latch_each_next(&value)) continue;
            fputs("  ", stderr);
            latch_facts_put(stderr, latch_each_text(&value));
            fputc('\n', stderr);
        }
    }
    if (count > SORT_KEYS_SHOWN) fputs("  …\n", stderr);
}

/* Without its second part, a key names the one item that begins so, or says which there are. */
static latch_status find(item_command *c, latch_json *item) {
    latch_answer answer;
    latch_json items;
    latch_text_writer t = begin_request(c);
    latch_text_put(&t, LATCH_STR(",\"Limit\":"));
    latch_text_int(&t, SORT_KEYS_SHOWN + 1);
    latch_text_put(&t, LATCH_STR(",\"KeyConditionExpression\":\"#p = :p\",\"ExpressionAttributeNames\":{\"#p\":"));
    latch_text_json_string(&t, c->pk_name);
    latch_text_put(&t, LATCH_STR("},\"ExpressionAttributeValues\":{\":p\":"));
    put_value(&t, c->pk_type, c->pk);
    latch_text_put(&t, LATCH_STR("}}"));
    LATCH_TRY(ask(c, "Query", &t, &answer));
    LATCH_TRY(latch_read(answer.body, "Items", &items));
    size_t count = latch_count(items);
    if (count == 0) return missing(c);
    *item = latch_at(items, 0);
    if (count == 1) return LATCH_OK;
    print_sort_keys(c, items);
    return misuse(c, "has several items of this PK: give the SK of one, as above");
}

/* ── get ────────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status get_item(item_command *c) {
    latch_ctx *cx = &c->subject.session.cx;
    latch_json item, shown;
    latch_str text;
    LATCH_TRY(latch_subject_connect(&c->subject));
    LATCH_TRY(describe(c));
    LATCH_TRY(c->sk == NULL && c->sk_name.len > 0 ? find(c, &item) : get(c, &item));
    shown = item;
    if (!c->raw) LATCH_TRY(latch_unmarshal_item(cx, item, &shown));
    LATCH_TRY(latch_json_text(cx, shown, &text));
    fwrite(text.ptr, 1, text.len, stdout);
    putchar('\n');
    return LATCH_OK;
}

int latch_command_item_get(int argc, char **argv) {
    item_command c = {.subject = {.command = "item get", .help = latch_help_item_get}};
    const char *words[2];
    size_t count;
    int exit_status;
    const latch_option options[] = {
        LATCH_CONNECTION_OPTIONS(&c.subject.connection),
        {"--table", LATCH_OPTION_TEXT, &c.subject.table, 0, 0},
        {"--raw", LATCH_OPTION_FLAG, &c.raw, 0, 0},
    };
    if (!latch_subject_arguments(&c.subject, options, sizeof options / sizeof *options, argc, argv, words, 1, 2, "want PK or PK SK", &count,
                                 &exit_status))
        return exit_status;
    c.pk = words[0];
    c.sk = count == 2 ? words[1] : NULL;
    return latch_subject_end(&c.subject, get_item(&c));
}

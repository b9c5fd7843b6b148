#include "store/transact.h"

#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/err.h"
#include "store/marshal.h"
#include "store/table.h"
#include "store/typed.h"

/* ── checking ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *table_of(const latch_ctx *cx, const char *table) { return table != NULL ? table : cx->table->name; }

static latch_status check_count(latch_ctx *cx, const char *shown, const char *what, size_t count) {
    if (count >= 1 && count <= LATCH_TRANSACTION_MAX_ACTIONS) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: has %zu %s, want 1 to %d: split it where no part needs the other", shown, count,
                         what, LATCH_TRANSACTION_MAX_ACTIONS);
}

/* What its kind needs; NULL: it has that. */
static const char *lacks(const latch_dynamodb_action *a) {
    switch (a->kind) {
    case LATCH_ACTION_NONE:
        return "has no kind: begin with LATCH_ACTION_PUT, _UPDATE, _DELETE or _CHECK";
    case LATCH_ACTION_PUT:
        return a->update != NULL ? "is a put, which has no .update" : NULL;
    case LATCH_ACTION_UPDATE:
        return a->update == NULL ? "is an update without .update" : NULL;
    case LATCH_ACTION_DELETE:
        return a->update != NULL ? "is a delete, which has no .update" : NULL;
    case LATCH_ACTION_CHECK:
        return a->condition == NULL ? "is a check without .condition" : a->update != NULL ? "is a check, which has no .update" : NULL;
    }
    return "has a kind that there isn't";
}

typedef struct subject { /* what an action is on */
    const char *table;
    latch_json key; /* or a put's item, which has the key among its attributes */
    bool is_item;
} subject;

/* Where both are items the key's names aren't known, but of the table whose they are. */
static bool same_item(latch_ctx *cx, const subject *a, const subject *b) {
    const latch_table *own = cx->table;
    if (strcmp(a->table, b->table) != 0) return false;
    if (!a->is_item) return latch_marshal_has(b->key, a->key);
    if (!b->is_item) return latch_marshal_has(a->key, b->key);
    if (strcmp(a->table, own->name) != 0) return false;
    const char *const names[] = {own->pk != NULL ? own->pk : "pk", own->sk != NULL ? own->sk : "sk"};
    return latch_marshal_same(a->key, b->key, names, 2);
}

static latch_status check_subjects(latch_ctx *cx, const char *shown, const subject *subjects, size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t other = 0; other < i; other++) {
            if (!same_item(cx, &subjects[other], &subjects[i])) continue;
            return latch_err_set(&cx->err, LATCH_E_MISUSE,
                                 "%s: actions %zu and %zu are on one item, which a transaction can't have: make them one", shown, other, i);
        }
    }
    return LATCH_OK;
}

/* The writer's complaint, with the action's place where there are several: "transact_write: action 2: item.n has over 38 digits". */
static latch_status complain(latch_ctx *cx, const char *shown, size_t place, bool several, latch_status status, const char *why) {
    char action[40] = "";
    if (several) snprintf(action, sizeof action, "action %zu: ", place);
    return latch_err_set(&cx->err, status, "%s: %s%s", shown, action, why);
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_actions(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_write_request *r) {
    subject subjects[LATCH_TRANSACTION_MAX_ACTIONS];
    LATCH_TRY(check_count(cx, shown, "actions", r->count));
    for (size_t i = 0; i < r->count; i++) {
        const latch_dynamodb_action *a = &r->actions[i];
        const char *wrong = lacks(a);
        if (wrong != NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: action %zu %s", shown, i, wrong);
        bool is_item = a->kind == LATCH_ACTION_PUT;
        subjects[i] = (subject){table_of(cx, a->table), is_item ? a->item : a->key, is_item};
    }
    if (r->token.len > LATCH_TOKEN_MAX_BYTES)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .token has %zu bytes, want at most %d: latch_uuid gives one", shown,
                             r->token.len, LATCH_TOKEN_MAX_BYTES);
    return check_subjects(cx, shown, subjects, r->count);
}

static latch_status put_actions(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_write_request *r, latch_text_writer *t) {
    static const char *const kinds[] = {"", "{\"Put\":{", "{\"Update\":{", "{\"Delete\":{", "{\"ConditionCheck\":{"};
    size_t bytes = 0;
    latch_text_put(t, LATCH_STR(",\"TransactItems\":["));
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0) latch_text_char(t, ',');
        latch_text_put(t, latch_str_of(kinds[r->actions[i].kind]));
        bytes += latch_typed_put_action(cx, t, &r->actions[i]);
        latch_text_put(t, LATCH_STR("}}"));
        if (t->failed != LATCH_OK) return complain(cx, shown, i, r->count > 1, t->failed, t->why);
    }
    latch_text_char(t, ']');
    if (bytes <= LATCH_TRANSACTION_MAX_BYTES) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: its items have %zu bytes together, want at most %zu", shown, bytes,
                         LATCH_TRANSACTION_MAX_BYTES);
}

/* Of an answer that says why; what it leaves out stays as it is. */
static latch_status read_reasons(latch_ctx *cx, latch_json list, latch_dynamodb_cancelled *why) {
    size_t count = latch_count(list);
    latch_dynamodb_reason *reasons = latch_arena_alloc(cx->arena, count * sizeof *reasons);
    if (reasons == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "transaction: the arena is full");
    *why = (latch_dynamodb_cancelled){reasons, count, count};
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        latch_dynamodb_reason *reason = &reasons[each.index];
        latch_json attributes;
        LATCH_TRY(latch_read(latch_each_value(&each), "Code", latch_optional(&reason->code), "Message",
                             latch_optional(latch_bytes(&reason->message, 0, INT64_MAX)), "Item", latch_optional(&attributes)));
        LATCH_TRY(latch_unmarshal_item(cx, attributes, &reason->item));
        if (reason->code.len == 0) reason->code = LATCH_STR("None");
        if (why->first == count && !latch_str_eq(reason->code, LATCH_STR("None"))) why->first = each.index;
    }
    return LATCH_OK;
}

/* The call's own status and error stay, whatever is wrong with the reasons: they are gone then. One for each action, or none. */
static latch_status explain(latch_ctx *cx, latch_status status, const latch_answer *answer, size_t count, latch_dynamodb_cancelled *why) {
    latch_json list;
    latch_err err = cx->err;
    if (!latch_str_eq(answer->error, LATCH_STR("TransactionCanceledException"))) return status;
    latch_status found = latch_read(answer->body, "CancellationReasons", latch_optional(&list));
    if (found == LATCH_OK && list.node != NULL && latch_count(list) == count) found = read_reasons(cx, list, why);
    if (found != LATCH_OK) *why = (latch_dynamodb_cancelled){0};
    cx->err = err;
    return status;
}

latch_status latch_typed_transact(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_write_request *r,
                                  latch_dynamodb_cancelled *why) {
    const latch_typed how = {
        .shown = shown, .operation = "TransactWriteItems", .repeatable = true, .timeout_ms = r->timeout_ms, .cost = r->cost};
    latch_answer answer;
    if (why != NULL) *why = (latch_dynamodb_cancelled){0};
    LATCH_TRY(latch_client_check_open(cx, shown));
    LATCH_TRY(check_actions(cx, shown, r));
    latch_str token = r->token.len > 0 ? r->token : latch_uuid(cx);
    if (token.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", shown);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, LATCH_STR("{\"ClientRequestToken\":"));
    latch_text_json_string(&t, token);
    LATCH_TRY(put_actions(cx, shown, r, &t));
    latch_status status = latch_typed_send(cx, &how, &t, &answer);
    return status == LATCH_OK || why == NULL ? status : explain(cx, status, &answer, r->count, why);
}

latch_status latch_dynamodb_transact_write(latch_ctx *cx, const latch_dynamodb_transact_write_request *request,
                                           latch_dynamodb_cancelled *why) {
    return latch_typed_transact(cx, "transact_write", request, why);
}

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status check_gets(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_get_request *r) {
    subject subjects[LATCH_TRANSACTION_MAX_ACTIONS];
    LATCH_TRY(check_count(cx, shown, "gets", r->count));
    for (size_t i = 0; i < r->count; i++)
        subjects[i] = (subject){table_of(cx, r->gets[i].table), r->gets[i].key, false};
    return check_subjects(cx, shown, subjects, r->count);
}

static latch_status put_gets(latch_ctx *cx, const char *shown, const latch_dynamodb_transact_get_request *r, latch_text_writer *t) {
    latch_text_put(t, LATCH_STR("{\"TransactItems\":["));
    for (size_t i = 0; i < r->count; i++) {
        latch_text_put(t, i > 0 ? LATCH_STR(",{\"Get\":{") : LATCH_STR("{\"Get\":{"));
        latch_typed_put_get(cx, t, &r->gets[i]);
        latch_text_put(t, LATCH_STR("}}"));
        if (t->failed != LATCH_OK) return complain(cx, shown, i, true, t->failed, t->why);
    }
    latch_text_char(t, ']');
    return LATCH_OK;
}

static latch_status read_responses(latch_ctx *cx, const latch_answer *answer, size_t count, latch_json *items) {
    latch_json list;
    LATCH_TRY(latch_read(answer->body, "Responses", &list));
    if (latch_count(list) != count)
        return latch_err_set(&cx->err, LATCH_E_DATA, "transact_get: the answer has %zu items, want %zu", latch_count(list), count);
    for (latch_each each = latch_each_in(list); latch_each_next(&each);) {
        latch_json attributes;
        LATCH_TRY(latch_read(latch_each_value(&each), "Item", latch_optional(&attributes)));
        LATCH_TRY(latch_unmarshal_item(cx, attributes, &items[each.index]));
    }
    return LATCH_OK;
}

latch_status latch_dynamodb_transact_get(latch_ctx *cx, const latch_dynamodb_transact_get_request *r, latch_json *items) {
    const latch_typed how = {
        .shown = "transact_get", .operation = "TransactGetItems", .reads = true, .timeout_ms = r->timeout_ms, .cost = r->cost};
    latch_answer answer;
    for (size_t i = 0; i < r->count; i++)
        items[i] = (latch_json){cx, NULL};
    LATCH_TRY(latch_client_check_open(cx, how.shown));
    LATCH_TRY(check_gets(cx, how.shown, r));
    latch_text_writer t = latch_text_begin(cx->arena);
    LATCH_TRY(put_gets(cx, how.shown, r, &t));
    LATCH_TRY(latch_typed_send(cx, &how, &t, &answer));
    latch_status status = read_responses(cx, &answer, r->count, items);
    for (size_t i = 0; i < r->count && status != LATCH_OK; i++)
        items[i] = (latch_json){cx, NULL};
    return status;
}

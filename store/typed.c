#include "store/typed.h"

#include <string.h>

#include "core/ctx_private.h"
#include "store/expression.h"
#include "store/marshal.h"
#include "store/table.h"

void latch_typed_put_table(latch_ctx *cx, latch_text_writer *t, const char *table) {
    latch_text_put(t, LATCH_STR("\"TableName\":"));
    latch_text_json_string(t, latch_str_of(table != NULL ? table : cx->table->name));
}

/* Of the one table whose keys are known. */
static void check_own(latch_ctx *cx, latch_text_writer *t, const char *table, const char *what, latch_json v) {
    const latch_table *own = cx->table;
    if (table != NULL && strcmp(table, own->name) != 0) return;
    latch_marshal_check(t, what, v, own->pk != NULL ? own->pk : "pk", own->sk != NULL ? own->sk : "sk");
}

static void put_key(latch_ctx *cx, latch_text_writer *t, const char *table, latch_json key) {
    latch_text_put(t, LATCH_STR(",\"Key\":"));
    (void)latch_marshal_key(t, key);
    check_own(cx, t, table, "key", key);
}

size_t latch_typed_put_action(latch_ctx *cx, latch_text_writer *t, const latch_dynamodb_action *a) {
    size_t bytes = 0;
    latch_typed_put_table(cx, t, a->table);
    if (a->kind == LATCH_ACTION_PUT) {
        latch_text_put(t, LATCH_STR(",\"Item\":"));
        bytes = latch_marshal_item(t, a->item);
        check_own(cx, t, a->table, "item", a->item);
    } else {
        put_key(cx, t, a->table, a->key);
    }
    latch_expression_put(t,
                         &(latch_expression_set){.update = a->update, .condition = a->condition, .names = a->names, .values = a->values});
    if (a->wants_item && a->condition != NULL) latch_text_put(t, LATCH_STR(",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\""));
    return bytes;
}

void latch_typed_put_get(latch_ctx *cx, latch_text_writer *t, const latch_dynamodb_get_request *get) {
    latch_typed_put_table(cx, t, get->table);
    put_key(cx, t, get->table, get->key);
    latch_expression_put(t, &(latch_expression_set){.projection = get->projection, .names = get->names});
}

static void put_capacity(latch_ctx *cx, latch_text_writer *t, const latch_dynamodb_cost *cost) {
    if (cost != NULL) {
        latch_text_put(t, LATCH_STR(",\"ReturnConsumedCapacity\":\"TOTAL\""));
    } else {
        latch_client_put_capacity(cx, t);
    }
}

latch_status latch_typed_send(latch_ctx *cx, const latch_typed *how, latch_text_writer *t, latch_answer *answer) {
    latch_call call = {.operation = how->operation, .item = how->item, .reads = how->reads, .repeatable = how->repeatable};
    *answer = (latch_answer){.body = {cx, NULL}};
    put_capacity(cx, t, how->cost);
    latch_text_char(t, '}');
    call.request = latch_text_end(t);
    if (call.request.ptr == NULL) return latch_err_set(&cx->err, t->failed, "%s: %s", how->shown, t->why);
    LATCH_TRY(latch_ctx_deadline(cx, how->timeout_ms, INT64_MAX, &call.deadline_at_ms));
    latch_status status = latch_client_call(cx, &call, answer);
    if (how->cost == NULL) return status;
    how->cost->read_milli_units += answer->read_milli_units;
    how->cost->write_milli_units += answer->write_milli_units;
    how->cost->requests += (uint64_t)answer->tries;
    return status;
}

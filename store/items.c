#include "store/items.h"

#include "core/ctx_private.h"
#include "store/marshal.h"
#include "store/table.h"
#include "store/typed.h"

/* ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_dynamodb_get(latch_ctx *cx, const latch_dynamodb_get_request *request, latch_json *item) {
    const latch_typed how = {
        .shown = "get", .operation = "GetItem", .item = true, .reads = true, .timeout_ms = request->timeout_ms, .cost = request->cost};
    latch_answer answer;
    latch_json attributes;
    *item = (latch_json){cx, NULL};
    LATCH_TRY(latch_client_check_open(cx, how.shown));
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    latch_typed_put_get(cx, &t, request);
    if (!request->eventual) latch_text_put(&t, LATCH_STR(",\"ConsistentRead\":true"));
    LATCH_TRY(latch_typed_send(cx, &how, &t, &answer));
    LATCH_TRY(latch_read(answer.body, "Item", latch_optional(&attributes)));
    if (attributes.node != NULL) return latch_unmarshal_item(cx, attributes, item);
    latch_str key = latch_text(request->key);
    return latch_err_set(&cx->err, LATCH_MISSING, "get: there is no such item in %s: %.*s",
                         request->table != NULL ? request->table : cx->table->name, LATCH_ARG(key));
}

/* ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct writing {
    latch_typed how;
    latch_dynamodb_action action;
    const char *returns; /* ReturnValues of what is applied */
    bool exactly_once;
} writing;

/* The request token makes a repeat harmless; it is sent as any transaction is. */
static latch_status write_once(latch_ctx *cx, const writing *w, latch_json *out) {
    const latch_dynamodb_transact_write_request one = {
        .actions = &w->action, .count = 1, .timeout_ms = w->how.timeout_ms, .cost = w->how.cost};
    latch_dynamodb_cancelled why;
    latch_status status = latch_typed_transact(cx, w->how.shown, &one, &why);
    if (status == LATCH_CONFLICT && out != NULL && why.count == 1) *out = why.reasons[0].item;
    return status;
}

/* An answer that can't be read after a write that was applied leaves the caller without what it asked for, and says so. */
static latch_status bring(latch_ctx *cx, latch_status status, const latch_answer *answer, latch_json *out) {
    bool maybe = status == LATCH_OK || cx->err.maybe_applied;
    latch_json attributes;
    latch_status found = status == LATCH_OK ? latch_read(answer->body, "Attributes", latch_optional(&attributes))
                                            : latch_read(answer->body, "Item", latch_optional(&attributes));
    if (found == LATCH_OK) found = latch_unmarshal_item(cx, attributes, out);
    if (found != LATCH_OK) cx->err.maybe_applied = maybe;
    return found != LATCH_OK ? found : status;
}

static latch_status apply(latch_ctx *cx, writing *w, latch_json *out) {
    latch_answer answer;
    if (out != NULL) *out = (latch_json){cx, NULL};
    LATCH_TRY(latch_client_check_open(cx, w->how.shown));
    w->how.item = true;
    w->action.wants_item = out != NULL;
    if (w->exactly_once) return write_once(cx, w, out);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_char(&t, '{');
    (void)latch_typed_put_action(cx, &t, &w->action);
    if (out != NULL) {
        latch_text_put(&t, LATCH_STR(",\"ReturnValues\":\""));
        latch_text_put(&t, latch_str_of(w->returns));
        latch_text_char(&t, '"');
    }
    latch_status status = latch_typed_send(cx, &w->how, &t, &answer);
    if (out == NULL || (status != LATCH_OK && status != LATCH_CONFLICT)) return status;
    return bring(cx, status, &answer, out);
}

latch_status latch_dynamodb_put(latch_ctx *cx, const latch_dynamodb_put_request *r, latch_json *old) {
    writing w = {.how = {.shown = "put", .operation = "PutItem", .repeatable = r->repeatable, .timeout_ms = r->timeout_ms, .cost = r->cost},
                 .action = {.kind = LATCH_ACTION_PUT,
                            .table = r->table,
                            .item = r->item,
                            .condition = r->condition,
                            .names = r->names,
                            .values = r->values},
                 .returns = "ALL_OLD",
                 .exactly_once = r->exactly_once};
    return apply(cx, &w, old);
}

latch_status latch_dynamodb_delete(latch_ctx *cx, const latch_dynamodb_delete_request *r, latch_json *old) {
    writing w = {
        .how = {.shown = "delete", .operation = "DeleteItem", .repeatable = r->repeatable, .timeout_ms = r->timeout_ms, .cost = r->cost},
        .action = {.kind = LATCH_ACTION_DELETE,
                   .table = r->table,
                   .key = r->key,
                   .condition = r->condition,
                   .names = r->names,
                   .values = r->values},
        .returns = "ALL_OLD",
        .exactly_once = r->exactly_once};
    return apply(cx, &w, old);
}

latch_status latch_dynamodb_update(latch_ctx *cx, const latch_dynamodb_update_request *r, latch_json *item) {
    static const char *const returns[] = {"ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD"};
    writing w = {
        .how = {.shown = "update", .operation = "UpdateItem", .repeatable = r->repeatable, .timeout_ms = r->timeout_ms, .cost = r->cost},
        .action = {.kind = LATCH_ACTION_UPDATE,
                   .table = r->table,
                   .key = r->key,
                   .update = r->update,
                   .condition = r->condition,
                   .names = r->names,
                   .values = r->values},
        .exactly_once = r->exactly_once};
    if (item != NULL) *item = (latch_json){cx, NULL};
    if (r->update == NULL) return latch_err_set(&cx->err, LATCH_E_MISUSE, "update: .update is missing: \"SET #name = :value\"");
    if ((size_t)r->returns >= sizeof returns / sizeof returns[0])
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "update: .returns is %d, which is none of latch_dynamodb_returns", (int)r->returns);
    w.returns = returns[r->returns];
    return apply(cx, &w, item);
}

#include "store/saga.h"

#include <inttypes.h>
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/layouts.h"
#include "store/marshal.h"
#include "store/saga_private.h"
#include "store/schema.h"

static const latch_table_key saga_key = {.store = "saga", .prefix = "SAGA", .max_bytes = 2048};
static const latch_table_key correlation_key = {.store = "saga", .prefix = "CORR", .max_bytes = 2048};
static const latch_table_key given_key = {.store = "saga", .prefix = "", .max_bytes = LATCH_SAGA_ID_MAX_BYTES};

#define FRESH "attribute_not_exists(#pk)"
#define SET_STATE "SET #version = :version, #isCompleted = :isCompleted, #state = :state, #updatedAt = :updatedAt, #updateId = :updateId"

/* ── where it is ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status full(latch_ctx *cx, const latch_saga *saga) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", saga->name);
}

static latch_status key_of(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_saga_key *out) {
    const latch_saga *saga = place->saga;
    *out = (latch_saga_key){latch_str_of(saga->name), id};
    LATCH_TRY(latch_table_check_key(cx, &given_key, saga->name, id));
    if (place->bus) return LATCH_OK;
    out->sk = LATCH_STR("STATE");
    return latch_table_pk(cx, &saga_key, saga->name, id, &out->pk);
}

/* Of the item that holds a correlation id's saga: there is none in a saga bus's table, whose ids are checked alike. */
static latch_status correlation_key_of(latch_ctx *cx, const latch_saga_place *place, latch_str correlation_id, latch_saga_key *out) {
    const latch_saga *saga = place->saga;
    *out = (latch_saga_key){.sk = LATCH_STR("CORR")};
    LATCH_TRY(latch_table_check_key(cx, &given_key, saga->name, correlation_id));
    return place->bus ? LATCH_OK : latch_table_pk(cx, &correlation_key, saga->name, correlation_id, &out->pk);
}

static latch_json key_object(latch_ctx *cx, const latch_saga_place *place, const latch_saga_key *k) {
    return latch_object_(cx, (const latch_pair[]){{place->at.pk, LATCH_V_(k->pk)}, {place->at.sk, LATCH_V_(k->sk)}, {NULL, LATCH_V_("")}});
}

static latch_status send(latch_ctx *cx, const latch_saga_place *place, latch_request *request, latch_json *item) {
    request->at = &place->at;
    request->repeatable = true;
    LATCH_TRY(latch_ctx_deadline(cx, place->saga->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

/* ── getting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status missing(latch_ctx *cx, const latch_saga *saga, const char *what, latch_str id) {
    return latch_err_set(&cx->err, LATCH_MISSING, "saga %s: there is none %s %.*s", saga->name, what, LATCH_ARG(latch_str_cut(id, 80)));
}

static latch_status get(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_saga_instance *out) {
    latch_json item;
    latch_saga_key k;
    LATCH_TRY(key_of(cx, place, id, &k));
    latch_request request = {.operation = LATCH_GET_ITEM, .pk = k.pk, .sk = k.sk};
    LATCH_TRY(send(cx, place, &request, &item));
    if (item.node == NULL) return missing(cx, place->saga, "of id", id);
    LATCH_TRY(latch_unmarshal_item(cx, item, &item));
    return latch_saga_read(item, place, out);
}

latch_status latch_saga_get_by_id(latch_ctx *cx, const latch_saga *saga, latch_str id, latch_saga_instance *out) {
    latch_saga_place place;
    *out = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    return get(cx, &place, id, out);
}

/* *id is empty where there is none. */
static latch_status look_up(latch_ctx *cx, const latch_saga_place *place, const latch_saga_key *k, latch_str *id) {
    latch_request request = {.operation = LATCH_GET_ITEM, .pk = k->pk, .sk = k->sk};
    latch_json item;
    LATCH_TRY(send(cx, place, &request, &item));
    return item.node != NULL ? latch_item_text(item, "sagaId", id) : LATCH_OK;
}

static latch_status look_up_bus(latch_ctx *cx, const latch_saga_place *place, latch_str correlation_id, latch_str *id) {
    const latch_dynamodb_query_request query = {
        .table = place->at.table,
        .index = "GSI1",
        .key_condition = "#GSI1PK = :name AND #GSI1SK = :id",
        .projection = "#SK",
        .values = LATCH_VALUES(":name", place->saga->name, ":id", correlation_id),
        .limit = 1,
        .timeout_ms = place->saga->timeout_ms != 0 ? place->saga->timeout_ms : LATCH_TABLE_TIMEOUT_MS,
    };
    latch_dynamodb_pages pages;
    latch_json item;
    bool more;
    LATCH_TRY(latch_dynamodb_query(cx, &query, &pages));
    LATCH_TRY(latch_layout_explain(cx, latch_dynamodb_next(&pages, &item, &more), place->at.table, "saga-bus", query.index));
    return more ? latch_read(item, "SK", id) : LATCH_OK;
}

/* The saga may be gone since its id was read, and another have come under that id. */
latch_status latch_saga_get_by_correlation_id(latch_ctx *cx, const latch_saga *saga, latch_str correlation_id, latch_saga_instance *out) {
    latch_saga_instance found = {.state = LATCH_NULL};
    latch_saga_place place;
    latch_str id = {NULL, 0};
    latch_saga_key k;
    *out = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(correlation_key_of(cx, &place, correlation_id, &k));
    LATCH_TRY(place.bus ? look_up_bus(cx, &place, correlation_id, &id) : look_up(cx, &place, &k, &id));
    if (id.len > 0) LATCH_TRY(get(cx, &place, id, &found));
    if (id.len == 0 || !latch_str_eq(found.correlation_id, correlation_id)) return missing(cx, saga, "of correlation id", correlation_id);
    *out = found;
    return LATCH_OK;
}

/* ── what is given ────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_saga_set_timeout(latch_ctx *cx, latch_saga_instance *instance, int64_t timeout_ms) {
    instance->timeout_ms = timeout_ms;
    instance->timeout_at_ms = timeout_ms > 0 && timeout_ms <= LATCH_SPAN_MS_MAX ? latch_now_ms(cx) + timeout_ms : 0;
}

static latch_status check_instance(latch_ctx *cx, const latch_saga *saga, const latch_saga_instance *instance) {
    latch_str text;
    size_t mark = latch_arena_mark(cx->arena);
    LATCH_TRY(latch_table_check_span(cx, "saga", saga->name, "timeout_ms", instance->timeout_ms, 0));
    if (instance->timeout_at_ms < 0 || instance->timeout_at_ms > LATCH_AT_MS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: timeout_at_ms is %" PRId64 ", want Unix milliseconds", saga->name,
                             instance->timeout_at_ms);
    LATCH_TRY(latch_json_text(cx, instance->state, &text));
    bool object = text.ptr[0] == '{';
    latch_arena_rewind(cx->arena, mark);
    if (object) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: the state is no object: latch_object makes one", saga->name);
}

/* ── inserting ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status send_all(latch_ctx *cx, const latch_saga_place *place, const latch_dynamodb_action *actions,
                             latch_dynamodb_cancelled *why) {
    const latch_dynamodb_transact_write_request request = {
        .actions = actions,
        .count = place->bus ? 1 : 2,
        .timeout_ms = place->saga->timeout_ms != 0 ? place->saga->timeout_ms : LATCH_TABLE_TIMEOUT_MS,
    };
    return latch_dynamodb_transact_write(cx, &request, why);
}

/* The item that made the condition of an action false; null: it was true, or there is none, or it isn't told. */
static latch_json obstacle(const latch_dynamodb_cancelled *why, size_t action) {
    return action < why->count ? why->reasons[action].item : LATCH_NULL;
}

/* Its own first try, of which the token was forgotten; or another's saga of that id or that correlation id. */
static latch_status refused_insert(latch_ctx *cx, const latch_saga_place *place, const latch_saga_written *w,
                                   const latch_dynamodb_cancelled *why, latch_saga_instance *existing) {
    latch_json state = obstacle(why, 0), correlation = obstacle(why, 1);
    latch_str id = {NULL, 0};
    bool lost = cx->err.maybe_applied;
    const char *doubt = lost ? "; a try got no answer and may have inserted it" : "";
    latch_status status = LATCH_OK;
    if (state.node != NULL && latch_str_eq(latch_saga_update_id(state), w->update_id)) return LATCH_OK;
    if (state.node != NULL)
        status = latch_saga_read(state, place, existing);
    else if (correlation.node != NULL)
        status = latch_read(correlation, "sagaId", &id);
    existing->id = state.node != NULL ? existing->id : id;
    if (status == LATCH_OK && id.len > 0)
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: correlation id %.*s is already that of %.*s%s", place->saga->name,
                               LATCH_ARG(latch_str_cut(w->as.correlation_id, 64)), LATCH_ARG(latch_str_cut(id, 64)), doubt);
    else if (status == LATCH_OK)
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: there is one of id %.*s already, at version %" PRId64 "%s",
                               place->saga->name, LATCH_ARG(latch_str_cut(w->as.id, 64)), existing->version, doubt);
    cx->err.maybe_applied = lost;
    return status;
}

latch_status latch_saga_insert(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance, latch_saga_instance *existing) {
    latch_saga_instance as = *instance, unwanted;
    latch_dynamodb_cancelled why;
    latch_saga_place place;
    latch_saga_key state, correlation;
    bool refused;
    latch_saga_written w;
    if (existing == NULL) existing = &unwanted;
    *existing = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(key_of(cx, &place, as.id, &state));
    LATCH_TRY(correlation_key_of(cx, &place, as.correlation_id, &correlation));
    LATCH_TRY(check_instance(cx, saga, instance));
    as.version = 0;
    as.created_at_ms = as.updated_at_ms = latch_now_ms(cx);
    LATCH_TRY(latch_saga_write_as(cx, &place, &as, &w));
    const latch_dynamodb_action actions[] = {
        {.kind = LATCH_ACTION_PUT,
         .table = place.at.table,
         .item = latch_saga_item(cx, &place, &state, &w),
         .condition = FRESH,
         .names = LATCH_NAMES("#pk", place.at.pk),
         .wants_item = true},
        {.kind = LATCH_ACTION_PUT,
         .table = place.at.table,
         .condition = FRESH,
         .names = LATCH_NAMES("#pk", place.at.pk),
         .item = latch_object_(cx, (const latch_pair[]){{place.at.pk, LATCH_V_(correlation.pk)},
                                                        {place.at.sk, LATCH_V_(correlation.sk)},
                                                        {"sagaId", LATCH_V_(as.id)},
                                                        {NULL, LATCH_V_("")}}),
         .wants_item = true},
    };
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, send_all(cx, &place, actions, &why));
    if (refused) LATCH_TRY(refused_insert(cx, &place, &w, &why, existing));
    *instance = as;
    return LATCH_OK;
}

/* ── updating ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status send_update(latch_ctx *cx, const latch_saga_place *place, const latch_saga_key *k, const latch_saga_written *w,
                                latch_json *item) {
    bool has_timeout = w->as.timeout_at_ms > 0;
    const char *timeout = place->bus ? "" : has_timeout ? ", #timeoutMs = :timeoutMs, #timeoutExpiresAt = :expires" : "";
    const char *index = !w->indexed ? "" : place->bus ? ", #GSI2PK = :gsi2pk, #GSI2SK = :gsi2sk" : ", #gsi2pk = :gsi2pk, #gsi2sk = :gsi2sk";
    const char *out = w->indexed ? "" : place->bus ? " REMOVE #GSI2PK, #GSI2SK" : " REMOVE #gsi2pk, #gsi2sk";
    const char *never = place->bus || has_timeout ? ""
                        : w->indexed              ? " REMOVE #timeoutMs, #timeoutExpiresAt"
                                                  : ", #timeoutMs, #timeoutExpiresAt";
    latch_str update = latch_ctx_text(cx, SET_STATE "%s%s%s%s", timeout, index, out, never);
    if (update.ptr == NULL) return full(cx, place->saga);
    latch_request request = {
        .operation = LATCH_UPDATE_ITEM,
        .pk = k->pk,
        .sk = k->sk,
        .update = update.ptr,
        .condition = "#version = :expected",
        .values = LATCH_VALUES(":expected", w->as.version - 1, ":version", w->as.version, ":isCompleted", w->as.completed, ":state",
                               w->state, ":updatedAt", w->dates.updated, ":updateId", w->update_id, ":timeoutMs", w->as.timeout_ms,
                               ":expires", w->dates.expires, ":gsi2pk", w->gsi2pk, ":gsi2sk", w->gsi2sk),
        .returns = LATCH_RETURNS_REFUSED,
    };
    return send(cx, place, &request, item);
}

static latch_status gone(latch_ctx *cx, const latch_saga_place *place, latch_str id, bool lost) {
    (void)latch_err_set(&cx->err, LATCH_MISSING, "saga %s: there is none of id %.*s%s", place->saga->name, LATCH_ARG(latch_str_cut(id, 80)),
                        lost ? "; a try got no answer and may have been applied before it went" : "");
    cx->err.maybe_applied = lost;
    return LATCH_MISSING;
}

/*
 * Our own lost try bears our id. One version on with another's id, another took the step that we wanted: ours is refused for ever. Whatever
 * else is seen doesn't tell.
 */
static latch_status refused_update(latch_ctx *cx, const latch_saga_place *place, const latch_saga_written *w, latch_json item,
                                   latch_saga_instance *actual) {
    bool lost = cx->err.maybe_applied;
    if (item.node == NULL) return gone(cx, place, w->as.id, lost);
    latch_status status = latch_unmarshal_item(cx, item, &item);
    if (status == LATCH_OK && latch_str_eq(latch_saga_update_id(item), w->update_id)) return LATCH_OK;
    if (status == LATCH_OK) status = latch_saga_read(item, place, actual);
    if (status == LATCH_OK && actual->version == w->as.version && actual->created_at_ms == w->as.created_at_ms) lost = false;
    if (status == LATCH_OK)
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: %.*s is at version %" PRId64 ", expected %" PRId64 "%s",
                               place->saga->name, LATCH_ARG(latch_str_cut(w->as.id, 80)), actual->version, w->as.version - 1,
                               lost ? "; a try got no answer and may have been applied" : "");
    cx->err.maybe_applied = lost;
    return status;
}

latch_status latch_saga_update(latch_ctx *cx, const latch_saga *saga, latch_saga_instance *instance, latch_saga_instance *actual) {
    latch_saga_instance as = *instance, unwanted;
    latch_saga_place place;
    latch_json item;
    bool refused;
    latch_saga_written w;
    latch_saga_key k;
    if (actual == NULL) actual = &unwanted;
    *actual = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(key_of(cx, &place, as.id, &k));
    LATCH_TRY(check_instance(cx, saga, instance));
    if (as.version < 0 || as.version >= INT64_MAX - 1)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: version is %" PRId64 ", want one that was read", saga->name, as.version);
    as.version++;
    as.updated_at_ms = latch_now_ms(cx);
    LATCH_TRY(latch_saga_write_as(cx, &place, &as, &w));
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, send_update(cx, &place, &k, &w, &item));
    if (refused) LATCH_TRY(refused_update(cx, &place, &w, item, actual));
    *instance = as;
    return LATCH_OK;
}

/* ── deleting ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_saga_remove(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_str correlation_id, const char *condition,
                               const latch_pair *values, latch_dynamodb_cancelled *why) {
    latch_saga_key state, correlation;
    LATCH_TRY(key_of(cx, place, id, &state));
    LATCH_TRY(correlation_key_of(cx, place, correlation_id, &correlation));
    const latch_dynamodb_action actions[] = {
        {.kind = LATCH_ACTION_DELETE,
         .table = place->at.table,
         .key = key_object(cx, place, &state),
         .condition = condition,
         .values = values,
         .wants_item = true},
        {.kind = LATCH_ACTION_DELETE,
         .table = place->at.table,
         .key = key_object(cx, place, &correlation),
         .condition = FRESH " OR #sagaId = :id",
         .names = LATCH_NAMES("#pk", place->at.pk),
         .values = LATCH_VALUES(":id", id),
         .wants_item = true},
    };
    return send_all(cx, place, actions, why);
}

/* Whether the saga itself was the obstacle, and there is none: then there is nothing to delete. */
static bool was_gone(const latch_dynamodb_cancelled *why) {
    return why->count > 0 && why->reasons[0].item.node == NULL && latch_str_eq(why->reasons[0].code, LATCH_STR("ConditionalCheckFailed"));
}

latch_status latch_saga_delete(latch_ctx *cx, const latch_saga *saga, const latch_saga_instance *instance, latch_saga_instance *actual) {
    latch_saga_instance unwanted;
    latch_dynamodb_cancelled why;
    latch_saga_place place;
    bool refused;
    if (actual == NULL) actual = &unwanted;
    *actual = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY_BUT(LATCH_CONFLICT, refused,
                  latch_saga_remove(cx, &place, instance->id, instance->correlation_id,
                                    "#version = :version AND #correlationId = :correlation",
                                    LATCH_VALUES(":version", instance->version, ":correlation", instance->correlation_id), &why));
    if (!refused || was_gone(&why)) return LATCH_OK;
    bool lost = cx->err.maybe_applied;
    latch_json item = obstacle(&why, 0);
    latch_status status = item.node != NULL ? latch_saga_read(item, &place, actual) : LATCH_OK;
    if (status == LATCH_OK)
        status = latch_err_set(&cx->err, LATCH_CONFLICT, "saga %s: %.*s %s%s", saga->name, LATCH_ARG(latch_str_cut(instance->id, 80)),
                               item.node == NULL                      ? "has a correlation id that is another's"
                               : actual->version != instance->version ? "is at another version than the one to delete"
                                                                      : "has another correlation id than the one to delete",
                               lost ? "; a try got no answer and may have deleted it" : "");
    cx->err.maybe_applied = lost;
    return status;
}

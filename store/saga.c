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

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

latch_status latch_saga_begin(latch_ctx *cx, const latch_saga *saga, latch_saga_place *out) {
    *out = (latch_saga_place){.saga = saga, .bus = saga->saga_bus_table != NULL};
    LATCH_TRY(latch_client_check_open(cx, "saga"));
    LATCH_TRY(latch_table_check_key(cx, &given_key, saga->name, LATCH_STR("-"))); /* of the name alone */
    const latch_table *own = cx->table;
    out->at = (latch_place){.table = own->name, .pk = or_default(own->pk, "pk"), .sk = or_default(own->sk, "sk")};
    if (!out->bus) return LATCH_OK;
    out->at = (latch_place){.table = saga->saga_bus_table, .pk = "PK", .sk = "SK"};
    return latch_dynamodb_check_table(cx, saga->saga_bus_table);
}

latch_str latch_saga_index_key(latch_ctx *cx, const latch_saga_place *place, latch_str prefix) {
    latch_str name = latch_str_of(place->saga->name);
    return place->bus ? name : latch_key(cx, prefix, name);
}

typedef struct key {
    latch_str pk, sk;
} key;

static latch_status key_of(latch_ctx *cx, const latch_saga_place *place, latch_str id, key *out) {
    const latch_saga *saga = place->saga;
    *out = (key){latch_str_of(saga->name), id};
    LATCH_TRY(latch_table_check_key(cx, &given_key, saga->name, id));
    if (place->bus) return LATCH_OK;
    out->sk = LATCH_STR("STATE");
    return latch_table_pk(cx, &saga_key, saga->name, id, &out->pk);
}

/* Of the item that holds a correlation id's saga: there is none in a saga bus's table, whose ids are checked alike. */
static latch_status correlation_key_of(latch_ctx *cx, const latch_saga_place *place, latch_str correlation_id, key *out) {
    const latch_saga *saga = place->saga;
    *out = (key){.sk = LATCH_STR("CORR")};
    LATCH_TRY(latch_table_check_key(cx, &given_key, saga->name, correlation_id));
    return place->bus ? LATCH_OK : latch_table_pk(cx, &correlation_key, saga->name, correlation_id, &out->pk);
}

static latch_json key_object(latch_ctx *cx, const latch_saga_place *place, const key *k) {
    return latch_object_(cx, (const latch_pair[]){{place->at.pk, LATCH_V_(k->pk)}, {place->at.sk, LATCH_V_(k->sk)}, {NULL, LATCH_V_("")}});
}

static latch_status send(latch_ctx *cx, const latch_saga_place *place, latch_request *request, latch_json *item) {
    request->at = &place->at;
    request->repeatable = true;
    LATCH_TRY(latch_ctx_deadline(cx, place->saga->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &request->deadline_at_ms));
    return latch_table_call(cx, request, item);
}

/* ── reading an item ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int64_t digits(const char *at, size_t count) {
    int64_t n = 0;
    for (size_t i = 0; i < count; i++)
        n = n * 10 + (at[i] - '0');
    return n;
}

/* What latch_clock_format makes, and JavaScript's toISOString: read by its places, and told by writing it again. */
static latch_status read_time(latch_ctx *cx, const char *field, latch_str text, int64_t *out) {
    char again[LATCH_TIMESTAMP_BYTES] = "";
    *out = 0;
    if (text.len == LATCH_TIMESTAMP_BYTES - 1) {
        const char *s = text.ptr;
        int64_t days = latch_clock_days(digits(s, 4), digits(s + 5, 2), digits(s + 8, 2));
        *out = days * LATCH_DAY_MS + digits(s + 11, 2) * LATCH_HOUR_MS + digits(s + 14, 2) * LATCH_MINUTE_MS +
               digits(s + 17, 2) * LATCH_SECOND_MS + digits(s + 20, 3);
        latch_clock_format(*out, again);
    }
    if (latch_str_eq(text, latch_str_of(again))) return LATCH_OK;
    return latch_err_set(&cx->err, LATCH_E_DATA, "item.%s: is \"%.*s\", want a time as 2026-01-01T00:00:00.000Z", field,
                         LATCH_ARG(latch_str_cut(text, 40)));
}

latch_status latch_saga_read(latch_json item, const latch_saga_place *place, latch_saga_instance *out) {
    latch_saga_instance got = {.state = LATCH_NULL};
    latch_str created, updated, expires;
    latch_status status =
        latch_read(item, "sagaId", &got.id, "correlationId", &got.correlation_id, "version", latch_range(&got.version, 0, INT64_MAX - 1),
                   "isCompleted", &got.completed, "state", &got.state, "createdAt", &created, "updatedAt", &updated);
    if (status == LATCH_OK && place->bus)
        status = latch_read(got.state, "metadata.timeoutMs", latch_optional(latch_range(&got.timeout_ms, 0, INT64_MAX)),
                            "metadata.timeoutExpiresAt", latch_optional(&expires));
    else if (status == LATCH_OK)
        status = latch_read(item, "timeoutMs", latch_optional(latch_range(&got.timeout_ms, 0, INT64_MAX)), "timeoutExpiresAt",
                            latch_optional(&expires));
    LATCH_TRY(status);
    LATCH_TRY(read_time(item.cx, "createdAt", created, &got.created_at_ms));
    LATCH_TRY(read_time(item.cx, "updatedAt", updated, &got.updated_at_ms));
    if (expires.len > 0) LATCH_TRY(read_time(item.cx, "timeoutExpiresAt", expires, &got.timeout_at_ms));
    *out = got;
    return LATCH_OK;
}

/* Whose write it was; empty where a saga bus's own is all there was. */
static latch_str update_id_of(latch_json item) {
    latch_str id;
    return latch_read(item, "updateId", latch_optional(&id)) == LATCH_OK ? id : LATCH_STR("");
}

/* ── getting ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status missing(latch_ctx *cx, const latch_saga *saga, const char *what, latch_str id) {
    return latch_err_set(&cx->err, LATCH_MISSING, "saga %s: there is none %s %.*s", saga->name, what, LATCH_ARG(latch_str_cut(id, 80)));
}

static latch_status get(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_saga_instance *out) {
    latch_json item;
    key k;
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
static latch_status look_up(latch_ctx *cx, const latch_saga_place *place, const key *k, latch_str *id) {
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
    key k;
    *out = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(correlation_key_of(cx, &place, correlation_id, &k));
    LATCH_TRY(place.bus ? look_up_bus(cx, &place, correlation_id, &id) : look_up(cx, &place, &k, &id));
    if (id.len > 0) LATCH_TRY(get(cx, &place, id, &found));
    if (id.len == 0 || !latch_str_eq(found.correlation_id, correlation_id)) return missing(cx, saga, "of correlation id", correlation_id);
    *out = found;
    return LATCH_OK;
}

/* ── what is written ────────────────────────────────────────────────────────────────────────────────────────────────────── */

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

typedef struct dates { /* as text; gsi2's key is one of them */
    char created[LATCH_TIMESTAMP_BYTES], updated[LATCH_TIMESTAMP_BYTES], expires[LATCH_TIMESTAMP_BYTES];
} dates;

static dates dates_of(const latch_saga_instance *s) {
    dates d;
    latch_clock_format(s->created_at_ms, d.created);
    latch_clock_format(s->updated_at_ms, d.updated);
    latch_clock_format(s->timeout_at_ms, d.expires);
    return d;
}

static const char *const our_metadata[] = {"sagaId", "version", "isCompleted", "createdAt", "updatedAt", "timeoutMs", "timeoutExpiresAt"};

static bool is_ours(latch_str name) {
    for (size_t i = 0; i < sizeof our_metadata / sizeof *our_metadata; i++)
        if (latch_str_eq(name, latch_str_of(our_metadata[i]))) return true;
    return false;
}

/* ,"name":value of each member that the package's users put there, as it is. */
static void put_others(latch_text_writer *t, latch_json metadata) {
    for (latch_each each = latch_each_in(metadata); latch_each_next(&each);) {
        if (is_ours(each.name)) continue;
        latch_text_char(t, ',');
        latch_text_json_string(t, each.name);
        latch_text_char(t, ':');
        latch_text_json(t, latch_each_value(&each));
    }
}

/* The state as a saga bus keeps it: with its metadata in it. */
static latch_status with_metadata(latch_ctx *cx, const latch_saga_instance *s, const dates *d, latch_json *out) {
    const latch_value none = latch_v_cstr_(NULL);
    latch_json state, old = LATCH_NULL;
    latch_str text,
        ours = latch_text(latch_object(cx, "sagaId", s->id, "version", s->version, "isCompleted", s->completed, "createdAt", d->created,
                                       "updatedAt", d->updated, "timeoutMs", s->timeout_at_ms > 0 ? latch_v_llong_(s->timeout_ms) : none,
                                       "timeoutExpiresAt", s->timeout_at_ms > 0 ? LATCH_V_(d->expires) : none));
    LATCH_TRY(latch_json_text(cx, s->state, &text));
    LATCH_TRY(latch_parse_data(cx, "state", text, &state)); /* what was built can't be gone through */
    LATCH_TRY(latch_read(state, "metadata", latch_optional(&old)));
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, LATCH_STR("{\"metadata\":"));
    latch_text_put(&t, (latch_str){ours.ptr, ours.len - 1});
    put_others(&t, old);
    latch_text_char(&t, '}');
    for (latch_each each = latch_each_in(state); latch_each_next(&each);) {
        if (latch_str_eq(each.name, LATCH_STR("metadata"))) continue;
        latch_text_char(&t, ',');
        latch_text_json_string(&t, each.name);
        latch_text_char(&t, ':');
        latch_text_json(&t, latch_each_value(&each));
    }
    latch_text_char(&t, '}');
    text = latch_text_end(&t);
    if (text.ptr == NULL) return latch_err_set(&cx->err, t.failed, "saga: the state: %s", t.why);
    return latch_parse_data(cx, "state", text, out);
}

typedef struct written {    /* what an insert and an update have in common */
    latch_saga_instance as; /* what it will be */
    dates dates;
    latch_json state;
    latch_str update_id;
    bool indexed; /* in the second index, by: */
    latch_str gsi2pk, gsi2sk;
} written;

static latch_status write_as(latch_ctx *cx, const latch_saga_place *place, const latch_saga_instance *as, written *w) {
    *w = (written){.as = *as, .dates = dates_of(as), .state = as->state, .update_id = latch_uuid(cx)};
    if (place->bus) LATCH_TRY(with_metadata(cx, as, &w->dates, &w->state));
    w->indexed = as->completed || (as->timeout_at_ms > 0 && !place->bus);
    w->gsi2pk = latch_saga_index_key(cx, place, as->completed ? LATCH_STR("COMPLETED") : LATCH_STR("TIMEOUT"));
    w->gsi2sk = latch_str_of(as->completed ? w->dates.updated : w->dates.expires);
    return w->update_id.ptr != NULL && w->gsi2pk.ptr != NULL ? LATCH_OK : full(cx, place->saga);
}

/* ── inserting ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define PAIRS_MAX 20

typedef struct pairs {
    latch_pair at[PAIRS_MAX]; /* behind the last: no name */
    size_t count;
} pairs;

static void add(pairs *p, const char *name, latch_value value) { p->at[p->count++] = (latch_pair){name, value}; }

static latch_json item_of(latch_ctx *cx, const latch_saga_place *place, const key *k, const written *w) {
    const latch_saga_instance *s = &w->as;
    pairs p = {.count = 0};
    add(&p, place->at.pk, LATCH_V_(k->pk));
    add(&p, place->at.sk, LATCH_V_(k->sk));
    add(&p, "sagaName", LATCH_V_(place->saga->name));
    add(&p, "sagaId", LATCH_V_(s->id));
    add(&p, "correlationId", LATCH_V_(s->correlation_id));
    add(&p, "version", LATCH_V_(s->version));
    add(&p, "isCompleted", LATCH_V_(s->completed));
    add(&p, "state", LATCH_V_(w->state));
    add(&p, "createdAt", LATCH_V_(w->dates.created));
    add(&p, "updatedAt", LATCH_V_(w->dates.updated));
    add(&p, "updateId", LATCH_V_(w->update_id));
    add(&p, place->bus ? "GSI1PK" : "gsi1pk", LATCH_V_(latch_saga_index_key(cx, place, LATCH_STR("SAGA"))));
    add(&p, place->bus ? "GSI1SK" : "gsi1sk", LATCH_V_(place->bus ? s->correlation_id : s->id));
    if (w->indexed) add(&p, place->bus ? "GSI2PK" : "gsi2pk", LATCH_V_(w->gsi2pk));
    if (w->indexed) add(&p, place->bus ? "GSI2SK" : "gsi2sk", LATCH_V_(w->gsi2sk));
    if (s->timeout_at_ms > 0 && !place->bus) add(&p, "timeoutMs", LATCH_V_(s->timeout_ms));
    if (s->timeout_at_ms > 0 && !place->bus) add(&p, "timeoutExpiresAt", LATCH_V_(w->dates.expires));
    return latch_object_(cx, p.at);
}

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
static latch_status refused_insert(latch_ctx *cx, const latch_saga_place *place, const written *w, const latch_dynamodb_cancelled *why,
                                   latch_saga_instance *existing) {
    latch_json state = obstacle(why, 0), correlation = obstacle(why, 1);
    latch_str id = {NULL, 0};
    bool lost = cx->err.maybe_applied;
    const char *doubt = lost ? "; a try got no answer and may have inserted it" : "";
    latch_status status = LATCH_OK;
    if (state.node != NULL && latch_str_eq(update_id_of(state), w->update_id)) return LATCH_OK;
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
    key state, correlation;
    bool refused;
    written w;
    if (existing == NULL) existing = &unwanted;
    *existing = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(key_of(cx, &place, as.id, &state));
    LATCH_TRY(correlation_key_of(cx, &place, as.correlation_id, &correlation));
    LATCH_TRY(check_instance(cx, saga, instance));
    as.version = 0;
    as.created_at_ms = as.updated_at_ms = latch_now_ms(cx);
    LATCH_TRY(write_as(cx, &place, &as, &w));
    const latch_dynamodb_action actions[] = {
        {.kind = LATCH_ACTION_PUT,
         .table = place.at.table,
         .item = item_of(cx, &place, &state, &w),
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

static latch_status send_update(latch_ctx *cx, const latch_saga_place *place, const key *k, const written *w, latch_json *item) {
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
static latch_status refused_update(latch_ctx *cx, const latch_saga_place *place, const written *w, latch_json item,
                                   latch_saga_instance *actual) {
    bool lost = cx->err.maybe_applied;
    if (item.node == NULL) return gone(cx, place, w->as.id, lost);
    latch_status status = latch_unmarshal_item(cx, item, &item);
    if (status == LATCH_OK && latch_str_eq(update_id_of(item), w->update_id)) return LATCH_OK;
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
    written w;
    key k;
    if (actual == NULL) actual = &unwanted;
    *actual = (latch_saga_instance){0};
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    LATCH_TRY(key_of(cx, &place, as.id, &k));
    LATCH_TRY(check_instance(cx, saga, instance));
    if (as.version < 0 || as.version >= INT64_MAX - 1)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: version is %" PRId64 ", want one that was read", saga->name, as.version);
    as.version++;
    as.updated_at_ms = latch_now_ms(cx);
    LATCH_TRY(write_as(cx, &place, &as, &w));
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, send_update(cx, &place, &k, &w, &item));
    if (refused) LATCH_TRY(refused_update(cx, &place, &w, item, actual));
    *instance = as;
    return LATCH_OK;
}

/* ── deleting ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_status latch_saga_remove(latch_ctx *cx, const latch_saga_place *place, latch_str id, latch_str correlation_id, const char *condition,
                               const latch_pair *values, latch_dynamodb_cancelled *why) {
    key state, correlation;
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

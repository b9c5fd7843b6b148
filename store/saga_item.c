/* The saga store's items: where they are, how they are read, and what is written. */
#include <string.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/client.h"
#include "store/saga_private.h"
#include "store/schema.h"

static const latch_table_key name_key = {.store = "saga", .prefix = "", .max_bytes = LATCH_SAGA_ID_MAX_BYTES};

/* ── where they are ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status full(latch_ctx *cx, const latch_saga *saga) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", saga->name);
}

static const char *or_default(const char *name, const char *fallback) { return name != NULL ? name : fallback; }

latch_status latch_saga_begin(latch_ctx *cx, const latch_saga *saga, latch_saga_place *out) {
    *out = (latch_saga_place){.saga = saga, .bus = saga->saga_bus_table != NULL};
    LATCH_TRY(latch_client_check_open(cx, "saga"));
    LATCH_TRY(latch_table_check_key(cx, &name_key, saga->name, LATCH_STR("-"))); /* of the name alone */
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
latch_str latch_saga_update_id(latch_json item) {
    latch_str id;
    return latch_read(item, "updateId", latch_optional(&id)) == LATCH_OK ? id : LATCH_STR("");
}

/* ── what is written ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_saga_dates dates_of(const latch_saga_instance *s) {
    latch_saga_dates d;
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
static latch_status with_metadata(latch_ctx *cx, const latch_saga_instance *s, const latch_saga_dates *d, latch_json *out) {
    const latch_value none = latch_v_cstr_(NULL);
    latch_json state, old = LATCH_NULL;
    latch_str text, ours;
    latch_json metadata = latch_object(cx, "sagaId", s->id, "version", s->version, "isCompleted", s->completed, "createdAt", d->created,
                                       "updatedAt", d->updated, "timeoutMs", s->timeout_at_ms > 0 ? latch_v_llong_(s->timeout_ms) : none,
                                       "timeoutExpiresAt", s->timeout_at_ms > 0 ? LATCH_V_(d->expires) : none);
    LATCH_TRY(latch_json_text(cx, metadata, &ours));
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

latch_status latch_saga_write_as(latch_ctx *cx, const latch_saga_place *place, const latch_saga_instance *as, latch_saga_written *w) {
    *w = (latch_saga_written){.as = *as, .dates = dates_of(as), .state = as->state, .update_id = latch_uuid(cx)};
    if (place->bus) LATCH_TRY(with_metadata(cx, as, &w->dates, &w->state));
    w->indexed = as->completed || (as->timeout_at_ms > 0 && !place->bus);
    w->gsi2pk = latch_saga_index_key(cx, place, as->completed ? LATCH_STR("COMPLETED") : LATCH_STR("TIMEOUT"));
    w->gsi2sk = latch_str_of(as->completed ? w->dates.updated : w->dates.expires);
    return w->update_id.ptr != NULL && w->gsi2pk.ptr != NULL ? LATCH_OK : full(cx, place->saga);
}

#define PAIRS_MAX 20

typedef struct pairs {
    latch_pair at[PAIRS_MAX]; /* behind the last: no name */
    size_t count;
} pairs;

static void add(pairs *p, const char *name, latch_value value) { p->at[p->count++] = (latch_pair){name, value}; }

latch_json latch_saga_item(latch_ctx *cx, const latch_saga_place *place, const latch_saga_key *k, const latch_saga_written *w) {
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

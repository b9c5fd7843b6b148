/* The saga store: lists of sagas, and clearing away those that are done. */
#include <inttypes.h>
#include <stdio.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "store/layouts.h"
#include "store/saga_private.h"
#include "store/token.h"

#define PAGE_DEFAULT 100
#define LOOKED_AT_MAX 4 /* pages' worth of one request, where a filter leaves some out */

typedef struct search {
    latch_saga_place place;
    latch_dynamodb_query_request query;
    latch_pair values[4];
    size_t value_count;
    const char *keys[4]; /* of a place in the index, or in the table: NULL behind the last */
} search;

static void give(search *s, const char *name, latch_value value) { s->values[s->value_count++] = (latch_pair){name, value}; }

/* ── pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The token that latch_dynamodb_token would give, had the page ended with this item. */
static latch_status token_behind(latch_ctx *cx, const search *s, latch_json item, latch_str *out) {
    latch_text_writer t = latch_text_begin(cx->arena);
    for (size_t i = 0; i < sizeof s->keys / sizeof *s->keys && s->keys[i] != NULL; i++) {
        latch_str value;
        LATCH_TRY(latch_read_(item, (const latch_field[]){{s->keys[i], LATCH_I_(&value)}, {NULL, LATCH_I_(&value)}}));
        latch_text_char(&t, i == 0 ? '{' : ',');
        latch_text_json_string(&t, latch_str_of(s->keys[i]));
        latch_text_put(&t, LATCH_STR(":{\"S\":"));
        latch_text_json_string(&t, value);
        latch_text_char(&t, '}');
    }
    latch_text_char(&t, '}');
    latch_str place = latch_text_end(&t);
    *out = place.ptr != NULL ? latch_token_write(cx->arena, place) : place;
    return out->ptr != NULL ? LATCH_OK : latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", s->place.saga->name);
}

static bool has_more_here(const latch_dynamodb_pages *pages) {
    latch_each ahead = pages->at;
    return latch_each_next(&ahead);
}

/* One that another left half-written is no reason not to find the others: it is told in the log. */
static latch_status take(latch_ctx *cx, const search *s, latch_json item, latch_saga_page *page) {
    latch_status status = latch_saga_read(item, &s->place, &page->items[page->count]);
    if (status == LATCH_OK) page->count++;
    if (status != LATCH_E_DATA) return status;
    latch_warn(cx, "a saga can't be read", "saga", s->place.saga->name, "why", cx->err.message);
    return LATCH_OK;
}

static latch_status collect(latch_ctx *cx, search *s, size_t limit, latch_saga_page *page) {
    latch_dynamodb_pages pages;
    latch_json item = LATCH_NULL;
    bool more = true;
    page->items = latch_arena_alloc(cx->arena, limit * sizeof *page->items);
    if (page->items == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", s->place.saga->name);
    s->query.values = s->values;
    LATCH_TRY(latch_dynamodb_query(cx, &s->query, &pages));
    do {
        latch_status status = latch_dynamodb_next(&pages, &item, &more);
        LATCH_TRY(s->query.index != NULL
                      ? latch_layout_explain(cx, status, s->place.at.table, s->place.bus ? "saga-bus" : "latch", s->query.index)
                      : status);
        if (more) LATCH_TRY(take(cx, s, item, page));
    } while (more && page->count < limit);
    if (!more) return LATCH_OK;
    return has_more_here(&pages) ? token_behind(cx, s, item, &page->next) : latch_dynamodb_token(&pages, &page->next);
}

static latch_status begin(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query, search *s, latch_saga_page *page) {
    *page = (latch_saga_page){.next = LATCH_STR("")};
    *s = (search){.query = {.from = query->from}};
    LATCH_TRY(latch_saga_begin(cx, saga, &s->place));
    if (query->limit < 0 || query->limit > LATCH_SAGA_PAGE_MAX || (unsigned)query->which > LATCH_SAGA_COMPLETED)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: .limit is %" PRId64 ", want 0 to %d, and .which one of latch_saga_which",
                             saga->name, query->limit, LATCH_SAGA_PAGE_MAX);
    s->query.table = s->place.at.table;
    s->query.timeout_ms = saga->timeout_ms != 0 ? saga->timeout_ms : LATCH_TABLE_TIMEOUT_MS;
    s->keys[0] = s->place.at.pk, s->keys[1] = s->place.at.sk;
    return LATCH_OK;
}

static latch_status run(latch_ctx *cx, const latch_saga_query *query, search *s, latch_saga_page *page) {
    int64_t limit = query->limit > 0 ? query->limit : PAGE_DEFAULT;
    if (s->values[0].value.as.str.ptr == NULL)
        return latch_err_set(&cx->err, LATCH_E_NOMEM, "saga %s: the arena is full", s->place.saga->name);
    s->query.page_items = s->query.filter != NULL ? limit * LOOKED_AT_MAX : limit;
    latch_status status = collect(cx, s, (size_t)limit, page);
    if (status != LATCH_OK) *page = (latch_saga_page){.next = LATCH_STR("")};
    return status;
}

static void by_index(search *s, const char *index, const char *pk, const char *sk) {
    s->query.index = index;
    s->keys[2] = pk, s->keys[3] = sk;
}

latch_status latch_saga_find_by_name(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query, latch_saga_page *page) {
    search s;
    LATCH_TRY(begin(cx, saga, query, &s, page));
    if (!s.place.bus) by_index(&s, "gsi1", "gsi1pk", "gsi1sk");
    s.query.key_condition = s.place.bus ? "#PK = :pk" : "#gsi1pk = :pk";
    give(&s, ":pk", LATCH_V_(latch_saga_index_key(cx, &s.place, LATCH_STR("SAGA"))));
    if (query->which != LATCH_SAGA_ALL) {
        s.query.filter = "#isCompleted = :completed";
        give(&s, ":completed", latch_bool(query->which == LATCH_SAGA_COMPLETED));
    }
    return run(cx, query, &s, page);
}

latch_status latch_saga_find_timed_out(latch_ctx *cx, const latch_saga *saga, const latch_saga_query *query, latch_saga_page *page) {
    char now[LATCH_TIMESTAMP_BYTES];
    search s;
    LATCH_TRY(begin(cx, saga, query, &s, page));
    latch_clock_format(latch_now_ms(cx), now);
    give(&s, ":pk", LATCH_V_(latch_saga_index_key(cx, &s.place, LATCH_STR("TIMEOUT"))));
    give(&s, ":now", LATCH_V_(now));
    if (s.place.bus) {
        s.query.key_condition = "#PK = :pk";
        s.query.filter = "#isCompleted = :no AND #state.#metadata.#timeoutExpiresAt <= :now";
        give(&s, ":no", latch_bool(false));
    } else {
        by_index(&s, "gsi2", "gsi2pk", "gsi2sk");
        s.query.key_condition = "#gsi2pk = :pk AND #gsi2sk <= :now";
    }
    return run(cx, query, &s, page);
}

/* ── deleting what is done ──────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status delete_one(latch_ctx *cx, const latch_saga_place *place, latch_json found, const char *before, int64_t *deleted) {
    latch_str id, correlation_id = LATCH_STR("-"); /* of which a saga bus's table keeps no item */
    latch_dynamodb_cancelled why;
    bool refused;
    LATCH_TRY(place->bus ? latch_read(found, "SK", &id) : latch_read(found, "sagaId", &id, "correlationId", &correlation_id));
    LATCH_TRY_BUT(LATCH_CONFLICT, refused,
                  latch_saga_remove(cx, place, id, correlation_id, "#isCompleted = :true AND #updatedAt < :before",
                                    LATCH_VALUES(":true", latch_bool(true), ":before", before), &why));
    *deleted += !refused; /* another deleted it, or reopened it */
    return LATCH_OK;
}

latch_status latch_saga_delete_completed_before(latch_ctx *cx, const latch_saga *saga, int64_t before_ms, int64_t *deleted) {
    latch_saga_place place;
    latch_dynamodb_pages pages;
    char before[LATCH_TIMESTAMP_BYTES];
    bool more;
    *deleted = 0;
    LATCH_TRY(latch_saga_begin(cx, saga, &place));
    if (before_ms < 0 || before_ms > LATCH_AT_MS_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "saga %s: before_ms is %" PRId64 ", want Unix milliseconds", saga->name, before_ms);
    latch_clock_format(before_ms, before);
    const latch_dynamodb_query_request query = {
        .table = place.at.table,
        .index = place.bus ? "GSI2" : "gsi2",
        .key_condition = place.bus ? "#GSI2PK = :pk AND #GSI2SK < :before" : "#gsi2pk = :pk AND #gsi2sk < :before",
        .projection = place.bus ? "#SK" : "#sagaId, #correlationId",
        .values = LATCH_VALUES(":pk", latch_saga_index_key(cx, &place, LATCH_STR("COMPLETED")), ":before", before),
        .passing = true,
        .timeout_ms = saga->timeout_ms != 0 ? saga->timeout_ms : LATCH_TABLE_TIMEOUT_MS,
    };
    LATCH_TRY(latch_dynamodb_query(cx, &query, &pages));
    for (;;) {
        LATCH_TRY(latch_layout_explain(cx, latch_dynamodb_next_page(&pages, &more), place.at.table, place.bus ? "saga-bus" : "latch",
                                       query.index));
        if (!more) return LATCH_OK;
        for (latch_each each = latch_each_in(pages.items); latch_each_next(&each);)
            LATCH_TRY(delete_one(cx, &place, latch_each_value(&each), before, deleted));
    }
}

/* Query and Scan: pages one after another, and the place where they ended. */
#include <inttypes.h>
#include <string.h>

#include "core/coding.h"
#include "core/ctx_private.h"
#include "store/expression.h"
#include "store/items.h"
#include "store/marshal.h"
#include "store/token.h"
#include "store/typed.h"

#define KEY_MAX_BYTES 2048   /* of the longest, a partition key */
#define KEY_ATTRIBUTES_MAX 4 /* of a place in an index: its own two and the table's */

typedef struct search { /* what a query and a scan have in common */
    const char *operation, *shown;
    const char *table, *index;
    latch_expression_set x;
    latch_dynamodb_consistency consistency;
    bool count_only, passing;
    int64_t limit, page_items, timeout_ms;
    latch_str from;
    latch_dynamodb_cost *cost;
} search;

static const char *shown_of(const latch_dynamodb_pages *pages) { return pages->operation[0] == 'Q' ? "query" : "scan"; }

/* ── beginning ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static latch_status bad_token(latch_ctx *cx, const char *shown) {
    (void)latch_err_set(&cx->err, LATCH_E_INPUT, "%s: the token is none that this query gave: begin without one", shown);
    cx->err.for_client = true;
    return LATCH_E_INPUT;
}

/* {"S": text}, {"N": digits} or {"B": base64}, none too long: what DynamoDB could not even read isn't sent. */
static bool is_key_value(latch_json v) {
    latch_each each = latch_each_in(v);
    latch_decimal n;
    if (!latch_each_next(&each) || each.name.len != 1) return false;
    latch_str text = latch_each_text(&each);
    size_t bytes = text.len;
    char type = each.name.ptr[0];
    if (text.ptr == NULL || text.len == 0 || latch_each_next(&each)) return false;
    if (type == 'N') return latch_decimal_read(text, &n) == LATCH_DECIMAL_FITS;
    if (type == 'B' && !latch_base64_is(text, &bytes)) return false;
    return (type == 'S' || type == 'B') && bytes <= KEY_MAX_BYTES;
}

/* The place that a token names, as it is sent: what a client changed is at least a place. */
static latch_status read_token(latch_ctx *cx, const char *shown, latch_str token, latch_str *start) {
    latch_str text;
    latch_json key;
    size_t attributes = 0;
    bool full;
    *start = (latch_str){NULL, 0};
    if (token.len == 0) return LATCH_OK;
    bool ok = latch_token_read(cx->arena, token, &text, &full) && latch_str_is_utf8(text);
    if (full) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", shown);
    latch_status status = ok ? latch_parse(cx, "token", text, &key) : LATCH_E_INPUT;
    if (status != LATCH_OK) return status == LATCH_E_NOMEM ? status : bad_token(cx, shown);
    for (latch_each each = latch_each_in(key); latch_each_next(&each); attributes++)
        if (each.name.len == 0 || !is_key_value(latch_each_value(&each))) return bad_token(cx, shown);
    if (attributes < 1 || attributes > KEY_ATTRIBUTES_MAX) return bad_token(cx, shown);
    return latch_json_text(cx, key, start);
}

static latch_status check(latch_ctx *cx, const search *s) {
    if (s->limit < 0) return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .limit is %" PRId64 ", want 0 or more", s->shown, s->limit);
    if (s->page_items < 0 || s->page_items > INT32_MAX)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .page_items is %" PRId64 ", want 0 to 2147483647", s->shown, s->page_items);
    if (s->timeout_ms < 0)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .timeout_ms is %" PRId64 ", want 0 or more", s->shown, s->timeout_ms);
    if ((unsigned)s->consistency > LATCH_DYNAMODB_EVENTUAL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .consistency is none of latch_dynamodb_consistency", s->shown);
    if (s->count_only && s->x.projection != NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .count_only gives no items: leave out .projection", s->shown);
    return LATCH_OK;
}

static void put_search(latch_ctx *cx, latch_text_writer *t, const search *s) {
    latch_text_char(t, '{');
    latch_typed_put_table(cx, t, s->table);
    if (s->index != NULL) {
        latch_text_put(t, LATCH_STR(",\"IndexName\":"));
        latch_text_json_string(t, latch_str_of(s->index));
    }
    latch_expression_put(t, &s->x);
    if (s->consistency == LATCH_DYNAMODB_STRONG || (s->consistency == LATCH_DYNAMODB_DEFAULT && s->index == NULL))
        latch_text_put(t, LATCH_STR(",\"ConsistentRead\":true"));
    if (s->count_only) latch_text_put(t, LATCH_STR(",\"Select\":\"COUNT\""));
}

static latch_status begin(latch_ctx *cx, const search *s, latch_text_writer *t, latch_dynamodb_pages *pages) {
    LATCH_TRY(check(cx, s));
    pages->head = latch_text_end(t);
    if (pages->head.ptr == NULL) return latch_err_set(&cx->err, t->failed, "%s: %s", s->shown, t->why);
    LATCH_TRY(read_token(cx, s->shown, s->from, &pages->start));
    pages->operation = s->operation;
    pages->cost = s->cost;
    pages->limit = s->limit;
    pages->page_items = s->page_items;
    pages->timeout_ms = s->timeout_ms;
    pages->passing = s->passing;
    pages->count_only = s->count_only;
    pages->resumed = s->from.len > 0;
    pages->ended = false;
    return LATCH_OK;
}

/* Until it has begun there is nothing to come. */
static latch_dynamodb_pages nothing(latch_ctx *cx) { return (latch_dynamodb_pages){.cx = cx, .items = {cx, NULL}, .ended = true}; }

latch_status latch_dynamodb_query(latch_ctx *cx, const latch_dynamodb_query_request *r, latch_dynamodb_pages *pages) {
    const search s = {
        .operation = "Query",
        .shown = "query",
        .table = r->table,
        .index = r->index,
        .x = {.key_condition = r->key_condition, .filter = r->filter, .projection = r->projection, .names = r->names, .values = r->values},
        .consistency = r->consistency,
        .count_only = r->count_only,
        .passing = r->passing,
        .limit = r->limit,
        .page_items = r->page_items,
        .timeout_ms = r->timeout_ms,
        .from = r->from,
        .cost = r->cost,
    };
    *pages = nothing(cx);
    LATCH_TRY(latch_client_check_open(cx, s.shown));
    if (r->key_condition == NULL)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "query: .key_condition is missing: \"#pk = :pk\"; a scan needs none");
    latch_text_writer t = latch_text_begin(cx->arena);
    put_search(cx, &t, &s);
    if (r->backward) latch_text_put(&t, LATCH_STR(",\"ScanIndexForward\":false"));
    return begin(cx, &s, &t, pages);
}

latch_status latch_dynamodb_scan(latch_ctx *cx, const latch_dynamodb_scan_request *r, latch_dynamodb_pages *pages) {
    const search s = {
        .operation = "Scan",
        .shown = "scan",
        .table = r->table,
        .index = r->index,
        .x = {.filter = r->filter, .projection = r->projection, .names = r->names, .values = r->values},
        .consistency = r->consistency,
        .count_only = r->count_only,
        .passing = r->passing,
        .limit = r->limit,
        .page_items = r->page_items,
        .timeout_ms = r->timeout_ms,
        .from = r->from,
        .cost = r->cost,
    };
    *pages = nothing(cx);
    LATCH_TRY(latch_client_check_open(cx, s.shown));
    bool whole = r->total_segments == 0 && r->segment == 0;
    if (!whole &&
        (r->total_segments < 1 || r->total_segments > LATCH_PAGE_SEGMENTS_MAX || r->segment < 0 || r->segment >= r->total_segments))
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "scan: .segment %" PRId64 " of .total_segments %" PRId64 ", want 0 of 1 to %d",
                             r->segment, r->total_segments, LATCH_PAGE_SEGMENTS_MAX);
    latch_text_writer t = latch_text_begin(cx->arena);
    put_search(cx, &t, &s);
    if (!whole) {
        latch_text_put(&t, LATCH_STR(",\"Segment\":"));
        latch_text_int(&t, r->segment);
        latch_text_put(&t, LATCH_STR(",\"TotalSegments\":"));
        latch_text_int(&t, r->total_segments);
    }
    return begin(cx, &s, &t, pages);
}

/* ── pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The memory of the page before goes, where it may, but for the place that comes next. That of a token lies before all pages. */
static void forget(latch_dynamodb_pages *pages) {
    latch_arena *arena = pages->cx->arena;
    pages->items = (latch_json){pages->cx, NULL};
    pages->given = false;
    if (!pages->passing) return;
    if (!pages->begun) pages->mark = latch_arena_mark(arena);
    bool below = pages->start.len == 0 || (size_t)(pages->start.ptr - arena->base) < pages->mark;
    if (below) {
        latch_arena_rewind(arena, pages->mark);
    } else {
        pages->start.ptr = latch_arena_keep(arena, pages->mark, pages->start.ptr, pages->start.len);
    }
}

static int64_t least_of(int64_t a, int64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

static latch_status ask(latch_dynamodb_pages *pages, latch_answer *answer) {
    latch_ctx *cx = pages->cx;
    const latch_typed how = {
        .shown = shown_of(pages), .operation = pages->operation, .reads = true, .timeout_ms = pages->timeout_ms, .cost = pages->cost};
    int64_t at_most = least_of(pages->page_items, pages->limit > 0 ? pages->limit - pages->count : 0);
    latch_text_writer t = latch_text_begin(cx->arena);
    latch_text_put(&t, pages->head);
    if (at_most > 0) {
        latch_text_put(&t, LATCH_STR(",\"Limit\":"));
        latch_text_int(&t, at_most < INT32_MAX ? at_most : INT32_MAX);
    }
    if (pages->start.len > 0) {
        latch_text_put(&t, LATCH_STR(",\"ExclusiveStartKey\":"));
        latch_text_put(&t, pages->start);
    }
    return latch_typed_send(cx, &how, &t, answer);
}

/* DynamoDB knows which places a query may begin at, and has these words for what isn't one. */
static bool blames_start(latch_str message) {
    static const char *const words[] = {"tarting key", "Start Key", "Type mismatch for attribute"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (message.len > 0 && memmem(message.ptr, message.len, words[i], strlen(words[i])) != NULL) return true;
    return false;
}

static latch_status take(latch_dynamodb_pages *pages, const latch_answer *answer) {
    latch_ctx *cx = pages->cx;
    latch_json items, last;
    int64_t count, scanned;
    latch_str start = {NULL, 0};
    LATCH_TRY(latch_read(answer->body, "Items", latch_optional(&items), "LastEvaluatedKey", latch_optional(&last), "Count",
                         latch_range(&count, 0, INT32_MAX), "ScannedCount", latch_range(&scanned, 0, INT32_MAX)));
    LATCH_TRY(latch_unmarshal_list(cx, items, &items));
    if (last.node != NULL) LATCH_TRY(latch_json_text(cx, last, &start));
    pages->items = items;
    pages->page_count = count;
    pages->page_scanned = scanned;
    pages->count += count;
    pages->scanned += scanned;
    pages->start = start;
    pages->given = true;
    pages->resumed = false;
    pages->ended = start.len == 0 || (pages->limit > 0 && pages->count >= pages->limit);
    return LATCH_OK;
}

latch_status latch_dynamodb_next_page(latch_dynamodb_pages *pages, bool *more) {
    latch_answer answer;
    *more = false;
    pages->page_count = pages->page_scanned = 0;
    if (pages->ended) {
        pages->items = (latch_json){pages->cx, NULL};
        pages->given = false;
        return LATCH_OK;
    }
    forget(pages);
    pages->begun = true;
    latch_status status = ask(pages, &answer);
    if (status == LATCH_E_MISUSE && pages->resumed && blames_start(answer.message)) return bad_token(pages->cx, shown_of(pages));
    LATCH_TRY(status);
    LATCH_TRY(take(pages, &answer));
    pages->at = latch_each_in(pages->items);
    *more = true;
    return LATCH_OK;
}

latch_status latch_dynamodb_next(latch_dynamodb_pages *pages, latch_json *item, bool *more) {
    latch_ctx *cx = pages->cx;
    *item = (latch_json){cx, NULL};
    *more = false;
    if (pages->count_only)
        return latch_err_set(&cx->err, LATCH_E_MISUSE, "%s: .count_only gives no items: latch_dynamodb_count does", shown_of(pages));
    while (!pages->given || !latch_each_next(&pages->at)) {
        bool page;
        LATCH_TRY(latch_dynamodb_next_page(pages, &page));
        if (!page) return LATCH_OK;
    }
    *item = latch_each_value(&pages->at);
    *more = true;
    return LATCH_OK;
}

latch_status latch_dynamodb_count(latch_dynamodb_pages *pages, int64_t *count) {
    *count = 0;
    for (bool more = true; more;)
        LATCH_TRY(latch_dynamodb_next_page(pages, &more));
    *count = pages->count;
    return LATCH_OK;
}

latch_status latch_dynamodb_token(const latch_dynamodb_pages *pages, latch_str *token) {
    *token = LATCH_STR("");
    if (pages->start.len == 0) return LATCH_OK;
    *token = latch_token_write(pages->cx->arena, pages->start);
    if (token->ptr != NULL) return LATCH_OK;
    *token = LATCH_STR("");
    return latch_err_set(&pages->cx->err, LATCH_E_NOMEM, "%s: the arena is full", shown_of(pages));
}

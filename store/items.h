/*
 * store/items.h - items of your own tables, one by one and by query: DynamoDB's operations on plain JSON.
 *
 *     latch_json order;
 *     LATCH_TRY(latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.table = "orders", .key = latch_object(cx, "id", id)}, &order));
 *
 *     LATCH_TRY(latch_dynamodb_update(cx, &(latch_dynamodb_update_request){
 *         .table = "orders", .key = latch_object(cx, "id", id),
 *         .update = "SET #state = :paid, #sum = #sum + :sum", .condition = "#state = :open",
 *         .values = LATCH_VALUES(":paid", "paid", ":open", "open", ":sum", latch_int(5))}, &order));
 *
 * Items, keys and values are plain JSON; store/marshal.h says what becomes what (sets and binary by a tag) and what is refused. A write that
 * DynamoDB would refuse for its size, a number, an empty set or an empty key isn't sent.
 *
 * Expressions are DynamoDB's own, in literals, never made of a client's text. "#name" stands for the attribute `name`: write every attribute
 * so, and none of DynamoDB's 573 reserved words can be in the way. One whose name isn't letters, digits and _ gets a stand-in: "#st" with
 * .names = LATCH_NAMES("#st", "order-state"). ":name" stands for the value of that name in .values: text, whole numbers (latch_int), double,
 * truth (latch_bool), null, latch_json. Names and values that no expression uses are refused, as a slip of the pen.
 *
 * Repeating. Reads are repeated where no answer comes. A write that may have been applied isn't, unless asked; then the call ends with
 * err.maybe_applied, and only the author knows what that means. Ask by:
 *
 *     .repeatable     the same bytes go again: for what has the same result twice (a put of a whole item, a delete, SET #a = :a) as long as
 *                     nobody else writes the item meanwhile, whose write the repeat would undo. A condition that the first try made
 *                     false refuses the repeat: LATCH_CONFLICT with err.maybe_applied, which says that it may be this call's own doing.
 *     .exactly_once   a transaction of this one write, with a token of its own: DynamoDB itself recognises a repeat, and answers as it
 *                     answered first. It is applied once however often it is sent. Costs twice the write units; gives no item back but on a
 *                     conflict. For counters (ADD, #n + :by) and whatever else must not happen twice.
 *
 * What was throttled or never sent is repeated in any case. A call ends before the deadline; at most 4 requests (DYNAMODB_MAX_RETRIES).
 *
 * Every call answers
 *
 *   LATCH_OK           done
 *   LATCH_CONFLICT     the condition was false: nothing was changed
 *   LATCH_E_INPUT      a key is empty or too long, or a continuation token is none: nothing was sent
 *   LATCH_E_MISUSE     what DynamoDB would refuse (nothing was sent; the message has the path and what to do), what it refused, no such table
 *   LATCH_E_THROTTLED, LATCH_E_DENIED, LATCH_E_NETWORK, LATCH_E_TIMEOUT, LATCH_E_DATA, LATCH_E_NOMEM   as latch_dynamodb_call says
 *
 * and what it gives lives as long as cx.
 *
 * Sources: GetItem, PutItem, UpdateItem, DeleteItem, Query and Scan of the DynamoDB API reference.
 */
#ifndef LATCH_STORE_ITEMS_H
#define LATCH_STORE_ITEMS_H

#include "core/json.h"
#include "store/values.h"

LATCH_BEGIN_C

/* What a call cost, where a request asks for it by .cost; added up over repeats and pages. latch_dynamodb_usage has the invocation's sum. */
typedef struct latch_dynamodb_cost {
    uint64_t read_milli_units, write_milli_units; /* in thousandths of a unit: 500 is half a read unit. Nothing is told of what failed */
    uint64_t requests;                            /* sent or tried */
} latch_dynamodb_cost;

/* ── one item ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct latch_dynamodb_get_request {
    const char *table;         /* NULL: LATCH_TABLE's */
    latch_json key;            /* the table's key attributes and no other: latch_object(cx, "pk", pk, "sk", sk) */
    const char *projection;    /* "#a, #b.#c[0]"; NULL: the whole item */
    const latch_pair *names;   /* LATCH_NAMES(…); NULL: each "#name" is `name` */
    bool eventual;             /* half the price, and what was written just now may be missing; false: strongly consistent */
    int64_t timeout_ms;        /* with all repeats; 0: the client's 30 s (DYNAMODB_REQUEST_TIMEOUT); never past the deadline */
    latch_dynamodb_cost *cost; /* NULL: not asked for */
} latch_dynamodb_get_request;

/*
 * *item is the item, or the part that the projection asks for: an object without members where the item has none of that.
 * LATCH_MISSING: there is none, and *item is null. Read units: 1 per 4 KB of item begun, half of that where eventual; none is 1.
 */
LATCH_NODISCARD latch_status latch_dynamodb_get(latch_ctx *cx, const latch_dynamodb_get_request *request, latch_json *item) LATCH_NONNULL;

typedef struct latch_dynamodb_put_request {
    const char *table;        /* NULL: LATCH_TABLE's */
    latch_json item;          /* the whole item, its key among its attributes */
    const char *condition;    /* "attribute_not_exists(#id)": only a new one; NULL: over whatever is there */
    const latch_pair *names;  /* LATCH_NAMES(…) */
    const latch_pair *values; /* LATCH_VALUES(…) */
    bool repeatable, exactly_once;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_put_request;

/*
 * *old (`old` may be NULL: not wanted) is the item that was replaced, at LATCH_CONFLICT the one that made the condition false; null where
 * there is none. Write units: 1 per KB begun of the larger of the two.
 */
LATCH_NODISCARD latch_status latch_dynamodb_put(latch_ctx *cx, const latch_dynamodb_put_request *request, latch_json *old)
    __attribute__((nonnull(1, 2)));

typedef enum latch_dynamodb_returns {
    LATCH_DYNAMODB_ALL_NEW,     /* the item as it is now */
    LATCH_DYNAMODB_ALL_OLD,     /* as it was; null where it was made by this update */
    LATCH_DYNAMODB_UPDATED_NEW, /* of it only what the update set */
    LATCH_DYNAMODB_UPDATED_OLD
} latch_dynamodb_returns;

typedef struct latch_dynamodb_update_request {
    const char *table; /* NULL: LATCH_TABLE's */
    latch_json key;
    const char *update; /* "SET #a = :a REMOVE #b ADD #n :one"; an item that isn't there is made */
    const char *condition;
    const latch_pair *names, *values;
    latch_dynamodb_returns returns;
    bool repeatable, exactly_once;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_update_request;

/*
 * *item (`item` may be NULL: not wanted) is what .returns says, at LATCH_CONFLICT the item that made the condition false, null where there
 * is none. Write units: 1 per KB begun of the larger of old and new, even if one attribute changes.
 */
LATCH_NODISCARD latch_status latch_dynamodb_update(latch_ctx *cx, const latch_dynamodb_update_request *request, latch_json *item)
    __attribute__((nonnull(1, 2)));

typedef struct latch_dynamodb_delete_request {
    const char *table; /* NULL: LATCH_TABLE's */
    latch_json key;
    const char *condition;
    const latch_pair *names, *values;
    bool repeatable, exactly_once;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_delete_request;

/* *old as for put. An item that isn't there is deleted too: LATCH_OK, *old null. Write units: 1 per KB begun of the item. */
LATCH_NODISCARD latch_status latch_dynamodb_delete(latch_ctx *cx, const latch_dynamodb_delete_request *request, latch_json *old)
    __attribute__((nonnull(1, 2)));

/* ── query and scan ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum latch_dynamodb_consistency {
    LATCH_DYNAMODB_DEFAULT, /* strong, of an index eventual */
    LATCH_DYNAMODB_STRONG,  /* sees every write that returned before it; of a global index DynamoDB refuses it */
    LATCH_DYNAMODB_EVENTUAL /* half the price, and what was written just now may be missing */
} latch_dynamodb_consistency;

typedef struct latch_dynamodb_query_request {
    const char *table;         /* NULL: LATCH_TABLE's */
    const char *index;         /* NULL: the table itself */
    const char *key_condition; /* "#pk = :pk AND begins_with(#sk, :prefix)" */
    const char *filter;        /* of what that finds; what it leaves out is paid for too */
    const char *projection;    /* NULL: whole items; of an index what is projected into it */
    const latch_pair *names, *values;
    latch_dynamodb_consistency consistency;
    bool backward;      /* descending by sort key */
    int64_t limit;      /* items in all, over all pages; 0: no bound */
    int64_t page_items; /* that one request looks at, before the filter; 0: as many as DynamoDB does, 1 MB */
    latch_str from;     /* of latch_dynamodb_token: go on behind where that one ended; empty: from the beginning */
    bool count_only;    /* no items: their numbers alone (at the same price) */
    bool passing;       /* memory stays flat: see latch_dynamodb_next_page */
    int64_t timeout_ms; /* of one page's request with its repeats; 0: the client's 30 s */
    latch_dynamodb_cost *cost;
} latch_dynamodb_query_request;

typedef struct latch_dynamodb_scan_request {
    const char *table, *index, *filter, *projection;
    const latch_pair *names, *values;
    latch_dynamodb_consistency consistency;
    int64_t limit, page_items;
    int64_t segment, total_segments; /* of a scan that several share: 0 of 4, 1 of 4, …, total at most 1 000 000; total 0: not shared */
    latch_str from;
    bool count_only, passing;
    int64_t timeout_ms;
    latch_dynamodb_cost *cost;
} latch_dynamodb_scan_request;

/*
 * A query or a scan under way. Requests are sent one after another, each when its page is asked for, over the one connection.
 *
 *     latch_dynamodb_pages orders;
 *     LATCH_TRY(latch_dynamodb_query(cx, &(latch_dynamodb_query_request){.key_condition = "#pk = :pk", .values = …, .limit = 20}, &orders));
 *     for (;;) {
 *         latch_json order;
 *         bool more;
 *         LATCH_TRY(latch_dynamodb_next(&orders, &order, &more));
 *         if (!more) break;
 *         …
 *     }
 *     LATCH_TRY(latch_dynamodb_token(&orders, &token));
 *
 * Or by pages, where something is to be done between requests:
 *
 *     for (;;) {
 *         LATCH_TRY(latch_dynamodb_next_page(&orders, &more));
 *         if (!more) break;
 *         for (latch_each each = latch_each_in(orders.items); latch_each_next(&each);) … latch_each_value(&each) …
 *     }
 */
typedef struct latch_dynamodb_pages {
    latch_json items;                 /* of the page: a list; empty where count_only */
    int64_t page_count, page_scanned; /* items of the page; those that were looked at for it, before the filter */
    int64_t count, scanned;           /* the same over all pages until now */
    latch_ctx *cx;                    /* from here on private */
    latch_str head, start;            /* the request without its start key; that key */
    latch_each at;                    /* of latch_dynamodb_next */
    const char *operation;
    latch_dynamodb_cost *cost;
    int64_t limit, page_items, timeout_ms;
    size_t mark;
    bool passing, count_only, resumed, begun, given, ended;
} latch_dynamodb_pages;

/* Checks it and sends nothing yet. The request may go when this has returned; `pages` stays where it is. */
LATCH_NODISCARD latch_status latch_dynamodb_query(latch_ctx *cx, const latch_dynamodb_query_request *request,
                                                  latch_dynamodb_pages *pages) LATCH_NONNULL;
LATCH_NODISCARD latch_status latch_dynamodb_scan(latch_ctx *cx, const latch_dynamodb_scan_request *request,
                                                 latch_dynamodb_pages *pages) LATCH_NONNULL;

/*
 * The next page, or *more false: there is none. A page may be empty while there are more, as where a filter leaves nothing of it.
 *
 * Requests: 1. Read units: 1 per 4 KB begun of all that was looked at, half of that where it is eventual. What fails can be asked for again:
 * the same page.
 *
 * With .limit, a request looks at no more than what is still wanted, so that the token is exact: behind a filter that lets little through
 * that is many small requests. There, leave .limit 0 and stop when you have enough.
 *
 * With .passing, all that was taken from cx since the page before came (its items, and whatever was made in the loop: text, objects, other
 * calls' answers) is gone with this call: keep numbers and what was made before the loop. One query inside of another's loop is well; two
 * that take turns are not. Without it each page stays in memory, which the invocation's is the bound of: LATCH_E_NOMEM.
 */
LATCH_NODISCARD latch_status latch_dynamodb_next_page(latch_dynamodb_pages *pages, bool *more) LATCH_NONNULL;

/* The next item, and where its page is through, the next page with one: as many requests as that takes. Not of count_only. */
LATCH_NODISCARD latch_status latch_dynamodb_next(latch_dynamodb_pages *pages, latch_json *item, bool *more) LATCH_NONNULL;

/* All pages; *count is how many items there are. For count_only, and for whoever wants to be sure that there is nothing more. */
LATCH_NODISCARD latch_status latch_dynamodb_count(latch_dynamodb_pages *pages, int64_t *count) LATCH_NONNULL;

/*
 * Where the pages until now ended, as text of letters, digits, - and _ that can be given to a client and comes back as .from of the same
 * query: behind the last page, also where its items weren't all looked at. Empty: there is nothing behind it. It has the last key in it,
 * encoded, neither hidden nor signed: a client that changes it gets LATCH_E_INPUT, or another place of what the same query may find.
 */
LATCH_NODISCARD latch_status latch_dynamodb_token(const latch_dynamodb_pages *pages, latch_str *token) LATCH_NONNULL;

LATCH_END_C

#endif

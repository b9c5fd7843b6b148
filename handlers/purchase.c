#include "handlers/catalogue.h"
#include "handlers/handlers.h"

/* POST /orders: an order is taken, paid and shipped, as a saga: each step is saved before the next begins, whoever comes after a crash goes on
 * where it was, and a step that says no has those before it undone. A client may place 5 in an hour, then it is 429 with Retry-After: a hook
 * around the route says so.
 * GET /dashboard: what came of them. */

static latch_status take_order(latch_ctx *cx, latch_work *work) {
    latch_str sku, address;
    int64_t qty, price_cents;
    latch_json product;
    LATCH_TRY(latch_read(work->payload, "input.sku", &sku, "input.qty", latch_range(&qty, 1, 100), "input.address",
                         latch_bytes(&address, 1, 200)));
    LATCH_TRY(catalogue_get(cx, sku, &product));
    LATCH_TRY(latch_read(product, "price_cents", latch_range(&price_cents, 1, 1000000)));
    work->result = latch_object(cx, "total_cents", qty * price_cents);
    return LATCH_OK;
}

static latch_status cancel_order(latch_ctx *cx, latch_work *work) {
    latch_info(cx, "order cancelled", "order_id", work->key);
    return LATCH_OK;
}

#define CARD_LIMIT_CENTS INT64_C(50000)

/* A shop of your own asks its payment service here, with work->key as the idempotency key. */
static latch_status charge(latch_ctx *cx, latch_work *work) {
    int64_t cents;
    LATCH_TRY(latch_read(work->payload, "results.order.total_cents", &cents));
    if (cents > CARD_LIMIT_CENTS) return latch_fail(cx, "Payment.Declined", "the card's limit is exceeded", "cents", cents);
    if (work->takeovers > 0) latch_warn(cx, "charged before, perhaps: ask the service", "order_id", work->key);
    latch_info(cx, "charged", "order_id", work->key, "cents", cents);
    work->result = latch_object(cx, "payment", latch_uuid(cx));
    return LATCH_OK;
}

static latch_status refund(latch_ctx *cx, latch_work *work) {
    latch_info(cx, "refunded", "order_id", work->key);
    return LATCH_OK;
}

static latch_status hand_over(latch_ctx *cx, latch_work *work) {
    latch_str address;
    LATCH_TRY(latch_read(work->payload, "input.address", &address));
    if (latch_str_eq(address, LATCH_STR("the moon")))
        return latch_fail(cx, "Shipping.Refused", "no carrier goes there", "address", address);
    latch_info(cx, "handed over to the carrier", "order_id", work->key, "address", address);
    work->result = latch_object(cx, "parcel", latch_uuid(cx));
    return LATCH_OK;
}

static const latch_saga purchases = {.name = "purchase"};
static const latch_saga_plan plan = {
    .saga = &purchases, LATCH_SAGA_STEPS({"order", take_order, cancel_order}, {"payment", charge, refund}, {"shipping", hand_over, NULL})};

/* ── counting ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_counter sales = {.name = "sales"};

/* What is lost here is lost to the dashboard alone. */
static void count_it(latch_ctx *cx, const char *what, int64_t by) {
    if (latch_counter_incr(cx, &sales, latch_str_of(what), by, NULL) != LATCH_OK)
        latch_warn(cx, "not counted for the dashboard", "what", what, "why", latch_error(cx)->message);
}

static void count_purchase(latch_ctx *cx, const latch_saga_outcome *placed, bool undone) {
    int64_t cents;
    count_it(cx, undone ? "undone" : "placed", 1);
    if (!undone && latch_read(placed->results, "order.total_cents", &cents) == LATCH_OK) count_it(cx, "cents", cents);
}

latch_status dashboard(latch_ctx *cx, latch_http *http) {
    const latch_str keys[] = {LATCH_STR("placed"), LATCH_STR("undone"), LATCH_STR("cents")};
    latch_counted counted[3];
    LATCH_TRY(latch_counter_get(cx, &sales, keys, 3, counted));
    return latch_http_reply(http, 200,
                            latch_object(cx, "placed", counted[0].count, "undone", counted[1].count, "sold_cents", counted[2].count));
}

/* ── the request ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_rate orders_of_client = {.name = "order", .limit = 5, .window_ms = LATCH_HOUR_MS};

static void tell_limit(latch_ctx *cx, latch_http *http, const latch_rate_state *state) {
    latch_rate_headers headers;
    latch_rate_describe(cx, state, &headers);
    latch_http_set_header(http, "RateLimit-Limit", latch_str_of(headers.limit));
    latch_http_set_header(http, "RateLimit-Remaining", latch_str_of(headers.remaining));
    latch_http_set_header(http, "RateLimit-Reset", latch_str_of(headers.reset));
}

latch_status five_an_hour(latch_ctx *cx, latch_call *call, const void *arg) {
    latch_http *http = latch_call_http(call);
    latch_rate_state left;
    (void)arg;
    LATCH_TRY(latch_rate_acquire(cx, &orders_of_client, latch_http_client(http), &left));
    tell_limit(cx, http, &left);
    return latch_around_next(cx, call);
}

latch_status purchase(latch_ctx *cx, latch_http *http) {
    latch_json order;
    latch_str order_id;
    latch_saga_outcome placed;
    bool undone;
    LATCH_TRY(latch_http_json(http, &order));
    LATCH_TRY(latch_read(order, "order_id", latch_bytes(&order_id, 1, 64)));
    LATCH_TRY_BUT(LATCH_UNDONE, undone, latch_saga_run(cx, &plan, order_id, order, &placed));
    if (placed.did) count_purchase(cx, &placed, undone);
    if (undone) return latch_http_reply(http, 409, latch_object(cx, "order_id", order_id, "refused_by", placed.refused, "why", placed.why));
    return latch_http_reply(http, 201, latch_object(cx, "order_id", order_id, "steps", placed.results));
}

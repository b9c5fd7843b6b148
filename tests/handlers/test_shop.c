#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch_test.h"
#include "tests/check.h"

static latch_test *t;

static int open_shop(void **state) {
    (void)state;
    setenv("SHOP_PASSWORD", "opensesame", 1);
    t = latch_test_open(&(latch_test_options){.main = latch_function_main});
    return 0;
}

static int close_shop(void **state) {
    (void)state;
    latch_test_close(t);
    return 0;
}

/* ── checkout ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_test_outcome *check_out(const char *key, const char *body) {
    return latch_test_http(t, "api", &(latch_test_request){.path = "/checkout", .body = body, .headers = {"Idempotency-Key", key}});
}

#define TWO_TEAS "{\"sku\":\"tea\",\"qty\":2}"

static void checkout_is_replayed(void **state) {
    (void)state;
    const latch_test_outcome *first = check_out("k-1", TWO_TEAS), *again = check_out("k-1", TWO_TEAS);
    assert_int_equal(first->http_status, 201);
    assert_string_equal(latch_test_text(first, "total_cents"), "900");
    assert_int_equal(strlen(latch_test_text(first, "receipt")), 36);
    assert_int_equal(again->http_status, 201);
    assert_string_equal(again->body, first->body);
    assert_int_equal(latch_test_logged(first, "order placed"), 1);
    assert_int_equal(latch_test_logged(again, "order placed"), 0);
    const latch_test_outcome *other = check_out("k-2", TWO_TEAS);
    assert_string_not_equal(other->body, first->body);
}

static void checkout_of_another_body_is_a_mismatch(void **state) {
    (void)state;
    assert_int_equal(check_out("k-1", TWO_TEAS)->http_status, 201);
    assert_int_equal(check_out("k-1", "{\"sku\":\"cup\",\"qty\":2}")->http_status, 422);
    latch_test_pass(t, LATCH_DAY_MS + LATCH_HOUR_MS);
    assert_int_equal(check_out("k-1", "{\"sku\":\"cup\",\"qty\":2}")->http_status, 201);
}

static void checkout_names_the_field(void **state) {
    (void)state;
    static const struct {
        const char *key, *body;
        int status;
        const char *error;
    } rows[] = {
        {"k", "{\"sku\":\"tea\",\"qty\":0}", 400, "body.qty: is 0, want a whole number from 1 to 100"},
        {"k", "{\"qty\":1}", 400, "body.sku: is missing, want text"},
        {"k", "tea", 400, NULL},
        {"", TWO_TEAS, 400, "the header Idempotency-Key is missing"},
        {"k", "{\"sku\":\"coffee\",\"qty\":1}", 404, "no such product"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_test_outcome *o = check_out(rows[i].key, rows[i].body);
        assert_int_equal(o->http_status, rows[i].status);
        if (rows[i].error != NULL) assert_non_null(strstr(latch_test_text(o, "error"), rows[i].error));
    }
}

/* Another sandbox checks out with the same key between this one's two requests: one order, and this one is told to wait. */
static void check_out_beside(void *arg) {
    const latch_test_outcome **outcome = arg;
    latch_test *mine = t;
    t = latch_test_open(&(latch_test_options){.main = latch_function_main, .beside = mine});
    *outcome = check_out("k-1", TWO_TEAS);
    assert_int_equal((*outcome)->http_status, 409);
    assert_true(atoi(latch_test_header(*outcome, "Retry-After")) > 0);
    latch_test_close(t);
    t = mine;
}

static void checkout_is_done_by_one(void **state) {
    (void)state;
    const latch_test_outcome *beside = NULL;
    latch_test_meanwhile(t, 2, check_out_beside, &beside);
    assert_int_equal(check_out("k-1", TWO_TEAS)->http_status, 201);
    assert_non_null(beside);
}

static void checkout_whose_answer_is_lost_is_done_once(void **state) {
    (void)state;
    for (size_t nth = 1; nth <= 4; nth++) {
        char key[] = "k-0";
        key[2] = (char)('0' + nth);
        latch_test_fail(t, LATCH_TEST_ANSWER_LOST, nth, 1);
        const latch_test_outcome *first = check_out(key, TWO_TEAS);
        assert_int_equal(first->http_status, 201);
        assert_true(first->took_ms > 0 || first->requests < nth);
        assert_string_equal(check_out(key, TWO_TEAS)->body, first->body);
    }
}

static void checkout_without_a_store_fails(void **state) {
    (void)state;
    static const latch_test_fault faults[] = {LATCH_TEST_NOT_SENT,  LATCH_TEST_LOST,   LATCH_TEST_DOWN,
                                              LATCH_TEST_THROTTLED, LATCH_TEST_DENIED, LATCH_TEST_ANSWER_LOST};
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        latch_test_fail(t, faults[i], 1, 0);
        const latch_test_outcome *o = check_out("k-1", TWO_TEAS);
        assert_true(o->status >= LATCH_E_TIMEOUT);
        assert_int_equal(o->http_status, 0); /* API Gateway answers 500 */
        assert_string_equal(o->reply, "");
        assert_true(o->error_message[0] != '\0' && o->error_type[0] != '\0');
        assert_int_equal(latch_test_logged(o, "invocation failed"), 1);
        assert_int_equal(latch_test_logged(o, "order placed"), 0);
        latch_test_pass(t, 15 * LATCH_MINUTE_MS);
    }
    assert_int_equal(check_out("k-2", TWO_TEAS)->http_status, 201);
}

/* ── the catalogue ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void products_come_from_the_cache(void **state) {
    (void)state;
    const latch_test_outcome *first = latch_test_http(t, "api", &(latch_test_request){.path = "/products/tea"});
    assert_int_equal(first->http_status, 200);
    assert_string_equal(latch_test_text(first, "name"), "Green tea");
    assert_int_equal(latch_test_logged(first, "product loaded"), 1);
    const latch_test_outcome *again =
        latch_test_http(t, "api", &(latch_test_request){.path = "/products/tea", .form = LATCH_TEST_REST_API});
    assert_string_equal(again->body, first->body);
    assert_int_equal(latch_test_logged(again, "product loaded"), 0);
    latch_test_pass(t, 6 * LATCH_MINUTE_MS);
    assert_int_equal(latch_test_logged(latch_test_http(t, "api", &(latch_test_request){.path = "/products/tea"}), "product loaded"), 1);
    assert_int_equal(latch_test_http(t, "api", &(latch_test_request){.path = "/products/coffee"})->http_status, 404);
    const latch_test_outcome *method = latch_test_http(t, "api", &(latch_test_request){.path = "/products/tea", .method = "DELETE"});
    assert_int_equal(method->http_status, 405);
    assert_string_equal(latch_test_header(method, "Allow"), "GET, HEAD");
}

/* ── login ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_test_outcome *log_in(const char *password, latch_test_form form) {
    char body[100];
    snprintf(body, sizeof body, "{\"user\":\"ada\",\"password\":\"%s\"}", password);
    return latch_test_http(t, "api", &(latch_test_request){.path = "/login", .body = body, .form = form});
}

static void logins_are_limited_until_time_has_passed(void **state) {
    (void)state;
    static const latch_test_form forms[] = {LATCH_TEST_HTTP_API, LATCH_TEST_REST_API, LATCH_TEST_BALANCER};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(log_in("guess", forms[i])->http_status, 401);
    const latch_test_outcome *fourth = log_in("opensesame", LATCH_TEST_FUNCTION_URL);
    assert_int_equal(fourth->http_status, 429);
    int wait_s = atoi(latch_test_header(fourth, "retry-after"));
    assert_in_range(wait_s, 1, 15 * 60);
    latch_test_pass(t, (wait_s - 10) * LATCH_SECOND_MS);
    assert_int_equal(log_in("opensesame", LATCH_TEST_BALANCER)->http_status, 429);
    latch_test_pass(t, 15 * LATCH_SECOND_MS);
    const latch_test_outcome *in = log_in("opensesame", LATCH_TEST_HTTP_API);
    assert_int_equal(in->http_status, 200);
    assert_string_equal(latch_test_text(in, "user"), "ada");
}

static void a_login_clears_what_was_tried(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(log_in("guess", LATCH_TEST_HTTP_API)->http_status, 401);
        assert_int_equal(log_in("guess", LATCH_TEST_HTTP_API)->http_status, 401);
        assert_int_equal(log_in("opensesame", LATCH_TEST_HTTP_API)->http_status, 200);
    }
}

/* ── orders ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define ORDER(id) "{\"order_id\":\"" id "\",\"address\":\"12 Oak Street\",\"qty\":1}"

static void orders_that_come_twice_are_shipped_once(void **state) {
    (void)state;
    const latch_test_message batch[] = {
        {.body = ORDER("o-1"), .id = "m-1"}, {.body = ORDER("o-1"), .id = "m-1", .receives = 2},
        {.body = ORDER("o-1"), .id = "m-2"}, {.body = "no JSON", .id = "m-3"},
        {.body = ORDER("o-2"), .id = "m-4"},
    };
    const latch_test_outcome *o = latch_test_queue(t, "orders", batch, COUNT_OF(batch));
    assert_int_equal(o->status, LATCH_OK);
    assert_int_equal(latch_test_logged(o, "shipped"), 2);
    assert_string_equal(latch_test_logged_text(o, "shipped", "address"), "12 Oak Street");
    assert_int_equal(latch_test_logged(o, "this order was shipped before"), 1);
    assert_int_equal(o->failed_count, 1);
    assert_true(latch_test_record_failed(o, "m-3"));
    assert_false(latch_test_record_failed(o, "m-1"));
    const latch_test_outcome *again = latch_test_queue(t, "orders", batch, 3);
    assert_int_equal(latch_test_logged(again, "shipped"), 0);
    assert_int_equal(again->failed_count, 0);
}

static void orders_come_again_where_the_store_is_down(void **state) {
    (void)state;
    const latch_test_message batch[] = {{.body = ORDER("o-1")}, {.body = ORDER("o-2")}};
    latch_test_fail(t, LATCH_TEST_NOT_SENT, 1, 0);
    const latch_test_outcome *o = latch_test_queue(t, "orders", batch, COUNT_OF(batch));
    assert_int_equal(o->failed_count, 2);
    assert_int_equal(latch_test_logged(o, "shipped"), 0);
    latch_test_pass(t, 2 * LATCH_MINUTE_MS);
    o = latch_test_queue(t, "orders", batch, COUNT_OF(batch));
    assert_int_equal(o->failed_count, 0);
    assert_int_equal(latch_test_logged(o, "shipped"), 2);
}

/* ── purchases ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_test_outcome *place(const char *order_id, const char *sku, int qty, const char *address) {
    char body[200];
    snprintf(body, sizeof body, "{\"order_id\":\"%s\",\"sku\":\"%s\",\"qty\":%d,\"address\":\"%s\"}", order_id, sku, qty, address);
    return latch_test_http(t, "api", &(latch_test_request){.path = "/orders", .body = body});
}

static const latch_test_outcome *look_at(const char *path) {
    return latch_test_http(t, "api", &(latch_test_request){.path = path, .method = "GET"});
}

static void a_purchase_goes_through_its_steps(void **state) {
    char parcel[64];
    (void)state;
    const latch_test_outcome *first = place("o-1", "tea", 2, "12 Oak Street");
    assert_int_equal(first->http_status, 201);
    assert_string_equal(latch_test_text(first, "steps.order.total_cents"), "900");
    assert_int_equal(strlen(latch_test_text(first, "steps.payment.payment")), 36);
    assert_int_equal(latch_test_logged(first, "charged"), 1);
    snprintf(parcel, sizeof parcel, "%s", latch_test_text(first, "steps.shipping.parcel"));
    const latch_test_outcome *again = place("o-1", "tea", 2, "12 Oak Street");
    assert_int_equal(again->http_status, 201);
    assert_string_equal(latch_test_text(again, "steps.shipping.parcel"), parcel);
    assert_int_equal(latch_test_logged(again, "charged"), 0);
    assert_int_equal(place("o-1", "tea", 3, "12 Oak Street")->http_status, 422);
    const latch_test_outcome *seen = look_at("/dashboard");
    assert_string_equal(seen->body, "{\"placed\":1,\"undone\":0,\"sold_cents\":900}");
}

static void a_purchase_that_fails_is_undone_backwards(void **state) {
    (void)state;
    const latch_test_outcome *declined = place("o-1", "pot", 10, "12 Oak Street");
    assert_int_equal(declined->http_status, 409);
    assert_string_equal(latch_test_text(declined, "refused_by"), "payment");
    assert_int_equal(latch_test_logged(declined, "order cancelled"), 1);
    assert_int_equal(latch_test_logged(declined, "refunded"), 0);
    const latch_test_outcome *nowhere = place("o-2", "cup", 1, "the moon");
    assert_int_equal(nowhere->http_status, 409);
    assert_string_equal(latch_test_text(nowhere, "refused_by"), "shipping");
    assert_int_equal(latch_test_logged(nowhere, "charged"), 1);
    assert_int_equal(latch_test_logged(nowhere, "refunded"), 1);
    assert_int_equal(latch_test_logged(nowhere, "order cancelled"), 1);
    const latch_test_outcome *again = place("o-2", "cup", 1, "the moon");
    assert_int_equal(again->http_status, 409);
    assert_int_equal(latch_test_logged(again, "refunded"), 0);
    assert_string_equal(look_at("/dashboard")->body, "{\"placed\":0,\"undone\":2,\"sold_cents\":0}");
}

/* Whatever one request of it comes to, the next call ends it, and the customer pays once or is told that it may be twice. */
static void a_purchase_goes_on_where_it_was(void **state) {
    static const latch_test_fault faults[] = {LATCH_TEST_ANSWER_LOST, LATCH_TEST_DOWN, LATCH_TEST_LOST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        for (size_t nth = 1; nth <= 8; nth++) {
            char id[16];
            snprintf(id, sizeof id, "o-%zu-%zu", i, nth);
            latch_test_pass(t, 2 * LATCH_HOUR_MS); /* the limit, and a breaker that opened */
            latch_test_fail(t, faults[i], nth, 6);
            const latch_test_outcome *first = place(id, "tea", 1, "12 Oak Street");
            int charged = (int)latch_test_logged(first, "charged"), told = 0;
            latch_test_pass(t, 2 * LATCH_HOUR_MS);
            const latch_test_outcome *second = place(id, "tea", 1, "12 Oak Street");
            assert_int_equal(second->http_status, 201);
            charged += (int)latch_test_logged(second, "charged");
            told = (int)latch_test_logged(second, "charged before, perhaps: ask the service");
            assert_in_range(charged, 1, 1 + told);
        }
    }
}

static void a_client_may_order_so_often(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        const latch_test_outcome *o = place("o-1", "tea", 1, "12 Oak Street");
        assert_int_equal(o->http_status, 201);
        assert_int_equal(atoi(latch_test_header(o, "RateLimit-Remaining")), 4 - i);
        latch_test_pass(t, LATCH_MINUTE_MS);
    }
    const latch_test_outcome *sixth = place("o-1", "tea", 1, "12 Oak Street");
    assert_int_equal(sixth->http_status, 429);
    assert_in_range(atoi(latch_test_header(sixth, "Retry-After")), 3600 - 300 - 1, 3600 - 300 + 1); /* when the first leaves the window */
    latch_test_pass(t, (3600 - 300 + 1) * LATCH_SECOND_MS);
    assert_int_equal(place("o-1", "tea", 1, "12 Oak Street")->http_status, 201);
    assert_int_equal(place("o-1", "tea", 1, "12 Oak Street")->http_status, 429);
}

static void categories_are_a_tree(void **state) {
    (void)state;
    const latch_test_outcome *all = look_at("/categories/all");
    assert_int_equal(all->http_status, 200);
    assert_string_equal(all->body, "{\"categories\":[{\"id\":\"all\",\"name\":\"Everything\",\"depth\":0},{\"id\":\"drinks\",\"name\":\"To "
                                   "drink\",\"depth\":1},{\"id\":\"ware\",\"name\":\"For the table\",\"depth\":1},{\"id\":\"tea\",\"name\":"
                                   "\"Tea\",\"depth\":2}]}");
    assert_string_equal(look_at("/categories/tea")->body, "{\"categories\":[{\"id\":\"tea\",\"name\":\"Tea\",\"depth\":0}]}");
    assert_int_equal(look_at("/categories/sofas")->http_status, 404);
}

/* ── export ─────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_test_outcome *export(const char *path, latch_test_form form) {
    return latch_test_http(t, "export", &(latch_test_request){.path = path, .form = form});
}

static void an_export_streams_its_lines(void **state) {
    static const struct {
        const char *path, *body;
        latch_test_form form;
        bool streamed;
    } rows[] = {
        {"/export/all",
         "id,name,depth\r\n\"all\",\"Everything\",0\r\n\"drinks\",\"To drink\",1\r\n\"ware\",\"For the table\",1\r\n\"tea\",\"Tea\",2\r\n",
         LATCH_TEST_FUNCTION_URL, true},
        {"/export/tea", "id,name,depth\r\n\"tea\",\"Tea\",0\r\n", LATCH_TEST_FUNCTION_URL, true},
        {"/export/tea", "id,name,depth\r\n\"tea\",\"Tea\",0\r\n", LATCH_TEST_HTTP_API, false}, /* which can't stream */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const latch_test_outcome *o = export(rows[i].path, rows[i].form);
        assert_int_equal(o->http_status, 200);
        assert_string_equal(o->body, rows[i].body);
        assert_int_equal(o->streamed, rows[i].streamed);
        assert_string_equal(latch_test_header(o, "content-type"), "text/csv; charset=utf-8");
        assert_string_equal(latch_test_header(o, "content-disposition"), "attachment; filename=\"categories.csv\"");
    }
}

/* Before its first line nothing was sent: whatever is wrong is a reply, or an error, as ever. */
static void an_export_that_finds_nothing_is_a_404(void **state) {
    (void)state;
    const latch_test_outcome *o = export("/export/sofas", LATCH_TEST_FUNCTION_URL);
    assert_int_equal(o->http_status, 404);
    assert_false(o->streamed);
    assert_string_equal(latch_test_text(o, "error"), "no such category");
    latch_test_fail(t, LATCH_TEST_DENIED, 1, 0);
    o = export("/export/all", LATCH_TEST_FUNCTION_URL);
    assert_int_equal(o->status, LATCH_E_DENIED);
    assert_false(o->streamed);
}

static latch_dynamodb_put_request category(latch_ctx *cx, const char *id, const char *name) {
    return (latch_dynamodb_put_request){.item = latch_object(cx, "pk", latch_key(cx, LATCH_STR("CATEGORY"), latch_str_of(id)), "sk", "NODE",
                                                             "id", id, "name", name, "children", latch_array(cx))};
}

static void an_export_quotes_what_it_must(void **state) {
    latch_ctx *cx = latch_test_context(t);
    const latch_dynamodb_put_request item = category(cx, "odd", "\"so\", it says\n\"");
    (void)state;
    assert_int_equal(latch_dynamodb_put(cx, &item, NULL), LATCH_OK);
    latch_test_context_end(t);
    assert_string_equal(export("/export/odd", LATCH_TEST_FUNCTION_URL)->body,
                        "id,name,depth\r\n\"odd\",\"\"\"so\"\", it says\n\"\"\",0\r\n");
}

static void an_export_ends_where_its_client_hangs_up(void **state) {
    enum { BYTES = 40000 }; /* more than the stream's buffer holds */
    char *name = malloc(BYTES + 1);
    latch_ctx *cx = latch_test_context(t);
    (void)state;
    memset(name, 'n', BYTES);
    name[BYTES] = '\0';
    const latch_dynamodb_put_request item = category(cx, "long", name);
    assert_int_equal(latch_dynamodb_put(cx, &item, NULL), LATCH_OK);
    latch_test_context_end(t);
    latch_test_hang_up(t, 1000);
    const latch_test_outcome *o = export("/export/long", LATCH_TEST_FUNCTION_URL);
    assert_int_equal(o->status, LATCH_E_NETWORK);
    assert_int_equal(o->http_status, 200);
    assert_string_equal(o->trailer_type, "Function.Network");
    free(name);
}

/* ── sweep, echo ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_second_sweep_finds_the_lock_held(void **state) {
    (void)state;
    const latch_test_outcome *first = latch_test_schedule(t, "sweep");
    assert_string_equal(latch_test_text(first, "swept"), "3");
    long long fence = atoll(latch_test_text(first, "fence"));
    assert_true(fence > 0);
    assert_string_equal(latch_test_logged_text(first, "swept", "due"), "2026-01-01T00:00:00Z");
    const latch_test_outcome *second = latch_test_schedule(t, "sweep");
    assert_int_equal(second->status, LATCH_OK);
    assert_true(latch_test_text(second, "skipped")[0] != '\0');
    latch_test_pass(t, LATCH_MINUTE_MS + 3 * LATCH_SECOND_MS);
    assert_true(atoll(latch_test_text(latch_test_schedule(t, "sweep"), "fence")) > fence);
}

static void echo_gives_back_what_came(void **state) {
    (void)state;
    assert_string_equal(latch_test_event(t, "echo", "{\"a\": [1, 2]}")->reply, "{\"a\": [1, 2]}");
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)
static const struct CMUnitTest tests[] = {
    ROW(checkout_is_replayed),
    ROW(checkout_of_another_body_is_a_mismatch),
    ROW(checkout_names_the_field),
    ROW(checkout_is_done_by_one),
    ROW(checkout_whose_answer_is_lost_is_done_once),
    ROW(checkout_without_a_store_fails),
    ROW(products_come_from_the_cache),
    ROW(logins_are_limited_until_time_has_passed),
    ROW(a_login_clears_what_was_tried),
    ROW(orders_that_come_twice_are_shipped_once),
    ROW(orders_come_again_where_the_store_is_down),
    ROW(a_purchase_goes_through_its_steps),
    ROW(a_purchase_that_fails_is_undone_backwards),
    ROW(a_purchase_goes_on_where_it_was),
    ROW(a_client_may_order_so_often),
    ROW(categories_are_a_tree),
    ROW(a_second_sweep_finds_the_lock_held),
    ROW(echo_gives_back_what_came),
    ROW(an_export_streams_its_lines),
    ROW(an_export_that_finds_nothing_is_a_404),
    ROW(an_export_quotes_what_it_must),
    ROW(an_export_ends_where_its_client_hangs_up),
};

CHECK_MAIN(tests)

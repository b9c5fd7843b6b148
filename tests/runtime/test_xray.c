#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <yyjson.h>

#include "core/log.h"
#include "core/span.h"
#include "runtime/xray.h"
#include "tests/check.h"
#include "tests/core/logged.h"
#include "tests/runtime/daemon.h"

#define HEADER "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
#define DAEMON_LINE "{\"format\": \"json\", \"version\": 1}\n"

static latch_spans spans;
static latch_xray xray;
static int daemon_fd;
static char datagram[70000];
static yyjson_doc *doc;

static int set_up(void **state) {
    (void)state;
    if (logged_open((size_t)1 << 16) != 0) return -1;
    memset(&spans, 0, sizeof spans);
    daemon_fd = daemon_open();
    setenv("LATCH_TRACE", "xray", 1);
    setenv("AWS_REGION", "eu-central-1", 1);
    r.cx.spans = &spans;
    r.cx.trace_id = LATCH_STR(HEADER);
    latch_xray_open(&xray, &r.cx);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    yyjson_doc_free(doc);
    doc = NULL;
    latch_xray_close(&xray);
    close(daemon_fd);
    return logged_close();
}

/* The next datagram's document; NULL: none came. */
static yyjson_val *next_document(void) {
    ssize_t n = recv(daemon_fd, datagram, sizeof datagram - 1, MSG_DONTWAIT);
    yyjson_doc_free(doc);
    doc = NULL;
    if (n < 0) return NULL;
    datagram[n] = '\0';
    assert_true((size_t)n > strlen(DAEMON_LINE) && n <= LATCH_TRACE_DATAGRAM_BYTES);
    assert_memory_equal(datagram, DAEMON_LINE, strlen(DAEMON_LINE));
    doc = yyjson_read(datagram + strlen(DAEMON_LINE), (size_t)n - strlen(DAEMON_LINE), 0);
    if (doc == NULL) fail_msg("no JSON: %s", datagram);
    return yyjson_doc_get_root(doc);
}

static void end_invocation(latch_status status) {
    latch_xray_end(&xray, &r.cx,
                   &(latch_xray_invocation){.handler = "checkout", .from_us = 1000, .to_us = r.boot_us, .status = status, .cold = true});
}

static const char *text_at(yyjson_val *v, const char *pointer) {
    const char *text = yyjson_get_str(yyjson_ptr_get(v, pointer));
    return text != NULL ? text : "";
}

static void sends_the_handler(void **state) {
    (void)state;
    latch_xray_begin(&xray, &r.cx);
    assert_true(r.cx.trace_seed != 0);
    r.boot_us += 2500;
    r.wall_us += 2500;
    end_invocation(LATCH_OK);
    yyjson_val *v = next_document();
    assert_non_null(v);
    assert_string_equal(text_at(v, "/name"), "## checkout");
    assert_string_equal(text_at(v, "/trace_id"), "1-5759e988-bd862e3fe1be46a994272793");
    assert_string_equal(text_at(v, "/parent_id"), "53995c3f42cd8ad8");
    assert_string_equal(text_at(v, "/type"), "subsegment");
    assert_int_equal(strlen(text_at(v, "/id")), 16);
    assert_true(yyjson_get_bool(yyjson_ptr_get(v, "/annotations/ColdStart")));
    assert_non_null(strstr(datagram, "\"start_time\":1795253400.123456,\"end_time\":1795253400.125956"));
    assert_null(yyjson_ptr_get(v, "/fault"));
    assert_null(yyjson_ptr_get(v, "/subsegments"));
    assert_null(next_document());
}

static void tells_of_a_failure_without_secrets(void **state) {
    (void)state;
    latch_xray_begin(&xray, &r.cx);
    assert_int_equal(latch_fail(&r.cx, "CardDeclined", "by AKIAIOSFODNN7EXAMPLE \"no\""), LATCH_E_HANDLER);
    end_invocation(LATCH_E_HANDLER);
    yyjson_val *v = next_document();
    assert_true(yyjson_get_bool(yyjson_ptr_get(v, "/fault")));
    assert_string_equal(text_at(v, "/cause/exceptions/0/type"), "CardDeclined");
    assert_string_equal(text_at(v, "/cause/exceptions/0/message"), "by AKIA*** \"no\"");
    assert_int_equal(strlen(text_at(v, "/cause/exceptions/0/id")), 16);
}

/* What aws-xray-sdk for Python 2.15.0 sent of the same: a call of DynamoDB, and a step of its own, inside of the handler's. */
static void has_the_shape_of_the_sdk(void **state) {
    static const char *const of_all[] = {"/id", "/name", "/start_time", "/end_time"};
    (void)state;
    latch_xray_begin(&xray, &r.cx);
    latch_span own = latch_span_begin(&r.cx, "price", LATCH_STR("sku-1"));
    latch_span call = latch_span_begin_kind(&r.cx, LATCH_SPAN_DYNAMODB, "UpdateItem", LATCH_STR("orders"));
    latch_span_tell(&r.cx, call, &(latch_span_facts){.requests = 3, .throttled = 2, .http_status = 200, .request_id = LATCH_STR("ID1")});
    latch_span_end(&r.cx, call, LATCH_OK);
    latch_span_end(&r.cx, own, LATCH_OK);
    end_invocation(LATCH_OK);
    yyjson_val *v = next_document(), *step = yyjson_ptr_get(v, "/subsegments/0"), *aws = yyjson_ptr_get(step, "/subsegments/0");
    assert_non_null(aws);
    for (size_t i = 0; i < COUNT_OF(of_all); i++)
        assert_true(yyjson_ptr_get(v, of_all[i]) && yyjson_ptr_get(step, of_all[i]) && yyjson_ptr_get(aws, of_all[i]));
    assert_string_equal(text_at(step, "/name"), "price");
    assert_string_equal(text_at(step, "/metadata/latch/detail"), "sku-1");
    assert_string_equal(text_at(aws, "/name"), "DynamoDB");
    assert_string_equal(text_at(aws, "/namespace"), "aws");
    assert_string_equal(text_at(aws, "/aws/operation"), "UpdateItem");
    assert_string_equal(text_at(aws, "/aws/table_name"), "orders");
    assert_string_equal(text_at(aws, "/aws/region"), "eu-central-1");
    assert_string_equal(text_at(aws, "/aws/request_id"), "ID1");
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(aws, "/aws/retries")), 2);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(aws, "/http/response/status")), 200);
    assert_true(yyjson_get_bool(yyjson_ptr_get(aws, "/throttle")));
    assert_string_not_equal(text_at(aws, "/id"), text_at(step, "/id"));
    assert_string_not_equal(text_at(v, "/id"), text_at(step, "/id"));
}

static void says_error_or_fault(void **state) {
    static const struct {
        latch_span_kind kind;
        latch_status status;
        int http_status;
        bool error, fault;
    } rows[] = {
        {LATCH_SPAN_DYNAMODB, LATCH_OK, 200, false, false},       {LATCH_SPAN_DYNAMODB, LATCH_CONFLICT, 400, false, false},
        {LATCH_SPAN_DYNAMODB, LATCH_E_MISUSE, 400, true, false},  {LATCH_SPAN_DYNAMODB, LATCH_E_THROTTLED, 400, true, false},
        {LATCH_SPAN_DYNAMODB, LATCH_E_NETWORK, 503, false, true}, {LATCH_SPAN_DYNAMODB, LATCH_E_TIMEOUT, 0, false, true},
        {LATCH_SPAN_FETCH, LATCH_OK, 204, false, false},          {LATCH_SPAN_FETCH, LATCH_OK, 404, true, false},
        {LATCH_SPAN_FETCH, LATCH_OK, 500, false, true},           {LATCH_SPAN_FETCH, LATCH_E_NETWORK, 0, false, true},
        {LATCH_SPAN_OWN, LATCH_MISSING, 0, false, false},         {LATCH_SPAN_OWN, LATCH_E_DATA, 0, false, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_spans_reset(&spans);
        latch_xray_begin(&xray, &r.cx);
        latch_span span = latch_span_begin_kind(&r.cx, rows[i].kind, "PUT", LATCH_STR("api.example.com"));
        latch_span_tell(&r.cx, span, &(latch_span_facts){.http_status = rows[i].http_status, .error = LATCH_STR("SomeException")});
        latch_span_end(&r.cx, span, rows[i].status);
        end_invocation(LATCH_OK);
        yyjson_val *v = yyjson_ptr_get(next_document(), "/subsegments/0");
        bool error = yyjson_get_bool(yyjson_ptr_get(v, "/error")), fault = yyjson_get_bool(yyjson_ptr_get(v, "/fault"));
        if (error != rows[i].error || fault != rows[i].fault) fail_msg("row %zu: %s", i, datagram);
        assert_string_equal(text_at(v, "/cause/exceptions/0/type"), error || fault ? "SomeException" : "");
        if (rows[i].kind != LATCH_SPAN_FETCH) continue;
        assert_string_equal(text_at(v, "/namespace"), "remote");
        assert_string_equal(text_at(v, "/http/request/method"), "PUT");
        assert_string_equal(text_at(v, "/http/request/url"), "api.example.com");
    }
}

/* As aws-xray-sdk does: a service map has one circle for each name, and a path in it would be one circle each. */
static void names_a_fetch_by_its_host(void **state) {
    static const struct {
        const char *url, *name;
    } rows[] = {
        {"https://api.example.com/rates/4711", "api.example.com"},
        {"http://127.0.0.1:8080/", "127.0.0.1"},
        {"http://[::1]:8080/x", "::1"},
        {"https://api.example.com", "api.example.com"},
        {"api.example.com:443/of/a/user", "api.example.com"}, /* what is left where the URL had one */
        {"api.example.com", "api.example.com"},
        {"api.example.com/a://b", "api.example.com"},
        {"http://[::1", "::1"},
        {"https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws/orders/of/a/user",
         "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_spans_reset(&spans);
        latch_xray_begin(&xray, &r.cx);
        latch_span span = latch_span_begin_kind(&r.cx, LATCH_SPAN_FETCH, "GET", latch_str_of(rows[i].url));
        latch_span_end(&r.cx, span, LATCH_OK);
        end_invocation(LATCH_OK);
        yyjson_val *v = yyjson_ptr_get(next_document(), "/subsegments/0");
        assert_string_equal(text_at(v, "/name"), rows[i].name);
        assert_string_equal(text_at(v, "/http/request/url"), rows[i].url);
    }
}

static void sends_nothing_that_is_not_sampled(void **state) {
    static const char *const rows[] = {"",
                                       "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
                                       "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=?",
                                       "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
                                       "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
                                       "Parent=53995c3f42cd8ad8;Sampled=1",
                                       "nonsense"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        r.cx.trace_id = latch_str_of(rows[i]);
        latch_xray_begin(&xray, &r.cx);
        assert_int_equal(r.cx.trace_seed, 0);
        end_invocation(LATCH_OK);
        if (next_document() != NULL) fail_msg("%s: %s", rows[i], datagram);
    }
}

/* As many spans as are kept, each as long as it may be: one datagram, JSON, and what has no room is counted. */
static void is_bounded(void **state) {
    static char worst[64], seen[64][17];
    size_t kept = 0;
    (void)state;
    memset(worst, '\x01', sizeof worst - 1);
    for (int deep = 0; deep < 2; deep++) {
        latch_spans_reset(&spans);
        latch_xray_begin(&xray, &r.cx);
        for (int i = 0; i < 100; i++) {
            latch_span span = latch_span_begin_kind(&r.cx, LATCH_SPAN_DYNAMODB, "TransactWriteItems", latch_str_of(worst));
            latch_span_tell(
                &r.cx, span,
                &(latch_span_facts){
                    .requests = UINT32_MAX, .http_status = 500, .error = latch_str_of(worst), .request_id = latch_str_of(worst)});
            if (deep == 0) latch_span_end(&r.cx, span, LATCH_E_NETWORK);
        }
        end_invocation(LATCH_OK);
        yyjson_val *v = next_document();
        assert_non_null(v);
        uint64_t left_out = yyjson_get_uint(yyjson_ptr_get(v, "/metadata/latch/spans_left_out"));
        assert_true(left_out >= 36 && left_out < 90);
        if (deep == 1) continue;
        yyjson_val *inner;
        yyjson_arr_iter each = yyjson_arr_iter_with(yyjson_ptr_get(v, "/subsegments"));
        while ((inner = yyjson_arr_iter_next(&each)) != NULL) {
            for (size_t i = 0; i < kept; i++)
                assert_string_not_equal(seen[i], text_at(inner, "/id"));
            snprintf(seen[kept++], sizeof seen[0], "%s", text_at(inner, "/id"));
        }
        assert_int_equal(kept + left_out, 100);
    }
}

/* An outer span that made room for others: what lay in it lies in the handler. What is open ends with the handler. */
static void loses_no_span_whose_outer_one_is_gone(void **state) {
    (void)state;
    latch_xray_begin(&xray, &r.cx);
    latch_span outer = latch_span_begin(&r.cx, "outer", LATCH_STR(""));
    latch_span inner = latch_span_begin(&r.cx, "inner", LATCH_STR(""));
    latch_span_end(&r.cx, inner, LATCH_OK);
    latch_span_end(&r.cx, outer, LATCH_OK);
    for (int i = 0; i < 63; i++) {
        latch_span other = latch_span_begin(&r.cx, "other", LATCH_STR(""));
        latch_span_end(&r.cx, other, LATCH_OK);
    }
    end_invocation(LATCH_OK);
    assert_string_equal(text_at(next_document(), "/subsegments/0/name"), "inner");
    latch_spans_reset(&spans);
    latch_xray_begin(&xray, &r.cx);
    (void)latch_span_begin(&r.cx, "open", LATCH_STR(""));
    r.boot_us += 1000000;
    end_invocation(LATCH_OK);
    yyjson_val *v = next_document();
    assert_true(yyjson_equals(yyjson_ptr_get(v, "/end_time"), yyjson_ptr_get(v, "/subsegments/0/end_time")));
}

static void gives_each_invocation_other_ids(void **state) {
    char first[17];
    (void)state;
    for (int i = 0; i < 2; i++) {
        latch_xray_begin(&xray, &r.cx);
        end_invocation(LATCH_OK);
        yyjson_val *v = next_document();
        if (i == 1) assert_string_not_equal(first, text_at(v, "/id"));
        snprintf(first, sizeof first, "%s", text_at(v, "/id"));
    }
    latch_xray other; /* of another process, or of one restored: its own draws */
    latch_xray_open(&other, &r.cx);
    assert_true(other.on);
    assert_true(latch_trace_random_next(&other.random) != latch_trace_random_next(&xray.random));
    latch_xray_close(&other);
}

static void goes_on_where_nobody_listens(void **state) {
    (void)state;
    close(daemon_fd);
    for (int i = 0; i < 3; i++) { /* the second send is refused by what the first one met */
        latch_xray_begin(&xray, &r.cx);
        end_invocation(LATCH_OK);
    }
    daemon_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void is_off_unless_asked_for(void **state) {
    static const struct {
        const char *trace, *address, *why;
    } rows[] = {
        {"", "127.0.0.1:2000", NULL},        {"1", "127.0.0.1:2000", "not \\\"xray\\\""},  {"xray", "nonsense", "no IP:PORT"},
        {"xray", "127.0.0.1", "no IP:PORT"}, {"xray", "tcp:127.0.0.1:2000", "no IP:PORT"},
    };
    char record[1000];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_xray other;
        setenv("LATCH_TRACE", rows[i].trace, 1);
        setenv("AWS_XRAY_DAEMON_ADDRESS", rows[i].address, 1);
        latch_xray_open(&other, &r.cx);
        assert_false(other.on);
        latch_xray_begin(&other, &r.cx);
        assert_int_equal(r.cx.trace_seed, 0);
        latch_xray_end(&other, &r.cx, &(latch_xray_invocation){.handler = "h"});
        latch_xray_close(&other);
        assert_int_equal(logged_read(record, sizeof record) > 0, rows[i].why != NULL);
        if (rows[i].why != NULL && !strstr(record, rows[i].why)) fail_msg("row %zu: %s", i, record);
    }
}

static void reads_addresses(void **state) {
    static const struct {
        const char *text, *host;
        int port; /* 0: it is none */
    } rows[] = {
        {"127.0.0.1:2000", "127.0.0.1", 2000},
        {"169.254.79.129:1", "169.254.79.129", 1},
        {"localhost:65535", "127.0.0.1", 65535},
        {"tcp:127.0.0.1:2000 udp:127.0.0.2:2001", "127.0.0.2", 2001},
        {"udp:127.0.0.2:2001 tcp:127.0.0.1:2000", "127.0.0.2", 2001},
        {"[::1]:2000", "::1", 2000},
        {"udp:[::1]:2000", "::1", 2000},
        {"", "", 0},
        {":2000", "", 0},
        {"127.0.0.1:", "", 0},
        {"127.0.0.1:0", "", 0},
        {"127.0.0.1:65536", "", 0},
        {"127.0.0.1:2000x", "", 0},
        {"127.0.0.1:99999999999999999999", "", 0},
        {"a.name.that.is.not.looked.up:2000", "", 0},
        {"[::1:2000", "", 0},
        {"[]:2000", "", 0},
        {"[127.0.0.1]:2000", "", 0},
        {"0123456789012345678901234567890123456789012345678901234567890123456789:1", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sockaddr_storage to;
        socklen_t len;
        char host[64] = "";
        latch_xray_read_address(at_the_edge((latch_str){rows[i].text, strlen(rows[i].text) + 1}).ptr, &to, &len);
        if ((len > 0) != (rows[i].port > 0)) fail_msg("%s", rows[i].text);
        if (len == 0) continue;
        in_port_t port = to.ss_family == AF_INET ? ((struct sockaddr_in *)&to)->sin_port : ((struct sockaddr_in6 *)&to)->sin6_port;
        const void *at =
            to.ss_family == AF_INET ? (const void *)&((struct sockaddr_in *)&to)->sin_addr : &((struct sockaddr_in6 *)&to)->sin6_addr;
        assert_non_null(inet_ntop(to.ss_family, at, host, sizeof host));
        assert_string_equal(host, rows[i].host);
        assert_int_equal(ntohs(port), rows[i].port);
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(sends_the_handler),
    ROW(tells_of_a_failure_without_secrets),
    ROW(has_the_shape_of_the_sdk),
    ROW(says_error_or_fault),
    ROW(names_a_fetch_by_its_host),
    ROW(sends_nothing_that_is_not_sampled),
    ROW(is_bounded),
    ROW(loses_no_span_whose_outer_one_is_gone),
    ROW(gives_each_invocation_other_ids),
    ROW(goes_on_where_nobody_listens),
    ROW(is_off_unless_asked_for),
    ROW(reads_addresses),
};
// clang-format on

CHECK_MAIN(tests)

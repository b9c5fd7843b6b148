#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "core/span.h"
#include "tests/check.h"
#include "tests/core/room.h"

static room r;
static latch_spans spans;
static char shown[256];

static int set_up(void **state) {
    (void)state;
    room_open(&r, 1024);
    memset(&spans, 0, sizeof spans);
    r.cx.spans = &spans;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_close(&r);
    return 0;
}

static const char *waits_for(void) {
    size_t len = latch_span_describe(&spans, r.boot_us, shown, sizeof shown);
    assert_int_equal(len, strlen(shown));
    return shown;
}

static void says_what_it_waits_for(void **state) {
    static const struct {
        latch_span_kind kind;
        const char *name, *detail;
        int64_t us;
        const char *want;
    } rows[] = {
        {LATCH_SPAN_DYNAMODB, "UpdateItem", "orders", 2140999, "DynamoDB UpdateItem on orders, for 2140 ms"},
        {LATCH_SPAN_DYNAMODB, "TransactWriteItems", "", 0, "DynamoDB TransactWriteItems, for 0 ms"},
        {LATCH_SPAN_FETCH, "GET", "api.example.com/rates", 1000, "fetch GET api.example.com/rates, for 1 ms"},
        {LATCH_SPAN_WAIT, "wait", "", 999, "wait, for 0 ms"},
        {LATCH_SPAN_OWN, "price", "sku-1", 899999000, "price sku-1, for 899999 ms"},
        {LATCH_SPAN_OWN, "price", "x", -5000, "price x, for 0 ms"},
    };
    (void)state;
    assert_string_equal(waits_for(), "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_span span = latch_span_begin_kind(&r.cx, rows[i].kind, rows[i].name, latch_str_of(rows[i].detail));
        r.boot_us += rows[i].us;
        assert_string_equal(waits_for(), rows[i].want);
        latch_span_end(&r.cx, span, LATCH_OK);
        assert_string_equal(waits_for(), "");
    }
    assert_int_equal(latch_span_describe(NULL, 0, shown, sizeof shown), 0);
}

static void cuts_what_it_says_to_the_room(void **state) {
    static const char whole[] = "DynamoDB PutItem on orders, for 7 ms";
    char tight[64];
    (void)state;
    (void)latch_span_begin_kind(&r.cx, LATCH_SPAN_DYNAMODB, "PutItem", LATCH_STR("orders"));
    r.boot_us += 7000;
    for (size_t cap = 0; cap <= sizeof whole + 2; cap++) {
        memset(tight, '?', sizeof tight);
        size_t len = latch_span_describe(&spans, r.boot_us, tight, cap), want = cap < sizeof whole ? cap : sizeof whole;
        assert_int_equal(len, want > 0 ? want - 1 : 0);
        if (cap > 0) assert_memory_equal(tight, whole, len);
        if (cap > 0) assert_int_equal(tight[len], '\0');
        assert_int_equal(tight[cap], '?');
    }
}

static void end_with_what_began_them(void **state) {
    latch_ctx none = r.cx;
    (void)state;
    latch_span before = latch_span_begin(&r.cx, "before", LATCH_STR(""));
    uint64_t mark = latch_span_mark(&r.cx);
    latch_span_end_since(&r.cx, mark);
    assert_string_equal(waits_for(), "before, for 0 ms");
    (void)latch_span_begin(&r.cx, "left open", LATCH_STR(""));
    (void)latch_span_begin(&r.cx, "in it", LATCH_STR(""));
    r.boot_us += 7;
    latch_span_end_since(&r.cx, mark);
    assert_string_equal(waits_for(), "before, for 0 ms");
    for (uint32_t i = 1; i < 3; i++)
        assert_true(!spans.at[i].open && spans.at[i].to_us - spans.at[i].from_us == 7 && spans.at[i].status == LATCH_OK);
    latch_span_end(&r.cx, before, LATCH_OK);
    latch_span_end_since(&r.cx, 0);
    none.spans = NULL;
    assert_int_equal(latch_span_mark(&none), 0);
    latch_span_end_since(&none, 0);
}

static void lie_one_within_another(void **state) {
    (void)state;
    latch_span outer = latch_span_begin(&r.cx, "outer", LATCH_STR(""));
    latch_span inner = latch_span_begin_kind(&r.cx, LATCH_SPAN_DYNAMODB, "GetItem", LATCH_STR("t"));
    latch_span_tell(&r.cx, inner,
                    &(latch_span_facts){.requests = 2,
                                        .throttled = 1,
                                        .milli_units = 500,
                                        .http_status = 400,
                                        .error = LATCH_STR("ThrottlingException"),
                                        .request_id = LATCH_STR("id-1")});
    r.boot_us += 30;
    latch_span_end(&r.cx, inner, LATCH_E_THROTTLED);
    assert_string_equal(waits_for(), "outer, for 0 ms");
    r.boot_us += 5;
    latch_span_end(&r.cx, outer, LATCH_HELD);
    assert_int_equal(spans.count, 2);
    const latch_span_kept *o = &spans.at[0], *i = &spans.at[1];
    assert_true(i->outer_id == o->id && o->outer_id == 0);
    assert_int_equal(i->to_us - i->from_us, 30);
    assert_int_equal(o->to_us - o->from_us, 35);
    assert_true(i->status == LATCH_E_THROTTLED && o->status == LATCH_HELD && !i->open && !o->open);
    assert_true(i->requests == 2 && i->throttled == 1 && i->milli_units == 500 && i->http_status == 400);
    assert_string_equal(i->error, "ThrottlingException");
    assert_string_equal(i->request_id, "id-1");
}

/* What a handler forgot to end, ends with what it lies in; what it ends twice, or too late, is no other's end. */
static void forgives_ends_in_another_order(void **state) {
    (void)state;
    latch_span a = latch_span_begin(&r.cx, "a", LATCH_STR("")), b = latch_span_begin(&r.cx, "b", LATCH_STR(""));
    latch_span c = latch_span_begin(&r.cx, "c", LATCH_STR(""));
    r.boot_us += 10;
    latch_span_end(&r.cx, b, LATCH_MISSING);
    assert_string_equal(waits_for(), "a, for 0 ms");
    assert_true(!spans.at[2].open && spans.at[2].to_us - spans.at[2].from_us == 10);
    latch_span_end(&r.cx, c, LATCH_E_DATA);
    latch_span_end(&r.cx, b, LATCH_E_DATA);
    assert_true(spans.at[1].status == LATCH_MISSING && spans.at[2].status == LATCH_OK);
    latch_spans_reset(&spans);
    assert_string_equal(waits_for(), "");
    latch_span next = latch_span_begin(&r.cx, "next", LATCH_STR(""));
    latch_span_end(&r.cx, a, LATCH_E_DATA); /* of the invocation before, in the same place */
    assert_string_equal(waits_for(), "next, for 0 ms");
    latch_span_end(&r.cx, next, LATCH_OK);
    assert_int_equal(spans.count, 1);
}

static void keeps_the_last_and_those_that_are_open(void **state) {
    (void)state;
    latch_span outer = latch_span_begin(&r.cx, "outer", LATCH_STR(""));
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        latch_span span = latch_span_begin(&r.cx, "inner", latch_str_of(name));
        latch_span_end(&r.cx, span, LATCH_OK);
    }
    assert_string_equal(waits_for(), "outer, for 0 ms");
    assert_int_equal(spans.count, LATCH_SPANS_MAX);
    assert_int_equal(spans.lost, 1001 - LATCH_SPANS_MAX);
    bool seen = false;
    for (size_t i = 0; i < LATCH_SPANS_MAX; i++)
        seen = seen || strcmp(spans.at[i].detail, "999") == 0;
    assert_true(seen);
    latch_span_end(&r.cx, outer, LATCH_OK);
    assert_string_equal(spans.at[0].name, "outer");
    latch_spans_reset(&spans);
    latch_span all[LATCH_SPANS_MAX + 2];
    for (size_t i = 0; i < COUNT_OF(all); i++)
        all[i] = latch_span_begin(&r.cx, "deep", LATCH_STR(""));
    assert_true(all[LATCH_SPANS_MAX - 1].id != 0 && all[LATCH_SPANS_MAX].id == 0 && spans.lost == 2);
    for (size_t i = COUNT_OF(all); i-- > 0;)
        latch_span_end(&r.cx, all[i], LATCH_OK);
    assert_null(spans.innermost);
}

static void cuts_texts_at_a_character(void **state) {
    static char long_text[200];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xC3\xA9", 2);
    latch_span span = latch_span_begin(&r.cx, "n", latch_str_of(long_text));
    latch_span_tell(&r.cx, span, &(latch_span_facts){.error = latch_str_of(long_text), .request_id = latch_str_of(long_text)});
    assert_int_equal(strlen(spans.at[0].detail), 94);
    assert_int_equal(strlen(spans.at[0].error), 46);
    assert_int_equal(strlen(spans.at[0].request_id), 62);
}

static void costs_nothing_without_a_ring(void **state) {
    (void)state;
    r.cx.spans = NULL;
    latch_span span = latch_span_begin(&r.cx, "n", LATCH_STR("d"));
    assert_int_equal(span.id, 0);
    latch_span_tell(&r.cx, span, &(latch_span_facts){.requests = 1});
    latch_span_end(&r.cx, span, LATCH_OK);
    latch_spans_reset(NULL);
}

static volatile sig_atomic_t looks, torn;

/* Whatever a signal interrupts, what is shown is whole: name and detail of the same span. */
static void look(int signal) {
    (void)signal;
    char text[64];
    size_t len = latch_span_describe(&spans, 0, text, sizeof text);
    looks = looks + 1;
    if (len == 0) return;
    bool ok = strcmp(text, "aaaa 1111, for 0 ms") == 0 || strcmp(text, "DynamoDB bbbb on 2222, for 0 ms") == 0;
    if (!ok) torn = torn + 1;
}

static void is_whole_to_a_signal_handler(void **state) {
    struct sigaction action = {.sa_handler = look}, before;
    struct itimerval often = {.it_interval = {.tv_usec = 50}, .it_value = {.tv_usec = 50}}, off = {0};
    (void)state;
    looks = torn = 0;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; looks < 300 && i < 100000000; i++) {
        latch_span a = latch_span_begin(&r.cx, "aaaa", LATCH_STR("1111"));
        latch_span b = latch_span_begin_kind(&r.cx, LATCH_SPAN_DYNAMODB, "bbbb", LATCH_STR("2222"));
        latch_span_end(&r.cx, b, LATCH_OK);
        latch_span_end(&r.cx, a, LATCH_OK);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_true(looks >= 300);
    assert_int_equal(torn, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(says_what_it_waits_for),
    ROW(cuts_what_it_says_to_the_room),
    ROW(end_with_what_began_them),
    ROW(lie_one_within_another),
    ROW(forgives_ends_in_another_order),
    ROW(keeps_the_last_and_those_that_are_open),
    ROW(cuts_texts_at_a_character),
    ROW(costs_nothing_without_a_ring),
    ROW(is_whole_to_a_signal_handler),
};
// clang-format on

CHECK_MAIN(tests)

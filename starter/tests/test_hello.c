#include <latch_test.h>
#include <stdio.h>
#include <string.h>

/* latch_test.h is the manual. Any test framework does; this needs none. */

static int failures;
#define CHECK(fact) ((fact) ? (void)0 : (void)(failures++, fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #fact)))

static const latch_test_outcome *greet(latch_test *t, const char *body) {
    return latch_test_http(t, "hello", &(latch_test_request){.path = "/hello", .body = body});
}

static void greets_twice_a_minute(latch_test *t) {
    const latch_test_outcome *first = greet(t, "{\"name\":\"Ada\"}");
    CHECK(first->http_status == 200);
    CHECK(strcmp(latch_test_text(first, "hello"), "Ada") == 0);
    CHECK(latch_test_logged(first, "greeted") == 1);
    CHECK(greet(t, "{\"name\":\"Ada\"}")->http_status == 200);
    const latch_test_outcome *third = greet(t, "{\"name\":\"Ada\"}");
    CHECK(third->http_status == 429);
    CHECK(strcmp(latch_test_header(third, "Retry-After"), "") != 0);
    CHECK(greet(t, "{\"name\":\"Grace\"}")->http_status == 200);
    latch_test_pass(t, LATCH_MINUTE_MS + 5 * LATCH_SECOND_MS);
    CHECK(greet(t, "{\"name\":\"Ada\"}")->http_status == 200);
}

static void names_what_is_missing(latch_test *t) {
    const latch_test_outcome *o = greet(t, "{}");
    CHECK(o->http_status == 400);
    CHECK(strstr(latch_test_text(o, "error"), "body.name") != NULL);
}

static void fails_where_the_store_does(latch_test *t) {
    latch_test_fail(t, LATCH_TEST_DOWN, 1, 0);
    CHECK(greet(t, "{\"name\":\"Ada\"}")->status == LATCH_E_NETWORK);
}

int main(void) {
    void (*const tests[])(latch_test * t) = {greets_twice_a_minute, names_what_is_missing, fails_where_the_store_does};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        latch_test *t = latch_test_open(&(latch_test_options){.main = latch_function_main});
        tests[i](t);
        latch_test_close(t);
    }
    return failures > 0;
}

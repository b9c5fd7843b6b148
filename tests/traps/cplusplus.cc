// A handler in C++: latch.h with its plain functions; the macros that type their arguments are C's.
#include "latch.h"

static latch_pair text(const char *name, latch_str value) {
    latch_pair pair = {};
    pair.name = name;
    pair.value.kind = LATCH_V_STR;
    pair.value.as.str = value;
    return pair;
}

static latch_status hello(latch_ctx *cx, latch_http *http) {
    const latch_pair pairs[] = {text("from", latch_http_client(http)), {}};
    const latch_str parts[] = {LATCH_STR("hello"), latch_http_client(http)};
    latch_str name = {};
    latch_field fields[] = {{"name", {LATCH_INTO_STR, true, 1, 100, 0, &name}}, {}};
    latch_json body = LATCH_NULL;
    latch_attempts limit = {};
    latch_attempt attempt;
    limit.name = "hello";
    limit.max = 3;
    limit.window_ms = LATCH_MINUTE_MS;
    LATCH_TRY(latch_http_json(http, &body));
    LATCH_TRY(latch_read_(body, fields));
    LATCH_TRY(latch_attempts_take(cx, &limit, latch_key_(cx, parts, 2), LATCH_NULL, &attempt));
    latch_log_(cx, LATCH_INFO, "hello", pairs);
    return latch_http_reply(http, 200, latch_object_(cx, pairs));
}

int main() {
    latch_handler handlers[1] = {};
    handlers[0].name = "hello";
    handlers[0].http = hello;
    return LATCH_RUN(handlers);
}

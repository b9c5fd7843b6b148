/*
 * A function whose every invocation makes five store calls and tells what each of them said. The event is {"n": 17, "reset_breaker": true}: calls
 * that must not be counted twice go by the key n.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "latch.h"

static const latch_attempts once_each = {.name = "each", .max = 1000, .window_ms = LATCH_HOUR_MS};
static const latch_attempts together = {.name = "together", .max = 100000000, .window_ms = LATCH_DAY_MS};
static const latch_cache shelf = {.name = "shelf", .strong = true};
static const latch_lock door = {.name = "door", .keep = true, .lease_ms = LATCH_MINUTE_MS};

typedef struct notes {
    latch_ctx *cx;
    latch_json calls;
    int64_t from_ms;
} notes;

static void note(notes *n, const char *call, latch_status status, int64_t value) {
    const latch_err *err = latch_error(n->cx);
    int64_t now_ms = latch_now_ms(n->cx);
    bool failed = status != LATCH_OK;
    n->calls = latch_append(n->calls, latch_object(n->cx, "call", call, "status", (int64_t)status, "value", value, "maybe_applied",
                                                   latch_bool(failed && err->maybe_applied), "message", failed ? err->message : "", "ms",
                                                   now_ms - n->from_ms));
    n->from_ms = now_ms;
}

static latch_status five(latch_ctx *cx, latch_event *event) {
    int64_t number, stored = -1;
    char text[32];
    latch_attempt attempt;
    latch_hold hold;
    latch_json body, found;
    LATCH_TRY(latch_event_json(event, &body));
    bool reset;
    LATCH_TRY(latch_read(body, "n", &number, "reset_breaker", latch_optional(&reset)));
    if (reset) latch_dynamodb_breaker_reset(cx);
    snprintf(text, sizeof text, "%" PRId64, number);
    latch_str key = latch_copy(cx, (latch_str){text, strlen(text)});
    notes n = {cx, latch_array(cx), latch_now_ms(cx)};
    latch_status status = latch_attempts_take(cx, &once_each, key, LATCH_NULL, &attempt);
    note(&n, "each", status, attempt.used);
    status = latch_attempts_take(cx, &together, LATCH_STR("all"), LATCH_NULL, &attempt);
    note(&n, "together", status, attempt.used);
    status = latch_cache_set(cx, &shelf, key, latch_object(cx, "n", number));
    note(&n, "set", status, number);
    status = latch_cache_get(cx, &shelf, key, &found);
    if (status == LATCH_OK) LATCH_TRY(latch_read(found, "n", &stored));
    note(&n, "get", status, stored);
    status = latch_lock_take(cx, &door, key, &hold);
    note(&n, "lock", status, hold.fence);
    return latch_event_reply(event, latch_object(cx, "n", number, "calls", n.calls));
}

static const latch_handler handlers[] = {{.name = "five", .event = five, .stores = true}};

int main(void) { return LATCH_RUN(handlers); }

/*
 * observed.c - a function that does what its event says, so that what it tells of that can be compared with what others tell of the same:
 * "traced" for xray.py, "counted" for emf.py. What a step may be is in their rows.
 */
#include <stdlib.h>
#include <string.h>

#include "latch.h"

#define DEEPEST 4
#define NAMES_MAX 1000

static bool is(latch_str text, const char *what) { return latch_str_eq(text, latch_str_of(what)); }

/* ── traced: {"steps": [{"do": "get"}, {"do": "begin"}, {"do": "put", "caught": true}, {"do": "end"}, …]} ───────────────────────────────── */

static const char *const step_names[DEEPEST] = {"price", "tax", "rate", "rounding"};

typedef struct traced_run {
    latch_ctx *cx;
    latch_str url; /* where a fetch goes */
    latch_span open[DEEPEST];
    size_t depth;
} traced_run;

static latch_status call(latch_ctx *cx, latch_str what) {
    latch_json key = latch_object(cx, "id", "1"), found;
    if (is(what, "get")) return latch_dynamodb_get(cx, &(latch_dynamodb_get_request){.table = "orders", .key = key}, &found);
    if (is(what, "put"))
        return latch_dynamodb_put(cx, &(latch_dynamodb_put_request){.table = "orders", .item = key, .repeatable = true}, NULL);
    if (is(what, "put-new"))
        return latch_dynamodb_put(
            cx, &(latch_dynamodb_put_request){.table = "orders", .item = key, .condition = "attribute_not_exists(#id)", .repeatable = true},
            NULL);
    if (is(what, "delete"))
        return latch_dynamodb_delete(cx, &(latch_dynamodb_delete_request){.table = "orders", .key = key, .repeatable = true}, NULL);
    return latch_dynamodb_update(cx,
                                 &(latch_dynamodb_update_request){.table = "orders",
                                                                  .key = key,
                                                                  .update = "SET #paid = :paid",
                                                                  .values = LATCH_VALUES(":paid", latch_bool(true)),
                                                                  .repeatable = true},
                                 NULL);
}

static latch_status fetch(const traced_run *run) {
    latch_fetch_reply reply;
    return latch_fetch(run->cx, &(latch_fetch_request){.url = run->url}, &reply);
}

static latch_status take_step(traced_run *run, latch_str what) {
    if (is(what, "begin")) {
        if (run->depth == DEEPEST) return latch_fail(run->cx, "TooDeep", "too many steps begun");
        run->open[run->depth] = latch_span_begin(run->cx, step_names[run->depth], LATCH_STR(""));
        run->depth++;
        return LATCH_OK;
    }
    if (is(what, "end")) {
        if (run->depth == 0) return latch_fail(run->cx, "NotBegun", "a step ends that was not begun");
        latch_span_end(run->cx, run->open[--run->depth], LATCH_OK);
        return LATCH_OK;
    }
    if (is(what, "fetch")) return fetch(run);
    if (is(what, "fail")) return latch_fail(run->cx, "CardDeclined", "the card was declined");
    return call(run->cx, what);
}

static latch_status traced(latch_ctx *cx, latch_event *event) {
    latch_json body, steps;
    traced_run run = {.cx = cx};
    latch_dynamodb_breaker_reset(cx); /* what failed for the row before says nothing of this one */
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "url", &run.url, "steps", &steps));
    for (latch_each each = latch_each_in(steps); latch_each_next(&each);) {
        latch_str what;
        bool caught;
        LATCH_TRY(latch_read(latch_each_value(&each), "do", &what, "caught", latch_optional(&caught)));
        latch_status status = take_step(&run, what);
        if (status != LATCH_OK && !caught) return status;
    }
    return latch_event_reply(event, latch_object(cx, "done", latch_bool(true)));
}

/* ── counted: {"steps": [{"dimension": "Shop", "value": "x"}, {"set": "Till", "value": "7"}, {"metric": "a", "unit": "Count", "value": 1}, …]} ──── */

/* Names are literals to the metrics: these live as long as the process. */
static const char *keep(latch_str text) {
    static char *kept[NAMES_MAX];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (is(text, kept[i])) return kept[i];
    }
    if (count == NAMES_MAX || (kept[count] = strndup(text.ptr, text.len)) == NULL) abort();
    return kept[count++];
}

static latch_unit unit_of(latch_str name) {
    for (int i = 0; latch_unit_name((latch_unit)i) != NULL; i++) {
        if (is(name, latch_unit_name((latch_unit)i))) return (latch_unit)i;
    }
    abort();
}

static latch_status count_step(latch_ctx *cx, latch_json step) {
    latch_str dimension, set, metric, unit, value;
    if (latch_has(step, "dimension")) {
        LATCH_TRY(latch_read(step, "dimension", &dimension, "value", &value));
        latch_metric_dimension_(cx, keep(dimension), value);
        return LATCH_OK;
    }
    if (latch_has(step, "set")) {
        LATCH_TRY(latch_read(step, "set", &set, "value", &value));
        latch_metric_dimensions_(cx, (latch_pair[]){{keep(set), latch_v_str_(value)}, {NULL, {.kind = LATCH_V_NULL}}});
        return LATCH_OK;
    }
    double number;
    bool high;
    LATCH_TRY(latch_read(step, "metric", &metric, "unit", &unit, "value", &number, "high", latch_optional(&high)));
    latch_metric_(cx, keep(metric), unit_of(unit), number, high);
    return LATCH_OK;
}

static latch_status counted(latch_ctx *cx, latch_event *event) {
    latch_json body, steps;
    LATCH_TRY(latch_event_json(event, &body));
    LATCH_TRY(latch_read(body, "steps", &steps));
    for (latch_each each = latch_each_in(steps); latch_each_next(&each);)
        LATCH_TRY(count_step(cx, latch_each_value(&each)));
    return latch_event_reply(event, latch_object(cx, "done", latch_bool(true)));
}

static const latch_handler handlers[] = {{.name = "traced", .event = traced, .stores = true}, {.name = "counted", .event = counted}};

int main(void) { return LATCH_RUN(handlers); }

#include <stdio.h>
#include <string.h>

#include "runtime/around_private.h"
#include "runtime/event.h"
#include "runtime/http_event.h"
#include "runtime/outcome.h"

struct latch_around_frame { /* of a hook that runs */
    latch_around_last *last;
    size_t at;           /* its place in the entry's list */
    bool called;         /* on */
    latch_status status; /* of what it called, and why that was not LATCH_OK */
    latch_err why;
};

latch_http *latch_call_http(const latch_call *call) { return call->http; }
latch_record *latch_call_record(const latch_call *call) { return call->record; }
latch_event *latch_call_event(const latch_call *call) { return call->event; }
const char *latch_call_handler(const latch_call *call) { return call->handler->name; }
const latch_route *latch_call_route(const latch_call *call) { return call->route; }

/* ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* "POST /orders" */
static bool is_route(const char *text, const latch_route *route) {
    size_t len = strlen(route->method);
    return strncmp(text, route->method, len) == 0 && text[len] == ' ' && strcmp(text + len + 1, route->path) == 0;
}

static bool has_route(const latch_handler *handler, const char *text) {
    for (size_t i = 0; i < handler->route_count; i++) {
        if (is_route(text, &handler->routes[i])) return true;
    }
    return false;
}

#define BAD(...) latch_err_set(&cx->err, LATCH_E_MISUSE, __VA_ARGS__)

latch_status latch_around_check(latch_ctx *cx, const latch_handler *handler) {
    if (handler->around_count > LATCH_AROUND_MAX)
        return BAD("the handler %s has %zu hooks around it, want at most %d", handler->name, handler->around_count, LATCH_AROUND_MAX);
    for (size_t i = 0; i < handler->around_count; i++) {
        const latch_around *hook = &handler->around[i];
        if (hook->run == NULL) return BAD("the handler %s: around[%zu] has no function in .run", handler->name, i);
        if (hook->route != NULL && !has_route(handler, hook->route))
            return BAD("the handler %s: around[%zu].route is \"%.80s\", which is none of its routes", handler->name, i, hook->route);
    }
    return LATCH_OK;
}

/* ── a call ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool has_reply(const latch_call *call) {
    latch_str reply;
    if (call->http != NULL) return latch_http_replied(call->http) != 0;
    return call->event != NULL && latch_event_replied(call->event, &reply);
}

/* What was streamed where nobody streams is a reply as soon as who wrote it has returned: who called it sees it. */
static latch_status collected(latch_call *call, latch_status status) {
    return call->collect != NULL ? call->collect(call, status) : status;
}

static bool applies(const latch_around *hook, const latch_call *call) {
    return hook->route == NULL || (call->route != NULL && is_route(hook->route, call->route));
}

static latch_status run_from(latch_ctx *cx, latch_call *call, size_t at, latch_around_last *last);

static latch_status run_hook(latch_ctx *cx, latch_call *call, size_t at, latch_around_last *last) {
    struct latch_around_frame frame = {.last = last, .at = at}, *outer = call->frame;
    const latch_around *hook = &call->handler->around[at];
    call->frame = &frame;
    latch_status status = collected(call, hook->run(cx, call, hook->arg));
    call->frame = outer;
    if (status != LATCH_OK && frame.called && status == frame.status) cx->err = frame.why;
    if (status != LATCH_OK || frame.called || has_reply(call)) return latch_outcome_check(cx, status);
    return latch_err_set(&cx->err, LATCH_E_MISUSE, "around[%zu] of the handler %s returned LATCH_OK, and neither called on nor replied", at,
                         call->handler->name);
}

/* At most LATCH_AROUND_MAX deep. */
static latch_status run_from(latch_ctx *cx, latch_call *call, size_t at, latch_around_last *last) {
    while (at < call->handler->around_count && !applies(&call->handler->around[at], call))
        at++;
    return at < call->handler->around_count ? run_hook(cx, call, at, last) : latch_outcome_check(cx, collected(call, last(cx, call)));
}

latch_status latch_around_next(latch_ctx *cx, latch_call *call) {
    struct latch_around_frame *frame = call->frame;
    if (frame->called) return latch_err_set(&cx->err, LATCH_E_MISUSE, "a hook around the handler %s called on twice", call->handler->name);
    frame->called = true;
    frame->status = run_from(cx, call, frame->at + 1, frame->last);
    if (frame->status != LATCH_OK) frame->why = cx->err;
    return frame->status;
}

latch_status latch_around_run(latch_ctx *cx, latch_call *call, latch_around_last *last) { return run_from(cx, call, 0, last); }

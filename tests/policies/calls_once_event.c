#include "compose/once_event.h"

#include "core/ctx.h"
#include "runtime/event.h"
#include "runtime/outcome.h"
#include "tests/policies/calls.h"

/* A whole handler, done once: what is measured is all that an invocation of it asks. The handler itself asks nothing. */

static const latch_once_event orders = {.name = "oe", .key = {"id"}},
                              waited_for = {.name = "oe", .key = {"id"}, .wait_ms = LATCH_MINUTE_MS};
static const latch_around once[] = {{LATCH_ONCE_EVENT(&orders)}}, once_waiting[] = {{LATCH_ONCE_EVENT(&waited_for)}};

static latch_status answer(latch_ctx *cx, latch_event *event) { return latch_event_reply(event, latch_object(cx, "receipt", "r")); }

static latch_status refuse(latch_ctx *cx, latch_event *event) {
    (void)event;
    return latch_refuse(cx, LATCH_MISSING, "no such thing");
}

static const latch_handler answers = {.name = "h", .event = answer, LATCH_AROUND(once), .stores = true},
                           waits = {.name = "h", .event = answer, LATCH_AROUND(once_waiting), .stores = true},
                           refuses = {.name = "h", .event = refuse, LATCH_AROUND(once), .stores = true};

static latch_status handle(rig *r, const latch_handler *handler, const char *qty) {
    latch_str reply;
    return latch_event_run(&r->cx, handler, latch_ctx_text(&r->cx, "{\"id\":\"%.*s\",\"qty\":%s}", LATCH_ARG(key), qty), &reply);
}

static latch_status bob_has_handled(void) { return handle(bob, &answers, "1"); }

/* His completion gets no answer, three times: his claim stays, until that comes. */
static latch_status bob_handles(void) {
    bob->faults[1] = bob->faults[2] = bob->faults[3] = LATE;
    return handle(bob, &answers, "1") == LATCH_OK ? LATCH_E_MISUSE : LATCH_OK;
}

static void bob_ends_it(void) { rig_deliver(bob); }

static latch_status once_event(rig *r) { return handle(r, &answers, "1"); }
static latch_status once_event_other(rig *r) { return handle(r, &answers, "2"); }
static latch_status once_event_refusing(rig *r) { return handle(r, &refuses, "1"); }
static latch_status once_event_waiting(rig *r) { return handle(r, &waits, "1"); }
static latch_status once_event_without_key(rig *r) {
    latch_str reply;
    return latch_event_run(&r->cx, &answers, LATCH_STR("{\"qty\":1}"), &reply);
}

const play once_event_plays[] = {
    {CALL(once_event, "the first: the handler runs"), .go = once_event},
    {CALL(once_event, "again: it doesn't"), .prepare = bob_has_handled, .go = once_event},
    {CALL(once_event, "another is at it"), .prepare = bob_handles, .go = once_event, .wants = LATCH_BUSY},
    {CALL(once_event, "again, with another payload"), .prepare = bob_has_handled, .go = once_event_other, .wants = LATCH_MISMATCH},
    {CALL(once_event, "the handler refuses"), .go = once_event_refusing, .wants = LATCH_MISSING},
    {CALL(once_event, "`.wait_ms`, and the other is done within a pause"), .prepare = bob_handles, .go = once_event_waiting,
     .meanwhile = bob_ends_it, .at = 2},
    {CALL(once_event, "no key"), .go = once_event_without_key, .wants = LATCH_E_INPUT},
    {0},
};

#include <inttypes.h>

#include "core/ctx.h"
#include "core/ctx_private.h"
#include "core/node.h"
#include "store/attempts_private.h"
#include "store/paradoxical.h"
#include "store/schema.h"

#define TRIES_MAX 8

/*
 * The whole state is one text, so that it can only be swapped: for another while nobody changed it. `last` is in it, the id of the attempt that
 * wrote it: no two texts are the same, and a refusal that shows ours is our own lost try. LimitedAttempt writes back what it doesn't know.
 */
static const char unchanged[] = "#data = :old";
static const char absent[] = "attribute_not_exists(#data)";

typedef struct call {
    const latch_attempts *policy;
    latch_place place;
    latch_str pk, sk, id;
    int64_t deadline_at_ms;
    bool maybe_applied; /* a try of a write got no answer */
} call;

typedef struct seen {
    latch_str text; /* as it stands; empty: there is none */
    latch_attempt window;
} seen;

static latch_status no_memory(latch_ctx *cx, const call *c) {
    return latch_err_set(&cx->err, LATCH_E_NOMEM, "attempts %s: the arena is full", c->policy->name);
}

static latch_status begin(latch_ctx *cx, const latch_attempts *policy, latch_str key, call *out) {
    const latch_paradoxical_key of = {.store = "attempts", .name = policy->name, .namespaced_bytes = latch_str_of(policy->name).len + 1};
    latch_str sort;
    *out = (call){.policy = policy, .place = latch_paradoxical_place(policy->paradoxical_table)};
    LATCH_TRY(latch_dynamodb_check_table(cx, policy->paradoxical_table));
    LATCH_TRY(latch_paradoxical_split(cx, &of, key, &out->pk, &sort));
    LATCH_TRY(latch_ctx_deadline(cx, policy->timeout_ms, LATCH_TABLE_TIMEOUT_MS, &out->deadline_at_ms));
    out->sk = latch_ctx_text(cx, "%s.%.*s", policy->name, LATCH_ARG(sort));
    out->id = latch_uuid(cx);
    return out->sk.ptr != NULL && out->id.ptr != NULL ? LATCH_OK : no_memory(cx, out);
}

static latch_request request_of(const call *c, latch_operation operation) {
    return (latch_request){
        .operation = operation, .at = &c->place, .pk = c->pk, .sk = c->sk, .deadline_at_ms = c->deadline_at_ms, .repeatable = true};
}

/* What a text says; "data" is what the first attempt of the window was given. */
static latch_status read_item(latch_ctx *cx, const call *c, latch_json item, seen *out, bool *ours) {
    latch_json state;
    latch_str last;
    latch_attempt *w = &out->window;
    *out = (seen){.text = {NULL, 0}};
    *ours = false;
    if (item.node == NULL) return LATCH_OK;
    LATCH_TRY(latch_item_text_or(item, "data", LATCH_STR(""), &out->text));
    if (out->text.len == 0) return LATCH_OK;
    LATCH_TRY(latch_parse_data(cx, "item.data", out->text, &state));
    LATCH_TRY(latch_read(state, "created", latch_range(&w->created_at_ms, 0, LATCH_AT_MS_MAX), "attempts",
                         latch_range(&w->used, 0, INT64_C(1) << 53), "win", latch_optional(&w->window), "last", latch_optional(&last)));
    w->context = latch_node_at(state, "data");
    w->ends_at_ms = w->created_at_ms + c->policy->window_ms + 1; /* LimitedAttempt's windows hold their last millisecond */
    *ours = latch_str_eq(last, c->id);
    return LATCH_OK;
}

static latch_status look(latch_ctx *cx, const call *c, seen *out) {
    latch_request request = request_of(c, LATCH_GET_ITEM);
    latch_json item;
    bool ours;
    LATCH_TRY(latch_table_call(cx, &request, &item));
    return read_item(cx, c, item, out, &ours);
}

/* The state after this attempt, in LimitedAttempt's order. */
static latch_status next_state(latch_ctx *cx, const call *c, const seen *found, int64_t now_ms, latch_json context, seen *out) {
    bool opens = found->text.len == 0 || now_ms >= found->window.ends_at_ms;
    out->window = found->window;
    if (opens) out->window = (latch_attempt){.created_at_ms = now_ms, .context = context};
    if (out->window.window.len == 0) out->window.window = c->id;
    out->window.ends_at_ms = out->window.created_at_ms + c->policy->window_ms + 1;
    out->window.used++;
    const latch_attempt *w = &out->window;
    latch_json state =
        w->context.node == NULL
            ? latch_object(cx, "created", w->created_at_ms, "attempts", w->used, "win", w->window, "last", c->id)
            : latch_object(cx, "created", w->created_at_ms, "data", w->context, "attempts", w->used, "win", w->window, "last", c->id);
    return latch_json_text(cx, state, &out->text);
}

/* Refused: `found` becomes what is there now. *ours: by a try of this very write. */
static latch_status swap(latch_ctx *cx, call *c, const seen *next, seen *found, bool *swapped) {
    latch_request request = request_of(c, LATCH_PUT_ITEM);
    latch_json item;
    bool refused, ours = false;
    request.condition = found->text.len > 0 ? unchanged : absent;
    request.item = LATCH_VALUES("data", next->text);
    request.values = LATCH_VALUES(":old", found->text);
    latch_status status = latch_table_call(cx, &request, &item);
    if (status != LATCH_OK) c->maybe_applied = c->maybe_applied || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    if (refused) LATCH_TRY(read_item(cx, c, item, found, &ours));
    *swapped = !refused || ours;
    return LATCH_OK;
}

static const char *doubt(const call *c) { return c->maybe_applied ? "; a try of this one got no answer and may count" : ""; }

static latch_status used_up(latch_ctx *cx, const call *c, const latch_attempt *window) {
    (void)latch_err_set(&cx->err, LATCH_LIMITED, "%.*s %.*s: %" PRId64 " attempts of %" PRIu32 " used, again at %" PRId64 " ms%s",
                        LATCH_ARG(c->pk), LATCH_ARG(c->sk), window->used, c->policy->max, window->ends_at_ms, doubt(c));
    cx->err.retry_at_ms = window->ends_at_ms;
    return LATCH_LIMITED;
}

static latch_status changed(latch_ctx *cx, const call *c) {
    return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s %.*s: changed by others before each of %d tries%s", LATCH_ARG(c->pk),
                         LATCH_ARG(c->sk), TRIES_MAX, doubt(c));
}

static latch_status count(latch_ctx *cx, call *c, latch_json context, latch_attempt *out) {
    seen found, next;
    LATCH_TRY(look(cx, c, &found));
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        int64_t now_ms = latch_now_ms(cx);
        bool swapped, open = found.text.len > 0 && now_ms < found.window.ends_at_ms;
        if (open && found.window.used >= c->policy->max) {
            *out = found.window;
            return used_up(cx, c, out);
        }
        LATCH_TRY(next_state(cx, c, &found, now_ms, context, &next));
        LATCH_TRY(swap(cx, c, &next, &found, &swapped));
        if (!swapped) continue;
        *out = next.window;
        return LATCH_OK;
    }
    return changed(cx, c);
}

latch_status latch_attempts_take_shared(latch_ctx *cx, const latch_attempts *policy, latch_str key, latch_json context,
                                        latch_attempt *out) {
    call c;
    LATCH_TRY(begin(cx, policy, key, &c));
    latch_status status = count(cx, &c, context, out);
    if (status != LATCH_OK && c.maybe_applied) cx->err.maybe_applied = true;
    return status;
}

/* One deletion of what was seen, by its text. *gone: applied, or there is none. */
static latch_status drop(latch_ctx *cx, call *c, seen *found, bool *gone) {
    latch_request request = request_of(c, LATCH_DELETE_ITEM);
    latch_json item;
    bool refused, ours;
    request.condition = unchanged;
    request.values = LATCH_VALUES(":old", found->text);
    latch_status status = latch_table_call(cx, &request, &item);
    if (status != LATCH_OK) c->maybe_applied = c->maybe_applied || cx->err.maybe_applied;
    LATCH_TRY_BUT(LATCH_CONFLICT, refused, status);
    *gone = !refused || item.node == NULL;
    return *gone ? LATCH_OK : read_item(cx, c, item, found, &ours);
}

static latch_status clear(latch_ctx *cx, call *c, latch_str window) {
    seen found;
    bool gone;
    LATCH_TRY(look(cx, c, &found));
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (found.text.len == 0) return LATCH_OK;
        if (!latch_str_eq(found.window.window, window))
            return latch_err_set(&cx->err, LATCH_CONFLICT, "%.*s %.*s: is in another window than the one to clear%s", LATCH_ARG(c->pk),
                                 LATCH_ARG(c->sk), c->maybe_applied ? "; a try got no answer and may have cleared that one" : "");
        LATCH_TRY(drop(cx, c, &found, &gone));
        if (gone) return LATCH_OK;
    }
    return changed(cx, c);
}

latch_status latch_attempts_clear_shared(latch_ctx *cx, const latch_attempts *policy, latch_str key, const latch_attempt *attempt) {
    call c;
    LATCH_TRY(begin(cx, policy, key, &c));
    latch_status status = clear(cx, &c, attempt->window);
    if (status != LATCH_OK) cx->err.maybe_applied = c.maybe_applied;
    return status;
}

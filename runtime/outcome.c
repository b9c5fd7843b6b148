#include "runtime/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/scope.h"
#include "runtime/api.h"
#include "runtime/around_private.h"
#include "runtime/batch.h"
#include "runtime/route.h"

latch_status latch_outcome_check(latch_ctx *cx, latch_status status) {
    if (status == LATCH_OK || status == cx->err.status) return status;
    return latch_err_set(&cx->err, LATCH_E_MISUSE,
                         "the handler returned %d, which is not the status of the last call in it that failed: return that one, or end "
                         "with latch_fail or latch_refuse",
                         (int)status);
}

bool latch_outcome_is_skipped(const latch_handler *handler, latch_status status) {
    return status != LATCH_OK && status == handler->skip_if;
}

latch_status latch_outcome_skipped(latch_ctx *cx, latch_str *reply) {
    return latch_json_text(cx, latch_object(cx, "skipped", cx->err.message), reply);
}

latch_status latch_outcome_fits(latch_ctx *cx, latch_str reply) {
    if (reply.len <= LATCH_API_PAYLOAD_MAX_BYTES) return LATCH_OK;
    (void)latch_err_set(&cx->err, LATCH_E_HANDLER, "the response has %zu bytes, Lambda takes at most %zu", reply.len,
                        LATCH_API_PAYLOAD_MAX_BYTES);
    snprintf(cx->err.type, sizeof cx->err.type, "ResponseSizeTooLarge");
    return LATCH_E_HANDLER;
}

void latch_outcome_log(latch_ctx *cx, const char *message, const latch_outcome_record *record) {
    latch_level level = latch_is_refusal(cx->err.status) && record != NULL ? LATCH_WARN : LATCH_ERROR;
    latch_pair pairs[] = {
        {"errorType", latch_v_cstr_(cx->err.type)},
        {"errorMessage", latch_v_cstr_(cx->err.message)},
        {"stackTrace", latch_v_json_(latch_array(cx))},
        {record != NULL ? "record" : NULL, latch_v_cstr_(record != NULL ? record->place : NULL)},
        {"recordId", latch_v_str_(record != NULL ? record->id : LATCH_STR(""))},
        {NULL, {LATCH_V_NULL, {.i = 0}}},
    };
    latch_log_(cx, level, message, pairs);
}

latch_status latch_outcome_run(latch_ctx *cx, const latch_handler *handler, latch_str bytes, latch_str *reply) {
    if (handler->event != NULL) return latch_event_run(cx, handler, bytes, reply);
    if (handler->record != NULL) return latch_batch_run(cx, handler, bytes, reply);
    return latch_http_run(cx, handler, bytes, reply);
}

/* ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────── */

#define BAD(...) latch_err_set(&cx->err, LATCH_E_MISUSE, __VA_ARGS__)

static latch_status check_entry(latch_ctx *cx, const latch_handler *handlers, size_t i) {
    const latch_handler *h = &handlers[i];
    int kinds = (h->event != NULL) + (h->http != NULL) + (h->record != NULL) + (h->routes != NULL);
    if (h->name == NULL || *h->name == '\0') return BAD("handlers[%zu] has no name", i);
    if (kinds == 0) return BAD("the handler %s has no function: one of .event, .http, .record and LATCH_ROUTES is wanted", h->name);
    if (kinds > 1) return BAD("the handler %s has %d of .event, .http, .record and LATCH_ROUTES, want one", h->name, kinds);
    if (h->skip_if != LATCH_OK && !latch_is_refusal(h->skip_if))
        return BAD("the handler %s: .skip_if is %d, want a refusal such as LATCH_HELD", h->name, (int)h->skip_if);
    if (h->batch != NULL && h->record == NULL) return BAD("the handler %s has a .batch, and no .record", h->name);
    if (h->batch != NULL && h->batch->receives_max < 0)
        return BAD("the handler %s: .batch->receives_max is %" PRId64 ", want 0 or more", h->name, h->batch->receives_max);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(handlers[k].name, h->name) == 0) return BAD("two handlers are called %s", h->name);
    }
    if (h->routes != NULL) LATCH_TRY(latch_route_check(cx, h));
    return latch_around_check(cx, h);
}

static latch_status no_such_name(latch_ctx *cx, const latch_handler *handlers, size_t count, const char *name) {
    char known[160] = "";
    size_t len = 0;
    for (size_t i = 0; i < count && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "", handlers[i].name);
    if (len >= sizeof known) memcpy(known + sizeof known - 4, "…", 4);
    if (name == NULL || *name == '\0') return BAD("_HANDLER is not set; the handlers are: %s", known);
    return BAD("_HANDLER is \"%.60s\"; the handlers are: %s", name, known);
}

latch_status latch_outcome_choose(latch_ctx *cx, const latch_handler *handlers, size_t count, const char *name, const latch_handler **out) {
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        latch_status status = check_entry(cx, handlers, i);
        if (status != LATCH_OK) snprintf(cx->err.type, sizeof cx->err.type, "Runtime.BadHandlerTable");
        LATCH_TRY(status);
    }
    for (size_t i = 0; i < count; i++) {
        if (name != NULL && strcmp(handlers[i].name, name) == 0) *out = &handlers[i];
    }
    if (*out != NULL) return LATCH_OK;
    (void)no_such_name(cx, handlers, count, name);
    snprintf(cx->err.type, sizeof cx->err.type, "Runtime.HandlerNotFound");
    return LATCH_E_MISUSE;
}

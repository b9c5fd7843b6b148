/*
 * runtime/around.h - hooks around a handler: logs, metrics, who may come in, idempotency of a whole handler (compose/once_event.h).
 *
 *     static latch_status customers_only(latch_ctx *cx, latch_call *call, const void *arg) {
 *         latch_http *http = latch_call_http(call);
 *         (void)arg;
 *         if (latch_http_header(http, "x-customer").len == 0) return latch_http_refuse(http, 401, "who are you?");
 *         return latch_around_next(cx, call);
 *     }
 *
 *     static const latch_around around[] = {{.run = log_it}, {.run = customers_only, .route = "POST /orders"}};
 *     static const latch_handler handlers[] = {{.name = "api", LATCH_ROUTES(shop), LATCH_AROUND(around)}};
 *
 * The first hook is the outermost: it runs first, what it does after latch_around_next comes last, and the status that it returns is the
 * one that counts, for .skip_if too. In a batch the hooks run around each record. Around routes they run with the route found and its
 * {name}s read; the ones without a .route also where no route was found (the 404 or 405 is what they see), so that CORS or a log line is one
 * hook.
 *
 * What a hook may do
 *   call on           latch_around_next runs the next hook, or the handler, and returns its status. Once: a second call runs nothing
 *   not call on       by a reply and LATCH_OK, or by any other status: a refusal is answered as if the handler had said it, a failure of the
 *                     hook is a failure of the invocation. LATCH_OK with neither a call nor a reply is a LATCH_E_MISUSE error, for a record
 *                     always: its message would be lost. What is dropped on purpose is refused: latch_refuse(cx, LATCH_SEEN, …)
 *   look              at the reply (latch_http_replied, latch_event_replied) and the error (latch_error) after it called on
 *   change the reply  by another one, or by headers; or turn a status into a reply and LATCH_OK
 *   fail afterwards   by a status of its own, which takes the place of the handler's. To return what latch_around_next returned is to return
 *                     its error too, whatever was called in between
 *
 * cx is the handler's own: one arena, one deadline, one scope. A lock that a hook takes is held until the invocation, or the record, ends.
 * A hook costs nothing where there is none, and a call else.
 */
#ifndef LATCH_RUNTIME_AROUND_H
#define LATCH_RUNTIME_AROUND_H

#include "runtime/handler.h"

LATCH_BEGIN_C

/* LATCH_E_MISUSE where this hook has called on before; else what the rest returned. */
LATCH_NODISCARD latch_status latch_around_next(latch_ctx *cx, latch_call *call) LATCH_NONNULL;

/* What came in; NULL where the handler is of another kind. */
latch_http *latch_call_http(const latch_call *call) LATCH_NONNULL; /* .http and routes */
latch_record *latch_call_record(const latch_call *call) LATCH_NONNULL;
latch_event *latch_call_event(const latch_call *call) LATCH_NONNULL;

const char *latch_call_handler(const latch_call *call) LATCH_NONNULL;      /* the entry's name */
const latch_route *latch_call_route(const latch_call *call) LATCH_NONNULL; /* that was found; NULL: none, or the entry has none */

LATCH_END_C

#endif

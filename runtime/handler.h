/*
 * runtime/handler.h - the table of handlers: which function runs when _HANDLER says a name.
 *
 *     static const latch_route shop[] = {{"GET", "/products/{sku}", get_product}, {"POST", "/checkout", checkout}};
 *     static const latch_handler handlers[] = {{.name = "api", LATCH_ROUTES(shop), .stores = true}, {.name = "orders", .record = on_order}};
 *     int main(void) { return LATCH_RUN(handlers); }
 *
 * A function of the wrong kind in a slot doesn't compile. What the compiler can't see is looked at before the first event: an entry without
 * a function or with two, a name that comes twice, a route that can't be read or that two entries claim, a hook without a function or around a
 * route that isn't there. Each is an init error that names the entry.
 *
 * What becomes of the status that leaves a function:
 *
 *                              event                  http, routes                          record
 *   LATCH_OK                   its reply, else null   its reply; none is a Misuse error     done
 *   .skip_if                   {"skipped": why}       200 {"skipped": why}                  done
 *   LATCH_SEEN, LATCH_UNDONE   error                  409                                   done
 *   another refusal            error                  404, 409, 422, 429 (core/status.h)    failed, comes again
 *   LATCH_E_INPUT              error                  400                                   failed, comes again
 *   another failure            error                  error                                 failed, comes again
 *   a status that no call gave LATCH_E_MISUSE, which is an error
 *
 * "error": the invocation fails with type and message; one ERROR record is logged. With hooks around it (.around), the status is the one that
 * leaves the first of them.
 */
#ifndef LATCH_RUNTIME_HANDLER_H
#define LATCH_RUNTIME_HANDLER_H

#include "core/status.h"

LATCH_BEGIN_C

typedef struct latch_http latch_http;     /* an HTTP request and its reply (runtime/http_event.h) */
typedef struct latch_record latch_record; /* one record of an SQS, Kinesis or DynamoDB Streams batch; it has no reply (runtime/record.h) */
typedef struct latch_event latch_event;   /* any event and its reply (runtime/event.h) */

typedef latch_status latch_http_fn(latch_ctx *cx, latch_http *http);
typedef latch_status latch_record_fn(latch_ctx *cx, latch_record *record);
typedef latch_status latch_event_fn(latch_ctx *cx, latch_event *event);

/* A hook, which runs around a handler: before it, after it, or instead of it. runtime/around.h says how. */
typedef struct latch_call latch_call; /* of a handler, as its hooks see it */
typedef latch_status latch_around_fn(latch_ctx *cx, latch_call *call, const void *arg);

typedef struct latch_around {
    latch_around_fn *run;
    const void *arg;   /* what it gets; constant, or of the process */
    const char *route; /* "POST /orders", as it stands in the entry's routes: around this one alone; NULL: around all that the entry does */
} latch_around;
#define LATCH_AROUND_MAX 16 /* of an entry */

/*
 * A path is matched segment by segment; of several that match, the more literal one wins, whatever their order.
 *   /products/{sku}   {sku} is one segment, never empty, percent-decoded
 *   /files/{path+}    {path+} is all the rest, at least one segment, decoded too; it comes last
 * A slash at the end of the request's path doesn't matter. Paths compare with case.
 * No path matches: 404. A path does, its methods don't: 405 with Allow. HEAD without a route of its own runs GET's, and its body is left
 * out. OPTIONS is a method like any other.
 */
typedef struct latch_route {
    const char *method; /* "GET"; "ANY": each that has no route of its own */
    const char *path;   /* "/products/{sku}" */
    latch_http_fn *run;
} latch_route;

typedef struct latch_handler {
    const char *name;      /* what _HANDLER says */
    latch_event_fn *event; /* exactly one of event, http, routes and record */
    latch_http_fn *http;
    latch_record_fn *record;
    const latch_route *routes;
    size_t route_count;
    const latch_around *around; /* hooks, the first one outermost; see LATCH_AROUND */
    size_t around_count;
    const struct latch_batch *batch;     /* of records: what becomes of a batch (runtime/batch.h); NULL: as runtime/record.h says */
    latch_status skip_if;                /* this refusal ends the invocation, or the record, well; 0: none */
    latch_status (*init)(latch_ctx *cx); /* once, before the first event; what it allocates lives as long as the process; NULL: nothing */
    bool stores;                         /* it uses stores: where none can be had, that is an init error */
} latch_handler;
#define LATCH_ROUTES(a) .routes = (a), .route_count = sizeof(a) / sizeof((a)[0])
#define LATCH_AROUND(a) .around = (a), .around_count = sizeof(a) / sizeof((a)[0])

LATCH_END_C

#endif

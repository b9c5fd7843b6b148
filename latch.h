/*
 * latch.h - what a handler author includes.
 *
 * The whole idea in six sentences:
 *  1. A handler is a function of the context `cx` and of what came in (latch_http, latch_record, latch_event); it returns a status.
 *  2. Whatever can fail returns latch_status and the compiler insists that you look; LATCH_TRY(call) ends the function with it.
 *  3. A status is LATCH_OK, a refusal (the store worked and said no: LATCH_HELD, LATCH_LIMITED, …) or a failure (LATCH_E_…); whichever
 *     leaves the handler, the runtime turns into what the caller should see.
 *  4. Stores are constants at the top of your file: a name and a policy; a call is (cx, &store, key, …, &out).
 *  5. What is built (latch_object, latch_key, headers) never fails in your face: it carries its error to the call that uses it.
 *  6. What you get through cx lives until the handler (in a batch: the record) ends; locks are released then too. You free nothing.
 */
#ifndef LATCH_H
#define LATCH_H

#include "compose/once_event.h"
#include "compose/record_image.h"
#include "core/ctx.h"
#include "core/http.h"
#include "core/json.h"
#include "core/pairs.h"
#include "core/span.h"
#include "core/status.h"
#include "core/words.h"
#include "runtime/around.h"
#include "runtime/batch.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/handler.h"
#include "runtime/http_event.h"
#include "runtime/lifecycle.h"
#include "runtime/metrics.h"
#include "runtime/record.h"
#include "runtime/stream.h"
#include "store/adaptive.h"
#include "store/attempts.h"
#include "store/bulk.h"
#include "store/cache.h"
#include "store/cooldown.h"
#include "store/counter.h"
#include "store/dedupe.h"
#include "store/dynamodb.h"
#include "store/items.h"
#include "store/kv.h"
#include "store/layouts.h"
#include "store/lock.h"
#include "store/map.h"
#include "store/naming.h"
#include "store/once.h"
#include "store/parallel.h"
#include "store/pkv.h"
#include "store/rate.h"
#include "store/saga.h"
#include "store/saga_run.h"
#include "store/sets.h"
#include "store/sweep.h"
#include "store/tables.h"
#include "store/transact.h"
#include "store/tree.h"
#include "store/work.h"
#include "store/writer.h"

LATCH_BEGIN_C

/*
 * Runs until the process ends: reads the environment, opens the stores, runs the handler's init and polls for events.
 * 1: it could not start (_HANDLER names none of the handlers, which are listed; a store can't be opened; init failed): the service is told.
 */
#define LATCH_RUN(table) latch_run((table), sizeof(table) / sizeof((table)[0])) /* of an array: a pointer is -Wsizeof-pointer-div */
int latch_run(const latch_handler *handlers, size_t n);

LATCH_END_C

#endif

/*
 * compose/once_event.h - idempotency of a whole handler: the event of one key is handled once, and whoever comes again is answered what was
 * answered then. A hook (runtime/around.h) on do-once (store/once.h).
 *
 *     static const latch_once_event orders = {.name = "order", .key = {"headers.Idempotency-Key"}, .keep_ms = LATCH_DAY_MS};
 *     static const latch_around around[] = {{LATCH_ONCE_EVENT(&orders), .route = "POST /orders"}};
 *     static const latch_handler handlers[] = {{.name = "api", LATCH_ROUTES(shop), LATCH_AROUND(around), .stores = true}};
 *
 * Its promise is do-once's: one key is completed once while its record lives; a handler that crashed or ran out of time is started again only
 * after its in-progress time, or at once where it said that it failed, and then latch_takeovers tells. Nothing can make what it does outside
 * of the table happen exactly once.
 *
 * What the caller sees, of HTTP, of an event, and what becomes of a record:
 *   first                     the handler's reply                                        as the handler says
 *   again                     the same, with the header idempotent-replayed: true        done
 *   meanwhile                 409 with Retry-After; LATCH_BUSY                           comes again
 *   another payload           422; LATCH_MISMATCH                                        comes again
 *   no key                    400 that names it; LATCH_E_INPUT                           comes again; with .key_is_optional: is handled as if
 *                                                                                        there were no hook
 *   again, not kept           409; LATCH_SEEN: it is done, and its reply was too long    done
 *   the handler failed        as without the hook; nothing is kept
 *
 * What is kept: of HTTP the status, the headers and cookies that were set within this hook, and the body; of an event its reply, which is
 * UTF-8. A header that an outer hook sets is that hook's, each time anew. A reply with a status of 400 or more is an error and isn't kept:
 * after 4xx as if the event had never come, after 5xx with takeovers, as something may be half done. So is a status that isn't LATCH_OK, the
 * entry's .skip_if too, by the rules of latch_once_do. A reply of over LATCH_ONCE_RESPONSE_MAX_BYTES of JSON goes out and isn't kept, which
 * is logged. A stream is collected first: what streams can't be replayed.
 *
 * Paths are those of latch_read, from the event's own top ("detail.order_id", "requestContext.authorizer.jwt.claims.sub"), but
 *   headers.NAME   of HTTP: the header, without case, in whatever form the event came
 *   body, body.…   of HTTP and of a record: its body read as JSON (kinesis.data, the dynamodb object); "body" alone is all of it
 * and a record's begin at the record ("messageId", "attributes.MessageGroupId"). A key's values are text or whole numbers; several make one
 * key by latch_key.
 * Whoever knows a key is answered what is kept under it: where keys are the clients' own choice, put who they are in front.
 *
 * Item and requests are do-once's: 2 requests where it is handled, 1 where it was. The name is do-once's too: one of each name.
 * Source: AWS Lambda Powertools' idempotency (its decorator's states and defaults), the IETF draft of the Idempotency-Key header (409, 422).
 */
#ifndef LATCH_COMPOSE_ONCE_EVENT_H
#define LATCH_COMPOSE_ONCE_EVENT_H

#include "runtime/around.h"
#include "store/once.h"

LATCH_BEGIN_C

#define LATCH_ONCE_EVENT_PATHS 6

typedef struct latch_once_event {
    const char *name;                        /* as latch_once's; required */
    const char *key[LATCH_ONCE_EVENT_PATHS]; /* what makes two events one; at least one */
    const char
        *validate[LATCH_ONCE_EVENT_PATHS]; /* what of them must be the same, null where it isn't there; none: of HTTP the method, path,
                                                     query and body, of a record its content, else the whole event */
    bool key_is_optional;                  /* an event without one of the key's values is handled each time; false: it is refused */
    int64_t keep_ms;                       /* how long it is replayed; as latch_once's, as are the next three. 0: 1 hour */
    int64_t in_progress_ms;                /* after it another may start; 0: until the deadline */
    int64_t wait_ms;                       /* for another's reply before LATCH_BUSY; 0: don't */
    int64_t timeout_ms;                    /* of one request; 0: 2 s */
} latch_once_event;

/*
 * The hook. What it returns beyond the handler's statuses, as latch_once_do: LATCH_BUSY, LATCH_MISMATCH, LATCH_SEEN, LATCH_E_INPUT (no key, or
 * a body that is no JSON where a path leads into it), LATCH_CONFLICT (the handler ran, and another owner had taken over meanwhile: its reply is
 * the one that counts), LATCH_E_MISUSE (a bad policy; the entry has no .stores), LATCH_E_NOMEM, and what DynamoDB says.
 */
latch_around_fn latch_once_event_run;

#ifdef __cplusplus
#define LATCH_ONCE_EVENT(policy) .run = latch_once_event_run, .arg = (policy)
#else
#define LATCH_ONCE_EVENT(policy) .run = latch_once_event_run, .arg = _Generic((policy), const latch_once_event * : (policy))
#endif

/* Within such a hook: over 0 where an earlier handler of this key ran out of time or failed half way: look at what it did already. */
uint32_t latch_takeovers(const latch_ctx *cx) LATCH_NONNULL;

LATCH_END_C

#endif

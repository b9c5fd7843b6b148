/*
 * store/dynamodb/dynamodb.h - DynamoDB over HTTP(S): a transport (store/transport.h) of one connection that stays open between calls.
 *
 *     latch_dynamodb *d;
 *     LATCH_TRY(latch_dynamodb_open(&d, &(latch_dynamodb_options){.settings = &settings, .clock = clock}, &err));
 *     latch_dynamodb_warm(d, deadline_at_ms);
 *     client.transport = latch_dynamodb_transport(d);
 *
 * Each request is signed (sigv4.h) with what credentials.h gives, goes out once over an HTTP/1.1 connection that libcurl made (names,
 * proxies, TLS), and is framed here (core/wire.h): a failed condition, or any 4xx, leaves the connection open. Before a request is spent on
 * a kept connection it is looked at: one that the other side has closed is replaced first, within the same call. TLS 1.2 or later, peer and
 * host are always verified; there is no switch to turn that off.
 */
#ifndef LATCH_STORE_DYNAMODB_DYNAMODB_H
#define LATCH_STORE_DYNAMODB_DYNAMODB_H

#include "core/clock.h"
#include "store/dynamodb/contact.h"
#include "store/dynamodb/settings.h"
#include "store/transport.h"

#define LATCH_DYNAMODB_IDLE_MS INT64_C(5000) /* a connection that was used no later than so long ago isn't in doubt */

typedef struct latch_dynamodb latch_dynamodb;

typedef struct latch_dynamodb_options {
    const latch_settings *settings;        /* borrowed; outlives it */
    struct latch_credentials *credentials; /* where keys come from; borrowed; shared by the connections of one client */
    latch_clock clock;                     /* of deadlines; where it is `skew`'s, answers correct it */
    struct latch_skew *skew;               /* learns from each answer's Date (skew.h); NULL: Date is ignored, as a test's clock must */
} latch_dynamodb_options;

/* No request, no connection. LATCH_E_NOMEM; LATCH_E_MISUSE: a CA file that can't be read, an endpoint that is no URL. */
LATCH_NODISCARD latch_status latch_dynamodb_open(latch_dynamodb **out, const latch_dynamodb_options *options, latch_err *err);
void latch_dynamodb_close(latch_dynamodb *d); /* NULL: nothing. Wipes what it has of the keys */

/*
 * Connects, shakes hands, and asks for `/`, whose answer brings the first Date. For initialisation, where a failure costs nothing: what
 * fails here is told by the first call that needs it. The error is for the log.
 */
latch_status latch_dynamodb_warm(latch_dynamodb *d, int64_t deadline_at_ms, latch_err *err);

/*
 * One thread; `more` opens another connection with the same options: keys, clock and `skew` are shared, and whatever is asked of them is
 * thread-safe. `close` is latch_dynamodb_close: of the first one, whoever opened it calls either, once.
 *
 * An answer takes its length and its headers' of the arena, and nothing else. What a call can end with, beside transport.h's words:
 *   LATCH_E_NETWORK  names, connecting, TLS (expired, wrong host, unknown CA, protocol version), a proxy; an answer that was cut, is no HTTP,
 *                    or isn't what x-amz-crc32 says. The message begins with the operation and says at what, and what to do
 *   LATCH_E_TIMEOUT  resolving, connecting, shaking hands, sending, waiting, reading: after how long
 *   LATCH_E_NOMEM    the arena has no room for a head: nothing was sent; or for the answer: it was, and the connection goes on
 *   LATCH_E_DENIED, LATCH_E_MISUSE and the others of latch_credentials_get: nothing was sent
 * maybe_applied is false where no byte of the request was sent. Keys that an answer refuses are told to their source.
 */
latch_transport latch_dynamodb_transport(latch_dynamodb *d);

typedef struct latch_dynamodb_stats {
    uint64_t connections; /* opened: with TLS, those that shook hands */
    uint64_t requests;    /* of which at least a byte was sent; warming's too */
} latch_dynamodb_stats;
latch_dynamodb_stats latch_dynamodb_measure(const latch_dynamodb *d);
latch_contact latch_dynamodb_contact(const latch_dynamodb *d); /* of the connection that is open now */

#endif

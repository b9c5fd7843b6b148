/*
 * api.h - the Lambda Runtime API, the service's side: one server for one function's process.
 *
 * Source: contracts/runtime-api.md; statuses and bodies as AWS's emulator (aws-lambda-rie of SAM CLI 1.170.0) was seen to answer, both of
 * its halves:
 *
 *                              one at a time                         several at once (concurrency > 1)
 *   over                       when the next event is asked for      with its outcome
 *   /next without an outcome   the same event again                  another one, or it waits
 *   a second outcome           403 InvalidStateTransition            400 InvalidRequestID
 *   a late outcome             the process was killed                410 InvokeTimeout
 *   an unknown response mode   400, and nothing more is taken until  400, and the caller gets
 *                              the deadline                          Runtime.InvalidResponseModeHeader at once
 *   Invocation-Id              none                                  sent; another one coming back is a 410, none is taken
 *
 * Any answer is kept as it was sent. The first one that is accepted stands.
 */
#ifndef LATCH_LOCAL_API_H
#define LATCH_LOCAL_API_H

#include "invocation.h"
#include "server.h"

#define LATCH_STREAM_BYTES ((size_t)200 * 1024 * 1024) /* the most that Lambda takes of a streamed response */

typedef struct latch_api latch_api;

/* What an invocation tells its function beside its event. */
typedef struct latch_api_caller {
    const char *tenant_id, *client_context, *cognito_identity; /* NULL: not sent */
    bool sampled;                                              /* in the trace header */
} latch_api_caller;

typedef struct latch_api_config {
    const char *function_arn, *function_name, *handler;
    size_t concurrency; /* events that may be handed out at once; 0 and 1: one */
    bool snapstart;     /* /restore/next, /restore/error and credentials are there */
    bool throttle;      /* streams: 6 MiB at once, then 2 MiB/s */
    latch_api_caller caller;
    const latch_fault_plan *faults; /* NULL: none */
    void (*on_next)(void *arg);     /* the process waits for an event; one at a time: what it was given before is over */
    void (*on_answer)(void *arg, latch_invocation *inv);                      /* it has its outcome */
    void (*on_init_error)(void *arg, latch_buffer body, const char *type);    /* the body is the callee's; type: as in error_type */
    void (*on_restore_error)(void *arg, latch_buffer body, const char *type); /* the same, of /restore/error */
    void (*on_snapshot)(void *arg);                                           /* it waits in /restore/next: latch_api_restore lets it go */
    void (*on_fatal)(void *arg, latch_invocation *inv);                       /* `inv`'s request was answered 500: the process is to end */
    void (*on_complaint)(void *arg, latch_invocation *inv, const char *what); /* what no runtime may do; inv NULL: it is over */
    void (*on_registered)(void *arg, const char *extension);                  /* it will hear SIGTERM */
    void *arg;
} latch_api_config;

latch_status latch_api_start(latch_loop *loop, const latch_api_config *config, latch_api **out, latch_err *err);
void latch_api_stop(latch_api *api);
uint16_t latch_api_port(const latch_api *api);
const char *latch_api_token(const latch_api *api); /* of the credentials' endpoint, LATCH_API_CREDENTIALS on the same port */
#define LATCH_API_CREDENTIALS "/2021-04-23/credentials"

void latch_api_begin(latch_api *api);               /* a new process: nothing current, nobody waits, nothing is registered */
bool latch_api_is_waiting(latch_api *api);          /* a process has asked for an event and is still there */
bool latch_api_has_extension(const latch_api *api); /* an internal extension is registered */

/*
 * Hands `inv` to the process that waits. deadline_ms: since the epoch. It stays current until latch_api_release. Its event and its sink
 * stay where they are until then.
 */
void latch_api_give(latch_api *api, latch_invocation *inv, int64_t deadline_ms);

bool latch_api_is_over(const latch_api *api, latch_str id); /* it was handed out, and is over: one of the last 256 of them */

/* It is over: an outcome that comes later is late. A stream that isn't ends, with inv's error. */
void latch_api_release(latch_api *api, latch_invocation *inv);

void latch_api_restore(latch_api *api); /* answers /restore/next */

/* The type that the service keeps of an error's header: what of it has the form Function.Name or Runtime.Name, else its Unknown. */
void latch_api_error_type(const char *header, char *out, size_t cap);

#endif

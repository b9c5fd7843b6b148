/*
 * api.h - the Lambda Runtime API, the service's side: one server for one function's process, one invocation at a time.
 *
 * Source: contracts/runtime-api.md; statuses and bodies as AWS's emulator (aws-lambda-rie of SAM CLI 1.170.0) was seen to answer.
 * Any answer is kept as it was sent. The first one that is accepted stands; an invocation is over when the process asks for the next.
 */
#ifndef LATCH_LOCAL_API_H
#define LATCH_LOCAL_API_H

#include "invocation.h"
#include "server.h"

typedef struct latch_api latch_api;

typedef struct latch_api_config {
    const char *function_arn;
    void (*on_next)(void *arg);   /* the process waits for an event; what it was given before is over */
    void (*on_answer)(void *arg); /* the current invocation has its outcome */
    void (*on_init_error)(void *arg, latch_buffer body, const char *type); /* the body is the callee's; type: as in error_type */
    void *arg;
} latch_api_config;

latch_status latch_api_start(latch_loop *loop, const latch_api_config *config, latch_api **out, latch_err *err);
void latch_api_stop(latch_api *api);
uint16_t latch_api_port(const latch_api *api);

void latch_api_begin(latch_api *api);      /* a new process: nothing current, nobody waits */
bool latch_api_is_waiting(latch_api *api); /* a process has asked for an event and is still there */

/* Hands `inv` to the process that waits. deadline_ms: since the epoch. `inv` stays current until on_next or latch_api_begin. */
void latch_api_give(latch_api *api, latch_invocation *inv, int64_t deadline_ms);

/* The type that the service keeps of an error's header: what of it has the form Function.Name or Runtime.Name, else its Unknown. */
void latch_api_error_type(const char *header, char *out, size_t cap);

#endif

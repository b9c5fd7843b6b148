/*
 * runtime/failure.h - an error as the service wants to hear it: a body, a type and a cause for X-Ray. In memory of its own, because an
 * invocation that failed may have filled its arena.
 */
#ifndef LATCH_RUNTIME_FAILURE_H
#define LATCH_RUNTIME_FAILURE_H

#include "core/status.h"

/* A message has at most 255 bytes, and each may take six when it is escaped. */
#define LATCH_FAILURE_BODY_BYTES 2048
#define LATCH_FAILURE_CAUSE_BYTES 4096

typedef struct latch_failure {
    char type[64];                         /* of the header: "Function.CardDeclined"; a type that says "Runtime." itself stays */
    char body[LATCH_FAILURE_BODY_BYTES];   /* {"errorMessage","errorType","stackTrace":[]}; errorType is the bare one */
    char cause[LATCH_FAILURE_CAUSE_BYTES]; /* X-Ray's, pure ASCII on one line; empty when it would be too long for the service */
} latch_failure;

/* From the error alone: bytes that are no UTF-8 become U+FFFD. */
void latch_failure_of(const latch_err *err, latch_failure *out);

#endif

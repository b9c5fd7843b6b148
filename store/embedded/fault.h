/* store/embedded/fault.h - how the engine says no: AWS's exception name and text, which become an answer of HTTP 400 (or 500). */
#ifndef LATCH_STORE_EMBEDDED_FAULT_H
#define LATCH_STORE_EMBEDDED_FAULT_H

#include "core/arena.h"
#include "core/status.h"

typedef struct latch_fault {
    const char *name;  /* "ValidationException"; NULL: no fault */
    latch_str message; /* in the arena; DynamoDB's own text */
} latch_fault;

/* Sets *fault (the first one stands) and returns false: return latch_fault_set(fault, arena, "ValidationException", "…", …); */
bool latch_fault_set(latch_fault *fault, latch_arena *arena, const char *name, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A ValidationException. */
bool latch_invalid(latch_fault *fault, latch_arena *arena, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* LATCH_E_NOMEM in disguise: the arena is full. Its name is "Arena", and the transport turns it into LATCH_E_NOMEM. */
bool latch_fault_full(latch_fault *fault);

#endif

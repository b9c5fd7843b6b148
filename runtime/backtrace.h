/*
 * runtime/backtrace.h - where a thread is: its frames and their functions' names, taken from a signal handler. System calls and plain memory only:
 * no malloc, no stdio, no lock. One trace at a time: it stays until the next is taken.
 *
 * Names come from the executable's symbol table, static functions included; of a stripped file, from what it exports; without either, an
 * offset for addr2line stays: "bootstrap+0x41c3".
 */
#ifndef LATCH_RUNTIME_BACKTRACE_H
#define LATCH_RUNTIME_BACKTRACE_H

#include "core/text.h"

#define LATCH_BACKTRACE_MAX 40
#define LATCH_BACKTRACE_STACK_BYTES ((uintptr_t)64 << 20) /* of a stack whose bounds aren't known */

typedef struct latch_backtrace_stack {
    uintptr_t from, to; /* to 0: not known */
} latch_backtrace_stack;

void latch_backtrace_init(void); /* what takes memory or locks the first time does so now */
latch_backtrace_stack latch_backtrace_main_stack(void);

void latch_backtrace_take(const void *context, latch_backtrace_stack of); /* of a signal: from where it interrupted the thread */
void latch_backtrace_take_by_hand(const void *context);                   /* the same, where the unwinder met bad memory */
void latch_backtrace_take_here(size_t skip, latch_backtrace_stack of);    /* of the caller, without the `skip` innermost frames */
size_t latch_backtrace_count(void);

/* "place_order+0x1f (bootstrap+0x41c3)"; {"path":"bootstrap","line":0,"label":"place_order"} for X-Ray */
void latch_backtrace_put_frame(latch_text_writer *t, size_t i) LATCH_NONNULL;
void latch_backtrace_put_cause(latch_text_writer *t, size_t i) LATCH_NONNULL;

void latch_backtrace_put_hex(latch_text_writer *t, uintptr_t n) LATCH_NONNULL;
/* For a JSON string: printable ASCII only, at most `max` of it. */
void latch_backtrace_put_plain(latch_text_writer *t, const char *text, size_t max) LATCH_NONNULL;

#endif

/*
 * runtime/crash.h - a handler that crashes: SIGSEGV, SIGBUS, SIGABRT, SIGFPE and SIGILL are reported to the service as an error of the
 * invocation that was running, with the signal and a stack trace, then the process dies of the signal as it would have.
 *
 * The type is Function.Crash, which the service keeps. Stack overflows are seen, too: the report runs on a stack of its own, sends over a
 * connection of its own and takes no memory and no lock. A report that hangs is ended after 2 s by SIGALRM.
 * Names come from the executable's symbol table, static functions included; of a stripped file, from what it exports; without either, an
 * offset for addr2line stays: "bootstrap+0x41c3".
 */
#ifndef LATCH_RUNTIME_CRASH_H
#define LATCH_RUNTIME_CRASH_H

#include "runtime/api.h"

/* Once per process, on the thread that runs handlers. Undone by clean_up. */
void latch_crash_init(void);
void latch_crash_clean_up(void);

/*
 * From here on, a crash of this thread is one of `invocation` (NULL: of the initialisation), in the handler of that name. All three are
 * borrowed until disarm, after which a crash is reported to nobody: the service has an outcome already, or no invocation.
 */
void latch_crash_arm(const latch_api *api, const latch_invocation *invocation, const char *handler);
void latch_crash_disarm(void);

#endif

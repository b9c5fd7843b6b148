/*
 * runtime/crash.h - a handler that crashes: SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP and SIGSYS are reported to the service as an
 * error of the invocation that was running, with the signal and a stack trace, then the process dies of the signal as it would have
 * (runtime/ending.h says what becomes of other workers' invocations first). Where none was running, the log alone has it.
 *
 * The type is Function.Crash, which the service keeps. Stack overflows are seen, too: the report runs on a stack of its own.
 */
#ifndef LATCH_RUNTIME_CRASH_H
#define LATCH_RUNTIME_CRASH_H

/* Once per process, behind latch_ending_init. Undone by clean_up. */
void latch_crash_init(void);
void latch_crash_clean_up(void);

#endif

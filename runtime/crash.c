#include "runtime/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/ending.h"
#include "runtime/worker.h"

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGABRT, "SIGABRT"}, {SIGFPE, "SIGFPE"},
    {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"}}; /* a compiler's trap is SIGILL on x86-64, SIGTRAP on arm64 */
#define SIGNALS (sizeof signals / sizeof signals[0])

static struct sigaction before[SIGNALS];

/* Of the reporter's: no other thread looks. */
static volatile sig_atomic_t tracing; /* 1: by the unwinder, 2: by hand */
static const void *crash_context;     /* on the signal's stack */

static void write_message(int number, const siginfo_t *info, const latch_worker *of) {
    latch_text_writer *t = latch_ending_message();
    const char *name = "a signal";
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i].number == number) name = signals[i].name;
    }
    latch_text_put(t, latch_str_of(name));
    if (info->si_code > 0 && (number == SIGSEGV || number == SIGBUS)) {
        latch_text_put(t, LATCH_STR(" at address "));
        latch_backtrace_put_hex(t, (uintptr_t)info->si_addr);
    }
    if (of == NULL) {
        latch_text_put(t, LATCH_STR(" in a thread that runs no invocation"));
        return;
    }
    latch_text_put(t, of->watch.invocation != NULL ? LATCH_STR(" in the handler ") : LATCH_STR(" in the init of the handler "));
    latch_backtrace_put_plain(t, of->process->handler->name, 100);
}

/* A fault happens again on return, with its own registers for a core file; what was sent, or lies behind its instruction, is sent again. */
static void die(int number, const siginfo_t *info) {
    signal(number, SIG_DFL);
    if (info->si_code <= 0 || number == SIGABRT || number == SIGTRAP || number == SIGSYS) raise(number);
}

static void take_trace(bool first, const void *context) {
    const latch_worker *mine = latch_ending_mine();
    if (first) {
        tracing = 1;
        crash_context = context;
        latch_backtrace_take(context, mine != NULL ? mine->watch.stack : (latch_backtrace_stack){0, 0});
    } else if (tracing == 1 && latch_backtrace_count() == 0) { /* the unwinder met bad memory before it came to the crash */
        tracing = 2;
        latch_backtrace_take_by_hand(crash_context);
    } /* else what is there must do */
    tracing = 0;
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int error = errno;
    if (!latch_ending_is_ours()) {
        die(number, info);
        return;
    }
    latch_worker *of = latch_ending_whose();
    bool first = latch_ending_begin(of, "Crash", LATCH_ENDING_BY_SIGNAL);
    if (!latch_ending_is_telling()) {
        if (first) write_message(number, info, of);
        take_trace(first, context);
        latch_ending_tell();
    }
    int exit_status = latch_ending_exit_status();
    latch_ending_await_others();
    if (exit_status != LATCH_ENDING_BY_SIGNAL) _exit(exit_status);
    errno = error;
    die(number, info);
}

void latch_crash_init(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i].number, &action, &before[i]);
        latch_ending_return_by_kernel(signals[i].number);
    }
}

void latch_crash_clean_up(void) {
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i].number, &before[i], NULL);
}

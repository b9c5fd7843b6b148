#include "runtime/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/api_private.h"
#include "runtime/worker.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct sigaction before;

/* ── the timer ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The library's own would bring along the thread that it starts for other kinds of timers. */
static bool make_timer(latch_watch *watch) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = LATCH_WATCHDOG_SIGNAL;
    event.sigev_notify_thread_id = watch->thread;
    if (!watch->has_timer) watch->has_timer = syscall(SYS_timer_create, CLOCK_REALTIME, &event, &watch->timer) == 0;
    return watch->has_timer;
}

void latch_watchdog_set_timer(latch_watch *watch) {
    int64_t at_ms = watch->fire_at_ms;
    const struct itimerspec at = {.it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}};
    watch->timer_at_ms = at_ms; /* first: it may go off at once */
    if (!make_timer(watch) || syscall(SYS_timer_settime, watch->timer, TIMER_ABSTIME, &at, NULL) != 0) watch->watched = false;
}

void latch_watchdog_drop(latch_watch *watch) {
    watch->fire_at_ms = watch->timer_at_ms = INT64_MAX;
    if (watch->has_timer) syscall(SYS_timer_delete, watch->timer);
    watch->has_timer = false;
}

/* ── its signal ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

static void write_message(latch_text_writer *t, const latch_worker *w) {
    char waits_for[160];
    size_t len = latch_span_describe(&w->spans, latch_clock_system().boot_us(NULL), waits_for, sizeof waits_for);
    put(t, "the handler ");
    latch_backtrace_put_plain(t, w->process->handler->name, 100);
    put(t, " has not returned 200 ms before its deadline: it ");
    if (len > 0) put(t, "waits for ");
    latch_backtrace_put_plain(t, len > 0 ? waits_for : "is in code of its own, the stack trace says where", sizeof waits_for);
}

static void bark(latch_worker *w, const void *context) {
    if (atomic_load(&w->watch.claim) != LATCH_CLAIM_OPEN || !latch_ending_begin(w, "DeadlineExceeded", 1)) return;
    if (!latch_ending_has_claimed()) { /* it has just returned: its outcome is on its way */
        latch_ending_give_way();
        return;
    }
    write_message(latch_ending_message(), w);
    latch_backtrace_take(context, w->watch.stack);
    latch_ending_tell();
    latch_ending_await_others();
    _exit(1);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int error = errno;
    latch_worker *w = latch_ending_is_ours() ? latch_ending_mine() : NULL;
    (void)info;
    if (w == NULL) return;
    w->watch.timer_at_ms = INT64_MAX;
    int64_t at_ms = w->watch.fire_at_ms;
    if (at_ms != INT64_MAX && latch_ending_now_ms() < at_ms) {
        latch_watchdog_set_timer(&w->watch);
    } else if (at_ms != INT64_MAX && !latch_api_holds_signal(&w->api, number)) {
        bark(w, context);
    }
    errno = error;
}

void latch_watchdog_init(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(LATCH_WATCHDOG_SIGNAL, &action, &before);
    latch_ending_return_by_kernel(LATCH_WATCHDOG_SIGNAL);
}

void latch_watchdog_clean_up(void) { sigaction(LATCH_WATCHDOG_SIGNAL, &before, NULL); }

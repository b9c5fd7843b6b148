#include "sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "environment.h"

#define STOP_GRACE_MS 500 /* Lambda's own between SIGTERM and SIGKILL */
#define DEBUG_DEADLINE_MS LATCH_DAY_MS

struct latch_sandbox {
    latch_sandbox_config config;
    latch_api *api;
    latch_process process;
    char *arn;
    latch_timer timer;       /* of initialisation, of the invocation, or of a process that has to end */
    latch_task pump;         /* start or hand over what is queued */
    latch_invocation *first; /* queued; the first one is handed out while `busy` */
    bool busy;
    bool ready; /* the process has asked for its first event */
    bool stopping;
    int64_t kill_at_ns; /* while it winds down */
    bool timed_out;     /* we killed it */
    bool done_with;     /* this process gets no more events: it has posted an init error */
    int64_t started_at_ns;
    int64_t init_ns; /* of the process, until an invocation has been told; then -1 */
};

static int64_t timeout_ms(const latch_sandbox *s) {
    return s->config.timeout_ms > 0 ? s->config.timeout_ms : s->config.function->timeout_ms;
}

/* ── the log ── */

static void log_line(void *arg, latch_str line) {
    const latch_sandbox *s = arg;
    const char *id = s->busy ? s->first->id : s->ready ? "-" : "init";
    bool brief = s->config.log_short_ids;
    fprintf(stderr, "%s[%s %.*s]%s %.*s\n", brief ? "\033[2m" : "", s->config.function->name, brief ? 8 : 36, id, brief ? "\033[0m" : "",
            (int)line.len, line.ptr);
    if (s->first != NULL && s->first->on_log != NULL && (s->busy || !s->ready)) s->first->on_log(s->first->arg, s->first, line);
}

static void say(const latch_sandbox *s, const char *text) { log_line((latch_sandbox *)(uintptr_t)s, latch_str_of(text)); }

/* ── the end of an invocation ── */

/* Takes the first one off the queue. Its owner hears of it, and may queue another at once. */
static void finish(latch_sandbox *s) {
    latch_invocation *inv = s->first;
    s->first = inv->next;
    inv->next = NULL;
    s->busy = false;
    latch_loop_disarm(s->config.loop, &s->timer);
    inv->on_over(inv->arg, inv);
}

static void fail_first(latch_sandbox *s, latch_outcome outcome, const char *type, const char *message) {
    latch_invocation *inv = s->first;
    int64_t since = s->busy ? inv->given_at_ns : s->started_at_ns;
    if (since > 0) inv->duration_ns = latch_now_ns() - since;
    latch_invocation_fail(inv, outcome, type, message);
    finish(s);
}

/* ── timeouts ── */

static void on_timeout(void *arg) {
    latch_sandbox *s = arg;
    s->timed_out = !s->done_with;
    latch_process_signal(&s->process, SIGKILL); /* its end is what ends the invocation */
}

static void arm(latch_sandbox *s, int64_t ms) {
    s->timer.fn = on_timeout;
    s->timer.arg = s;
    if (!s->config.debug) latch_loop_arm(s->config.loop, &s->timer, ms);
}

/* ── what the process does ── */

static void note(latch_invocation *inv, const char *what, char *owned) {
    inv->note = latch_format("%s%s", what, owned != NULL ? owned : "");
    free(owned);
}

static void give(latch_sandbox *s) {
    latch_invocation *inv = s->first;
    int64_t limit_ms = s->config.debug ? DEBUG_DEADLINE_MS : timeout_ms(s);
    latch_process_read(&s->process); /* what it wrote before is not this invocation's */
    inv->init_ns = s->init_ns;
    s->init_ns = -1;
    s->busy = true;
    latch_api_give(s->api, inv, latch_now_ms() + limit_ms);
    arm(s, limit_ms);
}

static void on_next(void *arg) {
    latch_sandbox *s = arg;
    if (!s->ready) {
        s->ready = true;
        s->init_ns = latch_now_ns() - s->started_at_ns;
        latch_loop_disarm(s->config.loop, &s->timer);
    }
    latch_process_read(&s->process);
    if (s->busy) finish(s);
    if (s->first != NULL && !s->stopping) give(s);
}

static void on_answer(void *arg) {
    latch_sandbox *s = arg;
    latch_process_read(&s->process);
}

static void on_init_error(void *arg, latch_buffer body, const char *type) {
    latch_sandbox *s = arg;
    latch_process_read(&s->process);
    s->done_with = true;
    arm(s, STOP_GRACE_MS); /* it is to end by itself, and soon */
    if (s->first == NULL) {
        latch_buffer_clean_up(&body);
        return;
    }
    latch_invocation *inv = s->first;
    inv->error = body;
    snprintf(inv->error_type, sizeof inv->error_type, "%s", type);
    inv->outcome = LATCH_INIT_FAILED;
    inv->duration_ns = latch_now_ns() - s->started_at_ns;
    s->first = inv->next;
    inv->next = NULL;
    inv->on_over(inv->arg, inv);
}

/* ── the end of the process ── */

static char *timeout_message(const char *what, int64_t ms) {
    return latch_format("%s timed out after %.2f seconds", what, (double)ms / 1000);
}

static void ended_in_init(latch_sandbox *s, char *how) {
    bool late = s->timed_out;
    char *message = late ? timeout_message("Init", s->config.init_timeout_ms) : latch_format("%s during init", how);
    fail_first(s, late ? LATCH_INIT_TIMED_OUT : LATCH_INIT_FAILED, late ? "Sandbox.Timedout" : "Runtime.ExitError", message);
    free(message);
    free(how);
}

static void ended_while_busy(latch_sandbox *s, char *how) {
    latch_invocation *inv = s->first;
    bool late = s->timed_out;
    char *message = late ? timeout_message("Task", timeout_ms(s)) : latch_format("%s during the invocation", how);
    if (inv->outcome != LATCH_PENDING) { /* what was accepted stands */
        note(inv,
             late ? "after that its process was killed: it did not ask for the next event before the deadline"
                  : "after that its process ended: ",
             late ? NULL : how);
        if (late) free(how);
        finish(s);
    } else {
        free(how);
        fail_first(s, late ? LATCH_TIMED_OUT : LATCH_EXITED, late ? "Sandbox.Timedout" : "Runtime.ExitError", message);
    }
    free(message);
}

static void on_exit_of_process(void *arg, int wait_status) {
    latch_sandbox *s = arg;
    char *how = latch_process_describe(wait_status);
    bool was_ready = s->ready, was_done_with = s->done_with;
    latch_loop_disarm(s->config.loop, &s->timer);
    latch_api_begin(s->api);
    s->done_with = false;
    if (s->stopping || was_done_with || s->first == NULL) {
        if (!s->stopping && !was_done_with) {
            char *text = latch_format("the process %s while it had nothing to do; the next event starts another", how);
            say(s, text);
            free(text);
        }
        free(how);
    } else if (s->busy) {
        ended_while_busy(s, how);
    } else if (!was_ready) {
        ended_in_init(s, how);
    } else {
        free(how); /* it ended between two events: the one that waits loses nothing */
        say(s, s->timed_out ? "the process did not ask for the next event and was killed" : "the process ended between two events");
    }
    s->ready = s->timed_out = false;
    latch_loop_post(&s->pump);
}

/* ── the start of the process ── */

/* gdb finds the stop that we left pending, and would stop for it again at each continue. */
static void say_how_to_debug(const latch_sandbox *s) {
    char *text = latch_format("process %d is stopped at its first instruction, timeouts are off.\n"
                              "  debug it:  gdb -p %d -ex 'handle SIGSTOP nostop noprint nopass'   (then: break a_function, continue)\n"
                              "  let it go: kill -CONT %d",
                              (int)s->process.pid, (int)s->process.pid, (int)s->process.pid);
    say(s, text);
    free(text);
}

static void start_process(latch_sandbox *s) {
    latch_err err;
    latch_environment e = {.function = s->config.function,
                           .given = s->config.given,
                           .region = s->config.region,
                           .bootstrap = s->config.argv[0],
                           .api_port = latch_api_port(s->api)};
    char **env = latch_environment_make(&e, environ);
    latch_api_begin(s->api);
    s->ready = s->timed_out = s->done_with = false;
    s->started_at_ns = latch_now_ns();
    latch_status status = latch_process_start(&s->process, s->config.argv, env, s->config.debug, &err);
    latch_environment_free(env);
    if (status != LATCH_OK) {
        fail_first(s, LATCH_NOT_STARTED, "Runtime.InvalidEntrypoint", err.message);
        latch_loop_post(&s->pump);
        return;
    }
    arm(s, s->config.init_timeout_ms);
    if (s->config.debug) say_how_to_debug(s);
}

static void pump(void *arg) {
    latch_sandbox *s = arg;
    if (s->first == NULL || s->busy || s->stopping || s->done_with) return;
    if (s->process.pid == 0) {
        start_process(s);
        return;
    }
    if (!s->ready) return;
    if (latch_api_is_waiting(s->api))
        give(s);
    else
        arm(s, timeout_ms(s)); /* it hasn't asked for the next event: it won't keep this one waiting for ever */
}

void latch_sandbox_invoke(latch_sandbox *s, latch_invocation *inv) {
    latch_invocation **at = &s->first;
    while (*at != NULL)
        at = &(*at)->next;
    *at = inv;
    inv->init_ns = -1;
    latch_loop_post(&s->pump);
}

/* ── start and stop ── */

latch_status latch_sandbox_start(const latch_sandbox_config *config, latch_sandbox **out, latch_err *err) {
    latch_sandbox *s = latch_alloc(sizeof *s);
    s->config = *config;
    s->arn = latch_format("arn:aws:lambda:%s:123456789012:function:%s", config->region, config->function->name);
    s->process = (latch_process){.all = config->processes, .output.fd = -1, .on_line = log_line, .on_exit = on_exit_of_process, .arg = s};
    s->pump = (latch_task){.fn = pump, .arg = s};
    s->init_ns = -1;
    latch_loop_add(config->loop, &s->pump);
    latch_api_config api = {.function_arn = s->arn, .on_next = on_next, .on_answer = on_answer, .on_init_error = on_init_error, .arg = s};
    *out = s;
    latch_status status = latch_api_start(config->loop, &api, &s->api, err);
    if (status == LATCH_OK) return status;
    latch_sandbox_free(s);
    *out = NULL;
    return status;
}

typedef struct stop {
    latch_sandbox *const *all;
    size_t count;
    bool over;
} stop;

static void signal_all(const stop *st, int signal) {
    for (size_t i = 0; i < st->count; i++)
        if (st->all[i] != NULL) latch_process_signal(&st->all[i]->process, signal);
}

static void on_grace_over(void *arg) { signal_all(arg, SIGKILL); }

static void check_over(void *arg) {
    stop *st = arg;
    st->over = true;
    for (size_t i = 0; i < st->count; i++)
        if (st->all[i] != NULL && st->all[i]->process.pid != 0) st->over = false;
}

void latch_sandboxes_stop(latch_loop *loop, latch_sandbox *const *all, size_t count) {
    stop st = {.all = all, .count = count};
    latch_timer grace = {.fn = on_grace_over, .arg = &st};
    for (size_t i = 0; i < count; i++) {
        if (all[i] == NULL) continue;
        all[i]->stopping = true;
        latch_loop_disarm(loop, &all[i]->timer);
    }
    signal_all(&st, SIGTERM);
    signal_all(&st, SIGCONT); /* one that is stopped doesn't hear SIGTERM */
    latch_loop_arm(loop, &grace, STOP_GRACE_MS);
    for (check_over(&st); !st.over; check_over(&st))
        latch_loop_step(loop);
    latch_loop_disarm(loop, &grace);
}

void latch_sandbox_hand_over(latch_sandbox *s, latch_sandbox *to) {
    latch_invocation **at = s->busy ? &s->first->next : &s->first;
    for (latch_invocation *inv = *at, *next; inv != NULL; inv = next) {
        next = inv->next;
        inv->next = NULL;
        latch_sandbox_invoke(to, inv);
    }
    *at = NULL;
}

bool latch_sandbox_wind_down(latch_sandbox *s) {
    if (s->process.pid == 0) return !s->busy;
    if (s->busy) return false;
    int64_t now = latch_now_ns();
    if (!s->stopping) {
        s->stopping = true;
        s->kill_at_ns = now + STOP_GRACE_MS * INT64_C(1000000);
        latch_loop_disarm(s->config.loop, &s->timer);
        latch_process_signal(&s->process, SIGTERM);
        latch_process_signal(&s->process, SIGCONT);
    }
    if (now >= s->kill_at_ns) latch_process_signal(&s->process, SIGKILL);
    return false;
}

void latch_sandbox_free(latch_sandbox *s) {
    if (s == NULL) return;
    latch_loop_disarm(s->config.loop, &s->timer);
    latch_loop_remove(s->config.loop, &s->pump);
    latch_api_stop(s->api);
    free(s->arn);
    free(s);
}

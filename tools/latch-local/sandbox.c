#include "sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "environment.h"

#define STOP_GRACE_MS 500 /* Lambda's own between SIGTERM and SIGKILL */
#define RESTORE_MS 10000  /* Lambda's own for what runs after a restore */
#define FATAL_MS 1000     /* a process that was answered 500 is to end within it */
#define DEBUG_DEADLINE_MS LATCH_DAY_MS
#define ID_BYTES 36        /* of a request id */
#define ERROR_EXIT_MS 2000 /* a process that has posted an error of its initialisation ends by itself, and soon */

typedef struct slot { /* of an invocation that is handed out */
    latch_sandbox *s;
    latch_invocation *inv; /* NULL: free */
    latch_timer timer;
} slot;

struct latch_sandbox {
    latch_sandbox_config config;
    latch_api *api;
    latch_process process;
    char *arn;
    latch_timer timer;       /* of initialisation, of a restore, or of a process that has to end */
    latch_task pump;         /* start or hand over what is queued */
    latch_invocation *first; /* queued */
    slot *slots;
    size_t slot_count, busy;
    bool ready;  /* the process has asked for its first event */
    bool frozen; /* it waits in /restore/next, stopped */
    bool restoring;
    bool stopping;
    bool timed_out;     /* we killed it */
    bool done_with;     /* this process gets no more events: it has posted an init error, or was answered 500 */
    bool fatal;         /* the latter */
    int64_t kill_at_ns; /* while it winds down */
    int64_t started_at_ns, fatal_at_ns;
    int64_t init_ns; /* of the process, until an invocation has been told; then -1 */
    size_t complaints;
};

static int64_t timeout_ms(const latch_sandbox *s) {
    return s->config.timeout_ms > 0 ? s->config.timeout_ms : s->config.function->timeout_ms;
}

static int64_t now_ns(const latch_sandbox *s) { return latch_loop_now_ns(s->config.loop); }

static bool is_managed(const latch_sandbox *s) { return s->slot_count > 1; }

static slot *slot_of(const latch_sandbox *s, const latch_invocation *inv) {
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].inv == inv) return &s->slots[i];
    return NULL;
}

/* The only one that is handed out; NULL where there is none, or more. */
static latch_invocation *only_one(const latch_sandbox *s) {
    for (size_t i = 0; s->busy == 1 && i < s->slot_count; i++)
        if (s->slots[i].inv != NULL) return s->slots[i].inv;
    return NULL;
}

/* ── the log ── */

/* The requestId of a record in JSON; empty: none that could be ours. */
static latch_str id_in(latch_str line) {
    static const char member[] = "\"requestId\":";
    if (line.len == 0 || line.ptr[0] != '{') return (latch_str){0};
    const char *at = memmem(line.ptr, line.len, member, sizeof member - 1), *end = line.ptr + line.len;
    for (at = at != NULL ? at + sizeof member - 1 : end; at < end && (*at == ' ' || *at == '"');)
        at++;
    return end - at >= ID_BYTES ? (latch_str){at, ID_BYTES} : (latch_str){0};
}

static latch_invocation *find_by_id(const latch_sandbox *s, latch_str id) {
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].inv != NULL && latch_str_eq(latch_str_of(s->slots[i].inv->id), id)) return s->slots[i].inv;
    return NULL;
}

static void print_line(const latch_sandbox *s, const char *id, latch_str line) {
    bool brief = s->config.log_short_ids;
    latch_buffer out = {0}; /* in one piece, with the NULs that are in it */
    latch_buffer_format(&out, "%s[%s %.*s]%s ", brief ? "\033[2m" : "", s->config.function->name, brief ? 8 : 36, id,
                        brief ? "\033[0m" : "");
    latch_buffer_add(&out, line.ptr, line.len);
    latch_buffer_text(&out, "\n");
    fwrite(out.ptr, 1, out.len, stderr);
    latch_buffer_clean_up(&out);
}

static void log_line(void *arg, latch_str line) {
    latch_sandbox *s = arg;
    latch_str id = is_managed(s) ? id_in(line) : (latch_str){0};
    latch_invocation *inv = find_by_id(s, id);
    if (inv == NULL && id.len > 0 && latch_api_is_over(s->api, id)) { /* written after its answer */
        print_line(s, id.ptr, line);
        if (s->config.on_late_log != NULL) s->config.on_late_log(s->config.arg, id, line);
        return;
    }
    if (inv == NULL) inv = only_one(s);
    print_line(s, inv != NULL ? inv->id : s->ready ? "-" : "init", line);
    if (inv == NULL && !s->ready) inv = s->first;
    if (inv != NULL && inv->on_log != NULL) inv->on_log(inv->arg, inv, line);
}

static void say(const latch_sandbox *s, const char *text) { log_line((latch_sandbox *)(uintptr_t)s, latch_str_of(text)); }

static void say_and_free(const latch_sandbox *s, char *text) {
    say(s, text);
    free(text);
}

static void on_complaint(void *arg, latch_invocation *inv, const char *what) {
    latch_sandbox *s = arg;
    s->complaints++;
    if (inv != NULL) latch_invocation_complain(inv, what);
    latch_process_read(&s->process);
    char *text = latch_format("the process %s", what);
    print_line(s, inv != NULL ? inv->id : "-", latch_str_of(text));
    free(text);
}

size_t latch_sandbox_complaints(const latch_sandbox *s) { return s->complaints; }

/* ── the end of an invocation ── */

static void leave_slot(latch_sandbox *s, latch_invocation *inv) {
    slot *at = slot_of(s, inv);
    if (at == NULL) return;
    latch_loop_disarm(s->config.loop, &at->timer);
    at->inv = NULL;
    s->busy--;
}

/* Its owner hears of it, and may queue another at once. */
static void finish(latch_sandbox *s, latch_invocation *inv) {
    leave_slot(s, inv);
    latch_api_release(s->api, inv);
    inv->on_over(inv->arg, inv);
    latch_loop_post(&s->pump);
}

static latch_invocation *take_first(latch_sandbox *s) {
    latch_invocation *inv = s->first;
    s->first = inv->next;
    inv->next = NULL;
    return inv;
}

static void fail(latch_sandbox *s, latch_invocation *inv, latch_outcome outcome, const char *type, const char *message) {
    inv->duration_ns = now_ns(s) - inv->given_at_ns;
    latch_invocation_fail(inv, outcome, type, message);
    finish(s, inv);
}

/* It wasn't handed out: there is no process to hand it to. */
static void fail_first(latch_sandbox *s, latch_outcome outcome, const char *type, const char *message) {
    if (s->first == NULL) {
        say(s, message);
        return;
    }
    latch_invocation *inv = take_first(s);
    inv->duration_ns = now_ns(s) - s->started_at_ns;
    latch_invocation_fail(inv, outcome, type, message);
    inv->on_over(inv->arg, inv);
}

static char *timeout_message(const char *what, int64_t ms) {
    return latch_format("%s timed out after %.2f seconds", what, (double)ms / 1000);
}

/* ── timeouts ── */

static void on_timeout(void *arg) {
    latch_sandbox *s = arg;
    s->timed_out = !s->done_with;
    if (s->fatal) on_complaint(s, only_one(s), "did not end within a second after the Runtime API's 500, and was killed");
    latch_process_signal(&s->process, SIGKILL); /* its end is what ends the invocation */
}

static void arm(latch_sandbox *s, int64_t ms) {
    s->timer.fn = on_timeout;
    s->timer.arg = s;
    if (!s->config.debug) latch_loop_arm(s->config.loop, &s->timer, ms);
}

/* One at a time, the process goes with it; of several, the others are not to suffer. */
static void on_deadline(void *arg) {
    slot *at = arg;
    latch_sandbox *s = at->s;
    if (!is_managed(s)) {
        on_timeout(s);
        return;
    }
    char *message = timeout_message("Task", timeout_ms(s));
    latch_process_read(&s->process);
    fail(s, at->inv, LATCH_TIMED_OUT, "Sandbox.Timedout", message);
    free(message);
}

/* ── what the process does ── */

/* What it wrote before it asked for an event isn't of the one it gets, also where no line ends. Of several, nobody knows whose that is. */
static void read_log(latch_sandbox *s) {
    if (is_managed(s))
        latch_process_read(&s->process);
    else
        latch_process_end_line(&s->process);
}

static void note(latch_invocation *inv, const char *what, char *owned) {
    free(inv->note);
    inv->note = latch_format("%s%s", what, owned != NULL ? owned : "");
    free(owned);
}

static void give(latch_sandbox *s) {
    slot *at = slot_of(s, NULL);
    int64_t limit_ms = s->config.debug ? DEBUG_DEADLINE_MS : timeout_ms(s);
    read_log(s);
    latch_invocation *inv = take_first(s);
    inv->init_ns = s->init_ns;
    inv->pid = s->process.pid;
    s->init_ns = -1;
    s->busy++;
    at->inv = inv;
    latch_loop_disarm(s->config.loop, &s->timer);
    if (!s->config.debug) latch_loop_arm(s->config.loop, &at->timer, limit_ms);
    latch_api_give(s->api, inv, latch_now_ms() + limit_ms);
}

static void give_all(latch_sandbox *s) {
    while (s->first != NULL && !s->stopping && !s->done_with && s->busy < s->slot_count && latch_api_is_waiting(s->api))
        give(s);
}

static void get_ready(latch_sandbox *s) {
    latch_loop_disarm(s->config.loop, &s->timer);
    s->init_ns = now_ns(s) - s->started_at_ns; /* with a snapshot: since the restore */
    s->ready = true;
    s->restoring = false;
}

static void on_next(void *arg) {
    latch_sandbox *s = arg;
    read_log(s);
    if (!s->ready) get_ready(s);
    if (!is_managed(s) && s->busy > 0) finish(s, only_one(s));
    give_all(s);
}

static void on_answer(void *arg, latch_invocation *inv) {
    latch_sandbox *s = arg;
    latch_process_read(&s->process);
    if (is_managed(s) && !(s->fatal && inv->fault == LATCH_POST_500)) finish(s, inv);
}

/* Its own words, to the one that waits for it. */
static void take_error(latch_sandbox *s, latch_buffer body, const char *type, const char *which) {
    latch_process_read(&s->process);
    s->done_with = true;
    arm(s, ERROR_EXIT_MS);
    say_and_free(s, latch_format("the process has posted %s error%s%s", which, *type != '\0' ? ": " : "", type));
    if (s->first == NULL) {
        latch_buffer_clean_up(&body);
        return;
    }
    latch_invocation *inv = take_first(s);
    inv->error = body;
    snprintf(inv->error_type, sizeof inv->error_type, "%s", type);
    inv->outcome = LATCH_INIT_FAILED;
    inv->duration_ns = now_ns(s) - s->started_at_ns;
    inv->on_over(inv->arg, inv);
}

static void on_init_error(void *arg, latch_buffer body, const char *type) { take_error(arg, body, type, "an init"); }

static void on_restore_error(void *arg, latch_buffer body, const char *type) { take_error(arg, body, type, "a restore"); }

static void on_fatal(void *arg, latch_invocation *inv) {
    latch_sandbox *s = arg;
    slot *at = slot_of(s, inv);
    s->fatal = s->done_with = true;
    s->fatal_at_ns = now_ns(s);
    if (at != NULL) latch_loop_disarm(s->config.loop, &at->timer);
    arm(s, FATAL_MS);
}

static void on_registered(void *arg, const char *extension) {
    say_and_free(arg, latch_format("extension %s is registered: SIGTERM comes half a second before SIGKILL", extension));
}

/* ── SnapStart ── */

/* The snapshot: nothing of the process goes on until an invocation comes. */
static void on_snapshot(void *arg) {
    latch_sandbox *s = arg;
    latch_process_read(&s->process);
    latch_loop_disarm(s->config.loop, &s->timer);
    say_and_free(s, latch_format("the snapshot is taken, after an init of %.1f ms", (double)(now_ns(s) - s->started_at_ns) / 1e6));
    s->frozen = true;
    if (!s->config.debug) latch_process_signal(&s->process, SIGSTOP);
    latch_loop_post(&s->pump);
}

static void restore(latch_sandbox *s) {
    s->frozen = false;
    s->restoring = true;
    s->started_at_ns = now_ns(s);
    latch_process_signal(&s->process, SIGCONT);
    latch_api_restore(s->api);
    say(s, "restored for the first invocation");
    arm(s, RESTORE_MS);
}

/* ── the end of the process ── */

static void ended_in_init(latch_sandbox *s, char *how) {
    bool late = s->timed_out;
    const char *what = s->restoring ? "Restore" : "Init";
    char *message = late ? timeout_message(what, s->restoring ? RESTORE_MS : s->config.init_timeout_ms)
                         : latch_format("%s during %s", how, s->restoring ? "the restore" : "init");
    fail_first(s, late ? LATCH_INIT_TIMED_OUT : LATCH_INIT_FAILED, late ? "Sandbox.Timedout" : "Runtime.ExitError", message);
    free(message);
    free(how);
}

/* What was accepted stands. */
static void ended_after_outcome(latch_sandbox *s, latch_invocation *inv, const char *how) {
    if (s->fatal)
        note(inv, "", latch_format("its process ended %.0f ms after the 500: %s", (double)(now_ns(s) - s->fatal_at_ns) / 1e6, how));
    else if (s->timed_out)
        note(inv, "after that its process was killed: it did not ask for the next event before the deadline", NULL);
    else
        note(inv, "after that its process ended: ", latch_copy(latch_str_of(how)));
    finish(s, inv);
}

/* It never saw it: the next process gets it, before all others. */
static void take_back(latch_sandbox *s, latch_invocation *inv, const char *how) {
    if (s->fatal)
        note(inv, "",
             latch_format("its first process ended %.0f ms after the %s: %s", (double)(now_ns(s) - s->fatal_at_ns) / 1e6,
                          inv->fault == LATCH_NEXT_SHUTDOWN ? "shutdown" : "500", how));
    leave_slot(s, inv);
    inv->undelivered = false;
    inv->next = s->first;
    s->first = inv;
}

static void ended_while_busy(latch_sandbox *s, char *how) {
    bool late = s->timed_out;
    char *message = late ? timeout_message("Task", timeout_ms(s)) : latch_format("%s during the invocation", how);
    for (size_t i = 0; i < s->slot_count; i++) {
        latch_invocation *inv = s->slots[i].inv;
        if (inv == NULL) continue;
        if (inv->outcome != LATCH_PENDING)
            ended_after_outcome(s, inv, how);
        else if (inv->undelivered)
            take_back(s, inv, how);
        else
            fail(s, inv, late ? LATCH_TIMED_OUT : LATCH_EXITED, late ? "Sandbox.Timedout" : "Runtime.ExitError", message);
    }
    free(message);
    free(how);
}

static void on_exit_of_process(void *arg, int wait_status) {
    latch_sandbox *s = arg;
    char *how = latch_process_describe(wait_status);
    bool was_ready = s->ready, was_done_with = s->done_with;
    latch_loop_disarm(s->config.loop, &s->timer);
    latch_api_begin(s->api);
    s->done_with = false;
    if (s->busy > 0 && !s->stopping) {
        ended_while_busy(s, how);
    } else if (was_done_with && !s->stopping) {
        say_and_free(s, latch_format("after that the process %s", how));
        free(how);
    } else if (s->stopping || s->first == NULL) {
        if (!s->stopping)
            say_and_free(s, latch_format("the process ended while it had nothing to do: %s; the next event starts another", how));
        free(how);
    } else if (!was_ready) {
        ended_in_init(s, how);
    } else {
        free(how); /* it ended between two events: the one that waits loses nothing */
        say(s, s->timed_out ? "the process did not ask for the next event and was killed" : "the process ended between two events");
    }
    s->ready = s->timed_out = s->fatal = s->frozen = s->restoring = false;
    latch_loop_post(&s->pump);
}

/* ── the start of the process ── */

/* gdb finds the stop that we left pending, and would stop for it again at each continue. */
static void say_how_to_debug(const latch_sandbox *s) {
    say_and_free(s, latch_format("process %d is stopped at its first instruction, timeouts are off.\n"
                                 "  debug it:  gdb -p %d -ex 'handle SIGSTOP nostop noprint nopass'   (then: break a_function, continue)\n"
                                 "  let it go: kill -CONT %d",
                                 (int)s->process.pid, (int)s->process.pid, (int)s->process.pid));
}

static void start_process(latch_sandbox *s) {
    latch_err err;
    latch_environment e = {.function = s->config.function,
                           .given = s->config.given,
                           .region = s->config.region,
                           .bootstrap = s->config.argv[0],
                           .concurrency = s->config.concurrency,
                           .credentials_token = s->config.snapstart ? latch_api_token(s->api) : NULL,
                           .api_port = latch_api_port(s->api)};
    char **env = latch_environment_make(&e, environ);
    latch_api_begin(s->api);
    s->ready = s->timed_out = s->done_with = s->fatal = s->frozen = s->restoring = false;
    s->started_at_ns = now_ns(s);
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
    if (s->stopping || s->done_with) return;
    if (s->first == NULL && !(s->config.snapstart && s->started_at_ns == 0)) return;
    if (s->process.pid == 0) {
        start_process(s);
        return;
    }
    if (s->frozen) restore(s);
    if (!s->ready) return;
    give_all(s);
    if (s->first != NULL && s->busy == 0)
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
    s->slot_count = config->concurrency > 1 ? config->concurrency : 1;
    s->slots = latch_alloc(s->slot_count * sizeof *s->slots);
    for (size_t i = 0; i < s->slot_count; i++)
        s->slots[i] = (slot){.s = s, .timer = {.fn = on_deadline, .arg = &s->slots[i]}};
    latch_loop_add(config->loop, &s->pump);
    latch_api_config api = {.function_arn = s->arn,
                            .function_name = config->function->name,
                            .handler = config->function->handler,
                            .concurrency = config->concurrency,
                            .snapstart = config->snapstart,
                            .throttle = config->throttle,
                            .caller = config->caller,
                            .faults = config->faults,
                            .on_next = on_next,
                            .on_answer = on_answer,
                            .on_init_error = on_init_error,
                            .on_restore_error = on_restore_error,
                            .on_snapshot = on_snapshot,
                            .on_fatal = on_fatal,
                            .on_complaint = on_complaint,
                            .on_registered = on_registered,
                            .arg = s};
    if (config->snapstart) latch_loop_post(&s->pump);
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

static void on_grace_over(void *arg) {
    const stop *st = arg;
    for (size_t i = 0; i < st->count; i++)
        if (st->all[i] != NULL && st->all[i]->process.pid != 0)
            say(st->all[i], "half a second after SIGTERM the process was still there: SIGKILL");
    signal_all(st, SIGKILL);
}

static void check_over(void *arg) {
    stop *st = arg;
    st->over = true;
    for (size_t i = 0; i < st->count; i++)
        if (st->all[i] != NULL && st->all[i]->process.pid != 0) st->over = false;
}

/* One that is stopped doesn't hear SIGTERM. */
static void begin_to_stop(latch_sandbox *s) {
    bool hears = latch_api_has_extension(s->api);
    s->stopping = true;
    latch_loop_disarm(s->config.loop, &s->timer);
    for (size_t i = 0; i < s->slot_count; i++)
        latch_loop_disarm(s->config.loop, &s->slots[i].timer);
    if (s->process.pid == 0) return;
    if (hears) say(s, "SIGTERM");
    latch_process_signal(&s->process, hears ? SIGTERM : SIGKILL);
    latch_process_signal(&s->process, SIGCONT);
}

void latch_sandboxes_stop(latch_loop *loop, latch_sandbox *const *all, size_t count) {
    stop st = {.all = all, .count = count};
    latch_timer grace = {.fn = on_grace_over, .arg = &st};
    for (size_t i = 0; i < count; i++)
        if (all[i] != NULL) begin_to_stop(all[i]);
    latch_loop_arm(loop, &grace, STOP_GRACE_MS);
    for (check_over(&st); !st.over; check_over(&st))
        latch_loop_step(loop);
    latch_loop_disarm(loop, &grace);
}

void latch_sandbox_hand_over(latch_sandbox *s, latch_sandbox *to) {
    while (s->first != NULL)
        latch_sandbox_invoke(to, take_first(s));
}

bool latch_sandbox_wind_down(latch_sandbox *s) {
    if (s->process.pid == 0) return s->busy == 0 && s->first == NULL;
    if (s->busy > 0) return false;
    int64_t now = now_ns(s);
    if (!s->stopping) {
        s->kill_at_ns = now + STOP_GRACE_MS * INT64_C(1000000);
        begin_to_stop(s);
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
    free(s->slots);
    free(s);
}

#include "runtime/ending.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/api_private.h"
#include "runtime/watchdog.h"
#include "runtime/worker.h"

/*
 * Whatever runs after a signal uses system calls and plain memory only: no malloc, no stdio, no lock, no libcurl. core/text.h on a buffer of
 * its own is plain memory.
 */

#define SIGNAL_STACK_BYTES ((size_t)128 << 10)
#define GIVE_UP_S 2
#define GIVE_UP_SEVERAL_S 5                 /* for then others' invocations would go with it */
#define UNBOUNDED_MS (15 * LATCH_MINUTE_MS) /* of one that has no deadline: the longest that Lambda allows */
#define ASKING_MS 1000                      /* that a worker takes to stop asking */
#define SEND_MS INT64_C(900)                /* of a report, to a service that doesn't read */
#define HEAR_S 1                            /* and then of its answer: both before it is given up */
#define STATUS_PATIENCE_MS 2000             /* until it is known what exit() was called with */
#define EXITS_AT_ONCE 16                    /* calls of it; musl has room for 32 without malloc */

static struct {
    latch_process *process; /* NULL: no process of ours */
    pid_t pid;
    bool is_child;    /* a handler has forked it */
    atomic_int ender; /* the thread that is to end the process, by its kernel id; 0: none yet */
} all;

static _Thread_local latch_worker *mine;
static _Thread_local bool has_told_exit;

static struct {          /* one report at a time */
    atomic_int reporter; /* the thread that writes it, by its kernel id; 0: none */
    latch_worker *of;    /* NULL: nobody's */
    bool claimed;
    volatile sig_atomic_t telling;
    const char *type; /* "Crash" */
    int exit_status;
    latch_text_writer message_writer;
    char head[LATCH_API_HEAD_BYTES], body[8192], cause[6144], message[512];
} report;

static int self(void) { return (int)syscall(SYS_gettid); } /* pthread_self is not promised after a signal */

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static void sleep_for_ever(void) {
    for (;;)
        pause();
}

/* ── a worker's life ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* A main thread's is known otherwise; musl would ask the kernel about each of its pages. */
static latch_backtrace_stack stack_of_thread(void) {
    pthread_attr_t attr;
    void *at = NULL;
    size_t bytes = 0;
    if ((pid_t)self() == getpid()) return latch_backtrace_main_stack();
    if (pthread_getattr_np(pthread_self(), &attr) != 0) return (latch_backtrace_stack){0, 0};
    pthread_attr_getstack(&attr, &at, &bytes);
    pthread_attr_destroy(&attr);
    return (latch_backtrace_stack){(uintptr_t)at, (uintptr_t)at + bytes};
}

void latch_ending_enter(latch_worker *w) {
    latch_watch *watch = &w->watch;
    mine = w;
    watch->thread = self();
    watch->stack = stack_of_thread();
    watch->fire_at_ms = watch->timer_at_ms = INT64_MAX;
    watch->watched = w->process->options->clock.wall_us == latch_clock_system().wall_us; /* another clock's time isn't the timer's */
    void *stack = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    watch->signal_stack = stack != MAP_FAILED ? stack : NULL;
    if (watch->signal_stack != NULL) sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = SIGNAL_STACK_BYTES}, NULL);
}

void latch_ending_leave(latch_worker *w) {
    latch_watchdog_drop(&w->watch);
    atomic_store(&w->watch.claim, LATCH_CLAIM_TAKEN);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    if (w->watch.signal_stack != NULL) munmap(w->watch.signal_stack, SIGNAL_STACK_BYTES);
    w->watch.signal_stack = NULL;
    mine = NULL;
}

void latch_ending_arm(latch_worker *w, const latch_invocation *invocation, int64_t deadline_at_ms, int64_t left_ms) {
    latch_watch *watch = &w->watch;
    watch->invocation = invocation;
    atomic_store_explicit(&watch->deadline_at_ms, deadline_at_ms, memory_order_relaxed);
    atomic_store_explicit(&watch->claim, LATCH_CLAIM_OPEN, memory_order_release);
    if (watch->watched && deadline_at_ms != INT64_MAX && left_ms >= LATCH_WATCHDOG_LEAST_MS) latch_watchdog_set(watch);
}

static bool is_running(const latch_worker *w) { return atomic_load(&w->watch.claim) != LATCH_CLAIM_TAKEN; }

/* It has the connection in common with the process, whose answer it would send a second time, and whose next event it would take. */
static void end_child(const latch_worker *w) {
    latch_log(w->cx, LATCH_ERROR, "a child process that the handler has forked came back from it, and ends: it must call _exit()",
              "handler", w->process->handler->name);
    _exit(1);
}

void latch_ending_disarm(latch_worker *w) {
    if (all.is_child) end_child(w);
    bool taken = latch_claim_take(&w->watch.claim, LATCH_CLAIM_TAKEN);
    if (!taken && is_running(w)) sleep_for_ever(); /* a thread of the handler's own has ended the process */
    w->watch.fire_at_ms = INT64_MAX;
}

/*
 * A handler returns through two instructions. On arm64 musl has its own right behind another function, whose they seem to be to an unwinder,
 * which looks a byte before each return address; the kernel's, in its vDSO, are known to it.
 */
void latch_ending_return_by_kernel(int number) {
#if defined(__aarch64__) && !defined(__GLIBC__)
    enum { RESTORER = 0x04000000 }; /* SA_RESTORER, which musl's headers don't have */
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action;
    if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof action.mask) != 0) return;
    action.flags &= ~(unsigned long)RESTORER;
    action.restorer = NULL;
    syscall(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask);
#else
    (void)number;
#endif
}

/* ── who reports ─────────────────────────────────────────────────────────────────────────────────────────────────── */

latch_worker *latch_ending_mine(void) { return mine; }
int64_t latch_ending_now_ms(void) { return latch_clock_system().wall_us(NULL) / 1000; }
bool latch_ending_is_ours(void) { return all.process != NULL && getpid() == all.pid; }

latch_worker *latch_ending_whose(void) {
    latch_worker *w = mine;
    if (w == NULL && all.process->worker_count == 1) w = all.process->workers[0];
    return w != NULL && is_running(w) ? w : NULL;
}

bool latch_ending_begin(latch_worker *of, const char *type, int exit_status) {
    int none = 0, me = self();
    while (!atomic_compare_exchange_strong(&report.reporter, &none, me)) {
        if (none == me) return false;
        none = 0;
        nap(); /* with one worker the process ends with the report that another thread is writing */
    }
    signal(SIGALRM, SIG_DFL);
    alarm(all.process->worker_count > 1 ? GIVE_UP_SEVERAL_S : GIVE_UP_S);
    report.of = of;
    report.type = type;
    report.exit_status = exit_status;
    report.claimed = of != NULL && latch_claim_take(&of->watch.claim, LATCH_CLAIM_ENDING); /* by whoever reports, or nobody would */
    report.message_writer = (latch_text_writer){.at = report.message, .cap = sizeof report.message};
    return true;
}

latch_text_writer *latch_ending_message(void) { return &report.message_writer; }
bool latch_ending_has_claimed(void) { return report.claimed; }

void latch_ending_give_way(void) {
    alarm(0);
    report.telling = 0;
    atomic_store(&report.reporter, 0);
}

int latch_ending_exit_status(void) { return report.exit_status; }
bool latch_ending_is_telling(void) { return report.telling != 0; }

/* ── the report ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(latch_text_writer *t, const char *text) { latch_text_put(t, latch_str_of(text)); }

static latch_str write_body(const char *type) {
    latch_text_writer t = {.at = report.body, .cap = sizeof report.body};
    put(&t, "{\"errorMessage\":\"");
    put(&t, report.message);
    put(&t, "\",\"errorType\":\"");
    put(&t, type);
    put(&t, "\",\"stackTrace\":[");
    for (size_t i = 0; i < latch_backtrace_count() && t.len + 512 < sizeof report.body; i++) {
        put(&t, i > 0 ? ",\"" : "\"");
        latch_backtrace_put_frame(&t, i);
        latch_text_char(&t, '"');
    }
    put(&t, "]}");
    return latch_text_end(&t);
}

static void write_cause(const char *type) {
    latch_text_writer t = {.at = report.cause, .cap = sizeof report.cause};
    put(&t, "{\"working_directory\":\"\",\"exceptions\":[{\"type\":\"");
    put(&t, type);
    put(&t, "\",\"message\":\"");
    put(&t, report.message);
    put(&t, "\",\"stack\":[");
    for (size_t i = 0; i < latch_backtrace_count() && t.len + 512 < sizeof report.cause; i++) {
        if (i > 0) latch_text_char(&t, ',');
        latch_backtrace_put_cause(&t, i);
    }
    put(&t, "]}],\"paths\":[]}");
    if (latch_text_end(&t).ptr == NULL) report.cause[0] = '\0';
}

static latch_str choose_path(char at[LATCH_API_PATH_BYTES]) {
    const latch_invocation *invocation = report.of->watch.invocation;
    if (invocation != NULL) return latch_api_write_path(at, invocation, "error");
    return report.of->api.restoring ? LATCH_STR(LATCH_API_RUNTIME "restore/error") : LATCH_STR(LATCH_API_RUNTIME "init/error");
}

static latch_str write_head(const char *type, size_t body_bytes) {
    const latch_invocation *invocation = report.of->watch.invocation;
    latch_text_writer t = {.at = report.head, .cap = sizeof report.head};
    char path[LATCH_API_PATH_BYTES];
    latch_api_put_request(&t, &report.of->api, "POST", choose_path(path));
    put(&t, "Content-Type: application/json\r\nConnection: close\r\n");
    if (invocation != NULL) latch_api_put_header(&t, LATCH_INVOCATION_ID, invocation->invocation_id);
    put(&t, LATCH_API_ERROR_TYPE ": Function.");
    put(&t, type);
    put(&t, "\r\n");
    bool fits = t.cap - t.len > strlen(report.cause) + 128; /* long ids leave it no room: it is the first to go */
    if (fits) latch_api_put_header(&t, LATCH_API_ERROR_CAUSE, latch_str_of(report.cause));
    put(&t, "Content-Length: ");
    latch_text_uint(&t, body_bytes);
    put(&t, "\r\n\r\n");
    return latch_text_end(&t);
}

/* False: whoever reads takes it too slowly, or not at all; then the others aren't kept any longer. */
static bool send_all(int fd, latch_str text, int64_t until_ms) {
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        int64_t left_ms = until_ms - latch_ending_now_ms();
        if (n > 0) {
            text = (latch_str){text.ptr + n, text.len - (size_t)n};
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && left_ms > 0) {
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, (int)left_ms);
        } else if (n == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Waits for the answer: a process that dies with the request half read would take it along. */
static void hear(int fd) {
    char answer[512];
    struct timeval patience = {.tv_sec = HEAR_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (recv(fd, answer, sizeof answer, 0) < 0 && errno == EINTR)
        continue; /* the watchdog's signal: SIGALRM bounds the whole */
}

static void post(latch_str head, latch_str body) {
    struct timeval patience = {.tv_usec = SEND_MS * 1000};
    const latch_api *api = &report.of->api;
    int64_t until_ms = latch_ending_now_ms() + SEND_MS;
    if (api->peer_len == 0 || head.ptr == NULL || body.ptr == NULL) return;
    int fd = socket(api->peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&api->peer, api->peer_len) == 0 && send_all(fd, head, until_ms) &&
        send_all(fd, body, until_ms))
        hear(fd);
    close(fd);
}

static bool send_rest(const latch_api *api, int64_t until_ms) {
    const struct msghdr *rest = &api->chunk.message;
    bool sent = true;
    for (size_t i = 0; api->streaming == LATCH_API_IN_CHUNK && sent && i < (size_t)rest->msg_iovlen; i++)
        sent = send_all(api->fd, (latch_str){rest->msg_iov[i].iov_base, rest->msg_iov[i].iov_len}, until_ms);
    return sent;
}

/* Of a stream that has begun: what is left of its chunk, and its trailers, over the connection that it goes over. */
static void end_stream(const char *type, latch_str body) {
    char whole[64];
    latch_text_writer t = {.at = whole, .cap = sizeof whole};
    put(&t, "Function.");
    put(&t, type);
    latch_str end =
        latch_text_end(&t).ptr != NULL ? latch_api_write_end(report.head, sizeof report.head, whole, body) : (latch_str){NULL, 0};
    const latch_api *api = &report.of->api;
    int64_t until_ms = latch_ending_now_ms() + SEND_MS, deadline_ms = atomic_load(&report.of->watch.deadline_at_ms);
    if (deadline_ms < until_ms) until_ms = deadline_ms; /* whose client has gone then */
    if (end.ptr != NULL && send_rest(api, until_ms) && send_all(api->fd, end, until_ms)) hear(api->fd);
}

static void tell_service(const char *type, latch_str body) {
    latch_api *api = &report.of->api;
    if (!latch_api_take_line(api) || api->streaming == LATCH_API_CUT_OFF) return;
    if (api->streaming == LATCH_API_NOT_STREAMING)
        post(write_head(type, body.len), body);
    else
        end_stream(type, body);
}

static void put_id(latch_text_writer *t, const char *name, latch_str id) {
    id = latch_str_cut(id, 128);
    if (id.len == 0) return;
    put(t, name);
    for (size_t i = 0; i < id.len; i++)
        latch_backtrace_put_plain(t, (const char[2]){id.ptr[i], '\0'}, 1);
    latch_text_char(t, '"');
}

/* As a record of the log: whose it is, beside what was posted. */
static void write_record(latch_str body) {
    static char begin[512];
    char when[LATCH_TIMESTAMP_BYTES];
    const latch_invocation *invocation = report.of != NULL ? report.of->watch.invocation : NULL;
    latch_text_writer t = {.at = begin, .cap = sizeof begin};
    latch_clock_format(latch_ending_now_ms(), when);
    put(&t, "{\"timestamp\":\"");
    put(&t, when);
    put(&t, "\",\"level\":\"FATAL\"");
    if (invocation != NULL) put_id(&t, ",\"requestId\":\"", invocation->request_id);
    if (invocation != NULL) put_id(&t, ",\"tenantId\":\"", invocation->tenant_id);
    put(&t, ",\"message\":\"the handler has ended the process\",");
    latch_str head = latch_text_end(&t);
    if (body.ptr == NULL || head.ptr == NULL) return;
    struct iovec parts[] = {{(char *)(uintptr_t)head.ptr, head.len}, {(char *)(uintptr_t)body.ptr + 1, body.len - 1}, {(char[]){'\n'}, 1}};
    (void)!writev(STDERR_FILENO, parts, 3);
}

static void copy(char *at, size_t cap, const char *text) {
    latch_str cut = latch_str_cut(latch_str_of(text), cap - 1);
    memcpy(at, cut.ptr, cut.len);
    at[cut.len] = '\0';
}

/* Metrics and the trace, last: they stand where the handler has written. On another thread it may still be writing there. */
static void tell_observers(const char *type) {
    if (!report.claimed || report.of != mine || report.of->watch.invocation == NULL) return;
    latch_ctx cx = *report.of->api.stream.cx;
    copy(cx.err.type, sizeof cx.err.type, type);
    copy(cx.err.message, sizeof cx.err.message, report.message);
    latch_observer_cut_off(&report.of->observer, &cx);
}

void latch_ending_tell(void) {
    const char *type = report.type;
    report.telling = 1;
    if (latch_text_end(&report.message_writer).ptr == NULL) report.message[0] = '\0';
    latch_str body = write_body(type);
    write_cause(type);
    if (report.claimed) tell_service(type, body);
    write_record(body);
    tell_observers(type);
}

/* ── the others ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whoever still asked has been told to stop, or has just got an event: it soon says which. */
static bool is_busy(const latch_process *p, int64_t since_ms) {
    int64_t at_ms = latch_ending_now_ms();
    for (size_t i = 0; i < p->worker_count; i++) {
        latch_worker *w = p->workers[i];
        int phase = atomic_load(&w->phase);
        int64_t until_ms = since_ms + (phase == LATCH_WORKER_ASKING ? ASKING_MS : UNBOUNDED_MS);
        if (phase == LATCH_WORKER_BUSY && w->watch.deadline_at_ms < until_ms) until_ms = w->watch.deadline_at_ms;
        if (phase != LATCH_WORKER_GONE && at_ms < until_ms) return true;
    }
    return false;
}

void latch_ending_await_others(void) {
    latch_process *p = all.process;
    int none = 0, me = self();
    if (p->worker_count <= 1) return;
    bool ends = atomic_compare_exchange_strong(&all.ender, &none, me) || none == me; /* before the main thread can think that all is over */
    latch_ending_give_way();
    if (mine != NULL) atomic_store(&mine->phase, LATCH_WORKER_GONE);
    latch_process_stop(p);
    if (!ends) sleep_for_ever();
    for (int64_t since_ms = latch_ending_now_ms(); is_busy(p, since_ms);)
        nap();
}

void latch_ending_yield(void) {
    while (atomic_load(&report.reporter) != 0 || atomic_load(&all.ender) != 0)
        nap();
}

/* ── exit() ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put_place(latch_text_writer *t, const latch_worker *of) {
    put(t, of == NULL || of->watch.invocation != NULL ? " was called in the handler " : " was called in the init of the handler ");
    latch_backtrace_put_plain(t, all.process->handler->name, 100);
}

static void on_exit_of(latch_worker *of, int status, bool known) {
    latch_backtrace_stack stack = mine != NULL ? mine->watch.stack : stack_of_thread();
    has_told_exit = true;
    if (!latch_ending_begin(of, "Exit", known ? status & 255 : 1)) return;
    latch_text_writer *t = latch_ending_message();
    put(t, "exit(");
    if (known && status >= 0) latch_text_uint(t, (uint64_t)status);
    latch_text_char(t, ')');
    put_place(t, of);
    latch_backtrace_take_here(2, stack);
    latch_ending_tell();
    alarm(0); /* what exit() goes on with takes its time */
}

/* Whether anybody has to hear of it. A process that ends after its last event, or a child of the handler, goes in silence. */
static bool is_of_interest(latch_worker **of) {
    if (has_told_exit || !latch_ending_is_ours() || all.process->handler == NULL) return false;
    *of = latch_ending_whose();
    return *of != NULL || (mine == NULL && self() != getpid());
}

#ifdef __GLIBC__
static void on_exit_called(int status, void *unused) {
    latch_worker *of;
    (void)unused;
    if (!is_of_interest(&of)) return;
    on_exit(on_exit_called, NULL); /* for another worker that does so meanwhile */
    on_exit_of(of, status, true);
    latch_ending_await_others();
}

static void watch_exit(void) { on_exit(on_exit_called, NULL); }
#else
/*
 * musl doesn't tell what exit() was called with. A child goes on with what exit() does (later handlers, stdio), and its status is what this
 * process ends with; where that isn't known in time, the report goes without, and so does the status.
 */
static bool learn(pid_t child, int *status) {
    for (int waited_ms = 0; waited_ms < STATUS_PATIENCE_MS; waited_ms++) {
        pid_t done = waitpid(child, status, WNOHANG);
        if (done == child) return true;
        if (done < 0 && errno != EINTR) return false;
        nap();
    }
    return false;
}

static void on_exit_called(void) {
    latch_worker *of;
    int status = 0;
    if (!is_of_interest(&of)) return;
    atexit(on_exit_called); /* for another worker that does so meanwhile: none would mean that the process ends at once */
    pid_t child = fork();
    if (child == 0) return;
    bool known = child > 0 && learn(child, &status);
    on_exit_of(of, WEXITSTATUS(status), known && WIFEXITED(status));
    latch_ending_await_others();
    if (child < 0) return;
    if (!known) kill(child, SIGKILL);
    _exit(known && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* musl's exit() takes each once, whoever calls it: so many may do so in the same moment. */
static void watch_exit(void) {
    for (int i = 0; i < EXITS_AT_ONCE; i++)
        atexit(on_exit_called);
}
#endif

/* ── pthread_exit() ──────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_ending_on_thread_end(void *worker) {
    latch_worker *of = worker;
    if (!latch_ending_is_ours() || !is_running(of) || !latch_ending_begin(of, "Exit", 1)) return;
    latch_text_writer *t = latch_ending_message();
    put(t, "pthread_exit() or its like");
    put_place(t, of);
    latch_backtrace_take_here(1, of->watch.stack);
    latch_ending_tell();
    latch_ending_await_others();
    _exit(1);
}

/* ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void note_child(void) { all.is_child = true; }

void latch_ending_adopt(void) {
    all.pid = getpid();
    all.is_child = false;
}

void latch_ending_init(latch_process *process) {
    static bool watches;
    all.process = process;
    latch_backtrace_init();
    latch_ending_adopt();
    if (!watches) watch_exit();
    if (!watches) (void)pthread_atfork(NULL, NULL, note_child);
    watches = true;
}

void latch_ending_clean_up(void) { all.process = NULL; }

#include "process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"

#define LINE_BYTES ((size_t)16 * 1024) /* a line longer than this is handed over in pieces */
#define LEFT_BEHIND_ROUNDS 100

/* ── lines ── */

static void hand_over_lines(latch_process *p, bool at_end) {
    latch_buffer *line = &p->line;
    size_t from = 0;
    while (from < line->len) {
        const char *newline = memchr(line->ptr + from, '\n', line->len - from);
        size_t len = newline != NULL ? (size_t)(newline - line->ptr) - from : line->len - from;
        if (newline == NULL && !at_end && len < LINE_BYTES) break;
        p->on_line(p->arg, (latch_str){line->ptr + from, len});
        from += len + (newline != NULL);
    }
    if (from > 0) memmove(line->ptr, line->ptr + from, line->len - from);
    line->len -= from;
}

/* False at the end of the output. */
static bool read_some(latch_process *p, size_t *out_bytes) {
    char bytes[LINE_BYTES];
    ssize_t got;
    do
        got = read(p->output.fd, bytes, sizeof bytes);
    while (got < 0 && errno == EINTR);
    *out_bytes = got > 0 ? (size_t)got : 0;
    if (got > 0) latch_buffer_add(&p->line, bytes, (size_t)got);
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static void close_output(latch_process *p) {
    if (p->output.fd < 0) return;
    latch_loop_unwatch(p->all->loop, &p->output);
    close(p->output.fd);
    p->output.fd = -1;
}

void latch_process_read(latch_process *p) {
    size_t bytes = 0;
    if (p->pid == 0 || p->output.fd < 0) return;
    bool more;
    do {
        more = read_some(p, &bytes);
        hand_over_lines(p, !more);
    } while (more && bytes == LINE_BYTES);
    if (!more) close_output(p);
}

void latch_process_end_line(latch_process *p) {
    latch_process_read(p);
    if (p->pid != 0) hand_over_lines(p, true);
}

static void on_output(void *arg) { latch_process_read(arg); }

/* ── the end ── */

static void forget(latch_process *p) {
    latch_process **at = &p->all->first;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->pid = 0;
}

/* What its children still hold open isn't waited for: only what is there is read. */
static void read_the_rest(latch_process *p) {
    size_t bytes = 0;
    while (p->output.fd >= 0 && read_some(p, &bytes) && bytes > 0)
        hand_over_lines(p, false);
    hand_over_lines(p, true);
    close_output(p);
    latch_buffer_clean_up(&p->line);
}

static void ended(latch_processes *all, pid_t pid, int wait_status) {
    latch_process *p = all->first;
    while (p != NULL && p->pid != pid)
        p = p->next;
    if (p == NULL) return; /* something that a function had left behind */
    read_the_rest(p);
    forget(p);
    p->on_exit(p->arg, wait_status);
}

static void reap(latch_processes *all) {
    for (;;) {
        siginfo_t info = {0};
        int wait_status = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        kill(-info.si_pid, SIGKILL); /* the rest of its group, while the group's id can't be another's yet */
        if (waitpid(info.si_pid, &wait_status, WNOHANG) != info.si_pid) return;
        ended(all, info.si_pid, wait_status);
    }
}

static void on_signal(void *arg) {
    latch_processes *all = arg;
    struct signalfd_siginfo info;
    while (read(all->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(all);
        else
            all->on_stop(all->arg, (int)info.ssi_signo);
    }
}

char *latch_process_describe(int wait_status) {
    if (!WIFSIGNALED(wait_status)) return latch_format("exited with status %d", WEXITSTATUS(wait_status));
    int number = WTERMSIG(wait_status);
    const char *name = sigabbrev_np(number), *text = sigdescr_np(number);
    return latch_format("killed by signal %d (SIG%s, %s)", number, name != NULL ? name : "?", text != NULL ? text : "unknown");
}

/* ── all of them ── */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

static sigset_t watched_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++)
        sigaddset(&set, stop_signals[i]);
    return set;
}

latch_status latch_processes_init(latch_processes *all, latch_loop *loop, void (*on_stop)(void *arg, int signal), void *arg,
                                  latch_err *err) {
    sigset_t set = watched_signals();
    *all = (latch_processes){.loop = loop, .on_stop = on_stop, .arg = arg};
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    all->signals = (latch_watch){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal, all};
    if (all->signals.fd < 0 || !latch_loop_watch(loop, &all->signals))
        return latch_err_set(err, LATCH_E_MISUSE, "signals can't be watched: %s", strerror(errno));
    return LATCH_OK;
}

/* The children of this thread, read anew each time: killing a parent may leave us its children. */
static bool kill_children(void) {
    FILE *children = fopen("/proc/thread-self/children", "re");
    int pid = 0;
    bool any = false;
    while (children != NULL && fscanf(children, "%d", &pid) == 1)
        any = kill(pid, SIGKILL) == 0 || any;
    if (children != NULL) fclose(children);
    return any;
}

void latch_processes_clean_up(latch_processes *all) {
    sigset_t set = watched_signals();
    for (latch_process *p = all->first; p != NULL; p = p->next)
        latch_process_signal(p, SIGKILL);
    for (int i = 0; i < LEFT_BEHIND_ROUNDS && kill_children(); i++)
        waitpid(-1, NULL, 0);
    while (all->first != NULL) {
        close_output(all->first);
        latch_buffer_clean_up(&all->first->line);
        forget(all->first);
    }
    latch_loop_unwatch(all->loop, &all->signals);
    close(all->signals.fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ── the start ── */

/* In the child, after fork: async-signal-safe calls only. Doesn't return. */
static void become(char *const argv[], char *const env[], int output, int report, pid_t parent, bool stop_at_start) {
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* it died before the line above */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, STDIN_FILENO);
    if (null > STDERR_FILENO) close(null);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (stop_at_start) prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if (!stop_at_start || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) execve(argv[0], argv, env); /* exec stops what is traced */
    int why = errno;
    if (write(report, &why, sizeof why) < 0) _exit(126);
    _exit(127);
}

/* 0 once it runs, else why exec failed. */
static int read_report(int report) {
    int why = 0;
    ssize_t got;
    do
        got = read(report, &why, sizeof why);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof why ? why : 0;
}

static const struct {
    unsigned machine; /* e_machine */
    const char *lambda, *qemu;
} architectures[] = {{EM_X86_64, "x86_64", "qemu-x86_64-static"}, {EM_AARCH64, "arm64", "qemu-aarch64-static"}};
#define ARCHITECTURES (sizeof architectures / sizeof architectures[0])

/* The machine that an ELF file is for, EM_NONE where it is none. */
static unsigned machine_of(const char *path) {
    Elf64_Ehdr head;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, &head, sizeof head) : -1;
    if (fd >= 0) close(fd);
    if (got < (ssize_t)(offsetof(Elf64_Ehdr, e_machine) + sizeof head.e_machine)) return EM_NONE;
    return memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 ? head.e_machine : (unsigned)EM_NONE;
}

/* What the kernel calls an exec format error. */
static latch_status say_what_it_is(const char *path, latch_err *err) {
    struct utsname here;
    unsigned machine = machine_of(path);
    const char *built_for = NULL, *qemu = NULL;
    if (machine == EM_NONE)
        return latch_err_set(err, LATCH_E_MISUSE, "%s can't be run: it is neither an executable nor a script that begins with #!", path);
    if (uname(&here) != 0) here.machine[0] = '\0';
    const char *wanted = strcmp(here.machine, "aarch64") == 0 ? "arm64" : here.machine;
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        if (architectures[i].machine == machine) built_for = architectures[i].lambda, qemu = architectures[i].qemu;
    }
    if (built_for == NULL)
        return latch_err_set(err, LATCH_E_MISUSE, "%s can't be run: it is built for ELF machine %u, and this machine is %s", path, machine,
                             wanted);
    if (strcmp(built_for, wanted) == 0)
        return latch_err_set(err, LATCH_E_MISUSE,
                             "%s can't be run: it is built for %s, as this machine is, but isn't whole: build it again", path, built_for);
    return latch_err_set(
        err, LATCH_E_MISUSE,
        "%s can't be run: it is built for %s, and this machine is %s: name build/package/%s/bootstrap (./dev package %s), or put "
        "%s before it",
        path, built_for, wanted, wanted, wanted, qemu);
}

static latch_status say_why(const char *path, int why, latch_err *err) {
    if (why == ENOEXEC) return say_what_it_is(path, err);
    const char *hint = why == EACCES   ? ": chmod +x it"
                       : why == ENOENT ? ": it, or the interpreter it names, is not there"
                       : why == EPERM  ? ": is ptrace, which --debug needs, forbidden here?"
                                       : "";
    return latch_err_set(err, LATCH_E_MISUSE, "%s can't be run: %s%s", path, strerror(why), hint);
}

/* From exec's trap to an ordinary stop that any debugger can take over. */
static void leave_stopped(pid_t pid) {
    int wait_status = 0;
    if (waitpid(pid, &wait_status, WUNTRACED) == pid && WIFSTOPPED(wait_status)) ptrace(PTRACE_DETACH, pid, NULL, SIGSTOP);
}

static void adopt(latch_process *p, pid_t pid, int output) {
    p->pid = pid;
    p->next = p->all->first;
    p->all->first = p;
    fcntl(output, F_SETFL, O_NONBLOCK);
    p->output = (latch_watch){output, on_output, p};
    if (!latch_loop_watch(p->all->loop, &p->output)) close_output(p);
}

latch_status latch_process_start(latch_process *p, char *const argv[], char *const env[], bool stop_at_start, latch_err *err) {
    int output[2], report[2];
    if (pipe2(output, O_CLOEXEC) != 0) return latch_err_set(err, LATCH_E_MISUSE, "no pipe: %s", strerror(errno));
    if (pipe2(report, O_CLOEXEC) != 0) {
        int why = errno;
        close(output[0]), close(output[1]);
        return latch_err_set(err, LATCH_E_MISUSE, "no pipe: %s", strerror(why));
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(argv, env, output[1], report[1], parent, stop_at_start);
    int why = pid < 0 ? errno : 0;
    close(output[1]), close(report[1]);
    if (pid > 0) {
        setpgid(pid, pid); /* here too: whoever signals the group next must find it */
        why = read_report(report[0]);
    }
    close(report[0]);
    if (why == 0) {
        if (stop_at_start) leave_stopped(pid);
        adopt(p, pid, output[0]);
        return LATCH_OK;
    }
    close(output[0]);
    if (pid > 0) waitpid(pid, NULL, 0);
    return say_why(argv[0], why, err);
}

void latch_process_signal(const latch_process *p, int signal) {
    if (p->pid > 0) kill(-p->pid, signal);
}

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "store/dynamodb/sources.h"

#define WHAT "credential_process"
#define LOOK_AGAIN_MS 2 /* whether a process that has closed its output is gone */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0, or an errno. `out` is the pipe's writing end. */
static int set_up(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int out) {
    sigset_t none, pipe_signal;
    sigemptyset(&none);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE); /* which this process may ignore, and a shell's pipeline lives by */
    int why = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (why == 0) why = posix_spawn_file_actions_adddup2(files, out, 1);
    if (why == 0) why = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
    if (why == 0) why = posix_spawnattr_setpgroup(attributes, 0);
    if (why == 0) why = posix_spawnattr_setsigmask(attributes, &none);
    if (why == 0) why = posix_spawnattr_setsigdefault(attributes, &pipe_signal);
    if (why == 0)
        why = posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    return why;
}

static int start(const char *command, int out, pid_t *pid) {
    char shell[] = "sh", flag[] = "-c";
    char *argv[] = {shell, flag, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int why = posix_spawn_file_actions_init(&files);
    if (why != 0) return why;
    why = posix_spawnattr_init(&attributes);
    if (why == 0) {
        why = set_up(&files, &attributes, out);
        if (why == 0) why = posix_spawn(pid, "/bin/sh", &files, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return why;
}

/* Until it closes its output. LATCH_E_TIMEOUT, LATCH_E_MISUSE: it isn't over yet. */
static latch_status read_output(int in, char *at, size_t *len, int64_t until_ms, int64_t timeout_ms, latch_err *err) {
    for (;;) {
        struct pollfd fd = {.fd = in, .events = POLLIN};
        int64_t left = until_ms - now_ms();
        int ready = left > 0 ? poll(&fd, 1, left < INT32_MAX ? (int)left : INT32_MAX) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return latch_err_set(err, LATCH_E_TIMEOUT, WHAT ": not done after %lld ms", (long long)timeout_ms);
        ssize_t n = read(in, at + *len, LATCH_KEYS_ANSWER_MAX + 1 - *len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return LATCH_OK;
        *len += (size_t)n;
        if (*len > LATCH_KEYS_ANSWER_MAX)
            return latch_err_set(err, LATCH_E_MISUSE, WHAT ": it wrote over %zu bytes", LATCH_KEYS_ANSWER_MAX);
    }
}

/* How it ended. A process that closed its output may go on for a while. */
static latch_status wait_for(pid_t pid, int64_t until_ms, int64_t timeout_ms, latch_err *err) {
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    int how = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &how, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (now_ms() >= until_ms) return latch_err_set(err, LATCH_E_TIMEOUT, WHAT ": not done after %lld ms", (long long)timeout_ms);
        nanosleep(&pause, NULL);
    }
    if (ended < 0 || (WIFEXITED(how) && WEXITSTATUS(how) == 0)) return LATCH_OK; /* < 0: this process lets others be reaped unseen */
    return latch_err_set(err, LATCH_E_DENIED, WHAT ": it ended with %s %d; run it by hand to see what it says",
                         WIFEXITED(how) ? "status" : "signal", WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how));
}

/* With all that it started. */
static void end(pid_t pid) {
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

latch_status latch_process_run(latch_arena *arena, const char *command, int64_t timeout_ms, latch_str *out, latch_err *err) {
    int ends[2];
    pid_t pid = 0;
    *out = (latch_str){NULL, 0};
    char *at = latch_arena_alloc(arena, LATCH_KEYS_ANSWER_MAX + 1);
    if (at == NULL) return latch_err_set(err, LATCH_E_NOMEM, WHAT ": no memory for its answer");
    if (pipe2(ends, O_CLOEXEC) != 0) return latch_err_set(err, LATCH_E_NOMEM, WHAT ": no pipe: %s", strerror(errno));
    int64_t until_ms = now_ms() + timeout_ms;
    int why = start(command, ends[1], &pid);
    close(ends[1]);
    latch_status status = LATCH_OK;
    size_t len = 0;
    if (why != 0) {
        status = latch_err_set(err, LATCH_E_DENIED, WHAT ": /bin/sh doesn't start: %s", strerror(why));
    } else {
        status = read_output(ends[0], at, &len, until_ms, timeout_ms, err);
        if (status == LATCH_OK) status = wait_for(pid, until_ms, timeout_ms, err);
        if (status == LATCH_E_TIMEOUT || status == LATCH_E_MISUSE) end(pid);
    }
    close(ends[0]);
    if (status == LATCH_OK) *out = (latch_str){at, len};
    return status;
}

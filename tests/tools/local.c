#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/check.h"

const char *local_program = LATCH_LOCAL;

static char folder[4096], origin[4096];

void local_init(void) {
    const char *tmp = getenv("TMPDIR");
    assert_non_null(getcwd(origin, sizeof origin));
    snprintf(folder, sizeof folder, "%s/latch-local-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

void local_clean_up(void) {
    assert_int_equal(chdir(origin), 0);
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void local_write_bytes(const char *path, const char *bytes, size_t len) {
    char part[512];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        mkdir(part, 0777);
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

void local_write(const char *path, const char *text) { local_write_bytes(path, text, strlen(text)); }

char *local_read(const char *path, size_t *out_len) {
    FILE *f = fopen(path, "r");
    if (f == NULL) return NULL;
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    char *text = malloc((size_t)len + 1);
    size_t got = text != NULL ? fread(text, 1, (size_t)len, f) : 0;
    fclose(f);
    if (text == NULL) return NULL;
    text[got] = '\0';
    if (out_len != NULL) *out_len = got;
    return text;
}

static void become(const char *const *words, const char *const *env, const char *input) {
    char *argv[64] = {(char *)(uintptr_t)local_program};
    for (size_t i = 0; words[i] != NULL && i < 62; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        putenv((char *)(uintptr_t)env[i]);
    int in = open(input, O_RDONLY), out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666),
        err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails in between leaves nothing either */
    dup2(in, 0), dup2(out, 1), dup2(err, 2);
    execv(local_program, argv);
    _exit(99);
}

static pid_t start(const char *const *words, const char *const *env, const char *input) {
    unlink("out");
    pid_t pid = fork();
    if (pid == 0) become(words, env, input);
    assert_true(pid > 0);
    return pid;
}

pid_t local_start(const char *const *words) { return start(words, NULL, "/dev/null"); }

pid_t local_start_on(const char *const *words, const char *input) { return start(words, NULL, input); }

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void a_moment(void) { poll(NULL, 0, 2); }

int local_wait(pid_t pid) {
    int status = 0;
    double until = seconds() + 20;
    pid_t got = 0;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && seconds() < until)
        a_moment();
    if (got == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        fail_msg("%s was still running after 20 s", local_program);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void parse_lines(local_run *run) {
    for (char *at = run->out; *at == '{' && run->count < 64;) {
        size_t len = strcspn(at, "\n");
        run->lines[run->count++] = yyjson_read(at, len, YYJSON_READ_NOFLAG);
        at += len + (at[len] == '\n');
    }
}

local_run local_play(const char *const *words, const char *const *env, const char *input) {
    local_run run = {0};
    if (input != NULL) local_write("in", input);
    run.exit_status = local_wait(start(words, env, input != NULL ? "in" : "/dev/null"));
    run.out = local_read("out", NULL);
    run.err = local_read("err", NULL);
    assert_non_null(run.out);
    assert_non_null(run.err);
    if (strstr(run.err, "Sanitizer") != NULL || strstr(run.err, "runtime error:") != NULL) fail_msg("%s", run.err);
    parse_lines(&run);
    return run;
}

void local_forget(local_run *run) {
    for (size_t i = 0; i < run->count; i++)
        yyjson_doc_free(run->lines[i]);
    free(run->out);
    free(run->err);
    *run = (local_run){0};
}

yyjson_val *local_line(const local_run *run, size_t line) {
    if (line >= run->count || run->lines[line] == NULL) fail_msg("line %zu is no JSON:\n%s%s", line, run->out, run->err);
    return yyjson_doc_get_root(run->lines[line]);
}

const char *local_text(const local_run *run, size_t line, const char *member) {
    const char *text = yyjson_get_str(yyjson_obj_get(local_line(run, line), member));
    return text != NULL ? text : "";
}

char *local_await(const char *path, const char *text) {
    double until = seconds() + 10;
    for (;; a_moment()) {
        char *have = local_read(path, NULL);
        if (have != NULL && strstr(have, text) != NULL) return have;
        free(have);
        if (seconds() > until) return NULL;
    }
}

/* Of /proc/PID/stat: 0 where there is none, which is also how a process looks that is gone. */
static char state_of(pid_t pid, char name[64]) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    name[0] = '\0';
    FILE *f = fopen(path, "r");
    if (f == NULL) return 0;
    if (fscanf(f, "%*d (%63[^)]) %c", name, &state) != 2) state = 0;
    fclose(f);
    return state;
}

bool local_is_gone(pid_t pid) {
    char name[64];
    for (double until = seconds() + 5; seconds() < until; a_moment()) {
        char state = state_of(pid, name);
        if (state == 0 || state == 'Z' || state == 'X') return true;
    }
    return false;
}

bool local_reaches(pid_t pid, char state, const char *name) {
    char now[64];
    for (double until = seconds() + 5; seconds() < until; a_moment())
        if (state_of(pid, now) == state && strcmp(now, name) == 0) return true;
    return false;
}

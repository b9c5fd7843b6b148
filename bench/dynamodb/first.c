/*
 * first COMMAND [ARGUMENT…] - how long a process takes from its start to the first byte it writes, in microseconds.
 *
 * Measured here, in C, because starting a process from a script costs as much as some of those that are measured.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    int ends[2], status, code;
    char byte, rest[256];
    pid_t child;
    posix_spawn_file_actions_t actions;
    if (argc < 2) {
        fputs("usage: first COMMAND [ARGUMENT…]\n", stderr);
        return 2;
    }
    if (pipe(ends) != 0 || posix_spawn_file_actions_init(&actions) != 0) return 1;
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    double from = now_us();
    if ((code = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ)) != 0) {
        fprintf(stderr, "first: %s: %s\n", argv[1], strerror(code));
        return 1;
    }
    close(ends[1]);
    ssize_t n = read(ends[0], &byte, 1);
    double took = now_us() - from;
    while (read(ends[0], rest, sizeof rest) > 0) {
    }
    if (waitpid(child, &status, 0) != child || n != 1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "first: %s ended with %d and wrote %s\n", argv[1], status, n == 1 ? "something" : "nothing");
        return 1;
    }
    printf("%.1f\n", took);
    return 0;
}

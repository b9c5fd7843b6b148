/* local.h - latch-local as a person runs it, in a folder of its own: files in, exit status, standard output and error out. */
#ifndef TESTS_LOCAL_H
#define TESTS_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <yyjson.h>

#define LATCH_LOCAL LATCH_BUILD_DIR "/latch-local"
#define FAKE LATCH_BUILD_DIR "/tests/tools/fake_bootstrap"

extern const char *local_program; /* what is run: LATCH_LOCAL, unless a test says otherwise */

/* A new temporary folder becomes the working directory; clean_up removes it and what is in it. Both fail the test where they can't. */
void local_init(void);
void local_clean_up(void);

void local_write(const char *path, const char *text); /* makes its folders */
void local_write_bytes(const char *path, const char *bytes, size_t len);
char *local_read(const char *path, size_t *out_len); /* the caller's to free */

/* A run that has ended. */
typedef struct local_run {
    int exit_status; /* -1: it died of a signal */
    char *out, *err;
    yyjson_doc *lines[64]; /* of standard output, where it is JSON lines */
    size_t count;
} local_run;

/* Words up to NULL, after the program's name. `env`: NAME=VALUE up to NULL, on top of the test's own; may be NULL. */
local_run local_play(const char *const *words, const char *const *env, const char *input);
void local_forget(local_run *run);

yyjson_val *local_line(const local_run *run, size_t line);                     /* fails the test where there is none */
const char *local_text(const local_run *run, size_t line, const char *member); /* "" where there is none */

/* A run that goes on: its standard output is the file "out", its error "err". */
pid_t local_start(const char *const *words);
pid_t local_start_on(const char *const *words, const char *input); /* its standard input is this file, or the terminal of this name */
int local_wait(pid_t pid);                                         /* its exit status; kills it, and fails the test, after 20 s */

/* Waits until the file holds `text`, at most 10 s. Its whole text, the caller's to free; NULL: it never did. */
char *local_await(const char *path, const char *text);
bool local_is_gone(pid_t pid);                               /* waits too; a zombie is gone */
bool local_reaches(pid_t pid, char state, const char *name); /* waits until it is the program `name` in this state of /proc/PID/stat */

#endif

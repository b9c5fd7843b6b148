/*
 * process.h - the function's process: started in a group of its own, its output read line by line, its end reported.
 *
 * It dies with latch-local, however that ends: at its orderly stop by latch_process_end, else by the kernel (PR_SET_PDEATHSIG). What a
 * function started and left behind in another group becomes latch-local's child and is killed by latch_processes_clean_up.
 */
#ifndef LATCH_LOCAL_PROCESS_H
#define LATCH_LOCAL_PROCESS_H

#include <sys/types.h>

#include "buffer.h"
#include "core/status.h"
#include "loop.h"

typedef struct latch_processes { /* one of these in the whole program: SIGCHLD is the program's */
    latch_loop *loop;
    latch_watch signals;
    struct latch_process *first;
    void (*on_stop)(void *arg, int signal); /* SIGINT, SIGTERM, SIGHUP */
    void *arg;
} latch_processes;

latch_status latch_processes_init(latch_processes *all, latch_loop *loop, void (*on_stop)(void *arg, int signal), void *arg,
                                  latch_err *err);
void latch_processes_clean_up(latch_processes *all); /* kills and reaps whatever is left */

typedef struct latch_process {
    latch_processes *all;
    pid_t pid; /* 0: none */
    latch_watch output;
    latch_buffer line;
    void (*on_line)(void *arg, latch_str line);  /* without its newline; a very long one comes in pieces */
    void (*on_exit)(void *arg, int wait_status); /* after its last line; the process may be started again from here */
    void *arg;
    struct latch_process *next;
} latch_process;

/*
 * Runs argv[0] with this environment. LATCH_E_MISUSE: it can't be run, and why. stop_at_start leaves it stopped before its first
 * instruction, so that a debugger can attach; SIGCONT lets it go.
 */
latch_status latch_process_start(latch_process *p, char *const argv[], char *const env[], bool stop_at_start, latch_err *err);

void latch_process_signal(const latch_process *p, int signal); /* to its group; nothing where there is none */
void latch_process_read(latch_process *p);                     /* hands over the lines that it has written so far */
void latch_process_end_line(latch_process *p);                 /* and what of a line there is: it was to be one */

/* "exited with status 3", "killed by signal 11 (SIGSEGV, Segmentation fault)": the caller's to free. */
char *latch_process_describe(int wait_status);

#endif
